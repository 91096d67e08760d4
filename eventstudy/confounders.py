"""What else was going on: other dated events joined to the windows of security-events.

Joins are made on sorted keys of (security, session), so that a million events cost a sort and two searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy._typing import BoolArray, IntArray
from eventstudy.errors import InputError
from eventstudy.event_calendar import EventCalendar
from eventstudy.events import Events
from eventstudy.overlap import Held, by_exchange, days_of, event_days, expanded, key_range, placed
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from eventstudy.panel import ReturnPanel

__all__ = [
    "REACHES",
    "Matches",
    "Reach",
    "Reaches",
    "checked",
    "confounded_by",
    "hull_of",
    "joined",
    "matches",
    "reach_codes",
]

Reach: TypeAlias = Literal["security", "group", "sector", "market"]
Reaches: TypeAlias = str | Iterable[str] | None
"""How near a row of a calendar must be: one word, several, or None for all."""
REACHES: Final = get_args(Reach)
_SEED: Final = "seed"
_COLUMNS: Final = (
    "event_id",
    "ticker",
    "session",
    "window",
    "confounder",
    "kind",
    "scope",
    "reach",
    "certainty",
    "date",
    "time",
    "timing",
    "confounder_session",
    "rule",
    "tau",
    "in_window",
    "source",
)


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of a security-event and a row of a calendar; every array has shape (n_pairs,).

    In the order of the events, then of ``tau``, then of the calendar.
    """

    event: IntArray
    row: IntArray
    tau: IntArray
    reach: IntArray
    session: npt.NDArray[np.datetime64]
    rule: npt.NDArray[np.object_]


def confounded_by(
    events: Events,
    calendar: EventCalendar,
    sessions: pd.DatetimeIndex | ReturnPanel | None,
    windows: Sequence[WindowLike],
    *,
    exchange: str = "NYSE",
    reach: Reaches = None,
) -> pd.DataFrame:
    """Table behind :meth:`eventstudy.Events.confounded_by`."""
    chosen, calendar = _windows(windows), checked(calendar)
    position, held = placed(events, sessions, exchange, hull_of(chosen))
    return joined(events, position, calendar, held, chosen, exchange, reach)


def checked(calendar: EventCalendar) -> EventCalendar:
    """The calendar, if it is one."""
    if not isinstance(calendar, EventCalendar):
        raise InputError(
            f"The calendar of other events must be an EventCalendar, not {type(calendar).__name__}.",
            remedy="Use EventCalendar.read(path), .from_frame(frame) or .sample().",
        )
    return calendar


def hull_of(windows: Sequence[Window]) -> Window:
    """The shortest window that holds all of some."""
    return Window(min(window.start for window in windows), max(window.end for window in windows))


def joined(
    events: Events,
    position: IntArray,
    calendar: EventCalendar,
    held: Held,
    windows: Sequence[Window],
    exchange: str,
    reach: Reaches,
) -> pd.DataFrame:
    """One row for each event, window and row of the calendar within the hull of the windows."""
    found = matches(events, position, calendar, held, hull_of(windows), exchange, reach)
    rows, names = calendar.frame, np.array(REACHES, dtype=object)
    parts = []
    for window in windows:
        columns: dict[str, Any] = {
            "event_id": events.event_id[found.event],
            "ticker": events.ticker[found.event],
            "session": pd.DatetimeIndex(event_days(position, found.event, held, events, exchange)),
            "window": str(window),
            "confounder": rows["label"].to_numpy(dtype=object)[found.row],
            "reach": names[found.reach],
            "confounder_session": pd.DatetimeIndex(found.session),
            "rule": found.rule,
            "tau": found.tau,
            "in_window": (found.tau >= window.start) & (found.tau <= window.end),
        }
        columns |= {
            name: rows[name].to_numpy(dtype=object)[found.row]
            for name in ("kind", "scope", "certainty", "date", "time", "timing", "source")
        }
        parts.append(pd.DataFrame(columns, columns=list(_COLUMNS)).assign(_event=found.event))
    frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    frame = frame.sort_values("_event", kind="stable", ignore_index=True)
    return frame.drop(columns="_event")


def _windows(windows: Sequence[WindowLike]) -> list[Window]:
    single = isinstance(windows, Window | str) or (
        len(windows) == 2 and all(isinstance(end, int | np.integer) for end in windows)
    )
    chosen = [Window.of(cast(WindowLike, windows))] if single else [Window.of(window) for window in windows]
    if not chosen:
        raise InputError("windows is empty.", remedy="Name at least one, such as [(0, 1)].")
    return list(dict.fromkeys(chosen))


