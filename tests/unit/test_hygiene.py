"""Estimation windows: two-sided, after the event, with dates, other events or outliers kept out.

The oracle is statsmodels on the rows that are left, or the whole study on a panel from which the cells are deleted.
"""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.hygiene import trimmed_share
from eventstudy.kernels import LinearArrays, LinearDesign, estimation_residuals, fit_linear
from eventstudy.windows import EventIndex, estimation_span

pytestmark = pytest.mark.filterwarnings("ignore::eventstudy.errors.EventStudyWarning")

MODELS = [es.MarketModel("MKT"), es.FactorModel(["MKT", "S07"]), es.MeanAdjusted(), es.MarketAdjusted("MKT")]
WINDOWS = [
    (-120, -11),
    (11, 120),
    [(-120, -11), (11, 90)],
    [(-120, -80), (-60, -11)],
    [(20, 50), (60, 120)],
]


@pytest.fixture
def frame(synthetic):
    return synthetic(8, 420, seed=3, missing=0.03, missing_market=0.02)


@pytest.fixture
def events(frame, events_at):
    return events_at(frame, {"S00": 150, "S01": 150, "S02": 160, "S03": 210, "S04": 260, "S05": 290})


def rows_left(position, windows, gone=()):
    """Positions in the panel that an estimation window uses, counted one by one."""
    windows = [windows] if isinstance(windows, tuple) else windows
    return [position + t for a, b in windows for t in range(a, b + 1) if position + t not in gone]


def oracle(frame, ticker, model, position, rows, event=(-5, 5)):
    """Parameters, sigma, n and the standard error of the CAR over the event window, by statsmodels on ``rows``."""
    rows = [row for row in rows if 0 <= row < len(frame)]
    y = frame[ticker].to_numpy()
    span = np.arange(position + event[0], position + event[1] + 1)
    if isinstance(model, es.MarketAdjusted):
        left = (y - frame["MKT"].to_numpy())[rows]
        left = left[~np.isnan(left)]
        sigma2 = (left**2).mean()
        return np.empty(0), sigma2, len(left), (y - frame["MKT"].to_numpy())[span], np.sqrt(sigma2 * len(span))
    x = np.column_stack([np.ones(len(frame)), *(frame[name] for name in model.benchmarks)])
    est = [row for row in rows if not np.isnan(y[row]) and not np.isnan(x[row]).any()]
    found = sm.OLS(y[est], x[est]).fit()
    ar = y[span] - x[span] @ found.params
    total = x[span].sum(0)
    error = np.sqrt(found.mse_resid * len(span) + total @ found.cov_params() @ total)
    return found.params, found.mse_resid, int(found.nobs), ar, error


