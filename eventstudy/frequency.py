"""Returns of weeks, months and intraday bars, and which of them holds a date or a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy._frames import as_pandas, is_table, wide_pandas
from eventstudy._typing import BoolArray, FloatArray, Frequency, IntArray, ReturnKind
from eventstudy.data.calendars import TradingHours, check_calendar, session_of, sessions, trading_hours
from eventstudy.errors import InputError

if TYPE_CHECKING:
    from eventstudy.panel import ReturnPanel

__all__ = [
    "UNITS",
    "Outside",
    "Stamps",
    "bar_days",
    "bar_returns",
    "check_frequency",
    "overnight_bars",
    "period_of",
    "resampled",
    "sampled",
]

DayArray: TypeAlias = npt.NDArray[np.datetime64]
Stamps: TypeAlias = Literal["start", "end"]
Outside: TypeAlias = Literal["raise", "drop"]

UNITS: dict[Frequency, str] = {"D": "session", "W": "week", "M": "month", "intraday": "bar"}
"""What a column of a panel is called."""

_COLUMNS = ("timestamp", "ticker", "close")


def check_frequency(frequency: object, allowed: tuple[str, ...] = get_args(Frequency)) -> None:
    """Refuse a frequency that is not one of those allowed."""
    if frequency not in allowed:
        raise InputError(
            f"frequency={frequency!r} is not an option.", remedy=f"Use one of {', '.join(map(repr, allowed))}."
        )


def period_of(days: DayArray, frequency: Frequency) -> IntArray:
    """Number of the week (Monday to Sunday) or calendar month of each date; of the day itself for ``"D"``."""
    if frequency == "M":
        return days.astype("datetime64[M]").astype(np.int64)
    number = days.astype("datetime64[D]").astype(np.int64)
    return (number + 3) // 7 if frequency == "W" else number  # 1 January 1970 was a Thursday


def _bounds(period: int, frequency: Frequency) -> tuple[np.datetime64, np.datetime64]:
    """First and last date of a week or month."""
    if frequency == "M":
        month = np.datetime64(period, "M")
        return month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]") - 1
    first = np.datetime64(7 * period - 3, "D")
    return first, first + 6


def _periods(days: DayArray, frequency: Frequency, calendar: str) -> tuple[IntArray, IntArray, bool, bool]:
    """First and last row of each period, and whether the first and the last period are complete."""
    code = period_of(days, frequency)
    last = np.flatnonzero(np.append(np.diff(code) != 0, True))
    first = np.append(0, last[:-1] + 1)
    start, _ = _bounds(int(code[0]), frequency)
    _, end = _bounds(int(code[-1]), frequency)
    before = sessions(calendar, str(start), str(days[0])).to_numpy().astype("datetime64[D]")
    after = sessions(calendar, str(days[-1]), str(end)).to_numpy().astype("datetime64[D]")
    return first, last, not (before < days[0]).any(), not (after > days[-1]).any()


def resampled(panel: ReturnPanel, frequency: Frequency, calendar: str) -> ReturnPanel:
    """Weekly or monthly returns compounded from daily ones; see :meth:`eventstudy.ReturnPanel.resample`."""
    from eventstudy.panel import ReturnPanel

    check_frequency(frequency, ("W", "M"))
    check_calendar(calendar)
    if panel.frequency != "D":
        raise InputError(
            f"Returns of {UNITS[panel.frequency]}s cannot be made into others.", remedy="Start from daily returns."
        )
    days = panel.sessions.to_numpy().astype("datetime64[D]")
    first, last, whole_first, whole_last = _periods(days, frequency, calendar)
    if panel.kind == "log":
        values = np.add.reduceat(panel.values, first, axis=1)
    else:
        values = np.multiply.reduceat(1.0 + panel.values, first, axis=1) - 1.0
    kept = slice(0 if whole_first else 1, len(last) if whole_last else len(last) - 1)
    labels = panel.sessions[last[kept]]
    if not len(labels):
        raise _no_period(frequency, days)
    return ReturnPanel(values[:, kept], panel.tickers, labels, panel.kind, panel.source, frequency, "", panel.n_factors)


def sampled(
    values: FloatArray, index: pd.DatetimeIndex, frequency: Frequency, calendar: str
) -> tuple[FloatArray, pd.DatetimeIndex]:
    """Prices of the last session of each week or month, a last period that is not over left out.

    Parameters
    ----------
    values : ndarray of float64, shape (n_securities, n_sessions)
        Prices.
    index : DatetimeIndex of shape (n_sessions,)
        Their sessions.
    frequency : {"W", "M"}
        Weeks run from Monday to Sunday.
    calendar : str
        Exchange whose sessions say whether a period is over.
    """
    check_frequency(frequency, ("W", "M"))
    check_calendar(calendar)
    days = index.to_numpy().astype("datetime64[D]")
    _, last, _, whole = _periods(days, frequency, calendar)
    last = last if whole else last[:-1]
    if len(last) < 2:
        raise _no_period(frequency, days)
    return values[:, last], index[last]


def _no_period(frequency: Frequency, days: DayArray) -> InputError:
    return InputError(
        f"No {UNITS[frequency]} is complete between {days[0]} and {days[-1]}.", remedy="Load more sessions."
    )


# -- intraday ------------------------------------------------------------------------------------------------------


def bar_days(panel: ReturnPanel) -> DayArray:
    """Session date of each bar of an intraday panel, datetime64[D] of shape (n_bars,)."""
    ends = panel.sessions.as_unit("ns").asi8
    return np.asarray(session_of(ends - 1, panel.calendar).session)  # a bar lies before its end


def bar_returns(
    prices: pd.DataFrame,
    opens: pd.DataFrame | None,
    kind: ReturnKind,
    calendar: str,
    stamps: Stamps | None,
    interval: str | pd.Timedelta | None,
    outside: Outside,
) -> tuple[FloatArray, pd.Index, pd.DatetimeIndex]:
    """Returns, tickers and ends of intraday bars; see :meth:`eventstudy.ReturnPanel.from_bars`."""
    if outside not in get_args(Outside):
        raise InputError(f"outside={outside!r} is not an option.", remedy="Use 'raise' or 'drop'.")
    check_calendar(calendar)
    prices, opens = _two_frames(prices, opens)
    stamps, length = _stamping(prices, stamps, interval)
    index = _moments(prices)
    tickers, close = _matrix(prices)
    first = None if opens is None else _aligned(opens, prices)
    at, end, hours = _laid(index, stamps, length, calendar, outside)
    kept = at >= 0
    if not kept.any():
        raise InputError(
            f"None of the {len(index)} bars lies inside a session of {calendar}.", remedy="Check zone and calendar."
        )
    close, end, at = close[:, kept], end[kept], at[kept]
    for name, values in (("close", close), ("open", None if first is None else first[:, kept])):
        if values is not None:
            _check_positive(values, tickers, end, name)
    first = None if first is None else first[:, kept]
    returns, moments = _with_overnight(close, first, end, at, hours, kind)
    return returns, tickers, pd.DatetimeIndex(moments, tz="UTC").tz_convert(hours.zone).as_unit("us")


def _pandas(table: Any) -> Any:
    """Frame of another library as pandas: a long one as it is, a wide one with its moments as the index."""
    if isinstance(table, pd.DataFrame) or not is_table(table):
        return table
    frame = as_pandas(table, "bars")
    return frame if set(_COLUMNS) <= set(frame.columns) else wide_pandas(table, "bars")


def _two_frames(prices: Any, opens: Any) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Wide frames of closes and opens, of a long one too."""
    prices, opens = _pandas(prices), _pandas(opens)
    if not isinstance(prices, pd.DataFrame) or prices.empty:
        raise InputError("A frame of intraday prices was expected.", remedy="Moments as the index, tickers as columns.")
    if not set(_COLUMNS) <= set(prices.columns):
        field = getattr(prices, "field", None)
        if opens is None and field is not None and "open" in (getattr(prices, "_fields", None) or {}):
            opens = field("open")
        return prices, opens
    again = prices.duplicated(["timestamp", "ticker"])
    if again.any():
        row = prices[again].iloc[0]
        raise InputError(
            f"{row['ticker']} has two bars at {row['timestamp']}.", remedy="Keep one row per security and bar."
        )
    wide = [
        prices.pivot(index="timestamp", columns="ticker", values=name) for name in ("close", "open") if name in prices
    ]
    return wide[0], wide[1] if len(wide) == 2 else opens


