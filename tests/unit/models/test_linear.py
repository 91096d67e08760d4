"""Linear models against statsmodels, one regression per event; and Karafiath's dummy-variable regression."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es

# Two double-precision solvers of well-conditioned regressions agree to about 1e-13; 1e-10 leaves room for the p-values
# of large t and for α, which is a difference of means.
RTOL = 1e-10
ATOL = 1e-15  # returns are near 1e-2: an abnormal return of exactly zero has no relative error

EST, EVENT = (-250, -21), (-10, 10)
WINDOWS = [(0, 0), (-1, 1), (-10, 10), (3, 9)]
SPY, SPY_SMH = es.MarketModel("SPY"), es.FactorModel(["SPY", "SMH"])


def check_against_statsmodels(res, ols_event, factors, est, event, confidence=0.95) -> int:
    """Compare everything the results say about single events; number of events checked."""
    frame = res.study.returns.to_frame()
    parameters, ar, sar = res.parameters, res.abnormal_returns, res.sar
    tables = {window: res.car(*window) for window in WINDOWS}
    for row, (ticker, position) in enumerate(zip(parameters["ticker"], res.fit.index.position, strict=True)):
        oracle = ols_event(frame, ticker, factors, position, est, event)
        found = parameters.iloc[row]
        coefficients = found.iloc[2 : 3 + len(factors)].to_numpy(float)
        np.testing.assert_allclose(coefficients, oracle.params, rtol=RTOL, atol=ATOL)
        assert (found["n_obs"], found["df"]) == (oracle.n_obs, oracle.df)
        np.testing.assert_allclose([found["sigma"], found["r2"]], [oracle.sigma, oracle.r2], rtol=RTOL)
        np.testing.assert_allclose(ar.iloc[row], oracle.ar, rtol=RTOL, atol=ATOL)
        np.testing.assert_allclose(sar.iloc[row], oracle.ar / oracle.se_obs, rtol=RTOL, atol=1e-12)
        for window, table in tables.items():
            columns = slice(window[0] - event[0], window[1] - event[0] + 1)
            expected = oracle.car(columns, confidence)
            for name, value in expected.items():
                np.testing.assert_allclose(
                    table[name].iloc[row], value, rtol=RTOL, atol=ATOL, err_msg=f"{ticker} {name}"
                )
            assert table["df"].iloc[row] == oracle.df
            assert table["n_missing"].iloc[row] == np.isnan(oracle.ar[columns]).sum()
        for day in (event[0], 0, event[1]):  # a day's standard error is statsmodels' own forecast error
            error = res.car(day, day)["std_error"].iloc[row]
            np.testing.assert_allclose(error, oracle.se_obs[day - event[0]], rtol=RTOL)
    return len(parameters)


@pytest.mark.parametrize(
    ("model", "factors"), [(SPY, ["SPY"]), (SPY_SMH, ["SPY", "SMH"])], ids=["market", "two factors"]
)
def test_bundled_sample(sample_panel, quiet, ols_event, model, factors):
    stocks = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    study = es.EventStudy(sample_panel, es.Events.at("2025-01-29", stocks), model, EST, EVENT, min_obs=200)
    assert check_against_statsmodels(quiet(study), ols_event, factors, EST, EVENT) == 18


@pytest.mark.parametrize(
    ("model", "factors"), [(SPY, ["SPY"]), (SPY_SMH, ["SPY", "SMH"])], ids=["market", "two factors"]
)
def test_all_prices_on_staggered_dates(full_panel, quiet, ols_event, model, factors):
    stocks = [name for name in full_panel.tickers if name not in ("SPY", "SMH")]
    dates = full_panel.sessions[[360 + 4 * i for i in range(len(stocks))]]
    events = es.Events.from_frame(pd.DataFrame({"ticker": stocks, "date": dates}))
    study = es.EventStudy(full_panel, events, model, EST, EVENT, min_obs=200)
    assert check_against_statsmodels(quiet(study), ols_event, factors, EST, EVENT) == 29


@pytest.mark.parametrize("factors", [["MKT"], ["MKT", "S00"], ["MKT", "S00", "S01", "S02"]], ids=len)
def test_missing_returns_and_staggered_dates(synthetic, study_of, events_at, ols_event, factors):
    frame = synthetic(24, 420, seed=3, missing=0.2, missing_market=0.1)
    stocks = [name for name in frame.columns if name not in factors]
    positions = {name: 300 + 5 * i for i, name in enumerate(stocks)}
    model = es.FactorModel(factors) if len(factors) > 1 else es.MarketModel("MKT")
    res = study_of(
        frame, events_at(frame, positions), model, estimation_window=EST, event_window=EVENT, min_obs=60, confidence=0.9
    )
    assert check_against_statsmodels(res, ols_event, factors, EST, EVENT, confidence=0.9) == len(stocks)
    assert res.abnormal_returns.isna().to_numpy().mean() > 0.2  # the case does have holes
    assert res.car(0, 0)["car"].isna().any()


def test_estimation_window_cut_by_the_start_of_the_data(synthetic, study_of, events_at, ols_event):
    frame = synthetic(3, 200, seed=4)
    res = study_of(frame, events_at(frame, {"S00": 100, "S01": 140}), estimation_window=EST, event_window=EVENT)
    assert res.parameters["n_obs"].tolist() == [80, 120]
    assert (res.parameters["estimation_start"] == frame.index[0]).all()
    assert res.parameters["estimation_end"].tolist() == [frame.index[79], frame.index[119]]
    check_against_statsmodels(res, ols_event, ["MKT"], EST, EVENT)


@pytest.mark.parametrize("factors", [["MKT"], ["MKT", "S07"]], ids=len)
@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("window", [(0, 0), (-2, 3), (-5, 5)])
def test_karafiath_dummy_regression(synthetic, study_of, events_at, factors, missing, window):
    """One OLS over both windows, a dummy per event day: CAR is the sum of the dummies' coefficients."""
    frame = synthetic(8, 260, seed=11, missing=missing, missing_market=missing / 2)
    positions = {f"S{i:02d}": 200 + 3 * i for i in range(6)}
    model = es.FactorModel(factors) if len(factors) > 1 else es.MarketModel("MKT")
    res = study_of(frame, events_at(frame, positions), model, missing="skip")
    table = res.car(*window)
    for row, (ticker, position) in enumerate(positions.items()):
        rows = np.r_[position - 130 : position - 10, position - 5 : position + 6]
        data = frame[[ticker, *factors]].iloc[rows]
        days = [position + tau for tau in range(window[0], window[1] + 1)]
        inside = [d for d in days if data.loc[frame.index[d]].notna().all()]
        data = data.dropna()
        if not inside:
            assert np.isnan(table["car"].iloc[row])
            continue
        every = [frame.index[position + tau] for tau in range(-5, 6) if frame.index[position + tau] in data.index]
        dummies = np.column_stack([(data.index == day).astype(float) for day in every])
        fit = sm.OLS(data[ticker].to_numpy(), np.column_stack([np.ones(len(data)), data[factors], dummies])).fit()
        picked = np.array([0.0] * (1 + len(factors)) + [float(day in set(frame.index[inside])) for day in every])
        contrast = fit.t_test(picked)
        found = table.iloc[row]
        assert found["n_missing"] == len(days) - len(inside)
        np.testing.assert_allclose(found["car"], contrast.effect[0], rtol=RTOL, atol=ATOL)
        np.testing.assert_allclose(found["std_error"], contrast.sd[0, 0], rtol=RTOL)
        np.testing.assert_allclose(found["t"], contrast.tvalue[0, 0], rtol=RTOL)
        np.testing.assert_allclose(found["p_value"], contrast.pvalue, rtol=RTOL)
        assert found["df"] == fit.df_resid
        np.testing.assert_allclose(res.parameters["sigma"].iloc[row], np.sqrt(fit.mse_resid), rtol=RTOL)


