"""Tables of losses around the events of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from eventstudy.models.arrays import windows_of
from eventstudy.risk._windows import CHUNK, abnormal_path
from eventstudy.risk.losses import LossMethod, drawdown, expected_shortfall, value_at_risk
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["drawdown_frame", "loss_frame"]


def loss_frame(res: EventStudyResults, window: Window, confidence: float, method: LossMethod) -> pd.DataFrame:
    """Table of :meth:`eventstudy.risk.Risk.losses`."""
    rows, columns = np.arange(len(res)), res.fit.index.event.columns(window)
    loss = np.empty((2, len(res)))
    for at in range(0, len(res), CHUNK):
        part = rows[at : at + CHUNK]
        residuals = res.fit.residuals(part)
        loss[0, part] = value_at_risk(residuals, confidence=confidence, method=method)
        loss[1, part] = expected_shortfall(residuals, confidence=confidence, method=method)
    ar = res.fit.ar[:, columns]
    there = ~np.isnan(ar)
    n, breaches = there.sum(1), (there & (ar < -loss[0][:, None])).sum(1)
    lowest = np.where(there, ar, np.inf).argmin(1)
    known = n > 0
    # P(X ≥ k) of a binomial is the incomplete beta function
    chance = np.where(
        breaches > 0,
        special.betainc(np.maximum(breaches, 1), np.maximum(n - breaches + 1, 1), 1.0 - confidence),
        1.0,
    )
    return res._identity.assign(
        var=loss[0],
        es=loss[1],
        worst=np.where(known, ar[rows, lowest], np.nan),
        worst_tau=pd.Series(window.tau[lowest], dtype="Int64").mask(pd.Series(~known)),
        breaches=breaches,
        n=n,
        p_value=np.where(known, chance, np.nan),
    )


def drawdown_frame(res: EventStudyResults, window: Window, abnormal: bool) -> pd.DataFrame:
    """Table of :meth:`eventstudy.risk.Risk.drawdown`."""
    index, panel = res.fit.index, res.study.returns
    if abnormal:
        values = abnormal_path(res.fit, window)
    else:
        values = windows_of(panel.values, index.position, window, index.security)
    found = drawdown(values, kind=panel.kind)
    none = found.trough < 0
    taus = {
        name: pd.Series(np.where(none, 0, at + window.start), dtype="Int64").mask(pd.Series(none))
        for name, at in (("peak", found.peak), ("trough", found.trough))
    }
    return res._identity.assign(drawdown=found.depth, **taus, n=(~np.isnan(values)).sum(1))
