"""Linear algebra on one thread, where an optimiser's path must not depend on how many there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_blas_thread"]

_LOCK = threading.Lock()  # the number of threads belongs to the process


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS and LAPACK to one thread: more of them sum in another order.

    An optimiser that asks them for its steps takes these differences to another end of its path; workers of a cluster
    have one thread where a machine of one's own has as many as cores. One thread of Python is inside at a time.
    """
    from threadpoolctl import threadpool_limits

    with _LOCK, threadpool_limits(1, user_api="blas"):
        yield
