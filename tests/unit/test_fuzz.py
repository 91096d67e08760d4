"""Whatever a file of events or prices holds, only errors of the library come out, and what is accepted can be used.

A few hundred cases always; ten thousand of each kind with ``make test-slow``.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from odd_files import (
    DAYS,
    EVENT_HEADERS,
    EVENT_OTHERS,
    PRICE_LAYOUTS,
    csv_files,
    frames,
    moments,
    parquet_files,
    prices,
    tables,
    tickers,
    weighted,
)

import eventstudy as es

SIZES = [
    pytest.param(200, id="some"),
    pytest.param(10_000, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(3000)]),
]
PRICE_NAMES = ["MSFT.csv", "MSFT.csv", "MSFT.csv.gz", "MSFT.txt", "prices.csv"]
PRICE_OTHERS = [name for layout in PRICE_LAYOUTS for name in layout]

event_csvs = csv_files(tables(EVENT_HEADERS, EVENT_OTHERS, moments), ["e.csv", "e.csv", "e.csv.gz", "e.CSV"])
event_frames = frames(EVENT_HEADERS, EVENT_OTHERS)
event_files = weighted((2, event_csvs), (1, parquet_files(event_frames, ["e.parquet", "e.pq"])))
price_csvs = st.sampled_from(PRICE_LAYOUTS).flatmap(
    lambda layout: csv_files(tables(layout, PRICE_OTHERS, prices), PRICE_NAMES)
)
price_frames = st.sampled_from([*PRICE_LAYOUTS[:4] * 3, *PRICE_LAYOUTS[4:]]).flatmap(
    lambda layout: frames(layout, PRICE_OTHERS)
)
price_files = weighted((2, price_csvs), (1, parquet_files(price_frames, ["MSFT.parquet", "p.pq"])))
asked = weighted(
    (15, st.just(["MSFT"])), (3, st.just(["MSFT", "NVDA"])), (1, st.lists(tickers, min_size=1, max_size=3))
)
days = weighted((15, st.none()), (1, st.sampled_from([DAYS[0], DAYS[3], "2030-01-01", "1900-01-01", "soon"])))


def run_cases(n: int, case: st.SearchStrategy[Any], check: Callable[[Any], None]) -> Counter[str]:
    """Outcomes of ``check`` on ``n`` cases; anything but a library error fails, and so does any other warning."""
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=n < 1000,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case)
    def one(given_case: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", es.EventStudyWarning)
            # pandas on dates that are numbers; they are refused right after
            warnings.filterwarnings("ignore", "Parsing integer or float values with a format")
            try:
                check(given_case)
            except es.EventStudyError as error:
                outcomes["refused" if str(error).strip() else "refused without a word"] += 1
            else:
                outcomes["accepted"] += 1

    one()
    assert "refused without a word" not in outcomes
    return outcomes


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def assert_usable_events(events: es.Events, panel: es.ReturnPanel) -> None:
    """The table can be shown, written, read again and placed in sessions."""
    assert len(events) > 0
    assert repr(events)
    again = es.Events.from_frame(events.to_frame())
    assert np.array_equal(again.stamp, events.stamp)
    assert events.resolve(panel.sessions).session is not None


def assert_usable_prices(found: es.Prices) -> None:
    """The frame is as documented, and returns can be made of it."""
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique
    values = found.to_numpy()
    assert values.dtype == np.float64
    assert not np.isinf(values).any()
    assert not (values <= 0).any()
    assert (found.info["rows"] > 0).all()
    found.quality()
    es.ReturnPanel.from_prices(found)


@pytest.mark.parametrize("n", SIZES)
def test_event_files(n: int, tmp_path: Path, sample_panel: es.ReturnPanel) -> None:
    def check(case: tuple[tuple[str, bytes], str | None]) -> None:
        (name, content), tz = case
        assert_usable_events(es.Events.read(written(tmp_path, name, content), tz=tz), sample_panel)

    zones = st.sampled_from([None, "America/New_York", "UTC", "Nowhere/City"])
    outcomes = run_cases(n, st.tuples(event_files, zones), check)
    assert min(outcomes["refused"], outcomes["accepted"]) > n / 50, outcomes


@pytest.mark.parametrize("n", SIZES)
def test_event_frames(n: int, sample_panel: es.ReturnPanel) -> None:
    def check(frame: pd.DataFrame) -> None:
        assert_usable_events(es.Events.from_frame(frame), sample_panel)

    outcomes = run_cases(n, event_frames, check)
    assert min(outcomes["refused"], outcomes["accepted"]) > n / 200, outcomes


@pytest.mark.parametrize("n", SIZES)
def test_price_files(n: int, tmp_path: Path) -> None:
    def check(case: Any) -> None:
        (name, content), names, start, end, missing = case
        path = written(tmp_path, name, content)
        assert_usable_prices(es.load_prices(names, start, end, path, on_missing=missing))

    options = st.sampled_from(["raise", "drop"])
    outcomes = run_cases(n, st.tuples(price_files, asked, days, days, options), check)
    assert min(outcomes["refused"], outcomes["accepted"]) > n / 50, outcomes


@pytest.mark.parametrize("n", SIZES)
def test_price_frames(n: int) -> None:
    def check(case: Any) -> None:
        frame, names = case
        assert_usable_prices(es.load_prices(names, source=frame))

    outcomes = run_cases(n, st.tuples(price_frames, asked), check)
    assert min(outcomes["refused"], outcomes["accepted"]) > n / 200, outcomes
