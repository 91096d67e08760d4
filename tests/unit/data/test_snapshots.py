"""Snapshots: a study runs again on exactly the data it used, whatever the cache has become since."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.data import Bars, PriceCache, load_prices
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyWarning, InputError

pytestmark = pytest.mark.filterwarnings("ignore:The prices look damaged")  # weekdays that were holidays

SESSIONS = 120


class Source:
    """A remote source whose history can be rewritten."""

    name = "own"
    remote = True

    def __init__(self) -> None:
        self.calls, self.factor = 0, 1.0

    def fetch(self, symbols, start, end, interval="1d"):
        self.calls += 1
        days = pd.bdate_range("2024-06-03", periods=SESSIONS, name="date").as_unit("us")
        out = {}
        for symbol in symbols:
            steps = np.random.default_rng(sum(map(ord, symbol))).normal(0.0, 0.01, SESSIONS)
            frame = pd.DataFrame({"close": 50.0 * np.exp(steps.cumsum()) * self.factor}, days)
            out[symbol] = Bars(frame, "close, not adjusted", currency="USD", tz="America/New_York")
        return out


@pytest.fixture
def cache(tmp_path: Path) -> PriceCache:
    return PriceCache(tmp_path / "cache")


def bars_of(*closes: float) -> Bars:
    index = pd.bdate_range("2025-01-06", periods=len(closes), name="date").as_unit("us")
    return Bars(pd.DataFrame({"close": np.array(closes, float)}, index=index), "close, not adjusted")


def closes(cache: PriceCache, symbol: str = "A") -> list[float]:
    return cache.read("p", symbol).frame["close"].tolist()


def test_what_a_killed_snapshot_or_download_leaves_is_found_and_cleared(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    cache.snapshot("s")
    left = [cache.directory / folder / "write-x.tmp" for folder in ("snapshots", "factors")]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    found = cache.verify()
    assert found.loc[~found["ok"], "file"].tolist() == ["factors/write-x.tmp", "snapshots/write-x.tmp"]
    assert cache.clear(orphans=True) == 2
    assert not any(path.exists() for path in left)
    assert cache.verify()["ok"].all()


def stamped(cache: PriceCache, name: str, created: str) -> None:
    """Give a snapshot another day."""
    path = cache.directory / "snapshots" / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"created": created}))


def test_a_study_runs_again_on_the_data_of_its_manifest(cache, quiet) -> None:
    source = Source()
    names, span = ["A", "B", "MKT"], ("2024-06-03", "2024-11-15")

    def study(**options: object):
        prices = load_prices(names, *span, source=source, cache=cache, **options)
        events = es.Events.at("2024-10-15", ["A", "B"])
        panel = es.ReturnPanel.from_prices(prices)
        return quiet(
            es.EventStudy(panel, events, es.MarketModel("MKT"), estimation_window=(-70, -11), event_window=(-5, 5),
                          min_obs=40)
        )  # fmt: skip

    first = study()
    taken = cache.snapshot("paper")
    assert (taken.name, taken.entries) == ("paper", 3)
    # The source rewrites its history otherwise than by a split, and the cache follows it.
    usual = source.fetch

    def rewritten(*arguments):
        found = usual(*arguments)
        found["A"].frame.iloc[100] *= 1.5
        return found

    source.fetch = rewritten
    with pytest.warns(EventStudyWarning, match=r"own changed prices.*cache snapshot"):
        other = study(refresh=True)
    assert other.manifest["data"]["sha256"] != first.manifest["data"]["sha256"]
    source.calls = 0
    again = study(snapshot="paper")
    assert source.calls == 0
    assert again.manifest["data"]["sha256"] == first.manifest["data"]["sha256"]
    pd.testing.assert_frame_equal(again.car(-1, 1), first.car(-1, 1), check_exact=True)
    assert "snapshot 'paper'" in again.manifest["data"]["source"]
    assert "snapshot" not in first.manifest["data"]["source"]
    assert cache.verify()["ok"].all()


def test_a_snapshot_shows_the_past_and_the_cache_the_present(cache) -> None:
    cache.write("p", "A", bars_of(1.0, 2.0))
    cache.write("p", "B", bars_of(7.0))
    cache.snapshot("before")
    cache.write("p", "A", bars_of(3.0, 4.0))
    cache.clear("B")
    then = cache.at("before")
    assert closes(then) == [1.0, 2.0]
    assert closes(then, "B") == [7.0]
    assert then.taken == "before"
    assert repr(then).endswith("snapshot 'before')")
    assert closes(cache) == [3.0, 4.0]
    assert cache.entry("p", "B") is None
    assert cache.verify()["ok"].tolist() == [True, True, True]
    assert cache.verify()["snapshot"].tolist() == ["", "before", "before"]
    assert then.list()["symbol"].tolist() == ["A", "B"]


def test_equal_data_have_the_same_checksum_and_other_data_another(cache) -> None:
    cache.write("p", "A", bars_of(1.0, 2.0))
    one, two = cache.snapshot("one"), cache.snapshot("two")
    cache.write("p", "A", bars_of(1.0, 2.5))
    three = cache.snapshot("three")
    assert one.sha256 == two.sha256 != three.sha256
    shown = cache.snapshots()
    assert sorted(shown["name"]) == ["one", "three", "two"]
    assert shown["created"].is_monotonic_increasing
    assert shown.columns.tolist() == ["name", "created", "entries", "sha256"]


def test_removing_a_snapshot_removes_what_only_it_named(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    cache.snapshot("first")
    cache.snapshot("second")
    cache.write("p", "A", bars_of(2.0))
    cache.forget_snapshot("first")
    assert closes(cache.at("second")) == [1.0]
    cache.forget_snapshot("second")
    assert len(list(cache.directory.glob("*.parquet"))) == 1
    assert closes(cache) == [2.0]
    with pytest.raises(InputError, match=r"no snapshot 'second'.*Take one"):
        cache.forget_snapshot("second")


def test_clearing_the_cache_spares_the_snapshots(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    cache.snapshot("kept")
    (cache.directory / "A-000000000000.parquet").write_bytes(b"left by a killed process")
    assert cache.clear() == 1
    assert closes(cache.at("kept")) == [1.0]
    assert len(list(cache.directory.glob("*.parquet"))) == 1


def test_a_day_names_the_last_snapshot_up_to_its_end(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    for name, created in (("a", "2025-03-01T10:00:00Z"), ("b", "2025-03-01T23:59:59Z"), ("c", "2025-04-01T00:00:00Z")):
        cache.snapshot(name)
        stamped(cache, name, created)
    for day, name in (("2025-03-01", "b"), (date(2025, 3, 31), "b"), (pd.Timestamp("2025-04-01"), "c")):
        assert cache.at(day).taken == name
    with pytest.raises(InputError, match=r"up to 2025-02-28; the first, 'a', is of 2025-03-01T10:00:00Z"):
        cache.at("2025-02-28")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 61, None, 3])
def test_what_cannot_be_a_name(cache, name) -> None:
    cache.write("p", "A", bars_of(1.0))
    with pytest.raises(InputError, match="not a name for a snapshot"):
        cache.snapshot(name)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a b", "2025-01-29", "Größe", "..", "~", "CON"])
def test_names_never_leave_the_directory(cache, name) -> None:
    cache.write("p", "A", bars_of(1.0))
    cache.snapshot(name)
    assert [path.parent for path in cache.directory.parent.rglob("*.json") if path.name != "manifest.json"] == [
        cache.directory / "snapshots"
    ]
    assert cache.snapshots()["name"].tolist() == [name]
    assert closes(cache.at(name)) == [1.0]
    with pytest.raises(InputError, match=r"already.*cache snapshot .*--remove"):
        cache.snapshot(name)
    cache.forget_snapshot(name)
    assert cache.snapshots().empty


def test_a_snapshot_is_for_reading_only(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    cache.snapshot("s")
    then = cache.at("s")
    for change in (lambda: then.write("p", "A", bars_of(2.0)), lambda: then.clear(), lambda: then.snapshot("t")):
        with pytest.raises(InputError, match="for reading only"):
            change()
    with pytest.raises(InputError, match=r"offline.*a snapshot is never refreshed"):
        load_prices("A", source=Source(), cache=cache, snapshot="s", refresh=True)
    with pytest.raises(InputError, match="only downloaded prices have snapshots"):
        load_prices("MSFT", source="sample", snapshot="s")


def test_what_a_snapshot_does_not_hold_is_an_error(cache) -> None:
    source = Source()
    load_prices("A", "2024-06-03", "2024-11-15", source=source, cache=cache)
    cache.snapshot("s")
    source.calls = 0
    with pytest.raises(CacheMissError, match=r"the snapshot 's' of .* does not cover .* for B; it holds B \(nothing\)"):
        load_prices(["A", "B"], "2024-06-03", "2024-11-15", source=source, cache=cache, snapshot="s")
    with pytest.raises(InputError, match=r"no snapshot 't'.*It has 's'"):
        load_prices("A", source=source, cache=cache, snapshot="t")
    assert source.calls == 0


def test_nothing_to_keep(cache) -> None:
    with pytest.raises(InputError, match="is empty"):
        cache.snapshot("s")
    assert not cache.directory.exists()
    assert cache.snapshots().empty


def test_damaged_data_are_not_kept(cache) -> None:
    entry = cache.write("p", "A", bars_of(1.0, 2.0))
    path = cache.directory / entry.file
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataSourceError, match=r"A: .*do not match the recorded checksum"):
        cache.snapshot("s")
    path.unlink()
    with pytest.raises(DataSourceError, match=r"A: .*cannot be read \(No such file"):
        cache.snapshot("s")
    assert cache.snapshots().empty


@pytest.mark.parametrize("text", ["{", '{"schema_version": 2, "entries": []}', '{"schema_version": 99, "entries": []}'])
def test_a_damaged_snapshot_is_named_and_does_not_harm_the_others(cache, text) -> None:
    cache.write("p", "A", bars_of(1.0))
    cache.snapshot("good")
    cache.snapshot("bad one")
    (cache.directory / "snapshots" / "bad%20one.json").write_text(text)
    assert closes(cache.at("good")) == [1.0]
    cache.write("p", "A", bars_of(2.0))  # nothing is unlinked that the damaged one may name
    assert closes(cache.at("good")) == [1.0]
    report = cache.verify()
    assert report.loc[~report["ok"], "problem"].tolist() == ["the snapshot cannot be read"]
    assert report.loc[~report["ok"], "remedy"].item() != ""
    with pytest.raises(DataSourceError, match=r"bad%20one\.json"):
        cache.at("bad one")
    with pytest.raises(DataSourceError, match=r"bad%20one\.json"):
        cache.snapshots()
    cache.forget_snapshot("bad one")
    assert cache.verify()["ok"].all()
    assert cache.snapshots()["name"].tolist() == ["good"]


def test_a_damaged_file_of_a_snapshot_is_found(cache) -> None:
    entry = cache.write("p", "A", bars_of(1.0))
    cache.snapshot("my data")
    cache.write("p", "A", bars_of(2.0))
    (cache.directory / entry.file).write_bytes(b"x")
    bad = cache.verify().query("not ok").iloc[0]
    assert (bad["symbol"], bad["snapshot"]) == ("A", "my data")
    assert "eventstudy cache snapshot 'my data' --remove" in bad["remedy"]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_file_system_without_locks_is_an_error_of_ours(cache, monkeypatch) -> None:
    import filelock

    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    cache.write("p", "A", bars_of(1.0))
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(DataSourceError, match=r"knows no locks.*EVENTSTUDY_CACHE"):
        cache.write("p", "A", bars_of(2.0))
    assert closes(cache) == [1.0]