def _stamping(
    prices: pd.DataFrame, stamps: Stamps | None, interval: str | pd.Timedelta | None
) -> tuple[Stamps, pd.Timedelta | None]:
    """Whether stamps are starts or ends of bars, and the length of a bar where it is needed."""
    own = getattr(prices, "interval", None)  # prices of load_prices know both
    if stamps is None and isinstance(own, str):
        stamps = "start"
    if stamps not in get_args(Stamps):
        raise InputError(
            f"stamps={stamps!r}: whether a bar's stamp is its start or its end is not to be guessed.",
            remedy="Give stamps='start' with interval='5min', or stamps='end'.",
        )
    if stamps == "end":
        return "end", None
    given = own if interval is None else interval
    if isinstance(given, str) and given.endswith("m") and given[:-1].isdigit():
        given = f"{given}in"  # "5m" is five minutes
    try:
        length = pd.Timedelta(given)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        length = pd.NaT  # type: ignore[assignment]
    if pd.isna(length) or not pd.Timedelta(0) < length < pd.Timedelta(days=1):
        raise InputError(f"interval={given!r} is not the length of an intraday bar.", remedy="Such as interval='5min'.")
    return "start", length


def _moments(prices: pd.DataFrame) -> pd.DatetimeIndex:
    index = prices.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InputError(
            f"Bars need moments with a time zone as the index, not {index.dtype}.",
            remedy='Such as frame.tz_localize("America/New_York").',
        )
    if index.hasnans or not index.is_unique or not index.is_monotonic_increasing:
        raise InputError("The bars are not in order, or one stands twice.", remedy="frame.sort_index(), one row a bar.")
    return index


