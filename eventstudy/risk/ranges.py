"""Volatility from closes and from daily ranges: close-to-close, Parkinson, Garman–Klass, Rogers–Satchell, Yang–Zhang.

Plain functions on arrays whose last axis is time. A session counts if it has every price that the estimator reads; the
others are left out, never filled. Answers are standard deviations of one session's logarithmic return (decimal), or of
``annualize`` sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from eventstudy._typing import BoolArray, FloatArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import as_floats

__all__ = [
    "ESTIMATORS",
    "EstimatorName",
    "RangeEstimator",
    "bad_bars",
    "close_to_close",
    "garman_klass",
    "parkinson",
    "rogers_satchell",
    "yang_zhang",
]

EstimatorName: TypeAlias = Literal["close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang"]
Bars: TypeAlias = Mapping[str, FloatArray]

_ROUNDING = 1e-6  # of the price: what a vendor's rounding may put a close above its high


@dataclass(frozen=True, slots=True)
class RangeEstimator:
    """How one estimator reads bars: values of each session, and what each session adds to the variance.

    Parameters
    ----------
    name : str
        Name.
    fields : tuple of str
        Prices it reads; none for returns.
    least : int
        Sessions that it needs.
    session : callable
        Bars of shape (..., T) to values of shape (q, ..., T), NaN where a price is missing.
    contributions : callable
        Values of a window, shape (q, ..., T), to contributions of shape (..., T): their mean is the variance.
    """

    name: str
    fields: tuple[str, ...]
    least: int
    session: Callable[[Bars], FloatArray]
    contributions: Callable[[FloatArray], FloatArray]

    def variance(self, values: FloatArray) -> FloatArray:
        """Variance per session of each window, shape (...); NaN with fewer than ``least`` sessions."""
        return mean_of(self.contributions(values), self.least)


def mean_of(values: FloatArray, least: int = 1) -> FloatArray:
    """Mean over the last axis of what is not NaN; NaN for fewer than ``least`` values."""
    there = ~np.isnan(values)
    n = there.sum(-1)
    total = np.where(there, values, 0.0).sum(-1)
    return np.where(n >= least, total / np.maximum(n, 1), np.nan)


def _squares(x: FloatArray) -> FloatArray:
    """Squared deviations from the mean of the window times ``n/(n−1)``, so that their mean is the sample variance."""
    n = (~np.isnan(x)).sum(-1, keepdims=True)
    return np.asarray((x - mean_of(x)[..., None]) ** 2 * (n / np.maximum(n - 1, 1)))


def _together(*values: FloatArray) -> FloatArray:
    """Values stacked, shape (q, ..., T), all NaN on a session on which one is."""
    stacked = np.stack(values)
    return np.where(np.isnan(stacked).any(0), np.nan, stacked)


def _before(close: FloatArray) -> FloatArray:
    """Close of the session before, NaN for the first."""
    return np.concatenate([np.full((*close.shape[:-1], 1), np.nan), close[..., :-1]], axis=-1)


def _close(bars: Bars) -> FloatArray:
    return np.asarray(np.log(bars["close"] / _before(bars["close"]))[None])


def _parkinson(bars: Bars) -> FloatArray:
    return np.asarray((np.log(bars["high"] / bars["low"]) ** 2 / (4.0 * np.log(2.0)))[None])


def _garman_klass(bars: Bars) -> FloatArray:
    spread, move = np.log(bars["high"] / bars["low"]), np.log(bars["close"] / bars["open"])
    return np.asarray((0.5 * spread**2 - (2.0 * np.log(2.0) - 1.0) * move**2)[None])


def _rogers_satchell(bars: Bars) -> FloatArray:
    up, down, move = (np.log(bars[name] / bars["open"]) for name in ("high", "low", "close"))
    return np.asarray((up * (up - move) + down * (down - move))[None])


def _yang_zhang(bars: Bars) -> FloatArray:
    overnight = np.log(bars["open"] / _before(bars["close"]))
    return _together(overnight, np.log(bars["close"] / bars["open"]), _rogers_satchell(bars)[0])


def _yang_zhang_contributions(values: FloatArray) -> FloatArray:
    n = (~np.isnan(values[0])).sum(-1, keepdims=True)
    k = 0.34 / (1.34 + (n + 1) / np.maximum(n - 1, 1))
    return np.asarray(_squares(values[0]) + k * _squares(values[1]) + (1.0 - k) * values[2])


ESTIMATORS: dict[str, RangeEstimator] = {
    made.name: made
    for made in (
        RangeEstimator("close", ("close",), 2, _close, lambda values: _squares(values[0])),
        RangeEstimator("parkinson", ("high", "low"), 1, _parkinson, lambda values: values[0]),
        RangeEstimator(
            "garman_klass", ("open", "high", "low", "close"), 1, _garman_klass, lambda values: values[0]
        ),
        RangeEstimator(
            "rogers_satchell", ("open", "high", "low", "close"), 1, _rogers_satchell, lambda values: values[0]
        ),
        RangeEstimator("yang_zhang", ("open", "high", "low", "close"), 2, _yang_zhang, _yang_zhang_contributions),
    )
}  # fmt: skip
"""The estimators by name."""


def bad_bars(bars: Bars) -> BoolArray:
    """Where a price is not positive, or the open or close lies outside the range; shape (..., T).

    Parameters
    ----------
    bars : mapping of str to ndarray
        Any of ``open``, ``high``, ``low``, ``close``, of one shape.
    """
    some = next(iter(bars.values()))
    wrong = np.zeros(some.shape, dtype=bool)
    for values in bars.values():
        wrong |= (values <= 0.0) | np.isinf(values)
    for name in ("open", "close", "low"):
        if name in bars and "high" in bars:
            wrong |= bars[name] > bars["high"] * (1.0 + _ROUNDING)
        if name in bars and "low" in bars:
            wrong |= bars[name] < bars["low"] * (1.0 - _ROUNDING)
    return wrong


def annualized(variance: FloatArray, annualize: float | None) -> FloatArray:
    """Standard deviation of one session, or of ``annualize`` sessions."""
    if annualize is not None and (isinstance(annualize, bool) or not float(annualize) > 0.0):
        raise InputError(f"annualize={annualize!r} is not a number of sessions.", remedy="Such as annualize=252.")
    return np.asarray(np.sqrt(variance * (1.0 if annualize is None else float(annualize))))[()]


def _volatility(name: EstimatorName, annualize: float | None, **prices: npt.ArrayLike) -> FloatArray:
    bars = {field: as_floats(field, values) for field, values in prices.items()}
    shapes = {values.shape for values in bars.values()}
    if len(shapes) != 1 or shapes == {()}:
        raise InputError(
            f"{', '.join(bars)} have the shapes {[values.shape for values in bars.values()]}.",
            remedy="Give arrays of one shape, the last axis being time.",
        )
    wrong = np.argwhere(bad_bars(bars))
    if len(wrong):
        at = tuple(wrong[0].tolist())
        shown = ", ".join(f"{field} {values[at]:g}" for field, values in bars.items())
        raise InputError(
            f"the bar at position {at[0] if len(at) == 1 else at} cannot be: {shown}.",
            remedy="Prices are positive and low ≤ open, close ≤ high; put NaN where one is not known.",
        )
    estimator = ESTIMATORS[name]
    return annualized(estimator.variance(estimator.session(bars)), annualize)


def close_to_close(close: npt.ArrayLike, *, annualize: float | None = None) -> FloatArray:
    """Sample standard deviation of logarithmic close-to-close returns, about their mean.

    Parameters
    ----------
    close : array of float, shape (..., n_sessions)
        Closes (currency per share) adjusted for splits and dividends; NaN where missing. A return beside a missing
        close is missing.
    annualize : float, optional
        Sessions of a year, such as 252, for volatility per year; per session by default.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal; NaN with fewer than two returns.

    Raises
    ------
    InputError
        On a price that is not positive.

    Examples
    --------
    >>> close_to_close(100 * np.exp([0.0, 0.01, 0.0, 0.01])).round(6)
    np.float64(0.011547)
    """
    return _volatility("close", annualize, close=close)


def parkinson(high: npt.ArrayLike, low: npt.ArrayLike, *, annualize: float | None = None) -> FloatArray:
    """Parkinson's volatility from the high and the low: ``√(Σ ln(H/L)² / (4 n ln 2))``.

    For a driftless price observed without gaps in time; five times as efficient as closes there. It holds the open
    session only, not the night, and is too small where trading is thin.

    Parameters
    ----------
    high, low : array of float, shape (..., n_sessions)
        Currency per share; NaN where missing.
    annualize : float, optional
        Sessions of a year, for volatility per year.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal, per session unless annualised; NaN without a session.

    Raises
    ------
    InputError
        On a bar that cannot be.

    References
    ----------
    Parkinson, M. (1980). The extreme value method for estimating the variance of the rate of return. *Journal of
    Business* 53.

    Examples
    --------
    >>> parkinson([102.0, 101.0], [100.0, 100.0]).round(6)
    np.float64(0.009411)
    """
    return _volatility("parkinson", annualize, high=high, low=low)


def garman_klass(
    open: npt.ArrayLike,
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    annualize: float | None = None,
) -> FloatArray:
    """Garman and Klass's practical estimator: ``√ mean(½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²)``.

    For a driftless price observed without gaps in time; some seven times as efficient as closes there. It holds the
    open session only, not the night.

    Parameters
    ----------
    open, high, low, close : array of float, shape (..., n_sessions)
        Currency per share, on one basis; NaN where missing.
    annualize : float, optional
        Sessions of a year, for volatility per year.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal, per session unless annualised; NaN without a session.

    Raises
    ------
    InputError
        On a bar that cannot be.

    References
    ----------
    Garman, M. B. and Klass, M. J. (1980). On the estimation of security price volatilities from historical data.
    *Journal of Business* 53, the estimator that drops the small cross terms.

    Examples
    --------
    >>> garman_klass([100.0], [102.0], [100.0], [101.0]).round(6)
    np.float64(0.012563)
    """
    return _volatility("garman_klass", annualize, open=open, high=high, low=low, close=close)


def rogers_satchell(
    open: npt.ArrayLike,
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    annualize: float | None = None,
) -> FloatArray:
    """Rogers and Satchell's estimator: ``√ mean(ln(H/C) ln(H/O) + ln(L/C) ln(L/O))``.

    Unbiased whatever the drift of the price. It holds the open session only, not the night.

    Parameters
    ----------
    open, high, low, close : array of float, shape (..., n_sessions)
        Currency per share, on one basis; NaN where missing.
    annualize : float, optional
        Sessions of a year, for volatility per year.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal, per session unless annualised; NaN without a session.

    Raises
    ------
    InputError
        On a bar that cannot be.

    References
    ----------
    Rogers, L. C. G. and Satchell, S. E. (1991). Estimating variance from high, low and closing prices. *Annals of
    Applied Probability* 1.

    Examples
    --------
    >>> rogers_satchell([100.0], [102.0], [99.0], [101.0]).round(6)
    np.float64(0.019903)
    """
    return _volatility("rogers_satchell", annualize, open=open, high=high, low=low, close=close)


def yang_zhang(
    open: npt.ArrayLike,
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    annualize: float | None = None,
) -> FloatArray:
    """Yang and Zhang's estimator: ``√(σ_o² + k σ_c² + (1 − k) σ_rs²)``.

    ``σ_o²`` is the sample variance of overnight returns ``ln(O_t/C_{t−1})``, ``σ_c²`` that of ``ln(C_t/O_t)``,
    ``σ_rs²`` the mean of Rogers and Satchell, and ``k = 0.34/(1.34 + (n+1)/(n−1))``. Unbiased whatever the drift, and
    it holds the night: compare it with close-to-close.

    Parameters
    ----------
    open, high, low, close : array of float, shape (..., n_sessions)
        Currency per share, on one basis, dividends included or put right; NaN where missing. The first session only
        lends its close.
    annualize : float, optional
        Sessions of a year, for volatility per year.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal, per session unless annualised; NaN with fewer than two sessions beside the first.

    Raises
    ------
    InputError
        On a bar that cannot be.

    References
    ----------
    Yang, D. and Zhang, Q. (2000). Drift-independent volatility estimation based on high, low, open, and close prices.
    *Journal of Business* 73.

    Examples
    --------
    >>> o, h, l, c = [100, 101, 100, 102], [102, 103, 101, 104], [99, 100, 98, 101], [101, 100, 101, 103]
    >>> yang_zhang(o, h, l, c).round(6)
    np.float64(0.022707)
    """
    return _volatility("yang_zhang", annualize, open=open, high=high, low=low, close=close)
