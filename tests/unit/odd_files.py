"""Files as nobody should write them: tables of odd cells in odd encodings; strategies for test_fuzz."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

DAYS = [f"2025-01-{day:02d}" for day in (6, 7, 8, 10, 13, 14, 15, 16, 17, 21)]
TICKERS = ["MSFT", "NVDA", "A", "BRK-B", "^GSPC", "7203.T", "NA", "TRUE", "0700", "OPEN", "date", " A ", "=1+1", "ü"]

dates = st.sampled_from(
    [*DAYS, *DAYS, "20250106", "2025-01-06T00:00:00Z", "2025-01-06 16:00", "2025-1-6", "06/01/2025", "2025-13-45",
     "0001-01-01", "9999-12-31", "1677-01-01", "2262-04-12", "10000-01-01", "-2025-01-06", "NaT", "", "today", "45000",
     "2025-01-06T09:30:00-05:00", "2025-01-06T24:00:00Z", "2025-01-06T23:59:60Z", "2025-W02-1", "2025-006", "1e5"]
)  # fmt: skip
moments = st.one_of(
    dates,
    st.sampled_from(
        ["2025-01-29T04:46:00-05:00", "2025-01-29 04:46", "2025-03-09 02:30", "2025-11-02 01:30", "2025-01-29T04:46Z",
         "2025-01-29T04:46+99:99", "2025-01-29T04:46+14:00", "2025-01-29T04:46:00.123456789-05:00", "2025-01-29 4:46",
         "2025-01-29T04:46:00 America/New_York", "1738143960", "2025-01-29t04:46z", "2261-12-31T23:59:59-14:00",
         "1678-01-01T00:00:00+14:00", "2025-01-29T04:46-24:00", "2025-01-29T04:46+23:59", "2025-01-29T25:00Z"]
    ),
)  # fmt: skip
prices = st.one_of(
    st.floats(0.01, 1e6).map(lambda x: f"{x:.4f}"),
    st.floats(width=64).map(repr),
    st.sampled_from(["", "0", "-1", "1e308", "1e-320", "inf", "nan", "NA", "1,5", "1.234,56", "$5", "1_000", "0x10",
                     "١٢", "true", "1e400", "--1", "+1", " 1 ", "1\u00a0000", "9" * 400, "1e-400", "None", "#DIV/0!"]),
)  # fmt: skip
words = st.one_of(
    st.sampled_from(["", " ", "x", "=cmd()", "\u202e", "a,b", 'say "x"', "line\nbreak", "\r", "\x00", "\ufeff", "NYSE",
                     "JPX", "24/7", "America/New_York", "UTC", "Mars/Base", "../../etc", "1", "-1", "0", "1.5", "inf",
                     "nan", "9223372036854775808", "007", "😀", "../UTC", "/etc/localtime", "\u0130", "x" * 300]),
    st.text(max_size=8),
)  # fmt: skip
tickers = st.one_of(st.sampled_from(TICKERS), words)

EVENT_HEADERS = ["ticker", "timestamp", "event_id", "label", "group", "weight", "calendar", "tz"]
EVENT_OTHERS = ["symbol", "permno", "datetime", "date", "time", "Ticker", "TIMESTAMP", " ticker ", "note", "", "ticker"]
PRICE_LAYOUTS = [
    ["date", "MSFT", "NVDA", "A"],
    ["date", "ticker", "adj_close"],
    ["date", "ticker", "close", "dividends", "splits"],
    ["date", "ticker", "open", "high", "low", "close", "volume", "currency"],
    ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"],
    ["timestamp", "open", "high", "low", "close", "adjusted_close", "volume", "dividend_amount", "split_coefficient"],
    ["<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>", "<OPENINT>"],
    ["permno", "date", "ret"],
    ["permno", "date", "prc", "ret", "dlret", "ticker"],
]
_CELLS = {
    "ticker": tickers, "symbol": tickers, "<ticker>": tickers,
    "permno": st.one_of(st.sampled_from(["10107", "1"]), tickers),
    "timestamp": moments, "datetime": moments, "date": dates, "time": moments, "<date>": dates,
    "<time>": st.just("000000"), "<per>": st.sampled_from(["D", "D", "5", ""]),
    "event_id": st.one_of(st.integers(0, 9).map(str), words),
    "ret": st.one_of(st.floats(-1.5, 2).map(repr), st.sampled_from(["C", "B", "A", ""]), prices),
    "dlret": st.one_of(st.sampled_from(["", "-0.3", "S"]), prices),
}  # fmt: skip
_SOUND = {
    "ticker": TICKERS[:2], "date": DAYS, "timestamp": DAYS, "<date>": [day.replace("-", "") for day in DAYS],
    "<ticker>": ["MSFT"], "<per>": ["D"], "permno": ["10107"], "ret": ["0.01", "-0.005", "C"], "dlret": [""],
    "dividends": ["0", "", "0.5"], "splits": ["0", ""], "dividend_amount": ["0"], "split_coefficient": ["1"],
    "event_id": list("123456789"), "calendar": ["NYSE", ""], "tz": ["America/New_York"], "currency": ["USD"],
}  # fmt: skip


def weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of some strategies, each as often as its weight says; ``one_of`` knows no weights."""
    bag = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.sampled_from(range(len(bag))).flatmap(lambda at: bag[at])


