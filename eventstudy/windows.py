"""Windows of event time, and event positions turned into an index.

Event time ``tau`` counts trading sessions; ``tau = 0`` is the event session. Both ends of a window are inclusive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eventstudy._typing import BoolArray, IntArray
from eventstudy.errors import WindowError

__all__ = ["EventIndex", "Window", "WindowLike", "check_windows"]

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


def check_windows(estimation: Window, event: Window, min_obs: int) -> None:
    """Refuse windows that cannot make a study.

    Raises
    ------
    WindowError
        If the estimation window does not end before the event window starts, or is shorter than ``min_obs``.
    """
    if estimation.end >= event.start:
        raise WindowError(
            f"Estimation window {estimation} must end before the event window {event} starts, "
            "or the event would be part of what counts as normal.",
            remedy=f"End it at {event.start - 1} or earlier.",
        )
    if len(estimation) < min_obs:
        raise WindowError(
            f"Estimation window {estimation} has {len(estimation)} sessions, fewer than min_obs={min_obs}.",
            remedy="Lengthen estimation_window= or lower min_obs=.",
        )


@dataclass(frozen=True, slots=True)
class EventIndex:
    """Where each security-event lies in the panel.

    Parameters
    ----------
    security : ndarray of int64, shape (n_events,)
        Row of the panel.
    position : ndarray of int64, shape (n_events,)
        Column of the event session in the panel.
    estimation, event : Window
        The two windows, in sessions relative to ``position``.
    """

    security: IntArray
    position: IntArray
    estimation: Window
    event: Window

    def __len__(self) -> int:
        return len(self.security)

    def take(self, which: IntArray | BoolArray | slice) -> EventIndex:
        """Index of some of the events."""
        return EventIndex(self.security[which], self.position[which], self.estimation, self.event)
