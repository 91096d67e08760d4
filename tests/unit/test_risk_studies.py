"""``results.risk``: risk of the events of a study, against scipy, statsmodels, arch and brute force."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy import risk
from eventstudy.data import sample
from eventstudy.risk import variance
from eventstudy.risk.variance import forecast_covariance
from eventstudy.windows import Window

POSITION = 170
BARS = ["NVDA", "MSFT", "ORCL"]


@pytest.fixture(scope="module")
def frame(synthetic):
    frame = synthetic(6, 260, seed=80)
    frame.loc[frame.index[POSITION : POSITION + 6], ["S00", "S01"]] *= 4
    frame.iloc[POSITION + 1, frame.columns.get_loc("S03")] = np.nan
    frame.iloc[POSITION - 40, frame.columns.get_loc("S02")] = np.nan
    return frame


@pytest.fixture(scope="module")
def res(frame, study_of, events_at):
    return study_of(frame, events_at(frame, dict.fromkeys([f"S{i:02d}" for i in range(6)], POSITION)))


@pytest.fixture(scope="module")
def oracle(frame, ols_event):
    return [ols_event(frame, f"S{i:02d}", ["MKT"], POSITION, (-130, -11), (-5, 5)) for i in range(6)]


# -- volatility ----------------------------------------------------------------------------------------------------


def test_volatility_is_that_of_pandas(res, frame):
    table = res.risk.volatility((-60, -11), (0, 20), annualize=252, draws=50).set_index("ticker")
    logs = np.log1p(frame)
    for name in table.index:
        before, after = logs[name].iloc[POSITION - 60 : POSITION - 10], logs[name].iloc[POSITION : POSITION + 21]
        row = table.loc[name]
        assert row["volatility_before"] == pytest.approx(before.std() * np.sqrt(252), rel=1e-10)
        assert row["volatility_after"] == pytest.approx(after.std() * np.sqrt(252), rel=1e-10)
        assert row["ratio"] == pytest.approx(after.std() / before.std(), rel=1e-10)
        assert row["log_variance_ratio"] == pytest.approx(2 * np.log(row["ratio"]), rel=1e-9)
        assert (row["n_before"], row["n_after"]) == (before.count(), after.count())
        levene = stats.levene(before.dropna(), after.dropna(), center="median")
        assert row["p_brown_forsythe"] == pytest.approx(levene.pvalue, rel=1e-9)
        assert row["reason"] == ""
    assert table.loc["S00", "p_placebo"] < 0.05  # its first six sessions move four times as much
    assert table["n_placebo"].max() == POSITION - 5 - 81 + 1  # pairs of windows before the event window


def test_placebo_volatility_by_brute_force(res, frame):
    logs, table = np.log1p(frame["S04"]).to_numpy()[: POSITION - 5], res.risk.volatility(draws=0)
    row = table.set_index("ticker").loc["S04"]
    earlier = [
        np.log(np.var(logs[at + 60 : at + 81], ddof=1) / np.var(logs[at : at + 50], ddof=1))
        for at in range(len(logs) - 80)
    ]
    exceed = np.sum(np.abs(earlier) >= abs(row["log_variance_ratio"]))
    assert row["p_placebo"] == pytest.approx((1 + exceed) / (1 + len(earlier)))


def test_abnormal_volatility_reads_residuals_and_forecasts(res, frame, oracle):
    table = res.risk.volatility((-60, -11), (0, 30), abnormal=True, draws=0)
    for row, fit in zip(table.itertuples(), oracle, strict=True):
        left = frame[row.ticker] - fit.params[0] - fit.params[1] * frame["MKT"]
        assert row.volatility_before == pytest.approx(left.iloc[POSITION - 60 : POSITION - 10].std(), rel=1e-9)
        assert row.volatility_after == pytest.approx(left.iloc[POSITION : POSITION + 31].std(), rel=1e-9)


def test_windows_beyond_the_panel_say_so(res, frame, study_of, events_at):
    table = (
        study_of(frame, events_at(frame, {"S00": POSITION, "S01": 257})).risk.volatility(draws=0).set_index("ticker")
    )
    assert np.isnan(table.loc["S01", "volatility_after"])
    assert table.loc["S01", "reason"] == "50 and 3 usable sessions, fewer than 5"
    assert table.loc["S00", "reason"] == ""
    with pytest.raises(es.InsufficientDataError, match=r"the panel ends on"):
        res.risk.volatility((-60, -11), (100, 120))
    with pytest.raises(es.WindowError, match="must end before"):
        res.risk.volatility((-60, 0), (0, 20))
    with pytest.raises(es.InputError, match="estimator="):
        res.risk.volatility(estimator="range")


def test_volatility_does_not_depend_on_other_events(res):
    whole, part = res.risk.volatility(seed=1), res.select(ticker="S02").risk.volatility(seed=1)
    pd.testing.assert_frame_equal(whole.iloc[[2]].reset_index(drop=True), part)


def test_other_models_have_abnormal_volatility_inside_their_windows(frame, study_of, events_at):
    events = events_at(frame, dict.fromkeys(["S00", "S01"], POSITION))
    other = study_of(frame, events, es.models.RobustMarketModel("MKT"))
    table = other.risk.volatility((-60, -11), (-1, 5), abnormal=True, draws=0)
    residuals = other.fit.residuals(np.array([0]))[0, 70:]
    assert table["volatility_before"].iloc[0] == pytest.approx(residuals.std(ddof=1), rel=1e-9)
    assert table["volatility_after"].iloc[0] == pytest.approx(other.fit.ar[0, 4:].std(ddof=1), rel=1e-9)
    with pytest.raises(es.WindowError, match=r"session \+6"):
        other.risk.volatility((-60, -11), (0, 20), abnormal=True)


# -- volatility from bars ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def barred(full_bars, quiet):
    events = es.Events.at("2025-01-27", BARS)
    panel = es.ReturnPanel.from_prices(full_bars)
    return quiet(es.EventStudy(panel, events, es.MarketModel("SPY"), (-260, -11), (-5, 5)))


@pytest.mark.parametrize("estimator", ["parkinson", "garman_klass", "rogers_satchell", "yang_zhang"])
def test_range_estimators_of_a_study_read_the_right_sessions(barred, full_bars, estimator):
    table = barred.risk.volatility(estimator=estimator, prices=full_bars, draws=0).set_index("ticker")
    at = full_bars.index.get_loc(pd.Timestamp("2025-01-27"))
    fields = ["open", "high", "low", "close"] if estimator != "parkinson" else ["high", "low"]
    for name in BARS:
        factor = full_bars[name] / full_bars.field("close")[name]
        days = {"before": slice(at - 60, at - 10), "after": slice(at, at + 21)}
        for side, rows in days.items():
            if estimator == "yang_zhang":
                rows = slice(rows.start - 1, rows.stop)  # the first night needs a close
            prices = [(full_bars.field(field)[name] * factor).to_numpy()[rows] for field in fields]
            expected = getattr(risk, estimator)(*prices)
            assert table.loc[name, f"volatility_{side}"] == pytest.approx(expected, rel=1e-9)
    logs = [
        np.log(np.log(full_bars.field("high")["NVDA"] / full_bars.field("low")["NVDA"]).iloc[rows])
        for rows in days.values()
    ]
    welch = stats.ttest_ind(logs[1], logs[0], equal_var=False)
    assert table.loc["NVDA", "log_range_t"] == pytest.approx(welch.statistic, rel=1e-8)
    assert table.loc["NVDA", "p_log_range"] == pytest.approx(welch.pvalue, rel=1e-7)


def test_estimators_agree_on_real_bars(barred, full_bars):
    """All measure one volatility; those without the night are lower, Yang–Zhang is near close-to-close."""
    found = {
        name: barred.risk.volatility((-260, -11), (-10, 90), estimator=name, prices=full_bars, draws=0)[
            "volatility_before"
        ]
        for name in ("close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang")
    }
    for name in ("parkinson", "garman_klass", "rogers_satchell"):
        assert ((found[name] / found["close"]).between(0.5, 1.0)).all()
    assert ((found["yang_zhang"] / found["close"]).between(0.85, 1.1)).all()


def test_tables_are_what_the_columns_allow(barred, full_bars, sample_prices):
    """By hand: Parkinson's volatility of the days, and volume over its geometric mean of the estimation window."""
    tables = barred.risk.tables(full_bars, windows=[(0, 0), (0, 2)])
    assert list(tables) == ["volatility", "abnormal_volume"]
    found = tables["volatility"].set_index(["estimator", "ticker"])
    assert list(dict.fromkeys(found.index.get_level_values(0))) == ["close", "parkinson", "garman_klass", "yang_zhang"]
    at = full_bars.index.get_loc(pd.Timestamp("2025-01-27"))
    span = np.log(full_bars.field("high")["NVDA"] / full_bars.field("low")["NVDA"]).iloc[at : at + 21]
    by_hand = np.sqrt((span**2).mean() / (4 * np.log(2)))
    assert found.loc[("parkinson", "NVDA"), "volatility_after"] == pytest.approx(by_hand, rel=1e-12)
    logs = np.log(full_bars.field("volume")["MSFT"])
    moved = np.exp(logs.iloc[at : at + 3].mean() - logs.iloc[at - 260 : at - 10].mean())
    volume = tables["abnormal_volume"].set_index(["start", "end", "ticker"])
    assert volume.loc[(0, 2, "MSFT"), "ratio"] == pytest.approx(moved, rel=1e-12)
    assert len(volume) == 2 * len(BARS)
    assert volume["event_id"].tolist() == [1, 2, 3] * 2
    closes = barred.risk.tables(sample_prices)
    assert list(closes) == ["volatility"]
    assert set(closes["volatility"]["estimator"]) == {"close"}
    with pytest.raises(es.InputError, match="prices is DataFrame, not Prices"):
        barred.risk.tables(pd.DataFrame())


