"""The command line: reads options, calls the library, prints what it returns."""

from __future__ import annotations

import sys

from eventstudy.cli import base, compare, data, doctor, init, power, report, run, serve  # each enters its commands
from eventstudy.cli.base import app

__all__ = ["app", "base", "compare", "data", "doctor", "init", "main", "power", "report", "run", "serve"]


def main() -> None:
    """Entry point of ``eventstudy`` and ``python -m eventstudy``."""
    for stream in (sys.stdout, sys.stderr):
        try:
            "−–α".encode(stream.encoding or "utf-8")
        except UnicodeEncodeError:
            stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        app(prog_name="eventstudy")
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(130)
