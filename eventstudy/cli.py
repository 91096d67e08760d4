"""The command line: reads options, calls the library, prints what it returns."""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from eventstudy.errors import CacheMissError, DataSourceError, EventStudyError, EventStudyWarning, InputError

if TYPE_CHECKING:
    import pandas as pd

    from eventstudy import Events, EventStudyResults, Prices, Window
    from eventstudy._render import Summary
    from eventstudy.models.base import NormalReturnModel

__all__ = ["app", "main"]

_DEBUG: Final = "eventstudy.debug"
_SHOWN_DROPS: Final = 20
_TABLES: Final = ("events", "caar", "tests", "car", "group_caar", "dropped")
# Sessions to calendar days, generous to exchanges with long holidays: loading more than needed does no harm.
_DAYS_PER_SESSION, _SPARE_DAYS = 1.6, 15
# What Yahoo says of a ticker that it lacks; a failure in any other words may pass and must not thin a study out.
_LACKING: Final = re.compile(r"unknown symbol|not a Yahoo symbol|no prices|no rows came")
_OPTIONS: Final = {
    "estimation_window": "--estimation",
    "event_window": "--window",
    "min_obs": "--min-obs",
    "refresh": "--refresh",
    "tz": "--tz",
    "n_events": "--events",
    "n_studies": "--studies",
}


class Model(StrEnum):
    """Models of normal returns that need no more than names."""

    mean = "mean"
    adjusted = "adjusted"
    market = "market"
    factors = "factors"


class Missing(StrEnum):
    """What a CAR does with a missing session."""

    propagate = "propagate"
    skip = "skip"


class Dates(StrEnum):
    """Whether simulated events of a study share a date."""

    staggered = "staggered"
    shared = "shared"


class Format(StrEnum):
    """Formats of the tables."""

    csv = "csv"
    parquet = "parquet"


class Remote(StrEnum):
    """Sources that are downloaded."""

    yahoo = "yahoo"


# --- errors and warnings as a terminal shows them ---------------------------------------------------------


class _Group(TyperGroup):
    """Commands whose library errors become one line on stderr and exit code 1."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            with _warnings_as_lines():
                return super().invoke(ctx)
        except EventStudyError as error:
            if ctx.meta.get(_DEBUG):
                raise
            _tell(f"error: {_in_options(str(error))}")
            raise typer.Exit(1) from None
        except typer.Abort as stop:
            if isinstance(stop.__context__, KeyboardInterrupt):  # at a prompt
                raise typer.Exit(130) from None
            raise


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show each library warning once, as one line without its place in the source."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", EventStudyWarning)
        others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, EventStudyWarning):
                others(message, category, filename, lineno, file, line)
            elif str(message) not in said:
                said.add(str(message))
                _tell(f"warning: {_in_options(str(message))}")

        warnings.showwarning = show
        yield


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _in_options(message: str) -> str:
    """Message of the library with its keywords as options of the command line."""
    message = message.replace("=True", "=")
    for keyword, option in _OPTIONS.items():
        message = re.sub(rf"\b{keyword}=(?=['\"\w-])", f"{option} ", message)
        message = re.sub(rf"\b{keyword}=", option, message)
    return re.sub(r"\bresults\.(\w+)(\(\))?", r"the table '\1'", message.replace("min_obs", "--min-obs"))


def _misused(message: str, option: str) -> NoReturn:
    """Wrong usage: exit code 2."""
    raise typer.BadParameter(_in_options(message), param_hint=option)


# --- options that several commands share ------------------------------------------------------------------


def _remember_debug(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[_DEBUG] = value or ctx.meta.get(_DEBUG, False)
    return value


def _show_version(value: bool) -> None:
    if value:
        from eventstudy import __version__

        typer.echo(f"eventstudy {__version__}")
        raise typer.Exit


Debug = Annotated[
    bool, typer.Option("--debug", callback=_remember_debug, help="Show Python tracebacks.", show_default=False)
]
Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="Directory of downloaded prices.", show_default="$EVENTSTUDY_CACHE, else the user's cache directory"
    ),
]
Start = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First date of the prices.")
]
End = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last date of the prices.")
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Never touch the network; also EVENTSTUDY_OFFLINE=1.", show_default=False)
]

app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: [bold]eventstudy run events.csv --benchmark SPY[/bold]",
)
cache_app = typer.Typer(
    no_args_is_help=True,
    help="Look after the directory of downloaded prices.",
    epilog="Example: [bold]eventstudy cache verify[/bold]",
)
app.add_typer(cache_app, name="cache")


@app.callback()
def _app(version: Version = False, debug: Debug = False) -> None:
    """Event studies: abnormal returns around news, with tests that survive shared event dates.

    Exit codes: 0 done, 1 the study could not be done, 2 wrong usage.
    """


# --- run --------------------------------------------------------------------------------------------------

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

[bold]eventstudy run events.csv --source yahoo --model factors --benchmark SPY --benchmark SMH[/bold]

[bold]eventstudy run events.csv --source prices.parquet --model mean --estimation -130:-11 --window -5:5[/bold]

[bold]cat events.csv | eventstudy run - --benchmark SPY --json | jq .tables.caar[/bold]"""


