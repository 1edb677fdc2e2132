"""Who is let into the queue for a thread: those whose turn comes before callers lose patience."""

from __future__ import annotations

import math
from collections import deque

WEIGHT = 0.1


class Admission:
    """The queue of one worker and how fast it moves.

    threads  how many requests are answered side by side
    seconds  the longest wait that a request is let in for
    """

    def __init__(self, threads: int, seconds: float) -> None:
        self._threads, self._seconds = threads, seconds
        self._came: deque[float] = deque()
        self._answer_seconds = 0.0

    def wait_seconds(self, now: float) -> float:
        """How long one who came now would wait: by the pace, or as the first of the queue does.

        The pace counts answers side by side: n waiting / threads x the mean time of an answer.
        """
        if not self._came:
            return 0.0
        by_pace = len(self._came) * self._answer_seconds / self._threads
        return max(by_pace, now - self._came[0])

    def retry_seconds(self, now: float) -> int | None:
        """When one who came now should come again; None where it is let in."""
        wait = self.wait_seconds(now)
        return math.ceil(wait) if wait > self._seconds else None

    def enter(self, now: float) -> None:
        """A request joins the queue."""
        self._came.append(now)

    def begin(self) -> None:
        """A thread takes the first of the queue."""
        self._came.popleft()

    def finish(self, answer_seconds: float) -> None:
        """An answer is out; recent ones weigh most."""
        self._answer_seconds += WEIGHT * (answer_seconds - self._answer_seconds)
