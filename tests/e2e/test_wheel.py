"""A plain install, away from the checkout, holds the sample data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_carries_the_sample(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("abnormal_returns-*.whl")
    site = tmp_path / "site"
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, capture_output=True, timeout=300
    )
    code = (
        "import eventstudy as es; prices = es.load_prices(['NVDA', 'MSFT']); print(es.__file__);"
        "print(round(prices['NVDA'].pct_change()['2025-01-27'], 4), len(prices))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    where, numbers = done.stdout.splitlines()
    assert Path(where).is_relative_to(site)
    assert numbers == "-0.1697 311"
