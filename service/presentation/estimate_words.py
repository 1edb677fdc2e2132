"""Estimates in words for a chat."""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.results import Estimate, Limits, Readings, TrainingLimits
from service.presentation.words import counted, gib, note_lines, room, span, term_lines

VERDICTS = {"fits": "fits", "tight": "fits tightly", "does-not-fit": "does not fit"}


def estimate_words(result: Estimate) -> tuple[str, ...]:
    """An estimate in lines, the answer in the first."""
    return (
        answer(result),
        *judged_lines(result),
        *term_lines(result.per_card),
        *limit_lines(result.limits),
        *reading_lines(result.readings),
        *note_lines(result.assumptions, result.warnings),
    )


def answer(result: Estimate) -> str:
    """Whether it fits, and how much it needs."""
    amount, judged, budget = result.per_card.amount, result.judgement, result.card
    form = result.precision
    if result.quantization != "none":
        form = f"{result.quantization} weights, {result.precision} otherwise"
    need = f"{gib(amount.expected)} a card ({span(amount)})"
    if result.cards > 1:
        need += f", {gib(result.total_bytes)} on {counted(result.cards, 'card')}"
    if judged is None or budget is None:
        return f"{result.model.name}, {form}: {need}."
    where = budget.gpu or "the card"
    verdict = VERDICTS[judged.verdict]
    return f"{result.model.name}, {form}: {verdict} on {result.cards} x {where}; {need}."


def judged_lines(result: Estimate) -> Iterator[str]:
    """The room on a card, and what the engine does."""
    if result.judgement and result.card:
        left = result.judgement.headroom_bytes
        yield f"Fullest card: {room(result.card, left, result.per_card)}."
    if result.outcome and result.outcome.obstacle:
        words = result.outcome.start.replace("-", " ")
        yield f"The engine {words}; the obstacle is {result.outcome.obstacle}."
    if result.per_card.phase:
        yield f"The peak is in the phase {result.per_card.phase}."


def limit_lines(limits: Limits | TrainingLimits | None) -> Iterator[str]:
    """How far it could grow."""
    if isinstance(limits, Limits):
        yield (
            f"Room for {counted(limits.max_concurrency, 'sequence')} of this length, or a context "
            f"of {limits.max_context_tokens} tokens."
        )
    elif limits is not None:
        yield (
            f"Room for a micro-batch of {limits.max_micro_batch_size}, or sequences of "
            f"{limits.max_sequence_tokens} tokens."
        )


def reading_lines(readings: Readings | None) -> Iterator[str]:
    """What tools would show while training."""
    if readings is not None:
        yield (
            f"Tools would show: allocated {gib(readings.allocated.expected)}, reserved "
            f"{gib(readings.reserved.expected)}, nvidia-smi {gib(readings.driver.expected)}."
        )
