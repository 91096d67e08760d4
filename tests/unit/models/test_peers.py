"""Peer portfolios against pandas, event by event, and against a market-adjusted study on the portfolio as a column."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import eventstudy as es

EST, EVENT = (-130, -11), (-5, 5)
PEERS = ["S03", "S04", "S05", "S06"]


@pytest.fixture(scope="module")
def frame(synthetic):
    return synthetic(8, 420, seed=21, missing=0.08)


@pytest.fixture(scope="module")
def events(frame, events_at):
    return events_at(frame, {"S00": 200, "S01": 260, "S02": 330})


@pytest.mark.parametrize(
    ("weights", "values", "share"),
    [
        ("equal", None, [1, 1, 1, 1]),
        ("value", dict(zip(PEERS, [3e11, 1e11, 5e11, 2e11], strict=True)), [3, 1, 5, 2]),
        (dict(zip(PEERS, [0.1, 0.2, 0.3, 0.9], strict=True)), None, [1, 2, 3, 9]),
    ],
)
def test_numbers_are_those_of_pandas(study_of, frame, events, weights, values, share):
    res = study_of(frame, events, es.PeerPortfolio(PEERS, weights, values), estimation_window=EST, event_window=EVENT)
    weight = pd.Series(share, index=PEERS, dtype=float)
    for at, (ticker, position) in enumerate(zip(res.events["ticker"], res.fit.index.position, strict=True)):
        expected = []
        for _, row in frame[PEERS].iterrows():
            there = row.dropna()
            expected.append((there * weight[there.index]).sum() / weight[there.index].sum() if len(there) else np.nan)
        ar = frame[ticker] - np.array(expected)
        np.testing.assert_allclose(
            res.abnormal_returns.iloc[at], ar.iloc[position - 5 : position + 6], rtol=1e-12, atol=1e-16
        )
        e = ar.iloc[position - 130 : position - 10].dropna()
        sigma = np.sqrt((e**2).mean())
        assert res.fit.n_obs[at] == len(e)
        assert res.parameters["sigma"].iloc[at] == pytest.approx(sigma, rel=1e-12)
        car = res.car(-1, 1).iloc[at]
        if not np.isnan(car["car"]):
            assert car["std_error"] == pytest.approx(sigma * np.sqrt(3), rel=1e-12)


def test_a_portfolio_that_is_a_column_gives_the_market_adjusted_study(study_of, synthetic, events_at):
    frame = synthetic(8, 420, seed=22)
    frame["BASKET"] = frame[PEERS].mean(axis=1)
    events = events_at(frame, {"S00": 200, "S01": 260, "S02": 330})
    mine = study_of(frame, events, es.PeerPortfolio(PEERS))
    column = study_of(frame, events, es.MarketAdjusted("BASKET"))
    pd.testing.assert_frame_equal(mine.car(-1, 1), column.car(-1, 1), rtol=1e-10)
    pd.testing.assert_frame_equal(mine.tests(-1, 1), column.tests(-1, 1), rtol=1e-8)
    pd.testing.assert_frame_equal(mine.bhar(-1, 1), column.bhar(-1, 1), rtol=1e-9)


def test_peers_with_an_event_of_their_own_are_taken_out(study_of, synthetic, events_at):
    frame = synthetic(6, 420, seed=23)
    # S01 has an event on the same session, S02 one inside the estimation window, S03 one long after
    events = events_at(frame, {"S00": 300, "S01": 302, "S02": 230, "S03": 400})
    everyone = ["S00", "S01", "S02", "S03", "S04"]
    for clean, left in (("event", ["S02", "S03", "S04"]), ("span", ["S03", "S04"])):
        res = study_of(frame, events, es.PeerPortfolio(everyone, clean=clean))
        expected = frame["S00"] - frame[left].mean(axis=1)
        at = res.events["ticker"].tolist().index("S00")
        np.testing.assert_allclose(res.abnormal_returns.iloc[at], expected.iloc[295:306], rtol=1e-12)


def test_each_security_may_have_peers_of_its_own(study_of, synthetic, events_at):
    frame = synthetic(6, 420, seed=24)
    events = events_at(frame, {"S00": 300, "S01": 200, "S02": 250, "S03": 300})
    model = es.PeerPortfolio({"S00": ["S04"], "S01": ["S04", "S05"], "S03": ["S00", "S03"]})
    res = study_of(frame, events, model)
    assert res.events["ticker"].tolist() == ["S00", "S01"]
    np.testing.assert_allclose(
        res.abnormal_returns.iloc[1], (frame["S01"] - frame[["S04", "S05"]].mean(axis=1)).iloc[195:206], rtol=1e-12
    )
    reason = res.dropped.set_index("ticker")["reason"]
    assert "no peers of S02 are named" in reason["S02"]
    assert "each of its 2 peers is the security itself or has an event of its own too near" in reason["S03"]


def test_sessions_with_too_few_peers_have_no_expected_return(study_of, frame, events):
    res = study_of(frame, events, es.PeerPortfolio(PEERS, min_peers=4))
    complete = frame[PEERS].notna().all(axis=1).to_numpy()
    for at, (ticker, position) in enumerate(zip(res.events["ticker"], res.fit.index.position, strict=True)):
        there = complete & frame[ticker].notna().to_numpy()
        assert res.fit.n_obs[at] == there[position - 130 : position - 10].sum()
        np.testing.assert_array_equal(res.abnormal_returns.iloc[at].notna(), there[position - 5 : position + 6])


def test_chunks_and_executors_change_no_number(frame, events_at, quiet):
    events = events_at(frame, {"S00": 200, "S01": 330, "S02": 400})
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), events, es.PeerPortfolio([f"S0{k}" for k in range(8)]), EST, EVENT, min_obs=40
    )
    whole = quiet(study)
    with ThreadPoolExecutor(2) as pool, pytest.warns(es.EventStudyWarning):
        parts = study.fit(executor=pool, chunk_size=1)
    np.testing.assert_array_equal(parts.fit.ar, whole.fit.ar)
    np.testing.assert_array_equal(parts.fit.sigma2, whole.fit.sigma2)


def test_wrong_options(study_of, frame, events):
    for wrong in (
        {"peers": []},
        {"peers": {}},
        {"peers": None},
        {"peers": ["S03", "S03"]},
        {"peers": {"S00": []}},
        {"peers": PEERS, "weights": "cap"},
        {"peers": PEERS, "weights": "value"},
        {"peers": PEERS, "weights": {"S03": 1.0}},
        {"peers": PEERS, "weights": dict.fromkeys(PEERS, 0.0)},
        {"peers": PEERS, "values": dict.fromkeys(PEERS, 1.0)},
        {"peers": PEERS, "min_peers": 0},
        {"peers": PEERS, "clean": "never"},
    ):
        with pytest.raises(es.InputError):
            es.PeerPortfolio(**wrong)
    with pytest.raises(es.InputError, match="NOPE"):
        study_of(frame, events, es.PeerPortfolio(["NOPE"]))
