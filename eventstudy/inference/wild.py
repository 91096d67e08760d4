"""Wild bootstrap of the mean across security-events, clustered by event date."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import Seed, as_many, check_level, generator, resampling_p, track
from eventstudy.kernels import chunks

__all__ = ["WildBootstrap", "WildWeights", "wild_bootstrap"]

WildWeights: TypeAlias = Literal["auto", "rademacher", "webb"]

_CELLS = 1 << 20  # random numbers in memory at a time: 8 MB
_FEW_CLUSTERS = 12  # below, two-point weights give too few distinct statistics (Webb 2014)
_POINTS = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]),
}
_FAR = 1024.0  # standard errors from the mean: an interval that is not closed by then is called unbounded


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """Outcome of a wild cluster bootstrap.

    Parameters
    ----------
    statistic, p_value : float
        Cluster-robust t of the mean and its two-sided p-value; NaN with the ``reason`` where there is none.
    n, n_clusters : int
        Events and event dates used.
    weights : str
        ``"rademacher"`` or ``"webb"``.
    n_draws : int
        Vectors of weights looked at.
    exhaustive : bool
        Whether these are all there are, so that p is exact and no chance is in it.
    ci_lower, ci_upper : float
        Interval of the mean by inversion of the test, NaN with the ``ci_reason`` where there is none.
    reason, ci_reason : str
        Why there is no statistic, or no interval; empty where there is one.
    """

    statistic: float
    p_value: float
    n: int
    n_clusters: int
    weights: str
    n_draws: int
    exhaustive: bool
    ci_lower: float
    ci_upper: float
    reason: str = ""
    ci_reason: str = ""


def wild_bootstrap(
    values: FloatArray,
    clusters: IntArray,
    *,
    event_weights: FloatArray | None = None,
    weights: WildWeights = "auto",
    draws: int = 9_999,
    confidence: float = 0.95,
    seed: Seed = None,
    progress: bool | None = None,
) -> WildBootstrap:
    """Wild bootstrap of the mean, clustered by event date, with the null imposed.

    Null: the mean of ``values`` (CAR, or SCAR) is zero. Statistic: the mean over its cluster-robust standard error,
    ``√(G/(G−1) Σ_g (Σ_{i∈g} (x_i − x̄))²) / N``. Law: the same statistic of ``v_g x_i`` over draws of one ``v_g``
    for each date, mean 0 and variance 1. Robust to any correlation of events on one date and to variances that
    differ between dates; not to correlation between dates (windows that overlap), nor to few dates of very different
    size.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN for an event that does not count.
    clusters : ndarray, shape (n,)
        Event date of each event: any labels.
    event_weights : ndarray of float64, shape (n,), optional
        Weights of the events in the mean, positive.
    weights : {"auto", "rademacher", "webb"}
        ``v_g``: ±1, or six points ±√(3/2), ±1, ±√(1/2). By default six points for fewer than 12 dates.
    draws : int
        Draws; where there are no more than so many vectors of weights, each is looked at once instead.
    confidence : float
        Level of the interval.
    seed : int, Generator or None
        Source of the draws.
    progress : bool, optional
        Whether to show a progress bar; by default only at a terminal.

    Returns
    -------
    WildBootstrap

    Notes
    -----
    ±1 on all ``2^G`` sign vectors is a randomisation test: exact where the sums of the dates are independent and
    symmetric about zero. Its p is a multiple of ``2^{1−G}``, so that five dates can never reject at 5 %. Six points
    give more distinct values, but are not exact. With one date the sign of everything flips at once, |t| stays, and
    nothing can be learned.

    The interval holds the means that the test does not reject, found by bisection with the same draws.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
    errors. *Review of Economics and Statistics* 90.
    Webb, M. D. (2014). Reworking wild bootstrap based inference for clustered errors. Queen's Economics Department
    Working Paper 1315.
    Canay, I. A., Santos, A. and Shaikh, A. M. (2021). The wild bootstrap with a "small" number of "large" clusters.
    *Review of Economics and Statistics* 103.

    Examples
    --------
    >>> found = wild_bootstrap(np.array([1.0, 2.0, 1.5, 0.5]), np.arange(4), weights="rademacher")
    >>> round(found.statistic, 3), found.p_value, found.n_draws, found.exhaustive
    (3.873, 0.125, 16, True)
    """
    if weights not in get_args(WildWeights):
        raise InputError(f"weights={weights!r} is not an option.", remedy=f"Use one of {get_args(WildWeights)}.")
    draws, level, rng = as_many("draws", draws, 1), check_level(confidence), generator(seed)
    x, labels = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    w = np.ones(x.shape) if event_weights is None else np.asarray(event_weights, dtype=np.float64)
    if x.ndim != 1 or labels.shape != x.shape or w.shape != x.shape:
        raise InputError(
            f"values, clusters and event_weights have shapes {x.shape}, {labels.shape} and {w.shape}.",
            remedy="Give one of each per event.",
        )
    there = np.isfinite(x)
    if not ((w[there] > 0) & np.isfinite(w[there])).all():
        raise InputError("event_weights must be positive and finite.", remedy="Leave out events that are not to count.")
    x, w = x[there], w[there]
    names, group = np.unique(labels[there], return_inverse=True)
    n, g = len(x), len(names)
    kind = ("webb" if g < _FEW_CLUSTERS else "rademacher") if weights == "auto" else weights

    def none(reason: str) -> WildBootstrap:
        nan = float("nan")
        return WildBootstrap(nan, nan, n, g, kind, 0, False, nan, nan, reason, reason)

    if n == 0:
        return none("no event has a value")
    if g == 1:
        return none("all events share one date: flipping the sign of everything leaves |t| as it is; see placebo_p")
    mean = float(w @ x / w.sum())
    mass = np.bincount(group, w).astype(np.float64)
    spread = np.bincount(group, w * (x - mean)).astype(np.float64)  # residuals, summed by date
    robust = float(np.sqrt(spread @ spread))
    if robust <= 1e-12 * w.sum() * np.abs(x).max():
        return none(f"the means of all {g} event dates are equal, so the spread between dates is zero")
    unit = robust * float(np.sqrt(g / (g - 1)) / w.sum())
    points = _POINTS[kind]
    exhaustive = len(points) ** g <= draws
    total = len(points) ** g if exhaustive else draws
    sums = _Sums.over(_vectors(points, g, total, exhaustive, rng, progress), total, spread, mass)

    def p_value(shift: float) -> float:
        count = sums.exceeding(shift)
        return count / total if exhaustive else resampling_p(count, total)

    lower, upper, ci_reason = _bounds(p_value, mean, unit, (1.0 - level) * (1.0 + 1e-9))
    return WildBootstrap(mean / unit, p_value(mean), n, g, kind, total, exhaustive, lower, upper, ci_reason=ci_reason)


def _vectors(
    points: FloatArray, g: int, total: int, exhaustive: bool, rng: np.random.Generator, progress: bool | None
) -> Iterator[tuple[slice, FloatArray]]:
    """Weights of the dates, shape (chunk, g), in chunks."""
    size = max(1, _CELLS // g)
    every = itertools.product(points, repeat=g)
    for part in track(chunks(total, size), -(-total // size), progress, "wild bootstrap"):
        count = part.stop - part.start
        if exhaustive:
            yield part, np.array(list(itertools.islice(every, count)))
        else:
            yield part, points[(rng.random((count, g)) * len(points)).astype(np.int64)]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Products of draws, from which the statistic follows for any null, each of shape (n_draws,).

    The data less a null at distance ``δ`` below the mean have date sums ``d + δ m`` with ``d`` the residuals' and
    ``m`` the weights' sums, so numerator and variance are polynomials in ``δ``.
    """

    spread: FloatArray
    mass: FloatArray
    vd: FloatArray
    vm: FloatArray
    vdm: FloatArray
    vmm: FloatArray
    dd: FloatArray
    dm: FloatArray
    mm: FloatArray

    @classmethod
    def over(
        cls, vectors: Iterator[tuple[slice, FloatArray]], total: int, spread: FloatArray, mass: FloatArray
    ) -> _Sums:
        """Products of all draws, summed row by row so that chunks do not matter."""
        d, m = spread, mass
        out = [np.empty(total) for _ in range(7)]
        for part, v in vectors:
            square = v * v
            terms = (v * d, v * m, v * (d * m), v * (m * m), square * (d * d), square * (d * m), square * (m * m))
            for into, term in zip(out, terms, strict=True):
                into[part] = term.sum(1)
        return cls(d, m, *out)

    def exceeding(self, shift: float) -> int:
        """Draws whose |t| reaches that of the data, under the null ``shift`` below the mean.

        Compared without division: a draw may have no spread between dates at all.
        """
        d, m = self.spread, self.mass
        mean = (self.vd + shift * self.vm) / m.sum()
        variance = self.dd + 2 * shift * self.dm + shift**2 * self.mm
        variance = variance - 2 * mean * (self.vdm + shift * self.vmm) + mean**2 * (m @ m)
        bar = (shift**2 / (d @ d)) * np.maximum(variance, 0.0)
        return int(np.count_nonzero(mean**2 >= bar * (1.0 - 1e-8)))


def _bounds(p_value: Callable[[float], float], mean: float, unit: float, alpha: float) -> tuple[float, float, str]:
    """Ends of the set of means with ``p > alpha`` around the observed one."""
    ends = []
    for sign in (1.0, -1.0):
        near, far = 0.0, unit
        while p_value(sign * far) > alpha:
            near, far = far, 2.0 * far
            if far > _FAR * unit:
                nan = float("nan")
                return nan, nan, "too few event dates: the test rejects no mean, however far, at this level"
        for _ in range(60):
            middle = 0.5 * (near + far)
            near, far = (middle, far) if p_value(sign * middle) > alpha else (near, middle)
        ends.append(mean - sign * near)
    return ends[0], ends[1], ""
