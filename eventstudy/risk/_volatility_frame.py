"""Table of volatility before and after the events of a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError, InsufficientDataError
from eventstudy.inference.resampling import Seed
from eventstudy.models.arrays import windows_of
from eventstudy.risk._bars import BarsLike, range_values
from eventstudy.risk._windows import CHUNK, abnormal_path, log_returns
from eventstudy.risk.ranges import ESTIMATORS, EstimatorName, RangeEstimator, annualized
from eventstudy.risk.volatility import brown_forsythe, log_variance_ratio, placebo_ratios, variance_f, welch_t
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["volatility_frame"]

_LEAST = 5  # usable sessions below which a window has no volatility


def volatility_frame(
    res: EventStudyResults,
    first: Window,
    last: Window,
    *,
    estimator: EstimatorName,
    prices: BarsLike | None,
    abnormal: bool,
    annualize: float | None,
    draws: int,
    block: int | None,
    level: float,
    seed: Seed,
) -> pd.DataFrame:
    """Table of :meth:`eventstudy.risk.Risk.volatility`."""
    index = res.fit.index
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator={estimator!r} is not an option.", remedy=f"Use one of {list(ESTIMATORS)}.")
    if abnormal and estimator != "close":
        raise InputError(
            f"Bars of abnormal prices do not exist, so that estimator={estimator!r} has none.",
            remedy='Use estimator="close" with abnormal=True.',
        )
    how = ESTIMATORS[estimator]
    read = _reader(res, how, prices, abnormal)
    rows = np.arange(len(index))
    x = [read(window, rows) for window in (first, last)]
    n = [(~np.isnan(values[0])).sum(1) for values in x]
    enough = (n[0] >= _LEAST) & (n[1] >= _LEAST)
    if not enough.any():
        raise InsufficientDataError(
            f"No event has {_LEAST} usable sessions in both windows (at most {n[0].max()} in {first}, "
            f"{n[1].max()} in {last}); the panel ends on {res.study.returns.sessions[-1]:%Y-%m-%d}.",
            remedy="Load more prices, or choose other windows.",
        )
    x = [np.where(enough[:, None], values, np.nan) for values in x]
    added = [how.contributions(values) for values in x]
    variance = [how.variance(values) for values in x]
    found = log_variance_ratio(*added, draws=draws, block=block, confidence=level, seed=seed)
    columns: dict[str, Any] = {
        "volatility_before": annualized(variance[0], annualize),
        "volatility_after": annualized(variance[1], annualize),
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        columns["ratio"] = np.where(variance[0] > 0, np.sqrt(variance[1] / variance[0]), np.nan)
    columns |= {"n_before": n[0], "n_after": n[1], "log_variance_ratio": found.estimate}
    columns |= {"ci_lower": found.ci_lower, "ci_upper": found.ci_upper}
    if estimator == "close":
        columns["f"], columns["p_f"] = variance_f(x[0][0], x[1][0])
        columns["brown_forsythe"], columns["p_brown_forsythe"] = brown_forsythe(x[0][0], x[1][0])
    else:
        ranges = [_log_range(res, prices, window, enough) for window in (first, last)]
        columns["log_range_t"], columns["p_log_range"] = welch_t(*ranges)
    history = Window(-int(index.position.max()), min(index.event.start, last.start) - 1)
    lengths = (len(first), last.start - first.end - 1, len(last))
    p_value, n_placebo = np.empty(len(index)), np.empty(len(index), np.int64)
    for start in range(0, len(index), CHUNK):
        part = rows[start : start + CHUNK]
        past = read(history, part)
        p_value[part], n_placebo[part] = placebo_ratios(how, past, lengths, found.estimate[part])
    columns |= {"p_placebo": p_value, "n_placebo": n_placebo}
    columns["reason"] = [
        "" if good else f"{a} and {b} usable sessions, fewer than {_LEAST}"
        for good, a, b in zip(enough, *n, strict=True)
    ]
    return res._identity.assign(**columns)


def _reader(
    res: EventStudyResults, how: RangeEstimator, prices: BarsLike | None, abnormal: bool
) -> Callable[[Window, IntArray], FloatArray]:
    """Window and rows of events to values of shape (q, len, L)."""
    fit, panel = res.fit, res.study.returns
    index = fit.index
    if abnormal:
        return lambda window, rows: abnormal_path(fit, window, rows, strict=window.end >= index.event.start)[None]
    securities, place = np.unique(index.security, return_inverse=True)
    if how.name == "close":
        values = log_returns(panel.values[securities], panel.kind)[None]
    else:
        values = range_values(panel, [str(panel.tickers[row]) for row in securities], prices, how)

    def read(window: Window, rows: IntArray) -> FloatArray:
        return np.stack([windows_of(one, index.position[rows], window, place[rows]) for one in values])

    return read


def _log_range(res: EventStudyResults, prices: BarsLike | None, window: Window, enough: BoolArray) -> FloatArray:
    """Logarithm of the daily range, shape (n, L); a session without a range has none."""
    read = _reader(res, ESTIMATORS["parkinson"], prices, False)
    square = read(window, np.arange(len(res.fit.index)))[0]
    with np.errstate(divide="ignore"):
        logs = 0.5 * np.log(square)
    return np.where(np.isfinite(logs) & enough[:, None], logs, np.nan)
