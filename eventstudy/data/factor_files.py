"""Files of factor returns: the Kenneth R. French Data Library's own layout, and plain CSV tables."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._factor_names import official_name
from eventstudy._limits import read_csv_bytes
from eventstudy._paths import as_path
from eventstudy.data.bars import numbers, session_dates
from eventstudy.errors import DataSourceError, InputError

__all__ = ["FactorTable", "Frequency", "Units", "read_factors", "table_of", "unzipped"]

Units: TypeAlias = Literal["decimal", "percent"]
Frequency: TypeAlias = Literal["daily", "weekly", "monthly"]

_MOST: Final = 1 << 26  # bytes of an archive, packed and unpacked
_MISSING: Final = (-99.99, -999.0)
_DIGITS: Final = re.compile(r"\d{6}|\d{8}")
_VINTAGE: Final = re.compile(r"using the (\d{6}) (?:CRSP|Bloomberg)")
_PERCENT, _DECIMAL = 0.1, 0.06  # median |Mkt-RF|: about 0.4 or more in per cent, 0.005 to 0.03 in decimals
_WORDS: Final = {"decimal": "a decimal return", "percent": "per cent"}
_ENOUGH = 20  # dates from which a median tells per cent from decimals


@dataclass(frozen=True, slots=True)
class FactorTable:
    """Factor returns of one file.

    Parameters
    ----------
    frame : DataFrame, shape (n_dates, n_factors)
        Decimal returns per period, NaN where missing; ascending naive midnights (month ends for months). Official names
        where the library has them.
    frequency : {"daily", "weekly", "monthly"}
        Length of a period.
    vintage : str
        CRSP database that the library made the file from, as ``yyyymm``; empty where the file does not say.
    guessed : str
        How the units were told from the numbers; empty where they were known.
    """

    frame: pd.DataFrame
    frequency: Frequency
    vintage: str = ""
    guessed: str = ""


def read_factors(path: str | Path, units: Units | None = None) -> FactorTable:
    """Factor returns of a file: CSV (also ``.gz``) or ZIP, in the library's layout or as a plain table.

    Parameters
    ----------
    path : str or Path
        Library layout: prose, a line of names that begins with a comma, lines that begin with ``yyyymmdd`` or
        ``yyyymm``, in per cent, −99.99 and −999 for missing; later sections, such as annual returns, are left out.
        Plain table: a header, a date first, one column per factor.
    units : {"decimal", "percent"}, optional
        Of a plain table. Where not given they are taken from the size of the numbers, and ``guessed`` says so.

    Raises
    ------
    DataSourceError
        The file is missing, too large, cut short or in neither layout.
    InputError
        A cell that is neither a number nor blank, a date that is none, or units that cannot be told or are contradicted
        by the numbers.
    """
    file, where = as_path(path), str(path)
    try:
        if file.suffix.lower() == ".zip":
            if file.stat().st_size > _MOST:
                raise _too_large(where)
            content = unzipped(file.read_bytes(), where)
        else:
            content = read_csv_bytes(file, where)
    except OSError as error:
        raise DataSourceError(
            f"{where}: cannot be read ({error.strerror or error}).", remedy="Check the path.", path=where
        ) from error
    return table_of(content, where, units)


def unzipped(content: bytes, where: str) -> bytes:
    """The one CSV in a ZIP archive, unpacked no further than the size limit.

    Raises
    ------
    DataSourceError
        If it is no archive, damaged, encrypted or too large, or holds no CSV or several.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [item for item in archive.infolist() if item.filename.lower().endswith(".csv")]
            if len(names) != 1:
                raise DataSourceError(
                    f"{where}: the archive holds {len(names)} CSV files; one was expected.",
                    remedy="Use a file of the library whose name ends in _CSV.zip.",
                    path=where,
                )
            with archive.open(names[0]) as stream:
                out = stream.read(_MOST + 1)  # the declared size is the archive's own word
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, DataSourceError):
            raise
        raise DataSourceError(
            f"{where}: not a readable ZIP archive ({error}).", remedy="Download it again.", path=where
        ) from error
    if len(out) > _MOST:
        raise _too_large(where)
    return out


