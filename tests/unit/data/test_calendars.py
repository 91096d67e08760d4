"""Hand-checked sessions: exchange notices and clock changes, not our own code, give the expectations."""

import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest

from eventstudy.data.calendars import RULES, session_of, sessions
from eventstudy.errors import AlignmentError, InputError

BEFORE, DURING, AFTER, CLOSED = RULES


def placed(text, zone, calendar):
    found = session_of(pd.DatetimeIndex([text], tz=zone), calendar)
    return str(found.session[0]), found.rule[0]


NEW_YORK = [
    ("2025-01-29 04:46", "2025-01-29", BEFORE),
    ("2025-01-29 00:00", "2025-01-29", BEFORE),
    ("2025-01-29 09:29:59.999999999", "2025-01-29", BEFORE),
    ("2025-01-29 09:30:00", "2025-01-29", DURING),
    ("2025-01-29 15:59:59", "2025-01-29", DURING),
    ("2025-01-29 15:59:59.999999999", "2025-01-29", DURING),
    ("2025-01-29 16:00:00", "2025-01-30", AFTER),
    ("2025-01-29 23:59:59", "2025-01-30", AFTER),
    # Friday evening, the weekend, and the Monday after it
    ("2025-01-24 17:00", "2025-01-27", AFTER),
    ("2025-01-25 12:00", "2025-01-27", CLOSED),
    ("2025-01-26 12:00", "2025-01-27", CLOSED),
    ("2025-01-27 06:00", "2025-01-27", BEFORE),
    # day of mourning for President Carter
    ("2025-01-08 16:30", "2025-01-10", AFTER),
    ("2025-01-09 10:00", "2025-01-10", CLOSED),
    ("2025-01-10 08:00", "2025-01-10", BEFORE),
    # early close at 13:00, then Christmas
    ("2024-12-24 12:59:59", "2024-12-24", DURING),
    ("2024-12-24 13:00:00", "2024-12-26", AFTER),
    ("2024-12-24 15:00:00", "2024-12-26", AFTER),
    ("2024-12-25 10:00:00", "2024-12-26", CLOSED),
    # Thanksgiving and the early close after it
    ("2024-11-28 10:00", "2024-11-29", CLOSED),
    ("2024-11-29 13:00", "2024-12-02", AFTER),
    # Good Friday before a long weekend; a year's end
    ("2025-04-18 11:00", "2025-04-21", CLOSED),
    ("2024-12-31 16:00", "2025-01-02", AFTER),
    # closed for four sessions after 11 September 2001, and for two by Hurricane Sandy
    ("2001-09-11 08:46", "2001-09-17", CLOSED),
    ("2012-10-26 16:00", "2012-10-31", AFTER),
]


@pytest.mark.parametrize(("text", "session", "rule"), NEW_YORK)
@pytest.mark.parametrize("calendar", ["NYSE", "XNYS", "NASDAQ", "XNAS", "nyse"])
def test_new_york(text, session, rule, calendar):
    assert placed(text, "America/New_York", calendar) == (session, rule)


@pytest.mark.parametrize(
    ("text", "session", "rule"),
    [
        # The same UTC clock time before and after New York's change of 9 March 2025: 16:30 EST, then 17:30 EDT.
        ("2025-03-07 20:30", "2025-03-07", DURING),
        ("2025-03-10 20:30", "2025-03-11", AFTER),
        ("2025-03-07 14:00", "2025-03-07", BEFORE),
        ("2025-03-10 14:00", "2025-03-10", DURING),
        # back on 2 November 2025
        ("2025-10-31 20:30", "2025-11-03", AFTER),
        ("2025-11-03 20:30", "2025-11-03", DURING),
    ],
)
def test_new_york_clock_change(text, session, rule):
    assert placed(text, "UTC", "NYSE") == (session, rule)


