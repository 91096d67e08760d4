"""How much security-events depend on one another: shared dates, mean residual correlation, portfolio residuals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.kernels import chunks

__all__ = ["EstimationSummary", "SharedDates", "estimation_summary", "shared_dates"]

_CHUNK = 8_192  # 16 MB of residuals at 250 sessions


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
    """

    n_events: int
    n_dates: int
    largest: int
    mean_peers: float

    @property
    def clustered(self) -> bool:
        """Whether dates are shared enough to matter: one other event on the session, for every second event."""
        return self.mean_peers >= 0.5


def shared_dates(position: IntArray) -> SharedDates:
    """How the event sessions (columns of the panel, shape (n,)) are shared."""
    _, count = np.unique(position, return_counts=True)
    n = len(position)
    peers = float((count * (count - 1)).sum() / n) if n else 0.0
    return SharedDates(n, len(count), int(count.max(initial=0)), peers)


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
    residuals: Callable[[slice], FloatArray],
    position: IntArray,
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
        Slice of events to their residuals, shape (len, L1), NaN where missing.
    position : ndarray of int64, shape (n,)
        Event column of each event in the panel.
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
    size = np.bincount(group, minlength=len(dates)).astype(np.float64)
    total = np.zeros(n_sessions)
    total_weight = np.zeros(n_sessions)
    scores = np.zeros((len(dates), n_sessions))
    counts = np.zeros((len(dates), n_sessions))
    squares = np.zeros((len(dates), n_sessions))
    for part in chunks(n, _CHUNK):
        e = residuals(part)
        there = ~np.isnan(e)
        e = np.where(there, e, 0.0)
        w = np.ones(len(e)) if weights is None else weights[part]
        total += w @ e
        total_weight += w @ there
        m = np.maximum(there.sum(1), 1)
        z = np.where(there, e - (e.sum(1) / m)[:, None], 0.0)
        spread = np.sqrt((z**2).sum(1) / m)
        z /= np.where(spread > 0, spread, 1.0)[:, None]
        for target, source in ((scores, z), (counts, there.astype(np.float64)), (squares, z**2)):
            np.add.at(target, group[part], source)
    with np.errstate(invalid="ignore"):
        portfolio = total / total_weight
    return EstimationSummary(portfolio, _mean_correlation(dates, size, scores, counts, squares, min_shared))


def _mean_correlation(
    dates: IntArray, size: FloatArray, scores: FloatArray, counts: FloatArray, squares: FloatArray, min_shared: int
) -> float:
    n = size.sum()
    if n < 2:
        return 0.0
    pairs = size * (size - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = (counts**2 - counts).sum(1) / 2 / pairs
        within = (scores**2 - squares).sum(1) / 2 / shared
    total = within[(pairs > 0) & (shared >= min_shared)].sum()
    length = scores.shape[1]
    for lag in range(1, length - min_shared + 1):
        later = np.searchsorted(dates, dates + lag)
        meets = np.flatnonzero((later < len(dates)) & (dates[np.minimum(later, len(dates) - 1)] == dates + lag))
        if not len(meets):
            continue
        # a window that starts `lag` later holds the earlier one's dates from column `lag` on
        early, late = (meets, slice(lag, None)), (later[meets], slice(None, length - lag))
        cross = np.einsum("gt,gt->g", scores[early], scores[late])
        joint = np.einsum("gt,gt->g", counts[early], counts[late]) / (size[meets] * size[later[meets]])
        enough = joint >= min_shared
        total += (cross[enough] / joint[enough]).sum()
    return float(2.0 * total / (n * (n - 1)))
