"""Checks of one security's prices: plain functions on arrays, one finding per suspicion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.errors import InputError

__all__ = ["KINDS", "Finding", "QualityRules", "Severity", "check_security"]

Severity: TypeAlias = Literal["error", "warning", "note"]
Days: TypeAlias = npt.NDArray[np.datetime64]

KINDS: Final = {
    "duplicated date": "Keep one row for each session.",
    "non-positive price": "Leave the cell empty where there was no price.",
    "inconsistent bar": "Load the security again, or correct the bar from another source.",
    "unadjusted split": "Use adjusted prices, or multiply the earlier prices by the ratio.",
    "large move": "Look at the news of that day; if it was a split, adjust the earlier prices.",
    "price spike": "Compare with another source; remove the price if it is a misprint.",
    "missing session": "Load the security again; a return over a gap is missing, and so are windows with it.",
    "not a session": "Check the calendar and the time zone of the dates.",
    "stale price": "Drop the repeated prices, or leave the security out if it hardly trades.",
    "zero volume": "Drop prices without a trade, or leave the security out if it hardly trades.",
    "mixed currencies": "Convert the prices to one currency, or study each currency by itself.",
    "no volume": "An index has none; for a stock use a source that has it.",
    "starts late": "Events before that date will be dropped.",
    "ends early": "Events after that date will be dropped; add the delisting return if it was delisted.",
}
"""Every kind of finding, and what to do about it."""

# n-for-m splits in use; below 3:2 a ratio is no sign of one
_RATIOS: Final = np.array([1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100])
_WIDEST_BAND: Final = 0.10
_SHOWN: Final = 3
_AROUND: Final = 20  # sessions before and after a jump whose volumes are compared
_REVERTS_WITHIN: Final = 2
_FEWEST: Final = 20  # prices that tell what a usual move is
_SPIKE_STEPS: Final = 10.0
_SURE_RATIO: Final = 4.0  # from here on a ratio speaks for itself
_PLAIN_RATIO: Final = 2.0  # below, a ratio needs further evidence: stocks lose a third on bad news


@dataclass(frozen=True, slots=True)
class QualityRules:
    """What counts as a suspicion.

    Parameters
    ----------
    stale_run : int
        Sessions with one and the same price, in a row, that are reported.
    split_band : float
        Largest distance, in logarithms, between a price ratio and that of a split (0.03 is 3 %); two usual daily
        moves of the security if that is more (three from 4:1 on), but no more than 0.10.
    spike : float
        Smallest move against the other securities (in logarithms) that is reported when the price comes back within
        two sessions; ten usual moves of the security if that is more, and more again on a day on which all
        securities move more than usual.
    bar_tolerance : float
        By how much, relative to the price, a close may lie outside of the day's low and high: vendors round.
    peers : float
        Share of the other securities that must have a price on a date for it to count as a session where no
        calendar is used.

    Raises
    ------
    InputError
        On a value out of range.
    """

    stale_run: int = 5
    split_band: float = 0.03
    spike: float = 0.2
    bar_tolerance: float = 1e-4
    peers: float = 0.5

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
                raise InputError(f"{item.name}={value!r} is not a positive number.", remedy="Such as the default.")
        if self.stale_run < 2 or self.peers > 1:
            raise InputError("stale_run must be 2 or more, and peers at most 1.", remedy="Use the defaults.")


class Finding(NamedTuple):
    """One suspicion: what, when (first and last date, how many), the evidence, how bad, what to do."""

    ticker: str
    kind: str
    first: np.datetime64
    last: np.datetime64
    n: int
    evidence: str
    severity: Severity
    remedy: str


def finding(ticker: str, kind: str, days: Days, evidence: str, severity: Severity = "warning") -> Finding:
    """Finding of a kind on some dates."""
    return Finding(ticker, kind, days[0], days[-1], len(days), evidence, severity, KINDS[kind])


def check_security(
    ticker: str,
    days: Days,
    price: FloatArray,
    bars: Mapping[str, FloatArray],
    rules: QualityRules,
    open_days: Days | None,
    calendar: str | None,
    common: FloatArray | None = None,
    unrest: FloatArray | None = None,
) -> list[Finding]:
    """Findings about one security.

    Parameters
    ----------
    ticker : str
        Its name.
    days : ndarray of datetime64, shape (n,)
        Dates, in any order.
    price : ndarray of float64, shape (n,)
        Prices that returns are made of; NaN where missing.
    bars : mapping of str to ndarray of float64, shape (n,)
        Other fields: ``open``, ``high``, ``low``, ``close``, ``adj_close``, ``volume``, ``splits``.
    rules : QualityRules
        Thresholds.
    open_days : ndarray of datetime64, optional
        Sessions of the exchange, ascending; None leaves those checks out.
    calendar : str, optional
        Exchange of these sessions; None if they are the dates of other securities.
    common : ndarray of float64, shape (n,), optional
        Level, in logarithms, that the securities have in common: a misprint is a move against it.
    unrest : ndarray of float64, shape (n,), optional
        How much wider than usual the securities' moves of a day are spread, at least 1.
    """
    out: list[Finding] = []
    order = np.argsort(days, kind="stable")
    days, price = days[order], price[order]
    bars = {name: values[order] for name, values in bars.items()}
    common = np.zeros(len(days)) if common is None else common[order]
    unrest = np.ones(len(days)) if unrest is None else unrest[order]
    again = np.flatnonzero(days[1:] == days[:-1]) + 1
    if again.size:
        out.append(finding(ticker, "duplicated date", days[again], _listed(days[again]), "error"))
    with np.errstate(invalid="ignore"):
        wrong = (price <= 0) | np.isinf(price)
    if wrong.any():
        evidence = _listed(days[wrong], lambda at: f"{price[wrong][at]:g} on ")
        out.append(finding(ticker, "non-positive price", days[wrong], evidence, "error"))
    keep = ~wrong & ~np.isnan(price)
    keep[again] = False
    days, price, common, unrest = days[keep], price[keep], common[keep], unrest[keep]
    bars = {name: values[keep] for name, values in bars.items()}
    if not len(days):
        return out
    out += _inconsistent(ticker, days, bars, rules)
    out += _spikes(ticker, days, price, np.log(price) - common, unrest, rules)
    out += _splits(ticker, days, price, bars, rules)
    if open_days is not None:
        out += _sessions(ticker, days, open_days, calendar)
    out += _stale(ticker, days, price, bars.get("volume"), rules)
    if (volume := bars.get("volume")) is not None:
        idle = volume == 0
        if idle.all():
            out.append(finding(ticker, "no volume", days, "the volume is 0 on every date", "note"))
        elif idle.any():
            evidence = f"a price without a trade: {_listed(days[idle])}"
            out.append(finding(ticker, "zero volume", days[idle], evidence))
    return out


def _listed(days: Days, before: Callable[[int], str] = lambda at: "") -> str:
    """Return the first dates of several, and how many there are."""
    shown = ", ".join(f"{before(at)}{np.datetime64(day, 'D')}" for at, day in enumerate(days[:_SHOWN]))
    return shown + (f", … ({len(days)} in all)" if len(days) > _SHOWN else "")


def _inconsistent(ticker: str, days: Days, bars: Mapping[str, FloatArray], rules: QualityRules) -> list[Finding]:
    """Bars whose high is below their low, or whose open or close lies outside of both."""
    if "high" not in bars or "low" not in bars:
        return []
    high, low = bars["high"], bars["low"]
    slack = rules.bar_tolerance * np.fmax(np.abs(high), np.abs(low))
    out = []
    with np.errstate(invalid="ignore"):
        cases = [("high", low > high + slack, "high {1:.6g} below low {2:.6g}")]
        for name in ("open", "close"):
            if name in bars:
                outside = (bars[name] > high + slack) | (bars[name] < low - slack)
                cases.append((name, outside & ~cases[0][1], name + " {0:.6g} outside of {2:.6g}–{1:.6g}"))
    for name, bad, words in cases:
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            evidence = f"{words.format(bars[name][at], high[at], low[at])} on {_listed(days[bad])}"
            out.append(finding(ticker, "inconsistent bar", days[bad], evidence, "error"))
    return out


def _usual(move: FloatArray) -> float:
    """Usual daily move: 1.4826 times the median of the absolute ones that are not zero, at least 0.5 %."""
    size = np.abs(move[move != 0])
    return max(0.005, 1.4826 * float(np.median(size))) if size.size else 0.005


def _spikes(
    ticker: str, days: Days, price: FloatArray, level: FloatArray, unrest: FloatArray, rules: QualityRules
) -> list[Finding]:
    """Large moves against the other securities that are undone within two sessions: misprints look like that."""
    if len(level) < _FEWEST:
        return []
    move = np.diff(level)
    usual = _usual(move)
    out: list[Finding] = []
    undone = 0
    least = np.maximum(rules.spike, _SPIKE_STEPS * usual) * unrest[1:]
    for at in map(int, np.flatnonzero(np.abs(move) >= least)):
        if at < undone:  # the way back of the spike before
            continue
        after = level[at + 2 : at + 2 + _REVERTS_WITHIN]
        back = np.flatnonzero(np.abs(after - level[at]) < max(2 * usual, 0.1 * abs(move[at])))
        if back.size:
            undone = at + 2 + int(back[0])
            path = " → ".join(f"{value:.6g}" for value in price[at : undone + 1])
            evidence = f"{path}, {_listed(days[at : at + 1])} to {_listed(days[undone : undone + 1])}"
            out.append(finding(ticker, "price spike", days[at + 1 : undone], evidence))
    return out


def _splits(
    ticker: str, days: Days, price: FloatArray, bars: Mapping[str, FloatArray], rules: QualityRules
) -> list[Finding]:
    """Moves that look like a split that was not adjusted for."""
    if len(price) < _FEWEST:
        return []
    level = np.log(price)
    move = np.diff(level)
    usual = _usual(move)
    nearest = np.abs(np.log(_RATIOS)[:, None] - np.abs(move)[None, :]).argmin(axis=0)
    ratio = _RATIOS[nearest]
    rest = np.abs(move) - np.log(ratio)
    steps = np.where(ratio >= _SURE_RATIO, 3.0, 2.0)
    band = np.clip(steps * usual, rules.split_band, max(_WIDEST_BAND, rules.split_band))
    out: list[Finding] = []
    for at in map(int, np.flatnonzero(np.abs(rest) <= band)):
        after, before = level[at + 2 : at + 2 + _REVERTS_WITHIN], level[max(0, at - _REVERTS_WITHIN) : at]
        way = np.concatenate([after - level[at], before - level[at + 1]])
        if (np.abs(way) < 0.25 * abs(move[at])).any():
            continue  # undone, or itself the way back: no split
        reverse = bool(move[at] > 0)
        # what is left of the move once the split is taken out
        left = float(np.expm1(rest[at] if reverse else -rest[at]))
        said = (
            f"price × {np.exp(move[at]):.4g} on {np.datetime64(days[at + 1], 'D')}, as a "
            f"{_ratio_name(float(ratio[at]), reverse)} split and a return of {left:+.1%} (usual move {usual:.1%})"
        )
        more = _corroboration(at, move[at], float(ratio[at]), float(band[at]), bars)
        evidence = "; ".join([said, *more])
        if not more and ratio[at] < _PLAIN_RATIO:
            out.append(finding(ticker, "large move", days[at + 1 : at + 2], evidence, "note"))
            continue
        severity: Severity = "error" if more or ratio[at] >= _SURE_RATIO else "warning"
        out.append(finding(ticker, "unadjusted split", days[at + 1 : at + 2], evidence, severity))
    return out


def _corroboration(at: int, move: float, ratio: float, band: float, bars: Mapping[str, FloatArray]) -> list[str]:
    """What else says that the move after row ``at`` is a split."""
    out = []
    stated = bars["splits"][at + 1] if "splits" in bars else np.nan
    if stated > 0 and stated != 1:
        out.append(f"the source states a split of {stated:g} that day")
    if "close" in bars:
        before, after = bars["close"][at : at + 2]
        if before > 0 and after > 0 and abs(np.log(after / before) - move) > 2 * band:
            out.append(f"the close itself only × {after / before:.4g}, so the adjustment is at fault")
    if "volume" in bars:
        change = _change(bars["volume"], at)
        expected = 1 / ratio if move > 0 else ratio
        # the volume of bad news grows too, but hardly by the same ratio over a month
        if ratio >= _PLAIN_RATIO and 1 / 1.4 < change / expected < 1.4:
            out.append(f"volume × {change:.3g} from the {_AROUND} sessions before to the {_AROUND} after")
    return out


def _change(volume: FloatArray, at: int) -> float:
    before, after = volume[max(0, at + 1 - _AROUND) : at + 1], volume[at + 1 : at + 1 + _AROUND]
    before, after = before[before > 0], after[after > 0]
    if len(before) < 5 or len(after) < 5:
        return float("nan")
    return float(np.median(after) / np.median(before))


def _ratio_name(ratio: float, reverse: bool) -> str:
    new, old = (int(2 * ratio), 2) if ratio % 1 else (int(ratio), 1)
    return f"{old}:{new} (reverse)" if reverse else f"{new}:{old}"


def _sessions(ticker: str, days: Days, open_days: Days, calendar: str | None) -> list[Finding]:
    """Sessions without a price, and prices on days without a session."""
    out = []
    inside = open_days[(open_days >= days[0]) & (open_days <= days[-1])]
    absent = ~np.isin(inside, days)
    if absent.any():
        longest = int(_runs(absent)[1].max())
        whose = f"sessions of {calendar}" if calendar else "sessions of the other securities"
        evidence = f"{absent.sum()} of {len(inside)} {whose} have no price, {longest} in a row at most: "
        out.append(finding(ticker, "missing session", inside[absent], evidence + _listed(inside[absent])))
    closed = days[~np.isin(days, open_days)]
    if len(closed) and calendar:
        out.append(finding(ticker, "not a session", closed, f"{calendar} was closed on {_listed(closed)}"))
    return out


def _runs(flag: BoolArray) -> tuple[IntArray, IntArray]:
    """Starts and lengths of the runs of True."""
    edge = np.diff(np.concatenate([[0], flag.astype(np.int8), [0]]))
    start = np.flatnonzero(edge == 1)
    return start, np.flatnonzero(edge == -1) - start


def _stale(ticker: str, days: Days, price: FloatArray, volume: FloatArray | None, rules: QualityRules) -> list[Finding]:
    """Runs of one and the same price: one finding for all, since a fund that hardly trades has hundreds."""
    start, length = _runs(price[1:] == price[:-1])
    long = length + 1 >= rules.stale_run
    start, length = start[long], length[long] + 1
    if not len(start):
        return []
    stale = np.zeros(len(days), dtype=bool)
    for first, n in zip(start, length, strict=True):
        stale[first : first + n] = True
    at = int(length.argmax())
    run = slice(int(start[at]), int(start[at] + length[at]))
    evidence = f"{length[at]} sessions at {price[start[at]]:.6g} from {np.datetime64(days[start[at]], 'D')}"
    if volume is not None and np.isfinite(volume[run]).any():
        evidence += f", on a volume of {np.nansum(volume[run][1:]):,.0f} after the first"
    if len(start) > 1:
        evidence += f", and {len(start) - 1} shorter run{'s' * (len(start) > 2)}: {stale.sum()} of {len(days)} sessions"
    return [finding(ticker, "stale price", days[stale], evidence)]


def peers_open(valid: BoolArray, column: int, days: Days, rules: QualityRules) -> Days | None:
    """Dates on which enough of the other securities have a price; None with fewer than three others."""
    others = np.delete(valid, column, axis=1)
    if others.shape[1] < 3:
        return None
    open_days: Days = days[others.mean(axis=1) >= rules.peers]
    return open_days


def coverage(ticker: str, days: Days, price: FloatArray) -> list[Finding]:
    """Notes of a security that begins after the others or ends before them."""
    there = np.flatnonzero(np.isfinite(price))
    if not there.size:
        return []
    first, last = days[[0, -1]].astype("datetime64[D]")
    out = []
    if there[0] > 0:
        out.append(
            finding(
                ticker,
                "starts late",
                days[there[:1]],
                f"no price before; others begin {first}",
                "note",
            )
        )
    if there[-1] < len(days) - 1:
        out.append(
            finding(
                ticker,
                "ends early",
                days[there[-1:]],
                f"no price after; others end {last}",
                "note",
            )
        )
    return out
