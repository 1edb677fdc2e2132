"""Plans in words for a chat and in rows for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from service.domain.hardware import Price
from service.domain.physics import Throughput
from service.domain.plan_results import Option, Plan, Rejection
from service.domain.results import Limits
from service.domain.units import GIB
from service.presentation.words import counted, gib, money, note_lines, room, span, term_lines

SHOWN_REASONS = 3
DEGREES = (
    ("tensor_parallel", "tensor-parallel rank", "tensor-parallel ranks"),
    ("pipeline_parallel", "pipeline stage", "pipeline stages"),
    ("expert_parallel", "expert-parallel rank", "expert-parallel ranks"),
)


def split_words(option: Option) -> str:
    """How the model lies over the cards: "2 tensor-parallel ranks x 3 pipeline stages"."""
    parts = [
        counted(getattr(option, name), one, many)
        for name, one, many in DEGREES
        if getattr(option, name) > 1
    ]
    if option.data_parallel > 1:
        copies = "data-parallel ranks" if option.training else "replicas"
        sharded = option.sharding not in {None, "none"}
        parts.append(f"{option.data_parallel} {copies}{f', {option.sharding}' * sharded}")
    return " x ".join(parts) or "not split"


def named(option: Option) -> str:
    """An option by what is bought and how the weights are kept."""
    form = option.precision
    if option.quantization != "none":
        form = f"{option.quantization} weights, {option.precision} otherwise"
    return f"{option.cards} x {option.gpu.id} ({split_words(option)}), {form}"


def training_words(option: Option) -> Iterator[str]:
    """What a training plan chose."""
    run = option.training
    if run is not None:
        yield (
            f"Training: {run.method} with {run.optimizer}, micro-batch {run.micro_batch_size} x "
            f"{counted(run.gradient_accumulation, 'accumulation step')} of "
            f"{run.sequence_tokens} tokens, checkpointing {run.activation_checkpointing}, "
            f"sharding {run.sharding}, offload {run.offload}."
        )


def place_lines(option: Option) -> Iterator[str]:
    """Which nodes of an inventory are used."""
    if option.placement:
        places = ", ".join(f"{one.cards} x {one.gpu} on {one.node}" for one in option.placement)
        yield f"Place: {places}."


def need_lines(option: Option) -> Iterator[str]:
    """The fullest card, term by term."""
    amount = option.per_card.amount
    yield (
        f"Fullest card: {gib(amount.expected)} needed ({span(amount)}); "
        f"{room(option.card, option.headroom_bytes, option.per_card)}."
    )
    yield from term_lines(option.per_card)


def speed_lines(found: Throughput | None) -> Iterator[str]:
    """Upper bounds on speed."""
    if found is not None:
        yield (
            f"Speed, at most: {found.tokens_per_second_per_user:.1f} tokens/s a user, "
            f"{found.tokens_per_second:.0f} in all, first token after at least "
            f"{found.first_token_ms:.0f} ms; {found.limited_by} is the limit."
        )


def cost_lines(option: Option) -> Iterator[str]:
    """Rent and purchase with their prices' dates; nothing where no price is known."""
    found = option.cost
    if found is None:
        if option.hourly_usd is not None:
            yield f"Rent: {option.hourly_usd:,.2f} USD an hour for {counted(option.cards, 'card')}."
        return
    if found.hourly_usd is not None and found.rental is not None:
        yield (
            f"Rent: {found.hourly_usd:,.2f} USD an hour, {dollars(found.monthly_usd)} USD a month "
            f"for {counted(option.cards, 'card')} {dated(found.rental)}."
        )
    if found.purchase_usd is not None and found.purchase is not None:
        billed = counted(found.billed_cards, "card")
        whole = ", sold in whole servers" * (found.billed_cards > option.cards)
        yield (
            f"Purchase: {dollars(found.purchase_usd)} USD for {billed}{whole} "
            f"{dated(found.purchase)}."
        )


def dated(price: Price) -> str:
    """When a price was seen, and where if nobody says when."""
    return f"(price of {price.date})" if price.date else f"(undated price: {price.source})"


def dollars(amount: Decimal | None) -> str:
    """Whole dollars."""
    return "" if amount is None else f"{amount:,.0f}"


def smaller(plan: Plan, best: Option) -> list[Rejection]:
    """Why smaller numbers of an option's card fail in its format."""
    return [
        row
        for row in plan.rejected
        if row.gpu == best.gpu.id
        and row.quantization == best.quantization
        and row.cards < best.cards
    ]


