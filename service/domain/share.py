"""How an engine takes its part of a card, and what that leaves of it for a way."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.domain.budgets import Offer, largest_share, left_bytes
from service.domain.candidates import Room
from service.domain.engine import Engine
from service.domain.judging import usable_share
from service.domain.loads import Heaviest
from service.domain.profiles import Profile
from service.domain.questions import Split
from service.domain.serving_terms import default_share, share_varies
from service.domain.units import bytes_of_gib


@dataclass(slots=True, kw_only=True)
class Share:
    """How the engine takes its part of a card.

    wanted   the share that the caller fixed
    cap      the most that what is inside the budget may take of any card
    kept     share of the card that the caller wants to keep free
    """

    engine: Engine
    profile: Profile
    wanted: float | None
    kept: float
    cap: float = field(init=False)
    margin_bytes: int = field(init=False)
    _largest: dict[tuple[int, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle what every card shares."""
        stated = 1.0 if share_varies(self.engine) else self.profile.memory_utilization
        self.cap = largest_share(self.engine.policy, self.wanted or stated)
        self.margin_bytes = bytes_of_gib(self.profile.margin_gib)

    def largest(self, room: Room, need: Heaviest, way: Split) -> float:
        """What the engine takes of a card, before room is made for what lies outside."""
        if self.wanted is not None:
            return self.wanted
        key = (room.total_bytes, need.batched_tokens, way.tensor, way.ranks)
        found = self._largest.get(key)
        if found is None:
            found = self._largest[key] = default_share(
                self.engine, self.profile, room.total_bytes, need.batched_tokens, way
            )
        return found

    def headroom_bytes(self, room: Room, need: Heaviest, way: Split) -> int:
        """Bytes left on a card, negative where they are missing. [B]"""
        policy, memory = self.engine.policy, room.memory_bytes
        share = self.largest(room, need, way)
        if self.wanted is None:
            share = usable_share(policy, share, need.outside_high, memory)
        offer = Offer(memory_bytes=memory, share=share, margin_bytes=self.margin_bytes)
        left = min(left_bytes(policy, offer, sides) for sides in need.sides)
        return left - int(self.kept * memory)
