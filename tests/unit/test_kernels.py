"""The compiled and the numpy engine against each other, and both against ``numpy.linalg.lstsq`` event by event."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from eventstudy import kernels
from eventstudy.kernels import (
    OK,
    SINGULAR,
    TOO_FEW,
    ZERO_VARIANCE,
    LinearDesign,
    ResidualSums,
    chunks,
    estimation_residuals,
    fit_linear,
    window_sums,
)

# Well-conditioned least squares in double precision: engines differ in the order of sums only.
RTOL = 1e-10
EST, EVENT = (-100, -11), (-5, 5)
ENGINES = ("numpy", "compiled")
WINDOWS = [(0, 0), (-1, 1), (-5, 5), (2, 4)]


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def market(seed, p, *, n=12, sessions=240, missing=0.0, scale=1.0, noise=0.02):
    """Securities driven by ``p`` factors, an offset, and holes in all three."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0.0004, 0.01, (p, sessions))
    if p > 1:
        factors[1] += 0.6 * factors[0]
    offset = rng.normal(0, 0.004, sessions)
    values = rng.normal(0, 1, (n, p)) @ factors + offset + rng.normal(0, noise, (n, sessions)) + 0.001
    for array in (values, factors, offset):
        array[rng.random(array.shape) < missing] = np.nan
    return values * scale, factors * scale, offset * scale


def places(seed, n, sessions, count=60):
    """Events anywhere, also where windows leave the data at either end."""
    rng = np.random.default_rng(seed)
    position = np.concatenate([[0, 3, 40, sessions - 1, sessions - 4], rng.integers(0, sessions, count - 5)])
    return rng.integers(0, n, count).astype(np.int64), position.astype(np.int64)


def lstsq(values, design, security, position, est=EST, event=EVENT):
    """Reference of one event: explicit design matrix, SVD least squares, inverse of X'X by its own factor."""
    sessions = values.shape[1]

    def column(row, t):
        return row[t] if 0 <= t < sessions else np.nan

    def rows(window):
        y, x = [], []
        for tau in range(window[0], window[1] + 1):
            t = position + tau
            shift = 0.0 if design.offset is None else column(design.offset, t)
            y.append(column(values[security], t) - shift)
            x.append(([1.0] if design.intercept else []) + [column(factor, t) for factor in design.factors])
        return np.array(y), np.array(x, dtype=float).reshape(len(y), -1)

    y, x = rows(est)
    ok = ~(np.isnan(y) | np.isnan(x).any(1))
    y_event, x_event = rows(event)
    m, k = ok.sum(), x.shape[1]
    if m <= k:
        return m, None
    unit = np.sqrt((x[ok] ** 2).sum(0)) if k else np.ones(0)
    coef = np.linalg.lstsq(x[ok] / unit, y[ok], rcond=None)[0] / unit if k else np.empty(0)
    residuals = np.where(ok, y - x @ coef, np.nan)
    sigma2 = np.nansum(residuals**2) / (m - k)
    total = ((y[ok] - (y[ok].mean() if design.intercept else 0.0)) ** 2).sum()
    pinv = np.linalg.pinv(x[ok] / unit) / unit[:, None] if k else np.empty((0, m))
    return m, {
        "coef": coef,
        "sigma2": sigma2,
        "r2": 1 - np.nansum(residuals**2) / total if k else np.nan,
        "ar": y_event - x_event @ coef,
        "x_event": x_event,
        "inverse": pinv @ pinv.T,
        "residuals": residuals,
    }


DESIGNS = [
    pytest.param(p, intercept, shifted, id=f"p{p}{'-const' if intercept else ''}{'-offset' if shifted else ''}")
    for p in (0, 1, 2, 4)
    for intercept in (True, False)
    for shifted in (False, True)
]


