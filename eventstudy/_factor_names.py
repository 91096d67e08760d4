"""Names of the factors of the Kenneth R. French Data Library, however they are spelt."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from eventstudy.errors import InputError

__all__ = ["FACTORS", "held_as", "official_name"]

FACTORS: Final = ("Mkt-RF", "SMB", "SMB5", "HML", "RMW", "CMA", "Mom", "RF")
"""Official names; ``SMB5`` is the library's own word for the SMB of the five-factor file, which is another series."""

_SPELLINGS: Final = {re.sub("[^a-z0-9]", "", name.lower()): name for name in FACTORS} | {"rmrf": "Mkt-RF", "umd": "Mom"}


def official_name(name: object) -> str | None:
    """Official name of a factor, or None for anything else.

    Examples
    --------
    >>> official_name("mkt_rf"), official_name("Mom   "), official_name("UMD"), official_name("SPY")
    ('Mkt-RF', 'Mom', 'Mom', None)
    """
    return _SPELLINGS.get(re.sub("[^a-z0-9]", "", str(name).lower()))


def held_as(name: object, names: Collection[Any]) -> Any:
    """The one of ``names`` that spells the factor ``name`` in another way, or None.

    ``SMB5`` is found as ``SMB`` too, where the caller's own data call it so; never the other way round.

    Raises
    ------
    InputError
        If ``SMB`` is asked for and ``names`` hold the five-factor SMB only.
    """
    wanted = official_name(name)
    if wanted is None:
        return None
    by_name: dict[str | None, Any] = {}
    for held in names:
        by_name.setdefault(official_name(held), held)
    if wanted == "SMB" and "SMB" not in by_name and "SMB5" in by_name:
        raise InputError(
            f"The panel holds the SMB of the five-factor file ({by_name['SMB5']}), not that of the three-factor file "
            f"({name}); they are different series.",
            remedy='Load both: load_factors("ff3+ff5"); or name SMB5 in the model, if that is what you want.',
            ticker=name,
        )
    found = by_name.get(wanted)
    return by_name.get("SMB") if found is None and wanted == "SMB5" else found
