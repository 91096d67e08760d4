"""Download daily Yahoo prices into your cache: ``refresh_cache.py MSFT NVDA SPY --start 2023-12-01``."""

from __future__ import annotations

import argparse
import sys

from eventstudy.data import PriceCache, load_prices
from eventstudy.errors import EventStudyError


def main(argv: list[str] | None = None) -> int:
    """Fetch the tickers named; returns 0, or 1 when some could not be had (the others are kept)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tickers", nargs="+")
    parser.add_argument("--start", help="first date, YYYY-MM-DD; default: the beginning")
    parser.add_argument("--end", help="last date, YYYY-MM-DD; default: today")
    parser.add_argument("--cache", help="directory; default: $EVENTSTUDY_CACHE, else the user's cache")
    options = parser.parse_args(argv)
    cache = PriceCache(options.cache)
    try:
        prices = load_prices(options.tickers, options.start, options.end, source="yahoo", cache=cache, refresh=True)
    except EventStudyError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"{prices.info[['currency', 'first', 'last', 'rows']].to_string()}\n{cache.directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
