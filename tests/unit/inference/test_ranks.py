"""Rank tests against double loops over events and sessions written from the papers, with scipy's ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import eventstudy as es
from eventstudy.inference import TESTS, Battery, sessions

EST, EVENT = (-80, -11), (-5, 5)


def study(synthetic, events_at, study_of, *, n=9, missing=0.0, seed=0, one_date=False, **options):
    frame = synthetic(n, 260, seed=seed, missing=missing)
    rng = np.random.default_rng(seed + 1)
    at = np.full(n, 170) if one_date else rng.choice(np.arange(120, 240), n, replace=False)
    events = events_at(frame, dict(zip(frame.columns[1:], at.tolist(), strict=True)))
    return study_of(frame, events, estimation_window=EST, event_window=EVENT, min_obs=40, **options)


def series_of(res):
    """Residuals and abnormal returns of each event side by side, and the length of the estimation window."""
    residuals = res.fit.residuals(np.arange(len(res)))
    return np.hstack([residuals, res.fit.ar]), residuals.shape[1]


def corrado_zivney(both, columns):
    """Corrado & Zivney (1992), standardised ranks with missing returns; the mean of the days for a window."""
    ranks = np.full(both.shape, np.nan)
    for i, row in enumerate(both):
        there = ~np.isnan(row)
        ranks[i, there] = stats.rankdata(row[there]) / (1 + there.sum())
    scores, counts = [], []
    for t in range(both.shape[1]):
        total, count = 0.0, 0
        for i in range(both.shape[0]):
            if not np.isnan(ranks[i, t]):
                total += ranks[i, t] - 0.5
                count += 1
        if count:
            scores.append(total / np.sqrt(count))
            counts.append(t)
    spread = np.sqrt(np.mean(np.square(scores)))
    z = [scores[counts.index(t)] / spread for t in columns]
    return np.sum(z) / np.sqrt(len(z))


@pytest.mark.parametrize("missing", [0.0, 0.08])
@pytest.mark.parametrize("window", [(0, 0), (-1, 2), (-5, 5)])
def test_corrado_rank(synthetic, events_at, study_of, missing, window):
    res = study(synthetic, events_at, study_of, missing=missing, n=14)
    both, n_est = series_of(res)
    columns = range(n_est + window[0] - EVENT[0], n_est + window[1] - EVENT[0] + 1)
    counted = ~np.isnan(both[:, list(columns)]).any(axis=1)
    row = res.tests(*window).loc["corrado_rank"]
    assert row["n"] == counted.sum()
    assert 1 < counted.sum() < 14 or not missing
    assert row["statistic"] == pytest.approx(corrado_zivney(both[counted], columns), rel=1e-11)
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(row["statistic"])), rel=1e-10)


def test_corrado_rank_by_hand():
    """Two events, three sessions of estimation and one of the event; ranks 1..4 over five."""
    residuals = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 4.0]])
    ar = np.array([[4.0], [3.0]])
    sums = sessions.session_sums(lambda rows: residuals[rows], ar, None, np.arange(2))
    np.testing.assert_allclose(sums.rank, [3 / 5, 3 / 5, 7 / 5, 7 / 5], rtol=1e-14)
    np.testing.assert_allclose(sums.own_rank, [3 / 5, 3 / 5, 6 / 5], rtol=1e-14)  # ranks 1..3 beside a fourth
    np.testing.assert_array_equal(sums.sign, [-2, -2, 2, 2])
    # K̄ − ½ = ∓0.2 in every session: S = 0.2, statistic 1
    one = es.inference.TestSample(
        window=es.Window(0, 0), car=ar[:, 0], scar=ar[:, 0], dof=np.full(2, 9.0), weights=None,
        portfolio=np.zeros(3), mean_correlation=0.0, event=es.Window(0, 0), sessions=sums,
    )  # fmt: skip
    assert TESTS["corrado_rank"](one).statistic == pytest.approx(1.0, rel=1e-13)
    assert TESTS["corrado_sign"](one).statistic == pytest.approx(1.0, rel=1e-13)


def test_ties_share_ranks():
    residuals = np.array([[2.0, 2.0, 1.0, np.nan], [5.0, 5.0, 5.0, 5.0]])
    ar = np.array([[2.0, 0.0], [5.0, 5.0]])
    for engine in ("compiled", "numpy"):
        first = sessions.session_sums(lambda rows: residuals[rows], ar, None, np.arange(1), engine=engine)
        np.testing.assert_allclose(first.rank, np.array([4, 4, 2, 0, 4, 1]) / 6, rtol=1e-14)
        np.testing.assert_allclose(first.own_rank, np.array([2.5, 2.5, 1, 0]) / 5, rtol=1e-14)
        np.testing.assert_array_equal(first.sign, [0, 0, -1, 0, 0, -1])
        np.testing.assert_array_equal(first.count, [1, 1, 1, 0, 1, 1])
        both = sessions.session_sums(lambda rows: residuals[rows], ar, None, np.arange(2), engine=engine)
        np.testing.assert_allclose(both.plus(first, -1).rank, np.full(6, 3.5 / 7), rtol=1e-14)


def kolari_pynnonen(both, n_est, scar, sigma):
    """GRANK from the paper: one cumulated 'day' beside the estimation window, explicit ranks, loops."""
    counted = [i for i in range(len(scar)) if not np.isnan(scar[i])]
    spread = np.std([scar[i] for i in counted], ddof=1)
    n_times = n_est + 1
    u = np.full((len(counted), n_times), np.nan)
    variance = 0.0
    for k, i in enumerate(counted):
        gsar = np.append(both[i, :n_est] / sigma[i], scar[i] / spread)
        there = ~np.isnan(gsar)
        size = there.sum()
        u[k, there] = stats.rankdata(gsar[there]) / (size + 1) - 0.5
        variance += (size - 1) / (12 * (size + 1))
    squares, times = 0.0, 0
    for t in range(n_times):
        column = [u[k, t] for k in range(len(counted)) if not np.isnan(u[k, t])]
        if column:
            squares += len(column) / len(counted) * np.mean(column) ** 2
            times += 1
    mean = np.mean(u[:, -1])
    z = mean / np.sqrt(squares / times)
    t = z * np.sqrt((times - 2) / (times - 1 - z**2))
    return t, times - 2, mean / np.sqrt(variance / len(counted) ** 2)


@pytest.mark.parametrize("missing", [0.0, 0.08])
@pytest.mark.parametrize("one_date", [False, True])
@pytest.mark.parametrize("window", [(0, 0), (-2, 3)])
def test_grank(synthetic, events_at, study_of, missing, one_date, window):
    res = study(synthetic, events_at, study_of, missing=missing, one_date=one_date, seed=5, n=12)
    both, n_est = series_of(res)
    scar = res.car(*window)["t"].to_numpy()
    t, df, z = kolari_pynnonen(both, n_est, scar, res.parameters["sigma"].to_numpy())
    table = res.tests(*window)
    assert table.loc["grank_t", "statistic"] == pytest.approx(t, rel=1e-10)
    assert table.loc["grank_t", "df"] == df
    assert table.loc["grank_t", "p_value"] == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-9)
    assert table.loc["grank_z", "statistic"] == pytest.approx(z, rel=1e-10)
    assert table.loc["grank_z", "n"] == (~np.isnan(scar)).sum()


@pytest.mark.parametrize(
    "model", [es.EWMAMarketModel("MKT", 15), es.RobustMarketModel("MKT", scale="robust")], ids=lambda model: model.name
)
def test_generalised_ranks_are_of_residuals_in_units_of_their_own_deviation(synthetic, events_at, study_of, model):
    """Those of a model whose sigma is another estimate too: Σe²/(M − 2)."""
    res = study(synthetic, events_at, study_of, seed=5, n=12, model=model)
    both, n_est = series_of(res)
    sigma = np.sqrt((both[:, :n_est] ** 2).sum(1) / (n_est - 2))
    assert abs(np.log(sigma / res.parameters["sigma"])).max() > 0.01
    t, _, z = kolari_pynnonen(both, n_est, res.car(-1, 1)["t"].to_numpy(), sigma)
    assert res.tests(-1, 1).loc[["grank_t", "grank_z"], "statistic"].tolist() == pytest.approx([t, z], rel=1e-9)


def test_grank_needs_two_events(synthetic, events_at, study_of):
    res = study(synthetic, events_at, study_of, n=1)
    table = res.tests(0, 0)
    for name in ("grank_t", "grank_z"):
        assert np.isnan(table.loc[name, "statistic"])
        assert "two events" in table.loc[name, "reason"]
    assert np.isfinite(table.loc["corrado_rank", "statistic"])  # ranks of one event have a law of their own


def test_a_session_without_any_return(synthetic, events_at, study_of):
    """A window that may skip sessions meets one on which no event has a return."""
    frame = synthetic(3, 260, seed=8)
    frame.iloc[171, 1:] = np.nan
    events = events_at(frame, dict.fromkeys(frame.columns[1:], 170))
    res = study_of(frame, events, estimation_window=EST, event_window=EVENT, min_obs=40, missing="skip")
    row = res.tests(0, 2).loc["corrado_rank"]
    assert np.isnan(row["statistic"])
    assert "no abnormal return of any event" in row["reason"]


def rows_of_returns(seed, n, length, *, missing, ties):
    rng = np.random.default_rng(seed)
    values = rng.standard_t(3, (n, length)) * rng.uniform(0.001, 0.1, n)[:, None] + rng.normal(0, 0.5, n)[:, None]
    if ties:
        values = np.round(values, 1)
    values[rng.random(values.shape) < missing] = np.nan
    return values


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("ties", [False, True])
def test_compiled_sums_are_those_of_numpy(missing, ties):
    values = rows_of_returns(1, 2_300, 45, missing=missing, ties=ties)
    values[5] = np.nan  # no return at all
    values[6, 1:] = np.nan
    values[7] = 1e9 * (np.arange(45) == 3)  # one value far outside
    residuals, ar = values[:, :40], values[:, 40:]
    weights = np.random.default_rng(2).uniform(0.1, 3, len(values))
    found = [
        sessions.session_sums(lambda rows: residuals[rows], ar, weights, np.arange(len(values)), engine=engine)
        for engine in ("compiled", "numpy")
    ]
    for name, one, two in zip(found[0].__slots__[1:], found[0].arrays(), found[1].arrays(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-10 * np.abs(two).max(), err_msg=name)
    threshold = rows_of_returns(3, len(values), 4, missing=0.1, ties=ties)
    lengths = np.array([1, 4, 40, 41])
    (one, share), (two, expected) = (
        sessions.window_pass(lambda rows: residuals[rows], threshold, lengths, engine=engine)
        for engine in ("compiled", "numpy")
    )
    for name in one.__slots__:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(np.isnan(share), np.isnan(expected))
    assert np.isnan(share[:, 3]).all()  # no window of 41 sessions among 40
    if not ties:  # sums of rounded numbers may be zero but for rounding, in one order of adding and not in another
        np.testing.assert_allclose(share, expected, rtol=1e-12)


@pytest.mark.parametrize("columns", [60, 3_000])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_ranks_of_values_that_are_nearly_equal(columns, scale):
    """Whatever the keys of the sort hold of a value, the ranks are those of scipy."""
    pytest.importorskip("numba")
    rng = np.random.default_rng(columns)
    values = scale * (1.0 + np.spacing(1.0) * rng.integers(0, columns // 2, (7, columns)))  # last bits differ, ties too
    values[1] = np.sort(values[1])[::-1]
    values[2, 10] = 1e6 * scale  # beside one so large all others are alike
    values[3] *= rng.choice([-1.0, 1.0], columns)
    values[4] = scale * rng.standard_normal(columns)
    values[5, rng.random(columns) < 0.3] = np.nan
    values[6] = np.nan
    values[6, [3, columns - 2]] = -0.0, 0.0
    n_est = columns - 9
    e, ar = np.ascontiguousarray(values[:, :n_est]), np.ascontiguousarray(values[:, n_est:])
    for i, row in enumerate(values):
        sums = sessions.session_sums(lambda rows: e[rows], ar, None, np.array([i]), engine="compiled")
        there, own = ~np.isnan(row), ~np.isnan(e[i])
        rank, own_rank, sign = np.zeros(columns), np.zeros(n_est), np.zeros(columns)
        rank[there] = stats.rankdata(row[there]) / (1 + there.sum())
        own_rank[own] = stats.rankdata(e[i, own]) / (2 + own.sum())
        low, high = np.sort(row[there])[[(there.sum() - 1) // 2, there.sum() // 2]]
        sign[there] = np.sign(row[there] - (low + (high - low) / 2))
        np.testing.assert_array_equal(sums.count, there)
        np.testing.assert_allclose(sums.rank, rank, rtol=1e-14)
        np.testing.assert_allclose(sums.own_rank, own_rank, rtol=1e-14)
        np.testing.assert_array_equal(sums.sign, sign)


def test_midranks_are_scipys():
    values = rows_of_returns(4, 50, 30, missing=0.2, ties=True)
    expected = stats.rankdata(values, axis=1, nan_policy="omit")
    np.testing.assert_array_equal(sessions.midranks(values), expected)


def test_sums_of_some_events(synthetic, events_at, study_of):
    res = study(synthetic, events_at, study_of, missing=0.05, n=11)
    battery = Battery(res.fit, np.random.default_rng(0).uniform(1, 4, len(res)), False)
    for keep in (3, len(res) - 2):
        which = np.arange(len(res)) < keep
        alone = Battery(res.fit.take(np.flatnonzero(which)), battery.weights[which], False)
        whole = battery.sessions(which)
        expected = alone.sessions(np.ones(keep, dtype=bool))
        assert whole.n == expected.n == keep
        for one, two in zip(whole.arrays(), expected.arrays(), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-13)
