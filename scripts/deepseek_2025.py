"""The January 2025 DeepSeek study, offline: tables, figures and a plain-language summary.

The question is the article "OpenAI alleges DeepSeek's unauthorized use of proprietary models: Microsoft investigates
AI security risks", published on Wednesday 29 January 2025 at 04:46 New York time. Run it with ``make study``, or
``python scripts/deepseek_2025.py [DIRECTORY]``.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import eventstudy as es
from eventstudy._render import number, p_value, percent
from eventstudy.data.sample import known_events
from eventstudy.plots import save

ARTICLE = "2025-01-29 04:46"
ZONE = "America/New_York"
GROUPS = {
    "MSFT": "Microsoft",
    **dict.fromkeys(("NVDA", "AVGO", "AMD", "TSM", "MU", "MRVL"), "GPU and chip makers"),
    **dict.fromkeys(("GOOGL", "META", "AMZN", "ORCL"), "Other hyperscalers"),
    **dict.fromkeys(("CRM", "ADBE", "PLTR", "AAPL"), "Software"),
    **dict.fromkeys(("VRT", "VST", "CEG"), "AI power"),
}
MODELS: dict[str, es.MarketModel | es.FactorModel] = {
    "SPY": es.MarketModel("SPY"),
    "SPY+SMH": es.FactorModel(["SPY", "SMH"]),
}
WINDOWS = [(0, 0), (-1, 1), (0, 1), (0, 5), (-10, 10)]
MARKS = {-2: "27 Jan sell-off", 0: "FOMC at 14:00", 1: "after MSFT, META results"}
PRESS = [  # reports of the days themselves, beside the bundled calendar; their hours are not known well
    ("2025-01-21", "", "during", "sector", "press reports of the Stargate venture before its announcement", "medium"),
    ("2025-01-29", "", "during", "NVDA", "press report of US talks on limiting H20 sales to China", "medium"),
]
CLOCK = {"before open": "08:00", "after close": "17:00"}  # stands for an announcement dated without a time


def main(out: Path) -> None:
    """Run the study and write everything below ``out``."""
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
    confounders = dated_events(results["SPY"])

    out.mkdir(parents=True, exist_ok=True)
    for name, res in results.items():
        folder = out / name.replace("+", "_")
        res.to_csv(folder, windows=WINDOWS)
        title = f"OpenAI–DeepSeek, 29 January 2025, against {name}"
        res.report(folder / "report.html", windows=WINDOWS, title=title, marks=MARKS)
    stacked(results, "car").to_csv(out / "car_by_security.csv", index=False)
    stacked(results, "abnormal_returns").to_csv(out / "ar_by_security.csv", index=False)
    stacked(results, "group_caar").to_csv(out / "groups.csv", index=False)
    stacked(results, "tests").to_csv(out / "tests.csv", index=False)
    confounders.to_csv(out / "confounders.csv", index=False)
    figures(results, out / "figures")
    text = summary(results, confounders)
    (out / "summary.txt").write_text(text, encoding="utf-8")
    print(text)
    print(f"Tables, figures and this summary are in {out}.")


def stacked(results: dict[str, es.EventStudyResults], table: str) -> pd.DataFrame:
    """One table of every estimation, with the benchmark in the first column."""
    frames = {name: res.frames(WINDOWS)[table] for name, res in results.items()}
    return pd.concat(frames, names=["benchmark"]).reset_index(level=0)


def dated_events(res: es.EventStudyResults) -> pd.DataFrame:
    """Other dated events whose session lies in the event window, with their relative session ``tau``."""
    known = known_events().assign(date=lambda frame: frame["date"].astype(str).str[:10])
    known = pd.concat([known, pd.DataFrame(PRESS, columns=known.columns)], ignore_index=True)
    known = known[known["certainty"] != "seed"]
    clock = known["time_et"].replace("", np.nan).fillna(known["timing"].map(CLOCK)).fillna("12:00")
    moments = known["date"] + " " + clock
    table = es.Events.from_frame(
        pd.DataFrame({"ticker": known.index.map(str), "timestamp": moments, "label": known["label"]}), tz=ZONE
    )
    sessions = res.study.returns.sessions
    position = table.resolve(sessions).position
    tau = position - res.fit.index.position[0]
    frame = known.assign(tau=tau, session=sessions[np.maximum(position, 0)].strftime("%Y-%m-%d"))
    window = res.fit.index.event
    inside = (position >= 0) & (tau >= window.start) & (tau <= window.end)
    found: pd.DataFrame = frame.loc[inside].sort_values(["tau", "date"], kind="stable").reset_index(drop=True)
    return found


def figures(results: dict[str, es.EventStudyResults], out: Path) -> None:
    """CAR paths by group, bars of CARs with intervals, and heat maps of abnormal returns."""
    out.mkdir(parents=True, exist_ok=True)
    for name, res in results.items():
        stem = name.lower().replace("+", "_")
        save(res.plot.caar_by_group(mark=MARKS), out / f"caar_by_group_{stem}.png")
        save(res.plot.heatmap(mark=MARKS), out / f"heatmap_{stem}.png")
        for start, end in ((0, 0), (0, 1)):
            save(res.plot.car(start, end, mark=MARKS), out / f"car_{start}_{end}_{stem}.png")


def summary(results: dict[str, es.EventStudyResults], confounders: pd.DataFrame) -> str:
    """What the numbers say to the article's claims; every figure is read from the results."""
    plain, chips = results["SPY"], results["SPY+SMH"]
    shared = plain.shared_dates
    session = plain.events["session"].iloc[0]
    lines = [
        "The DeepSeek study: MSFT, NVDA and peers around the dispute of 29 January 2025",
        "=" * 79,
        f"Article of {ARTICLE} New York time; event session {session:%a %d %b %Y} ({plain.events['rule'].iloc[0]}).",
        f"{len(plain)} stocks, estimation window {plain.fit.index.estimation}, event window {plain.fit.index.event}, "
        f"counted in NYSE sessions.",
        "Benchmarks: SPY alone, and SPY with the chip index SMH. Returns are total returns; intervals are 95 %.",
        "",
        "1. Did the dispute move Microsoft?",
        *told(plain, chips, "MSFT", (0, 0)),
        *told(plain, chips, "MSFT", (0, 1)),
        "   The second window ends with 30 Jan, the first session after Microsoft's own results (29 Jan, after the "
        "close):",
        "   its move cannot be told apart from the results and is no evidence about the dispute.",
        "",
        "2. Did it move Nvidia?",
        *told(plain, chips, "NVDA", (0, 0)),
        "   That day the press also reported US talks on limiting Nvidia's H20 sales to China, and NVDA is one of 18",
        f"   stocks looked at: after Holm's correction p is {holm_p(plain, 'NVDA')} (SPY) and {holm_p(chips, 'NVDA')} "
        "(SPY+SMH).",
        *told(plain, chips, "NVDA", (-1, 1)),
        *told(plain, chips, "NVDA", (-10, 10)),
        f"   The sell-off of 27 Jan (tau = −2) was {one(plain, 'NVDA', (-2, -2))} against SPY; any window that starts "
        "before 28 Jan holds it.",
        "",
        "3. Did it move the peers? (all but MSFT and NVDA)",
        *(line for window in ((0, 0), (0, 1)) for name, res in results.items() for line in peers(res, name, window)),
        "   Whatever moved the peers on 29 Jan, the day also brought ASML's results (before the open) and the FOMC;",
        "   one date cannot tell several pieces of news apart. The second window holds META's results as well,",
        "   after the close of 29 Jan.",
        f"   One by one on {session:%d %b}, after Holm's correction for {shared.n_events} stocks: "
        f"{singled_out(plain)} (SPY); {singled_out(chips)} (SPY+SMH).",
        "",
        f"4. Groups on {session:%d %b} (mean abnormal return, 95 % interval, t-test of the portfolio)",
        *by_group(results, (0, 0)),
        "   The intervals are wide, the groups were looked at together, and the day held other news: read the signs as",
        "   a description, not as gains and losses from the dispute.",
        "",
        "5. Correlations and volatility (description, no test)",
        *risk(plain),
        "",
        "What else happened in the event window",
        *(
            f"   tau {row['tau']:+3d}  {row['session']}  {row['scope']:<7} {row['label']}"
            + (f" ({row['timing']})" if row["timing"] else "")
            + (f" [certainty {row['certainty']}]" if row["certainty"] != "high" else "")
            for row in confounders.to_dict("records")
        ),
        "",
        "Caveats",
        *(f"   {note}" for note in plain.caveats()),
        "   The market's own move on 29 Jan holds the FOMC statement of 14:00; the benchmark takes it out only as far",
        "   as each stock's beta says. With daily closes the article's hour cannot be told from the rest of that day.",
        "   SMH holds several of the stocks studied, so SPY+SMH asks who differed from the chip sector, not whether it "
        "moved.",
    ]
    return "\n".join(lines) + "\n"


