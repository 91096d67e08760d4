"""Figures: the numbers drawn are those of the tables, and every word can be read."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure

import eventstudy as es
from eventstudy import _style
from eventstudy._captions import SESSIONS
from eventstudy.plots import Plotter, save

Results = es.EventStudyResults
EVENT = 300
MARKS = {-2: "sell-off in the sector", 5: "results of one firm"}


def panel(n: int, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2022-01-03", periods=340)
    market = rng.normal(0, 0.01, len(index))
    returns = {f"S{at:03d}": 0.8 * market + rng.normal(0, 0.02, len(index)) for at in range(n)}
    return pd.DataFrame(returns | {"MKT": market}, index=index)


def study(
    n: int, *, groups: int = 0, staggered: bool = False, frame: pd.DataFrame | None = None, label: str = ""
) -> Results:
    returns = panel(n) if frame is None else frame
    stamps = [returns.index[EVENT + (at % 20 if staggered else 0)].date().isoformat() for at in range(n)]
    events = pd.DataFrame({"ticker": [f"S{at:03d}" for at in range(n)], "timestamp": stamps})
    if groups:
        events["group"] = [f"Group {'ABCDEFGHIJKLMN'[at % groups]} of firms" for at in range(n)]
    if label:
        events["label"] = label
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return es.EventStudy(
            es.ReturnPanel.from_frame(returns),
            es.Events.from_frame(events),
            es.MarketModel("MKT"),
            estimation_window=(-260, -21),
            event_window=(-10, 10),
        ).fit()


@pytest.fixture(scope="module")
def plain() -> Results:
    return study(12)


@pytest.fixture(scope="module")
def grouped() -> Results:
    return study(18, groups=5)


@pytest.fixture(scope="module")
def gaps() -> Results:
    frame = panel(10)
    frame.iloc[EVENT - 1, 2] = np.nan
    frame.iloc[EVENT + 3 :, 4] = np.nan
    return study(10, groups=2, frame=frame)


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    before, open_before = dict(matplotlib.rcParams), plt.get_fignums()
    yield
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == open_before


def line(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    found = [item for item in axes.lines if item.get_label() == label]
    assert len(found) == 1
    return np.asarray(found[0].get_xdata()), np.asarray(found[0].get_ydata())


def words(figure: Figure) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Every text that is drawn, with its box in pixels."""
    figure.canvas.draw()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]
        if axes.get_legend() is not None:
            texts += axes.get_legend().get_texts()
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
            texts += [tick.label1 for tick in ticks]
    shown = [text for text in texts if text.get_visible() and text.get_text().strip()]
    assert min(text.get_fontsize() for text in shown) >= 8
    boxes = [matplotlib.text.Text.get_window_extent(text) for text in shown]
    return [(text.get_text(), box.extents) for text, box in zip(shown, boxes, strict=True)]


def check_words(figure: Figure) -> None:
    width, height = figure.canvas.get_width_height()
    found = words(figure)
    for text, (left, low, right, high) in found:
        assert left >= -0.5, f"{text!r} is cut off at the left"
        assert low >= -0.5, f"{text!r} is cut off at the bottom"
        assert right <= width + 0.5, f"{text!r} is cut off at the right"
        assert high <= height + 0.5, f"{text!r} is cut off at the top"
    for (one, a), (other, b) in itertools.combinations(found, 2):
        apart = a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
        assert apart, f"{one!r} overlaps {other!r}"


METHODS: dict[str, Callable[[Plotter], Axes]] = {
    "caar": lambda plot: plot.caar(mark=MARKS),
    "car": lambda plot: plot.car(-2, 1, mark=MARKS),
    "car overall": lambda plot: plot.car(0, 3, sort="overall"),
    "heatmap": lambda plot: plot.heatmap(mark=MARKS),
    "heatmap standardized": lambda plot: plot.heatmap(standardized=True),
    "paths": lambda plot: plot.paths(mark=MARKS),
}
ON_AXES: dict[str, Callable[[Plotter, Axes], Axes]] = {
    "caar": lambda plot, ax: plot.caar(ax=ax),
    "by group": lambda plot, ax: plot.caar(by_group=True, ax=ax),
    "car": lambda plot, ax: plot.car(-1, 1, ax=ax),
    "heatmap": lambda plot, ax: plot.heatmap(ax=ax),
    "paths": lambda plot, ax: plot.paths(ax=ax),
}


