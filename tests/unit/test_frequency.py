"""Weekly, monthly and intraday returns, and the week, month or bar that holds an event.

Expected numbers come from pandas' own resampling, from prices compounded by hand, and from statsmodels.
"""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eventstudy as es
from eventstudy.data.bars import Bars
from eventstudy.data.calendars import sessions, trading_hours
from eventstudy.panel import ReturnPanel

pytestmark = pytest.mark.filterwarnings("ignore::eventstudy.errors.EventStudyWarning")

NEW_YORK = "America/New_York"


# -- weeks and months ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["simple", "log"])
@pytest.mark.parametrize(("frequency", "rule"), [("W", "W-SUN"), ("M", "ME")])
def test_real_returns_compound_as_pandas_does(sample_prices, frequency, rule, kind):
    """18 stocks and two funds; the sample starts on Friday 1 December 2023 and ends on Friday 28 February 2025."""
    daily = ReturnPanel.from_prices(sample_prices, kind=kind)
    panel = daily.resample(frequency)
    frame = daily.to_frame()
    made = frame.resample(rule).sum() if kind == "log" else (1 + frame).resample(rule).prod() - 1
    if frequency == "M":
        made = made.iloc[1:]  # no return on 1 December, a session
    np.testing.assert_allclose(panel.values.T, made.to_numpy(), atol=1e-14)
    last = frame.index.to_series().resample(rule).last().iloc[-len(made) :]
    assert panel.sessions.tolist() == last.tolist()
    assert (panel.frequency, panel.unit) == (frequency, {"W": "week", "M": "month"}[frequency])
    # straight from the prices
    again = ReturnPanel.from_prices(sample_prices, kind=kind, frequency=frequency)
    assert again.sessions.equals(panel.sessions)
    np.testing.assert_allclose(again.values, panel.values, atol=1e-13)


def test_periods_that_are_not_whole_are_left_out(sample_prices):
    daily = ReturnPanel.from_prices(sample_prices.loc["2024-12-18":"2025-01-15"])
    assert [str(day.date()) for day in daily.resample("W").sessions] == ["2024-12-27", "2025-01-03", "2025-01-10"]
    assert daily.resample("W").sessions.equals(
        ReturnPanel.from_prices(sample_prices.loc["2024-12-18":"2025-01-15"], frequency="W")
        .sessions[-2:]
        .insert(0, pd.Timestamp("2024-12-27"))
    )
    with pytest.raises(es.InputError, match="No month is complete between 2024-12-19 and 2025-01-15"):
        daily.resample("M")
    # Good Friday 2024 was 29 March: Thursday ends the week and the month
    easter = ReturnPanel.from_prices(sample_prices.loc["2024-02-29":"2024-03-28"])
    assert str(easter.resample("M").sessions[0].date()) == "2024-03-28"
    assert str(easter.resample("W").sessions[-1].date()) == "2024-03-28"


def test_a_gap_in_a_period_leaves_it_missing(sample_prices):
    prices = pd.DataFrame(sample_prices).copy()
    prices.loc["2024-06-12", "MSFT"] = np.nan  # a Wednesday
    daily = ReturnPanel.from_prices(prices)
    row = daily.row("MSFT")
    weekly = daily.resample("W")
    assert [str(day.date()) for day in weekly.sessions[np.isnan(weekly.values[row])]] == ["2024-06-14"]
    assert not np.isnan(np.delete(weekly.values, row, axis=0)).any()
    # prices of Fridays know the whole week all the same
    assert not np.isnan(ReturnPanel.from_prices(prices, frequency="W").values).any()


def test_weekly_study_agrees_with_statsmodels(sample_panel):
    panel = sample_panel.resample("W")
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz=NEW_YORK)
    study = es.EventStudy(panel, events, es.MarketModel("SPY"), (-45, -2), (0, 2), min_obs=40)
    res = study.fit()
    frame = panel.to_frame()
    at = frame.index.get_loc("2025-01-31")
    assert res.fit.index.position.tolist() == [at, at]
    x = sm.add_constant(frame["SPY"].to_numpy())
    for row, name in zip(res.car(0, 1).itertuples(), ["MSFT", "NVDA"], strict=True):
        fit = sm.OLS(frame[name].to_numpy()[at - 45 : at - 1], x[at - 45 : at - 1]).fit()
        total = x[at : at + 2].sum(0)
        car = (frame[name].to_numpy()[at : at + 2] - x[at : at + 2] @ fit.params).sum()
        np.testing.assert_allclose(row.car, car, rtol=1e-10)
        np.testing.assert_allclose(
            row.std_error, np.sqrt(2 * fit.mse_resid + total @ fit.cov_params() @ total), rtol=1e-10
        )
    assert res.events["rule"].tolist() == ["before the open; the week that holds it"] * 2
    assert res.events["session"].tolist() == [pd.Timestamp("2025-01-31")] * 2
    text = str(res.summary((0, 1)))
    assert "event [0, +2] (weeks)" in text
    assert "Event weeks" in text
    assert res.manifest["data"]["frequency"] == "W"
    assert "estimated over weeks −45 to −2" in res.plot.note()


