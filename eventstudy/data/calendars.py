"""Exchange sessions, and the session to which a moment belongs.

The sessions come from *pandas-market-calendars*, which is imported on first use. A market identifier code
(``XNYS``, ``XLON``, ``XTKS``) names the table that it takes over from *exchange_calendars*, any other name
(``NYSE``, ``LSE``, ``JPX``, ``NASDAQ``) its own.

Notes
-----
Over 2005–2026 the two families hold the same sessions and closes for London, Tokyo, Toronto, Zurich, Shanghai
and, but for the close of 1 June 2005 (15:56 in ``NYSE``, when trading stopped), New York. They differ for
``ASX`` (no holidays before 2011), ``HKEX``, ``EUREX`` and ``BMF``: prefer ``XASX``, ``XHKG``, ``XEUR`` and
``BVMF``.
"""

from __future__ import annotations

import difflib
import functools
import threading
import warnings
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy.errors import AlignmentError, InputError

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, IntArray

__all__ = ["RULES", "SessionLookup", "TradingHours", "check_calendar", "session_of", "sessions", "trading_hours"]

RULES = (
    "before the open",
    "during the session",
    "after the close, next session",
    "not a session, next session",
)
"""What put a moment into its session; ``SessionLookup.code`` indexes it."""

_BEFORE, _DURING, _AFTER, _CLOSED = range(len(RULES))
_OUTSIDE = -1

# Markets on New York's hours that pandas-market-calendars lists under another name or not at all.
_ALIASES = {"XNAS": "NASDAQ", "ARCX": "NYSE", "XASE": "NYSE", "AMEX": "NYSE"}
# Own calendars whose first and last known year only exchange_calendars states, under the market's code.
_BOUNDS_OF = {"JPX": "XTKS", "XJPX": "XTKS", "LSE": "XLON", "HKEX": "XHKG", "SSE": "XSHG"}
# Holiday rules run from 1970 (New York's from 1885) to 2200; outside, every weekday would pass for a session.
_RULES_FIRST, _RULES_LAST = np.datetime64("1970-01-01"), np.datetime64("2199-12-31")
_NEW_YORK_FIRST = np.datetime64("1885-01-01")

_NS_PER_DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class SessionLookup:
    """Sessions of a list of moments.

    Attributes
    ----------
    session : ndarray of datetime64[D], shape (n,)
        The event session; NaT where the calendar does not reach.
    code : ndarray of int8, shape (n,)
        Index into :data:`RULES`; −1 where the calendar does not reach.
    calendar : str
        The calendar as it was asked for.
    """

    session: npt.NDArray[np.datetime64]
    code: npt.NDArray[np.int8]
    calendar: str

    @property
    def rule(self) -> npt.NDArray[np.object_]:
        """Rule used, in words: object array of shape (n,), None where the calendar does not reach."""
        return np.array([*RULES, None], dtype=object)[self.code]

    def __len__(self) -> int:
        return len(self.session)


@dataclass(frozen=True, slots=True)
class TradingHours:
    """Opens and closes of consecutive sessions, early closes included.

    Attributes
    ----------
    session : ndarray of datetime64[D], shape (n,)
        Session dates, ascending.
    open, close : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC.
    zone : str
        Zone of the exchange.
    """

    session: npt.NDArray[np.datetime64]
    open: IntArray
    close: IntArray
    zone: str

    def __len__(self) -> int:
        return len(self.session)


@dataclass(frozen=True, slots=True)
class _Schedule:
    """Sessions of whole years: dates, and UTC nanoseconds of open, close and of the local day's two ends."""

    session: npt.NDArray[np.datetime64]
    open: IntArray
    close: IntArray
    day_start: IntArray
    day_end: IntArray
    years: tuple[int, int]
    zone: str


_schedules: dict[str, _Schedule] = {}
_lock = threading.Lock()


