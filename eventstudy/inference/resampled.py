"""The resampling tests of a fitted study, as rows beside the battery's."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventstudy._typing import FloatArray
from eventstudy.abnormal import Cumulated
from eventstudy.inference.base import Outcome, OwnLaw, TestResult, TestSpec
from eventstudy.inference.bootstrap import bhar_skew_bootstrap
from eventstudy.inference.placebo import Placebo, StepDown, placebo, romano_wolf
from eventstudy.inference.pseudo_windows import in_sample_scale
from eventstudy.inference.sessions import residual_variance
from eventstudy.inference.wild import wild_bootstrap
from eventstudy.models.base import ModelFit
from eventstudy.models.linear import LinearFit

__all__ = ["RESAMPLED", "placebo_of", "resampled_tests", "step_down_of"]

Seed = int | np.random.Generator | None


def _never(sample: object) -> Outcome:
    return "resampling tests are run by results.tests"


RESAMPLED: dict[str, TestSpec] = {
    spec.name: spec
    for spec in (
        TestSpec(
            "placebo_p",
            _never,
            "mean SCAR = 0, the window is like any other",
            True,
            "Chernozhukov, Wüthrich & Zhu 2021; Fisher",
        ),
        TestSpec("wild_bootstrap_p", _never, "mean CAR = 0", True, "Cameron, Gelbach & Miller 2008"),
        TestSpec("bhar_skew_boot", _never, "mean BHAR = 0", False, "Lyon, Barber & Tsai 1999"),
    )
}
"""Tests whose law is resampled; they read more than a :class:`TestSample` holds."""


def _inputs(fit: ModelFit, c: Cumulated) -> dict[str, Any]:
    """What the placebo distribution reads: residuals, CARs and the exact multipliers of pseudo-windows."""
    scale = None
    if isinstance(fit, LinearFit):
        est = fit.index.estimation
        scale = in_sample_scale(fit.design, fit.arrays, fit.index.position, (est.start, est.end), len(c.window))
    std_error, dof = c.std_error, c.dof
    own = getattr(fit, "residual_dof", None)
    if own is not None:
        # pseudo-windows know the variance of the residuals only; the event is measured by the same
        std_error = std_error * np.sqrt(residual_variance(fit) / fit.sigma2)
        dof = own.astype(np.float64)
    return {
        "residuals": fit.residuals,
        "car": c.car,
        "std_error": std_error,
        "dof": dof,
        "length": len(c.window),
        "scale": scale,
        "hole": fit.index.hole_columns,
    }


def placebo_of(fit: ModelFit, c: Cumulated, **options: Any) -> Placebo:
    """Placebo test of one window of a fit; options are those of :func:`eventstudy.inference.placebo.placebo`."""
    return placebo(**_inputs(fit, c), **options)


def step_down_of(fit: ModelFit, c: Cumulated, **options: Any) -> StepDown:
    """Placebo p-values of each event, plain and by Romano and Wolf's step-down."""
    return romano_wolf(**_inputs(fit, c), **options)


def resampled_tests(
    fit: ModelFit, c: Cumulated, weights: FloatArray | None, bhar: FloatArray, draws: int, seed: Seed
) -> list[TestResult]:
    """Rows ``placebo_p``, ``wild_bootstrap_p`` and ``bhar_skew_boot`` of one window.

    Parameters
    ----------
    fit : ModelFit
        The fits of ``n`` events.
    c : Cumulated
        Their CARs.
    weights : ndarray of float64, shape (n,), or None
        Weights of the events; the BHAR test weighs them equally.
    bhar : ndarray of float64, shape (n,)
        Their buy-and-hold abnormal returns.
    draws : int
        Bootstrap draws.
    seed : int, Generator or None
        One stream for both bootstraps.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {
        "placebo_p": placebo_of(fit, c, weights=weights, progress=False),
        "wild_bootstrap_p": wild_bootstrap(
            c.car, fit.index.position, event_weights=weights, draws=draws, seed=rng, progress=False
        ),
        "bhar_skew_boot": bhar_skew_bootstrap(bhar, draws=draws, seed=rng, progress=False),
    }
    rows = []
    for name, spec in RESAMPLED.items():
        one = found[name]
        outcome = one.reason or OwnLaw(one.statistic, one.p_value, one.n)
        rows.append(spec.result(outcome, c.window, int((~np.isnan(c.car)).sum())))
    return rows
