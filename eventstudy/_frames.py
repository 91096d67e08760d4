"""Frames of other libraries at the door: polars, pyarrow and whatever else narwhals reads, as pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from eventstudy.errors import InputError

__all__ = ["as_arrow", "as_pandas", "is_table", "wide_pandas"]

_DATES = ("date", "datetime", "timestamp")


def is_table(value: object) -> bool:
    """Whether ``value`` is a frame of pandas or of a library that narwhals reads."""
    if isinstance(value, pd.DataFrame):
        return True
    if value is None or isinstance(value, str | Path):
        return False
    import narwhals as nw

    try:
        nw.from_native(value)  # type: ignore[call-overload]
    except TypeError:
        return False
    return True


def as_pandas(table: Any, what: str) -> pd.DataFrame:
    """``table`` as a pandas frame; a pandas frame itself is not copied.

    Parameters
    ----------
    table : DataFrame of pandas or polars, pyarrow Table, or any frame that narwhals reads
        A lazy frame (polars, DuckDB, Dask) is collected.
    what : str
        What the frame holds, for messages: ``"events"``.

    Raises
    ------
    InputError
        If it is no frame, a column name occurs twice, or a column holds lists or structs.
    """
    if isinstance(table, pd.DataFrame):
        return table
    import pyarrow as pa

    arrow = as_arrow(table, what)
    nested = [item.name for item in arrow.schema if pa.types.is_nested(item.type)]
    if nested:
        raise InputError(
            f"Column {nested[0]!r} of the {what} holds lists or structs.", remedy="Unnest it, or drop the column."
        )
    plain = [
        pa.field(item.name, pa.float64() if pa.types.is_decimal(item.type) else item.type) for item in arrow.schema
    ]
    # the metadata hold the index of a table that pandas wrote
    schema = pa.schema(plain, metadata=arrow.schema.metadata)
    frame: pd.DataFrame = arrow.cast(schema).to_pandas(date_as_object=False)
    return frame


def as_arrow(table: Any, what: str) -> Any:
    """``table`` as a pyarrow Table; see :func:`as_pandas`."""
    import narwhals as nw
    import pyarrow as pa

    try:
        frame = nw.from_native(table)
    except TypeError:
        raise InputError(
            f"Expected a frame of {what}; got {type(table).__name__}.",
            remedy="Give a DataFrame of pandas or polars, or a pyarrow Table.",
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise _unreadable(what, error) from error
    try:
        arrow = (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_arrow()
    except (nw.exceptions.NarwhalsError, pa.ArrowException, TypeError, ValueError) as error:
        raise _unreadable(what, error) from error
    names = arrow.column_names
    if len(set(names)) < len(names):
        again = next(name for name in names if names.count(name) > 1)
        raise InputError(f"Column {again!r} of the {what} occurs more than once.", remedy="Keep one of them.")
    return arrow


def wide_pandas(table: Any, what: str) -> pd.DataFrame:
    """Wide frame with the dates as index.

    A pandas frame is taken as it is. Other libraries have no index: a column named ``date`` (or ``datetime``,
    ``timestamp``) becomes it, else the first column if it holds dates.

    Raises
    ------
    InputError
        As :func:`as_pandas`, or if no column holds the dates.
    """
    if isinstance(table, pd.DataFrame):
        return table
    frame = as_pandas(table, what)
    if isinstance(frame.index, pd.DatetimeIndex):
        return frame
    named = [name for name in frame.columns if str(name).strip().lower() in _DATES]
    first = list(frame.columns[:1]) if len(frame.columns) and frame.dtypes.iloc[0].kind == "M" else []
    if len(named) > 1 or not (named or first):
        raise InputError(
            f"The frame of {what} has {'several columns' if named else 'no column'} of dates: "
            f"{', '.join(map(str, named or frame.columns[:5]))}.",
            remedy='Name the one column of dates "date".',
        )
    return frame.set_index((named or first)[0])


def _unreadable(what: str, error: Exception) -> InputError:
    return InputError(f"The frame of {what} cannot be read: {error}.", remedy="Convert it to pandas or pyarrow first.")
