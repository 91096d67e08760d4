"""Resampling tests as results show them; the methods themselves are proven in ``tests/unit/inference``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eventstudy as es
from eventstudy._studies import _AlteredFit
from eventstudy.abnormal import cumulated
from eventstudy.inference.resampled import RESAMPLED, placebo_of


@pytest.fixture(scope="module")
def shared(synthetic, study_of, events_at) -> es.EventStudyResults:
    frame = synthetic(12, 260, seed=71)
    return study_of(frame, events_at(frame, {f"S{i:02d}": 200 for i in range(12)}), es.MeanAdjusted())


@pytest.fixture(scope="module")
def staggered(synthetic, study_of, events_at) -> es.EventStudyResults:
    frame = synthetic(12, 400, seed=72)
    return study_of(frame, events_at(frame, {f"S{i:02d}": 200 + 12 * i for i in range(12)}))


def test_rows_stand_beside_the_battery(shared, staggered) -> None:
    plain = staggered.tests(-1, 1, resampling=False)
    full = staggered.tests(-1, 1)
    assert [name for name in full.index if name not in plain.index] == list(RESAMPLED)
    pd.testing.assert_frame_equal(full.loc[plain.index], plain)
    assert full.loc[list(RESAMPLED), "p_value"].between(0, 1).sum() == 2  # twelve events are too few for the BHAR test
    assert "17" in full.loc["bhar_skew_boot", "reason"]
    valid = shared.tests(0, 0)["valid_under_clustering"]
    assert valid.tolist() == sorted(valid, reverse=True)
    assert np.isnan(shared.tests(0, 0).loc["wild_bootstrap_p", "p_value"])
    assert "one date" in shared.tests(0, 0).loc["wild_bootstrap_p", "reason"]


def test_the_placebo_of_a_day_by_hand(shared) -> None:
    """Constant-mean model, no gaps: the rank of the day's mean AR among the estimation window's mean residuals."""
    panel, index = shared.study.returns, shared.fit.index
    window = panel.values[index.security][:, index.position[0] - 130 : index.position[0] - 10]
    residual = window - window.mean(axis=1, keepdims=True)
    # in sample a residual varies by 1 − 1/M, a forecast error by 1 + 1/M
    placebo = np.abs(residual.mean(axis=0)) / np.sqrt(1 - 1 / 120)
    observed = abs(shared.caar(0, 0)["caar"].iloc[0]) / np.sqrt(1 + 1 / 120)
    expected = (1 + (placebo >= observed).sum()) / 121
    assert shared.placebo(0, 0, statistic="mean_car").p_value == pytest.approx(expected, abs=1e-12)


def test_the_statistic_of_the_placebo_is_bmp(staggered) -> None:
    table = staggered.tests(-1, 1)
    assert table.loc["placebo_p", "statistic"] == pytest.approx(table.loc["bmp_t", "statistic"], rel=1e-12)
    assert table.loc["wild_bootstrap_p", "statistic"] == pytest.approx(table.loc["csect_t", "statistic"], rel=1e-12)


def test_seeds(staggered) -> None:
    first, again = staggered.tests(-1, 1), staggered.tests(-1, 1)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    other = staggered.tests(-1, 1, seed=5)
    assert other.loc["placebo_p", "p_value"] == first.loc["placebo_p", "p_value"]  # nothing is drawn
    many = staggered.tests(-1, 1, draws=9_999).loc["wild_bootstrap_p", "p_value"]
    assert many == pytest.approx(first.loc["wild_bootstrap_p", "p_value"], abs=0.06)


def test_adjusted_p_values_of_single_events(staggered) -> None:
    car = staggered.car(0, 0, adjusted=True, placebo=True)
    assert (car["p_holm"] >= car["p_value"]).all()
    np.testing.assert_allclose(car["p_bh"], stats.false_discovery_control(car["p_value"]), rtol=1e-12)
    smallest = car["p_value"].idxmin()
    assert car.loc[smallest, "p_holm"] == pytest.approx(min(1.0, 12 * car.loc[smallest, "p_value"]))
    assert (car["p_romano_wolf"] >= car["p_placebo"] - 1e-12).all()


def test_the_block_bootstrap_is_near_the_portfolio_interval(shared) -> None:
    found = shared.block_bootstrap(0, 1, seed=3)
    caar = shared.caar(0, 1).iloc[0]
    assert found.statistic == pytest.approx(caar["caar"])
    assert found.std_error == pytest.approx(caar["std_error"], rel=0.15)


def test_the_cross_section_reads_the_cars(staggered) -> None:
    size = pd.Series(np.arange(12.0), index=pd.Index(staggered.car(0, 0)["ticker"], name="ticker"), name="size")
    frame = staggered.cross_section(size, 0, 0, cov="nonrobust").to_frame()
    line = stats.linregress(size.to_numpy(), staggered.car(0, 0)["car"])
    assert frame.loc["size", "coef"] == pytest.approx(line.slope)
    assert frame.loc["size", "std_error"] == pytest.approx(line.stderr)
    assert frame.loc["size", "p_value"] == pytest.approx(line.pvalue)
    for cov in ("HC3", "cluster", "kp"):
        assert staggered.cross_section(size, 0, 0, cov=cov).to_frame().loc["size", "coef"] == pytest.approx(line.slope)
    with pytest.raises(es.InputError, match="S11"):
        staggered.cross_section(size.iloc[:-1], 0, 0)


def test_the_order_of_events_changes_no_bit(synthetic, study_of, events_at) -> None:
    frame = synthetic(20, 400, seed=73, missing=0.03)
    at = {f"S{i:02d}": 200 + 3 * (i // 2) for i in range(20)}
    shuffled = {name: at[name] for name in np.random.default_rng(1).permutation(list(at))}
    first, second = (study_of(frame, events_at(frame, order), missing="skip") for order in (at, shuffled))
    pd.testing.assert_frame_equal(first.tests(-1, 1), second.tests(-1, 1), check_exact=True)
    pd.testing.assert_frame_equal(first.aar(), second.aar(), check_exact=True)
    pd.testing.assert_frame_equal(first.caar_path(), second.caar_path(), check_exact=True)
    columns = ["ticker", "car", "p_value", "p_holm", "p_placebo", "p_romano_wolf"]
    tables = [res.car(0, 1, adjusted=True, placebo=True)[columns].sort_values("ticker") for res in (first, second)]
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in tables), check_exact=True)


# -- models whose residual variance is not that of the sum of squares -----------------------------------------------

OTHER_VARIANCES = [
    es.EWMAMarketModel("MKT", halflife=15),
    es.RobustMarketModel("MKT", scale="robust"),
    es.GARCHMarketModel("MKT"),
    es.MarketModel("MKT"),
]


@pytest.mark.parametrize("model", OTHER_VARIANCES, ids=lambda model: model.name)
@pytest.mark.parametrize("outliers", [None, 2.5])
def test_the_mean_of_one_event_has_that_events_standard_error(synthetic, study_of, events_at, model, outliers) -> None:
    frame = synthetic(1, 300, seed=74)
    res = study_of(frame, events_at(frame, {"S00": 240}), model, outliers=outliers)
    for window in ((0, 0), (-2, 5)):
        one, mean = res.car(*window).iloc[0], res.caar(*window).iloc[0]
        assert mean["std_error"] == pytest.approx(one["std_error"], rel=1e-9)
        assert mean["ci_upper"] == pytest.approx(one["ci_upper"], rel=1e-9)
    spread = np.nanstd(res.fit.residuals(np.array([0]))[0])
    found = res.block_bootstrap(0, 0, blocks="moving", block=1, seed=1).std_error
    mean_square = np.nanmean(res.fit.residuals(np.array([0])) ** 2)
    assert found == pytest.approx(res.car(0, 0)["std_error"][0] * spread / np.sqrt(mean_square), rel=0.05)


@pytest.mark.parametrize("model", OTHER_VARIANCES[:2], ids=lambda model: model.name)
@pytest.mark.parametrize("length", [1, 9, 11])
def test_pseudo_windows_are_on_the_scale_of_the_events_own(synthetic, study_of, events_at, model, length) -> None:
    """Both are divided by the variance of the residuals on M − 2, a pseudo-window's without its own sum."""
    frame = synthetic(1, 300, seed=75)
    res = study_of(frame, events_at(frame, {"S00": 240}), model)
    last = -5 + length - 1
    e, m = res.fit.resid[0], 120
    square = (e**2).sum()
    sums = np.convolve(e, np.ones(length), "valid")
    scale = length - (length**2 + length) / m
    expected = sums / np.sqrt(scale * (square - sums**2 / scale) / (m - 3))
    found = res.placebo(-5, last, statistic="mean_scar")
    np.testing.assert_allclose(found.distribution, expected, rtol=1e-9)
    one = res.car(-5, last).iloc[0]
    forecast = (one["std_error"] / res.parameters["sigma"][0]) ** 2
    assert found.statistic == pytest.approx(one["car"] / np.sqrt(forecast * square / (m - 2)), rel=1e-9)
    altered = _AlteredFit(res.fit, res.fit.ar, res.fit.index)  # as in simulated studies
    again = placebo_of(altered, cumulated(altered, es.Window(-5, last)), statistic="mean_scar", progress=False)
    assert again.statistic == found.statistic
    assert again.distribution.tolist() == found.distribution.tolist()
    larger = (np.abs(expected) >= abs(found.statistic)).sum()
    assert found.p_value == pytest.approx((1 + larger) / (1 + len(expected)), rel=1e-9)
