"""How far a training run can grow on its cards: the greatest micro-batch and sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.domain.questions import TrainingRun
from service.domain.results import TrainingLimits

MAX_MICRO_BATCH = 1 << 20
MAX_SEQUENCE_TOKENS = 1 << 31

Need = Callable[[int], int]


def greatest(need: Need, room_bytes: int, top: int) -> int:
    """Greatest whole number up to `top` whose need fits, 0 where not even 1 does.

    The need is a maximum of phases that each grow with the number, almost all of them as a line:
    a chord between a fit and a miss meets the room near the answer, halving makes it sure.
    """
    low, need_low = 1, need(1)
    if need_low > room_bytes:
        return 0
    high, need_high = top, need(top)
    if need_high <= room_bytes:
        return top
    by_chord = True
    while high - low > 1:
        chord = low + (room_bytes - need_low) * (high - low) // max(1, need_high - need_low)
        middle = min(high - 1, max(low + 1, chord)) if by_chord else (low + high) // 2
        found = need(middle)
        by_chord = not by_chord
        if found <= room_bytes:
            low, need_low = middle, found
            if need(min(high, middle + 1)) > room_bytes:
                return middle
        else:
            high, need_high = middle, found
    return low


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
