"""Bootstrap tests: blocks of sessions for one shared date, and the skewness-adjusted t of buy-and-hold returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import Seed, as_many, at_least, check_level, generator, resampling_p, track
from eventstudy.kernels import chunks

__all__ = [
    "BlockBootstrap",
    "Blocks",
    "SkewBootstrap",
    "bhar_skew_bootstrap",
    "block_bootstrap",
    "forecast_inflation",
    "skew_adjusted_t",
]

Blocks: TypeAlias = Literal["moving", "stationary"]

_CELLS = 1 << 20  # random numbers in memory at a time: 8 MB
_LEAST_RESAMPLE = 5  # from fewer values a standard deviation says too little, and may be zero


@dataclass(frozen=True, slots=True)
class BlockBootstrap:
    """Outcome of a bootstrap over blocks of sessions.

    Parameters
    ----------
    statistic, p_value : float
        Mean CAR (decimal) and its two-sided p-value; NaN with the ``reason`` where there is none.
    ci_lower, ci_upper : float
        Interval of the mean CAR from percentiles of the resampled error.
    std_error : float
        Standard deviation of the resampled sums.
    n_sessions : int
        Sessions resampled.
    block : int
        Length of a block; its mean, if stationary.
    n_draws : int
        Resamples.
    reason : str
        Why there is no answer; empty where there is one.
    """

    statistic: float
    p_value: float
    ci_lower: float
    ci_upper: float
    std_error: float
    n_sessions: int
    block: int
    n_draws: int
    reason: str = ""


def forecast_inflation(std_error: FloatArray, mean_square: FloatArray, length: float) -> float:
    """Forecast standard deviation of a CAR over that of a sum of resampled residuals, for :func:`block_bootstrap`.

    Residuals are smaller than errors, and a forecast has the parameters' error on top: ``√(Σ std_error² / Σ L m²)``
    over events, ``m²`` the mean squared residual. For least squares ``m² = s² (M−K)/M``. Where all events share a date
    and none lacks a return, every event's ratio is this one.

    Parameters
    ----------
    std_error, mean_square : ndarray of float64, shape (n,)
        Forecast standard error of the CAR, mean squared residual; events with NaN do not count.
    length : float
        Sessions of the window, ``L``; their mean where some are skipped.

    Examples
    --------
    >>> round(forecast_inflation(np.array([1.1]), np.array([0.98]), 1), 4)
    1.1112
    """
    ok = np.isfinite(std_error) & np.isfinite(mean_square)
    resampled = float((length * mean_square[ok]).sum())
    return float(np.sqrt((std_error[ok] ** 2).sum() / resampled)) if resampled > 0 else float("nan")


def block_bootstrap(
    portfolio: FloatArray,
    caar: float,
    length: int,
    *,
    blocks: Blocks = "stationary",
    block: int | None = None,
    inflation: float = 1.0,
    draws: int = 9_999,
    confidence: float = 0.95,
    seed: Seed = None,
    progress: bool | None = None,
) -> BlockBootstrap:
    """Bootstrap of the mean CAR of events on one shared date, over blocks of estimation-window sessions.

    Null: the mean CAR is zero. Statistic: the mean CAR. Law: sums of ``length`` sessions of the events' mean residual,
    drawn in blocks. A session is drawn for all securities at once, so the mean residual is all that is needed of the
    matrix of residuals. Robust to cross-correlation of any form, fat tails and (with blocks) serial correlation; not to
    a variance that the event raises. For events on several dates it is not meant: their sessions are not the same.

    Parameters
    ----------
    portfolio : ndarray of float64, shape (L1,)
        (Weighted) mean residual over events, by session of the estimation window; NaN sessions are left out, and their
        neighbours joined.
    caar : float
        Mean CAR of the event window, weighted alike.
    length : int
        Sessions of the event window.
    blocks : {"stationary", "moving"}
        Blocks of random (geometric) length that run on from the last session to the first, or of fixed length that
        do not.
    block : int, optional
        (Mean) length of a block; by default the cube root of the number of sessions, rounded up. For a day it
        plays no part.
    inflation : float
        Factor of the resampled sums, from :func:`forecast_inflation`.
    draws : int
        Resamples.
    confidence : float
        Level of the interval.
    seed : int, Generator or None
        Source of the draws.
    progress : bool, optional
        Whether to show a progress bar; by default only at a terminal.

    Returns
    -------
    BlockBootstrap

    Notes
    -----
    The interval is the mean CAR less the upper and lower percentile of the error: what is resampled is the error of
    the mean CAR, not the mean CAR itself, and turning it round keeps a skewed error on the right side.

    References
    ----------
    Künsch, H. R. (1989). The jackknife and the bootstrap for general stationary observations. *Annals of Statistics*
    17.
    Politis, D. N. and Romano, J. P. (1994). The stationary bootstrap. *Journal of the American Statistical
    Association* 89.

    Examples
    --------
    >>> found = block_bootstrap(np.tile([0.01, -0.01], 60), 0.05, 3, seed=1)
    >>> found.p_value
    0.0001
    """
    if blocks not in get_args(Blocks):
        raise InputError(f"blocks={blocks!r} is not an option.", remedy=f"Use one of {get_args(Blocks)}.")
    length, draws = as_many("length", length, 1), as_many("draws", draws, 1)
    level, rng = check_level(confidence), generator(seed)
    pool = np.asarray(portfolio, dtype=np.float64)
    if pool.ndim != 1:
        raise InputError(f"portfolio has shape {pool.shape}.", remedy="Give one mean residual per session.")
    pool = pool[~np.isnan(pool)]
    m = len(pool)
    b = int(np.ceil(np.cbrt(max(m, 1)))) if block is None else as_many("block", block, 1)

    def none(reason: str) -> BlockBootstrap:
        nan = float("nan")
        return BlockBootstrap(caar, nan, nan, nan, nan, m, b, 0, reason)

    if not np.isfinite(caar):
        return none("no event has a CAR")
    if m < 3 or b > m:
        return none(f"the estimation window has {m} sessions with residuals, too few for blocks of {b}")
    if not (np.isfinite(inflation) and inflation > 0):
        return none("the forecast variance of the events is not known")
    pool = (pool - pool.mean()) * inflation
    if pool.std() <= 1e-12 * np.abs(portfolio[~np.isnan(portfolio)]).max():
        return none("the mean residual of all events does not vary over the estimation window")
    sums = np.empty(draws)
    size = max(1, _CELLS // (2 * length))
    for part in track(chunks(draws, size), -(-draws // size), progress, "block bootstrap"):
        sessions = _drawn(rng.random((part.stop - part.start, 2, length)), m, b, blocks)
        sums[part] = pool[sessions].sum(1)
    low, high = np.quantile(sums, [0.5 - level / 2, 0.5 + level / 2])
    p = resampling_p(at_least(sums, caar), draws)
    return BlockBootstrap(caar, p, caar - float(high), caar - float(low), float(sums.std(ddof=1)), m, b, draws)


def _drawn(u: FloatArray, m: int, block: int, blocks: Blocks) -> IntArray:
    """Sessions of each resample, shape (draws, length), from uniform numbers of shape (draws, 2, length)."""
    length = u.shape[2]
    if blocks == "moving":
        starts = (u[:, 0, : -(-length // block)] * (m - block + 1)).astype(np.int64)
        return np.asarray((starts[:, :, None] + np.arange(block)).reshape(len(u), -1)[:, :length])
    fresh = (u[:, 0] * m).astype(np.int64)
    new = u[:, 1] < 1.0 / block
    for at in range(1, length):
        fresh[:, at] = np.where(new[:, at], fresh[:, at], (fresh[:, at - 1] + 1) % m)
    return fresh


@dataclass(frozen=True, slots=True)
class SkewBootstrap:
    """Outcome of the bootstrapped skewness-adjusted t.

    Parameters
    ----------
    statistic, p_value : float
        Skewness-adjusted t and its two-sided p-value; NaN with the ``reason`` where there is none.
    critical_lower, critical_upper : float
        Statistics below and above which the null is rejected at 5 %.
    n : int
        Events used.
    n_resample : int
        Events in a resample.
    n_draws : int
        Resamples with a statistic.
    reason : str
        Why there is no answer; empty where there is one.
    """

    statistic: float
    p_value: float
    critical_lower: float
    critical_upper: float
    n: int
    n_resample: int
    n_draws: int
    reason: str = ""


def skew_adjusted_t(values: FloatArray, center: float | FloatArray = 0.0) -> FloatArray:
    """Johnson's skewness-adjusted t of the mean of each row: ``√n (S + γS²/3 + γ/(6n))``, ``S = (x̄ − center)/s``.

    ``s`` is on ``n − 1``, ``γ = Σ(x − x̄)³ / (n s³)`` as Lyon, Barber and Tsai have it; NaN for a row without spread.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n)
        No NaN.
    center : float
        Mean under the null.

    Examples
    --------
    >>> skew_adjusted_t(np.array([1.0, 2.0, 3.0])).round(4).tolist()  # no skewness: the plain t
    3.4641
    """
    n = values.shape[-1]
    mean = values.mean(-1)
    deviation = values - mean[..., None]
    square = deviation * deviation
    s = np.sqrt(square.sum(-1) / (n - 1))
    s = np.where(s > 1e-12 * np.abs(values).max(-1), s, np.nan)
    gamma = (square * deviation).sum(-1) / (n * s**3)
    ratio = (mean - center) / s
    return np.asarray(np.sqrt(n) * (ratio + gamma * ratio**2 / 3.0 + gamma / (6.0 * n)))


def bhar_skew_bootstrap(
    bhar: FloatArray,
    *,
    draws: int = 1_000,
    resample: int | None = None,
    seed: Seed = None,
    progress: bool | None = None,
) -> SkewBootstrap:
    """Bootstrapped skewness-adjusted t of the mean buy-and-hold abnormal return.

    Null: the mean BHAR is zero. Statistic: :func:`skew_adjusted_t`. Law: the same statistic, about the sample's own
    mean, of ``draws`` resamples of a quarter of the events. Robust to the skewness of long-run returns and to a
    variance raised by the event; not to cross-correlation, so it over-rejects when events share dates or holding
    periods overlap.

    Parameters
    ----------
    bhar : ndarray of float64, shape (n,)
        NaN for an event that does not count.
    draws : int
        Resamples; 1,000 in the paper.
    resample : int, optional
        Events in a resample; by default a quarter, rounded up.
    seed : int, Generator or None
        Source of the draws.
    progress : bool, optional
        Whether to show a progress bar; by default only at a terminal.

    Returns
    -------
    SkewBootstrap

    Notes
    -----
    The paper rejects if the statistic is outside the ``α/2`` and ``1 − α/2`` percentiles; p is the smallest such
    ``α``, twice the smaller tail, each counted as ``(1 + #)/(1 + draws)``. Resamples without spread (the same event
    throughout) have no statistic and are left out. With fewer than 17 events a quarter is fewer than five, and there
    is no answer unless ``resample`` says otherwise.

    References
    ----------
    Lyon, J. D., Barber, B. M. and Tsai, C.-L. (1999). Improved methods for tests of long-run abnormal stock returns.
    *Journal of Finance* 54.
    Johnson, N. J. (1978). Modified t tests and confidence intervals for asymmetrical populations. *Journal of the
    American Statistical Association* 73.

    Examples
    --------
    >>> found = bhar_skew_bootstrap(np.random.default_rng(0).lognormal(0, 0.5, 200) - 0.5, seed=1)
    >>> found.n_resample, found.p_value < 0.01
    (50, True)
    """
    draws, rng = as_many("draws", draws, 1), generator(seed)
    x = np.asarray(bhar, dtype=np.float64)
    if x.ndim != 1:
        raise InputError(f"bhar has shape {x.shape}.", remedy="Give one number per event.")
    x = np.sort(x[np.isfinite(x)])  # draws must not depend on the order of events
    n = len(x)
    nb = -(-n // 4) if resample is None else as_many("resample", resample, 3)

    def none(reason: str) -> SkewBootstrap:
        nan = float("nan")
        return SkewBootstrap(nan, nan, nan, nan, n, nb, 0, reason)

    if n == 0:
        return none("no event has a buy-and-hold return")
    if resample is None and nb < _LEAST_RESAMPLE:
        return none(f"a quarter of {n} events is fewer than {_LEAST_RESAMPLE}: 17 events are needed")
    statistic = float(skew_adjusted_t(x)) if n > 1 else float("nan")
    if np.isnan(statistic):
        return none(f"the buy-and-hold returns of all {n} events are equal, so there is no cross-sectional variance")
    mean, reference = float(x.mean()), np.empty(draws)
    size = max(1, _CELLS // nb)
    for part in track(chunks(draws, size), -(-draws // size), progress, "skewness bootstrap"):
        chosen = (rng.random((part.stop - part.start, nb)) * n).astype(np.int64)
        reference[part] = skew_adjusted_t(x[chosen], mean)
    reference = reference[~np.isnan(reference)]
    if not len(reference):
        return none("no resample has any spread")
    margin = 1e-9 * abs(statistic)
    tails = [np.count_nonzero(reference <= statistic + margin), np.count_nonzero(reference >= statistic - margin)]
    p = min(1.0, 2.0 * resampling_p(int(min(tails)), len(reference)))
    low, high = np.quantile(reference, [0.025, 0.975])
    return SkewBootstrap(statistic, p, float(low), float(high), n, nb, len(reference))
