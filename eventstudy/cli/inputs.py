"""From the options of a command to what the library takes."""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from eventstudy.cli.base import misused
from eventstudy.cli.study_file import INLINE, inline_events
from eventstudy.errors import CacheMissError, DataSourceError, EventStudyError, EventStudyWarning, InputError

if TYPE_CHECKING:
    from eventstudy import Events, Prices, Window
    from eventstudy.models.base import NormalReturnModel

__all__ = ["Model", "Windows", "check_source", "chosen_model", "find_prices", "read_events", "span"]

# Sessions to calendar days, generous to exchanges with long holidays: loading more than needed does no harm.
_DAYS_PER_SESSION, _SPARE_DAYS = 1.6, 15
# What Yahoo says of a ticker that it lacks; a failure in any other words may pass and must not thin a study out.
_LACKING: Final = re.compile(r"unknown symbol|not a Yahoo symbol|no prices|no rows came")


class Model(StrEnum):
    """Models of normal returns that need no more than names."""

    mean = "mean"
    adjusted = "adjusted"
    market = "market"
    factors = "factors"


class Windows:
    """The windows of a run, checked before anything is loaded."""

    def __init__(self, estimation: str, event: str, car: Sequence[str] | None, min_obs: int | None) -> None:
        from eventstudy.windows import check_windows

        self.estimation = _window(estimation, "--estimation")
        self.event = _window(event, "--window")
        self.car = [_window(text, "--car") for text in car] if car else None
        try:
            check_windows(self.estimation, self.event, min_obs or 1)
        except InputError as error:
            misused(str(error), "--estimation")
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


def chosen_model(model: Model, benchmarks: list[str]) -> NormalReturnModel:
    """Model by its name."""
    from eventstudy import FactorModel, MarketAdjusted, MarketModel, MeanAdjusted

    option = "--benchmark"
    if model is Model.mean:
        if benchmarks:
            misused("The model mean uses no benchmark. Leave it out, or choose another --model.", option)
        return MeanAdjusted()
    if not benchmarks:
        misused(f"The model {model} needs a benchmark, such as --benchmark SPY.", option)
    if model is not Model.factors and len(benchmarks) > 1:
        misused(
            f"The model {model} takes one benchmark, not {len(benchmarks)} ({', '.join(benchmarks)}). "
            "For several, use --model factors.",
            option,
        )
    try:
        if model is Model.factors:
            return FactorModel(benchmarks)
        return MarketModel(benchmarks[0]) if model is Model.market else MarketAdjusted(benchmarks[0])
    except InputError as error:
        misused(str(error), option)


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


def span(events: Events, windows: Windows) -> tuple[datetime, datetime]:
    """First and last date that the windows of all events may need, today at the latest."""
    moments = [datetime.fromtimestamp(int(stamp) // 10**9, UTC) for stamp in (events.stamp.min(), events.stamp.max())]
    first, last = (datetime(moment.year, moment.month, moment.day) for moment in moments)
    before = max(0, -windows.estimation.start, -windows.event.start)
    after = max(0, windows.event.end, windows.estimation.end)
    now = datetime.now(UTC)
    return first - _days(before), min(last + _days(after), datetime(now.year, now.month, now.day))


def _days(sessions: int) -> timedelta:
    return timedelta(days=math.ceil(sessions * _DAYS_PER_SESSION) + _SPARE_DAYS)


def find_prices(tickers: Sequence[str], benchmarks: Sequence[str], strict: bool, **options: Any) -> Prices:
    """Prices of benchmarks and events, without the event tickers that the source lacks."""
    from eventstudy import load_prices

    wanted = list(dict.fromkeys([*benchmarks, *tickers]))
    while True:
        try:
            return load_prices(wanted, **options)
        except EventStudyError as error:
            lacking = [] if strict else _lacking(error, wanted, options["cache"])
            left = [name for name in wanted if name not in lacking]
            if not lacking or set(benchmarks) & set(lacking) or not set(left) & set(tickers):
                raise
            warnings.warn(f"events of {', '.join(lacking)} are left out: {error}", EventStudyWarning, stacklevel=2)
            wanted = left


def _lacking(error: EventStudyError, wanted: Sequence[str], cache: Path | None) -> list[str]:
    """Tickers that the source does not have, as an error of :func:`load_prices` tells; empty for other errors."""
    found = error.context
    if "findings" in found:
        return []  # the prices are there, and look damaged
    if isinstance(error, CacheMissError):
        from eventstudy.data import PriceCache

        known = set(PriceCache(cache).list()["symbol"])
        symbols = [str(name) for name in found.get("symbols", [])]  # type: ignore[attr-defined]
        return symbols if known.isdisjoint(symbols) else []
    if "available" in found and "ticker" in found:
        available = set(found["available"])  # type: ignore[call-overload]
        return [name for name in wanted if name not in available]
    failures = found.get("failures")
    if isinstance(failures, dict):
        return list(failures) if all(_LACKING.search(str(cause)) for cause in failures.values()) else []
    tickers = found.get("tickers")
    return list(tickers) if isinstance(error, DataSourceError) and isinstance(tickers, list) else []
