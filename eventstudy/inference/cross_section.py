"""Cross-section: cumulative abnormal returns regressed on characteristics of the firms or events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from eventstudy import _render
from eventstudy._frames import as_pandas
from eventstudy._typing import FloatArray
from eventstudy.abnormal import confidence_bounds, t_p_value
from eventstudy.errors import InputError
from eventstudy.inference.resampling import check_level

__all__ = ["Covariance", "CrossSection", "cross_section"]

Covariance: TypeAlias = Literal["HC3", "nonrobust", "cluster", "kp"]

_KEYS = ("event_id", "ticker")
_SAID = {
    "HC3": "robust to unequal variances (HC3)",
    "nonrobust": "equal variances, no correlation",
    "cluster": "clustered by event date",
    "kp": "equal variances, one correlation of all pairs",
}


@dataclass(frozen=True, slots=True)
class CrossSection:
    """Outcome of a cross-sectional regression.

    Parameters
    ----------
    names : tuple of str
        ``const`` and the characteristics.
    coef, std_error, t, p_value, ci_lower, ci_upper : ndarray of float64, shape (K,)
        NaN where there is none, with the ``reason``. p-values are two-sided, from Student t with ``df`` degrees.
    df : float
        ``n − K``, or dates less one with clusters.
    n : int
        Security-events used.
    r2 : float
        Coefficient of determination.
    cov : str
        ``"HC3"``, ``"nonrobust"``, ``"cluster"`` or ``"kp"``.
    weighted : bool
        Weighted or ordinary least squares.
    n_groups : int
        Clusters; 0 without.
    mean_correlation : float
        ``r̄`` with ``"kp"``, NaN otherwise.
    confidence : float
        Level of the intervals.
    dropped : DataFrame
        Events left out: the key, and the ``reason``.
    reason : str
        Why there is no answer; empty where there is one.
    """

    names: tuple[str, ...]
    coef: FloatArray
    std_error: FloatArray
    t: FloatArray
    p_value: FloatArray
    ci_lower: FloatArray
    ci_upper: FloatArray
    df: float
    n: int
    r2: float
    cov: str
    weighted: bool
    n_groups: int
    mean_correlation: float
    confidence: float
    dropped: pd.DataFrame = field(repr=False)
    reason: str = ""

    def to_frame(self) -> pd.DataFrame:
        """One row per regressor: ``coef``, ``std_error``, ``t``, ``p_value``, ``ci_lower``, ``ci_upper``."""
        columns = ("coef", "std_error", "t", "p_value", "ci_lower", "ci_upper")
        return pd.DataFrame(
            {name: getattr(self, name) for name in columns}, index=pd.Index(self.names, name="characteristic")
        )

    def summary(self) -> _render.Summary:
        """The regression as people read it."""
        said = _SAID[self.cov]
        if self.cov == "kp":
            said += f", {_render.number(self.mean_correlation, 3)}"
        elif self.cov == "cluster":
            said += f" ({self.n_groups} of them)"
        facts = [
            ("Method", "weighted least squares" if self.weighted else "ordinary least squares"),
            ("Standard errors", said),
            ("Security-events", f"{self.n}" + (f" ({len(self.dropped)} left out)" if len(self.dropped) else "")),
            ("R²", _render.number(self.r2, 3)),
            ("Student t with", f"{_render.number(self.df, 0)} degrees of freedom"),
        ]
        four = dict.fromkeys(("coef", "std_error", "ci_lower", "ci_upper"), lambda value: _render.number(value, 5))
        section = _render.Section("Coefficients", self.to_frame(), {**four, "p_value": _render.p_value})
        notes = [f"No standard errors: {self.reason}."] if self.reason else []
        return _render.Summary("Cross-section of cumulative abnormal returns", facts, [section], notes)


def cross_section(
    car: pd.DataFrame | pd.Series[float],
    characteristics: Any,
    *,
    weights: FloatArray | Sequence[float] | None = None,
    cov: Covariance = "HC3",
    groups: Sequence[Any] | np.ndarray[Any, Any] | None = None,
    mean_correlation: float | None = None,
    confidence: float = 0.95,
) -> CrossSection:
    """Regression of CARs on characteristics, with a constant.

    Null of each coefficient: zero. Statistic: the coefficient over its standard error; Student t with ``n − K`` degrees
    of freedom (clusters less one with ``cov="cluster"``). ``"HC3"`` is robust to unequal variances, not to
    cross-correlation; ``"cluster"`` to both, with many dates (say 20); ``"kp"`` to cross-correlation on one shared
    date as far as one number describes it, not to unequal variances unless ``weights`` hold them.

    Parameters
    ----------
    car : DataFrame or Series
        As ``results.car()`` gives it: columns ``car`` and ``event_id``, ``ticker``; or a series indexed by one of
        them.
    characteristics : DataFrame of pandas or polars, pyarrow Table, or Series
        Numbers, one column each, with the key ``event_id`` or ``ticker`` as a column or as the (named) index. Every
        event of ``car`` must be there; events with a missing number, or a missing CAR, are left out and listed.
    weights : array of float, shape (n,), optional
        Weighted least squares: one positive number for each row of ``car``, such as ``1 / std_error**2``.
    cov : {"HC3", "nonrobust", "cluster", "kp"}
        Covariance of the disturbances.
    groups : array, shape (n,), optional
        With ``cov="cluster"``: the event date (or other cluster) of each row of ``car``.
    mean_correlation : float, optional
        With ``cov="kp"``: mean pairwise correlation ``r̄`` of the disturbances, such as that of the
        estimation-window residuals.
    confidence : float
        Level of the intervals.

    Returns
    -------
    CrossSection

    Raises
    ------
    InputError
        On an unknown option, a wrong shape, a key, row or column that is missing (which are named), or text where
        numbers are needed.

    Notes
    -----
    ``"kp"`` takes the disturbances (times ``√weight``) to have covariance ``σ²[(1 − r̄) I + r̄ ιι']``: one variance and
    one correlation for all pairs, the average that Kolari and Pynnönen (2010) estimate. The covariance of the
    coefficients is ``(X'X)^{-1} X'ΩX (X'X)^{-1}``, with ``σ²`` from the residuals, whose expected sum of squares is
    ``tr(MΩ)``. Unweighted, the slopes' errors are those of plain least squares, because a shock common to all
    events is in the constant, and the constant's variance grows by ``s² r̄/(1 − r̄)``. With a constant alone that is
    Kolari and Pynnönen's adjustment of the mean; the step from there to a regression is the equicorrelated model
    of Scott and Holt (1982) with one cluster. Where correlations follow the characteristics (an industry, say), no
    single number holds them: use clusters, or a calendar-time portfolio.

    References
    ----------
    MacKinnon, J. G. and White, H. (1985). Some heteroskedasticity-consistent covariance matrix estimators with
    improved finite sample properties. *Journal of Econometrics* 29.
    Kolari, J. W. and Pynnönen, S. (2010). Event study testing with cross-sectional correlation of abnormal returns.
    *Review of Financial Studies* 23.
    Scott, A. J. and Holt, D. (1982). The effect of two-stage sampling on ordinary least squares methods. *Journal of
    the American Statistical Association* 77.

    Examples
    --------
    >>> car = pd.Series([0.01, 0.03, 0.02, 0.06], index=pd.Index(list("ABCD"), name="ticker"))
    >>> size = pd.DataFrame({"ticker": list("DCBA"), "size": [4.0, 3.0, 2.0, 1.0]})
    >>> cross_section(car, size, cov="nonrobust").to_frame()["coef"].round(3).to_dict()
    {'const': -0.005, 'size': 0.014}
    """
    if cov not in get_args(Covariance):
        raise InputError(f"cov={cov!r} is not an option.", remedy=f"Use one of {get_args(Covariance)}.")
    for name, value, owner in (("groups", groups, "cluster"), ("mean_correlation", mean_correlation, "kp")):
        if (value is None) == (cov == owner):
            given = "needs" if cov == owner else "does not use"
            raise InputError(f"cov={cov!r} {given} {name}=.", remedy=f'{name}= and cov="{owner}" go together.')
    level = check_level(confidence)
    y, x, key = _joined(car, characteristics)
    n_all = len(y)
    w = None if weights is None else _one_each("weights", weights, n_all).astype(np.float64)
    labels = None if groups is None else _one_each("groups", groups, n_all)
    numbers = x.to_numpy(np.float64)
    no_car, no_number = ~np.isfinite(y), ~np.isfinite(numbers).all(1)
    why = np.where(no_car, "no CAR", "a characteristic is missing")
    keep = ~(no_car | no_number)
    if w is not None and not (np.isfinite(w[keep]) & (w[keep] > 0)).all():
        raise InputError("weights must be positive and finite.", remedy="Leave out events that are not to count.")
    dropped = key[~keep].to_frame(index=False).assign(reason=why[~keep])
    names = ("const", *map(str, x.columns))
    design = np.column_stack([np.ones(keep.sum()), numbers[keep]])
    found = _fit(
        y[keep],
        design,
        names,
        None if w is None else w[keep],
        cov,
        None if labels is None else pd.factorize(labels[keep])[0],
        mean_correlation,
        key[keep],
    )
    lower, upper = confidence_bounds(found.coef, found.error, np.full(len(names), found.df), level)
    t = found.coef / found.error
    return CrossSection(
        names,
        found.coef,
        found.error,
        t,
        t_p_value(t, np.full(len(names), found.df)),
        lower,
        upper,
        found.df,
        int(keep.sum()),
        found.r2,
        cov,
        w is not None,
        0 if labels is None else len(pd.unique(labels[keep])),
        float("nan") if mean_correlation is None else float(mean_correlation),
        level,
        dropped,
        found.reason,
    )


def _one_each(name: str, value: Any, n: int) -> np.ndarray[Any, Any]:
    made = np.asarray(value)
    if made.shape != (n,):
        raise InputError(f"{name} has shape {made.shape}; car has {n} rows.", remedy="Give one for each row of car.")
    return made


def _joined(
    car: pd.DataFrame | pd.Series[float], characteristics: pd.DataFrame | pd.Series[float]
) -> tuple[FloatArray, pd.DataFrame, pd.Index[Any]]:
    """CARs, characteristics in the same order, and the key they were joined on."""
    left = car.rename("car").to_frame() if isinstance(car, pd.Series) else as_pandas(car, "CARs")
    if "car" not in left.columns:
        raise InputError(f'car has no column "car"; it has {list(left.columns)}.', remedy="Give results.car(a, b).")
    right = (
        characteristics.to_frame()
        if isinstance(characteristics, pd.Series)
        else as_pandas(characteristics, "characteristics")
    )
    keys = {name: _key(right, name) for name in _KEYS}
    mine = {name: _key(left, name) for name in _KEYS}
    name = next((name for name in _KEYS if keys[name] is not None and mine[name] is not None), None)
    if name is None:
        raise InputError(
            f"car and characteristics share no key: {_described(left)} against {_described(right)}.",
            remedy='Name a column or the index of both "event_id" or "ticker".',
        )
    ours, theirs = mine[name], keys[name]
    assert ours is not None
    assert theirs is not None
    twice = theirs[theirs.duplicated()]
    if len(twice):
        raise InputError(
            f"characteristics have {name} {twice[0]!r} more than once ({len(twice)} rows too many).",
            remedy="Keep one row for each.",
        )
    absent = ours[~ours.isin(theirs)].unique()
    if len(absent):
        shown = ", ".join(map(str, absent[:5])) + (", …" if len(absent) > 5 else "")
        raise InputError(
            f"characteristics lack {len(absent)} of the {ours.nunique()} {name}s of car: {shown}.",
            remedy="Add their rows (NaN leaves an event out), or select the events first.",
            missing=list(absent),
        )
    values = right.drop(columns=[key for key in _KEYS if key in right.columns])
    if not values.shape[1]:
        raise InputError("characteristics have no column beside the key.", remedy="Add at least one characteristic.")
    text = [column for column in values.columns if not pd.api.types.is_numeric_dtype(values[column])]
    if text:
        raise InputError(
            f"Characteristics {text} are not numbers.",
            remedy="Turn categories into columns of 0 and 1: pd.get_dummies.",
        )
    if "const" in values.columns:
        raise InputError('A characteristic is named "const"; a constant is added.', remedy="Drop or rename it.")
    matched = values.set_axis(theirs).reindex(ours)
    return left["car"].to_numpy(np.float64), matched.astype(np.float64), ours


def _key(frame: pd.DataFrame, name: str) -> pd.Index[Any] | None:
    found: pd.Index[Any] | None = None
    if name in frame.columns:
        found = pd.Index(frame[name], name=name)
    elif frame.index.name == name:
        found = frame.index
    return found


def _described(frame: pd.DataFrame) -> str:
    return f"columns {list(frame.columns)[:8]}, index {frame.index.name!r}"


@dataclass(frozen=True, slots=True)
class _Fit:
    coef: FloatArray
    error: FloatArray
    df: float
    r2: float
    reason: str = ""


def _fit(
    y: FloatArray,
    design: FloatArray,
    names: tuple[str, ...],
    w: FloatArray | None,
    cov: Covariance,
    labels: np.ndarray[Any, Any] | None,
    mean_correlation: float | None,
    key: pd.Index[Any],
) -> _Fit:
    n, k = design.shape
    nan = np.full(k, np.nan)

    def none(reason: str, coef: FloatArray = nan, r2: float = float("nan")) -> _Fit:
        return _Fit(coef, nan, float("nan"), r2, reason)

    if n == 0:
        return none("no event has both a CAR and all characteristics")
    if n <= k:
        return none(f"{n} events are too few for {k} coefficients: there must be one more at least")
    flat = [name for name, column in zip(names[1:], design[:, 1:].T, strict=True) if np.ptp(column) == 0]
    if flat:
        return none(f"{', '.join(flat)} does not vary across the {n} events")
    root = np.ones(n) if w is None else np.sqrt(w)
    x = design * root[:, None]
    if np.linalg.matrix_rank(x / np.linalg.norm(x, axis=0)) < k:
        return none(f"the characteristics {', '.join(names[1:])} are collinear")
    fit = _least_squares(y, design, w)
    coef, r2 = np.asarray(fit.params), float(fit.rsquared) if np.ptp(y) > 0 else float("nan")
    e = root * (y - design @ coef)
    if e @ e <= 1e-24 * max(float((root * y) @ (root * y)), 1e-300):
        return none("the characteristics fit the CARs without error, or all CARs are equal", coef, r2)
    df = float(n - k)
    if cov == "HC3":
        q, _ = np.linalg.qr(x)
        alone = (q**2).sum(1) > 1.0 - 1e-10
        if alone.any():
            return none(f"the event {key[alone][0]!r} alone decides a coefficient, and HC3 divides by zero", coef, r2)
        covariance = np.asarray(fit.get_robustcov_results("HC3", use_t=True).cov_params())
    elif cov == "cluster":
        assert labels is not None
        g = int(labels.max()) + 1
        if g < 2:
            return none("all events share one cluster", coef, r2)
        robust = fit.get_robustcov_results("cluster", groups=labels, use_t=True)
        covariance, df = np.asarray(robust.cov_params()), float(g - 1)
    elif cov == "kp":
        assert mean_correlation is not None
        if not -1.0 / (n - 1) < mean_correlation < 1.0:
            return none(f"a mean correlation of {mean_correlation:.3f} among {n} events is not possible", coef, r2)
        covariance = _equicorrelated(x, e, mean_correlation)
    else:
        covariance = np.asarray(fit.cov_params())
    return _with_errors(coef, covariance, df, r2, names, x, e)


def _with_errors(
    coef: FloatArray,
    covariance: FloatArray,
    df: float,
    r2: float,
    names: tuple[str, ...],
    x: FloatArray,
    e: FloatArray,
) -> _Fit:
    """Standard errors, and NaN with the reason for a coefficient whose variance has vanished."""
    variance = np.diag(covariance)
    plain = np.diag(np.linalg.inv(x.T @ x)) * (e @ e) / len(e)
    gone = ~(variance > 1e-16 * plain)
    error = np.sqrt(np.where(gone, np.nan, variance))
    lost = ", ".join(name for name, out in zip(names, gone, strict=True) if out)
    return _Fit(coef, error, df, r2, f"the variance of {lost} is zero: too few clusters for it" if lost else "")


def _equicorrelated(x: FloatArray, e: FloatArray, r: float) -> FloatArray:
    """Covariance of least squares under ``σ²[(1 − r) I + r ιι']``, ``σ²`` by equating ``e'e`` with its expectation."""
    n, k = x.shape
    inverse = np.linalg.inv(x.T @ x)
    one = x.sum(0)
    outside = n - float(one @ inverse @ one)  # ι'Mι, nothing where the constant is a column of x
    sigma2 = float(e @ e) / ((1.0 - r) * (n - k) + r * max(outside, 0.0))
    common = inverse @ one
    return np.asarray(sigma2 * ((1.0 - r) * inverse + r * np.outer(common, common)))


def _least_squares(y: FloatArray, design: FloatArray, w: FloatArray | None) -> Any:
    try:
        import statsmodels.api as sm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise InputError(
            "Cross-section regressions need the package statsmodels, which is not installed.",
            remedy="Install it: pip install statsmodels.",
        ) from None
    return (sm.OLS(y, design) if w is None else sm.WLS(y, design, weights=w)).fit()
