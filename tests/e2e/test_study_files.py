"""Study files, reports, workbooks and the doctor, from the command line."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli

FOUNDING = Path(__file__).with_name("data") / "founding.csv"
ENVIRONMENT = {"COLUMNS": "250", "TERMINAL_WIDTH": "250", "NO_COLOR": "1", "TERM": "dumb", "EVENTSTUDY_OFFLINE": "1"}

STUDY = """
[prices]
source = "sample"
[model]
name = "factors"
benchmark = ["SPY", "SMH"]
[windows]
estimation = [-200, -11]
event = "-5:5"
car = [[0, 1]]
min_obs = 100
[[event]]
timestamp = "2025-01-29T04:46:00-05:00"
tickers = ["MSFT", "NVDA"]
group = "named"
"""


@pytest.fixture(autouse=True)
def _environment(tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EVENTSTUDY_CACHE", str(tmp_path / "cache"))


def call(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], prog_name="eventstudy")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def study(tmp_path):
    """Write a study file."""

    def write(text=STUDY, name="study.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def tables(*arguments):
    return json.loads(call(*arguments, "--json").stdout)["tables"]


def test_a_study_file_says_what_the_library_is_asked(study):
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York", group="named")
    panel = es.ReturnPanel.from_prices(es.load_prices(["SPY", "SMH", "MSFT", "NVDA"], source="sample"))
    with pytest.warns(es.ClusteredEventsWarning):
        res = es.EventStudy(panel, events, es.FactorModel(["SPY", "SMH"]), (-200, -11), (-5, 5), min_obs=100).fit()
    found = pd.DataFrame(tables("run", "--config", study())["car"])
    assert found["car"].tolist() == pytest.approx(res.car(0, 1)["car"].tolist(), rel=1e-14)
    assert found["p_value"].tolist() == pytest.approx(res.car(0, 1)["p_value"].tolist(), rel=1e-12)
    assert found["window"].unique().tolist() == ["0:1"]


def test_the_command_line_goes_before_the_study_file(study):
    found = pd.DataFrame(tables("run", "--config", study(), "--car", "0:0", "--model", "market", "-b", "SPY")["caar"])
    assert found[["start", "end"]].to_numpy().tolist() == [[0, 0]]
    assert found["n"].tolist() == [2]


def test_events_of_a_file_are_found_beside_the_study_file(study, tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    text = STUDY.partition("[[event]]")[0] + '[events]\nfile = "founding.csv"\n'
    path = study(text)
    (tmp_path / "founding.csv").write_bytes(FOUNDING.read_bytes())
    monkeypatch.chdir(folder)
    assert len(tables("run", "--config", path)["events"]) == len(pd.read_csv(FOUNDING))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[windows]", "[window]"), "Did you mean 'windows'?"),
        (("estimation =", "estmation ="), "Did you mean 'estimation'?"),
        (("tickers =", "tikers ="), "Did you mean 'tickers'?"),
        (("[prices]", "[prices"), "is not TOML"),
        (('[prices]\nsource = "sample"', "prices = 3"), "is no section"),
        (('timestamp = "2025-01-29T04:46:00-05:00"\n', ""), "lacks a timestamp"),
        (('tickers = ["MSFT", "NVDA"]\n', ""), "lacks tickers"),
        (("[prices]", '[events]\nfile = "x.csv"\n[prices]'), "lists events too"),
    ],
)
def test_mistakes_in_a_study_file_are_named(study, change, words):
    broken = STUDY.replace(*change)
    assert broken != STUDY
    assert words in call("run", "--config", study(broken), code=1).stderr


def test_a_wrong_value_in_a_study_file_is_wrong_usage(study):
    result = call("run", "--config", study(STUDY.replace('"factors"', '"astrology"')), code=2)
    assert "astrology" in result.stderr


def test_a_study_file_without_events_is_wrong_usage(study):
    assert "EVENTS" in call("run", "--config", study(STUDY.partition("[[event]]")[0]), code=2).stderr


def test_a_study_file_that_cannot_be_read_is_an_error(tmp_path):
    assert "eventstudy init" in call("run", "--config", tmp_path / "none.toml", code=1).stderr
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'[prices]\nsource = "\xe9"')
    assert "UTF-8" in call("run", "--config", latin, code=1).stderr
    large = tmp_path / "large.toml"
    large.write_text("#" * (1 << 20) + "\n")
    assert "larger than 1 MB" in call("run", "--config", large, code=1).stderr


def test_what_init_writes_runs_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("init")
    result = call("run", "--config", "study.toml")
    assert "7 used, 0 dropped" in result.stdout
    written = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"car.csv", "report.html", "figures", "manifest.json"} <= written
    assert "--force" in call("init", code=1).stderr
    call("init", "--force")


def test_init_names_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    assert "Cannot write" in call("init", tmp_path / "file" / "study.toml", code=1).stderr


def test_a_report_is_one_file_that_asks_nothing_of_the_network(study, tmp_path):
    call("report", "--config", study(), "--to", tmp_path / "study.html", "--title", "Two <b>names</b>")
    page = (tmp_path / "study.html").read_text(encoding="utf-8")
    assert "Two &lt;b&gt;names&lt;/b&gt;" in page
    assert 'src="http' not in page


def test_risk_is_written_where_it_is_asked_for(study, tmp_path):
    out = tmp_path / "out"
    said = call("run", "--config", study(), "--out", out, "--risk", "--no-plots")
    assert "risk_volatility.csv" in said.stderr
    table = pd.read_csv(out / "risk_volatility.csv")
    assert set(table["estimator"]) == {"close"}  # the sample has nothing else
    assert not (out / "risk_abnormal_volume.csv").exists()
    assert table["volatility_after"].between(0.001, 0.2).all()


def test_a_workbook_holds_what_the_tables_say(study, tmp_path):
    out = tmp_path / "out"
    call("run", "--config", study(), "--out", out, "--excel", "--no-plots")
    sheets = pd.read_excel(out / "tables.xlsx", sheet_name=None)
    assert list(sheets)[:3] == ["caar", "tests", "group_caar"]
    assert list(sheets)[-1] == "manifest"
    written = pd.read_csv(out / "car.csv")
    pd.testing.assert_frame_equal(sheets["car"], written, check_dtype=False, rtol=1e-14)
    items = sheets["manifest"].set_index("item")["value"]
    assert items["data.sha256"] == json.loads((out / "manifest.json").read_text())["data"]["sha256"]


def test_text_of_a_workbook_is_never_a_formula(tmp_path):
    import openpyxl

    events = es.Events.at("2025-01-27", ["MSFT", "NVDA"], label='=HYPERLINK("http://x")', group="=1+1")
    panel = es.ReturnPanel.from_prices(es.load_prices(["MSFT", "NVDA", "SPY"], source="sample"))
    with pytest.warns(es.EventStudyWarning):
        res = es.EventStudy(panel, events, es.MarketModel("SPY")).fit()
    book = openpyxl.load_workbook(res.to_excel(tmp_path / "x.xlsx", windows=[(0, 0)]))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert any(cell.value == "=1+1" for cell in cells)


def test_a_workbook_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    from eventstudy import export

    monkeypatch.setattr(export, "_EXCEL_ROWS", 2)
    events = es.Events.at("2025-01-27", ["MSFT", "NVDA"])
    panel = es.ReturnPanel.from_prices(es.load_prices(["MSFT", "NVDA", "SPY"], source="sample"))
    with pytest.warns(es.EventStudyWarning):
        res = es.EventStudy(panel, events, es.MarketModel("SPY")).fit()
    with pytest.raises(es.InputError, match="to_parquet"):
        res.to_excel(tmp_path / "x.xlsx")


def test_the_doctor_finds_a_sound_installation(tmp_path):
    found = {check["name"]: check for check in json.loads(call("doctor", "--offline", "--json").stdout)}
    assert found["A study of the sample"]["state"] == "ok"
    assert found["Exchange calendar"]["state"] == "ok"
    assert found["Yahoo Finance"]["found"] == "not asked: offline"
    assert str(tmp_path / "cache") in found["Cache"]["found"]


def test_the_doctor_names_a_cache_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    result = call("doctor", "--offline", "--cache", tmp_path / "file" / "cache", code=1)
    assert "BAD   Cache" in result.stdout
    assert "EVENTSTUDY_CACHE" in result.stdout


def test_the_doctor_says_that_yahoo_cannot_be_reached(monkeypatch):
    from eventstudy.cli import doctor

    monkeypatch.setenv("EVENTSTUDY_OFFLINE", "0")
    monkeypatch.setattr(doctor, "_YAHOO", ("127.0.0.1", 1))  # nothing listens there
    found = {check["name"]: check for check in json.loads(call("doctor", "--json").stdout)}
    assert found["Yahoo Finance"]["state"] == "note"
    assert "cannot be reached" in found["Yahoo Finance"]["found"]


def test_other_dated_events_stand_in_every_output(study, tmp_path):
    (tmp_path / "calendar.csv").write_text(
        "date,time,timing,scope,label\n"
        "2025-01-29,,after close,MSFT,quarterly results\n"
        "2025-01-29,14:00,,market,FOMC statement\n"
        "2025-03-05,,,MSFT,too late\n"
    )
    text = STUDY + '[events]\nconfounders = "calendar.csv"\ntz = "America/New_York"\n'
    done = call("run", "--config", study(text), "--out", tmp_path / "out", "--no-plots")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "2025-01-29 after close quarterly results security +1 [0, +1] 1 MSFT" in lines
    assert "2025-01-29 14:00 America/New_York FOMC statement market 0 [0, +1] 2 MSFT, NVDA" in lines
    table = pd.read_csv(tmp_path / "out" / "confounders.csv")
    assert table[["ticker", "confounder", "tau"]].to_numpy().tolist() == [
        ["MSFT", "FOMC statement", 0], ["MSFT", "quarterly results", 1], ["NVDA", "FOMC statement", 0],
    ]  # fmt: skip
    assert pd.read_csv(tmp_path / "out" / "car.csv")["confounders"].tolist()[0] == (
        "FOMC statement (0); quarterly results (+1)"
    )
    found = json.loads(call("run", "--config", study(text), "--json").stdout)
    assert len(found["tables"]["confounders"]) == 3
    assert found["manifest"]["confounders"]["events"] == 3
    bundled = call("run", FOUNDING, "-b", "SPY", "--car", "0:1", "--confounders", "sample")
    assert "FOMC statement (rates unchanged)" in bundled.stdout
    missing = call("run", FOUNDING, "-b", "SPY", "--confounders", tmp_path / "none.csv", code=1)
    assert "There is no calendar file" in missing.stderr


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_the_doctor_goes_by_the_same_switch_as_the_library(monkeypatch, value):
    monkeypatch.setenv("EVENTSTUDY_OFFLINE", value)
    found = {check["name"]: check for check in json.loads(call("doctor", "--json").stdout)}
    assert found["Yahoo Finance"]["found"] == "not asked: offline"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs to become another user")
def test_a_cache_for_reading_only_is_a_note(tmp_path):
    """Permissions are those of an ordinary user: root ignores them."""
    from eventstudy.data import PriceCache, SampleProvider

    call("doctor", "--offline")  # what is imported later must be readable now
    with tempfile.TemporaryDirectory() as name:
        store = PriceCache(name)
        store.write("yahoo", "SPY", SampleProvider().fetch(["SPY"], None, None)["SPY"])
        store.snapshot("paper")
        shown = call("doctor", "--offline", "--cache", name).stdout
        assert f"ok    Cache: 1 entry in {name}, 1 snapshot\n" in shown
        os.chmod(name, 0o555)
        os.seteuid(65534)
        try:
            shown = call("doctor", "--offline", "--cache", name).stdout
        finally:
            os.seteuid(0)
            os.chmod(name, 0o755)
    assert f"note  Cache: 1 entry in {name}, for reading only: Permission denied" in shown
    assert "Set EVENTSTUDY_CACHE" in shown
