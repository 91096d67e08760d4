"""Compiled forms of the kernels; imported on first use, never at ``import eventstudy``.

Each function has a plain numpy twin in :mod:`eventstudy.kernels` with the same contract. All release the GIL and
write into arrays that the caller owns, so that threads can share one panel. ``reassoc`` lets the compiler use vector
registers in sums; ``nnan`` is left out on purpose, because NaN is how the panel says "missing".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from eventstudy.kernels import OK, SINGULAR, TOO_FEW, ZERO_VARIANCE

_FAST = {"reassoc", "contract", "nsz"}
_jit: Any = njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")


@_jit
def _negligible(part: float, whole: float) -> bool:
    """Whether a sum of squares is nothing but rounding beside the other (1e-12 in units of the data)."""
    return part <= 1e-24 * whole


@_jit
def fit_one_factor(
    values: Any,
    factor: Any,
    security: Any,
    position: Any,
    est: Any,
    event: Any,
    min_obs: int,
    ar: Any,
    coef: Any,
    sigma2: Any,
    n_obs: Any,
    r2: Any,
    center: Any,
    inverse: Any,
    status: Any,
) -> None:
    """Market model: intercept and one regressor, in three short passes over one run of memory."""
    n_sessions = values.shape[1]
    for i in range(security.shape[0]):
        y = values[security[i]]
        at = position[i]
        low = max(0, at + est[0])
        high = min(n_sessions, at + est[1] + 1)
        n = 0
        sum_y = 0.0
        sum_x = 0.0
        for t in range(low, high):
            ok = (y[t] == y[t]) & (factor[t] == factor[t])
            n += ok
            sum_y += y[t] if ok else 0.0
            sum_x += factor[t] if ok else 0.0
        n_obs[i] = n
        state = TOO_FEW
        if n >= min_obs:
            mean_y = sum_y / n
            mean_x = sum_x / n
            sxx = 0.0
            sxy = 0.0
            syy = 0.0
            for t in range(low, high):
                ok = (y[t] == y[t]) & (factor[t] == factor[t])
                dx = factor[t] - mean_x if ok else 0.0
                dy = y[t] - mean_y if ok else 0.0
                sxx += dx * dx
                sxy += dx * dy
                syy += dy * dy
            state = OK
            if _negligible(sxx, sxx + n * mean_x * mean_x):
                state = SINGULAR
            else:
                beta = sxy / sxx
                ssr = syy - beta * sxy
                if ssr < 1e-4 * syy:  # cancellation: sum the residuals themselves
                    ssr = 0.0
                    for t in range(low, high):
                        ok = (y[t] == y[t]) & (factor[t] == factor[t])
                        e = (y[t] - mean_y) - beta * (factor[t] - mean_x) if ok else 0.0
                        ssr += e * e
                if _negligible(ssr, syy + n * mean_y * mean_y):
                    state = ZERO_VARIANCE
        status[i] = state
        if state != OK:
            ar[i, :] = np.nan
            coef[i, :] = np.nan
            sigma2[i] = np.nan
            r2[i] = np.nan
            center[i, 0] = np.nan
            inverse[i, 0] = np.nan
            continue
        alpha = mean_y - beta * mean_x
        coef[i, 0] = alpha
        coef[i, 1] = beta
        sigma2[i] = ssr / (n - 2)
        r2[i] = 1.0 - ssr / syy
        center[i, 0] = mean_x
        inverse[i, 0] = 1.0 / sxx
        for j in range(event[1] - event[0] + 1):
            t = at + event[0] + j
            if 0 <= t < n_sessions:
                ar[i, j] = y[t] - alpha - beta * factor[t]
            else:
                ar[i, j] = np.nan


@_jit
def fit_factors(
    values: Any,
    factors: Any,
    offset: Any,
    intercept: bool,
    security: Any,
    position: Any,
    est: Any,
    event: Any,
    min_obs: int,
    ar: Any,
    coef: Any,
    sigma2: Any,
    n_obs: Any,
    r2: Any,
    center: Any,
    inverse: Any,
    status: Any,
) -> None:
    """Any number of regressors: centred normal equations by Cholesky, corrected once from the residuals."""
    n_sessions = values.shape[1]
    p = factors.shape[0]
    k = p + (1 if intercept else 0)
    mean = np.empty(p)
    gram = np.empty((p, p))
    low_tri = np.empty((p, p))
    right = np.empty(p)
    beta = np.empty(p)
    step = np.empty(p)
    use = np.empty(max(1, est[1] - est[0] + 1), np.bool_)
    for i in range(security.shape[0]):
        y = values[security[i]]
        at = position[i]
        low = max(0, at + est[0])
        high = min(n_sessions, at + est[1] + 1)
        n = 0
        mean_y = 0.0
        mean[:] = 0.0
        for t in range(low, high):
            ok = y[t] == y[t] and offset[t] == offset[t]
            for a in range(p):
                ok = ok and factors[a, t] == factors[a, t]
            use[t - low] = ok
            if ok:
                n += 1
                mean_y += y[t] - offset[t]
                for a in range(p):
                    mean[a] += factors[a, t]
        n_obs[i] = n
        state = OK if n >= min_obs and n > k else TOO_FEW
        ssr = 0.0
        syy = 0.0
        sum_yy = 0.0
        if state == OK:
            if intercept:
                mean_y /= n
                for a in range(p):
                    mean[a] /= n
            else:
                mean_y = 0.0
                mean[:] = 0.0
            gram[:] = 0.0
            right[:] = 0.0
            for t in range(low, high):
                if use[t - low]:
                    raw = y[t] - offset[t]
                    dy = raw - mean_y
                    syy += dy * dy
                    sum_yy += raw * raw
                    for a in range(p):
                        da = factors[a, t] - mean[a]
                        right[a] += da * dy
                        for b in range(a + 1):
                            gram[a, b] += da * (factors[b, t] - mean[b])
            for a in range(p):
                raw_size = gram[a, a] + n * mean[a] * mean[a]
                for b in range(a + 1):
                    total = gram[a, b]
                    for c in range(b):
                        total -= low_tri[a, c] * low_tri[b, c]
                    if a == b:
                        # a pivot this small is rounding, not variation of its own
                        if _negligible(gram[a, a], raw_size) or total <= 1e-13 * gram[a, a]:
                            state = SINGULAR
                            total = 1.0
                        low_tri[a, a] = np.sqrt(total)
                    else:
                        low_tri[a, b] = total / low_tri[b, b]
        if state == OK:
            beta[:] = 0.0
            for sweep in range(2):
                if sweep == 1:
                    right[:] = 0.0
                    for t in range(low, high):
                        if use[t - low]:
                            e = (y[t] - offset[t]) - mean_y
                            for a in range(p):
                                e -= beta[a] * (factors[a, t] - mean[a])
                            for a in range(p):
                                right[a] += (factors[a, t] - mean[a]) * e
                for a in range(p):
                    total = right[a]
                    for c in range(a):
                        total -= low_tri[a, c] * step[c]
                    step[a] = total / low_tri[a, a]
                for a in range(p - 1, -1, -1):
                    total = step[a]
                    for c in range(a + 1, p):
                        total -= low_tri[c, a] * step[c]
                    step[a] = total / low_tri[a, a]
                for a in range(p):
                    beta[a] += step[a]
            for t in range(low, high):
                if use[t - low]:
                    e = (y[t] - offset[t]) - mean_y
                    for a in range(p):
                        e -= beta[a] * (factors[a, t] - mean[a])
                    ssr += e * e
            if _negligible(ssr, sum_yy):
                state = ZERO_VARIANCE
        status[i] = state
        if state != OK:
            ar[i, :] = np.nan
            coef[i, :] = np.nan
            sigma2[i] = np.nan
            r2[i] = np.nan
            center[i, :] = np.nan
            inverse[i, :] = np.nan
            continue
        alpha = mean_y
        for a in range(p):
            alpha -= beta[a] * mean[a]
            center[i, a] = mean[a]
            coef[i, a + k - p] = beta[a]
        if intercept:
            coef[i, 0] = alpha
        else:
            alpha = 0.0
        sigma2[i] = ssr / (n - k)
        r2[i] = 1.0 - ssr / syy if k > 0 else np.nan
        for b in range(p):  # column b of (X'X)^-1, lower part packed by rows
            for a in range(p):
                total = 1.0 if a == b else 0.0
                for c in range(a):
                    total -= low_tri[a, c] * step[c]
                step[a] = total / low_tri[a, a]
            for a in range(p - 1, -1, -1):
                total = step[a]
                for c in range(a + 1, p):
                    total -= low_tri[c, a] * step[c]
                step[a] = total / low_tri[a, a]
            for a in range(b, p):
                inverse[i, a * (a + 1) // 2 + b] = step[a]
        for j in range(event[1] - event[0] + 1):
            t = at + event[0] + j
            if 0 <= t < n_sessions:
                e = y[t] - offset[t] - alpha
                for a in range(p):
                    e -= beta[a] * factors[a, t]
                ar[i, j] = e
            else:
                ar[i, j] = np.nan


@_jit
def window_sums(
    ar: Any,
    factors: Any,
    position: Any,
    intercept: bool,
    n_obs: Any,
    center: Any,
    inverse: Any,
    first: int,
    start: int,
    end: int,
    skip_missing: bool,
    car: Any,
    scale: Any,
    n_used: Any,
) -> None:
    """CAR and its forecast-variance multiplier over sessions ``start..end``; ``first`` is the tau of column 0."""
    p = factors.shape[0]
    dx = np.empty(p)
    for i in range(ar.shape[0]):
        total = 0.0
        used = 0
        dx[:] = 0.0
        for tau in range(start, end + 1):
            value = ar[i, tau - first]
            if value == value:
                used += 1
                total += value
                for a in range(p):
                    dx[a] += factors[a, position[i] + tau] - center[i, a]
        n_used[i] = used
        if used == 0 or (used < end - start + 1 and not skip_missing):
            car[i] = np.nan
            scale[i] = np.nan
            continue
        multiplier = float(used)
        if intercept:
            multiplier += used * used / n_obs[i]
        for a in range(p):
            multiplier += inverse[i, a * (a + 1) // 2 + a] * dx[a] * dx[a]
            for b in range(a):
                multiplier += 2.0 * inverse[i, a * (a + 1) // 2 + b] * dx[a] * dx[b]
        car[i] = total
        scale[i] = multiplier


@_jit
def residuals(
    values: Any, factors: Any, offset: Any, intercept: bool, coef: Any, security: Any, position: Any, est: Any, out: Any
) -> None:
    """Estimation-window residuals, NaN where a return or a regressor is missing."""
    n_sessions = values.shape[1]
    p = factors.shape[0]
    shift = 1 if intercept else 0
    for i in range(security.shape[0]):
        y = values[security[i]]
        for j in range(est[1] - est[0] + 1):
            t = position[i] + est[0] + j
            if 0 <= t < n_sessions:
                e = y[t] - offset[t]
                if intercept:
                    e -= coef[i, 0]
                for a in range(p):
                    e -= coef[i, a + shift] * factors[a, t]
                out[i, j] = e
            else:
                out[i, j] = np.nan
