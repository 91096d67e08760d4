"""GARCH(1,1) of abnormal returns with a dummy in the variance, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from scipy import special

from eventstudy._typing import BoolArray, FloatArray
from eventstudy.errors import ConvergenceError, InputError
from eventstudy.inference.resampling import at_least, resampling_p
from eventstudy.models._threads import one_blas_thread

__all__ = ["Distribution", "ForecastTest", "Garch", "fit_garch", "forecast_test"]

Distribution: TypeAlias = Literal["normal", "t"]

_LEAST = 100  # sessions below which a GARCH fit says nothing
_STARTS = ((0.05, 0.90), (0.10, 0.80), (0.20, 0.50), (0.02, 0.97), (0.0, 0.0))
_HIGHEST = 1.0 - 1e-6  # of alpha + beta
_FLAT = 1e-3  # projected gradient of the mean log-likelihood that counts as zero


@dataclass(frozen=True, slots=True)
class Garch:
    """A fit of ``h_t = ω + α ε²_{t−1} + β h_{t−1} + δ D_t``.

    Parameters
    ----------
    omega, alpha, beta : float
        Constant (variance per session) and weights of the last squared shock and the last variance.
    delta : float
        Variance per session that the dummy adds; NaN without one.
    nu : float
        Degrees of freedom of Student t shocks; infinite for normal ones.
    log_likelihood : float
        At the maximum.
    variance : ndarray of float64, shape (T,)
        ``h_t``.
    """

    omega: float
    alpha: float
    beta: float
    delta: float
    nu: float
    log_likelihood: float
    variance: FloatArray

    @property
    def persistence(self) -> float:
        """``α + β``: the share of a variance shock that is left one session later."""
        return self.alpha + self.beta

    def forecast(self, last: float, steps: int) -> FloatArray:
        """Variance of each of the next ``steps`` sessions as seen after the last, whose residual is ``last``."""
        out = np.empty(steps)
        h = self.omega + self.alpha * last**2 + self.beta * float(self.variance[-1])
        for at in range(steps):
            out[at] = h
            h = self.omega + self.persistence * h
        return out


def backcast(resid: FloatArray) -> float:
    """Variance before the first session: squares of the first 75 residuals, weights falling by 6 % a session."""
    first = resid[:75] ** 2
    weight = 0.94 ** np.arange(len(first))
    return float(weight @ first / weight.sum())


def _filtered(first: FloatArray, x: FloatArray, beta: float) -> FloatArray:
    """``h_t = x_t + β h_{t−1}`` for each row of ``x``, from ``h_{−1} = first``."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -beta], x, axis=-1, zi=beta * first[:, None])[0])


