"""A folder of price files, one for each security."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from eventstudy.data.bars import Bars
from eventstudy.data.providers import SUFFIXES, FileProvider, unknown_ticker
from eventstudy.data.vendors import file_symbols, matching
from eventstudy.errors import DataSourceError

__all__ = ["FolderProvider"]


class FolderProvider:
    """Prices from a folder of files of one security each, named after it: ``MSFT.csv``, ``aapl.us.txt``.

    Parameters
    ----------
    path : str or Path
        The folder; folders within it are not entered.
    currency, max_bytes : optional
        As :class:`FileProvider`, of each file.

    Notes
    -----
    Names are matched without regard to case. ``aapl.us.txt``, ``aapl_us_d.csv`` and ``daily_adjusted_AAPL.csv``
    also stand for ``AAPL``. A ticker is only compared with the names that the folder has, never made part of a
    path.
    """

    name = "file"

    def __init__(self, path: str | Path, *, currency: str | None = None, max_bytes: int | None = None) -> None:
        self._path = Path(path)
        self._currency = currency
        self._max_bytes = max_bytes

    def fetch(
        self, symbols: Sequence[str], start: date | None, end: date | None, interval: str = "1d"
    ) -> dict[str, Bars]:
        """Bars of ``symbols`` over all dates of their files.

        Raises
        ------
        InputError
            A ticker without a file, or data that fail a check at the door.
        DataSourceError
            A ticker with several files, or a file that cannot be read.
        """
        where = str(self._path)
        try:
            names = sorted(p.name for p in self._path.iterdir() if p.name.lower().endswith(SUFFIXES) and p.is_file())
        except OSError as exc:
            raise DataSourceError(
                f"{where}: cannot be read ({exc.strerror}).", remedy="Check its permissions.", path=where
            ) from exc
        out: dict[str, Bars] = {}
        for symbol in symbols:
            name = matching(symbol, names, where)
            if name is None:
                raise unknown_ticker(symbol, {min(file_symbols(n), key=len).upper() for n in names}, where)
            file = FileProvider(self._path / name, currency=self._currency, max_bytes=self._max_bytes)
            out |= file.fetch([symbol], start, end, interval)
        return out
