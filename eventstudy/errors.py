"""Every error and warning that the library raises.

A user's mistake raises a child of :class:`EventStudyError` whose message says what arrived, what was expected,
which ticker or date it concerns and one thing to do about it. The same pieces are kept in ``context``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "AlignmentError",
    "CacheMissError",
    "ClusteredEventsWarning",
    "ConvergenceError",
    "DataSourceError",
    "DroppedEventsWarning",
    "EventStudyError",
    "EventStudyWarning",
    "InputError",
    "InsufficientDataError",
    "ThinWindowWarning",
    "WindowError",
]


class EventStudyError(Exception):
    """Base of all errors of the library.

    Parameters
    ----------
    message : str
        What arrived, what was expected, and where.
    remedy : str, optional
        One thing that the user can do; appended to the message.
    **context : object
        The pieces of the message (``ticker``, ``date``, ``event_id``, …) for programs that catch the error.
    """

    def __init__(self, message: str, *, remedy: str | None = None, **context: object) -> None:
        self.remedy = remedy
        self.context = context
        super().__init__(message if remedy is None else f"{message} {remedy}")


class InputError(EventStudyError, ValueError):
    """A wrong option, column, type or shape."""


class WindowError(InputError):
    """Windows that overlap, are reversed or out of range."""


class AlignmentError(EventStudyError, ValueError):
    """A time stamp without a zone, outside the calendar, or of no session."""


class InsufficientDataError(EventStudyError, ValueError):
    """Fewer usable returns than the study asks for."""


class DataSourceError(EventStudyError, RuntimeError):
    """A provider, file or cache could not deliver what was asked."""

    @property
    def failures(self) -> dict[str, Any]:
        """Cause by symbol, each a :class:`eventstudy.data.Failure`; empty where it is not about symbols."""
        return _mapping(self.context.get("failures"))

    @property
    def partial(self) -> dict[str, Any]:
        """Bars by symbol of those that did arrive."""
        return _mapping(self.context.get("partial"))


class CacheMissError(DataSourceError):
    """Offline, and the cache does not hold what was asked."""


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


class ConvergenceError(EventStudyError, RuntimeError):
    """An iterative fit did not converge."""


class EventStudyWarning(UserWarning):
    """Base of all warnings of the library."""


class DroppedEventsWarning(EventStudyWarning):
    """Some security-events were left out; ``results.dropped`` says which and why."""


class ClusteredEventsWarning(EventStudyWarning):
    """Security-events share event dates, so tests that assume independence over-reject."""


class ThinWindowWarning(EventStudyWarning):
    """An event window has missing returns, or an estimation window is shorter than asked."""
