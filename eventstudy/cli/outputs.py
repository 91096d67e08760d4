"""What a study found, as a terminal, a program and a folder get it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eventstudy.cli.base import in_options

if TYPE_CHECKING:
    import pandas as pd

    from eventstudy import Comparison, EventStudyResults, Window
    from eventstudy._render import Summary
    from eventstudy.data.prices import Prices

__all__ = [
    "as_plain",
    "comparison_frames",
    "comparison_summary",
    "draw",
    "plain_comparison",
    "records_of",
    "summary_of",
    "write_comparison",
    "write_risk",
]

_SHOWN_DROPS: Final = 20
_TABLES: Final = ("events", "caar", "tests", "car", "group_caar", "confounders", "dropped")


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
        "tables": records_of({name: frames[name] for name in _TABLES if name in frames}),
    }


def records_of(frames: Mapping[str, pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """Frames as lists of rows."""
    return {name: _records(frame) for name, frame in frames.items()}


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


def comparison_summary(found: Comparison) -> Summary:
    """The library's summary of a comparison, its notes in the words of the command line."""
    summary = found.summary()
    return replace(summary, notes=[in_options(note) for note in summary.notes])


_COMPARISONS: Final = ("comparison", "comparison_car", "comparison_tests", "diagnostics")


def comparison_frames(found: Comparison, names: Iterable[str] = _COMPARISONS) -> dict[str, pd.DataFrame]:
    """Tables of a comparison, each with a column ``model``."""
    import pandas as pd

    means = found.by_window()
    ends = means[["start", "end"]].drop_duplicates().to_numpy().tolist()

    def stacked(method: Any) -> pd.DataFrame:
        parts: list[pd.DataFrame] = [method(*pair).assign(window=f"{pair[0]}:{pair[1]}") for pair in ends]
        return pd.concat(parts, ignore_index=True)

    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "comparison": lambda: means.assign(window=means["start"].astype(str) + ":" + means["end"].astype(str)),
        "comparison_car": lambda: stacked(found.car),
        "comparison_tests": lambda: stacked(found.tests),
        "diagnostics": found.diagnostics,
    }
    return {name: makers[name]() for name in names}


def plain_comparison(found: Comparison) -> dict[str, Any]:
    """A comparison for programs: manifests and tables, and the models that could not be fitted."""
    return {
        "manifests": {name: res.manifest for name, res in found.results.items()},
        "failed": dict(found.failed),
        "tables": records_of(comparison_frames(found)),
    }


def write_comparison(found: Comparison, directory: Path, plots: bool) -> list[str]:
    """Write the tables and the figure of a comparison; returns their names."""
    from eventstudy.plots import save

    names = _write(comparison_frames(found), directory, "comparison")
    if plots:
        save(found.plot_windows(), directory / "comparison.png")
        names.append("comparison.png")
    return names


def write_risk(res: EventStudyResults, prices: Prices, windows: Sequence[Window] | None, directory: Path) -> list[str]:
    """Write the tables of risk and volume that the prices allow; returns their names."""
    tables = res.risk.tables(prices, windows=windows or None)
    return _write({f"risk_{name}": frame for name, frame in tables.items()}, directory, "risk")


def _write(frames: Mapping[str, pd.DataFrame], directory: Path, what: str) -> list[str]:
    from eventstudy._cells import guarded
    from eventstudy.errors import DataSourceError

    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            guarded(frame).to_csv(directory / f"{name}.csv", index=False, lineterminator="\n")
    except OSError as error:
        raise DataSourceError(
            f"Cannot write the {what} to {directory}: {error}.", remedy="Choose a directory that can be written."
        ) from error
    return [f"{name}.csv" for name in frames]
