"""What all resampling tests share: seeds, the resampling p-value, chunks and progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from eventstudy._typing import FloatArray
from eventstudy.errors import InputError

__all__ = ["Seed", "as_floats", "as_many", "at_least", "check_level", "generator", "resampling_p", "track"]

Seed: TypeAlias = int | np.random.Generator | None
Item = TypeVar("Item")

_TIE = 1e-9  # equal statistics that rounding has parted count as ties: a tie speaks for the null


def generator(seed: Seed) -> np.random.Generator:
    """Random numbers from a seed, a generator (which moves on), or the operating system.

    Draws are made with ``Generator.random`` alone, which takes one word per number, so that chunks of any size
    continue one and the same stream.
    """
    if seed is None or isinstance(seed, np.random.Generator):
        return np.random.default_rng(seed)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(
            f"seed={seed!r} is neither a whole number from 0 on, a numpy Generator, nor None.", remedy="Such as seed=1."
        )
    return np.random.default_rng(int(seed))


def at_least(reference: FloatArray, observed: float) -> int:
    """How many ``|reference|`` are as large as ``|observed|``; NaN never is, ties are."""
    return int(np.count_nonzero(np.abs(reference) >= abs(observed) * (1.0 - _TIE)))


def resampling_p(exceed: int, draws: int) -> float:
    """``(1 + #) / (1 + n)``: the observed statistic is one of its own reference set, so p is never zero.

    References
    ----------
    Davison, A. C. and Hinkley, D. V. (1997). *Bootstrap Methods and their Application*, section 4.2.

    Examples
    --------
    >>> resampling_p(4, 99)
    0.05
    """
    return (1 + exceed) / (1 + draws)


def check_level(confidence: float) -> float:
    """Level of an interval, strictly between 0 and 1."""
    if isinstance(confidence, bool) or not 0.0 < confidence < 1.0:
        raise InputError(f"confidence={confidence!r} is not between 0 and 1.", remedy="Such as 0.95.")
    return float(confidence)


def as_floats(name: str, values: npt.ArrayLike) -> FloatArray:
    """Values as an array of float64."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} is not an array of numbers: {error}.", remedy="Put NaN where one is missing."
        ) from None


def as_many(name: str, value: object, least: int) -> int:
    """Whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name}={value!r} is not a whole number of {least} or more.", remedy=f"Such as {name}=999.")
    return int(value)


def track(items: Iterable[Item], total: int, progress: bool | None, label: str) -> Iterator[Item]:
    """The items, with a progress bar: always, never, or (None) only at a terminal."""
    if progress is False:
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, total=total, desc=label, leave=False, disable=None if progress is None else not progress)
