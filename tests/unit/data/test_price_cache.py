"""The cache: what is written comes back, damage is named, and no race leaves it unreadable."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eventstudy.data import Bars, PriceCache
from eventstudy.data.cache import CacheEntry, default_directory, safe_name
from eventstudy.errors import CacheMissError, DataSourceError, InputError

HOSTILE = [
    "BRK-B",
    "^GSPC",
    "BTC-USD",
    "7203.T",
    "../../x",
    "/etc/passwd",
    "..",
    ".",
    "a\\b",
    "CON",
    "NA",
    "ü€",
    "x" * 300,
]


def bars_of(*closes: float, **options: object) -> Bars:
    index = pd.bdate_range("2025-01-06", periods=len(closes), name="date").as_unit("us")
    frame = pd.DataFrame({"close": np.array(closes, float), "volume": 1000.0}, index=index)
    return Bars(frame, "close, not adjusted", currency="USD", tz="America/New_York", **options)  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> PriceCache:
    return PriceCache(tmp_path / "cache")


def file_of(cache: PriceCache, symbol: str) -> Path:
    entry = cache.entry("p", symbol)
    assert entry is not None
    return cache.directory / entry.file


def test_what_is_written_comes_back(cache) -> None:
    bars = bars_of(10.1, np.nan, 0.1 + 0.2, fetched_at="2025-02-01T00:00:00Z", note="where from")
    entry = cache.write("p", "A", bars, start="2025-01-01", end="2025-01-31")
    back = cache.read("p", "A")
    pd.testing.assert_frame_equal(back.frame, bars.frame, check_exact=True, check_freq=False)
    assert (back.basis, back.currency, back.tz, back.note) == (bars.basis, "USD", "America/New_York", "where from")
    assert back.fetched_at == "2025-02-01T00:00:00Z"
    assert (entry.rows, entry.first, entry.last) == (3, "2025-01-06", "2025-01-08")
    assert entry.query == {"start": "2025-01-01", "end": "2025-01-31"}
    assert hashlib.sha256(file_of(cache, "A").read_bytes()).hexdigest() == entry.sha256 == back.sha256


def test_manifest_is_plain_json_with_the_documented_fields(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    manifest = json.loads((cache.directory / "manifest.json").read_text())
    assert manifest["schema_version"] == 2
    assert set(manifest["entries"][0]) == set(CacheEntry.__dataclass_fields__)
    assert cache.list()["symbol"].tolist() == ["A"]


def test_equal_numbers_give_equal_bytes(tmp_path) -> None:
    first, second = PriceCache(tmp_path / "1"), PriceCache(tmp_path / "2")
    for one in (first, second):
        one.write("p", "A", bars_of(1.0, 2.0, fetched_at="2025-02-01T00:00:00Z"))
    assert file_of(first, "A").read_bytes() == file_of(second, "A").read_bytes()
    assert (tmp_path / "1/manifest.json").read_bytes() == (tmp_path / "2/manifest.json").read_bytes()


def test_replacing_unlinks_the_old_file_only(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    old = file_of(cache, "A")
    cache.write("q", "A", bars_of(1.0))  # another provider, same content: they share the file
    cache.write("p", "A", bars_of(2.0))
    assert old.exists()
    assert cache.read("q", "A").frame["close"].tolist() == [1.0]
    cache.write("q", "A", bars_of(2.0))
    assert not old.exists()
    assert cache.verify()["ok"].all()


@pytest.mark.parametrize("symbol", HOSTILE)
def test_symbols_are_safe_file_names(cache, symbol) -> None:
    cache.write("p", symbol, bars_of(3.0, 4.0))
    assert cache.read("p", symbol).frame["close"].tolist() == [3.0, 4.0]
    parquet = list(cache.directory.parent.rglob("*.parquet"))
    assert [p.parent for p in parquet] == [cache.directory]
    assert cache.list()["symbol"].tolist() == [symbol]
    assert cache.clear(symbol) == 1


def test_safe_names_as_documented() -> None:
    assert [safe_name(s) for s in ("BRK-B", "^GSPC", "7203.T", "../../x")] == [
        "BRK-B",
        "%5EGSPC",
        "7203.T",
        "%2E.%2F..%2Fx",
    ]


def test_a_manifest_that_points_outside_is_refused(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    path = cache.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["entries"][0]["file"] = "../secret.parquet"
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataSourceError, match="leaves the cache directory"):
        cache.read("p", "A")


def test_damage_is_named_with_its_remedy(cache) -> None:
    for symbol in ("CUT", "FLIPPED", "GONE", "GOOD"):
        cache.write("p", symbol, bars_of(1.0, float(len(symbol))))
    cut, flipped = file_of(cache, "CUT"), file_of(cache, "FLIPPED")
    cut.write_bytes(cut.read_bytes()[:100])
    content = bytearray(flipped.read_bytes())
    content[40] ^= 1
    flipped.write_bytes(bytes(content))
    file_of(cache, "GONE").unlink()
    (cache.directory / "ORPHAN-000000000000.parquet").write_bytes(b"x")
    for symbol, what in (("CUT", "has 100 bytes that do not match"), ("FLIPPED", "checksum"), ("GONE", "is missing")):
        with pytest.raises(DataSourceError, match=f"{symbol}: .*{what}.*eventstudy cache verify"):
            cache.read("p", symbol)
    found = cache.verify().set_index("file")
    assert found.groupby("symbol")["ok"].first().to_dict() == {
        "": False, "CUT": False, "FLIPPED": False, "GONE": False, "GOOD": True,
    }  # fmt: skip
    assert found.loc["ORPHAN-000000000000.parquet", "problem"] == "no entry names this file"
    assert (found.loc[~found["ok"], "remedy"] != "").all()
    assert cache.clear() == 4
    assert [p.name for p in cache.directory.glob("*.parquet")] == []


def test_a_file_with_the_right_checksum_that_is_not_parquet(cache) -> None:
    entry = cache.write("p", "A", bars_of(1.0))
    content = b"not parquet"
    file_of(cache, "A").write_bytes(content)
    path = cache.directory / "manifest.json"
    path.write_text(path.read_text().replace(entry.sha256, hashlib.sha256(content).hexdigest()))
    with pytest.raises(DataSourceError, match=r"A: .*not readable Parquet"):
        cache.read("p", "A")
    assert cache.verify().loc[0, "problem"] == "not readable Parquet"


def test_newer_schema_is_refused(cache) -> None:
    cache.write("p", "A", bars_of(1.0))
    path = cache.directory / "manifest.json"
    path.write_text(path.read_text().replace('"schema_version": 2\n}', '"schema_version": 99\n}'))
    with pytest.raises(DataSourceError, match=r"schema 99.*Upgrade eventstudy"):
        cache.read("p", "A")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1, "entries": [{"symbol": "A"}]}', "\xff"])
def test_a_damaged_manifest_is_an_error_not_an_empty_cache(cache, text) -> None:
    cache.directory.mkdir()
    (cache.directory / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataSourceError, match=r"manifest\.json: the cache manifest cannot be read"):
        cache.list()


def altered(cache: PriceCache, **fields: object) -> None:
    """Change fields of the one entry; those of its query by their own names."""
    path = cache.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    entry = manifest["entries"][0]
    for name, value in fields.items():
        (entry["query"] if name in entry["query"] else entry)[name] = value
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "soon"}, {"end": 20250106}, {"end": "2025-01-06T00:00"}, {"first": "x"}, {"last": ""},
        {"fetched_at": "yesterday"}, {"symbol": "\ud800"}, {"tz": "a\nb"}, {"file": "a\0.parquet"},
    ],
    ids=str,
)  # fmt: skip
def test_fields_that_say_nothing_make_a_damaged_manifest(cache, fields) -> None:
    cache.write("p", "A", bars_of(1.0), start="2025-01-06", end="2025-01-06")
    altered(cache, **fields)
    for use in (cache.list, cache.verify, cache.quality, cache.clear):
        with pytest.raises(DataSourceError, match=r"manifest\.json: the cache manifest cannot be read"):
            use()


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"close": ["x", "y"]}, "column 'close' holds string"),
        ({"close": [[1.0], [2.0]]}, "column 'close' holds list"),
        ({"date": ["x", "y"]}, "column 'date' holds string"),
        ({"date": [None, None]}, "column 'date' holds null"),
        ({"close": None}, "need the column 'close'"),
        ({"date": None}, "no column 'date'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_file_that_does_not_hold_what_its_entry_says(cache, columns, cause) -> None:
    """The checksum is right: somebody wrote file and manifest so."""
    entry = cache.write("p", "A", bars_of(1.0, 2.0))
    table = pq.read_table(file_of(cache, "A"))
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place)
        table = table if values is None else table.append_column(name, pa.array(values))
    pq.write_table(table, cache.directory / entry.file)
    altered(cache, sha256=hashlib.sha256((cache.directory / entry.file).read_bytes()).hexdigest())
    with pytest.raises(DataSourceError, match=rf"A: .*does not hold what its entry says \(.*{cause}"):
        cache.read("p", "A")
    assert cache.verify()["problem"].tolist() == ["does not hold what its entry says"]
    assert cache.quality().n_tickers == 0


def test_a_small_file_of_many_rows_is_not_unpacked(cache, monkeypatch) -> None:
    entry = cache.write("p", "A", bars_of(1.0, 2.0))
    rows = 2_000_000
    bomb = pa.table({"date": np.zeros(rows, "datetime64[D]"), "close": np.ones(rows)})
    pq.write_table(bomb, cache.directory / entry.file)
    content = (cache.directory / entry.file).read_bytes()
    assert len(content) < 50_000
    altered(cache, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(DataSourceError, match="2000000 rows, not 2"):
        cache.read("p", "A")
    altered(cache, rows=rows)
    monkeypatch.setenv("EVENTSTUDY_MAX_BYTES", "1000000")
    with pytest.raises(DataSourceError, match="the limit is 1,000,000"):
        cache.read("p", "A")
    assert not cache.verify()["ok"].any()


def test_what_could_not_be_read_back_is_not_written(cache) -> None:
    cache.write("p", "B", bars_of(1.0))
    for bars, span in ((bars_of(1.0, fetched_at="yesterday"), {}), (bars_of(1.0), {"start": "01/06/2025"})):
        with pytest.raises(InputError, match="A: the cache cannot keep these bars"):
            cache.write("p", "A", bars, **span)
    assert [entry.symbol for entry in cache.entries().values()] == ["B"]


def test_a_missing_symbol_and_an_empty_series(cache) -> None:
    with pytest.raises(CacheMissError, match=r"A: not in the cache .*eventstudy fetch A"):
        cache.read("p", "A")
    assert cache.verify().empty
    assert cache.clear() == 0
    for symbol in ("", "\ud800", "A\n"):
        with pytest.raises(InputError, match="not a symbol"):
            cache.write("p", symbol, bars_of(1.0))
    with pytest.raises(InputError, match="no rows to store"):
        cache.write("p", "A", bars_of())


def test_directory_from_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("EVENTSTUDY_CACHE", str(tmp_path / "here"))
    assert PriceCache().directory == tmp_path / "here"
    monkeypatch.setenv("EVENTSTUDY_CACHE", "~/prices")
    assert PriceCache().directory == Path.home() / "prices"
    monkeypatch.delenv("EVENTSTUDY_CACHE")
    assert default_directory().name == "eventstudy"


@pytest.fixture
def without_root() -> Iterator[Path]:
    """A directory that ordinary users may enter, with this process an ordinary user."""
    import filelock  # noqa: F401 (imported while the installation is readable)
    import pyarrow.parquet  # noqa: F401

    root = os.name == "posix" and os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        PriceCache(name).write("p", "A", bars_of(1.0, 2.0))
        os.chmod(name, 0o555)
        if root:
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(name, 0o755)


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_read_only_directory_is_read_but_not_written(without_root) -> None:
    cache = PriceCache(without_root)
    assert cache.read("p", "A").frame["close"].tolist() == [1.0, 2.0]
    assert cache.verify()["ok"].tolist() == [True]
    with pytest.raises(DataSourceError, match=r"cannot be written \(Permission denied\).*EVENTSTUDY_CACHE"):
        cache.write("p", "B", bars_of(3.0))
    assert list(cache.entries()) == [("p", "1d", "A")]


PRELUDE = """
import sys
import numpy as np, pandas as pd
from eventstudy.data import Bars, PriceCache
def bars(*closes):
    index = pd.bdate_range("2025-01-06", periods=len(closes), name="date").as_unit("us")
    return Bars(pd.DataFrame({"close": np.array(closes, float)}, index=index), "close, not adjusted")
