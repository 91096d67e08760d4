"""Downloads through the cache: what is covered is read, the rest is fetched in batches and stored at once."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final, TypeAlias

from eventstudy.data.bars import Bars, checked_bars
from eventstudy.data.cache import CacheEntry, PriceCache
from eventstudy.data.providers import PriceProvider
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyError, EventStudyWarning, InputError

__all__ = ["fetch_cached", "offline_by_environment"]

BATCH: Final = 20  # symbols between two commits to the cache: what a killed run can lose
FRESH_FOR: Final = timedelta(hours=1)  # a day still open when fetched is asked for again after this
INTERVAL: Final = "1d"

Span: TypeAlias = tuple[date | None, date]


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
    offline: bool = False,
    refresh: bool = False,
    progress: bool | None = None,
) -> dict[str, Bars]:
    """Bars of ``symbols``, from the cache where it covers ``start`` to ``end``, else downloaded and stored.

    A download covers what the cache had as well, so an entry only ever grows; a failed one leaves it as it
    was.

    Raises
    ------
    CacheMissError
        Offline, and some symbol is not covered.
    DataSourceError
        Some symbol could not be had; those that arrived are in the cache, so that a second call goes on
        from there.
    """
    offline = offline or offline_by_environment()
    if offline and refresh:
        raise InputError(
            "refresh=True asks for a download, but this run is offline.",
            remedy="Drop refresh, or unset EVENTSTUDY_OFFLINE.",
        )
    entries = cache.entries()
    mine = {s: entries.get((provider.name, INTERVAL, s)) for s in symbols}
    now = datetime.now(UTC)
    today = now.date()
    needed = today if end is None else min(end, today)
    if offline:
        lacking = [s for s, e in mine.items() if not _covers_offline(e, start, end)]
        if lacking:
            raise _miss(lacking, mine, start, end, cache)
        return {s: cache.read(provider.name, s, INTERVAL) for s in symbols}
    out: dict[str, Bars] = {}
    wanted: dict[str, Span] = {}
    for symbol, entry in mine.items():
        if entry is not None and not refresh and _covers(entry, start, needed, now):
            out[symbol] = cache.read(provider.name, symbol, INTERVAL)
        else:
            wanted[symbol] = _union(entry, start, needed)
    if wanted:
        out |= _download(provider, wanted, cache, progress)
    return {s: out[s] for s in symbols}


def _covers(entry: CacheEntry, start: date | None, needed: date, now: datetime) -> bool:
    asked_start, asked_end = _query(entry)
    if asked_start is not None and (start is None or start < asked_start):
        return False
    fetched = datetime.fromisoformat(entry.fetched_at)
    if asked_end >= needed and now - fetched < FRESH_FOR:
        return True
    return min(asked_end, fetched.date() - timedelta(days=1)) >= needed


def _covers_offline(entry: CacheEntry | None, start: date | None, end: date | None) -> bool:
    if entry is None:
        return False
    asked_start, asked_end = _query(entry)
    return (start is None or asked_start is None or asked_start <= start) and (end is None or end <= asked_end)


def _query(entry: CacheEntry) -> Span:
    start, end = entry.query.get("start"), entry.query.get("end")
    return (date.fromisoformat(start) if start else None), date.fromisoformat(end or entry.last)


def _union(entry: CacheEntry | None, start: date | None, needed: date) -> Span:
    if entry is None:
        return start, needed
    asked_start, asked_end = _query(entry)
    earliest = None if start is None or asked_start is None else min(start, asked_start)
    return earliest, max(needed, asked_end)


def _download(
    provider: PriceProvider, wanted: Mapping[str, Span], cache: PriceCache, progress: bool | None
) -> dict[str, Bars]:
    from tqdm import tqdm

    out: dict[str, Bars] = {}
    failures: dict[str, str] = {}
    unsaved: dict[str, DataSourceError] = {}
    stop = False
    show = sys.stderr.isatty() if progress is None else progress
    with tqdm(total=len(wanted), desc=provider.name, unit="ticker", disable=not show) as bar:
        for batch, (start, end) in _batches(wanted):
            if stop:
                failures |= dict.fromkeys(batch, "not tried after the failures before it")
                continue
            arrived, failed, stop = _fetch(provider, batch, start, end)
            for symbol, bars in arrived.items():
                try:
                    checked_bars(bars.frame, symbol, provider.name, DataSourceError)
                except DataSourceError as exc:
                    failed[symbol] = str(exc)
                    continue
                out[symbol] = bars
                try:
                    cache.write(
                        provider.name,
                        symbol,
                        bars,
                        start=None if start is None else start.isoformat(),
                        end=end.isoformat(),
                        interval=INTERVAL,
                    )
                    out[symbol] = cache.read(provider.name, symbol, INTERVAL)
                except DataSourceError as exc:
                    unsaved[symbol] = exc
            failures |= failed
            bar.update(len(batch))
    if unsaved:
        warnings.warn(
            f"downloaded but not kept for next time: {', '.join(unsaved)}: {next(iter(unsaved.values()))}",
            EventStudyWarning,
            stacklevel=4,
        )
    if failures:
        raise _failed(provider.name, failures, out)
    return out


def _batches(wanted: Mapping[str, Span]) -> Iterator[tuple[list[str], Span]]:
    def key(symbol: str) -> tuple[str, str]:
        return str(wanted[symbol][0] or ""), str(wanted[symbol][1])

    for _, group in groupby(sorted(wanted, key=key), key=key):
        symbols = list(group)
        for at in range(0, len(symbols), BATCH):
            yield symbols[at : at + BATCH], wanted[symbols[at]]


def _fetch(
    provider: PriceProvider, symbols: list[str], start: date | None, end: date
) -> tuple[dict[str, Bars], dict[str, str], bool]:
    stop = False
    failures: dict[str, str] = {}
    try:
        arrived = dict(provider.fetch(symbols, start, end, INTERVAL))
    except EventStudyError as exc:
        partial, causes = exc.context.get("partial"), exc.context.get("failures")
        if not isinstance(causes, Mapping):
            raise
        arrived = dict(partial) if isinstance(partial, Mapping) else {}
        failures = dict(causes)
        stop = bool(exc.context.get("stop"))
    for symbol in symbols:
        if symbol not in failures and (symbol not in arrived or arrived[symbol].frame.empty):
            arrived.pop(symbol, None)
            failures[symbol] = "no rows came"
    return arrived, failures, stop


def _failed(provider: str, failures: Mapping[str, str], partial: Mapping[str, Bars]) -> DataSourceError:
    causes = "; ".join(f"{symbol}: {cause}" for symbol, cause in failures.items())
    kept = f" The other {len(partial)} are in the cache." if partial else ""
    return DataSourceError(
        f"{provider} could not deliver {len(failures)} of {len(failures) + len(partial)} tickers: {causes}.{kept}",
        remedy="Run it again to go on from there, or leave these tickers out.",
        failures=dict(failures),
        partial=dict(partial),
    )


def _miss(
    lacking: Sequence[str],
    entries: Mapping[str, CacheEntry | None],
    start: date | None,
    end: date | None,
    cache: PriceCache,
) -> CacheMissError:
    def held(symbol: str) -> str:
        entry = entries[symbol]
        if entry is None:
            return f"{symbol} (nothing)"
        asked_start, asked_end = _query(entry)
        return f"{symbol} ({asked_start or 'its beginning'} to {asked_end})"

    span = " ".join(part for part, day in ((f"--start {start}", start), (f"--end {end}", end)) if day is not None)
    return CacheMissError(
        f"offline, and the cache {cache.directory} does not cover {start or 'the beginning'} "
        f"to {end or 'today'} for {', '.join(lacking)}; it holds {', '.join(map(held, lacking))}.",
        remedy=f"Run `eventstudy fetch {' '.join([*lacking, span]).strip()}` with a network.",
        symbols=list(lacking),
        start=start,
        end=end,
    )
