"""Where numbers come from: providers, cache, calendars and the bundled sample."""

from __future__ import annotations

from eventstudy.data.bars import Bars
from eventstudy.data.cache import PriceCache
from eventstudy.data.crsp import read_crsp
from eventstudy.data.factors import Factors, load_factors
from eventstudy.data.failures import Failure
from eventstudy.data.folder import FolderProvider
from eventstudy.data.french import FrenchLibrary
from eventstudy.data.prices import Prices, load_prices
from eventstudy.data.providers import FileProvider, FrameProvider, PriceProvider
from eventstudy.data.quality import QualityReport, QualityRules, bars_quality
from eventstudy.data.sample import SampleProvider
from eventstudy.data.sql import SqlProvider, read_sql
from eventstudy.data.yahoo import YahooProvider

__all__ = [
    "Bars",
    "Factors",
    "Failure",
    "FileProvider",
    "FolderProvider",
    "FrameProvider",
    "FrenchLibrary",
    "PriceCache",
    "PriceProvider",
    "Prices",
    "QualityReport",
    "QualityRules",
    "SampleProvider",
    "SqlProvider",
    "YahooProvider",
    "bars_quality",
    "load_factors",
    "load_prices",
    "read_crsp",
    "read_sql",
]
