"""Figures of a study: result → Axes. They draw only numbers that the result already holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from eventstudy._captions import (
    DAGGER,
    MAX_LABELS,
    Captions,
    Marks,
    _band,
    _count,
    _events,
    _labelled,
    _per_cent,
    _sessions,
    _tau,
    _window_of,
)
from eventstudy._drawing import (
    _axes,
    _colour_bar,
    _draw_cells,
    _draw_intervals,
    _draw_numbers,
    _draw_path,
    _outline,
    _tall,
    _values_beside,
    _zero,
)
from eventstudy._figure_files import save, sized
from eventstudy._render import number
from eventstudy.errors import InputError
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy._style import LineEnd

__all__ = ["Plotter", "save", "sized"]

MAX_BANDS = 6  # groups whose bands still read on one axes
MAX_NUMBERS = 600  # cells of a heat map that can still hold a number


@dataclass(frozen=True, slots=True)
class Plotter(Captions):
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

    def note(self) -> str:
        """Model, estimation window, number of events and caveats, as they stand at the bottom of each figure.

        Returns
        -------
        str
            Sentences.
        """
        return self._note()
