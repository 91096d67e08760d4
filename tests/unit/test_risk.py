"""Formulas of risk on arrays: against hand-computed cases, scipy, statsmodels and arch."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy import risk
from eventstudy.risk.beta import beta_shift
from eventstudy.risk.contagion import contagion
from eventstudy.risk.garch import _negative, fit_garch, forecast_test
from eventstudy.risk.ranges import ESTIMATORS
from eventstudy.risk.volatility import brown_forsythe, log_variance_ratio, placebo_ratios, variance_f, welch_t

# Three sessions in logarithms. Between the first two the price rises by 0.01 overnight, then falls by 0.01.
#            open  high   low  close
DAY_LOGS = [[0.00, 0.02, -0.01, 0.01], [0.02, 0.05, 0.01, 0.04], [0.03, 0.04, 0.01, 0.01]]
OPEN, HIGH, LOW, CLOSE = np.exp(np.array(DAY_LOGS)).T

# Worked out by hand. ranges ln(H/L): 0.03, 0.04, 0.03; their squares sum to 34e-4; 4 ln 2 = 2.772588722.
PARKINSON = 34e-4 / 3 / 2.772588722
# ½ range²: 4.5e-4, 8e-4, 4.5e-4; ln(C/O)²: 1e-4, 4e-4, 4e-4; 2 ln 2 − 1 = 0.386294361.
GARMAN_KLASS = (17e-4 - 0.386294361 * 9e-4) / 3
# ln(H/C) ln(H/O) + ln(L/C) ln(L/O): 0.01·0.02 + 0.02·0.01; 0.01·0.03 + 0.03·0.01; 0.03·0.01 + 0·0.02.
ROGERS_SATCHELL = (4e-4 + 6e-4 + 3e-4) / 3
# Two sessions with a close before: nights 0.01, −0.01 (variance 2e-4), days 0.02, −0.02 (variance 8e-4), Rogers and
# Satchell (6e-4 + 3e-4)/2; k = 0.34/(1.34 + 3/1) = 0.34/4.34.
YANG_ZHANG = 2e-4 + 0.34 / 4.34 * 8e-4 + 4.0 / 4.34 * 4.5e-4


# -- range estimators ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "variance"),
    [
        (risk.parkinson(HIGH, LOW), PARKINSON),
        (risk.garman_klass(OPEN, HIGH, LOW, CLOSE), GARMAN_KLASS),
        (risk.rogers_satchell(OPEN, HIGH, LOW, CLOSE), ROGERS_SATCHELL),
        (risk.yang_zhang(OPEN, HIGH, LOW, CLOSE), YANG_ZHANG),
        (risk.close_to_close(CLOSE), (0.03**2 + 0.03**2) / 1),  # returns 0.03 and −0.03, mean 0
    ],
    ids=["parkinson", "garman_klass", "rogers_satchell", "yang_zhang", "close"],
)
def test_estimators_by_hand(found, variance):
    assert found == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_annual_volatility_is_per_session_times_the_root():
    assert risk.parkinson(HIGH, LOW, annualize=252) == pytest.approx(np.sqrt(252 * PARKINSON), rel=1e-9)


def test_a_session_that_lacks_a_price_does_not_count():
    high = HIGH.copy()
    high[1] = np.nan
    assert risk.parkinson(high, LOW) ** 2 == pytest.approx(18e-4 / 2 / 2.772588722, rel=1e-9)
    assert risk.rogers_satchell(OPEN, high, LOW, CLOSE) ** 2 == pytest.approx((4e-4 + 3e-4) / 2, rel=1e-9)
    assert np.isnan(risk.yang_zhang(OPEN, high, LOW, CLOSE))  # one session is left
    assert np.isnan(risk.close_to_close([1.0, np.nan, 1.1]))


def test_rows_are_estimated_apart():
    both = risk.yang_zhang(*(np.stack([x, x[::-1]]) for x in (OPEN, HIGH, LOW, CLOSE)))
    assert both.shape == (2,)
    assert both[0] == pytest.approx(np.sqrt(YANG_ZHANG), rel=1e-9)


def _diffusion(drift, sigma, days=3_000, steps=800):
    """Bars of a path seen 800 times a day; a session opens where the last one closed."""
    rng = np.random.default_rng(3)
    path = np.cumsum(rng.normal(drift / steps, sigma / np.sqrt(steps), (days, steps)), axis=1)
    start = np.concatenate([[0.0], np.cumsum(path[:-1, -1])])
    logs = [start, start + np.maximum(path.max(1), 0), start + np.minimum(path.min(1), 0), start + path[:, -1]]
    return [np.exp(one - start.mean()) for one in logs]


def test_estimators_find_the_variance_of_a_diffusion():
    """With a drift of half a standard deviation a day, which Rogers–Satchell and Yang–Zhang do not mind."""
    sigma = 0.02
    still, rising = _diffusion(0.0, sigma), _diffusion(0.01, sigma)
    # what is seen 800 times a day misses about 0.6 σ/√800 at either end of a range
    for bars in (still, rising):
        assert risk.rogers_satchell(*bars) == pytest.approx(sigma, rel=0.06)
        assert risk.yang_zhang(*bars) == pytest.approx(sigma, rel=0.06)
        assert risk.close_to_close(bars[3]) == pytest.approx(sigma, rel=0.03)
    assert risk.parkinson(*still[1:3]) == pytest.approx(sigma, rel=0.06)
    assert risk.garman_klass(*still) == pytest.approx(sigma, rel=0.06)
    assert risk.parkinson(*rising[1:3]) > 1.04 * risk.parkinson(*still[1:3])  # drift counts as range


@pytest.mark.parametrize(
    ("bars", "match"),
    [
        ({"high": [1.0, 2.0], "low": [1.5, 1.0]}, "position 0 cannot be: high 1, low 1.5"),
        ({"high": [1.0, -2.0], "low": [0.5, -3.0]}, "position 1"),
        ({"high": [1.0], "low": [0.5, 0.6]}, "shapes"),
    ],
)
def test_bars_that_cannot_be(bars, match):
    with pytest.raises(es.InputError, match=match):
        risk.parkinson(**bars)


@pytest.mark.parametrize("annualize", [0, -252, True])
def test_years_without_sessions(annualize):
    with pytest.raises(es.InputError, match="annualize"):
        risk.close_to_close(CLOSE, annualize=annualize)


# -- tests of a change of variance ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(5)
    before, after = rng.standard_t(4, (6, 50)) * 0.01, rng.standard_t(4, (6, 21)) * 0.02
    before[rng.random(before.shape) < 0.1] = np.nan
    after[1, 3:6] = np.nan
    return before, after


def test_f_is_scipys(windows):
    statistic, p_value = variance_f(*windows)
    for row, (x, y) in enumerate(zip(*windows, strict=True)):
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        ratio = y.var(ddof=1) / x.var(ddof=1)
        law = stats.f(len(y) - 1, len(x) - 1)
        assert statistic[row] == pytest.approx(ratio, rel=1e-12)
        assert p_value[row] == pytest.approx(2 * min(law.cdf(ratio), law.sf(ratio)), rel=1e-9)


def test_brown_forsythe_is_scipys_levene_about_medians(windows):
    statistic, p_value = brown_forsythe(*windows)
    for row, (x, y) in enumerate(zip(*windows, strict=True)):
        expected = stats.levene(x[~np.isnan(x)], y[~np.isnan(y)], center="median")
        assert (statistic[row], p_value[row]) == pytest.approx(tuple(expected), rel=1e-10)


def test_welch_is_scipys(windows):
    statistic, p_value = welch_t(*windows)
    expected = stats.ttest_ind(windows[1], windows[0], axis=1, equal_var=False, nan_policy="omit")
    np.testing.assert_allclose(statistic, expected.statistic, rtol=1e-10)
    np.testing.assert_allclose(p_value, expected.pvalue, rtol=1e-9)


def test_nothing_comes_of_nothing():
    empty, some = np.full((1, 5), np.nan), np.arange(5.0)[None]
    for test in (variance_f, brown_forsythe, welch_t):
        assert np.isnan(test(empty, some)).all()
        assert np.isnan(test(np.ones((1, 5)), np.ones((1, 5)))).all()


def test_interval_of_the_log_ratio_is_the_normal_one_in_large_independent_samples():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2, 1, 4_000))
    added = [ESTIMATORS["close"].contributions(one[None]) for one in (x, y)]
    found = log_variance_ratio(*added, draws=2_000, block=1, seed=1)
    assert found.estimate[0] == pytest.approx(np.log(y.var(ddof=1) / x.var(ddof=1)), rel=1e-10)
    half = 1.96 * np.sqrt(2 / 4_000 + 2 / 4_000)  # var(ln s²) = 2/n for normal returns
    assert found.estimate[0] - found.ci_lower[0] == pytest.approx(half, rel=0.08)
    assert found.ci_upper[0] - found.estimate[0] == pytest.approx(half, rel=0.08)


def test_intervals_are_reproducible_and_widen(windows):
    added = [ESTIMATORS["close"].contributions(one[None]) for one in windows]
    one, same = (log_variance_ratio(*added, seed=4) for _ in range(2))
    wide = log_variance_ratio(*added, seed=4, confidence=0.99)
    np.testing.assert_array_equal(one.ci_lower, same.ci_lower)
    assert (wide.ci_lower < one.ci_lower).all()
    assert (wide.ci_upper > one.ci_upper).all()
    none = log_variance_ratio(*added, draws=0)
    np.testing.assert_array_equal(none.estimate, one.estimate)
    assert np.isnan(none.ci_lower).all()


def test_placebo_ranks_the_change_among_earlier_ones():
    rng = np.random.default_rng(2)
    history = rng.normal(0, 0.01, (3, 60))
    history[2, :40] = np.nan
    lengths, observed = (20, 5, 10), np.array([0.8, -0.3, 0.1])
    p_value, n = placebo_ratios(ESTIMATORS["close"], history[None], lengths, observed)
    for row in range(2):
        series = pd.Series(history[row])
        earlier = [
            np.log(series[at + 25 : at + 35].var() / series[at : at + 20].var()) for at in range(60 - sum(lengths) + 1)
        ]
        assert n[row] == len(earlier)
        exceed = sum(abs(one) >= abs(observed[row]) for one in earlier)
        assert p_value[row] == pytest.approx((1 + exceed) / (1 + len(earlier)))
    assert np.isnan(p_value[2])
    assert n[2] == 0


def test_the_placebo_test_keeps_its_size_where_volatility_clusters():
    """Windows of 50 and 21 sessions after 500 of GARCH without an event: the F test rejects four times too often."""
    rng, rows, total = np.random.default_rng(5), 1_200, 500
    x, h = np.zeros((rows, total + 221)), np.ones(rows)
    for at in range(x.shape[1]):
        x[:, at] = np.sqrt(h) * rng.normal(size=rows)
        h = 0.05 + 0.08 * x[:, at] ** 2 + 0.87 * h
    x = x[:, 200:]
    before, after = x[:, total - 60 : total - 10], x[:, total:]
    ratio = np.log(after.var(axis=1, ddof=1) / before.var(axis=1, ddof=1))
    p_value, _ = placebo_ratios(ESTIMATORS["close"], x[None, :, : total - 5], (50, 10, 21), ratio)
    assert 0.03 < (p_value <= 0.05).mean() < 0.09
    assert (variance_f(before, after)[1] <= 0.05).mean() > 0.15


# -- GARCH ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clustered():
    """Residuals of a GARCH(1,1) in the units of daily returns."""
    rng = np.random.default_rng(12)
    h, out = 1e-4, np.empty(900)
    for at in range(len(out)):
        out[at] = np.sqrt(h) * rng.standard_t(7) / np.sqrt(7 / 5)
        h = 5e-6 + 0.1 * out[at] ** 2 + 0.85 * h
    return out


@pytest.mark.parametrize(("distribution", "name"), [("normal", "normal"), ("t", "t")])
def test_garch_is_archs(clustered, distribution, name):
    from arch import arch_model

    theirs = arch_model(clustered * 100, mean="Zero", vol="GARCH", dist=name, rescale=False).fit(disp="off", tol=1e-12)
    ours = fit_garch(clustered, distribution=distribution)
    assert ours.log_likelihood == pytest.approx(theirs.loglikelihood + len(clustered) * np.log(100), abs=1e-5)
    assert [ours.omega * 1e4, ours.alpha, ours.beta] == pytest.approx(theirs.params.to_numpy()[:3], abs=2e-4)
    np.testing.assert_allclose(np.sqrt(ours.variance) * 100, theirs.conditional_volatility, rtol=1e-3)
    forecast = theirs.forecast(horizon=5, reindex=False).variance.to_numpy()[0] / 1e4
    np.testing.assert_allclose(ours.forecast(float(clustered[-1]), 5), forecast, rtol=2e-3)


def test_garch_finds_at_least_archs_maximum_on_real_returns(sample_panel):
    from arch import arch_model

    for name in ("NVDA", "ORCL", "SPY"):
        x = sample_panel.to_frame()[name]
        x = (x - x.mean()).to_numpy()
        theirs = arch_model(x * 100, mean="Zero", vol="GARCH", rescale=False).fit(disp="off")
        assert fit_garch(x).log_likelihood > theirs.loglikelihood + len(x) * np.log(100) - 1e-3


@pytest.mark.parametrize("distribution", ["normal", "t"])
def test_the_gradient_is_the_slope_of_the_likelihood(clustered, distribution):
    square, dummy = (clustered[:300] * 100) ** 2, (np.arange(300) > 280).astype(float)
    theta = np.array([0.05, 0.1, 0.8, 0.3, *([] if distribution == "normal" else [6.0])])
    _, gradient = _negative(theta, square, dummy, 1.1, distribution)
    for at in range(len(theta)):
        step = np.zeros(len(theta))
        step[at] = 1e-6
        up, down = (_negative(theta + sign * step, square, dummy, 1.1, distribution)[0] for sign in (1, -1))
        assert gradient[at] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-8)


def _log_likelihood(x, omega, alpha, beta, delta, dummy, first):
    """Normal log-likelihood, one session at a time."""
    h, total = first, 0.0
    previous = first
    for at, value in enumerate(x):
        h = omega + alpha * previous + beta * h + delta * dummy[at]
        total += stats.norm.logpdf(value, scale=np.sqrt(h))
        previous = value**2
    return total


def test_a_dummy_in_the_variance(clustered):
    x, dummy = clustered.copy(), np.zeros(len(clustered), dtype=bool)
    dummy[-60:] = True
    x[dummy] *= 2.5
    fit, plain = fit_garch(x, dummy), fit_garch(x)
    first = np.average((x[:75] * 1e2) ** 2, weights=0.94 ** np.arange(75)) / 1e4
    found = (fit.omega, fit.alpha, fit.beta, fit.delta)
    assert fit.log_likelihood == pytest.approx(_log_likelihood(x, *found, dummy, first), abs=1e-6)
    assert fit.log_likelihood > plain.log_likelihood + 5
    assert fit.delta > 0
    assert np.isnan(plain.delta)
    rng = np.random.default_rng(0)
    for _ in range(30):  # no point nearby is better
        near = [value * scale for value, scale in zip(found, rng.uniform(0.9, 1.1, 4), strict=True)]
        if near[1] + near[2] < 1:
            assert _log_likelihood(x, *near, dummy, first) <= fit.log_likelihood + 1e-6


@pytest.mark.parametrize(("resid", "match"), [(np.ones(20), "20 residuals"), (np.zeros(200), "without variance")])
def test_fits_that_cannot_converge_say_so(resid, match):
    with pytest.raises(es.ConvergenceError, match=match):
        fit_garch(resid)


def test_unknown_laws_are_refused(clustered):
    with pytest.raises(es.InputError, match="distribution"):
        fit_garch(clustered, distribution="cauchy")


def test_forecast_test_of_constant_variance_is_chi_square():
    rng = np.random.default_rng(1)
    resid = rng.normal(size=4_000) * 0.01
    fit = risk.Garch(1e-4, 0.0, 0.0, np.nan, np.inf, 0.0, np.full(4_000, 1e-4))
    ar = np.array([0.02, np.nan, -0.015])
    found = forecast_test(fit, resid, ar, 20_000, rng)
    assert found.n == 2
    assert found.ratio == pytest.approx(4 + 2.25)  # (0.02/0.01)² + (0.015/0.01)²
    assert found.p_value == pytest.approx(stats.chi2.sf(6.25, 2), rel=1e-12)
    assert found.p_simulated == pytest.approx(found.p_value, abs=0.01)


# -- betas ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(21)
    x = rng.normal(0, 0.01, (3, 160, 2))
    y = 0.001 + x @ np.array([1.2, -0.4]) + rng.normal(0, 0.01, (3, 160))
    y[1, 120:] += x[1, 120:, 0]
    y[2, [5, 50, 130]] = np.nan
    return y, np.concatenate([np.ones((3, 160, 1)), x], axis=-1), 120


def _interacted(y, x, split, **cov):
    keep = ~np.isnan(y)
    late = (np.arange(len(y)) >= split)[:, None]
    return sm.OLS(y[keep], np.hstack([x, x * late])[keep]).fit(**cov), sm.OLS(y[keep], x[keep]).fit()


def test_classical_shift_and_chow_are_those_of_dummy_interactions(regression):
    y, x, split = regression
    found = beta_shift(y, x, split, cov="nonrobust")
    for row in range(3):
        full, pooled = _interacted(y[row], x[row], split)
        np.testing.assert_allclose(found.before[row], full.params[:3], rtol=1e-9)
        np.testing.assert_allclose(found.shift[row], full.params[3:], rtol=1e-8)
        np.testing.assert_allclose(found.std_error[row], full.bse[3:], rtol=1e-9)
        np.testing.assert_allclose(found.p_value[row], full.pvalues[3:], rtol=1e-7)
        f, p, df = full.compare_f_test(pooled)
        assert (found.chow[row], found.chow_p[row], found.chow_df_num[row]) == pytest.approx((f, p, df), rel=1e-7)
        assert found.df[row] == full.df_resid


@pytest.mark.parametrize("lags", [0, 3])
def test_hac_shift_is_statsmodels(regression, lags):
    y, x, split = regression
    found = beta_shift(y[:2], x[:2], split, cov="HAC", lags=lags)
    for row in range(2):
        how = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": True}, "use_t": True}
        full, _ = _interacted(y[row], x[row], split, **how)
        np.testing.assert_allclose(found.std_error[row], full.bse[3:], rtol=1e-8)
        np.testing.assert_allclose(found.p_value[row], full.pvalues[3:], rtol=1e-6)


def test_a_missing_session_keeps_its_place_in_time(regression):
    """Neighbours of a gap are two sessions apart: with one lag they do not enter each other's covariance."""
    y, x, split = (part if isinstance(part, int) else part[:1].copy() for part in regression)
    y[0, 1::2] = np.nan
    one, none = (beta_shift(y, x, split, cov="HAC", lags=lags) for lags in (1, 0))
    np.testing.assert_allclose(one.std_error, none.std_error, rtol=1e-12)


