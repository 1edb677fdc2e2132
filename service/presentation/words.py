"""Words that estimates and plans share: sizes, terms, notes and warnings, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from service.domain.results import Amount, Budget, Caution, Note, PerCard
from service.domain.units import GIB

CENT = Decimal("0.01")


def money(amount: Decimal | None) -> float | None:
    """Dollars rounded to the cent."""
    return None if amount is None else float(amount.quantize(CENT, rounding=ROUND_HALF_EVEN))


def gib(size: int) -> str:
    """Bytes for a reader."""
    return f"{size / GIB:.2f} GiB"


def span(amount: Amount) -> str:
    """The range of nine readings in ten."""
    return f"{amount.low / GIB:.2f} to {amount.high / GIB:.2f}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def room(budget: Budget, headroom_bytes: int, card: PerCard) -> str:
    """What a card has, what may be used of it and by which terms, and what is left of that."""
    share = f" ({budget.memory_utilization:g})" if budget.memory_utilization else ""
    beside = [term.name for term in card.terms if not term.in_budget]
    terms = f" by all but {' and '.join(beside)}" if beside and share else ""
    state = "left where it is tightest" if headroom_bytes >= 0 else "missing"
    return (
        f"{gib(budget.budget_bytes)} of {gib(budget.memory_bytes)}{share} may be used{terms}; "
        f"{gib(abs(headroom_bytes))} {state}"
    )


def term_lines(card: PerCard) -> Iterator[str]:
    """Each term of the fullest card with its range, in columns."""
    width = max((len(term.name) for term in card.terms), default=0)
    for term in card.terms:
        size = f"{term.amount.expected / GIB:.2f}"
        yield f"  {term.name.ljust(width)}  {size:>8} GiB  ({span(term.amount)})"


def note_lines(notes: tuple[Note, ...], warnings: tuple[Caution, ...]) -> Iterator[str]:
    """Warnings first, then what was assumed, in one line."""
    yield from (f"Warning: {caution.message}." for caution in warnings)
    if notes:
        said = "; ".join(f"{note.field} = {note.value} ({note.reason})" for note in notes)
        yield f"Assumed: {said}."
