"""What the results hold, how they are narrowed, and how they reach files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.export import write
from eventstudy.inference import TESTS
from eventstudy.inference.resampled import RESAMPLED

FRAMES = ["events", "parameters", "abnormal_returns", "sar", "car", "bhar", "aar", "caar", "tests", "dropped"]


@pytest.fixture(scope="module")
def frame(synthetic):
    frame = synthetic(7, 260, seed=70)
    frame.iloc[171, frame.columns.get_loc("S03")] = np.nan
    return frame


@pytest.fixture(scope="module")
def res(frame, study_of):
    table = pd.DataFrame(
        {
            "ticker": ["S00", "S01", "S02", "S03", "S04", "S00", "NONE"],
            "date": frame.index[[170, 170, 170, 170, 170, 210, 170]],
            "event_id": [f"e{i}" for i in range(7)],
            "group": ["win", "win", "lose", "lose", "lose", "win", "win"],
            "label": "news",
        }
    )
    return study_of(frame, es.Events.from_frame(table))


# -- shapes of the answers ----------------------------------------------------------------------------------------


def test_frames_carry_event_and_ticker(res):
    assert len(res) == 6
    for table in (res.car(-1, 1), res.bhar(-1, 1), res.parameters, res.events):
        assert table["event_id"].tolist() == ["e0", "e1", "e2", "e3", "e4", "e5"]
        assert table["ticker"].tolist() == ["S00", "S01", "S02", "S03", "S04", "S00"]
    assert res.abnormal_returns.index.names == ["event_id", "ticker"]
    assert res.abnormal_returns.columns.tolist() == list(range(-5, 6))
    assert res.tests(-1, 1).index.tolist()[0] in TESTS
    assert set(res.tests(-1, 1).index) == {*TESTS, *RESAMPLED}
    assert res.dropped["event_id"].tolist() == ["e6"]


@pytest.mark.parametrize("given", [((-1, 1),), (-1, 1), ("-1:1",), ("[-1, +1]",), (es.Window(-1, 1),), ([-1, 1],)])
def test_windows_may_be_written_in_several_ways(res, given):
    for method in (res.car, res.bhar, res.caar, res.tests, res.group_caar):
        pd.testing.assert_frame_equal(method(*given), method(-1, 1))


def test_one_number_is_a_day(res):
    pd.testing.assert_frame_equal(res.car(2), res.car(2, 2))


@pytest.mark.parametrize("window", [(-6, 0), (0, 6), (1, -1), (0.5, 1), (0, 1.5), (True, 1)])
def test_windows_that_do_not_fit(res, window):
    for method in (res.car, res.bhar, res.caar, res.tests, res.group_caar):
        with pytest.raises(es.WindowError):
            method(*window)


def test_the_window_error_names_both(res):
    with pytest.raises(es.WindowError, match=r"\[-6, 0\] is not inside the event window \[-5, \+5\].*event_window="):
        res.car(-6, 0)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_levels_that_make_no_interval(res, level):
    for method in (res.car, res.caar):
        with pytest.raises(es.InputError, match="confidence"):
            method(0, 1, confidence=level)


# -- identities ---------------------------------------------------------------------------------------------------


def test_car_is_the_sum_of_abnormal_returns(res):
    ar = res.abnormal_returns
    for a, b in [(-5, 5), (0, 0), (-2, 0), (1, 3)]:
        np.testing.assert_allclose(
            res.car(a, b)["car"], ar.loc[:, a:b].sum(axis=1, skipna=False), rtol=1e-11, atol=1e-16
        )
        assert res.caar(a, b)["caar"].iloc[0] == pytest.approx(res.car(a, b)["car"].mean(), rel=1e-12)


def test_days_of_aar_are_windows_of_one_day(res):
    aar = res.aar()
    np.testing.assert_allclose(aar["aar"], res.abnormal_returns.mean(), rtol=1e-12)
    assert aar["n"].tolist() == res.abnormal_returns.notna().sum().tolist()
    for tau in aar.index:
        day = res.tests(tau, tau)
        for name in TESTS:
            assert aar.loc[tau, name] == pytest.approx(day.loc[name, "statistic"], rel=1e-14, nan_ok=True)
            assert aar.loc[tau, f"{name}_p"] == pytest.approx(day.loc[name, "p_value"], rel=1e-14, nan_ok=True)


def test_the_path_of_caar(res):
    path = res.caar_path()
    assert path.index.tolist() == list(range(-5, 6))
    for tau in (-5, 0, 5):
        for column in ("caar", "std_error", "ci_lower", "ci_upper", "n"):
            assert path.loc[tau, column] == res.caar(-5, tau)[column].iloc[0]
    assert res.caar_path(0).loc[0, "caar"] == res.aar().loc[0, "aar"]


def test_a_cumulated_gap_does_not_heal(res):
    """After S03's missing session its CAR stays missing: CAAR is not the running sum of AAR."""
    path = res.caar_path()
    assert path["n"].tolist() == [6] * 6 + [5] * 5
    others = res.abnormal_returns.drop(index=[("e3", "S03")])
    assert path.loc[5, "caar"] == pytest.approx(others.sum(axis=1).mean(), rel=1e-12)


