"""Budgets of engines, and whether a need fits one."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.architecture import Stage, stages
from service.domain.engine import Profile
from service.domain.questions import Placement, Serving
from service.domain.requests import Risk
from service.domain.results import Amount, Budget, Limits, Term, Verdicts, total
from service.domain.serving_terms import (
    sequence_cache_bytes,
    serving_terms,
    terms_beside_weights,
    weight_amount,
)
from service.domain.units import ceil_div

TIGHT_SHARE = 0.03
"""A fit with less than this share of the card left is called tight."""

MAX_CONTEXT_TOKENS = 1 << 31
UTILIZATION_STEP = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNeed:
    """What one stage needs, apart by what the engine counts inside its budget."""

    stage: Stage
    terms: tuple[Term, ...]
    inside: Amount
    outside: Amount
    cache: Amount
    sequence_bytes: int

    @property
    def fixed(self) -> Amount:
        """What is inside the budget beside the cache."""
        return Amount(
            low=self.inside.low - self.cache.low,
            expected=self.inside.expected - self.cache.expected,
            high=self.inside.high - self.cache.high,
        )


def stage_need(serving: Serving, stage: Stage) -> StageNeed:
    """Terms of one stage, summed by side of the budget."""
    terms = serving_terms(serving, stage)
    return StageNeed(
        stage=stage,
        terms=terms,
        inside=total(tuple(term for term in terms if term.in_budget)),
        outside=total(tuple(term for term in terms if not term.in_budget)),
        cache=total(tuple(term for term in terms if term.name == "kv_cache")),
        sequence_bytes=sequence_cache_bytes(serving, stage, serving.context_tokens),
    )


def stage_needs(serving: Serving) -> tuple[StageNeed, ...]:
    """The need of every pipeline stage."""
    return tuple(stage_need(serving, stage) for stage in stages_of(serving))


def at_risk(amount: Amount, risk: Risk) -> int:
    """The bound that has to fit."""
    return amount.high if risk == "high" else amount.expected


def serving_budget(
    serving: Serving, gpu: str | None, memory_bytes: int, utilization: float
) -> Budget:
    """The share of a card that the engine takes: all of it where it sets no share."""
    if serving.engine.policy == "none":
        return Budget(gpu=gpu, memory_bytes=memory_bytes, budget_bytes=memory_bytes, policy="none")
    return Budget(
        gpu=gpu,
        memory_bytes=memory_bytes,
        budget_bytes=int(memory_bytes * utilization),
        policy=serving.engine.policy,
        memory_utilization=utilization,
    )


def serving_headroom(need: StageNeed, budget: Budget, risk: Risk) -> int:
    """Bytes left on a card, negative where they are missing. [B]"""
    inside, outside = at_risk(need.inside, risk), at_risk(need.outside, risk)
    one = Heaviest(
        inside=inside, outside=outside, outside_high=need.outside.high, whole=inside + outside
    )
    return left_bytes(budget.policy, budget.memory_bytes, budget.memory_utilization or 1.0, one)


def left_bytes(policy: str, memory_bytes: int, share: float, need: Heaviest) -> int:
    """Bytes left on a card of which an engine takes a share, negative where they are missing. [B]

    With a share of the total (vLLM): the smaller of what is left inside the budget, and of what
    the card has left beside the budget for context and communicators.
    """
    if policy == "none":
        return memory_bytes - need.whole
    budget = int(memory_bytes * share)
    return min(budget - need.inside, memory_bytes - budget - need.outside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one stage needs at the caller's risk, by side of the budget. [B]"""

    inside: int
    outside: int
    outside_high: int


def loads_beside_weights(serving: Serving, risk: Risk) -> tuple[Load, ...]:
    """Every stage's load but its weights; no term of it depends on how those are stored."""
    return tuple(_load(serving, stage, risk) for stage in stages_of(serving))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heaviest:
    """Over all stages: the most inside, outside and on both sides together. [B]"""

    inside: int
    outside: int
    outside_high: int
    whole: int


def heaviest(weights: tuple[int, ...], loads: tuple[Load, ...]) -> Heaviest:
    """The heaviest stages of a question, weights included."""
    inside = [size + load.inside for size, load in zip(weights, loads, strict=True)]
    return Heaviest(
        inside=max(inside),
        outside=max(load.outside for load in loads),
        outside_high=max(load.outside_high for load in loads),
        whole=max(size + load.outside for size, load in zip(inside, loads, strict=True)),
    )


