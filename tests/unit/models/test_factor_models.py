"""Factor models on excess returns against statsmodels, one regression per event; and which SMB is which."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from linearmodels.asset_pricing import TradedFactorModel
from linearmodels.datasets import french
from scipy import stats

import eventstudy as es
from eventstudy.data import load_factors

RTOL = 1e-10  # two double-precision solvers of well-conditioned regressions agree to about 1e-13
ATOL = 1e-15
EST, EVENT = (-250, -21), (-10, 10)
WINDOWS = [(0, 0), (-1, 1), (-10, 10)]

MODELS = {
    "capm": (es.FactorModel.capm(), ["Mkt-RF"]),
    "ff3": (es.FactorModel.ff3(), ["Mkt-RF", "SMB", "HML"]),
    "carhart": (es.FactorModel.carhart(), ["Mkt-RF", "SMB", "HML", "Mom"]),
    "ff5": (es.FactorModel.ff5(), ["Mkt-RF", "SMB5", "HML", "RMW", "CMA"]),
    "ff6": (es.FactorModel.ff6(), ["Mkt-RF", "SMB5", "HML", "RMW", "CMA", "Mom"]),
}


def made_up_factors(index: pd.DatetimeIndex, seed: int = 1, missing: float = 0.0) -> pd.DataFrame:
    """All factors of the library under their names, random but of their usual size."""
    rng = np.random.default_rng(seed)
    names = ["Mkt-RF", "SMB", "SMB5", "HML", "RMW", "CMA", "Mom"]
    values = rng.normal(0, 1, (len(index), len(names))) * [0.01, 0.006, 0.006, 0.007, 0.004, 0.004, 0.009]
    values[:, 2] = 0.9 * values[:, 1] + 0.3 * values[:, 2]
    frame = pd.DataFrame(values, index=index, columns=names)
    frame["RF"] = np.round(0.0002 + 0.00002 * np.sin(np.arange(len(index)) / 40), 6)
    return frame.mask(rng.random(frame.shape) < missing)


def check(res: es.EventStudyResults, ols_event, factors: list[str], total: tuple[str, ...] = ()) -> int:
    """Compare with a regression of R − RF in statsmodels; returns how many events were compared."""
    frame = res.study.returns.to_frame()
    excess = frame.sub(frame["RF"], axis=0)
    regressors = pd.DataFrame({name: excess[name] if name in total else frame[name] for name in factors})
    parameters, tables = res.parameters, {window: res.car(*window) for window in WINDOWS}
    coefficients = res.coefficients().set_index(["event_id", "parameter"])
    bhar = res.bhar(-1, 1)
    for row, (ticker, position) in enumerate(zip(parameters["ticker"], res.fit.index.position, strict=True)):
        data = regressors.assign(**{ticker: excess[ticker]})
        oracle = ols_event(data, ticker, factors, position, EST, EVENT)
        found = parameters.iloc[row]
        names = ["alpha", *(f"beta_{name}" for name in factors)]
        np.testing.assert_allclose(found[names].to_numpy(float), oracle.params, rtol=RTOL, atol=ATOL)
        assert (found["n_obs"], found["df"]) == (oracle.n_obs, oracle.n_obs - len(factors) - 1)
        np.testing.assert_allclose([found["sigma"], found["r2"]], [oracle.sigma, oracle.r2], rtol=RTOL)
        shown = coefficients.loc[found["event_id"]].loc[names]
        np.testing.assert_allclose(shown["std_error"], oracle.bse, rtol=RTOL)
        t = oracle.params / oracle.bse
        np.testing.assert_allclose(shown["p_value"], 2 * stats.t.sf(np.abs(t), oracle.df), rtol=1e-8)
        half = stats.t.ppf(0.975, oracle.df) * oracle.bse
        np.testing.assert_allclose(shown["ci_upper"], oracle.params + half, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(res.abnormal_returns.iloc[row], oracle.ar, rtol=RTOL, atol=ATOL)
        for window, table in tables.items():
            columns = slice(window[0] - EVENT[0], window[1] - EVENT[0] + 1)
            for name, value in oracle.car(columns).items():
                np.testing.assert_allclose(
                    table[name].iloc[row], value, rtol=RTOL, atol=ATOL, err_msg=f"{ticker} {name}"
                )
        # the expected return that BHAR compounds is on the scale of returns: the rate is part of it
        days = slice(position - 1, position + 2)
        expected = frame[ticker].iloc[days].to_numpy() - oracle.ar[-1 - EVENT[0] : 2 - EVENT[0]]
        fitted = oracle.params[0] + regressors.iloc[days].to_numpy() @ oracle.params[1:] + frame["RF"].iloc[days]
        np.testing.assert_allclose(expected, fitted, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(bhar["expected"].iloc[row], np.prod(1 + fitted) - 1, rtol=1e-9, atol=1e-13)
    return len(parameters)


@pytest.mark.parametrize("name", MODELS)
def test_bundled_sample(sample_panel, quiet, ols_event, name):
    model, factors = MODELS[name]
    panel = sample_panel.with_factors(made_up_factors(sample_panel.sessions))
    stocks = [ticker for ticker in sample_panel.tickers if ticker not in ("SPY", "SMH")]
    res = quiet(es.EventStudy(panel, es.Events.at("2025-01-29", stocks), model, EST, EVENT, min_obs=200))
    assert check(res, ols_event, factors) == 18
    assert res.study.model.name == name


@pytest.mark.parametrize("name", ["capm", "ff5", "ff6"])
def test_real_factors_on_staggered_dates(full_panel, shared_factors, quiet, ols_event, name):
    model, factors = MODELS[name]
    panel = full_panel.with_factors(load_factors(shared_factors, units="decimal"))
    stocks = [ticker for ticker in full_panel.tickers if ticker not in ("SPY", "SMH")]
    dates = full_panel.sessions[[360 + 4 * i for i in range(len(stocks))]]
    events = es.Events.from_frame(pd.DataFrame({"ticker": stocks, "date": dates}))
    res = quiet(es.EventStudy(panel, events, model, EST, EVENT, min_obs=200))
    assert check(res, ols_event, factors) == 29


@pytest.mark.parametrize(
    ("model", "names"), [("ff3", ["MktRF", "SMB", "HML"]), ("carhart", ["MktRF", "SMB", "HML", "Mom"])]
)
def test_monthly_portfolios_of_the_library_against_linearmodels(quiet, model, names):
    """The period of Fama and French (1993), July 1963 to December 1991: 342 months of portfolios by size and value."""
    data = french.load().set_index("dates")
    portfolios = [name for name in data if name[0] == "S" and name[2] == "V"]
    months = data.index + pd.offsets.MonthEnd(0)
    panel = es.ReturnPanel.from_frame(data[portfolios].set_axis(months), frequency="M")
    panel = panel.with_factors(data[["MktRF", "SMB", "HML", "Mom", "RF"]].set_axis(months))
    study = es.EventStudy(
        panel, es.Events.at("1992-01-31", portfolios), getattr(es.FactorModel, model)(), (-342, -1), (0, 0), min_obs=342
    )
    res = quiet(study)
    assert f"{res.parameters['estimation_start'].iloc[0]:%Y-%m}" == "1963-07"
    then = data.loc["1963-07":"1991-12"]
    excess = then[portfolios].sub(then["RF"], axis=0)
    oracle = TradedFactorModel(excess, then[names]).fit(cov_type="robust", debiased=True)
    found = res.parameters.set_index("ticker")
    np.testing.assert_allclose(found["alpha"], oracle.alphas, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(found.filter(like="beta_"), oracle.betas, rtol=RTOL, atol=1e-12)
    # what the three factors are known for: they explain these portfolios, and loadings line up with size and value
    assert found["r2"].min() > 0.8
    assert (found.loc[["S1V5", "S3V5", "S5V5"], "beta_HML"] > 0.6).all()
    assert (found.loc[["S1V1", "S3V1", "S5V1"], "beta_HML"] < -0.2).all()
    assert (found.loc[["S1V1", "S1V3", "S1V5"], "beta_SMB"] > 1.1).all()


@pytest.mark.parametrize("name", ["capm", "carhart", "ff6"])
def test_missing_returns_factors_and_rates(synthetic, study_of, events_at, ols_event, name):
    model, factors = MODELS[name]
    frame = synthetic(12, 420, seed=8, missing=0.1)
    with pytest.warns(es.EventStudyWarning, match="Factors are missing on"):
        panel = es.ReturnPanel.from_frame(frame).with_factors(made_up_factors(frame.index, 5, missing=0.03))
    positions = {f"S{i:02d}": 300 + 7 * i for i in range(12)}
    res = study_of(panel, events_at(frame, positions), model, estimation_window=EST, event_window=EVENT, min_obs=60)
    frame = res.study.returns.to_frame()
    excess = frame.sub(frame["RF"], axis=0)
    for row, (ticker, position) in enumerate(positions.items()):
        data = frame[factors].assign(**{ticker: excess[ticker]})
        oracle = ols_event(data, ticker, factors, position, EST, EVENT)
        np.testing.assert_allclose(res.abnormal_returns.iloc[row], oracle.ar, rtol=RTOL, atol=ATOL)
        assert res.parameters["n_obs"].iloc[row] == oracle.n_obs
        np.testing.assert_allclose(res.parameters["sigma"].iloc[row], oracle.sigma, rtol=RTOL)
        np.testing.assert_allclose(res.fit.coef_error[row], oracle.bse, rtol=RTOL)
    assert res.abnormal_returns.isna().to_numpy().any()


def test_capm_takes_the_rate_from_a_market_that_is_a_fund(sample_panel, quiet, ols_event):
    panel = sample_panel.with_factors(made_up_factors(sample_panel.sessions)[["RF"]])
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA"])
    res = quiet(es.EventStudy(panel, events, es.FactorModel.capm("SPY"), EST, EVENT, min_obs=200))
    assert check(res, ols_event, ["SPY"], total=("SPY",)) == 2
    plain = quiet(es.EventStudy(panel, events, es.FactorModel.capm("SPY", excess=True), EST, EVENT, min_obs=200))
    assert check(plain, ols_event, ["SPY"]) == 2
    assert not np.allclose(plain.parameters["alpha"], res.parameters["alpha"], rtol=1e-3)


def test_a_panel_may_spell_the_factors_otherwise(sample_panel, quiet):
    factors = made_up_factors(sample_panel.sessions)[["Mkt-RF", "SMB5", "HML", "RMW", "CMA", "RF"]]
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA"])
    spelt = factors.rename(columns=lambda name: name.lower().replace("-", "_").replace("5", ""))
    joined = es.ReturnPanel.from_frame(sample_panel.to_frame().join(spelt))
    assert "mkt_rf" in joined.tickers
    assert "smb" in joined.tickers
    mine = quiet(es.EventStudy(joined, events, es.FactorModel.ff5(), EST, EVENT))
    added = quiet(es.EventStudy(sample_panel.with_factors(factors), events, es.FactorModel.ff5(), EST, EVENT))
    pd.testing.assert_frame_equal(mine.car(0, 1), added.car(0, 1))
    with pytest.warns(es.EventStudyWarning, match="may be that of the five-factor file"):
        es.EventStudy(joined, es.Events.at("2025-01-29", "MSFT"), es.FactorModel.ff3(), EST, EVENT).fit()


def test_the_five_factor_smb_does_not_pass_for_the_other(sample_panel):
    factors = made_up_factors(sample_panel.sessions).drop(columns="SMB")
    panel = sample_panel.with_factors(factors)
    events = es.Events.at("2025-01-29", ["MSFT"])
    for model in (es.FactorModel.ff3(), es.FactorModel.carhart()):
        with pytest.raises(es.InputError, match="SMB of the five-factor file") as caught:
            es.EventStudy(panel, events, model)
        assert 'load_factors("ff3+ff5")' in str(caught.value)


def test_a_stock_of_the_name_of_a_factor(synthetic, quiet, events_at):
    """RF is the ticker of Regions Financial: it is neither overwritten nor taken for the riskless rate."""
    frame = synthetic(4, 320, seed=2).rename(columns={"S01": "RF", "S02": "CMA"})
    panel, factors = es.ReturnPanel.from_frame(frame), made_up_factors(frame.index)
    with pytest.raises(es.InputError, match="has a row CMA already") as caught:
        panel.with_factors(factors)
    assert "prefix=" in str(caught.value)
    both = panel.with_factors(factors, prefix="FF ")
    np.testing.assert_array_equal(both.values[both.row("RF")], frame["RF"])
    events = events_at(frame, {"S00": 290, "RF": 280})
    study = {"estimation_window": (-250, -21), "event_window": (-5, 5)}
    res = quiet(es.EventStudy(both, events, es.FactorModel.ff5(prefix="FF "), **study))
    alone = es.ReturnPanel.from_frame(frame[["S00"]]).with_factors(factors)
    only = quiet(es.EventStudy(alone, events_at(frame, {"S00": 290}), es.FactorModel.ff5(), **study))
    np.testing.assert_allclose(res.car(0, 0)["car"].iloc[0], only.car(0, 0)["car"].iloc[0], rtol=1e-12)
    with pytest.raises(es.InputError, match=r"RF is named as the riskless rate.*standard deviation"):
        es.EventStudy(panel, events, es.FactorModel("MKT", risk_free="RF"), **study).fit()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factors": ["A"], "risk_free": "A"}, "both a factor and the riskless rate"),
        ({"factors": ["A"], "total_returns": ["A"]}, "without a riskless rate"),
        ({"factors": ["A"], "risk_free": "R", "total_returns": ["B"]}, "not among the factors"),
        ({"factors": ["A", "A"]}, "twice"),
        ({"factors": []}, "at least one factor"),
        ({"factors": ["A", 3]}, "3 is not the name"),
        ({"factors": ["A"], "risk_free": 3}, "3 is not the name"),
        ({"factors": ["A"], "label": ""}, "label=''"),
    ],
)
def test_wrong_models_are_refused(options, message):
    with pytest.raises(es.InputError, match=message):
        es.FactorModel(**options)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (es.FactorModel(["SPY", "SMH"]), "FactorModel(['SPY', 'SMH'])"),
        (es.FactorModel.ff3(), "FactorModel(['Mkt-RF', 'SMB', 'HML'], risk_free='RF', label='ff3')"),
        (es.FactorModel.capm("SPY"), "FactorModel(['SPY'], risk_free='RF', total_returns=['SPY'], label='capm')"),
    ],
)
def test_a_model_shows_what_makes_it_again(model, text):
    assert repr(model) == text
    assert eval(text, {"FactorModel": es.FactorModel}) == model


def test_a_frame_belongs_to_the_panel():
    with pytest.raises(es.InputError, match=r"belong to the panel\. Add them there, panel\.with_factors\(frame\)"):
        es.FactorModel(pd.DataFrame({"QMJ": [0.1]}))


def test_a_panel_without_the_factors(sample_panel):
    with pytest.raises(es.InputError, match=r"has no factor 'Mkt-RF'.*returns\.with_factors"):
        es.EventStudy(sample_panel, es.Events.at("2025-01-29", "MSFT"), es.FactorModel.ff3())


def test_events_whose_factors_are_missing_say_which_and_from_when(sample_panel, quiet):
    """The library appears a month or two late, so the newest events have no factors yet."""
    factors = made_up_factors(sample_panel.sessions).loc[:"2025-01-28"]
    with pytest.warns(es.EventStudyWarning, match="Factors are missing on 40 of the panel's 310 sessions"):
        panel = sample_panel.with_factors(factors.assign(SMB=factors["SMB"].where(factors.index < "2024-12-31")))
    table = pd.DataFrame({"ticker": ["MSFT", "NVDA", "AMD"], "date": ["2025-01-08", "2025-02-10", "2025-01-14"]})
    study = es.EventStudy(panel, es.Events.from_frame(table), es.FactorModel.capm(), (-200, -31), (0, 5), min_obs=100)
    res = quiet(study)
    assert res.dropped["ticker"].tolist() == ["NVDA"]
    assert res.dropped["reason"].tolist() == [
        "NVDA, event session 2025-02-10: no abnormal return in the event window [0, +5]; the benchmarks Mkt-RF, RF "
        "have no return on 6 of them, first 2025-02-10. Load benchmarks or factors around the event."
    ]
    with pytest.raises(
        es.InsufficientDataError, match=r"; the benchmark SMB has no return on 6 of them, first 2025-01-08"
    ):
        es.EventStudy(panel, es.Events.at("2025-01-08", "MSFT"), es.FactorModel.ff3(), (-200, -31), (0, 5)).fit()


def test_coefficients_of_models_with_and_without_a_constant(sample_panel, quiet, ols_event):
    """The market model's own kernel against statsmodels; nothing to show where nothing is fitted; NaN for counts."""
    frame = sample_panel.to_frame()
    for model in (es.MarketModel("SPY"), es.MeanAdjusted()):
        res = quiet(es.EventStudy(sample_panel, es.Events.at("2025-01-29", ["MSFT", "NVDA"]), model, EST, EVENT))
        found = res.coefficients(0.9).set_index(["ticker", "parameter"])
        for row, ticker in enumerate(["MSFT", "NVDA"]):
            oracle = ols_event(frame, ticker, list(model.benchmarks), res.fit.index.position[row], EST, EVENT)
            np.testing.assert_allclose(found.loc[ticker, "std_error"], oracle.bse, rtol=RTOL)
            half = stats.t.ppf(0.95, oracle.df) * oracle.bse
            np.testing.assert_allclose(found.loc[ticker, "ci_lower"], oracle.params - half, rtol=1e-8, atol=1e-12)
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA"])
    assert quiet(es.EventStudy(sample_panel, events, es.MarketAdjusted("SPY"), EST, EVENT)).coefficients().empty
    synthetic = quiet(es.EventStudy(sample_panel, events, es.SyntheticControl(), EST, EVENT)).coefficients()
    assert synthetic["estimate"].notna().all()
    assert synthetic[["std_error", "t", "p_value", "ci_lower"]].isna().all(axis=None)
    with pytest.raises(es.InputError, match="confidence=1"):
        res.coefficients(1.0)


def test_k_counts_the_factors_only(sample_panel, quiet):
    panel = sample_panel.with_factors(made_up_factors(sample_panel.sessions))
    res = quiet(es.EventStudy(panel, es.Events.at("2025-01-29", "MSFT"), es.FactorModel.ff6(), EST, EVENT))
    assert (res.parameters["n_obs"] - res.parameters["df"]).tolist() == [7]
    assert es.FactorModel.ff6().benchmarks == ("Mkt-RF", "SMB5", "HML", "RMW", "CMA", "Mom", "RF")
