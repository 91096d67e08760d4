"""Latent factors against numpy's singular values, Bai's own iteration, Bai and Ng's criterion and statsmodels."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eventstudy as es

EST, EVENT = (-120, -11), (-5, 5)
AT = 140


def factor_frame(n, sessions, seed, factors=2, noise=0.008):
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (sessions, factors))
    loading = rng.normal(1, 0.6, (factors, n))
    values = 0.0004 + common @ loading + rng.normal(0, noise, (sessions, n)) * rng.uniform(0.5, 1.5, n)
    index = pd.bdate_range("2021-01-04", periods=sessions)
    return pd.DataFrame(values, index=index, columns=[f"S{k:02d}" for k in range(n)])


def used_rows(position=AT):
    """Sessions of both windows; the gap between them is passed over."""
    return np.r_[position + EST[0] : position + EST[1] + 1, position + EVENT[0] : position + EVENT[1] + 1]


def principal(donors, k, standardise=False):
    """Factors by the singular vectors of the whole matrix, of any sign."""
    z = donors - donors.mean(0)
    if standardise:
        z = z / z.std(0)
    return np.linalg.svd(z, full_matrices=False)[0][:, :k] * np.sqrt(len(z))


@pytest.mark.parametrize(("n", "standardise"), [(40, False), (40, True), (300, False)])
def test_expectations_and_errors_are_regressions_on_principal_components(study_of, events_at, n, standardise):
    frame = factor_frame(n, 200, 1)
    model = es.LatentFactors(2, standardise=standardise)
    res = study_of(frame, events_at(frame, {"S00": AT, "S01": AT}), model, estimation_window=EST, event_window=EVENT)
    part = frame.iloc[used_rows()]
    factors = principal(part.drop(columns=["S00", "S01"]).to_numpy(), 2, standardise)
    m = EST[1] - EST[0] + 1
    x = sm.add_constant(factors)
    for at, name in enumerate(["S00", "S01"]):
        y = part[name].to_numpy()
        ols = sm.OLS(y[:m], x[:m]).fit()
        np.testing.assert_allclose(res.abnormal_returns.iloc[at], y[m:] - x[m:] @ ols.params, rtol=1e-8, atol=1e-13)
        shown = res.parameters.iloc[at]
        assert shown["sigma"] == pytest.approx(np.sqrt(ols.mse_resid), rel=1e-9)
        assert (shown["n_factors"], shown["n_donors"], shown["df"]) == (2, n - 2, m - 3)
        assert shown["alpha"] == pytest.approx(ols.params[0], rel=1e-7)
        np.testing.assert_allclose(np.abs(shown[["loading_1", "loading_2"]].astype(float)), np.abs(ols.params[1:]))
        assert shown["r2"] == pytest.approx(ols.rsquared, rel=1e-9)
        np.testing.assert_allclose(res.fit.coef_error[at], [np.nan, np.nan, *ols.bse], rtol=1e-8)
        window = x[m + 4 : m + 7]  # sessions −1 to 1
        total = ols.mse_resid * 3 + window.sum(0) @ ols.cov_params() @ window.sum(0)
        assert res.car(-1, 1)["std_error"].iloc[at] == pytest.approx(np.sqrt(total), rel=1e-9)


def test_factors_are_those_of_bais_iteration(study_of, events_at):
    """Interactive fixed effects by their own least-squares iteration, from random numbers on: the same expectation."""
    frame = factor_frame(30, 200, 2)
    res = study_of(frame, events_at(frame, {"S00": AT}), es.LatentFactors(2), estimation_window=EST, event_window=EVENT)
    part = frame.iloc[used_rows()]
    z = part.drop(columns="S00").to_numpy()
    z = z - z.mean(0)
    f = np.random.default_rng(0).normal(size=(len(z), 2))
    for _ in range(3_000):  # loadings given the factors, and the factors given the loadings
        loading = np.linalg.lstsq(f, z, rcond=None)[0]
        f = np.linalg.lstsq(loading.T, z.T, rcond=None)[0].T
    m, y = EST[1] - EST[0] + 1, part["S00"].to_numpy()
    x = np.column_stack([np.ones(len(f)), f])
    expected = x @ np.linalg.lstsq(x[:m], y[:m], rcond=None)[0]
    np.testing.assert_allclose(res.abnormal_returns.iloc[0], (y - expected)[m:], rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("true", [1, 3])
def test_the_number_of_factors_by_bai_and_ng(study_of, events_at, true):
    frame = factor_frame(60, 200, 10 + true, factors=true)
    res = study_of(
        frame, events_at(frame, {"S00": AT}), es.LatentFactors(max_factors=6), estimation_window=EST, event_window=EVENT
    )
    z = frame.iloc[used_rows()].drop(columns="S00").to_numpy()
    z = z - z.mean(0)
    t, n = z.shape
    criterion = []
    for k in range(7):
        f = principal(z, k)
        left = z - f @ np.linalg.lstsq(f, z, rcond=None)[0] if k else z
        criterion.append(np.log((left**2).mean()) + k * (n + t) / (n * t) * np.log(min(n, t)))
    assert res.parameters["n_factors"].tolist() == [np.argmin(criterion)] == [true]
    assert res.parameters.filter(like="loading").notna().sum(axis=1).tolist() == [true]


def test_the_number_of_factors_by_leaving_one_session_out(study_of, events_at):
    frame = factor_frame(60, 200, 20, factors=3)
    names = ["S00", "S01", "S02", "S03"]
    model = es.LatentFactors("cv", max_factors=6)
    res = study_of(frame, events_at(frame, dict.fromkeys(names, AT)), model, estimation_window=EST, event_window=EVENT)
    part, m = frame.iloc[used_rows()], EST[1] - EST[0] + 1
    f = principal(part.drop(columns=names).to_numpy(), 6)
    for at, name in enumerate(names):
        y, loss = part[name].to_numpy()[:m], []
        for k in range(7):
            x = np.column_stack([np.ones(m), f[:m, :k]])
            error = 0.0
            for out in range(m):
                rest = np.arange(m) != out
                error += (y[out] - x[out] @ np.linalg.lstsq(x[rest], y[rest], rcond=None)[0]) ** 2
            loss.append(error)
        assert res.parameters["n_factors"].iloc[at] == np.argmin(loss)


def test_a_factor_that_no_index_holds_is_taken_out(study_of, events_at):
    """Two factors, one of which strikes on the event day: the market model takes it for an abnormal return."""
    rng = np.random.default_rng(30)
    n, sessions = 60, 200
    factors = rng.normal(0, 0.01, (sessions, 2))
    factors[AT, 1] = 0.05
    loading = np.vstack([rng.uniform(0.6, 1.4, n), rng.normal(0, 1, n)])
    values = factors @ loading + rng.normal(0, 0.005, (sessions, n))
    frame = pd.DataFrame(
        values, index=pd.bdate_range("2021-01-04", periods=sessions), columns=[f"S{k:02d}" for k in range(n)]
    ).assign(MKT=factors[:, 0])
    treated = {f"S{k:02d}": AT for k in range(8)}
    by_model = [
        study_of(frame, events_at(frame, treated), model, estimation_window=EST, event_window=EVENT).car(0, 0)["car"]
        for model in (es.MarketModel("MKT"), es.LatentFactors(exclude=["MKT"]))
    ]
    mistaken, mine = (np.sqrt((car**2).mean()) for car in by_model)
    assert mistaken > 0.03
    assert mine < 0.01  # the noise is 0.005 a session


def test_missing_returns_and_events_of_donors(study_of, events_at):
    frame = factor_frame(20, 300, 40)
    frame.loc[frame.index[200], "S05"] = np.nan  # inside the estimation window: no donor
    frame.loc[frame.index[210], "S00"] = np.nan  # the event's own: the session is left out
    events = events_at(frame, {"S00": 250, "S01": 252, "S02": 180})
    found = {}
    for clean in ("span", "event"):
        res = study_of(
            frame, events, es.LatentFactors(2, clean=clean), estimation_window=EST, event_window=EVENT, min_obs=40
        )
        found[clean] = res.parameters.set_index("ticker").loc["S00"]
    assert [row["n_donors"] for row in found.values()] == [16, 17]
    assert found["span"]["n_obs"] == 109
    assert np.isfinite(res.car(0, 1)["p_value"]).all()


def test_events_that_cannot_be_fitted_say_why(study_of, events_at):
    frame = factor_frame(6, 300, 41)
    events = events_at(frame, {"S00": 250})
    with pytest.raises(es.InsufficientDataError, match="5 donors are left"):
        study_of(frame, events, es.LatentFactors(6), estimation_window=EST)
    flat = frame.copy()
    flat.iloc[:, 1:] = 0.0
    with pytest.raises(es.InsufficientDataError, match="the donors hold 0 factors, fewer than 2"):
        study_of(flat, events, es.LatentFactors(2), estimation_window=EST)
    two = frame.copy()
    two["S03"], two["S04"], two["S05"] = (two["S01"] * (1 + k) - k * two["S02"] for k in (1, 2, 3))
    with pytest.raises(es.InsufficientDataError, match="the donors hold 2 factors, fewer than 3"):
        study_of(two, events, es.LatentFactors(3), estimation_window=EST)
    assert study_of(two, events, es.LatentFactors("cv"), estimation_window=EST).parameters["n_factors"].item() <= 2
    for wrong in ({"n_factors": 0}, {"n_factors": "aic"}, {"n_factors": True}, {"max_factors": 0},
                  {"standardise": 1}, {"clean": "x"}, {"donors": ["A", "A"]}):  # fmt: skip
        with pytest.raises(es.InputError):
            es.LatentFactors(**wrong)


def test_chunks_and_executors_change_no_number(events_at, quiet):
    frame = factor_frame(30, 300, 42)
    events = events_at(frame, {f"S{k:02d}": 200 + 20 * (k % 3) for k in range(9)})
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events, es.LatentFactors("cv", clean="event"), EST, EVENT, min_obs=60
    )
    whole = quiet(study)
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        parts = study.fit(executor=pool, chunk_size=2)
    np.testing.assert_array_equal(parts.fit.ar, whole.fit.ar)
    np.testing.assert_array_equal(parts.fit.coef, whole.fit.coef)


def test_on_576_real_securities(donor_panel, quiet):
    """Donors explain NVDA's ordinary days better than the index alone: R² of 0.60 against 0.41."""
    events = es.Events.at("2025-01-27", ["NVDA"])
    latent = quiet(es.EventStudy(donor_panel, events, es.LatentFactors(exclude=["SPY"]), (-250, -11), EVENT))
    market = quiet(es.EventStudy(donor_panel, events, es.MarketModel("SPY"), (-250, -11), EVENT))
    assert (latent.parameters["n_donors"] > 400).all()
    assert (latent.parameters["r2"] > market.parameters["r2"]).all()
