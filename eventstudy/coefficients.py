"""Fitted parameters as a tidy table: estimate, standard error, t, p-value and interval of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eventstudy.abnormal import confidence_bounds, t_p_value

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["coefficients"]


def coefficients(results: EventStudyResults, confidence: float) -> pd.DataFrame:
    """Fitted parameters of every security-event; see :meth:`eventstudy.EventStudyResults.coefficients`.

    Parameters
    ----------
    results : EventStudyResults
        The study.
    confidence : float
        Level of the intervals.

    Returns
    -------
    DataFrame
        One row per security-event and parameter.
    """
    fit = results.fit
    n, k = fit.coef.shape
    known = getattr(fit, "coef_error", None)
    estimate = fit.coef.reshape(-1)
    std_error = np.full(n * k, np.nan) if known is None else np.asarray(known, dtype=np.float64).reshape(-1)
    dof = np.repeat(np.asarray(fit.n_obs - fit.n_params, dtype=np.float64), k)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimate / std_error
    lower, upper = confidence_bounds(estimate, std_error, dof, confidence)
    who = results.parameters[["event_id", "ticker"]]
    return pd.DataFrame(
        {
            "event_id": np.repeat(who["event_id"].to_numpy(), k),
            "ticker": np.repeat(who["ticker"].to_numpy(), k),
            "parameter": np.tile(np.array(fit.coef_names, dtype=object), n),
            "estimate": estimate,
            "std_error": std_error,
            "t": t,
            "p_value": t_p_value(t, dof),
            "ci_lower": lower,
            "ci_upper": upper,
            "df": dof,
        }
    )
