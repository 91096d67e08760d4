"""Numbers as people read them, and the summary as text, HTML and LaTeX."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy._render import Section, Summary, number, p_value, percent


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.005, "1.00"),
        (-1.238, "−1.24"),
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (-0.001, "0.00"),
        (float("nan"), "–"),
        (None, "–"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
        (12, "12"),
        (-12, "−12"),
        (np.int64(-3), "−3"),
        (np.float64(2.5), "2.50"),
        (True, "yes"),
        (np.bool_(False), "no"),
        ("text", "text"),
        (1234567.891, "1234567.89"),
    ],
)
def test_number(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123, "+1.23 %"),
        (-0.1697, "−16.97 %"),
        (0.0, "0.00 %"),
        (-1e-9, "0.00 %"),
        (None, "–"),
        (float("nan"), "–"),
        (1, "+100.00 %"),
    ],
)
def test_percent(value, shown):
    assert percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.04951, "0.050"),
        (0.0009999, "<0.001"),
        (0.001, "0.001"),
        (0.0, "<0.001"),
        (1.0, "1.000"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_p_value(value, shown):
    assert p_value(value) == shown


def test_digits():
    assert number(0.12345, 4) == "0.1235"
    assert number(4.0, 0) == "4"


SUMMARY = Summary(
    "Title & more",
    [("Model", "Market <SPY>"), ("N", "3")],
    [
        Section(
            "Table of 5 %",
            pd.DataFrame(
                {"stat_1": [1.5, -2.25], "p": [0.0001, float("nan")]}, index=pd.Index(["a_b", "c"], name="test")
            ),
            {"p": p_value},
            ["note <1>"],
        ),
        Section("Only words", None, {}, ["nothing to show"]),
    ],
    ["Mind this."],
)


def test_text():
    assert str(SUMMARY).splitlines() == [
        "Title & more",
        "============",
        "Model  Market <SPY>",
        "N      3",
        "",
        "Table of 5 %",
        "test  stat_1       p",
        "----  ------  ------",
        "a_b     1.50  <0.001",
        "c      −2.25       –",
        "note <1>",
        "",
        "Only words",
        "nothing to show",
        "",
        "Mind this.",
    ]


def test_html_is_escaped():
    text = SUMMARY._repr_html_()
    assert "Market &lt;SPY&gt;" in text
    assert "note &lt;1&gt;" in text
    assert "<td>&lt;0.001</td>" in text
    assert "Title &amp; more" in text
    for tag in ("table", "tr", "th", "td", "p", "h3", "h4", "thead", "tbody"):
        assert text.count(f"<{tag}>") == text.count(f"</{tag}>") > 0, tag


def test_latex_compiles_by_eye():
    text = SUMMARY.to_latex()
    assert r"test & stat\_1 & p \\" in text
    assert r"a\_b & 1.50 & $<$0.001 \\" in text
    assert r"c & $-$2.25 & -- \\" in text
    assert text.count(r"\begin{tabular}{lrr}") == text.count(r"\end{tabular}") == 1
    assert "∞" not in text


@pytest.fixture(scope="module")
def summary(sample_panel, quiet):
    events = es.Events.at("2025-01-27", ["NVDA", "MSFT", "NOPE"])
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-250, -21), confidence=0.9))


def test_summary_of_a_study_shows_the_results(summary):
    text = str(summary.summary((0, 0), (-1, 1)))
    caar = summary.caar(0, 0).iloc[0]
    assert percent(caar["caar"]) in text
    assert percent(caar["ci_lower"]) in text
    assert "90 % interval" in text
    assert "2 used, 1 dropped" in text
    assert "estimation [-250, -21], event [-10, +10]" in text
    assert "2025-01-27" in text
    t = summary.tests(-1, 1)
    for name in t.index:
        if np.isnan(t.loc[name, "statistic"]):
            assert f"{name}: " in text
        else:
            assert number(t.loc[name, "statistic"]) in text
            assert p_value(t.loc[name, "p_value"]) in text
    assert "2 security-events share 1 event date" in text
    assert "1 security-event was left out" in text
    for note in summary.caveats():
        assert note in text


def test_summary_chooses_windows(summary):
    assert str(summary.summary()).count("Tests of the mean over") == 3
    assert str(summary.summary("2:3")).count("[+2, +3]") == 2
    html = summary._repr_html_()
    assert html.startswith("<h3>Event study</h3>")
    assert r"time\_series\_t" in summary.summary().to_latex()


def test_a_row_that_begins_with_a_window_is_no_length_to_latex():
    """``\\\\`` and ``\\midrule`` take a length in brackets, and look for it on the next line."""
    table = Section("Means", pd.DataFrame({"window": ["[0, +1]", "[-1, +1]"], "caar": [0.1, 0.2]}))
    text = Summary("Study", [], [table]).to_latex()
    assert not re.search(r"(\\\\|\\midrule)\s*\[", text)
    assert "{[}0, +1]" in text


def test_a_standard_error_has_no_sign(summary):
    shown = percent(summary.caar(0, 0)["std_error"].iloc[0])
    text = str(summary.summary((0, 0)))
    assert shown.startswith("+")
    assert shown not in text
    assert shown[1:] in text
