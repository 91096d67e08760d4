"""One page in plain language on each claim of the article; every figure is read from the results.

An answer follows from the numbers by one rule: "Yes" if both benchmarks reject at 5 %, "Not shown" if neither does,
"It depends on the benchmark" otherwise. "Not shown" is no proof of absence, so the size of a move that could have been
seen stands beside it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd

import eventstudy as es
from deepseek.design import CHIPS, DISPUTE, PEERS, RESULTS, SELL_OFF, SOFTWARE, Study
from deepseek.tables import AFTER, BEFORE
from deepseek.words import LEVEL, Row, agreed, by, dollars, listed, p_text, row_of, times, with_interval, with_p
from eventstudy._render import number, p_value, percent
from eventstudy.inference import holm

WIDTH = 100
ANSWERS = {"yes": "Yes", "no": "Not shown", "mixed": "It depends on the benchmark"}


@dataclass(frozen=True)
class Claim:
    """A claim of the article, the answer of the data, and the evidence."""

    claim: str
    answer: str
    evidence: str


def claims(study: Study, tables: dict[str, pd.DataFrame]) -> list[Claim]:
    """What the data say to each claim."""
    return [
        microsoft(study, tables),
        nvidia(study, tables),
        peers(study),
        landscape(study, tables),
        correlations(tables),
        volatility(study, tables),
        method(study, tables),
    ]


def microsoft(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Microsoft on the day, and why the next day is no evidence."""
    day, after = study.windows[DISPUTE], study.windows[RESULTS]
    rows = [row_of(res, "MSFT", day) for res in study.results.values()]
    value = _money(tables, DISPUTE, "MSFT")
    half = max((row["ci_upper"] - row["ci_lower"]) / 2 for row in rows)
    text = (
        f"On 29 January its abnormal return was {with_interval(rows[0])} against SPY and {with_interval(rows[1])} "
        "against "
        f"SPY and SMH: {dollars(value)} of market value. Daily closes cannot show a move of less than about "
        f"{number(half * 100, 1)} % either way."
    )
    text += (
        f" On 30 January it was {with_p(row_of(study.plain, 'MSFT', after))}, but between the two came "
        f"{_between(study, 'MSFT', after)}: that move is no evidence about the dispute."
    )
    return Claim("The dispute moved Microsoft", _answer(rows), text)


