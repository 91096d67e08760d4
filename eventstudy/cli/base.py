"""What every command shares: errors and warnings as a terminal shows them, and options."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from eventstudy.errors import EventStudyError, EventStudyWarning, InputError

__all__ = [
    "Cache",
    "Debug",
    "End",
    "Offline",
    "Snapshot",
    "Start",
    "app",
    "cache_app",
    "check_dates",
    "check_interval",
    "count",
    "in_options",
    "misused",
    "tell",
]

_DEBUG: Final = "eventstudy.debug"
_ORDER: Final = ("init", "run", "compare", "report", "serve", "power", "fetch", "cache", "doctor")
_OPTIONS: Final = {
    "estimation_window": "--estimation",
    "event_window": "--window",
    "min_obs": "--min-obs",
    "refresh": "--refresh",
    "strict": "--strict-prices",
    "tz": "--tz",
    "n_events": "--events",
    "n_studies": "--studies",
    "benchmark": "--benchmark",
    "model": "--model",
    "units": "--factor-units",
    "smb": "--factor-smb",
    "interval": "--interval",
    "outliers": "--outliers",
    "exclude": "--exclude",
    "exclude_events": "--exclude-around",
}


class _Group(TyperGroup):
    """Commands whose library errors become one line on stderr and exit code 1."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Commands in the order in which they are needed; others behind."""
        place = {name: at for at, name in enumerate(_ORDER)}
        return sorted(self.commands, key=lambda name: place.get(name, len(place)))

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            with _warnings_as_lines():
                return super().invoke(ctx)
        except EventStudyError as error:
            if ctx.meta.get(_DEBUG):
                raise
            tell(f"error: {in_options(str(error))}")
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
                tell(f"warning: {in_options(str(message))}")

        warnings.showwarning = show
        yield


def tell(line: str) -> None:
    """Print a line to stderr."""
    typer.echo(line, err=True)


def in_options(message: str) -> str:
    """Message of the library with its keywords as options of the command line."""
    message = message.replace("=True", "=")
    for keyword, option in _OPTIONS.items():
        word = rf"(?<![:,(])(?<!, )\b{keyword}="  # not a parameter of a model, peers:exclude=SPY or MarketModel(...)
        message = re.sub(rf"{word}(?=['\"\w\[-])", f"{option} ", message)
        message = re.sub(word, option, message)
    return re.sub(r"\bresults\.(\w+)(\(\))?", r"the table '\1'", message.replace("min_obs", "--min-obs"))


def misused(message: str, option: str) -> NoReturn:
    """Wrong usage: exit code 2."""
    raise typer.BadParameter(in_options(message), param_hint=option)


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
Snapshot = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|YYYY-MM-DD",
        help="Downloaded data as they were in this snapshot of the cache, or in the last one up to that day.",
        show_default=False,
    ),
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


def check_dates(start: datetime | None, end: datetime | None) -> None:
    """Refuse dates in the wrong order."""
    if start is not None and end is not None and start > end:
        misused(f"{start:%Y-%m-%d} is after --end {end:%Y-%m-%d}.", "--start")


def check_interval(interval: str) -> None:
    """Refuse a length of bars that there is not."""
    from eventstudy.data.intervals import checked_interval

    try:
        checked_interval(interval)
    except InputError as error:
        misused(str(error), "--interval")


def count(n: int, one: str, many: str) -> str:
    """Number with its noun."""
    return f"{n} {one if n == 1 else many}"
