"""The figure of docs/models.md, and what a fit costs by model; ``python scripts/models_page.py``, about a minute."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import eventstudy as es
from eventstudy.plots import save

OUT = Path(__file__).resolve().parents[1] / "docs" / "figures"

HIT = ["MSFT", "GOOGL", "META", "AMZN", "NVDA", "AVGO", "AMD", "PLTR"]
OTHERS = ["AAPL", "ORCL", "TSM", "MU", "MRVL", "CRM", "ADBE", "VRT", "VST", "CEG"]
WINDOWS = [(0, 0), (0, 1), (-1, 1), (0, 5)]
EVENTS, DONORS = 200, 1_000


def every_kind(
    market: str, factors: list[str], peers: list[str], exclude: list[str]
) -> dict[str, es.NormalReturnModel]:
    """One model of each kind, in the order of the page."""
    return {
        "mean": es.MeanAdjusted(),
        "market adjusted": es.MarketAdjusted(market),
        "market model": es.MarketModel(market),
        "factors": es.FactorModel(factors),
        "Scholes–Williams": es.ScholesWilliams(market),
        "Dimson": es.Dimson(market),
        "Huber": es.RobustMarketModel(market),
        "Theil–Sen": es.RobustMarketModel(market, "theil-sen"),
        "rolling": es.RollingMarketModel(market, span=126),
        "EWMA": es.EWMAMarketModel(market, halflife=60),
        "GARCH": es.GARCHMarketModel(market),
        "GJR-t": es.GARCHMarketModel(market, "gjr", "t"),
        "peers": es.PeerPortfolio(peers),
        "synthetic control": es.SyntheticControl(exclude=exclude),
        "latent factors": es.LatentFactors(exclude=exclude),
    }


def sample() -> es.Comparison:
    """Every kind of model on the bundled prices."""
    returns = es.ReturnPanel.from_prices(es.load_prices([*HIT, *OTHERS, "SPY", "SMH"], source="sample"))
    events = es.Events.at("2025-01-29 04:46", HIT, tz="America/New_York")
    models = every_kind("SPY", ["SPY", "SMH"], OTHERS, ["SPY", "SMH"])
    return es.compare(returns, events, models, windows=WINDOWS)


def costs() -> pd.DataFrame:
    """Milliseconds for an event of made-up returns, imports and compiled code ready; the best of three."""
    panel = es.SyntheticPanel(n_securities=EVENTS + DONORS, n_sessions=560, correlation=0.2).draw(seed=1)
    names = panel.tickers[1:].tolist()
    dates = panel.sessions[[400, 440, 480, 520]]
    table = pd.DataFrame({"ticker": names[:EVENTS], "date": np.resize(dates, EVENTS)})
    events, market = es.Events.from_frame(table), panel.tickers[0]
    models = every_kind(market, [market, names[-1]], names[-100:-1], [market])
    few = es.Events.from_frame(table.iloc[:8])
    for model in models.values():
        es.EventStudy(panel, few, model).fit()
    best = {}
    for name, model in models.items():
        study, took = es.EventStudy(panel, events, model), []
        for _ in range(3):
            begun = time.perf_counter()
            study.fit(progress=False)
            took.append(time.perf_counter() - begun)
        best[name] = 1e3 * min(took) / EVENTS
    return pd.DataFrame({"ms_per_event": best}).rename_axis("model")


def main() -> None:
    """Draw the figure and print both tables."""
    with warnings.catch_warnings():  # the shared date is the subject of other pages
        warnings.simplefilter("ignore", es.EventStudyWarning)
        found, took = sample(), costs()
    print(save(found.plot_windows(), OUT / "models_by_window.png", dpi=130).relative_to(OUT.parents[1]))
    print(found.by_window((0, 1)).set_index("model")[["caar", "std_error", "test", "test_p"]].round(4).to_string())
    print(f"\n{EVENTS} events, 250 sessions, {DONORS} donors:\n{took.round(3).to_string()}")


if __name__ == "__main__":
    main()