def check(res, frame, model, rows_of):
    for at, (ticker, position) in enumerate(zip(res.events["ticker"], res.fit.index.position, strict=True)):
        params, sigma2, n, ar, error = oracle(frame, ticker, model, int(position), rows_of(ticker, int(position)))
        np.testing.assert_allclose(res.fit.coef[at], params, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(res.fit.sigma2[at], sigma2, rtol=1e-9)
        assert res.fit.n_obs[at] == n
        np.testing.assert_allclose(res.fit.ar[at], ar, rtol=1e-9, atol=1e-13)
        if not np.isnan(ar).any():
            np.testing.assert_allclose(res.car(-5, 5)["std_error"].iloc[at], error, rtol=1e-9)


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_windows_agree_with_statsmodels(frame, events, study_of, model, windows, engine, monkeypatch):
    monkeypatch.setattr("eventstudy.kernels._use_compiled", _engine(engine))
    res = study_of(frame, events, model, estimation_window=windows, min_obs=40)
    check(res, frame, model, lambda _, position: rows_left(position, windows))
    low = windows[0] if isinstance(windows, tuple) else windows[0][0]
    high = windows[1] if isinstance(windows, tuple) else windows[1][1]
    position = res.fit.index.position
    last = len(frame) - 1
    assert res.parameters["estimation_start"].tolist() == frame.index[np.clip(position + low, 0, last)].tolist()
    assert res.parameters["estimation_end"].tolist() == frame.index[np.clip(position + high, 0, last)].tolist()
    assert "n_excluded" not in res.parameters


def _engine(engine):
    from eventstudy.kernels import _compiled

    return lambda _: None if engine == "numpy" else _compiled()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_named_dates_agree_with_statsmodels(frame, events, study_of, model):
    day = frame.index
    exclude = [day[100], str(day[120].date()), (day[60].date(), day[66]), (np.datetime64("2021-11-06"), "2021-11-09")]
    gone = {100, 120, *range(60, 67), *np.flatnonzero((day >= "2021-11-06") & (day <= "2021-11-09")).tolist()}
    res = study_of(frame, events, model, estimation_window=(-120, -11), exclude=exclude)
    check(res, frame, model, lambda _, position: rows_left(position, (-120, -11), gone))
    there = [
        sum(not np.isnan(frame[t].iloc[row]) for row in gone if position - 120 <= row <= position - 11)
        for t, position in zip(res.events["ticker"], res.fit.index.position, strict=True)
    ]
    assert res.parameters["n_excluded"].tolist() == there


def test_dates_by_ticker_concern_that_ticker_only(frame, events, study_of):
    model = es.MarketModel("MKT")
    gone = {"S00": {100, 101}, "S04": {200}}
    exclude = {name: [frame.index[row] for row in sorted(rows)] for name, rows in gone.items()}
    res = study_of(frame, events, model, estimation_window=(-120, -11), exclude=exclude)
    check(res, frame, model, lambda name, position: rows_left(position, (-120, -11), gone.get(name, ())))
    assert res.manifest["configuration"]["exclude"][0] == ["S00", *2 * [frame.index[100].isoformat()]]


@pytest.mark.parametrize("given", [True, (-2, 8), es.Window(0, 3), "-5:5"])
def test_windows_of_other_events(frame, events_at, study_of, given):
    """S00 has three events, S01 two; each leaves the others' windows out, never its own."""
    table = pd.DataFrame(
        {"ticker": ["S00", "S00", "S00", "S01", "S01", "S02"], "date": frame.index[[140, 200, 230, 150, 180, 200]]}
    )
    around = {True: (-5, 5), "-5:5": (-5, 5), es.Window(0, 3): (0, 3)}.get(given, given)
    model, windows = es.MarketModel("MKT"), [(-120, -11), (11, 60)]
    res = study_of(frame, es.Events.from_frame(table), model, estimation_window=windows, exclude_events=given)
    at = {"S00": (140, 200, 230), "S01": (150, 180), "S02": (200,)}

    def rows(name, position):
        gone = {p + t for p in at[name] if p != position for t in range(around[0], around[1] + 1)}
        return rows_left(position, windows, gone)

    check(res, frame, model, rows)
    assert res.parameters["n_excluded"].gt(0).tolist() == [True] * 5 + [False]


def test_a_dropped_event_still_contaminates(frame, study_of):
    """Its own estimation window is too short; the windows of others leave its days out all the same."""
    table = pd.DataFrame({"ticker": ["S00", "S00"], "date": frame.index[[60, 150]]})
    res = study_of(frame, es.Events.from_frame(table), exclude_events=True, min_obs=80, estimation_window=(-120, -11))
    assert res.dropped["event_id"].tolist() == [1]
    check(res, frame, es.MarketModel("MKT"), lambda _, p: rows_left(p, (-120, -11), range(55, 66)))


def test_everything_downstream_is_that_of_a_panel_without_the_cells(frame, events, study_of):
    """Ranks, r̄, signs, placebo, bootstraps: all tables equal those of the panel with the cells deleted."""
    gone = [100, 101, 120, 121, 122, 130]
    kept = frame.copy()
    kept.iloc[gone, 1:] = np.nan
    # S04 and S05 have sessions of their own kept out
    kept.loc[frame.index[[200, 210, 211]], ["S04"]] = np.nan
    kept.loc[frame.index[[222]], ["S05"]] = np.nan
    exclude = {name: frame.index[gone].tolist() for name in frame.columns[1:]}
    exclude["S04"] = [*exclude["S04"], (frame.index[200], frame.index[200]), *frame.index[[210, 211]]]
    exclude["S05"] = [*exclude["S05"], frame.index[222]]
    options = {"estimation_window": (-110, -11)}
    one = study_of(frame, events, exclude=exclude, **options)
    two = study_of(kept, events, **options)
    for name, table in one.frames([(-1, 2), (0, 0)]).items():
        other = two.frames([(-1, 2), (0, 0)])[name]
        pd.testing.assert_frame_equal(table.drop(columns="n_excluded", errors="ignore"), other, rtol=1e-10)
    assert one.estimation_summary.mean_correlation == pytest.approx(two.estimation_summary.mean_correlation, rel=1e-10)
    for form in ("all", "disjoint"):
        left, right = one.placebo(-1, 2, moves=form), two.placebo(-1, 2, moves=form)
        np.testing.assert_allclose(left.distribution, right.distribution, rtol=1e-9)
        assert (left.p_value, left.n_placebo, left.n_disjoint) == (right.p_value, right.n_placebo, right.n_disjoint)
    steps = (res.car(-1, 2, placebo=True)[["p_placebo", "p_romano_wolf"]] for res in (one, two))
    pd.testing.assert_frame_equal(*steps)
    assert one.block_bootstrap(0, 2, seed=1).p_value == two.block_bootstrap(0, 2, seed=1).p_value


OTHERS = [
    es.ScholesWilliams("MKT"),
    es.Dimson("MKT", 2, 1),
    es.RobustMarketModel("MKT"),
    es.RobustMarketModel("MKT", "theil-sen"),
    es.EWMAMarketModel("MKT", 40),
    es.RollingMarketModel("MKT", 90),
    es.GARCHMarketModel("MKT"),
    es.PeerPortfolio(["S06", "S07"]),
    es.SyntheticControl(["S06", "S07", "MKT"]),
    es.LatentFactors(2, ["S05", "S06", "S07", "MKT"]),
]


@pytest.mark.parametrize("model", OTHERS, ids=lambda model: model.name)
def test_dates_kept_out_are_missing_for_every_model(synthetic, events_at, study_of, model):
    """No model reads a session that is kept out, neither of the security nor of a benchmark, peer or donor."""
    frame = synthetic(8, 300, seed=5)
    events = events_at(frame, dict.fromkeys(["S00", "S01", "S02"], 200))
    gone = [70, *range(100, 106), 150, 151, 188]
    kept, wild = frame.copy(), frame.copy()
    kept.iloc[gone] = np.nan
    wild.iloc[gone] = np.random.default_rng(2).uniform(-0.5, 0.5, (len(gone), frame.shape[1]))
    options = {"estimation_window": (-150, -11), "min_obs": 60}
    exclude = [frame.index[row] for row in gone]
    deleted = study_of(kept, events, model, **options)
    for shown in (frame, wild):
        res = study_of(shown, events, model, **options, exclude=exclude)
        for name in ("coef", "ar", "sigma2", "n_obs"):
            found, want = getattr(res.fit, name), getattr(deleted.fit, name)
            np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-13, err_msg=name)
        for window in ((0, 0), (-3, 5)):
            pd.testing.assert_frame_equal(res.car(*window), deleted.car(*window), rtol=1e-9)
    assert np.isfinite(deleted.car(-3, 5)["std_error"]).all()


