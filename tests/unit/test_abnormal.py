"""CAR, BHAR, p-values and intervals against loops and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eventstudy as es
from eventstudy.abnormal import confidence_bounds, t_p_value, weighted_mean


def expected_returns(frame, ticker, position, est=(-130, -11)):
    """Market-model expectation of every session, by numpy's polynomial fit on the estimation window."""
    past = frame[["MKT", ticker]].iloc[position + est[0] : position + est[1] + 1].dropna()
    slope, constant = np.polyfit(past["MKT"], past[ticker], 1)
    return constant + slope * frame["MKT"]


@pytest.fixture(scope="module")
def holed(synthetic):
    """Two securities; S01 lacks one return in its event window."""
    frame = synthetic(2, 260, seed=50)
    frame.iloc[183, 2] = np.nan
    return frame


POSITIONS = {"S00": 170, "S01": 182}


@pytest.mark.parametrize("window", [(0, 0), (-1, 0), (-5, 5), (2, 5)])
@pytest.mark.parametrize("missing", ["propagate", "skip"])
def test_bhar_by_a_loop(holed, study_of, events_at, window, missing):
    res = study_of(holed, events_at(holed, POSITIONS), missing=missing)
    table = res.bhar(*window)
    for row, (ticker, position) in enumerate(POSITIONS.items()):
        normal = expected_returns(holed, ticker, position)
        held, expected, gaps = 1.0, 1.0, 0
        for tau in range(window[0], window[1] + 1):
            real = holed[ticker].iloc[position + tau]
            if np.isnan(real):
                gaps += 1
                continue
            held *= 1 + real
            expected *= 1 + normal.iloc[position + tau]
        found = table.iloc[row]
        assert found["n_missing"] == gaps
        if gaps and missing == "propagate":
            assert np.isnan(found[["bhar", "buy_and_hold", "expected"]].to_numpy(float)).all()
            continue
        assert found["buy_and_hold"] == pytest.approx(held - 1, rel=1e-11, abs=1e-15)
        assert found["expected"] == pytest.approx(expected - 1, rel=1e-9, abs=1e-14)
        assert found["bhar"] == pytest.approx(held - expected, rel=1e-9, abs=1e-14)


def test_bhar_of_log_returns_is_growth_too(holed, study_of, events_at):
    """A log panel compounds by sums; what it holds is the same money as the simple panel."""
    simple = study_of(holed, events_at(holed, POSITIONS))
    log = study_of(es.ReturnPanel.from_frame(np.log1p(holed), kind="log"), events_at(holed, POSITIONS))
    np.testing.assert_allclose(log.bhar(-5, 0)["buy_and_hold"], simple.bhar(-5, 0)["buy_and_hold"], rtol=1e-11)
    normal = expected_returns(np.log1p(holed), "S00", 170)
    total = normal.iloc[165:171].sum()
    assert log.bhar(-5, 0)["expected"].iloc[0] == pytest.approx(np.exp(total) - 1, rel=1e-9)


def test_log_panel_is_the_study_of_log_returns(synthetic, study_of, events_at):
    frame = synthetic(4, 260, seed=51)
    prices = 100 * (1 + frame).cumprod()
    panel = es.ReturnPanel.from_prices(prices, kind="log")
    events = events_at(frame, {"S00": 170, "S01": 175, "S02": 180})
    one = study_of(panel, events)
    two = study_of(np.log1p(frame), events)  # the same numbers, called simple
    np.testing.assert_allclose(one.car(-3, 3)[["car", "t"]], two.car(-3, 3)[["car", "t"]], rtol=1e-9)


@pytest.mark.parametrize("window", [(1, 1), (0, 2), (-5, 5)])
def test_car_with_a_gap(holed, study_of, events_at, ols_event, window):
    events = events_at(holed, POSITIONS)
    propagate = study_of(holed, events).car(*window).iloc[1]
    assert np.isnan(propagate[["car", "std_error", "t", "p_value", "ci_lower", "ci_upper"]].to_numpy(float)).all()
    skip = study_of(holed, events, missing="skip").car(*window).iloc[1]
    assert propagate["n_missing"] == skip["n_missing"] == 1
    if window == (1, 1):
        assert np.isnan(skip["car"])
        return
    oracle = ols_event(holed, "S01", ["MKT"], 182, (-130, -11), (-5, 5))
    inside = np.isin(np.arange(-5, 6), np.arange(window[0], window[1] + 1)) & ~np.isnan(oracle.ar)
    assert skip["car"] == pytest.approx(oracle.ar[inside].sum(), rel=1e-10)
    assert skip["std_error"] == pytest.approx(np.sqrt(oracle.covariance[np.ix_(inside, inside)].sum()), rel=1e-10)


