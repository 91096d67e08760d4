"""Models as options name them: ``market``, ``dimson:leads=2,lags=2``, ``peers:{"peers": {"MSFT": ["GOOGL"]}}``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from eventstudy.cli.base import misused
from eventstudy.errors import InputError
from eventstudy.models.named import MODELS, find_model, named_model

if TYPE_CHECKING:
    from eventstudy.models import NormalReturnModel

__all__ = ["MODEL_HELP", "Choice", "choices", "labels", "lines_of_models", "shared_by", "written"]

_NAMES: Final = ("benchmark", "donors", "exclude", "peers", "total_returns")  # lists of tickers
_SHOWN: Final = 3  # names of a list that a label has room for
_INTEGER: Final = re.compile(r"[+-]?\d+")

MODEL_HELP: Final = (
    f"Model of normal returns: {', '.join(MODELS)}. Parameters stand behind a colon: "
    "[bold]dimson:leads=2,lags=2[/bold], [bold]peers:peers=GOOGL+AMZN[/bold]; see below."
)


@dataclass(frozen=True)
class Choice:
    """A model that was asked for.

    Parameters
    ----------
    name : str
        Its name.
    parameters : mapping of str to object
        Its parameters, without its benchmarks.
    benchmarks : tuple of str
        Benchmarks of its own; where there are none it shares those of the study.
    option : str
        Option that names it, for errors.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    benchmarks: tuple[str, ...] = ()
    option: str = "--model"

    @classmethod
    def of(cls, text: str, option: str = "--model") -> Choice:
        """Model from its text."""
        name, _, rest = text.partition(":")
        try:
            given = _json(rest) if rest.lstrip().startswith("{") else _pairs(rest)
            entry = find_model(name.strip())
        except InputError as error:
            misused(str(error), option)
        own = given.pop("benchmark", ())
        return cls(entry.name, given, tuple(_names(own)), option)

    @property
    def label(self) -> str:
        """Name and parameters, as they are written; long lists cut short."""
        own = {"benchmark": list(self.benchmarks)} if self.benchmarks else {}
        shown = [
            f"{key}={_shown(value)}" for key, value in {**own, **self.parameters}.items() if not isinstance(value, dict)
        ]
        return f"{self.name}:{','.join(shown)}" if shown else self.name

    @property
    def factors(self) -> str:
        """Set of factors that it reads; empty for none."""
        return MODELS[self.name].factors

    @property
    def pool(self) -> list[str] | None:
        """Other securities that it is made of: those named, None for all that there are."""
        if not MODELS[self.name].pool:
            return []
        named = self.parameters.get("peers", self.parameters.get("donors"))
        if named is None:
            return None
        lists = named.values() if isinstance(named, Mapping) else [named]
        return [name for some in lists for name in _names(some)]

    def made(self, shared: Sequence[str], prefix: str = "", no_donors: Sequence[str] = ()) -> NormalReturnModel:
        """The model itself.

        Parameters
        ----------
        shared : sequence of str
            Benchmarks where it has none of its own.
        prefix : str
            Before the names of factors.
        no_donors : sequence of str
            Rows of the panel that are no securities.
        """
        parameters = dict(self.parameters)
        if self.pool is None and "exclude" in MODELS[self.name].parameters:
            parameters["exclude"] = [*_names(parameters.get("exclude", ())), *no_donors]
        try:
            return named_model(self.name, self.benchmarks or tuple(shared), prefix=prefix, **parameters)
        except InputError as error:
            misused(str(error), "--benchmark" if error.context.get("option") == "benchmark" else self.option)


def choices(model: str, others: Iterable[str], option: str = "--compare") -> list[Choice]:
    """The model of a study, and those to compare it with, each once."""
    found = [Choice.of(model)]
    for text in others:
        choice = Choice.of(text, option)
        if replace(choice, option="--model") not in [replace(one, option="--model") for one in found]:
            found.append(choice)
    return found


def labels(chosen: Sequence[Choice]) -> list[str]:
    """Label of each model; those that would be alike are numbered."""
    plain = [one.label for one in chosen]
    nth = [plain[:at].count(label) + 1 for at, label in enumerate(plain)]
    return [f"{label} ({n})" if plain.count(label) > 1 else label for label, n in zip(plain, nth, strict=True)]


def shared_by(chosen: Sequence[Choice], benchmarks: Sequence[str]) -> list[list[str]]:
    """Benchmarks of each model, of those given for all.

    A study of one model refuses those that it does not use. Of several models each takes as many as it can, and
    every benchmark must have a user.
    """
    if len(chosen) == 1:
        return [list(benchmarks)]
    most = {"none": 0, "one": 1, "optional": 1, "several": len(benchmarks)}
    taken = [list(benchmarks[: 0 if one.benchmarks else most[MODELS[one.name].benchmarks]]) for one in chosen]
    idle = benchmarks[max(map(len, taken)) :]
    if idle:
        misused(f"No model uses {', '.join(idle)}. Leave it out, or compare with --model factors.", "--benchmark")
    return taken


def lines_of_models() -> str:
    """A paragraph for each model with what it takes."""
    lines = []
    for entry in MODELS.values():
        needs = {"none": "", "one": "a benchmark", "optional": "a benchmark if you like", "several": "benchmarks"}
        parts = [
            needs[entry.benchmarks],
            "factors" if entry.factors else "",
            f"parameters {', '.join(entry.parameters)}" if entry.parameters else "",
        ]
        takes = "; ".join(part for part in parts if part)
        lines.append(f"[bold]{entry.name}[/bold]: {entry.title}{f' ({takes})' if takes else ''}")
    return "\n\n".join(lines)


def written(name: str, parameters: Mapping[str, Any]) -> str:
    """Text of a model with the parameters of a study file."""
    return f"{name}:{json.dumps(parameters, ensure_ascii=False, default=str)}" if parameters else name


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{text} is not JSON: {error}.", remedy='Such as {"peers": {"MSFT": ["GOOGL"]}}.') from None
    assert isinstance(found, dict)
    return found


def _pairs(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, sign, value = part.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise InputError(f"{part!r} is not KEY=VALUE.", remedy="Such as dimson:leads=2,lags=2.")
        key = key.strip()
        if key in found:
            raise InputError(f"{key} is given twice.", remedy="Give it once.")
        found[key] = value.strip().split("+") if key in _NAMES else _literal(value.strip())
    return found


def _literal(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "+".join([str(item) for item in value[:_SHOWN]] + (["…"] if len(value) > _SHOWN else []))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str) else [str(name) for name in value]
