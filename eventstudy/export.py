"""Results as tables and files: every table of a study, written in pieces, and what it takes to run it again."""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from eventstudy._cells import guarded, is_formula
from eventstudy._confounded import confounded_table
from eventstudy._paths import as_path
from eventstudy.errors import DataSourceError, InputError
from eventstudy.kernels import chunks
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["excel", "manifest", "tables", "write"]

_ROWS = 65_536  # events written at a time, so that a million of them never stand in one frame

ACROSS = ("aar", "caar", "tests", "dropped", "group_caar", "confounders")
PER_EVENT = ("events", "parameters", "abnormal_returns", "sar", "car", "bhar")


def _pieces(res: EventStudyResults, name: str, windows: Sequence[Window], rows: int) -> Iterator[pd.DataFrame]:
    """One table of one row for each event (and window), a number of events at a time."""
    parts = [res] if len(res) <= rows else (_some(res, part) for part in chunks(len(res), rows))
    if name not in ("car", "bhar"):
        for part in parts:
            frame = getattr(part, name)
            yield _named(frame.reset_index() if name in ("abnormal_returns", "sar") else frame)
        return
    for window in windows:
        parts = [res] if len(res) <= rows else (_some(res, part) for part in chunks(len(res), rows))
        for part in parts:
            yield _of_window(getattr(part, name)(window), window)


def _some(res: EventStudyResults, part: slice) -> EventStudyResults:
    return replace(res, fit=res.fit.take(part), kept=res.kept[part])


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    frame.columns = frame.columns.map(str)
    return frame


def _of_window(frame: pd.DataFrame, window: Window) -> pd.DataFrame:
    frame = frame.reset_index() if frame.index.name else frame
    frame.insert(0, "window", f"{window.start}:{window.end}")
    return frame


def _across(res: EventStudyResults, windows: Sequence[Window]) -> dict[str, pd.DataFrame]:
    """Tables across events: few rows each."""
    found = {
        "aar": res.aar().reset_index(),
        "caar": pd.concat([res.caar(window) for window in windows], ignore_index=True),
        "tests": pd.concat([_of_window(res.tests(window), window) for window in windows], ignore_index=True),
        "dropped": res.dropped,
    }
    if res.groups:
        parts = [_of_window(res.group_caar(window), window) for window in windows]
        found["group_caar"] = pd.concat(parts, ignore_index=True)
    if res.confounders is not None:
        found["confounders"] = confounded_table(res, res.confounders.calendar, windows, res.confounders.reach)
    return found


def _per_event(res: EventStudyResults) -> list[str]:
    """Tables with a row for each event; volume, say, has no buy-and-hold return."""
    return [name for name in PER_EVENT if name not in getattr(res, "absent_tables", ())]


def tables(res: EventStudyResults, windows: Sequence[Window]) -> dict[str, pd.DataFrame]:
    """Every table of a study by name."""
    each = {name: pd.concat(_pieces(res, name, windows, len(res)), ignore_index=True) for name in _per_event(res)}
    return each | _across(res, windows)