def _negative(
    theta: FloatArray, square: FloatArray, dummy: FloatArray | None, before: float, distribution: Distribution
) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood and its gradient; residuals are in units of their standard deviation."""
    omega, alpha, beta = theta[:3]
    delta = 0.0 if dummy is None else theta[3]
    lagged = np.concatenate([[before], square[:-1]])
    shift = np.zeros(len(square)) if dummy is None else dummy
    h = _filtered(np.array([before]), (omega + alpha * lagged + delta * shift)[None], beta)[0]
    if (h <= 1e-10).any() or not np.isfinite(h).all():
        return 1e6, np.zeros(len(theta))
    ahead = np.concatenate([[before], h[:-1]])
    inner = np.stack([np.ones(len(square)), lagged, ahead, shift])
    slope = _filtered(np.zeros(4), inner, beta)[: 4 if dummy is not None else 3]
    if distribution == "normal":
        value = 0.5 * (np.log(2.0 * np.pi) + np.log(h) + square / h)
        by_h = 0.5 / h * (1.0 - square / h)
        gradient = slope @ by_h
    else:
        nu = theta[-1]
        ratio = square / (h * (nu - 2.0))
        constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * np.log(np.pi * (nu - 2.0))
        value = -constant + 0.5 * np.log(h) + 0.5 * (nu + 1) * np.log1p(ratio)
        by_h = 0.5 / h * (1.0 - (nu + 1) * ratio / (1.0 + ratio))
        by_nu = -0.5 * (special.digamma((nu + 1) / 2) - special.digamma(nu / 2) - 1.0 / (nu - 2.0))
        by_nu = by_nu + 0.5 * np.log1p(ratio) - 0.5 * (nu + 1) / (nu - 2.0) * ratio / (1.0 + ratio)
        gradient = np.append(slope @ by_h, np.broadcast_to(by_nu, value.shape).sum())
    return float(value.mean()), np.asarray(gradient / len(square))


def fit_garch(resid: FloatArray, dummy: BoolArray | None = None, *, distribution: Distribution = "normal") -> Garch:
    """GARCH(1,1) of residuals with mean zero, with a dummy in the variance if one is given.

    Parameters
    ----------
    resid : ndarray of float64, shape (T,)
        Residuals or abnormal returns in the order of time; no NaN.
    dummy : ndarray of bool, shape (T,), optional
        Sessions whose variance is ``δ`` higher (or, if negative, lower).
    distribution : {"normal", "t"}
        Law of the shocks.

    Returns
    -------
    Garch

    Raises
    ------
    ConvergenceError
        With fewer than 100 sessions, residuals without variance, or if no start leads to a maximum.

    Notes
    -----
    The variance before the first session is that of the ``arch`` package, whose fits without a dummy these match. Where
    ``α`` is zero, ``β`` says no more than how the variance drifts from its first value.

    References
    ----------
    Bollerslev, T. (1986). Generalized autoregressive conditional heteroskedasticity. *Journal of Econometrics* 31.
    """
    if distribution not in get_args(Distribution):
        raise InputError(
            f"distribution={distribution!r} is not an option.", remedy=f"Use one of {get_args(Distribution)}."
        )
    from scipy.optimize import minimize

    _minimize: Any = minimize  # its stubs do not know a gradient beside the value with further arguments

    x = np.asarray(resid, dtype=np.float64)
    scale = float(np.sqrt((x**2).mean())) if len(x) else 0.0
    if len(x) < _LEAST or not scale > 0.0 or not np.isfinite(scale):
        raise ConvergenceError(
            f"{len(x)} residuals{'' if scale > 0 or not len(x) else ' without variance'} make no GARCH fit.",
            remedy=f"Give {_LEAST} or more.",
        )
    square = (x / scale) ** 2
    before = backcast(x / scale)
    shift = None if dummy is None else np.asarray(dummy, dtype=np.float64)
    extra = ([] if shift is None else [0.0]) + ([] if distribution == "normal" else [8.0])
    rules: list[Any] = [
        {"type": "ineq", "fun": lambda t: _HIGHEST - t[1] - t[2], "jac": lambda t: _row(t, {1: -1.0, 2: -1.0})}
    ]
    tail = [] if shift is None else [(-10.0, 1e4)]
    if shift is not None:
        rules.append({"type": "ineq", "fun": lambda t: t[0] + t[3] - 1e-6, "jac": lambda t: _row(t, {0: 1.0, 3: 1.0})})
    tail += [] if distribution == "normal" else [(2.05, 500.0)]
    best, value = None, np.inf
    bounds = [(1e-6, 10.0), (0.0, 1.0), (0.0, 1.0), *tail]
    for a, b in _STARTS:
        with one_blas_thread():
            found: Any = _minimize(
                _negative,
                np.array([1.0 - a - b, a, b, *extra]),
                args=(square, shift, before, distribution),
                jac=True,
                method="SLSQP",
                bounds=bounds,
                constraints=rules,
                options={"maxiter": 500, "ftol": 1e-12},
            )
        good = np.isfinite(found.fun) and (found.success or _flat(found.x, found.jac, bounds))
        if good and found.fun < value - 1e-9:
            best, value = np.asarray(found.x), float(found.fun)
    if best is None:
        raise ConvergenceError(
            "No start of the GARCH likelihood leads to a maximum.",
            remedy="Lengthen the estimation window, or use risk.variance, which needs no fit.",
        )
    return _unscaled(best, value, x, scale, before, shift, distribution)


def _row(theta: FloatArray, entries: dict[int, float]) -> FloatArray:
    out = np.zeros(len(theta))
    for at, value in entries.items():
        out[at] = value
    return out


def _flat(theta: FloatArray, gradient: FloatArray, bounds: list[tuple[float, float]]) -> bool:
    """Whether the gradient vanishes but for directions that a bound forbids."""
    low, high = np.array(bounds).T
    free = gradient.copy()[: len(theta)]
    free[(theta <= low + 1e-9) & (free > 0)] = 0.0
    free[(theta >= high - 1e-9) & (free < 0)] = 0.0
    return bool(np.abs(free).max() < _FLAT)


def _unscaled(
    theta: FloatArray,
    value: float,
    x: FloatArray,
    scale: float,
    before: float,
    shift: FloatArray | None,
    distribution: Distribution,
) -> Garch:
    omega, alpha, beta = (float(part) for part in theta[:3])
    delta = float("nan") if shift is None else float(theta[3])
    lagged = np.concatenate([[before], (x[:-1] / scale) ** 2])
    moved = omega + alpha * lagged + (0.0 if shift is None else delta * shift)
    h = _filtered(np.array([before]), moved[None], beta)[0]
    return Garch(
        omega=omega * scale**2,
        alpha=alpha,
        beta=beta,
        delta=delta * scale**2,
        nu=float(theta[-1]) if distribution == "t" else float("inf"),
        log_likelihood=-len(x) * (value + float(np.log(scale))),
        variance=h * scale**2,
    )


@dataclass(frozen=True, slots=True)
class ForecastTest:
    """Squared abnormal returns of the event window over the variances forecast before it.

    Parameters
    ----------
    ratio : float
        ``Σ AR²/h`` over the sessions that have an abnormal return; the number of sessions without an event.
    n : int
        Sessions.
    p_value : float
        Chi-square with ``n`` degrees of freedom, upper tail: for normal shocks.
    p_simulated : float
        Rank among paths of the fit whose shocks are drawn from its own standardised residuals.
    """

    ratio: float
    n: int
    p_value: float
    p_simulated: float


def forecast_test(fit: Garch, resid: FloatArray, ar: FloatArray, draws: int, rng: np.random.Generator) -> ForecastTest:
    """Test of the variance of a window against what a GARCH fit forecasts at its eve.

    Null: the window's shocks are like those before, so that its variance is the forecast one. Upper tail. The
    simulated p-value holds for fat tails and for variance that feeds on itself inside the window; the chi-square does
    not.

    Parameters
    ----------
    fit : Garch
        Of the sessions before the window.
    resid : ndarray of float64, shape (T,)
        Residuals it was fitted to.
    ar : ndarray of float64, shape (L,)
        Abnormal returns of the window, NaN where missing.
    draws : int
        Simulated paths; 0 for none.
    rng : Generator
        Source of the draws.

    References
    ----------
    Barone-Adesi, G., Giannopoulos, K. and Vosper, L. (1999). VaR without correlations for portfolios of derivative
    securities. *Journal of Futures Markets* 19 (filtered historical simulation).
    """
    there = ~np.isnan(ar)
    n = int(there.sum())
    forecast = fit.forecast(float(resid[-1]), len(ar))
    ratio = float((ar[there] ** 2 / forecast[there]).sum())
    if not n:
        return ForecastTest(float("nan"), 0, float("nan"), float("nan"))
    p_value = float(special.chdtrc(float(n), ratio))
    if not draws:
        return ForecastTest(ratio, n, p_value, float("nan"))
    shocks = resid / np.sqrt(fit.variance)
    shocks = shocks / np.sqrt((shocks**2).mean())
    drawn = shocks[(rng.random((draws, len(ar))) * len(shocks)).astype(np.int64)]
    h, total = np.full(draws, forecast[0]), np.zeros(draws)
    for at in range(len(ar)):
        moved = drawn[:, at] ** 2 * h
        if there[at]:
            total += moved / forecast[at]
        h = fit.omega + fit.alpha * moved + fit.beta * h
    return ForecastTest(ratio, n, p_value, resampling_p(at_least(total, ratio), draws))
