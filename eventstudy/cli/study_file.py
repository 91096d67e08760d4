"""Study files: the options of ``eventstudy run``, and the events, as TOML."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import typer

from eventstudy.cli.models import written
from eventstudy.errors import InputError
from eventstudy.models.named import MODELS, SYNONYMS

__all__ = ["INLINE", "TEMPLATE", "inline_events", "remember_study_file"]

INLINE: Final = "@"
"""Before the path of a study file that holds its events itself."""

_MAX_BYTES: Final = 1 << 20  # a study file is a page of text

TEMPLATE: Final = """\
# A study for `eventstudy run --config {name}`. Every line that begins with # is a comment.
# Options on the command line go before what is written here.

[events]
# A CSV or Parquet file with the columns ticker and timestamp, and if you like label, group, weight, tz.
# Paths are relative to this file. Or leave `file` out and list the events below as [[event]].
# file = "events.csv"
tz = "America/New_York"        # zone of times of day without an offset
# confounders = "sample"       # other dated events: a CSV with date, scope and label, or the bundled calendar

[[event]]
timestamp = "2025-01-29 04:46" # a date alone names a session; a time of day is placed by the exchange's hours
tickers = ["MSFT", "NVDA", "GOOGL", "META", "AMZN", "AMD", "AVGO"]
label = "OpenAI and DeepSeek"
# group = "Named by the news"

[prices]
source = "sample"              # the bundled sample, "yahoo", or the path of a CSV or Parquet file
# start = 2023-12-01           # dates are found from the events unless given
# end = 2025-02-28
# offline = true               # never touch the network
# snapshot = "paper"           # downloaded prices as `eventstudy cache snapshot` kept them
# log_returns = true
# strict = true                # refuse prices that look damaged, instead of a warning
# interval = "1wk"             # weekly returns; or "1mo", or bars of a session such as "5m"

[model]
name = "market"                # also mean, adjusted, factors, capm, ff3, carhart, ff5, ff6, scholes-williams, dimson,
                               # huber, theil-sen, garch, gjr, egarch, rolling, ewma, peers, synthetic-control, latent
benchmark = "SPY"              # or several: ["SPY", "SMH"] with name = "factors"
# Factor models read the Fama-French set that they need from the web, once; or a file that you have, or a folder.
# factors = "F-F_Research_Data_Factors_daily_CSV.zip"
# factor_units = "percent"     # of a plain table of factors, where its numbers leave doubt
# factor_smb = "ff3"           # the SMB that a file with RMW or CMA holds, if it is not that of the five-factor file
# Parameters of the model stand here too (`eventstudy run --help` lists them), such as
# leads = 2                    # dimson
# lags = 2
# distribution = "t"           # garch, gjr, egarch
# halflife = 60                # ewma
# span = 126                   # rolling
# peers = ["ORCL", "CRM"]      # peers; or by security: peers = {MSFT = ["ORCL"], NVDA = ["INTC"]}
# donors = ["ORCL", "CRM"]     # synthetic-control and latent; all securities of the source unless named
# exclude = ["QQQ", "SMH"]     # no donors

# The same events under other models as well: comparison.csv, comparison.png and diagnostics.csv beside the tables.
# [compare]
# models = ["mean", "huber", {name = "dimson", leads = 2, lags = 2}]

[windows]                      # sessions relative to the event, both ends included
estimation = [-250, -11]       # or after the event, [11, 130], or on both sides, [[-120, -11], [11, 120]]
event = [-5, 5]
car = [[0, 0], [0, 1], [-1, 1]]
# min_obs = 120                # fewest returns in the estimation window
# exclude = [2025-01-27, [2024-12-20, 2025-01-03]]  # days that no estimation window may use; or by security:
# exclude = {NVDA = [2024-11-21]}
# exclude_events = true        # nor the event windows of a security's other events; or sessions around them: [0, 60]
# outliers = 5                 # nor residuals beyond five robust standard deviations

[study]
calendar = "NYSE"              # exchange whose hours place news with a time of day
missing = "propagate"          # a CAR over a missing session: "propagate" (missing) or "skip" (sum the others)
confidence = 0.95
strict = false                 # true: stop at the first event that cannot be used

