"""Incremental updates through yfinance: only the tail is asked for, and a re-adjusted past is noticed and fetched."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from fake_yahoo import Answer

from eventstudy.data import PriceCache, load_prices
from eventstudy.data.revisions import revision
from eventstudy.errors import DataSourceError, EventStudyWarning

pytestmark = pytest.mark.filterwarnings("ignore:The prices look damaged")

START, CUT, END = "2024-01-02", "2024-06-28", "2024-09-30"


@pytest.fixture
def series() -> pd.DataFrame:
    """Closes of weekdays from January to September 2024, each of its own size, and what Yahoo says beside them."""
    days = pd.bdate_range(START, END).as_unit("us")
    walk = np.random.default_rng(7).normal(0.0005, 0.02, len(days)).cumsum()
    close = np.round(100.0 * np.exp(walk), 4)
    return pd.DataFrame({"close": close, "dividends": 0.0, "splits": 0.0, "adjclose": close}, days)


def first_asked(query: dict[str, str]) -> str:
    return f"{datetime.fromtimestamp(int(query['period1']), UTC):%Y-%m-%d}"


@pytest.fixture
def load(yahoo, make_provider, tmp_path):
    """Load symbol A up to a date; the requests so far are forgotten."""

    def call(end: str, **options: object) -> pd.DataFrame:
        yahoo.requests.clear()
        return load_prices("A", START, end, source=make_provider(), cache=tmp_path, **options)

    return call


def test_without_a_change_only_the_tail_is_asked_for(yahoo, series, load, tmp_path) -> None:
    yahoo.put("A", series)
    load(CUT)
    prices = load(END)
    queries = yahoo.asked("A")
    # Ten sessions of overlap: the tenth last weekday up to 28 June 2024 is the 17th.
    assert [first_asked(query) for query in queries] == ["2024-06-17"]
    assert prices["A"].to_numpy().tolist() == series["close"].tolist()
    entry = PriceCache(tmp_path).entry("yahoo", "A")
    assert (entry.rows, entry.first, entry.last, entry.readjusted) == (len(series), START, END, "")
    assert entry.query == {"start": START, "end": END}
    load(END)
    assert yahoo.requests == []


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (4.0, "closes are 0.25 times those cached: a split 4:1 since"),
        (0.1, "closes are 10 times .*: a split 1:10 since"),
    ],
    ids=["split", "reverse-split"],
)
def test_a_split_since_then_fetches_the_whole_series_again(yahoo, series, load, tmp_path, ratio, words) -> None:
    yahoo.put("A", series)
    before = load(CUT)
    after = series.assign(close=series["close"] / ratio, adjclose=series["adjclose"] / ratio)
    after.loc["2024-07-15", "splits"] = ratio
    yahoo.put("A", after)
    with pytest.warns(EventStudyWarning, match=f"yahoo changed prices that were cached.*A: {words}"):
        prices = load(END)
    assert [first_asked(query) for query in yahoo.asked("A")] == ["2024-06-17", START]
    # No seam: returns before the cut are those of before, and the split is no return.
    np.testing.assert_allclose(prices["A"].pct_change().loc[:CUT], before["A"].pct_change(), rtol=1e-9, equal_nan=True)
    np.testing.assert_allclose(prices["A"], after["close"], rtol=1e-12)
    entry = PriceCache(tmp_path).entry("yahoo", "A")
    assert "times those cached: a split" in entry.readjusted
    assert entry.readjusted.startswith(f"{datetime.now(UTC):%Y-%m-%d}: ")
    assert (entry.first, entry.last) == (START, END)


def test_a_dividend_since_then_is_found_by_the_adjusted_closes(yahoo, series, load, tmp_path) -> None:
    yahoo.put("A", series)
    load(CUT)
    day, paid = pd.Timestamp("2024-08-01"), 1.5
    factor = 1 - paid / series["close"].shift(1)[day]
    after = series.copy()
    after.loc[after.index < day, "adjclose"] *= factor
    after.loc[day, "dividends"] = paid
    yahoo.put("A", after)
    with pytest.warns(
        EventStudyWarning, match=rf"A: adjusted closes are {factor:.6g} times those cached: a dividend since"
    ):
        prices = load(END)
    # Both adjustments agree from the first session to the last, across the seam.
    np.testing.assert_allclose(prices["A"].pct_change(), after["adjclose"].pct_change(), atol=1e-12)
    assert prices.field("close")["A"].tolist() == series["close"].tolist()
    assert prices.field("dividends")["A"].to_dict()[day] == paid
    assert "a dividend" in PriceCache(tmp_path).entry("yahoo", "A").readjusted


@pytest.mark.parametrize("what", ["close", "dividend", "row", "currency"])
def test_rewritten_history_is_told_with_its_date(yahoo, series, load, what) -> None:
    yahoo.put("A", series)
    load(CUT)
    after, meta = series.copy(), {}
    if what == "close":
        after.loc["2024-06-20", ["close", "adjclose"]] = 99.0
        words = r"the close of 2024-06-20 is 99, not [\d.]+"
    elif what == "dividend":
        after.loc["2024-06-20", "dividends"] = 0.0002  # too small for the adjusted closes to show it
        words = r"dividends on 2024-06-20 are 0\.0002, not 0"
    elif what == "row":
        after = after.drop(pd.Timestamp("2024-06-20"))
        words = "2024-06-20 is gone"
    else:
        meta = {"currency": "EUR"}
        words = "its currency is EUR, not USD"
    yahoo.put("A", after, **meta)
    with pytest.warns(EventStudyWarning, match=f"A: {words}"):
        prices = load(END)
    assert prices.field("close")["A"].tolist() == after["close"].tolist()


def test_the_old_series_stays_where_the_new_one_cannot_be_had(yahoo, series, load, tmp_path) -> None:
    yahoo.put("A", series)
    load(CUT)
    kept = PriceCache(tmp_path).entry("yahoo", "A")
    halved = series.assign(close=series["close"] / 2, adjclose=series["adjclose"] / 2)
    yahoo.put("A", halved)
    given = yahoo.answer

    def tail_only(symbol: str, query: dict[str, str]) -> Answer:
        if "period1" in query and first_asked(query) == START:
            return Answer(500, b"down")
        return given(symbol, query)

    yahoo.answer = tail_only
    with pytest.raises(DataSourceError, match=r"A: server error .*out of date, closes are 0\.5 times.*has the old one"):
        load(END)
    assert PriceCache(tmp_path).entry("yahoo", "A") == kept
    yahoo.answer = given
    with pytest.warns(EventStudyWarning, match="a split 2:1 since"):
        assert load(END)["A"].tolist() == halved["close"].tolist()


def test_a_failed_update_says_what_the_cache_has(yahoo, series, load) -> None:
    yahoo.put("A", series)
    load(CUT)
    del yahoo.series["A"]  # delisted since, and forgotten
    with pytest.raises(DataSourceError, match=r"A: unknown symbol .*\(the cache has it up to 2024-06-28\)"):
        load(END)
    assert load(CUT, offline=True)["A"].tolist() == series["close"].loc[:CUT].tolist()


def test_volume_may_be_corrected_without_a_word(yahoo, series, load) -> None:
    yahoo.put("A", series.assign(volume=1000.0))
    load(CUT)
    yahoo.put("A", series.assign(volume=1001.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", EventStudyWarning)
        warnings.filterwarnings("ignore", "The prices look damaged")
        load(END)
    assert len(yahoo.asked("A")) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([30.0, 31.0, 29.0], [10.0, 31 / 3, 29 / 3], "a split 3:1"),
        ([30.0, 31.0, 29.0], [20.0, 62 / 3, 58 / 3], "a split 3:2"),
        ([30.0, 31.0, 29.0], [0.3, 0.31, 0.29], "a change of units or an adjustment"),
        ([30.0, 31.0, 29.0], [29.31, 30.287, 28.333], "a change of units or an adjustment"),
        ([30.0, 31.0, 29.0], [30.0, 31.0, 29.00002], ""),
        ([30.0, 31.0, 29.0], [30.0, 31.0, 29.001], "the close of 2025-06-04 is 29.001, not 29"),
        ([30.0, np.nan, 29.0], [30.0, 31.0, 29.0], "the close of 2025-06-03 is 31, not nan"),
    ],
)
def test_revisions_in_words(old, new, words) -> None:
    days = pd.bdate_range("2025-06-02", periods=3)
    said = revision(pd.DataFrame({"close": old}, days), pd.DataFrame({"close": new}, days))
    assert words in said
    assert bool(said) is bool(words)
