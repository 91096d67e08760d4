"""Parametric tests: small hand computations, statsmodels for weights, and every way of having no answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy import inference
from eventstudy.inference import TESTS, TestSample, run_tests
from eventstudy.inference.parametric import adjusted_for_correlation, mean_standard_error

PARAMETRIC = ["csect_t", "time_series_t", "patell_z", "bmp_t", "bmp_t_adj"]
NAN = float("nan")


def sample(car, scar=None, *, dof=100.0, weights=None, window=(0, 0), portfolio=(0.01, -0.01, 0.0), correlation=0.0):
    """A ``TestSample`` from what matters; fields that later tests may add keep their defaults."""
    car = np.array(car, dtype=float)
    scar = car / 0.01 if scar is None else np.array(scar, dtype=float)
    return TestSample(
        window=es.Window(*window),
        car=car,
        scar=scar,
        dof=np.broadcast_to(np.array(dof, dtype=float), car.shape).copy(),
        weights=None if weights is None else np.array(weights, dtype=float),
        portfolio=np.array(portfolio, dtype=float),
        mean_correlation=correlation,
    )


def outcome(name, one):
    return TESTS[name](one)


# -- by hand ------------------------------------------------------------------------------------------------------


def test_csect_t_by_hand():
    # mean 0.02, deviations −0.01, 0, 0.01: sd 0.01, standard error 0.01/√3
    found = outcome("csect_t", sample([0.01, 0.02, 0.03]))
    assert found.statistic == pytest.approx(2 * np.sqrt(3), rel=1e-14)
    assert (found.df, found.n) == (2, 3)
    assert found.p_value == pytest.approx(2 * stats.t.sf(2 * np.sqrt(3), 2), rel=1e-12)


def test_csect_t_is_the_one_sample_t_test():
    x = np.random.default_rng(1).normal(0.003, 0.02, 37)
    expected = stats.ttest_1samp(x, 0.0)
    found = outcome("csect_t", sample(x))
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert outcome("bmp_t", sample(np.zeros(37), x)).statistic == pytest.approx(expected.statistic, rel=1e-12)


def test_time_series_t_by_hand():
    # portfolio 0.01, −0.01, 0: variance (1 + 1)/2 · 1e-4, s.d. 0.01; mean CAR 0.03 over four sessions: 0.03/(0.01·2)
    found = outcome("time_series_t", sample([0.02, 0.04], window=(-1, 2)))
    assert found.statistic == pytest.approx(1.5, rel=1e-13)
    assert found.df == 2
    assert found.p_value == pytest.approx(2 * stats.t.sf(1.5, 2), rel=1e-12)


def test_time_series_t_takes_the_mean_out_of_the_portfolio():
    shifted = outcome("time_series_t", sample([0.02, 0.04], portfolio=(0.11, 0.09, 0.10)))
    assert shifted.statistic == pytest.approx(outcome("time_series_t", sample([0.02, 0.04])).statistic, rel=1e-12)


def test_patell_z_by_hand():
    # variances of Student t: 10/8 and 6/4; z = (1 + 2)/√2.75
    found = outcome("patell_z", sample([0.1, 0.1], [1.0, 2.0], dof=[10.0, 6.0]))
    assert found.statistic == pytest.approx(3 / np.sqrt(2.75), rel=1e-14)
    assert np.isinf(found.df)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(3 / np.sqrt(2.75)), rel=1e-12)


def test_patell_scale_leaves_missing_events_out():
    whole = outcome("patell_z", sample([0.1, 0.1], [1.0, 2.0], dof=[10.0, 6.0]))
    holed = outcome("patell_z", sample([0.1, NAN, 0.1], [1.0, NAN, 2.0], dof=[10.0, 3.0, 6.0]))
    assert holed.statistic == whole.statistic
    assert holed.n == 2


def test_bmp_adjusted_by_hand():
    plain = outcome("bmp_t", sample([0.0] * 3, [1.0, 2.0, 3.0]))
    assert plain.statistic == pytest.approx(2 * np.sqrt(3), rel=1e-14)
    # r̄ = 0.25, N = 3: √(0.75/1.5) = √½
    adjusted = outcome("bmp_t_adj", sample([0.0] * 3, [1.0, 2.0, 3.0], correlation=0.25))
    assert adjusted.statistic == pytest.approx(np.sqrt(6), rel=1e-14)
    assert adjusted.p_value == pytest.approx(2 * stats.t.sf(np.sqrt(6), 2), rel=1e-12)


@pytest.mark.parametrize(("r", "n", "ok"), [(0.0, 9, True), (0.99, 9, True), (1.0, 9, False), (-0.125, 9, False)])
def test_the_adjustment_has_limits(r, n, ok):
    assert np.isfinite(adjusted_for_correlation(2.0, r, n, estimated_spread=True)) == ok
    if not ok:
        found = outcome("bmp_t_adj", sample([0.0] * n, np.arange(n), correlation=r))
        assert np.isnan(found.statistic)
        assert f"{r:.3f}" in found.reason


# -- weights ------------------------------------------------------------------------------------------------------


def test_weighted_csect_t_is_robust_weighted_least_squares():
    rng = np.random.default_rng(2)
    x, w = rng.normal(0.01, 0.03, 25), rng.uniform(0.2, 5, 25)
    fit = sm.WLS(x, np.ones(25), weights=w).fit(cov_type="HC1", use_t=True)
    found = outcome("csect_t", sample(x, weights=w))
    assert found.statistic == pytest.approx(fit.tvalues[0], rel=1e-11)
    assert found.p_value == pytest.approx(fit.pvalues[0], rel=1e-9)
    assert mean_standard_error(x, w) == pytest.approx(fit.bse[0], rel=1e-11)


def test_weights_of_missing_events_do_not_count():
    holed = sample([0.01, NAN, 0.05], weights=[1.0, 50.0, 3.0])
    full = sample([0.01, 0.05], weights=[1.0, 3.0])
    for name in PARAMETRIC:
        assert outcome(name, holed).statistic == pytest.approx(outcome(name, full).statistic, rel=1e-13), name


def test_weighted_time_series_t():
    found = outcome("time_series_t", sample([0.02, 0.06], weights=[3.0, 1.0]))
    assert found.statistic == pytest.approx(0.03 / 0.01, rel=1e-13)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_equal_weights_are_no_weights(name):
    x = np.random.default_rng(3).normal(0.01, 0.03, 9)
    weighted = outcome(name, sample(x, weights=np.full(9, 2.5))).statistic
    assert weighted == pytest.approx(outcome(name, sample(x)).statistic, rel=1e-12)


# -- no answer ----------------------------------------------------------------------------------------------------

HARD = {
    "one event": sample([0.03]),
    "no event": sample([NAN, NAN], [NAN, NAN]),
    "one of two": sample([0.03, NAN], [3.0, NAN]),
    "all equal": sample([0.03] * 5),
    "all zero": sample([0.0] * 5),
    "two degrees of freedom": sample([0.03, 0.01], dof=2.0),
    "flat portfolio": sample([0.03, 0.01], portfolio=(0.0, 0.0, 0.0)),
    "short portfolio": sample([0.03, 0.01], portfolio=(0.01, NAN, -0.01)),
    "no portfolio": sample([0.03, 0.01], portfolio=(NAN, NAN, NAN)),
    "correlation one": sample([0.03, 0.01], correlation=1.0),
    "correlation minus one": sample([0.03, 0.01], correlation=-1.0),
}


@pytest.mark.parametrize("case", HARD)
def test_a_statistic_or_a_reason(case):
    """Every test of the battery: finite with a p-value in [0, 1], or NaN with words; never infinite, never an error."""
    for found in run_tests(HARD[case], clustered=True):
        if np.isnan(found.statistic):
            assert np.isnan(found.p_value), found.name
            assert len(found.reason) > 10, found.name
        else:
            assert np.isfinite(found.statistic), found.name
            assert 0.0 <= found.p_value <= 1.0, found.name
            assert found.reason == "", found.name


@pytest.mark.parametrize(
    ("case", "silent"),
    [
        ("one event", {"csect_t", "bmp_t", "bmp_t_adj"}),
        ("no event", set(PARAMETRIC)),
        ("all equal", {"csect_t", "bmp_t", "bmp_t_adj"}),
        ("two degrees of freedom", {"patell_z"}),
        ("flat portfolio", {"time_series_t"}),
        ("short portfolio", {"time_series_t"}),
        ("correlation one", {"bmp_t_adj"}),
        ("correlation minus one", {"bmp_t_adj"}),
    ],
)
def test_which_have_none(case, silent):
    found = {name for name in PARAMETRIC if np.isnan(outcome(name, HARD[case]).statistic)}
    assert found == silent


def test_a_portfolio_of_rounding_errors_is_no_portfolio(study_of, events_at, synthetic):
    """The benchmark is the mean of the securities: their residuals add up to zero, and to 1e-18 in the computer."""
    frame = synthetic(5, 200, seed=40)
    frame["MKT"] = frame.iloc[:, 1:].mean(axis=1)
    res = study_of(frame, events_at(frame, dict.fromkeys(frame.columns[1:], 170)))
    assert abs(res.caar(0, 0)["caar"].iloc[0]) < 1e-15
    assert np.abs(res.estimation_summary.portfolio).max() < 1e-15
    row = res.tests(0, 0).loc["time_series_t"]
    assert np.isnan(row["statistic"]), f"rounding error over rounding error gave t = {row['statistic']}"
    assert row["reason"]


def test_the_portfolio_is_that_of_the_events_in_the_mean(study_of, events_at, synthetic):
    """An event whose CAR is missing is not in the mean, so its residuals may not be in that mean's standard error."""
    frame = synthetic(3, 260, seed=41)
    positions = {"S00": 170, "S01": 170, "S02": 170}
    frame.iloc[170, frame.columns.get_indexer(["S01", "S02"])] = np.nan
    res = study_of(frame, events_at(frame, positions))
    alone = res.select(ticker="S00")
    assert res.caar(0, 0)["caar"].iloc[0] == alone.caar(0, 0)["caar"].iloc[0]
    assert res.caar(0, 0)["std_error"].iloc[0] == pytest.approx(alone.caar(0, 0)["std_error"].iloc[0], rel=1e-12)
    expected = alone.tests(0, 0).loc["time_series_t", "statistic"]
    assert res.tests(0, 0).loc["time_series_t", "statistic"] == pytest.approx(expected, rel=1e-12)


# -- the registry -------------------------------------------------------------------------------------------------


def test_order_under_clustering():
    one = sample([0.01, 0.02, 0.04])
    assert [result.name for result in run_tests(one, clustered=False)] == list(TESTS)
    flags = [result.valid_under_clustering for result in run_tests(one, clustered=True)]
    assert flags == sorted(flags, reverse=True)
    assert {"time_series_t", "bmp_t_adj"} <= {name for name, spec in TESTS.items() if spec.valid_under_clustering}
    assert not any(TESTS[name].valid_under_clustering for name in ("csect_t", "patell_z", "bmp_t"))


def test_frame_of_results():
    results = run_tests(sample([0.03]), clustered=False)
    frame = inference.tests_frame(results)  # not imported by name: pytest would take it for a test
    assert frame.index.name == "test"
    assert frame.columns[:4].tolist() == ["statistic", "p_value", "df", "n"]
    assert "two events" in frame.loc["csect_t", "reason"]
    for result in results:
        assert {f.name for f in dataclasses.fields(result)} >= {"name", "null", "window", "valid_under_clustering"}
