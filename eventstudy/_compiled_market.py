"""Compiled market model: one regressor and a constant, worked through security by security.

Imported on first use, like :mod:`eventstudy._compiled`; the numpy twin is that of all linear models. Events come in
any order, so their windows lie anywhere in the panel, and fetching them takes longer than summing them. The events are
therefore dealt out by security first: one row of the panel stays in the cache while all its events are fitted. Each
leaves one cache line of numbers, which a second pass over the events in their own order spreads to where they belong.
Many events of one security are dealt out by stretches of sessions too, so that windows that meet are fitted together.
What is summed, and in which order, depends on the event's own window and on nothing else.
"""

# mypy: allow-untyped-decorators, disable-error-code="call-arg,no-untyped-call"

from __future__ import annotations

import os
from typing import Any

import numpy as np

from eventstudy import kernels
from eventstudy._compiled import _LINE, _fail, _negligible, _prefetch, prefetch_part
from eventstudy._numba import compiled, inlined
from eventstudy._typing import FloatArray, IntArray
from eventstudy.kernels import OK, SINGULAR, TOO_FEW, ZERO_VARIANCE, LinearArrays, WindowSums, share

_AHEAD = 2  # events between asking for returns and summing them
_AHEAD_AR = 8
_AHEAD_SUM = 32
_EVENT = 0xFFFFFFFF
_STRETCH = 8  # binary logarithm of the sessions whose events are fitted together: their windows stay in the cache
_RUN = 256  # events fitted at a time
_LEFT = -1  # status of an event that is still to be fitted
# share of squares that differences of sums must leave, for digits enough: longer sums round more
_LEAST, _LEAST_PER_ROW = 1e-4, 1e-7
_PER_STRETCH = 4  # fewer events in a stretch are not worth it
# columns of the line an event leaves
_ALPHA, _BETA, _SIGMA2, _R2, _CENTER, _INVERSE, _N_OBS, _STATUS = range(8)


