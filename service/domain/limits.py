"""What the room for the cache holds: blocks, tokens, sequences and the longest context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.domain.architecture import Stage
from service.domain.budgets import Offer, Sides, room_bytes
from service.domain.judging import Need
from service.domain.questions import Serving
from service.domain.requests import Risk
from service.domain.results import Limits
from service.domain.serving_terms import pool, sequence_cache_bytes

MAX_CONTEXT_TOKENS = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The pool of one stage: its blocks at three bounds, and what one sequence takes of it."""

    stage: Stage
    block_bytes: int
    blocks: int
    low_blocks: int
    high_blocks: int
    sequence_bytes: int

    @property
    def bytes(self) -> int:
        """The pool at the caller's risk. [B]"""
        return self.blocks * self.block_bytes

    @property
    def sequences(self) -> float:
        """Sequences that it holds at once."""
        return self.bytes / max(1, self.sequence_bytes)


def stage_pool(serving: Serving, need: Need, offer: Offer, risk: Risk) -> Pool:
    """The pool of one stage, cut into whole blocks."""
    form = pool(serving)
    block = max(1, form.block_bytes(serving, need.stage))

    def blocks(sides: Sides) -> int:
        return max(0, room_bytes(serving.engine.policy, offer, sides)) // block

    return Pool(
        stage=need.stage,
        block_bytes=block,
        blocks=blocks(need.sides(risk)),
        low_blocks=blocks(need.bounds("high")),
        high_blocks=blocks(need.bounds("low")),
        sequence_bytes=sequence_cache_bytes(serving, need.stage, serving.context_tokens),
    )


def serving_limits(serving: Serving, needs: tuple[Need, ...], offer: Offer, risk: Risk) -> Limits:
    """What the space for the cache holds: on the stage that holds fewest sequences."""
    pools = [stage_pool(serving, need, offer, risk) for need in needs]
    if not any(one.sequence_bytes for one in pools):
        return without_cache(serving)
    found = min((one for one in pools if one.sequence_bytes), key=lambda one: one.sequences)
    form, stage = pool(serving), found.stage
    token, block = form.token_bytes(serving, stage), found.block_bytes
    return Limits(
        kv_cache_capacity_bytes=found.bytes,
        kv_cache_capacity_low_bytes=found.low_blocks * block,
        kv_cache_capacity_high_bytes=found.high_blocks * block,
        kv_cache_capacity_tokens=form.tokens(serving, stage, found.bytes),
        kv_cache_capacity_blocks=found.blocks,
        kv_block_bytes=block,
        kv_fixed_bytes=max(0, found.sequence_bytes - token * serving.context_tokens),
        kv_bytes_per_token=token,
        max_concurrency=int(found.sequences) * serving.split.data,
        max_concurrency_exact=round(found.sequences * serving.split.data, 2),
        max_context_tokens=max_context_tokens(serving, found, token),
    )


def without_cache(serving: Serving) -> Limits:
    """Limits of a model that keeps nothing of a sequence: its steps and its positions alone."""
    sequences = serving.max_sequences * serving.split.data
    return Limits(
        kv_cache_capacity_bytes=0,
        kv_cache_capacity_low_bytes=0,
        kv_cache_capacity_high_bytes=0,
        kv_cache_capacity_tokens=0,
        kv_cache_capacity_blocks=0,
        kv_block_bytes=0,
        kv_fixed_bytes=0,
        kv_bytes_per_token=0,
        max_concurrency=sequences,
        max_concurrency_exact=float(sequences),
        max_context_tokens=serving.model.context_limit or MAX_CONTEXT_TOKENS,
    )


def max_context_tokens(serving: Serving, held: Pool, token_bytes: int) -> int:
    """Longest context at which all sequences of a replica still fit, up to the model's limit.

    Blocks and windows bend the line of so many bytes a token, so it is where the search begins.
    """
    each = held.bytes // serving.sequences

    def fits(tokens: int) -> bool:
        return sequence_cache_bytes(serving, held.stage, tokens) <= each

    beyond = (each - held.sequence_bytes) // max(1, token_bytes)
    return greatest(
        fits,
        most=serving.model.context_limit or MAX_CONTEXT_TOKENS,
        guess=serving.context_tokens + beyond,
        step=max(1, serving.profile.block_tokens),
    )


def greatest(fits: Callable[[int], bool], *, most: int, guess: int, step: int) -> int:
    """The greatest number up to `most` that fits where all smaller ones do; 0 where none does.

    From a guess in steps that double, then by halves.

    >>> greatest(lambda number: number <= 1000, most=4096, guess=900, step=16)
    1000
    """
    low, high = 0, most + 1
    near = min(max(guess, 1), most)
    if fits(near):
        low = near
        while low + step < high and fits(low + step):
            low, step = low + step, 2 * step
        high = min(high, low + step)
    else:
        high = near
        while high - step > low and not fits(high - step):
            high, step = high - step, 2 * step
        low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