def table_of(content: bytes, where: str, units: Units | None = None) -> FactorTable:
    """Factor returns of the text of a file; see :func:`read_factors`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # the prose has held a dash of that code page
    lines = text.splitlines()
    head = next((at for at, line in enumerate(lines) if _names_line(line)), None)
    return _plain(content, where, units) if head is None else _library(lines, head, where, units)


def _names_line(line: str) -> bool:
    cells = [cell.strip() for cell in line.split(",")]
    return len(cells) > 1 and not cells[0] and all(cells[1:]) and any(official_name(cell) for cell in cells[1:])


def _library(lines: list[str], head: int, where: str, units: Units | None) -> FactorTable:
    if units == "decimal":
        raise InputError(
            f"{where}: has the layout of the French library, whose files are in per cent.",
            remedy='Drop units="decimal", or write a header "date,…" if the numbers were converted.',
        )
    names = [official_name(cell) or cell.strip() for cell in lines[head].split(",")[1:]]
    dates: list[str] = []
    rows: list[list[str]] = []
    for at in range(head + 1, len(lines)):
        first, *cells = (cell.strip() for cell in lines[at].split(","))
        cut = bool(dates) and first.isdigit() and not cells
        if not cut and (not _DIGITS.fullmatch(first) or (dates and len(first) != len(dates[0]))):
            break
        if len(cells) != len(names):
            raise DataSourceError(
                f"{where}: line {at + 1} ({first}) has {len(cells)} numbers; {len(names)} were expected.",
                remedy="The file looks cut short: download it again.",
                path=where,
                date=first,
            )
        dates.append(first)
        rows.append(cells)
    if not dates:
        raise DataSourceError(
            f"{where}: no row with a date (yyyymmdd or yyyymm) after the line of names, line {head + 1}.",
            remedy="Download it again; portfolio files without a date in the first column are not read.",
            path=where,
        )
    index = _library_dates(dates, where)
    frame = _columns(pd.DataFrame(rows, columns=pd.Index(names)), index, where)
    frame = frame.mask(frame.isin(_MISSING))
    _check_units(frame, where, "percent")
    frame = frame / 100.0
    vintage = _VINTAGE.search(" ".join(lines[:head]))
    return FactorTable(frame, _frequency(index), "" if vintage is None else vintage[1])


def _library_dates(dates: list[str], where: str) -> pd.DatetimeIndex:
    months = len(dates[0]) == 6
    found = pd.to_datetime(pd.Series(dates), format="%Y%m" if months else "%Y%m%d", errors="coerce")
    if found.isna().any():
        wrong = dates[int(np.flatnonzero(found.isna())[0])]
        raise DataSourceError(f"{where}: {wrong} is not a date.", remedy="Download it again.", path=where)
    index = pd.DatetimeIndex(found).as_unit("us")
    return _checked(index + pd.offsets.MonthEnd(0) if months else index, where)


def _plain(content: bytes, where: str, units: Units | None) -> FactorTable:
    try:
        raw = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # parser and Unicode errors
        raise DataSourceError(
            f"{where}: not a readable CSV file ({error}).",
            remedy="Save it as comma-separated UTF-8 with as many cells in every row.",
            path=where,
        ) from error
    if raw.empty or raw.shape[1] < 2:
        raise DataSourceError(
            f"{where}: {len(raw)} rows and {raw.shape[1]} columns make no table of factors.",
            remedy="It needs a header, a date first, and one column per factor.",
            path=where,
        )
    dates, table = raw.iloc[:, 0].str.strip(), raw.iloc[:, 1:]
    if dates.str.fullmatch(_DIGITS).all() and dates.str.len().nunique() == 1:
        index = _library_dates(dates.tolist(), where)
    else:
        index = _checked(session_dates(dates, where), where)
    return from_frame(table.rename(columns=lambda name: str(name).strip()), index, where, units)


def from_frame(frame: pd.DataFrame, index: pd.DatetimeIndex, where: str, units: Units | None) -> FactorTable:
    """Table of a plain frame on checked dates, in decimals."""
    frame = _columns(frame, index, where)
    if units is not None:
        _check_units(frame, where, units)
    known, guessed = (units, "") if units is not None else _told(frame, where)
    return FactorTable(frame / 100.0 if known == "percent" else frame, _frequency(index), guessed=guessed)


def _columns(frame: pd.DataFrame, index: pd.DatetimeIndex, where: str) -> pd.DataFrame:
    names = [official_name(name) or str(name) for name in frame.columns]
    if again := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{where}: the factor {again[0]} stands twice.", remedy="Keep one column.")
    columns = [numbers(frame.iloc[:, at], name, index, where) for at, name in enumerate(names)]
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=index)


def _checked(index: pd.DatetimeIndex, where: str) -> pd.DatetimeIndex:
    wrong = np.flatnonzero(np.diff(index.asi8) <= 0)
    if wrong.size:
        at = int(wrong[0])
        raise InputError(
            f"{where}: {index[at + 1]:%Y-%m-%d} follows {index[at]:%Y-%m-%d}; dates must ascend, each once.",
            remedy="Sort the rows and keep one per date.",
            date=index[at + 1],
        )
    return index.rename("date")


def _check_units(frame: pd.DataFrame, where: str, units: Units) -> None:
    """Refuse units that the numbers contradict; factors of one's own may be of any size."""
    for name in ("Mkt-RF", "SMB", "SMB5", "HML", "RMW", "CMA", "Mom"):
        if name not in frame or frame[name].count() < _ENOUGH:
            continue
        size = float(frame[name].abs().median())
        if (size > _PERCENT) if units == "decimal" else (name == "Mkt-RF" and 0.0 < size < _DECIMAL):
            other = "percent" if units == "decimal" else "decimal"
            raise InputError(
                f"{where}: {name} is {size:.3g} at the median, which cannot be {_WORDS[units]}.",
                remedy=f'Load them with load_factors(…, units="{other}").',
            )


def _told(frame: pd.DataFrame, where: str) -> tuple[Units, str]:
    """Units by the size of the numbers, and how they were told; refused where it could be either."""
    columns = ["Mkt-RF"] if "Mkt-RF" in frame else [str(name) for name in frame if name != "RF"]
    size = float(np.nanmedian(np.abs(frame[columns].to_numpy()))) if frame[columns].notna().to_numpy().any() else 0.0
    if _DECIMAL <= size <= _PERCENT or size == 0.0:
        raise InputError(
            f"{where}: returns of {size:.3g} at the median may be decimals or per cent.",
            remedy='Say which: units="decimal" or units="percent".',
        )
    found: Units = "percent" if size > _PERCENT else "decimal"
    measured = f"{', '.join(columns)} of {size:.3g} at the median"
    return found, f'{where}: taken as {found}, from {measured}. Say units="{found}" to be sure.'


def _frequency(index: pd.DatetimeIndex) -> Frequency:
    days = float(np.median(np.diff(index.asi8))) / 86_400e6 if len(index) > 1 else 1.0
    return "daily" if days < 5 else "weekly" if days < 20 else "monthly"


def _too_large(where: str) -> DataSourceError:
    return DataSourceError(
        f"{where}: more than {_MOST:,} bytes; the library's largest factor file has about a million.",
        remedy="If you trust the file, unpack it and give the CSV.",
        path=where,
    )
