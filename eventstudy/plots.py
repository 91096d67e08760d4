"""Figures of a study: result → Axes. They draw only numbers that the result already holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._render import number, percent
from eventstudy.errors import DataSourceError, InputError
from eventstudy.models.base import model_words
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy._style import LineEnd, Mark, Rows
    from eventstudy._typing import FloatArray
    from eventstudy.results import EventStudyResults

__all__ = ["Plotter", "save", "sized"]

# Sessions to annotate: relative session or date → short text.
Marks: TypeAlias = Mapping[Any, str]

MAX_BANDS = 6  # groups whose bands still read on one axes
MAX_LABELS = 30  # lines that can still be labelled at their ends
MAX_NUMBERS = 600  # cells of a heat map that can still hold a number
ROW_INCHES, MAX_INCHES = 0.2, 30.0
DAGGER = "†"
NO_GROUP = "no group"
SESSIONS = "trading sessions relative to the event"  # of daily returns; others name their unit
CROSS_CORRELATED = "Abnormal returns of securities on one date are cross-correlated."

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Plotter:
    """Figures of one result; reached as ``results.plot``.

    Every method takes ``ax=`` and returns the Axes drawn on. Without it a figure of its own is made, outside pyplot,
    with the model and the caveats in a line at the bottom. Axes that are alone on a figure without a layout, as
    ``plt.subplots()`` gives them, are laid out in the same way; among other axes, put :meth:`note` where it suits. Show
    a figure in a notebook with ``results.plot.caar().figure``, or write it with :func:`eventstudy.plots.save`.

    ``mark=`` annotates sessions, such as known confounding news: ``{-2: "27 Jan sell-off"}``, or by date,
    ``{"2025-01-27": "sell-off"}``, where all events share one event session. A marked session of the event window
    that the figure does not show is left out.

    Parameters
    ----------
    results : EventStudyResults
        What to draw.

    Examples
    --------
    >>> import eventstudy as es
    >>> prices = es.load_prices(["MSFT", "SPY"], source="sample")
    >>> study = es.EventStudy(es.ReturnPanel.from_prices(prices), es.Events.at("2025-01-27", "MSFT"),
    ...                       es.MarketModel("SPY"), estimation_window=(-260, -11), event_window=(-5, 5))
    >>> ax = study.fit().plot.caar(mark={"2025-01-29": "earnings"})
    >>> ax.get_xlabel()
    'trading sessions relative to the event (0 = 27 Jan 2025)'
    """

    results: EventStudyResults

    # -- over time -----------------------------------------------------------------------------------------------

    def caar(
        self,
        start: int | None = None,
        *,
        by_group: bool = False,
        confidence: float | None = None,
        mark: Marks | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Cumulative average abnormal return with its confidence band.

        Parameters
        ----------
        start : int, optional
            First session cumulated; that of the event window by default.
        by_group : bool
            One line and band per group instead of one for all; from seven groups on without bands. See
            :meth:`caar_by_group` for a panel each.
        confidence : float, optional
            Level of the band; that of the study by default.
        mark : mapping of session to str, optional
            Sessions to annotate.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes

        Raises
        ------
        InputError
            If ``by_group`` and the events have no groups, or a mark is not a session of the event window.
        """
        from eventstudy import _style

        marks, level = self._marks(mark), self._level(confidence)
        parts = self._parts() if by_group else {"CAAR": self.results}
        paths = {name: part.caar_path(start, confidence=level) for name, part in parts.items()}
        window = _window_of(next(iter(paths.values())))
        banded = len(paths) <= MAX_BANDS
        with _style.context():
            axes, own = _axes(ax, 7.4, max(4.6, 1.9 + 0.145 * len(paths)))
            _style.dress(axes, grid="y")
            ends: list[LineEnd | None] = []
            for at, (name, path) in enumerate(paths.items()):
                colour = _style.PALETTE[at % len(_style.PALETTE)]
                _draw_path(axes, path, colour, name, alpha=(0.09 if by_group else 0.18) * banded, at=at)
                if by_group:
                    ends.append(_style.LineEnd.of(path["caar"], f"{name} ({_count([path])})", colour))
            title = f"Cumulative average abnormal return{' by group' if by_group else ''}, from {self._unit} "
            title += _tau(window.start)
            about = "Number of security-events in brackets" if by_group else _events(_count(paths.values()))
            about += f"; {_band(paths.values(), level) if banded else 'without bands, which would hide each other'}"
            _style.axis_label(axes, "y", "cumulative average abnormal return (%)")
            self._words_over_time(axes, own, window, title, about, marks, ends, {})
        return axes

    def caar_by_group(
        self,
        start: int | None = None,
        *,
        ncols: int | None = None,
        confidence: float | None = None,
        mark: Marks | None = None,
    ) -> Figure:
        """One small panel per group on shared axes, over the other groups in grey; the last panel holds all events.

        Parameters
        ----------
        start : int, optional
            First session cumulated; that of the event window by default.
        ncols : int, optional
            Panels side by side; up to three by default, two on a page.
        confidence : float, optional
            Level of the bands; that of the study by default.
        mark : mapping of session to str, optional
            Sessions to annotate, by a number whose meaning stands below the title.

        Returns
        -------
        Figure

        Raises
        ------
        InputError
            If the events have no groups, ``ncols`` is not positive, or a mark is not in the event window.
        """
        from eventstudy import _style

        marks, level, total = self._marks(mark), self._level(confidence), "All security-events"
        parts = self._parts() | {total: self.results}
        columns = min(_style.across(3, 2.6), len(parts)) if ncols is None else ncols
        if isinstance(columns, bool) or not isinstance(columns, int | np.integer) or columns < 1:
            raise InputError(f"ncols={ncols!r} is not a positive whole number.", remedy="Such as ncols=3.")
        columns = min(int(columns), len(parts))
        rows = -(-len(parts) // columns)
        paths = {name: part.caar_path(start, confidence=level) for name, part in parts.items()}
        window = _window_of(paths[total])
        with _style.context():
            figure = _style.new_figure(max(2.6 * columns + 0.6, 4.8), 2.1 * rows + 1.5)
            panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
            for spare in panels[len(paths) :]:
                spare.remove()
            panels = panels[: len(paths)]
            for at, (name, axes) in enumerate(zip(paths, panels, strict=True)):
                colour = _style.BLACK if name == total else _style.PALETTE[at % len(_style.PALETTE)]
                _style.dress(axes, grid="y")
                for other in paths.keys() - {name, total}:
                    behind = paths[other]["caar"]
                    axes.plot(behind.index, behind, color=_style.QUIET, linewidth=0.8, label="_other", zorder=1.8)
                _draw_path(axes, paths[name], colour, name, alpha=0.16, at=0)
                _zero(axes, "y")
                _style.percent_axis(axes, "y")
                axes.set_xlim(window.start - 0.5, window.end + 0.5)
                axes.tick_params(axis="x", which="both", labelbottom=at + columns >= len(paths))
                head = _style.wrapped(f"{name} (n\u00a0=\u00a0{_count([paths[name]])})", 150, _style.BODY, bold=True)
                look = _style.words(_style.darkened(colour), _style.BODY, fontweight="bold")
                axes.set_title(head, loc="left", pad=4, **look)
            self._words_around_panels(figure, panels, columns, window, _band(paths.values(), level), marks)
        return figure

    def paths(
        self,
        *,
        start: int | None = None,
        group: str | None = None,
        mark: Marks | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Cumulative abnormal return of each security-event, coloured by group and labelled at its end.

        Parameters
        ----------
        start : int, optional
            First session cumulated; that of the event window by default.
        group : str, optional
            One group only.
        mark : mapping of session to str, optional
            Sessions to annotate.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes

        Raises
        ------
        InputError
            If there is no such group, or a mark is not a session of the event window.
        """
        from eventstudy import _style

        part = self.results if group is None else self.results.select(group=group)
        marks, event, colours = self._marks(mark), self.results.fit.index.event, self._colours()
        window = Window(event.start if start is None else start, event.end)
        cars = pd.DataFrame({tau: part.car(window.start, tau)["car"] for tau in window.tau.tolist()})
        names, groups = self._names(part), self._group_of(part)
        labelled = _labelled(cars)
        few = len(cars) <= MAX_LABELS
        with _style.context():
            axes, own = _axes(ax, 7.4, max(4.8, 1.9 + 0.145 * len(labelled)))
            _style.dress(axes, grid="y")
            ends: list[LineEnd | None] = []
            for at, (name, which) in enumerate(zip(names, groups, strict=True)):
                line, colour = cars.iloc[at], colours[which]
                look: dict[str, Any] = {"linewidth": 1.3 if few else 0.7, "marker": "o", "markersize": 2 if few else 1}
                axes.plot(line.index, line, color=colour, alpha=0.9, label=name, **look)
                if at in labelled:
                    ends.append(_style.LineEnd.of(line, name, colour))
            about = _events(len(cars))
            if not few:
                about += f"; labelled: the {len(labelled)} that end highest and lowest"
            if cars.isna().to_numpy().any():
                about += "; where a line is broken, a return is missing"
            title = f"Cumulative abnormal return of each security, from {self._unit} {_tau(window.start)}"
            title += f": {group}" if group is not None else ""
            shown = {name: colours[name] for name in dict.fromkeys(groups)} if len(set(groups)) > 1 else {}
            _style.axis_label(axes, "y", "cumulative abnormal return (%)")
            self._words_over_time(axes, own, window, title, about, marks, ends, shown)
        return axes

    # -- by security-event ---------------------------------------------------------------------------------------

    def car(
        self,
        start: int,
        end: int,
        *,
        sort: bool | Literal["overall"] = True,
        confidence: float | None = None,
        mark: Marks | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Forest chart: cumulative abnormal return of each security-event with its interval.

        A filled marker says that the interval excludes zero, a hollow one that it does not.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        sort : bool or "overall"
            True sorts from high to low within each group, "overall" across groups; False keeps the order of the
            events.
        confidence : float, optional
            Level of the intervals; that of the study by default.
        mark : mapping of session to str, optional
            Sessions to name below the title if the window contains them.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes

        Raises
        ------
        InputError
            If ``sort`` is none of its options, or a mark is not a session of the event window.
        """
        from eventstudy import _style

        if not isinstance(sort, bool) and sort != "overall":
            raise InputError(f"sort={sort!r} is not an option.", remedy='Use True, False or "overall".')
        res, window, marks, level = self.results, Window(start, end), self._marks(mark), self._level(confidence)
        frame = res.car(window, confidence=level).assign(name=self._daggered(window), group=self._group_of(res))
        if sort:
            frame = frame.sort_values("car", ascending=False, kind="stable", na_position="last")
        rows = _style.Rows.of(frame, list(self._colours()) if sort is True and res.groups else [])
        colours = self._colours()
        with _style.context():
            axes, own = _axes(ax, 7.4, _tall(rows))
            _style.dress(axes, grid="x")
            _draw_intervals(axes, rows, colours)
            _style.percent_axis(axes, "x")
            axes.set_ylim(rows.count - 0.4, -1.6)
            about = f"{_events(len(frame))}; bars: {_per_cent(level)} interval; filled marker: the interval excludes "
            about += "zero, hollow: it does not"
            inside = [f"{item.text} ({self._unit} {_tau(item.tau)})" for item in _style.confounders(marks)
                      if item.tau in window]  # fmt: skip
            about += f"\nThe window contains: {'; '.join(inside)}" if inside else ""
            if (others := res.confounders) is not None and frame["name"].str.endswith(DAGGER).any():
                about += f"\n{DAGGER} another dated event{others.near} in the window"
            title = f"Cumulative abnormal return by security, {_sessions(window, self._unit)}"
            _style.axis_label(axes, "x", f"cumulative abnormal return over {_sessions(window, self._unit)} (%)")
            _values_beside(axes, rows, title, about, self.note() if own else None, f"{_per_cent(level)} interval (%)")
            rows.draw_heads(axes, {name: _style.darkened(colour) for name, colour in colours.items()})
            _style.headroom(axes, _style.legend(axes, {} if rows.heads or not res.groups else colours))
            _style.finish(axes, own)
        return axes

    def heatmap(self, *, standardized: bool = False, mark: Marks | None = None, ax: Axes | None = None) -> Axes:
        """Abnormal return of each security-event (row) and session (column) as colour.

        The scale is symmetric about zero and ends at the 98th percentile of the absolute values; arrows on the colour
        bar say that some lie beyond. Grey cells have no return.

        Parameters
        ----------
        standardized : bool
            Draw standardized abnormal returns: each over its forecast standard deviation.
        mark : mapping of session to str, optional
            Sessions to annotate.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes

        Raises
        ------
        InputError
            If a mark is not a session of the event window.
        """
        from eventstudy import _style

        res, marks, window = self.results, self._marks(mark), self.results.fit.index.event
        frame = pd.DataFrame({"name": self._names(res), "group": self._group_of(res)})
        rows = _style.Rows.of(frame, list(self._colours()) if res.groups else [])
        values = (res.sar if standardized else res.abnormal_returns).to_numpy()[rows.frame.index.to_numpy()]
        what = "standardized abnormal return" if standardized else "abnormal return"
        unit = "forecast standard deviations" if standardized else "%"
        texts = [number(value if standardized else value * 100, 1) for value in values.ravel()]
        with _style.context():
            wide = 0.4 if len(texts) <= MAX_NUMBERS and _style.size.get() != "journal" else 0.22
            left = max(map(_style.text_width, frame["name"])) / 72
            size = max(left + 1.7 + len(window) * wide, 6.4), _tall(rows)
            axes, own = _axes(ax, *size)
            _style.dress(axes, grid=None)
            mesh = _draw_cells(axes, rows, values, window)
            _outline(axes, rows, marks)
            _colour_bar(axes, mesh, values, f"{what} ({unit})", as_percent=not standardized)
            rows.name(axes)
            _style.axis_label(axes, "x", self._session_label())
            self._ticks(axes, window, 300)
            if own:
                _style.footer(_style.figure_of(axes), self.note())
            _style.settle(axes)
            width, height = _style.size_points(axes)
            fits = width / len(window) >= max(map(_style.text_width, texts)) + 3 and height / rows.count >= 10.5
            fits = fits and len(texts) <= MAX_NUMBERS
            about = _events(len(values)) + (f"; numbers in {unit}" if fits else "")
            about += "; grey: no return" if np.isnan(values).any() else ""
            about += f"; outlined: event {self._unit}" if 0 in window else ""
            hung, points = _style.strip(axes, marks)
            about += f"\n{key}" if (key := _style.key(hung)) else ""
            _style.header(axes, f"{what.capitalize()} by security and {self._unit}", about)
            _style.settle(axes)
            self._ticks(axes, window, _style.size_points(axes)[0])
            axes.tick_params(axis="x", which="minor", length=0)
            _style.headroom(axes, points)
            rows.name(axes)
            _style.draw_marks(axes, hung, 0.0, over_cells=True)
            if fits:
                _draw_numbers(axes, mesh, rows, values, window, texts)
            rows.draw_heads(axes, dict.fromkeys(rows.heads, _style.BLACK))
            _style.finish(axes, own)
        return axes

    def windows(
        self, windows: Mapping[str, WindowLike] | Sequence[WindowLike], *, confidence: float | None = None
    ) -> Figure:
        """CAR of each security-event over several windows, one panel beside the other, on one scale.

        Parameters
        ----------
        windows : mapping of str to window, or sequence of windows
            Windows inside the event window, each with a heading or without.
        confidence : float, optional
            Level of the intervals; that of the study by default.

        Returns
        -------
        Figure

        Raises
        ------
        InputError
            If there is no window, more than eight, or more than 60 security-events.
        WindowError
            If a window reaches beyond the event window.
        """
        from eventstudy._window_plots import windows_figure

        named = windows.items() if isinstance(windows, Mapping) else [(str(Window.of(one)), one) for one in windows]
        chosen = {name: self.results._window(one, None) for name, one in named}
        if not 1 <= len(chosen) <= 8:
            raise InputError(f"{len(chosen)} windows: one to eight have room.", remedy="Name fewer in each figure.")
        if len(self.results) > 60:
            raise InputError(
                f"{len(self.results)} security-events are more than people read in one figure.",
                remedy="Choose some with results.select(…), or draw plot.distribution.",
            )
        level = self._level(confidence)
        return windows_figure(self.results, chosen, level, self._names(self.results), self._colours())

    # -- of the model --------------------------------------------------------------------------------------------

    def distribution(self, start: WindowLike | int, end: int | None = None, *, ax: Axes | None = None) -> Axes:
        """Histogram of the cumulative abnormal returns over one window, with mean, median and the normal curve.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes

        Raises
        ------
        InputError
            If fewer than two security-events have a CAR.
        """
        from eventstudy._fit_plots import distribution

        return distribution(self.results, start, end, ax=ax)

    def fit(self, event: int | str) -> Figure:
        """Fit of one estimation window: returns on what was expected, residuals over time and against the normal.

        Parameters
        ----------
        event : int or str
            An ``event_id``, or a ticker that has one event.

        Returns
        -------
        Figure

        Raises
        ------
        InputError
            If there is no such event, or the ticker has several.
        """
        from eventstudy._fit_plots import estimation_fit

        return estimation_fit(self.results, event)

    # -- words ---------------------------------------------------------------------------------------------------

    def note(self) -> str:
        """Model, estimation window, number of events and caveats, as they stand at the bottom of each figure.

        Returns
        -------
        str
            Sentences.
        """
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

        event, found = self.results.fit.index.event, []
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
                label = f"{label}; {text}"
            else:
                found.append(Mark(tau, str(text)))
        return sorted([*found, Mark(0, label, event=True)], key=lambda item: item.tau) if 0 in event else found

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

        labels = [end for end in ends if end is not None]
        marks = [mark for mark in marks if mark.tau in window]
        _zero(axes, "y")
        _style.percent_axis(axes, "y")
        _style.axis_label(axes, "x", self._session_label())
        axes.set_xlim(window.start - 0.5, window.end + (0.15 if labels else 0.5))
        self._ticks(axes, window, 300)
        if own:
            _style.footer(_style.figure_of(axes), self.note())
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
        _style.frame(figure, title, about, self._session_label(), down, self.note())
        self._ticks(first, window, 130)
        _style.settle(first)
        hung, points = _style.strip(first, marks, short=True)
        _style.headroom(first, points)
        for axes in panels:
            self._ticks(axes, window, _style.size_points(axes)[0])
            _style.draw_marks(axes, hung, 0.0)
        _style.finish(first, own=True)


@contextmanager
def sized(size: Literal["screen", "journal", "slide"]) -> Iterator[None]:
    """Shape figures for a page or a slide: those drawn within the block.

    Type stays at 8 to 11 points, so figures need no scaling on a page; a slide enlarges them.

    Parameters
    ----------
    size : {"screen", "journal", "slide"}
        "journal": 6.5 inches wide, the text width of a page: fewer panels side by side, no numbers in a heat map.
        What cannot be that narrow, such as three correlation matrices, keeps its width.
        "slide": 16 to 9. "screen", the default elsewhere: as each figure needs.

    Raises
    ------
    InputError
        For another size.

    Examples
    --------
    >>> import eventstudy as es
    >>> from eventstudy.plots import sized
    >>> prices = es.load_prices(["MSFT", "SPY"], source="sample")
    >>> study = es.EventStudy(es.ReturnPanel.from_prices(prices), es.Events.at("2025-01-27", "MSFT"),
    ...                       es.MarketModel("SPY"), estimation_window=(-260, -11), event_window=(-5, 5))
    >>> with sized("journal"):
    ...     figure = study.fit().plot.caar().figure
    >>> float(figure.get_size_inches()[0])
    6.5
    """
    from eventstudy import _style

    if size not in ("screen", "journal", "slide"):
        raise InputError(f"size={size!r} is not a size.", remedy='Use "screen", "journal" or "slide".')
    token = _style.size.set(size)
    try:
        yield
    finally:
        _style.size.reset(token)


def save(figure: Axes | Figure, path: str | Path, *, dpi: float = 200) -> Path:
    """Write a figure as PNG, SVG or PDF; the same figure gives the same bytes.

    No time stamp is written, and settings of the user such as ``savefig.bbox`` have no say.

    Parameters
    ----------
    figure : Axes or Figure
        What the methods of :class:`Plotter` return.
    path : str or Path
        File to write; its suffix is the format. Its directory is made if need be.
    dpi : float
        Dots per inch of a PNG.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the suffix is another one.
    DataSourceError
        If the file cannot be written.
    """
    from matplotlib.axes import Axes

    from eventstudy import _style

    whole = _style.figure_of(figure) if isinstance(figure, Axes) else figure
    out = Path(path)
    metadata: dict[str, dict[str, Any]] = {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    if out.suffix.lower() not in metadata:
        raise InputError(f"{out.name!r} is not a .png, .svg or .pdf file.", remedy="Choose one of these suffixes.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _style.context():
            whole.savefig(out, dpi=dpi, metadata=metadata[out.suffix.lower()])
    except OSError as error:
        raise DataSourceError(f"Cannot write {out}: {error}.", remedy="Choose a place that can be written.") from error
    return out


# -- drawing -------------------------------------------------------------------------------------------------------


def _axes(ax: Axes | None, width: float, height: float) -> tuple[Axes, bool]:
    """Axes to draw on, and whether the layout of their figure is ours."""
    from eventstudy import _style

    return (_style.new_figure(width, height).add_subplot(), True) if ax is None else (ax, _style.alone(ax))


def _tall(rows: Rows) -> float:
    """Height in inches of a chart of rows."""
    return min(max(1.9 + ROW_INCHES * (rows.count + 1), 2.5), MAX_INCHES)


def _zero(axes: Axes, axis: Literal["x", "y"]) -> None:
    draw = axes.axvline if axis == "x" else axes.axhline
    draw(0, color="#666666", linewidth=0.8, zorder=1.5, label="_zero")


def _draw_path(axes: Axes, path: pd.DataFrame, colour: str, name: str, *, alpha: float, at: int) -> None:
    """Line with its band; lines that share a colour differ in their dashes."""
    dashes: Any = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))[at // 7 % 4]
    look: dict[str, Any] = {"linewidth": 1.8, "linestyle": dashes, "marker": "o", "markersize": 2.8, "zorder": 3}
    axes.plot(path.index, path["caar"], color=colour, label=name, **look)
    if alpha:
        bounds = path["ci_lower"], path["ci_upper"]
        axes.fill_between(path.index, *bounds, color=colour, alpha=alpha, linewidth=0, zorder=2, label=f"_band {name}")


def _draw_intervals(axes: Axes, rows: Rows, colours: Mapping[str, str]) -> None:
    """Intervals and markers of a forest chart; a row without a value stays empty."""
    from eventstudy import _style

    there = rows.frame["car"].notna().to_numpy()
    table, y = rows.frame[there], np.array(rows.y)[there]
    colour = [colours[name] for name in table["group"]]
    excludes = (table["ci_lower"] > 0) | (table["ci_upper"] < 0)
    face = [own if full else "white" for own, full in zip(colour, excludes, strict=True)]
    size = min(5.1, 0.7 * _style.size_points(axes)[1] / rows.count) ** 2
    if there.any():
        axes.hlines(y, table["ci_lower"], table["ci_upper"], colors=colour, linewidth=1.6, gid="interval")
        axes.scatter(table["car"], y, s=size, c=face, edgecolors=colour, linewidths=1.4, zorder=3, gid="car")
    _zero(axes, "x")


def _values_beside(axes: Axes, rows: Rows, title: str, subtitle: str, note: str | None, head: str) -> None:
    """Words around a forest chart: names left, values and bounds in columns right, in a margin free of data."""
    from eventstudy import _style

    table = rows.frame
    values = [percent(value, 1) for value in table["car"]]
    bounds = [
        f"[{number(low * 100, 1)}, {number(high * 100, 1)}]"
        for low, high in zip(table["ci_lower"], table["ci_upper"], strict=True)
    ]
    if note is not None:
        _style.footer(_style.figure_of(axes), note)
    rows.name(axes)
    _style.settle(axes)
    _style.header(axes, title, subtitle)
    _style.settle(axes)
    skip = rows.name(axes)
    wide, narrow = max(map(_style.text_width, [*bounds, head])), max(map(_style.text_width, [*values, "CAR"]))
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    axes.set_xticks(ticks)
    axes.set_xlim(low, high)
    _style.room_right(axes, wide + narrow + 26)
    _style.centre_label(axes, low, high)
    axes.spines["bottom"].set_bounds(low, high)
    axes.spines["left"].set_visible(False)
    column: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "center"
    }  # fmt: skip
    left, grey = (-wide - 10, 0.0), _style.words(_style.GREY)
    axes.annotate("CAR", (1, -1), left, **column, **grey)
    axes.annotate(head, (1, -1), (0, 0), **column, **grey)
    for at in range(0, len(table), skip):
        if np.isnan(table["car"].iloc[at]):
            missing = int(table["n_missing"].iloc[at])
            text = f"no value: {missing} return{'s' if missing > 1 else ''} missing"
            axes.annotate(text, (1, rows.y[at]), (0, 0), **column, **grey)
        else:
            axes.annotate(bounds[at], (1, rows.y[at]), (0, 0), **column, **grey)
            axes.annotate(values[at], (1, rows.y[at]), left, **column, **_style.words(_style.BLACK))


def _draw_cells(axes: Axes, rows: Rows, cells: FloatArray, window: Window) -> Any:
    """One mesh per block of rows, on one symmetric scale; the last mesh."""
    import matplotlib
    from matplotlib.colors import Normalize

    from eventstudy import _style

    there = np.abs(cells[np.isfinite(cells)])
    limit = float(np.percentile(there, 98)) if len(there) else 0.0
    limit = limit if limit > 0 else 0.01
    look: dict[str, Any] = {
        "norm": Normalize(-limit, limit),
        "cmap": matplotlib.colormaps["RdBu"].with_extremes(bad=_style.MISSING),
        "edgecolors": "white",
        "linewidth": min(0.5, _style.size_points(axes)[1] / rows.count / 20),
    }
    edges, mesh = np.arange(window.start, window.end + 2) - 0.5, None
    for first, last in rows.blocks():
        lines = np.arange(rows.y[first], rows.y[last - 1] + 2) - 0.5
        mesh = axes.pcolormesh(edges, lines, np.ma.masked_invalid(cells[first:last]), **look)
    return mesh


def _outline(axes: Axes, rows: Rows, marks: Iterable[Mark]) -> None:
    """Limits of a heat map, no spines, and a frame around the column of each mark."""
    from matplotlib.patches import Rectangle

    from eventstudy import _style

    axes.set_ylim(rows.count - 0.5, -0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for mark in marks:
        look = {"linewidth": 1.3 if mark.event else 0.9, "linestyle": _style.DOT_DASH[mark.event]}
        corner = (mark.tau - 0.5, -0.5)
        axes.add_patch(Rectangle(corner, 1, rows.count, fill=False, edgecolor=_style.BLACK, zorder=4, **look))


def _colour_bar(axes: Axes, mesh: Any, cells: FloatArray, label: str, *, as_percent: bool) -> None:
    from eventstudy import _style

    figure, colours, limit = _style.figure_of(axes), _style.ink(axes), mesh.norm.vmax
    above, below = bool((cells > limit).any()), bool((cells < -limit).any())
    extend = {(True, True): "both", (True, False): "max", (False, True): "min", (False, False): "neither"}
    height = figure.get_figheight() * axes.get_position().height
    shrink = min(1.0, 3.2 / height)
    label = _style.wrapped(label, max(height * shrink * 72, 60), _style.SMALL)
    bar = figure.colorbar(mesh, ax=axes, extend=extend[above, below], shrink=shrink, anchor=(0, 1), aspect=18, pad=0.02)
    bar.outline.set_visible(False)
    if as_percent:
        _style.percent_axis(bar.ax, "y")
    bar.ax.tick_params(
        labelsize=_style.SMALL, labelfontfamily=_style.FAMILY, width=0.6, color=colours.soft, labelcolor=colours.strong
    )
    bar.set_label(label, **_style.words(colours.strong))


def _draw_numbers(axes: Axes, mesh: Any, rows: Rows, cells: FloatArray, window: Window, texts: Sequence[str]) -> None:
    """Numbers in the cells, in the ink that reads better on each."""
    from eventstudy import _style

    colours = mesh.cmap(mesh.norm(np.ma.masked_invalid(cells)))
    for at, text in enumerate(texts):
        row, column = divmod(at, cells.shape[1])
        ink = "white" if _style.luminance(tuple(colours[row, column, :3])) < 0.19 else _style.BLACK
        axes.text(window.start + column, rows.y[row], text, ha="center", va="center", **_style.words(ink))


# -- words ---------------------------------------------------------------------------------------------------------


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
