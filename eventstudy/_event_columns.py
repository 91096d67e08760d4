"""Columns of an event table: found by name, read as text, checked."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eventstudy._cells import plain
from eventstudy._limits import check_fields, read_csv_bytes
from eventstudy._stamps import ObjectArray, Origin, read_texts, stripped
from eventstudy.errors import InputError

if TYPE_CHECKING:
    from eventstudy._typing import FloatArray, IntArray

_ALIASES = {
    "ticker": ("ticker", "symbol", "permno"),
    "timestamp": ("timestamp", "datetime", "date", "time"),
    "event_id": ("event_id",),
    "label": ("label",),
    "group": ("group",),
    "weight": ("weight",),
    "calendar": ("calendar",),
    "tz": ("tz",),
}


def read_csv(path: Path, max_bytes: int | None = None) -> pd.DataFrame:
    """Cells of a CSV as text; blank lines stay, so that rows can be counted as lines."""
    content = read_csv_bytes(path, f"Event file {str(path)!r}", max_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(
                io.BytesIO(content),
                dtype=str,
                index_col=False,
                keep_default_na=False,
                na_filter=False,
                skip_blank_lines=False,
                encoding="utf-8-sig",
            )
        except pd.errors.ParserWarning:
            raise InputError(
                f"A line of {str(path)!r} has more cells than the header has names.",
                remedy="Remove the comma at its end, or name the column.",
                path=str(path),
            ) from None
    check_fields(frame, content, f"Event file {str(path)!r}")
    return plain(frame) if b"'" in content else frame


def find_columns(df: pd.DataFrame) -> dict[str, int]:
    """Place of each known column."""
    headers = [str(name).strip() for name in df.columns]
    found: dict[str, int] = {}
    for name, aliases in _ALIASES.items():
        # The proper name wins over its aliases, the exact spelling over other cases.
        for candidates in (aliases[:1], aliases[1:]):
            exact = [place for place, header in enumerate(headers) if header in candidates]
            places = exact or [place for place, header in enumerate(headers) if header.lower() in candidates]
            if len(places) > 1:
                given = ", ".join(repr(headers[place]) for place in places)
                raise InputError(f"Several columns could be {name!r}: {given}.", remedy=f"Name the right one {name!r}.")
            if places:
                found[name] = places[0]
                break
    missing = [name for name in ("ticker", "timestamp") if name not in found]
    if missing:
        raise InputError(
            f"The event table lacks the column{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, headers)) or 'none'}.",
            remedy="Rename or add what is missing.",
            missing=missing,
            columns=headers,
        )
    return found


def read_tickers(column: pd.Series[Any], origin: Origin) -> ObjectArray:
    """Tickers as stripped text; numbers (permno) must be whole."""
    if pd.api.types.is_float_dtype(column.dtype) and column.notna().all() and (column % 1 == 0).all():
        column = column.astype(np.int64)
    text = stripped(column)
    check_tickers(text, origin)
    return text


def read_ids(column: pd.Series[Any] | None, n: int, ticker: ObjectArray, origin: Origin) -> IntArray | ObjectArray:
    """Event identifiers: whole numbers where all of them are, otherwise as given."""
    if column is None:
        return np.arange(1, n + 1, dtype=np.int64)
    text = read_texts(column)
    blank = np.ones(n, dtype=bool) if text is None else pd.isna(text)
    if text is None or blank.any():
        row = int(np.flatnonzero(blank)[0])
        raise InputError(
            f"The event_id of {ticker[row]}{origin.where(row)} is blank.",
            remedy="Fill it, or drop the column and the events are numbered.",
            ticker=ticker[row],
        )
    if pd.api.types.is_integer_dtype(column.dtype):
        return np.asarray(column, dtype=np.int64)
    number = pd.to_numeric(pd.Series(text), errors="coerce")
    # "007" is a name and not the number 7.
    if number.notna().all() and (number % 1 == 0).all() and (number.abs() < 2**53).all():
        whole = number.astype(np.int64)
        if pd.api.types.is_float_dtype(column.dtype) or (whole.astype(str).to_numpy(dtype=object) == text).all():
            return np.asarray(whole, dtype=np.int64)
    return text


def read_weights(column: pd.Series[Any], ticker: ObjectArray, origin: Origin) -> FloatArray:
    """Weights as numbers; what is none becomes NaN and is named by the check."""
    number = pd.to_numeric(column, errors="coerce")
    if pd.api.types.is_complex_dtype(number.dtype):  # a cast would drop the imaginary part
        weight = np.full(len(number), np.nan)
    else:
        weight = number.to_numpy(dtype=np.float64, na_value=np.nan)
    check_weights(weight, ticker, origin, given=column)
    return weight


def per_ticker(value: Any, ticker: ObjectArray, name: str) -> ObjectArray | None:
    """One value for all, one per ticker in order, or a mapping from ticker."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        missing = [item for item in ticker if item not in value]
        if missing:
            raise InputError(
                f"The {name} mapping has no entry for {', '.join(missing)}.",
                remedy=f"Give every ticker a {name}.",
                tickers=missing,
            )
        value = [value[item] for item in ticker]
    elif isinstance(value, str) or np.isscalar(value):
        value = [value] * len(ticker)
    filled = np.empty(len(value), dtype=object)
    filled[:] = list(value)
    if len(filled) != len(ticker):
        raise InputError(f"{name} has {len(filled)} entries for {len(ticker)} tickers.")
    return filled


def numeric_if_all(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text column as numbers if every cell that is not blank is one, else unchanged."""
    blank = column.str.strip() == ""
    number = pd.to_numeric(column.where(~blank), errors="coerce")
    return number if not blank.all() and (number.notna() | blank).all() else column


def check_tickers(ticker: ObjectArray, origin: Origin) -> None:
    if pd.api.types.infer_dtype(ticker, skipna=False) != "string":
        row, odd = next((row, item) for row, item in enumerate(ticker) if not isinstance(item, str))
        raise InputError(f"Ticker {odd!r}{origin.where(row)} is no text.", remedy="Give tickers as str.", row=row + 1)
    blank = ticker == ""
    if blank.any():
        row = int(np.flatnonzero(blank)[0])
        raise InputError(f"A ticker{origin.where(row)} is blank.", remedy="Fill it, or remove the row.", row=row + 1)


def check_ids(ids: IntArray | ObjectArray, origin: Origin) -> None:
    if ids.dtype == np.int64 and (ids[1:] > ids[:-1]).all():
        return
    repeated = pd.Series(ids).duplicated().to_numpy()
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        # One by one: numpy drops the zero bytes at the end of a text that it compares an array with.
        first = next(at for at, other in enumerate(ids) if other == ids[row])
        raise InputError(
            f"event_id {ids[row]!s} is used twice{origin.pair(first, row)}.",
            remedy="Give every event its own identifier, or none (concat: renumber=True).",
            event_id=ids[row],
        )


def check_weights(
    weight: FloatArray | None, ticker: ObjectArray, origin: Origin, given: pd.Series[Any] | None = None
) -> None:
    if weight is None:
        return
    bad = ~(np.isfinite(weight) & (weight > 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = weight[row] if given is None else given.iloc[row]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise InputError(
            f"The weight of {ticker[row]}{origin.where(row)} is {shown}; expected a positive number.",
            remedy="Correct it, or leave the event out.",
            ticker=ticker[row],
            weight=value,
        )