def test_volume_leaves_out_what_the_study_does(full_bars, quiet):
    out = ("2024-12-20", "2025-01-03")
    panel, events = es.ReturnPanel.from_prices(full_bars), es.Events.at("2025-01-27", BARS)
    res = quiet(es.EventStudy(panel, events, es.MarketModel("SPY"), (-260, -11), (-5, 5), exclude=[out]))
    at = full_bars.index.get_loc(pd.Timestamp("2025-01-27"))
    logs = np.log(full_bars.field("volume")["MSFT"])
    usual = logs.iloc[at - 260 : at - 10]
    usual = usual[(usual.index < out[0]) | (usual.index > out[1])]
    assert len(usual) < 250
    found = res.risk.tables(full_bars, windows=[(0, 0)])["abnormal_volume"].set_index("ticker")
    assert found.loc["MSFT", "ratio"] == pytest.approx(np.exp(logs.iloc[at] - usual.mean()), rel=1e-12)


def test_a_dividend_is_no_move(barred, full_bars):
    """MSFT went ex dividend on 2024-11-21 (0.83 USD): the night in adjusted prices holds it."""
    plain = {name: full_bars.field(name) for name in ("open", "high", "low", "close")}
    one, other = (
        barred.risk.volatility((-60, -11), estimator="yang_zhang", prices=prices, draws=0).set_index("ticker")
        for prices in (full_bars, plain)
    )
    assert one.loc["MSFT", "volatility_before"] != other.loc["MSFT", "volatility_before"]
    assert one.loc["MSFT", "volatility_before"] == pytest.approx(other.loc["MSFT", "volatility_before"], rel=0.02)
    same = [
        barred.risk.volatility((-60, -11), estimator="garman_klass", prices=prices, draws=0)["volatility_before"]
        for prices in (full_bars, plain)
    ]
    np.testing.assert_allclose(*same, rtol=1e-9)  # within a session both are on one basis


