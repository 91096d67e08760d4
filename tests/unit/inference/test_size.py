"""Size under the null: independent normal events, fixed seeds, binomial bands of 99.9 %.

Conditional on the market the t of one event is exactly Student's, so its rejections are binomial; the tests across
events are exact (cross-sectional) or asymptotic, and a band of 3.3 standard errors plus what is known is allowed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eventstudy as es
from eventstudy.abnormal import cumulated, t_p_value
from eventstudy.inference import TESTS, TestSample, estimation_summary
from eventstudy.models import MarketModel
from eventstudy.windows import EventIndex

M, L = 120, 61


def band(rate, n):
    return 3.3 * np.sqrt(rate * (1 - rate) / n)


def simulated(n, sessions, *, seed, common=0.0):
    """``n`` securities that share a market, with normal errors; ``common`` is the s.d. of a hidden shock."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0004, 0.01, sessions)
    values = rng.uniform(0.3, 1.7, n)[:, None] * market + rng.normal(0, 1, (n, sessions)) * rng.uniform(
        0.01, 0.03, n
    )[:, None]  # fmt: skip
    values += common * rng.normal(0, 1, sessions)
    names = np.array(["M", *(f"S{i}" for i in range(n))], dtype=object)
    days = pd.bdate_range("2000-01-03", periods=sessions)
    return es.ReturnPanel(np.vstack([market, values]), pd.Index(names), days)


def fitted(panel, position, event):
    rows = np.arange(1, panel.n_securities, dtype=np.int64)
    index = EventIndex(rows, np.full(len(rows), position, np.int64), es.Window(-M, -1), es.Window(*event))
    return MarketModel("M").fit(panel, index, M)


@pytest.mark.parametrize("length", [1, 11, L])
def test_the_t_of_one_event_is_exact(length):
    """At M = 120 and L = 61 the common shortcut √L·σ rejects about 11 % at a nominal 5 %."""
    n = 40_000
    fit = fitted(simulated(n, M + length, seed=length), M, (0, length - 1))
    found = cumulated(fit, es.Window(0, length - 1))
    rate = (t_p_value(found.scar, found.dof) < 0.05).mean()
    assert rate == pytest.approx(0.05, abs=band(0.05, n))
    inside = (np.abs(found.car) <= stats.t.ppf(0.975, M - 2) * found.std_error).mean()
    assert inside == pytest.approx(0.95, abs=band(0.05, n))
    if length == L:
        shortcut = found.car / np.sqrt(fit.sigma2 * L)
        assert (t_p_value(shortcut, found.dof) < 0.05).mean() == pytest.approx(0.11, abs=0.025)


def rejections(panel, per_study, window, *, clustered):
    """Rejection rate of every parametric test over studies of ``per_study`` securities each."""
    fit = fitted(panel, M, window)
    c = cumulated(fit, es.Window(*window))
    studies = len(c.car) // per_study
    found = {name: np.empty(studies) for name in ("csect_t", "time_series_t", "patell_z", "bmp_t", "bmp_t_adj")}
    residuals = fit.residuals(np.arange(len(c.car)))
    for study in range(studies):
        rows = np.arange(study * per_study, (study + 1) * per_study)
        position = np.zeros(per_study, np.int64) if clustered else np.arange(per_study, dtype=np.int64) * 1_000
        summary = estimation_summary(
            lambda part, rows=rows: residuals[rows[part]], position=position, security=rows, n_sessions=M
        )
        one = TestSample(
            window=es.Window(*window),
            car=c.car[rows],
            scar=c.scar[rows],
            dof=c.dof[rows],
            weights=None,
            portfolio=summary.portfolio,
            mean_correlation=summary.mean_correlation,
        )
        for name, p in found.items():
            p[study] = TESTS[name](one).p_value
    return {name: (p < 0.05).mean() for name, p in found.items()}, studies


@pytest.mark.parametrize("window", [(0, 0), (0, 4)])
def test_independent_events(window):
    rates, studies = rejections(simulated(60_000, M + 5, seed=7), 30, window, clustered=False)
    assert studies == 2_000
    # t tests whose scale is itself estimated from 120 sessions: the event's parameter error (1 + L/M) is not in it
    slack = {"time_series_t": 0.005 if window == (0, 0) else 0.02}
    for name, rate in rates.items():
        assert rate == pytest.approx(0.05, abs=band(0.05, studies) + slack.get(name, 0.0)), name


