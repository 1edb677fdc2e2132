"""Every term with its formula, this request's numbers, its range and its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.results import PerCard, Term, Value
from service.presentation.page.numbers import count, percent, size
from service.presentation.page.vocabulary import PROVENANCE, plain, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRow:
    """One term as its row and its explanation show it."""

    name: str
    label: str
    meaning: str
    tone: int
    gib: str
    low: str
    high: str
    share: str
    formula: str
    values: tuple[tuple[str, str], ...]
    provenance: str
    source: str
    beside: bool


def value_words(name: str, value: Value) -> str:
    """A number of a formula; bytes as GiB too."""
    if isinstance(value, str):
        return value
    said = count(value)
    return f"{said} ({size(int(value))} GiB)" if name.endswith("_bytes") and value else said


def shown_values(values: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """The numbers that a formula was filled with."""
    return tuple((plain(name), value_words(name, value)) for name, value in values.items())


def term_row(term: Term, whole_bytes: int) -> TermRow:
    """One term."""
    words, amount = words_of(term.name), term.amount
    return TermRow(
        name=term.name,
        label=words.label,
        meaning=words.meaning,
        tone=words.tone,
        gib=size(amount.expected),
        low=size(amount.low),
        high=size(amount.high),
        share=percent(amount.expected / whole_bytes) if whole_bytes else "",
        formula=term.formula,
        values=shown_values(term.values),
        provenance=PROVENANCE.get(term.provenance, term.provenance),
        source=term.source,
        beside=not term.in_budget,
    )


def term_rows(card: PerCard) -> tuple[TermRow, ...]:
    """The terms of the fullest card in their order."""
    whole = card.amount.expected
    return tuple(term_row(term, whole) for term in card.terms)
