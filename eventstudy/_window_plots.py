"""CARs of several windows side by side, drawn for :class:`eventstudy.plots.Plotter`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eventstudy import _style
from eventstudy._captions import _events, _per_cent
from eventstudy._drawing import ROW_INCHES, _draw_intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eventstudy.results import EventStudyResults
    from eventstudy.windows import Window

_PANEL = 1.75  # inches


def windows_figure(
    res: EventStudyResults, windows: Mapping[str, Window], confidence: float, names: list[str], colours: dict[str, str]
) -> Figure:
    """One panel for each window over one list of security-events and one scale."""
    with _style.context():
        groups = list(colours) if res.groups else []
        table = res.car(next(iter(windows.values())), confidence=confidence)
        table = table.assign(name=names, group=table["group"] if groups else next(iter(colours)))
        rows = _style.Rows.of(table, groups)
        figure = _style.new_figure(1.3 + _PANEL * len(windows), max(2.3 + ROW_INCHES * (rows.count + 1), 2.8))
        panels: list[Any] = list(np.atleast_1d(figure.subplots(1, len(windows), sharex=True, sharey=True)))
        missing = False
        for axes, (label, window) in zip(panels, windows.items(), strict=True):
            _style.dress(axes, grid="x")
            car = res.car(window, confidence=confidence).set_index("event_id")
            missing = missing or bool(car["car"].isna().any())
            part = _style.Rows(
                car.loc[rows.frame["event_id"]].assign(group=rows.frame["group"].to_numpy()),
                rows.y,
                rows.heads,
                rows.count,
            )
            _draw_intervals(axes, part, colours)
            shown = _style.bracketed(window) if label == str(window) else label
            head = _style.wrapped(shown, _PANEL * 72 - 10, _style.BODY, bold=True)
            axes.set_title(head, fontsize=_style.BODY, fontweight="bold", color=_style.BLACK, pad=4)
            axes.spines["left"].set_visible(False)
            for at in rows.heads.values():
                if at:
                    axes.axhline(at - 0.5, color=_style.QUIET, linewidth=0.6, zorder=1.2)
        panels[0].set_ylim(rows.count - 0.4, -0.6)
        _style.percent_axis(panels[0], "x")
        figure.canvas.draw()
        for axes in panels:
            axes.tick_params(axis="y", length=0, labelleft=axes is panels[0])
        panels[0].set_yticks(
            [*rows.heads.values(), *rows.y], [*(f"{name}" for name in rows.heads), *rows.frame["name"]]
        )
        for tick, name in zip(panels[0].get_yticklabels(), rows.heads, strict=False):
            tick.set_fontweight("bold")
            tick.set_color(_style.darkened(colours[name]))
        level = _per_cent(confidence)
        about = (
            f"{_events(len(table))}, one scale; bars: {level} interval; filled marker: the interval excludes zero, "
            f"hollow: it does not{'; none: a return is missing' if missing else ''}"
        )
        _style.frame(
            figure,
            "Cumulative abnormal returns over several windows",
            about,
            "cumulative abnormal return (%)",
            "",
            res.plot.note(),
        )
    return figure
