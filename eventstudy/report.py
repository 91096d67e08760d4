"""One self-contained HTML file: question, design, data, figures, tables, methods and what it takes to run it again."""

from __future__ import annotations

import base64
import importlib
import inspect
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from eventstudy import _render
from eventstudy._paths import as_path
from eventstudy._report_robustness import robustness
from eventstudy.errors import DataSourceError, InputError
from eventstudy.inference.base import TESTS
from eventstudy.models.arrays import windows_of
from eventstudy.windows import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy.compare import Comparison
    from eventstudy.results import EventStudyResults

__all__ = ["ReportOptions", "html", "write_report"]

_PERCENT = (
    "car",
    "ci_lower",
    "ci_upper",
    "caar",
    "bhar",
    "buy_and_hold",
    "expected",
    "alpha",
    "largest move",
)
_SIZES = ("std_error", "sigma")  # no sign
_WORDS = 28  # characters of a cell that is read as a sentence
_ROWS = 500  # rows of a table that people still read; the files hold the rest
_LEAST = 8  # CARs that make a distribution
_SHORT = 60  # rows that a screen shows without scrolling inside the table, and paper at all; securities of a picture


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report says beside the numbers of the study.

    Parameters
    ----------
    title : str
        Heading.
    question : str
        What the study asks, in a few sentences; empty lines divide paragraphs.
    marks : mapping of int to str, optional
        Sessions to mark in the figures, with a few words each.
    tables : mapping of str to DataFrame, optional
        Further tables by heading, such as confounders or a comparison of models.
    notes : mapping of str to str, optional
        A sentence below a table, by its heading.
    interactive : bool
        Whether figures answer to the pointer; the page then carries plotly.js, about 5 MB. Paper gets still pictures
        in any case.
    findings : mapping of str to str, optional
        What the author concludes: a claim or heading, and the evidence in a few sentences.
    comparison : Comparison, optional
        The same events under other models, for the section on robustness; the simplest ones by default.
    """

    title: str = "Event study"
    question: str = ""
    marks: Mapping[int, str] | None = None
    tables: Mapping[str, pd.DataFrame] | None = None
    notes: Mapping[str, str] | None = None
    interactive: bool = True
    findings: Mapping[str, str] | None = None
    comparison: Comparison | None = None


def write_report(
    res: EventStudyResults, path: str | Path, windows: Sequence[Window], options: ReportOptions | None = None
) -> Path:
    """Write :func:`html` to a file, whole or not at all.

    Raises
    ------
    DataSourceError
        If the file cannot be written.
    InputError
        If Jinja2 or, for interactive figures, Plotly is not installed.
    """
    out = as_path(path)
    text = html(res, windows, options)
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True) if part.parent.is_dir() else None
        raise DataSourceError(
            f"Cannot write the report to {out}: {error}.", remedy="Choose a file that can be written."
        ) from error
    return out


def html(res: EventStudyResults, windows: Sequence[Window], options: ReportOptions | None = None) -> str:
    """Report as one HTML page that asks nothing of the network; every text is escaped.

    Parameters
    ----------
    res : EventStudyResults
        What to report.
    windows : sequence of Window
        Windows of the tables; the first also of the chart of securities.
    options : ReportOptions, optional
        Heading, question and the like.
    """
    options = options or ReportOptions()
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
    marks = options.marks
    if marks is None and res.confounders is not None:
        marks = res.confounders.marks(res)
    interactive, library = [], ""
    if options.interactive:
        from eventstudy import _interactive

        interactive, library = _interactive.make(res, windows, marks), _interactive.library()
    text: str = environment.get_template("report.html.j2").render(
        title=options.title,
        question=[part.strip() for part in re.split(r"\n\s*\n", options.question) if part.strip()],
        findings=options.findings or {},
        facts=summary.facts,
        source=res.study.returns.source,
        caveats=summary.notes,
        advised=[(str(window), res.recommended(window)) for window in windows],
        headline=_headline(res, windows),
        interactive=interactive,
        library=library,
        pictures=_pictures(res, windows, marks),
        data=_data_tables(res, windows, options),
        robustness=[_table(*one) for one in robustness(res, windows, options.comparison)],
        tables=_tables(res, windows),
        methods=_methods(res, windows),
        manifest=json.dumps(res.manifest, indent=2),
        created=res.manifest["created"],
        p_value=_render.p_value,
        short=_SHORT,
    )
    return text


def _headline(res: EventStudyResults, windows: Sequence[Window]) -> list[str]:
    """What was found, a sentence for each window."""
    said = []
    for window in windows:
        caar, one = res.caar(window).iloc[0], res.recommended(window)
        level = f"{res.study.confidence:.0%}".replace("%", " %")
        words = (
            f"Over {window} the mean cumulative abnormal return of {int(caar['n'])} security-events is "
            f"{_render.percent(caar['caar'])} ({level} interval {_render.percent(caar['ci_lower'])} to "
            f"{_render.percent(caar['ci_upper'])})"
        )
        p_value = one.result.p_value
        if np.isfinite(p_value):
            differs = bool(p_value < 1 - res.study.confidence)
            found = "differs from zero" if differs else "cannot be told from zero"
            words += f"; by {one.name} it {found} (p {_comparison(p_value)})"
            if differs == bool(caar["ci_lower"] <= 0 <= caar["ci_upper"]):
                words += (
                    f". Interval and test disagree: the interval rests on the {caar['std_error_from']} standard error, "
                    "the test on another yardstick, so the finding is fragile"
                )
        said.append(words + ".")
    return said


def _comparison(p_value: float) -> str:
    shown = _render.p_value(p_value)
    return f"< {shown[1:]}" if shown.startswith("<") else f"= {shown}"


# -- tables --------------------------------------------------------------------------------------------------------


def _data_tables(res: EventStudyResults, windows: Sequence[Window], options: ReportOptions) -> list[dict[str, Any]]:
    """What the study rests on: events and sessions, data behind each, confounders and whatever the user adds."""
    found = [
        _table("Events and their sessions", res.events.drop(columns=["tz"], errors="ignore")),
        _table(
            "Data behind each security-event",
            _quality(res),
            "Usable returns of the estimation window; missing ones of both windows; returns of exactly zero, which a "
            "stale price gives; and the largest move of the estimation window, which a split that was not adjusted "
            "would be.",
        ),
    ]
    if len(res.dropped):
        found.append(_table("Left out", res.dropped))
    if res.confounders is not None:
        found.append(
            _table(
                "Other dated events in these windows",
                res.confounders.overview(res, windows),
                "tau is the session relative to the event on which each can first move prices; n counts the "
                "security-events concerned.",
            )
        )
    for heading, frame in (options.tables or {}).items():
        found.append(_table(heading, frame, (options.notes or {}).get(heading, "")))
    return found


def _quality(res: EventStudyResults) -> pd.DataFrame:
    """Counts of what is missing, stale or extreme in the windows of each event."""
    few = res if len(res) <= _ROWS else res.select(mask=np.arange(len(res)) < _ROWS)
    index, panel = few.fit.index, few.study.returns
    estimation = windows_of(panel.values, index.position, index.estimation, index.security)
    keep = index.estimation_mask()
    if keep is not None:
        estimation = np.where(keep, estimation, np.nan)
    there = ~np.isnan(estimation)
    size = np.where(there, np.abs(estimation), -1.0)
    at = size.argmax(1)
    rows = np.arange(len(few))
    column = np.clip(index.position + index.estimation.start + at, 0, panel.n_sessions - 1)
    return pd.DataFrame(
        {
            "event_id": few.events["event_id"].to_numpy(),
            "ticker": few.events["ticker"].to_numpy(),
            "usable": few.fit.n_obs,
            "of": index.length,
            "missing in event window": len(index.event) - few.fit.n_ar,
            "zero returns": (estimation == 0).sum(1),
            "largest move": np.where(there.any(1), estimation[rows, at], np.nan),
            "on": panel.sessions[column],
        }
    )


def _tables(res: EventStudyResults, windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Heading, note, header and rows of every table of results."""
    caar = pd.concat([res.caar(window) for window in windows]).drop(columns=["start", "end"])
    caar.insert(0, "window", [str(window) for window in windows])
    level = f"{res.study.confidence:.0%}".replace("%", " %")
    found = [_table("Cumulative average abnormal return", caar, f"{level} intervals.")]
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
    return found


