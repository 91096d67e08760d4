"""Other dated events: their sessions, whom they concern, the windows they fall into, and what results do about it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.data import sample
from eventstudy.data.calendars import sessions as exchange_sessions
from eventstudy.overlap import contaminated
from eventstudy.windows import EventIndex, Window

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "known_events.csv"
ARTICLE = "2025-01-29 04:46"
NEW_YORK = "America/New_York"
GROUPS = {"MSFT": "Microsoft", "NVDA": "GPU and chip makers", "META": "Other hyperscalers", "VST": "AI power"}


@pytest.fixture(scope="module")
def calendar():
    return es.EventCalendar.sample()


@pytest.fixture(scope="module")
def article():
    return es.Events.at(ARTICLE, list(GROUPS), tz=NEW_YORK, label="OpenAI–DeepSeek", group=GROUPS)


@pytest.fixture(scope="module")
def res(sample_panel, article, quiet):
    return quiet(es.EventStudy(sample_panel, article, es.MarketModel("SPY")))


def table(*rows: dict[str, object]) -> es.EventCalendar:
    defaults = {"date": "2025-01-29", "scope": "MSFT", "label": "news"}
    return es.EventCalendar.from_frame(pd.DataFrame([{**defaults, **row} for row in rows]).fillna(""), tz=NEW_YORK)


# -- the bundled calendar -----------------------------------------------------------------------------------------


def test_the_known_events_are_the_shared_copy() -> None:
    if not SHARED.is_file():
        pytest.skip("needs shared/data/known_events.csv, which is not beside this checkout")
    assert (sample.directory() / "known_events.csv").read_bytes() == SHARED.read_bytes()


def test_the_calendar_is_the_known_events_with_corrections_that_say_so(calendar) -> None:
    ours = calendar.to_frame()
    base = ours[ours["source"].str.startswith("known_events.csv")]
    added = ours.drop(index=base.index)
    assert added["source"].str.match(r"added: \w+").all()
    known = sample.known_events().assign(date=lambda frame: frame["date"].dt.strftime("%Y-%m-%d"))
    assert len(base) == len(known)
    same = ["date", "timing", "certainty"]
    np.testing.assert_array_equal(base[same], known[same])
    np.testing.assert_array_equal(base["time"], known["time_et"])
    changed = (base[["scope", "label"]].to_numpy() != known[["scope", "label"]].to_numpy()).any(axis=1)
    assert base["scope"][changed].tolist() == ["ASML; GPU and chip makers"]
    assert (base["source"][~changed] == "known_events.csv").all()
    assert (base["source"][changed] != "known_events.csv").all()
    assert (ours["certainty"] != "").all()
    assert (ours["kind"] != "").all()
    assert ours["date"].is_monotonic_increasing


def test_results_of_microsoft_fall_into_the_second_window_only(article, calendar, res) -> None:
    """Published 29 January 2025 after the close: session +1 of an article of that morning."""
    found = article.confounded_by(calendar, windows=[(0, 0), (0, 1)])
    own = found.query("ticker == 'MSFT' and reach == 'security'")
    assert own[["window", "confounder", "kind", "tau", "in_window"]].to_numpy().tolist() == [
        ["[0, 0]", "quarterly results", "earnings", 1, False],
        ["[0, +1]", "quarterly results", "earnings", 1, True],
    ]
    assert own["confounder_session"].tolist() == [pd.Timestamp("2025-01-30")] * 2
    assert set(own["rule"]) == {"after the close, next session"}
    assert "MSFT" not in res.confounded_by(calendar, 0, 0, reach="security")["ticker"].tolist()
    assert "MSFT" in res.confounded_by(calendar, 0, 1, reach="security")["ticker"].tolist()
    assert "MSFT" in res.unconfounded(calendar, 0, 0, reach="security").events["ticker"].tolist()
    assert "MSFT" not in res.unconfounded(calendar, 0, 1, reach="security").events["ticker"].tolist()


def test_the_panel_and_the_exchange_agree(article, calendar, sample_panel) -> None:
    pd.testing.assert_frame_equal(
        article.confounded_by(calendar, sample_panel, windows=[(-10, 10)]),
        article.confounded_by(calendar, windows=[(-10, 10)]),
    )


def test_who_else_is_concerned_on_the_day(article, calendar) -> None:
    found = article.confounded_by(calendar, windows=[(0, 0)])
    rate, model = ("FOMC statement (rates unchanged)", "market", "high"), ("Alibaba", "sector", "medium")
    asml = ("quarterly results of ASML", "group", "high")
    press = ("press report of US talks on limiting H20 sales to China", "security", "medium")
    expected = {"MSFT": [rate, model], "NVDA": [rate, asml, press, model], "META": [rate, model], "VST": [rate, model]}
    for ticker, rows in expected.items():
        said = found[found["ticker"] == ticker].replace({"confounder": {"Alibaba's Qwen2.5-Max announced": "Alibaba"}})
        assert set(said[["confounder", "reach", "certainty"]].itertuples(index=False, name=None)) == set(rows)


def test_ex_dividends_are_those_that_the_adjusted_closes_hold(calendar) -> None:
    """Adjusted and plain closes move differently on an ex-dividend date and on no other."""
    path = SHARED.with_name("prices.csv")
    if not path.is_file():
        pytest.skip("needs the full price file shared/data/prices.csv, which is not distributed with the project")
    full = pd.read_csv(path, usecols=["date", "ticker", "close", "adj_close"])
    full = full[
        full["ticker"].isin(set(sample.tickers()) - {"SPY", "SMH"}) & full["date"].between("2024-11-29", "2025-02-28")
    ]
    full = full.dropna().sort_values(["ticker", "date"])
    moves = full.groupby("ticker")[["close", "adj_close"]].pct_change()
    apart = full[(moves["adj_close"] - moves["close"]).abs() > 2e-5]  # NVDA's cent is 7e-5 of its close
    ours = calendar.select(kind="ex-dividend").to_frame()
    assert set(zip(ours["scope"], ours["date"], strict=True)) == set(zip(apart["ticker"], apart["date"], strict=True))


# -- sessions of rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "time", "timing", "session", "rule"),
    [
        ("2025-01-29", "", "before open", "2025-01-29", "before the open"),
        ("2025-01-29", "", "during", "2025-01-29", "during the session"),
        ("2025-01-29", "", "after close", "2025-01-30", "after the close, next session"),
        ("2025-01-29", "", "", "2025-01-29", "date is a session"),
        ("2025-01-29", "15:59", "", "2025-01-29", "during the session"),
        ("2025-01-29", "16:00", "", "2025-01-30", "after the close, next session"),
        ("2025-01-29", "16:05", "before open", "2025-01-30", "after the close, next session"),  # the clock decides
        ("2024-12-24", "12:59", "", "2024-12-24", "during the session"),
        ("2024-12-24", "13:00", "", "2024-12-26", "after the close, next session"),  # an early close, then Christmas
        ("2024-12-24", "", "after close", "2024-12-26", "after the close, next session"),
        ("2025-01-31", "", "amc", "2025-02-03", "after the close, next session"),  # a Friday
        ("2025-02-01", "", "weekend", "2025-02-03", "not a session, next session"),
        ("2025-02-01", "", "after close", "2025-02-03", "not a session, next session"),
        ("2025-01-20", "", "holiday", "2025-01-21", "not a session, next session"),
        ("2025-01-09", "", "closed", "2025-01-10", "not a session, next session"),
        ("2025-01-09", "10:00", "", "2025-01-10", "not a session, next session"),
    ],
)
def test_session_of_a_row(date, time, timing, session, rule) -> None:
    days = exchange_sessions("NYSE", "2024-12-01", "2025-02-28")
    found = table({"date": date, "time": time, "timing": timing}).resolve(days)
    assert (str(found.session[0]), found.rule[0]) == (session, rule)
    assert days[found.position[0]] == pd.Timestamp(session)
    assert found.shift[0] == (pd.Timestamp(session) - pd.Timestamp(date)).days


def test_rows_beyond_the_sessions_are_not_placed_and_gaps_go_to_the_next() -> None:
    days = exchange_sessions("NYSE", "2025-01-02", "2025-01-31").drop(pd.Timestamp("2025-01-28"))
    rows = table(
        {"date": "2024-12-31"},
        {"date": "2025-02-03", "time": "10:00"},
        {"date": "2025-01-31", "timing": "after close"},
        {"date": "2025-01-28", "time": "10:00"},
    )
    found = rows.resolve(days)
    assert found.position.tolist() == [-1, -1, -1, days.get_loc("2025-01-29")]


def test_an_exchange_of_its_own_places_the_rows() -> None:
    """16:45 in London is after its close and before New York's."""
    frame = pd.DataFrame({"ticker": ["VOD.L", "MSFT"], "date": "2025-01-29", "calendar": ["XLON", None]})
    row = table({"date": "2025-01-29", "time": "16:45", "tz": "Europe/London", "scope": "market"})
    found = es.Events.from_frame(frame).confounded_by(row, windows=[(0, 1)])
    assert dict(zip(found["ticker"], found["tau"], strict=True)) == {"VOD.L": 1, "MSFT": 0}