@pytest.mark.parametrize(
    ("model", "windows"),
    [
        (m, w)
        for m in OTHERS
        for w in ([(-100, -11), (11, 90)], (11, 150))
        if m.name != "garch" and not (m.name == "rolling" and isinstance(w, list))
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_windows_after_the_event_are_those_of_reversed_time(synthetic, events_at, study_of, model, windows):
    """Time has no direction in these models: mirrored returns and windows give mirrored abnormal returns.

    A rolling beta on both sides takes the later of two sessions that are equally near, and GARCH only looks ahead.
    """
    if model.name.startswith("dimson"):
        model = es.Dimson("MKT", 1, 1)  # a lead is a lag in the mirror
    frame = synthetic(8, 300, seed=6)
    position = 150
    events = events_at(frame, dict.fromkeys(["S00", "S01", "S02"], position))
    mirror = pd.DataFrame(frame.to_numpy()[::-1], frame.index, frame.columns)
    turned = events_at(mirror, dict.fromkeys(["S00", "S01", "S02"], len(frame) - 1 - position))
    parts = [windows] if isinstance(windows, tuple) else windows
    back = [(-end, -start) for start, end in parts[::-1]]
    one = study_of(frame, events, model, estimation_window=windows, event_window=(-5, 5), min_obs=60)
    two = study_of(
        mirror, turned, model, estimation_window=back if len(back) == 2 else back[0], event_window=(-5, 5), min_obs=60
    )
    np.testing.assert_allclose(one.fit.ar, two.fit.ar[:, ::-1], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(one.fit.sigma2, two.fit.sigma2, rtol=1e-9)
    left, right = one.car(-2, 4), two.car(-4, 2)
    np.testing.assert_allclose(left["std_error"], right["std_error"], rtol=1e-8)
    np.testing.assert_allclose(left["car"], right["car"], rtol=1e-7, atol=1e-11)


def test_a_hole_is_like_excluded_sessions(frame, events_at, study_of):
    """Events on one date: two windows before it, or one window and the sessions between left out by date."""
    events = events_at(frame, dict.fromkeys(["S00", "S01", "S02", "S03"], 200))
    two = study_of(frame, events, estimation_window=[(-150, -91), (-60, -11)])
    out = (frame.index[200 - 90], frame.index[200 - 61])
    one = study_of(frame, events, estimation_window=(-150, -11), exclude=[out])
    for name, table in two.frames([(-1, 2), (0, 0)]).items():
        other = one.frames([(-1, 2), (0, 0)])[name]
        pd.testing.assert_frame_equal(table, other.drop(columns="n_excluded", errors="ignore"), rtol=1e-12)
    left, right = two.placebo(-1, 2), one.placebo(-1, 2)
    has, known = (~np.isnan(found.distribution) for found in (left, right))
    np.testing.assert_allclose(left.distribution[has], right.distribution[known], rtol=1e-12)
    np.testing.assert_array_equal(left.first[has], right.first[known])
    assert left.p_value == right.p_value


def test_placebo_windows_do_not_straddle_the_hole(synthetic, events_at, study_of):
    frame = synthetic(4, 300, seed=1)
    events = events_at(frame, {"S00": 150, "S01": 150, "S02": 150})
    res = study_of(frame, events, estimation_window=[(-60, -11), (11, 50)], min_obs=40)
    columns = np.arange(-60, 51)
    for length in (1, 4, 7):
        found = res.placebo(0, length - 1) if length <= 6 else res.placebo(-1, 5)
        spans = [columns[first : first + length] for first in found.first]
        assert all(span[-1] <= -11 or span[0] >= 11 for span in spans)
        assert found.n_placebo == len(found.first) == 50 - length + 1 + 40 - length + 1
        assert found.n_disjoint == 50 // length + 40 // length
        alone = res.placebo(0, length - 1, moves="disjoint") if length <= 6 else res.placebo(-1, 5, moves="disjoint")
        assert alone.n_placebo == alone.n_disjoint == 50 // length + 40 // length
    short = study_of(frame, events, estimation_window=[(-60, -58), (11, 14)], min_obs=5)
    assert "does not fit into the estimation window of 3 and 4" in short.placebo(-2, 2).reason


def test_grank_counts_the_sessions_that_are_left(synthetic, events_at, study_of):
    """Degrees of freedom T − 2: with 50 and 40 sessions, 91 − 2."""
    frame = synthetic(4, 300, seed=1)
    events = events_at(frame, {"S00": 150, "S01": 150, "S02": 150})
    res = study_of(frame, events, estimation_window=[(-60, -11), (11, 50)], min_obs=40)
    assert res.tests(0, 1).loc["grank_t", "df"] == 50 + 40 + 1 - 2
    assert res.tests(0, 1).loc["time_series_t", "df"] == 50 + 40 - 1


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("p", [0, 1, 3])
def test_kernel_with_a_mask_is_the_kernel_on_deleted_cells(engine, p):
    rng = np.random.default_rng(p)
    values, factors = rng.normal(size=(20, 120)), rng.normal(size=(p, 120))
    security, position = np.arange(20), rng.integers(30, 130, 20)
    keep = rng.random((20, 60)) < 0.8
    holed = values.copy()
    for i in range(20):
        for j in np.flatnonzero(~keep[i]):
            if 0 <= position[i] - 65 + j < 120:
                holed[i, position[i] - 65 + j] = np.nan
    design = LinearDesign(factors, None, True)
    where = (design, security, position, (-65, -6), (-3, 3), 10)
    one = fit_linear(values, *where, keep=lambda part: keep[part], engine=engine)
    two = fit_linear(holed, *where, engine=engine)
    for name in LinearArrays.__slots__:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-11, atol=1e-14, err_msg=name)
    args = (design, one.coef, security, position, (-65, -6))
    left = estimation_residuals(values, *args, keep=lambda part: keep[part], engine=engine)
    np.testing.assert_array_equal(left, estimation_residuals(holed, *args, engine=engine))


def test_median_and_deviation_decide_what_is_an_outlier(synthetic, events_at, study_of):
    """Counted again, event by event, with scipy; sigma is that of statsmodels over the root of the share left."""
    frame = synthetic(6, 300, seed=5, missing=0.02)
    frame.iloc[[60, 90], 2] += 0.4
    frame.iloc[100, 3] -= 0.3
    events = events_at(frame, {"S00": 200, "S01": 200, "S02": 210})
    plain = study_of(frame, events, estimation_window=(-160, -11))
    res = study_of(frame, events, estimation_window=(-160, -11), outliers=3)
    counts = []
    for at, (name, position) in enumerate(zip(res.events["ticker"], res.fit.index.position, strict=True)):
        e = plain.fit.residuals(np.array([at]))[0]
        scale = stats.median_abs_deviation(e, scale="normal", nan_policy="omit")
        away = np.abs(e - np.nanmedian(e)) > 3 * scale
        gone = set((position - 160 + np.flatnonzero(away)).tolist())
        counts.append(len(gone))
        rows = rows_left(int(position), (-160, -11), gone)
        params, sigma2, n, _, _ = oracle(frame, name, es.MarketModel("MKT"), int(position), rows)
        np.testing.assert_allclose(res.fit.coef[at], params, rtol=1e-9)
        assert res.fit.n_obs[at] == n
        np.testing.assert_allclose(res.fit.sigma2[at], sigma2 / stats.truncnorm(-3, 3).var(), rtol=1e-9)
    assert res.parameters["n_excluded"].tolist() == counts
    assert counts[1] >= 2
    assert "too small where tails are fat" in " ".join(res.caveats())


@pytest.mark.parametrize("limit", [2.0, 3.0, 6.0])
def test_share_left_is_that_of_the_truncated_normal(limit):
    assert trimmed_share(limit) == pytest.approx(stats.truncnorm(-limit, limit).var(), rel=1e-12)


def test_sigma_is_consistent_for_normal_errors(events_at, study_of):
    """300 normal securities cut at two deviations: without the correction sigma² would be 23 % too small."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.02, (300, 301))
    frame = pd.DataFrame(values, index=pd.bdate_range("2020", periods=300), columns=[f"S{i}" for i in range(301)])
    frame = frame.rename(columns={"S300": "MKT"})
    events = events_at(frame, dict.fromkeys([f"S{i}" for i in range(300)], 280))
    res = study_of(frame, events, estimation_window=(-270, -21), outliers=2)
    assert res.fit.sigma2.mean() == pytest.approx(0.02**2, rel=0.02)


def test_standard_errors_of_parameters_are_made_consistent_too(synthetic, events_at, study_of):
    """A rolling model of the whole window is the market model, whose errors come from another kernel."""
    frame = synthetic(3, 260, seed=5)
    events = events_at(frame, dict.fromkeys(["S00", "S01", "S02"], 180))
    models = (es.MarketModel("MKT"), es.RollingMarketModel("MKT", 120))
    first, second = (study_of(frame, events, model, outliers=2.5).coefficients() for model in models)
    pd.testing.assert_frame_equal(first, second, rtol=1e-8)


def test_clean_returns_lose_nothing(synthetic, events_at, study_of):
    frame = synthetic(3, 300, seed=2)
    events = events_at(frame, {"S00": 200, "S01": 200})
    plain, res = (study_of(frame, events, outliers=k) for k in (None, 30))
    np.testing.assert_allclose(res.fit.sigma2, plain.fit.sigma2, rtol=1e-12)
    assert res.parameters["n_excluded"].tolist() == [0, 0]


def test_founding_case_without_the_sell_off(sample_panel, study_of):
    """Announced on 29 January; the sell-off of the 27th is no normal day, named or by the security's other event."""
    names = ["MSFT", "NVDA", "GOOGL", "META", "AMZN"]
    stamp = "2025-01-29 04:46"
    events = es.Events.at(stamp, names, tz="America/New_York")
    windows = {"estimation_window": (-250, -1), "event_window": (0, 5)}
    frame = sample_panel.to_frame()
    day = frame.index.get_loc("2025-01-29")
    res = study_of(sample_panel, events, es.MarketModel("SPY"), exclude=["2025-01-27"], **windows)
    both = es.Events.concat([events, es.Events.at("2025-01-27", names)], renumber=True)
    other = study_of(sample_panel, both, es.MarketModel("SPY"), exclude_events=(0, 0), **windows)
    other = other.select(mask=other.fit.index.position == day)
    holed = study_of(
        sample_panel, events, es.MarketModel("SPY"), **windows | {"estimation_window": [(-250, -3), (-1, -1)]}
    )
    for found in (res, other, holed):
        for at, name in enumerate(names):
            rows = [row for row in range(day - 250, day) if frame.index[row] != pd.Timestamp("2025-01-27")]
            x = sm.add_constant(frame["SPY"].to_numpy())
            fit = sm.OLS(frame[name].to_numpy()[rows], x[rows]).fit()
            span = slice(day, day + 2)
            car = (frame[name].to_numpy()[span] - x[span] @ fit.params).sum()
            total = x[span].sum(0)
            error = np.sqrt(2 * fit.mse_resid + total @ fit.cov_params() @ total)
            row = found.car(0, 1).iloc[at]
            np.testing.assert_allclose([row["car"], row["std_error"], row["df"]], [car, error, 247], rtol=1e-9)
    # NVDA lost 17 % that day: with it, the yardstick is wider
    with_it = study_of(sample_panel, events, es.MarketModel("SPY"), **windows)
    sigma = [found.parameters.set_index("ticker").loc["NVDA", "sigma"] for found in (with_it, res)]
    assert sigma[0] > 1.04 * sigma[1]


def many_events():
    rng = np.random.default_rng(7)
    market = rng.standard_normal(700) * 0.01
    values = rng.standard_normal((30, 700)) * 0.02 + market
    values[0] = market
    values[1:][rng.random((29, 700)) < 0.05] = np.nan
    names = pd.Index([f"S{i}" for i in range(30)], dtype=object)
    panel = es.ReturnPanel(values, names, pd.bdate_range("2015-01-01", periods=700))
    cell = rng.choice(29 * 400, 300, replace=False)
    events = es.Events.from_frame(
        pd.DataFrame({"ticker": [f"S{1 + i}" for i in cell // 400], "timestamp": panel.sessions[cell % 400 + 200]})
    )
    return es.EventStudy(
        panel,
        events,
        es.MarketModel("S0"),
        estimation_window=[(-150, -11), (11, 60)],
        min_obs=60,
        exclude=[panel.sessions[250], (panel.sessions[300], panel.sessions[310])],
        exclude_events=True,
        outliers=4,
    )


def test_chunks_threads_and_processes_agree():
    study = many_events()
    local = study.fit()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        others = [study.fit(chunk_size=size) for size in (1, 41)] + [study.fit(executor=processes, chunk_size=150)]
    for other in others:
        for name in LinearArrays.__slots__:
            np.testing.assert_array_equal(getattr(local.fit.arrays, name), getattr(other.fit.arrays, name))
        pd.testing.assert_frame_equal(local.tests(-1, 1), other.tests(-1, 1), check_exact=True)


def test_only_what_is_read_travels():
    """10,000 × 10,000 cells and events on a few of them: kilobytes, and the same mask on arrival."""
    usable = np.ones((10_000, 10_000), dtype=bool)
    usable[:, 5_000] = False
    index = EventIndex(np.array([3, 77, 9_999]), np.array([5_050, 5_100, 5_040]), *_span((-120, -11)), usable=usable)
    sent = pickle.dumps(index)
    assert len(sent) < 2_000
    arrived = pickle.loads(sent)
    np.testing.assert_array_equal(arrived.estimation_mask(), index.estimation_mask())
    usable[77, 5_010] = False
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(index)).estimation_mask(), index.estimation_mask())
    assert (~index.estimation_mask()).sum(1).tolist() == [1, 2, 1]


def _span(estimation):
    return estimation_span(estimation)[0], es.Window(-5, 5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([(-100, -11), (11, 50), (60, 70)], "has 3 windows; one or two"),
        ([(11, 50), (-100, -11)], "overlap or are not in order"),
        ([(-100, -11), (-11, 50)], "overlap or are not in order"),
        ([(-100, -11), (0, 50)], r"Estimation window \[0, \+50\] shares sessions"),
        ([(-100, -1), (21, 50)], r"Estimation window \[-100, -1\] shares sessions"),
        ([(-50, -11), (11, 20)], "has 50 sessions, fewer than min_obs=60"),
        ([(-100, -11), 5], "5 is not a window"),
    ],
)
def test_windows_refused(frame, events, study_of, given, says):
    with pytest.raises(es.WindowError, match=says):
        study_of(frame, events, estimation_window=given)


def test_windows_that_touch_are_one():
    assert estimation_span([(-100, -51), (-50, -11)]) == (es.Window(-100, -11), None)
    assert estimation_span("-270:-21,21:140") == (es.Window(-270, 140), es.Window(-20, 20))
    assert estimation_span(["-270:-21", es.Window(21, 140)]) == (es.Window(-270, 140), es.Window(-20, 20))
    assert estimation_span([(-30, -21)]) == (es.Window(-30, -21), None)
    assert estimation_span("-10,-5") == (es.Window(-10, -5), None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"exclude": ["2021-03-06", "2021-03-08", "2020-01-01"]}, "names 2021-03-06, 2020-01-01: no session"),
        ({"exclude": [("2021-03-06", "2021-03-07")]}, "names 2021-03-06 to 2021-03-07: no session"),
        ({"exclude": [("2021-03-07", "2021-03-06")]}, "are reversed"),
        ({"exclude": ("2021-03-08", "2021-03-09")}, "may be two dates or a range"),
        ({"exclude": ["2021-03-08 10:00"]}, "'2021-03-08 10:00' is not a date"),
        ({"exclude": ["soon"]}, "'soon' is not a date"),
        ({"exclude": [5]}, "neither a date nor a pair"),
        ({"exclude": 5}, "is not a list of dates"),
        ({"exclude": {"NOPE": ["2021-03-08"]}}, "no security 'NOPE'"),
        ({"exclude": {"MKT": ["2021-03-08"]}}, "which is a benchmark"),
        ({"exclude": {"S00": ["2021-03-06"]}}, "names 2021-03-06 for S00"),
        ({"exclude_events": (-20, 5)}, r"reaches into the event's own estimation window \[-130, -11\]"),
        ({"exclude_events": 3}, "3 is not a window"),
        ({"outliers": 1.5}, "robust standard deviations from 2 on"),
        ({"outliers": True}, "robust standard deviations from 2 on"),
        ({"outliers": "winsorize"}, "RobustMarketModel"),
    ],
)
def test_options_refused(frame, events, study_of, options, says):
    with pytest.raises(es.InputError, match=says):
        study_of(frame, events, **options)


