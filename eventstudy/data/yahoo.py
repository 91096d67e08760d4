"""Bars from Yahoo Finance through yfinance, with retries and one honest error for all that failed."""

from __future__ import annotations

import importlib
import json
import random
import re
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any, Final

import numpy as np
import pandas as pd

from eventstudy.data.bars import Bars, checked_bars, total_return
from eventstudy.data.failures import Failure, FailureKind
from eventstudy.data.intervals import bar_length, checked_interval, is_intraday, is_sampled
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

__all__ = ["YahooProvider"]

_SYMBOL: Final = re.compile(r"\^?[A-Za-z0-9][A-Za-z0-9.\-=_&$^]*")
_COLUMNS: Final = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
    "Dividends": "dividends",
    "Stock Splits": "splits",
}
_META: Final = ("currency", "exchangeTimezoneName", "currentTradingPeriod")
_NOTE: Final = "Yahoo Finance chart API; closes split-adjusted by Yahoo as of fetched_at"
_ADJUSTMENT_TOLERANCE: Final = 1e-4  # daily return; Yahoo's own rounding is about 1e-6
_DAYS_PER_REQUEST: Final = {"1m": 7}  # Yahoo refuses more
_PASSING: Final = frozenset({408, 421, 425})  # of the 4xx, beside 429: they say nothing of the symbol
_NOTHING: Final = ("No data found", "Data doesn't exist")  # how Yahoo's reasons begin where it has no such prices


class _Failed(Exception):
    """One symbol's failure: its cause, and whether another attempt may help."""

    def __init__(self, cause: str, kind: FailureKind, *, again: bool = False, wait: float = 0.0) -> None:
        super().__init__(cause)
        self.kind, self.again, self.wait = kind, again, wait

    def told(self, more: str) -> _Failed:
        """Give the failure with more words."""
        return _Failed(f"{self}{more}", self.kind, again=self.again, wait=self.wait)


