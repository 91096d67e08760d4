"""Donors: securities without an event of their own, from which the return without the event is made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError
from eventstudy.models.arrays import EventData
from eventstudy.models.linear import _check_name
from eventstudy.panel import ReturnPanel
from eventstudy.windows import EventIndex

__all__ = ["Clean", "DonorBlock", "Treated", "check_clean", "donor_blocks", "left_out", "names_of"]

Clean: TypeAlias = Literal["span", "event"]


@dataclass(frozen=True, slots=True)
class Treated:
    """Every security-event of a study, by date.

    Parameters
    ----------
    security, position : ndarray of int64, shape (n,)
        Row and event column in the panel, ascending by column.
    """

    security: IntArray
    position: IntArray

    @classmethod
    def of(cls, index: EventIndex) -> Treated:
        """The events of an index."""
        order = np.argsort(index.position, kind="stable")
        return cls(index.security[order], index.position[order])

    def near(self, position: int, index: EventIndex, clean: Clean) -> IntArray:
        """Securities with an event window that overlaps the windows of an event at ``position``; see :data:`Clean`."""
        event = index.event
        low, high = event.start, event.end
        if clean == "span":
            low, high = min(low, index.estimation.start), max(high, index.estimation.end)
        ends = (position + low - event.end, position + high - event.start + 1)
        first, last = np.searchsorted(self.position, ends)
        return np.unique(self.security[first:last])


@dataclass(frozen=True, slots=True)
class DonorBlock:
    """Events that share their date, the sessions that can be used, and so their donors.

    Parameters
    ----------
    events : ndarray of int64, shape (k,)
        Rows of the index.
    donors : ndarray of int64, shape (N,)
        Rows of the panel; none of them lacks a return on a session used.
    rows : ndarray of bool, shape (L1,)
        Sessions of the estimation window that are used, ``M`` of them.
    columns : ndarray of bool, shape (L2,)
        Sessions of the event window on which the events have returns.
    x : ndarray of float64, shape (M, N)
        Returns of the donors in the estimation window.
    x_event : ndarray of float64, shape (L2, N)
        Returns of the donors in the event window, NaN on sessions not used.
    n_treated, n_incomplete : int
        Securities of the pool that were left out: for an event of their own, and for a missing return.
    """

    events: IntArray
    donors: IntArray
    rows: BoolArray
    columns: BoolArray
    x: FloatArray
    x_event: FloatArray
    n_treated: int
    n_incomplete: int

    @property
    def shortage(self) -> str:
        """Words for a pool that leaves too few donors."""
        return (
            f"{len(self.donors)} donors are left: {self.n_treated} of the pool have an event of their own on "
            f'overlapping windows, {self.n_incomplete} lack a return. Widen the pool, or see clean="event".'
        )


def names_of(value: Iterable[str] | None, what: str) -> tuple[str, ...] | None:
    """Names as a tuple, each once.

    Raises
    ------
    InputError
        If there is none, one comes twice, or one is no name.
    """
    if value is None:
        return None
    try:
        names = (value,) if isinstance(value, str) else tuple(value)
    except TypeError:
        names = ()
    if not names:
        raise InputError(f"{what}={value!r} names no security.", remedy='Such as ["ORCL", "CRM"].')
    for name in names:
        _check_name(name)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{twice} is named twice in {what}=.", remedy="Name each once.", ticker=twice)
    return names


def left_out(exclude: Sequence[str] | None) -> tuple[str, ...]:
    """Names of securities that are no donors; there may be none."""
    none = exclude is None or (isinstance(exclude, Sized) and not len(exclude))
    return () if none else names_of(exclude, "exclude") or ()


def check_clean(clean: str) -> None:
    """Refuse an option that does not exist."""
    if clean not in get_args(Clean):
        raise InputError(f"clean={clean!r} is not an option.", remedy=f"Use one of {get_args(Clean)}.")


def donor_blocks(
    panel: ReturnPanel,
    index: EventIndex,
    data: EventData,
    treated: Treated,
    donors: Sequence[str] | None,
    exclude: Sequence[str],
    clean: Clean,
) -> Iterator[DonorBlock]:
    """Events in groups that share their donors.

    Parameters
    ----------
    panel, index, data
        Returns, the events, and their returns cut to the windows.
    treated : Treated
        Every event of the study.
    donors : sequence of str, or None
        The pool; None for every security of the panel, which its factors are not.
    exclude : sequence of str
        Securities kept out of the pool.
    clean : {"span", "event"}
        Whether a donor may have no event window that overlaps the estimation or the event window, or only none that
        overlaps the event window.

    Raises
    ------
    InputError
        If a donor is not in the panel, or is named and has an event of its own that is too near.
    """
    out = [panel.row(name) for name in exclude]
    everyone = range(panel.n_securities - panel.n_factors)
    pool = np.array(everyone if donors is None else [panel.row(name) for name in donors], dtype=np.int64)
    pool = pool[~np.isin(pool, out)]
    usable, there = data.usable, ~np.isnan(data.y_event)
    for position in np.unique(index.position).tolist():
        here = np.flatnonzero(index.position == position)
        banned = np.union1d(treated.near(position, index, clean), index.security[here])
        if donors is not None:
            _refuse_named(panel, pool, banned, position)
        able = pool[~np.isin(pool, banned)]
        bits = np.packbits(np.concatenate([usable[here], there[here]], axis=1), axis=1)
        _, group = np.unique(bits, axis=0, return_inverse=True)
        for label in range(int(group.max()) + 1):
            events = here[group.ravel() == label]
            rows, columns = usable[events[0]], there[events[0]]
            at = position + np.concatenate([index.estimation.tau[rows], index.event.tau[columns]])
            values = panel.values[np.ix_(able, at)] if len(at) else np.empty((len(able), 0))
            complete = ~np.isnan(values).any(axis=1)
            x = np.ascontiguousarray(values[complete].T)
            x_event = np.full((len(columns), x.shape[1]), np.nan)
            x_event[columns] = x[rows.sum() :]
            yield DonorBlock(
                events,
                able[complete],
                rows,
                columns,
                x[: rows.sum()],
                x_event,
                len(pool) - len(able),
                int((~complete).sum()),
            )


def _refuse_named(panel: ReturnPanel, pool: IntArray, banned: IntArray, position: int) -> None:
    named = pool[np.isin(pool, banned)]
    if len(named):
        ticker, date = panel.tickers[named[0]], panel.sessions[position]
        raise InputError(
            f"{ticker} is named as a donor, and has an event of its own whose window overlaps those of the event of "
            f"{date:%Y-%m-%d}.",
            remedy='Take it out of donors=, or allow earlier events with clean="event".',
            ticker=ticker,
            date=date,
        )
