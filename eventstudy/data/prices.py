"""``Prices``, the wide frame that the rest of the library reads, and ``load_prices``, which fills it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._frames import is_table
from eventstudy.data.bars import FIELDS, Bars, checked_bars, shown
from eventstudy.data.cache import PriceCache
from eventstudy.data.failures import Failure, failures_of
from eventstudy.data.folder import FolderProvider
from eventstudy.data.intervals import checked_interval, is_intraday, is_sampled, sampled
from eventstudy.data.providers import FileProvider, FrameProvider, PriceProvider
from eventstudy.data.remote import Fetched, failed, fetch_cached, missed, offline_by_environment
from eventstudy.data.sample import SampleProvider
from eventstudy.data.sql import SqlProvider, is_url
from eventstudy.data.yahoo import YahooProvider
from eventstudy.errors import DataSourceError, EventStudyError, EventStudyWarning, InputError

if TYPE_CHECKING:
    from eventstudy.data.quality import QualityReport, QualityRules, Severity

__all__ = ["DateLike", "PriceSource", "Prices", "load_prices"]

DateLike: TypeAlias = str | date | datetime | pd.Timestamp | np.datetime64
PriceSource: TypeAlias = str | Path | pd.DataFrame | PriceProvider | Any  # Any: whatever narwhals reads

_INFO: Final = ("provider", "basis", "currency", "tz", "first", "last", "rows", "fetched_at", "sha256")
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)?)?")


class Prices(pd.DataFrame):
    """Wide total-return prices with their provenance.

    float64, shape (n_sessions, n_tickers): index ``date`` of ascending unique naive midnights (the
    exchange's session dates), one column per ticker, NaN where a price is missing. Intraday: index ``time``
    of the moments at which the bars open, in the exchange's zone (UTC where the tickers have several). Made
    by :func:`load_prices`; slices keep the provenance.
    """

    _metadata = ["_sources", "_fields", "_interval", "_snapshot", "_missing"]  # noqa: RUF012 (pandas' own protocol)
    _sources: pd.DataFrame | None = None
    _fields: dict[str, pd.DataFrame] | None = None
    _interval: str = "1d"
    _snapshot: str | None = None
    _missing: dict[str, Failure] | None = None

    @property
    def _constructor(self) -> Callable[..., Prices]:
        return Prices

    @property
    def info(self) -> pd.DataFrame:  # type: ignore[override]
        """Provenance, one row per ticker of this frame.

        Columns ``provider``, ``basis``, ``currency``, ``tz`` (zone of the exchange), ``first`` and ``last``
        (first and last date with a price *in this frame*), ``rows`` (number of prices), ``fetched_at`` (UTC),
        ``sha256`` of the source.
        """
        known = pd.DataFrame() if self._sources is None else self._sources
        out = known.reindex(index=pd.Index(self.columns, name="ticker"), columns=list(_INFO))
        out["first"] = [self.index[v][0] if v.any() else pd.NaT for v in self._valid()]
        out["last"] = [self.index[v][-1] if v.any() else pd.NaT for v in self._valid()]
        out["rows"] = [int(v.sum()) for v in self._valid()]
        return out

    @property
    def interval(self) -> str:
        """Time between two rows, one of :data:`eventstudy.data.intervals.INTERVALS`."""
        return self._interval

    @property
    def snapshot(self) -> str | None:
        """Name of the snapshot of the cache that these prices were read from."""
        return self._snapshot

    @property
    def missing(self) -> pd.DataFrame:
        """Tickers that ``on_missing="drop"`` left out: index ``ticker``, columns ``kind`` and ``reason`` (text)."""
        left = self._missing or {}
        index = pd.Index(list(left), name="ticker", dtype="str")
        rows = {"kind": [cause.kind for cause in left.values()], "reason": [str(cause) for cause in left.values()]}
        return pd.DataFrame(rows, index=index, dtype="str")

    def _valid(self) -> list[Any]:
        return list(self.notna().to_numpy().T)

    def field(self, name: str) -> pd.DataFrame:
        """Another field of the source, aligned to this frame.

        Parameters
        ----------
        name : {"open", "high", "low", "close", "adj_close", "volume", "dividends", "splits"}
            Prices in currency per share (not adjusted for dividends, save ``adj_close``), volume in shares.

        Returns
        -------
        pandas.DataFrame of shape (n_sessions, n_tickers)
            NaN where a ticker or date lacks it.

        Raises
        ------
        InputError
            No ticker of this frame has the field; those that exist are named.
        """
        fields = self._fields or {}
        there = [f for f in fields if fields[f].columns.isin(self.columns).any()]
        if name not in there:
            raise InputError(
                f"no field {name!r} in these prices; the source has {', '.join(there) or 'none'}.",
                remedy="Load from a source with bars (Yahoo, or a long file).",
                field=name,
                available=there,
            )
        return fields[name].reindex(index=self.index, columns=self.columns)

    def quality(self, calendar: str | None = None, *, rules: QualityRules | None = None) -> QualityReport:
        """What looks wrong in these prices.

        Parameters
        ----------
        calendar : str, optional
            Exchange whose sessions the prices must have, as in :func:`eventstudy.data.calendars.sessions`. Default:
            the exchange of the zone that the source states, if it does; else dates are compared with those of the
            other securities (of three or more).
        rules : QualityRules, optional
            Thresholds; see :class:`eventstudy.data.QualityRules`.

        Returns
        -------
        QualityReport
            ``print`` it, or take ``.findings``: one row per suspicion, with its evidence and a remedy.

        Raises
        ------
        InputError
            An unknown calendar, or prices that are not daily.
        AlignmentError
            The calendar does not reach these dates.

        Examples
        --------
        >>> len(load_prices(["MSFT", "NVDA"]).quality("NYSE"))
        0
        """
        from eventstudy.data.quality import price_quality

        if self.interval != "1d":
            raise InputError(
                f"quality is judged session by session; these prices are of {self.interval}.",
                remedy="Load daily prices.",
                interval=self.interval,
            )
        return price_quality(self, calendar, rules)

    def require_quality(
        self, calendar: str | None = None, *, severity: Severity = "warning", rules: QualityRules | None = None
    ) -> Prices:
        """These prices, if :meth:`quality` finds nothing of a severity or worse.

        Parameters
        ----------
        calendar, rules : optional
            As :meth:`quality`.
        severity : {"warning", "error", "note"}
            From where on a finding is refused.

        Raises
        ------
        DataSourceError
            With the evidence; ``context["findings"]`` holds the rows.
        """
        self.quality(calendar, rules=rules).require(severity)
        return self


def load_prices(
    tickers: str | Sequence[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    source: PriceSource = "sample",
    *,
    interval: str = "1d",
    cache: str | Path | PriceCache | None = None,
    offline: bool = False,
    refresh: bool = False,
    snapshot: str | date | None = None,
    on_missing: Literal["raise", "drop"] = "raise",
    strict: bool = False,
    calendar: str | None = None,
    rules: QualityRules | None = None,
    progress: bool | None = None,
) -> Prices:
    """Total-return prices of ``tickers`` from ``start`` to ``end``.

    Parameters
    ----------
    tickers : str or sequence of str
        In the order of the columns wanted; no duplicates.
    start, end : date-like, optional
        Inclusive session dates; default: all that the source has. Strings as ``YYYY-MM-DD``.
    source : {"sample", "yahoo"}, path, URL, frame or PriceProvider
        ``"sample"`` is bundled (20 US tickers, 2023-12-01 to 2025-02-28). A path names a CSV or Parquet
        file, or a folder with a file for each ticker; see :class:`FileProvider` for the layouts. A URL such as
        ``"duckdb:///prices.db?table=prices"`` names a table of a database; see
        :class:`eventstudy.data.SqlProvider`. A frame is one of pandas, polars or pyarrow; see
        :class:`FrameProvider`. An object of your own needs ``name`` and ``fetch``; see :class:`PriceProvider`.
    interval : {"1d", "1wk", "1mo", "60m", "30m", "15m", "5m", "2m", "1m"}
        Weekly and monthly prices are daily ones at the last session of each period; a last period that the
        range cuts short is left out. Intraday bars come from a source that has them.
    cache : str, Path or PriceCache, optional
        Directory for downloads; default ``$EVENTSTUDY_CACHE``, else the user's cache directory.
    offline : bool
        Never touch the network; also set by ``EVENTSTUDY_OFFLINE=1``.
    refresh : bool
        Download again what the cache already has.
    snapshot : str or date, optional
        Read downloaded prices as they were in a snapshot of the cache, without a network: its name, or the
        last one taken up to a day; see :meth:`PriceCache.snapshot`.
    on_missing : {"raise", "drop"}
        What to do about tickers that the source does not have, or has no price of in the range: an error, or
        one warning, and ``.missing`` lists them. A failure that may pass, such as a rate limit or a time-out,
        is an error in either case; what did arrive is in the cache, so that a second call goes on from there.
    strict : bool
        Refuse prices in which :meth:`Prices.quality` finds an error or a warning, rather than warn.
    calendar, rules : optional
        As :meth:`Prices.quality`: the exchange whose sessions daily prices must have, and the thresholds.
    progress : bool, optional
        Progress bar while downloading; default: only in a terminal.

    Returns
    -------
    Prices
        Shape (n_sessions, n_tickers), on the union of the tickers' dates; NaN where one has no price. A
        source that begins later or ends earlier than asked shows in ``.info``.

    Raises
    ------
    InputError
        A wrong ticker, date or option, or a file or frame that fails a check.
    DataSourceError
        Something could not be fetched or read, or a ticker has no price in the range. ``failures`` maps each
        ticker concerned to its cause, and ``partial`` the others to their bars.
    CacheMissError
        Offline, and the cache does not cover the request.

    Examples
    --------
    >>> prices = load_prices(["MSFT", "NVDA"], start="2025-01-24", end="2025-01-27")
    >>> prices.pct_change().loc["2025-01-27", "NVDA"].round(4)
    np.float64(-0.1697)
    """
    names = _tickers(tickers)
    first, last = _day(start, "start"), _day(end, "end")
    if first is not None and last is not None and first > last:
        raise InputError(
            f"start {first:%Y-%m-%d} is after end {last:%Y-%m-%d}.",
            remedy="Swap them.",
            start=first,
            end=last,
        )
    if on_missing not in ("raise", "drop"):
        raise InputError(f"on_missing={on_missing!r} is not known.", remedy='Use "raise" or "drop".')
    interval = checked_interval(interval)
    provider = _provider(source)
    if getattr(provider, "networked", False) and (offline or offline_by_environment()):
        raise DataSourceError(
            "offline: a database on another machine is not asked.", remedy="Drop offline=, or export the table first."
        )
    asked = "1d" if is_sampled(interval) else interval
    begin, stop = (None if day is None else day.date() for day in (first, last))
    store: PriceCache | None = None
    if getattr(provider, "remote", False):
        store = cache if isinstance(cache, PriceCache) else PriceCache(cache)
        store = store if snapshot is None else store.at(snapshot)
        found = fetch_cached(
            provider,
            names,
            begin,
            stop,
            cache=store,
            interval=asked,
            offline=offline,
            refresh=refresh,
            progress=progress,
        )
    elif snapshot is not None:
        raise InputError(
            f"snapshot={snapshot!r}: only downloaded prices have snapshots, and {provider.name!r} is no download.",
            remedy='Name the source, such as source="yahoo".',
        )
    else:
        found = _fetched(provider, names, begin, stop, asked, on_missing)
    found = _inside(found, first, last, provider.name, asked)
    if found.failures and (on_missing == "raise" or not found.bars or not _lacking(found)):
        uncached = {s: f for s, f in found.failures.items() if f.kind in ("not cached", "not covered")}
        if store is not None and uncached and (offline or offline_by_environment() or store.taken is not None):
            raise missed(Fetched(found.bars, uncached), begin, stop, store, asked)
        raise failed(provider.name, found, kept=store is not None)
    if found.failures:
        causes = "; ".join(f"{name}: {cause}" for name, cause in found.failures.items())
        warnings.warn(
            f"{len(found.failures)} of {len(names)} tickers are left out: {causes}.", EventStudyWarning, stacklevel=2
        )
    prices = _assemble([name for name in names if name in found.bars], found.bars, first, last, provider.name, interval)
    prices._snapshot = None if store is None else store.taken
    prices._missing = found.failures
    if prices.interval == "1d" and (strict or calendar is not None or not isinstance(provider, SampleProvider)):
        report = prices.quality(calendar, rules=rules)
        if strict:
            report.require()
        elif lines := report.lines():
            warnings.warn(
                "The prices look damaged (prices.quality() says more):\n" + "\n".join(lines),
                EventStudyWarning,
                stacklevel=2,
            )
    return prices


def _tickers(tickers: str | Sequence[str]) -> list[str]:
    if not isinstance(tickers, str | Iterable):
        raise InputError(f"tickers={tickers!r} is no list of tickers.", remedy='Name at least one, such as ["MSFT"].')
    names = [tickers] if isinstance(tickers, str) else list(tickers)
    if not names:
        raise InputError("no tickers given.", remedy='Name at least one, such as ["MSFT"].')
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise InputError(
                f"{name!r} is not a ticker; expected a printable, non-empty string.", remedy='Write it as "MSFT".'
            )
    names = [name.strip() for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} given more than once.", remedy="Name each ticker once.", tickers=twice)
    return names


def _day(value: DateLike | None, name: str) -> pd.Timestamp | None:
    if value is None:
        return None
    readable = isinstance(value, date | np.datetime64) or (
        isinstance(value, str) and _ISO_DATE.fullmatch(value.strip()) is not None
    )
    try:
        stamp = pd.Timestamp(value.strip() if isinstance(value, str) else value) if readable else pd.NaT
    except ValueError:
        stamp = pd.NaT
    if not isinstance(stamp, pd.Timestamp):
        raise InputError(
            f"{name}={value!r} is not a date.", remedy='Write it as "2025-01-31".', argument=name, value=value
        )
    return stamp.tz_localize(None).normalize()


def _provider(source: PriceSource) -> PriceProvider:
    if isinstance(source, Path):
        return FolderProvider(source) if source.is_dir() else FileProvider(source)
    if isinstance(source, str):
        if source == "sample":
            return SampleProvider()
        if source == "yahoo":
            return YahooProvider()
        if is_url(source):
            return SqlProvider.from_url(source)
        if FileProvider.recognises(source):
            return FolderProvider(source) if Path(source).is_dir() else FileProvider(source)
    elif is_table(source):
        return FrameProvider(source)
    elif isinstance(source, PriceProvider) and not isinstance(source, type):
        return source
    raise InputError(
        f"unknown source {source!r}.",
        remedy='Expected "sample", "yahoo", the path of a CSV or Parquet file or of a folder, the URL of a database, '
        "a frame or a PriceProvider.",
        source=source,
    )


def _fetched(
    provider: PriceProvider,
    names: Sequence[str],
    start: date | None,
    end: date | None,
    interval: str,
    on_missing: str,
) -> Fetched:
    """Bars of a source without a cache; each error that names tickers takes them out, where it may."""
    failures: dict[str, Failure] = {}
    left = list(names)
    while True:
        try:
            bars = provider.fetch(left, start, end, interval)
            break
        except EventStudyError as error:
            found = failures_of(error, left) if on_missing == "drop" else {}
            if not found or len(found) == len(left):
                raise
            failures |= found
            left = [name for name in left if name not in found]
    if not isinstance(bars, Mapping) or not all(isinstance(item, Bars) for item in bars.values()):
        raise DataSourceError(
            f"the provider {provider.name!r} returned {type(bars).__name__}, not a mapping from ticker to Bars.",
            remedy="See PriceProvider.fetch.",
        )
    failures |= {name: Failure("the provider returned no bars", "no prices") for name in left if name not in bars}
    return Fetched({name: bars[name] for name in left if name in bars}, failures)


def _inside(
    found: Fetched, start: pd.Timestamp | None, end: pd.Timestamp | None, provider: str, interval: str
) -> Fetched:
    """``found`` without the bars that have no price in the range, after the checks at the door."""
    kept: dict[str, Bars] = {}
    failures = dict(found.failures)
    asked = " to ".join("…" if day is None else f"{day:%Y-%m-%d}" for day in (start, end))
    for name, bars in found.bars.items():
        frame = checked_bars(bars.frame, name, provider, DataSourceError)
        if bars.interval != interval:
            raise DataSourceError(
                f"{name}: the provider {provider!r} returned bars of {bars.interval}, not {interval}.",
                remedy=f'Load interval="{bars.interval}", or use a source that has {interval}.',
                ticker=name,
            )
        if bars.between(start, end)[bars.price_field].notna().any():
            kept[name] = bars
        else:
            held = f"{shown(frame.index[0])} to {shown(frame.index[-1])}"
            failures[name] = Failure(f"no price from {asked} (the source has {held})", "no prices")
    return Fetched(kept, failures)


def _lacking(found: Fetched) -> bool:
    return all(cause.lacking for cause in found.failures.values())


def _assemble(
    names: Sequence[str],
    bars: Mapping[str, Bars],
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
    provider: str,
    interval: str,
) -> Prices:
    zones = {str(pd.DatetimeIndex(bars[name].frame.index).tz) for name in names}

    def wide(columns: Mapping[str, pd.Series[float]]) -> pd.DataFrame:
        """Columns on the union of their rows; moments of several zones in UTC."""
        if len(zones) > 1:
            columns = {name: column.tz_convert("UTC") for name, column in columns.items()}
        return pd.concat(columns, axis=1, sort=True)

    table = wide({name: bars[name].prices(start, end, name) for name in names}).astype(np.float64)
    fields = {
        field: wide(have).reindex(table.index)
        for field in FIELDS
        if (have := {n: bars[n].frame[field] for n in names if field in bars[n].frame})
        and not (field == "adj_close" and all(bars[n].basis == "as given" for n in names))
    }
    if is_sampled(interval):
        today = pd.Timestamp(datetime.now(UTC).date())
        reach = end if end is not None and end < today else None
        fields = {field: sampled(frame, interval, reach, field) for field, frame in fields.items()}
        table = sampled(table, interval, reach)
        if table.empty:
            raise InputError(
                f"no {'week' if interval == '1wk' else 'month'} is complete in this range.",
                remedy="Ask for a longer one.",
                interval=interval,
            )
    label = "time" if is_intraday(interval) else "date"
    prices = Prices(table.copy().rename_axis(index=label, columns=None))  # one block of memory
    prices._interval = interval
    prices._fields = fields
    prices._sources = pd.DataFrame(
        {
            name: [
                provider,
                bars[name].basis,
                bars[name].currency,
                bars[name].fetched_at,
                bars[name].fingerprint(),
                bars[name].tz,
            ]
            for name in names
        },
        index=["provider", "basis", "currency", "fetched_at", "sha256", "tz"],
    ).T
    return prices
