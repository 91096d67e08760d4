"""Size and power of every test: writes docs/size_and_power.md and its figures.

Run it with ``make size``, or ``python scripts/size_and_power.py --studies 5000``; about ten minutes on two cores. The
part on real returns needs a table of prices (``--panel``: columns date, ticker and adj_close, and SPY among the
tickers); without one it is left out, and the page says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd
from scipy import stats

import eventstudy as es
from eventstudy.plots import save
from eventstudy.rejection import SimulationResults, binomial_band
from eventstudy.simulate import simulate
from eventstudy.synthetic import SyntheticPanel

ROOT = Path(__file__).resolve().parents[1]
PANEL = ROOT.parent / "shared" / "data" / "panel.parquet"
SEED, LEVEL = 1, 0.05
DRIFTS = [0.0, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.012]
ONE_DATE_DRIFTS = [0.0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03]

INDEPENDENT = (
    *("csect_t", "skew_t", "patell_z", "bmp_t", "jackknife_t", "grank_z", "sign_z", "generalized_sign_z"),
    *("wilcoxon", "bhar_skew_boot"),
)
Why: TypeAlias = dict[tuple[str, str], str]
"""Test and direction (``+`` too often, ``-`` too rarely) to the reason known for it."""

LATTICE = (
    "the number of positive CARs is whole, so the normal law's bound falls between two counts; the exact chance of "
    "rejecting is {:.1f} % for {} events and a fair coin"
)
OWN_DATES: Why = {
    ("jackknife_t", "-"): "the jackknife overstates the variance of mean/sd in small samples (Efron & Stein 1981), so "
    "the test is conservative",
    ("skew_t", "+"): "the cubic takes out a skewness estimated with noise, which adds variance at this N",
    ("sign_z", "+"): LATTICE,
    ("generalized_sign_z", "+"): LATTICE,
    ("bhar_skew_boot", "-"): "a resample holds a quarter of the events; its skewness-adjusted t has fatter tails than "
    "that of all, so the test is conservative",
    ("placebo_p", "-"): "250 placebo days make p a multiple of 1/251, so that a nominal 5 % is 12/251 = 4.8 % at most",
}
RESTANDARDISED = (
    "SCARs are divided by their own cross-sectional standard deviation; it is noisy where events are few or tails are "
    "fat, and spreads or gathers all ranks of the event window at once"
)
UNEQUAL = (
    "Student's t at 5 % is conservative for few independent CARs of unequal variance (Bakirov & Székely 2005, on which "
    "Ibragimov & Müller build)"
)
TEN_EVENTS: Why = OWN_DATES | {
    **{(name, "+"): RESTANDARDISED for name in ("grank_t", "grank_z")},
    **{(name, "-"): UNEQUAL for name in ("csect_t", "bmp_t", "calendar_portfolio_t", "cluster_t")},
    ("corrado_sign", "-"): "a mean of ten signs takes few values, and the normal law's bound falls between two of them",
    ("sign_z", "-"): "the exact binomial law has no size between 2.1 % and 10.9 % at N = 10, and takes the smaller",
    ("generalized_sign_z", "-"): LATTICE,
}
ONE_DATE: Why = {
    **{(name, "+"): "takes the events for independent, which on one date they are not" for name in INDEPENDENT},
    ("placebo_p", "-"): OWN_DATES["placebo_p", "-"],
    ("grank_t", "+"): "the cross-sectional standard deviation of the SCARs is too small by √(1 − r̄), which Kolari and "
    "Pynnönen (2011) do not correct; the paper is followed",
    ("corrado_rank", "-"): "one common shock moves all ranks together, and a mean of ranks is bounded: its tails are "
    "thinner than the normal law's",
    ("corrado_sign", "-"): "one common shock moves all signs together, and a mean of signs is bounded: its tails are "
    "thinner than the normal law's",
}
RAISED: Why = OWN_DATES | {
    **{
        (name, "+"): "takes the variance from the estimation window, where it was not yet raised"
        for name in ("time_series_t", "patell_z", "patell_z_adj")
    },
    ("corrado_rank", "+"): "a raised variance spreads the ranks of the day, whose variance is taken from other days",
}


OUTLIERS = (
    "single events with very large returns decide the skewness, or the standard deviation in every pseudo-value, that "
    "the correction reads, so it overshoots"
)
FAT_TAILS: Why = (
    OWN_DATES
    | {(name, "+"): OUTLIERS for name in ("skew_t", "jackknife_t", "bhar_skew_boot")}
    | {(name, "+"): RESTANDARDISED for name in ("grank_t", "grank_z")}
)
UNLIKE = (
    "the variance of real returns changes, so that of the estimation window is not that of the event session, and "
    "sessions of large moves reject too often"
)
OVERLAP = (
    "estimation windows of different dates overlap, and r̄ measures a correlation that CARs on different sessions "
    "do not have, so the adjusted test is conservative (see Known differences in the methods)"
)
REAL_OWN_DATES: Why = FAT_TAILS | {
    **{(name, "+"): UNLIKE for name in ("time_series_t", "patell_z")},
    **{(name, "-"): OVERLAP for name in ("patell_z_adj", "bmp_t_adj")},
}
SINGLE = (
    "one session's mean return is set against other sessions; no averaging over dates makes it normal, and real "
    "sessions have fat tails"
)
CHANGING = (
    "volatility comes in spells: on a calm or a wild date neither the variance nor the correlation is that of the "
    "estimation window; the next section, with the spells taken out, shows it"
)
REAL_ONE_DATE: Why = ONE_DATE | {
    (name, "+"): CHANGING
    for name in ("time_series_t", "patell_z_adj", "bmp_t_adj", "corrado_rank", "calendar_portfolio_t", "placebo_p")
}
SHUFFLED: Why = ONE_DATE | {
    (name, "+"): SINGLE
    for name in ("time_series_t", "patell_z_adj", "bmp_t_adj", "corrado_rank", "calendar_portfolio_t", "placebo_p")
}


@dataclass(frozen=True)
class Scenario:
    """One set of studies and what is known about the tests that fail on it."""

    title: str
    column: str
    text: str
    returns: es.ReturnPanel | SyntheticPanel
    benchmark: str
    options: dict[str, Any]
    why: Why = field(default_factory=dict)


def scenarios(panel: es.ReturnPanel | None) -> Iterator[Scenario]:
    """The studies of the page."""
    normal = "Normal market-model returns with securities of their own beta and variance"
    own, one = SyntheticPanel(), SyntheticPanel(n_sessions=281, correlation=0.2)
    yield Scenario(
        "Own dates",
        "own dates",
        f"{normal}, independent residuals, a random date for each event, no variance increase.",
        own,
        "MARKET",
        {},
        OWN_DATES,
    )
    yield Scenario(
        "One date, residual correlation 0.2",
        "one date, ρ = 0.2",
        f"{normal}, residuals correlated 0.2 on every date, one date for all events of a study.",
        one,
        "MARKET",
        {"dates": "shared"},
        ONE_DATE,
    )
    yield Scenario(
        "Variance doubled at τ = 0",
        "variance × 2",
        "As on own dates, the abnormal return of the event session multiplied by √2.",
        own,
        "MARKET",
        {"variance": 2.0},
        RAISED,
    )
    yield Scenario(
        "Fat tails",
        "t(4) errors",
        "As on own dates, residuals with Student's t of four degrees of freedom.",
        SyntheticPanel(df=4.0),
        "MARKET",
        {},
        FAT_TAILS,
    )
    yield Scenario(
        "Ten events",
        "N = 10",
        "As on own dates, ten events in a study.",
        own,
        "MARKET",
        {"n_events": 10},
        TEN_EVENTS,
    )
    if panel is not None:
        yield Scenario(
            "Real returns, own dates",
            "real, own dates",
            f"Random securities and random dates on {described(panel)}. {HISTORY}",
            panel,
            "SPY",
            {},
            REAL_OWN_DATES,
        )
        yield Scenario(
            "Real returns, one date",
            "real, one date",
            f"Random securities on one random date for all events of a study, on {described(panel)}. {HISTORY} With "
            "one date for each study there are no more independent outcomes than sessions.",
            panel,
            "SPY",
            {"dates": "shared"},
            REAL_ONE_DATE,
        )
        yield Scenario(
            "Real returns with sessions shuffled, one date",
            "shuffled, one date",
            "The same returns with the sessions in random order, all securities together: correlations and fat tails "
            "stay, spells of volatility go. At least 200 returns in each estimation window.",
            shuffled(panel),
            "SPY",
            {"dates": "shared", "min_obs": 200},
            SHUFFLED,
        )


HISTORY = "Companies that are listed today, and one history that all studies share: the band takes it as given."


def described(panel: es.ReturnPanel) -> str:
    """The real panel in words."""
    return (
        f"daily returns of {panel.n_securities - 1} large US stocks, {panel.sessions[0]:%B %Y} to "
        f"{panel.sessions[-1]:%B %Y}, against SPY"
    )


def shuffled(panel: es.ReturnPanel) -> es.ReturnPanel:
    """The panel with its sessions in random order."""
    order = np.random.default_rng(SEED).permutation(panel.n_sessions)
    return es.ReturnPanel(panel.values[:, order], panel.tickers, panel.sessions, panel.kind, panel.source)


def real_panel(path: Path) -> es.ReturnPanel | None:
    """Returns of the stocks of a long table of prices, and SPY."""
    if not path.is_file():
        return None
    table = pd.read_parquet(path)
    if "sp500_2026" in table:
        table = table[table["sp500_2026"] | (table["ticker"] == "SPY")]
    return es.ReturnPanel.from_prices(table.pivot(index="date", columns="ticker", values="adj_close"))


INTRODUCTION = """# Size and power

