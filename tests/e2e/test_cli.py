"""The command line end to end: real processes where the process matters, typer's runner elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli
from eventstudy.data import Failure, FrenchLibrary, PriceCache, SampleProvider
from eventstudy.data import prices as price_sources
from eventstudy.data.french import StoredFile
from eventstudy.data.sample import directory as sample_directory

FOUNDING = Path(__file__).with_name("data") / "founding.csv"
HEADER = "ticker,timestamp\n"
# A wide terminal without colour: messages are not broken into lines, and help texts can be searched.
ENVIRONMENT = {"COLUMNS": "250", "TERMINAL_WIDTH": "250", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSTUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVENTSTUDY_OFFLINE", raising=False)


@pytest.fixture
def call(monkeypatch):
    """Run a command in this process; a library error is an exit code, anything else fails the test."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(*arguments, **options):
        result = CliRunner().invoke(cli.app, [str(a) for a in arguments], prog_name="eventstudy", **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def events(tmp_path):
    """Write an event file."""

    def write(text):
        path = tmp_path / "events.csv"
        path.write_text(HEADER + text, encoding="utf-8")
        return path

    return write


def process(*arguments, module=True, **options):
    command = [sys.executable, "-m", "eventstudy"] if module else [Path(sys.executable).with_name("eventstudy")]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | ENVIRONMENT,
        check=False,
        timeout=120,
        **options,
    )


