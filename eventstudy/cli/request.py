"""A study as the options of a command describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventstudy.cli.base import check_dates, check_interval, misused
from eventstudy.cli.inputs import (
    Windows,
    all_tickers,
    check_source,
    exclude_of,
    find_prices,
    read_confounders,
    read_events,
    read_exclude,
    span,
)
from eventstudy.cli.models import Choice, choices, labels, shared_by
from eventstudy.errors import InputError

if TYPE_CHECKING:
    from eventstudy import Comparison, EventCalendar, Events, EventStudyResults, NormalReturnModel, ReturnPanel
    from eventstudy.data import Factors
    from eventstudy.data.prices import Prices

__all__ = ["Loaded", "Request"]

_FACTOR_FREQUENCY = {"1wk": "weekly", "1mo": "monthly"}
_PREFIX = "FF "  # before factors where a security has the name of one: RF and CMA are tickers


@dataclass(frozen=True)
class Loaded:
    """Everything that a study needs.

    Parameters
    ----------
    prices : Prices
        What the returns are made of.
    panel, events, models, options
        As :class:`eventstudy.EventStudy` takes them; models by label, the first is that of the study.
    windows : Windows
        The windows asked for.
    dask : str, optional
        Address of a scheduler.
    others : EventCalendar, optional
        Other dated events, which the results tell of.
    """

    prices: Prices
    panel: ReturnPanel
    events: Events
    models: Mapping[str, NormalReturnModel]
    options: Mapping[str, Any]
    windows: Windows
    dask: str | None = None
    others: EventCalendar | None = None

    def fit(self) -> EventStudyResults:
        """Results under the model of the study."""
        from eventstudy import EventStudy

        study = EventStudy(self.panel, self.events, next(iter(self.models.values())), **self.options)
        with self._executor() as executor:
            res = study.fit(executor=executor)
        return res if self.others is None else res.with_confounders(self.others)

    def compare(self) -> Comparison:
        """Results under every model."""
        from eventstudy import compare

        with self._executor() as executor:
            return compare(
                *(self.panel, self.events, self.models),
                windows=self.windows.car,
                fit={"executor": executor},
                **self.options,
            )

    def _executor(self) -> Any:
        from eventstudy.parallel import dask_executor

        return dask_executor(self.dask) if self.dask else nullcontext()


@dataclass(frozen=True)
class Request:
    """Options of a study, checked against one another before anything is loaded."""

    events: str
    source: str
    benchmark: Sequence[str] | None
    model: str
    estimation: str
    window: str
    car: Sequence[str] | None
    min_obs: int | None
    calendar: str
    tz: str | None
    missing: str
    confidence: float
    log_returns: bool
    start: datetime | None
    end: datetime | None
    offline: bool
    cache: str | Path | None
    strict: bool
    dask: str | None = None
    strict_prices: bool = False
    compare: Sequence[str] | None = None
    factors: Sequence[str] | None = None
    factor_units: str | None = None
    factor_smb: str | None = None
    interval: str = "1d"
    exclude: Sequence[str] | None = None
    exclude_events: bool = False
    exclude_around: str | None = None
    outliers: float | None = None
    confounders: str | None = None
    snapshot: str | None = None
    compare_option: str = "--compare"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Request:
        """Request of a command's options, by their names."""
        return cls(**{part.name: options[part.name] for part in fields(cls) if part.name in options})

    def load(self) -> Loaded:
        """What the study needs, read and checked."""
        from eventstudy import ReturnPanel

        windows = Windows(self.estimation, self.window, self.car, self.min_obs)
        runs = read_exclude(self.exclude)
        chosen = choices(self.model, self.compare or [], self.compare_option)
        shared = shared_by(chosen, [name.strip() for name in self.benchmark or []])
        specs = [one.made(own) for one, own in zip(chosen, shared, strict=True)]
        self._check()
        table = read_events(self.events, self.tz)
        others = read_confounders(self.confounders, self.tz)
        factors = self._factors(chosen)
        found = [str(name) for frame in factors for name in frame.columns]
        wanted = dict.fromkeys(name for spec in specs for name in spec.benchmarks if not _among(name, found))
        if self.factors and not any(_among(name, found) for spec in specs for name in spec.benchmarks):
            misused("No model reads factors. Leave it out, or choose another --model.", "--factors")
        start, end = self.start, self.end
        if self.source == "yahoo":
            first, last = span(table, windows, self.interval)
            start, end = start or first, end or last
        prices = find_prices(
            [str(name) for name in table.tickers],
            [*wanted, *self._pool(chosen)],
            self.strict,
            start=start,
            end=end,
            source=self.source,
            cache=self.cache,
            offline=self.offline,
            interval=self.interval,
            snapshot=self.snapshot,
            **({"strict": True} if self.strict_prices else {}),
        )
        kind: Any = "log" if self.log_returns else "simple"
        panel = ReturnPanel.from_prices(prices, kind=kind, calendar=self.calendar)
        prefix = _PREFIX if set(found) & set(panel.tickers) else ""
        for frame in factors:
            panel = panel.with_factors(frame, prefix=prefix)
        rows = [prefix + name for name in found]
        specs = [one.made(own, prefix, rows) for one, own in zip(chosen, shared, strict=True)]
        models = dict(zip(labels(chosen), specs, strict=True))
        tickers = [name for name in map(str, table.tickers) if name in panel.tickers]
        options = self._options(windows, exclude_of(runs, tickers))
        return Loaded(prices, panel, table, models, options, windows, self.dask, others)

    def _check(self) -> None:
        from eventstudy.data.intervals import checked_interval, is_intraday
        from eventstudy.hygiene import check_outliers

        check_source(self.source)
        if self.snapshot is not None and self.source != "yahoo":
            misused(f"Only downloaded prices have snapshots, and {self.source!r} is no download.", "--snapshot")
        if not 0.0 < self.confidence < 1.0:
            misused(f"{self.confidence:g} is not between 0 and 1. Such as 0.95.", "--confidence")
        check_dates(self.start, self.end)
        check_interval(self.interval)
        if is_intraday(checked_interval(self.interval)) and self.source != "yahoo":
            misused(
                f"Bars within the day come from yahoo, not from {self.source}. Read a file of bars in Python, with "
                "ReturnPanel.from_bars.",
                "--interval",
            )
        try:
            check_outliers(self.outliers)
        except InputError as error:
            misused(str(error), "--outliers")

    def _options(self, windows: Windows, exclude: Any) -> dict[str, Any]:
        return {
            "estimation_window": windows.estimation,
            "event_window": windows.event,
            "min_obs": self.min_obs,
            "calendar": self.calendar,
            "missing": self.missing,
            "on_error": "raise" if self.strict else "drop",
            "confidence": self.confidence,
            "exclude": exclude,
            "exclude_events": self.exclude_around or self.exclude_events,
            "outliers": self.outliers,
        }

    def _pool(self, chosen: Sequence[Choice]) -> list[str]:
        """Securities of which models are made, without those of the events."""
        names: list[str] = []
        for one in chosen:
            pool = one.pool
            if pool is None and self.source == "yahoo":
                misused(f"Name the securities: {one.name}:donors=ORCL+CRM+ADBE. Yahoo has no list of all.", one.option)
            names += all_tickers(self.source) if pool is None else pool
        return list(dict.fromkeys(names))

    def _factors(self, chosen: Sequence[Choice]) -> list[Factors]:
        """Factors that were named, or those that the models need."""
        from eventstudy.data import load_factors

        parts = dict.fromkeys(part for one in chosen for part in one.factors.split("+") if part)
        sets = "+".join(parts)
        frequency: Any = _FACTOR_FREQUENCY.get(self.interval, "daily")
        told: dict[str, Any] = {"units": self.factor_units, "smb": self.factor_smb}
        how: dict[str, Any] = {"frequency": frequency, "offline": self.offline, "cache": self.cache}
        if not self.factors:
            return [load_factors(sets, snapshot=self.snapshot, **how)] if sets else []
        found = []
        for name in self.factors:
            if Path(name).is_dir():
                if not sets:
                    misused(f"{name} is a folder, and no model names a set. Name a file, or a model.", "--factors")
                found.append(load_factors(sets, source=name, **how))
            else:
                found.append(load_factors(name, **told, **how))
        return found


def _among(name: str, factors: Sequence[str]) -> bool:
    """Whether a benchmark is one of the factors, in any spelling."""
    from eventstudy._factor_names import held_as

    try:
        return name in factors or held_as(name, factors) is not None
    except InputError:
        misused(
            f"A model reads {name}, the size factor of the three-factor file; the factors hold that of the five-factor "
            "file, another series. Give both (ff3+ff5, or a folder with both files), or say that it is the former: "
            "--factor-smb ff3.",
            "--factors",
        )
