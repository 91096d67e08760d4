"""The return panel: one contiguous matrix, securities by sessions."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from eventstudy._factor_names import held_as, official_name
from eventstudy._frames import is_table, wide_pandas
from eventstudy._limits import read_parquet
from eventstudy._paths import as_path
from eventstudy._typing import BoolArray, FloatArray, Frequency, IntArray, ReturnKind
from eventstudy.data.calendars import check_calendar
from eventstudy.errors import DataSourceError, InputError
from eventstudy.frequency import (
    UNITS,
    Outside,
    Stamps,
    bar_days,
    bar_returns,
    check_frequency,
    overnight_bars,
    period_of,
    resampled,
    sampled,
)

if TYPE_CHECKING:
    from eventstudy.data.crsp import Delisting

__all__ = ["ReturnPanel"]

_OWN: dict[str, Frequency] = {"1d": "D", "1wk": "W", "1mo": "M"}  # of prices by the interval they were loaded at
_PANEL_FILES = ("values.npy", "securities.parquet", "sessions.parquet", "panel.json")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReturnPanel:
    """Returns of many securities over common sessions, security-major.

    Build one with :meth:`from_prices`, :meth:`from_bars` (intraday), :meth:`from_frame` or :meth:`from_long`; the
    constructor takes arrays that are right already.

    Parameters
    ----------
    values : ndarray of float64, shape (n_securities, n_sessions)
        Returns as decimals per session (0.01 is 1 %); NaN where missing. Each security is one run of memory. Copied,
        unless nobody can write to it: later changes to the caller's data never reach a panel.
    tickers : Index of str, length n_securities
        Unique names of the securities.
    sessions : DatetimeIndex, length n_sessions
        Session dates, naive midnights, ascending and unique: for weeks and months the last session of each, for
        intraday bars the moments at which they end, in the zone of the exchange.
    kind : {"simple", "log"}
        What the returns are.
    source : str
        Where they come from, in a few words; figures print it.
    frequency : {"D", "W", "M", "intraday"}
        What a column is: a session, a week (Monday to Sunday), a month, or a bar of a session.
    calendar : str
        Exchange of intraday bars, which says what session a bar belongs to.
    n_factors : int
        How many of the last rows are factors, put there by :meth:`with_factors`, and no securities.

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
    frequency: Frequency = "D"
    calendar: str = ""
    n_factors: int = 0
    _rows: dict[Hashable, int] = field(init=False)
    _path: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        given = np.asarray(self.values)
        values = np.ascontiguousarray(given, dtype=np.float64)
        if values.shape != (len(self.tickers), len(self.sessions)):
            raise InputError(
                f"Returns of shape {values.shape} do not fit {len(self.tickers)} securities and "
                f"{len(self.sessions)} sessions.",
                remedy="Give a matrix of securities by sessions.",
            )
        _check_labels(self.tickers, self.sessions)
        _check_periods(self.sessions, self.frequency, self.calendar)
        _check_returns(values, self.tickers, self.sessions, self.kind)
        if not np.may_share_memory(values, given):
            values.flags.writeable = False
        object.__setattr__(self, "values", _frozen(values))
        object.__setattr__(self, "tickers", self.tickers.copy(deep=True))
        object.__setattr__(self, "sessions", self.sessions.copy(deep=True))
        object.__setattr__(self, "_rows", {ticker: row for row, ticker in enumerate(self.tickers)})

    @classmethod
    def from_prices(
        cls,
        prices: Any,
        *,
        kind: ReturnKind = "simple",
        frequency: Frequency | None = None,
        calendar: str = "NYSE",
    ) -> ReturnPanel:
        """Panel of returns from a wide frame of prices.

        Parameters
        ----------
        prices : DataFrame, shape (n_sessions + 1, n_securities)
            Prices adjusted for splits and dividends, one column per ticker, ascending session dates as the index;
            what :func:`eventstudy.load_prices` returns. A frame of polars or a pyarrow Table has the dates in a
            column ``date``.
        kind : {"simple", "log"}
            Simple returns ``P_t / P_{t-1} − 1``, or their logarithm.
        frequency : {"D", "W", "M"}, optional
            Weekly or monthly returns from the prices of each period's last session, a last period that is not over
            left out. By default what the prices are: daily, or as ``load_prices(interval=...)`` loaded them; intraday
            ones go to :meth:`from_bars`.
        calendar : str
            Exchange whose sessions say whether the last week or month is over.

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
        own = _OWN.get(str(getattr(prices, "interval", "1d")), "intraday")
        if own == "intraday" and frequency in (None, "intraday"):
            return cls.from_bars(prices, kind=kind, calendar=calendar)
        values, tickers, sessions = _wide(prices, "prices")
        _check_prices(values, tickers, sessions)
        if frequency not in (None, own):
            check_frequency(frequency, ("D", "W", "M"))
            if own != "D":
                raise InputError(
                    f"Prices of {UNITS[own]}s make no {UNITS[frequency or own]}s.", remedy="Load daily prices."
                )
            values, sessions = sampled(values, sessions, frequency or own, calendar)
        if len(sessions) < 2:
            raise InputError(f"{len(sessions)} session of prices makes no return.", remedy="Give two sessions or more.")
        with np.errstate(all="ignore"):
            ratio = values[:, 1:] / values[:, :-1]
            returns = np.log(ratio) if kind == "log" else ratio - 1.0
        returns.flags.writeable = False
        return cls(returns, tickers, sessions[1:], kind, _source(prices), frequency or own)

    @classmethod
    def from_bars(
        cls,
        prices: Any,
        *,
        opens: Any = None,
        kind: ReturnKind = "simple",
        calendar: str = "NYSE",
        stamps: Stamps | None = None,
        interval: str | pd.Timedelta | None = None,
        outside: Outside = "raise",
    ) -> ReturnPanel:
        """Panel of intraday returns: one column per bar, and one for each night where opens are known.

        Parameters
        ----------
        prices : DataFrame
            Closes of bars with moments (time and zone) as the index and one column per ticker; or a long frame with
            the columns ``timestamp``, ``ticker``, ``close`` and, for the nights, ``open``; or what
            ``load_prices(interval="5m")`` returns, which knows its stamps, interval and opens. Wide frames of polars
            and pyarrow have the moments in a column ``timestamp``.
        opens : DataFrame, optional
            Opens of the same bars. With them the night from the close of one session to the open of the next is a bar
            of its own, which ends at the open; without them the first bar of each session holds it.
            :attr:`overnight` says which bars these are.
        kind : {"simple", "log"}
            What the returns are.
        calendar : str
            Exchange whose hours the bars must lie in, half days included.
        stamps : {"start", "end"}
            What the moments are. It is never guessed.
        interval : str or Timedelta, optional
            Length of a bar (``"5min"``), where stamps are starts.
        outside : {"raise", "drop"}
            What to do with bars before the open, after the close or on days without trading.

        Returns
        -------
        ReturnPanel
            A return next to a missing price is missing, and so is a night before which a whole session is.

        Raises
        ------
        InputError
            On stamps without zone or meaning, bars outside the session, or prices that are not positive.

        Examples
        --------
        >>> times = pd.date_range("2025-01-29 09:30", periods=3, freq="5min", tz="America/New_York")
        >>> closes = pd.DataFrame({"A": [100.0, 101.0, 99.99]}, index=times)
        >>> panel = ReturnPanel.from_bars(closes, stamps="start", interval="5min")
        >>> panel.label(0), panel.values.round(4).tolist()
        ('2025-01-29 09:40 EST', [[0.01, -0.01]])
        """
        _check_kind(kind)
        values, tickers, ends = bar_returns(prices, opens, kind, calendar, stamps, interval, outside)
        if not len(ends):
            raise InputError("One bar of prices makes no return.", remedy="Give two bars or more.")
        return cls(values, tickers, ends, kind, _source(prices), "intraday", calendar)

    @classmethod
    def from_frame(cls, frame: Any, *, kind: ReturnKind = "simple", frequency: Frequency = "D") -> ReturnPanel:
        """Panel from a wide frame of returns: dates as the index, one column per security.

        Parameters
        ----------
        frame : DataFrame, shape (n_sessions, n_securities)
            Decimal returns per session; NaN where missing. A frame of polars or a pyarrow Table has the dates in a
            column ``date``.
        kind : {"simple", "log"}
            What the returns are. It is never guessed.
        frequency : {"D", "W", "M"}
            What they are of: sessions, weeks or months, labelled with the last session of each.

        Raises
        ------
        InputError
            On duplicated or unsorted dates, non-numeric or infinite values, or values that look like prices or per
            cents (a simple return below −1).
        """
        check_frequency(frequency, ("D", "W", "M"))
        values, tickers, sessions = _wide(frame, "returns")
        values.flags.writeable = False
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
        return cls(values, tickers, sessions, kind, "", frequency)

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
        table : DataFrame of pandas or polars, pyarrow Table or dataset, str or Path
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

    @classmethod
    def from_crsp(
        cls, table: Any, delistings: Any = None, *, delisting: Delisting = "given", security: str = "permno"
    ) -> ReturnPanel:
        """Panel of simple returns from a CRSP-like file, delisting returns compounded in.

        Parameters
        ----------
        table, delistings, delisting, security
            As :func:`eventstudy.data.read_crsp`, which says how each return was made. Tables too large for memory go
            to :meth:`from_long`.

        Returns
        -------
        ReturnPanel
            ``source`` says how many delisting returns are in it, and how many of them are assumed.

        Raises
        ------
        InputError, DataSourceError
            As :func:`eventstudy.data.read_crsp`.

        Examples
        --------
        >>> rows = {"permno": 10001, "date": ["2020-01-02", "2020-01-03"], "ret": [0.01, -0.5], "dlret": [None, -0.2]}
        >>> ReturnPanel.from_crsp(pd.DataFrame(rows)).values.round(4).tolist()
        [[0.01, -0.6]]
        """
        from eventstudy.data.crsp import crsp_source, read_crsp

        rows = read_crsp(table, delistings, delisting=delisting, security=security)
        return replace(cls.from_long(rows, progress=False), source=crsp_source(table, rows))

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
        out = as_path(path)
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name in _PANEL_FILES[:-1]:
                (out / name).unlink(missing_ok=True)  # a mapped file must not be written over
            np.save(out / "values.npy", self.values)
            _save_labels(
                out,
                self.tickers,
                self.sessions,
                self.kind,
                self.source,
                self.frequency,
                self.calendar,
                self.n_factors,
            )
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
        out = as_path(path)
        try:
            facts = json.loads((out / "panel.json").read_text(encoding="utf-8"))
            values = np.load(out / "values.npy", mmap_mode="r", allow_pickle=False)
            labels = {name: read_parquet(out / f"{name}.parquet", str(out)) for name in ("securities", "sessions")}
            tickers = pd.Index(labels["securities"]["ticker"].astype(str), dtype=object)
            sessions = pd.DatetimeIndex(labels["sessions"]["date"])
            if not isinstance(facts, dict) or values.dtype != np.float64:
                raise ValueError(f"panel.json is a {type(facts).__name__}, values.npy of {values.dtype}")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataSourceError(
                f"{out} does not hold a return panel: {error}.", remedy="Write it with ReturnPanel.save."
            ) from error
        if facts.get("version") != 1 or values.shape != (len(tickers), len(sessions)):
            raise DataSourceError(
                f"The return panel in {out} is of version {facts.get('version')} and shape {values.shape}; version 1 "
                f"and shape {(len(tickers), len(sessions))} were expected.",
                remedy="Write it again with this version's ReturnPanel.save.",
            )
        _check_kind(facts.get("kind", "nothing"))
        _check_labels(tickers, sessions)
        frequency, calendar = facts.get("frequency", "D"), str(facts.get("calendar", ""))
        _check_periods(sessions, frequency, calendar)
        what = (facts["kind"], str(facts.get("source", "")), frequency, calendar, int(facts.get("factors", 0)))
        return cls._trusted(values, tickers, sessions, *what, str(out.resolve()))

    @classmethod
    def _trusted(
        cls,
        values: FloatArray,
        tickers: pd.Index,
        sessions: pd.DatetimeIndex,
        kind: ReturnKind,
        source: str,
        frequency: Frequency,
        calendar: str,
        n_factors: int,
        path: str | None,
    ) -> ReturnPanel:
        """Panel whose returns were checked when they were written; a mapped file is not read through again."""
        panel = object.__new__(cls)
        rows = {ticker: row for row, ticker in enumerate(tickers)}
        for name, value in zip(
            ("values", "tickers", "sessions", "kind", "source", "frequency", "calendar", "n_factors", "_rows", "_path"),
            (values, tickers, sessions, kind, source, frequency, calendar, n_factors, rows, path),
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
            self.frequency,
            self.calendar,
            self.n_factors,
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
        """Row of one security or factor; ``Mkt-RF`` and its like are found under other spellings too (``mkt_rf``).

        Raises
        ------
        InputError
            If the panel does not hold it; the nearest names are listed.
        """
        try:
            return self._rows[ticker]
        except (KeyError, TypeError):
            if (held := held_as(ticker, self._rows)) is not None:
                return self._rows[held]
            names = {str(name).upper(): str(name) for name in self.tickers}
            near = [names[name] for name in get_close_matches(str(ticker).upper(), list(names), n=3)]
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            factor = official_name(ticker) is not None
            kind = "factor" if factor else "security"
            raise InputError(
                f"The panel has no {kind} {ticker!r} among its {self.n_securities}.{hint}",
                remedy="Add the factors: returns.with_factors(eventstudy.data.load_factors(…))."
                if factor and not hint
                else "Load it with the prices, or correct the name.",
                ticker=ticker,
            ) from None

    def rows(self, tickers: Sequence[str] | np.ndarray[Any, Any]) -> IntArray:
        """Rows of many securities, −1 where the panel does not hold one; int64 of the same length."""
        same = object if self.tickers.dtype == object else None  # or every name would be looked at for its type
        return self.tickers.get_indexer(pd.Index(tickers, dtype=same)).astype(np.int64)

    @property
    def unit(self) -> str:
        """What a column is called: "session", "week", "month" or "bar"."""
        return UNITS[self.frequency]

    @property
    def overnight(self) -> BoolArray:
        """Intraday bars that hold the night before their session, shape (n_sessions,); none of other returns."""
        if self.frequency != "intraday":
            return np.zeros(self.n_sessions, dtype=bool)
        return overnight_bars(self)

    def label(self, at: int) -> str:
        """Session of a column in words, such as ``"2025-01-29"``; the end of an intraday bar with its time."""
        return f"{self.sessions[at]:{'%Y-%m-%d %H:%M %Z' if self.frequency == 'intraday' else '%Y-%m-%d'}}"

    def columns_of(self, start: Any, end: Any) -> slice:
        """Columns from one date to another, both included; an empty slice where there is none.

        Of weekly and monthly returns these are the weeks and months that hold the dates; of intraday ones all bars of
        the sessions, or for moments the bars that hold them or end at them.

        Parameters
        ----------
        start, end : str, date, datetime64, Timestamp
            Dates; of intraday panels also moments with a zone.

        Raises
        ------
        InputError
            If one is unreadable or has a time of day that it should not have, or they are reversed.
        """
        intraday = self.frequency == "intraday"
        first, last = (_date(value, intraday) for value in (start, end))
        if (first.tz is None) != (last.tz is None):
            raise InputError(f"{start} and {end} are a date and a moment.", remedy="Give two dates or two moments.")
        if last < first:
            raise InputError(f"The dates {start} to {end} are reversed.", remedy="Swap them.")
        if first.tz is not None:
            low, high = (int(self.sessions.searchsorted(moment)) for moment in (first, last))
            return slice(low, min(high + 1, self.n_sessions))
        days = bar_days(self) if intraday else self.sessions.to_numpy().astype("datetime64[D]")
        wanted = np.array([first, last], dtype="datetime64[D]")
        code = days.astype(np.int64) if intraday else period_of(days, self.frequency)
        of = wanted.astype(np.int64) if intraday else period_of(wanted, self.frequency)
        return slice(int(np.searchsorted(code, of[0])), int(np.searchsorted(code, of[1], side="right")))

    def resample(self, frequency: Frequency, *, calendar: str = "NYSE") -> ReturnPanel:
        """Weekly or monthly returns, compounded from these daily ones.

        Parameters
        ----------
        frequency : {"W", "M"}
            Weeks run from Monday to Sunday.
        calendar : str
            Exchange whose sessions say whether the first and the last period are complete; those that are not are
            left out.

        Returns
        -------
        ReturnPanel
            Labelled with the last session of each period. A period in which a return is missing has none.

        Raises
        ------
        InputError
            If the returns are not daily, or no period is complete.

        Examples
        --------
        >>> days = pd.bdate_range("2025-01-27", "2025-02-07")
        >>> panel = ReturnPanel.from_frame(pd.DataFrame({"A": 0.01}, index=days))
        >>> panel.resample("W").to_frame().round(4)
        ticker          A
        date
        2025-01-31  0.051
        2025-02-07  0.051
        """
        return resampled(self, frequency, calendar)

    def take(self, names: Iterable[str]) -> FloatArray:
        """Returns of the named securities, shape (n_names, n_sessions)."""
        return self.values[[self.row(name) for name in names]]

    def with_factors(self, factors: pd.DataFrame, *, prefix: str = "") -> ReturnPanel:
        """Panel with factor returns as further rows, laid on its sessions.

        Parameters
        ----------
        factors : Factors or DataFrame, shape (n_dates, n_factors)
            What :func:`eventstudy.load_factors` returns, or decimal factor returns with dates as the index. Daily
            factors are laid on sessions by date, weekly and monthly ones by calendar week and month.
        prefix : str
            Put before the factors' names, where securities have them: RF and CMA are tickers too. Give the models
            the same one.

        Returns
        -------
        ReturnPanel
            In memory; the securities are unchanged. A factor that lacks a session is missing there.

        Raises
        ------
        InputError
            If a name is taken, no date is shared, or the factors' periods are not those of the panel.

        Warns
        -----
        EventStudyWarning
            If a session lacks a factor; the first is named. If the panel holds log returns: factors are simple ones.

        Examples
        --------
        >>> days = pd.to_datetime(["2025-01-28", "2025-01-29"])
        >>> panel = ReturnPanel.from_frame(pd.DataFrame({"A": [0.01, 0.02]}, index=days))
        >>> factors = pd.DataFrame({"mkt_rf": [0.004, -0.003], "rf": [1e-4, 1e-4]}, index=days)
        >>> panel.with_factors(factors).tickers.tolist()
        ['A', 'Mkt-RF', 'RF']
        """
        from eventstudy.data.factor_rows import factor_rows

        names, rows, source = factor_rows(factors, self, prefix)
        values = np.concatenate([self.values, rows])
        values.flags.writeable = False
        return replace(
            self,
            values=values,
            tickers=self.tickers.append(pd.Index(names, dtype=object)),
            source="; ".join(text for text in (self.source, source) if text),
            n_factors=self.n_factors + len(names),
        )

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
        if self.frequency == "intraday":
            digest.update(self.sessions.as_unit("ns").asi8.tobytes())
        else:
            digest.update(self.sessions.to_numpy().astype("datetime64[D]").astype(np.int64).tobytes())
        digest.update(self.kind.encode())
        if self.frequency != "D":
            digest.update(f"{self.frequency} {self.calendar}".encode())
        if self.n_factors:
            digest.update(f"{self.n_factors} factors".encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ReturnPanel)
            and (self.kind, self.frequency, self.calendar) == (other.kind, other.frequency, other.calendar)
            and self.n_factors == other.n_factors
            and self.tickers.equals(other.tickers)
            and self.sessions.equals(other.sessions)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    def __repr__(self) -> str:
        span = f"{self.label(0)}..{self.label(-1)}" if self.n_sessions else "empty"
        return f"ReturnPanel({self.n_securities} securities, {self.n_sessions} {self.unit}s {span}, {self.kind})"


def _frozen(values: FloatArray) -> FloatArray:
    """``values`` if no array can write to their memory, else a read-only copy."""
    owner: Any = values
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    if isinstance(owner, np.ndarray):  # a read-only view of pandas, say, may show what its frame still changes
        values = values.copy()
        values.flags.writeable = False
    return values


def _save_labels(
    out: Path,
    tickers: pd.Index,
    sessions: pd.DatetimeIndex,
    kind: str,
    source: str,
    frequency: Frequency = "D",
    calendar: str = "",
    n_factors: int = 0,
) -> None:
    """Write what belongs to ``values.npy``; the JSON last, since a directory without it holds no panel."""
    pd.DataFrame({"ticker": tickers.astype(str)}).to_parquet(out / "securities.parquet", index=False)
    pd.DataFrame({"date": sessions}).to_parquet(out / "sessions.parquet", index=False)
    facts: dict[str, Any] = {"version": 1, "kind": kind, "source": source}
    if frequency != "D":
        facts |= {"frequency": frequency, "calendar": calendar}
    if n_factors:
        facts |= {"factors": n_factors}
    (out / "panel.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")


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
    told = [f"{names.get(str(row.provider), row.provider)} ({row.basis})" for row in known.itertuples()]
    snapshot = getattr(prices, "snapshot", None)
    return "; ".join([*told, *([f"snapshot {snapshot!r} of the cache"] if isinstance(snapshot, str) else [])])


def wide_frame(frame: Any, what: str) -> pd.DataFrame:
    """Wide frame of numbers with naive dates in order as its index, checked; for data beside a panel."""
    values, tickers, sessions = _wide(frame, what)
    made = pd.DataFrame(values.T, index=sessions, columns=tickers).sort_index()
    _check_labels(tickers, pd.DatetimeIndex(made.index))
    return made


def _wide(frame: Any, what: str) -> tuple[FloatArray, pd.Index, pd.DatetimeIndex]:
    """Matrix, tickers and sessions of a wide frame whose rows are dates."""
    if not is_table(frame):
        raise InputError(
            f"A wide DataFrame of {what} was expected, not {type(frame).__name__}.",
            remedy="Dates as the index, one column per security.",
        )
    frame = wide_pandas(frame, what)
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
    if sessions.is_unique and not sessions.normalize().is_unique:
        raise InputError(
            f"The frame of {what} has several times of one day, such as {sessions[0]}.",
            remedy="Use ReturnPanel.from_bars for intraday prices, or keep one row per session.",
        )
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


def _date(value: Any, moments: bool = False) -> pd.Timestamp:
    """Midnight of a bare date, or (``moments``) a moment with its zone."""
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError):
        stamp = pd.NaT  # type: ignore[assignment]
    if moments and not pd.isna(stamp) and stamp.tz is not None:
        return stamp
    if pd.isna(stamp) or stamp.tz is not None or stamp != stamp.normalize():
        also = ", or a moment with its zone" if moments else ""
        raise InputError(f"{value!r} is not a date{also}.", remedy="Write it as '2025-01-27'.")
    return stamp


def _check_periods(sessions: pd.DatetimeIndex, frequency: Frequency, calendar: str) -> None:
    """Refuse labels that do not fit the frequency."""
    check_frequency(frequency)
    if (frequency == "intraday") != (sessions.tz is not None):
        raise InputError(
            f"Labels of {UNITS[frequency]}s are {'moments with a zone' if frequency == 'intraday' else 'dates'}.",
            remedy="Use ReturnPanel.from_bars for intraday returns.",
        )
    if frequency == "intraday":
        check_calendar(calendar)
    elif frequency != "D":
        again = np.flatnonzero(np.diff(period_of(sessions.to_numpy().astype("datetime64[D]"), frequency)) == 0)
        if len(again):
            raise InputError(
                f"{sessions[again[0]]:%Y-%m-%d} and {sessions[again[0] + 1]:%Y-%m-%d} lie in one {UNITS[frequency]}.",
                remedy="Keep one return per period, or make them from daily ones with resample.",
            )


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
