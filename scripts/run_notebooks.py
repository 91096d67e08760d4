"""Execute the notebooks of the documentation and write their outputs, without traces of the machine.

Usage: python scripts/run_notebooks.py [NOTEBOOK...]
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
SECONDS = 300  # for one cell
_PLACE = re.compile(r"\S*ipykernel_\d+\S*?:\d+: ")  # where a warning was raised: another place each time


def execute(path: Path) -> Any:
    """Notebook with the outputs of a fresh kernel.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    book: Any = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            book, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                output["text"] = _PLACE.sub("", output["text"])
    return book


def main() -> None:
    """Execute the notebooks named, or all."""
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(NOTEBOOKS.glob("*.ipynb")):
        nbformat.write(execute(path), path)  # type: ignore[no-untyped-call]
        print(path)


if __name__ == "__main__":
    main()
