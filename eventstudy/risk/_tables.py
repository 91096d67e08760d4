"""Tables of risk and volume that the columns of a study's prices allow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from eventstudy.errors import ClusteredEventsWarning, InputError
from eventstudy.risk.ranges import EstimatorName
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from eventstudy.data.prices import Prices
    from eventstudy.results import EventStudyResults

__all__ = ["risk_tables"]

_RANGES: Final[tuple[EstimatorName, ...]] = ("parkinson", "garman_klass", "yang_zhang")
_BARS: Final = ("open", "high", "low", "close")


def risk_tables(
    res: EventStudyResults, prices: Prices, before: WindowLike, after: WindowLike, windows: Sequence[Window]
) -> dict[str, pd.DataFrame]:
    """See :meth:`eventstudy.risk.Risk.tables`."""
    from eventstudy.data.prices import Prices

    if not isinstance(prices, Prices):
        raise InputError(f"prices is {type(prices).__name__}, not Prices.", remedy="Give those of load_prices(...).")
    found = {"close": res.risk.volatility(before, after)}
    if all(_has(prices, name) for name in _BARS):
        found |= {name: res.risk.volatility(before, after, estimator=name, prices=prices) for name in _RANGES}
    tables = {"volatility": pd.concat(found, names=["estimator"]).reset_index(level=0).reset_index(drop=True)}
    if _has(prices, "volume"):
        from eventstudy.risk.volume import abnormal_volume  # which makes studies itself

        study = res.study
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClusteredEventsWarning)  # the study itself has told of it
            volume = abnormal_volume(
                prices,
                study.events.subset(res.kept),
                estimation_window=study.estimation_window,
                event_window=study.event_window,
                min_obs=study.min_obs,
                calendar=study.calendar,
                missing=study.missing,
                confidence=study.confidence,
                exclude=study.exclude,
                exclude_events=study.exclude_events,
            )
        ratios = {(one.start, one.end): volume.ratio(one) for one in windows}
        table = pd.concat(ratios, names=["start", "end"]).reset_index(level=[0, 1]).reset_index(drop=True)
        tables["abnormal_volume"] = table
    return tables


def _has(prices: Prices, field: str) -> bool:
    try:
        prices.field(field)
    except InputError:
        return False
    return True
