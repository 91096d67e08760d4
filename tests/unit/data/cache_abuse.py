"""A program that writes to a cache and is stopped in the middle: run by test_cache_survival in a process of its own.

It imports everything once and then forks, so that a write can be killed within milliseconds of its beginning.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import filelock  # noqa: F401 (warm)
import numpy as np
import pandas as pd
import pyarrow.parquet  # noqa: F401 (warm)

from eventstudy.data import Bars, PriceCache
from eventstudy.errors import DataSourceError

ROWS = 400
WRITERS, WRITES = 4, 50


def bars(value: float) -> Bars:
    """A series of one number, so that a mixture of two writes would show."""
    index = pd.bdate_range("2023-01-02", periods=ROWS, name="date").as_unit("us")
    return Bars(pd.DataFrame({"close": np.full(ROWS, float(value))}, index=index), "close, not adjusted")


def child(action: Callable[[], int]) -> int:
    """Process id of a fork that runs ``action`` and ends with what it returns."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = action()
        finally:
            os._exit(code)
    return pid


def held(cache: PriceCache, symbol: str) -> float | None:
    """The number that the cache holds of a symbol; None where it holds nothing."""
    if cache.entry("p", symbol) is None:
        return None
    closes = cache.read("p", symbol).frame["close"]  # the checksum is verified here
    assert len(closes) == ROWS, symbol
    assert closes.nunique() == 1, symbol
    return float(closes.iloc[0])


def which(cache: PriceCache, symbol: str, *candidates: float | None) -> int:
    """Position of what the cache holds among ``candidates``, found by a fork of its own; -1 for anything else."""

    def look() -> int:
        value = held(cache, symbol)
        return candidates.index(value) if value in candidates else 98

    code = os.waitstatus_to_exitcode(os.waitpid(child(look), 0)[1])
    return code if code in range(len(candidates)) else -1


def writer(cache: PriceCache, slot: int, seed: int) -> int:
    """Write 50 times, each killed at a random moment unless it ends before; report what was lost."""
    rng = random.Random(f"{seed}-{slot}")
    own = f"OWN{slot}"
    known: float | None = None
    typical = 0.02
    report = {"killed": 0, "committed before the kill": 0, "finished": 0, "wrong": []}
    for n in range(WRITES):
        symbol, value = ("SHARED", float(1000 * slot + n + 1)) if n % 5 == 4 else (own, float(n + 1))
        began = time.perf_counter()
        pid = child(lambda s=symbol, v=value: cache.write("p", s, bars(v)) is None)
        deadline = began + rng.uniform(0.0, 2.0 * typical)
        done, status = 0, 0
        while not done and time.perf_counter() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        killed = code == -signal.SIGKILL
        report["killed" if killed else "finished"] += 1
        typical *= 1.2 if killed else 1 / 1.2  # about as many end as are killed, however busy the machine
        if not killed and code != 0:
            report["wrong"].append(f"write {n} of {slot} ended with {code}")
        if symbol == "SHARED":
            continue
        found = which(cache, own, known, value)
        if found == 1:
            report["committed before the kill"] += killed
            known = value
        elif found != 0 or not killed:
            report["wrong"].append(f"write {n} of {slot}: neither {known} nor {value}, or a finished write was lost")
    report["known"] = known
    (cache.directory.parent / f"report-{slot}.json").write_text(json.dumps(report))
    return 0


def kill_at_random(cache: PriceCache, seed: int) -> None:
    """200 writes by four processes."""
    for pid in [child(lambda s=slot: writer(cache, s, seed)) for slot in range(WRITERS)]:
        os.waitpid(pid, 0)


def at_every_step(cache: PriceCache, action: str) -> None:
    """One write after another, each stopped one file operation later than the one before."""
    steps: list[dict[str, object]] = []
    known = 1.0
    os.waitpid(child(lambda: cache.write("p", "A", bars(known)) is None), 0)
    os.waitpid(child(lambda: cache.write("p", "B", bars(7.0)) is None), 0)
    while True:
        step, value = len(steps) + 1, len(steps) + 2.0
        pid = child(lambda k=step, v=value: stopped(cache, k, v, action))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        found = which(cache, "A", known, value)
        steps.append({"code": code, "found": found, "other": which(cache, "B", 7.0)})
        known = value if found == 1 else known
        if code in {0, 99} or step > 60:
            break
    (cache.directory.parent / "steps.json").write_text(json.dumps(steps))


def stopped(cache: PriceCache, step: int, value: float, action: str) -> int:
    """Write, and be killed or refused by the operating system at one operation on the cache's directory."""
    seen = 0

    def count(what: str) -> None:
        nonlocal seen
        seen += 1
        if seen == step:
            if action == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            code = errno.ENOSPC if action == "full" else errno.EROFS
            raise OSError(code, os.strerror(code), what)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        inside = bool(arguments) and str(arguments[0]).startswith(str(cache.directory))
        if event == "open" and inside:
            writes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if action == "kill" or writes:
                count(event)
        elif inside and (event == "os.rename" or (event in {"os.remove", "os.chmod"} and action != "full")):
            count(event)

    sync = os.fsync

    def fsync(handle: int) -> None:
        count("fsync")
        sync(handle)

    os.fsync = fsync
    sys.addaudithook(hook)
    try:
        cache.write("p", "A", bars(value))
    except DataSourceError as exc:
        words = "No space left" if action == "full" else "Read-only file system"
        return 1 if "cannot be written" in str(exc) and words in str(exc) and "EVENTSTUDY_CACHE" in str(exc) else 97
    return 0


if __name__ == "__main__":
    store = PriceCache(Path(sys.argv[2]))
    PriceCache(store.directory.parent / "warm").write("p", "W", bars(1.0))
    if sys.argv[1] == "random":
        kill_at_random(store, int(sys.argv[3]))
    else:
        at_every_step(store, sys.argv[1])
