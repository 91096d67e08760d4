"""What the peer scripts share. It runs in the peer's own environment: numpy and pandas are all it may use."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ESTIMATION, BEFORE, AFTER = 250, 10, 10


class Data:
    """The panel and the events of the comparison: one event on each of ``n`` securities."""

    def __init__(self, where: str, n: int) -> None:
        with np.load(Path(where) / "peer.npz") as stored:
            self.factors = stored["values"][:4]
            self.returns = stored["values"][4 : 4 + n]
            self.names = stored["names"][4 : 4 + n].tolist()
            self.sessions = stored["sessions"].astype("datetime64[ns]")
            self.position = stored["position"][:n]

    @property
    def dates(self) -> np.ndarray:
        """Event dates."""
        return self.sessions[self.position]

    def wide(self) -> pd.DataFrame:
        """Sessions as rows, a column per security and ``MKT``."""
        return pd.DataFrame(
            np.column_stack([self.factors[0], self.returns.T]), index=self.sessions, columns=["MKT", *self.names]
        )

    def long(self, ticker: str, date: str, value: str) -> pd.DataFrame:
        """One row per security and session."""
        n, t = self.returns.shape
        return pd.DataFrame(
            {ticker: np.repeat(self.names, t), date: np.tile(self.sessions, n), value: self.returns.ravel()}
        )


def main(package: str, prepare: Callable[[Data], Callable[[], Any]], cars: Callable[[Any, Data], list[float]]) -> None:
    """Time a study and print one line of JSON.

    ``prepare`` hands the package its data, which is not timed, and returns the study to be timed; ``cars`` reads the
    CAR of the whole event window of each event from its answer, so that the driver can compare them.
    """
    warnings.simplefilter("ignore")
    where, n, repeat, budget = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    told, sys.stdout = sys.stdout, sys.stderr  # some packages print
    prepare(Data(where, min(n, 5)))()  # imports and first calls are not timed
    data = Data(where, n)
    study = prepare(data)
    times: list[float] = []
    start = time.perf_counter()
    answer = None
    while len(times) < repeat and (not times or time.perf_counter() - start + times[-1] < budget):
        begin = time.perf_counter()
        answer = study()
        times.append(time.perf_counter() - begin)
    found = [float(value) for value in cars(answer, data)]
    versions = {name: version(name) for name in (package, "numpy", "pandas", "statsmodels")}
    json.dump({"n": n, "times": times, "car": found, "versions": versions}, told)
