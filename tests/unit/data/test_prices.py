"""``Prices`` and ``load_prices``: the frame's contract, its metadata, and every wrong argument."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from eventstudy.data import Bars, PriceProvider, Prices, load_prices
from eventstudy.data.bars import total_return
from eventstudy.errors import DataSourceError, InputError

LONG = pd.DataFrame(
    {
        "date": pd.to_datetime(["2025-01-06", "2025-01-07", "2025-01-08"] * 2),
        "ticker": ["A"] * 3 + ["B"] * 3,
        "adj_close": [10.0, 11.0, 12.0, 20.0, np.nan, 22.0],
        "volume": [5.0, 6.0, 7.0, 8.0, 9.0, 4.0],
    }
)


def test_the_frame_is_as_documented() -> None:
    prices = load_prices(["B", "A"], source=LONG)
    assert isinstance(prices, Prices)
    assert prices.index.name == "date"
    assert prices.index.tz is None
    assert prices.columns.tolist() == ["B", "A"]
    assert set(prices.dtypes) == {np.dtype("float64")}
    assert prices.loc["2025-01-08"].tolist() == [22.0, 12.0]


@pytest.mark.parametrize(
    "cut",
    [
        lambda p: p[["B"]],
        lambda p: p.loc["2025-01-07":],
        lambda p: p.iloc[1:, :1],
        lambda p: p.copy(),
        lambda p: p.dropna(),
        lambda p: copy.deepcopy(p),
        lambda p: pickle.loads(pickle.dumps(p)),
    ],
    ids=["columns", "rows", "both", "copy", "dropna", "deepcopy", "pickle"],
)
def test_slices_keep_provenance_and_fields(cut) -> None:
    part = cut(load_prices(["B", "A"], source=LONG))
    assert isinstance(part, Prices)
    assert part.info.index.tolist() == part.columns.tolist()
    assert part.info["provider"].tolist() == ["frame"] * part.shape[1]
    assert part.info["rows"].tolist() == part.notna().sum().tolist()
    volume = part.field("volume")
    expected = LONG.pivot(index="date", columns="ticker", values="volume").loc[part.index, part.columns]
    assert volume.to_numpy().tolist() == expected.to_numpy().tolist()


def test_info_states_where_the_prices_begin_and_end() -> None:
    prices = load_prices(["A", "B"], "2025-01-07", "2026-01-01", source=LONG)
    assert prices.info["first"].dt.strftime("%m-%d").tolist() == ["01-07", "01-08"]
    assert prices.info["last"].dt.strftime("%m-%d").tolist() == ["01-08", "01-08"]
    assert prices.info["rows"].tolist() == [2, 1]
    assert prices.info["sha256"].str.len().tolist() == [64, 64]
    changed = LONG.assign(adj_close=LONG["adj_close"] + (LONG["ticker"] == "A"))
    again = load_prices(["A", "B"], source=changed)
    assert (again.info["sha256"] == prices.info["sha256"]).tolist() == [False, True]


def test_an_unknown_field_names_those_that_exist() -> None:
    prices = load_prices("A", source=LONG)
    with pytest.raises(InputError, match=r"no field 'open'.*adj_close, volume"):
        prices.field("open")
    with pytest.raises(InputError, match="the source has none"):
        load_prices("A", source=pd.DataFrame({"A": [1.0]}, pd.to_datetime(["2025-01-06"]))).field("volume")


@pytest.mark.parametrize(
    "day", ["2025-01-07", date(2025, 1, 7), datetime(2025, 1, 7, 15, 0), pd.Timestamp("2025-01-07", tz="UTC"),
            np.datetime64("2025-01-07"), "2025-01-07 00:00:00"],
)  # fmt: skip
def test_dates_of_every_kind_are_inclusive(day) -> None:
    assert load_prices("A", day, day, source=LONG)["A"].tolist() == [11.0]


@pytest.mark.parametrize(
    "day", ["07/01/2025", "2025-13-01", "2025-02-30", "yesterday", "2025", 20250107, 1.5, True, "NaT", pd.NaT, ""]
)
@pytest.mark.parametrize("side", ["start", "end"])
def test_other_dates_are_refused(day, side) -> None:
    with pytest.raises(InputError, match=rf"{side}=.* is not a date.*2025-01-31"):
        load_prices("A", source=LONG, **{side: day})


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(InputError, match="start 2025-01-08 is after end 2025-01-06"):
        load_prices("A", "2025-01-08", "2025-01-06", source=LONG)


@pytest.mark.parametrize(
    ("tickers", "message"),
    [
        ([], "no tickers given"),
        (["A", "A", "B", "B"], "A, B given more than once"),
        (["A", " A "], "A given more than once"),
        ([1], "1 is not a ticker"),
        (["A", ""], "'' is not a ticker"),
        (["A\n\x00"], "is not a ticker"),
        (["\ud800"], "is not a ticker"),
        ([None], "None is not a ticker"),
    ],
)
def test_wrong_tickers_are_refused(tickers, message) -> None:
    with pytest.raises(InputError, match=message):
        load_prices(tickers, source=LONG)


@pytest.mark.parametrize("source", ["google", 3, None, Prices, PriceProvider])
def test_unknown_sources_are_refused(source) -> None:
    with pytest.raises(InputError, match=r'unknown source .*"sample", "yahoo"'):
        load_prices("A", source=source)


def test_a_range_without_prices_names_ticker_and_what_there_is() -> None:
    with pytest.raises(DataSourceError, match=r"A: no price from 2026-01-01 to … \(the source has 2025-01-06 to"):
        load_prices("A", "2026-01-01", source=LONG)
    with pytest.raises(DataSourceError, match=r"1 of 2 tickers: B: no price from 2025-01-07 to 2025-01-07"):
        load_prices(["A", "B"], "2025-01-07", "2025-01-07", source=LONG)


class OwnProvider:
    """A user's provider: the smallest object that fits the protocol."""

    name = "own"

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def fetch(self, symbols, start, end, interval="1d"):
        return dict.fromkeys(symbols, Bars(self.frame, "close, not adjusted", currency="EUR"))


