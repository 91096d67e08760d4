"""Returns made up to a pattern: a market, betas, and residuals of known correlation and tails."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray
from eventstudy.errors import InputError, InsufficientDataError
from eventstudy.inference.resampling import Seed, as_many, generator
from eventstudy.panel import ReturnPanel

__all__ = ["SyntheticPanel"]

_LEAST = 60  # sessions that a security needs to count in a calibration
_NORMAL = 1e-3  # excess kurtosis below which errors are called normal


@dataclass(frozen=True, slots=True)
class SyntheticPanel:
    """A pattern for panels of made-up returns; :meth:`draw` makes one.

    ``R_it = β_i R_mt + ε_it`` with ``ε_it = σ_i (√ρ f_t + √(1 − ρ) u_it)``. The market, the common shock ``f`` and the
    securities' own ``u`` are independent over sessions; ``f`` and ``u`` have unit variance and are normal, or Student
    t. So the residuals of a market model have the correlation ``ρ`` on every date, and no test of this library is
    given anything that it could mistake for an event.

    Parameters
    ----------
    n_securities, n_sessions : int
        Securities beside the market; sessions.
    correlation : float
        ``ρ``, from 0 to below 1.
    df : float, optional
        Degrees of freedom of Student t shocks, above 2; normal ones by default.
    sigma, sigma_spread : float
        Median of ``σ_i`` (decimal per session), and the standard deviation of its logarithm over securities.
    beta, beta_spread : float
        Mean and standard deviation of ``β_i`` over securities (normal).
    market_sigma : float
        Standard deviation of the market's return per session (normal, mean zero).
    benchmark : str
        Name of the market in the panel.

    Raises
    ------
    InputError
        On a number out of range.

    Notes
    -----
    Sessions are weekdays from 2000-01-03 on. Returns are logarithmic, which may take any value.

    Examples
    --------
    >>> SyntheticPanel(n_securities=3, n_sessions=400, correlation=0.2).draw(seed=1)
    ReturnPanel(4 securities, 400 sessions 2000-01-03..2001-07-13, log)
    """

    n_securities: int = 50
    n_sessions: int = 1_000
    correlation: float = 0.0
    df: float | None = None
    sigma: float = 0.018
    sigma_spread: float = 0.35
    beta: float = 1.0
    beta_spread: float = 0.3
    market_sigma: float = 0.011
    benchmark: str = "MARKET"

    def __post_init__(self) -> None:
        as_many("n_securities", self.n_securities, 1)
        as_many("n_sessions", self.n_sessions, 2)
        if not 0.0 <= self.correlation < 1.0:
            raise InputError(
                f"correlation={self.correlation!r} is not from 0 to below 1.", remedy="Such as correlation=0.2."
            )
        if self.df is not None and not self.df > 2.0:
            raise InputError(
                f"df={self.df!r}: Student t has no variance with two degrees of freedom or fewer.",
                remedy="Such as df=4, or None for normal shocks.",
            )
        for name in ("sigma", "market_sigma"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InputError(f"{name}={getattr(self, name)!r} is not positive.", remedy=f"Such as {name}=0.02.")
        for name in ("sigma_spread", "beta_spread"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise InputError(f"{name}={getattr(self, name)!r} is negative or infinite.", remedy="Such as 0.3.")

    def __str__(self) -> str:
        shocks = "normal shocks" if self.df is None else f"Student t shocks with {self.df:.3g} degrees of freedom"
        return f"Synthetic market-model returns, residual correlation {self.correlation:.3g}, {shocks}"

    def draw(self, seed: Seed = None) -> ReturnPanel:
        """One panel: the market first, then securities ``S0001``, ``S0002`` and so on.

        Parameters
        ----------
        seed : int, Generator or None
            Source of the numbers.
        """
        rng = generator(seed)
        n = self.n_securities
        beta = rng.normal(self.beta, self.beta_spread, n)
        sigma = self.sigma * np.exp(self.sigma_spread * rng.standard_normal(n))
        values = np.empty((n + 1, self.n_sessions))
        values[0] = rng.normal(0.0, self.market_sigma, self.n_sessions)
        shocks = self._shocks(rng, (n, self.n_sessions))
        if self.correlation > 0.0:
            common = self._shocks(rng, (1, self.n_sessions))
            shocks = np.sqrt(self.correlation) * common + np.sqrt(1.0 - self.correlation) * shocks
        values[1:] = beta[:, None] * values[0] + sigma[:, None] * shocks
        values.flags.writeable = False  # its own: the panel need not copy it
        return ReturnPanel(values, *_labels(n, self.n_sessions, self.benchmark), "log", "synthetic")

    def _shocks(self, rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
        """Independent numbers of mean zero and unit variance."""
        if self.df is None:
            return rng.standard_normal(shape)
        shocks: FloatArray = rng.standard_t(self.df, shape) * np.sqrt((self.df - 2.0) / self.df)
        return shocks

    @classmethod
    def like(cls, panel: ReturnPanel, benchmark: str) -> SyntheticPanel:
        """The pattern of a panel, from market-model regressions over all its sessions.

        Betas, residual standard deviations, the mean pairwise correlation of residuals, and the degrees of freedom
        whose Student t has their median kurtosis (``4 + 6/k``) are taken from the panel.

        Parameters
        ----------
        panel : ReturnPanel
            The returns.
        benchmark : str
            Its market.

        Raises
        ------
        InsufficientDataError
            If fewer than two securities have 60 returns on common sessions with the benchmark.
        """
        market = panel.values[panel.row(benchmark)]
        factors = range(panel.n_securities - panel.n_factors, panel.n_securities)
        others = np.delete(panel.values, [panel.row(benchmark), *factors], axis=0)[:, ~np.isnan(market)]
        x = market[~np.isnan(market)]
        others = others[(~np.isnan(others)).sum(1) >= _LEAST]
        with np.errstate(invalid="ignore", divide="ignore"):
            there = ~np.isnan(others)
            count = there.sum(1)
            mean_x = (there * x).sum(1) / count
            dx = np.where(there, x - mean_x[:, None], 0.0)
            dy = np.where(there, others - np.nanmean(others, axis=1, keepdims=True), 0.0) if len(others) else dx
            beta = (dx * dy).sum(1) / (dx**2).sum(1)
            residual = dy - beta[:, None] * dx
            sigma = np.sqrt((residual**2).sum(1) / (count - 2))
        moves = np.isfinite(beta) & (sigma > 0.0)
        if moves.sum() < 2:
            raise InsufficientDataError(
                f"{int(moves.sum())} securities have {_LEAST} returns that move, beside {benchmark}; two are needed.",
                remedy="Load more securities or earlier prices.",
            )
        z = residual[moves] / sigma[moves, None]
        together = there[moves].astype(np.float64)
        products, shared = z @ z.T, together @ together.T
        pairs = np.triu(shared >= _LEAST, 1)
        correlation = float((products[pairs] / shared[pairs]).mean()) if pairs.any() else 0.0
        kurtosis = float(np.median((z**4).sum(1) / count[moves])) - 3.0
        return cls(
            n_securities=int(moves.sum()),
            n_sessions=panel.n_sessions,
            correlation=min(max(correlation, 0.0), 0.99),
            df=4.0 + 6.0 / kurtosis if kurtosis > _NORMAL else None,
            sigma=float(np.exp(np.log(sigma[moves]).mean())),
            sigma_spread=float(np.log(sigma[moves]).std()),
            beta=float(beta[moves].mean()),
            beta_spread=float(beta[moves].std()),
            market_sigma=float(x.std()),
            benchmark=benchmark,
        )

    def sized(self, n_securities: int) -> SyntheticPanel:
        """The same pattern with another number of securities."""
        return replace(self, n_securities=n_securities)


@functools.lru_cache(maxsize=16)
def _labels(n: int, n_sessions: int, benchmark: str) -> tuple[pd.Index, pd.DatetimeIndex]:
    names = pd.Index([benchmark, *(f"S{number:04d}" for number in range(1, n + 1))])
    return names, pd.bdate_range("2000-01-03", periods=n_sessions)
