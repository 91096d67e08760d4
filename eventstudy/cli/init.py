"""``eventstudy init``: a commented study file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventstudy.cli.base import Debug, app, tell
from eventstudy.cli.study_file import TEMPLATE
from eventstudy.errors import DataSourceError, InputError

__all__ = ["init"]

_EXAMPLES = """Examples:

[bold]eventstudy init && eventstudy run --config study.toml[/bold]

[bold]eventstudy init studies/january.toml[/bold]"""


@app.command(epilog=_EXAMPLES)
def init(
    path: Annotated[Path, typer.Argument(metavar="[STUDY.toml]", dir_okay=False, show_default=False)] = Path(
        "study.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.", show_default=False)] = False,
    debug: Debug = False,
) -> None:
    """Write a commented study file, which runs as it is on the bundled sample.

    The file is study.toml unless named. Change the events, the prices and the windows to your own.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace("{name}", path.name))
    except FileExistsError as error:
        if not path.is_file():
            raise DataSourceError(
                f"Cannot write {path}: {path.parent} is no directory.", remedy="Name a file in a directory."
            ) from error
        raise InputError(f"{path} exists already.", remedy="Name another file, or replace it with --force.") from None
    except OSError as error:
        raise DataSourceError(
            f"Cannot write {path}: {error.strerror}.", remedy="Name a file in a directory that can be written."
        ) from error
    tell(f"{path} written. Run it: eventstudy run --config {path}")