def test_a_users_own_provider() -> None:
    index = pd.DatetimeIndex(["2025-01-06", "2025-01-07"], name="date")
    provider = OwnProvider(pd.DataFrame({"close": [1.0, 2.0]}, index))
    assert isinstance(provider, PriceProvider)
    prices = load_prices("A", source=provider)
    assert prices["A"].tolist() == [1.0, 2.0]
    assert prices.info.loc["A", ["provider", "currency"]].tolist() == ["own", "EUR"]
    bad = OwnProvider(pd.DataFrame({"close": [1.0, -2.0]}, index))
    with pytest.raises(DataSourceError, match="own: A: close is -2 on 2025-01-07"):
        load_prices("A", source=bad)


def test_bars_of_the_wrong_form_are_refused() -> None:
    index = pd.DatetimeIndex(["2025-01-06", "2025-01-07"])
    with pytest.raises(InputError, match=r"'close . dividends' need the column 'dividends'; they have close"):
        Bars(pd.DataFrame({"close": [1.0, 2.0]}, index), "close + dividends")
    for wrong in (index.tz_localize("UTC"), index + pd.Timedelta("16h"), pd.Index([1, 2])):
        with pytest.raises(InputError, match="naive midnights"):
            Bars(pd.DataFrame({"close": [1.0, 2.0]}, wrong), "close, not adjusted")
    with pytest.raises(DataSourceError, match="A: close has no value on any of 0 dates"):
        load_prices("A", source=OwnProvider(pd.DataFrame({"close": []}, index[:0], dtype=float)))


def test_total_return_by_hand() -> None:
    days = pd.bdate_range("2025-01-06", periods=6)
    close = pd.Series([50.0, 40.0, np.nan, 30.0, 33.0, 33.0], days)
    paid = pd.Series([5.0, 0.0, 4.0, np.nan, 3.0, 0.0], days)
    # The first has no close before it; 4 after a close of 40, on a day without a close: 0.9; 3 after 30: 0.9.
    expected = [50 * 0.81, 40 * 0.81, np.nan, 30 * 0.9, 33, 33]
    np.testing.assert_allclose(total_return(close, paid), expected, rtol=1e-15)