@pytest.mark.parametrize(("p", "intercept", "shifted"), DESIGNS)
@pytest.mark.parametrize(("missing", "scale"), [(0.0, 1.0), (0.15, 1.0), (0.05, 1e-6), (0.05, 500.0)])
def test_engines_against_least_squares(p, intercept, shifted, missing, scale):
    values, factors, offset = market(p, p, missing=missing, scale=scale)
    design = LinearDesign(factors, offset if shifted else None, intercept)
    security, position = places(p + 50, len(values), values.shape[1])
    fits = {e: fit_linear(values, design, security, position, EST, EVENT, 20, engine=e) for e in ENGINES}
    np.testing.assert_array_equal(fits["numpy"].status, fits["compiled"].status)
    np.testing.assert_array_equal(fits["numpy"].n_obs, fits["compiled"].n_obs)
    assert {OK, TOO_FEW} == set(fits["numpy"].status.tolist())
    for e, fit in fits.items():
        sums = {
            (w, skip): window_sums(fit, design, position, EVENT[0], w, skip_missing=skip, engine=e)
            for w in WINDOWS
            for skip in (False, True)
        }
        residuals = estimation_residuals(values, design, fit.coef, security, position, EST, engine=e)
        for i in range(len(security)):
            m, expected = lstsq(values, design, security[i], position[i])
            assert fit.n_obs[i] == m
            assert (fit.status[i] == OK) == (m >= 20)
            if m < 20:
                assert np.isnan(fit.ar[i]).all()
                assert np.isnan(fit.sigma2[i])
                assert np.isnan(fit.coef[i]).all()
                continue
            near = {"rtol": RTOL, "atol": 1e-13 * scale}
            np.testing.assert_allclose(fit.coef[i][int(intercept) :], expected["coef"][int(intercept) :], rtol=RTOL)
            np.testing.assert_allclose(fit.coef[i][: int(intercept)], expected["coef"][: int(intercept)], **near)
            np.testing.assert_allclose(fit.sigma2[i], expected["sigma2"], rtol=RTOL)
            np.testing.assert_allclose(fit.r2[i], expected["r2"], rtol=1e-9, atol=1e-13)
            np.testing.assert_allclose(fit.ar[i], expected["ar"], **near)
            np.testing.assert_allclose(residuals[i], expected["residuals"], **near)
            for ((first, last), skip), found in sums.items():
                part = slice(first - EVENT[0], last - EVENT[0] + 1)
                there = ~np.isnan(expected["ar"][part])
                assert found.n_used[i] == there.sum()
                if there.sum() == 0 or (not there.all() and not skip):
                    assert np.isnan([found.car[i], found.scale[i]]).all()
                    continue
                total = expected["x_event"][part][there].sum(0)
                np.testing.assert_allclose(found.car[i], expected["ar"][part][there].sum(), **near)
                np.testing.assert_allclose(found.scale[i], there.sum() + total @ expected["inverse"] @ total, rtol=RTOL)


@pytest.mark.parametrize("p", [1, 3])
@pytest.mark.parametrize("noise", [1e-2, 1e-5, 1e-7])
def test_nearly_perfect_fit(engine, p, noise):
    """R² up to 1 − 1e-9 and beyond: the residual variance must not be a difference of large sums."""
    values, factors, offset = market(7, p, noise=noise)
    values -= offset
    design = LinearDesign(factors, None, True)
    security, position = np.arange(12), np.full(12, 150)
    fit = fit_linear(values, design, security, position, EST, EVENT, 20, engine=engine)
    assert (fit.status == OK).all()
    if noise == 1e-7:
        assert (1 - fit.r2 < 1e-9).sum() >= 6
    # data of size 1e-2 round at 1e-18, so residuals of size `noise` are known to 1e-18/noise
    for i in range(12):
        _, expected = lstsq(values, design, i, 150)
        np.testing.assert_allclose(fit.sigma2[i], expected["sigma2"], rtol=max(1e-12, 1e-16 / noise))
        np.testing.assert_allclose(fit.ar[i], expected["ar"], atol=1e-16, rtol=RTOL)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("jump", [0.9, -0.9, 50.0])
