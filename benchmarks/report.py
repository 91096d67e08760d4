"""RESULTS.md and the plots of one run, from its results.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# Okabe and Ito's colours, which people with any colour vision tell apart; each line has its own marker as well
COLOURS = {"black": "#000000", "blue": "#0072B2", "orange": "#D55E00", "green": "#009E73", "pink": "#CC79A7"}
COLOURS |= {"sky": "#56B4E9", "amber": "#E69F00"}
PEER_STYLE = {
    "eventstudy": ("green", "^"),
    "ffjr-eventstudies": ("amber", "v"),
    "easy-es": ("pink", "D"),
    "event-study-toolkit": ("sky", "P"),
}

PEER_NOTES = {
    "easy-es": "it lays windows by calendar days before it counts sessions, so its estimation windows are shorter",
    "event-study-toolkit": "the time holds a trading calendar from 1900 on, which it makes for each study",
}
MODELS = {"market": "market model", "factors": "4 factors"}


class Results:
    """Look-ups in the records of a run."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.raw = results
        self.records: list[dict[str, Any]] = results["records"]

    def find(self, case: str, **wanted: Any) -> dict[str, Any]:
        """First record of a case with these parameters; an empty one if there is none."""
        return next(self.all(case, **wanted), {})

    def all(self, case: str, **wanted: Any) -> Iterable[dict[str, Any]]:
        """Records of a case with these parameters."""
        for record in self.records:
            if record["case"] == case and all(self._value(record, key) == value for key, value in wanted.items()):
                yield record

    @staticmethod
    def _value(record: dict[str, Any], key: str) -> Any:
        if key == "engine":
            return "numpy" if record["env"].get("EVENTSTUDY_ENGINE") == "numpy" else "compiled"
        return record.get(key, "market" if key == "model" else None)

    def engine(self, n: int, model: str = "market", missing: float = 0.0, engine: str = "compiled") -> dict[str, Any]:
        """The engine on the main panel."""
        return self.find("engine", n=n, model=model, missing=missing, engine=engine, unusable=None, sized=None)

    @property
    def sizes(self) -> list[int]:
        """Numbers of events of the run."""
        return sorted({r["n"] for r in self.all("frame")})

    def loop(self, n: int, model: str = "market") -> float | None:
        """Seconds of the statsmodels loop for ``n`` events, scaled from the largest loop timed."""
        timed = [r for r in self.all("loop", model=model) if "best" in r]
        if not timed:
            return None
        largest = max(timed, key=lambda r: r["n"])
        return largest["best"] / largest["n"] * n

    def bound(self, case: str, n: int, workers: int, model: str = "market") -> float | None:
        """Seconds of a memory bound."""
        return self.find(case, n=n, model=model, workers=workers).get("best")


def _seconds(value: float | None) -> str:
    if value is None:
        return "—"
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1.0:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s" if value < 1_000 else f"{value:,.0f} s"


