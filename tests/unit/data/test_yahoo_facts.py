"""Earnings dates, dividends, splits and share counts: the real yfinance against a local server."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from fake_yahoo import Answer

import eventstudy as es
from eventstudy.data.yahoo_facts import YahooFacts, dated_facts, share_counts
from eventstudy.errors import CacheMissError, DataSourceError, InputError


@pytest.fixture
def facts(yahoo, monkeypatch, slept) -> YahooFacts:
    """Yahoo's fixed addresses of facts lead to the local server, as the symbols ``earnings:X`` and ``shares:X``."""
    import curl_cffi.requests

    plain = curl_cffi.requests.Session.request

    def request(self, method, url, *args, **kwargs):
        for pattern, name in (
            (r"https://finance\.yahoo\.com/calendar/earnings\?symbol=([^&]+)", "earnings"),
            (
                r"https://query2\.finance\.yahoo\.com/ws/fundamentals-timeseries/.*/timeseries/([^?]+)\?symbol=[^&]+",
                "shares",
            ),
        ):
            url = re.sub(pattern, lambda found, name=name: f"{yahoo.url}/{name}:{found[1]}?x=1", url)
        return plain(self, method, url, *args, **kwargs)

    monkeypatch.setattr(curl_cffi.requests.Session, "request", request)
    return YahooFacts(retries=2, timeout=5.0, sleep=slept.append, jitter=lambda: 0.0)


def earnings(*rows: tuple[str, str]) -> Answer:
    """The table of Yahoo's earnings calendar: date and reported earnings per share."""
    head = "".join(
        f"<th>{name}</th>"
        for name in ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")
    )
    body = "".join(
        f"<tr><td>MSFT</td><td>Microsoft</td><td>{day}</td><td>3.11</td><td>{eps}</td><td>-</td></tr>"
        for day, eps in rows
    )
    return Answer(200, f"<html><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></html>".encode())


def counts(**by_day: float) -> Answer:
    stamps = [
        int(pd.Timestamp(day.replace("d", "").replace("_", "-"), tz="America/New_York").timestamp()) for day in by_day
    ]
    result = {
        "meta": {"symbol": ["MSFT"], "type": ["shares_out"]},
        "timestamp": stamps,
        "shares_out": list(by_day.values()),
    }
    return Answer(200, json.dumps({"timeseries": {"result": [result], "error": None}}).encode())


def test_results_after_the_close_fall_into_the_next_session(yahoo, facts) -> None:
    yahoo.always["earnings:MSFT"] = earnings(
        ("April 30, 2025 at 4 PM EDT", "-"),
        ("January 29, 2025 at 4 PM EST", "3.23"),
        ("October 30, 2024 at 12 AM EDT", "3.3"),
    )
    calendar = es.EventCalendar.from_yahoo("MSFT", kinds=["earnings"], source=facts)
    frame = calendar.to_frame()
    assert frame[["date", "time", "tz", "label", "certainty"]].to_numpy().tolist() == [
        ["2024-10-30", "", "", "quarterly results", "medium"],
        ["2025-01-29", "16:00", "America/New_York", "quarterly results", "medium"],
        ["2025-04-30", "16:00", "America/New_York", "results expected", "low"],
    ]
    assert frame["source"].str.startswith("Yahoo Finance earnings calendar, read 20").all()
    article = es.Events.at("2025-01-29 04:46", "MSFT", tz="America/New_York")
    found = article.confounded_by(calendar, windows=[(0, 0), (0, 1)])
    assert found[["window", "tau", "in_window"]].to_numpy().tolist() == [["[0, 0]", 1, False], ["[0, +1]", 1, True]]


def test_dividends_and_splits_come_with_the_prices(yahoo, facts, make_provider, closes, tmp_path) -> None:
    paid = 1 - 0.83 / 102  # Yahoo's factor for the closes before an ex-date
    bars = closes(100, 102, 99, 101, dividends=[0, 0, 0.83, 0], splits=[0, 0, 0, 4.0])
    bars["adjclose"] = [100 * paid, 102 * paid, 99, 101]
    bars.index = pd.DatetimeIndex(["2025-01-06", "2025-01-07", "2025-01-08", "2025-01-10"]).as_unit("us")
    yahoo.put("DIV", bars)
    yahoo.always["earnings:DIV"] = earnings(
        ("January 8, 2025 at 7 AM EST", "1.0"), ("January 8, 2024 at 7 AM EST", "1.0")
    )
    frame = dated_facts("DIV", "2025-01-06", "2025-01-10", source=facts, provider=make_provider(), cache=tmp_path)
    assert frame[["date", "kind", "label", "certainty"]].to_numpy().tolist() == [
        ["2025-01-08", "ex-dividend", "ex-dividend 0.83", "high"],
        ["2025-01-08", "earnings", "quarterly results", "medium"],
        ["2025-01-10", "split", "split 4 for 1", "high"],
    ]
    again = dated_facts("DIV", "2025-01-06", "2025-01-10", kinds=["split"], cache=tmp_path, offline=True)
    assert again["label"].tolist() == ["split 4 for 1"]
    with pytest.raises(CacheMissError, match="Earnings dates are not cached"):
        dated_facts("DIV", kinds=["earnings"], offline=True)


