"""From the question to the fit: sessions, dropped events, warnings and refused questions."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import eventstudy as es

EST, EVENT = (-250, -21), (-10, 10)


@pytest.fixture(scope="module")
def founding(sample_panel, quiet):
    """News at 04:46 in New York on 29 January 2025, Microsoft and Nvidia."""
    events = es.Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz="America/New_York", label="OpenAI–DeepSeek")
    return quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), EST, (-14, 10)))


# -- the founding case --------------------------------------------------------------------------------------------


def test_sessions_of_the_founding_case(founding):
    sessions = founding.study.returns.sessions
    at = founding.fit.index.position[0]
    assert (founding.events["session"] == pd.Timestamp("2025-01-29")).all()
    assert (founding.events["rule"] == "before the open").all()
    assert (founding.events["shift_days"] == 0).all()
    assert sessions[at - 1] == pd.Timestamp("2025-01-28")
    assert sessions[at + 1] == pd.Timestamp("2025-01-30")
    # 20 January (holiday) and 9 January (mourning) do not count, nor do weekends
    assert sessions[at - 14] == pd.Timestamp("2025-01-07")


def test_returns_of_the_founding_case(founding):
    held = founding.bhar(-2, -2).set_index("ticker")["buy_and_hold"]
    assert held["NVDA"] == pytest.approx(-0.1697, abs=5e-5)  # 27 January
    held = founding.bhar(1, 1).set_index("ticker")["buy_and_hold"]
    assert held["MSFT"] == pytest.approx(-0.0618, abs=5e-5)  # 30 January


def test_estimation_dates_of_the_founding_case(founding):
    row = founding.parameters.iloc[0]
    sessions = founding.study.returns.sessions
    at = sessions.get_loc(pd.Timestamp("2025-01-29"))
    assert row["estimation_start"] == sessions[at - 250]
    assert row["estimation_end"] == sessions[at - 21] == pd.Timestamp("2024-12-26")
    assert row["n_obs"] == 230


# -- events that cannot be used -----------------------------------------------------------------------------------


def trouble(frame):
    """Five events that fail, each for a reason of its own, and two that do not."""
    frame = frame.copy()
    frame.iloc[:150, frame.columns.get_loc("S02")] = np.nan  # listed late
    frame["S03"] = 0.0  # never traded
    frame["S04"] = frame["MKT"]
    frame.iloc[165:176, frame.columns.get_loc("S05")] = np.nan  # suspended all through the event window
    table = pd.DataFrame(
        {
            "ticker": ["S00", "S01", "S02", "S03", "S04", "S05", "S0O", "S06", "S07"],
            "date": [frame.index[170]] * 7 + [pd.Timestamp("2031-03-03"), pd.Timestamp("2011-03-03")],
        }
    )
    return frame, es.Events.from_frame(table)


REASONS = {
    "S02": [r"S02, event session 2021-08-30", "10 usable returns", r"\[-130, -11\]", "fewer than the 60", "min_obs"],
    "S03": ["S03", "no residual variance", "does not move"],
    "S04": ["S04", "no residual variance", "is the benchmark"],
    "S05": ["S05", "no abnormal return in the event window", r"\[-5, \+5\]", "Load prices"],
    "S0O": ["no security 'S0O'", "Did you mean", "S0"],
    "S06": ["S06", "2031-03-03", "after the panel", "Load later prices"],
    "S07": ["S07", "2011-03-03", "before the panel", "Load earlier prices"],
}


def test_a_batch_survives_bad_events(synthetic, study_of, events_at):
    frame, events = trouble(synthetic(8, 260, seed=60))
    panel = es.ReturnPanel.from_frame(frame)
    study = es.EventStudy(panel, events, es.MarketModel("MKT"), (-130, -11), (-5, 5), min_obs=60)
    with pytest.warns(es.EventStudyWarning) as caught:
        res = study.fit()
    dropped = [w for w in caught if w.category is es.DroppedEventsWarning]
    assert len(dropped) == 1
    assert str(dropped[0].message).startswith("7 of 9 security-events cannot be used. First: S02, event session")
    assert dropped[0].filename == __file__  # it points to the caller
    assert res.dropped.columns.tolist() == ["event_id", "ticker", "session", "reason"]
    reasons = res.dropped.set_index("ticker")["reason"]
    assert set(reasons.index) == set(REASONS)
    for ticker, pieces in REASONS.items():
        for piece in pieces:
            assert pd.Series([reasons[ticker]]).str.contains(piece).all(), (ticker, piece, reasons[ticker])
    assert res.dropped["event_id"].tolist() == [3, 4, 5, 6, 7, 8, 9]
    clean = study_of(frame, events_at(frame, {"S00": 170, "S01": 170}))
    pd.testing.assert_frame_equal(res.car(-2, 2), clean.car(-2, 2))
    pd.testing.assert_frame_equal(res.tests(-2, 2), clean.tests(-2, 2))


@pytest.mark.parametrize("ticker", list(REASONS))
def test_the_first_bad_event_can_stop_the_study(synthetic, ticker):
    frame, events = trouble(synthetic(8, 260, seed=60))
    events = events.subset(np.isin(events.ticker, ["S00", ticker]))
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events, es.MarketModel("MKT"), (-130, -11), (-5, 5), 60, on_error="raise"
    )
    with pytest.raises(es.InsufficientDataError, match=REASONS[ticker][0]) as caught:
        study.fit()
    assert caught.value.context["ticker"] == ticker
    assert len(caught.value.context["dropped"]) == 1


def test_nothing_left(synthetic, events_at):
    frame, events = trouble(synthetic(8, 260, seed=60))
    for tickers in (["S03", "S06"], ["S0O"]):
        some = events.subset(np.isin(events.ticker, tickers))
        study = es.EventStudy(es.ReturnPanel.from_frame(frame), some, es.MarketModel("MKT"), (-130, -11), (-5, 5), 60)
        with pytest.raises(es.InsufficientDataError, match=f"{len(tickers)} of {len(tickers)} security-events cannot"):
            study.fit()


def test_a_benchmark_that_does_not_vary(synthetic, events_at):
    frame = synthetic(3, 260, seed=61)
    frame["MKT"] = 0.0005
    frame["TWIN"] = 2 * frame["S02"]
    events = events_at(frame, {"S00": 170, "S01": 170})
    for model, names in ((es.MarketModel("MKT"), "MKT"), (es.FactorModel(["S02", "TWIN"]), "S02, TWIN")):
        study = es.EventStudy(es.ReturnPanel.from_frame(frame), events, model, (-130, -11), (-5, 5))
        with pytest.raises(
            es.InsufficientDataError, match=rf"the regressors \({names}\) do not vary, or are collinear"
        ):
            study.fit()


# -- missing data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["propagate", "skip"])
def test_a_benchmark_with_gaps(synthetic, events_at, ols_event, option):
    frame = synthetic(2, 260, seed=62)
    frame.iloc[[60, 100, 171], 0] = np.nan  # two estimation days; one event day of S00
    events = events_at(frame, {"S00": 170, "S01": 200})
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events, es.MarketModel("MKT"), (-130, -11), (-5, 5), 60, missing=option
    )
    with pytest.warns(es.ThinWindowWarning, match=r"1 security-events lack returns.*first: S00 at tau = 1") as caught:
        res = study.fit()
    assert ("are missing" if option == "propagate" else "sum the sessions that are there") in str(caught[0].message)
    assert res.parameters["n_obs"].tolist() == [118, 118]
    assert np.isnan(res.abnormal_returns.to_numpy()).sum() == 1
    assert np.isnan(res.abnormal_returns.loc[(1, "S00"), 1])
    assert res.car(-5, 5)["n_missing"].tolist() == [1, 0]
    assert res.car(-5, 5)["car"].isna().tolist() == [option == "propagate", False]
    assert res.car(-5, 0)["n_missing"].tolist() == [0, 0]
    for row, (ticker, position) in enumerate({"S00": 170, "S01": 200}.items()):
        oracle = ols_event(frame, ticker, ["MKT"], position, (-130, -11), (-5, 5))
        np.testing.assert_allclose(res.abnormal_returns.iloc[row], oracle.ar, rtol=1e-10, atol=1e-15)
    assert any("lack returns" in note for note in res.caveats())


def test_event_window_beyond_the_data(synthetic, events_at):
    frame = synthetic(1, 200, seed=63)
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events_at(frame, {"S00": 197}), es.MarketModel("MKT"), (-130, -11), (-5, 5)
    )
    with pytest.warns(es.ThinWindowWarning, match="tau = 3"):
        res = study.fit()
    assert res.abnormal_returns.iloc[0].isna().tolist() == [False] * 8 + [True] * 3


def test_a_short_estimation_window_is_said(synthetic, events_at):
    """`ThinWindowWarning`: "an event window has missing returns, or an estimation window is shorter than asked"."""
    frame = synthetic(1, 200, seed=64)
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame),
        events_at(frame, {"S00": 100}),
        es.MarketModel("MKT"),
        (-130, -11),
        (-5, 5),
        60,
    )
    with pytest.warns(es.ThinWindowWarning, match="S00"):
        res = study.fit()
    assert res.parameters["n_obs"].iloc[0] == 90


# -- questions that are refused -----------------------------------------------------------------------------------


def ask(panel, **changes):
    question = {
        "returns": panel,
        "events": es.Events.at("2025-01-29", ["MSFT", "NVDA"]),
        "model": es.MarketModel("SPY"),
        "estimation_window": EST,
        "event_window": EVENT,
        **changes,
    }
    return es.EventStudy(**question)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"model": es.MarketModel}, es.InputError, r"not a model of normal returns.*Give an instance"),
        ({"model": "market"}, es.InputError, "'market' is not a model"),
        ({"model": es.MarketModel("SPYY")}, es.InputError, "no security 'SPYY'.*Did you mean SPY"),
        ({"model": es.FactorModel(["SPY", "SMHH"])}, es.InputError, "no security 'SMHH'.*Did you mean SMH"),
        ({"events": ["MSFT"]}, es.InputError, "events must be an Events table, not list"),
        ({"events": pd.DataFrame()}, es.InputError, "not DataFrame.*Events.from_frame"),
        ({"returns": pd.DataFrame()}, es.InputError, "returns must be a ReturnPanel, not DataFrame.*from_prices"),
        ({"min_obs": 0}, es.InputError, "min_obs=0 is not a positive whole number"),
        ({"min_obs": -3}, es.InputError, "min_obs=-3"),
        ({"min_obs": 99.5}, es.InputError, "min_obs=99.5"),
        ({"min_obs": "120"}, es.InputError, "min_obs='120'"),
        ({"min_obs": True}, es.InputError, "min_obs=True"),
        ({"min_obs": 231}, es.WindowError, "has 230 sessions, fewer than min_obs=231"),
        ({"confidence": 0.0}, es.InputError, "confidence=0.0 is not between 0 and 1"),
        ({"confidence": 1.0}, es.InputError, "confidence=1.0"),
        ({"confidence": 95}, es.InputError, "confidence=95"),
        ({"confidence": float("nan")}, es.InputError, "confidence=nan"),
        ({"confidence": "0.95"}, es.InputError, "confidence='0.95'"),
        ({"confidence": None}, es.InputError, "confidence=None"),
        ({"missing": "fill"}, es.InputError, "missing='fill' is not an option.*propagate.*skip"),
        ({"on_error": "ignore"}, es.InputError, "on_error='ignore'.*drop.*raise"),
        ({"missing": None}, es.InputError, "missing=None"),
        ({"event_window": (-30, 10)}, es.WindowError, r"shares sessions with the event window \[-30, \+10\]"),
        ({"event_window": (10, -10)}, es.WindowError, r"Did you mean \(-10, 10\)"),
        ({"event_window": (-1.5, 2)}, es.WindowError, "whole number"),
        ({"estimation_window": (-21, -250)}, es.WindowError, r"Did you mean \(-250, -21\)"),
        ({"estimation_window": 250}, es.WindowError, "250 is not a window"),
    ],
)
def test_refused(sample_panel, changes, error, says):
    with pytest.raises(error, match=says):
        ask(sample_panel, **changes)


def test_an_unknown_calendar_is_refused(sample_panel):
    with pytest.raises(es.InputError, match="NYXE"):
        ask(sample_panel, events=es.Events.at("2025-01-29 04:46", "MSFT", tz="America/New_York"), calendar="NYXE").fit()
    with pytest.raises(es.InputError, match="NYXE"):  # bare dates do not read it, but a wrong option is a wrong option
        ask(sample_panel, events=es.Events.at("2025-01-29", "MSFT"), calendar="NYXE").fit()


def test_min_obs_by_default(sample_panel, synthetic, events_at):
    frame = synthetic(1, 400, seed=65, missing=0.65)
    events = events_at(frame, {"S00": 300})
    panel = es.ReturnPanel.from_frame(frame)
    # 120, but no more than three quarters of what the window has
    for window, asked in (((-270, -21), 120), ((-170, -11), 120), ((-130, -11), 90), ((-100, -11), 68)):
        with pytest.raises(es.InsufficientDataError, match=f"fewer than the {asked} asked for"):
            es.EventStudy(panel, events, es.MarketModel("MKT"), window, (-5, 5)).fit()


def test_the_same_security_twice_on_one_session(sample_panel):
    with pytest.raises(es.InputError, match="Duplicate security-event: NVDA"):
        es.Events.from_frame(pd.DataFrame({"ticker": ["NVDA", "NVDA"], "date": ["2025-01-27"] * 2}))
    stamps = ["2025-01-26", "2025-01-27 08:00-05:00"]  # a Sunday, and the Monday after it
    events = es.Events.from_frame(pd.DataFrame({"ticker": ["NVDA", "NVDA"], "timestamp": stamps}))
    with pytest.raises(es.InputError, match=r"NVDA fall on one session, 2025-01-27.*Keep one"):
        ask(sample_panel, events=events).fit()


def test_one_security_may_have_several_events(sample_panel, quiet, ols_event):
    events = es.Events.from_frame(
        pd.DataFrame({"ticker": ["NVDA", "NVDA"], "date": ["2025-01-27", "2025-01-07"], "event_id": ["b", "a"]})
    )
    res = quiet(ask(sample_panel, events=events, event_window=(-2, 2)))
    assert res.abnormal_returns.index.tolist() == [("b", "NVDA"), ("a", "NVDA")]
    for row, position in enumerate(res.fit.index.position):
        oracle = ols_event(sample_panel.to_frame(), "NVDA", ["SPY"], position, EST, (-2, 2))
        assert res.car(-2, 2)["t"].iloc[row] == pytest.approx(oracle.car(slice(0, 5))["t"], rel=1e-10)
    assert res.tests(0, 0).loc["csect_t", "n"] == 2


def test_a_time_needs_a_zone_and_events_are_needed():
    with pytest.raises(es.AlignmentError, match=r"2025-01-29 04:46.*MSFT.*no time zone.*America/New_York"):
        es.Events.at("2025-01-29 04:46", ["MSFT"])
    with pytest.raises(es.InputError, match="empty"):
        es.Events.at("2025-01-29", [])
    with pytest.raises(es.InputError, match="empty"):
        es.Events.from_frame(pd.DataFrame({"ticker": [], "date": []}))


def test_nothing_is_said_without_need(sample_panel):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        res = ask(sample_panel, events=es.Events.at("2025-01-29", "NVDA")).fit()
    assert res.caveats() == []
    assert len(res.dropped) == 0


def test_inputs_are_left_alone(synthetic, study_of):
    frame = synthetic(3, 260, seed=66, missing=0.1)
    table = pd.DataFrame({"ticker": ["S00", "S01"], "date": [frame.index[170]] * 2, "group": ["a", "b"]})
    copies = frame.copy(deep=True), table.copy(deep=True)
    res = study_of(frame, es.Events.from_frame(table))
    res.summary(), res.frames(), res.tests(0, 0), res.group_caar(0, 0)
    pd.testing.assert_frame_equal(frame, copies[0])
    pd.testing.assert_frame_equal(table, copies[1])


# -- the benchmark's own gaps -------------------------------------------------------------------------------------


def test_a_benchmark_without_returns_is_named(synthetic, events_at):
    frame = synthetic(2, 260, seed=66)
    frame.iloc[60:170, 0] = np.nan
    events = events_at(frame, {"S00": 200})
    panel = es.ReturnPanel.from_frame(frame)
    study = es.EventStudy(panel, events, es.MarketModel("MKT"), (-150, -11), (-5, 5), 60)
    first = frame.index[60]
    with pytest.raises(
        es.InsufficientDataError, match=f"benchmark MKT has no return on 110 of them, first {first:%Y-%m-%d}"
    ):
        study.fit()


def test_a_benchmark_without_a_return_on_the_day_is_said(synthetic, events_at):
    frame = synthetic(2, 260, seed=67)
    frame.iloc[201, 0] = np.nan
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events_at(frame, {"S00": 200}), es.MarketModel("MKT"), (-150, -11), (-5, 5)
    )
    with pytest.warns(es.ThinWindowWarning, match=r"S00 at tau = 1, where the benchmark has none"):
        study.fit()


def test_an_estimation_window_with_many_gaps_is_said(synthetic, events_at):
    frame = synthetic(2, 260, seed=68)
    frame.iloc[60:110, 1] = np.nan
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame),
        events_at(frame, {"S00": 200}),
        es.MarketModel("MKT"),
        (-150, -11),
        (-5, 5),
        60,
    )
    with pytest.warns(es.ThinWindowWarning, match=r"lack more than a quarter of the returns.*90 usable"):
        study.fit()


@pytest.mark.parametrize("executor", [4, "threads"])
def test_an_executor_that_is_none_is_refused(sample_panel, executor):
    with pytest.raises(es.InputError, match="executor="):
        ask(sample_panel).fit(executor=executor)