def _matrix(frame: pd.DataFrame) -> tuple[pd.Index, FloatArray]:
    from eventstudy.panel import _numeric

    columns = [_numeric(frame.iloc[:, at], str(name)) for at, name in enumerate(frame.columns)]
    return pd.Index([str(name) for name in frame.columns], dtype=object), np.ascontiguousarray(columns)


def _aligned(opens: pd.DataFrame, prices: pd.DataFrame) -> FloatArray:
    if not opens.index.equals(prices.index) or list(opens.columns) != list(prices.columns):
        raise InputError("opens does not have the rows and columns of prices.", remedy="Reindex it like prices.")
    return _matrix(opens)[1]


def _laid(
    index: pd.DatetimeIndex, stamps: Stamps, length: pd.Timedelta | None, calendar: str, outside: Outside
) -> tuple[IntArray, IntArray, TradingHours]:
    """Session of each bar (−1 outside), its end in UTC nanoseconds, and the sessions."""
    moment = index.as_unit("ns").asi8
    day = pd.Timedelta(days=1)
    hours = trading_hours(calendar, (index[0] - day).date(), (index[-1] + day).date())
    if not len(hours):
        return np.full(len(index), -1, np.int64), moment, hours
    # a bar that starts at the close, or ends at the open, is outside
    at = np.searchsorted(hours.close, moment, side="right" if stamps == "start" else "left")
    there = at < len(hours)
    at = np.minimum(at, len(hours) - 1)
    inside = there & ((moment >= hours.open[at]) if stamps == "start" else (moment > hours.open[at]))
    if outside == "raise" and not inside.all():
        stamp = index[int(np.flatnonzero(~inside)[0])]
        raise InputError(
            f"{int((~inside).sum())} of {len(index)} bars lie outside the sessions of {calendar}, first {stamp}.",
            remedy="Leave them out with outside='drop'; holidays and early closes are in the calendar.",
            timestamp=stamp,
        )
    end = moment
    if length is not None:
        end = np.minimum(moment + length.value, hours.close[at])  # the last bar of a session may be short
    return np.where(inside, at, -1), end, hours


def _check_positive(values: FloatArray, tickers: pd.Index, end: IntArray, name: str) -> None:
    with np.errstate(invalid="ignore"):
        bad = (values <= 0) | np.isinf(values)
    if bad.any():
        row, column = (int(where[0]) for where in np.nonzero(bad))
        raise InputError(
            f"{tickers[row]} has the {name} {values[row, column]:g} in the bar that ends "
            f"{pd.Timestamp(int(end[column]), tz='UTC')}; prices must be positive and finite.",
            remedy="Correct the cell, or set it to NaN if there was no trade.",
            ticker=tickers[row],
        )


def _with_overnight(
    close: FloatArray,
    first: FloatArray | None,
    end: IntArray,
    at: IntArray,
    hours: TradingHours,
    kind: ReturnKind,
) -> tuple[FloatArray, IntArray]:
    """Returns and ends of bars; with opens, the night before each session is a bar of its own that ends at the open."""
    before = np.full(close.shape, np.nan)
    before[:, 1:] = close[:, :-1]
    before[:, np.append(True, np.diff(at) > 1)] = np.nan  # no price of the session before: the night has no return
    nights = np.append(True, _after_night(at, hours))
    made: Any = before
    if first is not None:
        made = np.where(nights, first, before)
    with np.errstate(all="ignore"):
        ratio = close / made
        night = None if first is None else first[:, nights] / before[:, nights]
    if night is not None:
        where = np.flatnonzero(nights)
        ratio = np.insert(ratio, where, night, axis=1)
        end = np.insert(end, where, hours.open[at[nights]])
    with np.errstate(all="ignore"):
        returns = np.log(ratio) if kind == "log" else ratio - 1.0
    return returns[:, 1:], end[1:]  # there is no price before the first column


def _after_night(at: IntArray, hours: TradingHours) -> BoolArray:
    """Whether trading paused between each bar's session and that of the bar before, for all bars but the first.

    A market that never closes has days, but no nights.
    """
    closed = np.append(True, hours.open[1:] > hours.close[:-1])
    return np.asarray((at[1:] != at[:-1]) & (closed[at[1:]] | (at[1:] - at[:-1] > 1)))


def overnight_bars(panel: ReturnPanel) -> BoolArray:
    """Bars that hold the night before their session: the first of each but the first session; shape (n_bars,)."""
    days = bar_days(panel)
    hours = trading_hours(panel.calendar, str(days[0]), str(days[-1]))
    return np.append(False, _after_night(np.searchsorted(hours.session, days).astype(np.int64), hours))
