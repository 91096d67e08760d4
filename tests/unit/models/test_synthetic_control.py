"""Synthetic controls against scipy's SLSQP and statsmodels; their tests against brute force, and their size."""

from __future__ import annotations

import pickle
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.stats import binom

import eventstudy as es
from eventstudy.inference import conformal_test, synthetic_placebo
from eventstudy.models import donor_weights

EST, EVENT = (-130, -11), (-5, 5)
SIZE = (-60, -3), (-2, 2)


def slsqp(x, y, intercept=False):
    """Constant and weights by sequential quadratic programming, from equal weights."""
    n, unit = x.shape[1], 1e2
    alpha = float(intercept)
    full = np.column_stack([np.full(len(x), alpha), x]) * unit
    start = np.concatenate([[0.0], np.full(n, 1 / n)])
    found = minimize(
        lambda w: 0.5 * ((unit * y - full @ w) ** 2).sum(),
        start,
        jac=lambda w: -full.T @ (unit * y - full @ w),
        bounds=[(None, None) if intercept else (0, 0)] + [(0, None)] * n,
        constraints={"type": "eq", "fun": lambda w: w[1:].sum() - 1, "jac": lambda w: np.append(0.0, np.ones(n))},
        method="SLSQP",
        options={"maxiter": 3_000, "ftol": 1e-16},
    )
    return found.x[0] * alpha, found.x[1:]


def rows(frame, position, window):
    return frame.iloc[position + window[0] : position + window[1] + 1]


