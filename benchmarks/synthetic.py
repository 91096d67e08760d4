"""Synthetic panels and events with a fixed seed: made once by the driver, read by every measured process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FACTORS = ("MKT", "SMB", "HML", "MOM")
ESTIMATION, EVENT = (-260, -11), (-10, 10)  # 250 and 21 sessions
CAR = (-1, 1)
_BEFORE, _AFTER = 300, 30  # sessions kept free of events at both ends of a panel
_SEED = 20250127


def sessions(n: int) -> np.ndarray:
    """The last ``n`` NYSE sessions up to June 2023, or business days where the calendar is shorter; datetime64[D].

    One of the peers knows no calendar after July 2023.
    """
    import pandas_market_calendars

    found = pandas_market_calendars.get_calendar("NYSE").valid_days("1990-01-01", "2023-06-30")
    days = found.tz_localize(None) if len(found) >= n else pd.bdate_range(end="2023-06-30", periods=n)
    return days[-n:].to_numpy().astype("datetime64[D]")


def make_panel(where: Path, n_securities: int, n_sessions: int, missing: float, n_events: int) -> Path:
    """Write a panel of factor-driven returns and ``n_events`` random security-events; the directory.

    Returns are ``Σ β F + e`` on four factors, the first a market; ``missing`` is the share of cells set to NaN. No two
    events share both security and session; their order is random, which is the worst for memory.
    """
    where.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([_SEED, n_securities, n_sessions])
    factors = rng.standard_normal((len(FACTORS), n_sessions)) * np.array([[0.011], [0.006], [0.006], [0.008]])
    values = np.empty((len(FACTORS) + n_securities, n_sessions))
    values[: len(FACTORS)] = factors
    for row in range(n_securities):
        beta = np.array([1.0, 0.4, 0.1, 0.0]) + 0.3 * rng.standard_normal(4)
        noise = rng.standard_normal(n_sessions, dtype=np.float32)
        line = values[len(FACTORS) + row]
        np.multiply(noise, rng.uniform(0.01, 0.03), out=line)
        line += beta @ factors
        if missing:
            line[rng.random(n_sessions, dtype=np.float32) < missing] = np.nan
    np.maximum(values, -0.95, out=values)
    np.save(where / "values.npy", values)
    np.save(where / "sessions.npy", sessions(n_sessions))
    width = n_sessions - _BEFORE - _AFTER
    cell = rng.choice(n_securities * width, n_events, replace=False)
    np.savez(where / "events.npz", security=cell // width + len(FACTORS), position=cell % width + _BEFORE)
    return where


def names(n_rows: int) -> np.ndarray:
    """Names of the rows of a panel; object array."""
    return np.array([*FACTORS, *(f"S{i:05d}" for i in range(1, n_rows - len(FACTORS) + 1))], dtype=object)


def positions(where: Path, n: int, unusable: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the first ``n`` events; a share ``unusable`` is moved to where no estimation window fits."""
    with np.load(where / "events.npz") as stored:
        security, position = stored["security"][:n], stored["position"][:n].copy()
    if unusable:
        moved = np.flatnonzero(np.random.default_rng(_SEED).random(n) < unusable)
        cell = security[moved] * 1_000_000 + np.arange(len(moved)) % 100  # keeps security-events distinct
        _, first = np.unique(cell, return_index=True)
        position[moved[first]] = cell[first] % 1_000_000
    return security, position


def load(where: Path, n: int, unusable: float = 0.0):
    """Panel and events as the library's own objects."""
    import eventstudy as es

    values = np.load(where / "values.npy")
    labels = names(len(values))
    days = pd.DatetimeIndex(np.load(where / "sessions.npy").astype("datetime64[ns]"))
    panel = es.ReturnPanel(values, pd.Index(labels, dtype=object), days)
    security, position = positions(where, n, unusable)
    events = es.Events.from_frame(pd.DataFrame({"ticker": labels[security], "date": days[position]}))
    return panel, events


def make_peer_data(source: Path, where: Path, n: int) -> Path:
    """Write the part of a panel that ``n`` events on ``n`` different securities need, in numpy's own format."""
    where.mkdir(parents=True, exist_ok=True)
    security, position = positions(source, 1_000_000)
    _, first = np.unique(security, return_index=True)
    chosen = np.sort(first)[:n]
    rows = np.concatenate([np.arange(len(FACTORS)), security[chosen]])
    values = np.load(source / "values.npy", mmap_mode="r")
    np.savez(
        where / "peer.npz",
        values=values[rows],
        names=names(len(values))[rows].astype(str),
        sessions=np.load(source / "sessions.npy"),
        position=position[chosen],
    )
    return where


def write_long(path: Path, n_securities: int, n_sessions: int) -> int:
    """Write a CRSP-like long table (permno, date, ret) as Parquet; its number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(_SEED)
    days = pd.bdate_range(end="2023-06-30", periods=n_sessions).to_numpy().astype("datetime64[D]")
    schema = pa.schema([("permno", pa.int32()), ("date", pa.date32()), ("ret", pa.float64())])
    step = max(1, 1_000_000 // n_sessions)
    with pq.ParquetWriter(path, schema, use_dictionary=["permno", "date"], compression="snappy") as out:
        for start in range(0, n_securities, step):
            count = min(step, n_securities - start)
            permno = np.repeat(np.arange(start, start + count, dtype=np.int32) + 10_001, n_sessions)
            ret = (0.02 * rng.standard_normal(count * n_sessions, dtype=np.float32)).astype(np.float64)
            columns = [pa.array(permno), pa.array(np.tile(days, count)), pa.array(np.maximum(ret, -0.95))]
            out.write_table(pa.Table.from_arrays(columns, schema=schema))
    return n_securities * n_sessions
