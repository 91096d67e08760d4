"""A Yahoo on 127.0.0.1, and the folder of full data that a developer may have beside the repository."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from fake_yahoo import FakeYahoo, Handler, Server

from eventstudy.data import YahooProvider

REPOSITORY = Path(__file__).resolve().parents[3]
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def full_prices() -> pd.DataFrame:
    """Full bars, long; not part of the repository."""
    path = SHARED / "data" / "prices.csv"
    if not path.is_file():
        pytest.skip("the full price file is not beside this checkout")
    return pd.read_csv(path, parse_dates=["date"])


@pytest.fixture(autouse=True)
def own_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's cache or an offline setting."""
    monkeypatch.setenv("EVENTSTUDY_CACHE", str(tmp_path / "user-cache"))
    monkeypatch.delenv("EVENTSTUDY_OFFLINE", raising=False)


@pytest.fixture
def yahoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeYahoo]:
    """A running fake Yahoo that yfinance's every address leads to."""
    import yfinance
    import yfinance.base
    import yfinance.cache
    import yfinance.data
    import yfinance.scrapers.history

    fake = FakeYahoo()
    server = Server(("127.0.0.1", 0), type("OneHandler", (Handler,), {"yahoo": fake}))
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setattr(yfinance.base, "_BASE_URL_", fake.url)
    monkeypatch.setattr(yfinance.scrapers.history, "_BASE_URL_", fake.url)
    before = yfinance.config.network.proxy
    yfinance.config.network.proxy = fake.url
    location = yfinance.cache._TzDBManager.get_location()
    yfinance.cache._TzCacheManager._tz_cache = None
    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    yfinance.data.SingletonMeta._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()
    hidden = yfinance.config.debug.hide_exceptions
    yield fake
    yfinance.config.debug.hide_exceptions = hidden
    yfinance.config.network.proxy = before
    yfinance.data.SingletonMeta._instances.clear()
    yfinance.cache._TzCacheManager._tz_cache = None
    yfinance.set_tz_cache_location(location)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def slept() -> list[float]:
    """Seconds that a provider of ``make_provider`` would have waited."""
    return []


@pytest.fixture
def make_provider(yahoo: FakeYahoo, slept: list[float]) -> Callable[..., YahooProvider]:
    """A Yahoo provider that notes its waits instead of waiting, without jitter."""

    def make(**options: object) -> YahooProvider:
        settings: dict[str, object] = {
            "retries": 2, "backoff": 1.0, "timeout": 5.0, "sleep": slept.append, "jitter": lambda: 0.0,
        }  # fmt: skip
        return YahooProvider(**{**settings, **options})  # type: ignore[arg-type]

    return make


@pytest.fixture
def closes() -> Callable[..., pd.DataFrame]:
    """A frame of closes on consecutive sessions from 2025-01-06."""

    def make(*values: float, **columns: list[float]) -> pd.DataFrame:
        index = pd.bdate_range("2025-01-06", periods=len(values)).as_unit("us")
        return pd.DataFrame({"close": [float(v) for v in values], **columns}, index=index)

    return make
