"""What is asked of which stocks, over which sessions, against which benchmarks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pandas as pd

import eventstudy as es

ARTICLE = "2025-01-29 04:46"
ZONE = "America/New_York"
FIRST, LAST = "2023-12-01", "2025-02-28"  # of the bundled prices, and of those of any other source
MICROSOFT, CHIPS, CLOUD, SOFTWARE, POWER = (
    "Microsoft",
    "GPU and chip makers",
    "Other hyperscalers",
    "Software",
    "AI power",
)
GROUPS = {
    "MSFT": MICROSOFT,
    **dict.fromkeys(("NVDA", "AVGO", "AMD", "TSM", "MU", "MRVL"), CHIPS),
    **dict.fromkeys(("GOOGL", "META", "AMZN", "ORCL"), CLOUD),
    **dict.fromkeys(("CRM", "ADBE", "PLTR", "AAPL"), SOFTWARE),
    **dict.fromkeys(("VRT", "VST", "CEG"), POWER),
}
PEERS = [ticker for ticker in GROUPS if ticker not in ("MSFT", "NVDA")]
MODELS: dict[str, es.MarketModel | es.FactorModel] = {
    "SPY": es.MarketModel("SPY"),
    "SPY+SMH": es.FactorModel(["SPY", "SMH"]),
}
ESTIMATION, EVENT, MIN_OBS = (-270, -21), (-10, 10), 120
WINDOWS = [(0, 0), (-1, 1), (0, 1), (0, 5), (-10, 10)]
MARKS = {-2: "27 Jan sell-off", 0: "FOMC at 14:00", 1: "after MSFT, META results"}
QUESTION = (
    "A news article of Wednesday 29 January 2025, 04:46 New York time, says that OpenAI alleges unauthorized use of "
    "its "
    "models by DeepSeek and that Microsoft investigates. Does the dispute move Microsoft, Nvidia and their peers? "
    "Does it "
    "change the competitive landscape: who gains, who loses, do correlations and volatility shift?"
)


@dataclass(frozen=True)
class Dated:
    """One of the four dated events: its name and its first and last trading day.

    R1 came on Monday the 20th, a holiday, and Stargate on the 21st after the close: the sessions are the 21st and 22nd.
    """

    name: str
    first: str
    last: str


DATES = (
    Dated("R1 and Stargate", "2025-01-21", "2025-01-22"),
    Dated("Sell-off", "2025-01-27", "2025-01-27"),
    Dated("Article", "2025-01-29", "2025-01-29"),
    Dated("After results", "2025-01-30", "2025-01-30"),
)
R1, SELL_OFF, DISPUTE, RESULTS = (dated.name for dated in DATES)


@dataclass(frozen=True)
class Study:
    """Both estimations, the other dated events, and the windows of the four dates in sessions from the article.

    ``bars`` are prices with opens, highs, lows and volumes, where the source has them; the bundled one does not.
    """

    results: dict[str, es.EventStudyResults]
    calendar: es.EventCalendar
    windows: dict[str, es.Window]
    bars: pd.DataFrame | None = None

    @property
    def plain(self) -> es.EventStudyResults:
        """Against SPY."""
        return self.results["SPY"]

    @property
    def chips(self) -> es.EventStudyResults:
        """Against SPY and SMH."""
        return self.results["SPY+SMH"]

    def marked(self, benchmark: str) -> es.EventStudyResults:
        """One estimation whose tables and figures mark other dated events of a stock or its group."""
        return self.results[benchmark].with_confounders(self.calendar, reach=("security", "group"))

    def date(self, tau: int) -> pd.Timestamp:
        """The session so many sessions from the article's."""
        day: pd.Timestamp = self.plain.study.returns.sessions[int(self.plain.fit.index.position[0]) + tau]
        return day

    def day(self, name: str, shift: int = 0) -> str:
        """First session of one of the four dates, or one near it, as it is spoken: ``29 January``."""
        day = self.date(self.windows[name].start + shift)
        return f"{day.day} {day:%B}"

    @property
    def labels(self) -> dict[str, es.Window]:
        """Windows of the four dates by name and day, for headings."""
        labels = {}
        for name, window in self.windows.items():
            first, last = self.date(window.start), self.date(window.end)
            day = f"{first:%d}–{last:%d %b}" if first != last else f"{first:%d %b}"
            labels[f"{name}, {day}"] = window
        return labels


def run(source: str = "sample") -> Study:
    """Fit both models to daily prices; the four dates are windows of one fit, with one estimation window."""
    prices = es.load_prices([*GROUPS, "SPY", "SMH"], start=FIRST, end=LAST, source=source)
    returns = es.ReturnPanel.from_prices(prices)
    events = es.Events.at(ARTICLE, list(GROUPS), tz=ZONE, label="OpenAI–DeepSeek article", group=GROUPS)
    results = {}
    with warnings.catch_warnings():  # the shared date is this study's subject; every table says so
        warnings.simplefilter("ignore", es.ClusteredEventsWarning)
        for name, model in MODELS.items():
            results[name] = es.EventStudy(
                returns, events, model, estimation_window=ESTIMATION, event_window=EVENT, min_obs=MIN_OBS
            ).fit()
    calendar = es.EventCalendar.sample().without(certainty="seed")  # the article itself
    return Study(results, calendar, windows(results["SPY"]), prices if has_bars(prices) else None)


def has_bars(prices: pd.DataFrame) -> bool:
    """Whether the source gave opens, highs, lows, closes and volumes beside adjusted closes."""
    try:
        for name in ("open", "high", "low", "close", "volume"):
            prices.field(name)  # type: ignore[operator]
    except es.EventStudyError:
        return False
    return True


def windows(res: es.EventStudyResults) -> dict[str, es.Window]:
    """Sessions of the four dates, counted from the article's."""
    sessions = res.study.returns.sessions
    zero = int(res.fit.index.position[0])
    at = {
        day: int(sessions.searchsorted(pd.Timestamp(day))) - zero
        for dated in DATES
        for day in (dated.first, dated.last)
    }
    return {dated.name: es.Window(at[dated.first], at[dated.last]) for dated in DATES}
