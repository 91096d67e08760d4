"""What a study found, as a terminal, a program and a folder get it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eventstudy.cli.base import in_options

if TYPE_CHECKING:
    import pandas as pd

    from eventstudy import EventStudyResults, Window
    from eventstudy._render import Summary

__all__ = ["as_plain", "draw", "summary_of"]

_SHOWN_DROPS: Final = 20
_TABLES: Final = ("events", "caar", "tests", "car", "group_caar", "dropped")


def summary_of(res: EventStudyResults, windows: Sequence[Window] | None) -> Summary:
    """The library's summary, and the dropped events that it refers to."""
    from eventstudy._render import Section

    summary = res.summary(*windows or [])
    if res.dropped.empty:
        return summary
    drops = zip(res.dropped["event_id"], res.dropped["reason"], strict=True)
    lines = [f"event {event_id}: {in_options(reason)}" for event_id, reason in drops]
    if len(lines) > _SHOWN_DROPS:
        lines[_SHOWN_DROPS:] = [f"… and {len(lines) - _SHOWN_DROPS} more; --out or --json has all."]
    return replace(summary, sections=[*summary.sections, Section("Dropped events", notes=lines)])


def as_plain(res: EventStudyResults, windows: Sequence[Window] | None) -> dict[str, Any]:
    """Tables as lists of rows, with null for what is missing or infinite."""
    frames = res.frames(windows)
    return {
        "manifest": res.manifest,
        "caveats": res.caveats(),
        "tables": {name: _records(frames[name]) for name in _TABLES if name in frames},
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw(res: EventStudyResults, windows: Sequence[Window] | None, directory: Path) -> list[str]:
    """Write the figures; returns their names."""
    from eventstudy.plots import save

    figures = {"caar.png": res.plot.caar()}
    for start, end in res.frames(windows)["caar"][["start", "end"]].itertuples(index=False):
        figures[f"car_{start}_{end}.png"] = res.plot.car(start, end)
    figures["heatmap.png"] = res.plot.heatmap()
    for name, axes in figures.items():
        save(axes, directory / name)
    return list(figures)