cache = PriceCache(sys.argv[1])
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_a_full_disk_leaves_the_old_entry(cache) -> None:
    cache.write("p", "A", bars_of(1.0, 2.0))
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    cache.write("p", "A", bars(*np.random.default_rng(0).normal(size=5000)))
except Exception as exc:
    print(type(exc).__name__, exc)
"""
    out, err = start(code, str(cache.directory)).communicate(timeout=60)
    assert "DataSourceError" in out, err
    assert "cannot be written (File too large)" in out
    assert cache.read("p", "A").frame["close"].tolist() == [1.0, 2.0]
    assert list(cache.directory.glob("*.tmp")) == []


def test_four_processes_write_and_one_reads(cache) -> None:
    code = """
who = sys.argv[2]
for n in range(6):
    cache.write("p", "SHARED", bars(*[float(who)] * 30))
    cache.write("p", f"OWN{who}-{n}", bars(float(who), float(n)))
"""
    cache.write("p", "SHARED", bars_of(*[9.0] * 30))
    writers = [start(code, str(cache.directory), str(who)) for who in range(4)]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        assert cache.read("p", "SHARED").frame["close"].nunique() == 1
        reads += 1
    for writer in writers:
        _, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
    assert reads > 20
    assert len(cache.entries()) == 1 + 4 * 6
    assert cache.verify()["ok"].all()
    for who in range(4):
        assert cache.read("p", f"OWN{who}-5").frame["close"].tolist() == [float(who), 5.0]


def test_a_held_lock_is_an_error_in_the_end(cache) -> None:
    import filelock

    cache.write("p", "A", bars_of(1.0))
    impatient = PriceCache(cache.directory, lock_timeout=0.05)
    with filelock.FileLock(cache.directory / "manifest.lock"), pytest.raises(DataSourceError, match="locked"):
        impatient.write("p", "A", bars_of(2.0))
    assert cache.read("p", "A").frame["close"].tolist() == [1.0]