def test_few_sessions_after_leave_chows_predictive_test(regression):
    y, x, split = regression
    found = beta_shift(y[:1, : split + 2], x[:1, : split + 2], split)
    assert np.isnan(found.t).all()
    keep = slice(0, split + 2)
    dummies = np.zeros((split + 2, 2))
    dummies[split, 0] = dummies[split + 1, 1] = 1
    full = sm.OLS(y[0, keep], np.hstack([x[0, keep], dummies])).fit()
    f, p, df = full.compare_f_test(sm.OLS(y[0, keep], x[0, keep]).fit())
    assert (found.chow[0], found.chow_p[0], found.chow_df_num[0]) == pytest.approx((f, p, df), rel=1e-8)


def test_collinear_windows_have_no_shift(regression):
    y, x, split = regression
    x = x.copy()
    x[0, split:, 1] = 0.01  # constant after
    found = beta_shift(y, x, split)
    assert np.isnan(found.shift[0]).all()
    assert np.isfinite(found.shift[1]).all()
    with pytest.raises(es.InputError, match="cov="):
        beta_shift(y, x, split, cov="white")


# -- correlations --------------------------------------------------------------------------------------------------


def test_jennrich_by_hand():
    """Equal correlations of 0 and of 0.4 among three securities, 98 sessions each.

    R̄ has 0.2 off the diagonal, so R̄⁻¹ = 1.25 (I − J/7); R̄⁻¹(R₁ − R₂) = −½ (5J/7 − I); c = 49.
    ½ tr(Z²) = ½ · 49 · ¼ · (225/49 − 30/7 + 3) = 20.25; dg Z = 1 in every place but for the sign;
    S has rows that sum to 1 + 1.25·6/7 − 2·0.2·1.25/7 = 2, so dg'S⁻¹dg = 3/2. 20.25 − 1.5 = 18.75.
    """
    before, after = np.eye(3), np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    found = risk.jennrich(before, after, 98, 98)
    assert found.statistic == pytest.approx(18.75, rel=1e-12)
    assert found.df == 3
    assert found.p_value == pytest.approx(stats.chi2.sf(18.75, 3), rel=1e-10)