def test_weeks_and_months_that_hold_a_row(sample_panel, calendar, quiet) -> None:
    """The results of Wednesday evening, 29 January 2025, are of that week; those of Friday evening of the next."""
    weekly = sample_panel.resample("W")
    rows = table({"timing": "after close"}, {"date": "2025-01-31", "timing": "after close"})
    found = rows.resolve(weekly)
    assert [str(day.date()) for day in weekly.sessions[found.position]] == ["2025-01-31", "2025-02-07"]
    event = es.Events.at(ARTICLE, "MSFT", tz=NEW_YORK)
    res = quiet(es.EventStudy(weekly, event, es.MarketModel("SPY"), (-50, -5), (-2, 2), min_obs=30))
    assert res.confounded_by(calendar, 0, reach="security")["confounder"].tolist() == ["quarterly results"]
    assert res.confounded_by(calendar, 1, reach="security").empty
    again = event.confounded_by(calendar, weekly, windows=[(0, 0)], reach="security")
    pd.testing.assert_frame_equal(again, res.confounded_by(calendar, 0, reach="security"))


def test_bars_that_hold_a_row() -> None:
    ends = pd.DatetimeIndex(
        [
            f"{day} {clock}"
            for day in ("2025-01-28", "2025-01-29", "2025-01-30")
            for clock in ("10:30", "11:30", "12:30", "13:30", "14:30", "15:30", "16:00")
        ],
        tz=NEW_YORK,
    )
    prices = pd.DataFrame({"MSFT": np.linspace(100.0, 102.0, len(ends))}, index=ends)
    panel = es.ReturnPanel.from_bars(prices, stamps="end")
    rows = table(
        {"time": "14:00"},  # inside the bar that ends at 14:30
        {"timing": "after close"},
        {"timing": "before open"},
        {"timing": "during"},
        {"date": "2025-01-25", "timing": "weekend"},
    )
    with pytest.warns(es.errors.EventStudyWarning, match="2 rows of the calendar give no time of day.*'news' of"):
        found = rows.resolve(panel)
    said = [panel.sessions[at].strftime("%d %H:%M") if at >= 0 else "" for at in found.position]
    assert said == ["29 14:30", "30 10:30", "29 10:30", "", ""]
    event = es.Events.at("2025-01-29 13:50", "MSFT", tz=NEW_YORK)
    timed = es.EventCalendar(rows.to_frame().iloc[:3])
    near = event.confounded_by(timed, panel, windows=[(-4, 3)])
    assert near[["timing", "tau"]].to_numpy().tolist() == [["before open", -4], ["", 0], ["after close", 3]]


