"""``eventstudy power``: how often each test rejects, on the user's own returns."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.base import Debug, app, misused, tell
from eventstudy.cli.inputs import Windows, all_tickers
from eventstudy.cli.models import MODEL_HELP, Choice

__all__ = ["power"]


class Dates(StrEnum):
    """Whether simulated events of a study share a date."""

    staggered = "staggered"
    shared = "shared"


_POWER_HELP = (
    "Simulate studies on your own returns and print how often each test rejects.\n\n"
    "Events that never happened are drawn at random: securities of the source, and dates on which their windows are "
    "complete. Without a drift the rates are the size of the tests, and should be close to the level; with one they "
    "are the power.\n\n"
    "The table goes to stdout. --out writes rejection.csv, critical_values.csv and power.png."
)
_POWER_EXAMPLES = """Examples:

[bold]eventstudy power --benchmark SPY --events 15[/bold]

[bold]eventstudy power --source prices.parquet --benchmark SPY --drift 0 --drift 0.005 --drift 0.01 --out power[/bold]

[bold]eventstudy power --source prices.csv --model mean --dates shared --variance 2 --test bmp_t --test grank_t[/bold]

[bold]eventstudy power -b SPY --events 10 --car -1:1 --estimation -130:-11 --window -5:5 --seed 1[/bold]"""


@app.command(help=_POWER_HELP, epilog=_POWER_EXAMPLES)
def power(
    source: Annotated[
        str, typer.Option(metavar="sample|PATH", help="The bundled sample, or a CSV or Parquet file of prices.")
    ] = "sample",
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", "-b", metavar="TICKER", help="The market; several with --model factors."),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help=MODEL_HELP.replace("; see below", ""))] = "market",
    estimation: Annotated[
        str, typer.Option(metavar="FROM:TO", help="Estimation window, in sessions relative to the event.")
    ] = "-270:-21",
    window: Annotated[str, typer.Option(metavar="FROM:TO", help="Event window.")] = "-10:10",
    car: Annotated[str, typer.Option(metavar="FROM:TO", help="Window of the CAR that is tested.")] = "0:0",
    min_obs: Annotated[
        int | None,
        typer.Option(min=1, help="Fewest returns in the estimation window of an event.", show_default="all of it"),
    ] = None,
    events: Annotated[
        int | None,
        typer.Option(
            min=1, help="Security-events in a study.", show_default="50, or half of the securities if these are fewer"
        ),
    ] = None,
    studies: Annotated[int, typer.Option(min=1, help="Studies.")] = 1_000,
    dates: Annotated[Dates, typer.Option(help="A date for each event, or one for all of a study.")] = Dates.staggered,
    drift: Annotated[
        list[float] | None,
        typer.Option(help="Added to every CAR (0.01 is 1 %); may be repeated.", show_default="0"),
    ] = None,
    variance: Annotated[
        list[float] | None,
        typer.Option(help="Factor of the abnormal return's variance; may be repeated.", show_default="1"),
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Test; may be repeated.", show_default="all")
    ] = None,
    level: Annotated[float, typer.Option(metavar="LEVEL", help="Nominal level.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write the tables and the figure here.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Simulate studies on your own returns and print how often each test rejects."""
    from eventstudy import ReturnPanel, load_prices
    from eventstudy.simulate import known_tests, simulate

    windows = Windows(estimation, window, [car], min_obs)
    benchmarks = [name.strip() for name in benchmark or []]
    if windows.hole is not None:
        misused(f"Simulated studies have one estimation window, not {estimation}.", "--estimation")
    choice = Choice.of(model)
    if choice.factors:
        misused(f"The model {choice.name} reads factors, which this command does not load. Use es.simulate.", "--model")
    spec = choice.made(benchmarks)
    benchmarks = list(spec.benchmarks)
    if not 0.0 < level < 1.0:
        misused(f"{level:g} is not between 0 and 1. Such as 0.05.", "--level")
    for name in test or []:
        if name not in known_tests():
            misused(f"There is no test {name!r}. Use some of {', '.join(known_tests())}.", "--test")
    for value in variance or []:
        if not 0.0 < value < math.inf:
            misused(f"{value:g} is not positive. Such as 2.", "--variance")
    for value in drift or []:
        if not math.isfinite(value):
            misused(f"{value:g} is not finite. Such as 0.005.", "--drift")
    securities = [name for name in all_tickers(source) if name not in benchmarks]
    found = simulate(
        ReturnPanel.from_prices(load_prices([*benchmarks, *securities], source=source)),
        spec,
        n_events=events or max(1, min(50, len(securities) // 2)),
        n_studies=studies,
        dates=dates.value,
        drift=drift or 0.0,
        variance=variance or 1.0,
        window=windows.car[0] if windows.car else (0, 0),
        estimation_window=windows.span,
        event_window=windows.event,
        min_obs=min_obs,
        tests=test or None,
        level=level,
        seed=seed,
    )
    typer.echo(str(found.summary()))
    if out is not None:
        from eventstudy.plots import save

        tell(f"tables written to {found.to_csv(out)}")
        tell(f"figure written to {save(found.plot(), out / 'power.png')}")
