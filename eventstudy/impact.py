"""What abnormal returns were worth: market value won or lost, per security, per group and in all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from eventstudy import _render
from eventstudy._frames import is_table
from eventstudy._typing import BoolArray, FloatArray, IntArray
from eventstudy.abnormal import buy_and_hold, confidence_bounds, t_p_value
from eventstudy.errors import InputError
from eventstudy.kernels import chunks
from eventstudy.models.base import ModelFit
from eventstudy.panel import ReturnPanel, wide_frame
from eventstudy.shares import SharesOutstanding
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["MarketImpact", "market_value", "sum_std_error"]

_CHUNK: Final = 4_096  # events whose residuals are held at a time
_SECURITY: Final = (
    "event_id",
    "ticker",
    "group",
    "session_before",
    "shares",
    "as_of",
    "age_days",
    "stale",
    "shares_basis",
    "certainty",
    "close",
    "basis",
    "currency",
    "value_before",
    "car",
    "impact",
    "std_error",
    "ci_lower",
    "ci_upper",
    "p_value",
    "raw_change",
)
_SUMS: Final = ("n", "value_before", "impact", "std_error", "ci_lower", "ci_upper", "p_value", "raw_change")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MarketImpact:
    """Market value won or lost over one window; made by :meth:`EventStudyResults.market_value`.

    Parameters
    ----------
    window : Window
        Sessions cumulated.
    confidence : float
        Level of the intervals.
    securities : DataFrame
        One row per security-event: ``event_id``, ``ticker``, ``group`` (where given), ``session_before`` (whose close
        is the base), ``shares``, ``as_of``, ``age_days``, ``stale``, ``shares_basis``, ``certainty``, ``close`` (price
        per share), ``basis`` (of that price), ``currency``, ``value_before`` (shares × close), ``car`` (decimal),
        ``impact`` (CAR × value before), its ``std_error``, ``ci_lower``, ``ci_upper``, ``p_value`` (that of the CAR),
        and ``raw_change`` (compounded total return × value before). Money is in units of ``currency``.
    groups : DataFrame
        Sums by ``group`` and ``currency`` (the index); empty where the events have no groups.
    total : DataFrame
        Sums of all security-events by ``currency``: ``n``, ``value_before``, ``impact``, ``std_error``, ``ci_lower``,
        ``ci_upper``, ``p_value``, ``raw_change``.
    notes : tuple of str
        What is approximate or old.
    """

    window: Window
    confidence: float
    securities: pd.DataFrame
    groups: pd.DataFrame
    total: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """The table of security-events."""
        return self.securities.copy()

    def __repr__(self) -> str:
        sums = ", ".join(f"{_render.money(row['impact'])} {name}" for name, row in self.total.iterrows())
        return f"MarketImpact({self.window}, {len(self.securities)} security-events, {sums})"

    def summary(self) -> _render.Summary:
        """Tables of totals, groups and securities, in text, HTML or LaTeX."""
        show = ["value_before", "impact", "ci_lower", "ci_upper", "raw_change"]
        largest = float(self.total["value_before"].max())
        unit, size = ("thousand millions", 1e9) if largest >= 1e9 else ("millions", 1e6)
        formats: dict[str, Callable[[object], str]] = dict.fromkeys(show, partial(_scaled, size=size))
        formats |= {"p_value": _render.p_value, "car": _render.percent, "n": partial(_render.number, digits=0)}
        level = f"{self.confidence:.0%}".replace("%", " %")
        sections = [_render.Section("All", self.total[["n", *show, "p_value"]], formats)]
        if len(self.groups):
            frame = self.groups.reset_index("currency")[["currency", "n", *show, "p_value"]]
            sections.append(_render.Section("By group", frame, formats))
        frame = self.securities.set_index("ticker")[["currency", "value_before", "car", *show[1:], "p_value"]]
        sections.append(_render.Section("By security", frame, formats))
        facts = [
            ("Window", str(self.window)),
            ("Base", "shares outstanding × close before the window"),
            ("Amounts", f"{unit} of the currency; {level} intervals"),
        ]
        return _render.Summary("Market value won or lost to abnormal returns", facts, sections, self.notes)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _scaled(value: object, size: float) -> str:
    return _render.number(float(value) / size, 1)  # type: ignore[arg-type]


def market_value(
    res: EventStudyResults,
    shares: SharesOutstanding,
    window: Window,
    prices: pd.DataFrame | None,
    confidence: float,
    max_age: int,
) -> MarketImpact:
    """Impact ``CAR × value before`` of every event with its forecast error, and their sums.

    The value is taken as known, so an error of the share count is not in the intervals. The standard error of a sum is
    that of :func:`sum_std_error`.

    References
    ----------
    Malatesta, P. H. (1983). The wealth effect of merger activity and the objective functions of merging firms.
    *Journal of Financial Economics* 11 (abnormal dollar returns).
    """
    panel, index = res.study.returns, res.fit.index
    if not isinstance(shares, SharesOutstanding):
        raise InputError(
            f"shares must be SharesOutstanding, not {type(shares).__name__}.",
            remedy="Use SharesOutstanding.from_frame(frame), .read(path) or .sample().",
        )
    if isinstance(max_age, bool) or not isinstance(max_age, int | np.integer) or max_age < 0:
        raise InputError(f"max_age={max_age!r} is not a whole number of days.", remedy="Such as 120.")
    if "bhar" in getattr(res, "absent_tables", ()):
        raise InputError("Abnormal volume has no market value.", remedy="Ask the results of a study of returns.")
    if panel.frequency == "intraday":
        raise InputError(
            "The value before an intraday bar is not known: share counts and closes are of dates.",
            remedy="Study daily returns of the same event.",
        )
    if panel.kind != "simple":
        raise InputError(
            "A market value is multiplied by simple returns, and these are logarithmic.",
            remedy='Build the panel with kind="simple".',
        )
    before = index.position + window.start - 1
    if (before < 0).any():
        ticker = res._identity["ticker"].iloc[int(np.flatnonzero(before < 0)[0])]
        raise InputError(f"{ticker} has no session before the window {window}.", remedy="Load earlier prices.")
    frame = res._identity.assign(session_before=panel.sessions[before])
    held = shares.in_force(frame["ticker"].to_numpy(), frame["session_before"])
    if prices is None:
        close, basis = _carried(panel, index.security, before, held)
        count, currency = held["shares"].to_numpy(), held["currency"].to_numpy(dtype=object)
    else:
        close, count, currency, basis = _traded(prices, held)
    _check_currency(currency, frame["ticker"])
    c = res._cumulated(window)
    value = count * close
    raw = buy_and_hold(res.fit, panel.values, window, panel.kind, skip_missing=res.study.missing == "skip")
    lower, upper = confidence_bounds(value * c.car, value * c.std_error, c.dof, confidence)
    frame = frame.assign(
        shares=count,
        as_of=held["as_of"],
        age_days=held["age_days"],
        stale=(held["age_days"].abs() > max_age).to_numpy(),
        shares_basis=held["basis"],
        certainty=held["certainty"],
        close=close,
        basis=basis,
        currency=currency,
        value_before=value,
        car=c.car,
        impact=value * c.car,
        std_error=value * c.std_error,
        ci_lower=lower,
        ci_upper=upper,
        p_value=t_p_value(c.scar, c.dof),
        raw_change=value * raw.buy_and_hold,
    )
    frame = frame[[name for name in _SECURITY if name in frame]]
    total, groups = _sums(res.fit, frame, c.dof, window, confidence)
    return MarketImpact(window, confidence, frame, groups, total, _notes(frame, max_age, prices))


# -- price before the window ---------------------------------------------------------------------------------------


def _carried(panel: ReturnPanel, security: IntArray, before: IntArray, held: pd.DataFrame) -> tuple[FloatArray, Any]:
    """Traded close of the table, carried by the panel's returns to the session before the window."""
    close, ticker = held["close"].to_numpy(), held["ticker"].to_numpy(dtype=object)
    if np.isnan(close).any():
        lacking = sorted(set(ticker[np.isnan(close)]))
        raise InputError(
            f"There is no traded close of {', '.join(lacking[:20])} beside the share count.",
            remedy="Give prices= with traded closes, or add close and close_date to the table.",
            tickers=lacking,
        )
    at = panel.sessions.get_indexer(pd.DatetimeIndex(held["close_date"]))
    if (at < 0).any():
        row = int(np.flatnonzero(at < 0)[0])
        raise InputError(
            f"The close of {ticker[row]} is of {held['close_date'].iloc[row]:%Y-%m-%d}, no session of the returns.",
            remedy="Give prices= with traded closes, or load returns that reach it.",
            ticker=ticker[row],
        )
    rows, own = np.unique(security, return_inverse=True)
    with np.errstate(divide="ignore"):
        step = np.log1p(panel.values[rows])
    gaps = np.cumsum(np.isnan(step), axis=1)
    path = np.cumsum(np.nan_to_num(step, nan=0.0, neginf=-np.inf), axis=1)
    growth = np.exp(path[own, before] - path[own, at])
    broken = gaps[own, before] != gaps[own, at]
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        raise InputError(
            f"{ticker[row]} lacks returns between its close of {held['close_date'].iloc[row]:%Y-%m-%d} and "
            f"{panel.sessions[before[row]]:%Y-%m-%d}, so that the close cannot be carried there.",
            remedy="Give prices= with traded closes.",
            ticker=ticker[row],
        )
    day = held["close_date"].dt.strftime("%Y-%m-%d").to_numpy(dtype=object)
    moved = np.where(at == before, "", " carried by adjusted returns (approximate)")
    return close * np.where(at == before, 1.0, growth), "traded close of " + day + moved.astype(object)


