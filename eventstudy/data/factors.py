"""Factor returns of the Kenneth R. French Data Library and of files: what ``load_factors`` gives."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from eventstudy._factor_names import FACTORS, official_name
from eventstudy._frames import is_table, wide_pandas
from eventstudy.data.bars import session_dates
from eventstudy.data.cache import PriceCache
from eventstudy.data.factor_files import (
    FactorTable,
    Frequency,
    Units,
    from_frame,
    read_factors,
    table_of,
    unzipped,
)
from eventstudy.data.french import FILES, FrenchLibrary, StoredFile
from eventstudy.data.prices import DateLike, _day
from eventstudy.data.remote import offline_by_environment
from eventstudy.data.snapshots import factors_of, path_of
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyWarning, InputError

__all__ = ["Factors", "load_factors"]

Smb: TypeAlias = Literal["ff3", "ff5"]

_SETS: Final = {"carhart": ("ff3", "mom"), "ff6": ("ff5", "mom")} | {name: (name,) for name in FILES}
_FRESH_FOR: Final = timedelta(days=1)  # the library changes once a month
_SUFFIXES: Final = (".csv", ".csv.gz", ".zip")
_MOST_RATE: Final[dict[Frequency, float]] = {"daily": 0.003, "weekly": 0.015, "monthly": 0.06}  # doubles in a year
_LIBRARY: Final = "Kenneth R. French Data Library"


class Factors(pd.DataFrame):
    """Factor returns with their provenance.

    float64, shape (n_dates, n_factors): decimal returns per period, NaN where missing; index ``date`` of ascending
    naive midnights, month ends for months. Columns have the library's names: ``Mkt-RF``, ``SMB``, ``HML``, ``RMW``,
    ``CMA``, ``Mom``, ``RF``; the SMB of the five-factor file, which is another series than that of the three-factor
    file, is ``SMB5``. Made by :func:`load_factors`; slices keep the provenance.
    """

    _metadata = ["_frequency", "_source"]  # noqa: RUF012 (pandas' own protocol)
    _frequency: Frequency = "daily"
    _source: str = ""

    @property
    def _constructor(self) -> Callable[..., Factors]:
        return Factors

    @property
    def frequency(self) -> Frequency:
        """Length of a period: ``"daily"``, ``"weekly"`` or ``"monthly"``."""
        return self._frequency

    @property
    def source(self) -> str:
        """Where the factors come from, with the vintage of the library's files. It revises all of history."""
        return self._source

    @property
    def smb(self) -> tuple[Smb, ...]:
        """Which SMB is held: that of the three-factor file, that of the five-factor file, both or none."""
        kinds: tuple[tuple[str, Smb], ...] = (("SMB", "ff3"), ("SMB5", "ff5"))
        return tuple(kind for name, kind in kinds if name in self.columns)


