"""``eventstudy serve``: the library as a local web page."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.base import Debug, app, tell
from eventstudy.errors import InputError

__all__ = ["serve"]


@app.command(
    epilog="""Examples:

[bold]eventstudy serve[/bold]

[bold]eventstudy serve --port 9000 --no-browser[/bold]"""
)
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    debug: Debug = False,
) -> None:
    """Open a local web page: choose tickers, time and windows; see figures and tests; download tables and report.

    It answers on this machine only. Needs the extra [bold]app[/bold].
    """
    if importlib.util.find_spec("streamlit") is None:
        raise InputError(
            "The web page needs the package streamlit, which is not installed.",
            remedy='Install it: pip install "abnormal-returns[app]".',
        )
    command = [sys.executable, "-m", "streamlit", "run", str(Path(__file__).parents[1] / "app.py")]
    options = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.headless": not browser,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "theme.primaryColor": "#0072B2",
    }
    command += [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()
    ]
    tell(f"http://127.0.0.1:{port} (Ctrl+C to stop)")
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if code:
        raise typer.Exit(1)
