"""Market value won and lost: share counts by date, closes on the right basis, sums with cross-correlation."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.impact import sum_std_error
from eventstudy.risk.volume import VolumeResults
from eventstudy.windows import Window

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CHIPS = ["NVDA", "AVGO", "AMD", "MU"]
GROUPS = dict.fromkeys(CHIPS, "Chips") | {"MSFT": "Software", "ORCL": "Software"}
# Traded closes in dollars, from the public record.
CLOSES = {
    "2025-01-24": {"NVDA": 142.62, "MSFT": 444.06},
    "2025-01-27": {"NVDA": 118.42, "MSFT": 434.56},
    "2025-01-28": {"NVDA": 128.99, "MSFT": 447.20},
    "2025-01-29": {"NVDA": 123.70, "MSFT": 442.33},
    "2025-01-30": {"NVDA": 124.65, "MSFT": 414.99},
}


@pytest.fixture(scope="module")
def shares():
    return es.SharesOutstanding.sample()


@pytest.fixture(scope="module")
def closes() -> pd.DataFrame:
    frame = pd.DataFrame(CLOSES).T
    frame.index = pd.DatetimeIndex(frame.index)
    return frame


@pytest.fixture(scope="module")
def selloff(sample_panel, quiet):
    events = es.Events.at("2025-01-27", list(GROUPS), group=GROUPS)
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-250, -11), (-5, 5)))


@pytest.fixture(scope="module")
def article(sample_panel, quiet):
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York")
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-250, -11), (-5, 5)))


def table(**columns: object) -> es.SharesOutstanding:
    return es.SharesOutstanding.from_frame(pd.DataFrame(columns))


# -- the public figures -------------------------------------------------------------------------------------------


def test_the_shares_are_the_shared_copy() -> None:
    path = SHARED / "shares.csv"
    if not path.is_file():
        pytest.skip("needs shared/data/shares.csv, which is not beside this checkout")
    from eventstudy.data import sample

    assert (sample.directory() / "shares.csv").read_bytes() == path.read_bytes()


def test_nvidia_lost_what_the_press_said(selloff, shares, closes) -> None:
    """589 to 593 thousand million dollars on 27 January 2025, by the count each paper took."""
    by_hand = 24_490e6 * (118.42 - 142.62)
    found = selloff.select(ticker="NVDA").market_value(shares, 0, 0, prices=closes).securities.iloc[0]
    assert found["value_before"] == pytest.approx(24_490e6 * 142.62, rel=1e-12)
    assert found["raw_change"] == pytest.approx(by_hand, rel=2e-5)  # the sample's closes have four decimals
    assert -593e9 < by_hand < -589e9
    assert (found["currency"], found["stale"], found["age_days"]) == ("USD", False, 70)
    assert found["basis"] == "traded close of 2025-01-24"
    carried = selloff.select(ticker="NVDA").market_value(shares, 0, 0)
    assert carried.securities["raw_change"].iloc[0] == pytest.approx(by_hand, rel=2e-5)  # no dividend in between
    assert carried.securities["basis"].iloc[0].endswith("carried by adjusted returns (approximate)")
    assert any("approximate" in note for note in carried.notes)


def test_microsoft_lost_in_two_days(article, shares, closes) -> None:
    impact = article.market_value(shares, 0, 1, prices=closes)
    found = impact.securities.set_index("ticker").loc["MSFT"]
    assert found["session_before"] == pd.Timestamp("2025-01-28")
    assert found["raw_change"] == pytest.approx(7_434e6 * (414.99 - 447.20), rel=2e-5)
    exact = article.market_value(shares, 0, 1)  # the table has that very close
    assert exact.securities["basis"].tolist() == ["traded close of 2025-01-28"] * 2
    pd.testing.assert_series_equal(exact.securities["impact"], impact.securities["impact"])
    assert not any("carried" in note for note in exact.notes)


def test_carried_closes_are_the_traded_ones(selloff, shares) -> None:
    """Carried from 28 to 24 January over days without an ex-dividend."""
    path = SHARED / "prices.csv"
    if not path.is_file():
        pytest.skip("needs the full price file shared/data/prices.csv, which is not distributed with the project")
    full = pd.read_csv(path, usecols=["date", "ticker", "close"], parse_dates=["date"])
    day = full[full["date"] == "2025-01-24"].set_index("ticker")["close"]
    found = selloff.market_value(shares, 0, 0).securities.set_index("ticker")["close"]
    # 1e-4: the table's close has cents
    np.testing.assert_allclose(found, day[found.index], rtol=1e-4)


# -- intervals ----------------------------------------------------------------------------------------------------


def test_one_security_against_a_regression(selloff, shares, sample_panel, ols_event) -> None:
    frame = sample_panel.to_frame()
    place = frame.index.get_loc("2025-01-27")
    oracle = ols_event(frame, "NVDA", ["SPY"], place, (-250, -11), (-5, 5)).car(slice(5, 8), confidence=0.9)
    found = selloff.market_value(shares, 0, 2, confidence=0.9).securities.set_index("ticker").loc["NVDA"]
    for money, decimal in (("impact", "car"), ("std_error",) * 2, ("ci_lower",) * 2, ("ci_upper",) * 2):
        assert found[money] == pytest.approx(found["value_before"] * oracle[decimal], rel=1e-9)
    assert found["p_value"] == pytest.approx(oracle["p_value"], rel=1e-7)


@pytest.mark.parametrize("window", [(0, 0), (0, 3), (-1, 1)])
def test_a_sum_on_one_date_is_the_value_weighted_portfolio(selloff, shares, sample_panel, window) -> None:
    """The portfolio of all shares, regressed on the market with a dummy for each session of the window."""
    impact = selloff.market_value(shares, window)
    value = impact.securities.set_index("ticker")["value_before"]
    frame = sample_panel.to_frame()
    place = frame.index.get_loc("2025-01-27")
    length = window[1] - window[0] + 1
    rows = [*range(place - 250, place - 10), *range(place + window[0], place + window[1] + 1)]
    part = frame.iloc[rows]
    dummies = np.vstack([np.zeros((240, length)), np.eye(length)])
    x = np.column_stack([np.ones(len(rows)), part["SPY"], dummies])
    for row, names in ((impact.total.loc["USD"], list(value.index)), (impact.groups.loc[("Chips", "USD")], CHIPS)):
        ols = sm.OLS(part[names].to_numpy() @ value[names].to_numpy(), x).fit()
        test = ols.t_test(np.array([0.0, 0.0] + [1.0] * length))
        assert row["impact"] == pytest.approx(float(test.effect.item()), rel=1e-9)
        assert row["std_error"] == pytest.approx(float(test.sd.item()), rel=1e-9)
        assert row["p_value"] == pytest.approx(float(test.pvalue.item()), rel=1e-6)
        np.testing.assert_allclose(row[["ci_lower", "ci_upper"]].astype(float), test.conf_int()[0], rtol=1e-9)
        assert row["n"] == len(names)


def test_the_standard_error_of_a_sum_is_the_double_sum(synthetic, study_of, events_at) -> None:
    """Pair by pair on the calendar, where windows of different dates meet and where they do not."""
    frame = synthetic(6, 260, seed=8)
    res = study_of(frame, events_at(frame, {"S00": 200, "S01": 200, "S02": 202, "S03": 203, "S04": 215, "S05": 221}))
    fit, window = res.fit, Window(0, 3)
    residual, position = fit.residuals(np.arange(6)), fit.index.position
    error = np.array([3.0, 1.0, -2.0, 1.5, 4.0, 0.5])
    first = position + fit.index.estimation.start
    variance = 0.0
    for i in range(6):
        for j in range(6):
            shared = max(0, 4 - abs(int(position[i] - position[j]))) / 4
            days = sorted(
                set(range(first[i], first[i] + residual.shape[1])) & set(range(first[j], first[j] + residual.shape[1]))
            )
            a = np.array([residual[i, day - first[i]] for day in days])
            b = np.array([residual[j, day - first[j]] for day in days])
            r = (a @ b) / np.sqrt((residual[i] ** 2).sum() * (residual[j] ** 2).sum())
            variance += shared * r * error[i] * error[j]
    assert sum_std_error(fit, np.arange(6), error, window) == pytest.approx(np.sqrt(variance), rel=1e-12)
    alone = np.array([0, 4])  # fifteen sessions apart
    assert sum_std_error(fit, alone, error[alone], window) == pytest.approx(5.0, rel=1e-12)


@pytest.mark.slow
def test_intervals_of_sums_cover_what_is_true() -> None:
    """No event, correlated securities: 95 % intervals of the total hold zero in 95 % of samples."""
    rng = np.random.default_rng(12)
    held, n = 0, 300
    days = pd.bdate_range("2023-01-02", periods=180)
    names = [f"S{i}" for i in range(8)]
    count = table(ticker=names, shares=rng.integers(1, 50, 8) * 1e6, as_of="2023-01-02", currency="USD")
    for _ in range(n):
        market, hidden = rng.normal(0, 0.01, 180), rng.normal(0, 0.01, 180)
        values = market[:, None] + hidden[:, None] * rng.uniform(0.2, 1.2, 8) + rng.normal(0, 0.015, (180, 8))
        frame = pd.DataFrame(np.column_stack([market, values]), index=days, columns=["MKT", *names])
        events = es.Events.at(str(days[170])[:10], names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", es.EventStudyWarning)
            res = es.EventStudy(
                es.ReturnPanel.from_frame(frame), events, es.MarketModel("MKT"), (-130, -11), (-5, 5)
            ).fit()
        price = pd.DataFrame(100.0, index=days, columns=names)
        row = res.market_value(count, 0, 2, prices=price).total.iloc[0]
        held += row["ci_lower"] <= 0 <= row["ci_upper"]
    low, high = stats.binom.ppf([0.0005, 0.9995], n, 0.95)
    assert low <= held <= high


# -- share counts -------------------------------------------------------------------------------------------------


def test_the_count_in_force_is_the_latest_before() -> None:
    held = table(
        ticker=["A", "A", "A", "B"],
        shares=[10, 12, 11, 5],
        as_of=["2024-12-31", "2025-03-31", "2024-09-30", "2025-02-01"],
    )
    found = held.in_force(["A", "B", "A", "A"], ["2025-02-03", "2025-01-31", "2024-01-01", "2025-03-31"])
    assert found["shares"].tolist() == [10, 5, 11, 12]
    assert found["age_days"].tolist() == [34, -1, -273, 0]
    assert found["close"].isna().all()
    assert repr(held) == "SharesOutstanding(4 counts of 2 securities, 2024-09-30 to 2025-03-31)"


def test_old_late_and_uncertain_counts_are_told(article, closes) -> None:
    late = table(
        ticker=["MSFT", "NVDA"],
        shares=[7_434e6, 24_490e6],
        as_of=["2025-02-15", "2023-11-15"],
        currency="USD",
        certainty=["low", "high"],
    )
    impact = article.market_value(late, 0, 0, prices=closes)
    assert impact.securities["stale"].tolist() == [False, True]
    told = " ".join(impact.notes)
    assert "1 share counts are more than 120 days from the close" in told
    assert "first: NVDA, of 2023-11-15" in told
    assert "1 share counts are of a date after the close (first: MSFT, of 2025-02-15)" in told
    assert "Share counts that are not certain: MSFT." in told
    assert told in " ".join(str(impact.summary()).split())
    wide = article.market_value(late, 0, 0, prices=closes, max_age=500)
    assert not wide.securities["stale"].any()


def test_a_split_after_the_count_is_undone(quiet, tmp_path) -> None:
    """NVDA: 2,460 million shares in May 2024, ten for one on 10 June; closes come with the split undone."""
    path = SHARED / "prices.csv"
    if not path.is_file():
        pytest.skip("needs the full price file shared/data/prices.csv, which is not distributed with the project")
    bars = pd.read_csv(path)
    bars = bars[bars["ticker"].isin(["NVDA", "SPY"])][["date", "ticker", "close", "adj_close"]]
    bars = bars.assign(currency="USD", dividends=0.0, splits=0.0)
    bars.loc[(bars["ticker"] == "NVDA") & (bars["date"] == "2024-06-10"), "splits"] = 10.0
    bars.to_csv(tmp_path / "bars.csv", index=False)
    prices = es.load_prices(["NVDA", "SPY"], source=tmp_path / "bars.csv")
    panel = es.ReturnPanel.from_prices(prices)
    count = table(ticker=["NVDA"], shares=[2_460e6], as_of=["2024-05-24"])
    found = {}
    for day in ("2024-06-03", "2024-08-01"):
        res = quiet(es.EventStudy(panel, es.Events.at(day, "NVDA"), es.MarketModel("SPY"), (-150, -11), (-5, 5)))
        found[day] = res.market_value(count, 0, 0, prices=prices).securities.iloc[0]
    # before the split: 1,096.33 dollars on Friday 31 May; after it: 117.02 on 31 July, public record
    assert found["2024-06-03"][["close", "shares"]].tolist() == pytest.approx([1096.33, 2_460e6], rel=1e-4)
    assert found["2024-08-01"][["close", "shares"]].tolist() == pytest.approx([117.02, 24_600e6], rel=1e-4)
    assert found["2024-08-01"]["currency"] == "USD"


def test_currencies_are_not_added(article, closes) -> None:
    both = table(
        ticker=["MSFT", "NVDA"], shares=[1e9, 2e9], as_of="2025-01-02", currency=["USD", "EUR"]
    )  # fmt: skip
    impact = article.market_value(both, 0, 0, prices=closes)
    assert impact.total.index.tolist() == ["USD", "EUR"]
    assert impact.total["n"].tolist() == [1, 1]
    each = impact.securities.set_index("currency")["impact"]
    assert impact.total["impact"].to_dict() == pytest.approx(each.to_dict())
    assert impact.groups.empty


def test_groups_add_up(selloff, shares) -> None:
    impact = selloff.market_value(shares, 0, 1)
    assert impact.groups.index.tolist() == [("Chips", "USD"), ("Software", "USD")]
    for name in ("n", "value_before", "impact", "raw_change"):
        assert impact.groups[name].sum() == pytest.approx(impact.total.loc["USD", name])
    errors = impact.groups["std_error"].to_numpy()
    assert impact.total.loc["USD", "std_error"] != pytest.approx(np.sqrt((errors**2).sum()), rel=1e-3)
    shown = str(impact.summary())
    assert "thousand millions of the currency; 95 % intervals" in shown
    assert "NVDA    USD" in shown
    assert "<table" in impact._repr_html_()
    assert repr(impact).startswith("MarketImpact([0, +1], 6 security-events, −")
    pd.testing.assert_frame_equal(impact.to_frame(), impact.securities)


def test_a_security_without_a_car_is_in_no_sum(sample_panel, shares, quiet) -> None:
    frame = sample_panel.to_frame()[["NVDA", "MSFT", "SPY"]].copy()
    frame.loc["2025-01-28", "MSFT"] = np.nan
    events = es.Events.at("2025-01-27", ["NVDA", "MSFT"])
    res = quiet(es.EventStudy(es.ReturnPanel.from_frame(frame), events, es.MarketModel("SPY"), (-250, -11), (-5, 5)))
    price = pd.DataFrame({"NVDA": [142.62], "MSFT": [444.06]}, index=pd.DatetimeIndex(["2025-01-24"]))
    impact = res.market_value(shares, 0, 1, prices=price)
    assert impact.total["n"].tolist() == [1]
    assert np.isnan(impact.securities.set_index("ticker").loc["MSFT", "impact"])
    assert any("1 security-events have no CAR" in note for note in impact.notes)


# -- what is refused ----------------------------------------------------------------------------------------------


def test_what_cannot_be_multiplied(article, shares, closes, sample_prices, sample_panel, quiet) -> None:
    with pytest.raises(es.InputError, match=r"no share count of NVDA.*results\.select"):
        article.market_value(table(ticker=["MSFT"], shares=[1.0], as_of=["2025-01-01"]), 0, 0)
    bare = table(ticker=["MSFT", "NVDA"], shares=1.0, as_of="2025-01-01")
    with pytest.raises(es.InputError, match="no traded close of MSFT, NVDA"):
        article.market_value(bare, 0, 0)
    with pytest.raises(es.InputError, match="currency of MSFT is not stated"):
        article.market_value(bare, 0, 0, prices=closes)
    with pytest.raises(es.InputError, match=r"no traded close of MSFT on 2025-01-28"):
        article.market_value(shares, 0, 0, prices=closes.loc["2025-01-29":])
    with pytest.raises(es.InputError, match="no field 'close'"):  # the sample is adjusted: no traded price
        article.market_value(shares, 0, 0, prices=sample_prices)
    with pytest.raises(es.InputError, match="must be SharesOutstanding, not DataFrame"):
        article.market_value(shares.to_frame(), 0, 0)
    with pytest.raises(es.InputError, match="max_age=-1"):
        article.market_value(shares, 0, 0, max_age=-1)
    volume = VolumeResults(**{item.name: getattr(article, item.name) for item in fields(article)})
    with pytest.raises(es.InputError, match="Abnormal volume has no market value"):
        volume.market_value(shares, 0, 0)
    logs = es.ReturnPanel.from_prices(sample_prices, kind="log")
    events = es.Events.at("2025-01-29", "MSFT")
    with pytest.raises(es.InputError, match="logarithmic"):
        quiet(es.EventStudy(logs, events, es.MarketModel("SPY"))).market_value(shares, 0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ticker,shares\nA,1", "lack the column 'as_of'"),
        ("ticker,as_of\nA,2025-01-01", "lack the column 'shares'"),
        ("ticker,shares,as_of", "is empty"),
        ("ticker,shares,as_of\nA,-1,2025-01-01", "share count of A is '-1'; expected a positive number"),
        ("ticker,shares,as_of\nA,x,2025-01-01", "share count of A is 'x'"),
        ("ticker,shares,as_of\nA,1,soon", "as_of of A is 'soon', no date"),
        ("ticker,shares,as_of\nA,1,", "A has no as_of"),
        ("ticker,shares,as_of\n,1,2025-01-01", r"A ticker \(row 1\) is blank"),
        ("ticker,shares,as_of\nA,1,2025-01-01\nA,2,2025-01-01", "A has two share counts of 2025-01-01"),
        ("ticker,shares,as_of,close\nA,1,2025-01-01,5", "A has no close_date"),
    ],
)
def test_share_counts_that_cannot_be_read(tmp_path, text, message) -> None:
    path = tmp_path / "shares.csv"
    path.write_text(text + "\n")
    with pytest.raises(es.InputError, match=message):
        es.SharesOutstanding.read(path)
    with pytest.raises(es.DataSourceError, match="no file of share counts"):
        es.SharesOutstanding.read(tmp_path / "none.csv")


def test_reading_back(shares) -> None:
    again = es.SharesOutstanding.from_frame(shares.to_frame())
    pd.testing.assert_frame_equal(again.to_frame(), shares.to_frame())
    row = shares.to_frame().set_index("ticker").loc["TSM"]
    assert row["shares"] == 5_186e6
    assert row[["currency", "close_date"]].tolist() == ["USD", pd.Timestamp("2025-01-28")]
    assert "ADR" in row["basis"]
    assert len(shares) == 18


def test_closes_of_the_wrong_form_say_so(article, shares, closes) -> None:
    words = closes.astype(object)
    words.loc["2025-01-28", "MSFT"] = "n/a"
    for prices, message in (
        (words, "MSFT holds 'n/a' on 2025-01-28"),
        (pd.concat([closes, closes.iloc[-1:]]), "stands twice"),
        (pd.concat([closes, closes[["MSFT"]]], axis=1), "'MSFT' stands twice"),
    ):
        with pytest.raises(es.InputError, match=message):
            article.market_value(shares, 0, 0, prices=prices)
    zoned = article.market_value(shares, 0, 0, prices=closes.tz_localize("America/New_York"))
    pd.testing.assert_frame_equal(zoned.total, article.market_value(shares, 0, 0, prices=closes).total)


def test_counts_in_force_at_dates_that_cannot_be_read(shares) -> None:
    with pytest.raises(es.InputError, match="date of NVDA is 'soon', no date"):
        shares.in_force(["NVDA"], ["soon"])
    with pytest.raises(es.InputError, match="1 tickers and 2 dates"):
        shares.in_force(["NVDA"], ["2025-01-24", "2025-01-27"])
