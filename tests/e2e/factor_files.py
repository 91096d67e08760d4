"""Fama–French files in the library's layout, made up on the sample's sessions."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

import eventstudy as es

LAYOUT = {
    "F-F_Research_Data_Factors_daily": ["Mkt-RF", "SMB", "HML", "RF"],
    "F-F_Research_Data_5_Factors_2x3_daily": ["Mkt-RF", "SMB", "HML", "RMW", "CMA", "RF"],
    "F-F_Momentum_Factor_daily": ["Mom"],
}


def write_factor_files(where: Path) -> Path:
    days = es.load_prices("SPY", source="sample").index
    rng = np.random.default_rng(5)
    where.mkdir(exist_ok=True)
    for name, columns in LAYOUT.items():
        values = rng.normal(0, 0.6, (len(days), len(columns))).round(2)
        if columns[-1] == "RF":
            values[:, -1] = 0.02
        rows = [f"{day:%Y%m%d}, {', '.join(map(str, row))}" for day, row in zip(days, values, strict=True)]
        with zipfile.ZipFile(where / f"{name}_CSV.zip", "w") as archive:
            archive.writestr(f"{name}.csv", "\n".join(["Made up", "", f",{','.join(columns)}", *rows, ""]))
    return where
