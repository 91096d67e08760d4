"""Simulated studies: what is drawn, what is put in, what is counted."""

from __future__ import annotations

import importlib
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli
from eventstudy._studies import Pool, _AlteredFit, altered, fits
from eventstudy.inference import TESTS
from eventstudy.inference.base import TestSpec as Spec
from eventstudy.plots import save
from eventstudy.rejection import binomial_band, clopper_pearson
from eventstudy.simulate import SyntheticPanel, known_tests, simulate

module = importlib.import_module("eventstudy.simulate")  # the package may give the function this name

MODEL = es.MarketModel("MKT")
WINDOWS = {"estimation_window": (-70, -11), "event_window": (-3, 3)}
UNSET = {"min_obs": None, "tests": None, "draws": 999}
SMALL = {"n_events": 6, "n_studies": 12, "seed": 5, "progress": False, **WINDOWS}


@pytest.fixture(scope="module")
def panel(synthetic):
    return es.ReturnPanel.from_frame(synthetic(12, 200, seed=3))


def drawn(panel, **options):
    """Events of each study, by the streams that the seed gives: ``(tickers, positions, stream)``."""
    settings = {"drift": 0.0, "variance": 1.0, "window": (0, 0), "dates": "staggered", **UNSET}
    settings |= {name: value for name, value in (SMALL | options).items() if name not in ("seed", "progress")}
    n_studies = settings.pop("n_studies")
    design = module._checked(settings.pop("model", MODEL), **settings)
    pool = Pool.of(panel, design)
    streams = np.random.default_rng((SMALL | options)["seed"]).spawn(n_studies)
    return [(panel.tickers[row], at, rng) for row, at, rng in ((*pool.draw(rng, design), rng) for rng in streams)]


# -- drawing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", ["staggered", "shared"])
def test_events_are_drawn_without_benchmark_and_with_complete_windows(synthetic, dates):
    frame = synthetic(12, 200, seed=3)
    frame.iloc[100, 2] = np.nan  # S01
    frame.iloc[:80, 5] = np.nan  # S04 is listed late
    gaps = frame.isna().to_numpy()
    studies = drawn(es.ReturnPanel.from_frame(frame), dates=dates, n_studies=200)
    seen = set()
    for tickers, position, _ in studies:
        assert len(set(tickers)) == len(tickers) == 6
        assert "MKT" not in tickers
        assert len(set(position)) == 1 or dates == "staggered"
        for ticker, at in zip(tickers, position, strict=True):
            column = frame.columns.get_loc(ticker)
            assert 70 <= at <= 196
            assert not gaps[at - 70 : at - 10, column].any()
            assert not gaps[at - 3 : at + 4, column].any()
            seen.add((ticker, at))
    assert {ticker for ticker, _ in seen} == {f"S{i:02d}" for i in range(12)}
    between = {("S01", at) for at in range(104, 111)}  # the gap is in neither window
    assert seen & between or dates == "shared"


def test_factors_of_the_panel_are_no_securities(panel):
    """Neither drawn nor part of the pattern."""
    frame = panel.to_frame()
    both = panel.with_factors(pd.DataFrame({"HML": frame["S00"] - frame["S01"], "RF": 1e-4}, index=frame.index))
    assert simulate(both, MODEL, **SMALL).n_securities == simulate(panel, MODEL, **SMALL).n_securities == 12
    assert SyntheticPanel.like(both, "MKT") == SyntheticPanel.like(panel, "MKT")


def test_dates_are_uniform_over_those_with_complete_windows(panel):
    position = np.concatenate([at for _, at, _ in drawn(panel, n_studies=2_000)])
    count = np.bincount(position, minlength=197)[70:197]
    assert count.sum() == 12_000
    assert stats.chisquare(count).pvalue > 1e-4


def test_gaps_are_allowed_by_min_obs(synthetic):
    frame = synthetic(8, 120, seed=1, missing=0.05)
    with pytest.raises(es.InsufficientDataError, match="min_obs"):
        simulate(es.ReturnPanel.from_frame(frame), MODEL, **SMALL)
    found = simulate(es.ReturnPanel.from_frame(frame), MODEL, min_obs=45, tests=["bmp_t"], **SMALL)
    assert found.rejection["share_nan"].item() == 0.0


