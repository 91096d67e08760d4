"""Parametric tests across security-events: array in, statistic out.

All test whether the mean (standardised) cumulative abnormal return of a window is zero; a day is the window
``[tau, tau]``. Each leaves out the events whose CAR is missing, and says in words why it has no answer.
"""

from __future__ import annotations

import numpy as np

from eventstudy._typing import BoolArray, FloatArray
from eventstudy.inference.base import Outcome, TestSample, register

__all__ = [
    "adjusted_for_correlation",
    "bmp_t",
    "bmp_t_adj",
    "csect_t",
    "jackknife_t",
    "mean_standard_error",
    "mean_t",
    "patell_z",
    "patell_z_adj",
    "skew_t",
    "time_series_t",
]

_JACKKNIFE_EVENTS = 10
_NO_SPREAD = "the {what} of all {n} events are equal, so there is no cross-sectional variance"


def mean_standard_error(values: FloatArray, weights: FloatArray | None = None) -> float:
    """Cross-sectional standard error of a mean; NaN for fewer than two values.

    With weights ``w`` that sum to one it is ``√(n/(n−1) Σ w²(x − x̄_w)²)``, the familiar ``sd/√n`` when they are
    equal.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        No NaN.
    weights : ndarray of float64, shape (n,), or None
        Positive.
    """
    n = len(values)
    if n < 2:
        return float("nan")
    if weights is None:
        deviation = values - values.mean()
        np.multiply(deviation, deviation, out=deviation)
        return float(np.sqrt(deviation.sum() / (n - 1) / n))
    share = weights / weights.sum()
    deviation = values - share @ values
    return float(np.sqrt(n / (n - 1) * np.sum((share * deviation) ** 2)))


def _there(values: FloatArray) -> BoolArray | slice:
    """Where there is a value; all of it as a slice, by which nothing is copied."""
    there = ~np.isnan(values)
    return slice(None) if there.all() else there


def mean_t(values: FloatArray, weights: FloatArray | None, what: str) -> Outcome:
    """Mean over its cross-sectional standard error, on ``n − 1`` degrees of freedom; NaN values do not count."""
    there = _there(values)
    x = values[there]
    w = None if weights is None else weights[there]
    n = len(x)
    if n < 2:
        return f"needs two events with a value, has {n}"
    error = mean_standard_error(x, w)
    if error <= 1e-12 * max(x.max(), -x.min()):
        return _NO_SPREAD.format(what=what, n=n)
    return float(np.average(x, weights=w) / error), float(n - 1), n


@register(
    "csect_t",
    null="mean CAR = 0",
    valid_under_clustering=False,
    source="—",
)
def csect_t(sample: TestSample) -> Outcome:
    """Cross-sectional t: ``mean(CAR) √N / sd(CAR)``, Student t with ``N − 1`` degrees of freedom.

    Robust to variance that the event raises; not to cross-correlation, so it over-rejects when events share dates.
    Weights apply.
    """
    return mean_t(sample.car, sample.weights, "CARs")


@register(
    "skew_t",
    null="mean CAR = 0",
    valid_under_clustering=False,
    source="Hall 1992",
)
def skew_t(sample: TestSample) -> Outcome:
    """Hall's transform of the cross-sectional t, Student t with ``N − 1`` degrees of freedom.

    ``√N (S + γS²/3 + γ²S³/27 + γ/(6N))`` with ``S = mean/sd`` (``N − 1``) and ``γ = m₃/m₂^1.5`` the sample skewness.
    The cubic removes the first-order effect of skewness and is monotone in ``S``. Robust to skewness and to variance
    that the event raises; not to cross-correlation. Events are weighted equally.

    References
    ----------
    Hall, P. (1992). On the removal of skewness by transformation. *Journal of the Royal Statistical Society B* 54.
    """
    plain = mean_t(sample.car, None, "CARs")
    if not isinstance(plain, tuple):
        return plain
    t, df, n = plain
    if n < 3:
        return f"skewness needs three events with a value, there are {n}"
    deviation = sample.car[~np.isnan(sample.car)]
    deviation = deviation - deviation.mean()
    skewness = float((deviation**3).mean() / (deviation**2).mean() ** 1.5)
    s = t / np.sqrt(n)
    cubic = s + skewness * s**2 / 3.0 + skewness**2 * s**3 / 27.0 + skewness / (6.0 * n)
    return float(np.sqrt(n) * cubic), df, n


