"""Callers that ask without pause and note every answer that they did not get."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

PATIENCE_SECONDS = 60
ESTIMATE = (
    "/v1/estimates?model=llama-3.1-8b&gpu=h100-sxm5-80gb&cards=1&concurrency=1&context_tokens="
)
REFUSED = ConnectionRefusedError


@dataclass(slots=True)
class Told:
    """What callers met.

    answers   by status
    lost      sent, and no whole answer came, by kind of failure
    refused   connections that nobody took
    versions  bodies seen for one question by version of the catalog
    """

    answers: Counter[int] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    versions: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    @property
    def p99_ms(self) -> float:
        """Time that one answer in a hundred exceeds."""
        return 1000 * sorted(self.seconds)[int(0.99 * (len(self.seconds) - 1))]

    @property
    def wrong(self) -> int:
        """Answers that differ from others to the same question on the same data."""
        return sum(len(bodies) - 1 for bodies in self.versions.values())


class Load:
    """So many callers, each on a connection of its own, until stopped."""

    def __init__(self, port: int, callers: int, *, same: bool = False, first: int = 0) -> None:
        self.told, self._port, self._same = Told(), port, same
        self._stop, self._lock, self._asked = threading.Event(), threading.Lock(), first
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]

    def __enter__(self) -> Told:
        for thread in self._threads:
            thread.start()
        return self.told

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        connection = self._connection()
        while not self._stop.is_set():
            try:
                self._ask(connection)
            except REFUSED:
                self._note_refused()
                connection = self._connection()
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.told.lost[type(error).__name__] += 1
                connection.close()
                connection = self._connection()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)

    def _note_refused(self) -> None:
        with self._lock:
            self.told.refused += 1
        time.sleep(0.05)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        """One question; unless it is the same, nobody asked it before."""
        with self._lock:
            self._asked += 1
            turn = 0 if self._same else self._asked % 100_000
        began = time.monotonic()
        connection.request("GET", f"{ESTIMATE}{1000 + turn}")
        answer = connection.getresponse()
        body = answer.read()
        took = time.monotonic() - began
        with self._lock:
            self.told.answers[answer.status] += 1
            self.told.seconds.append(took)
            if self._same and answer.status == http.client.OK:
                self.told.versions[json.loads(body)["catalog_version"]].add(body)
