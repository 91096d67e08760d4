"""Models by name: the one list that the command line, study files and the web page read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from eventstudy.errors import InputError
from eventstudy.models.base import NormalReturnModel
from eventstudy.models.factors import FactorModel
from eventstudy.models.garch import GARCHMarketModel
from eventstudy.models.latent import LatentFactors
from eventstudy.models.linear import MarketAdjusted, MarketModel, MeanAdjusted
from eventstudy.models.peers import PeerPortfolio
from eventstudy.models.robust import RobustMarketModel
from eventstudy.models.synthetic_control import SyntheticControl
from eventstudy.models.thin_trading import Dimson, ScholesWilliams
from eventstudy.models.time_varying import EWMAMarketModel, RollingMarketModel

__all__ = ["MODELS", "SYNONYMS", "NamedModel", "find_model", "named_model"]

Benchmarks: TypeAlias = Literal["none", "one", "optional", "several"]


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model of normal returns under its name.

    Parameters
    ----------
    name : str
        Short name, as in ``--model dimson``.
    title : str
        Name for people.
    make : callable
        Makes the model of its benchmarks and parameters.
    benchmarks : {"none", "one", "optional", "several"}
        How many benchmarks it takes.
    parameters : tuple of str
        Keyword arguments of ``make`` that may be given.
    factors : str
        Set of :func:`eventstudy.data.load_factors` that holds its factors; empty for none.
    pool : bool
        Whether it is made of other securities of the panel.
    """

    name: str
    title: str
    make: Callable[..., NormalReturnModel]
    benchmarks: Benchmarks = "one"
    parameters: tuple[str, ...] = ()
    factors: str = ""
    pool: bool = False


def _capm(market: str = "Mkt-RF", **options: Any) -> FactorModel:
    return FactorModel.capm(market, **options)


_theil_sen = partial(RobustMarketModel, method="theil-sen")
_VARIANCE: Final = ("distribution", "p", "q")
_DONORS: Final = ("donors", "exclude", "clean")

MODELS: Final[Mapping[str, NamedModel]] = {
    entry.name: entry
    for entry in (
        NamedModel("market", "Market model", MarketModel),
        NamedModel("adjusted", "Market-adjusted", MarketAdjusted),
        NamedModel("mean", "Mean-adjusted", MeanAdjusted, "none"),
        NamedModel("factors", "Factors by name", FactorModel, "several", ("risk_free", "total_returns")),
        NamedModel("capm", "CAPM, excess returns", _capm, "optional", ("excess",), "ff3"),
        NamedModel("ff3", "Fama–French three factors", FactorModel.ff3, "none", (), "ff3"),
        NamedModel("carhart", "Carhart four factors", FactorModel.carhart, "none", (), "ff3+mom"),
        NamedModel("ff5", "Fama–French five factors", FactorModel.ff5, "none", (), "ff5"),
        NamedModel("ff6", "Five factors and momentum", FactorModel.ff6, "none", (), "ff5+mom"),
        NamedModel("scholes-williams", "Scholes–Williams (thin trading)", ScholesWilliams),
        NamedModel("dimson", "Dimson (thin trading)", Dimson, "one", ("leads", "lags", "fowler_rorke")),
        NamedModel("huber", "Huber regression (robust)", RobustMarketModel, "one", ("c", "scale")),
        NamedModel("theil-sen", "Theil–Sen (robust)", _theil_sen, "one", ("scale",)),
        NamedModel("garch", "GARCH errors", GARCHMarketModel, "one", ("volatility", *_VARIANCE)),
        NamedModel("gjr", "GJR-GARCH errors", partial(GARCHMarketModel, volatility="gjr"), "one", _VARIANCE),
        NamedModel("egarch", "EGARCH errors", partial(GARCHMarketModel, volatility="egarch"), "one", _VARIANCE),
        NamedModel("rolling", "Rolling beta", RollingMarketModel, "one", ("span",)),
        NamedModel("ewma", "Exponentially weighted beta", EWMAMarketModel, "one", ("halflife",)),
        NamedModel(
            *("peers", "Peer portfolio", PeerPortfolio, "none", ("peers", "weights", "values", "min_peers", "clean")),
            pool=True,
        ),
        NamedModel(
            "synthetic-control", "Synthetic control", SyntheticControl, "none", (*_DONORS, "intercept"), pool=True
        ),
        NamedModel(
            *("latent", "Latent factors", LatentFactors, "none"),
            ("n_factors", "max_factors", "standardise", *_DONORS),
            pool=True,
        ),
    )
}
"""Models by name, in the order in which they are shown."""

