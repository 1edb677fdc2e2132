"""Plans, estimates and lists as replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from service.domain.hardware import Gpu
from service.domain.plan_results import Option, Plan
from service.domain.results import Budget, Caution, Estimate, Note, PerCard
from service.domain.units import GIB
from service.presentation.chat.reply import Reply, Row
from service.presentation.estimate_words import answer, judged_lines, limit_lines, reading_lines
from service.presentation.plan_words import (
    alternative_rows,
    cost_lines,
    fewer,
    missing,
    named,
    place_lines,
    remedies,
    speed_lines,
    training_words,
)
from service.presentation.words import counted, span

SHOWN_ALTERNATIVES, SHOWN_FORMATS, SHOWN_ADVICE, SHOWN_WARNINGS, SHOWN_ROWS = 2, 3, 2, 3, 15


def plan_reply(plan: Plan) -> Reply:
    """The recommendation with what proves it, or why nothing fits."""
    best = plan.recommendation
    if best is None:
        return miss_reply(plan)
    facts = (
        *training_words(best),
        *place_lines(best),
        *fewer(plan, best),
        *speed_lines(best.throughput),
        *cost_lines(best),
        *also_fits(plan),
        *(
            f"{entry.change} would save {counted(entry.saves_cards, 'card')} ({entry.costs})."
            for entry in plan.advice[:SHOWN_ADVICE]
        ),
    )
    return Reply(
        title=f"{plan.model.name}: {named(best)}.",
        table=memory_table(best.per_card, best.card, best.headroom_bytes),
        facts=facts,
        codes=(best.launch,) if best.launch else (),
        notes=small_print(plan.assumptions, plan.warnings),
        tone="good",
    )


def miss_reply(plan: Plan) -> Reply:
    """Why nothing fits, and by how much."""
    missed, notes = plan.nearest_miss, small_print(plan.assumptions, plan.warnings)
    title, *facts = missing(replace(plan, assumptions=(), warnings=()))
    if missed is None:
        return Reply(title=title, facts=tuple(facts), notes=notes, tone="bad")
    return Reply(
        title=title,
        table=memory_table(missed.per_card, missed.card, missed.headroom_bytes),
        facts=(f"Nearest: {named(missed)}.", *training_words(missed), *remedies(missed)),
        notes=notes,
        tone="bad",
    )


def memory_table(card: PerCard, budget: Budget, headroom_bytes: int) -> tuple[Row, ...]:
    """The fullest card against what may be used of it."""
    rows = [(term.name, gibs(term.amount.expected), span(term.amount)) for term in card.terms]
    state = "left at the tightest" if headroom_bytes >= 0 else "missing"
    return (
        ("fullest card", "GiB", "low to high"),
        *rows,
        ("needed", gibs(card.amount.expected), span(card.amount)),
        ("may be used", gibs(budget.budget_bytes), f"of {gibs(budget.memory_bytes)}"),
        (state, gibs(abs(headroom_bytes)), ""),
    )


def gibs(size: int) -> str:
    """Bytes as a bare number of GiB."""
    return f"{size / GIB:.2f}"


def also_fits(plan: Plan) -> Iterator[str]:
    """The next best, and how many more there are."""
    rows = alternative_rows(plan)
    for row in rows[:SHOWN_ALTERNATIVES]:
        price = f", {row['USD/hour']} USD/h" if row["USD/hour"] else ""
        formats = row["quantization"].split(", ")
        more = f" or {len(formats) - SHOWN_FORMATS} more" if len(formats) > SHOWN_FORMATS else ""
        kept = ", ".join(formats[:SHOWN_FORMATS])
        yield f"Also fits: {row['also fits']} ({row['split']}), {kept}{more}{price}."
    if len(rows) > SHOWN_ALTERNATIVES:
        yield f"{len(rows) - SHOWN_ALTERNATIVES} more in the whole answer."


def small_print(notes: tuple[Note, ...], warnings: tuple[Caution, ...]) -> tuple[str, ...]:
    """Warnings, then what was assumed, without the reasons."""
    said = [f"Warning: {caution.message}." for caution in warnings[:SHOWN_WARNINGS]]
    if len(warnings) > SHOWN_WARNINGS:
        said.append(f"{len(warnings) - SHOWN_WARNINGS} more warnings in the whole answer.")
    if notes:
        fields = (f"{note.field.rsplit('.', 1)[-1]} = {note.value}" for note in notes)
        said.append(f"Assumed: {', '.join(fields)}.")
    return tuple(said)


def estimate_reply(result: Estimate) -> Reply:
    """Whether a placement fits, term by term."""
    judged, budget = result.judgement, result.card
    rows = [
        (term.name, gibs(term.amount.expected), span(term.amount)) for term in result.per_card.terms
    ]
    table: tuple[Row, ...] = (("fullest card", "GiB", "low to high"), *rows)
    if judged and budget:
        table = memory_table(result.per_card, budget, judged.headroom_bytes)
    return Reply(
        title=answer(result),
        table=table,
        facts=(
            *judged_lines(result),
            *limit_lines(result.limits),
            *reading_lines(result.readings),
        ),
        notes=small_print(result.assumptions, result.warnings),
        tone="bad" if judged and judged.verdict == "does-not-fit" else "good",
    )


def comparison_reply(sides: Sequence[tuple[str, Plan]]) -> Reply:
    """Several plans beside each other; each side is told by what it alone says."""
    best = [plan.recommendation for _, plan in sides]
    rows = [compared(label, option) for (label, _), option in zip(sides, best, strict=True)]
    facts = [
        f"{label}: {named(option) + '.' if option else missing(plan)[0]}"
        for (label, plan), option in zip(sides, best, strict=True)
    ]
    return Reply(
        title=f"{' vs '.join(label for label, _ in sides)}: {verdict(sides)}",
        table=(("side", "cards", "GiB", "left", "USD/h"), *rows),
        facts=tuple(facts),
        tone="good" if all(best) else "bad",
    )


def verdict(sides: Sequence[tuple[str, Plan]]) -> str:
    """Which side needs the fewest cards; the cheapest where several do."""
    best = {label: plan.recommendation for label, plan in sides if plan.recommendation}
    if not best:
        return "nothing fits on any side."
    fewest = min(option.cards for option in best.values())
    winners = {label: option for label, option in best.items() if option.cards == fewest}
    if len(winners) == 1:
        return f"{next(iter(winners))} needs the fewest cards."
    prices = {label: hourly(option) for label, option in winners.items()}
    known = {label: price for label, price in prices.items() if price is not None}
    tied = f"{' and '.join(winners)} need {counted(fewest, 'card')} each"
    if len(known) < len(winners) or len(set(known.values())) == 1:
        return f"{tied}."
    cheapest = min(known, key=lambda label: known[label])
    return f"{tied}; {cheapest} costs least."


def hourly(option: Option) -> Decimal | None:
    """Rent of an option."""
    return option.cost.hourly_usd if option.cost else option.hourly_usd


def compared(label: str, option: Option | None) -> Row:
    """One side's numbers."""
    if option is None:
        return (label, "-", "-", "-", "-")
    price = hourly(option)
    need = gibs(option.per_card.amount.expected)
    left = gibs(option.headroom_bytes)
    return (label, str(option.cards), need, left, f"{price:.2f}" if price is not None else "-")