def test_jennrich_of_two_securities_is_the_delta_method():
    """(r₁ − r₂)² / ((1/n₁ + 1/n₂)(1 − r̄²)²), r̄ the weighted mean: 0.04 / ((1/60 + 1/30)(1 − 0.16)²), r̄ = 0.4."""
    r = [np.array([[1, rho], [rho, 1]]) for rho in (1 / 3, 8 / 15)]
    assert risk.jennrich(*r, 60, 30).statistic == pytest.approx(0.04 / (0.05 * 0.7056), rel=1e-12)


def _pearson_filon(r):
    """Asymptotic covariance of sample correlations of a normal sample, times n (Pearson and Filon 1898)."""
    pairs = list(itertools.combinations(range(len(r)), 2))
    out = np.empty((len(pairs), len(pairs)))
    for a, (j, k) in enumerate(pairs):
        for b, (h, m) in enumerate(pairs):
            out[a, b] = 0.5 * r[j, k] * r[h, m] * (r[j, h] ** 2 + r[j, m] ** 2 + r[k, h] ** 2 + r[k, m] ** 2) + (
                r[j, h] * r[k, m]
                + r[j, m] * r[k, h]
                - (r[j, k] * r[j, h] * r[j, m] + r[j, k] * r[k, h] * r[k, m])
                - (r[j, h] * r[k, h] * r[h, m] + r[j, m] * r[k, m] * r[h, m])
            )
    return out


