"""Simulated panels of factor returns, and the error of CARs on them by model; used by model_bias.py."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

import eventstudy as es
from eventstudy.models import (
    Dimson,
    EWMAMarketModel,
    GARCHMarketModel,
    LatentFactors,
    PeerPortfolio,
    RobustMarketModel,
    RollingMarketModel,
    ScholesWilliams,
    SyntheticControl,
)
from eventstudy.windows import EventIndex, Window

Array: TypeAlias = npt.NDArray[np.float64]

SEED = 5
EVENTS, PEERS, OTHERS = 4, 10, 40  # securities of a draw: with an event, like them, of all kinds
ESTIMATION, EVENT = Window(-270, -21), Window(0, 250)
WINDOWS = {"CAR(0, 5)": Window(0, 5), "CAR(0, 250)": Window(0, 250)}
AT, SESSIONS, BURN = 271, 522, 1  # column of the event session; sessions; one before them for stale prices

FACTORS = ("Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom")
PREMIUM = np.array([0.07, 0.015, 0.03, 0.035, 0.03, 0.06]) / 252  # per session, from these a year
SPREAD = np.array([0.011, 0.0055, 0.006, 0.004, 0.004, 0.0075])  # standard deviation per session
CORRELATION = np.array(
    [
        [1.0, 0.1, -0.1, -0.3, -0.3, -0.2],
        [0.1, 1.0, 0.0, -0.35, 0.0, 0.0],
        [-0.1, 0.0, 1.0, 0.1, 0.6, -0.3],
        [-0.3, -0.35, 0.1, 1.0, 0.0, 0.1],
        [-0.3, 0.0, 0.6, 0.0, 1.0, 0.0],
        [-0.2, 0.0, -0.3, 0.1, 0.0, 1.0],
    ]
)
LIKE_EVENTS = np.array([1.1, 0.6, -0.2, -0.2, -0.1, 0.3])  # mean betas of small winners
ANY_KIND = np.array([1.0, 0.3, 0.1, 0.0, 0.0, 0.0])
ACROSS = np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.2])  # standard deviation of a beta's mean over securities
OVER_TIME = np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.2])  # of a moving beta about its mean
HALFLIFE = 120  # sessions in which a beta comes half the way back
RATE = 0.0001
INDUSTRY = 0.007  # standard deviation per session of what the events and their peers share beside the factors
SHOCK, LAG = 0.06, 0.92  # GARCH(1, 1) of the residuals
TAILS = 6.0  # degrees of freedom of their Student t
STALE = 0.4  # share of a move that is seen a session late
RUN_UP = 0.0005  # per session of the estimation window
SHIFT = 0.4  # of the market beta, from the event session on

TRUTH: Final = "true betas"


@dataclass(frozen=True)
class Scenario:
    """One truth about the returns."""

    key: str
    title: str
    text: str
    premia: bool = True
    moving: bool = True
    run_up: float = 0.0
    shift: float = 0.0
    stale: float = 0.0


SCENARIOS = (
    Scenario("constant", "Constant betas", "Betas stay as they are, and factors earn their premia.", moving=False),
    Scenario("moving", "Moving betas", "Betas move about their means, and factors earn their premia."),
    Scenario(
        "run-up",
        "After a run-up",
        f"As with moving betas; securities with an event earned {RUN_UP * 100:.2f} % a session more over the "
        "estimation window, and no more after it.",
        run_up=RUN_UP,
    ),
    Scenario(
        "shift",
        "Beta shifts at the event",
        f"As with moving betas; the market beta is {SHIFT} higher from the event session on.",
        shift=SHIFT,
    ),
    Scenario(
        "thin",
        "Thin trading",
        f"As with moving betas; of every move of the securities with an event, and of their peers, {STALE * 100:.0f} % "
        "is seen a session late.",
        stale=STALE,
    ),
)


def models() -> dict[str, Any]:
    """The models of the page by the names in its tables."""
    like, others = names("P", PEERS), names("D", OTHERS)
    return {
        "mean-adjusted": es.MeanAdjusted(),
        "market-adjusted": es.MarketAdjusted("MKT"),
        "market": es.MarketModel("MKT"),
        "CAPM": es.FactorModel.capm(),
        "FF 3": es.FactorModel.ff3(),
        "Carhart 4": es.FactorModel.carhart(),
        "FF 5": es.FactorModel.ff5(),
        "FF 5 + Mom": es.FactorModel.ff6(),
        "Scholes–Williams": ScholesWilliams("MKT"),
        "Dimson": Dimson("MKT"),
        "Huber": RobustMarketModel("MKT"),
        "Theil–Sen": RobustMarketModel("MKT", "theil-sen"),
        "rolling, 126": RollingMarketModel("MKT", 126),
        "EWMA, 60": EWMAMarketModel("MKT", 60),
        "GARCH": GARCHMarketModel("MKT"),
        "peer portfolio": PeerPortfolio(like),
        "synthetic control": SyntheticControl([*like, *others]),
        "latent factors": LatentFactors(donors=[*like, *others]),
    }


def names(letter: str, n: int) -> list[str]:
    """Tickers of a kind of security."""
    return [f"{letter}{k:02d}" for k in range(n)]


@dataclass(frozen=True)
class Draw:
    """Random numbers of one panel, the same for every scenario; securities first, sessions last."""

    factors: Array  # (6, sessions), mean zero
    smb5: Array  # (sessions,), what the SMB of the five-factor file has of its own
    means: Array  # (securities, 6)
    moves: Array  # (securities, 6, sessions), in units of their standard deviation
    noise: Array  # (securities, sessions)
    industry: Array  # (sessions,)

    @classmethod
    def of(cls, seed: np.random.SeedSequence) -> Draw:
        """The draw of a seed."""
        rng = np.random.default_rng(seed)
        n, length = EVENTS + PEERS + OTHERS, SESSIONS + BURN
        factors = SPREAD[:, None] * (np.linalg.cholesky(CORRELATION) @ rng.normal(size=(6, length)))
        center = np.vstack([np.tile(LIKE_EVENTS, (EVENTS + PEERS, 1)), np.tile(ANY_KIND, (OTHERS, 1))])
        means = center + ACROSS * rng.normal(size=(n, 6))
        keep = 0.5 ** (1 / HALFLIFE)
        moves = rng.normal(size=(length, n, 6))
        moves[1:] *= np.sqrt(1 - keep**2)
        for t in range(1, length):
            moves[t] += keep * moves[t - 1]
        level = 0.018 * np.exp(0.3 * rng.normal(size=n))
        return cls(
            factors,
            0.001 * rng.normal(size=length),
            means,
            np.moveaxis(moves, 0, -1),
            level[:, None] * _garch(rng.standard_t(TAILS, (n, length)) * np.sqrt((TAILS - 2) / TAILS)),
            INDUSTRY * rng.normal(size=length),
        )

    def mirrored(self) -> Draw:
        """The same betas with every shock to returns of the other sign: as likely a draw, and errors cancel."""
        return replace(self, factors=-self.factors, smb5=-self.smb5, noise=-self.noise, industry=-self.industry)


def _garch(z: Array) -> Array:
    """Shocks of unit variance given a GARCH(1, 1) variance of mean one."""
    variance, out = np.ones(len(z)), np.empty_like(z)
    for t in range(z.shape[1]):
        out[:, t] = np.sqrt(variance) * z[:, t]
        variance = (1 - SHOCK - LAG) + SHOCK * out[:, t] ** 2 + LAG * variance
    return out


def panel(draw: Draw, scenario: Scenario) -> tuple[es.ReturnPanel, Array]:
    """Returns of a scenario, and the securities' own noise in the event window, shape (events, 251)."""
    like = EVENTS + PEERS
    betas = draw.means[:, :, None] + (OVER_TIME[:, None] * draw.moves if scenario.moving else 0.0)
    betas = np.array(betas + np.zeros_like(draw.moves))
    betas[:EVENTS, 0, BURN + AT :] += scenario.shift
    factors = draw.factors + (PREMIUM[:, None] if scenario.premia else 0.0)
    returns = RATE + np.einsum("nft,ft->nt", betas, factors) + draw.noise
    returns[:like] += draw.industry
    returns[:EVENTS, BURN + AT + ESTIMATION.start : BURN + AT + ESTIMATION.end + 1] += scenario.run_up
    if scenario.stale:
        returns[:like, 1:] = (1 - scenario.stale) * returns[:like, 1:] + scenario.stale * returns[:like, :-1]
    rate = np.full(factors.shape[1], RATE)
    rows = np.vstack([returns, factors[0] + rate, factors, 0.95 * factors[1] + draw.smb5, rate])[:, BURN:]
    tickers = [*names("E", EVENTS), *names("P", PEERS), *names("D", OTHERS), "MKT", *FACTORS, "SMB5", "RF"]
    days = pd.bdate_range("2000-01-03", periods=SESSIONS)
    return es.ReturnPanel(rows, pd.Index(tickers, dtype=object), days), draw.noise[:EVENTS, BURN + AT :]


