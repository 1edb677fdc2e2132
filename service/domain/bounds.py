"""What ways take at least, and the smallest card of each: most of them are never worked out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.loads import Loads
from service.domain.questions import Split


class WayFloor(NamedTuple):
    """What any format holds at least on the fullest card of a way, its weights aside. [B]

    mean     inside the budget on an average stage, to which an equal part of the weights adds
    most     inside the budget on the stage that holds most
    outside  outside the budget on the stage that holds least there
    """

    mean: int
    most: int
    outside: int


def way_floor(loads: Loads) -> WayFloor:
    """The floor of one way."""
    mean = sum(loads.together) // len(loads.together)
    return WayFloor(mean, max(loads.together), min(loads.outside))


class Candidate(NamedTuple):
    """A way with its ranks, and what all sequences of one replica cache at least. [B]"""

    way: Split
    ranks: int
    cached_bytes: int


class Candidates(NamedTuple):
    """Useful ways, fewest cards first, and their numbers of cards."""

    rows: tuple[Candidate, ...]
    counts: tuple[int, ...]


class Step(NamedTuple):
    """Cards from `start` up to `stop`, smallest first, for which a way is the first that fits."""

    way: Split
    start: int
    stop: int


@dataclass(slots=True, kw_only=True)
class Stairs:
    """A format on cards of the same defaults and nodes: the first way that fits each size of card.

    all_cached_bytes  what all sequences together cache at least
    cap           the most that what is inside the engine's budget may take of a card
    floor, smallest_bytes   a way's floor, and the smallest card that holds it, given a lower bound
    slow          whether a way misses a target of speed
    """

    candidates: Candidates
    weight_bytes: int
    all_cached_bytes: int
    cap: float
    floor: Callable[[Split], WayFloor]
    smallest_bytes: Callable[[Split, int], int]
    slow: Callable[[Split], bool]

    def least_bytes(self, candidate: Candidate) -> int:
        """Smaller cards than this do not hold the weights in a way. [B]

        M ≥ max(I + O, I / u),  I = max(W / r + mean(I_s), max(I_s))

        W  weights   r  ranks   I_s, O  inside and outside the engine's budget
        u  the largest share of a card that the engine takes

        Holds when:  no split loses a byte of the weights, so that the fullest rank holds at least
                     an equal part of them.
        Source:      arithmetic.
        Checked by:  the plans of every number of cards, one by one, in tests/properties.
        """
        mean, most, outside = self.floor(candidate.way)
        inside = max(self.weight_bytes // candidate.ranks + mean, most)
        return max(inside + outside, int(inside / self.cap))

    def first_place(self, memory_bytes: int) -> int:
        """Where the candidates begin whose cards can hold weights and cache together at all.

        n ≥ (W + K) / (u·M)

        W  weights   K  cache of all sequences   u·M  the engine's share of a card
        """
        needed = (self.weight_bytes + self.all_cached_bytes) / (memory_bytes * self.cap)
        return bisect_left(self.candidates.counts, needed)

    def steps(self, memories: Sequence[int]) -> Iterator[Step]:
        """For every size of card, smallest first, the first way that fits, largest cards first.

        A card that is larger fits whatever a smaller one does, so each way settles all sizes from
        its own smallest card up to those that fewer cards have settled.
        """
        top, weights = len(memories), self.weight_bytes
        room = memories[-1] * self.cap
        for candidate in self.candidates.rows[self.first_place(memories[-1]) :]:
            way, ranks, cached = candidate
            if weights + cached > room * ranks:
                continue
            least = self.least_bytes(candidate)
            if least > memories[top - 1]:
                continue
            start = bisect_left(memories, self.smallest_bytes(way, least), 0, top)
            if start == top or self.slow(way):
                continue
            yield Step(way, start, top)
            if not start:
                return
            top, room = start, memories[start - 1] * self.cap
