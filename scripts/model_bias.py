"""Bias and root mean squared error of CARs by model, on simulated factor panels: writes docs/model_bias.md.

Run it with ``make bias``, or ``python scripts/model_bias.py --draws 600``; about nine minutes on two cores. Beside the
page it writes the numbers, model_bias.csv, and figures/model_bias.png. ``--quick`` makes twenty draws.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from factor_panels import (
    ACROSS,
    ANY_KIND,
    CORRELATION,
    ESTIMATION,
    EVENT,
    EVENTS,
    HALFLIFE,
    INDUSTRY,
    LAG,
    LIKE_EVENTS,
    OTHERS,
    OVER_TIME,
    PEERS,
    PREMIUM,
    RATE,
    RUN_UP,
    SCENARIOS,
    SEED,
    SHIFT,
    SHOCK,
    SPREAD,
    TAILS,
    TRUTH,
    WINDOWS,
    Array,
    models,
    simulated,
    table,
)

ROOT = Path(__file__).resolve().parents[1]
QUICK = 20

INTRODUCTION = """# Bias and error by model

How far a CAR is from the truth, by the model of normal returns, on simulated panels whose truth is known. Made by
`make bias` (`scripts/model_bias.py`, seed {seed}; numbers in [model_bias.csv](model_bias.csv)): {n:,} events in
{draws:,} draws of a panel. No event has an effect, so whatever a CAR shows is error. *Bias* is its mean, *RMSE* the
root of its mean square; both in per cent, for one event.

## What it says

- **Over six days the model hardly matters.** With moving betas the RMSE of CAR(0, 5) is {short_low} to {short_high} %
  for all models but mean-adjusted ({short_mean} %). A model that knew every beta would have {short_true} %: the
  securities' own noise. No bias is above {short_bias} %.
- **Over a year the intercept is what hurts, not the betas.** A model with an intercept carries the mean return of 250
  sessions forward over 251, and the error of that mean with it. CAR(0, 250) has an RMSE of {with_low} to {with_high} %
  with an intercept and of {without_low} to {without_high} % without one, where {long_true} % is noise. More factors
  change little: {market_long} % for the market model, {factors_long} % for five factors and momentum.
- **A run-up before the event turns into a bias.** The {run_up} % that these securities earned in the estimation window
  are expected once more, so models with an intercept are off by {run_low} to {run_high} %. Nothing changes for
  market-adjusted returns, peers and synthetic controls. End the estimation window before the run-up, or use a model
  without intercept.
- **Betas that move cost precision and do not bias.** The market model's RMSE goes from {market_still} to {market_short}
  % over six days. Rolling and EWMA fits do not win it back here: {rolling_short} and {ewma_short} % over six days,
  {rolling_long} and {ewma_long} % over a year, since a shorter memory makes the intercept noisier.
- **A beta that shifts at the event is beyond every model here.** A market beta higher by {shift} earns {shift_bias} %
  more a year at this premium, and that is added to the bias of all. Look at `res.risk.beta_shift` before you speak of a
  long-run effect.
- **Thin trading** matters little at these windows, since a move that is seen a session late is mostly still inside.
  Over six days Dimson's model has {thin_dimson} % where the market model has {thin_market} %; with fresh prices they
  have {fresh_dimson} and {market_short} %. Scholes and Williams' model does as Dimson's.
- **Market-adjusted returns are biased by what the securities are.** These events are of small winners. What those earn
  beyond the market, {style} % a year, passes for an effect. Peers of the same kind take it out ({peer_bias} %), a
  synthetic control most of it ({synthetic_bias} %).

An RMSE of {without_low} % is that of one event. It takes many events, on many dates, before a mean CAR over a year says
anything.

![Bias and RMSE by model and scenario](figures/model_bias.png)
"""

SIMULATION = """## How it was simulated

- **Factors**: `Mkt-RF`, `SMB`, `HML`, `RMW`, `CMA` and `Mom`, normal and independent over sessions, with premia of
  {premia} % a year and standard deviations of {spread} % a session. The larger correlations: {correlation}. The
  `SMB5` of the five-factor model is 0.95 `SMB` and noise. The riskless rate is {rate} % a session.
- **Securities**: each draw has {events} with an event, on one date, {peers} peers and {others} others. Mean betas of
  the first two kinds are {like}, of the others {any}; their standard deviations across securities are {across}.
- **Moving betas** add a first-order autoregression with a half-life of {halflife} sessions and standard deviations of
  {over_time}.
- **Noise**: GARCH(1, 1) with coefficients {shock} and {lag}, Student t shocks of {tails:.0f} degrees of freedom, 1.8 %
  a session at the median. Securities with an event and their peers share an industry shock of {industry} % a session
  that no factor holds.
- The estimation window is [−270, −21]. The same random numbers serve all models and scenarios. Every draw is used
  twice, the second time with the signs of all shocks turned. That is as likely a draw, and it makes the standard errors
  of the biases small: with betas that stay, errors of the linear models cancel exactly.