def _times(value: float | None, base: float | None) -> str:
    if not value or not base:
        return "—"
    ratio = value / base
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _mib(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join([" --- "] + [" ---: "] * (len(header) - 1)) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _count(n: int) -> str:
    exponents = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    power = len(str(n)) - 1
    return f"10{str(power).translate(exponents)}" if n == 10**power and n >= 100 else f"{n:,}"


# -- sections ------------------------------------------------------------------------------------------------------


def _conditions(r: Results) -> str:
    c = r.raw["conditions"]
    foreign, before = c["foreign"], c["load_before"]
    quiet = foreign is not None and foreign < 0.05 and before < 0.5
    low, middle, high = c["load_during"]
    share = "not known" if foreign is None else f"{foreign:.1%}"
    verdict = "The machine was quiet." if quiet else "**The machine was not quiet: read the ratios as rough.**"
    versions = ", ".join(f"{name} {version}" for name, version in c["versions"].items())
    securities, sessions = r.raw["shape"]
    return "\n".join(
        [
            f"Mode **{r.raw['mode']}**, {c['date']}, {c['minutes']:.1f} minutes. {verdict}",
            "",
            f"- {c['cpu']}, {c['cores']} cores, {c['memory_gib']} GiB; {c['system']}; Python {c['python']}.",
            f"- {versions}.",
            f"- Load average before {before:.2f}; between cases {low:.2f} to {high:.2f}, median {middle:.2f} (the "
            f"benchmark's own work is in it). Other processes took {share} of the processors while cases were timed. "
            "Quiet means a load below 0.5 before and less than 5 % for others.",
            f"- Panel: {securities:,} securities and 4 factors × {sessions:,} sessions, fixed seed, returns driven by "
            "the factors; with 0 % and 20 % of the returns missing. Events: random security-sessions, in random order. "
            "Estimation window of 250 sessions, event window of 21, CAR over [−1, +1].",
            "- Each case is a process of its own, warmed up on 64 events. The best of its repetitions is shown "
            "(medians are in results.json); peak memory is that of the first repetition, beyond what the process held "
            "before it: panel, events and modules. Making panel and events is not timed.",
            "- Seconds belong to this machine; the ratios are what is claimed.",
        ]
    )


def _peer_rows(r: Results) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, record and largest run of each package that ran."""
    rows = []
    for peer in r.raw["peers"]:
        timed = [x for x in peer["runs"] if "best" in x]
        if timed:
            rows.append((peer["package"], peer, max(timed, key=lambda x: x["n"])))
    return rows


def _events_table(r: Results) -> str:
    sizes = r.sizes
    ours = {n: r.engine(n).get("best") for n in sizes}
    rows = [["**library**, compiled", *(_seconds(ours[n]) for n in sizes), "1"]]
    last = sizes[-1]

    def add(name: str, values: dict[int, float | None]) -> None:
        cells = [_seconds(values.get(n)) for n in sizes]
        rows.append([name, *cells, _times(values.get(last), ours[last])])

    add("library, `res.car()` frame with p-values too", {n: r.find("frame", n=n).get("best") for n in sizes})
    add("library, numpy engine", {n: r.engine(n, engine="numpy").get("best") for n in sizes})
    add("statsmodels loop (scaled)", {n: r.loop(n) for n in sizes})
    for name, _, timed in _peer_rows(r):
        add(f"`{name}` (scaled)", {n: timed["best"] / timed["n"] * n for n in sizes})
    cores = r.raw["conditions"]["cores"]
    for case, what in (("write_bound", "first-touch write bound"), ("copy_bound", "copy bound")):
        for workers in sorted({1, cores}):
            add(f"{what}, {workers} thread{'s' * (workers > 1)}", {n: r.bound(case, n, workers) for n in sizes})
    return _table(["Market model, no return missing", *map(_count, sizes), f"× library at {_count(last)}"], rows)


def _variants_table(r: Results) -> str:
    rows = []
    for model, label in MODELS.items():
        for missing in (0.0, 0.2):
            for engine in ("compiled", "numpy"):
                for n in r.sizes:
                    found = r.engine(n, model, missing, engine)
                    if "best" in found:
                        bound = r.bound("write_bound", n, 1, model)
                        rows.append(
                            [
                                f"{label}, {missing:.0%} missing, {engine}",
                                _count(n),
                                _seconds(found["best"]),
                                _seconds(found["median"]),
                                _times(r.loop(n, model), found["best"]),
                                _times(found["best"], bound),
                                _mib(found["peak_mib"]),
                            ]
                        )
    rows += [
        [
            f"market model, 20% missing, {found.get('dropped', 0):,} events dropped",
            _count(found["n"]),
            _seconds(found.get("best")),
            _seconds(found.get("median")),
            _times(r.loop(found["n"]), found.get("best")),
            _times(found.get("best"), r.bound("write_bound", found["n"], 1)),
            _mib(found.get("peak_mib")),
        ]
        for found in r.all("engine", unusable=0.01)
    ]
    header = ["Engine", "events", "best", "median", "times faster than the loop", "× write bound", "peak MiB"]
    return _table(header, rows)


def _parts_table(r: Results) -> str:
    rows = []
    for n in r.sizes:
        base = r.engine(n).get("best")
        for case, what in (
            ("kernel", "fit kernel alone"),
            ("frame", "`fit()` and `res.car()`"),
            ("battery", "`res.tests()`, alone"),
            ("aar", "`res.aar()`, alone"),
            ("placebo", "`res.placebo()`, alone"),
        ):
            found = r.find(case, n=n, missing=0.0)
            if "best" in found:
                cells = [what, _count(n), _seconds(found["best"]), _times(found["best"], base)]
                rows.append([*cells, _mib(found["peak_mib"])])
            elif "error" in found:
                rows.append([what, _count(n), f"failed: {found['error']}", "—", "—"])
    for model, label in MODELS.items():
        found = r.find("battery", model=model, missing=0.2)
        if "best" in found:
            base = r.engine(found["n"], model, 0.2).get("best")
            name = f"`res.tests()`, alone; {label}, 20 % missing"
            rows.append([name, _count(found["n"]), _seconds(found["best"]), _times(found["best"], base)])
            rows[-1].append(_mib(found["peak_mib"]))
    tests = ", ".join(f"`{name}`" for name in r.find("battery").get("tests", []))
    text = _table(["Part", "events", "best", "× engine", "peak MiB"], rows)
    return f"{text}\n\n`res.tests()` ran {tests}."


def _peers_text(r: Results) -> str:
    lines = []
    for peer in r.raw["peers"]:
        name = f"`{peer['package']}`"
        versions = peer.get("versions", {})
        timed = [x for x in peer["runs"] if "best" in x]
        if versions:
            others = ", ".join(f"{k} {v}" for k, v in versions.items() if k != peer["package"])
            name += f" {versions.get(peer['package'], '')} ({others})"
        parts = [f"{x['n']} events in {_seconds(x['best'])}, {_seconds(x['best'] / x['n'])} each" for x in timed]
        parts += [f"{x['n']} events: {x['error']}" for x in peer["runs"] if "error" in x]
        if timed:
            gap = timed[-1]["car_gap"]
            parts.append(
                "its CARs could not be set beside this library's"
                if gap is None
                else f"largest difference of a CAR from this library's {gap:.1e}"
            )
        if timed and peer["package"] in PEER_NOTES:
            parts.append(PEER_NOTES[peer["package"]])
        if "error" in peer:
            parts.append(f"**{peer['error']}**")
        lines.append(f"- {name}: {'; '.join(parts)}.")
    lines.append(
        "- `EasyEventStudies` installs, but `run_event_study` takes its prices from Yahoo Finance only, so it cannot "
        "be run on this panel."
    )
    return "\n".join(lines)


def _long_text(r: Results) -> str:
    rows = [["`ReturnPanel.from_long`", found] for found in r.all("read_long")]
    rows += [["pandas `read_parquet` and `pivot`", found] for found in r.all("pivot")]
    cells = []
    for name, found in rows:
        count = found["rows"]
        panel = count * 8 / 1024**2
        peak = found.get("peak_mib")
        cells.append(
            [
                name,
                f"{count:,}",
                found.get("error") or _seconds(found["best"]),
                "—" if "best" not in found else f"{count / found['best'] / 1e6:.3g}",
                _mib(peak),
                "—" if not peak else f"{peak / panel:.2f}",
            ]
        )
    return _table(["Reader", "rows", "best", "million rows per second", "peak MiB", "× size of the matrix"], cells)


def _start_text(r: Results) -> str:
    times = r.raw["imports"]["times"]
    base = min(times["pass"])
    rows = [[f"`python -c '{'import ' * (k != 'pass')}{k}'`", _seconds(min(v)), _seconds(min(v) - base)]
            for k, v in times.items()]  # fmt: skip
    text = _table(["Fresh process", "best", "beyond an empty one"], rows)
    empty, filled = (r.find("engine", cache=state).get("first_fit_s") for state in ("empty", "filled"))
    one = r.find("one_event")
    return (
        f"{text}\n\nThe first `fit()` of a process took {_seconds(empty)} with numba's cache empty (it compiles) and "
        f"{_seconds(filled)} with it filled. One event, warm: best {_seconds(one.get('best'))}, median "
        f"{_seconds(one.get('median'))}."
    )


def _must_hold(r: Results) -> str:
    full = r.raw["mode"] == "full"
    n = r.sizes[-1]
    ours = r.engine(n)
    base = ours.get("best")
    rows: list[list[str]] = []

    def add(claim: str, measured: str, met: bool | None, *, sized: bool = False) -> None:
        answer = "not known" if met is None else "**met**" if met else "**not met**"
        if sized and not full:
            answer = f"not tested at this size ({answer})"
        rows.append([claim, measured, answer])

    found = r.find("agreement")
    if "worst" in found:
        worst = max(found["worst"].values())
        where = max(found["worst"], key=found["worst"].get)
        flat = f"{found['flat_dropped']} of {found['flat']} events of constant series dropped with a reason"
        add(
            "Every figure agrees with a QR fit per event to 1e-10 (20 % missing, 100 years of days, scales 1e-6 to 10, "
            "constant series)",
            f"largest error {worst:.1e} ({where}; {found['events']:,} events, both models; a number near zero is "
            f"measured in its standard error); {flat}; {'no' if not found['nan'] else 'some'} NaN in what is kept",
            worst <= 1e-10 and found["flat"] == found["flat_dropped"] and not found["nan"],
        )
    else:
        add("Every figure agrees with a QR fit per event to 1e-10", found.get("error", "not run"), None)
    if base:
        loop = r.loop(n)
        frame = r.find("frame", n=n).get("best")
        scaled = max((x["n"] for x in r.all("loop")), default=0)
        add(
            f"{_count(n)} events, market model, AR + CAR + t + Patell + BMP: at least 300 times faster than the lean "
            "statsmodels loop",
            f"{_times(loop, base)} times (loop of {scaled:,} events, scaled); with the frame of `res.car()`, its "
            f"p-values and bounds, {_times(loop, frame)} times",
            loop is not None and loop / base >= 300,
            sized=True,
        )
        cores = r.raw["conditions"]["cores"]
        one, all_cores = r.bound("write_bound", n, 1), r.bound("write_bound", n, cores)
        add(
            "… within 5 times the first-touch write bound",
            f"{_times(base, one)} times the bound of `np.empty` and `fill`; {_times(base, all_cores)} times that of "
            f"{cores} threads filling",
            one is not None and base / one <= 5,
            sized=True,
        )
        peaks = [
            x["peak_mib"] for x in r.all("engine", n=n, engine="compiled", sized=None) if x.get("peak_mib") is not None
        ]
        peaks += [x["peak_mib"] for name in ("frame", "battery", "aar") for x in r.all(name, n=n) if x.get("peak_mib")]
        add(
            "… peak memory under 3 GiB beyond the panel",
            f"{_mib(ours['peak_mib'])} MiB; at most {_mib(max(peaks))} MiB in any compiled case of this size",
            ours["peak_mib"] is not None and max(peaks) < 3 * 1024,
            sized=True,
        )
        battery = r.find("battery", n=n, missing=0.0).get("best")
        add(
            "… the full battery of tests (without resampling) within 20 times that time",
            f"`res.tests()` {_times(battery, base)} times, `fit()` and `res.tests()` together "
            f"{_times((battery or 0) + base, base)} times",
            battery is not None and (battery + base) / base <= 20,
            sized=True,
        )
    one_event = r.find("one_event").get("median")
    add(
        "One event: `fit()` under 20 ms warm",
        f"median {_seconds(one_event)}",
        one_event is not None and one_event < 0.02,
    )
    times, loaded = r.raw["imports"]["times"], r.raw["imports"]["loaded"]
    added = min(times["eventstudy"]) - min(times["pass"])
    pandas = min(times["pandas"]) - min(times["pass"])
    add(
        "`import eventstudy` adds under 1 s in a fresh process with compiled caches present",
        f"{_seconds(added)}, of which pandas {_seconds(pandas)}",
        added < 1.0,
    )
    add(
        "… and pulls in no plotting, network or Dask module",
        f"found in sys.modules: {', '.join(loaded) or 'none'} (looked for {', '.join(r.raw['imports']['looked_for'])})",
        not loaded,
    )
    found = r.find("invariance")
    if "found" in found:
        told = []
        for name, x in found["found"].items():
            across = "same bits" if x["across"] == 0.0 else f"within {x['across']:.1e}"
            told.append(f"{name}: {'same bits' if x['same'] else 'differ'}, {across}")
        add(
            "No result depends on `chunk_size`, `executor` or the order of events (bits of each event's numbers, "
            "statistics across events to 1e-12)",
            "; ".join(told) + " (first each event's, then those across events)",
            all(x["same"] and x["across"] <= 1e-12 for x in found["found"].values()),
        )
    else:
        add("No result depends on `chunk_size`, `executor` or the order", found.get("error", "not run"), None)
    table = _table(["Must hold", "measured", "met"], rows)
    return table.replace("| --- | ---: | ---: |", "| --- | --- | --- |")


def _failures(r: Results) -> str:
    failed = [x for x in r.records if "error" in x]
    if not failed:
        return ""
    lines = [
        f"- `{x['case']}` { ({k: x[k] for k in ('n', 'model', 'missing') if k in x}) }: {x['error']}" for x in failed
    ]
    return "\n\n## Cases that failed\n\n" + "\n".join(lines)


def write(results: dict[str, Any], out: Path) -> None:
    """Write RESULTS.md and both plots into ``out``."""
    r = Results(results)
    plot_events(r, out / "events.png")
    plot_panel(r, out / "panel.png")
    loops = max((x["n"] for x in r.all("loop")), default=0)
    text = f"""# Benchmarks

Written by `make bench` (`python benchmarks/run.py`) from one run; all numbers are in `results.json`.

{_conditions(r)}

## Time against the number of events

![Time against the number of events](events.png)

{_events_table(r)}

*Library*: `EventStudy.fit()` (validation, event sessions, fits, abnormal returns, dropped events, warnings), then CAR,
exact forecast standard error and t of every event as arrays, and Patell's z and the BMP t across them.
*statsmodels loop*: `sm.OLS(y, X).fit()` on numpy arrays for each event, AR, CAR, exact standard error and t; timed on
{loops:,} events and scaled per event. *Other packages*: timed on the number of events told below and scaled; they do
less (no exact standard error, fewer tests) or other things. *Write bound*: `np.empty` and `fill` of what must be
written, abnormal returns and the numbers per event. *Copy bound*: memcpy that moves as many bytes as both windows of
every event hold, and the output.

## Models, missing returns, engines

{_variants_table(r)}

## Parts

{_parts_table(r)}

## Other packages

Each in its own environment with the newest versions that its own requirements allow, on the same panel: one event on
each of *n* securities, market model, 250/21 windows; handing over the data is not timed.

{_peers_text(r)}

## Time against the size of the panel

![Time against the size of the panel](panel.png)

## Reading a long table

Parquet with columns permno (int32), date (date32) and ret (float64) into a security-major matrix.

{_long_text(r)}

## Start

{_start_text(r)}{_failures(r)}

## What must hold

{_must_hold(r)}
"""
    (out / "RESULTS.md").write_text(text, encoding="utf-8")


# -- plots ---------------------------------------------------------------------------------------------------------


def _style(ax: Any) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.grid(True, which="major", color="#DDDDDD", linewidth=0.8)
    ax.grid(False, which="minor")
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _label_ends(ax: Any, ends: list[tuple[float, str, str, str]]) -> None:
    """Write names at the right end of the lines, each behind its marker, moved apart where they would touch."""
    import numpy as np

    low, high = np.log10(ax.get_ylim())
    last = -1.0
    for y, name, colour, marker in sorted(ends):
        last = max((np.log10(y) - low) / (high - low), last + 0.048)
        where = {"transform": ax.transAxes, "clip_on": False}
        if marker:
            ax.plot([1.02], [last], marker=marker, color=colour, ms=6, **where)
        ax.text(1.035, last, name, va="center", fontsize=9, color="#222222", **where)


def plot_events(r: Results, path: Path) -> None:
    """Time against the number of events, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.6), dpi=150, layout="constrained")
    ax = figure.add_subplot()
    sizes = r.sizes
    ends: list[tuple[float, str, str, str]] = []

    def line(points: dict[int, float | None], name: str, colour: str, marker: str, **options: Any) -> None:
        known = {n: y for n, y in points.items() if y}
        if known:
            ax.plot(list(known), list(known.values()), marker=marker, color=COLOURS[colour], lw=1.8, ms=6, **options)
            ends.append((known[max(known)], name, COLOURS[colour], marker))

    line({n: r.engine(n).get("best") for n in sizes}, "this library", "blue", "o", zorder=5)
    line({n: r.engine(n, engine="numpy").get("best") for n in sizes}, "its numpy engine", "orange", "s")
    bound = {n: r.bound("write_bound", n, 1) for n in sizes if n >= 10_000 or n == sizes[0]}
    line(bound, "first-touch write bound", "black", "", ls=":")

    def scaled(timed: list[dict[str, Any]], name: str, colour: str, marker: str) -> None:
        """Solid markers where it was timed; a dashed line where it is scaled."""
        timed = sorted((x for x in timed if "best" in x), key=lambda x: x["n"])
        if not timed:
            return
        last = timed[-1]
        end = last["best"] / last["n"] * sizes[-1]
        xs, ys = [x["n"] for x in timed], [x["best"] for x in timed]
        ax.plot(xs, ys, marker=marker, color=COLOURS[colour], lw=1.8, ms=6)
        ax.plot([last["n"], sizes[-1]], [last["best"], end], color=COLOURS[colour], lw=1.2, ls="--")
        ends.append((end, name, COLOURS[colour], marker))

    scaled(list(r.all("loop", model="market")), "lean statsmodels loop", "black", "x")
    for peer in r.raw["peers"]:
        colour, marker = PEER_STYLE[peer["package"]]
        scaled(peer["runs"], f"{peer['package']} (PyPI)", colour, marker)
    _style(ax)
    ax.set_xlabel("events")
    ax.set_ylabel("seconds")
    ax.set_title("Market model, 250/21 windows: dashed where scaled from the last marker", loc="left", fontsize=11)
    _label_ends(ax, ends)
    figure.savefig(path)