@dataclass
class _Seen(threading.local):
    """The last chart answer in this thread: yfinance's exceptions do not carry it."""

    response: Any = None

    @property
    def status(self) -> int | None:
        return None if self.response is None else int(self.response.status_code)

    @property
    def retry_after(self) -> float:
        return _seconds(self.response.headers.get("Retry-After"))

    @property
    def _chart(self) -> dict[str, Any]:
        try:
            found = self.response.json()["chart"]
        except (AttributeError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def reason(self) -> str:
        """What Yahoo gives as its reason, on one line."""
        error = self._chart.get("error")
        return " ".join(str(error.get("description") or "").split())[:200] if isinstance(error, dict) else ""

    @property
    def empty(self) -> bool:
        """Whether Yahoo answered, and its answer holds no series."""
        return not self._chart.get("result", True)


class YahooProvider:
    """Bars from Yahoo Finance: daily, or intraday as far back as Yahoo has them (1m 30 days, 60m two years).

    The prices that :func:`load_prices` makes of them are our own total-return series: Yahoo's close
    (already adjusted for splits), with every earlier price multiplied by ``1 - D_t / C_{t-1}`` on each
    ex-date. Yahoo's ``adj_close`` is kept as a field and compared: a day on which the two returns differ by
    more than 1e-4 is named in a warning. Yahoo adds a fund's capital gains to its dividends, so they are
    in. Zero opens, highs and lows are taken as missing, and a session (or intraday bar) still open at the
    time of the fetch is left out. Intraday bars are those of the regular session, stamped with the moment at
    which they open in the exchange's zone, split-adjusted too, with the dividend on the first bar of its day.

    Parameters
    ----------
    retries : int
        Further attempts after HTTP 429, 5xx, a time-out, a dropped connection or an unreadable answer.
    backoff : float
        Seconds before the first further attempt; doubled each time, times ``1 + jitter()``.
    max_wait : float
        Longest ``Retry-After`` that is waited for, in seconds; a longer one is an error that says so.
    timeout : float
        Seconds for each request.
    workers : int
        Symbols in flight at a time.
    sleep, jitter, clock : callable
        Replacements of ``time.sleep``, ``random.random`` and ``time.time``. By default a wait ends early when asking
        on is pointless (a rate limit met by another symbol, Ctrl-C).
    """

    name = "yahoo"
    remote = True

    def __init__(
        self,
        *,
        retries: int = 4,
        backoff: float = 1.0,
        max_wait: float = 120.0,
        timeout: float = 30.0,
        workers: int = 4,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if retries < 0 or backoff < 0 or max_wait < 0 or timeout <= 0 or workers < 1:
            raise InputError(
                f"retries={retries}, backoff={backoff}, max_wait={max_wait}, timeout={timeout}, "
                f"workers={workers}: expected retries, backoff, max_wait >= 0, timeout > 0 and workers >= 1."
            )
        self._retries, self._backoff, self._max_wait = retries, backoff, max_wait
        self._timeout, self._workers = timeout, workers
        self._sleep, self._jitter, self._clock = sleep, jitter, clock
        self._seen = _Seen()
        self._session: Any = None
        self._reached = False  # whether Yahoo has ever answered this provider

    def fetch(
        self, symbols: Sequence[str], start: date | None, end: date | None, interval: str = "1d"
    ) -> dict[str, Bars]:
        """Bars from ``start`` (None: the beginning) to ``end`` (None: today), both inclusive.

        Raises
        ------
        InputError
            An unknown interval, or one that :func:`eventstudy.load_prices` samples from daily bars.
        DataSourceError
            One error for all symbols that failed; ``context["failures"]`` maps symbol to cause and
            ``context["partial"]`` symbol to the bars that arrived. ``context["stop"]`` is True when asking
            for further symbols is pointless (rate limit, no network).
        """
        interval = checked_interval(interval)
        if is_sampled(interval):
            raise InputError(
                f"Yahoo's own bars of {interval} do not add up to its daily ones.",
                remedy=f'Use load_prices(…, interval="{interval}"), which samples daily prices.',
                interval=interval,
            )
        yfinance = _yfinance()
        if self._session is None:
            self._session = _recording_session(self._seen, self._timeout)
        stop = threading.Event()
        arrived: dict[str, Bars] = {}
        failures: dict[str, Failure] = {}
        gaps: dict[str, str] = {}

        def one(symbol: str) -> None:
            try:
                parts = [
                    self._with_retries(yfinance, symbol, first, last, interval, stop)
                    for first, last in _spans(start, end, interval)
                ]
                bars = _joined(symbol, [part for part in parts if part is not None], start, end)
                gaps[symbol] = _adjustment_gap(symbol, bars)
                arrived[symbol] = bars
            except DataSourceError as exc:
                failures[symbol] = Failure(str(exc), "invalid")
            except _Failed as exc:
                failures[symbol] = Failure(str(exc), exc.kind)
                nobody_answers = exc.again and self._seen.status is None and not arrived
                if exc.kind == "rate limit" or (exc.kind == "network" and not exc.again) or nobody_answers:
                    stop.set()

        debug = yfinance.config.debug
        hidden = debug.hide_exceptions
        debug.hide_exceptions = False  # else a failure comes back as an empty frame
        _forget_answers(yfinance)
        try:
            with warnings.catch_warnings(), ThreadPoolExecutor(self._workers) as pool:
                # yfinance's own deprecations are no business of our caller.
                warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")
                warnings.filterwarnings("ignore", category=FutureWarning, module="yfinance")
                try:
                    list(pool.map(one, symbols))
                except BaseException:  # Ctrl-C: the pool waits for those in flight
                    stop.set()
                    raise
        finally:
            debug.hide_exceptions = hidden
        if found := [gap for _, gap in sorted(gaps.items()) if gap]:
            warnings.warn(
                f"total returns from closes and dividends differ from those of Yahoo's adjusted close: "
                f"{'; '.join(found)}. Check that day's dividend and its currency.",
                EventStudyWarning,
                stacklevel=7,
            )
        if failures:
            causes = "; ".join(f"{s}: {failures[s]}" for s in symbols if s in failures)
            raise DataSourceError(
                f"Yahoo could not deliver {len(failures)} of {len(symbols)} symbols: {causes}.",
                remedy="Try again later, or leave these out.",
                failures=failures,
                partial=arrived,
                stop=stop.is_set(),
            )
        return {s: arrived[s] for s in symbols}

    def _with_retries(
        self,
        yfinance: ModuleType,
        symbol: str,
        start: date | None,
        end: date | None,
        interval: str,
        stop: threading.Event,
    ) -> Bars | None:
        if not _SYMBOL.fullmatch(symbol):
            raise _Failed("not a Yahoo symbol (letters, digits and . - = ^ & only)", "unknown")
        attempt = 0
        while True:
            if stop.is_set():
                raise _Failed("not tried after the failures before it", "not tried")
            try:
                return self._once(yfinance, symbol, start, end, interval)
            except _Failed as exc:
                if not exc.again:
                    raise
                if exc.wait > self._max_wait:
                    raise exc.told(f", asks to wait {exc.wait:.0f} s") from None
                if attempt == self._retries:
                    raise exc.told(f" ({attempt + 1} attempts)") from None
                _forget_answers(yfinance)
                (self._sleep or stop.wait)(max(exc.wait, self._backoff * 2.0**attempt * (1.0 + self._jitter())))
                if stop.is_set():
                    raise exc.told(", not tried again after the failures of others") from None
            attempt += 1

    def _once(
        self, yfinance: ModuleType, symbol: str, start: date | None, end: date | None, interval: str
    ) -> Bars | None:
        self._seen.response = None
        now = datetime.fromtimestamp(self._clock(), UTC)
        # Yahoo's end is exclusive, and a day ahead of UTC may be open in Tokyo.
        until = (now.date() if end is None else end) + timedelta(days=1)
        span: dict[str, Any] = {"period": "max"} if start is None else {"start": start.isoformat()}
        try:
            ticker = yfinance.Ticker(symbol, session=self._session)
            frame = ticker.history(
                **span,
                end=until.isoformat(),
                interval=interval,
                auto_adjust=False,
                actions=True,
                timeout=self._timeout,
            )
            # By key: a walk over yfinance's lazy mapping would send another request.
            meta = {key: ticker.history_metadata.get(key) for key in _META}
            bars = _as_bars(frame, meta, now, interval)
        except Exception as exc:  # yfinance raises whatever it stumbles over, and hands on what it does not
            failure = self._failure(symbol, exc)
            if failure.kind == "no prices" and interval in _DAYS_PER_REQUEST:
                return None  # one of several requests; a week may have no session
            raise failure from exc
        self._reached = True
        for name in ("currency", "exchangeTimezoneName"):
            if not isinstance(meta[name], str | None):
                raise _Failed(f"an answer that cannot be read ({name} is {meta[name]!r})", "unreadable", again=True)
        if bars is None:
            return None
        try:
            checked_bars(bars.frame, symbol, "Yahoo", DataSourceError)
        except DataSourceError as exc:
            raise _Failed(str(exc), "invalid") from exc
        return bars

    def _failure(self, symbol: str, exc: Exception) -> _Failed:
        status, kind = self._seen.status, type(exc).__name__
        if status == 429 or kind == "YFRateLimitError":
            return _Failed("rate limited (HTTP 429)", "rate limit", again=True, wait=self._seen.retry_after)
        if status is not None and (status >= 500 or status in _PASSING):
            return _Failed(f"server error (HTTP {status})", "server", again=True, wait=self._seen.retry_after)
        reason = self._seen.reason
        said = f"HTTP {status}{reason and ': ' + reason}"
        if status == 422:
            return _Failed(f"Yahoo does not have this range ({said})", "not covered")
        if status in {404, 410}:
            hint = "; Yahoo writes share classes with a dash, as in BRK-B" if "." in symbol else ""
            return _Failed(f"unknown symbol ({said}){hint}", "unknown")
        if status == 400 and reason.startswith(_NOTHING):
            return _Failed(f"Yahoo has no prices for it in this range ({said})", "no prices")
        if status is not None and status >= 400:
            return _Failed(f"refused ({said})", "refused", again=status in {401, 403})
        if reason and not reason.startswith(_NOTHING):
            return _Failed(f"an error for an answer: {reason}", "server", again=True)
        if isinstance(exc, json.JSONDecodeError | RecursionError) or kind == "YFDataException":
            return _Failed("an answer that cannot be read", "unreadable", again=True)
        if kind in {"DNSError", "ProxyError"} and not self._reached:
            return _Failed(f"no network ({kind}: Yahoo's server or the proxy is not found)", "network")
        if status is None and isinstance(exc, OSError):
            if "timeout" in kind.lower() or "timed out" in str(exc).lower():
                return _Failed("no answer in time", "time-out", again=True)
            return _Failed(f"connection failed ({kind})", "network", again=True)
        if kind in {"YFPricesMissingError", "YFTzMissingError"} or self._seen.empty:
            return _Failed("Yahoo has no prices for it in this range", "no prices")
        # Also yfinance's own races between threads, over its cookies and its time-zone store: worth another attempt.
        text = next(iter(str(exc).splitlines()), "")
        return _Failed(f"an unexpected answer ({kind}: {text})", "other", again=True)


def _spans(start: date | None, end: date | None, interval: str) -> list[tuple[date | None, date | None]]:
    """Requests for a range: one, but for intervals of which Yahoo gives few days at a time."""
    days = _DAYS_PER_REQUEST.get(interval)
    if days is None or start is None or end is None:
        return [(start, end)]
    firsts = [start + timedelta(days=at) for at in range(0, (end - start).days + 1, days)]
    return [(first, min(first + timedelta(days=days - 1), end)) for first in firsts]


def _joined(symbol: str, parts: Sequence[Bars], start: date | None, end: date | None) -> Bars:
    if not parts:
        raise _Failed(f"no prices from {start or 'the beginning'} to {end or 'today'}", "no prices")
    if len(parts) == 1:
        return parts[0]
    frame = pd.concat([part.frame for part in parts])
    frame.index.name = parts[0].frame.index.name
    try:
        return replace(parts[-1], frame=checked_bars(frame, symbol, "Yahoo", DataSourceError))
    except DataSourceError as exc:
        raise _Failed(str(exc), "invalid") from exc


def _yfinance() -> ModuleType:
    try:
        module = importlib.import_module("yfinance")
    except ImportError as exc:
        raise DataSourceError("Yahoo data need the package yfinance.", remedy="Run `pip install yfinance`.") from exc
    importlib.import_module("yfinance.data")
    return module


def _forget_answers(yfinance: ModuleType) -> None:
    """Empty yfinance's in-process store of answers, else a retry or refresh would not reach Yahoo."""
    yfinance.data.YfData.cache_get.cache_clear()


def _recording_session(seen: _Seen, timeout: float, of: str = "/v8/finance/chart/") -> Any:
    """Yfinance's kind of HTTP session, which also notes the status and Retry-After of answers to one address."""
    try:
        base: Any = importlib.import_module("curl_cffi.requests").Session
        options = {"impersonate": "chrome"}
    except ImportError:
        base = importlib.import_module("requests").Session
        options = {}

    class Session(base):  # type: ignore[misc]
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            kwargs["timeout"] = min(kwargs.get("timeout") or timeout, timeout)
            noted = of in url
            if noted:
                seen.response = None
            response = super().request(method, url, *args, **kwargs)
            if noted:
                seen.response = response
            return response

    return Session(**options)


def _seconds(header: str | None) -> float:
    """Retry-After in seconds, given as a number or an HTTP date; 0 where absent or unreadable."""
    if not header:
        return 0.0
    try:
        seconds = float(header)
        return seconds if seconds > 0.0 else 0.0  # nan too
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0


def _as_bars(frame: pd.DataFrame, meta: dict[str, Any], now: datetime, interval: str) -> Bars | None:
    """Yahoo's frame in the documented form, or None where no price is left."""
    if frame.empty or "Close" not in frame:
        return None
    out = frame.rename(columns=_COLUMNS)
    # Yahoo has no adjusted intraday closes; yfinance repeats the close.
    names = [c for c in _COLUMNS.values() if c in out and not (c == "adj_close" and is_intraday(interval))]
    out = out[names].astype(np.float64)
    index = pd.DatetimeIndex(out.index)
    if is_intraday(interval):
        if index.tz is None:
            return None
        out.index = index.as_unit("us").rename("time")
    else:
        out.index = index.tz_localize(None).normalize().as_unit("us").rename("date")
    for name in ("open", "high", "low"):
        out[name] = out[name].mask(out[name] == 0.0)
    if index.tz is not None and _still_open(index[-1], meta, now, interval):
        out = out.iloc[:-1]
    last = out["close"].last_valid_index()
    if last is None:
        return None
    return Bars(
        out.loc[:last],
        "close + dividends",
        currency=meta.get("currency"),
        tz=meta.get("exchangeTimezoneName"),
        fetched_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        note=_NOTE,
        interval=interval,
    )


def _still_open(last: pd.Timestamp, meta: dict[str, Any], now: datetime, interval: str) -> bool:
    """Whether the last bar may still change."""
    present = pd.Timestamp(now)
    if last.date() < present.tz_convert(last.tz).date():
        return False
    if is_intraday(interval) and present >= last + bar_length(interval):
        return False
    try:
        close = pd.Timestamp(meta["currentTradingPeriod"]["regular"]["end"])
    except (KeyError, TypeError, ValueError):
        return True
    return close.tzinfo is None or present < close


def _adjustment_gap(symbol: str, bars: Bars) -> str:
    """Where our total return and Yahoo's adjusted close differ most, in words; empty if they agree."""
    if "adj_close" not in bars.frame:
        return ""
    there = bars.frame["close"].notna()
    ours = total_return(bars.frame["close"], bars.frame["dividends"], symbol)[there].pct_change()
    gap = (ours - bars.frame.loc[there, "adj_close"].pct_change(fill_method=None)).abs()
    if not (gap > _ADJUSTMENT_TOLERANCE).any():
        return ""
    return f"{symbol} on {gap.idxmax():%Y-%m-%d} by {gap.max():.2%}"
