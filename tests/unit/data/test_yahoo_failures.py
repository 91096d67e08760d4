"""Every way in which a download can fail, through the real yfinance client against a local server."""

from __future__ import annotations

import json
import random
import time
import warnings
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
from fake_yahoo import Answer, not_found

from eventstudy.data import PriceCache, YahooProvider, load_prices
from eventstudy.errors import DataSourceError, EventStudyError, EventStudyWarning, InputError

# Toy prices lie on a day of mourning, and some are odd on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:The prices look damaged")

DAYS = ("2025-01-06", "2025-01-10")


@pytest.mark.parametrize(
    ("headers", "waits"), [({}, [1.0, 2.0]), ({"Retry-After": "7"}, [7.0, 7.0])], ids=["plain", "retry-after"]
)
def test_429_is_waited_out(yahoo, make_provider, closes, slept, tmp_path, headers, waits) -> None:
    yahoo.put("A", closes(10, 11))
    yahoo.script["A"] = [Answer(429, b"Too Many Requests", headers) for _ in range(4)]  # yfinance asks twice each
    prices = load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    assert prices["A"].tolist() == [10, 11]
    assert slept == waits


def test_429_without_end_names_the_limit_and_stops_asking(yahoo, make_provider, slept, tmp_path) -> None:
    names = [f"S{i}" for i in range(30)]
    for name in names:
        yahoo.always[name] = Answer(429, b"Too Many Requests")
    with pytest.raises(DataSourceError, match=r"S0: rate limited \(HTTP 429\) \(3 attempts\)") as caught:
        load_prices(names, *DAYS, source=make_provider(workers=1), cache=tmp_path)
    assert slept == [1.0, 2.0]
    assert set(caught.value.context["failures"]) == set(names)
    assert {symbol for symbol, _ in yahoo.requests} == {"S0"}


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_retry_after_is_reported_not_waited_for(yahoo, make_provider, slept, tmp_path, form) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1, seconds=10), usegmt=True)
    yahoo.always["A"] = Answer(429, b"", {"Retry-After": "3601" if form == "seconds" else later})
    with pytest.raises(DataSourceError, match=r"asks to wait 36\d\d s"):
        load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    assert slept == []


def test_who_waits_is_woken_when_asking_is_pointless(yahoo, tmp_path) -> None:
    yahoo.always["DOWN"] = Answer(500, b"oops")
    yahoo.always["LIMIT"] = Answer(429, b"", {"Retry-After": "3600"}, delay=1.0)
    began = time.perf_counter()
    with pytest.raises(DataSourceError, match=r"DOWN: server error \(HTTP 500\), not tried again") as caught:
        load_prices(["DOWN", "LIMIT"], *DAYS, source=YahooProvider(backoff=60.0, workers=2), cache=tmp_path)
    assert time.perf_counter() - began < 20.0
    assert {name: cause.kind for name, cause in caught.value.failures.items()} == {
        "DOWN": "server", "LIMIT": "rate limit",
    }  # fmt: skip


def test_jitter_spreads_the_waits(yahoo, make_provider, slept, tmp_path) -> None:
    yahoo.always["A"] = Answer(500, b"oops")
    with pytest.raises(DataSourceError, match=r"server error \(HTTP 500\)"):
        load_prices("A", *DAYS, source=make_provider(jitter=lambda: 0.5), cache=tmp_path)
    assert slept == [1.5, 3.0]


@pytest.mark.parametrize("text", ["soon", "nan", "-5", ""])
def test_an_unreadable_retry_after_counts_as_none(yahoo, make_provider, closes, slept, tmp_path, text) -> None:
    yahoo.put("A", closes(10, 11))
    yahoo.script["A"] = [Answer(429, b"", {"Retry-After": text}) for _ in range(2)]
    assert load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)["A"].tolist() == [10, 11]
    assert slept == [1.0]