# -- what is put in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", ["staggered", "shared"])
@pytest.mark.parametrize("model", [MODEL, es.MeanAdjusted(), es.MarketAdjusted("MKT")], ids=lambda model: model.name)
def test_drift_and_variance_are_those_of_altered_returns(panel, quiet, dates, model):
    """Statistics equal those of a plain study on a panel whose returns were changed before any fit."""
    window, drift, variance = es.Window(-1, 1), 0.03, 2.0
    options = {"dates": dates, "window": window, "drift": drift, "variance": variance}
    found = simulate(panel, model, **SMALL, **options)
    settings = {"min_obs": 60, **WINDOWS}
    events = drawn(panel, model=model, **options)
    for study in range(3):
        tickers, position, rng = events[study]
        table = es.Events.from_frame(pd.DataFrame({"ticker": tickers, "date": panel.sessions[position]}))
        before = quiet(es.EventStudy(panel, table, model, **settings)).abnormal_returns
        frame = panel.to_frame()
        for (_, ticker), abnormal in before.iterrows():
            at = int(position[list(tickers).index(ticker)])
            for tau in window.tau.tolist():
                extra = drift / len(window) + (np.sqrt(variance) - 1.0) * abnormal[tau]
                frame.iloc[at + tau, frame.columns.get_loc(ticker)] += extra
        res = quiet(es.EventStudy(es.ReturnPanel.from_frame(frame), table, model, **settings))
        seed = int(rng.integers(1 << 62))
        expected = res.tests(window, seed=seed).loc[list(found.tests)]
        np.testing.assert_allclose(found.statistic[study, 0], expected["statistic"], rtol=1e-9)
        np.testing.assert_allclose(found.p_value[study, 0], expected["p_value"], rtol=1e-7, atol=1e-12)
        np.testing.assert_array_equal(found.df[study, 0], expected["df"])


@dataclass(frozen=True)
class Own:
    """A model of a user's own, whose fit is not the library's."""

    name: str = "own"
    benchmarks: tuple[str, ...] = ("MKT",)

    def fit(self, panel, index, min_obs):
        made = MODEL.fit(panel, index, min_obs)
        return _AlteredFit(made, made.ar, made.index)


def test_a_model_of_ones_own_is_altered_alike(panel):
    options = {"drift": 0.02, "variance": 1.5, "window": (0, 1), "tests": ["bmp_t", "corrado_rank", "bhar_skew_boot"]}
    own, ours = (simulate(panel, model, **SMALL, **options) for model in (Own(), MODEL))
    np.testing.assert_allclose(own.statistic, ours.statistic, rtol=1e-12)


def test_one_set_of_studies_for_all_cells(panel):
    """A cell is the same alone as beside others; power grows with drift."""
    both = simulate(panel, MODEL, drift=[0.0, 0.01, 0.2], variance=[1.0, 2.0], **SMALL)
    alone = simulate(panel, MODEL, drift=0.01, variance=2.0, **SMALL)
    cell = int(np.flatnonzero((both.drift == 0.01) & (both.variance == 2.0))[0])
    np.testing.assert_array_equal(both.p_value[:, cell], alone.p_value[:, 0])
    rates = both.rejection.query("test == 'bmp_t' and variance == 1")["rejection"]
    assert rates.is_monotonic_increasing
    assert rates.iloc[-1] == 1.0


def test_altered_fit_forwards_and_takes(panel):
    design = module._checked(MODEL, 6, "staggered", 0.1, 1.0, (0, 0), (-70, -11), (-3, 3), None, None, 99)
    _, fit = next(fits(panel, Pool.of(panel, design), design, np.random.default_rng(1).spawn(1)))
    part = _AlteredFit(fit, fit.ar + 0.1, fit.index).take(np.array([1, 3]))
    np.testing.assert_array_equal(part.ar[:, 3], fit.ar[[1, 3], 3] + 0.1)
    np.testing.assert_array_equal(part.sigma2, fit.sigma2[[1, 3]])
    assert pickle.loads(pickle.dumps(part)).coef_names == ("alpha", "beta")
    assert altered(fit, es.Window(0, 0), 0.0, 1.0) is fit


