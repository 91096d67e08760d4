"""The batched numerical core: regressions of event windows, forecast variances, residuals.

Plain functions on arrays: no pandas, no input or output, no state. Each is written twice: a compiled form
(:mod:`eventstudy._compiled`, used where numba is installed) and the numpy form here, which is its oracle and its
stand-in. ``engine="numpy"`` asks for the latter.

Shapes: ``n`` events, ``p`` regressors beside the constant, ``K`` fitted parameters (``p`` plus one with a constant),
``L1`` and ``L2`` sessions in the estimation and event window. Axis order is event, session, factor.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from eventstudy._typing import BoolArray, FloatArray, IntArray

__all__ = [
    "EMPTY",
    "FAILED",
    "OK",
    "SINGULAR",
    "TOO_FEW",
    "ZERO_VARIANCE",
    "Keep",
    "LinearArrays",
    "LinearDesign",
    "ResidualSums",
    "WindowSums",
    "chunks",
    "coefficient_errors",
    "estimation_residuals",
    "fit_linear",
    "share",
    "window_sums",
]

Engine: TypeAlias = Literal["auto", "compiled", "numpy"]
Keep: TypeAlias = Callable[[slice], BoolArray]
"""A run of events to the sessions of their estimation windows that may be used, shape (len, L1)."""

OK, TOO_FEW, SINGULAR, ZERO_VARIANCE, EMPTY, FAILED = 0, 1, 2, 3, 4, 5

CHUNK = 16_384  # events a thread takes at a time: large enough to hide the call, small enough to share work
_DATES = 1_024  # dates a thread takes at a time
_SHARED_FACTORS = 32  # more regressors ask for too much memory by date
_NUMPY_CHUNK = 2_048  # the numpy form gathers windows, so its chunks hold down memory
_ALL = np.empty((0, 0), dtype=bool)  # every session may be used


@dataclass(frozen=True, slots=True)
class LinearDesign:
    """What the returns are regressed on.

    Parameters
    ----------
    factors : ndarray of float64, shape (p, n_sessions)
        Regressors beside the constant; NaN where missing.
    offset : ndarray of float64, shape (n_sessions,), or None
        Subtracted from every return before the fit: a benchmark of coefficient one, or the risk-free rate.
    intercept : bool
        Whether a constant is fitted.
    """

    factors: FloatArray
    offset: FloatArray | None
    intercept: bool

    @property
    def n_params(self) -> int:
        """``K``, the number of parameters fitted."""
        return len(self.factors) + int(self.intercept)


@dataclass(frozen=True, slots=True)
class LinearArrays:
    """Fits of ``n`` security-events.

    Parameters
    ----------
    ar : ndarray of float64, shape (n, L2)
        Abnormal returns in the event window; NaN where a return or a regressor is missing, or the fit failed.
    coef : ndarray of float64, shape (n, K)
        Constant first.
    sigma2 : ndarray of float64, shape (n,)
        Residual variance on ``n_obs − K`` degrees of freedom, per session.
    n_obs : ndarray of int64, shape (n,)
        Usable rows of the estimation window.
    r2 : ndarray of float64, shape (n,)
        Coefficient of determination; NaN where nothing is fitted.
    center : ndarray of float64, shape (n, p)
        Means of the regressors over the usable rows (zero without a constant).
    inverse : ndarray of float64, shape (n, p (p + 1) / 2)
        Inverse of the centred cross-product matrix, lower triangle by rows.
    status : ndarray of int8, shape (n,)
        ``OK``, ``TOO_FEW``, ``SINGULAR`` or ``ZERO_VARIANCE``.
    n_ar : ndarray of int32, shape (n,)
        Abnormal returns in the event window; 0 where the fit failed.
    """

    ar: FloatArray
    coef: FloatArray
    sigma2: FloatArray
    n_obs: IntArray
    r2: FloatArray
    center: FloatArray
    inverse: FloatArray
    status: np.ndarray[Any, np.dtype[np.int8]]
    n_ar: np.ndarray[Any, np.dtype[np.int32]]

    @classmethod
    def empty(cls, n: int, p: int, k: int, length: int) -> LinearArrays:
        """Arrays for ``n`` events, not yet written."""
        return cls(
            ar=np.empty((n, length)),
            coef=np.empty((n, k)),
            sigma2=np.empty(n),
            n_obs=np.empty(n, np.int64),
            r2=np.empty(n),
            center=np.empty((n, p)),
            inverse=np.empty((n, p * (p + 1) // 2)),
            status=np.empty(n, np.int8),
            n_ar=np.empty(n, np.int32),
        )

    def take(self, which: IntArray | BoolArray | slice) -> LinearArrays:
        """Arrays of some of the events: views for a slice, otherwise copies."""
        arrays = [getattr(self, name) for name in self.__slots__]
        if isinstance(which, slice) or len(which) <= CHUNK or not _are_rows(which, len(self.status)):
            return LinearArrays(*(array[which] for array in arrays))
        copies = [np.empty((len(which), *array.shape[1:]), array.dtype) for array in arrays]

        def copy(part: slice) -> None:
            for array, into in zip(arrays, copies, strict=True):
                np.take(array, which[part], axis=0, out=into[part], mode="clip")  # clip: no buffer

        share(copy, len(which))
        return LinearArrays(*copies)


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Sums of abnormal returns over one window.

    Parameters
    ----------
    car : ndarray of float64, shape (n,)
        Cumulative abnormal return; NaN where a session is missing, unless missing sessions are skipped.
    scale : ndarray of float64, shape (n,)
        Forecast-variance multiplier: the variance of ``car`` is ``scale * sigma2``.
    n_used : ndarray of int64, shape (n,)
        Sessions with an abnormal return.
    """

    car: FloatArray
    scale: FloatArray
    n_used: IntArray