def p_text(value: object) -> str:
    """``p = 0.123``, or ``p < 0.001``."""
    shown = p_value(value)
    return f"p < {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


def one(res: es.EventStudyResults, ticker: str, window: tuple[int, int]) -> str:
    """CAR of one security with its p-value."""
    row = res.car(window).set_index("ticker").loc[ticker]
    return f"{percent(row['car'])} ({p_text(row['p_value'])})"


def told(plain: es.EventStudyResults, chips: es.EventStudyResults, ticker: str, window: tuple[int, int]) -> list[str]:
    """One security over one window in a sentence, by both estimations."""
    parts = []
    for name, res in (("SPY", plain), ("SPY+SMH", chips)):
        row = res.car(window).set_index("ticker").loc[ticker]
        found = "distinguishable from zero" if row["p_value"] < 0.05 else "not distinguishable from zero"
        parts.append(
            f"{name} {percent(row['car'])} [{percent(row['ci_lower'])}, {percent(row['ci_upper'])}], "
            f"{p_text(row['p_value'])}, {found}"
        )
    return [f"   {ticker} over {es.Window.of(window)}: {parts[0]};", f"   {'':>{len(ticker)}}      {parts[1]}."]


def holm_p(res: es.EventStudyResults, ticker: str) -> str:
    """P-value of one security on the event session, corrected for all that were looked at."""
    car = res.car(0, 0, adjusted=True).set_index("ticker")
    return p_value(car.loc[ticker, "p_holm"])