def sessions(calendar: str, start: str | date, end: str | date) -> pd.DatetimeIndex:
    """Sessions of an exchange from ``start`` to ``end``, both included.

    Parameters
    ----------
    calendar : str
        ``"NYSE"``, ``"XLON"``, ``"JPX"``, …; case is ignored.
    start, end : str or date
        First and last calendar date.

    Returns
    -------
    DatetimeIndex of shape (n_sessions,)
        Naive midnights of the session dates, ascending.

    Raises
    ------
    InputError
        For an unknown calendar, or dates that are reversed or cannot be read.
    AlignmentError
        When the calendar does not reach ``start`` or ``end``.

    Examples
    --------
    >>> from eventstudy.data.calendars import sessions
    >>> list(sessions("NYSE", "2025-01-07", "2025-01-13").strftime("%d %b"))  # closed on 9 January
    ['07 Jan', '08 Jan', '10 Jan', '13 Jan']
    """
    return pd.DatetimeIndex(trading_hours(calendar, start, end).session).as_unit("us")


def trading_hours(calendar: str, start: str | date, end: str | date) -> TradingHours:
    """Open and close of each session of an exchange from ``start`` to ``end``, both included.

    Parameters, and errors raised, are those of :func:`sessions`.

    Examples
    --------
    >>> import pandas as pd
    >>> from eventstudy.data.calendars import trading_hours
    >>> hours = trading_hours("NYSE", "2024-12-23", "2024-12-24")  # closed at 13:00 on Christmas Eve
    >>> [str(pd.Timestamp(close, tz="UTC").tz_convert(hours.zone).time()) for close in hours.close]
    ['16:00:00', '13:00:00']
    """
    first, last = _day(start, "start"), _day(end, "end")
    if last < first:
        raise InputError(f"start {first} lies after end {last}.", remedy="Swap them.", start=first, end=last)
    name = _known_name(calendar)
    lowest, highest = _coverage(name)
    for day in (first, last):
        if not lowest <= day <= highest:
            raise _uncovered(calendar, str(day), lowest, highest)
    schedule = _schedule(name, _year(first), _year(last))
    days = schedule.session
    part = slice(int(np.searchsorted(days, first)), int(np.searchsorted(days, last, side="right")))
    return TradingHours(days[part], schedule.open[part], schedule.close[part], schedule.zone)


def session_of(
    timestamps: IntArray | pd.DatetimeIndex | pd.Timestamp,
    calendar: str = "NYSE",
    *,
    outside: Literal["raise", "nat"] = "raise",
) -> SessionLookup:
    """Event session of each moment: the first session whose close lies strictly after it.

    Before the open or during trading (lunch breaks included) that is the session itself; at the close or
    later, early closes included, it is the next session; on a day without trading, the next session too.

    Parameters
    ----------
    timestamps : ndarray of int64, shape (n,), or tz-aware DatetimeIndex or Timestamp
        Moments; integers are nanoseconds since 1970 UTC.
    calendar : str
        Exchange calendar; case is ignored.
    outside : {"raise", "nat"}
        What to do with a moment that the calendar does not reach.

    Returns
    -------
    SessionLookup
        Session and rule of each moment, shape (n,).

    Raises
    ------
    InputError
        For an unknown calendar or timestamps of another type.
    AlignmentError
        For a missing moment, one without zone, or (``outside="raise"``) one that the calendar does not reach.

    Examples
    --------
    >>> import pandas as pd
    >>> from eventstudy.data.calendars import session_of
    >>> found = session_of(pd.DatetimeIndex(["2025-01-29 04:46", "2025-01-29 16:00"], tz="America/New_York"))
    >>> [str(day) for day in found.session]
    ['2025-01-29', '2025-01-30']
    >>> list(found.rule)
    ['before the open', 'after the close, next session']
    """
    if outside not in ("raise", "nat"):
        raise InputError(f"outside is {outside!r}; expected 'raise' or 'nat'.")
    stamps = _nanoseconds(timestamps)
    name = _known_name(calendar)
    session = np.full(len(stamps), "NaT", dtype="datetime64[D]")
    code = np.full(len(stamps), _OUTSIDE, dtype=np.int8)
    if len(stamps):
        lowest, highest = _coverage(name)
        inside = (stamps >= lowest.astype(np.int64) * _NS_PER_DAY) & (
            stamps < (highest.astype(np.int64) + 1) * _NS_PER_DAY
        )
        if inside.all():
            session, code = _assign(stamps, name)
        elif inside.any():
            session[inside], code[inside] = _assign(stamps[inside], name)
        missing = code == _OUTSIDE
        if outside == "raise" and missing.any():
            stamp = pd.Timestamp(int(stamps[missing][0]), tz="UTC")
            raise _uncovered(calendar, stamp.isoformat(), lowest, highest)
    session.flags.writeable = False
    code.flags.writeable = False
    return SessionLookup(session, code, calendar)


