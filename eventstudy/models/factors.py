"""Models of several factors, on raw or on excess returns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eventstudy._factor_names import held_as, official_name
from eventstudy._frames import is_table
from eventstudy._typing import FloatArray
from eventstudy.errors import EventStudyWarning, InputError
from eventstudy.kernels import LinearDesign
from eventstudy.models.linear import LinearModel, _check_name
from eventstudy.panel import ReturnPanel

__all__ = ["FactorModel"]

_MOST_SPREAD = 0.01  # s.d. per session or month; bill rates of a century of months stay below 0.003


@dataclass(frozen=True, slots=True, repr=False)
class FactorModel(LinearModel):
    """Linear model on several columns of the panel, with a constant: ``R = α + Σ β_j F_j + e``.

    Use it for a market index beside a sector index, for the Fama–French factors (:meth:`capm`, :meth:`ff3`,
    :meth:`carhart`, :meth:`ff5`, :meth:`ff6`), or for any factors that the panel holds as rows.

    Parameters
    ----------
    factors : sequence of str
        Rows of the panel, two or more as a rule; one is the market model.
    risk_free : str, optional
        Row of the panel with the riskless rate (decimal per session). With it the regression is one of excess
        returns, ``R − R_f = α + Σ β_j F_j + e``, and the expected return is ``R_f + α + Σ β_j F_j``: abnormal returns
        stay on the scale of returns.
    total_returns : sequence of str
        Those of ``factors`` that are total returns, of a fund for instance; the riskless rate is taken from them. The
        others are excess or long–short returns and are used as they are.
    label : str
        Short name for tables.

    Raises
    ------
    InputError
        If no factor is named, or one twice; if ``total_returns`` names no factor, or there is no ``risk_free``.

    Notes
    -----
    The official names (``Mkt-RF``, ``SMB``, ``HML``, ``RMW``, ``CMA``, ``Mom``, ``RF``) find rows that are spelt
    ``mkt_rf`` or ``UMD`` too. The SMB of the five-factor file is another series than that of the three-factor
    file; it is called ``SMB5`` here. ``K = p + 1``; the forecast error is the exact one of the linear models.

    References
    ----------
    Carhart, M. M. (1997). On persistence in mutual fund performance. *Journal of Finance* 52.
    Fama, E. F. and French, K. R. (1993). Common risk factors in the returns on stocks and bonds. *Journal of Financial
    Economics* 33.
    Fama, E. F. and French, K. R. (2015). A five-factor asset pricing model. *Journal of Financial Economics* 116.
    MacKinlay, A. C. (1997). Event studies in economics and finance. *Journal of Economic Literature* 35, section 4.

    Examples
    --------
    >>> FactorModel(["SPY", "SMH"])
    FactorModel(['SPY', 'SMH'])
    >>> FactorModel.capm("SPY")
    FactorModel(['SPY'], risk_free='RF', total_returns=['SPY'], label='capm')
    >>> FactorModel.carhart().benchmarks
    ('Mkt-RF', 'SMB', 'HML', 'Mom', 'RF')
    """

    factors: Sequence[str]
    risk_free: str | None = None
    total_returns: Sequence[str] = ()
    label: str = "factors"

    def __post_init__(self) -> None:
        names = _names(self.factors)
        if not names:
            raise InputError("A factor model needs at least one factor.", remedy='Such as FactorModel(["SPY", "SMH"]).')
        if len(set(names)) < len(names):
            raise InputError(f"A factor is named twice in {list(names)}.", remedy="Name each once.")
        if self.risk_free is not None:
            _check_name(self.risk_free)
            if self.risk_free in names:
                raise InputError(
                    f"{self.risk_free} is both a factor and the riskless rate.", remedy="Leave it out of the factors."
                )
        gross = _names(self.total_returns)
        if gross and self.risk_free is None:
            raise InputError(
                "total_returns= has no meaning without a riskless rate.", remedy='Add risk_free="RF", or drop it.'
            )
        for name in gross:
            if name not in names:
                raise InputError(
                    f"total_returns names {name!r}, which is not among the factors {list(names)}.",
                    remedy="Name factors only.",
                )
        if not isinstance(self.label, str) or not self.label:
            raise InputError(f"label={self.label!r} is not a name.", remedy='Such as "factors".')
        object.__setattr__(self, "factors", names)
        object.__setattr__(self, "total_returns", gross)

    @classmethod
    def capm(
        cls, market: str = "Mkt-RF", rf: str = "RF", *, excess: bool | None = None, prefix: str = ""
    ) -> FactorModel:
        """Capital asset pricing model, ``R − R_f = α + β (R_m − R_f) + e``.

        Parameters
        ----------
        market : str
            The market: ``"Mkt-RF"``, an excess return already, or a security such as ``"SPY"``.
        rf : str
            The riskless rate.
        excess : bool, optional
            Whether ``market`` is an excess return; by default only ``Mkt-RF`` is.
        prefix : str
            As in :meth:`ff3`; before ``Mkt-RF`` and ``RF`` only.

        References
        ----------
        Sharpe, W. F. (1964). Capital asset prices. *Journal of Finance* 19.

        Examples
        --------
        >>> FactorModel.capm("SPY").total_returns
        ('SPY',)
        """
        _check_name(market)
        official = official_name(market) == "Mkt-RF"
        name = prefix + market if official else market
        already = official if excess is None else excess
        return cls((name,), prefix + rf, () if already else (name,), "capm")

    @classmethod
    def ff3(cls, *, prefix: str = "") -> FactorModel:
        """Three-factor model: market, size and value.

        Parameters
        ----------
        prefix : str
            What :meth:`eventstudy.ReturnPanel.with_factors` put before the factors' names.

        References
        ----------
        Fama, E. F. and French, K. R. (1993). Common risk factors in the returns on stocks and bonds. *Journal of
        Financial Economics* 33.
        """
        return cls._french(("Mkt-RF", "SMB", "HML"), prefix, "ff3")

    @classmethod
    def carhart(cls, *, prefix: str = "") -> FactorModel:
        """Four-factor model: the three factors and momentum; ``prefix`` as in :meth:`ff3`.

        References
        ----------
        Carhart, M. M. (1997). On persistence in mutual fund performance. *Journal of Finance* 52.
        """
        return cls._french(("Mkt-RF", "SMB", "HML", "Mom"), prefix, "carhart")

    @classmethod
    def ff5(cls, *, prefix: str = "") -> FactorModel:
        """Five-factor model: market, size, value, profitability and investment; ``prefix`` as in :meth:`ff3`.

        References
        ----------
        Fama, E. F. and French, K. R. (2015). A five-factor asset pricing model. *Journal of Financial Economics* 116.
        """
        return cls._french(("Mkt-RF", "SMB5", "HML", "RMW", "CMA"), prefix, "ff5")

    @classmethod
    def ff6(cls, *, prefix: str = "") -> FactorModel:
        """The five factors and momentum; ``prefix`` as in :meth:`ff3`.

        References
        ----------
        Fama, E. F. and French, K. R. (2018). Choosing factors. *Journal of Financial Economics* 128.
        """
        return cls._french(("Mkt-RF", "SMB5", "HML", "RMW", "CMA", "Mom"), prefix, "ff6")

    @classmethod
    def _french(cls, names: Sequence[str], prefix: str, label: str) -> FactorModel:
        return cls(tuple(prefix + name for name in names), prefix + "RF", (), label)

    def __repr__(self) -> str:
        given = [repr(list(self.factors))]
        if self.risk_free is not None:
            given.append(f"risk_free={self.risk_free!r}")
        if self.total_returns:
            given.append(f"total_returns={list(self.total_returns)!r}")
        if self.label != "factors":
            given.append(f"label={self.label!r}")
        return f"FactorModel({', '.join(given)})"

    @property
    def name(self) -> str:
        """Short name."""
        return self.label

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The factors, and the riskless rate where there is one."""
        return (*self.factors, *(() if self.risk_free is None else (self.risk_free,)))

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        return ("alpha", *(f"beta_{name}" for name in self.factors))

    def design(self, panel: ReturnPanel) -> LinearDesign:
        """A constant and the factors; the riskless rate is taken from the returns."""
        factors = panel.take(self.factors)
        if self.risk_free is None:
            return LinearDesign(factors, None, True)
        rate = panel.values[panel.row(self.risk_free)]
        _check_rate(rate, self.risk_free)
        _check_size(panel, self.factors)
        for at, name in enumerate(self.factors):
            if name in self.total_returns:
                factors[at] -= rate
        return LinearDesign(factors, rate, True)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    if is_table(given):
        raise InputError(
            "A factor model names its factors; the returns themselves belong to the panel.",
            remedy="Add them there, panel.with_factors(frame), and name the columns: FactorModel(list(frame)).",
        )
    try:
        names = (given,) if isinstance(given, str) else tuple(given)
    except TypeError:
        names = ()
    for name in names:
        _check_name(name)
    return names


def _check_rate(rate: FloatArray, name: str) -> None:
    """A stock has the ticker RF; no riskless rate moves like one."""
    there = rate[~np.isnan(rate)]
    if len(there) > 1 and there.std() > _MOST_SPREAD:
        raise InputError(
            f"{name} is named as the riskless rate, but has a standard deviation of {there.std():.2%} a session.",
            remedy="Is it a stock, or in per cent? Add the rate with ReturnPanel.with_factors, under a prefix if a "
            "stock has its name.",
            ticker=name,
        )


def _check_size(panel: ReturnPanel, factors: Sequence[str]) -> None:
    """Warn of a three-factor model on an SMB that stands beside RMW and CMA, as in the five-factor file."""
    official = {official_name(name) for name in factors}
    if "SMB" not in official or official & {"SMB5", "RMW", "CMA"}:
        return
    if held_as("RMW", panel.tickers) and held_as("CMA", panel.tickers) and "SMB5" not in panel.tickers:
        warnings.warn(
            "SMB stands beside RMW and CMA in the panel, so it may be that of the five-factor file, another series "
            'than the three-factor model asks for. load_factors("ff3+ff5") keeps them apart.',
            EventStudyWarning,
            stacklevel=2,
        )
