"""What looks wrong in prices: one report for prices in memory, in a file and in the cache."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from eventstudy import _render
from eventstudy._typing import FloatArray
from eventstudy.data.bars import Bars
from eventstudy.data.calendars import sessions
from eventstudy.data.checks import (
    KINDS,
    Days,
    Finding,
    QualityRules,
    Severity,
    check_security,
    coverage,
    finding,
    peers_open,
)
from eventstudy.errors import AlignmentError, DataSourceError, InputError

if TYPE_CHECKING:
    from eventstudy.data.prices import Prices

__all__ = ["QualityReport", "QualityRules", "Severity", "bars_quality", "exchange_of", "price_quality"]

_COLUMNS: Final = list(Finding._fields)
_RANK: Final[dict[str, int]] = {"error": 0, "warning": 1, "note": 2}
_QUOTED: Final = 5  # findings that a message spells out

# Exchanges whose sessions a price series follows, by the zone that its source states.
_EXCHANGES: Final = {
    "America/New_York": "NYSE",
    "America/Toronto": "XTSE",
    "America/Sao_Paulo": "BVMF",
    "Asia/Hong_Kong": "XHKG",
    "Asia/Seoul": "XKRX",
    "Asia/Shanghai": "XSHG",
    "Asia/Tokyo": "XTKS",
    "Australia/Sydney": "XASX",
    "Europe/Amsterdam": "XAMS",
    "Europe/Berlin": "XETR",
    "Europe/London": "XLON",
    "Europe/Paris": "XPAR",
    "Europe/Stockholm": "XSTO",
    "Europe/Zurich": "XSWX",
}


@dataclass(frozen=True, slots=True, repr=False)
class QualityReport:
    """Suspicions about prices.

    Attributes
    ----------
    findings : DataFrame
        One row each, the worst first: ``ticker``, ``kind``, ``first`` and ``last`` (dates), ``n`` (how many dates),
        ``evidence``, ``severity``, ``remedy``. An empty frame means that nothing was found.
    n_tickers, n_sessions : int
        What was looked at.
    rules : QualityRules
        Thresholds used.

    Notes
    -----
    Severity ``"error"``: returns are wrong (a repeated date, a price that is none, a bar that contradicts itself, a
    split that was not adjusted for). ``"warning"``: they may be. ``"note"``: nothing is wrong, but good to know.

    Jumps are judged in series of 20 prices or more. ``unadjusted split`` is a price ratio near 3:2, 2:1, 5:2, 3:1, …
    100:1 (or its inverse) that is not undone within two sessions. It is an error if the ratio is 4:1 or more, the
    source itself states a split on the day, the traded close does not make the move, or the volume changes by the
    same ratio for a month; else a warning, since a stock can lose half of its value in a day. Near 3:2 it is no more
    than a note of a ``large move``. In 1.2 million daily returns of 576 US securities, 2018 to mid-2026, no move is
    called a split, 44 are noted as large, and one true fall and recovery is called a spike. Of 2:1 splits planted in
    them 91 % are found, of 4:1 and more 96 %, of 3:2 none but as a note; of closes wrong by a factor of 2 98 %, of 1.5
    92 %. A split on a day of large news can escape.
    """

    findings: pd.DataFrame
    n_tickers: int
    n_sessions: int
    rules: QualityRules = field(default_factory=QualityRules)

    def __len__(self) -> int:
        return len(self.findings)

    def to_frame(self) -> pd.DataFrame:
        """Copy of the findings."""
        return self.findings.copy()

    def at_least(self, severity: Severity) -> pd.DataFrame:
        """Findings of a severity or worse.

        Raises
        ------
        InputError
            If there is no such severity.
        """
        if severity not in _RANK:
            raise InputError(f"severity={severity!r} is none.", remedy=f"Use one of {', '.join(_RANK)}.")
        return self.findings[self.findings["severity"].map(_RANK) <= _RANK[severity]]

    def summary(self) -> _render.Summary:
        """The report as people read it."""
        frame = self.findings
        counts = {name: int((frame["severity"] == name).sum()) for name in _RANK}
        facts = [
            ("Securities", f"{self.n_tickers}"),
            ("Dates", f"{self.n_sessions}"),
            ("Findings", ", ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in counts.items())),
        ]
        if frame.empty:
            return _render.Summary("Quality of the prices", facts, [], ["Nothing was found."])
        shown = frame[["severity", "ticker", "kind", "first", "last", "n", "evidence"]]
        remedies = [f"{kind}: {KINDS[kind]}" for kind in dict.fromkeys(frame["kind"])]
        section = _render.Section("Findings", shown, {}, ["", "What to do", *remedies])
        return _render.Summary("Quality of the prices", facts, [section])

    def lines(self, severity: Severity = "warning") -> list[str]:
        """The worst findings of a severity or worse, one line each, and how many more there are."""
        frame = self.at_least(severity)
        out = [f"{row.ticker}: {row.kind}: {row.evidence}." for row in frame.head(_QUOTED).itertuples()]
        if len(frame) > _QUOTED:
            more = frame["kind"].iloc[_QUOTED:].value_counts()
            out.append(f"… and {len(frame) - _QUOTED} more ({', '.join(f'{n} {kind}' for kind, n in more.items())}).")
        return out

    def require(self, severity: Severity = "warning") -> None:
        """Refuse prices with findings of a severity or worse.

        Raises
        ------
        DataSourceError
            With the evidence; ``context["findings"]`` holds the rows.
        """
        bad = self.at_least(severity)
        if len(bad):
            raise DataSourceError(
                f"The prices do not pass the checks, {len(bad)} finding{'s' * (len(bad) != 1)}:\n"
                + "\n".join(self.lines(severity)),
                remedy=f"\n{bad['remedy'].iloc[0]} Or leave the ticker out, or load without strict=True.",
                findings=bad,
                tickers=list(dict.fromkeys(bad["ticker"])),
            )

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        return f"QualityReport({len(self)} findings, {self.n_tickers} tickers, {self.n_sessions} dates)"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def exchange_of(ticker: str, tz: object) -> str | None:
    """Exchange whose sessions a series follows, by the zone that its source states; None where that is not known.

    Futures and currencies (``EURUSD=X``) trade by other hours than the exchange of their zone.

    Examples
    --------
    >>> exchange_of("MSFT", "America/New_York"), exchange_of("EURUSD=X", "Europe/London"), exchange_of("A", None)
    ('NYSE', None, None)
    """
    return None if "=" in ticker else _EXCHANGES.get(str(tz))


def price_quality(prices: Prices, calendar: str | None = None, rules: QualityRules | None = None) -> QualityReport:
    """Report on wide prices; see :meth:`eventstudy.Prices.quality`."""
    chosen = rules or QualityRules()
    days = pd.DatetimeIndex(prices.index).to_numpy()
    values = prices.to_numpy(np.float64)
    valid = np.isfinite(values)
    names = [str(name) for name in prices.columns]
    known = prices._sources.reindex(prices.columns) if prices._sources is not None else pd.DataFrame(index=names)
    zones = known["tz"] if "tz" in known else pd.Series(None, index=prices.columns, dtype=object)
    bars = _fields(prices)
    found = _currencies(known.get("currency"), days) if len(days) else []
    common, unrest = _common(values)
    for place, ticker in enumerate(names):
        exchange = calendar or exchange_of(ticker, zones.iloc[place])
        if exchange is None:
            open_days = peers_open(valid, place, days, chosen)
        else:
            open_days = _open(exchange, days, calendar is not None)
        mine = {name: column[:, place] for name, column in bars.items()}
        found += check_security(ticker, days, values[:, place], mine, chosen, open_days, exchange, common, unrest)
        found += coverage(ticker, days, values[:, place])
    return QualityReport(_frame(found), len(names), len(days), chosen)


def bars_quality(
    bars: Mapping[str, Bars], calendar: str | None = None, rules: QualityRules | None = None
) -> QualityReport:
    """Report on bars of single securities, each on its own dates.

    Parameters
    ----------
    bars : mapping of str to Bars
        By ticker. Only daily ones are looked at.
    calendar, rules : optional
        As :meth:`eventstudy.Prices.quality`.

    Returns
    -------
    QualityReport
    """
    chosen = rules or QualityRules()
    found: list[Finding] = []
    longest = 0
    daily = {ticker: one for ticker, one in bars.items() if one.interval == "1d"}
    for ticker, one in daily.items():
        days = pd.DatetimeIndex(one.frame.index).to_numpy()
        longest = max(longest, len(days))
        exchange = calendar or exchange_of(ticker, one.tz)
        open_days = _open(exchange, days, calendar is not None) if exchange else None
        mine = {str(name): np.asarray(one.frame[name], np.float64) for name in one.frame}
        price = np.asarray(one.prices(ticker=ticker), np.float64)
        found += check_security(ticker, days, price, mine, chosen, open_days, exchange)
    return QualityReport(_frame(found), len(daily), longest, chosen)


def _common(values: FloatArray) -> tuple[FloatArray | None, FloatArray | None]:
    """Level that the securities have in common (their median moves, summed), and the day's unrest.

    That is the median distance of their moves from the median one, over its usual value, at least 1; None with fewer
    than ten securities, and None for both with fewer than three.
    """
    if values.shape[1] < 3 or len(values) < 2:
        return None, None
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a date without any move
        moves = np.diff(np.log(np.where(values > 0, values, np.nan)), axis=0)
        move = np.nanmedian(moves, axis=1)
        level = np.concatenate([[0.0], np.cumsum(np.nan_to_num(move))])
        if values.shape[1] < 10:
            return level, None
        spread = np.nanmedian(np.abs(moves - move[:, None]), axis=1)
        ratio = spread / np.nanmedian(spread)
    return level, np.concatenate([[1.0], np.fmax(1.0, np.where(np.isfinite(ratio), ratio, 1.0))])


def _fields(prices: Prices) -> dict[str, np.ndarray[Any, Any]]:
    """Other fields as matrices aligned with the prices."""
    if not prices.index.is_unique:
        return {}  # they cannot be aligned; the repeated date is itself a finding
    return {
        name: frame.reindex(index=prices.index, columns=prices.columns).to_numpy(np.float64)
        for name, frame in (prices._fields or {}).items()
        if frame.columns.isin(prices.columns).any()
    }


def _open(exchange: str, days: Days, asked: bool) -> Days | None:
    """Sessions from the first to the last date; None where an exchange that was only guessed does not reach."""
    if not len(days):
        return None
    first, last = (pd.Timestamp(day).date() for day in (days.min(), days.max()))
    try:
        return sessions(exchange, first, last).to_numpy()
    except AlignmentError:
        if asked:
            raise
        return None


def _currencies(stated: pd.Series[Any] | None, days: Days) -> list[Finding]:
    if stated is None or stated.dropna().nunique() < 2:
        return []
    by_money = {str(money): list(map(str, names)) for money, names in stated.dropna().groupby(stated).groups.items()}
    usual = max(by_money, key=lambda money: len(by_money[money]))
    evidence = "; ".join(
        f"{money}: {', '.join(names[:5])}{f', … ({len(names)} in all)' if len(names) > 5 else ''}"
        for money, names in by_money.items()
    )
    odd = next(names[0] for money, names in by_money.items() if money != usual)
    return [finding(odd, "mixed currencies", days, evidence)]


def _frame(found: Sequence[Finding]) -> pd.DataFrame:
    ordered: Iterator[Finding] = iter(sorted(found, key=lambda item: (_RANK[item.severity], item.ticker, item.first)))
    frame = pd.DataFrame(list(ordered), columns=_COLUMNS)
    return frame.astype({"first": "datetime64[us]", "last": "datetime64[us]", "n": np.int64})
