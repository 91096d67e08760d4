"""Size and power of the tests on your own returns: random securities, random dates, a known abnormal return.

In the manner of Brown and Warner (1985). Events that never happened are drawn on real returns, so the null is true
whatever the returns are like; a test that rejects more often than its level on them would do so on real events too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from difflib import get_close_matches
from typing import get_args

import numpy as np

from eventstudy._studies import Dates, Design, Outcomes, Pool, run
from eventstudy.errors import InputError
from eventstudy.inference import TESTS
from eventstudy.inference.base import ORDER
from eventstudy.inference.resampled import RESAMPLED
from eventstudy.inference.resampling import Seed, as_many, generator, track
from eventstudy.kernels import chunks
from eventstudy.models.base import NormalReturnModel
from eventstudy.panel import ReturnPanel
from eventstudy.parallel import _handed_over
from eventstudy.rejection import SimulationResults, check_share
from eventstudy.synthetic import SyntheticPanel
from eventstudy.windows import Window, WindowLike, check_windows

__all__ = ["Dates", "SimulationResults", "SyntheticPanel", "known_tests", "simulate"]

_CHUNK = 50  # studies fitted at once and handed out together


def simulate(
    panel: ReturnPanel | SyntheticPanel,
    model: NormalReturnModel,
    *,
    n_events: int = 50,
    n_studies: int = 1_000,
    dates: Dates = "staggered",
    drift: float | Sequence[float] = 0.0,
    variance: float | Sequence[float] = 1.0,
    window: WindowLike = (0, 0),
    estimation_window: WindowLike = (-270, -21),
    event_window: WindowLike = (-10, 10),
    min_obs: int | None = None,
    tests: Sequence[str] | None = None,
    draws: int = 999,
    level: float = 0.05,
    confidence: float = 0.95,
    seed: Seed = None,
    executor: Executor | None = None,
    progress: bool | None = None,
) -> SimulationResults:
    """Size and power of tests in simulated studies on a panel of returns.

    Every study draws securities without replacement, and dates on which they have complete windows: one for each, or
    one for all. Every drift and every variance is tried on the same studies.

    Parameters
    ----------
    panel : ReturnPanel or SyntheticPanel
        Your returns; or a pattern, of which every study draws a panel of its own with as many securities as events.
    model : NormalReturnModel
        Such as ``MarketModel("SPY")``. Its benchmarks are never drawn.
    n_events, n_studies : int
        Security-events in a study, and studies.
    dates : {"staggered", "shared"}
        A random date for each event, or one for all of a study.
    drift : float or sequence of float
        Added to the CAR of every event (decimal), spread evenly over the sessions of ``window``. Zero shows the size of
        the tests, other numbers their power.
    variance : float or sequence of float
        Factor of the abnormal return's variance over ``window``: each abnormal return is multiplied by its root. Shape
        and correlation stay, and so does the mean. 2 is the event-induced variance of Brown and Warner (1985).
    window : pair of int, Window or str
        Sessions of the CAR that is tested.
    estimation_window, event_window : pair of int, Window or str
        As in :class:`eventstudy.EventStudy`.
    min_obs : int, optional
        Fewest returns in the estimation window of an event; all of it by default. The event window is always complete.
    tests : sequence of str, optional
        Names of tests; all by default.
    draws : int
        Draws of the bootstrap tests, as in ``results.tests``.
    level : float
        Nominal level.
    confidence : float
        Of the intervals and bands of the rates.
    seed : int, Generator or None
        Source of the draws. Every study has a stream of its own, made before any is run: neither executor nor progress
        changes a number.
    executor : Executor, optional
        Where chunks of studies are run, such as a ``ProcessPoolExecutor``; this process by default.
    progress : bool, optional
        Whether a bar is drawn; by default at a terminal.

    Returns
    -------
    SimulationResults

    Raises
    ------
    InputError
        On a wrong option.
    InsufficientDataError
        If fewer securities than events have complete windows.

    Notes
    -----
    The model sees the estimation window alone, so adding to returns of the event window adds as much to abnormal
    returns: drift and variance are put in after the fit, and the numbers are those of a panel altered beforehand.

    Studies on one panel are independent given the panel. Its own history decides how close to the nominal level a
    correct test comes: with dates shared, a panel has no more independent outcomes than sessions. For a calibrated null
    use a :class:`SyntheticPanel`, perhaps :meth:`SyntheticPanel.like` yours.

    References
    ----------
    Brown, S. J. and Warner, J. B. (1985). Using daily stock returns: the case of event studies. *Journal of Financial
    Economics* 14, 3–31.

    Examples
    --------
    >>> import eventstudy as es
    >>> found = simulate(SyntheticPanel(n_sessions=400), es.MarketModel("MARKET"), n_events=20, n_studies=40,
    ...                  drift=[0.0, 0.02], tests=["bmp_t", "csect_t"], seed=1)
    >>> found.rejection.query("test == 'bmp_t'")["rejection"].tolist()[1]
    0.975
    """
    design = _checked(
        model, n_events, dates, drift, variance, window, estimation_window, event_window, min_obs, tests, draws
    )
    level, confidence = check_share("level", level), check_share("confidence", confidence)
    streams = generator(seed).spawn(as_many("n_studies", n_studies, 1))
    pool: Pool | None = None
    if isinstance(panel, ReturnPanel):
        pool = Pool.of(panel, design)
    elif isinstance(panel, SyntheticPanel):
        panel = panel.sized(design.n_events)
        pool = Pool.of(panel.draw(0), design)  # refuses windows that do not fit before any study is run
    else:
        raise InputError(
            f"panel must be a ReturnPanel or a SyntheticPanel, not {type(panel).__name__}.",
            remedy="Use ReturnPanel.from_prices(prices) or ReturnPanel.from_frame(returns).",
        )
    found = list(_run_all(panel, pool, design, streams, executor, progress))
    statistic, p_value, df = (np.concatenate([part.values[k] for part in found]) for k in range(3))
    reasons: dict[str, str] = {}
    for part in found:
        reasons = part.reasons | reasons
    return SimulationResults(
        tests=design.tests,
        drift=np.array([cell[0] for cell in design.cells]),
        variance=np.array([cell[1] for cell in design.cells]),
        statistic=statistic,
        p_value=p_value,
        df=df,
        reasons={name: reasons[name] for name in design.tests if name in reasons},
        level=level,
        confidence=confidence,
        n_events=design.n_events,
        dates=dates,
        n_dropped=sum(part.n_dropped for part in found),
        n_securities=len(pool.rows),
        design={
            "Returns": _described(panel),
            "Model": repr(model),
            "Windows": f"CAR {design.window}, estimation {design.estimation}, event {design.event}",
            "Seed": "–" if seed is None or isinstance(seed, np.random.Generator) else str(seed),
        },
    )


def _described(panel: ReturnPanel | SyntheticPanel) -> str:
    if isinstance(panel, SyntheticPanel):
        return str(panel)
    first, last = panel.sessions[0], panel.sessions[-1]
    return f"Panel of {panel.n_securities} securities, {panel.n_sessions} sessions {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _checked(
    model: NormalReturnModel,
    n_events: int,
    dates: Dates,
    drift: float | Sequence[float],
    variance: float | Sequence[float],
    window: WindowLike,
    estimation_window: WindowLike,
    event_window: WindowLike,
    min_obs: int | None,
    tests: Sequence[str] | None,
    draws: int,
) -> Design:
    if isinstance(model, type) or not isinstance(model, NormalReturnModel):
        raise InputError(f"{model!r} is not a model of normal returns.", remedy='Give an instance: MarketModel("SPY").')
    if dates not in get_args(Dates):
        raise InputError(f"dates={dates!r} is not an option.", remedy=f"Use one of {get_args(Dates)}.")
    estimation, event, inner = (Window.of(given) for given in (estimation_window, event_window, window))
    least = len(estimation) if min_obs is None else as_many("min_obs", min_obs, 1)
    check_windows(estimation, event, least)
    event.columns(inner)  # refuses one outside the event window
    drifts, variances = _numbers("drift", drift), _numbers("variance", variance)
    if min(variances) <= 0.0:
        raise InputError(f"variance={min(variances):g} is not positive.", remedy="Such as variance=2.")
    names = known_tests() if tests is None else tuple(dict.fromkeys([tests] if isinstance(tests, str) else tests))
    _check_names(names)
    cells = tuple((d, v) for v in variances for d in drifts)
    n_events, draws = as_many("n_events", n_events, 1), as_many("draws", draws, 1)
    return Design(model, n_events, dates, estimation, event, inner, least, cells, names, draws)


def known_tests() -> tuple[str, ...]:
    """Names of all tests that can be simulated, in the order of tables."""
    place = {name: at for at, name in enumerate(ORDER)}
    return tuple(sorted([*TESTS, *RESAMPLED], key=lambda name: place.get(name, len(ORDER))))


def _check_names(names: tuple[str, ...]) -> None:
    known = known_tests()
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), known, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise InputError(f"There is no test {name!r}.{hint}", remedy=f"Use some of {', '.join(known)}.")
    if not names:
        raise InputError("tests= is empty.", remedy="Leave it out for all tests.")


def _numbers(name: str, value: float | Sequence[float]) -> list[float]:
    """Distinct finite numbers in the order given."""
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InputError(
            f"{name}={value!r} is no finite number, nor some of them.", remedy=f"Such as {name}=[1.0, 2.0]."
        )
    return list(dict.fromkeys((numbers + 0.0).tolist()))


def _run_all(
    panel: ReturnPanel | SyntheticPanel,
    pool: Pool,
    design: Design,
    streams: list[np.random.Generator],
    executor: Executor | None,
    progress: bool | None,
) -> Iterator[Outcomes]:
    """Outcomes of chunks of studies, in order."""
    parts = [streams[part] for part in chunks(len(streams), _CHUNK)]
    if executor is None:
        work: Iterator[Outcomes] = (run(panel, pool, design, part) for part in parts)
        yield from track(work, len(parts), progress, "simulate")
        return
    with _handed_over(panel, executor) if isinstance(panel, ReturnPanel) else nullcontext(panel) as shared:
        futures = [executor.submit(run, shared, pool, design, part) for part in parts]
        try:
            yield from track((future.result() for future in futures), len(parts), progress, "simulate")
        finally:
            for future in futures:
                future.cancel()
