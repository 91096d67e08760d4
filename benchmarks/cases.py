"""Measured cases. The driver runs each in a fresh process: ``python cases.py NAME '{"json": "parameters"}'``.

Every case answers with one line of JSON: repetitions in seconds, the peak memory of the first beyond what stood
before it, and the share of the processor that other processes took meanwhile.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import synthetic

warnings.simplefilter("ignore")
MIB = 1024 * 1024


# -- measuring -----------------------------------------------------------------------------------------------------


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def _settle_memory() -> int:
    """Give freed memory back, restart the peak counter of the process, and return what is resident."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        if "pyarrow" in sys.modules:
            sys.modules["pyarrow"].default_memory_pool().release_unused()
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return -1
    return _status("VmRSS")


def _busy() -> float:
    """Seconds that all processors have worked, for whomever."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    return sum(os.times()[:4])


def measure(run: Callable[[], Any], repeat: int, budget: float) -> dict[str, Any]:
    """Time ``run`` up to ``repeat`` times, at least once, until ``budget`` seconds are spent."""
    before = _settle_memory()
    busy, own, start = _busy(), _own(), time.perf_counter()
    times: list[float] = []
    peak = None
    while len(times) < repeat and (not times or time.perf_counter() - start + min(times) < budget):
        begin = time.perf_counter()
        kept = run()
        times.append(time.perf_counter() - begin)
        if peak is None and before >= 0:
            peak = (_status("VmHWM") - before) / MIB
        del kept
    elapsed = time.perf_counter() - start
    foreign = max(0.0, (_busy() - busy) - (_own() - own)) / (elapsed * (os.cpu_count() or 1))
    return {"times": times, "peak_mib": peak, "foreign": foreign, "seconds": elapsed}


# -- the library ---------------------------------------------------------------------------------------------------


def _model(name: str) -> Any:
    import eventstudy as es

    return es.MarketModel("MKT") if name == "market" else es.FactorModel(synthetic.FACTORS)


def _study(panel: Any, events: Any, model: str, **options: Any) -> Any:
    import eventstudy as es

    return es.EventStudy(panel, events, _model(model), synthetic.ESTIMATION, synthetic.EVENT, **options)


def _loaded(p: dict[str, Any]) -> Any:
    """Study of the case; everything the measured part needs is compiled and imported before."""
    panel, events = synthetic.load(Path(p["where"]), p["n"], p.get("unusable", 0.0))
    study = _study(panel, events, p["model"])
    small = dataclasses.replace(study, events=events.subset(np.arange(min(64, p["n"]))))
    begin = time.perf_counter()
    res = small.fit(progress=False)
    first = time.perf_counter() - begin
    _parametric(res)
    res.car(*synthetic.CAR)
    res.tests(*synthetic.CAR)
    return study, first


def _parametric(res: Any) -> tuple[Any, ...]:
    """CAR, exact standard error and t of every event; Patell's and the BMP statistic across them."""
    import eventstudy as es
    from eventstudy.abnormal import cumulated
    from eventstudy.inference import TESTS, TestSample

    window = es.Window(*synthetic.CAR)
    c = cumulated(res.fit, window)
    known = {"window": window, "car": c.car, "scar": c.scar, "dof": c.dof}
    sample = TestSample(**{f.name: known.get(f.name) for f in dataclasses.fields(TestSample)})
    return c.car, c.std_error, c.scar, TESTS["patell_z"](sample), TESTS["bmp_t"](sample)


def engine(p: dict[str, Any]) -> dict[str, Any]:
    """fit() and the abnormal returns, CAR, exact standard error, t, Patell and BMP, as arrays."""
    study, first = _loaded(p)

    def run() -> Any:
        res = study.fit(progress=False)
        return res, _parametric(res)

    out = measure(run, p["repeat"], p["budget"])
    res = study.fit(progress=False)
    out |= {"first_fit_s": first, "used": len(res), "dropped": len(res.dropped)}
    return out


def frame(p: dict[str, Any]) -> dict[str, Any]:
    """fit() and res.car(): the same as a frame, with p-values and confidence bounds."""
    study, _ = _loaded(p)

    def run() -> Any:
        res = study.fit(progress=False)
        return res, res.car(*synthetic.CAR)

    return measure(run, p["repeat"], p["budget"])


def _part(p: dict[str, Any], call: Callable[[Any], Any]) -> dict[str, Any]:
    """Time something asked of a result that has computed nothing yet."""
    study, _ = _loaded(p)
    res = study.fit(progress=False)
    return measure(lambda: call(dataclasses.replace(res)), p["repeat"], p["budget"])


def battery(p: dict[str, Any]) -> dict[str, Any]:
    """res.tests(): every test registered."""
    from eventstudy.inference import TESTS

    return _part(p, lambda res: res.tests(*synthetic.CAR)) | {"tests": list(TESTS)}


