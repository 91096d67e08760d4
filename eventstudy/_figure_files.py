"""Figures in the size of a page or a slide, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eventstudy._paths import as_path
from eventstudy.errors import DataSourceError, InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["save", "sized"]


@contextmanager
def sized(size: Literal["screen", "journal", "slide"]) -> Iterator[None]:
    """Shape figures for a page or a slide: those drawn within the block.

    Type stays at 8 to 11 points, so figures need no scaling on a page; a slide enlarges them.

    Parameters
    ----------
    size : {"screen", "journal", "slide"}
        "journal": 6.5 inches wide, the text width of a page: fewer panels side by side, no numbers in a heat map.
        What cannot be that narrow, such as three correlation matrices, keeps its width.
        "slide": 16 to 9. "screen", the default elsewhere: as each figure needs.

    Raises
    ------
    InputError
        For another size.

    Examples
    --------
    >>> import eventstudy as es
    >>> from eventstudy.plots import sized
    >>> prices = es.load_prices(["MSFT", "SPY"], source="sample")
    >>> study = es.EventStudy(es.ReturnPanel.from_prices(prices), es.Events.at("2025-01-27", "MSFT"),
    ...                       es.MarketModel("SPY"), estimation_window=(-260, -11), event_window=(-5, 5))
    >>> with sized("journal"):
    ...     figure = study.fit().plot.caar().figure
    >>> float(figure.get_size_inches()[0])
    6.5
    """
    from eventstudy import _style

    if size not in ("screen", "journal", "slide"):
        raise InputError(f"size={size!r} is not a size.", remedy='Use "screen", "journal" or "slide".')
    token = _style.size.set(size)
    try:
        yield
    finally:
        _style.size.reset(token)


def save(figure: Axes | Figure, path: str | Path, *, dpi: float = 200) -> Path:
    """Write a figure as PNG, SVG or PDF; the same figure gives the same bytes.

    No time stamp is written, and settings of the user such as ``savefig.bbox`` have no say.

    Parameters
    ----------
    figure : Axes or Figure
        What the methods of :class:`Plotter` return.
    path : str or Path
        File to write; its suffix is the format. Its directory is made if need be.
    dpi : float
        Dots per inch of a PNG.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the suffix is another one.
    DataSourceError
        If the file cannot be written.
    """
    from matplotlib.axes import Axes

    from eventstudy import _style

    whole = _style.figure_of(figure) if isinstance(figure, Axes) else figure
    out = as_path(path)
    metadata: dict[str, dict[str, Any]] = {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    if out.suffix.lower() not in metadata:
        raise InputError(f"{out.name!r} is not a .png, .svg or .pdf file.", remedy="Choose one of these suffixes.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _style.context():
            whole.savefig(out, dpi=dpi, metadata=metadata[out.suffix.lower()])
    except OSError as error:
        raise DataSourceError(f"Cannot write {out}: {error}.", remedy="Choose a place that can be written.") from error
    return out
