"""Paths as users give them: what is none is refused in words, wherever one is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import eventstudy as es
from eventstudy._paths import as_path
from eventstudy.errors import InputError


@pytest.fixture(scope="module")
def res():
    prices = es.load_prices(["MSFT", "NVDA", "SPY"], source="sample")
    events = es.Events.at("2025-01-29", ["MSFT"])
    return es.EventStudy(es.ReturnPanel.from_prices(prices), events, es.MarketModel("SPY")).fit()


ASKS = {
    "to_csv": lambda res, path: res.to_csv(path),
    "to_parquet": lambda res, path: res.to_parquet(path),
    "to_excel": lambda res, path: res.to_excel(path),
    "report": lambda res, path: res.report(path),
    "panel": lambda res, path: res.study.returns.save(path),
    "opened": lambda res, path: es.ReturnPanel.open(path),
    "events": lambda res, path: es.Events.read(path),
    "calendar": lambda res, path: es.EventCalendar.read(path),
    "shares": lambda res, path: es.SharesOutstanding.read(path),
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("path", [None, 5, "", b"x", "a\0b"])
def test_what_is_no_path(res, ask, path):
    with pytest.raises(InputError, match=r"is no path but|names no file"):
        ASKS[ask](res, path)


def test_home(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert as_path("~/study") == Path("/somewhere/study")
    assert as_path(Path("out")) == Path("out")


def test_tickers_that_are_none():
    with pytest.raises(InputError, match="tickers=None is no list of tickers"):
        es.Events.at("2025-01-29", None)
