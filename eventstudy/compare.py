"""Is it robust to the model? The same events under several models of normal returns, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from eventstudy import _render
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError, InsufficientDataError
from eventstudy.models.base import NormalReturnModel
from eventstudy.study import EventStudy
from eventstudy.windows import Window, WindowLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eventstudy.events import Events
    from eventstudy.panel import ReturnPanel
    from eventstudy.results import EventStudyResults

__all__ = ["Comparison", "compare"]

Models = Sequence[NormalReturnModel] | Mapping[str, NormalReturnModel]


def compare(
    returns: ReturnPanel,
    events: Events,
    models: Models,
    *,
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
        If there is no model, or two have one name.
    InsufficientDataError
        If no model, or no event common to the models, is left.

    Warns
    -----
    EventStudyWarning
        If a model cannot be fitted at all: it is left out, and listed in ``failed``. What the studies warn of, each
        once.

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
    found: dict[str, EventStudyResults] = {}
    failed: dict[str, str] = {}
    said: dict[str, tuple[type[Warning], str]] = {}
    for name, model in named.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EventStudyWarning)
            study = EventStudy(returns, events, model, **options)
            try:
                found[name] = study.fit(**(fit or {}))
            except InsufficientDataError as error:
                failed[name] = str(error)
        for item in caught:
            said.setdefault(str(item.message), (item.category, str(item.message)))
    for category, text in said.values():
        warnings.warn(text, category, stacklevel=2)
    if not found:
        raise InsufficientDataError(f"No model can be fitted. First: {next(iter(failed.values()))}")
    for name, reason in failed.items():
        warnings.warn(f"The model {name!r} is left out: {reason}", EventStudyWarning, stacklevel=2)
    return Comparison(_common(found) if common else found, failed)


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
    """

    results: Mapping[str, EventStudyResults]
    failed: Mapping[str, str]

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
        event = next(iter(self.results.values())).fit.index.event
        return [window for window in (Window(0, 0), Window(-1, 1), event) if window in event]

    def summary(self, *windows: WindowLike) -> _render.Summary:
        """Mean CAR and the test to read, by model and window, as text, HTML or LaTeX.

        Parameters
        ----------
        *windows : Window, pair or str
            Windows to show; by default [0, 0], [−1, +1] and the whole event window.
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
        return _render.Summary("Comparison of models", facts, sections, [*notes, *first.caveats()])

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def plot(self, start: WindowLike | int, end: int | None = None, *, ax: Axes | None = None) -> Axes:
        """Mean CAR of each model with its interval, and each security-event as a dot.

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
        from eventstudy._fit_plots import model_comparison

        return model_comparison(self, start, end, ax=ax)

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
        out = Path(directory)
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name, table in tables.items():
                table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
        except OSError as error:
            raise DataSourceError(
                f"Cannot write the comparison to {out}: {error}.", remedy="Choose a directory that can be written."
            ) from error
        return out
