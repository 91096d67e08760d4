"""Whether a source changed prices that were cached before: a split, a dividend, or history rewritten."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray
from eventstudy.data.bars import shown

__all__ = ["revision"]

_CLOSE_TOLERANCE: Final = 1e-6  # relative; sources repeat a settled close to the last digit or two
_ADJUSTED_TOLERANCE: Final = 5e-6  # adjusted closes are rounded by the source: about 1e-6
_CONSTANT: Final = 1e-3  # relative spread within which factors count as one: cents of a low price
_LARGEST: Final = 50  # of the numbers of a split ratio
_SMALL: Final = 10  # of the smaller one


def revision(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """What changed between two deliveries of the same bars, in words; empty where they agree.

    Parameters
    ----------
    old : pandas.DataFrame
        Bars as cached, of days that were final then.
    new : pandas.DataFrame
        Bars as delivered now; these and more.

    Returns
    -------
    str
        Adjusted closes in one constant proportion to the old ones mean a dividend since, raw closes in one a
        split; dividends and splits that differ, closes that differ otherwise and rows that are gone are told
        by their first date. Volume may be corrected without notice.

    Examples
    --------
    >>> days = pd.bdate_range("2025-06-02", periods=3)
    >>> old = pd.DataFrame({"close": [100.0, 102.0, 104.0]}, days)
    >>> revision(old, old / 4)
    'closes are 0.25 times those cached: a split 4:1 since'
    """
    if old.empty:
        return ""
    gone = old.index.difference(new.index)
    if len(gone):
        return f"{shown(gone[0])} is gone"
    again = new.reindex(old.index)
    if set(old.columns) != set(new.columns):
        return f"its columns are {', '.join(map(str, new.columns))} now"
    for name in ("close", "adj_close"):
        if name in old and (found := _prices(old[name], again[name], name, "close" in old)):
            return found
    for name in ("dividends", "splits"):
        if name in old:
            before, after = (frame[name].fillna(0.0).to_numpy() for frame in (old, again))
            differ = np.flatnonzero(~np.isclose(before, after, rtol=_CLOSE_TOLERANCE, atol=1e-9))
            if differ.size:
                at = int(differ[0])
                return f"{name} on {shown(old.index[at])} are {after[at]:g}, not {before[at]:g}"
    return ""


def _prices(before: pd.Series[float], after: pd.Series[float], name: str, closes_agree: bool) -> str:
    old, new = before.to_numpy(np.float64), after.to_numpy(np.float64)
    both = ~np.isnan(old) & ~np.isnan(new)
    ratio: FloatArray = new[both] / old[both]
    tolerance = _CLOSE_TOLERANCE if name == "close" else _ADJUSTED_TOLERANCE
    words = "closes" if name == "close" else "adjusted closes"
    off = np.abs(ratio - 1.0) > tolerance
    if ratio.size and off.all() and np.ptp(ratio) <= _CONSTANT * ratio.mean():
        factor = float(np.median(ratio))
        return f"{words} are {factor:.6g} times those cached: {_event(factor, name, closes_agree)} since"
    differ = np.isnan(old) != np.isnan(new)
    differ[np.flatnonzero(both)[off]] = True
    if not differ.any():
        return ""
    at = int(np.flatnonzero(differ)[0])
    return f"the {words[:-1]} of {shown(before.index[at])} is {new[at]:.6g}, not {old[at]:.6g}"


def _event(factor: float, name: str, closes_agree: bool) -> str:
    if name == "adj_close":
        return "a dividend" if closes_agree and factor < 1.0 else "a dividend or split"
    split = Fraction(1.0 / factor).limit_denominator(_LARGEST)
    near = split.numerator <= _LARGEST and abs(float(split) * factor - 1.0) <= _CONSTANT
    # Nearly every number is near some 44:43; splits are in small ones.
    likely = near and min(split.numerator, split.denominator) <= _SMALL
    return f"a split {split.numerator}:{split.denominator}" if likely else "a change of units or an adjustment"
