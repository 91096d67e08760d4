"""Compiled passes over abnormal returns that need their order: ranks, signs, pseudo-windows.

Imported on first use, like :mod:`eventstudy._compiled`; each function has a plain numpy twin in
:mod:`eventstudy.inference.sessions` with the same contract.
"""

# mypy: allow-untyped-decorators

from __future__ import annotations

from typing import Any

import numpy as np

from eventstudy._numba import compiled, inlined


@inlined
def _sorted_event(row: Any, extra: Any, raw: Any, source: Any, head: Any, value: Any, column: Any) -> int:
    """Sort the values of two arrays that are not NaN into ``value``, their columns into ``column``; how many they are.

    Values are dealt into as many buckets as there are columns by a smooth monotone map, which spreads returns about
    evenly; an insertion pass then settles the order inside buckets. It is several times as fast as comparing.
    """
    first = row.shape[0]
    m = 0
    total = 0.0
    for t in range(first + extra.shape[0]):
        x = row[t] if t < first else extra[t - first]
        if x == x:
            raw[m] = x
            source[m] = t
            total += x
            m += 1
    if m == 0:
        return 0
    mean = total / m
    spread = 0.0
    for j in range(m):
        spread += abs(raw[j] - mean)
    unit = m / spread if spread > 0.0 else 0.0
    buckets = head.shape[0] - 1
    head[:] = 0
    for j in range(m):
        head[_bucket((raw[j] - mean) * unit, buckets) + 1] += 1
    for b in range(buckets):
        head[b + 1] += head[b]
    for j in range(m):
        b = _bucket((raw[j] - mean) * unit, buckets)
        value[head[b]] = raw[j]
        column[head[b]] = source[j]
        head[b] += 1
    for j in range(1, m):
        x = value[j]
        t = column[j]
        i = j - 1
        while i >= 0 and value[i] > x:
            value[i + 1] = value[i]
            column[i + 1] = column[i]
            i -= 1
        value[i + 1] = x
        column[i + 1] = t
    return m


@inlined
def _bucket(u: float, buckets: int) -> int:
    return min(max(int(0.5 * buckets * (1.0 + u / (0.8 + abs(u)))), 0), buckets - 1)


@compiled
def session_sums(
    residuals: Any,
    ar: Any,
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
    """Add events to the sums by session; see ``SessionSums``."""
    n_est = residuals.shape[1]
    n_all = n_est + ar.shape[1]
    raw = np.empty(n_all)
    source = np.empty(n_all, np.int64)
    head = np.empty(n_all + 1, np.int64)
    value = np.empty(n_all)
    column = np.empty(n_all, np.int64)
    for i in range(residuals.shape[0]):
        e = residuals[i]
        w = weight[i]
        n_own = 0
        for t in range(n_est):
            ok = e[t] == e[t]
            x = e[t] if ok else 0.0
            n_own += 1 if ok else 0
            total[t] += x
            absolute[t] += w * abs(x)
            weighted[t] += w * x
            weights[t] += w if ok else 0.0
        m = _sorted_event(e, ar[i], raw, source, head, value, column)
        if m == 0:
            continue
        median = 0.5 * (value[(m - 1) // 2] + value[m // 2])
        unit = 1.0 / (m + 1.0)
        own_unit = 1.0 / (n_own + 2.0)
        start = 0
        own_before = 0
        while start < m:
            end = start + 1
            while end < m and value[end] == value[start]:
                end += 1
            own_here = 0
            for j in range(start, end):
                own_here += 1 if column[j] < n_est else 0
            place = 0.5 * (start + 1 + end) * unit
            own_place = (own_before + 0.5 * (own_here + 1)) * own_unit
            side = 1.0 if value[start] > median else (-1.0 if value[start] < median else 0.0)
            for j in range(start, end):
                t = column[j]
                count[t] += 1.0
                rank[t] += place
                sign[t] += side
                if t < n_est:
                    own_rank[t] += own_place
            own_before += own_here
            start = end


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
