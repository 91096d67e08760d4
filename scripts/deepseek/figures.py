"""Figures of the study."""

from __future__ import annotations

from pathlib import Path

import eventstudy as es
from deepseek.design import MARKS, Study
from deepseek.tables import AFTER, BEFORE
from eventstudy.plots import save


def draw(study: Study, comparison: es.Comparison, out: Path) -> None:
    """Paths by group, bars with intervals, heat maps, the four dates, risk and models, as PNG below ``out``."""
    for name, res in study.results.items():
        stem = name.lower().replace("+", "_")
        save(res.plot.caar_by_group(mark=MARKS), out / f"caar_by_group_{stem}.png")
        save(res.plot.heatmap(mark=MARKS), out / f"heatmap_{stem}.png")
        save(res.plot.windows(study.labels), out / f"four_dates_{stem}.png")
        for start, end in ((0, 0), (0, 1)):
            save(study.marked(name).plot.car(start, end, mark=MARKS), out / f"car_{start}_{end}_{stem}.png")
    plain = study.plain
    save(plain.risk.correlation(after=AFTER).plot(), out / "correlations.png")
    save(plain.risk.plot_volatility(BEFORE, AFTER), out / "volatility.png")
    save(plain.spillover.plot_influence(0, 0), out / "influence.png")
    save(plain.spillover.plot_network(after=AFTER), out / "network.png")
    save(comparison.plot(0, 0), out / "models.png")
