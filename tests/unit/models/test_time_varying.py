"""Rolling and exponentially weighted market models: statsmodels WLS, dense matrices, and the size of their t test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.models import EWMAMarketModel, RollingMarketModel
from eventstudy.windows import EventIndex, Window

RTOL = 1e-9
EST, EVENT = (-250, -21), (-10, 10)
WINDOWS = [(0, 0), (-1, 1), (-10, 10)]


def check_ewma(res, market: str, halflife: float) -> int:
    """Compare each event with statsmodels' WLS, and its errors with the projection written out as matrices."""
    frame, parameters = res.study.returns.to_frame(), res.parameters
    for row, (ticker, position) in enumerate(zip(parameters["ticker"], res.fit.index.position, strict=True)):
        end = position + EST[1]
        days = np.arange(max(position + EST[0], 0), end + 1)
        weight = 0.5 ** ((end - days) / halflife)
        est = frame[[ticker, market]].iloc[days].assign(weight=weight).dropna()
        x, w = sm.add_constant(est[[market]].to_numpy()), est["weight"].to_numpy()
        oracle = sm.WLS(est[ticker].to_numpy(), x, weights=w).fit()
        found = parameters.iloc[row]
        np.testing.assert_allclose(found[["alpha", "beta"]].to_numpy(float), oracle.params, rtol=RTOL, atol=1e-13)
        np.testing.assert_allclose(found["r2"], oracle.rsquared, rtol=1e-8)
        np.testing.assert_allclose(
            res.fit.resid[row][~np.isnan(res.fit.resid[row])], oracle.resid, rtol=1e-7, atol=1e-13
        )
        # parameters = P y, residuals = N y; errors of one variance make the rest traces
        maker = np.linalg.pinv(np.sqrt(w)[:, None] * x) * np.sqrt(w)
        left = np.eye(len(w)) - x @ maker
        form = left.T @ np.diag(w) @ left
        sigma2 = oracle.ssr / np.trace(form)
        degrees = np.trace(form) ** 2 / np.trace(form @ form)
        np.testing.assert_allclose(found["sigma"] ** 2, sigma2, rtol=RTOL)
        assert (found["n_obs"], found["df"]) == (len(est), int(degrees + 1e-9))
        errors = np.sqrt(sigma2 * np.diag(maker @ maker.T))
        np.testing.assert_allclose(res.fit.coef_error[row], errors, rtol=1e-8)
        event = frame[[ticker, market]].iloc[position + EVENT[0] : position + EVENT[1] + 1].to_numpy()
        ar = event[:, 0] - sm.add_constant(event[:, [1]], has_constant="add") @ oracle.params
        np.testing.assert_allclose(res.abnormal_returns.iloc[row], ar, rtol=RTOL, atol=1e-13)
        for window in WINDOWS:
            columns = slice(window[0] - EVENT[0], window[1] - EVENT[0] + 1)
            there = ~np.isnan(ar[columns])
            table = res.car(*window).iloc[row]
            sums = np.array([there.sum(), event[columns, 1][there].sum()])
            error = np.sqrt(sigma2 * (there.sum() + sums @ maker @ maker.T @ sums))
            car = ar[columns][there].sum()
            expected = (
                [car, error, 2 * stats.t.sf(abs(car / error), int(degrees + 1e-9))] if there.any() else [np.nan] * 3
            )
            np.testing.assert_allclose(
                table[["car", "std_error", "p_value"]].to_numpy(float), expected, rtol=1e-8, atol=1e-14
            )
    return len(parameters)


@pytest.mark.parametrize("halflife", [10, 60, 500.5])
def test_ewma_on_the_bundled_sample(sample_panel, quiet, halflife):
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA", "VRT", "CEG", "AAPL"])
    res = quiet(es.EventStudy(sample_panel, events, EWMAMarketModel("SPY", halflife), EST, EVENT, min_obs=200))
    assert check_ewma(res, "SPY", halflife) == 5


