"""Shared data, and an independent oracle: one statsmodels regression per security-event."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@dataclass(frozen=True)
class OracleFit:
    """What statsmodels says about one event; NaN on event-window days without data."""

    params: np.ndarray
    sigma: float
    r2: float
    n_obs: int
    df: float
    ar: np.ndarray
    se_obs: np.ndarray
    covariance: np.ndarray
    bse: np.ndarray

    def car(self, columns: slice, confidence: float = 0.95) -> dict[str, float]:
        """CAR, exact standard error, t, p and interval from the full prediction covariance."""
        car = self.ar[columns].sum()
        error = np.sqrt(self.covariance[columns, columns].sum())
        half = stats.t.ppf(0.5 + confidence / 2, self.df) * error
        p = 2 * stats.t.sf(abs(car / error), self.df)
        bounds = {"ci_lower": car - half, "ci_upper": car + half}
        return {"car": car, "std_error": error, "t": car / error, "p_value": p, **bounds}


def _ols_event(frame, ticker, factors, position, estimation, event) -> OracleFit:
    """OLS on the pairwise-complete estimation rows of one event, and its forecasts."""
    columns = [ticker, *factors]
    start = max(position + estimation[0], 0)
    est = frame[columns].iloc[start : position + estimation[1] + 1].dropna()
    days = range(position + event[0], position + event[1] + 1)
    new = frame[columns].reset_index(drop=True).reindex(days).reset_index(drop=True)
    there = new.notna().all(axis=1).to_numpy()
    model = sm.OLS(est[ticker].to_numpy(), sm.add_constant(est[list(factors)].to_numpy(), has_constant="add")).fit()
    x_new = sm.add_constant(new.loc[there, list(factors)].to_numpy(), has_constant="add")
    ar, se = np.full(len(new), np.nan), np.full(len(new), np.nan)
    covariance = np.full((len(new), len(new)), np.nan)
    if there.any():
        prediction = model.get_prediction(x_new)
        ar[there] = new.loc[there, ticker].to_numpy() - prediction.predicted_mean
        se[there] = prediction.se_obs
        noise = model.mse_resid * np.eye(there.sum())
        covariance[np.ix_(there, there)] = noise + x_new @ model.cov_params() @ x_new.T
    return OracleFit(
        model.params,
        np.sqrt(model.mse_resid),
        model.rsquared,
        int(model.nobs),
        model.df_resid,
        ar,
        se,
        covariance,
        model.bse,
    )


@pytest.fixture(scope="session")
def ols_event():
    """Oracle: ``ols_event(frame, ticker, factors, position, estimation, event)``."""
    return _ols_event


def _quiet(study: es.EventStudy) -> es.EventStudyResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return study.fit()


@pytest.fixture(scope="session")
def quiet():
    """Fit a study whose advisory warnings are not the subject of the test."""
    return _quiet


@pytest.fixture(scope="session")
def sample_prices():
    stocks = "MSFT NVDA GOOGL META AMZN AAPL ORCL AVGO AMD TSM MU MRVL CRM ADBE PLTR VRT VST CEG"
    return es.load_prices([*stocks.split(), "SPY", "SMH"], source="sample")


@pytest.fixture(scope="session")
def sample_panel(sample_prices):
    return es.ReturnPanel.from_prices(sample_prices)


@pytest.fixture(scope="session")
def full_panel():
    """31 tickers 2023-06..2025-06: a file that is not part of the project."""
    path = SHARED / "data" / "prices.csv"
    if not path.is_file():
        pytest.skip("needs the full price file shared/data/prices.csv, which is not distributed with the project")
    table = pd.read_csv(path, usecols=["date", "ticker", "adj_close"], parse_dates=["date"])
    return es.ReturnPanel.from_prices(table.pivot(index="date", columns="ticker", values="adj_close"))


@pytest.fixture(scope="session")
def shared_factors():
    """Fama-French five factors, momentum and the riskless rate, daily 2015-01..2025-06, not part of the project."""
    path = SHARED / "data" / "factors.csv"
    if not path.is_file():
        pytest.skip("needs the factor file shared/data/factors.csv, which is not distributed with the project")
    return path


@pytest.fixture(scope="session")
def donor_panel():
    """576 tickers 2023-06..2025-06: a file that is not part of the project."""
    path = SHARED / "data" / "panel.parquet"
    if not path.is_file():
        pytest.skip("needs the panel file shared/data/panel.parquet, which is not distributed with the project")
    table = pd.read_parquet(path, columns=["date", "ticker", "adj_close"])
    table = table[(table["date"] >= "2023-06-01") & (table["date"] <= "2025-06-30")]
    return es.ReturnPanel.from_prices(table.pivot(index="date", columns="ticker", values="adj_close"))


@pytest.fixture(scope="session")
def full_bars():
    """Prices of a few tickers with bars and volume, 2023-06..2025-06: from the same file."""
    path = SHARED / "data" / "prices.csv"
    if not path.is_file():
        pytest.skip("needs the full price file shared/data/prices.csv, which is not distributed with the project")
    return es.load_prices(["NVDA", "MSFT", "ORCL", "SPY"], source=path)


def _synthetic(n=8, sessions=260, *, seed=0, missing=0.0, missing_market=0.0, scale=1.0) -> pd.DataFrame:
    """Wide returns of ``MKT`` and ``S00``…: betas around one, a hidden common shock, holes where asked."""
    rng = np.random.default_rng(seed)
    market = rng.standard_t(5, sessions) * 0.008
    hidden = rng.normal(0, 0.006, sessions)
    beta, load = rng.uniform(0.4, 1.8, n), rng.uniform(0.2, 1.2, n)
    noise = rng.normal(0, 1, (sessions, n)) * rng.uniform(0.008, 0.025, n)
    values = np.column_stack([market, market[:, None] * beta + hidden[:, None] * load + noise + 0.0003]) * scale
    holes = rng.random(values.shape) < missing
    holes[:, 0] = rng.random(sessions) < missing_market
    values[holes] = np.nan
    index = pd.bdate_range("2021-01-04", periods=sessions, name="date")
    return pd.DataFrame(values, index=index, columns=["MKT", *(f"S{i:02d}" for i in range(n))])


@pytest.fixture(scope="session")
def synthetic():
    """Builder of synthetic return frames."""
    return _synthetic


def _table(frame: pd.DataFrame, positions: dict[str, int], **columns) -> es.Events:
    """Bare-date events at row positions of a frame."""
    dates = [frame.index[p] for p in positions.values()]
    return es.Events.from_frame(pd.DataFrame({"ticker": list(positions), "date": dates, **columns}))


@pytest.fixture(scope="session")
def events_at():
    """Builder of events from ``{ticker: row position}``."""
    return _table


@pytest.fixture(scope="session")
def study_of(quiet):
    """Fit the market model on a frame in one call; windows short enough for small panels."""

    def fit(frame, events, model=None, **options):
        settings = {"estimation_window": (-130, -11), "event_window": (-5, 5), "min_obs": 60, **options}
        panel = frame if isinstance(frame, es.ReturnPanel) else es.ReturnPanel.from_frame(frame)
        return quiet(es.EventStudy(panel, events, model or es.MarketModel("MKT"), **settings))

    return fit


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Turn a skip for want of the shared data into a failure where EVENTSTUDY_REQUIRE_SHARED is set."""
    report = yield
    wanting = any(words in str(report.longrepr) for words in ("shared/", "beside this checkout"))
    if report.skipped and wanting and os.environ.get("EVENTSTUDY_REQUIRE_SHARED"):
        report.outcome = "failed"
        report.longrepr = f"skipped although the shared data are required: {report.longrepr}"
    return report