def _traded(prices: Any, held: pd.DataFrame) -> tuple[FloatArray, FloatArray, Any, Any]:
    """Traded close, shares, currency and basis of the price, from prices given; their splits are undone."""
    if not is_table(prices):
        raise InputError(
            "prices must be a frame of traded closes with dates as its index and tickers as its columns.",
            remedy='Such as es.load_prices([...], source="yahoo"), whose field "close" is read.',
        )
    field = getattr(prices, "field", None)
    table = wide_frame(prices, "closes") if field is None else field("close")
    ticker, day = held["ticker"].to_numpy(dtype=object), pd.DatetimeIndex(held["date"])
    column = pd.Index([str(name) for name in table.columns]).get_indexer(pd.Index(ticker))
    row = pd.DatetimeIndex(table.index).astype("datetime64[ns]").get_indexer(day)
    values = table.to_numpy(dtype=np.float64)
    close = np.where((column >= 0) & (row >= 0), values[row, column], np.nan)
    bad = ~(close > 0)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"prices hold no traded close of {ticker[first]} on {day[first]:%Y-%m-%d}.",
            remedy="Load that session, the last before the window.",
            ticker=ticker[first],
            date=day[first],
        )
    count, currency = held["shares"].to_numpy(), held["currency"].to_numpy(dtype=object).copy()
    basis = "traded close of " + day.strftime("%Y-%m-%d").to_numpy(dtype=object)
    if field is None:
        return close, count, currency, basis
    stated = prices.info["currency"].to_numpy(dtype=object)[column]
    currency = np.where(pd.isna(stated), currency, stated)
    try:
        splits = field("splits").to_numpy(dtype=np.float64)
    except InputError:
        return close, count, currency, basis
    # closes are on the split basis of the last session; counts on that of their own date
    ratio = np.cumprod(np.where(np.nan_to_num(splits) > 0, splits, 1.0), axis=0)
    dated = table.index.searchsorted(pd.DatetimeIndex(held["as_of"]), side="right") - 1
    at_count = np.where(dated >= 0, ratio[np.maximum(dated, 0), column], 1.0)
    now = ratio[row, column]
    return close * ratio[-1, column] / now, count * now / at_count, currency, basis


