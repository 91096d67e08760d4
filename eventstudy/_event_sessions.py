"""Event sessions: which session of a panel is τ = 0 of each event, by which rule, or why there is none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy._stamps import ObjectArray
from eventstudy.data.calendars import RULES, session_of
from eventstudy.errors import InputError

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, IntArray
    from eventstudy.events import Events

__all__ = ["DATE_RULES", "DayArray", "ResolvedEvents", "first_repeat", "resolved"]

DayArray: TypeAlias = npt.NDArray[np.datetime64]
_Codes: TypeAlias = npt.NDArray[np.int8]
_Array = TypeVar("_Array", bound=npt.NDArray[np.generic])
# position, session and code of the rule
_Columns: TypeAlias = tuple["IntArray", DayArray, _Codes]

DATE_RULES = ("date is a session", "date is no session, next session")
"""What put a bare date into its session; moments follow :data:`eventstudy.data.calendars.RULES`."""

_ON, _NEXT = range(len(DATE_RULES))
_NONE, _EARLY, _LATE, _GAP = -1, -2, -3, -4
_WORDS = np.array([*DATE_RULES, *RULES, None, None, None, None], dtype=object)  # no rule: counted from the end

# Holidays are hardly longer; a longer way to the panel's next session means missing data.
_MAX_SHIFT_DAYS = 7
_CELLS = 64  # a table of all tickers and days is made where it has at most so many cells for each event


class ResolvedEvents:
    """Event sessions of an event table; every array has shape (n_events,) and is read-only.

    Parameters
    ----------
    position : ndarray
        The attribute of this name.
    session, rule, shift, reason : ndarray, or function that makes it
        The attributes of these names: of a million events they are rarely read, and made when they are.

    Attributes
    ----------
    position : ndarray of int64
        Position of τ = 0 among the panel's sessions; −1 if there is none.
    session : ndarray of datetime64[D]
        Event session. A moment's is kept even if the panel lacks it; NaT where none could be named.
    rule : ndarray of object
        How the session was found, in words; None where it was not.
    shift : ndarray of int64
        Calendar days from the stated local date to the session; 0 where there is no session.
    reason : ndarray of object
        Why there is no position, and what to do; None where there is one.
    """

    def __init__(
        self,
        position: IntArray,
        session: DayArray | Callable[[], DayArray],
        rule: ObjectArray | Callable[[], ObjectArray],
        shift: IntArray | Callable[[], IntArray],
        reason: ObjectArray | Callable[[], ObjectArray],
    ) -> None:
        self.position = _frozen(position)
        self._session, self._rule, self._shift, self._reason = session, rule, shift, reason

    @functools.cached_property
    def session(self) -> DayArray:
        """Event sessions."""
        return _frozen(self._session() if callable(self._session) else self._session)

    @functools.cached_property
    def rule(self) -> ObjectArray:
        """How each session was found, in words."""
        return _frozen(self._rule() if callable(self._rule) else self._rule)

    @functools.cached_property
    def shift(self) -> IntArray:
        """Calendar days from the stated date to the session."""
        return _frozen(self._shift() if callable(self._shift) else self._shift)

    @functools.cached_property
    def reason(self) -> ObjectArray:
        """Why there is no position."""
        return _frozen(self._reason() if callable(self._reason) else self._reason)

    def __len__(self) -> int:
        return len(self.position)


def _frozen(array: _Array) -> _Array:
    array.flags.writeable = False
    return array


def resolved(events: Events, panel_sessions: pd.DatetimeIndex, calendar: str) -> ResolvedEvents:
    """Event sessions among those of a panel; see :meth:`eventstudy.Events.resolve`."""
    days = _panel_days(panel_sessions)
    stated = events._local_days()
    reasons: dict[int, str] = {}
    timed = np.flatnonzero(events.has_time)
    session: DayArray | Callable[[], DayArray]
    if not len(timed):
        position, code = _dates(events, None, stated, days, reasons)
        session = functools.partial(_sessions_at, days, position)
    else:
        n = len(events)
        position = np.full(n, -1, dtype=np.int64)
        session = np.full(n, "NaT", dtype="datetime64[D]")
        code = np.full(n, _NONE, dtype=np.int8)
        bare = np.flatnonzero(~events.has_time)
        if len(bare):
            position[bare], code[bare] = _dates(events, bare, stated[bare], days, reasons)
            session[bare] = _sessions_at(days, position[bare])
        _moments(events, timed, calendar, days, (position, session, code), reasons)
    # dates that are sessions cannot meet there: no table holds one ticker twice at one stamp
    if len(timed) or (code == _NEXT).any() or not events._whole_days:
        _check_one_per_session(events, session() if callable(session) else session)
    return ResolvedEvents(
        position,
        session,
        functools.partial(_rules, code),
        functools.partial(_shifts, session, stated),
        functools.partial(_reasons, len(events), reasons),
    )


def _rules(code: _Codes) -> ObjectArray:
    return _WORDS[code]


def _sessions_at(days: DayArray, position: IntArray) -> DayArray:
    return np.where(position < 0, np.datetime64("NaT"), days[position])


def _shifts(found: DayArray | Callable[[], DayArray], stated: DayArray) -> IntArray:
    session = found() if callable(found) else found
    return np.where(np.isnat(session), 0, (session - stated).astype(np.int64))


def _reasons(n: int, reasons: dict[int, str]) -> ObjectArray:
    texts = np.full(n, None, dtype=object)
    for row, text in reasons.items():
        texts[row] = text
    return texts


def _dates(
    events: Events, rows: IntArray | None, wanted: DayArray, days: DayArray, reasons: dict[int, str]
) -> tuple[IntArray, _Codes]:
    """Positions of the bare dates ``wanted``, those of ``rows`` (None: of all), and rules; adds to ``reasons``."""
    # every date the panel spans is looked up once: few dates stand for a million events. A day more at either end
    # stands for all beyond it.
    first, last = days[0] - 1, days[-1] + 1
    every = np.arange(first, last + 1)
    at = np.searchsorted(days, every)
    found = days[np.minimum(at, len(days) - 1)]
    wait = (found - every).astype(np.int64)
    code = np.select([wait == 0, wait <= _MAX_SHIFT_DAYS], [_ON, _NEXT], _GAP).astype(np.int8)
    code[0], code[-1] = _EARLY, _LATE
    good = code >= 0
    nth = wanted.view(np.int64) - first.astype(np.int64)
    position, codes = np.where(good, at, -1).take(nth, mode="clip"), code.take(nth, mode="clip")
    span = f"its sessions run from {days[0]} to {days[-1]}"
    for row in np.flatnonzero(position < 0).tolist():
        day, why = wanted[row], codes[row]
        event = row if rows is None else int(rows[row])
        what = {
            _EARLY: f"the date {day} lies before the panel; {span}. Load earlier prices, or leave the event out.",
            _LATE: f"the date {day} lies after the panel; {span}. Load later prices, or leave the event out.",
        }
        reasons[event] = f"{events.ticker[event]}: " + (
            what.get(why)
            or f"the panel has no session from {day} to {found[nth[row]] - 1}, more than a holiday. "
            "Load the missing prices, or leave the event out."
        )
    return position, codes


def _moments(
    events: Events, rows: IntArray, calendar: str, days: DayArray, out: _Columns, reasons: dict[int, str]
) -> None:
    """Fill ``out`` at ``rows``, the moments, and add to ``reasons``."""
    position, session, code = out
    for name, members in events._by_calendar(rows, calendar):
        found = session_of(events.stamp[members], name, outside="nat")
        at = np.searchsorted(days, found.session)
        exact = days[np.minimum(at, len(days) - 1)] == found.session
        position[members[exact]] = at[exact]
        session[members] = found.session
        code[members] = np.where(found.code < 0, _NONE, found.code + len(DATE_RULES))
        unknown = np.isnat(found.session)
        lost = members[unknown]
        for row, text in zip(lost.tolist(), events._texts_of(lost), strict=True):
            reasons[row] = (
                f"{events.ticker[row]}: calendar {name} does not reach {text}. "
                "Correct the stamp, or give the event another calendar."
            )
        lost = members[~exact & ~unknown]
        for row, text in zip(lost.tolist(), events._texts_of(lost), strict=True):
            reasons[row] = (
                f"{events.ticker[row]}: the panel has no session {session[row]} ({name}), to which the stamp {text} "
                f"belongs; its sessions run from {days[0]} to {days[-1]}. Load prices of that day, or leave the event "
                "out."
            )


def _check_one_per_session(events: Events, session: DayArray) -> None:
    """Refuse two events of one ticker in one session."""
    known = np.flatnonzero(~np.isnat(session))
    if not len(known):
        return
    day = session[known].astype(np.int64)
    code = events._coded[0][known]
    span = int(day.max() - day.min()) + 1
    key = code * span + (day - day.min())
    if _distinct(key, span * len(events.tickers)):
        return
    pair = first_repeat(code, day, None)
    assert pair is not None
    first, second = (int(known[row]) for row in pair)
    texts = events._texts_of(np.array([first, second]))
    ids = events.event_id[first], events.event_id[second]
    raise InputError(
        f"Duplicate security-event: events {ids[0]!s} ({texts[0]}) and {ids[1]!s} ({texts[1]}) of "
        f"{events.ticker[first]} fall on one session, {session[first]}.",
        remedy="Keep one of them, or merge their labels.",
        ticker=events.ticker[first],
        session=session[first],
        event_id=ids,
    )


def _distinct(key: IntArray, cells: int) -> bool:
    """Whether no number in ``0 … cells − 1`` comes twice."""
    if cells <= _CELLS * len(key):
        seen = np.zeros(cells, dtype=bool)
        seen[key] = True
        return int(np.count_nonzero(seen)) == len(key)
    key = np.sort(key)
    return bool((key[1:] != key[:-1]).all())


def first_repeat(code: IntArray, number: IntArray, flag: BoolArray | None) -> tuple[int, int] | None:
    """Positions of the first row that repeats an earlier one, and of that one."""
    columns: dict[str, npt.NDArray[np.generic]] = {"code": code, "number": number}
    if flag is not None:
        columns["flag"] = flag
    keys = pd.DataFrame(columns)
    repeated = keys.duplicated().to_numpy()
    if not repeated.any():
        return None
    second = int(np.flatnonzero(repeated)[0])
    same = (keys == keys.iloc[second]).all(axis=1).to_numpy()
    return int(np.flatnonzero(same)[0]), second


def _panel_days(panel_sessions: pd.DatetimeIndex) -> DayArray:
    """Session dates of a panel."""
    index = pd.DatetimeIndex(panel_sessions)
    if not len(index):
        raise InputError("The panel has no sessions.", remedy="Load prices that cover the events.")
    if index.tz is not None or index.hasnans or (index != index.normalize()).any():
        raise InputError("The panel's sessions must be naive midnights.", remedy="Drop zone and time of day.")
    days = index.to_numpy().astype("datetime64[D]")
    if not (days[1:] > days[:-1]).all():
        raise InputError("The panel's sessions must ascend without repeats.", remedy="Sort and deduplicate them.")
    return days
