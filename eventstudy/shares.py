"""Shares outstanding as a dated table, with a traded close where it is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from eventstudy._event_columns import read_csv
from eventstudy._frames import as_pandas
from eventstudy._paths import as_path
from eventstudy._stamps import ObjectArray, stripped
from eventstudy.data import sample
from eventstudy.errors import DataSourceError, InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from eventstudy.data.prices import DateLike

__all__ = ["SharesOutstanding"]

_COLUMNS: Final = ("ticker", "shares", "as_of", "close", "close_date", "currency", "basis", "certainty")
_DATED_CLOSE: Final = re.compile(r"close_(\d{4})_(\d{2})_(\d{2})(?:_([a-z]{3}))?")


@dataclass(frozen=True, eq=False, repr=False)
class SharesOutstanding:
    """Share counts of securities, each with its date, and a traded close of a stated session where known.

    Build one with :meth:`sample`, :meth:`read`, :meth:`from_frame` or :meth:`from_yahoo`. A security may have counts
    of several dates; the one in force at a close is the latest of that date or before, or else the first after it.

    Parameters
    ----------
    frame : DataFrame
        Columns as :meth:`to_frame` gives them; use :meth:`from_frame` for any other form.

    Notes
    -----
    A split between the date of a count and the close that it is multiplied with is seen only where the prices given to
    :meth:`EventStudyResults.market_value` carry their splits.

    Examples
    --------
    >>> import eventstudy as es
    >>> es.SharesOutstanding.sample().in_force(["NVDA"], ["2025-01-24"])[["shares", "as_of", "close"]].values.tolist()
    [[24490000000.0, Timestamp('2024-11-15 00:00:00'), 128.99]]
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", _settled(self.frame, None))

    @classmethod
    def from_frame(cls, df: Any, *, currency: str | None = None) -> SharesOutstanding:
        """Table from a frame with one row per security and date.

        Parameters
        ----------
        df : DataFrame of pandas or polars, pyarrow Table
            ``ticker`` (a column or the index), ``shares`` (or ``shares_millions``) and ``as_of`` are needed. Optional:
            ``close`` with ``close_date`` and ``currency``, or one column such as ``close_2025_01_28_usd`` that says
            all three; ``basis`` (where the count is from) and ``certainty``. Other columns are left out.
        currency : str, optional
            ISO code for rows that name none.

        Raises
        ------
        InputError
            For a missing column, an empty table, a count or close that is no positive number, a close without a date,
            a date that cannot be read, or one security twice at one date.
        """
        table = as_pandas(df, "share counts")
        named = table.reset_index() if table.index.name == "ticker" else table
        self = object.__new__(cls)
        object.__setattr__(self, "frame", _settled(named, currency))
        return self

    @classmethod
    def read(cls, path: str | Path, *, currency: str | None = None) -> SharesOutstanding:
        """Table from a CSV file; see :meth:`from_frame` for its columns.

        Raises
        ------
        DataSourceError
            When the file is absent or cannot be read.
        InputError
            As :meth:`from_frame`.
        """
        path = as_path(path)
        if not path.is_file():
            raise DataSourceError(f"There is no file of share counts {str(path)!r}.", remedy="Check the path.")
        try:
            frame = read_csv(path)
        except InputError:
            raise
        except (OSError, ValueError) as error:
            raise DataSourceError(
                f"The share counts {str(path)!r} cannot be read: {error}.", remedy="Save them as UTF-8 CSV."
            ) from error
        filled = (frame.apply(lambda column: column.str.strip()) != "").any(axis=1)
        return cls.from_frame(frame[filled], currency=currency)

    @classmethod
    def sample(cls) -> SharesOutstanding:
        """Counts of the 18 stocks of the bundled case, with their traded closes of 28 January 2025 in dollars."""
        return cls.read(sample.directory() / "shares.csv")

    @classmethod
    def from_yahoo(
        cls,
        tickers: str | Sequence[str],
        start: DateLike | None = None,
        end: DateLike | None = None,
        **options: Any,
    ) -> SharesOutstanding:
        """Share counts from Yahoo Finance, through yfinance; give ``prices`` to ``market_value`` beside them.

        Parameters
        ----------
        tickers : str or sequence of str
            Yahoo symbols.
        start, end : date-like, optional
            First and last date; the last 18 months by default.
        **options
            ``source`` of :func:`eventstudy.data.yahoo_facts.share_counts`.

        Returns
        -------
        SharesOutstanding
            One row for each change of a count, of certainty "medium": Yahoo does not say which classes it counts.

        Raises
        ------
        DataSourceError
            When Yahoo does not answer for a ticker, or has no count in the range.
        """
        from eventstudy.data.yahoo_facts import share_counts

        return cls.from_frame(share_counts(tickers, start, end, **options))

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        n, k = len(self), self.frame["ticker"].nunique()
        first, last = self.frame["as_of"].min(), self.frame["as_of"].max()
        return f"SharesOutstanding({n:,} counts of {k:,} securities, {first:%Y-%m-%d} to {last:%Y-%m-%d})"

    def _repr_html_(self) -> str:
        return f"<div><p>{escape(repr(self))}</p>{self.frame.head(20).to_html(index=False, border=0)}</div>"

    def to_frame(self) -> pd.DataFrame:
        """Plain table; :meth:`from_frame` reads it back.

        Returns
        -------
        DataFrame
            ``ticker``, ``shares`` (number of shares), ``as_of``, ``close`` (traded price per share, NaN where unknown),
            ``close_date``, ``currency`` (blank where unknown), ``basis``, ``certainty``.
        """
        return self.frame.copy()

    def in_force(self, tickers: Sequence[str] | npt.NDArray[Any], dates: Any) -> pd.DataFrame:
        """Count of each security at a date of its own, and its nearest traded close.

        Parameters
        ----------
        tickers : sequence of str, length n
            Securities.
        dates : sequence of dates, length n
            Naive dates.

        Returns
        -------
        DataFrame, n rows
            ``ticker``, ``date``, ``shares``, ``as_of``, ``age_days`` (``date − as_of``, negative for a count of
            later), ``basis``, ``certainty``, ``close``, ``close_date`` and ``currency`` of the known close nearest in
            time (NaN, NaT and blank for none).

        Raises
        ------
        InputError
            If a security has no count (all such are named), or a date cannot be read.
        """
        ticker, date = np.asarray(tickers, dtype=object), pd.Series(dates).reset_index(drop=True)
        if len(ticker) != len(date):
            raise InputError(
                f"{len(ticker)} tickers and {len(date)} dates were given.", remedy="Give one date for each ticker."
            )
        wanted = pd.DataFrame({"ticker": ticker, "date": _nanoseconds(_dates(date, ticker, "date"))})
        lacking = sorted(set(wanted["ticker"]) - set(self.frame["ticker"]))
        if lacking:
            raise InputError(
                f"There is no share count of {', '.join(lacking[:20])}.",
                remedy="Add them to the table, or leave them out: results.select(ticker=[...]).",
                tickers=lacking,
            )
        held = self.frame.assign(as_of=_nanoseconds(self.frame["as_of"]))
        order = np.argsort(wanted["date"].to_numpy(), kind="stable")
        left = wanted.iloc[order]
        counts = held[["ticker", "shares", "as_of", "basis", "certainty", "currency"]]
        counts = counts.rename(columns={"currency": "stated"}).sort_values("as_of", kind="stable")
        options: dict[str, Any] = {"left_on": "date", "by": "ticker"}
        before = pd.merge_asof(left, counts, right_on="as_of", **options)
        after = pd.merge_asof(left, counts, right_on="as_of", direction="forward", **options)
        found = before.where(before["as_of"].notna(), after)
        closes = held.loc[held["close"].notna(), ["ticker", "close", "close_date", "currency"]]
        closes = closes.assign(close_date=_nanoseconds(closes["close_date"])).sort_values("close_date", kind="stable")
        near = pd.merge_asof(left, closes, right_on="close_date", direction="nearest", **options)
        found = found.assign(
            age_days=(found["date"] - found["as_of"]).dt.days,
            close=near["close"],
            close_date=near["close_date"],
            currency=near["currency"].fillna(found["stated"]),  # that of the close, else of the count
        ).drop(columns="stated")
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return found.iloc[back].reset_index(drop=True).astype({"shares": np.float64, "age_days": np.int64})


