"""Lengths of bars: daily, intraday as downloaded, weekly and monthly as sampled from daily ones."""

from __future__ import annotations

import difflib
from typing import Any, Final

import pandas as pd

from eventstudy.errors import InputError

__all__ = ["INTERVALS", "bar_length", "checked_interval", "is_intraday", "is_sampled", "sampled"]

_INTRADAY: Final = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60}  # minutes
_SAMPLED: Final = {"1wk": "W-SUN", "1mo": "M"}
_ALIASES: Final = {"1h": "60m", "1min": "1m", "5min": "5m", "15min": "15m", "30min": "30m", "60min": "60m"}

INTERVALS: Final = (*_INTRADAY, "1d", *_SAMPLED)

_COMBINED: Final = {"open": "first", "high": "max", "low": "min", "volume": "sum", "dividends": "sum", "splits": "prod"}


def checked_interval(interval: object) -> str:
    """The interval by its one name (``1h`` is ``60m``).

    Raises
    ------
    InputError
        No such interval.
    """
    name = _ALIASES.get(interval, interval) if isinstance(interval, str) else interval
    if isinstance(name, str) and name in INTERVALS:
        return name
    near = difflib.get_close_matches(str(interval), INTERVALS, n=1)
    raise InputError(
        f"interval={interval!r} is not known.",
        remedy=f"{f'Did you mean {near[0]!r}? ' if near else ''}Expected one of {', '.join(INTERVALS)}.",
        interval=interval,
    )


def is_intraday(interval: str) -> bool:
    """Whether bars of this length are stamped with moments rather than session dates."""
    return interval in _INTRADAY


def is_sampled(interval: str) -> bool:
    """Whether prices of this interval are daily ones, taken at the last session of each period."""
    return interval in _SAMPLED


def bar_length(interval: str) -> pd.Timedelta:
    """Time that one intraday bar covers."""
    return pd.Timedelta(minutes=_INTRADAY[interval])


def sampled(frame: pd.DataFrame, interval: str, reach: pd.Timestamp | None, field: str = "close") -> pd.DataFrame:
    """Weekly or monthly rows of a wide daily frame, labelled with the last session of each period.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_sessions, n_tickers)
        Index of ascending naive midnights.
    interval : {"1wk", "1mo"}
        Weeks run from Monday to Sunday.
    reach : Timestamp, optional
        Last date that was asked for, where the data could be had up to it; default: the frame's last date.
    field : str
        Prices are those of the last session with one; an open is the first, a high the highest, a low the
        lowest, volume and dividends the sum, splits the product.

    Returns
    -------
    pandas.DataFrame of shape (n_periods, n_tickers)
        Without a last period that ``reach`` cuts short (its last weekday, or its last day where the frame has
        weekends). Empty if no period is complete.
    """
    index = pd.DatetimeIndex(frame.index)
    period = index.to_period(_SAMPLED[interval])
    labels = pd.DatetimeIndex(pd.Series(index, index=index).groupby(period).last().to_numpy(), name=index.name)
    groups = frame.groupby(period)
    how = _COMBINED.get(field, "last")
    if how == "prod":  # no split is 0, which must not multiply
        out: Any = frame.mask(frame == 0.0).groupby(period).prod(min_count=1).fillna(0.0)
    elif how == "sum":
        out = groups.sum(min_count=1)
    else:
        out = groups.agg(how)
    complete: pd.DataFrame = pd.DataFrame(out).set_axis(labels.as_unit("us"), axis=0)
    final = period[-1].end_time.normalize()
    if not (index.day_of_week >= 5).any():
        final -= pd.Timedelta(days=max(int(final.day_of_week) - 4, 0))
    if final > (index[-1] if reach is None else reach):
        complete = complete.iloc[:-1]
    return complete
