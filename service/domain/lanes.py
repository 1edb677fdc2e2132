"""Classes of cards side by side: those that differ in memory alone are settled in one walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.candidates import CardClass, Format
from service.domain.questions import Split
from service.domain.ways import Ground


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lane:
    """Classes of cards that differ in memory alone, smallest first.

    ground       what bounds the ways on all of them
    total_bytes  their total, where the engine's share of a card follows it
    """

    classes: tuple[CardClass, ...]
    memories: tuple[int, ...]
    ground: Ground
    total_bytes: int | None = None


class Run(NamedTuple):
    """Neighbours of a lane, from `start` up to `stop`, that take the same fewest cards."""

    lane: Lane
    format: Format
    split: Split
    start: int
    stop: int

    @property
    def classes(self) -> tuple[CardClass, ...]:
        """The cards."""
        return self.lane.classes[self.start : self.stop]

    def apart(self) -> Iterator[Run]:
        """One run for each class."""
        for place in range(self.start, self.stop):
            yield self._replace(start=place, stop=place + 1)
