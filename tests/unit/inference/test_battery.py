"""The battery as a whole: names, one pass, no-answer cases, invariances, placebo windows, the recommended test."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy import inference
from eventstudy.inference import TESTS, OwnLaw, TestSample, base, run_tests, sessions, shared_dates

NAMES = [
    "csect_t", "skew_t", "time_series_t", "patell_z", "patell_z_adj", "bmp_t", "bmp_t_adj", "jackknife_t",
    "corrado_rank", "grank_t", "grank_z", "sign_z", "generalized_sign_z", "corrado_sign", "wilcoxon",
    "calendar_portfolio_t", "cluster_t",
]  # fmt: skip
VALID = {
    "time_series_t", "patell_z_adj", "bmp_t_adj", "corrado_rank", "grank_t", "corrado_sign", "calendar_portfolio_t",
    "cluster_t",
}  # fmt: skip
WEIGHTED = {"csect_t", "time_series_t"}


def spread(synthetic, events_at, study_of, *, n=12, seed=0, missing=0.0, one_date=False, weight=None, options=None):
    frame = synthetic(n, 300, seed=seed, missing=missing)
    at = np.full(n, 200) if one_date else np.random.default_rng(seed).choice(np.arange(150, 290), n, replace=False)
    columns = {} if weight is None else {"weight": weight}
    events = events_at(frame, dict(zip(frame.columns[1:], at.tolist(), strict=True)), **columns)
    return study_of(frame, events, **(options or {}))


# -- what there is ------------------------------------------------------------------------------------------------


def test_names_and_order(synthetic, events_at, study_of):
    assert [name for name in TESTS if name in NAMES] == NAMES
    assert {name for name in NAMES if TESTS[name].valid_under_clustering} == VALID
    assert all(spec.null and spec.source and spec.function.__doc__ for spec in TESTS.values())
    res = spread(synthetic, events_at, study_of)
    assert [name for name in res.tests(0, 0).index if name in NAMES] == NAMES
    aar = res.aar()
    for name in NAMES:
        row = res.tests(2, 2).loc[name]
        assert aar.loc[2, [name, f"{name}_p"]].tolist() == pytest.approx([row["statistic"], row["p_value"]], rel=1e-12)


def test_a_test_with_its_own_law(monkeypatch):
    monkeypatch.setattr(base, "TESTS", dict(TESTS))

    @base.register("cluster_free", null="none", valid_under_clustering=True, source="—")
    def own(sample: TestSample) -> OwnLaw:
        return OwnLaw(1.5, 0.25, len(sample.car))

    @base.register("placebo_p", null="none", valid_under_clustering=True, source="—")
    def placed(sample: TestSample) -> OwnLaw:
        return OwnLaw(0.5, 0.75, 1)

    names = list(base.TESTS)
    assert names[-1] == "cluster_free"
    assert names.index("placebo_p") == names.index("calendar_portfolio_t") + 1
    one = TestSample(es.Window(0, 0), np.zeros(2), np.zeros(2), np.ones(2), None, np.zeros(3), 0.0)
    found = base.TESTS["cluster_free"](one)
    assert (found.statistic, found.p_value, found.n) == (1.5, 0.25, 2)
    assert np.isnan(found.df)


def test_one_pass_for_all_days(synthetic, events_at, study_of, monkeypatch):
    res = spread(synthetic, events_at, study_of)
    passes = {"sums": 0, "windows": 0}

    def counted(name, function):
        def call(*args, **options):
            passes[name] += 1
            return function(*args, **options)

        return call

    from eventstudy.inference import battery

    monkeypatch.setattr(battery, "session_sums", counted("sums", battery.session_sums))
    monkeypatch.setattr(battery, "window_pass", counted("windows", battery.window_pass))
    res.aar()
    assert passes == {"sums": 1, "windows": 1}
    res.tests(0, 0)
    res.aar()
    assert passes == {"sums": 1, "windows": 1}
    res.tests(-1, 1)
    assert passes == {"sums": 1, "windows": 2}


def test_many_windows_are_passed_in_parts(synthetic, events_at, study_of, monkeypatch):
    from eventstudy.inference import battery

    whole = spread(synthetic, events_at, study_of, missing=0.02).aar()
    monkeypatch.setattr(battery, "_THRESHOLDS", 30)
    monkeypatch.setattr(sessions, "_CHUNK", 5)
    parts = spread(synthetic, events_at, study_of, missing=0.02).aar()
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-11)


def test_numpy_form(synthetic, events_at, study_of, monkeypatch):
    def table():
        res = spread(synthetic, events_at, study_of, missing=0.02, n=15)
        return pd.concat([res.tests(0, 0), res.tests(-2, 2)])[["statistic", "p_value", "n"]], res.car(
            -1, 1, placebo=True
        )

    compiled = table()
    monkeypatch.setattr(sessions, "_module", lambda: None)
    for one, two in zip(compiled, table(), strict=True):
        pd.testing.assert_frame_equal(one, two, rtol=1e-10)


def test_engine_by_environment():
    code = "from eventstudy.inference import sessions; import sys; print(sessions._module(), 'numba' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"EVENTSTUDY_ENGINE": "numpy"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert run.stdout.split() == ["None", "False"]


# -- no answer ----------------------------------------------------------------------------------------------------


def defined(table):
    for name, row in table.iterrows():
        if np.isnan(row["statistic"]):
            assert np.isnan(row["p_value"]), name
            assert len(row["reason"]) > 10, name
        else:
            assert np.isfinite(row["statistic"]), name
            assert 0.0 <= row["p_value"] <= 1.0, name
            assert row["reason"] == "", name


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("one_date", [True, False])
@pytest.mark.parametrize("policy", ["propagate", "skip"])
def test_few_events(synthetic, events_at, study_of, n, one_date, policy):
    holes = 0.0 if policy == "propagate" else 0.1
    res = spread(synthetic, events_at, study_of, n=n, one_date=one_date, missing=holes, options={"missing": policy})
    for window in ((0, 0), (-5, 5)):
        defined(res.tests(*window))
        assert res.recommended(*window).name in TESTS
    if n == 1:
        silent = res.tests(-5, 5)["statistic"].isna()
        assert {"csect_t", "skew_t", "bmp_t", "jackknife_t", "grank_t", "cluster_t"} <= set(silent[silent].index)


def test_twins_and_missing(synthetic, events_at, study_of):
    frame = synthetic(3, 260, seed=3)
    for name in ("S01", "S02"):
        frame[name] = frame["S00"]
    res = study_of(frame, events_at(frame, dict.fromkeys(["S00", "S01", "S02"], 170)))
    defined(res.tests(0, 2))
    assert "equal" in res.tests(0, 2).loc["grank_t", "reason"]
    frame.iloc[170, 1:] = np.nan  # no event has a return on its day
    res = study_of(frame, events_at(frame, dict.fromkeys(["S00", "S01", "S02"], 170)))
    table = res.tests(0, 0)
    defined(table)
    assert table["statistic"].isna().all()
    assert "no test has an answer" in res.recommended(0, 0).reason
    assert len(res.calendar_portfolio(0, 0)) == 0
    defined(res.tests(1, 2))


def test_prices_that_stand_still_in_the_event_window(synthetic, events_at, study_of):
    """Market-adjusted with a benchmark that stands still too: every abnormal return of the window is exactly zero."""
    frame = synthetic(6, 260, seed=4)
    frame.iloc[165:176] = 0.0
    events = events_at(frame, dict.fromkeys(frame.columns[1:], 170))
    res = study_of(frame, events, es.MarketAdjusted("MKT"))
    for window in ((0, 0), (-5, 5)):
        table = res.tests(*window)
        defined(table)
        assert "zero" in table.loc["wilcoxon", "reason"]


# -- invariances --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_date", [True, False])
def test_order_of_events_is_irrelevant(synthetic, events_at, study_of, one_date):
    frame = synthetic(17, 300, seed=9, missing=0.02)
    rng = np.random.default_rng(1)
    names = list(frame.columns[1:])
    at = dict(zip(names, [200] * 17 if one_date else rng.choice(np.arange(150, 290), 17).tolist(), strict=True))
    shuffled = {name: at[name] for name in rng.permutation(names).tolist()}
    one, two = (study_of(frame, events_at(frame, positions)) for positions in (at, shuffled))
    for window in ((0, 0), (-2, 2)):
        columns = ["statistic", "p_value", "n", "df"]
        pd.testing.assert_frame_equal(one.tests(*window)[columns], two.tests(*window)[columns], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_scale_is_irrelevant_and_sign_flips(synthetic, events_at, study_of, missing):
    options = {"n": 14, "seed": 2, "missing": missing}
    res = spread(synthetic, events_at, study_of, **options)
    frame = pd.DataFrame(res.study.returns.values.T, res.study.returns.sessions, res.study.returns.tickers)
    for factor, sign in ((0.125, 1), (-1.0, -1)):
        other = study_of(frame * factor, res.study.events)
        for window in ((0, 0), (-1, 1)):
            one, two = res.tests(*window), other.tests(*window)
            flips = [name for name in TESTS if name != "wilcoxon"]
            np.testing.assert_allclose(one.loc[flips, "statistic"] * sign, two.loc[flips, "statistic"], rtol=1e-9)
            np.testing.assert_allclose(one["p_value"], two["p_value"], rtol=1e-9)
            total = one.loc["wilcoxon", "n"] * (one.loc["wilcoxon", "n"] + 1) / 2
            mirrored = one.loc["wilcoxon", "statistic"] if sign == 1 else total - one.loc["wilcoxon", "statistic"]
            assert two.loc["wilcoxon", "statistic"] == mirrored


def test_only_the_weighted_tests_read_weights(synthetic, events_at, study_of):
    weight = np.random.default_rng(0).uniform(1, 9, 12).tolist()
    plain = spread(synthetic, events_at, study_of).tests(-1, 1)["statistic"]
    weighted = spread(synthetic, events_at, study_of, weight=weight).tests(-1, 1)["statistic"]
    differ = {name for name in TESTS if weighted[name] != pytest.approx(plain[name], rel=1e-10)}
    assert differ == WEIGHTED


# -- dates --------------------------------------------------------------------------------------------------------


def test_neighbours_count_by_the_share_of_the_window():
    position = np.array([10, 10, 12, 40])
    found = shared_dates(position, 5)
    assert found.mean_peers == pytest.approx(2 / 4)
    assert found.mean_neighbours == pytest.approx(2 * 2 * (3 / 5) / 4)  # two pairs, two sessions apart, of five
    assert found.overlapping
    assert shared_dates(position).mean_neighbours == 0.0
    assert shared_dates(np.empty(0, np.int64), 5).clustered is False


def test_overlapping_windows_leave_fewer_valid_rows(synthetic, events_at, study_of):
    frame = synthetic(20, 260, seed=5)
    at = dict(zip(frame.columns[1:], (160 + np.arange(20) // 2).tolist(), strict=True))
    res = study_of(frame, events_at(frame, at))
    day, wide = res.tests(0, 0)["valid_under_clustering"], res.tests(-5, 5)["valid_under_clustering"]
    assert set(day[day].index) & set(NAMES) == VALID
    assert set(wide[wide].index) & set(NAMES) == {"patell_z_adj", "bmp_t_adj", "calendar_portfolio_t"}
    assert wide.tolist() == sorted(wide, reverse=True)
    assert res.caar(-5, 5)["std_error_from"].item() == "calendar"
    assert res.caar(0, 0)["std_error_from"].item() == "portfolio"
    assert res.recommended(-5, 5).name == "calendar_portfolio_t"


# -- what to read -------------------------------------------------------------------------------------------------


def test_recommended(synthetic, events_at, study_of):
    alone = spread(synthetic, events_at, study_of, n=2).recommended(0, 0)
    assert alone.name == "time_series_t"
    assert alone.result.name == "time_series_t"
    small = spread(synthetic, events_at, study_of, n=14).recommended(0, 0)
    assert small.name == "bmp_t"  # ranks of SCARs over a spread of 14 are too noisy
    assert "14 events" in small.reason
    large = spread(synthetic, events_at, study_of, n=60).recommended(0, 0)
    assert large.name == "bmp_t"
    assert "mean squared SCAR" in str(large)
    shared = spread(synthetic, events_at, study_of, n=60, one_date=True)
    assert shared.recommended(0, 0).name == "bmp_t_adj"
    assert "share 1 date" in shared.recommended("0:0").reason
    assert "Recommended: bmp_t_adj" in str(shared.summary((0, 0)))
    assert "bmp_t_adj or the rows marked valid" in shared.caveats()[0]


def test_skewed_events_are_ranked(synthetic, events_at, study_of):
    frame = synthetic(60, 260, seed=6)
    frame.iloc[170, 1:] += np.where(np.arange(60) < 4, 0.6, 0.0)
    res = study_of(frame, events_at(frame, dict.fromkeys(frame.columns[1:], 170)))
    found = res.recommended(0, 0)
    assert found.name == "grank_t"
    assert "skewness" in found.reason


def test_twenty_dates_are_clustered(synthetic, events_at, study_of):
    frame = synthetic(40, 300, seed=7)
    at = dict(zip(frame.columns[1:], (160 + 6 * (np.arange(40) // 2)).tolist(), strict=True))
    res = study_of(frame, events_at(frame, at))
    assert res.recommended(0, 0).name == "cluster_t"


# -- files --------------------------------------------------------------------------------------------------------


def test_results_are_plain(synthetic, events_at, study_of):
    res = spread(synthetic, events_at, study_of)
    frame = res.tests(0, 0, resampling=False)
    assert frame.columns.tolist() == [
        "statistic", "p_value", "df", "n", "null", "valid_under_clustering", "reason",
    ]  # fmt: skip
    json.loads(frame.to_json())
    results = run_tests(res._battery.sample(es.Window(0, 0)), clustered=False)
    pd.testing.assert_frame_equal(inference.tests_frame(results), frame)
    assert {field.name for field in dataclasses.fields(results[0])} >= {"name", "reason"}
