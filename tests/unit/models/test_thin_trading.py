"""Scholes–Williams against instrumental variables of linearmodels, Dimson against regressions of statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels.iv import IV2SLS
from scipy import stats
from statsmodels.tsa.stattools import acf

import eventstudy as es
from eventstudy.models import Dimson, ScholesWilliams
from eventstudy.windows import EventIndex, Window

RTOL = 1e-9  # of parameters near one; α is a difference of means and may lose two digits more
ATOL = 1e-14
EST, EVENT = (-250, -21), (-10, 10)
WINDOWS = [(0, 0), (-1, 1), (-10, 10), (3, 9)]


def windows_of(frame, ticker, market, position, lags=1, leads=1):
    """Estimation rows with returns and lagged market returns of the window itself, and the event window."""
    start = max(position + EST[0], 0)
    est = frame[[ticker, market]].iloc[start : position + EST[1] + 1]
    for k in range(-lags, leads + 1):
        est = est.assign(**{f"m{k}": est[market].shift(-k)})
    event = frame[[ticker, market]].reset_index(drop=True).reindex(range(position + EVENT[0], position + EVENT[1] + 1))
    return est.dropna(), frame[market].iloc[start : position + EST[1] + 1].to_numpy(), event.to_numpy()


def check_forecasts(res, row, alpha, beta, covariance, sigma2, n_obs, event):
    """Compare abnormal returns and CARs with the noise of a session plus the error of (α, β)."""
    ar = event[:, 0] - alpha - beta * event[:, 1]
    np.testing.assert_allclose(res.abnormal_returns.iloc[row], ar, rtol=RTOL, atol=ATOL)
    for window in WINDOWS:
        columns = slice(window[0] - EVENT[0], window[1] - EVENT[0] + 1)
        there = ~np.isnan(ar[columns])
        table = res.car(*window).iloc[row]
        if not there.any():
            assert np.isnan(table["car"])
            continue
        sums = np.array([there.sum(), event[columns, 1][there].sum()])
        error = np.sqrt(sigma2 * there.sum() + sums @ covariance @ sums)
        car = ar[columns][there].sum()
        expected = [car, error, car / error, 2 * stats.t.sf(abs(car / error), n_obs - 2)]
        found = table[["car", "std_error", "t", "p_value"]].to_numpy(float)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=ATOL)


def check_scholes_williams(res, market) -> int:
    frame, parameters = res.study.returns.to_frame(), res.parameters
    for row, (ticker, position) in enumerate(zip(parameters["ticker"], res.fit.index.position, strict=True)):
        est, _, event = windows_of(frame, ticker, market, position)
        y, x = est[ticker], est[["m-1", "m0", "m1"]]
        slopes = [sm.OLS(y, sm.add_constant(x[name])).fit().params[name] for name in x]
        neighbours = [sm.OLS(x["m0"], sm.add_constant(x[name])).fit().params[name] for name in ("m-1", "m1")]
        found = parameters.iloc[row]
        np.testing.assert_allclose(found[["beta_lag1", "beta_0", "beta_lead1"]].to_numpy(float), slopes, rtol=RTOL)
        np.testing.assert_allclose(found["rho1"], np.mean(neighbours), rtol=1e-7, atol=1e-12)
        z = (x / ((x - x.mean()) ** 2).sum()).sum(axis=1)
        exog = pd.DataFrame({"const": 1.0}, index=y.index)
        oracle = IV2SLS(y, exog, x[["m0"]], z.to_frame("z")).fit(cov_type="unadjusted", debiased=True)
        np.testing.assert_allclose(found[["alpha", "beta"]].to_numpy(float), oracle.params, rtol=RTOL, atol=1e-13)
        np.testing.assert_allclose(found["sigma"] ** 2, oracle.s2, rtol=RTOL)
        np.testing.assert_allclose(found["r2"], oracle.rsquared, rtol=1e-8, atol=1e-12)
        assert (found["n_obs"], found["df"]) == (oracle.nobs, oracle.df_resid)
        np.testing.assert_allclose(res.fit.coef_error[row, :2], oracle.std_errors, rtol=1e-8)
        assert np.isnan(res.fit.coef_error[row, 2:]).all()
        check_forecasts(res, row, *oracle.params, oracle.cov.to_numpy(), oracle.s2, oracle.nobs, event)
    return len(parameters)


def check_dimson(res, market) -> int:
    frame, parameters, model = res.study.returns.to_frame(), res.parameters, res.study.model
    order = list(range(-model.lags, model.leads + 1))
    for row, (ticker, position) in enumerate(zip(parameters["ticker"], res.fit.index.position, strict=True)):
        est, own, event = windows_of(frame, ticker, market, position, model.lags, model.leads)
        x = est[[f"m{k}" for k in order]]
        oracle = sm.OLS(est[ticker], sm.add_constant(x)).fit()
        weights = np.ones(len(order))
        if model.fowler_rorke:
            rho = acf(own, nlags=2, fft=False, missing="conservative")
            by_lag = {
                1: {0: 1.0, 1: (1 + rho[1]) / (1 + 2 * rho[1])},
                2: {
                    0: 1.0,
                    1: (1 + 2 * rho[1] + rho[2]) / (1 + 2 * rho[1] + 2 * rho[2]),
                    2: (1 + rho[1] + rho[2]) / (1 + 2 * rho[1] + 2 * rho[2]),
                },
            }[model.lags]
            weights = np.array([by_lag[abs(k)] for k in order])
        # (α, β) as a linear combination of the regression's own parameters
        combine = np.zeros((2, 1 + len(order)))
        combine[1, 1:] = weights
        combine[0] = [1.0, *(x.mean() - weights * x["m0"].mean())]
        alpha, beta = combine @ oracle.params
        found = parameters.iloc[row]
        np.testing.assert_allclose(found.iloc[4 : 4 + len(order)].to_numpy(float), oracle.params[1:], rtol=RTOL)
        np.testing.assert_allclose(found[["alpha", "beta"]].to_numpy(float), [alpha, beta], rtol=RTOL, atol=1e-13)
        sigma2 = ((est[ticker] - alpha - beta * x["m0"]) ** 2).sum() / (len(est) - 2)
        np.testing.assert_allclose(found["sigma"] ** 2, sigma2, rtol=RTOL)
        covariance = combine @ oracle.cov_params() @ combine.T
        test = oracle.t_test(combine[1])
        np.testing.assert_allclose(covariance[1, 1] if isinstance(covariance, np.ndarray) else covariance.iloc[1, 1],
                                   test.sd[0, 0] ** 2, rtol=1e-9)  # fmt: skip
        assert found["n_obs"] == len(est)
        errors = [*np.sqrt(np.diag(covariance)), *oracle.bse[1:]]
        np.testing.assert_allclose(res.fit.coef_error[row], errors, rtol=1e-8)
        check_forecasts(res, row, alpha, beta, np.asarray(covariance), sigma2, len(est), event)
    return len(parameters)


DIMSON = [
    Dimson("SPY"),
    Dimson("SPY", fowler_rorke=False),
    Dimson("SPY", leads=2, lags=2),
    Dimson("SPY", leads=0, lags=2, fowler_rorke=False),
]


def test_scholes_williams_on_the_bundled_sample(sample_panel, quiet):
    stocks = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    events = es.Events.at("2025-01-29", stocks)
    res = quiet(es.EventStudy(sample_panel, events, ScholesWilliams("SPY"), EST, EVENT, min_obs=200))
    assert check_scholes_williams(res, "SPY") == 18


@pytest.mark.parametrize("model", DIMSON, ids=str)
def test_dimson_on_the_bundled_sample(sample_panel, quiet, model):
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA", "VRT", "CEG", "AAPL"])
    res = quiet(es.EventStudy(sample_panel, events, model, EST, EVENT, min_obs=200))
    assert check_dimson(res, "SPY") == 5


def test_all_prices_on_staggered_dates(full_panel, quiet):
    stocks = [name for name in full_panel.tickers if name != "SPY"]
    dates = full_panel.sessions[[360 + 4 * i for i in range(len(stocks))]]
    events = es.Events.from_frame(pd.DataFrame({"ticker": stocks, "date": dates}))
    study = {"estimation_window": EST, "event_window": EVENT, "min_obs": 200}
    assert (
        check_scholes_williams(quiet(es.EventStudy(full_panel, events, ScholesWilliams("SPY"), **study)), "SPY") == 30
    )
    assert check_dimson(quiet(es.EventStudy(full_panel, events, Dimson("SPY", 2, 2), **study)), "SPY") == 30


@pytest.mark.parametrize("model", [ScholesWilliams("MKT"), Dimson("MKT"), Dimson("MKT", 2, 2)], ids=str)
def test_missing_returns(synthetic, study_of, events_at, model):
    frame = synthetic(10, 420, seed=6, missing=0.1, missing_market=0.04)
    positions = {f"S{i:02d}": 290 + 8 * i for i in range(10)}
    res = study_of(
        frame, events_at(frame, positions), model, estimation_window=EST, event_window=EVENT, min_obs=60, missing="skip"
    )
    checked = check_scholes_williams if isinstance(model, ScholesWilliams) else check_dimson
    assert checked(res, "MKT") == 10
    assert (res.parameters["n_obs"] < 200).all()  # the case does have holes


def test_estimation_window_cut_by_the_start_of_the_data(synthetic, study_of, events_at):
    frame = synthetic(2, 260, seed=9)
    res = study_of(frame, events_at(frame, {"S00": 150, "S01": 200}), ScholesWilliams("MKT"), estimation_window=EST,
                   event_window=EVENT)  # fmt: skip
    assert res.parameters["n_obs"].tolist() == [150 - 20 - 2, 200 - 20 - 2]
    check_scholes_williams(res, "MKT")


def nonsynchronous(sessions: int, stale: float, seed: int = 0) -> pd.DataFrame:
    """A stock of beta 1.3 that misses the close on a share of the sessions, in a market of such stocks.

    Returns of a session without a trade are made up at the next trade; the market index has stale members too.
    """
    rng = np.random.default_rng(seed)
    true = rng.normal(0.0003, 0.01, sessions)
    own = 1.3 * true + rng.normal(0, 0.01, sessions)
    late = rng.random(sessions) < stale
    late[1:] &= ~late[:-1]  # never two sessions in a row: prices are at most one session old
    seen = np.where(late, 0.0, own)
    seen[1:] += np.where(late[:-1], own[:-1], 0.0)
    share = 0.1
    market = (1 - share) * true + share * np.r_[0.0, true[:-1]]
    index = pd.bdate_range("1990-01-01", periods=sessions, name="date")
    return pd.DataFrame({"MKT": market, "S": seen}, index=index)


def test_corrected_betas_are_consistent_where_least_squares_is_not(study_of, events_at):
    frame = nonsynchronous(12_000, stale=0.4)
    events = events_at(frame, {"S": 11_980})
    windows = {"estimation_window": (-11_970, -21), "event_window": EVENT}
    beta = {
        type(model).__name__: study_of(frame, events, model, **windows).parameters.iloc[0]
        for model in (es.MarketModel("MKT"), ScholesWilliams("MKT"), Dimson("MKT"))
    }
    # s.d. of the slopes is about 0.011 / (0.0091 √12000) = 0.011, of the corrected ones twice that
    assert beta["MarketModel"]["beta"] < 1.15
    assert beta["ScholesWilliams"]["beta"] == pytest.approx(1.3, abs=0.06)
    assert beta["Dimson"]["beta"] == pytest.approx(1.3, abs=0.06)
    assert beta["ScholesWilliams"]["rho1"] == pytest.approx(0.9 * 0.1 / (0.9**2 + 0.1**2), abs=0.03)


@pytest.mark.parametrize("rho", [-0.2, 0.2])
def test_lags_of_a_fresh_market_need_no_weights(study_of, events_at, rho):
    """A market autocorrelated by itself, and a stock of beta 1.2 that sees its moves up to two sessions late."""
    rng = np.random.default_rng(3)
    market = rng.normal(0, 0.01, 6_000)
    for t in range(1, len(market)):
        market[t] += rho * market[t - 1]
    stock = 1.2 * np.convolve(market, [0.5, 0.3, 0.2])[: len(market)] + rng.normal(0, 0.01, len(market))
    index = pd.bdate_range("1995-01-02", periods=len(market), name="date")
    frame = pd.DataFrame({"MKT": market, "S": stock}, index=index)
    windows = {"estimation_window": (-5_970, -21), "event_window": EVENT}
    res = study_of(frame, events_at(frame, {"S": 5_980}), Dimson("MKT", 0, 3, fowler_rorke=False), **windows)
    assert res.parameters["beta"][0] == pytest.approx(1.2, abs=4 * res.coefficients()["std_error"][1])


def test_sessions_kept_out_of_the_window_are_not_read_as_neighbours_either(synthetic):
    """A market return on a session that is kept out is no lag or lead of the sessions beside it."""
    frame = synthetic(1, 320, seed=10)
    panel = es.ReturnPanel.from_frame(frame)
    usable = np.ones(panel.values.shape, bool)
    usable[panel.row("S00"), 200] = False
    index = EventIndex(np.array([panel.row("S00")]), np.array([290]), Window(*EST), Window(*EVENT), usable=usable)
    fits = []
    for shock in (0.0, 0.3):
        values = panel.values.copy()
        values[:, 200] += shock
        changed = es.ReturnPanel(values, panel.tickers, panel.sessions)
        fits.append([model.fit(changed, index, 60) for model in (ScholesWilliams("MKT"), Dimson("MKT", 2, 2))])
    for calm, shaken in zip(*fits, strict=True):
        np.testing.assert_array_equal(calm.coef, shaken.coef)
    assert [fit.n_obs[0] for fit in fits[0]] == [230 - 2 - 3, 230 - 4 - 5]


@pytest.mark.parametrize("model", [ScholesWilliams("MKT"), Dimson("MKT")], ids=str)
def test_a_market_that_reverses_leaves_no_beta(study_of, events_at, model):
    rng = np.random.default_rng(3)
    market = np.resize([0.01, -0.01], 300) + rng.normal(0, 0.001, 300)
    frame = pd.DataFrame(
        {"MKT": market, "S": market + rng.normal(0, 0.01, 300)}, index=pd.bdate_range("2021", periods=300)
    )
    with pytest.raises(es.InsufficientDataError, match=r"1 \+ Σρ = -0\.\d\d; a beta corrected for thin trading"):
        study_of(frame, events_at(frame, {"S": 270}), model)


@pytest.mark.parametrize("model", [ScholesWilliams("MKT"), Dimson("MKT", 3, 3)], ids=str)
def test_failures_say_why(synthetic, study_of, events_at, model):
    frame = synthetic(3, 300, seed=12)
    frame.loc[frame.index[150:], "S01"] = np.nan
    frame["FLAT"] = 0.001
    res = study_of(frame, events_at(frame, {"S00": 280, "S01": 281, "S02": 60}), model, min_obs=60)
    assert res.dropped["ticker"].tolist() == ["S01", "S02"]
    assert res.dropped["reason"].str.contains("usable returns in the estimation window").all()
    flat = type(model)("FLAT") if isinstance(model, ScholesWilliams) else Dimson("FLAT", 3, 3)
    with pytest.raises(es.InsufficientDataError, match="do not vary"):
        study_of(frame, events_at(frame, {"S00": 280}), flat)


@pytest.mark.parametrize("model", [ScholesWilliams("MKT"), Dimson("MKT", 2, 1)], ids=str)
def test_chunks_change_no_number(synthetic, events_at, model):
    frame = synthetic(9, 320, seed=13, missing=0.05)
    events = events_at(frame, {f"S{i:02d}": 270 + 3 * i for i in range(9)})
    panel = es.ReturnPanel.from_frame(frame)
    index = EventIndex(panel.rows(events.ticker), 270 + 3 * np.arange(9), Window(-130, -11), Window(-5, 5))
    whole = model.fit(panel, index, 60)
    for at in range(9):
        one = model.fit(panel, index.take(np.array([at])), 60)
        np.testing.assert_allclose(one.ar[0], whole.ar[at], rtol=1e-12, atol=1e-16)
        np.testing.assert_allclose(one.loadings[0], whole.loadings[at], rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"leads": -1}, "leads=-1"), ({"lags": 1.5}, "lags=1.5"), ({"leads": 0, "lags": 0}, "Use MarketModel")],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(es.InputError, match=message):
        Dimson("SPY", **options)


@pytest.mark.parametrize("leads", [60, 61, 200])
def test_lags_that_leave_no_session_are_refused(synthetic, study_of, events_at, leads):
    frame = synthetic(1, 320, seed=14)
    with pytest.raises(es.InputError, match=f"lags=60 and leads={leads} .* 120 sessions"):
        study_of(frame, events_at(frame, {"S00": 280}), Dimson("MKT", leads, 60))
    with pytest.raises(es.InputError, match="not the name of a benchmark"):
        ScholesWilliams("")
