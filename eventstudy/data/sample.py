"""The bundled sample: adjusted closes of 20 US tickers around January 2025, and dated facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from eventstudy.data.bars import Bars
from eventstudy.data.cache import MANIFEST, PriceCache
from eventstudy.data.providers import unknown_ticker
from eventstudy.errors import DataSourceError

__all__ = ["SampleProvider", "directory", "known_events", "shares", "tickers"]


def directory() -> Path:
    """Where the sample is: inside an installed wheel, else the repository's ``data/cache``.

    Raises
    ------
    DataSourceError
        Neither is there.
    """
    here = Path(__file__).resolve().parent
    places = [here / "_sample", here.parents[1] / "data" / "cache"]
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    raise DataSourceError(
        f"the bundled sample is missing; looked in {' and '.join(map(str, places))}.",
        remedy="Reinstall the package.",
    )


def tickers() -> list[str]:
    """Tickers of the sample, sorted.

    Examples
    --------
    >>> len(tickers())
    20
    """
    return sorted(symbol for _, _, symbol in PriceCache(directory()).entries())


def known_events() -> pd.DataFrame:
    """Dated public facts around January 2025: earnings, policy, AI news.

    Returns
    -------
    pandas.DataFrame
        Columns ``date`` (naive midnight), ``time_et`` (``HH:MM`` or empty), ``timing``, ``scope`` (a
        ticker, ``sector`` or ``market``), ``label``, ``certainty``.
    """
    frame = pd.read_csv(directory() / "known_events.csv", dtype=str, keep_default_na=False)
    frame["date"] = pd.to_datetime(frame["date"], format="%Y-%m-%d")
    return frame


def shares() -> pd.DataFrame:
    """Shares outstanding and the last traded close before the article, for market-value impact.

    Returns
    -------
    pandas.DataFrame
        Index ``ticker``; columns ``shares_millions`` (float), ``as_of`` (date), ``close_2025_01_28_usd``
        (float, traded price), ``basis``, ``certainty``.
    """
    frame = pd.read_csv(directory() / "shares.csv", index_col="ticker", parse_dates=["as_of"])
    return frame.astype({"shares_millions": float, "close_2025_01_28_usd": float})


class SampleProvider:
    """Adjusted closes of the bundled sample, 2023-12-01 to 2025-02-28; works offline."""

    name = "sample"

    def fetch(
        self, symbols: Sequence[str], start: date | None, end: date | None, interval: str = "1d"
    ) -> dict[str, Bars]:
        """Bars of ``symbols`` over the whole sample.

        Raises
        ------
        InputError
            A ticker that the sample does not have.
        """
        cache = PriceCache(directory())
        known = {symbol for _, _, symbol in cache.entries()}
        for symbol in symbols:
            if symbol not in known:
                raise unknown_ticker(symbol, known, "the bundled sample")
        return {symbol: cache.read(self.name, symbol, interval) for symbol in symbols}