def load_factors(
    what: Any = "ff3",
    start: DateLike | None = None,
    end: DateLike | None = None,
    source: str | Path | FrenchLibrary = "french",
    *,
    frequency: Frequency = "daily",
    units: Units | None = None,
    smb: Smb | None = None,
    cache: str | Path | PriceCache | None = None,
    offline: bool = False,
    refresh: bool = False,
    snapshot: str | date | None = None,
) -> Factors:
    """Factor returns of the Kenneth R. French Data Library, or of a file.

    Parameters
    ----------
    what : str, Path or DataFrame of pandas or polars, pyarrow Table
        ``"ff3"``, ``"ff5"``, ``"mom"``, ``"carhart"`` (three factors and momentum), ``"ff6"`` (five and momentum), or
        several joined by a plus, such as ``"ff3+ff5"``. Or a CSV or ZIP file, in the library's layout (per cent) or as
        a plain table; or a frame with dates as the index. See :class:`Factors` for the names of the columns.
    start, end : date-like, optional
        Inclusive; default: all there is.
    source : {"french"}, path or FrenchLibrary
        Where the named sets come from: the library on the web (downloads are kept in the cache), a folder with its
        files as downloaded (``…_CSV.zip`` or ``….csv``), or the library at another address.
    frequency : {"daily", "weekly", "monthly"}
        Of the named sets; weekly returns exist for ``"ff3"`` only.
    units : {"decimal", "percent"}, optional
        Of a plain table or frame. Where not given they are taken from the size of the numbers, with a warning.
    smb : {"ff3", "ff5"}, optional
        Which SMB a file or frame holds; by default that of the five-factor file where it has RMW or CMA.
    cache : str, Path or PriceCache, optional
        Directory for downloads, as for :func:`eventstudy.load_prices`.
    offline : bool
        Never touch the network; also set by ``EVENTSTUDY_OFFLINE=1``.
    refresh : bool
        Download again what the cache already has. Otherwise a file is asked for again after a day, where it does not
        reach ``end``.
    snapshot : str or date, optional
        Read the library's files as they were in a snapshot of the cache, as for :func:`eventstudy.load_prices`.

    Returns
    -------
    Factors
        Where sets are joined, all their dates; a factor that one of them lacks is NaN there, and ``Mkt-RF``, ``HML``
        and ``RF`` are those of the first set that has them.

    Raises
    ------
    InputError
        A wrong option, or a file or frame that fails a check.
    DataSourceError
        A file could not be fetched or read, or has no date in the range.
    CacheMissError
        Offline, and the cache does not hold the file.

    Warns
    -----
    EventStudyWarning
        If the units were told from the numbers, or a download failed and the older file of the cache is used.

    References
    ----------
    Fama, E. F. and French, K. R. (1993). Common risk factors in the returns on stocks and bonds. *Journal of Financial
    Economics* 33; (2015). A five-factor asset pricing model. *Journal of Financial Economics* 116.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-28", "2025-01-29"])
    >>> frame = pd.DataFrame({"mkt_rf": [0.85, -0.46], "rf": [0.017, 0.017]}, index=days)
    >>> factors = load_factors(frame, units="percent")
    >>> factors["Mkt-RF"].tolist(), factors.frequency
    ([0.0085, -0.0046], 'daily')
    """
    first, last = _day(start, "start"), _day(end, "end")
    if first is not None and last is not None and first > last:
        raise InputError(f"start {first:%Y-%m-%d} is after end {last:%Y-%m-%d}.", remedy="Swap them.")
    for name, value, options in (("frequency", frequency, Frequency), ("smb", smb, Smb), ("units", units, Units)):
        if value not in get_args(options) and (name == "frequency" or value is not None):
            raise InputError(f"{name}={value!r} is not an option.", remedy=f"Use one of {get_args(options)}.")
    if snapshot is not None and (is_table(what) or _sets(what) is None or _is_folder(source)):
        raise InputError(
            f"snapshot={snapshot!r}: only downloaded files have snapshots, and this is a file or frame of your own.",
            remedy='Name a set of the library, such as "ff3", or drop snapshot=.',
        )
    if is_table(what):
        what = wide_pandas(what, "factors")
        index = session_dates(what.index, "the frame of factors")
        tables, names = [_named(from_frame(what, index, "the frame of factors", units), smb)], ["a frame"]
    elif (sets := _sets(what)) is None:
        tables, names = [_named(read_factors(what, units), smb)], [Path(what).name]
    else:
        files = {name: _file(name, frequency) for name in sets}
        store = cache if isinstance(cache, PriceCache) else PriceCache(cache)
        store = store if snapshot is None else store.at(snapshot)
        asked = _Asked(store, offline or offline_by_environment(), refresh, last)
        tables = [
            _named(_of_library(file, source, asked), "ff5" if name == "ff5" else "ff3") for name, file in files.items()
        ]
        names = [_LIBRARY]
    if tables[0].guessed:
        warnings.warn(tables[0].guessed, EventStudyWarning, stacklevel=2)
    return _joined(tables, names, first, last)


