"""Where prices come from: the provider protocol, local files and in-memory frames."""

from __future__ import annotations

import difflib
import io
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import pandas as pd

from eventstudy._cells import plain
from eventstudy._frames import as_pandas
from eventstudy._limits import check_fields, read_csv_bytes, read_parquet
from eventstudy.data.bars import FIELDS, Bars, Basis, checked_bars, numbers, session_dates
from eventstudy.data.vendors import vendor_table
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

__all__ = ["SUFFIXES", "FileProvider", "FrameProvider", "PriceProvider", "canonical", "unknown_ticker"]

_ALIASES: Final = {
    "symbol": "ticker",
    "adj close": "adj_close",
    "adjclose": "adj_close",
    "adjusted_close": "adj_close",
    "adjusted close": "adj_close",
    "dividend": "dividends",
    "stock splits": "splits",
    "stock_splits": "splits",
    "split": "splits",
}
SUFFIXES: Final = (".csv", ".csv.gz", ".txt", ".parquet", ".pq")


@runtime_checkable
class PriceProvider(Protocol):
    """Anything that can deliver daily bars.

    ``name`` goes into ``Prices.info`` and the cache. A provider that reaches over a network sets a class
    attribute ``remote = True``: its bars are then kept in the cache and it is never called offline.
    """

    name: str

    def fetch(
        self, symbols: Sequence[str], start: date | None, end: date | None, interval: str = "1d"
    ) -> Mapping[str, Bars]:
        """Bars for every symbol, at least from ``start`` to ``end`` inclusive as far as they exist.

        Raises
        ------
        DataSourceError
            Some symbol could not be had. ``context["failures"]`` maps symbol to cause and
            ``context["partial"]`` symbol to the bars that did arrive.
        """
        ...


def unknown_ticker(ticker: str, available: Iterable[str], where: str) -> InputError:
    """Error for a ticker that a source does not have, with the nearest names that it has."""
    names = sorted(available)
    near = difflib.get_close_matches(ticker.upper(), names, n=3, cutoff=0.5)
    shown = ", ".join(near or names[:10]) + ("" if near or len(names) <= 10 else f", … ({len(names)} in all)")
    return InputError(
        f"{where} has no ticker {ticker!r}.",
        remedy=f"{'Nearest' if near else 'It has'}: {shown}.",
        ticker=ticker,
        available=names,
    )