def _load(serving: Serving, stage: Stage, risk: Risk) -> Load:
    inside = outside = outside_high = 0
    for term in terms_beside_weights(serving, stage):
        size = at_risk(term.amount, risk)
        if term.in_budget:
            inside += size
        else:
            outside += size
            outside_high += term.amount.high
    return Load(inside=inside, outside=outside, outside_high=outside_high)


def weight_loads(placement: Placement, profile: Profile, risk: Risk) -> tuple[int, ...]:
    """Weights of every stage at the caller's risk. [B]"""
    split = stages_of(placement)
    return tuple(at_risk(weight_amount(placement, profile, stage), risk) for stage in split)


def stages_of(placement: Placement) -> tuple[Stage, ...]:
    """Pipeline stages of a question."""
    return stages(placement.model, placement.split.pipeline)


def budget_share_bytes(serving: Serving, memory_bytes: int) -> int:
    """What the engine takes of a card for itself. [B]"""
    if serving.engine.policy == "none":
        return memory_bytes
    return int(memory_bytes * serving.memory_utilization)


def verdict(headroom_bytes: int, memory_bytes: int) -> Verdicts:
    """A word for the bytes left."""
    if headroom_bytes < 0:
        return Verdicts(verdict="does-not-fit", headroom_bytes=headroom_bytes)
    tight = headroom_bytes < TIGHT_SHARE * memory_bytes
    return Verdicts(verdict="tight" if tight else "fits", headroom_bytes=headroom_bytes)


def feasible_utilization(
    serving: Serving, needs: tuple[StageNeed, ...], memory_bytes: int
) -> float:
    """The engine's share, lowered in steps of 0.01 until what lies beside it has room.

    M_out ≤ (1 - u) · M  ⇒  u ≤ 1 - M_out / M
    """
    outside = max(need.outside.high for need in needs)
    return usable_share(serving.memory_utilization, outside, memory_bytes)


def usable_share(share: float, outside_bytes: int, memory_bytes: int) -> float:
    """A share of a card, lowered in whole hundredths until `outside_bytes` fit beside it."""
    room = (memory_bytes - outside_bytes) * 100 // memory_bytes * UTILIZATION_STEP
    return max(UTILIZATION_STEP, min(share, round(room, 2)))


def tightest(needs: tuple[StageNeed, ...], risk: Risk = "high") -> StageNeed:
    """The stage whose rank needs most."""
    return max(needs, key=lambda need: at_risk(need.inside, risk) + at_risk(need.outside, risk))


def cache_room_bytes(need: StageNeed, budget: Budget, risk: Risk) -> int:
    """What a stage's rank has left for the cache. [B]"""
    outside = at_risk(need.outside, risk) if budget.policy == "none" else 0
    return max(0, budget.budget_bytes - at_risk(need.fixed, risk) - outside)


def serving_limits(
    serving: Serving, needs: tuple[StageNeed, ...], budget: Budget, risk: Risk
) -> Limits:
    """What the space for the cache holds: on the stage that holds fewest sequences."""
    rooms = [(need, cache_room_bytes(need, budget, risk)) for need in needs]
    need, room = min(rooms, key=lambda pair: pair[1] / max(1, pair[0].sequence_bytes))
    concurrency = room // need.sequence_bytes if need.sequence_bytes else serving.max_sequences
    per_token = ceil_div(need.sequence_bytes, max(1, serving.context_tokens))
    return Limits(
        kv_cache_capacity_bytes=room,
        kv_cache_capacity_tokens=room * serving.context_tokens // max(1, need.sequence_bytes),
        kv_bytes_per_token=per_token,
        max_concurrency=concurrency * serving.split.data,
        max_context_tokens=max_context_tokens(serving, need.stage, room),
    )


def max_context_tokens(serving: Serving, stage: Stage, room_bytes: int) -> int:
    """Longest context at which all sequences of a replica still fit, up to the model's limit."""
    low, high = 0, serving.model.context_limit or MAX_CONTEXT_TOKENS
    while low < high:
        middle = (low + high + 1) // 2
        if serving.sequences * sequence_cache_bytes(serving, stage, middle) <= room_bytes:
            low = middle
        else:
            high = middle - 1
    return low