def _sets(what: str | Path) -> tuple[str, ...] | None:
    """Files that a name such as ``"ff5+mom"`` stands for; None for a path."""
    if isinstance(what, Path):
        return None
    parts = str(what).lower().replace(" ", "").split("+")
    if all(part in _SETS for part in parts):
        return tuple(dict.fromkeys(file for part in parts for file in _SETS[part]))
    if isinstance(what, str) and (what.lower().endswith(_SUFFIXES) or "/" in what or "\\" in what):
        return None
    near = difflib.get_close_matches(str(what).lower(), _SETS, n=1)
    raise InputError(
        f"{what!r} is no set of factors.",
        remedy=f"{f'Did you mean {near[0]!r}? ' if near else ''}Expected {', '.join(_SETS)}, several joined by a plus, "
        "or a path to a CSV or ZIP file.",
    )


def _is_folder(source: str | Path | FrenchLibrary) -> bool:
    return source != "french" and not isinstance(source, FrenchLibrary)


def _file(name: str, frequency: Frequency) -> str:
    if frequency not in FILES[name]:
        raise InputError(
            f"The library has no {frequency} file for {name!r}.",
            remedy=f"It has {' and '.join(FILES[name])} ones; weekly returns exist for 'ff3' only.",
        )
    return FILES[name][frequency]


class _Asked:
    """What a caller wants of the cache."""

    def __init__(self, cache: PriceCache, offline: bool, refresh: bool, last: pd.Timestamp | None) -> None:
        taken = cache.taken
        if (offline or taken is not None) and refresh:
            raise InputError(
                "refresh=True asks for a download, but this run is offline.",
                remedy="Drop refresh, or unset EVENTSTUDY_OFFLINE; a snapshot is never refreshed.",
            )
        self.cache = cache.directory
        self.offline, self.refresh, self.last, self.taken = offline or taken is not None, refresh, last, taken

    def place(self, file: str) -> Path | None:
        """Where the cache has a file, if it is there; None where a snapshot of it has none."""
        path = StoredFile.path(self.cache, file)
        if self.taken is None:
            return path
        kept = factors_of(path_of(self.cache, self.taken)).get(path.name)
        return None if kept is None else self.cache / kept.file

    def met_by(self, kept: StoredFile, table: FactorTable) -> bool:
        """Whether what is kept needs no download."""
        if self.offline or datetime.now(UTC) - kept.fetched_at < _FRESH_FOR:
            return True
        return self.last is not None and table.frame.index[-1] >= self.last


def _of_library(file: str, source: str | Path | FrenchLibrary, asked: _Asked) -> FactorTable:
    """One file of the library, from a folder, the cache or the web."""
    if source == "french":
        return _downloaded(file, FrenchLibrary(), asked)
    if isinstance(source, FrenchLibrary):
        return _downloaded(file, source, asked)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(
            f'source={str(source)!r} is neither "french" nor a folder.',
            remedy='Name a folder with the library\'s files; a single file goes first: load_factors("factors.csv").',
        )
    wanted = {f"{file}{suffix}".lower() for suffix in ("_csv.zip", ".zip", ".csv", "_csv.csv")}
    found = sorted(path for path in folder.iterdir() if path.name.lower() in wanted)
    if not found:
        raise DataSourceError(
            f"{folder} has no file {file}_CSV.zip.", remedy="Download it there from the library.", path=str(folder)
        )
    return read_factors(found[0])


