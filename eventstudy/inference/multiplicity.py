"""Many hypotheses at once: p-values adjusted for how many were looked at."""

from __future__ import annotations

import numpy as np

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError

__all__ = ["benjamini_hochberg", "holm"]


def _ordered(p_values: FloatArray) -> tuple[FloatArray, BoolArray, IntArray]:
    p = np.asarray(p_values, dtype=np.float64)
    there = ~np.isnan(p)
    if p.ndim != 1 or ((p[there] < 0) | (p[there] > 1)).any():
        raise InputError("p-values must be a vector of numbers between 0 and 1, NaN where there is none.")
    order = np.argsort(p[there], kind="stable")
    return p, there, order


def holm(p_values: FloatArray) -> FloatArray:
    """P-values adjusted to control the chance of any false rejection, whatever the dependence.

    Parameters
    ----------
    p_values : ndarray of float64, shape (n,)
        NaN where there is no test; such entries stay NaN and do not count.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    InputError
        If a value is outside [0, 1].

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics* 6.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p, there, order = _ordered(p_values)
    m = len(order)
    stepped = np.maximum.accumulate(p[there][order] * (m - np.arange(m)))
    return _restored(p, there, order, stepped)


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """P-values adjusted to control the false discovery rate under independence or positive dependence.

    Parameters
    ----------
    p_values : ndarray of float64, shape (n,)
        NaN where there is no test; such entries stay NaN and do not count.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    InputError
        If a value is outside [0, 1].

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. *Journal of the Royal Statistical
    Society B* 57.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p, there, order = _ordered(p_values)
    m = len(order)
    stepped = np.minimum.accumulate((p[there][order] * m / np.arange(1, m + 1))[::-1])[::-1]
    return _restored(p, there, order, stepped)


def _restored(p: FloatArray, there: BoolArray, order: IntArray, stepped: FloatArray) -> FloatArray:
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(stepped, 1.0)
    out = np.full(p.shape, np.nan)
    out[there] = adjusted
    return out
