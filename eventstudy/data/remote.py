"""Downloads through the cache: what is covered is read, the missing tail or the whole is fetched and stored."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

import pandas as pd

from eventstudy.data.bars import Bars, checked_bars, shown
from eventstudy.data.cache import CacheEntry, PriceCache
from eventstudy.data.failures import Failure, failures_of
from eventstudy.data.intervals import is_intraday
from eventstudy.data.providers import PriceProvider
from eventstudy.data.revisions import revision
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyError, EventStudyWarning, InputError

__all__ = ["Fetched", "failed", "fetch_cached", "missed", "offline_by_environment"]

BATCH: Final = 20  # symbols between two commits to the cache: what a killed run can lose
FRESH_FOR: Final = timedelta(hours=1)  # a day still open when fetched is asked for again after this
OVERLAP: Final = 10  # rows of the cache that a tail repeats, to see whether the source changed them
_OVERLAP_DAYS: Final = 3  # the same for intraday bars, in days
_NOT_TRIED: Final = Failure("not tried after the failures before it", "not tried")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bars by symbol of those that could be had, and the causes of the others."""

    bars: dict[str, Bars]
    failures: dict[str, Failure]


@dataclass(frozen=True, slots=True)
class _Want:
    """Dates to ask for, inclusive; ``old`` are the cached bars where these are only their tail.

    ``first`` is the beginning of what the cache then covers, and ``change`` what the source changed in ``old``.
    """

    start: date | None
    end: date
    first: date | None
    old: Bars | None = None
    change: str = ""

    @property
    def span(self) -> tuple[str, str]:
        return str(self.start or ""), str(self.end)


def offline_by_environment() -> bool:
    """Whether ``EVENTSTUDY_OFFLINE`` is set to anything but ``0``, ``false``, ``no`` or nothing."""
    return os.environ.get("EVENTSTUDY_OFFLINE", "").strip().lower() not in {"", "0", "false", "no"}


def fetch_cached(
    provider: PriceProvider,
    symbols: Sequence[str],
    start: date | None,
    end: date | None,
    *,
    cache: PriceCache,
    interval: str = "1d",
    offline: bool = False,
    refresh: bool = False,
    progress: bool | None = None,
) -> Fetched:
    """Bars of ``symbols``, from the cache where it covers ``start`` to ``end``, else downloaded and stored.

    Where only the end is missing, the tail is fetched with an overlap of 10 rows. If the source changed those
    (a split or dividend since), the whole series is fetched again, the manifest says so, and a warning. An
    entry only ever grows; a failed download leaves it as it was. A cache that shows a snapshot is read only.
    """
    if (offline or offline_by_environment() or cache.taken is not None) and refresh:
        raise InputError(
            "refresh=True asks for a download, but this run is offline.",
            remedy="Drop refresh, or unset EVENTSTUDY_OFFLINE; a snapshot is never refreshed.",
        )
    entries = cache.entries()
    mine = {s: entries.get((provider.name, interval, s)) for s in symbols}
    if offline or offline_by_environment() or cache.taken is not None:
        return _held(mine, start, end, cache)
    now = datetime.now(UTC)
    if start is not None and start > now.date():
        raise InputError(
            f"start {start} is after today, {now.date()} (UTC).", remedy="Ask for a past date.", start=start
        )
    needed = now.date() if end is None else min(end, now.date())
    bars: dict[str, Bars] = {}
    wanted: dict[str, _Want] = {}
    for symbol, entry in mine.items():
        begin = _begin(entry, start)
        if refresh and is_intraday(interval):  # the source no longer has what is older
            wanted[symbol] = _whole(None, start, needed)
        elif entry is None or refresh:
            wanted[symbol] = _whole(entry, begin, needed)
        elif _covers(entry, begin, needed, now):
            bars[symbol] = _read(cache, entry)
        elif _starts_before(entry, begin):
            wanted[symbol] = _tail(entry, _read(cache, entry), needed)
        else:
            wanted[symbol] = _whole(entry, begin, needed)
    failures: dict[str, Failure] = {}
    if wanted:
        run = _Run(provider, cache, interval)
        run.download(wanted, progress)
        run.report()
        bars |= run.bars
        failures = run.failures
    return Fetched({s: bars[s] for s in symbols if s in bars}, {s: failures[s] for s in symbols if s in failures})


