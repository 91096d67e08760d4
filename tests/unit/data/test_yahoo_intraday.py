"""Bars within the day through yfinance: moments and zone, several requests for one range, the cache and its tail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from eventstudy.data import PriceCache, load_prices
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyWarning

ZONE = "America/New_York"


def bars(days: list[str], minutes: int, zone: str = ZONE, first: str = "09:30") -> pd.DataFrame:
    """Numbered closes of whole sessions of six and a half hours."""
    parts = [pd.date_range(f"{day} {first}", periods=390 // minutes, freq=f"{minutes}min", tz=zone) for day in days]
    index = parts[0].append(parts[1:]).as_unit("us")
    return pd.DataFrame({"close": 100.0 + np.arange(len(index)) / 100}, index)


def asked_days(yahoo, symbol: str) -> list[tuple[str, str]]:
    """First and last day of each request, both inclusive."""
    spans = []
    for query in yahoo.asked(symbol):
        first, last = (datetime.fromtimestamp(int(query[name]), UTC) for name in ("period1", "period2"))
        spans.append((f"{first:%m-%d}", f"{last - timedelta(days=1):%m-%d}"))
    return spans


def test_moments_are_those_at_which_bars_open_in_the_zone_of_the_exchange(yahoo, make_provider, tmp_path) -> None:
    frame = bars(["2025-01-06", "2025-01-07"], 30)
    frame["dividends"] = 0.0
    frame.iloc[13, 1] = 0.5  # on the first bar of the second day
    yahoo.put("A", frame)
    prices = load_prices("A", "2025-01-06", "2025-01-07", make_provider(), interval="30m", cache=tmp_path)
    assert prices.interval == "30m"
    assert prices.index.name == "time"
    assert str(prices.index.tz) == ZONE
    assert [f"{moment:%m-%d %H:%M}" for moment in prices.index[[0, 12, 13, -1]]] == [
        "01-06 09:30", "01-06 15:30", "01-07 09:30", "01-07 15:30",
    ]  # fmt: skip
    # Earlier bars are multiplied by 1 - 0.5 / 100.12, the close before the dividend.
    expected = frame["close"].to_numpy() * np.where(np.arange(26) < 13, 1 - 0.5 / 100.12, 1.0)
    np.testing.assert_allclose(prices["A"], expected, rtol=1e-12)
    assert prices.info.loc["A", ["currency", "tz"]].tolist() == ["USD", ZONE]
    assert "adj_close" not in PriceCache(tmp_path).read("yahoo", "A", "30m").frame  # Yahoo has none
    offline = load_prices("A", "2025-01-06", "2025-01-07", "yahoo", interval="30m", cache=tmp_path, offline=True)
    assert offline.equals(prices)


def test_minutes_are_asked_for_week_by_week_and_joined(yahoo, make_provider, tmp_path) -> None:
    days = [f"2025-01-{day:02d}" for day in (6, 7, 8, 10, 13, 14, 15, 16, 17, 21)]
    frame = bars(days, 1)
    yahoo.put("A", frame)
    prices = load_prices("A", "2025-01-06", "2025-01-26", make_provider(), interval="1m", cache=tmp_path)
    assert asked_days(yahoo, "A") == [("01-06", "01-12"), ("01-13", "01-19"), ("01-20", "01-26")]
    assert prices["A"].tolist() == frame["close"].tolist()
    assert prices.index.is_monotonic_increasing
    # A week without a session is none without prices.
    yahoo.put("B", bars(["2025-01-06", "2025-01-21"], 1))
    assert len(load_prices("B", "2025-01-06", "2025-01-26", make_provider(), interval="1m", cache=tmp_path)) == 780
    with pytest.raises(DataSourceError, match="B: no prices from 2025-02-01 to 2025-02-20"):
        load_prices("B", "2025-02-01", "2025-02-20", make_provider(), interval="1m", cache=tmp_path / "other")


def test_daily_and_intraday_bars_lie_beside_each_other(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", bars(["2025-01-06"], 30))
    load_prices("A", "2025-01-06", "2025-01-06", make_provider(), interval="30m", cache=tmp_path)
    yahoo.put("A", closes(10, 11))
    load_prices("A", "2025-01-06", "2025-01-07", make_provider(), cache=tmp_path)
    cache = PriceCache(tmp_path)
    assert sorted(key[1] for key in cache.entries()) == ["1d", "30m"]
    assert cache.verify()["ok"].tolist() == [True, True]
    with pytest.raises(CacheMissError, match=r"eventstudy fetch A --start 2025-01-06 --interval 5m"):
        load_prices("A", "2025-01-06", source="yahoo", interval="5m", cache=tmp_path, offline=True)
    with pytest.raises(CacheMissError, match=r"Run `eventstudy fetch B --interval 5m`"):
        cache.read("yahoo", "B", "5m")


def test_only_the_last_days_are_asked_for_again(yahoo, make_provider, tmp_path) -> None:
    days = [f"2025-01-{day:02d}" for day in (6, 7, 8, 10, 13, 14, 15, 16, 17, 21)]
    frame = bars(days, 30)
    yahoo.put("A", frame)
    load_prices("A", "2025-01-06", "2025-01-16", make_provider(), interval="30m", cache=tmp_path)
    yahoo.requests.clear()
    prices = load_prices("A", "2025-01-06", "2025-01-21", make_provider(), interval="30m", cache=tmp_path)
    assert asked_days(yahoo, "A") == [("01-14", "01-21")]  # three days of overlap
    assert prices["A"].tolist() == frame["close"].tolist()
    yahoo.put("A", frame / 2)
    yahoo.requests.clear()
    with pytest.warns(EventStudyWarning, match=r"A: closes are 0\.5 times those cached: a split 2:1"):
        prices = load_prices("A", "2025-01-06", "2025-01-24", make_provider(), interval="30m", cache=tmp_path)
    assert asked_days(yahoo, "A") == [("01-16", "01-24"), ("01-06", "01-24")]
    assert prices["A"].tolist() == (frame["close"] / 2).tolist()


def test_a_range_that_yahoo_no_longer_has_says_so(yahoo, make_provider, tmp_path) -> None:
    from fake_yahoo import Answer

    text = b'{"chart": {"result": null, "error": {"code": "Unprocessable Entity", "description": "60 days at most"}}}'
    yahoo.always["A"] = Answer(422, text)
    with pytest.raises(
        DataSourceError, match=r"A: Yahoo does not have this range \(HTTP 422: 60 days at most\)"
    ) as err:
        load_prices("A", "2020-01-06", "2020-01-07", make_provider(), interval="5m", cache=tmp_path)
    assert err.value.failures["A"].kind == "not covered"


def test_a_bar_still_open_is_left_out(yahoo, make_provider) -> None:
    frame = bars(["2025-01-06"], 30)
    close = int(pd.Timestamp("2025-01-06 16:00", tz=ZONE).timestamp())
    regular = {"timezone": "EST", "gmtoffset": -18000, "start": close - 23400, "end": close}
    yahoo.put("A", frame, currentTradingPeriod={name: dict(regular) for name in ("pre", "regular", "post")})
    day = datetime(2025, 1, 6, tzinfo=UTC).date()
    for minutes_before, rows in ((10, 12), (-1, 13)):
        provider = make_provider(clock=lambda at=close - 60 * minutes_before: at)
        assert len(provider.fetch(["A"], day, day, "30m")["A"].frame) == rows, minutes_before
