"""Every table of the study that is not one of a single estimation."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pandas as pd

import eventstudy as es
from deepseek.design import (
    CHIPS,
    DATES,
    ESTIMATION,
    GROUPS,
    MIN_OBS,
    MODELS,
    PEERS,
    POWER,
    R1,
    SELL_OFF,
    SOFTWARE,
    WINDOWS,
    Study,
)
from eventstudy import risk

AFTER = (1, 20)  # sessions after the article's, as many as make a month
BEFORE = (-60, -11)  # ends before R1
NEIGHBOURS = (-1, 1)  # the window in which the four dates run into one another
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
        "overlaps": overlaps(study),
        "market_value_by_security": money(study, "securities"),
        "market_value_by_group": money(study, "groups"),
        "volatility": study.plain.risk.volatility(BEFORE, AFTER),
        "volatility_abnormal": study.plain.risk.volatility(BEFORE, AFTER, abnormal=True),
        "betas": study.plain.risk.beta_shift(after=AFTER),
        "correlation": correlation(study),
        "contagion_from_nvda": study.plain.risk.contagion("NVDA", after=AFTER),
        "lead_lag": study.plain.spillover.lead_lag(CHIPS, SOFTWARE).reset_index(),
        "garch": study.plain.risk.garch(0, 0),
        "losses": by_date(study, lambda res, window: res.risk.losses(window)),
        "drawdown": study.plain.risk.drawdown((study.windows[SELL_OFF].start, AFTER[1])),
        "network": study.plain.spillover.network(after=AFTER, level=None),
        "influence": study.plain.influence(0, 0),
        "influence_of_peers": influence_of_peers(study),
        "earlier_days": earlier_days(study),
        "split_by_confounding": split_by_confounding(study),
        **from_bars(study),
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


def overlaps(study: Study) -> pd.DataFrame:
    """Pairs of the four dates whose windows of one session either side share sessions, for each stock."""
    rows = [(ticker, dated.first, dated.name) for dated in DATES for ticker in GROUPS]
    events = es.Events.from_frame(pd.DataFrame(rows, columns=["ticker", "date", "label"]))
    return events.overlaps(NEIGHBOURS, study.plain.study.returns)


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


def influence_of_peers(study: Study) -> pd.DataFrame:
    """What each peer does to the mean of the peers and to every p-value, on the article's day."""
    frames = {name: res.select(ticker=PEERS).influence(0, 0) for name, res in study.results.items()}
    return pd.concat(frames, names=["benchmark"]).reset_index(level=0)


def earlier_days(study: Study) -> pd.DataFrame:
    """The mean of the peers and its tests on every session before R1 that has returns enough, each estimated anew.

    What the tests do on days without the article: how often each rejects, and how the article's day ranks.
    """
    panel, zero = study.plain.study.returns, int(study.plain.fit.index.position[0])
    rows = []
    for name, model in MODELS.items():
        for at in range(MIN_OBS - ESTIMATION[1] - 1, zero + study.windows[R1].start):
            events = es.Events.at(panel.sessions[at], PEERS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", es.ClusteredEventsWarning)
                res = es.EventStudy(panel, events, model, ESTIMATION, (0, 0), min_obs=MIN_OBS).fit()
            p_values = res.tests(0, 0, resampling=False)["p_value"].dropna()
            row = {"benchmark": name, "session": panel.sessions[at], "caar": res.caar(0, 0)["caar"].iloc[0]}
            rows.append(row | {f"p_{test}": p for test, p in p_values.items()})
    return pd.DataFrame(rows)


def split_by_confounding(study: Study) -> pd.DataFrame:
    """Stocks without and with another dated event of their own in each window, such as results."""
    frames = {
        (str(es.Window.of(window)), name): res.split_by_confounding(study.calendar, window, reach="security")
        for window in WINDOWS
        for name, res in study.results.items()
    }
    return pd.concat(frames, names=["window", "benchmark"]).reset_index()


def from_bars(study: Study) -> dict[str, pd.DataFrame]:
    """Volatility from daily ranges and abnormal volume, where the prices have the columns."""
    if study.bars is None:
        return {}
    plain, bars = study.plain, study.bars
    ranges = {
        name: plain.risk.volatility(BEFORE, AFTER, estimator=name, prices=bars)
        for name in ("parkinson", "garman_klass", "yang_zhang")
    }
    index = plain.fit.index
    volume = risk.abnormal_volume(
        bars, plain.study.events, estimation_window=index.estimation, event_window=index.event
    )  # fmt: skip
    ratios = {name: volume.ratio(window) for name, window in study.windows.items()}
    return {
        "volatility_ranges": pd.concat(ranges, names=["estimator"]).reset_index(level=0),
        "abnormal_volume": pd.concat(ratios, names=["event"]).reset_index(level=0),
    }