def aar(p: dict[str, Any]) -> dict[str, Any]:
    """res.aar(): every test on each of the 21 sessions."""
    return _part(p, lambda res: res.aar())


def placebo(p: dict[str, Any]) -> dict[str, Any]:
    """res.placebo(): the mean CAR among all pseudo-windows."""
    return _part(p, lambda res: res.placebo(*synthetic.CAR))


def one_event(p: dict[str, Any]) -> dict[str, Any]:
    """fit() of a single event, warm."""
    study, _ = _loaded(p | {"n": 1})
    for _ in range(5):
        study.fit(progress=False)
    return measure(lambda: study.fit(progress=False), p["repeat"], p["budget"])


def kernel(p: dict[str, Any]) -> dict[str, Any]:
    """The fit kernel alone, on positions that are resolved already."""
    from eventstudy.kernels import fit_linear

    study, _ = _loaded(p)
    security, position = synthetic.positions(Path(p["where"]), p["n"])
    design = study.model.design(study.returns)
    values = study.returns.values
    return measure(
        lambda: fit_linear(values, design, security, position, synthetic.ESTIMATION, synthetic.EVENT, 120),
        p["repeat"],
        p["budget"],
    )


# -- what it is measured against -----------------------------------------------------------------------------------


def _arrays(p: dict[str, Any]) -> tuple[Any, ...]:
    values = np.load(Path(p["where"]) / "values.npy", mmap_mode="r")
    k = 1 if p["model"] == "market" else len(synthetic.FACTORS)
    design = np.column_stack([np.ones(values.shape[1]), values[:k].T])
    security, position = synthetic.positions(Path(p["where"]), p["n"])
    rows, which = np.unique(security, return_inverse=True)
    return np.asarray(values[rows]), design, which, position


def loop(p: dict[str, Any]) -> dict[str, Any]:
    """The lean statsmodels loop: OLS on numpy arrays, AR, CAR, exact standard error and t, one event at a time."""
    import statsmodels.api as sm

    values, design, security, position = _arrays(p)
    n = p["n"]
    width, length = synthetic.EVENT[1] - synthetic.EVENT[0] + 1, synthetic.CAR[1] - synthetic.CAR[0] + 1
    first = synthetic.CAR[0] - synthetic.EVENT[0]

    def run() -> Any:
        ar, car, error = np.empty((n, width)), np.empty(n), np.empty(n)
        for i in range(n):
            at = position[i]
            low, high = at + synthetic.ESTIMATION[0], at + synthetic.ESTIMATION[1] + 1
            fit = sm.OLS(values[security[i], low:high], design[low:high]).fit()
            low, high = at + synthetic.EVENT[0], at + synthetic.EVENT[1] + 1
            x = design[low:high]
            ar[i] = values[security[i], low:high] - x @ fit.params
            car[i] = ar[i, first : first + length].sum()
            total = x[first : first + length].sum(axis=0)
            error[i] = np.sqrt(fit.mse_resid * (length + total @ fit.normalized_cov_params @ total))
        return ar, car, error, car / error

    return measure(run, p["repeat"], p["budget"])


def _fill(parts: list[np.ndarray], workers: int) -> None:
    if workers == 1:
        for part in parts:
            part.fill(1.0)
        return
    with ThreadPoolExecutor(workers) as pool:
        slices = [half for part in parts for half in np.array_split(part, workers)]
        list(pool.map(lambda half: half.fill(1.0), slices))


def write_bound(p: dict[str, Any]) -> dict[str, Any]:
    """np.empty and fill of what an engine must write: AR and the per-event numbers."""
    n, workers = p["n"], p["workers"]
    k = 1 if p["model"] == "market" else len(synthetic.FACTORS)
    # coefficients, sigma2, n_obs, r2, means, inverse; CAR, standard error, t; and the status, one byte
    per_event = (k + 1) + 1 + 1 + 1 + k + k * (k + 1) // 2 + 3

    def run() -> Any:
        parts = [
            np.empty((n, synthetic.EVENT[1] - synthetic.EVENT[0] + 1)),
            np.empty((n, per_event)),
            np.empty(n, np.int8),
        ]
        _fill(parts, workers)
        return parts

    return measure(run, p["repeat"], p["budget"]) | {"bytes": n * (8 * (21 + per_event) + 1)}


