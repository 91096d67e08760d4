"""The return panel: one contiguous matrix, securities by sessions."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray, IntArray, ReturnKind
from eventstudy.errors import DataSourceError, InputError

__all__ = ["ReturnPanel"]

_PANEL_FILES = ("values.npy", "securities.parquet", "sessions.parquet", "panel.json")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReturnPanel:
    """Returns of many securities over common sessions, security-major.

    Build one with :meth:`from_prices`, :meth:`from_frame` or :meth:`from_long`; the constructor takes arrays that
    are right already.

    Parameters
    ----------
    values : ndarray of float64, shape (n_securities, n_sessions)
        Returns as decimals per session (0.01 is 1 %); NaN where missing. Each security is one run of memory.
    tickers : Index of str, length n_securities
        Unique names of the securities.
    sessions : DatetimeIndex, length n_sessions
        Session dates, naive midnights, ascending and unique.
    kind : {"simple", "log"}
        What the returns are.
    source : str
        Where they come from, in a few words; figures print it.

    Raises
    ------
    InputError
        If shapes disagree, dates or tickers repeat, dates are not ascending, or a return is infinite or (simple
        returns) below −1.

    Notes
    -----
    A missing return stays missing; nothing is filled. All securities share the sessions of one exchange: windows
    count these sessions, so put securities of exchanges with other holidays in panels of their own.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"A": [100.0, 101.0, 99.99], "B": [50.0, None, 51.0]},
    ...     index=pd.to_datetime(["2025-01-27", "2025-01-28", "2025-01-29"]),
    ... )
    >>> ReturnPanel.from_prices(frame).to_frame().round(4)
    ticker         A   B
    date
    2025-01-28  0.01 NaN
    2025-01-29 -0.01 NaN
    """

    values: FloatArray
    tickers: pd.Index
    sessions: pd.DatetimeIndex
    kind: ReturnKind = "simple"
    source: str = ""
    _rows: dict[Hashable, int] = field(init=False)
    _path: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        if values.shape != (len(self.tickers), len(self.sessions)):
            raise InputError(
                f"Returns of shape {values.shape} do not fit {len(self.tickers)} securities and "
                f"{len(self.sessions)} sessions.",
                remedy="Give a matrix of securities by sessions.",
            )
        _check_labels(self.tickers, self.sessions)
        _check_returns(values, self.tickers, self.sessions, self.kind)
        if values.flags.writeable:
            values = values.view()
            values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_rows", {ticker: row for row, ticker in enumerate(self.tickers)})

    @classmethod
    def from_prices(cls, prices: pd.DataFrame, *, kind: ReturnKind = "simple") -> ReturnPanel:
        """Panel of returns from a wide frame of prices.

        Parameters
        ----------
        prices : DataFrame, shape (n_sessions + 1, n_securities)
            Prices adjusted for splits and dividends, one column per ticker, ascending session dates as the index;
            what :func:`eventstudy.load_prices` returns.
        kind : {"simple", "log"}
            Simple returns ``P_t / P_{t-1} − 1``, or their logarithm.

        Returns
        -------
        ReturnPanel
            One session fewer than ``prices``. A return next to a missing price is missing.

        Raises
        ------
        InputError
            On duplicated or unsorted dates, non-numeric, zero, negative or infinite prices, each named.
        """
        _check_kind(kind)
        values, tickers, sessions = _wide(prices, "prices")
        _check_prices(values, tickers, sessions)
        if len(sessions) < 2:
            raise InputError(f"{len(sessions)} session of prices makes no return.", remedy="Give two sessions or more.")
        with np.errstate(invalid="ignore"):
            ratio = values[:, 1:] / values[:, :-1]
            returns = np.log(ratio) if kind == "log" else ratio - 1.0
        return cls(returns, tickers, sessions[1:], kind, _source(prices))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, kind: ReturnKind = "simple") -> ReturnPanel:
        """Panel from a wide frame of returns: dates as the index, one column per security.

        Parameters
        ----------
        frame : DataFrame, shape (n_sessions, n_securities)
            Decimal returns per session; NaN where missing.
        kind : {"simple", "log"}
            What the returns are. It is never guessed.

        Raises
        ------
        InputError
            On duplicated or unsorted dates, non-numeric or infinite values, or values that look like prices or per
            cents (a simple return below −1).
        """
        values, tickers, sessions = _wide(frame, "returns")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column without any return
            middle = np.nanmedian(np.abs(values), axis=1)
        if (middle > 1.0).any():
            at = int(np.flatnonzero(middle > 1.0)[0])
            raise InputError(
                f"{tickers[at]} moves by {middle[at]:.4g} on a usual session, which no return does.",
                remedy="Returns are decimals (0.01 is 1 %); for prices use ReturnPanel.from_prices.",
                ticker=tickers[at],
            )
        return cls(values, tickers, sessions, kind)

    @classmethod
    def from_long(
        cls,
        table: Any,
        *,
        ticker: str = "ticker",
        date: str = "date",
        value: str = "ret",
        kind: ReturnKind = "simple",
        save: str | Path | None = None,
        progress: bool | None = None,
    ) -> ReturnPanel:
        """Panel from a long table of returns, one row per security and session, in any order.

        The table is read in batches, twice: first for its securities and dates, then for its returns, which go
        straight to their places. No pivot is made, so the memory needed is that of the panel (8 bytes a cell, one bit
        more while it is filled) and of one batch.

        Parameters
        ----------
        table : DataFrame, pyarrow Table or dataset, str or Path
            The rows, or a Parquet file or directory of Parquet files.
        ticker, date, value : str
            Names of the columns (``permno``, ``date``, ``ret`` for CRSP-like files). Securities may be text or whole
            numbers; a panel names them by text.
        kind : {"simple", "log"}
            What the returns are.
        save : str or Path, optional
            Directory in which the matrix is built and kept; the panel is memory-mapped and may exceed memory.
        progress : bool, optional
            Whether a bar is drawn; by default on a terminal.

        Returns
        -------
        ReturnPanel
            Securities in ascending order, every date of the table a session.

        Raises
        ------
        InputError
            If a column is absent or of the wrong type, a row has no security or no date, a return is infinite or below
            −1, or a security has two rows on one date; the first is named.
        DataSourceError
            If the file cannot be read or the directory cannot be written.
        """
        from eventstudy.long import read_long

        return read_long(table, ticker, date, value, kind, save, progress)

    def save(self, path: str | Path) -> ReturnPanel:
        """Write the panel to a directory and return it memory-mapped.

        The directory holds ``values.npy`` (the matrix), ``securities.parquet``, ``sessions.parquet`` and
        ``panel.json``. What is returned reads the matrix from disk as it is used, so that a panel may be larger than
        memory, and travels to other processes of the machine as a path.

        Raises
        ------
        DataSourceError
            If the directory cannot be written.
        """
        out = Path(path)
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name in _PANEL_FILES[:-1]:
                (out / name).unlink(missing_ok=True)  # a mapped file must not be written over
            np.save(out / "values.npy", self.values)
            _save_labels(out, self.tickers, self.sessions, self.kind, self.source)
        except OSError as error:
            raise DataSourceError(
                f"Cannot write the panel to {out}: {error}.", remedy="Choose a directory that can be written."
            ) from error
        return ReturnPanel.open(out)

    @classmethod
    def open(cls, path: str | Path) -> ReturnPanel:
        """Panel that :meth:`save` or :meth:`from_long` wrote, memory-mapped: nothing is read until it is used.

        Raises
        ------
        DataSourceError
            If the directory does not hold a panel.
        """
        out = Path(path)
        try:
            facts = json.loads((out / "panel.json").read_text(encoding="utf-8"))
            values = np.load(out / "values.npy", mmap_mode="r", allow_pickle=False)
            tickers = pd.Index(pd.read_parquet(out / "securities.parquet")["ticker"].astype(str), dtype=object)
            sessions = pd.DatetimeIndex(pd.read_parquet(out / "sessions.parquet")["date"])
        except (OSError, ValueError, KeyError) as error:
            raise DataSourceError(
                f"{out} does not hold a return panel: {error}.", remedy="Write it with ReturnPanel.save."
            ) from error
        if facts.get("version") != 1 or values.shape != (len(tickers), len(sessions)):
            raise DataSourceError(
                f"The return panel in {out} is of version {facts.get('version')} and shape {values.shape}; version 1 "
                f"and shape {(len(tickers), len(sessions))} were expected.",
                remedy="Write it again with this version's ReturnPanel.save.",
            )
        _check_kind(facts["kind"])
        _check_labels(tickers, sessions)
        return cls._trusted(values, tickers, sessions, facts["kind"], str(facts.get("source", "")), str(out.resolve()))

    @classmethod
    def _trusted(
        cls,
        values: FloatArray,
        tickers: pd.Index,
        sessions: pd.DatetimeIndex,
        kind: ReturnKind,
        source: str,
        path: str | None,
    ) -> ReturnPanel:
        """Panel whose returns were checked when they were written; a mapped file is not read through again."""
        panel = object.__new__(cls)
        rows = {ticker: row for row, ticker in enumerate(tickers)}
        for name, value in zip(
            ("values", "tickers", "sessions", "kind", "source", "_rows", "_path"),
            (values, tickers, sessions, kind, source, rows, path),
            strict=True,
        ):
            object.__setattr__(panel, name, value)
        return panel

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return ReturnPanel.open, (self._path,)
        return ReturnPanel._trusted, (
            np.asarray(self.values),
            self.tickers,
            self.sessions,
            self.kind,
            self.source,
            None,
        )

    @property
    def path(self) -> str | None:
        """Directory of a memory-mapped panel; None in memory."""
        return self._path

    @property
    def n_securities(self) -> int:
        """Number of securities."""
        return len(self.tickers)

    @property
    def n_sessions(self) -> int:
        """Number of sessions."""
        return len(self.sessions)

    def row(self, ticker: str) -> int:
        """Row of one security.

        Raises
        ------
        InputError
            If the panel does not hold it; the nearest names are listed.
        """
        try:
            return self._rows[ticker]
        except (KeyError, TypeError):
            names = {str(name).upper(): str(name) for name in self.tickers}
            near = [names[name] for name in get_close_matches(str(ticker).upper(), list(names), n=3)]
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise InputError(
                f"The panel has no security {ticker!r} among its {self.n_securities}.{hint}",
                remedy="Load it with the prices, or correct the name.",
                ticker=ticker,
            ) from None

    def rows(self, tickers: Sequence[str] | np.ndarray[Any, Any]) -> IntArray:
        """Rows of many securities, −1 where the panel does not hold one; int64 of the same length."""
        return self.tickers.get_indexer(pd.Index(tickers)).astype(np.int64)

    def take(self, names: Iterable[str]) -> FloatArray:
        """Returns of the named securities, shape (n_names, n_sessions)."""
        return self.values[[self.row(name) for name in names]]

    def to_frame(self) -> pd.DataFrame:
        """Wide frame of the returns: sessions as the index, tickers as columns."""
        return pd.DataFrame(
            self.values.T.copy(), index=self.sessions.rename("date"), columns=self.tickers.rename("ticker")
        )

    def fingerprint(self) -> str:
        """SHA-256 (hex) of returns, names, dates and kind: two equal panels have the same one."""
        digest = hashlib.sha256()
        for row in self.values:
            # one zero and one NaN: equal panels must not differ by the sign of either
            digest.update(np.where(np.isnan(row), np.nan, row + 0.0).data)
        digest.update("\0".join(map(str, self.tickers)).encode())
        digest.update(self.sessions.to_numpy().astype("datetime64[D]").astype(np.int64).tobytes())
        digest.update(self.kind.encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ReturnPanel)
            and self.kind == other.kind
            and self.tickers.equals(other.tickers)
            and self.sessions.equals(other.sessions)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    def __repr__(self) -> str:
        span = f"{self.sessions[0]:%Y-%m-%d}..{self.sessions[-1]:%Y-%m-%d}" if self.n_sessions else "empty"
        return f"ReturnPanel({self.n_securities} securities, {self.n_sessions} sessions {span}, {self.kind})"


def _save_labels(out: Path, tickers: pd.Index, sessions: pd.DatetimeIndex, kind: str, source: str) -> None:
    """Write what belongs to ``values.npy``; the JSON last, since a directory without it holds no panel."""
    pd.DataFrame({"ticker": tickers.astype(str)}).to_parquet(out / "securities.parquet", index=False)
    pd.DataFrame({"date": sessions}).to_parquet(out / "sessions.parquet", index=False)
    (out / "panel.json").write_text(json.dumps({"version": 1, "kind": kind, "source": source}) + "\n", encoding="utf-8")


def _check_kind(kind: str) -> None:
    if kind not in get_args(ReturnKind):
        raise InputError(f"kind={kind!r} is not a kind of return.", remedy='Use "simple" or "log".')


def _source(prices: pd.DataFrame) -> str:
    """Providers and basis of prices that know them."""
    info = getattr(prices, "info", None)
    if not isinstance(info, pd.DataFrame):
        return ""
    known = info[["provider", "basis"]].dropna().drop_duplicates()
    names = {"sample": "bundled sample of Yahoo Finance data", "yahoo": "Yahoo Finance"}
    return "; ".join(f"{names.get(str(row.provider), row.provider)} ({row.basis})" for row in known.itertuples())


def _wide(frame: pd.DataFrame, what: str) -> tuple[FloatArray, pd.Index, pd.DatetimeIndex]:
    """Matrix, tickers and sessions of a wide frame whose rows are dates."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"A wide DataFrame of {what} was expected, not {type(frame).__name__}.",
            remedy="Dates as the index, one column per security.",
        )
    if frame.empty:
        raise InputError(f"The frame of {what} is empty.", remedy="Check the tickers and the dates asked for.")
    sessions = frame.index
    if not isinstance(sessions, pd.DatetimeIndex):
        if pd.api.types.is_numeric_dtype(sessions):
            raise InputError(
                f"The index of the frame of {what} holds numbers, not dates.",
                remedy='Set it first: frame.set_index("date").',
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of a format that could not be inferred
                sessions = pd.DatetimeIndex(pd.to_datetime(sessions))
        except (ValueError, TypeError) as error:
            raise InputError(f"The index of the frame of {what} is not made of dates: {error}.") from None
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError(
            f"The frame of {what} has columns of {frame.columns.nlevels} levels, such as {frame.columns[0]!r}.",
            remedy='Pick one field first, such as frame["Close"].',
        )
    if sessions.tz is not None:
        local = sessions.tz_localize(None)
        if str(sessions.tz).upper() in ("UTC", "ETC/UTC", "UTC+00:00") and (local != local.normalize()).any():
            # midnight of an Asian exchange is a moment of the day before in UTC
            raise InputError(
                f"The dates of the frame of {what} are moments in {sessions.tz}, such as {sessions[0]}, not dates.",
                remedy="Convert them to the exchange's zone first: frame.index.tz_convert(zone).normalize().",
            )
        sessions = local
    columns = []
    for position, name in enumerate(frame.columns):
        columns.append(_numeric(frame.iloc[:, position], str(name)))
    tickers = pd.Index([str(name) for name in frame.columns], dtype=object)
    return np.ascontiguousarray(columns), tickers, sessions.normalize()


def _numeric(values: pd.Series[Any], name: str) -> FloatArray:
    """Column as float64; dates and truth values are refused, though pandas would make numbers of them."""
    try:
        if values.dtype.kind in "bmM":
            raise TypeError
        return np.asarray(pd.to_numeric(values.to_numpy()), dtype=np.float64)
    except (ValueError, TypeError):
        at = next((at for at, value in enumerate(values) if not _is_number(value)), 0)
        where = values.index[at]
        date = f"{where:%Y-%m-%d}" if isinstance(where, pd.Timestamp) else f"row {where}"
        raise InputError(
            f"{name} holds {values.iloc[at]!r} on {date}, which is not a number.",
            remedy="Correct that cell or leave it empty.",
            ticker=name,
            date=where,
        ) from None


def _is_number(value: object) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True  # missing, which is allowed
    if isinstance(value, bool | np.bool_):
        return False
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _check_labels(tickers: pd.Index, sessions: pd.DatetimeIndex) -> None:
    if not tickers.is_unique:
        again = tickers[tickers.duplicated()][0]
        raise InputError(f"Security {again!r} stands twice in the panel.", remedy="Keep one column.", ticker=again)
    if sessions.hasnans:
        raise InputError(
            f"Row {int(np.flatnonzero(sessions.isna())[0])} has no date.", remedy="Drop the row or give its date."
        )
    if not sessions.is_unique:
        again = sessions[sessions.duplicated()][0]
        raise InputError(
            f"Session {again:%Y-%m-%d} stands twice in the data.", remedy="Keep one row per session.", date=again
        )
    if not sessions.is_monotonic_increasing:
        at = int(np.flatnonzero(np.diff(sessions.asi8) < 0)[0])
        raise InputError(
            f"The dates are not in order: {sessions[at + 1]:%Y-%m-%d} follows {sessions[at]:%Y-%m-%d}.",
            remedy="Sort them first: frame.sort_index().",
            date=sessions[at + 1],
        )


def _check_prices(values: FloatArray, tickers: pd.Index, sessions: pd.DatetimeIndex) -> None:
    _check_labels(tickers, sessions)
    with np.errstate(invalid="ignore"):
        bad = (values <= 0) | np.isinf(values)
    if bad.any():
        row, column = (int(where[0]) for where in np.nonzero(bad))
        raise InputError(
            f"{tickers[row]} has the price {values[row, column]:g} on {sessions[column]:%Y-%m-%d} "
            f"({int(bad.sum())} such cells in all); prices must be positive and finite.",
            remedy="Correct the cell, or set it to NaN if there was no trade.",
            ticker=tickers[row],
            date=sessions[column],
        )


def _check_returns(values: FloatArray, tickers: pd.Index, sessions: pd.DatetimeIndex, kind: ReturnKind) -> None:
    # min and max see infinities and prices given as returns without a mask as large as the panel
    if not values.size:
        raise InputError("The panel is empty.", remedy="Check the tickers and the dates asked for.")
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    floor = -1.0 if kind == "simple" else -np.inf
    if low >= floor and np.isfinite([low, high]).all():
        return
    if np.isnan(low):
        raise InputError("Every return of the panel is missing.", remedy="Check the columns and the dates.")
    with np.errstate(invalid="ignore"):
        bad = np.isinf(values) | (values < floor)
    row, column = (int(where[0]) for where in np.nonzero(bad))
    raise InputError(
        f"{tickers[row]} has the {kind} return {values[row, column]:g} on {sessions[column]:%Y-%m-%d}, "
        "which cannot be one.",
        remedy="Returns are decimals (0.01 is 1 %); for prices use ReturnPanel.from_prices.",
        ticker=tickers[row],
        date=sessions[column],
    )