def _nanoseconds(dates: pd.Series[Any]) -> pd.Series[Any]:
    """Dates in one unit, which joins on them need."""
    return pd.to_datetime(dates).astype("datetime64[ns]")


def _settled(df: pd.DataFrame, currency: str | None) -> pd.DataFrame:
    """Columns by name and type, checked."""
    held = {str(name).strip().lower(): place for place, name in enumerate(df.columns)}
    count = next((name for name in ("shares", "shares_millions") if name in held), None)
    missing = [name for name in ("ticker", "as_of") if name not in held] + ([] if count else ["shares"])
    if missing or count is None:
        raise InputError(
            f"The share counts lack the column{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}; they have "
            f"{', '.join(map(repr, map(str, df.columns))) or 'none'}.",
            remedy="Rename or add what is missing.",
            missing=missing,
        )
    if len(df) == 0:
        raise InputError("The table of share counts is empty.", remedy="Give at least one row.")

    def column(name: str) -> pd.Series[Any]:
        return df.iloc[:, held[name]].reset_index(drop=True)

    def text(name: str) -> ObjectArray:
        return stripped(column(name)) if name in held else np.full(len(df), "", dtype=object)

    ticker = text("ticker")
    if (ticker == "").any():
        raise InputError(f"A ticker (row {int(np.flatnonzero(ticker == '')[0]) + 1}) is blank.", remedy="Fill it.")
    shares = _positive(column(count), ticker, "share count") * (1e6 if count == "shares_millions" else 1.0)
    frame = pd.DataFrame({"ticker": ticker, "shares": shares, "as_of": _dates(column("as_of"), ticker, "as_of")})
    dated = next((match for name in held if (match := _DATED_CLOSE.fullmatch(name))), None)
    money = pd.Series(text("currency")).replace("", currency or "").astype(str)
    if "close" in held:
        frame["close"] = _positive(column("close"), ticker, "close", blank=True)
        day = column("close_date") if "close_date" in held else pd.Series([None] * len(df))
        frame["close_date"] = _dates(day, ticker, "close_date", needed=frame["close"].notna())
    elif dated is not None:
        frame["close"] = _positive(column(dated[0]), ticker, dated[0], blank=True)
        frame["close_date"] = pd.Timestamp(int(dated[1]), int(dated[2]), int(dated[3]))
        money = money.mask(money == "", (dated[4] or "").upper())
    else:
        frame["close"], frame["close_date"] = np.nan, pd.NaT
    frame = frame.assign(currency=money, basis=text("basis"), certainty=text("certainty"))
    again = frame.duplicated(["ticker", "as_of"])
    if again.any():
        row = frame.loc[int(np.flatnonzero(again)[0])]
        raise InputError(
            f"{row['ticker']} has two share counts of {row['as_of']:%Y-%m-%d}.",
            remedy="Keep one.",
            ticker=row["ticker"],
        )
    return frame[list(_COLUMNS)]


