"""Latent factors of untreated donors: interactive fixed effects, the generalised synthetic control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import FAILED, OK, TOO_FEW, ZERO_VARIANCE
from eventstudy.models._donors import Clean, DonorBlock, Treated, check_clean, donor_blocks, left_out, names_of
from eventstudy.models.arrays import ArrayFit, event_data
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["LatentFactors"]

_RANK = 1e-6  # of the largest singular value; those of the small product are good to 1e-8

FactorCount: TypeAlias = int | Literal["ic", "cv"] | None


@dataclass(frozen=True, slots=True)
class LatentFactors:
    """Latent factors ``R = α + λ'F_t + e``: ``F`` from the donors, on all sessions; ``α`` and ``λ`` before the event.

    Parameters
    ----------
    n_factors : int, "ic" or "cv"
        Number of factors. ``"ic"`` (or None): Bai and Ng's ``IC_p2`` on the donors, up to ``max_factors``. ``"cv"``:
        the number that best forecasts each estimation-window return of the security from its others (leave one out),
        event by event; Xu (2017) pools the events.
    donors : sequence of str, optional
        Securities that the factors are taken from; by default every security of the panel, as in
        :class:`SyntheticControl`.
    max_factors : int
        Largest number tried, and never more than half the number of donors.
    standardise : bool
        Whether donors are divided by their standard deviation first, so that volatile ones do not dominate.
    exclude : sequence of str
        Securities that are no donors; see :class:`SyntheticControl`.
    clean : {"span", "event"}
        Which events of its own keep a security out of the donors; see :class:`SyntheticControl`.

    Raises
    ------
    InputError
        On an option that does not exist; while fitting, if a donor is not in the panel, or is named and has an event of
        its own that is too near.

    Notes
    -----
    The factors are the first principal components of the donors' returns, about their means, over the estimation and
    the event window together: the event-window factors are known from securities that the event did not reach. Without
    covariates this is Bai's (2009) estimator. Events on one date share one decomposition. The signs of the factors are
    such that donors load on them positively on average.

    The forecast variance is that of least squares on the factors. That these are estimates is left out; its share goes
    down with the number of donors. So is the choice of their number, which ``"cv"`` makes on the security's own
    returns.

    References
    ----------
    Bai, J. and Ng, S. (2002). Determining the number of factors in approximate factor models. *Econometrica* 70.
    Bai, J. (2009). Panel data models with interactive fixed effects. *Econometrica* 77.
    Goldsmith-Pinkham, P. and Lyu, T. (2025). Causal inference in financial event studies. Working paper.
    Xu, Y. (2017). Generalized synthetic control method: causal inference with interactive fixed effects models.
    *Political Analysis* 25.

    Examples
    --------
    >>> LatentFactors(2).coef_names
    ('n_factors', 'n_donors', 'alpha', 'loading_1', 'loading_2')
    """

    n_factors: FactorCount = None
    donors: Sequence[str] | None = None
    max_factors: int = 8
    standardise: bool = False
    exclude: Sequence[str] = ()
    clean: Clean = "span"
    _treated: Treated | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "donors", names_of(self.donors, "donors"))
        object.__setattr__(self, "exclude", left_out(self.exclude))
        check_clean(self.clean)
        if not isinstance(self.standardise, bool):
            raise InputError(f"standardise={self.standardise!r} is neither True nor False.", remedy="Give one of them.")
        counts = [("max_factors", self.max_factors)]
        if self.n_factors is None:
            object.__setattr__(self, "n_factors", "ic")
        elif self.n_factors not in ("ic", "cv"):
            counts.append(("n_factors", self.n_factors))  # type: ignore[arg-type]
        for name, value in counts:
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InputError(
                    f"{name}={value!r} is not a positive whole number.",
                    remedy='Such as 3; n_factors may be "ic" or "cv".',
                )

    @property
    def name(self) -> str:
        """Short name."""
        return "latent"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """None: the donors of each event are found when it is fitted."""
        return ()

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of what the table of parameters shows; loadings beyond the number of factors are NaN."""
        return ("n_factors", "n_donors", "alpha", *(f"loading_{k}" for k in range(1, self._most + 1)))

    @property
    def _most(self) -> int:
        return self.n_factors if isinstance(self.n_factors, int) else self.max_factors

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 256

    def prepared(self, index: EventIndex) -> LatentFactors:
        """The model, told of every event of the study: their securities are no donors."""
        told = replace(self)
        object.__setattr__(told, "_treated", Treated.of(index))
        return told

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ArrayFit:
        """Fit every event, those of one date on the same factors."""
        data = event_data(panel, index)
        treated = Treated.of(index) if self._treated is None else self._treated
        n, l1, l2 = len(index), len(index.estimation), len(index.event)
        names, most = self.coef_names, self._most
        ar, resid = np.full((n, l2), np.nan), np.full((n, l1), np.nan)
        coef, loadings = np.full((n, len(names)), np.nan), np.zeros((n, l2, most + 1))
        coef_error = np.full(coef.shape, np.nan)
        sigma2, r2 = np.full(n, np.nan), np.full(n, np.nan)
        n_obs, n_params = np.zeros(n, np.int64), np.ones(n, np.int64)
        status, messages = np.zeros(n, np.int8), np.full(n, None, dtype=object)
        for block in donor_blocks(panel, index, data, treated, self.donors, self.exclude, self.clean):
            events, m = block.events, int(block.rows.sum())
            n_obs[events] = m
            cap = min(most, m - 2, len(block.donors) // (1 if isinstance(self.n_factors, int) else 2))
            if m < max(min_obs, 3):
                status[events] = TOO_FEW
                continue
            if cap < (most if isinstance(self.n_factors, int) else 1):
                status[events], messages[events] = FAILED, block.shortage
                continue
            factors, explained = _components(block, cap, self.standardise)
            if not factors.shape[1] or (isinstance(self.n_factors, int) and factors.shape[1] < cap):
                message = f"the donors hold {factors.shape[1]} factors, fewer than {cap}. Ask for fewer."
                status[events], messages[events] = FAILED, message
                continue
            cap = factors.shape[1]
            y = data.y[np.ix_(events, np.flatnonzero(block.rows))]
            x = np.column_stack([np.ones(m), factors[:m]])
            q, r = np.linalg.qr(x)
            if np.abs(np.diag(r)).min() <= 1e-10 * np.abs(np.diag(r)).max():
                message = f"the donors do not hold {cap} factors that differ over the estimation window. Ask for fewer."
                status[events], messages[events] = FAILED, message
                continue
            count = self._count(y, q, explained, block, cap)
            x_event = np.full((l2, cap + 1), np.nan)
            x_event[block.columns] = np.column_stack([np.ones(int(block.columns.sum())), factors[m:]])
            total = ((y - y.mean(1, keepdims=True)) ** 2).sum(1)
            for k in np.unique(count).tolist():
                some, used = count == k, slice(0, k + 1)
                at = events[some]
                inverse = np.linalg.inv(r[used, used])
                beta = _times(_times(y[some], q[:, used]), inverse.T)
                e = y[some] - _times(beta, x[:, used].T)
                square = (e**2).sum(1)
                status[at] = np.where(square <= 1e-24 * (y[some] ** 2).sum(1), ZERO_VARIANCE, OK)
                coef[at, 0], coef[at, 1] = k, len(block.donors)
                coef[at, 2 : 3 + k] = beta
                n_params[at], sigma2[at] = k + 1, square / (m - k - 1)
                coef_error[at, 2 : 3 + k] = np.sqrt(sigma2[at])[:, None] * np.linalg.norm(inverse, axis=1)
                with np.errstate(divide="ignore", invalid="ignore"):
                    r2[at] = 1.0 - square / total[some]
                resid[np.ix_(at, np.flatnonzero(block.rows))] = e
                ar[at] = data.y_event[at] - _times(beta, x_event[:, used].T)
                loadings[at, :, used] = np.linalg.solve(r[used, used].T, x_event[:, used].T).T
        bad = status != OK
        for values in (ar, resid, coef, coef_error, loadings, sigma2, r2):
            values[bad] = np.nan
        return ArrayFit(
            index=index,
            ar=ar,
            resid=resid,
            coef=coef,
            coef_names=names,
            coef_error=coef_error,
            sigma2=sigma2,
            n_obs=n_obs,
            n_params=n_params,
            r2=r2,
            status=status,
            loadings=loadings,
            messages=messages,
        )

    def _count(self, y: FloatArray, q: FloatArray, explained: FloatArray, block: DonorBlock, cap: int) -> IntArray:
        """Number of factors of each event of a block, shape (k,)."""
        if isinstance(self.n_factors, int):
            return np.full(len(y), cap, dtype=np.int64)
        if self.n_factors == "ic":
            t = len(block.x) + int(block.columns.sum())
            return np.full(len(y), _information_criterion(explained, t, len(block.donors)), dtype=np.int64)
        errors = np.empty((len(y), cap + 1))
        e, leverage = y.copy(), np.zeros(y.shape[1])
        for k in range(cap + 1):
            e -= _times(y, q[:, k : k + 1]) * q[:, k]
            leverage += q[:, k] ** 2
            errors[:, k] = ((e / (1.0 - leverage)) ** 2).mean(1)
        best: IntArray = errors.argmin(1)
        return best


def _times(a: FloatArray, b: FloatArray) -> FloatArray:
    """Product whose rows do not depend, to the last digit, on how many they are: events are fitted in any grouping."""
    product: FloatArray = np.einsum("nk,km->nm", a, b)
    return product


def _components(block: DonorBlock, cap: int, standardise: bool) -> tuple[FloatArray, FloatArray]:
    """Factors of a block's donors, shape (T, k), of mean square one; and what 0 to k of them leave unexplained.

    ``k`` is ``cap``, or the number of factors that the donors hold where that is smaller.
    """
    z = np.concatenate([block.x, block.x_event[block.columns]])
    z = z - z.mean(0)
    if standardise:
        spread = np.sqrt((z**2).mean(0))
        z = z / np.where(spread > 0, spread, 1.0)
    t, n = z.shape
    u, s, v = np.linalg.svd(z, full_matrices=False) if n < t else _tall(z)
    cap = min(cap, int((s > _RANK * s[0]).sum()))
    factors = u[:, :cap] * np.sqrt(t) * np.where(v[:cap].sum(1) < 0, -1.0, 1.0)
    left = (s**2).sum() - np.concatenate([[0.0], np.cumsum(s[:cap] ** 2)])
    return factors, np.maximum(left, 0.0) / (n * t)


def _tall(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Singular vectors of a matrix with more columns than rows, by way of the small product; largest first."""
    value, u = np.linalg.eigh(z @ z.T)
    value, u = np.maximum(value[::-1], 0.0), u[:, ::-1]
    return u, np.sqrt(value), u.T @ z


def _information_criterion(left: FloatArray, t: int, n: int) -> int:
    """Number of factors by ``IC_p2`` of Bai and Ng (2002): ``ln V(k) + k (N+T)/(NT) ln min(N, T)``."""
    k = np.arange(len(left))
    with np.errstate(divide="ignore"):
        return int((np.log(left) + k * (n + t) / (n * t) * np.log(min(n, t))).argmin())