def test_ewma_on_all_prices_and_staggered_dates(full_panel, quiet):
    stocks = [name for name in full_panel.tickers if name != "SPY"]
    dates = full_panel.sessions[[360 + 4 * i for i in range(len(stocks))]]
    events = es.Events.from_frame(pd.DataFrame({"ticker": stocks, "date": dates}))
    res = quiet(es.EventStudy(full_panel, events, EWMAMarketModel("SPY", 40), EST, EVENT, min_obs=200))
    assert check_ewma(res, "SPY", 40) == 30


def test_ewma_with_missing_returns(synthetic, study_of, events_at):
    frame = synthetic(8, 420, seed=21, missing=0.15, missing_market=0.05)
    frame.loc[frame.index[265:281], "S03"] = np.nan  # the newest rows of one event
    positions = {f"S{i:02d}": 280 + 8 * i for i in range(8)}
    res = study_of(
        frame, events_at(frame, positions), EWMAMarketModel("MKT", 30), estimation_window=EST, event_window=EVENT,
        min_obs=60, missing="skip",
    )  # fmt: skip
    assert check_ewma(res, "MKT", 30) == 8
    assert res.parameters["df"].nunique() > 3  # degrees of freedom are each event's own


def test_ewma_of_endless_halflife_is_the_market_model(sample_panel, quiet):
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA", "VRT"])
    found, expected = (
        quiet(es.EventStudy(sample_panel, events, model, EST, EVENT))
        for model in (EWMAMarketModel("SPY", 1e12), es.MarketModel("SPY"))
    )
    pd.testing.assert_frame_equal(found.parameters, expected.parameters, rtol=1e-9)
    pd.testing.assert_frame_equal(found.car(-5, 5), expected.car(-5, 5), rtol=1e-8)


def test_size_of_the_ewma_t_test():
    """With errors of one variance the t of a CAR rejects 5 % although few rows carry the weight."""
    rng = np.random.default_rng(17)
    n, sessions = 6000, 140
    market = rng.normal(0, 0.01, sessions)
    values = rng.uniform(0.5, 1.5, (n, 1)) * market + rng.normal(0, 0.02, (n, sessions))
    index = pd.bdate_range("2021-01-04", periods=sessions)
    panel = es.ReturnPanel(np.vstack([market, values]), pd.Index([f"S{i}" for i in range(n + 1)], dtype=object), index)
    where = EventIndex(1 + np.arange(n), np.full(n, 130), Window(-125, -6), Window(-5, 5))
    fit = EWMAMarketModel("S0", 8).fit(panel, where, 60)
    sums = fit.window_sums(Window(-5, 5))
    t = sums.car / np.sqrt(fit.sigma2 * sums.scale)
    degrees = int((fit.n_obs - fit.n_params)[0])
    assert degrees < 25  # of 120 rows: the normal law would reject more than 6 %
    share = (np.abs(t) > stats.t.ppf(0.975, degrees)).mean()
    assert abs(share - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / n)
    assert fit.sigma2.mean() == pytest.approx(0.02**2, rel=4 * np.sqrt(2 / degrees / n))


@pytest.mark.parametrize("span", [60, 200])
def test_rolling_is_the_market_model_on_a_shorter_window(synthetic, study_of, events_at, span):
    frame = synthetic(6, 400, seed=23, missing=0.08)
    events = events_at(frame, {f"S{i:02d}": 300 + 9 * i for i in range(6)})
    options = {"event_window": EVENT, "min_obs": 30, "missing": "skip"}
    found = study_of(frame, events, RollingMarketModel("MKT", span), estimation_window=EST, **options)
    expected = study_of(frame, events, es.MarketModel("MKT"), estimation_window=(EST[1] - span + 1, EST[1]), **options)
    same = ["alpha", "beta", "sigma", "r2", "n_obs", "df"]
    pd.testing.assert_frame_equal(found.parameters[same], expected.parameters[same], rtol=1e-10)
    pd.testing.assert_frame_equal(found.abnormal_returns, expected.abnormal_returns, rtol=1e-10)
    pd.testing.assert_frame_equal(found.coefficients(), expected.coefficients(), rtol=1e-8)
    for window in WINDOWS:
        pd.testing.assert_frame_equal(found.car(*window), expected.car(*window), rtol=1e-9)
    assert np.isnan(found.fit.residuals(np.arange(6))[:, : 230 - span]).all()


