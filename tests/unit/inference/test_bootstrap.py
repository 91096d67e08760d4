"""Bootstrap tests against full enumeration, loops over the definitions, statsmodels, and simulated size."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.abnormal import cumulated
from eventstudy.errors import InputError
from eventstudy.inference import bootstrap, wild
from eventstudy.inference.bootstrap import (
    bhar_skew_bootstrap,
    block_bootstrap,
    forecast_inflation,
    skew_adjusted_t,
)
from eventstudy.inference.resampling import generator
from eventstudy.inference.wild import wild_bootstrap

NAN = float("nan")
SIX = [-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]


def band(n, p=0.05, level=0.999):
    low, high = stats.binom.interval(level, n, p)
    return low / n, high / n


# -- wild bootstrap: the statistic --------------------------------------------------------------------------------


def clustered_t(x, clusters, w=None):
    """Cluster-robust t of a mean by statsmodels, without its n − 1 over n − K factor (which is one here)."""
    codes = pd.factorize(np.asarray(clusters))[0]
    fit = sm.WLS(x, np.ones(len(x)), weights=np.ones(len(x)) if w is None else w).fit()
    return fit.get_robustcov_results("cluster", groups=codes, use_t=True).tvalues[0]


def loop_t(x, clusters, w):
    """The same from the definition; infinite where the dates have no spread."""
    mean = np.average(x, weights=w)
    names = sorted(set(clusters))
    total = sum(sum(w[i] * (x[i] - mean) for i in range(len(x)) if clusters[i] == c) ** 2 for c in names)
    error = np.sqrt(len(names) / (len(names) - 1) * total) / sum(w)
    return mean / error if error > 1e-13 else np.inf


def enumerated_p(x, clusters, points, w=None):
    """Share of all vectors of weights whose |t| reaches the observed one."""
    w = np.ones(len(x)) if w is None else w
    names = sorted(set(clusters))
    observed = abs(loop_t(x, clusters, w))
    reached = total = 0
    for vector in itertools.product(points, repeat=len(names)):
        draw = dict(zip(names, vector, strict=True))
        starred = np.array([draw[c] * value for c, value in zip(clusters, x, strict=True)])
        reached += abs(loop_t(starred, clusters, w)) >= observed * (1 - 1e-9)
        total += 1
    return reached / total


@pytest.mark.parametrize("weighted", [False, True])
def test_the_statistic_is_the_clustered_t(weighted):
    rng = np.random.default_rng(61)
    x, clusters = rng.normal(0.4, 1, 60), np.append(np.arange(14), rng.integers(0, 14, 46))
    w = rng.uniform(0.3, 3, 60) if weighted else None
    found = wild_bootstrap(x, clusters, event_weights=w, draws=99, seed=1)
    assert found.statistic == pytest.approx(clustered_t(x, clusters, w), rel=1e-10)
    assert (found.n, found.n_clusters) == (60, 14)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("scheme", "g"), [("rademacher", 2), ("rademacher", 7), ("webb", 2), ("webb", 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_full_enumeration(seed, scheme, g, weighted):
    rng = np.random.default_rng(seed)
    clusters = np.concatenate([np.arange(g), rng.integers(0, g, 9)])
    x = rng.normal(0.5, 1, len(clusters)) + rng.normal(0, 1, g)[clusters]
    w = rng.uniform(0.5, 2, len(x)) if weighted else None
    found = wild_bootstrap(x, clusters, weights=scheme, event_weights=w)
    points = [-1.0, 1.0] if scheme == "rademacher" else SIX
    assert found.p_value == pytest.approx(enumerated_p(x, clusters, points, w), abs=1e-12)
    assert found.exhaustive
    assert found.n_draws == len(points) ** g


def test_by_hand():
    """Four dates of one event, all positive: only all-plus and all-minus reach |t|, so p = 2/16."""
    found = wild_bootstrap(np.array([1.0, 2.0, 1.5, 0.5]), np.arange(4), weights="rademacher")
    assert found.statistic == pytest.approx(1.25 / (np.sqrt(1.25 / 3) / 2), rel=1e-12)  # mean, sd/√n
    assert found.p_value == 2 / 16


def test_draws_estimate_the_enumeration():
    rng = np.random.default_rng(62)
    x, clusters = rng.normal(0.3, 1, 40), np.repeat(np.arange(10), 4)
    exact = wild_bootstrap(x, clusters, weights="rademacher", draws=1_024)
    assert exact.exhaustive
    drawn = wild_bootstrap(x, clusters, weights="rademacher", draws=1_023, seed=5)
    assert not drawn.exhaustive
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * np.sqrt(0.25 / 1_023))
    assert drawn.p_value * 1_024 == pytest.approx(round(drawn.p_value * 1_024), abs=1e-9)


@pytest.mark.parametrize(
    ("g", "kind", "exhaustive", "n"),
    [
        (2, "webb", True, 36),
        (5, "webb", True, 7_776),
        (6, "webb", False, 9_999),
        (11, "webb", False, 9_999),
        (12, "rademacher", True, 4_096),
        (13, "rademacher", True, 8_192),
        (14, "rademacher", False, 9_999),
    ],
)
def test_which_weights(g, kind, exhaustive, n):
    x = np.random.default_rng(63).normal(size=2 * g)
    found = wild_bootstrap(x, np.tile(np.arange(g), 2), seed=0)
    assert (found.weights, found.exhaustive, found.n_draws) == (kind, exhaustive, n)


def test_six_points_have_mean_zero_and_variance_one():
    """Webb (2014): also the third moment is zero."""
    points = wild._POINTS["webb"]
    np.testing.assert_allclose(np.sort(points), SIX)
    np.testing.assert_allclose([points.mean(), (points**2).mean(), (points**3).mean()], [0, 1, 0], atol=1e-15)


# -- wild bootstrap: interval, invariances, size ------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["rademacher", "webb"])
def test_the_wild_interval_holds_what_is_not_rejected(scheme):
    rng = np.random.default_rng(64)
    clusters = rng.integers(0, 9, 50)
    x = rng.normal(0.5, 1, 50) + rng.normal(0, 0.5, 9)[clusters]
    found = wild_bootstrap(x, clusters, weights=scheme, confidence=0.9, seed=3)
    width = found.ci_upper - found.ci_lower
    for mu, rejected in (
        (found.ci_lower - 1e-6 * width, True), (found.ci_lower + 1e-6 * width, False), (x.mean(), False),
        (found.ci_upper - 1e-6 * width, False), (found.ci_upper + 1e-6 * width, True),
    ):  # fmt: skip
        assert (wild_bootstrap(x - mu, clusters, weights=scheme, seed=3).p_value <= 0.1) is rejected


def test_few_dates_have_no_interval():
    x = np.random.default_rng(65).normal(size=10)
    found = wild_bootstrap(x, np.repeat(np.arange(5), 2), weights="rademacher")
    assert found.p_value >= 1 / 16
    assert np.isnan([found.ci_lower, found.ci_upper]).all()
    assert "too few" in found.ci_reason
    assert np.isfinite(wild_bootstrap(x, np.repeat(np.arange(5), 2), weights="rademacher", confidence=0.9).ci_lower)


def test_many_events_on_many_dates_agree_with_the_normal_law():
    rng = np.random.default_rng(66)
    clusters = rng.integers(0, 300, 3_000)
    x = rng.normal(0.04, 1, 3_000) + 0.3 * rng.normal(size=300)[clusters]
    found = wild_bootstrap(x, clusters, seed=1)
    t = clustered_t(x, clusters)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(t)), abs=0.015)
    half = 1.96 * abs(x.mean() / t)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.08 * half)


def test_chunks_seeds_and_generators(monkeypatch):
    rng = np.random.default_rng(67)
    x, clusters = rng.normal(size=80), rng.integers(0, 20, 80)
    one = wild_bootstrap(x, clusters, draws=500, seed=7)
    monkeypatch.setattr(wild, "_CELLS", 20 * 13)
    assert wild_bootstrap(x, clusters, draws=500, seed=7) == one
    assert wild_bootstrap(x, clusters, draws=500, seed=np.random.default_rng(7)) == one
    assert wild_bootstrap(x, clusters, draws=500, seed=8) != one
    monkeypatch.setattr(wild, "_CELLS", 1)
    assert wild_bootstrap(x, clusters, draws=500, seed=7) == one
    moving = np.random.default_rng(7)
    assert wild_bootstrap(x, clusters, draws=500, seed=moving) == one
    assert wild_bootstrap(x, clusters, draws=500, seed=moving) != one


def test_order_labels_scale_and_sign():
    rng = np.random.default_rng(68)
    x, clusters = rng.normal(0.3, 1, 30), rng.integers(0, 8, 30)
    base = wild_bootstrap(x, clusters, weights="rademacher")
    order = rng.permutation(30)
    names = np.array([f"2025-01-{day + 1:02d}" for day in rng.permutation(8)])
    for other in (
        wild_bootstrap(x[order], clusters[order], weights="rademacher"),
        wild_bootstrap(x, names[clusters], weights="rademacher"),
        wild_bootstrap(1e-4 * x, clusters, weights="rademacher"),
        wild_bootstrap(-x, clusters, weights="rademacher"),
    ):
        assert other.p_value == base.p_value
        assert abs(other.statistic) == pytest.approx(base.statistic, rel=1e-12)


def test_size_of_sign_flips_is_exact():
    """Eight dates with common shocks and unequal sizes: p is a multiple of 1/128, and 6/128 the last below 5 %."""
    rng = np.random.default_rng(69)
    clusters = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 2, 7])
    p = []
    for _ in range(1_000):
        x = rng.standard_t(4, len(clusters)) + rng.normal(size=8)[clusters]
        p.append(wild_bootstrap(x, clusters, weights="rademacher").p_value)
    low, high = band(1_000, 6 / 128)
    # unequal sizes make dates unlike, and a studentised sign test is exact for their sums only: it may lose a little
    assert low - 0.01 <= np.mean(np.array(p) <= 0.05) <= high + 0.01


@pytest.mark.parametrize(
    ("values", "clusters", "reason"),
    [
        ([NAN, NAN], [1, 2], "no event"),
        ([], [], "no event"),
        ([0.1], [1], "one date"),
        ([0.1, 0.3, -0.2], [1, 1, 1], "one date"),
        ([0.1, 0.2, NAN], [1, 1, 2], "one date"),
        ([0.1, 0.1, 0.1], [1, 2, 3], "equal"),
        ([0.0, 0.0], [1, 2], "equal"),
        ([0.1, 0.3, 0.2, 0.2], [1, 1, 2, 2], "equal"),
    ],
)
def test_no_wild_answer(values, clusters, reason):
    found = wild_bootstrap(np.array(values), np.array(clusters))
    assert np.isnan([found.statistic, found.p_value, found.ci_lower, found.ci_upper]).all()
    assert reason in found.reason


def test_two_events_on_two_dates():
    found = wild_bootstrap(np.array([0.1, 0.2]), np.array([1, 2]))
    assert 0 < found.p_value <= 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"weights": "mammen"}, "mammen"),
        ({"draws": 0}, "draws"),
        ({"draws": 99.0}, "draws"),
        ({"confidence": 1.0}, "confidence"),
        ({"seed": -1}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"event_weights": [1.0, -1.0, 1.0]}, "positive"),
        ({"event_weights": [1.0]}, "shapes"),
    ],
)
def test_wrong_wild_options(options, match):
    with pytest.raises(InputError, match=match):
        wild_bootstrap(np.arange(3.0), np.arange(3), **options)


# -- blocks of sessions -------------------------------------------------------------------------------------------


def test_a_day_is_a_draw_of_one_session():
    """L = 1: P(|session| ≥ |caar|) is a share of the sessions, whatever the blocks."""
    pool = np.random.default_rng(70).standard_t(4, 200)
    pool -= pool.mean()
    caar = np.quantile(np.abs(pool), 0.9)
    share = np.mean(np.abs(pool) >= caar)
    for blocks in ("moving", "stationary"):
        found = block_bootstrap(pool, caar, 1, blocks=blocks, block=1, draws=20_000, seed=1)
        assert found.p_value == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 20_000))
        low, high = np.quantile(pool, [0.025, 0.975])
        assert (found.ci_lower, found.ci_upper) == pytest.approx((caar - high, caar - low), abs=0.25)


def test_a_block_as_long_as_the_window_is_the_placebo_distribution():
    rng = np.random.default_rng(71)
    pool = np.convolve(rng.normal(size=150), [1, 0.7, 0.4], mode="valid")
    pool -= pool.mean()
    sums = np.array([pool[i : i + 5].sum() for i in range(len(pool) - 4)])
    found = block_bootstrap(pool, 5.0, 5, blocks="moving", block=5, draws=40_000, seed=1)
    share = np.mean(np.abs(sums) >= 5.0)
    assert found.p_value == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 40_000))
    assert found.std_error == pytest.approx(sums.std(), rel=0.03)


@pytest.mark.parametrize("blocks", ["moving", "stationary"])
def test_variance_of_resampled_sums(blocks):
    """Exact variance of a sum: L σ² of single sessions; Σ (1 − 1/b)^|h| c(h), circular, of stationary blocks."""
    rng = np.random.default_rng(72)
    pool = np.convolve(rng.normal(size=121), [1, 1], mode="valid")
    pool -= pool.mean()
    m, length = len(pool), 6
    circular = [np.mean(pool * np.roll(pool, -h)) for h in range(length)]
    iid = block_bootstrap(pool, 1.0, length, blocks=blocks, block=1, draws=40_000, seed=2)
    assert iid.std_error**2 == pytest.approx(length * circular[0], rel=0.04)
    if blocks == "stationary":
        keep = 1 - 1 / 4
        variance = length * circular[0] + 2 * sum((length - h) * keep**h * circular[h] for h in range(1, length))
    else:  # two blocks of three: independent of one another
        sums = np.array([pool[i : i + 3].sum() for i in range(m - 2)])
        variance = 2 * sums.var()
    found = block_bootstrap(pool, 1.0, length, blocks=blocks, block=4 if blocks == "stationary" else 3, draws=40_000, seed=2)  # fmt: skip # noqa: E501
    assert found.std_error**2 == pytest.approx(variance, rel=0.04)


def test_drawn_sessions_run_in_blocks():
    u = np.random.default_rng(73).random((200, 2, 10))
    moving = bootstrap._drawn(u, 50, 4, "moving")
    assert moving.shape == (200, 10)
    assert (np.diff(moving[:, :4], axis=1) == 1).all()
    assert (np.diff(moving[:, 4:8], axis=1) == 1).all()
    assert moving.min() >= 0
    assert moving.max() <= 49
    stationary = bootstrap._drawn(u, 50, 4, "stationary")
    new = (np.diff(stationary, axis=1) % 50) != 1
    assert new.mean() == pytest.approx(0.25 * 49 / 50, abs=0.03)


def test_the_default_block_and_missing_sessions():
    pool = np.random.default_rng(74).normal(size=250)
    found = block_bootstrap(pool, 1.0, 3, seed=1)
    assert (found.block, found.n_sessions) == (7, 250)  # 250^(1/3) = 6.3
    holed = np.insert(pool, [10, 100], NAN)
    assert block_bootstrap(holed, 1.0, 3, seed=1) == found


def test_block_seeds_and_chunks(monkeypatch):
    pool = np.random.default_rng(75).normal(size=100)
    one = block_bootstrap(pool, 2.0, 5, draws=777, seed=1)
    monkeypatch.setattr(bootstrap, "_CELLS", 101)
    assert block_bootstrap(pool, 2.0, 5, draws=777, seed=1) == one
    assert block_bootstrap(pool, 2.0, 5, draws=777, seed=2) != one


def test_a_constant_shift_of_residuals_is_not_noise():
    """Market-adjusted residuals need not have mean zero; what is resampled is their deviation."""
    pool = np.random.default_rng(76).normal(size=100)
    base, shifted = (block_bootstrap(p, 2.0, 4, seed=1) for p in (pool, pool + 3.0))
    assert shifted.ci_lower == pytest.approx(base.ci_lower, rel=1e-9)


def test_inflation_is_the_ratio_of_standard_deviations(synthetic, study_of, events_at):
    """One date, nothing missing: √((L + ι'X_W(X'X)⁻¹X_W'ι)/L · M/(M − 2)) for every event."""
    frame = synthetic(5, 200, seed=77)
    res = study_of(frame, events_at(frame, {f"S{i:02d}": 160 for i in range(5)}))
    c = cumulated(res.fit, es.Window(-1, 2))
    mean_square = (res.fit.residuals(np.arange(5)) ** 2).mean(1)
    found = forecast_inflation(c.std_error, mean_square, 4)
    x = sm.add_constant(frame["MKT"].to_numpy()[30:150])
    new = sm.add_constant(frame["MKT"].to_numpy()[159:163]).sum(0)
    assert found == pytest.approx(np.sqrt((4 + new @ np.linalg.inv(x.T @ x) @ new) / 4 * 120 / 118), rel=1e-9)
    assert np.isnan(forecast_inflation(c.std_error * NAN, mean_square, 4))


def test_size_of_the_block_bootstrap_on_one_date():
    """Twenty events with correlation 0.2 on one session of 121; a constant mean is fitted, fat tails."""
    rng = np.random.default_rng(78)
    p = []
    for _ in range(1_000):
        noise = np.sqrt(0.2) * rng.standard_t(5, 121) + np.sqrt(0.8) * rng.standard_t(5, (20, 121))
        portfolio = noise.mean(0)
        est, now = portfolio[:120], portfolio[120]
        inflation = np.sqrt((1 + 1 / 120) * 120 / 119)
        found = block_bootstrap(est - est.mean(), now - est.mean(), 1, inflation=inflation, draws=499, seed=rng)
        p.append(found.p_value)
    low, high = band(1_000)
    assert low <= np.mean(np.array(p) <= 0.05) <= high + 0.005


@pytest.mark.parametrize(
    ("pool", "caar", "options", "reason"),
    [
        (np.zeros(50), 0.1, {}, "does not vary"),
        (np.full(50, 0.1), 0.1, {}, "does not vary"),
        (np.full(50, NAN), 0.1, {}, "0 sessions"),
        (np.arange(2.0), 0.1, {}, "2 sessions"),
        (np.arange(5.0), 0.1, {"block": 6}, "5 sessions"),
        (np.arange(5.0), NAN, {}, "no event"),
        (np.arange(5.0), 0.1, {"inflation": NAN}, "forecast variance"),
    ],
)
def test_no_block_answer(pool, caar, options, reason):
    found = block_bootstrap(pool, caar, 1, **options)
    assert np.isnan([found.p_value, found.ci_lower, found.ci_upper]).all()
    assert reason in found.reason


@pytest.mark.parametrize(
    ("options", "match"), [({"blocks": "fixed"}, "fixed"), ({"block": 0}, "block"), ({"draws": 0}, "draws")]
)
def test_wrong_block_options(options, match):
    with pytest.raises(InputError, match=match):
        block_bootstrap(np.arange(9.0), 0.1, 1, **options)


# -- skewness-adjusted t of buy-and-hold returns ------------------------------------------------------------------


def lyon(x, center=0.0):
    """Lyon, Barber and Tsai (1999), equation (5): t_sa = √n (S + γ̂S²/3 + γ̂/(6n))."""
    n = len(x)
    s = np.sqrt(sum((v - np.mean(x)) ** 2 for v in x) / (n - 1))
    ratio = (np.mean(x) - center) / s
    gamma = sum((v - np.mean(x)) ** 3 for v in x) / (n * s**3)
    return np.sqrt(n) * (ratio + gamma * ratio**2 / 3 + gamma / (6 * n))


def test_skew_adjusted_t_by_hand():
    # 0, 0, 3: mean 1, s = √3, γ = (−1 − 1 + 8)/(3 · 3√3) = 2/(3√3), S = 1/√3
    expected = np.sqrt(3) * (1 / np.sqrt(3) + 2 / (3 * np.sqrt(3)) / 9 + 2 / (3 * np.sqrt(3)) / 18)
    assert float(skew_adjusted_t(np.array([0.0, 0.0, 3.0]))) == pytest.approx(expected, rel=1e-13)
    assert expected == pytest.approx(1 + 2 / 27 + 1 / 27, rel=1e-13)


def test_skew_adjusted_t_without_skewness_is_students():
    x = np.array([-2.0, 0.0, 1.0, 2.0, 4.0])
    assert float(skew_adjusted_t(x)) == pytest.approx(stats.ttest_1samp(x, 0).statistic, rel=1e-13)
    rows = np.random.default_rng(79).lognormal(size=(6, 11))
    np.testing.assert_allclose(skew_adjusted_t(rows, 1.2), [lyon(row, 1.2) for row in rows], rtol=1e-12)


def test_bhar_bootstrap_is_the_papers_procedure():
    """The same draws of a quarter of the events, one at a time."""
    x = np.sort(np.random.default_rng(80).lognormal(0, 0.6, 81) - 1.1)  # draws are from the values in ascending order
    found = bhar_skew_bootstrap(x, draws=400, seed=3)
    assert found.n_resample == 21  # 81/4, rounded up
    u = np.random.default_rng(3).random((400, 21))
    reference = np.array([lyon(x[(row * 81).astype(int)], x.mean()) for row in u])
    t = lyon(x)
    tails = (1 + (reference <= t).sum()) / 401, (1 + (reference >= t).sum()) / 401
    assert found.statistic == pytest.approx(t, rel=1e-12)
    assert found.p_value == min(1.0, 2 * min(tails))
    np.testing.assert_allclose(
        [found.critical_lower, found.critical_upper], np.quantile(reference, [0.025, 0.975]), rtol=1e-9
    )
    # right skew: the lower critical value is further out
    assert -found.critical_lower > found.critical_upper


def test_bhar_seeds_chunks_and_missing(monkeypatch):
    x = np.random.default_rng(81).normal(size=60)
    one = bhar_skew_bootstrap(x, seed=1)
    monkeypatch.setattr(bootstrap, "_CELLS", 40)
    assert bhar_skew_bootstrap(x, seed=1) == one
    assert bhar_skew_bootstrap(np.append(x, NAN), seed=1) == one
    assert bhar_skew_bootstrap(x, seed=2) != one
    assert bhar_skew_bootstrap(1_000 * x, seed=1).p_value == one.p_value


def test_size_under_skewness():
    """Lognormal returns with mean zero, n = 200: a t-test rejects in the left tail only; the bootstrap is closer."""
    rng = np.random.default_rng(82)
    plain, boot = [], []
    for _ in range(600):
        x = rng.lognormal(0, 0.8, 200) - np.exp(0.32)
        plain.append(stats.ttest_1samp(x, 0).pvalue <= 0.05)
        boot.append(bhar_skew_bootstrap(x, draws=399, seed=rng).p_value <= 0.05)
    low, high = band(600)
    assert low <= np.mean(boot) <= high
    assert np.mean(boot) <= np.mean(plain) + 0.005


@pytest.mark.parametrize(
    ("x", "options", "reason"),
    [
        ([], {}, "no event"),
        ([NAN] * 3, {}, "no event"),
        ([0.1], {"resample": 3}, "equal"),
        ([0.1], {}, "17 events"),
        ([0.1, 0.2], {}, "17 events"),
        ([0.1] * 30, {}, "equal"),
        (np.arange(16.0), {}, "17 events"),
    ],
)
def test_no_bhar_answer(x, options, reason):
    found = bhar_skew_bootstrap(np.array(x, dtype=float), **options)
    assert np.isnan([found.statistic, found.p_value, found.critical_lower]).all()
    assert reason in found.reason


def test_two_events_with_a_resample_of_their_own():
    """Half of the resamples of three from two hold both; the others have no spread and are left out."""
    found = bhar_skew_bootstrap(np.array([0.1, 0.3]), resample=3, draws=2_000, seed=1)
    assert found.n_draws / 2_000 == pytest.approx(0.75, abs=0.05)
    assert 0 < found.p_value <= 1


def test_wrong_bhar_options():
    with pytest.raises(InputError, match="resample"):
        bhar_skew_bootstrap(np.arange(20.0), resample=2)
    with pytest.raises(InputError, match="shape"):
        bhar_skew_bootstrap(np.ones((3, 3)))


# -- seeds --------------------------------------------------------------------------------------------------------


def test_generators():
    assert generator(5).random() == np.random.default_rng(5).random()
    mine = np.random.default_rng(5)
    assert generator(mine) is mine
    assert generator(None).random() != generator(None).random()


# -- real data ----------------------------------------------------------------------------------------------------


def test_the_founding_case(sample_panel, quiet):
    """One date: no wild bootstrap; the block bootstrap's error is the portfolio's own standard deviation."""
    tickers = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    events = es.Events.at("2025-01-29 04:46", tickers, tz="America/New_York")
    res = quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-270, -21), (-10, 10), min_obs=120))
    c = cumulated(res.fit, es.Window(0, 0))
    assert "one date" in wild_bootstrap(c.car, res.fit.index.position).reason
    portfolio = res.estimation_summary.portfolio
    inflation = forecast_inflation(c.std_error, (res.fit.residuals(np.arange(len(res))) ** 2).mean(1), 1)
    found = block_bootstrap(portfolio, float(c.car.mean()), 1, inflation=inflation, seed=1)
    share = np.mean(np.abs(portfolio - portfolio.mean()) * inflation >= abs(c.car.mean()))
    assert found.p_value == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 9_999))
    assert found.std_error == pytest.approx(portfolio.std() * inflation, rel=0.03)
    assert found.ci_lower < c.car.mean() < found.ci_upper
    bhar = bhar_skew_bootstrap(res.bhar(0, 5)["bhar"].to_numpy(), seed=1)
    assert bhar.n_resample == 5
    assert bhar.statistic == pytest.approx(lyon(res.bhar(0, 5)["bhar"].tolist()), rel=1e-12)