# -- some of the events -------------------------------------------------------------------------------------------


def test_select(res, frame, study_of, events_at):
    part = res.select(ticker=["S01", "S02"])
    alone = study_of(frame, events_at(frame, {"S01": 170, "S02": 170}))
    np.testing.assert_array_equal(part.car(-2, 2)["t"], alone.car(-2, 2)["t"])
    pd.testing.assert_frame_equal(part.tests(-2, 2), alone.tests(-2, 2))
    assert part.estimation_summary.mean_correlation == alone.estimation_summary.mean_correlation
    assert res.select(ticker="S00").car(0, 0)["event_id"].tolist() == ["e0", "e5"]
    assert res.select(group="lose").parameters["ticker"].tolist() == ["S02", "S03", "S04"]
    assert res.select(group="win", ticker="S00", mask=[False, True, True, True, True, True]).events[
        "event_id"
    ].tolist() == ["e5"]


def test_select_of_everything(res):
    for whole in (res.select(), res.select(mask=np.ones(6, bool)), res.select(ticker=res.events["ticker"].unique())):
        for name, table in res.frames().items():
            pd.testing.assert_frame_equal(table, whole.frames()[name])


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"group": "draw"}, r"group 'draw'; there are \['win', 'lose'\]"),
        ({"ticker": "S09"}, "ticker 'S09'; there are .*'S00'"),
        ({"ticker": "NONE"}, "See results.dropped"),
        ({"mask": [True]}, r"mask has shape \(1,\)"),
        ({"mask": np.ones(6)}, "type float64"),
        ({"mask": np.zeros(6, bool)}, "No event is left"),
        ({"group": "lose", "ticker": "S01"}, "No event is left"),
    ],
)
def test_selections_of_nothing(res, choice, says):
    with pytest.raises(es.InputError, match=says):
        res.select(**choice)


def test_groups(res):
    assert res.groups == ["win", "lose"]
    table = res.group_caar(-1, 0)
    assert table.index.tolist() == ["win", "lose", "All"]
    for group in ("win", "lose"):
        part = res.select(group=group)
        assert table.loc[group, "caar"] == part.caar(-1, 0)["caar"].iloc[0]
        assert table.loc[group, "csect_t_p"] == part.tests(-1, 0).loc["csect_t", "p_value"]
    assert table.loc["All", "caar"] == res.caar(-1, 0)["caar"].iloc[0]


def test_no_groups(frame, study_of, events_at):
    plain = study_of(frame, events_at(frame, {"S00": 170}))
    assert plain.groups == []
    with pytest.raises(es.InputError, match=r"no groups.*group="):
        plain.group_caar(0, 0)
    with pytest.raises(es.InputError, match="group 'win'"):
        plain.select(group="win")


def test_events_without_a_group(frame, study_of):
    """An event outside the groups is in "All" only; no row may show all events under a nameless group."""
    table = pd.DataFrame({"ticker": ["S00", "S01", "S02"], "date": [frame.index[170]] * 3, "group": ["a", "a", None]})
    res = study_of(frame, es.Events.from_frame(table))
    assert res.groups == ["a"]
    assert res.group_caar(0, 0)["n"].to_dict() == {"a": 2, "All": 3}


# -- few events, or none with an answer ---------------------------------------------------------------------------


def no_infinities(table):
    numbers = table.select_dtypes("number").drop(columns="df", errors="ignore")
    return not np.isinf(numbers.to_numpy(float)).any()


def test_one_event(frame, study_of, events_at):
    one = study_of(frame, events_at(frame, {"S00": 170}))
    tests = one.tests(-1, 1)
    assert tests["statistic"].isna().tolist() == (tests["reason"] != "").tolist()
    assert {"csect_t", "bmp_t", "bmp_t_adj"} <= set(tests.index[tests["statistic"].isna()])
    assert no_infinities(tests)
    row = one.caar(-1, 1).iloc[0]
    assert row["caar"] == one.car(-1, 1)["car"].iloc[0]
    assert row["std_error_from"] == "portfolio"
    assert np.isfinite(row["std_error"])
    assert one.parameters["sigma"].iloc[0] * np.sqrt(3) == pytest.approx(row["std_error"], rel=0.02)
    assert "needs two events" in str(one.summary())


