"""Rank tests across security-events, on ranks over sessions of each event.

What an event's own distribution looks like does not matter to a rank; that the returns of one session move together
does, and the tests that divide by the variance of the session means over time allow for it.
"""

from __future__ import annotations

import numpy as np

from eventstudy._typing import FloatArray
from eventstudy.inference.base import Outcome, TestSample, register

__all__ = ["corrado_rank", "grank_t", "grank_z", "session_statistic"]

_NOT_GIVEN = "the abnormal returns of both windows, by session, were not given"


def session_statistic(sample: TestSample, total: FloatArray, centre: float) -> Outcome:
    """Mean of a score over the window's sessions, in units of its standard deviation over all sessions.

    With ``N_t`` events and mean score ``c_t`` less its ``centre`` in session ``t``, the statistic is ``√L c_W/S`` with
    ``S² = mean_t (N_t/N) c_t²`` over the sessions of both windows, ``c_W`` the mean of ``c_t`` over the window, and
    ``N`` the harmonic mean of its ``N_t`` (which is the number of events unless a CAR may skip sessions).

    Parameters
    ----------
    sample : TestSample
        With ``sessions`` and ``event``.
    total : ndarray of float64, shape (L1 + L2,)
        Sum of the score over events, by session.
    centre : float
        Mean of the score under the null.
    """
    if sample.sessions is None or sample.event is None:
        return _NOT_GIVEN
    count = sample.sessions.count
    there = count > 0
    if sample.sessions.n == 0:
        return "no event has a CAR"
    if there.sum() < 3:
        return f"both windows together have {int(there.sum())} sessions with abnormal returns"
    inside = np.zeros(len(count), dtype=bool)
    inside[len(sample.sessions.total) :][sample.event.columns(sample.window)] = True
    if not there[inside].all():
        return "a session of the window has no abnormal return of any event"
    score = total[there] / count[there] - centre
    weight = count[there] / (inside.sum() / (1.0 / count[inside]).sum())
    spread = float(np.sqrt((weight * score**2).mean()))
    if spread <= 1e-12:
        return "the mean score is the same in all sessions"
    mean = float(score[inside[there]].mean())
    return float(np.sqrt(inside.sum())) * mean / spread, float("inf"), sample.sessions.n


@register(
    "corrado_rank",
    null="abnormal returns of the window are distributed as in the other sessions",
    valid_under_clustering=True,
    source="Corrado 1989; Corrado & Zivney 1992",
)
def corrado_rank(sample: TestSample) -> Outcome:
    """Corrado's rank test, standard normal.

    Each event's abnormal returns are ranked over the estimation and the event window (midranks for ties; missing
    returns have no rank): ``K = rank/(1 + m)``. A day's statistic is ``(K̄_τ − ½)/S``, a window's ``√L (K̄_W − ½)/S``,
    with ``S² = mean_t (N_t/N)(K̄_t − ½)²`` over all sessions of both windows. Robust to non-normal returns and, as
    ``S`` is taken over time from the cross-sectional mean, to cross-correlation of events that share dates. Variance
    that the event raises widens the law of the event day's ranks: robust to it only in part. Events are weighted
    equally.

    References
    ----------
    Corrado, C. J. (1989). A nonparametric test for abnormal security-price performance in event studies. *Journal of
    Financial Economics* 23.
    Corrado, C. J. and Zivney, T. L. (1992). The specification and power of the sign test in event study hypothesis
    tests using daily stock returns. *Journal of Financial and Quantitative Analysis* 27.
    """
    return _NOT_GIVEN if sample.sessions is None else session_statistic(sample, sample.sessions.rank, 0.5)


def _generalised(sample: TestSample) -> tuple[float, int] | str:
    """Sum of the window's centred generalised ranks and the events in it, or why there is none."""
    if sample.ranks is None or sample.sessions is None:
        return "the ranks of the SCARs beside the residuals were not given"
    n = int((~np.isnan(sample.scar)).sum())
    if n < 2:
        return f"needs two events with a value, has {n}: the SCARs are measured in their cross-sectional spread"
    if sample.ranks.variance[0] <= 0.0:
        return f"the SCARs of all {n} events are equal, so there is no cross-sectional variance"
    return float(sample.ranks.centred[0]), n


@register(
    "grank_t",
    null="re-standardised SCARs are distributed as standardised residuals",
    valid_under_clustering=True,
    source="Kolari & Pynnönen 2011",
)
def grank_t(sample: TestSample) -> Outcome:
    """Generalised rank t, Student t with ``T − 2`` degrees of freedom.

    The window is one value: each SCAR over the cross-sectional standard deviation of the SCARs is ranked beside the
    event's ``M`` standardised residuals, ``U = rank/(M + 2) − ½``. With ``T − 1`` sessions in the estimation window,
    ``Z = Ū₀/S``, ``S² = (1/T) Σ (n_t/n) Ū_t²`` over those sessions and the window, and ``t = Z √((T−2)/(T−1−Z²))``.
    Robust to non-normal returns, to variance that the event raises, to cross-correlation of events that share dates,
    and to serial correlation in the window. Events are weighted equally.

    References
    ----------
    Kolari, J. W. and Pynnönen, S. (2011). Nonparametric rank tests for event studies. *Journal of Empirical Finance*
    18.
    """
    found = _generalised(sample)
    if isinstance(found, str):
        return found
    assert sample.ranks is not None
    assert sample.sessions is not None
    total, n = found
    count = sample.sessions.count[: len(sample.sessions.total)]
    there = count > 0
    own = (sample.sessions.own_rank + sample.ranks.above[0])[there] / count[there] - 0.5
    t = int(there.sum()) + 1
    if t < 4:
        return f"the estimation window has {t - 1} sessions with residuals"
    mean = total / n
    spread = float(np.sqrt(((count[there] / n * own**2).sum() + mean**2) / t))
    if spread <= 1e-12:
        return "the mean rank is the same in all sessions"
    z = mean / spread
    if t - 1.0 - z**2 <= 1e-9:
        return "the mean ranks of the estimation window have no variance of their own"
    return z * float(np.sqrt((t - 2.0) / (t - 1.0 - z**2))), t - 2.0, n


@register(
    "grank_z",
    null="re-standardised SCARs are distributed as standardised residuals",
    valid_under_clustering=False,
    source="Kolari & Pynnönen 2011",
)
def grank_z(sample: TestSample) -> Outcome:
    """Generalised rank z, standard normal: the mean rank of :func:`grank_t` over its exact standard deviation.

    For independent events the variance of ``Ū₀`` is ``(T − 1)/(12 N (T + 1))``, with ``T = M + 1`` (averaged over
    events where ``M`` differs). Robust to non-normal returns and to variance that the event raises; not to
    cross-correlation. Events are weighted equally.

    References
    ----------
    Kolari, J. W. and Pynnönen, S. (2011). Nonparametric rank tests for event studies. *Journal of Empirical Finance*
    18.
    """
    found = _generalised(sample)
    if isinstance(found, str):
        return found
    assert sample.ranks is not None
    total, n = found
    return total / float(np.sqrt(sample.ranks.variance[0])), float("inf"), n
