"""How the compiled kernels are compiled; imported with them on first use, never at ``import eventstudy``.

All release the GIL. ``reassoc`` lets the compiler use vector registers in sums; ``nnan`` is left out on purpose,
because NaN is how the panel says "missing".
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["compiled", "inlined"]

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"reassoc", "contract", "nsz"},
    "error_model": "numpy",
}

compiled: Any = njit(**_OPTIONS)
"""A kernel called from Python, and from no other kernel."""

inlined: Any = njit(forceinline=True, **_OPTIONS)
"""Part of kernels, always inlined.

Of a function that is called there would be two forms, its own and the caller's, which sum in different orders; which of
them runs would depend on whether this process compiled it or found it in the cache.
"""
