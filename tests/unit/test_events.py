import datetime as dt
import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from eventstudy.data.calendars import session_of, sessions
from eventstudy.errors import AlignmentError, DataSourceError, InputError
from eventstudy.events import Events

NEW_YORK = "America/New_York"
# 29 January 2025, 04:46 in New York is 09:46 UTC.
NEWS = pd.Timestamp("2025-01-29T09:46:00Z").value


@pytest.fixture(scope="module")
def panel():
    return sessions("NYSE", "2024-01-02", "2025-03-31")


def table(**columns):
    return pd.DataFrame({"ticker": ["MSFT", "NVDA"], "timestamp": ["2025-01-29", "2025-01-30"]} | columns)


def csv(tmp_path, text, name="events.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# --- one announcement -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "tz", "zone"),
    [
        ("2025-01-29 04:46", NEW_YORK, NEW_YORK),
        ("2025-01-29T04:46:00", ZoneInfo(NEW_YORK), NEW_YORK),
        ("2025-01-29 04:46-05:00", None, "UTC-05:00"),
        ("2025-01-29 04:46-05:00", NEW_YORK, NEW_YORK),
        ("2025-01-29T09:46Z", None, "UTC"),
        ("20250129 09:46+00", "UTC", "UTC"),
        (dt.datetime(2025, 1, 29, 4, 46, tzinfo=ZoneInfo(NEW_YORK)), None, NEW_YORK),
        (dt.datetime(2025, 1, 29, 9, 46, tzinfo=dt.UTC), None, "UTC"),
        (dt.datetime(2025, 1, 29, 18, 46), "Asia/Tokyo", "Asia/Tokyo"),
        (pd.Timestamp("2025-01-29 04:46", tz=NEW_YORK), None, NEW_YORK),
        (pd.Timestamp("2025-01-29 04:46"), NEW_YORK, NEW_YORK),
        (np.datetime64("2025-01-29T04:46"), NEW_YORK, NEW_YORK),
    ],
)
def test_moment_in_many_spellings(when, tz, zone):
    events = Events.at(when, ["MSFT", "NVDA"], tz=tz)
    assert events.stamp.tolist() == [NEWS, NEWS]
    assert events.has_time.tolist() == [True, True]
    assert events.zone.tolist() == [zone, zone]
    assert events.event_id.tolist() == [1, 2]
    assert events.event_id.dtype == np.int64
    assert events.ticker.tolist() == ["MSFT", "NVDA"]


@pytest.mark.parametrize(
    "when",
    [
        "2025-01-29",
        "20250129",
        "2025-01-29 00:00",
        dt.date(2025, 1, 29),
        dt.datetime(2025, 1, 29),
        pd.Timestamp("2025-01-29"),
        np.datetime64("2025-01-29"),
    ],
)
def test_bare_date_in_many_spellings(when):
    events = Events.at(when, "MSFT")
    assert events.stamp.tolist() == [pd.Timestamp("2025-01-29").value]
    assert events.has_time.tolist() == [False]
    assert events.zone.tolist() == [None]


def test_midnight_with_a_zone_of_its_own_is_a_moment():
    events = Events.at("2025-01-29T00:00-05:00", "MSFT")
    assert events.has_time.tolist() == [True]
    assert events.stamp.tolist() == [pd.Timestamp("2025-01-29T05:00Z").value]


