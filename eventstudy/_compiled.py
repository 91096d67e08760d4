"""Compiled forms of the kernels; imported on first use, never at ``import eventstudy``.

Each function has a plain numpy twin in :mod:`eventstudy.kernels` with the same contract. All write into arrays
that the caller owns, so that threads can share one panel.

Sums of squares are taken in one pass about a pilot, the first usable row. No row is further than ``√n`` standard
deviations from the mean, so the correction to the mean loses at most a factor ``n`` of precision, and as a rule none.
Windows are sliced before they are looped over: an index that may be negative keeps a loop out of vector registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from eventstudy._numba import compiled, inlined
from eventstudy.kernels import OK, SINGULAR, TOO_FEW, ZERO_VARIANCE

_LINE = 8  # float64 in a cache line
_AHEAD = 32  # events between asking for part of a row and reading it


@intrinsic
def _prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of one element: events lie anywhere in the panel, and waiting is what they cost."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        made = context.make_array(kind)(context, builder, args[0])
        pointer = cgutils.get_item_pointer(context, builder, kind, made, [args[1]], wraparound=False)
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        call = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]), "llvm.prefetch.p0i8"
        )
        builder.call(call, [builder.bitcast(pointer, byte), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


@inlined
def _prefetch_window(values: Any, security: Any, position: Any, i: int, first: int, last: int) -> None:
    """Ask for the returns of event ``i`` while the one before it is worked on."""
    if i < security.shape[0]:
        row = values[security[i]]
        low = min(max(0, position[i] + first), values.shape[1])
        high = min(values.shape[1], position[i] + last + 1)
        for t in range(low, high, _LINE):
            _prefetch(row, t)


@inlined
def prefetch_part(rows: Any, i: int, first: int, last: int) -> None:
    """Ask for part of row ``i``: the hardware does not guess the lines of rows that are read in part."""
    if i < rows.shape[0]:
        for t in range(first, last, _LINE):
            _prefetch(rows[i], t)
        _prefetch(rows[i], last)


@inlined
def _negligible(part: float, whole: float) -> bool:
    """Whether a sum of squares is nothing but rounding beside the other (1e-12 in units of the data)."""
    return part <= 1e-24 * whole


@inlined
def _fail(
    i: int, state: int, ar: Any, coef: Any, sigma2: Any, r2: Any, center: Any, inverse: Any, status: Any, n_ar: Any
) -> None:
    status[i] = state
    n_ar[i] = 0
    ar[i, :] = np.nan
    coef[i, :] = np.nan
    sigma2[i] = np.nan
    r2[i] = np.nan
    center[i, :] = np.nan
    inverse[i, :] = np.nan


@inlined
def _factor(gram: Any, mean: Any, n: int, lower: Any) -> float:
    """Cholesky factor; the least share of a regressor's variance that the others leave, 0 where it is rounding."""
    least = 1.0
    for a in range(gram.shape[0]):
        if _negligible(gram[a, a], gram[a, a] + n * mean[a] * mean[a]):
            return 0.0
        for b in range(a + 1):
            total = gram[a, b]
            for c in range(b):
                total -= lower[a, c] * lower[b, c]
            if a > b:
                lower[a, b] = total / lower[b, b]
            else:
                least = min(least, total / gram[a, a])
                if least <= 1e-13:
                    return 0.0
                lower[a, a] = np.sqrt(total)
    return least


@inlined
def _solve(lower: Any, right: Any) -> None:
    """Solve ``L L' b = right`` in place."""
    p = lower.shape[0]
    for a in range(p):
        total = right[a]
        for c in range(a):
            total -= lower[a, c] * right[c]
        right[a] = total / lower[a, a]
    for a in range(p - 1, -1, -1):
        total = right[a]
        for c in range(a + 1, p):
            total -= lower[c, a] * right[c]
        right[a] = total / lower[a, a]


