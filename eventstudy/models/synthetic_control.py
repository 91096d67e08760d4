"""Synthetic control: a portfolio of untreated donors that moved like the security before the event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import FAILED, OK, TOO_FEW, ZERO_VARIANCE
from eventstudy.models._donors import Clean, DonorBlock, Treated, check_clean, donor_blocks, left_out, names_of
from eventstudy.models._simplex import Columns, SimplexFit, simplex_least_squares
from eventstudy.models.arrays import ArrayFit, EventData, event_data
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["SyntheticControl", "SyntheticFit", "donor_weights", "solve"]


@dataclass(frozen=True, slots=True)
class SyntheticFit(ArrayFit):
    """Fits of synthetic controls, with the weights; see :class:`eventstudy.models.arrays.ArrayFit`.

    Parameters
    ----------
    donor : ndarray of int64, shape (n, k)
        Rows of the panel that have a weight, ``k`` being the largest number of any event.
    weight : ndarray of float64, shape (n, k)
        Their weights, of sum one; zero where an event has fewer.
    treated : Treated
        Every event of the study.
    """

    donor: IntArray = field(kw_only=True)
    weight: FloatArray = field(kw_only=True)
    treated: Treated = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class SyntheticControl:
    """Synthetic control: ``E[R] = Σ w_j R_j`` over donors, ``w ≥ 0``, ``Σ w = 1``, least squares before the event.

    Parameters
    ----------
    donors : sequence of str, optional
        Securities that may have a weight; every security of the panel by default, indices and funds among them, but
        not the factors that :meth:`eventstudy.ReturnPanel.with_factors` added.
    intercept : bool
        Whether a constant is fitted as well, so that only the movements are matched and not the mean return.
    exclude : sequence of str
        Securities that may not: what the event moves too, such as competitors, a second class of the security's
        shares, or funds that hold it. The fit cannot tell them from others and may well prefer them.
    clean : {"span", "event"}
        Donors are never treated. ``"span"``: a donor has no event whose window overlaps the estimation or the event
        window. ``"event"``: none that overlaps the event window, which is enough for a fair counterfactual and leaves
        donors where every security has events now and then.

    Raises
    ------
    InputError
        On a name given twice or an option that does not exist; while fitting, if a donor is not in the panel, or is
        named and has an event of its own that is too near.

    Notes
    -----
    The weights are exact: an active-set method ends with a duality gap near rounding (see
    ``eventstudy.models._simplex``). Of 2,000 donors and 250 sessions it needs about 50 ms for a first event and 30 ms
    for further ones on the same date, which share the cross products of the donors.

    A donor that lacks a return on any session on which the event has one is left out for that event.

    ``K`` is the number of donors with a weight, less one, plus the constant: the degrees of freedom of a projection on
    a simplex (Chen, Lin and Sen 2020). ``s² = Σe²/(M − K)``; the forecast error of the weights is that of least
    squares on the donors that have one. That they were chosen is not allowed for. Where there are few sessions beside
    the number of donors, read :func:`eventstudy.inference.synthetic_placebo` and
    :func:`eventstudy.inference.conformal_test`, which do not rest on either.

    References
    ----------
    Abadie, A. and Gardeazabal, J. (2003). The economic costs of conflict: a case study of the Basque Country.
    *American Economic Review* 93.
    Abadie, A., Diamond, A. and Hainmueller, J. (2010). Synthetic control methods for comparative case studies.
    *Journal of the American Statistical Association* 105.
    Chen, X., Lin, Q. and Sen, B. (2020). On degrees of freedom of projection estimators with applications to
    multivariate nonparametric regression. *Journal of the American Statistical Association* 115.
    Doudchenko, N. and Imbens, G. W. (2016). Balancing, regression, difference-in-differences and synthetic control
    methods: a synthesis. NBER working paper 22791.

    Examples
    --------
    >>> SyntheticControl(exclude=["SPY", "SMH"])
    SyntheticControl(donors=None, intercept=False, exclude=('SPY', 'SMH'), clean='span')
    """

    donors: Sequence[str] | None = None
    intercept: bool = False
    exclude: Sequence[str] = ()
    clean: Clean = "span"
    _treated: Treated | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "donors", names_of(self.donors, "donors"))
        object.__setattr__(self, "exclude", left_out(self.exclude))
        if not isinstance(self.intercept, bool):
            raise InputError(f"intercept={self.intercept!r} is neither True nor False.", remedy="Give one of them.")
        check_clean(self.clean)

    @property
    def name(self) -> str:
        """Short name."""
        return "synthetic"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """None: the donors of each event are found when it is fitted."""
        return ()

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of what the table of parameters shows; the weights are in :func:`donor_weights`."""
        return (*(("alpha",) if self.intercept else ()), "n_donors", "n_weights", "largest_weight")

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 64

    def prepared(self, index: EventIndex) -> SyntheticControl:
        """The model, told of every event of the study: their securities are no donors."""
        told = replace(self)
        object.__setattr__(told, "_treated", Treated.of(index))
        return told

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> SyntheticFit:
        """Fit every event, those of one date on the same cross products."""
        data = event_data(panel, index)
        treated = Treated.of(index) if self._treated is None else self._treated
        out = _Room(index, self, treated)
        for block in donor_blocks(panel, index, data, treated, self.donors, self.exclude, self.clean):
            m = int(block.rows.sum())
            out.n_obs[block.events] = m
            if m < max(min_obs, 2):
                out.status[block.events] = TOO_FEW
            elif not len(block.donors):
                out.fail(block.events, block.shortage)
            else:
                columns = Columns(block.x - block.x.mean(0) if self.intercept else block.x)
                for at in block.events.tolist():
                    out.put(at, block, data, solve(columns, data.y[at, block.rows], self.intercept))
        return out.made()