def test_an_outlier_in_the_first_row(engine, p, jump):
    """The first usable return is far from all others, which a one-pass sum about it must survive."""
    values, factors, offset = market(6, p, noise=1e-4)
    values -= offset
    values[:, 50] = jump
    factors[0, 50] = jump / 2
    design = LinearDesign(factors, None, True)
    fit = fit_linear(values, design, np.arange(12), np.full(12, 150), EST, EVENT, 20, engine=engine)
    assert (fit.status == OK).all()
    for i in range(12):
        _, expected = lstsq(values, design, i, 150)
        np.testing.assert_allclose(fit.sigma2[i], expected["sigma2"], rtol=RTOL)
        np.testing.assert_allclose(fit.coef[i, 1:], expected["coef"][1:], rtol=RTOL)
        np.testing.assert_allclose(fit.ar[i], expected["ar"], rtol=RTOL, atol=1e-15 * abs(jump))


@pytest.mark.parametrize("overlap", [0.9, 0.999, 0.99999])
def test_nearly_collinear_factors(engine, overlap):
    """Two factors of the given correlation: abnormal returns and variances stay right to 1e-10 or the conditioning."""
    values, factors, _ = market(8, 2)
    factors[1] = overlap * factors[0] + np.sqrt(1 - overlap**2) * factors[1]
    design = LinearDesign(factors, None, True)
    fit = fit_linear(values, design, np.arange(12), np.full(12, 150), EST, EVENT, 20, engine=engine)
    sums = window_sums(fit, design, np.full(12, 150), EVENT[0], (-5, 5), engine=engine)
    assert (fit.status == OK).all()
    for i in range(12):
        _, expected = lstsq(values, design, i, 150)
        total = expected["x_event"].sum(0)
        np.testing.assert_allclose(fit.sigma2[i], expected["sigma2"], rtol=RTOL)
        np.testing.assert_allclose(fit.ar[i], expected["ar"], rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(sums.scale[i], 11 + total @ expected["inverse"] @ total, rtol=RTOL)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 10.0])
def test_degenerate_series_are_named(engine, p, scale):
    values, factors, _ = market(9, p, scale=scale)
    values[0] = 0.01 * scale  # constant price growth
    values[1] = 0.0  # the price does not move
    values[2] = 1.7 * factors[0] + 0.003 * scale  # exactly the benchmark, levered
    values[3] = factors[0]
    fit = fit_linear(
        values, LinearDesign(factors, None, True), np.arange(12), np.full(12, 150), EST, EVENT, 20, engine=engine
    )
    assert fit.status.tolist() == [ZERO_VARIANCE] * 4 + [OK] * 8
    for name in ("ar", "coef", "sigma2", "r2", "center", "inverse"):
        assert np.isnan(getattr(fit, name)[:4]).all(), name
        assert np.isfinite(getattr(fit, name)[4:]).all(), name
    assert (fit.n_obs == 90).all()


@pytest.mark.parametrize("intercept", [True, False])
def test_degenerate_regressors_are_named(engine, intercept):
    values, factors, _ = market(10, 2)
    for second in (2.0 * factors[0], np.zeros_like(factors[0]), factors[0] * (1 + 1e-15)):
        design = LinearDesign(np.stack([factors[0], second]), None, intercept)
        fit = fit_linear(values, design, np.arange(12), np.full(12, 150), EST, EVENT, 20, engine=engine)
        assert (fit.status == SINGULAR).all()
    flat = LinearDesign(np.full((1, values.shape[1]), 0.004), None, True)  # varies only without a constant beside it
    assert (
        fit_linear(values, flat, np.arange(12), np.full(12, 150), EST, EVENT, 20, engine=engine).status == SINGULAR
    ).all()


def test_a_security_that_is_the_offset_has_no_variance(engine):
    values, _, offset = market(11, 0)
    values[0] = offset
    design = LinearDesign(np.empty((0, len(offset))), offset, False)
    fit = fit_linear(values, design, np.arange(2), np.full(2, 150), EST, EVENT, 20, engine=engine)
    assert fit.status.tolist() == [ZERO_VARIANCE, OK]


