"""Market model by estimators that a few outliers in the estimation window cannot move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from scipy import special

from eventstudy._typing import BoolArray, FloatArray
from eventstudy.errors import InputError
from eventstudy.kernels import FAILED, OK, chunks
from eventstudy.models.arrays import ArrayFit, EventData, event_data
from eventstudy.models.linear import _check_name
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["RobustMarketModel"]

RobustMethod: TypeAlias = Literal["huber", "theil-sen"]
ResidualScale: TypeAlias = Literal["classical", "robust"]

_MAD = float(special.ndtri(0.75))  # median of |Z|, Z standard normal
_TOLERANCE = 1e-11  # of a step, in units of the residual scale
_MAX_STEPS = 500
_WINSOR = 2.5  # residual scales beyond which the robust variance counts no more of a residual
_CELLS = 1 << 21  # pairwise slopes in memory at a time: 16 MB


@dataclass(frozen=True, slots=True)
class RobustMarketModel:
    """Market model ``R = α + β R_m + e`` by Huber's M-estimator or by Theil and Sen's median of slopes.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.
    method : {"huber", "theil-sen"}
        ``"huber"``: iteratively reweighted least squares, residuals beyond ``c`` scales weighed down, scale
        ``median|e| / 0.6745`` at every step. ``"theil-sen"``: ``β`` is the median of the slopes of all pairs of
        sessions that differ in ``R_m``, ``α`` the median of ``R − β R_m``.
    c : float
        Huber's constant; at 1.345 the estimator needs 5 % more data than least squares where errors are normal.
    scale : {"classical", "robust"}
        Residual variance. ``"classical"``: ``Σ e² / (M − K)``, outliers counted in full. ``"robust"``: Huber's
        proposal 2 with constant 2.5, consistent where errors are normal.

    Raises
    ------
    InputError
        On an option that does not exist, or ``c`` that is not positive.

    Notes
    -----
    What outliers do to ``α`` and ``β``, and what they say about the next session, are two questions. Fat tails do not
    go away at the event: with ``"classical"`` the abnormal return is measured against all of them, and the t law is as
    good as for least squares. Choose ``"robust"`` where the outliers belong to other events and not to the usual noise;
    where they are the usual noise the t rejects too often, and placebo tests, which read the residuals, do not.

    The forecast error of the parameters is that of least squares times the asymptotic inefficiency of the estimator:
    for Huber ``s² [Σψ²/(M−K)] / (Σψ'/M)²``, with Huber's small-sample factor, from the residuals; for Theil–Sen that
    of normal errors, ``π/2`` for the level and ``π/(3ρ²)`` for the slope, ``ρ`` the correlation of ``R_m`` with its
    ranks, which is cautious where tails are fatter.

    Robust intercepts estimate the centre of the bulk of returns. Where returns are skewed that is not their mean, and
    the difference adds up over a long window.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. *Annals of Mathematical Statistics* 35.
    Huber, P. J. (1973). Robust regression. *Annals of Statistics* 1.
    Sen, P. K. (1968). Estimates of the regression coefficient based on Kendall's tau. *Journal of the American
    Statistical Association* 63.
    Sorokina, N., Booth, D. E. and Thornton, J. H. (2013). Robust methods in event studies: empirical evidence and
    theoretical implications. *Journal of Data Science* 11.
    Theil, H. (1950). A rank-invariant method of linear and polynomial regression analysis. *Proceedings of the
    Koninklijke Nederlandse Akademie van Wetenschappen* 53.

    Examples
    --------
    >>> RobustMarketModel("SPY", "theil-sen")
    RobustMarketModel(benchmark='SPY', method='theil-sen', c=1.345, scale='classical')
    """

    benchmark: str
    method: RobustMethod = "huber"
    c: float = 1.345
    scale: ResidualScale = "classical"

    def __post_init__(self) -> None:
        _check_name(self.benchmark)
        for name, value, options in (("method", self.method, RobustMethod), ("scale", self.scale, ResidualScale)):
            if value not in get_args(options):
                raise InputError(f"{name}={value!r} is not an option.", remedy=f"Use one of {get_args(options)}.")
        if isinstance(self.c, bool) or not isinstance(self.c, int | float | np.number) or not 0 < self.c < np.inf:
            raise InputError(f"c={self.c!r} is not a positive number.", remedy="Such as 1.345.")

    @property
    def name(self) -> str:
        """Short name."""
        return self.method

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmark."""
        return (self.benchmark,)

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 4096

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ArrayFit:
        """Fit every event at once."""
        data = event_data(panel, index, self.benchmarks)
        usable = data.usable
        if self.method == "huber":
            coef, spread, moving = _huber(data, usable, float(self.c))
        else:
            coef, spread, moving = _theil_sen(data, usable), np.ones(len(index)), np.zeros(len(index), dtype=bool)

        def regression(**known: Any) -> ArrayFit:
            return ArrayFit.from_regression(
                index, data, coef=coef, coef_names=("alpha", "beta"), min_obs=min_obs, **known
            )

        fit = regression()
        lost = (fit.status == OK) & (moving | (spread == 0))
        if lost.any():
            messages = np.full(len(index), None, dtype=object)
            messages[lost] = f"Huber's iteration did not come to rest in {_MAX_STEPS} steps. Use MarketModel."
            messages[lost & (spread == 0)] = (
                "half of the residuals or more are zero, so that they have no robust scale. Use MarketModel."
            )
            fit = regression(status=np.where(lost, FAILED, fit.status).astype(np.int8), messages=messages)
        assert fit.coef_error is not None
        unit = fit.coef_error**2 / fit.sigma2[:, None]  # of least squares, in units of the variance
        if self.scale == "robust":
            fit = replace(fit, sigma2=_proposal_2(fit.resid, 2.0), residual_dof=fit.n_obs - 2)
        if self.method == "huber":  # the variance of the parameters over that of the noise
            inflation = _huber_inflation(data, usable, coef, spread, float(self.c)) / fit.sigma2[:, None]
        else:
            inflation = _theil_sen_inflation(data, usable)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = 1.0 / fit.n_obs
            shares = np.column_stack([unit[:, 0] - level, unit[:, 1]]) * inflation[:, -1:]
            shares[:, 0] += level * inflation[:, 0]
            errors = np.sqrt(fit.sigma2[:, None] * shares)
        return replace(fit, loadings=fit.loadings * np.sqrt(inflation)[:, None, :], coef_error=errors)


def _row_median(values: FloatArray) -> FloatArray:
    """Median of each row without its NaN; NaN for a row of nothing else."""
    ordered = np.sort(values, axis=1)  # NaN come last
    count = (~np.isnan(values)).sum(1)
    at = np.arange(len(values))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[1] - 1)
    middle: FloatArray = (ordered[at, low] + ordered[at, high]) / 2.0
    return np.where(count > 0, middle, np.nan)


