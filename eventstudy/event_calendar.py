"""Other dated events: earnings, central-bank days, ex-dividends, policy, as a table with the session of each."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from eventstudy._event_columns import read_csv
from eventstudy._frames import as_pandas
from eventstudy._paths import as_path
from eventstudy._stamps import NS_PER_DAY, ObjectArray, Origin, read_stamps, read_zones, stripped
from eventstudy.data import sample
from eventstudy.data.calendars import RULES, trading_hours
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError
from eventstudy.events import Events, ResolvedEvents

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, IntArray
    from eventstudy.data.prices import DateLike
    from eventstudy.panel import ReturnPanel
    from eventstudy.results import EventStudyResults

__all__ = ["TIMINGS", "EventCalendar"]

_COLUMNS: Final = ("date", "time", "tz", "timing", "scope", "kind", "label", "certainty", "source")
TIMINGS: Final = ("before open", "during", "after close", "closed", "holiday", "weekend", "")
"""Parts of the day of a row without a clock time; the last three and a blank say no more than the date."""

_BEFORE, _DURING, _AFTER = TIMINGS[:3]
_TIMING_WORDS: Final = {"bmo": _BEFORE, "pre-market": _BEFORE, "amc": _AFTER, "after-hours": _AFTER}
_NEW_YORK: Final = "America/New_York"
_REACH: Final = 14  # days within which every exchange opens again
_OPEN_DAY: Final = {_BEFORE: RULES[0], _DURING: RULES[1], _AFTER: RULES[2]}


@dataclass(frozen=True, eq=False, repr=False)
class EventCalendar:
    """Dated events other than those studied, and whom each concerns.

    Build one with :meth:`sample`, :meth:`read`, :meth:`from_frame` or :meth:`from_yahoo`, join several with
    :meth:`concat`, and give it to :meth:`eventstudy.Events.confounded_by` or the methods of the results.

    Parameters
    ----------
    frame : DataFrame
        Columns as :meth:`to_frame` gives them; use :meth:`from_frame` for any other form.

    Notes
    -----
    A row with a clock time belongs to the session that :func:`eventstudy.data.calendars.session_of` gives: at the
    close or later, the next one. A row without one follows its ``timing``: "after close" belongs to the first session
    after its date, any other to that date's session or, on a day without trading, to the next.

    Examples
    --------
    >>> import eventstudy as es
    >>> calendar = es.EventCalendar.sample().select(scope="MSFT", kind="earnings")
    >>> calendar.to_frame()[["date", "timing", "label"]].to_dict("list")
    {'date': ['2025-01-29'], 'timing': ['after close'], 'label': ['quarterly results']}
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", _settled(self.frame, None, Origin()))

    @classmethod
    def _make(cls, frame: pd.DataFrame, tz: str | tzinfo | None, origin: Origin) -> EventCalendar:
        self = object.__new__(cls)
        object.__setattr__(self, "frame", _settled(frame, tz, origin))
        return self

    @classmethod
    def from_frame(cls, df: Any, *, tz: str | tzinfo | None = None) -> EventCalendar:
        """Calendar from a frame with one row per dated event.

        Column names are matched without regard to case; columns not named here are left out.

        Parameters
        ----------
        df : DataFrame of pandas or polars, pyarrow Table
            ``date`` (ISO text or dates), ``scope`` and ``label`` are needed. ``scope`` is a ticker, a group of the
            events, "sector" (every security studied: a calendar is made for a study), "market", or several of them
            with a semicolon between. Optional: ``time`` (``HH:MM``; called ``time_et`` it is New York's), ``tz``
            (zone of the time), ``timing`` (one of :data:`TIMINGS`, "bmo" or "amc"), ``kind`` (such as "earnings"),
            ``certainty`` and ``source``.
        tz : str or tzinfo, optional
            Zone of the times of rows that name none.

        Raises
        ------
        InputError
            For a missing column, an empty table, a blank scope or label, or an unknown timing, naming the row.
        AlignmentError
            For a time without a zone.
        """
        return cls._make(as_pandas(df, "dated events"), tz, Origin())

    @classmethod
    def read(cls, path: str | Path, *, tz: str | tzinfo | None = None) -> EventCalendar:
        """Calendar from a CSV file; see :meth:`from_frame` for its columns.

        Raises
        ------
        DataSourceError
            When the file is absent or cannot be read.
        InputError, AlignmentError
            As :meth:`from_frame`, naming the line (the header is line 1).
        """
        path = as_path(path)
        if not path.is_file():
            raise DataSourceError(f"There is no calendar file {str(path)!r}.", remedy="Check the path.", path=str(path))
        try:
            frame = read_csv(path)
        except InputError:
            raise
        except (OSError, ValueError) as error:
            raise DataSourceError(
                f"Calendar file {str(path)!r} cannot be read: {error}.", remedy="Save it as UTF-8 CSV.", path=str(path)
            ) from error
        filled = np.flatnonzero((frame.apply(lambda column: column.str.strip()) != "").any(axis=1))
        return cls._make(frame.iloc[filled], tz, Origin("line", lambda position: int(filled[position]) + 2))

    @classmethod
    def sample(cls) -> EventCalendar:
        """Calendar of the bundled case: December 2024 to February 2025, with the certainty and source of every row.

        It is ``known_events.csv`` of the sample with corrections and additions, each named in ``source``.
        """
        return cls.read(sample.directory() / "calendar_2025.csv")

    @classmethod
    def from_yahoo(
        cls,
        tickers: str | Sequence[str],
        start: DateLike | None = None,
        end: DateLike | None = None,
        **options: Any,
    ) -> EventCalendar:
        """Earnings dates, ex-dividends and splits of some securities from Yahoo Finance, through yfinance.

        Parameters
        ----------
        tickers : str or sequence of str
            Yahoo symbols.
        start, end : date-like, optional
            First and last date, both inclusive; all that Yahoo has by default.
        **options
            ``kinds``, ``provider``, ``cache``, ``offline`` of :func:`eventstudy.data.yahoo_facts.dated_facts`.

        Returns
        -------
        EventCalendar
            ``certainty`` is "medium" for earnings, whose hours Yahoo rounds, and "high" otherwise.

        Raises
        ------
        DataSourceError
            When Yahoo does not answer for a ticker, or has none of this in the range.
        """
        from eventstudy.data.yahoo_facts import dated_facts

        return cls.from_frame(dated_facts(tickers, start, end, **options))

    @classmethod
    def concat(cls, calendars: Iterable[EventCalendar]) -> EventCalendar:
        """One calendar of several; a row that repeats another in every column is kept once.

        Raises
        ------
        InputError
            If there is none.
        """
        parts = [calendar.frame for calendar in calendars]
        if not parts:
            raise InputError("There is no calendar to concatenate.")
        return cls(pd.concat(parts, ignore_index=True).drop_duplicates())

    # -- what it holds -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        first, last = self.frame["date"].min(), self.frame["date"].max()
        return f"EventCalendar({len(self):,} dated event{'s' * (len(self) != 1)}, {first} to {last})"

    def _repr_html_(self) -> str:
        shown = 20
        more = f"<p>… {len(self) - shown:,} more</p>" if len(self) > shown else ""
        return f"<div><p>{escape(repr(self))}</p>{self.frame.head(shown).to_html(index=False, border=0)}{more}</div>"

    def to_frame(self) -> pd.DataFrame:
        """Plain table; :meth:`from_frame` reads it back.

        Returns
        -------
        DataFrame
            Columns of text: ``date`` (ISO), ``time`` (``HH:MM`` or blank), ``tz``, ``timing``, ``scope``, ``kind``,
            ``label``, ``certainty``, ``source``.
        """
        return self.frame.copy()

    def select(
        self,
        *,
        scope: str | Iterable[str] | None = None,
        kind: str | Iterable[str] | None = None,
        certainty: str | Iterable[str] | None = None,
    ) -> EventCalendar:
        """Rows that meet every condition given.

        Raises
        ------
        InputError
            If none does; the values that exist are listed.
        """
        keep = self._mask({"scope": scope, "kind": kind, "certainty": certainty})
        return EventCalendar(self.frame[keep])

    def without(
        self,
        *,
        scope: str | Iterable[str] | None = None,
        kind: str | Iterable[str] | None = None,
        certainty: str | Iterable[str] | None = None,
    ) -> EventCalendar:
        """Rows but those that meet every condition given.

        Raises
        ------
        InputError
            If no row meets them, or none is left.
        """
        return EventCalendar(self.frame[~self._mask({"scope": scope, "kind": kind, "certainty": certainty})])

    def _mask(self, wanted: dict[str, str | Iterable[str] | None]) -> BoolArray:
        keep = np.ones(len(self), dtype=bool)
        for name, value in wanted.items():
            if value is None:
                continue
            values = {value} if isinstance(value, str) else set(value)
            held = [set(scopes) for scopes in self.scopes] if name == "scope" else [{text} for text in self.frame[name]]
            found = np.array([not values.isdisjoint(texts) for texts in held])
            if not found.any():
                known = sorted(set().union(*held))
                raise InputError(
                    f"No row of the calendar has the {name} {', '.join(map(repr, sorted(values)))}; there are {known}.",
                    remedy="Choose among them.",
                )
            keep &= found
        if not keep.any():
            raise InputError("No row of the calendar meets all conditions.", remedy="Drop one of them.")
        return keep

    @functools.cached_property
    def scopes(self) -> list[list[str]]:
        """Whom each row concerns: tickers, groups, "sector" or "market"."""
        return [[part.strip() for part in text.split(";") if part.strip()] for text in self.frame["scope"]]

    @functools.cached_property
    def _stamped(self) -> tuple[IntArray, BoolArray, ObjectArray]:
        """Stamp, has_time and zone of each row; see :class:`eventstudy.Events`."""
        return _stamps(self.frame, Origin())

    # -- sessions ------------------------------------------------------------------------------------------------

    def resolve(self, sessions: pd.DatetimeIndex | ReturnPanel, exchange: str = "NYSE") -> ResolvedEvents:
        """Session of every row, as a position among some sessions.

        Parameters
        ----------
        sessions : DatetimeIndex of shape (n_sessions,), or ReturnPanel
            Naive midnights, ascending: those of a panel, or of the exchange. Of a panel of weeks, months or intraday
            bars the week, month or bar that holds the row is found. A row without a clock time falls into the bar
            that holds the open of its session ("before open") or the night after its close ("after close"); one that
            says no more than its date has no bar.
        exchange : str
            Exchange calendar that places the rows with a clock time.

        Returns
        -------
        ResolvedEvents
            As :meth:`eventstudy.Events.resolve`; position −1 for a row before the first or after the last session.
            A session of the exchange that is not among ``sessions`` gives the next that is: the return there holds it.
        """
        if not isinstance(sessions, pd.DatetimeIndex):
            if sessions.frequency != "D":
                return self._in_periods(sessions, exchange)
            sessions = sessions.sessions
        stamp, has_time, _ = self._stamped
        late = ~has_time & (self.frame["timing"] == _AFTER).to_numpy()
        # the first session after a date is the first from the next day on
        found = self._as_events(stamp + late * NS_PER_DAY, has_time).resolve(sessions, exchange)
        days = pd.DatetimeIndex(sessions).to_numpy().astype("datetime64[D]")
        position, session = found.position.copy(), found.session
        lost = (position < 0) & ~np.isnat(session) & (session >= days[0]) & (session <= days[-1])
        position[lost] = np.searchsorted(days, session[lost])
        stated = stamp.view("datetime64[ns]").astype("datetime64[D]")
        traded = days[np.minimum(np.searchsorted(days, stated), len(days) - 1)] == stated
        rule, timing, bare = found.rule.copy(), self.frame["timing"].to_numpy(dtype=object), ~has_time & (position >= 0)
        for word, name in _OPEN_DAY.items():
            rule[bare & (timing == word)] = name
        rule[bare & ~traded] = RULES[3]
        shift = np.where(np.isnat(session), 0, (session - stated).astype(np.int64))
        return ResolvedEvents(position, session, rule, np.where(has_time, found.shift, shift), found.reason)

    def _as_events(self, stamp: IntArray, has_time: BoolArray, zone: ObjectArray | None = None) -> Events:
        """One event of its own for each row."""
        names = np.arange(len(self)).astype(str).astype(object)
        return Events(np.arange(len(self)), names, stamp, has_time, self._stamped[2] if zone is None else zone)

    def _in_periods(self, panel: ReturnPanel, exchange: str) -> ResolvedEvents:
        """Week, month or bar of every row."""
        stamp, has_time, zone = self._stamped
        timing = self.frame["timing"].to_numpy(dtype=object)
        bare = ~has_time
        if panel.frequency != "intraday":
            return self._as_events(stamp + (bare & (timing == _AFTER)) * NS_PER_DAY, has_time).resolve(panel, exchange)
        told = np.flatnonzero(bare & np.isin(timing, [_BEFORE, _AFTER]))
        vague = np.flatnonzero(bare & ~np.isin(timing, [_BEFORE, _AFTER]))
        if len(vague):
            warnings.warn(
                f"{len(vague)} rows of the calendar give no time of day and fall into no intraday bar (first: "
                f"{self.frame['label'].iat[int(vague[0])]!r} of {self.frame['date'].iat[int(vague[0])]}).",
                EventStudyWarning,
                stacklevel=2,
            )
        stamp, has_time, zone = stamp.copy(), has_time.copy(), zone.copy()
        if len(told):
            day = stamp[told].view("datetime64[ns]").astype("datetime64[D]")
            hours = trading_hours(panel.calendar, str(day.min()), str(day.max() + _REACH))
            at = np.searchsorted(hours.session, day)
            late = (timing[told] == _AFTER) & (hours.session[at] == day)
            # one nanosecond before the open is still the night
            stamp[told] = np.where(late, hours.close[at], hours.open[at] - 1)
            has_time[told], zone[told] = True, str(hours.zone)
        return self._as_events(stamp, has_time, zone).resolve(panel, exchange)

    def marks(
        self, results: EventStudyResults, *, reach: str | Iterable[str] | None = None, width: int = 60
    ) -> dict[int, str]:
        """Marks for figures and reports: what else happened on each session of the event window.

        Parameters
        ----------
        results : EventStudyResults
            All of whose events share one event session.
        reach : str or iterable of str, optional
            "security", "group", "sector", "market": how near a row must be to the events; all by default.
        width : int
            Longest text; a longer one ends in "…".

        Returns
        -------
        dict of int to str
            For ``mark=`` of the figures and ``marks=`` of the report. A row of named securities reads
            "META, MSFT: quarterly results".

        Raises
        ------
        InputError
            If the events have different event sessions.
        """
        from eventstudy._confounded import marks_of

        return marks_of(self, results, reach, width)