def test_a_group_without_a_return(frame, study_of):
    holed = frame.copy()
    holed.loc[holed.index[170], ["S00", "S01"]] = np.nan
    table = pd.DataFrame(
        {"ticker": ["S00", "S01", "S02", "S04"], "date": [frame.index[170]] * 4, "group": ["a", "a", "b", "b"]}
    )
    res = study_of(holed, es.Events.from_frame(table))
    empty = res.select(group="a")
    tests = empty.tests(0, 0)
    assert tests["statistic"].isna().all()
    assert (tests["reason"] != "").all()
    assert tests["n"].tolist() == [0] * len(tests)
    caar = empty.caar(0, 0).iloc[0]
    assert caar["n"] == 0
    assert caar[["caar", "std_error", "ci_lower", "ci_upper"]].isna().all()
    groups = res.group_caar(0, 0)
    assert groups["n"].tolist() == [0, 2, 2]
    assert no_infinities(groups)
    assert no_infinities(res.aar())
    assert "no event has a CAR" in str(empty.summary((0, 0)))


def test_identical_events(frame, study_of, events_at):
    twins = frame[["MKT", "S00"]].assign(T1=frame["S00"], T2=frame["S00"])
    res = study_of(twins, events_at(twins, {"S00": 170, "T1": 170, "T2": 170}))
    tests = res.tests(0, 2)
    assert "are equal" in tests.loc["csect_t", "reason"]
    assert tests.loc[["csect_t", "bmp_t", "bmp_t_adj"], "statistic"].isna().all()
    assert no_infinities(tests)
    assert res.estimation_summary.mean_correlation == pytest.approx(1.0, rel=1e-12)


# -- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_read_back(res, tmp_path, suffix):
    out = getattr(res, f"to_{suffix}")(tmp_path / "deep" / "out", windows=[(-1, 1), "0:3"])
    tables = res.frames([(-1, 1), (0, 3)])
    assert set(tables) == {*FRAMES, "group_caar"}
    assert {path.name for path in out.iterdir()} == {f"{name}.{suffix}" for name in tables} | {"manifest.json"}
    for name, table in tables.items():
        path = out / f"{name}.{suffix}"
        again = pd.read_csv(path, dtype=str) if suffix == "csv" else pd.read_parquet(path)
        assert again.columns.tolist() == table.columns.tolist(), name
        assert len(again) == len(table), name
        for column in table:
            one, two = table[column], again[column]
            if pd.api.types.is_numeric_dtype(one) and not pd.api.types.is_bool_dtype(one):
                np.testing.assert_array_equal(
                    one.to_numpy(float), two.astype(float).to_numpy(), err_msg=f"{name}.{column}"
                )
            else:
                texts = [[str(v) if not pd.isna(v) and v != "" else "" for v in part] for part in (one, two)]
                texts = [[text.removesuffix(" 00:00:00") for text in part] for part in texts]
                assert texts[0] == texts[1], f"{name}.{column}"
    assert json.loads((out / "manifest.json").read_text()) == res.manifest


def test_columns_of_the_user_survive(frame, study_of, tmp_path):
    """Further columns of the events table are kept, also where their names or their mixed cells are in the way."""
    table = pd.DataFrame({"ticker": ["S00", "S01"], "date": [frame.index[170]] * 2})
    res = study_of(frame, es.Events.from_frame(table.assign(session=["am", "pm"], rule=["first", "second"])))
    kept = res.events.astype(str).to_numpy().tolist()
    for row, words in zip(kept, [("am", "first"), ("pm", "second")], strict=True):
        assert set(words) <= set(row)


def test_mixed_cells_reach_parquet(frame, study_of, tmp_path):
    table = pd.DataFrame({"ticker": ["S00", "S01"], "date": [frame.index[170]] * 2, "note": ["x", 3]})
    out = study_of(frame, es.Events.from_frame(table)).to_parquet(tmp_path)
    assert pd.read_parquet(out / "events.parquet")["note"].astype(str).tolist() == ["x", "3"]


def test_windows_of_the_stacked_files(res):
    tables = res.frames([(-1, 1), (0, 3)])
    assert tables["car"]["window"].tolist() == ["-1:1"] * 6 + ["0:3"] * 6
    np.testing.assert_array_equal(tables["car"]["car"].iloc[6:], res.car(0, 3)["car"])
    assert tables["caar"]["start"].tolist() == [-1, 0]


