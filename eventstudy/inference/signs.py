"""Sign and signed-rank tests across security-events."""

from __future__ import annotations

import numpy as np
from scipy import special

from eventstudy._typing import FloatArray
from eventstudy.inference.base import Outcome, OwnLaw, TestSample, register
from eventstudy.inference.ranks import session_statistic
from eventstudy.inference.sessions import midranks

__all__ = ["corrado_sign", "generalized_sign_z", "sign_z", "wilcoxon"]

_EXACT_SIGNS = 25  # events up to which the binomial law is used as it is
_EXACT_RANKS = 50  # events up to which the law of signed ranks is counted out, as in scipy and R


def _not_zero(sample: TestSample) -> FloatArray | str:
    """CARs that have a sign, or why there is none."""
    car = sample.car[~np.isnan(sample.car)]
    if not len(car):
        return "no event has a CAR"
    signed: FloatArray = car[car != 0.0]
    return signed if len(signed) else f"the CARs of all {len(car)} events are zero"


@register("sign_z", null="P(CAR > 0) = ½", valid_under_clustering=False, source="—")
def sign_z(sample: TestSample) -> Outcome:
    """Sign test: ``(N₊ − N/2)/(½√N)``, standard normal; the exact binomial p-value for 25 events or fewer.

    ``N₊`` of ``N`` CARs are positive; CARs of exactly zero have no sign and do not count. Robust to outliers and to
    variance that the event raises; not to cross-correlation, nor to skewness, which moves the median of a CAR off
    zero. Events are weighted equally.
    """
    car = _not_zero(sample)
    if isinstance(car, str):
        return car
    n, up = len(car), int((car > 0).sum())
    z = (up - 0.5 * n) / (0.5 * np.sqrt(n))
    if n > _EXACT_SIGNS:
        return float(z), float("inf"), n
    return OwnLaw(float(z), min(1.0, 2.0 * float(special.bdtr(min(up, n - up), n, 0.5))), n)


@register(
    "generalized_sign_z",
    null="P(CAR > 0) as in the estimation window",
    valid_under_clustering=False,
    source="Cowan 1992",
)
def generalized_sign_z(sample: TestSample) -> Outcome:
    """Cowan's generalised sign test: ``(N₊ − N p̂)/√(N p̂ (1 − p̂))``, standard normal.

    ``p̂`` is the mean over events of the positive share of the estimation window: of its abnormal returns for a day, of
    its overlapping ``L``-session sums for a window of ``L``. Zero counts as not positive, in both. Robust to skewness,
    to outliers and to variance that the event raises; not to cross-correlation. Events are weighted equally.

    References
    ----------
    Cowan, A. R. (1992). Nonparametric event study tests. *Review of Quantitative Finance and Accounting* 2.
    """
    if sample.positive_share is None:
        return "the positive shares of the estimation windows were not given"
    there = ~np.isnan(sample.car) & ~np.isnan(sample.positive_share)
    n = int(there.sum())
    if n == 0:
        return f"no event has a CAR and {len(sample.window)} sessions in a row in its estimation window"
    share = float(sample.positive_share[there].mean())
    variance = n * share * (1.0 - share)
    if variance <= 1e-12:
        return "the sums of the estimation windows all have the same sign"
    up = int((sample.car[there] > 0).sum())
    return float((up - n * share) / np.sqrt(variance)), float("inf"), n


@register(
    "corrado_sign",
    null="the median abnormal return of the window is that of the other sessions",
    valid_under_clustering=True,
    source="Corrado & Zivney 1992",
)
def corrado_sign(sample: TestSample) -> Outcome:
    """Corrado and Zivney's sign test about the median, standard normal.

    ``G = sign(AR − median)``, the median of each event over the estimation and the event window; with ``Ḡ_t`` the mean
    of session ``t``, a day's statistic is ``Ḡ_τ/S``, a window's ``√L Ḡ_W/S``, ``S² = mean_t (N_t/N) Ḡ_t²`` over all
    sessions. Robust to skewness and outliers, to variance that the event raises, and, as ``S`` is taken over time, to
    cross-correlation of events that share dates. Events are weighted equally.

    References
    ----------
    Corrado, C. J. and Zivney, T. L. (1992). The specification and power of the sign test in event study hypothesis
    tests using daily stock returns. *Journal of Financial and Quantitative Analysis* 27.
    """
    if sample.sessions is None:
        return "the abnormal returns of both windows, by session, were not given"
    return session_statistic(sample, sample.sessions.sign, 0.0)


@register("wilcoxon", null="CARs are symmetric about 0", valid_under_clustering=False, source="Wilcoxon 1945")
def wilcoxon(sample: TestSample) -> Outcome:
    """Wilcoxon's signed-rank test; the statistic is the sum of the ranks of positive CARs (R's ``V``).

    Zeros are left out, ties share their mean rank. Up to 50 events the p-value is exact (given the ties); beyond it is
    normal, with the variance corrected for ties and no continuity correction. Robust to outliers and to variance that
    the event raises; not to cross-correlation, nor to skewness. Events are weighted equally.

    References
    ----------
    Wilcoxon, F. (1945). Individual comparisons by ranking methods. *Biometrics Bulletin* 1.
    """
    car = _not_zero(sample)
    if isinstance(car, str):
        return car
    n = len(car)
    rank = midranks(np.abs(car)[None, :])[0]
    up = float(rank[car > 0].sum())
    if n <= _EXACT_RANKS:
        return OwnLaw(up, _signed_rank_p_value(rank, up), n)
    mean, variance = n * (n + 1) / 4.0, float((rank**2).sum()) / 4.0
    p_value = 2.0 * float(special.ndtr(-abs(up - mean) / np.sqrt(variance)))
    return OwnLaw(up, p_value, n)


def _signed_rank_p_value(rank: FloatArray, up: float) -> float:
    """Two-sided p-value when every rank is positive or not with chance one half, independently."""
    doubled = np.rint(2.0 * rank).astype(np.int64)  # midranks are multiples of one half
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for step in doubled.tolist():
        chance[step:] = chance[step:] + chance[: len(chance) - step]
        chance *= 0.5
    return min(1.0, 2.0 * float(chance[: round(2.0 * min(up, rank.sum() - up)) + 1].sum()))
