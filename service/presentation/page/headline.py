"""The answer in one line, and the few figures that everybody asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from service.domain.plan_results import Option, Plan
from service.domain.results import Limits, TrainingLimits
from service.presentation.page.grids import card_name
from service.presentation.page.numbers import count, size
from service.presentation.plan_words import dollars, split_words
from service.presentation.words import counted, money

Fact = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What fits, or that nothing does."""

    fits: bool
    cards: int
    card: str
    details: tuple[str, ...]
    spoken: str
    title: str


def details(option: Option) -> Iterator[str]:
    """How it is done."""
    if option.quantization == "none":
        yield f"{option.precision} weights"
    else:
        yield f"{option.quantization} weights, {option.precision} otherwise"
    if option.kv_cache_precision:
        yield f"{option.kv_cache_precision} cache"
    yield split_words(option)
    if option.nodes > 1:
        yield counted(option.nodes, "node")
    run = option.training
    if run is not None:
        yield f"{run.method} with {run.optimizer}"
        yield f"{run.micro_batch_size} x {run.sequence_tokens:,} tokens a card and step"
        yield f"checkpointing {run.activation_checkpointing}"
        if run.offload != "none":
            yield f"offload {run.offload}"


def headline(plan: Plan) -> Headline:
    """The answer of a plan."""
    best, missed = plan.recommendation, plan.nearest_miss
    if best is not None:
        name = card_name(best.gpu)
        said = tuple(details(best))
        return Headline(
            fits=True,
            cards=best.cards,
            card=name,
            details=said,
            title=f"{best.cards} × {name} for {plan.model.name}",
            spoken=f"{plan.model.name} fits on {best.cards} × {name}: {', '.join(said)}.",
        )
    if missed is not None:
        lack = f"{size(missed.short_by_bytes)} GiB a card short"
        said = (f"nearest: {missed.cards} × {card_name(missed.gpu)}", lack, *details(missed))
    else:
        said = ("nothing in the allowed choices can run it",)
    return Headline(
        fits=False,
        cards=0,
        card="",
        details=said,
        title=f"Nothing fits {plan.model.name}",
        spoken=f"{plan.model.name}: nothing fits; {', '.join(said[:2])}.",
    )


def facts(option: Option) -> Iterator[Fact]:
    """Label, figure and what stands small beside it."""
    need, card = option.per_card.amount, option.card
    yield "Needed a card", f"{size(need.expected)} GiB", f"{size(need.low)} to {size(need.high)}"
    share = f", {card.memory_utilization:g} of it" if card.memory_utilization else ""
    yield "May be used", f"{size(card.budget_bytes)} GiB", f"of {size(card.memory_bytes)}{share}"
    if option.short_by_bytes:
        yield "Missing", f"{size(option.short_by_bytes)} GiB", "on each card, at the upper bound"
    else:
        yield "Left", f"{size(option.headroom_bytes)} GiB", "where it is tightest"
    yield from room_facts(option)
    yield from price_facts(option)
    yield "Quality", quality(option), f"rank {option.quality_rank} of 8"
    found = option.throughput
    if found is not None:
        speed = f"{found.tokens_per_second_per_user:.0f} tokens/s"
        yield "Speed, at most", speed, f"a user; bound by {found.limited_by}, no benchmark"


def quality(option: Option) -> str:
    """What the format loses."""
    loss = option.quality_loss
    return "as released" if loss in {"none", "as released"} else f"{loss.split(',')[0]} worse"


def room_facts(option: Option) -> Iterator[Fact]:
    """How far it could grow."""
    limits = option.limits
    if isinstance(limits, Limits) and limits.max_concurrency:
        room = f"context up to {count(limits.max_context_tokens)}"
        yield "Room for", counted(limits.max_concurrency, "user"), room
    elif isinstance(limits, TrainingLimits):
        room = f"or {count(limits.max_sequence_tokens)} tokens"
        yield "Room for", f"batch {limits.max_micro_batch_size}", room


def price_facts(option: Option) -> Iterator[Fact]:
    """Rent and power."""
    cost, hourly = option.cost, money(option.hourly_usd)
    if cost is not None and cost.hourly_usd is not None and cost.rental is not None:
        date = f"price of {cost.rental.date}" if cost.rental.date else "undated price"
        yield "Rent", f"${cost.hourly_usd:,.2f}/h", f"${dollars(cost.monthly_usd)} a month, {date}"
    elif hourly is not None:
        yield "Rent", f"${hourly:,.2f}/h", counted(option.cards, "card")
    if cost is not None and cost.purchase_usd is not None:
        sold = counted(cost.billed_cards, "card")
        whole = "; sold in whole servers" * (cost.billed_cards > option.cards)
        yield "Purchase", f"${dollars(cost.purchase_usd)}", f"{sold}{whole}"
    if option.power_watts is not None:
        yield "Power", f"{option.power_watts:,} W", "of all boards"