class TestNumbers:
    def test_caar(self, plain: Results) -> None:
        axes, path = plain.plot.caar(-3, confidence=0.9), plain.caar_path(-3, confidence=0.9)
        x, y = line(axes, "CAAR")
        np.testing.assert_array_equal(x, path.index)
        np.testing.assert_array_equal(y, path["caar"])
        band = next(item for item in axes.collections if item.get_label() == "_band CAAR")
        corners = band.get_paths()[0].vertices
        for tau, row in path.iterrows():
            at = corners[corners[:, 0] == tau, 1]
            assert (at.min(), at.max()) == (row["ci_lower"], row["ci_upper"])

    def test_caar_by_group(self, grouped: Results) -> None:
        axes = grouped.plot.caar(-1, by_group=True)
        for name in grouped.groups:
            path = grouped.select(group=name).caar_path(-1)
            np.testing.assert_array_equal(line(axes, name)[1], path["caar"])
            label = next(item for item in axes.texts if item.get_text().startswith(name))
            assert label.xy == (10, path["caar"].iloc[-1])

    def test_panels_hold_their_group_over_the_others(self, grouped: Results) -> None:
        figure = grouped.plot.caar_by_group(-1, ncols=2)
        panels = figure.axes
        assert len(panels) == len(grouped.groups) + 1
        for name, axes in zip(grouped.groups, panels, strict=False):
            assert axes.get_title("left").replace("\n", " ").startswith(name)
            np.testing.assert_array_equal(line(axes, name)[1], grouped.select(group=name).caar_path(-1)["caar"])
            others = {tuple(item.get_ydata()) for item in axes.lines if item.get_label() == "_other"}
            assert others == {
                tuple(grouped.select(group=other).caar_path(-1)["caar"]) for other in grouped.groups if other != name
            }
        np.testing.assert_array_equal(line(panels[-1], "All security-events")[1], grouped.caar_path(-1)["caar"])
        assert len({axes.get_ylim() for axes in panels}) == 1

    @pytest.mark.parametrize("sort", [True, False, "overall"])
    def test_car(self, grouped: Results, sort: bool | str) -> None:
        axes = grouped.plot.car(-1, 1, sort=sort, confidence=0.8)
        table = grouped.car(-1, 1, confidence=0.8).set_index("ticker")
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert sorted(names) == sorted(table.index)
        table = table.loc[names]
        dots = next(item for item in axes.collections if item.get_gid() == "car")
        np.testing.assert_array_equal(dots.get_offsets()[:, 0], table["car"])
        np.testing.assert_array_equal(dots.get_offsets()[:, 1], axes.get_yticks())
        bars = next(item for item in axes.collections if item.get_gid() == "interval")
        drawn = [(segment[0, 0], segment[1, 0]) for segment in bars.get_segments()]
        assert drawn == list(table[["ci_lower", "ci_upper"]].itertuples(index=False, name=None))
        hollow = [same_color(face, "white") for face in dots.get_facecolors()]
        np.testing.assert_array_equal(hollow, (table["ci_lower"] <= 0) & (table["ci_upper"] >= 0))
        assert {True, False} == set(hollow)
        if sort == "overall":
            assert table["car"].is_monotonic_decreasing
        elif sort:
            assert table["group"].tolist() == sorted(table["group"])
            assert all(part["car"].is_monotonic_decreasing for _, part in table.groupby("group"))
        else:
            assert names == grouped.car(-1, 1)["ticker"].tolist()

    def test_car_values_stand_beside_their_rows(self, plain: Results) -> None:
        axes, table = plain.plot.car(-1, 1, sort=False), plain.car(-1, 1)
        shown = {item.xy[1]: item.get_text() for item in axes.texts if item.get_text().endswith(" %")}
        for at, value in enumerate(table["car"]):
            assert shown[at] == f"{value * 100:+.1f} %".replace("-", "−")

    @pytest.mark.parametrize("standardized", [False, True])
    def test_heatmap(self, grouped: Results, standardized: bool) -> None:
        axes = grouped.plot.heatmap(standardized=standardized)
        frame = (grouped.sar if standardized else grouped.abnormal_returns).droplevel("event_id")
        names = [label.get_text() for label in axes.get_yticklabels()]
        drawn = np.vstack([mesh.get_array() for mesh in axes.collections])
        np.testing.assert_array_equal(drawn, frame.loc[names])
        (norm,) = {(mesh.norm.vmin, mesh.norm.vmax) for mesh in axes.collections}
        assert norm[0] == -norm[1]
        assert 0 < norm[1] < np.abs(frame.to_numpy()).max()
        numbers = [item.get_text() for item in axes.texts if item.get_ha() == "center"]
        scale = 1 if standardized else 100
        expected = [f"{value * scale:.1f}".replace("-", "−") for value in frame.loc[names].to_numpy().ravel()]
        assert numbers == [text.replace("−0.0", "0.0") if text == "−0.0" else text for text in expected]

    def test_colour_bar_tells_of_clipped_values(self, grouped: Results) -> None:
        figure = grouped.plot.heatmap().figure
        bar = next(axes for axes in figure.axes if axes.get_ylabel() == "abnormal return (%)")
        values = grouped.abnormal_returns.to_numpy()
        low, high = bar.get_ylim()
        assert bar._colorbar.extend == "both"
        assert values.min() < low
        assert values.max() > high

    def test_paths(self, grouped: Results) -> None:
        axes = grouped.plot.paths(start=-2)
        for tau in (-2, 0, 10):
            table = grouped.car(-2, tau).set_index("ticker")["car"]
            for name, value in table.items():
                assert line(axes, str(name))[1][tau + 2] == value

    def test_paths_of_one_group_keep_its_colour(self, grouped: Results) -> None:
        name = grouped.groups[2]
        every, one = grouped.plot.paths(), grouped.plot.paths(group=name)
        member = grouped.events.query("group == @name")["ticker"]
        assert {item.get_label() for item in one.lines if not item.get_label().startswith("_")} == set(member)
        colours = [next(li for li in ax.lines if li.get_label() == member.iloc[0]).get_color() for ax in (every, one)]
        assert colours[0] == colours[1]


