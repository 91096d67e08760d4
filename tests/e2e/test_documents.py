"""What the documents show runs as written, and what they promise exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(code, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("code", BLOCKS)
def test_python_blocks_run_as_written(code: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_the_ten_lines_print_the_founding_case(tmp_path: Path) -> None:
    """MSFT's CAR(0, +1), −7.28 %, stands in the output; it is checked against statsmodels elsewhere."""
    code = re.search(
        r"## Ten lines\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert code is not None
    done = subprocess.run(
        [sys.executable, "-c", code[1]], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    assert re.search(r"MSFT\s+-0\.0728", done.stdout)
    assert (tmp_path / "car.png").stat().st_size > 10_000
    assert "ClusteredEventsWarning" in done.stderr


def test_commands_of_the_readme_run(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("ticker,timestamp\nMSFT,2025-01-29T04:46-05:00\nNVDA,2025-01-27\n")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    offline = [line for line in re.findall(r"^eventstudy .*$", text, re.MULTILINE) if "--source sample" in line]
    assert offline
    for line in offline:
        command = [sys.executable, "-m", *line.split("#")[0].split()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "mine" / "car.csv").is_file()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_run_and_hold_no_trace_of_a_machine(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    command = [sys.executable, str(ROOT / "scripts" / "run_notebooks.py"), str(copy)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = [cell for cell in json.loads(copy.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["execution_count"] for cell in cells)
    for text in (path.read_text(), copy.read_text()):
        assert str(tmp_path) not in text
        assert "ipykernel_" not in text
    stored = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert sum("image/png" in output.get("data", {}) for cell in stored for output in cell["outputs"]) >= 1
