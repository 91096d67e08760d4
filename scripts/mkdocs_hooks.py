"""What the pages of the reference need beyond MkDocs: cross-references of docstrings as plain code."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|meth|func|data|mod|attr|exc):(<code[^>]*>)~?([^<]*)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Show ``:meth:`~package.Class.method``` as ``method``, and without the tilde by its full name."""

    def plain(found: re.Match[str]) -> str:
        short = found[0].split(">", 1)[1].startswith("~")
        return f"{found[1]}{found[2].rpartition('.')[2] if short else found[2]}</code>"

    return _ROLE.sub(plain, html)
