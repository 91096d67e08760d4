"""GARCH market models against ``arch`` itself, simulated forecasts and the closed form of constant variance."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from threadpoolctl import threadpool_limits

import eventstudy as es
from eventstudy.models import GARCHMarketModel

EST, EVENT = (-250, -21), (-10, 10)
KINDS = [(kind, law) for kind in ("garch", "gjr", "egarch") for law in ("normal", "t")]


def _garch_frame(n=6, sessions=600, seed=1, a=0.12, b=0.8):
    """Returns whose errors follow a GARCH(1, 1) with unconditional deviations of 2 %."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, sessions)
    h, e = np.full(n, 4e-4), np.zeros(n)
    rows = []
    for t in range(sessions):
        h = 4e-4 * (1 - a - b) + a * e**2 + b * h if t else h
        e = np.sqrt(h) * rng.normal(size=n)
        rows.append(0.0005 + 1.1 * market[t] + e)
    index = pd.bdate_range("2020-01-01", periods=sessions)
    return pd.DataFrame(np.column_stack([market, rows]), index=index, columns=["MKT", *(f"G{i}" for i in range(n))])


@pytest.fixture
def one_thread():
    """Where the optimiser ends depends on the order in which its linear algebra sums; the library uses one thread."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="module")
def frame():
    return _garch_frame()


@pytest.fixture(scope="module")
def events(frame, events_at):
    return events_at(frame, {f"G{i}": 560 - 4 * i for i in range(6)})


def _arch(frame, ticker, position, kind, law, est):
    rows = frame.iloc[position + est[0] : position + est[1] + 1][[ticker, "MKT"]].dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = arch_model(
            100 * rows[ticker].to_numpy(),
            x=100 * rows[["MKT"]].to_numpy(),
            mean="LS",
            vol="EGARCH" if kind == "egarch" else "GARCH",
            o=0 if kind == "garch" else 1,
            dist=law,
            rescale=False,
        )
        return model.fit(disp="off", show_warning=False, options={"maxiter": 1000})


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("kind", "law"), KINDS)
def test_parameters_and_forecasts_are_those_of_arch(study_of, frame, events, kind, law):
    est = (-500, -21)
    model = GARCHMarketModel("MKT", kind, law)
    res = study_of(frame, events, model, estimation_window=est, event_window=EVENT)
    agreed = 0
    for at, (ticker, position) in enumerate(zip(res.parameters["ticker"], res.fit.index.position, strict=True)):
        found = _arch(frame, ticker, position, kind, law, est)
        if found.convergence_flag:
            continue
        agreed += 1
        expected = np.array(found.params)
        expected[0] /= 100
        if kind == "egarch":
            expected[2] += (1 - found.params["beta[1]"]) * np.log(1e-4)
        else:
            expected[2] *= 1e-4
        expected = np.append(expected, found.loglikelihood + found.nobs * np.log(100))
        np.testing.assert_allclose(res.fit.coef[at], expected, rtol=1e-9, atol=1e-12)
        ahead = 1 if kind == "egarch" else EVENT[1] - est[1]
        variance = found.forecast(horizon=ahead, x=np.zeros((1, 1, ahead))).variance.to_numpy()[-1]
        h = res.fit.noise[at] * res.fit.sigma2[at] * 1e4
        if kind != "egarch":
            np.testing.assert_allclose(h, variance[-len(h) :], rtol=1e-9)
        y, x = frame[ticker].to_numpy(), frame["MKT"].to_numpy()
        new = slice(position + EVENT[0], position + EVENT[1] + 1)
        ar = y[new] - found.params["Const"] / 100 - found.params.iloc[1] * x[new]
        np.testing.assert_allclose(res.fit.ar[at], ar, rtol=1e-9, atol=1e-14)
        # weighted least squares with arch's own variances: statsmodels' formula for a known covariance
        inside = slice(position + est[0], position + est[1] + 1)
        design = np.column_stack([np.ones(est[1] - est[0] + 1), x[inside]])
        weight = 1e4 / np.asarray(found.conditional_volatility) ** 2
        covariance = np.linalg.inv(design.T * weight @ design)
        np.testing.assert_allclose(res.fit.coef_error[at, :2], np.sqrt(np.diag(covariance)), rtol=1e-9)
        assert np.isnan(res.fit.coef_error[at, 2:]).all()
        ahead_x = np.column_stack([np.ones(len(ar)), x[new]])
        total = np.diag(h) / 1e4 + ahead_x @ covariance @ ahead_x.T
        np.testing.assert_allclose(res.car(-1, 1)["std_error"].iloc[at], np.sqrt(total[9:12, 9:12].sum()), rtol=1e-9)
    assert agreed >= 4


@pytest.mark.parametrize("lags", [(1, 1), (2, 2)])
def test_egarch_forecasts_against_simulation(frame, lags):
    p, q = lags
    model = GARCHMarketModel("MKT", "egarch", p=p, q=q)
    rows = frame.iloc[50:550]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arch, _ = model._model(100 * rows["G1"].to_numpy(), 100 * rows["MKT"].to_numpy())
        found = arch.fit(disp="off", show_warning=False)
    vol = np.asarray(found.conditional_volatility)
    mine = model._egarch(np.asarray(found.params), vol, np.asarray(found.resid) / vol, 25)
    draws, rng = 40_000, np.random.default_rng(8)
    simulated = found.forecast(
        horizon=25, x=np.zeros((1, 1, 25)), method="simulation", simulations=draws, rng=rng.standard_normal
    )
    paths = simulated.simulations.residual_variances[-1]
    error = paths.std(0) / np.sqrt(draws)
    np.testing.assert_allclose(mine[0], paths.mean(0)[0], rtol=1e-10)
    assert (np.abs(mine[1:] - paths.mean(0)[1:]) < 4 * error[1:]).all()
    assert error[-1] > 0


def test_egarch_with_student_t_forecasts_the_geometric_mean(frame):
    model = GARCHMarketModel("MKT", "egarch", "t")
    rows = frame.iloc[50:550]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arch, _ = model._model(100 * rows["G1"].to_numpy(), 100 * rows["MKT"].to_numpy())
        found = arch.fit(disp="off", show_warning=False)
    theta, vol = np.array(found.params), np.asarray(found.conditional_volatility)
    theta[-1] = 5.0
    rng = np.random.default_rng(3)
    z = rng.standard_t(5, (40_000, 20)) * np.sqrt(3 / 5)
    log_h = np.empty((40_000, 20))
    last, shock = 2 * np.log(vol[-1]) * np.ones(40_000), np.full(40_000, np.asarray(found.resid)[-1] / vol[-1])
    for k in range(20):
        last = theta[2] + theta[3] * (np.abs(shock) - np.sqrt(2 / np.pi)) + theta[4] * shock + theta[5] * last
        log_h[:, k], shock = last, z[:, k]
    mine = np.log(model._egarch(theta, vol, np.asarray(found.resid) / vol, 20))
    assert (np.abs(mine - log_h.mean(0)) <= 4 * log_h.std(0) / 200 + 1e-12).all()


def test_standardised_returns_have_unit_variance(study_of, events_at):
    """One step ahead, on data that are what the model says: SAR² averages one, and that of least squares does not where
    the variance was last high."""
    frame = _garch_frame(60, 1_400, seed=9, a=0.25, b=0.65)
    events = events_at(frame, {f"G{i}": 1_300 for i in range(60)})
    options = {"estimation_window": (-1_200, -1), "event_window": (0, 0)}
    res = study_of(frame, events, GARCHMarketModel("MKT"), **options)
    plain = study_of(frame, events, **options)
    h = res.fit.noise[:, 0] * res.fit.sigma2
    high = h > np.median(h)
    sar, flat = res.sar.to_numpy()[:, 0], plain.sar.to_numpy()[:, 0]
    # thirty squares of a standard normal have a mean of one and a standard error of 0.26
    assert abs((sar[high] ** 2).mean() - 1) < 0.6
    assert abs((sar[~high] ** 2).mean() - 1) < 0.6
    assert (flat[high] ** 2).mean() > 2 * (flat[~high] ** 2).mean()


def test_failures_are_listed_and_nothing_crashes(sample_panel, quiet):
    stocks = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    study = es.EventStudy(
        sample_panel, es.Events.at("2025-01-27", stocks), GARCHMarketModel("SPY", "egarch"), EST, EVENT, min_obs=200
    )
    res = quiet(study)
    assert len(res) + len(res.dropped) == 18
    assert len(res.dropped) >= 1  # short windows: not every EGARCH filter is invertible
    assert res.dropped["reason"].str.contains("EGARCH").all()
    assert np.isfinite(res.car(-1, 1)["std_error"]).all()
    # what counts is better than constant variance, of which it is a generalisation
    frame = sample_panel.to_frame()
    for at, position in enumerate(res.fit.index.position):
        rows = frame.iloc[position + EST[0] : position + EST[1] + 1]
        e = np.linalg.lstsq(
            np.column_stack([np.ones(230), rows["SPY"]]), rows[res.parameters["ticker"].iloc[at]], rcond=None
        )[1]
        assert res.parameters["loglik"].iloc[at] > -115 * (np.log(2 * np.pi * e[0] / 230) + 1) - 1e-3


def test_an_optimiser_that_raises_or_gives_up_is_reported(study_of, frame, events, monkeypatch):
    from arch.univariate import LS

    def broken(self, *args, **kwargs):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(LS, "fit", broken)
    with pytest.raises(es.InsufficientDataError, match=r"GJR-T could not be maximised: Singular matrix\. Use"):
        study_of(frame, events, GARCHMarketModel("MKT", "gjr", "t"))


def test_no_filter_of_warnings_is_left_behind(study_of, frame, events):
    before = list(warnings.filters)
    with ThreadPoolExecutor(2) as pool:
        study = es.EventStudy(
            es.ReturnPanel.from_frame(frame), events, GARCHMarketModel("MKT"), (-200, -11), (-1, 1), min_obs=60
        )
        chunked = study.fit(executor=pool, chunk_size=1)
    assert warnings.filters == before
    whole = study.fit()
    np.testing.assert_array_equal(chunked.fit.ar, whole.fit.ar)
    np.testing.assert_array_equal(chunked.fit.noise, whole.fit.noise)
    pd.testing.assert_frame_equal(chunked.tests(0, 1), whole.tests(0, 1))


@pytest.mark.usefixtures("one_thread")
def test_missing_sessions_are_joined(study_of, events_at, frame):
    holes = frame.copy()
    holes.iloc[400:410, 1] = np.nan
    res = study_of(holes, events_at(holes, {"G0": 560}), GARCHMarketModel("MKT"), estimation_window=(-500, -21))
    found = _arch(holes, "G0", 560, "garch", "normal", (-500, -21))
    assert res.fit.n_obs[0] == 470
    np.testing.assert_allclose(res.parameters["beta"].iloc[0], found.params.iloc[1], rtol=1e-9)


def test_wrong_options_and_windows(study_of, frame, events):
    for wrong in ({"volatility": "arch"}, {"distribution": "ged"}, {"p": 0}, {"q": True}):
        with pytest.raises(es.InputError):
            GARCHMarketModel("SPY", **wrong)
    with pytest.raises(es.WindowError, match="forecast from the past"):
        study_of(frame, events, GARCHMarketModel("MKT"), estimation_window=[(-200, -21), (11, 30)])