def failed(provider: str, found: Fetched, *, kept: bool = True) -> DataSourceError:
    """Error for all symbols that could not be had; ``kept`` says that the others are in the cache."""
    causes = "; ".join(f"{symbol}: {cause}" for symbol, cause in found.failures.items())
    n, n_all = len(found.failures), len(found.failures) + len(found.bars)
    others = f" The other {len(found.bars)} are in the cache." if found.bars and kept else ""
    lacking = all(cause.lacking for cause in found.failures.values())
    return DataSourceError(
        f"{provider} could not deliver {n} of {n_all} tickers: {causes}.{others}",
        remedy='Correct these tickers or dates, or leave them out with on_missing="drop".'
        if lacking
        else "Run it again to go on from there, or leave these tickers out.",
        failures=dict(found.failures),
        partial=dict(found.bars),
    )


def missed(found: Fetched, start: date | None, end: date | None, cache: PriceCache, interval: str) -> CacheMissError:
    """Error for what an offline run, or a snapshot, does not have."""
    lacking = list(found.failures)
    held = ", ".join(f"{symbol} ({cause})" for symbol, cause in found.failures.items())
    where = f"offline, and the cache {cache.directory}"
    if cache.taken is not None:
        where = f"the snapshot {cache.taken!r} of {cache.directory}"
    options = ((f"--start {start}", start), (f"--end {end}", end), (f"--interval {interval}", interval != "1d" or None))
    words = " ".join([*lacking, *(text for text, given in options if given is not None)])
    return CacheMissError(
        f"{where} does not cover {start or 'the beginning'} to {end or 'today'} for {', '.join(lacking)}; "
        f"it holds {held}.",
        remedy=f"Run `eventstudy fetch {words}` with a network."
        if cache.taken is None
        else "Ask for what it holds, or load without a snapshot.",
        symbols=lacking,
        start=start,
        end=end,
        failures=dict(found.failures),
        partial=dict(found.bars),
    )


def _held(mine: Mapping[str, CacheEntry | None], start: date | None, end: date | None, cache: PriceCache) -> Fetched:
    bars: dict[str, Bars] = {}
    failures: dict[str, Failure] = {}
    for symbol, entry in mine.items():
        if entry is None:
            failures[symbol] = Failure("nothing", "not cached")
            continue
        first, last = _query(entry)
        if (start is None or _starts_before(entry, start)) and (end is None or end <= last):
            bars[symbol] = _read(cache, entry)
        else:
            failures[symbol] = Failure(f"{first or 'its beginning'} to {last}", "not covered")
    return Fetched(bars, failures)


def _read(cache: PriceCache, entry: CacheEntry) -> Bars:
    """Bars of an entry; the manifest, which may be long, is read again only if a writer took the file away since."""
    try:
        return cache.checked(entry)
    except OSError:
        return cache.read(entry.provider, entry.symbol, entry.interval)


def _query(entry: CacheEntry) -> tuple[date | None, date]:
    start, end = entry.query.get("start"), entry.query.get("end")
    return (date.fromisoformat(start) if start else None), date.fromisoformat(end or entry.last[:10])


def _begin(entry: CacheEntry | None, start: date | None) -> date | None:
    """First date to ask for: sources keep intraday bars for weeks only, so all of them means all that is cached."""
    return _query(entry)[0] if start is None and entry is not None and is_intraday(entry.interval) else start


def _starts_before(entry: CacheEntry, start: date | None) -> bool:
    first, _ = _query(entry)
    return first is None or (start is not None and first <= start)