def test_a_rolling_model_is_not_warned_of_for_its_span(synthetic, events_at):
    frame = synthetic(2, 320, seed=24)
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame),
        events_at(frame, {"S00": 300}),
        RollingMarketModel("MKT", 60),
        EST,
        EVENT,
        min_obs=50,
    )
    assert study.fit().parameters["df"].tolist() == [58]  # a warning would be an error here


def test_a_rolling_model_asks_for_returns_of_its_span_by_default(synthetic, events_at):
    """Three quarters of it: 45 of 60 sessions, where the window of 230 would ask for 120."""
    frame = synthetic(2, 320, seed=24)
    events = events_at(frame, {"S00": 300, "S01": 300})
    frame.iloc[230:246, 2] = np.nan  # 16 of the span of S01
    study = es.EventStudy(es.ReturnPanel.from_frame(frame), events, RollingMarketModel("MKT", 60), EST, EVENT)
    with pytest.warns(es.EventStudyWarning):
        res = study.fit()
    assert res.parameters["n_obs"].tolist() == [60]
    assert "44 usable returns" in res.dropped["reason"][0]
    assert "where 45 returns were asked for" in res.dropped["reason"][0]


def test_two_sided_windows_count_age_from_the_event(synthetic):
    frame = synthetic(2, 300, seed=25)
    panel = es.ReturnPanel.from_frame(frame)
    window, hole = Window(-100, 100), Window(-10, 10)
    where = EventIndex(np.array([1]), np.array([150]), window, Window(-5, 5), hole)
    fit = RollingMarketModel("MKT", 40).fit(panel, where, 20)
    days = 150 + np.r_[-30:-10, 11:31]
    oracle = sm.OLS(frame["S00"].to_numpy()[days], sm.add_constant(frame["MKT"].to_numpy()[days])).fit()
    np.testing.assert_allclose(fit.coef[0], oracle.params, rtol=RTOL)
    np.testing.assert_allclose(fit.sigma2[0], oracle.mse_resid, rtol=RTOL)
    days = 150 + np.r_[-100:-10, 11:101]
    oracle = sm.WLS(
        frame["S00"].to_numpy()[days],
        sm.add_constant(frame["MKT"].to_numpy()[days]),
        weights=0.5 ** ((np.abs(days - 150) - 11) / 25),
    ).fit()
    np.testing.assert_allclose(EWMAMarketModel("MKT", 25).fit(panel, where, 20).coef[0], oracle.params, rtol=RTOL)


def test_failures_say_why(synthetic, study_of, events_at):
    frame = synthetic(2, 300, seed=26)
    frame.loc[frame.index[230:270], "S01"] = np.nan
    events = events_at(frame, {"S00": 280, "S01": 280})
    res = study_of(frame, events, RollingMarketModel("MKT", 60), min_obs=50)
    assert res.dropped["ticker"].tolist() == ["S01"]
    assert res.dropped["reason"].str.contains("20 usable returns.*the last 60 sessions of the estimation window").all()
    with pytest.raises(es.InsufficientDataError, match=r"0\.\d degrees of freedom \(half-life 0\.05 in"):
        study_of(frame, events_at(frame, {"S00": 280}), EWMAMarketModel("MKT", 0.05))
    with pytest.raises(es.InputError, match="span=150 is longer than the estimation window, which has 120 sessions"):
        study_of(frame, events, RollingMarketModel("MKT", 150))


@pytest.mark.parametrize("span", [2, 10.5, True, "60"])
def test_wrong_spans_are_refused(span):
    with pytest.raises(es.InputError, match="is not a number of sessions"):
        RollingMarketModel("SPY", span)


@pytest.mark.parametrize("halflife", [0, -3, np.nan, np.inf, "60", True])
def test_wrong_halflives_are_refused(halflife):
    with pytest.raises(es.InputError, match="is not a positive number"):
        EWMAMarketModel("SPY", halflife)
