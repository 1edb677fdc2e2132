"""How an engine takes its part of a card, and what that leaves of it for a way."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from service.domain.budgets import Offer, largest_share, left_bytes
from service.domain.engine import Engine
from service.domain.judging import usable_share
from service.domain.loads import Heaviest
from service.domain.profiles import Profile
from service.domain.questions import Split
from service.domain.serving_terms import default_share, share_varies
from service.domain.units import bytes_of_gib
from service.domain.workload import Needs

NEVER_BYTES = 1 << 62


@dataclass(slots=True, kw_only=True)
class Share:
    """How the engine takes its part of a card.

    wanted   the share that the caller fixed
    cap      the most that what is inside the budget may take of any card
    varies   whether the share follows the card and the split
    kept     share of the card that the caller wants to keep free
    """

    engine: Engine
    profile: Profile
    wanted: float | None
    kept: float
    cap: float = field(init=False)
    varies: bool = field(init=False)
    margin_bytes: int = field(init=False)
    _largest: dict[tuple[int, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle what every card shares."""
        self.varies = self.wanted is None and share_varies(self.engine)
        stated = 1.0 if self.varies else self.profile.memory_utilization
        self.cap = largest_share(self.engine.policy, self.wanted or stated)
        self.margin_bytes = bytes_of_gib(self.profile.margin_gib)

    def largest(self, total_bytes: int, need: Heaviest, way: Split) -> float:
        """What the engine takes of a card, before room is made for what lies outside."""
        if self.wanted is not None:
            return self.wanted
        key = (total_bytes, need.batched_tokens, way.tensor, way.ranks)
        found = self._largest.get(key)
        if found is None:
            found = self._largest[key] = default_share(
                self.engine, self.profile, total_bytes, need.batched_tokens, way
            )
        return found

    def offer(self, memory_bytes: int, total_bytes: int, need: Heaviest, way: Split) -> Offer:
        """A card of a total as the engine takes it."""
        share = self.largest(total_bytes, need, way)
        if self.wanted is None:
            share = usable_share(self.engine.policy, share, need.outside_high, memory_bytes)
        return Offer(memory_bytes=memory_bytes, share=share, margin_bytes=self.margin_bytes)

    def headroom_bytes(
        self, memory_bytes: int, total_bytes: int, need: Heaviest, way: Split
    ) -> int:
        """Bytes left on a card of a total, negative where they are missing. [B]"""
        offer = self.offer(memory_bytes, total_bytes, need, way)
        left = min(left_bytes(self.engine.policy, offer, sides) for sides in need.sides)
        return left - int(self.kept * memory_bytes)


@dataclass(slots=True, kw_only=True)
class SmallestCards:
    """For ways in one format, the smallest of some sizes of card that holds each. [B]

    sizes        in question, smallest first
    total_bytes  of all of them, where the engine's share follows it
    """

    share: Share
    needs: Needs
    sizes: list[int]
    total_bytes: int
    _known: dict[Split, int] = field(default_factory=dict)

    def of(self, way: Split, least_bytes: int) -> int:
        """The smallest card that holds a way, beyond all cards where none does. [B]

        More memory never leaves less; a bound from below is mostly close, so sizes are tried from
        there on in steps that double, and then by halves.
        """
        found = self._known.get(way)
        if found is None:
            need, sizes = self.needs.of(way), self.sizes

            def holds(size: int) -> bool:
                return self.share.headroom_bytes(size, self.total_bytes, need, way) >= 0

            least = max(least_bytes, need.whole, int(need.inside / self.share.cap))
            low, step = bisect_left(sizes, least), 1
            while low + step <= len(sizes) and not holds(sizes[low + step - 1]):
                low, step = low + step, 2 * step
            place = bisect_left(sizes, True, low, min(low + step, len(sizes)), key=holds)
            found = sizes[place] if place < len(sizes) else NEVER_BYTES
            self._known[way] = found
        return found