def _settled(df: pd.DataFrame, tz: str | tzinfo | None, origin: Origin) -> pd.DataFrame:
    """Columns by name, as stripped text, checked."""
    held = {str(name).strip().lower(): place for place, name in enumerate(df.columns)}
    missing = [name for name in ("date", "scope", "label") if name not in held]
    if missing:
        raise InputError(
            f"The calendar lacks the column{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, map(str, df.columns))) or 'none'}.",
            remedy="Rename or add what is missing.",
            missing=missing,
        )
    if len(df) == 0:
        raise InputError("The calendar is empty.", remedy="Give at least one dated event.")
    eastern = "time" not in held and "time_et" in held
    blank = np.full(len(df), "", dtype=object)

    def text(name: str) -> ObjectArray:
        column = df.iloc[:, held[name]].reset_index(drop=True) if name in held else None
        if column is None:
            return blank
        if name == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
            column = column.dt.strftime("%Y-%m-%d")
        return stripped(column)

    frame = pd.DataFrame({name: text("time_et" if eastern and name == "time" else name) for name in _COLUMNS})
    timed = (frame["time"] != "") | frame["date"].str.contains(":")
    zone = _NEW_YORK if eastern and tz is None else tz
    if zone is not None:
        frame["tz"] = frame["tz"].mask(timed & (frame["tz"] == ""), str(zone))
    frame["timing"] = frame["timing"].str.lower().map(lambda word: _TIMING_WORDS.get(word, word))
    for name in ("scope", "label"):
        for row in np.flatnonzero(frame[name].str.strip("; ") == "")[:1].tolist():
            raise InputError(
                f"The {name} of the calendar's row of {frame['date'].iat[row]}{origin.where(row)} is blank.",
                remedy="Fill it, or remove the row.",
            )
    for row in np.flatnonzero(~frame["timing"].isin(TIMINGS))[:1].tolist():
        raise InputError(
            f"The timing {frame['timing'].iat[row]!r} of {frame['label'].iat[row]!r}{origin.where(row)} is not known.",
            remedy=f"Use one of {', '.join(map(repr, TIMINGS[:-1]))}, or leave it blank.",
        )
    _stamps(frame, origin)
    return frame


def _stamps(frame: pd.DataFrame, origin: Origin) -> tuple[IntArray, BoolArray, ObjectArray]:
    """Stamps of the rows; errors name the row by what it says."""
    names = (frame["scope"] + ": " + frame["label"]).to_numpy(dtype=object)
    zone = read_zones(frame["tz"], None, names, origin)
    text = (frame["date"] + " " + frame["time"]).str.strip()
    for row in np.flatnonzero(text == "")[:1].tolist():
        raise InputError(f"The date of {names[row]}{origin.where(row)} is missing.", remedy="Fill it.")
    return read_stamps(text.astype(object), zone, names, origin)