def test_bars_that_cannot_be_name_ticker_and_date(barred, full_bars):
    plain = {name: full_bars.field(name).copy() for name in ("high", "low")}
    plain["low"].loc["2025-01-15", "ORCL"] = 1e6
    with pytest.raises(es.InputError, match=r"ORCL: the bar of 2025-01-15 cannot be") as caught:
        barred.risk.volatility(estimator="parkinson", prices=plain)
    assert caught.value.context["ticker"] == "ORCL"
    with pytest.raises(es.InputError, match="no bars of NVDA"):
        barred.risk.volatility(estimator="parkinson", prices={k: v[["SPY"]] for k, v in plain.items()})
    with pytest.raises(es.InputError, match="'open' is not among"):
        barred.risk.volatility(estimator="garman_klass", prices=plain)


@pytest.mark.parametrize(
    ("broken", "match"),
    [
        (lambda frame: frame.to_numpy(), "not ndarray"),
        (lambda frame: frame.reset_index(drop=True), "holds numbers, not dates"),
        (lambda frame: pd.concat([frame, frame.iloc[-1:]]), "stands twice"),
        (lambda frame: frame.astype(object).replace(frame["NVDA"].iloc[5], "x"), "NVDA holds 'x' on"),
    ],
)
def test_bars_of_the_wrong_form_say_so(barred, full_bars, broken, match):
    bars = {name: full_bars.field(name) for name in ("high", "low")}
    with pytest.raises(es.InputError, match=match):
        barred.risk.volatility(estimator="parkinson", prices=bars | {"high": broken(bars["high"])}, draws=0)


def test_bars_may_have_a_zone_and_any_order(barred, full_bars):
    bars = {name: full_bars.field(name) for name in ("high", "low")}
    other = {name: frame.tz_localize("America/New_York").iloc[::-1] for name, frame in bars.items()}
    plain, moved = (barred.risk.volatility(estimator="parkinson", prices=given, draws=0) for given in (bars, other))
    pd.testing.assert_frame_equal(plain, moved)