# -- seeds and where it runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["panel", "pattern"])
def test_chunks_executors_and_seeds(panel, monkeypatch, source):
    returns = panel if source == "panel" else SyntheticPanel(n_sessions=100, benchmark="MKT")
    one = simulate(returns, MODEL, **SMALL)
    other = simulate(returns, MODEL, **SMALL | {"seed": 6})
    assert not np.array_equal(one.statistic, other.statistic)
    monkeypatch.setattr(module, "_CHUNK", 5)
    np.testing.assert_array_equal(simulate(returns, MODEL, **SMALL).statistic, one.statistic)
    with ThreadPoolExecutor(2) as threads:
        np.testing.assert_array_equal(simulate(returns, MODEL, executor=threads, **SMALL).p_value, one.p_value)
    seeded = simulate(returns, MODEL, **SMALL | {"seed": np.random.default_rng(5)})
    np.testing.assert_array_equal(seeded.statistic, one.statistic)


def test_processes(panel):
    one = simulate(panel, MODEL, **SMALL)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        np.testing.assert_array_equal(simulate(panel, MODEL, executor=processes, **SMALL).statistic, one.statistic)


def test_more_studies_keep_the_first(panel):
    few, many = (simulate(panel, MODEL, **SMALL | {"n_studies": n}) for n in (4, 9))
    np.testing.assert_array_equal(many.statistic[:4], few.statistic)


# -- rates, bands, critical values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "n"), [(0, 20), (1, 20), (13, 20), (20, 20), (250, 5000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_clopper_pearson_is_scipys(count, n, confidence):
    exact = stats.binomtest(count, n).proportion_ci(confidence, method="exact")
    assert clopper_pearson(count, n, confidence) == pytest.approx((exact.low, exact.high), rel=1e-9)