@pytest.mark.parametrize("p", [0, 1, 3])
def test_fewest_rows(engine, p):
    """K + 1 rows at least, whatever is asked for; exactly ``min_obs`` rows are enough."""
    values, factors, _ = market(12, p)
    values[0, :] = np.nan
    values[0, 60 : 60 + p + 1] = 0.01  # K rows: a perfect fit, not an estimate
    values[1, 50:] = np.nan
    values[1, 52:72] = np.linspace(0, 0.02, 20) ** 2
    for min_obs, status in ((1, [TOO_FEW, OK]), (20, [TOO_FEW, OK]), (21, [TOO_FEW, TOO_FEW])):
        fit = fit_linear(
            values, LinearDesign(factors, None, True), np.arange(2), np.full(2, 150), EST, EVENT, min_obs, engine=engine
        )
        assert fit.n_obs.tolist() == [p + 1, 20]
        assert fit.status.tolist() == status


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_many_events_share_the_work(monkeypatch, p, missing):
    """However events are dealt out to threads, and in whatever company one comes: the same bits."""
    values, factors, _ = market(13, p, sessions=900, missing=missing)
    values[3, 400:] = 1.7 * factors[0, 400:] + 1e-6 * values[3, 400:]  # hardly a residual
    values[4] += 5.0  # a mean that is large beside the spread
    design = LinearDesign(factors, None, True)
    security, position = places(14, len(values), values.shape[1], 3000)
    order = np.random.default_rng(15).permutation(3000)
    for e in ENGINES:
        whole = fit_linear(values, design, security, position, EST, EVENT, 20, engine=e)
        assert {OK, TOO_FEW} <= set(whole.status.tolist())
        monkeypatch.setattr(kernels, "CHUNK", 77)
        monkeypatch.setattr(kernels, "_NUMPY_CHUNK", 1_000)
        parts = fit_linear(values, design, security, position, EST, EVENT, 20, engine=e)
        monkeypatch.undo()
        mixed = fit_linear(values, design, security[order], position[order], EST, EVENT, 20, engine=e)
        few = fit_linear(values, design, security[order[:9]], position[order[:9]], EST, EVENT, 20, engine=e)
        for name in whole.__slots__:
            mine = getattr(whole, name)
            np.testing.assert_array_equal(mine, getattr(parts, name), err_msg=name)
            np.testing.assert_array_equal(mine[order], getattr(mixed, name), err_msg=name)
            np.testing.assert_array_equal(mine[order[:9]], getattr(few, name), err_msg=name)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_residual_sums_of_both_engines(missing):
    rng = np.random.default_rng(18)
    rows = rng.normal(0, 0.02, (30, 80)) + rng.normal(0, 0.01, 80)
    rows[rng.random(rows.shape) < missing] = np.nan
    rows[:, 33] = np.nan
    dates, group = np.unique(rng.integers(100, 180, 30), return_inverse=True)
    weight = rng.uniform(0.5, 3, 30)
    found = []
    for e in ENGINES:
        sums = ResidualSums.zeros(len(dates), 80)
        sums.add(rows[:11], group[:11], weight[:11], engine=e)
        sums.add(rows[11:], group[11:], weight[11:], engine=e)
        found.append((sums, [sums.meetings(dates, shared, engine=e) for shared in (1, 30, 79)]))
    for name in ("total", "total_weight", "scores", "counts"):
        one, two = (getattr(sums, name) for sums, _ in found)
        np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-13, err_msg=name)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-10)


def test_no_events(engine):
    values, factors, _ = market(15, 1)
    none = np.empty(0, np.int64)
    fit = fit_linear(values, LinearDesign(factors, None, True), none, none, EST, EVENT, 20, engine=engine)
    assert fit.ar.shape == (0, 11)
    assert len(window_sums(fit, LinearDesign(factors, None, True), none, -5, (0, 1), engine=engine).car) == 0


