"""What is asked of which stocks, over which sessions, against which benchmarks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pandas as pd

import eventstudy as es

ARTICLE = "2025-01-29 04:46"
ZONE = "America/New_York"
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
    """One of the four dated events: its name and its first and last trading day."""

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
    """Both estimations, the other dated events, and the windows of the four dates in sessions from the article."""

    results: dict[str, es.EventStudyResults]
    calendar: es.EventCalendar
    windows: dict[str, es.Window]

    @property
    def plain(self) -> es.EventStudyResults:
        """Against SPY."""
        return self.results["SPY"]

    @property
    def chips(self) -> es.EventStudyResults:
        """Against SPY and SMH."""
        return self.results["SPY+SMH"]

    @property
    def labels(self) -> dict[str, es.Window]:
        """Windows of the four dates by name and day, for headings."""
        days = self.plain.study.returns.sessions
        zero = int(self.plain.fit.index.position[0])
        labels = {}
        for name, window in self.windows.items():
            first, last = days[zero + window.start], days[zero + window.end]
            day = f"{first:%d}–{last:%d %b}" if first != last else f"{first:%d %b}"
            labels[f"{name}, {day}"] = window
        return labels


def run() -> Study:
    """Fit both models to the bundled prices; the four dates are windows of one fit, with one estimation window."""
    prices = es.load_prices([*GROUPS, "SPY", "SMH"], source="sample")
    returns = es.ReturnPanel.from_prices(prices)
    events = es.Events.at(ARTICLE, list(GROUPS), tz=ZONE, label="OpenAI–DeepSeek article", group=GROUPS)
    results = {}
    with warnings.catch_warnings():  # the shared date is this study's subject; every table says so
        warnings.simplefilter("ignore", es.ClusteredEventsWarning)
        for name, model in MODELS.items():
            results[name] = es.EventStudy(
                returns, events, model, estimation_window=(-270, -21), event_window=(-10, 10), min_obs=120
            ).fit()
    calendar = es.EventCalendar.sample().without(certainty="seed")  # the article itself
    return Study(results, calendar, windows(results["SPY"]))


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
