"""What results do with other dated events: leave events out, split them, weigh them down, mark them, tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from eventstudy._typing import BoolArray
from eventstudy.confounders import REACHES, Matches, Reaches, checked, hull_of, joined, matches, reach_codes
from eventstudy.errors import InputError
from eventstudy.event_calendar import EventCalendar
from eventstudy.overlap import Held, by_exchange
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = [
    "Confounders",
    "confounded_table",
    "downweighted",
    "marks_of",
    "split_by_confounding",
    "unconfounded",
]

_FIRST: Final = 6  # tickers that an overview names
_MARKED, _WIDTH = 6, 40  # sessions that a figure marks by itself, and characters of each


@dataclass(frozen=True, slots=True, eq=False)
class Confounders:
    """Other dated events, and how near one must be to count; what :meth:`EventStudyResults.with_confounders` keeps.

    Parameters
    ----------
    calendar : EventCalendar
        The other events.
    reach : tuple of str, optional
        Some of "security", "group", "sector", "market"; None for all.
    """

    calendar: EventCalendar
    reach: tuple[str, ...] | None = None

    @classmethod
    def of(cls, calendar: EventCalendar, reach: Reaches) -> Confounders:
        """Checked: the calendar is one, and the words of reach are known."""
        if reach is None:
            return cls(checked(calendar))
        return cls(checked(calendar), tuple(REACHES[code] for code in sorted(reach_codes(reach))))

    @property
    def near(self) -> str:
        """How near an event must be, in words: `` (security or group)``; blank where all count."""
        return "" if self.reach is None else f" ({' or '.join(self.reach)})"

    def matches(self, res: EventStudyResults, window: Window) -> Matches:
        """Pairs of an event that counts and another dated event in ``window``."""
        study, position, held = res.study, res.fit.index.position, _held(res)
        events = study.events.subset(res.kept)
        return matches(events, position, self.calendar, held, window, study.calendar, self.reach)

    def mask(self, res: EventStudyResults, window: Window) -> BoolArray:
        """Whether each event has another dated event in ``window``, shape (n_events,)."""
        found = np.zeros(len(res), dtype=bool)
        found[self.matches(res, window).event] = True
        return found

    def texts(self, res: EventStudyResults, window: Window) -> list[str]:
        """For each event, what lies in ``window``: ``"FOMC statement (0); quarterly results (+1)"``; or blank."""
        found = self.matches(res, window)
        label = self.calendar.frame["label"].to_numpy(dtype=object)
        code = found.row * len(window) + (found.tau - window.start)
        kinds, which = np.unique(code, return_inverse=True)
        cells = zip(*(part.tolist() for part in divmod(kinds, len(window))), strict=True)
        words = np.array([f"{label[row]} ({_signed(window.start + at)})" for row, at in cells], dtype=object)
        ends = np.searchsorted(found.event, np.arange(1, len(res) + 1))
        texts = words[which].tolist() if len(words) else []
        starts = np.append(0, ends[:-1])
        return ["; ".join(texts[low:high]) for low, high in zip(starts.tolist(), ends.tolist(), strict=True)]

    def overview(self, res: EventStudyResults, windows: Sequence[Window]) -> pd.DataFrame:
        """What lies in the windows: one row for each other event and reach.

        Returns
        -------
        DataFrame
            Indexed by ``date``: ``when`` (clock time or part of the day), ``other event``, ``reach``, ``certainty``,
            ``tau``, ``in`` (windows that hold it for some event), ``n`` (security-events) and ``securities``.
        """
        found = self.matches(res, hull_of(windows))
        inside = {
            str(window): (found.tau >= window.start) & (found.tau <= window.end) for window in dict.fromkeys(windows)
        }
        rows = self.calendar.frame
        pairs = pd.DataFrame(
            {
                "row": found.row,
                "reach": found.reach,
                "tau": found.tau,
                "ticker": res._identity["ticker"].to_numpy(dtype=object)[found.event],
                **inside,
            }
        )
        pairs = pairs[pairs[list(inside)].any(axis=1)]
        grouped = pairs.groupby(["row", "reach"])
        table = grouped.agg(first=("tau", "min"), last=("tau", "max"), n=("tau", "size")).reset_index()
        held = grouped[list(inside)].any().to_numpy()
        at = rows.iloc[table["row"]].reset_index(drop=True)
        time = (at["time"] + " " + at["tz"]).str.strip()
        named = grouped["ticker"].agg(_names) if len(table) else pd.Series([], dtype=object)
        frame = pd.DataFrame(
            {
                "date": at["date"],
                "when": time.where(at["time"] != "", at["timing"]),
                "other event": at["label"],
                "reach": [REACHES[code] for code in table["reach"]],
                "certainty": at["certainty"],
                "tau": [_range(*ends) for ends in table[["first", "last"]].itertuples(index=False)],
                "in": [", ".join(name for name, yes in zip(inside, line, strict=True) if yes) for line in held],
                "n": table["n"],
                "securities": named.to_numpy(dtype=object),
            }
        )
        return frame.sort_values("date", kind="stable").set_index("date")

    def marks(self, res: EventStudyResults) -> dict[int, str] | None:
        """Marks for figures over the sessions of one event date; None for several dates, or where most are marked."""
        if len(np.unique(res.fit.index.position)) > 1:
            return None
        found = marks_of(self.calendar, res, self.reach, _WIDTH)
        return found if 0 < len(found) <= _MARKED else None

    def caveat(self, res: EventStudyResults, windows: Sequence[Window]) -> str:
        """How many events have another dated event in each window; blank where none has."""
        counts = {str(window): int(self.mask(res, window).sum()) for window in windows}
        if not any(counts.values()):
            return ""
        told = ", ".join(f"{count} of {len(res)} in {name}" for name, count in counts.items())
        return (
            f"Security-events with another dated event{self.near}: {told}. Abnormal returns hold its effect too. See "
            "results.split_by_confounding()."
        )

    def facts(self) -> dict[str, Any]:
        """What the manifest keeps."""
        return {"events": len(self.calendar), "reach": list(self.reach or REACHES)}


def _held(res: EventStudyResults) -> Held:
    study = res.study
    days = study.returns.sessions if study.returns.frequency == "D" else study.returns
    return dict.fromkeys(by_exchange(study.events.subset(res.kept), study.calendar), days)


def _names(tickers: pd.Series[Any]) -> str:
    names = list(dict.fromkeys(tickers))
    return ", ".join(names[:_FIRST]) + (f" and {len(names) - _FIRST} more" if len(names) > _FIRST else "")


def _signed(tau: int) -> str:
    return f"{tau:+d}" if tau else "0"


def _range(first: int, last: int) -> str:
    return _signed(first) if first == last else f"{_signed(first)} to {_signed(last)}"


def confounded_table(
    res: EventStudyResults, calendar: EventCalendar, windows: Sequence[Window], reach: Reaches
) -> pd.DataFrame:
    """Table behind :meth:`EventStudyResults.confounded_by`: rows inside the windows only."""
    given = Confounders.of(calendar, reach)
    events, study = res.study.events.subset(res.kept), res.study
    frame = joined(events, res.fit.index.position, given.calendar, _held(res), windows, study.calendar, given.reach)
    return frame[frame["in_window"]].reset_index(drop=True)


def unconfounded(res: EventStudyResults, calendar: EventCalendar, window: Window, reach: Reaches) -> EventStudyResults:
    """Results without the events that have another dated event in ``window``."""
    mask = Confounders.of(calendar, reach).mask(res, window)
    if mask.all():
        far = "" if reach is not None else ' reach="security" counts only what names the security itself; or'
        raise InputError(
            f"All {len(res)} events have another dated event within {window}: none is left.",
            remedy=f"Shorten the window;{far} leave rows out with calendar.without(...).",
        )
    return res.select(mask=~mask)


def split_by_confounding(
    res: EventStudyResults, calendar: EventCalendar, window: Window, reach: Reaches
) -> pd.DataFrame:
    """CAAR and the p-values of the tests for clean events, confounded events and all."""
    mask = Confounders.of(calendar, reach).mask(res, window)
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
    res: EventStudyResults, calendar: EventCalendar, window: Window, factor: float, reach: Reaches
) -> EventStudyResults:
    """Results whose confounded events weigh ``factor`` times as much."""
    if isinstance(factor, bool) or not isinstance(factor, int | float | np.number) or not 0.0 < factor <= 1.0:
        raise InputError(
            f"factor={factor!r} is not above 0 and at most 1.", remedy="Such as 0.5; unconfounded() leaves events out."
        )
    mask, events = Confounders.of(calendar, reach).mask(res, window), res.study.events
    weight = np.ones(len(events)) if events.weight is None else events.weight.copy()
    weight[res.kept[mask]] *= float(factor)
    return replace(res, study=replace(res.study, events=replace(events, weight=weight)))


def marks_of(calendar: EventCalendar, res: EventStudyResults, reach: Reaches, width: int) -> dict[int, str]:
    """Text of each session of the event window on which something else happened; see ``EventCalendar.marks``."""
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 8:
        raise InputError(f"width={width!r} is not a whole number of characters from 8.", remedy="Such as 60.")
    if len(np.unique(res.fit.index.position)) > 1:
        raise InputError(
            "The events have different event sessions, so that a relative session is no date.",
            remedy="Choose events of one date first: results.select(mask=results.events['session'] == date).",
        )
    frame = confounded_table(res, calendar, [res.fit.index.event], reach)
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
