"""Parts of figures: lines with bands, rows with intervals, cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from eventstudy._render import number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eventstudy._style import Mark, Rows
    from eventstudy._typing import FloatArray
    from eventstudy.windows import Window

ROW_INCHES, MAX_INCHES = 0.2, 30.0


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