def weighted_line(x: FloatArray, y: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted least squares of each row, shape (n, 2); a slope of zero where the regressor does not vary."""
    total = np.maximum(weight.sum(1), np.finfo(float).tiny)
    center_x, center_y = (weight * x).sum(1) / total, (weight * y).sum(1) / total
    dx = x - center_x[:, None]
    size = (weight * dx**2).sum(1)
    slope = (weight * dx * (y - center_y[:, None])).sum(1) / np.where(size > 0, size, np.inf)
    return np.stack([center_y - slope * center_x, slope], axis=1)


def _huber(data: EventData, usable: BoolArray, c: float) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Parameters (n, 2), scale (n,) and whether the iteration failed, from least squares on."""
    x, y = (np.where(usable, part, 0.0) for part in (data.x[..., 0], data.y))
    coef = weighted_line(x, y, usable.astype(float))
    size = np.maximum(np.where(usable, np.abs(x), 0.0).max(1, initial=0.0), np.finfo(float).tiny)
    least = 1e-12 * np.abs(y).max(1, initial=0.0)  # a scale below is rounding: residuals are zero
    active = np.flatnonzero(usable.any(1))
    for _ in range(_MAX_STEPS):
        xa, ya, ua, old = x[active], y[active], usable[active], coef[active]
        e = np.abs(ya - old[:, :1] - old[:, 1:] * xa)
        s = _row_median(np.where(ua, e, np.nan)) / _MAD
        limit = np.maximum(c * s[:, None], np.finfo(float).tiny)
        new = weighted_line(xa, ya, np.where(ua, limit / np.maximum(e, limit), 0.0))
        alive = s > least[active]  # else half of the residuals are zero, and stay so
        coef[active] = np.where(alive[:, None], new, old)
        step = np.maximum(np.abs(new[:, 0] - old[:, 0]), np.abs(new[:, 1] - old[:, 1]) * size[active])
        active = active[(step > _TOLERANCE * s) & alive]
        if not len(active):
            break
    failed = np.zeros(len(coef), dtype=bool)
    failed[active] = True
    e = np.where(usable, np.abs(y - coef[:, :1] - coef[:, 1:] * x), np.nan)
    spread = _row_median(e) / _MAD
    return coef, np.where(spread > least, spread, 0.0), failed


def _huber_inflation(data: EventData, usable: BoolArray, coef: FloatArray, spread: FloatArray, c: float) -> FloatArray:
    """Variance of the parameters in units of ``(X'X)^{-1}``, shape (n, 1): Huber (1973)."""
    e = np.where(usable, data.y - coef[:, :1] - coef[:, 1:] * data.x[..., 0], np.nan)
    m = usable.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = e / spread[:, None]
        inside = np.nansum(np.abs(z) <= c, axis=1) / m  # mean of ψ'
        square = np.nansum(np.clip(z, -c, c) ** 2, axis=1) / (m - 2.0)
        factor = 1.0 + 2.0 / m * (1.0 - inside) / inside
        found: FloatArray = (factor * spread) ** 2 * square / inside**2
    return found[:, None]


def _theil_sen(data: EventData, usable: BoolArray) -> FloatArray:
    """Parameters (n, 2): median of pairwise slopes, and median of what is left."""
    n, length = usable.shape
    first, second = np.triu_indices(length, 1)
    x, y = (np.where(usable, part, np.nan) for part in (data.x[..., 0], data.y))
    slope = np.empty(n)
    for part in chunks(n, max(1, _CELLS // max(1, len(first)))):
        dx, dy = x[part][:, first] - x[part][:, second], y[part][:, first] - y[part][:, second]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope[part] = _row_median(np.where(dx != 0, dy / dx, np.nan))
    slope = np.where(np.isnan(slope), 0.0, slope)  # the regressor does not vary: found out by its loadings
    return np.stack([_row_median(y - slope[:, None] * x), slope], axis=1)


def _theil_sen_inflation(data: EventData, usable: BoolArray) -> FloatArray:
    """Asymptotic variances of level and slope over those of least squares, normal errors, shape (n, 2): Sen (1968)."""
    from scipy.stats import rankdata

    x = np.where(usable, data.x[..., 0], np.nan)
    ranks = rankdata(x, axis=1, nan_policy="omit")
    with np.errstate(divide="ignore", invalid="ignore"):
        count = usable.sum(1)[:, None]
        dx, dr = (np.where(usable, part - np.nansum(part, 1)[:, None] / count, 0.0) for part in (x, ranks))
        square = (dx * dr).sum(1) ** 2 / ((dx**2).sum(1) * (dr**2).sum(1))
        slope = np.pi / 3.0 / square
    return np.stack([np.full(len(slope), np.pi / 2.0), slope], axis=1)


def _proposal_2(e: FloatArray, n_params: float) -> FloatArray:
    """Variance at which residuals winsorised at ``_WINSOR`` scales have the spread of a normal sample: Huber (1964)."""
    k = _WINSOR
    share = 1.0 - 2.0 * special.ndtr(-k)
    density = np.exp(-(k**2) / 2.0) / np.sqrt(2.0 * np.pi)
    expected = share - 2.0 * k * density + k**2 * (1.0 - share)  # E min(Z², k²)
    dof = (~np.isnan(e)).sum(1) - n_params
    with np.errstate(divide="ignore", invalid="ignore"):
        variance: FloatArray = np.nansum(e**2, axis=1) / dof
        for _ in range(_MAX_STEPS):
            new = np.nansum(np.minimum(e**2, k**2 * variance[:, None]), axis=1) / (expected * dof)
            done = not (np.abs(new - variance) > 1e-14 * variance).any()
            variance = new
            if done:
                break
    return np.where(np.isnan(e).all(1), np.nan, variance)
