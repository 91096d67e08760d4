"""Which test to read, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eventstudy._typing import FloatArray
from eventstudy.inference.base import TestResult
from eventstudy.inference.dependence import SharedDates

__all__ = ["Recommendation", "recommendation"]

_FEW_EVENTS = 3  # below it the cross-section says nothing about its own spread
_SKEWED = 1.0
_RANK_EVENTS = 30  # with fewer, the spread that rescales SCARs is too noisy for ranks
_DATES = 10  # dates that make a test of date means worth having


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The test to read for one window.

    Parameters
    ----------
    name : str
        Name of the test.
    reason : str
        Why this one, in a sentence.
    result : TestResult
        Its outcome.
    """

    name: str
    reason: str
    result: TestResult

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def recommendation(results: Sequence[TestResult], scar: FloatArray, shared: SharedDates) -> Recommendation:
    """The test to read, by number of events, shared dates, variance increase and skewness.

    Parameters
    ----------
    results : sequence of TestResult
        The battery on one window.
    scar : ndarray of float64, shape (n,)
        Standardised CARs of the window; NaN for an event that does not count.
    shared : SharedDates
        How event dates are shared.

    Notes
    -----
    Fewer than three events: ``time_series_t``, which takes its spread from the estimation window and leaves the
    parameters' error out. Windows of different dates that overlap: ``calendar_portfolio_t``. Shared dates:
    ``cluster_t`` with ten dates or more; otherwise ``bmp_t_adj``, or with thirty events or more ``grank_t`` for
    several dates or skewed SCARs. No shared dates: ``bmp_t``, or ``grank_t`` by the same rule. The next of the
    list stands in for a test without an answer. Patell's z is never chosen: that the event leaves the variance alone
    cannot be known beforehand.
    """
    x = scar[~np.isnan(scar)]
    n = len(x)
    centred = x - x.mean() if n else x
    spread = float((centred**2).mean()) if n else 0.0
    skewness = float((centred**3).mean() / spread**1.5) if spread > 0.0 else 0.0
    shape = f"skewness of SCAR {skewness:.1f}".replace("-", "−")
    skewed = abs(skewness) > _SKEWED
    unusual = skewed and n >= _RANK_EVENTS
    rank = f"{n} events, {shape}: ranks do not need normal returns"
    mean = f"{n} events, {shape}: a mean of standardised returns is close enough to normal"
    if n:
        increase = f"mean squared SCAR {float((x**2).mean()):.1f} (1 without a variance increase), which it allows for"
        rank, mean = f"{rank}; {increase}", f"{mean}; {increase}"
    dates = f"{shared.n_events} events share {shared.n_dates} date{'s' if shared.n_dates > 1 else ''}"
    if shared.overlapping:
        dates = f"windows of {shared.n_events} events on {shared.n_dates} dates overlap on the calendar"
    choices: list[tuple[str, str]] = []
    if n < _FEW_EVENTS:
        few = (
            f"{n} event{'s' if n != 1 else ''}: too few for a cross-sectional spread, so that of the estimation window"
        )
        choices.append(("time_series_t", few))
    if shared.overlapping:
        adds_up = "abnormal returns are added up by session of the calendar, whatever their correlation"
        choices = [("calendar_portfolio_t", f"{dates}: {adds_up}")]
    elif shared.clustered:
        if shared.n_dates >= _DATES:
            choices.append(("cluster_t", f"{dates}: their mean CARs are tested by date, whatever their correlation"))
        adjusted = [("grank_t", f"{dates}, which ranks over time allow for; {rank}")]
        adjusted.append(("bmp_t_adj", f"{dates}, and it is adjusted for their correlation; {mean}"))
        # on several dates the adjustment counts correlation that the CARs do not share, and costs power
        ranks_first = unusual or (shared.n_dates > 1 and n >= _RANK_EVENTS)
        choices += adjusted if ranks_first else adjusted[::-1]
    else:
        plain = [("grank_t", rank), ("bmp_t", mean)]
        choices += plain if unusual else plain[::-1]
    choices.append(("time_series_t", "the others have no answer"))
    found = {result.name: result for result in results}
    for name, reason in choices:
        if name in found and not np.isnan(found[name].statistic):
            return Recommendation(name, f"{reason}.", found[name])
    name = choices[0][0]
    return Recommendation(name, f"no test has an answer: {found[name].reason}.", found[name])