class FrameProvider:
    """Prices from a frame in memory.

    Parameters
    ----------
    frame : DataFrame of pandas or polars, pyarrow Table, or any frame that narwhals reads
        Wide: index (or first column) of dates and one column of prices per ticker, taken as total-return
        prices. Long: columns ``date``, ``ticker`` and ``adj_close`` or ``close``, optionally ``open``,
        ``high``, ``low``, ``volume``, ``dividends``, ``splits``, ``currency``. ``adj_close`` is used when
        present, else ``close`` adjusted by ``dividends``, else ``close`` as it is, with a warning. The frame is
        not changed.
    currency : str, optional
        Recorded in ``Prices.info`` where a long table has no column ``currency``.
    """

    name = "frame"

    def __init__(self, frame: Any, *, currency: str | None = None) -> None:
        self._where = "the frame"
        self._currency = currency
        self._frame = as_pandas(frame, "prices")

    def fetch(
        self, symbols: Sequence[str], start: date | None, end: date | None, interval: str = "1d"
    ) -> dict[str, Bars]:
        """Bars of ``symbols`` over all dates of the source; ``start`` and ``end`` are left to the caller.

        Raises
        ------
        InputError
            An unknown ticker, or data that fail a check at the door.
        """
        table = _with_dates(self._raw(symbols), self._where)
        dates = session_dates(table.iloc[:, 0], self._where)
        if _is_long(table, self._where):
            return self._long(table, dates, symbols)
        return self._wide(table, dates, symbols)

    def _raw(self, symbols: Sequence[str]) -> pd.DataFrame:
        return self._frame

    def _bars(self, frame: pd.DataFrame, basis: Basis, currency: str | None = None) -> Bars:
        return Bars(frame, basis, currency=currency or self._currency)

    def _wide(self, table: pd.DataFrame, dates: pd.DatetimeIndex, symbols: Sequence[str]) -> dict[str, Bars]:
        names = [str(c) for c in table.columns[1:]]
        out: dict[str, Bars] = {}
        for symbol in symbols:
            if symbol not in names:
                raise unknown_ticker(symbol, names, self._where)
            column = numbers(table.iloc[:, 1 + names.index(symbol)], symbol, dates, self._where)
            frame = checked_bars(column.to_frame("adj_close"), symbol, self._where)
            out[symbol] = self._bars(frame, "as given")
        return out

    def _long(self, table: pd.DataFrame, dates: pd.DatetimeIndex, symbols: Sequence[str]) -> dict[str, Bars]:
        columns = [c for c in FIELDS if c in table.columns]
        tickers = table["ticker"].astype("str").str.strip()
        known = set(tickers.dropna())
        for symbol in symbols:
            if symbol not in known:
                raise unknown_ticker(symbol, known, self._where)
        mine = tickers.isin(list(symbols)).to_numpy()
        # Rows that nobody asked for are neither parsed nor checked; row numbers still refer to the source.
        parsed = pd.concat(
            [numbers(table[c].where(mine), c, dates, self._where) for c in columns], axis=1, keys=columns
        )
        basis: Basis = "close, not adjusted"
        if "adj_close" in columns:
            basis = "adjusted close"
        elif "dividends" in columns:
            basis = "close + dividends"
        else:
            warnings.warn(
                f"{self._where}: unadjusted closes only; returns on ex-dividend and split days are wrong. "
                "Add a column adj_close, or dividends.",
                EventStudyWarning,
                stacklevel=5,
            )
        groups = {str(t): g for t, g in parsed[mine].groupby(tickers.to_numpy()[mine], sort=False)}
        currency = _currencies(table[mine], tickers[mine], self._where)
        return {s: self._bars(checked_bars(groups[s], s, self._where), basis, currency.get(s)) for s in symbols}


