"""Figures of a study: result → Axes. They draw only numbers that the result already holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._render import number, percent
from eventstudy.errors import DataSourceError, InputError
from eventstudy.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy._typing import FloatArray
    from eventstudy.results import EventStudyResults

__all__ = ["Plotter", "save"]

Marks: TypeAlias = Mapping[Any, str]
"""Sessions to annotate: relative session or date → short text."""

MAX_BANDS = 6  # groups whose bands still read on one axes
MAX_LABELS = 30  # lines that still can be labelled at their ends
MAX_NUMBERS = 600  # cells of a heat map that still can hold a number
ROW_INCHES = 0.2
MAX_INCHES = 30.0
CROSS_CORRELATED = "Abnormal returns of securities on one date are cross-correlated."
SESSIONS = "trading sessions relative to the event"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Plotter:
    """Figures of one result; reached as ``results.plot``.

    Every method takes ``ax=`` and returns the Axes drawn on; without it a figure of its own is made, outside pyplot,
    with the model and the caveats in a line at the bottom (on axes of yours, put :meth:`note` where it suits). Show
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

    # -- time ----------------------------------------------------------------------------------------------------

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

        res, marks = self.results, self._marks(mark)
        level = res.study.confidence if confidence is None else confidence
        if by_group:
            paths = {name: res.select(group=name).caar_path(start, confidence=level) for name in self._groups()}
        else:
            paths = {"CAAR": res.caar_path(start, confidence=level)}
        with _style.context():
            axes, own = _axes(ax, 7.4, 4.6)
            _style.dress(axes, grid="y")
            banded = len(paths) <= MAX_BANDS
            ends = []
            for at, (name, path) in enumerate(paths.items()):
                colour = _style.PALETTE[at % len(_style.PALETTE)]
                _draw_path(axes, path, colour, name, band=banded, alpha=0.09 if by_group else 0.18, at=at)
                if by_group and (end := _style.line_end(path["caar"], f"{name} ({_counts([path])})", colour)) is not None:
                    ends.append(end)
            axes.axhline(0, color="#666666", linewidth=0.8, zorder=1.5)
            first = next(iter(paths.values()))
            window = Window(int(first.index[0]), int(first.index[-1]))
            title = f"Cumulative average abnormal return{' by group' if by_group else ''}, from session {_tau(window.start)}"
            about = [f"{_counts(paths.values())} security-events"] if not by_group else ["security-events in brackets"]
            about.append(_band_meaning(paths.values(), level) if banded else "without bands: too many groups")
            _style.axis_label(axes, "y", "cumulative average abnormal return (%)")
            self._compose(axes, own, window, title, "; ".join(about), marks, ends)
        return axes

    def caar_by_group(
        self,
        start: int | None = None,
        *,
        ncols: int | None = None,
        confidence: float | None = None,
        mark: Marks | None = None,
    ) -> Figure:
        """One small panel per group, on shared axes, over the other groups in grey; the last panel holds all events.

        Parameters
        ----------
        start : int, optional
            First session cumulated; that of the event window by default.
        ncols : int, optional
            Panels side by side; by default up to three.
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

        res, names, marks = self.results, self._groups(), self._marks(mark)
        level = res.study.confidence if confidence is None else confidence
        paths = {name: res.select(group=name).caar_path(start, confidence=level) for name in names}
        paths["All security-events"] = res.caar_path(start, confidence=level)
        columns = min(3, len(paths)) if ncols is None else ncols
        if isinstance(columns, bool) or not isinstance(columns, int | np.integer) or columns < 1:
            raise InputError(f"ncols={ncols!r} is not a positive whole number.", remedy="Such as ncols=3.")
        columns = min(int(columns), len(paths))
        rows = -(-len(paths) // columns)
        whole = paths["All security-events"]
        window = Window(int(whole.index[0]), int(whole.index[-1]))
        with _style.context():
            figure = _style.new_figure(max(2.6 * columns + 0.5, 4.6), 2.1 * rows + 1.5)
            grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
            flat: list[Axes] = list(grid.flat)
            for spare in flat[len(paths) :]:
                spare.remove()
            for at, ((name, path), axes) in enumerate(zip(paths.items(), flat, strict=False)):
                _style.dress(axes, grid="y")
                for other, behind in paths.items():
                    if other not in (name, "All security-events"):
                        axes.plot(
                            behind.index, behind["caar"], color=_style.QUIET, linewidth=0.8, label="_other", zorder=1.8
                        )
                last = at == len(paths) - 1
                colour = "#1A1A1A" if last else _style.PALETTE[at % len(_style.PALETTE)]
                _draw_path(axes, path, colour, name, band=True, alpha=0.16, at=0)
                axes.axhline(0, color="#666666", linewidth=0.8, zorder=1.5)
                _style.percent_axis(axes, "y")
                bottom = at + columns >= len(paths)
                axes.tick_params(axis="x", which="both", labelbottom=bottom)
                axes.set_xlim(window.start - 0.5, window.end + 0.5)
                self._time_ticks(axes, window, 2.0 * 72, show=bottom)
                axes.set_title(
                    _style.wrapped(f"{name} (n = {_counts([path])})", 2.2 * 72, _style.BODY, bold=True),
                    loc="left", fontsize=_style.BODY, fontweight="bold", fontfamily=_style.FAMILY,
                    color=_style.darkened(colour), pad=4,
                )  # fmt: skip
            shown = [item for item in marks if item.tau in window]
            subtitle = f"{_band_meaning(paths.values(), level)}; grey: the other groups"
            subtitle += "; solid vertical line: event session" if 0 in window else ""
            placed, _ = _style.strip(flat[0], shown, short=True)
            subtitle += f"\n{key}" if (key := _style.key(placed)) else ""
            title = f"Cumulative average abnormal return by group, from session {_tau(window.start)}"
            y_label = "cumulative average abnormal return (%)"
            _style.frame(figure, title, subtitle, self._session_label(), y_label, self.note())
            _style.settle(flat[0])
            placed, points = _style.strip(flat[0], shown, short=True)
            _style.headroom(flat[0], points)
            for at, axes in enumerate(flat[: len(paths)]):
                self._time_ticks(axes, window, _style.size_points(axes)[0], show=at + columns >= len(paths))
                _style.draw_marks(axes, placed, 0.0)
            _style.settle(flat[0])
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
        from matplotlib.lines import Line2D

        from eventstudy import _style

        part = self.results if group is None else self.results.select(group=group)
        marks, event = self._marks(mark), self.results.fit.index.event
        window = Window(event.start if start is None else start, event.end)
        frames = {tau: part.car(window.start, tau)["car"].to_numpy() for tau in window.tau.tolist()}
        cars = pd.DataFrame(frames, index=pd.Index(self._names(part)))
        colours = self._colours()
        of = part.events["group"].tolist() if part.groups else [None] * len(part)
        with _style.context():
            labelled = self._labelled(cars)
            axes, own = _axes(ax, 7.4, max(4.8, 1.7 + 0.145 * len(labelled)))
            _style.dress(axes, grid="y")
            width = 1.3 if len(cars) <= MAX_LABELS else 0.7
            ends = []
            for at, (name, row) in enumerate(cars.iterrows()):
                colour = colours[of[at]]
                axes.plot(
                    cars.columns, row, color=colour, linewidth=width, label=str(name), alpha=0.9,
                    marker="o", markersize=2 if len(cars) <= MAX_LABELS else 1,
                )  # fmt: skip
                if at in labelled and (end := _style.line_end(row, str(name), colour)) is not None:
                    ends.append(end)
            axes.axhline(0, color="#666666", linewidth=0.8, zorder=1.5)
            about = f"{len(cars)} security-event{'s' if len(cars) > 1 else ''}"
            if len(labelled) < len(cars):
                about += f"; the {len(labelled)} with the highest and lowest ends are labelled"
            if cars.isna().to_numpy().any():
                about += "; gaps: no value, as a return is missing"
            title = f"Cumulative abnormal return of each security, from session {_tau(window.start)}"
            title += f": {group}" if group is not None else ""
            keys = [
                Line2D([], [], color=colours[name], linewidth=2, label=name) for name in part.groups if group is None
            ]
            _style.axis_label(axes, "y", "cumulative abnormal return (%)")
            self._compose(axes, own, window, title, about, marks, ends, keys)
        return axes

    # -- security-events -----------------------------------------------------------------------------------------

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
        from matplotlib.lines import Line2D

        from eventstudy import _style

        if sort not in (True, False, "overall"):
            raise InputError(f"sort={sort!r} is not an option.", remedy='Use True, False or "overall".')
        res, window, marks = self.results, Window(start, end), self._marks(mark)
        level = res.study.confidence if confidence is None else confidence
        frame = res.car(window, confidence=level).assign(name=self._names(res))
        if sort is not False:
            frame = frame.sort_values("car", ascending=False, kind="stable", na_position="last")
        blocks = sort is True and bool(res.groups)
        rows = _style.Rows.of(frame, res.groups if blocks else None)
        table, colours = rows.frame, self._colours()
        colour = [colours[name] for name in table["group"]] if res.groups else [colours[None]] * len(table)
        with _style.context():
            axes, own = _axes(ax, 7.4, min(1.9 + ROW_INCHES * (rows.count + 1), MAX_INCHES))
            _style.dress(axes, grid="x")
            y = rows.y
            excludes = ((table["ci_lower"] > 0) | (table["ci_upper"] < 0)).to_numpy()
            axes.hlines(y, table["ci_lower"], table["ci_upper"], colors=colour, linewidth=1.6, gid="interval")
            axes.scatter(
                table["car"], y, s=26, c=[c if full else "white" for c, full in zip(colour, excludes, strict=True)],
                edgecolors=colour, linewidths=1.4, zorder=3, gid="car",
            )  # fmt: skip
            axes.axvline(0, color="#666666", linewidth=0.8, zorder=1.5)
            _style.percent_axis(axes, "x")
            axes.set_ylim(rows.count - 0.4, -1.6)
            shown = _percent_level(level)
            about = f"{len(table)} security-event{'s' if len(table) > 1 else ''}; bars: {shown} interval; "
            about += "filled marker: the interval excludes zero, hollow: it does not"
            inside = [f"{item.text} (session {_tau(item.tau)})" for item in _style.confounders(marks) if item.tau in window]
            about += f"\nThe window contains: {'; '.join(inside)}" if inside else ""
            title = f"Cumulative abnormal return, sessions {_span(window)}"
            keys = (
                [Line2D([], [], color=colours[name], linewidth=2, label=name) for name in res.groups]
                if not blocks
                else []
            )
            _style.axis_label(axes, "x", f"cumulative abnormal return over sessions {_span(window)} (%)")
            self._compose_rows(axes, own, rows, title, about, shown, keys, colours)
        return axes

    def heatmap(self, *, standardized: bool = False, mark: Marks | None = None, ax: Axes | None = None) -> Axes:
        """Abnormal return of each security-event (row) and session (column) as colour.

        The scale is symmetric about zero and ends at the 98th percentile of the absolute values; arrows on the colour
        bar say that some are beyond. Grey cells have no return.

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
        from matplotlib.patches import Rectangle

        from eventstudy import _style

        res, marks = self.results, self._marks(mark)
        values = res.sar if standardized else res.abnormal_returns
        window = res.fit.index.event
        frame = pd.DataFrame({"name": self._names(res)})
        if res.groups:
            frame["group"] = res.events["group"].to_numpy()
        rows = _style.Rows.of(frame, res.groups or None)
        cells = values.to_numpy()[rows.frame.index.to_numpy()]
        numbers = cells.size <= MAX_NUMBERS and len(window) <= 25
        with _style.context():
            left = max(_style.text_width(name) for name in rows.frame["name"]) / 72
            axes, own = _axes(
                ax,
                max(left + 1.6 + len(window) * (0.4 if numbers else 0.2), 6.4),
                min(1.9 + ROW_INCHES * (rows.count + 1), MAX_INCHES),
            )
            _style.dress(axes, grid=None)
            mesh, limit = _draw_cells(axes, rows, cells, window)
            axes.set_xlim(window.start - 0.5, window.end + 0.5)
            axes.set_ylim(rows.count - 0.5, -0.5)
            for side in axes.spines.values():
                side.set_visible(False)
            for item in marks:
                axes.add_patch(
                    Rectangle(
                        (item.tau - 0.5, -0.5), 1, rows.count, fill=False, zorder=4, clip_on=False,
                        edgecolor="#1A1A1A", linewidth=1.3 if item.event else 0.9,
                        linestyle="-" if item.event else (0, (3, 2)),
                    )
                )  # fmt: skip
            unit = "forecast standard deviations" if standardized else "%"
            what = f"{'Standardized abnormal' if standardized else 'Abnormal'} return by security and session"
            _colour_bar(axes, mesh, cells, limit, f"{what.split(' by')[0].lower()} ({unit})", standardized)
            self._compose_cells(axes, own, rows, cells, what, unit, marks, numbers, standardized)
        return axes

    # -- words ---------------------------------------------------------------------------------------------------

    def note(self) -> str:
        """Model, estimation window, number of events and caveats, as they stand at the bottom of each figure.

        Returns
        -------
        str
            One line of sentences.
        """
        res = self.results
        model, index = res.study.model, res.fit.index
        words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z]?[a-z]+|\d+", type(model).__name__)
        name = " ".join(word if word.isupper() else word.lower() for word in words) or type(model).__name__
        inputs = ", ".join(model.benchmarks[:6]) + (", …" if len(model.benchmarks) > 6 else "")
        low, high = int(res.fit.n_obs.min()), int(res.fit.n_obs.max())
        usable = f"{low}" if low == high else f"{low}–{high}"
        sentences = [
            f"{name[:1].upper()}{name[1:]}{f' ({inputs})' if inputs else ''}, estimated over sessions "
            f"{_span(index.estimation)} ({usable} usable returns); n = {len(res)} security-event"
            f"{'s' if len(res) > 1 else ''}"
            f"{f', {len(res.dropped)} dropped' if len(res.dropped) else ''}."
        ]
        if res.shared_dates.clustered:
            sentences.append(CROSS_CORRELATED)
        if res.study.events.weight is not None:
            sentences.append("Averages are weighted.")
        return " ".join(sentences)

    def _groups(self) -> list[str]:
        if not self.results.groups:
            raise InputError("The events have no groups.", remedy="Give group= to Events.at, or a group column.")
        return self.results.groups

    def _colours(self) -> dict[str | None, str]:
        from eventstudy._style import PALETTE

        named: dict[str | None, str] = {None: PALETTE[0]}
        return named | {name: PALETTE[at % len(PALETTE)] for at, name in enumerate(self.results.groups)}

    @property
    def _position(self) -> int | None:
        """Column of the event session in the panel where all events share it."""
        position = self.results.fit.index.position
        return int(position[0]) if len(np.unique(position)) == 1 else None

    def _date(self, tau: int) -> pd.Timestamp | None:
        """Calendar date of a relative session, where there is one for all events and the panel reaches it."""
        sessions, position = self.results.study.returns.sessions, self._position
        if position is None or not 0 <= position + tau < len(sessions):
            return None
        return pd.Timestamp(sessions[position + tau])

    def _names(self, part: EventStudyResults) -> list[str]:
        """Ticker of each event, with the event session where these differ."""
        events = part.events
        if self._position is not None:
            return [str(ticker) for ticker in events["ticker"]]
        return [f"{ticker} {when:%Y-%m-%d}" for ticker, when in zip(events["ticker"], events["session"], strict=True)]

    def _labelled(self, cars: pd.DataFrame) -> set[int]:
        """Rows whose line gets a label: all, or the five highest and the five lowest at the end."""
        if len(cars) <= MAX_LABELS:
            return set(range(len(cars)))
        last = cars.ffill(axis=1).iloc[:, -1].to_numpy()
        order = [int(at) for at in np.argsort(last, kind="stable") if not np.isnan(last[at])]
        return {*order[:5], *order[-5:]}

    def _marks(self, mark: Marks | None) -> list[Mark]:
        """The event session and the sessions asked for."""
        event, found = self.results.fit.index.event, []
        for key, text in (mark or {}).items():
            tau = int(key) if isinstance(key, int | np.integer) and not isinstance(key, bool) else self._tau_of(key)
            if tau not in event:
                raise InputError(
                    f"mark={key!r} is relative session {_tau(tau)}, outside the event window {event}.",
                    remedy="Mark sessions of the event window.",
                    tau=tau,
                )
            found.append(_style.Mark(tau, str(text)))
        if 0 in event:
            labels = self.results.events.get("label")
            label = str(labels.iloc[0]) if labels is not None and labels.nunique(dropna=False) == 1 else ""
            found.append(_style.Mark(0, label if 0 < len(label) <= 32 else "event", event=True))
        return found

    def _tau_of(self, key: object) -> int:
        if not isinstance(key, str | date | np.datetime64):
            raise InputError(f"mark={key!r} is neither a relative session nor a date.", remedy="Such as {-2: 'text'}.")
        if self._position is None:
            raise InputError(
                f"mark={key!r} is a date, but the events have different event sessions.",
                remedy="Mark a relative session, such as {-2: 'text'}.",
            )
        try:
            day = pd.Timestamp(key).tz_localize(None).normalize()
        except ValueError:
            raise InputError(f"mark={key!r} is not a date.", remedy="Write it as '2025-01-27'.") from None
        sessions = self.results.study.returns.sessions
        at = int(sessions.searchsorted(day))
        if at == len(sessions) or sessions[at] != day:
            raise InputError(f"mark={key!r} is not a session of the returns.", remedy="Mark a trading day.", date=day)
        return at - self._position

    def _session_label(self) -> str:
        day = self._date(0)
        return SESSIONS if day is None else f"{SESSIONS} (0 = {_day(day)} {day.year})"

    # -- composing -----------------------------------------------------------------------------------------------

    def _tick(self, tau: int) -> str:
        day = self._date(tau)
        return _tau(tau) if day is None else f"{_tau(tau)}\n{_day(day)}"

    def _time_ticks(self, axes: Axes, window: Window, points: float, *, show: bool = True) -> None:
        """Ticks at multiples of a step whose labels do not touch; small ticks at every session."""
        from eventstudy import _style

        taus = window.tau.tolist()
        step = _style.tick_step(self._tick, taus, points / len(taus))
        at = [tau for tau in taus if tau % step == 0] or [taus[0]]
        axes.set_xticks(at, [self._tick(tau) if show else "" for tau in at])
        axes.set_xticks(taus, minor=True)
        axes.spines["bottom"].set_bounds(window.start, window.end)

    def _compose(
        self,
        axes: Axes,
        own: bool,
        window: Window,
        title: str,
        subtitle: str,
        marks: Sequence[Mark],
        ends: Sequence[LineEnd],
        keys: Sequence[Any] = (),
    ) -> None:
        """Words around a chart over time, each measured and placed where nothing else is."""
        from eventstudy import _style

        here = [item for item in marks if item.tau in window]
        pad = 0.5 if len(window) > 1 else 1.0
        axes.set_xlim(window.start - pad, window.end + (pad if not ends else 0.15))
        _style.percent_axis(axes, "y")
        _style.axis_label(axes, "x", self._session_label())
        self._time_ticks(axes, window, 300)
        if own:
            _style.footer(axes.get_figure(root=True), self.note())
        _style.settle(axes)
        if ends:
            _style.room_right(axes, max(_style.text_width(end.text) for end in ends) + 20)
            low, high = axes.get_xlim()
            axes.xaxis.label.set_x(((window.start + window.end) / 2 - low) / (high - low))
        shown, points = _style.strip(axes, here)
        if key := _style.key(shown):
            subtitle += f"\n{key}"
        _style.header(axes, title, subtitle)
        _style.settle(axes)
        self._time_ticks(axes, window, _style.at_points(axes, window.end) - _style.at_points(axes, window.start))
        legend = _style.legend(axes, keys)
        _style.headroom(axes, points + legend)
        _style.draw_marks(axes, shown, legend)
        _style.draw_ends(axes, ends, points + legend)
        _style.settle(axes)

    def _compose_rows(
        self,
        axes: Axes,
        own: bool,
        rows: Rows,
        title: str,
        subtitle: str,
        level: str,
        keys: Sequence[Any],
        colours: Mapping[str | None, str],
    ) -> None:
        """Words around a forest chart: names, values and the heads of groups."""
        from eventstudy import _style

        table = rows.frame
        value = [percent(item, 1) for item in table["car"]]
        bounds = [
            f"[{number(low * 100, 1)}, {number(high * 100, 1)}]" if np.isfinite(low + high) else ""
            for low, high in zip(table["ci_lower"], table["ci_upper"], strict=True)
        ]
        value = [
            f"missing ({missing} of the returns)" if np.isnan(car) else shown
            for car, shown, missing in zip(table["car"], value, table["n_missing"], strict=True)
        ]
        heads = ("CAR", f"{level} interval (%)")
        if own:
            _style.footer(axes.get_figure(root=True), self.note())
        axes.set_yticks(rows.y, table["name"])
        _style.settle(axes)
        _style.header(axes, title, subtitle)
        _style.settle(axes)
        height = _style.size_points(axes)[1]
        skip = rows.thin(axes, height)
        wide = max(map(_style.text_width, [*bounds, heads[1]]))
        narrow = max(_style.text_width(text) for text in [*value, heads[0]] if not text.startswith("missing"))
        low, high = axes.get_xlim()
        _style.room_right(axes, wide + narrow + 26)
        inner = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        axes.set_xticks(ticks)
        axes.set_xlim(inner)
        axes.spines["bottom"].set_bounds(low, high)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.label.set_x(0.5 * (high - low) / (inner[1] - inner[0]))
        strong = _style.ink(axes)
        common: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center",
            "fontsize": _style.SMALL, "fontfamily": _style.FAMILY,
        }  # fmt: skip
        for text, x in ((heads[1], 0.0), (heads[0], -wide - 10)):
            axes.annotate(text, (1, -1), (x, 0), ha="right", color="#555555", **common)
        for at in range(0, len(table), skip):
            missing = value[at].startswith("missing")
            axes.annotate(bounds[at], (1, rows.y[at]), (0, 0), ha="right", color="#555555", **common)
            axes.annotate(
                value[at], (1, rows.y[at]), (0 if missing else -wide - 10, 0), ha="right",
                color="#555555" if missing else "#1A1A1A", **common,
            )  # fmt: skip
        _style.draw_heads(axes, rows, {name: _style.darkened(colours[name]) for name in rows.heads}, strong.strong)
        legend = _style.legend(axes, keys)
        _style.headroom(axes, legend)
        _style.settle(axes)

    def _compose_cells(
        self,
        axes: Axes,
        own: bool,
        rows: Rows,
        cells: FloatArray,
        title: str,
        unit: str,
        marks: Sequence[Mark],
        numbers: bool,
        standardized: bool,
    ) -> None:
        """Words around a heat map, and numbers in its cells where they can be read."""
        from eventstudy import _style

        window = self.results.fit.index.event
        axes.set_yticks(rows.y, rows.frame["name"])
        axes.tick_params(axis="y", length=0)
        _style.axis_label(axes, "x", self._session_label())
        self._time_ticks(axes, window, 300)
        if own:
            _style.footer(axes.get_figure(root=True), self.note())
        _style.settle(axes)
        width, height = _style.size_points(axes)
        shown = [number(value if standardized else value * 100, 1) for value in cells.ravel()]
        fits = width / len(window) >= max(map(_style.text_width, shown)) + 3 and height / rows.count >= 10.5
        numbers = numbers and fits
        subtitle = f"{len(cells)} security-event{'s' if len(cells) > 1 else ''}"
        subtitle += f"; numbers in {unit}" if numbers else ""
        subtitle += "; grey: no return" if np.isnan(cells).any() else ""
        subtitle += "; outlined: event session" if any(item.event for item in marks) else ""
        placed, points = _style.strip(axes, marks)
        if key := _style.key(placed):
            subtitle += f"\n{key}"
        _style.header(axes, title, subtitle)
        _style.settle(axes)
        rows.thin(axes, _style.size_points(axes)[1])
        self._time_ticks(axes, window, _style.size_points(axes)[0])
        axes.tick_params(axis="x", which="minor", length=0)
        _style.headroom(axes, points)
        _style.draw_marks(axes, placed, 0.0, cells=True)
        if numbers:
            _draw_numbers(axes, rows, cells, window, shown)
        _style.draw_heads(axes, rows, dict.fromkeys(rows.heads, "#1A1A1A"), "#1A1A1A")
        _style.settle(axes)


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
    from matplotlib.figure import Figure

    from eventstudy import _style

    whole = figure if isinstance(figure, Figure) else figure.get_figure(root=True)
    out = Path(path)
    metadata: dict[str, dict[str, Any]] = {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    if out.suffix.lower() not in metadata:
        raise InputError(f"{out.name!r} is not a .png, .svg or .pdf file.", remedy="Choose one of these suffixes.")
    if whole is None:
        raise InputError("These axes are on no figure.", remedy="Draw them again.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _style.context():
            whole.savefig(out, dpi=dpi, metadata=metadata[out.suffix.lower()])
    except OSError as error:
        raise DataSourceError(f"Cannot write {out}: {error}.", remedy="Choose a place that can be written.") from error
    return out


# -- rows of a chart -----------------------------------------------------------------------------------------------


# -- drawing -------------------------------------------------------------------------------------------------------


def _axes(ax: Axes | None, width: float, height: float) -> tuple[Axes, bool]:
    from eventstudy import _style

    return (_style.new_figure(width, height).add_subplot(), True) if ax is None else (ax, False)


def _draw_path(axes: Axes, path: pd.DataFrame, colour: str, name: str, *, band: bool, alpha: float, at: int) -> None:
    dashes = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))[at // 7 % 4]
    axes.plot(
        path.index, path["caar"], color=colour, linewidth=1.8, linestyle=dashes, marker="o", markersize=2.8,
        label=name, zorder=3,
    )  # fmt: skip
    if band:
        axes.fill_between(
            path.index, path["ci_lower"], path["ci_upper"], color=colour, alpha=alpha, linewidth=0, zorder=2,
            label=f"_band {name}",
        )  # fmt: skip


def _draw_cells(axes: Axes, rows: Rows, cells: FloatArray, window: Window) -> tuple[Any, float]:
    """One mesh per block of rows on one scale; the last mesh, and the end of the scale."""
    import matplotlib
    from matplotlib.colors import Normalize

    from eventstudy import _style

    there = np.abs(cells[np.isfinite(cells)])
    limit = float(np.percentile(there, 98)) if len(there) else 0.0
    limit = limit if limit > 0 else 0.01
    norm, colours = Normalize(-limit, limit), matplotlib.colormaps["RdBu"].with_extremes(bad=_style.MISSING)
    edges = np.arange(window.start, window.end + 2) - 0.5
    mesh = None
    for first, last in rows.blocks():
        lines = np.arange(rows.y[first], rows.y[last - 1] + 2) - 0.5
        mesh = axes.pcolormesh(
            edges, lines, np.ma.masked_invalid(cells[first:last]), norm=norm, cmap=colours,
            edgecolors="white", linewidth=0.5,
        )  # fmt: skip
    return mesh, limit


def _colour_bar(axes: Axes, mesh: Any, cells: FloatArray, limit: float, label: str, standardized: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    from eventstudy import _style

    above, below = bool((cells > limit).any()), bool((cells < -limit).any())
    extend = {(True, True): "both", (True, False): "max", (False, True): "min", (False, False): "neither"}
    figure, height = axes.get_figure(root=True), axes.figure.get_figure(root=True).get_figheight()  # type: ignore[union-attr]
    bar = figure.colorbar(  # type: ignore[union-attr]
        mesh, ax=axes, extend=extend[above, below], shrink=min(1.0, 3.2 / max(height - 1.5, 1.0)), anchor=(0, 1),
        aspect=18, pad=0.02,
    )  # fmt: skip
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.set_facecolor("none")
    if not standardized:
        bar.ax.yaxis.set_major_formatter(FuncFormatter(_style.percent_tick))
    colours = _style.ink(axes)
    bar.ax.tick_params(
        labelsize=_style.SMALL, labelfontfamily=_style.FAMILY, width=0.6, length=3, color=colours.soft,
        labelcolor=colours.strong,
    )  # fmt: skip
    bar.set_label(label, fontsize=_style.SMALL, fontfamily=_style.FAMILY, color=colours.strong)


def _draw_numbers(axes: Axes, rows: Rows, cells: FloatArray, window: Window, shown: Sequence[str]) -> None:
    from eventstudy import _style

    mesh = axes.collections[-1]
    colours = mesh.cmap(mesh.norm(np.ma.masked_invalid(cells)))
    for at, text in enumerate(shown):
        row, column = divmod(at, cells.shape[1])
        dark = _style.luminance(colours[row, column, :3]) < 0.19
        axes.text(
            window.start + column, rows.y[row], text, ha="center", va="center", fontsize=_style.SMALL,
            fontfamily=_style.FAMILY, color="white" if dark else "#1A1A1A",
        )  # fmt: skip


# -- words ---------------------------------------------------------------------------------------------------------


def _tau(tau: int) -> str:
    return "0" if tau == 0 else f"{tau:+d}".replace("-", "−")


def _span(window: Window) -> str:
    return _tau(window.start) if len(window) == 1 else f"{_tau(window.start)} to {_tau(window.end)}"


def _day(day: pd.Timestamp) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _percent_level(level: float) -> str:
    return f"{level * 100:.6g} %"


def _counts(paths: Any) -> str:
    """Number of events behind the paths: one, or the lowest to the highest."""
    counts = np.concatenate([path["n"].to_numpy() for path in paths])
    low, high = int(counts.min()), int(counts.max())
    return f"{low}" if low == high else f"{low}–{high}"


def _band_meaning(paths: Any, level: float) -> str:
    found = list(paths)
    if all(path["ci_lower"].isna().all() for path in found):
        return "no band: a standard error cannot be computed"
    sources = list(dict.fromkeys(name for path in found for name in path["std_error_from"]))
    return f"band: pointwise {_percent_level(level)} interval, {' or '.join(sources)} standard error"