@pytest.mark.parametrize("gaps", ["propagate", "skip"])
def test_gaps_of_caar_and_aar(holed, study_of, events_at, gaps):
    res = study_of(holed, events_at(holed, POSITIONS), missing=gaps)
    ar = res.abnormal_returns
    aar = res.aar()
    assert aar.loc[1, "n"] == 1
    assert aar.loc[1, "aar"] == ar.loc[:, 1].iloc[0]  # the mean over those that have one
    caar = res.caar(-5, 5).iloc[0]
    cars = [ar.iloc[0].sum(), ar.iloc[1].sum()] if gaps == "skip" else [ar.iloc[0].sum()]
    assert caar["n"] == len(cars)
    assert caar["caar"] == pytest.approx(np.mean(cars), rel=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_the_confidence_level_is_used(holed, study_of, events_at, confidence):
    events = events_at(holed, POSITIONS)
    for table in (
        study_of(holed, events, confidence=confidence).car(-2, 0),
        study_of(holed, events).car(-2, 0, confidence=confidence),
    ):
        half = stats.t.ppf(0.5 + confidence / 2, table["df"]) * table["std_error"]
        np.testing.assert_allclose(table["ci_upper"], table["car"] + half, rtol=1e-11)
        np.testing.assert_allclose(table["ci_lower"], table["car"] - half, rtol=1e-11)
    for row in (
        study_of(holed, events, confidence=confidence).caar(-2, 0).iloc[0],
        study_of(holed, events).caar(-2, 0, confidence=confidence).iloc[0],
        study_of(holed, events).caar_path(-2, confidence=confidence).loc[0],
    ):
        half = stats.t.ppf(0.5 + confidence / 2, row["df"]) * row["std_error"]
        assert row["ci_upper"] - row["caar"] == pytest.approx(half, rel=1e-10)
        assert row["caar"] - row["ci_lower"] == pytest.approx(half, rel=1e-10)


@pytest.mark.parametrize("what", ["std_error", "time_series_t"])
def test_skipped_sessions_carry_no_variance(synthetic, study_of, events_at, what):
    """Where all events skip the same five sessions, the window is the six that are left: √6 sessions, not √11."""
    frame = synthetic(3, 260, seed=53)
    frame.iloc[165:170, 1:] = np.nan
    res = study_of(frame, events_at(frame, dict.fromkeys(["S00", "S01", "S02"], 170)), missing="skip")
    assert res.caar(-5, 5)["caar"].iloc[0] == pytest.approx(res.caar(0, 5)["caar"].iloc[0], rel=1e-12)
    np.testing.assert_allclose(res.car(-5, 5)["std_error"], res.car(0, 5)["std_error"], rtol=1e-12)
    if what == "std_error":
        whole, part = (res.caar(start, 5)["std_error"].iloc[0] for start in (-5, 0))
    else:
        whole, part = (res.tests(start, 5).loc[what, "statistic"] for start in (-5, 0))
    assert whole == pytest.approx(part, rel=1e-12)


def test_p_values_and_bounds_are_scipys():
    t = np.array([0.0, 0.5, -2.0, 8.0, -40.0, np.nan])
    for dof in (1.0, 5.0, 118.0, 1e6):
        np.testing.assert_allclose(t_p_value(t, np.full(6, dof)), 2 * stats.t.sf(np.abs(t), dof), rtol=1e-10)
    np.testing.assert_allclose(t_p_value(t, np.full(6, np.inf)), 2 * stats.norm.sf(np.abs(t)), rtol=1e-12)
    dof = np.array([3.0, np.inf, 50.0])
    lower, upper = confidence_bounds(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]), dof, 0.9)
    half = np.array([stats.t.ppf(0.95, 3), stats.norm.ppf(0.95), stats.t.ppf(0.95, 50)]) * [0.1, 0.2, 0.3]
    np.testing.assert_allclose(upper, np.array([1, 2, 3]) + half, rtol=1e-12)
    np.testing.assert_allclose(lower, np.array([1, 2, 3]) - half, rtol=1e-12)