def errors(seed: np.random.SeedSequence) -> Array:
    """CARs of one draw and its mirror image, none of which is due to an event.

    Returns
    -------
    ndarray of float64, shape (n_scenarios, n_models + 1, n_windows, 2 n_events)
        NaN where a model could not be fitted; last of the models the truth.
    """
    draw = Draw.of(seed)
    return np.concatenate([cars(draw, SCENARIOS), cars(draw.mirrored(), SCENARIOS)], axis=-1)


def cars(draw: Draw, scenarios: Sequence[Scenario]) -> Array:
    """CARs of a draw, shape (n_scenarios, n_models + 1, n_windows, n_events); last of the models the noise."""
    named = models()
    index = EventIndex(np.arange(EVENTS), np.full(EVENTS, AT), ESTIMATION, EVENT)
    found = np.full((len(scenarios), len(named) + 1, len(WINDOWS), EVENTS), np.nan)
    for s, scenario in enumerate(scenarios):
        returns, noise = panel(draw, scenario)
        for m, model in enumerate(named.values()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a GARCH fit that fails is counted
                ready = model.prepared(index) if hasattr(model, "prepared") else model
                fit = ready.fit(returns, index, 100)
            for w, window in enumerate(WINDOWS.values()):
                found[s, m, w] = fit.window_sums(window).car
        for w, window in enumerate(WINDOWS.values()):
            found[s, -1, w] = noise[:, window.start : window.end + 1].sum(axis=1)
    return found


def some(seeds: Sequence[np.random.SeedSequence]) -> Array:
    """Errors of several draws; draws first."""
    return np.stack([errors(seed) for seed in seeds])


def simulated(draws: int, jobs: int) -> Array:
    """Errors of all draws; they do not depend on the number of processes."""
    seeds = np.random.SeedSequence(SEED).spawn(draws)
    chunks = [seeds[start : start + 5] for start in range(0, draws, 5)]
    with tqdm(total=draws, desc="draws", disable=None) as bar:
        parts = []
        for part in _results(chunks, jobs):
            parts.append(part)
            bar.update(len(part))
    return np.concatenate(parts)


def _results(chunks: Sequence[Sequence[np.random.SeedSequence]], jobs: int) -> Iterator[Array]:
    if jobs == 1:
        yield from map(some, chunks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
        yield from executor.map(some, chunks)


def table(found: Array) -> pd.DataFrame:
    """Bias and root mean squared error by scenario, model and window; decimals.

    The bias is the mean difference from the securities' own noise, whose mean is known to be zero: the same number,
    with a smaller standard error. Standard errors take a draw and its mirror image as one observation.
    """
    rows = []
    for s, scenario in enumerate(SCENARIOS):
        for m, model in enumerate([*models(), TRUTH]):
            for w, window in enumerate(WINDOWS):
                car = found[:, s, m, w]
                away = car - found[:, s, -1, w]
                rmse = float(np.sqrt(np.nanmean(car**2)))
                what: dict[str, Any] = {"scenario": scenario.key, "model": model, "window": window}
                bias = {"bias": float(np.nanmean(away)), "bias_std_error": _std_error(away)}
                error = {"rmse": rmse, "rmse_std_error": _std_error(car**2) / (2 * rmse)}
                rows.append(what | {"n_events": int((~np.isnan(car)).sum())} | bias | error)
    return pd.DataFrame(rows)


def _std_error(values: Array) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw of which no event could be fitted
        each = np.nanmean(values, axis=1)
    each = each[~np.isnan(each)]
    return float(np.std(each, ddof=1) / np.sqrt(len(each)))
