"""Normal-return models."""

from eventstudy.models.arrays import ArrayFit, EventData, event_data
from eventstudy.models.base import ModelFit, NormalReturnModel
from eventstudy.models.factors import FactorModel
from eventstudy.models.garch import GARCHMarketModel
from eventstudy.models.latent import LatentFactors
from eventstudy.models.linear import LinearFit, MarketAdjusted, MarketModel, MeanAdjusted
from eventstudy.models.named import MODELS, NamedModel, find_model, named_model
from eventstudy.models.peers import PeerPortfolio
from eventstudy.models.robust import RobustMarketModel
from eventstudy.models.synthetic_control import SyntheticControl, SyntheticFit, donor_weights
from eventstudy.models.thin_trading import Dimson, ScholesWilliams
from eventstudy.models.time_varying import EWMAMarketModel, RollingMarketModel

__all__ = [
    "MODELS",
    "ArrayFit",
    "Dimson",
    "EWMAMarketModel",
    "EventData",
    "FactorModel",
    "GARCHMarketModel",
    "LatentFactors",
    "LinearFit",
    "MarketAdjusted",
    "MarketModel",
    "MeanAdjusted",
    "ModelFit",
    "NamedModel",
    "NormalReturnModel",
    "PeerPortfolio",
    "RobustMarketModel",
    "RollingMarketModel",
    "ScholesWilliams",
    "SyntheticControl",
    "SyntheticFit",
    "donor_weights",
    "event_data",
    "find_model",
    "named_model",
]