@pytest.mark.parametrize(("n", "confidence"), [(40, 0.95), (1_000, 0.95), (5_000, 0.99)])
def test_the_band_holds_the_rates_whose_interval_holds_the_level(n, confidence):
    low, high = binomial_band(0.05, n, confidence)
    inside = [k for k in range(n // 5) if (ci := clopper_pearson(k, n, confidence))[0] <= 0.05 <= ci[1]]
    assert (low, high) == (inside[0] / n, inside[-1] / n)
    chance = stats.binom.cdf(inside[-1], n, 0.05) - stats.binom.cdf(inside[0] - 1, n, 0.05)
    assert chance >= confidence


def test_no_trials():
    assert np.isnan([*clopper_pearson(0, 0), *binomial_band(0.05, 0)]).all()


def test_rates_and_critical_values_from_independent_statistics(panel, synthetic):
    """Cross-section t by hand: least squares for each event, its mean over its standard error."""
    options = {"n_studies": 60, "drift": [0.0, 0.01]}
    found = simulate(panel, MODEL, tests=["csect_t", "wilcoxon"], **SMALL | options)
    frame = synthetic(12, 200, seed=3)
    t = []
    for tickers, position, _ in drawn(panel, n_studies=60):
        ar = []
        for ticker, at in zip(tickers, position, strict=True):
            past = frame.iloc[at - 70 : at - 10]
            beta, alpha = np.polyfit(past["MKT"], past[ticker], 1)
            ar.append(frame[ticker].iloc[at] - alpha - beta * frame["MKT"].iloc[at])
        t.append(stats.ttest_1samp(ar, 0.0).statistic)
    rates = found.rejection.set_index(["test", "drift"])
    row = rates.loc[("csect_t", 0.0)]
    expected = np.mean(np.abs(t) >= stats.t.ppf(0.975, 5))
    assert row["rejection"] == pytest.approx(expected)
    low, high = stats.binom.interval(0.95, 60, 0.05)
    assert row["in_band"] == (low <= 60 * expected <= high)
    critical = found.critical_values(0.1).set_index("test")
    assert critical.loc["csect_t", "calibrated"] == pytest.approx(np.quantile(np.abs(t), 0.9))
    assert critical.loc["csect_t", "nominal"] == pytest.approx(stats.t.ppf(0.95, 5))
    assert critical.loc["csect_t", "lower"] == pytest.approx(np.quantile(t, 0.05))
    assert critical.loc["csect_t", "upper"] == pytest.approx(np.quantile(t, 0.95))
    p = 2 * stats.t.sf(np.abs(t), 5)
    assert critical.loc["csect_t", "p_calibrated"] == pytest.approx(np.quantile(p, 0.1))
    assert np.isnan(critical.loc["wilcoxon", ["calibrated", "nominal"]].astype(float)).all()  # not centred on zero
    assert 0.0 <= critical.loc["wilcoxon", "lower"] < 10.5 < critical.loc["wilcoxon", "upper"] <= 21.0


def test_a_calibrated_test_has_its_level(panel):
    found = simulate(panel, MODEL, tests=["patell_z"], **SMALL | {"n_studies": 200})
    bar = found.critical_values()["calibrated"].item()
    assert np.mean(np.abs(found.statistic) > bar) == pytest.approx(0.05, abs=0.005)


def test_a_test_without_an_answer_says_why(panel):
    found = simulate(panel, MODEL, tests=["cluster_t", "bmp_t"], dates="shared", **SMALL)
    rate = found.rejection.set_index("test").loc["cluster_t"]
    assert rate["share_nan"] == 1.0
    assert rate["n_studies"] == 0
    assert np.isnan(rate["rejection"])
    assert not rate["in_band"]
    assert "one date" in found.reasons["cluster_t"]
    assert found.reasons["cluster_t"] in str(found.summary())
    assert found.critical_values().set_index("test").loc["cluster_t"].isna().sum() == 5


def test_events_that_cannot_be_fitted_are_counted(synthetic):
    frame = synthetic(12, 200, seed=3)
    frame["S00"] = 0.0
    found = simulate(es.ReturnPanel.from_frame(frame), MODEL, tests=["bmp_t"], **SMALL | {"n_events": 12})
    assert found.n_dropped == 12
    assert (found.df == 10.0).all()
    assert "12 security-events could not be fitted" in str(found.summary())
    frame.loc[:, frame.columns != "MKT"] = 0.0
    nothing = simulate(es.ReturnPanel.from_frame(frame), MODEL, **SMALL)
    assert np.isnan(nothing.p_value).all()
    assert set(nothing.reasons.values()) == {"no event of the study could be fitted"}


def test_a_test_of_ones_own_is_run(panel, monkeypatch):
    monkeypatch.setitem(TESTS, "never", Spec("never", lambda sample: (0.0, np.inf, 6), "—", True, "—"))
    found = simulate(panel, MODEL, **SMALL)
    assert found.tests == known_tests()
    assert found.rejection.set_index("test").loc["never", "rejection"] == 0.0


def test_tables_summary_and_files(panel, tmp_path):
    found = simulate(panel, MODEL, drift=[0.0, 0.02], variance=[1.0, 2.0], **SMALL)
    assert list(found.rejection) == [
        *("test", "drift", "variance", "dates", "n_events", "n_studies", "share_nan", "rejection"),
        *("ci_lower", "ci_upper", "band_lower", "band_upper", "in_band"),
    ]
    assert len(found.rejection) == 4 * len(known_tests())
    assert not found.rejection.duplicated(["test", "drift", "variance"]).any()
    text = str(found.summary())
    assert "variance × 2" in text
    assert "+2.00 %" in text
    assert "<table" in found._repr_html_()
    assert repr(found).startswith("SimulationResults(12 studies of 6 events on staggered dates")
    found.to_csv(tmp_path / "new")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "rejection.csv"), found.rejection, check_exact=False)
    assert len(pd.read_csv(tmp_path / "new" / "critical_values.csv")) == 2 * len(known_tests())
    (tmp_path / "file").write_text("")
    with pytest.raises(es.DataSourceError, match="Cannot write"):
        found.to_csv(tmp_path / "file")
    drifts = simulate(panel, MODEL, drift=0.02, **SMALL)
    drifts.to_csv(tmp_path / "power")
    assert not (tmp_path / "power" / "critical_values.csv").exists()
    with pytest.raises(es.InputError, match="drift=0"):
        drifts.critical_values()


def test_progress_goes_to_stderr(panel, capsys):
    simulate(panel, MODEL, **SMALL | {"progress": True})
    assert "simulate" in capsys.readouterr().err


# -- figures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"drift": [0, 0.01, 0.02]}, {"drift": [0, 0.01], "variance": [1, 2]}])
def test_power_curves_show_every_test(panel, tmp_path, options):
    found = simulate(panel, MODEL, dates="shared", **SMALL, **options)
    figure = found.plot()
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_title(loc="left")}
    assert tuple(panels) == found.tests
    line = panels["bmp_t"].lines[-1]
    rows = found.rejection.query(f"test == 'bmp_t' and variance == {found.variance[-1]}")
    np.testing.assert_array_equal(line.get_xdata(), rows["drift"])
    np.testing.assert_array_equal(line.get_ydata(), rows["rejection"])
    assert "no answer" in {text.get_text() for text in panels["cluster_t"].texts}
    assert save(figure, tmp_path / "power.png", dpi=50).stat().st_size > 5_000