@app.command(help=_RUN_HELP, epilog=_RUN_EXAMPLES)
def run(
    ctx: typer.Context,
    events: Annotated[
        str, typer.Argument(metavar="EVENTS", help="CSV or Parquet file; [bold]-[/bold] reads CSV from standard input.")
    ],
    source: Annotated[
        str,
        typer.Option(
            metavar="sample|yahoo|PATH", help="The bundled sample, Yahoo Finance, or a CSV or Parquet file of prices."
        ),
    ] = "sample",
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", "-b", metavar="TICKER", help="The market; several with --model factors."),
    ] = None,
    model: Annotated[Model, typer.Option(help="Model of normal returns.")] = Model.market,
    estimation: Annotated[
        str, typer.Option(metavar="FROM:TO", help="Estimation window, in sessions relative to the event.")
    ] = "-270:-21",
    window: Annotated[str, typer.Option(metavar="FROM:TO", help="Event window.")] = "-10:10",
    car: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM:TO",
            help="Window of cumulative abnormal returns; may be repeated.",
            show_default="0:0, -1:1 and the event window",
        ),
    ] = None,
    min_obs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Fewest returns in the estimation window; an event with fewer is dropped.",
            show_default="120, or three quarters of a shorter window",
        ),
    ] = None,
    calendar: Annotated[
        str, typer.Option(metavar="EXCHANGE", help="Exchange whose sessions place news with a time of day.")
    ] = "NYSE",
    tz: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Zone of times of day without one, such as America/New_York."),
    ] = None,
    missing: Annotated[
        Missing, typer.Option(help="A CAR over a missing session: be missing, or sum the others.")
    ] = Missing.propagate,
    confidence: Annotated[float, typer.Option(metavar="LEVEL", help="Level of the confidence intervals.")] = 0.95,
    log_returns: Annotated[bool, typer.Option("--log-returns", help="Logarithmic returns.")] = False,
    start: Start = None,
    end: End = None,
    offline: Offline = False,
    cache: Cache = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write every table, and figures, here.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Format of the tables in --out.")] = Format.csv,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Figures in --out, as PNG.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print tables as JSON instead of the summary.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first event that cannot be used, instead of dropping it.")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Fit on a Dask cluster; address of its scheduler, as tcp://HOST:PORT."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Study a table of events and print what was found."""
    from eventstudy import EventStudy, ReturnPanel
    from eventstudy.parallel import dask_executor

    windows = _Windows(estimation, window, car, min_obs)
    benchmarks = [name.strip() for name in benchmark or []]
    spec = _model(model, benchmarks)
    _check_usage(ctx, source, confidence, start, end, out)
    table = _events(events, tz)
    if source == "yahoo":
        first, last = _span(table, windows)
        start, end = start or first, end or last
    prices = _prices(
        [str(name) for name in table.tickers],
        benchmarks,
        strict,
        start=start,
        end=end,
        source=source,
        cache=cache,
        offline=offline,
    )
    study = EventStudy(
        ReturnPanel.from_prices(prices, kind="log" if log_returns else "simple"),
        table,
        spec,
        estimation_window=windows.estimation,
        event_window=windows.event,
        min_obs=min_obs,
        calendar=calendar,
        missing=missing.value,
        on_error="raise" if strict else "drop",
        confidence=confidence,
    )
    with dask_executor(dask) if dask else nullcontext() as executor:
        res = study.fit(executor=executor)
    if as_json:
        typer.echo(json.dumps(_json(res, windows.car), indent=2, allow_nan=False, ensure_ascii=False))
    else:
        typer.echo(str(_summary(res, windows.car)))
    if out is not None:
        write = res.to_csv if format is Format.csv else res.to_parquet
        _tell(f"tables written to {write(out, windows=windows.car)}")
        if plots:
            names = _draw(res, windows.car, out / "figures")
            _tell(f"figures written to {out / 'figures'}: {', '.join(names)}")


