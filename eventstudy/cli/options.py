"""Options that the commands which fit a study have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.models import MODEL_HELP
from eventstudy.cli.study_file import remember_study_file

__all__ = [
    "Benchmark",
    "Calendar",
    "Car",
    "Confidence",
    "Config",
    "Confounders",
    "Dask",
    "Estimation",
    "EventFile",
    "EventWindow",
    "Exclude",
    "ExcludeAround",
    "ExcludeEvents",
    "FactorFile",
    "FactorSmb",
    "FactorUnits",
    "Interval",
    "LogReturns",
    "MinObs",
    "Missing",
    "MissingRule",
    "ModelName",
    "OtherModels",
    "Outliers",
    "Smb",
    "Source",
    "Strict",
    "StrictPrices",
    "Units",
    "Zone",
]


class Units(StrEnum):
    """Units of factors."""

    decimal = "decimal"
    percent = "percent"


class Smb(StrEnum):
    """File whose SMB a table of factors holds."""

    ff3 = "ff3"
    ff5 = "ff5"


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
Confounders = Annotated[
    str | None,
    typer.Option(
        "--confounders",
        metavar="sample|FILE",
        help="CSV of other dated events (date, scope, label, ...), told of in the summary, tables and report.",
        show_default=False,
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
    typer.Option(
        "--benchmark",
        "-b",
        metavar="TICKER",
        help="The market; several, columns of --factors too, with --model factors.",
    ),
]
ModelName = Annotated[str, typer.Option(metavar="NAME", help=MODEL_HELP)]
OtherModels = Annotated[
    list[str] | None,
    typer.Option(
        "--compare", metavar="NAME", help="Further model, written as for --model, to compare with; may be repeated."
    ),
]
FactorFile = Annotated[
    list[str] | None,
    typer.Option(
        "--factors",
        metavar="FILE|SET",
        help="Factors: a Fama–French file (CSV or ZIP) or a table of factors, a folder of such files, or a set such as "
        "ff3 or ff5+mom; may be repeated.",
        show_default="the set that the model needs, downloaded",
    ),
]
FactorUnits = Annotated[
    Units | None, typer.Option("--factor-units", help="Units of a plain table of factors.", show_default="as they look")
]
FactorSmb = Annotated[
    Smb | None,
    typer.Option(
        "--factor-smb",
        help="Which SMB a file of factors holds: that of the three-factor or of the five-factor file.",
        show_default="ff5 beside RMW or CMA",
    ),
]
Estimation = Annotated[
    str,
    typer.Option(
        metavar="FROM:TO",
        help="Estimation window, in sessions relative to the event: before it, after it (21:140), or both "
        "(-270:-21,21:140).",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DATE[:DATE]",
        help="Day or days that no estimation window may use, of all securities or of one: 2025-01-27, "
        "2024-12-20:2025-01-03, NVDA=2024-11-21; may be repeated.",
    ),
]
ExcludeEvents = Annotated[
    bool,
    typer.Option(
        "--exclude-events/--no-exclude-events",
        help="Leave the event windows of a security's other events out of its estimation windows.",
    ),
]
ExcludeAround = Annotated[
    str | None,
    typer.Option(
        "--exclude-around",
        metavar="FROM:TO",
        help="Leave out these sessions around a security's other events instead, such as 0:60.",
        show_default=False,
    ),
]
Outliers = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Leave out estimation returns whose residual lies further than so many robust standard deviations, from "
        "2 on, and fit again.",
        show_default=False,
    ),
]
Interval = Annotated[
    str,
    typer.Option(
        metavar="LENGTH",
        help="Length of a return: 1d, 1wk, 1mo, or bars of a session (60m, 30m, 15m, 5m, 2m, 1m). Windows count them.",
    ),
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
