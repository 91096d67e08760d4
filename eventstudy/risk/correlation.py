"""Formulas of correlation matrices: Jennrich's test, Forbes and Rigobon's adjustment, the absorption ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from eventstudy._typing import FloatArray
from eventstudy.errors import InputError
from eventstudy.inference.resampling import as_floats, as_many

__all__ = ["Jennrich", "absorption_ratio", "forbes_rigobon", "jennrich", "mean_correlation"]


@dataclass(frozen=True, slots=True)
class Jennrich:
    """Outcome of Jennrich's test: ``statistic``, ``df`` and upper-tail ``p_value`` of the chi-square law."""

    statistic: float
    df: int
    p_value: float


def jennrich(before: npt.ArrayLike, after: npt.ArrayLike, n_before: int, n_after: int) -> Jennrich:
    """Jennrich's test that two correlation matrices are equal.

    Null: both samples have one correlation matrix. With ``R̄ = (n₁R₁ + n₂R₂)/(n₁ + n₂)``, ``c = n₁n₂/(n₁ + n₂)``,
    ``Z = √c R̄⁻¹(R₁ − R₂)`` and ``S = I + R̄ ∘ R̄⁻¹`` (element by element), the statistic is
    ``½ tr(Z²) − dg(Z)'S⁻¹dg(Z)``; chi-square with ``p(p − 1)/2`` degrees of freedom for normal samples that are large
    beside ``p²``. Fat tails make it reject too often: read the permutation p-value of :func:`correlation_change`.

    Parameters
    ----------
    before, after : array of float, shape (p, p)
        Sample correlation matrices.
    n_before, n_after : int
        Sessions that each was made of.

    Returns
    -------
    Jennrich

    Raises
    ------
    InputError
        On matrices that are not correlation matrices of one size, or whose mean has no inverse.

    References
    ----------
    Jennrich, R. I. (1970). An asymptotic χ² test for the equality of two correlation matrices. *Journal of the American
    Statistical Association* 65.

    Examples
    --------
    >>> before, after = np.eye(3), np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    >>> round(jennrich(before, after, 98, 98).statistic, 6)
    18.75
    """
    r = [as_floats("A correlation matrix", matrix) for matrix in (before, after)]
    for matrix in r:
        square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and len(matrix) > 1
        if not (square and np.allclose(matrix, matrix.T, atol=1e-8) and np.allclose(np.diag(matrix), 1.0, atol=1e-8)):
            raise InputError(
                f"An array of shape {matrix.shape} is no correlation matrix.",
                remedy="Give symmetric matrices with ones on the diagonal.",
            )
    if r[0].shape != r[1].shape:
        raise InputError(f"The matrices have the shapes {r[0].shape} and {r[1].shape}.", remedy="Give equal sizes.")
    n = [as_many(name, value, 2) for name, value in (("n_before", n_before), ("n_after", n_after))]
    statistic = float(jennrich_statistics(r[0][None], r[1][None], n[0], n[1])[0])
    if np.isnan(statistic):
        raise InputError(
            "The mean of the two correlation matrices has no inverse.",
            remedy="Use fewer securities than sessions, and none twice.",
        )
    p = len(r[0])
    df = p * (p - 1) // 2
    return Jennrich(statistic, df, float(special.chdtrc(df, statistic)))


def jennrich_statistics(before: FloatArray, after: FloatArray, n1: int, n2: int) -> FloatArray:
    """Jennrich's statistic of batches of matrices, shape (draws, p, p) each; NaN where there is no inverse."""
    mean = (n1 * before + n2 * after) / (n1 + n2)
    smallest = np.linalg.eigvalsh(mean)[:, 0]
    possible = smallest > 1e-10
    eye = np.eye(mean.shape[-1])
    inverse = np.linalg.inv(np.where(possible[:, None, None], mean, eye))
    z = np.sqrt(n1 * n2 / (n1 + n2)) * inverse @ (before - after)
    diagonal = np.einsum("daa->da", z)
    weight = np.linalg.solve(eye + mean * inverse, diagonal[..., None])[..., 0]
    statistic = 0.5 * np.einsum("dab,dba->d", z, z) - np.einsum("da,da->d", diagonal, weight)
    return np.where(possible, statistic, np.nan)