def factor_frame(n, sessions, seed, *, loading=1.0):
    """Returns with two factors, so that portfolios of the others explain each security."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.01, (sessions, 2))
    values = factors @ rng.uniform(0.3, 1.5, (2, n)) * loading + rng.normal(0, 0.01, (sessions, n))
    return pd.DataFrame(
        values, index=pd.bdate_range("2021-01-04", periods=sessions), columns=[f"S{k:02d}" for k in range(n)]
    )


# -- weights and expectations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
def test_weights_and_returns_are_those_of_scipy(sample_panel, quiet, intercept):
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York")
    model = es.SyntheticControl(exclude=["SPY", "SMH", "GOOGL"], intercept=intercept)
    res = quiet(es.EventStudy(sample_panel, events, model, (-250, -11), EVENT))
    frame, weights = sample_panel.to_frame(), donor_weights(res)
    donors = [name for name in frame.columns if name not in ("MSFT", "NVDA", "SPY", "SMH", "GOOGL")]
    position = frame.index.get_loc(pd.Timestamp("2025-01-29"))
    for at, ticker in enumerate(["MSFT", "NVDA"]):
        before, after = rows(frame, position, (-250, -11)), rows(frame, position, EVENT)
        alpha, w = slsqp(before[donors].to_numpy(), before[ticker].to_numpy(), intercept)
        mine = weights[weights["ticker"] == ticker].set_index("donor")["weight"].reindex(donors).fillna(0.0)
        np.testing.assert_allclose(mine, w, atol=1e-6)
        assert mine.sum() == pytest.approx(1.0, abs=1e-13)
        ar = after[ticker] - alpha - after[donors] @ w
        np.testing.assert_allclose(res.abnormal_returns.iloc[at], ar, atol=1e-7)
        shown = res.parameters.iloc[at]
        assert (shown["n_donors"], shown["n_weights"]) == (len(donors), (w > 1e-7).sum())
        assert shown["largest_weight"] == pytest.approx(w.max(), abs=1e-6)
    assert (weights.groupby("ticker", sort=False)["weight"].diff().dropna() <= 0).all()


@pytest.mark.parametrize("intercept", [False, True])
def test_forecast_error_is_that_of_least_squares_on_the_donors_with_a_weight(study_of, events_at, intercept):
    frame = factor_frame(12, 300, 3)
    res = study_of(
        frame, events_at(frame, {"S00": 200}), es.SyntheticControl(intercept=intercept), estimation_window=EST
    )
    chosen = donor_weights(res)["donor"].tolist()
    base, others = chosen[0], chosen[1:]
    assert len(others) >= 2

    def design(part):
        x = part[others].to_numpy() - part[[base]].to_numpy()
        return sm.add_constant(x, has_constant="add") if intercept else x

    before, after = rows(frame, 200, EST), rows(frame, 200, (-1, 1))
    ols = sm.OLS((before["S00"] - before[base]).to_numpy(), design(before)).fit()
    x = design(after).sum(0)
    error = np.sqrt(ols.mse_resid * 3 + x @ ols.cov_params() @ x)
    row = res.car(-1, 1).iloc[0]
    assert row["car"] == pytest.approx((after["S00"] - after[base]).sum() - x @ ols.params, rel=1e-8)
    assert row["std_error"] == pytest.approx(error, rel=1e-8)
    assert res.parameters["df"].iloc[0] == ols.df_resid


def test_a_security_that_is_a_portfolio_is_found_out(study_of, events_at):
    frame = factor_frame(9, 300, 4)
    rng = np.random.default_rng(5)
    frame["S00"] = 0.6 * frame["S03"] + 0.3 * frame["S05"] + 0.1 * frame["S07"] + rng.normal(0, 1e-5, 300)
    frame.iloc[200, 0] += 0.05
    res = study_of(frame, events_at(frame, {"S00": 200}), es.SyntheticControl(), estimation_window=EST)
    weights = donor_weights(res).set_index("donor")["weight"]
    np.testing.assert_allclose(weights[["S03", "S05", "S07"]], [0.6, 0.3, 0.1], atol=1e-3)
    assert weights.drop(["S03", "S05", "S07"]).sum() < 1e-3
    assert res.car(0, 0)["car"].iloc[0] == pytest.approx(0.05, abs=1e-4)


def test_three_thousand_donors_take_well_under_a_second(quiet):
    frame = factor_frame(3_004, 300, 6)
    panel = es.ReturnPanel.from_frame(frame)
    events = es.Events.at(f"{frame.index[280]:%Y-%m-%d}", [f"S{k:02d}" for k in range(4)])
    study = es.EventStudy(panel, events, es.SyntheticControl(), (-260, -11), EVENT)
    took = []
    for _ in range(3):  # the best of them, since the cores may be busy with other work
        begun = time.perf_counter()
        res = quiet(study)
        took.append(time.perf_counter() - begun)
    assert min(took) / 4 < 0.5
    assert (res.parameters["n_donors"] == 3_000).all()
    before = rows(frame, 280, (-260, -11)).to_numpy()
    x = before[:, 4:]
    for at in range(4):
        w = np.zeros(3_000)
        used = res.fit.weight[at] > 0
        w[res.fit.donor[at][used] - 4] = res.fit.weight[at][used]
        e = before[:, at] - x @ w
        gradient = -x.T @ e
        # the gap of duality bounds how much better any other weights could be
        assert w @ gradient - gradient.min() < 1e-10 * (e @ e)


# -- who may be a donor ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [es.SyntheticControl(), es.LatentFactors(2)], ids=lambda model: model.name)
@pytest.mark.parametrize("kept", ["in memory", "on disk", "sent", "by the week"])
def test_factors_are_no_donors_unless_named(quiet, events_at, tmp_path, model, kept):
    """A long-short return is no security; what the panel holds beside them changes no number."""
    frame = factor_frame(9, 900 if kept == "by the week" else 300, 4)
    at = 150 if kept == "by the week" else 200
    factors = pd.DataFrame({"HML": frame["S00"] - frame["S05"], "RF": 0.0001}, index=frame.index)
    plain = es.ReturnPanel.from_frame(frame)
    both = plain.with_factors(factors)
    assert (plain.n_factors, both.n_factors) == (0, 2)
    if kept == "on disk":
        both = both.save(tmp_path / "panel")
    elif kept == "sent":
        both = pickle.loads(pickle.dumps(both))
    elif kept == "by the week":
        plain, both = plain.resample("W"), both.resample("W")
    options = {"estimation_window": (-130, -11), "event_window": (-5, 5)}
    events = es.Events.from_frame(pd.DataFrame({"ticker": ["S00"], "date": [plain.sessions[at]]}))
    without, beside = (quiet(es.EventStudy(panel, events, model, **options)) for panel in (plain, both))
    pd.testing.assert_frame_equal(without.parameters, beside.parameters)
    pd.testing.assert_frame_equal(without.car(0, 1), beside.car(0, 1))
    named = type(model)(donors=["S05", "S07", "HML"], **({"n_factors": 2} if model.name == "latent" else {}))
    res = quiet(es.EventStudy(both, events, named, **options))
    assert res.parameters["n_donors"].tolist() == [3]


def test_donors_are_never_treated(study_of, events_at):
    frame = factor_frame(8, 420, 7)
    frame.loc[frame.index[250], "S05"] = np.nan
    # S01 shares the session, S02 has an event inside the estimation window, S03 one long after, S04 has one near
    events = events_at(frame, {"S00": 300, "S01": 300, "S02": 230, "S03": 400, "S04": 304})
    for clean, left in (("span", {"S03", "S06", "S07"}), ("event", {"S02", "S03", "S06", "S07"})):
        res = study_of(frame, events, es.SyntheticControl(clean=clean), estimation_window=EST)
        found = res.parameters.set_index("ticker")["n_donors"]
        assert found["S00"] == len(left)
        weights = donor_weights(res)
        assert set(weights.loc[weights["ticker"] == "S00", "donor"]) <= left
    # one of them named as a donor is a mistake; earlier events may be allowed
    with pytest.raises(es.InputError, match="S02 is named as a donor, and has an event of its own"):
        study_of(frame, events.subset([0, 2]), es.SyntheticControl(["S02", "S06"]), estimation_window=EST)
    res = study_of(frame, events.subset([0]), es.SyntheticControl(["S02", "S06"], clean="event"), estimation_window=EST)
    assert res.parameters["n_donors"].tolist() == [2]
    with pytest.raises(es.InsufficientDataError, match="0 donors are left: 0 of the pool have an event"):
        study_of(frame, events.subset([0]), es.SyntheticControl(["S05"]), estimation_window=EST)


def test_chunks_and_executors_change_no_number(events_at, quiet):
    frame = factor_frame(20, 420, 8)
    events = events_at(frame, {f"S{k:02d}": 200 + 30 * (k % 3) for k in range(9)})
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events, es.SyntheticControl(clean="event"), EST, EVENT, min_obs=60
    )
    whole = quiet(study)
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        parts = study.fit(executor=pool, chunk_size=2)
    np.testing.assert_array_equal(parts.fit.ar, whole.fit.ar)
    np.testing.assert_array_equal(parts.fit.sigma2, whole.fit.sigma2)
    pd.testing.assert_frame_equal(donor_weights(parts), donor_weights(whole))
    pd.testing.assert_frame_equal(synthetic_placebo(parts, 0, 1), synthetic_placebo(whole, 0, 1))


# -- placebos in space -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
def test_placebo_is_the_rank_among_donors_refitted_by_scipy(study_of, events_at, intercept):
    frame = factor_frame(9, 300, 9)
    frame.loc[frame.index[200], "S00"] += 0.02
    events = events_at(frame, {"S00": 200, "S01": 200})
    res = study_of(frame, events, es.SyntheticControl(intercept=intercept), estimation_window=EST)
    before, after = rows(frame, 200, EST), rows(frame, 200, (0, 2))
    pool = [f"S{k:02d}" for k in range(2, 9)]

    def ratio(target, donors):
        alpha, w = slsqp(before[donors].to_numpy(), before[target].to_numpy(), intercept)
        size = [np.sqrt(((part[target] - alpha - part[donors] @ w) ** 2).mean()) for part in (before, after)]
        return *size, size[1] / size[0]

    law = np.array([ratio(name, [other for other in pool if other != name])[2] for name in pool])
    table = synthetic_placebo(res, 0, 2).set_index("ticker")
    for name in ("S00", "S01"):
        own = ratio(name, pool)
        np.testing.assert_allclose(table.loc[name, ["rmspe_before", "rmspe_after", "ratio"]].tolist(), own, rtol=1e-5)
        rank = 1 + (law >= own[2]).sum()
        assert table.loc[name, ["rank", "n_placebos"]].tolist() == [rank, 7]
        assert table.loc[name, "p_value"] == rank / 8
    some = synthetic_placebo(res, 0, 2, placebos=3, seed=1)
    assert (some["n_placebos"] == 3).all()
    pd.testing.assert_frame_equal(some, synthetic_placebo(res, 0, 2, placebos=3, seed=1))


def null_study(seed, quiet, effect=0.0, n=20):
    frame = factor_frame(n, 66, seed)
    frame.iloc[62:64, 0] += effect
    events = es.Events.at(f"{frame.index[62]:%Y-%m-%d}", ["S00"])
    return quiet(es.EventStudy(es.ReturnPanel.from_frame(frame), events, es.SyntheticControl(), *SIZE, min_obs=40))


def test_size_and_power_of_both_tests(quiet):
    """Under the null p ≤ k/n has the probability k/n; an effect of five standard deviations is found."""
    studies, at = 120, 0.10
    placebo, conformal, power = [], [], []
    for seed in range(studies):
        res = null_study(seed, quiet)
        placebo.append(synthetic_placebo(res, 0, 1)["p_value"].item())
        conformal.append(conformal_test(res, 0, 1)["p_value"].item())
        if seed < 10:
            hit = null_study(seed, quiet, 0.06)
            power.append([synthetic_placebo(hit, 0, 1)["p_value"].item(), conformal_test(hit, 0, 1)["p_value"].item()])
    low, high = binom.ppf([0.005, 0.995], studies, at)
    assert low <= (np.array(placebo) <= at + 1e-12).sum() <= high
    # 60 shifts: p is a multiple of 1/60, and 6/60 is a tenth
    assert low <= (np.array(conformal) <= at + 1e-12).sum() <= high
    assert (np.mean(np.array(power) <= at + 1e-12, axis=0) >= 0.9).all()


# -- conformal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("intercept", "q", "effect"), [(False, 1.0, 0.0), (True, 2.0, 0.01)])
def test_conformal_is_every_shift_of_residuals_under_the_null(study_of, events_at, intercept, q, effect):
    frame = factor_frame(8, 300, 10)
    frame.loc[frame.index[200:203], "S00"] += 0.015
    res = study_of(
        frame, events_at(frame, {"S00": 200}), es.SyntheticControl(intercept=intercept), estimation_window=EST
    )
    both = pd.concat([rows(frame, 200, EST), rows(frame, 200, (0, 2))])
    donors = [f"S{k:02d}" for k in range(1, 8)]
    y = both["S00"].to_numpy().copy()
    y[-3:] -= effect
    alpha, w = slsqp(both[donors].to_numpy(), y, intercept)
    e = np.abs(y - alpha - both[donors].to_numpy() @ w)
    statistic = [((np.roll(e, shift)[-3:] ** q).sum() / np.sqrt(3)) ** (1 / q) for shift in range(len(e))]
    row = conformal_test(res, 0, 2, effect=effect, q=q).iloc[0]
    assert row["statistic"] == pytest.approx(statistic[0], rel=1e-5)
    assert row["n_permutations"] == 123
    assert row["p_value"] == (np.array(statistic) >= statistic[0] * (1 - 1e-9)).sum() / 123


def test_the_effect_that_was_added_is_not_rejected_and_none_is(study_of, events_at):
    frame = factor_frame(10, 300, 12)
    frame.loc[frame.index[200:203], "S00"] += 0.03
    res = study_of(frame, events_at(frame, {"S00": 200}), es.SyntheticControl(), estimation_window=EST)
    assert conformal_test(res, 0, 2)["p_value"].item() <= 0.05
    assert conformal_test(res, 0, 2, effect=0.03)["p_value"].item() > 0.05


# -- mistakes ----------------------------------------------------------------------------------------------------


def test_mistakes_are_named(study_of, events_at):
    frame = factor_frame(6, 300, 11)
    events = events_at(frame, {"S00": 200})
    for wrong in ({"donors": []}, {"donors": ["A", "A"]}, {"intercept": 1}, {"clean": "no"}, {"exclude": [1]}):
        with pytest.raises(es.InputError):
            es.SyntheticControl(**wrong)
    for model in (es.SyntheticControl, es.LatentFactors):
        with pytest.raises(es.InputError, match="exclude=3 names no security"):
            model(exclude=3)
        assert model(exclude=None) == model(exclude=[]) == model()
    with pytest.raises(es.InputError, match="NOPE"):
        study_of(frame, events, es.SyntheticControl(exclude=["NOPE"]))
    other = study_of(frame, events, es.MeanAdjusted())
    for call in (donor_weights, lambda res: synthetic_placebo(res, 0, 1), lambda res: conformal_test(res, 0, 1)):
        with pytest.raises(es.InputError, match="SyntheticControl were expected"):
            call(other)
    res = study_of(frame, events, es.SyntheticControl())
    for call in (
        lambda: synthetic_placebo(res, 0, 1, placebos=0),
        lambda: conformal_test(res, 0, 1, q=0.0),
        lambda: conformal_test(res, 0, 1, effect=np.inf),
    ):
        with pytest.raises(es.InputError):
            call()
    with pytest.raises(es.WindowError):
        synthetic_placebo(res, 0, 9)
