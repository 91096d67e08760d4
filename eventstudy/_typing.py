"""Array aliases and the literal options of the public interface."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

ReturnKind: TypeAlias = Literal["simple", "log"]
Frequency: TypeAlias = Literal["D", "W", "M", "intraday"]
OnError: TypeAlias = Literal["drop", "raise"]