def test_correlated_events_on_one_date():
    """A hidden shock shared by all: unadjusted tests over-reject, the adjusted and the portfolio test do not."""
    rng = np.random.default_rng(8)
    counts = {name: [] for name in ("csect_t", "time_series_t", "patell_z", "bmp_t", "bmp_t_adj")}
    for _ in range(400):
        panel = simulated(30, M + 1, seed=rng, common=0.01)
        rates, _ = rejections(panel, 30, (0, 0), clustered=True)
        for name, rate in rates.items():
            counts[name].append(rate)
    rate = {name: np.mean(values) for name, values in counts.items()}
    for name in ("csect_t", "patell_z", "bmp_t"):
        assert rate[name] > 0.25, name
    for name in ("time_series_t", "bmp_t_adj"):
        assert rate[name] == pytest.approx(0.05, abs=band(0.05, 400) + 0.01), name


def overlapping_studies(position_of, window, *, studies, per_study=24):
    """Studies of events near each other in time, with a market and a hidden shock that all share."""
    rng = np.random.default_rng(9)
    days = pd.bdate_range("2000-01-03", periods=200)
    names = [f"S{i:02d}" for i in range(per_study)]
    dates = [days[position_of(i)] for i in range(per_study)]
    for _ in range(studies):
        market, hidden = rng.normal(0, 0.01, (2, 200))
        values = rng.uniform(0.5, 1.5, per_study)[:, None] * market + hidden + rng.normal(0, 0.015, (per_study, 200))
        panel = es.ReturnPanel(np.vstack([market, values]), pd.Index(["M", *names]), days)
        events = es.Events.from_frame(pd.DataFrame({"ticker": names, "date": dates}))
        yield es.EventStudy(panel, events, MarketModel("M"), (-130, -11), (-5, 5)), window


def test_what_is_called_valid_holds_on_neighbouring_dates(quiet):
    """Two events on each of twelve sessions in a row: windows overlap in the calendar, but not in event time."""
    rejected: dict[str, list[bool]] = {}
    for study, window in overlapping_studies(lambda i: 150 + i // 2, (-5, 5), studies=100):
        res = quiet(study)
        assert res.shared_dates.clustered
        table = res.tests(*window)
        for name in ("time_series_t", "bmp_t_adj"):
            assert name in table.index
            if table.loc[name, "valid_under_clustering"]:
                rejected.setdefault(name, []).append(bool(table.loc[name, "p_value"] < 0.05))
    rates = {name: float(np.mean(flags)) for name, flags in rejected.items()}
    assert {name: rate for name, rate in rates.items() if rate > 0.05 + band(0.05, 100)} == {}


def test_overlapping_windows_are_warned_of():
    """One event on each of 24 sessions in a row: windows of eleven sessions overlap, and `csect_t` rejects 38 %."""
    study, _ = next(overlapping_studies(lambda i: 150 + i, (-5, 5), studies=1))
    with pytest.warns(es.ClusteredEventsWarning):
        study.fit()


def test_the_adjustment_is_conservative_where_events_do_not_meet(quiet):
    """Events two sessions apart, tested on their day: no two abnormal returns share a date, so `bmp_t` is right.

    The adjusted test divides by the residual correlation of the whole estimation windows all the same and hardly ever
    rejects: a known loss of power of Kolari and Pynnönen's form for events that share no date, never an excess.
    """
    rejected = {"bmp_t": [], "bmp_t_adj": []}
    for study, _ in overlapping_studies(lambda i: 140 + 2 * i, (0, 0), studies=100):
        table = quiet(study).tests(0, 0)
        for name, flags in rejected.items():
            flags.append(table.loc[name, "p_value"] < 0.05)
    assert np.mean(rejected["bmp_t"]) == pytest.approx(0.05, abs=band(0.05, 100))
    assert np.mean(rejected["bmp_t_adj"]) <= 0.05
