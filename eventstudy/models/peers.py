"""Peer portfolio: the return of named peers instead of a fitted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from eventstudy._typing import FloatArray
from eventstudy.errors import InputError
from eventstudy.kernels import FAILED, OK, TOO_FEW, ZERO_VARIANCE
from eventstudy.models._donors import Clean, Treated, check_clean, names_of
from eventstudy.models.arrays import ArrayFit, EventData, event_data
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["PeerPortfolio"]

Peers: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]
PeerWeights: TypeAlias = Literal["equal", "value"] | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PeerPortfolio:
    """Peer portfolio: ``E[R] = Σ w_j R_j / Σ w_j`` over the peers that have a return; nothing is fitted (``K = 0``).

    Parameters
    ----------
    peers : sequence of str, or mapping of str to sequences of str
        Peers of all securities, or of each by its ticker.
    weights : {"equal", "value"} or mapping of str to float
        Equal weights; market values as given by ``values``; or weights of your own by ticker of the peer, of any sum.
    values : mapping of str to float, optional
        Market value of each peer, in any currency, as of before the event; with ``weights="value"``.
    min_peers : int
        Fewest peers with a return on a session; a session with fewer has no expected return.
    clean : {"event", "span"}
        Which peers are taken out for an event: those with an event of their own whose window overlaps the event window
        (default), or the estimation window too.

    Raises
    ------
    InputError
        If no peer is named or one twice, a weight is missing or not positive, or an option does not exist; while
        fitting, if a peer is not in the panel.

    Notes
    -----
    The security itself is never its own peer, nor is a security whose own event is too near. An event of which no peer
    is left, or of whose security none is named, is dropped, with the reason. On a session on which some peers have no
    return the weights of the others are raised to a sum of one: the portfolio is held in what trades.

    ``s² = Σ (R − R_p)²/M``, about zero, as for market-adjusted returns.

    References
    ----------
    Barber, B. M. and Lyon, J. D. (1997). Detecting long-run abnormal stock returns. *Journal of Financial
    Economics* 43.
    Lyon, J. D., Barber, B. M. and Tsai, C.-L. (1999). Improved methods for tests of long-run abnormal stock returns.
    *Journal of Finance* 54.

    Examples
    --------
    >>> PeerPortfolio({"MSFT": ["GOOGL", "AMZN"]}, {"GOOGL": 2.0, "AMZN": 1.0}).name
    'peers'
    """

    peers: Peers
    weights: PeerWeights = "equal"
    values: Mapping[str, float] | None = None
    min_peers: int = 1
    clean: Clean = "event"
    _treated: Treated | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.peers, Mapping):
            named = {ticker: names_of(some, f"peers of {ticker}") or () for ticker, some in self.peers.items()}
            if not named:
                raise InputError("peers={} names no security.", remedy='Such as {"MSFT": ["GOOGL", "AMZN"]}.')
            object.__setattr__(self, "peers", named)
        else:
            object.__setattr__(self, "peers", names_of(() if self.peers is None else self.peers, "peers"))
        self._check_weights()
        check_clean(self.clean)
        if isinstance(self.min_peers, bool) or not isinstance(self.min_peers, int | np.integer) or self.min_peers < 1:
            raise InputError(f"min_peers={self.min_peers!r} is not a positive whole number.", remedy="Such as 1.")

    def _check_weights(self) -> None:
        if self.weights == "equal" or isinstance(self.weights, Mapping):
            if self.values is not None:
                raise InputError("values= is given, but not used.", remedy='Give weights="value" as well.')
        elif self.weights != "value":
            raise InputError(
                f"weights={self.weights!r} is not an option.", remedy='Use "equal", "value" or weights by ticker.'
            )
        elif not isinstance(self.values, Mapping):
            raise InputError(
                'weights="value" needs the market value of each peer.', remedy='Such as values={"GOOGL": 2.3e12}.'
            )
        share = self._share
        if share is None:
            return
        for name in self._everyone:
            if name not in share:
                raise InputError(f"The peer {name} has no weight.", remedy="Give one for each peer.", ticker=name)
            value = share[name]
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
                raise InputError(
                    f"The weight of the peer {name} is {value!r}.", remedy="Give a positive number.", ticker=name
                )

    @property
    def _share(self) -> Mapping[str, float] | None:
        return self.values if self.weights == "value" else None if isinstance(self.weights, str) else self.weights

    @property
    def _everyone(self) -> list[str]:
        lists = self.peers.values() if isinstance(self.peers, Mapping) else [self.peers]
        return list(dict.fromkeys(name for some in lists for name in some))

    @property
    def name(self) -> str:
        """Short name."""
        return "peers"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """None: which peers count differs between events."""
        return ()

    @property
    def events_per_chunk(self) -> int:
        """Events fitted at a time."""
        return 2048

    def prepared(self, index: EventIndex) -> PeerPortfolio:
        """The model, told of every event of the study: their securities are no peers at the time."""
        told = replace(self)
        object.__setattr__(told, "_treated", Treated.of(index))
        return told

    def fit(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> ArrayFit:
        """Fit every event, those of one date at once."""
        treated = Treated.of(index) if self._treated is None else self._treated
        everyone = np.array([panel.row(name) for name in self._everyone])
        wanted = self._wanted(panel, index)
        data = event_data(panel, index)
        messages = np.full(len(index), None, dtype=object)
        expected, ahead = np.full(data.y.shape, np.nan), np.full(data.y_event.shape, np.nan)
        for position in np.unique(index.position).tolist():
            here = np.flatnonzero(index.position == position)
            near = treated.near(position, index, self.clean)
            share = np.where(np.isin(everyone, near) | (everyone == index.security[here, None]), 0.0, wanted[here])
            lost = ~(share > 0).any(1)
            for at in here[lost].tolist():
                messages[at] = self._why(panel.tickers[index.security[at]], int((wanted[at] > 0).sum()))
            for window, into in ((index.estimation, expected), (index.event, ahead)):
                at = position + window.tau
                inside = (at >= 0) & (at < panel.n_sessions)
                returns = panel.values[np.ix_(everyone, at[inside])]
                into[np.ix_(here, np.flatnonzero(inside))] = self._mean(returns, share)
        return self._made(index, data, expected, ahead, min_obs, messages)

    def _wanted(self, panel: ReturnPanel, index: EventIndex) -> FloatArray:
        """Weight of each peer for each event before any is taken out, shape (n, n_peers)."""
        share = self._share
        weight = np.array([1.0 if share is None else float(share[name]) for name in self._everyone])
        if not isinstance(self.peers, Mapping):
            return np.broadcast_to(weight, (len(index), len(weight)))
        rows, place = np.unique(index.security, return_inverse=True)
        lists = [set(self.peers.get(panel.tickers[row], ())) for row in rows]
        named = np.array([[name in some for name in self._everyone] for some in lists], dtype=bool)
        return np.where(named.reshape(len(rows), len(weight))[place], weight, 0.0)

    def _why(self, ticker: str, n: int) -> str:
        if not n:
            return f"no peers of {ticker} are named. Add them to peers=."
        return f"each of its {n} peers is the security itself or has an event of its own too near. Name others."

    def _mean(self, returns: FloatArray, share: FloatArray) -> FloatArray:
        """Weighted mean over the peers that are there, shape (k, L); NaN where they are too few."""
        there = ~np.isnan(returns)
        # einsum: no digit of an event's sum depends on how many events there are
        total = np.einsum("np,pt->nt", share, there.astype(float))
        enough = np.einsum("np,pt->nt", (share > 0).astype(float), there.astype(float)) >= self.min_peers
        mean = np.einsum("np,pt->nt", share, np.where(there, returns, 0.0)) / np.where(enough, total, 1.0)
        return np.where(enough, mean, np.nan)

    def _made(
        self,
        index: EventIndex,
        data: EventData,
        expected: FloatArray,
        ahead: FloatArray,
        min_obs: int,
        messages: npt.NDArray[np.object_],
    ) -> ArrayFit:
        e, ar = data.y - expected, data.y_event - ahead
        n_obs = (~np.isnan(e)).sum(1)
        square = np.nansum(e**2, axis=1)
        size = np.nansum(np.where(np.isnan(e), 0.0, data.y) ** 2, axis=1)
        lost = np.array([message is not None for message in messages], dtype=bool)
        status = np.select(
            [lost, n_obs < min_obs, square <= 1e-24 * size], [FAILED, TOO_FEW, ZERO_VARIANCE], OK
        ).astype(np.int8)
        bad = status != OK
        for values in (e, ar):
            values[bad] = np.nan
        return ArrayFit(
            index=index,
            ar=ar,
            resid=e,
            coef=np.empty((len(index), 0)),
            coef_names=(),
            sigma2=np.where(bad, np.nan, square / np.maximum(n_obs, 1)),
            n_obs=n_obs.astype(np.int64),
            n_params=0,
            r2=np.full(len(index), np.nan),
            status=status,
            loadings=np.zeros((*ar.shape, 0)),
            messages=messages,
        )
