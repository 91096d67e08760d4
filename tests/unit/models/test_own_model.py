"""The model of the documents, as it stands there: fifteen lines that everything works with."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.models import ArrayFit, event_data

PAGE = Path(__file__).resolve().parents[3] / "docs" / "own_model.md"


def definition(name: str) -> str:
    """Imports and class of the block of the page that defines a class."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    block = next(block for block in blocks if f"class {name}" in block)
    return block[: block.index("\n\n\n", block.index(f"class {name}"))]


def model_class(name: str):
    space: dict[str, object] = {"__name__": "own"}
    exec(compile(definition(name), PAGE.name, "exec", dont_inherit=True), space)
    return space[name]


@pytest.fixture(scope="module")
def shrunk():
    return model_class("ShrunkBeta")


def test_it_is_fifteen_lines():
    code = definition("ShrunkBeta")
    lines = [line for line in code[code.index("@dataclass") :].splitlines() if line.strip()]
    assert len(lines) == 15


def test_its_numbers_are_those_of_numpy(study_of, synthetic, events_at, shrunk):
    frame = synthetic(4, 420, seed=51, missing=0.05)
    positions = {"S00": 200, "S01": 260, "S02": 330}
    res = study_of(frame, events_at(frame, positions), shrunk("MKT"))
    assert isinstance(shrunk("MKT"), es.NormalReturnModel)
    for at, (ticker, position) in enumerate(positions.items()):
        rows = frame[["MKT", ticker]].iloc[position - 130 : position - 10].dropna().to_numpy()
        slope = np.polyfit(rows[:, 0], rows[:, 1], 1)[0]
        beta = 1 / 3 + 2 / 3 * slope
        alpha = rows[:, 1].mean() - beta * rows[:, 0].mean()
        shown = res.parameters.iloc[at]
        assert [shown["alpha"], shown["beta"]] == pytest.approx([alpha, beta], rel=1e-9)
        e = rows[:, 1] - alpha - beta * rows[:, 0]
        assert shown["sigma"] == pytest.approx(np.sqrt(e @ e / (len(e) - 2)), rel=1e-9)
        x = np.column_stack([np.ones(len(e)), rows[:, 0]])
        errors = np.sqrt(e @ e / (len(e) - 2) * np.diag(np.linalg.inv(x.T @ x)))
        assert res.coefficients()["std_error"].iloc[2 * at : 2 * at + 2].tolist() == pytest.approx(errors, rel=1e-9)
        new = frame[["MKT", ticker]].iloc[position - 5 : position + 6].to_numpy()
        np.testing.assert_allclose(res.abnormal_returns.iloc[at], new[:, 1] - alpha - beta * new[:, 0], rtol=1e-9)


def test_all_that_studies_do_works_with_it(synthetic, events_at, quiet, shrunk, tmp_path):
    frame = synthetic(8, 420, seed=52)
    events = events_at(frame, {f"S{k:02d}": 300 + 15 * (k % 3) for k in range(8)})
    panel = es.ReturnPanel.from_frame(frame)
    windows = {"estimation_window": (-130, -11), "event_window": (-5, 5), "min_obs": 60}
    study = es.EventStudy(panel, events, shrunk("MKT"), **windows)
    res = quiet(study)
    assert res.tests(-1, 1)["p_value"].notna().sum() >= 15
    assert res.diagnostics()["chow_p"].notna().all()
    with ThreadPoolExecutor(2) as pool, pytest.warns(es.ClusteredEventsWarning):
        parts = study.fit(executor=pool, chunk_size=3)
    np.testing.assert_array_equal(parts.fit.ar, res.fit.ar)
    day = frame.index[280]
    clean = quiet(es.EventStudy(panel, events, shrunk("MKT"), **windows, exclude=[day], outliers=4.0))
    assert (clean.parameters["n_excluded"] >= 1).all()
    assert res.report(tmp_path / "report.html").stat().st_size > 10_000
    found = es.simulate(panel, shrunk("MKT"), n_events=5, n_studies=20, seed=1, estimation_window=(-130, -11))
    assert set(found.rejection.get("test", found.rejection.index)) >= {"bmp_t"}


def test_an_event_that_it_cannot_fit_is_dropped_with_the_reason(study_of, synthetic, events_at, shrunk):
    frame = synthetic(2, 420, seed=53)
    frame.iloc[:280, 1] = np.nan
    res = study_of(frame, events_at(frame, {"S00": 300, "S01": 300}), shrunk("MKT"))
    assert res.dropped["reason"].str.contains("10 usable returns in the estimation window").tolist() == [True]


def made_of(returned, benchmarks=("MKT",)):
    """A model whose fit returns what ``returned`` makes of the index and the data."""

    class Own:
        name = "own"

        def __init__(self):
            self.benchmarks = benchmarks

        def fit(self, panel, index, min_obs):
            return returned(index, event_data(panel, index, ("MKT",)))

    return Own()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (made_of(lambda index, data: None), "returned NoneType"),
        (made_of(lambda index, data: None, "MKT"), 'Return a tuple: \\("MKT",\\)'),
        (
            made_of(
                lambda index, data: ArrayFit.from_regression(index, data, coef=np.zeros((2, 3)), coef_names=("a",))
            ),
            r"coef has shape \(2, 3\); \(2, 2\) was expected",
        ),
        (
            made_of(lambda index, data: ArrayFit.from_regression(index, data, coef=np.zeros(2), coef_names=("a",))),
            r"coef has shape \(2,\)",
        ),
    ],
)
def test_models_with_mistakes_are_told_which(study_of, synthetic, events_at, model, words):
    frame = synthetic(2, 420, seed=55)
    with pytest.raises(es.InputError, match=words):
        study_of(frame, events_at(frame, {"S00": 300, "S01": 200}), model)


def test_the_second_model_of_the_page(study_of, synthetic, events_at):
    frame = synthetic(6, 420, seed=54)
    res = study_of(frame, events_at(frame, {"S00": 300, "S01": 200}), model_class("MedianOfOthers")())
    expected = frame.sub(frame.median(axis=1), axis=0)
    pd.testing.assert_series_equal(
        res.abnormal_returns.iloc[1], expected["S01"].iloc[195:206].reset_index(drop=True), check_names=False,
        check_index=False,
    )  # fmt: skip
    sigma = np.sqrt((expected["S01"].iloc[70:190] ** 2).mean())
    assert res.parameters["sigma"].iloc[1] == pytest.approx(sigma, rel=1e-12)
    assert res.car(-1, 1)["std_error"].iloc[1] == pytest.approx(sigma * np.sqrt(3), rel=1e-12)
    late = frame.copy()
    late.iloc[:280, 1] = np.nan
    gone = study_of(late, events_at(late, {"S00": 300, "S01": 300}), model_class("MedianOfOthers")())
    assert gone.dropped["ticker"].tolist() == ["S00"]