def peers(everyone: es.EventStudyResults, name: str, window: tuple[int, int]) -> list[str]:
    """CAAR of the peers: the test to read first, then how the tests that hold on one date compare to the rest."""
    res = everyone.select(ticker=[ticker for ticker in GROUPS if ticker not in ("MSFT", "NVDA")])
    # on one date the calendar-time portfolio is the time-series test, which must not count twice
    tests = res.tests(window).drop(index="calendar_portfolio_t")
    caar = res.caar(window).iloc[0]
    advised = res.recommended(window)
    held = tests[tests["valid_under_clustering"]]["p_value"].dropna()
    loose = tests[~tests["valid_under_clustering"]]["p_value"].dropna()
    return [
        f"   {caar['n']:.0f} peers over {es.Window.of(window)}, {name}: mean {percent(caar['caar'])}; {advised.name} "
        f"{p_text(advised.result.p_value)}.",
        f"     Of {len(held)} tests that allow for the shared date {(held < 0.05).sum()} reject at 5 % (p from "
        f"{p_value(held.min())} to {p_value(held.max())}); of {len(loose)} that ignore it, {(loose < 0.05).sum()} do.",
    ]


def singled_out(res: es.EventStudyResults) -> str:
    """Securities whose event-day return survives the correction for many looks."""
    car = res.car(0, 0, adjusted=True)
    left = car["ticker"][car["p_holm"] < 0.05].tolist()
    return ", ".join(left) if left else "none differs from zero at 5 %"


def by_group(results: dict[str, es.EventStudyResults], window: tuple[int, int]) -> list[str]:
    """CAAR of each group by both estimations."""
    lines = []
    for name, res in results.items():
        lines.append(f"   against {name}:")
        lines += [
            f"     {group:<20} {percent(row['caar']):>9}  [{percent(row['ci_lower'])}, {percent(row['ci_upper'])}]"
            f"  {p_text(row['p_value'])}  n = {row['n']:.0f}"
            for group, row in res.group_caar(window).sort_values("caar", ascending=False).iterrows()
        ]
    return lines


def risk(res: es.EventStudyResults) -> list[str]:
    """How large and how joint the abnormal returns of the event window were, beside the estimation window."""
    squares = (res.sar**2).mean()
    others = (res.sar.drop(index="MSFT", level="ticker") ** 2).mean()
    window = res.fit.index.event
    inside = res.abnormal_returns.T.corr().to_numpy()
    joint = inside[np.triu_indices(len(inside), 1)].mean()
    after = res.abnormal_returns.loc[:, 1:].T.corr().to_numpy()
    return [
        "   Mean squared standardised abnormal return (about 1 is usual): "
        + ", ".join(
            f"{label} {number(squares[tau], 1)}" for tau, label in ((-2, "27 Jan"), (0, "29 Jan"), (1, "30 Jan"))
        )
        + f"; mean of the other sessions of {window}: {number(squares.drop([-2, 0, 1]).mean(), 1)}.",
        f"   Without MSFT, which answered to its results, 30 Jan is {number(others[1], 1)}.",
        f"   Mean pairwise correlation of abnormal returns: {number(res.estimation_summary.mean_correlation)} in the "
        f"estimation window, {number(joint)} over {window} (27 Jan included), "
        f"{number(after[np.triu_indices(len(after), 1)].mean())} over the {window.end} sessions after the article.",
        "   Ten or twenty sessions say little about a lasting shift.",
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/deepseek_2025"))