def test_a_directory_that_cannot_be_written(res, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(es.DataSourceError, match="file"):
        res.to_csv(tmp_path / "file")


def test_manifest(res, frame, study_of):
    manifest = res.manifest
    assert manifest["data"]["sha256"] == es.ReturnPanel.from_frame(frame.copy()).fingerprint()
    assert manifest["data"] | {"sha256": ""} == {
        "sha256": "", "securities": 8, "sessions": 260, "first": "2021-01-04", "last": "2021-12-31", "kind": "simple",
        "source": "",
    }  # fmt: skip
    assert manifest["events"].items() >= {"given": 7, "used": 6, "dropped": 1}.items()
    assert manifest["configuration"].items() >= {
        "model": "MarketModel(benchmark='MKT')", "estimation_window": [-130, -11], "event_window": [-5, 5],
        "min_obs": 60, "calendar": "NYSE", "missing": "propagate", "on_error": "drop", "confidence": 0.95,
    }.items()  # fmt: skip
    assert manifest["versions"]["abnormal-returns"] == es.__version__
    assert {"python", "numpy", "pandas", "scipy"} <= set(manifest["versions"])
    changed = frame.copy()
    changed.iloc[0, 0] += 1e-16
    other = study_of(changed, res.study.events)
    assert other.manifest["data"]["sha256"] != manifest["data"]["sha256"]


def test_the_manifest_tells_events_apart(frame, study_of, events_at):
    """ "Enough to reproduce the run": a study of other events may not have the same manifest."""
    one, two = (study_of(frame, events_at(frame, {"S00": at, "S01": at})).manifest for at in (170, 180))
    one, two = ({key: value for key, value in m.items() if key != "created"} for m in (one, two))
    assert one != two


def test_shown_in_one_line(res):
    text = repr(res)
    assert text.startswith("EventStudyResults(6 security-events, MarketModel(benchmark='MKT')")
    assert "1 dropped" in text


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_do_not_depend_on_the_pieces_they_are_written_in(res, tmp_path, suffix):
    windows = [es.Window(0, 0), es.Window(-1, 1)]
    whole = write(res, tmp_path / "whole", windows, suffix)
    pieces = write(res, tmp_path / "pieces", windows, suffix, rows=4)
    for path in sorted(whole.glob(f"*.{suffix}")):
        if suffix == "csv":
            assert path.read_bytes() == (pieces / path.name).read_bytes()
        else:
            pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(pieces / path.name), check_exact=True)


def test_two_numbers_are_one_window_in_the_summary_too(res):
    assert str(res.summary(0, 1)) == str(res.summary((0, 1)))
    assert str(res.summary("0:1")) == str(res.summary((0, 1)))
    with pytest.raises(es.InputError, match="windows is empty"):
        res.frames([])


def test_tables_of_an_earlier_study_do_not_stay(res, tmp_path):
    (tmp_path / "group_caar.csv").write_text("an earlier study had groups")
    res.to_csv(tmp_path)
    assert (tmp_path / "group_caar.csv").exists() == bool(res.groups)


@pytest.mark.parametrize("window", [(0, 0), (-5, 5)])
def test_one_event_has_one_interval(synthetic, study_of, events_at, window):
    """CAAR of a single event is its CAR, with the same exact forecast error, degrees of freedom and interval."""
    frame = synthetic(1, 260, seed=77)
    res = study_of(frame, events_at(frame, {"S00": 200}))
    one, mean = res.car(*window).iloc[0], res.caar(*window).iloc[0]
    for name in ("std_error", "p_value", "ci_lower", "ci_upper", "df"):
        assert mean[name] == pytest.approx(one[name], rel=1e-12)


def test_equal_cars_have_no_cross_sectional_spread(study_of):
    """Two events of one CAR on dates of their own: no standard error, interval or p-value, and no crash."""
    rng = np.random.default_rng(91)
    frame = pd.DataFrame(
        rng.normal(0, 0.02, (300, 3)), columns=["MKT", "A", "B"], index=pd.bdate_range("2020", periods=300)
    )
    frame.iloc[[200, 260]] = [[0.0, 0.05, 0.01], [0.0, 0.01, 0.05]]
    events = es.Events.from_frame(pd.DataFrame({"ticker": ["A", "B"], "date": frame.index[[200, 260]]}))
    row = study_of(frame, events, es.MarketAdjusted("MKT")).caar(0, 0).iloc[0]
    assert row["caar"] == pytest.approx(0.05)
    assert row[["std_error", "p_value", "ci_lower", "ci_upper"]].isna().all()
