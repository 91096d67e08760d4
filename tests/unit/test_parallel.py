"""Chunks, threads, processes and a Dask cluster give the same bits as one local call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import eventstudy as es
from eventstudy.kernels import LinearArrays
from eventstudy.parallel import dask_executor

pytestmark = pytest.mark.filterwarnings("ignore::eventstudy.errors.EventStudyWarning")


def make_study(model: es.MarketModel | es.FactorModel | None = None, n: int = 400) -> es.EventStudy:
    rng = np.random.default_rng(7)
    market = rng.standard_normal(900) * 0.01
    values = rng.standard_normal((30, 900)) * 0.02 + market
    values[0], values[1] = market, rng.standard_normal(900) * 0.01
    values[2:][rng.random((28, 900)) < 0.05] = np.nan
    panel = es.ReturnPanel(
        values, pd.Index([f"S{i}" for i in range(30)], dtype=object), pd.bdate_range("2015-01-01", periods=900)
    )
    cell = rng.choice(28 * 560, n, replace=False)
    events = es.Events.from_frame(
        pd.DataFrame({"ticker": [f"S{2 + i}" for i in cell // 560], "timestamp": panel.sessions[cell % 560 + 300]})
    )
    return es.EventStudy(panel, events, model or es.MarketModel("S0"), min_obs=100)


def assert_same_bits(left: es.EventStudyResults, right: es.EventStudyResults) -> None:
    for name in LinearArrays.__slots__:
        np.testing.assert_array_equal(getattr(left.fit.arrays, name), getattr(right.fit.arrays, name), err_msg=name)
    pd.testing.assert_frame_equal(left.tests(-1, 1), right.tests(-1, 1), check_exact=True)


@pytest.mark.parametrize("model", [es.MarketModel("S0"), es.FactorModel(["S0", "S1"])])
@pytest.mark.parametrize("chunk_size", [1, 7, 400, 10_000])
def test_no_number_depends_on_the_chunk_size(model: es.MarketModel, chunk_size: int) -> None:
    study = make_study(model)
    assert_same_bits(study.fit(), study.fit(chunk_size=chunk_size))


def test_threads_and_processes_agree_with_the_local_fit() -> None:
    study = make_study()
    local = study.fit()
    with ThreadPoolExecutor(2) as threads:
        assert_same_bits(local, study.fit(executor=threads, chunk_size=37))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert_same_bits(local, study.fit(executor=processes, chunk_size=150))


def test_a_saved_panel_travels_as_a_path(tmp_path: object) -> None:
    study = make_study()
    saved = study.returns.save(f"{tmp_path}/panel")
    mapped = es.EventStudy(saved, study.events, study.model, min_obs=100)
    assert_same_bits(study.fit(), mapped.fit())
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        assert_same_bits(study.fit(), mapped.fit(executor=processes, chunk_size=200))


def test_progress_counts_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    make_study().fit(progress=True, chunk_size=100)
    assert "400/400" in capsys.readouterr().err
    make_study().fit(chunk_size=100)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("chunk_size", [0, -5, True])
def test_a_chunk_size_that_is_none_is_refused(chunk_size: int) -> None:
    with pytest.raises(es.InputError, match="chunk_size"):
        make_study().fit(chunk_size=chunk_size)


class Slow(es.MarketModel):
    """A market model whose chunks take long enough for a worker to be killed among them."""

    __slots__ = ()

    def fit_arrays(self, panel: es.ReturnPanel, index: object, min_obs: int) -> LinearArrays:
        time.sleep(0.1)
        return super().fit_arrays(panel, index, min_obs)


def start_cluster():  # type: ignore[no-untyped-def]
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )


@pytest.fixture(scope="module")
def cluster():  # type: ignore[no-untyped-def]
    with start_cluster() as made:
        yield made


@pytest.mark.filterwarnings("ignore")  # Dask's own, about sockets and processes that were killed on purpose
def test_a_dask_cluster_agrees_with_the_local_fit(cluster) -> None:  # type: ignore[no-untyped-def]
    study = make_study()
    with dask_executor(cluster.scheduler_address) as executor:
        assert_same_bits(study.fit(), study.fit(executor=executor, chunk_size=50))


class KillsOnce:
    """An executor that kills a worker when the fifth chunk is handed out."""

    def __init__(self, executor: Executor, victim: int) -> None:
        self.executor, self.victim, self.count = executor, victim, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.executor, name)

    def submit(self, *args: object) -> Future[object]:
        self.count += 1
        if self.count == 5:
            os.kill(self.victim, signal.SIGKILL)
        return self.executor.submit(*args)


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_in_mid_run_changes_nothing() -> None:
    study = make_study(Slow("S0"))
    local = make_study().fit()
    with start_cluster() as cluster, cluster.get_client() as client, client.get_executor() as executor:
        client.wait_for_workers(2, timeout=60)
        victim = min(client.run(os.getpid).values())
        assert_same_bits(local, study.fit(executor=KillsOnce(executor, victim), chunk_size=20))
        assert victim not in client.run(os.getpid).values()


def test_no_scheduler_is_an_error_with_its_address() -> None:
    pytest.importorskip("distributed")
    with (
        pytest.raises(es.DataSourceError, match=r"No Dask scheduler answers at nowhere://127\.0\.0\.1"),
        dask_executor("nowhere://127.0.0.1"),
    ):
        pass


@pytest.mark.filterwarnings("ignore")
def test_the_command_line_reaches_a_cluster_by_address(cluster, tmp_path: object) -> None:  # type: ignore[no-untyped-def]
    events = f"{tmp_path}/events.csv"
    pd.DataFrame({"ticker": ["MSFT", "NVDA"], "timestamp": ["2025-01-29", "2025-01-27"]}).to_csv(events, index=False)
    command = [sys.executable, "-m", "eventstudy", "run", events, "--benchmark", "SPY", "--json"]
    local = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    there = subprocess.run(
        [*command, "--dask", cluster.scheduler_address], capture_output=True, text=True, check=True, timeout=120
    )
    assert there.stdout.split('"created"')[1].split("\n", 1)[1] == local.stdout.split('"created"')[1].split("\n", 1)[1]
