"""Draw the figures of the README and of the walk-through; run it with ``make figures``."""

from __future__ import annotations

import warnings
from pathlib import Path

from deepseek.design import MARKS, run
from deepseek.tables import AFTER
from deepseek_2025 import compared
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import eventstudy as es
from eventstudy.plots import save

OUT = Path(__file__).resolve().parents[1] / "docs" / "figures"


def main() -> None:
    """Write every figure."""
    with warnings.catch_warnings():  # the shared date is the subject of the pages
        warnings.simplefilter("ignore", es.ClusteredEventsWarning)
        study = run()
        comparison = compared(study)
    figures: dict[str, Axes | Figure] = {
        "caar_by_group": study.plain.plot.caar_by_group(mark=MARKS),
        "four_dates": study.plain.plot.windows(study.labels),
        "correlations": study.plain.risk.correlation(after=AFTER).plot(),
        "models": comparison.plot(0, 0),
    }
    for name, figure in figures.items():
        print(save(figure, OUT / f"{name}.png", dpi=130).relative_to(OUT.parents[1]))


if __name__ == "__main__":
    main()
