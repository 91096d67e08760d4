"""One page in plain language on each claim of the article; every figure is read from the results.

An answer follows from the numbers by one rule: "Yes" if both benchmarks reject at 5 %, "Not shown" if neither does,
"It depends on the benchmark" otherwise. Of the peers, every test that allows for the shared date must reject, and the
day must stand out among earlier ones, for a plain yes; of volatility, more than three times as many stocks must rise as
chance makes. "Not shown" is no proof of absence, so the size of a move that could have been seen stands beside it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd

import eventstudy as es
from deepseek.design import CHIPS, DISPUTE, PEERS, RESULTS, SELL_OFF, SOFTWARE, Study
from deepseek.tables import AFTER, BEFORE
from deepseek.words import (
    LEVEL,
    Row,
    agreed,
    by,
    dollars,
    interval_of,
    level_of,
    listed,
    p_text,
    row_of,
    share,
    spelled,
    tests_that_hold,
    times,
    with_interval,
    with_p,
)
from eventstudy._render import number, p_value, percent
from eventstudy.inference import holm
from eventstudy.inference.resampling import resampling_p

WIDTH = 100
NAIVE = "csect_t"  # the test that most published studies report
LARGEST = 5  # stocks whose share of the market value is told
ANSWERS = {"yes": "Yes", "no": "Not shown", "mixed": "It depends on the benchmark"}


@dataclass(frozen=True)
class Claim:
    """A claim of the article, the answer of the data, and the evidence."""

    claim: str
    answer: str
    evidence: str


TITLE = "OpenAI alleges DeepSeek's unauthorized use of proprietary models"
CANNOT = (
    "Which of several pieces of news of one day moved a price; the FOMC spoke that afternoon. SPY holds these stocks "
    "too, so that a blow to all of them is partly in the benchmark. Whether a small effect was there. Whether a shift "
    "lasts. Share counts and base closes behind the money are approximate, see market_value_by_security.csv. The data "
    "are one sample of stocks chosen for this case, and of many questions some give a small p by chance."
)


def claims(study: Study, tables: dict[str, pd.DataFrame]) -> list[Claim]:
    """What the data say to each claim."""
    return [
        microsoft(study, tables),
        nvidia(study, tables),
        peers(study, tables),
        landscape(study, tables),
        consolidation(study, tables),
        correlations(study, tables),
        volatility(study, tables),
        method(study, tables),
    ]


def microsoft(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Microsoft on the day, and why the next day is no evidence."""
    day, after = study.windows[DISPUTE], study.windows[RESULTS]
    rows = [row_of(res, "MSFT", day) for res in study.results.values()]
    half = max((row["ci_upper"] - row["ci_lower"]) / 2 for row in rows)
    text = (
        f"On {study.day(DISPUTE)} its abnormal return was {with_interval(rows[0])} against SPY "
        f"({dollars(_money(tables, DISPUTE, 'MSFT'))} of market value) and {with_interval(rows[1])} against SPY and "
        f"SMH. A move of less than about {number(half * 100, 1)} % either way could not have been told from zero. "
        f"On {study.day(RESULTS)} it was {with_p(row_of(study.plain, 'MSFT', after))}, but between the two came "
        f"{_between(study, 'MSFT', after)}: that move is no evidence about the dispute."
    )
    return Claim("The dispute moved Microsoft", _answer(rows), text)


