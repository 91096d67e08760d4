"""Portfolio residuals and the mean residual correlation against double loops over pairs of events."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.inference import estimation_summary, shared_dates
from eventstudy.inference.sessions import mean_squares, session_sums, window_pass
from eventstudy.kernels import ResidualSums

EST = (-130, -11)
LENGTH = 120


def residuals_of(frame, positions):
    """Residuals of each event's market model, by numpy's polynomial fit; a Series over calendar columns each."""
    out = []
    for ticker, position in positions:
        start = max(position + EST[0], 0)
        part = frame[["MKT", ticker]].iloc[start : position + EST[1] + 1]
        part.index = range(start, start + len(part))
        part = part.dropna()
        slope, constant = np.polyfit(part["MKT"], part[ticker], 1)
        out.append(part[ticker] - constant - slope * part["MKT"])
    return out


def pooled(residuals, *, min_shared=30):
    """Mean over pairs of Σ z_i z_j over shared dates / number shared, z in units of its own whole window."""
    z = [(e - e.mean()) / e.std(ddof=0) for e in residuals]
    found = []
    for one, two in itertools.combinations(z, 2):
        shared = one.index.intersection(two.index)
        found.append((one[shared] * two[shared]).sum() / len(shared) if len(shared) >= min_shared else 0.0)
    return float(np.mean(found))


def pairwise_pearson(residuals, *, min_shared=30):
    """Mean over pairs of the Pearson correlation over the dates that both have."""
    found = []
    for one, two in itertools.combinations(residuals, 2):
        shared = one.index.intersection(two.index)
        found.append(np.corrcoef(one[shared], two[shared])[0, 1] if len(shared) >= min_shared else 0.0)
    return float(np.mean(found))


def fitted(study_of, events_at, frame, positions, **options):
    names = dict(positions)
    assert len(names) == len(positions)
    return study_of(frame, events_at(frame, names, **options), min_obs=40).estimation_summary


def test_one_date_is_the_mean_pearson_correlation(synthetic, study_of, events_at):
    frame = synthetic(15, 200, seed=21)
    positions = [(f"S{i:02d}", 170) for i in range(15)]
    matrix = np.corrcoef(np.array(residuals_of(frame, positions)))
    expected = matrix[np.triu_indices(15, 1)].mean()
    assert expected > 0.05  # the hidden shock is there
    assert fitted(study_of, events_at, frame, positions).mean_correlation == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("step", [1, 4, 9])
def test_staggered_dates(synthetic, study_of, events_at, step):
    """Nine sessions apart, the outer pairs share fewer than 30 dates, or none."""
    frame = synthetic(15, 330, seed=22)
    positions = [(f"S{i:02d}", 170 + step * i) for i in range(15)]
    residuals = residuals_of(frame, positions)
    expected = pooled(residuals)
    if step == 9:
        overlaps = [len(a.index.intersection(b.index)) for a, b in itertools.combinations(residuals, 2)]
        assert min(overlaps) == 0
        assert sum(0 < n < 30 for n in overlaps) > 0
    assert fitted(study_of, events_at, frame, positions).mean_correlation == pytest.approx(
        expected, rel=1e-9, abs=1e-12
    )
    assert expected == pytest.approx(pairwise_pearson(residuals), abs=0.01)


@pytest.mark.parametrize(("apart", "counts"), [(90, True), (91, False)])
def test_a_pair_counts_from_thirty_shared_dates_on(synthetic, study_of, events_at, apart, counts):
    frame = synthetic(2, 330, seed=23)
    frame["S01"] = frame["S00"] * 0.8 + 0.2 * frame["S01"]
    positions = [("S00", 150), ("S01", 150 + apart)]
    found = fitted(study_of, events_at, frame, positions).mean_correlation
    assert found == (pytest.approx(pooled(residuals_of(frame, positions)), rel=1e-9) if counts else 0.0)
    assert (abs(found) > 0.5) is counts


def test_several_events_on_several_dates(synthetic, study_of, events_at):
    frame = synthetic(18, 330, seed=24)
    positions = [(f"S{i:02d}", 170 + 12 * (i % 5)) for i in range(18)]
    expected = pooled(residuals_of(frame, positions))
    assert fitted(study_of, events_at, frame, positions).mean_correlation == pytest.approx(expected, rel=1e-9)


def test_calendar_not_event_time(synthetic, study_of, events_at):
    """Aligned in event time the correlation of staggered events would vanish; in calendar time it does not."""
    frame = synthetic(12, 330, seed=25)
    rng = np.random.default_rng(25)
    common = rng.normal(0, 0.02, len(frame))
    for name in frame.columns[1:]:
        frame[name] = common + 0.2 * frame[name]
    positions = [(f"S{i:02d}", 170 + 3 * i) for i in range(12)]
    assert fitted(study_of, events_at, frame, positions).mean_correlation > 0.5
    stacked = np.corrcoef(np.array([e.to_numpy() for e in residuals_of(frame, positions)]))
    assert abs(stacked[np.triu_indices(12, 1)].mean()) < 0.1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("step", [0, 2])
def test_missing_returns(synthetic, study_of, events_at, seed, step):
    """The pooled estimator divides by the mean count of shared dates and standardises over each whole window.

    With a fifth missing of 120 sessions a pair's own estimate moves by r·√(2·0.2/80) ≈ 7 % of itself plus noise of
    order 1/√80·√0.2 ≈ 0.05; the mean over 105 pairs divides that by about 10. So 0.006, a tenth of r̄ here, is ample.
    """
    frame = synthetic(15, 260, seed=seed, missing=0.2, missing_market=0.05)
    positions = [(f"S{i:02d}", 170 + step * i) for i in range(15)]
    residuals = residuals_of(frame, positions)
    found = fitted(study_of, events_at, frame, positions).mean_correlation
    assert found == pytest.approx(pooled(residuals), abs=0.004)
    assert found == pytest.approx(pairwise_pearson(residuals), abs=0.006)


@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize("weighted", [False, True])
def test_portfolio_residuals(synthetic, study_of, events_at, missing, weighted):
    frame = synthetic(7, 260, seed=26, missing=missing)
    positions = [(f"S{i:02d}", 170 + 5 * i) for i in range(7)]
    weight = [1.0, 4.0, 2.0, 0.5, 3.0, 1.0, 7.0]
    options = {"weight": weight} if weighted else {}
    found = fitted(study_of, events_at, frame, positions, **options).portfolio
    residuals = residuals_of(frame, positions)
    assert found.shape == (LENGTH,)
    for column in range(LENGTH):
        total = mass = 0.0
        for (_, position), e, w in zip(positions, residuals, weight, strict=True):
            day = position + EST[0] + column
            if day in e.index:
                total += (w if weighted else 1.0) * e[day]
                mass += w if weighted else 1.0
        assert found[column] == pytest.approx(total / mass, rel=1e-9, abs=1e-15)


def test_a_session_without_any_residual_is_missing(synthetic, study_of, events_at):
    frame = synthetic(3, 200, seed=27)
    frame.iloc[100, 0] = np.nan  # no market return: no residual of anyone
    summary = fitted(study_of, events_at, frame, [("S00", 170), ("S01", 170)])
    assert np.flatnonzero(np.isnan(summary.portfolio)).tolist() == [60]


def test_same_security_twice():
    """Windows of one security that overlap hold the same residuals: correlation one over the shared dates."""
    z = np.random.default_rng(28).normal(size=200)
    rows = np.stack([z[:120], z[20:140]])
    expected = pooled([_series(rows[0], 0), _series(rows[1], 20)])
    found = estimation_summary(
        lambda part: rows[part], position=np.array([200, 220]), security=np.array([0, 0]), n_sessions=120
    )
    assert expected > 1.0  # each in units of its own window, not of the shared part
    assert found.mean_correlation == pytest.approx(1.0, rel=1e-12)
    assert found.mean_correlation > 0.9


def _series(values, start):
    return pd.Series(values, index=range(start, start + len(values)))


def test_chunks_of_events_do_not_matter(monkeypatch):
    from eventstudy.inference import dependence

    rng = np.random.default_rng(29)
    rows = rng.normal(size=(40, 120)) + rng.normal(size=120)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    position = rng.integers(200, 230, 40)
    where = {"position": position, "security": np.arange(40), "n_sessions": 120}
    whole = estimation_summary(lambda part: rows[part], **where)
    monkeypatch.setattr(dependence, "_CHUNK", 7)
    parts = estimation_summary(lambda part: rows[part], **where)
    assert parts.mean_correlation == pytest.approx(whole.mean_correlation, rel=1e-12)
    np.testing.assert_allclose(parts.portfolio, whole.portfolio, rtol=1e-12)


def test_one_event_has_no_correlation(synthetic, study_of, events_at):
    frame = synthetic(1, 200, seed=30)
    assert fitted(study_of, events_at, frame, [("S00", 170)]).mean_correlation == 0.0


@pytest.mark.parametrize(
    ("positions", "dates", "largest", "peers", "clustered"),
    [
        ([5, 5, 5], 1, 3, 2.0, True),
        ([1, 2, 3], 3, 1, 0.0, False),
        ([7], 1, 1, 0.0, False),
        ([1, 1, 2, 3], 3, 2, 0.5, True),  # every second event has a peer
        ([1, 1, 2, 3, 4], 4, 2, 0.4, False),
        ([1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10, 3, 0.5, True),
    ],
)
def test_shared_dates(positions, dates, largest, peers, clustered):
    found = shared_dates(np.array(positions))
    assert (found.n_events, found.n_dates, found.largest) == (len(positions), dates, largest)
    assert found.mean_peers == pytest.approx(peers)
    assert found.clustered is clustered


def test_the_warning_of_shared_dates(synthetic, events_at):
    frame = synthetic(4, 200, seed=31)
    panel = es.ReturnPanel.from_frame(frame)

    def fit(positions):
        events = events_at(frame, dict(zip(["S00", "S01", "S02"], positions, strict=True)))
        return es.EventStudy(panel, events, es.MarketModel("MKT"), EST, (-5, 5)).fit()

    with pytest.warns(es.ClusteredEventsWarning, match=r"3 security-events share 1 event date"):
        res = fit([170, 170, 170])
    names = res.tests(0, 0)["valid_under_clustering"].tolist()
    assert names == sorted(names, reverse=True)  # the rows that hold come first
    assert any("cross-correlated" in note for note in res.caveats())
    res = fit([150, 160, 170])  # filterwarnings = error: no warning here
    assert res.caveats() == []


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
def test_a_row_without_variance_correlates_with_none(engine):
    """Three events on one date, one without variance: r̄ is a third of the correlation of the other two."""
    rng = np.random.default_rng(5)
    residuals = np.vstack([rng.standard_normal((2, 80)), np.zeros((1, 80))])
    sums = ResidualSums.zeros(1, 80)
    sums.add(residuals, np.zeros(3, np.int64), np.ones(3), engine=engine)
    expected = np.corrcoef(residuals[:2])[0, 1] / 3
    found = estimation_summary(lambda rows: residuals[rows], np.zeros(3, np.int64), np.arange(3), 80)
    assert found.mean_correlation == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(sums.counts, np.full((1, 80), 2.0))


def test_chunks_of_long_estimation_windows_hold_fewer_events():
    """Memory is bounded by residuals, whatever the length of the window."""
    e = np.random.default_rng(31).normal(0, 0.01, (7, 8_192))
    asked = []

    def residuals(rows):
        asked.append(len(rows))
        return e[rows % 7]

    rows = np.arange(1_100)
    times = np.bincount(rows % 7)
    sums = session_sums(residuals, np.zeros((1_100, 1)), None, rows)
    np.testing.assert_allclose(sums.total, times @ e, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mean_squares(residuals, rows), (e**2).mean(1)[rows % 7], rtol=1e-12)
    ranks, share = window_pass(residuals, np.zeros((1_100, 1)), np.array([1]))
    np.testing.assert_allclose(share[:, 0], (e > 0).mean(1)[rows % 7], rtol=1e-12)
    np.testing.assert_allclose(ranks.above[0], times @ (e > 0) / 8_194.0, rtol=1e-9)
    summary = estimation_summary(residuals, np.full(1_100, 9_000), rows, 8_192)
    np.testing.assert_allclose(summary.portfolio, times @ e / 1_100, rtol=1e-9, atol=1e-12)
    assert max(asked) * 8_192 * 8 <= 1 << 25