def _downloaded(file: str, library: FrenchLibrary, asked: _Asked) -> FactorTable:
    path, url = asked.place(file), library.url(file)
    kept: tuple[StoredFile, FactorTable] | None = None
    if path is not None and not asked.refresh:
        try:
            stored = StoredFile.read(path)
            if stored is not None and stored.url == url:
                kept = stored, _parsed(stored.content, path)
        except DataSourceError:
            if asked.offline:
                raise  # online, a damaged file is downloaded again
    if kept is not None and asked.met_by(*kept):
        return kept[1]
    if path is None or asked.taken is not None:
        raise CacheMissError(
            f"the snapshot {asked.taken!r} has no {file}_CSV.zip from {library.base_url}.",
            remedy="Give the file's path, or take a snapshot once the factors are loaded.",
            file=file,
        )
    if asked.offline:
        raise CacheMissError(
            f"offline, and the cache has no {path.name} from {library.base_url} ({path.parent}).",
            remedy="Run load_factors once with a network, or give the file's path.",
            path=str(path),
        )
    try:
        content = library.fetch(file)
        table = _parsed(content, url)
    except DataSourceError as error:
        if kept is None:
            raise
        day = kept[1].frame.index[-1]
        warnings.warn(
            f"{error} The file fetched on {kept[0].fetched_at:%Y-%m-%d} is used; it ends on {day:%Y-%m-%d}.",
            EventStudyWarning,
            stacklevel=4,
        )
        return kept[1]
    try:
        StoredFile.write(path, url, content)
    except DataSourceError as error:
        warnings.warn(f"downloaded but not kept for next time: {error}", EventStudyWarning, stacklevel=4)
    return table


def _parsed(content: bytes, where: str | Path) -> FactorTable:
    return table_of(unzipped(content, str(where)), str(where))


def _named(table: FactorTable, smb: Smb | None) -> FactorTable:
    """The table with its SMB under the name that says which it is."""
    five = smb == "ff5" if smb is not None else bool({"RMW", "CMA"} & set(table.frame.columns))
    if not five or "SMB" not in table.frame:
        return table
    if "SMB5" in table.frame:
        return table  # it has both, by name
    return replace(table, frame=table.frame.rename(columns={"SMB": "SMB5"}))


def _joined(
    tables: Sequence[FactorTable], names: Sequence[str], first: pd.Timestamp | None, last: pd.Timestamp | None
) -> Factors:
    parts: list[pd.DataFrame] = []
    seen: set[str] = set()
    for table in tables:
        parts.append(table.frame[[name for name in table.frame if name not in seen]])
        seen |= set(table.frame.columns)
    frame = pd.concat(parts, axis=1, sort=True) if len(parts) > 1 else parts[0]
    order = [name for name in FACTORS if name in frame] + [name for name in frame if official_name(name) is None]
    out = frame[order].loc[first:last]
    if out.empty:
        raise DataSourceError(
            f"no factor return from {_shown(first)} to {_shown(last)}; the data have {frame.index[0]:%Y-%m-%d} to "
            f"{frame.index[-1]:%Y-%m-%d}.",
            remedy="The library appears a month or two after the fact: ask for other dates, or refresh=True.",
        )
    official = out[[name for name in out if official_name(name)]]
    large = np.argwhere(np.abs(official.to_numpy(np.float64)) > 1.0)
    if len(large):
        row, column = (int(at) for at in large[0])
        day = pd.Timestamp(out.index[row])
        raise InputError(
            f"{official.columns[column]} is {float(official.to_numpy()[row, column]):g} on {day:%Y-%m-%d}, more than "
            "100 % as a decimal.",
            remedy='If these are per cent, load them with load_factors(…, units="percent").',
            date=day,
        )
    _check_rate(out, tables[0].frequency)
    factors = Factors(out.astype(np.float64).rename_axis(index="date", columns=None))
    vintages = sorted({table.vintage for table in tables if table.vintage})
    factors._frequency = tables[0].frequency
    factors._source = f"{', '.join(names)}{f' (CRSP {chr(44).join(vintages)})' if vintages else ''}"
    return factors


def _check_rate(frame: pd.DataFrame, frequency: Frequency) -> None:
    """A rate in per cent beside factors in decimals moves little and would pass for one."""
    if "RF" not in frame:
        return
    size, most = float(frame["RF"].abs().median()), _MOST_RATE[frequency]
    if size > most:
        raise InputError(
            f"RF is {size:.3g} at the median, which no {frequency} riskless rate is: more than {most:.1%} a period.",
            remedy="As a decimal it is 0.0002 or so a day. If it is in per cent divide it by 100; if it is an annual "
            "rate divide it by the number of periods in a year.",
        )


def _shown(day: pd.Timestamp | None) -> str:
    return "…" if day is None else f"{day:%Y-%m-%d}"
