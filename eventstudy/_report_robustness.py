"""What a report says on robustness: the mean CAR by window, by model, and without confounded events."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from eventstudy.errors import EventStudyError, EventStudyWarning
from eventstudy.models import MarketAdjusted, MarketModel, MeanAdjusted
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.compare import Comparison
    from eventstudy.results import EventStudyResults

__all__ = ["robustness"]

_SPANS = ((0, 0), (-1, 0), (0, 1), (-1, 1), (0, 2), (-2, 2), (0, 5), (-5, 5), (0, 10), (-10, 10))
_MEAN = ["caar", "ci_lower", "ci_upper", "n"]


def robustness(
    res: EventStudyResults, windows: Sequence[Window], comparison: Comparison | None
) -> list[tuple[str, pd.DataFrame, str]]:
    """Heading, frame and note of each table."""
    return [_by_window(res, windows), *_by_model(res, windows, comparison), *_by_confounding(res, windows)]


def _by_window(res: EventStudyResults, windows: Sequence[Window]) -> tuple[str, pd.DataFrame, str]:
    event = res.fit.index.event
    spans = [Window(*span) for span in _SPANS]
    rows = []
    for window in dict.fromkeys([*windows, *(span for span in spans if span in event)]):
        caar, one = res.caar(window).iloc[0], res.recommended(window)
        mean = caar[_MEAN].to_dict() | {"n": int(caar["n"])}
        rows.append({"window": str(window), **mean, "test": one.name, "p_value": one.result.p_value})
    note = "The p-values are not adjusted for the number of windows looked at: one in twenty is below 0.05 by chance."
    return "By window", pd.DataFrame(rows), note


def _by_model(
    res: EventStudyResults, windows: Sequence[Window], comparison: Comparison | None
) -> list[tuple[str, pd.DataFrame, str]]:
    """The events under other models; by default the simplest ones that need no more than the study has."""
    found = _simple_models(res) if comparison is None else comparison
    if found is None:
        return []
    table = found.by_window(*windows)[["window", "model", *_MEAN, "test", "test_p"]]
    note = "The same events under other models of normal returns; test: the one to read."
    note += "".join(f" {name} is left out: {reason}" for name, reason in found.failed.items())
    return [("By model", table.rename(columns={"test_p": "p_value"}), note)]


def _simple_models(res: EventStudyResults) -> Comparison | None:
    from eventstudy.compare import Comparison, _common

    own = res.study.model
    models: dict[str, Any] = {"constant mean": MeanAdjusted()}
    if isinstance(benchmark := getattr(own, "benchmark", None), str):
        models |= {"market adjusted": MarketAdjusted(benchmark), "market model": MarketModel(benchmark)}
    found, failed = {"this study": res}, {}
    for name, model in models.items():
        if type(model) is type(own):
            continue
        with warnings.catch_warnings():  # the study has said its own
            warnings.simplefilter("ignore", EventStudyWarning)
            try:
                found[name] = replace(res.study, model=model).fit(progress=False)
            except EventStudyError as error:
                failed[name] = str(error)
    try:
        return Comparison(_common(found), failed, pd.DataFrame()) if len(found) > 1 else None
    except EventStudyError:  # no event that all of them can use
        return None


def _by_confounding(res: EventStudyResults, windows: Sequence[Window]) -> list[tuple[str, pd.DataFrame, str]]:
    if (others := res.confounders) is None:
        return []
    keep = ["caar", "n", "std_error", "p_value", "ci_lower", "ci_upper"]
    note = (
        f"Clean: no other dated event{others.near} in the window; see the table of them under Data. The parts were "
        "not drawn at random: their difference is a description."
    )
    return [
        (
            f"With and without other dated events over {window}",
            res.split_by_confounding(others.calendar, window, reach=others.reach)[keep],
            note,
        )
        for window in windows
    ]