def test_jennrich_is_the_quadratic_form_in_pearson_and_filons_covariance():
    rng = np.random.default_rng(4)
    n = (70, 40)
    r = [np.corrcoef(rng.normal(size=(size, 5)) @ rng.normal(size=(5, 5)), rowvar=False) for size in n]
    mean = (n[0] * r[0] + n[1] * r[1]) / sum(n)
    gap = (r[0] - r[1])[np.triu_indices(5, 1)]
    expected = n[0] * n[1] / sum(n) * gap @ np.linalg.solve(_pearson_filon(mean), gap)
    assert risk.jennrich(*r, *n).statistic == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("r", "match"),
    [
        ((np.eye(2), np.eye(3)), "shapes"),
        ((np.ones((2, 3)), np.eye(3)), "no correlation matrix"),
        ((np.diag([1.0, 2.0]), np.eye(2)), "no correlation matrix"),
        ((np.ones((2, 2)), np.ones((2, 2))), "no inverse"),
    ],
)
def test_matrices_that_do_not_compare(r, match):
    with pytest.raises(es.InputError, match=match):
        risk.jennrich(*r, 50, 50)


def test_forbes_rigobon_by_hand():
    """ρ = 0.6 with four times the variance: 0.6/√(1 + 3·0.64) = 0.6/√2.92; with one fourth: 0.6/√(1 − 0.75·0.64)."""
    assert risk.forbes_rigobon(0.6, 4.0) == pytest.approx(0.6 / 1.7088007490635061, rel=1e-12)
    assert risk.forbes_rigobon(0.6, 0.25) == pytest.approx(0.6 / 0.7211102550927978, rel=1e-12)
    np.testing.assert_allclose(risk.forbes_rigobon([-0.6, 0.3], [4.0, 1.0]), [-0.351123442, 0.3], rtol=1e-8)