def plot_panel(r: Results, path: Path) -> None:
    """Time against securities and against sessions, the events being the same number."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullLocator

    figure = Figure(figsize=(9.5, 4.2), dpi=150, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    securities, sessions = r.raw["shape"]
    found = [x for x in r.records if x.get("sized") and "best" in x]
    series = (("compiled", "this library", "blue", "o"), ("numpy", "its numpy engine", "orange", "s"))
    ticks: list[set[int]] = [set(), set()]
    for engine, name, colour, marker in series:
        mine = [x for x in found if r._value(x, "engine") == engine]
        for place, (fixed, moving) in enumerate(((sessions, 0), (securities, 1))):
            points = sorted((x["sized"][moving], x["best"]) for x in mine if x["sized"][1 - moving] == fixed)
            ticks[place] |= {x for x, _ in points}
            axes[place].plot(*zip(*points, strict=True), marker=marker, color=COLOURS[colour], lw=1.8, label=name)
    n = found[0]["n"] if found else 0
    for place, (label, other) in enumerate(
        ((f"securities ({sessions:,} sessions each)", 0), (f"sessions ({securities:,} securities)", 1))
    ):
        _style(axes[place])
        axes[place].set_xlabel(label)
        axes[place].set_xticks(sorted(ticks[other]))
        axes[place].xaxis.set_minor_locator(NullLocator())
        axes[place].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low / 1.5, high * 1.5)
    axes[0].set_ylabel("seconds")
    axes[0].legend(frameon=False, loc="center right", fontsize=9)
    figure.suptitle(f"{n:,} events, market model, 250/21 windows", x=0.01, ha="left", fontsize=11)
    figure.savefig(path)
