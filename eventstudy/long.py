"""Long tables of returns into a panel: batch by batch, without a pivot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eventstudy._frames import as_arrow, is_table
from eventstudy._typing import FloatArray, ReturnKind
from eventstudy.errors import DataSourceError, InputError
from eventstudy.panel import _PANEL_FILES, ReturnPanel, _check_kind, _check_returns, _save_labels

__all__ = ["read_long"]

_BATCH = 1 << 18


def read_long(
    table: Any,
    ticker: str,
    date: str,
    value: str,
    kind: ReturnKind,
    save: str | Path | None,
    progress: bool | None,
) -> ReturnPanel:
    """Panel from a long table; see :meth:`eventstudy.ReturnPanel.from_long`."""
    _check_kind(kind)
    try:
        source = _dataset(table)
        absent = [name for name in (ticker, date, value) if name not in source.schema.names]
        if absent:
            raise InputError(
                f"The table has no column {absent[0]!r}; it has {source.schema.names}.",
                remedy="Name the columns with ticker=, date= and value=.",
            )
        n_rows = source.count_rows()
        if n_rows == 0:
            raise InputError("The table of returns is empty.", remedy="Check how it was selected.")
        with _bar(progress, 2 * n_rows) as tick:
            names, days = _labels(source, ticker, date, tick)
            labels = pd.Index(names.cast("string").to_pylist(), dtype=object)
            sessions = pd.DatetimeIndex(days.to_numpy(zero_copy_only=False))
            shape = (len(labels), len(sessions))
            with _room(shape, save) as values:
                _fill(values, source, (ticker, date, value), names, days, tick)
                _check_returns(values, labels, sessions, kind)
            if save is None:
                values.flags.writeable = False  # its own: the panel need not copy it
                return ReturnPanel(values, labels, sessions, kind)
            _save_labels(Path(save), labels, sessions, kind, "")
            return ReturnPanel.open(save)
    except OSError as error:
        raise DataSourceError(
            f"The long table cannot be read, or the panel cannot be written: {error}.", remedy="Check both paths."
        ) from error


def _dataset(table: Any) -> Any:
    """Anything tabular as an Arrow dataset."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    if isinstance(table, ds.Dataset):
        return table
    if isinstance(table, str | Path):
        if not Path(table).exists():
            raise DataSourceError(f"There is no file or directory {table}.", remedy="Check the path.")
        try:
            return ds.dataset(str(table), format="parquet")
        except pa.ArrowInvalid as error:
            raise DataSourceError(f"{table} is not Parquet: {error}.", remedy="Convert it first.") from error
    if isinstance(table, pd.DataFrame):
        try:
            table = pa.Table.from_pandas(table, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputError(
                f"A column of the table mixes types: {error}.", remedy="Make each column of one type."
            ) from error
    if not is_table(table):
        raise InputError(
            f"A long table was expected, not {type(table).__name__}.",
            remedy="Give a DataFrame, a pyarrow Table or dataset, or the path of a Parquet file.",
        )
    return ds.dataset(table if isinstance(table, pa.Table) else as_arrow(table, "returns"))


def _batches(source: Any, columns: tuple[str, ...]) -> Iterator[Any]:
    for batch in source.to_batches(columns=list(columns), batch_size=_BATCH, batch_readahead=1, fragment_readahead=1):
        if batch.num_rows:
            yield batch


def _security(column: Any) -> Any:
    """Securities as Arrow text or whole numbers."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _security(column.cast(kind.value_type))
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    raise InputError(
        f"Securities are of type {kind}; text or whole numbers were expected.", remedy="Convert them first."
    )


def _day(column: Any) -> Any:
    """Dates as Arrow ``date32``; text must be ISO, whole numbers YYYYMMDD."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    try:
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = pc.local_timestamp(column)
        if pa.types.is_integer(kind):
            column = pc.strptime(column.cast(pa.string()), format="%Y%m%d", unit="s")
        elif pa.types.is_temporal(kind):
            column = pc.floor_temporal(column, unit="day") if pa.types.is_timestamp(kind) else column
        else:
            column = column.cast(pa.string())
        return column.cast(pa.date32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"The dates of type {kind} cannot be read: {error}.", remedy="Write them as YYYY-MM-DD, or as dates."
        ) from error


def _labels(source: Any, ticker: str, date: str, tick: Callable[[int], object]) -> tuple[Any, Any]:
    """Distinct securities and dates, ascending, as Arrow arrays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names: list[Any] = []
    days: list[Any] = []
    done = 0
    for batch in _batches(source, (ticker, date)):
        name, day = _security(batch.column(0)), _day(batch.column(1))
        for column, what in ((name, ticker), (day, date)):
            if column.null_count:
                row = done + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
                raise InputError(f"Row {row} of the table has no {what}.", remedy="Drop or fill that row.")
        names.append(pc.unique(name))
        days.append(pc.unique(day))
        done += batch.num_rows
        tick(batch.num_rows)

    def merged(parts: list[Any]) -> Any:
        distinct = pc.unique(pa.chunked_array(parts))
        return distinct.take(pc.sort_indices(distinct))

    return merged(names), merged(days)


def _fill(
    values: FloatArray,
    source: Any,
    columns: tuple[str, str, str],
    names: Any,
    days: Any,
    tick: Callable[[int], object],
) -> None:
    """Put every return in its place, and refuse a place taken twice."""
    import pyarrow as pa
    import pyarrow.compute as pc

    flat = values.reshape(-1)
    n_sessions = values.shape[1]
    taken = np.zeros(-(-flat.size // 8), dtype=np.uint8)
    for batch in _batches(source, columns):
        row = pc.index_in(_security(batch.column(0)), names).to_numpy(zero_copy_only=False)
        column = pc.index_in(_day(batch.column(1)), days).to_numpy(zero_copy_only=False)
        cell = row.astype(np.int64) * n_sessions + column
        try:
            returns = batch.column(2).cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"The column {columns[2]!r} does not hold numbers: {error}.", remedy="Correct those cells."
            ) from error
        ordered = np.sort(cell)
        again = ordered[1:][ordered[1:] == ordered[:-1]]
        bit = (1 << (cell & 7)).astype(np.uint8)
        seen = (taken[cell >> 3] & bit) != 0
        if again.size or seen.any():
            first = int(again[0]) if again.size else int(cell[seen][0])
            name, day = names[first // n_sessions].as_py(), days[first % n_sessions].as_py()
            raise InputError(
                f"{name} has two rows on {day:%Y-%m-%d}.",
                remedy="Keep one row per security and date.",
                ticker=str(name),
                date=day,
            )
        np.bitwise_or.at(taken, cell >> 3, bit)
        flat[cell] = returns.to_numpy(zero_copy_only=False)
        tick(batch.num_rows)


@contextmanager
def _room(shape: tuple[int, int], save: str | Path | None) -> Iterator[FloatArray]:
    """Matrix of NaN in memory, or on disk; half a matrix is not left behind."""
    if save is None:
        yield np.full(shape, np.nan)
        return
    out = Path(save)
    out.mkdir(parents=True, exist_ok=True)
    for name in _PANEL_FILES:
        (out / name).unlink(missing_ok=True)
    values = np.lib.format.open_memmap(out / "values.npy", mode="w+", dtype=np.float64, shape=shape)
    try:
        values[:] = np.nan
        yield values
        values.flush()
    except BaseException:
        (out / "values.npy").unlink(missing_ok=True)
        raise


@contextmanager
def _bar(progress: bool | None, total: int) -> Iterator[Callable[[int], object]]:
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda n: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="row", unit_scale=True, desc="read") as bar:
        yield bar.update
