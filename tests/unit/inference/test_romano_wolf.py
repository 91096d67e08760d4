"""Romano–Wolf step-down against the algorithm written out, Holm's bound, and the error rate it controls."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.outliers_influence import OLSInfluence

import eventstudy as es
from eventstudy.inference import holm
from eventstudy.inference import pseudo_windows as cutting
from eventstudy.inference.placebo import placebo, romano_wolf
from eventstudy.inference.pseudo_windows import in_sample_scale

NAN = float("nan")


def pseudo_t(e, dof, length):
    """Studentised sums with the window left out, from the definition, one at a time; scale as of no parameters."""
    n, m = e.shape
    out = np.full((n, m - length + 1), NAN)
    for i in range(n):
        for w in range(m - length + 1):
            part = e[i, w : w + length]
            if np.isnan(part).any():
                continue
            total = part.sum()
            rest = (np.nansum(e[i] ** 2) - total**2 / length) / (dof[i] - 1)
            out[i, w] = total / np.sqrt(length * rest)
    return out


def stepped(pseudo, t):
    """Algorithm 4.1 of Romano and Wolf (2005) in the p-value form of Romano and Wolf (2016), with explicit loops."""
    n = len(t)
    order = sorted(range(n), key=lambda i: -abs(t[i]))
    adjusted, before = np.full(n, NAN), 0.0
    for step, i in enumerate(order):
        remaining = order[step:]
        reached = windows = 0
        for w in range(pseudo.shape[1]):
            values = [abs(pseudo[j, w]) for j in remaining if not np.isnan(pseudo[j, w])]
            if values:
                windows += 1
                reached += max(values) >= abs(t[i])
        before = max(before, (1 + reached) / (1 + windows))
        adjusted[i] = before
    return adjusted


def unadjusted(pseudo, t):
    return np.array([(1 + sum(abs(x) >= abs(s) for x in row)) / (1 + (~np.isnan(row)).sum()) for row, s in zip(pseudo, t, strict=True)])  # fmt: skip # noqa: E501


def case(seed, n=12, m=70, missing=0.0, rho=0.4):
    rng = np.random.default_rng(seed)
    e = np.sqrt(rho) * rng.normal(size=m) + np.sqrt(1 - rho) * rng.standard_t(5, (n, m))
    e[rng.random(e.shape) < missing] = NAN
    error = rng.uniform(0.5, 2, n)
    return e, error * rng.normal(0, 1.8, n), error, (~np.isnan(e)).sum(1).astype(float)


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_against_the_algorithm_written_out(seed, length, missing, engine):
    e, car, error, dof = case(seed, missing=missing)
    found = romano_wolf(lambda rows: e[rows], car, error, dof, length, engine=engine)
    pseudo, t = pseudo_t(e, dof, length), car / error
    np.testing.assert_allclose(found.p_value, unadjusted(pseudo, t), rtol=1e-12)
    np.testing.assert_allclose(found.p_adjusted, stepped(pseudo, t), rtol=1e-12)
    assert found.n_placebo.tolist() == (~np.isnan(pseudo)).sum(1).tolist()
    assert found.reason == ""


def test_one_event_is_its_own_placebo_test():
    e, car, error, dof = case(7, n=1)
    found = romano_wolf(lambda rows: e[rows], car, error, dof, 2)
    alone = placebo(lambda rows: e[rows], car, error, dof, 2, statistic="mean_scar")
    assert found.p_value[0] == found.p_adjusted[0] == alone.p_value


def test_events_that_move_as_one_need_no_adjustment():
    e, *_ = case(8, n=1)
    same = np.repeat(e, 5, axis=0)
    found = romano_wolf(lambda rows: same[rows], np.full(5, 2.5), np.ones(5), np.full(5, 70.0), 1)
    np.testing.assert_array_equal(found.p_adjusted, found.p_value)
    assert (holm(found.p_value) > found.p_adjusted).all()


def test_bounds_and_order():
    e, car, error, dof = case(9, n=40)
    found = romano_wolf(lambda rows: e[rows], car, error, dof, 1)
    assert (found.p_adjusted >= found.p_value).all()
    order = np.argsort(-np.abs(car / error))
    assert (np.diff(found.p_adjusted[order]) >= 0).all()
    shuffled = np.random.default_rng(9).permutation(40)
    again = romano_wolf(lambda rows: e[shuffled][rows], car[shuffled], error[shuffled], dof[shuffled], 1)
    np.testing.assert_array_equal(again.p_adjusted, found.p_adjusted[shuffled])


@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_chunks_do_not_matter(monkeypatch, engine):
    e, car, error, dof = case(10, n=61, missing=0.02)
    whole = romano_wolf(lambda rows: e[rows], car, error, dof, 3, engine=engine)
    for cells in (70, 9 * 70):
        monkeypatch.setattr(cutting, "_CELLS", cells)
        parts = romano_wolf(lambda rows: e[rows], car, error, dof, 3, engine=engine)
        np.testing.assert_array_equal(parts.p_adjusted, whole.p_adjusted)
        np.testing.assert_array_equal(parts.p_value, whole.p_value)


def test_an_event_without_a_car_changes_nothing():
    e, car, error, dof = case(11)
    car[4] = NAN
    found = romano_wolf(lambda rows: e[rows], car, error, dof, 1)
    keep = np.delete(np.arange(12), 4)
    without = romano_wolf(lambda rows: e[keep][rows], car[keep], error[keep], dof[keep], 1)
    assert np.isnan([found.p_value[4], found.p_adjusted[4]]).all()
    np.testing.assert_array_equal(found.p_adjusted[keep], without.p_adjusted)


def test_windows_that_few_events_have_are_left_out():
    """Else the largest of two would stand for the largest of ten."""
    e, car, error, _ = case(12, n=10)
    e[2:, :30] = NAN
    found = romano_wolf(lambda rows: e[rows], car, error, np.full(10, 40.0), 1)
    assert (found.n_placebo == 40).all()


def test_no_answer():
    e = np.random.default_rng(13).normal(size=(2, 20))
    none = romano_wolf(lambda rows: e[rows], np.array([NAN, NAN]), np.ones(2), np.full(2, 18.0), 1)
    assert np.isnan(none.p_adjusted).all()
    assert "no event" in none.reason
    long = romano_wolf(lambda rows: e[rows], np.ones(2), np.ones(2), np.full(2, 18.0), 21)
    assert "does not fit" in long.reason
    holes = romano_wolf(lambda rows: e[rows] * NAN, np.ones(2), np.ones(2), np.full(2, 18.0), 1)
    assert np.isnan(holes.p_value).all()
    assert "no pseudo-window" in holes.reason
    empty = romano_wolf(lambda rows: e[rows], np.empty(0), np.empty(0), np.empty(0), 1)
    assert len(empty.p_value) == 0


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_chance_of_any_false_rejection(rho):
    """Fifteen securities, no effect: with M = 99 exchangeable sessions and nothing fitted, 5 % of studies, no more."""
    rng = np.random.default_rng(14)
    any_rejected = []
    for _ in range(1_000):
        noise = np.sqrt(rho) * rng.standard_t(5, 100) + np.sqrt(1 - rho) * rng.standard_t(5, (15, 100))
        e = noise[:, :99]
        error = np.sqrt((e**2).mean(1))
        found = romano_wolf(lambda rows, e=e: e[rows], noise[:, 99], error, np.full(15, 99.0), 1)
        any_rejected.append((found.p_adjusted <= 0.05).any())
    low, high = stats.binom.interval(0.999, 1_000, 0.05)
    assert low <= np.sum(any_rejected) <= high


def test_the_founding_case(sample_panel, quiet):
    """Nvidia on 27 January 2025 fell as on no session before; among 18 stocks, earnings days bring such moves."""
    tickers = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    events = es.Events.at("2025-01-27", tickers)
    res = quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-268, -19), (-8, 12), min_obs=120))
    car, fit = res.car(0, 0), res.fit
    scale = in_sample_scale(fit.design, fit.arrays, fit.index.position, (-268, -19), 1)
    found = romano_wolf(fit.residuals, car["car"], car["std_error"], car["df"], 1, scale=scale)
    assert found.p_value[car["ticker"].tolist().index("NVDA")] == 1 / 251
    at = fit.index.position[0]
    x = sm.add_constant(sample_panel.values[sample_panel.row("SPY")][at - 268 : at - 18])
    rows = sample_panel.values[[sample_panel.row(name) for name in car["ticker"]], at - 268 : at - 18]
    pseudo = np.array([OLSInfluence(sm.OLS(y, x).fit()).resid_studentized_external for y in rows])
    np.testing.assert_allclose(found.p_adjusted, stepped(pseudo, car["t"].to_numpy()), rtol=1e-12)
