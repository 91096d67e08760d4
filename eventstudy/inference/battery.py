"""The battery on a fitted study: what the tests read, made once for all windows and kept."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eventstudy._typing import BoolArray, FloatArray
from eventstudy.abnormal import Cumulated, cumulated, weighted_mean
from eventstudy.inference.base import TestResult, TestSample, run_tests
from eventstudy.inference.bootstrap import forecast_inflation
from eventstudy.inference.by_date import calendar_portfolio, calendar_standard_error
from eventstudy.inference.dependence import EstimationSummary, SharedDates, estimation_summary, shared_dates
from eventstudy.inference.parametric import mean_standard_error
from eventstudy.inference.sessions import (
    GeneralisedRanks,
    SessionSums,
    mean_squares,
    residual_variance,
    session_sums,
    window_pass,
)
from eventstudy.models.base import ModelFit
from eventstudy.windows import Window

__all__ = ["Battery"]

_THRESHOLDS = 1 << 25  # numbers held at a time by a pass over several windows: 256 MB


@dataclass(frozen=True, eq=False, repr=False)
class Battery:
    """Tests across the events of one fit.

    Residuals are passed over once for what no window changes, and once for all windows asked for together. A window
    whose CAR some events lack reads the sums of the events that have it.

    Parameters
    ----------
    fit : ModelFit
        The fits.
    weights : ndarray of float64, shape (n,), or None
        Weights of the events.
    skip_missing : bool
        Whether a CAR sums the sessions that are there.
    """

    fit: ModelFit
    weights: FloatArray | None
    skip_missing: bool

    def shared_dates(self, window: Window | None = None) -> SharedDates:
        """How event dates are shared, and with a window, whether the windows overlap."""
        return shared_dates(self.fit.index.position, 1 if window is None else len(window))

    @functools.cached_property
    def summary(self) -> EstimationSummary:
        """Portfolio residuals of the estimation window and ``r̄``, over all events."""
        index = self.fit.index
        return estimation_summary(
            self.fit.residuals, index.position, index.security, len(index.estimation), self.weights
        )

    @functools.cached_property
    def _all(self) -> SessionSums:
        return self._sums(np.ones(len(self.fit.index), dtype=bool))

    @functools.cached_property
    def _parts(self) -> dict[bytes, SessionSums]:
        return {}

    @functools.cached_property
    def _found(self) -> dict[Window, list[TestResult]]:
        return {}

    def _sums(self, which: BoolArray) -> SessionSums:
        return session_sums(self.fit.residuals, self.fit.ar, self.weights, np.flatnonzero(which))

    def sessions(self, which: BoolArray) -> SessionSums:
        """Sums by session over some of the events, shape (n,) of bool; only the smaller part is ever passed over."""
        if which.all():
            return self._all
        key = np.packbits(which).tobytes()
        if key not in self._parts:
            few = 2 * int(which.sum()) <= len(which)
            self._parts[key] = self._sums(which) if few else self._all.plus(self._sums(~which), -1)
        return self._parts[key]

    def portfolio(self, which: BoolArray) -> FloatArray:
        """(Weighted) mean residual of some of the events by session of the estimation window, shape (L1,)."""
        return self.sessions(which).portfolio()

    def standard_error(self, window: Window) -> tuple[float, float, str]:
        """Standard error of the (weighted) mean CAR, its degrees of freedom, and where it comes from.

        ``"portfolio"`` where events share dates or there is but one, ``"calendar"`` where windows of different dates
        overlap, ``"cross-section"`` otherwise; NaN where it cannot be had.
        """
        c, index, shared = self.cumulated(window), self.fit.index, self.shared_dates(window)
        there = ~np.isnan(c.car)
        n, weights = int(there.sum()), self.weights
        if shared.overlapping and n > 1:
            share = np.where(there, 1.0 if weights is None else weights, 0.0)
            error, days = calendar_standard_error(self.fit.ar, index.position, index.event, window, share / share.sum())
            return error, days - 1.0, "calendar"
        if not shared.clustered and n > 1:
            values = c.car[there]
            error = mean_standard_error(values, None if weights is None else weights[there])
            none = error <= 1e-12 * np.abs(values).max()  # equal CARs say nothing about their spread
            return np.nan if none else error, n - 1.0, "cross-section"
        portfolio = self.portfolio(there)
        portfolio = portfolio[~np.isnan(portfolio)]
        spread = float(np.sqrt((portfolio**2).mean())) if n and len(portfolio) > 2 else 0.0
        if spread <= 0.0:
            return np.nan, len(portfolio) - 1.0, "portfolio"
        length, _ = weighted_mean(np.where(there, c.n_used, np.nan), weights)
        # residuals are smaller than errors, and a forecast holds the parameters' error: exactly so on one shared date
        inflation = self.inflation(window, length)
        return spread * float(np.sqrt(length)) * inflation, float(c.dof[there].mean()), "portfolio"

    def inflation(self, window: Window, length: float) -> float:
        """Forecast standard deviation of the CARs over that of sums of ``length`` residuals."""
        c = self.cumulated(window)
        return forecast_inflation(np.where(np.isnan(c.car), np.nan, c.std_error), self._mean_squares, length)

    @functools.cached_property
    def _mean_squares(self) -> FloatArray:
        return mean_squares(self.fit.residuals, np.arange(len(self.fit.index)))

    def cumulated(self, window: Window) -> Cumulated:
        """CAR and SCAR of every event over one window."""
        return cumulated(self.fit, window, skip_missing=self.skip_missing)

    def results(self, windows: Sequence[Window]) -> list[list[TestResult]]:
        """Every test of every window."""
        todo = [window for window in dict.fromkeys(windows) if window not in self._found]
        size = max(1, _THRESHOLDS // max(1, len(self.fit.index)))
        for start in range(0, len(todo), size):
            part = todo[start : start + size]
            ranks, share, length = self._pass(part)
            for at, window in enumerate(part):
                sample = self._sample(window, ranks.take(at), share[:, length.index(len(window))])
                self._found[window] = run_tests(sample, clustered=self.shared_dates(window).clustered)
        return [self._found[window] for window in windows]

    def sample(self, window: Window) -> TestSample:
        """What the tests read of one window."""
        ranks, share, _ = self._pass([window])
        return self._sample(window, ranks, share[:, 0])

    def _pass(self, windows: Sequence[Window]) -> tuple[GeneralisedRanks, FloatArray, list[int]]:
        """Generalised ranks by window and positive shares by length of window, and these lengths."""
        threshold = np.full((len(self.fit.index), len(windows)), np.nan)
        sigma = np.sqrt(residual_variance(self.fit))
        for at, window in enumerate(windows):
            scar = self.cumulated(window).scar
            values = scar[~np.isnan(scar)]
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            if len(values) and spread > 1e-12 * np.abs(values).max():
                threshold[:, at] = scar / spread * sigma  # in units of the residuals it is ranked beside
        length = sorted({len(window) for window in windows})
        return *window_pass(self.fit.residuals, threshold, np.array(length, np.int64)), length

    def _sample(self, window: Window, ranks: GeneralisedRanks, share: FloatArray) -> TestSample:
        c, index = self.cumulated(window), self.fit.index
        there = ~np.isnan(c.car)
        sessions = self.sessions(there)
        length, _ = weighted_mean(np.where(there, c.n_used, np.nan), self.weights)
        mean, _, _ = calendar_portfolio(self.fit.ar, index.position, index.event, window, there)
        return TestSample(
            window=window,
            car=c.car,
            scar=c.scar,
            dof=c.dof,
            weights=self.weights,
            portfolio=sessions.portfolio(),
            mean_correlation=self.summary.mean_correlation,
            event=index.event,
            sessions=sessions,
            ranks=ranks,
            positive_share=share,
            calendar=mean,
            position=index.position,
            security=index.security,
            length=length,
            overlapping=self.shared_dates(window).overlapping,
        )
