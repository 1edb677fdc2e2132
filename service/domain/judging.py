"""Budgets of engines, and whether a need fits one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

from service.domain.architecture import Architecture, Stage, stages
from service.domain.budgets import (
    POLICIES,
    Offer,
    Sides,
    budget_bytes,
    left_bytes,
)
from service.domain.engine import Policy
from service.domain.forms import TermForm
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving
from service.domain.requests import Risk
from service.domain.results import NOTHING, Amount, Budget, Side, Verdicts
from service.domain.serving_terms import forms
from service.domain.units import bytes_of_gib

Found = TypeVar("Found")
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


class Part(NamedTuple):
    """A term's bytes on one stage, without its words."""

    name: str
    side: Side
    amount: Amount

    @property
    def in_budget(self) -> bool:
        """Whether the engine counts it inside its budget."""
        return self.side not in OUTSIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNeed:
    """What one stage needs, part by part and by side."""

    stage: Stage
    parts: tuple[Part, ...]
    need: Need


def parts(
    serving: Serving, stage: Stage, kept: tuple[TermForm, ...] | None = None
) -> tuple[Part, ...]:
    """Terms of a stage without their words, all of them unless some are named."""
    return tuple(
        Part(form.name, form.side(serving), form.amount(serving, stage))
        for form in (forms(serving) if kept is None else kept)
    )


def all_parts(serving: Serving) -> tuple[tuple[Part, ...], ...]:
    """The terms of every stage without their words.

    The bytes of weights may follow the place of a block, those of all other terms do not.
    """
    weights, *others = forms(serving)
    beside = by_stage(serving, lambda stage: parts(serving, stage, tuple(others)))
    return tuple(
        (*parts(serving, stage, (weights,)), *rest)
        for stage, rest in zip(stages_of(serving), beside, strict=True)
    )


def need_of(stage: Stage, held: tuple[Part, ...]) -> StageNeed:
    """Parts of one stage, and their sums by side."""
    sums = summed(stage, tuple((part.side, part.amount) for part in held))
    return StageNeed(stage=stage, parts=held, need=sums)


def stage_need(serving: Serving, stage: Stage) -> StageNeed:
    """Terms of one stage, and their sums by side."""
    return need_of(stage, parts(serving, stage))


def stage_needs(serving: Serving) -> tuple[StageNeed, ...]:
    """The need of every pipeline stage."""
    return tuple(map(need_of, stages_of(serving), all_parts(serving)))


def fullest_parts(serving: Serving, risk: Risk) -> tuple[Part, ...]:
    """The terms of the stage that holds most inside the budget."""
    return max(
        all_parts(serving),
        key=lambda held: sum(at_risk(one.amount, risk) for one in held if one.in_budget),
    )


def sides_of(held: tuple[Part, ...], risk: Risk) -> Sides:
    """Parts summed by side."""
    return Sides(
        *(sum(at_risk(one.amount, risk) for one in held if one.side == side) for side in SIDES)
    )


def summed(stage: Stage, parts: tuple[tuple[str, Amount], ...]) -> Need:
    """Amounts by side."""
    found = dict.fromkeys(SIDES, NOTHING)
    for side, amount in parts:
        found[side] += amount
    return Need(stage=stage, **found)


def stages_of(placement: Placement) -> tuple[Stage, ...]:
    """Pipeline stages of a question."""
    return stages(placement.model, placement.split.pipeline)


@lru_cache(maxsize=4096)
def first_alike(model: Architecture, count: int) -> tuple[int, ...]:
    """For every stage the index of the first one that has the same kinds of blocks and ends."""
    known: dict[object, int] = {}
    return tuple(
        known.setdefault(
            (model.layer_order[stage.start : stage.stop], stage.first, stage.last), stage.index
        )
        for stage in stages(model, count)
    )


def by_stage(placement: Placement, found: Callable[[Stage], Found]) -> tuple[Found, ...]:
    """What is found of every pipeline stage beside its weights: alike ones are looked at once."""
    every = stages_of(placement)
    results: list[Found] = []
    for stage, twin in zip(every, first_alike(placement.model, len(every)), strict=True):
        results.append(found(stage) if twin == stage.index else results[twin])
    return tuple(results)


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
