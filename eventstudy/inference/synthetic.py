"""Inference for synthetic controls without a law of the errors: placebos in space, and conformal permutations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import Seed, track
from eventstudy.models._donors import DonorBlock, donor_blocks
from eventstudy.models._simplex import Columns
from eventstudy.models.arrays import EventData, event_data
from eventstudy.models.synthetic_control import SyntheticControl, fit_of, solve
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["conformal_test", "synthetic_placebo"]


def synthetic_placebo(
    results: EventStudyResults,
    start: int,
    end: int,
    *,
    placebos: int | None = None,
    seed: Seed = 0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Placebo test in space: each donor is given a synthetic control of its own, as if the event had been its.

    Null: the event does nothing to the security. Statistic: root mean squared abnormal return of the window over that
    of the estimation window. Law: the rank among the donors, ``p = (1 + #{as large})/(1 + n)``; exact where the event
    could have been any of theirs. Robust to whatever donors and security share; not to a security that grows noisier
    than the donors for reasons of its own.

    Parameters
    ----------
    results : EventStudyResults
        Results of a study with :class:`SyntheticControl`.
    start, end : int
        First and last session of the window.
    placebos : int, optional
        Donors drawn as placebos; all by default. Each is one fit, of about 30 ms among 2,000 donors.
    seed : int, Generator or None
        Source of the draw.
    progress : bool, optional
        Whether to show a progress bar; by default only at a terminal.

    Returns
    -------
    DataFrame
        One row per security-event: ``event_id``, ``ticker``, ``rmspe_before`` and ``rmspe_after`` (decimal per
        session), ``ratio``, ``rank`` (1 for the largest), ``n_placebos``, ``p_value``, which is 1/(1 + n) at the least;
        NaN where a session of the window has no return.

    Raises
    ------
    InputError
        If the study's model is another one, or ``placebos`` is no positive whole number.
    WindowError
        If the window is not inside the event window.

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2010). Synthetic control methods for comparative case studies.
    *Journal of the American Statistical Association* 105.
    """
    if placebos is not None and (
        isinstance(placebos, bool) or not isinstance(placebos, int | np.integer) or placebos < 1
    ):
        raise InputError(f"placebos={placebos!r} is not a positive whole number.", remedy="Such as 200.")
    rng, found = np.random.default_rng(seed), _Found(results, start, end)
    out = np.full((len(found.fit.index), 6), np.nan)
    for block in found.blocks():
        columns, drawn = found.columns(block), _draw(len(block.donors), placebos, rng)
        label = f"placebos {found.date(block)}"
        law = [found.placebo(block, columns, which) for which in track(drawn.tolist(), len(drawn), progress, label)]
        out[block.events] = _ranked(found.ratios(block), np.array(law, dtype=np.float64))
    names = ["rmspe_before", "rmspe_after", "ratio", "rank", "n_placebos", "p_value"]
    return found.identity.assign(**{name: out[:, at] for at, name in enumerate(names)})


def _draw(n: int, size: int | None, rng: np.random.Generator) -> IntArray:
    if size is None or size >= n:
        return np.arange(n, dtype=np.int64)
    return np.sort(rng.choice(n, size, replace=False)).astype(np.int64)


def _ranked(own: FloatArray, law: FloatArray) -> FloatArray:
    """Errors and ratios of events, and how these rank among the placebos; shape (k, 6)."""
    law = law[np.isfinite(law)]
    above = (law >= own[:, 2:] * (1.0 - 1e-12)).sum(1)  # ties count against the event, to the last digit
    there = np.isfinite(own[:, 2]) & (len(law) > 0)
    count = np.full(len(own), len(law))
    rank = np.where(there, [1 + above, (1 + above) / (1 + count)], np.nan)
    return np.column_stack([own, rank[0], count, rank[1]])


