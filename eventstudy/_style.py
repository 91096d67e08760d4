"""One look for every figure: palette, type sizes, text that is measured before it is placed.

Imported by :mod:`eventstudy.plots` when a figure is drawn, never by ``import eventstudy``.
"""

from __future__ import annotations

import bisect
import io
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter

from eventstudy._render import number
from eventstudy.errors import InputError

# Okabe and Ito (2008) without yellow, which is too faint for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
FAMILY = "DejaVu Sans"  # ships with matplotlib, so a figure is the same everywhere
TITLE, BODY, SMALL = 11.0, 9.0, 8.0
LEADING = 1.32
ROW = 11.5  # points between two lines of small text
BLACK, GREY, QUIET, GRID = "#1A1A1A", "#555555", "#BDBDBD", "#E6E6E6"
MISSING = "#C9C9C9"
EVENT = "event"  # what the event session is called where the events have no label of their own
DOT_DASH: dict[bool, Any] = {True: "-", False: (0, (4, 3))}  # the event session, any other marked one
PLAIN_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}  # keeps grid lines off text

_RC: dict[str, Any] = {
    "font.family": FAMILY,
    "font.size": BODY,
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,
    "svg.hashsalt": "eventstudy",
    "path.simplify": False,
    "text.hinting": "none",  # hinted letters are wider than measured where dots are few
}

LEADER: dict[str, Any] = {
    "arrowstyle": "-",
    "linewidth": 0.6,
    "alpha": 0.8,
    "shrinkA": 0.0,
    "shrinkB": 3.0,
    "relpos": (0.0, 0.5),
}


@contextmanager
def context() -> Iterator[None]:
    """Matplotlib's defaults and ours within the block; the user's settings are back afterwards."""
    with matplotlib.style.context(["default", _RC]):
        yield


class Canvas(Figure):
    """A figure outside pyplot that shows itself in notebooks when it is the value of a cell."""

    def draw(self, renderer: Any) -> None:
        """Draw with letters as wide as they were measured, whoever saves it."""
        with matplotlib.rc_context({"text.hinting": _RC["text.hinting"]}):
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        with context():
            self.savefig(out, format="png", dpi=110)
        return out.getvalue()


Size = Literal["screen", "journal", "slide"]
_JOURNAL, _SLIDE, _WIDEST = 6.5, 16 / 9, 7.5  # text width of a page in inches; ratio; widest that shrinks to it
size: ContextVar[Size] = ContextVar("size", default="screen")


def sized(width: float, height: float) -> tuple[float, float]:
    """Inches of a figure that would be ``width`` by ``height`` on a screen, in the size asked for."""
    if size.get() == "journal" and width <= _WIDEST:
        return _JOURNAL, height
    if size.get() == "slide":
        wide = max(width, height * _SLIDE)
        return wide, wide / _SLIDE
    return width, height


