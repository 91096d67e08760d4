"""How an event spreads: winners and losers, networks, long–short portfolios, lead and lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray, IntArray
from eventstudy.abnormal import confidence_bounds, cumulated, t_p_value, weighted_mean
from eventstudy.errors import InputError, InsufficientDataError
from eventstudy.inference.multiplicity import holm
from eventstudy.inference.resampling import as_many, resampling_p
from eventstudy.kernels import OK, LinearDesign, fit_linear
from eventstudy.models.linear import LinearFit
from eventstudy.windows import EventIndex, Window, WindowLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eventstudy.results import EventStudyResults

__all__ = ["Spillover"]


@dataclass(frozen=True, slots=True)
class Spillover:
    """How the event of one result spread over securities; reached as ``results.spillover``.

    Parameters
    ----------
    results : EventStudyResults
        What to look at.

    Examples
    --------
    >>> import eventstudy as es
    >>> tickers = ["NVDA", "AVGO", "MSFT", "CRM"]
    >>> events = es.Events.at("2025-01-27", tickers, group=["Chips", "Chips", "Software", "Software"])
    >>> panel = es.ReturnPanel.from_prices(es.load_prices([*tickers, "SPY"], source="sample"))
    >>> res = es.EventStudy(panel, events, es.MarketModel("SPY"), (-260, -11), (-5, 5)).fit()
    >>> res.spillover.long_short("Chips", "Software", (0, 0))[["difference", "t", "df"]].round(3)
       difference      t     df
    0      -0.164 -6.615  248.0
    """

    results: EventStudyResults

    # -- winners and losers --------------------------------------------------------------------------------------

    def groups(self, start: WindowLike | int, end: int | None = None, *, level: float = 0.05) -> pd.DataFrame:
        """Winners and losers by group, lowest CAAR first, "All" last.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        level : float
            Below which p-value a security-event counts as significant.

        Returns
        -------
        DataFrame
            Indexed by ``group``: ``caar`` (decimal), ``ci_lower``, ``ci_upper``, ``median``, ``n``, ``up`` and ``down``
            (security-events above and below zero), ``up_significant`` and ``down_significant`` (of which by their own
            t-test), ``best`` and ``worst`` (tickers), ``test`` (the recommended one), ``statistic``, ``p_value``, and
            ``p_holm``, adjusted for the number of groups.

        Raises
        ------
        InputError
            If the events have no groups, or ``level`` is not between 0 and 1.

        Notes
        -----
        The interval is that of the group's portfolio, as in :meth:`EventStudyResults.group_caar`: it takes the variance
        of the estimation window. ``p_value`` may be of a test that lets the event raise the variance, such as
        ``bmp_t_adj``, which sees little in a group of few: an interval that excludes zero beside a large p is no error.
        """
        res = self.results
        if not res.groups:
            raise InputError("The events have no groups.", remedy="Give group= to Events.at, or a group column.")
        if isinstance(level, bool) or not 0.0 < level < 1.0:
            raise InputError(f"level={level!r} is not between 0 and 1.", remedy="Such as 0.05.")
        window = res._window(start, end)
        rows = [self._group_row(name, window, level) for name in res.groups]
        frame = pd.DataFrame(rows, index=pd.Index(res.groups, name="group"))
        frame["p_holm"] = holm(frame["p_value"].to_numpy())
        whole = pd.DataFrame([self._group_row(None, window, level)], index=pd.Index(["All"], name="group"))
        whole["p_holm"] = np.nan
        return pd.concat([frame.sort_values("caar", kind="stable"), whole])

    def _group_row(self, name: str | None, window: Window, level: float) -> dict[str, Any]:
        part = self.results if name is None else self.results.select(group=name)
        cars, caar, test = part.car(window), part.caar(window).iloc[0], part.recommended(window)
        car, small = cars["car"], cars["p_value"] < level
        known = cars.loc[car.notna()].sort_values("car", kind="stable")["ticker"]
        return {
            "caar": caar["caar"],
            "ci_lower": caar["ci_lower"],
            "ci_upper": caar["ci_upper"],
            "median": car.median(),
            "n": int(caar["n"]),
            "up": int((car > 0).sum()),
            "down": int((car < 0).sum()),
            "up_significant": int(((car > 0) & small).sum()),
            "down_significant": int(((car < 0) & small).sum()),
            "best": known.iloc[-1] if len(known) else "",
            "worst": known.iloc[0] if len(known) else "",
            "test": test.name,
            "statistic": test.result.statistic,
            "p_value": test.result.p_value,
        }

    # -- network -------------------------------------------------------------------------------------------------

    def network(
        self,
        before: WindowLike | None = None,
        after: WindowLike = (0, 20),
        *,
        level: float | None = 0.05,
        session: Any = None,
    ) -> pd.DataFrame:
        """Edges of the network of abnormal-return correlations, before and after the event.

        Parameters
        ----------
        before : window, optional
            Sessions before; the estimation window by default.
        after : window
            Sessions after.
        level : float, optional
            Keep edges that are significant before or after at this false discovery rate; None keeps all.
        session : date-like, optional
            Event session whose securities are meant; needed where events lie on several.

        Returns
        -------
        DataFrame
            As :meth:`eventstudy.risk.CorrelationChange.pairs`, and ``link``: "kept" (significant before and after),
            "new" (after only), "lost" (before only), "none". A link is new or lost by two tests of different power, so
            that only ``p_change_bh`` says whether the correlation changed.

        Raises
        ------
        InputError
            If fewer than two events share the session.
        """
        frame = self.results.risk.correlation(before, after, session=session, draws=0).pairs()
        cut = 0.05 if level is None else level
        if isinstance(cut, bool) or not 0.0 < cut <= 1.0:
            raise InputError(f"level={level!r} is not between 0 and 1.", remedy="Such as 0.05, or None for all edges.")
        first, last = frame["p_before_bh"] <= cut, frame["p_after_bh"] <= cut
        frame["link"] = np.select([first & last, last, first], ["kept", "new", "lost"], "none")
        return frame if level is None else frame[first | last].reset_index(drop=True)

    def plot_network(
        self,
        before: WindowLike | None = None,
        after: WindowLike = (0, 20),
        *,
        top: int = 20,
        session: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """The pairs whose correlation changed most, as bars from before to after, ordered by the change.

        Parameters
        ----------
        before, after, session
            As in :meth:`network`.
        top : int
            Pairs shown.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
        """
        from eventstudy._risk_plots import network_axes

        change = self.results.risk.correlation(before, after, session=session, draws=0)
        return network_axes(self.results, change, as_many("top", top, 1), ax)

    # -- portfolios ----------------------------------------------------------------------------------------------

    def long_short(
        self,
        long: str,
        short: str,
        start: WindowLike | int,
        end: int | None = None,
        *,
        confidence: float | None = None,
    ) -> pd.DataFrame:
        """CAR of a portfolio that is long one group and short another, with its exact forecast error.

        On each event session that both groups share, the portfolio's return is the (weighted) mean return of the one
        less that of the other; the study's own model is fitted to it. Null: the CAR is zero, that is, the groups' CAARs
        are equal. Student t with ``M − K`` degrees of freedom. All correlation among the securities is in the residual
        variance of the portfolio; a variance that the event raises is not.

        Parameters
        ----------
        long, short : str
            Groups.
        start, end : int
            First and last session of the window.
        confidence : float, optional
            Level of the interval; that of the study by default.

        Returns
        -------
        DataFrame
            One row per event session that both groups share: ``session``, ``long``, ``short``, ``n_long``,
            ``n_short``, ``caar_long``, ``caar_short``, ``difference`` (CAR of the portfolio, decimal), ``std_error``,
            ``t``, ``p_value``, ``ci_lower``, ``ci_upper``, ``df``, ``n_obs``, ``beta_…`` of the portfolio for each
            fitted slope.

        Raises
        ------
        InputError
            If a group does not exist, both are the same, no session has events of both, or the model is not linear.
        InsufficientDataError
            If too few sessions have a return of every member.

        Notes
        -----
        A session on which one member lacks a return has no portfolio return. Where none lacks one, ``difference`` is
        exactly the difference of the groups' CAARs.
        """
        res = self.results
        window, level = res._window(start, end), res._level(confidence)
        if not isinstance(res.fit, LinearFit):
            raise InputError(
                f"{res.study.model!r} cannot be fitted to a portfolio.",
                remedy="Use a linear model, such as MarketModel, for this.",
            )
        for name in (long, short):
            if name not in res.groups:
                raise InputError(f"No event has the group {name!r}; there are {res.groups}.", remedy="Choose one.")
        if long == short:
            raise InputError(f"Long and short are both {long!r}.", remedy="Name two groups.")
        group, index = res._identity["group"].to_numpy(), res.fit.index
        sides = [np.flatnonzero(group == name) for name in (long, short)]
        dates = np.intersect1d(index.position[sides[0]], index.position[sides[1]])
        if not len(dates):
            raise InputError(
                f"No session has events of both {long!r} and {short!r}.",
                remedy="A portfolio of both needs events on one session.",
            )
        rows = []
        for position in dates.tolist():
            members = [side[index.position[side] == position] for side in sides]
            rows.append(self._portfolio_row(members, position, window, level) | {"long": long, "short": short})
        first = ["session", "long", "short"]
        frame = pd.DataFrame(rows)
        return frame[first + [name for name in frame.columns if name not in first]]

    def _portfolio_row(self, members: list[IntArray], position: int, window: Window, level: float) -> dict[str, Any]:
        res = self.results
        panel, index, fitted = res.study.returns, res.fit.index, res.fit
        assert isinstance(fitted, LinearFit)
        mean = [_weighted(panel.values[index.security[rows]], _shares(res, rows)) for rows in members]
        values = (mean[0] - mean[1])[None]
        # what the model takes from every return beforehand (a riskless rate, a benchmark) cancels between the sides
        design = LinearDesign(fitted.design.factors, None, fitted.design.intercept)
        at = _joint(index, np.concatenate(members), position)
        est, event = index.estimation, index.event
        windows = (est.start, est.end), (event.start, event.end)
        arrays = fit_linear(values, design, at.security, at.position, *windows, res.study._min_obs, keep=at.keep)
        fit = LinearFit(values, design, at, arrays, fitted.coef_names)
        session = panel.sessions[position]
        if int(fit.status[0]) != OK:
            raise InsufficientDataError(
                f"The portfolio of {session:%Y-%m-%d} cannot be fitted: {int(fit.n_obs[0])} sessions of the estimation "
                f"window {index.words} have a return of every member.",
                remedy="Leave out the securities with gaps, or lower min_obs.",
                date=session,
            )
        c = cumulated(fit, window, skip_missing=res.study.missing == "skip")
        lower, upper = confidence_bounds(c.car, c.std_error, c.dof, level)
        own = res._cumulated(window).car
        caar = [weighted_mean(own[rows], _shares(res, rows))[0] for rows in members]
        slopes = {
            name: float(value)
            for name, value in zip(fit.coef_names, np.atleast_2d(fit.coef)[0], strict=True)
            if name != "alpha"
        }
        return {
            "session": session,
            "n_long": len(members[0]),
            "n_short": len(members[1]),
            "caar_long": caar[0],
            "caar_short": caar[1],
            "difference": float(c.car[0]),
            "std_error": float(c.std_error[0]),
            "t": float(c.scar[0]),
            "p_value": float(t_p_value(c.scar, c.dof)[0]),
            "ci_lower": float(lower[0]),
            "ci_upper": float(upper[0]),
            "df": float(c.dof[0]),
            "n_obs": int(fit.n_obs[0]),
            **slopes,
        }

    # -- lead and lag --------------------------------------------------------------------------------------------

    def lead_lag(
        self, leader: str, follower: str, window: WindowLike | None = None, *, max_lag: int = 3
    ) -> pd.DataFrame:
        """Cross-correlations of two groups' (or securities') average abnormal returns over the window, by lag.

        At lag ``k`` the follower's session ``τ`` stands beside the leader's ``τ − k``: a high correlation at a positive
        lag says that the leader moves first. ``p_placebo`` is its rank among the same correlations over all earlier
        runs of as many sessions of the estimation window, two-sided: one large return on the event session is then
        judged by what large returns do at other times.

        Parameters
        ----------
        leader, follower : str
            Groups, or tickers.
        window : window, optional
            Sessions, inside the event window; all of it by default.
        max_lag : int
            Largest lead and lag.

        Returns
        -------
        DataFrame
            Indexed by ``lag``, from ``−max_lag`` to ``max_lag``: ``correlation``, ``n`` (pairs of sessions),
            ``p_value`` (normal, ``r √n``, for sessions without serial correlation), ``baseline`` (the correlation over
            the estimation window), ``p_placebo``.

        Raises
        ------
        InputError
            If there is no such group or ticker, or the window is too short for the lags.
        """
        res = self.results
        over = res.fit.index.event if window is None else res._window(window, None)
        lag = as_many("max_lag", max_lag, 0)
        if len(over) < lag + 4:
            raise InputError(
                f"The window {over} has {len(over)} sessions, too few for lags to {lag}.",
                remedy=f"Use {lag + 4} or more, or a smaller max_lag.",
            )
        series = [self._series(name, over) for name in (leader, follower)]
        rows = []
        for k in range(-lag, lag + 1):
            r, n = _lagged(series[0][1][None], series[1][1][None], k)
            base, _ = _lagged(series[0][0][None], series[1][0][None], k)
            runs = [np.lib.stride_tricks.sliding_window_view(one[0], len(over)) for one in series]
            reference, pairs = _lagged(runs[0], runs[1], k)
            reference = reference[~np.isnan(reference) & (2 * pairs >= len(over) - abs(k))]
            known = len(reference) > 0 and not np.isnan(r[0])
            exceed = int(np.count_nonzero(np.abs(reference) >= abs(r[0]) * (1.0 - 1e-9)))
            rows.append(
                {
                    "correlation": r[0],
                    "n": int(n[0]),
                    "p_value": float(t_p_value(np.array([r[0] * np.sqrt(n[0])]), np.array([np.inf]))[0]),
                    "baseline": base[0],
                    "p_placebo": resampling_p(exceed, len(reference)) if known else np.nan,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(range(-lag, lag + 1), name="lag"))

    def _series(self, name: str, window: Window) -> tuple[FloatArray, FloatArray]:
        """Mean residuals of the estimation window and mean abnormal returns of a window, of a group or a ticker."""
        res = self.results
        part = res.select(group=name) if name in res.groups else res.select(ticker=name)
        everyone = np.ones(len(part), dtype=bool)
        ar = part.fit.ar[:, part.fit.index.event.columns(window)]
        mean = [weighted_mean(column, part._weights)[0] for column in ar.T]
        return part._battery.portfolio(everyone), np.array(mean)

    def plot_influence(self, start: WindowLike | int, end: int | None = None, *, ax: Axes | None = None) -> Axes:
        """CAAR without each security, and the recommended test's p-value without it.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
        """
        from eventstudy._risk_plots import influence_axes

        return influence_axes(self.results, self.results._window(start, end), ax)


def _shares(res: EventStudyResults, rows: IntArray) -> FloatArray | None:
    weights = res._weights
    return None if weights is None else weights[rows]


def _weighted(values: FloatArray, weights: FloatArray | None) -> FloatArray:
    """(Weighted) mean over the rows, NaN where one is missing."""
    return np.asarray(np.average(values, axis=0, weights=weights))


def _joint(index: EventIndex, rows: IntArray, position: int) -> EventIndex:
    """Index of the one portfolio of some events: a session that any of them leaves out, it leaves out."""
    usable = None if index.usable is None else np.asarray(index.usable[index.security[rows]].all(0))[None]
    trimmed = None if index.trimmed is None else np.asarray(index.trimmed[rows].any(0))[None]
    return EventIndex(
        np.zeros(1, np.int64),
        np.array([position], np.int64),
        index.estimation,
        index.event,
        index.hole,
        usable,
        trimmed,
    )


def _lagged(leader: FloatArray, follower: FloatArray, lag: int) -> tuple[FloatArray, IntArray]:
    """Correlation of ``follower`` with ``leader`` ``lag`` sessions before, row by row, and the pairs of sessions."""
    length = leader.shape[1]
    x = leader[:, max(0, -lag) : length - max(0, lag)]
    y = follower[:, max(0, lag) : length - max(0, -lag)]
    there = ~(np.isnan(x) | np.isnan(y))
    n = there.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        dx, dy = (np.where(there, z - (np.where(there, z, 0.0).sum(1) / n)[:, None], 0.0) for z in (x, y))
        size = np.sqrt((dx**2).sum(1) * (dy**2).sum(1))
        r = np.where((n > 2) & (size > 0), (dx * dy).sum(1) / size, np.nan)
    return r, n.astype(np.int64)