def test_per_ticker_columns():
    events = Events.at(
        "2025-01-29",
        ["MSFT", "NVDA", "SAP"],
        label="DeepSeek",
        group={"NVDA": "loser", "MSFT": "winner", "SAP": "winner"},
        weight=[1, 2.5, 3],
        calendar={"MSFT": "NYSE", "NVDA": "NYSE", "SAP": "XETR"},
    )
    assert events.label.tolist() == ["DeepSeek"] * 3
    assert events.group.tolist() == ["winner", "loser", "winner"]
    assert events.weight.tolist() == [1.0, 2.5, 3.0]
    assert events.calendar.tolist() == ["NYSE", "NYSE", "XETR"]
    same = Events.at("2025-01-29", ["MSFT", "NVDA"], group="all", weight=2)
    assert same.group.tolist() == ["all", "all"]
    assert same.weight.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("when", "options", "error", "words"),
    [
        ("2025-01-29 04:46", {}, AlignmentError, "'2025-01-29 04:46' of MSFT .*no time zone.*tz='America/New_York'"),
        (dt.datetime(2025, 1, 29, 4, 46), {}, AlignmentError, "no time zone"),
        ("2025-01-29T09:46Z", {"tz": NEW_YORK}, AlignmentError, "offset UTC, .*America/New_York.*Drop tz"),
        ("2025-03-09 02:30", {"tz": NEW_YORK}, AlignmentError, "2025-03-09 02:30:00.*does not exist.*its offset"),
        ("2025-11-02 01:30", {"tz": NEW_YORK}, AlignmentError, "2025-11-02 01:30:00.*ambiguous.*its offset"),
        (
            dt.datetime(2025, 3, 9, 2, 30, tzinfo=ZoneInfo(NEW_YORK)),
            {},
            AlignmentError,
            "2025-03-09 02:30:00.*does not exist",
        ),
        ("29/01/2025", {}, InputError, "'29/01/2025'.*ISO 8601"),
        ("2025", {}, InputError, "'2025', no ISO 8601"),
        ("2025-02-30", {}, InputError, "'2025-02-30', no ISO 8601"),
        ("2025-01-29 25:00", {"tz": "UTC"}, InputError, "no ISO 8601"),
        ("9999-01-01", {}, InputError, "outside the years"),
        (dt.date(9999, 1, 1), {}, InputError, "9999-01-01.*outside the years"),
        (None, {}, InputError, "MSFT is missing"),
        (pd.NaT, {}, InputError, "MSFT is missing"),
        (20250129.0, {}, InputError, "neither text, date nor time"),
        ("2025-01-29 04:46", {"tz": "New York"}, InputError, "'New York'.*America/New_York"),
        ("2025-01-29", {"group": {"MSFT": "a"}}, InputError, "group mapping has no entry for NVDA"),
        ("2025-01-29", {"group": ["a"]}, InputError, "group has 1 entries for 2 tickers"),
        ("2025-01-29", {"weight": {"MSFT": 1, "NVDA": 0}}, InputError, "weight of NVDA is 0"),
        ("2025-01-29", {"weight": float("nan")}, InputError, "weight of MSFT is nan"),
    ],
)
def test_refused_announcements(when, options, error, words):
    with pytest.raises(error, match=words):
        Events.at(when, ["MSFT", "NVDA"], **options)


def test_ambiguous_hour_with_its_offset():
    first = Events.at("2025-11-02 01:30-04:00", "MSFT", tz=NEW_YORK)
    second = Events.at("2025-11-02 01:30-05:00", "MSFT", tz=NEW_YORK)
    assert second.stamp[0] - first.stamp[0] == 3600 * 10**9
    assert first.zone[0] == second.zone[0] == NEW_YORK


@pytest.mark.parametrize(
    ("tickers", "words"),
    [
        ([], "tickers is empty"),
        (["MSFT", "MSFT"], "MSFT at 2025-01-29 is given twice"),
        (["MSFT", " "], "ticker is blank"),
        (["MSFT", None], "ticker is blank"),
    ],
)
def test_refused_tickers(tickers, words):
    with pytest.raises(InputError, match=words):
        Events.at("2025-01-29", tickers)


# --- tables ---------------------------------------------------------------------------------------------------


def test_csv_with_mixed_offsets_dates_and_odd_tickers(tmp_path):
    path = csv(
        tmp_path,
        "\ufeffTicker,Timestamp,label,weight,size,sector\n"
        "NA,2025-01-29T04:46:00-05:00,DeepSeek,1,10.5,tech\n"
        "\n"
        " TRUE ,2025-01-29 18:46+09:00,,2.5,,n/a\n"
        "0700,2025-01-29,x,3,7,\n"
        "null,2025-01-29 09:46:00.5Z,y,4,1e3,tech\n",
    )
    events = Events.read(path)
    assert events.ticker.tolist() == ["NA", "TRUE", "0700", "null"]
    assert events.stamp.tolist() == [NEWS, NEWS, pd.Timestamp("2025-01-29").value, NEWS + 500_000_000]
    assert events.has_time.tolist() == [True, True, False, True]
    assert events.zone.tolist() == ["UTC-05:00", "UTC+09:00", None, "UTC"]
    assert events.label.tolist() == ["DeepSeek", None, "x", "y"]
    assert events.weight.tolist() == [1.0, 2.5, 3.0, 4.0]
    assert events.group is None
    # Numbers where every filled cell is one, text as it stands otherwise.
    assert events.extra["size"].tolist()[::2] == [10.5, 7.0]
    assert np.isnan(events.extra["size"][1])
    assert events.extra["sector"].tolist() == ["tech", "n/a", "", "tech"]


