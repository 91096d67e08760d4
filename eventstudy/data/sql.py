"""Prices and tables from a database: DuckDB by its own client, any other through SQLAlchemy."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlencode

import pandas as pd

from eventstudy.data.bars import Bars
from eventstudy.data.providers import FrameProvider, canonical, unknown_ticker
from eventstudy.errors import DataSourceError, InputError

__all__ = ["SqlProvider", "is_url", "read_sql"]

_URL: Final = re.compile(r"([a-z][a-z0-9]*)(?:\+[a-z0-9_]+)?://", re.IGNORECASE)
_TABLE: Final = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*){0,2}")
_LOCAL: Final = ("duckdb", "sqlite")
_AT_ONCE: Final = 500  # tickers in one statement; SQLite binds at most 999 in old versions
_WANTED: Final = frozenset(
    {"date", "ticker", "open", "high", "low", "close", "adj_close", "volume", "dividends", "splits", "currency"}
)


def is_url(source: str) -> bool:
    """Whether a string is the URL of a database: ``duckdb:///prices.db?table=prices``."""
    found = _URL.match(source)
    return found is not None and found[1].lower() not in ("http", "https", "ftp", "file", "s3")


def read_sql(query_or_table: str, connection: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Rows of a table or of a query, as a frame.

    Use it for whatever the library reads from a frame: ``load_prices(source=…)``, ``Events.from_frame``,
    ``ReturnPanel.from_long``, the characteristics of a cross-section.

    Parameters
    ----------
    query_or_table : str
        Name of a table or view, with its schema if need be (``"main.prices"``), or a query of your own. Write
        values as ``$name`` (DuckDB) or ``:name`` (others) and give them in ``params``: they are bound, never made
        part of the text.
    connection : str, DuckDB connection, SQLAlchemy engine or connection
        An open connection is left open. A URL such as ``"duckdb:///prices.db"`` or ``"sqlite:///prices.db"``
        is opened (DuckDB read-only) and closed.
    params : mapping, optional
        Values of the query's parameters.

    Returns
    -------
    pandas.DataFrame
        One row per row, columns as named in the database.

    Raises
    ------
    InputError
        No database connection, or the package for it is not installed.
    DataSourceError
        The database cannot be opened, has no such table, or refuses the query.

    Examples
    --------
    >>> import duckdb
    >>> base = duckdb.connect()
    >>> _ = base.execute("CREATE TABLE events AS SELECT 'MSFT' AS ticker, DATE '2025-01-29' AS date")
    >>> read_sql("SELECT ticker FROM events WHERE ticker = $name", base, {"name": "MSFT"})
      ticker
    0   MSFT
    """
    if not isinstance(query_or_table, str) or not query_or_table.strip():
        raise InputError(f"{query_or_table!r} is neither a table nor a query.", remedy='Such as "prices".')
    with _opened(connection) as base:
        text = query_or_table.strip()
        if _TABLE.fullmatch(text):
            _columns(base, text)
            text = f"SELECT * FROM {_quoted(base, text)}"
        return base.frame(text, dict(params or {}))


class SqlProvider:
    """Prices from a table of a database.

    Parameters
    ----------
    table : str
        Table or view, with its schema if need be. Long (``date``, ``ticker``, ``adj_close`` or ``close``, further
        columns as :class:`~eventstudy.data.FrameProvider`; other usual names are understood), or wide (``date``
        and one column per ticker).
    connection : str, DuckDB connection, SQLAlchemy engine or connection
        As :func:`read_sql`.

    Notes
    -----
    Only the columns needed and the rows of the tickers asked for are read. Tickers are bound as parameters and
    names of tables and columns are looked up before they are quoted, so that no name can change the statement.
    """

    name = "sql"

    def __init__(self, table: str, connection: Any) -> None:
        if not isinstance(table, str) or not _TABLE.fullmatch(table):
            raise InputError(
                f"{table!r} is not the name of a table.",
                remedy='Letters, digits and underscores, such as "prices" or "main.prices".',
            )
        self._table = table
        self._connection = connection

    @classmethod
    def from_url(cls, url: str) -> SqlProvider:
        """Provider of ``duckdb:///prices.db?table=prices`` or any SQLAlchemy URL with ``table=``.

        Raises
        ------
        InputError
            The URL names no table, or has an option of DuckDB's that is not known.
        """
        address, _, query = url.partition("?")
        options = parse_qsl(query, keep_blank_values=True)
        tables = [value for name, value in options if name == "table"]
        rest = [(name, value) for name, value in options if name != "table"]
        shown = _without_password(url)
        if len(tables) != 1:
            raise InputError(f"{shown}: no table is named.", remedy=f"Write {shown}?table=prices.")
        if rest and address.lower().startswith("duckdb:"):
            raise InputError(f"{shown}: unknown option {rest[0][0]!r}.", remedy="A DuckDB URL takes table= only.")
        return cls(tables[0], address + (f"?{urlencode(rest)}" if rest else ""))

    @property
    def networked(self) -> bool:
        """Whether the database is (or may be) on another machine."""
        if isinstance(self._connection, str):
            return not self._connection.lower().startswith(_LOCAL)
        return False

    def fetch(
        self, symbols: Sequence[str], start: date | None, end: date | None, interval: str = "1d"
    ) -> dict[str, Bars]:
        """Bars of ``symbols`` over all dates of the table.

        Raises
        ------
        InputError
            An unknown ticker, or rows that fail a check at the door.
        DataSourceError
            The database cannot be read.
        """
        with _opened(self._connection) as base:
            names = _columns(base, self._table)
            roles = {name: canonical(name) for name in names}
            is_long = "ticker" in roles.values()
            frame = self._long(base, roles, symbols) if is_long else self._wide(base, names, symbols)
            where = f"{base.where}, table {self._table}"
        provider = FrameProvider(frame)
        provider._where = where
        found = provider.fetch(symbols, start, end, interval)
        return {name: Bars(bars.frame, bars.basis, currency=bars.currency, note=where) for name, bars in found.items()}

    def _long(self, base: _Database, roles: Mapping[str, str], symbols: Sequence[str]) -> pd.DataFrame:
        key = next(name for name, role in roles.items() if role == "ticker")
        chosen = ", ".join(base.quote(name) for name, role in roles.items() if role in _WANTED)
        ticker, table = base.quote(key), _quoted(base, self._table)
        parts = []
        for at in range(0, len(symbols), _AT_ONCE):
            bound = {f"t{number}": name for number, name in enumerate(symbols[at : at + _AT_ONCE])}
            among = ", ".join(base.placeholder(name) for name in bound)
            parts.append(base.frame(f"SELECT {chosen} FROM {table} WHERE {base.as_text(ticker)} IN ({among})", bound))
        frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        held = set(frame[key].astype(str).str.strip())
        for symbol in symbols:
            if symbol not in held:
                known = base.frame(f"SELECT DISTINCT {ticker} AS ticker FROM {table}", {})["ticker"].astype(str)
                raise unknown_ticker(symbol, known, f"{base.where}, table {self._table}")
        dates = [name for name, role in roles.items() if role == "date"]
        # a table has no order of its own
        return frame.sort_values([key, *dates], kind="stable", ignore_index=True) if dates else frame

    def _wide(self, base: _Database, names: Sequence[str], symbols: Sequence[str]) -> pd.DataFrame:
        dates = [name for name in names if canonical(name) == "date"] or list(names[:1])
        for symbol in symbols:
            if symbol not in names:
                raise unknown_ticker(symbol, set(names) - set(dates), f"{base.where}, table {self._table}")
        chosen = ", ".join(base.quote(name) for name in [dates[0], *symbols])
        when = base.quote(dates[0])
        return base.frame(f"SELECT {chosen} FROM {_quoted(base, self._table)} ORDER BY {when}", {})


class _Database(Protocol):
    """What the two clients have in common."""

    where: str

    def quote(self, name: str) -> str: ...
    def placeholder(self, name: str) -> str: ...
    def as_text(self, quoted: str) -> str: ...
    def tables(self) -> list[str]: ...
    def frame(self, text: str, params: Mapping[str, Any]) -> pd.DataFrame: ...


class _DuckDB:
    def __init__(self, connection: Any, where: str = "the DuckDB database") -> None:
        self._connection = connection
        self.where = where

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def placeholder(self, name: str) -> str:
        return f"${name}"

    def as_text(self, quoted: str) -> str:
        return f"CAST({quoted} AS VARCHAR)"  # a column of numbers is not compared with text

    def tables(self) -> list[str]:
        text = "SELECT table_name FROM information_schema.tables"
        return sorted(self.frame(text, {})["table_name"])

    def frame(self, text: str, params: Mapping[str, Any]) -> pd.DataFrame:
        import duckdb

        def of(connection: Any) -> pd.DataFrame:
            # a relation, so that the caller's pending result stays as it is
            relation = connection.sql(text, params=dict(params) or None)
            found: pd.DataFrame = pd.DataFrame() if relation is None else relation.df()
            return found

        try:
            try:
                return of(self._connection)
            except duckdb.Error as error:
                if type(error).__name__ != "ResourceInUseException":
                    raise
                # DuckDB 2 wants another connection beside a pending result; it does not see registered frames
                return of(self._connection.cursor())
        except duckdb.Error as error:
            raise _refused(self.where, error) from error


class _SqlAlchemy:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.where = _without_password(connection.engine.url.render_as_string())

    def quote(self, name: str) -> str:
        # an escaped colon is no parameter of SQLAlchemy's text()
        return str(self._connection.dialect.identifier_preparer.quote_identifier(name)).replace(":", "\\:")

    def placeholder(self, name: str) -> str:
        return f":{name}"

    def as_text(self, quoted: str) -> str:
        return quoted

    def tables(self) -> list[str]:
        import sqlalchemy as sa

        try:
            inspector = sa.inspect(self._connection)
            return sorted([*inspector.get_table_names(), *inspector.get_view_names()])
        except sa.exc.SQLAlchemyError as error:
            raise _refused(self.where, getattr(error, "orig", None) or error) from error

    def frame(self, text: str, params: Mapping[str, Any]) -> pd.DataFrame:
        import sqlalchemy as sa

        try:
            result = self._connection.execute(sa.text(text), dict(params))
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))
        except sa.exc.SQLAlchemyError as error:
            raise _refused(self.where, getattr(error, "orig", None) or error) from error


def _columns(base: _Database, table: str) -> list[str]:
    """Column names of a table, read from the table itself."""
    try:
        return [str(name) for name in base.frame(f"SELECT * FROM {_quoted(base, table)} WHERE 1 = 0", {}).columns]
    except DataSourceError as error:
        names = base.tables()
        if table.split(".")[-1] in names:
            raise
        near = difflib.get_close_matches(table, names, n=3) or names[:10]
        raise DataSourceError(
            f"{base.where}: no table {table!r}.",
            remedy=f"It has: {', '.join(near) or 'no tables'}.",
            table=table,
            available=names,
        ) from error


def _quoted(base: _Database, table: str) -> str:
    return ".".join(base.quote(part) for part in table.split("."))


@contextmanager
def _opened(connection: Any) -> Iterator[_Database]:
    """Database of a connection or a URL; what is opened here is closed here."""
    if isinstance(connection, str):
        with _opened_url(connection) as base:
            yield base
        return
    home = type(connection).__module__.split(".")[0]
    if home in ("duckdb", "_duckdb") and hasattr(connection, "cursor"):
        yield _DuckDB(connection)
    elif home == "sqlalchemy" and hasattr(connection, "connect") and hasattr(connection, "dialect"):
        with _connected(connection) as opened:
            yield _SqlAlchemy(opened)
    elif home == "sqlalchemy" and hasattr(connection, "execute") and hasattr(connection, "dialect"):
        yield _SqlAlchemy(connection)
    else:
        raise InputError(
            f"Expected a database connection; got {type(connection).__name__}.",
            remedy='Give a DuckDB connection, a SQLAlchemy engine, or a URL such as "duckdb:///prices.db".',
        )


@contextmanager
def _opened_url(url: str) -> Iterator[_Database]:
    if not is_url(url):
        raise InputError(f"{url!r} is not the URL of a database.", remedy='Such as "duckdb:///prices.db".')
    if not url.lower().startswith("duckdb:"):
        yield from _opened_by_sqlalchemy(url)
        return
    duckdb = _package("duckdb")
    path = unquote(url.split("://", 1)[1].removeprefix("/"))
    _check_file(path, url)
    try:
        # nothing is fetched from the network for a local file, and nothing is written
        connection = duckdb.connect(path, read_only=True, config={"autoinstall_known_extensions": "false"})
    except duckdb.Error as error:
        raise _refused(url, error) from error
    with connection:
        yield _DuckDB(connection, path)


def _opened_by_sqlalchemy(url: str) -> Iterator[_Database]:
    sa = _package("sqlalchemy")
    try:
        address = sa.engine.make_url(url)
        if address.get_backend_name() == "sqlite":
            _check_file(address.database or "", url)
        engine = sa.create_engine(address)
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        raise _refused(_without_password(url), error) from error
    try:
        with _connected(engine) as connection:
            yield _SqlAlchemy(connection)
    finally:
        engine.dispose()


@contextmanager
def _connected(engine: Any) -> Iterator[Any]:
    import sqlalchemy as sa

    try:
        connection = engine.connect()
    except sa.exc.SQLAlchemyError as error:
        raise _refused(
            _without_password(engine.url.render_as_string()), getattr(error, "orig", None) or error
        ) from error
    with connection:
        yield connection


def _check_file(path: str, url: str) -> None:
    """Refuse a database file that does not exist; the clients would make an empty one."""
    if not path or not Path(path).is_file():
        raise DataSourceError(
            f"{url}: there is no file {path!r}.",
            remedy="A relative path follows three slashes, an absolute one four (duckdb:////data/prices.db).",
            path=path,
        )


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(
            f"This needs the package {name}, which is not installed.",
            remedy='Install it: pip install "abnormal-returns[sql]".',
        ) from None


def _without_password(url: str) -> str:
    """``url`` for messages; its options may hold a password too."""
    return re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", url).partition("?")[0]


def _refused(where: str, error: BaseException) -> DataSourceError:
    said = str(error).strip().splitlines()
    return DataSourceError(
        f"{where}: {said[0] if said else type(error).__name__}.", remedy="Check the table, the query and the rights."
    )
