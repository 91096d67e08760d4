"""The January 2025 DeepSeek study, offline: tables, figures, report, summary and a one-page verdict.

The question is the article "OpenAI alleges DeepSeek's unauthorized use of proprietary models: Microsoft investigates
AI security risks", published on Wednesday 29 January 2025 at 04:46 New York time. Run it with ``make study``, or
``python scripts/deepseek_2025.py [DIRECTORY [SOURCE]]``. Its parts are in ``scripts/deepseek``. SOURCE is ``sample``
(the default), ``yahoo`` or a file; prices with opens, highs, lows and volumes add volatility from ranges and abnormal
volume.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import pandas as pd
from deepseek import verdict
from deepseek.design import ESTIMATION, EVENT, MARKS, MIN_OBS, MODELS, QUESTION, WINDOWS, Study, run
from deepseek.figures import draw
from deepseek.summary import summary
from deepseek.tables import tables

import eventstudy as es
from eventstudy import models

OTHER_MODELS: dict[str, models.NormalReturnModel] = {
    "constant mean": es.MeanAdjusted(),
    "market adjusted": es.MarketAdjusted("SPY"),
    **MODELS,
    "Scholes–Williams": models.ScholesWilliams("SPY"),
    "Dimson": models.Dimson("SPY"),
    "Huber": models.RobustMarketModel("SPY"),
    "EWMA beta": models.EWMAMarketModel("SPY"),
    "GARCH": models.GARCHMarketModel("SPY"),
}


def main(out: Path, source: str) -> None:
    """Run the study and write everything below ``out``."""
    with warnings.catch_warnings():  # the shared date is this study's subject; every table says so
        warnings.simplefilter("ignore", es.ClusteredEventsWarning)
        study = run(source)
        comparison = compared(study)
    found = tables(study)
    claims = verdict.claims(study, found)

    out.mkdir(parents=True, exist_ok=True)
    for name, frame in found.items():
        frame.to_csv(out / f"{name}.csv", index=False)
    models_by_window(comparison).to_csv(out / "models.csv", index=False)
    for name, res in study.results.items():
        folder = out / name.replace("+", "_")
        res.to_csv(folder, windows=WINDOWS)
        write_report(study, name, claims, comparison, folder / "report.html")
    verdict.frame(claims).to_csv(out / "verdict.csv", index=False)
    draw(study, comparison, out / "figures")
    page, text = verdict.page(study, claims), summary(study, found)
    (out / "verdict.txt").write_text(page, encoding="utf-8")
    (out / "summary.txt").write_text(text, encoding="utf-8")
    print(f"{text}\n{page}")
    print(f"Tables, figures, reports, this summary and the verdict are in {out}.")


def compared(study: Study) -> es.Comparison:
    """The same events under other models of normal returns."""
    plain = study.plain.study
    return es.compare(
        plain.returns,
        plain.events,
        OTHER_MODELS,
        estimation_window=ESTIMATION,
        event_window=EVENT,
        min_obs=MIN_OBS,
    )


def models_by_window(comparison: es.Comparison) -> pd.DataFrame:
    """CAAR and the test to read of each model over each window."""
    frames = {str(es.Window.of(window)): comparison.caar(window).reset_index() for window in WINDOWS}
    return pd.concat(frames, names=["window"]).reset_index(level=0)


def write_report(
    study: Study, benchmark: str, claims: list[verdict.Claim], comparison: es.Comparison, path: Path
) -> None:
    """The report of one estimation, with the verdict first."""
    study.marked(benchmark).report(
        path,
        windows=WINDOWS,
        title=f"OpenAI–DeepSeek, 29 January 2025, against {benchmark}",
        question=QUESTION,
        marks=MARKS,
        findings={f"{one.claim}? {one.answer}.": one.evidence for one in claims},
        comparison=comparison,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The January 2025 DeepSeek study, offline unless told otherwise.")
    parser.add_argument("directory", nargs="?", type=Path, default=Path("out/deepseek_2025"), help="where to write")
    parser.add_argument("source", nargs="?", default="sample", help="of the prices: sample, yahoo, or a path")
    given = parser.parse_args()
    main(given.directory, given.source)
