"""Abnormal measures of security-events, each computed here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from eventstudy._typing import FloatArray, IntArray, ReturnKind
from eventstudy.errors import InputError
from eventstudy.kernels import share
from eventstudy.models.base import ModelFit
from eventstudy.windows import Window

__all__ = [
    "BuyAndHold",
    "Cumulated",
    "buy_and_hold",
    "check_confidence",
    "confidence_bounds",
    "cumulated",
    "t_p_value",
    "weighted_mean",
]


@dataclass(frozen=True, slots=True)
class Cumulated:
    """Cumulative abnormal returns of ``n`` security-events over one window.

    Parameters
    ----------
    window : Window
        Sessions summed; a day is ``[tau, tau]``.
    car : ndarray of float64, shape (n,)
        Decimal; NaN where a session is missing.
    std_error : ndarray of float64, shape (n,)
        Forecast standard deviation: noise of the window and error of the fitted parameters, exactly.
    scar : ndarray of float64, shape (n,)
        ``car / std_error``; the t statistic of the event.
    dof : ndarray of float64, shape (n,)
        Degrees of freedom, ``M − K``.
    n_used : ndarray of int64, shape (n,)
        Sessions with an abnormal return.
    """

    window: Window
    car: FloatArray
    std_error: FloatArray
    scar: FloatArray
    dof: FloatArray
    n_used: IntArray


def cumulated(fit: ModelFit, window: Window, *, skip_missing: bool = False) -> Cumulated:
    """CAR, its forecast standard error and SCAR of every event over one window.

    References
    ----------
    Campbell, J. Y., Lo, A. W. and MacKinlay, A. C. (1997). *The Econometrics of Financial Markets*, chapter 4.
    """
    sums = fit.window_sums(window, skip_missing=skip_missing)
    n = len(sums.car)
    sigma2, n_obs, n_params = fit.sigma2, fit.n_obs, np.broadcast_to(fit.n_params, n)
    std_error, scar, dof = np.empty(n), np.empty(n), np.empty(n)

    def work(part: slice) -> None:
        np.multiply(sigma2[part], sums.scale[part], out=std_error[part])
        np.sqrt(std_error[part], out=std_error[part])
        np.divide(sums.car[part], std_error[part], out=scar[part])
        np.subtract(n_obs[part], n_params[part], out=dof[part])

    share(work, n)
    return Cumulated(window, sums.car, std_error, scar, dof, sums.n_used)


def t_p_value(statistic: FloatArray, dof: FloatArray) -> FloatArray:
    """Two-sided p-value of Student's t; normal where ``dof`` is infinite."""
    tail = np.where(
        np.isinf(dof),
        special.ndtr(-np.abs(statistic)),
        special.stdtr(np.where(np.isinf(dof), 1.0, dof), -np.abs(statistic)),
    )
    return np.asarray(2.0 * tail)


def check_confidence(confidence: float) -> float:
    """Level of an interval, or an error.

    Raises
    ------
    InputError
        If it is no number between 0 and 1.
    """
    if isinstance(confidence, bool) or not isinstance(confidence, float | np.floating) or not 0.0 < confidence < 1.0:
        raise InputError(f"confidence={confidence!r} is not between 0 and 1.", remedy="Such as 0.95.")
    return float(confidence)


def confidence_bounds(
    estimate: FloatArray, std_error: FloatArray, dof: FloatArray, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bound of a Student-t (or, for infinite ``dof``, normal) interval at level ``confidence``."""
    upper = 0.5 + confidence / 2.0
    # few distinct values of dof occur, and the quantile is the slow part
    values, which = np.unique(dof, return_inverse=True)
    quantile = np.where(
        np.isinf(values), special.ndtri(upper), special.stdtrit(np.where(np.isinf(values), 1.0, values), upper)
    )[which]
    return estimate - quantile * std_error, estimate + quantile * std_error


@dataclass(frozen=True, slots=True)
class BuyAndHold:
    """Buy-and-hold returns of ``n`` security-events over one window, all decimal and of shape (n,).

    Parameters
    ----------
    window : Window
        Sessions held.
    bhar : ndarray of float64
        ``buy_and_hold − expected``.
    buy_and_hold : ndarray of float64
        Compounded return of the security, ``Π(1 + R) − 1``.
    expected : ndarray of float64
        Compounded expected return, ``Π(1 + E[R]) − 1``.
    n_used : ndarray of int64
        Sessions with an abnormal return.
    """

    window: Window
    bhar: FloatArray
    buy_and_hold: FloatArray
    expected: FloatArray
    n_used: IntArray


def buy_and_hold(
    fit: ModelFit, returns: FloatArray, window: Window, kind: ReturnKind, *, skip_missing: bool = False
) -> BuyAndHold:
    """Buy-and-hold abnormal returns, ``Π(1 + R) − Π(1 + E[R])``; log returns are turned into simple growth first.

    Parameters
    ----------
    fit : ModelFit
        The fits.
    returns : ndarray of float64, shape (n_securities, n_sessions)
        The panel.
    window : Window
        Sessions held.
    kind : {"simple", "log"}
        What the panel's returns are.
    skip_missing : bool
        Compound the sessions that are there instead of giving NaN.

    References
    ----------
    Barber, B. M. and Lyon, J. D. (1997). Detecting long-run abnormal stock returns. *Journal of Financial
    Economics* 43.
    """
    ar = fit.ar[:, fit.index.event.columns(window)]
    at = fit.index.position[:, None] + window.tau
    inside = (at >= 0) & (at < returns.shape[1])
    realised = np.where(inside, returns[fit.index.security[:, None], np.where(inside, at, 0)], np.nan)
    there = ~np.isnan(ar)
    n_used = there.sum(1).astype(np.int64)
    growth = []
    for series in (realised, realised - ar):
        kept = np.where(there, series, 0.0)
        growth.append(np.exp(kept.sum(1)) if kind == "log" else np.prod(1.0 + kept, axis=1))
    missing = (n_used == 0) | ((n_used < ar.shape[1]) & (not skip_missing))
    held, expected = (np.where(missing, np.nan, value) for value in growth)
    return BuyAndHold(window, held - expected, held - 1.0, expected - 1.0, n_used)


def weighted_mean(values: FloatArray, weights: FloatArray | None) -> tuple[float, int]:
    """Mean over the events that have a value, and how many they are; NaN of none."""
    there = ~np.isnan(values)
    n = int(there.sum())
    if n == 0:
        return float("nan"), 0
    if weights is None:
        return float(values[there].mean()), n
    return float(np.average(values[there], weights=weights[there])), n
