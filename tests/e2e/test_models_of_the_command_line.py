"""Every model, estimation-window option and frequency of the command line, against the library called directly."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import fields
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factor_files import write_factor_files
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli
from eventstudy.cli import study_file
from eventstudy.cli.inputs import Windows, span
from eventstudy.cli.models import Choice, lines_of_models
from eventstudy.data import load_factors, sample
from eventstudy.data import prices as price_sources
from eventstudy.data.bars import Bars
from eventstudy.data.calendars import trading_hours
from eventstudy.models import MODELS, NormalReturnModel, named_model

ENVIRONMENT = {"COLUMNS": "250", "TERMINAL_WIDTH": "250", "NO_COLOR": "1", "TERM": "dumb", "EVENTSTUDY_OFFLINE": "1"}
EVENTS = "ticker,timestamp\nMSFT,2025-01-29\nNVDA,2025-01-27\n"
WINDOWS = ("--estimation", "-250:-11", "--window", "-5:5", "--car", "0:1")
FACTORS = ("Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom", "RF")

# The class and its arguments, written out: what each name must stand for.
EXPECTED = {
    "market": es.MarketModel("SPY"),
    "adjusted": es.MarketAdjusted("SPY"),
    "mean": es.MeanAdjusted(),
    "factors:benchmark=SPY+SMH": es.FactorModel(["SPY", "SMH"]),
    "factors:benchmark=SPY+HML,risk_free=RF,total_returns=SPY": es.FactorModel(["SPY", "HML"], "RF", ["SPY"]),
    "capm": es.FactorModel.capm("SPY"),
    "capm:benchmark=Mkt-RF": es.FactorModel.capm(),
    "ff3": es.FactorModel.ff3(),
    "carhart": es.FactorModel.carhart(),
    "ff5": es.FactorModel.ff5(),
    "ff6": es.FactorModel.ff6(),
    "scholes-williams": es.ScholesWilliams("SPY"),
    "dimson:leads=2,lags=3,fowler_rorke=false": es.Dimson("SPY", 2, 3, False),
    "huber:c=2.5,scale=robust": es.RobustMarketModel("SPY", "huber", 2.5, "robust"),
    "theil-sen": es.RobustMarketModel("SPY", "theil-sen"),
    "garch:family=gjr,distribution=t": es.GARCHMarketModel("SPY", "gjr", "t"),
    "gjr": es.GARCHMarketModel("SPY", "gjr"),
    "garch": es.GARCHMarketModel("SPY"),
    "rolling:window=100": es.RollingMarketModel("SPY", 100),
    "ewma:halflife=30": es.EWMAMarketModel("SPY", 30),
    "peers:peers=GOOGL+AMZN": es.PeerPortfolio(["GOOGL", "AMZN"]),
    'peers:{"peers": {"MSFT": ["GOOGL"], "NVDA": ["AMD"]}}': es.PeerPortfolio({"MSFT": ["GOOGL"], "NVDA": ["AMD"]}),
    "synthetic-control:donors=GOOGL+AMZN+SPY,intercept=true": es.SyntheticControl(["GOOGL", "AMZN", "SPY"], True),
    "synthetic-control:exclude=SPY+SMH": es.SyntheticControl(exclude=["SPY", "SMH", *FACTORS, "SMB5"]),
    "latent:n_factors=2": es.LatentFactors(2, exclude=[*FACTORS, "SMB5"]),
}


@pytest.fixture(autouse=True)
def _environment(tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EVENTSTUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text(EVENTS)


def call(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], prog_name="eventstudy")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def tables(*arguments):
    found = json.loads(call(*arguments, "--json").stdout)
    return {name: pd.DataFrame(rows) for name, rows in found["tables"].items()}


def quietly(study):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return study.fit()


def agree(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert found["ticker"].tolist() == expected["ticker"].tolist()
    for name in ("car", "std_error", "t", "p_value"):
        np.testing.assert_allclose(found[name].astype(float), expected[name], rtol=1e-9, err_msg=name)


@pytest.fixture
def folder(tmp_path):
    return write_factor_files(tmp_path / "factors")


# --- the registry -----------------------------------------------------------------------------------------


def test_the_registry_knows_every_model_and_all_that_they_take():
    made = {
        type(named_model(name, "SPY" if MODELS[name].benchmarks in ("one", "several") else (), **extra))
        for name in MODELS
        for extra in [{"peers": ["A"]} if name == "peers" else {}]
    }
    public = {getattr(es, name) for name in es.__all__} - {NormalReturnModel}
    assert made == {kind for kind in public if isinstance(kind, type) and {"fit", "benchmarks"} <= set(dir(kind))}
    for entry in MODELS.values():
        kind = entry.make.func if isinstance(entry.make, partial) else entry.make
        if isinstance(kind, type):
            fixed = set(entry.make.keywords) if isinstance(entry.make, partial) else set()
            free = {part.name for part in fields(kind) if part.init} - fixed
            spared = {"benchmark", "factors", "label", "method"} | ({"c"} if entry.name == "theil-sen" else set())
            assert set(entry.parameters) == free - spared, entry.name


def test_every_model_is_listed_in_the_help():
    shown = call("run", "--help").stdout
    assert set(MODELS) <= set(Choice.of(text).name for text in EXPECTED) | {"egarch"}
    for entry in MODELS.values():
        assert f"{entry.name}: {entry.title}" in shown
    assert "leads, lags, fowler_rorke" in lines_of_models()


# --- numbers ----------------------------------------------------------------------------------------------


def test_every_model_gives_the_numbers_of_its_class(folder):
    options = [part for text in EXPECTED for part in ("--model", text)]
    found = tables("compare", "events.csv", "-b", "SPY", "--factors", "factors", "--min-obs", "60", *options, *WINDOWS)
    prices = es.load_prices([*sample.tickers()], source="sample")
    panel = es.ReturnPanel.from_prices(prices).with_factors(load_factors("ff3+ff5+mom", source=folder))
    labels = list(dict.fromkeys(found["comparison"]["model"]))
    assert len(labels) == len(EXPECTED)
    for label, model in zip(labels, EXPECTED.values(), strict=True):
        res = quietly(es.EventStudy(panel, es.Events.read("events.csv"), model, (-250, -11), (-5, 5), min_obs=60))
        cars, means = (found[name][found[name]["model"] == label] for name in ("comparison_car", "comparison"))
        agree(cars, res.car(0, 1))
        assert means["caar"].iloc[0] == pytest.approx(res.caar(0, 1)["caar"].iloc[0], rel=1e-9)
    assert set(found) == {"comparison", "comparison_car", "comparison_tests", "diagnostics"}
    assert set(found["diagnostics"]["model"]) == set(labels)


@pytest.mark.parametrize(
    ("options", "study"),
    [
        (("--estimation", "-120:-11,11:20"), {"estimation_window": [(-120, -11), (11, 20)]}),
        (("--exclude", "2024-12-20:2025-01-03", "--exclude", "2024-08-05"), {}),
        (("--exclude", "NVDA=2024-11-21", "--exclude", "2024-08-05"), {}),
        (("--exclude-events",), {"exclude_events": True}),
        (("--exclude-around", "0:60"), {"exclude_events": (0, 60)}),
        (("--outliers", "4"), {"outliers": 4.0}),
        (("--log-returns",), {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_of_the_estimation_window_reach_the_study(options, study):
    days: object = None
    if "--exclude" in options:
        days = [("2024-12-20", "2025-01-03"), "2024-08-05"]
    if "NVDA=2024-11-21" in options:
        days = {"MSFT": ["2024-08-05"], "NVDA": ["2024-11-21", "2024-08-05"]}
    Path("events.csv").write_text(EVENTS + "NVDA,2024-08-29\n")
    events = es.Events.read("events.csv")
    windows = {"estimation_window": (-150, -11), "event_window": (-5, 5)} | study | {"exclude": days}
    kind = "log" if "--log-returns" in options else "simple"
    panel = es.ReturnPanel.from_prices(es.load_prices(["SPY", "MSFT", "NVDA"], source="sample"), kind=kind)
    res = quietly(es.EventStudy(panel, events, es.MarketModel("SPY"), **windows))
    base = () if "--estimation" in options else ("--estimation", "-150:-11")
    found = tables("run", "events.csv", "-b", "SPY", "--window", "-5:5", "--car", "0:1", *base, *options)
    agree(found["car"], res.car(0, 1))
    plain = quietly(es.EventStudy(panel, events, es.MarketModel("SPY"), (-150, -11), (-5, 5)))
    if "--log-returns" not in options:  # the option changes the numbers
        before, after = plain.car(0, 1)["std_error"], res.car(0, 1)["std_error"]
        assert len(before) != len(after) or not np.allclose(before, after, rtol=1e-6)


@pytest.mark.parametrize(("interval", "frequency"), [("1wk", "W"), ("1mo", "M")])
def test_weekly_and_monthly_returns(interval, frequency):
    estimation = (-45, -2) if frequency == "W" else (-11, -1)
    panel = es.ReturnPanel.from_prices(es.load_prices(["SPY", "MSFT", "NVDA"], source="sample"), frequency=frequency)
    events = es.Events.read("events.csv")
    res = quietly(es.EventStudy(panel, events, es.MarketModel("SPY"), estimation, (0, 1), min_obs=8))
    window = ":".join(map(str, estimation))
    options = ("--estimation", window, "--window", "0:1", "--car", "0:1", "--min-obs", "8", "--interval", interval)
    agree(tables("run", "events.csv", "-b", "SPY", *options)["car"], res.car(0, 1))


@pytest.mark.parametrize(
    ("interval", "estimation", "least", "most"),
    [
        ("1d", "-250:-11", 250 / 252 * 365, 450),
        ("1wk", "-60:-3", 60 * 7, 460),
        ("1mo", "-36:-3", 36 * 30.5, 1200),
        ("5m", "-390:-13", 390 / 78 * 7 / 5, 30),
        ("60m", "-70:-3", 10 * 7 / 5, 45),
    ],
)
def test_prices_are_asked_for_as_far_back_as_windows_reach(interval, estimation, least, most):
    events = es.Events.at("2024-06-12 10:07", "MSFT", tz="America/New_York")
    first, last = span(events, Windows(estimation, "-2:2", None, 20), interval)
    assert least <= (datetime(2024, 6, 12) - first).days <= most
    assert (last - datetime(2024, 6, 12)).days >= {"1wk": 14, "1mo": 62}.get(interval, 4)


def test_bars_of_a_session(monkeypatch):
    """Windows count half-hours; news at 10:07 belongs to the bar that ends at 10:30."""
    hours = trading_hours("NYSE", "2025-01-02", "2025-01-14")
    starts = [t for a, b in zip(hours.open, hours.close, strict=True) for t in range(a, b, 30 * 60 * 10**9)]
    index = pd.to_datetime(starts, utc=True).tz_convert("America/New_York").as_unit("us").rename("time")
    steps = np.random.default_rng(2).normal(0, 0.002, (len(index), 3))
    closes = pd.DataFrame(100 * np.exp(np.cumsum(steps, axis=0)), index, ["SPY", "MSFT", "NVDA"])
    opens = closes.shift(fill_value=100.0) * 1.0001

    class Served:
        name, remote = "yahoo", False

        def fetch(self, symbols, start, end, interval="1d"):
            frames = {name: pd.DataFrame({"open": opens[name], "close": closes[name]}) for name in symbols}
            return {name: Bars(frame, "close, not adjusted", interval=interval) for name, frame in frames.items()}

    monkeypatch.setattr(price_sources, "YahooProvider", Served)
    Path("news.csv").write_text("ticker,timestamp\nMSFT,2025-01-13T10:07-05:00\nNVDA,2025-01-13T15:07:00+00:00\n")
    windows = ("--estimation", "-80:-3", "--window", "-2:4", "--car", "0:1", "--min-obs", "60")
    options = ("--source", "yahoo", "--interval", "30m", "-b", "SPY", *windows)
    found = json.loads(call("run", "news.csv", *options, "--json").stdout)["tables"]
    panel = es.ReturnPanel.from_bars(closes, opens=opens, stamps="start", interval="30min")
    events = es.Events.at("2025-01-13 10:07", ["MSFT", "NVDA"], tz="America/New_York")
    res = quietly(es.EventStudy(panel, events, es.MarketModel("SPY"), (-80, -3), (-2, 4), min_obs=60))
    agree(pd.DataFrame(found["car"]), res.car(0, 1))
    assert panel.label(int(res.fit.index.position[0])) == "2025-01-13 10:30 EST"
    shown = call("run", "events.csv", "-b", "SPY", "--interval", "30m", code=2).stderr
    assert "come from yahoo" in shown


# --- study files ------------------------------------------------------------------------------------------

STUDY = """
[prices]
interval = "1d"
[model]
name = "dimson"
benchmark = "SPY"
leads = 2
lags = 2
[compare]
models = ["mean", {name = "ewma", halflife = 30}, {name = "peers", peers = {MSFT = ["GOOGL"], NVDA = ["AMD"]}}]
[windows]
estimation = [[-120, -11], [11, 20]]
event = [-5, 5]
car = [[0, 1]]
exclude = [2024-12-24, [2024-08-05, 2024-08-07]]
exclude_events = [0, 8]
outliers = 6
[[event]]
timestamp = 2025-01-29
tickers = ["MSFT", "NVDA"]
"""


def write(text=STUDY):
    Path("study.toml").write_text(text, encoding="utf-8")
    return "study.toml"


def test_a_study_file_holds_all_of_it(tmp_path):
    models = [
        es.Dimson("SPY", 2, 2),
        es.MeanAdjusted(),
        es.EWMAMarketModel("SPY", 30),
        es.PeerPortfolio({"MSFT": ["GOOGL"], "NVDA": ["AMD"]}),
    ]
    panel = es.ReturnPanel.from_prices(es.load_prices(["SPY", "MSFT", "NVDA", "GOOGL", "AMD"], source="sample"))
    events = es.Events.at("2025-01-29", ["MSFT", "NVDA"])
    options = {
        "estimation_window": [(-120, -11), (11, 20)],
        "event_window": (-5, 5),
        "exclude": ["2024-12-24", ("2024-08-05", "2024-08-07")],
        "exclude_events": (0, 8),
        "outliers": 6,
    }
    results = [quietly(es.EventStudy(panel, events, model, **options)) for model in models]
    run = json.loads(call("run", "--config", write(), "--json").stdout)
    agree(pd.DataFrame(run["tables"]["car"]), results[0].car(0, 1))
    wanted, got = results[0].manifest["configuration"], run["manifest"]["configuration"]
    assert {key: got[key] for key in wanted if key != "exclude"} == {
        key: json.loads(json.dumps(value)) for key, value in wanted.items() if key != "exclude"
    }
    assert list(dict.fromkeys(pd.DataFrame(run["tables"]["comparison"])["model"])) == [
        "dimson:leads=2,lags=2",
        "mean",
        "ewma:halflife=30",
        "peers",
    ]
    compared = tables("compare", "--config", "study.toml")
    assert len(compared["comparison_car"]) == 8
    agree(compared["comparison_car"], pd.concat([res.car(0, 1) for res in results]))

    call("run", "--config", "study.toml", "--out", "out", "--report")
    written = {path.name for path in Path("out").iterdir()}
    assert {
        "comparison.csv",
        "comparison_car.csv",
        "comparison_tests.csv",
        "comparison.png",
        "diagnostics.csv",
    } <= written
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "By model" in page
    assert ">this study<" not in page
    frame = pd.read_csv("out/comparison.csv")
    assert frame["window"].unique().tolist() == ["0:1"]
    assert frame["caar"].tolist() == pytest.approx([res.caar(0, 1)["caar"].iloc[0] for res in results], rel=1e-12)


def test_the_command_line_replaces_the_model_and_its_parameters():
    found = tables("run", "--config", write(), "--model", "market")
    assert found["comparison"]["model"].iloc[0] == "market"
    two = tables("compare", "--config", "study.toml", "--model", "market", "--model", "mean")
    assert set(two["comparison"]["model"]) == {"market", "mean"}


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        (("leads = 2", "leeds = 2"), ["[model] of study.toml", "Did you mean 'leads'?"], 1),
        (("halflife = 30", "half_life = 30"), ["[compare]", "Did you mean 'halflife'?"], 1),
        (('name = "dimson"', 'name = "dimsom"'), ["--model", "Did you mean 'dimson'?"], 2),
        (("leads = 2", "leads = -2"), ["--model", "leads=-2 is not a number of sessions"], 2),
        (("models = [", "model = ["), ["[compare]", "Did you mean 'models'?"], 1),
        (("2024-12-24", "2024-12-32"), ["is not TOML"], 1),
        (("2024-12-24", "2024-12-25"), ["exclude names 2024-12-25"], 1),
        (("outliers = 6", "outliers = 1"), ["--outliers", "from 2 on"], 2),
        (("[11, 20]", "[3, 20]"), ["--estimation", "shares sessions"], 2),
        (('interval = "1d"', 'interval = "1w"'), ["--interval", "Did you mean '1wk'?"], 2),
    ],
)
def test_mistakes_are_named(change, words, code):
    broken = STUDY.replace(*change)
    assert broken != STUDY
    shown = call("run", "--config", write(broken), code=code).stderr
    for word in words:
        assert word in shown


def test_every_option_that_init_shows_as_a_comment_exists():
    """Each commented line, made one of the file, is understood; those of [model] under a model that has them."""
    call("init", "init.toml")
    lines = Path("init.toml").read_text(encoding="utf-8").splitlines()
    commented = [at for at, line in enumerate(lines) if re.match(r"# (\w+ = |\[)", line)]
    assert len(commented) >= 20
    shown = {re.match(r"# \[?(\w+)", lines[at])[1] for at in commented}
    parameters = {"leads", "lags", "distribution", "halflife", "span", "peers", "donors"}
    assert parameters | {"factors", "exclude_events", "outliers", "interval", "compare", "models", "min_obs"} <= shown
    for at in commented:
        made = [*lines[:at], lines[at].removeprefix("# "), *lines[at + 1 :]]
        if lines[at].startswith("# models"):
            made[at - 1] = "[compare]"
        key = made[at].split(" ")[0]
        owner = next((name for name, entry in MODELS.items() if key in entry.parameters), None)
        section = [line for line in lines[:at] if line.startswith("[")][-1]
        if section.startswith("[model]") and owner:
            made = [line.replace('name = "market"', f'name = "{owner}"') for line in made]
        if key == "file":
            made = made[: at + 1] + [line for line in made[at + 1 :] if line.startswith("tz")]
        Path("one.toml").write_text("\n".join(made), encoding="utf-8")
        found = study_file._options(Path("one.toml"))
        assert found["model"].split(":")[0] in MODELS if "model" in found else key == "file"
        if owner and section.startswith("[model]"):
            assert key in Choice.of(found["model"]).parameters


# --- wrong usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-b", "SPY", "--model", "dimson:leads"], ["'leads' is not KEY=VALUE"]),
        (["-b", "SPY", "--model", "dimson:leads=1,leads=2"], ["given twice"]),
        (["-b", "SPY", "--model", "garch:family=gjr,volatility=garch"], ["volatility twice"]),
        (["-b", "SPY", "--model", "garch:family=figarch"], ["--model", "figarch", "egarch"]),
        (["-b", "SPY", "--model", "market:leads=1"], ["no parameter 'leads'", "It has none"]),
        (["--model", "peers"], ["needs the names of the peers"]),
        (["--model", "peers:{"], ["is not JSON"]),
        (["--model", "ff3", "-b", "SPY"], ["--benchmark", "uses no benchmark"]),
        (["-b", "SPY", "--compare", "hubber"], ["--compare", "Did you mean 'huber'?"]),
        (["-b", "SPY", "-b", "SMH", "--compare", "mean"], ["No model uses SMH"]),
        (["-b", "SPY", "--exclude", "27 Jan 2025"], ["--exclude", "neither DATE nor DATE:DATE"]),
        (["-b", "SPY", "--factors", "f.csv"], ["--factors", "No model reads factors"]),
        (["--source", "yahoo", "--model", "latent"], ["Name the securities", "latent:donors="]),
    ],
    ids=lambda value: " ".join(value),
)
def test_wrong_usage_exits_2(arguments, words):
    days = es.load_prices("SPY", source="sample").index
    pd.DataFrame({"date": days, "Mkt-RF": 0.001, "RF": 0.0001}).to_csv("f.csv", index=False)
    shown = call("run", "events.csv", *arguments, code=2).stderr
    for word in words:
        assert word in shown


def test_one_model_is_no_comparison():
    assert "Name two models" in call("compare", "events.csv", "-b", "SPY", code=2).stderr
    assert "no comparison" in call("compare", "events.csv", "-b", "SPY", "--model", "market", code=2).stderr


def test_factors_that_are_not_there_offline_say_what_to_do():
    assert "offline" in call("run", "events.csv", "--model", "ff3", code=1).stderr.lower()


def test_which_size_factor_a_table_holds_is_to_be_said():
    days = es.load_prices("SPY", source="sample").index
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(0, 0.005, (len(days), 6)), days, ["Mkt-RF", "SMB", "HML", "RMW", "CMA", "RF"])
    table.assign(RF=0.0002).rename_axis("date").to_csv("all.csv")
    options = ("--model", "ff3", "--factors", "all.csv", "--factor-units", "decimal", *WINDOWS)
    assert "--factor-smb ff3" in " ".join(call("run", "events.csv", *options, code=2).stderr.replace("│", "").split())
    assert len(tables("run", "events.csv", *options, "--factor-smb", "ff3")["car"]) == 2


def test_securities_with_the_names_of_factors(folder):
    """RF and CMA are tickers of listed companies; the factors then stand under a prefix."""
    prices = es.load_prices(["MSFT", "NVDA"], source="sample").rename(columns={"MSFT": "RF", "NVDA": "CMA"})
    prices.to_csv("prices.csv")
    Path("events.csv").write_text("ticker,timestamp\nRF,2025-01-29\nCMA,2025-01-27\n")
    found = tables("run", "events.csv", "--source", "prices.csv", "--model", "ff5", "--factors", "factors", *WINDOWS)
    panel = es.ReturnPanel.from_prices(prices).with_factors(load_factors("ff5", source=folder), prefix="FF ")
    events, model = es.Events.read("events.csv"), es.FactorModel.ff5(prefix="FF ")
    agree(found["car"], quietly(es.EventStudy(panel, events, model, (-250, -11), (-5, 5))).car(0, 1))


def test_a_report_shows_the_comparison():
    call("report", "events.csv", "-b", "SPY", "--compare", "mean", *WINDOWS, "--to", "r.html")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "By model" in page
    assert ">this study<" not in page  # as without --compare


def test_power_takes_the_models_that_need_no_factors():
    options = ("--events", "4", "--studies", "3", "--estimation", "-60:-11", "--window", "0:1", "--test", "patell_z")
    assert "patell_z" in call("power", "-b", "SPY", "--model", "dimson:leads=0", *options).stdout
    assert "reads factors" in call("power", "--model", "ff3", code=2).stderr
