"""Tests of means: loops from the papers, statsmodels for least squares, HAC and clustered standard errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.inference import TESTS, TestSample, newey_west_t
from eventstudy.inference.by_date import calendar_standard_error


def sample(car, *, scar=None, correlation=0.0, **fields):
    car = np.array(car, dtype=float)
    return TestSample(
        window=es.Window(0, 0), car=car, scar=car / 0.01 if scar is None else np.array(scar, dtype=float),
        dof=np.full(len(car), 100.0), weights=None, portfolio=np.array([0.01, -0.01, 0.0]),
        mean_correlation=correlation, **fields,
    )  # fmt: skip


# -- Hall, jackknife, adjusted Patell -----------------------------------------------------------------------------


def test_skew_t_is_halls_cubic():
    """Hall's transform is a perfect cube: ((1 + γS/3)³ − 1)/γ, plus γ/(6N)."""
    x = np.random.default_rng(0).gamma(2.0, 1.0, 40) - 1.8
    s, skewness = x.mean() / x.std(ddof=1), stats.skew(x)
    expected = np.sqrt(40) * (((1 + skewness * s / 3) ** 3 - 1) / skewness + skewness / 240)
    found = TESTS["skew_t"](sample([*x, np.nan]))
    assert found.statistic == pytest.approx(expected, rel=1e-12)
    assert (found.df, found.n) == (39, 40)


def test_skew_t_of_symmetric_values_is_the_plain_t():
    x = np.array([-1.0, 0.0, 1.0]) + 0.3
    assert TESTS["skew_t"](sample(x)).statistic == pytest.approx(stats.ttest_1samp(x, 0).statistic, rel=1e-12)
    assert "three events" in TESTS["skew_t"](sample([1.0, 2.0])).reason


def test_jackknife_t_by_leaving_out():
    x = np.random.default_rng(1).standard_t(4, 17) + 0.5
    whole = x.mean() / x.std(ddof=1)
    pseudo = []
    for i in range(17):
        rest = np.delete(x, i)
        pseudo.append(17 * whole - 16 * rest.mean() / rest.std(ddof=1))
    found = TESTS["jackknife_t"](sample(x, scar=[*x[:9], *x[9:]]))
    assert found.statistic == pytest.approx(stats.ttest_1samp(pseudo, 0).statistic, rel=1e-10)
    assert found.df == 16


def test_jackknife_t_needs_spread_without_any_one():
    assert "needs 10 events" in TESTS["jackknife_t"](sample([0, 0], scar=[1.0, 2.0])).reason
    assert "without one" in TESTS["jackknife_t"](sample([0] * 12, scar=[*[1.0] * 11, 2.0])).reason


def test_patell_adjusted_by_hand():
    plain = TESTS["patell_z"](sample([0.0] * 3, scar=[1.0, 2.0, 3.0])).statistic
    found = TESTS["patell_z_adj"](sample([0.0] * 3, scar=[1.0, 2.0, 3.0], correlation=0.5))
    assert found.statistic == pytest.approx(plain / np.sqrt(2), rel=1e-13)
    assert "admits no adjustment" in TESTS["patell_z_adj"](sample([0.1] * 3, correlation=-0.5)).reason


# -- calendar-time portfolio --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scattered(synthetic, events_at, study_of):
    """30 events on 18 dates close to each other, some returns missing, securities once each."""
    frame = synthetic(30, 300, seed=4, missing=0.01)
    at = np.random.default_rng(5).choice(np.arange(170, 215, 2), 30)
    return study_of(frame, events_at(frame, dict(zip(frame.columns[1:], at.tolist(), strict=True))))


def long_table(res, window):
    """One row per event and session inside the window, of the events that have a CAR."""
    ar = res.abnormal_returns.loc[:, window[0] : window[1]].to_numpy()
    rows = [
        (res.fit.index.position[i] + tau, ar[i, k])
        for i in range(len(ar))
        if not np.isnan(ar[i]).any()
        for k, tau in enumerate(range(window[0], window[1] + 1))
    ]
    return pd.DataFrame(rows, columns=["session", "ar"])


@pytest.mark.parametrize("window", [(0, 0), (-2, 2), (-5, 5)])
def test_calendar_portfolio_t(scattered, window):
    by_day = long_table(scattered, window).groupby("session")["ar"].agg(["mean", "size"])
    fit = sm.OLS(by_day["mean"].to_numpy(), np.ones(len(by_day))).fit()
    row = scattered.tests(*window).loc["calendar_portfolio_t"]
    assert row["statistic"] == pytest.approx(fit.tvalues[0], rel=1e-10)
    assert row["p_value"] == pytest.approx(fit.pvalues[0], rel=1e-9)
    assert row["df"] == len(by_day) - 1
    table = scattered.calendar_portfolio(*window)
    np.testing.assert_allclose(table["ar"], by_day["mean"], rtol=1e-11)
    np.testing.assert_array_equal(table["n"], by_day["size"])
    np.testing.assert_array_equal(table.index, scattered.study.returns.sessions[by_day.index])


