"""Every table of the study that is not one of a single estimation."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

import eventstudy as es
from deepseek.design import CHIPS, POWER, SELL_OFF, SOFTWARE, WINDOWS, Study

AFTER = (1, 20)  # sessions after the article's, as many as make a month
BEFORE = (-60, -11)  # ends before R1
PAIRS = ((SOFTWARE, CHIPS), (SOFTWARE, POWER), (CHIPS, POWER))


def tables(study: Study) -> dict[str, pd.DataFrame]:
    """All tables by the name of their file."""
    return {
        "car_by_security": stacked(study, "car"),
        "ar_by_security": stacked(study, "abnormal_returns"),
        "groups": stacked(study, "group_caar"),
        "tests": stacked(study, "tests"),
        "four_dates_by_security": by_date(study, lambda res, window: res.car(window, adjusted=True)),
        "four_dates_by_group": by_date(study, lambda res, window: res.spillover.groups(window).reset_index()),
        "four_dates_long_short": by_date(study, long_short),
        "four_dates_variance": by_date(study, lambda res, window: res.risk.induced_variance(window)),
        "confounders": confounders(study),
        "market_value_by_security": money(study, "securities"),
        "market_value_by_group": money(study, "groups"),
        "volatility": study.plain.risk.volatility(BEFORE, AFTER),
        "volatility_abnormal": study.plain.risk.volatility(BEFORE, AFTER, abnormal=True),
        "betas": study.plain.risk.beta_shift(after=AFTER),
        "correlation": correlation(study),
        "contagion_from_nvda": study.plain.risk.contagion("NVDA", after=AFTER),
        "lead_lag": study.plain.spillover.lead_lag(CHIPS, SOFTWARE).reset_index(),
        "garch": study.plain.risk.garch(0, 0),
        "influence": study.plain.influence(0, 0),
    }


def stacked(study: Study, table: str) -> pd.DataFrame:
    """One table of both estimations, with the benchmark in the first column."""
    frames = {name: res.frames(WINDOWS)[table] for name, res in study.results.items()}
    return pd.concat(frames, names=["benchmark"]).reset_index(level=0)


def by_date(study: Study, table: Callable[[es.EventStudyResults, es.Window], pd.DataFrame]) -> pd.DataFrame:
    """One table over the windows of the four dates and of both estimations, the date and benchmark first."""
    frames = {
        (name, bench): table(res, window)
        for name, window in study.windows.items()
        for bench, res in study.results.items()
    }
    return pd.concat(frames, names=["event", "benchmark"]).reset_index(level=[0, 1]).reset_index(drop=True)


def long_short(res: es.EventStudyResults, window: es.Window) -> pd.DataFrame:
    """Portfolios long one group and short another."""
    return pd.concat([res.spillover.long_short(long, short, window) for long, short in PAIRS])


def confounders(study: Study) -> pd.DataFrame:
    """Other dated events in the event window, a row for each stock that they concern."""
    return study.plain.confounded_by(study.calendar, study.plain.fit.index.event)


def money(study: Study, part: str) -> pd.DataFrame:
    """Market value won or lost to abnormal returns on each of the four dates."""
    shares = es.SharesOutstanding.sample()

    def table(res: es.EventStudyResults, window: es.Window) -> pd.DataFrame:
        frame: pd.DataFrame = getattr(res.market_value(shares, window), part)
        return frame if part == "securities" else frame.reset_index()

    return by_date(study, table)


def correlation(study: Study) -> pd.DataFrame:
    """Tests of the change of the correlation matrix, after the article and with the sell-off in the later window."""
    sell_off = study.windows[SELL_OFF]
    frames = {
        str(window): study.plain.risk.correlation(after=window).tests.reset_index()
        for window in (es.Window.of(AFTER), es.Window(sell_off.start, AFTER[1]))
    }
    return pd.concat(frames, names=["later_window"]).reset_index(level=0)
