"""Event studies in finance: abnormal returns, exact forecast errors, and tests that survive shared event dates."""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from eventstudy.compare import Comparison, compare
from eventstudy.data import Prices, load_prices
from eventstudy.errors import (
    AlignmentError,
    CacheMissError,
    ClusteredEventsWarning,
    ConvergenceError,
    DataSourceError,
    DroppedEventsWarning,
    EventStudyError,
    EventStudyWarning,
    InputError,
    InsufficientDataError,
    ThinWindowWarning,
    WindowError,
)
from eventstudy.event_calendar import EventCalendar
from eventstudy.events import Events
from eventstudy.impact import MarketImpact
from eventstudy.models import (
    Dimson,
    EWMAMarketModel,
    FactorModel,
    GARCHMarketModel,
    LatentFactors,
    MarketAdjusted,
    MarketModel,
    MeanAdjusted,
    NormalReturnModel,
    PeerPortfolio,
    RobustMarketModel,
    RollingMarketModel,
    ScholesWilliams,
    SyntheticControl,
)
from eventstudy.panel import ReturnPanel
from eventstudy.rejection import SimulationResults
from eventstudy.results import EventStudyResults
from eventstudy.shares import SharesOutstanding
from eventstudy.simulate import simulate
from eventstudy.study import EventStudy
from eventstudy.synthetic import SyntheticPanel
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy import risk, spillover
else:

    def __getattr__(name: str):
        """``es.risk`` and ``es.spillover``, imported when they are first asked for."""
        if name in ("risk", "spillover"):
            return importlib.import_module(f"eventstudy.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


try:
    __version__ = version("abnormal-returns")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

__all__ = [
    "AlignmentError",
    "CacheMissError",
    "ClusteredEventsWarning",
    "Comparison",
    "ConvergenceError",
    "DataSourceError",
    "Dimson",
    "DroppedEventsWarning",
    "EWMAMarketModel",
    "EventCalendar",
    "EventStudy",
    "EventStudyError",
    "EventStudyResults",
    "EventStudyWarning",
    "Events",
    "FactorModel",
    "GARCHMarketModel",
    "InputError",
    "InsufficientDataError",
    "LatentFactors",
    "MarketAdjusted",
    "MarketImpact",
    "MarketModel",
    "MeanAdjusted",
    "NormalReturnModel",
    "PeerPortfolio",
    "Prices",
    "ReturnPanel",
    "RobustMarketModel",
    "RollingMarketModel",
    "ScholesWilliams",
    "SharesOutstanding",
    "SimulationResults",
    "SyntheticControl",
    "SyntheticPanel",
    "ThinWindowWarning",
    "Window",
    "WindowError",
    "__version__",
    "compare",
    "load_prices",
    "risk",
    "simulate",
    "spillover",
]
