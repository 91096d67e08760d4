"""Significance tests: arrays in, results out."""

from eventstudy.inference import by_date, parametric, ranks, signs  # enter their tests into the battery
from eventstudy.inference.base import TESTS, OwnLaw, TestResult, TestSample, TestSpec, register, run_tests, tests_frame
from eventstudy.inference.battery import Battery
from eventstudy.inference.by_date import calendar_portfolio, newey_west_t
from eventstudy.inference.dependence import EstimationSummary, SharedDates, estimation_summary, shared_dates
from eventstudy.inference.multiplicity import benjamini_hochberg, holm
from eventstudy.inference.recommend import Recommendation, recommendation
from eventstudy.inference.synthetic import conformal_test, synthetic_placebo

__all__ = [
    "TESTS",
    "Battery",
    "EstimationSummary",
    "OwnLaw",
    "Recommendation",
    "SharedDates",
    "TestResult",
    "TestSample",
    "TestSpec",
    "benjamini_hochberg",
    "by_date",
    "calendar_portfolio",
    "conformal_test",
    "estimation_summary",
    "holm",
    "newey_west_t",
    "parametric",
    "ranks",
    "recommendation",
    "register",
    "run_tests",
    "shared_dates",
    "signs",
    "synthetic_placebo",
    "tests_frame",
]
