"""Tests that add events up by date first: the calendar-time portfolio, and standard errors clustered by date."""

from __future__ import annotations

import numpy as np

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.inference.base import Outcome, TestSample, register
from eventstudy.inference.parametric import mean_t
from eventstudy.windows import Window

__all__ = [
    "calendar_portfolio",
    "calendar_portfolio_t",
    "calendar_standard_error",
    "cluster_t",
    "cluster_variance",
    "newey_west_t",
]

_FEW = 20  # clusters below which the sandwich is too small, and cluster means are tested instead


def calendar_portfolio(
    ar: FloatArray, position: IntArray, event: Window, window: Window, counts: BoolArray
) -> tuple[FloatArray, IntArray, int]:
    """Equally weighted mean abnormal return of the events inside a window, by session of the panel.

    Parameters
    ----------
    ar : ndarray of float64, shape (n, L2)
        Abnormal returns of the event window.
    position : ndarray of int64, shape (n,)
        Event column of each event in the panel.
    event, window : Window
        The event window, and the sessions around its event during which an event is in the portfolio.
    counts : ndarray of bool, shape (n,)
        Events that count.

    Returns
    -------
    mean : ndarray of float64, shape (D,)
        From the first session with an event to the last; NaN where none is inside the window.
    active : ndarray of int64, shape (D,)
        Events with an abnormal return.
    first : int
        Column of the panel of the first session; 0 where there is none.
    """
    total, active = np.zeros(0), np.zeros(0, np.int64)
    low = -min(window.start, 0)
    if counts.any():
        size = int(position[counts].max()) + window.end + 1 + low
        total, active = np.zeros(size), np.zeros(size, np.int64)
    for tau, column in zip(window.tau.tolist(), ar[:, event.columns(window)].T, strict=True):
        used = counts & ~np.isnan(column)
        if used.any():
            at = position[used] + (tau + low)
            total += np.bincount(at, weights=column[used], minlength=len(total))
            active += np.bincount(at, minlength=len(active))
    days = np.flatnonzero(active)
    if not len(days):
        return np.empty(0), np.empty(0, np.int64), 0
    span = slice(days[0], days[-1] + 1)
    mean = np.where(active[span] > 0, total[span] / np.maximum(active[span], 1), np.nan)
    return mean, active[span], int(days[0]) - low


def calendar_standard_error(
    ar: FloatArray, position: IntArray, event: Window, window: Window, share: FloatArray
) -> tuple[float, int]:
    """Standard error of a mean CAR with abnormal returns clustered by session of the calendar, and the sessions.

    ``√(D/(D−1) Σ_d (Σ share (AR − CAAR/L))²)`` over the ``D`` sessions on which an event is inside the window: it holds
    any correlation among abnormal returns of one session, whatever dates the events have.

    Parameters
    ----------
    ar, position, event, window
        As in :func:`calendar_portfolio`.
    share : ndarray of float64, shape (n,)
        Weights that sum to one; zero for an event that does not count.
    """
    inside = ar[:, event.columns(window)]
    there = ~np.isnan(inside) & (share > 0.0)[:, None]
    weight = np.where(there, share[:, None], 0.0)
    weighted = weight * np.where(there, inside, 0.0)
    deviation = weighted - weight * (weighted.sum() / max(float(weight.sum()), np.finfo(float).tiny))
    at = (position - position.min())[:, None] + np.arange(len(window))
    total = np.bincount(at[there], weights=deviation[there])
    days = int((np.bincount(at[there]) > 0).sum())
    if days < 2:
        return float("nan"), days
    return float(np.sqrt(days / (days - 1.0) * (total**2).sum())), days