@pytest.mark.parametrize(
    ("when", "week", "month"),
    [
        ("2025-01-27", "2025-01-31", "2025-01-31"),
        ("2025-01-31", "2025-01-31", "2025-01-31"),
        ("2025-02-01", "2025-02-07", "2025-02-28"),  # a Saturday: the next session is Monday's
        ("2025-01-31 15:59", "2025-01-31", "2025-01-31"),
        ("2025-01-31 16:00", "2025-02-07", "2025-02-28"),  # after the close
        ("2025-01-09 10:00", "2025-01-10", "2025-01-31"),  # closed that day
        ("2024-12-24 13:00", "2024-12-27", "2024-12-31"),  # after an early close
    ],
)
def test_the_period_that_holds_an_event(sample_panel, when, week, month):
    zone = NEW_YORK if ":" in when else None
    for frequency, expected in (("W", week), ("M", month)):
        panel = sample_panel.resample(frequency)
        found = es.Events.at(when, "MSFT", tz=zone).resolve(panel)
        assert str(panel.sessions[found.position[0]].date()) == expected
        assert str(found.session[0]) == expected
        assert found.rule[0].endswith(f"the {panel.unit} that holds it")
        assert found.shift[0] == (pd.Timestamp(expected) - pd.Timestamp(when[:10])).days


def test_events_outside_or_together_in_a_period(sample_panel):
    panel = sample_panel.resample("M")
    lost = es.Events.at("2025-03-03", "MSFT").resolve(panel)
    assert lost.position.tolist() == [-1]
    assert "the panel has no month of the session 2025-03-03" in lost.reason[0]
    two = es.Events.concat([es.Events.at(day, "MSFT") for day in ("2025-01-27", "2025-01-29")], renumber=True)
    with pytest.raises(es.InputError, match="fall into one month, 2025-01-31"):
        two.resolve(panel)


def test_dates_kept_out_name_their_period(sample_panel):
    panel = sample_panel.resample("W")
    assert panel.columns_of("2025-01-27", "2025-01-27") == panel.columns_of("2025-01-31", "2025-01-31")
    assert panel.columns_of("2025-01-27", "2025-02-03") == slice(panel.n_sessions - 5, panel.n_sessions - 3)
    events = es.Events.at("2025-02-13", ["MSFT"])
    study = es.EventStudy(panel, events, es.MarketModel("SPY"), (-45, -2), (0, 1), min_obs=30, exclude=["2025-01-27"])
    assert study.fit().parameters["n_excluded"].tolist() == [1]


def test_weekly_frames_are_what_they_say(sample_panel):
    frame = sample_panel.resample("W").to_frame()
    assert ReturnPanel.from_frame(frame, frequency="W") == sample_panel.resample("W")
    with pytest.raises(es.InputError, match="lie in one month"):
        ReturnPanel.from_frame(frame, frequency="M")
    with pytest.raises(es.InputError, match="frequency='Y' is not an option"):
        ReturnPanel.from_frame(frame, frequency="Y")
    with pytest.raises(es.InputError, match="Returns of weeks cannot be made into others"):
        sample_panel.resample("W").resample("M")


def test_prices_loaded_by_the_week(sample_panel):
    prices = es.load_prices(["MSFT", "SPY"], source="sample", interval="1wk")
    panel = ReturnPanel.from_prices(prices)
    assert panel.frequency == "W"
    weekly = sample_panel.resample("W")
    rows = [weekly.row(name) for name in panel.tickers]
    np.testing.assert_allclose(panel.values, weekly.values[rows], atol=1e-13)


# -- intraday ------------------------------------------------------------------------------------------------------


def ends(calendar="NYSE", first="2024-12-20", last="2025-01-14", minutes=30):
    """Ends of the bars of each session, from its real hours."""
    hours = trading_hours(calendar, first, last)
    step = pd.Timedelta(minutes=minutes)
    bars = []
    for low, high in zip(hours.open, hours.close, strict=True):
        bars += list(pd.date_range(pd.Timestamp(low, tz="UTC") + step, pd.Timestamp(high, tz="UTC"), freq=step))
    return pd.DatetimeIndex(bars).tz_convert(hours.zone)


def bars(n=4, seed=0, **options):
    """Opens and closes of ``MKT`` and ``S0``…, with wide nights."""
    index = ends(**options)
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.001, len(index))
    inside = market[:, None] * rng.uniform(0.5, 1.5, n) + rng.normal(0, 0.0015, (len(index), n))
    inside = np.column_stack([market, inside])
    first = np.append(True, index[1:].date != index[:-1].date)
    nights = np.where(first[:, None], rng.normal(0, 0.01, inside.shape), 0.0)
    closes = 100 * np.exp(np.cumsum(nights + inside, axis=0))
    opens = closes / np.exp(inside)
    names = ["MKT", *(f"S{i}" for i in range(n))]
    return pd.DataFrame(opens, index, names), pd.DataFrame(closes, index, names)