def _check_currency(currency: Any, tickers: pd.Series[Any]) -> None:
    blank = np.array([not name for name in currency])
    if blank.any():
        raise InputError(
            f"The currency of {tickers.iloc[int(np.flatnonzero(blank)[0])]} is not stated.",
            remedy='Say it where the share counts are read: currency="USD".',
        )


# -- sums ----------------------------------------------------------------------------------------------------------


def sum_std_error(fit: ModelFit, which: IntArray, error: FloatArray, window: Window) -> float:
    """Standard error of a sum over events whose terms have the standard errors ``error``, correlated as the residuals.

    The variance is ``Σ_ij w_ij r_ij error_i error_j`` with ``r_ij`` the correlation of the estimation-window residuals
    on shared calendar dates and ``w_ij`` the share of the window that both events have in common on the calendar:
    1 on one event date, falling to 0 at a distance of ``L`` sessions. For events of one date without missing returns it
    is the forecast error of the value-weighted portfolio, exactly.

    Parameters
    ----------
    fit : ModelFit
        The fits.
    which : ndarray of int64, shape (m,)
        Events in the sum.
    error : ndarray of float64, shape (m,)
        Standard errors of their terms, signed where a term is subtracted.
    window : Window
        Sessions cumulated in each term.

    Notes
    -----
    The sum over pairs is a square of sums: standardised residuals, times their errors, are added up by event date,
    and dates less than ``L`` sessions apart meet on the calendar. Residuals missing at one event only lower ``r_ij``
    towards 0, the variances on the diagonal stay exact, and the result is never negative.
    """
    dates, group = np.unique(fit.index.position[which], return_inverse=True)
    sums = np.zeros((len(dates), len(fit.index.estimation)))
    for part in chunks(len(which), _CHUNK):
        residual = np.nan_to_num(fit.residuals(which[part]))
        norm = np.sqrt((residual**2).sum(1))
        scaled = residual * np.divide(error[part], norm, out=np.zeros_like(norm), where=norm > 0)[:, None]
        np.add.at(sums, group[part], scaled)
    variance = float((sums**2).sum())
    length = len(window)
    for lag in range(1, min(length, int(dates[-1] - dates[0]) + 1, sums.shape[1])):
        at = np.searchsorted(dates, dates + lag)
        first = np.flatnonzero((at < len(dates)) & (dates[np.minimum(at, len(dates) - 1)] == dates + lag))
        meeting = float((sums[first, lag:] * sums[at[first], :-lag]).sum())
        variance += 2.0 * (1.0 - lag / length) * meeting
    return float(np.sqrt(max(variance, 0.0)))