def chunks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover ``range(n)``, each of at most ``size``."""
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def _are_rows(which: Any, n: int) -> bool:
    """Whether these are numbers of ``n`` rows, none of them counted from the end."""
    which = np.asarray(which)
    if which.dtype.kind not in "iu" or not which.size:
        return False
    return bool(which.min() >= 0 and which.max() < n)


@functools.cache
def _compiled() -> Any:
    """The compiled module, or None where numba is absent or switched off."""
    if os.environ.get("EVENTSTUDY_ENGINE") == "numpy" or importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module("eventstudy._compiled")


def _use_compiled(engine: Engine) -> Any:
    if engine == "numpy":
        return None
    module = _compiled()
    if module is None and engine == "compiled":
        raise ImportError("engine='compiled' needs numba: pip install numba")
    return module


def share(work: Callable[[slice], None], n: int, size: int | None = None) -> None:
    """Run ``work`` on chunks of ``n`` events (by default of ``CHUNK``), on all cores where there is enough of it."""
    parts = list(chunks(n, size or CHUNK))
    workers = min(len(parts), os.cpu_count() or 1)
    if workers <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, parts):
            pass


def fit_linear(
    values: FloatArray,
    design: LinearDesign,
    security: IntArray,
    position: IntArray,
    estimation: tuple[int, int],
    event: tuple[int, int],
    min_obs: int,
    *,
    keep: Keep | None = None,
    engine: Engine = "auto",
) -> LinearArrays:
    """Least squares of every event's estimation window, and the abnormal returns of its event window.

    Rows with a missing return or regressor are left out of the fit (pairwise complete). No loop over events runs in
    Python.

    Parameters
    ----------
    values : ndarray of float64, shape (n_securities, n_sessions)
        Returns, security-major, NaN where missing.
    design : LinearDesign
        The regressors.
    security, position : ndarray of int64, shape (n,)
        Row and event column of each event.
    estimation, event : tuple of int
        First and last session of the two windows, relative to ``position``.
    min_obs : int
        Fewest usable rows; at least ``K + 1`` are asked for in any case.
    keep : callable, optional
        Sessions that may be used, asked for by runs of events so that memory stays bounded; all by default.
    engine : {"auto", "compiled", "numpy"}
        Which form runs.

    Returns
    -------
    LinearArrays
        ``status`` says which fits failed; all their numbers but ``n_obs`` are NaN.
    """
    if len(security) and not _are_rows(security, len(values)):
        raise IndexError(f"security holds rows that a panel of {len(values)} does not have")
    p, k = len(design.factors), design.n_params
    need = max(min_obs, k + 1)
    out = LinearArrays.empty(len(security), p, k, event[1] - event[0] + 1)
    compiled = _use_compiled(engine)
    est, ev = np.array(estimation, np.int64), np.array(event, np.int64)
    if compiled is None:
        for part in chunks(len(security), _NUMPY_CHUNK):
            kept = None if keep is None else keep(part)
            _fit_numpy(values, design, security[part], position[part], est, ev, need, kept, out.take(part))
        return out
    inside = not len(position) or (position.min() >= 0 and position.max() < values.shape[1])
    if inside and keep is None and p == 1 and design.intercept and design.offset is None:
        market = importlib.import_module("eventstudy._compiled_market")
        market.fit_market(values, design.factors[0], security, position, est, ev, need, out)
        return out
    offset = _offset(design)
    dates, date = _numbered(position)
    room = len(dates) if p <= _SHARED_FACTORS else 0
    shared = (np.empty((room, p)), np.empty((room, p, p)), np.empty((room, p * (p + 1) // 2)))
    plain = np.zeros(len(dates), dtype=bool)
    if keep is None and p <= _SHARED_FACTORS:

        def prepare(part: slice) -> None:
            of_date = [array[part] for array in (*shared, plain)]
            compiled.design_moments(design.factors, offset, design.intercept, dates[part], est, *of_date)

        share(prepare, len(dates), _DATES)

    def work(part: slice) -> None:
        arrays = out.take(part)
        into = [getattr(arrays, name) for name in LinearArrays.__slots__]
        where = (security[part], position[part], est, ev, need)
        kept = _ALL if keep is None else keep(part)
        of_date = (date[part], *shared, plain)
        compiled.fit_factors(values, design.factors, offset, design.intercept, kept, *of_date, *where, *into)

    share(work, len(security))
    return out


def _numbered(position: IntArray) -> tuple[IntArray, IntArray]:
    """Distinct columns, and the number among them of each event's."""
    if not len(position):
        return position, position
    first = int(position.min())
    there = np.zeros(int(position.max()) - first + 1, dtype=bool)
    there[position - first] = True
    number = np.cumsum(there) - 1
    return np.flatnonzero(there) + first, number[position - first]


