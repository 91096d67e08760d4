"""What the tests read of single sessions, summed over events: residuals, ranks, signs, pseudo-windows.

Events come in chunks, so that memory stays bounded; a chunk's residuals are made, read and forgotten. Each pass is
written twice: compiled (:mod:`eventstudy._compiled_ranks`) and in numpy, which is its oracle and its stand-in.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.kernels import Engine, chunks

if TYPE_CHECKING:
    from eventstudy.models.base import ModelFit

__all__ = [
    "GeneralisedRanks",
    "Residuals",
    "SessionSums",
    "mean_squares",
    "midranks",
    "positive_shares",
    "residual_variance",
    "session_sums",
    "window_pass",
]

Residuals = Callable[[IntArray], FloatArray]
"""Rows of events to their estimation-window residuals, shape (len, L1), NaN where missing."""

_CHUNK = 1_000  # 2 MB of residuals at 250 sessions: they stay in the cache
_CELLS = 1 << 22  # residuals of a chunk at most, 32 MB: of long estimation windows there are fewer events in it
_SHORT_KEYS = 2_048  # columns of both windows up to which the keys of a sort have 32 bits
_Part = TypeVar("_Part")


@functools.cache
def _module() -> Any:
    if os.environ.get("EVENTSTUDY_ENGINE") == "numpy" or importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module("eventstudy._compiled_ranks")


def _compiled(engine: Engine) -> Any:
    """The compiled module, or None where numpy is asked for or numba absent."""
    if engine == "numpy":
        return None
    module = _module()
    if module is None and engine == "compiled":
        raise ImportError("engine='compiled' needs numba: pip install numba")
    return module


def _in_chunks(residuals: Residuals, rows: IntArray, work: Callable[[FloatArray, IntArray], _Part]) -> list[_Part]:
    """``work`` on chunks of residuals and their rows, on all cores where there is enough; answers in order."""
    if not len(rows):
        return []
    size = max(1, min(_CHUNK, _CELLS // max(1, residuals(rows[:1]).shape[1])))
    parts = [rows[part] for part in chunks(len(rows), size)]
    workers = min(len(parts), os.cpu_count() or 1)
    if workers <= 1:
        return [work(residuals(part), part) for part in parts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda part: work(residuals(part), part), parts))


@dataclass(frozen=True, slots=True)
class SessionSums:
    """Sums over events for each session of the estimation and event window.

    With ``M`` residuals and ``m`` abnormal returns in both windows of an event:

    Parameters
    ----------
    n : int
        Events added up.
    count : ndarray of float64, shape (L1 + L2,)
        Events with an abnormal return.
    rank : ndarray of float64, shape (L1 + L2,)
        ``rank / (1 + m)``, ranks over both windows, midranks for ties.
    sign : ndarray of float64, shape (L1 + L2,)
        Sign of the abnormal return about its median over both windows.
    own_rank : ndarray of float64, shape (L1,)
        ``rank / (2 + M)``, ranks among the residuals of the estimation window alone.
    total : ndarray of float64, shape (L1,)
        Residuals.
    absolute, weighted, weights : ndarray of float64, shape (L1,)
        Their absolute values and they themselves, times the weight of their event; and the weights.
    """

    n: int
    count: FloatArray
    rank: FloatArray
    sign: FloatArray
    own_rank: FloatArray
    total: FloatArray
    absolute: FloatArray
    weighted: FloatArray
    weights: FloatArray

    @classmethod
    def zeros(cls, n: int, n_est: int, n_event: int) -> SessionSums:
        """Nothing added yet."""
        both = (np.zeros(n_est + n_event) for _ in range(3))
        return cls(n, *both, *(np.zeros(n_est) for _ in range(5)))

    def arrays(self) -> list[FloatArray]:
        """The arrays, in order."""
        return [getattr(self, name) for name in self.__slots__[1:]]

    def plus(self, other: SessionSums, sign: int = 1) -> SessionSums:
        """Sums over the events of both, or (``sign=-1``) over those of this one that are not in the other."""
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return SessionSums(self.n + sign * other.n, *(one + sign * two for one, two in pairs))

    def portfolio(self, *, equal_weights: bool = False) -> FloatArray:
        """(Weighted) mean residual by session of the estimation window, shape (L1,).

        NaN where no event has a residual; zero where the sum is rounding beside its terms.
        """
        count = self.count[: len(self.total)]
        total, weight = (self.total, count) if equal_weights else (self.weighted, self.weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, size = total / weight, self.absolute / self.weights
        return np.where(count > 0, np.where(np.abs(mean) <= 1e-13 * size, 0.0, mean), np.nan)


def session_sums(
    residuals: Residuals, ar: FloatArray, weights: FloatArray | None, rows: IntArray, *, engine: Engine = "auto"
) -> SessionSums:
    """Sums by session over some events, in one pass over their abnormal returns.

    Parameters
    ----------
    residuals : callable
        Rows of events to their residuals.
    ar : ndarray of float64, shape (n, L2)
        Abnormal returns of the event window.
    weights : ndarray of float64, shape (n,), or None
        Weights of the events.
    rows : ndarray of int64
        The events.
    engine : {"auto", "compiled", "numpy"}
        Which form runs.
    """
    compiled = _compiled(engine)

    def work(e: FloatArray, part: IntArray) -> SessionSums:
        out = SessionSums.zeros(len(part), e.shape[1], ar.shape[1])
        weight = np.ones(len(part)) if weights is None else weights[part]
        if compiled is None:
            _session_sums_numpy(e, ar[part], weight, *out.arrays())
        else:
            _session_sums_compiled(compiled, e, ar[part], weight, out)
        return out

    if not len(rows):
        return SessionSums.zeros(0, residuals(rows).shape[1], ar.shape[1])
    return functools.reduce(SessionSums.plus, _in_chunks(residuals, rows, work))


def _session_sums_compiled(
    compiled: Any, residuals: FloatArray, ar: FloatArray, weight: FloatArray, out: SessionSums
) -> None:
    """Sort keys, which numpy sorts in vector registers, between two compiled passes."""
    n_all = residuals.shape[1] + ar.shape[1]
    # the fewer bits the column takes, the fewer values come out of order and have to be moved
    kind, whole = (np.float32, np.int32) if n_all <= _SHORT_KEYS else (np.float64, np.int64)
    rounded = np.empty((len(residuals), n_all), kind)
    key = rounded.view(whole)
    mask, most = whole((1 << (n_all - 1).bit_length()) - 1), whole(np.iinfo(whole).max)
    with np.errstate(over="ignore"):
        compiled.sort_keys(residuals, ar, rounded, key, mask, most, whole(np.iinfo(whole).bits - 1))
    key.sort(axis=1)
    compiled.session_sums(residuals, ar, key, mask, weight, *out.arrays())


def mean_squares(residuals: Residuals, rows: IntArray) -> FloatArray:
    """Mean squared residual of some events over their estimation windows, shape (len(rows),); NaN of none."""

    def work(e: FloatArray, _: IntArray) -> FloatArray:
        there = ~np.isnan(e)
        known = np.where(there, e, 0.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.einsum("nt,nt->n", known, known) / there.sum(1))

    return np.concatenate([np.empty(0), *_in_chunks(residuals, rows, work)])


def residual_variance(fit: ModelFit) -> FloatArray:
    """Variance of the residuals of each event, shape (n,).

    It is ``sigma2``, or ``Σe²`` over its own degrees of freedom where ``sigma2`` is another estimate of it.
    """
    dof = getattr(fit, "residual_dof", None)
    if dof is None:
        return fit.sigma2
    return np.asarray(mean_squares(fit.residuals, np.arange(len(dof))) * fit.n_obs / dof)


def midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 within each row, means of ranks for ties; NaN keeps no rank. Shape (n, length)."""
    n, length = values.shape
    order = np.argsort(values, axis=1)  # ties share a rank, in whatever order they come
    ordered = np.take_along_axis(values, order, axis=1)
    place = np.broadcast_to(np.arange(length), (n, length))
    starts = np.ones((n, length), dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones((n, length), dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, length)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty((n, length))
    np.put_along_axis(ranks, order, np.where(np.isnan(ordered), np.nan, (first + last) / 2.0 + 1.0), axis=1)
    return ranks


def _session_sums_numpy(
    residuals: FloatArray,
    ar: FloatArray,
    weight: FloatArray,
    count: FloatArray,
    rank: FloatArray,
    sign: FloatArray,
    own_rank: FloatArray,
    total: FloatArray,
    absolute: FloatArray,
    weighted: FloatArray,
    weights: FloatArray,
) -> None:
    both = np.concatenate([residuals, ar], axis=1)
    there = ~np.isnan(both)
    m = there.sum(1)
    ordered = np.sort(both, axis=1)
    row, middle = np.arange(len(both)), np.maximum(m, 1)
    median = 0.5 * (ordered[row, (middle - 1) // 2] + ordered[row, middle // 2])
    own = ~np.isnan(residuals)
    count += there.sum(0)
    rank += np.nansum(midranks(both) / (1.0 + m)[:, None], axis=0)
    sign += np.where(there, np.sign(both - median[:, None]), 0.0).sum(0)
    own_rank += np.nansum(midranks(residuals) / (2.0 + own.sum(1))[:, None], axis=0)
    e = np.where(own, residuals, 0.0)
    total += e.sum(0)
    absolute += weight @ np.abs(e)
    weighted += weight @ e
    weights += weight @ own


@dataclass(frozen=True, slots=True)
class GeneralisedRanks:
    """Ranks of one value per event and window beside the residuals of its event, summed over events.

    For ``W`` windows; ``M`` residuals of an event and the value itself make ``M + 1`` ranks.

    Parameters
    ----------
    above : ndarray of float64, shape (W, L1)
        ``1 / (M + 2)`` of each event whose residual of the session lies above its value, half of it at a tie.
    centred : ndarray of float64, shape (W,)
        ``rank / (M + 2) − ½`` of the value.
    variance : ndarray of float64, shape (W,)
        Variance of that under the null, ``M / (12 (M + 2))``.
    """

    above: FloatArray
    centred: FloatArray
    variance: FloatArray

    def take(self, window: int) -> GeneralisedRanks:
        """Those of one window, ``W = 1``."""
        one = slice(window, window + 1)
        return GeneralisedRanks(self.above[one], self.centred[one], self.variance[one])


def window_pass(
    residuals: Residuals, threshold: FloatArray, lengths: IntArray, *, engine: Engine = "auto"
) -> tuple[GeneralisedRanks, FloatArray]:
    """Generalised ranks of all windows, and positive shares of all window lengths, in one pass over the residuals.

    Parameters
    ----------
    residuals : callable
        Rows of events to their residuals.
    threshold : ndarray of float64, shape (n, W)
        Value of each event and window in units of its residuals; NaN where the event does not count.
    lengths : ndarray of int64, shape (k,)
        Lengths of windows.
    engine : {"auto", "compiled", "numpy"}
        Which form runs.

    Returns
    -------
    GeneralisedRanks
        Sums over events.
    ndarray of float64, shape (n, k)
        Share of positive sums among the event's complete windows of each length in the estimation window.
    """
    n, n_windows = threshold.shape
    share = np.empty((n, len(lengths)))
    compiled = _compiled(engine)

    def work(e: FloatArray, part: IntArray) -> GeneralisedRanks:
        out = GeneralisedRanks(np.zeros((n_windows, e.shape[1])), np.zeros(n_windows), np.zeros(n_windows))
        add = _threshold_sums_numpy if compiled is None else compiled.threshold_sums
        add(e, threshold[part], out.above, out.centred, out.variance)
        share[part] = positive_shares(e, lengths, engine=engine)
        return out

    found = _in_chunks(residuals, np.arange(n), work)
    sums = (np.sum([getattr(one, name) for one in found], axis=0) for name in GeneralisedRanks.__slots__)
    return GeneralisedRanks(*sums), share


def _threshold_sums_numpy(
    residuals: FloatArray, threshold: FloatArray, above: FloatArray, centred: FloatArray, variance: FloatArray
) -> None:
    m = (~np.isnan(residuals)).sum(1)
    unit = 1.0 / (m + 2.0)
    for w in range(threshold.shape[1]):
        z = threshold[:, w, None]
        used = ~np.isnan(threshold[:, w])
        higher = ((residuals > z) + 0.5 * (residuals == z)) * unit[:, None]
        above[w] += higher.sum(0)
        centred[w] += ((m + 1.0) * unit - higher.sum(1) - 0.5)[used].sum()
        variance[w] += (m * unit / 12.0)[used].sum()


def positive_shares(residuals: FloatArray, lengths: IntArray, *, engine: Engine = "auto") -> FloatArray:
    """Share of positive sums among all complete windows of each length, shape (n, k); NaN where there is none.

    Parameters
    ----------
    residuals : ndarray of float64, shape (n, L1)
        NaN where missing.
    lengths : ndarray of int64, shape (k,)
        Sessions per window; windows overlap.
    engine : {"auto", "compiled", "numpy"}
        Which form runs.
    """
    share = np.full((len(residuals), len(lengths)), np.nan)
    compiled = _compiled(engine)
    if compiled is not None:
        compiled.positive_shares(residuals, lengths, share)
        return share
    for k, length in enumerate(lengths.tolist()):
        sums = _rolled(residuals, length)
        there = (~np.isnan(sums)).sum(1)
        up = (sums > 0).sum(1)
        share[:, k] = np.where(there > 0, up / np.maximum(there, 1), np.nan)
    return share


def _rolled(residuals: FloatArray, length: int) -> FloatArray:
    """Sums over every window of ``length`` sessions, NaN where one is missing."""
    n, n_est = residuals.shape
    if not 1 <= length <= n_est:
        return np.empty((n, 0))
    sums: FloatArray = np.lib.stride_tricks.sliding_window_view(residuals, length, axis=1).sum(axis=2)
    return sums