_ALSO: Final = {"synthetic": "synthetic-control"}  # as results call it
SYNONYMS: Final = {"family": "volatility", "window": "span"}
"""Other words for parameters."""


def find_model(name: str) -> NamedModel:
    """What is known of a model by its name.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    key = _ALSO.get(name, name)
    if key in MODELS:
        return MODELS[key]
    near = get_close_matches(name, MODELS, n=1)
    raise InputError(
        f"There is no model {name!r}.",
        remedy=f"{f'Did you mean {near[0]!r}? ' if near else ''}Use one of {', '.join(MODELS)}.",
        option="model",
    )


def named_model(
    name: str, benchmarks: str | Sequence[str] = (), *, prefix: str = "", **parameters: Any
) -> NormalReturnModel:
    """Model of normal returns by its name.

    Parameters
    ----------
    name : str
        A name of :data:`MODELS`, such as ``"market"``, ``"ff3"`` or ``"dimson"``.
    benchmarks : str or sequence of str
        Benchmarks, as many as the model takes.
    prefix : str
        Before the names of Fama–French factors, as in :meth:`eventstudy.FactorModel.ff3`.
    **parameters
        Arguments of the model's class, such as ``leads=2``. ``family`` stands for ``volatility`` and ``window`` for
        ``span`` as well.

    Returns
    -------
    NormalReturnModel

    Raises
    ------
    InputError
        If there is no such model, it has no such parameter, refuses a value, lacks a parameter that it needs, or takes
        another number of benchmarks.

    Examples
    --------
    >>> named_model("dimson", "SPY", leads=2)
    Dimson(benchmark='SPY', leads=2, lags=1, fowler_rorke=True)
    >>> named_model("ff3").benchmarks
    ('Mkt-RF', 'SMB', 'HML', 'RF')
    """
    entry = find_model(name)
    given: dict[str, Any] = {}
    for written, value in parameters.items():
        key = SYNONYMS.get(written, written)
        if key not in entry.parameters:
            raise _no_parameter(entry, written)
        if key in given:
            raise InputError(f"The model {name} is given {key} twice.", remedy="Give it once.", option="model")
        given[key] = value
    if "peers" in entry.parameters and "peers" not in given:
        raise InputError("The model peers needs the names of the peers.", remedy="Give peers.", option="model")
    if entry.factors:
        given["prefix"] = prefix
    return entry.make(*_benchmarks(entry, benchmarks), **given)


def _no_parameter(entry: NamedModel, key: str) -> InputError:
    near = get_close_matches(key, entry.parameters, n=1)
    has = f"It has {', '.join(entry.parameters)}." if entry.parameters else "It has none."
    return InputError(
        f"The model {entry.name} has no parameter {key!r}.",
        remedy=f"Did you mean {near[0]!r}? {has}" if near else has,
        option="model",
    )


def _benchmarks(entry: NamedModel, given: str | Sequence[str]) -> list[Any]:
    """Positional arguments of the model."""
    names = [given] if isinstance(given, str) else list(given)
    if entry.benchmarks == "none":
        if names:
            raise InputError(
                f"The model {entry.name} uses no benchmark.",
                remedy="Leave it out, or choose another model.",
                option="benchmark",
            )
        return []
    if not names:
        if entry.benchmarks == "optional":
            return []
        raise InputError(f"The model {entry.name} needs a benchmark, such as benchmark=SPY.", option="benchmark")
    if entry.benchmarks == "several":
        return [names]
    if len(names) > 1:
        raise InputError(
            f"The model {entry.name} takes one benchmark, not {len(names)} ({', '.join(names)}).",
            remedy="For several, use model=factors.",
            option="benchmark",
        )
    return names
