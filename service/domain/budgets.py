"""Budgets: which part of a card an engine takes, and what that leaves for the cache.

A need has four sides: `inside` the engine's share, in the pool of the `cache`, `beside` its share,
and `before` it measures what is free. Each policy is one way to lay them on a card.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.engine import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A card as an engine takes it: its total, the engine's share and what it keeps free."""

    memory_bytes: int
    share: float = 1.0
    margin_bytes: int = 0


class Sides(NamedTuple):
    """Bytes of a need by side, at one bound."""

    inside: int = 0
    cache: int = 0
    beside: int = 0
    before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grip:
    """One policy: the engine's budget, the room for its cache, and what is spare beside both.

    takes_share  whether the caller's or the version's share plays a part
    caps_all     whether all that is inside the budget stays below that share of the card
    counts_alike whether the cache and the rest of what is inside weigh the same
    """

    budget: Callable[[Offer, Sides], int]
    room: Callable[[Offer, Sides], int]
    spare: Callable[[Offer, Sides], int]
    takes_share: bool = True
    caps_all: bool = True
    counts_alike: bool = True


def total_share(offer: Offer, sides: Sides) -> int:
    """A share of the card's total, whatever is on it already. [B]

    B = u·M

    u  share   M  memory of the card

    Holds when:  that much is free when the engine starts; it refuses to start otherwise.
    Source:      vLLM `v1/worker/gpu_worker.py`, determine_available_memory.
    Checked by:  80 GiB, u 0.9: 72 GiB.
    """
    del sides
    return int(offer.memory_bytes * offer.share)


def available_share(offer: Offer, sides: Sides) -> int:
    """A share of what is free before the weights are loaded. [B]

    B = f·(M - M_before)

    f  share   M  memory of the card   M_before  on it before the weights are loaded

    Holds when:  free memory is read once, before the weights.
    Source:      SGLang `srt/model_executor/model_runner.py`, profile_max_num_token.
    Checked by:  80 GiB, 2 GiB before, f 0.9: 70.2 GiB.
    """
    return int((offer.memory_bytes - sides.before) * offer.share)


def free_share(offer: Offer, sides: Sides) -> int:
    """All that is fixed, and a share of what it leaves. [B]

    B = M_in + f·(M - M_before - M_in - M_beside)

    f  share   M  memory of the card   M_in, M_beside, M_before  inside, on top, and there before

    Holds when:  free memory is read after the weights are loaded.
    Source:      TensorRT-LLM `cpp/tensorrt_llm/batch_manager/kvCacheManager.cpp`,
                 freeGpuMemoryFraction.
    Checked by:  80 GiB, 16 GiB inside, f 0.9: 16 + 0.9 · 64 = 73.6 GiB.
    """
    free = offer.memory_bytes - sides.before - sides.inside - sides.beside
    return sides.inside + int(max(0, free) * offer.share)


def whole_card(offer: Offer, sides: Sides) -> int:
    """The card less what is on it already, comes on top, and is kept free. [B]"""
    return offer.memory_bytes - offer.margin_bytes - sides.before - sides.beside


def beside_total(offer: Offer, sides: Sides) -> int:
    """What the card has left beside a share of its total. [B]"""
    return offer.memory_bytes - total_share(offer, sides) - sides.beside - sides.before


def beside_available(offer: Offer, sides: Sides) -> int:
    """What the card has left beside a share of what was free. [B]"""
    free = offer.memory_bytes - sides.before
    return free - available_share(offer, sides) - sides.beside


def room_inside(budget: Callable[[Offer, Sides], int]) -> Callable[[Offer, Sides], int]:
    """What a budget leaves beside what is inside it. [B]"""
    return lambda offer, sides: budget(offer, sides) - sides.inside


def beside_all(offer: Offer, sides: Sides) -> int:
    """What the card has left beside everything but the cache. [B]"""
    return offer.memory_bytes - sides.before - sides.inside - sides.beside


WHOLE_CARD = Grip(
    budget=whole_card,
    room=room_inside(whole_card),
    spare=beside_all,
    takes_share=False,
    caps_all=False,
)

POLICIES: Mapping[Policy, Grip] = {
    "of-total": Grip(budget=total_share, room=room_inside(total_share), spare=beside_total),
    "of-available": Grip(
        budget=available_share, room=room_inside(available_share), spare=beside_available
    ),
    "of-free": Grip(
        budget=free_share,
        room=room_inside(free_share),
        spare=beside_all,
        caps_all=False,
        counts_alike=False,
    ),
    "margin": WHOLE_CARD,
    "none": WHOLE_CARD,
}


def budget_bytes(policy: Policy, offer: Offer, sides: Sides) -> int:
    """What the engine takes of a card. [B]"""
    return POLICIES[policy].budget(offer, sides)


def room_bytes(policy: Policy, offer: Offer, sides: Sides) -> int:
    """What is left for the cache, negative where the rest is too large. [B]"""
    return POLICIES[policy].room(offer, sides)


def left_bytes(policy: Policy, offer: Offer, sides: Sides) -> int:
    """Bytes left on a card, negative where they are missing: in the budget, and beside it. [B]"""
    grip = POLICIES[policy]
    return min(grip.room(offer, sides) - sides.cache, grip.spare(offer, sides))


def largest_share(policy: Policy, share: float) -> float:
    """The largest part of a card that what is inside the budget may take."""
    return share if POLICIES[policy].caps_all else 1.0
