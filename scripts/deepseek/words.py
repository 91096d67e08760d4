"""Numbers of the results as short sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pandas as pd

import eventstudy as es
from deepseek.design import Study
from eventstudy._render import money, number, p_value, percent

LEVEL = 0.05
Row: TypeAlias = dict[str, Any]


def by(frame: pd.DataFrame, column: str) -> dict[Any, Row]:
    """Rows of a table by the value of one of its columns."""
    return {row[column]: {str(name): value for name, value in row.items()} for row in frame.to_dict("records")}


def p_text(value: object) -> str:
    """``p = 0.123``, or ``p < 0.001``."""
    shown = p_value(value)
    return f"p < {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


def row_of(res: es.EventStudyResults, ticker: str, window: es.Window) -> Row:
    """CAR of one security over a window, with p-values corrected for all that were looked at."""
    return by(res.car(window, adjusted=True), "ticker")[ticker]


def with_p(row: Row) -> str:
    """``−3.10 % (p = 0.228)``."""
    return f"{percent(row['car'])} ({p_text(row['p_value'])})"


def interval_of(row: Row | pd.Series[Any], name: str = "car") -> str:
    """``−3.10 % [−8.15 %, +1.95 %]``."""
    return f"{percent(row[name])} [{percent(row['ci_lower'])}, {percent(row['ci_upper'])}]"


def with_interval(row: Row, name: str = "car") -> str:
    """``−3.10 % [−8.15 %, +1.95 %], p = 0.228``."""
    return f"{interval_of(row, name)}, {p_text(row['p_value'])}"


def share(value: float, digits: int = 1) -> str:
    """``78.1 %``."""
    return percent(value, digits).lstrip("+")


def level_of(study: Study) -> str:
    """Level of the intervals: ``95 %``."""
    return share(study.plain.study.confidence, 0)


def spelled(count: int) -> str:
    """Whole numbers to ten as words."""
    return ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"][count]


def tests_that_hold(res: es.EventStudyResults, window: es.Window) -> pd.Series[float]:
    """P-values of the tests that allow for a shared date.

    On one date the calendar-time portfolio is the time-series test, which must not count twice.
    """
    tests = res.tests(window).drop(index="calendar_portfolio_t")
    held: pd.Series[float] = tests.loc[tests["valid_under_clustering"], "p_value"].dropna()
    return held


def dollars(row: Row) -> str:
    """``−72 bn to +38 bn dollars``, the interval."""
    low, high = (("+" if row[name] > 0 else "") + money(row[name], 0) for name in ("ci_lower", "ci_upper"))
    return f"{low} to {high} dollars"


def agreed(p_values: Sequence[float]) -> str:
    """``yes`` if all estimations reject at 5 %, ``no`` if none does, ``mixed`` otherwise."""
    small = [p < LEVEL for p in p_values]
    return "yes" if all(small) else "mixed" if any(small) else "no"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``; ``none``."""
    if not names:
        return "none"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def times(ratio: float) -> str:
    """``16.7 times``."""
    return f"{number(ratio, 1)} times"