def fit_market(
    values: FloatArray,
    factor: FloatArray,
    security: IntArray,
    position: IntArray,
    est: IntArray,
    event: IntArray,
    min_obs: int,
    out: LinearArrays,
) -> None:
    """Fill ``out``; parameters as for :func:`eventstudy.kernels.fit_linear`."""
    n, rows = len(security), len(values)
    per_row = (len(factor) >> _STRETCH) + 1
    per_row = per_row if n >= _PER_STRETCH * rows * per_row else 1
    # each core deals out events of its own: as many whole chunks as make its part
    size = kernels.CHUNK * max(1, -(-n // (kernels.CHUNK * (os.cpu_count() or 1))))
    start, packed = np.empty((max(1, -(-n // size)), rows * per_row + 2), np.int64), np.empty(n, np.int64)
    moments = np.empty((len(factor), 2))
    line = _aligned(n, _LINE)

    def deal(part: slice) -> None:
        if part.start == 0:
            regressor_moments(factor, position, est, moments)
        by_stretch(security, position, part.start, part.stop, per_row, start[part.start // size], packed)

    def fit(part: slice) -> None:
        of = start[part.start // size]
        fit_sorted(values, factor, moments, per_row, of, packed, part.start, part.stop, est, min_obs, line)

    def write(part: slice) -> None:
        arrays = out.take(part)
        into = [getattr(arrays, name) for name in LinearArrays.__slots__]
        spread(values, factor, line[part], security[part], position[part], event, *into)

    share(deal, n, size)
    share(fit, n)
    share(write, n)


def sum_windows(
    fit: LinearArrays,
    factor: FloatArray,
    position: IntArray,
    first: int,
    window: tuple[int, int],
    skip_missing: bool,
    out: WindowSums,
) -> None:
    """Fill ``out``; parameters as for :func:`eventstudy.kernels.window_sums`."""

    def work(part: slice) -> None:
        sums = [getattr(out, name)[part] for name in WindowSums.__slots__]
        of_fit = [getattr(fit, name)[part] for name in ("n_obs", "center", "inverse")]
        window_sums(fit.ar[part], factor, position[part], *of_fit, first, *window, skip_missing, *sums)

    share(work, len(position))


def _aligned(n: int, width: int) -> FloatArray:
    """Matrix whose rows are cache lines, not yet written."""
    room = np.empty((n + 1) * width)
    skip = -room.ctypes.data % (8 * width) // 8
    return room[skip : skip + n * width].reshape(n, width)


@compiled
def by_stretch(security: Any, position: Any, first: int, last: int, per_row: int, start: Any, packed: Any) -> None:
    """Counting sort of events ``first..last``: those of stretch ``g`` fill ``packed[start[g] : start[g + 1]]``.

    Each is its column and its number in one.

    Row ``r`` of the panel holds the stretches ``r * per_row`` to ``(r + 1) * per_row - 1``.
    """
    start[:] = 0
    start[0] = first
    start[1] = first
    for i in range(first, last):
        start[_stretch(security[i], position[i], per_row) + 2] += 1
    for g in range(2, start.shape[0]):
        start[g] += start[g - 1]
    for i in range(first, last):
        g = _stretch(security[i], position[i], per_row)
        at = start[g + 1]
        packed[at] = (position[i] << 32) | i
        start[g + 1] = at + 1


@inlined
def _stretch(security: int, position: int, per_row: int) -> int:
    return security * per_row + min(max(0, position >> _STRETCH), per_row - 1)


@inlined
def _bounds(at: int, est: Any, n_sessions: int) -> tuple[int, int]:
    low = min(max(0, at + est[0]), n_sessions)
    return low, max(low, min(n_sessions, at + est[1] + 1))


@compiled
def regressor_moments(factor: Any, position: Any, est: Any, moments: Any) -> None:
    """Mean and centred sum of squares of the regressor before each event column; NaN where it is not complete.

    Also NaN where the mean is so large beside the spread that sums about zero would lose digits.
    """
    done = np.zeros(factor.shape[0], np.bool_)
    for i in range(position.shape[0]):
        at = position[i]
        if done[at]:
            continue
        done[at] = True
        low, high = _bounds(at, est, factor.shape[0])
        x = factor[low:high]
        total = 0.0
        for t in range(x.shape[0]):
            total += x[t]
        mean = total / x.shape[0]
        sxx = 0.0
        rest = 0.0
        for t in range(x.shape[0]):
            dx = x[t] - mean
            rest += dx
            sxx += dx * dx
        sxx -= rest * rest / x.shape[0]
        plain = x.shape[0] * mean * mean <= 16.0 * sxx
        moments[at, 0] = mean if plain else np.nan
        moments[at, 1] = sxx


@inlined
def _fit_with_care(y: Any, x: Any, min_obs: int, out: Any) -> None:
    """One event with returns missing, or of which sums about zero lose digits: sums of what is there about a pilot."""
    pilot_y = 0.0
    pilot_x = 0.0
    for t in range(y.shape[0]):
        if (y[t] == y[t]) & (x[t] == x[t]):
            pilot_y = y[t]
            pilot_x = x[t]
            break
    count = 0.0
    sum_y = 0.0
    sum_x = 0.0
    sxx = 0.0
    sxy = 0.0
    syy = 0.0
    for t in range(y.shape[0]):
        ok = (y[t] == y[t]) & (x[t] == x[t])
        dy = y[t] - pilot_y if ok else 0.0
        dx = x[t] - pilot_x if ok else 0.0
        count += 1.0 if ok else 0.0
        sum_y += dy
        sum_x += dx
        sxx += dx * dx
        sxy += dx * dy
        syy += dy * dy
    n = int(count)
    mean_y = pilot_y + sum_y / n
    mean_x = pilot_x + sum_x / n
    about_pilot = syy
    sxx -= sum_x * sum_x / n
    sxy -= sum_x * sum_y / n
    syy -= sum_y * sum_y / n
    out[_N_OBS] = n
    if n < min_obs:
        out[_STATUS] = TOO_FEW
        return
    if _negligible(sxx, sxx + n * mean_x * mean_x):
        out[_STATUS] = SINGULAR
        return
    inverse = 1.0 / sxx
    beta = sxy * inverse
    ssr = syy - beta * sxy
    # cancellation, in a spread about a pilot that lies far out too: correct beta from the residuals, sum their squares
    if ssr < max(_LEAST, _LEAST_PER_ROW * n) * about_pilot:
        right = 0.0
        rest = 0.0
        for t in range(y.shape[0]):
            ok = (y[t] == y[t]) & (x[t] == x[t])
            e = (y[t] - mean_y) - beta * (x[t] - mean_x) if ok else 0.0
            rest += e
            right += (x[t] - mean_x) * e if ok else 0.0
        mean_y += rest / n
        beta += right * inverse
        ssr = 0.0
        for t in range(y.shape[0]):
            ok = (y[t] == y[t]) & (x[t] == x[t])
            e = (y[t] - mean_y) - beta * (x[t] - mean_x) if ok else 0.0
            ssr += e * e
    if _negligible(ssr, syy + n * mean_y * mean_y):
        out[_STATUS] = ZERO_VARIANCE
        return
    out[_ALPHA] = mean_y - beta * mean_x
    out[_BETA] = beta
    out[_SIGMA2] = ssr / (n - 2)
    out[_R2] = 1.0 - ssr / syy
    out[_CENTER] = mean_x
    out[_INVERSE] = inverse
    out[_STATUS] = OK


@compiled
def fit_sorted(
    values: Any,
    factor: Any,
    moments: Any,
    per_row: int,
    start: Any,
    packed: Any,
    first: int,
    last: int,
    est: Any,
    min_obs: int,
    line: Any,
) -> None:
    """Fit events ``first..last`` of the sorted ones; row ``i`` of ``line`` takes the numbers of event ``i``.

    The few that ask for care come after each run of the others: their code within one loop takes registers from it.
    """
    stretch = np.searchsorted(start, first, side="right") - 1
    for low in range(first, last, _RUN):
        high = min(low + _RUN, last)
        if _fit_plainly(values, factor, moments, per_row, start, packed, low, high, est, min_obs, line):
            for q in range(low, high):
                while q >= start[stretch + 1]:
                    stretch += 1
                out = line[packed[q] & _EVENT]
                if out[_STATUS] == _LEFT:
                    at, end = _bounds(packed[q] >> 32, est, values.shape[1])
                    _fit_with_care(values[stretch // per_row, at:end], factor[at:end], min_obs, out)


@inlined
def _fit_plainly(
    values: Any,
    factor: Any,
    moments: Any,
    per_row: int,
    start: Any,
    packed: Any,
    first: int,
    last: int,
    est: Any,
    min_obs: int,
    line: Any,
) -> bool:
    """Fit the events without a missing return whose sums about zero lose nothing; whether any is left."""
    n_sessions = values.shape[1]
    flat = line.reshape(-1)
    stretch = np.searchsorted(start, first, side="right") - 1
    security = stretch // per_row
    ahead, coming = stretch, security
    left = False
    for q in range(first, last):
        if q + _AHEAD < start[-1]:
            while q + _AHEAD >= start[ahead + 1]:
                ahead += 1
                coming = ahead // per_row
            low, high = _bounds(packed[q + _AHEAD] >> 32, est, n_sessions)
            row = values[coming]
            for t in range(low, high, _LINE):
                _prefetch(row, t)
            _prefetch(flat, (packed[q + _AHEAD] & _EVENT) * 8)
        while q >= start[stretch + 1]:
            stretch += 1
            security = stretch // per_row
        at = packed[q] >> 32
        out = line[packed[q] & _EVENT]
        low, high = _bounds(at, est, n_sessions)
        y = values[security, low:high]
        x = factor[low:high]
        n = y.shape[0]
        mean_x = moments[at, 0]
        sxx = moments[at, 1]
        sum_y = 0.0
        sxy = 0.0
        syy = 0.0
        for t in range(y.shape[0]):
            sum_y += y[t]
            sxy += x[t] * y[t]
            syy += y[t] * y[t]
        mean_y = sum_y / n
        sxy -= mean_x * sum_y
        syy -= mean_y * sum_y
        inverse = 1.0 / sxx
        beta = sxy * inverse
        ssr = syy - beta * sxy
        least = max(_LEAST, _LEAST_PER_ROW * n)
        # none of this holds where a return is missing, so that a sum is NaN
        if (n >= min_obs) & (n * mean_y * mean_y <= 16.0 * syy) & (sxx > 0.0) & (syy > 0.0) & (ssr >= least * syy):
            out[_ALPHA] = mean_y - beta * mean_x
            out[_BETA] = beta
            out[_SIGMA2] = ssr / (n - 2)
            out[_R2] = 1.0 - ssr / syy
            out[_CENTER] = mean_x
            out[_INVERSE] = inverse
            out[_N_OBS] = n
            out[_STATUS] = OK
        else:
            out[_STATUS] = _LEFT
            left = True
    return left


@compiled
def spread(
    values: Any,
    factor: Any,
    line: Any,
    security: Any,
    position: Any,
    event: Any,
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
    """Numbers of each event from its line to where they belong, and its abnormal returns."""
    n_sessions = values.shape[1]
    length = event[1] - event[0] + 1
    for i in range(security.shape[0]):
        if i + _AHEAD_AR < security.shape[0]:
            row = values[security[i + _AHEAD_AR]]
            low = min(max(0, position[i + _AHEAD_AR] + event[0]), n_sessions)
            high = min(n_sessions, position[i + _AHEAD_AR] + event[1] + 1)
            for t in range(low, high, _LINE):
                _prefetch(row, t)
            if low < high:
                _prefetch(row, high - 1)
        mine = line[i]
        n_obs[i] = int(mine[_N_OBS])
        state = int(mine[_STATUS])
        if state != OK:
            _fail(i, state, ar, coef, sigma2, r2, center, inverse, status, n_ar)
            continue
        alpha = mine[_ALPHA]
        beta = mine[_BETA]
        status[i] = OK
        coef[i, 0] = alpha
        coef[i, 1] = beta
        sigma2[i] = mine[_SIGMA2]
        r2[i] = mine[_R2]
        center[i, 0] = mine[_CENTER]
        inverse[i, 0] = mine[_INVERSE]
        first = position[i] + event[0]
        if first >= 0 and first + length <= n_sessions:
            y = values[security[i], first : first + length]
            x = factor[first : first + length]
            there = 0.0
            for j in range(length):
                left = y[j] - alpha - beta * x[j]
                there += 1.0 if left == left else 0.0
                ar[i, j] = left
            n_ar[i] = int(there)
        else:
            n_ar[i] = 0
            for j in range(length):
                t = first + j
                inside = 0 <= t < n_sessions
                ar[i, j] = values[security[i], t] - alpha - beta * factor[t] if inside else np.nan
                n_ar[i] += 1 if ar[i, j] == ar[i, j] else 0


@compiled
def window_sums(
    ar: Any,
    factor: Any,
    position: Any,
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
    """As :func:`eventstudy._compiled.window_sums`, for one regressor and a constant."""
    length = end - start + 1
    for i in range(ar.shape[0]):
        prefetch_part(ar, i + _AHEAD_SUM, start - first, end - first)
        row = ar[i, start - first : end - first + 1]
        mean = center[i, 0]
        total = 0.0
        for j in range(length):
            total += row[j]
        dx = 0.0
        used = length
        if total == total:
            x = factor[position[i] + start : position[i] + end + 1]
            for j in range(length):
                dx += x[j] - mean
        else:
            used = 0
            total = 0.0
            for j in range(length):
                if row[j] == row[j]:
                    used += 1
                    total += row[j]
                    dx += factor[position[i] + start + j] - mean
        n_used[i] = used
        if used == 0 or (used < length and not skip_missing):
            car[i] = np.nan
            scale[i] = np.nan
        else:
            car[i] = total
            scale[i] = used + used * used / n_obs[i] + inverse[i, 0] * dx * dx