def cells(header: str, otherwise: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Cells of a column: mostly of its kind."""
    kind = _CELLS.get(header.strip().lower(), otherwise)
    return weighted((3, kind), (1, words))


@st.composite
def tables(draw: Any, headers: list[str], others: list[str], otherwise: st.SearchStrategy[str]) -> list[list[str]]:
    """Rows of text, header first, now and then of unequal lengths; many columns are sound, so that files pass."""
    names = list(headers)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        change = draw(st.sampled_from(["add", "drop", "rename", "swap"]))
        at = draw(st.integers(0, max(len(names) - 1, 0)))
        if change == "add" or not names:
            names.insert(at, draw(st.one_of(st.sampled_from(others), words)))
        elif change == "drop":
            names.pop(at)
        elif change == "rename":
            names[at] = draw(st.one_of(st.sampled_from([*others, *headers]), words))
        else:
            names[0], names[at] = names[at], names[0]
    n = draw(st.sampled_from(range(9)))
    columns = []
    for name in names:
        key = name.strip().lower()
        if draw(st.sampled_from(range(8))):
            pool = _SOUND.get(key, ["100.5", "101", "99.25"])
            columns.append([pool[row % len(pool)] for row in range(n)])
        else:
            columns.append(draw(st.lists(cells(name, otherwise), min_size=n, max_size=n)))
    rows = [names, *map(list, zip(*columns, strict=True))]
    if draw(st.sampled_from(range(30))) == 0 and len(rows) > 1:
        at = draw(st.integers(0, len(rows) - 1))
        rows[at] = rows[at] + ["x"] if draw(st.booleans()) else rows[at][:-1]
    return rows


def quoted(cell: str) -> str:
    """Cell of a CSV."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\n\r') else cell


@st.composite
def mutated(draw: Any, content: bytes) -> bytes:
    """The bytes with some cut out, doubled, overwritten or put in; as they are in three cases of four."""
    if draw(st.sampled_from(range(4))):
        return content
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        to = min(len(content), at + draw(st.integers(0, 12)))
        marks = st.sampled_from([b'"', b"\n", b"\r", b",", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf"])
        middle = draw(st.one_of(st.just(b""), st.just(content[at:to] * 2), st.binary(max_size=6), marks))
        content = content[:at] + middle + content[to:]
    return content


@st.composite
def csv_files(draw: Any, rows: st.SearchStrategy[list[list[str]]], names: list[str]) -> tuple[str, bytes]:
    """Name and bytes of a CSV."""
    comma = draw(st.sampled_from([*[","] * 14, ";", "\t"]))
    end = draw(st.sampled_from([*["\n"] * 6, "\r\n", "\r", "\n\n"]))
    text = end.join(comma.join(quoted(cell) for cell in row) for row in draw(rows)) + draw(st.sampled_from(["", end]))
    encoding = draw(st.sampled_from(["utf-8"] * 17 + ["utf-8-sig", "utf-16", "latin-1"]))
    content = draw(mutated(text.encode(encoding, errors="replace" if encoding == "latin-1" else "surrogatepass")))
    name = draw(st.sampled_from(names))
    if name.endswith(".gz") and draw(st.sampled_from(range(5))):
        content = draw(mutated(gzip.compress(content, mtime=0)))
    return name, content


_ODD_OBJECTS = [
    None, "", "x", "2025-01-06", "2025-01-29T04:46-05:00", 1, -1, 0, 2**62, 1.5, float("nan"), float("inf"), True,
    b"x", pd.NaT, pd.NA, date(2025, 1, 6), datetime(2025, 1, 6), datetime(2025, 1, 6, 9, 30), time(9, 30), "MSFT",
    datetime(2025, 1, 6, 9, 30, tzinfo=UTC), pd.Timestamp("2025-01-06", tz="America/New_York"), Decimal("1.5"),
    np.datetime64("2025-01-06"), np.datetime64("0001-01-01"), date(1, 1, 1), date(9999, 12, 31), np.float32(1.5),
    1 + 2j, (1, 2), [1], {"a": 1}, pd.Period("2025-01"), pd.Timedelta("1D"), np.timedelta64(1, "D"), object,
]  # fmt: skip
_COLUMNS = [
    lambda n: pd.Series(pd.to_datetime(DAYS * 9)[:n]),
    lambda n: pd.Series(pd.to_datetime(DAYS * 9)[:n]).dt.tz_localize("America/New_York"),
    lambda n: pd.Series(DAYS * 9)[:n],
    lambda n: pd.Series(DAYS * 9)[:n].astype(object),
    lambda n: pd.Series(DAYS * 9)[:n].astype("category"),
    lambda n: pd.Series(["MSFT", "NVDA"] * 9)[:n],
    lambda n: pd.Series(["MSFT"] * n).astype("category"),
    lambda n: pd.Series(range(n)),
    lambda n: pd.Series([10107.0] * n),
    lambda n: pd.Series(range(n), dtype="Int64"),
    lambda n: pd.Series([pd.NA, 1.5] * n, dtype="Float64")[:n],
    lambda n: pd.Series([True, False] * n, dtype="boolean")[:n],
    lambda n: pd.Series([True] * n),
    lambda n: pd.Series(np.linspace(1, 2, n), dtype=np.float32),
    lambda n: pd.Series([Decimal("1.5")] * n),
    lambda n: pd.Series([date(2025, 1, 6)] * n),
    lambda n: pd.Series(pd.to_timedelta(range(n), unit="D")),
    lambda n: pd.Series(pd.period_range("2025-01-06", periods=n, freq="D")),
    lambda n: pd.Series([1 + 2j] * n),
    lambda n: pd.Series(np.array(["0001-01-01"] * n, "datetime64[s]")),
    lambda n: pd.Series([b"x"] * n),
    lambda n: pd.Series([None] * n, dtype=object),
    lambda n: pd.Series(np.array([2**63] * n, dtype=np.uint64)),
]
_COLUMNS.append(lambda n: pd.Series(np.linspace(100, 110, n)))
_RIGHT = {
    "ticker": lambda n: pd.Series(["MSFT", "NVDA"] * 9)[:n],
    "date": _COLUMNS[0],
    "timestamp": _COLUMNS[0],
    "event_id": lambda n: pd.Series(range(n)),
    "calendar": lambda n: pd.Series(["NYSE"] * n),
    "tz": lambda n: pd.Series(["America/New_York"] * n),
    "dividends": lambda n: pd.Series([0.0] * n),
    "splits": lambda n: pd.Series([0] * n),
    "currency": lambda n: pd.Series(["USD"] * n),
    "permno": lambda n: pd.Series([10107] * n),
    "ret": lambda n: pd.Series(np.linspace(-0.01, 0.02, n)),
    "<per>": lambda n: pd.Series(["D"] * n),
}


@st.composite
def frames(draw: Any, headers: list[str], others: list[str]) -> pd.DataFrame:
    """A frame of columns of every dtype, under names that are mostly those expected."""
    n = draw(st.sampled_from(range(9)))
    names = [
        name
        if draw(st.sampled_from(range(10)))
        else draw(st.one_of(st.sampled_from(others), words, st.sampled_from([1, None, 2.5])))
        for name in headers
        if draw(st.sampled_from(range(10)))
    ]
    columns = []
    for name in names:
        key = str(name).strip().lower()
        choice = draw(st.sampled_from(range(16)))
        if choice <= 11:  # of the right kind
            column = _RIGHT.get(key, _COLUMNS[-1])(n)
        elif choice <= 14:
            column = draw(st.sampled_from(_COLUMNS))(n)
        else:
            column = pd.Series(draw(st.lists(st.sampled_from(_ODD_OBJECTS), min_size=n, max_size=n)), dtype=object)
        columns.append(column.reset_index(drop=True))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(n))
    frame.columns = pd.Index(names, dtype=object)
    if names and draw(st.sampled_from(range(10))) == 0:
        at = draw(st.integers(0, len(names) - 1))
        frame.index = pd.Index(frame.iloc[:, at])
        if draw(st.booleans()):
            frame = frame.iloc[:, [place for place in range(frame.shape[1]) if place != at]]
    return frame


@st.composite
def parquet_files(draw: Any, made: st.SearchStrategy[pd.DataFrame], names: list[str]) -> tuple[str, bytes]:
    """Name and bytes of a Parquet file; of a plain one where a frame cannot be stored."""
    frame = draw(made).copy()
    for at in range(frame.shape[1]):
        if pd.api.types.is_object_dtype(frame.dtypes.iloc[at]):  # pyarrow 26 crashes on some mixtures, as it writes
            frame.isetitem(at, frame.iloc[:, at].map(lambda cell: cell if cell is None else str(cell)))
    if frame.index.dtype == object:
        frame.index = frame.index.map(str)
    sink = io.BytesIO()
    try:
        frame.columns = frame.columns.map(str)
        frame.index.name = frame.index.name if frame.index.name is None else str(frame.index.name)
        pq.write_table(pa.Table.from_pandas(frame), sink)
    except (pa.ArrowException, ValueError, TypeError, OverflowError, NotImplementedError):
        sink = io.BytesIO()
        pq.write_table(pa.table({"date": DAYS, "ticker": ["MSFT"] * len(DAYS), "close": [1.0] * len(DAYS)}), sink)
    return draw(st.sampled_from(names)), draw(mutated(sink.getvalue()))
