"""The tree of errors: what a program can catch, and what a person reads."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy import errors


def test_the_tree():
    parents = {
        es.InputError: (es.EventStudyError, ValueError),
        es.WindowError: (es.InputError, ValueError),
        es.AlignmentError: (es.EventStudyError, ValueError),
        es.InsufficientDataError: (es.EventStudyError, ValueError),
        es.DataSourceError: (es.EventStudyError, RuntimeError),
        es.CacheMissError: (es.DataSourceError,),
        es.ConvergenceError: (es.EventStudyError, RuntimeError),
        es.DroppedEventsWarning: (es.EventStudyWarning,),
        es.ClusteredEventsWarning: (es.EventStudyWarning,),
        es.ThinWindowWarning: (es.EventStudyWarning,),
        es.EventStudyWarning: (UserWarning,),
    }
    for child, expected in parents.items():
        for parent in expected:
            assert issubclass(child, parent), (child, parent)
    assert not issubclass(es.AlignmentError, es.InputError)
    for name in errors.__all__:
        assert getattr(es, name) is getattr(errors, name)


def test_message_remedy_and_context():
    error = es.InputError("MSFT has two prices.", remedy="Keep one.", ticker="MSFT", date=pd.Timestamp("2025-01-29"))
    assert str(error) == "MSFT has two prices. Keep one."
    assert error.remedy == "Keep one."
    assert error.context == {"ticker": "MSFT", "date": pd.Timestamp("2025-01-29")}
    assert str(es.InputError("Alone.")) == "Alone."


def test_errors_travel_between_processes():
    """A study run by a process pool hands its error back whole."""
    error = es.InsufficientDataError("No event.", remedy="Load prices.", ticker="MSFT")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.remedy, again.context) == (str(error), error.remedy, error.context)


def every_mistake():
    """Mistakes of users, one of each kind at the engine's door."""
    days = pd.bdate_range("2025-01-01", periods=60)
    good = pd.DataFrame({"A": np.linspace(0.01, 0.02, 60), "M": np.linspace(0.0, 0.03, 60) ** 2}, index=days)
    panel, events = es.ReturnPanel.from_frame(good), es.Events.at("2025-03-03", "A")
    return {
        "prices with a zero": lambda: es.ReturnPanel.from_prices(good.assign(A=0.0)),
        "no frame": lambda: es.ReturnPanel.from_prices([1, 2, 3]),
        "doubled day": lambda: es.ReturnPanel.from_frame(pd.concat([good, good])),
        "unknown benchmark": lambda: es.EventStudy(panel, events, es.MarketModel("N"), (-30, -11), (-2, 2)),
        "class for an instance": lambda: es.EventStudy(panel, events, es.MarketModel, (-30, -11), (-2, 2)),
        "overlapping windows": lambda: es.EventStudy(panel, events, es.MarketModel("M"), (-30, -1), (-2, 2)),
        "naive time": lambda: es.Events.at("2025-03-03 09:00", "A"),
        "no such zone": lambda: es.Events.at("2025-03-03 09:00", "A", tz="America/New_Yrok"),
        "no date": lambda: es.Events.at("soon", "A"),
        "too little data": lambda: es.EventStudy(panel, events, es.MarketModel("M"), (-90, -11), (-2, 2), 60).fit(),
        "nothing known": lambda: es.EventStudy(
            panel, es.Events.at("2025-03-03", "B"), es.MarketModel("M"), (-30, -11), (-2, 2)
        ).fit(),
        "no model": lambda: es.FactorModel([]),
        "unknown row": lambda: panel.row("B"),
        "infinite": lambda: es.ReturnPanel.from_frame(good.assign(A=np.inf)),
    }


@pytest.mark.parametrize("mistake", list(every_mistake()))
def test_every_mistake_is_answered(mistake):
    """The library's own error, a full sentence, something to do, and no bare exception behind it."""
    with pytest.raises(es.EventStudyError) as caught:
        every_mistake()[mistake]()
    text = str(caught.value)
    assert text.endswith((".", "?", ")", '"')), text
    assert len(text) > 40
    assert "\n" not in text
    assert "object at 0x" not in text
