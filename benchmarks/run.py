"""Benchmarks of one run: ``python benchmarks/run.py [--quick] [--out DIR]``.

Full mode (under 20 minutes) writes RESULTS.md, results.json and the plots beside this file; quick mode writes them to
out/benchmarks-quick (under two minutes once the environments of other packages stand). Every measured case is a fresh
process (cases.py); packages of others are installed from the index into benchmarks/.envs, one environment each, when
first asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import report
import synthetic

HERE = Path(__file__).resolve().parent
PEERS = {
    "eventstudy": "run_eventstudy.py",
    "ffjr-eventstudies": "run_ffjr_eventstudies.py",
    "easy-es": "run_easy_es.py",
    "event-study-toolkit": "run_event_study_toolkit.py",
}


@dataclass(frozen=True)
class Mode:
    """Sizes of a run."""

    name: str
    securities: int
    sessions: int
    events: tuple[int, ...]
    loop_events: int
    peer_events: tuple[int, ...]
    repeat: int
    budget: float  # seconds of repetitions a case may take once the first is done
    panel_events: int
    panel_securities: tuple[int, ...]
    panel_sessions: tuple[int, ...]
    long_shape: tuple[int, int]
    pivot_shape: tuple[int, int]
    check_events: int


FULL = Mode(
    name="full",
    securities=5_000,
    sessions=5_000,
    events=(100, 10_000, 100_000, 1_000_000),
    loop_events=3_000,
    peer_events=(100, 1_000),
    repeat=5,
    budget=8.0,
    panel_events=100_000,
    panel_securities=(500, 1_000, 2_500, 5_000, 10_000),
    panel_sessions=(1_000, 2_500, 5_000, 10_000),
    long_shape=(5_000, 12_000),
    pivot_shape=(500, 12_000),
    check_events=3_000,
)
QUICK = Mode(
    name="quick",
    securities=500,
    sessions=1_500,
    events=(100, 10_000),
    loop_events=300,
    peer_events=(50,),
    repeat=3,
    budget=1.5,
    panel_events=10_000,
    panel_securities=(100, 500),
    panel_sessions=(750, 1_500),
    long_shape=(200, 2_500),
    pivot_shape=(200, 2_500),
    check_events=300,
)


@dataclass
class Run:
    """Runs cases and collects what they say."""

    mode: Mode
    scratch: Path
    records: list[dict[str, Any]] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def clean(self, text: str) -> str:
        """Text of an error without the folders of this machine."""
        for path in (self.scratch, HERE, HERE.parent, Path(sys.prefix), Path.home()):
            text = text.replace(str(path), "…")
        return re.sub(r"(?:/[\w.+-]+){3,}/", "…/", text)

    def case(self, name: str, *, env: dict[str, str] | None = None, timeout: float = 600, **params: Any) -> dict:
        """One case in a process of its own; its record, which is also kept."""
        full = {"model": "market", "repeat": self.mode.repeat, "budget": self.mode.budget} | params
        shown = {key: value for key, value in params.items() if key not in ("where", "path")}
        record: dict[str, Any] = {"case": name, **shown, "env": env or {}}
        self.loads.append(os.getloadavg()[0])
        try:
            done = subprocess.run(
                [sys.executable, str(HERE / "cases.py"), name, json.dumps(full)],
                env={**os.environ, **(env or {})},
                cwd=self.scratch,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
            if done.returncode:
                lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
                record["error"] = self.clean(lines[-1])
            else:
                record |= json.loads(done.stdout.strip().splitlines()[-1])
        except subprocess.TimeoutExpired:
            record["error"] = f"not done after {timeout:.0f} s"
        if record.get("times"):
            record["best"], record["median"] = min(record["times"]), statistics.median(record["times"])
        self.records.append(record)
        told = record.get("error") or record.get("absent") or f"{record.get('best', float('nan')):.4g} s"
        print(f"  {name:15} {json.dumps(shown)} {json.dumps(record['env']) if env else ''} {told}", flush=True)
        return record


# -- cases ---------------------------------------------------------------------------------------------------------


def library(run: Run, panels: dict[float, Path]) -> None:
    """Engine, battery, placebo, one event: compiled and numpy, both models, with and without missing returns."""
    mode, largest = run.mode, run.mode.events[-1]
    numpy = {"EVENTSTUDY_ENGINE": "numpy"}
    for n in mode.events:
        for model in ("market", "factors"):
            for missing, where in panels.items():
                run.case("engine", where=str(where), n=n, model=model, missing=missing)
                if n < largest or (missing == 0.0 and model == "market"):
                    few = {"repeat": 1} if n == largest else {}
                    run.case("engine", env=numpy, where=str(where), n=n, model=model, missing=missing, **few)
        for name in ("frame", "battery", "aar"):
            run.case(name, where=str(panels[0.0]), n=n, missing=0.0)
        run.case("placebo", where=str(panels[0.0]), n=n, missing=0.0, repeat=2, timeout=240)
    for model in ("market", "factors"):
        run.case("kernel", where=str(panels[0.0]), n=largest, model=model, missing=0.0)
        run.case("battery", where=str(panels[0.2]), n=largest, model=model, missing=0.2)
    run.case("engine", where=str(panels[0.2]), n=largest, missing=0.2, unusable=0.01)
    run.case("one_event", where=str(panels[0.0]), repeat=100)


def bounds(run: Run, panels: dict[float, Path]) -> None:
    """The statsmodels loop, and what memory alone allows."""
    where = str(panels[0.0])
    fresh = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # or small arrays would come from memory that was touched before
    for model in ("market", "factors"):
        for n in (100, run.mode.loop_events):
            run.case("loop", where=where, n=n, model=model)
        for n in run.mode.events:
            for workers in (1, os.cpu_count() or 1):
                written = run.case("write_bound", env=fresh, where=where, n=n, model=model, workers=workers)["bytes"]
                run.case("copy_bound", where=where, n=n, model=model, workers=workers, written=written)


def panel_sizes(run: Run, panels: dict[float, Path]) -> None:
    """The same number of events in panels of other sizes."""
    mode = run.mode
    shapes = [(s, mode.sessions) for s in mode.panel_securities] + [(mode.securities, t) for t in mode.panel_sessions]
    for securities, sessions in dict.fromkeys(shapes):
        where = panels[0.0]
        if (securities, sessions) != (mode.securities, mode.sessions):
            where = synthetic.make_panel(run.scratch / "sized", securities, sessions, 0.0, mode.panel_events)
        for env in (None, {"EVENTSTUDY_ENGINE": "numpy"}):
            run.case(
                "engine",
                env=env,
                where=str(where),
                n=mode.panel_events,
                sized=[securities, sessions],
                repeat=5 if env is None else 2,
                budget=min(mode.budget, 4.0),
            )


def long_tables(run: Run) -> None:
    """A long Parquet table into a panel, and pandas' pivot where it still fits."""
    for name, shape in (("small", run.mode.pivot_shape), ("large", run.mode.long_shape)):
        path = run.scratch / f"{name}.parquet"
        rows = synthetic.write_long(path, *shape)
        small = name == "small"
        run.case("read_long", path=str(path), rows=rows, warm=small, repeat=3 if small else 1, budget=30)
        if small:
            run.case("pivot", path=str(path), rows=rows, repeat=3, budget=30)
        path.unlink()