class TestMissing:
    def test_cells_without_a_return_are_masked_and_said(self, gaps: Results) -> None:
        axes = gaps.plot.heatmap()
        drawn = np.ma.vstack([mesh.get_array() for mesh in axes.collections])
        assert drawn.mask.sum() == np.isnan(gaps.abnormal_returns.to_numpy()).sum() == 9
        assert any("grey: no return" in text for text, _ in words(axes.figure))
        check_words(axes.figure)

    def test_car_without_a_value_has_no_marker(self, gaps: Results) -> None:
        axes = gaps.plot.car(-1, 1)
        dots = next(item for item in axes.collections if item.get_gid() == "car")
        assert len(dots.get_offsets()) == 9
        assert any(text == "no value: 1 return missing" for text, _ in words(axes.figure))
        check_words(axes.figure)

    def test_lines_stop_and_say_so(self, gaps: Results) -> None:
        axes = gaps.plot.paths()
        assert np.isnan(line(axes, "S004")[1][13:]).all()
        texts = [text for text, _ in words(axes.figure)]
        assert "S004 (to 2)" in texts
        assert "S002 (to −2)" in texts
        check_words(axes.figure)

    def test_nothing_to_draw(self) -> None:
        frame = panel(1)
        frame.iloc[EVENT - 10, 0] = np.nan
        res = study(1, frame=frame)
        for axes in (res.plot.caar(), res.plot.car(-10, 0), res.plot.paths()):
            check_words(axes.figure)
        assert res.plot.car(-10, 0).collections[:] == []

    def test_counts_that_vary_are_a_range(self, gaps: Results) -> None:
        assert any("8–10 security-events" in text for text, _ in words(gaps.plot.caar().figure))


