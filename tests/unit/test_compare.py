"""Comparison of models: numbers of the single studies, like with like; diagnostics against statsmodels."""

from __future__ import annotations

import itertools
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

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


STOCKS = ["META", "AMZN", "AAPL", "ORCL", "TSM", "MU", "CRM", "ADBE", "VST", "CEG"]
EVERY_KIND = {
    "mean": es.MeanAdjusted(),
    "adjusted": es.MarketAdjusted("SPY"),
    "market": es.MarketModel("SPY"),
    "factors": es.FactorModel(["SPY", "SMH"]),
    "scholes-williams": es.ScholesWilliams("SPY"),
    "dimson": es.Dimson("SPY"),
    "huber": es.RobustMarketModel("SPY"),
    "theil-sen": es.RobustMarketModel("SPY", "theil-sen"),
    "rolling": es.RollingMarketModel("SPY", span=126),
    "ewma": es.EWMAMarketModel("SPY", halflife=60),
    "garch": es.GARCHMarketModel("SPY"),
    "gjr-t": es.GARCHMarketModel("SPY", "gjr", "t"),
    "peers": es.PeerPortfolio(STOCKS),
    "synthetic": es.SyntheticControl(exclude=["SPY", "SMH"]),
    "latent": es.LatentFactors(2, exclude=["SPY", "SMH"]),
}


@pytest.fixture(scope="module")
def every_kind(sample_panel, events) -> es.Comparison:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return es.compare(sample_panel, events, EVERY_KIND, windows=[(0, 0), (0, 1), (-1, 5)], **WINDOWS)


def test_every_kind_of_model_side_by_side(every_kind, sample_panel, events, quiet) -> None:
    assert list(every_kind.results) == list(EVERY_KIND)
    assert every_kind.failed == {}
    assert every_kind.dropped.empty
    wide = every_kind.side_by_side(0, 1)
    assert wide.columns.tolist() == list(EVERY_KIND)
    assert wide.index.get_level_values("ticker").tolist() == NAMES
    for name in ("huber", "garch", "peers", "synthetic", "latent", "ewma"):
        alone = quiet(es.EventStudy(sample_panel, events, EVERY_KIND[name], **WINDOWS))
        assert wide[name].tolist() == alone.car(0, 1)["car"].tolist()
        tests = every_kind.p_values(0, 1)[name]
        pd.testing.assert_series_equal(tests, alone.tests(0, 1)["p_value"], check_names=False)
    assert every_kind.side_by_side(0, 1, value="p_value").notna().all(axis=None)
    with pytest.raises(es.InputError, match="value='beta' is no column"):
        every_kind.side_by_side(0, 1, value="beta")


def test_models_by_window(every_kind) -> None:
    table = every_kind.by_window()
    assert table["window"].unique().tolist() == ["[0, 0]", "[0, +1]", "[-1, +5]"]
    assert len(table) == 3 * len(EVERY_KIND)
    for window, part in table.groupby("window"):
        expected = every_kind.caar(*map(int, window.strip("[]").split(",")))
        assert part["caar"].tolist() == expected["caar"].tolist()
        assert part["test_p"].tolist() == expected["test_p"].tolist()
    assert set(every_kind.by_window((2, 3))["window"]) == {"[+2, +3]"}
    assert "Mean CAR over [-1, +5]" in str(every_kind.summary())


def test_diagnostics_of_every_kind(every_kind) -> None:
    table = every_kind.diagnostics()
    assert len(table) == len(EVERY_KIND) * len(NAMES)
    for column in ("durbin_watson", "ljung_box_p", "arch_lm_p", "jarque_bera_p", "chow_p", "outliers"):
        assert table[column].notna().all()
    nothing_fitted = table["model"].isin(["adjusted", "peers"])
    assert (table["r2"].isna() == nothing_fitted).all()


def test_time_of_every_model(every_kind) -> None:
    table = every_kind.timing()
    assert table.index.tolist() == list(EVERY_KIND)
    assert (table["seconds"] > 0).all()
    assert (table["events"] == len(NAMES)).all()
    np.testing.assert_allclose(table["ms_per_event"], 250 * table["seconds"], rtol=1e-12)


def test_the_figure_of_windows(every_kind) -> None:
    figure = every_kind.plot_windows()
    assert [axes.get_title() for axes in figure.axes] == ["[0,\xa00]", "[0,\xa0+1]", "[−1,\xa0+5]"]
    for axes, window in zip(figure.axes, [(0, 0), (0, 1), (-1, 5)], strict=True):
        dots = next(part for part in axes.collections if part.get_gid() == "caar").get_offsets()
        assert np.asarray(dots)[:, 0] == pytest.approx(every_kind.caar(*window)["caar"].tolist())
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(EVERY_KIND)
    assert every_kind.plot().get_xlabel().endswith("[0,\xa00] (%)")


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


