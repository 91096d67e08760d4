"""``results.risk``: what the event did to volatility, variance, betas, correlations and losses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from eventstudy.errors import DroppedEventsWarning, InsufficientDataError
from eventstudy.inference.multiplicity import benjamini_hochberg
from eventstudy.inference.resampling import Seed
from eventstudy.risk._bars import BarsLike
from eventstudy.risk._dependence_frame import beta_frame, together
from eventstudy.risk._garch_frame import garch_frame
from eventstudy.risk._loss_frame import drawdown_frame, loss_frame
from eventstudy.risk._tables import risk_tables
from eventstudy.risk._volatility_frame import volatility_frame
from eventstudy.risk._windows import two_windows
from eventstudy.risk.beta import BetaCovariance
from eventstudy.risk.comovement import CorrelationChange, correlation_change
from eventstudy.risk.contagion import contagion
from eventstudy.risk.garch import Distribution
from eventstudy.risk.losses import LossMethod
from eventstudy.risk.ranges import EstimatorName
from eventstudy.risk.variance import About, beaver_u, induced_variance, window_f
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eventstudy.data.prices import Prices
    from eventstudy.results import EventStudyResults

__all__ = ["Risk"]


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk around the events of one result; reached as ``results.risk``.

    Windows ``before`` and ``after`` are relative sessions like all windows, but may reach beyond the event window, as
    far as the panel does.

    Parameters
    ----------
    results : EventStudyResults
        What to look at.

    Examples
    --------
    >>> import eventstudy as es
    >>> prices = es.load_prices(["MSFT", "NVDA", "SPY"], source="sample")
    >>> study = es.EventStudy(es.ReturnPanel.from_prices(prices), es.Events.at("2025-01-27", ["MSFT", "NVDA"]),
    ...                       es.MarketModel("SPY"), estimation_window=(-260, -11), event_window=(-5, 5))
    >>> res = study.fit()
    >>> res.risk.volatility(annualize=252, draws=0)[["ticker", "volatility_before", "volatility_after"]].round(2)
      ticker  volatility_before  volatility_after
    0   MSFT               0.23              0.28
    1   NVDA               0.40              0.83
    """

    results: EventStudyResults

    def tables(
        self,
        prices: Prices,
        before: WindowLike = (-60, -11),
        after: WindowLike = (0, 20),
        windows: Sequence[WindowLike] | None = None,
    ) -> dict[str, pd.DataFrame]:
        """Volatility and volume around the events, as far as the prices have the columns.

        Parameters
        ----------
        prices : Prices
            Of :func:`eventstudy.load_prices`.
        before, after : window
            Sessions whose volatility is compared.
        windows : sequence of windows, optional
            Windows of the abnormal volume; those of the summary by default.

        Returns
        -------
        dict of str to DataFrame
            ``"volatility"``: :meth:`volatility` from closes, and from daily ranges by Parkinson, Garman and Klass, and
            Yang and Zhang where the prices have opens, highs and lows, told apart by the column ``estimator``.
            ``"abnormal_volume"``, where they have volume: the table of
            :meth:`~eventstudy.risk.volume.VolumeResults.ratio` of each window (``start``, ``end``), under the windows
            and rules of the study.

        Raises
        ------
        InputError
            If the prices are none.
        WindowError
            If the windows overlap or are reversed.
        InsufficientDataError
            If no event has returns in both windows.
        """
        return risk_tables(self.results, prices, before, after, self.results._chosen(windows))

    # -- volatility ----------------------------------------------------------------------------------------------

    def volatility(
        self,
        before: WindowLike = (-60, -11),
        after: WindowLike = (0, 20),
        *,
        estimator: EstimatorName = "close",
        prices: BarsLike | None = None,
        abnormal: bool = False,
        annualize: float | None = None,
        draws: int = 999,
        block: int | None = None,
        confidence: float | None = None,
        seed: Seed = 0,
    ) -> pd.DataFrame:
        """Realised volatility of each security before and after the event, with tests of the change.

        Parameters
        ----------
        before, after : window
            Sessions compared.
        estimator : {"close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang"}
            From closes (the study's own returns, as logarithms), or from daily bars, which ``prices`` must hold.
        prices : Prices, or mapping of str to DataFrame, optional
            Prices from a source with bars; or wide frames ``open``, ``high``, ``low``, ``close`` on one basis.
        abnormal : bool
            Volatility of abnormal returns instead (closes only).
        annualize : float, optional
            Sessions of a year, such as 252; volatility per session by default.
        draws : int
            Resamples of the interval; 0 for none.
        block : int, optional
            Mean length of a block of sessions.
        confidence : float, optional
            Level of the interval; that of the study by default.
        seed : int, Generator or None
            Source of the draws.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``volatility_before``, ``volatility_after`` (decimal),
            ``ratio`` (after over before), ``n_before``, ``n_after`` (usable sessions), ``log_variance_ratio`` with
            ``ci_lower``, ``ci_upper``; of closes ``f``, ``p_f``, ``brown_forsythe``, ``p_brown_forsythe``; of ranges
            ``log_range_t``, ``p_log_range``; ``p_placebo`` (rank among earlier pairs of windows) and ``n_placebo``; and
            ``reason``, why there is no number, empty where there is one.

        Raises
        ------
        InputError
            If the estimator is unknown, or reads bars that the prices lack.
        WindowError
            If the windows overlap or are reversed.
        InsufficientDataError
            If no event has both volatilities.

        Notes
        -----
        What the tests allow for: ``p_f`` normal, independent returns only; ``p_brown_forsythe`` and the interval fat
        tails; ``p_placebo`` fat tails and volatility that clusters, as far as the history before the event is long.
        Securities of one date are moved by the same news: their tests are not independent.
        """
        return volatility_frame(
            self.results,
            *two_windows(before, after),
            estimator=estimator,
            prices=prices,
            abnormal=abnormal,
            annualize=annualize,
            draws=draws,
            block=block,
            level=self.results._level(confidence),
            seed=seed,
        )

    def plot_volatility(
        self,
        before: WindowLike = (-60, -11),
        after: WindowLike = (0, 20),
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Axes:
        """Dot plot of each security's annual volatility before and after the event, largest rise first.

        Parameters
        ----------
        before, after : window
            Sessions compared.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`volatility`; ``annualize`` is 252 unless given.

        Returns
        -------
        Axes
        """
        from eventstudy._risk_plots import volatility_axes

        first, last = two_windows(before, after)
        options = {"annualize": 252.0, "draws": 0} | options
        frame = self.volatility(first, last, **options)
        return volatility_axes(self.results, frame, first, last, options, ax)

    # -- variance of abnormal returns ----------------------------------------------------------------------------

    def variance(self, start: WindowLike | int, end: int | None = None, *, about: About = "zero") -> pd.DataFrame:
        """F test of each security-event's abnormal variance in a window against its estimation window.

        Null: the window's abnormal returns have the variance of the estimation window and, for ``about="zero"``, its
        mean: an abnormal return on average counts as variance then. Exact for normal returns, the parameters' error
        included (Chow's predictive test); fat tails make it reject too often.

        Parameters
        ----------
        start, end : int
            First and last session, inside the event window.
        about : {"zero", "mean"}
            Squares about zero, or about the window's own mean (two sessions or more).

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``variance_ratio`` (the F: 1 is no change),
            ``df_num``, ``df_den``, ``p_value`` (upper tail), ``p_bh`` (Benjamini and Hochberg), ``n_missing``. NaN
            where no session is left.

        References
        ----------
        Chow, G. C. (1960). Tests of equality between sets of coefficients in two linear regressions. *Econometrica* 28.
        """
        res = self.results
        window = res._window(start, end)
        found = window_f(res.fit, window, about)
        used = found.df_num + (about == "mean")
        return res._identity.assign(
            variance_ratio=found.statistic,
            df_num=found.df_num,
            df_den=found.df_den,
            p_value=found.p_value,
            p_bh=benjamini_hochberg(found.p_value),
            n_missing=(len(window) - used).astype(np.int64),
        )

    def beaver_u(self) -> pd.DataFrame:
        """Beaver's U of each session: the mean squared standardised abnormal return across events.

        Returns
        -------
        DataFrame
            Indexed by ``tau``: ``u``, ``n``, ``expected`` (without an event), ``z`` and ``p_value`` (normal,
            independent abnormal returns; upper tail), ``p_placebo`` (rank among the sessions of the estimation window,
            events together, so that it holds fat tails and events that share a date).

        References
        ----------
        Beaver, W. H. (1968). The information content of annual earnings announcements. *Journal of Accounting
        Research* 6.
        """
        res = self.results
        found = beaver_u(res.fit, res.sar.to_numpy(np.float64))
        return pd.DataFrame(
            {
                "u": found.u,
                "n": found.n,
                "expected": found.expected,
                "z": found.statistic,
                "p_value": found.p_value,
                "p_placebo": found.p_placebo,
            },
            index=pd.Index(res.fit.index.event.tau, name="tau"),
        )

    def induced_variance(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """Event-induced variance across events, as Boehmer, Musumeci and Poulsen estimate it.

        Returns
        -------
        DataFrame
            One row: ``start``, ``end``, ``n``, ``variance`` (of SCARs across events), ``expected`` (without an event),
            ``mean_correlation`` (``r̄``), ``ratio`` (1: none), ``chi2``, ``df``, ``p_value`` (upper tail; normal
            returns), ``p_placebo`` (rank among windows of the same length in the estimation window).

        Raises
        ------
        InsufficientDataError
            With fewer than two security-events.

        References
        ----------
        Boehmer, E., Musumeci, J. and Poulsen, A. B. (1991). Event-study methodology under conditions of event-induced
        variance. *Journal of Financial Economics* 30.
        """
        res = self.results
        window = res._window(start, end)
        r = res.estimation_summary.mean_correlation
        scar = res._cumulated(window).scar
        if (n := int(np.isfinite(scar).sum())) < 2:
            raise InsufficientDataError(
                f"{n} security-events have a CAR over {window}, and a variance across them needs two.",
                remedy="Use risk.variance, which has an F of each security-event.",
            )
        found = induced_variance(res.fit, scar, len(window), r)
        row = {
            "start": window.start,
            "end": window.end,
            "n": found.n,
            "variance": found.variance,
            "expected": found.expected,
            "mean_correlation": r,
            "ratio": found.ratio,
            "chi2": found.statistic,
            "df": found.df,
            "p_value": found.p_value,
            "p_placebo": found.p_placebo,
        }
        return pd.DataFrame([row])

    def garch(
        self,
        start: WindowLike | int,
        end: int | None = None,
        *,
        distribution: Distribution = "normal",
        draws: int = 999,
        seed: Seed = 0,
        on_error: Literal["drop", "raise"] = "drop",
    ) -> pd.DataFrame:
        """Variance of the window over what GARCH(1,1) forecasts, and GARCH with a dummy for the window.

        Each security-event's abnormal returns from the start of the estimation window to the end of the window, with
        mean zero. ``variance_ratio`` compares squared abnormal returns with the variances forecast on the window's eve;
        the dummy adds ``delta`` to the variance equation and is tested by the likelihood ratio.

        Parameters
        ----------
        start, end : int
            First and last session, inside the event window.
        distribution : {"normal", "t"}
            Law of the shocks.
        draws : int
            Simulated paths of ``p_simulated``; 0 for none.
        seed : int, Generator or None
            Source of the draws.
        on_error : {"drop", "raise"}
            Whether an event whose likelihood has no maximum is left NaN with its ``reason`` and one warning, or stops.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``omega``, ``alpha``, ``beta``, ``nu`` and
            ``persistence`` of the fit before the window, ``variance_ratio`` (realised over forecast, mean over the
            sessions), ``n`` sessions, ``p_value`` (chi-square, normal shocks), ``p_simulated`` (paths of the fit with
            its own shocks: fat tails), ``delta`` (variance per session that the window adds), ``lr`` and ``p_lr``
            (chi-square with 1 df, a rough guide for a window of few sessions), ``converged``, and ``reason`` (why there
            is no fit, or that no clustering was found).

        Raises
        ------
        ConvergenceError
            With ``on_error="raise"``, naming security and session.

        Warns
        -----
        DroppedEventsWarning
            Once, with the number of events without a fit.

        References
        ----------
        Bollerslev, T. (1986). Generalized autoregressive conditional heteroskedasticity. *Journal of Econometrics* 31.
        Savickas, R. (2003). Event-induced volatility and tests for abnormal performance. *Journal of Financial
        Research* 26.
        """
        window = self.results._window(start, end)
        frame = garch_frame(self.results, window, distribution=distribution, draws=draws, seed=seed, on_error=on_error)
        failed = frame.loc[~frame["converged"], "reason"]
        if len(failed):
            warnings.warn(
                f"{len(failed)} of {len(frame)} security-events have no GARCH fit. First: {failed.iloc[0]} "
                "All are in the column reason.",
                DroppedEventsWarning,
                stacklevel=2,
            )
        return frame

    # -- dependence ----------------------------------------------------------------------------------------------

    def beta_shift(
        self,
        before: WindowLike | None = None,
        after: WindowLike = (1, 60),
        *,
        cov: BetaCovariance = "HAC",
        lags: int | None = None,
    ) -> pd.DataFrame:
        """Factor loadings before and after the event, with Chow's test and the t of a dummy interaction.

        Parameters
        ----------
        before : window, optional
            Sessions before; the estimation window by default.
        after : window
            Sessions after. The event session itself is best left out: one large return moves a beta.
        cov : {"HAC", "nonrobust"}
            Covariance of the shift: Newey and West, which allows for a variance that the event raises; or classical.
        lags : int, optional
            Largest lag of the former.

        Returns
        -------
        DataFrame
            One row per security-event and factor: ``event_id``, ``ticker``, ``group`` (where given), ``coefficient``
            (its name), ``before``, ``after``, ``shift``, ``std_error``, ``t``, ``p_value`` (Student t with ``df``),
            ``df``, and of the whole regression ``chow``, ``chow_df_num``, ``chow_df_den``, ``chow_p`` (upper tail),
            ``n_before``, ``n_after``; ``reason`` where there is no shift.

        Raises
        ------
        InputError
            If the model is not a linear one with factors.
        WindowError
            If the windows overlap.

        Notes
        -----
        Share of rejections at 5 % where the beta stays, 250 sessions before, normal or t(5) returns: ``p_value`` with
        HAC 15 to 18 % with 20 sessions after and 8 to 10 % with 60; nonrobust 5 %, and 19 to 27 % where the event
        doubles the spread of the errors, there ``chow_p`` 25 to 38 %.

        References
        ----------
        Karafiath, I. (1988). Using dummy variables in the event methodology. *Financial Review* 23.
        """
        return beta_frame(self.results, before, after, cov, lags)

    def correlation(
        self,
        before: WindowLike | None = None,
        after: WindowLike = (0, 20),
        *,
        session: Any = None,
        abnormal: bool = True,
        n_components: int | None = None,
        draws: int = 999,
        block: int | None = None,
        confidence: float | None = None,
        seed: Seed = 0,
    ) -> CorrelationChange:
        """Correlation matrices of the securities of one date before and after it, with tests of the change.

        Parameters
        ----------
        before : window, optional
            Sessions before; the estimation window by default.
        after : window
            Sessions after.
        session : date-like, optional
            Event session whose securities are meant; needed where events lie on several.
        abnormal : bool
            Correlations of abnormal returns, or of returns themselves.
        n_components : int, optional
            Eigenvectors of the absorption ratio; a fifth of the securities by default.
        draws : int
            Resamples and permutations; 0 for none.
        block : int, optional
            Mean length of a block of sessions.
        confidence : float, optional
            Level of the intervals; that of the study by default.
        seed : int, Generator or None
            Source of the draws.

        Returns
        -------
        CorrelationChange
            ``before``, ``after``, ``difference``, ``tests``, ``pairs()``, ``plot()``.

        Raises
        ------
        InputError
            If the events lie on several sessions and none is named, or fewer than two share it.
        InsufficientDataError
            If too few sessions have a return of every security.
        """
        first, last = together(self.results, session, before, after, abnormal)
        level = self.results._level(confidence)
        change = correlation_change(
            first, last, n_components=n_components, draws=draws, block=block, confidence=level, seed=seed
        )
        return replace(change, of="abnormal returns" if abnormal else "returns", note=self.results.plot.note())

    def contagion(
        self,
        source: str,
        before: WindowLike | None = None,
        after: WindowLike = (0, 20),
        *,
        session: Any = None,
        abnormal: bool = True,
        confidence: float | None = None,
    ) -> pd.DataFrame:
        """Correlation with the security that a shock comes from, adjusted for the rise of its variance.

        Parameters
        ----------
        source : str
            A security of the events.
        before, after, session, abnormal, confidence
            As in :meth:`correlation`.

        Returns
        -------
        DataFrame
            As :func:`eventstudy.risk.contagion`.

        References
        ----------
        Forbes, K. J. and Rigobon, R. (2002). No contagion, only interdependence. *Journal of Finance* 57.
        """
        first, last = together(self.results, session, before, after, abnormal)
        return contagion(first, last, source, confidence=self.results._level(confidence))

    # -- losses --------------------------------------------------------------------------------------------------

    def losses(
        self,
        start: WindowLike | int,
        end: int | None = None,
        *,
        confidence: float = 0.95,
        method: LossMethod = "historical",
    ) -> pd.DataFrame:
        """Value at risk and expected shortfall of abnormal returns before the event, and how the window compares.

        Parameters
        ----------
        start, end : int
            First and last session, inside the event window.
        confidence : float
            Level of both, for one session.
        method : {"historical", "normal"}
            From the residuals of the estimation window, or the normal law with their moments.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``var``, ``es`` (decimal, positive for a loss), ``worst``
            (lowest abnormal return of the window) and ``worst_tau``, missing where there is none, ``breaches``
            (sessions below ``−var``), ``n`` sessions, ``p_value`` (binomial chance of so many breaches or more,
            sessions being independent).
        """
        return loss_frame(self.results, self.results._window(start, end), confidence, method)

    def drawdown(self, window: WindowLike = (0, 20), *, abnormal: bool = False) -> pd.DataFrame:
        """Deepest fall of each security from its highest point so far, within a window.

        Parameters
        ----------
        window : window
            Sessions; the first return counts from the close before it.
        abnormal : bool
            Compounded abnormal returns instead of returns.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``drawdown`` (decimal, 0 or negative), ``peak`` and
            ``trough`` (relative sessions; the peak may be the session before the window; missing where nothing falls)
            and ``n`` sessions with a return.
        """
        return drawdown_frame(self.results, Window.of(window), abnormal)
