"""Build ``data/cache``: ``build_sample.py PRICES.csv EVENTS.csv SHARES.csv``; PRICES: wide, adjusted.

The bytes depend on the numbers (and the pyarrow version) only, so building twice gives the same checksums.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd

from eventstudy.data.bars import Bars
from eventstudy.data.cache import PriceCache
from eventstudy.data.providers import FileProvider

TARGET = Path(__file__).resolve().parents[1] / "data" / "cache"
RECORDED = "2026-11-23T00:00:00Z"
PROVENANCE = (
    "Yahoo Finance adjusted closes (adjusted as of mid-2026) as recorded in the public repository "
    "dsturdy/Factor_Attribution_5_csvs (commits d4cbf2bc, a2af689c), read one series at a time and retyped. "
    "Adjusted closes are not traded prices."
)


def main(prices: str, events: str, shares: str, target: str | Path = TARGET) -> int:
    """Write the sample below ``target``; returns the exit code."""
    target = Path(target)
    symbols = [str(c) for c in pd.read_csv(prices, nrows=0).columns[1:]]
    cache = PriceCache(target)
    cache.clear()
    for symbol, bars in FileProvider(prices).fetch(symbols, None, None).items():
        first, last = (f"{bars.frame.index[i]:%Y-%m-%d}" for i in (0, -1))
        stored = Bars(
            bars.frame,
            "adjusted close",
            currency="USD",
            tz="America/New_York",
            fetched_at=RECORDED,
            note=PROVENANCE,
        )
        cache.write("sample", symbol, stored, start=first, end=last)
    (target / "manifest.lock").unlink(missing_ok=True)
    shutil.copyfile(events, target / "known_events.csv")
    shutil.copyfile(shares, target / "shares.csv")
    sys.stdout.write(f"{len(symbols)} tickers in {target}\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
