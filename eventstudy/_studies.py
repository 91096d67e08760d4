"""Simulated studies: events that can be drawn, what is put into their returns, and what the tests say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from eventstudy import kernels
from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.abnormal import buy_and_hold, cumulated
from eventstudy.errors import InsufficientDataError
from eventstudy.inference import TESTS, Battery, TestResult
from eventstudy.inference.resampled import RESAMPLED, resampled_tests
from eventstudy.kernels import WindowSums
from eventstudy.models.base import ModelFit, NormalReturnModel
from eventstudy.models.linear import LinearFit
from eventstudy.panel import ReturnPanel
from eventstudy.synthetic import SyntheticPanel
from eventstudy.windows import EventIndex, Window

__all__ = ["Dates", "Design", "Outcomes", "Pool", "altered", "fits", "run"]

Dates: TypeAlias = Literal["staggered", "shared"]


@dataclass(frozen=True, slots=True)
class Design:
    """What every study of a simulation has in common."""

    model: NormalReturnModel
    n_events: int
    dates: Dates
    estimation: Window
    event: Window
    window: Window
    min_obs: int
    cells: tuple[tuple[float, float], ...]
    tests: tuple[str, ...]
    draws: int


@dataclass(frozen=True, slots=True)
class Pool:
    """Events that can be drawn: securities, and the dates around which each has complete windows.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
        Rows of the panel with at least one date.
    first : int
        Column of the panel of the first date.
    complete : ndarray of bool, shape (n, n_dates)
        Whether the windows are complete.
    on_date : ndarray of int64, shape (n_dates,)
        Securities with complete windows.
    """

    rows: IntArray
    first: int
    complete: BoolArray
    on_date: IntArray

    @classmethod
    def of(cls, panel: ReturnPanel, design: Design) -> Pool:
        benchmarks = [panel.row(name) for name in design.model.benchmarks]
        there = ~np.isnan(panel.values)
        there &= there[benchmarks].all(axis=0)
        first = max(0, -design.estimation.start, -design.event.start)
        last = panel.n_sessions - 1 - max(0, design.event.end, design.estimation.end)
        running = np.zeros((panel.n_securities, panel.n_sessions + 1), np.int32)
        np.cumsum(there, axis=1, out=running[:, 1:])

        def count(window: Window) -> Any:
            low, high = first + window.start, last + window.end + 1
            return running[:, low + len(window) : high + 1] - running[:, low : high + 1 - len(window)]

        if last >= first:
            complete = (count(design.estimation) >= design.min_obs) & (count(design.event) == len(design.event))
        else:
            complete = np.zeros((panel.n_securities, 0), dtype=bool)
        complete[benchmarks] = False
        complete[panel.n_securities - panel.n_factors :] = False
        rows = np.flatnonzero(complete.any(axis=1))
        pool = cls(rows, first, complete[rows], complete.sum(0))
        enough = len(rows) if design.dates == "staggered" else int(pool.on_date.max(initial=0))
        if enough < design.n_events:
            on = "" if design.dates == "staggered" else " on one date"
            raise InsufficientDataError(
                f"{enough} securities have complete windows {design.estimation} and {design.event}{on}, fewer than the "
                f"{design.n_events} events of a study; the panel has {panel.n_securities} securities with the "
                f"benchmarks, and {panel.n_sessions} sessions.",
                remedy="Lower n_events=, shorten estimation_window=, give min_obs= to allow for gaps, or load more.",
                available=enough,
            )
        return pool

    def draw(self, rng: np.random.Generator, design: Design) -> tuple[IntArray, IntArray]:
        """Rows and event columns of one study."""
        n = design.n_events
        if design.dates == "shared":
            date = rng.choice(np.flatnonzero(self.on_date >= n))
            chosen = rng.choice(np.flatnonzero(self.complete[:, date]), n, replace=False)
            return self.rows[chosen], np.full(n, self.first + date)
        chosen = rng.choice(len(self.rows), n, replace=False)
        complete = self.complete[chosen]
        nth = np.floor(rng.random(n) * complete.sum(1)).astype(np.int64)
        date = (complete.cumsum(1) <= nth[:, None]).sum(1)
        return self.rows[chosen], self.first + date


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes of some studies: statistic, p-value and df, shape (3, S, C, K)."""

    values: FloatArray
    n_dropped: int
    reasons: dict[str, str]