class _Windows:
    """The windows of a run, checked before anything is loaded."""

    def __init__(self, estimation: str, event: str, car: Sequence[str] | None, min_obs: int | None) -> None:
        from eventstudy.windows import check_windows

        self.estimation = _window(estimation, "--estimation")
        self.event = _window(event, "--window")
        self.car = [_window(text, "--car") for text in car] if car else None
        try:
            check_windows(self.estimation, self.event, min_obs or 1)
        except InputError as error:
            _misused(str(error), "--estimation")
        for window in self.car or []:
            try:
                self.event.columns(window)
            except InputError:
                _misused(
                    f"Window {window} is not inside the event window {self.event}. Widen --window, or ask for a "
                    "shorter one.",
                    "--car",
                )


def _window(text: str, option: str) -> Window:
    from eventstudy import Window

    try:
        return Window.of(text)
    except InputError as error:
        _misused(str(error), option)


def _model(model: Model, benchmarks: list[str]) -> NormalReturnModel:
    from eventstudy import FactorModel, MarketAdjusted, MarketModel, MeanAdjusted

    option = "--benchmark"
    if model is Model.mean:
        if benchmarks:
            _misused("The model mean uses no benchmark. Leave it out, or choose another --model.", option)
        return MeanAdjusted()
    if not benchmarks:
        _misused(f"The model {model} needs a benchmark, such as --benchmark SPY.", option)
    if model is not Model.factors and len(benchmarks) > 1:
        _misused(
            f"The model {model} takes one benchmark, not {len(benchmarks)} ({', '.join(benchmarks)}). "
            "For several, use --model factors.",
            option,
        )
    try:
        if model is Model.factors:
            return FactorModel(benchmarks)
        return MarketModel(benchmarks[0]) if model is Model.market else MarketAdjusted(benchmarks[0])
    except InputError as error:
        _misused(str(error), option)


def _check_usage(
    ctx: typer.Context,
    source: str,
    confidence: float,
    start: datetime | None,
    end: datetime | None,
    out: Path | None,
) -> None:
    from eventstudy.data import FileProvider

    if source not in ("sample", "yahoo") and not FileProvider.recognises(source):
        _misused(f"Unknown source {source!r}. Use sample, yahoo, or the path of a CSV or Parquet file.", "--source")
    if not 0.0 < confidence < 1.0:
        _misused(f"{confidence:g} is not between 0 and 1. Such as 0.95.", "--confidence")
    _check_dates(start, end)
    if out is None:
        for name in ("format", "plots"):
            given = ctx.get_parameter_source(name)
            if given is not None and given.name == "COMMANDLINE" and not (name == "plots" and not ctx.params["plots"]):
                _misused("Nothing is written without a directory. Add --out DIR.", f"--{name}")


