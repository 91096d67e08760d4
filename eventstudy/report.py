"""One self-contained HTML file: design, data, tables, figures, caveats and what it takes to run the study again."""

from __future__ import annotations

import base64
import importlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from eventstudy import _render
from eventstudy.errors import DataSourceError, InputError
from eventstudy.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy.results import EventStudyResults

__all__ = ["html", "write_report"]

_PERCENT = ("car", "std_error", "ci_lower", "ci_upper", "caar", "bhar", "buy_and_hold", "expected", "alpha", "sigma")
_ROWS = 500  # rows of a table that people still read; the files hold the rest


def write_report(
    res: EventStudyResults,
    path: str | Path,
    windows: Sequence[Window],
    *,
    title: str = "Event study",
    marks: Mapping[int, str] | None = None,
) -> Path:
    """Write :func:`html` to a file.

    Raises
    ------
    DataSourceError
        If the file cannot be written.
    InputError
        If Jinja2 is not installed.
    """
    out = Path(path)
    text = html(res, windows, title=title, marks=marks)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataSourceError(
            f"Cannot write the report to {out}: {error}.", remedy="Choose a file that can be written."
        ) from error
    return out


def html(
    res: EventStudyResults,
    windows: Sequence[Window],
    *,
    title: str = "Event study",
    marks: Mapping[int, str] | None = None,
) -> str:
    """Report as one HTML page that asks nothing of the network; every text is escaped.

    Parameters
    ----------
    res : EventStudyResults
        What to report.
    windows : sequence of Window
        Windows of the tables; the first also of the bar chart.
    title : str
        Heading.
    marks : mapping of int to str, optional
        Sessions to mark in the figures, with a few words each.
    """
    try:
        jinja2: Any = importlib.import_module("jinja2")
    except ImportError:
        raise InputError(
            "A report needs the package jinja2, which is not installed.",
            remedy='Install it: pip install "abnormal-returns[report]".',
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("eventstudy"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    summary = res.summary(*windows)
    text: str = environment.get_template("report.html.j2").render(
        title=title,
        facts=summary.facts,
        source=res.study.returns.source,
        caveats=summary.notes,
        advised=[(str(window), res.recommended(window)) for window in windows],
        tables=_tables(res, windows),
        figures=_figures(res, windows, marks),
        manifest=json.dumps(res.manifest, indent=2),
        created=res.manifest["created"],
        p_value=_render.p_value,
    )
    return text


def _tables(res: EventStudyResults, windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Heading, note, header and rows of every table."""
    found = [_table("Events and their sessions", res.events.drop(columns=["tz"], errors="ignore"))]
    caar = pd.concat([res.caar(window) for window in windows]).drop(columns=["start", "end"])
    caar.insert(0, "window", [str(window) for window in windows])
    found.append(_table("Cumulative average abnormal return", caar, f"{res.study.confidence:.0%} intervals."))
    for window in windows:
        tests = res.tests(window).drop(columns=["null"]).rename(columns={"valid_under_clustering": "valid here"})
        note = "“valid here”: keeps its size for the event dates of this study."
        found.append(_table(f"Tests of the mean over {window}", tests, note))
    if res.groups:
        for window in windows:
            frame = res.group_caar(window)
            keep = ["caar", "n", "std_error", "p_value", "ci_lower", "ci_upper", "std_error_from"]
            found.append(_table(f"Groups over {window}", frame[keep]))
    found += [_table(f"Securities over {window}", res.car(window)) for window in windows]
    found.append(_table("Estimated parameters", res.parameters))
    if len(res.dropped):
        found.append(_table("Left out", res.dropped))
    return found


def _table(heading: str, frame: pd.DataFrame, note: str = "") -> dict[str, Any]:
    formats: dict[str, Callable[[object], str]] = dict.fromkeys(_PERCENT, _render.percent)
    formats |= {"p_value": _render.p_value, "df": lambda value: _render.number(value, 0)}
    header, rows = _render.Section(heading, frame.head(_ROWS), formats).cells()
    if len(frame) > _ROWS:
        note = f"{note} The first {_ROWS} of {len(frame):,} rows; the files of the study hold all.".strip()
    return {"heading": heading, "note": note, "header": header, "rows": rows}


def _figures(
    res: EventStudyResults, windows: Sequence[Window], marks: Mapping[int, str] | None
) -> list[tuple[str, str, str]]:
    """Heading, text in place of the picture, and the picture of every figure."""
    plot, first = res.plot, windows[0]
    path = plot.caar_by_group(mark=marks) if res.groups else plot.caar(mark=marks)
    caar = res.caar(first).iloc[0]
    drawn: list[tuple[str, str, Axes | Figure]] = [
        (
            "Cumulative average abnormal returns",
            "Lines of the mean cumulative abnormal return with bands over the event window; numbers in aar.csv.",
            path,
        )
    ]
    if len(res) <= _ROWS:
        alt = (
            f"Cumulative abnormal return of each of {len(res)} security-events over {first} with its interval; the "
            f"mean is {_render.percent(caar['caar'])}. The numbers are in the table of securities."
        )
        drawn.append((f"Securities over {first}", alt, plot.car(first.start, first.end)))
        alt = "Abnormal return of each security-event on each session, as colours; numbers in abnormal_returns.csv."
        drawn.append(("Abnormal returns by security and session", alt, plot.heatmap(mark=marks)))
    return [(heading, alt, _picture(figure)) for heading, alt, figure in drawn]


def _picture(drawn: Axes | Figure) -> str:
    """Figure as a data URI; an image of its own, so that identifiers inside it cannot meet those of another."""
    figure: Any = getattr(drawn, "figure", None) or drawn
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
