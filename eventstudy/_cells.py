"""Text in CSV files and workbooks: no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import re
from typing import Any, Final

import pandas as pd

__all__ = ["guarded", "guarded_text", "is_formula", "plain", "plain_text"]

# A spreadsheet runs what begins so, the full-width signs too; a number or a window such as -1:1 does no harm.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_HARMLESS: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?\d+:[+-]?\d+")
_QUOTED: Final = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula.

    Examples
    --------
    >>> is_formula("=1+1"), is_formula("-5"), is_formula("-1:1"), is_formula("MSFT")
    (True, False, False, False)
    """
    return _FORMULA.match(text) is not None and _HARMLESS.fullmatch(text) is None


def guarded_text(text: str) -> str:
    """``text`` with an apostrophe before it where a spreadsheet would run it; :func:`plain_text` takes it off.

    Examples
    --------
    >>> guarded_text("=HYPERLINK(1)"), guarded_text("'=1"), guarded_text("BRK-B")
    ("'=HYPERLINK(1)", "''=1", 'BRK-B')
    """
    return "'" + text if is_formula(text) or _QUOTED.match(text) else text


def plain_text(text: str) -> str:
    """``text`` as it was before :func:`guarded_text`.

    Examples
    --------
    >>> [plain_text(guarded_text(text)) for text in ("=1", "'=1", "'tis")]
    ['=1', "'=1", "'tis"]
    """
    return text[1:] if _QUOTED.match(text) else text


def guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Frame whose texts, headers among them, are safe in a CSV; numbers and dates are as they were."""
    return _changed(frame, guarded_text).set_axis(
        [guarded_text(name) if isinstance(name, str) else name for name in frame.columns], axis=1
    )


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Frame read from a CSV, as it was before :func:`guarded`."""
    return _changed(frame, plain_text).set_axis(
        [plain_text(name) if isinstance(name, str) else name for name in frame.columns], axis=1
    )


def _changed(frame: pd.DataFrame, change: Any) -> pd.DataFrame:
    out = frame.copy(deep=False)
    for at in range(frame.shape[1]):
        column = frame.iloc[:, at]
        if not (column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)):
            continue
        values = column.to_numpy(dtype=object)
        texts = {value for value in values if isinstance(value, str)}  # a million cells have few texts
        new = {text: safe for text in texts if (safe := change(text)) != text}
        if new:
            cells = [new.get(value, value) if isinstance(value, str) else value for value in values]
            out.isetitem(at, pd.Series(cells, dtype=object).array)
    return out
