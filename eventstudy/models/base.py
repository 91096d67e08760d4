"""What every normal-return model promises: one method to fit, one small set of answers."""

from __future__ import annotations

import re
from typing import Any, Protocol, runtime_checkable

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.kernels import WindowSums
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex, Window

__all__ = ["ModelFit", "NormalReturnModel", "model_words"]


class ModelFit(Protocol):
    """Fits of ``n`` security-events; what the measures and the tests read."""

    @property
    def index(self) -> EventIndex:
        """The events fitted."""
        ...

    @property
    def ar(self) -> FloatArray:
        """Abnormal returns of the event window (decimal), shape (n, L2), NaN where missing."""
        ...

    @property
    def sigma2(self) -> FloatArray:
        """Residual variance of the estimation window per session, shape (n,)."""
        ...

    @property
    def n_obs(self) -> IntArray:
        """Usable rows of the estimation window, ``M``, shape (n,)."""
        ...

    @property
    def n_params(self) -> int | IntArray:
        """Parameters fitted, ``K``, one number or shape (n,); ``sigma2`` has ``n_obs − K`` degrees of freedom."""
        ...

    @property
    def coef(self) -> FloatArray:
        """Fitted parameters, shape (n, K)."""
        ...

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        ...

    @property
    def r2(self) -> FloatArray:
        """Coefficient of determination, shape (n,), NaN where it has no meaning."""
        ...

    @property
    def n_ar(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Abnormal returns in the event window, shape (n,)."""
        ...

    @property
    def status(self) -> np.ndarray[Any, np.dtype[np.int8]]:
        """Outcome of each fit, shape (n,): 0 where it is good; see :mod:`eventstudy.kernels`."""
        ...

    def window_sums(self, window: Window, *, skip_missing: bool = False) -> WindowSums:
        """CAR over a window with its forecast-variance multiplier."""
        ...

    def residuals(self, rows: IntArray) -> FloatArray:
        """Estimation-window residuals of some events, shape (len(rows), L1), NaN where missing."""
        ...

    def take(self, which: Any) -> ModelFit:
        """Fits of some of the events."""
        ...


def model_words(model: NormalReturnModel) -> str:
    """Model and its inputs as a reader says them: ``Market model (SPY)``."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z]?[a-z]+|\d+", type(model).__name__)
    name = " ".join(part if part.isupper() else part.lower() for part in parts) or type(model).__name__
    inputs = ", ".join(model.benchmarks[:6]) + (", …" if len(model.benchmarks) > 6 else "")
    return f"{name[:1].upper()}{name[1:]}{f' ({inputs})' if inputs else ''}"


@runtime_checkable
class NormalReturnModel(Protocol):
    """A model of the return that would have been expected without the event.

    A model is a small frozen description; it holds no data and no fit.
    """

    @property
    def name(self) -> str:
        """Short name for tables and files."""
        ...

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Securities or factors of the panel that the model reads."""
        ...

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ModelFit:
        """Fit every event at once."""
        ...
