"""Influence: the mean and every test without each security."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from eventstudy.abnormal import weighted_mean
from eventstudy.errors import InputError
from eventstudy.inference.resampling import Seed
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["LeaveOut", "influence"]

LeaveOut: TypeAlias = Literal["event", "ticker"]

_RESAMPLE_UP_TO = 300  # events; the resampling tests are run once for each


def influence(
    res: EventStudyResults,
    window: Window,
    *,
    by: LeaveOut = "event",
    resampling: bool | None = None,
    draws: int = 999,
    seed: Seed = 0,
) -> pd.DataFrame:
    """CAAR and every test's p-value without each security-event; see :meth:`EventStudyResults.influence`."""
    if by not in get_args(LeaveOut):
        raise InputError(f"by={by!r} is not an option.", remedy=f"Use one of {get_args(LeaveOut)}.")
    names: Any = res._identity["ticker"].to_numpy() if by == "ticker" else np.arange(len(res))
    units, first, unit = np.unique(names, return_index=True, return_inverse=True)
    if len(units) < 2:
        raise InputError("One security is all there is; without it nothing is left.", remedy="Give two or more.")
    with_resampling = len(res) <= _RESAMPLE_UP_TO if resampling is None else resampling
    caar = float(res.caar(window)["caar"].iloc[0])
    rows = []
    for at in np.argsort(first, kind="stable").tolist():
        part = res.select(mask=np.asarray(unit != at))
        tests = part.tests(window, resampling=with_resampling, draws=draws, seed=seed)
        without, n = weighted_mean(part._cumulated(window).car, part._weights)
        row: dict[str, Any] = {"ticker": res._identity["ticker"].iloc[first[at]]}
        if by == "event":
            row = {"event_id": res._identity["event_id"].iloc[first[at]]} | row
        row |= {"caar_without": without, "delta": without - caar, "n_without": n}
        rows.append(row | {f"p_{name}": p for name, p in tests["p_value"].items()})
    frame = pd.DataFrame(rows)
    order = [f"p_{name}" for name in res.tests(window, resampling=with_resampling, draws=draws, seed=seed).index]
    frame = frame[[name for name in frame.columns if not name.startswith("p_")] + order]
    return frame.sort_values("delta", key=np.abs, ascending=False, kind="stable", ignore_index=True)