def test_mean_adjusted(synthetic, study_of, events_at):
    frame = synthetic(3, 260, seed=5, missing=0.1)
    res = study_of(frame, events_at(frame, {"S00": 180, "S01": 200}), es.MeanAdjusted(), missing="skip")
    for row, (ticker, position) in enumerate({"S00": 180, "S01": 200}.items()):
        past = frame[ticker].iloc[position - 130 : position - 10].dropna()
        event = frame[ticker].iloc[position - 5 : position + 6]
        found, car = res.parameters.iloc[row], res.car(-5, 5).iloc[row]
        assert found["alpha"] == pytest.approx(past.mean(), rel=1e-12)
        assert found["sigma"] == pytest.approx(past.std(ddof=1), rel=1e-12)
        assert found["df"] == len(past) - 1
        m, used = len(past), event.notna().sum()
        assert car["car"] == pytest.approx((event - past.mean()).sum(), rel=1e-11)
        # a sum of L returns minus L times a mean of m: variance s²(L + L²/m)
        assert car["std_error"] == pytest.approx(past.std(ddof=1) * np.sqrt(used + used**2 / m), rel=1e-12)
        # for one day this is the textbook prediction interval of a new observation
        day = res.car(1, 1).iloc[row]
        if not np.isnan(day["car"]):
            assert day["p_value"] == pytest.approx(
                2 * stats.t.sf(abs(event.iloc[6] - past.mean()) / (past.std(ddof=1) * np.sqrt(1 + 1 / m)), m - 1),
                rel=1e-9,
            )


