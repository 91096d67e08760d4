"""Files of unknown origin: how large they may be once unpacked, checked before they fill the memory."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from eventstudy.errors import DataSourceError, InputError

__all__ = ["MAX_COLUMNS", "MAX_FIELD", "check_fields", "check_shape", "max_bytes", "read_csv_bytes", "read_parquet"]

MAX_COLUMNS: Final = 65_536
MAX_FIELD: Final = 1 << 20  # bytes of one cell
_DEFAULT: Final = 1 << 30
_CELL: Final = 8  # bytes that a cell takes once it is a number
_VARIABLE: Final = "EVENTSTUDY_MAX_BYTES"
_BATCH: Final = 1 << 16


def max_bytes(limit: int | None = None) -> int:
    """Largest size in bytes, unpacked, of a file that is read whole.

    Parameters
    ----------
    limit : int, optional
        The caller's own; default ``$EVENTSTUDY_MAX_BYTES``, else 1 GiB.

    Raises
    ------
    InputError
        If it is no positive whole number.

    Examples
    --------
    >>> max_bytes(1000)
    1000
    """
    given: object = os.environ.get(_VARIABLE) or _DEFAULT if limit is None else limit
    try:
        value = int(given)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        value = 0
    if value <= 0 or isinstance(given, bool | float):
        name = _VARIABLE if limit is None else "max_bytes"
        raise InputError(f"{name} is {given!r}; expected a positive whole number.", remedy="Such as 2000000000.")
    return int(value)


def read_csv_bytes(path: Path, where: str, limit: int | None = None) -> bytes:
    """Content of a CSV file, unpacked if its name ends in ``.gz``; shaped so that parsing it is safe.

    Raises
    ------
    DataSourceError
        If it is larger than ``limit``, has more than 65,536 columns, or so few cells in so many short lines that
        the table would be larger than the limit; or if the archive is damaged.
    OSError
        If it cannot be read.
    """
    most = max_bytes(limit)
    with path.open("rb") as raw:
        stream: Any = gzip.GzipFile(fileobj=raw) if path.name.lower().endswith(".gz") else raw
        try:
            content: bytes = stream.read(most + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataSourceError(
                f"{where}: the archive is damaged ({error}).", remedy="Compress the file again.", path=where
            ) from error
    if len(content) > most:
        raise _too_large(where, f"more than {most:,} bytes unpacked", most)
    columns = _first_record(content).count(b",") + 1
    check_shape(where, content.count(b"\n") + content.count(b"\r") + 1 - content.count(b"\r\n"), columns, most)
    return content


def check_fields(frame: pd.DataFrame, content: bytes, where: str) -> None:
    """Refuse a table of text with a cell longer than 1 MiB.

    Raises
    ------
    DataSourceError
        Naming the column and the row.
    """
    if b'"' not in content:
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
        if np.diff(ends, prepend=-1, append=len(content)).max() <= MAX_FIELD:
            return
    for place, name in enumerate(frame.columns):
        length = frame.iloc[:, place].str.len()
        if len(length) and length.max() > MAX_FIELD:
            row = int(length.to_numpy().argmax())
            raise DataSourceError(
                f"{where}: the cell in row {row + 1} of column {str(name)[:40]!r} has {int(length.max()):,} "
                f"characters; at most {MAX_FIELD:,} are read.",
                remedy="Look for a quotation mark that is not closed.",
                path=where,
            )


def read_parquet(path: Path, where: str, limit: int | None = None) -> pd.DataFrame:
    """Table of a Parquet file, read in pieces so that a small file cannot unfold into a large table.

    Raises
    ------
    DataSourceError
        If the table is larger than ``limit`` bytes, or has more than 65,536 columns.
    InputError
        If a column holds lists or structs.
    OSError, pyarrow.ArrowException
        If it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    most = max_bytes(limit)
    with pq.ParquetFile(path) as file:
        facts, schema = file.metadata, file.schema_arrow
    check_shape(where, facts.num_rows, facts.num_columns, most)
    unpacked = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
    if unpacked > most:
        raise _too_large(where, f"{unpacked:,} bytes unpacked", most)
    if nested := [item.name for item in schema if pa.types.is_nested(item.type)]:
        raise InputError(f"{where}: column {nested[0]!r} holds lists or structs.", remedy="Unnest it, or drop it.")
    texts = [item.name for item in schema if _is_text(item.type)]
    batches, used = [], 0
    # as dictionaries: one long text that is repeated a million times stays one
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(_BATCH):
            used += sum(_expanded(column) for column in batch.columns)
            if used > most:
                raise _too_large(where, f"more than {used:,} bytes unpacked", most)
            batches.append(batch)
    table = pa.Table.from_batches(batches) if batches else schema.empty_table()
    frame: pd.DataFrame = table.cast(schema).to_pandas()
    return frame


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _expanded(column: Any) -> int:
    """Bytes of an Arrow column once its dictionary is written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    total = pc.sum(lengths.take(column.indices)).as_py() or 0
    return int(total) + _CELL * len(column)


def _first_record(content: bytes) -> bytes:
    """Bytes of the first line that is not blank, and of those that its quotation marks join to it."""
    start = end = quotes = 0
    while end < len(content):
        begin = end
        end = content.find(b"\n", begin) + 1 or len(content)
        if quotes == 0 and not content[begin:end].strip():
            start = end
            continue
        quotes += content.count(b'"', begin, end)
        if quotes % 2 == 0:
            break
    return content[start:end]


def check_shape(where: str, rows: int, columns: int, most: int) -> None:
    """Refuse a table of more than 65,536 columns, or one of numbers that takes more than ``most`` bytes.

    Raises
    ------
    DataSourceError
        Naming the size and the limit.
    """
    if columns > MAX_COLUMNS:
        raise DataSourceError(
            f"{where}: {columns:,} columns; at most {MAX_COLUMNS:,} are read.",
            remedy="Store the table long: one row for each ticker and date.",
            path=where,
        )
    if rows * columns * _CELL > most:
        raise _too_large(where, f"{rows:,} rows of {columns:,} columns, {rows * columns * _CELL:,} bytes", most)


def _too_large(where: str, what: str, most: int) -> DataSourceError:
    return DataSourceError(
        f"{where}: {what}; the limit is {most:,}.",
        remedy=f"If you trust the file, set {_VARIABLE} to more; tables of returns of any size are read by "
        "ReturnPanel.from_long.",
        path=where,
        limit=most,
    )
