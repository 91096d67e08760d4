"""The study: validate, align, fit; every formula lives elsewhere."""

from __future__ import annotations

import warnings
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from eventstudy import kernels
from eventstudy._typing import IntArray, OnError
from eventstudy.abnormal import check_confidence
from eventstudy.data.calendars import check_calendar
from eventstudy.errors import (
    ClusteredEventsWarning,
    DroppedEventsWarning,
    InputError,
    InsufficientDataError,
    ThinWindowWarning,
    WindowError,
)
from eventstudy.events import Events, ResolvedEvents
from eventstudy.hygiene import (
    Exclude,
    Excluded,
    check_outliers,
    excluded_returns,
    named_sessions,
    outlying,
    rescaled,
    usable_cells,
)
from eventstudy.inference import shared_dates
from eventstudy.models.base import ModelFit, NormalReturnModel
from eventstudy.panel import ReturnPanel
from eventstudy.parallel import fit_in_chunks
from eventstudy.results import DROPPED_COLUMNS, EventStudyResults
from eventstudy.windows import (
    EstimationLike,
    EventIndex,
    Window,
    WindowLike,
    check_windows,
    estimation_span,
    words_of,
)

__all__ = ["EventStudy", "Missing"]

Missing: TypeAlias = Literal["propagate", "skip"]

DEFAULT_MIN_OBS = 120
_SHORT = 0.75  # share of the estimation window below which an event is warned of


