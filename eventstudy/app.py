"""The local web page of ``eventstudy serve``: choose securities, a time and windows; see figures, tests and files.

Run by Streamlit, never imported by the library. It computes nothing: every number comes from the results.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import warnings
import zipfile
from datetime import date, time
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

import eventstudy as es
from eventstudy import _interactive, _render
from eventstudy.data import sample
from eventstudy.models import MODELS, named_model

# what needs a benchmark and no more; parameters are the library's defaults
_MODELS = [
    name
    for name, entry in MODELS.items()
    if entry.benchmarks in ("none", "one") and not entry.factors and not entry.pool
]
_ZONES = ("America/New_York", "Europe/London", "Europe/Berlin", "Asia/Tokyo", "Asia/Hong_Kong", "UTC")
_PEERS = ["MSFT", "NVDA", "GOOGL", "META", "AMZN", "AMD", "AVGO"]
_FORMATS = {"statistic": "%.2f", "t": "%.2f", "p_value": "%.3f"}
_ROW, _MOST = 35, 30  # pixels of a row; rows without scrolling
_PERCENT = ("car", "caar", "std_error", "ci_lower", "ci_upper")


def main() -> None:
    """Draw the page."""
    st.set_page_config("Event study", layout="wide")
    st.title("Event study")
    try:
        asked = _form()
    except es.EventStudyError as error:
        st.error(str(error))
        return
    if not asked["tickers"]:
        st.info("Choose at least one security.")
        return
    try:
        with st.spinner("Fitting"):
            res = _study(**asked)
            windows = [es.Window.of(text) for text in asked["cars"]]
            for window in windows:
                res.car(window)  # refuses one outside the event window
    except es.EventStudyError as error:
        st.error(str(error))
        return
    _show(res, windows)


def _form() -> dict[str, Any]:
    """What is asked for."""
    with st.sidebar:
        st.header("Data")
        source = st.radio("Prices", ("Bundled sample", "Yahoo Finance", "File"), key="source")
        if source == "Bundled sample":
            known = sample.tickers()
            tickers = st.multiselect("Securities", known, [name for name in _PEERS if name in known], key="tickers")
            benchmark = st.selectbox("Benchmark", known, known.index("SPY"), key="benchmark")
            where = "sample"
        else:
            typed = st.text_input("Securities", "MSFT, NVDA", key="typed", help="Tickers, with commas between them")
            tickers = [name for name in re.split(r"[,\s]+", typed) if name]
            benchmark = st.text_input("Benchmark", "SPY", key="typed_benchmark").strip()
            where = "yahoo"
            if source == "File":
                where = _uploaded()
        st.header("News")
        day = st.date_input("Date", date(2025, 1, 29), key="day")
        timed = st.checkbox("With a time of day", value=True, key="timed")
        clock = st.time_input("Time", time(4, 46), step=60, key="clock", disabled=not timed)
        zone = st.selectbox("Time zone", _ZONES, key="zone", disabled=not timed)
        st.header("Method")
        model = st.selectbox("Normal returns", _MODELS, format_func=lambda name: MODELS[name].title, key="model")
        estimation = st.text_input("Estimation window", "-250:-11", key="estimation", help="Sessions from the event")
        event = st.text_input("Event window", "-5:5", key="event")
        cars = st.text_input("Windows to test", "0:0, 0:1, -1:1", key="cars")
    stamp = f"{day:%Y-%m-%d}" + (f" {clock:%H:%M}" if timed else "")
    return {
        "source": where,
        "tickers": tuple(dict.fromkeys(tickers)),
        "benchmark": benchmark,
        "stamp": stamp,
        "zone": zone if timed else None,
        "model": model,
        "estimation": estimation,
        "event": event,
        "cars": tuple(part.strip() for part in cars.split(",") if part.strip()) or ("0:0",),
    }


def _uploaded() -> str:
    """Path of a copy of the file that the user gives."""
    given = st.file_uploader("CSV or Parquet", ["csv", "parquet"], key="file", help="One column of prices per ticker")
    if given is None:
        raise es.InputError("No file yet.", remedy="Choose a CSV or Parquet file of prices.")
    folder = st.session_state.setdefault("folder", tempfile.mkdtemp(prefix="eventstudy-"))
    path = Path(folder) / f"prices{Path(given.name).suffix.lower()}"
    path.write_bytes(given.getvalue())
    return str(path)


@st.cache_resource(max_entries=20, show_spinner=False)
def _study(
    source: str,
    tickers: tuple[str, ...],
    benchmark: str,
    stamp: str,
    zone: str | None,
    model: str,
    estimation: str,
    event: str,
    cars: tuple[str, ...],
) -> es.EventStudyResults:
    """Results; what the library warns of is among their caveats."""
    chosen = named_model(model, () if MODELS[model].benchmarks == "none" else benchmark)
    span: dict[str, Any] = {}
    if source == "yahoo":
        day = pd.Timestamp(stamp)
        span = {"start": day - pd.Timedelta(days=600), "end": day + pd.Timedelta(days=60)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        prices = es.load_prices(list(dict.fromkeys([*tickers, *chosen.benchmarks])), source=source, **span)
        events = es.Events.at(stamp, list(tickers), tz=zone)
        panel = es.ReturnPanel.from_prices(prices)
        return es.EventStudy(panel, events, chosen, estimation_window=estimation, event_window=event).fit()


def _show(res: es.EventStudyResults, windows: list[es.Window]) -> None:
    """Findings, figures, tables and files."""
    sessions = res.events[["session", "rule"]].drop_duplicates()
    for row in sessions.itertuples():
        st.caption(f"Event session {row.session:%A %d %B %Y} ({row.rule}); prices: {res.study.returns.source}.")
    for column, window in zip(st.columns(len(windows)), windows, strict=True):
        caar, one = res.caar(window).iloc[0], res.recommended(window)
        p_value = _render.p_value(one.result.p_value)
        column.metric(f"CAAR over {window}", _render.percent(caar["caar"]))
        column.caption(f"p = {p_value} by {one.name}")
    for text in res.caveats():
        st.warning(text)
    figures, tests, securities, files = st.tabs(["Figures", "Tests", "Securities", "Files"])
    with figures:
        for figure in _interactive.make(res, windows):
            st.subheader(figure.heading)
            if figure.note:
                st.caption(figure.note)
            st.plotly_chart(json.loads(figure.spec), key=figure.heading, theme=None)
    with tests:
        for window in windows:
            st.subheader(f"Mean over {window}")
            st.caption(f"Recommended: {res.recommended(window)}")
            _table(res.tests(window).drop(columns="null"), f"tests {window}")
    with securities:
        for window in windows:
            st.subheader(f"Securities over {window}")
            _table(res.car(window), f"car {window}", hide_index=True)
    with files:
        st.download_button("Tables as CSV", _archive(res, windows), "eventstudy.zip", "application/zip", key="csv")
        st.download_button("Report", _report(res, windows), "report.html", "text/html", key="report")
        if len(res.dropped):
            st.subheader("Left out")
            st.dataframe(res.dropped, hide_index=True)


def _table(frame: pd.DataFrame, key: str, **how: Any) -> None:
    """Whole table, returns in per cent, no digits that nobody reads."""
    shown = {name: frame[name] * 100 for name in _PERCENT if name in frame}
    columns = {name: st.column_config.NumberColumn(f"{name} (%)", format="%.2f") for name in shown}
    columns |= {name: st.column_config.NumberColumn(format=form) for name, form in _FORMATS.items() if name in frame}
    height = _ROW * (min(len(frame), _MOST) + 1) + 3
    st.dataframe(frame.assign(**shown), key=key, column_config=columns, height=height, **how)


def _archive(res: es.EventStudyResults, windows: list[es.Window]) -> bytes:
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(res.to_csv(folder, windows=windows).iterdir()):
            archive.write(path, path.name)
    return out.getvalue()


def _report(res: es.EventStudyResults, windows: list[es.Window]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return res.report(Path(folder) / "report.html", windows=windows).read_bytes()


if __name__ == "__main__":
    main()