def forbes_rigobon(correlation: npt.ArrayLike, variance_ratio: npt.ArrayLike) -> FloatArray:
    """Correlation that would have been seen had the source's variance not risen: ``ρ / √(1 + δ(1 − ρ²))``.

    A correlation rises with the variance of the market the shock comes from even if the link (the slope) stays the
    same; ``δ`` is that variance after over before, less one.

    Parameters
    ----------
    correlation : array of float
        Correlations of the turbulent period.
    variance_ratio : array of float
        Variance of the source in the turbulent period over that of the calm one, ``1 + δ``.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    InputError
        On a correlation outside [−1, 1] or a ratio that is not positive.

    References
    ----------
    Forbes, K. J. and Rigobon, R. (2002). No contagion, only interdependence: measuring stock market comovements.
    *Journal of Finance* 57, equation (11).

    Examples
    --------
    >>> forbes_rigobon(0.6, 4.0).round(6)
    np.float64(0.351123)
    """
    rho, ratio = as_floats("correlation", correlation), as_floats("variance_ratio", variance_ratio)
    if (np.abs(rho) > 1.0 + 1e-12).any() or (ratio <= 0.0).any():
        raise InputError(
            "Correlations lie in [−1, 1] and ratios of variances are positive.", remedy="Check the order of arguments."
        )
    return np.asarray(rho / np.sqrt(1.0 + (ratio - 1.0) * (1.0 - rho**2)))[()]


def absorption_ratio(covariance: npt.ArrayLike, n_components: int | None = None) -> float:
    """Share of the total variance that the first eigenvectors of a covariance matrix explain.

    High when markets move as one. Kritzman et al. take a fifth of the securities as the number of eigenvectors.

    Parameters
    ----------
    covariance : array of float, shape (p, p)
        Covariance (or correlation) matrix.
    n_components : int, optional
        Eigenvectors; a fifth of ``p``, rounded, at least one, by default.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    InputError
        On what is no covariance matrix, or a number of eigenvectors that is not between 1 and ``p``.

    References
    ----------
    Kritzman, M., Li, Y., Page, S. and Rigobon, R. (2011). Principal components as a measure of systemic risk. *Journal
    of Portfolio Management* 37.

    Examples
    --------
    >>> absorption_ratio([[1.0, 0.5], [0.5, 1.0]])
    0.75
    """
    matrix = as_floats("covariance", covariance)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise InputError(f"An array of shape {matrix.shape} is no covariance matrix.", remedy="Give (p, p).")
    spread, alike = np.diag(matrix), np.abs(matrix - matrix.T).max() <= 1e-8 * np.abs(matrix).max()  # False for NaN
    if not (alike and np.isfinite(matrix).all() and (spread >= 0).all() and spread.any()):
        raise InputError(
            "The array is no covariance matrix: it has a missing value, a negative variance, no variance at all, or is "
            "not symmetric.",
            remedy="Leave out what does not move or is missing.",
        )
    return float(absorption_ratios(matrix[None], components(len(matrix), n_components))[0])


def components(p: int, given: int | None) -> int:
    if given is None:
        return max(1, round(p / 5))
    if as_many("n_components", given, 1) > p:
        raise InputError(f"n_components={given} exceeds the {p} securities.", remedy=f"Give at most {p}.")
    return int(given)


def absorption_ratios(covariance: FloatArray, k: int) -> FloatArray:
    values = np.linalg.eigvalsh(covariance)
    return np.asarray(values[:, -k:].sum(1) / values.sum(1))


def mean_correlation(correlation: npt.ArrayLike) -> float:
    """Mean of the correlations off the diagonal.

    Examples
    --------
    >>> mean_correlation([[1.0, 0.5], [0.5, 1.0]])
    0.5
    """
    r = as_floats("correlation", correlation)
    p = r.shape[-1]
    return float((r.sum() - np.trace(r)) / (p * (p - 1)))


def to_correlation(covariance: FloatArray) -> FloatArray:
    """Correlation matrices of (batches of) covariance matrices, ones on the diagonal exactly."""
    spread = np.sqrt(np.einsum("...aa->...a", covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        out = covariance / (spread[..., :, None] * spread[..., None, :])
    p = out.shape[-1]
    out[..., np.arange(p), np.arange(p)] = np.where(spread > 0, 1.0, np.nan)
    return np.asarray(np.clip(out, -1.0, 1.0))
