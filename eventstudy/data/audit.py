"""What is in a cache directory and should not be, or should be and is not."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from eventstudy.data import snapshots
from eventstudy.data.bars import Bars
from eventstudy.data.store import LOCK, CacheEntry
from eventstudy.errors import DataSourceError

if TYPE_CHECKING:
    from eventstudy.data.cache import PriceCache

__all__ = ["audit", "intact", "orphans"]

_OURS: Final = re.compile(r".+-[0-9a-f]{12}\.parquet|.+_CSV-[0-9a-f]{12}\.zip")
_TEMPORARY: Final = re.compile(r"write-.+\.tmp")
_COMPANIONS: Final = frozenset({".md", ".csv"})  # what the bundled sample has beside its prices
_STALE_AFTER: Final = 3600.0  # seconds after which a temporary file has no living writer
_COLUMNS: Final = ("provider", "symbol", "interval", "file", "ok", "problem", "remedy", "snapshot")


def audit(cache: PriceCache) -> pd.DataFrame:
    """See :meth:`eventstudy.data.PriceCache.verify`."""
    rows: list[tuple[object, ...]] = []
    present = cache.entries()
    checked = set()
    for _, entry in sorted(present.items()):
        rows.append(_row(entry, _problem(cache, entry), "", f"Load {entry.symbol} again with refresh=True."))
        checked.add(entry.file)
    if cache.taken is None:
        rows += _of_snapshots(cache, checked)
        rows += _unnamed(cache, checked)
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"ok": bool})


def intact(cache: PriceCache) -> dict[str, Bars]:
    """Daily bars of the files that are not damaged; a symbol of several providers is named with the provider."""
    daily = [entry for _, entry in sorted(cache.entries().items()) if entry.interval == "1d"]
    twice = Counter(entry.symbol for entry in daily)
    found: dict[str, Bars] = {}
    for entry in daily:
        with suppress(OSError, DataSourceError):
            name = entry.symbol if twice[entry.symbol] == 1 else f"{entry.symbol} ({entry.provider})"
            found[name] = cache.checked(entry)
    return found


def _problem(cache: PriceCache, entry: CacheEntry) -> str:
    try:
        cache.checked(entry)
    except FileNotFoundError:
        return "file missing"
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
    except DataSourceError as exc:
        return str(exc.context.get("problem", exc))
    return ""


def _row(entry: CacheEntry, problem: str, snapshot: str, remedy: str) -> tuple[object, ...]:
    key = entry.provider, entry.symbol, entry.interval
    return *key, entry.file, not problem, problem, remedy if problem else "", snapshot


def _of_snapshots(cache: PriceCache, checked: set[str]) -> list[tuple[object, ...]]:
    """Files that only snapshots name, and snapshots that cannot be read."""
    rows: list[tuple[object, ...]] = []
    for path in snapshots.paths(cache.directory):
        try:
            taken, held = snapshots.described(path)
        except DataSourceError as exc:
            file = f"{snapshots.FOLDER}/{path.name}"
            rows.append(("", "", "", file, False, "the snapshot cannot be read", exc.remedy or "", path.stem))
            continue
        name = taken.name
        remedy = f"Restore the file from a copy, or remove the snapshot: `{snapshots.removal(name)}`."
        for _, entry in sorted(held.items()):
            if entry.file not in checked:
                checked.add(entry.file)
                rows.append(_row(entry, _problem(cache, entry), name, remedy))
        for kept in snapshots.factors_of(path).values():
            if kept.file not in checked:
                checked.add(kept.file)
                problem = _factor_problem(cache.directory / kept.file)
                rows.append(("", "", "", kept.file, not problem, problem, remedy if problem else "", name))
    return rows


def _factor_problem(path: Path) -> str:
    from eventstudy.data.french import StoredFile

    try:
        return "file missing" if StoredFile.read(path) is None else ""
    except DataSourceError:
        return "does not match its recorded checksum"


def _unnamed(cache: PriceCache, checked: set[str]) -> list[tuple[object, ...]]:
    """Files that no entry names: the cache's own leavings, and files that are none of its business."""
    rows: list[tuple[object, ...]] = []
    for path in _files(cache.directory):
        if path.name in checked:
            continue
        if _OURS.fullmatch(path.name):
            problem, remedy = "no entry names this file", "Run `eventstudy cache clear --orphans`."
        elif _TEMPORARY.fullmatch(path.name):
            if not _stale(path):
                continue
            problem, remedy = "left by a write that did not end", "Run `eventstudy cache clear --orphans`."
        elif path.suffix in _COMPANIONS:
            continue
        else:
            problem, remedy = "not a file of the cache", "Move it elsewhere; the cache neither reads nor removes it."
        file = path.relative_to(cache.directory).as_posix()
        rows.append(("", "", "", file, False, problem, remedy, ""))
    return rows


def orphans(cache: PriceCache) -> list[str]:
    """Files of the cache's own that neither the manifest nor a snapshot names.

    Raises
    ------
    DataSourceError
        A manifest cannot be read, so that no file may be called an orphan.
    """
    named = cache.named_files()
    return [
        path.relative_to(cache.directory).as_posix()
        for path in _files(cache.directory)
        if path.name not in named and (_OURS.fullmatch(path.name) or (_TEMPORARY.fullmatch(path.name) and _stale(path)))
    ]


def _files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    kept = {LOCK, "manifest.json"}
    top = [p for p in directory.iterdir() if p.is_file() and p.name not in kept and not p.name.startswith(".")]
    below = [p for folder in (snapshots.FACTORS, snapshots.FOLDER) for p in (directory / folder).glob("write-*.tmp")]
    return sorted([*top, *below])


def _stale(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > _STALE_AFTER
    return False
