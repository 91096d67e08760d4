"""Cross-section regressions against statsmodels, closed forms and simulated coverage."""

from __future__ import annotations

import builtins

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import eventstudy as es
from eventstudy.errors import InputError
from eventstudy.inference.cross_section import cross_section
from eventstudy.inference.parametric import adjusted_for_correlation

NAN = float("nan")
COLUMNS = ["coef", "std_error", "t", "p_value", "ci_lower", "ci_upper"]


def case(n=40, seed=91):
    rng = np.random.default_rng(seed)
    ids = [f"E{i:03d}" for i in range(n)]
    x = pd.DataFrame({"event_id": ids, "size": rng.normal(8, 2, n), "tech": rng.integers(0, 2, n)})
    y = 0.01 - 0.002 * x["size"] + 0.01 * x["tech"] + rng.normal(0, 0.02, n) * (1 + x["tech"])
    car = pd.DataFrame({"event_id": ids, "ticker": [f"T{i % 7}" for i in range(n)], "car": y})
    return car, x


def table(fit, df, confidence=0.95):
    """Coefficients of a statsmodels fit with Student-t inference on ``df`` degrees of freedom."""
    half = stats.t.ppf(0.5 + confidence / 2, df) * fit.bse
    t = fit.params / fit.bse
    return np.column_stack(
        [fit.params, fit.bse, t, 2 * stats.t.sf(np.abs(t), df), fit.params - half, fit.params + half]
    )


def design(x):
    return sm.add_constant(x[["size", "tech"]].to_numpy(dtype=float))


# -- against statsmodels


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cov", ["HC3", "nonrobust"])
def test_least_squares(cov, weighted):
    car, x = case()
    w = np.random.default_rng(1).uniform(0.5, 3, 40) if weighted else None
    model = (
        sm.WLS(car["car"].to_numpy(), design(x), weights=w) if weighted else sm.OLS(car["car"].to_numpy(), design(x))
    )
    found = cross_section(car, x, cov=cov, weights=w, confidence=0.9)
    fit = model.fit(cov_type=cov)
    assert found.names == ("const", "size", "tech")
    np.testing.assert_allclose(found.to_frame().to_numpy(), table(fit, 37, 0.9), rtol=1e-9)
    assert (found.n, found.df, found.weighted) == (40, 37, weighted)
    assert found.r2 == pytest.approx(fit.rsquared, rel=1e-10)


def test_hc3_from_the_definition():
    """MacKinnon and White (1985): residuals over 1 − h, squared, in the sandwich."""
    car, x = case()
    matrix, y = design(x), car["car"].to_numpy()
    inverse = np.linalg.inv(matrix.T @ matrix)
    e = y - matrix @ inverse @ matrix.T @ y
    h = np.einsum("ia,ab,ib->i", matrix, inverse, matrix)
    covariance = inverse @ (matrix.T * (e / (1 - h)) ** 2) @ matrix @ inverse
    np.testing.assert_allclose(cross_section(car, x).std_error, np.sqrt(np.diag(covariance)), rtol=1e-10)


def test_clusters():
    car, x = case()
    dates = np.random.default_rng(2).integers(0, 9, 40)
    found = cross_section(car, x, cov="cluster", groups=pd.Index([f"2025-02-{d + 1:02d}" for d in dates]))
    fit = sm.OLS(car["car"].to_numpy(), design(x)).fit(cov_type="cluster", cov_kwds={"groups": dates})
    g = len(set(dates))
    np.testing.assert_allclose(found.to_frame().to_numpy(), table(fit, g - 1), rtol=1e-9)
    assert (found.n_groups, found.df) == (g, g - 1)


