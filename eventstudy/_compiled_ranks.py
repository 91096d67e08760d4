"""Compiled passes over abnormal returns that need their order: ranks, signs, pseudo-windows.

Imported on first use, like :mod:`eventstudy._compiled`; each function has a plain numpy twin in
:mod:`eventstudy.inference.sessions` with the same contract.
"""

# mypy: allow-untyped-decorators

from __future__ import annotations

from typing import Any

import numpy as np

from eventstudy._numba import compiled, inlined


@compiled
def sort_keys(residuals: Any, ar: Any, rounded: Any, key: Any, mask: int, most: int, shift: int) -> None:
    """Whole numbers in the order of the values of each event, the column of each value in their last bits.

    ``rounded`` and ``key`` are one memory, of floats and of the whole numbers of their bits, ``shift`` bits and a sign.
    Values that are near each other may come in either order; missing ones come last.
    """
    n_est = residuals.shape[1]
    for i in range(residuals.shape[0]):
        into = rounded[i, :n_est]
        for t in range(n_est):
            into[t] = residuals[i, t]
        into = rounded[i, n_est:]
        for t in range(into.shape[0]):
            into[t] = ar[i, t]
        bits = key[i]
        for t in range(bits.shape[0]):
            whole = bits[t]
            whole ^= (whole >> shift) & most
            bits[t] = (whole & ~mask) | t
        for t in range(n_est):
            bits[t] = bits[t] if residuals[i, t] == residuals[i, t] else (most & ~mask) | t
        for t in range(n_est, bits.shape[0]):
            bits[t] = bits[t] if ar[i, t - n_est] == ar[i, t - n_est] else (most & ~mask) | t


@inlined
def _places_with_ties(value: Any, column: Any, m: int, n_est: int, place: Any, own_place: Any) -> None:
    start = 0
    own_before = 0
    while start < m:
        end = start + 1
        while end < m and value[end] == value[start]:
            end += 1
        own_here = 0
        for j in range(start, end):
            own_here += 1 if column[j] < n_est else 0
        for j in range(start, end):
            place[column[j]] = 0.5 * (start + 1 + end)
            own_place[column[j]] = own_before + 0.5 * (own_here + 1)
        own_before += own_here
        start = end


@inlined
def _add_session(x: Any, place: Any, median: float, unit: float, count: Any, rank: Any, sign: Any) -> None:
    for t in range(x.shape[0]):
        there = x[t] == x[t]
        count[t] += 1.0 if there else 0.0
        rank[t] += place[t] * unit if there else 0.0
        sign[t] += (1.0 if x[t] > median else 0.0) - (1.0 if x[t] < median else 0.0)


@compiled
def session_sums(
    residuals: Any,
    ar: Any,
    key: Any,
    mask: int,
    weight: Any,
    count: Any,
    rank: Any,
    sign: Any,
    own_rank: Any,
    total: Any,
    absolute: Any,
    weighted: Any,
    weights: Any,
) -> None:
    """Add events to the sums by session, the sorted :func:`sort_keys` of each given; see ``SessionSums``."""
    n_est = residuals.shape[1]
    n_all = n_est + ar.shape[1]
    value = np.empty(n_all)
    column = np.empty(n_all, np.int64)
    both = np.empty(n_all)
    place = np.empty(n_all)
    own_place = np.empty(n_all)  # among the residuals alone
    for i in range(residuals.shape[0]):
        e = residuals[i]
        a = ar[i]
        w = weight[i]
        n_own = 0
        for t in range(n_est):
            n_own += 1 if e[t] == e[t] else 0
        m = n_own
        for t in range(a.shape[0]):
            m += 1 if a[t] == a[t] else 0
        for t in range(n_est):
            there = e[t] == e[t]
            x = e[t] if there else 0.0
            total[t] += x
            absolute[t] += w * abs(x)
            weighted[t] += w * x
            weights[t] += w if there else 0.0
        if m == 0:
            continue
        both[:n_est] = e
        both[n_est:] = a
        keys = key[i]
        last = -np.inf
        ties = False
        for j in range(m):
            t = keys[j] & mask
            x = both[t]
            k = j
            if x < last:  # near values only: the keys have settled the rest
                while k > 0 and value[k - 1] > x:
                    value[k] = value[k - 1]
                    column[k] = column[k - 1]
                    k -= 1
            value[k] = x
            column[k] = t
            last = value[j]
        for j in range(1, m):
            ties |= value[j] == value[j - 1]
        if ties:
            _places_with_ties(value, column, m, n_est, place, own_place)
        else:
            own = 1.0
            for j in range(m):
                t = column[j]
                place[t] = j + 1.0
                own_place[t] = own
                own += 1.0 if t < n_est else 0.0
        median = 0.5 * (value[(m - 1) // 2] + value[m // 2])
        unit = 1.0 / (m + 1.0)
        _add_session(e, place[:n_est], median, unit, count[:n_est], rank[:n_est], sign[:n_est])
        _add_session(a, place[n_est:], median, unit, count[n_est:], rank[n_est:], sign[n_est:])
        own_unit = 1.0 / (n_own + 2.0)
        for t in range(n_est):
            own_rank[t] += own_place[t] * own_unit if e[t] == e[t] else 0.0


@compiled
def threshold_sums(residuals: Any, threshold: Any, above: Any, centred: Any, variance: Any) -> None:
    """Rank one value per window beside the residuals of its event; see ``GeneralisedRanks``."""
    for i in range(residuals.shape[0]):
        e = residuals[i]
        m = 0.0
        for t in range(e.shape[0]):
            m += 1.0 if e[t] == e[t] else 0.0
        unit = 1.0 / (m + 2.0)
        half = 0.5 * unit
        for w in range(threshold.shape[1]):
            z = threshold[i, w]
            if z != z:
                continue
            into = above[w]
            higher = 0.0
            for t in range(e.shape[0]):
                part = (half if e[t] >= z else 0.0) + (half if e[t] > z else 0.0)
                into[t] += part
                higher += part
            centred[w] += (m + 1.0) * unit - higher - 0.5
            variance[w] += m * unit / 12.0


@compiled
def positive_shares(residuals: Any, lengths: Any, share: Any) -> None:
    """Share of positive sums among all complete windows of each length; NaN where there is none."""
    n_est = residuals.shape[1]
    rolled = np.empty(n_est)
    for i in range(residuals.shape[0]):
        e = residuals[i]
        for k in range(lengths.shape[0]):
            last = n_est - lengths[k] + 1
            _roll(e, lengths[k], rolled)
            up = 0.0
            there = 0.0
            for t in range(last):
                up += 1.0 if rolled[t] > 0.0 else 0.0
                there += 1.0 if rolled[t] == rolled[t] else 0.0
            share[i, k] = up / there if there > 0.0 else np.nan


@inlined
def _roll(e: Any, length: int, rolled: Any) -> None:
    """Sums over every window of ``length`` sessions, added up afresh: a running sum would blur exact zeros."""
    last = e.shape[0] - length + 1
    for t in range(last):
        rolled[t] = e[t]
    for j in range(1, length):
        for t in range(last):
            rolled[t] += e[t + j]