def imports(run: Run) -> dict[str, Any]:
    """Seconds a fresh interpreter takes for a statement, in turns, and what ``import eventstudy`` pulls in."""
    statements = {"pass": "pass", "numpy": "import numpy", "pandas": "import pandas", "eventstudy": "import eventstudy"}
    times: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(max(5, run.mode.repeat)):
        for name, statement in statements.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, cwd=run.scratch)
            times[name].append(time.perf_counter() - begin)
    unwanted = "matplotlib yfinance requests urllib3 curl_cffi httpx dask distributed pandas_market_calendars numba"
    code = f"import sys, eventstudy; print(*[m for m in {unwanted.split()!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=run.scratch)
    print("  imports        ", {name: round(min(values), 3) for name, values in times.items()}, flush=True)
    return {"times": times, "looked_for": unwanted.split(), "loaded": loaded.stdout.split()}


def compiling(run: Run, panels: dict[float, Path]) -> None:
    """First fit of a process, with numba's cache empty and with it filled."""
    cache = {"NUMBA_CACHE_DIR": str(run.scratch / "numba")}
    for state in ("empty", "filled"):
        record = run.case("engine", env=cache, where=str(panels[0.0]), n=100, cache=state, repeat=1)
        record["env"] = {}


# -- packages of others --------------------------------------------------------------------------------------------