def _covers(entry: CacheEntry, start: date | None, needed: date, now: datetime) -> bool:
    if not _starts_before(entry, start):
        return False
    _, asked_end = _query(entry)
    return asked_end >= needed and (now - entry.fetched < FRESH_FOR or entry.fetched.date() > needed)


def _whole(entry: CacheEntry | None, start: date | None, needed: date) -> _Want:
    if entry is None:
        return _Want(start, needed, start)
    first, last = _query(entry)
    earliest = None if start is None or first is None else min(start, first)
    return _Want(earliest, max(needed, last), earliest)


def _tail(entry: CacheEntry, old: Bars, needed: date) -> _Want:
    first, last = _query(entry)
    days = (
        old.frame.index.unique()
        if not is_intraday(entry.interval)
        else pd.DatetimeIndex(old.frame.index).normalize().unique()
    )
    back = OVERLAP if not is_intraday(entry.interval) else _OVERLAP_DAYS
    if len(days) <= 2 * back:  # hardly more to fetch
        return _whole(entry, first, needed)
    return _Want(pd.Timestamp(days[-back]).date(), max(needed, last), first, old)


class _Run:
    """One download: batches, what came of them, and what is to be told at the end."""

    def __init__(self, provider: PriceProvider, cache: PriceCache, interval: str) -> None:
        self.bars: dict[str, Bars] = {}
        self.failures: dict[str, Failure] = {}
        self._provider, self._cache, self._interval = provider, cache, interval
        self._unsaved: dict[str, DataSourceError] = {}
        self._changed: dict[str, str] = {}
        self._stop = False

    def download(self, wanted: Mapping[str, _Want], progress: bool | None) -> None:
        from tqdm import tqdm

        show = sys.stderr.isatty() if progress is None else progress
        with tqdm(total=len(wanted), desc=self._provider.name, unit="ticker", disable=not show) as bar:
            for batch in _batches(wanted):
                again = self._batch(batch)
                for whole in _batches(again):
                    self._batch(whole)
                bar.update(len(batch))

    def report(self) -> None:
        """One warning for what could not be stored, one for what the source changed."""
        if self._unsaved:
            first = next(iter(self._unsaved.values()))
            warnings.warn(
                f"downloaded but not kept for next time: {', '.join(self._unsaved)}: {first}",
                EventStudyWarning,
                stacklevel=4,
            )
        if self._changed:
            changes = "; ".join(f"{symbol}: {change}" for symbol, change in self._changed.items())
            warnings.warn(
                f"{self._provider.name} changed prices that were cached, and the whole series was fetched again: "
                f"{changes}. Numbers of earlier runs may differ; `eventstudy cache snapshot` keeps data as they are.",
                EventStudyWarning,
                stacklevel=4,
            )

    def _batch(self, batch: Mapping[str, _Want]) -> dict[str, _Want]:
        """Fetch and store; returns those whose cached prices the source has changed."""
        if self._stop:
            for symbol, want in batch.items():
                self._fail(symbol, want, _NOT_TRIED)
            return {}
        some = next(iter(batch.values()))
        arrived, failures = self._fetch(list(batch), some.start, some.end)
        for symbol, cause in failures.items():
            self._fail(symbol, batch[symbol], cause)
        again: dict[str, _Want] = {}
        for symbol, bars in arrived.items():
            want = batch[symbol]
            try:
                checked_bars(bars.frame, symbol, self._provider.name, DataSourceError)
                if want.old is not None:
                    if change := _change(want.old, bars, want.start):
                        again[symbol] = replace(want, start=want.first, old=None, change=change)
                        continue
                    bars = _joined(want.old, bars)
                elif not want.change:
                    want = replace(want, change=self._rewritten(symbol, bars))
            except DataSourceError as exc:
                self._fail(symbol, want, Failure(str(exc), "invalid"))
                continue
            self._store(symbol, bars, want)
        return again

    def _rewritten(self, symbol: str, bars: Bars) -> str:
        """What a whole series, fetched again, changes in the cached one."""
        try:
            old = self._cache.read(self._provider.name, symbol, self._interval)
        except DataSourceError:  # nothing cached, or damage that this download repairs
            return ""
        return _change(old, bars, bars.frame.index[0].date() if is_intraday(self._interval) else None)

    def _fail(self, symbol: str, want: _Want, cause: Failure) -> None:
        if want.old is not None and cause is not _NOT_TRIED:
            cause = Failure(f"{cause} (the cache has it up to {shown(want.old.frame.index[-1])})", cause.kind)
        if want.change:
            cause = Failure(
                f"{cause} (its cached prices are out of date, {want.change}, and the whole series could not be "
                "fetched again; the cache still has the old one)",
                cause.kind,
            )
        self.failures[symbol] = cause

    def _store(self, symbol: str, bars: Bars, want: _Want) -> None:
        self.bars[symbol] = bars
        first = want.first
        if first is None and is_intraday(self._interval):
            first = bars.frame.index[0].date()
        before = ""
        if want.change:
            self._changed[symbol] = want.change
        try:
            known = self._cache.entry(self._provider.name, symbol, self._interval)
            before = "" if known is None else known.readjusted
            entry = self._cache.write(
                self._provider.name,
                symbol,
                bars,
                start=None if first is None else first.isoformat(),
                end=want.end.isoformat(),
                readjusted=f"{datetime.now(UTC):%Y-%m-%d}: {want.change}" if want.change else before,
            )
            self.bars[symbol] = _read(self._cache, entry)
        except DataSourceError as exc:
            self._unsaved[symbol] = exc

    def _fetch(self, symbols: list[str], start: date | None, end: date) -> tuple[dict[str, Bars], dict[str, Failure]]:
        failures: dict[str, Failure] = {}
        try:
            arrived = dict(self._provider.fetch(symbols, start, end, self._interval))
        except EventStudyError as exc:
            failures = failures_of(exc, symbols)
            if not failures:
                raise
            partial = exc.context.get("partial")
            arrived = dict(partial) if isinstance(partial, Mapping) else {}
            self._stop = bool(exc.context.get("stop"))
        for symbol in symbols:
            if symbol not in failures and (symbol not in arrived or arrived[symbol].frame.empty):
                failures[symbol] = Failure("no rows came", "no prices")
        return {s: arrived[s] for s in symbols if s in arrived and s not in failures}, failures


