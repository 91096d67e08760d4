"""The event table: which security had news, when, and which session is its event session."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, tzinfo
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy._event_columns import (
    check_ids,
    check_tickers,
    check_weights,
    find_columns,
    numeric_if_all,
    per_ticker,
    read_csv,
    read_ids,
    read_tickers,
    read_weights,
)
from eventstudy._stamps import (
    NS_PER_DAY,
    ObjectArray,
    Origin,
    add_offsets,
    read_stamps,
    read_texts,
    read_zones,
    short,
    stamp_texts,
    zone_name,
)
from eventstudy.data.calendars import RULES, session_of
from eventstudy.errors import AlignmentError, DataSourceError, InputError

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, FloatArray, IntArray
    from eventstudy.panel import ReturnPanel

__all__ = ["DATE_RULES", "Events", "ResolvedEvents"]

DayArray: TypeAlias = npt.NDArray[np.datetime64]
When: TypeAlias = str | date | np.datetime64
# position, session, rule and reason of a resolution in progress
_Columns: TypeAlias = tuple["IntArray", DayArray, ObjectArray, ObjectArray]

DATE_RULES = ("date is a session", "date is no session, next session")
"""What put a bare date into its session; moments follow :data:`eventstudy.data.calendars.RULES`."""

# Holidays are hardly longer; a longer way to the panel's next session means missing data.
_MAX_SHIFT_DAYS = 7


@dataclass(frozen=True, eq=False, repr=False)
class Events:
    """Immutable table of security-events, one row each.

    Build one with :meth:`at`, :meth:`read` or :meth:`from_frame`. All arrays have shape (n_events,) and are
    read-only.

    Attributes
    ----------
    event_id : ndarray of int64 or object
        Unique identifier; 1…n in row order unless given.
    ticker : ndarray of object
        Security, as str.
    stamp : ndarray of int64
        Nanoseconds since 1970: UTC where ``has_time``, else the naive midnight of a bare date.
    has_time : ndarray of bool
        Whether the event is a moment (True) or a bare date, that is a session label (False).
    zone : ndarray of object
        Zone in which the moment was stated (``"America/New_York"``, ``"UTC-05:00"``); None for a bare date.
    label, group : ndarray of object or None
        Free text per event, None where absent.
    weight : ndarray of float64 or None
        Positive weight per event.
    calendar : ndarray of object or None
        Exchange calendar per event; None (the array or an element) means the study's own.
    extra : DataFrame or None
        Further columns of the input, one row per event.

    Raises
    ------
    InputError
        For arrays of unequal length, an empty table, a blank ticker, a repeated ``event_id``, a weight that
        is not positive, or one ticker twice at one stamp.

    Examples
    --------
    >>> import eventstudy as es
    >>> events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York")
    >>> len(events), list(events.tickers)
    (2, ['MSFT', 'NVDA'])
    """

    event_id: IntArray | ObjectArray
    ticker: ObjectArray
    stamp: IntArray
    has_time: BoolArray
    zone: ObjectArray
    label: ObjectArray | None = None
    group: ObjectArray | None = None
    weight: FloatArray | None = None
    calendar: ObjectArray | None = None
    extra: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        self._settle(Origin())

    @classmethod
    def _make(cls, origin: Origin, **columns: Any) -> Events:
        """Build a table whose errors name the rows as ``origin`` does."""
        self = object.__new__(cls)
        for item in fields(cls):
            object.__setattr__(self, item.name, columns.get(item.name))
        self._settle(origin)
        return self

    def _settle(self, origin: Origin) -> None:
        """Coerce, check and freeze the columns."""
        ids = np.asarray(self.event_id)
        dtypes: dict[str, Any] = {
            "event_id": np.int64 if ids.dtype.kind in "iu" else object,
            "ticker": object,
            "stamp": np.int64,
            "has_time": np.bool_,
            "zone": object,
            "label": object,
            "group": object,
            "weight": np.float64,
            "calendar": object,
        }
        n = len(ids)
        if n == 0:
            raise InputError("The event table is empty.", remedy="Give at least one security-event.")
        for name, dtype in dtypes.items():
            value = getattr(self, name)
            if value is None:
                continue
            array = np.array(value, dtype=dtype)
            if array.shape != (n,):
                raise InputError(f"{name} has shape {array.shape}; expected ({n},), one entry per event.")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.extra is not None:
            if len(self.extra) != n:
                raise InputError(f"extra has {len(self.extra)} rows; expected {n}, one per event.")
            object.__setattr__(self, "extra", self.extra.reset_index(drop=True))
        check_tickers(self.ticker, origin)
        check_ids(self.event_id, origin)
        check_weights(self.weight, self.ticker, origin)
        _check_duplicates(self, origin)

    @classmethod
    def at(
        cls,
        when: When,
        tickers: str | Iterable[str],
        *,
        tz: str | tzinfo | None = None,
        label: str | None = None,
        group: str | Sequence[str] | Mapping[str, str] | None = None,
        weight: float | Sequence[float] | Mapping[str, float] | None = None,
        calendar: str | Sequence[str] | Mapping[str, str] | None = None,
    ) -> Events:
        """One announcement that concerns one or many securities.

        Parameters
        ----------
        when : str, date, datetime, Timestamp or datetime64
            A bare date (``"2025-01-29"``, a date, or a naive midnight) names a session. A time of day is a
            moment and needs a zone: its own offset, or ``tz``.
        tickers : str or iterable of str
            Securities, each at most once.
        tz : str or tzinfo, optional
            Zone of a time of day. A stamp that carries an offset must agree with it; a bare date has none.
        label : str, optional
            Name of the announcement.
        group, calendar : str, sequence or mapping from ticker, optional
            Group (say winners and losers), and exchange calendar, of each security.
        weight : float, sequence or mapping from ticker, optional
            Positive weight of each security.

        Returns
        -------
        Events
            One row per ticker, in the order given.

        Raises
        ------
        AlignmentError
            For a time of day without zone, a local time that summer time skips or repeats, or a stamp whose
            offset contradicts ``tz``.
        InputError
            For an unreadable stamp or zone, a ticker given twice, or a mapping that lacks a ticker.

        Examples
        --------
        >>> import eventstudy as es
        >>> es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York", label="OpenAI–DeepSeek")
        Events(2 security-events, 2 tickers, 2025-01-29 04:46-05:00)
        """
        names = [tickers] if isinstance(tickers, str) else list(tickers)
        if not names:
            raise InputError("tickers is empty.", remedy="Give at least one ticker.")
        origin = Origin(word="")
        ticker = read_tickers(pd.Series(names), origin)
        zone = None if tz is None else np.array([zone_name(tz)], dtype=object)
        stamp, has_time, own = read_stamps(pd.Series([when], dtype=object), zone, ticker, origin)
        if zone is not None and has_time[0] and own[0] != zone[0]:
            raise AlignmentError(
                f"Stamp {str(when)!r} carries the offset {own[0]}, which is not that of {zone[0]} then.",
                remedy="Drop tz, or correct the offset.",
                stamp=str(when),
                tz=zone[0],
            )
        n = len(ticker)
        weights = per_ticker(weight, ticker, "weight")
        return cls._make(
            origin,
            event_id=np.arange(1, n + 1),
            ticker=ticker,
            stamp=np.repeat(stamp, n),
            has_time=np.repeat(has_time, n),
            zone=np.repeat(own, n),
            label=None if label is None else np.full(n, label, dtype=object),
            group=per_ticker(group, ticker, "group"),
            weight=None if weights is None else read_weights(pd.Series(weights), ticker, origin),
            calendar=per_ticker(calendar, ticker, "calendar"),
        )

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        tz: str | tzinfo | None = None,
        calendar: str | None = None,
    ) -> Events:
        """Event table from a CSV or Parquet file; see :meth:`from_frame` for its columns.

        Every CSV cell is read as text, so that tickers such as ``NA``, ``TRUE`` or ``0700`` survive. Further
        columns become numbers where every cell that is not blank is one. Blank lines are skipped.

        Parameters
        ----------
        path : str or Path
            ``.csv`` or ``.parquet``; a CSV may be compressed (``.csv.gz``).
        tz : str or tzinfo, optional
            Zone of the stamps that have neither an offset nor a zone in column ``tz``.
        calendar : str, optional
            Exchange calendar of the events that name none in column ``calendar``.

        Returns
        -------
        Events
            One row per line, in the order of the file.

        Raises
        ------
        DataSourceError
            When the file is absent or cannot be read.
        InputError, AlignmentError
            As :meth:`from_frame`, naming the line of a CSV (the header is line 1) or the row of a Parquet.
        """
        path = Path(path)
        suffixes = [suffix.lower() for suffix in path.suffixes]
        if not path.is_file():
            raise DataSourceError(f"There is no event file {str(path)!r}.", remedy="Check the path.", path=str(path))
        is_csv = ".csv" in suffixes
        if not is_csv and suffixes[-1:] not in ([".parquet"], [".pq"]):
            raise InputError(
                f"Event file {str(path)!r} is neither CSV nor Parquet.",
                remedy="Save it as .csv or .parquet.",
                path=str(path),
            )
        try:
            frame = read_csv(path) if is_csv else pd.read_parquet(path)
        except InputError:
            raise
        except (OSError, ValueError) as error:  # pandas and Arrow derive their parsing errors from ValueError
            raise DataSourceError(
                f"Event file {str(path)!r} cannot be read: {error}.",
                remedy="Save it as UTF-8 CSV or as Parquet.",
                path=str(path),
            ) from error
        if not is_csv:
            return cls._table(frame, tz, calendar, Origin())
        filled = np.zeros(len(frame), dtype=bool)
        for name in frame.columns:
            filled |= (frame[name].str.strip() != "").to_numpy(dtype=bool)
        positions = np.flatnonzero(filled)

        def line_of(position: int) -> int:
            # A quoted cell may hold line breaks; they count as lines of the file.
            above = frame.iloc[: positions[position]]
            breaks = sum(int(above[name].str.count("\n").sum()) for name in above.columns)
            return int(positions[position]) + 2 + breaks

        kept = frame if filled.all() else frame[filled]
        return cls._table(kept, tz, calendar, Origin("line", line_of), text=True)

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        *,
        tz: str | tzinfo | None = None,
        calendar: str | None = None,
    ) -> Events:
        """Event table from a frame with one row per security-event.

        Column names are matched without regard to case. ``ticker`` may be called ``symbol`` or ``permno``;
        ``timestamp`` may be called ``datetime``, ``date`` or ``time``. Optional columns: ``event_id``,
        ``label``, ``group``, ``weight``, ``calendar``, ``tz``. All others are kept in ``extra``; the index is
        ignored.

        Parameters
        ----------
        df : DataFrame
            Stamps are ISO 8601 text, dates, datetimes, or a datetime64 column. A bare date or naive midnight
            names a session; a time of day needs a zone.
        tz : str or tzinfo, optional
            Zone of the stamps that have neither an offset nor a zone in column ``tz``. A stamp's own offset
            always decides its moment; the zone is then recorded if it agrees with it.
        calendar : str, optional
            Exchange calendar of the events that name none in column ``calendar``.

        Returns
        -------
        Events
            One row per row of ``df``, in its order.

        Raises
        ------
        InputError
            For a missing column, an empty table, a blank ticker, an unreadable stamp or zone, a weight that
            is not positive, a repeated ``event_id``, or one ticker twice at one stamp, naming the row.
        AlignmentError
            For a time of day without zone, or a local time that summer time skips or repeats.

        Examples
        --------
        >>> import pandas as pd
        >>> import eventstudy as es
        >>> news = ["2025-01-29 04:46-05:00", "2025-01-30"]
        >>> table = pd.DataFrame({"ticker": ["NVDA", "F"], "timestamp": news})
        >>> es.Events.from_frame(table).has_time.tolist()
        [True, False]
        """
        if not isinstance(df, pd.DataFrame):
            raise InputError(f"Expected a DataFrame of events; got {type(df).__name__}.")
        return cls._table(df, tz, calendar, Origin())

    @classmethod
    def _table(
        cls,
        df: pd.DataFrame,
        tz: str | tzinfo | None,
        calendar: str | None,
        origin: Origin,
        *,
        text: bool = False,
    ) -> Events:
        """Read the columns of ``df``; ``text`` says that every cell is text, as in a CSV."""
        columns = find_columns(df)
        if len(df) == 0:
            raise InputError("The event table is empty.", remedy="Give at least one security-event.")
        named = {name: df.iloc[:, place].reset_index(drop=True) for name, place in columns.items()}
        ticker = read_tickers(named["ticker"], origin)
        zone = read_zones(named.get("tz"), tz, ticker, origin)
        stamp, has_time, zone = read_stamps(named["timestamp"], zone, ticker, origin)
        calendars = read_texts(named.get("calendar"))
        if calendar is not None:
            filler = np.full(len(df), calendar, dtype=object)
            calendars = filler if calendars is None else np.where(pd.isna(calendars), filler, calendars)
        others = [place for place in range(df.shape[1]) if place not in columns.values()]
        extra = df.iloc[:, others] if others else None
        return cls._make(
            origin,
            event_id=read_ids(named.get("event_id"), len(df), ticker, origin),
            ticker=ticker,
            stamp=stamp,
            has_time=has_time,
            zone=zone,
            label=read_texts(named.get("label")),
            group=read_texts(named.get("group")),
            weight=read_weights(named["weight"], ticker, origin) if "weight" in named else None,
            calendar=calendars,
            extra=extra.apply(numeric_if_all) if text and extra is not None else extra,
        )

    @functools.cached_property
    def _coded(self) -> tuple[IntArray, ObjectArray]:
        """Tickers as numbers, and what each number stands for; a million names are looked at once."""
        codes, names = pd.factorize(self.ticker)
        return codes, np.asarray(names, dtype=object)

    @property
    def tickers(self) -> ObjectArray:
        """Distinct tickers in order of first appearance; object array."""
        return self._coded[1]

    def rows_in(self, panel: ReturnPanel) -> IntArray:
        """Row of each event's security in a panel, −1 where it is absent; int64 of shape (n_events,)."""
        codes, names = self._coded
        return panel.rows(names)[codes]

    def __len__(self) -> int:
        return len(self.ticker)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if mine is None or theirs is None:
                if mine is not theirs:
                    return False
            elif isinstance(mine, pd.DataFrame):
                if not mine.equals(theirs):
                    return False
            elif not np.array_equal(mine, theirs):
                return False
        return True

    def __repr__(self) -> str:
        # The two ends among moments and dates may be of different kinds; their order is that of the numbers.
        ends = self._texts_of(np.array([self.stamp.argmin(), self.stamp.argmax()]))
        first, last = (short(end) for end in ends)
        span = first if self.stamp.min() == self.stamp.max() else f"{first} to {last}"
        n, k = len(self), len(self.tickers)
        return f"Events({n:,} security-event{'s' * (n != 1)}, {k:,} ticker{'s' * (k != 1)}, {span})"

    def _repr_html_(self) -> str:
        shown = 10
        head = self.subset(np.arange(min(shown, len(self)))).to_frame()
        more = f"<p>… {len(self) - shown:,} more</p>" if len(self) > shown else ""
        return f"<div><p>{escape(repr(self))}</p>{head.to_html(index=False, border=0)}{more}</div>"

    def to_frame(self) -> pd.DataFrame:
        """Plain table of the events; :meth:`from_frame` reads it back.

        Returns
        -------
        DataFrame
            Columns ``event_id``, ``ticker``, ``timestamp`` (ISO 8601 text: ``2025-01-29T04:46:00-05:00`` in
            the zone in which it was stated, ``2025-01-29`` for a bare date), then those present of ``tz``,
            ``label``, ``group``, ``weight``, ``calendar`` and the extra columns.
        """
        columns: dict[str, Any] = {
            "event_id": self.event_id,
            "ticker": self.ticker,
            "timestamp": stamp_texts(self.stamp, self.has_time, self.zone),
        }
        if self.has_time.any():
            columns["tz"] = self.zone
        for name in ("label", "group", "weight", "calendar"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name)
        frame = pd.DataFrame(columns)
        return frame if self.extra is None else pd.concat([frame, self.extra], axis=1)

    def subset(self, rows: npt.ArrayLike | slice) -> Events:
        """Events of some rows, with their ``event_id``.

        Parameters
        ----------
        rows : array of bool of shape (n_events,), array of int, or slice
            Mask or positions.

        Raises
        ------
        InputError
            When nothing is selected, a row is selected twice, or the mask or positions do not fit.
        """
        picked = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if picked.dtype == np.bool_ and picked.shape != (len(self),):
            raise InputError(f"The mask has shape {picked.shape}; expected ({len(self)},), one entry per event.")
        if picked.dtype != np.bool_ and (picked.dtype.kind not in "iu" or picked.ndim != 1):
            if picked.size == 0:
                raise InputError("The selection is empty.", remedy="Select at least one event.")
            raise InputError("rows must be a mask of bool, an array of positions, or a slice.")
        columns: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            try:
                if value is not None:
                    columns[item.name] = value.iloc[picked] if item.name == "extra" else value[picked]
            except IndexError as error:
                raise InputError(f"A position lies outside the table of {len(self)} events.") from error
        return Events(**columns)

    @classmethod
    def concat(cls, tables: Sequence[Events], *, renumber: bool = False) -> Events:
        """One table of several, in order.

        Parameters
        ----------
        tables : sequence of Events
            At least one. A ``label``, ``group`` or ``calendar`` that some lack is None there.
        renumber : bool
            Number the events anew, 1…n; otherwise the identifiers must be distinct already.

        Raises
        ------
        InputError
            When identifiers repeat, only some tables have weights, or one ticker comes twice at one stamp.
        """
        parts = list(tables)
        if not parts:
            raise InputError("There is no event table to concatenate.")
        if len({part.weight is None for part in parts}) == 2:
            raise InputError("Only some of the event tables have weights.", remedy="Give all of them weights, or none.")
        columns: dict[str, Any] = {}
        for item in fields(cls):
            values = [getattr(part, item.name) for part in parts]
            if all(value is None for value in values):
                columns[item.name] = None
            elif item.name == "extra":
                filled = [
                    pd.DataFrame(index=range(len(part))) if value is None else value
                    for part, value in zip(parts, values, strict=True)
                ]
                columns[item.name] = pd.concat(filled, ignore_index=True)
            else:
                columns[item.name] = np.concatenate(
                    [
                        np.full(len(part), None, dtype=object) if value is None else value
                        for part, value in zip(parts, values, strict=True)
                    ]
                )
        if renumber:
            columns["event_id"] = np.arange(1, len(columns["ticker"]) + 1)
        elif len({part.event_id.dtype for part in parts}) == 2:
            columns["event_id"] = np.concatenate([part.event_id.astype(object) for part in parts])
        return cls(**columns)

    def resolve(self, panel_sessions: pd.DatetimeIndex, calendar: str = "NYSE") -> ResolvedEvents:
        """Event session (τ = 0) of every event, as a position among the panel's sessions.

        A bare date is looked up among the panel's own sessions: that date or, if it is none, the next. A
        moment goes to the first session of its exchange whose close lies strictly after it
        (:func:`eventstudy.data.calendars.session_of`), which the panel must have.

        Parameters
        ----------
        panel_sessions : DatetimeIndex of shape (n_sessions,)
            The panel's sessions: naive midnights, strictly ascending.
        calendar : str
            Exchange calendar of the events that name none.

        Returns
        -------
        ResolvedEvents
            Positions, sessions, rules and, for events without a position, reasons; shape (n_events,) each.

        Raises
        ------
        InputError
            For an unknown calendar, sessions that are not ascending dates, or two events of one ticker in one
            session.
        """
        days = _panel_days(panel_sessions)
        n = len(self)
        position = np.full(n, -1, dtype=np.int64)
        session = np.full(n, "NaT", dtype="datetime64[D]")
        rule = np.full(n, None, dtype=object)
        reason = np.full(n, None, dtype=object)
        bare, timed = np.flatnonzero(~self.has_time), np.flatnonzero(self.has_time)
        local_day = self._local_days()
        if len(bare):
            self._resolve_dates(bare, local_day[bare], days, (position, session, rule, reason))
        if len(timed):
            self._resolve_moments(timed, calendar, days, (position, session, rule, reason))
        shift = np.where(np.isnat(session), 0, (session - local_day).astype(np.int64))
        _check_one_per_session(self, session)
        columns = (position, session, rule, shift, reason)
        for column in columns:
            column.flags.writeable = False
        return ResolvedEvents(*columns)

    def _local_days(self) -> DayArray:
        """Calendar date of each event in the zone in which it was stated."""
        local = np.array(self.stamp)
        add_offsets(local, self.zone)
        return (local // NS_PER_DAY).astype("datetime64[D]")

    def _resolve_dates(self, rows: IntArray, wanted: DayArray, days: DayArray, out: _Columns) -> None:
        """Fill ``out`` at ``rows``, the bare dates ``wanted``."""
        position, session, rule, reason = out
        # every date the panel spans is looked up once: few dates stand for a million events
        calendar_days = np.arange(days[0], days[-1] + 2)
        nth = np.clip((wanted - days[0]).astype(np.int64), 0, len(calendar_days) - 1)
        at = np.searchsorted(days, calendar_days)[nth]
        found = days[np.minimum(at, len(days) - 1)]
        early, late = wanted < days[0], at == len(days)
        gap = ~late & ~early & ((found - wanted).astype(np.int64) > _MAX_SHIFT_DAYS)
        good = ~(early | late | gap)
        where = rows if good.all() else rows[good]
        position[where] = at if good.all() else at[good]
        session[where] = found if good.all() else found[good]
        rule[where] = DATE_RULES[0]
        rule[rows[good & (found != wanted)]] = DATE_RULES[1]
        span = f"its sessions run from {days[0]} to {days[-1]}"
        for which, what in (
            (early, f"lies before the panel; {span}. Load earlier prices, or leave the event out."),
            (late, f"lies after the panel; {span}. Load later prices, or leave the event out."),
        ):
            reason[rows[which]] = [
                f"{ticker}: the date {day} {what}"
                for ticker, day in zip(self.ticker[rows[which]], wanted[which], strict=True)
            ]
        reason[rows[gap]] = [
            f"{ticker}: the panel has no session from {day} to {after - 1}, more than a holiday. "
            "Load the missing prices, or leave the event out."
            for ticker, day, after in zip(self.ticker[rows[gap]], wanted[gap], found[gap], strict=True)
        ]

    def _resolve_moments(self, rows: IntArray, calendar: str, days: DayArray, out: _Columns) -> None:
        """Fill ``out`` at ``rows``, the moments."""
        position, session, rule, reason = out
        words = np.array([*RULES, None], dtype=object)
        for name, members in self._by_calendar(rows, calendar):
            found = session_of(self.stamp[members], name, outside="nat")
            at = np.searchsorted(days, found.session)
            exact = days[np.minimum(at, len(days) - 1)] == found.session
            position[members[exact]] = at[exact]
            session[members] = found.session
            rule[members] = words[found.code]
            unknown = np.isnat(found.session)
            lost = members[unknown]
            reason[lost] = [
                f"{ticker}: calendar {name} does not reach {text}. "
                "Correct the stamp, or give the event another calendar."
                for ticker, text in zip(self.ticker[lost], self._texts_of(lost), strict=True)
            ]
            lost = members[~exact & ~unknown]
            reason[lost] = [
                f"{ticker}: the panel has no session {day} ({name}), to which the stamp {text} belongs; its "
                f"sessions run from {days[0]} to {days[-1]}. Load prices of that day, or leave the event out."
                for ticker, day, text in zip(self.ticker[lost], session[lost], self._texts_of(lost), strict=True)
            ]

    def _by_calendar(self, rows: IntArray, default: str) -> list[tuple[str, IntArray]]:
        """Rows of each exchange calendar."""
        if self.calendar is None:
            return [(default, rows)]
        codes, names = pd.factorize(self.calendar[rows])
        groups = [(str(name), rows[codes == code]) for code, name in enumerate(names)]
        rest = rows[codes == -1]
        return [*groups, (default, rest)] if len(rest) else groups

    def _texts_of(self, rows: IntArray) -> ObjectArray:
        """ISO 8601 text of the stamps of some rows."""
        return stamp_texts(self.stamp[rows], self.has_time[rows], self.zone[rows])


@dataclass(frozen=True, slots=True)
class ResolvedEvents:
    """Event sessions of an event table; every array has shape (n_events,).

    Attributes
    ----------
    position : ndarray of int64
        Position of τ = 0 among the panel's sessions; −1 if there is none.
    session : ndarray of datetime64[D]
        Event session. A moment's is kept even if the panel lacks it; NaT where none could be named.
    rule : ndarray of object
        How the session was found, in words; None where it was not.
    shift : ndarray of int64
        Calendar days from the stated local date to the session; 0 where there is no session.
    reason : ndarray of object
        Why there is no position, and what to do; None where there is one.
    """

    position: IntArray
    session: DayArray
    rule: ObjectArray
    shift: IntArray
    reason: ObjectArray

    def __len__(self) -> int:
        return len(self.position)


def _check_duplicates(events: Events, origin: Origin) -> None:
    """Refuse one ticker twice at one stamp."""
    pair = _first_repeat(events._coded[0], events.stamp, events.has_time)
    if pair is None:
        return
    first, second = pair
    name, text = events.ticker[first], events._texts_of(np.array([first]))[0]
    raise InputError(
        f"Duplicate security-event: {name} at {text} is given twice{origin.pair(first, second)}.",
        remedy="Remove one of them.",
        ticker=name,
        stamp=text,
        rows=(first + 1, second + 1),
    )


def _check_one_per_session(events: Events, session: DayArray) -> None:
    """Refuse two events of one ticker in one session."""
    known = np.flatnonzero(~np.isnat(session))
    if not len(known):
        return
    day = session[known].astype(np.int64)
    code = events._coded[0][known]
    key = np.sort(code * (day.max() - day.min() + 1) + day - day.min())
    if (key[1:] != key[:-1]).all():
        return
    pair = _first_repeat(code, day, None)
    assert pair is not None
    first, second = (int(known[row]) for row in pair)
    texts = events._texts_of(np.array([first, second]))
    ids = events.event_id[first], events.event_id[second]
    raise InputError(
        f"Duplicate security-event: events {ids[0]!s} ({texts[0]}) and {ids[1]!s} ({texts[1]}) of "
        f"{events.ticker[first]} fall on one session, {session[first]}.",
        remedy="Keep one of them, or merge their labels.",
        ticker=events.ticker[first],
        session=session[first],
        event_id=ids,
    )


def _first_repeat(code: IntArray, number: IntArray, flag: BoolArray | None) -> tuple[int, int] | None:
    """Positions of the first row that repeats an earlier one, and of that one."""
    columns: dict[str, Any] = {"code": code, "number": number}
    if flag is not None:
        columns["flag"] = flag
    keys = pd.DataFrame(columns)
    repeated = keys.duplicated().to_numpy()
    if not repeated.any():
        return None
    second = int(np.flatnonzero(repeated)[0])
    same = (keys == keys.iloc[second]).all(axis=1).to_numpy()
    return int(np.flatnonzero(same)[0]), second


def _panel_days(panel_sessions: pd.DatetimeIndex) -> DayArray:
    """Session dates of a panel."""
    index = pd.DatetimeIndex(panel_sessions)
    if not len(index):
        raise InputError("The panel has no sessions.", remedy="Load prices that cover the events.")
    if index.tz is not None or index.hasnans or (index != index.normalize()).any():
        raise InputError("The panel's sessions must be naive midnights.", remedy="Drop zone and time of day.")
    days = index.to_numpy().astype("datetime64[D]")
    if not (days[1:] > days[:-1]).all():
        raise InputError("The panel's sessions must ascend without repeats.", remedy="Sort and deduplicate them.")
    return days
