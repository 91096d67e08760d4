"""Parametric tests across security-events: array in, statistic out.

All test whether the mean (standardised) cumulative abnormal return of a window is zero; a day is the window
``[tau, tau]``. Each leaves out the events whose CAR is missing, and says in words why it has no answer.
"""

from __future__ import annotations

import numpy as np

from eventstudy._typing import FloatArray
from eventstudy.inference.base import Outcome, TestSample, register

__all__ = [
    "adjusted_for_correlation",
    "bmp_t",
    "bmp_t_adj",
    "csect_t",
    "mean_standard_error",
    "patell_z",
    "time_series_t",
]

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
    share = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    deviation = values - share @ values
    return float(np.sqrt(n / (n - 1) * np.sum((share * deviation) ** 2)))


def _ratio(values: FloatArray, weights: FloatArray | None, what: str) -> Outcome:
    """Mean over its cross-sectional standard error, on ``n − 1`` degrees of freedom."""
    there = ~np.isnan(values)
    x = values[there]
    w = None if weights is None else weights[there]
    n = len(x)
    if n < 2:
        return f"needs two events with a value, has {n}"
    error = mean_standard_error(x, w)
    if error <= 1e-12 * np.abs(x).max():
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
    return _ratio(sample.car, sample.weights, "CARs")


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
    ``s_p`` when all events share one date; a variance that the event raises is not. Weights apply.

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
    return mean / (spread * np.sqrt(len(sample.window))), float(m - 1), n


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
    there = ~np.isnan(sample.scar)
    n = int(there.sum())
    if n == 0:
        return "no event has a CAR"
    dof = sample.dof[there]
    if (dof <= 2).any():
        return "an estimation window leaves two degrees of freedom or fewer"
    return float(sample.scar[there].sum() / np.sqrt((dof / (dof - 2.0)).sum())), float("inf"), n


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
    return _ratio(sample.scar, None, "SCARs")


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
    plain = bmp_t(sample)
    if isinstance(plain, str):
        return plain
    statistic, df, n = plain
    adjusted = adjusted_for_correlation(statistic, sample.mean_correlation, n, estimated_spread=True)
    if np.isnan(adjusted):
        return f"the mean residual correlation {sample.mean_correlation:.3f} of {n} events admits no adjustment"
    return adjusted, df, n