@inlined
def _dot(u: Any, v: Any) -> float:
    total = 0.0
    for t in range(u.shape[0]):
        total += u[t] * v[t]
    return total


@compiled
def design_moments(
    factors: Any, offset: Any, intercept: bool, dates: Any, est: Any, mean: Any, lower: Any, inverse: Any, plain: Any
) -> None:
    """What the events of one date share: means, Cholesky factor and inverse of the regressors' centred products.

    ``plain`` is left False where a regressor is missing, or so large beside its spread, or so close to the others, that
    sums about zero would lose digits.
    """
    n_sessions = factors.shape[1]
    p = factors.shape[0]
    data = np.empty((p, est[1] - est[0] + 1))
    gram = np.empty((p, p))
    step = np.empty(p)
    for d in range(dates.shape[0]):
        low = min(max(0, dates[d] + est[0]), n_sessions)
        high = max(low, min(n_sessions, dates[d] + est[1] + 1))
        n = high - low
        plain[d] = False
        if n == 0 or np.isnan(offset[low:high].sum()):
            continue
        good = True
        for a in range(p):
            x = factors[a, low:high]
            total = 0.0
            for t in range(n):
                total += x[t]
            mean[d, a] = total / n if intercept else 0.0
            column = data[a, :n]
            for t in range(n):
                column[t] = x[t] - mean[d, a]
            for b in range(a + 1):
                gram[a, b] = _dot(column, data[b, :n])
            good &= n * mean[d, a] * mean[d, a] <= 16.0 * gram[a, a]
        if not good or _factor(gram, mean[d], n, lower[d]) < 1e-2:
            continue
        plain[d] = True
        for b in range(p):
            _unit_solution(lower[d], b, step, inverse[d])


