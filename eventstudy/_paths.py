"""Paths as users give them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from eventstudy.errors import InputError

__all__ = ["as_path"]


def as_path(value: Any, what: str = "path") -> Path:
    """Path of a string or path-like, ``~`` for the home directory.

    Raises
    ------
    InputError
        If it is neither, or empty, or holds a zero byte, which no file's name does.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(text := os.fspath(value), str):
        raise InputError(
            f"{what}={value!r} is no path but {type(value).__name__}.", remedy='Give a string or a Path: "out/study".'
        )
    if not text or "\0" in text:
        raise InputError(f"{what}={text!r} names no file.", remedy='Give a string or a Path: "out/study".')
    return Path(text).expanduser()