def _offset(design: LinearDesign) -> FloatArray:
    return np.zeros(design.factors.shape[1]) if design.offset is None else design.offset


def _windows(matrix: FloatArray, column: IntArray, window: IntArray, row: IntArray | None = None) -> FloatArray:
    """Windows of one row of ``matrix`` per event (or of the single row), NaN beyond the ends; shape (n, length)."""
    at = column[:, None] + np.arange(window[0], window[1] + 1)
    inside = (at >= 0) & (at < matrix.shape[-1])
    at = np.where(inside, at, 0)
    found = matrix[at] if row is None else matrix[row[:, None], at]
    return np.where(inside, found, np.nan)


def _negligible(part: FloatArray, whole: FloatArray) -> Any:
    """Whether sums of squares are nothing but rounding beside others (1e-12 in units of the data)."""
    return part <= 1e-24 * whole


def _fit_numpy(
    values: FloatArray,
    design: LinearDesign,
    security: IntArray,
    position: IntArray,
    est: IntArray,
    event: IntArray,
    need: int,
    kept: BoolArray | None,
    out: LinearArrays,
) -> None:
    """Numpy form of the fit: gathers the windows, then solves the batch of regressions by QR."""
    p, k, n = len(design.factors), design.n_params, len(security)
    offset = _offset(design)
    y = _windows(values, position, est, security) - _windows(offset, position, est)
    x = np.stack([_windows(row, position, est) for row in design.factors], -1) if p else np.empty((*y.shape, 0))
    ok = ~(np.isnan(y) | np.isnan(x).any(-1))
    if kept is not None:
        ok &= kept
    n_obs = ok.sum(1)
    count = np.maximum(n_obs, 1)
    y0, x0 = np.where(ok, y, 0.0), np.where(ok[..., None], x, 0.0)
    mean_y = y0.sum(1) / count * design.intercept
    mean_x = x0.sum(1) / count[:, None] * design.intercept
    dy = np.where(ok, y0 - mean_y[:, None], 0.0)
    dx = np.where(ok[..., None], x0 - mean_x[:, None, :], 0.0)
    status = np.where(n_obs >= need, OK, TOO_FEW).astype(np.int8)
    size = (dx**2).sum(1)
    flat = _negligible(size, size + count[:, None] * mean_x**2).any(1)
    unit = np.where(size > 0, np.sqrt(size), 1.0)
    q, r = dx, np.broadcast_to(np.eye(p), (n, p, p))
    if 0 < p <= dx.shape[1]:  # a window of fewer sessions has too few rows in any case
        q, r = np.linalg.qr(dx / unit[:, None, :])
        flat |= (np.abs(np.einsum("naa->na", r)) ** 2 <= 1e-13).any(1)
    status[(status == OK) & flat] = SINGULAR
    good = status == OK
    r = np.where(good[:, None, None], r, np.eye(p))
    inverse_r = np.linalg.inv(r)
    beta = np.einsum("nab,nb->na", inverse_r, np.einsum("nta,nt->na", q, dy)) / unit
    resid = dy - np.einsum("nta,na->nt", dx, beta)
    ssr, syy = (resid**2).sum(1), (dy**2).sum(1)
    status[good & _negligible(ssr, (y0**2).sum(1))] = ZERO_VARIANCE
    bad = status != OK
    cross = np.einsum("nac,nbc->nab", inverse_r, inverse_r) / (unit[:, :, None] * unit[:, None, :])
    alpha = (mean_y - np.einsum("na,na->n", beta, mean_x)) * design.intercept
    y_event = _windows(values, position, event, security) - _windows(offset, position, event)
    ar = y_event - alpha[:, None]
    for a in range(p):
        ar -= beta[:, a, None] * _windows(design.factors[a], position, event)
    with np.errstate(divide="ignore", invalid="ignore"):
        out.sigma2[:] = ssr / (n_obs - k)
        out.r2[:] = 1.0 - ssr / syy if k else np.nan
    out.ar[:] = ar
    out.coef[:, k - p :] = beta
    if design.intercept:
        out.coef[:, 0] = alpha
    out.center[:] = mean_x
    out.inverse[:] = cross[:, *np.tril_indices(p)]
    for name in ("ar", "coef", "sigma2", "r2", "center", "inverse"):
        getattr(out, name)[bad] = np.nan
    out.n_obs[:] = n_obs
    out.status[:] = status
    out.n_ar[:] = (~np.isnan(out.ar)).sum(1)


