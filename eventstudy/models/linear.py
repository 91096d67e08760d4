"""Models that are linear in their parameters, all fitted by the same batched kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import (
    LinearArrays,
    LinearDesign,
    WindowSums,
    coefficient_errors,
    estimation_residuals,
    fit_linear,
    window_sums,
)
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex, Window

__all__ = ["LinearFit", "LinearModel", "MarketAdjusted", "MarketModel", "MeanAdjusted"]


@dataclass(frozen=True, slots=True)
class LinearFit:
    """Fits of a linear model; see :class:`eventstudy.models.base.ModelFit`."""

    panel_values: FloatArray
    design: LinearDesign
    index: EventIndex
    arrays: LinearArrays
    coef_names: tuple[str, ...]

    @property
    def ar(self) -> FloatArray:
        """Abnormal returns, shape (n, L2)."""
        return self.arrays.ar

    @property
    def sigma2(self) -> FloatArray:
        """Residual variance per session, shape (n,)."""
        return self.arrays.sigma2

    @property
    def n_obs(self) -> IntArray:
        """Usable estimation rows, shape (n,)."""
        return self.arrays.n_obs

    @property
    def n_params(self) -> int:
        """Number of fitted parameters, ``K``."""
        return self.design.n_params

    @property
    def coef(self) -> FloatArray:
        """Fitted parameters, shape (n, K)."""
        return self.arrays.coef

    @property
    def r2(self) -> FloatArray:
        """Coefficient of determination, shape (n,)."""
        return self.arrays.r2

    @property
    def n_ar(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Abnormal returns in the event window, shape (n,)."""
        return self.arrays.n_ar

    @property
    def status(self) -> np.ndarray[Any, np.dtype[np.int8]]:
        """Outcome of each fit, shape (n,)."""
        return self.arrays.status

    @property
    def coef_error(self) -> FloatArray:
        """Standard errors of the parameters by least squares, ``s √diag((X'X)^{-1})``, shape (n, K)."""
        return coefficient_errors(self.arrays, self.design)

    def window_sums(self, window: Window, *, skip_missing: bool = False) -> WindowSums:
        """CAR over a window with its exact forecast-variance multiplier."""
        self.index.event.columns(window)  # refuses one outside the event window
        return window_sums(
            self.arrays,
            self.design,
            self.index.position,
            self.index.event.start,
            (window.start, window.end),
            skip_missing=skip_missing,
        )

    def residuals(self, rows: IntArray) -> FloatArray:
        """Estimation-window residuals of some events, shape (len(rows), L1)."""
        est = self.index.estimation
        return estimation_residuals(
            self.panel_values,
            self.design,
            self.coef[rows],
            self.index.security[rows],
            self.index.position[rows],
            (est.start, est.end),
            keep=self.index.take(rows).keep,
        )

    def take(self, which: Any) -> LinearFit:
        """Fits of some of the events."""
        return LinearFit(
            self.panel_values, self.design, self.index.take(which), self.arrays.take(which), self.coef_names
        )


class LinearModel(ABC):
    """What all linear models share: a design, its names, and the batched kernel.

    Subclasses give :meth:`design` and :attr:`coef_names`. The fit is made of two halves, so that chunks of events can
    be fitted elsewhere: :meth:`fit_arrays` does the work, :meth:`assemble` puts its arrays beside the panel.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def coef_names(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""

    @abstractmethod
    def design(self, panel: ReturnPanel) -> LinearDesign:
        """Regressors taken from the panel."""

    def fit_arrays(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> LinearArrays:
        """Fit every event at once; the bare arrays."""
        est, event = index.estimation, index.event
        return fit_linear(
            panel.values,
            self.design(panel),
            index.security,
            index.position,
            (est.start, est.end),
            (event.start, event.end),
            min_obs,
            keep=index.keep,
        )

    def assemble(self, panel: ReturnPanel, index: EventIndex, arrays: LinearArrays) -> LinearFit:
        """Fit made of arrays that :meth:`fit_arrays` returned."""
        return LinearFit(panel.values, self.design(panel), index, arrays, self.coef_names)

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> LinearFit:
        """Fit every event at once."""
        return self.assemble(panel, index, self.fit_arrays(panel, index, min_obs))


@dataclass(frozen=True, slots=True)
class MeanAdjusted(LinearModel):
    """Constant mean return: the expected return is the security's own mean over the estimation window.

    References
    ----------
    Brown, S. J. and Warner, J. B. (1980). Measuring security price performance. *Journal of Financial Economics* 8.
    """

    @property
    def name(self) -> str:
        """Short name."""
        return "mean"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """None are needed."""
        return ()

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        return ("alpha",)

    def design(self, panel: ReturnPanel) -> LinearDesign:
        """A constant."""
        return LinearDesign(np.empty((0, panel.n_sessions)), None, True)


@dataclass(frozen=True, slots=True)
class MarketAdjusted(LinearModel):
    """Market-adjusted return: the expected return is the benchmark's; nothing is fitted (``K = 0``).

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.

    References
    ----------
    Brown, S. J. and Warner, J. B. (1980). Measuring security price performance. *Journal of Financial Economics* 8.
    """

    benchmark: str

    def __post_init__(self) -> None:
        _check_name(self.benchmark)

    @property
    def name(self) -> str:
        """Short name."""
        return "adjusted"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmark."""
        return (self.benchmark,)

    @property
    def coef_names(self) -> tuple[str, ...]:
        """None are fitted."""
        return ()

    def design(self, panel: ReturnPanel) -> LinearDesign:
        """The benchmark with a coefficient of one."""
        return LinearDesign(np.empty((0, panel.n_sessions)), panel.values[panel.row(self.benchmark)], False)


@dataclass(frozen=True, slots=True)
class MarketModel(LinearModel):
    """Market model: ``R = α + β R_m + e`` by ordinary least squares over the estimation window.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.

    References
    ----------
    MacKinlay, A. C. (1997). Event studies in economics and finance. *Journal of Economic Literature* 35.

    Examples
    --------
    >>> MarketModel("SPY")
    MarketModel(benchmark='SPY')
    """

    benchmark: str

    def __post_init__(self) -> None:
        _check_name(self.benchmark)

    @property
    def name(self) -> str:
        """Short name."""
        return "market"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmark."""
        return (self.benchmark,)

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        return ("alpha", "beta")

    def design(self, panel: ReturnPanel) -> LinearDesign:
        """A constant and the benchmark."""
        return LinearDesign(panel.take(self.benchmarks), None, True)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InputError(f"{name!r} is not the name of a benchmark.", remedy='Give a ticker, such as "SPY".')
