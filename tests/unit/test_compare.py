"""Comparison of models: numbers of the single studies, like with like; diagnostics against statsmodels."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch
from statsmodels.stats.stattools import durbin_watson, jarque_bera

import eventstudy as es

NAMES = ["MSFT", "NVDA", "AMD", "GOOGL"]
WINDOWS = {"estimation_window": (-200, -11), "event_window": (-5, 5)}
MODELS = [es.MeanAdjusted(), es.MarketModel("SPY"), es.FactorModel(["SPY", "SMH"])]


@pytest.fixture(scope="module")
def events() -> es.Events:
    return es.Events.at("2025-01-29 04:46", NAMES, tz="America/New_York")


@pytest.fixture(scope="module")
def found(sample_panel, events) -> es.Comparison:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return es.compare(sample_panel, events, MODELS, **WINDOWS)


@pytest.fixture(scope="module")
def single(sample_panel, events, quiet) -> es.EventStudyResults:
    return quiet(es.EventStudy(sample_panel, events, MODELS[1], **WINDOWS))


def test_the_numbers_are_those_of_each_study(found, single) -> None:
    car = found.car(0, 1).query("model == 'market'")
    assert car["car"].tolist() == single.car(0, 1)["car"].tolist()
    caar = found.caar(0, 1).loc["market"]
    assert caar["caar"] == single.caar(0, 1)["caar"].iloc[0]
    assert caar["test_p"] == single.recommended(0, 1).result.p_value
    p_values = found.p_values(0, 1)["market"]
    pd.testing.assert_series_equal(p_values, single.tests(0, 1)["p_value"], check_names=False)
    assert set(found.tests(0, 1)["model"]) == {"mean", "market", "factors"}


def test_the_mean_model_agrees_with_pandas(found, sample_panel) -> None:
    frame = sample_panel.to_frame()
    at = frame.index.get_loc(pd.Timestamp("2025-01-29"))
    for name in NAMES:
        usual = frame[name].iloc[at - 200 : at - 10].mean()
        expected = frame[name].iloc[at] - usual
        got = found.car(0, 0).query("model == 'mean' and ticker == @name")["car"].item()
        assert got == pytest.approx(expected, rel=1e-12)


def test_events_are_compared_that_every_model_can_use(synthetic) -> None:
    frame = synthetic(3, 400, seed=3)
    frame["LATE"] = np.where(np.arange(400) < 250, np.nan, 0.01 * np.sin(np.arange(400)))
    panel = es.ReturnPanel.from_frame(frame)
    tickers = [name for name in frame.columns if name.startswith("S")]
    dates = [frame.index[at] for at in (200, 390, 395)]
    events = es.Events.from_frame(pd.DataFrame({"ticker": tickers[:3], "date": dates}))
    models = {"plain": es.MarketModel("MKT"), "two": es.FactorModel(["MKT", "LATE"])}
    options = {"estimation_window": (-130, -11), "event_window": (-5, 4), "min_obs": 60}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        common = es.compare(panel, events, models, **options)
        apart = es.compare(panel, events, models, common=False, **options)
    assert common.caar(0, 0)["n"].tolist() == [2, 2]
    assert apart.caar(0, 0)["n"].tolist() == [3, 2]
    assert common["plain"].events["event_id"].tolist() == common["two"].events["event_id"].tolist()


def test_a_model_that_cannot_be_fitted_is_left_out_and_said_to_be(synthetic) -> None:
    frame = synthetic(2, 300, seed=4).assign(EMPTY=0.0)
    events = es.Events.from_frame(pd.DataFrame({"ticker": ["S00"], "date": [frame.index[250]]}))
    panel = es.ReturnPanel.from_frame(frame)
    options = {"estimation_window": (-130, -11), "event_window": (-5, 4), "min_obs": 60}
    models = [es.MeanAdjusted(), es.MarketModel("EMPTY")]
    with pytest.warns(es.EventStudyWarning, match="'market' is left out: .*do not vary"):
        found = es.compare(panel, events, models, **options)
    assert list(found.results) == ["mean"]
    assert "market" in str(found.summary())
    with pytest.raises(es.InsufficientDataError, match="No model can be fitted"):
        es.compare(panel, events, models[1:], **options)


def test_one_warning_for_all_models(sample_panel, events) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        es.compare(sample_panel, events, MODELS, **WINDOWS)
    assert [item.category for item in caught] == [es.ClusteredEventsWarning]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([], "empty"),
        ("market", "are no models"),
        ([es.MarketModel], "Give an instance"),
        ([es.MarketModel("SPY"), es.MarketModel("SPY")], "named twice"),
        (None, "are no models"),
    ],
)
def test_models_that_are_none(sample_panel, events, models, words) -> None:
    with pytest.raises(es.InputError, match=words):
        es.compare(sample_panel, events, models, **WINDOWS)


def test_models_of_one_kind_are_told_apart(sample_panel, events) -> None:
    with pytest.warns(es.ClusteredEventsWarning):
        found = es.compare(sample_panel, events, [es.MarketModel("SPY"), es.MarketModel("SMH")], **WINDOWS)
    assert list(found.results) == ["MarketModel(benchmark='SPY')", "MarketModel(benchmark='SMH')"]
    with pytest.raises(es.InputError, match="There is no model 'market'"):
        found["market"]


def test_files_and_words(found, tmp_path) -> None:
    out = found.to_csv(tmp_path / "new", windows=[(0, 1)])
    car = pd.read_csv(out / "car.csv")
    assert car["car"].tolist() == pytest.approx(found.car(0, 1)["car"].tolist(), rel=1e-14)
    assert pd.read_csv(out / "caar.csv")["model"].tolist() == ["mean", "market", "factors"]
    assert len(pd.read_csv(out / "diagnostics.csv")) == 12
    assert "Mean CAR over [0, +1]" in str(found.summary(0, 1))
    assert "<table>" in found._repr_html_()
    assert repr(found) == "Comparison(mean, market, factors; 4 security-events)"
    (tmp_path / "file").write_text("")
    with pytest.raises(es.DataSourceError, match="Cannot write"):
        found.to_csv(tmp_path / "file" / "x")


def test_the_figure_holds_the_means_and_their_intervals(found) -> None:
    axes = found.plot(0, 1)
    table = found.caar(0, 1)
    dots = next(part for part in axes.collections if part.get_gid() == "caar").get_offsets()
    assert np.asarray(dots)[:, 0] == pytest.approx(table["caar"].tolist())
    bars = next(part for part in axes.collections if part.get_gid() == "interval").get_segments()
    assert [bar[0][0] for bar in bars] == pytest.approx(table["ci_lower"].tolist())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mean", "market", "factors"]


# -- diagnostics -------------------------------------------------------------------------------------------------


def test_diagnostics_agree_with_statsmodels(sample_panel, single) -> None:
    table = single.diagnostics(lags=4)
    frame = sample_panel.to_frame()
    at = frame.index.get_loc(pd.Timestamp("2025-01-29"))
    span = slice(at - 200, at - 10)
    for row in table.itertuples():
        y = frame[row.ticker].iloc[span].to_numpy()
        x = sm.add_constant(frame["SPY"].iloc[span].to_numpy())
        e = sm.OLS(y, x).fit().resid
        box = acorr_ljungbox(e, lags=[4]).iloc[0]
        assert [row.ljung_box, row.ljung_box_p] == pytest.approx(box.tolist(), rel=1e-8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what it will return one day
            arch = het_arch(e, nlags=4)[:2]
        assert [row.arch_lm, row.arch_lm_p] == pytest.approx(arch, rel=1e-7)
        assert [row.jarque_bera, row.jarque_bera_p] == pytest.approx(jarque_bera(e)[:2], rel=1e-8)
        assert row.durbin_watson == pytest.approx(durbin_watson(e), rel=1e-8)
        late = (np.arange(190) >= 95)[:, None]
        both = sm.OLS(y, np.hstack([x, x * late])).fit()
        f, p, _ = both.compare_f_test(sm.OLS(y, x).fit())
        assert [row.chow, row.chow_p] == pytest.approx([f, p], rel=1e-7)


def test_missing_returns_are_left_out(synthetic, study_of, events_at) -> None:
    frame = synthetic(1, 400, seed=11)
    at, gaps = 330, [215, 230, 231, 300]
    frame.loc[frame.index[gaps], "S00"] = np.nan
    row = study_of(frame, events_at(frame, {"S00": at})).diagnostics(lags=2).iloc[0]
    span = frame.iloc[at - 130 : at - 10]
    ok = span["S00"].notna().to_numpy()
    y, x = span["S00"].to_numpy()[ok], sm.add_constant(span["MKT"].to_numpy()[ok])
    e = sm.OLS(y, x).fit().resid
    assert [row["jarque_bera"], row["jarque_bera_p"]] == pytest.approx(jarque_bera(e)[:2], rel=1e-8)
    late = (np.arange(len(y)) >= len(y) // 2)[:, None]
    f, p, _ = sm.OLS(y, np.hstack([x, x * late])).fit().compare_f_test(sm.OLS(y, x).fit())
    assert [row["chow"], row["chow_p"]] == pytest.approx([f, p], rel=1e-7)
    full = np.full(len(span), np.nan)
    full[ok] = e
    pairs = pd.DataFrame({"now": full[2:] ** 2, "one": full[1:-1] ** 2, "two": full[:-2] ** 2}).dropna()
    fit = sm.OLS(pairs["now"], sm.add_constant(pairs[["one", "two"]])).fit()
    assert row["arch_lm"] == pytest.approx(fit.nobs * fit.rsquared, rel=1e-7)


def test_outliers_are_counted_and_dated(synthetic, study_of, events_at) -> None:
    frame = synthetic(1, 400, seed=12)
    frame.loc[frame.index[250], "S00"] += 0.9
    frame.loc[frame.index[251], "S00"] -= 0.5
    row = study_of(frame, events_at(frame, {"S00": 330})).diagnostics().iloc[0]
    assert row["outliers"] >= 2
    assert row["largest_outlier"] == frame.index[250]


@pytest.mark.parametrize("options", [{"lags": 0}, {"lags": 1.5}, {"threshold": 0}, {"threshold": "x"}])
def test_wrong_options_are_named(single, options) -> None:
    with pytest.raises(es.InputError, match=next(iter(options))):
        single.diagnostics(**options)


# -- figures of the model ----------------------------------------------------------------------------------------


def test_the_distribution_shows_every_car(single) -> None:
    axes = single.plot.distribution(0, 1)
    car = single.car(0, 1)["car"]
    assert sum(bar.get_height() for bar in axes.patches if bar.get_height() < 100) == len(car)
    rug = next(line for line in axes.lines if line.get_gid() == "rug")
    assert sorted(rug.get_xdata()) == pytest.approx(sorted(car))
    with pytest.raises(es.InputError, match="make no distribution"):
        single.select(ticker="MSFT").plot.distribution(0, 1)


def test_the_fit_shows_the_residuals_of_one_event(single) -> None:
    figure = single.plot.fit("NVDA")
    scatter = figure.axes[0].collections[0].get_offsets()
    residual = np.asarray(scatter)[:, 1] - np.asarray(scatter)[:, 0]
    assert residual.std() * np.sqrt(190 / 188) == pytest.approx(
        single.parameters.set_index("ticker").loc["NVDA", "sigma"], rel=1e-6
    )
    with pytest.raises(es.InputError, match="No event that counts is 'IBM'"):
        single.plot.fit("IBM")