def _check_dates(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and start > end:
        _misused(f"{start:%Y-%m-%d} is after --end {end:%Y-%m-%d}.", "--start")


def _events(path: str, tz: str | None) -> Events:
    from eventstudy import Events

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


def _span(events: Events, windows: _Windows) -> tuple[datetime, datetime]:
    """First and last date that the windows of all events may need, today at the latest."""
    moments = [datetime.fromtimestamp(int(stamp) // 10**9, UTC) for stamp in (events.stamp.min(), events.stamp.max())]
    first, last = (datetime(moment.year, moment.month, moment.day) for moment in moments)
    before = max(0, -windows.estimation.start, -windows.event.start)
    after = max(0, windows.event.end)
    now = datetime.now(UTC)
    return first - _days(before), min(last + _days(after), datetime(now.year, now.month, now.day))


def _days(sessions: int) -> timedelta:
    return timedelta(days=math.ceil(sessions * _DAYS_PER_SESSION) + _SPARE_DAYS)


def _prices(tickers: Sequence[str], benchmarks: Sequence[str], strict: bool, **options: Any) -> Prices:
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


def _summary(res: EventStudyResults, windows: Sequence[Window] | None) -> Summary:
    """The library's summary, and the dropped events that it refers to."""
    from eventstudy._render import Section

    summary = res.summary(*windows or [])
    if res.dropped.empty:
        return summary
    drops = zip(res.dropped["event_id"], res.dropped["reason"], strict=True)
    lines = [f"event {event_id}: {_in_options(reason)}" for event_id, reason in drops]
    if len(lines) > _SHOWN_DROPS:
        lines[_SHOWN_DROPS:] = [f"… and {len(lines) - _SHOWN_DROPS} more; --out or --json has all."]
    return replace(summary, sections=[*summary.sections, Section("Dropped events", notes=lines)])


def _json(res: EventStudyResults, windows: Sequence[Window] | None) -> dict[str, Any]:
    """Tables as lists of rows, with null for what is missing or infinite."""
    frames = res.frames(windows)
    return {
        "manifest": res.manifest,
        "caveats": res.caveats(),
        "tables": {name: _records(frames[name]) for name in _TABLES if name in frames},
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _draw(res: EventStudyResults, windows: Sequence[Window] | None, directory: Path) -> list[str]:
    """Write the figures; returns their names."""
    from eventstudy.plots import save

    figures = {"caar.png": res.plot.caar()}
    for start, end in res.frames(windows)["caar"][["start", "end"]].itertuples(index=False):
        figures[f"car_{start}_{end}.png"] = res.plot.car(start, end)
    figures["heatmap.png"] = res.plot.heatmap()
    for name, axes in figures.items():
        save(axes, directory / name)
    return list(figures)


# --- power ------------------------------------------------------------------------------------------------

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
    model: Annotated[Model, typer.Option(help="Model of normal returns.")] = Model.market,
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

    windows = _Windows(estimation, window, [car], min_obs)
    benchmarks = [name.strip() for name in benchmark or []]
    spec = _model(model, benchmarks)
    if not 0.0 < level < 1.0:
        _misused(f"{level:g} is not between 0 and 1. Such as 0.05.", "--level")
    for name in test or []:
        if name not in known_tests():
            _misused(f"There is no test {name!r}. Use some of {', '.join(known_tests())}.", "--test")
    for value in variance or []:
        if not 0.0 < value < math.inf:
            _misused(f"{value:g} is not positive. Such as 2.", "--variance")
    for value in drift or []:
        if not math.isfinite(value):
            _misused(f"{value:g} is not finite. Such as 0.005.", "--drift")
    securities = [name for name in _all_tickers(source) if name not in benchmarks]
    found = simulate(
        ReturnPanel.from_prices(load_prices([*benchmarks, *securities], source=source)),
        spec,
        n_events=events or max(1, min(50, len(securities) // 2)),
        n_studies=studies,
        dates=dates.value,
        drift=drift or 0.0,
        variance=variance or 1.0,
        window=windows.car[0] if windows.car else (0, 0),
        estimation_window=windows.estimation,
        event_window=windows.event,
        min_obs=min_obs,
        tests=test or None,
        level=level,
        seed=seed,
    )
    typer.echo(str(found.summary()))
    if out is not None:
        from eventstudy.plots import save

        _tell(f"tables written to {found.to_csv(out)}")
        _tell(f"figure written to {save(found.plot(), out / 'power.png')}")


def _all_tickers(source: str) -> list[str]:
    """Every ticker of the sample or of a file."""
    from eventstudy import load_prices
    from eventstudy.data import FileProvider, sample

    if source == "sample":
        return sample.tickers()
    if not FileProvider.recognises(source):
        _misused(f"Unknown source {source!r}. Use sample, or the path of a CSV or Parquet file.", "--source")
    try:
        load_prices("no such ticker", source=source)  # the error lists those that exist
    except InputError as error:
        if "available" in error.context:
            return [str(name) for name in error.context["available"]]  # type: ignore[attr-defined]
        raise
    return []


# --- fetch and cache --------------------------------------------------------------------------------------


@app.command(
    epilog="""Examples:

[bold]eventstudy fetch MSFT NVDA SPY --start 2023-12-01[/bold]

[bold]eventstudy fetch SPY --start 2020-01-01 --end 2025-02-28 --refresh[/bold]"""
)
def fetch(
    tickers: Annotated[list[str], typer.Argument(metavar="TICKER...", help="As the source spells them.")],
    start: Start = None,
    end: End = None,
    source: Annotated[Remote, typer.Option(help="Where from.")] = Remote.yahoo,
    cache: Cache = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Download again what the cache has.", show_default=False)
    ] = False,
    offline: Offline = False,
    debug: Debug = False,
) -> None:
    """Download prices into the cache and print what it holds of them.

    What is there already is not downloaded again. A run with --offline then needs no network.
    """
    from eventstudy import load_prices
    from eventstudy.data import PriceCache

    if refresh and offline:
        _misused("A download is asked for, but --offline forbids it. Drop one of the two.", "--refresh")
    _check_dates(start, end)
    store = PriceCache(cache)
    names = list(dict.fromkeys(tickers))
    try:
        prices = load_prices(names, start, end, source.value, cache=store, offline=offline, refresh=refresh)
    except DataSourceError as error:
        if partial := error.context.get("partial"):
            _show_fetched({name: bars.frame.index for name, bars in partial.items()})  # type: ignore[attr-defined]
        raise
    _show_fetched({name: prices.index[prices[name].notna()] for name in names})
    _tell(f"cache: {store.directory}")


def _show_fetched(dates: Mapping[str, pd.Index[Any]]) -> None:
    import pandas as pd

    rows = [(name, len(days), f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}") for name, days in dates.items()]
    typer.echo(pd.DataFrame(rows, columns=["ticker", "rows", "first", "last"]).to_string(index=False))


@cache_app.command("list", epilog="Example: [bold]eventstudy cache list --cache prices[/bold]")
def cache_list(cache: Cache = None, debug: Debug = False) -> None:
    """List what the cache holds."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    entries = store.list()
    if not entries.empty:
        columns = ["symbol", "provider", "rows", "first", "last", "currency", "fetched_at"]
        typer.echo(entries[columns].fillna("").to_string(index=False))
    _tell(f"{_count(len(entries), 'entry', 'entries')} in {store.directory}")


@cache_app.command("verify", epilog="Example: [bold]eventstudy cache verify && echo intact[/bold]")
def cache_verify(cache: Cache = None, debug: Debug = False) -> None:
    """Check every file against its checksum; exit code 1 if one is damaged."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    found = store.verify()
    bad = found[~found["ok"]]
    for row in bad.to_dict("records"):
        typer.echo(f"{row['symbol'] or row['file']}: {row['problem']}. {_in_options(row['remedy'])}")
    good = _count(len(found) - len(bad), "file", "files")
    _tell(f"{good} intact, {len(bad)} damaged in {store.directory}")
    if len(bad):
        raise typer.Exit(1)


@cache_app.command("clear", epilog="Example: [bold]eventstudy cache clear --yes[/bold]")
def cache_clear(
    cache: Cache = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
    debug: Debug = False,
) -> None:
    """Remove everything that the cache holds."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    n = len(store.list())
    if not yes:
        typer.confirm(f"Remove {_count(n, 'entry', 'entries')} from {store.directory}?", abort=True, err=True)
    _tell(f"{_count(store.clear(), 'entry', 'entries')} removed from {store.directory}")


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def main() -> None:
    """Entry point of ``eventstudy`` and ``python -m eventstudy``."""
    for stream in (sys.stdout, sys.stderr):
        try:
            "−–α".encode(stream.encoding or "utf-8")
        except UnicodeEncodeError:
            stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        app(prog_name="eventstudy")
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(130)