def window_sums(
    fit: LinearArrays,
    design: LinearDesign,
    position: IntArray,
    first: int,
    window: tuple[int, int],
    *,
    skip_missing: bool = False,
    engine: Engine = "auto",
) -> WindowSums:
    """CAR of every event over one window, with the exact forecast-variance multiplier.

    The multiplier is ``L + ι'X_W (X'X)^{-1} X_W'ι``: the parameters' error is common to the sessions of a window, so
    it grows with ``L²`` where the noise grows with ``L``.

    Parameters
    ----------
    fit : LinearArrays
        Fits of ``n`` events.
    design : LinearDesign
        The design they were fitted with.
    position : ndarray of int64, shape (n,)
        Event column of each event.
    first : int
        ``tau`` of the first column of ``fit.ar``.
    window : tuple of int
        First and last session; a day is ``(tau, tau)``.
    skip_missing : bool
        Sum the sessions that are there (and their variance) instead of giving NaN.
    engine : {"auto", "compiled", "numpy"}
        Which form runs.

    Returns
    -------
    WindowSums
    """
    n = len(position)
    if not first <= window[0] <= window[1] < first + fit.ar.shape[1]:
        raise IndexError(f"window {window} is not inside the event window, which starts at {first}")
    out = WindowSums(np.empty(n), np.empty(n), np.empty(n, np.int64))
    compiled = _use_compiled(engine)
    if compiled is None:
        _window_sums_numpy(fit, design, position, first, window, skip_missing, out)
        return out

    if len(design.factors) == 1 and design.intercept:
        market = importlib.import_module("eventstudy._compiled_market")
        market.sum_windows(fit, design.factors[0], position, first, window, skip_missing, out)
        return out

    def work(part: slice) -> None:
        compiled.window_sums(
            fit.ar[part],
            design.factors,
            position[part],
            design.intercept,
            fit.n_obs[part],
            fit.center[part],
            fit.inverse[part],
            first,
            window[0],
            window[1],
            skip_missing,
            out.car[part],
            out.scale[part],
            out.n_used[part],
        )

    share(work, n)
    return out


