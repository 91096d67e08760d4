"""What the numbers say, at more length than the verdict; every figure is read from the results."""

from __future__ import annotations

import pandas as pd

import eventstudy as es
from deepseek.design import ARTICLE, DISPUTE, PEERS, SELL_OFF, Study
from deepseek.tables import NEIGHBOURS
from deepseek.words import LEVEL, listed, p_text, row_of, with_interval, with_p
from eventstudy._render import number, p_value, percent


def summary(study: Study, tables: dict[str, pd.DataFrame]) -> str:
    """The study in some eighty lines of text."""
    plain, chips = study.plain, study.chips
    session = plain.events["session"].iloc[0]
    sell_off = study.windows[SELL_OFF]
    lines = [
        "The DeepSeek study: MSFT, NVDA and peers around the dispute of 29 January 2025",
        "=" * 79,
        f"Article of {ARTICLE} New York time; event session {session:%a %d %b %Y} ({plain.events['rule'].iloc[0]}).",
        f"{len(plain)} stocks, estimation window {plain.fit.index.estimation}, event window {plain.fit.index.event}, "
        "counted in NYSE sessions.",
        "Benchmarks: SPY alone, and SPY with the chip index SMH. Returns are total returns; intervals are 95 %.",
        "The verdict on each claim of the article, on one page: verdict.txt.",
        "",
        "1. Microsoft",
        *told(study, "MSFT", es.Window(0, 0)),
        *told(study, "MSFT", es.Window(0, 1)),
        "   The second window ends with 30 Jan, the first session after Microsoft's own results (29 Jan, after the "
        "close):",
        "   its move cannot be told apart from the results and is no evidence about the dispute.",
        "",
        "2. Nvidia",
        *told(study, "NVDA", es.Window(0, 0)),
        "   That day the press also reported US talks on limiting Nvidia's H20 sales to China, and NVDA is one of",
        f"   {len(plain)} stocks looked at: after Holm's correction p is {holm_of(plain, 'NVDA')} (SPY) and "
        f"{holm_of(chips, 'NVDA')} (SPY+SMH).",
        *told(study, "NVDA", es.Window(-1, 1)),
        *told(study, "NVDA", es.Window(-10, 10)),
        f"   The sell-off of 27 Jan (tau = {number(sell_off.start, 0)}) was "
        f"{with_p(row_of(plain, 'NVDA', sell_off))} against "
        "SPY;",
        "   a window that starts before 28 Jan holds it, one that starts on that day its rebound of "
        f"{with_p(row_of(plain, 'NVDA', es.Window(-1, -1)))}.",
        "",
        "3. Peers (all but MSFT and NVDA)",
        *(
            line
            for window in (es.Window(0, 0), es.Window(0, 1))
            for name in study.results
            for line in peers(study, name, window)
        ),
        "   Whatever moved the peers on 29 Jan, the day also brought ASML's results (before the open) and the FOMC;",
        "   one date cannot tell several pieces of news apart. The second window holds META's results as well,",
        "   after the close of 29 Jan.",
        f"   One by one on {session:%d %b}, after Holm's correction for {len(plain)} stocks: "
        f"{singled_out(plain)} (SPY); {singled_out(chips)} (SPY+SMH).",
        "",
        f"4. Groups on {session:%d %b} (mean abnormal return, 95 % interval, t-test of the portfolio)",
        *by_group(study, es.Window(0, 0)),
        "   The intervals are wide, the groups were looked at together, and the day held other news: read the signs as",
        "   a description, not as gains and losses from the dispute.",
        "",
        "5. Four dates side by side (mean abnormal return of each group against SPY, stocks weighed equally; * where "
        "its",
        "   95 % interval excludes zero; then the sum of the stocks' abnormal market value, thousand million dollars)",
        *four_dates(study, tables),
        "",
        "6. What else happened in the event window",
        *other_events(tables["confounders"]),
        "",
        "Caveats",
        *(f"   {note}" for note in plain.caveats()),
        "   The market's own move on 29 Jan holds the FOMC statement of 14:00; the benchmark takes it out only as far",
        "   as each stock's beta says. With daily closes the article's hour cannot be told from the rest of that day.",
        "   SMH holds several of the stocks studied, so SPY+SMH asks who differed from the chip sector, not whether it "
        "moved.",
        *neighbours(study, tables["overlaps"]),
        *ranges_and_volume(study, tables),
    ]
    return "\n".join(lines) + "\n"


def neighbours(study: Study, found: pd.DataFrame) -> list[str]:
    """Which of the four dates a window of one session either side mixes."""
    pairs = found[["session", "other_session", "shared_sessions"]].drop_duplicates()
    told = [
        f"{first:%d} and {second:%d %b} share {shared} of {len(es.Window.of(NEIGHBOURS))}"
        for first, second, shared in pairs.itertuples(index=False)
    ]
    return [
        f"   Windows {es.Window.of(NEIGHBOURS)} around the four dates share sessions, for every stock: {listed(told)}",
        "   (overlaps.csv), so that the dates are read on their own sessions.",
    ]


