"""What looks wrong in prices: gaps against the calendar, stale runs, split-like jumps, no volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from eventstudy.data.calendars import sessions

if TYPE_CHECKING:
    from eventstudy.data.prices import Prices

__all__ = ["findings"]

STALE_RUN: Final = 5  # sessions with one and the same price
SPLITS: Final = (2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 20.0, 1.5)
SPLIT_BAND: Final = 0.03  # relative distance from such a ratio


def findings(prices: Prices, calendar: str = "NYSE") -> pd.DataFrame:
    """One row per suspicion; an empty frame means that nothing was found.

    Parameters
    ----------
    prices : Prices
        Shape (n_sessions, n_tickers).
    calendar : str
        Exchange name, as in :func:`eventstudy.data.calendars.sessions`.

    Returns
    -------
    pandas.DataFrame
        Columns ``ticker``, ``check``, ``first`` and ``last`` (dates), ``sessions`` (how many), ``detail``.
        Checks: ``missing session`` (a session between the ticker's first and last price without one), ``not
        a session`` (a price on a day that the exchange was closed), ``stale price`` (the same price on 5
        sessions or more), ``split-like jump`` (a price ratio within 3 % of 2, 3, 4, 5, 8, 10, 20 or 1.5,
        either way), ``zero volume``.

    Raises
    ------
    InputError
        An unknown calendar.
    AlignmentError
        The calendar does not reach these dates.
    """
    open_days = sessions(calendar, prices.index[0], prices.index[-1])
    volume = prices.field("volume") if "volume" in (prices._fields or {}) else None
    rows: list[tuple[object, ...]] = []
    for ticker in prices.columns:
        price = pd.Series(prices[ticker]).dropna()
        if price.empty:
            continue
        inside = open_days[(open_days >= price.index[0]) & (open_days <= price.index[-1])]
        rows += _runs(ticker, "missing session", inside.difference(price.index), "no price")
        rows += _runs(ticker, "not a session", price.index.difference(open_days), f"{calendar} was closed")
        rows += _stale(ticker, price)
        rows += _jumps(ticker, price)
        if volume is not None:
            idle = volume.index[volume[ticker].eq(0.0) & prices[ticker].notna()]
            rows += _runs(ticker, "zero volume", idle, "a price without a trade")
    columns = ["ticker", "check", "first", "last", "sessions", "detail"]
    return pd.DataFrame(rows, columns=columns).astype({"first": "datetime64[us]", "last": "datetime64[us]"})


def _runs(ticker: object, check: str, days: pd.Index[Any], detail: str) -> list[tuple[object, ...]]:
    return [(ticker, check, days[0], days[-1], len(days), detail)] if len(days) else []


def _stale(ticker: object, price: pd.Series[float]) -> list[tuple[object, ...]]:
    block = price.ne(price.shift()).cumsum()
    out: list[tuple[object, ...]] = []
    for _, run in price.groupby(block):
        if len(run) >= STALE_RUN:
            out.append((ticker, "stale price", run.index[0], run.index[-1], len(run), f"{run.iloc[0]:g}"))
    return out


def _jumps(ticker: object, price: pd.Series[float]) -> list[tuple[object, ...]]:
    ratio = (price / price.shift()).dropna()
    size = ratio.where(ratio >= 1.0, 1.0 / ratio)
    out: list[tuple[object, ...]] = []
    for known in SPLITS:
        days = size.index[(size / known - 1.0).abs() < SPLIT_BAND]
        out += [(ticker, "split-like jump", day, day, 1, f"price ratio {ratio[day]:.4g}") for day in days]
    return out