@pytest.mark.parametrize("variance", [1.0, 2.0, [1.0, 2.0]])
def test_rates_with_their_band(panel, variance):
    figure = simulate(panel, MODEL, variance=variance, dates="shared", **SMALL).plot()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == list(known_tests())
    assert "×" in " ".join(text.get_text() for text in figure.texts) or variance == 1.0


def test_figures_of_what_is_not_there(panel):
    from eventstudy.power_plots import power_curves, rejection_rates

    found = simulate(panel, MODEL, tests=["bmp_t"], **SMALL)
    with pytest.raises(es.InputError, match="several drifts"):
        power_curves(found)
    with pytest.raises(es.InputError, match=r"drift 0\.5"):
        rejection_rates(found, drift=0.5)


# -- wrong input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dates": "random"}, "dates='random'.*staggered"),
        ({"n_events": 0}, "n_events=0"),
        ({"n_studies": 2.5}, "n_studies=2.5"),
        ({"drift": "much"}, "drift='much'"),
        ({"drift": [0.0, np.nan]}, "drift="),
        ({"drift": []}, "drift="),
        ({"variance": 0.0}, "variance=0 is not positive"),
        ({"variance": [1.0, -1.0]}, "variance=-1"),
        ({"window": (0, 9)}, "not inside the event window"),
        ({"estimation_window": (-70, 0)}, "shares sessions with"),
        ({"min_obs": 90}, "fewer than min_obs"),
        ({"tests": ["bpm_t"]}, "no test 'bpm_t'. Did you mean bmp_t"),
        ({"tests": []}, "tests= is empty"),
        ({"draws": 0}, "draws=0"),
        ({"level": 5}, "level=5"),
        ({"confidence": 1.0}, "confidence=1.0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_wrong_options(panel, options, words):
    with pytest.raises(es.InputError, match=words):
        simulate(panel, MODEL, **SMALL | options)


def test_wrong_panel_and_model(panel):
    with pytest.raises(es.InputError, match="not DataFrame"):
        simulate(panel.to_frame(), MODEL, **SMALL)
    with pytest.raises(es.InputError, match="Give an instance"):
        simulate(panel, es.MarketModel, **SMALL)
    with pytest.raises(es.InputError, match="'SPY'"):
        simulate(panel, es.MarketModel("SPY"), **SMALL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_events": 13}, "12 securities .* 13 events .*n_events="),
        ({"n_events": 13, "dates": "shared"}, "on one date"),
        ({"estimation_window": (-400, -11)}, "^0 securities .*200 sessions"),
    ],
)
def test_panel_too_small(panel, options, words):
    with pytest.raises(es.InsufficientDataError, match=words):
        simulate(panel, MODEL, **SMALL | options)


# -- made-up returns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [None, 5.0])
def test_a_drawn_panel_has_the_pattern(df):
    pattern = SyntheticPanel(80, 4_000, correlation=0.2, df=df, sigma=0.02, beta=1.1, market_sigma=0.01)
    panel = pattern.draw(1)
    assert panel == pattern.draw(1)
    assert panel != pattern.draw(2)
    frame = panel.to_frame()
    market = frame.pop("MARKET")
    assert len(frame.columns) == 80
    assert market.std() == pytest.approx(0.01, rel=0.05)
    beta = frame.cov().index.map(lambda name: np.polyfit(market, frame[name], 1)[0]).to_numpy()
    assert beta.mean() == pytest.approx(1.1, abs=0.12)
    residual = frame - np.outer(market, beta)
    correlation = np.corrcoef(residual.T.to_numpy())[np.triu_indices(80, 1)]
    assert correlation.mean() == pytest.approx(0.2, abs=0.02)
    assert residual.std().median() == pytest.approx(0.02, rel=0.1)
    kurtosis = residual.kurt().median()
    assert abs(kurtosis) < 0.2 if df is None else kurtosis > 1.0