def test_importing_pulls_in_no_heavy_optional() -> None:
    code = (
        "import sys, eventstudy.data as d; d.load_prices;"
        "print([m for m in ('yfinance', 'curl_cffi', 'pyarrow.parquet', 'filelock', 'tqdm', 'platformdirs',"
        " 'pandas_market_calendars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2025-01-06", "-1"], r"'-1' in data row 2 is outside the years 1678–2261"),
        (["9999-12-31", "2025-01-06"], r"'9999-12-31' in data row 1 is outside the years"),
        (["2025-01-06", "0001-01-01"], r"'0001-01-01' in data row 2 is outside the years"),
    ],
)
def test_years_that_nobody_means_are_refused(dates, message) -> None:
    with pytest.raises(InputError, match=message):
        load_prices("A", source=pd.DataFrame({"date": dates, "A": [1.0, 2.0]}))


def test_what_the_fuzzer_found() -> None:
    """Each of these came out as an error of pandas or as a warning of numpy."""
    days = pd.to_datetime(["2025-01-06", "2025-01-07"])
    twice = pd.DataFrame({"date": days, "A": [1.0, 2.0]}).set_index("date", drop=False)
    with pytest.raises(InputError, match="dates in the index, and a column 'date'"):
        load_prices("A", source=twice)
    doubled = pd.DataFrame([["x", "2025-01-06", "2025-01-07", 1.0]], columns=["ticker", "date", "Date", "close"])
    with pytest.raises(InputError, match="column 'date' occurs more than once"):
        load_prices("x", source=doubled)
    with pytest.raises(InputError, match=r"in data row 1 \(2025-01-06\), column 'A', is not a number"):
        load_prices("A", source=pd.DataFrame({"A": [1 + 2j, 2 + 0j]}, days))


def test_a_parquet_whose_index_is_a_column_too(tmp_path) -> None:
    frame = pd.DataFrame({"ticker": ["A"], "date": ["2025-01-06"], "close": [1.0]})
    frame.set_index("ticker", drop=False).rename_axis("ticker").to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="'ticker' is the index and a column"):
        load_prices("A", source=tmp_path / "p.parquet")


def test_bracketed_names_that_occur_twice_and_rows_without_a_ticker(tmp_path) -> None:
    (tmp_path / "p.csv").write_text("<TICKER>,ticker,<DATE>,<CLOSE>\nA,A,20250106,1\n")
    with pytest.raises(InputError, match="column 'ticker' occurs more than once"):
        load_prices("A", source=tmp_path / "p.csv")
    rows = {"<TICKER>": ["A", None], "<DATE>": ["20250106"] * 2, "<CLOSE>": ["1", "2"]}
    pd.DataFrame(rows).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="data row 2 has no ticker"):
        load_prices("A", source=tmp_path / "p.parquet")
    rows = {"<TICKER>": ["A", "A"], "<PER>": ["D", "5"], "<DATE>": ["20250106"] * 2, "<CLOSE>": ["1", "2"]}
    pd.DataFrame(rows, index=["x", "y"]).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="<PER> is '5' in data row 2"):
        load_prices("A", source=tmp_path / "p.parquet")


def test_dates_of_a_file_of_returns_are_those_written_whatever_their_zone(tmp_path) -> None:
    rows = ["permno,date,ret", "1,2025-01-06,0.5", "1,2025-01-07T00:00:00Z,0.5", "1,2025-01-08T00:00:00+09:00,0.5"]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    found = load_prices("1", source=tmp_path / "p.csv")
    assert [f"{day:%m-%d}" for day in found.index][-3:] == ["01-06", "01-07", "01-08"]
    np.testing.assert_allclose(found["1"].pct_change().iloc[-2:], 0.5)