class TestWords:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("n", "groups"), [(1, 0), (18, 0), (18, 5), (60, 5)])
    def test_nothing_overlaps_or_is_cut(self, n: int, groups: int, method: str) -> None:
        check_words(METHODS[method](study(n, groups=groups).plot).figure)

    @pytest.mark.parametrize("method", METHODS)
    def test_staggered_dates(self, method: str) -> None:
        check_words(METHODS[method](study(15, groups=3, staggered=True).plot).figure)

    def test_hundreds_of_rows_are_thinned(self) -> None:
        res = study(220)
        for axes in (res.plot.car(-1, 1), res.plot.heatmap()):
            assert axes.figure.get_figheight() <= 30
            assert len(axes.get_yticks()) < 220
            check_words(axes.figure)

    @pytest.mark.parametrize("groups", [2, 5, 9])
    def test_groups(self, groups: int) -> None:
        res = study(18, groups=groups)
        check_words(res.plot.caar(-1, by_group=True, mark=MARKS).figure)
        check_words(res.plot.caar_by_group(mark=MARKS))
        check_words(res.plot.caar_by_group(ncols=1))

    def test_bands_of_many_groups_are_left_out_and_that_is_said(self) -> None:
        axes = study(18, groups=9).plot.caar(by_group=True)
        assert not axes.collections
        assert any("without bands" in text for text, _ in words(axes.figure))

    @pytest.mark.parametrize("count", [3, 8, 21])
    def test_many_marks_become_numbers_with_a_key(self, plain: Results, count: int) -> None:
        marks = {tau - 10: f"quite a long text about session {tau}" for tau in range(count)}
        for axes in (plain.plot.caar(mark=marks), plain.plot.heatmap(mark=marks)):
            check_words(axes.figure)
            whole = " ".join(text for text, _ in words(axes.figure)).replace("\n", " ")
            assert all(text in whole for text in marks.values())

    @pytest.mark.parametrize("method", METHODS)
    def test_axes_and_note(self, grouped: Results, method: str) -> None:
        axes = METHODS[method](grouped.plot)
        assert axes.get_title("left")
        assert (
            "(%)" in axes.get_xlabel()
            if method.startswith("car ") or method == "car"
            else SESSIONS in axes.get_xlabel()
        )
        foot = " ".join(axes.figure.texts[0].get_text().split())
        assert foot == grouped.plot.note()
        assert "-" not in "".join(text for text, _ in words(axes.figure)).replace("security-event", "").replace(
            "cross-correlated", ""
        ).replace("sell-off", "")

    def test_note(self, grouped: Results) -> None:
        assert grouped.plot.note() == (
            "Market model (MKT), estimated over sessions −260 to −21 (240 usable returns); n = 18 security-events. "
            "Abnormal returns of securities on one date are cross-correlated."
        )
        assert "cross-correlated" not in study(15, staggered=True).plot.note().replace("n = 15", "")

    def test_dates_stand_below_the_sessions_they_belong_to(self, plain: Results) -> None:
        sessions = plain.study.returns.sessions
        axes = plain.plot.caar()
        for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
            day = sessions[EVENT + int(tick)]
            assert label.get_text().split("\n")[1] == f"{day.day} {day:%b}"
        assert "\n" not in study(15, staggered=True).plot.caar().get_xticklabels()[0].get_text()

    def test_sessions_beyond_the_data_have_no_date(self) -> None:
        res = study(2, frame=panel(2).iloc[: EVENT + 6])
        labels = {label.get_text().split("\n")[0]: label.get_text() for label in res.plot.heatmap().get_xticklabels()}
        assert "\n" in labels["+4"]
        assert labels["+8"] == "+8"

    def test_label_of_the_event(self) -> None:
        assert any(text == "Fed meeting" for text, _ in words(study(2, label="Fed meeting").plot.caar().figure))

    def test_axis_labels_of_percent(self) -> None:
        assert [_style.percent_tick(value) for value in (-0.1, 0.025, 0.0, 0.00125)] == ["−10", "2.5", "0", "0.125"]