def test_the_pattern_of_a_panel_comes_back():
    pattern = SyntheticPanel(60, 3_000, correlation=0.15, sigma=0.02, sigma_spread=0.3, beta_spread=0.25)
    panel = pattern.draw(7)
    like = SyntheticPanel.like(panel, "MARKET")
    for name in ("correlation", "sigma", "beta", "market_sigma"):
        assert getattr(like, name) == pytest.approx(getattr(pattern, name), abs=0.12 * getattr(pattern, name) + 0.02)
    assert (like.n_securities, like.n_sessions, like.benchmark) == (60, 3_000, "MARKET")
    assert like.df is None or like.df > 50
    fat = SyntheticPanel.like(SyntheticPanel(40, 4_000, df=6.0).draw(1), "MARKET")
    assert fat.df == pytest.approx(6.5, abs=1.5)
    frame = panel.to_frame()
    frame.iloc[::7, 3] = np.nan
    frame["NEW"] = np.nan
    holes = SyntheticPanel.like(es.ReturnPanel.from_frame(frame, kind="log"), "MARKET")
    assert holes.n_securities == 60
    assert holes.correlation == pytest.approx(like.correlation, abs=0.01)


def test_a_pattern_needs_securities(synthetic):
    with pytest.raises(es.InsufficientDataError, match="two are needed"):
        SyntheticPanel.like(es.ReturnPanel.from_frame(synthetic(1, 100)), "MKT")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"correlation": 1.0}, "correlation=1.0"),
        ({"df": 2.0}, "df=2.0"),
        ({"sigma": 0.0}, "sigma=0.0"),
        ({"beta_spread": -1.0}, "beta_spread"),
        ({"n_securities": 0}, "n_securities=0"),
    ],
)
def test_wrong_patterns(options, words):
    with pytest.raises(es.InputError, match=words):
        SyntheticPanel(**options)


# -- command line ------------------------------------------------------------------------------------------------------


def power(*arguments: str):
    return CliRunner().invoke(cli.app, ["power", *arguments], prog_name="eventstudy")


def test_power_command(tmp_path: Path):
    out = tmp_path / "made"
    options = "--benchmark SPY --events 8 --studies 10 --drift 0 --drift 0.05 --variance 2 --test bmp_t --test csect_t"
    done = power(*options.split(), "--car", "-1:1", "--seed", "3", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "Size, variance × 2" in done.stdout
    assert "CAR [-1, +1]" in done.stdout
    rates = pd.read_csv(out / "rejection.csv")
    assert rates["test"].tolist() == ["bmp_t", "csect_t"] * 2
    assert (rates["variance"] == 2.0).all()
    assert (out / "power.png").stat().st_size > 5_000
    assert "tables written" in done.stderr
    again = power(*options.split(), "--car", "-1:1", "--seed", "3")
    assert again.stdout == done.stdout


def test_power_command_on_a_file(tmp_path: Path, sample_prices):
    sample_prices[["MSFT", "NVDA", "AMD", "SPY"]].to_csv(tmp_path / "prices.csv")
    options = "--model mean --events 3 --studies 5 --dates shared --estimation -60:-6 --window -5:5 --test bmp_t"
    done = power("--source", str(tmp_path / "prices.csv"), *options.split())
    assert done.exit_code == 0, done.output
    assert "Panel of 4 securities" in done.stdout
    without = power("--source", str(tmp_path / "prices.csv"), "-b", "SPY", *options.split()[4:])
    assert without.exit_code == 0, without.output
    assert "of 1 security-events" in without.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("", 2, "--benchmark"),
        ("-b SPY --test bmp", 2, "no test 'bmp'"),
        ("-b SPY --variance 0", 2, "not positive"),
        ("-b SPY --drift nan", 2, "not finite"),
        ("-b SPY --level 5", 2, "between 0 and 1"),
        ("-b SPY --car 0:20", 2, "not inside"),
        ("-b SPY --source yahoo", 2, "has no list of tickers"),
        ("-b SPY --dates random", 2, "random"),
        ("-b SPY --source nowhere.csv", 1, "nowhere.csv"),
        ("-b SPY --events 40", 1, "Lower --events"),
    ],
)
def test_power_command_misused(arguments, code, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    done = power(*arguments.split())
    assert done.exit_code == code, done.output
    assert words in " ".join(done.stderr.split())


def test_power_help_has_examples():
    done = power("--help")
    assert done.exit_code == 0
    assert "Examples" in done.stdout
    assert "--drift" in done.stdout
