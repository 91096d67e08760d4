"""What the documents show runs as written, and what they promise exists."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factor_files import write_factor_files
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli
from eventstudy.data import load_factors

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(code, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL))
]


# What a block downloads, and what stands in for it without a network.
LOCAL = {
    'start="2023-06-01", end="2025-06-30", source="yahoo"': 'source="sample"',
    'load_factors("ff5")': 'load_factors("ff5", source="factors")',
}
NETWORK = re.compile(r"--source yahoo|eventstudy (fetch|serve|doctor|cache (snapshot|clear)|--install-completion)")
COMMANDS = dict.fromkeys(
    re.split(r" #| && ", line)[0].strip()
    for path in DOCUMENTS
    for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("eventstudy ") and not NETWORK.search(line)
)


@pytest.mark.parametrize("code", BLOCKS)
def test_python_blocks_run_as_written(code: str, tmp_path: Path) -> None:
    if any(download in code for download in LOCAL):
        write_factor_files(tmp_path / "factors")
        for download, local in LOCAL.items():
            code = code.replace(download, local)
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


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with the files that the commands of the documents name."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "events.csv").write_text("ticker,timestamp\nMSFT,2025-01-29T04:46-05:00\nNVDA,2025-01-27\n")
    es.load_prices(["MSFT", "NVDA", "SPY", "SMH"], source="sample").to_parquet(folder / "prices.parquet")
    name = "F-F_Research_Data_Factors_daily_CSV.zip"
    shutil.copy(write_factor_files(folder / "factors") / name, folder / name)
    load_factors(folder / name).to_csv(folder / "factors.csv")
    return folder


@pytest.mark.parametrize("line", [line for line in COMMANDS if "power" not in line])
def test_commands_of_the_documents_run(line: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("EVENTSTUDY_CACHE", str(workplace / "cache"))
    if "study.toml" in line and not Path("study.toml").exists():
        CliRunner().invoke(cli.app, ["init"])
    again = ["--force"] if line == "eventstudy init" else []
    done = CliRunner().invoke(cli.app, [*shlex.split(line)[1:], *again])
    assert done.exit_code == 0, done.output


def test_no_block_escapes_the_tests() -> None:
    kinds = {
        kind for path in DOCUMENTS for kind in re.findall(r"^```(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert kinds <= {"python", "sh", "toml", "text"}


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