def test_forbes_rigobon_undoes_a_rise_of_variance():
    """y = x/2 + e: with var(x) = 1 the correlation is 0.5/√1.25; with var(x) = 9 it is 1.5/√3.25."""
    assert risk.forbes_rigobon(1.5 / np.sqrt(3.25), 9.0) == pytest.approx(0.5 / np.sqrt(1.25), rel=1e-12)
    with pytest.raises(es.InputError, match="Correlations lie"):
        risk.forbes_rigobon(1.2, 2.0)
    with pytest.raises(es.InputError, match="positive"):
        risk.forbes_rigobon(0.2, 0.0)


@pytest.mark.parametrize(
    ("p", "k", "expected"),
    # one eigenvalue 1 + (p−1)ρ, the others 1 − ρ; ρ = 0.5
    [(5, None, 3.0 / 5), (10, None, (5.5 + 0.5) / 10), (10, 1, 0.55), (3, 3, 1.0)],
)
def test_absorption_of_equal_correlations(p, k, expected):
    assert risk.absorption_ratio(np.full((p, p), 0.5) + 0.5 * np.eye(p), k) == pytest.approx(expected, rel=1e-12)


def test_absorption_wants_a_matrix():
    for matrix, k in ((np.ones(3), None), (np.eye(3), 4), (np.eye(3), 0)):
        with pytest.raises(es.InputError):
            risk.absorption_ratio(matrix, k)


