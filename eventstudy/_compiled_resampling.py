"""Compiled forms of the placebo kernels; imported on first use, never at ``import eventstudy``.

Each has a plain numpy twin with the same contract, in ``pseudo_windows`` and ``placebo`` of the inference package.
Events are added one after another, so that the sums do not depend, to the last bit, on how events are cut into chunks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventstudy._numba import compiled


@compiled
def in_sample_scale(
    running: Any, start: Any, n_obs: Any, center: Any, inverse: Any, intercept: bool, length: int, out: Any
) -> None:
    """Variance multipliers of sums of ``length`` in-sample residuals; ``running`` are running sums of the factors."""
    p = center.shape[1]
    last = running.shape[1] - 1
    dx = np.empty(p)
    for i in range(out.shape[0]):
        base = float(length)
        if intercept:
            base -= length * length / n_obs[i]
        for w in range(out.shape[1]):
            low = min(max(start[i] + w, 0), last)
            high = min(max(start[i] + w + length, 0), last)
            value = base
            for a in range(p):
                dx[a] = running[a, high] - running[a, low] - length * center[i, a]
                value -= inverse[i, a * (a + 1) // 2 + a] * dx[a] * dx[a]
                for b in range(a):
                    value -= 2.0 * inverse[i, a * (a + 1) // 2 + b] * dx[a] * dx[b]
            out[i, w] = value


@compiled
def pseudo_values(
    e: Any, scale: Any, std_error: Any, dof: Any, length: int, least: float, clip: float, studentised: bool, out: Any
) -> None:
    """Placebo SCARs (studentised with the window left out) or CARs of every window of ``length`` sessions."""
    width = out.shape[1]
    wide = scale.shape[1] > 1
    for i in range(e.shape[0]):
        row = e[i]
        square = 0.0
        for t in range(row.shape[0]):
            square += row[t] * row[t] if row[t] == row[t] else 0.0
        sums = out[i]
        for w in range(width):
            sums[w] = row[w]
        for lag in range(1, length):
            for w in range(width):
                sums[w] += row[w + lag]
        nu = dof[i]
        for w in range(width):
            factor = scale[i, w] if wide else scale[i, 0]
            usable = (factor > least * length) & (square > 0.0) & (nu > 1.0)
            if not usable:
                sums[w] = np.nan
            elif studentised:
                whole = factor * square
                rest = max(whole - sums[w] * sums[w], clip * whole)
                sums[w] *= np.sqrt((nu - 1.0) / rest)
            else:
                sums[w] *= std_error[i] / np.sqrt(square / nu * factor)


@compiled
def add_moments(values: Any, weight: Any, sums: Any) -> None:
    """Add count, ``w``, ``w²``, ``w x``, ``w² x`` and ``w² x²`` over events, for every window."""
    for i in range(values.shape[0]):
        w = weight[i]
        ww = w * w
        for s in range(values.shape[1]):
            x = values[i, s]
            ok = x == x
            x = x if ok else 0.0
            sums[0, s] += 1.0 if ok else 0.0
            sums[1, s] += w if ok else 0.0
            sums[2, s] += ww if ok else 0.0
            sums[3, s] += w * x
            sums[4, s] += ww * x
            sums[5, s] += ww * x * x


@compiled
def count_exceeding(values: Any, bar: Any, largest: Any, own: Any, own_n: Any, joint: Any, joint_n: Any) -> None:
    """Windows in which an event, and the largest of it and the events before it, reaches the event's bar."""
    for i in range(values.shape[0]):
        a = 0
        b = 0
        c = 0
        d = 0
        for s in range(values.shape[1]):
            x = abs(values[i, s])
            ok = x == x
            b += ok
            a += x >= bar[i]
            m = largest[s]
            m = x if ok & (x > m) else m
            largest[s] = m
            c += m >= bar[i]
            d += m >= 0.0
        own[i] = a
        own_n[i] = b
        joint[i] = c
        joint_n[i] = d