class TestMarks:
    def lines(self, axes: Axes) -> list[float]:
        return sorted(item.get_xdata()[0] for item in axes.lines if item.get_label() == "_mark")

    def test_session_and_dates_are_the_same_mark(self, plain: Results) -> None:
        day = plain.study.returns.sessions[EVENT - 2]
        for key in (-2, np.int64(-2), day, day.date(), f"{day:%Y-%m-%d}", day.to_datetime64()):
            assert self.lines(plain.plot.caar(mark={key: "news"})) == [-2, 0]

    def test_outside_the_figure_but_inside_the_window_is_left_out(self, plain: Results) -> None:
        assert self.lines(plain.plot.caar(-1, mark={-2: "news"})) == [0]

    def test_mark_on_the_event_session_joins_its_label(self, plain: Results) -> None:
        assert any(text == "event; news" for text, _ in words(plain.plot.caar(mark={0: "news"}).figure))

    def test_car_names_what_its_window_contains(self, plain: Results) -> None:
        def text(axes: Axes) -> str:
            return " ".join(text for text, _ in words(axes.figure))

        assert "The window contains: news (session −2)" in text(plain.plot.car(-2, 1, mark={-2: "news"}))
        assert "news" not in text(plain.plot.car(-1, 1, mark={-2: "news"}))
        assert "The window contains: news (session 0)" in text(plain.plot.car(0, 0, mark={0: "news"}))
        assert "The window contains" not in text(plain.plot.car(0, 0))

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (11, "outside the event window"),
            ("2023-02-25", "not a session"),
            ("2099-01-01", "not a session"),
            ("soon", "not a date"),
            (1.5, "neither a relative session nor a date"),
            (True, "neither a relative session nor a date"),
        ],
    )
    def test_refused(self, plain: Results, key: object, message: str) -> None:
        with pytest.raises(es.InputError, match=message):
            plain.plot.caar(mark={key: "news"})

    def test_date_without_a_common_session(self) -> None:
        with pytest.raises(es.InputError, match="different event sessions"):
            study(15, staggered=True).plot.heatmap(mark={date(2023, 2, 24): "news"})


class TestAxes:
    @pytest.mark.parametrize("method", ON_AXES)
    def test_plain_subplots_are_laid_out(self, grouped: Results, method: str) -> None:
        figure, axes = plt.subplots()
        assert ON_AXES[method](grouped.plot, axes) is axes
        check_words(figure)
        assert " ".join(figure.texts[0].get_text().split()) == grouped.plot.note()
        plt.close(figure)

    @pytest.mark.parametrize("method", ON_AXES)
    def test_axes_among_others(self, grouped: Results, method: str) -> None:
        figure = Figure(figsize=(14, 6), layout="constrained")
        left, right = figure.subplots(1, 2)
        assert ON_AXES[method](grouped.plot, right) is right
        assert not figure.texts
        assert not left.lines
        left.axis("off")
        check_words(figure)

    def test_dark_figure_of_the_user(self, grouped: Results) -> None:
        with plt.style.context("dark_background"):
            figure, axes = plt.subplots()
            grouped.plot.caar(by_group=True, ax=axes)
        assert same_color(figure.get_facecolor(), "black")
        assert same_color(axes.get_facecolor(), "white")
        for text in (axes._left_title, axes.xaxis.label, axes.yaxis.label, figure.texts[0], *axes.get_xticklabels()):
            assert _style.luminance(text.get_color()) > 0.4
        for text in axes.texts[-5:]:
            assert _style.luminance(text.get_color()) < 0.3
        plt.close(figure)

    def test_settings_of_the_user_have_no_say(self, grouped: Results, tmp_path) -> None:
        def drawn(name: str) -> bytes:
            return save(grouped.plot.caar(by_group=True, mark=MARKS), tmp_path / name, dpi=60).read_bytes()

        expected = drawn("plain.png")
        wild = {"font.size": 22, "axes.unicode_minus": False, "axes.grid": True, "savefig.bbox": "tight"}
        with plt.style.context(["dark_background", wild]):
            assert drawn("wild.png") == expected

    def test_own_figures_are_unknown_to_pyplot(self, plain: Results) -> None:
        for axes in (plain.plot.caar(), plain.plot.heatmap()):
            assert isinstance(axes.figure, Figure)
            assert not plt.get_fignums()

    def test_figure_shows_itself(self, plain: Results) -> None:
        shown = plain.plot.caar().figure._repr_png_()
        assert shown.startswith(b"\x89PNG")
        assert plt.imread(io.BytesIO(shown)).shape[1] > 700

    def test_import_is_lazy(self) -> None:
        code = "import sys, eventstudy, eventstudy.plots; print('matplotlib' in sys.modules)"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == "False"


