"""Shift of the factor loadings: Chow's tests and dummy interactions, batched by closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy import special

from eventstudy._typing import BoolArray, FloatArray
from eventstudy.abnormal import t_p_value
from eventstudy.errors import InputError
from eventstudy.inference.resampling import as_many

__all__ = ["BetaCovariance", "BetaShift", "beta_shift"]

BetaCovariance: TypeAlias = Literal["HAC", "nonrobust"]


@dataclass(frozen=True, slots=True)
class BetaShift:
    """Coefficients of ``n`` events in two windows and tests of their change; ``k`` coefficients, constant first.

    Parameters
    ----------
    before, after, shift, std_error, t, p_value : ndarray of float64, shape (n, k)
        Coefficients, their change, and its test; NaN where a window does not allow a fit.
    df : ndarray of float64, shape (n,)
        ``n_before + n_after − 2k``.
    chow, chow_df_num, chow_df_den, chow_p : ndarray of float64, shape (n,)
        Chow's test that no coefficient changes; his predictive test where ``n_after ≤ k``.
    n_before, n_after : ndarray of int64, shape (n,)
        Usable sessions.
    """

    before: FloatArray
    after: FloatArray
    shift: FloatArray
    std_error: FloatArray
    t: FloatArray
    p_value: FloatArray
    df: FloatArray
    chow: FloatArray
    chow_df_num: FloatArray
    chow_df_den: FloatArray
    chow_p: FloatArray
    n_before: FloatArray
    n_after: FloatArray


@dataclass(frozen=True, slots=True)
class _Fit:
    """Least squares of one set of sessions: coefficients, residuals (0 where unused), their square, ``(X'X)^{-1}``."""

    coef: FloatArray
    resid: FloatArray
    ssr: FloatArray
    inverse: FloatArray
    n: FloatArray


def _least_squares(y: FloatArray, x: FloatArray, use: BoolArray) -> _Fit:
    """Batched least squares over the sessions to use; NaN where they do not identify the coefficients."""
    kept, target = np.where(use[..., None], x, 0.0), np.where(use, y, 0.0)
    size = np.sqrt((kept**2).sum(1))
    unit = np.where(size > 0, size, 1.0)
    q, r = np.linalg.qr(kept / unit[:, None, :])
    n = use.sum(1).astype(np.float64)
    short = r.shape[1] < r.shape[2]
    bad = (n < x.shape[2]) | short
    if not short:
        bad |= (np.abs(np.einsum("naa->na", r)) <= 1e-7).any(1)
        r = np.where(bad[:, None, None], np.eye(x.shape[2]), r)
        inverse_r = np.linalg.inv(r)
        coef = np.einsum("nab,nb->na", inverse_r, np.einsum("nta,nt->na", q, target)) / unit
        inverse = np.einsum("nac,nbc->nab", inverse_r, inverse_r) / (unit[:, :, None] * unit[:, None, :])
    else:
        coef, inverse = np.empty((len(y), x.shape[2])), np.empty((len(y), x.shape[2], x.shape[2]))
    resid = np.where(use, target - np.einsum("nta,na->nt", kept, coef), 0.0)
    for array in (coef, resid, inverse):
        array[bad] = np.nan
    return _Fit(coef, resid, (resid**2).sum(1), inverse, n)


def beta_shift(
    y: FloatArray,
    x: FloatArray,
    split: int,
    *,
    cov: BetaCovariance = "HAC",
    lags: int | None = None,
) -> BetaShift:
    """Change of the coefficients of ``y`` on ``x`` between the sessions before and after ``split``, row by row.

    One regression with every regressor also times a dummy of the later window, as Karafiath has it; its coefficients
    are those of two separate regressions, and so it is computed. Null: a coefficient does not change. Student t with
    ``n − 2k`` degrees of freedom. ``cov="nonrobust"`` has one residual variance for both windows; ``"HAC"`` (Newey and
    West, Bartlett weights, scaled by ``n/(n − 2k)``) allows for different variances and for serial correlation, but is
    too small when a window has few sessions. Chow's F is for normal errors of one variance: an event that raises the
    variance makes it reject too often.

    Parameters
    ----------
    y : ndarray of float64, shape (n, T)
        Returns, NaN where missing or of neither window; in the order of time.
    x : ndarray of float64, shape (n, T, k)
        Regressors with the constant; NaN where missing.
    split : int
        First column of the later window.
    cov : {"HAC", "nonrobust"}
        Covariance of the coefficients.
    lags : int, optional
        Largest lag in sessions; ``⌊4 (n/100)^{2/9}⌋`` by default, ``n`` that of the event with the most sessions.

    Returns
    -------
    BetaShift

    References
    ----------
    Chow, G. C. (1960). Tests of equality between sets of coefficients in two linear regressions. *Econometrica* 28.
    Karafiath, I. (1988). Using dummy variables in the event methodology. *Financial Review* 23.
    Newey, W. K. and West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix. *Econometrica* 55.
    """
    if cov not in get_args(BetaCovariance):
        raise InputError(f"cov={cov!r} is not an option.", remedy=f"Use one of {get_args(BetaCovariance)}.")
    use = ~(np.isnan(y) | np.isnan(x).any(-1))
    early = np.zeros(y.shape[1], dtype=bool)
    early[:split] = True
    parts = [_least_squares(y, x, use & side) for side in (early, ~early)]
    pooled = _least_squares(y, x, use)
    k, n1, n2 = x.shape[2], parts[0].n, parts[1].n
    df = n1 + n2 - 2 * k
    apart = parts[0].ssr + parts[1].ssr
    with np.errstate(divide="ignore", invalid="ignore"):
        if cov == "nonrobust":
            both = np.einsum("naa->na", parts[0].inverse) + np.einsum("naa->na", parts[1].inverse)
            variance = both * (apart / df)[:, None]
        else:
            total = n1 + n2
            most = float(total.max(initial=0.0))
            lags = int(4.0 * (most / 100.0) ** (2.0 / 9.0)) if lags is None else as_many("lags", lags, 0)
            variance = _hac(parts, x, use, early, lags) * (total / df)[:, None]
        variance = np.where((df > 0)[:, None] & (variance > 0), variance, np.nan)
        shift = parts[1].coef - parts[0].coef
        t = shift / np.sqrt(variance)
        predictive = n2 <= k
        whole = np.where(predictive, parts[0].ssr, apart)
        df_num = np.where(predictive, n2, float(k))
        df_den = np.where(predictive, n1 - k, df)
        chow = (pooled.ssr - whole) / df_num / (whole / df_den)
    possible = (n2 > 0) & (df_den > 0) & np.isfinite(chow)
    chow = np.where(possible, np.maximum(chow, 0.0), np.nan)
    chow_p = np.asarray(special.fdtrc(np.maximum(df_num, 1), np.maximum(df_den, 1), chow), dtype=np.float64)
    p_value = t_p_value(t, np.maximum(df, 1.0)[:, None])
    return BetaShift(
        parts[0].coef, parts[1].coef, shift, np.sqrt(variance), t, p_value, df, chow, df_num, df_den, chow_p, n1, n2
    )


def _hac(parts: list[_Fit], x: FloatArray, use: BoolArray, early: BoolArray, lags: int) -> FloatArray:
    """Newey–West variance of each coefficient's change, shape (n, k), before the scale of degrees of freedom.

    The change is a sum over sessions of ``(X'X)^{-1} x u`` of the later window less that of the earlier one; sessions
    without a return keep their place in time and add nothing.
    """
    influence = np.zeros(x.shape)
    kept = np.where(use[..., None], x, 0.0)
    for part, side, sign in ((parts[0], early, -1.0), (parts[1], ~early, 1.0)):
        scores = kept * np.where(side, part.resid, 0.0)[..., None]
        influence += sign * np.einsum("nab,ntb->nta", part.inverse, scores)
    total: FloatArray = (influence**2).sum(1)
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1.0)
        total = total + 2.0 * weight * (influence[:, lag:] * influence[:, :-lag]).sum(1)
    return total
