"""Market models for securities that do not trade at every close: Scholes and Williams, Dimson, Fowler and Rorke."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import FAILED, OK, SINGULAR, TOO_FEW
from eventstudy.models.arrays import ArrayFit, EventData, event_data
from eventstudy.models.linear import _check_name
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["Dimson", "ScholesWilliams"]

_LEAST = 1e-8  # smallest 1 + 2 Σ ρ that is divided by


@dataclass(frozen=True, slots=True)
class ScholesWilliams:
    """Market model with Scholes and Williams' beta, consistent where closing prices are up to one session old.

    ``β = (β₋₁ + β₀ + β₊₁) / (1 + 2ρ₁)``, with the least-squares slopes of the return on the market's return of the
    session before, the same and the next session, each alone, and ``ρ₁`` the market's first-order autocorrelation.
    ``α = mean(R) − β mean(R_m)``. The abnormal return is ``R − α − β R_m``.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.

    Notes
    -----
    All moments are of the sessions that have the security's return and the three market returns. Market returns
    outside the estimation window, or on sessions kept out of it, are not read: the sample is trimmed by a session at
    either end, as in the paper. ``2ρ₁`` is the sum of the slopes of ``R_m`` on its lag and on its lead over these
    sessions. The estimator is then exactly the instrumental-variable estimator with the instrument ``z = R_m,t−1/S₋₁ +
    R_m,t/S₀ + R_m,t+1/S₊₁``, ``S`` the sums of squares about the mean, which the paper's moving sum becomes where the
    three are equal. With another estimate of ``ρ₁`` it differs by a term of order ``1/M``.

    ``K = 2``, ``s² = Σe²/(M − 2)``, and the forecast error is that of the instrumental-variable estimator,
    ``s² (Z'X)^{-1} Z'Z (X'Z)^{-1}``: with ``z`` about its mean, ``β`` has the variance ``s² Σz² / (Σ z R_m)²``, never
    less than that of least squares. An event whose market has ``1 + 2ρ₁ ≤ 0`` cannot be fitted.

    The parameters shown are ``alpha``, ``beta``, the three slopes and ``rho1``.

    References
    ----------
    Scholes, M. and Williams, J. (1977). Estimating betas from nonsynchronous data. *Journal of Financial Economics* 5.

    Examples
    --------
    >>> ScholesWilliams("SPY").name
    'scholes-williams'
    """

    benchmark: str

    def __post_init__(self) -> None:
        _check_name(self.benchmark)

    @property
    def name(self) -> str:
        """Short name."""
        return "scholes-williams"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmark."""
        return (self.benchmark,)

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 1024

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ArrayFit:
        """Fit every event at once."""
        lagged = _Lagged.of(panel, index, self.benchmark, lags=1, leads=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.einsum("nta,nt->na", lagged.dx, lagged.dy) / lagged.size
            # the market's slope on its lag and on its lead; on itself it is one
            own = np.einsum("nta,nt->na", lagged.dx, lagged.dx[..., 1]) / lagged.size
            scale = own.sum(1)
            beta = slopes.sum(1) / scale
            # β = Σ c R with these weights of the sessions, so that its variance is σ² Σ c²
            weights = (lagged.dx / lagged.size[:, None, :]).sum(-1) / scale[:, None]
        shown = np.column_stack([slopes, (scale - 1.0) / 2.0])
        none = np.full_like(shown, np.nan)  # steps on the way to beta, which has one
        names = ("beta_lag1", "beta_0", "beta_lead1", "rho1")
        flat = np.asarray(lagged.flat.any(1))
        return lagged.fit(index, beta, (weights**2).sum(1), shown, none, names, min_obs, flat, scale)


@dataclass(frozen=True, slots=True)
class Dimson:
    """Market model with Dimson's aggregated coefficients, for closing prices that may be several sessions old.

    The return is regressed on the market's returns of ``lags`` sessions before to ``leads`` sessions after, together:
    ``R_t = a + Σ_k b_k R_m,t+k + e``. ``β = Σ w_k b_k``, ``α = mean(R) − β mean(R_m)``. The abnormal return is
    ``R − α − β R_m``: leads of the event window are not needed.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.
    leads, lags : int
        Sessions after and before, 0 or more, not both 0.
    fowler_rorke : bool
        Whether the coefficients are weighted as Fowler and Rorke showed to be needed for consistency; without it all
        ``w_k`` are one, as in Dimson's paper.

    Raises
    ------
    InputError
        On leads or lags that are no such numbers, or (when fitted) leave no session of the estimation window.

    Notes
    -----
    With ``m = max(leads, lags)`` and the market's autocorrelations ``ρ_l`` over the estimation window (zero beyond
    ``m``), ``w_k = Σ_j ρ_|j−k| / Σ_j ρ_|j|``, both sums over ``j = −lags … leads``. For one lead and lag that is Fowler
    and Rorke's ``w₁ = (1 + ρ₁)/(1 + 2ρ₁)``, for two ``w₁ = (1 + 2ρ₁ + ρ₂)/(1 + 2ρ₁ + 2ρ₂)`` and ``w₂ = (1 + ρ₁ +
    ρ₂)/(1 + 2ρ₁ + 2ρ₂)``; ``w₀ = 1``. The weights undo what stale prices of the index do. Where the index is fresh, and
    lags alone suffice, its autocorrelation is its own and the plain sum is consistent: set ``fowler_rorke=False``.

    Market returns outside the estimation window, or on sessions kept out of it, are not read: at its ends the sample
    is trimmed by ``lags`` and ``leads`` sessions. ``K = 2`` and ``s² = Σ(R − α − βR_m)²/(M − 2)`` for the noise of a
    session, which holds what lags and leads explain; the parameters have the covariance ``A Cov(a, b) A'`` of the
    linear combination that they are, with the regression's own residual variance on ``M − leads − lags − 2`` degrees of
    freedom. The weights count as known. An event whose market has ``Σ_j ρ_|j| ≤ 0`` cannot be fitted.

    The parameters shown are ``alpha``, ``beta`` and the ``b_k``.

    References
    ----------
    Dimson, E. (1979). Risk measurement when shares are subject to infrequent trading. *Journal of Financial Economics*
    7.
    Fowler, D. J. and Rorke, C. H. (1983). Risk measurement when shares are subject to infrequent trading: comment.
    *Journal of Financial Economics* 12.

    Examples
    --------
    >>> Dimson("SPY", leads=2, lags=2)
    Dimson(benchmark='SPY', leads=2, lags=2, fowler_rorke=True)
    """

    benchmark: str
    leads: int = 1
    lags: int = 1
    fowler_rorke: bool = True

    def __post_init__(self) -> None:
        _check_name(self.benchmark)
        for name, value in (("leads", self.leads), ("lags", self.lags)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise InputError(f"{name}={value!r} is not a number of sessions.", remedy="Such as 1.")
        if self.leads + self.lags == 0:
            raise InputError("leads and lags are both 0: that is the market model.", remedy="Use MarketModel.")

    @property
    def name(self) -> str:
        """Short name."""
        return "dimson" if self.leads == self.lags == 1 else f"dimson-{self.lags}-{self.leads}"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmark."""
        return (self.benchmark,)

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 1024

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ArrayFit:
        """Fit every event at once."""
        if self.lags + self.leads >= len(index.estimation):
            raise InputError(
                f"lags={self.lags} and leads={self.leads} together span the estimation window, which has "
                f"{len(index.estimation)} sessions.",
                remedy="Use fewer of them, or lengthen estimation_window=.",
            )
        lagged = _Lagged.of(panel, index, self.benchmark, lags=self.lags, leads=self.leads)
        slopes, inverse, variance, singular = lagged.regression()
        n, p = slopes.shape
        weights, scale = np.ones((n, p)), np.ones(n)
        if self.fowler_rorke:
            weights, scale = _fowler_rorke(lagged.market, self.lags, self.leads)
        beta = (weights * slopes).sum(1)
        own = np.einsum("na,nab,nb->n", weights, inverse, weights)
        order = range(-self.lags, self.leads + 1)
        names = tuple(f"beta_{'lag' if k < 0 else 'lead' if k > 0 else ''}{abs(k)}" for k in order)
        need = max(min_obs, p + 2)
        errors = np.sqrt(variance[:, None] * np.einsum("naa->na", inverse))
        return lagged.fit(index, beta, own, slopes, errors, names, need, singular, scale, variance)


@dataclass(frozen=True, slots=True)
class _Lagged:
    """Returns of the estimation windows beside the market's of neighbouring sessions, about their means.

    ``dy`` has shape (n, L1) and ``dx`` (n, L1, p), both zero on the rows that are left out; ``market`` holds the
    market's returns of shape (n, L1), NaN on sessions that may not be read; ``center`` the means and ``size`` the sums
    of squares of the regressors, shape (n, p); ``at`` is the place of lag 0 among the ``p``.
    """

    data: EventData
    market: FloatArray
    usable: BoolArray
    dy: FloatArray
    dx: FloatArray
    center: FloatArray
    size: FloatArray
    at: int

    @classmethod
    def of(cls, panel: ReturnPanel, index: EventIndex, benchmark: str, *, lags: int, leads: int) -> _Lagged:
        data = event_data(panel, index, (benchmark,))
        market, keep = data.x[..., 0], index.estimation_mask()
        if keep is not None:
            market = np.where(keep, market, np.nan)
        x = np.stack([_shifted(market, k) for k in range(-lags, leads + 1)], -1)
        usable = ~(np.isnan(data.y) | np.isnan(x).any(-1))
        count = np.maximum(usable.sum(1), 1)
        center = np.where(usable[..., None], x, 0.0).sum(1) / count[:, None]
        mean = np.where(usable, data.y, 0.0).sum(1) / count
        dx = np.where(usable[..., None], x - center[:, None, :], 0.0)
        dy = np.where(usable, data.y - mean[:, None], 0.0)
        return cls(data, market, usable, dy, dx, center, np.einsum("nta,nta->na", dx, dx), lags)

    @property
    def n_obs(self) -> IntArray:
        """Rows that have all returns, shape (n,)."""
        return np.asarray(self.usable.sum(1), dtype=np.int64)

    @property
    def flat(self) -> BoolArray:
        """Whether a regressor does not vary, shape (n, p)."""
        return np.asarray(self.size <= 1e-24 * (self.size + self.n_obs[:, None] * self.center**2))

    def regression(self) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Slopes on all regressors together, their covariance and residual variance, and where they are collinear.

        Shapes (n, p), (n, p, p) in units of the variance, (n,) and (n,).
        """
        p = self.dx.shape[-1]
        unit = np.where(self.size > 0, np.sqrt(self.size), 1.0)
        q, r = np.linalg.qr(self.dx / unit[:, None, :])
        singular = self.flat.any(1) | (np.abs(np.einsum("naa->na", r)) ** 2 <= 1e-13).any(1)
        inverse_r = np.linalg.inv(np.where(singular[:, None, None], np.eye(p), r))
        slopes = np.einsum("nab,nb->na", inverse_r, np.einsum("nta,nt->na", q, self.dy)) / unit
        cross = np.einsum("nac,nbc->nab", inverse_r, inverse_r) / (unit[:, :, None] * unit[:, None, :])
        square = ((self.dy - np.einsum("nta,na->nt", self.dx, slopes)) ** 2).sum(1)
        return slopes, cross, square / np.maximum(self.n_obs - p - 1, 1), singular

    def fit(
        self,
        index: EventIndex,
        beta: FloatArray,
        own: FloatArray,
        shown: FloatArray,
        shown_error: FloatArray,
        names: tuple[str, ...],
        min_obs: int,
        singular: BoolArray,
        scale: FloatArray,
        variance: FloatArray | None = None,
    ) -> ArrayFit:
        """Fit with these betas, whose variance is ``own`` in units of ``variance`` (default: of the noise)."""
        data, center = self.data, self.center[:, self.at]
        y = np.where(self.usable, data.y, np.nan)
        mean = np.where(self.usable, data.y, 0.0).sum(1) / np.maximum(self.n_obs, 1)
        status = np.full(len(index), OK, np.int8)
        status[singular] = SINGULAR
        status[~(scale > _LEAST) & (status == OK)] = FAILED
        status[self.n_obs < max(min_obs, 3)] = TOO_FEW
        messages = np.full(len(index), None, dtype=object)
        for at in np.flatnonzero(status == FAILED).tolist():
            messages[at] = (
                f"the market's autocorrelations over the estimation window make 1 + Σρ = {scale[at]:.2f}; a beta "
                "corrected for thin trading needs it to be positive. Use MarketModel."
            )
        beta = np.where(status == OK, beta, 0.0)
        fit = ArrayFit.from_regression(
            index,
            EventData(y=y, x=self.market[..., None], y_event=data.y_event, x_event=data.x_event),
            coef=np.column_stack([mean - beta * center, beta]),
            coef_names=("alpha", "beta"),
            min_obs=min_obs,
            status=status,
            messages=messages,
        )
        # R̄ and β are uncorrelated given the market, so α + βx = R̄ + β(x − x̄) has these two parts
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.ones(len(index)) if variance is None else variance / fit.sigma2
            level = np.sqrt(ratio / self.n_obs)
            slope = np.sqrt(ratio * own)[:, None] * (data.x_event[..., 0] - center[:, None])
        loadings = np.stack([np.broadcast_to(level[:, None], slope.shape), slope], -1)
        bad = fit.status != OK
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = fit.sigma2 * ratio
            errors = np.sqrt([unit * (1.0 / self.n_obs + center**2 * own), unit * own]).T
        return replace(
            fit,
            coef=np.column_stack([fit.coef, np.where(bad[:, None], np.nan, shown)]),
            coef_names=(*fit.coef_names, *names),
            coef_error=np.where(bad[:, None], np.nan, np.column_stack([errors, shown_error])),
            loadings=np.where(bad[:, None, None], np.nan, loadings),
        )


def _shifted(x: FloatArray, k: int) -> FloatArray:
    """``x`` of ``k`` sessions later in place of each session, NaN beyond the window."""
    out = np.full_like(x, np.nan)
    length = x.shape[1]
    if abs(k) < length:
        out[:, max(-k, 0) : length - max(k, 0)] = x[:, max(k, 0) : length + min(k, 0)]
    return out


def _fowler_rorke(market: FloatArray, lags: int, leads: int) -> tuple[FloatArray, FloatArray]:
    """Weights of the coefficients, shape (n, p), and ``Σ_j ρ_|j|`` by which they are divided, shape (n,)."""
    there = ~np.isnan(market)
    count = np.maximum(there.sum(1), 1)
    mean = np.where(there, market, 0.0).sum(1) / count
    d = np.where(there, market - mean[:, None], 0.0)
    most = max(lags, leads)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (
            np.stack([(d[:, lag:] * d[:, : d.shape[1] - lag]).sum(1) for lag in range(most + 1)], -1)
            / (d**2).sum(1)[:, None]
        )
    order = np.arange(-lags, leads + 1)
    apart = np.abs(order[:, None] - order)
    between = np.where(apart <= most, rho[:, np.minimum(apart, most)], 0.0)  # (n, j, k)
    total = between.sum(1)
    scale = total[:, lags]
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / scale[:, None], scale
