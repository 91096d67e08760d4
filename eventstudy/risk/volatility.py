"""Volatility before and after an event, with tests of the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from eventstudy._typing import FloatArray, IntArray
from eventstudy.abnormal import check_confidence, t_p_value
from eventstudy.inference.bootstrap import _drawn
from eventstudy.inference.resampling import Seed, as_many, generator
from eventstudy.risk.ranges import RangeEstimator, mean_of

__all__ = [
    "VarianceRatio",
    "block_counts",
    "brown_forsythe",
    "log_variance_ratio",
    "placebo_ratios",
    "variance_f",
    "welch_t",
]


def _count(x: FloatArray) -> FloatArray:
    return np.asarray((~np.isnan(x)).sum(-1), dtype=np.float64)


def variance_f(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    """F test of equal variances, row by row.

    Null: both windows have one variance. Statistic: ``s²_after / s²_before``, F with ``n_after − 1`` and
    ``n_before − 1`` degrees of freedom, two-sided (twice the smaller tail). It holds for normal and independent returns
    only: with the tails of daily returns it rejects far too often.

    Parameters
    ----------
    before, after : ndarray of float64, shape (n, T1) and (n, T2)
        NaN where missing.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)
        NaN with fewer than two values on a side, or no variance before.
    """
    n = [_count(x) for x in (before, after)]
    variance = [np.where(m > 1, _variance(x), np.nan) for m, x in zip(n, (before, after), strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(variance[0] > 0, variance[1] / variance[0], np.nan)
    df = [np.maximum(m - 1, 1) for m in n]
    tail = np.minimum(special.fdtr(df[1], df[0], ratio), special.fdtrc(df[1], df[0], ratio))
    return ratio, np.minimum(2.0 * tail, 1.0)


def _variance(x: FloatArray) -> FloatArray:
    n = np.maximum(_count(x), 2)
    return np.asarray(mean_of((x - mean_of(x)[..., None]) ** 2) * n / (n - 1))


def _medians(x: FloatArray) -> FloatArray:
    """Median of each row over what is not NaN; NaN of nothing."""
    ordered, n = np.sort(x, axis=-1), (~np.isnan(x)).sum(-1)
    low, high = np.maximum(n - 1, 0) // 2, n // 2
    high = np.minimum(high, x.shape[-1] - 1)
    at = np.arange(len(x))
    return np.asarray(0.5 * (ordered[at, low] + ordered[at, high]))


def brown_forsythe(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Brown and Forsythe's test of equal spread, row by row: Levene's test about medians.

    Null: both windows have one spread. Statistic: the one-way analysis of variance of ``|x − median|``, F with 1 and
    ``n_before + n_after − 2`` degrees of freedom. Robust to skewed and fat-tailed returns; not to volatility that
    clusters over time.

    Parameters
    ----------
    before, after : ndarray of float64, shape (n, T1) and (n, T2)
        NaN where missing.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)
        NaN with fewer than two values on a side, or no spread.

    References
    ----------
    Brown, M. B. and Forsythe, A. B. (1974). Robust tests for the equality of variances. *Journal of the American
    Statistical Association* 69.
    """
    z = [np.abs(x - _medians(x)[:, None]) for x in (before, after)]
    n = [_count(x) for x in z]
    mean = [mean_of(x) for x in z]
    with np.errstate(divide="ignore", invalid="ignore"):
        within = sum(_variance(x) * (m - 1) for x, m in zip(z, n, strict=True))
        between = n[0] * n[1] / (n[0] + n[1]) * (mean[1] - mean[0]) ** 2
        df = n[0] + n[1] - 2
        enough = (n[0] > 1) & (n[1] > 1) & (within > 0)
        statistic = np.where(enough, between / (within / df), np.nan)
    return statistic, np.asarray(special.fdtrc(1.0, np.maximum(df, 1), statistic))


