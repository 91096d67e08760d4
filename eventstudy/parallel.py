"""Events fitted in chunks: with a progress bar, on threads, processes or a cluster.

Parallel work is one argument, ``executor=``: any :class:`concurrent.futures.Executor`, a Dask client's included
(``client.get_executor()``). Every event is fitted by itself, so no number depends on how events are grouped.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from eventstudy.errors import DataSourceError, InputError
from eventstudy.kernels import LinearArrays, chunks
from eventstudy.models.arrays import ArrayFit
from eventstudy.models.base import ModelFit, NormalReturnModel
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["ChunkedModel", "PreparedModel", "dask_executor", "fit_in_chunks"]

_Made = TypeVar("_Made")

CHUNK = 65_536
_IN_FLIGHT = 16  # chunks handed out and not yet written: bounds what waits in memory
_PROGRESS_FROM = 100_000  # events; fewer are done before a bar is drawn


@runtime_checkable
class ChunkedModel(Protocol):
    """A model whose fits are arrays that can be made elsewhere and put together here."""

    def fit_arrays(self, panel: ReturnPanel, index: EventIndex, min_obs: int) -> LinearArrays:
        """Fit some events; the bare arrays."""
        ...

    def assemble(self, panel: ReturnPanel, index: EventIndex, arrays: LinearArrays) -> ModelFit:
        """Fit of all events from their arrays."""
        ...


@runtime_checkable
class PreparedModel(Protocol):
    """A model that has to know all events of the study before it fits some of them."""

    def prepared(self, index: EventIndex) -> NormalReturnModel:
        """The model, told of every event."""
        ...


def fit_in_chunks(
    model: NormalReturnModel,
    panel: ReturnPanel,
    index: EventIndex,
    min_obs: int,
    *,
    chunk_size: int | None = None,
    executor: Executor | None = None,
    progress: bool | None = None,
) -> ModelFit:
    """Fit of all events, made in chunks.

    Parameters
    ----------
    model, panel, index, min_obs
        As for ``model.fit``.
    chunk_size : int, optional
        Events in a chunk; 65,536 by default.
    executor : Executor, optional
        Where chunks are fitted; by default on this machine, linear models on all of its cores and others on one. The
        panel is handed over once: as it is to threads, scattered to the workers of a Dask client, and as a
        memory-mapped file to anything else.
    progress : bool, optional
        Whether a bar is drawn; by default on a terminal, for 100,000 events or more.

    Notes
    -----
    A model that is no :class:`ChunkedModel` is fitted in chunks too where its fits are of
    :class:`~eventstudy.models.arrays.ArrayFit`; it may name a size for them, ``events_per_chunk``. Others are fitted in
    one piece, on this machine.
    """
    if not isinstance(model, ChunkedModel):
        return _fit_pieces(model, panel, index, min_obs, chunk_size, executor, progress)
    bar = _shows(progress, len(index))
    size = chunk_size or CHUNK
    if executor is None and not bar and chunk_size is None:
        return model.fit(panel, index, min_obs)
    parts = list(chunks(len(index), size))
    out: LinearArrays | None = None
    with _bar(bar, len(index), model.name) as tick:
        for part, arrays in _run(model.fit_arrays, panel, index, min_obs, parts, executor):
            if out is None:
                out = _room(arrays, len(index))
            for name in LinearArrays.__slots__:
                getattr(out, name)[part] = getattr(arrays, name)
            tick(part.stop - part.start)
    return model.assemble(panel, index, out) if out is not None else model.fit(panel, index, min_obs)


def _fit_pieces(
    model: NormalReturnModel,
    panel: ReturnPanel,
    index: EventIndex,
    min_obs: int,
    chunk_size: int | None,
    executor: Executor | None,
    progress: bool | None,
) -> ModelFit:
    """Fit of a model that has a method of its own for each event."""
    size = chunk_size or int(getattr(model, "events_per_chunk", CHUNK))
    if isinstance(model, PreparedModel):
        model = model.prepared(index)
    if len(index) <= size:
        return _a_fit(model, model.fit(panel, index, min_obs))
    parts = list(chunks(len(index), size))
    made: list[ArrayFit] = []
    show = progress if progress is not None else sys.stderr.isatty()
    with _bar(show, len(index), model.name) as tick:
        for part, fit in _run(model.fit, panel, index, min_obs, parts, executor):
            if not isinstance(fit, ArrayFit):
                return _a_fit(model, model.fit(panel, index, min_obs))
            made.append(fit)
            tick(part.stop - part.start)
    return type(made[0]).concat(made, index)


def _a_fit(model: NormalReturnModel, made: ModelFit) -> ModelFit:
    """What a model of the user's own returned, if it is a fit."""
    if not hasattr(made, "status"):
        raise InputError(
            f"fit of {model.name} returned {type(made).__name__}; a fit was expected.",
            remedy="Return ArrayFit(...) or ArrayFit.from_regression(...).",
        )
    return made


def _room(arrays: LinearArrays, n: int) -> LinearArrays:
    return LinearArrays.empty(n, arrays.center.shape[1], arrays.coef.shape[1], arrays.ar.shape[1])


def _run(
    work: Callable[[ReturnPanel, EventIndex, int], _Made],
    panel: ReturnPanel,
    index: EventIndex,
    min_obs: int,
    parts: list[slice],
    executor: Executor | None,
) -> Iterator[tuple[slice, _Made]]:
    """What ``work`` makes of each chunk, in the order of the chunks."""
    if executor is None:
        for part in parts:
            yield part, work(panel, index.take(part), min_obs)
        return
    waiting: deque[tuple[slice, Future[_Made]]] = deque()
    with _handed_over(panel, executor) as shared:
        try:
            for part in parts:
                waiting.append((part, executor.submit(work, shared, index.take(part), min_obs)))
                if len(waiting) >= _IN_FLIGHT:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


@contextmanager
def _handed_over(panel: ReturnPanel, executor: Executor) -> Iterator[Any]:
    """The panel in the form in which a task should carry it."""
    client = getattr(executor, "_client", None)
    if isinstance(executor, ThreadPoolExecutor) or (client is None and panel.path is not None):
        yield panel
    elif client is not None:
        yield client.scatter(panel, broadcast=True, hash=False)
    else:
        with tempfile.TemporaryDirectory(prefix="eventstudy-") as directory:
            yield panel.save(Path(directory) / "panel")


def _shows(progress: bool | None, n: int) -> bool:
    return progress if progress is not None else n >= _PROGRESS_FROM and sys.stderr.isatty()


@contextmanager
def _bar(show: bool, total: int, name: str) -> Iterator[Any]:
    if not show:
        yield lambda n: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="event", unit_scale=True, desc=f"fit {name}") as bar:
        yield bar.update


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Executor of a running Dask cluster, by the address of its scheduler.

    Raises
    ------
    InputError
        If Dask is not installed.
    DataSourceError
        If no scheduler answers there.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise InputError(
            "A Dask cluster needs the package distributed, which is not installed.",
            remedy='Install it: pip install "abnormal-returns[distributed]".',
        ) from None
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise DataSourceError(
            f"No Dask scheduler answers at {address}: {error}.", remedy="Start one (dask scheduler), or correct it."
        ) from error
    with client, client.get_executor() as executor:
        yield executor
