"""Dated facts from Yahoo Finance through yfinance: earnings dates, ex-dividends, splits, share counts.

Nothing here is cached but what the prices carry: earnings dates and share counts are asked for anew each time.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from eventstudy.data.cache import PriceCache
from eventstudy.data.prices import DateLike, load_prices
from eventstudy.data.remote import offline_by_environment
from eventstudy.data.yahoo import _SYMBOL, YahooProvider, _forget_answers, _recording_session, _Seen, _yfinance
from eventstudy.errors import CacheMissError, DataSourceError, InputError

__all__ = ["KINDS", "YahooFacts", "dated_facts", "share_counts"]

KINDS: Final = ("earnings", "ex-dividend", "split")
_EARNINGS_URL, _SHARES_URL = "/calendar/earnings", "/ws/fundamentals-timeseries/"
_FACTS: Final = ("date", "time", "tz", "scope", "kind", "label", "certainty", "source")

_T = TypeVar("_T")


class _Again(Exception):
    """A failure after which another attempt may help."""


@dataclass
class YahooFacts:
    """Questions to Yahoo beyond prices, each with retries.

    Parameters
    ----------
    retries : int
        Further attempts after HTTP 429, 5xx, a dropped connection or a time-out.
    backoff : float
        Seconds before the first of them; doubled each time, times ``1 + jitter()``, or as long as Yahoo asks for.
    max_wait : float
        Longest wait that Yahoo may ask for, in seconds.
    timeout : float
        Seconds for each request.
    sleep, jitter : callable
        ``time.sleep`` and ``random.random``, or replacements of the same form.
    """

    retries: int = 4
    backoff: float = 1.0
    max_wait: float = 120.0
    timeout: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def earnings(self, symbol: str) -> pd.DataFrame:
        """Earnings dates of one security, the latest hundred and those announced.

        Returns
        -------
        DataFrame
            ``date``, ``time`` (``HH:MM``, blank where Yahoo gives midnight, which stands for none), ``tz`` and
            ``reported`` (whether Yahoo has the reported figure; else the date is an expectation).

        Raises
        ------
        DataSourceError
            When Yahoo does not answer, or has no earnings dates of it.
        """
        found = self._asked(symbol, _EARNINGS_URL, lambda ticker: ticker.get_earnings_dates(limit=100))
        if found is None or len(found) == 0:
            raise DataSourceError(f"Yahoo lists no earnings dates of {symbol}.", remedy="Give them from a CSV.")
        rows = []
        for moment, reported in zip(found.index, found["Reported EPS"].notna(), strict=True):
            clock = f"{moment:%H:%M}" if (moment.hour, moment.minute) != (0, 0) else ""
            rows.append((f"{moment:%Y-%m-%d}", clock, str(moment.tz) if clock else "", bool(reported)))
        return pd.DataFrame(rows, columns=["date", "time", "tz", "reported"]).drop_duplicates(["date", "time"])

    def shares(self, symbol: str, start: DateLike | None, end: DateLike | None) -> pd.Series[float]:
        """Share counts of one security by date: the last of each day, and only where the count changes.

        Raises
        ------
        DataSourceError
            When Yahoo does not answer, or has no count in the range.
        """
        first, last = (None if day is None else pd.Timestamp(day).tz_localize(None) for day in (start, end))
        found = self._asked(symbol, _SHARES_URL, lambda ticker: ticker.get_shares_full(start=first, end=last))
        if found is None or len(found) == 0:
            raise DataSourceError(f"Yahoo has no share count of {symbol} in this range.", remedy="Ask for more years.")
        index = pd.DatetimeIndex(found.index).tz_localize(None).normalize()
        counts = pd.Series(found.to_numpy(dtype=float), index=index)
        counts = counts[~counts.index.duplicated(keep="last") & (counts > 0).to_numpy()]
        return counts[counts.ne(counts.shift())]

    def _asked(self, symbol: str, address: str, question: Callable[[Any], _T]) -> _T:
        """Answer to one question about one security."""
        if not _SYMBOL.fullmatch(symbol):
            raise DataSourceError(f"{symbol!r} is not a Yahoo symbol.", remedy="Such as MSFT or BRK-B.", ticker=symbol)
        yfinance, seen = _yfinance(), _Seen()
        session = _recording_session(seen, self.timeout, address)
        debug = yfinance.config.debug
        hidden, debug.hide_exceptions = debug.hide_exceptions, False
        try:
            for attempt in range(self.retries + 1):
                seen.response = None
                _forget_answers(yfinance)
                try:
                    with warnings.catch_warnings():
                        warnings.filterwarnings("ignore", category=DeprecationWarning)
                        warnings.filterwarnings("ignore", category=FutureWarning)
                        return self._once(yfinance, symbol, session, seen, question)
                except _Again as exc:
                    wait = seen.retry_after if seen.response is not None else 0.0
                    if attempt == self.retries or wait > self.max_wait:
                        asks = f", asks to wait {wait:.0f} s" if wait > self.max_wait else f" ({attempt + 1} attempts)"
                        raise DataSourceError(
                            f"Yahoo could not answer for {symbol}: {exc}{asks}.",
                            remedy="Try again later.",
                            ticker=symbol,
                        ) from exc
                    self.sleep(max(wait, self.backoff * 2.0**attempt * (1.0 + self.jitter())))
            raise AssertionError("unreachable")
        finally:
            debug.hide_exceptions = hidden

    @staticmethod
    def _once(yfinance: Any, symbol: str, session: Any, seen: _Seen, question: Callable[[Any], _T]) -> _T:
        """One attempt; yfinance takes many failures for an empty answer, so the status decides."""
        problem: Exception | None = None
        answer: Any = None
        try:
            answer = question(yfinance.Ticker(symbol, session=session))
        except Exception as exc:  # yfinance raises whatever its parsing stumbles over
            problem = exc
        status = seen.status
        if status is not None and (status == 429 or status >= 500):
            raise _Again("rate limited (HTTP 429)" if status == 429 else f"server error (HTTP {status})") from problem
        if status is not None and status >= 400:
            raise DataSourceError(
                f"Yahoo refused the question about {symbol} (HTTP {status}).",
                remedy="Check the symbol; Yahoo writes share classes with a dash, as in BRK-B.",
                ticker=symbol,
            ) from problem
        if problem is None:
            return answer  # type: ignore[no-any-return]
        kind, words = type(problem).__name__, next(iter(str(problem).splitlines()), "")
        if status is None and (isinstance(problem, OSError) or kind == "YFRateLimitError"):
            raise _Again(f"connection failed ({kind})") from problem
        raise DataSourceError(
            f"Yahoo's answer about {symbol} cannot be read ({kind}: {words}).",
            remedy="A newer yfinance may read it; or give the facts from a CSV.",
            ticker=symbol,
        ) from problem


def dated_facts(
    tickers: str | Sequence[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    kinds: Sequence[str] = KINDS,
    source: YahooFacts | None = None,
    provider: YahooProvider | None = None,
    cache: str | Path | PriceCache | None = None,
    offline: bool = False,
) -> pd.DataFrame:
    """Earnings dates, ex-dividends and splits of some securities, as :meth:`EventCalendar.from_frame` reads them.

    Parameters
    ----------
    tickers : str or sequence of str
        Yahoo symbols.
    start, end : date-like, optional
        First and last date, both inclusive.
    kinds : sequence of {"earnings", "ex-dividend", "split"}
        What to ask for. Ex-dividends and splits come with the prices and are cached with them.
    source : YahooFacts, optional
        Who asks for earnings dates; one with the default patience otherwise.
    provider, cache, offline
        As in :func:`eventstudy.load_prices`, for ex-dividends and splits.

    Raises
    ------
    DataSourceError
        When Yahoo does not answer for a ticker, or there is none of this in the range.
    CacheMissError
        For earnings dates offline.
    InputError
        For an unknown kind, or no ticker.
    """
    names = [tickers] if isinstance(tickers, str) else list(tickers)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds or not names:
        raise InputError(
            f"kinds={list(kinds)!r} of tickers={names!r} cannot be asked for.",
            remedy=f"Name tickers, and kinds among {', '.join(map(repr, KINDS))}.",
        )
    rows: list[tuple[str, ...]] = []
    read = f"read {datetime.now(UTC):%Y-%m-%d}"
    if "earnings" in kinds:
        if offline or offline_by_environment():
            raise CacheMissError(
                "Earnings dates are not cached, and this run is offline.",
                remedy='Leave them out: kinds=("ex-dividend", "split"), or give them from a CSV.',
            )
        asking, failures = source or YahooFacts(), {}
        for name in names:
            try:
                found = asking.earnings(name)
            except DataSourceError as exc:
                failures[name] = str(exc)
                continue
            for day, clock, tz, reported in found.to_records(index=False).tolist():
                label, certainty = ("quarterly results", "medium") if reported else ("results expected", "low")
                told = (name, "earnings", label, certainty, f"Yahoo Finance earnings calendar, {read}")
                rows.append((day, clock, tz, *told))
        if failures:
            raise DataSourceError(
                f"Yahoo could not deliver earnings dates of {len(failures)} of {len(names)} tickers: "
                f"{' '.join(failures.values())}",
                remedy="Leave these out, or give their dates from a CSV.",
                failures=failures,
            )
    fields = {"ex-dividend": "dividends", "split": "splits"}
    if not set(fields).isdisjoint(kinds):
        prices = load_prices(names, start, end, provider or "yahoo", cache=cache, offline=offline)
        for kind in [kind for kind in fields if kind in kinds]:
            paid = prices.field(fields[kind])
            for name in names:
                for day, amount in paid[name][paid[name] > 0].items():
                    label = f"ex-dividend {amount:g}" if kind == "ex-dividend" else f"split {amount:g} for 1"
                    rows.append((str(day)[:10], "", "", name, kind, label, "high", f"Yahoo Finance chart, {read}"))
    frame = pd.DataFrame(rows, columns=list(_FACTS))
    days = pd.to_datetime(frame["date"])
    keep = pd.Series(True, index=frame.index)
    if start is not None:
        keep &= days >= pd.Timestamp(start).tz_localize(None).normalize()
    if end is not None:
        keep &= days <= pd.Timestamp(end).tz_localize(None).normalize()
    if not keep.any():
        raise DataSourceError(
            f"Yahoo has no {' or '.join(kinds)} of {', '.join(names)} from {start or 'the beginning'} to "
            f"{end or 'today'}.",
            remedy="Widen the range.",
        )
    return frame[keep].sort_values(["date", "time", "scope"], kind="stable", ignore_index=True)


def share_counts(
    tickers: str | Sequence[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    source: YahooFacts | None = None,
) -> pd.DataFrame:
    """Share counts of some securities, as :meth:`SharesOutstanding.from_frame` reads them; no currency, no close.

    Raises
    ------
    DataSourceError
        When Yahoo does not answer for a ticker, or has no count of it in the range.
    CacheMissError
        Offline: share counts are not cached.
    """
    names = [tickers] if isinstance(tickers, str) else list(tickers)
    if not names:
        raise InputError("There is no ticker to ask for.", remedy="Name at least one.")
    if offline_by_environment():
        raise CacheMissError("Share counts are not cached, and this run is offline.", remedy="Give them from a CSV.")
    asking = source or YahooFacts()
    parts = []
    for name in names:
        counts = asking.shares(name, start, end)
        basis = f"Yahoo Finance, read {datetime.now(UTC):%Y-%m-%d}"
        parts.append(
            pd.DataFrame(
                {
                    "ticker": name,
                    "shares": counts.to_numpy(),
                    "as_of": counts.index,
                    "basis": basis,
                    "certainty": "medium",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
