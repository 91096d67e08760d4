"""Options that the commands which fit a study have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.inputs import Model
from eventstudy.cli.study_file import remember_study_file

__all__ = [
    "Benchmark",
    "Calendar",
    "Car",
    "Confidence",
    "Config",
    "Dask",
    "Estimation",
    "EventFile",
    "EventWindow",
    "LogReturns",
    "MinObs",
    "Missing",
    "MissingRule",
    "ModelName",
    "Source",
    "Strict",
    "StrictPrices",
    "Zone",
]


class Missing(StrEnum):
    """What a CAR does with a missing session."""

    propagate = "propagate"
    skip = "skip"


EventFile = Annotated[
    str,
    typer.Argument(
        metavar="EVENTS",
        help="CSV or Parquet file; [bold]-[/bold] reads CSV from standard input. May stand in --config instead.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="STUDY.toml",
        is_eager=True,
        callback=remember_study_file,
        help="Study file: gives what is not on the command line. [bold]eventstudy init[/bold] writes one.",
    ),
]
Source = Annotated[
    str,
    typer.Option(
        metavar="sample|yahoo|PATH", help="The bundled sample, Yahoo Finance, or a CSV or Parquet file of prices."
    ),
]
Benchmark = Annotated[
    list[str] | None,
    typer.Option("--benchmark", "-b", metavar="TICKER", help="The market; several with --model factors."),
]
ModelName = Annotated[Model, typer.Option(help="Model of normal returns.")]
Estimation = Annotated[
    str, typer.Option(metavar="FROM:TO", help="Estimation window, in sessions relative to the event.")
]
EventWindow = Annotated[str, typer.Option(metavar="FROM:TO", help="Event window.")]
Car = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM:TO",
        help="Window of cumulative abnormal returns; may be repeated.",
        show_default="0:0, -1:1 and the event window",
    ),
]
MinObs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Fewest returns in the estimation window; an event with fewer is dropped.",
        show_default="120, or three quarters of a shorter window",
    ),
]
Calendar = Annotated[
    str, typer.Option(metavar="EXCHANGE", help="Exchange whose sessions place news with a time of day.")
]
Zone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Zone of times of day without one, such as America/New_York.")
]
MissingRule = Annotated[Missing, typer.Option(help="A CAR over a missing session: be missing, or sum the others.")]
Confidence = Annotated[float, typer.Option(metavar="LEVEL", help="Level of the confidence intervals.")]
LogReturns = Annotated[bool, typer.Option("--log-returns", help="Logarithmic returns.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first event that cannot be used, instead of dropping it.")
]
StrictPrices = Annotated[
    bool, typer.Option("--strict-prices", help="Refuse prices that look damaged, instead of a warning.")
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Fit on a Dask cluster; address of its scheduler, as tcp://HOST:PORT."),
]