def test_nights_are_bars_of_their_own():
    opens, closes = bars()
    panel = ReturnPanel.from_bars(closes, opens=opens, stamps="end")
    hours = trading_hours("NYSE", "2024-12-20", "2025-01-14")
    assert panel.n_sessions == len(closes) + len(hours) - 1
    assert panel.overnight.sum() == len(hours) - 1
    local = panel.sessions[panel.overnight]
    assert set(local.strftime("%H:%M")) == {"09:30"}
    day = opens.index.normalize()
    open_of = opens.groupby(day).first()
    close_of = closes.groupby(day).last()
    np.testing.assert_allclose(
        panel.values[:, panel.overnight].T, (open_of / close_of.shift()).iloc[1:].to_numpy() - 1, rtol=1e-12
    )
    np.testing.assert_allclose(
        panel.values[:, ~panel.overnight].T,
        np.where(day.duplicated()[:, None], closes / closes.shift(), closes / opens) - 1,
        rtol=1e-12,
    )
    # all bars of one session make its return from close to close
    daily = (1 + panel.to_frame()).groupby(panel.sessions.normalize()).prod() - 1
    np.testing.assert_allclose(daily.iloc[1:].to_numpy(), (close_of / close_of.shift()).iloc[1:] - 1, rtol=1e-10)


def test_without_opens_the_first_bar_holds_the_night():
    _, closes = bars()
    panel = ReturnPanel.from_bars(closes, stamps="end", kind="log")
    assert panel.n_sessions == len(closes) - 1
    np.testing.assert_allclose(panel.values.T, np.log(closes / closes.shift()).iloc[1:], rtol=1e-9, atol=1e-14)
    assert set(panel.sessions[panel.overnight].strftime("%H:%M")) == {"10:00"}


@pytest.mark.parametrize("with_opens", [True, False])
def test_half_days_and_holidays(with_opens):
    opens, closes = bars()
    panel = ReturnPanel.from_bars(closes, opens=opens if with_opens else None, stamps="end")
    last = panel.sessions.to_series().groupby(panel.sessions.date).last().dt.strftime("%H:%M")
    assert last[pd.Timestamp("2024-12-24").date()] == "13:00"
    assert last[pd.Timestamp("2024-12-26").date()] == "16:00"
    assert pd.Timestamp("2025-01-09").date() not in last.index  # a day of mourning
    after = "2024-12-24 13:05", "2025-01-09 10:07"
    for text, day in zip(after, ("2024-12-26", "2025-01-10"), strict=True):
        found = es.Events.at(text, "S0", tz=NEW_YORK).resolve(panel)
        label = panel.sessions[found.position[0]]
        assert f"{label:%Y-%m-%d %H:%M}" == f"{day} {'09:30' if with_opens else '10:00'}"
        assert found.rule[0].endswith("the bar that holds the night")


def test_bars_outside_the_session():
    _, closes = bars()
    extra = pd.DatetimeIndex(
        ["2024-12-24 13:30", "2025-01-09 11:00", "2025-01-10 09:30", "2025-01-10 16:30"], tz=NEW_YORK
    )
    more = pd.concat([closes, pd.DataFrame(100.0, extra, closes.columns)]).sort_index()
    with pytest.raises(es.InputError, match=r"4 of \d+ bars lie outside the sessions of NYSE, first 2024-12-24 13:30"):
        ReturnPanel.from_bars(more, stamps="end")
    assert ReturnPanel.from_bars(more, stamps="end", outside="drop") == ReturnPanel.from_bars(closes, stamps="end")
    with pytest.raises(es.InputError, match="None of the 4 bars lies inside"):
        ReturnPanel.from_bars(more.loc[extra], stamps="end", outside="drop")


def test_stamps_of_starts_and_ends_make_one_panel():
    opens, closes = bars()
    step = pd.Timedelta(minutes=30)
    starts = closes.set_axis(closes.index - step)
    for interval in ("30min", "30m", step):
        panel = ReturnPanel.from_bars(starts, stamps="start", interval=interval)
        assert panel == ReturnPanel.from_bars(closes, stamps="end")
    # an hour from 15:30 is cut at the close
    hourly = starts[starts.index.minute == 30]
    assert set(ReturnPanel.from_bars(hourly, stamps="start", interval="1h").sessions.strftime("%H:%M")) >= {"16:00"}
    long = closes.stack().rename("close").to_frame().assign(open=opens.stack()).reset_index()
    long.columns = ["timestamp", "ticker", "close", "open"]
    shuffled = long.sample(frac=1.0, random_state=1)
    made = ReturnPanel.from_bars(shuffled, stamps="end")
    assert made == ReturnPanel.from_bars(closes[sorted(closes)], opens=opens[sorted(opens)], stamps="end")
    utc = closes.set_axis(closes.index.tz_convert("UTC"))
    assert ReturnPanel.from_bars(utc, stamps="end") == ReturnPanel.from_bars(closes, stamps="end")