def conformal_test(
    results: EventStudyResults,
    start: int,
    end: int,
    *,
    effect: float = 0.0,
    q: float = 1.0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Conformal test: whether the window stands out among all runs of sessions once the null is imposed.

    Null: the event adds ``effect`` to the return of each session of the window. The effect is taken off, the synthetic
    control is fitted to the estimation window and the window together, and its residuals are shifted round in a
    circle. Statistic: ``(Σ |e|^q / √L)^{1/q}`` over the window. Law: all ``T`` shifts, ``p = #{as large}/T``, the
    shift by nothing among them; exact where residuals are exchangeable, near it where they depend over time and the fit
    is consistent. Robust to fat tails; not to a variance that the event raises.

    Parameters
    ----------
    results : EventStudyResults
        Results of a study with :class:`SyntheticControl`.
    start, end : int
        First and last session of the window.
    effect : float
        Abnormal return of each session under the null (decimal). The values that are not rejected at 5 % are a
        confidence set of 95 %.
    q : float
        1 for effects that last, larger for large effects that do not.
    progress : bool, optional
        Whether to show a progress bar; by default only at a terminal.

    Returns
    -------
    DataFrame
        One row per security-event: ``event_id``, ``ticker``, ``statistic`` (decimal), ``n_permutations``,
        ``p_value``; NaN where a session of the window has no return.

    Raises
    ------
    InputError
        If the study's model is another one, or an option is no number of its range.
    WindowError
        If the window is not inside the event window.

    Notes
    -----
    Sessions between the two windows, and those left out of the estimation window, are passed over: the circle joins
    their neighbours. The ends of the sample are joined as well.

    References
    ----------
    Chernozhukov, V., Wüthrich, K. and Zhu, Y. (2021). An exact and robust conformal inference method for
    counterfactual and synthetic controls. *Journal of the American Statistical Association* 116.
    """
    for name, value, least in (("effect", effect, -np.inf), ("q", q, 0.0)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not least < value < np.inf:
            raise InputError(f"{name}={value!r} is not a number of its range.", remedy="Such as effect=0.0, q=1.0.")
    found = _Found(results, start, end)
    out = np.full((len(found.fit.index), 3), np.nan)
    for block in track(found.blocks(), len(np.unique(found.fit.index.position)), progress, "conformal dates"):
        if block.columns[found.window].all():
            for at, e, inside in found.under_null(block, effect):
                length = int(inside.sum())
                size = np.abs(e) ** q
                round_trip = np.concatenate([[0.0], np.cumsum(np.concatenate([size, size[: length - 1]]))])
                sums = round_trip[length:] - round_trip[:-length]
                first = int(inside.argmax())
                p = float((sums >= sums[first] * (1.0 - 1e-12)).mean())
                out[at] = (sums[first] / np.sqrt(length)) ** (1.0 / q), len(e), p
    names = ["statistic", "n_permutations", "p_value"]
    return found.identity.assign(**{name: out[:, at] for at, name in enumerate(names)})


class _Found:
    """Synthetic controls of some results, and what they were fitted on."""

    def __init__(self, results: EventStudyResults, start: int, end: int) -> None:
        self.fit, model = fit_of(results), results.study.model
        assert isinstance(model, SyntheticControl)
        self.model, self.panel = model, results.study.returns
        self.window = self.fit.index.event.columns(Window(start, end))
        self.data: EventData = event_data(self.panel, self.fit.index)
        self.identity = results.parameters[["event_id", "ticker"]].copy()

    def blocks(self) -> Iterator[DonorBlock]:
        """Events in groups that share their donors."""
        model = self.model
        return donor_blocks(
            self.panel, self.fit.index, self.data, self.fit.treated, model.donors, model.exclude, model.clean
        )

    def date(self, block: DonorBlock) -> str:
        """Event session of a block."""
        return f"{self.panel.sessions[self.fit.index.position[block.events[0]]]:%Y-%m-%d}"

    def columns(self, block: DonorBlock) -> Columns:
        """The donors, about their means where a constant is fitted."""
        return Columns(block.x - block.x.mean(0) if self.model.intercept else block.x)

    def ratios(self, block: DonorBlock) -> FloatArray:
        """RMSPE before and after, and their ratio, of the events of a block; shape (k, 3)."""
        before = np.sqrt(np.nanmean(self.fit.resid[block.events] ** 2, axis=1))
        after = np.sqrt((self.fit.ar[block.events][:, self.window] ** 2).mean(1))
        return np.stack([before, after, after / before], axis=1)

    def placebo(self, block: DonorBlock, columns: Columns, which: int) -> float:
        """The same ratio of one donor, by the other donors; NaN where there is none."""
        if len(block.donors) < 2 or not block.columns[self.window].all():
            return float("nan")
        allowed = np.ones(len(block.donors), dtype=bool)
        allowed[which] = False
        y, y_event = block.x[:, which], block.x_event[self.window, which]
        found = solve(columns, y, self.model.intercept, allowed)
        e = y - block.x[:, found.active] @ found.weight
        alpha = float(e.mean()) if self.model.intercept else 0.0
        after = y_event - alpha - block.x_event[self.window][:, found.active] @ found.weight
        before = float(np.sqrt(((e - alpha) ** 2).mean()))
        return float(np.sqrt((after**2).mean())) / before if before > 0 else float("nan")

    def under_null(self, block: DonorBlock, effect: float) -> Iterator[tuple[int, FloatArray, IntArray]]:
        """Residuals of each event, both windows together in time, and which of them are of the window."""
        index = self.fit.index
        tau = np.concatenate([index.estimation.tau[block.rows], index.event.tau[self.window]])
        order = np.argsort(tau)
        inside = (np.arange(len(tau)) >= block.rows.sum())[order]
        x = np.concatenate([block.x, block.x_event[self.window]])[order]
        columns = Columns(x - x.mean(0) if self.model.intercept else x)
        for at in block.events.tolist():
            y = np.concatenate([self.data.y[at, block.rows], self.data.y_event[at, self.window] - effect])[order]
            found = solve(columns, y, self.model.intercept)
            e = y - x[:, found.active] @ found.weight
            yield at, e - e.mean() if self.model.intercept else e, inside
