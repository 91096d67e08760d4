"""Event weeks, months and intraday bars: which column of a panel is τ = 0 where columns are not sessions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eventstudy._event_sessions import DATE_RULES, DayArray, ResolvedEvents, first_repeat, resolved
from eventstudy._stamps import ObjectArray
from eventstudy.data.calendars import RULES, session_of, trading_hours
from eventstudy.errors import InputError
from eventstudy.frequency import bar_days, period_of

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, IntArray
    from eventstudy.events import Events
    from eventstudy.panel import ReturnPanel

__all__ = ["placed"]

_WORDS = (*DATE_RULES, *RULES)
_REACH = 14  # days within which every exchange opens again


def placed(events: Events, panel: ReturnPanel, calendar: str) -> ResolvedEvents:
    """Column of the panel that holds each event.

    A session holds it by :func:`eventstudy._event_sessions.resolved`. A week or month holds the event's session: that
    of a moment by the exchange's hours, for a date the first session from that date on. A bar holds the moments from
    the end of the one before it until just before its own, so that news at night belongs to the night's bar, or to the
    first bar of the next session where nights have none; a date alone names no bar.
    """
    if panel.frequency == "D":
        return resolved(events, panel.sessions, calendar)
    intraday = panel.frequency == "intraday"
    reasons: dict[int, str] = {}
    session, code = _sessions(events, panel.calendar if intraday else calendar, intraday, reasons)
    known = ~np.isnat(session)
    if intraday:
        days = bar_days(panel)
        at = np.searchsorted(panel.sessions.as_unit("ns").asi8, events.stamp, side="right")
        at = np.minimum(at, len(days) - 1)
        exact = known & (days[at] == session)
    else:
        days = panel.sessions.to_numpy().astype("datetime64[D]")
        own = period_of(days, panel.frequency)
        wanted = period_of(np.where(known, session, days[0]), panel.frequency)
        at = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
        exact = known & (own[at] == wanted)
    position = np.where(exact, at, -1)
    for row in np.flatnonzero(known & ~exact).tolist():
        stated = events._texts_of(np.array([row]))[0]
        reasons[row] = (
            f"{events.ticker[row]}: the panel has no {panel.unit} of the session {session[row]}, to which {stated} "
            f"belongs; its {panel.unit}s run from {panel.label(0)} to {panel.label(-1)}. Load prices of that time, or "
            "leave the event out."
        )
    if not intraday:
        session = np.where(exact, days[at], session)
    _check_one_per_column(events, panel, position)
    stated_day = events._local_days()
    return ResolvedEvents(
        position,
        session,
        _rules(panel, code, at, exact),
        np.where(known, (session - stated_day).astype(np.int64), 0),
        functools.partial(_texts, len(events), reasons),
    )


def _sessions(
    events: Events, calendar: str, intraday: bool, reasons: dict[int, str]
) -> tuple[DayArray, npt.NDArray[np.int64]]:
    """Session of the exchange to which each event belongs, and the code of the rule in ``_WORDS``."""
    session = np.full(len(events), "NaT", dtype="datetime64[D]")
    code = np.full(len(events), -1, dtype=np.int64)
    bare, timed = np.flatnonzero(~events.has_time), np.flatnonzero(events.has_time)
    if intraday:
        for row in bare.tolist():
            day = events._texts_of(np.array([row]))[0]
            reasons[row] = (
                f"{events.ticker[row]}: the date {day} names no intraday bar. Give the time of day and its zone, such "
                f"as '{day} 10:07' with tz='America/New_York'."
            )
        parts = [(calendar, timed)] if len(timed) else []
    else:
        parts = events._by_calendar(timed, calendar) if len(timed) else []
        for name, rows in events._by_calendar(bare, calendar) if len(bare) else []:
            wanted = events._local_days()[rows]
            open_days = trading_hours(name, str(wanted.min()), str(wanted.max() + _REACH)).session
            session[rows] = open_days[np.searchsorted(open_days, wanted)]
            code[rows] = (session[rows] != wanted).astype(np.int64)
    for name, rows in parts:
        found = session_of(events.stamp[rows], name, outside="nat")
        session[rows] = found.session
        code[rows] = np.where(found.code < 0, -1, found.code + len(DATE_RULES))
        for row in rows[np.isnat(found.session)].tolist():
            reasons[row] = (
                f"{events.ticker[row]}: calendar {name} does not reach {events._texts_of(np.array([row]))[0]}. Correct "
                "the stamp, or give the event another calendar."
            )
    return session, code


def _rules(panel: ReturnPanel, code: IntArray, at: IntArray, exact: BoolArray) -> ObjectArray:
    """Rule of each event in words; None where it has no place."""
    held = [f"{words}; the {panel.unit} that holds it" for words in _WORDS]
    out: ObjectArray = np.full(len(code), None, dtype=object)
    out[exact] = np.array(held, dtype=object)[code[exact]]
    if panel.frequency == "intraday":
        night = exact & panel.overnight[at]
        held = [f"{words}; the bar that holds the night" for words in _WORDS]
        out[night] = np.array(held, dtype=object)[code[night]]
    return out


def _texts(n: int, reasons: dict[int, str]) -> ObjectArray:
    texts = np.full(n, None, dtype=object)
    for row, text in reasons.items():
        texts[row] = text
    return texts


def _check_one_per_column(events: Events, panel: ReturnPanel, position: IntArray) -> None:
    """Refuse two events of one ticker in one week, month or bar."""
    there = np.flatnonzero(position >= 0)
    pair = first_repeat(events._coded[0][there], position[there], None) if len(there) else None
    if pair is None:
        return
    first, second = (int(there[row]) for row in pair)
    texts = events._texts_of(np.array([first, second]))
    ids = events.event_id[first], events.event_id[second]
    label = panel.label(int(position[first]))
    raise InputError(
        f"Duplicate security-event: events {ids[0]!s} ({texts[0]}) and {ids[1]!s} ({texts[1]}) of "
        f"{events.ticker[first]} fall into one {panel.unit}, {label}.",
        remedy="Keep one of them, or use returns of a higher frequency.",
        ticker=events.ticker[first],
        session=label,
        event_id=ids,
    )
