"""The cache when processes are killed, the disk is full or read-only: nothing is lost but the write in flight."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cache_abuse import ROWS, WRITERS, WRITES, bars, held

from eventstudy.data import PriceCache
from eventstudy.errors import DataSourceError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork and SIGKILL as POSIX has them")

PROGRAM = Path(__file__).with_name("cache_abuse.py")
LEFT = {"no entry names this file", "left by a write that did not end"}


def write_twenty(cache: PriceCache) -> None:
    for n in range(20):
        cache.write("p", f"S{n}", bars(float(n + 1)))


def run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, timeout=300, cwd=PROGRAM.parent
    )
    assert done.returncode == 0, done.stderr


def assert_sound(cache: PriceCache) -> None:
    """Every entry is readable and whole; what else lies there are leavings that can be told and cleared."""
    for path in cache.directory.glob("*.tmp"):
        os.utime(path, (0, time.time() - 7200))
    report = cache.verify()
    assert report.loc[report["symbol"] != "", "ok"].all(), report[~report["ok"]]
    assert set(report.loc[~report["ok"], "problem"]) <= LEFT
    cache.clear(orphans=True)
    assert cache.verify()["ok"].all()
    assert {p.name for p in cache.directory.iterdir()} - {"manifest.json", "manifest.lock"} == {
        entry.file for entry in cache.entries().values()
    }


@pytest.mark.parametrize("seed", [20250129])
def test_kill_9_at_random_moments_of_200_writes_by_four_processes(tmp_path, seed) -> None:
    cache = PriceCache(tmp_path / "cache")
    run("random", str(cache.directory), str(seed))
    reports = [json.loads((tmp_path / f"report-{slot}.json").read_text()) for slot in range(WRITERS)]
    assert [report["wrong"] for report in reports] == [[]] * WRITERS
    killed = sum(report["killed"] for report in reports)
    finished = sum(report["finished"] for report in reports)
    assert killed + finished == WRITERS * WRITES == 200
    # The test must have been one: writes died in every phase, and others lived.
    assert killed >= 40, reports
    assert finished >= 40, reports
    for slot, report in enumerate(reports):
        assert held(cache, f"OWN{slot}") == report["known"]
    assert held(cache, "SHARED") in {1000.0 * slot + n + 1 for slot in range(WRITERS) for n in range(4, WRITES, 5)}
    assert_sound(cache)
    cache.write("p", "OWN0", bars(4242.0))  # the dead writers' locks do not block
    assert held(cache, "OWN0") == 4242.0


@pytest.mark.parametrize("action", ["kill", "full", "read-only"])
def test_stopped_at_every_file_operation_in_turn(tmp_path, action) -> None:
    cache = PriceCache(tmp_path / "cache")
    run(action, str(cache.directory))
    *steps, last = json.loads((tmp_path / "steps.json").read_text())
    assert len(steps) >= 6
    assert last == {"code": 0, "found": 1, "other": 0}  # the one that was not stopped
    for step in steps:
        # A refusal is the library's own error (1), a kill is -9; the old series or the new one is there, whole.
        assert step["code"] == (-9 if action == "kill" else 1), steps
        assert step["found"] in {0, 1}, steps
        assert step["other"] == 0, steps
    if action != "kill":
        assert [p.suffix for p in cache.directory.iterdir() if p.suffix == ".tmp"] == []
    assert_sound(cache)


def test_a_disk_that_is_really_full(tmp_path) -> None:
    """A file system of 256 KiB, where the machine lets us make one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small file system; the test before stands for it")
    try:
        cache = PriceCache(place / "cache")
        cache.write("p", "A", bars(1.0))
        rest = os.statvfs(place)
        (place / "ballast").write_bytes(b"x" * (rest.f_bavail * rest.f_frsize - 4096))
        with pytest.raises(DataSourceError, match=r"cannot be written \(No space left on device\).*Free space"):
            write_twenty(cache)
        assert held(cache, "A") == 1.0
        assert len(cache.read("p", "A").frame) == ROWS
        assert cache.verify()["ok"].all()
    finally:
        subprocess.run(["umount", str(place)], check=True)
