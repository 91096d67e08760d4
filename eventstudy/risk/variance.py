"""Variance that the event brings: of each security-event, of each session, and across events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy import special

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import resampling_p
from eventstudy.inference.sessions import mean_squares
from eventstudy.models.base import ModelFit
from eventstudy.risk._windows import CHUNK
from eventstudy.windows import Window

__all__ = ["About", "InducedVariance", "VarianceF", "beaver_u", "forecast_covariance", "induced_variance", "window_f"]

About: TypeAlias = Literal["zero", "mean"]


def forecast_covariance(fit: ModelFit, window: Window) -> FloatArray:
    """Covariance of the abnormal returns of a window in units of the residual variance, shape (n, L, L).

    ``I + X_W (X'X)^{-1} X_W'`` for a linear model: the noise of each session and the parameters' error common to all.
    Taken from the multipliers of the CARs of every part of the window, so that any model has it; zero in the row and
    column of a missing session.
    """
    length = len(window)
    sums = np.zeros((len(fit.index), length + 2, length + 2))  # [a, b]: multiplier of the CAR from a to b, else 0
    for a in range(length):
        for b in range(a, length):
            part = Window(window.start + a, window.start + b)
            found = fit.window_sums(part, skip_missing=True)
            sums[:, a, b + 1] = np.where(found.n_used > 0, found.scale, 0.0)
    out = np.empty((len(fit.index), length, length))
    for a in range(length):
        out[:, a, a] = sums[:, a, a + 1]
        for b in range(a + 1, length):
            cross = sums[:, a, b + 1] - sums[:, a + 1, b + 1] - sums[:, a, b] + sums[:, a + 1, b]
            out[:, a, b] = out[:, b, a] = 0.5 * cross
    return out


@dataclass(frozen=True, slots=True)
class VarianceF:
    """F tests of ``n`` security-events, arrays of shape (n,)."""

    statistic: FloatArray
    df_num: FloatArray
    df_den: FloatArray
    p_value: FloatArray


def window_f(fit: ModelFit, window: Window, about: About = "zero") -> VarianceF:
    """F test of each event's variance in a window against that of its estimation window.

    Null: the window has the variance (and about zero, the mean) of the estimation window. Statistic:
    ``AR'V^{-1}AR / (L s²)`` with ``V`` of :func:`forecast_covariance`, Chow's predictive test; about the window's own
    mean, the generalised residual sum of squares over ``(L − 1) s²``. Law: F with ``L`` (``L − 1``) and ``M − K``
    degrees of freedom, exact for normal returns; upper tail. Fat tails make it reject too often.

    Parameters
    ----------
    fit : ModelFit
        The fits of ``n`` events.
    window : Window
        Inside the event window; missing sessions are left out.
    about : {"zero", "mean"}
        Whether a shift of the mean counts as variance.

    References
    ----------
    Chow, G. C. (1960). Tests of equality between sets of coefficients in two linear regressions. *Econometrica* 28.
    """
    if about not in get_args(About):
        raise InputError(f"about={about!r} is not an option.", remedy=f"Use one of {get_args(About)}.")
    index, dof = fit.index, (fit.n_obs - fit.n_params).astype(np.float64)
    total, used = np.empty(len(index)), np.empty(len(index))
    for start in range(0, len(index), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(index)))
        part = fit.take(rows)
        ar = part.ar[:, part.index.event.columns(window)]
        there = ~np.isnan(ar)
        y = np.where(there, ar, 0.0)
        v = forecast_covariance(part, window)
        v[:, np.arange(len(window)), np.arange(len(window))] += ~there  # a session without a return is no equation
        both = np.linalg.solve(v, np.stack([y, there.astype(np.float64)], -1))
        total[rows] = np.einsum("nt,nt->n", y, both[..., 0])
        used[rows] = there.sum(1)
        if about == "mean":
            ones = np.einsum("nt,nt->n", there.astype(np.float64), both[..., 1])
            cross = np.einsum("nt,nt->n", y, both[..., 1])
            total[rows] -= cross**2 / np.where(ones > 0, ones, 1.0)
    df = used - (about == "mean")
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(df > 0, total / df / fit.sigma2, np.nan)
    p_value = special.fdtrc(np.maximum(df, 1), dof, statistic)
    return VarianceF(statistic, df, dof, np.asarray(p_value))


@dataclass(frozen=True, slots=True)
class BeaverU:
    """Beaver's U of each session of the event window, arrays of shape (L2,)."""

    u: FloatArray
    n: IntArray
    expected: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    p_placebo: FloatArray


def _scaled_residuals(fit: ModelFit, rows: IntArray) -> FloatArray:
    """Residuals with a mean square of one over each event's sessions."""
    return fit.residuals(rows) / np.sqrt(mean_squares(fit.residuals, rows))[:, None]


def _over_events(fit: ModelFit, add: Callable[[FloatArray], None]) -> None:
    """Pass the scaled residuals of all events to ``add``, a chunk at a time."""
    for start in range(0, len(fit.index), CHUNK):
        add(_scaled_residuals(fit, np.arange(start, min(start + CHUNK, len(fit.index)))))


def beaver_u(fit: ModelFit, sar: FloatArray) -> BeaverU:
    """Beaver's U: the mean squared standardised abnormal return of each session of the event window.

    Null: the session has the variance of the estimation window. ``SAR²`` of an event is then F with 1 and
    ``ν = M − K`` degrees of freedom, of mean ``ν/(ν−2)`` and variance ``2ν²(ν−1)/((ν−2)²(ν−4))``, and the sum over
    independent events close to normal: upper tail. That test asks for normal returns and independent events. The
    placebo p-value asks for neither: the rank of ``U`` among the sessions of the estimation window, events together.

    Parameters
    ----------
    fit : ModelFit
        The fits of ``n`` events.
    sar : ndarray of float64, shape (n, L2)
        Standardised abnormal returns, NaN where missing.

    References
    ----------
    Beaver, W. H. (1968). The information content of annual earnings announcements. *Journal of Accounting Research* 6.
    Patell, J. M. (1976). Corporate forecasts of earnings per share and stock price behavior. *Journal of Accounting
    Research* 14.
    """
    there = ~np.isnan(sar)
    n = there.sum(0).astype(np.int64)
    nu = (fit.n_obs - fit.n_params).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(nu > 4, nu / (nu - 2.0), np.nan)
        variance = np.where(nu > 4, 2.0 * nu**2 * (nu - 1.0) / ((nu - 2.0) ** 2 * (nu - 4.0)), np.nan)
        u = np.where(there, sar, 0.0) ** 2
        total, expected = u.sum(0), mean @ there
        statistic = np.where(n > 0, (total - expected) / np.sqrt(variance @ there), np.nan)
    level = np.zeros(len(fit.index.estimation))
    count = np.zeros(len(fit.index.estimation))

    def add(z: FloatArray) -> None:
        level[:] += np.nansum(z**2, axis=0)
        count[:] += (~np.isnan(z)).sum(0)

    _over_events(fit, add)
    with np.errstate(divide="ignore", invalid="ignore"):
        reference = np.where(count > 0, level / count, np.nan)
        u_mean = np.where(n > 0, total / n, np.nan)
        expected = np.where(n > 0, expected / n, np.nan)
    placebo = np.array([_upper_rank(reference, one) for one in u_mean])
    return BeaverU(u_mean, n, expected, statistic, np.asarray(special.ndtr(-statistic)), placebo)


def _upper_rank(reference: FloatArray, observed: float) -> float:
    """Share of reference values as large as the one observed, which counts as one of them."""
    known = reference[~np.isnan(reference)]
    if np.isnan(observed) or not len(known):
        return float("nan")
    return resampling_p(int(np.count_nonzero(known >= observed * (1.0 - 1e-9))), len(known))


@dataclass(frozen=True, slots=True)
class InducedVariance:
    """Cross-sectional variance of standardised CARs against what the estimation windows forecast.

    Parameters
    ----------
    n : int
        Events with a CAR.
    variance : float
        Of the SCARs, on ``n − 1``.
    expected : float
        What it would be without an event, ``(1 − r̄) mean(ν/(ν−2))``.
    ratio : float
        ``variance / expected``; one without event-induced variance.
    statistic, df, p_value : float
        ``(n − 1) ratio``, chi-square with ``n − 1`` degrees of freedom, upper tail.
    p_placebo : float
        Rank of the variance among windows of the same length in the estimation window.
    """

    n: int
    variance: float
    expected: float
    ratio: float
    statistic: float
    df: float
    p_value: float
    p_placebo: float


def induced_variance(fit: ModelFit, scar: FloatArray, length: int, mean_correlation: float) -> InducedVariance:
    """Event-induced variance as the cross-sectional variance of standardised CARs estimates it.

    Null: the event leaves the variance alone (and has one effect in units of standard deviations, since different
    effects spread CARs too). Boehmer, Musumeci and Poulsen estimate the event's variance by the spread of standardised
    abnormal returns across events; without an event it is one, but for the estimated ``s`` (``ν/(ν−2)``) and for the
    mean correlation ``r̄`` of events that share dates, of which the spread holds ``1 − r̄``. Chi-square for normal
    returns and equal correlation; the placebo p-value asks for neither.

    Parameters
    ----------
    fit : ModelFit
        The fits of ``n`` events.
    scar : ndarray of float64, shape (n,)
        Standardised CARs; NaN for an event that does not count.
    length : int
        Sessions of the window.
    mean_correlation : float
        ``r̄``.

    References
    ----------
    Boehmer, E., Musumeci, J. and Poulsen, A. B. (1991). Event-study methodology under conditions of event-induced
    variance. *Journal of Financial Economics* 30.
    Kolari, J. W. and Pynnönen, S. (2010). Event study testing with cross-sectional correlation of abnormal returns.
    *Review of Financial Studies* 23.
    """
    there = ~np.isnan(scar)
    n = int(there.sum())
    if n < 2:
        nan = float("nan")
        return InducedVariance(n, nan, nan, nan, nan, nan, nan, nan)
    nu = (fit.n_obs - fit.n_params).astype(np.float64)[there]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = float(np.where(nu > 2, nu / (nu - 2.0), np.nan).mean()) * (1.0 - mean_correlation)
    variance = float(scar[there].var(ddof=1))
    ratio = variance / expected
    sums = [np.zeros(max(len(fit.index.estimation) - length + 1, 0)) for _ in range(3)]

    def add(z: FloatArray) -> None:
        if len(sums[0]):
            rolled = np.lib.stride_tricks.sliding_window_view(z, length, axis=1).sum(-1) / np.sqrt(length)
            for total, power in zip(sums, (0, 1, 2), strict=True):
                total += np.where(np.isnan(rolled), 0.0, rolled**power).sum(0)

    _over_events(fit.take(np.flatnonzero(there)), add)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (sums[2] - sums[1] ** 2 / sums[0]) / (sums[0] - 1.0)
    reference = np.where(sums[0] > 1, spread, np.nan)
    p_value = float(special.chdtrc(n - 1.0, (n - 1.0) * ratio))
    return InducedVariance(
        n, variance, expected, ratio, (n - 1.0) * ratio, n - 1.0, p_value, _upper_rank(reference, variance)
    )
