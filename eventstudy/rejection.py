"""How often tests reject in simulated studies: rates, exact bands, calibrated critical values."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from eventstudy import _render
from eventstudy._cells import guarded
from eventstudy._paths import as_path
from eventstudy._typing import FloatArray
from eventstudy.errors import DataSourceError, InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SimulationResults", "binomial_band", "clopper_pearson"]


def clopper_pearson(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a probability from ``count`` successes in ``n`` trials; NaN without a trial.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the case of the
    binomial. *Biometrika* 26.

    Examples
    --------
    >>> [round(bound, 4) for bound in clopper_pearson(50, 1000)]
    [0.0373, 0.0654]
    """
    if n == 0:
        return float("nan"), float("nan")
    tail = (1.0 - confidence) / 2.0
    lower = float(special.betaincinv(count, n - count + 1, tail)) if count > 0 else 0.0
    upper = float(special.betaincinv(count + 1, n - count, 1.0 - tail)) if count < n else 1.0
    return lower, upper


def binomial_band(level: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Smallest and largest share of rejections in ``n`` studies that a test of size ``level`` can be believed to give.

    Each end leaves at most ``(1 − confidence)/2`` of the binomial law outside; a share is inside exactly where its
    :func:`clopper_pearson` interval holds ``level``.

    Examples
    --------
    >>> binomial_band(0.05, 5000)
    (0.044, 0.0562)
    """
    if n == 0:
        return float("nan"), float("nan")
    tail = (1.0 - confidence) / 2.0
    count = np.arange(n + 1)
    # scipy.special, because scipy.stats would double the time of the import
    upward = np.where(count > 0, special.bdtrc(np.maximum(count, 1) - 1.0, n, level), 1.0)
    inside = (special.bdtr(count.astype(np.float64), n, level) >= tail) & (upward >= tail)
    return float(count[inside][0] / n), float(count[inside][-1] / n)


@dataclass(frozen=True, eq=False, repr=False)
class SimulationResults:
    """What tests found in simulated studies; made by :func:`eventstudy.simulate.simulate`.

    Arrays run over ``S`` studies, ``C`` cells (a drift and a variance each) and ``K`` tests.

    Parameters
    ----------
    tests : tuple of str, length K
        Names of the tests.
    drift, variance : ndarray of float64, shape (C,)
        Abnormal return added to every event's CAR (decimal), and factor of the abnormal return's variance.
    statistic, p_value, df : ndarray of float64, shape (S, C, K)
        As of ``results.tests``; NaN where a test had no answer.
    reasons : mapping of str to str
        The first reason of each test that ever had none.
    level : float
        Nominal level: a test rejects where its p-value is not above it.
    confidence : float
        Of the intervals and bands.
    n_events : int
        Security-events in a study.
    dates : str
        ``"staggered"`` or ``"shared"``.
    n_dropped : int
        Security-events over all studies that could not be fitted, and were left out of theirs.
    n_securities : int
        Securities that were drawn from.
    design : mapping of str to str
        Windows, model, data and seed, in words.
    """

    tests: tuple[str, ...]
    drift: FloatArray
    variance: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    df: FloatArray
    reasons: Mapping[str, str]
    level: float
    confidence: float
    n_events: int
    dates: str
    n_dropped: int
    n_securities: int
    design: Mapping[str, str]

    def __repr__(self) -> str:
        return (
            f"SimulationResults({self.n_studies} studies of {self.n_events} events on {self.dates} dates, "
            f"{len(self.tests)} tests, {len(self.drift)} {'cell' if len(self.drift) == 1 else 'cells'})"
        )

    @property
    def n_studies(self) -> int:
        """Studies simulated."""
        return len(self.statistic)

    @functools.cached_property
    def rejection(self) -> pd.DataFrame:
        """Share of studies in which each test rejects, one row per test, drift and variance.

        Columns: ``test``, ``drift`` (decimal), ``variance``, ``dates``, ``n_events``, ``n_studies`` (with an answer),
        ``share_nan`` (of studies without), ``rejection``, ``ci_lower`` and ``ci_upper`` (Clopper–Pearson interval of
        the rate), ``band_lower`` and ``band_upper`` (rates that a test of the nominal level can be believed to give)
        and ``in_band``. The band is about size: it means something where the drift is zero.
        """
        rows = []
        for cell in range(len(self.drift)):
            for at, name in enumerate(self.tests):
                p = self.p_value[:, cell, at]
                p = p[~np.isnan(p)]
                n, count = len(p), int((p <= self.level).sum())
                ci = clopper_pearson(count, n, self.confidence)
                band = _band(self.level, n, self.confidence)
                rows.append(
                    {
                        "test": name,
                        "drift": self.drift[cell],
                        "variance": self.variance[cell],
                        "dates": self.dates,
                        "n_events": self.n_events,
                        "n_studies": n,
                        "share_nan": 1.0 - n / self.n_studies,
                        "rejection": count / n if n else np.nan,
                        "ci_lower": ci[0],
                        "ci_upper": ci[1],
                        "band_lower": band[0],
                        "band_upper": band[1],
                        "in_band": bool(n and band[0] <= count / n <= band[1]),
                    }
                )
        return pd.DataFrame(rows)

    def critical_values(self, level: float | None = None) -> pd.DataFrame:
        """Critical values that give every test the level asked for, on the returns simulated.

        Parameters
        ----------
        level : float, optional
            That of the simulation by default.

        Returns
        -------
        DataFrame
            One row per test and variance, from the studies without drift: ``test``, ``variance``, ``n_studies``,
            ``calibrated`` (quantile of the absolute statistic: reject above it), ``nominal`` (that of Student's t with
            the median degrees of freedom, or of the normal law), ``lower`` and ``upper`` (equal-tailed quantiles of the
            statistic) and ``p_calibrated`` (reject where the p-value is not above it). The first two are NaN for a
            test with a law of its own: its statistic need not be centred on zero.

        Raises
        ------
        InputError
            If every study had a drift.
        """
        asked = self.level if level is None else check_share("level", level)
        null = np.flatnonzero(self.drift == 0.0).tolist()
        if not null:
            raise InputError(
                f"All studies have a drift ({', '.join(f'{d:g}' for d in self.drift)}), so none shows the null.",
                remedy="Simulate with drift=0 among the drifts.",
            )
        return pd.DataFrame(
            [{"test": name, **self._critical(cell, at, asked)} for cell in null for at, name in enumerate(self.tests)]
        )

    def _critical(self, cell: int, at: int, level: float) -> dict[str, float]:
        x, p, df = (array[:, cell, at] for array in (self.statistic, self.p_value, self.df))
        there = ~np.isnan(p)
        x, p, df = x[there], p[there], df[there]
        row = {"variance": self.variance[cell], "n_studies": len(p)}
        names = ("calibrated", "nominal", "lower", "upper", "p_calibrated")
        if not len(p):
            return row | dict.fromkeys(names, np.nan)
        own_law = bool(np.isnan(df).any())
        middle = np.nan if own_law else float(np.median(df))
        nominal = special.ndtri(1.0 - level / 2.0) if np.isinf(middle) else special.stdtrit(middle, 1.0 - level / 2.0)
        calibrated = np.nan if own_law else np.quantile(np.abs(x), 1.0 - level)
        tails = np.quantile(x, [level / 2.0, 1.0 - level / 2.0])
        values = (calibrated, nominal, *tails, np.quantile(p, level))
        return row | dict(zip(names, map(float, values), strict=True))

    def to_csv(self, directory: str | Path) -> Path:
        """Write ``rejection.csv`` and, if some studies have no drift, ``critical_values.csv``; the directory.

        Raises
        ------
        DataSourceError
            If the directory cannot be written.
        """
        out = as_path(directory, "directory")
        try:
            out.mkdir(parents=True, exist_ok=True)
            guarded(self.rejection).to_csv(out / "rejection.csv", index=False, lineterminator="\n")
            if (self.drift == 0.0).any():
                guarded(self.critical_values()).to_csv(out / "critical_values.csv", index=False, lineterminator="\n")
        except OSError as error:
            raise DataSourceError(
                f"Cannot write the rates to {out}: {error}.", remedy="Choose a directory that can be written."
            ) from error
        return out

    def summary(self) -> _render.Summary:
        """Rates as text, HTML or LaTeX: size where there is no drift, power where there is."""
        facts = [
            ("Studies", f"{self.n_studies:,} of {self.n_events} security-events, {self.dates} dates"),
            *self.design.items(),
            ("Nominal level", _share(self.level)),
        ]
        rejection, sections = self.rejection, []
        confidence = f"{self.confidence * 100:g} %"
        for variance in dict.fromkeys(self.variance.tolist()):
            here = rejection[rejection["variance"] == variance]
            about = "" if variance == 1.0 else f", variance × {variance:g}"
            size = here[here["drift"] == 0.0].set_index("test")
            if len(size):
                low, high = _band(self.level, self.n_studies, self.confidence)
                title = f"Size{about} (exact {confidence} band {_share(low)} to {_share(high)})"
                columns = ["rejection", "ci_lower", "ci_upper", "in_band", "share_nan"]
                shares = dict.fromkeys([*columns[:3], "share_nan"], _share)
                sections.append(_render.Section(title, size[columns], shares))
            drifts = [drift for drift in dict.fromkeys(here["drift"]) if drift != 0.0]
            if drifts:
                wide = here[here["drift"] != 0.0].pivot_table(
                    index="test", columns="drift", values="rejection", sort=False, dropna=False
                )
                wide = wide.reindex([name for name in self.tests])[drifts]
                wide.columns = pd.Index([_render.percent(drift) for drift in drifts])
                sections.append(
                    _render.Section(f"Rejections by drift of the CAR{about}", wide, dict.fromkeys(wide.columns, _share))
                )
        return _render.Summary("Size and power", facts, sections, self._notes())

    def _notes(self) -> list[str]:
        notes = [f"No {name} in some studies: {reason}." for name, reason in self.reasons.items()]
        if self.n_dropped:
            notes.append(f"{self.n_dropped} security-events could not be fitted and were left out of their studies.")
        return notes

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def plot(self) -> Figure:
        """Power curves, one panel per test; rates with their band where there is but one drift."""
        from eventstudy.power_plots import power_curves, rejection_rates

        return power_curves(self) if len(np.unique(self.drift)) > 1 else rejection_rates(self)


_band = functools.lru_cache(maxsize=4096)(binomial_band)


def check_share(name: str, value: Any) -> float:
    """A number strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, float | np.floating) or not 0.0 < value < 1.0:
        raise InputError(f"{name}={value!r} is not between 0 and 1.", remedy=f"Such as {name}=0.05.")
    return float(value)


def _share(value: object) -> str:
    """Decimal as per cent without a sign."""
    shown = _render.number(float(value) * 100, 1)  # type: ignore[arg-type]
    return shown if shown == "–" else f"{shown} %"