How often each test rejects when nothing has happened, and how often when something has. Studies are simulated in the
manner of Brown and Warner (1985): random securities, random dates, two-sided tests at a nominal 5 %. Made by
`make size` (`scripts/size_and_power.py`, seed {seed}): {n} studies for each rate, 50 events in a study unless said
otherwise, market model, estimation window [−270, −21], event window [−10, +10], CAR of the event session, 999
bootstrap draws.

In {n} studies a test whose size is exactly 5 % rejects {low} to {high} % with a probability of 95 %: the exact
binomial band. Of the twenty tests of a column one is outside by chance alone; every one that is gets a sentence below.

Your own returns are what matters to you. The same simulation on them:

```python
import eventstudy as es
from eventstudy.data.sample import tickers
from eventstudy.simulate import simulate

returns = es.ReturnPanel.from_prices(es.load_prices(tickers(), source="sample"))
found = simulate(returns, es.MarketModel("SPY"), n_events=10, n_studies=100, drift=[0.0, 0.02], seed=1)
print(found.summary())
found.plot()
```

or `eventstudy power --source prices.parquet --benchmark SPY --drift 0 --drift 0.01 --out power` at a terminal."""


def page(found: Mapping[str, tuple[Scenario, SimulationResults]], n_studies: int, extra: list[str]) -> str:
    """The whole page."""
    band = binomial_band(LEVEL, n_studies)
    columns = [scenario.column for scenario, _ in found.values()]
    rates = {scenario.column: results.rejection.set_index("test") for scenario, results in found.values()}
    tests = next(iter(found.values()))[1].tests
    text = INTRODUCTION.format(seed=SEED, n=f"{n_studies:,}", low=share(band[0]), high=share(band[1]))
    lines = [
        *text.splitlines(),
        "",
        "## Size",
        "",
        "Per cent of studies that reject, the null being true. **Bold**: outside the band; – no answer.",
        "",
        "| test | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    lines += [
        f"| `{name}` | "
        + " | ".join(cell(cast("pd.Series[Any]", rates[column].loc[name])) for column in columns)
        + " |"
        for name in tests
    ]
    lines += ["", "## Outside the band, and why", ""]
    for scenario, results in found.values():
        lines += [f"### {scenario.title}", "", scenario.text, ""]
        lines += [*reasons(scenario, results), ""]
    lines += extra
    lines += ["", "## Rates with their intervals", "", *details(found)]
    return "\n".join(lines).rstrip() + "\n"


def cell(row: pd.Series[Any]) -> str:
    """One rate."""
    if pd.isna(row["rejection"]):
        return "–"
    shown = share(row["rejection"], 1 if row["rejection"] >= 0.1 else 2)
    return shown if row["in_band"] else f"**{shown}**"


def share(value: float, digits: int = 2) -> str:
    """Decimal in per cent."""
    return f"{value * 100:.{digits}f}"


def reasons(scenario: Scenario, results: SimulationResults) -> list[str]:
    """A sentence for every test that is outside the band; tests with one reason share theirs."""
    said: dict[str, list[str]] = {}
    for row in results.rejection.to_dict("records"):
        name, rate = row["test"], row["rejection"]
        if pd.isna(rate):
            said.setdefault(f"no answer, as {results.reasons[name]}", []).append(f"`{name}`")
        elif not row["in_band"]:
            why = scenario.why.get((name, "+" if rate > LEVEL else "-"), UNEXPLAINED)
            if "{" in why:
                why = why.format(coin(results.n_events) * 100, results.n_events)
            said.setdefault(why, []).append(f"`{name}` ({share(rate, 1)} %)")
    if not said:
        return ["All tests are in the band."]
    return [f"- {', '.join(names)}: {why}." for why, names in said.items()]


UNEXPLAINED = "not explained"


def coin(n: int) -> float:
    """Chance that a fair coin's count in ``n`` tosses is beyond the normal law's two-sided bound."""
    bound = stats.norm.ppf(1 - LEVEL / 2) * n**0.5 / 2
    return float(sum(stats.binom.pmf(k, n, 0.5) for k in range(n + 1) if abs(k - n / 2) >= bound))


def details(found: Mapping[str, tuple[Scenario, SimulationResults]]) -> list[str]:
    """All rates with their Clopper–Pearson intervals."""
    lines = []
    for scenario, results in found.values():
        table = results.rejection
        first = table.iloc[0]
        lines += [
            f"### {scenario.title}: all rates",
            "",
            f"Band {share(first['band_lower'])} to {share(first['band_upper'])} %.",
            "",
            "| test | rejects, % | 95 % interval | in band | without an answer, % |",
            "|---|---:|---:|---|---:|",
        ]
        for row in table.to_dict("records"):
            if pd.isna(row["rejection"]):
                lines.append(f"| `{row['test']}` | – | – | – | {share(row['share_nan'], 1)} |")
                continue
            interval = f"{share(row['ci_lower'])} to {share(row['ci_upper'])}"
            inside = "yes" if row["in_band"] else "no"
            shown = (f"`{row['test']}`", share(row["rejection"]), interval, inside, share(row["share_nan"], 1))
            lines.append(f"| {' | '.join(shown)} |")
        lines.append("")
    return lines


def power_section(panel: es.ReturnPanel | None, n_studies: int, executor: Executor, figures: Path) -> list[str]:
    """Power curves: figures, and the words around them."""
    model = es.MarketModel("MARKET")
    shared: dict[str, Any] = {"n_studies": n_studies, "seed": SEED, "executor": executor}
    lines = ["## Power", "", f"{n_studies:,} studies at each drift, the same studies for all drifts."]
    own = simulate(SyntheticPanel(), model, drift=DRIFTS, variance=[1.0, 2.0], **shared)
    lines += figure(own, figures / "power_own_dates.png", "Own dates, with the variance as it was and doubled.")
    one = SyntheticPanel(n_sessions=281, correlation=0.2)
    found = simulate(one, model, dates="shared", drift=ONE_DATE_DRIFTS, **shared)
    text = "One date, residual correlation 0.2. Read only the tests that start at the nominal level."
    lines += figure(found, figures / "power_one_date.png", text)
    if panel is not None:
        real = simulate(panel, es.MarketModel("SPY"), drift=DRIFTS, **shared)
        lines += figure(real, figures / "power_real_returns.png", "Real returns, own dates.")
    return lines


def figure(results: SimulationResults, path: Path, text: str) -> list[str]:
    """Write a figure; the lines that show it."""
    save(results.plot(), path, dpi=130)
    return ["", f"![{text}](figures/{path.name})", "", text]


def critical_section(scenario: Scenario, results: SimulationResults) -> list[str]:
    """Calibrated critical values of the tests whose statistic is centred on zero."""
    table = results.critical_values().dropna(subset=["calibrated"])
    lines = [
        "",
        "## Calibrated critical values",
        "",
        f"{scenario.title}, two-sided 5 %: reject where the absolute statistic is above the calibrated value, which is",
        "read off the simulated studies. `critical_values()` of a simulation gives them for your own returns.",
        "",
        "| test | nominal | calibrated |",
        "|---|---:|---:|",
    ]
    rows = table.to_dict("records")
    return lines + [f"| `{row['test']}` | {row['nominal']:.2f} | {row['calibrated']:.2f} |" for row in rows]


def main() -> int:
    """Simulate and write the page; 1 if a test is outside the band for no known reason."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--studies", type=int, default=5_000, help="studies for each rate")
    asked.add_argument("--power-studies", type=int, default=1_000, help="studies for each point of a power curve")
    asked.add_argument("--panel", type=Path, default=PANEL, help="long table of prices, Parquet")
    asked.add_argument("--out", type=Path, default=ROOT / "docs", help="directory of the page")
    asked.add_argument("--jobs", type=int, default=2, help="processes")
    given = asked.parse_args()
    panel = real_panel(given.panel)
    started = time.perf_counter()
    found: dict[str, tuple[Scenario, SimulationResults]] = {}
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as executor:
        for scenario in scenarios(panel):
            model = es.MarketModel(scenario.benchmark)
            options: dict[str, Any] = {"n_studies": given.studies, "seed": SEED, "executor": executor}
            found[scenario.title] = scenario, simulate(scenario.returns, model, **options, **scenario.options)
            print(f"{time.perf_counter() - started:6.0f} s  {scenario.title}", flush=True)
        extra = power_section(panel, given.power_studies, executor, given.out / "figures")
    last = found.get("Real returns, own dates", found["Own dates"])
    extra += critical_section(*last)
    if panel is None:
        extra += ["", "Real returns are left out: the table of prices was not there when this page was made."]
    text = page(found, given.studies, extra)
    (given.out / "size_and_power.md").write_text(text, encoding="utf-8")
    print(f"{time.perf_counter() - started:6.0f} s  {given.out / 'size_and_power.md'}")
    return int(UNEXPLAINED in text)


if __name__ == "__main__":
    sys.exit(main())
