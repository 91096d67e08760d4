"""Returns and abnormal returns of events over any window, inside the event window or beyond it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from eventstudy._typing import FloatArray, IntArray, ReturnKind
from eventstudy.errors import WindowError
from eventstudy.kernels import estimation_residuals
from eventstudy.models.base import ModelFit
from eventstudy.models.linear import LinearFit
from eventstudy.windows import Window, WindowLike

__all__ = ["CHUNK", "abnormal_path", "log_returns", "two_windows"]

CHUNK = 2_000  # events taken at a time


def two_windows(before: WindowLike, after: WindowLike) -> tuple[Window, Window]:
    """The two windows of a comparison.

    Raises
    ------
    WindowError
        If ``before`` does not end before ``after`` starts.
    """
    first, last = Window.of(before), Window.of(after)
    if first.end >= last.start:
        raise WindowError(
            f"before={first} must end before after={last} starts.",
            remedy=f"End it at {last.start - 1} or earlier.",
        )
    return first, last


def log_returns(returns: FloatArray, kind: ReturnKind) -> FloatArray:
    """Logarithmic returns; a return of −100 % has none."""
    if kind == "log":
        return returns
    with np.errstate(divide="ignore"):
        logs = np.log1p(returns)
    return np.where(np.isfinite(logs), logs, np.nan)


def abnormal_path(fit: ModelFit, window: Window, rows: IntArray | None = None, *, strict: bool = True) -> FloatArray:
    """Abnormal returns of each event over any window, shape (n, L), NaN where missing.

    Inside the estimation window these are residuals, and sessions that the study keeps out of it are missing. Beyond
    both windows only a linear model has them: what it expects there is its fitted line.

    Parameters
    ----------
    fit : ModelFit
        The fits.
    window : Window
        Sessions.
    rows : ndarray of int64, optional
        Some of the events only.
    strict : bool
        Whether another model that is asked for sessions outside both windows is an error, rather than NaN there.

    Raises
    ------
    WindowError
        If ``strict`` and so asked.
    """
    at = np.arange(len(fit.index)) if rows is None else rows
    index = fit.index.take(at)
    out = np.full((len(at), len(window)), np.nan)
    inside = Window(max(window.start, index.estimation.start), max(window.start, min(window.end, index.estimation.end)))
    shared = inside.start <= inside.end and inside in index.estimation and inside in window
    if isinstance(fit, LinearFit):
        part = cast(Any, fit.take(at))
        span = (window.start, window.end)
        out = estimation_residuals(part.panel_values, part.design, part.coef, index.security, index.position, span)
        mask = index.estimation_mask()
        if shared and mask is not None:
            hole = np.isin(inside.tau, () if index.hole is None else index.hole.tau)
            kept = mask[:, index.estimation.columns(inside)] | hole
            columns = window.columns(inside)
            out[:, columns] = np.where(kept, out[:, columns], np.nan)
        return out
    known = np.isin(window.tau, np.concatenate([index.estimation.tau, index.event.tau]))
    if strict and not known.all():
        raise WindowError(
            f"Window {window} has the session {window.tau[~known][0]:+d}, of which this model has no abnormal return; "
            f"it has the estimation window {index.words} and the event window {index.event}.",
            remedy="Stay inside these, or use a linear model such as MarketModel.",
        )
    if shared:
        out[:, window.columns(inside)] = fit.residuals(at)[:, index.estimation.columns(inside)]
    here = np.isin(window.tau, index.event.tau)
    out[:, here] = fit.ar[at][:, window.tau[here] - index.event.start]
    return out
