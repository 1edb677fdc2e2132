"""What every number of cards takes at least, whatever the format: it rules most of them out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from service.domain.loads import Loads
from service.domain.questions import Split

NEVER_BYTES = 1 << 62


class WayBound(NamedTuple):
    """What any format holds at least on the fullest card of a way, its weights aside. [B]

    mean     inside the budget on an average stage, to which an equal part of the weights adds
    most     inside the budget on the stage that holds most
    outside  outside the budget on the stage that holds least there
    """

    ranks: int
    mean: int
    most: int
    outside: int


@dataclass(slots=True, kw_only=True)
class Bound:
    """What every number of cards takes at least, whatever the format; worked out when first asked.

    No split loses a byte of the weights, so the fullest rank holds at least an equal part of them.

    steps, heights   the numbers of cards at which the smallest possible card shrinks, and the
                     negated size of that card: a search in `heights` finds the first number
    """

    ways: tuple[tuple[Split, ...], ...]
    loads: Callable[[Split], Loads]
    cap: float
    weight_bytes: int
    reached: int = 0
    known: dict[Split, WayBound] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)

    def of(self, way: Split) -> WayBound:
        """The bound of one way."""
        found = self.known.get(way)
        if found is None:
            loads, ranks = self.loads(way), way.ranks
            mean = sum(loads.together) // len(loads.together)
            found = WayBound(ranks, mean, max(loads.together), min(loads.outside))
            self.known[way] = found
        return found

    def held_bytes(self, way: Split, weight_bytes: int) -> int:
        """Smaller cards than this do not hold weights of so many bytes in a way. [B]

        M ≥ max(I + O, I / u),  I = max(W / r + mean(I_s), max(I_s))

        W  weights   r  ranks   I_s, O  inside and outside the engine's budget
        u  the largest share of a card that the engine takes
        """
        ranks, mean, most, outside = self.of(way)
        inside = max(weight_bytes // ranks + mean, most)
        return max(inside + outside, int(inside / self.cap))

    def extend(self) -> None:
        """Look at one more card."""
        self.reached += 1
        least = (self.held_bytes(way, self.weight_bytes) for way in self.ways[self.reached])
        height = -min(least, default=NEVER_BYTES)
        if not self.heights or height > self.heights[-1]:
            self.steps.append(self.reached)
            self.heights.append(height)

    def first_count(self, memory_bytes: int, most: int) -> int:
        """The first number of cards, up to `most`, that may do at this size; beyond it if none."""
        place = bisect_left(self.heights, -memory_bytes)
        while place == len(self.heights) and self.reached < most:
            self.extend()
            if self.heights[-1] < -memory_bytes:
                place = len(self.heights)
        return self.steps[place] if place < len(self.heights) else most + 1