def ranges_and_volume(study: Study, tables: dict[str, pd.DataFrame]) -> list[str]:
    """What daily bars add, or that there are none."""
    if study.bars is None:
        return ["   The bundled prices are adjusted closes: volatility is close to close, and there is no volume."]
    volume, ranges = tables["abnormal_volume"].set_index("event"), tables["volatility_ranges"].set_index("estimator")
    on_day = volume.loc[DISPUTE].set_index("ticker")["ratio"]
    yang_zhang = ranges.loc["yang_zhang"].set_index("ticker")["ratio"]
    shown = "; ".join(f"{name} {number(on_day[name])} and {number(yang_zhang[name])}" for name in ("MSFT", "NVDA"))
    return [
        "   Volume of 29 Jan over what is expected, and volatility after over before from daily ranges (Yang–Zhang):",
        f"   {shown}; all stocks in abnormal_volume.csv and volatility_ranges.csv.",
    ]


def told(study: Study, ticker: str, window: es.Window) -> list[str]:
    """One security over one window in a sentence, by both estimations."""
    parts = []
    for name, res in study.results.items():
        row = row_of(res, ticker, window)
        found = "distinguishable from zero" if row["p_value"] < LEVEL else "not distinguishable from zero"
        parts.append(f"{name} {with_interval(row)}, {found}")
    return [f"   {ticker} over {window}: {parts[0]};", f"   {'':>{len(ticker)}}      {parts[1]}."]


def holm_of(res: es.EventStudyResults, ticker: str) -> str:
    """P-value of one security on the event session, corrected for all that were looked at."""
    return p_value(row_of(res, ticker, es.Window(0, 0))["p_holm"])


def peers(study: Study, name: str, window: es.Window) -> list[str]:
    """CAAR of the peers: the test to read first, then how the tests that hold on one date compare to the rest."""
    res = study.results[name].select(ticker=PEERS)
    # on one date the calendar-time portfolio is the time-series test, which must not count twice
    tests = res.tests(window).drop(index="calendar_portfolio_t")
    caar = res.caar(window).iloc[0]
    advised = res.recommended(window)
    held = tests[tests["valid_under_clustering"]]["p_value"].dropna()
    loose = tests[~tests["valid_under_clustering"]]["p_value"].dropna()
    return [
        f"   {caar['n']:.0f} peers over {window}, {name}: mean {percent(caar['caar'])}; {advised.name} "
        f"{p_text(advised.result.p_value)}.",
        f"     Of {len(held)} tests that allow for the shared date {(held < LEVEL).sum()} reject at 5 % (p from "
        f"{p_value(held.min())} to {p_value(held.max())}); of {len(loose)} that ignore it, {(loose < LEVEL).sum()} do.",
    ]


def singled_out(res: es.EventStudyResults) -> str:
    """Securities whose event-day return survives the correction for many looks."""
    car = res.car(0, 0, adjusted=True)
    left = car["ticker"][car["p_holm"] < LEVEL].tolist()
    return ", ".join(left) if left else "none differs from zero at 5 %"


def by_group(study: Study, window: es.Window) -> list[str]:
    """CAAR of each group by both estimations."""
    lines = []
    for name, res in study.results.items():
        lines.append(f"   against {name}:")
        lines += [
            f"     {group:<20} {percent(row['caar']):>9}  [{percent(row['ci_lower'])}, {percent(row['ci_upper'])}]"
            f"  {p_text(row['p_value'])}  n = {row['n']:.0f}"
            for group, row in res.group_caar(window).sort_values("caar", ascending=False).iterrows()
        ]
    return lines


def four_dates(study: Study, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Mean abnormal return and money of each group on each date."""
    value = tables["market_value_by_group"]
    value = value[value["benchmark"] == "SPY"]
    impact = {(row["event"], row["group"]): row["impact"] for row in value.to_dict("records")}
    columns = {}
    for (label, window), event in zip(study.labels.items(), study.windows, strict=True):
        table = study.plain.group_caar(window).drop(index="All")
        columns[label] = [
            f"{percent(row['caar'], 1)}{'*' if row['ci_lower'] > 0 or row['ci_upper'] < 0 else ' '}"
            f" {number(impact[event, group] / 1e9, 0):>5}"
            for group, row in table.iterrows()
        ]
    names = study.plain.groups
    wide = {label: max(len(label), *map(len, cells)) for label, cells in columns.items()}
    lines = [f"   {'':<20}" + "".join(f"  {label:>{wide[label]}}" for label in columns)]
    lines += [
        f"   {name:<20}" + "".join(f"  {cells[at]:>{wide[label]}}" for label, cells in columns.items())
        for at, name in enumerate(names)
    ]
    return lines


def other_events(found: pd.DataFrame) -> list[str]:
    """Each other dated event once, with its session and the stocks that it concerns."""
    keys = ["tau", "confounder_session", "scope", "confounder", "date", "timing", "certainty"]
    lines = []
    for row in found[keys].drop_duplicates().sort_values(["tau", "date"], kind="stable").to_dict("records"):
        doubt = "" if row["certainty"] == "high" else f" [certainty {row['certainty']}]"
        timing = f" ({row['timing']})" if row["timing"] else ""
        who = str(row["scope"]).split(";")[0]
        day = pd.Timestamp(row["confounder_session"])
        lines.append(f"   tau {row['tau']:+3d}  {day:%Y-%m-%d}  {who:<7} {row['confounder']}{timing}{doubt}")
    return lines
