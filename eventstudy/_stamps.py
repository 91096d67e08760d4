"""Stamps and zones: text, dates and moments into nanoseconds, with errors that name their row."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy.errors import AlignmentError, InputError

if TYPE_CHECKING:
    from eventstudy._typing import BoolArray, IntArray

ObjectArray: TypeAlias = npt.NDArray[np.object_]
NS_PER_DAY = 86_400_000_000_000

_STAMP = (
    r"^\s*(?P<date>\d{4}-\d{2}-\d{2}|\d{8})"
    r"(?:[T ](?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?)?\s*$"
)
_ISO_REMEDY = "Write it as ISO 8601: '2025-01-29', '2025-01-29 04:46' or '2025-01-29T04:46:00-05:00'."


@dataclass(frozen=True, slots=True)
class Origin:
    """How errors name an element of the input: ``line 3`` of a file, ``row 2`` of a frame, or nothing."""

    word: str = "row"
    line_of: Callable[[int], int] = lambda position: position + 1

    def where(self, position: int) -> str:
        return f" ({self.word} {self.line_of(position)})" if self.word else ""

    def pair(self, first: int, second: int) -> str:
        return f"{self.where(first)}{self.where(second)}".replace(") (", " and ")


def stripped(column: pd.Series[Any]) -> ObjectArray:
    """Column as text without blanks at either end; missing cells become empty."""
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).where(column.notna(), "").astype(str)
    return column.fillna("").str.strip().to_numpy(dtype=object)


def read_texts(column: pd.Series[Any] | None) -> ObjectArray | None:
    """Column as stripped text, None where blank; None for a column that is blank throughout."""
    if column is None:
        return None
    text = stripped(column)
    blank = text == ""
    if blank.all():
        return None
    text[blank] = None
    return text


def zone_name(tz: str | tzinfo) -> str:
    """Name under which pandas finds a zone again."""
    name = tz.strip() if isinstance(tz, str) else str(getattr(tz, "key", None) or getattr(tz, "zone", None) or tz)
    try:
        pd.Timestamp(0, tz=name)
    except (KeyError, ValueError, TypeError, OSError) as error:
        from zoneinfo import available_timezones

        near = difflib.get_close_matches(name.replace(" ", "_"), sorted(available_timezones()), n=3)
        raise InputError(
            f"Unknown time zone {name!r}.",
            remedy=f"Use a name such as {', '.join(near) or 'America/New_York, Europe/London, UTC'}.",
            tz=name,
        ) from error
    return name


def read_zones(
    column: pd.Series[Any] | None, tz: str | tzinfo | None, ticker: ObjectArray, origin: Origin
) -> ObjectArray | None:
    """Stated zone of each row: its own, else the common one; None where neither is given."""
    common = None if tz is None else zone_name(tz)
    zone = read_texts(column)
    if zone is None:
        return None if common is None else np.full(len(ticker), common, dtype=object)
    codes, names = pd.factorize(zone)
    known = []
    for code, name in enumerate(names):
        try:
            known.append(zone_name(name))
        except InputError as error:
            row = int(np.flatnonzero(codes == code)[0])
            raise InputError(f"{ticker[row]}{origin.where(row)}: {error}", ticker=ticker[row], tz=name) from error
    return np.array([*known, common], dtype=object)[codes]


def read_stamps(
    column: pd.Series[Any], zone: ObjectArray | None, ticker: ObjectArray, origin: Origin
) -> tuple[IntArray, BoolArray, ObjectArray]:
    """Stamp, has_time and zone of each row, shape (n,) each."""
    n = len(column)
    empty = column.isna().to_numpy(dtype=bool)
    if empty.any():
        raise unreadable(int(np.flatnonzero(empty)[0]), "is missing", ticker, origin)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        stamp = to_ns(pd.DatetimeIndex(column), np.arange(n), ticker, origin)
        return stamp, np.ones(n, dtype=bool), filled(n, zone_name(column.dtype.tz))
    if pd.api.types.is_datetime64_dtype(column.dtype):
        stamp = to_ns(pd.DatetimeIndex(column), np.arange(n), ticker, origin)
        own = filled(n, None)
    else:
        stamp, own = parsed(column, ticker, origin)
    has_offset = pd.notna(own)
    has_time: BoolArray = has_offset | (stamp % NS_PER_DAY != 0)
    naive = has_time & ~has_offset
    if zone is not None:
        # A stamp's own offset decides; the zone's name is kept beside it where both agree.
        name_offsets(stamp, own, zone, np.flatnonzero(has_offset))
        own = np.where(naive, zone, own)
    lacking = naive & pd.isna(own)
    if lacking.any():
        row = int(np.flatnonzero(lacking)[0])
        text = text_of(column, row)
        raise AlignmentError(
            f"Stamp {text!r} of {ticker[row]}{origin.where(row)} has a time of day but no time zone.",
            remedy="Pass tz, for instance tz='America/New_York', or write the offset ('-05:00'); "
            "for a session give the date alone.",
            ticker=ticker[row],
            stamp=text,
        )
    localize(stamp, own, np.flatnonzero(naive), ticker, origin)
    return stamp, has_time, own


def filled(n: int, value: object) -> ObjectArray:
    return np.full(n, value, dtype=object)


def to_ns(index: pd.DatetimeIndex, rows: IntArray, ticker: ObjectArray, origin: Origin) -> IntArray:
    """Nanoseconds of the stamps of ``rows``; years that do not fit are refused by name."""
    try:
        return np.array(index.as_unit("ns").asi8)
    except pd.errors.OutOfBoundsDatetime:
        year = np.asarray(index.year)
        at = int(np.flatnonzero((year < 1678) | (year > 2261))[0])
        raise unreadable(int(rows[at]), f"is {index[at]}, outside the years 1678–2261", ticker, origin) from None


def parsed(column: pd.Series[Any], ticker: ObjectArray, origin: Origin) -> tuple[IntArray, ObjectArray]:
    """Stamps of a column of text or Python objects: UTC where an own zone is known, naive otherwise."""
    own = filled(len(column), None)
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        stamp = parsed_text(column, own, np.arange(len(column)), ticker, origin)
        return stamp, own
    values = column.to_numpy(dtype=object)
    stamp = np.zeros(len(column), dtype=np.int64)
    textual = np.fromiter((isinstance(value, str | int) for value in values), dtype=bool, count=len(values))
    rows = np.flatnonzero(textual)
    if len(rows):
        text = pd.Series([str(value) for value in values[rows]], dtype=str)
        part = own[rows]
        stamp[rows] = parsed_text(text, part, rows, ticker, origin)
        own[rows] = part
    for row in np.flatnonzero(~textual):
        stamp[row], own[row] = parsed_object(values[row], int(row), ticker, origin)
    return stamp, own


def parsed_text(
    text: pd.Series[Any], own: ObjectArray, rows: IntArray, ticker: ObjectArray, origin: Origin
) -> IntArray:
    """Stamps of ISO 8601 text; fills ``own`` with the offset's name where one is written."""
    import pyarrow as pa
    import pyarrow.compute as pc

    matched = pc.extract_regex(pa.array(text, type=pa.large_string(), from_pandas=True), pattern=_STAMP)
    offset = pc.struct_field(matched, "offset").to_pandas().to_numpy(dtype=object)
    parsed = pd.to_datetime(text.str.strip(), format="ISO8601", utc=True, errors="coerce")
    bad = matched.is_null().to_numpy(zero_copy_only=False) | parsed.isna().to_numpy(dtype=bool)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise unreadable(int(rows[row]), f"is {text.iloc[row]!r}, no ISO 8601 date or time", ticker, origin)
    codes, names = pd.factorize(offset)
    zones = np.array([offset_zone(name) for name in names], dtype=object)
    own[:] = zones[codes]
    return to_ns(pd.DatetimeIndex(parsed), rows, ticker, origin)