@pytest.mark.parametrize("calendar", ["LSE", "XLON"])
@pytest.mark.parametrize(
    ("text", "zone", "session", "rule"),
    [
        # 16:30 London is 16:30 UTC in winter and 15:30 UTC in summer; the clock changes on 30 March 2025.
        ("2025-03-28 16:00", "UTC", "2025-03-28", DURING),
        ("2025-03-31 16:00", "UTC", "2025-04-01", AFTER),
        ("2025-10-24 16:00", "UTC", "2025-10-27", AFTER),
        ("2025-10-27 16:00", "UTC", "2025-10-27", DURING),
        ("2025-01-29 16:29:59", "Europe/London", "2025-01-29", DURING),
        ("2025-01-29 16:30", "Europe/London", "2025-01-30", AFTER),
        # half day, Christmas, Boxing Day
        ("2024-12-24 12:29", "Europe/London", "2024-12-24", DURING),
        ("2024-12-24 12:30", "Europe/London", "2024-12-27", AFTER),
        ("2024-12-26 11:00", "Europe/London", "2024-12-27", CLOSED),
        # Boxing Day on a Saturday: the Monday is off in its place
        ("2020-12-28 11:00", "Europe/London", "2020-12-29", CLOSED),
        # the one-off holiday for the Queen's funeral
        ("2022-09-19 11:00", "Europe/London", "2022-09-20", CLOSED),
    ],
)
def test_london(text, zone, session, rule, calendar):
    assert placed(text, zone, calendar) == (session, rule)


@pytest.mark.parametrize("calendar", ["JPX", "XTKS"])
@pytest.mark.parametrize(
    ("text", "session", "rule"),
    [
        # The close moved from 15:00 to 15:30 on 5 November 2024, the day after a holiday.
        ("2024-11-01 14:59", "2024-11-01", DURING),
        ("2024-11-01 15:10", "2024-11-05", AFTER),
        ("2024-11-04 10:00", "2024-11-05", CLOSED),
        ("2024-11-05 15:10", "2024-11-05", DURING),
        ("2024-11-05 15:30", "2024-11-06", AFTER),
        # the lunch break is part of the session
        ("2024-11-06 11:45", "2024-11-06", DURING),
        # New Year: 31 December to 3 January
        ("2024-12-31 10:00", "2025-01-06", CLOSED),
    ],
)
def test_tokyo(text, session, rule, calendar):
    assert placed(text, "Asia/Tokyo", calendar) == (session, rule)


def test_continuous_market_has_a_session_every_day():
    assert placed("2025-01-26 12:00", "UTC", "24/7") == ("2025-01-26", DURING)
    assert placed("2025-01-26 00:00", "UTC", "24/7") == ("2025-01-26", DURING)


def test_market_whose_hours_changed_raises_no_warning():
    # Seoul gave up its lunch break; the calendar package warns of that.
    assert placed("2025-01-31 15:29", "Asia/Seoul", "XKRX") == ("2025-01-31", DURING)
    assert placed("2025-01-31 15:30", "Asia/Seoul", "XKRX") == ("2025-02-03", AFTER)


def test_calendar_that_the_package_cannot_build(monkeypatch):
    # Release 5.5 fails so for Athens, Belgrade, Bucharest, Cyprus and Santiago.
    class Unfinished:
        def schedule(self, start, end):
            raise NotImplementedError("implemented by subclasses")

    monkeypatch.setattr("pandas_market_calendars.get_calendar", lambda name: Unfinished())
    with pytest.raises(InputError, match="cannot build calendar 'XBEL'"):
        sessions("XBEL", "2025-01-01", "2025-01-31")


def test_session_that_opens_on_the_evening_before():
    # Chicago's index futures trade from 17:00 to 16:00 of the next day, which names the session.
    assert placed("2025-01-28 17:30", "America/Chicago", "CME_Equity") == ("2025-01-29", DURING)
    assert placed("2025-01-28 16:30", "America/Chicago", "CME_Equity") == ("2025-01-29", AFTER)
    assert placed("2025-01-26 16:30", "America/Chicago", "CME_Equity") == ("2025-01-27", CLOSED)


def test_sessions_of_january_2025():
    days = sessions("NYSE", "2025-01-01", date(2025, 1, 31))
    closed = {1, 4, 5, 9, 11, 12, 18, 19, 20, 25, 26}
    assert list(days.day) == [day for day in range(1, 32) if day not in closed]
    assert days.tz is None
    assert (days == days.normalize()).all()


def test_sessions_counted_back_from_the_event():
    days = sessions("XNYS", "2024-12-02", "2025-01-29")
    assert days[-2] == pd.Timestamp("2025-01-28")
    assert days[-15] == pd.Timestamp("2025-01-07")


def test_number_of_sessions_in_a_year():
    # 2024 had 252 sessions in New York, 2023 had 250, as the exchange's own calendar counts.
    assert len(sessions("NYSE", "2024-01-01", "2024-12-31")) == 252
    assert len(sessions("NYSE", "2023-01-01", "2023-12-31")) == 250