def _batches(wanted: Mapping[str, _Want]) -> Iterator[dict[str, _Want]]:
    """Up to ``BATCH`` symbols of one span at a time."""

    def key(symbol: str) -> tuple[str, str]:
        return wanted[symbol].span

    for _, group in groupby(sorted(wanted, key=key), key=key):
        symbols = list(group)
        for at in range(0, len(symbols), BATCH):
            yield {symbol: wanted[symbol] for symbol in symbols[at : at + BATCH]}


def _change(old: Bars, new: Bars, since: date | None) -> str:
    """What ``new`` says otherwise than ``old`` of the days from ``since`` on (None: of all)."""
    for name in ("basis", "currency", "tz"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            return f"its {name} is {after}, not {before}"
    # A day may not have been final before it had ended everywhere.
    settled = pd.Timestamp(old.fetched_at or 0).tz_localize(None).normalize() - pd.Timedelta(days=2)
    known = old.between(None if since is None else pd.Timestamp(since), settled)
    return revision(known, new.frame)


def _joined(old: Bars, new: Bars) -> Bars:
    kept = old.frame.loc[old.frame.index < new.frame.index[0]]
    frame = pd.concat([kept, new.frame[kept.columns]])
    frame.index.name = old.frame.index.name
    return replace(new, frame=frame, sha256=None)