class TestArguments:
    def test_without_groups(self, plain: Results) -> None:
        with pytest.raises(es.InputError, match="no groups"):
            plain.plot.caar(by_group=True)
        with pytest.raises(es.InputError, match="no groups"):
            plain.plot.caar_by_group()

    @pytest.mark.parametrize("ncols", [0, -1, 1.5, True])
    def test_ncols(self, grouped: Results, ncols: object) -> None:
        with pytest.raises(es.InputError, match="ncols"):
            grouped.plot.caar_by_group(ncols=ncols)  # type: ignore[arg-type]

    def test_sort(self, plain: Results) -> None:
        with pytest.raises(es.InputError, match="sort="):
            plain.plot.car(0, 1, sort="up")  # type: ignore[arg-type]

    def test_confidence(self, plain: Results) -> None:
        with pytest.raises(es.InputError, match="confidence"):
            plain.plot.caar(confidence=95)
        assert any("99 % interval" in text for text, _ in words(plain.plot.car(0, 1, confidence=0.99).figure))

    def test_events_without_a_group_are_one(self) -> None:
        frame = panel(4)
        day = frame.index[EVENT].date().isoformat()
        table = pd.DataFrame({"ticker": list(frame)[:4], "timestamp": day, "group": ["A", None, "A", None]})
        with pytest.warns(es.ClusteredEventsWarning):
            res = es.EventStudy(
                es.ReturnPanel.from_frame(frame),
                es.Events.from_frame(table),
                es.MarketModel("MKT"),
                estimation_window=(-260, -21),
            ).fit()
        axes = res.plot.caar(by_group=True)
        part = res.select(mask=np.array([False, True, False, True]))
        np.testing.assert_array_equal(line(axes, "no group")[1], part.caar_path()["caar"])
        check_words(res.plot.car(0, 1).figure)


class TestSave:
    @pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
    def test_same_bytes(self, plain: Results, tmp_path, suffix: str) -> None:
        one, other = plain.plot.caar(), plain.plot.caar()
        files = [
            save(figure, tmp_path / "deep" / f"{at}.{suffix}", dpi=60)
            for at, figure in enumerate((one, one.figure, other))
        ]
        assert len({path.read_bytes() for path in files}) == 1
        assert files[0].stat().st_size > 5000

    def test_wrong_suffix(self, plain: Results, tmp_path) -> None:
        with pytest.raises(es.InputError, match="suffixes"):
            save(plain.plot.caar(), tmp_path / "figure.docx")

    def test_unwritable(self, plain: Results, tmp_path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(es.DataSourceError, match="Cannot write"):
            save(plain.plot.caar(), tmp_path / "file" / "figure.png")


class TestPlacing:
    def test_spread_keeps_order_and_gap(self) -> None:
        rng = np.random.default_rng(1)
        for count in (1, 2, 7, 30):
            wanted = rng.uniform(0, 100, count).tolist()
            found = _style.spread(wanted, 3.0, 0.0, 100.0)
            ordered = np.array(found)[np.argsort(wanted)]
            assert (np.diff(ordered) >= 3.0 - 1e-9).all()
            assert min(found) >= 0
            assert max(found) <= 100

    def test_spread_leaves_alone_what_is_apart(self) -> None:
        assert _style.spread([10.0, 50.0, 20.0], 5.0, 0.0, 100.0) == [10.0, 50.0, 20.0]
        assert _style.spread([10.0, 10.0], 4.0, 0.0, 100.0) == [8.0, 12.0]
        assert _style.spread([], 4.0, 0.0, 100.0) == []

    def test_spread_without_room_shares_what_there_is(self) -> None:
        assert _style.spread([5.0, 5.0, 5.0], 10.0, 0.0, 8.0) == [0.0, 4.0, 8.0]

    @pytest.mark.parametrize("colour", _style.PALETTE)
    def test_text_in_a_group_colour_reads_on_white(self, colour: str) -> None:
        assert 1.05 / (_style.luminance(_style.darkened(colour)) + 0.05) >= 4.5
        assert all(
            after <= before + 1e-9
            for after, before in zip(to_rgb(_style.darkened(colour)), to_rgb(colour), strict=True)
        )
