"""Windows of event time, and event positions turned into an index.

Event time ``tau`` counts trading sessions; ``tau = 0`` is the event session. Both ends of a window are inclusive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from eventstudy._typing import BoolArray, IntArray
from eventstudy.errors import WindowError

__all__ = [
    "EstimationLike",
    "EventIndex",
    "Window",
    "WindowLike",
    "check_windows",
    "estimation_span",
    "words_of",
]

_TEXT = re.compile(r"^\s*[\[(]?\s*([+-]?\d+)\s*[:,;]\s*([+-]?\d+)\s*[\])]?\s*$")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A run of sessions in event time, both ends inclusive.

    Parameters
    ----------
    start, end : int
        First and last session relative to the event session.

    Raises
    ------
    WindowError
        If the ends are not whole numbers or ``start > end``.

    Examples
    --------
    >>> Window(-1, 1)
    Window(-1, 1)
    >>> str(Window(-1, 1)), len(Window(-1, 1))
    ('[-1, +1]', 3)
    >>> Window.of("-10:10") == Window.of((-10, 10))
    True
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise WindowError(
                    f"The {name} of a window must be a whole number of sessions, not {value!r}.",
                    remedy="Give it as (start, end), such as (-10, 10).",
                )
            object.__setattr__(self, name, int(value))
        if self.start > self.end:
            raise WindowError(
                f"Window ({self.start}, {self.end}) starts after it ends.",
                remedy=f"Did you mean ({self.end}, {self.start})?",
            )

    @classmethod
    def of(cls, value: WindowLike) -> Window:
        """Window from a window, a pair of whole numbers, or text such as ``"-10:10"``."""
        if isinstance(value, Window):
            return value
        if isinstance(value, str):
            found = _TEXT.match(value)
            if found is None:
                raise WindowError(f"{value!r} is not a window.", remedy='Write it as START:END, such as "-10:10".')
            return cls(int(found[1]), int(found[2]))
        try:
            start, end = value
        except (TypeError, ValueError):
            raise WindowError(
                f"{value!r} is not a window.", remedy="Give a pair (start, end), such as (-10, 10)."
            ) from None
        return cls(start, end)

    def __len__(self) -> int:
        return self.end - self.start + 1

    def __contains__(self, other: object) -> bool:
        if isinstance(other, Window):
            return self.start <= other.start and other.end <= self.end
        return isinstance(other, int | np.integer) and self.start <= int(other) <= self.end

    def __str__(self) -> str:
        return f"[{_signed(self.start)}, {_signed(self.end)}]"

    def __repr__(self) -> str:
        return f"Window({self.start}, {self.end})"

    @property
    def tau(self) -> IntArray:
        """Relative sessions of the window, int64 of shape ``(len(window),)``."""
        return np.arange(self.start, self.end + 1, dtype=np.int64)

    def columns(self, inner: Window) -> slice:
        """Columns of an event-window matrix that hold the sessions of ``inner``.

        Raises
        ------
        WindowError
            If ``inner`` is not inside this window.
        """
        if inner not in self:
            raise WindowError(
                f"Window {inner} is not inside the event window {self}.",
                remedy="Widen event_window= in EventStudy, or ask for a shorter window.",
            )
        return slice(inner.start - self.start, inner.end - self.start + 1)


WindowLike: TypeAlias = Window | tuple[int, int] | str


def _signed(value: int) -> str:
    return f"{value:+d}" if value else "0"


EstimationLike: TypeAlias = WindowLike | Sequence[WindowLike]
"""One estimation window, or two with sessions between them that belong to neither."""


def estimation_span(value: EstimationLike) -> tuple[Window, Window | None]:
    """Span of an estimation window, and the hole between the halves of a two-sided one.

    Parameters
    ----------
    value : Window, pair of int, str, or two of these
        ``(-270, -21)``, ``[(-270, -21), (21, 140)]``, or as text ``"-270:-21,21:140"``.

    Returns
    -------
    span : Window
        From the first session to the last.
    hole : Window or None
        Sessions inside it that are not part of it.

    Raises
    ------
    WindowError
        If this is neither one window nor two in order.

    Examples
    --------
    >>> estimation_span((-270, -21))
    (Window(-270, -21), None)
    >>> estimation_span([(-270, -21), (21, 140)])
    (Window(-270, 140), Window(-20, 20))
    """
    if isinstance(value, str) and value.count(":") == 2:
        value = value.split(",")
    if isinstance(value, str | Window) or not isinstance(value, Sequence):
        return Window.of(value), None
    if not any(isinstance(part, str | Window | Sequence) for part in value):
        return Window.of(value), None  # type: ignore[arg-type]
    parts = [Window.of(part) for part in value]  # type: ignore[arg-type]
    if len(parts) == 1:
        return parts[0], None
    if len(parts) != 2:
        raise WindowError(
            f"estimation_window= has {len(parts)} windows; one or two can be used.",
            remedy="Such as [(-270, -21), (21, 140)]; keep further sessions out with exclude=.",
        )
    first, second = parts
    if first.end >= second.start:
        raise WindowError(
            f"The estimation windows {first} and {second} overlap or are not in order.",
            remedy="Give the earlier one first, and let it end before the other starts.",
        )
    hole = Window(first.end + 1, second.start - 1) if first.end + 1 < second.start else None
    return Window(first.start, second.end), hole


def words_of(estimation: Window, hole: Window | None) -> str:
    """Estimation window in words: ``[-270, -21]``, or ``[-270, -21] and [+21, +140]``."""
    return " and ".join(str(part) for part in _parts(estimation, hole))


def _parts(estimation: Window, hole: Window | None) -> list[Window]:
    if hole is None:
        return [estimation]
    return [Window(estimation.start, hole.start - 1), Window(hole.end + 1, estimation.end)]


def check_windows(estimation: Window, event: Window, min_obs: int, hole: Window | None = None) -> None:
    """Refuse windows that cannot make a study.

    Parameters
    ----------
    estimation, event : Window
        The two windows.
    min_obs : int
        Fewest usable returns in the estimation window.
    hole : Window, optional
        Sessions inside ``estimation`` that are not part of it.

    Raises
    ------
    WindowError
        If the estimation window shares sessions with the event window, or is shorter than ``min_obs``.
    """
    parts = _parts(estimation, hole)
    for part in parts:
        if part.start <= event.end and event.start <= part.end:
            before, after = f"end it at {event.start - 1} or earlier", f"start it at {event.end + 1} or later"
            raise WindowError(
                f"Estimation window {part} shares sessions with the event window {event}: "
                "the event would be part of what counts as normal.",
                remedy=f"To estimate before the event, {before}; after it, {after}.",
            )
    length = sum(len(part) for part in parts)
    if length < min_obs:
        raise WindowError(
            f"Estimation window {words_of(estimation, hole)} has {length} sessions, fewer than min_obs={min_obs}.",
            remedy="Lengthen estimation_window= or lower min_obs=.",
        )


@dataclass(frozen=True, slots=True)
class EventIndex:
    """Where each security-event lies in the panel, and what of its estimation window may be used.

    Parameters
    ----------
    security : ndarray of int64, shape (n_events,)
        Row of the panel.
    position : ndarray of int64, shape (n_events,)
        Column of the event session in the panel.
    estimation, event : Window
        The two windows, in sessions relative to ``position``.
    hole : Window or None
        Sessions inside ``estimation`` that are not part of it: what lies between the halves of a two-sided window.
    usable : ndarray of bool, shape (n_securities, n_sessions), or None
        Cells of the panel that may enter an estimation window; None for all.
    trimmed : ndarray of bool, shape (n_events, L1), or None
        Sessions of each estimation window that are left out as outliers; None for none.
    """

    security: IntArray
    position: IntArray
    estimation: Window
    event: Window
    hole: Window | None = None
    usable: BoolArray | None = None
    trimmed: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.security)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes without the cells that no event here reads, eight cells to a byte."""
        plain = (self.security, self.position, self.estimation, self.event, self.hole)
        return _arrived, (*plain, None if self.usable is None else _packed(self), self.trimmed)

    @property
    def masked(self) -> bool:
        """Whether any session of an estimation window may have to be left out."""
        return not (self.hole is None and self.usable is None and self.trimmed is None)

    @property
    def length(self) -> int:
        """Sessions in the estimation window, without the hole."""
        return len(self.estimation) - (0 if self.hole is None else len(self.hole))

    @property
    def hole_columns(self) -> tuple[int, int] | None:
        """First and last column of the hole in the estimation window."""
        if self.hole is None:
            return None
        return self.hole.start - self.estimation.start, self.hole.end - self.estimation.start

    @property
    def words(self) -> str:
        """Estimation window in words."""
        return words_of(self.estimation, self.hole)

    @property
    def parts(self) -> list[list[int]]:
        """First and last session of the estimation window, or of each half of a two-sided one."""
        return [[part.start, part.end] for part in _parts(self.estimation, self.hole)]

    @property
    def keep(self) -> Callable[[slice], BoolArray] | None:
        """A run of events to :meth:`estimation_mask` of them, for the kernels; None where all sessions may be used."""
        if not self.masked:
            return None

        def mask(part: slice) -> BoolArray:
            kept = self.take(part).estimation_mask()
            assert kept is not None
            return kept

        return mask

    def take(self, which: IntArray | BoolArray | slice) -> EventIndex:
        """Index of some of the events."""
        trimmed = None if self.trimmed is None else self.trimmed[which]
        return replace(self, security=self.security[which], position=self.position[which], trimmed=trimmed)

    def estimation_mask(self) -> BoolArray | None:
        """Which sessions of each estimation window may be used, shape (n_events, L1); None where all may."""
        if not self.masked:
            return None
        keep = np.ones((len(self), len(self.estimation)), dtype=bool)
        if self.usable is not None:
            keep[:] = _cut(self.usable, self.security, self.position + self.estimation.start, keep.shape[1])
        if self.trimmed is not None:
            keep &= ~self.trimmed
        if self.hole is not None:
            keep[:, self.estimation.columns(self.hole)] = False
        return keep


