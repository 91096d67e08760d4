"""Placebo tests: the same statistic on pseudo-dates away from the event, all securities moved together.

Every event is moved by the same number of sessions, over all places that leave its window of ``L`` sessions
inside the estimation window. Securities that were hit on one date stay together, so whatever correlates them is in the
reference distribution as it is in the statistic; nothing is assumed normal, and no correlation is estimated.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.inference.pseudo_windows import Moves, Rows, pseudo_windows
from eventstudy.inference.resampling import as_many, at_least, check_level, resampling_p
from eventstudy.kernels import Engine

__all__ = ["Placebo", "PlaceboStatistic", "StepDown", "placebo", "romano_wolf"]

PlaceboStatistic: TypeAlias = Literal["bmp", "mean_scar", "mean_car"]

_COVERAGE = 0.5  # share of the events that a pseudo-window must have


@dataclass(frozen=True, slots=True)
class Placebo:
    """Outcome of a placebo test.

    Parameters
    ----------
    statistic, p_value : float
        Two-sided, ``(1 + #)/(1 + n)``; NaN with the ``reason`` where there is none.
    n : int
        Security-events used.
    length : int
        Sessions of the windows.
    form : {"bmp", "mean_scar", "mean_car"}
        Which statistic.
    first : ndarray of int64, shape (n_windows,)
        Column of the estimation window at which each pseudo-window starts; the latest comes last.
    distribution : ndarray of float64, shape (n_windows,)
        Statistic on each; NaN where fewer than half of the events have a CAR, or it is not defined.
    n_placebo : int
        Pseudo-windows with a statistic.
    n_disjoint : int
        How many windows of this length fit side by side: the number of independent ones, which bounds what can be
        learned. ``n_placebo`` is larger where windows overlap.
    ci_lower, ci_upper : float
        Interval of the mean CAR (decimal) by inversion of the test, NaN with the ``ci_reason`` where there is none.
    reason, ci_reason : str
        Why there is no statistic, or no interval; empty where there is one.
    """

    statistic: float
    p_value: float
    n: int
    length: int
    form: PlaceboStatistic
    first: IntArray = field(repr=False)
    distribution: FloatArray = field(repr=False)
    n_placebo: int
    n_disjoint: int
    ci_lower: float
    ci_upper: float
    reason: str = ""
    ci_reason: str = ""


@dataclass(frozen=True, slots=True)
class StepDown:
    """Placebo p-values of many events, one at a time.

    Parameters
    ----------
    p_value : ndarray of float64, shape (n,)
        Rank of each event's ``|SCAR|`` among its own pseudo-windows; NaN for an event without a CAR.
    p_adjusted : ndarray of float64, shape (n,)
        Romano–Wolf step-down: controls the chance of any false rejection among all events.
    n_placebo : ndarray of int64, shape (n,)
        Own pseudo-windows of each event.
    reason : str
        Why there are no p-values at all; empty where there are.
    """

    p_value: FloatArray
    p_adjusted: FloatArray
    n_placebo: IntArray
    reason: str = ""


def _vectors(car: FloatArray, **others: FloatArray | None) -> tuple[FloatArray, ...]:
    """Float vectors of the same length as ``car``; ones for None."""
    car = np.asarray(car, dtype=np.float64)
    made = [car]
    for name, value in others.items():
        vector = np.ones(car.shape) if value is None else np.asarray(value, dtype=np.float64)
        if car.ndim != 1 or vector.shape != car.shape:
            raise InputError(
                f"{name} has shape {vector.shape}, car has {car.shape}.", remedy="Give one number per event."
            )
        made.append(vector)
    return tuple(made)


def placebo(
    residuals: Rows,
    car: FloatArray,
    std_error: FloatArray,
    dof: FloatArray,
    length: int,
    *,
    statistic: PlaceboStatistic = "bmp",
    scale: Rows | None = None,
    weights: FloatArray | None = None,
    moves: Moves = "all",
    reference: Placebo | None = None,
    hole: tuple[int, int] | None = None,
    confidence: float = 0.95,
    progress: bool | None = None,
    engine: Engine = "auto",
) -> Placebo:
    """Placebo test of the mean (standardised) CAR across security-events.

    Null: the event window is like any other of its length, no effect on any event. Statistic: by default the BMP form,
    ``mean(SCAR) √N / sd(SCAR)``; ``"mean_scar"`` and ``"mean_car"`` leave out the spread of the cross-section. Law:
    the statistic's own, over all pseudo-windows inside the estimation windows, every event moved by the same number of
    sessions. Robust to cross-correlation of any form, shared dates, fat tails and skewness; the BMP form also to a
    variance that the event raises by one factor for all. Not robust to a variance or dependence of the event window
    that differs from the estimation window's in other ways, nor to trends. ``"mean_car"`` is not robust to raised
    variance.

    Parameters
    ----------
    residuals : callable
        Rows of events to their estimation-window residuals, shape (len, L1), NaN where missing.
    car, std_error, dof : ndarray of float64, shape (n,)
        CAR of the event window (NaN: the event does not count), its forecast standard error, ``M − K``.
    length : int
        Sessions of the event window, ``L``.
    statistic : {"bmp", "mean_scar", "mean_car"}
        What is compared. One event alone has no spread: ask for ``"mean_scar"``.
    scale : callable, optional
        Exact variance multipliers of in-sample CARs, from :func:`in_sample_scale`. Without it their average over
        windows is used, ``L − (L² + (K−1)L)/M`` with a constant: exact for models with nothing but a constant or
        nothing at all, off by ``O(1/M)`` on days on which a regressor is extreme.
    weights : ndarray of float64, shape (n,), optional
        Weights of the events in the mean, positive.
    moves : {"all", "disjoint"}
        Every pseudo-window, or only those that do not overlap, counted back from the end of the estimation window.
    reference : Placebo, optional
        Outcome for another window of this length, with the same events, weights and moves: its distribution is used
        again, and residuals are not read. Not for ``"mean_car"``, whose distribution is on the scale of the window.
    hole : tuple of int, optional
        First and last column between the halves of a two-sided estimation window; no pseudo-window reaches into it.
    confidence : float
        Level of the interval.
    progress : bool, optional
        Whether to show a progress bar; by default only at a terminal.
    engine : {"auto", "compiled", "numpy"}
        Which form of the kernels runs.

    Returns
    -------
    Placebo

    Notes
    -----
    SCARs of pseudo-windows are studentised with the window's own sum left out of the variance, which is the t of a
    dummy for that window in the event's regression: with normal errors exactly Student t with ``M − K − 1`` degrees of
    freedom, as the event's is with ``M − K``. An outlier in the estimation window counts in full, as it would have
    on an event day. A CAR with a missing session is missing; a pseudo-window counts if half of the events have one.

    Overlapping windows (``L > 1``) are not independent: the distribution is still that of the statistic, but as
    uncertain as one of ``n_disjoint`` draws. p cannot be below ``1/(1 + n_placebo)``.

    Chernozhukov, Wüthrich and Zhu fit the model on all sessions under the null, for which moving blocks are exact
    under exchangeable errors; here it is fitted outside the event window, as an event study does, and the difference
    in scale is taken out exactly.

    The interval holds every effect μ, the same for all events, that the test does not reject when it is subtracted
    from the CARs.

    References
    ----------
    Chernozhukov, V., Wüthrich, K. and Zhu, Y. (2021). An exact and robust conformal inference method for
    counterfactual and synthetic controls. *Journal of the American Statistical Association* 116.
    Fisher, R. A. (1935). *The Design of Experiments*.
    Boehmer, E., Musumeci, J. and Poulsen, A. B. (1991). Event-study methodology under conditions of event-induced
    variance. *Journal of Financial Economics* 30.

    Examples
    --------
    >>> e = np.random.default_rng(0).normal(size=(6, 99))
    >>> found = placebo(lambda rows: e[rows], np.full(6, 3.0), np.ones(6), np.full(6, 97.0), 1, statistic="mean_scar")
    >>> found.statistic, found.p_value, found.n_placebo
    (3.0, 0.01, 99)
    """
    if statistic not in get_args(PlaceboStatistic):
        raise InputError(
            f"statistic={statistic!r} is not an option.", remedy=f"Use one of {get_args(PlaceboStatistic)}."
        )
    length, level = as_many("length", length, 1), check_level(confidence)
    car, std_error, dof, w = _vectors(car, std_error=std_error, dof=dof, weights=weights)
    there = _usable(car, std_error)
    if not (w[there] > 0).all() or not np.isfinite(w[there]).all():
        raise InputError("weights must be positive and finite.", remedy="Leave out events that are not to count.")
    n = len(there)
    none = functools.partial(_no_placebo, n, length, statistic)
    if not n:
        return none("no event has a CAR")
    x = (car if statistic == "mean_car" else car / std_error)[there]
    observed = _observed(x, w[there], statistic)
    if isinstance(observed, str):
        return none(observed)
    if reference is not None and len(reference.first):
        if (reference.n, reference.length, reference.form) != (n, length, statistic) or statistic == "mean_car":
            raise InputError(
                f"reference is {reference.form} of {reference.n} events over {reference.length} sessions; "
                f"{statistic} of {n} over {length} was asked for.",
                remedy='Use one of the same kind, not of "mean_car", or leave it out.',
            )
        first, distribution = reference.first, reference.distribution
    else:
        studentised = statistic != "mean_car"
        cut = pseudo_windows(residuals, scale, there, std_error, dof, length, moves, studentised, engine, hole)
        if isinstance(cut, str):
            return none(cut)
        sums = np.zeros((6, len(cut.columns)))
        for part, values in cut.values(progress, "placebo"):
            _add_moments(values, w[there][part], sums, cut.compiled)
        first, distribution = cut.columns, _statistics(sums, statistic, n)
    known = distribution[~np.isnan(distribution)]
    if not len(known):
        return none("no pseudo-window has a CAR for half of the events")
    lower, upper, ci_reason = _inverted(car[there], std_error[there], w[there], statistic, known, level)
    disjoint = _side_by_side(first[~np.isnan(distribution)], length)
    p = resampling_p(at_least(known, observed), len(known))
    return Placebo(
        observed, p, n, length, statistic, first, distribution, len(known), disjoint, lower, upper, ci_reason=ci_reason
    )


def _side_by_side(first: IntArray, length: int) -> int:
    """How many of the windows that start at ``first``, ascending, can be laid without overlap."""
    count, free = 0, -1
    for start in first.tolist():
        if start >= free:
            count, free = count + 1, start + length
    return count


def _usable(car: FloatArray, std_error: FloatArray) -> IntArray:
    return np.flatnonzero(np.isfinite(car) & (std_error > 0))


def _no_placebo(n: int, length: int, form: PlaceboStatistic, reason: str) -> Placebo:
    nan = float("nan")
    return Placebo(nan, nan, n, length, form, np.empty(0, np.int64), np.empty(0), 0, 0, nan, nan, reason, reason)


def _observed(x: FloatArray, w: FloatArray, statistic: PlaceboStatistic) -> float | str:
    mean = float(np.average(x, weights=w))
    if statistic != "bmp":
        return mean
    n = len(x)
    if n < 2:
        return (
            'one event has no spread across events; ask for statistic="mean_scar" or the placebo p-value of the event'
        )
    error = float(np.sqrt(n / (n - 1) * np.sum((w * (x - mean)) ** 2)) / w.sum())
    if error <= 1e-12 * np.abs(x).max():
        return f"the SCARs of all {n} events are equal, so there is no cross-sectional variance"
    return mean / error


def _add_moments(values: FloatArray, weight: FloatArray, sums: FloatArray, compiled: Any) -> None:
    if compiled is not None:
        compiled.add_moments(values, weight, sums)
        return
    ok = ~np.isnan(values)
    x, w = np.where(ok, values, 0.0), weight[:, None]
    terms = (ok * 1.0, w * ok, w**2 * ok, w * x, w**2 * x, w**2 * x * x)
    for total, term in zip(sums, terms, strict=True):
        # one event after another, whatever the chunk
        total[:] = np.add.reduce(np.concatenate([total[None], term]), axis=0)


def _statistics(sums: FloatArray, statistic: PlaceboStatistic, n: int) -> FloatArray:
    """Statistic of every pseudo-window from the sums over events."""
    count, w, ww, wx, wwx, wwxx = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = wx / w
        if statistic == "bmp":
            square = wwxx - 2 * mean * wwx + mean**2 * ww
            square = np.where(square > 1e-12 * wwxx, square, np.nan)
            value = mean * w / np.sqrt(count / (count - 1) * square)
        else:
            value = mean
    return np.where(count >= max(_COVERAGE * n, 2 if statistic == "bmp" else 1), value, np.nan)


def _inverted(
    car: FloatArray,
    std_error: FloatArray,
    w: FloatArray,
    statistic: PlaceboStatistic,
    reference: FloatArray,
    confidence: float,
) -> tuple[float, float, str]:
    """All μ for which the statistic of ``car − μ`` does not exceed the critical value; or why they are no interval."""
    n_placebo = len(reference)
    # p(μ) > α as long as this many of |reference| reach |statistic(μ)|
    need = int(np.floor((1.0 - confidence) * (n_placebo + 1) + 1e-9))
    nan = float("nan")
    if need < 1:
        return nan, nan, f"{n_placebo} pseudo-windows are too few for a level of {confidence:g}"
    critical = float(np.sort(np.abs(reference))[-need])
    share = w / w.sum()
    if statistic == "mean_car":
        mean = float(share @ car)
        return mean - critical, mean + critical, ""
    scar, unit = car / std_error, 1.0 / std_error
    a, b = float(share @ scar), float(share @ unit)
    if statistic == "mean_scar":
        return (a - critical) / b, (a + critical) / b, ""
    # Fieller: (a − μ b)² ≤ c² · squared error of the weighted mean of (scar − μ unit), a quadratic in μ
    n = len(car)
    d, u = share * (scar - a), share * (unit - b)
    c = critical**2 * n / (n - 1)
    q2, q1, q0 = b * b - c * float(u @ u), a * b - c * float(d @ u), a * a - c * float(d @ d)
    if q2 <= 0.0:
        return nan, nan, "the standard errors differ so much that the values the test accepts are not bounded"
    root = float(np.sqrt(max(q1 * q1 - q2 * q0, 0.0)))
    return (q1 - root) / q2, (q1 + root) / q2, ""


def romano_wolf(
    residuals: Rows,
    car: FloatArray,
    std_error: FloatArray,
    dof: FloatArray,
    length: int,
    *,
    scale: Rows | None = None,
    moves: Moves = "all",
    hole: tuple[int, int] | None = None,
    progress: bool | None = None,
    engine: Engine = "auto",
) -> StepDown:
    """Placebo p-value of every security-event, alone and adjusted for all of them.

    Null of each: its CAR is like that of any other window of its length. Statistic: ``|SCAR|``. Law: for one event
    alone, over its own pseudo-windows; for all, the largest ``|SCAR|`` over the events not yet rejected, by
    pseudo-window. The adjusted values control the chance of any false rejection, whatever the dependence between
    events, and use that dependence: they are below Holm's where events move together and have like tails. An event
    with much fatter tails than the rest (earnings days in its estimation window) raises the bar for all. Robust to
    cross-correlation and fat tails; not to a variance that the event raises.

    Parameters are those of :func:`placebo`. Memory is that of one chunk of events, never of all pairs.

    Returns
    -------
    StepDown

    Notes
    -----
    From the smallest ``|SCAR|`` to the largest, a running maximum by pseudo-window gives each step's distribution in
    one pass; then a larger ``|SCAR|`` never has the smaller p. Only pseudo-windows that half of the events have are
    used; in the others the largest of few would stand for the largest of all.

    References
    ----------
    Romano, J. P. and Wolf, M. (2005). Exact and approximate stepdown methods for multiple hypothesis testing.
    *Journal of the American Statistical Association* 100.
    Romano, J. P. and Wolf, M. (2016). Efficient computation of adjusted p-values for resampling-based stepdown
    multiple testing. *Statistics & Probability Letters* 113.

    Examples
    --------
    >>> e = np.random.default_rng(0).normal(size=(3, 99))
    >>> found = romano_wolf(lambda rows: e[rows], np.array([5.0, 0.1, -2.2]), np.ones(3), np.full(3, 97.0), 1)
    >>> found.p_value.round(2).tolist(), found.p_adjusted.round(2).tolist()
    ([0.01, 0.91, 0.06], [0.01, 0.91, 0.09])
    """
    length = as_many("length", length, 1)
    car, std_error, dof = _vectors(car, std_error=std_error, dof=dof)
    p_value, p_adjusted = np.full(len(car), np.nan), np.full(len(car), np.nan)
    n_placebo = np.zeros(len(car), np.int64)
    there = _usable(car, std_error)
    size = np.abs(car[there] / std_error[there])
    rising = there[np.argsort(size, kind="stable")]
    cut = pseudo_windows(residuals, scale, rising, std_error, dof, length, moves, True, engine, hole)
    if isinstance(cut, str):
        return StepDown(p_value, p_adjusted, n_placebo, cut)
    held = np.zeros(len(cut.columns))
    for _, values in cut.values(progress, "placebo: coverage"):
        held += (~np.isnan(values)).sum(0)
    common = held >= _COVERAGE * len(rising)
    bar = np.sort(size) * (1.0 - 1e-9)
    largest = np.full(int(common.sum()), -1.0)
    counts = np.zeros((4, len(rising)), np.int64)  # own: reached, of; joint: reached, of
    for part, values in cut.values(progress, "placebo: step-down"):
        kept = values if common.all() else np.ascontiguousarray(values[:, common])
        _count_exceeding(kept, bar[part], largest, counts[:, part], cut.compiled)
    own, own_n, joint, joint_n = counts
    p_value[rising] = np.where(own_n > 0, (1.0 + own) / (1.0 + own_n), np.nan)
    stepped = (1.0 + joint) / (1.0 + joint_n)
    stepped[::-1] = np.maximum.accumulate(stepped[::-1])
    p_adjusted[rising] = np.where(own_n > 0, stepped, np.nan)
    n_placebo[rising] = own_n
    reason = "" if own_n.any() else "no pseudo-window has a CAR for half of the events"
    return StepDown(p_value, p_adjusted, n_placebo, reason)


def _count_exceeding(values: FloatArray, bar: FloatArray, largest: FloatArray, counts: IntArray, compiled: Any) -> None:
    if compiled is not None:
        compiled.count_exceeding(values, bar, largest, *counts)
        return
    size = np.abs(values)
    running = np.fmax.accumulate(np.concatenate([largest[None], size]), axis=0)
    largest[:] = running[-1]
    counts[0] = (size >= bar[:, None]).sum(1)
    counts[1] = (~np.isnan(size)).sum(1)
    counts[2] = (running[1:] >= bar[:, None]).sum(1)
    counts[3] = (running[1:] >= 0).sum(1)
