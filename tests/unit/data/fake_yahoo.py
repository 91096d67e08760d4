"""A Yahoo on 127.0.0.1: daily series in the chart v8 form, and scripted faults."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd


class Answer:
    """One scripted HTTP answer."""

    def __init__(
        self, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None, delay: float = 0.0,
        drop: bool = False, drip: float = 0.0, cut: int | None = None,
    ) -> None:  # fmt: skip
        self.status, self.body, self.headers = status, body, headers or {}
        self.delay, self.drop = delay, drop
        self.drip, self.cut = drip, cut  # seconds between two bytes; bytes after which the connection breaks


def not_found(symbol: str) -> Answer:
    error = {"code": "Not Found", "description": f"No data found for {symbol}"}
    return Answer(404, json.dumps({"chart": {"result": None, "error": error}}).encode())


class FakeYahoo:
    """Series served in Yahoo's chart v8 form; ``script[symbol]`` holds answers to give first, in order."""

    def __init__(self) -> None:
        self.series: dict[str, pd.DataFrame] = {}
        self.meta: dict[str, dict[str, object]] = defaultdict(dict)
        self.script: dict[str, list[Answer]] = defaultdict(list)
        self.always: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def put(self, symbol: str, frame: pd.DataFrame, **meta: object) -> None:
        """Serve ``frame``, indexed by dates or moments: close and any of open…volume, adjclose, dividends, splits."""
        self.series[symbol] = frame
        self.meta[symbol] = meta

    def asked(self, symbol: str) -> list[dict[str, str]]:
        """Queries for the prices of a symbol (not yfinance's question for its time zone)."""
        return [query for name, query in self.requests if name == symbol and query.get("range") != "1d"]

    def answer(self, symbol: str, query: dict[str, str]) -> Answer:
        self.requests.append((symbol, query))
        if self.script[symbol]:
            return self.script[symbol].pop(0)
        if symbol in self.always:
            return self.always[symbol]
        if symbol not in self.series:
            return not_found(symbol)
        return Answer(200, json.dumps(self._chart(symbol, query)).encode())

    def _chart(self, symbol: str, query: dict[str, str]) -> dict[str, object]:
        frame = self.series[symbol]
        meta = {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": "America/New_York",
            "timezone": "EST",
            "gmtoffset": -18000,
            "priceHint": 2,
            "dataGranularity": query.get("interval", "1d"),
            "range": query.get("range", ""),
            "validRanges": ["1d", "5d", "1mo", "1y", "max"],
            **self.meta[symbol],
        }
        opens = pd.DatetimeIndex(frame.index)
        if opens.tz is None:  # daily
            opens = (opens + pd.Timedelta("9h30min")).tz_localize(str(meta["exchangeTimezoneName"]))
        stamps = [int(t.timestamp()) for t in opens]
        if "period1" in query:
            low, high = int(query["period1"]), int(query["period2"])
            keep = [low <= s < high for s in stamps]
        else:
            keep = [False] * (len(stamps) - 1) + [True]
        frame, stamps = frame[keep], [s for s, k in zip(stamps, keep, strict=True) if k]
        if frame.empty:
            return {"chart": {"result": [{"meta": meta, "indicators": {"quote": [{}]}}], "error": None}}

        if "period1" in query and query.get("interval") != "1d":
            first = opens.normalize().unique() + pd.Timedelta("9h30min")
            ends = first + pd.Timedelta("6h30min")
            both = zip(first, ends, strict=True)
            meta["tradingPeriods"] = [
                [{"timezone": "EST", "gmtoffset": -18000, "start": int(a.timestamp()), "end": int(b.timestamp())}]
                for a, b in both
            ]

        def column(name: str, default: str = "close") -> list[float | None]:
            values = frame[name] if name in frame else frame[default]
            return [None if pd.isna(v) else float(v) for v in values]

        events: dict[str, dict[str, dict[str, float]]] = {"dividends": {}, "splits": {}}
        for stamp, (_, row) in zip(stamps, frame.iterrows(), strict=True):
            if row.get("dividends", 0.0):
                events["dividends"][str(stamp)] = {"amount": row["dividends"], "date": stamp}
            if row.get("splits", 0.0):
                events["splits"][str(stamp)] = {"date": stamp, "numerator": row["splits"], "denominator": 1.0}
        quote = {name: column(name) for name in ("open", "high", "low", "close")}
        quote["volume"] = [int(v) for v in frame["volume"]] if "volume" in frame else [1000] * len(frame)
        result = {
            "meta": meta,
            "timestamp": stamps,
            "events": {name: found for name, found in events.items() if found},
            "indicators": {"quote": [quote], "adjclose": [{"adjclose": column("adjclose")}]},
        }
        return {"chart": {"result": [result], "error": None}}


class Handler(BaseHTTPRequestHandler):
    yahoo: FakeYahoo
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        # yfinance's fixed https addresses (cookie, crumb) come here as a proxy and go no further.
        self.close_connection = True
        self.send_response(502)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        symbol = unquote(parts.path.rsplit("/", 1)[-1])
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        answer = self.yahoo.answer(symbol, query)
        time.sleep(answer.delay)
        if answer.drop:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.drip:
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                time.sleep(answer.drip)
            return
        self.wfile.write(answer.body[: answer.cut])
        if answer.cut is not None:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *args: object) -> None:
        """A client that gave up is part of the tests."""