def test_variance_across_events_needs_two(res):
    with pytest.raises(es.InsufficientDataError, match="needs two"):
        res.select(mask=np.arange(len(res)) == 0).risk.induced_variance(0, 0)


def test_the_sample_has_no_bars(sample_prices, sample_panel, quiet):
    study = es.EventStudy(sample_panel, es.Events.at("2025-01-27", "NVDA"), es.MarketModel("SPY"), (-260, -11), (-5, 5))
    found = quiet(study)
    with pytest.raises(es.InputError, match="the bundled sample holds closes only"):
        found.risk.volatility(estimator="parkinson", prices=sample_prices)
    with pytest.raises(es.InputError, match="no prices were given"):
        found.risk.volatility(estimator="yang_zhang")
    with pytest.raises(es.InputError, match="one price a day"):
        found.risk.volatility(estimator="yang_zhang", prices=pd.DataFrame(sample_prices))
    with pytest.raises(es.InputError, match="Bars of abnormal prices"):
        found.risk.volatility(estimator="yang_zhang", abnormal=True)
    with pytest.raises(es.InputError, match="the bundled sample holds closes only"):
        risk.abnormal_volume(sample_prices, es.Events.at("2025-01-27", "NVDA"))
    assert found.risk.volatility(annualize=252)["volatility_after"].iloc[0] > 0.5


# -- variance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [Window(0, 0), Window(-2, 3), Window(-5, 5)])
def test_forecast_covariance_is_statsmodels(res, oracle, window):
    found = forecast_covariance(res.fit, window)
    columns = slice(window.start + 5, window.end + 6)
    for row, fit in enumerate(oracle):
        expected = np.nan_to_num(fit.covariance[columns, columns]) / fit.sigma**2
        np.testing.assert_allclose(found[row], expected, atol=1e-10)


@pytest.mark.parametrize("about", ["zero", "mean"])
def test_variance_is_the_f_test_of_event_dummies(res, frame, about):
    table = res.risk.variance(-2, 3, about=about)
    for row in table.itertuples():
        rows = np.r_[POSITION - 130 : POSITION - 10, POSITION - 2 : POSITION + 4]
        data = frame[[row.ticker, "MKT"]].iloc[rows]
        inside = np.zeros((len(rows), 6))
        inside[120:] = np.eye(6)
        keep = data.notna().all(axis=1).to_numpy()
        x = sm.add_constant(data["MKT"].to_numpy())
        full = np.hstack([x, inside])[keep]
        full = full[:, (full != 0).any(0)]
        plain = x if about == "zero" else np.column_stack([x, inside.any(1)])
        y = data[row.ticker].to_numpy()[keep]
        f, p, df = sm.OLS(y, full).fit().compare_f_test(sm.OLS(y, plain[keep]).fit())
        assert (row.variance_ratio, row.p_value, row.df_num) == pytest.approx((f, p, df), rel=1e-8)
        assert row.n_missing == (row.ticker == "S03")


def test_a_mean_needs_two_sessions(res):
    assert np.isnan(res.risk.variance(0, about="mean")["p_value"]).all()
    with pytest.raises(es.InputError, match="about="):
        res.risk.variance(0, 1, about="median")
    with pytest.raises(es.WindowError):
        res.risk.variance(0, 9)


def test_beaver_u(res):
    table, sar = res.risk.beaver_u(), res.sar.to_numpy()
    reference = []
    for column in res.fit.residuals(np.arange(6)).T:
        m = res.fit.n_obs
        reference.append(np.nanmean(column**2 / (res.fit.sigma2 * (m - 2) / m)))
    for at, tau in enumerate(table.index):
        square = sar[:, at] ** 2
        laws = [stats.f(1, df) for df, value in zip(res.fit.n_obs - 2, square, strict=True) if np.isfinite(value)]
        row = table.loc[tau]
        assert row["u"] == pytest.approx(np.nanmean(square))
        assert row["n"] == len(laws)
        z = (np.nansum(square) - sum(law.mean() for law in laws)) / np.sqrt(sum(law.var() for law in laws))
        assert row["z"] == pytest.approx(z, rel=1e-9)
        assert row["p_value"] == pytest.approx(stats.norm.sf(z), rel=1e-8)
        exceed = np.sum(np.array(reference) >= row["u"])
        assert row["p_placebo"] == pytest.approx((1 + exceed) / (1 + len(reference)))
    assert np.mean(reference) == pytest.approx(1, abs=1e-3)


