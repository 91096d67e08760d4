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
from eventstudy._event_sessions import DATE_RULES, DayArray, ResolvedEvents, first_repeat, resolved
from eventstudy._frames import as_pandas
from eventstudy._limits import read_parquet
from eventstudy._paths import as_path
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
from eventstudy.errors import AlignmentError, DataSourceError, InputError

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, FloatArray, IntArray
    from eventstudy.event_calendar import EventCalendar
    from eventstudy.panel import ReturnPanel
    from eventstudy.windows import WindowLike

__all__ = ["DATE_RULES", "Events", "ResolvedEvents"]

When: TypeAlias = str | date | np.datetime64


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
        if not isinstance(tickers, Iterable):
            raise InputError(f"tickers={tickers!r} is no list of tickers.", remedy='Such as ["MSFT", "NVDA"].')
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
        max_bytes: int | None = None,
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
        max_bytes : int, optional
            Largest size of the file once unpacked; default ``$EVENTSTUDY_MAX_BYTES``, else 1 GiB.

        Returns
        -------
        Events
            One row per line, in the order of the file.

        Raises
        ------
        DataSourceError
            When the file is absent, too large or cannot be read.
        InputError, AlignmentError
            As :meth:`from_frame`, naming the line of a CSV (the header is line 1) or the row of a Parquet.
        """
        path = as_path(path)
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
            where = f"Event file {str(path)!r}"
            frame = read_csv(path, max_bytes) if is_csv else read_parquet(path, where, max_bytes)
        except (DataSourceError, InputError):
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
        df: Any,
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
        df : DataFrame of pandas or polars, pyarrow Table, or any frame that narwhals reads
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
        return cls._table(as_pandas(df, "events"), tz, calendar, Origin())

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

    def resolve(self, panel_sessions: pd.DatetimeIndex | ReturnPanel, calendar: str = "NYSE") -> ResolvedEvents:
        """Event session (τ = 0) of every event, as a position among the panel's sessions.

        A bare date is looked up among the panel's own sessions: that date or, if it is none, the next. A
        moment goes to the first session of its exchange whose close lies strictly after it
        (:func:`eventstudy.data.calendars.session_of`), which the panel must have.

        Parameters
        ----------
        panel_sessions : DatetimeIndex of shape (n_sessions,), or ReturnPanel
            The panel's sessions: naive midnights, strictly ascending. A panel of weeks, months or intraday bars is
            given whole, and the week, month or bar that holds the event is found.
        calendar : str
            Exchange calendar of the events that name none; intraday panels have their own.

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
        from eventstudy._event_periods import placed
        from eventstudy.panel import ReturnPanel

        if isinstance(panel_sessions, ReturnPanel):
            return placed(self, panel_sessions, calendar)
        return resolved(self, panel_sessions, calendar)

    def confounded_by(
        self,
        calendar: EventCalendar,
        sessions: pd.DatetimeIndex | ReturnPanel | None = None,
        *,
        windows: Sequence[WindowLike] = ((0, 0), (0, 1)),
        exchange: str = "NYSE",
        reach: str | Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Other dated events around each security-event, and which windows they fall into.

        A row of the calendar concerns an event when its scope is the event's ticker ("security"), its group ("group"),
        or "sector" or "market". The announcement itself is left out: a row on the event session that has the event's
        moment or label, the event's ``kind`` where the table has such a column, or the certainty "seed".

        Parameters
        ----------
        calendar : EventCalendar
            The other events.
        sessions : DatetimeIndex or ReturnPanel, optional
            Sessions to count in; those of each event's exchange by default.
        windows : sequence of windows
            Pairs of relative sessions, both inclusive.
        exchange : str
            Exchange calendar of the events that name none.
        reach : str or iterable of str, optional
            How near a row must be: "security", "group", "sector", "market"; all by default.

        Returns
        -------
        DataFrame
            One row for each event, window and other event within the span of all windows: ``event_id``, ``ticker``,
            ``session``, ``window``, ``confounder`` (its label), ``kind``, ``scope``, ``reach``, ``certainty``,
            ``date``, ``time``, ``timing``, ``confounder_session``, ``rule`` (what put it there), ``tau`` (that session
            relative to the event's), ``in_window`` and ``source``.

        Raises
        ------
        AlignmentError
            If an event has no event session among the sessions.
        InputError
            For an unknown reach or exchange, or no window.

        Examples
        --------
        >>> import eventstudy as es
        >>> events = es.Events.at("2025-01-29 04:46", "MSFT", tz="America/New_York")
        >>> found = events.confounded_by(es.EventCalendar.sample(), reach="security")
        >>> found[["window", "confounder", "tau", "in_window"]].values.tolist()
        [['[0, 0]', 'quarterly results', 1, False], ['[0, +1]', 'quarterly results', 1, True]]
        """
        from eventstudy.confounders import confounded_by

        return confounded_by(self, calendar, _sessions_of(sessions), windows, exchange=exchange, reach=reach)

    def overlaps(
        self,
        window: WindowLike,
        sessions: pd.DatetimeIndex | ReturnPanel | None = None,
        *,
        exchange: str = "NYSE",
    ) -> pd.DataFrame:
        """Pairs of events of one security whose windows share sessions.

        Parameters
        ----------
        window : Window, pair or str
            Window around each event, in relative sessions.
        sessions : DatetimeIndex or ReturnPanel, optional
            Sessions to count in; those of each event's exchange by default.
        exchange : str
            Exchange calendar of the events that name none.

        Returns
        -------
        DataFrame
            One row for each pair, the earlier event first: ``event_id``, ``other_event_id``, ``ticker``, ``session``,
            ``other_session``, ``shared_sessions`` (how many), ``first_shared`` and ``last_shared`` (dates; NaT beyond
            the sessions). Empty where no windows meet.

        Raises
        ------
        AlignmentError
            If an event has no event session among the sessions.

        Examples
        --------
        >>> import eventstudy as es
        >>> events = es.Events.from_frame(pd.DataFrame({"ticker": "MSFT", "date": ["2025-01-27", "2025-01-29"]}))
        >>> events.overlaps((-1, 1))[["event_id", "other_event_id", "shared_sessions"]].values.tolist()
        [[1, 2, 1]]
        """
        from eventstudy.overlap import overlaps

        return overlaps(self, _sessions_of(sessions), window, exchange=exchange)

    @functools.cached_property
    def _days(self) -> tuple[DayArray, bool]:
        """Calendar date of each event in the zone in which it was stated, and whether these dates are the stamps."""
        local = self.stamp
        if self.has_time.any():
            local = np.array(local)
            add_offsets(local, self.zone)
        day = local // NS_PER_DAY
        day.flags.writeable = False
        return day.view("datetime64[D]"), bool((day * NS_PER_DAY == self.stamp).all())

    def _local_days(self) -> DayArray:
        """Calendar date of each event in the zone in which it was stated."""
        return self._days[0]

    @property
    def _whole_days(self) -> bool:
        """Whether every stamp is a midnight, as those of bare dates are to be."""
        return self._days[1]

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


def _sessions_of(sessions: pd.DatetimeIndex | ReturnPanel | None) -> pd.DatetimeIndex | ReturnPanel | None:
    """Sessions, those of a daily panel, or a panel of weeks, months or bars whole."""
    if sessions is None or isinstance(sessions, pd.DatetimeIndex):
        return sessions
    if not hasattr(sessions, "frequency"):
        raise InputError(
            f"sessions must be a DatetimeIndex or a ReturnPanel, not {type(sessions).__name__}.",
            remedy="Such as sessions=returns.",
        )
    return sessions.sessions if sessions.frequency == "D" else sessions


def _check_duplicates(events: Events, origin: Origin) -> None:
    """Refuse one ticker twice at one stamp."""
    pair = first_repeat(events._coded[0], events.stamp, events.has_time)
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