def test_loaded_bars_know_their_stamps():
    """load_prices stamps bars at their start and keeps their opens: nothing else has to be said."""
    opens, closes = bars()

    class Source:
        name = "bars"

        def fetch(self, symbols, start, end, interval="1d"):
            index = (closes.index - pd.Timedelta(minutes=30)).as_unit("us").rename("time")
            frames = {name: pd.DataFrame({"open": opens[name], "close": closes[name]}) for name in symbols}
            return {
                name: Bars(frame.set_axis(index), "close, not adjusted", interval=interval)
                for name, frame in frames.items()
            }

    panel = ReturnPanel.from_prices(es.load_prices(list(closes), source=Source(), interval="30m"))
    expected = ReturnPanel.from_bars(closes, opens=opens, stamps="end")
    assert panel.sessions.equals(expected.sessions)
    np.testing.assert_array_equal(panel.values, expected.values)


@pytest.mark.parametrize(
    ("when", "label", "words"),
    [
        ("2025-01-08 10:07", "2025-01-08 10:30", "during the session"),
        ("2025-01-08 10:00", "2025-01-08 10:30", "during the session"),  # the bar to 10:00 is over
        ("2025-01-08 09:59:59", "2025-01-08 10:00", "during the session"),
        ("2025-01-08 09:30", "2025-01-08 10:00", "during the session"),
        ("2025-01-08 04:46", "2025-01-08 09:30", "before the open"),
        ("2025-01-07 16:00", "2025-01-08 09:30", "after the close, next session"),
        ("2025-01-10 20:00", "2025-01-13 09:30", "after the close, next session"),
        ("2025-01-11 12:00", "2025-01-13 09:30", "not a session, next session"),
    ],
)
def test_the_bar_that_holds_an_event(when, label, words):
    opens, closes = bars()
    panel = ReturnPanel.from_bars(closes, opens=opens, stamps="end")
    found = es.Events.at(when, "S0", tz=NEW_YORK).resolve(panel)
    assert f"{panel.sessions[found.position[0]]:%Y-%m-%d %H:%M}" == label
    assert found.rule[0].startswith(words)
    # the moment lies before the bar's end and not before the end of the one before it
    moment = pd.Timestamp(when, tz=NEW_YORK)
    assert panel.sessions[found.position[0] - 1] <= moment < panel.sessions[found.position[0]]


def test_events_that_no_bar_holds():
    opens, closes = bars()
    panel = ReturnPanel.from_bars(closes, opens=opens, stamps="end")
    date = es.Events.at("2025-01-08", "S0").resolve(panel)
    assert date.position.tolist() == [-1]
    assert "names no intraday bar. Give the time of day" in date.reason[0]
    late = es.Events.at("2025-01-14 17:00", "S0", tz=NEW_YORK).resolve(panel)
    assert "has no bar of the session 2025-01-15" in late.reason[0]
    days = closes.index.date != pd.Timestamp("2025-01-08").date()
    gap = ReturnPanel.from_bars(closes[days], opens=opens[days], stamps="end")
    lost = es.Events.at("2025-01-08 10:07", "S0", tz=NEW_YORK).resolve(gap)
    assert lost.position.tolist() == [-1]
    # and the night after a session without bars has no return
    assert np.isnan(gap.values[:, gap.overnight]).all(0).sum() == 1
    stamps = ("2025-01-08 10:07", "2025-01-08 10:12")
    two = es.Events.concat([es.Events.at(when, "S0", tz=NEW_YORK) for when in stamps], renumber=True)
    with pytest.raises(es.InputError, match=r"fall into one bar, 2025-01-08 10:30 EST"):
        two.resolve(panel)
    assert (
        es.Events.concat(
            [es.Events.at(when, "S0", tz=NEW_YORK) for when in ("2025-01-08 10:07", "2025-01-08 10:31")], renumber=True
        )
        .resolve(panel)
        .position
        > 0
    ).all()


@pytest.fixture
def intraday():
    """News at 10:07 on 8 January adds two per cent to S0 and S1 in the bar to 10:30."""
    opens, closes = bars(seed=3)
    hit = closes.index >= pd.Timestamp("2025-01-08 10:30", tz=NEW_YORK)
    closes.loc[hit, ["S0", "S1"]] *= 1.02
    opens.loc[closes.index > pd.Timestamp("2025-01-08 10:30", tz=NEW_YORK), ["S0", "S1"]] *= 1.02
    panel = ReturnPanel.from_bars(closes, opens=opens, stamps="end")
    events = es.Events.at("2025-01-08 10:07", ["S0", "S1", "S2"], tz=NEW_YORK)
    return panel, events


