"""Files as Stooq, Alpha Vantage and Yahoo write them, one by one and in a folder."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from eventstudy.data import FolderProvider, load_prices
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

STOOQ_ASCII = """<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
AAPL.US,D,20250127,000000,224.02,232.15,223.98,229.86,94863418,0
AAPL.US,D,20250128,000000,230.85,240.19,230.81,238.26,75707596,0
AAPL.US,D,20250129,000000,234.12,239.86,234.01,239.36,45486100,0
"""
STOOQ_WEB = """Date,Open,High,Low,Close,Volume
2025-01-27,224.02,232.15,223.98,229.86,94863418
2025-01-28,230.85,240.19,230.81,238.26,75707596
"""
# newest first, as the service answers; a dividend of 1.67 on 10 February
ALPHA = """timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient
2025-02-11,261.0,262.0,255.0,256.00,256.00,3000000,0.0000,1.0
2025-02-10,251.0,252.0,248.0,249.27,249.27,3000000,1.6700,1.0
2025-02-07,253.0,253.5,251.0,252.34,250.67,3000000,0.0000,1.0
2025-02-06,253.0,264.0,252.0,253.44,251.76,3000000,0.0000,2.0
"""
ALPHA_PLAIN = """timestamp,open,high,low,close,volume
2025-02-11,261.0,262.0,255.0,256.00,3000000
2025-02-10,251.0,252.0,248.0,249.27,3000000
"""
YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2025-01-27,224.02,232.15,223.98,229.86,229.00,94863418
2025-01-28,230.85,240.19,230.81,238.26,237.40,75707596
"""


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EventStudyWarning)
        return load_prices(*arguments, **options)


@pytest.mark.parametrize("asked", ["AAPL", "aapl", "AAPL.US"])
def test_stooq_with_tickers(tmp_path, asked) -> None:
    path = tmp_path / "data.txt"
    path.write_text(STOOQ_ASCII)
    with pytest.warns(EventStudyWarning, match="unadjusted closes only"):
        prices = load_prices([asked], source=path)
    assert prices[asked].tolist() == [229.86, 238.26, 239.36]
    assert prices.field("volume").loc["2025-01-28", asked] == 75707596
    assert prices.index.strftime("%Y-%m-%d").tolist() == ["2025-01-27", "2025-01-28", "2025-01-29"]


def test_stooq_hours_are_no_days(tmp_path) -> None:
    path = tmp_path / "hourly.txt"
    path.write_text(STOOQ_ASCII.replace(",D,", ",60,"))
    with pytest.raises(InputError, match="<PER> is '60' in data row 1"):
        load_prices(["AAPL"], source=path)


def test_two_listings_of_one_name_are_told_apart(tmp_path) -> None:
    path = tmp_path / "data.txt"
    more = STOOQ_ASCII.splitlines()[1].replace("AAPL.US", "aapl")
    path.write_text(STOOQ_ASCII + more.replace("20250127", "20250130") + "\n")
    with pytest.raises(DataSourceError, match="AAPL could be any of"):
        quiet(["AAPL"], source=path)


@pytest.mark.parametrize("name", ["aapl_us_d.csv", "AAPL.csv", "aapl.us.txt"])
def test_files_of_one_security_are_named_after_it(tmp_path, name) -> None:
    (tmp_path / name).write_text(STOOQ_WEB)
    assert quiet(["AAPL"], source=tmp_path / name)["AAPL"].tolist() == [229.86, 238.26]
    with pytest.raises(InputError, match="MSFT was asked for"):
        quiet(["MSFT"], source=tmp_path / name)


def test_alpha_vantage_newest_first_with_dividends_and_splits(tmp_path) -> None:
    path = tmp_path / "daily_adjusted_IBM.csv"
    path.write_text(ALPHA)
    prices = load_prices(["IBM"], source=path)
    assert prices["IBM"].tolist() == [251.76, 250.67, 249.27, 256.0]
    assert prices.index.is_monotonic_increasing
    assert prices.info.loc["IBM", "basis"] == "adjusted close"
    assert prices.field("dividends")["IBM"].tolist() == [0, 0, 1.67, 0]
    assert prices.field("splits")["IBM"].tolist() == [2.0, 0, 0, 0]  # 1 means none


def test_alpha_vantage_without_adjustment_and_yahoos_download(tmp_path) -> None:
    (tmp_path / "daily_IBM.csv").write_text(ALPHA_PLAIN)
    with pytest.warns(EventStudyWarning, match="unadjusted closes only"):
        assert load_prices(["IBM"], source=tmp_path / "daily_IBM.csv")["IBM"].tolist() == [249.27, 256.0]
    (tmp_path / "AAPL.csv").write_text(YAHOO)
    assert load_prices(["AAPL"], source=tmp_path / "AAPL.csv")["AAPL"].tolist() == [229.0, 237.4]


def test_an_answer_that_is_no_table_is_refused(tmp_path) -> None:
    # what the services send instead of prices when they are asked too often, or for nothing they know
    for text in ('{\n    "Information": "rate limit"\n}\n', "No data\n", "Exceeded the daily hits limit\n"):
        (tmp_path / "IBM.csv").write_text(text)
        with pytest.raises((InputError, DataSourceError)):
            load_prices(["IBM"], source=tmp_path / "IBM.csv")


def test_a_folder_of_files(tmp_path) -> None:
    (tmp_path / "aapl.us.txt").write_text(STOOQ_ASCII)
    (tmp_path / "daily_adjusted_IBM.csv").write_text(ALPHA)
    (tmp_path / "notes.md").write_text("not prices")
    for source in (tmp_path, str(tmp_path), FolderProvider(tmp_path)):
        prices = quiet(["IBM", "AAPL"], source=source)
        assert prices["IBM"].dropna().tolist() == [251.76, 250.67, 249.27, 256.0]
        assert prices["AAPL"].dropna().tolist() == [229.86, 238.26, 239.36]
    with pytest.raises(InputError, match="no ticker 'MSFT'"):
        load_prices(["MSFT"], source=tmp_path)
    (tmp_path / "AAPL.csv").write_text(STOOQ_WEB)
    with pytest.raises(DataSourceError, match="AAPL could be any of"):
        load_prices(["AAPL"], source=tmp_path)


def test_a_table_with_tickers_of_these_names_is_not_taken_for_bars(tmp_path) -> None:
    # OPEN, LOW and CLOSE as tickers: no close beside them, so a wide table
    path = tmp_path / "wide.csv"
    pd.DataFrame({"date": ["2025-01-27", "2025-01-28"], "OPEN": [1.0, 2.0], "LOW": [3.0, 4.0]}).to_csv(
        path, index=False
    )
    prices = quiet(["LOW", "OPEN"], source=path)
    np.testing.assert_array_equal(prices.to_numpy(), [[3.0, 1.0], [4.0, 2.0]])
