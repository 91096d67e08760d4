"""Price files as data vendors write them: recognised by their header, turned into the library's own long layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from eventstudy.errors import DataSourceError, InputError

__all__ = ["file_symbols", "matching", "vendor_table"]

# Stooq's <VOL>, Alpha Vantage's and its older names, beside those that every price file may use
_NAMES: Final = {
    "timestamp": "date",
    "datetime": "date",
    "vol": "volume",
    "adj close": "adj_close",
    "adjclose": "adj_close",
    "adjusted_close": "adj_close",
    "adjusted close": "adj_close",
    "dividend_amount": "dividends",
    "dividend amount": "dividends",
    "split_coefficient": "splits",
    "split coefficient": "splits",
}
_BARS: Final = frozenset({"open", "high", "low", "volume"})
_NO_DATA: Final = frozenset({"per", "time", "openint"})
_FILE_ENDS: Final = re.compile(r"(\.csv\.gz|\.csv|\.txt|\.parquet|\.pq)$")


def vendor_table(table: pd.DataFrame, file_name: str, symbols: Sequence[str], where: str) -> pd.DataFrame:
    """``table`` in the long layout if its header is a vendor's, else ``table`` itself.

    Parameters
    ----------
    table : DataFrame
        Cells of a file.
    file_name : str
        Its name, which says whose prices a table without tickers holds.
    symbols : sequence of str
        What is asked for, as the caller spells it.
    where : str
        The file, for messages.

    Notes
    -----
    Recognised are Stooq's ``<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,…`` with daily rows, and tables of one symbol: a
    ``date`` or ``timestamp``, a ``close`` or adjusted close, at least one of open, high, low and volume, and no
    ticker. Those are Stooq's and Yahoo's downloads and Alpha Vantage's ``TIME_SERIES_DAILY`` and
    ``TIME_SERIES_DAILY_ADJUSTED``. Rows may run from the newest to the oldest. A split coefficient of 1 means no split.
    Of a CRSP-like file of returns (``permno``, ``date``, ``ret``) prices are made by
    :func:`eventstudy.data.crsp.return_index`.

    Raises
    ------
    InputError
        Rows of another period than a day, or a table of one symbol whose file is not named after the one asked
        for.
    DataSourceError
        A symbol that fits several tickers of the file.
    """
    from eventstudy.data.crsp import is_crsp, return_index

    raw = [str(name).strip().lower() for name in table.columns]
    if {"<ticker>", "<date>", "<close>"} <= set(raw):
        return _stooq(table.set_axis([name.strip("<>") for name in raw], axis=1), symbols, where)
    if is_crsp(raw):
        return return_index(table, symbols, where)
    names = [_NAMES.get(name, name) for name in raw]
    known = set(names)
    if known & {"ticker", "symbol"} or "date" not in known or len(known) < len(names):
        return table
    if not known & {"close", "adj_close"} or not known & _BARS or not known <= _KNOWN:
        return table
    plain = table.set_axis(names, axis=1)
    return _newest_last(_splits(plain)).assign(ticker=_only(symbols, file_name, where))


_KNOWN: Final = frozenset({"date", "close", *_NAMES.values(), *_BARS, *_NO_DATA, "dividends", "stock splits", "splits"})


def _stooq(table: pd.DataFrame, symbols: Sequence[str], where: str) -> pd.DataFrame:
    if "per" in table.columns:
        other = table.loc[table["per"].astype(str).str.strip().str.upper() != "D", "per"]
        if len(other):
            raise InputError(
                f"{where}: <PER> is {other.iloc[0]!r} in data row {int(other.index[0]) + 1}; daily rows have D.",
                remedy="Download the daily file.",
            )
    table = table.rename(columns=_NAMES).drop(columns=[name for name in table.columns if name in _NO_DATA])
    tickers = table["ticker"].astype(str).str.strip()
    spelled = {name: name for name in tickers.unique()}
    for symbol in symbols:
        found = [name for name in spelled if symbol.casefold() in _spellings(name.casefold())]
        if len(found) > 1 and symbol not in found:
            raise _ambiguous(symbol, found, where)
        if found and symbol not in found:
            spelled[found[0]] = symbol
    return table.assign(ticker=tickers.map(spelled))


def _splits(table: pd.DataFrame) -> pd.DataFrame:
    """Alpha Vantage writes 1 where there is no split; here that is 0."""
    if "splits" not in table.columns:
        return table
    ratio = pd.to_numeric(table["splits"], errors="coerce")
    return table.assign(splits=table["splits"].mask(ratio == 1.0, "0" if table["splits"].dtype != float else 0.0))


def _newest_last(table: pd.DataFrame) -> pd.DataFrame:
    days = pd.Series(pd.to_datetime(table["date"].astype(str), format="ISO8601", errors="coerce", utc=True))
    if len(days) > 1 and (days.diff().iloc[1:] < pd.Timedelta(0)).all():
        return table.iloc[::-1].reset_index(drop=True)
    return table


def _only(symbols: Sequence[str], file_name: str, where: str) -> str:
    """Return the symbol whose prices a file without tickers holds."""
    names = file_symbols(file_name)
    mine = [symbol for symbol in symbols if symbol.casefold() in names]
    if mine and len(symbols) == 1:
        return mine[0]
    other = next((symbol for symbol in symbols if symbol not in mine), symbols[0])
    shown = min(names, key=len).upper()
    raise InputError(
        f"{where}: the file holds one security and no tickers, by its name {shown}; {other} was asked for.",
        remedy=f"Name the file after its security ({other}.csv), add a column ticker, or give a folder of such files.",
        ticker=other,
        available=[shown],
    )


def file_symbols(file_name: str) -> frozenset[str]:
    """Symbols (in lower case) that a file may be named after.

    Examples
    --------
    >>> sorted(file_symbols("aapl_us_d.csv")), sorted(file_symbols("daily_adjusted_IBM.csv.gz"))
    (['aapl', 'aapl.us', 'aapl_us_d'], ['daily_adjusted_ibm', 'ibm'])
    >>> sorted(file_symbols("BRK.B.csv"))
    ['brk.b']
    """
    stem = _FILE_ENDS.sub("", file_name.casefold())
    found = {stem}
    if match := re.fullmatch(r"daily_(?:adjusted_)?(.+)", stem):
        found.add(match[1])
    if match := re.fullmatch(r"(.+?)(_us)?_d", stem):
        found.add(match[1] + (".us" if match[2] else ""))
    return frozenset(name for item in found for name in _spellings(item))


def _spellings(name: str) -> set[str]:
    """A name, and without Stooq's mark of US listings; other marks name another listing and stay."""
    return {name, name.removesuffix(".us")}


def matching(symbol: str, file_names: Iterable[str], where: str) -> str | None:
    """Return the one file named after a symbol, or None.

    Raises
    ------
    DataSourceError
        If several are.
    """
    found = [name for name in file_names if symbol.casefold() in file_symbols(name)]
    if len(found) > 1:
        raise _ambiguous(symbol, found, where)
    return found[0] if found else None


def _ambiguous(symbol: str, found: Sequence[Any], where: str) -> DataSourceError:
    return DataSourceError(
        f"{where}: {symbol} could be any of {', '.join(map(str, found))}.",
        remedy="Write the symbol in full, or move the others away.",
        ticker=symbol,
        candidates=list(found),
    )
