"""Windows of one security that meet: events placed in sessions, searched by sorted keys of (security, session)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy._typing import BoolArray, IntArray
from eventstudy.data.calendars import sessions as exchange_sessions
from eventstudy.errors import AlignmentError
from eventstudy.events import Events, ResolvedEvents
from eventstudy.kernels import chunks
from eventstudy.windows import EventIndex, Window, WindowLike

if TYPE_CHECKING:
    from eventstudy.panel import ReturnPanel

__all__ = [
    "Held",
    "by_exchange",
    "contaminated",
    "days_of",
    "event_days",
    "expanded",
    "key_range",
    "overlaps",
    "placed",
]

Held: TypeAlias = "dict[str, pd.DatetimeIndex | ReturnPanel]"
"""What the events of each exchange are counted in: sessions, or a panel of weeks, months or intraday bars."""

_CHUNK = 65_536  # events whose pairs are held at a time


def by_exchange(events: Events, exchange: str) -> dict[str, IntArray]:
    """Rows of the events of each exchange."""
    found: dict[str, IntArray] = {}
    for name, rows in events._by_calendar(np.arange(len(events)), exchange):
        found[name] = np.concatenate([found[name], rows]) if name in found else rows  # named, and by default
    return found


def days_of(held: pd.DatetimeIndex | ReturnPanel) -> pd.DatetimeIndex:
    """Naive local dates, or ends of bars, of what events are counted in."""
    index = held if isinstance(held, pd.DatetimeIndex) else held.sessions
    return index if index.tz is None else index.tz_localize(None)


def placed(
    events: Events, sessions: pd.DatetimeIndex | ReturnPanel | None, exchange: str, hull: Window
) -> tuple[IntArray, Held]:
    """Position of every event, and the sessions it counts in, by exchange."""
    position = np.empty(len(events), dtype=np.int64)
    held: Held = {}
    for name, rows in by_exchange(events, exchange).items():
        part = events if len(rows) == len(events) else events.subset(rows)
        days = _around(part, name, hull) if sessions is None else sessions
        found = part.resolve(days, name)
        _check_placed(part, found)
        position[rows], held[name] = found.position, days
    return position, held


def _around(events: Events, exchange: str, hull: Window) -> pd.DatetimeIndex:
    """Sessions of the exchange that hold the windows of all events: twice as many days, and a month."""
    days = events._local_days()
    before, after = (2 * abs(end) + 31 for end in (min(hull.start, 0), max(hull.end, 0)))
    return exchange_sessions(exchange, (days.min() - before).item(), (days.max() + after).item())


def _check_placed(events: Events, found: ResolvedEvents) -> None:
    lost = np.flatnonzero(found.position < 0)
    if len(lost):
        first = int(lost[0])
        raise AlignmentError(
            f"{len(lost)} of {len(events)} events have no event session. First: {found.reason[first]}",
            event_id=events.event_id[first],
            ticker=events.ticker[first],
        )


def event_days(
    position: IntArray, which: IntArray, held: Held, events: Events, exchange: str
) -> npt.NDArray[np.datetime64]:
    """Event session of each of some events."""
    day = np.empty(len(events), dtype="datetime64[ns]")
    for name, rows in by_exchange(events, exchange).items():
        day[rows] = days_of(held[name]).to_numpy()[position[rows]]
    return day[which]


def key_range(
    key: IntArray, code: IntArray, position: IntArray, window: Window, n_sessions: int
) -> tuple[IntArray, IntArray]:
    """First and past-the-last place in sorted keys of ``code`` inside ``window`` around ``position``."""
    first = np.clip(position + window.start, 0, n_sessions)
    last = np.clip(position + window.end, -1, n_sessions - 1)
    base = code * n_sessions
    low, high = np.searchsorted(key, base + first), np.searchsorted(key, base + last, side="right")
    return low, np.where(code < 0, low, np.maximum(high, low))


def expanded(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """Index of each range and every whole number in it, for ranges ``low`` to ``high`` (excluded)."""
    count = high - low
    at = np.repeat(np.arange(len(low)), count)
    return at, np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count) + low[at]


def overlaps(
    events: Events, sessions: pd.DatetimeIndex | ReturnPanel | None, window: WindowLike, *, exchange: str = "NYSE"
) -> pd.DataFrame:
    """Table behind :meth:`eventstudy.Events.overlaps`."""
    chosen = Window.of(window)
    position, held = placed(events, sessions, exchange, chosen)
    n_sessions, code = max(len(days_of(days)) for days in held.values()), events._coded[0]
    key = code * n_sessions + position
    order = np.argsort(key, kind="stable")
    low, high = key_range(key[order], code, position, Window(0, len(chosen) - 1), n_sessions)
    at, nth = expanded(low + 1, np.maximum(high, low + 1))  # the first is the event itself
    other = order[nth]
    keep = np.lexsort((other, at))
    at, other = at[keep], other[keep]
    day = event_days(position, np.arange(len(events)), held, events, exchange)
    first, last = position[other] + chosen.start, position[at] + chosen.end

    def date_of(place: IntArray) -> pd.DatetimeIndex:
        found = np.full(len(place), np.datetime64("NaT"), dtype="datetime64[ns]")
        for name, rows in by_exchange(events, exchange).items():
            days = days_of(held[name]).to_numpy()
            mine = np.flatnonzero(np.isin(at, rows) & (place >= 0) & (place < len(days)))
            found[mine] = days[place[mine]]
        return pd.DatetimeIndex(found)

    return pd.DataFrame(
        {
            "event_id": events.event_id[at],
            "other_event_id": events.event_id[other],
            "ticker": events.ticker[at],
            "session": pd.DatetimeIndex(day[at]),
            "other_session": pd.DatetimeIndex(day[other]),
            "shared_sessions": last - first + 1,
            "first_shared": date_of(first),
            "last_shared": date_of(last),
        }
    )


def contaminated(events: Events, resolved: ResolvedEvents, kept: IntArray, index: EventIndex) -> dict[str, BoolArray]:
    """Which events have another event of their security in their estimation or event window, shape (n_kept,) each.

    Events that were dropped count as others: they are news all the same.
    """
    code, position = events._coded[0], resolved.position
    there = position >= 0
    n_sessions = int(position.max(initial=0)) + 1
    key = np.sort(code[there] * n_sessions + position[there])
    own, at = code[kept], position[kept]

    def within(window: Window) -> IntArray:
        low, high = key_range(key, own, at, window, n_sessions)
        return high - low

    estimation = within(index.estimation)
    if index.hole is not None:
        estimation = estimation - within(index.hole)
    if index.usable is not None:  # cells near other events may have been taken out already
        for part in chunks(len(at), _CHUNK):
            low, high = key_range(key, own[part], at[part], index.estimation, n_sessions)
            of, nth = expanded(low, high)
            column = key[nth] % n_sessions
            tau = column - at[part][of]
            counts = index.usable[index.security[part][of], column]
            if index.hole is not None:
                counts = counts & ((tau < index.hole.start) | (tau > index.hole.end))
            estimation[part] = np.bincount(of[counts], minlength=len(low))
    return {"estimation": estimation > 0, "event": within(index.event) > int(0 in index.event)}
