"""Parquet cache of bars: one file per security and interval, one manifest per directory.

The manifest is the only commit point. A write goes: Parquet to a temporary file, fsync; then, under the
lock, rename to ``<symbol>-<sha12>.parquet``, replace the manifest in one step, and only then unlink the
file it replaced. A process killed anywhere in between leaves the old entry readable, or the new one, and at
worst an orphan that ``verify`` shows. Readers take no lock, so a read-only directory is fine.

Files are named by their content and never written over, so a snapshot is a copy of the manifest: the files
that it names stay until it is forgotten.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from eventstudy.data import snapshots
from eventstudy.data.bars import Bars
from eventstudy.data.intervals import is_intraday
from eventstudy.data.snapshots import KeptFile
from eventstudy.data.store import (
    REFETCH,
    SCHEMA_VERSION,
    CacheEntry,
    Key,
    locked,
    parquet,
    parse,
    read_manifest,
    replace_file,
    safe_name,
    stamp_text,
    temporary,
    write_manifest,
    writing,
)
from eventstudy.errors import CacheMissError, DataSourceError, InputError

if TYPE_CHECKING:
    from eventstudy.data.quality import QualityReport, QualityRules

__all__ = ["MANIFEST", "SCHEMA_VERSION", "CacheEntry", "PriceCache", "default_directory", "safe_name"]

MANIFEST: Final = "manifest.json"
_ATTEMPTS: Final = 20  # a reader that finds a file replaced under it looks again


def default_directory() -> Path:
    """``$EVENTSTUDY_CACHE`` if set, else the user's cache directory."""
    if given := os.environ.get("EVENTSTUDY_CACHE"):
        return Path(given).expanduser()  # a service's settings are no shell's
    import platformdirs

    return Path(platformdirs.user_cache_dir("eventstudy"))


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
        if directory is not None and not isinstance(directory, str | Path):
            raise InputError(f"cache={directory!r} is not a directory.", remedy="Give a path, or nothing.")
        self.directory = default_directory() if directory is None else Path(directory)
        self._lock_timeout = lock_timeout
        self._snapshot: str | None = None

    def __repr__(self) -> str:
        taken = "" if self._snapshot is None else f", snapshot {self._snapshot!r}"
        return f"PriceCache({str(self.directory)!r}{taken})"

    @property
    def taken(self) -> str | None:
        """Name of the snapshot that this cache shows (see :meth:`at`); None for its present state."""
        return self._snapshot

    def entries(self) -> dict[Key, CacheEntry]:
        """Manifest entries by (provider, interval, symbol); empty where there is no cache yet.

        Raises
        ------
        DataSourceError
            The manifest is damaged, or of a newer schema than this version reads.
        """
        if self._snapshot is not None:
            return snapshots.entries(self.directory, self._snapshot)
        return read_manifest(self.directory / MANIFEST)[0]

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
                option = "" if interval == "1d" else f" --interval {interval}"
                raise CacheMissError(
                    f"{symbol}: not in the cache {self.directory} ({provider}, {interval}).",
                    remedy=f"Run `eventstudy fetch {symbol}{option}` with a network.",
                    symbol=symbol,
                    provider=provider,
                )
            try:
                return self.checked(entry)
            except FileNotFoundError:
                # A writer replaced the entry between the two reads, or the file is gone for good.
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise self._broken(entry, "is missing") from None
                time.sleep(0.002 * attempt)
            except OSError as exc:
                raise self._broken(entry, f"cannot be read ({exc.strerror})") from exc

    def checked(self, entry: CacheEntry) -> Bars:
        """Bars of an entry's file as it stands, checksum verified.

        Raises
        ------
        OSError
            The file is missing or cannot be read.
        DataSourceError
            It is cut short or altered.
        """
        content = self._path(entry).read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise self._broken(entry, f"has {len(content)} bytes that do not match the recorded checksum")
        return parse(entry, content)

    def list(self) -> pd.DataFrame:
        """One row per entry, by provider and symbol; columns are the fields of :class:`CacheEntry`."""
        rows = [asdict(entry) for _, entry in sorted(self.entries().items())]
        return pd.DataFrame(rows, columns=[*CacheEntry.__dataclass_fields__])

    def verify(self) -> pd.DataFrame:
        """One row per entry, per file that only a snapshot names, and per file that nothing names.

        Returns
        -------
        pandas.DataFrame
            Columns ``provider``, ``symbol``, ``interval``, ``file``, ``ok`` (bool), ``problem``, ``remedy``
            (empty when ok), ``snapshot`` (of a file that the present manifest does not name, else empty).
            Problems: a file that is missing, cut short, altered or not Parquet; a snapshot that cannot be
            read; a file that nothing names; a file that is not the cache's own (``.md`` and ``.csv`` apart).

        Raises
        ------
        DataSourceError
            The manifest itself is damaged, or of a newer schema.
        """
        from eventstudy.data.audit import audit

        return audit(self)

    def quality(self, calendar: str | None = None, *, rules: QualityRules | None = None) -> QualityReport:
        """What looks wrong in the daily prices held, each security on its own dates; damaged files are left out.

        Parameters
        ----------
        calendar, rules : optional
            As :meth:`eventstudy.Prices.quality`.

        Returns
        -------
        QualityReport
            A symbol of several providers is named with the provider.
        """
        from eventstudy.data.audit import intact
        from eventstudy.data.quality import bars_quality

        return bars_quality(intact(self), calendar, rules)

    def write(
        self,
        provider: str,
        symbol: str,
        bars: Bars,
        *,
        start: str | None = None,
        end: str | None = None,
        readjusted: str = "",
    ) -> CacheEntry:
        """Store ``bars`` in place of what the cache had for the symbol and the bars' interval.

        Parameters
        ----------
        provider, symbol : str
            Key of the entry, beside ``bars.interval``.
        bars : Bars
            At least one row.
        start, end : str, optional
            The range that was asked for, ISO dates inclusive; None for an open end.
        readjusted : str
            What the source changed in prices that were cached before; see :class:`CacheEntry`.

        Raises
        ------
        DataSourceError
            The directory cannot be written; the previous entry is still there.
        """
        if not symbol or not symbol.isprintable():
            raise InputError(f"{symbol!r} is not a symbol.", remedy="Use printable characters.", symbol=symbol)
        if bars.frame.empty:
            raise InputError(f"{symbol}: no rows to store.", remedy="Fetch a range with prices.", symbol=symbol)
        self._refuse_snapshot()
        content = parquet(bars.frame)
        digest = hashlib.sha256(content).hexdigest()
        interval = f"-{bars.interval}" if is_intraday(bars.interval) else ""
        entry = CacheEntry(
            provider=provider,
            symbol=symbol,
            interval=bars.interval,
            query={"start": start, "end": end},
            fetched_at=bars.fetched_at or now(),
            rows=len(bars.frame),
            first=stamp_text(bars.frame.index[0]),
            last=stamp_text(bars.frame.index[-1]),
            sha256=digest,
            currency=bars.currency,
            tz=bars.tz,
            basis=bars.basis,
            source=bars.note,
            file=f"{safe_name(symbol)}{interval}-{digest[:12]}.parquet",
            readjusted=readjusted,
        )
        try:
            CacheEntry.parsed(asdict(entry))  # one that cannot be read back would take the whole manifest with it
        except (TypeError, ValueError) as exc:
            raise InputError(
                f"{symbol}: the cache cannot keep these bars: {exc}.",
                remedy="Give fetched_at, start and end as ISO 8601 times and dates, and printable texts.",
                symbol=symbol,
            ) from exc
        with writing(self.directory):
            new = temporary(self.directory, content)
            try:
                with locked(self.directory, self._lock_timeout):
                    entries = self.entries()
                    replaced = entries.get(entry.key)
                    # Renamed under the lock: else a writer of equal content could unlink it first.
                    os.replace(new, self.directory / entry.file)
                    try:
                        self._commit({**entries, entry.key: entry})
                    except BaseException:
                        self._unlink_unused([entry.file])
                        raise
                    if replaced is not None:
                        self._unlink_unused([replaced.file])
            finally:
                new.unlink(missing_ok=True)
        return entry

    def clear(self, symbols: str | Iterable[str] | None = None, *, orphans: bool = False) -> int:
        """Forget ``symbols`` (default: all, and files that nothing names); returns how many entries went.

        Parameters
        ----------
        symbols : str or iterable of str, optional
            Every provider's and interval's entries of them. Files that a snapshot names stay.
        orphans : bool
            Remove only the files that neither the manifest nor a snapshot names, such as a killed process
            leaves; returns how many files went. Files that are not the cache's own are never touched.
        """
        if orphans and symbols is not None:
            raise InputError("symbols and orphans=True exclude each other.", remedy="Drop one of the two.")
        self._refuse_snapshot()
        wanted = {symbols} if isinstance(symbols, str) else None if symbols is None else set(symbols)
        if not self.directory.is_dir():
            return 0
        from eventstudy.data.audit import orphans as found

        with writing(self.directory), locked(self.directory, self._lock_timeout):
            if orphans:
                names = found(self)
                for name in names:
                    (self.directory / name).unlink(missing_ok=True)
                return len(names)
            entries = self.entries()
            gone = [e for e in entries.values() if wanted is None or e.symbol in wanted]
            if gone:
                self._commit({k: e for k, e in entries.items() if e not in gone})
            self._unlink_unused([entry.file for entry in gone])
            if wanted is None:
                for name in found(self):
                    (self.directory / name).unlink(missing_ok=True)
        return len(gone)

    def snapshot(self, name: str) -> snapshots.Snapshot:
        """Keep the present state under ``name``, so that a study can be run again on exactly these data.

        Every file is read and its checksum verified first, those of factors too. Later downloads do not change a
        snapshot: ``load_prices(..., snapshot=name)`` and ``load_factors(..., snapshot=name)`` return the same numbers
        to the bit, without a network.

        Parameters
        ----------
        name : str
            Printable, at most 60 characters, not in use.

        Raises
        ------
        InputError
            The name is in use or cannot be one, or the cache is empty.
        DataSourceError
            A file is damaged, or the directory cannot be written.
        """
        self._refuse_snapshot()
        snapshots.checked_name(name)
        if not (self.directory / MANIFEST).is_file():
            raise InputError(f"the cache {self.directory} is empty.", remedy="Fetch prices first.")
        with writing(self.directory), locked(self.directory, self._lock_timeout):
            entries = self.entries()
            if not entries:
                raise InputError(f"the cache {self.directory} is empty.", remedy="Fetch prices first.")
            for entry in entries.values():
                try:
                    self.checked(entry)
                except OSError as exc:
                    raise self._broken(entry, f"cannot be read ({exc.strerror})") from exc
            return snapshots.take(self.directory, name, entries, now(), self._factors())

    def snapshots(self) -> pd.DataFrame:
        """Snapshots by the time they were taken.

        Returns
        -------
        pandas.DataFrame
            Columns ``name``, ``created`` (UTC), ``entries`` (how many), ``sha256`` of all its data.
        """
        rows = [asdict(taken) for taken in snapshots.found(self.directory)]
        return pd.DataFrame(rows, columns=[*snapshots.Snapshot.__dataclass_fields__])

    def at(self, when: str | date) -> PriceCache:
        """Give the cache as it was in a snapshot, for reading only.

        Parameters
        ----------
        when : str or date
            Name of a snapshot, or a day (a date or ``YYYY-MM-DD``): the last snapshot taken up to its end (UTC).

        Raises
        ------
        InputError
            There is no such snapshot; those that exist are named.
        """
        view = PriceCache(self.directory, lock_timeout=self._lock_timeout)
        view._snapshot = snapshots.named(self.directory, when)
        return view

    def forget_snapshot(self, name: str) -> None:
        """Remove a snapshot and the files that only it names; one whose file is damaged, too.

        Raises
        ------
        InputError
            There is no such snapshot.
        """
        known = snapshots.named(self.directory, name, exact=True)
        with writing(self.directory), locked(self.directory, self._lock_timeout):
            held: list[str] = []
            path = snapshots.path_of(self.directory, known)
            with suppress(DataSourceError):  # damaged: its files stay, as orphans that verify shows
                held = [entry.file for entry in snapshots.entries(self.directory, known).values()]
                held += [kept.file for kept in snapshots.factors_of(path).values()]
            path.unlink()
            self._unlink_unused(held)

    def named_files(self) -> set[str]:
        """Files that the present manifest or a snapshot names.

        Raises
        ------
        DataSourceError
            A manifest among them cannot be read, so that no file may be called unused.
        """
        files = {entry.file for entry in read_manifest(self.directory / MANIFEST)[0].values()}
        for path in snapshots.paths(self.directory):
            files |= {entry.file for entry in snapshots.described(path)[1].values()}
            files |= {kept.file for kept in snapshots.factors_of(path).values()}
        return files

    def _factors(self) -> dict[str, KeptFile]:
        """Copies of the files of factors, each verified, under names of their content."""
        from eventstudy.data.french import StoredFile

        kept: dict[str, KeptFile] = {}
        for path in sorted((self.directory / snapshots.FACTORS).glob("*_CSV.zip")):
            if (stored := StoredFile.read(path)) is not None:
                packed = stored.packed()
                file = f"{path.stem}-{hashlib.sha256(packed).hexdigest()[:12]}.zip"
                replace_file(self.directory / file, packed)
                kept[path.name] = KeptFile(file, stored.sha256)
        return kept

    def _path(self, entry: CacheEntry) -> Path:
        if not _inside(entry.file):
            raise self._broken(entry, "has a name that leaves the cache directory")
        return self.directory / entry.file

    def _broken(self, entry: CacheEntry, problem: str) -> DataSourceError:
        return DataSourceError(
            f"{entry.symbol}: the cached file {self.directory / entry.file} {problem}.",
            remedy=REFETCH,
            symbol=entry.symbol,
            problem=problem,
        )

    def _refuse_snapshot(self) -> None:
        if self._snapshot is not None:
            raise InputError(
                f"the snapshot {self._snapshot!r} of {self.directory} is for reading only.",
                remedy=f"Use PriceCache({str(self.directory)!r}).",
            )

    def _unlink_unused(self, files: Iterable[str]) -> None:
        try:
            # Folded: on some file systems brk and BRK are one file.
            named = {file.casefold() for file in self.named_files()}
        except DataSourceError:
            return  # an unreadable snapshot may name any of them
        for file in files:
            if file.casefold() not in named and _inside(file):
                with suppress(OSError):  # Windows: open in a reader; it stays as an orphan
                    (self.directory / file).unlink()

    def _commit(self, entries: dict[Key, CacheEntry]) -> None:
        write_manifest(self.directory / MANIFEST, entries)


def _inside(file: str) -> bool:
    """Whether a name stays in the directory."""
    return Path(file).name == file and file not in {"", ".", ".."}


def now() -> str:
    """The present in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
