"""Placebo tests against double loops, dummy-variable regressions, exact laws and simulated size."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.abnormal import cumulated
from eventstudy.errors import InputError
from eventstudy.inference import pseudo_windows as cutting
from eventstudy.inference.placebo import placebo
from eventstudy.inference.pseudo_windows import in_sample_scale

EST = (-130, -11)
L1 = 120
ENGINES = ["auto", "numpy"]
NAN = float("nan")


def oracle(frame, positions, length, window, statistic, starts=None):
    """Pseudo-statistics by regressions: one per event and pseudo-window, with a dummy for the window where studentised.

    ``frame`` has the market in its first column. Returns the observed CARs, SCARs and the statistic by first session.
    """
    cars, errors, pseudo = [], [], {}
    starts = range(L1 - length + 1) if starts is None else starts
    for ticker, position in positions:
        part = frame[["MKT", ticker]].iloc[position + EST[0] : position + EST[1] + 1].reset_index(drop=True)
        full = part.dropna()
        x = sm.add_constant(full["MKT"].to_numpy())
        fit = sm.OLS(full[ticker].to_numpy(), x).fit()
        event = frame[["MKT", ticker]].iloc[position + window[0] : position + window[1] + 1]
        new = sm.add_constant(event["MKT"].to_numpy(), has_constant="add")
        one = new.sum(0)
        inverse = np.linalg.inv(x.T @ x)
        cars.append((event[ticker].to_numpy() - new @ fit.params).sum())
        errors.append(np.sqrt(fit.mse_resid * (len(new) + one @ inverse @ one)))
        resid = dict(zip(full.index, fit.resid, strict=True))
        rows = dict(zip(full.index, x, strict=True))
        for start in starts:
            days = range(start, start + length)
            if not all(day in resid for day in days):
                continue
            if statistic == "mean_car":
                ones = sum(rows[day] for day in days)
                own = fit.mse_resid * (length - ones @ inverse @ ones)
                value = sum(resid[day] for day in days) / np.sqrt(own) * errors[-1]
            else:
                dummy = np.isin(full.index, list(days)).astype(float)
                value = sm.OLS(full[ticker].to_numpy(), np.column_stack([x, dummy])).fit().tvalues[-1]
            pseudo.setdefault(start, []).append(value)
    cars, errors = np.array(cars), np.array(errors)
    found = {}
    for start, values in pseudo.items():
        if len(values) >= max(0.5 * len(cars), 2 if statistic == "bmp" else 1):
            found[start] = stats.ttest_1samp(values, 0).statistic if statistic == "bmp" else np.mean(values)
    return cars, errors, found


def arrays(res, window):
    c = cumulated(res.fit, es.Window(*window))
    return c.car, c.std_error, c.dof


def run(res, window, *, exact=True, function=placebo, **options):
    length = window[1] - window[0] + 1
    fit = res.fit
    engine = options.get("engine", "auto")
    scale = in_sample_scale(fit.design, fit.arrays, fit.index.position, EST, length, engine=engine) if exact else None
    return function(fit.residuals, *arrays(res, window), length, scale=scale, **options)


@pytest.fixture(scope="module")
def studies(synthetic, study_of, events_at):
    """Complete data on one date, and holes with staggered dates."""
    made = {}
    for name, missing, step in (("complete", 0.0, 0), ("holes", 0.03, 4)):
        frame = synthetic(7, 220, seed=41, missing=missing)
        positions = [(f"S{i:02d}", 160 + step * i) for i in range(7)]
        for _, position in positions:
            frame.iloc[position - 5 : position + 6] = frame.iloc[position - 5 : position + 6].fillna(0.001)
        made[name] = frame, positions, study_of(frame, events_at(frame, dict(positions)))
    return made


# -- against regressions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("data", ["complete", "holes"])
@pytest.mark.parametrize("statistic", ["bmp", "mean_scar", "mean_car"])
@pytest.mark.parametrize("window", [(0, 0), (-1, 2)])
def test_every_pseudo_window_is_a_dummy_regression(studies, data, statistic, window, engine):
    frame, positions, res = studies[data]
    length = window[1] - window[0] + 1
    cars, errors, expected = oracle(frame, positions, length, window, statistic)
    found = run(res, window, statistic=statistic, engine=engine)
    scars = cars / errors
    observed = {"bmp": stats.ttest_1samp(scars, 0).statistic, "mean_scar": scars.mean(), "mean_car": cars.mean()}
    assert found.statistic == pytest.approx(observed[statistic], rel=1e-9)
    known = ~np.isnan(found.distribution)
    assert found.first[known].tolist() == sorted(expected)
    np.testing.assert_allclose(found.distribution[known], [expected[s] for s in sorted(expected)], rtol=1e-7)
    beyond = sum(abs(value) >= abs(observed[statistic]) for value in expected.values())
    assert found.p_value == (1 + beyond) / (1 + len(expected))
    assert (found.n, found.n_placebo) == (7, len(expected))


def test_a_complete_study_has_every_window(studies):
    found = run(studies["complete"][2], (-1, 2))
    assert found.first.tolist() == list(range(L1 - 3))
    assert (found.n_placebo, found.n_disjoint) == (117, 30)


def test_disjoint_windows_are_counted_from_the_end(studies):
    res = studies["complete"][2]
    everything = run(res, (-1, 3))
    found = run(res, (-1, 3), moves="disjoint")
    assert found.first.tolist() == list(range(0, 116, 5))
    assert (found.n_placebo, found.n_disjoint) == (24, 24)
    np.testing.assert_array_equal(found.distribution, everything.distribution[found.first])
    odd = run(res, (-4, 2), moves="disjoint")  # 120 is 17 · 7 and one session too many, the first
    assert odd.first.tolist() == list(range(1, 120, 7))


def test_a_distribution_serves_all_windows_of_its_length(studies):
    res = studies["complete"][2]
    first = run(res, (0, 1))
    c = arrays(res, (2, 3))

    def unread(rows):
        raise AssertionError("residuals are not to be read again")

    again = placebo(unread, *c, 2, reference=first)
    fresh = run(res, (2, 3))
    assert (again.statistic, again.p_value, again.ci_lower) == (fresh.statistic, fresh.p_value, fresh.ci_lower)
    for wrong in ({"length": 3}, {"length": 2, "statistic": "mean_scar"}):
        with pytest.raises(InputError, match="bmp of 7 events over 2 sessions"):
            placebo(unread, *c, reference=first, **wrong)
    with pytest.raises(InputError, match="mean_car"):
        placebo(unread, *c, 2, statistic="mean_car", reference=run(res, (0, 1), statistic="mean_car"))


def test_several_factors(synthetic, study_of, events_at):
    """Two regressors beside the constant: the packed inverse, and the dummy regression again."""
    frame = synthetic(4, 200, seed=43)
    frame = frame.rename(columns={"S03": "F2"})
    names = ["S00", "S01", "S02"]
    res = study_of(frame, events_at(frame, dict.fromkeys(names, 160)), model=es.FactorModel(["MKT", "F2"]))
    part = frame.iloc[160 + EST[0] : 160 + EST[1] + 1]
    x = sm.add_constant(part[["MKT", "F2"]].to_numpy())
    for engine in ENGINES:
        found = run(res, (0, 1), statistic="mean_scar", engine=engine)
        for start in (0, 17, 118):
            dummy = np.zeros(L1)
            dummy[start : start + 2] = 1.0
            t = [sm.OLS(part[name].to_numpy(), np.column_stack([x, dummy])).fit().tvalues[-1] for name in names]
            assert found.distribution[start] == pytest.approx(np.mean(t), rel=1e-8)


@pytest.mark.parametrize("model", [es.MeanAdjusted(), es.MarketAdjusted("MKT")])
@pytest.mark.parametrize("window", [(0, 0), (-2, 2)])
def test_the_average_scale_is_exact_without_regressors(synthetic, study_of, events_at, model, window):
    frame = synthetic(5, 200, seed=44, missing=0.02)
    res = study_of(frame, events_at(frame, {f"S{i:02d}": 160 for i in range(5)}), model=model)
    exact, average = run(res, window), run(res, window, exact=False)
    np.testing.assert_allclose(average.distribution, exact.distribution, rtol=1e-9)


def test_the_average_scale_is_close_with_a_regressor(studies):
    res = studies["complete"][2]
    exact, average = (run(res, (0, 0), exact=exact, statistic="mean_car").distribution for exact in (True, False))
    ratio = exact / average
    assert not np.allclose(ratio, 1.0, atol=1e-4)
    assert np.abs(ratio - 1.0).max() < 0.1
    assert ratio.mean() == pytest.approx(1.0, abs=2e-3)


# -- weights, missing values ---------------------------------------------------------------------------------------


def test_weights(studies):
    res = studies["complete"][2]
    w = np.array([1.0, 4.0, 2.0, 0.5, 3.0, 1.0, 7.0])
    found = run(res, (0, 0), statistic="mean_car", weights=w)
    singles = [run(es_select(res, i), (0, 0), statistic="mean_car") for i in range(7)]
    assert found.statistic == pytest.approx(np.average([s.statistic for s in singles], weights=w), rel=1e-12)
    np.testing.assert_allclose(
        found.distribution, np.average([s.distribution for s in singles], axis=0, weights=w), rtol=1e-9
    )
    equal = run(res, (0, 0), weights=np.full(7, 2.5))
    np.testing.assert_allclose(equal.distribution, run(res, (0, 0)).distribution, rtol=1e-9)


def es_select(res, i):
    return res.select(mask=np.arange(len(res)) == i)


def test_the_weighted_bmp_form_is_robust_weighted_least_squares():
    rng = np.random.default_rng(45)
    x, w = rng.normal(0.4, 1, 12), rng.uniform(0.5, 3, 12)
    e = rng.normal(size=(12, 60))
    found = placebo(lambda rows: e[rows], x, np.ones(12), np.full(12, 58.0), 1, weights=w)
    fit = sm.WLS(x, np.ones(12), weights=w).fit(cov_type="HC1", use_t=True)
    assert found.statistic == pytest.approx(fit.tvalues[0], rel=1e-10)


def test_an_event_without_a_car_does_not_count():
    rng = np.random.default_rng(46)
    e, car = rng.normal(size=(6, 80)), rng.normal(size=6)
    args = np.ones(6), np.full(6, 78.0)
    holed = placebo(lambda rows: e[rows], np.where(np.arange(6) == 2, NAN, car), *args, 1)
    keep = np.delete(np.arange(6), 2)
    without = placebo(lambda rows: e[keep][rows], car[keep], *(a[keep] for a in args), 1)
    assert (holed.statistic, holed.p_value, holed.n) == (without.statistic, without.p_value, 5)
    np.testing.assert_array_equal(holed.distribution, without.distribution)


def test_a_window_needs_half_of_the_events():
    e = np.random.default_rng(47).normal(size=(4, 50))
    e[:2, :10] = NAN
    e[:3, 10:15] = NAN
    found = placebo(lambda rows: e[rows], np.arange(4.0), np.ones(4), np.full(4, 30.0), 1)
    known = ~np.isnan(found.distribution)
    assert known[:10].all()
    assert not known[10:15].any()
    assert known[15:].all()
    assert found.n_placebo == 45


# -- invariances ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("length", [1, 9])
def test_chunks_do_not_matter_to_the_last_bit(monkeypatch, length, engine):
    rng = np.random.default_rng(48)
    e = rng.normal(size=(75, 60)) + rng.normal(size=60)
    e[rng.random(e.shape) < 0.01] = NAN
    args = (lambda rows: e[rows], rng.normal(size=75), rng.uniform(1, 2, 75), np.full(75, 58.0), length)
    whole = placebo(*args, engine=engine)
    for cells in (60, 7 * 60, 31 * 60):  # one event at a time, seven, 31 (so on several threads)
        monkeypatch.setattr(cutting, "_CELLS", cells)
        parts = placebo(*args, engine=engine)
        np.testing.assert_array_equal(parts.distribution, whole.distribution)
        assert parts.p_value == whole.p_value
        assert (parts.ci_lower, parts.ci_upper) == (whole.ci_lower, whole.ci_upper)


def test_order_scale_and_sign():
    rng = np.random.default_rng(49)
    e, car, se = rng.normal(size=(20, 90)), rng.normal(0.3, 1, 20), rng.uniform(1, 3, 20)
    dof = np.full(20, 88.0)

    def go(order, factor=1.0, **options):
        return placebo(
            lambda rows: factor * e[order][rows], factor * car[order], abs(factor) * se[order], dof, 3, **options
        )

    same = np.arange(20)
    for statistic in ("bmp", "mean_scar", "mean_car"):
        base = go(same, statistic=statistic)
        assert go(rng.permutation(20), statistic=statistic).p_value == base.p_value
        for factor in (1e-3, -1.0):
            assert go(same, factor, statistic=statistic).p_value == base.p_value
        flipped = go(same, -1.0, statistic=statistic)
        assert (flipped.ci_lower, flipped.ci_upper) == pytest.approx((-base.ci_upper, -base.ci_lower), rel=1e-9)


# -- the interval ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", ["bmp", "mean_scar", "mean_car"])
def test_the_interval_holds_what_the_test_does_not_reject(statistic):
    rng = np.random.default_rng(50)
    e, car, se = rng.normal(size=(15, 150)), rng.normal(0.5, 1.2, 15), rng.uniform(0.8, 1.6, 15)
    dof, w = np.full(15, 148.0), rng.uniform(0.5, 2, 15)

    def go(mu):
        return placebo(
            lambda rows: e[rows], car - mu, se, dof, 1, statistic=statistic, weights=w, confidence=0.9, progress=False
        )

    found = go(0.0)
    grid = np.linspace(found.ci_lower - 0.5, found.ci_upper + 0.5, 301)
    accepted = np.array([go(mu).p_value > 0.1 for mu in grid])
    inside = (grid >= found.ci_lower) & (grid <= found.ci_upper)
    assert (accepted == inside).all()
    assert 0 < inside.sum() < len(grid)


def test_no_interval_from_too_few_windows():
    e = np.random.default_rng(51).normal(size=(5, 18))
    args = (lambda rows: e[rows], np.arange(5.0), np.ones(5), np.full(5, 16.0), 1)
    found = placebo(*args)
    assert found.p_value >= 1 / 19
    assert np.isnan(found.ci_lower)
    assert "too few" in found.ci_reason
    assert np.isfinite(
        placebo(lambda rows: e[rows], np.arange(5.0), np.ones(5), np.full(5, 16.0), 1, confidence=0.9).ci_lower
    )


def test_an_unbounded_fieller_set_has_a_reason():
    """One standard error is a hundred times smaller: no effect can be told from any other."""
    e = np.random.default_rng(52).normal(size=(3, 60))
    found = placebo(lambda rows: e[rows], np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1e-3]), np.full(3, 58.0), 1)
    assert np.isnan(found.ci_lower)
    assert "not bounded" in found.ci_reason


# -- no answer ------------------------------------------------------------------------------------------------------


def test_every_way_of_having_no_answer():
    e = np.random.default_rng(53).normal(size=(3, 50))
    hard = [
        ([NAN, NAN, NAN], 1, "no event has a CAR"),
        ([NAN, 1.0, NAN], 1, "mean_scar"),
        ([2.0, 2.0, 2.0], 1, "equal"),
        ([1.0, 2.0, 3.0], 51, "does not fit"),
    ]
    for car, length, reason in hard:
        found = placebo(lambda rows: e[rows], np.array(car), np.ones(3), np.full(3, 48.0), length)
        assert np.isnan([found.statistic, found.p_value, found.ci_lower]).all()
        assert reason in found.reason
        assert found.ci_reason
    empty = placebo(lambda rows: e[rows] * NAN, np.arange(3.0), np.ones(3), np.full(3, 48.0), 1)
    assert "no pseudo-window" in empty.reason
    one = placebo(lambda rows: e[rows], np.array([2.0]), np.ones(1), np.array([48.0]), 1, statistic="mean_scar")
    assert 0 < one.p_value <= 1
    two = placebo(lambda rows: e[rows], np.array([2.0, 1.0]), np.ones(2), np.full(2, 48.0), 1)
    assert 0 < two.p_value <= 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spike_is_large_and_not_infinite(engine):
    """All variance of an event in one session: its pseudo-t is clipped, and still the largest."""
    e = np.zeros((2, 40))
    e[0, 7], e[1] = 3.0, np.random.default_rng(54).normal(size=40)
    found = placebo(
        lambda rows: e[rows], np.ones(2), np.ones(2), np.full(2, 40.0), 1, statistic="mean_scar", engine=engine
    )
    assert np.isfinite(found.distribution).all()
    assert np.argmax(found.distribution) == 7


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"statistic": "median"}, "median"),
        ({"moves": "some"}, "some"),
        ({"confidence": 95}, "confidence"),
        ({"weights": [1.0, 0.0, 1.0]}, "positive"),
        ({"weights": [1.0, 2.0]}, "shape"),
    ],
)
def test_wrong_options(options, match):
    e = np.random.default_rng(55).normal(size=(3, 50))
    with pytest.raises(InputError, match=match):
        placebo(lambda rows: e[rows], np.arange(3.0), np.ones(3), np.full(3, 48.0), 1, **options)


@pytest.mark.parametrize("length", [0, 1.5, True])
def test_a_wrong_length(length):
    with pytest.raises(InputError, match="length"):
        placebo(lambda rows: np.ones((len(rows), 9)), np.arange(3.0), np.ones(3), np.full(3, 48.0), length)


def test_progress_is_shown_on_demand_only(capsys):
    e = np.random.default_rng(56).normal(size=(3, 50))
    args = (lambda rows: e[rows], np.arange(3.0), np.ones(3), np.full(3, 48.0), 1)
    placebo(*args)
    placebo(*args, progress=False)
    assert capsys.readouterr().err == ""
    placebo(*args, progress=True)
    assert "placebo" in capsys.readouterr().err


# -- exactness and size ----------------------------------------------------------------------------------------------


def band(n, p=0.05, level=0.999):
    low, high = stats.binom.interval(level, n, p)
    return low / n, high / n


def simulated(rng, *, n, m, length, rho, law="normal", model=True):
    """Residuals, CARs, standard errors of one study on one date, and the exact scale, from the definitions."""
    shape = (n, m + length)
    if law == "normal":
        common, own = rng.normal(size=m + length), rng.normal(size=shape)
    else:
        common, own = rng.standard_t(4, m + length), rng.standard_t(4, shape)
    noise = np.sqrt(rho) * common + np.sqrt(1 - rho) * own
    x = np.column_stack([np.ones(m + length), rng.normal(size=m + length)]) if model else np.empty((m + length, 0))
    k = x.shape[1]
    est, new = x[:m], x[m:]
    inverse = np.linalg.inv(est.T @ est) if k else np.empty((0, 0))
    beta = noise[:, :m] @ est @ inverse
    e = noise[:, :m] - beta @ est.T
    s2 = (e**2).sum(1) / (m - k)
    one = new.sum(0)
    error = np.sqrt(s2 * (length + one @ inverse @ one))
    rolled = np.stack([est[w : w + length].sum(0) for w in range(m - length + 1)])
    scale = length - np.einsum("wa,ab,wb->w", rolled, inverse, rolled)
    car = (noise[:, m:] - beta @ new.T).sum(1)
    return e, car, error, np.full(n, float(m - k)), np.broadcast_to(scale, (n, len(scale)))


def p_values(seed, studies, statistic="bmp", **design):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(studies):
        e, car, error, dof, scale = simulated(rng, **design)
        found.append(
            placebo(
                lambda rows, e=e: e[rows], car, error, dof, design["length"], statistic=statistic,
                scale=lambda rows, s=scale: s[rows],
            ).p_value
        )  # fmt: skip
    return np.array(found)


def test_p_is_exactly_uniform_when_sessions_are_exchangeable():
    """No parameter fitted and L = 1: the event session is one of M + 1 exchangeable ones; p is uniform on k/(M+1)."""
    p = p_values(57, 2_000, statistic="mean_car", n=3, m=39, length=1, rho=0.3, law="t", model=False)
    counts = np.bincount(np.rint(p * 40).astype(int), minlength=41)[1:]
    assert np.allclose(p * 40, np.rint(p * 40))
    assert stats.chisquare(counts.reshape(10, 4).sum(1)).pvalue > 1e-3
    low, high = band(2_000)
    assert low <= np.mean(p <= 0.05) <= high


@pytest.mark.parametrize("law", ["normal", "t"])
@pytest.mark.parametrize("statistic", ["bmp", "mean_scar"])
def test_size_on_one_shared_date(law, statistic):
    """Residual correlation 0.2, 20 events: the plain BMP t rejects a third of the time, the placebo one in twenty."""
    p = p_values(58, 1_000, statistic=statistic, n=20, m=119, length=1, rho=0.2, law=law)
    low, high = band(1_000)
    assert low <= np.mean(p <= 0.05) <= high


def test_size_without_the_in_sample_correction_would_be_wrong():
    """The correction earns its place: L = 10 in M = 60, where residual sums are a fifth too small."""
    rng = np.random.default_rng(59)
    right, wrong = [], []
    for _ in range(600):
        e, car, error, dof, scale = simulated(rng, n=10, m=60, length=10, rho=0.2)
        flat = np.full(scale.shape, 10.0)
        for into, used in ((right, scale), (wrong, flat)):
            found = placebo(
                lambda rows, e=e: e[rows], car, error, dof, 10, statistic="mean_car", scale=lambda rows, s=used: s[rows]
            )
            into.append(found.p_value <= 0.1)
    assert np.mean(wrong) > np.mean(right) + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 3, 11])
@pytest.mark.parametrize("moves", ["all", "disjoint"])
def test_size_of_windows(length, moves):
    """N = 50, M = 250, correlation 0.2. Windows that overlap leave few independent ones, so L = 11 may reject more."""
    rng = np.random.default_rng(60)
    p = []
    for _ in range(1_000):
        e, car, error, dof, scale = simulated(rng, n=50, m=250, length=length, rho=0.2)
        found = placebo(
            lambda rows, e=e: e[rows], car, error, dof, length, scale=lambda rows, s=scale: s[rows], moves=moves
        )
        p.append(found.p_value)
    low, high = band(1_000)
    slack = 0.02 if (length, moves) == (11, "all") else 0.0
    assert np.mean(np.array(p) <= 0.05) <= high + slack
    if moves == "all":
        assert np.mean(np.array(p) <= 0.05) >= low


# -- real data -------------------------------------------------------------------------------------------------------


def test_the_founding_case(sample_panel, quiet):
    """18 stocks on the session of the article (29 January 2025), and of the sell-off two sessions before."""
    tickers = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    events = es.Events.at("2025-01-29 04:46", tickers, tz="America/New_York")
    res = quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-270, -21), (-10, 10), min_obs=120))
    fit = res.fit
    e = fit.residuals(np.arange(18))
    x = market(sample_panel, fit) - market(sample_panel, fit).mean()
    t = e / np.sqrt(fit.sigma2[:, None] * (1 - 1 / 250 - x**2 / (x**2).sum()))
    t *= np.sqrt(247 / (248 - t**2))  # externally studentised residuals: Cook and Weisberg (1982), chapter 2
    for window in ((0, 0), (-2, -2)):
        scale = in_sample_scale(fit.design, fit.arrays, fit.index.position, (-270, -21), 1)
        car, error, dof = arrays(res, window)
        found = placebo(fit.residuals, car, error, dof, 1, scale=scale)
        expected = np.sqrt(18) * t.mean(0) / t.std(0, ddof=1)
        assert found.statistic == pytest.approx(res.tests(window).loc["bmp_t", "statistic"], rel=1e-9)
        assert (found.n, found.n_placebo) == (18, 250)
        np.testing.assert_allclose(found.distribution, expected, rtol=1e-8)
        assert found.p_value == (1 + (np.abs(expected) > abs(found.statistic)).sum()) / 251
        plain = placebo(fit.residuals, car, error, dof, 1, scale=scale, statistic="mean_scar")
        assert plain.p_value == (1 + (np.abs(t.mean(0)) > abs((car / error).mean())).sum()) / 251


def market(panel, fit):
    at = fit.index.position[0]
    return panel.values[panel.row("SPY")][at - 270 : at - 20]