def test_years_asked_for_in_any_order_agree():
    stamps = pd.DatetimeIndex(["2031-07-03 12:00", "1996-07-05 13:30", "2013-07-03 13:30"], tz="America/New_York")
    together = session_of(stamps, "NYSE")
    alone = [session_of(stamps[[row]], "NYSE").session[0] for row in (2, 0, 1)]
    assert list(together.session[[2, 0, 1]]) == alone
    assert str(together.session[1]) == "1996-07-08"  # early close on the day after Independence Day
    assert str(together.session[2]) == "2013-07-05"


def test_integers_are_utc_nanoseconds():
    index = pd.DatetimeIndex(["2025-01-29 04:46", "2025-01-26 12:00"], tz="America/New_York")
    by_number = session_of(index.as_unit("ns").asi8, "NYSE")
    assert list(by_number.session.astype(str)) == ["2025-01-29", "2025-01-27"]
    assert list(by_number.rule) == [BEFORE, CLOSED]
    assert session_of(index[0], "NYSE").session[0] == np.datetime64("2025-01-29")


def test_no_stamps_have_no_sessions():
    found = session_of(np.array([], dtype=np.int64), "NYSE")
    assert len(found) == 0
    assert list(found.rule) == []


def test_a_million_stamps_agree_with_single_ones():
    rng = np.random.default_rng(20250129)
    low, high = pd.Timestamp("2005-01-01").value, pd.Timestamp("2026-12-20").value
    stamps = rng.integers(low, high, 1_000_000)
    found = session_of(stamps, "NYSE")
    for row in rng.integers(0, len(stamps), 300):
        one = session_of(stamps[[row]], "NYSE")
        assert one.session[0] == found.session[row]
        assert one.rule[0] == found.rule[row]


def test_results_are_read_only():
    found = session_of(pd.Timestamp("2025-01-29 04:46", tz="America/New_York"))
    with pytest.raises(ValueError, match="read-only"):
        found.session[0] = np.datetime64("2025-01-30")
    with pytest.raises(ValueError, match="read-only"):
        found.code[0] = 1


@pytest.mark.parametrize(("name", "near"), [("NYSX", "NYSE"), ("XLN", "XLON"), ("XTKX", "XTKS")])
def test_unknown_calendar_names_its_neighbours(name, near):
    with pytest.raises(InputError, match=f"'{name}'.*{near}") as caught:
        sessions(name, "2025-01-01", "2025-01-31")
    assert caught.value.context["calendar"] == name


def test_calendar_must_be_text():
    with pytest.raises(InputError, match="expected a name"):
        session_of(np.array([0]), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "calendar"),
    [("1880-01-05 12:00", "NYSE"), ("2205-01-05 12:00", "NYSE"), ("1960-01-05", "XTKS"), ("1960-01-05", "JPX")],
)
def test_stamp_outside_the_calendar(text, calendar):
    stamp = pd.Timestamp(text, tz="UTC")
    with pytest.raises(AlignmentError, match=f"{calendar}.*{text[:10]}.*covers"):
        session_of(stamp, calendar)
    index = pd.DatetimeIndex([stamp, pd.Timestamp("2025-01-29 03:00", tz="UTC")])
    found = session_of(index, calendar, outside="nat")
    assert list(np.isnat(found.session)) == [True, False]
    assert found.rule[0] is None
    assert str(found.session[1]) == "2025-01-29"


def test_dates_outside_the_calendar():
    with pytest.raises(AlignmentError, match="1960-01-05"):
        sessions("XTKS", "1960-01-05", "2025-01-01")


def test_refused_input():
    with pytest.raises(AlignmentError, match="no time zone"):
        session_of(pd.DatetimeIndex(["2025-01-29 04:46"]))
    with pytest.raises(AlignmentError, match="NaT"):
        session_of(pd.DatetimeIndex(["NaT"], tz="UTC"))
    with pytest.raises(AlignmentError, match="NaT"):
        session_of(np.array([np.iinfo(np.int64).min]))
    with pytest.raises(InputError, match="float64"):
        session_of(np.array([1.5]))
    with pytest.raises(InputError, match="outside"):
        session_of(np.array([0]), outside="drop")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="after end"):
        sessions("NYSE", "2025-02-01", "2025-01-01")
    with pytest.raises(InputError, match="someday"):
        sessions("NYSE", "someday", "2025-01-01")
    with pytest.raises(InputError, match="20250101"):
        sessions("NYSE", 20250101, "2025-01-01")  # type: ignore[arg-type]


def test_the_calendar_package_is_imported_on_first_use():
    code = (
        "import sys, eventstudy.events, eventstudy.data.calendars\n"
        "assert not {'pandas_market_calendars', 'exchange_calendars'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