def _cut(cells: BoolArray, row: IntArray, start: IntArray, length: int) -> BoolArray:
    """``length`` cells of a row from a column on, for each event; False beyond the ends."""
    width = cells.shape[1]
    inside = (start >= 0) & (start + length <= width)
    out = np.zeros((len(row), length), dtype=bool)
    if inside.any():
        # whole runs are copied, where an index for every cell would be eight times their size
        runs = np.lib.stride_tricks.sliding_window_view(cells, length, axis=1)
        out[inside] = runs[row[inside], start[inside]]
    at = start[~inside, None] + np.arange(length)
    there = (at >= 0) & (at < width)
    out[~inside] = there & cells[row[~inside, None], np.where(there, at, 0)]
    return out


def _packed(index: EventIndex) -> tuple[Any, ...]:
    """Cells that the events of an index read: the shape of all, the rows, the first column, and the bits."""
    assert index.usable is not None
    rows = np.unique(index.security)
    low, high = (0, 0)
    if len(rows):
        low = max(0, int(index.position.min()) + index.estimation.start)
        high = max(low, int(index.position.max()) + index.estimation.end + 1)
    cells = index.usable[rows, low:high]
    if len(cells) > 1 and (cells == cells[0]).all():
        cells = cells[:1]  # the same sessions of every security
    return index.usable.shape, rows, low, cells.shape[1], np.packbits(cells, axis=1)


def _arrived(
    security: IntArray,
    position: IntArray,
    estimation: Window,
    event: Window,
    hole: Window | None,
    packed: tuple[Any, ...] | None,
    trimmed: BoolArray | None,
) -> EventIndex:
    usable = None
    if packed is not None:
        shape, rows, low, width, bits = packed
        usable = np.ones(shape, dtype=bool)
        usable[rows, low : low + width] = np.unpackbits(bits, axis=1, count=width).astype(bool)
    return EventIndex(security, position, estimation, event, hole, usable, trimmed)
