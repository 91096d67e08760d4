"""From prices, frames and long tables to the panel of returns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy import InputError, ReturnPanel

DAYS = pd.to_datetime(["2025-01-27", "2025-01-28", "2025-01-29", "2025-01-30"])


def prices(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns or {"A": [100.0, 101.0, 99.99, 110.0], "B": [50.0, 51.0, 49.0, 50.0]}, index=DAYS)


# -- returns ------------------------------------------------------------------------------------------------------


def test_simple_and_log_by_hand():
    frame = prices(A=[100.0, 150.0, 75.0, 75.0])
    simple, log = ReturnPanel.from_prices(frame), ReturnPanel.from_prices(frame, kind="log")
    assert simple.values.tolist() == [[0.5, -0.5, 0.0]]
    np.testing.assert_allclose(log.values, [[np.log(1.5), -np.log(2), 0.0]], rtol=1e-15)
    assert simple.sessions.tolist() == list(DAYS[1:])
    assert (simple.kind, log.kind) == ("simple", "log")


def test_sample_returns_of_the_founding_case(sample_panel):
    frame = sample_panel.to_frame()
    assert frame.loc["2025-01-27", "NVDA"] == pytest.approx(-0.1697, abs=5e-5)
    assert frame.loc["2025-01-30", "MSFT"] == pytest.approx(-0.0618, abs=5e-5)
    assert (sample_panel.n_securities, sample_panel.n_sessions) == (20, 310)


def test_sample_holidays_are_no_sessions(sample_panel):
    # 9 January: national day of mourning; 20 January: Martin Luther King day
    assert not set(pd.to_datetime(["2025-01-09", "2025-01-20", "2024-12-25"])) & set(sample_panel.sessions)
    assert pd.Timestamp("2024-12-24") in sample_panel.sessions  # early close is a session


def test_a_missing_price_makes_two_missing_returns():
    panel = ReturnPanel.from_prices(prices(A=[100.0, np.nan, 102.0, 103.0], B=[1.0, 2.0, 2.0, np.nan]))
    assert np.isnan(panel.values).tolist() == [[True, True, False], [False, False, True]]


def test_growth_compounds_to_the_price(sample_prices):
    panel = ReturnPanel.from_prices(sample_prices)
    np.testing.assert_allclose(
        np.prod(1 + panel.values, axis=1), (sample_prices.iloc[-1] / sample_prices.iloc[0]).to_numpy(), rtol=1e-12
    )
    log = ReturnPanel.from_prices(sample_prices, kind="log")
    np.testing.assert_allclose(np.expm1(log.values), panel.values, atol=1e-15, rtol=1e-12)


def test_long_table_in_any_order():
    wide = ReturnPanel.from_prices(prices()).to_frame()
    long = wide.reset_index().melt(id_vars="date", var_name="ticker", value_name="ret")
    shuffled = long.sample(frac=1, random_state=1)
    assert ReturnPanel.from_long(shuffled) == ReturnPanel.from_frame(wide)
    crsp = shuffled.rename(columns={"ticker": "permno", "ret": "RET"})
    assert ReturnPanel.from_long(crsp, ticker="permno", value="RET") == ReturnPanel.from_frame(wide)
    absent = shuffled.iloc[1:]
    assert np.isnan(ReturnPanel.from_long(absent).values).sum() == 1


def test_frame_round_trip(sample_panel):
    again = ReturnPanel.from_frame(sample_panel.to_frame())
    assert again == sample_panel
    assert again.fingerprint() == sample_panel.fingerprint()


def test_the_matrix_is_security_major_and_closed(sample_panel):
    assert sample_panel.values.flags.c_contiguous
    assert sample_panel.values.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        sample_panel.values[0, 0] = 1.0


def test_inputs_are_left_alone():
    frame = prices()
    copy = frame.copy(deep=True)
    panel = ReturnPanel.from_prices(frame)
    pd.testing.assert_frame_equal(frame, copy)
    returns = panel.to_frame()
    again = ReturnPanel.from_frame(returns)
    returns.iloc[0, 0] = 9.0  # the caller's frame is not the panel's memory
    assert again == panel


def test_zones_and_times_of_day_leave_the_date():
    frame = prices()
    expected = ReturnPanel.from_prices(frame)
    frame.index = (DAYS + pd.Timedelta(hours=16)).tz_localize("America/New_York")
    assert ReturnPanel.from_prices(frame) == expected
    frame.index = [str(day.date()) for day in DAYS]
    assert ReturnPanel.from_prices(frame) == expected


def test_moments_in_utc_are_not_dates():
    """Midnight in Tokyo is 15:00 of the day before in UTC: taken as dates, every session would move by one."""
    frame = prices()
    frame.index = DAYS.tz_localize("Asia/Tokyo").tz_convert("UTC")
    with pytest.raises(InputError, match=r"moments in UTC, such as 2025-01-2\d 15:00.*tz_convert"):
        ReturnPanel.from_prices(frame)
    frame.index = DAYS.tz_localize("UTC")
    assert list(ReturnPanel.from_prices(frame).sessions) == list(DAYS[1:])


def test_columns_of_several_levels_are_refused():
    frame = pd.concat({"Close": prices(), "Volume": prices()}, axis=1)
    with pytest.raises(InputError, match=r"columns of 2 levels, such as \('Close', 'A'\).*frame\[\"Close\"\]"):
        ReturnPanel.from_prices(frame)


# -- names --------------------------------------------------------------------------------------------------------


def test_rows_by_name(sample_panel):
    at = sample_panel.row("NVDA")
    assert sample_panel.tickers[at] == "NVDA"
    assert sample_panel.rows(["NVDA", "NOPE"]).tolist() == [at, -1]
    np.testing.assert_array_equal(sample_panel.take(["NVDA"])[0], sample_panel.values[at])


@pytest.mark.parametrize(("wrong", "near"), [("NVDIA", "NVDA"), ("MSFTT", "MSFT"), ("GOOG", "GOOGL")])
def test_unknown_names_get_a_hint(sample_panel, wrong, near):
    with pytest.raises(InputError, match=rf"no security '{wrong}' among its 20.*Did you mean .*{near}") as caught:
        sample_panel.row(wrong)
    assert caught.value.context["ticker"] == wrong


def test_lower_case_gets_a_hint_too(sample_panel):
    with pytest.raises(InputError, match=r"Did you mean .*NVDA"):
        sample_panel.row("nvda")


def test_integer_names_are_text():
    panel = ReturnPanel.from_frame(pd.DataFrame({10107: [0.01], 14593: [0.02]}, index=DAYS[:1]))
    assert panel.tickers.tolist() == ["10107", "14593"]
    assert panel.row("14593") == 1


# -- fingerprint --------------------------------------------------------------------------------------------------


def test_fingerprints_tell_panels_apart():
    frame = ReturnPanel.from_prices(prices()).to_frame()
    base = ReturnPanel.from_frame(frame).fingerprint()
    assert base == ReturnPanel.from_frame(frame.copy()).fingerprint()
    assert len(base) == 64
    changed = frame.copy()
    changed.iloc[1, 1] = np.nextafter(changed.iloc[1, 1], 1)
    others = [
        changed,
        frame.rename(columns={"A": "C"}),
        frame.set_axis(frame.index + pd.Timedelta(days=1)),
        frame[["B", "A"]],
        frame.iloc[:-1],
    ]
    prints = {ReturnPanel.from_frame(other).fingerprint() for other in others}
    prints.add(ReturnPanel.from_frame(frame, kind="log").fingerprint())
    assert len(prints | {base}) == 7


@pytest.mark.parametrize("twin", [(0.0, -0.0), (np.nan, -np.nan)], ids=["signed zero", "signed NaN"])
def test_equal_panels_have_equal_fingerprints(twin):
    """A return of −0.0 (a rounded −0.000001 in a file) is a return of zero."""
    one, two = (ReturnPanel.from_frame(pd.DataFrame({"A": [0.01, value]}, index=DAYS[:2])) for value in twin)
    assert one == two
    assert one.fingerprint() == two.fingerprint()


def test_equality():
    frame = prices()
    assert ReturnPanel.from_prices(frame) == ReturnPanel.from_prices(frame.copy())
    assert ReturnPanel.from_prices(frame) != ReturnPanel.from_prices(frame, kind="log")
    assert ReturnPanel.from_prices(frame) != "panel"


# -- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (-5.0, "-5"), (np.inf, "inf"), (-np.inf, "-inf")],
    ids=["zero", "negative", "inf", "-inf"],
)
def test_impossible_prices(value, shown):
    frame = prices(A=[1.0, 2.0, 3.0, 4.0], B=[50.0, 51.0, value, 50.0])
    with pytest.raises(InputError, match=rf"B has the price {shown} on 2025-01-29.*positive and finite.*NaN") as caught:
        ReturnPanel.from_prices(frame)
    assert caught.value.context == {"ticker": "B", "date": DAYS[2]}


@pytest.mark.parametrize(
    ("kind", "pair"), [("simple", (2e-311, 1.0)), ("log", (2e-311, 1.0)), ("log", (1e308, 1e-300))]
)
def test_prices_whose_return_no_float_holds(kind, pair):
    frame = prices(A=[1.0, 2.0, 3.0, 4.0], B=[50.0, *pair, 2.0])
    bars = frame.set_axis(pd.date_range("2025-01-29 09:30", periods=4, freq="5min", tz="America/New_York"))
    for read in (
        lambda: ReturnPanel.from_prices(frame, kind=kind),
        lambda: ReturnPanel.from_bars(bars, kind=kind, stamps="start", interval="5min"),
    ):
        with pytest.raises(InputError, match=rf"B has the {kind} return -?inf on 2025-01-29"):
            read()


@pytest.mark.parametrize("value", [np.inf, -np.inf, -1.01])
def test_impossible_returns(value):
    with pytest.raises(InputError, match=r"A has the simple return .* on 2025-01-28.*decimals") as caught:
        ReturnPanel.from_frame(prices(A=[0.0, value, 0.0, 0.0]))
    assert caught.value.context["ticker"] == "A"


def test_a_total_loss_is_a_return():
    assert ReturnPanel.from_frame(prices(A=[0.0, -1.0, 0.0, 0.0])).values[0, 1] == -1.0
    with pytest.raises(InputError, match="log return -inf"):
        ReturnPanel.from_frame(prices(A=[0.0, -np.inf, 0.0, 0.0]), kind="log")
    assert ReturnPanel.from_frame(prices(A=[0.0, -1.5, 0.0, 0.0]), kind="log").values[0, 1] == -1.5


@pytest.mark.parametrize(
    "give", [lambda frame: frame, lambda frame: 100 * frame.pct_change()], ids=["prices", "per cents"]
)
def test_prices_and_per_cents_are_not_returns(sample_prices, give):
    with pytest.raises(InputError, match="from_prices"):
        ReturnPanel.from_frame(give(sample_prices))


def test_doubled_dates():
    frame = pd.concat([prices(), prices().iloc[[2]]])
    for build in (ReturnPanel.from_prices, lambda f: ReturnPanel.from_frame(f / 1000)):
        with pytest.raises(InputError, match="Session 2025-01-29 stands twice"):
            build(frame)


def test_dates_out_of_order():
    with pytest.raises(InputError, match=r"not in order: 2025-01-28 follows 2025-01-30.*sort_index"):
        ReturnPanel.from_prices(prices().iloc[[0, 3, 1, 2]])


def test_doubled_columns():
    with pytest.raises(InputError, match="'A' stands twice"):
        ReturnPanel.from_prices(pd.concat([prices(), prices()[["A"]]], axis=1))


def test_missing_date():
    frame = prices()
    frame.index = pd.DatetimeIndex([*DAYS[:3], pd.NaT])
    with pytest.raises(InputError, match="Row 3 has no date"):
        ReturnPanel.from_prices(frame)


@pytest.mark.parametrize("cells", [[1.0, "n/a", 2.0, 3.0], [None, "n/a", 2.0, 3.0]], ids=["text", "text after a blank"])
def test_text_cells(cells):
    with pytest.raises(InputError, match=r"B holds 'n/a' on 2025-01-2\d, which is not a number"):
        ReturnPanel.from_prices(prices(A=[1.0, 2.0, 3.0, 4.0], B=cells))


@pytest.mark.parametrize("column", [pd.to_datetime(["2020-01-01"] * 4), [True] * 4], ids=["dates", "flags"])
def test_columns_that_hold_no_prices(column):
    """A column of dates became prices of 1.6e18, and one of flags prices of 1."""
    with pytest.raises(InputError, match="B"):
        ReturnPanel.from_prices(prices(A=[1.0, 2.0, 3.0, 4.0], B=column))


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (prices().reset_index(drop=True), 'holds numbers, not dates.*set_index\\("date"\\)'),
        (prices().set_axis(["a", "b", "c", "d"]), "not made of dates"),
        (prices().iloc[:0], "is empty"),
        (prices()[[]], "is empty"),
        (prices()["A"], "not Series"),
        (prices().to_numpy(), "not ndarray"),
        (prices().iloc[:1], "1 session of prices makes no return"),
        (prices(A=[np.nan] * 4), "Every return of the panel is missing"),
    ],
)
@pytest.mark.filterwarnings("ignore:Could not infer format")  # pandas', on the way to the error
def test_frames_that_hold_no_prices(frame, says):
    with pytest.raises(InputError, match=says):
        ReturnPanel.from_prices(frame)


@pytest.mark.parametrize("build", [ReturnPanel.from_prices, ReturnPanel.from_frame])
def test_unknown_kind(build):
    with pytest.raises(InputError, match="kind='geometric' is not a kind of return"):
        build(prices() / 1000, kind="geometric")


def test_long_table_errors():
    table = pd.DataFrame({"ticker": ["A", "A", "B"], "date": [DAYS[0]] * 3, "ret": [0.1, 0.2, 0.3]})
    with pytest.raises(InputError, match=r"A has two rows on 2025-01-27.*Keep one row") as caught:
        ReturnPanel.from_long(table)
    assert caught.value.context["ticker"] == "A"
    with pytest.raises(InputError, match=r"no column 'permno'; it has \['ticker', 'date', 'ret'\]"):
        ReturnPanel.from_long(table, ticker="permno")
    with pytest.raises(InputError, match="Row 1 of the table has no ticker"):
        ReturnPanel.from_long(table.assign(ticker=["A", None, "B"]))


def test_long_table_with_unreadable_dates():
    table = pd.DataFrame({"ticker": ["A"], "date": ["27th of Nonember"], "ret": [0.1]})
    with pytest.raises(InputError, match="Nonember"):
        ReturnPanel.from_long(table)


def test_long_table_with_dates_as_numbers():
    """CRSP files write 20250127; that is a day of 2025, not 20 milliseconds into 1970."""
    table = pd.DataFrame({"ticker": ["A", "A"], "date": [20250127, 20250128], "ret": [0.1, 0.2]})
    assert ReturnPanel.from_long(table).sessions.tolist() == list(DAYS[:2])


def test_long_table_with_times_of_day():
    table = pd.DataFrame({"ticker": ["A"] * 4, "date": DAYS + pd.Timedelta(hours=16), "ret": [0.1, 0.2, 0.1, 0.0]})
    assert ReturnPanel.from_long(table).sessions.tolist() == list(DAYS)


def test_the_constructor_checks_shapes():
    with pytest.raises(InputError, match=r"shape \(4, 2\) do not fit 2 securities and 4 sessions"):
        ReturnPanel(np.zeros((4, 2)), pd.Index(["A", "B"]), DAYS)


def test_shown_in_one_line(sample_panel):
    assert repr(sample_panel) == "ReturnPanel(20 securities, 310 sessions 2023-12-04..2025-02-28, simple)"
    assert isinstance(es.ReturnPanel.from_prices(prices()), ReturnPanel)