@inlined
def _unit_solution(lower: Any, b: int, step: Any, inverse: Any) -> None:
    """Column ``b`` of the inverse, lower part packed by rows."""
    step[:] = 0.0
    step[b] = 1.0
    _solve(lower, step)
    for a in range(b, step.shape[0]):
        inverse[a * (a + 1) // 2 + b] = step[a]


@compiled
def fit_factors(
    values: Any,
    factors: Any,
    offset: Any,
    intercept: bool,
    kept: Any,
    date: Any,
    means: Any,
    lowers: Any,
    inverses: Any,
    plain: Any,
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
    n_ar: Any,
) -> None:
    """Any number of regressors: normal equations of centred columns by Cholesky, corrected where they are close.

    ``kept``, of shape (n, L1) or empty, says which sessions of each estimation window may be used. ``date`` numbers the
    :func:`design_moments` of each event; without a return missing, or the need of a correction, they are all of the
    regressors' part.
    """
    n_sessions = values.shape[1]
    p = factors.shape[0]
    shift = 1 if intercept else 0
    k = p + shift
    span = est[1] - est[0] + 1
    data = np.empty((p + 1, span))  # centred regressors, then the return; zero in rows left out
    use = np.empty(span)
    mean = np.empty(p + 1)
    gram = np.empty((p, p))
    lower = np.empty((p, p))
    beta = np.empty(p)
    step = np.empty(p)
    for i in range(security.shape[0]):
        _prefetch_window(values, security, position, i + 1, est[0], event[1])
        at = position[i]
        low = min(max(0, at + est[0]), n_sessions)
        high = max(low, min(n_sessions, at + est[1] + 1))
        length = high - low
        y = values[security[i], low:high]
        base = offset[low:high]
        n = length
        syy = 0.0
        ssr = -1.0  # until it is known
        if kept.shape[0] == 0 and plain[date[i]] and n >= min_obs and n > k:
            e = data[p, :length]
            total = 0.0
            for t in range(length):
                e[t] = y[t] - base[t]
                total += e[t]
                syy += e[t] * e[t]
            mean[p] = total / n if intercept else 0.0
            syy -= mean[p] * total
            # neither holds where a return is missing, so that the sums are NaN
            if (n * mean[p] * mean[p] <= 16.0 * syy) & (syy > 0.0):
                rest = syy
                for a in range(p):
                    mean[a] = means[date[i], a]
                    step[a] = _dot(factors[a, low:high], e) - mean[a] * total
                    beta[a] = step[a]
                _solve(lowers[date[i]], beta)
                for a in range(p):
                    rest -= beta[a] * step[a]
                if rest >= 1e-3 * syy:
                    ssr = rest
                    inverse[i] = inverses[date[i]]
        if ssr < 0.0:
            ok = use[:length]
            for t in range(length):
                ok[t] = 1.0 if (y[t] == y[t]) & (base[t] == base[t]) else 0.0
            if kept.shape[0] > 0:
                first = low - (at + est[0])
                allowed = kept[i, first : first + length]
                for t in range(length):
                    ok[t] = ok[t] if allowed[t] else 0.0
            for a in range(p):
                x = factors[a, low:high]
                for t in range(length):
                    ok[t] = ok[t] if x[t] == x[t] else 0.0
            count = 0.0
            for t in range(length):
                count += ok[t]
            n = int(count)
            if n < min_obs or n <= k:
                n_obs[i] = n
                _fail(i, TOO_FEW, ar, coef, sigma2, r2, center, inverse, status, n_ar)
                continue
            for a in range(p + 1):
                column = data[a, :length]
                total = 0.0
                if a < p:
                    x = factors[a, low:high]
                    for t in range(length):
                        column[t] = x[t] if ok[t] > 0.0 else 0.0
                        total += column[t]
                else:
                    for t in range(length):
                        column[t] = y[t] - base[t] if ok[t] > 0.0 else 0.0
                        total += column[t]
                mean[a] = total / n if intercept else 0.0
                if intercept:
                    for t in range(length):
                        column[t] = (column[t] - mean[a]) * ok[t]
            e = data[p, :length]
            syy = _dot(e, e)
            sum_yy = syy + n * mean[p] * mean[p]
            for a in range(p):
                beta[a] = _dot(data[a, :length], e)
                for b in range(a + 1):
                    gram[a, b] = _dot(data[a, :length], data[b, :length])
            least = _factor(gram, mean, n, lower)
            if least == 0.0:
                n_obs[i] = n
                _fail(i, SINGULAR, ar, coef, sigma2, r2, center, inverse, status, n_ar)
                continue
            _solve(lower, beta)
            for a in range(p):
                x = data[a, :length]
                for t in range(length):
                    e[t] -= beta[a] * x[t]
            ssr = _dot(e, e)
            if p > 0 and (least < 1e-2 or ssr < 1e-4 * syy):  # one correction from the residuals
                for a in range(p):
                    step[a] = _dot(data[a, :length], e)
                _solve(lower, step)
                for a in range(p):
                    beta[a] += step[a]
                    x = data[a, :length]
                    for t in range(length):
                        e[t] -= step[a] * x[t]
                ssr = _dot(e, e)
            if _negligible(ssr, sum_yy):
                n_obs[i] = n
                _fail(i, ZERO_VARIANCE, ar, coef, sigma2, r2, center, inverse, status, n_ar)
                continue
            for b in range(p):
                _unit_solution(lower, b, step, inverse[i])
        status[i] = OK
        n_obs[i] = n
        alpha = mean[p]
        for a in range(p):
            alpha -= beta[a] * mean[a]
            center[i, a] = mean[a]
            coef[i, a + shift] = beta[a]
        if intercept:
            coef[i, 0] = alpha
        sigma2[i] = ssr / (n - k)
        r2[i] = 1.0 - ssr / syy if k > 0 else np.nan
        first = at + event[0]
        low = min(max(0, first), n_sessions)
        high = max(low, min(n_sessions, at + event[1] + 1))
        ar[i, : low - first] = np.nan
        ar[i, high - first :] = np.nan
        left = ar[i, low - first : high - first]
        y = values[security[i], low:high]
        base = offset[low:high]
        for t in range(left.shape[0]):
            left[t] = y[t] - base[t] - alpha
        for a in range(p):
            x = factors[a, low:high]
            for t in range(left.shape[0]):
                left[t] -= beta[a] * x[t]
        there = 0
        for t in range(left.shape[0]):
            there += 1 if left[t] == left[t] else 0
        n_ar[i] = there


@compiled
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
        prefetch_part(ar, i + _AHEAD, start - first, end - first)
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


@compiled
def residuals(
    values: Any, factors: Any, offset: Any, intercept: bool, coef: Any, security: Any, position: Any, est: Any, out: Any
) -> None:
    """Estimation-window residuals, NaN where a return or a regressor is missing."""
    n_sessions = values.shape[1]
    p = factors.shape[0]
    shift = 1 if intercept else 0
    for i in range(security.shape[0]):
        _prefetch_window(values, security, position, i + 1, est[0], est[1])
        first = position[i] + est[0]
        low = min(max(0, first), n_sessions)
        high = max(low, min(n_sessions, position[i] + est[1] + 1))
        alpha = coef[i, 0] if intercept else 0.0
        y = values[security[i], low:high]
        base = offset[low:high]
        row = out[i]
        row[: low - first] = np.nan
        row[high - first :] = np.nan
        e = row[low - first : high - first]
        for t in range(e.shape[0]):
            e[t] = y[t] - base[t] - alpha
        for a in range(p):
            slope = coef[i, a + shift]
            x = factors[a, low:high]
            for t in range(e.shape[0]):
                e[t] -= slope * x[t]


@compiled
def add_residuals(
    e: Any, group: Any, weight: Any, total: Any, total_weight: Any, scores: Any, counts: Any, scored: Any
) -> None:
    """Add residuals to the portfolio, and in units of their own spread to the scores of their event date."""
    for i in range(e.shape[0]):
        row = e[i]
        m = 0.0
        mean = 0.0
        for j in range(row.shape[0]):
            ok = row[j] == row[j]
            m += 1.0 if ok else 0.0
            mean += row[j] if ok else 0.0
        mean /= max(m, 1.0)
        square = 0.0
        for j in range(row.shape[0]):
            d = row[j] - mean if row[j] == row[j] else 0.0
            square += d * d
        unit = 0.0 if _negligible(square, square + m * mean * mean) else np.sqrt(m / square)
        scored[group[i]] += 1.0 if unit > 0.0 else 0.0
        score = scores[group[i]]
        count = counts[group[i]]
        w = weight[i]
        for j in range(row.shape[0]):
            ok = row[j] == row[j]
            total[j] += w * row[j] if ok else 0.0
            total_weight[j] += w if ok else 0.0
            score[j] += (row[j] - mean) * unit if ok else 0.0
            count[j] += 1.0 if ok and unit > 0.0 else 0.0  # a row without variance correlates with none


@compiled
def meeting_dates(dates: Any, size: Any, scores: Any, counts: Any, min_shared: int, complete: bool) -> float:
    """Sum over pairs of events on different dates of the product of their scores, per shared date."""
    length = scores.shape[1]
    total = 0.0
    for g in range(dates.shape[0]):
        for h in range(g + 1, dates.shape[0]):
            lag = dates[h] - dates[g]
            shared = length - lag
            if shared < min_shared:
                break
            joint = float(shared)
            if not complete:
                joint = _dot(counts[g, lag:], counts[h, :shared]) / (size[g] * size[h])
            if joint >= min_shared:
                # residuals are in units of their own window, so that over part of it a correlation may pass one
                most = size[g] * size[h]
                total += min(max(_dot(scores[g, lag:], scores[h, :shared]) / joint, -most), most)
    return total
