"""From the options of a command to what the library takes."""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from eventstudy.cli.base import misused
from eventstudy.cli.study_file import INLINE, inline_events
from eventstudy.errors import DataSourceError, EventStudyError, EventStudyWarning, InputError

if TYPE_CHECKING:
    from eventstudy import EventCalendar, Events, Prices, Window
    from eventstudy.hygiene import Exclude
    from eventstudy.windows import EstimationLike

__all__ = [
    "Windows",
    "all_tickers",
    "check_source",
    "exclude_of",
    "find_prices",
    "read_confounders",
    "read_events",
    "read_exclude",
    "span",
]

# Sessions to calendar days, generous to exchanges with long holidays: loading more than needed does no harm.
_DAYS_PER_SESSION, _SPARE_DAYS = 1.6, 15
_MINUTES: Final = 240  # of trading on a day at the least
_DAY: Final = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:[+-]\d{2}:?\d{2}|Z)?)?"
_EXCLUDE: Final = re.compile(rf"(?:(.+)=)?({_DAY})(?::({_DAY}))?")


class Windows:
    """The windows of a run, checked before anything is loaded."""

    def __init__(self, estimation: str, event: str, car: Sequence[str] | None, min_obs: int | None) -> None:
        from eventstudy.windows import check_windows, estimation_span

        try:
            self.span, self.hole = estimation_span(estimation)
        except InputError as error:
            misused(str(error), "--estimation")
        self.event = _window(event, "--window")
        self.car = [_window(text, "--car") for text in car] if car else None
        try:
            check_windows(self.span, self.event, min_obs or 1, self.hole)
        except InputError as error:
            misused(str(error), "--estimation")
        self.estimation: EstimationLike = self.span if self.hole is None else estimation.split(",")
        for window in self.car or []:
            try:
                self.event.columns(window)
            except InputError:
                misused(
                    f"Window {window} is not inside the event window {self.event}. Widen --window, or ask for a "
                    "shorter one.",
                    "--car",
                )


def _window(text: str, option: str) -> Window:
    from eventstudy import Window

    try:
        return Window.of(text)
    except InputError as error:
        misused(str(error), option)


def read_exclude(texts: Sequence[str] | None) -> list[tuple[str, str, str]]:
    """Ticker (empty for all securities), first and last day of each ``[TICKER=]DATE[:DATE]``."""
    found = []
    for text in texts or []:
        match = _EXCLUDE.fullmatch(text.strip())
        if match is None:
            misused(f"{text!r} is neither DATE nor DATE:DATE. Such as 2025-01-27, or NVDA=2024-11-21.", "--exclude")
        ticker, start, end = match.groups()
        found.append((ticker or "", start, end or start))
    return found


def exclude_of(runs: Sequence[tuple[str, str, str]], tickers: Sequence[str]) -> Exclude | None:
    """What the library takes; days of all securities are repeated where others are of one."""
    if not runs:
        return None

    def days(own: str) -> list[Any]:
        return [start if start == end else (start, end) for ticker, start, end in runs if ticker in ("", own)]

    named = [ticker for ticker, _, _ in runs if ticker]
    return {name: days(name) for name in dict.fromkeys([*tickers, *named]) if days(name)} if named else days("")


def check_source(source: str) -> None:
    """Refuse a source that is none."""
    from eventstudy.data import FileProvider

    if source not in ("sample", "yahoo") and not FileProvider.recognises(source):
        misused(f"Unknown source {source!r}. Use sample, yahoo, or the path of a CSV or Parquet file.", "--source")


def read_events(path: str, tz: str | None) -> Events:
    """Events of a file, or of standard input for ``-``."""
    from eventstudy import Events

    if path.startswith(INLINE):
        import pandas as pd

        return Events.from_frame(pd.DataFrame(inline_events(Path(path[len(INLINE) :]))), tz=tz)
    if path != "-":
        return Events.read(path, tz=tz)
    content = typer.get_binary_stream("stdin").read()
    if not content.strip():
        raise InputError("Standard input is empty.", remedy="Pipe a CSV with the columns ticker and timestamp into it.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "stdin.csv"  # a file, so that errors name its lines
        copy.write_bytes(content)
        try:
            return Events.read(copy, tz=tz)
        except DataSourceError as error:
            raise DataSourceError(str(error).replace(repr(str(copy)), "on standard input")) from None


def read_confounders(path: str | None, tz: str | None) -> EventCalendar | None:
    """Other dated events of a file, or those of the bundled case for ``sample``."""
    from eventstudy import EventCalendar

    if path is None:
        return None
    return EventCalendar.sample() if path == "sample" else EventCalendar.read(path, tz=tz)


def span(events: Events, windows: Windows, interval: str = "1d") -> tuple[datetime, datetime]:
    """First and last date that the windows of all events may need, today at the latest."""
    moments = [datetime.fromtimestamp(int(stamp) // 10**9, UTC) for stamp in (events.stamp.min(), events.stamp.max())]
    first, last = (datetime(moment.year, moment.month, moment.day) for moment in moments)
    before = max(0, -windows.span.start, -windows.event.start)
    after = max(0, windows.event.end, windows.span.end)
    now = datetime.now(UTC)
    return first - _days(before, interval), min(last + _days(after, interval), datetime(now.year, now.month, now.day))


def _days(columns: int, interval: str) -> timedelta:
    from eventstudy.data.intervals import bar_length, is_intraday

    if is_intraday(interval):
        sessions = columns * bar_length(interval).total_seconds() / 60 / _MINUTES
        return timedelta(days=math.ceil(sessions * _DAYS_PER_SESSION) + _SPARE_DAYS // 3)
    days = {"1wk": 7.0, "1mo": 31.0}.get(interval, _DAYS_PER_SESSION)
    return timedelta(days=math.ceil(columns * days) + _SPARE_DAYS + (31 if interval == "1mo" else 0))


def find_prices(tickers: Sequence[str], benchmarks: Sequence[str], all_or_none: bool, **options: Any) -> Prices:
    """Prices of benchmarks and events, without the event tickers that the source lacks."""
    from eventstudy import load_prices

    wanted = list(dict.fromkeys([*benchmarks, *tickers]))
    while True:
        try:
            return load_prices(wanted, **options)
        except EventStudyError as error:
            lacking = [] if all_or_none else _lacking(error, wanted)
            left = [name for name in wanted if name not in lacking]
            if not lacking or set(benchmarks) & set(lacking) or not set(left) & set(tickers):
                raise
            warnings.warn(f"events of {', '.join(lacking)} are left out: {error}", EventStudyWarning, stacklevel=2)
            wanted = left


def _lacking(error: EventStudyError, wanted: Sequence[str]) -> list[str]:
    """Tickers that the source does not have, as an error of :func:`load_prices` tells; empty for other errors."""
    from eventstudy.data.failures import failures_of

    if "findings" in error.context:
        return []  # the prices are there, and look damaged
    failures = failures_of(error, list(wanted))
    # A failure that may pass must not thin a study out.
    return list(failures) if all(cause.lacking for cause in failures.values()) else []


def all_tickers(source: str) -> list[str]:
    """Every ticker of the sample or of a file."""
    from eventstudy import load_prices
    from eventstudy.data import FileProvider, sample

    if source == "sample":
        return sample.tickers()
    if not FileProvider.recognises(source):
        misused(f"{source!r} has no list of tickers. Use sample, or the path of a CSV or Parquet file.", "--source")
    try:
        load_prices("no such ticker", source=source)  # the error lists those that exist
    except InputError as error:
        if "available" in error.context:
            return [str(name) for name in error.context["available"]]  # type: ignore[attr-defined]
        raise
    return []
