"""What a test reads, what it answers, and the list of tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray, IntArray
from eventstudy.abnormal import t_p_value
from eventstudy.inference.sessions import GeneralisedRanks, SessionSums
from eventstudy.windows import Window

__all__ = ["ORDER", "TESTS", "OwnLaw", "TestResult", "TestSample", "TestSpec", "register", "run_tests", "tests_frame"]

ORDER = (
    "csect_t",
    "skew_t",
    "time_series_t",
    "patell_z",
    "patell_z_adj",
    "bmp_t",
    "bmp_t_adj",
    "jackknife_t",
    "corrado_rank",
    "grank_t",
    "grank_z",
    "sign_z",
    "generalized_sign_z",
    "corrado_sign",
    "wilcoxon",
    "calendar_portfolio_t",
    "placebo_p",
    "wild_bootstrap_p",
    "cluster_t",
    "bhar_skew_boot",
)
"""Order of the tests in tables, whichever module enters them; others follow."""


@dataclass(frozen=True, slots=True)
class TestSample:
    """What the tests across security-events read, for one window.

    Parameters
    ----------
    window : Window
        Sessions cumulated; a day is ``[tau, tau]``.
    car, scar : ndarray of float64, shape (n,)
        Cumulative abnormal returns and their standardised form; NaN for an event that does not count.
    dof : ndarray of float64, shape (n,)
        ``M − K`` of each event.
    weights : ndarray of float64, shape (n,), or None
        Weights of the events in the mean; None for equal ones.
    portfolio : ndarray of float64, shape (L1,)
        Mean residual over events for each session of the estimation window.
    mean_correlation : float
        Mean pairwise correlation of estimation-window residuals over shared calendar dates, ``r̄``.
    event : Window or None
        The event window, whose sessions close the arrays of ``sessions``.
    sessions : SessionSums or None
        Sums over the events that count, by session of both windows.
    ranks : GeneralisedRanks or None
        Generalised ranks of the window (``W = 1``) over the events that count.
    positive_share : ndarray of float64, shape (n,), or None
        Of each event, the share of positive sums among the windows of the same length in its estimation window.
    calendar : ndarray of float64, shape (D,), or None
        Mean abnormal return of the events inside the window, for each session of the panel from the first with one to
        the last; NaN for a session without any.
    position, security : ndarray of int64, shape (n,), or None
        Event column and row of each event in the panel.
    length : float or None
        Mean number of sessions summed in the CARs that count; that of the window where not given.
    overlapping : bool
        Whether windows of events on different dates overlap on the calendar enough to matter.

    Notes
    -----
    A test that is not given what it reads says so instead of answering.
    """

    __test__ = False  # not a test case, whatever its name says

    window: Window
    car: FloatArray
    scar: FloatArray
    dof: FloatArray
    weights: FloatArray | None
    portfolio: FloatArray
    mean_correlation: float
    event: Window | None = None
    sessions: SessionSums | None = None
    ranks: GeneralisedRanks | None = None
    positive_share: FloatArray | None = None
    calendar: FloatArray | None = None
    position: IntArray | None = None
    security: IntArray | None = None
    length: float | None = None
    overlapping: bool = False


@dataclass(frozen=True, slots=True)
class TestResult:
    """Outcome of one test.

    Parameters
    ----------
    name : str
        Name of the test in ``docs/methods.md``.
    statistic, p_value : float
        Two-sided p-value; both NaN where the test cannot be computed, with the ``reason``.
    df : float
        Degrees of freedom of Student's t; infinite for the normal law, NaN for a law of the test's own.
    null : str
        Null hypothesis.
    n : int
        Security-events used.
    window : Window
        Sessions cumulated.
    valid_under_clustering : bool
        Whether the test keeps its size when events share dates, as they do here: where windows of different dates
        overlap on the calendar, only tests that allow for that too.
    reason : str
        Why there is no statistic; empty where there is one.
    """

    __test__ = False

    name: str
    statistic: float
    p_value: float
    df: float
    null: str
    n: int
    window: Window
    valid_under_clustering: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OwnLaw:
    """Outcome of a test whose p-value is neither Student's nor normal: exact, or from resampling.

    Parameters
    ----------
    statistic, p_value : float
        Two-sided p-value.
    n : int
        Events used.
    """

    statistic: float
    p_value: float
    n: int


Outcome: TypeAlias = tuple[float, float, int] | OwnLaw | str
"""Statistic, degrees of freedom (infinite: normal) and events used; or with its own law; or why there is none."""


@dataclass(frozen=True, slots=True)
class TestSpec:
    """A test of the battery.

    Parameters
    ----------
    name : str
        Name in tables.
    function : callable
        ``TestSample`` to (statistic, df, n), to an :class:`OwnLaw`, or to a sentence that says why there is none.
    null : str
        Null hypothesis.
    valid_under_clustering : bool
        Whether it keeps its size when events share dates.
    source : str
        Paper.
    valid_under_overlap : bool
        Whether it also does when windows of different dates overlap on the calendar.
    """

    __test__ = False

    name: str
    function: Callable[[TestSample], Outcome]
    null: str
    valid_under_clustering: bool
    source: str
    valid_under_overlap: bool = False

    def __call__(self, sample: TestSample) -> TestResult:
        """Outcome on one sample."""
        there = len(sample.car) - int(np.count_nonzero(np.isnan(sample.car)))
        return self.result(self.function(sample), sample.window, there, overlapping=sample.overlapping)

    def result(self, outcome: Outcome, window: Window, there: int, *, overlapping: bool = False) -> TestResult:
        """Outcome with what is known of the test; ``there`` events have a CAR."""
        if isinstance(outcome, str):
            statistic, df, n, reason = float("nan"), float("nan"), there, outcome
            p_value = float("nan")
        elif isinstance(outcome, OwnLaw):
            statistic, p_value, n = outcome.statistic, outcome.p_value, outcome.n
            df, reason = float("nan"), ""
        else:
            statistic, df, n = outcome
            reason = ""
            p_value = float(t_p_value(np.array([statistic]), np.array([df]))[0])
        return TestResult(
            self.name,
            statistic,
            p_value,
            df,
            self.null,
            n,
            window,
            self.valid_under_clustering and (self.valid_under_overlap or not overlapping),
            reason,
        )


TESTS: dict[str, TestSpec] = {}
"""The battery, in the order of ``docs/methods.md``."""


def register(
    name: str, *, null: str, valid_under_clustering: bool, source: str, valid_under_overlap: bool = False
) -> Callable[[Callable[[TestSample], Outcome]], Callable[[TestSample], Outcome]]:
    """Decorator that enters a test function into :data:`TESTS`."""

    def enter(function: Callable[[TestSample], Outcome]) -> Callable[[TestSample], Outcome]:
        TESTS[name] = TestSpec(name, function, null, valid_under_clustering, source, valid_under_overlap)
        place = {known: at for at, known in enumerate(ORDER)}
        ordered = sorted(TESTS.items(), key=lambda item: place.get(item[0], len(ORDER)))
        TESTS.clear()
        TESTS.update(ordered)
        return function

    return enter


def run_tests(sample: TestSample, *, clustered: bool) -> list[TestResult]:
    """Every test of the battery; where events share dates, those that allow for it come first."""
    results = [spec(sample) for spec in TESTS.values()]
    return sorted(results, key=lambda result: not result.valid_under_clustering) if clustered else results


def tests_frame(results: Sequence[TestResult]) -> pd.DataFrame:
    """Frame of test results, indexed by test name."""
    columns = ["statistic", "p_value", "df", "n", "null", "valid_under_clustering", "reason"]
    rows = [[getattr(result, column) for column in columns] for result in results]
    return pd.DataFrame(rows, columns=columns, index=pd.Index([result.name for result in results], name="test"))