def offset_zone(text: str) -> str | None:
    """Zone name of an offset as written: ``Z``, ``-05``, ``-0500`` or ``-05:00``; None for none."""
    if not text:
        return None
    if text == "Z":
        return "UTC"
    digits = text[1:].replace(":", "").ljust(4, "0")
    sign = -1 if text[0] == "-" else 1
    return str(timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))))


def parsed_object(value: object, row: int, ticker: ObjectArray, origin: Origin) -> tuple[int, str | None]:
    """Stamp and zone of one date, datetime, Timestamp or datetime64."""
    if not isinstance(value, date | np.datetime64):
        raise unreadable(row, f"is {value!r}, neither text, date nor time", ticker, origin)
    try:
        moment = pd.Timestamp(value).as_unit("ns")
    except (pd.errors.OutOfBoundsDatetime, ValueError):
        raise unreadable(row, f"is {value!s}, outside the years 1678–2261", ticker, origin) from None
    if moment.tz is None:
        return moment.value, None
    if isinstance(value, datetime) and not isinstance(value, pd.Timestamp):
        there_and_back = value.astimezone(UTC).astimezone(value.tzinfo)
        if there_and_back.replace(tzinfo=None, fold=0) != value.replace(tzinfo=None, fold=0):
            raise no_such_time(str(value.replace(tzinfo=None)), str(value.tzinfo), row, ticker, origin)
    return moment.value, zone_name(moment.tz)


