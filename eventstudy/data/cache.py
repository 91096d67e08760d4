"""Parquet cache of daily bars: one file per security, one manifest per directory.

The manifest is the only commit point. A write goes: Parquet to a temporary file, fsync; then, under the
lock, rename to ``<symbol>-<sha12>.parquet``, replace the manifest in one step, and only then unlink the
file it replaced. A process killed anywhere in between leaves the old entry readable, or the new one, and at
worst an orphan that ``verify`` shows. Readers take no lock, so a read-only directory is fine.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import pandas as pd

from eventstudy.data.bars import Bars, Basis
from eventstudy.errors import CacheMissError, DataSourceError, InputError

__all__ = ["SCHEMA_VERSION", "CacheEntry", "PriceCache", "default_directory", "safe_name"]

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
LOCK: Final = "manifest.lock"
_ATTEMPTS: Final = 20  # a reader that finds a file replaced under it looks again
_STALE_AFTER: Final = 3600.0  # seconds after which a temporary file has no living writer
_REFETCH: Final = "Run `eventstudy cache verify`, then load again with refresh=True."


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One line of the manifest.

    ``query`` holds the requested ``start`` and ``end`` (ISO dates or None, inclusive); ``first``, ``last``
    and ``rows`` describe what came. ``sha256`` is that of the file named ``file``.
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
    schema_version: int = SCHEMA_VERSION

    @property
    def key(self) -> tuple[str, str, str]:
        """Provider, interval and symbol: what an entry is found by."""
        return self.provider, self.interval, self.symbol


def default_directory() -> Path:
    """``$EVENTSTUDY_CACHE`` if set, else the user's cache directory."""
    if given := os.environ.get("EVENTSTUDY_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("eventstudy"))


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


class PriceCache:
    """A directory of cached bars.

    Parameters
    ----------
    directory : str or Path, optional
        Default: ``$EVENTSTUDY_CACHE``, else the user's cache directory of the platform. Created by the
        first write.
    lock_timeout : float
        Seconds to wait for another process that is writing.
    """

    def __init__(self, directory: str | Path | None = None, *, lock_timeout: float = 60.0) -> None:
        self.directory = default_directory() if directory is None else Path(directory)
        self._lock_timeout = lock_timeout

    def __repr__(self) -> str:
        return f"PriceCache({str(self.directory)!r})"

    def entries(self) -> dict[tuple[str, str, str], CacheEntry]:
        """Manifest entries by (provider, interval, symbol); empty where there is no cache yet.

        Raises
        ------
        DataSourceError
            The manifest is damaged, or of a newer schema than this version reads.
        """
        path = self.directory / MANIFEST
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, UnicodeDecodeError) as exc:
            raise self._damaged(path, exc) from exc
        try:
            manifest = json.loads(text)
            version = int(manifest["schema_version"])
            if version > SCHEMA_VERSION:
                raise DataSourceError(
                    f"{path}: written with cache schema {version}; this version reads {SCHEMA_VERSION}.",
                    remedy="Upgrade eventstudy, or use another cache directory.",
                    path=str(path),
                )
            entries = [CacheEntry(**entry) for entry in manifest["entries"]]
        except (ValueError, KeyError, TypeError) as exc:
            raise self._damaged(path, exc) from exc
        return {entry.key: entry for entry in entries}

    def entry(self, provider: str, symbol: str, interval: str = "1d") -> CacheEntry | None:
        """Return the manifest entry of a symbol, or None."""
        return self.entries().get((provider, interval, symbol))

    def read(self, provider: str, symbol: str, interval: str = "1d") -> Bars:
        """Bars of one symbol, checksum verified.

        Raises
        ------
        CacheMissError
            The cache has no such entry.
        DataSourceError
            The file is missing, cut short or altered.
        """
        attempt = 0
        while True:
            entry = self.entry(provider, symbol, interval)
            if entry is None:
                raise CacheMissError(
                    f"{symbol}: not in the cache {self.directory} ({provider}, {interval}).",
                    remedy=f"Run `eventstudy fetch {symbol}` with a network.",
                    symbol=symbol,
                    provider=provider,
                )
            try:
                content = self._path(entry).read_bytes()
            except FileNotFoundError:
                # A writer replaced the entry between the two reads, or the file is gone for good.
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise self._broken(entry, "is missing") from None
                time.sleep(0.002 * attempt)
                continue
            except OSError as exc:
                raise self._broken(entry, f"cannot be read ({exc.strerror})") from exc
            return _parse(entry, self._verified(entry, content))

    def list(self) -> pd.DataFrame:
        """One row per entry, by provider and symbol; columns are the fields of :class:`CacheEntry`."""
        rows = [asdict(entry) for _, entry in sorted(self.entries().items())]
        return pd.DataFrame(rows, columns=list(CacheEntry.__dataclass_fields__))

    def verify(self) -> pd.DataFrame:
        """One row per entry and per file that no entry names.

        Returns
        -------
        pandas.DataFrame
            Columns ``provider``, ``symbol``, ``interval``, ``file``, ``ok`` (bool), ``problem``, ``remedy``
            (empty when ok).
        """
        rows = []
        entries = self.entries()
        for _, entry in sorted(entries.items()):
            problem = ""
            try:
                _parse(entry, self._verified(entry, self._path(entry).read_bytes()))
            except FileNotFoundError:
                problem = "file missing"
            except OSError as exc:
                problem = f"cannot be read: {exc.strerror}"
            except DataSourceError as exc:
                problem = str(exc.context.get("problem", exc))
            remedy = f"Load {entry.symbol} again with refresh=True." if problem else ""
            rows.append((entry.provider, entry.symbol, entry.interval, entry.file, not problem, problem, remedy))
        rows += [
            ("", "", "", name, False, "no entry names this file", "Run `eventstudy cache clear`.")
            for name in self._orphans(entries.values())
        ]
        return pd.DataFrame(rows, columns=["provider", "symbol", "interval", "file", "ok", "problem", "remedy"]).astype(
            {"ok": bool}
        )

    def write(
        self,
        provider: str,
        symbol: str,
        bars: Bars,
        *,
        start: str | None = None,
        end: str | None = None,
        interval: str = "1d",
    ) -> CacheEntry:
        """Store ``bars`` in place of what the cache had for the symbol.

        Parameters
        ----------
        provider, symbol, interval : str
            Key of the entry.
        bars : Bars
            At least one row.
        start, end : str, optional
            The range that was asked for, ISO dates inclusive; None for an open end.

        Raises
        ------
        DataSourceError
            The directory cannot be written; the previous entry is still there.
        """
        if not symbol or not symbol.isprintable():
            raise InputError(f"{symbol!r} is not a symbol.", remedy="Use printable characters.", symbol=symbol)
        if bars.frame.empty:
            raise InputError(f"{symbol}: no rows to store.", remedy="Fetch a range with prices.", symbol=symbol)
        content = _parquet(bars.frame)
        digest = hashlib.sha256(content).hexdigest()
        entry = CacheEntry(
            provider=provider,
            symbol=symbol,
            interval=interval,
            query={"start": start, "end": end},
            fetched_at=bars.fetched_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            rows=len(bars.frame),
            first=f"{bars.frame.index[0]:%Y-%m-%d}",
            last=f"{bars.frame.index[-1]:%Y-%m-%d}",
            sha256=digest,
            currency=bars.currency,
            tz=bars.tz,
            basis=bars.basis,
            source=bars.note,
            file=f"{safe_name(symbol)}-{digest[:12]}.parquet",
        )
        with self._writing():
            temporary = self._temporary(content)
            try:
                with self._locked():
                    entries = self.entries()
                    replaced = entries.get(entry.key)
                    # Renamed under the lock: else a writer of equal content could unlink it first.
                    os.replace(temporary, self.directory / entry.file)
                    self._commit({**entries, entry.key: entry})
                    if replaced is not None:
                        self._unlink_unused([replaced])
            finally:
                temporary.unlink(missing_ok=True)
        return entry

    def clear(self, symbols: str | Iterable[str] | None = None) -> int:
        """Forget ``symbols`` (default: all, and files no entry names); returns how many entries went."""
        wanted = {symbols} if isinstance(symbols, str) else None if symbols is None else set(symbols)
        if not self.directory.is_dir():
            return 0
        with self._writing(), self._locked():
            entries = self.entries()
            gone = [e for e in entries.values() if wanted is None or e.symbol in wanted]
            if gone:
                self._commit({k: e for k, e in entries.items() if e not in gone})
            self._unlink_unused(gone)
            if wanted is None:
                for name in self._orphans(self.entries().values()):
                    (self.directory / name).unlink(missing_ok=True)
        return len(gone)

    def _path(self, entry: CacheEntry) -> Path:
        if Path(entry.file).name != entry.file or entry.file in {"", ".", ".."}:
            raise self._broken(entry, "has a name that leaves the cache directory")
        return self.directory / entry.file

    def _verified(self, entry: CacheEntry, content: bytes) -> bytes:
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise self._broken(entry, f"has {len(content)} bytes that do not match the recorded checksum")
        return content

    def _broken(self, entry: CacheEntry, problem: str) -> DataSourceError:
        return DataSourceError(
            f"{entry.symbol}: the cached file {self.directory / entry.file} {problem}.",
            remedy=_REFETCH,
            symbol=entry.symbol,
            problem=problem,
        )

    def _damaged(self, path: Path, cause: Exception) -> DataSourceError:
        return DataSourceError(
            f"{path}: the cache manifest cannot be read ({cause}).",
            remedy="Restore it, or remove the directory and fetch again.",
            path=str(path),
        )

    def _orphans(self, entries: Iterable[CacheEntry]) -> Iterator[str]:
        named = {entry.file for entry in entries}
        now = time.time()
        for path in sorted(self.directory.glob("*.parquet")) if self.directory.is_dir() else []:
            if path.name not in named:
                yield path.name
        for path in sorted(self.directory.glob("*.tmp")) if self.directory.is_dir() else []:
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime > _STALE_AFTER:
                    yield path.name

    def _unlink_unused(self, replaced: Iterable[CacheEntry]) -> None:
        # Folded: on some file systems brk and BRK are one file.
        named = {entry.file.casefold() for entry in self.entries().values()}
        for entry in replaced:
            if entry.file.casefold() not in named:
                with suppress(OSError, DataSourceError):  # Windows: open in a reader; it stays as an orphan
                    self._path(entry).unlink()

    def _commit(self, entries: dict[tuple[str, str, str], CacheEntry]) -> None:
        manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "entries": [asdict(entry) for _, entry in sorted(entries.items())],
        }
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        temporary = self._temporary(text.encode())
        try:
            os.replace(temporary, self.directory / MANIFEST)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(self.directory)

    def _temporary(self, content: bytes) -> Path:
        handle, name = tempfile.mkstemp(prefix="write-", suffix=".tmp", dir=self.directory)
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

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Operating-system errors as one clear error; makes the directory."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as exc:
            raise DataSourceError(
                f"the cache directory {self.directory} cannot be written ({exc.strerror or exc}).",
                remedy="Free space, fix its permissions, or set EVENTSTUDY_CACHE to another directory.",
                path=str(self.directory),
            ) from exc

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import filelock

        lock = filelock.FileLock(self.directory / LOCK, timeout=self._lock_timeout)
        try:
            lock.acquire()
        except filelock.Timeout as exc:
            raise DataSourceError(
                f"another process has locked the cache {self.directory} for {self._lock_timeout:g} s.",
                remedy="Wait for it, or use another cache directory.",
                path=str(self.directory),
            ) from exc
        try:
            yield
        finally:
            lock.release()


