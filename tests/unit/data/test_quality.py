"""Checks of prices at the door: what is planted is found, what is real is left alone."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli
from eventstudy.data import Bars, PriceCache, QualityRules, bars_quality, load_prices, sample
from eventstudy.data.calendars import sessions
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

DAYS = sessions("NYSE", "2024-06-03", "2024-12-31")


def walk(seed: int = 1, n: int = len(DAYS), sigma: float = 0.015) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, sigma, n)))


def quiet(*arguments, **options) -> es.Prices:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EventStudyWarning)
        return load_prices(*arguments, **options)


def long(**columns) -> pd.DataFrame:
    """Bars of A on the sessions of half a year."""
    base = {"date": DAYS, "ticker": "A", "adj_close": walk(), "volume": np.full(len(DAYS), 1000.0)}
    return pd.DataFrame(base | columns)


def found(frame: pd.DataFrame, calendar: str | None = "NYSE", tickers="A", **options) -> dict[str, pd.Series]:
    report = quiet(tickers, source=frame).quality(calendar, **options)
    return {row["kind"]: row for _, row in report.findings.iterrows()}


def test_clean_prices_have_no_finding_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prices = load_prices("A", source=long(), calendar="NYSE", strict=True)
    assert len(prices.quality("NYSE")) == 0
    assert str(prices.quality("NYSE")).endswith("Nothing was found.")


def test_sessions_missing_and_days_closed() -> None:
    frame = long().drop(index=[10, 11, 30])
    frame.loc[50, "date"] = pd.Timestamp("2024-08-17")  # a Saturday, in place of 14 August
    frame = frame.sort_values("date")
    one = found(frame)
    absent = DAYS[[10, 11, 30]]
    assert set(one) == {"missing session", "not a session"}
    assert one["missing session"]["first"] == absent[0]
    assert one["missing session"]["n"] == 4
    assert (
        "4 of 147 sessions of NYSE have no price, 2 in a row at most: 2024-06-17, 2024-06-18"
        in (one["missing session"]["evidence"])
    )
    assert one["not a session"]["evidence"] == "NYSE was closed on 2024-08-17"
    assert found(frame, calendar=None) == {}  # one security and no calendar: nothing to compare dates with


def test_without_a_calendar_dates_are_those_of_the_others() -> None:
    wide = pd.DataFrame({name: walk(seed) for seed, name in enumerate("ABCD")}, index=DAYS)
    wide.loc[DAYS[20], "B"] = np.nan
    report = quiet(list("ABCD"), source=wide).quality()
    assert report.findings[["ticker", "kind", "n"]].to_numpy().tolist() == [["B", "missing session", 1]]
    assert "sessions of the other securities" in report.findings["evidence"].iloc[0]


def test_stale_prices_and_days_without_trade() -> None:
    price, volume = walk(), np.full(len(DAYS), 1000.0)
    price[40:46] = price[40]
    volume[41:46] = 0
    one = found(long(adj_close=price, volume=volume))
    assert (one["stale price"]["n"], one["stale price"]["first"]) == (6, DAYS[40])
    assert one["stale price"]["evidence"].endswith("on a volume of 0 after the first")
    assert one["zero volume"]["n"] == 5
    assert found(long(adj_close=price), rules=QualityRules(stale_run=7)) == {}


def test_a_fund_with_few_trades_has_one_line_of_each_kind() -> None:
    rng = np.random.default_rng(3)
    traded = rng.random(len(DAYS)) < 0.15
    price = pd.Series(walk()).where(traded).ffill().bfill().to_numpy()
    frame = long(adj_close=price, volume=np.where(traded, 500.0, 0.0))
    report = quiet("A", source=frame).quality("NYSE")
    assert report.findings["kind"].value_counts().to_dict() == {"stale price": 1, "zero volume": 1}
    assert "shorter runs" in report.findings.set_index("kind").loc["stale price", "evidence"]
    assert len(report.lines()) == 2


@pytest.mark.parametrize(
    ("ratio", "name", "severity"),
    [(2, "2:1", "warning"), (3, "3:1", "warning"), (4, "4:1", "error"), (10, "10:1", "error"),
     (0.5, "1:2 (reverse)", "warning"), (0.1, "1:10 (reverse)", "error")],
)  # fmt: skip
def test_splits_that_were_not_adjusted_for(ratio, name, severity) -> None:
    price = walk()
    price[70:] /= ratio
    one = found(long(adj_close=price))["unadjusted split"]
    assert (one["first"], one["severity"]) == (DAYS[70], severity)
    assert f"as a {name} split" in one["evidence"]


def test_a_fall_is_no_split_unless_something_else_says_so() -> None:
    price = walk()
    price[70:] *= 2 / 3
    one = found(long(adj_close=price))
    assert list(one) == ["large move"]
    assert one["large move"]["severity"] == "note"
    stated = found(long(adj_close=price, splits=np.where(np.arange(len(DAYS)) == 70, 1.5, 0.0)))["unadjusted split"]
    assert (stated["severity"], "the source states a split of 1.5" in stated["evidence"]) == ("error", True)
    halved = walk()
    halved[70:] /= 2
    by_volume = found(long(adj_close=halved, volume=np.where(np.arange(len(DAYS)) < 70, 1000.0, 2000.0)))
    assert by_volume["unadjusted split"]["severity"] == "error"
    assert "volume × 2" in by_volume["unadjusted split"]["evidence"]


def test_misprints_bars_and_repeated_dates() -> None:
    price = walk()
    price[90] *= 1.6
    assert found(long(adj_close=price))["price spike"]["first"] == DAYS[90]
    close = walk()
    bars = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
    bars["high"] = np.where(np.arange(len(DAYS)) == 5, close * 0.5, bars["high"])
    one = found(long(adj_close=close, **bars))["inconsistent bar"]
    assert (one["severity"], one["n"]) == ("error", 1)
    prices = quiet("A", source=long())
    twice = prices.iloc[[0, 1, 1, *range(2, len(prices))]].quality("NYSE").findings
    assert twice["kind"].tolist() == ["duplicated date"]
    with pytest.raises(InputError, match="occurs more than once"):
        load_prices("A", source=pd.concat([long(), long().iloc[:1]]).sort_values("date"))


@pytest.mark.parametrize("factor", [2.0, 0.5, 4.0, 10.0])
@pytest.mark.parametrize("days", [1, 2])
def test_the_way_back_from_a_misprint_is_no_split(factor, days) -> None:
    price = walk()
    price[90 : 90 + days] *= factor
    assert list(found(long(adj_close=price))) == ["price spike"]


def test_currencies_that_differ() -> None:
    frame = pd.concat([long(currency="USD"), long(ticker="B", adj_close=walk(2), currency="EUR")])
    with pytest.warns(EventStudyWarning, match="mixed currencies: EUR: B; USD: A"):
        load_prices(["A", "B"], source=frame)


def test_warning_and_refusal_quote_the_evidence() -> None:
    price = walk()
    price[70:] /= 4
    with pytest.warns(EventStudyWarning, match=r"A: unadjusted split: price × .* as a 4:1 split"):
        load_prices("A", source=long(adj_close=price))
    with pytest.raises(DataSourceError, match="do not pass the checks, 1 finding") as refused:
        load_prices("A", source=long(adj_close=price), strict=True)
    assert refused.value.context["tickers"] == ["A"]
    prices = quiet("A", source=long(adj_close=price))
    with pytest.raises(DataSourceError):
        prices.require_quality()
    assert prices.iloc[:70].require_quality("NYSE").shape == (70, 1)
    with pytest.raises(InputError):
        prices.quality("NOWHERE")
    with pytest.raises(InputError, match="severity"):
        prices.quality().at_least("grave")


def test_many_findings_make_a_short_message() -> None:
    wide = pd.DataFrame({f"S{at:02d}": walk(at) for at in range(30)}, index=DAYS)
    wide.iloc[100:] /= 4
    with pytest.warns(EventStudyWarning, match="… and 25 more") as told:
        load_prices(list(wide.columns), source=wide)
    assert len(str(told[0].message).splitlines()) == 7


# --- real prices ------------------------------------------------------------------------------------------


def test_the_sample_is_clean_and_its_news_are_no_splits() -> None:
    report = load_prices(sample.tickers()).quality("NYSE")
    assert len(report.at_least("warning")) == 0
    nvda = load_prices("NVDA")
    assert nvda.pct_change().loc["2025-01-27", "NVDA"] == pytest.approx(-0.1697, abs=5e-5)
    assert len(nvda.quality("NYSE")) == 0


def test_real_bars_give_no_false_alarm(full_prices) -> None:
    # 31 tickers with bars and volumes, 521 sessions, through three splits of 2024 that were adjusted for
    names = sorted(full_prices["ticker"].unique())
    report = load_prices(names, source=full_prices, calendar="NYSE", strict=True).quality("NYSE")
    assert report.findings["severity"].unique().tolist() == ["note"]
    notes = report.findings.set_index("ticker")["kind"]
    assert set(notes[notes == "large move"].index) == {"ARM", "SMCI", "VRT"}


def test_real_splits_undone_are_found(full_prices) -> None:
    # the adjusted closes taken back over the splits of 2024: 10:1 each
    frame = full_prices[full_prices["ticker"].isin(["NVDA", "AVGO", "SMCI"])].copy()
    for ticker, day in {"NVDA": "2024-06-10", "AVGO": "2024-07-15", "SMCI": "2024-10-01"}.items():
        frame.loc[(frame["ticker"] == ticker) & (frame["date"] < day), "adj_close"] *= 10
    findings = quiet(["NVDA", "AVGO", "SMCI"], source=frame[["date", "ticker", "adj_close"]]).quality("NYSE").findings
    splits = findings[findings["kind"] == "unadjusted split"].set_index("ticker")["first"]
    assert splits.dt.strftime("%Y-%m-%d").to_dict() == {
        "NVDA": "2024-06-10", "AVGO": "2024-07-15", "SMCI": "2024-10-01",
    }  # fmt: skip


# --- the cache, the command line and study files ----------------------------------------------------------


def bars(price: np.ndarray, tz: str | None = "America/New_York") -> Bars:
    frame = pd.DataFrame({"adj_close": price}, index=pd.DatetimeIndex(DAYS[: len(price)], name="date"))
    return Bars(frame, "adjusted close", tz=tz)


def test_cache_verify_shows_the_findings(tmp_path) -> None:
    cache = PriceCache(tmp_path)
    split = walk()
    split[70:] /= 4
    cache.write("yahoo", "GOOD", bars(walk()))
    cache.write("yahoo", "BAD", bars(split))
    assert cache.quality().findings[["ticker", "kind"]].to_numpy().tolist() == [["BAD", "unadjusted split"]]
    run = CliRunner().invoke(cli.app, ["cache", "verify", "--cache", str(tmp_path)])
    assert run.exit_code == 0
    assert "BAD: error: unadjusted split: price × 0.25" in run.stdout
    assert "Use adjusted prices" in run.stdout
    assert "GOOD" not in run.stdout
    assert "2 files intact, 0 damaged" in run.stderr
    assert CliRunner().invoke(cli.app, ["cache", "verify", "--strict", "--cache", str(tmp_path)]).exit_code == 1


def test_bars_of_a_known_zone_are_held_against_its_exchange() -> None:
    price = bars(walk())
    gap = Bars(price.frame.drop(index=DAYS[3]), price.basis, tz="America/New_York")
    report = bars_quality({"A": gap, "B": price, "X": Bars(gap.frame, gap.basis)})
    assert report.findings[["ticker", "kind"]].to_numpy().tolist() == [["A", "missing session"]]


@pytest.fixture
def damaged(tmp_path):
    """Prices with a planted split, and an event on a day far from it."""
    price = walk(5)
    price[40:] /= 4
    frame = pd.DataFrame({"A": price, "M": walk(6)}, index=pd.DatetimeIndex(DAYS, name="date"))
    frame.to_csv(tmp_path / "prices.csv")
    (tmp_path / "events.csv").write_text(f"ticker,timestamp\nA,{DAYS[130]:%Y-%m-%d}\n")
    return tmp_path


def test_strict_prices_on_the_command_line_and_in_a_study_file(damaged) -> None:
    common = ["run", str(damaged / "events.csv"), "--source", str(damaged / "prices.csv"), "--benchmark", "M",
              "--estimation", "-80:-11", "--window", "-5:5", "--min-obs", "50"]  # fmt: skip
    lax = CliRunner().invoke(cli.app, common)
    assert lax.exit_code == 0, lax.stderr
    assert "unadjusted split" in lax.stderr
    strict = CliRunner().invoke(cli.app, [*common, "--strict-prices"])
    assert strict.exit_code == 1
    assert "as a 4:1 split" in strict.stderr
    assert "load without --strict-prices" in strict.stderr
    (damaged / "study.toml").write_text(
        '[events]\nfile = "events.csv"\n[prices]\nsource = "prices.csv"\nstrict = true\n[model]\nname = "market"\n'
        'benchmark = "M"\n[windows]\nestimation = [-80, -11]\nevent = [-5, 5]\nmin_obs = 50\n'
    )
    by_file = CliRunner().invoke(cli.app, ["run", "--config", str(damaged / "study.toml")])
    assert by_file.exit_code == 1
    assert "as a 4:1 split" in by_file.stderr


@pytest.mark.parametrize("wrong", [{"stale_run": 1}, {"spike": -1}, {"peers": 2}, {"split_band": True}])
def test_thresholds_are_checked(wrong) -> None:
    with pytest.raises(InputError):
        QualityRules(**wrong)