def fewer(plan: Plan, best: Option) -> Iterator[str]:
    """Why the next smaller number of the same cards fails; of one card, the nearest other card."""
    own = smaller(plan, best)
    others = [row for row in plan.rejected if row.reason == "memory" and best.cards == 1]
    if own:
        row = max(own, key=lambda one: one.cards)
        yield f"Why not {counted(row.cards, 'card')}: {reason(row)}."
    elif others:
        row = min(others, key=lambda one: one.short_by_bytes)
        yield f"Why not {row.cards} x {row.gpu}: with {row.quantization} {reason(row)}."


def reason(row: Rejection) -> str:
    """A rejection's message without the combination that it starts with."""
    combination, _, rest = row.message.partition(": ")
    return rest if combination.startswith(f"{row.cards} x ") and rest else row.message


def headline(plan: Plan) -> str:
    """The answer in one line."""
    best, missed, name = plan.recommendation, plan.nearest_miss, plan.model.name
    if best is not None:
        return f"{name}: {named(best)}."
    if missed is not None:
        return f"{name}: nothing fits; the nearest is short by {gib(missed.short_by_bytes)} a card."
    return f"{name}: nothing in the allowed choices can run it."


def fitting(plan: Plan, best: Option) -> tuple[str, ...]:
    """A plan that fits, its answer first."""
    return (
        headline(plan),
        *training_words(best),
        *place_lines(best),
        *need_lines(best),
        *fewer(plan, best),
        *speed_lines(best.throughput),
        *cost_lines(best),
        *((f"Start: {best.launch}",) if best.launch else ()),
        *(
            f"Advice: {entry.change} saves {counted(entry.saves_cards, 'card')} ({entry.costs})."
            for entry in plan.advice
        ),
        *note_lines(plan.assumptions, plan.warnings),
    )


def remedies(missed: Option) -> Iterator[str]:
    """What would make the nearest miss fit."""
    ways = [f"{gib(missed.short_by_bytes)} more on each card"]
    limits = missed.limits
    if isinstance(limits, Limits) and limits.max_concurrency > 0:
        ways.append(f"at most {counted(limits.max_concurrency, 'sequence')} at a time")
    if isinstance(limits, Limits) and limits.max_context_tokens > 0:
        ways.append(f"a context of at most {limits.max_context_tokens} tokens")
    largest = max(missed.per_card.terms, key=lambda term: term.amount.expected)
    yield f"It would fit with {', or '.join(ways)}; the largest term is {largest.name}."


def missing(plan: Plan) -> tuple[str, ...]:
    """A plan that found nothing: the nearest miss, by how much, and what would help."""
    missed = plan.nearest_miss
    notes = note_lines(plan.assumptions, plan.warnings)
    if missed is not None:
        near = f"Nearest: {named(missed)}."
        return (
            headline(plan),
            near,
            *training_words(missed),
            *need_lines(missed),
            *remedies(missed),
            *notes,
        )
    why = dict.fromkeys(row.message for row in plan.rejected)
    reasons = (f"Because: {message}." for message in list(why)[:SHOWN_REASONS])
    return (headline(plan), *reasons, *notes)


def plan_words(plan: Plan) -> tuple[str, ...]:
    """A plan in lines, the answer in the first."""
    best = plan.recommendation
    return missing(plan) if best is None else fitting(plan, best)


def alternative_rows(plan: Plan) -> tuple[Mapping[str, Any], ...]:
    """Alternatives for a reader: those that differ in the quantization alone share a row."""
    groups: dict[tuple[str, ...], list[Option]] = {}
    for option in plan.alternatives:
        price = money(option.cost.hourly_usd if option.cost else option.hourly_usd)
        key = (str(option.cards), option.gpu.id, split_words(option), option.precision, str(price))
        groups.setdefault(key, []).append(option)
    return tuple(merged(key, options) for key, options in groups.items())


def merged(key: tuple[str, ...], options: list[Option]) -> dict[str, Any]:
    """One row of alike alternatives with the least that is left."""
    left = min(option.headroom_bytes for option in options)
    return {
        "also fits": f"{key[0]} x {key[1]}",
        "split": key[2],
        "precision": key[3],
        "quantization": ", ".join(dict.fromkeys(option.quantization for option in options)),
        "GiB left": f"{left / GIB:.2f}",
        "USD/hour": key[4].replace("None", ""),
    }