def _parquet(frame: pd.DataFrame) -> bytes:
    """Parquet bytes of ``frame``: equal numbers give equal bytes (no pandas metadata, no time stamps)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    days = frame.index.to_numpy("datetime64[D]")
    columns = {"date": pa.array(days, pa.date32())}
    for name in frame.columns:
        values = frame[name].to_numpy(np.float64)
        columns[str(name)] = pa.array(values, pa.float64(), from_pandas=True)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _parse(entry: CacheEntry, content: bytes) -> Bars:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
        days = table.column("date").to_numpy().astype("datetime64[us]")
        names = [name for name in table.column_names if name != "date"]
        data = {name: table.column(name).to_numpy().astype(np.float64) for name in names}
    except (pa.ArrowException, OSError, KeyError) as exc:
        raise DataSourceError(
            f"{entry.symbol}: the cached file {entry.file} is not readable Parquet ({exc}).",
            remedy=_REFETCH,
            symbol=entry.symbol,
            problem="not readable Parquet",
        ) from exc
    frame = pd.DataFrame(data, index=pd.DatetimeIndex(days, name="date"))
    return Bars(
        frame,
        entry.basis,
        currency=entry.currency,
        tz=entry.tz,
        fetched_at=entry.fetched_at,
        sha256=entry.sha256,
        note=entry.source,
    )


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