def test_zone_of_a_row_wins_over_the_common_one(tmp_path):
    path = csv(
        tmp_path,
        "symbol,date,tz,calendar\n"
        "MSFT,2025-01-29 04:46,,\n"
        "SAP,2025-01-29 10:46,Europe/Berlin,XETR\n"
        "SONY,2025-01-29T09:46Z,Asia/Tokyo,\n"
        "F,2025-01-29T04:46-05:00,America/New_York,\n",
    )
    events = Events.read(path, tz=NEW_YORK, calendar="NYSE")
    assert events.stamp.tolist() == [NEWS] * 4
    # SONY's own offset is not Tokyo's, so it is kept; F's is New York's.
    assert events.zone.tolist() == [NEW_YORK, "Europe/Berlin", "UTC", NEW_YORK]
    assert events.calendar.tolist() == ["NYSE", "XETR", "NYSE", "NYSE"]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_datetime_columns(unit):
    aware = pd.Series(pd.DatetimeIndex(["2025-01-29 04:46", "2025-01-29 00:00"], tz=NEW_YORK).as_unit(unit))
    events = Events.from_frame(table(timestamp=aware))
    assert events.stamp.tolist() == [NEWS, pd.Timestamp("2025-01-29T05:00Z").value]
    assert events.has_time.tolist() == [True, True]
    naive = pd.Series(pd.DatetimeIndex(["2025-01-29 04:46", "2025-01-29"]).as_unit(unit))
    events = Events.from_frame(table(timestamp=naive), tz=NEW_YORK)
    assert events.stamp.tolist() == [NEWS, pd.Timestamp("2025-01-29").value]
    assert events.has_time.tolist() == [True, False]
    assert events.zone.tolist() == [NEW_YORK, None]


def test_objects_of_many_kinds_in_one_column():
    column = pd.Series(
        [dt.date(2025, 1, 29), "2025-01-29T09:46Z", pd.Timestamp("2025-01-29 04:46", tz=NEW_YORK), 20250129],
        dtype=object,
    )
    events = Events.from_frame(pd.DataFrame({"ticker": list("ABCD"), "datetime": column}))
    midnight = pd.Timestamp("2025-01-29").value
    assert events.stamp.tolist() == [midnight, NEWS, NEWS, midnight]
    assert events.zone.tolist() == [None, "UTC", NEW_YORK, None]


def test_permno_and_a_frame_left_as_it_was():
    frame = pd.DataFrame({"PERMNO": [10107.0, 86580.0], "Date": [20250129, 20250130], "size": [1, 2]}, index=[7, 7])
    before = frame.copy()
    events = Events.from_frame(frame)
    assert events.ticker.tolist() == ["10107", "86580"]
    assert events.stamp.tolist() == [pd.Timestamp(day).value for day in ("2025-01-29", "2025-01-30")]
    assert events.extra["size"].tolist() == [1, 2]
    pd.testing.assert_frame_equal(frame, before)


def test_proper_names_win_over_aliases():
    frame = pd.DataFrame(
        {"date": ["x", "y"], "timestamp": ["2025-01-29", "2025-01-30"], "ticker": ["A", "B"], "permno": [1, 2]}
    )
    events = Events.from_frame(frame)
    assert events.ticker.tolist() == ["A", "B"]
    assert list(events.extra.columns) == ["date", "permno"]


