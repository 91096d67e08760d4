"""Offline never touches the network: in a process in which every attempt to do so is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from eventstudy.data import Bars, PriceCache, SampleProvider

PROGRAM = """
import sys

def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}:
        raise AssertionError(f"the network was touched: {event} {arguments}")

sys.addaudithook(refuse)

import eventstudy as es
from eventstudy.data import load_factors
from eventstudy.data.yahoo_facts import dated_facts

span = {"start": "2023-12-01", "end": "2025-02-28", "source": "yahoo"}
for options in ({"offline": True}, {"snapshot": "now"}, {}):  # what is covered needs no network in any case
    prices = es.load_prices(["MSFT", "SPY"], **span, **options)
    assert prices.shape == (311, 2) and (prices.info["provider"] == "yahoo").all()
panel = es.ReturnPanel.from_prices(prices)
events = es.Events.at("2025-01-29 16:05", ["MSFT"], tz="America/New_York")
assert len(es.EventStudy(panel, events, es.MarketModel("SPY")).fit()) == 1
for ask in (
    lambda: es.load_prices(["AAPL"], **span, offline=True),
    lambda: es.load_prices(["MSFT"], "2020-01-02", "2025-02-28", "yahoo", offline=True),
    lambda: load_factors("ff3", offline=True),
    lambda: dated_facts("MSFT", offline=True),
    lambda: es.load_prices(["MSFT"], source="postgresql://127.0.0.1/db?table=prices", offline=True),
):
    try:
        ask()
    except es.DataSourceError as error:
        print(type(error).__name__)
    else:
        raise AssertionError("nothing was missing")
# curl opens its connections behind Python's back: so nothing that could call it may be there
clients = {"yfinance", "curl_cffi", "requests", "urllib3", "http.client"} & set(sys.modules)
assert not clients, clients
"""


def test_nothing_touches_the_network_offline(tmp_path: Path) -> None:
    cache = PriceCache(tmp_path / "cache")
    for symbol, bars in SampleProvider().fetch(["MSFT", "SPY"], None, None).items():
        held = Bars(bars.frame, bars.basis, currency="USD", tz="America/New_York", fetched_at="2026-01-01T00:00:00Z")
        cache.write("yahoo", symbol, held, start="2023-12-01", end="2025-02-28")
    cache.snapshot("now")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={**os.environ, "EVENTSTUDY_CACHE": str(cache.directory)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["CacheMissError"] * 4 + ["DataSourceError"]
