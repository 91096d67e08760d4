"""Normal-return models."""

from eventstudy.models.base import ModelFit, NormalReturnModel
from eventstudy.models.linear import FactorModel, LinearFit, MarketAdjusted, MarketModel, MeanAdjusted

__all__ = [
    "FactorModel",
    "LinearFit",
    "MarketAdjusted",
    "MarketModel",
    "MeanAdjusted",
    "ModelFit",
    "NormalReturnModel",
]