def nvidia(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Nvidia on the day, after correction for the number of stocks, beside the sell-off and the session after it."""
    day, before = study.windows[DISPUTE], study.windows[SELL_OFF]
    next_day = es.Window(before.end + 1, before.end + 1)
    rows = [row_of(res, "NVDA", day) for res in study.results.values()]
    text = (
        f"On {study.day(DISPUTE)}: {with_interval(rows[0])} against SPY; {with_interval(rows[1])} against SPY and SMH. "
        f"It is one of {len(study.plain)} stocks looked at: corrected for that (Holm), p is "
        f"{p_value(rows[0]['p_holm'])} and {p_value(rows[1]['p_holm'])}. The same day brought "
        f"{_between(study, 'NVDA', day)}. Before it, against SPY, came {with_p(row_of(study.plain, 'NVDA', before))}, "
        f"{dollars(_money(tables, SELL_OFF, 'NVDA'))} after the market's part, on {study.day(SELL_OFF)}, and "
        f"{with_p(row_of(study.plain, 'NVDA', next_day))} on {study.day(SELL_OFF, 1)}: a window that starts before "
        f"{study.day(DISPUTE)} measures them, not the dispute."
    )
    answer = _answer(rows)
    if answer != ANSWERS["no"] and agreed([row["p_holm"] for row in rows]) == "no":
        answer = f"Not shown, once corrected for {len(study.plain)} looks"
    return Claim("The dispute moved Nvidia", answer, text)


def peers(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """All but Microsoft and Nvidia, by the tests that hold on a shared date, without each, and beside earlier days."""
    day = study.windows[DISPUTE]
    parts, advised_p, every_p, without, ranks, often = [], [], [], [], [], []
    for name, res in study.results.items():
        part = res.select(ticker=PEERS)
        advised, held = part.recommended(day), tests_that_hold(part, day)
        own = float(advised.result.p_value)
        left_out, earlier = (
            table.loc[table["benchmark"] == name, f"p_{advised.name}"]
            for table in (tables["influence_of_peers"], tables["earlier_days"])
        )
        advised_p.append(own)
        every_p += held.tolist()
        without.append(float(left_out.max()))
        ranks.append(resampling_p(int((earlier <= own).sum()), len(earlier)))
        often.append(share(float((earlier < LEVEL).mean()), 0))
        parts.append(
            f"{interval_of(part.caar(day).iloc[0], 'caar')} against {name} ({advised.name}: {p_text(own)}; "
            f"{(held < LEVEL).sum()} of {len(held)} tests that allow for the shared date reject)"
        )
    found = agreed(advised_p)
    text = (
        f"The mean of {len(PEERS)} peers on {study.day(DISPUTE)} was {' and '.join(parts)}. Without any one of them "
        f"{advised.name} gives at most {p_text(max(without))}; but on {len(earlier)} earlier sessions it rejects on "
        f"{listed(often)}, and among them the day ranks {listed([p_text(rank) for rank in ranks])}. "
    )
    if found != "no":
        text += "That the dispute moved them is not shown: "
    text += (
        f"the same day brought {_labels(study, None, day, ('group', 'market', 'sector'))}, and the more a peer had "
        f"fallen on {study.day(SELL_OFF)} the more it rose (rank correlation {number(_rebound(study))})."
    )
    text = text.replace(". the", ". The")
    firm = max(every_p + ranks) < LEVEL
    yes = "They moved; why is open" if firm else "Perhaps; why is open"
    return Claim("The dispute moved their peers", yes if found == "yes" else ANSWERS[found], text)


def landscape(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Winners and losers by group on the article's day and in the sell-off."""
    on_day, in_sell_off = (_moved(study, study.windows[name]) for name in (DISPUTE, SELL_OFF))
    value = tables["market_value_by_group"]
    worth = by(value[(value["benchmark"] == "SPY") & (value["event"] == SELL_OFF)], "group")
    both, one = (
        [
            f"{group} {percent(caar)} ({dollars(worth[group])})"
            for group, (caar, n) in in_sell_off.items()
            if n in wanted
        ]
        for wanted in ((2,), (1,))
    )
    now = [group for group, (_, n) in on_day.items() if n == len(study.results)]
    n_groups = len(study.plain.groups)
    table = tables["four_dates_by_group"]
    dispersed = table[(table["event"] == SELL_OFF) & (table["benchmark"] == "SPY")]
    text = (
        f"Groups that differ from zero against both benchmarks, by the t of their portfolios and Holm's correction for "
        f"{n_groups}: on {study.day(DISPUTE)} {listed(now)}, on {study.day(SELL_OFF)} {listed(both)}; against one "
        f"alone, {listed(one)}. Software less chip makers, against SPY: "
        f"{with_interval(_spread(tables, DISPUTE), 'difference')}; on {study.day(SELL_OFF)} "
        f"{with_interval(_spread(tables, SELL_OFF), 'difference')}. That t takes the variance of before; by "
        f"{listed(dispersed.loc[dispersed['n'] > 1, 'test'].unique().tolist())}, which lets the event raise it but has "
        f"few stocks in a group, {(dispersed['p_holm'] < LEVEL).sum()} of {n_groups} differ on {study.day(SELL_OFF)}."
    )
    before = f"Not shown for the dispute; on {study.day(SELL_OFF)}, yes"
    return Claim(
        "It changes the landscape: who gains, who loses",
        "Yes, some groups" if now else before if both else ANSWERS["no"],
        text,
    )


def consolidation(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """What prices can say of it: how much of the value the largest hold."""
    (before, after), (first, last) = (_share_of_largest(tables, name) for name in (DISPUTE, SELL_OFF))
    mergers = study.plain.confounded_by(study.calendar, study.plain.fit.index.event, reach="security")
    found = mergers.loc[mergers["kind"] == "merger", "confounder"].drop_duplicates()
    text = (
        f"Of the market value of the {len(study.plain)} stocks the {spelled(LARGEST)} largest held {share(before)} "
        f"before {study.day(DISPUTE)} and {share(after)} after it; on {study.day(SELL_OFF)} it went from "
        f"{share(first)} to {share(last)}. Mergers of these stocks in the event window: {listed(found.tolist())}. "
        "Takeovers and market shares are not in these data."
    )
    return Claim("It leads to consolidation", "Prices of these weeks cannot say", text)


def correlations(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Correlations of abnormal returns after the article, and with the sell-off in."""
    frame = tables["correlation"].set_index(["later_window", "measure"])
    first, second = frame.index.get_level_values("later_window").unique()
    names = ["mean_correlation", "jennrich", "absorption_ratio"]
    p_of = {window: [float(frame.loc[(window, name)]["p_permutation"]) for name in names] for window in (first, second)}
    shown = {window: [p_text(p) for p in values] for window, values in p_of.items()}
    mean = frame.loc[(first, names[0])]
    excluded, small = mean["ci_lower"] > 0 or mean["ci_upper"] < 0, min(p_of[first]) < LEVEL
    found = "yes" if excluded and small else "mixed" if excluded or small else "no"
    text = (
        f"The mean pairwise correlation of abnormal returns was {number(mean['before'])} over the estimation window "
        f"and {number(mean['after'])} in the {AFTER[1]} sessions after the article (change {number(mean['change'])}, "
        f"{level_of(study)} interval {number(mean['ci_lower'])} to {number(mean['ci_upper'])}). By permutation, that "
        f"mean, Jennrich's test of all pairs and the absorption ratio give {listed(shown[first])}; with "
        f"{study.day(SELL_OFF)} in the later window, whose mean is {number(frame.loc[(second, names[0])]['after'])}, "
        f"{listed(shown[second])}. {AFTER[1]} sessions say little about a lasting shift."
    )
    return Claim("Correlations shift", {"yes": "Yes", "no": "Not shown", "mixed": "Mixed"}[found], text)


def volatility(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Volatility of each stock, and the spread across stocks on each of the four dates."""
    plain = tables["volatility"]
    rises, own = (_rises(tables[name]) for name in ("volatility", "volatility_abnormal"))
    spread = tables["four_dates_variance"]
    by_event = by(spread[spread["benchmark"] == "SPY"], "event")
    by_date = "; ".join(
        f"{label} {times(by_event[name]['ratio'])} ({p_text(by_event[name]['p_placebo'])})"
        for name, label in zip(study.windows, study.labels, strict=True)
    )
    chance = LEVEL / 2 * len(plain)
    text = (
        f"Sessions {es.Window.of(AFTER)} against {es.Window.of(BEFORE)}: volatility rose beyond what such windows did "
        f"before for {listed(rises)} of {len(plain)} stocks, that of abnormal returns for {listed(own)} (chance alone "
        f"makes about {number(chance, 1)}; the later window holds the results of {_reporting(study)}). The variance of "
        f"abnormal returns across stocks, over what is usual: {by_date}."
    )
    unusual = [name for name in study.windows if by_event[name]["p_placebo"] < LEVEL]
    answer = ANSWERS["no"]
    if len(rises) > 3 * chance:
        answer = "Yes"
    elif DISPUTE in unusual:
        answer = "On the day only"
    elif unusual:
        answer += "; the unusual days are its neighbours"
    return Claim("Volatility shifts", answer, text)


def method(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """What a careless reading would have said, and how much rests on one stock."""
    day = study.windows[DISPUTE]
    tests = study.plain.tests(day)
    loose = tests.loc[~tests["valid_under_clustering"], "p_value"].dropna()
    held, advised = tests_that_hold(study.plain, day), study.plain.recommended(day)
    influence, earlier = tables["influence"], tables["earlier_days"]
    naive = (earlier.loc[earlier["benchmark"] == "SPY", f"p_{NAIVE}"] < LEVEL).mean()
    without = influence[f"p_{advised.name}"]
    alone = str(influence["ticker"].iloc[int(without.argmin())])
    text = (
        f"All {len(study.plain)} stocks share one date, and say as much about the mean as "
        f"{number(study.plain.effective_n, 1)} independent ones would. On {study.day(DISPUTE)} "
        f"{(loose < LEVEL).sum()} of {len(loose)} tests that ignore this reject a mean of zero, "
        f"{(held < LEVEL).sum()} of {len(held)} that allow for it do ({advised.name}: "
        f"{p_text(advised.result.p_value)}; without {alone} {p_text(without.min())}, the lowest of all that leave "
        f"one stock out). On the earlier sessions of the third claim {NAIVE}, which ignores it, rejects on "
        f"{share(float(naive), 0)}. A system is only as good as the test it trusts."
    )
    return Claim("No guesswork: systematic numbers define true risk", "Only with tests that hold", text)


def frame(found: list[Claim]) -> pd.DataFrame:
    """Claims as a table."""
    return pd.DataFrame(
        [(one.claim, one.answer, one.evidence) for one in found], columns=["claim", "answer", "evidence"]
    )


def page(study: Study, found: list[Claim]) -> str:
    """The verdict as one page of text."""
    res, day = study.plain, study.date(study.windows[DISPUTE].start)
    lines = [
        f'Verdict on "{TITLE}" ({study.day(DISPUTE)} {day:%Y})',
        "=" * WIDTH,
        *_wrapped(
            f"{len(res)} stocks, adjusted daily closes, abnormal returns against SPY, and against SPY with the chip "
            f'index SMH, estimated over sessions {res.fit.index.estimation}. Intervals are {level_of(study)}. "Yes" '
            f'means that both reject at {share(LEVEL, 0)}, "Not shown" that neither does; the latter is no proof that '
            "nothing happened."
        ),
    ]
    for n, one in enumerate(found, 1):
        lines += ["", f"{n}. {one.claim}? {one.answer}.", *_wrapped(one.evidence, "   ")]
    return "\n".join([*lines, "", "What daily closes of one date cannot say", *_wrapped(CANNOT, "   ")]) + "\n"


def _wrapped(text: str, indent: str = "") -> list[str]:
    # numbers stay beside their units
    kept = text.replace(" %", "\u00a0%").replace("p = ", "p\u00a0=\u00a0").replace("p < ", "p\u00a0<\u00a0")
    return [
        line.replace("\u00a0", " ")
        for line in textwrap.wrap(kept, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    ]


def _answer(rows: list[Row]) -> str:
    return ANSWERS[agreed([row["p_value"] for row in rows])]


def _money(tables: dict[str, pd.DataFrame], event: str, ticker: str) -> Row:
    frame = tables["market_value_by_security"]
    return by(frame[(frame["event"] == event) & (frame["benchmark"] == "SPY")], "ticker")[ticker]


def _labels(study: Study, ticker: str | None, window: es.Window, reach: tuple[str, ...]) -> str:
    """Other dated events of a window, by their labels."""
    part = study.plain if ticker is None else study.plain.select(ticker=ticker)
    found = part.confounded_by(study.calendar, window, reach=reach)
    return listed(found["confounder"].drop_duplicates().tolist())


def _between(study: Study, ticker: str, window: es.Window) -> str:
    found = study.plain.select(ticker=ticker).confounded_by(study.calendar, window, reach="security")
    texts = [
        f"{'its own ' if row['kind'] == 'earnings' else 'a '}{row['confounder']}" for row in found.to_dict("records")
    ]
    return listed(texts)


def _reporting(study: Study) -> str:
    found = study.plain.study.events.confounded_by(
        study.calendar, study.plain.study.returns, windows=[AFTER], reach="security"
    )
    own = found[(found["kind"] == "earnings") & found["in_window"]]
    return f"{own['ticker'].nunique()} of them"


def _moved(study: Study, window: es.Window) -> dict[str, tuple[float, int]]:
    """Groups whose CAAR differs from zero after Holm's correction: the CAAR against SPY, and by how many benchmarks."""
    tables = [res.group_caar(window).drop(index="All") for res in study.results.values()]
    small = [holm(np.asarray(table["p_value"], dtype=np.float64)) < LEVEL for table in tables]
    counts = dict(zip(tables[0].index, np.sum(small, axis=0).tolist(), strict=True))
    caar = tables[0]["caar"].sort_values(ascending=False)
    return {str(group): (float(value), counts[group]) for group, value in caar.items() if counts[group]}


def _rebound(study: Study) -> float:
    """Rank correlation over the peers of the article's day with the loss of the sell-off."""
    part = study.plain.select(ticker=PEERS)
    now, then = (part.car(study.windows[name])["car"] for name in (DISPUTE, SELL_OFF))
    return float(now.corr(-then, method="spearman"))


def _rises(table: pd.DataFrame) -> list[str]:
    """Stocks whose volatility rose beyond what earlier windows did."""
    return list(table.loc[(table["p_placebo"] < LEVEL) & (table["ratio"] > 1), "ticker"])


def _share_of_largest(tables: dict[str, pd.DataFrame], event: str) -> tuple[float, float]:
    """Share of the largest stocks in the market value before and after one of the four dates."""
    frame = tables["market_value_by_security"]
    frame = frame[(frame["event"] == event) & (frame["benchmark"] == "SPY")]
    before = frame["value_before"]
    shares = [value.nlargest(LARGEST).sum() / value.sum() for value in (before, before + frame["raw_change"])]
    return float(shares[0]), float(shares[1])


def _spread(tables: dict[str, pd.DataFrame], event: str) -> Row:
    frame = tables["four_dates_long_short"]
    rows = frame[(frame["event"] == event) & (frame["benchmark"] == "SPY") & (frame["long"] == SOFTWARE)]
    return by(rows, "short")[CHIPS]