def _table(heading: str, frame: pd.DataFrame, note: str = "") -> dict[str, Any]:
    formats: dict[str, Callable[[object], str]] = dict.fromkeys(_PERCENT, _render.percent)
    formats |= dict.fromkeys(_SIZES, _render.size)
    formats |= {"p_value": _render.p_value, "df": lambda value: _render.number(value, 0)}
    shown = frame.head(_ROWS)
    header, rows = _render.Section(heading, shown, formats).cells()
    keys = shown.reset_index() if shown.index.name else shown
    order = [[_sort_key(value) for value in keys[name]] for name in keys.columns]
    if len(frame) > _ROWS:
        note = f"{note} The first {_ROWS} of {len(frame):,} rows; the files of the study hold all.".strip()
    long = len(shown) > _SHORT
    if long:
        note = f"{note} Paper shows the first {_SHORT} rows.".strip()
    cells = [list(zip(row, sort, strict=True)) for row, sort in zip(rows, zip(*order, strict=True), strict=True)]
    kinds = [
        "words" if any(len(row[at]) > _WORDS for row in rows) else "" if is_numeric_dtype(keys[name]) else "text"
        for at, name in enumerate(keys.columns)
    ]
    head = list(zip(header, kinds, strict=True))
    return {"heading": heading, "note": note, "header": head, "rows": cells, "long": long}