@register(
    "time_series_t",
    null="mean CAR = 0",
    valid_under_clustering=True,
    source="Brown & Warner 1980, 1985",
)
def time_series_t(sample: TestSample) -> Outcome:
    """Portfolio time-series t, the "crude dependence adjustment" of Brown and Warner.

    ``mean(CAR) / (√L s_p)`` with ``s_p`` the standard deviation (``M − 1``) of the events' mean residual over the
    ``M`` sessions of the estimation window; Student t with ``M − 1`` degrees of freedom. Cross-correlation is in
    ``s_p`` for the events of one date; that of windows that overlap without starting together is not, nor is a variance
    that the event raises. ``L`` is the mean number of sessions summed, where CARs may skip some. Weights apply.

    References
    ----------
    Brown, S. J. and Warner, J. B. (1985). Using daily stock returns. *Journal of Financial Economics* 14.
    """
    there = ~np.isnan(sample.car)
    n = int(there.sum())
    if n == 0:
        return "no event has a CAR"
    portfolio = sample.portfolio[~np.isnan(sample.portfolio)]
    m = len(portfolio)
    if m < 3:
        return f"the estimation window has {m} sessions with residuals"
    spread = float(portfolio.std(ddof=1))
    if spread <= 0.0:
        return "the portfolio of all events has no variance in the estimation window"
    mean = float(np.average(sample.car[there], weights=None if sample.weights is None else sample.weights[there]))
    length = len(sample.window) if sample.length is None else sample.length
    return mean / (spread * float(np.sqrt(length))), float(m - 1), n


@register(
    "patell_z",
    null="mean SCAR = 0, variance as forecast",
    valid_under_clustering=False,
    source="Patell 1976",
)
def patell_z(sample: TestSample) -> Outcome:
    """Patell's standardised-residual z: ``Σ SCAR / √Σ (M−K)/(M−K−2)``, standard normal.

    Neither robust to variance that the event raises nor to cross-correlation. Events are weighted equally.

    References
    ----------
    Patell, J. M. (1976). Corporate forecasts of earnings per share and stock price behavior: empirical tests.
    *Journal of Accounting Research* 14.
    """
    there = _there(sample.scar)
    scar, dof = sample.scar[there], sample.dof[there]
    n = len(scar)
    if n == 0:
        return "no event has a CAR"
    if dof.min() <= 2:
        return "an estimation window leaves two degrees of freedom or fewer"
    variance = dof - 2.0
    np.divide(dof, variance, out=variance)
    return float(scar.sum() / np.sqrt(variance.sum())), float("inf"), n


@register(
    "patell_z_adj",
    null="mean SCAR = 0, variance as forecast",
    valid_under_clustering=True,
    valid_under_overlap=True,
    source="Kolari & Pynnönen 2010",
)
def patell_z_adj(sample: TestSample) -> Outcome:
    """Patell z adjusted for cross-correlation: ``patell_z / √(1 + (N−1) r̄)``, standard normal.

    Robust to cross-correlation; not to variance that the event raises. Events are weighted equally.

    References
    ----------
    Kolari, J. W. and Pynnönen, S. (2010). Event study testing with cross-sectional correlation of abnormal returns.
    *Review of Financial Studies* 23.
    """
    return _adjusted(patell_z(sample), sample.mean_correlation, estimated_spread=False)


@register(
    "bmp_t",
    null="mean SCAR = 0",
    valid_under_clustering=False,
    source="Boehmer, Musumeci & Poulsen 1991",
)
def bmp_t(sample: TestSample) -> Outcome:
    """Standardised cross-sectional t: ``mean(SCAR) √N / sd(SCAR)``, Student t with ``N − 1`` degrees of freedom.

    Robust to variance that the event raises; not to cross-correlation. Events are weighted equally.

    References
    ----------
    Boehmer, E., Musumeci, J. and Poulsen, A. B. (1991). Event-study methodology under conditions of event-induced
    variance. *Journal of Financial Economics* 30.
    """
    return mean_t(sample.scar, None, "SCARs")


