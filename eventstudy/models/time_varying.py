"""Market models whose beta is that of recent sessions: a rolling window, or weights that fall off with age."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import OK, TOO_FEW
from eventstudy.models.arrays import ArrayFit, EventData, event_data
from eventstudy.models.linear import _check_name
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["EWMAMarketModel", "RollingMarketModel"]


@dataclass(frozen=True, slots=True)
class RollingMarketModel:
    """Market model on the most recent sessions of the estimation window: the last value of a rolling beta.

    The beta of the last ``span`` sessions is held across the event window. It is least squares on those sessions, so
    that ``n_obs``, residuals and tests are of them too; sessions before are left out.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.
    span : int
        Sessions, 3 or more; those nearest to the event window, on both sides where the estimation window is on both.

    Raises
    ------
    InputError
        On a span that is no such number, or (when fitted) longer than the estimation window.

    References
    ----------
    Fama, E. F. and MacBeth, J. D. (1973). Risk, return, and equilibrium: empirical tests. *Journal of Political
    Economy* 81.

    Examples
    --------
    >>> RollingMarketModel("SPY", span=126)
    RollingMarketModel(benchmark='SPY', span=126)
    """

    benchmark: str
    span: int = 126

    def __post_init__(self) -> None:
        _check_name(self.benchmark)
        if isinstance(self.span, bool) or not isinstance(self.span, int | np.integer) or self.span < 3:
            raise InputError(f"span={self.span!r} is not a number of sessions, 3 or more.", remedy="Such as span=126.")

    @property
    def name(self) -> str:
        """Short name."""
        return "rolling"

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
        age = _ages(index)
        if self.span > (age >= 0).sum():
            raise InputError(
                f"span={self.span} is longer than the estimation window, which has {int((age >= 0).sum())} sessions.",
                remedy="Shorten span=, or lengthen estimation_window=.",
            )
        # the nearest sessions; of two that are equally near the later one
        order = np.lexsort((-np.arange(len(age)), np.where(age < 0, len(age) + age.max(), age)))
        weight = np.zeros(len(age))
        weight[order[: self.span]] = 1.0
        return _weighted(panel, index, self.benchmark, weight, min_obs, f"the last {self.span} sessions of")


@dataclass(frozen=True, slots=True)
class EWMAMarketModel:
    """Market model by least squares with weights that halve every ``halflife`` sessions into the past.

    The beta of the end of the estimation window is held across the event window.

    Parameters
    ----------
    benchmark : str
        Security of the panel that stands for the market.
    halflife : float
        Sessions of age at which an observation has half the weight; age counts sessions to the edge of the
        estimation window that is nearest to the event window.

    Raises
    ------
    InputError
        If it is not a positive number.

    Notes
    -----
    The weights ``w`` say what is relevant, not how noisy it was: errors are taken to have one variance ``σ²``. With
    ``A = X'WX`` and ``B = X'W²X`` the parameters ``A^{-1}X'Wy`` have the covariance ``σ² A^{-1}BA^{-1}``, and

    ``s² = Σ w e² / (Σ w − tr(A^{-1}B))``

    is unbiased. It has ``ν = tr(Q)²/tr(Q²)`` degrees of freedom, ``Q = W − WXA^{-1}X'W`` (Satterthwaite), which
    equals ``M − 2`` for equal weights. ``K``, which may differ between events, is what is left: ``n_obs`` stays the
    number of usable rows, and ``n_obs − K`` is ``ν`` rounded down. The scale of programs for weighted least squares,
    ``Σ w e²/(M − 2)``, takes the weights for precisions; here it would be too small by a factor of about ``Σ w/M``.

    References
    ----------
    Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. *Biometrics Bulletin*
    2.

    Examples
    --------
    >>> EWMAMarketModel("SPY", halflife=60)
    EWMAMarketModel(benchmark='SPY', halflife=60)
    """

    benchmark: str
    halflife: float = 60.0

    def __post_init__(self) -> None:
        _check_name(self.benchmark)
        value = self.halflife
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
            raise InputError(f"halflife={value!r} is not a positive number.", remedy="Such as halflife=60.")

    @property
    def name(self) -> str:
        """Short name."""
        return "ewma"

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
        age = _ages(index)
        weight = np.where(age >= 0, 0.5 ** (np.maximum(age, 0) / self.halflife), 0.0)
        return _weighted(panel, index, self.benchmark, weight, min_obs, f"half-life {self.halflife:g} in")


def _ages(index: EventIndex) -> IntArray:
    """Sessions from the nearest session of the estimation window to each, by distance from the event window.

    Shape (L1,); −1 for sessions between the halves of a two-sided window.
    """
    tau, event = index.estimation.tau, index.event
    away = np.maximum(event.start - tau, tau - event.end)
    inside = np.zeros(len(tau), bool)
    if index.hole is not None:
        inside[index.estimation.columns(index.hole)] = True
    return np.asarray(np.where(inside, -1, away - away[~inside].min()), dtype=np.int64)


def _weighted(
    panel: ReturnPanel, index: EventIndex, benchmark: str, weight: FloatArray, min_obs: int, words: str
) -> ArrayFit:
    """Weighted least squares of every event, with the forecast error of errors of one variance."""
    data = event_data(panel, index, (benchmark,))
    data = EventData(np.where(weight > 0, data.y, np.nan), data.x, data.y_event, data.x_event)
    usable, n = data.usable, len(index)
    w = np.where(usable, weight, 0.0)
    top = w.max(1, keepdims=True)
    w = np.where(top > 0, w / np.where(top > 0, top, 1.0), 0.0)  # the newest usable row has weight one
    total = np.maximum(w.sum(1), 1e-300)
    x, y = np.where(usable, data.x[..., 0], 0.0), np.where(usable, data.y, 0.0)
    center, mean = (w * x).sum(1) / total, (w * y).sum(1) / total
    dx, dy = np.where(usable, x - center[:, None], 0.0), np.where(usable, y - mean[:, None], 0.0)
    size = (w * dx**2).sum(1)
    flat = size <= 1e-24 * (size + total * center**2)
    size = np.where(flat, 1.0, size)
    beta = (w * dx * dy).sum(1) / size
    # in the basis (1, x − x̄_w) the matrix A is diagonal
    diagonal = np.stack([total, size], -1)
    second, third = _moments(w**2, dx), _moments(w**3, dx)
    one = second / diagonal[:, None, :]  # B A^{-1}
    trace = w.sum(1) - np.einsum("naa->n", one)
    squared = (
        (w**2).sum(1) - 2.0 * np.einsum("naa->n", third / diagonal[:, None, :]) + np.einsum("nab,nba->n", one, one)
    )
    n_obs = usable.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        nu = np.where((trace > 0) & (squared > 0), trace**2 / squared, 0.0)
    degrees = np.floor(np.minimum(nu, n_obs - 2) + 1e-9).astype(np.int64)
    status = np.full(n, OK, np.int8)
    thin = (degrees < 1) | (n_obs < max(min_obs, 3))
    status[thin] = TOO_FEW
    messages = np.full(n, None, dtype=object)
    for at in np.flatnonzero(thin).tolist():
        messages[at] = (
            f"{n_obs[at]} usable returns with {max(float(nu[at]), 0.0):.1f} degrees of freedom ({words} the estimation "
            f"window {index.words}), where {max(min_obs, 3)} returns were asked for. Load more prices, give older "
            "sessions more weight, or lower min_obs."
        )
    square = (w * np.where(usable, dy - beta[:, None] * dx, 0.0) ** 2).sum(1)
    fit = ArrayFit.from_regression(
        index,
        data,
        coef=np.column_stack([mean - beta * center, beta]),
        coef_names=("alpha", "beta"),
        sigma2=square / np.where(trace > 0, trace, 1.0),
        min_obs=min_obs,
        status=status,
        messages=messages,
    )
    # covariance of (ȳ_w, β) is σ² A^{-1}BA^{-1}; its Cholesky factor turns (1, x − x̄_w) into loadings
    covariance = one / diagonal[:, :, None]
    level = np.sqrt(covariance[:, 0, 0])
    along = covariance[:, 0, 1] / level
    across = np.sqrt(np.maximum(covariance[:, 1, 1] - along**2, 0.0))
    away = data.x_event[..., 0] - center[:, None]
    loadings = np.stack([level[:, None] + along[:, None] * away, across[:, None] * away], -1)
    loadings[fit.status != OK] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(fit.status == OK, 1.0 - square / (w * dy**2).sum(1), np.nan)
        # the constant is ȳ_w − β x̄_w
        constant = covariance[:, 0, 0] - 2.0 * center * covariance[:, 0, 1] + center**2 * covariance[:, 1, 1]
        errors = np.sqrt(fit.sigma2[:, None] * np.column_stack([constant, covariance[:, 1, 1]]))
    n_params = np.where(thin, 2, n_obs - degrees).astype(np.int64)
    return replace(fit, loadings=loadings, r2=r2, n_params=n_params, coef_error=errors, residual_dof=fit.n_obs - 2)


def _moments(weight: FloatArray, dx: FloatArray) -> FloatArray:
    """``Σ weight (1, dx)(1, dx)'``, shape (n, 2, 2)."""
    zero, one, two = weight.sum(1), (weight * dx).sum(1), (weight * dx**2).sum(1)
    return np.stack([np.stack([zero, one], -1), np.stack([one, two], -1)], -2)