def fitted(events, model=None, *, kind="simple", tickers=("SPY", "SMH"), **options):
    """The same study through the library."""
    names = list(dict.fromkeys([*tickers, *events.tickers]))
    panel = es.ReturnPanel.from_prices(es.load_prices(names, source="sample"), kind=kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return es.EventStudy(panel, events, model or es.MarketModel("SPY"), **options).fit()


# --- run: what it finds -----------------------------------------------------------------------------------


def test_founding_case_writes_the_numbers_of_the_library(tmp_path):
    out = tmp_path / "out"
    done = process(
        *("run", FOUNDING, "--source", "sample", "--benchmark", "SPY", "--model", "market", "--offline"),
        *("--estimation", "-270:-21", "--window=-10:10", "--car", "-1:1", "--car=0:5", "--out", out, "--no-plots"),
        module=False,
    )
    assert done.returncode == 0, done.stderr
    res = fitted(es.Events.read(FOUNDING))
    windows = [(-1, 1), (0, 5)]
    assert done.stdout.strip() == str(res.summary(*windows))
    assert f"tables written to {out}" in done.stderr
    tables = res.frames(windows)
    assert {path.stem for path in out.glob("*.csv")} == set(tables)
    for name in ("car", "caar", "tests", "aar", "abnormal_returns", "parameters", "bhar", "group_caar"):
        found, expected = pd.read_csv(out / f"{name}.csv"), tables[name]
        assert list(found.columns) == list(expected.columns)
        numbers = expected.select_dtypes("number").columns
        np.testing.assert_allclose(found[numbers], expected[numbers], rtol=1e-12, atol=1e-15, err_msg=name)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["configuration"] == res.manifest["configuration"]
    # The sessions and the order of securities are the same, so the data are too.
    assert manifest["data"] == res.manifest["data"] | {"securities": 6, "sha256": manifest["data"]["sha256"]}


@pytest.mark.parametrize(
    ("arguments", "model", "options"),
    [
        (("--model", "mean"), es.MeanAdjusted(), {}),
        (("--model", "adjusted", "-b", "SMH"), es.MarketAdjusted("SMH"), {}),
        (("--model", "factors", "-b", "SPY", "-b", "SMH"), es.FactorModel(["SPY", "SMH"]), {}),
        (("-b", "SPY", "--confidence", "0.9"), es.MarketModel("SPY"), {"confidence": 0.9}),
        (("-b", "SPY", "--log-returns"), es.MarketModel("SPY"), {"kind": "log"}),
        (
            ("-b", "SPY", "--estimation", "-130:-11", "--window", "-5:5", "--min-obs", "100"),
            es.MarketModel("SPY"),
            {"estimation_window": (-130, -11), "event_window": (-5, 5), "min_obs": 100},
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_options_reach_the_study(call, arguments, model, options):
    done = call("run", FOUNDING, "--car", "-1:1", "--json", *arguments)
    expected = fitted(es.Events.read(FOUNDING), model, **options)
    found = json.loads(done.stdout)["tables"]["caar"]
    want = expected.caar(-1, 1).iloc[0]
    assert len(found) == 1
    for name in ("caar", "std_error", "ci_lower", "ci_upper", "n"):
        assert found[0][name] == pytest.approx(want[name], rel=1e-12), name


def test_missing_sessions_are_skipped_where_asked(call, events):
    path = events("MSFT,2025-02-26\nNVDA,2025-01-29\n")  # the sample ends two sessions after the first
    shown = {}
    for missing in ("propagate", "skip"):
        done = call("run", path, "-b", "SPY", "--car", "0:5", "--missing", missing, "--json")
        shown[missing] = json.loads(done.stdout)["tables"]["car"][0]
    assert shown["propagate"]["car"] is None
    assert isinstance(shown["skip"]["car"], float)
    assert shown["skip"]["n_missing"] == 3


def test_dates_narrow_the_prices(call, events):
    path = events("NVDA,2025-01-29\n")
    done = call("run", path, "-b", "SPY", "--start", "2024-02-01", "--end", "2025-02-14", "--json")
    data = json.loads(done.stdout)["manifest"]["data"]
    assert (data["first"], data["last"]) == ("2024-02-02", "2025-02-14")


def test_default_windows_are_those_of_the_summary(call):
    done = call("run", FOUNDING, "-b", "SPY")
    assert done.stdout.strip() == str(fitted(es.Events.read(FOUNDING)).summary())


def test_a_zone_for_times_of_day_without_one(call, events):
    path = events("NVDA,2025-01-29 16:00\n")
    done = call("run", path, "-b", "SPY", "--tz", "America/New_York", "--json")
    event = json.loads(done.stdout)["tables"]["events"][0]
    assert event["session"] == "2025-01-30"
    assert event["rule"] == "after the close, next session"


def test_the_calendar_places_times_of_day(call, events):
    path = events("NVDA,2025-01-29T17:00:00+00:00\n")  # noon in New York, after the close in London
    found = {}
    for name in ("NYSE", "XLON"):
        done = call("run", path, "-b", "SPY", "--calendar", name, "--json")
        found[name] = json.loads(done.stdout)["tables"]["events"][0]["session"]
    assert found == {"NYSE": "2025-01-29", "XLON": "2025-01-30"}


def test_standard_input_is_read_as_a_file_is():
    text = FOUNDING.read_text(encoding="utf-8")
    done = process("run", "-", "-b", "SPY", "--json", input=text)
    assert done.returncode == 0, done.stderr
    expected = fitted(es.Events.read(FOUNDING)).caar(-1, 1).iloc[0]
    found = json.loads(done.stdout)["tables"]["caar"][1]
    assert (found["start"], found["end"]) == (-1, 1)
    assert found["caar"] == pytest.approx(expected["caar"], rel=1e-12)


def test_json_is_valid_and_complete(call, events):
    path = events("NVDA,2025-01-29\nZZZZ,2025-01-29\n")
    done = call("run", path, "-b", "SPY", "--json")

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(done.stdout, parse_constant=refuse)
    assert set(found) == {"manifest", "caveats", "tables"}
    assert set(found["tables"]) == {"events", "caar", "tests", "car", "dropped"}
    tests = {row["test"]: row for row in found["tables"]["tests"] if row["window"] == "-1:1"}
    assert tests["csect_t"]["statistic"] is None  # one event has no cross-section
    assert tests["csect_t"]["reason"]
    assert tests["patell_z"]["df"] is None  # the normal law
    assert found["tables"]["dropped"][0]["ticker"] == "ZZZZ"
    assert found["tables"]["dropped"][0]["event_id"] == 2


def test_parquet_and_figures(call, tmp_path):
    out = tmp_path / "out"
    done = call("run", FOUNDING, "-b", "SPY", "--car", "-1:1", "--car", "0:5", "--out", out, "--format", "parquet")
    assert done.exit_code == 0, done.stderr
    assert not list(out.glob("*.csv"))
    expected = fitted(es.Events.read(FOUNDING)).car(0, 5)
    found = pd.read_parquet(out / "car.parquet").query("window == '0:5'")
    np.testing.assert_allclose(found["car"], expected["car"], rtol=1e-12)
    figures = {path.name: path.read_bytes() for path in (out / "figures").iterdir()}
    assert set(figures) == {"caar.png", "car_-1_1.png", "car_0_5.png", "heatmap.png"}
    assert all(content.startswith(b"\x89PNG") for content in figures.values())
    assert "figures written to" in done.stderr


def test_no_figures_where_they_are_not_wanted(call, tmp_path):
    out = tmp_path / "out"
    done = call("run", FOUNDING, "-b", "SPY", "--out", out, "--no-plots")
    assert done.exit_code == 0
    assert not (out / "figures").exists()
    assert "figures written" not in done.stderr


def test_prices_from_a_file(call, tmp_path, events):
    path = tmp_path / "prices.csv"
    es.load_prices(["NVDA", "SPY"], source="sample").to_csv(path)
    arguments = ("run", events("NVDA,2025-01-29\n"), "-b", "SPY", "--json")
    from_file, from_sample = (json.loads(call(*arguments, "--source", s).stdout) for s in (path, "sample"))
    assert from_file["tables"] == from_sample["tables"]


# --- run: what cannot be used -----------------------------------------------------------------------------


def test_an_unknown_ticker_is_a_dropped_event(call, events):
    path = events("NVDA,2025-01-29\nNVDIA,2025-01-29\nQQQQ,2025-01-30\n")
    done = call("run", path, "-b", "SPY")
    assert done.exit_code == 0
    assert "warning: events of NVDIA, QQQQ are left out: the bundled sample has no ticker 'NVDIA'" in done.stderr
    assert "Nearest: NVDA" in done.stderr
    assert "1 used, 2 dropped" in done.stdout
    assert re.search(r"^event 2: .*'NVDIA'", done.stdout, re.MULTILINE)
    assert re.search(r"^event 3: .*'QQQQ'", done.stdout, re.MULTILINE)


def test_strict_stops_at_an_unknown_ticker(call, events):
    done = call("run", events("NVDA,2025-01-29\nNVDIA,2025-01-29\n"), "-b", "SPY", "--strict")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: the bundled sample has no ticker 'NVDIA'. Nearest: NVDA")


def test_strict_stops_at_an_event_that_cannot_be_used(call, events):
    path = events("NVDA,2025-01-29\nMSFT,2024-03-01\n")
    assert call("run", path, "-b", "SPY").exit_code == 0
    done = call("run", path, "-b", "SPY", "--strict")
    assert done.exit_code == 1
    for part in ("MSFT", "2024-03-01", "40 usable returns", "Load earlier prices, or lower --min-obs."):
        assert part in done.stderr


def test_an_unknown_benchmark_stops_the_run(call, events):
    done = call("run", events("NVDA,2025-01-29\n"), "-b", "SPX")
    assert done.exit_code == 1
    assert "error: the bundled sample has no ticker 'SPX'. Nearest: SPY" in done.stderr


def test_no_usable_event_stops_the_run(call, events):
    done = call("run", events("ZZZZ,2025-01-29\nYYYY,2025-01-29\n"), "-b", "SPY")
    assert done.exit_code == 1
    assert "error: the bundled sample has no ticker 'ZZZZ'" in done.stderr


def test_long_lists_of_dropped_events_are_cut(call, events):
    lines = [f"Z{n:02d},2025-01-29\n" for n in range(30)]
    done = call("run", events("NVDA,2025-01-29\n" + "".join(lines)), "-b", "SPY")
    assert len(re.findall(r"^event \d+: ", done.stdout, re.MULTILINE)) == 20
    assert "… and 10 more; --out or --json has all." in done.stdout


def test_warnings_are_single_lines_shown_once(events):
    done = process("run", events("NVDA,2025-01-29\nMSFT,2025-01-29\nZZZZ,2025-01-29\n"), "-b", "SPY")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == len(set(lines)) == 3
    assert all(line.startswith("warning: ") for line in lines)
    assert "warnings.warn" not in done.stderr
    assert "results." not in done.stderr


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["events.csv", "cannot be read"]),
        ("ticker,timestamp\n", ["table is empty", "Give at least one security-event"]),
        ("name,timestamp\nNVDA,2025-01-29\n", ["'ticker'", "'name'"]),
        ("ticker,timestamp\nNVDA,29.01.2025\n", ["29.01.2025", "NVDA", "line 2"]),
        ("ticker,timestamp\nMSFT,2025-01-29\nNVDA,2025-01-29 04:46\n", ["NVDA", "line 3", "--tz 'America/New_York'"]),
    ],
)
@pytest.mark.parametrize("standard_input", [False, True])
def test_bad_event_tables(call, tmp_path, content, parts, standard_input):
    path = tmp_path / "events.csv"
    path.write_text(content, encoding="utf-8")
    done = call("run", "-" if standard_input else path, "-b", "SPY", input=content)
    assert done.exit_code == 1
    if standard_input and not content:
        parts = ["Standard input is empty", "ticker and timestamp"]
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    for part in parts:
        assert part in done.stderr


def test_an_unreadable_standard_input_is_not_called_by_a_temporary_name(call):
    done = call("run", "-", "-b", "SPY", input=b"\xff\xfe\x00ticker")
    assert done.exit_code == 1
    assert "Event file on standard input cannot be read" in done.stderr
    assert "stdin.csv" not in done.stderr


def test_a_missing_event_file(call, tmp_path):
    done = call("run", tmp_path / "none.csv", "-b", "SPY")
    assert done.exit_code == 1
    assert f"error: There is no event file {str(tmp_path / 'none.csv')!r}. Check the path." in done.stderr


def test_a_missing_price_file(call, tmp_path):
    done = call("run", FOUNDING, "-b", "SPY", "--source", tmp_path / "prices.csv")
    assert done.exit_code == 1
    assert "prices.csv: no such file" in done.stderr


def test_a_directory_that_cannot_be_made(call, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = call("run", FOUNDING, "-b", "SPY", "--out", tmp_path / "file" / "out")
    assert done.exit_code == 1
    assert "error: Cannot write the results to" in done.stderr


# --- wrong usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-b", "SPY", "--car", "one"], ["--car", "'one' is not a window", "-10:10"]),
        (["-b", "SPY", "--car", "0:11"], ["--car", "not inside the event window [-10, +10]", "Widen --window"]),
        (["-b", "SPY", "--window", "5:-5"], ["--window", "starts after it ends", "(-5, 5)"]),
        (["-b", "SPY", "--estimation", "-270"], ["--estimation", "'-270' is not a window"]),
        (["-b", "SPY", "--estimation=-30:-5"], ["--estimation", "shares sessions with", "end it at -11 or earlier"]),
        (["-b", "SPY", "--min-obs", "400"], ["250 sessions, fewer than --min-obs 400", "Lengthen --estimation"]),
        (["-b", "SPY", "--min-obs", "0"], ["--min-obs"]),
        (["-b", "SPY", "--model", "capn"], ["--model", "'capn'", "Did you mean 'capm'?", "scholes-williams"]),
        (["-b", "SPY", "--missing", "zero"], ["--missing", "propagate"]),
        (["-b", "SPY", "--confidence", "95"], ["--confidence", "between 0 and 1"]),
        (["-b", "SPY", "--source", "bloomberg"], ["--source", "bloomberg", "sample, yahoo"]),
        (["-b", "SPY", "--start", "29.01.2025"], ["--start", "29.01.2025"]),
        (["-b", "SPY", "--start", "2025-01-02", "--end", "2025-01-01"], ["2025-01-02 is after --end 2025-01-01"]),
        (["-b", "SPY", "-b", "SMH"], ["takes one benchmark, not 2 (SPY, SMH)", "use --model factors"]),
        (["-b", "SPY", "-b", "SPY", "--model", "factors"], ["named twice"]),
        (["-b", "SPY", "--model", "mean"], ["uses no benchmark"]),
        ([], ["needs a benchmark, such as --benchmark SPY"]),
        (["-b", "SPY", "--plots"], ["--plots", "Add --out DIR"]),
        (["-b", "SPY", "--format", "parquet"], ["--format", "Add --out DIR"]),
        (["-b", "SPY", "--out", str(FOUNDING)], ["--out", "is a file"]),
        (["-b", "SPY", "--colour"], ["--colour"]),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_wrong_usage_exits_2(call, arguments, parts):
    done = call("run", FOUNDING, *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    for part in parts:
        assert part in done.stderr


def test_wrong_usage_of_a_process():
    done = process("run", FOUNDING, "-b", "SPY", "--estimation", "here")
    assert done.returncode == 2
    assert "Usage: eventstudy run" in done.stderr
    assert "Traceback" not in done.stderr


# --- prices by network ------------------------------------------------------------------------------------


@pytest.fixture
def yahoo(monkeypatch):
    """A stand-in for Yahoo that serves the bundled sample and notes what it was asked."""
    asked: list[tuple[list[str], date | None, date | None]] = []

    class Served:
        name, remote = "yahoo", True
        causes: dict[str, str] = {}  # noqa: RUF012

        def fetch(self, symbols, start, end, interval="1d"):
            asked.append((list(symbols), start, end))
            good = [symbol for symbol in symbols if symbol not in self.causes]
            bars = SampleProvider().fetch(good, start, end)
            kinds = {"unknown": "unknown", "rate": "rate limit", "connection": "network"}
            failures = {
                s: Failure(self.causes[s], kinds[self.causes[s].split()[0]]) for s in symbols if s in self.causes
            }
            if failures:
                raise es.DataSourceError("Yahoo could not deliver.", failures=failures, partial=bars)
            return bars

    monkeypatch.setattr(price_sources, "YahooProvider", Served)
    Served.asked = asked
    return Served


def test_a_run_asks_for_no_more_than_its_windows_need(call, yahoo, events):
    path = events("NVDA,2025-01-29\nMSFT,2025-01-27\n")
    done = call("run", path, "--source", "yahoo", "-b", "SPY")
    assert done.exit_code == 0, done.stderr
    (symbols, start, end), *_ = yahoo.asked
    assert {"SPY", "NVDA", "MSFT"} == {symbol for batch, *_ in yahoo.asked for symbol in batch}, symbols
    before = es.data.calendars.sessions("NYSE", start, "2025-01-27")
    after = es.data.calendars.sessions("NYSE", "2025-01-29", end)
    assert 271 <= len(before) - 1 <= 330
    assert 10 <= len(after) - 1 <= 40


def test_dates_given_win_over_derived_ones(call, yahoo, events):
    path = events("NVDA,2025-01-29\n")
    call("run", path, "--source", "yahoo", "-b", "SPY", "--start", "2023-12-01", "--end", "2025-02-20")
    assert {(start, end) for _, start, end in yahoo.asked} == {(date(2023, 12, 1), date(2025, 2, 20))}


def test_windows_that_reach_beyond_today(call, yahoo, events):
    tomorrow = pd.Timestamp.now("UTC") + pd.Timedelta(days=1)
    call("run", events(f"NVDA,{tomorrow:%Y-%m-%d}\n"), "--source", "yahoo", "-b", "SPY")
    assert all(end <= tomorrow.date() for _, _, end in yahoo.asked)


def test_a_ticker_that_yahoo_lacks_is_a_dropped_event(call, yahoo, events):
    yahoo.causes = {"GONE": "unknown symbol (HTTP 404: No data found, symbol may be delisted)"}
    path = events("NVDA,2025-01-29\nGONE,2025-01-29\n")
    done = call("run", path, "--source", "yahoo", "-b", "SPY")
    assert done.exit_code == 0, done.stderr
    assert "warning: events of GONE are left out" in done.stderr
    assert "HTTP 404" in done.stderr
    assert "1 used, 1 dropped" in done.stdout


@pytest.mark.parametrize("cause", ["rate limited (HTTP 429) (5 attempts)", "connection failed (ConnectionError)"])
def test_a_failure_that_may_pass_does_not_thin_a_study_out(call, yahoo, events, cause):
    yahoo.causes = {"MSFT": cause, "GONE": "unknown symbol (HTTP 404)"}
    path = events("NVDA,2025-01-29\nMSFT,2025-01-29\nGONE,2025-01-29\n")
    done = call("run", path, "--source", "yahoo", "-b", "SPY")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert cause in done.stderr


def test_an_offline_run_reads_the_cache(call, yahoo, events):
    arguments = ("run", events("NVDA,2025-01-29\n"), "--source", "yahoo", "-b", "SPY")
    online = call(*arguments)
    yahoo.asked.clear()
    offline = call(*arguments, "--offline")
    assert offline.exit_code == 0, offline.stderr
    assert offline.stdout == online.stdout
    assert yahoo.asked == []


def test_an_offline_run_without_prices(call, events):
    done = call("run", events("NVDA,2025-01-29\n"), "--source", "yahoo", "-b", "SPY", "--offline")
    assert done.exit_code == 1
    for part in ("error: offline", "NVDA (nothing)", "Run `eventstudy fetch SPY NVDA --start 2023-"):
        assert part in done.stderr


def test_an_offline_run_drops_what_the_cache_does_not_know_but_not_what_it_half_holds(call, yahoo, events):
    assert call("fetch", "SPY", "NVDA", "--start", "2023-11-01", "--end", "2025-03-31").exit_code == 0
    path = events("NVDA,2025-01-29\nMSFT,2025-01-29\n")
    done = call("run", path, "--source", "yahoo", "-b", "SPY", "--offline")
    assert done.exit_code == 0, done.stderr
    assert "warning: events of MSFT are left out: offline" in done.stderr
    assert call("fetch", "MSFT", "--start", "2025-01-01", "--end", "2025-02-28").exit_code == 0
    done = call("run", path, "--source", "yahoo", "-b", "SPY", "--offline")
    assert done.exit_code == 1
    assert "MSFT (2025-01-01 to 2025-02-28)" in done.stderr


def test_fetch_fills_the_cache_and_says_what_came(call, yahoo, tmp_path):
    cache = tmp_path / "mine"
    done = call("fetch", "NVDA", "SPY", "NVDA", "--start", "2024-01-02", "--end", "2025-01-31", "--cache", cache)
    assert done.exit_code == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows == [
        ["ticker", "rows", "first", "last"],
        ["NVDA", "272", "2024-01-02", "2025-01-31"],
        ["SPY", "272", "2024-01-02", "2025-01-31"],
    ]
    assert f"cache: {cache}" in done.stderr
    assert set(PriceCache(cache).list()["symbol"]) == {"NVDA", "SPY"}


def test_fetch_downloads_once_unless_refreshed(call, yahoo):
    arguments = ("fetch", "NVDA", "--start", "2024-01-02", "--end", "2025-01-31")
    call(*arguments)
    call(*arguments)
    assert len(yahoo.asked) == 1
    call(*arguments, "--refresh")
    assert len(yahoo.asked) == 2


def test_fetch_shows_what_came_beside_what_failed(call, yahoo):
    yahoo.causes = {"GONE": "unknown symbol (HTTP 404)"}
    done = call("fetch", "NVDA", "GONE", "--start", "2024-01-02")
    assert done.exit_code == 1
    assert "NVDA" in done.stdout
    assert "GONE" not in done.stdout
    assert "error: yahoo could not deliver 1 of 2 tickers: GONE: unknown symbol (HTTP 404)" in done.stderr


def test_fetch_offline_says_what_to_run():
    done = process("fetch", "MSFT", "--start", "2024-01-02", "--offline")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: offline, and the cache")
    assert "Run `eventstudy fetch MSFT --start 2024-01-02` with a network." in done.stderr


def test_fetch_refuses_to_refresh_offline(call):
    done = call("fetch", "MSFT", "--refresh", "--offline")
    assert done.exit_code == 2
    assert "Drop one of the two" in done.stderr


# --- the cache --------------------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path):
    """A cache of two tickers."""
    store = PriceCache(tmp_path / "filled")
    for symbol, bars in SampleProvider().fetch(["NVDA", "SPY"], None, None).items():
        store.write("yahoo", symbol, bars)
    return store


def test_cache_list(call, filled):
    done = call("cache", "list", "--cache", filled.directory)
    assert done.exit_code == 0
    header, *rows = (line.split() for line in done.stdout.splitlines())
    assert header[:5] == ["symbol", "provider", "rows", "first", "last"]
    assert [row[:5] for row in rows] == [
        ["NVDA", "yahoo", "311", "2023-12-01", "2025-02-28"],
        ["SPY", "yahoo", "311", "2023-12-01", "2025-02-28"],
    ]
    assert f"2 entries in {filled.directory}" in done.stderr


def test_cache_list_says_what_the_source_changed(call, filled):
    bars = SampleProvider().fetch(["NVDA"], None, None)["NVDA"]
    assert "readjusted" not in call("cache", "list", "--cache", filled.directory).stdout
    filled.write("yahoo", "NVDA", bars, readjusted="2026-01-05: closes are 0.5 times those cached")
    shown = call("cache", "list", "--cache", filled.directory).stdout
    assert "2026-01-05: closes are 0.5 times those cached" in shown


def test_cache_list_of_nothing(call, tmp_path):
    done = call("cache", "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"0 entries in {tmp_path / 'cache'}" in done.stderr


def test_cache_verify(call, filled):
    done = call("cache", "verify", "--cache", filled.directory)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 files intact, 0 damaged" in done.stderr


def test_the_bundled_sample_is_intact(call):
    done = call("cache", "verify", "--cache", sample_directory())
    assert done.exit_code == 0
    assert "20 files intact" in done.stderr


def test_cache_verify_finds_damage(call, filled):
    path = filled.directory / str(filled.list().set_index("symbol")["file"]["NVDA"])
    path.write_bytes(path.read_bytes()[:-100])
    done = call("cache", "verify", "--cache", filled.directory)
    assert done.exit_code == 1
    assert done.stdout.startswith("NVDA: ")
    assert "checksum" in done.stdout
    assert "--refresh" in done.stdout
    assert "SPY" not in done.stdout
    assert "1 file intact, 1 damaged" in done.stderr


def test_a_damaged_manifest_is_an_error(call, filled):
    (filled.directory / "manifest.json").write_text("{", encoding="utf-8")
    for command in ("list", "verify"):
        done = call("cache", command, "--cache", filled.directory)
        assert done.exit_code == 1
        assert "error: " in done.stderr
        assert "manifest" in done.stderr


def test_cache_clear_asks_first(call, filled):
    done = call("cache", "clear", "--cache", filled.directory, input="n\n")
    assert done.exit_code == 1
    assert f"Remove 2 entries from {filled.directory}?" in done.stderr
    assert len(filled.list()) == 2
    done = call("cache", "clear", "--cache", filled.directory, input="y\n")
    assert done.exit_code == 0
    assert filled.list().empty


def test_cache_clear_without_asking(call, filled):
    done = call("cache", "clear", "--yes", "--cache", filled.directory)
    assert done.exit_code == 0
    assert f"2 entries removed from {filled.directory}" in done.stderr
    assert filled.list().empty
    assert not list(filled.directory.glob("*.parquet"))


def test_cache_clear_of_some_tickers(call, filled):
    done = call("cache", "clear", "NVDA", "--cache", filled.directory, input="y\n")
    assert f"Remove 1 entry from {filled.directory}?" in done.stderr
    assert filled.list()["symbol"].tolist() == ["SPY"]
    done = call("cache", "clear", "NVDA", "--yes", "--cache", filled.directory)
    assert done.exit_code == 2
    assert "NVDA: not in" in done.stderr
    assert filled.list()["symbol"].tolist() == ["SPY"]


def test_cache_clear_of_orphans(call, filled):
    left = filled.directory / "NVDA-000000000000.parquet"
    left.write_bytes(b"left by a killed process")
    done = call("cache", "verify", "--cache", filled.directory)
    assert done.exit_code == 1
    assert f"{left.name}: no entry names this file. Run `eventstudy cache clear --orphans`." in done.stdout
    done = call("cache", "clear", "--orphans", "--cache", filled.directory)
    assert (done.exit_code, left.exists()) == (0, False)
    assert "1 file removed" in done.stderr
    assert call("cache", "verify", "--cache", filled.directory).exit_code == 0
    done = call("cache", "clear", "NVDA", "--orphans", "--cache", filled.directory)
    assert done.exit_code == 2


# --- snapshots --------------------------------------------------------------------------------------------


def test_a_run_of_a_snapshot_gives_the_numbers_of_then(call, yahoo, events, tmp_path, monkeypatch):
    path = events("NVDA,2025-01-29\n")
    arguments = ("run", path, "--source", "yahoo", "-b", "SPY", "--no-plots", "--out")
    first = call(*arguments, tmp_path / "first")
    assert first.exit_code == 0, first.stderr
    done = call("cache", "snapshot", "paper")
    assert "2 entries kept as 'paper'" in done.stderr
    # Yahoo changes one close, and a later download brings it.
    usual = yahoo.fetch

    def changed(self, symbols, start, end, interval="1d"):
        found = usual(self, symbols, start, end, interval)
        for bars in found.values():
            bars.frame.iloc[200] *= 1.1
        return found

    monkeypatch.setattr(yahoo, "fetch", changed)
    assert call("fetch", "NVDA", "SPY", "--start", "2023-11-01", "--end", "2025-02-28", "--refresh").exit_code == 0
    now = call(*arguments, tmp_path / "now", "--offline")
    yahoo.asked.clear()
    then = call(*arguments, tmp_path / "then", "--snapshot", "paper")
    assert then.exit_code == 0, then.stderr
    assert yahoo.asked == []
    assert then.stdout == first.stdout != now.stdout
    data = {name: json.loads((tmp_path / name / "manifest.json").read_text())["data"] for name in ("first", "then")}
    assert data["then"]["sha256"] == data["first"]["sha256"]
    assert data["then"]["source"].endswith("snapshot 'paper' of the cache")
    # By its day, and in a study file, too.
    today = f"{pd.Timestamp.now('UTC'):%Y-%m-%d}"
    assert call(*arguments, tmp_path / "day", "--snapshot", today).stdout == first.stdout
    study = tmp_path / "study.toml"
    study.write_text(
        '[events]\nfile = "events.csv"\n[prices]\nsource = "yahoo"\nsnapshot = "paper"\n[model]\nbenchmark = "SPY"\n'
    )
    assert call("run", "--config", study).stdout == first.stdout


def test_a_snapshot_keeps_the_factors_too(call, yahoo, events, tmp_path):
    days = es.load_prices("SPY").index
    rng = np.random.default_rng(5)

    def keep_factors() -> None:
        rows = [f"{day:%Y%m%d}, {', '.join(f'{x:.2f}' for x in rng.normal(0, 0.6, 3))}, 0.02" for day in days]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("x.csv", "\n".join(["Made up", "", ",Mkt-RF,SMB,HML,RF", *rows, ""]))
        file = "F-F_Research_Data_Factors_daily"
        StoredFile.write(StoredFile.path(PriceCache().directory, file), FrenchLibrary().url(file), packed.getvalue())

    keep_factors()
    arguments = ("run", events("NVDA,2025-01-15\n"), "--source", "yahoo", "--model", "ff3", "--no-plots", "--out")
    first = call(*arguments, tmp_path / "first")
    assert first.exit_code == 0, first.stderr
    assert call("cache", "snapshot", "paper").exit_code == 0
    keep_factors()
    now = call(*arguments, tmp_path / "now", "--offline")
    then = call(*arguments, tmp_path / "then", "--snapshot", "paper")
    assert then.exit_code == 0, then.stderr
    assert then.stdout == first.stdout != now.stdout


def test_what_a_snapshot_lacks_is_told(call, yahoo, events):
    assert call("fetch", "SPY", "--start", "2023-11-01", "--end", "2025-03-31").exit_code == 0
    assert call("cache", "snapshot", "paper").exit_code == 0
    path = events("NVDA,2025-01-29\n")
    done = call("run", path, "--source", "yahoo", "-b", "SPY", "--snapshot", "paper")
    assert done.exit_code == 1
    assert "the snapshot 'paper' of" in done.stderr
    done = call("run", path, "--source", "yahoo", "-b", "SPY", "--snapshot", "papier")
    assert done.exit_code == 1
    assert "It has 'paper'" in done.stderr
    done = call("run", path, "-b", "SPY", "--snapshot", "paper")
    assert done.exit_code == 2
    assert "'sample' is no download" in done.stderr


def test_snapshots_are_listed_and_removed(call, filled):
    place = ("--cache", filled.directory)
    assert "0 snapshots" in call("cache", "snapshots", *place).stderr
    assert call("cache", "snapshot", "paper", *place).exit_code == 0
    done = call("cache", "snapshots", *place)
    header, row = (line.split() for line in done.stdout.splitlines())
    assert header == ["name", "created", "entries", "sha256"]
    assert (row[0], row[2]) == ("paper", "2")
    assert call("cache", "clear", "--yes", *place).exit_code == 0
    shown = call("cache", "list", "--snapshot", "paper", *place)
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["symbol", "NVDA", "SPY"]
    again = call("cache", "snapshot", "paper", *place)
    assert again.exit_code == 1
    assert "is empty" in again.stderr
    assert call("cache", "snapshot", "paper", "--remove", *place).exit_code == 0
    done = call("cache", "snapshot", "paper", "--remove", *place)
    assert done.exit_code == 1
    assert "no snapshot 'paper'" in done.stderr
    assert not list(filled.directory.glob("*.parquet"))


def test_fetch_knows_its_intervals(call, yahoo):
    done = call("fetch", "SPY", "--interval", "7m")
    assert done.exit_code == 2
    assert "1d, 1wk, 1mo" in done.stderr
    assert yahoo.asked == []


# --- the program ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ((), "eventstudy run events.csv --benchmark SPY"),
        (("run",), "eventstudy run events.csv --benchmark SPY --car -1:1 --car 0:5 --out results"),
        (("fetch",), "eventstudy fetch MSFT NVDA SPY --start 2023-12-01"),
        (("cache",), "eventstudy cache verify"),
        (("cache", "list"), "eventstudy cache list --cache prices"),
        (("cache", "verify"), "eventstudy cache verify && echo intact"),
        (("cache", "clear"), "eventstudy cache clear --yes"),
        (("cache", "snapshot"), "eventstudy cache snapshot paper --remove"),
        (("cache", "snapshots"), "eventstudy cache snapshots"),
    ],
)
def test_help_has_an_example(call, command, example):
    done = call(*command, "--help")
    assert done.exit_code == 0
    assert example in done.stdout
    assert call(*command, "-h").stdout == done.stdout


def test_examples_of_run_are_accepted(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text(FOUNDING.read_text(encoding="utf-8"), encoding="utf-8")
    es.load_prices(["MSFT", "GOOGL", "NVDA", "AMD", "AVGO"], source="sample").to_parquet("prices.parquet")
    days = es.load_prices("SPY", source="sample").index
    lines = [f"{day:%Y%m%d}, {nr % 3 - 1}.0, {nr % 5 - 2}.0, {nr % 7 - 3}.0, 0.02" for nr, day in enumerate(days)]
    table = "\n".join(["Made up", "", ",Mkt-RF,SMB,HML,RF", *lines, ""])
    with zipfile.ZipFile("F-F_Research_Data_Factors_daily_CSV.zip", "w") as archive:
        archive.writestr("F-F_Research_Data_Factors_daily.csv", table)
    examples = re.findall(r"eventstudy (run events.csv [^\n]*?)\s*$", call("run", "--help").stdout, re.MULTILINE)
    assert len(examples) == 6
    for example in examples:
        extra = ["--no-plots"] if "--out" in example else []
        done = call(*example.replace("yahoo", "sample").split(), *extra)
        assert done.exit_code == 0, (example, done.stderr)


def test_version():
    for module in (True, False):
        done = process("--version", module=module)
        assert (done.returncode, done.stdout) == (0, f"eventstudy {es.__version__}\n")


def test_help_is_quick():
    heavy = ["numba", "matplotlib", "yfinance", "statsmodels", "pandas_market_calendars"]
    code = (
        "import sys\n"
        "from eventstudy.cli import main\n"
        "sys.argv = ['eventstudy', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert done.returncode == 0
    assert "Usage: eventstudy" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments", [("--debug", "run", "none.csv", "-b", "X"), ("run", "none.csv", "-b", "X", "--debug")]
)
def test_debug_shows_the_traceback(call, arguments):
    with pytest.raises(es.DataSourceError, match=r"no event file 'none\.csv'"):
        call(*arguments)


def test_a_traceback_is_shown_only_on_demand():
    assert "Traceback" not in process("run", "none.csv", "-b", "SPY").stderr
    assert "Traceback" in process("--debug", "run", "none.csv", "-b", "SPY").stderr


def test_interruption_exits_130(call, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(es.Events, "read", interrupt)
    done = call("run", FOUNDING, "-b", "SPY")
    assert done.exit_code == 130
    assert "Traceback" not in done.output


def test_interruption_at_the_question_exits_130(call, filled, monkeypatch):
    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise cli.base.typer.Abort from None

    monkeypatch.setattr(cli.base.typer, "confirm", interrupted)
    assert call("cache", "clear", "--cache", filled.directory).exit_code == 130
    assert len(filled.list()) == 2


@pytest.mark.skipif(os.name == "nt", reason="pipes close in another way on Windows")
def test_a_closed_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "eventstudy", "run", str(FOUNDING), "-b", "SPY"]
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            command, stdout=closed, stderr=subprocess.PIPE, env=os.environ | ENVIRONMENT, check=False, timeout=120
        )
    shown = done.stderr.decode()
    assert "Traceback" not in shown
    assert "Broken" not in shown


def test_a_terminal_that_cannot_show_the_signs_gets_utf_8():
    command = [sys.executable, "-m", "eventstudy", "run", str(FOUNDING), "-b", "SPY"]
    environment = os.environ | ENVIRONMENT | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0
    assert "[−10" not in done.stdout.decode("utf-8")
    assert "−" in done.stdout.decode("utf-8")
