"""Figures of risk and spillover: what is drawn is what the tables say, and every word can be read."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_plots import check_words

import eventstudy as es
from eventstudy.plots import save

POSITION = 170


@pytest.fixture(scope="module")
def res(synthetic, study_of, events_at):
    frame = synthetic(16, 260, seed=33)
    frame.loc[frame.index[POSITION], ["S00", "S01", "S02"]] -= 0.08
    return study_of(frame, events_at(frame, dict.fromkeys([f"S{i:02d}" for i in range(16)], POSITION)))


@pytest.fixture(autouse=True)
def _nothing_leaks():
    before, open_before = dict(matplotlib.rcParams), plt.get_fignums()
    yield
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == open_before


def points(axes, gid):
    found = [item for item in axes.collections if item.get_gid() == gid]
    assert len(found) == 1
    return np.asarray(found[0].get_offsets())


def rows(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_volatility_before_and_after(res):
    axes = res.risk.plot_volatility()
    table = res.risk.volatility(annualize=252, draws=0).sort_values("ratio", ascending=False)
    np.testing.assert_allclose(points(axes, "before")[:, 0], table["volatility_before"])
    np.testing.assert_allclose(points(axes, "after")[:, 0], table["volatility_after"])
    assert rows(axes) == table["ticker"].tolist()
    assert axes.get_xlabel() == "volatility (%, annual, 252 sessions)"
    shown = " ".join(text.get_text() for text in axes.texts)
    assert "16 security-events; hollow: sessions −60 to −11, filled: sessions 0 to +20" in shown
    check_words(axes.figure)


def test_an_event_without_volatility_is_left_out(synthetic, study_of, events_at):
    frame = synthetic(3, 260, seed=1)
    res = study_of(frame, events_at(frame, {"S00": 170, "S01": 180, "S02": 258}))
    axes = res.risk.plot_volatility(abnormal=True, annualize=None)
    assert len(points(axes, "after")) == 2
    assert axes.get_xlabel() == "volatility (%, per session)"
    check_words(axes.figure)


def test_pairs_of_the_network(res):
    axes = res.spillover.plot_network(after=(0, 40), top=12)
    pairs = res.risk.correlation(after=(0, 40), draws=0).pairs()
    most = pairs.loc[pairs["change"].abs().sort_values(ascending=False).index[:12]]
    np.testing.assert_allclose(points(axes, "after")[:, 0], most["after"])
    assert rows(axes) == [f"{a} – {b}" for a, b in zip(most["ticker_a"], most["ticker_b"], strict=True)]
    assert "12 of 120 pairs" in " ".join(text.get_text() for text in axes.texts)
    check_words(axes.figure)
    with pytest.raises(es.InputError, match="top"):
        res.spillover.plot_network(top=0)


def test_influence(res):
    axes = res.spillover.plot_influence(0, 0)
    table = res.influence(0, 0, resampling=False)
    np.testing.assert_allclose(points(axes, "without")[:, 0], table["caar_without"])
    assert rows(axes) == table["ticker"].tolist()
    lines = [line for line in axes.lines if line.get_color() == "#1A1A1A"]
    assert lines[0].get_xdata()[0] == pytest.approx(res.caar(0, 0)["caar"].iloc[0])
    check_words(axes.figure)


def test_many_events_are_cut_to_the_most_influential(synthetic, study_of, events_at):
    frame = synthetic(70, 200, seed=2)
    res = study_of(frame, events_at(frame, dict.fromkeys([f"S{i:02d}" for i in range(70)], 150)))
    axes = res.spillover.plot_influence(0, 0)
    assert len(points(axes, "without")) == 60
    assert "60 of 70 security-events, the most influential" in " ".join(text.get_text() for text in axes.texts)


@pytest.mark.parametrize("count", [4, 16])
def test_matrices_side_by_side(res, count):
    change = res.select(mask=np.arange(16) < count).risk.correlation(after=(0, 40), draws=50)
    figure = change.plot()
    drawn = [axes.collections[0].get_array().reshape(count, count) for axes in figure.axes[:3]]
    for cells, frame in zip(drawn, (change.before, change.after, change.difference), strict=True):
        off = ~np.eye(count, dtype=bool)
        np.testing.assert_allclose(cells[off].astype(float), frame.to_numpy()[off])
        assert cells.mask.diagonal().all()
    assert any(f"n = {count} securities" in text.get_text() for text in figure.texts)
    assert sum(len(axes.texts) for axes in figure.axes[:3]) == (3 * 12 if count == 4 else 0)
    told = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert "Correlations of abnormal returns before and after the event" in told
    assert "estimated over sessions −130 to −11" in told
    check_words(figure)


def test_axes_of_the_user(res, tmp_path):
    figure, panels = plt.subplots(1, 3, figsize=(18, 6))
    for axes, draw in zip(
        panels,
        (
            res.risk.plot_volatility,
            res.spillover.plot_network,
            lambda ax: res.spillover.plot_influence(0, 0, ax=ax),
        ),
        strict=True,
    ):
        assert draw(ax=axes) is axes
    assert save(figure, tmp_path / "three.png").stat().st_size > 10_000
    plt.close(figure)
