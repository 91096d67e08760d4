"""Factors laid on the sessions of a panel."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from eventstudy._frames import is_table
from eventstudy._typing import FloatArray, IntArray
from eventstudy.data.factor_files import Frequency
from eventstudy.data.factors import Factors, load_factors
from eventstudy.errors import EventStudyWarning, InputError

if TYPE_CHECKING:
    from eventstudy.panel import ReturnPanel

__all__ = ["factor_rows"]

_PERIOD: Final[dict[Frequency, str]] = {"daily": "D", "weekly": "W-SUN", "monthly": "M"}


def factor_rows(factors: pd.DataFrame, panel: ReturnPanel, prefix: str = "") -> tuple[list[str], FloatArray, str]:
    """Names, returns on the panel's sessions, and source of factors; see :meth:`eventstudy.ReturnPanel.with_factors`.

    Returns
    -------
    tuple of list of str, ndarray of float64 of shape (n_factors, n_sessions), and str
    """
    if not is_table(factors):
        raise InputError(
            f"Factors must be a frame, not {type(factors).__name__}.", remedy='Such as load_factors("ff3").'
        )
    if not isinstance(factors, Factors):
        factors = load_factors(factors, units="decimal")
    names = [prefix + str(name) for name in factors.columns]
    for name in names:
        if name in panel.tickers:
            raise InputError(
                f"The panel has a row {name} already, a security or a factor.",
                remedy='Add the factors under a prefix, with_factors(factors, prefix="FF "), and give it to the model: '
                'FactorModel.ff3(prefix="FF "); sets of factors are joined by load_factors("ff3+ff5").',
                ticker=name,
            )
    if panel.kind == "log":
        warnings.warn(
            "The panel holds log returns and factors are simple returns; a model of both is off by about half the "
            'variance. Use ReturnPanel.from_prices(prices, kind="simple").',
            EventStudyWarning,
            stacklevel=3,
        )
    at = _places(factors, panel.sessions)
    values = factors.to_numpy(np.float64).T
    rows = np.where(at >= 0, values[:, at], np.nan)
    lacking = np.flatnonzero(np.isnan(rows).any(axis=0))
    if len(lacking) == panel.n_sessions:
        raise InputError(
            f"No session of the panel ({panel.label(0)} to {panel.label(-1)}) has all of the factors "
            f"({factors.index[0]:%Y-%m-%d} to {factors.index[-1]:%Y-%m-%d}).",
            remedy="Load factors of the panel's dates; drop the columns that are missing throughout.",
        )
    if len(lacking):
        absent = [names[row] for row in np.flatnonzero(np.isnan(rows[:, lacking[0]]))]
        warnings.warn(
            f"Factors are missing on {len(lacking)} of the panel's {panel.n_sessions} sessions, first on "
            f"{panel.label(int(lacking[0]))} ({', '.join(absent)}); models that read them leave these sessions out.",
            EventStudyWarning,
            stacklevel=3,
        )
    return names, np.ascontiguousarray(rows), f"factors: {factors.source}" if factors.source else ""


def _places(factors: Factors, sessions: pd.DatetimeIndex) -> IntArray:
    """Row of the factors for each session, −1 where there is none."""
    if sessions.tz is not None or (sessions != sessions.normalize()).any():
        raise InputError(
            f"The panel has intraday bars; the factors are {factors.frequency}.", remedy="Use daily or longer returns."
        )
    unit = _PERIOD[factors.frequency]
    dates: Any = factors.index
    periods, wanted = dates.to_period(unit), sessions.to_period(unit)
    if periods.has_duplicates:
        raise InputError(
            f"The factors have several rows in {periods[periods.duplicated()][0]}, and are {factors.frequency}.",
            remedy="Keep one row per period.",
        )
    if wanted.has_duplicates:
        raise InputError(
            f"The panel has several sessions in {wanted[wanted.duplicated()][0]}, and the factors are "
            f"{factors.frequency}.",
            remedy="Load daily factors, or returns of the factors' frequency.",
        )
    within = int(((dates >= sessions[0]) & (dates <= sessions[-1])).sum())
    if factors.frequency == "daily" and len(sessions) > 2 and within > 2 * len(sessions):
        raise InputError(
            f"The panel has {len(sessions)} sessions where the daily factors have {within} dates: its returns are "
            "those of longer periods.",
            remedy='Load factors of its periods: frequency="weekly" or "monthly".',
        )
    return np.asarray(periods.get_indexer(wanted), dtype=np.int64)
