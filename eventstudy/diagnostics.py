"""Is the model of normal returns a good one? Residuals of every estimation window, looked at from several sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import chunks
from eventstudy.models.arrays import ArrayFit, EventData, event_data, windows_of
from eventstudy.models.linear import LinearFit

if TYPE_CHECKING:
    from eventstudy.models.base import ModelFit
    from eventstudy.panel import ReturnPanel
    from eventstudy.results import EventStudyResults
    from eventstudy.windows import EventIndex

__all__ = ["arch_lm", "chow", "diagnostics", "durbin_watson", "jarque_bera", "ljung_box", "outliers"]

_CELLS = 1 << 21  # residuals in memory at a time: 16 MB
_MAD = 0.6744897501960817  # median absolute deviation of a standard normal


def diagnostics(res: EventStudyResults, *, lags: int = 5, threshold: float = 5.0) -> pd.DataFrame:
    """Diagnostics of the estimation window of every security-event; see :meth:`EventStudyResults.diagnostics`."""
    if isinstance(lags, bool) or not isinstance(lags, int | np.integer) or lags < 1:
        raise InputError(f"lags={lags!r} is not a positive whole number.", remedy="Such as lags=5.")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or not threshold > 0:
        raise InputError(f"threshold={threshold!r} is not a positive number.", remedy="Such as threshold=5.")
    fit, panel = res.fit, res.study.returns
    identity = res.events[["event_id", "ticker"]].reset_index(drop=True)
    benchmarks = res.study.model.benchmarks
    parts = []
    for part in chunks(len(res), max(1, _CELLS // len(fit.index.estimation))):
        rows = np.arange(part.start, part.stop)
        e = fit.residuals(rows)
        index = fit.index.take(rows)
        regression = _regression(fit, panel, index, benchmarks, e)
        if isinstance(fit, ArrayFit) and fit.noise_before is not None:
            e = e / np.sqrt(fit.noise_before[rows])
        statistic, p_value = ljung_box(e, int(lags))
        arch, arch_p = arch_lm(e, int(lags))
        normal, normal_p = jarque_bera(e)
        shift, shift_p = chow(regression)
        count, at = outliers(e, float(threshold))
        column = np.clip(index.position + index.estimation.start + at, 0, panel.n_sessions - 1)
        worst = pd.DatetimeIndex(panel.sessions[column]).where(count > 0)
        parts.append(
            pd.DataFrame(
                {
                    "r2": fit.r2[rows],
                    "durbin_watson": durbin_watson(e),
                    "ljung_box": statistic,
                    "ljung_box_p": p_value,
                    "arch_lm": arch,
                    "arch_lm_p": arch_p,
                    "jarque_bera": normal,
                    "jarque_bera_p": normal_p,
                    "chow": shift,
                    "chow_p": shift_p,
                    "outliers": count,
                    "largest_outlier": worst,
                }
            )
        )
    return pd.concat([identity, pd.concat(parts, ignore_index=True)], axis=1)


def _regression(
    fit: ModelFit, panel: ReturnPanel, index: EventIndex, benchmarks: Sequence[str], e: FloatArray
) -> EventData:
    """What a test for a change of coefficients regresses on what: as the model does, or on what the model expected.

    A model whose regressors differ between events, of donors or peers, is tested by the slope of returns on its own
    expectation, of which a constant one leaves the mean. Sessions without a residual, which the model did not
    read, do not count.
    """
    if isinstance(fit, LinearFit) and len(fit.design.factors):
        data, rate = event_data(panel, index), fit.design.offset
        x = np.stack([windows_of(factor, index.position, index.estimation) for factor in fit.design.factors], -1)
        y = data.y if rate is None else data.y - windows_of(rate, index.position, index.estimation)
        return replace(data, y=y, x=x)
    data = event_data(panel, index, benchmarks)
    data = replace(data, y=np.where(np.isnan(e), np.nan, data.y))
    if benchmarks:
        return data
    expected = data.y - e
    moves = np.nanstd(np.where(_empty(expected), 0.0, expected), axis=1) > 1e-12
    return replace(data, x=expected[..., None]) if moves.all() else data


def _centred(e: FloatArray) -> tuple[FloatArray, BoolArray]:
    there = ~np.isnan(e)
    count = np.maximum(there.sum(1), 1)
    mean = np.where(there, e, 0.0).sum(1) / count
    return np.where(there, e - mean[:, None], 0.0), there


def _empty(e: FloatArray) -> BoolArray:
    """Rows without a single residual, shape (n, 1)."""
    return np.asarray(np.isnan(e).all(axis=1, keepdims=True))


def durbin_watson(e: FloatArray) -> FloatArray:
    """Durbin and Watson's statistic over neighbouring sessions that both have a residual; 2 without autocorrelation.

    Parameters
    ----------
    e : ndarray of float64, shape (n, L1)
        Residuals, NaN where missing.

    References
    ----------
    Durbin, J. and Watson, G. S. (1950). Testing for serial correlation in least squares regression. *Biometrika* 37.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(np.diff(e, axis=1) ** 2, axis=1) / np.nansum(e**2, axis=1))