@pytest.mark.parametrize(
    ("ids", "expected", "dtype"),
    [
        ([7, 3], [7, 3], np.int64),
        (["7", "3"], [7, 3], np.int64),
        ([7.0, 3.0], [7, 3], np.int64),
        (["007", "3"], ["007", "3"], object),
        (["a", "b"], ["a", "b"], object),
    ],
)
def test_event_ids(ids, expected, dtype):
    events = Events.from_frame(table(event_id=ids))
    assert events.event_id.tolist() == expected
    assert events.event_id.dtype == dtype


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"ticker": ["MSFT", " "]}, InputError, r"ticker \(row 2\) is blank"),
        ({"ticker": ["MSFT", None]}, InputError, r"ticker \(row 2\) is blank"),
        ({"timestamp": ["2025-01-29", "soon"]}, InputError, r"NVDA \(row 2\) is 'soon'"),
        ({"timestamp": ["2025-01-29", None]}, InputError, r"NVDA \(row 2\) is missing"),
        ({"timestamp": ["2025-01-29", "2025-01-30 04:46"]}, AlignmentError, r"NVDA \(row 2\).*no time zone"),
        ({"timestamp": ["2025-01-29", "2025-01-30 04:46"], "tz": [NEW_YORK, None]}, AlignmentError, "NVDA.*zone"),
        ({"tz": [NEW_YORK, "Mars"]}, InputError, r"NVDA \(row 2\): Unknown time zone 'Mars'"),
        ({"weight": [1, -2]}, InputError, r"NVDA \(row 2\) is -2"),
        ({"weight": ["1", "much"]}, InputError, r"NVDA \(row 2\) is 'much'"),
        ({"weight": [1, np.inf]}, InputError, "NVDA"),
        ({"event_id": [4, 4]}, InputError, r"event_id 4 is used twice \(row 1 and row 2\)"),
        ({"event_id": ["a", None]}, InputError, r"event_id of NVDA \(row 2\) is blank"),
        (
            {"ticker": ["MSFT", "MSFT"], "timestamp": ["2025-01-29"] * 2},
            InputError,
            r"MSFT at 2025-01-29 is given twice \(row 1 and row 2\)",
        ),
        (
            {"ticker": ["MSFT", "MSFT"], "timestamp": ["2025-01-29T04:46-05:00", "2025-01-29T09:46Z"]},
            InputError,
            "MSFT at 2025-01-29T04:46:00-05:00 is given twice",
        ),
    ],
)
def test_refused_rows(columns, error, words):
    with pytest.raises(error, match=words):
        Events.from_frame(table(**columns))


def test_missing_and_ambiguous_columns():
    with pytest.raises(InputError, match="lacks the column 'timestamp'; it has 'ticker', 'when'") as caught:
        Events.from_frame(pd.DataFrame({"ticker": ["A"], "when": ["2025-01-29"]}))
    assert caught.value.context["columns"] == ["ticker", "when"]
    with pytest.raises(InputError, match="'ticker' and 'timestamp'"):
        Events.from_frame(pd.DataFrame({"x": [1]}))
    with pytest.raises(InputError, match="Several columns could be 'timestamp': 'date', 'time'"):
        Events.from_frame(pd.DataFrame({"ticker": ["A"], "date": ["2025-01-29"], "time": ["04:46"]}))
    with pytest.raises(InputError, match="empty"):
        Events.from_frame(pd.DataFrame({"ticker": [], "timestamp": []}))
    with pytest.raises(InputError, match="got list"):
        Events.from_frame([])  # type: ignore[arg-type]


def test_errors_name_the_line_of_the_file(tmp_path):
    path = csv(tmp_path, 'ticker,timestamp,label\nA,2025-01-29,"two\nlines"\n\nB,2025-01-29 04:46,x\n')
    with pytest.raises(AlignmentError, match=r"'2025-01-29 04:46' of B \(line 5\) has a time of day"):
        Events.read(path)
    path = csv(tmp_path, "ticker,timestamp\nA,2025-01-29\n\nB,2025-01-30\nA,2025-01-29\n")
    with pytest.raises(InputError, match=r"A at 2025-01-29 is given twice \(line 2 and line 5\)"):
        Events.read(path)
    path = csv(tmp_path, "ticker,timestamp\nA,2025-01-29\n,2025-01-29\n")
    with pytest.raises(InputError, match=r"line 3\) is blank"):
        Events.read(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataSourceError, match=r"no event file .*absent\.csv"):
        Events.read(tmp_path / "absent.csv")
    with pytest.raises(DataSourceError, match="cannot be read"):
        Events.read(csv(tmp_path, ""))
    with pytest.raises(DataSourceError, match="cannot be read"):
        Events.read(csv(tmp_path, "not parquet", "events.parquet"))
    with pytest.raises(InputError, match="neither CSV nor Parquet"):
        Events.read(csv(tmp_path, "ticker,timestamp\n", "events.xlsx"))
    with pytest.raises(InputError, match="empty"):
        Events.read(csv(tmp_path, "ticker,timestamp\n"))
    latin = tmp_path / "latin.csv"
    latin.write_bytes("ticker,timestamp,label\nA,2025-01-29,Zürich\n".encode("latin-1"))
    with pytest.raises(DataSourceError, match="cannot be read"):
        Events.read(latin)


