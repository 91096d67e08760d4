"""``Prices``, the wide frame that the rest of the library reads, and ``load_prices``, which fills it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from eventstudy.data.bars import FIELDS, Bars, checked_bars
from eventstudy.data.cache import PriceCache
from eventstudy.data.providers import FileProvider, FrameProvider, PriceProvider
from eventstudy.data.remote import fetch_cached
from eventstudy.data.sample import SampleProvider
from eventstudy.data.yahoo import YahooProvider
from eventstudy.errors import DataSourceError, InputError

__all__ = ["DateLike", "PriceSource", "Prices", "load_prices"]

DateLike: TypeAlias = str | date | datetime | pd.Timestamp | np.datetime64
PriceSource: TypeAlias = str | Path | pd.DataFrame | PriceProvider

_INFO: Final = ("provider", "basis", "currency", "first", "last", "rows", "fetched_at", "sha256")
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)?)?")


class Prices(pd.DataFrame):
    """Wide total-return prices with their provenance.

    float64, shape (n_sessions, n_tickers): index ``date`` of ascending unique naive midnights (the
    exchange's session dates), one column per ticker, NaN where a price is missing. Made by
    :func:`load_prices`; slices keep the provenance.
    """

    _metadata = ["_sources", "_fields"]  # noqa: RUF012 (pandas' own protocol)
    _sources: pd.DataFrame | None = None
    _fields: dict[str, pd.DataFrame] | None = None

    @property
    def _constructor(self) -> Callable[..., Prices]:
        return Prices

    @property
    def info(self) -> pd.DataFrame:  # type: ignore[override]
        """Provenance, one row per ticker of this frame.

        Columns ``provider``, ``basis``, ``currency``, ``first`` and ``last`` (first and last date with a
        price *in this frame*), ``rows`` (number of prices), ``fetched_at`` (UTC), ``sha256`` of the source.
        """
        known = pd.DataFrame() if self._sources is None else self._sources
        out = known.reindex(index=pd.Index(self.columns, name="ticker"), columns=list(_INFO))
        out["first"] = [self.index[v][0] if v.any() else pd.NaT for v in self._valid()]
        out["last"] = [self.index[v][-1] if v.any() else pd.NaT for v in self._valid()]
        out["rows"] = [int(v.sum()) for v in self._valid()]
        return out

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

    def quality(self, calendar: str = "NYSE") -> pd.DataFrame:
        """One row per suspicion about these prices; see :func:`eventstudy.data.quality.findings`."""
        from eventstudy.data.quality import findings

        return findings(self, calendar)


def load_prices(
    tickers: str | Sequence[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    source: PriceSource = "sample",
    *,
    cache: str | Path | PriceCache | None = None,
    offline: bool = False,
    refresh: bool = False,
    progress: bool | None = None,
) -> Prices:
    """Total-return prices of ``tickers`` from ``start`` to ``end``.

    Parameters
    ----------
    tickers : str or sequence of str
        In the order of the columns wanted; no duplicates.
    start, end : date-like, optional
        Inclusive session dates; default: all that the source has. Strings as ``YYYY-MM-DD``.
    source : {"sample", "yahoo"}, path, DataFrame or PriceProvider
        ``"sample"`` is bundled (20 US tickers, 2023-12-01 to 2025-02-28). A path names a CSV or Parquet
        file; see :class:`FileProvider` for the layouts. An object of your own needs ``name`` and ``fetch``;
        see :class:`PriceProvider`.
    cache : str, Path or PriceCache, optional
        Directory for downloads; default ``$EVENTSTUDY_CACHE``, else the user's cache directory.
    offline : bool
        Never touch the network; also set by ``EVENTSTUDY_OFFLINE=1``.
    refresh : bool
        Download again what the cache already has.
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
        Something could not be fetched or read, or a ticker has no price in the range.
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
    provider = _provider(source)
    begin, stop = (None if day is None else day.date() for day in (first, last))
    if getattr(provider, "remote", False):
        store = cache if isinstance(cache, PriceCache) else PriceCache(cache)
        bars: Mapping[str, Bars] = fetch_cached(
            provider, names, begin, stop, cache=store, offline=offline, refresh=refresh, progress=progress
        )
    else:
        bars = provider.fetch(names, begin, stop)
    return _assemble(names, bars, first, last, provider.name)


def _tickers(tickers: str | Sequence[str]) -> list[str]:
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
    if isinstance(source, pd.DataFrame):
        return FrameProvider(source)
    if isinstance(source, Path):
        return FileProvider(source)
    if isinstance(source, str):
        if source == "sample":
            return SampleProvider()
        if source == "yahoo":
            return YahooProvider()
        if FileProvider.recognises(source):
            return FileProvider(source)
    elif isinstance(source, PriceProvider) and not isinstance(source, type):
        return source
    raise InputError(
        f"unknown source {source!r}.",
        remedy='Expected "sample", "yahoo", a path to a CSV or Parquet file, a DataFrame or a PriceProvider.',
        source=source,
    )


def _assemble(
    names: Sequence[str],
    bars: Mapping[str, Bars],
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
    provider: str,
) -> Prices:
    columns: dict[str, pd.Series[float]] = {}
    absent: dict[str, str] = {}
    for name in names:
        if name not in bars:
            raise DataSourceError(f"{name}: the provider {provider!r} returned no bars.", ticker=name)
        frame = checked_bars(bars[name].frame, name, provider, DataSourceError)
        column = bars[name].prices(start, end, name)
        if not column.notna().any():
            absent[name] = f"{frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}"
        columns[name] = column
    if absent:
        asked = " to ".join("…" if day is None else f"{day:%Y-%m-%d}" for day in (start, end))
        what = "; ".join(f"{name} (the source has {span})" for name, span in absent.items())
        raise DataSourceError(
            f"no price from {asked} for {what}.",
            remedy="Ask for dates that the source covers, or leave the ticker out.",
            tickers=list(absent),
        )
    wide = pd.concat(columns, axis=1, sort=True).astype(np.float64).copy()  # one block of memory
    prices = Prices(wide.rename_axis(index="date", columns=None))
    prices._sources = pd.DataFrame(
        {
            name: [
                provider,
                bars[name].basis,
                bars[name].currency,
                bars[name].fetched_at,
                bars[name].fingerprint(),
            ]
            for name in names
        },
        index=["provider", "basis", "currency", "fetched_at", "sha256"],
    ).T
    prices._fields = {
        field: pd.concat(have, axis=1, sort=True).reindex(wide.index)
        for field in FIELDS
        if (have := {n: bars[n].frame[field] for n in names if field in bars[n].frame})
        and not (field == "adj_close" and all(b.basis == "as given" for b in bars.values()))
    }
    return prices