def solve(columns: Columns, y: FloatArray, intercept: bool, allowed: npt.NDArray[np.bool_] | None = None) -> SimplexFit:
    """Weights of one target; with a constant, ``columns`` are about their means and the target is too."""
    return simplex_least_squares(columns, y - y.mean() if intercept else y, allowed)


class _Room:
    """Arrays of a fit while they are being filled."""

    def __init__(self, index: EventIndex, model: SyntheticControl, treated: Treated) -> None:
        n, l1, l2 = len(index), len(index.estimation), len(index.event)
        self.index, self.model, self.treated = index, model, treated
        self.ar, self.resid = np.full((n, l2), np.nan), np.full((n, l1), np.nan)
        self.coef = np.full((n, len(model.coef_names)), np.nan)
        self.sigma2, self.r2 = np.full(n, np.nan), np.full(n, np.nan)
        self.n_obs, self.n_params = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.status, self.messages = np.zeros(n, np.int8), np.full(n, None, dtype=object)
        self.loadings: list[FloatArray] = [np.zeros((l2, 0))] * n
        self.chosen: list[tuple[IntArray, FloatArray]] = [(np.empty(0, np.int64), np.empty(0))] * n

    def fail(self, events: IntArray, message: str) -> None:
        self.status[events], self.messages[events] = FAILED, message

    def put(self, at: int, block: DonorBlock, data: EventData, found: SimplexFit) -> None:
        """Enter the fit of one event."""
        y, constant = data.y[at, block.rows], self.model.intercept
        x, x_event = block.x[:, found.active], block.x_event[:, found.active]
        alpha = float((y - x @ found.weight).mean()) if constant else 0.0
        e = y - alpha - x @ found.weight
        m, k = len(y), len(found.active) - 1 + int(constant)
        square, total = float(e @ e), float(((y - y.mean()) ** 2).sum())
        self.n_params[at] = k
        if m <= k:
            self.fail(np.array([at]), f"{k + 1} donors have a weight, on {m} sessions. Use fewer donors.")
            return
        if square <= 1e-24 * float(y @ y):
            self.status[at] = ZERO_VARIANCE
            return
        self.ar[at], self.resid[at, block.rows] = data.y_event[at] - alpha - x_event @ found.weight, e
        shown: list[Any] = [len(block.donors), len(found.active), found.weight.max()]
        self.coef[at] = [alpha, *shown] if constant else shown
        self.sigma2[at], self.r2[at] = square / (m - k), 1.0 - square / total if total > 0 else np.nan
        self.loadings[at] = _loadings(x, x_event, constant)
        self.chosen[at] = (block.donors[found.active], found.weight)

    def made(self) -> SyntheticFit:
        """The fit."""
        n, l2 = self.ar.shape
        widest = max((part.shape[1] for part in self.loadings), default=0)
        most = max((len(rows) for rows, _ in self.chosen), default=0)
        loadings, donor, weight = np.zeros((n, l2, widest)), np.zeros((n, most), np.int64), np.zeros((n, most))
        for at in range(n):
            rows, share = self.chosen[at]
            loadings[at, :, : self.loadings[at].shape[1]] = self.loadings[at]
            donor[at, : len(rows)], weight[at, : len(rows)] = rows, share
        bad = self.status != OK
        loadings[bad] = np.nan
        return SyntheticFit(
            index=self.index,
            ar=self.ar,
            resid=self.resid,
            coef=self.coef,
            coef_names=self.model.coef_names,
            sigma2=self.sigma2,
            n_obs=self.n_obs,
            n_params=self.n_params,
            r2=self.r2,
            status=self.status,
            loadings=loadings,
            messages=self.messages,
            donor=donor,
            weight=weight,
            treated=self.treated,
        )


