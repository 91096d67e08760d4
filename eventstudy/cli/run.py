"""``eventstudy run``: a table of events, studied."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.base import Cache, Debug, End, Offline, Snapshot, Start, app, misused, tell
from eventstudy.cli.models import lines_of_models
from eventstudy.cli.options import (
    Benchmark,
    Calendar,
    Car,
    Confidence,
    Config,
    Confounders,
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
    ModelName,
    OtherModels,
    Outliers,
    Source,
    Strict,
    StrictPrices,
    Zone,
)
from eventstudy.cli.outputs import (
    as_plain,
    comparison_frames,
    comparison_summary,
    draw,
    records_of,
    summary_of,
    write_comparison,
    write_risk,
)
from eventstudy.cli.request import Request

__all__ = ["run"]


class Format(StrEnum):
    """Formats of the tables."""

    csv = "csv"
    parquet = "parquet"


# Not a docstring: a terminal of any width wraps paragraphs, not lines.
_RUN_HELP = (
    "Study a table of events and print what was found.\n\n"
    "EVENTS has the columns [bold]ticker[/bold] and [bold]timestamp[/bold], and may have label, group, weight, tz, "
    "calendar and event_id. A date such as 2025-01-29 names a session. A time of day such as 2025-01-29T04:46:00-05:00 "
    "is placed in one by the exchange's hours, and needs an offset or --tz. Windows count sessions and include both "
    "ends.\n\n"
    "The summary goes to stdout, warnings and the places of files to stderr."
)
_RUN_EXAMPLES = """Examples:

[bold]eventstudy run events.csv --benchmark SPY[/bold]

[bold]eventstudy run events.csv --benchmark SPY --car -1:1 --car 0:5 --out results[/bold]

[bold]eventstudy run --config study.toml --out results[/bold]

[bold]eventstudy run events.csv --source yahoo --model factors --benchmark SPY --benchmark SMH[/bold]

[bold]eventstudy run events.csv --source yahoo --model ff3 --factors F-F_Research_Data_Factors_daily_CSV.zip[/bold]

[bold]eventstudy run events.csv -b SPY --model dimson:leads=2,lags=2 --compare market --exclude 2025-01-27[/bold]

[bold]eventstudy run events.csv --source prices.parquet --model mean --estimation -130:-11 --window -5:5[/bold]

[bold]cat events.csv | eventstudy run - --benchmark SPY --json | jq .tables.caar[/bold]"""
_MODELS = f"Models, and what they take:\n\n{lines_of_models()}"


@app.command(help=_RUN_HELP, epilog=f"{_RUN_EXAMPLES}\n\n{_MODELS}")
def run(
    ctx: typer.Context,
    events: EventFile,
    config: Config = None,
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
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write every table, and figures, here.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Format of the tables in --out.")] = Format.csv,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Figures in --out, as PNG.")] = True,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="report.html in --out, one file for the whole study.")
    ] = False,
    excel: Annotated[
        bool, typer.Option("--excel/--no-excel", help="tables.xlsx in --out, a sheet for each table.")
    ] = False,
    risk: Annotated[
        bool,
        typer.Option(
            "--risk/--no-risk",
            help="risk_volatility.csv in --out, of closes and of daily ranges, and risk_abnormal_volume.csv: what the "
            "columns of the prices allow.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print tables as JSON instead of the summary.")] = False,
    strict: Strict = False,
    strict_prices: StrictPrices = False,
    dask: Dask = None,
    debug: Debug = False,
) -> None:
    """Study a table of events and print what was found."""
    if out is None:
        _refuse_without_out(ctx)
    loaded = Request.of(ctx.params).load()
    windows, res = loaded.windows, loaded.fit()
    found = loaded.compare() if len(loaded.models) > 1 else None
    if as_json:
        plain = as_plain(res, windows.car)
        if found is not None:
            plain["tables"] |= records_of(comparison_frames(found, ("comparison", "diagnostics")))
        typer.echo(json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False))
    else:
        typer.echo(str(summary_of(res, windows.car)))
        if found is not None:
            typer.echo(f"\n{comparison_summary(found)}")
    if out is None:
        return
    write = res.to_csv if format is Format.csv else res.to_parquet
    tell(f"tables written to {write(out, windows=windows.car)}")
    if plots:
        names = draw(res, windows.car, out / "figures")
        tell(f"figures written to {out / 'figures'}: {', '.join(names)}")
    if found is not None:
        tell(f"comparison written to {out}: {', '.join(write_comparison(found, out, plots))}")
    if risk:
        tell(f"risk written to {out}: {', '.join(write_risk(res, loaded.prices, windows.car, out))}")
    if report:
        tell(f"report written to {res.report(out / 'report.html', windows=windows.car, comparison=found)}")
    if excel:
        tell(f"workbook written to {res.to_excel(out / 'tables.xlsx', windows=windows.car)}")


def _refuse_without_out(ctx: typer.Context) -> None:
    """Options that write something mean nothing without a directory."""
    for name in ("format", "plots", "report", "excel", "risk"):
        given = ctx.get_parameter_source(name)
        off = name != "format" and not ctx.params[name]
        if given is not None and given.name == "COMMANDLINE" and not off:
            misused("Nothing is written without a directory. Add --out DIR.", f"--{name}")