def ljung_box(e: FloatArray, lags: int) -> tuple[FloatArray, FloatArray]:
    """Ljung and Box's test that no autocorrelation up to ``lags`` differs from zero.

    Parameters
    ----------
    e : ndarray of float64, shape (n, L1)
        Residuals, NaN where missing; a lag uses the pairs of which neither is.
    lags : int
        Autocorrelations.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)
        Chi-squared with ``lags`` degrees of freedom.

    References
    ----------
    Ljung, G. M. and Box, G. E. P. (1978). On a measure of lack of fit in time series models. *Biometrika* 65.
    """
    z, there = _centred(e)
    m = there.sum(1).astype(np.float64)
    total = (z**2).sum(1)
    statistic = np.zeros(len(e))
    with np.errstate(invalid="ignore", divide="ignore"):
        for lag in range(1, lags + 1):
            pairs = (z[:, lag:] * z[:, :-lag]).sum(1)
            statistic += (pairs / total) ** 2 / (m - lag)
        statistic *= m * (m + 2)
    statistic[m <= lags + 1] = np.nan
    return statistic, np.asarray(special.chdtrc(float(lags), statistic))


def arch_lm(e: FloatArray, lags: int) -> tuple[FloatArray, FloatArray]:
    """Engle's test for ARCH: squared residuals on their own ``lags``; ``T R²``.

    Parameters
    ----------
    e : ndarray of float64, shape (n, L1)
        Residuals, NaN where missing; rows with a missing value among residual and lags are left out.
    lags : int
        Lags of the squared residual.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)
        Chi-squared with ``lags`` degrees of freedom.

    References
    ----------
    Engle, R. F. (1982). Autoregressive conditional heteroscedasticity with estimates of the variance of United Kingdom
    inflation. *Econometrica* 50.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        square = e**2 / np.nanmean(np.where(_empty(e), 0.0, e**2), axis=1)[:, None]
    length = e.shape[1] - lags
    if length <= lags + 1:
        return np.full(len(e), np.nan), np.full(len(e), np.nan)
    y = square[:, lags:]
    x = np.stack([square[:, lags - k : lags - k + length] for k in range(1, lags + 1)], -1)
    ok = ~(np.isnan(y) | np.isnan(x).any(-1))
    count = ok.sum(1)
    y0 = np.where(ok, y, 0.0)
    x0 = np.where(ok[..., None], x, 0.0)
    safe = np.maximum(count, 1)
    dy = np.where(ok, y0 - (y0.sum(1) / safe)[:, None], 0.0)
    dx = np.where(ok[..., None], x0 - (x0.sum(1) / safe[:, None])[:, None, :], 0.0)
    whole = (dy**2).sum(1)
    statistic = np.full(len(e), np.nan)
    good = np.flatnonzero((count > 2 * lags + 1) & (whole > 0))
    if len(good):
        solution = np.linalg.pinv(dx[good], rcond=1e-12) @ dy[good][..., None]
        left = ((dy[good] - (dx[good] @ solution)[..., 0]) ** 2).sum(1)
        statistic[good] = count[good] * (1 - left / whole[good])
    return statistic, np.asarray(special.chdtrc(float(lags), statistic))


def jarque_bera(e: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Jarque and Bera's test of normality by skewness and kurtosis.

    Parameters
    ----------
    e : ndarray of float64, shape (n, L1)
        Residuals, NaN where missing.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)
        Chi-squared with 2 degrees of freedom.

    References
    ----------
    Jarque, C. M. and Bera, A. K. (1987). A test for normality of observations and regression residuals. *International
    Statistical Review* 55.
    """
    z, there = _centred(e)
    m = there.sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (z**2).sum(1) / m
        skewness = (z**3).sum(1) / m / variance**1.5
        kurtosis = (z**4).sum(1) / m / variance**2
        statistic = m / 6 * (skewness**2 + (kurtosis - 3) ** 2 / 4)
    return statistic, np.asarray(special.chdtrc(2.0, statistic))