def test_table_survives_csv_and_parquet(tmp_path):
    events = Events.from_frame(
        pd.DataFrame(
            {
                "event_id": ["x1", "x2", "x3"],
                "ticker": ["NA", "MSFT", "MSFT"],
                "timestamp": ["2025-01-29T04:46-05:00", "2025-07-29T04:46:00.25Z", "2025-01-30"],
                "tz": [NEW_YORK, "", ""],
                "label": ["a", None, "c"],
                "weight": [1.0, 0.1, 1 / 3],
                "size": [1.5, np.nan, 2.0],
            }
        )
    )
    frame = events.to_frame()
    assert frame["timestamp"].tolist() == [
        "2025-01-29T04:46:00.000000000-05:00",
        "2025-07-29T04:46:00.250000000+00:00",
        "2025-01-30",
    ]
    frame.to_csv(tmp_path / "events.csv", index=False)
    frame.to_parquet(tmp_path / "events.parquet")
    assert Events.from_frame(frame) == events
    assert Events.read(tmp_path / "events.csv") == events
    assert Events.read(tmp_path / "events.parquet") == events


# --- the table itself -----------------------------------------------------------------------------------------


def test_text_forms():
    events = Events.at("2025-01-29 04:46", ["MSFT", "<b>"], tz=NEW_YORK)
    assert repr(events) == "Events(2 security-events, 2 tickers, 2025-01-29 04:46-05:00)"
    both = Events.concat([events, Events.at("2024-06-03", "MSFT")], renumber=True)
    assert repr(both) == "Events(3 security-events, 2 tickers, 2024-06-03 to 2025-01-29 04:46-05:00)"
    html = both._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    many = Events.at("2025-01-29", [f"T{number}" for number in range(1200)])
    assert repr(many) == "Events(1,200 security-events, 1,200 tickers, 2025-01-29)"
    assert "1,190 more" in many._repr_html_()


def test_tickers_in_order_of_appearance():
    events = Events.from_frame(
        pd.DataFrame({"ticker": ["B", "A", "B"], "timestamp": ["2025-01-29", "2025-01-29", "2025-02-03"]})
    )
    assert events.tickers.tolist() == ["B", "A"]
    assert len(events) == 3


def test_arrays_are_read_only_and_independent():
    weight = np.array([1.0, 2.0])
    events = Events.at("2025-01-29", ["A", "B"], weight=weight)
    weight[0] = 9
    assert events.weight.tolist() == [1.0, 2.0]
    for name in ("event_id", "ticker", "stamp", "has_time", "zone", "weight"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(events, name)[0] = 0
    with pytest.raises(AttributeError):
        events.weight = weight


def test_equality_is_by_content():
    def build(**options):
        return Events.at("2025-01-29", ["A", "B"], **options)

    assert build() == build()
    assert build(label="x") != build()
    assert build(label="x") != build(label="y")
    assert build(weight=1) != build(weight=2)
    assert build() != Events.at("2025-01-29", ["A"])
    assert build() != "events"


def test_subset_keeps_ids_and_every_column():
    events = Events.from_frame(
        pd.DataFrame(
            {
                "ticker": ["A", "B", "C"],
                "timestamp": ["2025-01-29", "2025-01-30", "2025-01-31"],
                "weight": [1, 2, 3],
                "group": ["x", None, "z"],
                "size": [10, 20, 30],
            }
        )
    )
    for rows in ([2, 0], np.array([2, 0])):
        part = events.subset(rows)
        assert part.event_id.tolist() == [3, 1]
        assert part.ticker.tolist() == ["C", "A"]
        assert part.group.tolist() == ["z", "x"]
        assert part.weight.tolist() == [3.0, 1.0]
        assert part.extra["size"].tolist() == [30, 10]
        assert part.extra.index.tolist() == [0, 1]
    assert events.subset([False, True, True]) == events.subset(slice(1, None))
    assert events.subset([-1]).ticker.tolist() == ["C"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([True], "mask has shape"),
        ([5], "outside the table"),
        ([0, 0], "used twice"),
        ([], "empty"),
        ([False, False], "empty"),
        ([0.5], "rows must be"),
        ([[0]], "rows must be"),
    ],
)
def test_refused_subsets(rows, words):
    with pytest.raises(InputError, match=words):
        Events.at("2025-01-29", ["A", "B"]).subset(rows)


def test_concat():
    first = Events.at("2025-01-29", ["A", "B"], label="x")
    second = Events.from_frame(
        pd.DataFrame({"event_id": [9], "ticker": ["A"], "timestamp": ["2025-02-03T10:00Z"], "size": [5]})
    )
    both = Events.concat([first, second])
    assert both.event_id.tolist() == [1, 2, 9]
    assert both.label.tolist() == ["x", "x", None]
    assert both.has_time.tolist() == [False, False, True]
    assert both.extra["size"].isna().tolist() == [True, True, False]
    assert Events.concat([first, second], renumber=True).event_id.tolist() == [1, 2, 3]
    assert Events.concat([first]) == first
    named = Events.from_frame(table(event_id=["a", "b"]))
    mixed = Events.concat([Events.at("2024-01-29", "C"), named])
    assert mixed.event_id.tolist() == [1, "a", "b"]


