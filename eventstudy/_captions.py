"""Words of a figure: what it shows, of what, how sure, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._drawing import _zero
from eventstudy.errors import InputError
from eventstudy.models.base import model_words
from eventstudy.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy._style import LineEnd, Mark
    from eventstudy.results import EventStudyResults

# Sessions to annotate: relative session or date → short text.
Marks: TypeAlias = Mapping[Any, str]

LABEL_SHARE = 0.4  # of the width of the axes that labels at the ends of lines may take
MAX_LABELS = 30  # lines that can still be labelled at their ends
DAGGER = "†"
NO_GROUP = "no group"
SESSIONS = "trading sessions relative to the event"  # of daily returns; others name their unit
CROSS_CORRELATED = "Abnormal returns of securities on one date are cross-correlated."

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Captions:
    """Names, dates and sentences of one result."""

    results: EventStudyResults

    def _note(self) -> str:
        """Model, estimation window, number of events and caveats."""
        res = self.results
        index, counts = res.fit.index, res.fit.n_obs
        sentences = [
            f"{model_words(res.study.model)}, estimated over {self._unit}s "
            f"{' and '.join(_span(Window(*part)) for part in index.parts)} ({_range(counts)} usable returns); "
            f"n = {_events(len(res))}"
            f"{f', {len(res.dropped)} dropped' if len(res.dropped) else ''}."
        ]
        if res.shared_dates.clustered:
            sentences.append(CROSS_CORRELATED)
        if res.study.events.weight is not None:
            sentences.append("Averages are weighted.")
        if res.study.returns.source:
            sentences.append(f"Prices: {res.study.returns.source}.")
        return " ".join(sentences)

    def _level(self, confidence: float | None) -> float:
        return self.results.study.confidence if confidence is None else confidence

    def _group_of(self, part: EventStudyResults) -> list[str]:
        """Group of each event; one for all where there are none."""
        if not part.groups:
            return [NO_GROUP] * len(part)
        return [NO_GROUP if pd.isna(name) else str(name) for name in part.events["group"]]

    def _parts(self) -> dict[str, EventStudyResults]:
        """Results of each group."""
        if not self.results.groups:
            raise InputError("The events have no groups.", remedy="Give group= to Events.at, or a group column.")
        of = np.array(self._group_of(self.results), dtype=object)
        return {name: self.results.select(mask=of == name) for name in self._colours()}

    def _colours(self) -> dict[str, str]:
        """Colour of each group, the same in every figure."""
        from eventstudy._style import PALETTE

        names = dict.fromkeys(self._group_of(self.results))
        return {name: PALETTE[at % len(PALETTE)] for at, name in enumerate(names)}

    @property
    def _position(self) -> int | None:
        """Column of the event session in the panel where all events share it."""
        position = np.unique(self.results.fit.index.position)
        return int(position[0]) if len(position) == 1 else None

    def _date(self, tau: int) -> pd.Timestamp | None:
        """Calendar date of a relative session, if it is one for all events and the panel reaches it."""
        sessions, position = self.results.study.returns.sessions, self._position
        if position is None or not 0 <= position + tau < len(sessions):
            return None
        return pd.Timestamp(sessions[position + tau])

    def _names(self, part: EventStudyResults) -> list[str]:
        """Ticker of each event, with the event session where these differ."""
        events = part.events
        if self._position is not None:
            return [str(ticker) for ticker in events["ticker"]]
        panel, position = part.study.returns, part.fit.index.position
        return [f"{ticker} {panel.label(at)}" for ticker, at in zip(events["ticker"], position.tolist(), strict=True)]

    def _daggered(self, window: Window) -> list[str]:
        """Names of the events, with a dagger behind those that have another dated event in the window."""
        names, others = self._names(self.results), self.results.confounders
        if others is None:
            return names
        mask = others.mask(self.results, window).tolist()
        return [f"{name} {DAGGER}" if also else name for name, also in zip(names, mask, strict=True)]

    def _marks(self, mark: Marks | None) -> list[Mark]:
        """The sessions asked for, and the event session."""
        from eventstudy._style import EVENT, Mark

        event, found, also = self.results.fit.index.event, [], []
        labels = self.results.events.get("label")
        label = str(labels.iloc[0]) if labels is not None and labels.nunique(dropna=False) == 1 else ""
        label = label if 0 < len(label) <= 32 else EVENT
        if mark is None and self.results.confounders is not None:
            mark = self.results.confounders.marks(self.results)
        for key, text in (mark or {}).items():
            tau = int(key) if isinstance(key, int | np.integer) and not isinstance(key, bool) else self._tau_of(key)
            if tau not in event:
                raise InputError(
                    f"mark={key!r} is relative session {_tau(tau)}, outside the event window {event}.",
                    remedy="Mark sessions of the event window.",
                    tau=tau,
                )
            if tau == 0:
                also.append(str(text))
            else:
                found.append(Mark(tau, str(text)))
        if 0 not in event:
            return found
        own = Mark(0, "; ".join([label, *also]), event=True, also="; ".join(also))
        return sorted([*found, own], key=lambda item: item.tau)

    def _tau_of(self, key: object) -> int:
        if isinstance(key, bool) or not isinstance(key, str | date | np.datetime64):
            raise InputError(f"mark={key!r} is neither a relative session nor a date.", remedy="Such as {-2: 'text'}.")
        if self._position is None:
            raise InputError(
                f"mark={key!r} is a date, but the events have different event sessions.",
                remedy="Mark a relative session, such as {-2: 'text'}.",
            )
        panel = self.results.study.returns
        if panel.frequency != "D":
            columns = panel.columns_of(key, key)
            if columns.stop - columns.start != 1:
                raise InputError(f"mark={key!r} names no single {panel.unit}.", remedy="Give a moment with its zone.")
            return int(columns.start) - self._position
        try:
            day = pd.Timestamp(key).tz_localize(None).normalize()
        except ValueError:
            raise InputError(f"mark={key!r} is not a date.", remedy="Write it as '2025-01-27'.") from None
        sessions = self.results.study.returns.sessions
        at = int(sessions.searchsorted(day))
        if at == len(sessions) or sessions[at] != day:
            raise InputError(f"mark={key!r} is not a session of the returns.", remedy="Mark a trading day.", date=day)
        return at - self._position

    @property
    def _unit(self) -> str:
        return self.results.study.returns.unit

    def _session_label(self) -> str:
        day, label = self._date(0), SESSIONS
        if self._unit != "session":
            label = f"{self._unit}s relative to the event"
        if day is None:
            return label
        clock = f" {day:%H:%M %Z}" if self._unit == "bar" else ""
        return f"{label} (0 = {_day(day)} {day.year}{clock})"

    def _tick(self, tau: int) -> str:
        day = self._date(tau)
        if day is None:
            return _tau(tau)
        return f"{_tau(tau)}\n{f'{day:%H:%M}' if self._unit == 'bar' else _day(day)}"

    def _ticks(self, axes: Axes, window: Window, points: float) -> None:
        """Ticks at multiples of a step whose labels do not touch; small ones at every session."""
        from eventstudy import _style

        taus = window.tau.tolist()
        step = _style.tick_step(self._tick, taus, points / len(taus))
        at = [tau for tau in taus if tau % step == 0] or [taus[0]]
        axes.set_xticks(at, [self._tick(tau) for tau in at])
        axes.set_xticks(taus, minor=True)
        axes.spines["bottom"].set_bounds(window.start, window.end)

    def _words_over_time(
        self,
        axes: Axes,
        own: bool,
        window: Window,
        title: str,
        subtitle: str,
        marks: Sequence[Mark],
        ends: Sequence[LineEnd | None],
        colours: Mapping[str, str],
    ) -> None:
        """Words around a chart over time, each measured and placed where nothing else is."""
        from eventstudy import _style

        most = LABEL_SHARE * _style.size_points(axes)[0]
        labels = [replace(end, text=_style.shortened(end.text, most)) for end in ends if end is not None]
        marks = [mark for mark in marks if mark.tau in window]
        _zero(axes, "y")
        _style.percent_axis(axes, "y")
        _style.axis_label(axes, "x", self._session_label())
        axes.set_xlim(window.start - 0.5, window.end + (0.15 if labels else 0.5))
        self._ticks(axes, window, 300)
        if own:
            _style.footer(_style.figure_of(axes), self._note())
        _style.settle(axes)
        if labels:
            _style.room_right(axes, max(_style.text_width(end.text) for end in labels) + 20)
            _style.centre_label(axes, window.start, window.end)
        hung, points = _style.strip(axes, marks)
        subtitle += f"\n{key}" if (key := _style.key(hung)) else ""
        _style.header(axes, title, subtitle)
        _style.settle(axes)
        self._ticks(axes, window, _style.at_points(axes, window.end + 0.5) - _style.at_points(axes, window.start - 0.5))
        above = _style.legend(axes, colours)
        _style.headroom(axes, points + above)
        _style.draw_marks(axes, hung, above)
        _style.draw_ends(axes, labels, points + above)
        _style.finish(axes, own)

    def _words_around_panels(
        self, figure: Figure, panels: Sequence[Axes], columns: int, window: Window, band: str, marks: Sequence[Mark]
    ) -> None:
        """Words around small panels on shared axes."""
        from eventstudy import _style

        first = panels[0]
        marks = [mark for mark in marks if mark.tau in window]
        about = f"{band[:1].upper()}{band[1:]}; grey: the other groups"
        about += f"; solid vertical line: event {self._unit}" if 0 in window else ""
        about += f"\n{key}" if (key := _style.key(_style.strip(first, marks, short=True)[0])) else ""
        title = f"Cumulative average abnormal return by group, from {self._unit} {_tau(window.start)}"
        down = "cumulative average abnormal return (%)"
        _style.frame(figure, title, about, self._session_label(), down, self._note())
        self._ticks(first, window, 130)
        _style.settle(first)
        hung, points = _style.strip(first, marks, short=True)
        _style.headroom(first, points)
        for axes in panels:
            self._ticks(axes, window, _style.size_points(axes)[0])
            _style.draw_marks(axes, hung, 0.0)
        _style.finish(first, own=True)


def _labelled(cars: pd.DataFrame) -> set[int]:
    """Rows whose line gets a label: all, or the five that end lowest and the five that end highest."""
    if len(cars) <= MAX_LABELS:
        return set(range(len(cars)))
    last = cars.ffill(axis=1).iloc[:, -1].to_numpy()
    order = [int(at) for at in np.argsort(last, kind="stable") if not np.isnan(last[at])]
    return {*order[:5], *order[-5:]}


def _window_of(path: pd.DataFrame) -> Window:
    return Window(int(path.index[0]), int(path.index[-1]))


def _tau(tau: int) -> str:
    return "0" if tau == 0 else f"{tau:+d}".replace("-", "−")


def _span(window: Window) -> str:
    return _tau(window.start) if len(window) == 1 else f"{_tau(window.start)} to {_tau(window.end)}"


def _sessions(window: Window, unit: str) -> str:
    return f"{unit}{'' if len(window) == 1 else 's'} {_span(window)}"


def _day(day: pd.Timestamp) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _per_cent(level: float) -> str:
    return f"{level * 100:.6g} %"


def _events(count: int | str) -> str:
    return f"{count} security-event{'' if str(count) == '1' else 's'}"


def _range(counts: Any) -> str:
    low, high = int(np.min(counts)), int(np.max(counts))
    return f"{low}" if low == high else f"{low}–{high}"


def _count(paths: Iterable[pd.DataFrame]) -> str:
    """Number of events behind the paths: one number, or the lowest and the highest."""
    return _range(np.concatenate([path["n"].to_numpy() for path in paths]))


def _band(paths: Iterable[pd.DataFrame], level: float) -> str:
    """What the bands mean."""
    whole = pd.concat(list(paths))
    if whole["ci_lower"].isna().all():
        return "no band: a standard error cannot be computed"
    sources = [str(name).replace("cross-section", "cross-sectional") for name in whole["std_error_from"].unique()]
    return f"band: pointwise {_per_cent(level)} interval, {' or '.join(sources)} standard error"
