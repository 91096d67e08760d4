"""The bundled sample: its numbers are those of the record, and its files are what the script builds."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eventstudy.data import PriceCache, load_prices, sample
from eventstudy.errors import CacheMissError, DataSourceError, InputError

REPOSITORY = Path(__file__).resolve().parents[3]
SHARED = REPOSITORY.parent / "shared" / "data"
TICKERS = {
    "MSFT", "NVDA", "GOOGL", "META", "AMZN", "AAPL", "ORCL", "AVGO", "AMD", "TSM", "MU", "MRVL", "CRM", "ADBE", "PLTR",
    "VRT", "VST", "CEG", "SPY", "SMH",
}  # fmt: skip


def test_extent_and_known_returns() -> None:
    assert set(sample.tickers()) == TICKERS
    prices = load_prices(sample.tickers())
    assert prices.shape == (311, 20)
    assert [f"{d:%Y-%m-%d}" for d in prices.index[[0, -1]]] == ["2023-12-01", "2025-02-28"]
    assert not prices.isna().any(axis=None)
    assert pd.Timestamp("2025-01-09") not in prices.index  # national day of mourning
    returns = prices.pct_change()
    assert f"{returns.loc['2025-01-27', 'NVDA']:.2%}" == "-16.97%"
    assert f"{returns.loc['2025-01-30', 'MSFT']:.2%}" == "-6.18%"


def test_every_level_is_that_of_the_full_file(full_prices) -> None:
    prices = load_prices(sample.tickers())
    full = full_prices.pivot(index="date", columns="ticker", values="adj_close")
    np.testing.assert_allclose(prices, full.loc[prices.index, prices.columns], atol=5.1e-5)


def test_provenance_is_stated() -> None:
    info = load_prices("MSFT").info.loc["MSFT"]
    assert (info["provider"], info["basis"], info["currency"]) == ("sample", "adjusted close", "USD")
    entry = PriceCache(sample.directory()).entry("sample", "MSFT")
    assert entry is not None
    assert "dsturdy/Factor_Attribution_5_csvs" in entry.source
    assert "not traded prices" in entry.source
    readme = (sample.directory() / "README.md").read_text()
    assert "Adjusted closes are not traded prices" in readme
    assert "d4cbf2bc, a2af689c" in readme


def test_the_committed_files_verify() -> None:
    report = PriceCache(sample.directory()).verify()
    assert report["ok"].all()
    assert set(report["symbol"]) == TICKERS


def test_the_sample_works_offline_and_has_no_volume(monkeypatch) -> None:
    monkeypatch.setenv("EVENTSTUDY_OFFLINE", "1")
    prices = load_prices(["SPY"], "2025-01-27", "2025-01-28")
    assert prices.info.loc["SPY", "rows"] == 2
    with pytest.raises(InputError, match=r"no field 'volume'.*adj_close"):
        prices.field("volume")
    with pytest.raises(CacheMissError):
        load_prices(["SPY"], "2025-01-27", "2025-01-28", source="yahoo")


def test_a_ticker_or_a_range_that_it_lacks() -> None:
    with pytest.raises(InputError, match=r"the bundled sample has no ticker 'GOOG'\. Nearest: GOOGL"):
        load_prices("GOOG")
    with pytest.raises(DataSourceError, match="the source has 2023-12-01 to 2025-02-28"):
        load_prices("MSFT", "2025-03-01")
    early = load_prices("MSFT", "2020-01-01", "2023-12-01")
    assert early.info.loc["MSFT", "first"] == pd.Timestamp("2023-12-01")


def test_known_events_and_shares() -> None:
    events = sample.known_events()
    article = events[events["certainty"] == "seed"].iloc[0]
    assert (article["date"], article["time_et"], article["scope"]) == (pd.Timestamp("2025-01-29"), "04:46", "MSFT")
    assert (events["date"].min(), events["date"].max()) == (pd.Timestamp("2024-12-03"), pd.Timestamp("2025-02-27"))
    shares = sample.shares()
    assert shares.loc["MSFT", "shares_millions"] == 7434
    assert shares.loc["NVDA", "close_2025_01_28_usd"] == 128.99
    assert shares.loc["NVDA", "as_of"] == pd.Timestamp("2024-11-15")
    assert set(shares.index) == TICKERS - {"SPY", "SMH"}


def test_the_script_rebuilds_the_committed_bytes(tmp_path) -> None:
    if not (SHARED / "sample_prices.csv").is_file():
        pytest.skip("the source CSV of the sample is not beside this checkout")
    main = runpy.run_path(str(REPOSITORY / "scripts" / "build_sample.py"))["main"]
    names = ("sample_prices.csv", "known_events.csv", "shares.csv")
    assert main(*(str(SHARED / name) for name in names), tmp_path) == 0
    for name in ("known_events.csv", "shares.csv"):
        assert (tmp_path / name).read_bytes() == (sample.directory() / name).read_bytes()
    built, committed = PriceCache(tmp_path).list(), PriceCache(sample.directory()).list()
    # Parquet bytes carry the pyarrow version, so another version is compared by its numbers.
    stable = [c for c in built.columns if c not in {"sha256", "file"}]
    pd.testing.assert_frame_equal(built[stable], committed[stable])
    for symbol in built["symbol"]:
        again = PriceCache(tmp_path).read("sample", symbol).frame
        pd.testing.assert_frame_equal(again, load_prices(symbol).field("adj_close").set_axis(["adj_close"], axis=1))