def test_refused_concats():
    one = Events.at("2025-01-29", ["A"])
    with pytest.raises(InputError, match=r"event_id 1 is used twice.*renumber=True"):
        Events.concat([one, Events.at("2025-01-29", ["B"])])
    with pytest.raises(InputError, match="A at 2025-01-29 is given twice"):
        Events.concat([one, one], renumber=True)
    with pytest.raises(InputError, match="weights"):
        Events.concat([one, Events.at("2025-01-29", ["B"], weight=1)], renumber=True)
    with pytest.raises(InputError, match="no event table"):
        Events.concat([])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ticker": np.array(["A"], dtype=object)}, r"ticker has shape \(1,\); expected \(2,\)"),
        ({"ticker": np.array(["A", 5], dtype=object)}, r"Ticker 5 \(row 2\) is no text"),
        ({"weight": np.array([1.0, 0.0])}, "weight of B"),
        ({"event_id": np.array([1, 1])}, "used twice"),
        ({"event_id": np.array([], dtype=np.int64)}, "empty"),
        ({"extra": pd.DataFrame({"size": [1]})}, "extra has 1 rows"),
    ],
)
def test_the_constructor_checks_too(changes, words):
    columns = {
        "event_id": np.array([1, 2]),
        "ticker": np.array(["A", "B"], dtype=object),
        "stamp": np.array([NEWS, NEWS]),
        "has_time": np.array([True, True]),
        "zone": np.array(["UTC", "UTC"], dtype=object),
    }
    assert len(Events(**columns)) == 2
    with pytest.raises(InputError, match=words):
        Events(**(columns | changes))


# --- event sessions -------------------------------------------------------------------------------------------


def test_deepseek_news_before_the_open(panel):
    found = Events.at("2025-01-29 04:46", ["MSFT", "NVDA"], tz=NEW_YORK).resolve(panel)
    tau_zero = found.position[0]
    assert found.position.tolist() == [tau_zero, tau_zero]
    assert panel[tau_zero] == pd.Timestamp("2025-01-29")
    assert panel[tau_zero - 1] == pd.Timestamp("2025-01-28")
    assert panel[tau_zero - 14] == pd.Timestamp("2025-01-07")  # 9 and 20 January were no sessions
    assert found.session.astype(str).tolist() == ["2025-01-29"] * 2
    assert found.rule.tolist() == ["before the open"] * 2
    assert found.shift.tolist() == [0, 0]
    assert found.reason.tolist() == [None, None]


@pytest.mark.parametrize(
    ("when", "session", "rule", "shift"),
    [
        ("2025-01-29 15:59:59", "2025-01-29", "during the session", 0),
        ("2025-01-29 16:00:00", "2025-01-30", "after the close, next session", 1),
        ("2025-01-24 17:00", "2025-01-27", "after the close, next session", 3),
        ("2025-01-26 12:00", "2025-01-27", "not a session, next session", 1),
        ("2025-01-09 10:00", "2025-01-10", "not a session, next session", 1),
        ("2024-12-24 13:00", "2024-12-26", "after the close, next session", 2),
        ("2025-01-29", "2025-01-29", "date is a session", 0),
        ("2025-01-09", "2025-01-10", "date is no session, next session", 1),
        ("2025-01-18", "2025-01-21", "date is no session, next session", 3),
    ],
)
def test_rules_and_shifts(panel, when, session, rule, shift):
    found = Events.at(when, "MSFT", tz=NEW_YORK).resolve(panel)
    assert panel[found.position[0]] == pd.Timestamp(session)
    assert str(found.session[0]) == session
    assert found.rule[0] == rule
    assert found.shift[0] == shift