@pytest.mark.parametrize("weighted", [False, True])
def test_kp_is_the_sandwich_with_one_correlation(weighted):
    """(X'X)⁻¹X'ΩX(X'X)⁻¹ written out with the whole n × n matrix, σ² from tr(MΩ)."""
    car, x = case()
    r, n = 0.15, 40
    root = np.sqrt(np.random.default_rng(3).uniform(0.5, 3, n)) if weighted else np.ones(n)
    matrix, y = design(x) * root[:, None], car["car"].to_numpy() * root
    omega = (1 - r) * np.eye(n) + r * np.ones((n, n))
    inverse = np.linalg.inv(matrix.T @ matrix)
    annihilator = np.eye(n) - matrix @ inverse @ matrix.T
    sigma2 = (y @ annihilator @ y) / np.trace(annihilator @ omega)
    covariance = sigma2 * inverse @ matrix.T @ omega @ matrix @ inverse
    found = cross_section(car, x, cov="kp", mean_correlation=r, weights=root**2 if weighted else None)
    np.testing.assert_allclose(found.std_error, np.sqrt(np.diag(covariance)), rtol=1e-9)
    assert found.df == 37
    if not weighted:  # a shock common to all is in the constant
        plain = cross_section(car, x, cov="nonrobust")
        np.testing.assert_allclose(found.std_error[1:], plain.std_error[1:], rtol=1e-10)
        assert found.std_error[0] > plain.std_error[0]


def test_kp_with_a_centred_characteristic_is_the_adjusted_t_of_the_mean():
    """A characteristic of mean zero that explains nothing leaves Kolari and Pynnönen's mean, but for one df."""
    rng = np.random.default_rng(4)
    y, z = rng.normal(0.01, 0.02, 30), rng.normal(size=30)
    basis = np.column_stack([np.ones(30), y])
    z -= basis @ np.linalg.lstsq(basis, z, rcond=None)[0]
    index = pd.Index(range(30), name="event_id")
    found = cross_section(pd.Series(y, index), pd.Series(z, index, name="z"), cov="kp", mean_correlation=0.1)
    t = adjusted_for_correlation(stats.ttest_1samp(y, 0).statistic, 0.1, 30, estimated_spread=True)
    assert found.t[0] == pytest.approx(t * np.sqrt(28 / 29), rel=1e-10)
    zero = cross_section(pd.Series(y, index), pd.Series(z, index, name="z"), cov="kp", mean_correlation=0.0)
    plain = cross_section(pd.Series(y, index), pd.Series(z, index, name="z"), cov="nonrobust")
    np.testing.assert_allclose(zero.std_error, plain.std_error, rtol=1e-12)


def test_coverage_of_kp_on_one_shared_date():
    """Equicorrelated normal disturbances, r = 0.2: the constant's t is exactly Student's."""
    rng = np.random.default_rng(5)
    index = pd.Index(range(25), name="event_id")
    z = pd.Series(rng.normal(1, 1, 25), index, name="z")
    held = {"kp": 0, "nonrobust": 0}
    for _ in range(600):
        y = 0.5 + z + np.sqrt(0.2) * rng.normal() + np.sqrt(0.8) * rng.normal(size=25)
        for cov, options in (("kp", {"mean_correlation": 0.2}), ("nonrobust", {})):
            found = cross_section(y, z, cov=cov, **options)
            held[cov] += found.ci_lower[0] <= 0.5 <= found.ci_upper[0]
    low, high = stats.binom.interval(0.999, 600, 0.95)
    assert low <= held["kp"] <= high
    assert held["nonrobust"] < 0.85 * 600


# -- joining


def test_rows_are_matched_not_stacked():
    car, x = case()
    order = np.random.default_rng(6).permutation(40)
    base = cross_section(car, x).to_frame()
    for other in (x.iloc[order], x.set_index("event_id"), x.set_index("event_id").iloc[order]):
        pd.testing.assert_frame_equal(cross_section(car, other).to_frame(), base)
    pd.testing.assert_frame_equal(cross_section(car.set_index("event_id")["car"], x).to_frame(), base)
    extra = pd.concat([x, pd.DataFrame({"event_id": ["other"], "size": [1e9], "tech": [0]})])
    pd.testing.assert_frame_equal(cross_section(car, extra).to_frame(), base)


