"""CARs of several windows in one figure, and figures shaped for pages and slides."""

from __future__ import annotations

import numpy as np
import pytest

import eventstudy as es
from eventstudy.plots import save, sized


@pytest.fixture(scope="module")
def res() -> es.EventStudyResults:
    groups = {"MSFT": "Software", "CRM": "Software", "NVDA": "Chips", "AMD": "Chips"}
    panel = es.ReturnPanel.from_prices(es.load_prices([*groups, "SPY"], source="sample"))
    events = es.Events.at("2025-01-29", list(groups), group=groups)
    study = es.EventStudy(panel, events, es.MarketModel("SPY"), (-260, -21), (-10, 10))
    with pytest.warns(es.ClusteredEventsWarning):
        return study.fit()


def points(axes) -> np.ndarray:
    marks = next(one for one in axes.collections if one.get_gid() == "car")
    return np.asarray(marks.get_offsets())


def test_every_panel_shows_the_cars_of_its_window_on_one_scale(res) -> None:
    windows = {"before": (-6, -5), "sell-off": (-2, -2), "day": (0, 0)}
    figure = res.plot.windows(windows)
    assert [axes.get_title() for axes in figure.axes] == list(windows)
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    for axes, window in zip(figure.axes, windows.values(), strict=True):
        found = points(axes)
        shown = dict(zip(found[:, 1], found[:, 0], strict=True))
        car = res.car(window).set_index("ticker")["car"]
        # heads are in rows 0 and 3; the groups keep the order of the events
        assert shown == pytest.approx({1: car["MSFT"], 2: car["CRM"], 4: car["NVDA"], 5: car["AMD"]})


def test_names_stand_beside_their_rows(res) -> None:
    axes = res.plot.windows([(0, 0), (0, 1)]).axes[0]
    labels = {tick.get_text(): y for tick, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert labels == {"Software": 0, "MSFT": 1, "CRM": 2, "Chips": 3, "NVDA": 4, "AMD": 5}
    assert axes.get_title() == "[0,\xa00]"


def test_windows_that_cannot_be_drawn(res) -> None:
    with pytest.raises(es.InputError, match="0 windows: one to eight"):
        res.plot.windows([])
    with pytest.raises(es.InputError, match="9 windows: one to eight"):
        res.plot.windows({str(n): (0, n) for n in range(9)})
    with pytest.raises(es.WindowError, match=r"\[0, \+11\]"):
        res.plot.windows([(0, 11)])


def test_sizes(res, tmp_path) -> None:
    def inches() -> tuple[float, float]:
        width, height = res.plot.car(0, 0).figure.get_size_inches()
        return float(width), float(height)

    screen = inches()
    with sized("journal"):
        journal = inches()
    with sized("slide"):
        slide = inches()
        path = save(res.plot.caar(), tmp_path / "slide.png", dpi=100)
    assert journal == (6.5, screen[1])
    assert slide[0] / slide[1] == pytest.approx(16 / 9)
    assert inches() == screen
    header = path.read_bytes()[16:24]  # width and height of a PNG
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (0, 4))
    assert width / height == pytest.approx(16 / 9, abs=0.01)


def test_the_size_is_the_old_one_again_after_an_error(res) -> None:
    with pytest.raises(RuntimeError), sized("slide"):
        raise RuntimeError
    width, _ = res.plot.car(0, 0).figure.get_size_inches()
    assert width == pytest.approx(7.4)
    with pytest.raises(es.InputError, match="'poster' is not a size"), sized("poster"):
        pass
