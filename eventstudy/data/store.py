"""Files of the cache: bars as Parquet bytes, writes that happen whole or not at all, and the lock."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import numpy as np
import pandas as pd

from eventstudy._limits import check_shape, max_bytes
from eventstudy.data.bars import _NEEDED, Bars, Basis, shown
from eventstudy.data.intervals import INTERVALS, is_intraday
from eventstudy.errors import DataSourceError

__all__ = ["LOCK", "REFETCH", "SCHEMA_VERSION", "CacheEntry", "safe_name"]

Key: TypeAlias = tuple[str, str, str]  # provider, interval, symbol

SCHEMA_VERSION: Final = 2
LOCK: Final = "manifest.lock"
_RESTORE: Final = "Restore it from a copy, or remove the directory and fetch again."
REFETCH: Final = "Run `eventstudy cache verify`, then load again with refresh=True."


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One line of the manifest.

    ``query`` holds the requested ``start`` and ``end`` (ISO dates or None, inclusive); ``first``, ``last``
    and ``rows`` describe what came. ``sha256`` is that of the file named ``file``. ``readjusted`` says when
    and how the source last changed prices that were cached already; it is empty if it never did.
    """

    provider: str
    symbol: str
    interval: str
    query: dict[str, str | None]
    fetched_at: str
    rows: int
    first: str
    last: str
    sha256: str
    currency: str | None
    tz: str | None
    basis: Basis
    source: str
    file: str
    readjusted: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def key(self) -> Key:
        """Provider, interval and symbol: what an entry is found by."""
        return self.provider, self.interval, self.symbol

    @property
    def fetched(self) -> datetime:
        """``fetched_at`` as a moment; UTC where it names no zone."""
        moment = datetime.fromisoformat(self.fetched_at)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    @staticmethod
    def parsed(record: Any) -> CacheEntry:
        """Entry of a manifest's JSON object.

        Raises
        ------
        ValueError, TypeError
            A field is absent, unknown, of the wrong type or no date where it should be one.
        """
        entry = CacheEntry(**record)
        for item in fields(CacheEntry):
            value = getattr(entry, item.name)
            kind: tuple[type, ...] = {"query": (dict,), "rows": (int,), "schema_version": (int,)}.get(item.name, (str,))
            optional = item.name in ("currency", "tz")
            if not isinstance(value, kind) and not (optional and value is None):
                raise TypeError(f"{item.name} is {value!r}")
            if isinstance(value, str):
                value.encode()  # half a surrogate pair could not be shown
        if entry.basis not in _NEEDED or entry.interval not in INTERVALS:
            raise ValueError(f"basis {entry.basis!r}, interval {entry.interval!r}")
        for name in ("provider", "symbol", "file", "sha256", "currency", "tz"):
            if not (getattr(entry, name) or "-").isprintable():
                raise ValueError(f"{name} is {getattr(entry, name)!r}")
        datetime.fromisoformat(entry.fetched_at)
        for day in (entry.first[:10], entry.last[:10], entry.query.get("start"), entry.query.get("end")):
            if day is not None:
                date.fromisoformat(day)
        return entry


def safe_name(symbol: str) -> str:
    """``symbol`` as a file name part: letters, digits, ``-``, ``_`` and inner dots; all else percent-encoded.

    Examples
    --------
    >>> safe_name("BRK-B"), safe_name("^GSPC"), safe_name("../../x")
    ('BRK-B', '%5EGSPC', '%2E.%2F..%2Fx')
    """
    text = quote(symbol, safe="", errors="surrogatepass").replace("~", "%7E")
    if text.startswith("."):
        text = "%2E" + text[1:]
    return text[:80]  # file systems stop at 255 bytes; the checksum keeps names apart


def stamp_text(stamp: pd.Timestamp) -> str:
    """Date of a session, or an intraday moment in its zone, ISO 8601."""
    return shown(stamp) if stamp.tzinfo is None else stamp.isoformat(timespec="minutes")


