"""Market model with errors of changing variance: GARCH, GJR and EGARCH, by maximum likelihood through ``arch``."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from scipy import special

from eventstudy._typing import FloatArray
from eventstudy.errors import InputError, WindowError
from eventstudy.kernels import FAILED, OK
from eventstudy.models._threads import one_blas_thread
from eventstudy.models.arrays import ArrayFit, event_data
from eventstudy.models.linear import _check_name
from eventstudy.models.robust import weighted_line
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["GARCHMarketModel"]

Volatility: TypeAlias = Literal["garch", "gjr", "egarch"]
ErrorLaw: TypeAlias = Literal["normal", "t"]

_SCALE = 100.0  # the optimiser wants numbers near one
_MAX_STEPS = 1_000
_EXPLODES = 1_000.0
_FORGETS = 0.01  # difference in the logarithm of a forecast that two starts of the filter may make
_QUIET = threading.Lock()  # filters of warnings belong to the process, and arch changes them


@dataclass(frozen=True, slots=True)
class GARCHMarketModel:
    """Market model ``R = α + β R_m + e`` with conditional variance ``h_t`` of ``e``, by maximum likelihood.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.
    volatility : {"garch", "gjr", "egarch"}
        ``h_t = ω + Σ a_i e²_{t−i} + Σ b_j h_{t−j}``; with ``g 1(e_{t−1} < 0) e²_{t−1}`` added; or, of the logarithm,
        ``ln h_t = ω + Σ a_i (|z_{t−i}| − √(2/π)) + g z_{t−1} + Σ b_j ln h_{t−j}``, ``z = e/√h``.
    distribution : {"normal", "t"}
        Law of ``z``; Student's t has its degrees of freedom fitted.
    p, q : int
        Lags of the shocks, and of the variance.

    Raises
    ------
    InputError
        On an option that does not exist, or lags below one.

    Notes
    -----
    The variance of an abnormal return is the forecast of ``h`` made at the end of the estimation window, several steps
    ahead, so that no return of the event window or of the gap before it has a part in it. It is what SAR, SCAR and
    every test divide by; ``sigma`` in the table of parameters is the standard deviation of the residuals as ever.
    EGARCH forecasts are exact for normal errors; for Student's t, where the mean of ``h`` more than one step ahead is
    infinite, they are ``exp(E ln h)``. The variance of ``α`` and ``β`` is ``(Σ x_t x_t'/h_t)^{-1}``, that of weighted
    least squares with known weights; the error in the parameters of ``h`` is left out. The t law with ``M − 2``
    degrees of freedom is an approximation.

    Savickas (2003) puts the event window into the likelihood, with a dummy for its mean, and tests across events with
    the t of the standardised returns. Here the same statistic is ``bmp_t`` on windows that the fit has not seen; both
    allow for a variance that the event raises.

    Sessions without a return are left out, and their neighbours joined. An event is dropped, with the cause in
    ``results.dropped``, if the optimiser finds no maximum from either of two starts, or if an EGARCH filter is not
    invertible, so that a forecast would depend on how the filter was started (frequent in short samples). Give
    ``executor=`` a pool of processes for many events; threads do not help.

    References
    ----------
    Bollerslev, T. (1986). Generalized autoregressive conditional heteroskedasticity. *Journal of Econometrics* 31.
    Glosten, L. R., Jagannathan, R. and Runkle, D. E. (1993). On the relation between the expected value and the
    volatility of the nominal excess return on stocks. *Journal of Finance* 48.
    Nelson, D. B. (1991). Conditional heteroskedasticity in asset returns: a new approach. *Econometrica* 59.
    Savickas, R. (2003). Event-induced volatility and tests for abnormal performance. *Journal of Financial
    Research* 26.

    Examples
    --------
    >>> GARCHMarketModel("SPY", "gjr").coef_names
    ('alpha', 'beta', 'omega', 'shock_1', 'asymmetry', 'lag_1', 'loglik')
    """

    benchmark: str
    volatility: Volatility = "garch"
    distribution: ErrorLaw = "normal"
    p: int = 1
    q: int = 1

    def __post_init__(self) -> None:
        _check_name(self.benchmark)
        for name, value, options in (
            ("volatility", self.volatility, Volatility),
            ("distribution", self.distribution, ErrorLaw),
        ):
            if value not in get_args(options):
                raise InputError(f"{name}={value!r} is not an option.", remedy=f"Use one of {get_args(options)}.")
        for name in ("p", "q"):
            lags = getattr(self, name)
            if isinstance(lags, bool) or not isinstance(lags, int | np.integer) or lags < 1:
                raise InputError(f"{name}={lags!r} is not a positive whole number.", remedy="Such as 1.")

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.volatility}-t" if self.distribution == "t" else self.volatility

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmark."""
        return (self.benchmark,)

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of what the table of parameters shows."""
        shocks, lags = ([f"{word}_{k}" for k in range(1, n + 1)] for word, n in (("shock", self.p), ("lag", self.q)))
        asymmetry = [] if self.volatility == "garch" else ["asymmetry"]
        law = ["nu"] if self.distribution == "t" else []
        return ("alpha", "beta", "omega", *shocks, *asymmetry, *lags, *law, "loglik")

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 32

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ArrayFit:
        """Fit every event, one after the other.

        Raises
        ------
        WindowError
            If the estimation window does not lie before the event window.
        """
        if index.hole is not None or index.estimation.end >= index.event.start:
            raise WindowError(
                f"A conditional variance is forecast from the past; the estimation window {index.estimation} does not "
                f"end before the event window {index.event}.",
                remedy=f"End it at {index.event.start - 1} or earlier, or use MarketModel.",
            )
        data = event_data(panel, index, self.benchmarks)
        usable, names = data.usable, ("alpha", "beta")
        x, y = (np.where(usable, part, 0.0) for part in (data.x[..., 0], data.y))
        least = weighted_line(x, y, usable.astype(float))
        plain = ArrayFit.from_regression(index, data, coef=least, coef_names=names, min_obs=min_obs)
        n, ahead = len(index), index.event.tau - index.estimation.end
        coef = np.full((n, len(self.coef_names)), np.nan)
        noise, weight = np.full((n, len(ahead)), np.nan), usable.astype(float)
        status, messages = plain.status.copy(), np.full(n, None, dtype=object)
        for at in np.flatnonzero(plain.status == OK):
            rows = usable[at]
            found = self._one(y[at, rows], x[at, rows], ahead)
            if isinstance(found, str):
                status[at], messages[at] = FAILED, found
            else:
                coef[at], noise[at], weight[at, rows] = found[0], found[1], 1.0 / found[2]
        good = status == OK
        means = np.where(good[:, None], coef[:, :2], least)
        fit = ArrayFit.from_regression(
            index, data, coef=means, coef_names=names, min_obs=min_obs, status=status, messages=messages
        )
        points = _loadings(np.broadcast_to([0.0, 1.0], (n, 2)), x, weight)
        points[:, 1] -= points[:, 0]  # the constant is the forecast at zero, the slope what one more adds
        errors = np.full(coef.shape, np.nan)
        errors[good, :2] = np.linalg.norm(points[good], axis=2)
        return replace(
            fit,
            coef=coef,
            coef_error=errors,
            coef_names=self.coef_names,
            loadings=_loadings(data.x_event[..., 0], x, weight) / np.sqrt(fit.sigma2)[:, None, None],
            noise=noise / fit.sigma2[:, None],
            noise_before=np.where(good[:, None] & usable, 1.0 / np.where(usable, weight, 1.0), np.nan)
            / fit.sigma2[:, None],
        )

    def _one(self, y: FloatArray, x: FloatArray, ahead: Any) -> tuple[FloatArray, FloatArray, FloatArray] | str:
        """Parameters, forecast variances and variances in the sample of one event; or why there are none."""
        label, fault = self.name.upper(), ""
        with _QUIET, one_blas_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            model, e = self._model(y * _SCALE, x * _SCALE)
            flat = -0.5 * len(e) * (np.log(2.0 * np.pi * (e**2).mean()) + 1.0)  # log-likelihood of constant variance
            for start in (None, self._start(y * _SCALE, x * _SCALE, e)):
                try:
                    found = model.fit(
                        disp="off", show_warning=False, starting_values=start, options={"maxiter": _MAX_STEPS}
                    )
                    if found.convergence_flag:
                        words = str(found.optimization_result.message).rstrip(".")
                        fault = f"the likelihood of {label} did not converge: {words}. Use another volatility=."
                    elif not found.loglikelihood >= flat - 1e-3:  # constant variance is a special case
                        fault = f"the likelihood of {label} ended below that of constant variance. Use MarketModel."
                    else:
                        return self._shown(found, ahead, len(y))
                except (ArithmeticError, ValueError, RuntimeError, np.linalg.LinAlgError) as error:
                    fault = f"the likelihood of {label} could not be maximised: {error}. Use MarketModel."
        return fault

    def _model(self, y: FloatArray, x: FloatArray) -> tuple[Any, FloatArray]:
        """The model of ``arch``, and the residuals of least squares."""
        from arch.univariate import EGARCH, GARCH, LS, Normal, StudentsT

        kind = EGARCH if self.volatility == "egarch" else GARCH
        process = kind(p=self.p, o=self._o, q=self.q)
        law = StudentsT() if self.distribution == "t" else Normal()
        line = weighted_line(x[None], y[None], np.ones((1, len(y))))[0]
        model = LS(y, x[:, None], volatility=process, distribution=law, rescale=False)
        return model, y - line[0] - line[1] * x

    @property
    def _o(self) -> int:
        return 0 if self.volatility == "garch" else 1

    def _start(self, y: FloatArray, x: FloatArray, e: FloatArray) -> FloatArray:
        """Least squares and a persistent variance about its mean: a second place to start from."""
        line, variance = weighted_line(x[None], y[None], np.ones((1, len(y))))[0], float((e**2).mean())
        shock, lag = 0.05, 0.90
        level = np.log(variance) * (1.0 - lag) if self.volatility == "egarch" else variance * (1.0 - shock - lag)
        law = [8.0] if self.distribution == "t" else []
        parts = [*line, level, *[shock / self.p] * self.p, *[0.0] * self._o, *[lag / self.q] * self.q, *law]
        return np.array(parts, dtype=np.float64)

    def _shown(self, found: Any, ahead: Any, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Numbers of a fit in decimals, and its forecasts.

        Raises
        ------
        ArithmeticError
            If a variance is not finite and positive.
        """
        theta = np.array(found.params, dtype=np.float64)
        vol, horizon = np.asarray(found.conditional_volatility, dtype=np.float64), int(ahead[-1])
        ahead_x = np.zeros((1, 1, horizon))
        if self.volatility == "egarch":
            h = self._egarch(theta, vol, np.asarray(found.resid) / vol, horizon)
            again = float(np.asarray(found.forecast(horizon=1, x=ahead_x[..., :1]).variance)[-1, 0])
            # arch filters the sample anew for a forecast, from a slightly different start
            if not abs(np.log(again / h[0])) < _FORGETS:
                raise ArithmeticError("the filter is not invertible, and its forecast depends on how it is started")
        else:
            h = np.asarray(found.forecast(horizon=horizon, x=ahead_x).variance)[-1]
        if not (np.isfinite(theta).all() and np.isfinite(h).all() and (h > 0).all() and (vol > 0).all()):
            raise ArithmeticError("a variance is not finite and positive")
        if h.max() > _EXPLODES * float((np.asarray(found.resid) ** 2).mean()):
            raise ArithmeticError(f"a forecast passes {_EXPLODES:,.0f} times the variance of the sample")
        theta[0] /= _SCALE
        if self.volatility == "egarch":
            lags = theta[3 + self.p + self._o :][: self.q]
            theta[2] -= 2.0 * np.log(_SCALE) * (1.0 - lags.sum())
        else:
            theta[2] /= _SCALE**2
        shown = np.append(theta, found.loglikelihood + n * np.log(_SCALE))
        return shown, h[ahead - 1] / _SCALE**2, (vol / _SCALE) ** 2

    def _egarch(self, theta: FloatArray, vol: FloatArray, z: FloatArray, horizon: int) -> FloatArray:
        """Forecasts of ``h`` up to ``horizon`` steps ahead: Nelson (1991), theorem 2.2.

        ``ln h`` is what the sample says of it, plus for each shock to come its weight on ``|z| − √(2/π)`` and on ``z``.
        """
        p, q, omega = self.p, self.q, theta[2]
        a, g, b = theta[3 : 3 + p], theta[3 + p], theta[4 + p : 4 + p + q]
        size, n = np.abs(z) - np.sqrt(2.0 / np.pi), len(z)
        log_h = np.concatenate([2.0 * np.log(vol), np.empty(horizon)])
        weight = np.zeros((2, horizon))  # of a shock so many sessions back
        rest = np.zeros(horizon)
        for k in range(horizon):
            lagged = sum(b[j] * log_h[n + k - 1 - j] for j in range(q))
            known = sum(a[i] * size[n + k - 1 - i] for i in range(k, p)) + (g * z[-1] if k == 0 else 0.0)
            log_h[n + k] = omega + lagged + known
            if k:
                weight[:, k] = [a[k - 1] if k <= p else 0.0, g if k == 1 else 0.0]
                weight[:, k] += sum((b[j] * weight[:, k - 1 - j] for j in range(min(q, k - 1))), np.zeros(2))
                rest[k] = rest[k - 1] + self._log_mean(weight[0, k], weight[1, k], theta[-1])
        out: FloatArray = np.exp(log_h[n:] + rest)
        return out

    def _log_mean(self, a: float, g: float, nu: float) -> float:
        """Log of the mean of ``exp(a(|z| − √(2/π)) + g z)`` for normal ``z``; for Student's t the mean exponent."""
        c = np.sqrt(2.0 / np.pi)
        if self.distribution == "t":
            size = np.exp(special.gammaln((nu - 1) / 2) - special.gammaln(nu / 2)) * np.sqrt((nu - 2) / np.pi)
            return float(a * (size - c))
        up, down = ((a + s) ** 2 / 2.0 + special.log_ndtr(a + s) for s in (g, -g))
        return float(np.logaddexp(up, down) - a * c)


def _loadings(x_event: FloatArray, x: FloatArray, weight: FloatArray) -> FloatArray:
    """``X_W`` times a root of ``(Σ w x x')^{-1}``, shape (n, L2, 2)."""
    total = weight.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        center = (weight * x).sum(1) / total
        spread = (weight * (x - center[:, None]) ** 2).sum(1)
        slope = (x_event - center[:, None]) / np.sqrt(spread)[:, None]
        level = np.broadcast_to(1.0 / np.sqrt(total)[:, None], slope.shape)
    return np.stack([level, slope], axis=-1)
