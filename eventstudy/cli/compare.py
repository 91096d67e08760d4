"""``eventstudy compare``: the same events under several models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.base import Cache, Debug, End, Offline, Snapshot, Start, app, misused, tell
from eventstudy.cli.models import MODEL_HELP, lines_of_models
from eventstudy.cli.options import (
    Benchmark,
    Calendar,
    Car,
    Confidence,
    Config,
    Dask,
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
    Outliers,
    Source,
    Strict,
    StrictPrices,
    Zone,
)
from eventstudy.cli.outputs import comparison_summary, plain_comparison, write_comparison
from eventstudy.cli.request import Request

__all__ = ["compare"]

_EXAMPLES = """Examples:

[bold]eventstudy compare events.csv -b SPY --model market --model mean --model huber --out results[/bold]

[bold]eventstudy compare events.csv -b SPY --model market --model ff3 --model carhart --factors factors[/bold]

[bold]eventstudy compare events.csv -b SPY --model dimson --model dimson:leads=3,lags=3 --car 0:0 --json[/bold]

[bold]eventstudy compare --config study.toml[/bold]"""
_HELP = (
    "Study the same events under several models and print their mean CARs side by side.\n\n"
    "Only the events that every model can use are compared, so that a difference is one of the models. A model that "
    "cannot be fitted is left out, with a warning. A benchmark of its own is written as "
    "[bold]market:benchmark=QQQ[/bold]; the others share --benchmark.\n\n"
    "--out writes comparison.csv (mean CAR by model and window, and the test to read), comparison_car.csv (each "
    "security-event), comparison_tests.csv, diagnostics.csv (does the model fit?) and comparison.png."
)


@app.command(help=_HELP, epilog=f"{_EXAMPLES}\n\nModels, and what they take:\n\n{lines_of_models()}")
def compare(
    ctx: typer.Context,
    events: EventFile,
    config: Config = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=MODEL_HELP.replace("Model of", "Two or more models of"), show_default=False),
    ] = None,
    source: Source = "sample",
    benchmark: Benchmark = None,
    factors: FactorFile = None,
    factor_units: FactorUnits = None,
    factor_smb: FactorSmb = None,
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
    missing: MissingRule = Missing.propagate,
    confidence: Confidence = 0.95,
    log_returns: LogReturns = False,
    start: Start = None,
    end: End = None,
    offline: Offline = False,
    cache: Cache = None,
    snapshot: Snapshot = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write the tables and the figure here.")
    ] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="The figure in --out, as PNG.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print tables as JSON instead of the summary.")] = False,
    strict: Strict = False,
    strict_prices: StrictPrices = False,
    dask: Dask = None,
    debug: Debug = False,
) -> None:
    """Study the same events under several models."""
    names = model or []
    if not names:
        misused("Name two models or more, such as --model market --model mean.", "--model")
    loaded = Request.of(ctx.params | {"model": names[0], "compare": names[1:], "compare_option": "--model"}).load()
    if len(loaded.models) < 2:
        misused(f"{names[0]} alone is no comparison. Name two models or more.", "--model")
    found = loaded.compare()
    if as_json:
        typer.echo(json.dumps(plain_comparison(found), indent=2, allow_nan=False, ensure_ascii=False))
    else:
        typer.echo(str(comparison_summary(found)))
    if out is not None:
        tell(f"comparison written to {out}: {', '.join(write_comparison(found, out, plots))}")
