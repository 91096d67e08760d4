"""Files and frames: layouts, choices between columns, and every check at the door."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eventstudy.data import FileProvider, FrameProvider, load_prices
from eventstudy.errors import DataSourceError, EventStudyError, EventStudyWarning, InputError

WIDE = "date,AAA,BBB\n2025-01-06,10,20\n2025-01-07,11,\n2025-01-08,12,22\n"
LONG = (
    "Date,Symbol,Close,Adj Close,Volume\n"
    "2025-01-06,AAA,100,98,5\n2025-01-06,BBB,50,50,7\n2025-01-07,AAA,102,100,6\n2025-01-07,BBB,51,51,8\n"
)


@pytest.fixture
def csv(tmp_path: Path):
    def write(text: str, name: str = "prices.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_wide_csv(csv) -> None:
    prices = load_prices(["BBB", "AAA"], source=csv(WIDE))
    assert prices.columns.tolist() == ["BBB", "AAA"]
    assert prices["AAA"].tolist() == [10, 11, 12]
    assert prices["BBB"].fillna(-1).tolist() == [20, -1, 22]
    assert prices.info["basis"].unique().tolist() == ["as given"]
    assert prices.info.loc["BBB", "rows"] == 2


def test_long_csv_prefers_adjusted_closes(csv) -> None:
    prices = load_prices(["AAA", "BBB"], source=str(csv(LONG)))
    assert prices["AAA"].tolist() == [98, 100]
    assert prices.field("close")["AAA"].tolist() == [100, 102]
    assert prices.field("volume").loc["2025-01-07"].tolist() == [6, 8]
    assert prices.info["basis"].unique().tolist() == ["adjusted close"]


def test_long_csv_with_dividends_is_adjusted_here(csv) -> None:
    text = "date,ticker,close,dividends\n2025-01-06,A,100,0\n2025-01-07,A,99,2\n2025-01-08,A,100,\n"
    prices = load_prices("A", source=csv(text))
    np.testing.assert_allclose(prices["A"], [98, 99, 100], rtol=1e-15)
    assert prices.info.loc["A", "basis"] == "close + dividends"


def test_unadjusted_closes_are_used_with_a_warning(csv) -> None:
    text = "date,ticker,close\n2025-01-06,A,100\n2025-01-07,A,99\n"
    with pytest.warns(EventStudyWarning, match="unadjusted closes only") as caught:
        prices = load_prices("A", source=csv(text))
    assert caught[0].filename == __file__  # it points at the caller's line
    assert prices["A"].tolist() == [100, 99]
    assert prices.info.loc["A", "basis"] == "close, not adjusted"


def test_zone_aware_stamps_become_dates_in_their_own_zone(csv) -> None:
    text = "date,A\n2024-11-01 00:00:00-04:00,1\n2024-11-04 00:00:00-05:00,2\n2024-11-05T23:30:00.5Z,3\n"
    prices = load_prices("A", source=csv(text))
    assert [f"{d:%m-%d}" for d in prices.index] == ["11-01", "11-04", "11-05"]
    index = pd.DatetimeIndex(["2024-11-01 20:00", "2024-11-04 20:00"], tz="America/New_York")
    prices = load_prices("A", source=pd.DataFrame({"A": [1.0, 2.0]}, index))
    assert [f"{d:%m-%d}" for d in prices.index] == ["11-01", "11-04"]


@pytest.mark.parametrize("name", ["w.parquet", "w.pq", "w.csv.gz"])
def test_other_formats_hold_the_same_numbers(tmp_path, name) -> None:
    frame = pd.DataFrame({"A": [1.5, 2.5]}, pd.to_datetime(["2025-01-06", "2025-01-07"]).rename("date"))
    path = tmp_path / name
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(frame.to_csv().encode()))
    else:
        frame.to_parquet(path)
    assert load_prices("A", source=path)["A"].tolist() == [1.5, 2.5]


def test_long_parquet(tmp_path) -> None:
    path = tmp_path / "long.parquet"
    pd.DataFrame(
        {"date": pd.to_datetime(["2025-01-06", "2025-01-07"]), "ticker": ["A", "A"], "adj_close": [1.0, 2.0]}
    ).to_parquet(path, index=False)
    assert load_prices("A", source=path)["A"].tolist() == [1.0, 2.0]


def test_frames_of_every_layout_and_no_change_to_them() -> None:
    days = pd.to_datetime(["2025-01-06", "2025-01-07"])
    wide = pd.DataFrame({"A": [1.0, 2.0]}, days)
    long = pd.DataFrame({"date": days, "ticker": "A", "adj_close": [1.0, 2.0]})
    frames = [wide, wide.rename_axis("when"), wide.reset_index(names="Date"), long, long.set_index("date")]
    frames += [
        wide.set_axis(days.to_period("D"), axis=0),
        wide.astype("Float64"),
        wide.astype(object),
        wide.astype(str),
    ]
    for frame in frames:
        before = frame.copy(deep=True)
        assert load_prices("A", source=frame)["A"].tolist() == [1.0, 2.0]
        pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("ticker", ["NA", "LOW", "OPEN", "NAN", "None"])
def test_tickers_that_look_like_something_else(csv, ticker) -> None:
    assert load_prices(ticker, source=csv(f"date,{ticker},X\n2025-01-06,1,2\n"))[ticker].tolist() == [1]
    text = f"date,ticker,adj_close\n2025-01-06,{ticker},3\n"
    assert load_prices(ticker, source=csv(text))[ticker].tolist() == [3]


def test_a_byte_order_mark_and_blank_lines(csv) -> None:
    assert load_prices("AAA", source=csv("\ufeff" + WIDE + "\n\n"))["AAA"].tolist() == [10, 11, 12]


REFUSED = {
    "duplicate date": (WIDE + "2025-01-08,13,23\n", "AAA: 2025-01-08 occurs more than once.*Keep one row"),
    "unsorted": (
        "date,AAA\n2025-01-07,1\n2025-01-06,2\n",
        "AAA: 2025-01-06 comes after 2025-01-07.*Sort the rows by date",
    ),
    "zero": ("date,AAA\n2025-01-06,1\n2025-01-07,0\n", "AAA: adj_close is 0 on 2025-01-07.*positive"),
    "negative": ("date,AAA\n2025-01-06,-1.5\n", "AAA: adj_close is -1.5 on 2025-01-06"),
    "infinite": ("date,AAA\n2025-01-06,inf\n", "AAA: adj_close is inf on 2025-01-06"),
    "text": ("date,AAA\n2025-01-06,1\n2025-01-07,n.m.\n", r"'n\.m\.' in data row 2 \(2025-01-07\), column 'AAA'"),
    "thousands": ('date,AAA\n2025-01-06,"1,234.5"\n', "'1,234.5' in data row 1"),
    "date": ("date,AAA\n2025-01-06,1\n31/01/2025,2\n", "'31/01/2025' in data row 2 is not a date.*YYYY-MM-DD"),
    "no dates": ("AAA,BBB\n1,2\n3,4\n", "'1' in data row 1 is not a date"),
    "all missing": ("date,AAA\n2025-01-06,\n2025-01-07,NA\n", "AAA: adj_close has no value on any of 2 dates"),
    "no ticker": (
        "date,open,close\n2025-01-06,1,2\n",
        "holds one security and no tickers, by its name PRICES; AAA was asked for",
    ),
    "no price": ("date,ticker,volume\n2025-01-06,AAA,2\n", "without prices; it has the columns date, ticker, volume"),
    "dates only": ("date\n2025-01-06\n", "dates only; it has the column date"),
    "twice": ("date,AAA,AAA\n2025-01-06,1,2\n", "column 'AAA' occurs more than once"),
    "semicolons": ("date;AAA\n2025-01-06;1\n", "one column only.*Separate the cells with commas"),
    "ragged": ("date,AAA\n2025-01-06,1\n2025-01-07,1,2,3\n", "not a readable CSV file"),
    "empty": ("", "has no rows"),
    "header only": ("date,AAA\n", "has no rows"),
    "negative volume": ("date,ticker,adj_close,volume\n2025-01-06,AAA,1,-5\n", "AAA: volume is -5 on 2025-01-06"),
    "long duplicate": ("date,ticker,adj_close\n2025-01-06,AAA,1\n2025-01-06,AAA,1\n", "AAA: 2025-01-06 occurs more"),
    "zero open": ("date,ticker,adj_close,open\n2025-01-06,AAA,1,0\n", "AAA: open is 0 on 2025-01-06"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_the_door(csv, case) -> None:
    text, message = REFUSED[case]
    path = csv(text)
    with pytest.raises(EventStudyError, match=message) as caught:
        load_prices("AAA", source=path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_latin_1_is_refused_by_name(csv) -> None:
    with pytest.raises(DataSourceError, match=r"not a readable CSV file .*UTF-8"):
        load_prices("AAA", source=csv("date,AAA\n2025-01-06,1\nü,2\n", encoding="latin-1"))


def test_missing_files_directories_and_broken_ones(tmp_path, csv) -> None:
    csv(WIDE, "prices_2025.csv")
    with pytest.raises(DataSourceError, match=r"no such file.*prices_2025\.csv"):
        load_prices("AAA", source=tmp_path / "price_2025.csv")
    with pytest.raises(DataSourceError, match="a directory, not a file"):
        FileProvider(tmp_path).fetch(["AAA"], None, None)
    with pytest.raises(DataSourceError, match=r"unknown kind of file.*\.csv"):
        load_prices("AAA", source=csv(WIDE, "prices.xlsx"))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 cut short")
    with pytest.raises(DataSourceError, match="not a readable Parquet file"):
        load_prices("AAA", source=broken)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(WIDE.encode())[:-12])
    with pytest.raises(DataSourceError, match="the archive is damaged"):
        load_prices("AAA", source=cut)


def test_frames_with_levels_or_nothing_in_them() -> None:
    days = pd.to_datetime(["2025-01-06"])
    levels = pd.DataFrame([[1.0]], days, pd.MultiIndex.from_tuples([("Close", "A")]))
    with pytest.raises(InputError, match=r'several header or index levels.*frame\["Close"\]'):
        load_prices("A", source=levels)
    with pytest.raises(InputError, match="no rows or no columns"):
        load_prices("A", source=pd.DataFrame())
    with pytest.raises(InputError, match="the dates are numbers"):
        load_prices("A", source=pd.DataFrame({"date": [20250106], "A": [1.0]}))
    with pytest.raises(InputError, match="'True' in data row 1"):
        load_prices("A", source=pd.DataFrame({"A": [True]}, days))


def test_unknown_tickers_and_the_nearest_names(csv) -> None:
    with pytest.raises(InputError, match=r"no ticker 'AAB'.*Nearest: AAA") as caught:
        load_prices(["AAA", "AAB"], source=csv(WIDE))
    assert caught.value.context["available"] == ["AAA", "BBB"]
    with pytest.raises(InputError, match=r"no ticker 'ZQX'\. It has: AAA, BBB"):
        load_prices("ZQX", source=csv(LONG))


def test_rows_of_other_tickers_do_not_matter(csv) -> None:
    text = "date,ticker,adj_close\n2025-01-06,A,1\n2025-01-06,B,oops\n2025-01-07,A,2\n2025-01-05,B,-3\n"
    assert load_prices("A", source=csv(text))["A"].tolist() == [1, 2]


def test_full_file_has_the_known_closes(full_prices) -> None:
    provider = FrameProvider(full_prices, currency="USD")
    prices = load_prices(["MSFT", "NVDA"], "2025-01-24", "2025-01-30", source=provider)
    assert prices.field("close")["NVDA"].round(2).tolist()[:4] == [142.62, 118.42, 128.99, 123.70]
    assert prices.field("close")["MSFT"].round(2).tolist()[2:] == [447.20, 442.33, 414.99]
    assert prices.info["currency"].tolist() == ["USD", "USD"]


def test_the_checksum_of_a_file_is_that_of_its_bytes(csv) -> None:
    import hashlib

    path = csv(WIDE)
    bars = FileProvider(path).fetch(["AAA"], None, None)["AAA"]
    assert bars.fingerprint() == hashlib.sha256(WIDE.encode()).hexdigest()
