"""What torch and the driver would show of a training run, each with the range of its own kind."""

from __future__ import annotations

from service.domain.engine import Doubt
from service.domain.forms import ranged
from service.domain.questions import TrainingRun
from service.domain.results import Amount, PerCard, Readings
from service.domain.units import bytes_of_gib


def allocated(card: PerCard) -> Amount:
    """What torch counts as allocated: all terms but the runtime."""
    parts = [term.amount for term in card.terms if term.name != "runtime"]
    return sum(parts, Amount.exactly(0))


def readings(run: TrainingRun, card: PerCard) -> Readings:
    """Allocated, reserved and driver's used bytes at the peak.

    reserved = ρ·A;  driver = reserved + c

    A  allocated   ρ  reserved over allocated   c  context and kernels

    Holds when:  the allocator may take what is free; the driver's figure can then lie far above
                 what is needed.
    Source:      config/frameworks; ranges from the residuals of published runs by kind of reading.
    Checked by:  nothing allocated: the driver shows the context alone.
    """
    terms, framework = allocated(card), run.framework
    counted = measured(terms.expected, framework.doubts.get("allocated"), terms)
    ratio, context = framework.reserved_ratio, framework.context_gib
    kept = Amount(
        low=round(terms.low * ratio.low),
        expected=round(terms.expected * ratio.expected),
        high=round(terms.high * ratio.high),
    )
    shown = Amount(
        low=kept.low + bytes_of_gib(context.low),
        expected=kept.expected + bytes_of_gib(context.expected),
        high=kept.high + bytes_of_gib(context.high),
    )
    return Readings(
        allocated=counted,
        reserved=measured(kept.expected, framework.doubts.get("reserved"), kept),
        driver=measured(shown.expected, framework.doubts.get("driver"), shown),
    )


def measured(expected_bytes: int, doubt: Doubt | None, stated: Amount) -> Amount:
    """A reading with the range of published ones, else with the stated one."""
    return stated if doubt is None else ranged(expected_bytes, doubt)
