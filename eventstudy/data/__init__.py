"""Where numbers come from: providers, cache, calendars and the bundled sample."""

from __future__ import annotations

from eventstudy.data.bars import Bars
from eventstudy.data.cache import PriceCache
from eventstudy.data.prices import Prices, load_prices
from eventstudy.data.providers import FileProvider, FrameProvider, PriceProvider
from eventstudy.data.sample import SampleProvider
from eventstudy.data.yahoo import YahooProvider

__all__ = [
    "Bars",
    "FileProvider",
    "FrameProvider",
    "PriceCache",
    "PriceProvider",
    "Prices",
    "SampleProvider",
    "YahooProvider",
    "load_prices",
]
