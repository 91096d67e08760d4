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
from eventstudy.overlap import by_exchange, event_days, expanded, key_range, placed
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = [
    "Reach",
    "confounded_by",
    "confounded_mask",
    "confounder_texts",
    "downweighted",
    "marks_of",
    "split_by_confounding",
    "unconfounded",
]

Reach: TypeAlias = Literal["security", "group", "sector", "market"]
_REACHES: Final = get_args(Reach)
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
class _Matches:
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
    sessions: pd.DatetimeIndex | None,
    windows: Sequence[WindowLike],
    *,
    exchange: str = "NYSE",
    reach: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Table behind :meth:`eventstudy.Events.confounded_by`."""
    chosen = _windows(windows)
    hull = Window(min(window.start for window in chosen), max(window.end for window in chosen))
    position, held = placed(events, sessions, exchange, hull)
    found = _matches(events, position, calendar, held, hull, exchange, reach)
    rows, names = calendar.frame, np.array(_REACHES, dtype=object)
    parts = []
    for window in chosen:
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


def confounded_mask(
    events: Events,
    position: IntArray,
    calendar: EventCalendar,
    sessions: pd.DatetimeIndex,
    window: Window,
    exchange: str,
    reach: str | Iterable[str] | None,
) -> BoolArray:
    """Whether each event has another dated event inside ``window``, shape (n_events,)."""
    held = {name: sessions for name in by_exchange(events, exchange)}
    found = _matches(events, position, calendar, held, window, exchange, reach)
    mask = np.zeros(len(events), dtype=bool)
    mask[found.event] = True
    return mask


def _windows(windows: Sequence[WindowLike]) -> list[Window]:
    single = isinstance(windows, Window | str) or (
        len(windows) == 2 and all(isinstance(end, int | np.integer) for end in windows)
    )
    chosen = [Window.of(cast(WindowLike, windows))] if single else [Window.of(window) for window in windows]
    if not chosen:
        raise InputError("windows is empty.", remedy="Name at least one, such as [(0, 1)].")
    return list(dict.fromkeys(chosen))


def _reach_codes(reach: str | Iterable[str] | None) -> set[int]:
    wanted = _REACHES if reach is None else (reach,) if isinstance(reach, str) else tuple(reach)
    unknown = [name for name in wanted if name not in _REACHES]
    if unknown or not wanted:
        raise InputError(
            f"reach={reach!r} is not known.", remedy=f"Use one or several of {', '.join(map(repr, _REACHES))}."
        )
    return {_REACHES.index(name) for name in wanted}


# -- joins ---------------------------------------------------------------------------------------------------------


def _matches(
    events: Events,
    position: IntArray,
    calendar: EventCalendar,
    held: dict[str, pd.DatetimeIndex],
    window: Window,
    exchange: str,
    reach: str | Iterable[str] | None,
) -> _Matches:
    """Rows of the calendar that concern an event and lie in its window, its own announcement left out."""
    wanted = _reach_codes(reach)
    parts: list[list[npt.NDArray[Any]]] = []
    for name, members in by_exchange(events, exchange).items():
        days = held[name]
        place = calendar.resolve(days, name)
        usable = members[position[members] >= 0]
        pairs = [
            _joined(position[usable], codes, place.position, row, row_codes, window, len(days), level)
            for level, codes, row, row_codes in _levels(events, usable, calendar)
            if level in wanted
        ]
        for at, row, tau, level_of in pairs:
            parts.append([usable[at], row, tau, level_of, place.session[row], place.rule[row]])
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return _Matches(none, none, none, none, none.astype("datetime64[D]"), none.astype(object))
    event, row, tau, level_of, session, rule = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((level_of, row, tau, event))
    event, row, tau = event[order], row[order], tau[order]
    keep = ~_own(events, calendar, event, row, tau)
    keep[1:] &= (event[1:] != event[:-1]) | (row[1:] != row[:-1])  # named twice, as ticker and group: the nearest
    left = order[keep]
    return _Matches(event[keep], row[keep], tau[keep], level_of[left], session[left], rule[left])


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
        there = lower == _REACHES[level]
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


# -- what results do with it ---------------------------------------------------------------------------------------


def _mask_of(res: EventStudyResults, calendar: EventCalendar, window: Window, reach: Any) -> BoolArray:
    study = res.study
    events = study.events.subset(res.kept)
    return confounded_mask(
        events, res.fit.index.position, calendar, study.returns.sessions, window, study.calendar, reach
    )


def unconfounded(res: EventStudyResults, calendar: EventCalendar, window: Window, reach: Any) -> EventStudyResults:
    """Results without the events that have another dated event in ``window``."""
    mask = _mask_of(res, calendar, window, reach)
    if mask.all():
        far = "" if reach is not None else ' reach="security" counts only what names the security itself; or'
        raise InputError(
            f"All {len(res)} events have another dated event within {window}: none is left.",
            remedy=f"Shorten the window;{far} leave rows out with calendar.without(...).",
        )
    return res.select(mask=~mask)


def split_by_confounding(res: EventStudyResults, calendar: EventCalendar, window: Window, reach: Any) -> pd.DataFrame:
    """CAAR and the p-values of the tests for clean events, confounded events and all."""
    mask = _mask_of(res, calendar, window, reach)
    rows: dict[str, dict[str, Any]] = {}
    for name, which in (("clean", ~mask), ("confounded", mask), ("all", np.ones(len(res), dtype=bool))):
        if not which.any():
            rows[name] = {"start": window.start, "end": window.end, "n": 0}
            continue
        part = res.select(mask=which)
        row: dict[str, Any] = {str(key): value for key, value in part.caar(window).iloc[0].items()}
        row |= {f"{result.name}_p": result.p_value for result in part._results(window)}
        rows[name] = row
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(rows["all"])).rename_axis("events")
    return frame.astype({"start": np.int64, "end": np.int64, "n": np.int64})


def downweighted(
    res: EventStudyResults, calendar: EventCalendar, window: Window, factor: float, reach: Any
) -> EventStudyResults:
    """Results whose confounded events weigh ``factor`` times as much."""
    from dataclasses import replace

    if isinstance(factor, bool) or not isinstance(factor, int | float | np.number) or not 0.0 < factor <= 1.0:
        raise InputError(
            f"factor={factor!r} is not above 0 and at most 1.", remedy="Such as 0.5; unconfounded() leaves events out."
        )
    mask, events = _mask_of(res, calendar, window, reach), res.study.events
    weight = np.ones(len(events)) if events.weight is None else events.weight.copy()
    weight[res.kept[mask]] *= float(factor)
    return replace(res, study=replace(res.study, events=replace(events, weight=weight)))


def confounder_texts(res: EventStudyResults, calendar: EventCalendar, window: Window, reach: Any = None) -> list[str]:
    """For each event, what else lies in ``window``: ``"FOMC statement (0); quarterly results (+1)"``; or blank."""
    study = res.study
    events = study.events.subset(res.kept)
    held = {name: study.returns.sessions for name in by_exchange(events, study.calendar)}
    found = _matches(events, res.fit.index.position, calendar, held, window, study.calendar, reach)
    label = calendar.frame["label"].to_numpy(dtype=object)[found.row]
    texts: list[list[str]] = [[] for _ in range(len(events))]
    for event, text, tau in zip(found.event.tolist(), label, found.tau.tolist(), strict=True):
        texts[event].append(f"{text} ({tau:+d})" if tau else f"{text} (0)")
    return ["; ".join(parts) for parts in texts]


def marks_of(calendar: EventCalendar, res: EventStudyResults, reach: Any, width: int) -> dict[int, str]:
    """Text of each session of the event window on which something else happened; see ``EventCalendar.marks``."""
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 8:
        raise InputError(f"width={width!r} is not a whole number of characters from 8.", remedy="Such as 60.")
    if len(np.unique(res.fit.index.position)) > 1:
        raise InputError(
            "The events have different event sessions, so that a relative session is no date.",
            remedy="Choose events of one date first: results.select(mask=results.events['session'] == date).",
        )
    frame = confounded_by(
        res.study.events.subset(res.kept),
        calendar,
        res.study.returns.sessions,
        [res.fit.index.event],
        exchange=res.study.calendar,
        reach=reach,
    )
    marks: dict[int, list[str]] = {}
    for _, part in frame.groupby(["tau", "confounder"], sort=False):
        named = part["reach"].eq("security").all()
        who = f"{', '.join(sorted(part['ticker'].unique()))}: " if named else ""
        first = part.iloc[0]
        marks.setdefault(int(first["tau"]), []).append(f"{who}{first['confounder']}")
    return {tau: _shortened("; ".join(texts), width) for tau, texts in sorted(marks.items())}


def _shortened(text: str, width: int) -> str:
    """Text of at most ``width`` characters, cut between words where there is a place for it."""
    if len(text) <= width:
        return text
    cut = text[:width].rfind(" ")
    return f"{text[: cut if cut > width // 2 else width - 1].rstrip(' ;,:')}…"