def _window_sums_numpy(
    fit: LinearArrays,
    design: LinearDesign,
    position: IntArray,
    first: int,
    window: tuple[int, int],
    skip_missing: bool,
    out: WindowSums,
) -> None:
    ar = fit.ar[:, window[0] - first : window[1] - first + 1]
    there = ~np.isnan(ar)
    used = there.sum(1)
    span = np.array(window, np.int64)
    p = len(design.factors)
    dx = np.zeros((len(ar), p))
    for a in range(p):
        x = _windows(design.factors[a], position, span)
        dx[:, a] = np.where(there, x - fit.center[:, a, None], 0.0).sum(1)
    inverse = np.zeros((len(ar), p, p))
    rows, columns = np.tril_indices(p)
    inverse[:, rows, columns] = fit.inverse
    inverse[:, columns, rows] = fit.inverse
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = used + design.intercept * used**2 / fit.n_obs + np.einsum("na,nab,nb->n", dx, inverse, dx)
    missing = (used == 0) | ((used < ar.shape[1]) & (not skip_missing))
    out.car[:] = np.where(missing, np.nan, np.where(there, ar, 0.0).sum(1))
    out.scale[:] = np.where(missing, np.nan, scale)
    out.n_used[:] = used


def coefficient_errors(fit: LinearArrays, design: LinearDesign) -> FloatArray:
    """Standard errors of the parameters, ``s √diag((X'X)^{-1})``.

    Parameters
    ----------
    fit : LinearArrays
        Fits of ``n`` events.
    design : LinearDesign
        The design they were fitted with.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Constant first; NaN where the fit failed.
    """
    p = len(design.factors)
    rows, columns = np.tril_indices(p)
    own = fit.inverse[:, rows == columns]
    if not design.intercept:
        return np.sqrt(fit.sigma2[:, None] * own)
    # the constant is R̄ − Σ β F̄, and R̄ is uncorrelated with the slopes
    both = fit.center[:, rows] * fit.center[:, columns] * fit.inverse
    level = 1.0 / np.maximum(fit.n_obs, 1) + np.where(rows == columns, 1.0, 2.0) @ both.T
    return np.sqrt(fit.sigma2[:, None] * np.column_stack([level, own]))


def estimation_residuals(
    values: FloatArray,
    design: LinearDesign,
    coef: FloatArray,
    security: IntArray,
    position: IntArray,
    estimation: tuple[int, int],
    *,
    keep: Keep | None = None,
    engine: Engine = "auto",
) -> FloatArray:
    """Residuals of the estimation window, shape (n, L1); NaN where a return or regressor is missing or left out.

    Parameters are those of :func:`fit_linear`; ``coef`` has shape (n, K). Ask for events in chunks: the answer takes
    ``8 n L1`` bytes.
    """
    if len(security) and not _are_rows(security, len(values)):
        raise IndexError(f"security holds rows that a panel of {len(values)} does not have")
    est = np.array(estimation, np.int64)
    compiled = _use_compiled(engine)
    if compiled is None:
        out = _windows(values, position, est, security) - _windows(_offset(design), position, est)
        if design.intercept:
            out -= coef[:, 0, None]
        for a, row in enumerate(design.factors):
            out -= coef[:, a + int(design.intercept), None] * _windows(row, position, est)
        if keep is not None:
            out[~keep(slice(0, len(security)))] = np.nan
        return out
    out = np.empty((len(security), estimation[1] - estimation[0] + 1))
    offset = _offset(design)

    def work(part: slice) -> None:
        compiled.residuals(
            values, design.factors, offset, design.intercept, coef[part], security[part], position[part], est, out[part]
        )
        if keep is not None:
            out[part][~keep(part)] = np.nan

    share(work, len(security))
    return out


