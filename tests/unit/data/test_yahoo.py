"""The Yahoo provider against a local server in Yahoo's chart format: numbers, adjustment and every failure."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_yahoo import Answer

from eventstudy.data import PriceCache, load_prices
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyWarning, InputError

# Toy prices lie on a day of mourning, and some are odd on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:The prices look damaged")

# Ex-dates and amounts from the companies' dividend histories, on the split basis after June 2024.
MSFT_DIVIDENDS = {
    "2023-08-16": 0.68, "2023-11-15": 0.75, "2024-02-14": 0.75, "2024-05-15": 0.75, "2024-08-15": 0.75,
    "2024-11-21": 0.83, "2025-02-20": 0.83,
}  # fmt: skip
NVDA_DIVIDENDS = {
    "2023-06-07": 0.004, "2023-09-06": 0.004, "2023-12-05": 0.004, "2024-03-05": 0.004, "2024-06-11": 0.01,
    "2024-09-12": 0.01, "2024-12-05": 0.01,
}  # fmt: skip
DAYS = ("2025-01-06", "2025-01-10")


def test_dividend_and_split_by_hand(yahoo, make_provider, closes, tmp_path) -> None:
    # 2 paid on the third day after a close of 102: factor 1 - 2/102 = 50/51. Closes are split-adjusted already.
    frame = closes(
        100, 102, 99, 101, 101, dividends=[0, 0, 2.0, 0, 0], splits=[0, 0, 0, 4.0, 0],
        adjclose=[100 * 50 / 51, 100, 99, 101, 101],
    )  # fmt: skip
    yahoo.put("DIV", frame)
    prices = load_prices("DIV", *DAYS, source=make_provider(), cache=tmp_path)
    np.testing.assert_allclose(prices["DIV"], [5000 / 51, 100.0, 99.0, 101.0, 101.0], rtol=1e-14)
    assert prices.field("close")["DIV"].tolist() == [100, 102, 99, 101, 101]
    assert prices.field("dividends")["DIV"].tolist() == [0, 0, 2, 0, 0]
    assert prices.field("splits")["DIV"].tolist() == [0, 0, 0, 4, 0]
    assert prices.info.loc["DIV", ["provider", "basis", "currency"]].tolist() == [
        "yahoo", "close + dividends", "USD",
    ]  # fmt: skip
    assert list(prices.index) == list(frame.index)


@pytest.mark.parametrize(
    ("ticker", "dividends", "splits"),
    [("MSFT", MSFT_DIVIDENDS, {}), ("NVDA", NVDA_DIVIDENDS, {"2024-06-10": 10.0})],
)
def test_real_series_agree_with_the_vendors_own_adjustment(
    yahoo, make_provider, full_prices, tmp_path, ticker, dividends, splits
) -> None:
    frame = full_prices.query("ticker == @ticker and date <= '2025-02-28'").set_index("date")
    frame = frame.assign(adjclose=frame["adj_close"], dividends=0.0, splits=0.0)
    for name, paid in (("dividends", dividends), ("splits", splits)):
        for day, amount in paid.items():
            frame.loc[day, name] = amount
    yahoo.put(ticker, frame)
    prices = load_prices(ticker, "2023-06-01", "2025-02-28", source=make_provider(), cache=tmp_path)
    ours, theirs = prices[ticker].pct_change(), frame["adj_close"].pct_change()
    # The file's closes have 6 decimals and NVDA's early ones are below 50: 1e-6/40 twice, and Yahoo's own rounding.
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert prices.field("volume").loc["2025-01-27", ticker] == frame.loc["2025-01-27", "volume"]


@pytest.mark.parametrize(
    ("symbol", "currency", "zone", "days"),
    [
        ("BRK-B", "USD", "America/New_York", ["2025-01-06", "2025-01-07", "2025-01-08"]),
        ("^GSPC", "USD", "America/New_York", ["2025-01-06", "2025-01-07", "2025-01-08"]),
        ("7203.T", "JPY", "Asia/Tokyo", ["2025-01-06", "2025-01-07", "2025-01-08"]),
        ("BTC-USD", "USD", "UTC", ["2025-01-04", "2025-01-05", "2025-01-06"]),  # from a Saturday on
        ("VOD.L", "GBp", "Europe/London", ["2025-01-06", "2025-01-07", "2025-01-08"]),
    ],
)
def test_symbols_of_every_kind_with_currency_and_zone(
    yahoo, make_provider, tmp_path, symbol, currency, zone, days
) -> None:
    index = pd.DatetimeIndex(days).as_unit("us")
    meta = {"currency": currency, "exchangeTimezoneName": zone}
    yahoo.put(symbol, pd.DataFrame({"close": [100.0, 110.0, 99.0]}, index), **meta)
    prices = load_prices(symbol, days[0], days[-1], source=make_provider(), cache=tmp_path)
    assert prices.columns.tolist() == [symbol]
    assert prices[symbol].tolist() == [100.0, 110.0, 99.0]
    assert [f"{day:%Y-%m-%d}" for day in prices.index] == days  # the exchange's own dates
    assert prices.info.loc[symbol, ["currency", "tz"]].tolist() == [currency, zone]
    entry = PriceCache(tmp_path).entry("yahoo", symbol)
    assert (entry.currency, entry.tz, entry.first, entry.last) == (currency, zone, days[0], days[-1])
    offline = load_prices(symbol, days[0], days[-1], source="yahoo", cache=tmp_path, offline=True)
    assert offline.equals(prices)
    assert offline.info.equals(prices.info)


def test_an_answer_whose_currency_is_no_text_is_not_believed(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11), currency=["USD"])
    with pytest.raises(DataSourceError, match=r"A: an answer that cannot be read \(currency is \['USD'\]\)"):
        load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)


def test_end_is_inclusive_and_open_start_asks_for_all(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11, 12))
    prices = load_prices("A", None, "2025-01-07", source=make_provider(), cache=tmp_path)
    assert prices["A"].tolist() == [10, 11]
    asked = yahoo.asked("A")[-1]
    assert int(asked["period1"]) < 0  # before 1970
    assert datetime.fromtimestamp(int(asked["period2"]), UTC).date() == date(2025, 1, 8)


def test_a_zero_close_is_refused_with_its_date(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("Z", closes(10, 0, 11))
    with pytest.raises(DataSourceError, match="Z: close is 0 on 2025-01-07"):
        load_prices("Z", *DAYS, source=make_provider(), cache=tmp_path)


def test_zero_opens_are_missing_and_missing_closes_stay_missing(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("H", closes(10, np.nan, 12, open=[0.0, np.nan, 11.5]))
    prices = load_prices("H", *DAYS, source=make_provider(), cache=tmp_path)
    assert prices.field("open")["H"].dropna().to_dict() == {pd.Timestamp("2025-01-08"): 11.5}
    assert prices["H"].dropna().to_dict() == {
        pd.Timestamp("2025-01-06"): 10.0,
        pd.Timestamp("2025-01-08"): 12.0,
    }


def test_a_dividend_in_other_units_is_noticed(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("GBP.L", closes(100, 100, 100, dividends=[0, 2.0, 0], adjclose=[99.98, 100, 100]))
    with pytest.warns(EventStudyWarning, match=r"GBP\.L on 2025-01-07 by 2\.02%"):
        load_prices("GBP.L", *DAYS, source=make_provider(), cache=tmp_path)
    yahoo.put("BIG", closes(100, 100, dividends=[0, 150.0]))
    with pytest.raises(DataSourceError, match="BIG: the dividend 150 of 2025-01-07 is not below"):
        load_prices("BIG", *DAYS, source=make_provider(), cache=tmp_path)


def test_a_dividend_on_a_day_without_a_close_is_not_taken_for_a_difference(yahoo, make_provider, closes) -> None:
    yahoo.put("A", closes(10, np.nan, 9, 9, dividends=[0, 1.0, 0, 0], adjclose=[9, np.nan, 9, 9]))
    bars = make_provider().fetch(["A"], date(2025, 1, 6), date(2025, 1, 10))["A"]
    assert bars.frame["dividends"].sum() == 1.0
    np.testing.assert_allclose(bars.prices().dropna(), [9, 9, 9], rtol=1e-14)


def test_an_open_session_is_left_out_until_it_closes(yahoo, make_provider, closes) -> None:
    close = int(pd.Timestamp("2025-01-07 16:00", tz="America/New_York").timestamp())
    regular = {"timezone": "EST", "gmtoffset": -18000, "start": close - 23400, "end": close}
    periods = {name: dict(regular) for name in ("pre", "regular", "post")}
    yahoo.put("A", closes(10, 11), currentTradingPeriod=periods)
    for moment, rows in ((close - 3600, 1), (close + 60, 2)):
        bars = make_provider(clock=lambda at=moment: at).fetch(["A"], date(2025, 1, 6), date(2025, 1, 7))
        assert len(bars["A"].frame) == rows, moment


def test_cached_data_need_no_network_and_are_bit_identical(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 10.1, 10.2, 10.7, 11, dividends=[0, 0, 0.3, 0, 0], adjclose=[
        10 * (1 - 0.3 / 10.1), 10.1 - 0.3, 10.2, 10.7, 11]))  # fmt: skip
    first = load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    yahoo.requests.clear()
    again = load_prices("A", *DAYS, source="yahoo", cache=tmp_path)
    offline = load_prices("A", *DAYS, source="yahoo", cache=tmp_path, offline=True)
    assert yahoo.requests == []
    assert first.to_numpy().tobytes() == again.to_numpy().tobytes() == offline.to_numpy().tobytes()
    assert first.info.equals(offline.info)
    inside = load_prices("A", "2025-01-07", "2025-01-08", source="yahoo", cache=tmp_path, offline=True)
    np.testing.assert_allclose(inside["A"], [9.8, 10.2], rtol=1e-14)


def test_offline_names_what_is_missing(yahoo, make_provider, closes, tmp_path, monkeypatch) -> None:
    yahoo.put("A", closes(10, 11, 12))
    load_prices("A", "2025-01-06", "2025-01-07", source=make_provider(), cache=tmp_path)
    yahoo.requests.clear()
    monkeypatch.setenv("EVENTSTUDY_OFFLINE", "1")
    with pytest.raises(CacheMissError, match=r"A \(2025-01-06 to 2025-01-07\), B \(nothing\)") as caught:
        load_prices(["A", "B"], *DAYS, source="yahoo", cache=tmp_path)
    assert "eventstudy fetch A B --start 2025-01-06 --end 2025-01-10" in str(caught.value)
    assert yahoo.requests == []
    with pytest.raises(InputError, match="refresh"):
        load_prices("A", *DAYS, source="yahoo", cache=tmp_path, refresh=True)


def test_a_wider_request_fetches_the_union(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11, 12, 13, 14))
    load_prices("A", "2025-01-07", "2025-01-08", source=make_provider(), cache=tmp_path)
    load_prices("A", "2025-01-09", "2025-01-10", source=make_provider(), cache=tmp_path)
    stored = PriceCache(tmp_path).read("yahoo", "A").frame["close"]
    assert stored.tolist() == [11, 12, 13, 14]
    assert len(list(tmp_path.glob("A-*.parquet"))) == 1  # the replaced file is gone


def test_a_failed_refresh_keeps_what_was_there(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11))
    load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    yahoo.always["A"] = Answer(500, b"down")
    with pytest.raises(DataSourceError, match="HTTP 500"):
        load_prices("A", *DAYS, source=make_provider(), cache=tmp_path, refresh=True)
    assert load_prices("A", *DAYS, source="yahoo", cache=tmp_path)["A"].tolist() == [10, 11]


def test_a_revised_series_replaces_the_old_one(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11))
    load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    yahoo.put("A", closes(5, 5.5))
    with pytest.warns(EventStudyWarning, match=r"A: closes are 0\.5 times those cached: a split 2:1 since"):
        prices = load_prices("A", *DAYS, source=make_provider(), cache=tmp_path, refresh=True)
    assert prices["A"].tolist() == [5, 5.5]
    assert PriceCache(tmp_path).verify()["ok"].tolist() == [True]


def test_an_unwritable_cache_costs_a_warning_not_the_data(yahoo, make_provider, closes, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    yahoo.put("A", closes(10, 11))
    with pytest.warns(EventStudyWarning, match=r"not kept for next time: A: the cache directory"):
        prices = load_prices("A", *DAYS, source=make_provider(), cache=tmp_path / "file" / "cache")
    assert prices["A"].tolist() == [10, 11]


def test_yfinances_own_settings_are_put_back(yahoo, make_provider, closes) -> None:
    import yfinance

    yahoo.put("A", closes(10, 11))
    for setting in (True, False):
        yfinance.config.debug.hide_exceptions = setting
        make_provider().fetch(["A"], date(2025, 1, 6), date(2025, 1, 7))
        assert yfinance.config.debug.hide_exceptions is setting


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"timeout": 0}, {"workers": 0}])
def test_wrong_settings_are_refused(make_provider, wrong) -> None:
    with pytest.raises(InputError, match="expected retries"):
        make_provider(**wrong)


def test_other_intervals_are_refused(make_provider) -> None:
    with pytest.raises(InputError, match=r"interval='7m' is not known.*1m, 2m, 5m"):
        make_provider().fetch(["A"], None, None, "7m")
    with pytest.raises(InputError, match=r"bars of 1wk do not add up.*load_prices\("):
        make_provider().fetch(["A"], None, None, "1wk")


def test_refresh_script(yahoo, closes, tmp_path, capsys, monkeypatch) -> None:
    import runpy

    script = Path(__file__).resolve().parents[3] / "scripts" / "refresh_cache.py"
    main = runpy.run_path(str(script))["main"]
    yahoo.put("A", closes(10, 11))
    assert main(["A", "--start", "2025-01-06", "--end", "2025-01-07", "--cache", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "2025-01-07" in out
    assert "USD" in out
    assert main(["NOPE", "--start", "2025-01-06", "--end", "2025-01-07", "--cache", str(tmp_path)]) == 1
    assert "NOPE: unknown symbol" in capsys.readouterr().err
    assert json.loads((tmp_path / "manifest.json").read_text())["entries"][0]["symbol"] == "A"
