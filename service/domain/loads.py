"""What every stage of a way takes, without words: what a search asks for hundreds of times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import add
from typing import NamedTuple

from service.domain.architecture import Architecture, Stage
from service.domain.budgets import POLICIES, Sides
from service.domain.engine import SURE, Engine, Policy
from service.domain.forms import TermForm
from service.domain.judging import OUTSIDE, SIDES, at_risk, by_stage, stages_of
from service.domain.overrides import NO_OVERRIDES, Overrides, Stated
from service.domain.precision import Precision, Quantization
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving, Split
from service.domain.requests import Risk
from service.domain.results import Amount
from service.domain.serving_terms import forms, weight_amount


class Loads(NamedTuple):
    """What every stage needs beside its weights at the caller's risk, by side of the budget. [B]

    together      inside and cache, which most policies count alike
    outside       beside and before
    outside_high  the most outside at the high bound
    level         whether all stages hold the same outside
    batched_tokens  tokens of a step, on which an engine's share may depend
    """

    inside: tuple[int, ...]
    cache: tuple[int, ...]
    beside: tuple[int, ...]
    before: tuple[int, ...]
    together: tuple[int, ...]
    outside: tuple[int, ...]
    outside_high: int
    level: bool
    batched_tokens: int


class Row(NamedTuple):
    """Bytes of one stage by side, and outside at the high bound."""

    inside: int = 0
    cache: int = 0
    beside: int = 0
    before: int = 0
    outside_high: int = 0

    def plus(self, other: Row, times: int = 1) -> Row:
        """Both together, the other so many times."""
        return Row(*(mine + times * more for mine, more in zip(self, other, strict=True)))


class Rows(NamedTuple):
    """Every stage beside its weights, apart by what follows the sequences that a replica holds.

    steady  follows none of them
    each    bytes for each of them
    others  terms that follow them in another way
    """

    steady: tuple[Row, ...]
    each: tuple[Row, ...]
    others: tuple[TermForm, ...]


def rows(serving: Serving, risk: Risk) -> Rows:
    """What all numbers of sequences share that leave the limits of a step as they are.

    No words are built: a search asks for hundreds of these. Stages of equal content are worked out
    once; no term of them depends on how the weights are stored.
    """
    kept = forms(serving)[1:]
    steady = [form for form in kept if not form.follows_held]
    moving = [form for form in kept if form.follows_held]
    each = [form for form in moving if form.each_sequence and form.doubt(serving) is SURE]
    one = replace(serving, sequences=1)
    found = by_stage(
        serving, lambda stage: (_row(serving, stage, steady, risk), _row(one, stage, each, risk))
    )
    alike, apart = zip(*found, strict=True)
    return Rows(alike, apart, tuple(form for form in moving if form not in each))


def loads(shared: Rows, held: int, moved: Sequence[Row], batched_tokens: int) -> Loads:
    """Every stage's need but its weights, for so many sequences; `moved` is what `others` take."""
    together = [row.plus(one, held) for row, one in zip(shared.steady, shared.each, strict=True)]
    if moved:
        together = [row.plus(more) for row, more in zip(together, moved, strict=True)]
    inside, cache, beside, before, high = zip(*together, strict=True)
    return Loads(
        inside=inside,
        cache=cache,
        beside=beside,
        before=before,
        together=tuple(map(add, inside, cache)),
        outside=tuple(map(add, beside, before)),
        outside_high=max(high),
        level=len(set(beside)) == len(set(before)) == 1,
        batched_tokens=batched_tokens,
    )


def moved_rows(serving: Serving, others: Sequence[TermForm], risk: Risk) -> tuple[Row, ...]:
    """What terms take of every stage that follow the sequences in a way of their own."""
    return by_stage(serving, lambda stage: _row(serving, stage, others, risk))


def _row(serving: Serving, stage: Stage, kept: Sequence[TermForm], risk: Risk) -> Row:
    found = {**dict.fromkeys(SIDES, 0), "outside_high": 0}
    for form in kept:
        amount, side = form.amount(serving, stage), form.side(serving)
        found[side] += at_risk(amount, risk)
        if side in OUTSIDE:
            found["outside_high"] += amount.high
    return Row(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What decides the bytes of a model's weights on any rank: no workload, no card."""

    model: Architecture
    precision: Precision
    quantization: Quantization
    stated: Stated | None
    engine: Engine
    profile: Profile


@lru_cache(maxsize=16384)
def weight_loads(stored: Stored, split: Split) -> tuple[Amount, ...]:
    """Weights of every stage of a split of one replica; requests for a model share them."""
    placement = Placement(
        model=stored.model,
        precision=stored.precision,
        quantization=stored.quantization,
        split=split,
        overrides=Overrides(weights=stored.stated) if stored.stated else NO_OVERRIDES,
    )
    return tuple(
        weight_amount(placement, stored.engine, stored.profile, stage)
        for stage in stages_of(placement)
    )


class Heaviest(NamedTuple):
    """Over all stages, at the caller's risk: those that decide whether a card holds them. [B]

    inside        most inside the budget, cache included
    whole         most on all sides together
    outside_high  most outside the budget at the high bound
    """

    sides: tuple[Sides, ...]
    inside: int
    whole: int
    outside_high: int
    batched_tokens: int


def heaviest(weights: tuple[int, ...], loads: Loads, policy: Policy) -> Heaviest:
    """The heaviest stages of a question, weights included.

    Where all stages hold the same outside and the policy counts cache and the rest alike, the
    stage that holds most inside decides alone.
    """
    held = list(map(add, weights, loads.together))
    most = max(held)
    whole = most + loads.outside[0] if loads.level else max(map(add, held, loads.outside))
    deciding: Iterable[int] = range(len(held))
    if loads.level and POLICIES[policy].counts_alike:
        deciding = (held.index(most),)
    sides = tuple(
        Sides(held[i] - loads.cache[i], loads.cache[i], loads.beside[i], loads.before[i])
        for i in deciding
    )
    return Heaviest(sides, most, whole, loads.outside_high, loads.batched_tokens)
