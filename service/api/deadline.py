"""A bound on the time of one answer: work that takes too long ends as a problem answer."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

POLL_SECONDS = 0.1


class TookTooLong(Exception):
    """An answer was not found in time."""


class Overdue(BaseException):
    """The alarm as it meets the work: no `except Exception` on the way may take it for its own."""


class Alarm:
    """One answer at work in a thread."""

    def __init__(self, end: float) -> None:
        self.thread, self.end, self.rang = threading.get_ident(), end, False


class Alarms:
    """Answers at work, and the thread of this process that ends what is overdue.

    CPython raises an exception in another thread at that thread's next step of Python code; what
    plans is Python code without locks of its own, so that it can end at any step.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: set[Alarm] = set()
        self._process = 0

    @contextmanager
    def within(self, seconds: float) -> Generator[None, None, None]:
        """Do what follows within so many seconds.

        Raises: TookTooLong from the midst of it.
        """
        self._watch()
        alarm = Alarm(time.monotonic() + seconds)
        with self._lock:
            self._set.add(alarm)
        try:
            try:
                yield
            finally:
                self._clear(alarm)
        except Overdue:
            raise TookTooLong from None

    def _clear(self, alarm: Alarm) -> None:
        """No later than here does an alarm ring; one that rang unheard is taken back."""
        with self._lock:
            self._set.discard(alarm)
            if alarm.rang:
                interrupt(alarm.thread, None)

    def _watch(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._process, self._set = os.getpid(), set()
        threading.Thread(target=self._ring, name="alarms", daemon=True).start()

    def _ring(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            with self._lock:
                now = time.monotonic()
                for alarm in [alarm for alarm in self._set if now > alarm.end]:
                    self._set.discard(alarm)
                    alarm.rang = True
                    interrupt(alarm.thread, Overdue)


def interrupt(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in a thread, or take back one that it has not met yet."""
    raised = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


ALARMS = Alarms()