def welch_t(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Welch's t of the difference of two means, row by row; for the logarithm of the daily range.

    Null: one mean. Statistic: ``(m_after − m_before)/√(s²/n + s²/n)``, Student t with Satterthwaite's degrees of
    freedom. The logarithm of the range is close to normal; volatility that clusters makes it reject too often.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)

    References
    ----------
    Alizadeh, S., Brandt, M. W. and Diebold, F. X. (2002). Range-based estimation of stochastic volatility models.
    *Journal of Finance* 57.
    """
    n = [_count(x) for x in (before, after)]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = [np.where(m > 1, _variance(x) / m, np.nan) for m, x in zip(n, (before, after), strict=True)]
        error = part[0] + part[1]
        t = np.where(error > 0, (mean_of(after) - mean_of(before)) / np.sqrt(error), np.nan)
        df = error**2 / (part[0] ** 2 / (n[0] - 1) + part[1] ** 2 / (n[1] - 1))
    return t, t_p_value(t, np.where(np.isnan(t), 1.0, df))


# -- the ratio of variances, whatever the estimator ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VarianceRatio:
    """Logarithm of the ratio of variances after and before, with its block-bootstrap interval; arrays of shape (n,)."""

    estimate: FloatArray
    ci_lower: FloatArray
    ci_upper: FloatArray


def block_counts(rng: np.random.Generator, length: int, draws: int, block: int | None) -> FloatArray:
    """How often each session is drawn in each resample of a stationary bootstrap, shape (draws, length).

    ``block`` is the mean length of a block; the cube root of the sessions, rounded up, by default.
    """
    size = min(int(np.ceil(np.cbrt(length))) if block is None else as_many("block", block, 1), length)
    drawn = _drawn(rng.random((draws, 2, length)), length, size, "stationary")
    counts = np.zeros((draws, length))
    np.add.at(counts, (np.arange(draws)[:, None], drawn), 1.0)
    return counts


def _log_mean(v: FloatArray, counts: FloatArray) -> FloatArray:
    """Logarithm of the mean contribution in each resample, shape (n, draws)."""
    there = ~np.isnan(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(np.where(there, v, 0.0) @ counts.T / (there.astype(np.float64) @ counts.T)))


def log_variance_ratio(
    before: FloatArray,
    after: FloatArray,
    *,
    draws: int = 999,
    block: int | None = None,
    confidence: float = 0.95,
    seed: Seed = 0,
) -> VarianceRatio:
    """``ln(variance after / variance before)`` of each row, with a block-bootstrap percentile interval.

    Sessions are drawn in blocks of random length, within each window and for all rows alike.

    Parameters
    ----------
    before, after : ndarray of float64, shape (n, T1) and (n, T2)
        Contributions to the variance (:class:`RangeEstimator`), NaN where missing.
    draws : int
        Resamples; 0 for no interval.
    block : int, optional
        Mean length of a block.
    confidence : float
        Level of the interval.
    seed : int, Generator or None
        Source of the draws.

    Returns
    -------
    VarianceRatio
        NaN where a window has no contribution or no variance.

    Notes
    -----
    The interval is too short when a window is: at 95 %, 50 sessions before and 21 after, measured coverage is 0.88 for
    independent normal returns, 0.85 for t(5) ones, and 0.72 where volatility clusters as in daily GARCH, since 21
    sessions do not show what volatility does by itself over 21 sessions. To test a change use :func:`placebo_ratios`.

    References
    ----------
    Politis, D. N. and Romano, J. P. (1994). The stationary bootstrap. *Journal of the American Statistical
    Association* 89.
    """
    draws, level, rng = as_many("draws", draws, 0), check_confidence(confidence), generator(seed)
    whole = [_log_mean(x, np.ones((1, x.shape[1])))[:, 0] for x in (before, after)]
    with np.errstate(invalid="ignore"):
        estimate = whole[1] - whole[0]
    estimate = np.where(np.isfinite(estimate), estimate, np.nan)
    if not draws:
        nothing = np.full(len(estimate), np.nan)
        return VarianceRatio(estimate, nothing, nothing)
    resampled = [_log_mean(x, block_counts(rng, x.shape[1], draws, block)) for x in (before, after)]
    with np.errstate(invalid="ignore"):
        moved = resampled[1] - resampled[0]
    moved = np.where(np.isfinite(moved) & ~np.isnan(estimate)[:, None], moved, np.nan)
    low, high = (quantile_of(moved, q) for q in (0.5 - level / 2, 0.5 + level / 2))
    return VarianceRatio(estimate, low, high)


def quantile_of(x: FloatArray, level: float) -> FloatArray:
    """Quantile of each row over what is not NaN; NaN of nothing."""
    ordered, n = np.sort(x, axis=-1), (~np.isnan(x)).sum(-1)
    place = level * np.maximum(n - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    at = np.arange(len(x))
    below, above = ordered[at, low], ordered[at, high]
    return np.asarray(below + (place - low) * (above - below))


def placebo_ratios(
    estimator: RangeEstimator, history: FloatArray, lengths: tuple[int, int, int], observed: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Rank of each event's change of variance among the changes of earlier sessions, ``(1 + #)/(1 + n)``.

    Null: the change is like that between any two windows of the same lengths and distance before the event. Volatility
    that clusters and fat tails are in the reference distribution, so that the test allows for both. It is as good as
    there are windows that do not overlap: its size at 5 %, for windows of 50 and 21 sessions, is 8 % with 250 sessions
    before the event and 7 % with 500, whether returns are normal, t(5) or GARCH.

    Parameters
    ----------
    estimator : RangeEstimator
        How values become a variance.
    history : ndarray of float64, shape (q, n, H)
        Values of the sessions before the event.
    lengths : tuple of int
        Sessions of the window before, of the gap, and of the window after.
    observed : ndarray of float64, shape (n,)
        Logarithm of the ratio of variances.

    Returns
    -------
    p_value : ndarray of float64, shape (n,)
        NaN where there is no earlier window or no ratio.
    n_placebo : ndarray of int64, shape (n,)
        Earlier pairs of windows, overlapping ones included.
    """
    first, gap, last = lengths
    total = first + gap + last
    if history.shape[-1] < total:
        return np.full(len(observed), np.nan), np.zeros(len(observed), np.int64)
    view: Any = np.lib.stride_tricks.sliding_window_view(history, total, axis=-1)
    exceed, n = np.zeros(len(observed)), np.zeros(len(observed), np.int64)
    size = np.abs(observed) * (1.0 - 1e-9)
    for at in range(view.shape[2]):
        pair = view[:, :, at]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(_most(estimator, pair[..., first + gap :]) / _most(estimator, pair[..., :first]))
        there = np.isfinite(ratio)
        n += there
        exceed += there & (np.abs(np.where(there, ratio, 0.0)) >= size)
    some = (n > 0) & ~np.isnan(observed)
    return np.where(some, (1.0 + exceed) / (1.0 + n), np.nan), n


def _most(estimator: RangeEstimator, values: FloatArray) -> FloatArray:
    """Variance of windows of which at least half the sessions are there."""
    enough = (~np.isnan(values[0])).sum(-1) * 2 >= values.shape[-1]
    return np.where(enough, estimator.variance(values), np.nan)
