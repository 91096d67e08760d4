"""Abnormal trading volume: an event study of log volume or log turnover, with the tests of returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from eventstudy._frames import is_table, wide_pandas
from eventstudy.data.prices import Prices
from eventstudy.errors import InputError
from eventstudy.events import Events
from eventstudy.models import MarketModel, MeanAdjusted
from eventstudy.panel import ReturnPanel, wide_frame
from eventstudy.results import EventStudyResults
from eventstudy.study import EventStudy
from eventstudy.windows import EstimationLike, WindowLike

__all__ = ["TURNOVER_CONSTANT", "VolumeResults", "abnormal_volume", "log_volume"]

TURNOVER_CONSTANT = 0.000255
"""Added to turnover in per cent, so that a session without a trade has a logarithm (Cready and Ramanan 1991)."""

_MARKET = "market volume"

Shares = Mapping[str, float] | pd.Series | pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class VolumeResults(EventStudyResults):
    """Results of an event study of volume: what returns have, in units of log volume.

    ``abnormal_returns`` and ``car`` hold abnormal log volume: 0.69 is twice the volume expected. Buy-and-hold returns
    have no meaning here and are left out. Log volume of neighbouring sessions is strongly correlated, which the
    standard error of a window of several sessions ignores: there read ``placebo_p``, or ``p_placebo`` of
    ``car(..., placebo=True)``.
    """

    absent_tables: ClassVar[tuple[str, ...]] = ("bhar",)

    def bhar(self, start: WindowLike | int, end: int | None = None) -> pd.DataFrame:
        """Not defined for volume.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("Volume is not bought and held.", remedy="Use car() or ratio().")

    def tests(self, start: WindowLike | int, end: int | None = None, **options: Any) -> pd.DataFrame:
        """Every test of the mean abnormal volume over one window, as :meth:`EventStudyResults.tests`."""
        return super().tests(start, end, **options).drop(index="bhar_skew_boot", errors="ignore")

    def ratio(
        self, start: WindowLike | int, end: int | None = None, *, confidence: float | None = None
    ) -> pd.DataFrame:
        """Volume over expected volume of each security-event, the geometric mean over a window.

        Returns
        -------
        DataFrame
            ``event_id``, ``ticker``, ``group`` (where given), ``ratio`` (2 is twice the expected volume), ``ci_lower``,
            ``ci_upper``, ``p_value`` (of the t-test that it is 1) and ``n_missing``.
        """
        window = self._window(start, end)
        found = self.car(window, confidence=confidence)
        used = (len(window) - found["n_missing"]).where(found["n_missing"] < len(window))
        columns = {"ratio": "car", "ci_lower": "ci_lower", "ci_upper": "ci_upper"}
        moved = {name: np.exp(found[column] / used) for name, column in columns.items()}
        return self._identity.assign(**moved, p_value=found["p_value"], n_missing=found["n_missing"])


def log_volume(
    volume: pd.DataFrame, shares: Shares | None = None, *, constant: float = TURNOVER_CONSTANT
) -> pd.DataFrame:
    """Logarithm of volume, or of turnover in per cent where shares outstanding are given.

    Parameters
    ----------
    volume : DataFrame, shape (n_sessions, n_securities)
        Shares traded, one column per ticker; NaN where missing.
    shares : mapping, Series or DataFrame, optional
        Shares outstanding by ticker (single shares, not millions), or dated: a frame whose rows hold from their date
        on. Turnover is ``ln(100 volume/shares + constant)``.
    constant : float
        Added to turnover in per cent.

    Returns
    -------
    DataFrame
        As ``volume``. Without shares a session without a trade is missing.

    Raises
    ------
    InputError
        On negative volume, or shares that lack a ticker or are not positive.

    References
    ----------
    Campbell, C. J. and Wasley, C. E. (1996). Measuring abnormal daily trading volume for samples of NYSE/ASE and NASDAQ
    securities using parametric and nonparametric test statistics. *Review of Quantitative Finance and Accounting* 6.
    Cready, W. M. and Ramanan, R. (1991). The power of tests employing log-transformed volume in detecting abnormal
    trading. *Journal of Accounting and Economics* 14.

    Examples
    --------
    >>> volume = pd.DataFrame({"A": [1_000.0, 2_000.0]}, index=pd.to_datetime(["2025-01-27", "2025-01-28"]))
    >>> log_volume(volume, {"A": 100_000})["A"].round(4).tolist()
    [0.0003, 0.6933]
    """
    volume = wide_pandas(volume, "volumes")
    values = volume.to_numpy(np.float64)
    if (values < 0.0).any() or np.isinf(values).any():
        row, column = np.argwhere((values < 0.0) | np.isinf(values))[0]
        raise InputError(
            f"{volume.columns[column]}: the volume of {volume.index[row]:%Y-%m-%d} is {values[row, column]:g}.",
            remedy="Volume is a number of shares; leave the cell empty where it is missing.",
            ticker=volume.columns[column],
            date=volume.index[row],
        )
    with np.errstate(divide="ignore"):
        if shares is None:
            logs = np.where(values > 0.0, np.log(values), np.nan)
        else:
            if isinstance(constant, bool) or not constant > 0.0:
                raise InputError(f"constant={constant!r} is not positive.", remedy=f"Such as {TURNOVER_CONSTANT}.")
            logs = np.log(100.0 * values / _outstanding(shares, volume) + constant)
    return pd.DataFrame(logs, index=volume.index, columns=volume.columns)


