"""``eventstudy doctor``: what a study would need, and whether it is there."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Annotated, Final

import typer

from eventstudy.cli.base import Cache, Debug, Offline, app, count
from eventstudy.errors import EventStudyError

__all__ = ["Check", "checks", "doctor"]

_NEEDED: Final = (
    "numpy",
    "pandas",
    "scipy",
    "statsmodels",
    "arch",
    "pyarrow",
    "pandas-market-calendars",
    "yfinance",
    "matplotlib",
)
_EXTRAS: Final = {
    "report": ("jinja2", "plotly"),
    "sql": ("duckdb", "sqlalchemy"),
    "excel": ("openpyxl",),
    "distributed": ("distributed",),
    "app": ("streamlit",),
}
_YAHOO: Final = ("query2.finance.yahoo.com", 443)
_WAIT: Final = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, whether it is well, and what to do otherwise.

    Parameters
    ----------
    name : str
        What was looked at.
    state : {"ok", "note", "bad"}
        A note costs comfort or speed; bad stops studies.
    found : str
        What was found.
    remedy : str
        What to do; empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


def _python() -> Check:
    return Check("Python", "ok", f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Check]:
    lacking, there = [], []
    for name in _NEEDED:
        try:
            there.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lacking.append(name)
    yield Check("Packages", "ok", ", ".join(there))
    if lacking:
        yield Check("Packages", "bad", f"not installed: {', '.join(lacking)}", f"pip install {' '.join(lacking)}")
    for extra, modules in _EXTRAS.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            found = f"not installed: {', '.join(absent)}"
            yield Check(f"Extra “{extra}”", "note", found, f'pip install "abnormal-returns[{extra}]"')
        else:
            yield Check(f"Extra “{extra}”", "ok", ", ".join(modules))


def _engine() -> Check:
    if os.environ.get("EVENTSTUDY_ENGINE") == "numpy":
        return Check("Engine", "note", "numpy, by EVENTSTUDY_ENGINE", "Unset it for the compiled kernels.")
    if importlib.util.find_spec("numba") is None:
        return Check("Engine", "note", "numpy: slower on many events", "pip install numba")
    return Check("Engine", "ok", f"compiled, on {count(os.cpu_count() or 1, 'core', 'cores')}")


def _study() -> Check:
    """Fit the smallest study there is, on the bundled sample."""
    import warnings

    import eventstudy as es

    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        panel = es.ReturnPanel.from_prices(es.load_prices(["MSFT", "SPY"], source="sample"))
        res = es.EventStudy(panel, es.Events.at("2025-01-27", ["MSFT"]), es.MarketModel("SPY")).fit()
        res.car(0, 0)
    return Check("A study of the sample", "ok", f"fitted in {time.perf_counter() - start:.1f} s")


def _calendar() -> Check:
    import eventstudy as es

    moment = es.Events.at("2025-01-08 17:00", ["MSFT"], tz="America/New_York")
    panel = es.ReturnPanel.from_prices(es.load_prices(["MSFT"], source="sample"))
    session = moment.resolve(panel.sessions).session[0]
    if str(session) != "2025-01-10":
        return Check("Exchange calendar", "bad", f"8 January 2025 after the close is given to {session}", _UPGRADE)
    return Check("Exchange calendar", "ok", "NYSE closed on 9 January 2025, as it was")


_UPGRADE: Final = "pip install --upgrade pandas-market-calendars"


def _cache(directory: object) -> Iterator[Check]:
    from eventstudy.data import PriceCache

    store = PriceCache(directory)  # type: ignore[arg-type]
    held = f"{count(len(store.list()), 'entry', 'entries')} in {store.directory}"
    try:
        store.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store.directory):
            pass
        taken = len(store.snapshots())
        yield Check("Cache", "ok", held if not taken else f"{held}, {count(taken, 'snapshot', 'snapshots')}")
    except OSError as error:
        remedy = "Set EVENTSTUDY_CACHE to a directory of yours."
        if not (store.directory / "manifest.json").is_file():
            yield Check("Cache", "bad", f"{store.directory}: {error.strerror}", remedy)
            return
        yield Check("Cache", "note", f"{held}, for reading only: {error.strerror}", remedy)
    damaged = store.verify()
    damaged = damaged[~damaged["ok"]]
    if len(damaged):
        first = damaged.iloc[0]
        yield Check(
            "Cache",
            "bad",
            f"{len(damaged)} damaged, first {first['symbol'] or first['file']}",
            "eventstudy cache verify",
        )


def _network(offline: bool) -> Check:
    from eventstudy.data.remote import offline_by_environment

    if offline or offline_by_environment():
        return Check("Yahoo Finance", "note", "not asked: offline")
    host, port = _YAHOO
    try:
        socket.create_connection((host, port), timeout=_WAIT).close()
    except OSError as error:
        return Check(
            "Yahoo Finance",
            "note",
            f"{host} cannot be reached ({error})",
            "Studies of the sample, of files and of the cache run all the same.",
        )
    return Check("Yahoo Finance", "ok", f"{host} answers")


def checks(cache: object = None, offline: bool = False) -> Iterator[Check]:
    """Every check, one after the other; none stops the others.

    Parameters
    ----------
    cache : str or Path, optional
        Directory of downloaded prices.
    offline : bool
        Leave the network alone.
    """
    yield _python()
    yield from _packages()
    yield _engine()
    single: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("A study of the sample", _study),
        ("Exchange calendar", _calendar),
    )
    for name, check in single:
        try:
            yield check()
        except (EventStudyError, ImportError) as error:
            yield Check(name, "bad", str(error), "Install the package again.")
    try:
        yield from _cache(cache)
    except EventStudyError as error:
        yield Check("Cache", "bad", str(error))
    yield _network(offline)


_SIGNS: Final = {"ok": "ok  ", "note": "note", "bad": "BAD "}


@app.command(
    epilog="""Examples:

[bold]eventstudy doctor[/bold]

[bold]eventstudy doctor --offline --json[/bold]"""
)
def doctor(
    cache: Cache = None,
    offline: Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Check the installation, the cache and the way to Yahoo; exit code 1 if a study could not be done."""
    found = []
    for check in checks(cache, offline):
        found.append(check)
        if not as_json:
            typer.echo(f"{_SIGNS[check.state]}  {check.name}: {check.found}")
            if check.remedy:
                typer.echo(f"      → {check.remedy}")
            sys.stdout.flush()
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in found], indent=2, ensure_ascii=False))
    if any(check.state == "bad" for check in found):
        raise typer.Exit(1)
