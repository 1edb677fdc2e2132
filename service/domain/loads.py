"""What every stage of a way takes, without words: what a search asks for hundreds of times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add
from typing import NamedTuple

from service.domain.architecture import Stage
from service.domain.budgets import POLICIES, Sides
from service.domain.engine import Engine, Policy
from service.domain.forms import TermForm
from service.domain.judging import OUTSIDE, SIDES, at_risk, stages_of
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving
from service.domain.requests import Risk
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


Rows = dict[tuple[object, ...], "Row"]


def loads_beside_weights(serving: Serving, risk: Risk, known: Rows) -> Loads:
    """Every stage's need but its weights; no term of it depends on how those are stored.

    No words are built: a search asks for hundreds of these. `known` keeps what does not follow the
    sequences that a replica holds, so that replicas of one split share it; it belongs to one
    request, one type of cache and one card's defaults.
    """
    kept = forms(serving)[1:]
    steady = [form for form in kept if not form.follows_held]
    moving = [form for form in kept if form.follows_held]
    split, limits = serving.split, (serving.max_sequences, serving.max_batched_tokens)
    rows = []
    here: Rows = {}
    for stage in stages_of(serving):
        content = (serving.model.layer_order[stage.start : stage.stop], stage.first, stage.last)
        if content not in here:
            key = (content, split.tensor, split.pipeline, split.expert, limits)
            if key not in known:
                known[key] = _row(serving, stage, steady, risk)
            here[content] = known[key].plus(_row(serving, stage, moving, risk))
        rows.append(here[content])
    inside, cache, beside, before, high = zip(*rows, strict=True)
    outside = tuple(map(add, beside, before))
    return Loads(
        inside=inside,
        cache=cache,
        beside=beside,
        before=before,
        together=tuple(map(add, inside, cache)),
        outside=outside,
        outside_high=max(high),
        level=len(set(beside)) == len(set(before)) == 1,
        batched_tokens=serving.max_batched_tokens,
    )


class Row(NamedTuple):
    """Bytes of one stage by side, and outside at the high bound."""

    inside: int
    cache: int
    beside: int
    before: int
    outside_high: int

    def plus(self, other: Row) -> Row:
        """Both together."""
        return Row(*map(add, self, other))


def _row(serving: Serving, stage: Stage, kept: Sequence[TermForm], risk: Risk) -> Row:
    found = {**dict.fromkeys(SIDES, 0), "outside_high": 0}
    for form in kept:
        amount, side = form.amount(serving, stage), form.side(serving)
        found[side] += at_risk(amount, risk)
        if side in OUTSIDE:
            found["outside_high"] += amount.high
    return Row(**found)


def weight_loads(
    placement: Placement, engine: Engine, profile: Profile, risk: Risk
) -> tuple[int, ...]:
    """Weights of every stage at the caller's risk. [B]"""
    return tuple(
        at_risk(weight_amount(placement, engine, profile, stage), risk)
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