def newey_west_t(values: FloatArray, lags: int | None = None) -> Outcome:
    """Mean over its standard error with Newey and West's allowance for serial correlation.

    Bartlett weights; the variance is scaled by ``D/(D − 1)``, so that no lags give the ordinary t. Sessions without a
    value keep their place in the order but add nothing.

    Parameters
    ----------
    values : ndarray of float64, shape (D,)
        In the order of time; NaN for a session without a value.
    lags : int, optional
        Largest lag; ``⌊4 (D/100)^{2/9}⌋`` for ``D`` values by default.

    References
    ----------
    Newey, W. K. and West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix. *Econometrica* 55; the lags from their 1994 paper in *Review of Economic Studies* 61.
    """
    there = ~np.isnan(values)
    n = int(there.sum())
    if n < 2:
        return f"needs two sessions with a value, has {n}"
    lags = int(4.0 * (n / 100.0) ** (2.0 / 9.0)) if lags is None else lags
    mean = float(values[there].mean())
    u = np.where(there, values - mean, 0.0)
    total = float(u @ u)
    for lag in range(1, min(lags, len(u) - 1) + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(u[lag:] @ u[:-lag])
    error = float(np.sqrt(max(total, 0.0) / (n * (n - 1.0))))
    if error <= 1e-12 * float(np.abs(values[there]).max()):
        return "the portfolio has no variance over the calendar"
    return mean / error, n - 1.0, n


@register(
    "calendar_portfolio_t",
    null="mean abnormal return of the calendar-time portfolio = 0",
    valid_under_clustering=True,
    valid_under_overlap=True,
    source="Jaffe 1974; Mandelker 1974; Fama 1998",
)
def calendar_portfolio_t(sample: TestSample) -> Outcome:
    """Student t of the calendar-time portfolio: mean over calendar sessions over its standard error.

    On each session of the calendar the portfolio holds, equally weighted, the events inside the window; its ``D`` mean
    abnormal returns are tested against zero by least squares on a constant, Student t with ``D − 1`` degrees of
    freedom. All events on one date make ``L`` sessions and no more: the standard deviation then is that of the same
    portfolio over the estimation window, as in Jaffe and Mandelker, ``√L`` times the mean is divided by it, and the
    degrees of freedom are its sessions less one. Robust to cross-correlation, whatever dates the events share or
    overlap; with two dates or more also to variance that the event raises. It weighs sessions equally, not events, so
    busy dates count as one. :func:`newey_west_t` allows for serial correlation too.

    References
    ----------
    Jaffe, J. F. (1974). Special information and insider trading. *Journal of Business* 47.
    Mandelker, G. (1974). Risk and return: the case of merging firms. *Journal of Financial Economics* 1.
    Fama, E. F. (1998). Market efficiency, long-term returns, and behavioral finance. *Journal of Financial Economics*
    49.
    """
    if sample.calendar is None or sample.position is None or sample.sessions is None:
        return "the abnormal returns by calendar session were not given"
    there = ~np.isnan(sample.car)
    n = int(there.sum())
    if n == 0:
        return "no event has a CAR"
    series = sample.calendar[~np.isnan(sample.calendar)]
    if np.ptp(sample.position[there]) > 0:
        found = mean_t(series, None, "portfolio returns")
        if isinstance(found, str):
            return "the portfolio has no variance over the calendar"
        assert isinstance(found, tuple)
        return found[0], found[1], n
    before = sample.sessions.portfolio(equal_weights=True)
    before = before[~np.isnan(before)]
    if len(before) < 3:
        return f"all events share one date, and the estimation window has {len(before)} sessions with residuals"
    spread = float(before.std(ddof=1))
    if spread <= 0.0:
        return "all events share one date, and their portfolio has no variance in the estimation window"
    return float(series.mean() * np.sqrt(len(series)) / spread), len(before) - 1.0, n


def cluster_variance(deviation: FloatArray, group: IntArray) -> tuple[float, int]:
    """Variance of a mean that allows for any correlation inside groups, ``G/(G−1) Σ_g (Σ u)²/N²``, and ``G``.

    Parameters
    ----------
    deviation : ndarray of float64, shape (n,)
        Values less their mean.
    group : ndarray of int64, shape (n,)
        Non-negative group of each.
    """
    size = np.bincount(group)
    total = np.bincount(group, weights=deviation)
    n_groups = int((size > 0).sum())
    scale = n_groups / (n_groups - 1.0) if n_groups > 1 else np.nan
    return float(scale * (total**2).sum() / len(deviation) ** 2), n_groups


@register(
    "cluster_t",
    null="mean CAR = 0",
    valid_under_clustering=True,
    source="Ibragimov & Müller 2010; Cameron, Gelbach & Miller 2011",
)
def cluster_t(sample: TestSample) -> Outcome:
    """Student t of the mean CAR with standard errors clustered by event date, on ``G − 1`` degrees of freedom.

    With 20 dates or more, the sandwich ``G/(G−1) Σ_g (Σ (CAR − CAAR))²/N²``. Where dates and securities both repeat,
    and there are 20 securities or more, clusters go both ways, ``V_date + V_security − V_event``, and ``G`` is the
    smaller number. With fewer dates the sandwich is too small, and the test is Ibragimov and Müller's: the ordinary t
    of the ``G`` dates' mean CARs, whose null is that their (unweighted) mean is zero. Robust to any correlation among
    events of one date and to variance that the event raises; not to that between windows of neighbouring dates that
    overlap. Events (dates, if there are few) are weighted equally.

    References
    ----------
    Ibragimov, R. and Müller, U. K. (2010). t-statistic based correlation and heterogeneity robust inference. *Journal
    of Business & Economic Statistics* 28.
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2011). Robust inference with multiway clustering. *Journal of
    Business & Economic Statistics* 29.
    """
    if sample.position is None:
        return "the dates of the events were not given"
    there = ~np.isnan(sample.car)
    x, date = sample.car[there], sample.position[there]
    n = len(x)
    if n == 0:
        return "no event has a CAR"
    deviation = x - x.mean()
    by_date, n_dates = cluster_variance(deviation, date)
    if n_dates < 2:
        return "all events share one date, and one cluster has no spread"
    if n_dates < _FEW:
        size = np.bincount(date)
        means = np.bincount(date, weights=x)[size > 0] / size[size > 0]
        found = mean_t(means, None, "dates' mean CARs")
        if isinstance(found, tuple):
            return found[0], found[1], n
        return f"the mean CARs of all {n_dates} dates are equal"
    variance, groups = by_date, n_dates
    if sample.security is not None and n_dates < n:
        by_security, n_securities = cluster_variance(deviation, sample.security[there])
        if _FEW <= n_securities < n:
            # no security has two events on one date, so that dates and securities meet in single events
            variance = by_date + by_security - float((deviation**2).sum() / (n * (n - 1.0)))
            groups = min(n_dates, n_securities)
    if variance <= (1e-12 * np.abs(x).max()) ** 2:
        return f"clustered by date and security, the variance of the mean of {n} CARs is not positive"
    return float(x.mean() / np.sqrt(variance)), groups - 1.0, n
