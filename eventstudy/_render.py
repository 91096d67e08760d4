"""The one number formatter, and summaries that show themselves as text, HTML and LaTeX."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import pandas as pd

__all__ = ["Section", "Summary", "money", "number", "p_value", "percent"]


def number(value: object, digits: int = 2) -> str:
    """Number with a true minus sign and fixed decimals; text as it is, an en dash for a missing value."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, date):
        moment = isinstance(value, datetime) and value.tzinfo is not None
        return f"{value:%Y-%m-%d %H:%M %Z}" if moment else f"{value:%Y-%m-%d}"
    if isinstance(value, int) or (hasattr(value, "dtype") and str(getattr(value, "dtype", "")).startswith("int")):
        return f"{value:d}".replace("-", "−")
    figure = float(value)  # type: ignore[arg-type]
    if math.isnan(figure):
        return "–"
    if math.isinf(figure):
        return "∞" if figure > 0 else "−∞"
    shown = f"{figure:.{digits}f}"
    if not shown.strip("-0."):
        shown = shown.lstrip("-")  # no negative zero
    return shown.replace("-", "−")


def percent(value: object, digits: int = 2) -> str:
    """Decimal as per cent with its sign: 0.0123 is ``+1.23 %``."""
    shown = number(None if value is None else float(value) * 100, digits)  # type: ignore[arg-type]
    if shown == "–":
        return shown
    return f"{shown if shown.startswith('−') or not shown.strip('0.') else '+' + shown} %"


def money(value: object, digits: int = 1) -> str:
    """Amount in thousand millions (``bn``) or millions (``m``): −592700000000.0 is ``−592.7 bn``, without currency."""
    figure = float("nan") if value is None else float(value)  # type: ignore[arg-type]
    for unit, size in (("bn", 1e9), ("m", 1e6)):
        if abs(figure) >= size * (1.0 - 0.5 * 10.0**-digits / 1e3):
            return f"{number(figure / size, digits)} {unit}"
    return number(figure, digits)


def size(value: object) -> str:
    """Decimal as per cent without a sign: of a standard error."""
    return percent(value).lstrip("+")


def p_value(value: object) -> str:
    """P-value with three decimals, ``<0.001`` below."""
    if value is None or math.isnan(float(value)):  # type: ignore[arg-type]
        return "–"
    return "<0.001" if float(value) < 0.001 else number(value, 3)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table with notes.

    Parameters
    ----------
    title : str
        Heading.
    frame : DataFrame or None
        Table; its index becomes the first columns.
    formats : mapping of str to callable
        Formatter per column; :func:`number` otherwise.
    notes : sequence of str
        Sentences below it.
    """

    title: str
    frame: pd.DataFrame | None = None
    formats: Mapping[str, Callable[[object], str]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as text."""
        if self.frame is None:
            return [], []
        frame = self.frame.reset_index() if self.frame.index.name else self.frame
        header = [str(name) for name in frame.columns]
        columns = [[self.formats.get(name, number)(value) for value in frame[name]] for name in frame.columns]
        return header, [list(row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Summary:
    """A result as people read it: ``print`` it, show it in a notebook, or call :meth:`to_latex`.

    Parameters
    ----------
    title : str
        Heading.
    facts : sequence of (str, str)
        Names and values above the tables.
    sections : sequence of Section
        Tables.
    notes : sequence of str
        Caveats, in full sentences.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [self.title, "=" * len(self.title)]
        width = max((len(name) for name, _ in self.facts), default=0)
        lines += [f"{name:<{width}}  {value}" for name, value in self.facts]
        for section in self.sections:
            lines += ["", section.title, *_text_table(*section.cells()), *section.notes]
        if self.notes:
            lines += ["", *self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        escape = html.escape
        parts = [f"<h3>{escape(self.title)}</h3><table>"]
        parts += [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.facts]
        parts.append("</table>")
        for section in self.sections:
            header, rows = section.cells()
            parts.append(f"<h4>{escape(section.title)}</h4>")
            if header:
                parts.append("<table><thead><tr>" + "".join(f"<th>{escape(name)}</th>" for name in header))
                parts.append("</tr></thead><tbody>")
                parts += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
                parts.append("</tbody></table>")
            parts += [f"<p>{escape(note)}</p>" for note in section.notes]
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        return "".join(parts)

    def to_latex(self) -> str:
        """The tables in LaTeX, with booktabs rules."""
        parts = []
        for section in self.sections:
            header, rows = section.cells()
            if not header:
                continue
            parts += [f"% {section.title}", rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\toprule"]
            parts += [" & ".join(map(_latex, row)) + r" \\" for row in [header]]
            parts += [r"\midrule", *(" & ".join(map(_latex, row)) + r" \\" for row in rows)]
            parts += [r"\bottomrule", r"\end{tabular}", r"\bigskip", ""]
        return "\n".join(parts)


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "–": "--",
    "∞": r"$\infty$",
    "[": "{[}",  # or LaTeX would read a length in a window that begins a row
    "<": "$<$",
    ">": "$>$",
    "\n": " ",
    "\r": " ",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _text_table(header: list[str], rows: list[list[str]]) -> list[str]:
    if not header:
        return []
    numeric = [all(_looks_numeric(row[column]) for row in rows) for column in range(len(header))]
    width = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        shown = (
            cell.rjust(size) if right else cell.ljust(size)
            for cell, size, right in zip(cells, width, numeric, strict=True)
        )
        return "  ".join(shown).rstrip()

    return [line(header), "  ".join("-" * size for size in width), *map(line, rows)]


def _looks_numeric(cell: str) -> bool:
    return cell in {"–", "∞", "yes", "no"} or cell.lstrip("+−<").replace(" %", "").replace(".", "", 1).isdigit()