- The bias is the mean difference from the securities' own noise, whose mean is known to be zero.

Peers are known to be peers, and synthetic controls and latent factors find {peers} of them among their {donors} donors.
Where your peers are worse, so are these models. The market model and the CAPM differ by a constant rate and give the
same CARs.
"""


def page(numbers: pd.DataFrame) -> str:
    """The whole page, from the numbers as they were written."""
    lines = [INTRODUCTION.format(**facts(numbers)), "## Moving betas", ""]
    lines += ["Standard errors in brackets.", "", *_both_windows(numbers, "moving"), "", "## Every scenario", ""]
    lines += [f"- *{scenario.title}*: {scenario.text}" for scenario in SCENARIOS]
    for window in WINDOWS:
        for what, name in (("bias", "Bias"), ("rmse", "RMSE")):
            lines += ["", f"### {name} of {window}", "", *_by_scenario(numbers, window, what), ""]
            lines += [f"Largest standard error: {_largest(numbers, window, what)}."]
    fitted = numbers.groupby("model", sort=False)["n_events"].min()
    most = int(fitted.max())
    short = [f"{model} could not be fitted to {most - int(n):,}" for model, n in fitted[fitted < most].items()]
    if short:
        lines += ["", f"Of {most:,} events {'; '.join(short)}, in one scenario or another."]
    return "\n".join([*lines, "", SIMULATION.format(**_setting())])


def _percent(value: float, digits: int = 1) -> str:
    """A decimal in per cent, with a true minus sign and no negative zero."""
    shown = f"{value * 100:.{digits}f}"
    return shown.replace("-", "−") if float(shown) else shown.removeprefix("-")


def _cells(numbers: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, float]]:
    """Rows of the table by scenario, window and model."""
    rows = numbers.to_dict("records")
    return {(row["scenario"], row["window"], row["model"]): {str(key): row[key] for key in row} for row in rows}


def _both_windows(numbers: pd.DataFrame, key: str) -> list[str]:
    names = ["model", *(f"{window} {what}" for window in WINDOWS for what in ("bias", "RMSE"))]
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    found = _cells(numbers)
    for model in [*models(), TRUTH]:
        cells = []
        for window in WINDOWS:
            row = found[key, window, model]
            for name in ("bias", "rmse"):
                error = row[f"{name}_std_error"]
                cells.append(_percent(row[name], 2) + (f" ({_percent(error, 2)})" if error else ""))
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines


def _by_scenario(numbers: pd.DataFrame, window: str, what: str) -> list[str]:
    lines = [
        "| model | " + " | ".join(scenario.title.lower() for scenario in SCENARIOS) + " |",
        "|---|" + "---:|" * len(SCENARIOS),
    ]
    found = _cells(numbers)
    for model in [*models(), TRUTH]:
        cells = [_percent(found[scenario.key, window, model][what], 2) for scenario in SCENARIOS]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines


def _largest(numbers: pd.DataFrame, window: str, what: str) -> str:
    return _percent(float(numbers.loc[numbers["window"] == window, f"{what}_std_error"].max()), 2)


WITHOUT: Final = ("market-adjusted", "peer portfolio", "synthetic control")
"""Models without an intercept."""


def facts(numbers: pd.DataFrame) -> dict[str, Any]:
    """Figures that the text quotes."""
    found = _cells(numbers)
    short, long = WINDOWS
    fitted = [name for name in models() if name != "mean-adjusted"]
    own = [name for name in models() if name not in WITHOUT]

    def ends(key: str, window: str, what: str, some: Sequence[str], low: str, high: str) -> dict[str, str]:
        values = [found[key, window, name][what] for name in some]
        near, far = sorted((min(values), max(values)), key=abs)
        return {low: _percent(near), high: _percent(far)}

    def one(key: str, window: str, model: str, what: str = "rmse") -> str:
        return _percent(found[key, window, model][what], 2 if window == short else 1)

    total = int(numbers["n_events"].max())
    moving = numbers[(numbers["scenario"] == "moving") & (numbers["window"] == short)]
    return {
        "seed": SEED,
        "n": total,
        "draws": total // (2 * EVENTS),
        **ends("moving", short, "rmse", fitted, "short_low", "short_high"),
        "short_mean": one("moving", short, "mean-adjusted"),
        "short_true": one("moving", short, TRUTH),
        "short_bias": _percent(float(np.ceil(moving["bias"].abs().max() * 1000) / 1000)),
        **ends("moving", long, "rmse", own, "with_low", "with_high"),
        **ends("moving", long, "rmse", WITHOUT, "without_low", "without_high"),
        "long_true": one("moving", long, TRUTH),
        "market_long": one("moving", long, "market"),
        "factors_long": one("moving", long, "FF 5 + Mom"),
        "run_up": _percent(RUN_UP * len(ESTIMATION)),
        **ends("run-up", long, "bias", own, "run_low", "run_high"),
        "market_still": one("constant", short, "market"),
        "market_short": one("moving", short, "market"),
        "rolling_short": one("moving", short, "rolling, 126"),
        "ewma_short": one("moving", short, "EWMA, 60"),
        "rolling_long": one("moving", long, "rolling, 126"),
        "ewma_long": one("moving", long, "EWMA, 60"),
        "shift": SHIFT,
        "shift_bias": _percent(SHIFT * PREMIUM[0] * len(EVENT)),
        "thin_market": one("thin", short, "market"),
        "thin_dimson": one("thin", short, "Dimson"),
        "fresh_dimson": one("moving", short, "Dimson"),
        "style": one("moving", long, "market-adjusted", "bias"),
        "peer_bias": one("moving", long, "peer portfolio", "bias"),
        "synthetic_bias": one("moving", long, "synthetic control", "bias"),
    }


def _setting() -> dict[str, Any]:
    def row(values: Array, digits: int = 1, scale: float = 1.0) -> str:
        return ", ".join(f"{value * scale:.{digits}f}" for value in values).replace("-", "−")

    pairs = [(0, 4, "market and investment"), (2, 4, "value and investment"), (2, 5, "value and momentum")]
    return {
        "premia": row(PREMIUM, 1, 25200),
        "spread": row(SPREAD, 2, 100),
        "correlation": ", ".join(f"{name} {CORRELATION[a, b]:.1f}" for a, b, name in pairs).replace("-", "−"),
        "events": EVENTS,
        "peers": PEERS,
        "others": OTHERS,
        "donors": PEERS + OTHERS,
        "like": row(LIKE_EVENTS),
        "any": row(ANY_KIND),
        "across": row(ACROSS),
        "over_time": row(OVER_TIME),
        "halflife": HALFLIFE,
        "shock": SHOCK,
        "lag": LAG,
        "tails": TAILS,
        "industry": _percent(INDUSTRY),
        "rate": _percent(RATE, 2),
    }


def figure(numbers: pd.DataFrame) -> Any:
    """Bias and RMSE by model, a marker for each scenario."""
    from matplotlib.figure import Figure

    from eventstudy._style import GREY, GRID, PALETTE, SMALL, context

    short, long = WINDOWS
    named = [*models(), TRUTH]
    panels = [(long, "bias", "bias of CAR(0, 250), %"), (long, "rmse", "RMSE of CAR(0, 250), %")]
    panels += [(short, "rmse", "RMSE of CAR(0, 5), %")]
    with context():
        drawn = Figure(figsize=(10, 6.4), layout="constrained")
        axes = drawn.subplots(1, 3, sharey=True)
        for ax, (window, what, label) in zip(axes, panels, strict=True):
            chosen = numbers[numbers["window"] == window]
            for k, scenario in enumerate(SCENARIOS):
                values = chosen[chosen["scenario"] == scenario.key].set_index("model")[what].loc[named] * 100
                at = np.arange(len(named)) + (k - 2) * 0.14
                ax.plot(values, at, "osD^v"[k], color=PALETTE[k], markersize=4.2, label=scenario.title)
            if what == "bias":
                ax.axvline(0.0, color=GREY, linewidth=0.8, zorder=0)
            ax.set_xlabel(label)
            for edge in np.arange(len(named) - 1) + 0.5:
                ax.axhline(edge, color=GRID, linewidth=0.6, zorder=0)
            ax.tick_params(length=0)
            ax.grid(axis="x", color=GRID, linewidth=0.6)
            ax.set_axisbelow(True)
            ax.spines[["top", "right", "left"]].set_visible(False)
        axes[0].set_yticks(range(len(named)), named)
        axes[0].set_ylim(len(named) - 0.5, -0.5)
        handles, labels = axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False, fontsize=SMALL)
    return drawn


def write(numbers: pd.DataFrame, out: Path) -> Path:
    """Write the numbers, the figure and the page that is made of them; the page's path."""
    from eventstudy.plots import save

    out.mkdir(parents=True, exist_ok=True)
    numbers.to_csv(out / "model_bias.csv", index=False, float_format="%.6g")
    written = pd.read_csv(out / "model_bias.csv")
    save(figure(written), out / "figures" / "model_bias.png", dpi=130)
    path = out / "model_bias.md"
    path.write_text(page(written), encoding="utf-8")
    return path


def main() -> int:
    """Simulate and write the page."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--draws", type=int, default=600, help="panels drawn")
    asked.add_argument("--quick", action="store_true", help=f"{QUICK} draws")
    asked.add_argument("--out", type=Path, default=ROOT / "docs", help="directory of the page")
    asked.add_argument("--jobs", type=int, default=2, help="processes")
    given = asked.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices; read by the processes when they start
    started = time.perf_counter()
    path = write(table(simulated(QUICK if given.quick else given.draws, given.jobs)), given.out)
    print(f"{time.perf_counter() - started:6.0f} s  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