def nvidia(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Nvidia on the day, after correction for the number of stocks, beside the sell-off."""
    day, before = study.windows[DISPUTE], study.windows[SELL_OFF]
    rows = [row_of(res, "NVDA", day) for res in study.results.values()]
    value = _money(tables, SELL_OFF, "NVDA")
    text = (
        f"On 29 January: {with_interval(rows[0])} against SPY; {with_interval(rows[1])} against SPY and SMH. It is "
        "one of "
        f"{len(study.plain)} stocks looked at: corrected for that (Holm), p is {p_value(rows[0]['p_holm'])} and "
        f"{p_value(rows[1]['p_holm'])}. The same day brought {_between(study, 'NVDA', day)}. "
        f"What moved Nvidia was 27 January: {with_p(row_of(study.plain, 'NVDA', before))}, {dollars(value)} after the "
        "market's part. A window that starts before 28 January holds that day and measures it, not the dispute."
    )
    answer = _answer(rows)
    if answer != ANSWERS["no"] and agreed([row["p_holm"] for row in rows]) == "no":
        answer = f"Not shown, once corrected for {len(study.plain)} looks"
    return Claim("The dispute moved Nvidia", answer, text)


def peers(study: Study) -> Claim:
    """All but Microsoft and Nvidia, by the test that holds on a shared date."""
    day = study.windows[DISPUTE]
    parts, p_values, others = [], [], 0
    for name, res in study.results.items():
        part = res.select(ticker=PEERS)
        advised = part.recommended(day)
        mean = part.caar(day).iloc[0]["caar"]
        # on one date the calendar-time portfolio is the time-series test, which must not count twice
        tests = part.tests(day).drop(index="calendar_portfolio_t")
        held = tests.loc[tests["valid_under_clustering"], "p_value"].dropna()
        others = int((~tests["valid_under_clustering"] & tests["p_value"].notna()).sum())
        p_values.append(float(advised.result.p_value))
        parts.append(
            f"{percent(mean)} against {name} ({advised.name}: {p_text(advised.result.p_value)}; "
            f"{(held < LEVEL).sum()} of "
            f"{len(held)} tests that allow for the shared date reject)"
        )
    found = agreed(p_values)
    shared = _labels(study, None, day, ("group", "market", "sector"))
    text = f"The mean of {len(PEERS)} peers on 29 January was {' and '.join(parts)}. "
    if found != "no":
        text += f"The peers moved; that the dispute moved them is not shown: the same day brought {shared}. "
    else:
        text += f"The same day brought {shared}. "
    text += f"The {others} tests that ignore the shared date are not read here."
    answer = "They moved; why is open" if found == "yes" else ANSWERS[found]
    return Claim("The dispute moved their peers", answer, text)


def landscape(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Winners and losers by group on the article's day and in the sell-off."""
    on_day, in_sell_off = (_moved(study, study.windows[name]) for name in (DISPUTE, SELL_OFF))
    spread = {name: _spread(tables, name) for name in (DISPUTE, SELL_OFF)}
    value = tables["market_value_by_group"]
    worth = by(value[(value["benchmark"] == "SPY") & (value["event"] == SELL_OFF)], "group")
    moved = [
        f"{group} {percent(caar)} ({dollars(worth[group])})" for group, caar in in_sell_off.items() if group in worth
    ]
    text = (
        "On 29 January the groups that differ from zero after Holm's correction, against SPY: "
        f"{listed(list(on_day))}; software "
        f"less chip makers {with_interval(spread[DISPUTE], 'difference')}. On 27 January: {listed(moved)}; software "
        "less chip "
        f"makers {with_interval(spread[SELL_OFF], 'difference')}. "
    )
    if in_sell_off and not on_day:
        text += "Who gains and who loses was priced before the dispute was reported."
    answer = "Yes, some groups" if on_day else "Not by the dispute; on 27 January, yes" if in_sell_off else "Not shown"
    return Claim("It changes the landscape: who gains, who loses", answer, text)


def correlations(tables: dict[str, pd.DataFrame]) -> Claim:
    """Correlations of abnormal returns after the article, and with the sell-off in."""
    frame = tables["correlation"].set_index(["later_window", "measure"])
    first, second = frame.index.get_level_values("later_window").unique()
    mean, joint = frame.loc[(first, "mean_correlation")], frame.loc[(first, "jennrich")]
    with_sell_off = frame.loc[(second, "mean_correlation")]
    excluded = mean["ci_lower"] > 0 or mean["ci_upper"] < 0
    found = "yes" if excluded and joint["p_permutation"] < LEVEL else "mixed" if excluded else "no"
    text = (
        f"The mean pairwise correlation of abnormal returns was {number(mean['before'])} in the year before and "
        f"{number(mean['after'])} in the {AFTER[1]} sessions after the article (change {number(mean['change'])}, 95 "
        "% interval "
        f"{number(mean['ci_lower'])} to {number(mean['ci_upper'])}; Jennrich's test of all pairs, by permutation: "
        f"{p_text(joint['p_permutation'])}). With 27 January in the later window it is "
        f"{number(with_sell_off['after'])}. "
        f"{AFTER[1]} sessions say little about a lasting shift."
    )
    return Claim("Correlations shift", {"yes": "Yes", "no": "Not shown", "mixed": "Mixed"}[found], text)


def volatility(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """Volatility of each stock, and the spread across stocks on each of the four dates."""
    plain, abnormal = tables["volatility"], tables["volatility_abnormal"]
    rises = [name for name, p, ratio in zip(plain["ticker"], plain["p_placebo"], plain["ratio"], strict=True)
             if p < LEVEL and ratio > 1]  # fmt: skip
    own = [name for name, p, ratio in zip(abnormal["ticker"], abnormal["p_placebo"], abnormal["ratio"], strict=True)
           if p < LEVEL and ratio > 1]  # fmt: skip
    spread = tables["four_dates_variance"]
    by_event = by(spread[spread["benchmark"] == "SPY"], "event")
    by_date = "; ".join(
        f"{label} {times(by_event[name]['ratio'])} ({p_text(by_event[name]['p_placebo'])})"
        for name, label in zip(study.windows, study.labels, strict=True)
    )
    chance = LEVEL / 2 * len(plain)
    text = (
        f"Sessions {es.Window.of(AFTER)} against {es.Window.of(BEFORE)}: volatility rose beyond what such windows "
        "did before "
        f"for {listed(rises)} of {len(plain)} stocks, that of abnormal returns for {listed(own)} (chance alone makes "
        "about "
        f"{number(chance, 1)}; the later window holds the results of {_reporting(study)}). The spread of abnormal "
        f"returns across stocks, over what is usual: {by_date}."
    )
    found = len(rises) > 3 * chance
    calm = by_event[DISPUTE]["p_placebo"] >= LEVEL
    answer = "Yes" if found else "Not shown; the unusual days are its neighbours" if calm else "On the day only"
    return Claim("Volatility shifts", answer, text)


def method(study: Study, tables: dict[str, pd.DataFrame]) -> Claim:
    """What a careless reading would have said, and how much rests on one stock."""
    day = study.windows[DISPUTE]
    tests = study.plain.tests(day).drop(index="calendar_portfolio_t")
    loose = tests.loc[~tests["valid_under_clustering"], "p_value"].dropna()
    held = tests.loc[tests["valid_under_clustering"], "p_value"].dropna()
    advised = study.plain.recommended(day)
    influence = tables["influence"]
    without = influence[f"p_{advised.name}"]
    alone = str(influence["ticker"].iloc[int(without.argmin())])
    text = (
        f"All {len(study.plain)} stocks share one date. On 29 January {(loose < LEVEL).sum()} of {len(loose)} tests "
        "that "
        f"ignore this reject a mean of zero, {(held < LEVEL).sum()} of {len(held)} that allow for it do "
        f"({advised.name}: "
        f"{p_text(advised.result.p_value)}; without {alone} {p_text(without.min())}, the lowest of all "
        "that leave "
        "one stock out). A system is only as good as the test it trusts."
    )
    return Claim("No guesswork: systematic numbers define true risk", "Only with tests that hold", text)


def frame(found: list[Claim]) -> pd.DataFrame:
    """Claims as a table."""
    return pd.DataFrame(
        [(one.claim, one.answer, one.evidence) for one in found], columns=["claim", "answer", "evidence"]
    )


def page(study: Study, found: list[Claim]) -> str:
    """The verdict as one page of text."""
    res = study.plain
    lines = [
        'Verdict on "OpenAI alleges DeepSeek\'s unauthorized use of proprietary models" (29 January 2025)',
        "=" * WIDTH,
        *_wrapped(
            f"{len(res)} stocks, adjusted daily closes, abnormal returns against SPY, and against SPY with the chip "
            "index "
            f'SMH, estimated over sessions {res.fit.index.estimation}. Intervals are 95 %. "Yes" means that both '
            'reject at 5 %, "Not shown" that neither does; the latter is no proof that nothing happened.'
        ),
    ]
    for n, one in enumerate(found, 1):
        lines += ["", f"{n}. {one.claim}? {one.answer}.", *_wrapped(one.evidence, "   ")]
    lines += ["", "What daily closes of one date cannot say", *_wrapped(
        "Which of several pieces of news of one day moved a price; the FOMC spoke that afternoon. SPY holds these "
        "stocks too, so that a blow to all of them is partly in the benchmark. Whether a small "
        "effect was "
        "there. Whether a shift lasts. Share counts and base closes behind the money are approximate, see "
        "market_value_by_security.csv. The data are one sample of stocks chosen for this case.", "   ",
    )]  # fmt: skip
    return "\n".join(lines) + "\n"


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


def _moved(study: Study, window: es.Window) -> dict[str, float]:
    """Groups whose CAAR differs from zero after Holm's correction, against SPY."""
    table = study.plain.group_caar(window).drop(index="All")
    small = holm(np.asarray(table["p_value"], dtype=np.float64)) < LEVEL
    chosen = table[small].sort_values("caar", ascending=False)
    return {str(group): float(caar) for group, caar in chosen["caar"].items()}


def _spread(tables: dict[str, pd.DataFrame], event: str) -> Row:
    frame = tables["four_dates_long_short"]
    rows = frame[(frame["event"] == event) & (frame["benchmark"] == "SPY") & (frame["long"] == SOFTWARE)]
    return by(rows, "short")[CHIPS]
