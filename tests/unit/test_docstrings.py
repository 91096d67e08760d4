"""Examples of the docstrings run and give what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import warnings

import pytest

import eventstudy

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(eventstudy.__path__, "eventstudy.")
    if not name.startswith(("eventstudy._compiled", "eventstudy.__main__"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eventstudy.EventStudyWarning)  # examples show results, not advice
        found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert found.failed == 0


def test_public_functions_are_documented() -> None:
    for name in eventstudy.__all__:
        if name != "__version__":
            assert (getattr(eventstudy, name).__doc__ or "").strip(), name
