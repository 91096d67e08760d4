"""The simplex solver against scipy's SLSQP and NNLS on small problems, and by the gap of duality on large ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from eventstudy.errors import ConvergenceError
from eventstudy.models import _simplex
from eventstudy.models._simplex import Columns, simplex_least_squares


def _problem(m, n, seed, factors=3):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (m, factors))
    x = common @ rng.normal(1, 0.5, (factors, n)) + rng.normal(0, 0.015, (m, n))
    return x, common.sum(1) + rng.normal(0, 0.015, m)


def _dense(found, n):
    weight = np.zeros(n)
    weight[found.active] = found.weight
    return weight


def _slsqp(x, y):
    n, scale = x.shape[1], 1e2
    return minimize(
        lambda w: 0.5 * ((scale * (y - x @ w)) ** 2).sum(),
        np.full(n, 1 / n),
        jac=lambda w: -(scale**2) * x.T @ (y - x @ w),
        bounds=[(0, None)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(n)},
        method="SLSQP",
        options={"maxiter": 2_000, "ftol": 1e-15},
    ).x


@pytest.mark.parametrize(("m", "n", "seed"), [(40, 2, 0), (60, 5, 1), (100, 20, 2), (120, 50, 3), (30, 40, 4)])
def test_weights_are_those_of_scipy(m, n, seed):
    x, y = _problem(m, n, seed)
    weight = _dense(simplex_least_squares(Columns(x), y), n)
    np.testing.assert_allclose(weight, _slsqp(x, y), atol=1e-6)
    # a heavy row makes the sum one: nnls ends at the same weights to the square root of its weight
    heavy = 1e3
    exact, _ = nnls(np.vstack([x, np.full(n, heavy)]), np.append(y, heavy), maxiter=10_000)
    np.testing.assert_allclose(weight, exact, atol=1e-7)


@pytest.mark.parametrize(("n", "m"), [(500, 120), (2_000, 250)])
def test_large_problems_end_at_the_solution(n, m):
    x, y = _problem(m, n, 7)
    columns = Columns(x)
    for shift in range(3):  # further targets find the products of the first
        target = y + shift * np.random.default_rng(shift).normal(0, 0.01, m)
        found = simplex_least_squares(columns, target)
        weight = _dense(found, n)
        assert (found.weight > 0).all()
        assert abs(weight.sum() - 1) < 1e-13
        gradient = x.T @ (x @ weight - target)
        objective = 0.5 * ((target - x @ weight) ** 2).sum()
        gap = weight @ gradient - gradient.min()  # bounds how much better any other weights could be
        assert gap <= 1e-10 * objective
        np.testing.assert_allclose(found.gap, gap, atol=1e-12 * objective)


def test_allowed_columns_equal_a_problem_without_the_others():
    x, y = _problem(100, 30, 5)
    columns = Columns(x)
    simplex_least_squares(columns, y)
    allowed = np.arange(30) % 3 != 0
    found = simplex_least_squares(columns, y, allowed)
    alone = simplex_least_squares(Columns(x[:, allowed]), y)
    np.testing.assert_array_equal(found.active, np.flatnonzero(allowed)[alone.active])
    np.testing.assert_allclose(found.weight, alone.weight, atol=1e-13)


def test_special_targets():
    x, y = _problem(80, 10, 6)
    one = simplex_least_squares(Columns(x[:, :1]), y)
    assert (one.active.tolist(), one.weight.tolist()) == ([0], [1.0])
    corner = simplex_least_squares(Columns(x), x[:, 3])
    assert (corner.active.tolist(), corner.weight.tolist()) == ([3], [1.0])
    inside = simplex_least_squares(Columns(x), x @ np.full(10, 0.1))
    np.testing.assert_allclose(_dense(inside, 10), 0.1, atol=1e-12)
    twice = simplex_least_squares(Columns(np.column_stack([x, x])), y)  # every column has a double
    np.testing.assert_allclose(
        _dense(twice, 20).reshape(2, 10).sum(0), _dense(simplex_least_squares(Columns(x), y), 10), atol=1e-12
    )
    constant = simplex_least_squares(Columns(np.zeros((80, 4))), y)
    assert abs(constant.weight.sum() - 1) < 1e-14


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(2, 15), st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_properties(n, m, seed, unit):
    """Optimal within the gap; free of units; and never worse than the best single column."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, n)), rng.normal(size=m)
    weight = _dense(simplex_least_squares(Columns(x), y), n)
    scaled = _dense(simplex_least_squares(Columns(unit * x), unit * y), n)
    objective = ((y - x @ weight) ** 2).sum()
    assert objective <= ((y[:, None] - x) ** 2).sum(0).min() * (1 + 1e-12)
    # where columns outnumber sessions weights are not unique, but what they make is
    np.testing.assert_allclose(x @ scaled, x @ weight, atol=1e-7)
    gradient = x.T @ (x @ weight - y)
    assert weight @ gradient - gradient.min() <= 1e-10 * max(objective, 1e-3)


def test_a_solver_that_does_not_end_says_so(monkeypatch):
    x, y = _problem(100, 20, 2)
    monkeypatch.setattr(_simplex, "range", lambda *_: range(1, 3), raising=False)
    with pytest.raises(ConvergenceError, match="20 donors"):
        simplex_least_squares(Columns(x), y)