def test_intraday_study_agrees_with_statsmodels(intraday):
    panel, events = intraday
    study = es.EventStudy(panel, events, es.MarketModel("MKT"), (-120, -3), (-2, 4), min_obs=60)
    res = study.fit()
    frame = panel.to_frame()
    at = frame.index.get_loc(pd.Timestamp("2025-01-08 10:30", tz=NEW_YORK))
    assert res.fit.index.position.tolist() == [at] * 3
    x = sm.add_constant(frame["MKT"].to_numpy())
    for row, name in zip(res.car(0, 2).itertuples(), ["S0", "S1", "S2"], strict=True):
        fit = sm.OLS(frame[name].to_numpy()[at - 120 : at - 2], x[at - 120 : at - 2]).fit()
        total = x[at : at + 3].sum(0)
        car = (frame[name].to_numpy()[at : at + 3] - x[at : at + 3] @ fit.params).sum()
        np.testing.assert_allclose(row.car, car, rtol=1e-9)
        np.testing.assert_allclose(
            row.std_error, np.sqrt(3 * fit.mse_resid + total @ fit.cov_params() @ total), rtol=1e-9
        )
    assert res.abnormal_returns[0].to_numpy()[:2] == pytest.approx([0.02, 0.02], abs=0.005)
    assert abs(res.abnormal_returns[0].to_numpy()[2]) < 0.005


def test_nights_can_be_kept_out_of_the_estimation_window(intraday):
    """Nights move ten times as much as half-hours: with them sigma is too wide for a bar of the day."""
    panel, events = intraday
    options = {"model": es.MarketModel("MKT"), "estimation_window": (-120, -3), "event_window": (-1, 4), "min_obs": 60}
    with_nights = es.EventStudy(panel, events, **options).fit().parameters
    nights = panel.sessions[panel.overnight]
    res = es.EventStudy(panel, events, **options, exclude=nights).fit()
    at = res.fit.index.position[0]
    inside = panel.overnight[at - 120 : at - 2]
    assert res.parameters["n_excluded"].tolist() == [inside.sum()] * 3
    assert (res.parameters["n_obs"] == (~inside).sum()).all()
    assert (res.parameters["sigma"] < 0.8 * with_nights["sigma"]).all()
    assert res.parameters["sigma"].iloc[0] == pytest.approx(0.0015, rel=0.25)


def test_dates_and_moments_of_intraday_panels(intraday):
    panel, _ = intraday
    day = panel.columns_of("2024-12-24", "2024-12-24")
    assert panel.sessions[day].strftime("%H:%M").tolist() == [
        "09:30",
        *(f"{at // 60:02}:{at % 60:02}" for at in range(600, 781, 30)),
    ]
    assert panel.columns_of("2025-01-09", "2025-01-09").start == panel.columns_of("2025-01-09", "2025-01-09").stop
    one = panel.columns_of("2025-01-08T10:07-05:00", "2025-01-08T10:07-05:00")
    assert panel.sessions[one].strftime("%H:%M").tolist() == ["10:30"]
    label = panel.sessions[40]
    assert panel.columns_of(label, label) == slice(40, 41)
    with pytest.raises(es.InputError, match="not a date, or a moment with its zone"):
        panel.columns_of("2025-01-08 10:07", "2025-01-08 10:07")
    with pytest.raises(es.InputError, match="are a date and a moment"):
        panel.columns_of("2025-01-08", label)


def test_times_are_shown(intraday, tmp_path):
    panel, events = intraday
    assert "bars 2024-12-20 10:00 EST..2025-01-14 16:00 EST" in repr(panel)
    assert panel.label(0) == "2024-12-20 10:00 EST"
    res = es.EventStudy(panel, events, es.MarketModel("MKT"), (-120, -3), (-2, 4), min_obs=60).fit()
    text = str(res.summary((0, 1)))
    assert "1: 2025-01-08 10:30 EST" in text
    assert "event [-2, +4] (bars)" in text
    assert res.events["session"].tolist() == [pd.Timestamp("2025-01-08 10:30", tz=NEW_YORK)] * 3
    assert res.events["rule"].tolist() == ["during the session; the bar that holds it"] * 3
    assert res.parameters["estimation_start"].iloc[0] == panel.sessions[res.fit.index.position[0] - 120]
    assert res.manifest["data"]["first"] == "2024-12-20 10:00 EST"
    axes = res.plot.caar(mark={pd.Timestamp("2025-01-08 11:30", tz=NEW_YORK): "denial"})
    assert axes.get_xlabel() == "bars relative to the event (0 = 8 Jan 2025 10:30 EST)"
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert any(text.endswith("10:30") for text in labels)
    written = pd.read_csv(res.to_csv(tmp_path) / "events.csv")
    assert written["session"].iloc[0] == "2025-01-08 10:30:00-05:00"
    res.to_parquet(tmp_path)
    frame = pd.read_parquet(tmp_path / "events.parquet")
    assert frame["session"].iloc[0] == pd.Timestamp("2025-01-08 10:30", tz=NEW_YORK)
    assert res.calendar_portfolio(0, 1).index[0] == pd.Timestamp("2025-01-08 10:30", tz=NEW_YORK)
    assert res.tests(0, 1)["p_value"].notna().any()