@dataclass(frozen=True, eq=False)
class EventStudy:
    """An event study: returns, events, a model of normal returns, and windows.

    Parameters
    ----------
    returns : ReturnPanel
        Returns of the securities and of the benchmarks.
    events : Events
        The security-events.
    model : NormalReturnModel
        Such as ``MarketModel("SPY")``.
    estimation_window : pair of int, Window, str, or two of these
        First and last session relative to the event session, both inclusive: before the event, after it
        (``(21, 140)``), or on both sides (``[(-270, -21), (21, 140)]``).
    event_window : pair of int, Window or str
        As ``estimation_window``; the two share no session.
    min_obs : int, optional
        Fewest usable returns in the estimation window; an event with fewer is dropped, with the reason. By default
        120, or three quarters of an estimation window (of the span, where a model is a rolling one) shorter than 160
        sessions.
    calendar : str
        Exchange whose sessions place announcements with a time of day; events that name their own keep it.
    missing : {"propagate", "skip"}
        What a CAR does with a missing session: be missing, or sum the sessions that are there.
    on_error : {"drop", "raise"}
        Whether a security-event that cannot be used is listed in ``results.dropped``, or stops the study.
    confidence : float
        Level of the confidence intervals, 0.95 by default.
    exclude : list of dates and (start, end) ranges, or mapping from ticker to these, optional
        Sessions that no estimation window may use, of all securities or of those named:
        ``["2025-01-27", ("2024-12-20", "2025-01-03")]``, ``{"MSFT": ["2024-10-31"]}``. Dates are those of the panel's
        sessions, ranges hold at least one.
    exclude_events : bool, Window or pair of int
        Whether estimation windows leave out the event windows of the security's *other* events in the study, those of
        dropped events included; or the sessions around these events to leave out, such as ``(0, 60)``.
    outliers : float, optional
        Leave out estimation returns whose residual lies further than this many robust standard deviations (1.4826
        times the median absolute deviation, from 2 on) from the event's median residual, and fit again. The residual
        variance is made consistent for normal errors; where tails are fat, days like those cut out are missing from
        the yardstick, and tests reject more often than they say. ``RobustMarketModel`` keeps such days and gives
        them less weight.

    Raises
    ------
    InputError
        On a wrong option, an unknown benchmark or an empty events table.
    WindowError
        On windows that overlap or are reversed.

    Notes
    -----
    A session left out of an estimation window counts neither as an observation, nor in ranks, correlations, portfolio
    residuals or placebo windows, none of which straddles it. ``results.parameters`` then has a column ``n_excluded``.

    Examples
    --------
    >>> import eventstudy as es
    >>> prices = es.load_prices(["MSFT", "NVDA", "SPY"], source="sample")
    >>> events = es.Events.at("2025-01-27", ["MSFT", "NVDA"])
    >>> study = es.EventStudy(es.ReturnPanel.from_prices(prices), events, es.MarketModel("SPY"),
    ...                       estimation_window=(-260, -11), event_window=(-5, 5))
    >>> res = study.fit()
    >>> res.car(0, 0)[["ticker", "car", "p_value"]].round(3).to_dict("list")
    {'ticker': ['MSFT', 'NVDA'], 'car': [-0.004, -0.134], 'p_value': [0.631, 0.0]}
    """

    returns: ReturnPanel
    events: Events
    model: NormalReturnModel
    estimation_window: EstimationLike = (-270, -21)
    event_window: WindowLike = (-10, 10)
    min_obs: int | None = None
    calendar: str = "NYSE"
    missing: Missing = "propagate"
    on_error: OnError = "drop"
    confidence: float = 0.95
    exclude: Exclude | None = None
    exclude_events: bool | WindowLike = False
    outliers: float | None = None
    _estimation: Window = field(init=False, repr=False)
    _hole: Window | None = field(init=False, repr=False)
    _excluded: tuple[Excluded, ...] = field(init=False, repr=False)
    _others: Window | None = field(init=False, repr=False)
    _event: Window = field(init=False, repr=False)
    _min_obs: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.returns, ReturnPanel):
            raise InputError(
                f"returns must be a ReturnPanel, not {type(self.returns).__name__}.",
                remedy="Use ReturnPanel.from_prices(prices) or ReturnPanel.from_frame(returns).",
            )
        if not isinstance(self.events, Events):
            raise InputError(
                f"events must be an Events table, not {type(self.events).__name__}.",
                remedy="Use Events.at(...), Events.read(path) or Events.from_frame(frame).",
            )
        if isinstance(self.model, type) or not isinstance(self.model, NormalReturnModel):
            raise InputError(
                f"{self.model!r} is not a model of normal returns.", remedy='Give an instance: MarketModel("SPY").'
            )
        (estimation, hole), event = estimation_span(self.estimation_window), Window.of(self.event_window)
        length = len(estimation) - (0 if hole is None else len(hole))
        length = min(length, getattr(self.model, "span", length))  # a rolling model reads no more
        min_obs = min(DEFAULT_MIN_OBS, -(-3 * length // 4)) if self.min_obs is None else self.min_obs
        if isinstance(min_obs, bool) or not isinstance(min_obs, int | np.integer) or min_obs < 1:
            raise InputError(f"min_obs={min_obs!r} is not a positive whole number.", remedy="Such as min_obs=120.")
        check_windows(estimation, event, min_obs, hole)
        for name, value, options in (("missing", self.missing, Missing), ("on_error", self.on_error, OnError)):
            if value not in get_args(options):
                raise InputError(f"{name}={value!r} is not an option.", remedy=f"Use one of {get_args(options)}.")
        check_confidence(self.confidence)
        check_calendar(self.calendar)
        if isinstance(self.model.benchmarks, str):
            raise InputError(
                f"The benchmarks of {self.model.name} are a text, {self.model.benchmarks!r}, and not names.",
                remedy=f'Return a tuple: ("{self.model.benchmarks}",).',
            )
        for benchmark in self.model.benchmarks:
            self.returns.row(benchmark)
        check_outliers(self.outliers)
        made = {
            "_estimation": estimation,
            "_hole": hole,
            "_event": event,
            "_min_obs": int(min_obs),
            "_excluded": named_sessions(self.exclude, self.returns, self.model.benchmarks),
            "_others": self._around_others(estimation, event, hole),
        }
        for name, item in made.items():
            object.__setattr__(self, name, item)

    def _around_others(self, estimation: Window, event: Window, hole: Window | None) -> Window | None:
        """Sessions around its other events that a security's estimation window leaves out."""
        if isinstance(self.exclude_events, bool | np.bool_):
            return event if self.exclude_events else None
        around = Window.of(self.exclude_events)
        try:
            check_windows(estimation, around, 1, hole)
        except WindowError:
            raise WindowError(
                f"exclude_events={around} reaches into the event's own estimation window {words_of(estimation, hole)}.",
                remedy="If sessions that near an event are not normal, move the estimation window away from it.",
            ) from None
        return around

    def fit(
        self,
        *,
        progress: bool | None = None,
        chunk_size: int | None = None,
        executor: Executor | None = None,
    ) -> EventStudyResults:
        """Fit the model to every event and return the results.

        Parameters
        ----------
        progress : bool, optional
            Whether a bar is drawn; by default on a terminal, for 100,000 events or more.
        chunk_size : int, optional
            Events fitted at a time, 65,536 by default. It changes no number.
        executor : concurrent.futures.Executor, optional
            Where chunks are fitted: threads, processes, or a Dask cluster by ``client.get_executor()``. By default on
            this machine, linear models on all of its cores and others on one. It changes no number.

        Returns
        -------
        EventStudyResults

        Raises
        ------
        InsufficientDataError
            If no event can be used, or (``on_error="raise"``) one cannot.
        InputError
            If one security has two events on one session.

        Warns
        -----
        DroppedEventsWarning, ThinWindowWarning, ClusteredEventsWarning
            Each once, with counts.
        """
        if chunk_size is not None and (
            isinstance(chunk_size, bool) or not isinstance(chunk_size, int | np.integer) or chunk_size < 1
        ):
            raise InputError(f"chunk_size={chunk_size!r} is not a positive whole number.", remedy="Such as 65_536.")
        if executor is not None and not callable(getattr(executor, "submit", None)):
            raise InputError(
                f"executor={executor!r} cannot be given work.", remedy="Give a concurrent.futures.Executor."
            )
        resolved = self.events.resolve(self.returns, self.calendar)
        row = self.events.rows_in(self.returns)
        placed = (row >= 0) & (resolved.position >= 0)
        reasons = self._misplaced(row, resolved, np.flatnonzero(~placed))
        kept = np.flatnonzero(placed)
        usable = usable_cells(self.returns, self._excluded, row, resolved.position, self._others)
        whole = len(kept) == len(row)  # as a rule, and then nothing need be picked out
        where = (row, resolved.position.copy()) if whole else (row[kept], resolved.position[kept])
        index = EventIndex(*where, self._estimation, self._event, self._hole, usable)
        how: dict[str, Any] = {"chunk_size": chunk_size, "executor": executor, "progress": progress}
        fit = fit_in_chunks(self.model, self.returns, index, self._min_obs, **how)
        if self.outliers is not None:
            index = replace(index, trimmed=outlying(fit, self.outliers))
            fit = rescaled(fit_in_chunks(self.model, self.returns, index, self._min_obs, **how), self.outliers)
        failed = self._failed(fit)
        good = failed == kernels.OK
        if not good.all():
            for at in np.flatnonzero(~good):
                reasons[int(kept[at])] = self._reason(fit, int(at), int(failed[at]))
            fit, kept = fit.take(np.flatnonzero(good)), kept[good]
        dropped = self._dropped(reasons, resolved)
        self._complain(dropped, fit)
        return EventStudyResults(study=self, fit=fit, kept=kept, resolved=resolved, dropped=dropped)

    def _misplaced(self, row: IntArray, resolved: ResolvedEvents, lost: IntArray) -> dict[int, str]:
        """Reason for each event of which no window can be laid: unknown security, or no session."""
        reasons: dict[int, str] = {}
        for at in lost.tolist():
            if row[at] < 0:
                try:
                    self.returns.row(self.events.ticker[at])
                except InputError as error:
                    reasons[at] = str(error)
            else:
                reasons[at] = str(resolved.reason[at])
        return reasons

    def _failed(self, fit: ModelFit) -> npt.NDArray[np.int8]:
        """Status per event, with ``EMPTY`` for one that has no abnormal return at all."""
        status = fit.status.copy()
        status[(status == kernels.OK) & (fit.n_ar == 0)] = kernels.EMPTY
        return status

    def _reason(self, fit: ModelFit, at: int, status: int) -> str:
        ticker = self.returns.tickers[fit.index.security[at]]
        window, words, names = self._estimation, fit.index.words, ", ".join(self.model.benchmarks)
        where = f"{ticker}, event {self.returns.unit} {self.returns.label(fit.index.position[at])}: "
        messages = getattr(fit, "messages", None)
        if messages is not None and messages[at]:
            return f"{where}{messages[at]}"
        if status == kernels.TOO_FEW:
            start = fit.index.position[at] + window.start
            end = fit.index.position[at] + window.end - self.returns.n_sessions + 1
            cut = f"; the data start {-start} sessions into the window" if start < 0 else ""
            cut += f"; the data end {end} sessions before the window does" if end > 0 else ""
            out = int(excluded_returns(self.returns.values, fit.index.take(slice(at, at + 1)))[0])
            cut += f"; {out} were kept out as asked" if out else ""
            need = max(self._min_obs, int(np.broadcast_to(fit.n_params, len(fit.index))[at]) + 1)
            gaps = self._benchmark_gaps(max(start, 0), int(fit.index.position[at]) + window.end)
            return (
                f"{where}{fit.n_obs[at]} usable returns in the estimation window {words}, fewer than the {need} "
                f"asked for{cut}{gaps}. Load {'later' if end > 0 else 'earlier'} prices, or lower min_obs."
            )
        if status == kernels.SINGULAR:
            return (
                f"{where}the regressors ({names}) do not vary, or are collinear, over the estimation window {words}. "
                "Use another benchmark."
            )
        if status == kernels.ZERO_VARIANCE:
            return (
                f"{where}no residual variance over the estimation window {words}: the price does not move, or the "
                f"security is the benchmark. Leave it out."
            )
        at_event = int(fit.index.position[at])
        first, last = max(at_event + self._event.start, 0), at_event + self._event.end
        gaps = self._benchmark_gaps(first, last, least=min(last + 1, self.returns.n_sessions) - first)
        what = "benchmarks or factors" if gaps else "prices"
        return f"{where}no abnormal return in the event window {self._event}{gaps}. Load {what} around the event."

    def _benchmark_gaps(self, first: int, last: int, least: int = 1) -> str:
        """Words for the benchmarks that lack ``least`` returns or more on sessions from ``first`` to ``last``."""
        found: dict[str, list[str]] = {}
        for name in self.model.benchmarks:
            missing = np.flatnonzero(np.isnan(self.returns.values[self.returns.row(name), first : last + 1]))
            if len(missing) >= max(least, 1):
                words = f"no return on {len(missing)} of them, first {self.returns.label(first + int(missing[0]))}"
                found.setdefault(words, []).append(name)
        return "".join(
            f"; the benchmark {names[0]} has {words}"
            if len(names) == 1
            else f"; the benchmarks {', '.join(names)} have {words}"
            for words, names in found.items()
        )

    def _dropped(self, reasons: dict[int, str], resolved: ResolvedEvents) -> pd.DataFrame:
        out = sorted(reasons)
        events = self.events
        return pd.DataFrame(
            {
                "event_id": events.event_id[out],
                "ticker": events.ticker[out],
                "session": pd.DatetimeIndex(resolved.session[out] if out else []),
                "reason": [reasons[at] for at in out],
            },
            columns=DROPPED_COLUMNS,
        )

    def _complain(self, dropped: pd.DataFrame, fit: ModelFit) -> None:
        total = len(self.events)
        if len(dropped):
            first = dropped["reason"].iloc[0]
            message = f"{len(dropped)} of {total} security-events cannot be used. First: {first}"
            if len(dropped) == total or self.on_error == "raise":
                row = dropped.iloc[0]
                raise InsufficientDataError(
                    message, event_id=row["event_id"], ticker=row["ticker"], date=row["session"], dropped=dropped
                )
            warnings.warn(f"{message} All are in results.dropped.", DroppedEventsWarning, stacklevel=3)
        thin = fit.n_ar < fit.ar.shape[1]
        if thin.any():
            at = int(thin.argmax())
            tau = self._event.start + int(np.flatnonzero(np.isnan(fit.ar[at]))[0])
            column = int(fit.index.position[at]) + tau
            gaps = self._benchmark_gaps(column, column) if 0 <= column < self.returns.n_sessions else ""
            cause = ", where the benchmark has none" if gaps else ""
            what = "are missing" if self.missing == "propagate" else "sum the sessions that are there"
            warnings.warn(
                f"{int(thin.sum())} security-events lack returns in the event window (first: "
                f"{self.returns.tickers[fit.index.security[at]]} at tau = {tau}{cause}); their CARs over such "
                f"sessions {what}. See n_missing in results.car().",
                ThinWindowWarning,
                stacklevel=3,
            )
        span, last = self._estimation, self.returns.n_sessions - 1
        asked = fit.index.length - (excluded_returns(self.returns.values, fit.index) if fit.index.masked else 0)
        asked = np.minimum(asked, getattr(self.model, "span", asked))  # a rolling model reads no more
        cut = (fit.index.position < -span.start) | (fit.index.position > last - span.end)
        cut |= fit.n_obs < _SHORT * asked
        if cut.any():
            at = int(cut.argmax())
            reach = "begin before" if span.end < 0 else "reach beyond"
            warnings.warn(
                f"{int(cut.sum())} estimation windows {reach} the data, or lack more than a quarter of the returns of "
                f"{fit.index.words} (first: {self.returns.tickers[fit.index.security[at]]}, event {self.returns.unit} "
                f"{self.returns.label(fit.index.position[at])}, {fit.n_obs[at]} usable returns). See n_obs "
                "in results.parameters.",
                ThinWindowWarning,
                stacklevel=3,
            )
        shared = shared_dates(fit.index.position, len(self._event))
        if shared.clustered:
            dates = f"{shared.n_dates} event date{'s' if shared.n_dates > 1 else ''}"
            how = f"on {dates} have windows that overlap" if shared.overlapping else f"share {dates}"
            warnings.warn(
                f"{shared.n_events} security-events {how}: abnormal returns are cross-correlated and tests that assume "
                "independence over-reject. Read the rows of results.tests() with valid_under_clustering.",
                ClusteredEventsWarning,
                stacklevel=3,
            )
