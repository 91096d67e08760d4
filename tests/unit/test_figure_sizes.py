"""Every kind of figure on a page and on a slide, at few dots and at many: all words there, none over another."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from test_plots import check_words

import eventstudy as es
from eventstudy import _style
from eventstudy.plots import sized

POSITION = 170
KINDS = {
    "caar": lambda res: res.plot.caar(mark={2: "a rather long label of other news", 3: "more of it"}),
    "caar by group": lambda res: res.plot.caar(by_group=True),
    "panels": lambda res: res.plot.caar_by_group(),
    "paths": lambda res: res.plot.paths(),
    "forest": lambda res: res.plot.car(0, 1),
    "heat map": lambda res: res.plot.heatmap(),
    "windows": lambda res: res.plot.windows([(0, 0), (0, 1), (-1, 1)]),
    "distribution": lambda res: res.plot.distribution(0, 1),
    "fit": lambda res: res.plot.fit("S00"),
    "volatility": lambda res: res.risk.plot_volatility(draws=0),
    "correlation": lambda res: res.risk.correlation(draws=0).plot(),
}


@pytest.fixture(scope="module")
def res(synthetic, study_of, events_at):
    frame = synthetic(10, 260, seed=33)
    events = events_at(frame, dict.fromkeys([f"S{i:02d}" for i in range(10)], POSITION))
    table = events.to_frame().assign(group=["makers", "users"] * 5, label="An announcement")
    return study_of(frame, es.Events.from_frame(table))


def drawn(made):
    return getattr(made, "figure", None) or made


@pytest.mark.parametrize("size", ["journal", "slide"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_word_can_be_read(res, kind: str, size: str) -> None:
    with sized(size):
        figure = drawn(KINDS[kind](res))
    width, height = figure.get_size_inches()
    if size == "slide":
        assert width / height == pytest.approx(16 / 9)
    elif kind != "correlation":
        assert width == 6.5
    for dpi in (72, 200):
        figure.set_dpi(dpi)
        with _style.context():
            figure.canvas.draw()
            check_words(figure)


def test_a_figure_saved_by_its_own_method_is_not_wider_than_measured(res) -> None:
    """With matplotlib's own hinting the note at the bottom runs over the right edge at 72 dots."""
    file = io.BytesIO()
    res.plot.caar().figure.savefig(file, dpi=72)
    pixels = np.asarray(Image.open(file).convert("L"))
    assert pixels[:, -3:].min() > 200


def test_long_names_leave_room_for_the_matrices(synthetic, study_of, events_at) -> None:
    frame = synthetic(4, 260, seed=3)
    long = {f"S{i:02d}": f"VERYLONGTICKERNAME.{i:03d}-PREFERRED" for i in range(4)}
    frame = frame.rename(columns=long)
    figure = study_of(frame, events_at(frame, dict.fromkeys(long.values(), POSITION))).risk.correlation(draws=0).plot()
    figure.canvas.draw()
    assert min(axes.get_window_extent().height for axes in figure.axes[:3]) > 120


def test_figures_of_models_and_correlations_say_where_they_come_from(sample_panel, quiet) -> None:
    events = es.Events.at("2025-01-27", ["MSFT", "NVDA", "AMD"])
    study = es.EventStudy(sample_panel, events, es.MarketModel("SPY"))
    with pytest.warns(es.ClusteredEventsWarning):
        found = es.compare(sample_panel, events, {"a": study.model, "b": es.MeanAdjusted()})
    matrices = quiet(study).risk.correlation(draws=0)
    for figure in (found.plot(0, 0).figure, found.plot_windows((0, 0)), matrices.plot()):
        words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
        assert "Prices: bundled sample of Yahoo Finance data (adjusted close)." in words
    assert matrices.of == "abnormal returns"
    assert "Market model (SPY)" in matrices.note
    assert "cross-correlated" in " ".join(text.get_text() for text in found.plot(0, 0).figure.texts).replace("\n", " ")


def test_long_names_at_the_ends_of_lines_lose_their_middle(synthetic, study_of, events_at) -> None:
    frame = synthetic(4, 260, seed=3)
    long = {f"S{i:02d}": f"A.VERY.LONG.NAME.OF.A.SECURITY.THAT.GOES.ON.AND.ON.{i:03d}-PREFERRED" for i in range(4)}
    frame = frame.rename(columns=long)
    with sized("journal"):
        axes = study_of(frame, events_at(frame, dict.fromkeys(long.values(), POSITION))).plot.paths()
    ends = [text.get_text() for text in axes.texts if "…" in text.get_text()]
    assert len(set(ends)) == 4
    assert all(text.startswith("A.VERY") and text.endswith("-PREFERRED") for text in ends)
    with _style.context():
        axes.figure.canvas.draw()
        check_words(axes.figure)