def adjusted_for_correlation(statistic: float, mean_correlation: float, n: int, *, estimated_spread: bool) -> float:
    """Kolari and Pynnönen's adjustment of a statistic for mean residual correlation ``r̄``.

    ``√((1 − r̄)/(1 + (n−1) r̄))`` where the spread of the cross-section was estimated from it (and so is too small by
    ``1 − r̄``), ``1/√(1 + (n−1) r̄)`` otherwise. NaN where ``1 + (n−1) r̄`` is not positive or ``r̄`` is 1 or more.
    """
    inflation = 1.0 + (n - 1) * mean_correlation
    shrink = 1.0 - mean_correlation if estimated_spread else 1.0
    if not (inflation > 0.0 and shrink > 0.0):
        return float("nan")
    return statistic * float(np.sqrt(shrink / inflation))


@register(
    "bmp_t_adj",
    null="mean SCAR = 0",
    valid_under_clustering=True,
    valid_under_overlap=True,
    source="Kolari & Pynnönen 2010",
)
def bmp_t_adj(sample: TestSample) -> Outcome:
    """BMP t adjusted for cross-correlation: ``bmp_t √((1 − r̄)/(1 + (N−1) r̄))``, Student t with ``N − 1`` degrees.

    Robust to variance that the event raises and to cross-correlation.

    References
    ----------
    Kolari, J. W. and Pynnönen, S. (2010). Event study testing with cross-sectional correlation of abnormal returns.
    *Review of Financial Studies* 23.
    """
    return _adjusted(bmp_t(sample), sample.mean_correlation, estimated_spread=True)


def _adjusted(plain: Outcome, mean_correlation: float, *, estimated_spread: bool) -> Outcome:
    if not isinstance(plain, tuple):
        return plain
    statistic, df, n = plain
    adjusted = adjusted_for_correlation(statistic, mean_correlation, n, estimated_spread=estimated_spread)
    if np.isnan(adjusted):
        return f"the mean residual correlation {mean_correlation:.3f} of {n} events admits no adjustment"
    return adjusted, df, n


@register(
    "jackknife_t",
    null="mean SCAR = 0",
    valid_under_clustering=False,
    source="Giaccotto & Sfiridis 1996",
)
def jackknife_t(sample: TestSample) -> Outcome:
    """Jackknife t on the standardised mean of SCAR, Student t with ``N − 1`` degrees of freedom.

    With ``θ = mean/sd`` of the SCARs and ``θ₍ᵢ₎`` the same without event ``i``, the pseudo-values are
    ``N θ − (N − 1) θ₍ᵢ₎``; the statistic is their mean over its standard error. (Pseudo-values of the mean itself are
    the SCARs, and would give ``bmp_t`` again.) Robust to variance that the event raises, and less biased than ``bmp_t``
    where it differs between events; not robust to cross-correlation. Events are weighted equally.

    References
    ----------
    Giaccotto, C. and Sfiridis, J. M. (1996). Hypothesis testing in event studies: the case of variance changes.
    *Journal of Economics and Business* 48.
    """
    plain = mean_t(sample.scar, None, "SCARs")
    if not isinstance(plain, tuple):
        return plain
    t, _, n = plain
    if n < _JACKKNIFE_EVENTS:
        return f"the jackknife of a ratio needs {_JACKKNIFE_EVENTS} events, there are {n}: with fewer its sign may turn"
    x = sample.scar[~np.isnan(sample.scar)]
    mean = x.mean()
    deviation = x - mean
    squares = (deviation**2).sum()
    left = squares - n / (n - 1.0) * deviation**2
    if (left <= 1e-12 * squares).any():
        return "without one of the events the SCARs of the others are all equal"
    without = (mean - deviation / (n - 1.0)) / np.sqrt(left / (n - 2.0))
    return mean_t(n * (t / np.sqrt(n)) - (n - 1.0) * without, None, "pseudo-values")
