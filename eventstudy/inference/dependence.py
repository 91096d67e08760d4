"""How much security-events depend on one another: shared dates, mean residual correlation, portfolio residuals."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.kernels import ResidualSums, chunks

__all__ = ["EstimationSummary", "SharedDates", "estimation_summary", "shared_dates"]

_CHUNK = 1_024  # 2 MB of residuals at 250 sessions: they stay in the cache
_CELLS = 1 << 22  # residuals of a chunk at most, 32 MB
_SHARE = 65_536  # events from which a second thread is worth its own sums by date


@dataclass(frozen=True, slots=True)
class SharedDates:
    """How event dates are shared.

    Parameters
    ----------
    n_events, n_dates : int
        Security-events and distinct event sessions.
    largest : int
        Events on the busiest session.
    mean_peers : float
        Other events on an event's own session, on average.
    mean_neighbours : float
        Events on other sessions whose windows overlap an event's own, each counted by the share of the window, on
        average; none for windows of one session.
    """

    n_events: int
    n_dates: int
    largest: int
    mean_peers: float
    mean_neighbours: float = 0.0

    @property
    def overlapping(self) -> bool:
        """Whether windows of different dates overlap enough to matter: one neighbour for every second event."""
        return self.mean_neighbours >= 0.5

    @property
    def clustered(self) -> bool:
        """Whether events meet on the calendar enough to matter: one other event there for every second event."""
        return self.mean_peers + self.mean_neighbours >= 0.5


def shared_dates(position: IntArray, length: int = 1) -> SharedDates:
    """How event sessions are shared, by windows of ``length`` sessions.

    Parameters
    ----------
    position : ndarray of int64, shape (n,)
        Event column of each event in the panel.
    length : int
        Sessions in the window; by default only the event session itself.
    """
    n = len(position)
    if not n:
        return SharedDates(0, 0, 0, 0.0)
    every = np.bincount(position)  # sessions without events too: few beside a million events
    count, on = every[every > 0], every.astype(np.float64)
    near = sum(2.0 * (1.0 - lag / length) * float(on[lag:] @ on[:-lag]) for lag in range(1, min(length, len(on))))
    return SharedDates(n, len(count), int(count.max()), float((count * (count - 1)).sum() / n), near / n)


@dataclass(frozen=True, slots=True)
class EstimationSummary:
    """What the tests need of all estimation-window residuals together.

    Parameters
    ----------
    portfolio : ndarray of float64, shape (L1,)
        (Weighted) mean residual over the events with one, by session of the estimation window.
    mean_correlation : float
        ``r̄``; 0 for a single event.
    """

    portfolio: FloatArray
    mean_correlation: float


def estimation_summary(
    residuals: Callable[[IntArray], FloatArray],
    position: IntArray,
    security: IntArray,
    n_sessions: int,
    weights: FloatArray | None = None,
    *,
    min_shared: int = 30,
) -> EstimationSummary:
    """Portfolio residuals and ``r̄``, in one pass over the residuals and never over pairs of events.

    ``r̄`` is the mean over all pairs of ``Σ z_it z_jt / m_ij``, summed over the calendar dates that both estimation
    windows hold, where ``z`` is a residual in units of its own event's standard deviation. The sum over pairs is a
    square of sums: residuals are added up by event date first, then date meets date, so the cost is that of the
    residuals plus the square of the dates within reach of each other. ``m_ij`` is the mean count of shared dates of
    the pairs of two event dates, which is exact without missing returns, and so is the Pearson correlation when all
    events share one date. Pairs that share fewer than ``min_shared`` dates count as uncorrelated.

    Parameters
    ----------
    residuals : callable
        Rows of events to their residuals, shape (len, L1), NaN where missing.
    position, security : ndarray of int64, shape (n,)
        Event column and row of each event in the panel. Events are added up in their order, so that the answer does
        not depend on the order in which they were given.
    n_sessions : int
        ``L1``.
    weights : ndarray of float64, shape (n,), or None
        Weights in the portfolio; ``r̄`` weights pairs equally.
    min_shared : int
        Fewest shared dates.

    References
    ----------
    Kolari, J. W. and Pynnönen, S. (2010). Event study testing with cross-sectional correlation of abnormal returns.
    *Review of Financial Studies* 23, equation (3) and the discussion of the average correlation.
    """
    n = len(position)
    dates, group = np.unique(position, return_inverse=True)
    order = np.lexsort((security, group))

    def work(share: IntArray) -> ResidualSums:
        sums = ResidualSums.zeros(len(dates), n_sessions)
        for part in chunks(len(share), max(1, min(_CHUNK, _CELLS // max(1, n_sessions)))):
            rows = share[part]
            sums.add(residuals(rows), group[rows], np.ones(len(rows)) if weights is None else weights[rows])
        return sums

    shares = np.array_split(order, min(os.cpu_count() or 1, 1 + n // _SHARE))
    with ThreadPoolExecutor(len(shares)) as pool:
        sums, *others = pool.map(work, shares) if len(shares) > 1 else map(work, shares)
    for other in others:
        for name in ResidualSums.__slots__:
            total = getattr(sums, name)
            total += getattr(other, name)
    with np.errstate(invalid="ignore"):
        portfolio = sums.total / sums.total_weight
    size = np.bincount(group, minlength=len(dates)).astype(np.float64)
    return EstimationSummary(portfolio, _mean_correlation(dates, size, sums, min_shared))


def _mean_correlation(dates: IntArray, size: FloatArray, sums: ResidualSums, min_shared: int) -> float:
    n = size.sum()
    if n < 2:
        return 0.0
    pairs = sums.scored * (sums.scored - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = (sums.counts**2 - sums.counts).sum(1) / 2 / pairs
        # a score has unit variance over its own rows, so its squares add up to their count
        within = ((sums.scores**2).sum(1) - sums.counts.sum(1)) / 2 / shared
    total = within[(pairs > 0) & (shared >= min_shared)].sum() + sums.meetings(dates, min_shared)
    return float(2.0 * total / (n * (n - 1)))
