"""The Kenneth R. French Data Library over HTTP, and the cache of its files."""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eventstudy.data.factor_files import Frequency
from eventstudy.data.snapshots import FACTORS
from eventstudy.data.store import replace_file, writing
from eventstudy.data.yahoo import _seconds
from eventstudy.errors import DataSourceError, InputError

__all__ = ["BASE_URL", "FILES", "FrenchLibrary", "StoredFile"]

BASE_URL: Final = "https://mba.tuck.dartmouth.edu/pages/faculty/ken.french/ftp/"
FILES: Final[dict[str, dict[Frequency, str]]] = {
    "ff3": {
        "daily": "F-F_Research_Data_Factors_daily",
        "weekly": "F-F_Research_Data_Factors_weekly",
        "monthly": "F-F_Research_Data_Factors",
    },
    "ff5": {"daily": "F-F_Research_Data_5_Factors_2x3_daily", "monthly": "F-F_Research_Data_5_Factors_2x3"},
    "mom": {"daily": "F-F_Momentum_Factor_daily", "monthly": "F-F_Momentum_Factor"},
}
"""Names of the library's files, without ``_CSV.zip``; weekly returns exist for the three factors only."""

_BLOCK: Final = 1 << 16


class FrenchLibrary:
    """Where the files of the French library are downloaded from.

    Parameters
    ----------
    base_url : str
        Folder of the ``…_CSV.zip`` files: the library's own, or a mirror's.
    retries : int
        Further attempts after HTTP 429, 5xx, a time-out or a dropped connection.
    backoff : float
        Seconds before the first further attempt; doubled each time, times ``1 + jitter()``.
    max_wait : float
        Longest ``Retry-After`` that is waited for, in seconds.
    timeout : float
        Seconds without an answer after which an attempt ends.
    max_bytes : int
        Largest file that is accepted; those of the library have less than half a megabyte.
    sleep, jitter : callable
        ``time.sleep`` and ``random.random``, or replacements of the same form.

    Raises
    ------
    InputError
        On an address that is not HTTP, or a negative number.
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        *,
        retries: int = 3,
        backoff: float = 1.0,
        max_wait: float = 120.0,
        timeout: float = 30.0,
        max_bytes: int = 32_000_000,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if not isinstance(base_url, str) or not base_url.lower().startswith(("https://", "http://")):
            raise InputError(f"base_url={base_url!r} is not a web address.", remedy=f"Such as {BASE_URL}.")
        if retries < 0 or backoff < 0 or max_wait < 0 or timeout <= 0 or max_bytes < 1:
            raise InputError(
                f"retries={retries}, backoff={backoff}, max_wait={max_wait}, timeout={timeout}, max_bytes={max_bytes}: "
                "expected retries, backoff, max_wait >= 0, timeout and max_bytes > 0."
            )
        self.base_url = base_url if base_url.endswith("/") else base_url + "/"
        self._retries, self._backoff, self._max_wait = retries, backoff, max_wait
        self._timeout, self._max_bytes = timeout, max_bytes
        self._sleep, self._jitter = sleep, jitter

    def __repr__(self) -> str:
        return f"FrenchLibrary({self.base_url!r})"

    def url(self, file: str) -> str:
        """Address of a file, such as ``F-F_Research_Data_Factors_daily``."""
        return f"{self.base_url}{file}_CSV.zip"

    def fetch(self, file: str) -> bytes:
        """Bytes of a ZIP archive of the library.

        Raises
        ------
        DataSourceError
            It could not be had; address and cause are named.
        """
        url, attempt = self.url(file), 0
        while True:
            content, cause, again, wait = self._once(url)
            if content is not None:
                return content
            if not again or attempt == self._retries or wait > self._max_wait:
                tried = f" ({attempt + 1} attempts)" if attempt else ""
                asked = f", asks to wait {wait:.0f} s" if wait > self._max_wait else ""
                raise DataSourceError(
                    f"{url}: {cause}{asked}{tried}.",
                    remedy="Try again later, or download the file by hand and give its path to load_factors.",
                    url=url,
                )
            self._sleep(max(wait, self._backoff * 2.0**attempt * (1.0 + self._jitter())))
            attempt += 1

    def _once(self, url: str) -> tuple[bytes | None, str, bool, float]:
        """One attempt: the content, or the cause, whether another may help, and how long it should wait."""
        requests: Any = importlib.import_module("requests")
        try:
            with requests.get(url, stream=True, timeout=self._timeout) as answer:
                if answer.status_code != 200:
                    again = answer.status_code == 429 or answer.status_code >= 500
                    return None, f"HTTP {answer.status_code}", again, _seconds(answer.headers.get("Retry-After"))
                content = bytearray()
                for block in answer.iter_content(_BLOCK):
                    content += block
                    if len(content) > self._max_bytes:
                        return None, f"more than {self._max_bytes:,} bytes", False, 0.0
        except requests.exceptions.Timeout:
            return None, "no answer in time", True, 0.0
        except requests.exceptions.RequestException as error:
            return None, f"connection failed ({type(error).__name__})", True, 0.0
        if not content.startswith(b"PK"):
            return None, "the answer is no ZIP archive", False, 0.0
        return bytes(content), "", False, 0.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A downloaded archive and where it came from.

    It is kept as one file, a line of JSON before the archive itself, so that one rename commits both; ZIP readers look
    for an archive's end and do not mind the line.
    """

    url: str
    fetched_at: datetime
    content: bytes

    @staticmethod
    def path(cache: Path, file: str) -> Path:
        """Where a file of the library is kept."""
        return cache / FACTORS / f"{file}_CSV.zip"

    @classmethod
    def read(cls, path: Path) -> StoredFile | None:
        """What is kept there, checksum verified, or None.

        Raises
        ------
        DataSourceError
            If the file is cut short or altered.
        """
        try:
            head, _, content = path.read_bytes().partition(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DataSourceError(
                f"{path}: cannot be read ({error.strerror}).", remedy="Check its permissions.", path=str(path)
            ) from error
        try:
            facts = json.loads(head)
            found = cls(str(facts["url"]), datetime.fromisoformat(facts["fetched_at"]), content)
            intact = facts["sha256"] == hashlib.sha256(content).hexdigest() and found.fetched_at.tzinfo is not None
        except (ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            raise DataSourceError(
                f"{path}: the cached factor file does not match its recorded checksum.",
                remedy="Remove it, or load again with refresh=True.",
                path=str(path),
            )
        return found

    @classmethod
    def write(cls, path: Path, url: str, content: bytes) -> StoredFile:
        """Keep an archive, in place of what was there, in one step.

        Raises
        ------
        DataSourceError
            If the directory cannot be written.
        """
        stored = cls(url, datetime.now(UTC).replace(microsecond=0), content)
        with writing(path.parent):
            replace_file(path, stored.packed())
        return stored

    @property
    def sha256(self) -> str:
        """Checksum of the archive."""
        return hashlib.sha256(self.content).hexdigest()

    def packed(self) -> bytes:
        """Bytes of the file."""
        facts = {"url": self.url, "fetched_at": self.fetched_at.isoformat(), "sha256": self.sha256}
        return json.dumps(facts, sort_keys=True).encode() + b"\n" + self.content
