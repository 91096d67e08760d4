"""Downloads of the French library from a local server: kept, checked, renewed, and every failure named."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_yahoo import Answer, Server
from french_files import DAILY, MOMENTUM, zipped

import eventstudy as es
from eventstudy.data import Bars, FrenchLibrary, PriceCache, load_factors
from eventstudy.data.french import FILES
from eventstudy.errors import InputError


class Library:
    """The library on 127.0.0.1: what it serves, scripted faults, and the paths that were asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.script: list[Answer] = []
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def library(monkeypatch) -> Iterator[Library]:
    served = Library()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append(self.path)
            name = self.path.rsplit("/", 1)[-1]
            answer = served.script.pop(0) if served.script else Answer(200, served.files.get(name, b""))
            if not served.script and answer.status == 200 and name not in served.files and not answer.body:
                answer = Answer(404, b"not here")
            if answer.drop:
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/ken.french/ftp"
    served.files = {
        "F-F_Research_Data_Factors_daily_CSV.zip": zipped(DAILY),
        "F-F_Momentum_Factor_daily_CSV.zip": zipped(MOMENTUM),
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def source(library, slept) -> Callable[..., FrenchLibrary]:
    def make(**options: object) -> FrenchLibrary:
        settings: dict[str, object] = {"retries": 2, "timeout": 5.0, "sleep": slept.append, "jitter": lambda: 0.0}
        return FrenchLibrary(library.url, **{**settings, **options})  # type: ignore[arg-type]

    return make


def stored(tmp_path: Path) -> Path:
    return tmp_path / "factors" / "F-F_Research_Data_Factors_daily_CSV.zip"


def age(path: Path, **ago: float) -> None:
    """Make a stored file look as if it had been fetched earlier."""
    head, _, content = path.read_bytes().partition(b"\n")
    facts = json.loads(head) | {"fetched_at": (datetime.now(UTC) - timedelta(**ago)).isoformat()}
    path.write_bytes(json.dumps(facts).encode() + b"\n" + content)


def test_a_download_is_kept_and_read_again(library, source, tmp_path) -> None:
    first = load_factors("carhart", source=source(), cache=tmp_path)
    assert library.asked == [
        "/ken.french/ftp/F-F_Research_Data_Factors_daily_CSV.zip",
        "/ken.french/ftp/F-F_Momentum_Factor_daily_CSV.zip",
    ]
    np.testing.assert_allclose(first["Mom"].dropna(), [0.0141, -0.0062, 0.002], rtol=1e-15)
    for options in ({}, {"offline": True}, {"cache": PriceCache(tmp_path)}):
        again = load_factors("carhart", **{"source": source(), "cache": tmp_path, **options})
        pd.testing.assert_frame_equal(again, first)
    assert len(library.asked) == 2
    assert zipfile.ZipFile(stored(tmp_path)).namelist() == ["F-F_Research_Data_Factors_daily.csv"]
    assert [path.name for path in stored(tmp_path).parent.iterdir() if path.suffix == ".tmp"] == []
    assert PriceCache(tmp_path).verify().empty  # the price cache minds its own files


def test_offline_without_the_file(source, library, tmp_path, monkeypatch) -> None:
    with pytest.raises(es.CacheMissError, match=r"has no F-F_Research_Data_Factors_daily_CSV\.zip from http://127"):
        load_factors("ff3", source=source(), cache=tmp_path, offline=True)
    monkeypatch.setenv("EVENTSTUDY_OFFLINE", "1")
    with pytest.raises(es.CacheMissError):
        load_factors("ff3", cache=tmp_path)
    assert library.asked == []


def test_a_stale_file_is_asked_for_again_where_it_does_not_reach(library, source, tmp_path) -> None:
    load_factors("ff3", source=source(), cache=tmp_path)
    age(stored(tmp_path), days=3)
    load_factors("ff3", end="2025-01-29", source=source(), cache=tmp_path)  # it reaches that far
    assert len(library.asked) == 1
    later = DAILY.replace("\n\nCopyright", "\n20250130,    0.55,    0.10,    0.20,    0.017\n\nCopyright")
    library.files["F-F_Research_Data_Factors_daily_CSV.zip"] = zipped(later)
    assert len(load_factors("ff3", end="2025-02-15", source=source(), cache=tmp_path)) == 4
    assert len(library.asked) == 2
    assert len(load_factors("ff3", end="2025-02-15", source=source(), cache=tmp_path)) == 4  # asked for a moment ago
    assert len(library.asked) == 2


def test_a_failed_renewal_uses_what_there_is_and_says_so(library, source, tmp_path) -> None:
    first = load_factors("ff3", source=source(), cache=tmp_path)
    age(stored(tmp_path), days=40)
    library.files.clear()
    with pytest.warns(
        es.EventStudyWarning, match=r"HTTP 404.*The file fetched on \d{4}-\d\d-\d\d is used; it ends on 2025-01-29"
    ):
        pd.testing.assert_frame_equal(load_factors("ff3", source=source(), cache=tmp_path), first)
    with pytest.raises(es.DataSourceError, match="HTTP 404"):
        load_factors("ff3", source=source(), cache=tmp_path, refresh=True)


@pytest.fixture
def two_prices(tmp_path) -> PriceCache:
    """A cache that holds prices, as one of which a snapshot is taken does."""
    days = pd.DatetimeIndex(["2025-01-27", "2025-01-28"], name="date").as_unit("us")
    cache = PriceCache(tmp_path)
    cache.write("p", "A", Bars(pd.DataFrame({"close": [1.0, 2.0]}, index=days), "close, not adjusted"))
    return cache


def test_a_snapshot_keeps_the_files_of_factors(library, source, tmp_path, two_prices) -> None:
    cache = two_prices
    bare = cache.snapshot("bare")
    first = load_factors("ff3", source=source(), cache=cache)
    taken = cache.snapshot("v1.json")
    assert taken.sha256 != bare.sha256  # what it keeps is other data
    library.files["F-F_Research_Data_Factors_daily_CSV.zip"] = zipped(DAILY.replace("-1.50", "-1.43"))
    later = load_factors("ff3", source=source(), cache=cache, refresh=True)
    assert not later.equals(first)
    library.asked.clear()
    for options in ({"snapshot": "v1.json", "cache": tmp_path}, {"cache": cache.at("v1.json")}):
        pd.testing.assert_frame_equal(load_factors("ff3", source=source(), **options), first)
    pd.testing.assert_frame_equal(load_factors("ff3", source=source(), cache=cache, offline=True), later)
    with pytest.raises(es.CacheMissError, match=r"the snapshot 'bare' has no F-F_Research_Data_Factors_daily"):
        load_factors("ff3", source=source(), cache=cache, snapshot="bare")
    with pytest.raises(InputError, match="a snapshot is never refreshed"):
        load_factors("ff3", source=source(), cache=cache, snapshot="v1.json", refresh=True)
    assert library.asked == []
    assert [name for name in cache.snapshots()["name"]] == ["bare", "v1.json"]
    assert cache.verify()["ok"].all()
    kept = next(tmp_path.glob("*_CSV-*.zip"))
    cache.snapshot("v2")
    assert cache.clear(orphans=True) == 0
    cache.forget_snapshot("v1.json")
    pd.testing.assert_frame_equal(load_factors("ff3", source=source(), cache=cache, snapshot="v2"), later)
    assert not kept.exists()
    cache.forget_snapshot("v2")
    assert list(tmp_path.glob("*.zip")) == []
    pd.testing.assert_frame_equal(load_factors("ff3", source=source(), cache=cache, offline=True), later)


def test_a_damaged_file_of_factors_is_told_before_a_snapshot_keeps_it(library, source, two_prices) -> None:
    load_factors("ff3", source=source(), cache=two_prices)
    path = stored(two_prices.directory)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(es.DataSourceError, match="does not match its recorded checksum"):
        two_prices.snapshot("s")
    assert two_prices.snapshots().empty


def test_verify_minds_the_files_of_factors_in_a_snapshot(library, source, tmp_path, two_prices) -> None:
    load_factors("ff3", source=source(), cache=two_prices)
    two_prices.snapshot("s")
    kept = next(tmp_path.glob("*_CSV-*.zip"))
    whole = kept.read_bytes()
    for damage, problem in (
        (lambda: kept.write_bytes(whole[:-9]), "does not match its recorded checksum"), (kept.unlink, "file missing")
    ):  # fmt: skip
        damage()
        found = two_prices.verify().set_index("file").loc[kept.name]
        assert (found["ok"], found["problem"], found["snapshot"]) == (False, problem, "s")
        assert "eventstudy cache snapshot s --remove" in found["remedy"]
        with pytest.raises(es.DataSourceError):
            load_factors("ff3", source=source(), cache=two_prices, snapshot="s")
    kept.write_bytes(whole)
    (tmp_path / "snapshots" / "s.json").unlink()
    found = two_prices.verify().set_index("file").loc[kept.name]
    assert found["problem"] == "no entry names this file"
    assert two_prices.clear(orphans=True) == 1


@pytest.mark.parametrize("file", ["../x-0123456789ab.zip", "manifest.json", 5, None])
def test_a_snapshot_names_no_other_files(library, source, tmp_path, two_prices, file) -> None:
    load_factors("ff3", source=source(), cache=two_prices)
    two_prices.snapshot("s")
    path = tmp_path / "snapshots" / "s.json"
    facts = json.loads(path.read_text())
    facts["factors"]["F-F_Research_Data_Factors_daily_CSV.zip"]["file"] = file
    path.write_text(json.dumps(facts))
    for use in (two_prices.snapshots, lambda: load_factors("ff3", cache=two_prices, snapshot="s")):
        with pytest.raises(es.DataSourceError, match="its files of factors cannot be told"):
            use()
    assert not two_prices.verify()["ok"].all()


def test_files_of_ones_own_have_no_snapshots(tmp_path, two_prices) -> None:
    two_prices.snapshot("s")
    frame = pd.DataFrame({"mkt_rf": [0.01]}, index=pd.to_datetime(["2025-01-28"]))
    for what, options in ((frame, {}), ("f.csv", {}), ("ff3", {"source": tmp_path})):
        with pytest.raises(InputError, match="only downloaded files have snapshots"):
            load_factors(what, cache=two_prices, snapshot="s", **options)


def test_an_altered_file_is_not_used(library, source, tmp_path) -> None:
    first = load_factors("ff3", source=source(), cache=tmp_path)
    path = stored(tmp_path)
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(es.DataSourceError, match="does not match its recorded checksum"):
        load_factors("ff3", source=source(), cache=tmp_path, offline=True)
    pd.testing.assert_frame_equal(load_factors("ff3", source=source(), cache=tmp_path), first)
    assert len(library.asked) == 2
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(es.DataSourceError, match="does not match"):
        load_factors("ff3", source=source(), cache=tmp_path, offline=True)


def test_files_of_another_address_are_not_mixed_in(library, source, tmp_path) -> None:
    load_factors("ff3", source=source(), cache=tmp_path)
    with pytest.raises(es.CacheMissError, match=r"from https://mba\.tuck\.dartmouth\.edu"):
        load_factors("ff3", cache=tmp_path, offline=True)


def test_faults_that_pass_are_waited_out(library, source, slept, tmp_path) -> None:
    library.script = [Answer(503, b"later"), Answer(429, b"slow down", {"Retry-After": "7"})]
    assert len(load_factors("ff3", source=source(), cache=tmp_path)) == 3
    assert slept == [1.0, 7.0]


@pytest.mark.parametrize(
    ("script", "message", "requests"),
    [
        ([Answer(404, b"")], "HTTP 404", 1),
        ([Answer(500, b"")] * 3, r"HTTP 500 \(3 attempts\)", 3),
        ([Answer(503, b"", {"Retry-After": "9999"})], "asks to wait 9999 s", 1),
        ([Answer(200, b"<html>sign in</html>")], "no ZIP archive", 1),
        ([Answer(200, b"PK\x03\x04 cut")], "not a readable ZIP", 1),
        ([Answer(200, b"PK" + b"0" * 200_000)], "more than 100,000 bytes", 1),
        ([Answer(200, b"PK", drop=True)] * 3, r"connection failed \(\w+\) \(3 attempts\)", 3),
    ],
    ids=["absent", "server", "wait", "page", "damaged", "large", "dropped"],
)
def test_faults_that_stay_are_named(library, source, tmp_path, script, message, requests) -> None:
    library.script = list(script)
    with pytest.raises(es.DataSourceError, match=message) as caught:
        load_factors("ff3", source=source(max_bytes=100_000), cache=tmp_path)
    assert "F-F_Research_Data_Factors_daily_CSV.zip" in str(caught.value)
    assert len(library.asked) == requests
    assert not stored(tmp_path).exists()


def test_no_server_at_all(tmp_path, slept, monkeypatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    nowhere = FrenchLibrary("http://127.0.0.1:9/", retries=1, sleep=slept.append, jitter=lambda: 0.0)
    with pytest.raises(es.DataSourceError, match=r"connection failed \(ConnectionError\) \(2 attempts\)"):
        load_factors("ff3", source=nowhere, cache=tmp_path)
    assert slept == [1.0]


def test_a_cache_that_cannot_be_written_is_said(library, source, tmp_path) -> None:
    (tmp_path / "factors").write_text("in the way")
    with pytest.warns(es.EventStudyWarning, match="downloaded but not kept for next time"):
        assert len(load_factors("ff3", source=source(), cache=tmp_path)) == 3


@pytest.mark.parametrize("options", [{"base_url": "ftp://x"}, {"base_url": None}, {"retries": -1}, {"timeout": 0}])
def test_wrong_libraries_are_refused(options) -> None:
    with pytest.raises(es.InputError):
        FrenchLibrary(**options)


def test_addresses_of_the_library() -> None:
    """Names as linked on the library's page (data_library.html)."""
    at = "https://mba.tuck.dartmouth.edu/pages/faculty/ken.french/ftp/"
    urls = {FrenchLibrary().url(file) for files in FILES.values() for file in files.values()}
    assert urls == {
        f"{at}F-F_Research_Data_Factors_daily_CSV.zip",
        f"{at}F-F_Research_Data_Factors_weekly_CSV.zip",
        f"{at}F-F_Research_Data_Factors_CSV.zip",
        f"{at}F-F_Research_Data_5_Factors_2x3_daily_CSV.zip",
        f"{at}F-F_Research_Data_5_Factors_2x3_CSV.zip",
        f"{at}F-F_Momentum_Factor_daily_CSV.zip",
        f"{at}F-F_Momentum_Factor_CSV.zip",
    }
