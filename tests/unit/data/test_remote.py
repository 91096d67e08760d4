"""When the cache serves and when it does not, with a provider that counts its calls."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from eventstudy.data import Bars, PriceCache, load_prices
from eventstudy.data.remote import BATCH
from eventstudy.errors import CacheMissError, DataSourceError

TODAY = datetime.now(UTC).date()


class Counting:
    """Remote bars on every weekday of the range, numbered; remembers what was asked."""

    name = "counting"
    remote = True

    def __init__(self, bad: set[str] | None = None, age: timedelta = timedelta(0)) -> None:
        self.asked: list[tuple[list[str], date | None, date | None]] = []
        self.bad, self.age = bad or set(), age

    def fetch(self, symbols, start, end, interval="1d"):
        self.asked.append((list(symbols), start, end))
        days = pd.bdate_range(start or date(2020, 1, 1), end, name="date").as_unit("us")
        # Numbered from 1 January 2024 on, whatever the range: a source that does not change its mind.
        number = 10_001 + np.busday_count("2024-01-01", days.to_numpy("datetime64[D]"))
        frame = pd.DataFrame({"close": number}, days, dtype=float)
        stamp = (datetime.now(UTC) - self.age).strftime("%Y-%m-%dT%H:%M:%SZ")
        good = {s: Bars(frame, "close, not adjusted", fetched_at=stamp) for s in symbols if s not in self.bad}
        if self.bad & set(symbols):
            failures = {s: "broken" for s in symbols if s in self.bad}
            raise DataSourceError("some failed", failures=failures, partial=good)
        return good


def spans(provider: Counting) -> list[tuple[date | None, date | None]]:
    return [(start, end) for _, start, end in provider.asked]


def test_inside_the_cached_span_nothing_is_asked(tmp_path) -> None:
    provider = Counting()
    load_prices("A", "2024-01-01", "2024-03-31", source=provider, cache=tmp_path)
    inside = load_prices("A", "2024-02-05", "2024-02-06", source=provider, cache=tmp_path)
    assert len(provider.asked) == 1
    assert inside["A"].tolist() == [10_026.0, 10_027.0]  # 1 January 2024 is a Monday, so 5 February is weekday 26


def test_a_tail_is_asked_with_an_overlap_and_a_head_as_a_whole(tmp_path) -> None:
    provider = Counting()
    for start, end in (("2024-02-01", "2024-02-29"), ("2024-04-01", "2024-04-30"), ("2024-01-01", "2024-01-31")):
        load_prices("A", start, end, source=provider, cache=tmp_path)
    assert spans(provider) == [
        (date(2024, 2, 1), date(2024, 2, 29)),
        (date(2024, 2, 16), date(2024, 4, 30)),  # the tenth weekday of February from its end
        (date(2024, 1, 1), date(2024, 4, 30)),
    ]


def test_an_open_start_covers_every_start_and_not_the_reverse(tmp_path) -> None:
    provider = Counting()
    load_prices("A", "2024-01-01", "2024-03-31", source=provider, cache=tmp_path)
    load_prices("A", None, "2024-03-31", source=provider, cache=tmp_path)
    load_prices("A", "1990-01-01", "2024-03-31", source=provider, cache=tmp_path)
    assert spans(provider)[1:] == [(None, date(2024, 3, 31))]


@pytest.mark.parametrize(
    ("age", "calls"), [(timedelta(minutes=5), 1), (timedelta(hours=2), 2), (timedelta(days=9), 2)], ids=str
)
def test_the_present_is_asked_for_again_after_an_hour(tmp_path, age, calls) -> None:
    provider = Counting(age=age)
    start = TODAY - timedelta(days=30)
    for end in (None, TODAY + timedelta(days=100)):
        load_prices("A", start, end, source=provider, cache=tmp_path)
    assert len(provider.asked) == calls
    assert spans(provider)[0] == (start, TODAY)  # never the future


def test_a_day_that_was_open_when_fetched_is_not_trusted_for_good(tmp_path) -> None:
    provider = Counting(age=timedelta(days=20))
    start, then = TODAY - timedelta(days=60), TODAY - timedelta(days=20)
    load_prices("A", start, then, source=provider, cache=tmp_path)
    load_prices("A", start, then - timedelta(days=1), source=provider, cache=tmp_path)
    assert len(provider.asked) == 1
    load_prices("A", start, then, source=provider, cache=tmp_path)
    assert len(provider.asked) == 2


def test_batches_are_committed_one_by_one(tmp_path) -> None:
    names = [f"S{i:03d}" for i in range(2 * BATCH + 3)]
    provider = Counting(bad={names[0], names[-1]})
    with pytest.raises(DataSourceError, match=r"2 of 43 tickers: S000: broken; S042: broken\. The other 41") as caught:
        load_prices(names, "2024-01-01", "2024-01-31", source=provider, cache=tmp_path)
    assert [len(symbols) for symbols, _, _ in provider.asked] == [BATCH, BATCH, 3]
    assert len(caught.value.context["partial"]) == 41
    provider.bad.clear()
    provider.asked.clear()
    load_prices(names, "2024-01-01", "2024-01-31", source=provider, cache=tmp_path)
    assert [symbols for symbols, _, _ in provider.asked] == [[names[0], names[-1]]]


def test_an_answer_without_rows_is_a_failure(tmp_path) -> None:
    class Silent(Counting):
        def fetch(self, symbols, start, end, interval="1d"):
            return {s: b for s, b in super().fetch(symbols, start, end).items() if s != "A"}

    with pytest.raises(DataSourceError, match="1 of 2 tickers: A: no rows came"):
        load_prices(["A", "B"], "2024-01-01", "2024-01-31", source=Silent(), cache=tmp_path)
    assert [key[2] for key in PriceCache(tmp_path).entries()] == ["B"]


def test_offline_serves_what_was_asked_before(tmp_path) -> None:
    provider = Counting()
    load_prices("A", "2024-01-01", "2024-01-31", source=provider, cache=tmp_path)
    everything = load_prices("A", source=provider, cache=tmp_path, offline=True)
    assert everything.info.loc["A", "rows"] == 23
    prices = load_prices("A", "2024-01-10", None, source=provider, cache=tmp_path, offline=True)
    assert prices.info.loc["A", "rows"] == 16
    with pytest.raises(CacheMissError, match="does not cover 2023-01-01"):
        load_prices("A", "2023-01-01", "2024-01-31", source=provider, cache=tmp_path, offline=True)
    assert len(provider.asked) == 1


def test_the_manifest_is_read_once_however_many_series_are(tmp_path, monkeypatch) -> None:
    names = [f"S{at}" for at in range(30)]
    load_prices(names, "2024-01-01", "2024-03-31", source=Counting(), cache=tmp_path)
    usual, reads = PriceCache.entries, []
    monkeypatch.setattr(PriceCache, "entries", lambda self: reads.append(1) or usual(self))
    prices = load_prices(names, "2024-01-01", "2024-03-31", source=Counting(), cache=tmp_path, offline=True)
    assert (prices.shape[1], len(reads)) == (30, 1)


@pytest.mark.parametrize("value", ["0", "false", "", "no"])
def test_the_offline_switch_can_be_off(monkeypatch, tmp_path, value) -> None:
    monkeypatch.setenv("EVENTSTUDY_OFFLINE", value)
    provider = Counting()
    load_prices("A", "2024-01-01", "2024-01-31", source=provider, cache=tmp_path)
    assert len(provider.asked) == 1


@pytest.mark.parametrize(("progress", "shown"), [(None, False), (False, False), (True, True)])
def test_the_progress_bar_is_off_outside_a_terminal(tmp_path, capsys, progress, shown) -> None:
    load_prices(["A", "B"], "2024-01-01", "2024-01-31", source=Counting(), cache=tmp_path, progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("counting: 100%" in captured.err) is shown
