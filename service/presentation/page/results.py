"""All that the page shows of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.domain.accuracy import Score
from service.domain.plan_results import Advice, Option, Plan
from service.domain.requests import Stock
from service.domain.results import Note
from service.domain.step import Step
from service.presentation.page.bars import Bar, Phases, memory_bar, phase_columns
from service.presentation.page.confidence import Confidence, confidence
from service.presentation.page.copies import Copy, Question, copies, files, query, systems
from service.presentation.page.explain import TermRow, term_rows
from service.presentation.page.frontier import Frontier, OptionRow, frontier, option_rows
from service.presentation.page.grids import Matrix, matrix
from service.presentation.page.headline import Fact, Headline, facts, headline
from service.presentation.page.numbers import place, size
from service.presentation.page.vocabulary import field_label, in_words
from service.presentation.plan_words import fewer, remedies, smaller
from service.presentation.words import counted, gib

MOST_REASONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRow:
    """A change, what it saves and costs, and the question after it."""

    change: str
    effect: str
    costs: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """A number that was assumed."""

    field: str
    label: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What one card of a smaller number may use, in hundredths of what it would need."""

    cards: int
    held: float
    budget_gib: str
    short_gib: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the fragment of results shows."""

    headline: Headline
    model: str
    model_facts: str
    facts: tuple[Fact, ...]
    bar: Bar | None
    terms: tuple[TermRow, ...]
    reasons: tuple[str, ...]
    shortfall: Shortfall | None
    advice: tuple[AdviceRow, ...]
    matrix: Matrix | None
    frontier: Frontier
    alternatives: tuple[OptionRow, ...]
    phases: Phases | None
    readings: tuple[tuple[str, str], ...]
    notes: tuple[NoteRow, ...]
    warnings: tuple[str, ...]
    confidence: Confidence
    copies: tuple[Copy, ...]
    query: str
    systems: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]
    growth_query: str


def advice_row(entry: Advice, flat: Mapping[str, str]) -> AdviceRow:
    """One change with the link that makes it."""
    name, _, value = entry.change.removeprefix("workload.").partition("=")
    saves = entry.saves_cards
    effect = (
        f"saves {counted(saves, 'card')}" if saves else f"fits on {counted(entry.cards, 'card')}"
    )
    return AdviceRow(
        change=f"{field_label(name)}: {value}",
        effect=effect,
        costs=entry.costs,
        query=query({**flat, name: value}),
    )


def reasons(plan: Plan) -> tuple[str, ...]:
    """Why one card fewer fails, or why nothing fits."""
    best, missed = plan.recommendation, plan.nearest_miss
    if best is not None:
        said = fewer(plan, best)
    elif missed is not None:
        said = remedies(missed)
    else:
        said = iter(dict.fromkeys(f"{row.message}." for row in plan.rejected))
    return tuple(in_words(text) for text in said)[:MOST_REASONS]


def note_row(note: Note) -> NoteRow:
    """What was assumed, as what, and why."""
    field = note.field.split(".")[-1]
    return NoteRow(field=field, label=field_label(field), value=str(note.value), reason=note.reason)


def shortfall(plan: Plan) -> Shortfall | None:
    """The next smaller number of the recommended card, in its format."""
    best = plan.recommendation
    if best is None:
        return None
    own = [row for row in smaller(plan, best) if row.short_by_bytes > 0]
    if not own:
        return None
    row = max(own, key=lambda one: one.cards)
    budget = best.card.budget_bytes
    return Shortfall(
        cards=row.cards,
        held=place(budget, budget + row.short_by_bytes),
        budget_gib=size(budget),
        short_gib=size(row.short_by_bytes),
    )


def reading_rows(run: Step | None) -> tuple[tuple[str, str], ...]:
    """What tools would show while training."""
    if run is None or run.readings is None:
        return ()
    found = run.readings
    return (
        ("torch, allocated", gib(found.allocated.expected)),
        ("torch, reserved", gib(found.reserved.expected)),
        ("nvidia-smi", gib(found.driver.expected)),
    )


def growth_query(option: Option | None, flat: Mapping[str, str]) -> str:
    """The question of how the recommended card in its format grows; empty for training."""
    if option is None or option.training is not None or option.stages:
        return ""
    one = {**flat, "gpu": option.gpu.id, "quantization": option.quantization}
    return query({name: value for name, value in one.items() if name != "quantizations"})


def model_facts(plan: Plan) -> str:
    """The model's size and where its shape is from."""
    shape = plan.model.architecture
    said = f"{shape.parameters / 1e9:,.2f} billion parameters"
    if shape.active_parameters != shape.parameters:
        said += f", {shape.active_parameters / 1e9:,.2f} billion active"
    return f"{said}, {shape.family}, from the {plan.model.source}"


def scored_by(plan: Plan, flat: Mapping[str, str], stock: Stock) -> tuple[str, str, set[str]]:
    """Under which engine its scores stand, its name, and the words that narrow them down."""
    if plan.workload_kind == "training":
        framework, method = flat.get("framework", "transformers"), flat.get("method", "full")
        return "training", f"{framework}, {method}", {framework, method}
    engine = flat.get("engine", "vllm")
    return engine, stock.engines[engine].name if engine in stock.engines else engine, set()


def results(
    plan: Plan, run: Step | None, question: Question, stock: Stock, scores: Iterable[Score]
) -> Results:
    """The view of a plan; `run` is the step of its training run."""
    option = plan.recommendation or plan.nearest_miss
    flat = question.flat
    return Results(
        headline=headline(plan),
        model=plan.model.name,
        model_facts=model_facts(plan),
        facts=tuple(facts(option)) if option else (),
        bar=memory_bar(option.per_card, option.card) if option else None,
        terms=term_rows(option.per_card) if option else (),
        reasons=reasons(plan),
        shortfall=shortfall(plan),
        advice=tuple(advice_row(entry, flat) for entry in plan.advice),
        matrix=matrix(plan, stock),
        frontier=frontier(plan.frontier),
        alternatives=option_rows(plan.alternatives),
        phases=phase_columns(run.phases, option.card) if run and option else None,
        readings=reading_rows(run),
        notes=tuple(note_row(note) for note in plan.assumptions),
        warnings=tuple(caution.message for caution in plan.warnings),
        confidence=confidence(scores, *scored_by(plan, flat, stock)),
        copies=tuple(copies(question, plan, stock.gpus)),
        query=question.query,
        systems=systems(question, plan),
        files=files(question),
        growth_query=growth_query(plan.recommendation, flat),
    )