def _normal(rng, n, r, scale=1.0):
    values = rng.multivariate_normal(np.zeros(len(r)), r, n) * scale * 0.01
    return pd.DataFrame(values, columns=[f"S{i}" for i in range(len(r))], index=pd.bdate_range("2024", periods=n))


def _equal(p, rho):
    return np.full((p, p), rho) + (1 - rho) * np.eye(p)


def test_matrices_and_pairs_are_pandas_and_scipys():
    rng = np.random.default_rng(6)
    before, after = _normal(rng, 90, _equal(4, 0.2)), _normal(rng, 30, _equal(4, 0.6))
    before.iloc[3, 1] = np.nan
    found = risk.correlation_change(before, after, draws=0)
    assert (found.n_before, found.n_after) == (89, 30)
    pd.testing.assert_frame_equal(found.before, before.dropna().corr(), check_exact=False, rtol=1e-12)
    pd.testing.assert_frame_equal(found.difference, after.corr() - before.dropna().corr(), atol=1e-12)
    off = np.triu_indices(4, 1)
    assert found.tests.loc["mean_correlation", "after"] == pytest.approx(after.corr().to_numpy()[off].mean())
    values = np.linalg.eigvalsh(after.cov())
    assert found.tests.loc["absorption_ratio", "after"] == pytest.approx(values[-1] / values.sum())
    expected = risk.jennrich(found.before, found.after, 89, 30)
    assert found.tests.loc["jennrich", "statistic"] == pytest.approx(expected.statistic)
    pairs = found.pairs()
    assert (np.diff(pairs["after"].abs()) <= 0).all()
    from statsmodels.stats.multitest import multipletests

    for row in pairs.itertuples():
        there = after[[row.ticker_a, row.ticker_b]]
        assert (row.after, row.p_after) == pytest.approx(tuple(stats.pearsonr(there.iloc[:, 0], there.iloc[:, 1])))
        z = (np.arctanh(row.after) - np.arctanh(row.before)) / np.sqrt(1 / 86 + 1 / 27)
        assert row.p_change == pytest.approx(2 * stats.norm.sf(abs(z)))
    np.testing.assert_allclose(pairs["p_change_bh"], multipletests(pairs["p_change"], method="fdr_bh")[1])
    assert np.isnan(found.tests[["ci_lower", "p_permutation"]].to_numpy()).all()


