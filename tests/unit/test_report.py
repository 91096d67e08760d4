"""The HTML report: holds the numbers, escapes every text, asks nothing of the network."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import eventstudy as es
from eventstudy._render import percent


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.alts: list[str | None] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.links += [value for name, value in attrs if name in {"src", "href"} and value]
        if tag == "img":
            self.alts.append(given.get("alt"))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def res(sample_panel, quiet) -> es.EventStudyResults:
    events = es.Events.at(
        "2025-01-29 04:46",
        ["MSFT", "NVDA", "AMD"],
        tz="America/New_York",
        label="<script>alert(1)</script>",
        group={"MSFT": "soft & <b>ware</b>", "NVDA": "chips", "AMD": "chips"},
    )
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY")))


@pytest.fixture(scope="module")
def text(res, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    res.report(path, title="A & B", windows=[(0, 1)], interactive=False)
    return path.read_text(encoding="utf-8")


def test_numbers_of_the_frames_stand_in_the_page(res, text) -> None:
    words = "".join(Page(text).words)
    for value in [*res.car(0, 1)["car"], res.caar(0, 1)["caar"].iloc[0]]:
        assert percent(value) in words
    assert res.manifest["data"]["sha256"] in words
    assert res.recommended(0, 1).name in words
    assert "bundled sample of Yahoo Finance data (adjusted close)" in words


def test_every_text_is_escaped(text) -> None:
    page = Page(text)
    assert page.tags.count("script") == 1  # the page's own, which sorts
    assert "b" not in page.tags
    assert "<script>alert(1)</script>" in "".join(page.words)
    assert "soft & <b>ware</b>" in "".join(page.words)
    assert "<title>A &amp; B</title>" in text


def test_nothing_is_fetched_and_pictures_have_words(text) -> None:
    page = Page(text)
    outside = [link for link in page.links if not link.startswith(("data:image/svg+xml;base64,", "#"))]
    assert outside == ["data:,"]  # no icon
    assert not re.search(r"@import|url\(", text)
    assert len(page.alts) == 3  # three securities make no distribution
    assert all(alt and len(alt) > 40 for alt in page.alts)
    assert 'lang="en"' in text


def test_many_events_are_cut_and_said_to_be(synthetic, study_of, events_at, tmp_path: Path) -> None:
    frame = synthetic(2, 1000, seed=90)
    rows = [(name, 200 + i) for name in ("S00", "S01") for i in range(0, 760, 2)]
    events = es.Events.from_frame(
        pd.DataFrame({"ticker": [name for name, _ in rows], "date": [frame.index[at] for _, at in rows]})
    )
    text = study_of(frame, events).report(tmp_path / "r.html", interactive=False).read_text(encoding="utf-8")
    assert "The first 500 of 760 rows" in text
    assert "Paper shows the first 60 rows." in text
    assert [alt.split()[0] for alt in Page(text).alts if alt] == ["Lines", "Histogram"]  # what paper can show of many


def test_a_file_that_cannot_be_written(res, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(es.DataSourceError, match="Cannot write the report"):
        res.report(tmp_path / "file" / "report.html")


def test_a_failed_report_leaves_the_one_before(res, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "r.html"
    path.write_text("before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(es.DataSourceError, match="no room"):
        res.report(path, interactive=False)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


def test_question_methods_and_papers_stand_in_the_page(res, tmp_path: Path) -> None:
    path = res.report(tmp_path / "r.html", question="First?\n\nSecond?", interactive=False, windows=[(0, 0)])
    page = path.read_text(encoding="utf-8")
    assert "<p>First?</p>" in page
    assert "<p>Second?</p>" in page
    words = " ".join(Page(page).words)
    assert "MacKinlay, A. C. (1997)" in words
    assert "Kolari" in words
    assert "Data behind each security-event" in words


def test_the_data_table_counts_gaps_stale_returns_and_the_largest_move(
    synthetic, study_of, events_at, tmp_path
) -> None:
    from eventstudy.report import _quality

    frame = synthetic(1, 400, seed=5)
    at = 330
    for row, value in (
        (at - 100, 0.5),
        (at - 50, 0.0),
        (at - 49, 0.0),
        (at - 40, float("nan")),
        (at + 2, float("nan")),
    ):
        frame.loc[frame.index[row], "S00"] = value
    found = _quality(study_of(frame, events_at(frame, {"S00": at}))).iloc[0]
    assert found["largest move"] == 0.5
    assert found["on"] == frame.index[at - 100]
    assert found["zero returns"] == 2
    assert found["of"] - found["usable"] == 1
    assert found["missing in event window"] == 1


def test_robustness_by_model_needs_no_comparison_and_takes_one(res, sample_panel, quiet, tmp_path) -> None:
    from eventstudy._report_robustness import robustness

    window = es.Window(0, 1)
    tables = {heading: frame for heading, frame, _ in robustness(res, [window], None)}
    table = tables["By model"].set_index("model")
    assert list(table.index) == ["this study", "constant mean", "market adjusted"]
    for name, model in (("constant mean", es.MeanAdjusted()), ("market adjusted", es.MarketAdjusted("SPY"))):
        other = quiet(es.EventStudy(sample_panel, res.study.events, model))
        assert table.loc[name, "caar"] == other.caar(window)["caar"].iloc[0]
    factors = es.FactorModel(["SPY", "SMH"])
    found = quiet_compare(sample_panel, res.study.events, {"two factors": factors, "market": es.MarketModel("SPY")})
    text = res.report(tmp_path / "r.html", comparison=found, interactive=False).read_text(encoding="utf-8")
    assert "two factors" in text
    assert "constant mean" not in text


def quiet_compare(panel, events, models) -> es.Comparison:
    with pytest.warns(es.ClusteredEventsWarning):
        return es.compare(panel, events, models)


def test_a_headline_says_when_interval_and_test_disagree(sample_panel, quiet) -> None:
    from eventstudy.report import _headline

    chips = ["NVDA", "AMD", "AVGO", "TSM", "MRVL", "VRT", "MSFT", "META", "AAPL", "ORCL"]
    res = quiet(es.EventStudy(sample_panel, es.Events.at("2025-01-27", chips), es.MarketModel("SPY")))
    caar, p_value = res.caar(0, 1).iloc[0], res.recommended(0, 1).result.p_value
    assert (caar["ci_upper"] < 0, p_value > 0.05) == (True, True)
    assert "Interval and test disagree" in _headline(res, [es.Window(0, 1)])[0]
    one = quiet(es.EventStudy(sample_panel, es.Events.at("2025-01-27", "NVDA"), es.MarketModel("SPY")))
    assert "disagree" not in _headline(one, [es.Window(0, 0)])[0]


def test_paths_without_groups_can_be_told_apart(sample_panel, quiet) -> None:
    from eventstudy import _interactive

    names = ["NVDA", "AMD", "AVGO", "TSM", "MRVL", "VRT", "MSFT", "META", "AAPL", "ORCL"]
    res = quiet(es.EventStudy(sample_panel, es.Events.at("2025-01-27", names), es.MarketModel("SPY")))
    figures = {figure.heading: json.loads(figure.spec) for figure in _interactive.make(res, [es.Window(0, 1)])}
    lines = [trace["line"] for trace in figures["Cumulative abnormal return of each security"]["data"]]
    assert len({(line["color"], line["dash"]) for line in lines}) == len(names)