def test_reasons_name_what_was_kept_out(frame, events_at, study_of):
    events = events_at(frame, {"S00": 150, "S01": 380})
    gone = (frame.index[40], frame.index[130])
    res = study_of(frame, events, exclude=[gone], estimation_window=(-120, -11), min_obs=60)
    assert res.dropped["reason"].str.contains(r"\d\d were kept out as asked").all()
    after = study_of(frame, events, estimation_window=(11, 130), min_obs=60)
    assert after.dropped["ticker"].tolist() == ["S01"]
    assert "the data end 91 sessions before the window does" in after.dropped["reason"].iloc[0]
    assert "Load later prices" in after.dropped["reason"].iloc[0]


def test_warned_of_windows_beyond_the_data(frame, events_at):
    events = events_at(frame, {"S00": 380})
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events, es.MarketModel("MKT"), [(-120, -11), (11, 60)], (-5, 5), min_obs=60
    )
    with pytest.warns(es.ThinWindowWarning, match=r"1 estimation windows reach beyond the data.*\[-120, -11\] and \["):
        study.fit()


def test_shown_where_the_study_is_described(frame, events, study_of, tmp_path):
    res = study_of(frame, events, estimation_window=[(-120, -11), (11, 60)], exclude_events=True, outliers=5)
    assert "estimation [-120, -11] and [+11, +60]" in repr(res)
    assert "estimation [-120, -11] and [+11, +60]" in str(res.summary((0, 1)))
    assert "−120 to −11 and +11 to +60" in res.plot.note()
    written = json.loads((res.to_csv(tmp_path) / "manifest.json").read_text())["configuration"]
    assert written["estimation_window"] == [[-120, -11], [11, 60]]
    assert (written["exclude_events"], written["outliers"]) == ([-5, 5], 5.0)
    plain = study_of(frame, events).manifest["configuration"]
    assert plain["estimation_window"] == [-130, -11]
    assert {"exclude", "exclude_events", "outliers"}.isdisjoint(plain)