def test_induced_variance(res):
    row = res.risk.induced_variance(0, 0).iloc[0]
    scar, n_obs = res.car(0, 0)["t"], res.fit.n_obs
    r = res.estimation_summary.mean_correlation
    expected = np.mean((n_obs - 2) / (n_obs - 4)) * (1 - r)
    assert row["ratio"] == pytest.approx(scar.var() / expected)
    assert row["p_value"] == pytest.approx(stats.chi2.sf(5 * scar.var() / expected, 5), rel=1e-9)
    m = n_obs[:, None]
    z = res.fit.residuals(np.arange(6)) / np.sqrt(res.fit.sigma2[:, None] * (m - 2) / m)
    spread = np.nanvar(z, axis=0, ddof=1)
    assert row["p_placebo"] == pytest.approx((1 + np.sum(spread >= row["variance"])) / (1 + len(spread)))


@pytest.mark.parametrize(
    "model",
    [es.EWMAMarketModel("MKT", halflife=20), es.RobustMarketModel("MKT", scale="robust"), es.SyntheticControl(["MKT"])],
    ids=lambda model: model.name,
)
def test_placebos_of_variance_scale_residuals_to_a_mean_square_of_one(
    synthetic, study_of, events_at, model, monkeypatch
):
    """Whatever else the model's residual variance is; in chunks, of models whose K differs between events too."""
    monkeypatch.setattr(variance, "CHUNK", 4)
    frame = synthetic(6, 260, seed=81)
    res = study_of(frame, events_at(frame, {f"S{i:02d}": 170 + 3 * i for i in range(6)}), model)
    e = res.fit.residuals(np.arange(6))
    z = e / np.sqrt(np.nanmean(e**2, axis=1, keepdims=True))
    table = res.risk.beaver_u()
    exceed = np.sum(np.nanmean(z**2, axis=0) >= table.loc[0, "u"])
    assert table.loc[0, "p_placebo"] == pytest.approx((1 + exceed) / 121)
    row = res.risk.induced_variance(0, 0).iloc[0]
    exceed = np.sum(np.nanvar(z, axis=0, ddof=1) >= row["variance"])
    assert row["p_placebo"] == pytest.approx((1 + exceed) / 121)


def test_induced_variance_of_many_independent_events_is_one_without_an_event(synthetic, study_of):
    frame = synthetic(120, 260, seed=3)
    rng = np.random.default_rng(0)
    dates = frame.index[rng.integers(150, 250, 120)]
    events = es.Events.from_frame(pd.DataFrame({"ticker": frame.columns[1:], "date": dates}))
    row = study_of(frame, events).risk.induced_variance(0, 2).iloc[0]
    assert row["ratio"] == pytest.approx(1, abs=3 * np.sqrt(2 / 119))
    assert row["p_placebo"] > 0.01


# -- GARCH ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nvda(sample_panel, quiet):
    events = es.Events.at("2025-01-27", ["NVDA", "SMH"])
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-260, -21), (-5, 5)))


def test_garch_of_a_study_is_archs_filter(nvda):
    from arch import arch_model

    row = nvda.risk.garch(0, 0, draws=499).set_index("ticker").loc["NVDA"]
    panel, fit = nvda.study.returns, nvda.fit
    market, stock = panel.values[panel.row("SPY")], panel.values[panel.row("NVDA")]
    left = stock - fit.coef[0, 0] - fit.coef[0, 1] * market
    at = int(fit.index.position[0])
    before = left[at - 260 : at]  # the sessions between the windows too
    theirs = arch_model(before * 100, mean="Zero", vol="GARCH", rescale=False).fit(disp="off", tol=1e-12)
    h = theirs.forecast(horizon=1, reindex=False).variance.to_numpy()[0, 0] / 1e4
    assert row["variance_ratio"] == pytest.approx(left[at] ** 2 / h, rel=1e-3)
    assert row["p_value"] == pytest.approx(stats.chi2.sf(row["variance_ratio"], 1), rel=1e-9)
    assert row["persistence"] == pytest.approx(theirs.params["alpha[1]"] + theirs.params["beta[1]"], abs=1e-3)
    assert row["p_lr"] == pytest.approx(stats.chi2.sf(row["lr"], 1), rel=1e-9)
    assert row["p_simulated"] < 0.01
    assert row["delta"] > 0
    assert row["converged"]


def test_garch_draws_are_the_events_own(nvda):
    whole = nvda.risk.garch(0, 1, seed=7)
    pd.testing.assert_frame_equal(whole, nvda.risk.garch(0, 1, seed=7))
    none = nvda.risk.garch(0, 1, draws=0)
    assert np.isnan(none["p_simulated"]).all()
    np.testing.assert_array_equal(none["lr"], whole["lr"])