[output]
out = "results"                # every table, the figures
format = "csv"                 # or "parquet"
plots = true
report = true                  # report.html beside the tables
excel = false                  # tables.xlsx beside the tables
risk = false                   # risk_volatility.csv, and risk_abnormal_volume.csv where the prices have volume
"""

_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "events": {"file": "events", "tz": "tz", "confounders": "confounders"},
    "prices": {name: name for name in ("source", "start", "end", "offline", "cache", "snapshot", "log_returns")}
    | {"strict": "strict_prices", "interval": "interval"},
    "model": {
        name: name for name in ("benchmark", "factors", "factor_units", "factor_smb")
    },  # and parameters of the model
    "compare": {"models": "compare"},
    "windows": {"estimation": "estimation", "event": "window", "car": "car"}
    | {name: name for name in ("min_obs", "exclude", "exclude_events", "outliers")},
    "study": {name: name for name in ("calendar", "missing", "confidence", "strict", "dask")},
    "output": {name: name for name in ("out", "format", "plots", "report", "excel", "risk")} | {"json": "as_json"},
}
_EVENT_KEYS: Final = ("timestamp", "ticker", "tickers", "label", "group", "weight", "tz")


def _window(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(part, list | str) for part in value):
        return ",".join(_window(part) for part in value)  # on both sides of the event
    if isinstance(value, list) and len(value) == 2:
        return ":".join(str(end) for end in value)
    return str(value)


def _windows(value: Any) -> list[str]:
    if not isinstance(value, list):
        return [str(value)]
    one = len(value) == 2 and all(isinstance(end, int) for end in value)
    return [_window(value)] if one else [_window(item) for item in value]


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _days(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{ticker}={text}" for ticker, days in value.items() for text in _days(days)]
    items = value if isinstance(value, list) else [value]
    return [":".join(map(str, item)) if isinstance(item, list) else str(item) for item in items]


def _models(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [_model(item, "A model of [compare]") if isinstance(item, Mapping) else str(item) for item in items]


def _model(table: Mapping[str, Any], where: str) -> str:
    """Text of the model that a table describes; a name that does not exist is told by ``--model``."""
    parameters = {key: value for key, value in table.items() if key != "name"}
    name = str(table.get("name", "market"))
    if name in MODELS:
        known = (*MODELS[name].parameters, *SYNONYMS, "name", *_KEYS["model"])
        for key in parameters:
            _known(key, known, f"{where}, a model {name},")
    return written(name, parameters)


_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "estimation": _window,
    "window": _window,
    "car": _windows,
    "benchmark": _list,
    "start": str,
    "end": str,
    "snapshot": str,
    "factors": _list,
    "compare": _models,
    "exclude": _days,
}
_PATHS: Final = ("events", "out", "cache")


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)  # a device has no size of its own
        if len(content) <= _MAX_BYTES:
            return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"Cannot read the study file {path}: {error.strerror}.", remedy="`eventstudy init` writes one."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"The study file {path} is not UTF-8 text: {error}.", remedy="Save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is no TOML error
        raise InputError(
            f"The study file {path} is not TOML: {error}.", remedy="`eventstudy init` writes one to start from."
        ) from None
    raise InputError(
        f"The study file {path} is larger than {_MAX_BYTES >> 20} MB.", remedy="Put the events into a CSV."
    )


def _known(name: str, known: Mapping[str, Any] | tuple[str, ...], where: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        raise InputError(
            f"{where} has no {name!r}.", remedy=f"Did you mean {near[0]!r}?" if near else f"Use some of {list(known)}."
        )


def _options(path: Path) -> dict[str, Any]:
    """Options of ``run`` by the names of its parameters."""
    content = _read(path)
    found: dict[str, Any] = {}
    for section, table in content.items():
        if section == "event":
            continue
        _known(section, {**_KEYS, "event": None}, f"The study file {path}")
        if not isinstance(table, dict):
            raise InputError(f"{section!r} in {path} is no section.", remedy=f"Write it as [{section}].")
        if section == "model":
            found["model"] = _model(
                {key: value for key, value in table.items() if key not in _KEYS["model"]}, f"[model] of {path}"
            )
            table = {key: value for key, value in table.items() if key in _KEYS["model"]}
        for key, value in table.items():
            _known(key, _KEYS[section], f"[{section}] of {path}")
            name = _KEYS[section][key]
            found[name] = _CONVERT.get(name, lambda given: given)(value)
    for name in _PATHS:
        if name in found:
            found[name] = str(path.parent / str(found[name]))
    source = found.get("source")
    if source is not None and source not in ("sample", "yahoo") and "://" not in source:
        found["source"] = str(path.parent / source)
    if not isinstance(around := found.get("exclude_events", False), bool):
        found |= {"exclude_events": True, "exclude_around": _window(around)}
    if "factors" in found:
        beside = [path.parent / name for name in found["factors"]]  # a set such as ff3 is no file
        found["factors"] = [
            str(file) if file.exists() else name for file, name in zip(beside, found["factors"], strict=True)
        ]
    if found.get("confounders", "sample") != "sample":
        found["confounders"] = str(path.parent / str(found["confounders"]))
    if "event" in content:
        if "events" in found:
            raise InputError(
                f"{path} names a file of events and lists events too.", remedy="Keep [events] file or [[event]]."
            )
        found["events"] = f"{INLINE}{path}"
    return found


def remember_study_file(ctx: typer.Context, value: Path | None) -> Path | None:
    """Make what a study file says the defaults of a command."""
    if value is not None:
        found = _options(value)
        if ctx.info_name == "compare":  # has one list of models
            found["model"] = [found.get("model", "market"), *found.pop("compare", [])]
        ctx.default_map = found
    return value


def inline_events(path: Path) -> list[dict[str, Any]]:
    """Events listed in a study file, one row for each security.

    Raises
    ------
    InputError
        If an event has an unknown key, or lacks a time or a ticker.
    """
    rows: list[dict[str, Any]] = []
    entries = _read(path)["event"]
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        where = f"[[event]] {number} of {path}"
        if not isinstance(entry, dict):
            raise InputError(f"{where} is not a table.", remedy="Write [[event]] above its keys.")
        for key in entry:
            _known(key, _EVENT_KEYS, where)
        tickers = _list(entry.get("tickers", [])) + _list(entry.get("ticker", []))
        if not tickers or "timestamp" not in entry:
            raise InputError(
                f"{where} lacks {'tickers' if not tickers else 'a timestamp'}.",
                remedy='Such as timestamp = "2025-01-29 04:46" and tickers = ["MSFT"].',
            )
        others = {key: value for key, value in entry.items() if key not in ("ticker", "tickers", "timestamp")}
        rows += [{"ticker": ticker, "timestamp": str(entry["timestamp"]), **others} for ticker in tickers]
    return rows
