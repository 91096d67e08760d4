"""Figures of simulated studies: power curves, and rejection rates with their exact band."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from eventstudy import _style
from eventstudy._render import number
from eventstudy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy.rejection import SimulationResults

__all__ = ["power_curves", "rejection_rates"]

_COLUMNS = 5
_ROOT_TICKS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


def power_curves(results: SimulationResults) -> Figure:
    """One small panel per test: share of studies that reject, by drift; the other tests in grey behind.

    Parameters
    ----------
    results : SimulationResults
        With two drifts or more.

    Raises
    ------
    InputError
        If there is but one drift.
    """
    drifts, variances = np.unique(results.drift), list(dict.fromkeys(results.variance.tolist()))
    if len(drifts) < 2:
        raise InputError(
            f"A power curve needs several drifts; there is {drifts[0]:g} alone.",
            remedy="Such as drift=[0, 0.005, 0.01].",
        )
    table = results.rejection
    columns = min(_style.across(_COLUMNS, 1.95), len(results.tests))
    rows = math.ceil(len(results.tests) / columns)
    with _style.context():
        figure = _style.new_figure(max(1.95 * columns + 0.4, 5.0), 1.55 * rows + 1.2)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        curves = {(name, variance): _curve(table, name, variance) for name in results.tests for variance in variances}
        for at, (ax, name) in enumerate(zip(axes, results.tests, strict=False)):
            _panel(ax, name, curves, variances, results.level)
            ax.tick_params(labelbottom=at + columns >= len(results.tests), labelleft=at % columns == 0)
        for ax in axes[len(results.tests) :]:
            ax.set_axis_off()
        _style.frame(
            figure,
            "How often each test finds a drift",
            f"{_subtitle(results)}\n",  # the key takes the second line
            "drift of the CAR (%)",
            "studies that reject (%)",
            _note(results),
        )
        _key(figure, variances, len(results.tests) > 1)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _curve(table: pd.DataFrame, name: str, variance: float) -> pd.Series[Any]:
    rows = table[(table["test"] == name) & (table["variance"] == variance)]
    return rows.set_index("drift")["rejection"].sort_index()


def _panel(
    ax: Axes, name: str, curves: dict[tuple[str, float], pd.Series[Any]], variances: list[float], level: float
) -> None:
    _style.dress(ax, grid="y")
    for (other, variance), curve in curves.items():
        if other != name and variance == variances[0]:
            ax.plot(curve.index, curve, color=_style.QUIET, linewidth=0.6, alpha=0.8, zorder=2)
    ax.axhline(level, color=_style.GREY, linewidth=0.8, linestyle=(0, (3, 2)), zorder=2.5)
    shown = False
    for at, variance in enumerate(variances):
        curve = curves[name, variance]
        shown = shown or bool(curve.notna().any())
        ax.plot(curve.index, curve, marker="o", **_line(at))
    ax.set_ylim(-0.02, 1.02)
    ax.set_yticks([0.0, 0.5, 1.0])
    _style.percent_axis(ax, "x")
    _style.percent_axis(ax, "y")
    ax.set_title(name, loc="left", pad=4, **_style.words(_style.BLACK, _style.SMALL, fontweight="bold"))
    if not shown:
        where: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center"}
        ax.text(0.5, 0.5, "no answer", **where, **_style.words(_style.GREY), bbox=_style.PLAIN_BOX)


def _line(at: int) -> dict[str, Any]:
    dashes: Any = ("-", (0, (4, 1.5)), (0, (1.5, 1.2)))[at % 3]
    colour = _style.PALETTE[at % len(_style.PALETTE)]
    return {"color": colour, "linewidth": 1.8, "linestyle": dashes, "markersize": 3.0, "zorder": 4}


def _key(figure: Figure, variances: list[float], others: bool) -> None:
    """What the lines are, in the line below the subtitle."""
    entries: list[tuple[str, dict[str, Any]]] = [
        ("this test" if variances == [1.0] else f"variance × {variance:g}", _line(at))
        for at, variance in enumerate(variances)
    ]
    if others:
        entries.append(("the other tests", {"color": _style.QUIET, "linewidth": 0.9}))
    entries.append(("nominal level", {"color": _style.GREY, "linewidth": 0.8, "linestyle": (0, (3, 2))}))
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    x, y = 8.0, height - 7 - 1.45 * _style.TITLE - 1.5 * _style.SMALL * _style.LEADING
    for text, line in entries:
        look = {name: value for name, value in line.items() if name != "markersize"}
        figure.add_artist(Line2D([x / width, (x + 24) / width], [y / height, y / height], **look))
        _style.figure_text(figure, x + 29, y, text, va="center", color=_style.BLACK)
        x += 29 + _style.text_width(text) + 18


def rejection_rates(results: SimulationResults, *, drift: float | None = None) -> Figure:
    """Rejection rate of every test with its exact interval, over the band of the nominal level.

    Parameters
    ----------
    results : SimulationResults
        Rates.
    drift : float, optional
        Which drift; the smallest in size by default.
    """
    given = np.unique(results.drift)
    chosen = float(given[np.argmin(np.abs(given))]) if drift is None else drift
    table = results.rejection[results.rejection["drift"] == chosen]
    if table.empty:
        raise InputError(f"No study has the drift {chosen:g}.", remedy=f"Use one of {given.tolist()}.")
    variances = list(dict.fromkeys(results.variance.tolist()))
    n = len(results.tests)
    with _style.context():
        figure = _style.new_figure(7.2, 0.21 * n + 1.6)
        ax = figure.add_subplot()
        _style.dress(ax, grid="x")
        first = table.iloc[0]
        ax.axvspan(first["band_lower"], first["band_upper"], color="#DCE9F5", linewidth=0, zorder=1)
        ax.axvline(results.level, color=_style.GREY, linewidth=0.8, zorder=1.5)
        for at, variance in enumerate(variances):
            rows = table[table["variance"] == variance].reset_index(drop=True)
            y = np.arange(n) + 0.3 * (at - (len(variances) - 1) / 2)
            _dots(ax, rows, y, _style.PALETTE[at % len(_style.PALETTE)] if len(variances) > 1 else None)
        ax.set_yticks(np.arange(n), results.tests)
        ax.set_ylim(n - 0.4, -0.6)
        ax.set_xscale("function", functions=(_root, np.square))
        top = float(np.nanmax([results.level, table["ci_upper"].max()]))
        right = min(tick for tick in _ROOT_TICKS if tick >= min(top, 1.0))
        ax.set_xticks([tick for tick in _ROOT_TICKS if tick <= right])
        ax.set_xlim(0.0, right)
        _style.percent_axis(ax, "x")
        labels = table[table["variance"] == variances[0]] if len(variances) == 1 else table.iloc[:0]
        for at, value in enumerate(labels["rejection"]):
            text = "no answer" if np.isnan(value) else number(value * 100, 1)
            where: dict[str, Any] = {"textcoords": "offset points", "ha": "left", "va": "center"}
            ax.annotate(text, (right, at), (6, 0), annotation_clip=False, **where, **_style.words(_style.BLACK))
        _style.frame(
            figure,
            "How often each test rejects" + ("" if chosen else " a true null"),
            _subtitle(results) + _variance_words(variances),
            "studies that reject (%), square-root scale",
            "",
            _note(results),
        )
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _root(x: Any) -> Any:
    return np.sqrt(np.maximum(x, 0.0))


def _dots(ax: Axes, rows: pd.DataFrame, y: Any, colour: str | None) -> None:
    """Points with intervals; in and out of the band differ in shape as well as colour."""
    for inside, shape, own in ((True, "o", _style.PALETTE[0]), (False, "D", _style.PALETTE[1])):
        part = (rows["in_band"] == inside).to_numpy()
        used, paint = rows[part], colour or own
        ax.hlines(y[part], used["ci_lower"], used["ci_upper"], color=paint, linewidth=1.2, zorder=3)
        ax.plot(used["rejection"], y[part], shape, color=paint, markersize=4.5, zorder=4)


def _variance_words(variances: list[float]) -> str:
    if variances == [1.0]:
        return ""
    names = ("blue", "orange", "green", "pink", "amber", "sky blue", "dark grey")
    if len(variances) == 1:
        return f"; variance of the abnormal return × {variances[0]:g}"
    pairs = (f"× {variance:g} {names[at % len(names)]}" for at, variance in enumerate(variances))
    return f"; variance of the abnormal return {', '.join(pairs)}"


def _subtitle(results: SimulationResults) -> str:
    own = "one date for each event" if results.dates == "staggered" else "one date for all events of a study"
    return f"{results.n_studies:,} studies of {results.n_events} events, {own}; nominal level {results.level * 100:g} %"


def _note(results: SimulationResults) -> str:
    band = f"exact {results.confidence * 100:g} % binomial band"
    inside = "" if len(np.unique(results.drift)) > 1 else f" Shaded: {band}; circles in it, diamonds outside."
    design = results.design
    return f"{design['Returns']}. {design['Windows']} sessions; {design['Model']}.{inside}"