def test_events_without_a_fit_are_named(frame, study_of, events_at):
    short = study_of(
        frame, events_at(frame, dict.fromkeys(["S00", "S01"], 90)), estimation_window=(-80, -6), min_obs=50
    )
    with pytest.warns(es.DroppedEventsWarning, match=r"2 of 2 security-events have no GARCH fit\. First: S00"):
        table = short.risk.garch(0, 0)
    assert not table["converged"].any()
    assert table["reason"].str.contains("residuals make no GARCH fit").all()
    assert np.isnan(table["variance_ratio"]).all()
    with pytest.raises(es.ConvergenceError, match="S00, event session") as caught:
        short.risk.garch(0, 0, on_error="raise")
    assert caught.value.context["ticker"] == "S00"
    for options, match in (({"on_error": "stop"}, "on_error"), ({"distribution": "skewed"}, "distribution")):
        with pytest.raises(es.InputError, match=match):
            short.risk.garch(0, 0, **options)


# -- betas and correlations ----------------------------------------------------------------------------------------


def test_beta_shift_of_a_study(res, frame):
    table = res.risk.beta_shift(after=(1, 40), cov="nonrobust")
    for row in table.itertuples():
        rows = np.r_[POSITION - 130 : POSITION - 10, POSITION + 1 : POSITION + 41]
        data = frame[[row.ticker, "MKT"]].iloc[rows].assign(late=np.arange(160) >= 120).dropna()
        x = sm.add_constant(data["MKT"].to_numpy())
        late = data["late"].to_numpy(float)[:, None]
        full = sm.OLS(data[row.ticker].to_numpy(), np.hstack([x, x * late])).fit()
        assert row.coefficient == "beta"
        assert (row.before, row.shift, row.std_error) == pytest.approx(
            (full.params[1], full.params[3], full.bse[3]), rel=1e-8
        )
        assert row.p_value == pytest.approx(full.pvalues[3], rel=1e-7)
        assert row.chow_p == pytest.approx(full.compare_f_test(sm.OLS(data[row.ticker].to_numpy(), x).fit())[1])
        assert (row.n_before, row.n_after) == (len(data) - late.sum(), late.sum())


def test_beta_shift_lags_are_sessions(res, frame):
    """Newey and West over both windows side by side, with the ten sessions between them in their place."""
    found = res.risk.beta_shift(before=(-60, -1), after=(0, 40), lags=4).set_index("ticker").loc["S04"]
    data = frame[["S04", "MKT"]].iloc[POSITION - 60 : POSITION + 41]
    x = sm.add_constant(data["MKT"].to_numpy())
    late = (np.arange(101) >= 60).astype(float)[:, None]
    how = {"cov_type": "HAC", "cov_kwds": {"maxlags": 4, "use_correction": True}, "use_t": True}
    full = sm.OLS(data["S04"].to_numpy(), np.hstack([x, x * late])).fit(**how)
    assert (found["std_error"], found["p_value"]) == pytest.approx((full.bse[3], full.pvalues[3]), rel=1e-7)


def test_betas_of_several_factors(sample_panel, quiet):
    events = es.Events.at("2024-11-20", ["NVDA", "MSFT"])
    study = es.EventStudy(sample_panel, events, es.FactorModel(["SPY", "SMH"]), (-200, -11), (-5, 5))
    table = quiet(study).risk.beta_shift(after=(1, 60))
    assert table["ticker"].tolist() == ["NVDA", "NVDA", "MSFT", "MSFT"]
    assert table["coefficient"].tolist() == ["beta_SPY", "beta_SMH"] * 2
    assert table["chow_df_num"].eq(3).all()
    short = quiet(study).risk.beta_shift(after=(1, 2))
    assert short["reason"].eq("190 and 2 usable sessions do not identify 3 coefficients").all()
    assert short["chow_p"].notna().all()


def test_models_without_slopes_have_no_shift(frame, study_of, events_at):
    for model in (es.MeanAdjusted(), es.MarketAdjusted("MKT")):
        with pytest.raises(es.InputError, match="is not a least-squares regression"):
            study_of(frame, events_at(frame, {"S00": POSITION}), model).risk.beta_shift()


