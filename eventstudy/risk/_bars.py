"""Session values of a volatility estimator for the securities of a study, from its returns or from bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._frames import wide_pandas
from eventstudy._typing import FloatArray
from eventstudy.errors import InputError
from eventstudy.risk.ranges import RangeEstimator, bad_bars

if TYPE_CHECKING:
    from eventstudy.panel import ReturnPanel

__all__ = ["BarsLike", "range_values", "read_bars"]

BarsLike: TypeAlias = "pd.DataFrame | Mapping[str, pd.DataFrame]"


def read_bars(prices: BarsLike | None, estimator: RangeEstimator) -> dict[str, pd.DataFrame]:
    """Open, high, low and close as far as the estimator reads them, on the basis of adjusted closes where these exist.

    Parameters
    ----------
    prices : Prices or mapping of str to DataFrame
        Prices from a source with bars, or wide frames by name.

    Raises
    ------
    InputError
        If there are none; the sample holds closes only.
    """
    from eventstudy.data.prices import Prices

    what = f"The estimator {estimator.name!r} reads {', '.join(estimator.fields)}"
    remedy = 'Load prices with bars (source="yahoo", or a file with these columns), or use estimator="close".'
    if isinstance(prices, Prices):
        try:
            bars = {name: prices.field(name) for name in dict.fromkeys((*estimator.fields, "close"))}
        except InputError as error:
            raise InputError(
                f"{what}, which these prices lack; the bundled sample holds closes only.", remedy=remedy
            ) from error
        # bars are traded prices; adjusted closes hold dividends (and splits) as well, so that nights compare
        factor = prices.astype(np.float64) / bars["close"]
        return {name: bars[name] * factor for name in estimator.fields}
    if isinstance(prices, Mapping):
        lacking = [name for name in estimator.fields if name not in prices]
        if lacking:
            raise InputError(f"{what}; {lacking[0]!r} is not among {list(prices)}.", remedy=remedy)
        return {name: wide_pandas(prices[name], f"{name} prices") for name in estimator.fields}
    given = "no prices were given" if prices is None else f"a {type(prices).__name__} holds one price a day"
    raise InputError(f"{what}: {given}.", remedy=f"Pass prices=load_prices(...). {remedy}")


def range_values(
    panel: ReturnPanel, tickers: list[str], prices: BarsLike | None, estimator: RangeEstimator
) -> FloatArray:
    """Session values of the estimator, shape (q, n_tickers, n_sessions), on the panel's sessions.

    Raises
    ------
    InputError
        If a ticker has no bars, or a bar cannot be; ticker and date are named.
    """
    bars = read_bars(prices, estimator)
    absent = [name for name in tickers if any(name not in frame.columns for frame in bars.values())]
    if absent:
        raise InputError(
            f"The prices have no bars of {absent[0]}.", remedy="Load every security of the study.", ticker=absent[0]
        )
    # the first return needs a close before the panel, which the prices have
    sessions = bars[estimator.fields[0]].index.union(panel.sessions)
    matrices = {
        name: np.ascontiguousarray(frame.reindex(index=sessions, columns=tickers).to_numpy(np.float64).T)
        for name, frame in bars.items()
    }
    wrong = np.argwhere(bad_bars(matrices))
    if len(wrong):
        row, column = wrong[0]
        shown = ", ".join(f"{name} {matrix[row, column]:.6g}" for name, matrix in matrices.items())
        raise InputError(
            f"{tickers[row]}: the bar of {sessions[column]:%Y-%m-%d} cannot be: {shown}.",
            remedy="Prices are positive and low ≤ open, close ≤ high; correct it, or leave the cells empty.",
            ticker=tickers[row],
            date=sessions[column],
        )
    values = estimator.session(matrices)
    return np.ascontiguousarray(values[..., sessions.get_indexer(panel.sessions)])
