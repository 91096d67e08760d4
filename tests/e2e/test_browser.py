"""The report in a real browser: nothing fetched, nothing logged, nothing wider than the screen, everything answers."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import eventstudy as es

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# sandboxes of a browser need rights that containers do not have
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def executable() -> str | None:
    return os.environ.get("EVENTSTUDY_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = executable()
    if path is None:
        text = "no Chromium on this machine: install it (apt-get install chromium), or set EVENTSTUDY_BROWSER"
        if os.environ.get("EVENTSTUDY_REQUIRE_BROWSER"):
            pytest.fail(text)
        pytest.skip(text)
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as play:
        made = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def res(sample_panel, quiet) -> es.EventStudyResults:
    chips = ["NVDA", "AMD", "AVGO", "TSM"]
    names = [*chips, "MSFT", "GOOGL", "META", "AMZN", "AAPL"]
    events = es.Events.at(
        "2025-01-29 04:46",
        names,
        tz="America/New_York",
        label="</script><script>alert(1)</script>",
        group={name: "chips <b>&" if name in chips else "platforms" for name in names},
    )
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY")))


@pytest.fixture(scope="module")
def report(res, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    res.report(
        path,
        windows=[(0, 0), (0, 1)],
        title="A <i>&",
        question="Who moved?\n\nAnd why?",
        marks={-2: "sell-off </script><img src=x>", 1: "earnings"},
        tables={"Further </table><script>": pd.DataFrame({"a": ["<script>alert(2)</script>"]})},
    )
    return path.as_uri()


def until(page: Any, condition: str) -> None:
    """Wait until a condition holds; the page's own policy forbids the waiting of Playwright, which evaluates text."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {condition}")


class Watched:
    """A page that remembers what it logged and what it asked for."""

    def __init__(self, browser: Any, width: int, **more: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, **more)
        self.logged: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.logged.append(message.text))
        self.page.on("pageerror", lambda error: self.logged.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, address: str) -> Any:
        self.page.goto(address)
        until(self.page, "document.querySelectorAll('.plot .main-svg').length > 4")
        return self.page