@pytest.mark.parametrize(
    "fault",
    [
        Answer(500, b"oops"),
        Answer(503, b"{}", {"Retry-After": "1"}),
        Answer(200, b'{"chart": {"resu'),
        Answer(drop=True),
    ],
    ids=["500", "503", "malformed", "dropped"],
)
def test_a_passing_fault_is_retried(yahoo, make_provider, closes, slept, tmp_path, fault) -> None:
    yahoo.put("A", closes(10, 11))
    yahoo.script["A"] = [fault, fault] if fault.status >= 500 else [fault]
    prices = load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    assert prices["A"].tolist() == [10, 11]
    assert slept == [1.0]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Answer(200, b'{"chart": {"resu'), r"an answer that cannot be read \(3 attempts\)"),
        (Answer(drop=True), r"connection failed \(\w+\) \(3 attempts\)"),
        (Answer(500, b"oops"), r"server error \(HTTP 500\) \(3 attempts\)"),
        (Answer(200, b'{"chart": {"result": [], "error": null}}'), "no prices for it in this range"),
        (Answer(200, b'{"chart": {"result": null, "error": null}}'), "no prices for it in this range"),
        (not_found("A"), r"unknown symbol \(HTTP 404: No data found for A\)"),
    ],
    ids=["malformed", "dropped", "500", "empty", "null", "404"],
)
def test_a_lasting_fault_names_symbol_and_cause(yahoo, make_provider, tmp_path, fault, cause) -> None:
    yahoo.always["A"] = fault
    with pytest.raises(DataSourceError, match=f"A: .*{cause}"):
        load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    assert PriceCache(tmp_path).entries() == {}


ERROR = '{"chart": {"result": null, "error": {"code": "X", "description": "%s"}}}'


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Answer(408, b""), r"server error \(HTTP 408\) \(3 attempts\)"),
        (Answer(425, b""), r"server error \(HTTP 425\) \(3 attempts\)"),
        (Answer(451, b"no"), r"refused \(HTTP 451\)"),
        (Answer(400, (ERROR % "Bad input").encode()), r"refused \(HTTP 400: Bad input\)"),
        (Answer(200, (ERROR % "Call\\nlater").encode()), r"an error for an answer: Call later \(3 attempts\)"),
        (Answer(200, b"[" * 200_000), r"an answer that cannot be read \(3 attempts\)"),
    ],
    ids=["408", "425", "451", "400", "error in a 200", "nested"],
)
def test_a_fault_is_no_reason_to_leave_a_ticker_out(yahoo, make_provider, closes, tmp_path, fault, cause) -> None:
    """What may pass, or says nothing of the symbol, must not make a study smaller."""
    yahoo.always["A"] = fault
    yahoo.put("GOOD", closes(10, 11))
    with pytest.raises(DataSourceError, match=f"A: {cause}"):
        load_prices(["A", "GOOD"], *DAYS, source=make_provider(), cache=tmp_path, on_missing="drop")
    assert [symbol for _, _, symbol in PriceCache(tmp_path).entries()] == ["GOOD"]


def test_numbers_that_are_none_cost_their_symbol_only(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11, dividends=[0, 1.0]))
    yahoo.put("GOOD", closes(10, 11))
    body = yahoo.answer("A", {"period1": "0", "period2": "9999999999"}).body
    yahoo.always["A"] = Answer(200, body.replace(b'"amount": 1.0', b'"amount": [1]'))
    with pytest.raises(DataSourceError, match="1 of 2 tickers: A: an unexpected answer"):
        load_prices(["A", "GOOD"], *DAYS, source=make_provider(), cache=tmp_path)
    assert [symbol for _, _, symbol in PriceCache(tmp_path).entries()] == ["GOOD"]


def test_a_range_before_the_listing_is_no_unknown_symbol(yahoo, make_provider, tmp_path) -> None:
    yahoo.always["A"] = Answer(400, (ERROR % "Data doesn't exist for startDate = 1, endDate = 2").encode())
    with pytest.raises(DataSourceError, match="A: Yahoo has no prices for it in this range") as caught:
        load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    assert caught.value.failures["A"].kind == "no prices"


def test_a_slow_answer_times_out(yahoo, make_provider, closes, slept, tmp_path) -> None:
    yahoo.put("A", closes(10, 11))
    yahoo.script["A"] = [Answer(200, b"{}", delay=1.5)]
    prices = load_prices("A", *DAYS, source=make_provider(timeout=0.4), cache=tmp_path)
    assert prices["A"].tolist() == [10, 11]
    assert slept == [1.0]
    yahoo.always["B"] = Answer(200, b"{}", delay=1.5)
    with pytest.raises(DataSourceError, match=r"B: no answer in time \(1 attempts\)"):
        load_prices("B", *DAYS, source=make_provider(timeout=0.4, retries=0), cache=tmp_path)


