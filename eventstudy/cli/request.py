"""A study as the options of a command describe it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eventstudy.cli.base import check_dates, misused
from eventstudy.cli.inputs import Model, Windows, check_source, chosen_model, find_prices, read_events, span
from eventstudy.cli.options import Missing

if TYPE_CHECKING:
    from eventstudy import EventStudyResults

__all__ = ["Request"]


@dataclass(frozen=True)
class Request:
    """Options of a study, checked against one another before anything is loaded."""

    events: str
    source: str
    benchmark: list[str] | None
    model: Model
    estimation: str
    window: str
    car: list[str] | None
    min_obs: int | None
    calendar: str
    tz: str | None
    missing: Missing
    confidence: float
    log_returns: bool
    start: datetime | None
    end: datetime | None
    offline: bool
    cache: Path | None
    strict: bool
    dask: str | None = None
    strict_prices: bool = False

    def fit(self) -> tuple[EventStudyResults, Windows]:
        """Results, and the windows asked for."""
        from eventstudy import EventStudy, ReturnPanel
        from eventstudy.parallel import dask_executor

        windows = Windows(self.estimation, self.window, self.car, self.min_obs)
        benchmarks = [name.strip() for name in self.benchmark or []]
        spec = chosen_model(self.model, benchmarks)
        check_source(self.source)
        if not 0.0 < self.confidence < 1.0:
            misused(f"{self.confidence:g} is not between 0 and 1. Such as 0.95.", "--confidence")
        check_dates(self.start, self.end)
        table = read_events(self.events, self.tz)
        start, end = self.start, self.end
        if self.source == "yahoo":
            first, last = span(table, windows)
            start, end = start or first, end or last
        prices = find_prices(
            [str(name) for name in table.tickers],
            benchmarks,
            self.strict,
            start=start,
            end=end,
            source=self.source,
            cache=self.cache,
            offline=self.offline,
            **({"strict": True} if self.strict_prices else {}),
        )
        study = EventStudy(
            ReturnPanel.from_prices(prices, kind="log" if self.log_returns else "simple"),
            table,
            spec,
            estimation_window=windows.estimation,
            event_window=windows.event,
            min_obs=self.min_obs,
            calendar=self.calendar,
            missing=self.missing.value,
            on_error="raise" if self.strict else "drop",
            confidence=self.confidence,
        )
        with dask_executor(self.dask) if self.dask else nullcontext() as executor:
            return study.fit(executor=executor), windows
