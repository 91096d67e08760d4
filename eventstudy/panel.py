"""The return panel: one contiguous matrix, securities by sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, get_args

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray, IntArray, ReturnKind
from eventstudy.errors import InputError

__all__ = ["ReturnPanel"]


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
    _rows: dict[Hashable, int] = field(init=False)

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
        return cls(returns, tickers, sessions[1:], kind)

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
        return cls(values, tickers, sessions, kind)

    @classmethod
    def from_long(
        cls,
        table: pd.DataFrame,
        *,
        ticker: str = "ticker",
        date: str = "date",
        value: str = "ret",
        kind: ReturnKind = "simple",
    ) -> ReturnPanel:
        """Panel from a long table of returns, one row per security and session.

        Parameters
        ----------
        table : DataFrame
            Rows in any order.
        ticker, date, value : str
            Names of the columns (``permno``, ``date``, ``ret`` for CRSP-like files).
        kind : {"simple", "log"}
            What the returns are.

        Raises
        ------
        InputError
            If a column is absent, or a security has two rows on one date (both are named).
        """
        for wanted in (ticker, date, value):
            if wanted not in table.columns:
                raise InputError(
                    f"The table has no column {wanted!r}; it has {list(map(str, table.columns))}.",
                    remedy="Name the columns with ticker=, date= and value=.",
                )
        row, names = pd.factorize(table[ticker], sort=True)
        column, dates = pd.factorize(pd.to_datetime(table[date]), sort=True)
        sessions = pd.DatetimeIndex(dates)
        if (row < 0).any() or (column < 0).any():
            bad = int(np.flatnonzero((row < 0) | (column < 0))[0])
            raise InputError(f"Row {bad} of the table has no {ticker} or no {date}.", remedy="Drop or fill that row.")
        cell = row.astype(np.int64) * len(sessions) + column
        order = np.argsort(cell, kind="stable")
        twice = np.flatnonzero(np.diff(cell[order]) == 0)
        if len(twice):
            first = int(order[twice[0]])
            name, day = names[int(row[first])], sessions[int(column[first])]
            raise InputError(
                f"{name} has two rows on {day:%Y-%m-%d} ({len(twice)} such rows in all).",
                remedy="Keep one row per security and date.",
                ticker=name,
                date=day,
            )
        values = np.full((len(names), len(sessions)), np.nan)
        values.ravel()[cell] = _numeric(table[value].to_numpy(), str(value))
        return cls(values, pd.Index([str(name) for name in names], dtype=object), sessions, kind)

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
            near = get_close_matches(str(ticker), [str(name) for name in self.tickers], n=3)
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
        digest = hashlib.sha256(self.values.data)
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


def _check_kind(kind: str) -> None:
    if kind not in get_args(ReturnKind):
        raise InputError(f"kind={kind!r} is not a kind of return.", remedy='Use "simple" or "log".')


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
            sessions = pd.DatetimeIndex(pd.to_datetime(sessions))
        except (ValueError, TypeError) as error:
            raise InputError(f"The index of the frame of {what} is not made of dates: {error}.") from None
    if sessions.tz is not None:
        sessions = sessions.tz_localize(None)
    columns = []
    for position, name in enumerate(frame.columns):
        columns.append(_numeric(frame.iloc[:, position].to_numpy(), str(name)))
    tickers = pd.Index([str(name) for name in frame.columns], dtype=object)
    return np.ascontiguousarray(columns), tickers, sessions.normalize()


def _numeric(values: np.ndarray[Any, Any], name: str) -> FloatArray:
    try:
        return np.asarray(pd.to_numeric(values), dtype=np.float64)
    except (ValueError, TypeError):
        shown = next((value for value in values if not _is_number(value)), None)
        raise InputError(
            f"{name} holds {shown!r}, which is not a number.",
            remedy="Correct that cell or leave it empty.",
            ticker=name,
        ) from None


def _is_number(value: object) -> bool:
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
