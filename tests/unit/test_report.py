"""The HTML report: holds the numbers, escapes every text, asks nothing of the network."""

from __future__ import annotations

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
    path = res.report(tmp_path_factory.mktemp("report") / "new" / "report.html", title="A & B", windows=[(0, 1)])
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
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert "<script>alert(1)</script>" in "".join(page.words)
    assert "soft & <b>ware</b>" in "".join(page.words)
    assert "<title>A &amp; B</title>" in text


def test_nothing_is_fetched_and_pictures_have_words(text) -> None:
    page = Page(text)
    assert page.links
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert not re.search(r"@import|url\(", text)
    assert len(page.alts) == 3
    assert all(alt and len(alt) > 40 for alt in page.alts)
    assert 'lang="en"' in text


def test_many_events_are_cut_and_said_to_be(synthetic, study_of, events_at, tmp_path: Path) -> None:
    frame = synthetic(2, 1000, seed=90)
    rows = [(name, 200 + i) for name in ("S00", "S01") for i in range(0, 760, 2)]
    events = es.Events.from_frame(
        pd.DataFrame({"ticker": [name for name, _ in rows], "date": [frame.index[at] for _, at in rows]})
    )
    text = study_of(frame, events).report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "The first 500 of 760 rows" in text
    assert len(Page(text).alts) == 1


def test_a_file_that_cannot_be_written(res, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(es.DataSourceError, match="Cannot write the report"):
        res.report(tmp_path / "file" / "report.html")