def _positive(
    column: pd.Series[Any], ticker: ObjectArray, what: str, *, blank: bool = False
) -> npt.NDArray[np.float64]:
    """Positive numbers; NaN for a blank cell where that is allowed."""
    empty = stripped(column) == ""
    value = pd.to_numeric(column.mask(empty), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(value) & (value > 0)) & ~(empty & blank)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"The {what} of {ticker[row]} is {str(column.iloc[row])!r}; expected a positive number.",
            remedy="Correct it, or remove the row.",
            ticker=ticker[row],
        )
    return value


def _dates(
    column: pd.Series[Any], ticker: ObjectArray, what: str, *, needed: pd.Series[bool] | None = None
) -> pd.Series[Any]:
    """Naive dates; NaT for a blank cell that is not needed."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        day = column.dt.tz_localize(None) if column.dt.tz is not None else column
    else:
        text = pd.Series(stripped(column)).str.slice(0, 10)
        day = pd.to_datetime(text.mask(text == ""), format="%Y-%m-%d", errors="coerce")
        bad = day.isna() & (text != "")
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{what} of {ticker[row]} is {column.iloc[row]!r}, no date.",
                remedy="Write it as 2025-01-28.",
                ticker=ticker[row],
            )
    lost = day.isna() & (True if needed is None else needed)
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        raise InputError(f"{ticker[row]} has no {what}.", remedy="Write it as 2025-01-28.", ticker=ticker[row])
    return pd.Series(day.dt.normalize().astype("datetime64[us]"))
