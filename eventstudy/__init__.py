"""Event studies in finance: abnormal returns, exact forecast errors, and tests that survive shared event dates."""

from importlib.metadata import PackageNotFoundError, version

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
from eventstudy.models import FactorModel, MarketAdjusted, MarketModel, MeanAdjusted
from eventstudy.panel import ReturnPanel
from eventstudy.rejection import SimulationResults
from eventstudy.results import EventStudyResults
from eventstudy.shares import SharesOutstanding
from eventstudy.simulate import simulate
from eventstudy.study import EventStudy
from eventstudy.synthetic import SyntheticPanel
from eventstudy.windows import Window

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
    "DroppedEventsWarning",
    "EventCalendar",
    "EventStudy",
    "EventStudyError",
    "EventStudyResults",
    "EventStudyWarning",
    "Events",
    "FactorModel",
    "InputError",
    "InsufficientDataError",
    "MarketAdjusted",
    "MarketImpact",
    "MarketModel",
    "MeanAdjusted",
    "Prices",
    "ReturnPanel",
    "SharesOutstanding",
    "SimulationResults",
    "SyntheticPanel",
    "ThinWindowWarning",
    "Window",
    "WindowError",
    "__version__",
    "compare",
    "load_prices",
    "simulate",
]