def _sums(
    fit: ModelFit, frame: pd.DataFrame, dof: FloatArray, window: Window, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums by currency, and by group and currency."""

    def added(mask: BoolArray) -> dict[str, float]:
        part, n = frame[mask], int(mask.sum())
        impact = float(part["impact"].sum()) if n else np.nan
        which = np.flatnonzero(mask)
        error = sum_std_error(fit, which, part["std_error"].to_numpy(), window) if n else np.nan
        df = float(dof[mask].mean()) if n else 1.0
        lower, upper = confidence_bounds(np.array([impact]), np.array([error]), np.array([df]), confidence)
        p = t_p_value(np.array([impact / error if error > 0 else np.nan]), np.array([df]))
        found = (n, part["value_before"].sum(), impact, error, lower[0], upper[0], p[0], part["raw_change"].sum())
        return dict(zip(_SUMS, found, strict=True))

    there = frame["impact"].notna().to_numpy() & frame["std_error"].notna().to_numpy()
    currency = frame["currency"].to_numpy(dtype=object)
    money = list(dict.fromkeys(currency))
    total = pd.DataFrame([added(there & (currency == name)) for name in money], index=pd.Index(money, name="currency"))
    keys: list[tuple[str, str]] = []
    rows = []
    if "group" in frame:
        group = frame["group"].to_numpy(dtype=object)
        for name in dict.fromkeys(group[~pd.isna(group)]):
            for code in dict.fromkeys(currency[group == name]):
                keys.append((name, code))
                rows.append(added(there & (group == name) & (currency == code)))
    names = ["group", "currency"]
    index = pd.MultiIndex.from_tuples(keys, names=names) if keys else pd.MultiIndex.from_arrays([[], []], names=names)
    return total, pd.DataFrame(rows, index=index, columns=list(_SUMS))


def _notes(frame: pd.DataFrame, max_age: int, prices: pd.DataFrame | None) -> tuple[str, ...]:
    """Plain sentences about what the figures rest on."""
    notes = ["The share count is taken as known: its error is not in the intervals."]
    carried = frame["basis"].str.contains("approximate").to_numpy(dtype=bool)
    if carried.any():
        notes.append(
            f"{int(carried.sum())} of {len(frame)} closes are traded closes of another session carried by "
            "dividend-adjusted returns: approximate, by the dividends in between."
        )
    stale = frame.loc[frame["stale"]]
    if len(stale):
        row = stale.iloc[0]
        notes.append(
            f"{len(stale)} share counts are more than {max_age} days from the close they are multiplied with "
            f"(first: {row['ticker']}, of {row['as_of']:%Y-%m-%d})."
        )
    later = frame.loc[frame["age_days"] < 0]
    if len(later):
        row = later.iloc[0]
        notes.append(
            f"{len(later)} share counts are of a date after the close (first: {row['ticker']}, of "
            f"{row['as_of']:%Y-%m-%d})."
        )
    unsure = frame.loc[~frame["certainty"].str.lower().isin(["", "high"]), "ticker"].unique()
    if len(unsure):
        notes.append(f"Share counts that are not certain: {', '.join(unsure)}.")
    missing = int(frame["impact"].isna().sum())
    if missing:
        notes.append(f"{missing} security-events have no CAR over the window and are in no sum.")
    if getattr(prices, "field", None) is not None:
        notes.append("Splits after the last session of the prices are not known here; Yahoo's closes have them undone.")
    return tuple(notes)