def run(
    panel: ReturnPanel | SyntheticPanel, pool: Pool, design: Design, streams: list[np.random.Generator]
) -> Outcomes:
    """Outcomes of some studies; on one panel they are fitted together."""
    values = np.full((3, len(streams), len(design.cells), len(design.tests)), np.nan)
    reasons: dict[str, str] = {}
    n_dropped = 0
    for study, (returns, fit) in enumerate(fits(panel, pool, design, streams)):
        seed = int(streams[study].integers(1 << 62))  # of the bootstraps: the same in every cell
        good = fit.status == kernels.OK
        n_dropped += int((~good).sum())
        if not good.any():
            reasons |= {name: "no event of the study could be fitted" for name in design.tests if name not in reasons}
            continue
        used = fit if good.all() else fit.take(np.flatnonzero(good))
        for cell, (drift, variance) in enumerate(design.cells):
            changed = altered(used, design.window, drift, variance)
            found = _outcomes(changed, design)
            if not RESAMPLED.keys().isdisjoint(design.tests):
                found |= _resampled(used, changed, returns, design, seed)
            for at, name in enumerate(design.tests):
                result = found[name]
                values[:, study, cell, at] = result.statistic, result.p_value, result.df
                if result.reason:
                    reasons.setdefault(name, result.reason)
    return Outcomes(values, n_dropped, reasons)


def fits(
    panel: ReturnPanel | SyntheticPanel, pool: Pool, design: Design, streams: list[np.random.Generator]
) -> Iterator[tuple[ReturnPanel, ModelFit]]:
    """Panel and fit of each study."""
    n, model = design.n_events, design.model
    if isinstance(panel, SyntheticPanel):
        for rng in streams:
            drawn = panel.draw(rng)
            index = EventIndex(*pool.draw(rng, design), design.estimation, design.event)
            yield drawn, model.fit(drawn, index, design.min_obs)
        return
    row, position = (np.concatenate(each) for each in zip(*(pool.draw(rng, design) for rng in streams), strict=True))
    fit = model.fit(panel, EventIndex(row, position, design.estimation, design.event), design.min_obs)
    for study in range(len(streams)):
        yield panel, fit.take(np.arange(study * n, (study + 1) * n))


def _outcomes(fit: ModelFit, design: Design) -> dict[str, TestResult]:
    """Outcomes of the tests of the battery that are asked for."""
    names = [name for name in design.tests if name in TESTS]
    if not names:
        return {}
    sample = Battery(fit, None, False).sample(design.window)
    return {name: TESTS[name](sample) for name in names}


def _resampled(
    fit: ModelFit, changed: ModelFit, panel: ReturnPanel, design: Design, seed: int
) -> dict[str, TestResult]:
    """Outcomes of the resampling tests; buy-and-hold returns are those of the altered returns."""
    index, n = fit.index, len(fit.index)
    returns = panel.values[index.security[:, None], index.position[:, None] + index.event.tau] - fit.ar + changed.ar
    alone = EventIndex(np.arange(n), np.full(n, -index.event.start), index.estimation, index.event)
    held = buy_and_hold(_AlteredFit(fit, changed.ar, alone), returns, design.window, panel.kind)
    c = cumulated(changed, design.window)
    return {row.name: row for row in resampled_tests(changed, c, None, held.bhar, design.draws, seed)}


def altered(fit: ModelFit, window: Window, drift: float, variance: float) -> ModelFit:
    """The fit as it would be had the returns of the window been other ones."""
    if drift == 0.0 and variance == 1.0:
        return fit
    ar = fit.ar.copy()
    inside = fit.index.event.columns(window)
    ar[:, inside] = np.sqrt(variance) * ar[:, inside] + drift / len(window)
    if isinstance(fit, LinearFit):
        return replace(fit, arrays=replace(fit.arrays, ar=ar))
    return _AlteredFit(fit, ar, fit.index)


@dataclass(frozen=True, slots=True)
class _AlteredFit:
    """A fit with other abnormal returns in its event window; all else is the fit's own."""

    fit: ModelFit
    ar: FloatArray
    index: EventIndex

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pickling asks before there is a fit
            raise AttributeError(name)
        return getattr(self.fit, name)

    def window_sums(self, window: Window, *, skip_missing: bool = False) -> WindowSums:
        """CAR of the altered returns, with the fit's own variance."""
        sums = self.fit.window_sums(window, skip_missing=skip_missing)
        car = np.nansum(self.ar[:, self.index.event.columns(window)], axis=1)
        return replace(sums, car=np.where(np.isnan(sums.car), np.nan, car))

    def take(self, which: Any) -> _AlteredFit:
        """Some of the events."""
        return _AlteredFit(self.fit.take(which), self.ar[which], self.index.take(which))
