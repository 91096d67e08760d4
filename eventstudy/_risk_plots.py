"""Figures of risk and spillover: volatility and correlation before and after, influence of each security."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from eventstudy import _style
from eventstudy._captions import _events, _per_cent, _sessions, _span
from eventstudy._drawing import _axes, _tall, _zero
from eventstudy._render import number, percent
from eventstudy._render import p_value as shown_p
from eventstudy.plots import Plotter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy._typing import FloatArray
    from eventstudy.results import EventStudyResults
    from eventstudy.risk.comovement import CorrelationChange
    from eventstudy.windows import Window

__all__ = ["correlation_figure", "influence_axes", "network_axes", "volatility_axes"]

_MOST = 60  # rows of a chart; the largest changes are shown
_BEFORE, _AFTER = _style.GREY, _style.PALETTE[0]
_NUMBERS = 9  # securities up to which the cells of a matrix can hold a number


def _dumbbells(
    axes: Axes,
    own: bool,
    table: pd.DataFrame,
    words: tuple[str, str, str],
    columns: dict[str, list[str]],
    note: str,
) -> None:
    """Rows with a hollow dot (before) and a filled one (after), and columns of text in a margin free of data.

    ``table`` has the columns ``name``, ``before`` and ``after``; ``words`` are title, subtitle and label of the x-axis.
    """
    rows = _style.Rows.of(table, [])
    y = np.array(rows.y)
    size = min(5.1, 0.7 * _style.size_points(axes)[1] / rows.count) ** 2
    axes.hlines(y, table["before"], table["after"], colors=_style.QUIET, linewidth=1.6, zorder=2)
    axes.scatter(table["before"], y, s=size, c="white", edgecolors=_BEFORE, linewidths=1.3, zorder=3, gid="before")
    axes.scatter(table["after"], y, s=size, c=_AFTER, edgecolors=_AFTER, linewidths=1.3, zorder=3, gid="after")
    axes.set_ylim(rows.count - 0.4, -1.6)
    _style.axis_label(axes, "x", words[2])
    _beside(axes, own, rows, words[0], words[1], columns, note)


def _beside(
    axes: Axes, own: bool, rows: _style.Rows, title: str, subtitle: str, columns: dict[str, list[str]], note: str
) -> None:
    """Words around a chart of rows: title, names on the left, columns of text on the right."""
    if own:
        _style.footer(_style.figure_of(axes), note)
    rows.name(axes)
    _style.settle(axes)
    _style.header(axes, title, subtitle)
    _style.settle(axes)
    skip = rows.name(axes)
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.set_xlim(low, high)
    wide = {head: max(map(_style.text_width, [head, *texts])) for head, texts in columns.items()}
    _style.room_right(axes, sum(wide.values()) + 12 * len(wide) + 6)
    _style.centre_label(axes, low, high)
    axes.spines["bottom"].set_bounds(low, high)
    axes.spines["left"].set_visible(False)
    how: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "center"
    }  # fmt: skip
    offset = 0.0
    for head, texts in reversed(columns.items()):
        axes.annotate(head, (1, -1), (-offset, 0), **how, **_style.words(_style.GREY))
        for at in range(0, len(texts), skip):
            axes.annotate(texts[at], (1, rows.y[at]), (-offset, 0), **how, **_style.words(_style.BLACK))
        offset += wide[head] + 12
    _style.finish(axes, own)


def _names(res: EventStudyResults) -> list[str]:
    return Plotter(res)._names(res)


def volatility_axes(
    res: EventStudyResults,
    frame: pd.DataFrame,
    before: Window,
    after: Window,
    options: dict[str, Any],
    ax: Axes | None,
) -> Axes:
    """Volatility of each security before and after, largest rise first."""
    named = {"volatility_before": "before", "volatility_after": "after"}
    table = frame.rename(columns=named).assign(name=_names(res))
    table = table[table["reason"] == ""].sort_values("ratio", ascending=False, kind="stable")
    total, table = len(table), table.iloc[:_MOST]
    annual = options.get("annualize")
    per = "per session" if annual is None else f"annual, {number(float(annual), 0)} sessions"
    estimator = str(options.get("estimator", "close")).replace("_", "–").title()
    source = {"Close": "close-to-close returns"}.get(estimator, f"{estimator} ranges")
    source = "close-to-close abnormal returns" if options.get("abnormal") else source
    about = f"{_shown(len(table), total)}; hollow: sessions {_span(before)}, filled: sessions {_span(after)}; "
    about += f"volatility from {source}\np: rank of the change among earlier windows of the same lengths"
    rows = _style.Rows.of(table, [])
    with _style.context():
        axes, own = _axes(ax, 7.4, _tall(rows))
        _style.dress(axes, grid="x")
        _style.percent_axis(axes, "x")
        columns = {
            "after / before": [number(ratio, 2) for ratio in table["ratio"]],
            "p": [shown_p(p) for p in table["p_placebo"]],
        }
        words = ("Volatility before and after the event", about, f"volatility (%, {per})")
        _dumbbells(axes, own, table, words, columns, Plotter(res).note())
    return axes


def _shown(count: int, total: int) -> str:
    return _events(count) if count == total else f"{count} of {total} security-events, those that rose most"


def network_axes(res: EventStudyResults, change: CorrelationChange, top: int, ax: Axes | None) -> Axes:
    """Pairs whose correlation of abnormal returns changed most."""
    pairs = change.pairs()
    total = len(pairs)
    pairs = pairs.sort_values("change", key=np.abs, ascending=False, kind="stable").iloc[: min(top, _MOST)]
    table = pairs.assign(name=[f"{a} – {b}" for a, b in zip(pairs["ticker_a"], pairs["ticker_b"], strict=True)])
    about = f"{len(table)} of {total} pairs, those that changed most; hollow: before ({change.n_before} sessions), "
    about += f"filled: after ({change.n_after} sessions)\np: Fisher's z of equal correlations, adjusted for {total} "
    about += "pairs (Benjamini and Hochberg)"
    rows = _style.Rows.of(table, [])
    with _style.context():
        axes, own = _axes(ax, 7.4, _tall(rows))
        _style.dress(axes, grid="x")
        _zero(axes, "x")
        columns = {
            "change": [_signed(value) for value in table["change"]],
            "p": [shown_p(p) for p in table["p_change_bh"]],
        }
        words = ("Pairs whose correlation changed most", about, "correlation of abnormal returns")
        _dumbbells(axes, own, table, words, columns, Plotter(res).note())
    return axes


def _signed(value: float, digits: int = 2) -> str:
    shown = number(value, digits)
    return shown if shown.startswith("−") or not shown.strip("0.") else f"+{shown}"


def influence_axes(res: EventStudyResults, window: Window, ax: Axes | None) -> Axes:
    """CAAR without each security-event, the most influential first."""
    from eventstudy.influence import influence

    test = res.recommended(window)
    frame = influence(res, window, resampling=False)
    whole = res.caar(window).iloc[0]
    names = dict(zip(res._identity["event_id"], _names(res), strict=True))
    table = frame.assign(name=[names[key] for key in frame["event_id"]])
    total, table = len(table), table.iloc[:_MOST]
    shown = _events(total) if total == len(table) else f"{len(table)} of {total} security-events, the most influential"
    about = f"{shown}; line: CAAR of all, {percent(whole['caar'])}, with its {_per_cent(res.study.confidence)} interval"
    about += f"\np: {test.name} without the security ({shown_p(test.result.p_value)} with all)"
    rows = _style.Rows.of(table, [])
    with _style.context():
        axes, own = _axes(ax, 7.4, _tall(rows))
        _style.dress(axes, grid="x")
        y, colour = np.array(rows.y), _style.PALETTE[0]
        axes.axvspan(whole["ci_lower"], whole["ci_upper"], color=colour, alpha=0.08, linewidth=0, zorder=1)
        axes.axvline(whole["caar"], color=_style.BLACK, linewidth=1.0, zorder=1.6)
        axes.hlines(y, whole["caar"], table["caar_without"], colors=colour, linewidth=1.6, zorder=2)
        axes.scatter(table["caar_without"], y, s=26, c=colour, linewidths=0, zorder=3, gid="without")
        axes.set_ylim(rows.count - 0.4, -1.6)
        _style.percent_axis(axes, "x")
        unit = Plotter(res)._unit
        _style.axis_label(axes, "x", f"CAAR over {_sessions(window, unit)} without the security (%)")
        columns = {
            "CAAR without": [percent(value) for value in table["caar_without"]],
            "p": [shown_p(p) for p in table[f"p_{test.name}"]],
        }
        _beside(axes, own, rows, "What each security does to the mean", about, columns, Plotter(res).note())
    return axes


def correlation_figure(change: CorrelationChange) -> Figure:
    """Correlation matrices before and after and their difference, side by side on one scale."""
    names = [str(name) for name in change.before.columns]
    panels = {
        f"Before ({change.n_before} sessions)": change.before,
        f"After ({change.n_after} sessions)": change.after,
        "After less before": change.difference,
    }
    with _style.context():
        side = max(2.6, 0.5 + 0.17 * len(names))
        names_need = max(max(map(_style.text_width, names)) / 72 - 0.5, 0.0)
        figure = _style.new_figure(3 * side + 1.0 + names_need, side + 1.6 + names_need)
        axes = list(figure.subplots(1, 3, sharey=True).flat)
        for ax, (title, frame) in zip(axes, panels.items(), strict=True):
            values = frame.to_numpy(np.float64).copy()
            np.fill_diagonal(values, np.nan)  # says nothing
            mesh = _matrix(ax, values, names)
            ax.set_title(title, loc="left", pad=4, **_style.words(_style.BLACK, _style.BODY, fontweight="bold"))
        _bar(figure, mesh, axes, "correlation, or its change", beyond=bool((np.abs(values) > 1.0).any()))
        title, about, note = _words_of(change)
        _style.frame(figure, title, about, "", "", note)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _words_of(change: CorrelationChange) -> tuple[str, str, str]:
    """Title, subtitle and note of the figure of two matrices."""
    rows = change.tests.to_dict(orient="index")
    mean, jennrich = rows["mean_correlation"], rows["jennrich"]
    about = f"Mean correlation {number(mean['before'])} before and {number(mean['after'])} after; "
    about += f"change {_signed(mean['change'])}"
    if np.isfinite(mean["ci_lower"]):
        bounds = f"[{number(mean['ci_lower'])}, {number(mean['ci_upper'])}]"
        about += f" {bounds} ({_per_cent(change.confidence)} interval)"
    about += f"; n = {len(change.before)} securities"
    note = f"Jennrich's test of equal matrices: p = {shown_p(jennrich['p_value'])} (chi-square)"
    note += f", {shown_p(jennrich['p_permutation'])} (permutation)." if np.isfinite(jennrich["p_permutation"]) else "."
    spans = [f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}" for days in (_days(change, 0), _days(change, 1))]
    note += f" Sessions {' and '.join(spans)}. {change.note}"
    return f"Correlations of {change.of} before and after the event", about, note.rstrip()


def _days(change: CorrelationChange, side: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex((change.returns_before, change.returns_after)[side].index)


def _matrix(ax: Axes, values: FloatArray, names: Sequence[str]) -> Any:
    """One matrix as cells; numbers in them where they are few."""
    _style.dress(ax, grid=None)
    for spine in ax.spines.values():
        spine.set_visible(False)
    p = len(names)
    look: dict[str, Any] = {
        "norm": Normalize(-1.0, 1.0),
        "cmap": matplotlib.colormaps["RdBu"].with_extremes(bad="#F2F2F2"),
        "edgecolors": "white",
        "linewidth": 0.4 if p <= 40 else 0.0,
    }
    edges = np.arange(p + 1) - 0.5
    mesh = ax.pcolormesh(edges, edges, np.ma.masked_invalid(values), **look)
    ax.set_ylim(p - 0.5, -0.5)
    ax.set_aspect("equal")
    skip = max(1, -(-p // 40))
    ax.set_xticks(range(0, p, skip), names[::skip], rotation=90)
    ax.set_yticks(range(0, p, skip), names[::skip])
    ax.tick_params(length=0)
    if p <= _NUMBERS:
        colours: Any = mesh.cmap(mesh.norm(np.ma.masked_invalid(values)))
        for row, column in np.argwhere(np.isfinite(values)).tolist():
            dark = _style.luminance(tuple(colours[row, column, :3])) < 0.19
            ink = _style.words("white" if dark else _style.BLACK)
            text = number(values[row, column], 2).replace("0.", ".", 1)
            ax.text(column, row, text, ha="center", va="center", **ink)
    return mesh


def _bar(figure: Figure, mesh: Any, axes: Sequence[Axes], label: str, *, beyond: bool) -> None:
    colours = _style.ink(figure)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.8, aspect=22, pad=0.01, extend="both" if beyond else "neither")
    bar.outline.set_visible(False)
    bar.ax.tick_params(
        labelsize=_style.SMALL, labelfontfamily=_style.FAMILY, width=0.6, color=colours.soft, labelcolor=colours.strong
    )
    bar.set_label(label, **_style.words(colours.strong))
