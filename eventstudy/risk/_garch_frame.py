"""Table of GARCH fits and forecasts of the events of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from scipy import special

from eventstudy._typing import FloatArray
from eventstudy.errors import ConvergenceError, InputError
from eventstudy.inference.resampling import Seed, as_many, generator
from eventstudy.risk._windows import abnormal_path
from eventstudy.risk.garch import Distribution, fit_garch, forecast_test
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["garch_frame"]

_GARCH_COLUMNS = [
    "omega",
    "alpha",
    "beta",
    "nu",
    "persistence",
    "variance_ratio",
    "n",
    "p_value",
    "p_simulated",
    "delta",
    "lr",
    "p_lr",
    "converged",
    "reason",
]


def garch_frame(
    res: EventStudyResults,
    window: Window,
    *,
    distribution: Distribution,
    draws: int,
    seed: Seed,
    on_error: Literal["drop", "raise"],
) -> pd.DataFrame:
    """Table of :meth:`eventstudy.risk.Risk.garch`.

    Raises
    ------
    ConvergenceError
        With ``on_error="raise"``, naming security and session.
    """
    rng = generator(seed)
    if on_error not in ("drop", "raise"):
        raise InputError(f"on_error={on_error!r} is not an option.", remedy='Use "drop" or "raise".')
    if distribution not in get_args(Distribution):
        raise InputError(
            f"distribution={distribution!r} is not an option.", remedy=f"Use one of {get_args(Distribution)}."
        )
    draws = as_many("draws", draws, 0)
    span = Window(min(res.fit.index.estimation.start, window.start - 1), window.end)
    streams = rng.spawn(len(res))
    rows = []
    for at, stream in enumerate(streams):
        path = abnormal_path(res.fit, span, np.array([at]), strict=False)[0]
        eve = len(path) - len(window)
        try:
            rows.append(_garch_row(path, eve, distribution, draws, stream))
        except ConvergenceError as error:
            name = res._identity["ticker"].iloc[at]
            session = res.study.returns.sessions[res.fit.index.position[at]]
            said = f"{name}, event session {session:%Y-%m-%d}: {error}"
            if on_error == "raise":
                raise ConvergenceError(said, ticker=name, date=session) from error
            rows.append({"converged": False, "reason": said})
    frame = pd.DataFrame(rows, columns=_GARCH_COLUMNS)
    frame["converged"] = frame["converged"].astype(bool)
    return pd.concat([res._identity, frame], axis=1)


def _garch_row(
    path: FloatArray, eve: int, distribution: Distribution, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """GARCH figures of one event whose window starts at column ``eve``."""
    before, window = path[:eve], path[eve:]
    before, there = before[~np.isnan(before)], ~np.isnan(window)
    calm = fit_garch(before, distribution=distribution)
    test = forecast_test(calm, before, window, draws, rng)
    if not test.n:
        raise ConvergenceError("No abnormal return in the window.", remedy="Choose another window.")
    whole = np.concatenate([before, window[there]])
    dummy = np.arange(len(whole)) >= len(before)
    plain, marked = (fit_garch(whole, given, distribution=distribution) for given in (None, dummy))
    lr = max(2.0 * (marked.log_likelihood - plain.log_likelihood), 0.0)
    flat = "" if calm.alpha > 1e-6 else "alpha is 0: before the window the variance drifts, but does not cluster"
    return {
        "omega": calm.omega,
        "alpha": calm.alpha,
        "beta": calm.beta,
        "nu": calm.nu,
        "persistence": calm.persistence,
        "variance_ratio": test.ratio / test.n,
        "n": test.n,
        "p_value": test.p_value,
        "p_simulated": test.p_simulated,
        "delta": marked.delta,
        "lr": lr,
        "p_lr": float(special.chdtrc(1.0, lr)),
        "converged": True,
        "reason": flat,
    }
