"""How far a training run can grow on its cards: the greatest micro-batch and sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from service.domain.questions import TrainingRun
from service.domain.results import TrainingLimits

MAX_MICRO_BATCH = 1 << 20
MAX_SEQUENCE_TOKENS = 1 << 31

Need = Callable[[int], int]


def greatest(need: Need, room_bytes: int, top: int) -> int:
    """Greatest whole number up to `top` whose need fits, 0 where not even 1 does.

    The need is a maximum of phases that each grow evenly or faster: from a miss, its slope leads
    down to another miss or to the answer. Halving makes it sure where rounding breaks that.
    """
    need = cache(need)
    if need(1) > room_bytes:
        return 0
    if need(top) <= room_bytes:
        return top
    low, high = 1, top
    while high - low > 1:
        middle = min(high - 1, max(low + 1, down_the_slope(need, room_bytes, high)))
        if need(middle) > room_bytes:
            high = middle
        elif need(middle + 1) > room_bytes:
            return middle
        else:
            low, half = middle, (middle + high) // 2
            low, high = (half, high) if need(half) <= room_bytes else (low, half)
    return low


def down_the_slope(need: Need, room_bytes: int, miss: int) -> int:
    """Where the need would fit if it fell from a miss as it does just before it."""
    slope = max(1, need(miss) - need(miss - 1))
    return miss + (room_bytes - need(miss)) // slope


def training_limits(
    run: TrainingRun, room_bytes: int, need: Callable[[TrainingRun], int]
) -> TrainingLimits:
    """Greatest micro-batch at this sequence, and greatest sequence at this micro-batch."""
    longest = run.model.context_limit or MAX_SEQUENCE_TOKENS
    return TrainingLimits(
        max_micro_batch_size=greatest(
            lambda size: need(replace(run, micro_batch_size=size)), room_bytes, MAX_MICRO_BATCH
        ),
        max_sequence_tokens=greatest(
            lambda tokens: need(replace(run, sequence_tokens=tokens)), room_bytes, longest
        ),
    )
