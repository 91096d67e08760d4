"""Tables of betas, and returns of the securities of one date, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eventstudy.errors import InputError
from eventstudy.models.arrays import windows_of
from eventstudy.models.linear import LinearFit
from eventstudy.risk._windows import CHUNK, abnormal_path, two_windows
from eventstudy.risk.beta import BetaCovariance, beta_shift
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["beta_frame", "together"]


def beta_frame(
    res: EventStudyResults, before: WindowLike | None, after: WindowLike, cov: BetaCovariance, lags: int | None
) -> pd.DataFrame:
    """Table of :meth:`eventstudy.risk.Risk.beta_shift`.

    Raises
    ------
    InputError
        If the model is not a linear one with factors.
    """
    fit = res.fit
    if not isinstance(fit, LinearFit) or not len(fit.design.factors):
        raise InputError(
            f"{res.study.model!r} is not a least-squares regression on benchmarks.",
            remedy="Use MarketModel or FactorModel for this.",
        )
    first, last = two_windows(fit.index.estimation if before is None else before, after)
    span, design = Window(first.start, last.end), fit.design
    used = np.isin(span.tau, np.concatenate([first.tau, last.tau]))
    parts = []
    for start in range(0, len(fit.index), CHUNK):
        index = fit.index.take(slice(start, start + CHUNK))
        y = windows_of(fit.panel_values, index.position, span, index.security)
        if design.offset is not None:
            y = y - windows_of(design.offset, index.position, span)
        y = np.where(used, y, np.nan)
        columns = [windows_of(row, index.position, span) for row in design.factors]
        ones = [np.ones(y.shape)] if design.intercept else []
        parts.append(beta_shift(y, np.stack([*ones, *columns], -1), last.start - first.start, cov=cov, lags=lags))
    found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in parts[0].__slots__}
    constant = int(design.intercept)
    names = fit.coef_names[constant:]
    pieces = []
    for at, name in enumerate(names, constant):
        columns_of = {
            key: value[:, at] if value.ndim == 2 else value
            for key, value in found.items()
        }  # fmt: skip
        pieces.append(res._identity.assign(coefficient=name, **columns_of))
    frame = pd.concat(pieces).sort_index(kind="stable").reset_index(drop=True)
    frame = frame.astype({"n_before": np.int64, "n_after": np.int64})
    few = f"usable sessions do not identify {constant + len(names)} coefficients"
    frame["reason"] = [
        "" if np.isfinite(t) else f"{a} and {b} {few}"
        for t, a, b in zip(frame["t"], frame["n_before"], frame["n_after"], strict=True)
    ]
    order = [*res._identity.columns, "coefficient", "before", "after", "shift", "std_error", "t", "p_value", "df"]
    return frame[[*order, "chow", "chow_df_num", "chow_df_den", "chow_p", "n_before", "n_after", "reason"]]


def together(
    res: EventStudyResults, session: Any, before: WindowLike | None, after: WindowLike, abnormal: bool
) -> list[pd.DataFrame]:
    """Returns of the securities of one event session in the two windows, sessions by tickers."""
    index = res.fit.index
    days = res.study.returns.sessions
    dates = np.unique(index.position)
    if session is None and len(dates) > 1:
        raise InputError(
            f"The events lie on {len(dates)} sessions, and correlations are of one calendar.",
            remedy=f'Name one: session=, such as "{days[dates[0]]:%Y-%m-%d}", or pick events with results.select.',
        )
    at = int(dates[0]) if session is None else _position(days, session)
    rows = np.flatnonzero(index.position == at)
    if len(rows) < 2:
        raise InputError(
            f"Correlations need two events on one session; {days[at]:%Y-%m-%d} is that of {len(rows) or 'none'}.",
            remedy="Name a session that several events share.",
            date=days[at],
        )
    windows = two_windows(index.estimation if before is None else before, after)
    names = res._identity["ticker"].to_numpy()[rows]
    frames = []
    for window in windows:
        there = (at + window.tau >= 0) & (at + window.tau < len(days))
        if abnormal:
            values = abnormal_path(res.fit, window, rows)
        else:
            values = windows_of(res.study.returns.values, index.position[rows], window, index.security[rows])
        frame = pd.DataFrame(values.T[there], index=days[at + window.tau[there]], columns=pd.Index(names))
        frames.append(frame.dropna(how="all"))
    return frames


def _position(sessions: pd.DatetimeIndex, session: Any) -> int:
    try:
        day = pd.Timestamp(session)
        at = int(sessions.get_indexer(pd.DatetimeIndex([day]))[0])
    except (TypeError, ValueError):
        at = -1
    if at < 0:
        raise InputError(f"session={session!r} is not a session of the returns.", remedy='Such as "2025-01-27".')
    return at