def _sort_key(value: object) -> str:
    """What the page sorts a cell by: the number itself, else its text."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | float | np.integer | np.floating):
        return "" if pd.isna(value) else repr(float(value))
    return ""


# -- methods -------------------------------------------------------------------------------------------------------


def _methods(res: EventStudyResults, windows: Sequence[Window]) -> dict[str, Any]:
    """Sentences on what was done, and the papers behind it."""
    study, index = res.study, res.fit.index
    estimation, event, unit = index.words, str(index.event), study.returns.unit
    sentences = [
        f"Normal returns are those of {study.model!r}, fitted to each security-event over the {unit}s {estimation}; "
        f"an event needs {study._min_obs} usable returns.",
        f"Abnormal returns of the {unit}s {event} are what is left of the returns; a CAR is their sum. Its standard "
        "error is the exact forecast error: the noise of the window and the error of the fitted parameters.",
        f"Returns are {study.returns.kind}. News with a time of day falls on the {unit} that it can first move, by "
        f"the hours of {study.returns.calendar or study.calendar}.",
    ]
    names = list(dict.fromkeys(name for window in windows for name in res.tests(window).index))
    papers = {name: TESTS[name].source for name in names if name in TESTS and TESTS[name].source not in ("", "—")}
    return {"sentences": sentences, "model": _references(study.model), "tests": papers}


def _references(model: object) -> list[str]:
    """Papers that the docstring of a model names."""
    text = inspect.getdoc(type(model)) or ""
    found = re.search(r"References\n-+\n(.*?)(?:\n\n\w+\n-+\n|\Z)", text, re.DOTALL)
    if found is None:
        return []
    return [" ".join(part.split()).replace("*", "") for part in re.split(r"\n\s*\n", found[1]) if part.strip()]


# -- still pictures ------------------------------------------------------------------------------------------------


def _pictures(
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
    if len(res) <= _SHORT:
        alt = (
            f"Cumulative abnormal return of each of {len(res)} security-events over {first} with its interval; the "
            f"mean is {_render.percent(caar['caar'])}. The numbers are in the table of securities."
        )
        drawn.append((f"Securities over {first}", alt, plot.car(first.start, first.end)))
        alt = "Abnormal return of each security-event on each session, as colours; numbers in abnormal_returns.csv."
        drawn.append(("Abnormal returns by security and session", alt, plot.heatmap(mark=marks)))
    if int(caar["n"]) >= _LEAST:
        alt = (
            f"Histogram of the cumulative abnormal returns of {int(caar['n'])} security-events over {first} with the "
            "normal curve, their mean and their median."
        )
        drawn.append((f"Distribution over {first}", alt, plot.distribution(first)))
    return [(heading, alt, _picture(figure)) for heading, alt, figure in drawn]


def _picture(drawn: Axes | Figure) -> str:
    """Figure as a data URI; an image of its own, so that identifiers inside it cannot meet those of another."""
    figure: Any = getattr(drawn, "figure", None) or drawn
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