def test_market_adjusted(synthetic, study_of, events_at):
    frame = synthetic(3, 260, seed=6, missing=0.1, missing_market=0.05)
    positions = {"S00": 180, "S01": 200}
    res = study_of(frame, events_at(frame, positions), es.MarketAdjusted("MKT"), missing="skip")
    for row, (ticker, position) in enumerate(positions.items()):
        gap = frame[ticker] - frame["MKT"]
        past, event = gap.iloc[position - 130 : position - 10].dropna(), gap.iloc[position - 5 : position + 6]
        found, car = res.parameters.iloc[row], res.car(-5, 5).iloc[row]
        # nothing is fitted: K = 0, the second moment about zero, and no parameter error
        assert found["sigma"] == pytest.approx(np.sqrt((past**2).mean()), rel=1e-12)
        assert found["df"] == len(past)
        assert np.isnan(found["r2"])
        assert car["car"] == pytest.approx(event.sum(), rel=1e-12)
        assert car["std_error"] == pytest.approx(found["sigma"] * np.sqrt(event.notna().sum()), rel=1e-12)
        np.testing.assert_allclose(res.abnormal_returns.iloc[row], event, atol=1e-17)


def test_one_factor_is_the_market_model(synthetic, study_of, events_at):
    frame = synthetic(6, 260, seed=7, missing=0.1, missing_market=0.1)
    events = events_at(frame, {f"S{i:02d}": 180 + 5 * i for i in range(6)})
    one, market = study_of(frame, events, es.FactorModel(["MKT"])), study_of(frame, events)
    np.testing.assert_allclose(one.car(-2, 2)["std_error"], market.car(-2, 2)["std_error"], rtol=1e-12)
    np.testing.assert_allclose(one.abnormal_returns, market.abnormal_returns, atol=1e-16, rtol=1e-12)
    assert one.parameters.columns[3] == "beta_MKT"


def test_order_of_factors_is_irrelevant(sample_panel, quiet):
    events = es.Events.at("2025-01-29", ["NVDA", "MSFT"])
    one, two = (
        quiet(es.EventStudy(sample_panel, events, es.FactorModel(names), EST, EVENT)).car(-5, 5)
        for names in (["SPY", "SMH"], ["SMH", "SPY"])
    )
    np.testing.assert_allclose(one[["car", "std_error", "t"]], two[["car", "std_error", "t"]], rtol=1e-11)


@pytest.mark.parametrize(
    "make", [lambda: es.MarketModel(""), lambda: es.MarketAdjusted(None), lambda: es.MarketModel(7)]
)
def test_a_benchmark_is_a_name(make):
    with pytest.raises(es.InputError, match="not the name of a benchmark"):
        make()


@pytest.mark.parametrize(
    ("factors", "says"),
    [([], "at least one factor"), (["SPY", "SPY"], "named twice"), (["SPY", 5], "5 is not the name")],
)
def test_bad_factors(factors, says):
    with pytest.raises(es.InputError, match=says):
        es.FactorModel(factors)


@pytest.mark.parametrize("factors", [None, 5])
def test_factors_that_are_no_sequence(factors):
    with pytest.raises(es.InputError):
        es.FactorModel(factors)


def test_a_model_is_a_value():
    assert es.FactorModel(["SPY", "SMH"]) == es.FactorModel(("SPY", "SMH"))
    assert es.FactorModel("SPY").factors == ("SPY",)
    assert len({es.MarketModel("SPY"), es.MarketModel("SPY"), es.MarketModel("QQQ")}) == 2