def test_kept_on_disk_and_sent(intraday, tmp_path, sample_panel):
    for at, panel in enumerate((intraday[0], sample_panel.resample("W"))):
        kept = panel.save(tmp_path / str(at))
        assert kept == panel
        assert (kept.frequency, kept.calendar) == (panel.frequency, panel.calendar)
        assert kept.sessions.equals(panel.sessions)
        assert kept.fingerprint() == panel.fingerprint()
        assert pickle.loads(pickle.dumps(panel)) == panel
        assert pickle.loads(pickle.dumps(kept)) == panel
    weekly = sample_panel.resample("W")
    daily = ReturnPanel(weekly.values, weekly.tickers, weekly.sessions)
    assert daily != weekly
    assert daily.fingerprint() != weekly.fingerprint()


@pytest.mark.parametrize("with_opens", [True, False])
def test_the_clock_changes(with_opens):
    """New York goes to summer time on 9 March 2025, London three weeks later; bars come in UTC."""
    clock = [f"{day} {at // 60:02}:{at % 60:02}" for day in ("2025-03-07", "2025-03-10") for at in range(570, 960, 30)]
    starts = pd.DatetimeIndex(clock).tz_localize(NEW_YORK).tz_convert("UTC")
    assert {f"{starts[0]:%H:%M}", f"{starts[13]:%H:%M}"} == {"14:30", "13:30"}
    closes = pd.DataFrame({"A": 100.0 + np.arange(26)}, starts)
    opens = closes - 0.5
    panel = ReturnPanel.from_bars(closes, opens=opens if with_opens else None, stamps="start", interval="30min")
    days = panel.sessions.to_series().groupby(panel.sessions.date)
    first = "09:30" if with_opens else "10:00"
    assert days.first().dt.strftime("%H:%M").tolist() == ["10:00" if with_opens else "10:30", first]
    assert days.last().dt.strftime("%H:%M").tolist() == ["16:00", "16:00"]
    assert panel.sessions[panel.overnight].strftime("%m-%d %H:%M").tolist() == [f"03-10 {first}"]
    for when, zone in (("2025-03-10 10:07", NEW_YORK), ("2025-03-10 14:07", "Europe/London")):
        at = int(es.Events.at(when, "A", tz=zone).resolve(panel).position[0])
        assert panel.label(at) == "2025-03-10 10:30 EDT"
        assert panel.values[0, at] == pytest.approx(1 / 113)  # the second bar of the day: 113 to 114
    at = int(es.Events.at("2025-03-09 03:30", "A", tz=NEW_YORK).resolve(panel).position[0])
    assert panel.label(at) == f"2025-03-10 {first} EDT"


@pytest.mark.parametrize("with_opens", [True, False])
def test_a_market_that_never_closes_has_no_nights(with_opens):
    index = pd.date_range("2025-01-03", "2025-01-14", freq="1h", tz="UTC", inclusive="left")
    closes = pd.DataFrame(
        {"BTC-USD": 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(index))))}, index
    )
    opens = closes.shift().bfill() if with_opens else None
    panel = ReturnPanel.from_bars(closes, opens=opens, stamps="start", interval="1h", calendar="24/7")
    assert not panel.overnight.any()
    expected = closes["BTC-USD"].pct_change().to_numpy()[1:]
    np.testing.assert_allclose(panel.values[0, -len(expected) :], expected, rtol=1e-12)
    assert panel.n_sessions == len(closes) - (0 if with_opens else 1)  # an open is the price before the first close
    # weekends and midnights are hours like others
    for when, end in (
        ("2025-01-11 13:20", "2025-01-11 14:00"),
        ("2025-01-11 00:00:01", "2025-01-11 01:00"),
        ("2025-01-11 23:59:59", "2025-01-12 00:00"),
    ):
        found = es.Events.at(when, "BTC-USD", tz="UTC").resolve(panel)
        assert panel.label(int(found.position[0])) == f"{end} UTC"
        assert found.rule.tolist() == ["during the session; the bar that holds it"]
    # a day without any bar is a gap: the return across it has no value
    gap = closes.index.date != pd.Timestamp("2025-01-08").date()
    cut = ReturnPanel.from_bars(closes[gap], stamps="start", interval="1h", calendar="24/7")
    assert np.flatnonzero(np.isnan(cut.values[0])).tolist() == [int(np.flatnonzero(cut.overnight)[0])] == [5 * 24 - 1]