def environment(run: Run, package: str) -> tuple[Path | None, str]:
    """Interpreter of the package's own environment, made if need be; or why there is none."""
    where = HERE / ".envs" / package
    python, ready = where / "bin" / "python", where / ".ready"
    if ready.exists():
        return python, ""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(where)], check=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return None, run.clean((errors or done.stderr.strip().splitlines()[-1:])[-1])
    ready.touch()
    return python, ""


def peers(run: Run, panels: dict[float, Path]) -> list[dict[str, Any]]:
    """Other packages on the same panel: one event on each of n securities, market model."""
    where = synthetic.make_peer_data(panels[0.0], run.scratch / "peer", max(run.mode.peer_events))
    ours = run.case("peer_reference", where=str(where)).get("car", [])
    run.records[-1].pop("car", None)
    found = []
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    for package, script in PEERS.items():
        python, why = environment(run, package)
        record: dict[str, Any] = {"package": package, "runs": []}
        if python is None:
            record["error"] = f"does not install: {why}"
        else:
            for n in run.mode.peer_events:
                command = [str(python), str(HERE / "peers" / script), str(where), str(n), "3", "20"]
                try:
                    done = subprocess.run(
                        command, capture_output=True, text=True, cwd=run.scratch, env=clean, timeout=180
                    )
                except subprocess.TimeoutExpired:
                    record["runs"].append({"n": n, "error": "not done after 180 s"})
                    break
                if done.returncode:
                    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
                    record["error"] = f"does not run: {run.clean(lines[-1])}"
                    break
                told = json.loads(done.stdout.strip().splitlines()[-1])
                record["versions"] = told["versions"]
                gaps = [abs(a - b) for a, b in zip(told["car"], ours, strict=False)]
                record["runs"].append(
                    {
                        "n": n,
                        "times": told["times"],
                        "best": min(told["times"]),
                        "median": statistics.median(told["times"]),
                        "car_gap": max(gaps) if len(told["car"]) == n else None,
                    }
                )
        print("  peer           ", package, record.get("error") or [r.get("best") for r in record["runs"]], flush=True)
        found.append(record)
    return found


# -- conditions ----------------------------------------------------------------------------------------------------


def conditions() -> dict[str, Any]:
    """What the run ran on."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    names = ("abnormal-returns", "numpy", "pandas", "scipy", "numba", "pyarrow", "statsmodels")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu[1] if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 1024**2, 1) if memory else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in names},
        "load_before": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, under two minutes")
    parser.add_argument("--out", type=Path, help="folder for RESULTS.md, results.json and the plots")
    parser.add_argument("--no-peers", action="store_true", help="leave out the packages of others")
    parser.add_argument("--report", action="store_true", help="write RESULTS.md and the plots of an earlier run again")
    options = parser.parse_args()
    mode = QUICK if options.quick else FULL
    out = options.out or (HERE.parent / "out" / "benchmarks-quick" if options.quick else HERE)
    out.mkdir(parents=True, exist_ok=True)
    if options.report:
        report.write(json.loads((out / "results.json").read_text()), out)
        return
    about = conditions()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="eventstudy-bench-") as directory:
        run = Run(mode, Path(directory))
        panels = {
            missing: synthetic.make_panel(
                run.scratch / f"panel-{missing}", mode.securities, mode.sessions, missing, mode.events[-1]
            )
            for missing in (0.0, 0.2)
        }
        run.case("engine", where=str(panels[0.0]), n=100)  # fills numba's cache
        run.records.clear()
        library(run, panels)
        bounds(run, panels)
        found_peers = [] if options.no_peers else peers(run, panels)
        panel_sizes(run, panels)
        long_tables(run)
        found_imports = imports(run)
        compiling(run, panels)
        run.case("agreement", n=mode.check_events)
        run.case("invariance", where=str(panels[0.2]), n=min(20_000, mode.events[-1]))
    measured = [r for r in run.records if r.get("seconds", 0.0) >= 0.5]
    seconds = sum(r["seconds"] for r in measured)
    about |= {
        "load_during": [min(run.loads), statistics.median(run.loads), max(run.loads)],
        "foreign": sum(min(1.0, r["foreign"]) * r["seconds"] for r in measured) / seconds if seconds else None,
        "minutes": (time.perf_counter() - begin) / 60,
    }
    results = {
        "mode": mode.name,
        "shape": [mode.securities, mode.sessions],
        "conditions": about,
        "records": run.records,
        "imports": found_imports,
        "peers": found_peers,
    }
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    report.write(results, out)
    print(f"{out.name}/RESULTS.md after {about['minutes']:.1f} minutes")


if __name__ == "__main__":
    main()