def test_weighted_mean():
    x = np.array([1.0, np.nan, 4.0])
    assert weighted_mean(x, None) == (2.5, 2)
    assert weighted_mean(x, np.array([3.0, 9.0, 1.0])) == (1.75, 2)
    mean, n = weighted_mean(np.full(2, np.nan), None)
    assert np.isnan(mean)
    assert n == 0


@pytest.mark.parametrize("shared", [True, False])
def test_weights_of_a_study(synthetic, study_of, events_at, ols_event, shared):
    frame = synthetic(6, 260, seed=52)
    positions = {f"S{i:02d}": 170 if shared else 170 + 7 * i for i in range(6)}
    weight = np.array([1.0, 4.0, 2.0, 0.5, 3.0, 1.0])
    res = study_of(frame, events_at(frame, positions, weight=weight))
    cars = res.car(-1, 2)["car"].to_numpy()
    row = res.caar(-1, 2).iloc[0]
    mean = (weight * cars).sum() / weight.sum()
    assert row["caar"] == pytest.approx(mean, rel=1e-12)
    aar = (res.abnormal_returns.to_numpy() * weight[:, None]).sum(0) / weight.sum()
    np.testing.assert_allclose(res.aar()["aar"], aar, rtol=1e-12)
    residuals = np.empty((6, 120))
    for at, (ticker, position) in enumerate(positions.items()):
        past = (frame[ticker] - expected_returns(frame, ticker, position)).iloc[position - 130 : position - 10]
        residuals[at] = past
    portfolio = (weight[:, None] * residuals).sum(0) / weight.sum()
    crude = mean / (portfolio.std(ddof=1) * 2)  # √4 sessions
    assert res.tests(-1, 2).loc["time_series_t", "statistic"] == pytest.approx(crude, rel=1e-9)
    share = weight / weight.sum()
    cross = np.sqrt(6 / 5 * ((share * (cars - mean)) ** 2).sum())
    assert row["std_error_from"] == ("portfolio" if shared else "cross-section")
    # on one date the mean CAR is the CAR of the portfolio, whose own regression gives its exact forecast error
    whole = frame.assign(P=(frame[list(positions)] * weight).sum(axis=1) / weight.sum())
    exact = ols_event(whole, "P", ["MKT"], 170, (-130, -11), (-1, 2)).car(slice(0, 4))
    assert row["std_error"] == pytest.approx(exact["std_error"] if shared else cross, rel=1e-9)
    assert row["df"] == (118 if shared else 5)
    if shared:
        assert [row["ci_lower"], row["ci_upper"]] == pytest.approx([exact["ci_lower"], exact["ci_upper"]], rel=1e-8)


def test_weights_stay_with_their_events(synthetic, study_of):
    """Events dropped or not selected take their weights with them."""
    frame = synthetic(4, 260, seed=54)
    names, weight = ["NONE", "S00", "S01", "S02", "S03"], np.array([9.0, 1.0, 4.0, 2.0, 0.5])
    table = pd.DataFrame({"ticker": names, "date": [frame.index[170]] * 5, "weight": weight})
    res = study_of(frame, es.Events.from_frame(table))
    cars = res.car(0, 1)["car"].to_numpy()
    assert res.caar(0, 1)["caar"].iloc[0] == pytest.approx(np.average(cars, weights=weight[1:]), rel=1e-12)
    part = res.select(ticker=["S01", "S03"])
    assert part.caar(0, 1)["caar"].iloc[0] == pytest.approx(np.average(cars[[1, 3]], weights=[4.0, 0.5]), rel=1e-12)
    portfolio = np.average(res.fit.residuals(np.array([1, 3])), axis=0, weights=[4.0, 0.5])
    np.testing.assert_allclose(part.estimation_summary.portfolio, portfolio, rtol=1e-10, atol=1e-17)


def test_series_of_a_study_are_pandas(holed, study_of, events_at):
    ar = study_of(holed, events_at(holed, POSITIONS)).abnormal_returns
    assert isinstance(ar, pd.DataFrame)
    expected = holed["S00"] - expected_returns(holed, "S00", 170)
    np.testing.assert_allclose(ar.loc[(1, "S00")], expected.iloc[165:176], rtol=1e-10, atol=1e-15)