def test_resampled_answers_are_reproducible_and_see_a_change():
    rng = np.random.default_rng(7)
    before, after = _normal(rng, 120, _equal(6, 0.1)), _normal(rng, 40, _equal(6, 0.7), scale=3)
    one, same = (risk.correlation_change(before, after, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.tests, same.tests)
    assert (one.tests["p_permutation"] < 0.01).all()
    mean = one.tests.loc["mean_correlation"]
    assert mean["ci_lower"] < mean["change"] < mean["ci_upper"]
    assert mean["ci_lower"] > 0.3
    assert "mean correlation 0.09 to 0.70" in repr(one)


def test_a_rise_of_variance_alone_is_no_change_of_correlation():
    """Permutation p-values of many null draws with three times the volatility after: 5 % are below 0.05."""
    rng, below = np.random.default_rng(9), np.zeros(3)
    for draw in range(200):
        before, after = _normal(rng, 60, _equal(4, 0.4)), _normal(rng, 20, _equal(4, 0.4), scale=3)
        tests = risk.correlation_change(before, after, draws=99, block=1, seed=draw).tests
        below += tests["p_permutation"].to_numpy() <= 0.05
    assert (below <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)).all()


def test_the_absorption_ratio_of_few_sessions_is_judged_by_permutation_alone():
    """With one law in both windows it is higher over few sessions, which no interval about the change allows for."""
    rng = np.random.default_rng(8)
    changes, p = [], []
    for _ in range(20):
        x = pd.DataFrame(rng.normal(size=(270, 18)))
        row = risk.correlation_change(x.iloc[:250], x.iloc[250:], draws=99, seed=1).tests.loc["absorption_ratio"]
        assert np.isnan(row[["ci_lower", "ci_upper"]].to_numpy(np.float64)).all()
        changes.append(row["change"])
        p.append(row["p_permutation"])
    assert min(changes) > 0.1
    assert 0.3 < np.mean(p) < 0.7  # uniform


def test_the_bootstrap_spread_of_the_mean_correlation_is_right():
    """Against the standard deviation of the change over many samples."""
    rng, changes, half = np.random.default_rng(10), [], []
    for draw in range(150):
        before, after = _normal(rng, 200, _equal(5, 0.3)), _normal(rng, 100, _equal(5, 0.3))
        mean = risk.correlation_change(before, after, draws=200 if draw < 20 else 0, block=1, seed=1).tests.loc[
            "mean_correlation"
        ]
        changes.append(mean["change"])
        half.append((mean["ci_upper"] - mean["ci_lower"]) / 2)
    assert np.nanmean(half) == pytest.approx(1.96 * np.std(changes), rel=0.2)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda f: f[["S0"]], es.InputError, "1 securities"),
        (lambda f: f.iloc[:3], es.InsufficientDataError, "3 have a return"),
        (lambda f: f.assign(S1=np.nan), es.InsufficientDataError, "S1 lacks the most"),
        (lambda f: f.assign(S1=0.0), es.InsufficientDataError, "S1 does not move"),
    ],
)
def test_comparisons_that_cannot_be_made(change, error, match):
    frame = _normal(np.random.default_rng(0), 30, _equal(3, 0.1))
    with pytest.raises(error, match=match):
        risk.correlation_change(change(frame), change(frame))


def test_contagion_adjusts_for_the_sources_variance():
    rng = np.random.default_rng(14)
    frames = []
    for n, scale in ((4_000, 1.0), (4_000, 3.0)):
        source = rng.normal(0, scale, n)
        same = 0.5 * source + rng.normal(size=n)
        new = (0.5 if scale == 1 else 1.5) * source + rng.normal(size=n)
        frames.append(pd.DataFrame({"same": same, "source": source, "new": new}))
    found = contagion(*frames, "source").set_index("ticker")
    assert found.loc["same", "after"] > found.loc["same", "before"] + 0.3
    assert found.loc["same", "adjusted"] == pytest.approx(0.5 / np.sqrt(1.25), abs=0.03)
    assert found.loc["same", "p_value"] > 0.05
    assert found.loc["new", "p_value"] < 1e-6
    assert found.loc["same", "variance_ratio"] == pytest.approx(9, rel=0.1)
    with pytest.raises(es.InputError, match="source 'X'"):
        contagion(*frames, "X")


def test_the_standard_error_of_contagion_is_that_of_repeated_samples():
    rng, z, error = np.random.default_rng(15), [], []
    for _ in range(800):
        frames = []
        for n, scale in ((150, 1.0), (60, 2.0)):
            source = rng.normal(0, scale, n)
            frames.append(pd.DataFrame({"s": source, "y": 0.7 * source + rng.normal(size=n)}))
        row = contagion(*frames, "s").iloc[0]
        moved = np.arctanh(row["adjusted"]) - np.arctanh(row["before"])
        z.append(moved)
        error.append(moved / row["t"])
    assert np.median(error) == pytest.approx(np.std(z), rel=0.08)


# -- losses --------------------------------------------------------------------------------------------------------