def copy_bound(p: dict[str, Any]) -> dict[str, Any]:
    """memcpy that moves as many bytes as the engine reads (both windows) and writes, in touched memory."""
    n, workers = p["n"], p["workers"]
    total = n * 8 * (250 + 21) + p["written"]
    size = min(total // 2, 128 * MIB) // 8
    source, target = np.ones(size), np.zeros(size)
    pieces = np.array_split(np.arange(size + 1), workers)
    cuts = [slice(int(piece[0]), int(piece[-1]) + 1) for piece in pieces]
    rounds = max(1, round(total / 2 / (size * 8)))

    def part(cut: slice) -> None:
        for _ in range(rounds):
            target[cut] = source[cut]

    def run() -> None:
        if workers == 1:
            part(cuts[0])
            return
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(part, cuts))

    return measure(run, p["repeat"], p["budget"]) | {"bytes": total}


# -- long tables ---------------------------------------------------------------------------------------------------


def read_long(p: dict[str, Any]) -> dict[str, Any]:
    """ReturnPanel.from_long of a Parquet file."""
    import eventstudy as es

    def run() -> Any:
        return es.ReturnPanel.from_long(p["path"], ticker="permno", date="date", value="ret", progress=False)

    panel = run() if p["warm"] else None
    del panel
    return measure(run, p["repeat"], p["budget"])


def pivot(p: dict[str, Any]) -> dict[str, Any]:
    """pandas.read_parquet and pivot, then the same matrix, security-major."""
    import pandas as pd

    def run() -> Any:
        table = pd.read_parquet(p["path"])
        wide = table.pivot(index="permno", columns="date", values="ret")
        return np.ascontiguousarray(wide.to_numpy())

    return measure(run, p["repeat"], p["budget"])


# -- correctness of what was timed ---------------------------------------------------------------------------------


def _by_qr(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float, float, np.ndarray]:
    """Coefficients, residual variance, R² and (X'X)⁻¹ by Householder QR of scaled columns."""
    unit = np.sqrt((x**2).sum(0))
    q, r = np.linalg.qr(x / unit)
    inverse = np.linalg.inv(r)
    beta = inverse @ (q.T @ y)
    e = y - (x / unit) @ beta
    beta_step = inverse @ (q.T @ e)  # one step of refinement
    beta, e = beta + beta_step, e - (x / unit) @ beta_step
    sigma2 = float(e @ e) / (len(y) - x.shape[1])
    centred = y - y.mean()
    cov = inverse @ inverse.T / np.outer(unit, unit)
    return beta / unit, sigma2, 1.0 - float(e @ e) / float(centred @ centred), cov


def agreement(p: dict[str, Any]) -> dict[str, Any]:
    """Largest error against a QR fit per event: 20 % missing, 100 years of days, scales 1e-6 to 10, flat series."""
    import pandas as pd

    import eventstudy as es

    rng = np.random.default_rng(7)
    n_rows, n_sessions, n_flat, n = 120, 25_200, 6, p["n"]
    factors = rng.standard_normal((4, n_sessions)) * 0.01
    scale = 10.0 ** rng.uniform(-6, 1, n_rows)
    body = (rng.standard_normal((n_rows, 4)) @ factors + 0.02 * rng.standard_normal((n_rows, n_sessions))) / 0.02
    body *= scale[:, None]
    body[:n_flat] = np.array([0.0, 1e-6, 1.0, 10.0, -3.0, 0.1])[:, None]
    body[rng.random(body.shape) < 0.2] = np.nan
    values = np.vstack([factors, body])
    days = pd.bdate_range(end="2023-06-30", periods=n_sessions)
    labels = synthetic.names(len(values))
    panel = es.ReturnPanel(values, pd.Index(labels, dtype=object), days, "log")
    cell = rng.choice(n_rows * (n_sessions - 330), n, replace=False)
    security, position = cell // (n_sessions - 330) + 4, cell % (n_sessions - 330) + 300
    events = es.Events.from_frame(pd.DataFrame({"ticker": labels[security], "date": days[position]}))
    worst: dict[str, float] = {}
    dropped = flat = nan = 0
    for model, k in (("market", 1), ("factors", 4)):
        res = _study(panel, events, model).fit(progress=False)
        car = res.car(*synthetic.CAR)
        flat_events = security < 4 + n_flat
        flat += int(flat_events.sum())
        dropped += int(np.isin(np.flatnonzero(flat_events) + 1, res.dropped["event_id"]).sum())
        x_all = np.column_stack([np.ones(n_sessions), values[:k].T])
        nan += int(np.isnan(res.fit.coef).any()) + int(np.isnan(res.fit.sigma2).any())
        for i, row in enumerate(res.kept):
            at, y_all = position[row], values[security[row]]
            span = slice(at + synthetic.ESTIMATION[0], at + synthetic.ESTIMATION[1] + 1)
            there = ~np.isnan(y_all[span])
            beta, sigma2, r2, cov = _by_qr(y_all[span][there], x_all[span][there])
            sigma = np.sqrt(sigma2)
            error = np.sqrt(sigma2 * np.diag(cov))
            event = slice(at + synthetic.EVENT[0], at + synthetic.EVENT[1] + 1)
            ar = y_all[event] - x_all[event] @ beta
            window = slice(at + synthetic.CAR[0], at + synthetic.CAR[1] + 1)
            total = x_all[window].sum(0)
            se = np.sqrt(sigma2 * (3 + total @ cov @ total))
            sum_ar = float((y_all[window] - x_all[window] @ beta).sum())
            pairs = {
                # a number that may be close to zero is measured in units of its own standard error
                "coefficients": (res.fit.coef[i], beta, np.maximum(np.abs(beta), error)),
                "sigma": (np.sqrt(res.fit.sigma2[i]), sigma, sigma),
                "r2": (res.fit.r2[i], r2, 1.0),
                "AR": (res.fit.ar[i], ar, np.maximum(np.abs(ar), sigma)),
            }
            if not np.isnan(sum_ar):
                pairs["CAR"] = (car["car"].iat[i], sum_ar, max(abs(sum_ar), se))
                pairs["std_error"] = (car["std_error"].iat[i], se, se)
                pairs["t"] = (car["t"].iat[i], sum_ar / se, max(abs(sum_ar / se), 1.0))
            for name, (mine, theirs, unit) in pairs.items():
                with np.errstate(invalid="ignore"):
                    worst[name] = max(worst.get(name, 0.0), float(np.nanmax(np.abs(mine - theirs) / unit)))
    reasons = sorted({r.split(": ", 1)[1].split(" over")[0] for r in res.dropped["reason"]})
    return {"worst": worst, "flat": flat, "flat_dropped": dropped, "nan": nan, "reasons": reasons, "events": n}


