"""Sign and signed-rank tests against scipy, counted-out laws and loops written from the papers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import eventstudy as es
from eventstudy.inference import TESTS, TestSample

EST, EVENT = (-80, -11), (-5, 5)


def outcome(name, car, **fields):
    car = np.array(car, dtype=float)
    one = TestSample(
        window=fields.pop("window", es.Window(0, 0)), car=car, scar=car / 0.01, dof=np.full(len(car), 100.0),
        weights=None, portfolio=np.array([0.01, -0.01, 0.0]), mean_correlation=0.0, **fields,
    )  # fmt: skip
    return TESTS[name](one)


@pytest.mark.parametrize("n", [1, 2, 9, 25, 26, 400])
def test_sign_z(n):
    car = np.random.default_rng(n).normal(0.004, 0.02, n)
    up = int((car > 0).sum())
    found = outcome("sign_z", car)
    assert found.statistic == pytest.approx((up / n - 0.5) / np.sqrt(0.25 / n), rel=1e-12)
    exact = stats.binomtest(up, n, 0.5).pvalue
    normal = 2 * stats.norm.sf(abs(found.statistic))
    assert found.p_value == pytest.approx(exact if n <= 25 else normal, rel=1e-10)
    assert np.isnan(found.df) == (n <= 25)


def test_zeros_have_no_sign():
    found = outcome("sign_z", [0.0, 0.01, 0.02, -0.01, np.nan, 0.0])
    assert found.n == 3
    assert found.statistic == pytest.approx(0.5 / (0.5 * np.sqrt(3)), rel=1e-12)
    assert "zero" in outcome("sign_z", [0.0, 0.0]).reason
    assert "zero" in outcome("wilcoxon", [0.0, 0.0]).reason


@pytest.mark.parametrize("n", [1, 2, 8, 50, 51, 300])
def test_wilcoxon_is_scipys(n):
    x = np.random.default_rng(n).normal(0.1, 1, n)
    found = outcome("wilcoxon", x)
    # R's V, the sum of positive ranks, is what scipy reports against the one-sided alternative
    assert found.statistic == pytest.approx(stats.wilcoxon(x, alternative="greater").statistic, rel=1e-14)
    method = "exact" if n <= 50 else "asymptotic"
    assert found.p_value == pytest.approx(stats.wilcoxon(x, method=method).pvalue, rel=1e-10)


def test_wilcoxon_with_zeros_and_ties_counted_out():
    x = np.array([0.0, 0.3, -0.3, 0.3, 0.1, 0.7, 0.0, 0.9, -0.1])
    rest = x[x != 0]
    rank = stats.rankdata(np.abs(rest))
    centre = rank.sum() / 2
    observed = rank[rest > 0].sum()
    sums = np.array([rank[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=len(rest))])
    expected = (np.abs(sums - centre) >= abs(observed - centre)).mean()
    found = outcome("wilcoxon", x)
    assert (found.statistic, found.n) == (observed, 7)
    assert found.p_value == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_corrects_for_ties_in_large_samples():
    x = np.round(np.random.default_rng(3).normal(0.1, 1, 200), 1)
    expected = stats.wilcoxon(x, method="asymptotic", correction=False)
    assert outcome("wilcoxon", x).p_value == pytest.approx(expected.pvalue, rel=1e-10)


def study(synthetic, events_at, study_of, *, missing=0.0, seed=0, n=13):
    frame = synthetic(n, 260, seed=seed, missing=missing)
    at = np.random.default_rng(seed + 1).choice(np.arange(120, 240), n, replace=False)
    events = events_at(frame, dict(zip(frame.columns[1:], at.tolist(), strict=True)))
    return study_of(frame, events, estimation_window=EST, event_window=EVENT, min_obs=40)


@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("window", [(0, 0), (-1, 1), (-5, 5)])
def test_generalized_sign(synthetic, events_at, study_of, missing, window):
    res = study(synthetic, events_at, study_of, missing=missing)
    length = window[1] - window[0] + 1
    residuals = res.fit.residuals(np.arange(len(res)))
    car = res.car(*window)["car"].to_numpy()
    shares, up = [], 0
    for i in range(len(res)):
        if np.isnan(car[i]):
            continue
        positive, complete = 0, 0
        for t in range(residuals.shape[1] - length + 1):
            total = sum(residuals[i, t : t + length].tolist())
            if not np.isnan(total):
                complete += 1
                positive += total > 0
        if complete:
            shares.append(positive / complete)
            up += car[i] > 0
    p = np.mean(shares)
    row = res.tests(*window).loc["generalized_sign_z"]
    assert row["statistic"] == pytest.approx((up - len(shares) * p) / np.sqrt(len(shares) * p * (1 - p)), rel=1e-10)
    assert row["n"] == len(shares)


@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("window", [(0, 0), (-2, 1)])
def test_corrado_sign(synthetic, events_at, study_of, missing, window):
    """Corrado & Zivney (1992): signs about each event's median, variance of their sums over all sessions."""
    res = study(synthetic, events_at, study_of, missing=missing, seed=3)
    residuals = res.fit.residuals(np.arange(len(res)))
    both = np.hstack([residuals, res.fit.ar])
    columns = [residuals.shape[1] + tau - EVENT[0] for tau in range(window[0], window[1] + 1)]
    both = both[~np.isnan(both[:, columns]).any(axis=1)]
    sums = []
    for t in range(both.shape[1]):
        signs = [np.sign(row[t] - np.nanmedian(row)) for row in both if not np.isnan(row[t])]
        sums.append(sum(signs) / np.sqrt(len(signs)))
    expected = np.sum(np.array(sums)[columns]) / np.sqrt(len(columns)) / np.sqrt(np.mean(np.square(sums)))
    row = res.tests(*window).loc["corrado_sign"]
    assert row["statistic"] == pytest.approx(expected, rel=1e-11)
    assert row["n"] == len(both)


def test_no_answer_without_what_is_read():
    for name in ("generalized_sign_z", "corrado_sign", "corrado_rank", "grank_t", "grank_z", "calendar_portfolio_t"):
        found = outcome(name, [0.01, -0.02, 0.03])
        assert np.isnan(found.statistic)
        assert "not given" in found.reason
    share = np.ones(3)
    assert "same sign" in outcome("generalized_sign_z", [0.01, 0.02, -0.1], positive_share=share).reason
    nothing = np.full(3, np.nan)
    assert "in a row" in outcome("generalized_sign_z", [0.01, 0.02, -0.1], positive_share=nothing).reason
