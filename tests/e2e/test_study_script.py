"""The January 2025 study: the verdict says what the results say, and nothing in it was typed in."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eventstudy as es

SCRIPTS = Path(__file__).parents[2] / "scripts"
# what may stand in the text of the verdict: dates, levels, names of things
NAMED = r"29 January( 2025)?|30 January|27 January|28 January|95 %|5 %|30 Jan|H20"


@pytest.fixture(scope="module")
def parts():
    sys.path.insert(0, str(SCRIPTS))
    try:
        from deepseek import design, tables, verdict

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", es.EventStudyWarning)
            study = design.run()
            found = tables.tables(study)
            yield design, study, found, verdict.claims(study, found), verdict
    finally:
        sys.path.remove(str(SCRIPTS))


def test_no_figure_is_typed_into_the_verdict() -> None:
    tree = ast.parse((SCRIPTS / "deepseek" / "verdict.py").read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
    assert len(texts) > 100
    assert [text for text in texts if re.search(r"\d", re.sub(NAMED, "", text))] == []


def test_four_dates_are_the_sessions_of_the_calendar(parts) -> None:
    design, study, *_ = parts
    days = study.plain.study.returns.sessions
    zero = int(study.plain.fit.index.position[0])
    assert days[zero] == pd.Timestamp("2025-01-29")
    spans = {name: (days[zero + w.start], days[zero + w.end]) for name, w in study.windows.items()}
    stated = {one.name: (pd.Timestamp(one.first), pd.Timestamp(one.last)) for one in design.DATES}
    assert spans == stated
    assert pd.Timestamp("2025-01-20") not in days  # Martin Luther King Jr. Day


@pytest.mark.parametrize(("ticker", "day"), [("MSFT", "2025-01-29"), ("NVDA", "2025-01-29"), ("NVDA", "2025-01-27")])
def test_abnormal_returns_of_the_verdict_against_statsmodels(parts, ticker, day) -> None:
    _, _, _, claims, _ = parts
    frame = es.load_prices([ticker, "SPY"], source="sample").pct_change().iloc[1:]
    at = int(frame.index.get_loc(pd.Timestamp("2025-01-29")))
    past = frame.iloc[at - 270 : at - 20]
    fit = sm.OLS(past[ticker], sm.add_constant(past["SPY"])).fit()
    x = np.array([[1.0, frame.loc[day, "SPY"]]])
    forecast = fit.get_prediction(x)
    ar = frame.loc[day, ticker] - forecast.predicted_mean[0]
    shown = f"{abs(ar):.2%}".replace("%", " %")
    text = next(one.evidence for one in claims if {"MSFT": "Microsoft", "NVDA": "Nvidia"}[ticker] in one.claim)
    assert ("−" if ar < 0 else "+") + shown in text
    if day == "2025-01-29":  # the interval is that of a new observation
        low, high = (frame.loc[day, ticker] - bound for bound in forecast.conf_int(obs=True, alpha=0.05)[0][::-1])
        assert f"[−{abs(low):.2%}, +{high:.2%}]".replace("%", " %") in text


def test_own_results_stand_between_the_article_and_the_next_day(parts) -> None:
    _, study, found, claims, _ = parts
    own = found["confounders"].query("ticker == 'MSFT' and reach == 'security'")
    assert own["tau"].tolist() == [1]
    assert "its own quarterly results" in claims[0].evidence
    assert study.plain.select(ticker="MSFT").confounded_by(study.calendar, (0, 0), reach="security").empty


def test_other_numbers_make_another_verdict(parts) -> None:
    """The same words about a study in which Microsoft fell on the day."""
    design, study, _, claims, verdict = parts
    before = claims[0]
    frame = es.load_prices([*design.GROUPS, "SPY", "SMH"], source="sample").copy()
    frame.loc["2025-01-29":, "MSFT"] *= 0.9
    returns = es.ReturnPanel.from_prices(frame)
    events = es.Events.at(design.ARTICLE, list(design.GROUPS), tz=design.ZONE, group=design.GROUPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        results = {
            name: es.EventStudy(returns, events, model, (-270, -21), (-10, 10), min_obs=120).fit()
            for name, model in design.MODELS.items()
        }
        from deepseek.tables import money

        other = design.Study(results, study.calendar, design.windows(results["SPY"]))
        after = verdict.microsoft(other, {"market_value_by_security": money(other, "securities")})
    assert before.answer == "Not shown"
    assert after.answer == "Yes"
    assert before.evidence != after.evidence


def test_one_page(parts) -> None:
    _, study, _, claims, verdict = parts
    lines = verdict.page(study, claims).splitlines()
    assert len(lines) <= 72
    assert max(map(len, lines)) <= 100


def test_the_documentation_shows_the_verdict_as_it_is(parts) -> None:
    _, study, _, claims, verdict = parts
    page = (SCRIPTS.parent / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    assert verdict.page(study, claims).rstrip() in page
