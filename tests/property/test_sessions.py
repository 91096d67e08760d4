"""Sessions against exchange_calendars, which has its own tables for the calendars that are named here by exchange."""

import functools
import warnings

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstudy.data.calendars import session_of, sessions

# pandas-market-calendars keeps tables of its own under the exchanges' names; under the market codes it relays
# exchange_calendars, so that those cases check the relay and our use of it.
PAIRS = [("NYSE", "XNYS"), ("LSE", "XLON"), ("JPX", "XTKS"), ("XNYS", "XNYS"), ("XLON", "XLON"), ("XTKS", "XTKS")]
FIRST, LAST = "2005-01-01", "2026-12-31"
# Trading in New York broke down at 15:56 on 1 June 2005: a close in the one package, none in the other.
DISPUTED = np.datetime64("2005-06-01")

moments = st.integers(pd.Timestamp("2005-01-06").value, pd.Timestamp("2026-12-20").value)
minutes = st.integers(pd.Timestamp("2005-01-06").value // 60 // 10**9, pd.Timestamp("2026-12-20").value // 60 // 10**9)
pairs = st.sampled_from(PAIRS)
zones = st.sampled_from(["UTC", "America/New_York", "Asia/Tokyo", "Asia/Kathmandu", "Pacific/Apia", "-03:30"])


@functools.cache
def reference(market):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return exchange_calendars.get_calendar(market, start="2004-12-01", end="2027-01-31")


@functools.cache
def reference_schedule(market):
    table = reference(market).schedule.loc[FIRST:LAST]
    days = table.index.to_numpy().astype("datetime64[D]")
    return days, *(pd.DatetimeIndex(table[name]).as_unit("ns").asi8 for name in ("open", "close"))


def nanoseconds(minute):
    return np.array([minute * 60 * 10**9])


@pytest.mark.parametrize(("calendar", "market"), PAIRS)
def test_same_sessions(calendar, market):
    days, _, _ = reference_schedule(market)
    ours = sessions(calendar, FIRST, LAST).to_numpy().astype("datetime64[D]")
    assert np.array_equal(ours, days)


@pytest.mark.parametrize(("calendar", "market"), PAIRS)
def test_every_boundary_of_every_session(calendar, market):
    days, opens, closes = reference_schedule(market)
    keep = days[:-1] != DISPUTED
    today, tomorrow = days[:-1][keep], days[1:][keep]
    opened, closed = opens[:-1][keep], closes[:-1][keep]
    for stamps, expected, rule in [
        (opened - 1, today, "before the open"),
        (opened, today, "during the session"),
        (closed - 1, today, "during the session"),
        (closed, tomorrow, "after the close, next session"),
    ]:
        found = session_of(stamps, calendar)
        assert np.array_equal(found.session, expected)
        odd = today[found.rule != rule]
        # Opened two minutes late in memory of President Ford, which one package records.
        assert set(odd.astype(str)) <= {"2006-12-27"}


def test_the_disputed_close():
    stamp = pd.Timestamp("2005-06-01 15:57", tz="America/New_York")
    assert str(session_of(stamp, "NYSE").session[0]) == "2005-06-02"
    assert str(session_of(stamp, "XNYS").session[0]) == "2005-06-01"


@settings(max_examples=300, deadline=None)
@given(pair=pairs, minute=minutes)
def test_agrees_with_minute_to_session(pair, minute):
    calendar, market = pair
    stamp = pd.Timestamp(minute * 60 * 10**9, tz="UTC")
    # Its minutes run from the open up to, but not including, the close; a lunch break counts as the session.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = reference(market).minute_to_session(stamp, direction="next")
    found = session_of(nanoseconds(minute), calendar).session[0]
    if found != np.datetime64(expected.date()):
        assert stamp.date() == DISPUTED.item()


@settings(max_examples=200, deadline=None)
@given(pair=pairs, stamps=st.lists(moments, min_size=2, max_size=30))
def test_later_stamps_have_no_earlier_session(pair, stamps):
    found = session_of(np.sort(np.array(stamps)), pair[0])
    assert (np.diff(found.session) >= np.timedelta64(0, "D")).all()


@settings(max_examples=200, deadline=None)
@given(pair=pairs, stamp=moments)
def test_open_of_the_session_belongs_to_it(pair, stamp):
    calendar, market = pair
    session = session_of(np.array([stamp]), calendar).session[0]
    days, opens, closes = reference_schedule(market)
    row = int(np.searchsorted(days, session))
    assert days[row] == session
    assert session_of(opens[[row]], calendar).session[0] == session
    # The stamp lies between the previous close and this one.
    assert closes[row] > stamp
    assert closes[row - 1] <= stamp or days[row - 1] == DISPUTED


@settings(max_examples=200, deadline=None)
@given(calendar=st.sampled_from(["NYSE", "XLON", "JPX"]), stamp=moments, first=zones, second=zones)
def test_zone_of_the_stamp_is_irrelevant(calendar, stamp, first, second):
    moment = pd.Timestamp(stamp, tz="UTC")
    one = session_of(moment.tz_convert(first), calendar)
    other = session_of(moment.tz_convert(second), calendar)
    assert one.session[0] == other.session[0]
    assert one.code[0] == other.code[0]


@settings(max_examples=100, deadline=None)
@given(calendar=st.sampled_from(["NYSE", "XLON", "JPX"]), stamps=st.lists(moments, min_size=1, max_size=20))
def test_order_and_company_are_irrelevant(calendar, stamps):
    array = np.array(stamps)
    together = session_of(array, calendar)
    backwards = session_of(array[::-1].copy(), calendar)
    assert np.array_equal(together.session, backwards.session[::-1])
    alone = [session_of(array[[row]], calendar).session[0] for row in range(len(array))]
    assert list(together.session) == alone
