"""Frames of polars and pyarrow give what the same frame of pandas gives, wherever one is taken."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import eventstudy as es
from eventstudy.data import load_factors
from eventstudy.errors import InputError
from eventstudy.inference.cross_section import cross_section

DAYS = pd.bdate_range("2024-01-02", periods=160)
RNG = np.random.default_rng(11)
RETURNS = pd.DataFrame(RNG.normal(0, 0.01, (160, 4)), index=DAYS.rename("date"), columns=["A", "B", "C", "M"])
PRICES = 100 * (1 + RETURNS).cumprod()

KINDS = {
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


@pytest.fixture(params=list(KINDS))
def of(request):
    """Turn a frame of pandas into one of another library; the index becomes a column."""
    return lambda frame: KINDS[request.param](frame.reset_index() if frame.index.name else frame)


def test_prices_wide_and_long(of) -> None:
    long = PRICES.melt(ignore_index=False, var_name="ticker", value_name="adj_close")
    expected = es.load_prices(["B", "A"], source=PRICES)
    for source in (of(PRICES), of(long)):
        got = es.load_prices(["B", "A"], source=source)
        pd.testing.assert_frame_equal(pd.DataFrame(got), pd.DataFrame(expected), check_freq=False)


def test_panels_of_prices_returns_and_long_tables(of) -> None:
    expected = es.ReturnPanel.from_frame(RETURNS)
    assert es.ReturnPanel.from_frame(of(RETURNS)) == expected
    assert es.ReturnPanel.from_prices(of(PRICES)) == es.ReturnPanel.from_prices(PRICES)
    long = RETURNS.melt(ignore_index=False, var_name="ticker", value_name="ret").sample(frac=1.0, random_state=1)
    assert es.ReturnPanel.from_long(of(long)) == expected


def test_polars_types_of_their_own() -> None:
    long = RETURNS.melt(ignore_index=False, var_name="ticker", value_name="ret").reset_index()
    table = pl.from_pandas(long).with_columns(
        pl.col("ticker").cast(pl.Categorical), pl.col("date").cast(pl.Date), pl.col("ret").cast(pl.Decimal(18, 12))
    )
    np.testing.assert_allclose(es.ReturnPanel.from_long(table).values.T, RETURNS.to_numpy(), atol=1e-12)
    wide = pl.from_pandas(RETURNS.reset_index()).with_columns(pl.col("date").cast(pl.Date))
    assert es.ReturnPanel.from_frame(wide) == es.ReturnPanel.from_frame(RETURNS)


def test_intraday_bars(of) -> None:
    times = pd.date_range("2025-01-29 09:30", periods=4, freq="5min", tz="America/New_York", name="timestamp")
    closes = pd.DataFrame({"A": [100.0, 101, 102, 101], "B": [50.0, 51, 50, 52]}, index=times)
    options = {"stamps": "start", "interval": "5min"}
    expected = es.ReturnPanel.from_bars(closes, **options)
    assert es.ReturnPanel.from_bars(of(closes), **options) == expected
    long = closes.melt(ignore_index=False, var_name="ticker", value_name="close")
    assert es.ReturnPanel.from_bars(of(long), **options) == expected


def test_events_calendars_and_shares(of) -> None:
    table = pd.DataFrame({"ticker": ["A", "B"], "timestamp": ["2024-06-03", "2024-06-04"], "weight": [1.0, 2.0]})
    assert es.Events.from_frame(of(table)) == es.Events.from_frame(table)
    dated = pd.DataFrame({"date": ["2024-06-03"], "scope": ["A"], "label": ["results"], "time": [""]})
    pd.testing.assert_frame_equal(
        es.EventCalendar.from_frame(of(dated)).to_frame(), es.EventCalendar.from_frame(dated).to_frame()
    )
    counts = pd.DataFrame({"ticker": ["A"], "shares": [1e9], "as_of": [pd.Timestamp("2024-06-03")]})
    pd.testing.assert_frame_equal(
        es.SharesOutstanding.from_frame(of(counts)).to_frame(), es.SharesOutstanding.from_frame(counts).to_frame()
    )


def test_factors_and_characteristics(of, quiet) -> None:
    factors = RETURNS[["A", "B"]].set_axis(["mkt_rf", "smb"], axis=1) / 2
    expected = load_factors(factors, units="decimal")
    got = load_factors(of(factors), units="decimal")
    pd.testing.assert_frame_equal(pd.DataFrame(got), pd.DataFrame(expected), check_freq=False)
    panel = es.ReturnPanel.from_frame(RETURNS)
    assert panel.with_factors(of(factors)) == panel.with_factors(factors)
    events = pd.DataFrame({"ticker": ["A", "B", "C"] * 4, "timestamp": DAYS[100:148:4].strftime("%Y-%m-%d")})
    study = es.EventStudy(panel, es.Events.from_frame(events), es.MarketModel("M"), estimation_window=(-90, -11),
                          event_window=(-2, 2))  # fmt: skip
    res = quiet(study)
    size = pd.DataFrame({"event_id": res.events["event_id"], "size": RNG.normal(size=len(res))})
    expected_fit = cross_section(res.car(-1, 1), size).to_frame()
    pd.testing.assert_frame_equal(cross_section(res.car(-1, 1), of(size)).to_frame(), expected_fit)
    pd.testing.assert_frame_equal(cross_section(of(res.car(-1, 1)), of(size)).to_frame(), expected_fit)
    pd.testing.assert_frame_equal(res.cross_section(of(size), -1, 1).to_frame(), expected_fit)


def test_bars_volumes_and_returns_of_the_risk_functions(of, quiet) -> None:
    volume = (1e6 * (1 + RETURNS.abs())).round()
    shares = pd.DataFrame({name: [1e9] for name in RETURNS}, index=DAYS[:1].rename("date"))
    expected = es.risk.log_volume(volume, shares)
    got = es.risk.log_volume(of(volume), of(shares))
    pd.testing.assert_frame_equal(got, expected, check_freq=False, check_index_type=False)
    before, after = RETURNS.iloc[:100], RETURNS.iloc[100:]
    change = es.risk.correlation_change(of(before), of(after), draws=0)
    pd.testing.assert_frame_equal(change.tests, es.risk.correlation_change(before, after, draws=0).tests)
    pd.testing.assert_frame_equal(es.risk.contagion(of(before), of(after), "M"), es.risk.contagion(before, after, "M"))
    res = quiet(
        es.EventStudy(
            es.ReturnPanel.from_prices(PRICES), es.Events.at(DAYS[130], ["A", "B"]), es.MarketModel("M"),
            estimation_window=(-100, -11), event_window=(-5, 5),
        )
    )  # fmt: skip
    bars = {"high": PRICES * 1.01, "low": PRICES * 0.99}
    expected = res.risk.volatility((-50, -11), (0, 5), estimator="parkinson", prices=bars)
    got = res.risk.volatility(
        (-50, -11), (0, 5), estimator="parkinson", prices={name: of(frame) for name, frame in bars.items()}
    )
    pd.testing.assert_frame_equal(got, expected)


def test_what_is_refused() -> None:
    nested = pl.DataFrame({"ticker": ["A"], "timestamp": ["2024-06-03"], "x": [[1, 2]]})
    with pytest.raises(InputError, match="holds lists or structs"):
        es.Events.from_frame(nested)
    with pytest.raises(InputError, match="no column of dates"):
        es.ReturnPanel.from_frame(pl.DataFrame({"A": [0.1, 0.2], "B": [0.1, 0.2]}))
    with pytest.raises(InputError, match="several columns of dates"):
        es.ReturnPanel.from_frame(pl.DataFrame({"date": DAYS[:2], "Date": DAYS[:2], "B": [0.1, 0.2]}))
    with pytest.raises(InputError, match=r"occurs more than once|unique column names"):
        es.Events.from_frame(pa.table([["A"], ["2024-06-03"], ["B"]], names=["ticker", "timestamp", "ticker"]))
    for wrong in ([1, 2], {"ticker": ["A"]}, "events.csv", None, 5):
        for read in (es.Events.from_frame, es.EventCalendar.from_frame, es.SharesOutstanding.from_frame,
                     es.ReturnPanel.from_frame, es.ReturnPanel.from_prices):  # fmt: skip
            with pytest.raises(InputError):
                read(wrong)


# --- a panel's numbers are its own ------------------------------------------------------------------------


def values() -> np.ndarray:
    return np.array(RETURNS.to_numpy().T, order="C")


def panel_of(array: object) -> es.ReturnPanel:
    return es.ReturnPanel(array, pd.Index(list("ABCM"), dtype=object), DAYS)


@pytest.mark.parametrize("view", ["itself", "read-only view", "view", "row order", "frame"])
def test_later_changes_do_not_reach_a_panel(view) -> None:
    mine = values()
    frame = pd.DataFrame(mine, copy=False)
    locked = mine.view()
    locked.flags.writeable = False
    given = {"itself": mine, "read-only view": locked, "view": mine[:], "row order": np.asfortranarray(mine),
             "frame": frame.to_numpy()}[view]  # fmt: skip
    panel = panel_of(given)
    before = panel.fingerprint()
    mine[:] = 0.5
    if given.flags.writeable:
        given[:] = 0.25
    frame.iloc[:, :] = 0.75
    assert panel.fingerprint() == before
    assert panel == panel_of(values())


def test_later_changes_of_frames_do_not_reach_a_panel() -> None:
    for build, source in ((es.ReturnPanel.from_frame, RETURNS), (es.ReturnPanel.from_prices, PRICES)):
        for frame in (source.copy(), source[["A"]].copy()):
            panel = build(frame)
            before = panel.fingerprint()
            frame.iloc[:, :] = 1.5
            frame.columns = [f"X{name}" for name in frame.columns]
            assert panel.fingerprint() == before


def test_labels_are_copied() -> None:
    names = np.array(list("ABCM"), dtype=object)
    days = DAYS.to_numpy().copy()
    panel = es.ReturnPanel(values(), pd.Index(names), pd.DatetimeIndex(days))
    before = panel.fingerprint()
    names[:] = "Z"
    days[:] = np.datetime64("1999-01-01")
    assert panel.fingerprint() == before
    assert panel.row("A") == 0


def test_a_panel_cannot_be_written_to() -> None:
    panel = panel_of(values())
    with pytest.raises(ValueError, match="read-only"):
        panel.values[0, 0] = 1.0
    frame = panel.to_frame()
    frame.iloc[:, :] = 9.0
    assert panel == panel_of(values())
    assert panel.sessions[0].date() == dt.date(2024, 1, 2)


def test_an_array_that_nobody_can_write_to_is_not_copied() -> None:
    own = values()
    own.flags.writeable = False
    assert np.shares_memory(panel_of(own).values, own)
