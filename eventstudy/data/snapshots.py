"""Snapshots of the cache: copies of its manifest in ``snapshots/``; the files they name are never written over.

A file of factors is replaced by the next download, so that a snapshot keeps a copy, named by its content too.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pandas as pd

from eventstudy.data.store import CacheEntry, Key, read_manifest, safe_name, write_manifest
from eventstudy.errors import DataSourceError, InputError

__all__ = [
    "FACTORS",
    "FOLDER",
    "KeptFile",
    "Snapshot",
    "checked_name",
    "described",
    "entries",
    "factors_of",
    "found",
    "named",
    "path_of",
    "paths",
    "removal",
    "take",
]

FOLDER: Final = "snapshots"
FACTORS: Final = "factors"  # folder of the files of the French library
_KEPT: Final = re.compile(r"[\w.-]+-[0-9a-f]{12}\.zip")
_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot holds.

    Attributes
    ----------
    name : str
        As given.
    created : str
        UTC time, ISO 8601.
    entries : int
        How many symbols and intervals.
    sha256 : str
        Checksum over the keys and checksums of all entries, and of the files of factors: equal data have the same one.
    """

    name: str
    created: str
    entries: int
    sha256: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of factors in a snapshot: its name in the cache, and the checksum of its data."""

    file: str
    sha256: str


def checked_name(name: object) -> str:
    """``name`` itself if a snapshot can have it.

    Raises
    ------
    InputError
        It is no text, blank, too long or not printable.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > _LONGEST:
        raise InputError(
            f"{name!r} is not a name for a snapshot.", remedy=f"Use printable text of at most {_LONGEST} characters."
        )
    return name


def path_of(directory: Path, name: str) -> Path:
    """File of a snapshot."""
    return directory / FOLDER / f"{safe_name(name)}.json"


def take(
    directory: Path, name: str, held: Mapping[Key, CacheEntry], created: str, factors: Mapping[str, KeptFile]
) -> Snapshot:
    """Write a snapshot of ``held`` and of files of factors, by the library's names; the caller holds the lock.

    Raises
    ------
    InputError
        The name is in use.
    """
    path = path_of(directory, name)
    path.parent.mkdir(exist_ok=True)
    if path.name.casefold() in {other.name.casefold() for other in path.parent.glob("*.json")}:
        raise InputError(
            f"there is a snapshot {name!r} in {directory} already.",
            remedy=f"Choose another name, or remove it: `{removal(name)}`.",
            snapshot=name,
        )
    facts = {"factors": {file: asdict(kept) for file, kept in factors.items()}} if factors else {}
    write_manifest(path, held, snapshot=name, created=created, **facts)
    return _described(name, created, held, factors)


def factors_of(path: Path) -> dict[str, KeptFile]:
    """Files of factors that the snapshot in a file keeps, by the names that the library gives them.

    Raises
    ------
    DataSourceError
        The file cannot be read, or names what cannot be such a file.
    """
    return _factors(path, _read(path)[1])


def _factors(path: Path, facts: Mapping[str, Any]) -> dict[str, KeptFile]:
    try:
        found = {str(file): KeptFile(**kept) for file, kept in facts.get("factors", {}).items()}
        if all(_KEPT.fullmatch(kept.file) and isinstance(kept.sha256, str) for kept in found.values()):
            return found
    except (TypeError, AttributeError):
        pass
    raise DataSourceError(
        f"{path}: its files of factors cannot be told.", remedy="Restore it from a copy, or remove it.", path=str(path)
    )


def found(directory: Path) -> list[Snapshot]:
    """Snapshots by time.

    Raises
    ------
    DataSourceError
        The file of one cannot be read; it is named.
    """
    taken = [described(path)[0] for path in paths(directory)]
    return sorted(taken, key=lambda one: (one.created, one.name))


def paths(directory: Path) -> list[Path]:
    """Files of all snapshots."""
    return sorted((directory / FOLDER).glob("*.json"))


def described(path: Path) -> tuple[Snapshot, dict[Key, CacheEntry]]:
    """A snapshot and its entries, from its file.

    Raises
    ------
    DataSourceError
        The file cannot be read, or holds no snapshot.
    """
    held, facts = _read(path)
    name, created = facts.get("snapshot"), facts.get("created")
    if not isinstance(name, str) or not isinstance(created, str) or path_of(path.parent.parent, name) != path:
        raise DataSourceError(
            f"{path}: not a snapshot of a cache.", remedy="Move it elsewhere, or remove it.", path=str(path)
        )
    return _described(name, created, held, _factors(path, facts)), held


def entries(directory: Path, name: str) -> dict[Key, CacheEntry]:
    """Entries of a snapshot by (provider, interval, symbol)."""
    return _read(path_of(directory, name))[0]


def _read(path: Path) -> tuple[dict[Key, CacheEntry], dict[str, Any]]:
    return read_manifest(path, f"Restore it from a copy, or remove the snapshot: `{removal(unquote(path.stem))}`.")


def removal(name: str) -> str:
    """Command that removes a snapshot."""
    return f"eventstudy cache snapshot {shlex.quote(name)} --remove"


def named(directory: Path, when: str | date, *, exact: bool = False) -> str:
    """Name of the snapshot that ``when`` means: its own name or, unless ``exact``, the last one up to that day.

    Raises
    ------
    InputError
        There is none.
    DataSourceError
        The file of a snapshot that matters here cannot be read.
    """
    # By its own name one is found although another is damaged, and a damaged one can be removed.
    if isinstance(when, str) and (path := path_of(directory, when)).is_file():
        try:
            if described(path)[0].name == when:
                return when
        except DataSourceError:
            if exact:
                return when
            raise
    known = found(directory)
    names = [taken.name for taken in known]
    day = None if exact else _day(when)
    if day is not None:
        if earlier := [taken.name for taken in known if taken.created[:10] <= day]:
            return earlier[-1]
        first = f"the first, {known[0].name!r}, is of {known[0].created}" if known else "there is none"
        raise InputError(
            f"no snapshot of {directory} was taken up to {day}; {first}.",
            remedy="Name a later day, or a snapshot that `eventstudy cache snapshots` shows.",
            snapshot=when,
            available=names,
        )
    near = difflib.get_close_matches(str(when), names, n=3) or names[-5:]
    raise InputError(
        f"there is no snapshot {when!r} of {directory}.",
        remedy=f"It has {', '.join(map(repr, near))}." if near else "Take one: `eventstudy cache snapshot NAME`.",
        snapshot=when,
        available=names,
    )


def _day(when: object) -> str | None:
    if isinstance(when, date):
        return "" if pd.isna(when) else f"{when:%Y-%m-%d}"
    try:
        return date.fromisoformat(str(when)).isoformat() if isinstance(when, str) else None
    except ValueError:
        return None


def _described(name: str, created: str, held: Mapping[Key, CacheEntry], factors: Mapping[str, KeptFile]) -> Snapshot:
    digest = hashlib.sha256()
    for key, entry in sorted(held.items()):
        digest.update("\0".join((*key, entry.sha256, "")).encode(errors="surrogatepass"))
    for file, kept in sorted(factors.items()):
        digest.update(f"{FACTORS}\0{file}\0{kept.sha256}\0".encode(errors="surrogatepass"))
    return Snapshot(name, created, len(held), digest.hexdigest())
