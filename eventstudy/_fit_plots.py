"""Figures of the model: comparison of models, fit of an estimation window with its residuals, distribution of CARs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import MaxNLocator
from scipy import special

from eventstudy import _style
from eventstudy._captions import CROSS_CORRELATED
from eventstudy._drawing import _axes
from eventstudy._render import number, percent
from eventstudy._render import p_value as shown_p
from eventstudy.errors import InputError
from eventstudy.models.arrays import windows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy.compare import Comparison
    from eventstudy.results import EventStudyResults
    from eventstudy.windows import Window, WindowLike

__all__ = ["distribution", "estimation_fit", "model_comparison", "model_windows"]

_MOST = 60  # events whose dots can still be told from a cloud


def _level(res: EventStudyResults) -> str:
    return f"{res.study.confidence:.0%}".replace("%", " %")


def _widest(names: Sequence[str]) -> float:
    """Inches of the longest name."""
    return max(_style.text_width(name, _style.BODY) for name in names) / 72


def _note(first: EventStudyResults) -> str:
    """What holds for every model: estimation window, shared dates and source."""
    sentences = [f"Estimated over sessions {_style.bracketed(first.fit.index.words)}."]
    sentences += [CROSS_CORRELATED] if first.shared_dates.clustered else []
    sentences += [f"Prices: {first.study.returns.source}."] if first.study.returns.source else []
    return " ".join(sentences)


def model_comparison(
    found: Comparison, start: WindowLike | int, end: int | None = None, *, ax: Axes | None = None
) -> Axes:
    """Mean CAR of each model with its interval, over the CARs of the security-events."""
    first = next(iter(found.results.values()))
    window = first._window(start, end)
    table = found.caar(window)
    room = max(0.0, _widest(list(found.results)) - 1.3)  # names of models of one kind are long
    with _style.context():
        axes, own = _axes(ax, 7.4 + room, 1.9 + 0.34 * len(table))
        _style.dress(axes, grid="x")
        y = np.arange(len(table))
        for at, res in enumerate(found.results.values()):
            car = res.car(window)["car"].dropna().to_numpy()
            if len(car) <= _MOST:
                axes.plot(
                    car, np.full(len(car), at + 0.27), "o", color=_style.QUIET, markersize=3.2, zorder=2, gid="car"
                )
            else:
                low, high = np.quantile(car, (0.05, 0.95))
                axes.hlines(at + 0.27, low, high, color=_style.QUIET, linewidth=3, zorder=2, gid="spread")
        axes.axvline(0, color="#666666", linewidth=0.8, zorder=1.5)
        excludes = (table["ci_lower"] > 0) | (table["ci_upper"] < 0)
        colour = _style.PALETTE[0]
        axes.hlines(y, table["ci_lower"], table["ci_upper"], colors=colour, linewidth=2.0, zorder=3, gid="interval")
        face = [colour if full else "white" for full in excludes]
        axes.scatter(table["caar"], y, s=34, c=face, edgecolors=colour, linewidths=1.5, zorder=4, gid="caar")
        axes.set_yticks(y, table.index.tolist())
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(table) - 0.3, -1.1)
        _style.percent_axis(axes, "x")
        _style.axis_label(axes, "x", f"cumulative abnormal return over {_style.bracketed(window)} (%)")
        counts = sorted({int(n) for n in table["n"]})
        n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        behind = "grey: the security-events" if len(first) <= _MOST else "grey: 5 to 95 % of the security-events"
        about = (
            f"{n} security-event{'s' if n != '1' else ''}; bars: {_level(first)} interval of the mean, "
            f"{' or '.join(table['std_error_from'].unique())} standard error; filled marker: it excludes zero; {behind}"
        )
        head: dict[str, Any] = {"textcoords": "offset points", "ha": "left", "va": "center", "annotation_clip": False}
        for at, (test, p) in enumerate(zip(table["test"], table["test_p"], strict=True)):
            text = f"p {'' if shown_p(p).startswith('<') else '= '}{shown_p(p)}  {test}"
            axes.annotate(
                text, (1, at), (8, 0), xycoords=("axes fraction", "data"), **head, **_style.words(_style.BLACK)
            )
        if own:
            words = "Test named: the one to read for this design; it may disagree with the interval. "
            _style.footer(_style.figure_of(axes), words + _note(first))
        _style.settle(axes)
        _style.header(axes, f"Mean cumulative abnormal return over {_style.bracketed(window)} by model", about)
        _style.finish(axes, own)
    return axes


def model_windows(found: Comparison, windows: Sequence[Window]) -> Figure:
    """Mean CAR of each model with its interval, one panel for each window over one list of models and one scale."""
    first = next(iter(found.results.values()))
    windows = list(dict.fromkeys(windows))
    names = list(found.results)
    y, colour = np.arange(len(names)), _style.PALETTE[0]
    with _style.context():
        figure = _style.new_figure(max(0.6 + _widest(names) + 1.9 * len(windows), 6.0), 1.9 + 0.3 * len(names))
        panels: list[Any] = list(np.atleast_1d(figure.subplots(1, len(windows), sharex=True, sharey=True)))
        for axes, window in zip(panels, windows, strict=True):
            table = found.caar(window)
            _style.dress(axes, grid="x")
            axes.axvline(0, color="#666666", linewidth=0.8, zorder=1.5)
            axes.hlines(y, table["ci_lower"], table["ci_upper"], colors=colour, linewidth=2.0, zorder=3, gid="interval")
            excludes = (table["ci_lower"] > 0) | (table["ci_upper"] < 0)
            face = [colour if full else "white" for full in excludes]
            axes.scatter(table["caar"], y, s=30, c=face, edgecolors=colour, linewidths=1.4, zorder=4, gid="caar")
            axes.set_title(_style.bracketed(window), fontsize=_style.BODY, fontweight="bold", color=_style.BLACK, pad=4)
            axes.spines["left"].set_visible(False)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        _style.percent_axis(panels[0], "x")
        figure.canvas.draw()
        panels[0].set_yticks(y, names)
        for axes in panels:
            axes.tick_params(axis="y", length=0, labelleft=axes is panels[0])
        about = (
            f"One panel for each window, one scale; bars: {_level(first)} interval of the mean; filled marker: it "
            "excludes zero, hollow: it does not"
        )
        title = "Mean cumulative abnormal return by model and window"
        _style.frame(figure, title, about, "mean cumulative abnormal return (%)", "", _note(first))
    return figure


def distribution(
    res: EventStudyResults, start: WindowLike | int, end: int | None = None, *, ax: Axes | None = None
) -> Axes:
    """Histogram of the CARs over their normal curve, with mean and median."""
    window = res._window(start, end)
    car = res.car(window)["car"].dropna().to_numpy()
    if len(car) < 2:
        raise InputError(
            f"{'One' if len(car) else 'No'} security-event has a CAR over {window}; two or more make a distribution.",
            remedy="See res.plot.car(…) for a few.",
        )
    mean, median, sd = car.mean(), float(np.median(car)), car.std(ddof=1)
    with _style.context():
        axes, own = _axes(ax, 7.0, 4.4)
        _style.dress(axes, grid="y")
        edges = (
            np.histogram_bin_edges(car, bins="fd") if len(car) >= 30 else np.histogram_bin_edges(car, bins="sturges")
        )
        if len(edges) > 120:  # a few far ones make bins that nobody sees
            edges = np.linspace(car.min(), car.max(), 121)
        axes.hist(car, bins=edges.tolist(), color=_style.PALETTE[5], edgecolor="white", linewidth=0.6, zorder=2)
        if sd > 0:
            x = np.linspace(edges[0], edges[-1], 300)
            curve = np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi)) * len(car) * (edges[1] - edges[0])
            axes.plot(x, curve, color=_style.GREY, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3, label="normal")
        if len(car) <= 200:
            axes.plot(car, np.zeros(len(car)), "|", color=_style.BLACK, markersize=7, alpha=0.6, zorder=4, gid="rug")
        axes.axvline(0, color="#666666", linewidth=0.8, zorder=1.5)
        for value, dashes, name in ((mean, "-", "mean"), (median, (0, (2, 1.5)), "median")):
            axes.axvline(value, color=_style.PALETTE[1], linewidth=1.6, linestyle=dashes, zorder=3.5, label=name)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _style.percent_axis(axes, "x")
        _style.axis_label(axes, "x", f"cumulative abnormal return over {_style.bracketed(window)} (%)")
        _style.axis_label(axes, "y", "security-events")
        skewness = ((car - mean) ** 3).mean() / car.std() ** 3 if sd > 0 else float("nan")
        about = (
            f"{len(car)} security-events; solid: mean {percent(mean)}; dotted: median {percent(median)}; "
            f"{(car > 0).mean() * 100:.0f} % positive; skewness {number(skewness)}; dashed curve: normal with their "
            "mean and standard deviation"
        )
        if own:
            _style.footer(_style.figure_of(axes), res.plot.note())
        _style.settle(axes)
        _style.header(axes, f"Distribution of the cumulative abnormal returns over {_style.bracketed(window)}", about)
        _style.finish(axes, own)
    return axes


def _row(res: EventStudyResults, event: object) -> int:
    """Position of an event, by its event_id or by the ticker that it alone has."""
    frame = res.events
    for name in ("event_id", "ticker"):
        found = np.flatnonzero((frame[name] == event).to_numpy())
        if len(found) == 1:
            return int(found[0])
        if len(found) > 1:
            ids = frame["event_id"].iloc[found].tolist()[:10]
            raise InputError(f"{event!r} has {len(found)} events.", remedy=f"Name one by its event_id: {ids}.")
    raise InputError(
        f"No event that counts is {event!r}.",
        remedy=f"Use an event_id or one of {frame['ticker'].unique().tolist()[:20]}.",
    )


def estimation_fit(res: EventStudyResults, event: object) -> Figure:
    """Fit of one estimation window: returns on what the model expected, residuals over time and their quantiles."""
    at = _row(res, event)
    fit, panel = res.fit, res.study.returns
    index = fit.index.take(np.array([at]))
    e = fit.residuals(np.array([at]))[0]
    y = windows_of(panel.values, index.position, index.estimation, index.security)[0]
    ok = ~(np.isnan(e) | np.isnan(y))
    expected = y - e
    column = index.position[0] + index.estimation.tau
    days = panel.sessions[np.clip(column, 0, panel.n_sessions - 1)]
    sigma = float(np.sqrt(fit.sigma2[at]))
    name, session = res.events["ticker"].iloc[at], panel.sessions[index.position[0]]
    with _style.context():
        figure = _style.new_figure(7.5, 5.4)
        grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1), height_ratios=(1, 1))
        scatter, time, normal = (figure.add_subplot(grid[place]) for place in ((slice(None), 0), (0, 1), (1, 1)))
        dots: dict[str, Any] = {"s": 13, "color": _style.PALETTE[0], "alpha": 0.55, "linewidths": 0, "zorder": 3}
        for axes in (scatter, time, normal):
            _style.dress(axes, grid="y")
        scatter.scatter(expected[ok], y[ok], **dots)
        ends = np.array([expected[ok].min(), expected[ok].max()])
        scatter.plot(ends, ends, color=_style.PALETTE[1], linewidth=1.6, zorder=4)
        event_ar = fit.ar[at]
        event_y = windows_of(panel.values, index.position, index.event, index.security)[0]
        there = ~np.isnan(event_ar)
        scatter.scatter(
            (event_y - event_ar)[there], event_y[there], s=22, marker="D", facecolors="white",
            edgecolors=_style.PALETTE[1], linewidths=1.1, zorder=5,
        )  # fmt: skip
        time.axhspan(-2 * sigma, 2 * sigma, color="#EEF3F8", linewidth=0, zorder=1)
        time.vlines(days[ok], 0, e[ok], color=_style.PALETTE[0], linewidth=0.8, zorder=3)
        time.axhline(0, color="#666666", linewidth=0.8, zorder=2)
        ordered = np.sort(e[ok]) / sigma
        theory = special.ndtri((np.arange(1, len(ordered) + 1) - 0.375) / (len(ordered) + 0.25))
        normal.plot(theory, theory, color=_style.GREY, linewidth=1.0, linestyle=(0, (4, 2)), zorder=2)
        normal.scatter(theory, ordered, **dots)
        for axes, both in ((scatter, True), (time, False)):
            _style.percent_axis(axes, "y")
            if both:
                _style.percent_axis(axes, "x")
        time.tick_params(axis="x", labelrotation=0)
        _dates(time, days)
        for axes, x, up in (
            (scatter, "expected return (%)", "return (%)"),
            (time, "", "residual (%)"),
            (normal, "normal quantile", "residual / σ"),
        ):
            if x:
                _style.axis_label(axes, "x", x)
            _style.axis_label(axes, "y", up)
        for axes, title in (
            (scatter, "Return and expected return"),
            (time, "Residuals"),
            (normal, "Against the normal"),
        ):
            axes.set_title(title, loc="left", pad=5, **_style.words(_style.BLACK, _style.BODY, fontweight="bold"))
        coefficients = ", ".join(
            f"{label} {number(value, 4 if label == 'alpha' else 2)}"
            for label, value in zip(fit.coef_names, fit.coef[at], strict=True)
        )
        about = (
            f"{int(fit.n_obs[at])} sessions {_style.bracketed(index.words)}; "
            f"{coefficients or 'nothing fitted'}; "
            f"σ {percent(sigma).lstrip('+')} a session; R² {number(fit.r2[at])}. Line: what is expected; diamonds: the "
            "event window, not fitted; shaded: ± 2 σ"
        )
        _style.frame(figure, f"{name}, event session {session:%Y-%m-%d}: fit of the estimation window", about, "", "",
                     res.plot.note())  # fmt: skip
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _dates(axes: Axes, days: pd.DatetimeIndex) -> None:
    """A handful of dates, never on top of one another."""
    locator: Any = AutoDateLocator(minticks=2, maxticks=4)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    first, last = date2num([days.min(), days.max()])  # type: ignore[no-untyped-call]
    axes.set_xlim(float(first), float(last))
