"""Is it robust to the model? The same events under several models of normal returns, side by side."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

import numpy as np
import pandas as pd

from eventstudy import _render
from eventstudy._cells import guarded
from eventstudy._paths import as_path
from eventstudy.errors import (
    DataSourceError,
    DroppedEventsWarning,
    EventStudyWarning,
    InputError,
    InsufficientDataError,
    WindowError,
)
from eventstudy.models.base import NormalReturnModel
from eventstudy.results import DROPPED_COLUMNS
from eventstudy.study import EventStudy
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eventstudy.events import Events
    from eventstudy.panel import ReturnPanel
    from eventstudy.results import EventStudyResults

__all__ = ["Comparison", "compare"]

Models = Sequence[NormalReturnModel] | Mapping[str, NormalReturnModel]

_MODEL_FAULTS = (ValueError, ArithmeticError, RuntimeError)
"""What data can make of a model; every error of this library is one of them, mistakes of code are not."""


def compare(
    returns: ReturnPanel,
    events: Events,
    models: Models,
    *,
    windows: Sequence[WindowLike] | None = None,
    common: bool = True,
    fit: Mapping[str, Any] | None = None,
    **options: Any,
) -> Comparison:
    """Study the same events under several models of normal returns.

    Parameters
    ----------
    returns : ReturnPanel
        Returns of the securities, benchmarks and factors.
    events : Events
        The security-events.
    models : sequence of models, or mapping of str to model
        The models; a mapping names them.
    windows : sequence of windows, optional
        Windows to show where none is asked for; by default [0, 0], [−1, +1] and the whole event window.
    common : bool
        Compare the events that every model can use, so that a difference is one of the models and not of the events.
        False keeps for each model all that it can use.
    fit : mapping, optional
        Arguments of :meth:`EventStudy.fit`, such as ``{"executor": pool}``.
    **options
        Further arguments of :class:`EventStudy`: ``estimation_window``, ``event_window`` and so on.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is no model, or two have one name; or if what stops every model is a wrong option.
    WindowError
        If one of ``windows`` is not inside the event window.
    InsufficientDataError
        If no model, or no event common to the models, is left.

    Warns
    -----
    EventStudyWarning
        If an event is left out for a model that cannot use it (:class:`DroppedEventsWarning`; see ``dropped``). If a
        model cannot be fitted at all: it is left out, and listed in ``failed``; the others go on. What the
        studies warn of, each once.

    Examples
    --------
    >>> import eventstudy as es
    >>> prices = es.load_prices(["MSFT", "SPY", "SMH"], source="sample")
    >>> found = es.compare(es.ReturnPanel.from_prices(prices), es.Events.at("2025-01-27", "MSFT"),
    ...                    [es.MeanAdjusted(), es.MarketModel("SPY"), es.FactorModel(["SPY", "SMH"])],
    ...                    estimation_window=(-250, -11), event_window=(-5, 5))
    >>> found.car(0, 0)[["model", "car"]].round(3).to_dict("list")
    {'model': ['mean', 'market', 'factors'], 'car': [-0.022, -0.004, -0.006]}
    """
    named = _named(models)
    if not isinstance(common, bool | np.bool_):
        raise InputError(f"common={common!r} is neither True nor False.", remedy="Give one of them.")
    shown = _shown(windows, Window.of(options.get("event_window", EventStudy.event_window)))
    found: dict[str, EventStudyResults] = {}
    failed: dict[str, Exception] = {}
    seconds: dict[str, float] = {}
    said: dict[str, tuple[type[Warning], str]] = {}
    for name, model in named.items():
        begun = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EventStudyWarning)
            try:
                found[name] = EventStudy(returns, events, model, **options).fit(**(fit or {}))
            except _MODEL_FAULTS as error:
                failed[name] = error
        seconds[name] = time.perf_counter() - begun
        for item in caught:
            said.setdefault(str(item.message), (item.category, str(item.message)))
    if not found:
        _give_up(failed)
    for category, text in said.values():
        warnings.warn(text, category, stacklevel=2)
    reasons = {name: _reason(error) for name, error in failed.items()}
    for name, reason in reasons.items():
        warnings.warn(f"The model {name!r} is left out: {reason}", EventStudyWarning, stacklevel=2)
    dropped = _dropped(found)
    kept = _common(found) if common else found
    lost = {name: len(res) - len(kept[name]) for name, res in found.items()}
    if any(lost.values()):
        first = dropped.iloc[0]
        warnings.warn(
            f"{max(lost.values())} security-events that some models can use are left out, since others cannot. First: "
            f"{first['ticker']} under {first['model']!r}: {first['reason']} All are in dropped; common=False keeps for "
            "each model what it can use.",
            DroppedEventsWarning,
            stacklevel=2,
        )
    return Comparison(kept, reasons, dropped, seconds, shown)


def _shown(windows: Sequence[WindowLike] | None, event: Window) -> tuple[Window, ...]:
    shown = tuple(Window.of(window) for window in windows or ())
    for window in shown:
        if window not in event:
            raise WindowError(
                f"The window {window} is not inside the event window {event}.", remedy="Give a wider event_window."
            )
    return shown


def _reason(error: Exception) -> str:
    """What a model could not do; an error that is not of this library is named by its kind as well."""
    return str(error) if type(error).__module__.startswith("eventstudy.") else f"{type(error).__name__}: {error}"


def _give_up(failed: Mapping[str, Exception]) -> NoReturn:
    """Raise what stopped every model: the first error, or what the data lack where that is the matter."""
    first = next(iter(failed.values()))
    short = [error for error in failed.values() if isinstance(error, InsufficientDataError)]
    if short:
        raise InsufficientDataError(f"No model can be fitted. First: {short[0]}") from short[0]
    raise first


def _named(models: Models) -> dict[str, NormalReturnModel]:
    if isinstance(models, Mapping):
        named = {str(name): model for name, model in models.items()}
    else:
        if isinstance(models, str) or not isinstance(models, Iterable):
            raise InputError(f"models={models!r} are no models.", remedy='Such as [es.MarketModel("SPY")].')
        listed = list(models)
        for model in listed:
            if isinstance(model, type) or not isinstance(model, NormalReturnModel):
                raise InputError(
                    f"{model!r} is not a model of normal returns.", remedy='Give an instance: MarketModel("SPY").'
                )
        short = [model.name for model in listed]
        named = {}
        for model, name in zip(listed, short, strict=True):
            label = name if short.count(name) == 1 else repr(model)
            if label in named:
                raise InputError(
                    f"The model {label} is named twice.", remedy="Leave one out, or name them in a mapping."
                )
            named[label] = model
    if not named:
        raise InputError("models is empty.", remedy='Such as [es.MarketModel("SPY")].')
    return named


def _dropped(found: Mapping[str, EventStudyResults]) -> pd.DataFrame:
    """What each model cannot use, and why, in the order of the events."""
    frames = [res.dropped.assign(model=name) for name, res in found.items()]
    table = pd.concat(frames, ignore_index=True)[["model", *DROPPED_COLUMNS]]
    return table.sort_values("event_id", kind="stable", ignore_index=True)


def _common(found: Mapping[str, EventStudyResults]) -> dict[str, EventStudyResults]:
    shared = None
    for res in found.values():
        shared = res.kept if shared is None else np.intersect1d(shared, res.kept)
    if shared is None or not len(shared):
        raise InsufficientDataError(
            "No event can be used under every model.", remedy="Leave a model out, or ask for common=False."
        )
    out = {}
    for name, res in found.items():
        keep = np.isin(res.kept, shared)
        out[name] = res if keep.all() else replace(res, fit=res.fit.take(np.flatnonzero(keep)), kept=res.kept[keep])
    return out


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The same events under several models; made by :func:`compare`.

    Parameters
    ----------
    results : mapping of str to EventStudyResults
        Results by model.
    failed : mapping of str to str
        Models that could not be fitted, and why.
    dropped : DataFrame
        Security-events that a model cannot use: ``model``, ``event_id``, ``ticker``, ``session`` and ``reason``.
    seconds : mapping of str to float
        Time that each model took, from its data to its fits.
    windows : tuple of Window
        Windows to show where none is asked for.
    """

    results: Mapping[str, EventStudyResults]
    failed: Mapping[str, str]
    dropped: pd.DataFrame
    seconds: Mapping[str, float] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()

    def __repr__(self) -> str:
        events = {len(res) for res in self.results.values()}
        counts = " to ".join(str(n) for n in sorted({min(events), max(events)}))
        return f"Comparison({', '.join(self.results)}; {counts} security-events)"

    def __getitem__(self, name: str) -> EventStudyResults:
        """Results of one model."""
        try:
            return self.results[name]
        except KeyError:
            raise InputError(
                f"There is no model {name!r}; there are {list(self.results)}.", remedy="Choose one."
            ) from None

    def _stacked(self, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        parts = []
        for name, frame in frames.items():
            part = frame.reset_index() if frame.index.name else frame.reset_index(drop=True)
            part.insert(0, "model", name)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def car(self, start: WindowLike | int, end: int | None = None, **options: Any) -> pd.DataFrame:
        """CAR of each security-event by model: ``model`` and the columns of :meth:`EventStudyResults.car`."""
        return self._stacked({name: res.car(start, end, **options) for name, res in self.results.items()})

    def side_by_side(
        self, start: WindowLike | int, end: int | None = None, *, value: Literal["car", "t", "p_value"] = "car"
    ) -> pd.DataFrame:
        """One number of each security-event under every model.

        Parameters
        ----------
        start, end : int
            First and last session of the window.
        value : str
            Column of :meth:`EventStudyResults.car` to show, such as ``"car"``, ``"t"`` or ``"p_value"``.

        Returns
        -------
        DataFrame
            Indexed by ``event_id`` and ``ticker``; a column for each model, NaN for an event that it cannot use.

        Raises
        ------
        InputError
            If there is no such column.
        """
        columns = {}
        for name, res in self.results.items():
            table = res.car(start, end)
            if value not in table.columns:
                raise InputError(f"value={value!r} is no column.", remedy=f"Choose one of {list(table.columns)}.")
            columns[name] = table.set_index(["event_id", "ticker"])[value]
        return pd.concat(columns, axis=1, sort=False).rename_axis(columns="model")

    def by_window(self, *windows: WindowLike) -> pd.DataFrame:
        """Mean CAR of every model over every window, to see what rests on the choice of either.

        Parameters
        ----------
        *windows : Window, pair or str
            By default those given to :func:`compare`, or else [0, 0], [−1, +1] and the whole event window.

        Returns
        -------
        DataFrame
            ``window`` (text), ``model`` and the columns of :meth:`caar`; one row for each pair.
        """
        parts = [self.caar(window).reset_index().assign(window=str(window)) for window in self._windows(windows)]
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "window", table.pop("window"))
        return table

    def timing(self) -> pd.DataFrame:
        """Time that the fits took on this machine, the dropped events included.

        Returns
        -------
        DataFrame
            Indexed by ``model``: ``seconds``, ``events`` (security-events asked for) and ``ms_per_event``.
        """
        asked = [len(next(iter(self.results.values())).study.events)] * len(self.seconds)
        table = pd.DataFrame({"seconds": self.seconds, "events": pd.Series(asked, index=list(self.seconds))})
        return table.assign(ms_per_event=1e3 * table["seconds"] / table["events"]).rename_axis("model")

    def caar(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """Mean CAR by model.

        Returns
        -------
        DataFrame
            Indexed by ``model``: the columns of :meth:`EventStudyResults.caar`, ``test`` (the one to read) and
            ``test_p`` (its p-value).
        """
        rows = {}
        for name, res in self.results.items():
            one = res.recommended(start, end)
            rows[name] = res.caar(start, end).iloc[0].to_dict() | {"test": one.name, "test_p": one.result.p_value}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")

    def tests(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """Every test by model: ``model``, ``test`` and the columns of :meth:`EventStudyResults.tests`."""
        return self._stacked({name: res.tests(start, end) for name, res in self.results.items()})

    def p_values(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """P-values: a row for each test, a column for each model."""
        found = {name: res.tests(start, end)["p_value"] for name, res in self.results.items()}
        first = next(iter(self.results.values())).tests(start, end)
        return pd.DataFrame(found).reindex(first.index)

    def diagnostics(self) -> pd.DataFrame:
        """Diagnostics of every estimation window by model; see :meth:`EventStudyResults.diagnostics`."""
        return self._stacked({name: res.diagnostics() for name, res in self.results.items()})

    def _windows(self, windows: Sequence[WindowLike]) -> list[Window]:
        if windows:
            return [Window.of(window) for window in windows]
        if self.windows:
            return list(self.windows)
        event = next(iter(self.results.values())).fit.index.event
        return [window for window in (Window(0, 0), Window(-1, 1), event) if window in event]

    def summary(self, *windows: WindowLike) -> _render.Summary:
        """Mean CAR and the test to read, by model and window, as text, HTML or LaTeX.

        Parameters
        ----------
        *windows : Window, pair or str
            Windows to show; by default those given to :func:`compare`, or else [0, 0], [−1, +1] and the whole event
            window.
        """
        if len(windows) == 2 and all(isinstance(end, int | np.integer) for end in windows):
            windows = (Window(*cast(tuple[int, int], windows)),)
        percents: dict[str, Callable[[object], str]] = dict.fromkeys(("caar", "ci_lower", "ci_upper"), _render.percent)
        percents["p (test)"] = _render.p_value
        sections = []
        for window in dict.fromkeys(self._windows(windows)):
            frame = self.caar(window)[["caar", "ci_lower", "ci_upper", "n", "test", "test_p"]]
            frame["n"] = frame["n"].astype(int)
            columns = {"test_p": "p (test)"}
            sections.append(_render.Section(f"Mean CAR over {window}", frame.rename(columns=columns), percents))
        facts = [(name, repr(res.study.model)) for name, res in self.results.items()]
        notes = [f"Left out: {name}: {reason}" for name, reason in self.failed.items()]
        first = next(iter(self.results.values()))
        for ticker, part in self.dropped.groupby("ticker", sort=False):
            notes.append(f"{ticker} cannot be used under {', '.join(dict.fromkeys(part['model']))}; see dropped.")
        return _render.Summary("Comparison of models", facts, sections, [*notes, *first.caveats()])

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def plot(self, start: WindowLike | int | None = None, end: int | None = None, *, ax: Axes | None = None) -> Axes:
        """Mean CAR of each model with its interval, and each security-event as a dot.

        Parameters
        ----------
        start, end : int
            First and last session of the window; by default the first of those to show.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
        """
        from eventstudy._fit_plots import model_comparison

        return model_comparison(self, self._windows(())[0] if start is None else start, end, ax=ax)

    def plot_windows(self, *windows: WindowLike) -> Figure:
        """Mean CAR of each model with its interval, one panel for each window, on one scale.

        Parameters
        ----------
        *windows : Window, pair or str
            As for :meth:`by_window`.

        Returns
        -------
        Figure
        """
        from eventstudy._fit_plots import model_windows

        return model_windows(self, self._windows(windows))

    def to_csv(self, directory: str | Path, *, windows: Sequence[WindowLike] | None = None) -> Path:
        """Write ``caar.csv``, ``car.csv``, ``tests.csv`` and ``diagnostics.csv``, each with a column ``model``.

        Raises
        ------
        DataSourceError
            If the directory cannot be written.
        """
        chosen = self._windows(windows or ())
        tables: dict[str, pd.DataFrame] = {}
        for name in ("caar", "car", "tests"):
            parts = []
            for window in chosen:
                frame = getattr(self, name)(window)
                frame = frame.reset_index() if frame.index.name else frame
                parts.append(frame.assign(window=f"{window.start}:{window.end}"))
            tables[name] = pd.concat(parts, ignore_index=True)
        tables["diagnostics"] = self.diagnostics()
        out = as_path(directory, "directory")
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name, table in tables.items():
                guarded(table).to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
        except OSError as error:
            raise DataSourceError(
                f"Cannot write the comparison to {out}: {error}.", remedy="Choose a directory that can be written."
            ) from error
        return out
