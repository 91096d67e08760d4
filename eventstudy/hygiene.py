"""What is kept out of estimation windows: named dates, windows of other events, outliers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeAlias

import numpy as np
from scipy import special

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import chunks
from eventstudy.models.arrays import ArrayFit, windows_of
from eventstudy.models.base import ModelFit
from eventstudy.models.linear import LinearFit
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex, Window

__all__ = [
    "Exclude",
    "Excluded",
    "check_outliers",
    "excluded_returns",
    "named_sessions",
    "outlying",
    "rescaled",
    "trimmed_share",
    "usable_cells",
]

Day: TypeAlias = str | date | np.datetime64
Days: TypeAlias = Day | Sequence[Day | tuple[Day, Day]]
Exclude: TypeAlias = Days | Mapping[str, Days]
"""Dates and ranges of dates, for all securities or by ticker."""

_MAD = 1.4826022185056018  # of a normal variable, its standard deviation over its median absolute deviation
_LEAST = 2.0  # robust standard deviations: fewer would cut into ordinary days
_CHUNK = 4_096  # events whose residuals are held at a time: 8 MB at 250 sessions
_SHOWN = 5  # dates named in an error


@dataclass(frozen=True, slots=True)
class Excluded:
    """A run of sessions that no estimation window may use.

    Parameters
    ----------
    ticker : str or None
        The security; None for all.
    start, end : str
        Dates as given, ISO 8601; equal for a single date.
    columns : slice
        Columns of the panel.
    """

    ticker: str | None
    start: str
    end: str
    columns: slice


def named_sessions(exclude: Exclude | None, panel: ReturnPanel, benchmarks: Sequence[str] = ()) -> tuple[Excluded, ...]:
    """Sessions of the panel that ``exclude`` names.

    Parameters
    ----------
    exclude : date, sequence of dates and (start, end) ranges, mapping from ticker to these, or None
        Both ends of a range are inclusive.
    panel : ReturnPanel
        The returns.
    benchmarks : sequence of str
        Securities that are regressors: their sessions are not the ones to name.

    Raises
    ------
    InputError
        If a date is unreadable or no session of the panel, a range is reversed or holds no session, or a ticker is
        unknown or a benchmark; the first ones are named.
    """
    if exclude is None:
        return ()
    if not isinstance(exclude, Mapping):
        return _runs(exclude, panel, None)
    found: list[Excluded] = []
    for ticker, days in exclude.items():
        panel.row(ticker)
        if ticker in benchmarks:
            raise InputError(
                f"exclude names sessions of {ticker}, which is a benchmark of the model.",
                remedy="Name the securities of the events, or give dates for all: exclude=[...].",
                ticker=ticker,
            )
        found += _runs(days, panel, ticker)
    return tuple(found)


def _runs(days: Days, panel: ReturnPanel, ticker: str | None) -> tuple[Excluded, ...]:
    if isinstance(days, tuple) and len(days) == 2 and all(isinstance(day, str | date | np.datetime64) for day in days):
        raise InputError(
            f"exclude={days!r} may be two dates or a range.",
            remedy=f"Write [{days[0]!r}, {days[1]!r}] for the two dates, [({days[0]!r}, {days[1]!r})] for the range.",
        )
    items: Iterable[Any] = [days] if isinstance(days, str | date | np.datetime64) else days
    try:
        items = list(items)
    except TypeError:
        raise InputError(
            f"exclude={days!r} is not a list of dates.", remedy='Such as exclude=["2025-01-27"].'
        ) from None
    found, lost = [], []
    for item in items:
        single = isinstance(item, str | date | np.datetime64)
        ends = (item, item) if single else tuple(item) if isinstance(item, list | tuple) else (item,)
        if len(ends) != 2:
            raise InputError(
                f"exclude holds {item!r}, which is neither a date nor a pair of dates.",
                remedy='Such as exclude=["2025-01-27", ("2024-12-20", "2025-01-03")].',
            )
        columns = panel.columns_of(*ends)
        start, end = (str(day) if isinstance(day, str | np.datetime64) else day.isoformat() for day in ends)
        if columns.start >= columns.stop:
            lost.append(start if single else f"{start} to {end}")
        found.append(Excluded(ticker, start, end, columns))
    if lost:
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise InputError(
            f"exclude names {', '.join(lost[:_SHOWN])}{more}{f' for {ticker}' if ticker else ''}: no session of the "
            f"returns, which run from {panel.label(0)} to {panel.label(-1)}.",
            remedy="Correct the dates; a range may reach beyond the data, if it holds one session.",
            dates=lost,
        )
    return tuple(found)


def usable_cells(
    panel: ReturnPanel, excluded: Sequence[Excluded], row: IntArray, position: IntArray, others: Window | None
) -> BoolArray | None:
    """Cells of the panel that estimation windows may use, shape (n_securities, n_sessions); None for all.

    Parameters
    ----------
    panel : ReturnPanel
        The returns.
    excluded : sequence of Excluded
        Sessions named.
    row, position : ndarray of int64, shape (n,)
        Security and session of every event, whether or not it can be used; −1 where it has none.
    others : Window or None
        Sessions around each event that other events of the security may not use.
    """
    if not excluded and others is None:
        return None
    cells = np.ones((panel.n_securities, panel.n_sessions), dtype=bool)
    for run in excluded:
        cells[slice(None) if run.ticker is None else panel.row(run.ticker), run.columns] = False
    if others is not None:
        known = (row >= 0) & (position >= 0)
        where, at = row[known], position[known]
        for tau in others.tau.tolist():
            inside = (at + tau >= 0) & (at + tau < panel.n_sessions)
            cells[where[inside], at[inside] + tau] = False
    return cells


def excluded_returns(values: FloatArray, index: EventIndex) -> IntArray:
    """Returns that were kept out of each estimation window, the hole of a two-sided one not counted; shape (n,)."""
    count = np.zeros(len(index), np.int64)
    if index.usable is None and index.trimmed is None:
        return count
    for part in chunks(len(index), _CHUNK):
        some = index.take(part)
        keep = some.estimation_mask()
        assert keep is not None
        out = ~keep & ~np.isnan(windows_of(values, some.position, some.estimation, some.security))
        if some.hole is not None:
            out[:, some.estimation.columns(some.hole)] = False
        count[part] = out.sum(1)
    return count


def check_outliers(outliers: object) -> float | None:
    """Number of robust standard deviations, or None.

    Raises
    ------
    InputError
        If it is no number from 2 on.
    """
    if outliers is None:
        return None
    good = isinstance(outliers, int | float | np.integer | np.floating) and not isinstance(outliers, bool)
    if not good or not _LEAST <= float(outliers) < np.inf:  # type: ignore[arg-type]
        raise InputError(
            f"outliers={outliers!r} is not a number of robust standard deviations from {_LEAST:g} on.",
            remedy="Such as outliers=5. For winsorised returns use RobustMarketModel.",
        )
    return float(outliers)  # type: ignore[arg-type]


def outlying(fit: ModelFit, limit: float) -> BoolArray:
    """Sessions whose residual lies further from the event's median residual than ``limit`` robust deviations.

    The robust standard deviation is 1.4826 times the median absolute deviation, which half of the residuals may be
    outliers without moving far. An event whose deviation is zero has no outliers.

    Parameters
    ----------
    fit : ModelFit
        Fits of ``n`` events on all sessions.
    limit : float
        Robust standard deviations.

    Returns
    -------
    ndarray of bool, shape (n, L1)

    References
    ----------
    Hampel, F. R. (1974). The influence curve and its role in robust estimation. *Journal of the American Statistical
    Association* 69.
    """
    n = len(fit.index)
    out = np.zeros((n, len(fit.index.estimation)), dtype=bool)
    for part in chunks(n, _CHUNK):
        e = fit.residuals(np.arange(part.start, part.stop))
        away = np.abs(e - _median(e)[:, None])
        bar = limit * _MAD * _median(away)
        with np.errstate(invalid="ignore"):
            out[part] = (away > bar[:, None]) & (bar > 0.0)[:, None]
    return out


def _median(values: FloatArray) -> FloatArray:
    """Median of each row without NaN; NaN of none."""
    ordered = np.sort(values, axis=1)  # NaN last
    m = (~np.isnan(values)).sum(1)
    row, middle = np.arange(len(values)), np.maximum(m, 1)
    return np.asarray(0.5 * (ordered[row, (middle - 1) // 2] + ordered[row, middle // 2]))


def trimmed_share(limit: float) -> float:
    """Variance of a normal variable of unit variance that is cut off at ``±limit``.

    Examples
    --------
    >>> round(trimmed_share(3.0), 4), round(trimmed_share(5.0), 6)
    (0.9733, 0.999985)
    """
    density = np.exp(-0.5 * limit**2) / np.sqrt(2.0 * np.pi)
    return float(1.0 - 2.0 * limit * density / (1.0 - 2.0 * special.ndtr(-limit)))


def rescaled(fit: ModelFit, limit: float) -> ModelFit:
    """Fit without outliers, its residual variance made consistent for normal errors.

    What is left after cutting at ``±limit`` varies less than the whole, by :func:`trimmed_share` if it is normal;
    ``sigma2`` is divided by that.

    Raises
    ------
    InputError
        If the fits are of a class of the user's own, whose variance is not at hand.
    """
    share = trimmed_share(limit)
    if isinstance(fit, LinearFit):
        return replace(fit, arrays=replace(fit.arrays, sigma2=fit.sigma2 / share))
    if isinstance(fit, ArrayFit):
        errors = None if fit.coef_error is None else fit.coef_error / np.sqrt(share)
        return replace(fit, sigma2=fit.sigma2 / share, coef_error=errors)
    raise InputError(
        f"outliers= needs a model whose fits are ArrayFit; these are {type(fit).__name__}.",
        remedy="Let the model return an ArrayFit, or leave outliers= out.",
    )