@dataclass(frozen=True, slots=True)
class ResidualSums:
    """Estimation-window residuals added up over events.

    Parameters
    ----------
    total, total_weight : ndarray of float64, shape (L1,)
        Weighted sum of residuals, and the sum of weights, by session of the window.
    scores : ndarray of float64, shape (n_dates, L1)
        Sum over the events of one date of residuals, less their mean and in units of their standard deviation.
    counts : ndarray of float64, shape (n_dates, L1)
        How many residuals that is; a row without variance is not among them, since it correlates with none.
    scored : ndarray of float64, shape (n_dates,)
        Of how many events.
    """

    total: FloatArray
    total_weight: FloatArray
    scores: FloatArray
    counts: FloatArray
    scored: FloatArray

    @classmethod
    def zeros(cls, n_dates: int, n_sessions: int) -> ResidualSums:
        """Nothing added yet."""
        return cls(
            np.zeros(n_sessions),
            np.zeros(n_sessions),
            np.zeros((n_dates, n_sessions)),
            np.zeros((n_dates, n_sessions)),
            np.zeros(n_dates),
        )

    def add(self, residuals: FloatArray, group: IntArray, weight: FloatArray, *, engine: Engine = "auto") -> None:
        """Add residuals of shape (n, L1), NaN where missing, of events on the dates ``group``."""
        compiled = _use_compiled(engine)
        if compiled is not None:
            compiled.add_residuals(
                residuals, group, weight, self.total, self.total_weight, self.scores, self.counts, self.scored
            )
            return
        there = ~np.isnan(residuals)
        e = np.where(there, residuals, 0.0)
        self.total[:] += weight @ e
        self.total_weight[:] += weight @ there
        m = np.maximum(there.sum(1), 1)
        mean = e.sum(1) / m
        z = np.where(there, e - mean[:, None], 0.0)
        square = (z**2).sum(1)
        varies = ~_negligible(square, square + m * mean**2)
        np.add.at(self.scores, group, z * np.where(varies, np.sqrt(m / np.where(varies, square, 1.0)), 0.0)[:, None])
        np.add.at(self.scored, group, varies.astype(np.float64))
        np.add.at(self.counts, group, (there & varies[:, None]).astype(np.float64))

    def meetings(self, dates: IntArray, min_shared: int, *, engine: Engine = "auto") -> float:
        """Sum over pairs of events on different dates of ``Σ z z' / m`` over the ``m`` dates that both windows hold.

        Parameters
        ----------
        dates : ndarray of int64, shape (n_dates,)
            Event columns of the panel, ascending.
        min_shared : int
            Pairs of dates whose windows share fewer sessions with residuals add nothing.
        engine : {"auto", "compiled", "numpy"}
            Which form runs.
        """
        size = np.maximum(self.scored, 1.0)
        compiled = _use_compiled(engine)
        if compiled is not None:
            complete = bool((self.counts == size[:, None]).all())
            return float(compiled.meeting_dates(dates, size, self.scores, self.counts, min_shared, complete))
        total, length = 0.0, self.scores.shape[1]
        for lag in range(1, length - min_shared + 1):
            later = np.searchsorted(dates, dates + lag)
            met = np.flatnonzero((later < len(dates)) & (dates[np.minimum(later, len(dates) - 1)] == dates + lag))
            # a window that starts `lag` later holds the earlier one's dates from column `lag` on
            early, late = (met, slice(lag, None)), (later[met], slice(None, length - lag))
            cross = np.einsum("gt,gt->g", self.scores[early], self.scores[late])
            joint = np.einsum("gt,gt->g", self.counts[early], self.counts[late]) / (size[met] * size[later[met]])
            enough = joint >= min_shared
            # residuals are in units of their own window, so that over part of it a correlation may pass one
            most = (size[met] * size[later[met]])[enough]
            total += float(np.clip(cross[enough] / joint[enough], -most, most).sum())
        return total
