"""The memory of a card as a stacked bar against what may be used of it and what it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.results import NOTHING, Amount, Budget, PerCard, Term, total
from service.presentation.page.numbers import place, size
from service.presentation.page.vocabulary import phase_label, words_of

MARGIN = 1.02
"""The picture is a little wider than what it shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One term in a picture; start and width in hundredths of it."""

    label: str
    tone: int
    start: float
    width: float
    gib: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The fullest card. `low` to `high` is the range of what the engine counts in its budget."""

    segments: tuple[Segment, ...]
    card: float
    budget: float
    low: float
    high: float
    card_gib: str
    budget_gib: str
    words: str
    over: bool
    need_gib: str


def stacked(terms: Iterable[Term], start_bytes: int, scale: float) -> list[Segment]:
    """Terms one after another."""
    found, reached = [], start_bytes
    for term in terms:
        held, words = term.amount.expected, words_of(term.name)
        segment = Segment(
            label=words.label,
            tone=words.tone,
            start=place(reached, scale),
            width=place(held, scale),
            gib=size(held),
        )
        found.append(segment)
        reached += held
    return found


def sides(card: PerCard) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Terms that the engine counts in its budget, and those beside it."""
    inside = tuple(term for term in card.terms if term.in_budget)
    return inside, tuple(term for term in card.terms if not term.in_budget)


def memory_bar(card: PerCard, budget: Budget) -> Bar:
    """The bar of one card: what counts in the budget from the left, the rest beyond the budget."""
    inside, beside = sides(card)
    counted, outside = total(inside) if inside else NOTHING, total(beside) if beside else NOTHING
    beyond = max(budget.budget_bytes, counted.expected) if beside else 0
    reach = max(budget.memory_bytes, counted.high, beyond + outside.expected)
    scale = reach * MARGIN
    return Bar(
        segments=(*stacked(inside, 0, scale), *stacked(beside, beyond, scale)),
        card=place(budget.memory_bytes, scale),
        budget=place(budget.budget_bytes, scale),
        low=place(counted.low, scale),
        high=place(counted.high, scale),
        card_gib=size(budget.memory_bytes),
        budget_gib=size(budget.budget_bytes),
        words=bar_words(card.amount, budget),
        over=counted.high > budget.budget_bytes,
        need_gib=f"{size(counted.low)} to {size(counted.high)}",
    )


def bar_words(need: Amount, budget: Budget) -> str:
    """The picture for who does not see it."""
    return (
        f"Memory of the fullest card: {size(need.expected)} GiB needed, "
        f"{size(need.low)} to {size(need.high)}; {size(budget.budget_bytes)} GiB may be used of "
        f"{size(budget.memory_bytes)} GiB. The table below gives every part."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One phase of a training step; segments from the ground up."""

    label: str
    segments: tuple[Segment, ...]
    gib: str
    top: float
    low: float
    high: float
    peak: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """The phases of a training step side by side on one scale."""

    columns: tuple[Column, ...]
    budget: float
    budget_gib: str
    words: str
    tones: tuple[tuple[int, str], ...]


def phase_columns(phases: tuple[PerCard, ...], budget: Budget) -> Phases | None:
    """Every phase as a column against what may be used."""
    if not phases:
        return None
    most = max(phases, key=lambda phase: phase.amount.expected)
    scale = max(budget.budget_bytes, *(phase.amount.high for phase in phases)) * MARGIN
    columns = tuple(phase_column(phase, scale, peak=phase is most) for phase in phases)
    listed = "; ".join(f"{one.label} {one.gib} GiB" for one in columns)
    drawn = {words_of(term.name) for phase in phases for term in phase.terms}
    return Phases(
        columns=columns,
        budget=place(budget.budget_bytes, scale),
        budget_gib=size(budget.budget_bytes),
        words=f"Memory of a card in each phase of a step: {listed}.",
        tones=tuple(sorted((words.tone, words.label) for words in drawn)),
    )


def phase_column(phase: PerCard, scale: float, *, peak: bool) -> Column:
    """One phase."""
    need = phase.amount
    return Column(
        label=phase_label(phase.phase),
        segments=tuple(stacked(phase.terms, 0, scale)),
        gib=size(need.expected),
        top=place(need.expected, scale),
        low=place(need.low, scale),
        high=place(need.high, scale),
        peak=peak,
    )