def test_share_counts_and_what_they_make_a_loss_worth(yahoo, facts, closes) -> None:
    yahoo.put("MSFT", closes(100, 101))
    yahoo.always["shares:MSFT"] = counts(d2025_01_02=7.4e9, d2025_01_03=7.4e9, d2025_01_10=7.5e9)
    table = es.SharesOutstanding.from_yahoo("MSFT", "2025-01-01", "2025-01-31", source=facts)
    frame = table.to_frame()
    assert frame[["as_of", "shares", "certainty"]].to_numpy().tolist() == [
        [pd.Timestamp("2025-01-02"), 7.4e9, "medium"],
        [pd.Timestamp("2025-01-10"), 7.5e9, "medium"],
    ]
    assert table.in_force(["MSFT", "MSFT"], ["2025-01-09", "2025-01-10"])["shares"].tolist() == [7.4e9, 7.5e9]
    assert frame["close"].isna().all()


def test_yahoo_is_asked_again_when_it_is_busy(yahoo, facts, slept) -> None:
    # yfinance itself asks twice, with another cookie, before it gives up
    yahoo.script["earnings:MSFT"] = [Answer(429, headers={"Retry-After": "7"})] * 2 + [Answer(503)] * 2
    yahoo.always["earnings:MSFT"] = earnings(("January 29, 2025 at 4 PM EST", "3.23"))
    assert facts.earnings("MSFT")["date"].tolist() == ["2025-01-29"]
    assert slept == [7.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "message", "waits"),
    [
        (Answer(500), r"could not answer for MSFT: server error \(HTTP 500\) \(3 attempts\)", 2),
        (Answer(429, headers={"Retry-After": "600"}), r"rate limited \(HTTP 429\), asks to wait 600 s", 0),
        (Answer(404), r"refused the question about MSFT \(HTTP 404\)", 0),
        (Answer(200, b"<html>no table</html>"), "lists no earnings dates of MSFT", 0),
        (Answer(200, b"<html><table><tr><th>A</th></tr><tr><td>1</td></tr></table></html>"), "cannot be read", 0),
        (Answer(drop=True), r"connection failed", 2),
    ],
)
def test_every_failure_says_what_it_was(yahoo, facts, slept, answer, message, waits) -> None:
    yahoo.always["earnings:MSFT"] = answer
    with pytest.raises(DataSourceError, match=message):
        facts.earnings("MSFT")
    assert len(slept) == waits
    with pytest.raises(DataSourceError, match=r"earnings dates of 1 of 1 tickers: .*MSFT.*from a CSV"):
        dated_facts("MSFT", kinds=["earnings"], source=facts)


def test_counts_that_are_not_there(yahoo, facts, closes) -> None:
    yahoo.put("MSFT", closes(100, 101))
    yahoo.always["shares:MSFT"] = Answer(
        200, json.dumps({"timeseries": {"result": [{"meta": {}}], "error": None}}).encode()
    )
    with pytest.raises(DataSourceError, match="no share count of MSFT in this range"):
        share_counts("MSFT", source=facts)
    yahoo.always["shares:MSFT"] = Answer(200, json.dumps({"finance": {"error": {"code": "Bad Request"}}}).encode())
    with pytest.raises(DataSourceError, match="cannot be read"):
        share_counts("MSFT", source=facts)


def test_questions_that_cannot_be_asked(facts, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"kinds=.*'merger'"):
        dated_facts("MSFT", kinds=["merger"])
    with pytest.raises(InputError, match="no ticker"):
        share_counts([])
    with pytest.raises(DataSourceError, match="not a Yahoo symbol"):
        facts.earnings("MS FT")
    monkeypatch.setenv("EVENTSTUDY_OFFLINE", "1")
    with pytest.raises(CacheMissError):
        share_counts("MSFT", source=facts)
