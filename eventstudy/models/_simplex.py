"""Least squares with weights that are not negative and sum to one, by an active-set method.

The fitted point is the point of the hull of the columns that lies nearest to the target (Wolfe 1976): few columns
carry it. The method keeps these, solves the problem on them exactly, and lets columns in and out one at a time, so that
it ends at the solution itself after finitely many steps. Only the columns that were ever let in are multiplied with all
others, and those products are kept for further targets on the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import ConvergenceError

__all__ = ["Columns", "SimplexFit", "simplex_least_squares"]

_TOLERANCE = 1e-12  # of the duality gap, in units of the sum of squares left over


class Columns:
    """Columns of least squares, shape (m, n), and the cross products worked out so far.

    Parameters
    ----------
    x : ndarray of float64, shape (m, n)
        Donors' returns by session, or any regressors without NaN.
    """

    __slots__ = ("_at", "_made", "_products", "square", "x")

    def __init__(self, x: FloatArray) -> None:
        self.x = np.ascontiguousarray(x)
        self.square = np.einsum("mn,mn->n", self.x, self.x)
        self._at = np.full(x.shape[1], -1, dtype=np.int64)
        self._products = np.empty((16, x.shape[1]))
        self._made = 0

    def times(self, y: FloatArray) -> FloatArray:
        """``X'y``, shape (n,).

        On threads, which BLAS gives even so small a product, it waits a hundred times longer where cores are busy.
        """
        found: FloatArray = np.einsum("m,mn->n", y, self.x)
        return found

    def products(self, which: IntArray) -> FloatArray:
        """Rows of ``X'X``, shape (len(which), n)."""
        self._work_out(which)
        found: FloatArray = self._products[self._at[which]]
        return found

    def gram(self, which: IntArray) -> FloatArray:
        """``X'X`` of some columns, shape (len(which), len(which))."""
        self._work_out(which)
        found: FloatArray = self._products[self._at[which][:, None], which]
        return found

    def _work_out(self, which: IntArray) -> None:
        """Products of the columns that have none yet."""
        new = which[self._at[which] < 0]
        if len(new):
            if self._made + len(new) > len(self._products):
                more = np.empty((2 * self._made + len(new), self.x.shape[1]))
                more[: self._made] = self._products[: self._made]
                self._products = more
            at = slice(self._made, self._made + len(new))
            for row, column in zip(self._products[at], new.tolist(), strict=True):
                row[:] = self.times(np.ascontiguousarray(self.x[:, column]))
            self._at[new] = np.arange(at.start, at.stop)
            self._made = at.stop


@dataclass(frozen=True, slots=True)
class SimplexFit:
    """Weights of one target.

    Parameters
    ----------
    active : ndarray of int64, shape (k,)
        Columns with a weight, ascending.
    weight : ndarray of float64, shape (k,)
        Their weights, positive, of sum one.
    gap : float
        Duality gap: by at most so much half the sum of squares could still be lowered.
    steps : int
        Columns that were let in.
    """

    active: IntArray
    weight: FloatArray
    gap: float
    steps: int


def simplex_least_squares(columns: Columns, y: FloatArray, allowed: BoolArray | None = None) -> SimplexFit:
    """Weights ``w ≥ 0``, ``Σw = 1``, that minimise ``½‖y − Xw‖²``.

    Parameters
    ----------
    columns : Columns
        ``X``.
    y : ndarray of float64, shape (m,)
        Target.
    allowed : ndarray of bool, shape (n,), optional
        Columns that may have a weight; all by default.

    Raises
    ------
    ConvergenceError
        If the steps do not come to an end, which rounding alone could cause.

    References
    ----------
    Wolfe, P. (1976). Finding the nearest point in a polytope. *Mathematical Programming* 11.
    Lawson, C. L. and Hanson, R. J. (1974). *Solving Least Squares Problems*, chapter 23.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 3.0]])
    >>> found = simplex_least_squares(Columns(x), np.array([0.75, 0.25]))
    >>> found.active.tolist(), found.weight.round(12).tolist()
    ([0, 1], [0.75, 0.25])
    """
    out = np.zeros(len(columns.square), dtype=bool) if allowed is None else ~allowed
    cross = columns.times(y)
    active = np.array([np.where(out, np.inf, columns.square - 2.0 * cross).argmin()], dtype=np.int64)
    weight = np.ones(1)
    # no gradient is known better than this
    floor = 64.0 * np.finfo(float).eps * float(columns.square[~out].max())
    limit = 10 * (len(y) + 10)
    for steps in range(1, limit + 1):
        rows = columns.products(active)
        gradient = weight @ rows - cross
        level = float(weight @ gradient[active])
        best = int(np.where(out, np.inf, gradient).argmin())
        gap = level - float(gradient[best])
        e = y - columns.x[:, active] @ weight
        if gap <= max(_TOLERANCE * float(e @ e), floor) or best in active:
            return _polished(columns, y, active, weight, out, steps)
        try:
            trial, found = _descend(columns, cross, np.append(active, best), np.append(weight, 0.0))
        except np.linalg.LinAlgError:
            trial, found = active, weight
        if best not in trial:  # it came in for rounding alone, or depends on those that are in
            return _polished(columns, y, active, weight, out, steps)
        active, weight = trial, found
    raise ConvergenceError(
        f"The weights of {len(cross)} donors did not come to rest in {limit} steps.", remedy="Use fewer donors."
    )


def _descend(columns: Columns, cross: FloatArray, active: IntArray, weight: FloatArray) -> tuple[IntArray, FloatArray]:
    """Minimum over the weights of the active columns, those that would turn negative let out."""
    while True:
        wanted = _on_sum(columns, active, cross[active], 1.0)
        if (wanted > 0).all():
            return active, wanted
        falling = wanted <= 0
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(falling, weight / (weight - wanted), np.inf)
        at = int(share.argmin())
        weight = np.maximum(weight + share[at] * (wanted - weight), 0.0)
        keep = np.arange(len(active)) != at
        active, weight = active[keep], weight[keep]


def _on_sum(columns: Columns, active: IntArray, right: FloatArray, total: float) -> FloatArray:
    """Solution ``v`` of ``X'X v = right + μ1`` with ``Σv = total``, over the active columns."""
    gram = columns.gram(active)
    # on Σv = total a multiple of 11' adds a constant; it makes the matrix definite where the columns allow it
    gram = gram + gram.trace() / len(active)
    both = np.linalg.solve(gram, np.stack([right, np.ones(len(active))], axis=1))
    found: FloatArray = both[:, 0] + both[:, 1] * (total - both[:, 0].sum()) / both[:, 1].sum()
    return found


def _polished(
    columns: Columns, y: FloatArray, active: IntArray, weight: FloatArray, out: BoolArray, steps: int
) -> SimplexFit:
    """Weights corrected by residuals of the columns themselves, which hold twice the digits that their products do."""
    active, order = np.sort(active), np.argsort(active)
    weight, x = weight[order], columns.x[:, active]
    for _ in range(2 if len(active) > 1 else 0):
        e = y - x @ weight
        try:
            solved = weight + _on_sum(columns, active, np.einsum("m,mk->k", e, x), 0.0)
        except np.linalg.LinAlgError:
            break
        if not (solved > 0).all():
            break
        weight = solved / solved.sum()
    e = y - columns.x[:, active] @ weight
    gradient = -columns.times(e)
    gap = float(weight @ gradient[active]) - float(gradient[~out].min())
    return SimplexFit(active, weight, gap, steps)