def test_bars_over_lunch():
    """Hong Kong pauses from 12:00 to 13:00: the first bar of the afternoon holds the pause, and what is said in it."""
    clock = [*range(570, 720, 30), *range(780, 960, 30)]
    stamps = [f"{day} {at // 60:02}:{at % 60:02}" for day in ("2025-01-14", "2025-01-15") for at in clock]
    starts = pd.DatetimeIndex(stamps).tz_localize("Asia/Hong_Kong")
    closes = pd.DataFrame({"0700.HK": 100.0 + np.arange(len(starts))}, starts)
    panel = ReturnPanel.from_bars(closes, stamps="start", interval="30min", calendar="XHKG")
    at = int(es.Events.at("2025-01-15 12:10", "0700.HK", tz="Asia/Hong_Kong").resolve(panel).position[0])
    assert panel.label(at) == "2025-01-15 13:30 HKT"
    assert panel.values[0, at] == pytest.approx(1 / 115)
    assert panel.overnight.sum() == 1


def test_two_exchanges_in_one_panel_of_bars():
    """Hours of New York; London closes at 11:30 there, and has no returns afterwards, nor across its night."""
    _, closes = bars(n=1, first="2025-01-06", last="2025-01-10")
    closes = closes.rename(columns={"S0": "RIO.L"})
    local = closes.index
    london = local <= local.normalize() + pd.Timedelta(hours=11, minutes=30)
    closes.loc[~london, "RIO.L"] = np.nan
    early = closes.iloc[:1].set_axis(closes.index[:1] - pd.Timedelta(hours=2))  # London's morning
    both = pd.concat([early, closes])
    with pytest.raises(es.InputError, match="1 of 53 bars lie outside the sessions of NYSE"):
        ReturnPanel.from_bars(both, stamps="end")
    panel = ReturnPanel.from_bars(both, stamps="end", outside="drop")
    assert panel == ReturnPanel.from_bars(closes, stamps="end")
    there = london[1:] & london[:-1]  # this bar and the one before
    assert (~np.isnan(panel.values[panel.row("RIO.L")])).tolist() == there.tolist()
    assert not np.isnan(panel.values[panel.row("MKT")]).any()
    found = es.Events.at("2025-01-08 15:07", ["RIO.L", "MKT"], tz="Europe/London").resolve(panel)
    assert [panel.label(int(at)) for at in found.position] == ["2025-01-08 10:30 EST"] * 2


def test_two_exchanges_in_one_panel_of_days(ols_event):
    """Boxing Day is a session of New York and none of London: each event goes by its own exchange."""
    days = sorted({*sessions("NYSE", "2024-01-02", "2025-02-14"), *sessions("XLON", "2024-01-02", "2025-02-14")})
    index = pd.DatetimeIndex(days)
    rng = np.random.default_rng(4)
    prices = pd.DataFrame(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (len(index), 3)), 0)), index, ["MKT", "US", "UK"])
    for names, calendar in ((["UK"], "XLON"), (["MKT", "US"], "NYSE")):
        own = set(sessions(calendar, "2024-01-02", "2025-02-14"))
        prices.loc[[day not in own for day in index], names] = np.nan
    panel = ReturnPanel.from_prices(prices)
    table = pd.DataFrame(
        {
            "ticker": ["US", "UK"],
            "timestamp": ["2024-12-25T12:00:00+00:00"] * 2,
            "calendar": ["NYSE", "XLON"],
        }
    )
    events = es.Events.from_frame(table)
    assert events.resolve(panel).session.astype(str).tolist() == ["2024-12-26", "2024-12-27"]
    with pytest.warns(es.EventStudyWarning):
        res = es.EventStudy(panel, events, es.MarketModel("MKT"), (-200, -11), (-3, 3), missing="skip").fit()
    frame = panel.to_frame()
    for at, (ticker, position) in enumerate(zip(["US", "UK"], res.fit.index.position, strict=True)):
        want = ols_event(frame, ticker, ["MKT"], int(position), (-200, -11), (-3, 3))
        np.testing.assert_allclose(res.fit.coef[at], want.params, rtol=1e-9)
        np.testing.assert_allclose(res.abnormal_returns.iloc[at], want.ar, rtol=1e-9)
        assert res.fit.n_obs[at] == want.n_obs
    # a return next to a day without trade is none, on either side
    gap = frame.index.get_loc(pd.Timestamp("2024-12-26"))
    assert np.isnan(frame["UK"].iloc[gap : gap + 2]).all()
    assert not np.isnan(frame["US"].iloc[gap])


