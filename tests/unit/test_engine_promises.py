"""What the engine promises of any study: the numbers of a QR fit per event, and the same bits however it is run."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy import kernels

pytestmark = pytest.mark.filterwarnings("ignore::eventstudy.errors.EventStudyWarning")

NEAR = 1e-10
FACTORS = ("MKT", "SMB", "HML", "MOM")
EST, EVENT = (-260, -11), (-10, 10)
FLAT = (0.0, 1e-6, 0.1, -3.0, 10.0)


def century(n_rows=40, n_sessions=25_200):
    """100 years of days: returns of scales 1e-6 to 10, five series that are constant, a fifth of all missing."""
    rng = np.random.default_rng(2)
    factors = rng.standard_normal((4, n_sessions)) * 0.01
    body = rng.normal(0, 50, (n_rows, 4)) @ factors + rng.standard_normal((n_rows, n_sessions))
    body *= np.logspace(-6, 1, n_rows)[:, None]
    body[: len(FLAT)] = np.array(FLAT)[:, None]
    body[rng.random(body.shape) < 0.2] = np.nan
    names = [*FACTORS, *(f"S{i:02d}" for i in range(n_rows))]
    days = pd.bdate_range(end="2024-12-31", periods=n_sessions)
    panel = es.ReturnPanel(np.vstack([factors, body]), pd.Index(names, dtype=object), days, "log")
    cell = rng.choice(n_rows * (n_sessions - 330), 400, replace=False)
    row, at = cell // (n_sessions - 330) + 4, cell % (n_sessions - 330) + 300
    events = es.Events.from_frame(pd.DataFrame({"ticker": np.array(names)[row], "date": days[at]}))
    return panel, events, row, at


def by_qr(y, x):
    """Coefficients, residual variance and (X'X)⁻¹ from a QR of scaled columns, refined once."""
    unit = np.sqrt((x**2).sum(0))
    q, r = np.linalg.qr(x / unit)
    beta = np.linalg.solve(r, q.T @ y)
    beta += np.linalg.solve(r, q.T @ (y - (x / unit) @ beta))
    e = y - (x / unit) @ beta
    inverse = np.linalg.inv(r)
    return beta / unit, e @ e / (len(y) - x.shape[1]), inverse @ inverse.T / np.outer(unit, unit)


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("k", [1, 4])
def test_every_figure_is_that_of_a_qr_fit_per_event(k, engine, monkeypatch):
    """Numbers that may be near zero are compared in units of their standard error."""
    if engine == "numpy":
        monkeypatch.setattr(kernels, "_compiled", lambda: None)
    panel, events, row, at = century()
    model = es.MarketModel("MKT") if k == 1 else es.FactorModel(FACTORS)
    res = es.EventStudy(panel, events, model, EST, EVENT).fit()
    car, x_all, scar = res.car(-1, 1), np.column_stack([np.ones(panel.n_sessions), panel.values[:k].T]), []
    assert np.isfinite(res.fit.coef).all()
    assert np.isfinite(res.fit.sigma2).all()
    for i, which in enumerate(res.kept):
        y_all, t = panel.values[row[which]], at[which]
        y, x = y_all[t - 260 : t - 10], x_all[t - 260 : t - 10]
        there = ~np.isnan(y)
        beta, sigma2, inverse = by_qr(y[there], x[there])
        sigma, error = np.sqrt(sigma2), np.sqrt(sigma2 * np.diag(inverse))
        assert res.fit.n_obs[i] == there.sum()
        assert np.sqrt(res.fit.sigma2[i]) == pytest.approx(sigma, rel=NEAR)
        assert (np.abs(res.fit.coef[i] - beta) <= NEAR * np.maximum(np.abs(beta), error)).all()
        ar = y_all[t - 10 : t + 11] - x_all[t - 10 : t + 11] @ beta
        gap = np.abs(res.fit.ar[i] - ar)
        assert (np.isnan(gap) == np.isnan(ar)).all()
        assert (np.nan_to_num(gap) <= NEAR * np.maximum(np.abs(np.nan_to_num(ar)), sigma)).all()
        total = ar[9:12].sum()
        if np.isnan(total):
            assert car.loc[i, ["car", "std_error", "t", "p_value"]].isna().all()
            continue
        across = x_all[t - 1 : t + 2].sum(0)
        std_error = np.sqrt(sigma2 * (3 + across @ inverse @ across))
        assert car["std_error"][i] == pytest.approx(std_error, rel=NEAR)
        assert car["car"][i] == pytest.approx(total, rel=NEAR, abs=NEAR * std_error)
        assert car["t"][i] == pytest.approx(total / std_error, rel=NEAR, abs=NEAR)
        scar.append((total / std_error, there.sum() - k - 1))
    z, dof = np.array(scar).T
    found = res.tests(-1, 1)["statistic"]
    assert found["patell_z"] == pytest.approx(z.sum() / np.sqrt((dof / (dof - 2)).sum()), rel=NEAR)
    assert found["bmp_t"] == pytest.approx(z.mean() / z.std(ddof=1) * np.sqrt(len(z)), rel=NEAR)
    flat = np.flatnonzero(row < 4 + len(FLAT)) + 1
    assert set(flat) == set(res.dropped["event_id"])
    assert res.dropped["reason"].str.contains("no residual variance over the estimation window").all()


MODELS = {
    "mean": es.MeanAdjusted(),
    "market_adjusted": es.MarketAdjusted("MKT"),
    "market": es.MarketModel("MKT"),
    "factors": es.FactorModel(["MKT", "SMB"]),
    "rolling": es.RollingMarketModel("MKT", span=60),
    "ewma": es.EWMAMarketModel("MKT"),
    "scholes_williams": es.ScholesWilliams("MKT"),
    "dimson": es.Dimson("MKT"),
    "huber": es.RobustMarketModel("MKT"),
    "theil_sen": es.RobustMarketModel("MKT", method="theil-sen"),
    "garch": es.GARCHMarketModel("MKT"),
    "latent": es.LatentFactors(2, exclude=["MKT", "SMB"]),
    "peers": es.PeerPortfolio(["S10", "S11", "S12"]),
    "synthetic": es.SyntheticControl(exclude=["MKT", "SMB"]),
}


@pytest.fixture(scope="module")
def processes():
    """Workers like those of a cluster, whose linear algebra has one thread."""
    with pytest.MonkeyPatch.context() as patch, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        for work in [pool.submit(os.getpid) for _ in range(8)]:  # starts the workers
            work.result()
        yield pool


@pytest.mark.parametrize("name", MODELS)
def test_no_model_depends_on_chunks_executor_or_order(name, processes):
    rng = np.random.default_rng(3)
    factors = rng.standard_normal((2, 520)) * 0.01
    values = np.vstack([factors, rng.normal(0.8, 0.3, (13, 2)) @ factors + 0.02 * rng.standard_normal((13, 520))])
    values[2:8][rng.random((6, 520)) < 0.02] = np.nan
    names = ["MKT", "SMB", *(f"S{i:02d}" for i in range(13))]
    panel = es.ReturnPanel(values, pd.Index(names, dtype=object), pd.bdate_range("2020-01-01", periods=520))
    place = np.sort(rng.choice(np.arange(170, 500), 12, replace=False))
    ticker = [f"S{i % 6:02d}" for i in range(12)]
    events = es.Events.from_frame(pd.DataFrame({"ticker": ticker, "date": panel.sessions[place]}))
    study = es.EventStudy(panel, events, MODELS[name], (-160, -11), (-5, 5), min_obs=60)
    whole = study.fit()
    order = rng.permutation(12)
    with ThreadPoolExecutor(2) as threads:
        others = {
            "chunks of one": study.fit(chunk_size=1),
            "chunks of five": study.fit(chunk_size=5),
            "threads": study.fit(executor=threads, chunk_size=5),
            "processes": study.fit(executor=processes, chunk_size=4),
        }
    shuffled = dataclasses.replace(study, events=events.subset(order)).fit()
    there = order[shuffled.kept]
    back = np.argsort(there)
    assert there[back].tolist() == whole.kept.tolist()
    for what in ("ar", "coef", "sigma2", "n_obs", "status"):
        mine = getattr(whole.fit, what)
        for how, other in others.items():
            np.testing.assert_array_equal(mine, getattr(other.fit, what), err_msg=f"{what}, {how}")
        np.testing.assert_array_equal(mine, getattr(shuffled.fit, what)[back], err_msg=f"{what}, order")
    table = whole.tests(-1, 1, draws=49)
    for other in (*others.values(), shuffled):
        pd.testing.assert_frame_equal(table, other.tests(-1, 1, draws=49), check_exact=True)


SMALL_STUDY = """
import hashlib
import numpy as np, pandas as pd
import eventstudy as es

rng = np.random.default_rng(4)
x = 0.02 * rng.standard_normal((24, 400))
x[5:9][rng.random((4, 400)) < 0.1] = np.nan
sessions = pd.bdate_range("2020-01-01", periods=400)
panel = es.ReturnPanel(x, pd.Index([f"S{i}" for i in range(24)], dtype=object), sessions)
row, at = rng.integers(4, 24, 60), rng.permutation(np.arange(90, 380))[:60]
events = es.Events.from_frame(pd.DataFrame({"ticker": [f"S{i}" for i in row], "date": sessions[at]}))
found = []
for model in (es.MarketModel("S0"), es.FactorModel(["S0", "S1", "S2"])):
    res = es.EventStudy(panel, events, model, (-70, -11), (-3, 3), min_obs=40).fit()
    numbers = [res.fit.coef, res.fit.sigma2, res.fit.ar, res.car(-1, 1)["t"], res.tests(-1, 1, draws=49)["statistic"]]
    found.append(hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in numbers)).hexdigest())
print(found)
"""


def test_numbers_do_not_depend_on_who_compiled_the_kernels(tmp_path):
    """A process that compiles them and one that finds them in the cache sum in the same order."""
    pytest.importorskip("numba")
    command = [sys.executable, "-W", "ignore", "-c", SMALL_STUDY]
    where = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (subprocess.run(command, env=where, capture_output=True, text=True, check=True) for _ in range(2))
    assert list(tmp_path.rglob("*.nbi"))
    assert first.stdout.startswith("['")
    assert first.stdout == second.stdout