def test_inputs_are_not_written(engine):
    values, factors, offset = market(16, 2, missing=0.1)
    for array in (values, factors, offset):
        array.flags.writeable = False
    before = [array.copy() for array in (values, factors, offset)]
    fit_linear(values, LinearDesign(factors, offset, True), *places(17, 12, 240), EST, EVENT, 20, engine=engine)
    for array, copy in zip((values, factors, offset), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_chunks_cover_the_range():
    assert [list(range(10))[part] for part in chunks(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(chunks(0, 4)) == []


STUDY = """
import warnings; warnings.simplefilter("ignore")
import eventstudy as es
from eventstudy.kernels import _compiled
panel = es.ReturnPanel.from_prices(es.load_prices(["NVDA", "MSFT", "AMD", "SPY", "SMH"], source="sample"))
for model in (es.MarketModel("SPY"), es.FactorModel(["SPY", "SMH"])):
    res = es.EventStudy(panel, es.Events.at("2025-01-27", ["NVDA", "MSFT", "AMD"]), model, (-250, -21)).fit()
    table = res.car(-1, 1)[["car", "std_error", "t", "p_value"]].to_numpy().ravel().tolist()
    print(_compiled() is None, table + res.tests(-10, 10)["statistic"].tolist())
"""


def test_the_engine_can_be_chosen_by_the_environment():
    outputs = []
    for value in ("numpy", ""):
        environment = {**os.environ, "EVENTSTUDY_ENGINE": value}
        done = subprocess.run(
            [sys.executable, "-c", STUDY], env=environment, capture_output=True, text=True, check=True
        )
        outputs.append([line.split(" ", 1) for line in done.stdout.splitlines()])
    assert [flag for flag, _ in outputs[0]] == ["True", "True"]
    assert [flag for flag, _ in outputs[1]] == ["False", "False"]
    for (_, plain), (_, compiled) in zip(*outputs, strict=True):
        plain, compiled = (np.array(eval(text, {"nan": np.nan})) for text in (plain, compiled))
        np.testing.assert_allclose(plain, compiled, rtol=RTOL)


@pytest.mark.parametrize("p", [0, 1, 3])
def test_events_beyond_the_panel(p):
    """Of an event session that the panel lacks, what the windows still reach is read."""
    values, factors, _ = market(21, 3, sessions=300, missing=0.02)
    design = LinearDesign(factors[:p], None, True)
    security, position = np.array([0, 1, 2, 3, 4]), np.array([-500, -3, 305, 299, 900])
    plain, quick = (
        fit_linear(values, design, security, position, (-80, -11), (-5, 5), 20, engine=engine)
        for engine in ("numpy", "compiled")
    )
    assert quick.status.tolist() == plain.status.tolist() == [TOO_FEW, TOO_FEW, OK, OK, TOO_FEW]
    for name in ("ar", "coef", "sigma2", "r2", "n_obs", "n_ar"):
        np.testing.assert_allclose(getattr(quick, name), getattr(plain, name), rtol=1e-9, atol=1e-12, err_msg=name)


def in_long_double(y, x):
    """Slope and residual variance of a simple regression, centred sums in extended precision."""
    y, x = y.astype(np.longdouble), x.astype(np.longdouble)
    dy, dx = y - y.mean(), x - x.mean()
    slope = (dx * dy).sum() / (dx**2).sum()
    left = dy - slope * dx
    return float(slope), float((left**2).sum() / (len(y) - 2))


@pytest.mark.parametrize("sessions", [250, 2_500])
def test_a_jump_of_the_market_in_the_first_row(engine, sessions):
    """The regression explains the jump, so that little is left of squares about a pilot that lies far out."""
    rng = np.random.default_rng(22)
    market = rng.normal(0, 1e-4, sessions + 1)
    market[0] = 0.2
    values = 1.1 * market + rng.normal(0, 6e-3 / np.sqrt(sessions), (20, sessions + 1))
    values[:, 5] = np.nan
    design, n = LinearDesign(market[None], None, True), np.arange(20)
    fit = fit_linear(values, design, n, np.full(20, sessions), (-sessions, -1), (0, 0), 20, engine=engine)
    there = ~np.isnan(values[0, :-1])
    for i in range(20):
        slope, variance = in_long_double(values[i, :-1][there], market[:-1][there])
        assert fit.coef[i, 1] == pytest.approx(slope, rel=1e-12, abs=0)
        assert fit.sigma2[i] == pytest.approx(variance, rel=1e-11, abs=0)


def test_a_century_of_days(engine):
    """The longer the sums, the more they round."""
    rng = np.random.default_rng(23)
    sessions = 25_000
    market = 0.039 + rng.normal(0, 0.01, sessions + 1)
    values = 1.1 * market + rng.normal(0, 1.15e-4, (12, sessions + 1))
    design, n = LinearDesign(market[None], None, True), np.arange(12)
    fit = fit_linear(values, design, n, np.full(12, sessions), (-sessions, -1), (0, 0), 20, engine=engine)
    for i in range(12):
        slope, variance = in_long_double(values[i, :-1], market[:-1])
        assert fit.coef[i, 1] == pytest.approx(slope, rel=1e-12, abs=0)
        assert fit.sigma2[i] == pytest.approx(variance, rel=2e-11, abs=0)


def test_windows_shorter_than_the_parameters(engine):
    values, factors, _ = market(24, 5)
    fit = fit_linear(
        values, LinearDesign(factors, None, True), *places(25, 12, 240), (-12, -10), EVENT, 1, engine=engine
    )
    assert (fit.status == TOO_FEW).all()
    assert np.isnan(fit.ar).all()


def test_a_row_or_a_window_that_is_not_there_is_refused(engine):
    """Compiled code would read memory that is not the array's."""
    values, factors, _ = market(26, 1)
    design, position = LinearDesign(factors, None, True), np.array([150, 160])
    for rows in ([0, 12], [-1, 0]):
        with pytest.raises(IndexError, match="panel of 12"):
            fit_linear(values, design, np.array(rows), position, EST, EVENT, 20, engine=engine)
        with pytest.raises(IndexError, match="panel of 12"):
            estimation_residuals(values, design, np.zeros((2, 2)), np.array(rows), position, EST, engine=engine)
    fit = fit_linear(values, design, np.array([0, 11]), position, EST, EVENT, 20, engine=engine)
    for window in ((-6, 0), (0, 6), (1, 0)):
        with pytest.raises(IndexError, match="event window"):
            window_sums(fit, design, position, EVENT[0], window, engine=engine)


def test_arrays_of_many_events_are_taken_like_those_of_few(monkeypatch):
    """By a mask, and by rows counted from the end, too."""
    values, factors, _ = market(27, 1)
    fit = fit_linear(values, LinearDesign(factors, None, True), *places(28, 12, 240), EST, EVENT, 20)
    mask = np.random.default_rng(29).random(60) < 0.5
    rows = np.array([-1, 3, -60, 59, 3])
    monkeypatch.setattr(kernels, "CHUNK", 4)
    for which in (mask, rows):
        np.testing.assert_array_equal(fit.take(which).n_obs, fit.n_obs[which])
        np.testing.assert_array_equal(fit.take(which).ar, fit.ar[which])
    with pytest.raises(IndexError):
        fit.take(np.array([0, 1, 2, 3, 60]))


def test_a_constant_row_of_residuals_is_not_scored(engine):
    """What its mean leaves of it is rounding."""
    rng = np.random.default_rng(30)
    constant = rng.normal(0, 0.01, (50, 1)) * np.ones(97)
    sums = ResidualSums.zeros(1, 97)
    sums.add(constant, np.zeros(50, np.int64), np.ones(50), engine=engine)
    assert sums.scored.tolist() == [0.0]
    assert not sums.scores.any()
    assert not sums.counts.any()