# -- the join -----------------------------------------------------------------------------------------------------


def test_the_join_is_that_of_a_double_loop() -> None:
    rng = np.random.default_rng(5)
    days = pd.bdate_range("2020-01-01", periods=120)
    names, groups = [f"S{i}" for i in range(6)], ["x", "y", None]
    chosen = rng.choice(6 * 120, 80, replace=False)
    events = es.Events.from_frame(
        pd.DataFrame({"ticker": [names[i // 120] for i in chosen], "date": days[chosen % 120]}).assign(
            group=[groups[i // 120 % 3] for i in chosen]
        )
    )
    scopes = [*names, "S0; S1", "x; S3", "y", "sector", "Market", "unknown"]
    place, scope = rng.integers(0, 120, 150), rng.integers(0, len(scopes), 150)
    rows = es.EventCalendar.from_frame(
        pd.DataFrame({"date": days[place], "scope": [scopes[i] for i in scope], "label": [f"L{i}" for i in range(150)]})
    )
    window, expected = (-3, 4), set()
    for row, event in itertools.product(range(150), range(80)):
        tau = int(place[row] - chosen[event] % 120)
        if not window[0] <= tau <= window[1]:
            continue
        ticker, group = names[chosen[event] // 120], groups[chosen[event] // 120 % 3]
        for text in scopes[scope[row]].split("; "):
            reach = {ticker: "security", group: "group", "sector": "sector", "Market": "market"}.get(text)
            if reach:
                known = [other for other in expected if other[:2] == (event + 1, f"L{row}")]
                if known and "security" not in (reach, known[0][3]):
                    continue
                expected -= set(known) if reach == "security" else set()
                if reach == "security" or not known:
                    expected.add((event + 1, f"L{row}", tau, reach))
    found = events.confounded_by(rows, days, windows=[window])
    assert found["in_window"].all()
    assert set(found[["event_id", "confounder", "tau", "reach"]].itertuples(index=False, name=None)) == expected
    assert len(found) == len(expected)
    assert found["event_id"].is_monotonic_increasing
    narrow = events.confounded_by(rows, days, windows=[window, (0, 1)], reach=("security", "market"))
    wide, short = (narrow[narrow["window"] == name].reset_index(drop=True) for name in ("[-3, +4]", "[0, +1]"))
    assert set(wide["reach"]) == {"security", "market"}
    assert short["in_window"].tolist() == wide["tau"].isin([0, 1]).tolist()


@pytest.mark.parametrize(
    ("row", "columns", "own"),
    [
        ({"time": "04:46"}, {}, True),  # the same moment
        ({"label": "the news"}, {}, True),
        ({"label": "other", "certainty": "seed"}, {}, True),
        ({"label": "other", "kind": "earnings"}, {"kind": "earnings"}, True),
        ({"label": "other", "kind": "earnings"}, {"kind": "merger"}, False),
        ({"label": "other", "kind": ""}, {"kind": ""}, False),
        ({"label": "other"}, {}, False),
        ({"label": "the news", "date": "2025-01-30"}, {}, False),  # another session
        ({"certainty": "seed", "date": "2025-01-28"}, {}, False),
    ],
)
def test_an_event_does_not_confound_itself(row, columns, own) -> None:
    frame = pd.DataFrame({"ticker": ["MSFT"], "timestamp": [f"{ARTICLE}-05:00"], "label": ["the news"], **columns})
    found = es.Events.from_frame(frame).confounded_by(table(row), windows=[(-1, 1)])
    assert len(found) == (0 if own else 1)


@pytest.mark.parametrize("other", [None, pd.DataFrame({"date": ["2025-01-29"]})])
def test_what_is_no_calendar(article, res, other) -> None:
    with pytest.raises(es.InputError, match="must be an EventCalendar"):
        article.confounded_by(other, windows=[(0, 1)])
    with pytest.raises(es.InputError, match="must be an EventCalendar"):
        res.unconfounded(other, 0, 1)


def test_words_that_are_not_known(article, calendar) -> None:
    with pytest.raises(es.InputError, match=r"reach='sectors' is not known\. Use .*'sector'"):
        article.confounded_by(calendar, reach="sectors")
    with pytest.raises(es.InputError, match="windows is empty"):
        article.confounded_by(calendar, windows=[])
    with pytest.raises(es.InputError, match="DatetimeIndex or a ReturnPanel, not list"):
        article.confounded_by(calendar, ["2025-01-29"])
    early = exchange_sessions("NYSE", "2024-01-02", "2024-12-31")
    with pytest.raises(es.AlignmentError, match=r"4 of 4 events have no event session\. First: MSFT"):
        article.confounded_by(calendar, early)


# -- tables -------------------------------------------------------------------------------------------------------


def test_reading_and_writing(tmp_path, calendar) -> None:
    pd.testing.assert_frame_equal(es.EventCalendar.from_frame(calendar.to_frame()).to_frame(), calendar.to_frame())
    path = tmp_path / "fomc.csv"
    path.write_text(
        "date,time_et,scope,label,extra\n2025-01-29,14:00,market,FOMC,x\n\n2025-03-19,14:00,market,FOMC,y\n"
    )
    fomc = es.EventCalendar.read(path)
    assert fomc.to_frame()["tz"].tolist() == [NEW_YORK] * 2
    assert repr(fomc) == "EventCalendar(2 dated events, 2025-01-29 to 2025-03-19)"
    assert len(es.EventCalendar.concat([calendar, fomc, fomc])) == len(calendar) + 2
    assert "<table" in calendar._repr_html_()
    stamped = pd.DataFrame({"date": ["2025-01-29T14:00-05:00"], "scope": "market", "label": "FOMC"})
    days = exchange_sessions("NYSE", "2025-01-02", "2025-02-28")
    assert str(es.EventCalendar.from_frame(stamped).resolve(days).session[0]) == "2025-01-29"


def test_choosing_rows(calendar) -> None:
    fomc = calendar.select(kind="central bank")
    assert fomc.to_frame()["date"].tolist() == ["2024-12-18", "2025-01-08", "2025-01-29", "2025-02-19"]
    assert len(calendar.without(kind="central bank")) == len(calendar) - 4
    assert calendar.select(scope="ASML").to_frame()["kind"].tolist() == ["earnings"]
    assert calendar.select(scope=["MSFT", "META"], kind="earnings").to_frame()["scope"].tolist() == ["MSFT", "META"]
    with pytest.raises(es.InputError, match=r"No row of the calendar has the kind 'earning'; there are \['AI news'"):
        calendar.select(kind="earning")
    with pytest.raises(es.InputError, match="meets all conditions"):
        calendar.select(scope="MSFT", kind="central bank")
    with pytest.raises(es.InputError, match="calendar is empty"):
        fomc.without(scope="market")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date,label\n2025-01-29,x", "lacks the column 'scope'; it has 'date', 'label'"),
        ("date,scope,label", "calendar is empty"),
        ("date,scope,label\n2025-01-29,,x", r"scope of the calendar's row of 2025-01-29 \(line 2\) is blank"),
        ("date,scope,label\n2025-01-29,;,x", "is blank"),
        ("date,scope,label\n\n2025-01-29,A,", r"label of .* \(line 3\) is blank"),
        (
            "date,scope,label,timing\n2025-01-29,A,x,noon",
            r"timing 'noon' of 'x' \(line 2\) is not known.*'after close'",
        ),
        ("date,scope,label\n29/01/2025,A,x", r"timestamp of A: x \(line 2\) is '29/01/2025', no ISO 8601"),
        ("date,scope,label\n,A,x", r"date of A: x \(line 2\) is missing"),
        ("date,scope,label,time\n2025-01-29,A,x,25:00", "no ISO 8601"),
        ("date,scope,label,time,tz\n2025-01-29,A,x,10:00,Mars", "Unknown time zone 'Mars'"),
    ],
)
def test_calendars_that_cannot_be_read(tmp_path, text, message) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text(text + "\n")
    with pytest.raises(es.InputError, match=message):
        es.EventCalendar.read(path)


def test_a_time_needs_a_zone_and_a_file_must_exist(tmp_path) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text("date,time,scope,label\n2025-01-29,14:00,market,FOMC\n")
    with pytest.raises(es.AlignmentError, match="has a time of day but no time zone"):
        es.EventCalendar.read(path)
    assert es.EventCalendar.read(path, tz="America/New_York").to_frame()["tz"].tolist() == [NEW_YORK]
    with pytest.raises(es.DataSourceError, match="There is no calendar file"):
        es.EventCalendar.read(tmp_path / "none.csv")
    with pytest.raises(es.InputError, match="got list"):
        es.EventCalendar.from_frame([1])


# -- results ------------------------------------------------------------------------------------------------------


def test_leaving_confounded_events_out(res, calendar) -> None:
    clean = res.unconfounded(calendar, (0, 1), reach="security")
    assert clean.events["ticker"].tolist() == ["VST"]  # MSFT and META report, NVDA is in the press
    chosen = res.select(ticker="VST")
    pd.testing.assert_frame_equal(clean.car(0, 1), chosen.car(0, 1))
    with pytest.raises(es.InputError, match=r'All 4 events .* \[0, 0\]: none is left.*reach="security"'):
        res.unconfounded(calendar, (0, 0))
    with pytest.raises(es.WindowError):
        res.unconfounded(calendar, (0, 11))


def test_clean_and_confounded_side_by_side(res, calendar) -> None:
    split = res.split_by_confounding(calendar, 0, 1, reach="security")
    assert split.index.tolist() == ["clean", "confounded", "all"]
    assert split["n"].tolist() == [1, 3, 4]
    for name, tickers in (("clean", ["VST"]), ("confounded", ["MSFT", "NVDA", "META"]), ("all", list(GROUPS))):
        part = res.select(ticker=tickers)
        assert split.loc[name, "caar"] == part.caar(0, 1)["caar"].iloc[0]
        for test in ("time_series_t", "bmp_t_adj"):
            expected = part.tests(0, 1, resampling=False).loc[test, "p_value"]
            assert split.loc[name, f"{test}_p"] == pytest.approx(expected, nan_ok=True, rel=1e-14)
    none = res.split_by_confounding(calendar, 0, 0)
    assert none["n"].tolist() == [0, 4, 4]
    assert np.isnan(none.loc["clean", "caar"])


def test_weights_of_confounded_events(res, calendar, article, sample_panel, quiet) -> None:
    car = res.car(0, 1)["car"].to_numpy()
    weighted = res.downweighted(calendar, 0, 1, factor=0.25, reach="security")
    expected = (0.25 * car[:3].sum() + car[3]) / 1.75
    assert weighted.caar(0, 1)["caar"].iloc[0] == pytest.approx(expected, rel=1e-13)
    assert res.caar(0, 1)["caar"].iloc[0] == pytest.approx(car.mean(), rel=1e-13)
    np.testing.assert_array_equal(weighted.car(0, 1)["car"], car)
    given = es.Events.at(ARTICLE, list(GROUPS), tz=NEW_YORK, weight=[4.0, 1.0, 2.0, 3.0])
    both = quiet(es.EventStudy(sample_panel, given, es.MarketModel("SPY"))).downweighted(
        calendar, 0, 1, factor=0.5, reach="security"
    )
    assert both.caar(0, 1)["caar"].iloc[0] == pytest.approx(np.average(car, weights=[2.0, 0.5, 1.0, 3.0]), rel=1e-13)
    for factor in (0, -1, 1.5, True, "half", float("nan")):
        with pytest.raises(es.InputError, match=r"above 0 and at most 1.*unconfounded"):
            res.downweighted(calendar, 0, 1, factor=factor)


def test_tables_and_figures_are_marked(res, calendar) -> None:
    marked = res.car(0, 1, confounders=calendar.select(kind=["earnings", "press"])).set_index("ticker")["confounders"]
    assert marked["MSFT"] == "quarterly results (+1)"
    assert marked["NVDA"].split("; ") == [
        "quarterly results of ASML (0)", "press report of US talks on limiting H20 sales to China (0)",
    ]  # fmt: skip
    assert marked["VST"] == ""
    assert "confounders" not in res.car(0, 1)
    marks = calendar.marks(res, reach="security")
    assert marks[1] == "META, MSFT: quarterly results"
    assert calendar.marks(res)[1] == "META, MSFT: quarterly results; US gross domestic product…"
    assert calendar.marks(res, width=500)[0].startswith("FOMC statement (rates unchanged); Alibaba's")
    assert all(len(text) <= 20 for text in calendar.marks(res, width=20).values())
    assert calendar.marks(res, width=20)[1] == "META, MSFT…"
    with pytest.raises(es.InputError, match="width=3 is not"):
        calendar.marks(res, width=3)
    assert set(calendar.marks(res.select(ticker="VST"), reach="security")) == set()
    axes = res.plot.caar(mark=marks)
    drawn = [text.get_text() for text in axes.figure.findobj(lambda item: hasattr(item, "get_text"))]
    assert any("META, MSFT: quarterly results" in " ".join(text.split()) for text in drawn)


def test_results_that_know_of_other_events_mark_everything(res, calendar, tmp_path) -> None:
    marked = res.with_confounders(calendar, reach=["security", "group"])
    plain = marked.car(0, 1).set_index("ticker")["confounders"]
    assert plain.to_dict() == {
        "MSFT": "quarterly results (+1)",
        "NVDA": "quarterly results of ASML (0); press report of US talks on limiting H20 sales to China (0)",
        "META": "quarterly results (+1)",
        "VST": "",
    }
    text = str(marked.summary((0, 0), (0, 1)))
    lines = {line.split("  ")[0]: line for line in text[text.index("Other dated events in these") :].splitlines()}
    assert "another dated event (security or group): 1 of 4 in [0, 0], 3 of 4 in [-1, +1]" in " ".join(text.split())
    own = next(line for line in text.splitlines() if "quarterly results  " in line)
    assert " ".join(own.split()) == "2025-01-29 after close quarterly results security high +1 [0, +1] 1 MSFT"
    assert any("H20" in line and "[0, 0], [0, +1]" in line for line in lines.values())
    assert "FOMC" not in text
    assert "Other dated events" not in str(res.summary())
    # selections and weights keep the calendar
    assert "confounders" in marked.select(ticker="MSFT").car(0, 1)
    assert "confounders" in marked.downweighted(calendar, 0, 1).car(0, 1)
    out = marked.to_csv(tmp_path, windows=[(0, 0), (0, 1)])
    written = pd.read_csv(out / "confounders.csv")
    assert written.groupby("window").size().to_dict() == {"[0, +1]": 4, "[0, 0]": 2}
    assert pd.read_csv(out / "car.csv")["confounders"].notna().sum() == 4
    assert marked.manifest["confounders"] == {"events": len(calendar), "reach": ["security", "group"]}
    assert "confounders" not in res.manifest
    res.to_csv(tmp_path, windows=[(0, 0)])
    assert not (tmp_path / "confounders.csv").exists()  # of the earlier study
    drawn = [text.get_text() for text in marked.plot.car(0, 1).figure.findobj(lambda item: hasattr(item, "get_text"))]
    assert {"MSFT †", "META †", "NVDA †", "VST"} <= set(drawn)
    assert any("† another dated event (security or group) in the window" in " ".join(text.split()) for text in drawn)
    with pytest.raises(es.InputError, match="must be an EventCalendar, not DataFrame"):
        res.with_confounders(calendar.to_frame())
    with pytest.raises(es.InputError, match="reach='firm'"):
        res.with_confounders(calendar, reach="firm")


def test_the_report_tells_of_other_events(res, calendar, tmp_path) -> None:
    pytest.importorskip("jinja2")
    marked = res.with_confounders(calendar, reach="security")
    path = marked.report(tmp_path / "report.html", windows=[(0, 1)], interactive=False)
    text = path.read_text(encoding="utf-8")
    assert "Other dated events in these windows" in text
    assert "With and without other dated events over [0, +1]" in text
    assert "press report of US talks on limiting H20 sales to China" in text
    assert "FOMC" not in text


def test_the_interactive_figure_marks_them(res, calendar) -> None:
    go = pytest.importorskip("plotly.graph_objects")
    from eventstudy._interactive import _caar, _securities

    windows = [es.Window(0, 0), es.Window(0, 1)]
    drawn = _securities(go, res.with_confounders(calendar, reach="security"), windows)
    traces = json.loads(drawn.spec)["data"]
    diamonds = [
        {name for name, symbol in zip(trace["y"], trace["marker"]["symbol"], strict=True) if symbol == "diamond"}
        for trace in traces
    ]
    assert diamonds == [{"NVDA"}, {"MSFT", "META", "NVDA"}]
    assert "also: quarterly results (+1)" in " ".join(traces[1]["customdata"])
    assert "another dated event (security) in the window" in drawn.note
    assert "diamond" not in _securities(go, res, windows).note
    assert _caar(go, res, {0: "FOMC", -2: "sell-off"}).note == "A (session −2): sell-off; B (session 0): FOMC."


def test_a_summary_lists_the_nearest_and_says_how_many_are_left_out(res, calendar) -> None:
    text = str(res.with_confounders(calendar).summary())
    part = text[text.index("Other dated events in these") :]
    assert len([line for line in part.splitlines() if line.startswith(("2024", "2025"))]) == 15
    assert "quarterly results" in part
    assert "more; results.confounded_by(calendar, a, b) has all" in part
    none = res.with_confounders(calendar.select(scope="CRM")).summary((0, 0))
    assert "None in these windows." in str(none)


def test_marks_need_one_date(sample_panel, calendar, quiet) -> None:
    frame = pd.DataFrame({"ticker": ["MSFT", "NVDA"], "date": ["2025-01-27", "2025-01-29"]})
    res = quiet(es.EventStudy(sample_panel, es.Events.from_frame(frame), es.MarketModel("SPY")))
    with pytest.raises(es.InputError, match="different event sessions"):
        calendar.marks(res)
    assert res.car(0, 1, confounders=calendar.select(kind="central bank"))["confounders"].tolist() == [
        "", "FOMC statement (rates unchanged) (0)",
    ]  # fmt: skip


# -- windows that meet, and how much events say --------------------------------------------------------------------


def _random_events(rng, n_tickers=5, n_days=300, n=90):
    days = pd.bdate_range("2020-01-01", periods=n_days)
    chosen = rng.choice(n_tickers * n_days, n, replace=False)
    place, code = chosen % n_days, chosen // n_days
    return (
        es.Events.from_frame(pd.DataFrame({"ticker": [f"S{i}" for i in code], "date": days[place]})),
        place,
        code,
        days,
    )


@pytest.mark.parametrize("window", [(0, 0), (-2, 3), (-10, 10), (5, 8)])
def test_overlaps_are_those_of_a_double_loop(window) -> None:
    events, place, code, days = _random_events(np.random.default_rng(1))
    expected = []
    for a, b in itertools.permutations(range(len(events)), 2):
        if code[a] != code[b] or place[a] > place[b]:
            continue
        shared = sorted(
            set(place[a] + np.arange(window[0], window[1] + 1)) & set(place[b] + np.arange(window[0], window[1] + 1))
        )
        if shared:
            dates = [days[at] if 0 <= at < len(days) else pd.NaT for at in (shared[0], shared[-1])]
            expected.append((a + 1, b + 1, len(shared), *dates))
    found = events.overlaps(window, days)
    columns = ["event_id", "other_event_id", "shared_sessions", "first_shared", "last_shared"]
    pd.testing.assert_frame_equal(
        found[columns].sort_values(columns[:2], ignore_index=True),
        pd.DataFrame(expected, columns=columns)
        .sort_values(columns[:2], ignore_index=True)
        .astype(found[columns].dtypes),
    )


@pytest.mark.parametrize("hole", [None, Window(-30, -25)])
def test_events_inside_the_windows_of_others(hole) -> None:
    rng = np.random.default_rng(2)
    events, place, code, days = _random_events(rng)
    kept = np.sort(rng.choice(len(events), 60, replace=False))
    resolved = events.resolve(days)
    usable = rng.random((5, len(days))) < 0.5
    for cells in (None, usable):
        index = EventIndex(code[kept], place[kept], Window(-40, -11), Window(-2, 3), hole, cells)
        found = contaminated(events, resolved, kept, index)
        for at, event in enumerate(kept):
            others = [j for j in range(len(events)) if code[j] == code[event] and j != event]
            taus = {int(place[j] - place[event]) for j in others}
            near = {tau for tau in taus if -40 <= tau <= -11 and not (hole is not None and -30 <= tau <= -25)}
            if cells is not None:
                near = {tau for tau in near if usable[code[event], place[event] + tau]}
            assert found["estimation"][at] == bool(near)
            assert found["event"][at] == any(-2 <= tau <= 3 for tau in taus)


def test_the_caveats_tell_of_other_events_of_a_security(synthetic, events_at, study_of) -> None:
    frame = synthetic(3, 260, seed=3)
    alone = study_of(frame, events_at(frame, {"S00": 200, "S01": 200}))
    assert not any("another event of the same security" in note for note in alone.caveats())
    dates = {"ticker": ["S00", "S00", "S01", "S00"], "date": frame.index[[150, 200, 200, 203]]}
    res = study_of(frame, es.Events.from_frame(pd.DataFrame(dates)))
    notes = [note for note in res.caveats() if "another event of the same security" in note]
    assert notes[0].startswith(
        "2 security-events have another event of the same security in their estimation window [-130, -11] "
        "(first: S00, event 2)"
    )
    assert notes[1].startswith(
        "2 security-events have another event of the same security in their event window [-5, +5] (first: S00, event 2)"
    )
    assert "events.overlaps()" in notes[0]


def test_the_effective_number_of_events(res, sample_panel) -> None:
    """The variance of a mean of unit-variance variables is the mean of their correlation matrix."""
    residual = res.fit.residuals(np.arange(len(res)))
    assert res.effective_n == pytest.approx(1.0 / np.corrcoef(residual).mean(), rel=1e-10)
    assert res.select(ticker="VST").effective_n == 1.0