@pytest.mark.parametrize(("kind", "frequency"), [("log", "W"), ("simple", "M"), ("log", "M")])
def test_periods_and_kinds_agree_with_statsmodels(sample_prices, kind, frequency):
    panel = ReturnPanel.from_prices(sample_prices, kind=kind, frequency=frequency)
    frame = sample_prices[["SPY", "MSFT"]].resample("W-SUN" if frequency == "W" else "ME").last()
    frame = (np.log(frame).diff() if kind == "log" else frame.pct_change()).iloc[1:].to_numpy()
    study = es.EventStudy(
        panel, es.Events.at("2025-01-29", "MSFT"), es.MarketModel("SPY"), (-11, -2), (0, 0), min_obs=10
    )
    res = study.fit()
    at = int(res.fit.index.position[0])
    assert panel.sessions[at].strftime("%Y-%m-%d") == "2025-01-31"
    x = sm.add_constant(frame[:, 0])
    fit = sm.OLS(frame[at - 11 : at - 1, 1], x[at - 11 : at - 1]).fit()
    row = res.car(0, 0).iloc[0]
    assert row["car"] == pytest.approx(frame[at, 1] - x[at] @ fit.params, rel=1e-9)
    assert row["std_error"] == pytest.approx(fit.get_prediction(x[at]).se_obs[0], rel=1e-9)


def test_london_hours():
    """Bars of another exchange: 8:00 to 16:30, half day on Christmas Eve to 12:30."""
    index = ends("XLON", "2024-12-23", "2024-12-27", 30)
    closes = pd.DataFrame({"A": np.linspace(10, 11, len(index))}, index)
    panel = ReturnPanel.from_bars(closes, stamps="end", calendar="XLON")
    assert panel.label(-1) == "2024-12-27 16:30 GMT"
    found = es.Events.at("2024-12-24 13:00", "A", tz="Europe/London").resolve(panel)
    assert panel.label(int(found.position[0])) == "2024-12-27 08:30 GMT"


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda f: f, {}, "whether a bar's stamp is its start or its end is not to be guessed"),
        (lambda f: f, {"stamps": "start"}, "interval=None is not the length of an intraday bar"),
        (lambda f: f, {"stamps": "start", "interval": "36h"}, "is not the length"),
        (lambda f: f.tz_localize(None), {"stamps": "end"}, "moments with a time zone"),
        (lambda f: f.iloc[::-1], {"stamps": "end"}, "not in order"),
        (lambda f: f * -1, {"stamps": "end"}, r"MKT has the close -\d"),
        (lambda f: f, {"stamps": "end", "outside": "keep"}, "outside='keep' is not an option"),
        (lambda f: f, {"stamps": "end", "calendar": "NOWHERE"}, "Unknown exchange calendar"),
        (lambda f: f.iloc[:1], {"stamps": "end"}, "One bar of prices makes no return"),
        (lambda f: f.iloc[:0], {"stamps": "end"}, "A frame of intraday prices was expected"),
        (lambda f: f, {"stamps": "end", "opens": pd.DataFrame({"X": [1.0]})}, "opens does not have the rows"),
    ],
)
def test_bars_refused(change, options, says):
    _, closes = bars()
    with pytest.raises(es.InputError, match=says):
        ReturnPanel.from_bars(change(closes), **options)


def test_other_constructors_send_intraday_prices_to_from_bars():
    _, closes = bars()
    with pytest.raises(es.InputError, match=r"several times of one day.*from_bars"):
        ReturnPanel.from_prices(closes)
    values = np.zeros((1, 2))
    with pytest.raises(es.InputError, match="Labels of bars are moments with a zone"):
        ReturnPanel(values, pd.Index(["A"]), pd.bdate_range("2025", periods=2), frequency="intraday", calendar="NYSE")
    with pytest.raises(es.InputError, match="Labels of sessions are dates"):
        ReturnPanel(values, pd.Index(["A"]), closes.index[:2])


@pytest.mark.parametrize("seed", range(3))
def test_detection_bar_by_bar(seed):
    """A shock in a known minute is found in its bar and in no other, by every event of thirty."""
    rng = np.random.default_rng(seed)
    opens, closes = bars(n=30, seed=seed, minutes=15)
    names = closes.columns[1:]
    inside = closes.index[(closes.index >= "2025-01-06") & (closes.index < "2025-01-14")]
    table, expected = [], []
    for name in names:
        end = inside[rng.integers(len(inside))]
        minute = end - pd.Timedelta(minutes=int(rng.integers(1, 16)))  # from its start to a minute before its end
        closes.loc[closes.index >= end, name] *= 1.03
        opens.loc[opens.index > end, name] *= 1.03
        table.append({"ticker": name, "timestamp": minute})
        expected.append(end)
    panel = ReturnPanel.from_bars(closes, opens=opens, stamps="end")
    events = es.Events.from_frame(pd.DataFrame(table))
    res = es.EventStudy(panel, events, es.MarketModel("MKT"), (-200, -6), (-5, 5), min_obs=60).fit()
    assert res.events["session"].tolist() == expected
    ar = res.abnormal_returns.to_numpy()
    nights = panel.overnight[res.fit.index.position[:, None] + np.arange(-5, 6)]
    assert (ar[:, 5] > 0.02).all()
    assert (np.abs(np.where(nights, 0.0, ar))[:, [*range(5), *range(6, 11)]] < 0.01).all()
