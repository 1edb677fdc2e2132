"""Timing on a shared machine: tasks take turns, medians and ranges, and a unit of the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

Task = Callable[[int], object]
UNIT_ADDITIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds of processor time of one task over all rounds."""

    name: str
    seconds: tuple[float, ...]

    @property
    def middle_ms(self) -> float:
        """The median. [ms]"""
        return median(self.seconds) * 1e3

    @property
    def least_ms(self) -> float:
        """The fastest round. [ms]"""
        return min(self.seconds) * 1e3

    @property
    def most_ms(self) -> float:
        """The slowest round. [ms]"""
        return max(self.seconds) * 1e3


def unit(turn: int) -> int:
    """A loop of plain additions: what this machine does in the same minute."""
    total = turn
    for number in range(UNIT_ADDITIONS):
        total += number
    return total


def taking_turns(tasks: Iterable[tuple[str, Task]], rounds: int) -> list[Times]:
    """Every task once a round, the first round aside, so that all see the same neighbours.

    A task is given the number of the round, to ask another question each time.
    """
    listed = list(tasks)
    found: dict[str, list[float]] = {name: [] for name, _ in listed}
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        for name, task in listed:
            started = time.process_time()
            task(number)
            taken = time.process_time() - started
            if number:
                found[name].append(taken)
    gc.unfreeze()
    return [Times(name=name, seconds=tuple(times)) for name, times in found.items()]