def _numbers(res: Any, order: np.ndarray | None = None) -> tuple[list[np.ndarray], np.ndarray]:
    """Each event's numbers, in the order asked for, and the statistics across events."""
    car = res.car(*synthetic.CAR)
    parts = [res.fit.ar, res.fit.coef, res.fit.sigma2, *(car[name].to_numpy() for name in ("car", "std_error", "t"))]
    across = res.tests(*synthetic.CAR)["statistic"].sort_index().to_numpy()
    return [part if order is None else part[order] for part in parts], across


def invariance(p: dict[str, Any]) -> dict[str, Any]:
    """Whether chunk size, executor and order of events change any number of an event, or a statistic across them."""
    panel, events = synthetic.load(Path(p["where"]), p["n"])
    study = _study(panel, events, "factors")
    parts, across = _numbers(study.fit(progress=False))
    order = np.random.default_rng(3).permutation(p["n"])
    found = {"chunk_size=777": _numbers(study.fit(progress=False, chunk_size=777))}
    with ThreadPoolExecutor(2) as pool:
        found["threads"] = _numbers(study.fit(progress=False, executor=pool, chunk_size=1_000))
    with ProcessPoolExecutor(2) as pool:
        found["processes"] = _numbers(study.fit(progress=False, executor=pool, chunk_size=1_000))
    shuffled = dataclasses.replace(study, events=events.subset(order))
    found["order of events"] = _numbers(shuffled.fit(progress=False), np.argsort(order))
    out = {}
    for name, (mine, statistics) in found.items():
        gap = np.abs(statistics - across) / np.maximum(np.abs(across), 1e-12)
        same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(parts, mine, strict=True))
        same = same and bool((np.isnan(statistics) == np.isnan(across)).all())
        out[name] = {"same": same, "across": float(np.nanmax(gap, initial=0.0))}
    return {"found": out}


def peer_reference(p: dict[str, Any]) -> dict[str, Any]:
    """CARs of the whole event window for the events given to the peers."""
    import pandas as pd

    import eventstudy as es

    with np.load(Path(p["where"]) / "peer.npz") as stored:
        values, labels = stored["values"], stored["names"].astype(object)
        days, position = pd.DatetimeIndex(stored["sessions"].astype("datetime64[ns]")), stored["position"]
    panel = es.ReturnPanel(values, pd.Index(labels, dtype=object), days)
    events = es.Events.from_frame(pd.DataFrame({"ticker": labels[4:], "date": days[position]}))
    res = _study(panel, events, "market").fit(progress=False)
    return {"car": res.car(*synthetic.EVENT)["car"].tolist()}


CASES = (
    engine,
    frame,
    battery,
    aar,
    placebo,
    one_event,
    kernel,
    loop,
    write_bound,
    copy_bound,
    read_long,
    pivot,
    agreement,
    invariance,
    peer_reference,
)

if __name__ == "__main__":
    chosen = {case.__name__: case for case in CASES}[sys.argv[1]]
    print(json.dumps(chosen(json.loads(sys.argv[2]))))
