"""Why one symbol could not be had: a kind for programs, words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from eventstudy.errors import EventStudyError, InputError

__all__ = ["Failure", "FailureKind", "failures_of"]

FailureKind: TypeAlias = Literal[
    "unknown",  # the source does not know the symbol
    "no prices",  # it knows it, and has no price in the range
    "not cached",  # offline, and nothing of it is in the cache
    "not covered",  # the range reaches beyond what the source or the cache has
    "rate limit",
    "network",
    "time-out",
    "server",
    "refused",
    "unreadable",
    "invalid",  # prices came and failed a check
    "not tried",
    "other",
]

_LACKING: Final = frozenset({"unknown", "no prices", "not cached"})


class Failure(str):
    """Cause of one symbol's failure: text that also carries its ``kind``.

    Parameters
    ----------
    cause : str
        In words, without the symbol.
    kind : FailureKind
        What programs decide by.

    Attributes
    ----------
    kind : FailureKind
        As given.

    Examples
    --------
    >>> Failure("unknown symbol (HTTP 404)", "unknown").lacking
    True
    """

    kind: FailureKind

    def __new__(cls, cause: str, kind: FailureKind = "other") -> Failure:
        """Text of ``cause`` with its kind."""
        if kind not in get_args(FailureKind):
            raise InputError(
                f"{kind!r} is no kind of failure.", remedy=f"Use one of {', '.join(get_args(FailureKind))}."
            )
        self = super().__new__(cls, cause)
        self.kind = kind
        return self

    @property
    def lacking(self) -> bool:
        """Whether the source does not have it, so that asking again is of no use."""
        return self.kind in _LACKING


def failures_of(error: EventStudyError, asked: list[str]) -> dict[str, Failure]:
    """Failures by symbol that an error tells of; empty where it tells of none.

    Parameters
    ----------
    error : EventStudyError
        From a provider or :func:`eventstudy.load_prices`.
    asked : list of str
        Symbols that were asked for.
    """
    known: Any = error.context.get("failures")
    if isinstance(known, Mapping):
        return {str(s): cause if isinstance(cause, Failure) else Failure(str(cause)) for s, cause in known.items()}
    available: Any = error.context.get("available")
    if available is not None and error.context.get("ticker") in asked:
        have = set(available)
        return {s: Failure("the source has no such ticker", "unknown") for s in asked if s not in have}
    return {}
