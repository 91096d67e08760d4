"""Significance tests: arrays in, results out."""

from eventstudy.inference import parametric  # enters its tests into the battery
from eventstudy.inference.base import TESTS, TestResult, TestSample, TestSpec, run_tests, tests_frame
from eventstudy.inference.dependence import EstimationSummary, SharedDates, estimation_summary, shared_dates
from eventstudy.inference.multiplicity import benjamini_hochberg, holm

__all__ = [
    "TESTS",
    "EstimationSummary",
    "SharedDates",
    "TestResult",
    "TestSample",
    "TestSpec",
    "benjamini_hochberg",
    "estimation_summary",
    "holm",
    "parametric",
    "run_tests",
    "shared_dates",
    "tests_frame",
]