def test_characteristics_by_ticker_serve_all_events_of_a_firm():
    car, _ = case()
    by_ticker = pd.DataFrame({"ticker": [f"T{i}" for i in range(7)], "size": np.arange(7.0) ** 2})
    found = cross_section(car, by_ticker, cov="nonrobust")
    x = sm.add_constant(np.array([float(int(t[1:]) ** 2) for t in car["ticker"]]))
    np.testing.assert_allclose(found.coef, sm.OLS(car["car"].to_numpy(), x).fit().params, rtol=1e-10)


def test_event_id_comes_before_ticker():
    car, x = case()
    both = x.assign(ticker="nonsense")
    pd.testing.assert_frame_equal(cross_section(car, both).to_frame(), cross_section(car, x).to_frame())


def test_missing_numbers_are_left_out_and_listed():
    car, x = case()
    x.loc[3, "size"] = NAN
    car.loc[[5, 8], "car"] = NAN
    w, dates = np.arange(1.0, 41.0), np.arange(40) % 10
    found = cross_section(car, x, weights=w, cov="cluster", groups=dates)
    keep = ~np.isin(np.arange(40), [3, 5, 8])
    again = cross_section(car[keep], x, weights=w[keep], cov="cluster", groups=dates[keep])
    pd.testing.assert_frame_equal(found.to_frame(), again.to_frame())
    assert found.n == 37
    assert found.dropped.to_dict("list") == {
        "event_id": ["E003", "E005", "E008"],
        "reason": ["a characteristic is missing", "no CAR", "no CAR"],
    }


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda car, x: (car, x.iloc[2:]), r"lack 2 of the 40 event_ids of car: E000, E001\."),
        (lambda car, x: (car, x.iloc[:0]), r"lack 40 .* E004, …"),
        (lambda car, x: (car, pd.concat([x, x.iloc[[4]]])), "'E004' more than once"),
        (lambda car, x: (car, x.drop(columns="event_id")), "share no key"),
        (lambda car, x: (car.drop(columns="car"), x), 'no column "car"'),
        (lambda car, x: (car, x[["event_id"]]), "no column beside the key"),
        (lambda car, x: (car, x.assign(sector="chips")), "'sector'"),
        (lambda car, x: (car, x.assign(const=1.0)), '"const"'),
    ],
)
def test_what_cannot_be_joined(change, match):
    with pytest.raises(InputError, match=match):
        cross_section(*change(*case()))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cov": "HC9"}, "HC9"),
        ({"cov": "cluster"}, "needs groups"),
        ({"groups": np.arange(40)}, "does not use groups"),
        ({"cov": "kp"}, "needs mean_correlation"),
        ({"mean_correlation": 0.1}, "does not use mean_correlation"),
        ({"weights": np.ones(39)}, r"shape \(39,\); car has 40 rows"),
        ({"weights": np.zeros(40)}, "positive"),
        ({"confidence": 95}, "confidence"),
    ],
)
def test_wrong_options(options, match):
    with pytest.raises(InputError, match=match):
        cross_section(*case(), **options)


def test_without_statsmodels(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("statsmodels"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="pip install statsmodels"):
        cross_section(*case())


# -- no answer


def hard(n, change=lambda car, x: None, **options):
    car, x = case(max(n, 1))
    car, x = car.iloc[:n].copy(), x.copy()
    change(car, x)
    return cross_section(car, x, **options)


def set_column(frame, name, value):
    frame[name] = value


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: hard(0), "no event"),
        (lambda: hard(1), "too few"),
        (lambda: hard(2), "too few"),
        (lambda: hard(3), "too few"),
        (lambda: hard(20, lambda car, x: set_column(car, "car", NAN)), "no event"),
        (lambda: hard(20, lambda car, x: set_column(car, "car", 0.01)), "equal"),
        (lambda: hard(20, lambda car, x: set_column(car, "car", 0.0)), "equal"),
        (lambda: hard(20, lambda car, x: set_column(x, "size", 3.0)), "size does not vary"),
        (lambda: hard(20, lambda car, x: set_column(x, "tech", 2 * x["size"] + 1)), "collinear"),
        (lambda: hard(20, lambda car, x: set_column(x, "tech", [1] + [0] * 19)), "'E000' alone"),
        (lambda: hard(20, cov="cluster", groups=np.zeros(20)), "one cluster"),
        (lambda: hard(20, cov="kp", mean_correlation=1.0), "not possible"),
        (lambda: hard(20, cov="kp", mean_correlation=-0.2), "not possible"),
    ],
)
def test_no_answer(made, reason):
    found = made()
    assert reason in found.reason
    assert np.isnan(found.to_frame()[COLUMNS[1:]]).all(axis=None)
    assert not np.isinf(found.to_frame()).any(axis=None)
    assert reason in str(found.summary())