def reach_codes(reach: Reaches) -> set[int]:
    """Places of the words of reach in :data:`REACHES`."""
    wanted = REACHES if reach is None else (reach,) if isinstance(reach, str) else tuple(reach)
    unknown = [name for name in wanted if name not in REACHES]
    if unknown or not wanted:
        raise InputError(
            f"reach={reach!r} is not known.", remedy=f"Use one or several of {', '.join(map(repr, REACHES))}."
        )
    return {REACHES.index(name) for name in wanted}


# -- joins ---------------------------------------------------------------------------------------------------------


def matches(
    events: Events,
    position: IntArray,
    calendar: EventCalendar,
    held: Held,
    window: Window,
    exchange: str,
    reach: Reaches,
) -> Matches:
    """Rows of the calendar that concern an event and lie in its window, its own announcement left out."""
    wanted = reach_codes(reach)
    parts: list[list[npt.NDArray[Any]]] = []
    for name, members in by_exchange(events, exchange).items():
        days = held[name]
        place = calendar.resolve(days, name)
        usable = members[position[members] >= 0]
        pairs = [
            _joined(position[usable], codes, place.position, row, row_codes, window, len(days_of(days)), level)
            for level, codes, row, row_codes in _levels(events, usable, calendar)
            if level in wanted
        ]
        for at, row, tau, level_of in pairs:
            parts.append([usable[at], row, tau, level_of, place.session[row], place.rule[row]])
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return Matches(none, none, none, none, none.astype("datetime64[D]"), none.astype(object))
    event, row, tau, level_of, session, rule = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((level_of, row, tau, event))
    event, row, tau = event[order], row[order], tau[order]
    keep = ~_own(events, calendar, event, row, tau)
    keep[1:] &= (event[1:] != event[:-1]) | (row[1:] != row[:-1])  # named twice, as ticker and group: the nearest
    left = order[keep]
    return Matches(event[keep], row[keep], tau[keep], level_of[left], session[left], rule[left])


def _levels(
    events: Events, usable: IntArray, calendar: EventCalendar
) -> Iterator[tuple[int, IntArray, IntArray, IntArray]]:
    """For each reach: its code, codes of the events, and rows of the calendar with their codes."""
    scope = pd.Series(calendar.scopes).explode()
    rows, text = scope.index.to_numpy(dtype=np.int64), scope.to_numpy(dtype=object)
    lower = np.array([word.lower() for word in text], dtype=object)
    codes, names = events._coded
    tables = [(0, codes[usable], pd.Index(names, dtype=object))]
    if events.group is not None:
        group_codes, groups = pd.factorize(events.group)
        tables.append((1, group_codes[usable].astype(np.int64), pd.Index(groups, dtype=object)))
    for level, own, index in tables:
        found = index.get_indexer(pd.Index(text, dtype=object)).astype(np.int64)
        there = found >= 0
        yield level, own, rows[there], found[there]
    for level in (2, 3):
        there = lower == REACHES[level]
        yield level, np.zeros(len(usable), np.int64), rows[there], np.zeros(int(there.sum()), np.int64)


def _joined(
    position: IntArray,
    code: IntArray,
    row_position: IntArray,
    row: IntArray,
    row_code: IntArray,
    window: Window,
    n_sessions: int,
    level: int,
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Event, row, relative session and reach of every row of an event's own code inside its window."""
    there = row_position[row] >= 0
    row, row_code = row[there], row_code[there]
    key = row_code * n_sessions + row_position[row]
    order = np.argsort(key, kind="stable")
    low, high = key_range(key[order], code, position, window, n_sessions)
    at, nth = expanded(low, high)
    found = row[order[nth]]
    return at, found, row_position[found] - position[at], np.full(len(at), level, np.int64)


def _own(events: Events, calendar: EventCalendar, event: IntArray, row: IntArray, tau: IntArray) -> BoolArray:
    """Whether a row is the event itself: on the event session, with its moment, its label, its kind, or a seed."""
    frame = calendar.frame
    stamp, has_time, _ = calendar._stamped
    own = has_time[row] & events.has_time[event] & (stamp[row] == events.stamp[event])
    own |= (frame["certainty"].str.lower() == _SEED).to_numpy()[row]
    if events.label is not None:
        label = frame["label"].to_numpy(dtype=object)
        own |= label[row] == events.label[event]
    kinds = None if events.extra is None else events.extra.get("kind")
    if kinds is not None:
        kind = frame["kind"].to_numpy(dtype=object)[row]
        own |= (kind != "") & (kind == kinds.astype(str).to_numpy(dtype=object)[event])
    return np.asarray(own & (tau == 0), dtype=bool)