def _assign(stamps: IntArray, name: str) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int8]]:
    """Session and rule code of stamps (n,) that lie within the calendar's years."""
    days = stamps.min() // _NS_PER_DAY, stamps.max() // _NS_PER_DAY
    # The stamp's local day may be the neighbour of its UTC day, and the next session may be weeks away.
    first, last = (np.datetime64(int(day), "D") + pad for day, pad in zip(days, (-10, 31), strict=True))
    schedule = _schedule(name, _year(first), _year(last))
    at = np.searchsorted(schedule.close, stamps, side="right")
    found: BoolArray = at < len(schedule.close)
    at = np.minimum(at, len(schedule.close) - 1)
    previous_day_end = np.concatenate([[np.iinfo(np.int64).min], schedule.day_end[:-1]])
    code = np.select(
        [stamps >= schedule.open[at], stamps >= schedule.day_start[at], stamps < previous_day_end[at]],
        [_DURING, _BEFORE, _AFTER],
        _CLOSED,
    ).astype(np.int8)
    session = schedule.session[at]
    if not found.all():
        session[~found], code[~found] = np.datetime64("NaT"), _OUTSIDE
    return session, code


def _schedule(name: str, first_year: int, last_year: int) -> _Schedule:
    """Schedule of at least these years: the cached one, or a new one of all years asked for so far."""
    with _lock:
        known = _schedules.get(name)
        if known is not None:
            if known.years[0] <= first_year and last_year <= known.years[1]:
                return known
            first_year, last_year = min(first_year, known.years[0]), max(last_year, known.years[1])
        built = _build(name, first_year, last_year)
        _schedules[name] = built
        return built


def _build(name: str, first_year: int, last_year: int) -> _Schedule:
    """Schedule of whole years, clipped to what the calendar covers."""
    import pandas_market_calendars as mcal

    lowest, highest = _coverage(name)
    start = max(np.datetime64(f"{first_year:04d}-01-01"), lowest)
    end = min(np.datetime64(f"{last_year:04d}-12-31"), highest)
    with warnings.catch_warnings():
        # The package's own retiring pandas calls, and its notes on past trading hours, are not for our user.
        warnings.simplefilter("ignore")
        source = mcal.get_calendar(name)
        try:
            table = source.schedule(str(start), str(end))
        except (NotImplementedError, ValueError) as error:
            raise InputError(
                f"pandas-market-calendars cannot build calendar {name!r} for {start} to {end} ({error}).",
                remedy="Use another calendar of the same hours, or bare dates, which need no calendar.",
                calendar=name,
            ) from error
    dates = pd.DatetimeIndex(table.index)
    return _Schedule(
        session=dates.to_numpy().astype("datetime64[D]"),
        open=pd.DatetimeIndex(table["market_open"]).as_unit("ns").asi8,
        close=pd.DatetimeIndex(table["market_close"]).as_unit("ns").asi8,
        day_start=_local_midnights(dates, source.tz),
        day_end=_local_midnights(dates + pd.Timedelta(days=1), source.tz),
        years=(first_year, last_year),
        zone=str(source.tz),
    )


def _local_midnights(dates: pd.DatetimeIndex, tz: Any) -> IntArray:
    """UTC nanoseconds at which local days begin; where summer time skips midnight, just after it."""
    first = np.ones(len(dates), dtype=bool)
    return dates.tz_localize(tz, ambiguous=first, nonexistent="shift_forward").as_unit("ns").asi8


def check_calendar(calendar: str) -> None:
    """Refuse a calendar that is not known.

    Raises
    ------
    InputError
        With the names nearest to it.
    """
    if calendar != "NYSE":  # the default is known without loading the calendars
        _known_name(calendar)


