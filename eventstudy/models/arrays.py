"""Fits kept as plain arrays, for every model that is not fitted by the linear kernel, and the data such models read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eventstudy._typing import FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.kernels import OK, SINGULAR, TOO_FEW, ZERO_VARIANCE, WindowSums
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex, Window

__all__ = ["ArrayFit", "EventData", "event_data", "windows_of"]

_TextArray: TypeAlias = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class EventData:
    """Returns and regressors of some events, cut to their windows; NaN where missing or left out.

    Parameters
    ----------
    y : ndarray of float64, shape (n, L1)
        Returns of the estimation window (decimal).
    x : ndarray of float64, shape (n, L1, p)
        Regressors of the estimation window.
    y_event : ndarray of float64, shape (n, L2)
        Returns of the event window.
    x_event : ndarray of float64, shape (n, L2, p)
        Regressors of the event window.
    """

    y: FloatArray
    x: FloatArray
    y_event: FloatArray
    x_event: FloatArray

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Rows of the estimation window in which nothing is missing, shape (n, L1)."""
        return ~(np.isnan(self.y) | np.isnan(self.x).any(-1))


def windows_of(matrix: FloatArray, position: IntArray, window: Window, row: IntArray | None = None) -> FloatArray:
    """Windows of one row of ``matrix`` per event, or of the one row there is; NaN beyond the ends.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n_securities, n_sessions) or (n_sessions,)
        Security-major.
    position : ndarray of int64, shape (n,)
        Event columns.
    window : Window
        Sessions relative to the event column.
    row : ndarray of int64, shape (n,), optional
        Row of each event; needed for a matrix.

    Returns
    -------
    ndarray of float64, shape (n, len(window))
    """
    at = position[:, None] + window.tau
    inside = (at >= 0) & (at < matrix.shape[-1])
    at = np.where(inside, at, 0)
    return np.where(inside, matrix[at] if row is None else matrix[row[:, None], at], np.nan)


def event_data(panel: ReturnPanel, index: EventIndex, benchmarks: Sequence[str] = ()) -> EventData:
    """Returns of each event's security, and of the benchmarks, in its two windows.

    Sessions that the study keeps out of the estimation window (named dates, windows of other events, the hole of a
    two-sided window) are NaN in ``y``.

    Parameters
    ----------
    panel : ReturnPanel
        Returns.
    index : EventIndex
        The events.
    benchmarks : sequence of str
        Securities of the panel that serve as regressors.

    Returns
    -------
    EventData
        Ask for events in chunks where there are many: it takes ``8 n (p + 1) (L1 + L2)`` bytes.

    Raises
    ------
    InputError
        If a benchmark is not in the panel.
    """
    rows = [panel.row(name) for name in benchmarks]

    def regressors(window: Window) -> FloatArray:
        cut = [windows_of(panel.values[row], index.position, window) for row in rows]
        return np.stack(cut, -1) if cut else np.empty((len(index), len(window), 0))

    y = windows_of(panel.values, index.position, index.estimation, index.security)
    keep = index.estimation_mask()
    if keep is not None:
        y = np.where(keep, y, np.nan)
    return EventData(
        y=y,
        x=regressors(index.estimation),
        y_event=windows_of(panel.values, index.position, index.event, index.security),
        x_event=regressors(index.event),
    )