def test_calendar_portfolio_of_one_date(synthetic, events_at, study_of):
    """One date: the same portfolio's estimation window gives the spread; with equal weights the time-series t."""
    frame = synthetic(6, 260, seed=6)
    events = events_at(frame, dict.fromkeys(frame.columns[1:], 170), weight=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    res = study_of(frame, events)
    portfolio = res.fit.residuals(np.arange(6)).mean(axis=0)
    expected = res.abnormal_returns[[-1, 0, 1]].to_numpy().mean() * np.sqrt(3) / portfolio.std(ddof=1)
    row = res.tests(-1, 1).loc["calendar_portfolio_t"]
    assert row["statistic"] == pytest.approx(expected, rel=1e-10)
    assert row["df"] == 119
    assert res.tests(-1, 1).loc["time_series_t", "statistic"] != pytest.approx(
        expected, rel=1e-3
    )  # weights count there
    plain = study_of(frame, events_at(frame, dict.fromkeys(frame.columns[1:], 170))).tests(-1, 1)["statistic"]
    assert plain["calendar_portfolio_t"] == pytest.approx(plain["time_series_t"], rel=1e-10)


@pytest.mark.parametrize("lags", [0, 1, 4, None])
def test_newey_west_is_statsmodels(lags):
    x = np.convolve(np.random.default_rng(7).normal(0.1, 1, 130), [1, 0.6, 0.3], "valid")
    used = int(4 * (len(x) / 100) ** (2 / 9)) if lags is None else lags
    options = {"maxlags": used, "use_correction": True}
    fit = sm.OLS(x, np.ones(len(x))).fit(cov_type="HAC", cov_kwds=options, use_t=True)
    t, df, n = newey_west_t(x, lags)
    assert t == pytest.approx(fit.tvalues[0], rel=1e-11)
    assert (df, n) == (len(x) - 1, len(x))


def test_newey_west_keeps_gaps():
    """Two sessions on either side of a gap are no neighbours."""
    x = np.array([1.0, -0.5, np.nan, np.nan, 0.7, 0.2])
    u = x - np.nanmean(x)
    by_hand = np.nansum(u**2) + 2 * 0.5 * (u[0] * u[1] + u[4] * u[5])
    assert newey_west_t(x, 1)[0] == pytest.approx(np.nanmean(x) / np.sqrt(by_hand / 12), rel=1e-12)
    assert "two sessions" in newey_west_t(np.array([1.0, np.nan]))
    assert "no variance" in newey_west_t(np.ones(5))


def test_standard_error_by_calendar_session(scattered):
    """Clustered by session of the calendar: statsmodels on the long table, whose slope is the mean of the ARs."""
    table = long_table(scattered, (-2, 2))
    fit = sm.OLS(table["ar"], np.ones(len(table))).fit(
        cov_type="cluster", cov_kwds={"groups": table["session"], "use_correction": False}
    )
    days = table["session"].nunique()
    expected = 5 * fit.bse.iloc[0] * np.sqrt(days / (days - 1))
    there = scattered.car(-2, 2)["car"].notna().to_numpy()
    index = scattered.fit.index
    found, n = calendar_standard_error(
        scattered.fit.ar, index.position, index.event, es.Window(-2, 2), there / there.sum()
    )
    assert found == pytest.approx(expected, rel=1e-10)
    assert n == days


# -- clusters -----------------------------------------------------------------------------------------------------


def clustered(n, dates, securities, seed):
    """Distinct (date, security) pairs with a shock per date."""
    rng = np.random.default_rng(seed)
    pair = rng.choice(dates * securities, n, replace=False)
    date, security = pair // securities, pair % securities
    car = rng.normal(0.005, 0.02, n) + rng.normal(0, 0.02, dates)[date] + rng.normal(0, 0.01, securities)[security]
    return car, date + 100, security


@pytest.mark.parametrize("seed", range(3))
def test_cluster_t_one_way_is_statsmodels(seed):
    car, date, _ = clustered(150, 30, 12, seed)  # 12 securities: too few to cluster by
    options = {"groups": date}
    fit = sm.OLS(car, np.ones(150)).fit(cov_type="cluster", cov_kwds=options, use_t=True)
    found = TESTS["cluster_t"](sample(car, position=date, security=np.unique(car, return_inverse=True)[1] % 12))
    assert found.statistic == pytest.approx(fit.tvalues[0], rel=1e-11)
    assert found.df == len(np.unique(date)) - 1
    assert found.p_value == pytest.approx(fit.pvalues[0], rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_cluster_t_two_way_is_statsmodels(seed):
    car, date, security = clustered(300, 40, 25, seed)
    options = {"groups": np.column_stack([date, security])}
    fit = sm.OLS(car, np.ones(300)).fit(cov_type="cluster", cov_kwds=options, use_t=True)
    found = TESTS["cluster_t"](sample([*car, np.nan], position=np.append(date, 5), security=np.append(security, 1)))
    assert found.statistic == pytest.approx(fit.tvalues[0], rel=1e-10)
    assert found.df == 24
    assert found.n == 300


def test_few_clusters_are_ibragimov_and_mullers():
    car, date, security = clustered(60, 9, 30, 1)
    means = pd.Series(car).groupby(date).mean()
    expected = stats.ttest_1samp(means, 0)
    found = TESTS["cluster_t"](sample(car, position=date, security=security))
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-11)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.df, found.n) == (8, 60)


def test_clusters_without_an_answer():
    one = TESTS["cluster_t"](sample([0.1, 0.2], position=np.array([7, 7])))
    assert "one date" in one.reason
    equal = TESTS["cluster_t"](sample([0.1, 0.3, 0.2], position=np.array([7, 7, 8])))
    assert "equal" in equal.reason
    assert "not given" in TESTS["cluster_t"](sample([0.1, 0.2])).reason
    # 20 dates of two opposite events each: by date there is nothing left of the variance
    car = np.tile([0.1, -0.1], 20) + 0.01
    found = TESTS["cluster_t"](sample(car, position=np.repeat(np.arange(20), 2)))
    assert "not positive" in found.reason