def test_shift_counts_from_the_date_where_it_was_stated(panel):
    # Ten to nine on Thursday morning in Tokyo is Wednesday evening in New York, after the close.
    found = Events.at("2025-01-30 08:50", "MSFT", tz="Asia/Tokyo").resolve(panel)
    assert str(found.session[0]) == "2025-01-30"
    assert found.shift[0] == 0
    found = Events.at("2025-01-29 18:50", "MSFT", tz=NEW_YORK).resolve(panel)
    assert str(found.session[0]) == "2025-01-30"
    assert found.shift[0] == 1
    # Early on Thursday in Tokyo is still in Wednesday's session in New York.
    found = Events.at("2025-01-30 02:00", "MSFT", tz="Asia/Tokyo").resolve(panel)
    assert str(found.session[0]) == "2025-01-29"
    assert found.shift[0] == -1


def test_calendar_of_the_event_wins_over_the_studys():
    events = Events.from_frame(
        pd.DataFrame(
            {
                "ticker": ["MSFT", "SONY", "VOD", "F"],
                "timestamp": ["2024-12-26 07:00+00:00"] * 4,
                "calendar": ["NYSE", "XTKS", "XLON", None],
            }
        )
    )
    days = pd.bdate_range("2024-12-02", "2025-01-31")
    found = events.resolve(days, calendar="XLON")
    # 07:00 UTC: before New York's open, after Tokyo's close at 15:30; London rests on Boxing Day.
    assert found.session.astype(str).tolist() == ["2024-12-26", "2024-12-27", "2024-12-27", "2024-12-27"]
    assert days[found.position].strftime("%Y-%m-%d").tolist() == found.session.astype(str).tolist()
    assert found.rule.tolist() == [
        "before the open",
        "after the close, next session",
        "not a session, next session",
        "not a session, next session",
    ]


def test_bare_dates_follow_the_panel_and_no_exchange():
    # A panel that trades on 9 January and not on the 10th.
    days = pd.DatetimeIndex(["2025-01-08", "2025-01-09", "2025-01-13"])
    found = Events.at("2025-01-09", "BTC").resolve(days, calendar="NYSE")
    assert found.position.tolist() == [1]
    found = Events.at("2025-01-10", "BTC").resolve(days, calendar="NYSE")
    assert found.position.tolist() == [2]
    assert found.shift.tolist() == [3]


def test_reasons_for_events_outside_the_data(panel):
    events = Events.from_frame(
        pd.DataFrame(
            {
                "ticker": ["A", "B", "C", "D", "E"],
                "timestamp": [
                    "2023-12-29",
                    "2025-04-01",
                    "2025-03-31T16:00-04:00",
                    "1870-01-03T12:00Z",
                    "2025-01-29",
                ],
            }
        )
    )
    found = events.resolve(panel)
    assert found.position.tolist()[:4] == [-1, -1, -1, -1]
    assert found.position[4] >= 0
    assert found.reason[4] is None
    for row, words in enumerate(
        [
            "A: the date 2023-12-29 lies before the panel; its sessions run from 2024-01-02 to 2025-03-31. Load",
            "B: the date 2025-04-01 lies after the panel; its sessions run from 2024-01-02 to 2025-03-31. Load",
            "C: the panel has no session 2025-04-01 (NYSE), to which the stamp 2025-03-31T16:00:00-04:00 belongs",
            "D: calendar NYSE does not reach 1870-01-03T12:00:00+00:00. Correct",
        ]
    ):
        assert found.reason[row].startswith(words)
    assert np.isnat(found.session).tolist() == [True, True, False, True, False]
    assert found.rule[:2].tolist() == [None, None]
    assert found.shift[:2].tolist() == [0, 0]


def test_hole_in_the_panel_is_missing_data_and_no_holiday():
    days = sessions("NYSE", "2025-01-02", "2025-01-10").append(sessions("NYSE", "2025-01-22", "2025-01-31"))
    near = Events.at("2025-01-15", "A").resolve(days)
    assert near.position[0] == 6  # 2, 3, 6, 7, 8 and 10 January come before
    assert str(near.session[0]) == "2025-01-22"
    assert near.shift[0] == 7
    far = Events.at("2025-01-14", "A").resolve(days)
    assert far.position[0] == -1
    assert far.reason[0].startswith("A: the panel has no session from 2025-01-14 to 2025-01-21")
    timed = Events.at("2025-01-15 10:00", "A", tz=NEW_YORK).resolve(days)
    assert timed.position[0] == -1
    assert "no session 2025-01-15" in timed.reason[0]