def chow(data: EventData) -> tuple[FloatArray, FloatArray]:
    """Chow's test that the coefficients of a regression are the same in both halves of the estimation window.

    The halves hold as many usable sessions each. For a model without regressors it compares the means.

    Parameters
    ----------
    data : EventData
        Returns and regressors of ``n`` events.

    Returns
    -------
    statistic, p_value : ndarray of float64, shape (n,)
        F with ``K`` and ``M − 2K`` degrees of freedom.

    References
    ----------
    Chow, G. C. (1960). Tests of equality between sets of coefficients in two linear regressions. *Econometrica* 28.
    """
    usable = data.usable
    m = usable.sum(1)
    rank = np.cumsum(usable, axis=1)
    first = usable & (rank <= (m // 2)[:, None])
    k = data.x.shape[-1] + 1
    whole, early, late = (_ssr(data, rows) for rows in (usable, first, usable & ~first))
    dof = (m - 2 * k).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = ((whole - early - late) / k) / ((early + late) / dof)
    statistic[dof < 1] = np.nan
    return statistic, np.asarray(special.fdtrc(float(k), np.maximum(dof, 1), statistic))


def _ssr(data: EventData, rows: BoolArray) -> FloatArray:
    """Residual sum of squares of least squares on some of the rows."""
    count = np.maximum(rows.sum(1), 1)
    y = np.where(rows, data.y, 0.0)
    dy = np.where(rows, y - (y.sum(1) / count)[:, None], 0.0)
    x = np.where(rows[..., None], data.x, 0.0)
    dx = np.where(rows[..., None], x - (x.sum(1) / count[:, None])[:, None, :], 0.0)
    if not dx.shape[-1]:
        return np.asarray((dy**2).sum(1))
    size = np.sqrt((dx**2).sum(1))
    q, _ = np.linalg.qr(dx / np.where(size > 0, size, 1.0)[:, None, :])
    fitted = (q @ np.einsum("nta,nt->na", q, dy)[..., None])[..., 0]
    return np.asarray(((dy - fitted) ** 2).sum(1))


def outliers(e: FloatArray, threshold: float) -> tuple[IntArray, IntArray]:
    """Residuals further from the median than ``threshold`` robust standard deviations.

    Parameters
    ----------
    e : ndarray of float64, shape (n, L1)
        Residuals, NaN where missing.
    threshold : float
        In units of the median absolute deviation over 0.6745, which is a standard deviation for normal residuals.

    Returns
    -------
    count : ndarray of int64, shape (n,)
        How many.
    at : ndarray of int64, shape (n,)
        Column of the largest.
    """
    safe = np.where(_empty(e), 0.0, e)
    distance = np.abs(safe - np.nanmedian(safe, axis=1)[:, None])
    spread = np.nanmedian(distance, axis=1) / _MAD
    score = np.where(np.isnan(distance), 0.0, distance)
    return np.asarray((score > threshold * spread[:, None]).sum(1)), np.asarray(score.argmax(1))