def test_a_slow_drip_times_out_as_a_whole(yahoo, make_provider, closes, slept, tmp_path) -> None:
    # A byte every 50 ms: each arrives in time, the whole would take ten times as long as is allowed.
    yahoo.put("A", closes(10, 11))
    yahoo.script["A"] = [Answer(200, b" " * 80, drip=0.05)]
    began = time.perf_counter()
    prices = load_prices("A", *DAYS, source=make_provider(timeout=0.4), cache=tmp_path)
    assert time.perf_counter() - began < 3.0
    assert prices["A"].tolist() == [10, 11]
    assert slept == [1.0]
    yahoo.always["B"] = Answer(200, b" " * 80, drip=0.05)
    with pytest.raises(DataSourceError, match=r"B: no answer in time \(1 attempts\)"):
        load_prices("B", *DAYS, source=make_provider(timeout=0.4, retries=0), cache=tmp_path)


def test_a_connection_that_breaks_inside_the_answer(yahoo, make_provider, closes, slept, tmp_path) -> None:
    yahoo.put("A", closes(10, 11))
    body = yahoo.answer("A", {"period1": "0", "period2": "9999999999"}).body
    yahoo.script["A"] = [Answer(200, body, cut=len(body) // 2)]
    assert load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)["A"].tolist() == [10, 11]
    assert slept == [1.0]
    yahoo.always["B"] = Answer(200, body, cut=len(body) // 2)
    with pytest.raises(DataSourceError, match=r"B: connection failed \(\w+\) \(3 attempts\)"):
        load_prices("B", *DAYS, source=make_provider(), cache=tmp_path)


def test_a_symbol_that_ends_early_shows_where_it_ends(yahoo, make_provider, closes, tmp_path) -> None:
    """A delisted company: what there is comes, no row is made up, and a range after its end is an error."""
    yahoo.put("LIVE", closes(10, 11, 12, 13, 14))
    yahoo.put("GONE", closes(20, 21))
    provider = make_provider()
    prices = load_prices(["LIVE", "GONE"], *DAYS, source=provider, cache=tmp_path)
    assert prices["GONE"].dropna().tolist() == [20, 21]
    assert prices.info["last"].dt.strftime("%m-%d").to_dict() == {"LIVE": "01-10", "GONE": "01-07"}
    # The last prices must not be repeated: the returns after the end are missing.
    assert prices.pct_change(fill_method=None)["GONE"].notna().tolist() == [False, True, False, False, False]
    with pytest.raises(
        DataSourceError, match=r"GONE: no price from 2025-01-08 to 2025-01-10 \(the source has 2025-01-0"
    ):
        load_prices(["LIVE", "GONE"], "2025-01-08", "2025-01-10", source=provider, cache=tmp_path)
    with pytest.warns(EventStudyWarning, match="1 of 2 tickers are left out: GONE"):
        left = load_prices(
            ["LIVE", "GONE"], "2025-01-08", "2025-01-10", source=provider, cache=tmp_path, on_missing="drop"
        )
    assert left.columns.tolist() == ["LIVE"]
    assert left.missing["kind"].to_dict() == {"GONE": "no prices"}


def test_a_start_in_the_future_is_refused_without_asking(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11))
    day = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(InputError, match=rf"start {day} is after today"):
        load_prices("A", day, source=make_provider(), cache=tmp_path)
    assert yahoo.requests == []


def test_a_rate_limit_in_the_middle_keeps_what_came_and_goes_on_from_there(
    yahoo, make_provider, closes, slept, tmp_path
) -> None:
    names = [f"S{i:02d}" for i in range(30)]
    for at, name in enumerate(names):
        yahoo.put(name, closes(10 + at, 11 + at))
    yahoo.always["S04"] = Answer(429, b"Too Many Requests")
    with pytest.raises(DataSourceError, match=r"26 of 30 tickers: S04: rate limited.*The other 4 are in the") as caught:
        load_prices(names, *DAYS, source=make_provider(workers=1), cache=tmp_path)
    kinds = {name: cause.kind for name, cause in caught.value.failures.items()}
    assert kinds.pop("S04") == "rate limit"
    assert set(kinds.values()) == {"not tried"}
    assert sorted(caught.value.partial) == names[:4]
    assert "Run it again to go on from there" in str(caught.value)
    # Neither is a rate limit a missing ticker: nothing is left out of a study for it.
    with pytest.raises(DataSourceError, match="rate limited"):
        load_prices(names, *DAYS, source=make_provider(workers=1), cache=tmp_path, on_missing="drop")
    del yahoo.always["S04"]
    yahoo.requests.clear()
    prices = load_prices(names, *DAYS, source=make_provider(), cache=tmp_path)
    assert {symbol for symbol, _ in yahoo.requests} == set(names[4:])
    assert prices.loc["2025-01-07"].tolist() == [11.0 + at for at in range(30)]


def test_every_failure_of_a_batch_is_in_the_one_error(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("GOOD", closes(10, 11))
    yahoo.always["EMPTY"] = Answer(200, b'{"chart": {"result": [], "error": null}}')
    yahoo.always["DOWN"] = Answer(500, b"oops")
    yahoo.always["TORN"] = Answer(200, b'{"chart": {"resu')
    yahoo.put("ZERO", closes(10, 0))
    names = ["EMPTY", "DOWN", "GOOD", "TORN", "NOPE", "ZERO"]
    with pytest.raises(DataSourceError, match=r"5 of 6 tickers.*The other 1 are in the cache") as caught:
        load_prices(names, *DAYS, source=make_provider(retries=1), cache=tmp_path)
    assert {name: cause.kind for name, cause in caught.value.failures.items()} == {
        "EMPTY": "no prices", "DOWN": "server", "TORN": "unreadable", "NOPE": "unknown", "ZERO": "invalid",
    }  # fmt: skip
    for name in caught.value.failures:
        assert f"{name}: " in str(caught.value)
    assert [symbol for _, _, symbol in PriceCache(tmp_path).entries()] == ["GOOD"]


def test_answers_altered_at_random_give_prices_or_an_error_of_ours(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("A", closes(10, 11, 12, 11, dividends=[0, 1.0, 0, 0], splits=[0, 0, 2.0, 0]))
    body = yahoo.answer("A", {"period1": "0", "period2": "9999999999"}).body
    rng, provider = random.Random(20250129), make_provider(retries=0)
    outcomes: set[str] = set()
    for n in range(60):
        chart = json.loads(body)
        for _ in range(rng.choice([1, 1, 2])):
            _alter(chart, rng)
        yahoo.always["A"] = Answer(200, json.dumps(chart).encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EventStudyWarning)
            try:
                prices = load_prices("A", *DAYS, source=provider, cache=tmp_path / str(n))
            except EventStudyError as error:
                outcomes.add("error" if "A: " in str(error) else str(error))
            else:
                outcomes.add("prices")
                assert (prices["A"].dropna() > 0).all()
                assert np.isfinite(prices["A"].dropna()).all()
    assert outcomes == {"error", "prices"}


def _alter(chart: dict[str, Any], rng: random.Random) -> None:
    """Replace or remove one node of a JSON document."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(chart)
    if places:
        parent, key = rng.choice(places)
        value = rng.choice([None, "x", -1, 1e308, float("nan"), [], {}, True, 0, 10**30, [1], {"a": 1}, "remove"])
        if value == "remove":
            del parent[key]
        else:
            parent[key] = value


def test_one_bad_symbol_costs_itself_only(yahoo, make_provider, closes, tmp_path) -> None:
    yahoo.put("GOOD", closes(10, 11))
    yahoo.put("FINE", closes(20, 22))
    with pytest.raises(DataSourceError, match=r"1 of 3 tickers: BRK\.B: unknown symbol.*BRK-B") as caught:
        load_prices(["GOOD", "BRK.B", "FINE"], *DAYS, source=make_provider(), cache=tmp_path)
    assert list(caught.value.context["failures"]) == ["BRK.B"]
    yahoo.put("BRK.B", closes(450, 459))
    yahoo.requests.clear()
    prices = load_prices(["GOOD", "BRK.B", "FINE"], *DAYS, source=make_provider(), cache=tmp_path)
    assert {symbol for symbol, _ in yahoo.requests} == {"BRK.B"}  # the others came from the cache
    np.testing.assert_allclose(prices.pct_change().iloc[1], [0.1, 0.02, 0.1], rtol=1e-12)


@pytest.mark.parametrize("symbol", ["../../x", "A B", "A/B", "A?x=1"])
def test_a_hostile_symbol_never_leaves(yahoo, make_provider, tmp_path, symbol) -> None:
    with pytest.raises(DataSourceError, match="not a Yahoo symbol"):
        load_prices(symbol, *DAYS, source=make_provider(), cache=tmp_path)
    assert yahoo.requests == []


def test_without_a_network_it_says_so_at_once(yahoo, make_provider, slept, tmp_path) -> None:
    import yfinance

    # A label of 64 characters is no host name: it fails in this process, before any look-up.
    yfinance.config.network.proxy = f"http://{'a' * 64}.invalid:9"
    with pytest.raises(DataSourceError, match="A: no network"):
        load_prices("A", *DAYS, source=make_provider(), cache=tmp_path)
    assert slept == []