def unreadable(row: int, what: str, ticker: ObjectArray, origin: Origin) -> InputError:
    name = ticker[row]
    return InputError(
        f"The timestamp of {name}{origin.where(row)} {what}.", remedy=_ISO_REMEDY, ticker=name, row=row + 1
    )


def no_such_time(text: str, zone: str, row: int, ticker: ObjectArray, origin: Origin) -> AlignmentError:
    return AlignmentError(
        f"Stamp '{text}' of {ticker[row]}{origin.where(row)} does not exist in {zone}: clocks skip it.",
        remedy="Write the stamp with its offset, for instance '-05:00'.",
        ticker=ticker[row],
        stamp=text,
        tz=zone,
    )


def text_of(column: pd.Series[Any], row: int) -> str:
    return str(column.iloc[row]).strip()


def offsets(stamp: IntArray, zone: str) -> IntArray:
    """Nanoseconds by which a zone's clock is ahead of UTC at UTC moments (n,)."""
    moments = pd.DatetimeIndex(stamp, tz="UTC")
    return moments.tz_convert(zone).tz_localize(None).asi8 - stamp


def add_offsets(stamp: IntArray, zone: ObjectArray) -> None:
    """Turn UTC stamps into local ones, in place; those without zone stay."""
    codes, names = pd.factorize(zone)
    for code, name in enumerate(names):
        rows = slice(None) if len(names) == 1 and (codes >= 0).all() else np.flatnonzero(codes == code)
        stamp[rows] += offsets(stamp[rows], name)


def name_offsets(stamp: IntArray, own: ObjectArray, zone: ObjectArray, rows: IntArray) -> None:
    """Replace a bare offset in ``own`` by the stated zone that has this offset at that moment."""
    if not len(rows):
        return
    codes, names = pd.factorize(zone[rows])
    for code, name in enumerate(names):
        members = rows[codes == code]
        offset = np.array(stamp[members])
        add_offsets(offset, own[members])
        agree = offset - stamp[members] == offsets(stamp[members], name)
        own[members[agree]] = name


def localize(stamp: IntArray, zone: ObjectArray, rows: IntArray, ticker: ObjectArray, origin: Origin) -> None:
    """Turn naive stamps of ``rows`` into UTC ones, in place."""
    codes, names = pd.factorize(zone[rows])
    for code, name in enumerate(names):
        members = rows[codes == code]
        local = pd.DatetimeIndex(stamp[members].view("datetime64[ns]"))
        moments = local.tz_localize(name, ambiguous="NaT", nonexistent="NaT")
        lost = np.flatnonzero(moments.isna())
        if len(lost):
            at, row = local[lost[0]], int(members[lost[0]])
            if pd.isna(at.tz_localize(name, ambiguous=True, nonexistent="NaT")):
                raise no_such_time(str(at), name, row, ticker, origin)
            raise AlignmentError(
                f"Stamp '{at}' of {ticker[row]}{origin.where(row)} is ambiguous: {name} has it twice.",
                remedy="Write the stamp with its offset, for instance '-05:00'.",
                ticker=ticker[row],
                stamp=str(at),
                tz=name,
            )
        stamp[members] = moments.as_unit("ns").asi8


def stamp_texts(stamp: IntArray, has_time: BoolArray, zone: ObjectArray) -> ObjectArray:
    """ISO 8601 text of stamps: local time with offset, or the date alone."""
    text = np.empty(len(stamp), dtype=object)
    text[~has_time] = stamp[~has_time].view("datetime64[ns]").astype("datetime64[D]").astype(str)
    rows = np.flatnonzero(has_time)
    if len(rows):
        moments = stamp[rows]
        local = np.array(moments)
        add_offsets(local, zone[rows])
        unit = "s" if not (local % 1_000_000_000).any() else "ns"
        clock = np.datetime_as_string(local.view("datetime64[ns]"), unit=cast("Any", unit)).astype(object)
        codes, offsets = pd.factorize(local - moments)
        text[rows] = clock + np.array([offset_text(int(offset)) for offset in offsets], dtype=object)[codes]
    return text


def offset_text(offset: int) -> str:
    minutes = abs(offset) // 60_000_000_000
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def short(text: str) -> str:
    """Stamp for a one-line summary: minutes, offset, a blank instead of ``T``."""
    return f"{text[:10]} {text[11:16]}{text[-6:]}" if "T" in text else text
