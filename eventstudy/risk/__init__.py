"""Risk around the event: volatility, variance, betas, correlations, volume and losses, before and after.

Plain functions on arrays and frames; ``results.risk`` (:class:`Risk`) applies them to the events of a study.
"""

from eventstudy.risk.accessor import Risk
from eventstudy.risk.beta import BetaShift, beta_shift
from eventstudy.risk.comovement import CorrelationChange, correlation_change
from eventstudy.risk.contagion import contagion
from eventstudy.risk.correlation import Jennrich, absorption_ratio, forbes_rigobon, jennrich, mean_correlation
from eventstudy.risk.garch import Garch, fit_garch
from eventstudy.risk.losses import Drawdown, drawdown, expected_shortfall, value_at_risk
from eventstudy.risk.ranges import close_to_close, garman_klass, parkinson, rogers_satchell, yang_zhang
from eventstudy.risk.volatility import VarianceRatio, brown_forsythe, log_variance_ratio, variance_f
from eventstudy.risk.volume import VolumeResults, abnormal_volume, log_volume

__all__ = [
    "BetaShift",
    "CorrelationChange",
    "Drawdown",
    "Garch",
    "Jennrich",
    "Risk",
    "VarianceRatio",
    "VolumeResults",
    "abnormal_volume",
    "absorption_ratio",
    "beta_shift",
    "brown_forsythe",
    "close_to_close",
    "contagion",
    "correlation_change",
    "drawdown",
    "expected_shortfall",
    "fit_garch",
    "forbes_rigobon",
    "garman_klass",
    "jennrich",
    "log_variance_ratio",
    "log_volume",
    "mean_correlation",
    "parkinson",
    "rogers_satchell",
    "value_at_risk",
    "variance_f",
    "yang_zhang",
]
