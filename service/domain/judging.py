"""Budgets of engines, and whether a need fits one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.domain.architecture import Stage, stages
from service.domain.budgets import (
    POLICIES,
    Offer,
    Sides,
    budget_bytes,
    left_bytes,
)
from service.domain.engine import Policy
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving
from service.domain.requests import Risk
from service.domain.results import NOTHING, Amount, Budget, Side, Term, Verdicts
from service.domain.serving_terms import (
    forms,
    serving_terms,
)
from service.domain.units import bytes_of_gib

Bound = Literal["low", "expected", "high"]
TIGHT_SHARE = 0.03
"""A fit with less than this share of the card left is called tight."""

SIDES = ("inside", "cache", "beside", "before")
OUTSIDE = frozenset({"beside", "before"})
UTILIZATION_STEP = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one stage needs by side of the budget, without the words."""

    stage: Stage
    inside: Amount
    cache: Amount
    beside: Amount
    before: Amount

    def sides(self, risk: Risk) -> Sides:
        """The need at the caller's risk."""
        return self.bounds("high" if risk == "high" else "expected")

    def bounds(self, bound: Bound) -> Sides:
        """The need at one bound."""
        return Sides(
            inside=getattr(self.inside, bound),
            cache=getattr(self.cache, bound),
            beside=getattr(self.beside, bound),
            before=getattr(self.before, bound),
        )

    @property
    def amount(self) -> Amount:
        """All sides together."""
        return self.inside + self.cache + self.beside + self.before

    @property
    def outside(self) -> Amount:
        """What the engine does not count inside its share."""
        return self.beside + self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNeed:
    """What one stage needs, with its terms explained."""

    stage: Stage
    terms: tuple[Term, ...]
    need: Need


def stage_need(serving: Serving, stage: Stage) -> StageNeed:
    """Terms of one stage, and their sums by side."""
    terms = serving_terms(serving, stage)
    return StageNeed(
        stage=stage,
        terms=terms,
        need=summed(stage, tuple((term.side, term.amount) for term in terms)),
    )


class TermSize(NamedTuple):
    """A term's bytes at the caller's risk, without its words."""

    name: str
    side: Side
    bytes: int

    @property
    def in_budget(self) -> bool:
        """Whether the engine counts it inside its budget."""
        return self.side not in OUTSIDE


def term_sizes(serving: Serving, stage: Stage, risk: Risk) -> tuple[TermSize, ...]:
    """All terms of a stage without their words."""
    return tuple(
        TermSize(form.name, form.side(serving), at_risk(form.amount(serving, stage), risk))
        for form in forms(serving)
    )


def sides_of(sizes: tuple[TermSize, ...]) -> Sides:
    """Sizes summed by side."""
    return Sides(*(sum(one.bytes for one in sizes if one.side == side) for side in SIDES))


def summed(stage: Stage, parts: tuple[tuple[str, Amount], ...]) -> Need:
    """Amounts by side."""
    found = dict.fromkeys(SIDES, NOTHING)
    for side, amount in parts:
        found[side] += amount
    return Need(stage=stage, **found)


def stages_of(placement: Placement) -> tuple[Stage, ...]:
    """Pipeline stages of a question."""
    return stages(placement.model, placement.split.pipeline)


def stage_needs(serving: Serving) -> tuple[StageNeed, ...]:
    """The need of every pipeline stage, explained."""
    return tuple(stage_need(serving, stage) for stage in stages_of(serving))


def at_risk(amount: Amount, risk: Risk) -> int:
    """The bound that has to fit."""
    return amount.high if risk == "high" else amount.expected


def serving_offer(profile: Profile, memory_bytes: int, utilization: float) -> Offer:
    """A card as the engine takes it."""
    return Offer(
        memory_bytes=memory_bytes,
        share=utilization,
        margin_bytes=bytes_of_gib(profile.margin_gib),
    )


def serving_budget(
    serving: Serving, need: Need, gpu: str | None, offer: Offer, risk: Risk
) -> Budget:
    """The part of a card that the engine takes, as it is reported."""
    policy = serving.engine.policy
    return Budget(
        gpu=gpu,
        memory_bytes=offer.memory_bytes,
        budget_bytes=budget_bytes(policy, offer, need.sides(risk)),
        policy=policy,
        memory_utilization=offer.share if POLICIES[policy].takes_share else None,
    )


def budget_bytes_of(serving: Serving, sides: Sides, memory_bytes: int) -> int:
    """What the engine takes of a card for itself. [B]"""
    offer = serving_offer(serving.profile, memory_bytes, serving.memory_utilization)
    return budget_bytes(serving.engine.policy, offer, sides)


def serving_headroom(serving: Serving, need: Need, offer: Offer, risk: Risk) -> int:
    """Bytes left on a card, negative where they are missing. [B]"""
    return left_bytes(serving.engine.policy, offer, need.sides(risk))


def verdict(headroom_bytes: int, memory_bytes: int) -> Verdicts:
    """A word for the bytes left."""
    if headroom_bytes < 0:
        return Verdicts(verdict="does-not-fit", headroom_bytes=headroom_bytes)
    tight = headroom_bytes < TIGHT_SHARE * memory_bytes
    return Verdicts(verdict="tight" if tight else "fits", headroom_bytes=headroom_bytes)


def usable_share(policy: Policy, share: float, outside_bytes: int, memory_bytes: int) -> float:
    """A share of a card's total, lowered in whole hundredths until what lies beside it has room.

    M_out ≤ (1 - u) · M  ⇒  u ≤ 1 - M_out / M
    """
    if policy != "of-total":
        return share
    room = (memory_bytes - outside_bytes) * 100 // memory_bytes * UTILIZATION_STEP
    return max(UTILIZATION_STEP, min(share, round(room, 2)))


def tightest(needs: tuple[StageNeed, ...], risk: Risk = "high") -> StageNeed:
    """The stage whose rank needs most."""
    return max(needs, key=lambda one: at_risk(one.need.amount, risk))
