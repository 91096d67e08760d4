"""Pseudo-windows: CARs of windows inside the estimation window, on the scale of the event's own.

The model was fitted on a pseudo-window, and not on the event window. A pseudo-CAR is a sum of in-sample residuals with
variance ``σ²(L − ι'X_W(X'X)^{-1}X_W'ι)``, where the event's is a forecast error with variance
``σ²(L + ι'X_W(X'X)^{-1}X_W'ι)``. Each is divided by the root of its own, so that both have the same scale.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import track
from eventstudy.kernels import Engine, LinearArrays, LinearDesign, _use_compiled, chunks

__all__ = ["Moves", "PseudoWindows", "Rows", "compiled_module", "in_sample_scale", "pseudo_windows"]

Moves: TypeAlias = Literal["all", "disjoint"]
Rows: TypeAlias = Callable[[IntArray], FloatArray]

_CELLS = 1 << 18  # residuals in memory at a time: 2 MB, which stay in the cache
_FEW_CHUNKS = 4  # fewer per core do not pay for the threads
_LEAST = 1e-8  # a window whose variance the fit has used up to this share tells nothing
_CLIP = 1e-12  # a window that holds all of an event's variance: its t is large, not infinite


def in_sample_scale(
    design: LinearDesign,
    fit: LinearArrays,
    position: IntArray,
    estimation: tuple[int, int],
    length: int,
    *,
    engine: Engine = "auto",
) -> Rows:
    """Exact variance multipliers ``L − ι'X_W(X'X)^{-1}X_W'ι`` of in-sample CARs, for :func:`placebo`.

    Parameters
    ----------
    design : LinearDesign
        What the returns were regressed on.
    fit : LinearArrays
        Fits of ``n`` events.
    position : ndarray of int64, shape (n,)
        Event column of each event.
    estimation : tuple of int
        First and last session of the estimation window.
    length : int
        Sessions of the pseudo-windows, ``L``.
    engine : {"auto", "compiled", "numpy"}
        Which form runs.

    Returns
    -------
    callable
        Rows of events to an array of shape (len(rows), L1 − L + 1). Multipliers of windows with a missing session
        have no meaning; their CARs are missing.
    """
    factors = np.where(np.isnan(design.factors), 0.0, design.factors)
    running = np.zeros((len(factors), factors.shape[1] + 1))
    np.cumsum(factors, axis=1, out=running[:, 1:])
    width = estimation[1] - estimation[0] + 2 - length
    compiled = compiled_module(engine)

    def scale(rows: IntArray) -> FloatArray:
        start = position[rows] + estimation[0]
        n_obs, center, inverse = fit.n_obs[rows], fit.center[rows], fit.inverse[rows]
        if compiled is not None:
            out = np.empty((len(rows), width))
            compiled.in_sample_scale(running, start, n_obs, center, inverse, design.intercept, length, out)
            return out
        low = start[:, None] + np.arange(width)
        low, high = (np.clip(at, 0, running.shape[1] - 1) for at in (low, low + length))
        dx = running[:, high] - running[:, low] - length * center.T[:, :, None]
        cross = np.zeros((len(rows), len(factors), len(factors)))
        a, b = np.tril_indices(len(factors))
        cross[:, a, b] = cross[:, b, a] = inverse
        fixed = length - design.intercept * length**2 / n_obs
        return np.asarray(fixed[:, None] - np.einsum("anw,nab,bnw->nw", dx, cross, dx))

    return scale


def compiled_module(engine: Engine) -> Any:
    """The compiled kernels, or None where the numpy form is to run."""
    if _use_compiled(engine) is None:
        return None
    from eventstudy import _compiled_resampling

    return _compiled_resampling


@dataclass(frozen=True, slots=True)
class PseudoWindows:
    """Pseudo-windows of ``n`` events: what to cut them from, and which.

    Parameters
    ----------
    residuals, scale : callable
        Rows of events to residuals (len, L1), and to variance multipliers (len, L1 − L + 1) or None.
    rows : ndarray of int64, shape (n,)
        The events, in the order in which they are worked on.
    std_error, dof : ndarray of float64, shape (n,)
        Forecast standard error of the event's own CAR, ``M − K``.
    length : int
        Sessions of a window, ``L``.
    columns : ndarray of int64, shape (n_windows,)
        First column of each pseudo-window in the estimation window.
    n_sessions : int
        ``L1``.
    studentised : bool
        SCARs, or CARs on the scale of the event's own.
    compiled : module or None
        The compiled kernels.
    """

    residuals: Rows
    scale: Rows | None
    rows: IntArray
    std_error: FloatArray
    dof: FloatArray
    length: int
    columns: IntArray
    n_sessions: int
    studentised: bool
    compiled: Any

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, progress: bool | None, label: str) -> Iterator[tuple[slice, FloatArray]]:
        """Placebo SCARs (or CARs) in chunks of events, shape (chunk, n_windows), in the order of ``rows``."""
        parts = list(chunks(len(self), max(1, _CELLS // self.n_sessions)))
        yield from track(zip(parts, _in_order(self._cut, parts), strict=True), len(parts), progress, label)

    def _cut(self, part: slice) -> FloatArray:
        rows = self.rows[part]
        e = np.ascontiguousarray(self.residuals(rows))
        std_error, dof = self.std_error[part], self.dof[part]
        scale = _average_scale(e, dof, self.length) if self.scale is None else self.scale(rows)
        shared = (e, scale, std_error, dof, self.length)
        if self.compiled is None:
            out = _pseudo_values(*shared, self.studentised)
        else:
            out = np.empty((len(e), self.n_sessions - self.length + 1))
            self.compiled.pseudo_values(*shared, _LEAST, _CLIP, self.studentised, out)
        return out if len(self.columns) == out.shape[1] else np.ascontiguousarray(out[:, self.columns])


def _in_order(work: Callable[[slice], FloatArray], parts: list[slice]) -> Iterator[FloatArray]:
    """Results of ``work`` in the order of ``parts``; on all cores, a few chunks ahead, where there are many."""
    workers = min(len(parts) // _FEW_CHUNKS, os.cpu_count() or 1)
    if workers <= 1:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[FloatArray]] = deque()
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _average_scale(e: FloatArray, dof: FloatArray, length: int) -> FloatArray:
    """Mean of the exact multiplier over windows: the constant's share exactly, other regressors' on average."""
    m = np.count_nonzero(~np.isnan(e), axis=1)
    k = m - dof
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(k >= 1, (length**2 + (k - 1) * length) / m, 0.0)
    return np.asarray(length - share)[:, None]


def _pseudo_values(
    e: FloatArray, scale: FloatArray, std_error: FloatArray, dof: FloatArray, length: int, studentised: bool
) -> FloatArray:
    """Numpy form of the compiled kernel of this name."""
    width = e.shape[1] - length + 1
    sums = e[:, :width].copy()
    for lag in range(1, length):
        sums += e[:, lag : lag + width]
    square, nu = np.nansum(e**2, axis=1)[:, None], dof[:, None]
    usable = (scale > _LEAST * length) & (square > 0) & (nu > 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if studentised:
            whole = scale * square
            unit = np.sqrt((nu - 1) / np.maximum(whole - sums**2, _CLIP * whole))
        else:
            unit = std_error[:, None] / np.sqrt(square / nu * scale)
    return np.where(usable, sums * unit, np.nan)


def pseudo_windows(
    residuals: Rows,
    scale: Rows | None,
    there: IntArray,
    std_error: FloatArray,
    dof: FloatArray,
    length: int,
    moves: Moves,
    studentised: bool,
    engine: Engine,
    hole: tuple[int, int] | None = None,
) -> PseudoWindows | str:
    """Pseudo-windows of the events ``there``, or why there are none; see :class:`PseudoWindows`.

    None holds a column from ``hole[0]`` to ``hole[1]``: what lies between the halves of a two-sided window.
    """
    if moves not in get_args(Moves):
        raise InputError(f"moves={moves!r} is not an option.", remedy=f"Use one of {get_args(Moves)}.")
    if not len(there):
        return "no event has a CAR"
    n_sessions = residuals(there[:1]).shape[1]
    parts = [(0, n_sessions)] if hole is None else [(0, hole[0]), (hole[1] + 1, n_sessions)]
    step = 1 if moves == "all" else length
    columns = np.concatenate([np.arange(end - length, start - 1, -step, dtype=np.int64)[::-1] for start, end in parts])
    if not len(columns):
        of = " and ".join(str(end - start) for start, end in parts)
        return f"the window of {length} sessions does not fit into the estimation window of {of}"
    return PseudoWindows(
        residuals,
        scale,
        there,
        std_error[there],
        dof[there],
        length,
        columns,
        n_sessions,
        studentised,
        compiled_module(engine),
    )