@pytest.mark.parametrize(
    ("first", "second", "session"),
    [
        ("2025-01-29T04:46-05:00", "2025-01-29T10:00-05:00", "2025-01-29"),
        ("2025-01-24T17:00-05:00", "2025-01-26T12:00-05:00", "2025-01-27"),
        ("2025-01-29", "2025-01-28T20:00-05:00", "2025-01-29"),
        ("2025-01-18", "2025-01-19", "2025-01-21"),
    ],
)
def test_two_events_of_one_ticker_in_one_session(panel, first, second, session):
    events = Events.from_frame(
        pd.DataFrame({"event_id": [5, 6, 8], "ticker": ["F", "MSFT", "F"], "timestamp": [first, first, second]})
    )
    with pytest.raises(InputError, match=f"events 5 .* and 8 .* of F fall on one session, {session}.*Keep one"):
        events.resolve(panel)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (pd.DatetimeIndex([]), "no sessions"),
        (pd.DatetimeIndex(["2025-01-29"], tz="UTC"), "naive midnights"),
        (pd.DatetimeIndex(["2025-01-29 10:00"]), "naive midnights"),
        (pd.DatetimeIndex(["2025-01-29", "2025-01-28"]), "ascend"),
        (pd.DatetimeIndex(["2025-01-29", "2025-01-29"]), "ascend"),
    ],
)
def test_refused_panels(days, words):
    with pytest.raises(InputError, match=words):
        Events.at("2025-01-29", "A").resolve(days)


def test_unknown_calendar_of_one_event(panel):
    events = Events.at("2025-01-29T04:46-05:00", ["A", "B"], calendar={"A": "NYSE", "B": "NYSX"})
    with pytest.raises(InputError, match=re.escape("'NYSX'")):
        events.resolve(panel)


def test_resolved_arrays_are_read_only(panel):
    found = Events.at("2025-01-29", "A").resolve(panel)
    assert len(found) == 1
    for name in ("position", "session", "rule", "shift", "reason"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(found, name)[:] = None


def test_a_million_events_agree_with_single_ones(panel):
    rng = np.random.default_rng(7)
    n = 1_000_000
    low, high = pd.Timestamp("2024-01-03").value, pd.Timestamp("2025-03-28").value
    stamp = rng.integers(low, high, n)
    bare = rng.random(n) < 0.3
    day = 86_400 * 10**9
    stamp[bare] -= stamp[bare] % day
    zone = np.array([NEW_YORK, "Asia/Tokyo", "UTC"], dtype=object)[rng.integers(0, 3, n)]
    zone[bare] = None
    calendar = np.array([None, "XLON"], dtype=object)[(rng.random(n) < 0.1).astype(int)]
    events = Events(
        event_id=np.arange(n),
        ticker=np.array([f"T{number}" for number in range(n)], dtype=object),
        stamp=stamp,
        has_time=~bare,
        zone=zone,
        calendar=calendar,
    )
    found = events.resolve(panel)
    for row in rng.integers(0, n, 200):
        if bare[row]:
            place = int(np.flatnonzero(panel >= pd.Timestamp(int(stamp[row])))[0])
            session = panel[place]
            local = pd.Timestamp(int(stamp[row]))
        else:
            session = pd.Timestamp(session_of(stamp[[row]], calendar[row] or "NYSE").session[0])
            place = int(np.flatnonzero(panel == session)[0]) if session in panel else -1
            local = pd.Timestamp(int(stamp[row]), tz="UTC").tz_convert(zone[row]).tz_localize(None)
        assert found.position[row] == place
        assert found.shift[row] == (session - local.normalize()).days
        assert (found.reason[row] is None) == (place >= 0)


def test_a_line_with_a_cell_too_many_is_refused(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("ticker,timestamp\nMSFT,2025-01-29,\n")
    with pytest.raises(InputError, match=r"events\.csv' has more cells than the header.*comma"):
        Events.read(path)


def test_what_the_fuzzer_found():
    """Each of these came out as an error of pandas or as a warning of numpy."""
    day = pd.Timestamp("2025-01-06")
    permno = pd.Series([10107.0, None], dtype="Float64")
    with pytest.raises(InputError, match=r"ticker .*blank"):
        Events.from_frame(pd.DataFrame({"permno": permno, "timestamp": [day, day]}))
    table = pd.DataFrame({"ticker": ["A"], "timestamp": [day], "weight": [1 + 2j]})
    with pytest.raises(InputError, match=r"weight of A \(row 1\) is \(1\+2j\); expected a positive number"):
        Events.from_frame(table)
    table = pd.DataFrame({"ticker": ["A", "B"], "timestamp": [day, day], "event_id": ["\0", "\0"]})
    with pytest.raises(InputError, match=r"event_id \0 is used twice \(row 1 and row 2\)"):
        Events.from_frame(table)
