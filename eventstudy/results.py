"""Results of a study: arrays inside, plain frames when asked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from eventstudy import _render
from eventstudy._confounded import Confounders, confounded_table, downweighted, split_by_confounding, unconfounded
from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.abnormal import (
    Cumulated,
    buy_and_hold,
    check_confidence,
    confidence_bounds,
    cumulated,
    t_p_value,
    weighted_mean,
)
from eventstudy.confounders import REACHES
from eventstudy.errors import InputError
from eventstudy.export import excel, manifest, tables, write
from eventstudy.hygiene import excluded_returns
from eventstudy.impact import market_value
from eventstudy.inference import (
    Battery,
    EstimationSummary,
    Recommendation,
    SharedDates,
    TestResult,
    benjamini_hochberg,
    calendar_portfolio,
    holm,
    recommendation,
    tests_frame,
)
from eventstudy.inference.bootstrap import BlockBootstrap, block_bootstrap
from eventstudy.inference.cross_section import Covariance, CrossSection, cross_section
from eventstudy.inference.placebo import Placebo
from eventstudy.inference.resampled import placebo_of, resampled_tests, step_down_of
from eventstudy.models.base import ModelFit
from eventstudy.overlap import contaminated
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from eventstudy.compare import Comparison
    from eventstudy.event_calendar import EventCalendar
    from eventstudy.events import ResolvedEvents
    from eventstudy.impact import MarketImpact
    from eventstudy.plots import Plotter
    from eventstudy.risk import Risk
    from eventstudy.shares import SharesOutstanding
    from eventstudy.spillover import Spillover
    from eventstudy.study import EventStudy

__all__ = ["DROPPED_COLUMNS", "EventStudyResults"]

_RESAMPLE_UP_TO = 2_000  # events; more are resampled when asked for
_SHOWN_OTHERS = 15  # other dated events that a summary lists

DROPPED_COLUMNS = ["event_id", "ticker", "session", "reason"]


@dataclass(frozen=True, eq=False, repr=False)
class EventStudyResults:
    """What a study found; made by :meth:`eventstudy.EventStudy.fit`.

    All returns are decimals (0.01 is 1 %). Windows are pairs ``(a, b)`` of relative sessions, both inclusive; a day
    is ``(tau, tau)``. Methods that take a window accept two numbers, a pair, a :class:`~eventstudy.Window` or text:
    ``car(-1, 1)``, ``car((-1, 1))``, ``car("-1:1")``.

    Parameters
    ----------
    study : EventStudy
        The question: returns, events, model, windows, options.
    fit : ModelFit
        Fits of the ``n`` security-events that count.
    kept : ndarray of int64, shape (n,)
        Their rows in ``study.events``.
    resolved : ResolvedEvents
        Event sessions of all events, and the rule that gave each.
    dropped : DataFrame
        Security-events left out: ``event_id``, ``ticker``, ``session`` and the ``reason`` in words.
    confounders : Confounders, optional
        Other dated events that tables, figures and the summary mark; see :meth:`with_confounders`.
    """

    study: EventStudy
    fit: ModelFit
    kept: IntArray
    resolved: ResolvedEvents
    dropped: pd.DataFrame
    confounders: Confounders | None = None

    # -- what was studied ----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.kept)

    def __repr__(self) -> str:
        return (
            f"EventStudyResults({len(self)} security-events, {self.study.model!r}, estimation "
            f"{self.fit.index.words}, event {self.fit.index.event}, {len(self.dropped)} dropped)"
        )

    @functools.cached_property
    def shared_dates(self) -> SharedDates:
        """How event dates are shared; ``shared_dates.clustered`` says whether it matters."""
        return self._battery.shared_dates()

    @functools.cached_property
    def _battery(self) -> Battery:
        """Tests across the events, put in order first: no sum depends on the order in which they were given."""
        fit, weights, index = self.fit, self._weights, self.fit.index
        order = np.argsort(index.position * self.study.returns.n_securities + index.security)  # no two are equal
        if (np.diff(order) != 1).any():
            fit, weights = fit.take(order), None if weights is None else weights[order]
        return Battery(fit, weights, self.study.missing == "skip")

    @property
    def _weights(self) -> FloatArray | None:
        weight = self.study.events.weight
        return None if weight is None else weight[self.kept]

    @functools.cached_property
    def _identity(self) -> pd.DataFrame:
        """``event_id``, ``ticker`` and, where given, ``group`` of each event that counts."""
        events = self.study.events
        columns: dict[str, Any] = {"event_id": events.event_id[self.kept], "ticker": events.ticker[self.kept]}
        if events.group is not None:
            columns["group"] = events.group[self.kept]
        return pd.DataFrame(columns)

    @property
    def events(self) -> pd.DataFrame:
        """The events that count: as announced, the event session and the rule that gave it.

        Columns of :meth:`Events.to_frame` and ``session`` (event session), ``rule`` (such as "before the open") and
        ``shift_days`` (calendar days from the stated date to the session). Columns of the user with these names get an
        underscore behind.
        """
        frame = self.study.events.subset(self.kept).to_frame()
        frame = frame.rename(columns={name: f"{name}_" for name in ("session", "rule", "shift_days")})
        return frame.assign(
            session=self._event_sessions,
            rule=self.resolved.rule[self.kept],
            shift_days=self.resolved.shift[self.kept],
        )

    @property
    def _event_sessions(self) -> pd.DatetimeIndex:
        """Event session of each event that counts; for intraday returns the end of its bar."""
        if self.study.returns.frequency == "intraday":
            return self.study.returns.sessions[self.fit.index.position]
        return pd.DatetimeIndex(self.resolved.session[self.kept])

    @property
    def groups(self) -> list[str]:
        """Names of the groups in order of appearance; empty where the events have none."""
        if self.study.events.group is None:
            return []
        return [name for name in dict.fromkeys(self.study.events.group[self.kept]) if not pd.isna(name)]

    def select(
        self,
        *,
        group: str | None = None,
        ticker: str | Iterable[str] | None = None,
        mask: BoolArray | Sequence[bool] | None = None,
    ) -> EventStudyResults:
        """Results for some of the events only: same fits, tests across the selection.

        Parameters
        ----------
        group : str, optional
            A group of the events table.
        ticker : str or iterable of str, optional
            Securities.
        mask : array of bool, shape (n_events,), optional
            One entry per event that counts.

        Raises
        ------
        InputError
            If nothing is left; the groups or securities that exist are listed.
        """
        keep = np.ones(len(self), dtype=bool)
        if group is not None:
            if group not in self.groups:
                raise InputError(f"No event has the group {group!r}; there are {self.groups}.", remedy="Choose one.")
            keep &= self._identity["group"].to_numpy() == group
        if ticker is not None:
            wanted = [ticker] if isinstance(ticker, str) else list(ticker)
            here = set(self._identity["ticker"])
            absent = [name for name in wanted if name not in here]
            if absent:
                raise InputError(
                    f"No event that counts has the ticker {absent[0]!r}; there are {sorted(here)[:20]}.",
                    remedy="See results.dropped for those left out.",
                    ticker=absent[0],
                )
            keep &= self._identity["ticker"].isin(wanted).to_numpy()
        if mask is not None:
            chosen = np.asarray(mask)
            if chosen.shape != keep.shape or chosen.dtype != bool:
                raise InputError(
                    f"mask has shape {chosen.shape} and type {chosen.dtype}; one bool for each of {len(self)} events "
                    "was expected.",
                    remedy="Build it from results.events.",
                )
            keep &= chosen
        if not keep.any():
            raise InputError("No event is left by this selection.", remedy="Widen it.")
        at = np.flatnonzero(keep)
        return replace(self, fit=self.fit.take(at), kept=self.kept[at])

    # -- other events --------------------------------------------------------------------------------------------

    def with_confounders(
        self, calendar: EventCalendar, *, reach: str | Iterable[str] | None = None
    ) -> EventStudyResults:
        """The same results, whose tables, figures, summary, files and report mark other dated events.

        :meth:`car` has a column ``confounders``, :meth:`summary` and :meth:`report` a table of what lies in the
        windows, :meth:`to_csv` and its like a file ``confounders``, the chart of securities a dagger behind the name
        of a confounded one. Figures over the sessions of one event date mark the others, if these are six sessions or
        fewer; ``mark=calendar.marks(results)`` marks any number.

        Parameters
        ----------
        calendar : EventCalendar
            The other events.
        reach : str or iterable of str, optional
            How near a row must be: "security", "group", "sector", "market"; all by default.

        Raises
        ------
        InputError
            If the calendar is none, or a word of ``reach`` is not known.
        """
        return replace(self, confounders=Confounders.of(calendar, reach))

    def confounded_by(
        self,
        calendar: EventCalendar,
        start: WindowLike | int,
        end: int | None = None,
        *,
        reach: str | Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Other dated events inside one window of each event that counts.

        Parameters
        ----------
        calendar : EventCalendar
            The other events.
        start, end : int
            First and last session of the window.
        reach : str or iterable of str, optional
            How near a row must be: "security", "group", "sector", "market"; all by default.

        Returns
        -------
        DataFrame
            As :meth:`eventstudy.Events.confounded_by`, rows inside the window only.
        """
        return confounded_table(self, calendar, [self._window(start, end)], reach)

    def unconfounded(
        self,
        calendar: EventCalendar,
        start: WindowLike | int,
        end: int | None = None,
        *,
        reach: str | Iterable[str] | None = None,
    ) -> EventStudyResults:
        """Results for the events without another dated event in a window; as :meth:`select`.

        Parameters are those of :meth:`confounded_by`.

        Raises
        ------
        InputError
            If no event is left.
        """
        return unconfounded(self, calendar, self._window(start, end), reach)

    def split_by_confounding(
        self,
        calendar: EventCalendar,
        start: WindowLike | int,
        end: int | None = None,
        *,
        reach: str | Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """CAAR over a window of the events without and with another dated event in it, and of all.

        Parameters are those of :meth:`confounded_by`.

        Returns
        -------
        DataFrame
            Indexed "clean", "confounded", "all": the columns of :meth:`caar` and ``<test>_p`` for each test; NaN where
            there is no such event. The two parts were not drawn at random: their difference is a description.
        """
        return split_by_confounding(self, calendar, self._window(start, end), reach)

    def downweighted(
        self,
        calendar: EventCalendar,
        start: WindowLike | int,
        end: int | None = None,
        *,
        factor: float = 0.5,
        reach: str | Iterable[str] | None = None,
    ) -> EventStudyResults:
        """Results in which events with another dated event in a window weigh less: same fits, other weights.

        Weights enter the CAAR, its standard error and the portfolio tests; tests on ranks, signs and standardised
        abnormal returns count events equally.

        Parameters
        ----------
        factor : float
            What the weight of such an event is multiplied by: above 0, at most 1.
        calendar, start, end, reach
            As in :meth:`confounded_by`.

        Raises
        ------
        InputError
            If the factor is out of range.
        """
        return downweighted(self, calendar, self._window(start, end), factor, reach)

    def market_value(
        self,
        shares: SharesOutstanding,
        start: WindowLike | int,
        end: int | None = None,
        *,
        prices: pd.DataFrame | None = None,
        confidence: float | None = None,
        max_age: int = 120,
    ) -> MarketImpact:
        """What the abnormal returns of a window were worth in money, with intervals that hold cross-correlation.

        Parameters
        ----------
        shares : SharesOutstanding
            Dated share counts, with a traded close where ``prices`` are not given.
        start, end : int
            First and last session of the window.
        prices : DataFrame or Prices, optional
            Traded closes, sessions by tickers; of :class:`~eventstudy.Prices` the field ``close`` is read.
        confidence : float, optional
            Level of the intervals; that of the study by default.
        max_age : int
            Days between a share count and the close that it is multiplied with, beyond which it is marked stale.

        Returns
        -------
        MarketImpact
            ``securities``, ``groups``, ``total``, ``notes``, ``summary()``.

        Raises
        ------
        InputError
            If a security has no share count or no close, or the returns are logarithmic.
        """
        return market_value(self, shares, self._window(start, end), prices, self._level(confidence), max_age)

    # -- each security-event -------------------------------------------------------------------------------------

    @property
    def abnormal_returns(self) -> pd.DataFrame:
        """Abnormal returns (decimal), one row per security-event, one column per ``tau``; NaN where missing."""
        return self._by_tau(self.fit.ar)

    @property
    def sar(self) -> pd.DataFrame:
        """Standardised abnormal returns: each AR over its forecast standard deviation; as ``abnormal_returns``."""
        columns = [self._cumulated(Window(tau, tau)).scar for tau in self.fit.index.event.tau.tolist()]
        return self._by_tau(np.column_stack(columns))

    def _by_tau(self, values: FloatArray) -> pd.DataFrame:
        index = pd.MultiIndex.from_frame(self._identity[["event_id", "ticker"]])
        return pd.DataFrame(values, index=index, columns=pd.Index(self.fit.index.event.tau, name="tau"))

    @property
    def parameters(self) -> pd.DataFrame:
        """Fitted parameters, one row per security-event.

        Columns: ``event_id``, ``ticker``, the parameters (``alpha``, ``beta``, …), ``sigma`` (residual standard
        deviation per session), ``r2``, ``n_obs`` (usable rows), ``df`` (``n_obs − K``), ``estimation_start`` and
        ``estimation_end`` (first and last session; those of the data where these are shorter). A study that keeps
        sessions out of its estimation windows has ``n_excluded`` too: returns left out.
        """
        fit, sessions = self.fit, self.study.returns.sessions
        frame = self._identity[["event_id", "ticker"]].copy()
        for column, name in enumerate(fit.coef_names):
            frame[name] = fit.coef[:, column]
        window, last = fit.index.estimation, len(sessions) - 1
        frame = frame.assign(
            sigma=np.sqrt(fit.sigma2),
            r2=fit.r2,
            n_obs=fit.n_obs,
            df=fit.n_obs - fit.n_params,
            estimation_start=sessions[np.clip(fit.index.position + window.start, 0, last)],
            estimation_end=sessions[np.clip(fit.index.position + window.end, 0, last)],
        )
        if fit.index.usable is not None or fit.index.trimmed is not None:
            frame["n_excluded"] = excluded_returns(self.study.returns.values, fit.index)
        return frame

    def coefficients(self, confidence: float | None = None) -> pd.DataFrame:
        """Fitted parameters with standard errors, one row per security-event and parameter.

        Parameters
        ----------
        confidence : float, optional
            Level of the intervals; that of the study by default.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``parameter`` (``alpha``, ``beta``, …), ``estimate``, ``std_error``, ``t``,
            ``p_value`` (of a parameter of zero, two-sided, Student t with ``df``), ``ci_lower``, ``ci_upper``, ``df``.
            Standard errors are those that the forecast error of the model is made of. They are NaN for the
            parameters of a GARCH variance, for synthetic controls, and for what is no parameter.

        Examples
        --------
        >>> import eventstudy as es
        >>> prices = es.load_prices(["MSFT", "SPY", "SMH"], source="sample")
        >>> study = es.EventStudy(es.ReturnPanel.from_prices(prices), es.Events.at("2025-01-27", "MSFT"),
        ...                       es.FactorModel(["SPY", "SMH"]))
        >>> study.fit().coefficients()[["parameter", "estimate", "std_error"]].round(4).to_numpy().tolist()
        [['alpha', -0.0005, 0.0005], ['beta_SPY', 1.2277, 0.11], ['beta_SMH', -0.0185, 0.0392]]
        """
        from eventstudy.coefficients import coefficients

        return coefficients(self, self._level(confidence))

    def _window(self, start: WindowLike | int, end: int | None) -> Window:
        if end is not None:
            window = Window(cast(int, start), end)
        elif isinstance(start, int | np.integer) and not isinstance(start, bool):
            window = Window(int(start), int(start))
        else:
            window = Window.of(cast(WindowLike, start))
        self.fit.index.event.columns(window)  # refuses one outside the event window
        return window

    def _cumulated(self, window: Window) -> Cumulated:
        return cumulated(self.fit, window, skip_missing=self.study.missing == "skip")

    def car(
        self,
        start: WindowLike | int,
        end: int | None = None,
        *,
        confidence: float | None = None,
        adjusted: bool = False,
        placebo: bool = False,
        confounders: EventCalendar | None = None,
    ) -> pd.DataFrame:
        """Cumulative abnormal return of each security-event, with its t-test.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        confidence : float, optional
            Level of the interval; that of the study by default.
        adjusted : bool
            Whether to add ``p_holm`` and ``p_bh``: the p-values adjusted for the number of events looked at, by Holm
            (any false rejection) and by Benjamini and Hochberg (share of false ones).
        placebo : bool
            Whether to add ``p_placebo``, which asks for no normality: the rank of the CAR, in units of its standard
            error, among all windows of the same length in the event's own estimation window, ``(1 + #)/(1 + n)``; and
            ``p_romano_wolf``, adjusted for the number of events by step-down from their joint placebo distribution.
        confounders : EventCalendar, optional
            Adds the column ``confounders``: what else lies in the window, with its relative session. By default as
            :meth:`with_confounders` says.

        Returns
        -------
        DataFrame
            One row per security-event: ``event_id``, ``ticker``, ``group`` (where given), ``car`` (decimal),
            ``std_error`` (exact forecast standard error), ``t`` (which is the SCAR), ``p_value`` (two-sided, Student t
            with ``df`` = ``M − K``), ``ci_lower``, ``ci_upper``, ``df``, ``n_missing`` (sessions without a return), and
            the further p-values asked for.

        Raises
        ------
        WindowError
            If the window is not inside the event window.
        """
        window = self._window(start, end)
        c = self._cumulated(window)
        lower, upper = confidence_bounds(c.car, c.std_error, c.dof, self._level(confidence))
        frame = self._identity.assign(
            car=c.car,
            std_error=c.std_error,
            t=c.scar,
            p_value=t_p_value(c.scar, c.dof),
            ci_lower=lower,
            ci_upper=upper,
            df=c.dof,
            n_missing=len(window) - c.n_used,
        )
        if adjusted:
            p_value = frame["p_value"].to_numpy()
            frame = frame.assign(p_holm=holm(p_value), p_bh=benjamini_hochberg(p_value))
        if placebo:
            found = step_down_of(self.fit, c)
            frame = frame.assign(p_placebo=found.p_value, p_romano_wolf=found.p_adjusted)
        others = self.confounders if confounders is None else Confounders.of(confounders, None)
        if others is not None:
            frame = frame.assign(confounders=others.texts(self, window))
        return frame

    def bhar(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """Buy-and-hold abnormal return of each security-event: ``Π(1+R) − Π(1+E[R])``.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``bhar``, ``buy_and_hold`` (the security's compounded
            return), ``expected`` (the model's), all decimal, and ``n_missing``. A test is not given: buy-and-hold
            returns are skewed, and a t-test of one of them would mislead.
        """
        window = self._window(start, end)
        returns = self.study.returns
        found = buy_and_hold(self.fit, returns.values, window, returns.kind, skip_missing=self.study.missing == "skip")
        return self._identity.assign(
            bhar=found.bhar,
            buy_and_hold=found.buy_and_hold,
            expected=found.expected,
            n_missing=len(window) - found.n_used,
        )

    def _level(self, confidence: float | None) -> float:
        return check_confidence(self.study.confidence if confidence is None else confidence)

    # -- across security-events ----------------------------------------------------------------------------------

    @property
    def estimation_summary(self) -> EstimationSummary:
        """Portfolio residuals of the estimation window and the mean residual correlation ``r̄``."""
        return self._battery.summary

    @property
    def effective_n(self) -> float:
        """Number of independent events that would say as much about the mean: ``N / (1 + (N − 1) r̄)``.

        With events of equal variance and mean residual correlation ``r̄``, the mean of ``N`` has the variance of the
        mean of so many independent ones; it is ``N`` where ``r̄ = 0`` and nears ``1 / r̄`` for many events. Above ``N``
        where ``r̄`` is negative; NaN where ``r̄`` leaves the mean no variance.

        References
        ----------
        Kish, L. (1965). *Survey Sampling*, section 5.4 (design effect of clusters).
        """
        n = len(self)
        inflation = 1.0 + (n - 1) * self.estimation_summary.mean_correlation
        return n / inflation if inflation > 0.0 else float("nan")

    def _results(self, window: Window) -> list[TestResult]:
        return self._battery.results([window])[0]

    def tests(
        self,
        start: WindowLike | int,
        end: int | None = None,
        *,
        resampling: bool | None = None,
        draws: int = 999,
        seed: int | np.random.Generator | None = 0,
    ) -> pd.DataFrame:
        """Every test of the mean CAR over one window.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        resampling : bool, optional
            Whether to add ``placebo_p``, ``wild_bootstrap_p`` and ``bhar_skew_boot``; by default up to 2,000 events.
        draws : int
            Bootstrap draws; the placebo distribution needs none.
        seed : int, Generator or None
            Stream of the bootstraps. The default gives the same numbers each time.

        Returns
        -------
        DataFrame
            Indexed by test name: ``statistic``, ``p_value`` (two-sided), ``df`` (infinite: normal law; NaN: a law of
            its own), ``n``, ``null``, ``valid_under_clustering`` (keeps its size when events share dates; these rows
            come first if they do) and ``reason`` (why there is no statistic; empty where there is one).
        """
        window = self._window(start, end)
        results = list(self._results(window))
        if resampling or (resampling is None and len(self) <= _RESAMPLE_UP_TO):
            battery, returns = self._battery, self.study.returns
            held = buy_and_hold(battery.fit, returns.values, window, returns.kind, skip_missing=battery.skip_missing)
            c = battery.cumulated(window)
            results += resampled_tests(battery.fit, c, battery.weights, held.bhar, draws, seed)
            if battery.shared_dates(window).clustered:
                results.sort(key=lambda result: not result.valid_under_clustering)
        return tests_frame(results)

    def placebo(self, start: WindowLike | int, end: int | None = None, **options: Any) -> Placebo:
        """Placebo test of the mean CAR: its rank among all windows of the same length before the event.

        All events are moved together, so that their cross-correlation is kept. ``statistic="mean_car"`` has the most
        power against one effect for all and gives an interval on the scale of the CAAR; the default, the BMP form,
        also holds when the event raises the variance.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        **options
            ``statistic``, ``moves``, ``confidence``, ``progress`` of
            :func:`eventstudy.inference.placebo.placebo`.

        Returns
        -------
        Placebo
            ``statistic``, ``p_value``, the placebo ``distribution``, ``ci_lower``, ``ci_upper``.
        """
        battery = self._battery
        options.setdefault("confidence", self.study.confidence)
        found = battery.cumulated(self._window(start, end))
        return placebo_of(battery.fit, found, weights=battery.weights, **options)

    def block_bootstrap(self, start: WindowLike | int, end: int | None = None, **options: Any) -> BlockBootstrap:
        """Block bootstrap of the mean CAR over sessions of the estimation window, all events kept together.

        For one shared date, where a bootstrap over dates is not defined.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        **options
            ``blocks``, ``block``, ``draws``, ``confidence``, ``seed``, ``progress`` of
            :func:`eventstudy.inference.bootstrap.block_bootstrap`.

        Returns
        -------
        BlockBootstrap
            ``statistic``, ``p_value``, ``std_error``, ``ci_lower``, ``ci_upper``.
        """
        window = self._window(start, end)
        battery = self._battery
        c, inflation = battery.cumulated(window), battery.inflation(window, len(window))
        options.setdefault("confidence", self.study.confidence)
        portfolio = battery.portfolio(~np.isnan(c.car))
        mean, _ = weighted_mean(c.car, battery.weights)
        return block_bootstrap(portfolio, mean, len(window), inflation=inflation, **options)

    def cross_section(
        self,
        characteristics: pd.DataFrame | pd.Series[float],
        start: WindowLike | int,
        end: int | None = None,
        *,
        cov: Covariance = "HC3",
        weights: FloatArray | Sequence[float] | None = None,
    ) -> CrossSection:
        """Regression of the CARs of one window on characteristics of the events.

        Parameters
        ----------
        characteristics : DataFrame or Series
            Numbers, with ``event_id`` or ``ticker`` as a column or as the named index.
        start, end : int
            First and last session of the window.
        cov : {"HC3", "nonrobust", "cluster", "kp"}
            Covariance of the disturbances: robust to unequal variances, classical, clustered by event date, or with
            the mean residual correlation ``r̄`` for all pairs.
        weights : array of float, shape (n,), optional
            Weighted least squares, such as ``1 / std_error**2``.

        Returns
        -------
        CrossSection
            ``to_frame()``, ``summary()``.

        Raises
        ------
        InputError
            On characteristics that lack an event or hold text; see :func:`eventstudy.inference.cross_section`.
        """
        return cross_section(
            self.car(start, end),
            characteristics,
            weights=weights,
            cov=cov,
            groups=self.fit.index.position if cov == "cluster" else None,
            mean_correlation=self.estimation_summary.mean_correlation if cov == "kp" else None,
            confidence=self.study.confidence,
        )

    def recommended(self, start: WindowLike | int, end: int | None = None) -> Recommendation:
        """The one test to read over a window, and why: number of events, shared dates, variance, skewness.

        Returns
        -------
        Recommendation
            ``name``, ``reason`` (a sentence) and ``result`` (statistic, p-value, …).
        """
        window = self._window(start, end)
        battery = self._battery
        return recommendation(self._results(window), battery.cumulated(window).scar, battery.shared_dates(window))

    def calendar_portfolio(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """Mean abnormal return of the events inside the window on each session of the calendar.

        Returns
        -------
        DataFrame
            Indexed by ``session``, those with an event: ``ar`` (decimal, equally weighted) and ``n`` (events).
        """
        window, fit = self._window(start, end), self._battery.fit
        index, there = fit.index, ~np.isnan(self._battery.cumulated(window).car)
        mean, n, first = calendar_portfolio(fit.ar, index.position, index.event, window, there)
        sessions = self.study.returns.sessions[first : first + len(mean)].rename("session")
        frame = pd.DataFrame({"ar": mean, "n": n}, index=sessions)
        return frame[frame["n"] > 0]

    def aar(self) -> pd.DataFrame:
        """Average abnormal return of each session.

        Returns
        -------
        DataFrame
            Indexed by ``tau``: ``aar`` (decimal), ``n``, and for every test its statistic under the test's name and
            its two-sided p-value under ``<name>_p``.
        """
        rows = []
        days = [Window(tau, tau) for tau in self.fit.index.event.tau.tolist()]
        for day, results in zip(days, self._battery.results(days), strict=True):
            mean, n = weighted_mean(self._battery.cumulated(day).car, self._battery.weights)
            row: dict[str, float] = {"aar": mean, "n": n}
            for result in results:
                row[result.name] = result.statistic
                row[f"{result.name}_p"] = result.p_value
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(self.fit.index.event.tau, name="tau"))

    def caar(self, start: WindowLike | int, end: int | None = None, *, confidence: float | None = None) -> pd.DataFrame:
        """Cumulative average abnormal return over one window.

        Returns
        -------
        DataFrame
            One row: ``start``, ``end``, ``caar`` (decimal; weighted where events have weights), ``n``, ``std_error``,
            ``p_value`` (Student t with ``df``), ``ci_lower``, ``ci_upper``, ``df``, ``std_error_from``: "portfolio"
            where events share dates or there is one event (the portfolio's forecast error, exact on one shared date,
            which holds cross-correlation), "calendar" where windows of different dates overlap (abnormal returns
            clustered by session of the calendar), "cross-section" otherwise (which holds a variance raised by the
            event).
        """
        return pd.DataFrame([self._caar(self._window(start, end), self._level(confidence))])

    def _caar(self, window: Window, confidence: float) -> dict[str, Any]:
        battery = self._battery
        mean, n = weighted_mean(battery.cumulated(window).car, battery.weights)
        error, df, source = battery.standard_error(window)
        lower, upper = confidence_bounds(np.array([mean]), np.array([error]), np.array([max(df, 1.0)]), confidence)
        return {
            "start": window.start,
            "end": window.end,
            "caar": mean,
            "n": n,
            "std_error": error,
            "p_value": float(t_p_value(np.array([mean / error if error > 0 else np.nan]), np.array([max(df, 1.0)]))[0]),
            "ci_lower": float(lower[0]),
            "ci_upper": float(upper[0]),
            "df": df,
            "std_error_from": source,
        }

    def caar_path(self, start: int | None = None, *, confidence: float | None = None) -> pd.DataFrame:
        """CAAR from ``start`` (the first session of the event window by default) to each later session.

        Returns
        -------
        DataFrame
            Indexed by ``tau``: ``caar``, ``n``, ``std_error``, ``ci_lower``, ``ci_upper`` and the rest of :meth:`caar`.
            The first row is the AAR of ``start``.
        """
        event = self.fit.index.event
        first = event.start if start is None else self._window(start, None).start
        level = self._level(confidence)
        rows = [self._caar(Window(first, tau), level) for tau in range(first, event.end + 1)]
        return pd.DataFrame(rows, index=pd.Index(range(first, event.end + 1), name="tau"))

    def group_caar(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """CAAR of each group, with every test's p-value, and of all events together.

        Returns
        -------
        DataFrame
            Indexed by ``group``, "All" last: the columns of :meth:`caar` and ``<test>_p`` for each test.

        Raises
        ------
        InputError
            If the events have no groups.
        """
        if not self.groups:
            raise InputError("The events have no groups.", remedy="Give group= to Events.at, or a group column.")
        window = self._window(start, end)
        rows = []
        for name in [*self.groups, None]:
            part = self if name is None else self.select(group=name)
            row = part._caar(window, self.study.confidence)
            row |= {f"{result.name}_p": result.p_value for result in part._results(window)}
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index([*self.groups, "All"], name="group"))

    def diagnostics(self, *, lags: int = 5, threshold: float = 5.0) -> pd.DataFrame:
        """Whether the model of normal returns fits: residuals of every estimation window, from several sides.

        Parameters
        ----------
        lags : int
            Lags of the tests for autocorrelation and ARCH.
        threshold : float
            Robust standard deviations from the median beyond which a residual counts as an outlier.

        Returns
        -------
        DataFrame
            One row per security-event: ``event_id``, ``ticker``, ``r2``, ``durbin_watson``; statistic and p-value of
            Ljung and Box's test for autocorrelation (``ljung_box``), Engle's for ARCH (``arch_lm``), Jarque and Bera's
            of normality (``jarque_bera``) and Chow's for coefficients that differ between the halves of the window
            (``chow``); ``outliers`` and the session of the largest, ``largest_outlier``.

        Notes
        -----
        With many events, one in twenty is below 0.05 by chance in each column of p-values. Residuals of a model with a
        changing variance are taken in units of it. Chow's test is one of the model's own regression; for donors, peers
        and other models without named benchmarks, of the regression of returns on what the model expected.

        Raises
        ------
        InputError
            If ``lags`` or ``threshold`` is not positive.
        """
        from eventstudy.diagnostics import diagnostics

        return diagnostics(self, lags=lags, threshold=threshold)

    # -- what people read ----------------------------------------------------------------------------------------

    @property
    def plot(self) -> Plotter:
        """Figures: ``plot.caar()``, ``plot.car(a, b)``, ``plot.heatmap()``; each takes ``ax=`` and returns the Axes."""
        from eventstudy.plots import Plotter

        return Plotter(self)

    @property
    def risk(self) -> Risk:
        """Risk before and after: ``risk.volatility()``, ``risk.garch(a, b)``, ``risk.correlation()`` and others.

        Returns
        -------
        eventstudy.risk.Risk
        """
        from eventstudy.risk import Risk

        return Risk(self)

    @property
    def spillover(self) -> Spillover:
        """How the event spread: ``spillover.groups(a, b)``, ``spillover.long_short("A", "B", a, b)`` and others.

        Returns
        -------
        eventstudy.spillover.Spillover
        """
        from eventstudy.spillover import Spillover

        return Spillover(self)

    def influence(self, start: WindowLike | int, end: int | None = None, **options: Any) -> pd.DataFrame:
        """CAAR and every test's p-value without each security-event, the most influential first.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        **options
            ``by`` ("event", or "ticker": all events of a security at once), ``resampling`` (whether the resampling
            tests are run for each; by default up to 300 events), ``draws`` and ``seed`` of :meth:`tests`.

        Returns
        -------
        DataFrame
            ``event_id`` (by event), ``ticker``, ``caar_without``, ``delta`` (``caar_without`` less the CAAR of all),
            ``n_without`` (events left with a CAR) and ``p_<test>`` for every test of :meth:`tests`, in its order;
            largest ``delta`` first.

        Raises
        ------
        InputError
            If there is but one security, or ``by`` is no option.
        """
        from eventstudy.influence import influence

        return influence(self, self._window(start, end), **options)

    def caveats(self) -> list[str]:
        """Plain sentences that belong beside every number of this study."""
        notes = []
        shared = self.shared_dates
        windows = self._default_windows()
        wide = self._battery.shared_dates(windows[-1])
        if shared.clustered or wide.clustered:
            window = windows[0] if shared.clustered else windows[-1]
            dates = f"{shared.n_dates} event date{'s' if shared.n_dates > 1 else ''}"
            what = f"security-events share {dates}"
            if not shared.clustered:
                what = f"security-events on {dates} have windows that overlap on the calendar"
            notes.append(
                f"{shared.n_events} {what} (mean residual correlation "
                f"{_render.number(self.estimation_summary.mean_correlation, 3)}): abnormal returns are "
                f"cross-correlated. Read {self.recommended(window).name} or the rows marked valid; the others assume "
                "independence and over-reject."
            )
        thin = int((self.fit.n_ar < self.fit.ar.shape[1]).sum())
        if thin:
            notes.append(f"{thin} security-events lack returns on some sessions of the event window.")
        if len(self.dropped):
            left = "1 security-event was" if len(self.dropped) == 1 else f"{len(self.dropped)} security-events were"
            notes.append(f"{left} left out; see the table of dropped events.")
        if self.study.outliers is not None:
            notes.append(
                f"Estimation returns further than {self.study.outliers:g} robust standard deviations from the median "
                "residual were cut out: p-values are right for normal returns and too small where tails are fat."
            )
        others = None if self.confounders is None else self.confounders.caveat(self, windows)
        return notes + ([others] if others else []) + self._neighbours()

    def _neighbours(self) -> list[str]:
        """Caveats about other events of the same security inside an event's windows."""
        index, notes = self.fit.index, []
        for name, mask in contaminated(self.study.events, self.resolved, self.kept, index).items():
            if mask.any():
                first = self._identity.loc[int(np.flatnonzero(mask)[0])]
                window = index.words if name == "estimation" else index.event
                effect = (
                    "what counts as normal holds their effect" if name == "estimation" else "abnormal returns hold both"
                )
                notes.append(
                    f"{int(mask.sum())} security-events have another event of the same security in their {name} window "
                    f"{window} (first: {first['ticker']}, event {first['event_id']}): {effect}. See events.overlaps()."
                )
        return notes

    def summary(self, *windows: WindowLike) -> _render.Summary:
        """What was studied and found, as text, HTML or LaTeX.

        Parameters
        ----------
        *windows : Window, pair or str
            Windows to show; by default [0, 0], [−1, +1] and the whole event window, as far as they fit.

        Returns
        -------
        Summary
            ``print`` it; notebooks show it as a table.
        """
        if len(windows) == 2 and all(isinstance(end, int | np.integer) for end in windows):
            windows = (Window(*cast(tuple[int, int], windows)),)  # as everywhere else, two numbers are one window
        chosen = [self._window(window, None) for window in windows] if windows else self._default_windows()
        study, index = self.study, self.fit.index
        panel, columns = study.returns, np.unique(index.position).tolist()
        span = panel.label(columns[0]) + ("" if len(columns) == 1 else f" to {panel.label(columns[-1])}")
        facts = [
            ("Model", repr(study.model)),
            ("Windows", f"estimation {index.words}, event {index.event} ({panel.unit}s)"),
            ("Security-events", f"{len(self)} used, {len(self.dropped)} dropped"),
            (f"Event {panel.unit}s", f"{len(columns)}: {span}"),
        ]
        caar = pd.DataFrame([self._caar(window, study.confidence) for window in chosen])
        caar.insert(0, "window", [str(window) for window in chosen])
        caar = caar.drop(columns=["start", "end", "df"]).set_index("window")
        percent_columns: dict[str, Callable[[object], str]] = dict.fromkeys(
            ("caar", "ci_lower", "ci_upper"), _render.percent
        )
        percent_columns |= {"std_error": _render.size, "p_value": _render.p_value}
        level = f"{study.confidence:.0%}".replace("%", " %")
        sections = [_render.Section(f"Cumulative average abnormal return ({level} interval)", caar, percent_columns)]
        for window in chosen:
            tests = self.tests(window)
            table = tests[["statistic", "p_value", "df", "n", "valid_under_clustering"]]
            notes = [f"Recommended: {self.recommended(window)}"]
            notes += [f"No {name}: {reason}." for name, reason in tests["reason"].items() if reason]
            formats: dict[str, Callable[[object], str]] = {
                "p_value": _render.p_value,
                "df": functools.partial(_render.number, digits=0),
            }
            sections.append(_render.Section(f"Tests of the mean over {window}", table, formats, notes))
        if self.confounders is not None:
            sections.append(self._other_events(chosen))
        return _render.Summary("Event study", facts, sections, self.caveats())

    def _other_events(self, windows: Sequence[Window]) -> _render.Section:
        """The other dated events inside the windows, nearest first where there are many."""
        assert self.confounders is not None
        frame = self.confounders.overview(self, windows)
        notes = ["None in these windows."] if frame.empty else []
        if len(frame) > _SHOWN_OTHERS:
            rank = frame["reach"].map({name: at for at, name in enumerate(REACHES)}).to_numpy()
            keep = np.sort(np.lexsort((-frame["n"].to_numpy(), rank))[:_SHOWN_OTHERS])
            notes.append(f"… and {len(frame) - len(keep)} more; results.confounded_by(calendar, a, b) has all.")
            frame = frame.iloc[keep]
        formats: dict[str, Callable[[object], str]] = {"n": functools.partial(_render.number, digits=0)}
        return _render.Section("Other dated events in these windows", None if frame.empty else frame, formats, notes)

    def _default_windows(self) -> list[Window]:
        event = self.fit.index.event
        wanted = [Window(0, 0), Window(-1, 1), event]
        return list(dict.fromkeys(window for window in wanted if window in event))

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # -- files ---------------------------------------------------------------------------------------------------

    def frames(self, windows: Sequence[WindowLike] | None = None) -> dict[str, pd.DataFrame]:
        """All tables of the study by name, as :meth:`to_csv` writes them.

        Parameters
        ----------
        windows : sequence of windows, optional
            Windows for ``car``, ``bhar``, ``caar`` and ``tests``; those of :meth:`summary` by default.
        """
        return tables(self, self._chosen(windows))

    def _chosen(self, windows: Sequence[WindowLike] | None) -> list[Window]:
        if windows is None:
            return self._default_windows()
        chosen = [self._window(window, None) for window in windows]
        if not chosen:
            raise InputError("windows is empty.", remedy="Name at least one, such as [(0, 0)].")
        return chosen

    def to_csv(self, directory: str | Path, *, windows: Sequence[WindowLike] | None = None) -> Path:
        """Write every table as CSV and the manifest as JSON into one directory, made if need be.

        Raises
        ------
        DataSourceError
            If the directory cannot be written.
        """
        return write(self, directory, self._chosen(windows), "csv")

    def to_parquet(self, directory: str | Path, *, windows: Sequence[WindowLike] | None = None) -> Path:
        """Write every table as Parquet and the manifest as JSON into one directory, made if need be.

        Tables with a row for each event are written in pieces; columns of objects become text.

        Raises
        ------
        DataSourceError
            If the directory cannot be written.
        """
        return write(self, directory, self._chosen(windows), "parquet")

    def to_excel(self, path: str | Path, *, windows: Sequence[WindowLike] | None = None) -> Path:
        """Write every table as a sheet of one Excel workbook, and the manifest as the last.

        Raises
        ------
        InputError
            If openpyxl is not installed (``pip install "abnormal-returns[excel]"``), or there are more rows than a
            sheet holds.
        DataSourceError
            If the file cannot be written.
        """
        return excel(self, path, self._chosen(windows))

    def report(
        self,
        path: str | Path,
        *,
        windows: Sequence[WindowLike] | None = None,
        title: str = "Event study",
        question: str = "",
        marks: Mapping[int, str] | None = None,
        tables: Mapping[str, pd.DataFrame] | None = None,
        notes: Mapping[str, str] | None = None,
        interactive: bool = True,
        findings: Mapping[str, str] | None = None,
        comparison: Comparison | None = None,
    ) -> Path:
        """Write the study as one self-contained HTML file: question, design, figures, tables, methods, manifest.

        Parameters
        ----------
        path : str or Path
            The file.
        windows : sequence of windows, optional
            Windows of the tables, the first also of the chart of securities; those of :meth:`summary` by default.
        title : str
            Heading.
        question : str
            What the study asks; empty lines divide paragraphs.
        marks : mapping of int to str, optional
            Sessions to mark in the figures, such as ``{-2: "27 Jan sell-off"}``.
        tables : mapping of str to DataFrame, optional
            Further tables by heading, such as confounders or a comparison of models.
        notes : mapping of str to str, optional
            A sentence below such a table, by its heading.
        interactive : bool
            Whether figures answer to the pointer; the file then carries plotly.js, about 5 MB. Paper, and browsers
            without scripts, get still pictures in any case.
        findings : mapping of str to str, optional
            What you conclude: a claim or heading, and the evidence in a few sentences; put first among the findings.
        comparison : Comparison, optional
            The same events under other models, from :func:`compare`, for the section on robustness; by default the
            study again with the constant mean and, where its model has one benchmark, with that.

        Raises
        ------
        DataSourceError
            If the file cannot be written.
        InputError
            If Jinja2 or Plotly is not installed (``pip install "abnormal-returns[report]"``).
        """
        from eventstudy.report import ReportOptions, write_report

        options = ReportOptions(title, question, marks, tables, notes, interactive, findings, comparison)
        return write_report(self, path, self._chosen(windows), options)

    @functools.cached_property
    def manifest(self) -> dict[str, Any]:
        """What it takes to reproduce the run: checksum of the data, configuration, versions, time."""
        return manifest(self)