def _loadings(x: FloatArray, x_event: FloatArray, constant: bool) -> FloatArray:
    """``X_W R^{-1}`` of least squares on the donors with a weight, whose weights sum to one; shape (L2, K)."""
    d, d_event = x[:, 1:] - x[:, :1], x_event[:, 1:] - x_event[:, :1]
    if constant:
        center = d.mean(0)
        d, d_event = d - center, d_event - center
    parts = [np.full((len(d_event), 1), 1.0 / np.sqrt(len(d)))] if constant else []
    if d.shape[1]:
        parts.append(np.linalg.solve(_root(d), d_event.T).T)
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(d_event), 0))


def _root(d: FloatArray) -> FloatArray:
    """Lower triangular root of ``D'D``."""
    try:
        low: FloatArray = np.linalg.cholesky(np.einsum("mk,ml->kl", d, d))  # no BLAS: see Columns.times
    except np.linalg.LinAlgError:
        low = np.linalg.qr(d).R.T
    return low


def donor_weights(results: EventStudyResults) -> pd.DataFrame:
    """Weights of the donors of every event that counts, largest first.

    Parameters
    ----------
    results : EventStudyResults
        Results of a study with :class:`SyntheticControl`.

    Returns
    -------
    DataFrame
        ``event_id``, ``ticker``, ``donor`` and ``weight``, which sum to one by event; donors without a weight are not
        listed.

    Raises
    ------
    InputError
        If the study's model is another one.
    """
    fit = fit_of(results)
    event, place = np.nonzero(fit.weight > 0)
    identity, tickers = results.parameters[["event_id", "ticker"]], results.study.returns.tickers
    frame = identity.iloc[event].reset_index(drop=True)
    frame = frame.assign(donor=tickers[fit.donor[event, place]], weight=fit.weight[event, place], _at=event)
    frame = frame.sort_values(["_at", "weight"], ascending=[True, False], kind="stable")
    return frame.drop(columns="_at").reset_index(drop=True)


def fit_of(results: EventStudyResults) -> SyntheticFit:
    """The synthetic controls of some results.

    Raises
    ------
    InputError
        If the study's model is another one.
    """
    if not isinstance(results.fit, SyntheticFit):
        raise InputError(
            f"These are results of {results.study.model!r}; those of a SyntheticControl were expected.",
            remedy="Fit EventStudy(..., model=SyntheticControl()).",
        )
    return results.fit