def parquet(frame: pd.DataFrame) -> bytes:
    """Parquet bytes of ``frame``: equal numbers give equal bytes (no pandas metadata, no time stamps)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = pd.DatetimeIndex(frame.index)
    if index.tz is None:
        columns = {"date": pa.array(index.to_numpy("datetime64[D]"), pa.date32())}
    else:
        columns = {"time": pa.array(index.as_unit("us").asi8, pa.timestamp("us", tz="UTC"))}
    for name in frame.columns:
        values = frame[name].to_numpy(np.float64)
        columns[str(name)] = pa.array(values, pa.float64(), from_pandas=True)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def parse(entry: CacheEntry, content: bytes) -> Bars:
    """Bars of an entry from the bytes of its file, whose checksum was verified.

    Raises
    ------
    DataSourceError
        It is no Parquet, does not hold what the entry says, or would be too large in memory.
    """
    import pyarrow as pa

    label = "time" if is_intraday(entry.interval) else "date"
    try:
        table = _table(entry, content, label)
        stamps = table.column(label).to_numpy().astype("datetime64[us]")
        names = [name for name in table.column_names if name != label]
        data = {name: table.column(name).to_numpy().astype(np.float64) for name in names}
        index = pd.DatetimeIndex(stamps, name=label)
        if label == "time":
            index = index.tz_localize("UTC").tz_convert(entry.tz or "UTC")
        return Bars(
            pd.DataFrame(data, index=index),
            entry.basis,
            currency=entry.currency,
            tz=entry.tz,
            fetched_at=entry.fetched_at,
            sha256=entry.sha256,
            note=entry.source,
            interval=entry.interval,
        )
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as exc:
        parquet_itself = isinstance(exc, pa.ArrowException | OSError)
        problem = "not readable Parquet" if parquet_itself else "does not hold what its entry says"
        raise DataSourceError(
            f"{entry.symbol}: the cached file {entry.file} {'is ' * parquet_itself}{problem} ({exc}).",
            remedy=REFETCH,
            symbol=entry.symbol,
            problem=problem,
        ) from exc


def _table(entry: CacheEntry, content: bytes, label: str) -> Any:
    """Columns of a file, which is unpacked only if it has the rows of its entry and nothing but dates and numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(content)) as file:
        rows, schema = file.metadata.num_rows, file.schema_arrow
        if rows != entry.rows or not rows:
            raise ValueError(f"{rows} rows, not {entry.rows}")
        check_shape(entry.file, rows, len(schema), max_bytes())
        if label not in schema.names:
            raise ValueError(f"no column {label!r}")
        for item in schema:
            if not (pa.types.is_temporal(item.type) if item.name == label else pa.types.is_floating(item.type)):
                raise ValueError(f"column {item.name!r} holds {item.type}")
        return file.read()


def read_manifest(path: Path, remedy: str = _RESTORE) -> tuple[dict[Key, CacheEntry], dict[str, Any]]:
    """Entries of a manifest file, and what else it says; both empty where there is no such file.

    Raises
    ------
    DataSourceError
        The manifest is damaged, or of a newer schema than this version reads.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}, {}
    except (OSError, ValueError, RecursionError) as exc:
        raise _damaged(path, exc, remedy) from exc
    try:
        version = int(manifest["schema_version"])
        if version > SCHEMA_VERSION:
            raise DataSourceError(
                f"{path}: written with cache schema {version}; this version reads {SCHEMA_VERSION}.",
                remedy="Upgrade eventstudy, or use another cache directory.",
                path=str(path),
            )
        entries = [CacheEntry.parsed(record) for record in manifest["entries"]]
    except (ValueError, KeyError, TypeError, OverflowError) as exc:
        raise _damaged(path, exc, remedy) from exc
    return {entry.key: entry for entry in entries}, {k: v for k, v in manifest.items() if k != "entries"}


def _damaged(path: Path, cause: Exception, remedy: str) -> DataSourceError:
    return DataSourceError(
        f"{path}: the cache manifest cannot be read ({cause}).",
        remedy=remedy,
        path=str(path),
    )


def write_manifest(path: Path, entries: Mapping[Key, CacheEntry], **facts: Any) -> None:
    """Put a manifest of ``entries`` at ``path`` in one step: the commit point of every change."""
    manifest = {
        "schema_version": SCHEMA_VERSION,
        **facts,
        "entries": [asdict(entry) for _, entry in sorted(entries.items())],
    }
    replace_file(path, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())


def temporary(directory: Path, content: bytes) -> Path:
    """New file of ``content`` in ``directory``, on disk for good; none is left where that fails."""
    handle, name = tempfile.mkstemp(prefix="write-", suffix=".tmp", dir=directory)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)  # mkstemp's 0600 would hide a shared cache from other users
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step."""
    new = temporary(path.parent, content)
    try:
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Operating-system errors as one clear error; makes the directory."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as exc:
        raise DataSourceError(
            f"the cache directory {directory} cannot be written ({exc.strerror or exc}).",
            remedy="Free space, fix its permissions, or set EVENTSTUDY_CACHE to another directory.",
            path=str(directory),
        ) from exc


@contextmanager
def locked(directory: Path, timeout: float) -> Iterator[None]:
    """Hold the directory's lock; a dead process's lock is free."""
    import filelock

    lock = filelock.FileLock(directory / LOCK, timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout as exc:
        raise DataSourceError(
            f"another process has locked the cache {directory} for {timeout:g} s.",
            remedy="Wait for it, or use another cache directory.",
            path=str(directory),
        ) from exc
    except NotImplementedError as exc:
        raise DataSourceError(
            f"the file system of the cache {directory} knows no locks.",
            remedy="Set EVENTSTUDY_CACHE to a directory on another one, such as a local disk.",
            path=str(directory),
        ) from exc
    try:
        yield
    finally:
        lock.release()
