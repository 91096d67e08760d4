"""One security's bars: what every provider hands over, and the checks made at the door."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from eventstudy.data.intervals import is_intraday
from eventstudy.errors import AlignmentError, DataSourceError, EventStudyError, InputError

__all__ = [
    "FIELDS",
    "Bars",
    "Basis",
    "bar_times",
    "checked_bars",
    "numbers",
    "session_dates",
    "shown",
    "total_return",
]

Basis: TypeAlias = Literal["adjusted close", "close + dividends", "close, not adjusted", "as given"]

PRICE_FIELDS: Final = ("open", "high", "low", "close", "adj_close")
FIELDS: Final = ("open", "high", "low", "close", "adj_close", "volume", "dividends", "splits")

_NEEDED: Final[dict[Basis, tuple[str, ...]]] = {
    "adjusted close": ("adj_close",),
    "close + dividends": ("close", "dividends"),
    "close, not adjusted": ("close",),
    "as given": ("adj_close",),
}
_MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>", "nat"})
_OFFSET: Final = re.compile(r"(?<=:\d\d)(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$")


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one security as a provider delivers them.

    Parameters
    ----------
    frame : pandas.DataFrame
        Index ``date``: ascending, unique, naive midnights, the exchange's session dates. Intraday: index
        ``time``, ascending and unique zone-aware moments at which the bars open. Columns: any of
        ``open``, ``high``, ``low``, ``close``, ``adj_close`` (currency per share), ``volume`` (shares),
        ``dividends`` (currency per share on the ex-date, else 0) and ``splits`` (new shares per old on the
        day, else 0); float64, NaN where missing.
    basis : {"adjusted close", "close + dividends", "close, not adjusted", "as given"}
        How :meth:`prices` gets its prices from the frame.
    currency, tz : str, optional
        ISO code of the prices, and the zone whose dates the index holds.
    fetched_at : str, optional
        UTC time, ISO 8601.
    sha256 : str, optional
        Checksum of what the bars were read from; computed from the numbers when not given.
    note : str
        Provenance in words.
    interval : str
        Length of a bar, one of :data:`eventstudy.data.intervals.INTERVALS`.
    """

    frame: pd.DataFrame
    basis: Basis
    currency: str | None = None
    tz: str | None = None
    fetched_at: str | None = None
    sha256: str | None = None
    note: str = ""
    interval: str = "1d"

    def __post_init__(self) -> None:
        index, needed = self.frame.index, _NEEDED[self.basis]
        if is_intraday(self.interval):
            if not (isinstance(index, pd.DatetimeIndex) and index.tz is not None):
                raise InputError(
                    f"bars of {self.interval} need an index of moments with a time zone; got {index.dtype}.",
                    remedy='Localize it: index.tz_localize("America/New_York").',
                )
        elif not (isinstance(index, pd.DatetimeIndex) and index.tz is None and (index == index.normalize()).all()):
            raise InputError(
                f"bars need an index of naive midnights; got {index.dtype}.",
                remedy="Use the exchange's session dates: index.tz_localize(None).normalize().",
            )
        if lacking := [name for name in needed if name not in self.frame.columns]:
            raise InputError(
                f"bars on the basis {self.basis!r} need the column {lacking[0]!r}; "
                f"they have {', '.join(map(str, self.frame.columns)) or 'none'}.",
                remedy="Add it, or state another basis.",
            )

    @property
    def price_field(self) -> str:
        """Column that says whether there is a price."""
        return _NEEDED[self.basis][0]

    def prices(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None, ticker: str = ""
    ) -> pd.Series[float]:
        """Prices for returns, from ``start`` to ``end`` inclusive (session dates); ``ticker`` is for messages only.

        Notes
        -----
        The range is cut first and adjusted afterwards, so the last price is the traded one and the answer
        does not depend on how much more the cache holds.
        """
        frame = self.between(start, end)
        if self.basis == "close + dividends":
            return total_return(frame["close"], frame["dividends"], ticker=ticker)
        return frame[self.price_field]

    def between(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.DataFrame:
        """Rows of the session dates from ``start`` to ``end``, both inclusive and naive midnights."""
        index = self.frame.index
        if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
            dates = index.tz_localize(None)
            after = None if end is None else end + pd.Timedelta(days=1)
            low = 0 if start is None else dates.searchsorted(start)
            return self.frame.iloc[low : None if after is None else dates.searchsorted(after)]
        return self.frame.loc[start:end]

    def fingerprint(self) -> str:
        """``sha256`` as delivered, else a checksum of dates, column names and numbers."""
        if self.sha256 is not None:
            return self.sha256
        index = self.frame.index
        if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
            digest = hashlib.sha256(index.as_unit("us").asi8.astype("<i8").tobytes())
        else:
            digest = hashlib.sha256(index.to_numpy("datetime64[D]").astype("<i8").tobytes())
        for name in self.frame:
            digest.update(str(name).encode())
            digest.update(self.frame[name].to_numpy("<f8").tobytes())
        return digest.hexdigest()


def total_return(close: pd.Series[float], dividends: pd.Series[float], ticker: str = "") -> pd.Series[float]:
    """Dividend-adjusted prices from closes and dividends.

    On an ex-date t every earlier price is multiplied by ``1 - D_t / C_{t-1}``, where C is the last close
    before t. Close and dividends must be on one split basis (Yahoo's are: both are split-adjusted already).

    Parameters
    ----------
    close, dividends : pandas.Series of shape (n_sessions,)
        Same ascending index; currency per share; NaN in ``dividends`` counts as none.
    ticker : str
        For the message.

    Returns
    -------
    pandas.Series of shape (n_sessions,)
        Equal to ``close`` from the last ex-date on; NaN where ``close`` is.

    Raises
    ------
    DataSourceError
        A dividend not below the close before it.

    Notes
    -----
    The simple return over an ex-date is ``C_t / (C_{t-1} - D_t) - 1``, Yahoo's and CRSP-like vendors'
    convention of reinvesting at the ex-date open; ``(C_t + D_t) / C_{t-1} - 1`` differs from it in second
    order.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-02", "2025-01-03"])
    >>> total_return(pd.Series([100.0, 99.0], days), pd.Series([0.0, 1.0], days)).tolist()
    [99.0, 99.0]
    """
    before = close.ffill().shift(1)
    paid = dividends.fillna(0.0).where(before.notna(), 0.0)
    factor = 1.0 - paid / before.where(before.notna(), 1.0)
    bad = factor.index[factor <= 0.0]
    if len(bad):
        day = bad[0]
        raise DataSourceError(
            f"{ticker or 'the series'}: the dividend {paid[day]:g} of {shown(day)} is not below "
            f"the last close before it, {before[day]:g}.",
            remedy="Check the units (pence against pounds?) and load it from a corrected file.",
            ticker=ticker,
            date=day,
        )
    later = factor[::-1].cumprod()[::-1].shift(-1, fill_value=1.0)
    return close * later


def session_dates(values: pd.Series[Any] | pd.Index[Any], where: str) -> pd.DatetimeIndex:
    """Naive-midnight session dates of a column or index of dates.

    Zone-aware stamps become the date in their own zone; a time of day is dropped.

    Raises
    ------
    InputError
        A value that is not a date; the first one is named with its row.
    """
    if isinstance(values, pd.PeriodIndex):
        index: pd.Index[Any] = values.to_timestamp()
    else:
        index = pd.Index(values)
    if pd.api.types.is_numeric_dtype(index.dtype):
        raise InputError(
            f"{where}: the dates are numbers (first: {index[0]!r}).",
            remedy="Give dates such as 2025-01-31.",
        )
    if isinstance(index, pd.DatetimeIndex):
        parsed = index.tz_localize(None)
    else:
        text = pd.Series([_without_zone(v) for v in index], dtype="str")
        parsed = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", errors="coerce"))
    if parsed.hasnans:
        row = int(np.flatnonzero(parsed.isna())[0])
        raise InputError(
            f"{where}: {str(index[row])!r} in data row {row + 1} is not a date.",
            remedy="Write dates as YYYY-MM-DD.",
            row=row + 1,
        )
    _refuse_far_years(parsed, index, where)
    return parsed.normalize().as_unit("us").rename("date")


def _refuse_far_years(parsed: pd.DatetimeIndex, given: pd.Index[Any], where: str) -> None:
    """A stray -1 or 99999 parses as a year; what is meant lies in the years that nanoseconds reach."""
    years = np.asarray(parsed.year)
    far = np.flatnonzero((years < 1678) | (years > 2261))
    if far.size:
        row = int(far[0])
        raise InputError(
            f"{where}: {str(given[row])!r} in data row {row + 1} is outside the years 1678–2261.",
            remedy="Write dates as YYYY-MM-DD.",
            row=row + 1,
        )


def bar_times(values: pd.Series[Any] | pd.Index[Any], where: str) -> pd.DatetimeIndex:
    """Moments of a column or index of intraday stamps: in its own zone where it has one, else UTC.

    Raises
    ------
    InputError
        A value that is not a time; the first one is named with its row.
    AlignmentError
        A stamp without an offset or zone.
    """
    index: pd.Index[Any] = pd.Index(values)
    texts: list[str] = []
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        moments = index
    elif pd.api.types.is_numeric_dtype(index.dtype):
        raise InputError(
            f"{where}: the times are numbers (first: {index[0]!r}).",
            remedy="Give times such as 2025-01-29T09:30-05:00.",
        )
    else:
        texts = [str(v).strip() for v in index]
        parsed = pd.to_datetime(pd.Series(texts, dtype="str"), format="ISO8601", errors="coerce", utc=True)
        moments = pd.DatetimeIndex(parsed)
    if moments.hasnans:
        row = int(np.flatnonzero(moments.isna())[0])
        raise InputError(
            f"{where}: {str(index[row])!r} in data row {row + 1} is not a time.",
            remedy="Write times as 2025-01-29T09:30-05:00.",
            row=row + 1,
        )
    _refuse_far_years(moments, index, where)
    naive = next((row for row, text in enumerate(texts) if not _OFFSET.search(text)), None)
    if naive is not None:
        raise AlignmentError(
            f"{where}: {texts[naive]!r} in data row {naive + 1} has no time zone.",
            remedy='Write the offset ("2025-01-29T09:30-05:00"), or localize the column: '
            'frame["date"].dt.tz_localize("America/New_York").',
            row=naive + 1,
        )
    return moments.as_unit("us").rename("time")


def shown(day: Any) -> str:
    """A session date, or a moment to the minute with its offset."""
    return f"{day:%Y-%m-%d}" if day.tzinfo is None else f"{day:%Y-%m-%d %H:%M%z}"


def _without_zone(value: object) -> str:
    return _OFFSET.sub(r"\1", str(value).strip())


def numbers(column: pd.Series[Any], name: str, dates: pd.DatetimeIndex, where: str) -> pd.Series[float]:
    """``column`` as float64 on ``dates``; blanks and NA marks become NaN.

    Raises
    ------
    InputError
        A cell that is not a number; row, date and text are named.
    """
    missing = column.isna()
    if not pd.api.types.is_numeric_dtype(column.dtype):
        missing |= column.astype("str").str.strip().str.lower().isin(_MISSING)
    plain = column.mask(missing) if missing.any() else column
    parsed = pd.to_numeric(plain, errors="coerce")
    if pd.api.types.is_complex_dtype(parsed.dtype):  # a cast would drop the imaginary part
        values = np.full(len(parsed), np.nan)
    else:
        values = parsed.to_numpy(np.float64, na_value=np.nan)
    bad = np.flatnonzero(np.isnan(values) & ~missing.to_numpy())
    if bad.size or pd.api.types.is_bool_dtype(column.dtype):
        row = int(bad[0]) if bad.size else 0
        raise InputError(
            f"{where}: {str(column.iloc[row])!r} in data row {row + 1} ({shown(dates[row])}), column {name!r}, "
            "is not a number.",
            remedy="Write plain numbers with a decimal point and no thousands separator.",
            row=row + 1,
            column=name,
            date=dates[row],
        )
    return pd.Series(values, index=dates, name=name)


def checked_bars(
    frame: pd.DataFrame, ticker: str, where: str, error: type[EventStudyError] = InputError
) -> pd.DataFrame:
    """``frame`` itself, after the checks that every source must pass.

    Raises
    ------
    EventStudyError
        Of type ``error``: repeated or unsorted dates; zero, negative or infinite prices; negative volume or
        dividend; no price at all. Ticker, date and a remedy are named.
    """

    def refuse(what: str, remedy: str, day: Hashable = None) -> None:
        raise error(f"{where}: {ticker}: {what}", remedy=remedy, ticker=ticker, date=day)

    dates = frame.index
    if not dates.is_monotonic_increasing:
        at = int(np.flatnonzero(np.diff(dates.asi8) < 0)[0]) + 1  # type: ignore[attr-defined]
        refuse(f"{shown(dates[at])} comes after {shown(dates[at - 1])}.", "Sort the rows by date.", dates[at])
    if not dates.is_unique:
        day = dates[dates.duplicated()][0]
        refuse(f"{shown(day)} occurs more than once.", "Keep one row for each ticker and date.", day)
    for name in frame.columns:
        values = frame[name].to_numpy(np.float64)
        is_price = name in PRICE_FIELDS
        wrong = np.flatnonzero(np.isinf(values) | (values <= 0.0 if is_price else values < 0.0))
        if wrong.size:
            day = dates[int(wrong[0])]
            kind = "positive and finite" if is_price else "finite and not negative"
            refuse(
                f"{name} is {values[wrong[0]]:g} on {shown(day)}; it must be {kind}.",
                "Leave the cell empty where the value is missing.",
                day,
            )
    present = [c for c in ("adj_close", "close") if c in frame.columns]
    if frame[present[0]].isna().all():
        refuse(f"{present[0]} has no value on any of {len(frame)} dates.", "Remove the ticker or fill it in.")
    return frame