class Stubborn(es.MeanAdjusted):
    """A model of the user's own that some data break."""

    __slots__ = ()

    def fit(self, panel, index, min_obs):
        raise np.linalg.LinAlgError("Singular matrix")


class Mistaken(es.MeanAdjusted):
    """A model with a mistake in its code."""

    __slots__ = ()

    def fit(self, panel, index, min_obs):
        return panel.no_such_thing


def test_one_model_does_not_lose_the_others(sample_panel, events) -> None:
    models = {
        "market": es.MarketModel("SPY"),
        "unknown": es.MarketModel("QQQ"),
        "stubborn": Stubborn(),
        "named": es.SyntheticControl(["NVDA", "MSFT"]),
        "mean": es.MeanAdjusted(),
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = es.compare(sample_panel, events, models, **WINDOWS)
    assert list(found.results) == ["market", "mean"]
    assert "QQQ" in found.failed["unknown"]
    assert found.failed["stubborn"] == "LinAlgError: Singular matrix"
    assert "is named as a donor" in found.failed["named"]
    said = [str(item.message) for item in caught]
    assert sum("is left out" in text for text in said) == 3
    assert "Left out: stubborn" in str(found.summary())
    assert found.timing().index.tolist() == list(models)
    with pytest.raises(AttributeError):
        es.compare(sample_panel, events, [es.MarketModel("SPY"), Mistaken()], **WINDOWS)


def test_a_wrong_option_is_no_fault_of_the_models(sample_panel, events) -> None:
    with pytest.raises(es.InputError, match="confidence"):
        es.compare(sample_panel, events, MODELS, confidence=2, **WINDOWS)
    with pytest.raises(es.WindowError, match="not inside the event window"):
        es.compare(sample_panel, events, MODELS, windows=[(0, 9)], **WINDOWS)
    with pytest.raises(TypeError):
        es.compare(sample_panel, events, MODELS, windoww=(0, 1))


def test_events_that_one_model_cannot_use_are_named(sample_panel) -> None:
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York")
    models = {"market": es.MarketModel("SPY"), "peers": es.PeerPortfolio({"MSFT": ["ORCL", "CRM"]})}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = es.compare(sample_panel, events, models, **WINDOWS)
    (left,) = [str(item.message) for item in caught if "others cannot" in str(item.message)]
    assert left.startswith("1 security-events that some models can use are left out")
    assert "NVDA under 'peers': NVDA, event session 2025-01-29: no peers of NVDA are named" in left
    assert found.dropped[["model", "ticker"]].to_numpy().tolist() == [["peers", "NVDA"]]
    assert "NVDA cannot be used under peers" in str(found.summary())
    assert found.side_by_side(0, 0).shape == (1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        apart = es.compare(sample_panel, events, models, common=False, **WINDOWS)
    wide = apart.side_by_side(0, 0)
    assert wide.isna().to_numpy().tolist() == [[False, False], [False, True]]


def test_work_is_handed_to_an_executor(sample_panel, events) -> None:
    models = {name: EVERY_KIND[name] for name in ("theil-sen", "garch", "peers", "synthetic", "latent")}
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("ignore", es.EventStudyWarning)
        whole = es.compare(sample_panel, events, models, **WINDOWS)
        parts = es.compare(sample_panel, events, models, fit={"executor": pool, "chunk_size": 1}, **WINDOWS)
    pd.testing.assert_frame_equal(parts.by_window(), whole.by_window())
    pd.testing.assert_frame_equal(parts.side_by_side(0, 1), whole.side_by_side(0, 1))


def test_processes_change_no_number(sample_panel, events) -> None:
    models = {name: EVERY_KIND[name] for name in ("garch", "synthetic", "latent")}
    with warnings.catch_warnings(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        warnings.simplefilter("ignore", es.EventStudyWarning)
        whole = es.compare(sample_panel, events, models, **WINDOWS)
        parts = es.compare(sample_panel, events, models, fit={"executor": pool, "chunk_size": 2}, **WINDOWS)
    pd.testing.assert_frame_equal(parts.by_window(), whole.by_window())


def test_a_bar_shows_how_far_a_fit_is(sample_panel, events, quiet, capsys) -> None:
    study = es.EventStudy(sample_panel, events, es.GARCHMarketModel("SPY"), **WINDOWS)
    with pytest.warns(es.ClusteredEventsWarning):
        study.fit(progress=True, chunk_size=1)
    assert "fit garch: 100%" in capsys.readouterr().err
    quiet(study)
    assert not capsys.readouterr().err


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


def test_common_is_yes_or_no(sample_panel, events) -> None:
    with pytest.raises(es.InputError, match="common='events'"):
        es.compare(sample_panel, events, [es.MarketModel("SPY")], common="events", **WINDOWS)  # type: ignore[arg-type]


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


def test_the_figure_makes_room_for_long_names(sample_panel, events, quiet) -> None:
    """Models of one kind are told apart by all that makes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        models = [es.Dimson("SPY"), es.Dimson("SMH"), es.EWMAMarketModel("SPY")]
        axes = es.compare(sample_panel, events, models, **WINDOWS).plot(0, 1)
    figure = axes.figure
    figure.canvas.draw()
    labels = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert min(box.x0 for box in labels) >= 0
    assert axes.get_window_extent().width > 0.4 * figure.bbox.width
    assert all(high.y0 > low.y1 for high, low in itertools.pairwise(labels))


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


def test_chow_is_that_of_the_models_own_regression(every_kind, sample_panel, synthetic, study_of, events_at) -> None:
    """Excess returns where there is a riskless rate; returns on the synthetic control where donors differ."""
    frame = synthetic(1, 400, seed=13).assign(RF=0.0001 + 0.00005 * np.sin(np.arange(400) / 40))
    res = study_of(frame, events_at(frame, {"S00": 330}), es.FactorModel.capm("MKT"))
    span = frame.iloc[200:320]
    cases = [(res.diagnostics().iloc[0], (span["S00"] - span["RF"]).to_numpy(), (span["MKT"] - span["RF"]).to_numpy())]
    own = every_kind["synthetic"]
    table = sample_panel.to_frame()
    at = table.index.get_loc(pd.Timestamp("2025-01-29"))
    y = table["NVDA"].iloc[at - 200 : at - 10].to_numpy()
    place = own.events["ticker"].tolist().index("NVDA")
    cases.append((own.diagnostics().iloc[place], y, y - own.fit.residuals(np.array([place]))[0]))
    for row, left, right in cases:
        x, late = sm.add_constant(right), (np.arange(len(left)) >= len(left) // 2)[:, None]
        f, p, _ = sm.OLS(left, np.hstack([x, x * late])).fit().compare_f_test(sm.OLS(left, x).fit())
        assert [row["chow"], row["chow_p"]] == pytest.approx([f, p], rel=1e-6)


def test_diagnostics_of_a_rolling_model_are_those_of_its_span(synthetic, study_of, events_at) -> None:
    frame = synthetic(3, 400, seed=14, missing=0.05)
    events = events_at(frame, {f"S{i:02d}": 330 + i for i in range(3)})
    rolling = study_of(frame, events, es.RollingMarketModel("MKT", 60), min_obs=40)
    shorter = study_of(frame, events, es.MarketModel("MKT"), estimation_window=(-70, -11), min_obs=40)
    pd.testing.assert_frame_equal(rolling.diagnostics(), shorter.diagnostics(), rtol=1e-7)


def test_residuals_of_garch_are_taken_in_units_of_their_variance(sample_panel, quiet) -> None:
    from arch import arch_model

    events = es.Events.at("2025-01-29", ["PLTR"])
    res = quiet(es.EventStudy(sample_panel, events, es.GARCHMarketModel("SPY"), **WINDOWS))
    frame = sample_panel.to_frame()
    at = frame.index.get_loc(pd.Timestamp("2025-01-29"))
    rows = 100 * frame[["PLTR", "SPY"]].iloc[at - 200 : at - 10]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = arch_model(rows["PLTR"].to_numpy(), x=rows[["SPY"]].to_numpy(), mean="LS", rescale=False).fit(
            disp="off", options={"maxiter": 1000}
        )
        z = np.asarray(fit.std_resid)
        arch = het_arch(z, nlags=5)[:2]
    row = res.diagnostics().iloc[0]
    assert [row["arch_lm"], row["arch_lm_p"]] == pytest.approx(arch, rel=1e-6)
    assert [row["jarque_bera"], row["jarque_bera_p"]] == pytest.approx(jarque_bera(z)[:2], rel=1e-6)


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
    with pytest.raises(es.InputError, match=r"One security-event has a CAR over .* two or more make a distribution"):
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
