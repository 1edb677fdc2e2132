"""Changed catalog files are taken into use while the service runs, whole or not at all."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from service.api.build import Catalogs

LOG = logging.getLogger("service")
POLL_SECONDS = 0.5
MOST_WORDS = 1000
Signature = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadState:
    """How reading went so far in this worker.

    error  why the newest files are refused; None where they are in use
    """

    loaded: float = field(default_factory=time.monotonic)
    reloads: int = 0
    failures: int = 0
    error: str | None = None

    @property
    def age_seconds(self) -> float:
        """Seconds since the catalogs in use were read."""
        return time.monotonic() - self.loaded

    @property
    def degraded(self) -> bool:
        """Whether older data stay in use because newer ones are refused."""
        return self.error is not None


def signature(paths: Iterable[Path]) -> Signature:
    """What changes when any file does, also by a swapped link; a missing file counts too."""
    return tuple(_mark(path) for path in paths)


def _mark(path: Path) -> tuple[str, int, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0, 0
    return str(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class CatalogWatch:
    """The catalogs in use, and the files that they come from.

    A change counts once it has stood still for one poll, and what was read counts only where the
    files are the same afterwards: nothing half-written is ever in use.
    """

    def __init__(self, paths: Callable[[], Iterable[Path]], read: Callable[[], Catalogs]) -> None:
        self._paths, self._read = paths, read
        self._done = self._last = signature(paths())
        self.catalogs, self.state = read(), ReloadState()
        self._process = 0

    def start(self) -> None:
        """Watch from a thread of this process; once for each process, after it has forked."""
        if self._process != os.getpid():
            self._process = os.getpid()
            threading.Thread(target=self._watch, name="catalogs", daemon=True).start()

    def poll(self) -> None:
        """Look once, and read where files have changed and stand still."""
        found = signature(self._paths())
        settled, self._last = found == self._last, found
        if settled and found != self._done:
            self._take(found)

    def _watch(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                self.poll()
            except Exception:
                LOG.exception("the catalog files could not be looked at")

    def _take(self, found: Signature) -> None:
        """Read the files whole; swap one reference, or keep the last good data."""
        try:
            fresh = self._read()
        except Exception as error:  # ruff: ignore[blind-except] - any fault in the data
            self._refuse(found, str(error)[:MOST_WORDS] or type(error).__name__)
            return
        if signature(self._paths()) != found:
            return
        self._done, self.catalogs = found, fresh
        self.state = ReloadState(reloads=self.state.reloads + 1, failures=self.state.failures)
        LOG.warning("catalog %s is in use now", fresh.version)

    def _refuse(self, found: Signature, words: str) -> None:
        self._done = found
        self.state = replace(self.state, failures=self.state.failures + 1, error=words)
        LOG.error("the changed catalog is refused and the last good one stays: %s", words)
