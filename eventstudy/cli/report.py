"""``eventstudy report``: a study as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.base import Cache, Debug, End, Offline, Snapshot, Start, app, tell
from eventstudy.cli.options import (
    Benchmark,
    Calendar,
    Car,
    Confidence,
    Config,
    Confounders,
    Estimation,
    EventFile,
    EventWindow,
    Exclude,
    ExcludeAround,
    ExcludeEvents,
    FactorFile,
    FactorSmb,
    FactorUnits,
    Interval,
    LogReturns,
    MinObs,
    Missing,
    MissingRule,
    ModelName,
    OtherModels,
    Outliers,
    Source,
    Strict,
    StrictPrices,
    Zone,
)
from eventstudy.cli.request import Request

__all__ = ["report"]

_EXAMPLES = """Examples:

[bold]eventstudy report events.csv --benchmark SPY --to study.html[/bold]

[bold]eventstudy report --config study.toml --title "The January 2025 news"[/bold]"""


@app.command(epilog=_EXAMPLES)
def report(
    ctx: typer.Context,
    events: EventFile,
    config: Config = None,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", dir_okay=False, help="The HTML file to write.")] = Path(
        "report.html"
    ),
    title: Annotated[str, typer.Option(help="Heading.")] = "Event study",
    source: Source = "sample",
    benchmark: Benchmark = None,
    model: ModelName = "market",
    factors: FactorFile = None,
    factor_units: FactorUnits = None,
    factor_smb: FactorSmb = None,
    compare: OtherModels = None,
    estimation: Estimation = "-270:-21",
    window: EventWindow = "-10:10",
    car: Car = None,
    min_obs: MinObs = None,
    exclude: Exclude = None,
    exclude_events: ExcludeEvents = False,
    exclude_around: ExcludeAround = None,
    outliers: Outliers = None,
    interval: Interval = "1d",
    calendar: Calendar = "NYSE",
    tz: Zone = None,
    confounders: Confounders = None,
    missing: MissingRule = Missing.propagate,
    confidence: Confidence = 0.95,
    log_returns: LogReturns = False,
    start: Start = None,
    end: End = None,
    offline: Offline = False,
    cache: Cache = None,
    snapshot: Snapshot = None,
    strict: Strict = False,
    strict_prices: StrictPrices = False,
    debug: Debug = False,
) -> None:
    """Study a table of events and write one self-contained HTML report.

    It opens in any browser without a network, and prints.
    """
    loaded = Request.of(ctx.params).load()
    res = loaded.fit()
    found = loaded.compare() if len(loaded.models) > 1 else None
    tell(f"report written to {res.report(to, windows=loaded.windows.car, title=title, comparison=found)}")