def cards_reply(cards: Sequence[Gpu], words: str) -> Reply:
    """Cards with their memory and price."""
    rows = [
        (gpu.id, f"{gpu.memory_label_gb:g}", f"{gpu.hourly_usd:.2f}" if gpu.hourly_usd else "-")
        for gpu in cards[:SHOWN_ROWS]
    ]
    return listed("card", len(cards), words, (("card", "GB", "USD/h"), *rows))


def models_reply(models: Sequence[tuple[str, int | None]], words: str) -> Reply:
    """Models with their parameters, where these are counted."""
    rows = [(name, f"{count / 1e9:.2f}" if count else "-") for name, count in models[:SHOWN_ROWS]]
    return listed("model", len(models), words, (("model", "billion parameters"), *rows))


EXAMPLES = {"card": "cards nvidia 80gb", "model": "models llama 70b"}


def listed(kind: str, count: int, words: str, table: tuple[Row, ...]) -> Reply:
    """A list, cut where it is long."""
    about = f" with `{words}`" if words else ""
    if not count:
        hint = f"`{kind}s` alone lists all; to plan, leave the word `{kind}s` out."
        return Reply(title=f"No {kind}{about}.", facts=(hint,), tone="bad")
    more = count - (len(table) - 1)
    facts = (f"{more} more; add words to see fewer, as in `{EXAMPLES[kind]}`.",) if more else ()
    return Reply(title=f"{counted(count, kind)}{about}.", table=table, facts=facts)


USAGE = (
    "`llama-3.3-70b ctx=32k users=50 on h100 max 8 cheapest`: the smallest set of cards to serve",
    "`train llama-3-8b lora r16 seq=4k batch=8 on l40s`: the same to train",
    "`compare llama-3.3-70b ctx=32k on a100-80gb vs h200`: plans beside each other",
    "`estimate llama-3.1-8b users=32 on l40s x2`: whether it fits there",
    "`cards nvidia`, `models qwen`: what is known; `explain <link>`: a link of this service",
    "Words stand in any order. Sizes: 70b, 32k, 80gb. Cards: h100 x8, max 8, nvidia, 80gb cards.",
    "Weights: bf16, fp8, int4, awq, gptq, q4_k_m. Cache: kv fp8. Engines: vllm, sglang, llama.cpp.",
    "Wishes: cheapest, lowest power, best quality, lossless, budget $20/h, risk expected.",
    "Every query parameter is a word too: tensor_parallel=4. `share` shows the answer to all.",
)


def help_reply() -> Reply:
    """What can be asked."""
    return Reply(title="Ask how much GPU memory a model needs, and for the cards.", facts=USAGE)


def problem_reply(messages: Sequence[str]) -> Reply:
    """What could not be read or answered."""
    notes = ("`help` lists what can be asked.",)
    return Reply(
        title="That could not be answered.", facts=tuple(messages), notes=notes, tone="bad"
    )