TEN = [0.01, -0.02, 0.03, -0.04, 0.02, 0.0, 0.01, -0.01, 0.02, 0.015]  # sorted: −0.04, −0.02, −0.01, 0, 0.01, …


@pytest.mark.parametrize(
    ("confidence", "var", "es_"),
    [
        (0.9, 0.04, 0.04),  # the worst one
        (0.8, 0.02, (0.04 + 0.02) / 2),
        (0.75, 0.01, (0.04 + 0.02 + 0.5 * 0.01) / 2.5),  # two and a half sessions
        (0.95, 0.04, 0.04),  # half a session
    ],
)
def test_historical_losses_by_hand(confidence, var, es_):
    assert risk.value_at_risk(TEN, confidence=confidence) == pytest.approx(var)
    assert risk.expected_shortfall(TEN, confidence=confidence) == pytest.approx(es_)
    with_gaps = [*TEN[:4], np.nan, *TEN[4:]]
    assert risk.expected_shortfall(with_gaps, confidence=confidence) == pytest.approx(es_)


def test_normal_losses_are_scipys():
    rng = np.random.default_rng(0)
    x = rng.normal(0.001, 0.02, (2, 300))
    for row, found in enumerate(risk.value_at_risk(x, confidence=0.99, method="normal")):
        assert found == pytest.approx(-stats.norm.ppf(0.01, x[row].mean(), x[row].std(ddof=1)), rel=1e-10)
    law = stats.norm(x[0].mean(), x[0].std(ddof=1))
    mean_of_the_tail = law.expect(lambda v: v, ub=law.ppf(0.01)) / 0.01
    assert risk.expected_shortfall(x, confidence=0.99, method="normal")[0] == pytest.approx(-mean_of_the_tail, rel=1e-6)


def test_losses_of_nothing_are_nothing():
    for method in ("historical", "normal"):
        assert np.isnan(risk.value_at_risk([np.nan, np.nan], method=method))
        assert np.isnan(risk.expected_shortfall([np.nan, np.nan], method=method))
    with pytest.raises(es.InputError, match="method"):
        risk.value_at_risk(TEN, method="worst")
    with pytest.raises(es.InputError, match="confidence"):
        risk.expected_shortfall(TEN, confidence=95)
    with pytest.raises(es.InputError, match="single number"):
        risk.value_at_risk(0.1)


def test_drawdown_by_hand():
    """1, 1.1, 0.88, 0.924, 0.8316, 1.2474: from the first return's 1.1 to the fourth's 0.8316."""
    found = risk.drawdown([0.10, -0.20, 0.05, -0.10, 0.50])
    assert found.depth == pytest.approx(0.8316 / 1.1 - 1)
    assert (int(found.peak), int(found.trough)) == (0, 3)
    from_the_start = risk.drawdown([-0.1, np.nan, -0.1, 0.3])
    assert from_the_start.depth == pytest.approx(-0.19)
    assert (int(from_the_start.peak), int(from_the_start.trough)) == (-1, 2)
    up = risk.drawdown([0.1, 0.2])
    assert (up.depth, int(up.trough)) == (0.0, -1)
    assert np.isnan(risk.drawdown([np.nan]).depth)


def test_drawdown_against_every_pair_of_sessions():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 0.02, (20, 40))
    wealth = np.concatenate([np.ones((20, 1)), np.cumprod(1 + x, axis=1)], axis=1)
    deepest = [min(w[b] / w[a] - 1 for a in range(41) for b in range(a, 41)) for w in wealth]
    np.testing.assert_allclose(risk.drawdown(x).depth, deepest, rtol=1e-12)
    np.testing.assert_allclose(risk.drawdown(np.log1p(x), kind="log").depth, deepest, rtol=1e-12)
    for bad, kind in ((0.1, "simple"), (np.empty((2, 0)), "simple"), (x, "percent")):
        with pytest.raises(es.InputError):
            risk.drawdown(bad, kind=kind)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: risk.parkinson(["a"], [1.0]), "high is not an array of numbers"),
        (lambda: risk.value_at_risk(["a"]), "returns is not an array of numbers"),
        (lambda: risk.value_at_risk([]), r"returns have shape \(0,\)"),
        (lambda: risk.expected_shortfall([]), r"returns have shape \(0,\)"),
        (lambda: risk.absorption_ratio([[1.0, 0.2], [0.9, 1.0]]), "not symmetric"),
        (lambda: risk.absorption_ratio([[-1.0, 0.0], [0.0, -1.0]]), "negative variance"),
        (lambda: risk.absorption_ratio(np.full((3, 3), np.nan)), "missing value"),
        (lambda: risk.forbes_rigobon("a", 2.0), "correlation is not an array of numbers"),
    ],
)
def test_what_is_no_number_or_no_matrix_says_so(call, match):
    with pytest.raises(es.InputError, match=match):
        call()
