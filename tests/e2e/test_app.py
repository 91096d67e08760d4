"""The local web page, run by Streamlit's own test harness."""

from __future__ import annotations

from pathlib import Path

import pytest

import eventstudy as es
from eventstudy.models import MODELS

pytest.importorskip("streamlit")
from streamlit.testing.v1 import AppTest

PAGE = Path(es.__file__).with_name("app.py")
OFFERED = {
    *("market", "adjusted", "mean", "scholes-williams", "dimson", "huber", "theil-sen"),
    *("garch", "gjr", "egarch", "rolling", "ewma"),
}


@pytest.fixture(scope="module")
def page():
    return AppTest.from_file(str(PAGE), default_timeout=120)


def test_every_model_without_further_input_is_offered_and_gives_its_numbers(page):
    page.run()
    assert not page.exception
    box = page.selectbox(key="model")
    assert box.options == [entry.title for name, entry in MODELS.items() if name in OFFERED]
    panel = es.ReturnPanel.from_prices(es.load_prices(["MSFT", "NVDA", "SPY"], source="sample"))
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York")
    models = {"market": es.MarketModel("SPY"), "mean": es.MeanAdjusted(), "huber": es.RobustMarketModel("SPY")}
    page.multiselect(key="tickers").set_value(["MSFT", "NVDA"])
    for name, model in models.items():
        page.selectbox(key="model").set_value(name)
        page.run()
        assert not page.exception
        with pytest.warns(es.ClusteredEventsWarning):
            caar = es.EventStudy(panel, events, model, (-250, -11), (-5, 5)).fit().caar(0, 1)["caar"].iloc[0]
        shown = next(metric.value for metric in page.metric if metric.label == "CAAR over [0, +1]")
        assert shown.replace("−", "-").replace(" %", "") == f"{caar * 100:+.2f}"
