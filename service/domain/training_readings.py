"""What torch and the driver would show of a training run, each with the range of its own kind."""

from __future__ import annotations

from service.domain.engine import Doubt
from service.domain.forms import ranged
from service.domain.questions import TrainingRun
from service.domain.results import Amount, PerCard, Readings
from service.domain.training_logits import raises_logits
from service.domain.units import bytes_of_gib

MOVING = frozenset({
    "activations",
    "logits",
    "gradients",
    "optimizer_workspace",
    "sharding_buffers",
    "dequantization",
})
"""Terms that come and go within a step."""


def allocated(card: PerCard) -> Amount:
    """What torch counts as allocated: all terms but the runtime."""
    parts = [term.amount for term in card.terms if term.name != "runtime"]
    return sum(parts, Amount.exactly(0))


def moving_bytes(card: PerCard, apart: frozenset[str] = frozenset()) -> int:
    """What a phase holds only for itself, some terms apart. [B]"""
    return sum(t.amount.expected for t in card.terms if t.name in MOVING - apart)


def other_phases_bytes(run: TrainingRun, cards: tuple[PerCard, ...]) -> int:
    """What the other phases hold at their peaks and the largest does not. [B]

    M = k + l + max(0, max(m_b, m_r) - k) + m_o - max(m_l, m_b, m_r, m_o);  at least 0

    m_l, m_b, m_r, m_o  what loss, backward, tables' gradient and optimizer hold only for themselves
    k, l  activations at the loss, which the backward pass still holds, and logits

    Holds when:  every phase takes new blocks; what two phases hold alike is counted once. Sharded
                 gradients are counted at both: they are made between buffers that they then keep
                 from being used whole.
    Source:      torch 2.13 `c10/cuda/CUDACachingAllocator.cpp`: a freed block serves smaller
                 requests first and is then too small for the next large one.
    Checked by:  k 3, l 2, backward 7, optimizer 4: 3 + 2 + 4 + 4 - 7 = 6.
    """
    standing = frozenset({"gradients"}) if run.shards == 1 else frozenset[str]()
    held = {card.phase: moving_bytes(card) for card in cards}
    step = sum(moving_bytes(card, standing) for card in cards if card.phase == "optimizer")
    kept, logits = in_loss(cards, "activations"), in_loss(cards, "logits")
    back = max(held.get("backward", 0), held.get("root-gradient", 0))
    apart = kept + logits + max(0, back - kept) + step
    return max(0, apart - max(held.values(), default=0))


def in_loss(cards: tuple[PerCard, ...], name: str) -> int:
    """A term's bytes while the loss is computed. [B]"""
    loss = (card for card in cards if card.phase == "loss")
    return sum(t.amount.expected for card in loss for t in card.terms if t.name == name)


def reserved_bytes(
    run: TrainingRun, cards: tuple[PerCard, ...], allocated_bytes: int, memory_bytes: int | None
) -> int:
    """What the caching allocator takes from the driver. [B]

    R = A·(1 + φ) + max(ψ·M, κ·T·V);  at most what the card has beside the context

    A  allocated   φ  loose share   M  of other phases   ψ  of these, what finds no room
    κ  bytes a logit   T  tokens   V  vocabulary

    Holds when:  the allocator may take what is free; it gives its cache back before it fails.
    Source:      config/frameworks (cache), fitted to published readings.
    Checked by:  nothing allocated: nothing reserved.
    """
    cache = run.framework.cache
    logits = run.tokens * run.model.vocabulary_size if raises_logits(run) else 0
    further = max(cache.other_phases * other_phases_bytes(run, cards), cache.logit_bytes * logits)
    wanted = round(allocated_bytes * (1 + cache.loose) + further)
    if memory_bytes is None:
        return wanted
    room = round(memory_bytes * cache.usable) - context(run).expected
    return max(allocated_bytes, min(wanted, room))


def context(run: TrainingRun) -> Amount:
    """CUDA context and kernels, and communicators where there are several cards. [B]"""
    framework = run.framework
    parts = [framework.context_gib]
    if run.split.cards > 1:
        parts.append(framework.communicators_gib)
    return Amount(
        low=sum(bytes_of_gib(part.low) for part in parts),
        expected=sum(bytes_of_gib(part.expected) for part in parts),
        high=sum(bytes_of_gib(part.high) for part in parts),
    )


def readings(
    run: TrainingRun, cards: tuple[PerCard, ...], card: PerCard, memory_bytes: int | None
) -> Readings:
    """Allocated, reserved and driver's used bytes at the peak.

    driver = reserved + c

    c  context, kernels and communicators

    Holds when:  the allocator may take what is free; the driver's figure can then lie far above
                 what is needed.
    Source:      `reserved_bytes`; ranges from the residuals of published runs by kind of reading.
    Checked by:  nothing allocated: the driver shows the context alone.
    """
    terms, doubts = allocated(card), run.framework.doubts
    kept = reserved_bytes(run, cards, terms.expected, memory_bytes)
    beside = context(run)
    stated = Amount(low=terms.low, expected=kept, high=max(kept, terms.high))
    return Readings(
        allocated=measured(terms.expected, doubts.get("allocated"), terms),
        reserved=measured(kept, doubts.get("reserved"), stated),
        driver=measured(kept + beside.expected, doubts.get("driver"), stated + beside),
    )


def measured(expected_bytes: int, doubt: Doubt | None, stated: Amount) -> Amount:
    """A reading with the range of published ones, else with the stated one."""
    return stated if doubt is None else ranged(expected_bytes, doubt)
