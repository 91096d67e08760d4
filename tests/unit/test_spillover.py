"""Spillover: portfolios against statsmodels, influence against studies without the security, lags by brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

import eventstudy as es

POSITION = 170
GROUPS = {"S00": "win", "S01": "win", "S02": "lose", "S03": "lose", "S04": "lose", "S05": "idle"}


@pytest.fixture(scope="module")
def frame(synthetic):
    frame = synthetic(6, 260, seed=90)
    day = frame.index[POSITION]
    frame.loc[day, ["S00", "S01"]] += 0.06
    frame.loc[day, ["S02", "S03", "S04"]] -= 0.05
    return frame


def _events(frame, events_at, **columns):
    return events_at(frame, dict.fromkeys(GROUPS, POSITION), group=list(GROUPS.values()), **columns)


@pytest.fixture(scope="module")
def res(frame, study_of, events_at):
    return study_of(frame, _events(frame, events_at))


# -- winners and losers --------------------------------------------------------------------------------------------


def test_groups_count_winners_and_losers(res):
    table = res.spillover.groups(0, 0)
    assert table.index.tolist()[0] == "lose"
    assert table.index.tolist()[-1] == "All"
    cars = res.car(0, 0)
    for name in ("win", "lose", "idle"):
        part, row = cars[cars["group"] == name], table.loc[name]
        assert row["caar"] == pytest.approx(part["car"].mean())
        assert row["median"] == pytest.approx(part["car"].median())
        assert (row["n"], row["up"], row["down"]) == (len(part), (part["car"] > 0).sum(), (part["car"] < 0).sum())
        assert row["down_significant"] == ((part["car"] < 0) & (part["p_value"] < 0.05)).sum()
        assert row["best"] == part.loc[part["car"].idxmax(), "ticker"]
        alone = res.select(group=name).recommended(0, 0)
        assert (row["test"], row["p_value"]) == (alone.name, alone.result.p_value)
    three = table.drop(index="All")
    np.testing.assert_allclose(three["p_holm"], multipletests(three["p_value"], method="holm")[1])
    assert table.loc["All", "up"] + table.loc["All", "down"] == 6
    assert res.spillover.groups(0, 0, level=1e-12)["down_significant"].sum() == 0


def test_groups_are_needed(frame, study_of, events_at, res):
    with pytest.raises(es.InputError, match="no groups"):
        study_of(frame, events_at(frame, {"S00": POSITION})).spillover.groups(0, 0)
    with pytest.raises(es.InputError, match="level"):
        res.spillover.groups(0, 0, level=5)


# -- network -------------------------------------------------------------------------------------------------------


def test_network_edges_are_significant_correlations(res):
    every = res.spillover.network(after=(0, 60), level=None)
    assert len(every) == 15
    assert set(every["link"]) <= {"kept", "new", "lost", "none"}
    some = res.spillover.network(after=(0, 60), level=0.05)
    expected = every[(every["p_before_bh"] <= 0.05) | (every["p_after_bh"] <= 0.05)]
    pd.testing.assert_frame_equal(some, expected.reset_index(drop=True))
    assert (some["link"] != "none").all()
    residuals = res.fit.residuals(np.arange(6))
    row = every.set_index(["ticker_a", "ticker_b"]).loc[("S00", "S04")]
    r, p = stats.pearsonr(residuals[0], residuals[4])
    assert (row["before"], row["p_before"]) == pytest.approx((r, p), rel=1e-8)
    with pytest.raises(es.InputError, match="level"):
        res.spillover.network(level=0.0)


# -- long less short -----------------------------------------------------------------------------------------------


def _portfolio_regression(y, market, start, end):
    """CAR of a return series: one regression with a dummy for each session of the window, and their sum."""
    rows = np.r_[POSITION - 130 : POSITION - 10, POSITION + start : POSITION + end + 1]
    length = end - start + 1
    dummies = np.zeros((len(rows), length))
    dummies[120:] = np.eye(length)
    data = pd.DataFrame(np.column_stack([y[rows], np.ones(len(rows)), market[rows], dummies])).dropna()
    full = sm.OLS(data[0], data.iloc[:, 1:]).fit()
    total = full.t_test(np.r_[0, 0, np.ones(length)])
    return total.effect[0], total.sd[0, 0], total.tvalue[0, 0], float(total.pvalue), full


@pytest.mark.parametrize(("start", "end"), [(0, 0), (-1, 1), (-5, 5)])
def test_long_short_is_a_regression_of_the_portfolio_with_event_dummies(res, frame, start, end):
    row = res.spillover.long_short("win", "lose", (start, end)).iloc[0]
    y = (frame[["S00", "S01"]].mean(axis=1) - frame[["S02", "S03", "S04"]].mean(axis=1)).to_numpy()
    effect, error, t, p, full = _portfolio_regression(y, frame["MKT"].to_numpy(), start, end)
    found = (row["difference"], row["std_error"], row["t"], row["p_value"])
    assert found == pytest.approx((effect, error, t, p), rel=1e-8)
    assert row["df"] == full.df_resid
    assert row["beta"] == pytest.approx(full.params.iloc[1], rel=1e-9)
    half = stats.t.ppf(0.975, full.df_resid) * error
    assert (row["ci_lower"], row["ci_upper"]) == pytest.approx((effect - half, effect + half), rel=1e-8)
    groups = res.group_caar(start, end)["caar"]
    assert row["difference"] == pytest.approx(groups["win"] - groups["lose"], rel=1e-9)
    assert (row["caar_long"], row["caar_short"]) == pytest.approx((groups["win"], groups["lose"]))
    assert (row["n_long"], row["n_short"], row["session"]) == (2, 3, frame.index[POSITION])


def test_weights_make_the_portfolio(frame, study_of, events_at):
    weight = np.array([3.0, 1, 1, 2, 1, 1])
    found = (
        study_of(frame, _events(frame, events_at, weight=weight)).spillover.long_short("win", "lose", (0, 1)).iloc[0]
    )
    y = np.average(frame[["S00", "S01"]], axis=1, weights=[3, 1])
    y = y - np.average(frame[["S02", "S03", "S04"]], axis=1, weights=[1, 2, 1])
    effect, error, *_ = _portfolio_regression(y, frame["MKT"].to_numpy(), 0, 1)
    assert (found["difference"], found["std_error"]) == pytest.approx((effect, error), rel=1e-8)


def test_a_member_without_a_return_leaves_the_session_out(frame, study_of, events_at):
    holes = frame.copy()
    holes.iloc[[POSITION - 30, POSITION - 60], holes.columns.get_loc("S03")] = np.nan
    row = study_of(holes, _events(holes, events_at)).spillover.long_short("win", "lose", 0).iloc[0]
    y = holes[["S00", "S01"]].mean(axis=1) - holes[["S02", "S03", "S04"]].mean(axis=1, skipna=False)
    effect, error, _, p, full = _portfolio_regression(y.to_numpy(), holes["MKT"].to_numpy(), 0, 0)
    assert (row["difference"], row["std_error"], row["p_value"]) == pytest.approx((effect, error, p), rel=1e-8)
    assert (row["n_obs"], row["df"]) == (118, full.df_resid)


@pytest.mark.parametrize("model", [es.MeanAdjusted(), es.MarketAdjusted("MKT"), es.FactorModel(["MKT", "S05"])])
def test_any_linear_model_gives_the_difference_of_caars(frame, study_of, events_at, model):
    names = [name for name in GROUPS if name != "S05"]
    events = events_at(frame, dict.fromkeys(names, POSITION), group=[GROUPS[name] for name in names])
    found = study_of(frame, events, model)
    row, groups = found.spillover.long_short("win", "lose", (-1, 1)).iloc[0], found.group_caar(-1, 1)["caar"]
    assert row["difference"] == pytest.approx(groups["win"] - groups["lose"], rel=1e-8)
    assert [name for name in row.index if name.startswith("beta")] == [
        name for name in found.fit.coef_names if name != "alpha"
    ]


def test_sessions_kept_out_of_the_study_stay_out_of_the_portfolio(frame, study_of, events_at):
    found = study_of(frame, _events(frame, events_at), outliers=3.0)
    row = found.spillover.long_short("win", "lose", 0).iloc[0]
    left = ~found.fit.index.trimmed[:5].any(axis=0)
    assert row["n_obs"] == left.sum() < 120


def test_each_shared_session_has_a_row(frame, study_of, events_at):
    table = pd.DataFrame(
        {
            "ticker": ["S00", "S02", "S01", "S03", "S04"],
            "date": frame.index[[170, 170, 200, 200, 220]],
            "group": ["win", "lose", "win", "lose", "lose"],
        }
    )
    found = study_of(frame, es.Events.from_frame(table)).spillover.long_short("win", "lose", (0, 1))
    assert found["session"].tolist() == [frame.index[170], frame.index[200]]
    assert found["n_short"].tolist() == [1, 1]


def test_portfolios_that_cannot_be_made(res, frame, study_of, events_at):
    for long, short, match in (("win", "win", "both 'win'"), ("win", "none", "group 'none'")):
        with pytest.raises(es.InputError, match=match):
            res.spillover.long_short(long, short, 0)
    apart = pd.DataFrame({"ticker": ["S00", "S02"], "date": frame.index[[170, 200]], "group": ["win", "lose"]})
    with pytest.raises(es.InputError, match="No session has events of both"):
        study_of(frame, es.Events.from_frame(apart)).spillover.long_short("win", "lose", 0)
    robust = study_of(frame, _events(frame, events_at), es.models.RobustMarketModel("MKT"))
    with pytest.raises(es.InputError, match="cannot be fitted to a portfolio"):
        robust.spillover.long_short("win", "lose", 0)
    gaps = frame.copy()
    gaps.iloc[POSITION - 130 : POSITION - 70, gaps.columns.get_loc("S00")] = np.nan
    gaps.iloc[POSITION - 70 : POSITION - 10, gaps.columns.get_loc("S02")] = np.nan
    with pytest.raises(es.InsufficientDataError, match="0 sessions of the estimation window"):
        study_of(gaps, _events(gaps, events_at)).spillover.long_short("win", "lose", 0)


# -- lead and lag --------------------------------------------------------------------------------------------------


def test_lead_lag_correlations_by_brute_force(res):
    table = res.spillover.lead_lag("win", "lose", max_lag=2)
    series = {name: res.select(group=name).aar()["aar"].to_numpy() for name in ("win", "lose")}
    before = {
        name: res.fit.residuals(np.flatnonzero(res.events["group"] == name)).mean(axis=0) for name in ("win", "lose")
    }
    for lag in range(-2, 3):
        pairs = [(t - lag, t) for t in range(11) if 0 <= t - lag < 11]
        x, y = np.array([(series["win"][a], series["lose"][b]) for a, b in pairs]).T
        row = table.loc[lag]
        assert row["correlation"] == pytest.approx(np.corrcoef(x, y)[0, 1])
        assert row["n"] == len(pairs) == 11 - abs(lag)
        assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(row["correlation"]) * np.sqrt(len(pairs))))
        reference = []
        for first in range(120 - 10):
            a = np.array([before["win"][first + i] for i, _ in pairs])
            b = np.array([before["lose"][first + j] for _, j in pairs])
            reference.append(np.corrcoef(a, b)[0, 1])
        exceed = np.sum(np.abs(reference) >= abs(row["correlation"]))
        assert row["p_placebo"] == pytest.approx((1 + exceed) / (1 + len(reference)))
    swapped = res.spillover.lead_lag("lose", "win", max_lag=2)
    np.testing.assert_allclose(swapped["correlation"], table["correlation"][::-1], rtol=1e-12)


def test_a_leader_is_found(synthetic, study_of, events_at):
    frame = synthetic(2, 260, seed=5)
    frame["S01"] = 0.8 * frame["S00"].shift(2) + np.random.default_rng(0).normal(0, 0.004, 260)
    found = study_of(frame, events_at(frame, {"S00": 200, "S01": 200}), es.MeanAdjusted())
    table = found.spillover.lead_lag("S00", "S01")
    assert table["correlation"].idxmax() == 2
    assert table["baseline"].idxmax() == 2
    assert table.loc[2, "p_value"] < 0.05 < table.loc[-2, "p_value"]
    assert table.loc[2, "p_placebo"] > 0.05  # it always leads, so this event is nothing new


def test_windows_too_short_for_lags(res):
    with pytest.raises(es.InputError, match="too few for lags to 3"):
        res.spillover.lead_lag("win", "lose", (0, 4))
    with pytest.raises(es.InputError, match="ticker 'nobody'"):
        res.spillover.lead_lag("win", "nobody")


# -- influence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", [[170] * 6, [150, 160, 170, 180, 190, 240]], ids=["one date", "six dates"])
def test_influence_is_the_study_without_the_security(frame, study_of, dates):
    table = pd.DataFrame({"ticker": list(GROUPS), "date": frame.index[dates], "event_id": [f"e{i}" for i in range(6)]})
    whole = study_of(frame, es.Events.from_frame(table))
    found = whole.influence(0, 1, draws=99)
    assert sorted(found["event_id"]) == table["event_id"].tolist()
    assert (np.diff(found["delta"].abs()) <= 0).all()
    caar = whole.caar(0, 1)["caar"].iloc[0]
    for row in found.to_dict("records"):
        others = table[table["event_id"] != row["event_id"]]
        alone = study_of(frame, es.Events.from_frame(others))
        assert row["caar_without"] == pytest.approx(alone.caar(0, 1)["caar"].iloc[0], rel=1e-10)
        assert row["delta"] == pytest.approx(row["caar_without"] - caar)
        assert row["n_without"] == 5
        for name, p in alone.tests(0, 1, draws=99)["p_value"].items():
            np.testing.assert_allclose(row[f"p_{name}"], p, rtol=1e-9, err_msg=name)
    assert [name[2:] for name in found.columns if name.startswith("p_")] == whole.tests(0, 1, draws=99).index.tolist()


def test_influence_of_a_security_with_several_events(frame, study_of):
    table = pd.DataFrame({"ticker": ["S00", "S00", "S01", "S02"], "date": frame.index[[150, 200, 170, 180]]})
    whole = study_of(frame, es.Events.from_frame(table))
    found = whole.influence(0, 0, by="ticker", resampling=False).set_index("ticker")
    assert found.loc["S00", "n_without"] == 2
    assert found.loc["S00", "caar_without"] == pytest.approx(whole.car(0, 0)["car"].iloc[2:].mean())
    assert "event_id" not in found.columns
    assert "p_placebo_p" not in found.columns
    with pytest.raises(es.InputError, match="by="):
        whole.influence(0, 0, by="group")
    with pytest.raises(es.InputError, match="nothing is left"):
        whole.select(ticker="S01").influence(0, 0)


def test_an_event_without_a_car_moves_nothing(frame, study_of, events_at):
    holes = frame.copy()
    holes.iloc[POSITION, holes.columns.get_loc("S05")] = np.nan
    found = study_of(holes, _events(holes, events_at)).influence(0, 0, resampling=False).set_index("ticker")
    assert found.loc["S05", "delta"] == pytest.approx(0.0, abs=1e-15)
    assert found.index[-1] == "S05"
    assert found.loc["S00", "n_without"] == 4
