"""Losses: drawdown, value at risk and expected shortfall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from eventstudy._typing import FloatArray, IntArray
from eventstudy.abnormal import check_confidence
from eventstudy.errors import InputError
from eventstudy.inference.resampling import as_floats

__all__ = ["Drawdown", "LossMethod", "drawdown", "expected_shortfall", "value_at_risk"]

LossMethod: TypeAlias = Literal["historical", "normal"]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Deepest fall of a path of wealth from its highest point so far, arrays of shape (...).

    Parameters
    ----------
    depth : ndarray of float64
        Decimal, 0 or negative; −0.2 is a fall by 20 %. NaN without a return.
    peak, trough : ndarray of int64
        Columns of the highest point before the fall (−1: the start, before the first return) and of its end; −1 both
        where nothing falls.
    """

    depth: FloatArray
    peak: IntArray
    trough: IntArray


def drawdown(returns: npt.ArrayLike, *, kind: Literal["simple", "log"] = "simple") -> Drawdown:
    """Deepest drawdown of each row of returns.

    Parameters
    ----------
    returns : array of float, shape (..., n_sessions)
        Decimal; a missing session leaves wealth where it was.
    kind : {"simple", "log"}
        What the returns are.

    Returns
    -------
    Drawdown

    Examples
    --------
    >>> found = drawdown([0.10, -0.20, 0.05, -0.10, 0.50])
    >>> found.depth.round(4), int(found.peak), int(found.trough)
    (np.float64(-0.244), 0, 3)
    """
    if kind not in ("simple", "log"):
        raise InputError(f"kind={kind!r} is not a kind of return.", remedy='Use "simple" or "log".')
    x = as_floats("returns", returns)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise InputError(f"returns have shape {x.shape}.", remedy="Give one return or more, time being the last axis.")
    there = ~np.isnan(x)
    kept = np.where(there, x, 0.0)
    start = np.ones((*x.shape[:-1], 1))
    growth = np.exp(kept) if kind == "log" else 1.0 + kept
    wealth = np.concatenate([start, np.cumprod(growth, axis=-1)], axis=-1)
    highest = np.maximum.accumulate(wealth, axis=-1)
    fall = wealth / highest - 1.0
    trough = fall.argmin(-1)
    depth = np.take_along_axis(fall, trough[..., None], -1)[..., 0]
    before = np.arange(wealth.shape[-1]) <= trough[..., None]
    peak = np.where(before, wealth, -np.inf).argmax(-1)
    none = depth >= 0.0
    return Drawdown(
        np.where(there.any(-1), depth, np.nan)[()],
        np.asarray(np.where(none, -1, peak - 1)),
        np.asarray(np.where(none, -1, trough - 1)),
    )


def _tail(returns: npt.ArrayLike, confidence: float, method: LossMethod) -> tuple[FloatArray, float]:
    if method not in get_args(LossMethod):
        raise InputError(f"method={method!r} is not an option.", remedy=f"Use one of {get_args(LossMethod)}.")
    x = as_floats("returns", returns)
    if x.ndim == 0:
        raise InputError("returns is a single number.", remedy="Give an array, time being the last axis.")
    if x.shape[-1] == 0:
        raise InputError(f"returns have shape {x.shape}.", remedy="Give one return or more, time being the last axis.")
    # 1 − 0.95 is a little more than 0.05, which would move the count of tail sessions by one
    return x, round(1.0 - check_confidence(confidence), 12)


def value_at_risk(returns: npt.ArrayLike, *, confidence: float = 0.95, method: LossMethod = "historical") -> FloatArray:
    """Loss of one session that is exceeded with probability ``1 − confidence``.

    Historical: minus the ``⌈(1 − confidence) n⌉``-th smallest return. Normal: ``−(m − z s)``, with the sample mean,
    the standard deviation (``n − 1``) and the normal quantile ``z``.

    Parameters
    ----------
    returns : array of float, shape (..., n_sessions)
        Decimal; NaN left out.
    confidence : float
        Level.
    method : {"historical", "normal"}
        How.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal, positive for a loss; NaN without a return (normal: with fewer than two).

    References
    ----------
    McNeil, A. J., Frey, R. and Embrechts, P. (2015). *Quantitative Risk Management*, section 2.3.

    Examples
    --------
    >>> value_at_risk([0.01, -0.02, 0.03, -0.04, 0.02, 0.0, 0.01, -0.01, 0.02, 0.01], confidence=0.8)
    np.float64(0.02)
    """
    x, tail = _tail(returns, confidence, method)
    if method == "normal":
        mean, spread = _moments(x)
        return np.asarray(-(mean + spread * special.ndtri(tail)))[()]
    ordered, n = np.sort(x, axis=-1), (~np.isnan(x)).sum(-1)
    rank = np.maximum(np.ceil(tail * n - 1e-9).astype(np.int64), 1)
    return np.asarray(-np.take_along_axis(ordered, np.minimum(rank, x.shape[-1])[..., None] - 1, -1)[..., 0])[()]


def expected_shortfall(
    returns: npt.ArrayLike, *, confidence: float = 0.95, method: LossMethod = "historical"
) -> FloatArray:
    """Mean loss of the worst ``1 − confidence`` of sessions.

    Historical: minus the mean of the ``(1 − confidence) n`` smallest returns, the last of them in part (Acerbi and
    Tasche), which is coherent whatever ``n``. Normal: ``−m + s φ(z)/(1 − confidence)``.

    Parameters
    ----------
    returns : array of float, shape (..., n_sessions)
        Decimal; NaN left out.
    confidence : float
        Level.
    method : {"historical", "normal"}
        How.

    Returns
    -------
    ndarray of float64, shape (...)
        Decimal, positive for a loss; NaN without a return (normal: with fewer than two).

    References
    ----------
    Acerbi, C. and Tasche, D. (2002). On the coherence of expected shortfall. *Journal of Banking and Finance* 26.

    Examples
    --------
    >>> expected_shortfall([0.01, -0.02, 0.03, -0.04, 0.02, 0.0, 0.01, -0.01, 0.02, 0.01], confidence=0.8)
    np.float64(0.03)
    """
    x, tail = _tail(returns, confidence, method)
    if method == "normal":
        mean, spread = _moments(x)
        density = np.exp(-0.5 * special.ndtri(tail) ** 2) / np.sqrt(2.0 * np.pi)
        return np.asarray(-mean + spread * density / tail)[()]
    n = (~np.isnan(x)).sum(-1)
    share = np.clip(tail * n[..., None] - np.arange(x.shape[-1]), 0.0, 1.0)
    ordered = np.sort(x, axis=-1)
    total = np.where(share > 0, share * np.where(np.isnan(ordered), 0.0, ordered), 0.0).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(n > 0, -total / (tail * n), np.nan))[()]


def _moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (``n − 1``) of what is there; NaN for fewer than two."""
    there = ~np.isnan(x)
    n = there.sum(-1)
    mean = np.where(n > 1, np.where(there, x, 0.0).sum(-1) / np.maximum(n, 1), np.nan)
    square = np.where(there, x - mean[..., None], 0.0) ** 2
    return mean, np.sqrt(square.sum(-1) / np.maximum(n - 1, 1))
