"""Correlation matrices before and after an event, with intervals and permutation tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from eventstudy._typing import FloatArray
from eventstudy.abnormal import check_confidence
from eventstudy.errors import InputError, InsufficientDataError
from eventstudy.inference.multiplicity import benjamini_hochberg
from eventstudy.inference.resampling import Seed, as_many, at_least, generator, resampling_p
from eventstudy.risk.correlation import (
    absorption_ratios,
    components,
    jennrich_statistics,
    mean_correlation,
    to_correlation,
)
from eventstudy.risk.volatility import block_counts, quantile_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CorrelationChange", "correlation_change"]

_CELLS = 1 << 22  # numbers of a batch of matrices held at a time: 32 MB


@dataclass(frozen=True, eq=False, repr=False)
class CorrelationChange:
    """Correlations of abnormal (or total) returns before and after an event.

    Parameters
    ----------
    before, after : DataFrame, shape (p, p)
        Correlation matrices.
    tests : DataFrame
        Indexed by ``measure``: ``jennrich``, ``mean_correlation``, ``absorption_ratio``; ``before``, ``after``,
        ``change``, ``ci_lower`` and ``ci_upper`` of the change (block bootstrap), ``statistic``, ``df`` and ``p_value``
        (Jennrich's chi-square), ``p_permutation`` (sessions, scaled to one variance in each window, dealt out anew).
    n_before, n_after : int
        Sessions on which every security has a return.
    returns_before, returns_after : DataFrame, shape (n_before, p) and (n_after, p)
        What the correlations were made of.
    confidence : float
        Level of the intervals.
    about : str
        What was correlated and where it comes from, as the figure says it.
    """

    before: pd.DataFrame
    after: pd.DataFrame
    tests: pd.DataFrame
    n_before: int
    n_after: int
    returns_before: pd.DataFrame
    returns_after: pd.DataFrame
    confidence: float
    about: str = ""

    def __repr__(self) -> str:
        mean = self.tests.loc["mean_correlation"]
        return (
            f"CorrelationChange({len(self.before)} securities, {self.n_before} sessions before, {self.n_after} after, "
            f"mean correlation {mean['before']:.2f} to {mean['after']:.2f})"
        )

    @property
    def difference(self) -> pd.DataFrame:
        """Correlations after less before."""
        return self.after - self.before

    def pairs(self) -> pd.DataFrame:
        """Edges of the network: one row for each pair of securities.

        Returns
        -------
        DataFrame
            ``ticker_a``, ``ticker_b``, ``before``, ``after``, ``change``; ``p_before`` and ``p_after`` (t of a zero
            correlation), ``p_change`` (Fisher's z of equal correlations), and each adjusted for the number of pairs by
            Benjamini and Hochberg (``p_before_bh``, …). Normal, independent sessions are assumed; the adjustment holds
            under positive dependence of pairs. Ordered by the size of ``after``.
        """
        names = self.before.columns
        a, b = np.triu_indices(len(names), 1)
        before, after = self.before.to_numpy()[a, b], self.after.to_numpy()[a, b]
        frame = pd.DataFrame(
            {
                "ticker_a": names[a],
                "ticker_b": names[b],
                "before": before,
                "after": after,
                "change": after - before,
                "p_before": _zero_correlation_p(before, self.n_before),
                "p_after": _zero_correlation_p(after, self.n_after),
                "p_change": _fisher_p(before, after, self.n_before, self.n_after),
            }
        )
        for name in ("p_before", "p_after", "p_change"):
            frame[f"{name}_bh"] = benjamini_hochberg(frame[name].to_numpy())
        order = np.argsort(-np.abs(after), kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    def plot(self) -> Figure:
        """Matrices before, after, and their difference, side by side.

        Returns
        -------
        Figure
        """
        from eventstudy._risk_plots import correlation_figure

        return correlation_figure(self)


def _zero_correlation_p(r: FloatArray, n: int) -> FloatArray:
    if n < 3:
        return np.full(len(r), np.nan)
    with np.errstate(divide="ignore"):
        t = np.abs(r) * np.sqrt((n - 2) / np.maximum(1.0 - r**2, 0.0))
    return np.asarray(2.0 * special.stdtr(n - 2, -t))


def _fisher_p(before: FloatArray, after: FloatArray, n1: int, n2: int) -> FloatArray:
    if min(n1, n2) < 4:
        return np.full(len(before), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.arctanh(after) - np.arctanh(before)) / np.sqrt(1.0 / (n1 - 3) + 1.0 / (n2 - 3))
    return np.asarray(2.0 * special.ndtr(-np.abs(z)))


def correlation_change(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    n_components: int | None = None,
    draws: int = 999,
    block: int | None = None,
    confidence: float = 0.95,
    seed: Seed = 0,
) -> CorrelationChange:
    """Correlation matrices of two windows with tests of the change.

    Intervals: both windows are resampled in blocks of sessions, all securities together; percentiles of the
    resampled change, shifted so that their mean is the estimate. Permutation p-values: returns are centred and scaled
    to unit variance within each window (a higher variance is no change of correlation), and blocks of sessions are
    dealt to the two windows anew; the rank of the statistic, two-sided for a change. They allow for windows of unequal
    length, for which the absorption ratio is biased differently, and for fat tails.

    Parameters
    ----------
    before, after : DataFrame, shape (T1, p) and (T2, p)
        Returns, one column per security, the same in both; sessions on which one is missing are left out.
    n_components : int, optional
        Eigenvectors of the absorption ratio.
    draws : int
        Resamples and permutations; 0 for none.
    block : int, optional
        Mean length of blocks in sessions; the cube root of a window by default.
    confidence : float
        Level of the intervals.
    seed : int, Generator or None
        Source of the draws.

    Returns
    -------
    CorrelationChange

    Raises
    ------
    InputError
        With fewer than two securities, or other columns after than before.
    InsufficientDataError
        With fewer than four common sessions in a window, or a security that does not move.
    """
    if list(before.columns) != list(after.columns) or before.shape[1] < 2:
        raise InputError(
            f"{before.shape[1]} securities before and {after.shape[1]} after make no comparison.",
            remedy="Give the same two securities or more, in one order.",
        )
    draws, level, rng = as_many("draws", draws, 0), check_confidence(confidence), generator(seed)
    sides = [complete_sessions(frame, name) for frame, name in ((before, "before"), (after, "after"))]
    x = [side.to_numpy(np.float64) for side in sides]
    n1, n2 = len(x[0]), len(x[1])
    k = components(before.shape[1], n_components)
    covariance = [np.cov(values, rowvar=False) for values in x]
    matrix = [to_correlation(one) for one in covariance]
    rows: dict[str, dict[str, float]] = {}
    statistic = float(jennrich_statistics(matrix[0][None], matrix[1][None], n1, n2)[0])
    p = before.shape[1]
    df = p * (p - 1) // 2
    rows["jennrich"] = {
        "change": float(np.sqrt((np.triu(matrix[1] - matrix[0], 1) ** 2).sum() / df)),
        "statistic": statistic,
        "df": float(df),
        "p_value": float(special.chdtrc(df, statistic)) if np.isfinite(statistic) else float("nan"),
    }
    values: dict[str, list[float]] = {
        "mean_correlation": [mean_correlation(one) for one in matrix],
        "absorption_ratio": [float(absorption_ratios(one[None], k)[0]) for one in covariance],
    }
    for name, (first, last) in values.items():
        rows[name] = {"before": first, "after": last, "change": last - first}
    if draws:
        _add_intervals(rows, x, k, draws, block, level, rng)
        _add_permutations(rows, x, k, draws, block, rng)
    columns = ["before", "after", "change", "ci_lower", "ci_upper", "statistic", "df", "p_value", "p_permutation"]
    tests = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("measure")
    labelled = [pd.DataFrame(one, index=before.columns, columns=before.columns) for one in matrix]
    return CorrelationChange(labelled[0], labelled[1], tests, n1, n2, sides[0], sides[1], level)


def complete_sessions(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Sessions on which all securities have a return."""
    missing = frame.isna()
    kept = frame[~missing.any(axis=1)]
    worst = str(missing.sum().idxmax()) if len(frame) else ""
    if len(kept) < 4:
        raise InsufficientDataError(
            f"Of the {len(frame)} sessions {name} the event {len(kept)} have a return of every security; 4 are needed. "
            f"{worst} lacks the most.",
            remedy="Leave it out, or lengthen the window.",
            ticker=worst,
        )
    spread = kept.std()
    still = spread.index[~(spread > 1e-12 * kept.abs().max())]
    if len(still):
        raise InsufficientDataError(
            f"{still[0]} does not move over the {len(kept)} sessions {name} the event, so it has no correlation.",
            remedy="Leave it out.",
            ticker=still[0],
        )
    return kept


def covariances(x: FloatArray, counts: FloatArray) -> FloatArray:
    """Covariance matrices of resamples that draw session ``t`` ``counts[d, t]`` times, shape (draws, p, p)."""
    n = counts.sum(1)[:, None]
    mean = counts @ x / n
    cross = np.matmul(counts[:, None, :] * x.T[None], x)
    whole: FloatArray = (cross - n[..., None] * mean[:, :, None] * mean[:, None, :]) / (n[..., None] - 1.0)
    return whole


def _measures(covariance: FloatArray, k: int) -> FloatArray:
    """Mean correlation and absorption ratio of a batch of covariance matrices, shape (2, draws)."""
    r = to_correlation(covariance)
    p = r.shape[-1]
    mean = (r.sum((1, 2)) - p) / (p * (p - 1))
    good = np.isfinite(mean)
    ratio = np.full(len(r), np.nan)
    ratio[good] = absorption_ratios(covariance[good], k)
    return np.stack([mean, ratio])


def batches(draws: int, p: int, length: int) -> list[slice]:
    size = max(1, _CELLS // (p * max(p, length)))
    return [slice(at, min(draws, at + size)) for at in range(0, draws, size)]


def _add_intervals(
    rows: dict[str, dict[str, float]],
    x: list[FloatArray],
    k: int,
    draws: int,
    block: int | None,
    level: float,
    rng: np.random.Generator,
) -> None:
    counts = [block_counts(rng, len(values), draws, block) for values in x]
    found = np.empty((2, 2, draws))
    for part in batches(draws, x[0].shape[1], max(map(len, x))):
        for side in (0, 1):
            found[side, :, part] = _measures(covariances(x[side], counts[side][part]), k)
    for at, name in enumerate(("mean_correlation", "absorption_ratio")):
        moved = found[1, at] - found[0, at]
        # a resample repeats sessions, which makes few dimensions look fewer: its mean shows by how much
        moved = moved - np.nanmean(moved) + rows[name]["change"]
        low, high = (float(quantile_of(moved[None], q)[0]) for q in (0.5 - level / 2, 0.5 + level / 2))
        rows[name] |= {"ci_lower": low, "ci_upper": high}


def _add_permutations(
    rows: dict[str, dict[str, float]],
    x: list[FloatArray],
    k: int,
    draws: int,
    block: int | None,
    rng: np.random.Generator,
) -> None:
    scaled = [(values - values.mean(0)) / values.std(0, ddof=1) for values in x]
    whole, n1, n2 = np.concatenate(scaled), len(x[0]), len(x[1])
    size = int(np.ceil(np.cbrt(min(n1, n2)))) if block is None else block
    blocks = -(-len(whole) // size)
    observed = _permuted_measures(scaled[0][None], scaled[1][None], k)[:, 0]
    exceed, some = np.zeros(3), np.zeros(3)
    for part in batches(draws, whole.shape[1], len(whole)):
        number = part.stop - part.start
        order = np.argsort(rng.random((number, blocks)), axis=1)
        shift = (rng.random(number) * len(whole)).astype(np.int64)  # blocks start anywhere
        sessions = (order[:, :, None] * size + np.arange(size)).reshape(number, -1)
        inside = sessions < len(whole)
        sessions = sessions[inside].reshape(number, len(whole))
        drawn = whole[(sessions + shift[:, None]) % len(whole)]
        found = _permuted_measures(drawn[:, :n1], drawn[:, n1:], k)
        for at in range(3):
            exceed[at] += at_least(found[at], float(observed[at]))
            some[at] += np.isfinite(found[at]).sum()
    for at, name in enumerate(("jennrich", "mean_correlation", "absorption_ratio")):
        known = some[at] > 0 and np.isfinite(observed[at])
        rows[name]["p_permutation"] = resampling_p(int(exceed[at]), int(some[at])) if known else float("nan")


def _permuted_measures(first: FloatArray, last: FloatArray, k: int) -> FloatArray:
    """Jennrich's statistic and the changes of mean correlation and absorption ratio, shape (3, draws).

    In units of each window's variance, so that the absorption ratio here is that of correlation matrices.
    """
    r = []
    for values in (first, last):
        centred = values - values.mean(1, keepdims=True)
        r.append(to_correlation(np.matmul(centred.transpose(0, 2, 1), centred) / (values.shape[1] - 1)))
    change = _measures(r[1], k) - _measures(r[0], k)
    good = np.isfinite(change[0])
    statistic = np.full(len(first), np.nan)
    statistic[good] = jennrich_statistics(r[0][good], r[1][good], first.shape[1], last.shape[1])
    return np.concatenate([statistic[None], change])