def _known_name(calendar: str) -> str:
    """Name of a calendar as pandas-market-calendars spells it."""
    if not isinstance(calendar, str):
        raise InputError(f"calendar is {calendar!r}; expected a name such as 'NYSE' or 'XLON'.", calendar=calendar)
    return _spelled(calendar)


@functools.cache
def _spelled(calendar: str) -> str:
    import pandas_market_calendars as mcal

    wanted = calendar.strip()
    wanted = _ALIASES.get(wanted.upper(), wanted)
    names: list[str] = mcal.get_calendar_names()
    if wanted in names:
        return wanted
    by_upper = {name.upper(): name for name in [*_ALIASES, *reversed(names)]}
    if wanted.upper() in by_upper:
        return by_upper[wanted.upper()]
    near = difflib.get_close_matches(wanted.upper(), list(by_upper), n=4, cutoff=0.5)
    hint = ", ".join(by_upper[name] for name in near) or "NYSE, NASDAQ, XLON, XETR, XTKS, XHKG"
    raise InputError(
        f"Unknown exchange calendar {calendar!r}.",
        remedy=f"Use an exchange's name or market identifier code, for instance {hint}.",
        calendar=calendar,
    )


@functools.cache
def _coverage(name: str) -> tuple[np.datetime64, np.datetime64]:
    """First and last date for which a calendar's holidays are known."""
    if name in ("NYSE", "NASDAQ", "XNYS"):
        return _NEW_YORK_FIRST, _RULES_LAST
    from pandas_market_calendars.calendars.mirror import calendars as markets

    market = markets.get(_BOUNDS_OF.get(name, name))
    bounds = (None, None) if market is None else (market.bound_min(), market.bound_max())
    first = _RULES_FIRST if bounds[0] is None else max(_RULES_FIRST, np.datetime64(bounds[0].date()))
    last = _RULES_LAST if bounds[1] is None else min(_RULES_LAST, np.datetime64(bounds[1].date()))
    return first, last


def _uncovered(calendar: str, what: str, lowest: np.datetime64, highest: np.datetime64) -> AlignmentError:
    return AlignmentError(
        f"Calendar {calendar!r} has no session for {what}: it covers {lowest} to {highest}.",
        remedy="Check the date, or give the event another calendar.",
        calendar=calendar,
        date=what,
    )


def _nanoseconds(timestamps: IntArray | pd.DatetimeIndex | pd.Timestamp) -> IntArray:
    """UTC nanoseconds of moments, as an array of shape (n,)."""
    if isinstance(timestamps, pd.Timestamp):
        timestamps = pd.DatetimeIndex([timestamps])
    if isinstance(timestamps, pd.DatetimeIndex):
        if timestamps.hasnans:
            raise AlignmentError("A timestamp is missing (NaT).", remedy="Drop it, or give the moment.")
        if timestamps.tz is None:
            raise AlignmentError(
                f"Timestamp {timestamps[0] if len(timestamps) else ''} has no time zone.",
                remedy="Localise it first, for instance .tz_localize('America/New_York').",
            )
        return timestamps.as_unit("ns").asi8
    stamps = np.asarray(timestamps)
    if stamps.dtype != np.int64 or stamps.ndim != 1:
        raise InputError(
            f"timestamps has dtype {stamps.dtype} and shape {stamps.shape}; "
            "expected int64 UTC nanoseconds of shape (n,) or a tz-aware DatetimeIndex.",
        )
    if (stamps == np.iinfo(np.int64).min).any():
        raise AlignmentError("A timestamp is missing (NaT).", remedy="Drop it, or give the moment.")
    return stamps


def _day(value: str | date, name: str) -> np.datetime64:
    wanted = InputError(f"{name} is {value!r}; expected a date such as '2025-01-29'.")
    if not isinstance(value, str | date):
        raise wanted
    try:
        stamp = pd.Timestamp(value)
    except ValueError as error:
        raise wanted from error
    if pd.isna(stamp):
        raise wanted
    return np.datetime64(stamp.date())


def _year(day: np.datetime64) -> int:
    return int(day.astype("datetime64[Y]").astype(np.int64)) + 1970
