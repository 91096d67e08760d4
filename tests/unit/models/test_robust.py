"""Robust market models against statsmodels' RLM and scipy's theilslopes, one fit per event."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.robust.scale import HuberScale

import eventstudy as es
from eventstudy.models import RobustMarketModel

EST, EVENT = (-250, -21), (-5, 5)
RTOL = 1e-9  # both iterations are stopped at 1e-11 to 1e-13 of a step


@pytest.fixture(scope="module")
def holes(synthetic):
    """Returns with missing cells, ties in the benchmark and one wild session; and events on five dates."""
    frame = synthetic(20, 420, seed=11, missing=0.1, missing_market=0.05)
    frame["MKT"] = frame["MKT"].round(3)
    frame.iloc[200, 1:] += 0.4
    return frame, {name: 300 + 20 * (i % 5) for i, name in enumerate(frame.columns[1:])}


def _rows(frame, ticker, position):
    rows = frame[[ticker, "MKT"]].iloc[position + EST[0] : position + EST[1] + 1].dropna()
    return rows[ticker].to_numpy(), rows["MKT"].to_numpy()


def _fit(study_of, events_at, holes, model):
    frame, positions = holes
    res = study_of(frame, events_at(frame, positions), model, estimation_window=EST, event_window=EVENT)
    assert len(res) == 20
    return res, [(*_rows(frame, *item), item) for item in positions.items()]


def test_huber_is_statsmodels_rlm(study_of, events_at, holes):
    res, events = _fit(study_of, events_at, holes, RobustMarketModel("MKT"))
    frame, _ = holes
    for at, (y, x, (_, position)) in enumerate(events):
        # in per cent: RLM stops at an absolute change of its parameters
        rlm = sm.RLM(100 * y, sm.add_constant(100 * x), M=sm.robust.norms.HuberT(1.345))
        found = rlm.fit(conv="coefs", tol=1e-13, maxiter=1000)
        np.testing.assert_allclose(res.fit.coef[at] * [100, 1], found.params, rtol=RTOL)
        assert res.fit.n_obs[at] == len(y)
        e = y - res.fit.coef[at] @ [np.ones(len(x)), x]
        np.testing.assert_allclose(res.fit.sigma2[at], e @ e / (len(y) - 2), rtol=RTOL)
        # forecast covariance of the parameters: H1 of Huber, as RLM reports it
        unit = np.diag([0.01, 1.0])
        new = sm.add_constant(frame["MKT"].iloc[position + EVENT[0] : position + EVENT[1] + 1].to_numpy())
        there = ~np.isnan(new[:, 1])
        expected = new @ unit @ found.bcov_scaled @ unit @ new.T
        loadings = res.fit.loadings[at]
        mine = res.fit.sigma2[at] * loadings @ loadings.T
        np.testing.assert_allclose(mine[there][:, there], expected[there][:, there], rtol=1e-8)
        np.testing.assert_allclose(res.fit.coef_error[at], found.bse / [100, 1], rtol=1e-8)


def test_robust_scale_is_statsmodels_huber_scale(study_of, events_at, holes):
    res, events = _fit(study_of, events_at, holes, RobustMarketModel("MKT", scale="robust"))
    for at, (y, x, _) in enumerate(events):
        e = y - res.fit.coef[at] @ [np.ones(len(x)), x]
        expected = HuberScale(d=2.5, tol=1e-15, maxiter=1000)(len(y) - 2, len(y), 100 * e) / 100
        np.testing.assert_allclose(np.sqrt(res.fit.sigma2[at]), expected, rtol=1e-9)
    # the wild session blows up the classical variance only
    classical, _ = _fit(study_of, events_at, holes, RobustMarketModel("MKT"))
    hit = np.nanmax(np.abs(res.fit.resid), axis=1) > 0.3
    assert hit.sum() > 15
    assert (classical.fit.sigma2[hit] > 1.5 * res.fit.sigma2[hit]).all()
    np.testing.assert_allclose(
        classical.fit.sigma2[:, None, None] * np.square(classical.fit.loadings),
        res.fit.sigma2[:, None, None] * np.square(res.fit.loadings),
        rtol=1e-10,
    )


def test_theil_sen_is_scipy_exactly(study_of, events_at, holes):
    res, events = _fit(study_of, events_at, holes, RobustMarketModel("MKT", "theil-sen"))
    for at, (y, x, _) in enumerate(events):
        assert len(np.unique(x)) < len(x)
        expected = stats.theilslopes(y, x, method="joint")
        np.testing.assert_array_equal(res.fit.coef[at], [expected.intercept, expected.slope])
        assert abs(np.nanmedian(res.fit.resid[at])) < 1e-16


def test_theil_sen_errors_by_hand(study_of, events_at, holes):
    """Level at the mean of the market: π/2 of a mean's variance; slope: π/(3ρ²) of least squares'."""
    res, events = _fit(study_of, events_at, holes, RobustMarketModel("MKT", "theil-sen"))
    for at, (_, x, _) in enumerate(events):
        rho = np.corrcoef(x, stats.rankdata(x))[0, 1]
        slope = np.pi / 3 / rho**2 / ((x - x.mean()) ** 2).sum()
        level = np.pi / 2 / len(x)
        expected = np.sqrt(res.fit.sigma2[at] * np.array([level + x.mean() ** 2 * slope, slope]))
        np.testing.assert_allclose(res.fit.coef_error[at], expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["huber", "theil-sen"])
def test_forecast_error_of_the_parameters_by_simulation(method):
    """Spread of the forecasts over samples, against the mean of what the fits say of it."""
    rng = np.random.default_rng(4)
    n, length = 3_000, 90
    x = np.append(rng.normal(0, 0.01, length), [0.03, -0.02])
    values = np.vstack([x, 0.001 + 1.2 * x + rng.normal(0, 0.02, (n, length + 2))])
    values[1:, -2:] = 0.001 + 1.2 * x[-2:]  # no noise in the event window: abnormal returns are errors of the fit
    frame = pd.DataFrame(
        values.T, index=pd.bdate_range("2022-01-03", periods=length + 2), columns=["MKT", *map(str, range(n))]
    )
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame),
        es.Events.at(frame.index[-1].date(), [str(i) for i in range(n)]),
        RobustMarketModel("MKT", method),
        (-length - 1, -2),
        (-1, 0),
    )
    with pytest.warns(es.ClusteredEventsWarning):
        fit = study.fit().fit
    said = (fit.sigma2[:, None] * (fit.loadings**2).sum(-1)).mean(0)
    # sampling error of a variance over 3,000 draws is 2.6 %; the laws are asymptotic, at M = 90
    np.testing.assert_allclose((fit.ar**2).mean(0), said, rtol=0.10)


@pytest.mark.parametrize("method", ["huber", "theil-sen"])
def test_an_outlier_hardly_moves_the_fit(study_of, events_at, synthetic, method):
    frame = synthetic(3, 300, seed=2)
    clean = study_of(frame, events_at(frame, {"S00": 200}), RobustMarketModel("MKT", method))
    wild = frame.copy()
    wild.iloc[150, 1] = 0.9
    moved = study_of(wild, events_at(wild, {"S00": 200}), RobustMarketModel("MKT", method))
    least = [study_of(some, events_at(some, {"S00": 200})).fit.coef[0] for some in (frame, wild)]
    shift = np.abs(moved.fit.coef[0] - clean.fit.coef[0])
    assert (shift < 0.1 * np.abs(least[1] - least[0])).all()


def test_events_that_cannot_be_fitted_say_why(study_of, events_at, synthetic):
    frame = synthetic(5, 300, seed=5)
    frame["S00"] = 0.5 * frame["MKT"]
    frame.loc[frame.index[:260:6], "S00"] += 0.01  # five of six sessions lie on a line
    frame["S01"] = 0.0
    frame.loc[frame.index[:180], "S02"] = np.nan
    frame["FLAT"] = 0.0
    events = events_at(frame, {"S00": 200, "S01": 200, "S02": 200, "S03": 200})
    res = study_of(frame, events, RobustMarketModel("MKT"))
    reason = res.dropped.set_index("ticker")["reason"]
    assert "no robust scale" in reason["S00"]
    assert "no residual variance" in reason["S01"]
    assert "10 usable returns" in reason["S02"]
    assert list(res.parameters["ticker"]) == ["S03"]
    for method in ("huber", "theil-sen"):
        with pytest.raises(es.InsufficientDataError, match="do not vary"):
            study_of(frame, events.subset([3]), RobustMarketModel("FLAT", method))


def test_wrong_options():
    for wrong in ({"method": "lad"}, {"scale": "mad"}, {"c": 0.0}, {"c": True}, {"c": "x"}):
        with pytest.raises(es.InputError):
            RobustMarketModel("SPY", **wrong)
    with pytest.raises(es.InputError, match="not the name of a benchmark"):
        RobustMarketModel("")