@dataclass(frozen=True, slots=True)
class ArrayFit:
    """Fits of ``n`` security-events as arrays; see :class:`eventstudy.models.base.ModelFit`.

    The abnormal returns of one event have the forecast covariance ``σ² (diag(noise) + G G')``: noise of each session,
    and error of the parameters, common to all. For least squares, ``G = X_W chol((X'X)^{-1})``.

    Parameters
    ----------
    index : EventIndex
        The events.
    ar : ndarray of float64, shape (n, L2)
        Abnormal returns; NaN where missing or the fit failed.
    resid : ndarray of float64, shape (n, L1)
        Estimation-window residuals, NaN where missing.
    coef : ndarray of float64, shape (n, K') and ``coef_names``
        Parameters to show; there may be more or fewer than ``n_params``.
    sigma2 : ndarray of float64, shape (n,)
        Residual variance per session on ``n_obs − n_params`` degrees of freedom.
    n_obs : ndarray of int64, shape (n,)
        Usable rows of the estimation window.
    n_params : int, or ndarray of int64, shape (n,)
        ``K``; an array where it differs between events.
    r2 : ndarray of float64, shape (n,)
        Coefficient of determination; NaN where it has no meaning.
    status : ndarray of int8, shape (n,)
        0 where the fit is good; see :mod:`eventstudy.kernels`.
    loadings : ndarray of float64, shape (n, L2, q)
        ``G``; ``q`` may be 0, for a model without parameter error.
    noise : ndarray of float64, shape (n, L2), or None
        Variance of each session's noise in units of ``sigma2``; None for ones.
    noise_before : ndarray of float64, shape (n, L1), or None
        The same of the estimation window, for diagnostics of residuals; None for ones.
    messages : ndarray of object, shape (n,), or None
        Why a fit failed, in words, where the model knows more than ``status`` says.
    coef_error : ndarray of float64, shape (n, K'), or None
        Standard errors of ``coef``; NaN for what has none. None where the model does not say.
    residual_dof : ndarray of int64, shape (n,), or None
        Degrees of freedom of the sum of squared residuals, where ``sigma2`` is another estimate of the variance than
        one made of it; None for ``n_obs − n_params``.
    """

    index: EventIndex
    ar: FloatArray
    resid: FloatArray
    coef: FloatArray
    coef_names: tuple[str, ...]
    sigma2: FloatArray
    n_obs: IntArray
    n_params: int | IntArray
    r2: FloatArray
    status: npt.NDArray[np.int8]
    loadings: FloatArray
    noise: FloatArray | None = None
    noise_before: FloatArray | None = None
    messages: _TextArray | None = None
    coef_error: FloatArray | None = None
    residual_dof: IntArray | None = None

    def __post_init__(self) -> None:
        n, length = len(self.index), len(self.index.event)
        shapes = {
            "ar": (n, length),
            "resid": (n, len(self.index.estimation)),
            "coef": (n, len(self.coef_names)),
            "loadings": (n, length, self.loadings.shape[-1]),
        } | {name: (n,) for name in ("sigma2", "n_obs", "r2", "status")}
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(
                    f"{name} of the fit has shape {found}; {shape} was expected.", remedy="Correct the model."
                )

    @property
    def n_ar(self) -> npt.NDArray[np.int32]:
        """Abnormal returns in the event window, shape (n,)."""
        return np.asarray((~np.isnan(self.ar)).sum(1), dtype=np.int32)

    def window_sums(self, window: Window, *, skip_missing: bool = False) -> WindowSums:
        """CAR over a window with its forecast-variance multiplier."""
        columns = self.index.event.columns(window)
        ar = self.ar[:, columns]
        there = ~np.isnan(ar)
        used = there.sum(1)
        noise = there if self.noise is None else np.where(there, self.noise[:, columns], 0.0)
        common = np.where(there[:, :, None], self.loadings[:, columns], 0.0).sum(1)
        missing = (used == 0) | ((used < len(window)) & (not skip_missing))
        return WindowSums(
            np.where(missing, np.nan, np.where(there, ar, 0.0).sum(1)),
            np.where(missing, np.nan, noise.sum(1) + (common**2).sum(1)),
            used.astype(np.int64),
        )

    def residuals(self, rows: IntArray) -> FloatArray:
        """Estimation-window residuals of some events, shape (len(rows), L1)."""
        return self.resid[rows]

    def take(self, which: Any) -> ArrayFit:
        """Fits of some of the events."""
        return type(self)(**{item.name: _part(getattr(self, item.name), which) for item in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[ArrayFit], index: EventIndex) -> ArrayFit:
        """Fits of chunks of events, put together in their order; shorter last axes are filled up with zeros."""
        joined: dict[str, Any] = {"index": index}
        for item in fields(cls):
            if item.name in joined:
                continue
            columns = [getattr(part, item.name) for part in parts]
            if not any(isinstance(column, np.ndarray) for column in columns):
                joined[item.name] = columns[0]
            elif item.name == "messages":
                joined[item.name] = np.concatenate(
                    [
                        np.full(len(part.index), None, dtype=object) if column is None else column
                        for part, column in zip(parts, columns, strict=True)
                    ]
                )
            else:
                joined[item.name] = np.concatenate(_even(columns))
        return cls(**joined)

    @classmethod
    def from_regression(
        cls,
        index: EventIndex,
        data: EventData,
        *,
        coef: FloatArray,
        coef_names: tuple[str, ...],
        sigma2: FloatArray | None = None,
        min_obs: int = 1,
        n_params: int | None = None,
        status: npt.NDArray[np.int8] | None = None,
        **others: Any,
    ) -> ArrayFit:
        """Fit of a model ``α + x'β`` however its parameters were found, with the errors of least squares.

        Parameters
        ----------
        index : EventIndex
            The events.
        data : EventData
            What they were fitted on.
        coef : ndarray of float64, shape (n, p + 1)
            Constant first.
        coef_names : tuple of str
            Names of the parameters.
        sigma2 : ndarray of float64, shape (n,), optional
            Residual variance; by default ``Σe²/(M − K)``.
        min_obs : int
            Fewest usable rows.
        n_params : int, optional
            ``K``, by default ``p + 1``.
        status : ndarray of int8, shape (n,), optional
            Outcomes known so far.
        **others
            Further fields, such as ``noise`` and ``messages``.
        """
        n, k = len(index), data.x.shape[-1] + 1
        if coef.shape != (n, k):
            raise InputError(
                f"coef has shape {coef.shape}; {(n, k)} was expected: the constant and a slope for each regressor, by "
                "event.",
                remedy="Correct the model.",
            )
        k = k if n_params is None else n_params
        usable = data.usable
        n_obs = usable.sum(1)
        resid = np.where(usable, data.y - coef[:, 0, None] - np.einsum("ntp,np->nt", data.x, coef[:, 1:]), np.nan)
        state = np.zeros(n, np.int8) if status is None else status.copy()
        state[(state == OK) & (n_obs < max(min_obs, k + 1))] = TOO_FEW
        square = np.nansum(resid**2, axis=1)
        # a residual that is only rounding: 1e-12 in units of the data
        state[(state == OK) & (square <= 1e-24 * np.nansum(np.where(usable, data.y, 0.0) ** 2, axis=1))] = ZERO_VARIANCE
        ar = data.y_event - coef[:, 0, None] - np.einsum("ntp,np->nt", data.x_event, coef[:, 1:])
        # the constant is the forecast where regressors are zero, a slope what one more of its regressor adds
        points = np.broadcast_to(np.eye(coef.shape[1])[:, 1:], (n, coef.shape[1], coef.shape[1] - 1))
        every, singular = _loadings(data, usable, np.concatenate([points, data.x_event], axis=1))
        own, loadings = np.split(every, [coef.shape[1]], axis=1)
        own = np.concatenate([own[:, :1], own[:, 1:] - own[:, :1]], axis=1)
        state[(state == OK) & singular] = SINGULAR
        center = np.where(usable, data.y, 0.0).sum(1) / np.maximum(n_obs, 1)
        total = np.nansum(np.where(usable, data.y - center[:, None], 0.0) ** 2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = square / np.maximum(n_obs - k, 1) if sigma2 is None else sigma2
            r2 = 1.0 - square / total
            errors = np.sqrt(variance[:, None] * (own**2).sum(-1))
        bad = state != OK
        values = {"ar": ar, "coef": coef, "sigma2": variance, "r2": r2, "loadings": loadings, "coef_error": errors}
        blank = {
            name: np.where(bad.reshape(-1, *[1] * (value.ndim - 1)), np.nan, value) for name, value in values.items()
        }
        return cls(
            index=index,
            resid=np.where(bad[:, None], np.nan, resid),
            coef_names=coef_names,
            n_obs=n_obs.astype(np.int64),
            n_params=k,
            status=state,
            **(blank | others),
        )


def _even(columns: list[Any]) -> list[Any]:
    widest = max(column.shape[-1] for column in columns)
    if columns[0].ndim == 1 or all(column.shape[-1] == widest for column in columns):
        return columns
    return [np.pad(column, [(0, 0)] * (column.ndim - 1) + [(0, widest - column.shape[-1])]) for column in columns]


def _part(value: Any, which: Any) -> Any:
    if isinstance(value, EventIndex):
        return value.take(which)
    return value[which] if isinstance(value, np.ndarray) else value


def _loadings(
    data: EventData, usable: npt.NDArray[np.bool_], x_new: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """``G = X_new R^{-1}`` with ``X = QR`` of the usable rows; and where the regressors are collinear."""
    n, _, p = data.x.shape
    count = np.maximum(usable.sum(1), 1)
    x = np.where(usable[..., None], data.x, 0.0)
    center = x.sum(1) / count[:, None]
    dx = np.where(usable[..., None], x - center[:, None, :], 0.0)
    size = (dx**2).sum(1)
    singular = (size <= 1e-24 * (size + count[:, None] * center**2)).any(1)
    constant = np.broadcast_to(1.0 / np.sqrt(count)[:, None, None], (n, x_new.shape[1], 1))
    if not p:
        return np.ascontiguousarray(constant), singular
    unit = np.where(size > 0, np.sqrt(size), 1.0)
    r: FloatArray = np.linalg.qr(dx / unit[:, None, :]).R
    singular |= (np.abs(np.einsum("naa->na", r)) ** 2 <= 1e-13).any(1)
    r = np.where(singular[:, None, None], np.eye(p), r)
    scaled = (x_new - center[:, None, :]) / unit[:, None, :]
    # G' solves R' G' = X_new'
    slopes = np.linalg.solve(r.transpose(0, 2, 1), scaled.transpose(0, 2, 1)).transpose(0, 2, 1)
    return np.concatenate([constant, slopes], axis=-1), singular