class FileProvider(FrameProvider):
    """Prices from a CSV (``.csv``, ``.csv.gz``, ``.txt``) or Parquet file; see :class:`FrameProvider`.

    Parameters
    ----------
    path : str or Path
        Wide CSV: first column the date, then one column per ticker. Long CSV: a header with ``date``,
        ``ticker`` and ``adj_close`` or ``close``. UTF-8, comma-separated, decimal points. Files of one
        security in the layouts of Stooq, Alpha Vantage and Yahoo are recognised by their header and must be
        named after the security; see :func:`eventstudy.data.vendors.vendor_table`.
    currency : str, optional
        Recorded in ``Prices.info``.
    max_bytes : int, optional
        Largest size of the file once unpacked; default ``$EVENTSTUDY_MAX_BYTES``, else 1 GiB.

    Raises
    ------
    DataSourceError
        The file is missing, a directory, empty, too large or unreadable.
    """

    name = "file"

    def __init__(self, path: str | Path, *, currency: str | None = None, max_bytes: int | None = None) -> None:
        self._path = Path(path)
        self._where = str(path)
        self._currency = currency
        self._max_bytes = max_bytes
        self._loaded: tuple[pd.DataFrame, str, str] | None = None

    @staticmethod
    def recognises(source: str) -> bool:
        """Whether a string looks like a path to a price file rather than the name of a source."""
        return source.lower().endswith(SUFFIXES) or "/" in source or "\\" in source or Path(source).exists()

    def _raw(self, symbols: Sequence[str]) -> pd.DataFrame:
        table = _bracketed(self._load()[0], self._where)
        return vendor_table(table, self._path.name, symbols, self._where)

    def _bars(self, frame: pd.DataFrame, basis: Basis, currency: str | None = None) -> Bars:
        _, checksum, written = self._load()
        money = currency or self._currency
        return Bars(frame, basis, currency=money, sha256=checksum, fetched_at=written, note=self._where)

    def _load(self) -> tuple[pd.DataFrame, str, str]:
        if self._loaded is None:
            checksum, written = self._fingerprint()
            is_csv = not self._where.lower().endswith((".parquet", ".pq"))
            self._loaded = (self._read_csv() if is_csv else self._read_parquet()), checksum, written
        return self._loaded

    def _fingerprint(self) -> tuple[str, str]:
        if not self._path.exists():
            near = difflib.get_close_matches(self._path.name, _siblings(self._path), n=3)
            remedy = f"Nearest in that folder: {', '.join(near)}." if near else "Check the path."
            raise DataSourceError(f"{self._where}: no such file.", remedy=remedy, path=self._where)
        if self._path.is_dir():
            raise DataSourceError(
                f"{self._where}: a directory, not a file.",
                remedy="Name one CSV or Parquet file.",
                path=self._where,
            )
        if not self._path.is_file():
            raise DataSourceError(
                f"{self._where}: not a regular file.", remedy="Name one CSV or Parquet file.", path=self._where
            )
        if not self._where.lower().endswith(SUFFIXES):
            raise DataSourceError(
                f"{self._where}: unknown kind of file.",
                remedy=f"Expected one of {', '.join(SUFFIXES)}.",
                path=self._where,
            )
        try:
            with self._path.open("rb") as stream:
                checksum = file_digest(stream, "sha256").hexdigest()
            facts = self._path.stat()
        except OSError as exc:
            raise DataSourceError(
                f"{self._where}: cannot be read ({exc.strerror}).",
                remedy="Check its permissions.",
                path=self._where,
            ) from exc
        if facts.st_size == 0:
            raise self._empty()
        return checksum, datetime.fromtimestamp(facts.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _empty(self) -> DataSourceError:
        return DataSourceError(
            f"{self._where}: the file has no rows.",
            remedy="It needs a header and one row per date.",
            path=self._where,
        )

    def _read_csv(self) -> pd.DataFrame:
        try:
            content = read_csv_bytes(self._path, self._where, self._max_bytes)
            if not content.strip():
                raise self._empty()
            # As text: a header that repeats a ticker, a ticker called NA and a stray cell stay visible.
            raw = pd.read_csv(
                io.BytesIO(content),
                header=None,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8-sig",
                skip_blank_lines=True,
            )
        except (ValueError, OSError, EOFError) as exc:  # parser, Unicode and gzip errors
            raise DataSourceError(
                f"{self._where}: not a readable CSV file ({exc}).",
                remedy="Save it as comma-separated UTF-8 with as many cells in every row.",
                path=self._where,
            ) from exc
        check_fields(raw, content, self._where)
        raw = plain(raw) if b"'" in content else raw
        if len(raw) < 2:
            raise self._empty()
        if raw.shape[1] == 1 and any(mark in str(raw.iat[0, 0]) for mark in ";\t|"):
            raise InputError(
                f"{self._where}: one column only, header {raw.iat[0, 0]!r}.",
                remedy="Separate the cells with commas.",
            )
        table = raw.iloc[1:].reset_index(drop=True)
        table.columns = pd.Index([str(c).strip() for c in raw.iloc[0]])
        return table

    def _read_parquet(self) -> pd.DataFrame:
        import pyarrow as pa

        try:
            table = read_parquet(self._path, self._where, self._max_bytes)
        except (pa.ArrowException, OSError) as exc:
            raise DataSourceError(
                f"{self._where}: not a readable Parquet file ({exc}).",
                remedy="Write it again; a copy cut short looks like this.",
                path=self._where,
            ) from exc
        if table.empty:
            raise self._empty()
        if both := [name for name in table.index.names if name is not None and name in table.columns]:
            raise InputError(
                f"{self._where}: {both[0]!r} is the index and a column.", remedy="Write it without one of the two."
            )
        return table


def _currencies(table: pd.DataFrame, tickers: pd.Series[Any], where: str) -> dict[str, str]:
    """Currency of each ticker of a long table that states it."""
    if "currency" not in table.columns:
        return {}
    stated = pd.DataFrame({"ticker": tickers, "currency": table["currency"].astype("str").str.strip()})
    pairs = stated[stated["currency"].notna() & (stated["currency"] != "")].drop_duplicates()
    twice = pairs.loc[pairs["ticker"].duplicated(), "ticker"]
    if len(twice):
        name = str(twice.iloc[0])
        both = " and ".join(pairs.loc[pairs["ticker"] == name, "currency"])
        raise InputError(f"{where}: {name} has prices in {both}.", remedy="Convert them to one currency.", ticker=name)
    return dict(zip(pairs["ticker"], pairs["currency"], strict=True))


def _siblings(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []


def _with_dates(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Copy with the dates as first column, and canonical names where the layout is long."""
    if isinstance(frame.columns, pd.MultiIndex) or isinstance(frame.index, pd.MultiIndex):
        raise InputError(
            f"{where}: several header or index levels.",
            remedy='Pick one field, such as frame["Close"], or reset_index() to a long table.',
        )
    if frame.empty:
        raise InputError(
            f"{where}: no rows or no columns ({frame.shape[0]} × {frame.shape[1]}).",
            remedy="Give at least one date and one ticker.",
        )
    _refuse_twice(frame, where)
    names = {c: canonical(c) for c in frame.columns}
    long = {"ticker", "date"} <= set(names.values()) or ("ticker" in names.values() and frame.index.name is not None)
    table = frame.rename(columns=names) if long else frame.copy(deep=False)
    _refuse_twice(table, where)
    if "date" in table.columns and long:
        table.insert(0, "date", table.pop("date"))
    elif isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex) or canonical(frame.index.name) == "date":
        if "date" in table.columns:
            raise InputError(
                f"{where}: dates in the index, and a column 'date'.", remedy="Drop one: frame.reset_index(drop=True)."
            )
        table = table.copy().reset_index(names="date")  # a deep copy is one block: no fragmentation warning
    elif "date" in table.columns[1:] and str(table.columns[0]).strip().lower() not in ("date", "datetime"):
        table.insert(0, "date", table.pop("date"))
    return table


def _bracketed(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """``table``, rows numbered if it has names such as ``<TICKER>``: each once, and a ticker in each row."""
    raw = [str(name).strip().lower() for name in table.columns]
    if "<ticker>" not in raw:
        return table
    plain = table.set_axis([name.strip("<>") for name in raw], axis=1)
    _refuse_twice(plain, where)
    if (empty := plain["ticker"].isna().to_numpy()).any():
        row = int(empty.argmax()) + 1
        raise InputError(f"{where}: data row {row} has no ticker.", remedy="Fill it in, or remove the row.", row=row)
    return table.reset_index(drop=True)


def _refuse_twice(table: pd.DataFrame, where: str) -> None:
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"{where}: column {twice[0]!r} occurs more than once.", remedy="Keep one of them.")


def canonical(name: Hashable) -> str:
    """Lower-case name of a column as the library knows it."""
    text = str(name).strip().lower()
    return "date" if text in {"date", "datetime"} else _ALIASES.get(text, text)


def _is_long(table: pd.DataFrame, where: str) -> bool:
    names = {canonical(c) for c in table.columns}
    shown = ", ".join(map(str, table.columns))
    if "ticker" in table.columns and "date" in table.columns:
        if names & {"close", "adj_close"}:
            return True
        raise InputError(
            f"{where}: a long table without prices; it has the columns {shown}.",
            remedy="Add a column adj_close or close.",
            columns=list(table.columns),
        )
    # LOW and OPEN are tickers too: only a close beside other bar fields marks a bar table.
    if names & {"close", "adj_close"} and len(names & set(FIELDS)) >= 2:
        missing = "ticker" if "date" in names else "date, ticker"
        raise InputError(
            f"{where}: missing column {missing}; it has {shown}.",
            remedy="Add a ticker column, or give one column of prices per ticker.",
            columns=list(table.columns),
        )
    if table.shape[1] < 2:
        raise InputError(
            f"{where}: dates only; it has the column {shown}.",
            remedy="Add one column of prices per ticker.",
            columns=list(table.columns),
        )
    return False
