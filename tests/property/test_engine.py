"""What must not change, or must change in a known way, when the question is put differently."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eventstudy as es

EXAMPLES = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
ODD = ["csect_t", "time_series_t", "patell_z", "bmp_t", "bmp_t_adj"]  # statistics that change sign with the returns
MODELS = [es.MarketModel("M"), es.FactorModel(["M", "F"]), es.MeanAdjusted(), es.MarketAdjusted("M")]


@st.composite
def cases(draw, missing=True):
    """A frame of returns with holes, and events ``(ticker, row)`` with one event per security or several."""
    seed = draw(st.integers(0, 2**32 - 1))
    n = draw(st.integers(2, 7))
    holes = draw(st.sampled_from([0.0, 0.05, 0.2])) if missing else 0.0
    clustered = draw(st.booleans())
    rng = np.random.default_rng(seed)
    market, second = rng.normal(0.0005, 0.01, (2, 130))
    values = np.outer(market, rng.uniform(0, 2, n)) + np.outer(second, rng.normal(0, 0.5, n))
    values += rng.standard_t(4, (130, n)) * 0.012
    frame = pd.DataFrame(np.column_stack([market, second, values]), index=pd.bdate_range("2020", periods=130))
    frame.columns = ["M", "F", *(f"S{i}" for i in range(n))]
    frame = frame.mask(rng.random(frame.shape) < holes)
    pairs = [(f"S{i}", 100 if clustered else int(rng.integers(80, 120))) for i in range(n)]
    if draw(st.booleans()):
        pairs.append(("S0", 70))
    return frame, pairs


def ask(frame, pairs, model=None, *, ids=None, kind="simple", panel=None, **options):
    table = pd.DataFrame({"ticker": [t for t, _ in pairs], "date": [frame.index[p] for _, p in pairs]})
    if ids is not None:
        table["event_id"] = ids
    panel = panel or es.ReturnPanel.from_frame(frame, kind=kind)
    settings_ = {"estimation_window": (-65, -6), "event_window": (-4, 4), "min_obs": 20, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        return es.EventStudy(panel, es.Events.from_frame(table), model or es.MarketModel("M"), **settings_).fit()


def statistics(res, window=(-1, 2)):
    return res.tests(*window).loc[ODD, "statistic"].to_numpy(float)


models = st.sampled_from(MODELS)
windows = st.tuples(st.integers(-4, 4), st.integers(-4, 4)).map(sorted).map(tuple)


@EXAMPLES
@given(cases(), models, st.randoms(use_true_random=False))
def test_order_of_events_is_irrelevant(case, model, random):
    frame, pairs = case
    ids = list(range(1, len(pairs) + 1))
    order = ids.copy()
    random.shuffle(order)
    one = ask(frame, pairs, model, ids=ids)
    two = ask(frame, [pairs[i - 1] for i in order], model, ids=order)
    for method in ("car", "bhar"):
        first, second = (getattr(res, method)(-1, 2).set_index("event_id") for res in (one, two))
        pd.testing.assert_frame_equal(first, second.loc[first.index], check_exact=True)
    pd.testing.assert_frame_equal(
        one.abnormal_returns, two.abnormal_returns.loc[one.abnormal_returns.index], check_exact=True
    )
    np.testing.assert_allclose(statistics(one), statistics(two), rtol=1e-12)
    np.testing.assert_allclose(one.caar(-1, 2)["caar"], two.caar(-1, 2)["caar"], rtol=1e-12, atol=1e-18)
    assert one.estimation_summary.mean_correlation == pytest.approx(
        two.estimation_summary.mean_correlation, rel=1e-12, abs=1e-15
    )


@EXAMPLES
@given(cases(), models)
def test_names_and_rows_of_securities_are_irrelevant(case, model):
    frame, pairs = case
    names = {name: f"X{9 - i}" for i, name in enumerate(c for c in frame if c.startswith("S"))}
    other = frame.rename(columns=names)[sorted(frame.rename(columns=names).columns, reverse=True)]
    one, two = ask(frame, pairs, model), ask(other, [(names[t], p) for t, p in pairs], model)
    np.testing.assert_array_equal(one.abnormal_returns, two.abnormal_returns)
    np.testing.assert_array_equal(one.car(-2, 2)["t"], two.car(-2, 2)["t"])
    np.testing.assert_allclose(statistics(one), statistics(two), rtol=1e-12)


@EXAMPLES
@given(cases(), models, st.sampled_from([1e-6, 0.01, 0.25, 3.0]))
def test_scale(case, model, scale):
    """Returns in other units: CARs scale, every t and z stays."""
    frame, pairs = case
    one, two = ask(frame, pairs, model, kind="log"), ask(frame * scale, pairs, model, kind="log")
    first, second = one.car(-1, 2), two.car(-1, 2)
    for column in ("car", "std_error", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(second[column], scale * first[column], rtol=1e-8, atol=1e-14 * scale, err_msg=column)
    np.testing.assert_allclose(second["t"], first["t"], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(statistics(two), statistics(one), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(two.parameters["r2"], one.parameters["r2"], rtol=1e-9, atol=1e-12)


@EXAMPLES
@given(cases(), st.sampled_from(MODELS[:3]), st.floats(-0.2, 0.2))
def test_a_constant_is_absorbed(case, model, constant):
    frame, pairs = case
    other = frame.copy()
    other[[name for name in frame if name.startswith("S")]] += constant
    one, two = ask(frame, pairs, model, kind="log"), ask(other, pairs, model, kind="log")
    np.testing.assert_allclose(two.abnormal_returns, one.abnormal_returns, atol=1e-15 + 1e-14 * abs(constant))
    np.testing.assert_allclose(two.parameters["alpha"] - one.parameters["alpha"], constant, atol=1e-14)
    np.testing.assert_allclose(two.car(-1, 2)["std_error"], one.car(-1, 2)["std_error"], rtol=1e-10)


@EXAMPLES
@given(cases(), models)
def test_sign(case, model):
    frame, pairs = case
    one, two = ask(frame, pairs, model, kind="log"), ask(-frame, pairs, model, kind="log")
    np.testing.assert_allclose(two.abnormal_returns, -one.abnormal_returns, atol=1e-16)
    np.testing.assert_allclose(statistics(two), -statistics(one), rtol=1e-11)
    np.testing.assert_allclose(two.tests(0, 1)["p_value"][ODD], one.tests(0, 1)["p_value"][ODD], rtol=1e-9)


@EXAMPLES
@given(cases(), models)
def test_a_multiple_of_the_benchmark_is_absorbed(case, model):
    frame, pairs = case
    if "M" not in model.benchmarks or isinstance(model, es.MarketAdjusted):
        model = MODELS[0]
    other = frame.copy()
    for name in frame:
        if name.startswith("S"):
            other[name] += 0.7 * frame["M"]
    one, two = ask(frame, pairs, model, kind="log"), ask(other, pairs, model, kind="log")
    np.testing.assert_allclose(two.car(-1, 2)["t"], one.car(-1, 2)["t"], rtol=1e-9, atol=1e-11)


@EXAMPLES
@given(cases(), models, st.sampled_from(["NOPE", "LATE", "FLAT"]), st.integers(0, 10))
def test_a_dropped_event_changes_nothing_else(case, model, bad, place):
    frame, pairs = case
    frame = frame.assign(LATE=np.nan, FLAT=0.0)
    if isinstance(model, es.MarketAdjusted) and bad == "FLAT":
        bad = "LATE"  # minus the benchmark it does vary
    place = min(place, len(pairs))
    ids = list(range(1, len(pairs) + 1))
    one = ask(frame, pairs, model, ids=ids)
    more = [*pairs[:place], (bad, 100), *pairs[place:]]
    two = ask(frame, more, model, ids=[*ids[:place], 99, *ids[place:]])
    assert two.dropped["event_id"].tolist() == [99]
    assert bad in two.dropped["reason"].iloc[0]
    for name, table in one.frames([(-1, 2)]).items():
        if name != "dropped":
            pd.testing.assert_frame_equal(table, two.frames([(-1, 2)])[name], check_exact=True)


@EXAMPLES
@given(cases(), models, windows, st.sampled_from(["propagate", "skip"]))
def test_sums_and_means(case, model, window, missing):
    frame, pairs = case
    res = ask(frame, pairs, model, missing=missing)
    ar = res.abnormal_returns.loc[:, window[0] : window[1]]
    car = ar.sum(axis=1, min_count=1) if missing == "skip" else ar.sum(axis=1, skipna=False)
    table = res.car(*window)
    np.testing.assert_allclose(table["car"], car, rtol=1e-10, atol=1e-16)
    assert table["n_missing"].tolist() == ar.isna().sum(axis=1).tolist()
    caar = res.caar(*window).iloc[0]
    assert caar["n"] == car.notna().sum()
    np.testing.assert_allclose(caar["caar"], car.mean(), rtol=1e-10, atol=1e-16)
    for tau in (window[0], window[1]):
        np.testing.assert_array_equal(res.car(tau, tau)["t"], res.sar[tau])
    pd.testing.assert_frame_equal(res.select().tests(*window), res.tests(*window))


@EXAMPLES
@given(cases())
def test_intervals_and_p_values_agree(case):
    """Zero is inside the 95 % interval exactly when p > 0.05."""
    frame, pairs = case
    table = ask(frame, pairs).car(-1, 1).dropna()
    inside = (table["ci_lower"] <= 0) & (table["ci_upper"] >= 0)
    assert (inside == (table["p_value"] > 0.05)).all()


@EXAMPLES
@given(cases(missing=False))
def test_log_and_simple_returns_of_one_price(case):
    frame, pairs = case
    prices = 50 * (1 + frame).cumprod()
    simple, log = (es.ReturnPanel.from_prices(prices, kind=kind) for kind in ("simple", "log"))
    np.testing.assert_allclose(np.log1p(simple.values), log.values, atol=1e-15)
    one, two = (ask(frame, pairs, es.MeanAdjusted(), panel=panel) for panel in (simple, log))
    np.testing.assert_allclose(one.bhar(-2, 2)["buy_and_hold"], two.bhar(-2, 2)["buy_and_hold"], rtol=1e-9, atol=1e-14)
    growth = [prices[t].iloc[p + 2] / prices[t].iloc[p - 3] - 1 for t, p in pairs]
    np.testing.assert_allclose(one.bhar(-2, 2)["buy_and_hold"], growth, rtol=1e-9, atol=1e-14)


@EXAMPLES
@given(cases(), models, st.integers(1, 40))
def test_sessions_outside_the_windows_are_irrelevant(case, model, cut):
    """Later data, and data before the estimation window, cannot change a number."""
    frame, pairs = case
    pairs = [(t, p) for t, p in pairs if p >= 80]
    first, last = min(p for _, p in pairs) - 65, max(p for _, p in pairs) + 4
    part = frame.iloc[max(0, first - cut) : last + 1 + cut]
    shift = max(0, first - cut)
    one, two = ask(frame, pairs, model), ask(part, [(t, p - shift) for t, p in pairs], model)
    np.testing.assert_array_equal(one.car(-2, 2)["t"], two.car(-2, 2)["t"])
    np.testing.assert_allclose(statistics(one), statistics(two), rtol=1e-12)


@st.composite
def hygiene(draw):
    """Options that keep sessions out of estimation windows, on the panels of :func:`cases`."""
    days = pd.bdate_range("2020", periods=130)
    options = {"estimation_window": draw(st.sampled_from([(-65, -6), [(-65, -40), (-30, -6)], [(-50, -6), (6, 25)]]))}
    if draw(st.booleans()):
        options["exclude"] = [days[row] for row in draw(st.lists(st.integers(0, 129), min_size=1, max_size=6))]
    options["exclude_events"] = draw(st.sampled_from([False, True, (-1, 3)]))
    options["outliers"] = draw(st.sampled_from([None, 2.5, 6]))
    return options | {"min_obs": 10}


@EXAMPLES
@given(cases(), models, hygiene(), st.randoms(use_true_random=False))
def test_order_is_irrelevant_to_what_is_kept_out(case, model, options, random):
    frame, pairs = case
    ids = list(range(1, len(pairs) + 1))
    order = ids.copy()
    random.shuffle(order)
    one = ask(frame, pairs, model, ids=ids, **options)
    two = ask(frame, [pairs[i - 1] for i in order], model, ids=order, **options)
    for name in ("parameters", "abnormal_returns"):
        first, second = (getattr(res, name).reset_index().set_index("event_id") for res in (one, two))
        columns = [column for column in first if column not in ("index", "estimation_start", "estimation_end")]
        pd.testing.assert_frame_equal(first[columns], second.loc[first.index, columns], check_exact=True)
    np.testing.assert_allclose(statistics(one), statistics(two), rtol=1e-12)


@EXAMPLES
@given(cases(), hygiene(), st.integers(1, 5))
def test_chunks_are_irrelevant_to_what_is_kept_out(case, options, size):
    frame, pairs = case
    one = ask(frame, pairs, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.EventStudyWarning)
        two = one.study.fit(chunk_size=size)
    pd.testing.assert_frame_equal(one.parameters, two.parameters, check_exact=True)
    pd.testing.assert_frame_equal(one.tests(-1, 2), two.tests(-1, 2), check_exact=True)


@EXAMPLES
@given(cases(), models, hygiene(), st.floats(-0.5, 0.5))
def test_what_is_kept_out_does_not_matter(case, model, options, shock):
    """Returns on excluded dates may be anything: no number that does not show them changes."""
    frame, pairs = case
    used = {position + tau for _, position in pairs for tau in range(-4, 5)}
    out = [row for row in range(30, 130, 7) if row not in used]
    other = frame.copy()
    other.iloc[out] += shock
    options = options | {"exclude": [frame.index[row] for row in out], "outliers": None}
    one, two = ask(frame, pairs, model, kind="log", **options), ask(other, pairs, model, kind="log", **options)
    pd.testing.assert_frame_equal(one.parameters, two.parameters, check_exact=True)
    pd.testing.assert_frame_equal(one.tests(-1, 2), two.tests(-1, 2), rtol=1e-12)