def _outstanding(shares: Shares, volume: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Shares outstanding for each session and ticker, shape of ``volume``."""
    known = wide_pandas(shares, "share counts") if is_table(shares) else pd.Series(shares, dtype=np.float64)
    names = known.columns if isinstance(known, pd.DataFrame) else known.index
    absent = [name for name in volume.columns if name not in names]
    if absent:
        raise InputError(
            f"No shares outstanding of {absent[0]}.", remedy="Give them for every ticker, or leave shares= out.",
            ticker=absent[0],
        )  # fmt: skip
    if isinstance(known, pd.DataFrame):
        dated = known[list(volume.columns)].sort_index()
        found = dated.reindex(dated.index.union(volume.index)).ffill().reindex(volume.index)
        values = found.to_numpy(np.float64)
    else:
        values = np.broadcast_to(known.reindex(volume.columns).to_numpy(np.float64), volume.shape)
    wrong = np.argwhere(~(values > 0.0) & volume.notna().to_numpy())
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"{volume.columns[column]}: no positive number of shares outstanding on {volume.index[row]:%Y-%m-%d}.",
            remedy="Give a number that holds from the first session on.",
            ticker=volume.columns[column],
            date=volume.index[row],
        )
    return np.asarray(values)


def abnormal_volume(
    prices: pd.DataFrame,
    events: Events,
    *,
    shares: Shares | None = None,
    market: str | Sequence[str] | None = None,
    constant: float = TURNOVER_CONSTANT,
    estimation_window: EstimationLike = (-270, -21),
    event_window: WindowLike = (-10, 10),
    **options: Any,
) -> VolumeResults:
    """Event study of trading volume: abnormal log volume (turnover) with every test of the battery.

    Parameters
    ----------
    prices : Prices or DataFrame
        Prices from a source with a ``volume`` field, or a wide frame of shares traded itself.
    events : Events
        The security-events.
    shares : mapping, Series or DataFrame, optional
        Shares outstanding, for turnover; see :func:`log_volume`. Shares that do not change within the windows only move
        the level, which the model takes out, so that log volume is as good.
    market : str or sequence of str, optional
        Securities whose mean log volume (turnover) is the regressor of a market model; by default the expected volume
        is the mean of the estimation window.
    constant : float
        Added to turnover in per cent before its logarithm.
    estimation_window, event_window, **options
        Of :class:`eventstudy.EventStudy`: ``min_obs``, ``calendar``, ``missing``, ``on_error``, ``confidence``,
        ``exclude``, ``exclude_events``.

    Returns
    -------
    VolumeResults
        In units of log volume: 0.69 is twice the expected volume.

    Raises
    ------
    InputError
        If the prices have no volume, or the market's securities are not among them.

    References
    ----------
    Campbell, C. J. and Wasley, C. E. (1996). Measuring abnormal daily trading volume for samples of NYSE/ASE and NASDAQ
    securities using parametric and nonparametric test statistics. *Review of Quantitative Finance and Accounting* 6.
    Ajinkya, B. B. and Jain, P. C. (1989). The behavior of daily stock market trading volume. *Journal of Accounting and
    Economics* 11.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=200)
    >>> traded = 1e6 * np.exp(np.random.default_rng(0).normal(0, 0.02, (200, 2)))
    >>> traded[180] *= 3
    >>> volume = pd.DataFrame(traded, index=days, columns=["A", "B"])
    >>> res = abnormal_volume(volume, Events.at(days[180], ["A", "B"]), estimation_window=(-150, -11),
    ...                       event_window=(-5, 5))
    >>> res.ratio(0, 0)["ratio"].round(1).tolist()
    [2.9, 3.1]
    """
    if isinstance(prices, Prices):
        try:
            volume = prices.field("volume")
        except InputError as error:
            raise InputError(
                "These prices have no volume; the bundled sample holds closes only.",
                remedy='Load from source="yahoo" or from a file with a volume column.',
                field="volume",
            ) from error
    elif is_table(prices):
        volume = wide_frame(prices, "volumes")
    else:
        raise InputError(
            f"prices must be Prices or a frame of shares traded, not {type(prices).__name__}.",
            remedy="Use load_prices(...).",
        )
    logs = log_volume(volume, shares, constant=constant)
    model: MeanAdjusted | MarketModel = MeanAdjusted()
    if market is not None:
        logs[_MARKET] = _market(logs, [market] if isinstance(market, str) else market)
        model = MarketModel(_MARKET)
    # the level of log volume is arbitrary, and sums of it are large: every model here has a constant
    logs = logs - logs.median()
    panel = ReturnPanel(
        np.ascontiguousarray(logs.to_numpy(np.float64).T),
        pd.Index(logs.columns, dtype=object),
        pd.DatetimeIndex(logs.index),
        "log",
        "log turnover" if shares is not None else "log volume",
    )
    res = EventStudy(panel, events, model, estimation_window, event_window, **options).fit()
    return VolumeResults(**{item.name: getattr(res, item.name) for item in fields(EventStudyResults)})


def _market(logs: pd.DataFrame, names: Iterable[str]) -> pd.Series[float]:
    """Mean log volume of the named securities; NaN where one lacks it, whose absence would move the mean."""
    chosen = list(names)
    absent = [name for name in chosen if name not in logs.columns]
    if absent or not chosen:
        raise InputError(
            f"market={chosen!r} names {absent[0]!r}, of which there is no volume." if absent else "market= is empty.",
            remedy="Name securities of the prices.",
        )
    return logs[chosen].mean(axis=1, skipna=False)