def write(
    res: EventStudyResults,
    directory: str | Path,
    windows: Sequence[Window],
    suffix: Literal["csv", "parquet"],
    rows: int = _ROWS,
) -> Path:
    """Write every table, a number of events at a time, and the manifest.

    Raises
    ------
    DataSourceError
        If the directory cannot be written.
    """
    out = as_path(directory, "directory")
    put = _csv if suffix == "csv" else _parquet
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in ACROSS + PER_EVENT:  # a table of an earlier study must not pass for one of this
            (out / f"{name}.{suffix}").unlink(missing_ok=True)
        for name in _per_event(res):
            put(_pieces(res, name, windows, rows), out / f"{name}.{suffix}")
        for name, table in _across(res, windows).items():
            put(iter([table]), out / f"{name}.{suffix}")
        (out / "manifest.json").write_text(json.dumps(res.manifest, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataSourceError(
            f"Cannot write the results to {out}: {error}.", remedy="Choose a directory that can be written."
        ) from error
    return out


_EXCEL_ROWS = 1_048_576  # of a sheet, the header among them


def excel(res: EventStudyResults, path: str | Path, windows: Sequence[Window]) -> Path:
    """Write every table as a sheet of one workbook, the manifest as the last.

    Raises
    ------
    InputError
        If openpyxl is not installed, or a table has more rows than a sheet holds.
    DataSourceError
        If the file cannot be written.
    """
    try:
        importlib.import_module("openpyxl")
    except ImportError:
        raise InputError(
            "A workbook needs the package openpyxl, which is not installed.",
            remedy='Install it: pip install "abnormal-returns[excel]".',
        ) from None
    rows = len(res) * max(1, len(windows))
    if rows >= _EXCEL_ROWS:
        raise InputError(
            f"A table of {rows:,} rows does not fit into a sheet of {_EXCEL_ROWS:,}.",
            remedy="Use to_csv or to_parquet, or select fewer events.",
        )
    out = as_path(path)
    found = tables(res, windows)
    order = [name for name in _SHEETS if name in found] + [name for name in found if name not in _SHEETS]
    flat = pd.json_normalize(res.manifest, sep=".").T.reset_index().set_axis(["item", "value"], axis=1)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with pd.ExcelWriter(out, engine="openpyxl") as book:
            for name in order:
                _sheet(book, name, found[name])
            _sheet(book, "manifest", flat.map(str))
    except OSError as error:
        raise DataSourceError(
            f"Cannot write the workbook {out}: {error}.", remedy="Choose a file that can be written."
        ) from error
    return out


_NO_TEXT = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"  # control characters that XML, and so a workbook, cannot hold
_SHEETS = ("caar", "tests", "group_caar", "car", "confounders", "bhar", "aar", "events", "parameters", "dropped")


def _sheet(book: pd.ExcelWriter, name: str, frame: pd.DataFrame) -> None:
    """One table, its header in bold and in view, its columns wide enough; text stays text."""
    frame = _texts(frame)
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.DatetimeTZDtype):
            frame[column] = frame[column].astype(str)
        elif isinstance(frame[column].dtype, pd.StringDtype):
            frame[column] = frame[column].str.replace(_NO_TEXT, "\ufffd", regex=True)
    # infinite degrees of freedom are text: a workbook knows no infinity
    frame.to_excel(book, sheet_name=name, index=False, freeze_panes=(1, 0), inf_rep="inf")
    sheet = book.sheets[name]
    for cells in sheet.iter_cols():
        longest = max(len(f"{cell.value:.6g}" if isinstance(cell.value, float) else str(cell.value)) for cell in cells)
        sheet.column_dimensions[cells[0].column_letter].width = min(60, longest + 2)
        for cell in cells:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # text is never run, nor taken for an error value
                cell.quotePrefix = is_formula(cell.value)  # nor when it is edited


def _csv(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, piece in enumerate(pieces):
            guarded(piece).to_csv(file, index=False, header=number == 0, lineterminator="\n")


def _parquet(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for piece in pieces:
            table = pa.Table.from_pandas(_texts(piece), preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Frame whose columns of objects are text: Parquet holds one type in a column, the same in every piece."""
    objects = [name for name in frame.columns if frame[name].dtype == object]
    return frame.assign(**{name: frame[name].map(str, na_action="ignore").astype("str") for name in objects})


def manifest(res: EventStudyResults) -> dict[str, Any]:
    """What it takes to reproduce a run: checksum of the data, configuration, versions, time."""
    study, panel, index = res.study, res.study.returns, res.fit.index
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "sha256": panel.fingerprint(),
            "source": panel.source,
            "securities": panel.n_securities,
            "sessions": panel.n_sessions,
            "first": panel.label(0),
            "last": panel.label(-1),
            "kind": panel.kind,
            **({} if panel.frequency == "D" else {"frequency": panel.frequency}),
        },
        "events": {
            "sha256": hashlib.sha256(study.events.to_frame().to_csv(index=False).encode()).hexdigest(),
            "given": len(study.events),
            "used": len(res),
            "dropped": len(res.dropped),
        },
        "configuration": {
            "model": repr(study.model),
            "estimation_window": index.parts if index.hole else index.parts[0],
            "event_window": [index.event.start, index.event.end],
            "min_obs": study._min_obs,
            "calendar": study.calendar,
            "missing": study.missing,
            "on_error": study.on_error,
            "confidence": study.confidence,
            **_kept_out(res),
        },
        **({} if res.confounders is None else {"confounders": res.confounders.facts()}),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("abnormal-returns", "numpy", "pandas", "scipy", "numba")},
        },
    }


def _kept_out(res: EventStudyResults) -> dict[str, Any]:
    """What was kept out of the estimation windows; nothing for a study that says nothing about it."""
    study = res.study
    found: dict[str, Any] = {}
    if study._excluded:
        found["exclude"] = [[run.ticker, run.start, run.end] for run in study._excluded]
    if study._others is not None:
        found["exclude_events"] = [study._others.start, study._others.end]
    if study.outliers is not None:
        found["outliers"] = float(study.outliers)
    return found


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