def test_correlations_of_a_study_are_those_of_its_residuals(res, frame, oracle):
    found = res.risk.correlation(after=(0, 40), draws=0)
    left = pd.DataFrame(
        {f"S{i:02d}": frame[f"S{i:02d}"] - f.params[0] - f.params[1] * frame["MKT"] for i, f in enumerate(oracle)}
    )
    expected = left.iloc[POSITION - 130 : POSITION - 10].dropna().corr()
    np.testing.assert_allclose(found.before, expected, atol=1e-9)
    np.testing.assert_allclose(found.after, left.iloc[POSITION : POSITION + 41].dropna().corr(), atol=1e-9)
    assert found.returns_after.index[0] == frame.index[POSITION]
    raw = res.risk.correlation(after=(0, 40), abnormal=False, draws=0)
    stocks = frame.drop(columns="MKT")
    np.testing.assert_allclose(raw.after, stocks.iloc[POSITION : POSITION + 41].dropna().corr(), atol=1e-12)


def test_correlations_are_of_one_date(frame, study_of, events_at):
    several = study_of(frame, events_at(frame, {"S00": 170, "S01": 170, "S02": 180, "S03": 190}))
    with pytest.raises(es.InputError, match="lie on 3 sessions"):
        several.risk.correlation()
    chosen = several.risk.correlation(session=frame.index[170], draws=0)
    assert list(chosen.before.columns) == ["S00", "S01"]
    with pytest.raises(es.InputError, match=r"Correlations need two events on one session; .* is that of 1"):
        several.risk.correlation(session=frame.index[180])
    with pytest.raises(es.InputError, match="is not a session of the returns"):
        several.risk.correlation(session="2021-01-03")


def test_contagion_of_a_study(res):
    table = res.risk.contagion("S00", after=(0, 40))
    change = res.risk.correlation(after=(0, 40), draws=0)
    ratio = change.returns_after["S00"].var() / change.returns_before["S00"].var()
    for row in table.itertuples():
        assert row.before == pytest.approx(change.before.loc["S00", row.ticker])
        assert row.adjusted == pytest.approx(risk.forbes_rigobon(change.after.loc["S00", row.ticker], ratio))
        assert row.ci_lower < row.adjusted < row.ci_upper
    assert len(table) == 5
    with pytest.raises(es.InputError, match="'MKT'"):
        res.risk.contagion("MKT")


# -- losses --------------------------------------------------------------------------------------------------------


def test_losses_of_a_study(res):
    table = res.risk.losses(-2, 3, confidence=0.9)
    for at, row in enumerate(table.itertuples()):
        residuals = np.sort(res.fit.residuals(np.array([at]))[0])
        m = int(res.fit.n_obs[at])
        assert row.var == pytest.approx(-residuals[int(np.ceil(0.1 * m - 1e-9)) - 1])
        ar = res.abnormal_returns.iloc[at].loc[-2:3]
        assert row.worst == pytest.approx(ar.min())
        assert row.worst_tau == ar.idxmin()
        assert row.breaches == (ar < -row.var).sum()
        assert row.p_value == pytest.approx(stats.binom.sf(row.breaches - 1, ar.count(), 0.1), rel=1e-9)
        assert row.es >= row.var


def test_a_window_without_a_return_has_no_worst_session(res):
    row = res.risk.losses(1, 1).set_index("ticker").loc["S03"]
    assert row["n"] == 0
    assert row["worst_tau"] is pd.NA
    assert pd.isna(row[["worst", "p_value"]]).all()


def test_drawdowns_of_a_study(res, frame):
    table = res.risk.drawdown((0, 20)).set_index("ticker")
    wealth = np.concatenate([[1], (1 + frame["S01"].iloc[POSITION : POSITION + 21]).cumprod()])
    fall = wealth / np.maximum.accumulate(wealth) - 1
    assert table.loc["S01", "drawdown"] == pytest.approx(fall.min())
    assert table.loc["S01", "trough"] == fall.argmin() - 1
    assert table.loc["S01", "peak"] == wealth[: fall.argmin() + 1].argmax() - 1
    assert table["n"].tolist() == [21, 21, 21, 20, 21, 21]
    assert (res.risk.drawdown((0, 5), abnormal=True)["drawdown"] <= 0).all()


# -- volume --------------------------------------------------------------------------------------------------------


def test_log_turnover_by_hand():
    """100·1000/100000 = 1 per cent: ln(1.000255); nothing traded: ln(0.000255)."""
    volume = pd.DataFrame({"A": [1_000.0, 0.0, np.nan]}, index=pd.bdate_range("2025-01-01", periods=3))
    assert risk.log_volume(volume, {"A": 1e5})["A"].tolist()[:2] == pytest.approx([0.0002549675, -8.2742460], rel=1e-6)
    assert risk.log_volume(volume)["A"].tolist()[0] == pytest.approx(6.907755279)
    assert risk.log_volume(volume)["A"].isna().tolist() == [False, True, True]
    dated = pd.DataFrame({"A": [1e5, 2e5]}, index=pd.to_datetime(["2024-12-01", "2025-01-02"]))
    assert risk.log_volume(volume, dated, constant=1.0)["A"].tolist()[:2] == pytest.approx([np.log(2), 0.0])


