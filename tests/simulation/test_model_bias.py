"""Bias and error of CARs by model on simulated panels: the script, its page, and what must be so of any numbers."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

ROOT = Path(__file__).resolve().parents[2]
SHORT, LONG = "CAR(0, 5)", "CAR(0, 250)"
WITHOUT = ["market-adjusted", "peer portfolio", "synthetic control"]


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        yield importlib.import_module("factor_panels"), importlib.import_module("model_bias")


@pytest.fixture(scope="module")
def documented():
    return pd.read_csv(ROOT / "docs" / "model_bias.csv")


def column(numbers, scenario, window, what):
    chosen = numbers[(numbers["scenario"] == scenario) & (numbers["window"] == window)]
    return chosen.set_index("model")[what]


def test_the_page_is_made_of_the_documented_numbers(scripts, documented):
    page = scripts[1]
    assert (ROOT / "docs" / "model_bias.md").read_text(encoding="utf-8") == page.page(documented)
    assert page.figure(documented).axes[1].get_xlabel() == "RMSE of CAR(0, 250), %"


def test_documented_numbers(scripts, documented):
    """A year's premium of what the securities are, the run-up, and the shift are biases whose size is known."""
    panels = scripts[0]
    assert list(documented["model"].unique()) == [*panels.models(), panels.TRUTH]
    assert (documented["n_events"] >= 0.995 * documented["n_events"].max()).all()
    own = [name for name in panels.models() if name not in WITHOUT]
    for window, length in ((SHORT, 6), (LONG, 251)):
        error = column(documented, "moving", window, "bias_std_error")
        plain, after = (column(documented, key, window, "bias") for key in ("moving", "run-up"))
        assert (plain[own].abs() < 4 * error[own] + 1e-5).all()
        style = (panels.LIKE_EVENTS - np.eye(6)[0]) @ panels.PREMIUM * length
        assert plain["market-adjusted"] == pytest.approx(style, abs=4 * error["market-adjusted"])
        np.testing.assert_allclose((after - plain)[own], -0.0005 * length, rtol=0.01)
        np.testing.assert_allclose((after - plain)[WITHOUT], 0.0, atol=1e-4 * length / 251)
        shifted = column(documented, "shift", window, "bias") - plain
        np.testing.assert_allclose(shifted.drop(panels.TRUTH), 0.4 * 0.07 / 252 * length, rtol=0.03)
        for key in ("constant", "moving", "run-up", "shift"):
            rmse = column(documented, key, window, "rmse")
            assert rmse.idxmin() == panels.TRUTH
            assert rmse["FF 5 + Mom"] < rmse["mean-adjusted"]
            assert rmse["FF 5 + Mom"] < rmse["market"]
    thin, fresh = (column(documented, key, SHORT, "rmse") for key in ("thin", "moving"))
    for model in ("Dimson", "Scholes–Williams"):
        assert thin[model] < thin["market"]
        assert fresh[model] > fresh["market"]


@pytest.fixture(scope="module")
def still(scripts):
    """Draws without premia, run-up, shift or moving betas, on which no model may be biased; no mirror images."""
    panels = scripts[0]
    scenario = panels.Scenario("null", "", "", premia=False, moving=False)
    seeds = np.random.SeedSequence(11).spawn(16)
    return np.stack([panels.cars(panels.Draw.of(seed), [scenario])[0] for seed in seeds])


def test_without_drift_and_with_constant_betas_no_model_is_biased(scripts, still):
    names = [*scripts[0].models()]
    away = (still[:, :-1] - still[:, -1:]).mean(axis=-1)  # a draw is one observation: its events share a date
    z = away.mean(axis=0) / (away.std(axis=0, ddof=1) / np.sqrt(len(away)))
    assert z.shape == (len(names), 2)
    assert (np.abs(z) < 4.0).all(), dict(zip(names, z.round(1).tolist(), strict=True))  # 36 of them, t(15)


def test_factors_take_away_error(scripts, still):
    away = still[:, :-1, 0] - still[:, -1:, 0]  # CAR(0, 5) beyond the securities' own noise
    rmse = dict(zip(scripts[0].models(), np.sqrt((away**2).mean(axis=(0, 2))), strict=True))
    assert rmse["FF 5 + Mom"] < rmse["market"] < rmse["mean-adjusted"]
    assert rmse["peer portfolio"] < rmse["mean-adjusted"]


def test_market_model_and_capm_agree_where_the_rate_is_constant(scripts, still):
    at = list(scripts[0].models())
    np.testing.assert_allclose(still[:, at.index("CAPM")], still[:, at.index("market")], rtol=1e-9, atol=1e-12)


def test_a_panel_is_what_the_page_says(scripts):
    """Regressions of statsmodels on the simulated panel find the betas that it was made of."""
    panels = scripts[0]
    draw = panels.Draw.of(np.random.SeedSequence(3))
    returns, noise = panels.panel(draw, panels.Scenario("null", "", "", moving=False))
    frame = returns.to_frame()
    factors = frame[list(panels.FACTORS)]
    np.testing.assert_allclose(frame["MKT"] - frame["Mkt-RF"], panels.RATE, atol=1e-15)
    for k, name in enumerate(["E00", "E03", "P05", "D07"]):
        row = [0, 3, 9, 21][k]
        assert frame.columns[row] == name
        found = sm.OLS(frame[name] - panels.RATE, sm.add_constant(factors)).fit()
        z = (found.params[1:] - draw.means[row]) / found.bse[1:]
        assert (z.abs() < 4).all()
    assert noise.shape == (4, 251)
    thin, _ = panels.panel(draw, panels.Scenario("thin", "", "", moving=False, stale=0.4))
    late = thin.to_frame()["E00"].to_numpy()
    np.testing.assert_allclose(late[1:], 0.6 * frame["E00"][1:] + 0.4 * frame["E00"].to_numpy()[:-1], atol=1e-15)


def test_answers_do_not_depend_on_how_draws_are_shared_out(scripts, monkeypatch):
    panels = scripts[0]
    few = {name: model for name, model in panels.models().items() if name in ("market", "FF 5", "peer portfolio")}
    monkeypatch.setattr(panels, "SCENARIOS", panels.SCENARIOS[:2])
    monkeypatch.setattr(panels, "models", lambda: few)
    seeds = np.random.SeedSequence(panels.SEED).spawn(2)
    together = panels.some(seeds)
    np.testing.assert_array_equal(together[1], panels.errors(seeds[1]))
    numbers = panels.table(together)
    assert len(numbers) == 2 * 4 * 2
    assert numbers["n_events"].max() == 2 * 2 * panels.EVENTS


@pytest.mark.slow
def test_the_script_writes_its_page(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, str(ROOT / "scripts" / "model_bias.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "figures" / "model_bias.png").stat().st_size > 20_000
    assert "160 events in\n20 draws" in (tmp_path / "model_bias.md").read_text()