def across(most: int, width: float) -> int:
    """Panels of so many inches side by side: ``most`` of them, or as many as a page is wide."""
    return min(most, int((_JOURNAL - 0.5) // width)) if size.get() == "journal" else most


def new_figure(width: float, height: float) -> Canvas:
    """Empty figure (inches on a screen) that pyplot does not know."""
    figure = Canvas(figsize=sized(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    reserve(figure)
    return figure


# -- colour --------------------------------------------------------------------------------------------------------


def luminance(colour: Any) -> float:
    """Relative luminance of WCAG 2: 0 is black, 1 is white."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def darkened(colour: str, contrast: float = 4.5) -> str:
    """The colour, darkened until text in it reads on white (contrast ratio of WCAG 2)."""
    rgb = np.array(to_rgb(colour))
    while 1.05 / (luminance(rgb) + 0.05) < contrast:
        rgb = rgb * 0.96
    return to_hex(tuple(rgb))


def words(colour: str, size: float = SMALL, **more: Any) -> dict[str, Any]:
    """Options of a text in our type, so that no setting of the user has a say."""
    return {"fontfamily": FAMILY, "fontsize": size, "color": colour} | more


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of text on the figure's own background."""

    strong: str
    soft: str


def ink(around: Axes | Figure) -> Ink:
    """Text colours that read on the background of a figure or around axes; a user's figure may be dark."""
    face = to_rgba((around if isinstance(around, Figure) else around.figure).get_facecolor())
    dark = face[3] > 0.5 and luminance(face) < 0.2
    return Ink("#F2F2F2", "#C8C8C8") if dark else Ink(BLACK, GREY)


# -- measuring -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SMALL, *, bold: bool = False) -> float:
    """Width of the longest line of a text in points."""
    font = FontProperties(family=FAMILY, size=size, weight="bold" if bold else "normal")
    return max(
        float(text_to_path.get_text_width_height_descent(line or " ", font, ismath=False)[0])
        for line in text.split("\n")
    )


def wrapped(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Text broken at spaces so that no line is wider than ``width`` points, unless one word is."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size, bold=bold) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return "\n".join(lines)


def shortened(text: str, width: float) -> str:
    """Text without its middle where it is wider than ``width`` points; names often differ at their ends."""
    kept, shown = len(text), text
    while kept > 4 and text_width(shown) > width:
        kept -= 1
        shown = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def figure_of(ax: Axes) -> Figure:
    """The whole figure that the axes are on."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise InputError("These axes are on no figure.", remedy="Make new ones, or leave ax= out.")
    return figure


def alone(ax: Axes) -> bool:
    """Whether nothing but ``ax`` is on its figure and nobody lays it out; then it is laid out like one of ours.

    A plain ``plt.subplots()`` would cut off the title and the labels.
    """
    figure = figure_of(ax)
    if figure.axes != [ax] or figure.get_layout_engine() is not None or ax.get_subplotspec() is None:
        return False
    figure.set_layout_engine("constrained")
    reserve(figure)
    return True


def settle(ax: Axes) -> None:
    """Let the layout engine of the figure place the axes."""
    figure_of(ax).draw_without_rendering()


def finish(ax: Axes, own: bool) -> None:
    """Place the axes for good; a layout of ours then stays, since words were measured for it."""
    settle(ax)
    if own:
        figure_of(ax).set_layout_engine("none")


def size_points(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes in points."""
    box, dpi = ax.get_window_extent(), figure_of(ax).dpi
    return max(box.width * 72 / dpi, 1.0), max(box.height * 72 / dpi, 1.0)


def at_points(ax: Axes, x: float) -> float:
    """Points from the left edge of the axes to a data coordinate of a linear x-axis."""
    low, high = ax.get_xlim()
    return (x - low) / (high - low) * size_points(ax)[0]


# -- axes ----------------------------------------------------------------------------------------------------------


def dress(ax: Axes, *, grid: Literal["x", "y"] | None) -> None:
    """Thin spines, light grid, explicit type: the same on our own and on a user's axes."""
    colours = ink(ax)
    ax.set_facecolor("white")
    ax.set_axisbelow(True)
    ax.grid(visible=False, which="both")
    if grid is not None:
        ax.grid(visible=True, axis=grid, color=GRID, linewidth=0.7, linestyle="-", alpha=1.0)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_linewidth(0.6)
        spine.set_color(colours.soft)
    ax.tick_params(
        which="both",
        top=False,
        right=False,
        labelsize=SMALL,
        labelfontfamily=FAMILY,
        color=colours.soft,
        labelcolor=colours.strong,
        width=0.6,
        direction="out",
    )
    ax.tick_params(which="major", length=3.5)
    ax.tick_params(which="minor", length=2)


def bracketed(window: object) -> str:
    """Window such as [−1, +1], with a true minus and never broken over two lines."""
    return str(window).replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def axis_label(ax: Axes, axis: Literal["x", "y"], text: str) -> None:
    """Label of one axis."""
    setter = ax.set_xlabel if axis == "x" else ax.set_ylabel
    setter(text, **words(ink(ax).strong, BODY))


def percent_tick(value: float, _: object = None) -> str:
    """Decimal as a number of per cent with as many decimals as it has."""
    shown = round(value * 100, 6)
    return number(shown, next(d for d in range(7) if d == 6 or round(shown, d) == shown))


def percent_axis(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Tick labels of decimals in per cent."""
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(FuncFormatter(percent_tick))


def header(ax: Axes, title: str, subtitle: str) -> None:
    """Bold title over a quiet subtitle, flush with the left edge of the axes; all words wrapped to its size."""
    colours, (width, height) = ink(ax), size_points(ax)
    ax.xaxis.label.set_text(wrapped(ax.get_xlabel(), width, BODY))
    ax.yaxis.label.set_text(wrapped(ax.get_ylabel(), height, BODY))
    below = wrapped(subtitle, width, SMALL)
    lines = below.count("\n") + 1 if subtitle else 0
    ax.set_title(
        wrapped(title, width, TITLE, bold=True),
        loc="left",
        pad=8 + lines * SMALL * LEADING,
        **words(colours.strong, TITLE, fontweight="bold"),
    )
    if subtitle:
        ax.annotate(
            below,
            (0, 1),
            (0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="left",
            va="bottom",
            **words(colours.soft, linespacing=LEADING),
        )


def reserve(figure: Figure, *, top: float = 0.0, bottom: float = 0.0, left: float = 0.0) -> None:
    """Keep the layout of a figure of ours clear of its edges by so many points."""
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        rect = (left / width, bottom / height, 1 - left / width, 1 - (top + bottom) / height)
        engine.set(rect=rect, w_pad=0.1, h_pad=0.08, wspace=0.02, hspace=0.02)


def figure_text(figure: Figure, x: float, y: float, text: str, **how: Any) -> None:
    """Text at points from the lower left corner of a figure of ours; from the upper one where ``y`` is negative."""
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    options = words(ink(figure).soft, linespacing=LEADING) | how
    figure.text(x / width, y / height if y >= 0 else 1 + y / height, text, **options)


def footer(figure: Figure, text: str) -> float:
    """Small lines at the bottom of a figure of ours; the points that they take."""
    shown = wrapped(text, float(figure.get_size_inches()[0]) * 72 - 16, SMALL)
    figure_text(figure, 8, 6, shown, ha="left", va="bottom")
    used = (shown.count("\n") + 1) * SMALL * LEADING + 8
    reserve(figure, bottom=used)
    return used


def frame(figure: Figure, title: str, subtitle: str, x: str, y: str, note: str) -> None:
    """Words around a figure of several panels; the layout leaves room for them."""
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    head = wrapped(title, width - 16, TITLE, bold=True)
    below = wrapped(subtitle, width - 16, SMALL)
    figure_text(figure, 8, -7, head, va="top", fontsize=TITLE, fontweight="bold", color=BLACK)
    first = 7 + (head.count("\n") + 1) * TITLE * 1.45
    figure_text(figure, 8, -first, below, va="top")
    top = first + (below.count("\n") + 1) * SMALL * LEADING
    bottom = footer(figure, note) + BODY * LEADING + 2
    black = ink(figure).strong
    figure_text(figure, width / 2, bottom, x, ha="center", va="top", fontsize=BODY, color=black)
    beside = wrapped(y, height - top - bottom, BODY)
    middle = (height - top + bottom) / 2
    figure_text(figure, 6, middle, beside, ha="left", va="center", rotation=90, fontsize=BODY, color=black)
    reserve(figure, top=top, bottom=bottom, left=6 + (beside.count("\n") + 1) * BODY * LEADING)


def tick_step(labels: Callable[[int], str], sessions: Sequence[int], points_per_session: float) -> int:
    """Smallest of 1, 2, 5, 10, … sessions between ticks whose labels do not touch."""
    steps: list[int] = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
    widest = max(text_width(labels(tau)) for tau in sessions) + 7
    return steps[min(bisect.bisect_left(steps, widest / points_per_session), len(steps) - 1)]


def room_right(ax: Axes, points: float) -> None:
    """Extend the x-axis so that the rightmost ``points`` of the axes hold no data."""
    low, high = ax.get_xlim()
    share = min(points / size_points(ax)[0], 0.6)
    ax.set_xlim(low, low + (high - low) / (1 - share))


def centre_label(ax: Axes, start: float, end: float) -> None:
    """Put the label of the x-axis below the middle of the data."""
    low, high = ax.get_xlim()
    ax.xaxis.label.set_x(((start + end) / 2 - low) / (high - low))


def headroom(ax: Axes, points: float) -> None:
    """Extend the y-axis so that the uppermost ``points`` of the axes hold no data."""
    bottom, top = ax.get_ylim()
    share = min(points / size_points(ax)[1], 0.6)
    ax.set_ylim(bottom, bottom + (top - bottom) / (1 - share))


# -- labels that do not collide ------------------------------------------------------------------------------------


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions nearest to those wanted, in the same order, at least ``gap`` apart, inside ``low`` to ``high``.

    Least squares by pooling adjacent violators; where there is no room for all, the gap shrinks.
    """
    n = len(wanted)
    if n == 0:
        return []
    gap = min(gap, (high - low) / (n - 1)) if n > 1 else gap
    order = sorted(range(n), key=lambda at: wanted[at])
    blocks: list[tuple[float, int]] = []  # mean of (wanted − rank · gap), size
    for rank, at in enumerate(order):
        mean, size = wanted[at] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    flat = [mean for mean, size in blocks for _ in range(size)]
    placed = [0.0] * n
    for rank, at in enumerate(order):
        placed[at] = min(max(flat[rank], low), max(high - (n - 1) * gap, low)) + rank * gap
    return placed


@dataclass(frozen=True, slots=True)
class Placed:
    """Row (0 is nearest to the data) and side of a label that hangs on a vertical line."""

    row: int
    side: Literal["left", "right"]


def place(at: Sequence[float], widths: Sequence[float], width: float, rows: int = 4) -> list[Placed] | None:
    """Rows and sides for labels of vertical lines at ``at`` so that nothing touches or crosses; None if they cannot.

    All in points from the left edge of an axes ``width`` points wide.
    """
    taken: list[tuple[float, float, int, float]] = []
    found: dict[int, Placed] = {}

    def free(left: float, right: float, row: int, line: float) -> bool:
        if row == 0 and any(left - 2 < other < right + 2 for other in at):  # every line reaches row 0
            return False
        for other_left, other_right, other_row, other_line in taken:
            if row == other_row and left < other_right + 4 and other_left < right + 4:
                return False
            if other_row < row and other_left - 2 < line < other_right + 2:
                return False
            if other_row >= row and left - 2 < other_line < right + 2:
                return False
        return left >= 0 and right <= width

    for item in sorted(range(len(at)), key=lambda which: -at[which]):
        options = [(row, side) for row in range(rows) for side in ("right", "left")]
        for row, side in options:
            left = at[item] + 3 if side == "right" else at[item] - 3 - widths[item]
            if free(left, left + widths[item], row, at[item]):
                taken.append((left, left + widths[item], row, at[item]))
                found[item] = Placed(row, "right" if side == "right" else "left")
                break
        else:
            return None
    return [found[item] for item in range(len(at))]


# -- marked sessions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """A session to annotate; ``also`` is what else happened on the event session, which its text holds too."""

    tau: int
    text: str
    event: bool = False
    also: str = ""


@dataclass(frozen=True, slots=True)
class Hung:
    """A mark with the text that hangs at its line, and where."""

    mark: Mark
    text: str
    spot: Placed
    numbered: bool


def confounders(marks: Sequence[Mark]) -> list[Mark]:
    """Marks other than the event itself; on its session, what else happened."""
    return [Mark(mark.tau, mark.also) if mark.event else mark for mark in marks if mark.also or not mark.event]


def strip(ax: Axes, marks: Sequence[Mark], *, short: bool = False) -> tuple[list[Hung], float]:
    """Where the texts of marks hang in a strip over the data, and the height of the strip in points.

    In full if they fit without touching; as numbers if not, or if ``short``.
    """
    if not marks:
        return [], 0.0
    width, at = size_points(ax)[0], [at_points(ax, mark.tau) for mark in marks]
    texts, spots = [mark.text for mark in marks], None
    if not short:
        spots = place(at, [text_width(text) for text in texts], width)
    numbered = spots is None
    if spots is None:
        named = [mark for mark in marks if mark.text != EVENT]
        rank = {mark: str(count) for count, mark in enumerate(named, 1)}
        texts = [rank.get(mark, "" if short else EVENT) for mark in marks]
        spots = place(at, [text_width(text) for text in texts], width, rows=8)
    if spots is None:
        spots = [Placed(0, "right")] * len(marks)
    hung = [Hung(mark, text, spot, numbered) for mark, text, spot in zip(marks, texts, spots, strict=True)]
    return hung, (1 + max(spot.row for spot in spots)) * ROW + 4


def key(hung: Sequence[Hung]) -> str:
    """Meaning of numbered marks."""
    named = [f"({item.text}) {item.mark.text}" for item in hung if item.numbered and item.mark.text != EVENT]
    return f"Marked: {'; '.join(named)}" if named else ""


def draw_marks(ax: Axes, hung: Sequence[Hung], above: float, *, over_cells: bool = False) -> None:
    """Vertical lines with their texts in the strip over the data; ``above`` points at the top are taken."""
    if not hung:
        return
    height = size_points(ax)[1]
    base = height - above - (1 + max(item.spot.row for item in hung)) * ROW
    for item in hung:
        y, right = base + (item.spot.row + 0.5) * ROW, item.spot.side == "right"
        ax.axvline(
            item.mark.tau,
            ymin=(base - 4) / height if over_cells else 0.0,
            ymax=(y + ROW * 0.4) / height,
            color=BLACK if item.mark.event else "#666666",
            linewidth=1.0 if item.mark.event else 0.8,
            linestyle=DOT_DASH[item.mark.event or over_cells],
            zorder=1.6,
            label="_mark",
        )
        if item.text:
            ax.annotate(
                item.text,
                (item.mark.tau, y / height),
                (3 if right else -3, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="center",
                ha="left" if right else "right",
                bbox=PLAIN_BOX,
                zorder=4,
                **words(BLACK),
            )


# -- names of lines and rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineEnd:
    """A line's last valid point and the label that belongs to it."""

    tau: int
    value: float
    text: str
    colour: str
    leader: bool = True

    @classmethod
    def of(cls, path: pd.Series[Any], text: str, colour: str) -> LineEnd | None:
        """End of a line; None if it has no valid point."""
        there = path.dropna()
        if there.empty:
            return None
        tau = int(there.index[-1])
        short = f" (to {number(tau)})" if tau < int(path.index[-1]) else ""
        return cls(tau, float(there.iloc[-1]), text + short, colour, leader=not short)


def draw_ends(ax: Axes, ends: Sequence[LineEnd], above: float) -> None:
    """Labels in a column right of the lines, as near to their ends as they can be without touching."""
    if not ends:
        return
    (width, height), (low, high), (left, right) = size_points(ax), ax.get_ylim(), ax.get_xlim()
    scale, gap = (high - low) / height, SMALL * 1.3
    column = right - (max(text_width(end.text) for end in ends) + 2) * (right - left) / width
    at = spread([(end.value - low) / scale for end in ends], gap, gap / 2, height - above - gap / 2)
    for end, y in zip(ends, at, strict=True):
        ax.annotate(
            end.text,
            (end.tau, end.value),
            (column, low + y * scale),
            textcoords="data",
            ha="left",
            va="center",
            bbox=PLAIN_BOX,
            zorder=4,
            arrowprops=LEADER | {"color": end.colour} if end.leader else None,
            **words(darkened(end.colour)),
        )


def legend(ax: Axes, colours: Mapping[str, str]) -> float:
    """Names and colours of groups in rows at the top of the axes, over the data; the points they take."""
    if not colours:
        return 0.0
    width, count = size_points(ax)[0], len(colours)
    each = [text_width(name) + 36 for name in colours]

    def needed(columns: int) -> float:
        deep = -(-count // columns)
        return sum(max(each[at : at + deep]) for at in range(0, count, deep))

    columns = next((number for number in range(count, 0, -1) if needed(number) <= width), 1)
    made = ax.legend(
        handles=[Line2D([], [], color=colour, linewidth=2, label=name) for name, colour in colours.items()],
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=True,
        borderaxespad=0.3,
        borderpad=0.2,
        handlelength=1.4,
        columnspacing=1.4,
        labelspacing=0.35,
        facecolor="white",
        framealpha=1.0,
        edgecolor="none",
        fancybox=False,
        prop={"family": FAMILY, "size": SMALL},
        labelcolor=BLACK,
    )
    made.set_zorder(4)
    return -(-count // columns) * ROW * 1.15 + 6


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a chart from top to bottom: security-events, with a row of its own for the head of each group."""

    frame: pd.DataFrame
    y: list[int]
    heads: dict[str, int]
    count: int

    @classmethod
    def of(cls, frame: pd.DataFrame, groups: Sequence[str]) -> Rows:
        """Rows of a frame with the columns ``name`` and, where there are groups, ``group``."""
        if not groups:
            return cls(frame, list(range(len(frame))), {}, len(frame))
        parts: list[pd.DataFrame] = []
        y: list[int] = []
        heads: dict[str, int] = {}
        at = 0
        for name in groups:
            part = frame[frame["group"] == name]
            heads[name] = at
            y += range(at + 1, at + 1 + len(part))
            at += 1 + len(part)
            parts.append(part)
        return cls(pd.concat(parts), y, heads, at)

    def blocks(self) -> list[tuple[int, int]]:
        """First and past-the-last position in ``frame`` of each run of rows without a head between them."""
        cuts = [at for at in range(1, len(self.y)) if self.y[at] != self.y[at - 1] + 1]
        return list(itertools.pairwise([0, *cuts, len(self.y)]))

    def name(self, ax: Axes) -> int:
        """Name the rows on the y-axis, every k-th where rows are closer than type is high; return k."""
        low, high = ax.get_ylim()
        skip = max(1, math.ceil(9.5 / (size_points(ax)[1] / abs(high - low))))
        ax.set_yticks(self.y[::skip], self.frame["name"].iloc[::skip].tolist())
        ax.tick_params(axis="y", length=0)
        return skip

    def draw_heads(self, ax: Axes, colours: Mapping[str, str]) -> None:
        """Name of each group in its own row, under a thin separator."""
        for name, at in self.heads.items():
            if at:
                ax.axhline(at - 0.5, color=QUIET, linewidth=0.6, zorder=1.2)
            ax.annotate(
                name,
                (0, at),
                xycoords=("axes fraction", "data"),
                ha="left",
                va="center",
                bbox=PLAIN_BOX,
                zorder=5,
                **words(colours[name], fontweight="bold"),
            )
