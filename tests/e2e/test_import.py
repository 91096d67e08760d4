"""A plain import is quick and pulls in nothing heavy; the calendar and the compiler come when they are needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = [
    "matplotlib",
    "scipy.stats",
    "yfinance",
    "numba",
    "dask",
    "pandas_market_calendars",
    "plotly",
    "statsmodels",
    "pyarrow.dataset",
]


def loaded_after(code: str) -> set[str]:
    """Heavy modules that a fresh interpreter holds after running ``code``."""
    script = (
        f"import json, sys, warnings\nwarnings.simplefilter('ignore')\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ}
    )
    return set(HEAVY) & set(json.loads(done.stdout.splitlines()[-1]))


def test_import_pulls_in_nothing_heavy():
    assert loaded_after("import eventstudy") == set()


def test_every_public_name_exists():
    import eventstudy as es

    assert sorted(es.__all__) == es.__all__
    for name in es.__all__:
        assert getattr(es, name) is not None


def test_building_a_study_needs_no_compiler():
    code = """
import eventstudy as es, pandas as pd
frame = pd.DataFrame({"A": [0.01, 0.02, 0.0] * 9, "M": [0.0, 0.01, 0.02] * 9}, index=pd.bdate_range("2025", periods=27))
panel, events = es.ReturnPanel.from_frame(frame), es.Events.at("2025-01-29", "A")
es.EventStudy(panel, events, es.MarketModel("M"), (-15, -5), (-1, 1))
"""
    assert loaded_after(code) == set()


def test_the_numpy_engine_needs_no_numba():
    code = """
import os; os.environ["EVENTSTUDY_ENGINE"] = "numpy"
import eventstudy as es
panel = es.ReturnPanel.from_prices(es.load_prices(["NVDA", "SPY"], source="sample"))
res = es.EventStudy(panel, es.Events.at("2025-01-29", "NVDA"), es.MarketModel("SPY")).fit()
res.car(-1, 1); res.summary(); res.frames()
"""
    assert not loaded_after(code) & {"numba", "matplotlib", "yfinance", "plotly", "dask"}


@pytest.mark.parametrize("module", ["kernels", "abnormal", "inference.parametric"])
def test_numerics_draw_nothing(module):
    assert not loaded_after(f"import eventstudy.{module}") & {"matplotlib", "yfinance", "plotly"}
