"""The R packages' numbers through the numpy form of the passes, which shares no code with the compiled one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.inference import TESTS, sessions

DATA = Path(__file__).parent / "data"
NUMBERS = pd.read_csv(DATA / "numbers.csv", dtype={"window_or_day": str})
NUMBERS["name"] = NUMBERS["test"].str.replace(r" \(.*", "", regex=True)
NUMBERS = NUMBERS[NUMBERS["name"].isin(TESTS)]
RTOL = 1e-8  # statistics divide by estimated spreads of returns that were read from files of ten decimals
WHOLE = (-10, 10)


@pytest.fixture(scope="module")
def results(quiet):
    """Results by panel and event window, in numpy."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "_module", lambda: None)

        def fit(panel, window):
            if (panel, window) not in found:
                frame = pd.read_csv(DATA / f"panel_{panel}.csv", index_col="date", parse_dates=True)
                events = pd.read_csv(DATA / f"events_{panel}.csv")
                events = events.rename(columns={"security": "ticker", "event_date": "date"}).drop(columns="event_row")
                study = es.EventStudy(
                    es.ReturnPanel.from_frame(frame), es.Events.from_frame(events), es.MarketModel("MKT"),
                    (-220, -21), window, min_obs=200,
                )  # fmt: skip
                found[panel, window] = quiet(study)
            return found[panel, window]

        yield fit


@pytest.mark.parametrize(("panel", "name"), sorted(NUMBERS.groupby(["panel", "name"]).groups))
def test_every_row(results, panel, name):
    rows = NUMBERS[(NUMBERS["panel"] == panel) & (NUMBERS["name"] == name)]
    pairs = []
    for where, what, expected in rows[["window_or_day", "test", "statistic"]].itertuples(index=False):
        ends = where.strip("()").split(";")
        window = (int(ends[0]), int(ends[-1]))
        ranked_over = window if "this CAR window" in what else WHOLE
        pairs.append((results(panel, ranked_over).tests(*window).loc[name, "statistic"], expected))
    found, expected = np.array(pairs).T
    np.testing.assert_allclose(found, expected, rtol=RTOL)


def test_the_new_tests_have_rows():
    have = NUMBERS.groupby("name").size()
    assert have[["sign_z", "generalized_sign_z", "corrado_sign", "corrado_rank", "wilcoxon"]].min() >= 42
