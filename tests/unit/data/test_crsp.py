"""CRSP-like files: letters, delisting returns by hand, and the assumptions that may be made."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.data import read_crsp
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

HEADER = "PERMNO,date,EXCHCD,TICKER,PRC,VOL,RET,DLSTCD,DLRET,vwretd\n"
DAILY = (
    HEADER
    + """10001,20200102,1,AAA,10,100,C,,,0.001
10001,20200103,1,AAA,-10.5,100,0.05,,,0.002
10001,20200106,1,AAA,5.25,100,-0.5,552,-0.2,0.003
10002,20200102,3,BBB,20,100,0.01,,,0.001
10002,20200103,3,BBB,20,100,B,,,0.002
10002,20200106,3,BBB,10,100,-0.5,574,S,0.003
10003,20200102,2,CCC,7,100,0.02,,,0.001
10003,20200103,2,CCC,7,100,-0.1,580,,0.002
10004,20200102,1,DDD,7,100,0,100,,0.001
10004,20200103,1,DDD,7,100,-99.0,,,0.002
10004,20200106,1,DDD,7,100,.,231,0.015,0.003
"""
)


@pytest.fixture
def daily(tmp_path):
    path = tmp_path / "dsf.csv"
    path.write_text(DAILY)
    return path


def wide(frame: pd.DataFrame, value: str = "ret") -> pd.DataFrame:
    return frame.pivot(index="date", columns="ticker", values=value)


def given(*arguments, **options) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EventStudyWarning)
        return read_crsp(*arguments, **options)


def test_letters_and_codes_are_missing_and_delisting_returns_compounded(daily) -> None:
    with pytest.warns(EventStudyWarning, match=r"10002 \(2020-01-06, code 574\), 10003 \(2020-01-03, code 580\)"):
        frame = read_crsp(daily)
    table = wide(frame)
    assert table.index.strftime("%Y-%m-%d").tolist() == ["2020-01-02", "2020-01-03", "2020-01-06"]
    nan = np.nan
    # 0.5 · 0.8 − 1 = −0.6; a merger's delisting return stands alone where the day's return is missing
    np.testing.assert_allclose(table["10001"], [nan, 0.05, -0.6], rtol=1e-12)
    np.testing.assert_allclose(table["10002"], [0.01, nan, -0.5], rtol=1e-12)
    np.testing.assert_allclose(table["10003"], [0.02, -0.1, nan], rtol=1e-12)
    np.testing.assert_allclose(table["10004"], [0.0, nan, 0.015], rtol=1e-12)
    np.testing.assert_allclose(table["vwretd"], [0.001, 0.002, 0.003], rtol=1e-12)
    assert not frame["assumed"].any()
    assert frame["delisting_return"].dropna().tolist() == [-0.2, 0.015]


def test_shumway_is_asked_for_by_name(daily) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = read_crsp(daily, delisting="shumway")
    table = wide(frame)
    assert table.loc["2020-01-06", "10002"] == pytest.approx(0.5 * 0.45 - 1)  # Nasdaq: −55 %
    assert table.loc["2020-01-03", "10003"] == pytest.approx(0.9 * 0.7 - 1)  # AMEX: −30 %
    assert table.loc["2020-01-06", "10001"] == pytest.approx(-0.6)  # a return that is given stays
    assert frame.loc[frame["assumed"], "ticker"].tolist() == ["10002", "10003"]
    one = given(daily, delisting=-0.4)
    assert wide(one).loc["2020-01-03", "10003"] == pytest.approx(0.9 * 0.6 - 1)
    ignored = given(daily, delisting="ignore")
    assert wide(ignored).loc["2020-01-06", "10001"] == -0.5
    assert ignored["delisting_return"].isna().all()


def test_shumway_needs_to_know_the_exchange(daily) -> None:
    text = DAILY.replace("EXCHCD", "NOTHING")
    daily.write_text(text)
    with pytest.raises(InputError, match="needs the exchange"):
        read_crsp(daily, delisting="shumway")
    other = DAILY.replace("10002,20200102,3", "10002,20200102,4").replace("10002,20200103,3", "10002,20200103,4")
    daily.write_text(other.replace("10002,20200106,3", "10002,20200106,4"))
    with pytest.warns(EventStudyWarning, match="10002"):  # neither paper speaks of this exchange
        frame = read_crsp(daily, delisting="shumway")
    assert wide(frame).loc["2020-01-06", "10002"] == -0.5


def test_delistings_in_a_table_of_their_own(tmp_path) -> None:
    rows = "permno,date,ret\n" + "".join(
        f"{permno},{day},0.1\n" for permno in (1, 2) for day in ("2020-01-31", "2020-02-28")
    )
    (tmp_path / "msf.csv").write_text(rows + "1,2020-03-31,0.1\n")
    gone = pd.DataFrame(
        {"permno": [2, 1, 9], "dlstdt": [20200316, 20210105, 20200316], "dlstcd": [570, 570, 570],
         "dlret": [-0.9, -0.5, -0.3]}
    )  # fmt: skip
    frame = read_crsp(tmp_path / "msf.csv", gone)
    table = wide(frame)
    # within a month: laid on its last day; after the table: out of range; a security it does not have: left out
    assert table.loc["2020-03-31", "2"] == pytest.approx(-0.9)
    assert table["1"].tolist() == [0.1, 0.1, 0.1]
    assert table.columns.tolist() == ["1", "2"]


@pytest.mark.parametrize("how", ["frame", "polars", "arrow", "parquet", "csv.gz"])
def test_every_container_gives_the_same(how, daily, tmp_path) -> None:
    import polars as pl
    import pyarrow as pa

    text = pd.read_csv(daily, dtype=str, keep_default_na=False)
    table: object = {"frame": text, "polars": pl.from_pandas(text), "arrow": pa.Table.from_pandas(text)}.get(how)
    if how == "parquet":
        table = tmp_path / "dsf.parquet"
        text.to_parquet(table, index=False)
    elif how == "csv.gz":
        table = tmp_path / "dsf.csv.gz"
        text.to_csv(table, index=False)
    pd.testing.assert_frame_equal(given(table), given(daily))


def test_binary_files_have_numbers_and_dates() -> None:
    frame = pd.DataFrame(
        {"permno": [10001.0] * 3, "date": pd.to_datetime(["2020-01-02", "2020-01-03", "2020-01-06"]),
         "ret": [-66.0, 0.05, np.nan], "dlret": [np.nan, np.nan, -1.0], "dlstcd": [np.nan, np.nan, 574.0]}
    )  # fmt: skip
    before = frame.copy()
    out = read_crsp(frame)
    np.testing.assert_array_equal(out["ret"], [np.nan, 0.05, -1.0])
    assert out["ticker"].unique().tolist() == ["10001"]
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("day", ["2020-01-02", "20200102", "2020/01/02", "2020/1/2", "02JAN2020", "2jan2020"])
def test_dates_as_exports_write_them(day) -> None:
    out = read_crsp(pd.DataFrame({"permno": [1], "date": [day], "ret": ["0.01"]}))
    assert out["date"].iloc[0] == pd.Timestamp("2020-01-02")


def test_the_newer_format_has_delistings_in_it() -> None:
    frame = pd.DataFrame(
        {"PERMNO": [1, 1], "DlyCalDt": ["2020-01-02", "2020-01-03"], "DlyRet": ["0.01", "-0.9"],
         "DlyRetMissFlg": ["", ""], "DlyDelFlg": ["N", "Y"]}
    )  # fmt: skip
    assert read_crsp(frame)["ret"].tolist() == [0.01, -0.9]
    with pytest.raises(InputError, match="newer format"):
        read_crsp(frame, delisting="shumway")


def test_rows_that_repeat_are_read_once() -> None:
    rows = {"permno": [1, 1, 1], "date": ["2020-01-02"] * 2 + ["2020-01-03"], "ret": ["0.01", "0.01", "C"]}
    assert len(read_crsp(pd.DataFrame(rows))) == 2
    rows["ret"][1] = "0.02"
    with pytest.raises(InputError, match="1 has two different returns on 2020-01-02"):
        read_crsp(pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ret": ["x", "0"]}, "'x' in data row 1, column 'ret', is no return"),
        ({"ret": [-3.0, 0.0]}, "return -3 in data row 1"),
        ({"ret": [np.inf, 0.0]}, "return inf in data row 1"),
        ({"date": ["02.01.2020", "2020-01-03"]}, "'02.01.2020' in data row 1, column 'date', is not a date"),
        ({"date": ["", "2020-01-03"]}, "data row 1 has no date"),
        ({"permno": ["", "1"]}, "data row 1 has no permno"),
        ({"dlret": [-0.1, -0.2]}, "1 is delisted more than once"),
    ],
)
def test_what_cannot_be_read_is_named(change, message) -> None:
    base = {"permno": [1, 1], "date": ["2020-01-02", "2020-01-03"], "ret": [0.01, 0.02]}
    with pytest.raises(InputError, match=message):
        read_crsp(pd.DataFrame(base | change))


def test_wrong_options_and_columns(daily) -> None:
    with pytest.raises(InputError, match="no column 'ret'"):
        read_crsp(pd.DataFrame({"permno": [1], "date": ["2020-01-02"]}))
    for wrong in ("Shumway", -2.0, True, None):
        with pytest.raises(InputError, match="delisting="):
            read_crsp(daily, delisting=wrong)
    with pytest.raises(DataSourceError, match="no such file"):
        read_crsp("nowhere.csv")


# --- panels and prices ------------------------------------------------------------------------------------


def test_the_panel_says_what_was_assumed(daily) -> None:
    panel = es.ReturnPanel.from_crsp(daily, delisting="shumway")
    assert panel.source == "CRSP-like dsf.csv; 4 delisting returns, 2 of them assumed"
    assert panel.kind == "simple"
    assert panel.tickers.tolist() == ["10001", "10002", "10003", "10004", "vwretd"]
    assert panel.take(["10001"])[0, 2] == pytest.approx(-0.6)


def crsp_table(seed: int = 4, n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2020-01-01", periods=n)
    market = rng.normal(0, 0.01, n)
    parts = [
        pd.DataFrame({"PERMNO": permno, "date": days.strftime("%Y%m%d"), "TICKER": ticker,
                      "RET": market + rng.normal(0, 0.01, n), "vwretd": market})
        for permno, ticker in ((10001, "AAA"), (10002, "BBB"))
    ]  # fmt: skip
    return pd.concat(parts)


def test_a_crsp_file_is_a_source_of_prices(tmp_path) -> None:
    table = crsp_table()
    table.to_csv(tmp_path / "dsf.csv", index=False)
    prices = es.load_prices(["10001", "BBB", "vwretd"], source=tmp_path / "dsf.csv")
    panel = es.ReturnPanel.from_prices(prices)
    returns = es.ReturnPanel.from_crsp(table)
    # the first return has no price before it; all others are those of the file
    np.testing.assert_allclose(panel.values, returns.take(["10001", "10002", "vwretd"])[:, 1:], atol=1e-12)


def test_a_gap_and_a_total_loss_in_the_prices(tmp_path) -> None:
    table = pd.DataFrame(
        {"permno": 1, "date": pd.bdate_range("2020-01-01", periods=5).strftime("%Y-%m-%d"),
         "ret": ["C", "0.1", "B", "0.2", "-1.0"]}
    )  # fmt: skip
    table.to_csv(tmp_path / "dsf.csv", index=False)
    with pytest.warns(EventStudyWarning, match="1 loses all on 2020-01-07"):
        prices = es.load_prices("1", source=tmp_path / "dsf.csv")
    np.testing.assert_allclose(prices["1"], [100, 110, np.nan, 132, np.nan])


def test_a_ticker_that_passed_from_firm_to_firm_is_refused(tmp_path) -> None:
    table = crsp_table().assign(TICKER="AAA")
    table.to_csv(tmp_path / "dsf.csv", index=False)
    with pytest.raises(DataSourceError, match="AAA was the ticker of 10001, 10002"):
        es.load_prices("AAA", source=tmp_path / "dsf.csv")


def test_a_name_in_the_index_and_among_the_columns_is_refused() -> None:
    table = pd.DataFrame({"permno": [1, 1], "date": ["2024-01-02", "2024-01-03"], "ret": [0.01, 0.02]})
    table.index = pd.Index([1, 1], name="permno")
    with pytest.raises(es.InputError, match="'permno' is in the index and a column"):
        read_crsp(table)