def test_a_coefficient_that_clusters_cannot_tell():
    """Two clusters, and a characteristic constant within each: its scores are zero by construction."""
    car, x = case(20)
    groups = np.arange(20) % 2
    x["size"], x["tech"] = groups * 1.0, np.random.default_rng(7).normal(size=20)
    found = cross_section(car, x[["event_id", "size"]], cov="cluster", groups=groups)
    assert np.isnan(found.std_error).all()
    assert "too few clusters" in found.reason
    assert np.isfinite(found.coef).all()


def test_invariances():
    car, x = case()
    base = cross_section(car, x)
    scaled = cross_section(car.assign(car=100 * car["car"]), x)
    np.testing.assert_allclose(scaled.t, base.t, rtol=1e-9)
    order = np.random.default_rng(8).permutation(40)
    np.testing.assert_allclose(cross_section(car.iloc[order], x).t, base.t, rtol=1e-9)
    stretched = cross_section(car, x.assign(size=1e6 * x["size"]))
    np.testing.assert_allclose(stretched.t, base.t, rtol=1e-7)


# -- shown


def test_frame_and_summary():
    found = cross_section(*case(), cov="kp", mean_correlation=0.123)
    frame = found.to_frame()
    assert frame.columns.tolist() == COLUMNS
    assert frame.index.tolist() == ["const", "size", "tech"]
    text = str(found.summary())
    assert "one correlation of all pairs, 0.123" in text
    assert "37 degrees of freedom" in text
    assert "const" in found.summary()._repr_html_()
    assert r"\toprule" in found.summary().to_latex()


def test_the_founding_case(sample_panel, quiet):
    """CARs of the article's session on beta and residual risk, by ticker, as the results give them."""
    tickers = [name for name in sample_panel.tickers if name not in ("SPY", "SMH")]
    events = es.Events.at("2025-01-29 04:46", tickers, tz="America/New_York")
    res = quiet(es.EventStudy(sample_panel, events, es.MarketModel("SPY"), (-270, -21), (-10, 10), min_obs=120))
    car = res.car(0, 0)
    traits = res.parameters[["ticker", "beta", "sigma"]].sort_values("ticker")
    r = res.estimation_summary.mean_correlation
    found = cross_section(car, traits, cov="kp", mean_correlation=r)
    x = sm.add_constant(res.parameters[["beta", "sigma"]].to_numpy())
    fit = sm.OLS(car["car"].to_numpy(), x).fit()
    np.testing.assert_allclose(found.coef, fit.params, rtol=1e-9)
    errors = np.sqrt(np.diag(fit.cov_params() + fit.mse_resid * r / (1 - r) * np.diag([1.0, 0, 0])))
    np.testing.assert_allclose(found.std_error, errors, rtol=1e-9)
    weighted = cross_section(car, traits, weights=1 / car["std_error"] ** 2)
    hc3 = sm.WLS(car["car"].to_numpy(), x, weights=1 / car["std_error"] ** 2).fit(cov_type="HC3")
    np.testing.assert_allclose(weighted.std_error, hc3.bse, rtol=1e-9)