@pytest.mark.parametrize(
    ("change", "options", "match"),
    [
        (lambda v: -v, {}, "A: the volume of 2025-01-01 is -1000"),
        (lambda v: v, {"shares": {"B": 1e6}}, "No shares outstanding of A"),
        (lambda v: v, {"shares": {"A": -1.0}}, "A: no positive number of shares outstanding on 2025-01-01"),
        (lambda v: v, {"shares": {"A": 1e6}, "constant": 0.0}, "constant"),
    ],
)
def test_volume_that_cannot_be(change, options, match):
    volume = pd.DataFrame({"A": [1_000.0, 10.0]}, index=pd.bdate_range("2025-01-01", periods=2))
    with pytest.raises(es.InputError, match=match):
        risk.log_volume(change(volume), **options)


@pytest.fixture(scope="module")
def traded(full_bars):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return {
            market: risk.abnormal_volume(
                full_bars,
                es.Events.at("2025-01-27", BARS),
                market=market,
                estimation_window=(-260, -11),
                event_window=(-5, 5),
            )
            for market in (None, "SPY")
        }


@pytest.mark.parametrize("market", [None, "SPY"])
def test_abnormal_volume_is_a_forecast_error_of_statsmodels(traded, full_bars, market):
    logs = np.log(full_bars.field("volume"))
    at = logs.index.get_loc(pd.Timestamp("2025-01-27"))
    table = traded[market].car(0, 1).set_index("ticker")
    ratio = traded[market].ratio(0, 1).set_index("ticker")
    for name in BARS:
        x = np.ones((len(logs), 1)) if market is None else sm.add_constant(logs["SPY"].to_numpy())
        y, est, new = logs[name].to_numpy(), slice(at - 260, at - 10), slice(at, at + 2)
        fit = sm.OLS(y[est], x[est]).fit()
        car = (y[new] - fit.predict(x[new])).sum()
        total = x[new].sum(0)
        error = np.sqrt(fit.mse_resid * 2 + total @ fit.cov_params() @ total)
        assert (table.loc[name, "car"], table.loc[name, "std_error"]) == pytest.approx((car, error), rel=1e-8)
        assert ratio.loc[name, "ratio"] == pytest.approx(np.exp(car / 2), rel=1e-8)
        assert ratio.loc[name, "p_value"] == pytest.approx(2 * stats.t.sf(abs(car / error), fit.df_resid), rel=1e-6)


def test_results_of_volume_are_results(traded, tmp_path):
    found = traded["SPY"]
    assert found.ratio(0, 0).set_index("ticker").loc["ORCL", "ratio"] > 3
    tests = found.tests(0, 0)
    assert "bmp_t_adj" in tests.index
    assert "bhar_skew_boot" not in tests.index
    with pytest.raises(es.InputError, match="not bought and held"):
        found.bhar(0, 0)
    assert isinstance(found.select(ticker="NVDA"), risk.VolumeResults)
    (tmp_path / "bhar.csv").write_text("of an earlier study")
    found.to_csv(tmp_path)
    assert (tmp_path / "car.csv").is_file()
    assert not (tmp_path / "bhar.csv").exists()
    assert "bhar" not in found.frames()
    assert "log volume" in found.manifest["data"]["source"]


def test_turnover_with_constant_shares_is_volume(full_bars, traded):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        turnover = risk.abnormal_volume(
            full_bars,
            es.Events.at("2025-01-27", BARS),
            shares=dict.fromkeys(full_bars.columns, 1e9),
            estimation_window=(-260, -11),
            event_window=(-5, 5),
        )
    np.testing.assert_allclose(turnover.car(0, 0)["car"], traded[None].car(0, 0)["car"], atol=2e-3)


def test_volume_of_the_wrong_kind(full_bars):
    events = es.Events.at("2025-01-27", BARS)
    with pytest.raises(es.InputError, match="'QQQ', of which there is no volume"):
        risk.abnormal_volume(full_bars, events, market=["SPY", "QQQ"])
    with pytest.raises(es.InputError, match="market= is empty"):
        risk.abnormal_volume(full_bars, events, market=[])
    with pytest.raises(es.InputError, match="must be Prices"):
        risk.abnormal_volume(sample.directory(), events)