@pytest.mark.parametrize("width", [360, 1440])
def test_a_report_is_quiet_asks_for_nothing_and_fits(browser, report, width) -> None:
    watched = Watched(browser, width)
    page = watched.open(report)
    assert watched.logged == []
    assert [url for url in watched.asked if url != report and not url.startswith(("data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        "Array.from(document.querySelectorAll('main > section > *, .plot')).filter("
        "part => part.getBoundingClientRect().right > innerWidth + 1).map(part => part.outerHTML.slice(0, 80))"
    )
    assert wide == []
    assert page.title() == "A <i>&"
    page.close()


def test_figures_are_drawn_at_the_width_of_the_screen_and_follow_it(browser, report) -> None:
    page = Watched(browser, 1200).open(report)
    width = "document.querySelector('#plot-1 .main-svg').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.set_viewport_size({"width": 420, "height": 800})
    until(page, f"{width} < 420")
    assert before > 900
    page.close()


def test_pointing_at_a_figure_shows_the_numbers_of_the_study(browser, report, res) -> None:
    from eventstudy._render import percent

    page = Watched(browser, 1200).open(report)
    page.locator("#plot-1").scroll_into_view_if_needed()
    # the last line drawn is that of all events; its middle point is session 0
    point = page.locator("#plot-1 .scatterlayer .trace").last.locator(".point").nth(10)
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#plot-1 .hoverlayer .hovertext")
    shown = page.locator("#plot-1 .hoverlayer").text_content()
    assert percent(res.caar(-10, 0)["caar"].iloc[0]) in shown
    page.close()


def test_the_chart_of_securities_switches_between_windows(browser, report, res) -> None:
    page = Watched(browser, 1200).open(report)
    shown = "document.getElementById('plot-2').data.map(trace => trace.visible)"
    assert page.evaluate(shown) == [True, False]
    page.locator("#plot-2 .updatemenu-header").click()
    page.locator("#plot-2 .updatemenu-dropdown-button").nth(1).click()
    until(page, f"{shown}[1] === true")
    first = page.evaluate("document.getElementById('plot-2').data[1].x")
    assert first == pytest.approx(sorted(res.car(0, 1)["car"]))
    page.close()


def test_a_table_sorts_by_numbers_both_ways_with_missing_ones_last(browser, report, res) -> None:
    page = Watched(browser, 1200).open(report)
    table = page.locator("div[aria-label='Securities over [0, 0]'] table")
    head = table.locator("th", has_text="car").first
    at = [text.strip() for text in table.locator("th").all_inner_texts()].index(head.inner_text().strip())
    names = "rows => rows.map(row => row.cells[1].textContent)"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    expected = res.car(0, 0).sort_values("car")["ticker"].tolist()
    assert table.locator("tbody tr").evaluate_all(names) == expected
    head.locator("button").press("Enter")  # by keyboard
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").evaluate_all(names) == expected[::-1]
    assert at > 0
    tests = page.locator("div[aria-label='Tests of the mean over [0, 0]'] table")
    tests.locator("th", has_text="p_value").locator("button").click()
    last = tests.locator("tbody tr").evaluate_all("rows => rows.map(row => row.cells[2].textContent)")
    missing = int(res.tests(0, 0)["p_value"].isna().sum())
    assert last[-missing:] == ["–"] * missing
    assert "–" not in last[:-missing]
    page.close()


def test_what_users_write_stays_text(browser, report) -> None:
    watched = Watched(browser, 1200)
    dialogs: list[str] = []
    watched.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page = watched.open(report)
    assert dialogs == []
    assert page.locator("body img[src=x]").count() == 0
    assert page.locator("h3", has_text="Further </table><script>").count() == 1
    assert "chips <b>&" in page.locator("#plot-1").text_content()
    page.close()


def test_headings_and_words_for_pictures(browser, report) -> None:
    page = Watched(browser, 1200).open(report)
    levels = page.evaluate(
        "Array.from(document.querySelectorAll('h1, h2, h3')).filter(h => h.offsetParent).map(h => +h.tagName[1])"
    )
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    words = page.evaluate("Array.from(document.querySelectorAll('.plot')).map(p => p.getAttribute('aria-label'))")
    assert len(words) == 5
    assert all(len(text) > 40 for text in words)
    assert page.evaluate("document.documentElement.lang") == "en"
    page.close()


def test_without_scripts_and_on_paper_there_are_still_pictures(browser, report) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(report)
    assert page.locator(".still img").first.is_visible()
    assert not page.locator(".moving").first.is_visible()
    page.close()
    page = Watched(browser, 1200).open(report)
    assert not page.locator(".still img").first.is_visible()
    page.emulate_media(media="print")
    assert page.locator(".still img").first.is_visible()
    assert not page.locator(".moving").first.is_visible()
    assert page.pdf(format="A4")[:5] == b"%PDF-"
    page.close()


# -- the local web page ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(browser, tmp_path_factory) -> Iterator[str]:
    """Address of a running ``eventstudy serve``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"HOME": str(home), "EVENTSTUDY_OFFLINE": "1", "EVENTSTUDY_CACHE": str(home / "cache")}
    command = [sys.executable, "-m", "eventstudy", "serve", "--port", str(port), "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    ) as running:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                assert running.poll() is None, "the page stopped"
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                    break
                time.sleep(0.1)
            yield address
        finally:
            os.killpg(running.pid, signal.SIGTERM)


@pytest.fixture
def page(browser, served) -> Iterator[Any]:
    made = Watched(browser, 1300, accept_downloads=True)
    made.page.set_default_timeout(60_000)
    made.page.goto(served)
    made.page.wait_for_selector(".js-plotly-plot .main-svg")
    yield made.page
    assert [line for line in made.logged if "error" in line.lower()] == []
    assert [url for url in made.asked if not url.startswith((served, "data:", "blob:"))] == []
    made.page.close()


def _peers(sample_panel, quiet, tickers: list[str]) -> es.EventStudyResults:
    events = es.Events.at("2025-01-29 04:46", tickers, tz="America/New_York")
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-250, -11), (-5, 5)))


PEERS = ["MSFT", "NVDA", "GOOGL", "META", "AMZN", "AMD", "AVGO"]


@pytest.mark.skipif(os.name == "nt", reason="process groups")
def test_the_page_shows_the_numbers_of_the_library(page, sample_panel, quiet) -> None:
    from eventstudy._render import percent

    res = _peers(sample_panel, quiet, PEERS)
    shown = page.locator("[data-testid=stMetricValue]").all_inner_texts()
    assert shown == [percent(res.caar(*window)["caar"].iloc[0]) for window in ((0, 0), (0, 1), (-1, 1))]
    assert "29 January 2025 (before the open)" in page.locator("[data-testid=stCaptionContainer]").first.inner_text()
    assert "cross-correlated" in page.locator("[data-testid=stAlert]").first.inner_text()


@pytest.mark.skipif(os.name == "nt", reason="process groups")
def test_the_page_answers_to_another_window_and_to_a_wrong_one(page, sample_panel, quiet) -> None:
    from eventstudy._render import percent

    res = _peers(sample_panel, quiet, PEERS)
    field = page.get_by_label("Windows to test")
    field.fill("-2:0")
    field.press("Enter")
    wanted = percent(res.caar(-2, 0)["caar"].iloc[0])
    page.locator("[data-testid=stMetricValue]", has_text=wanted).wait_for()
    field = page.get_by_label("Windows to test")
    field.fill("-9:0")
    field.press("Enter")
    page.locator("[data-testid=stAlert]", has_text="not inside the event window").wait_for()


@pytest.mark.skipif(os.name == "nt", reason="process groups")
def test_the_page_gives_tables_and_report_to_take_away(page, sample_panel, quiet) -> None:
    res = _peers(sample_panel, quiet, PEERS)
    page.get_by_role("tab", name="Files").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Tables as CSV").click()
    with zipfile.ZipFile(waiting.value.path()) as archive, archive.open("car.csv") as file:
        table = pd.read_csv(file)
    assert table.loc[table["window"] == "0:1", "car"].tolist() == pytest.approx(res.car(0, 1)["car"].tolist())
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report").click()
    assert "Which test to read" in waiting.value.path().read_text(encoding="utf-8")
