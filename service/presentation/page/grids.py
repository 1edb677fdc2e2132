"""Counts of cards as coloured tables: card by quantization, and users by context."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.growth import LoadGrid
from service.domain.hardware import Gpu
from service.domain.plan_results import MatrixRow, Option, Plan
from service.domain.requests import Stock
from service.presentation.page.numbers import short

STEPS = (1, 2, 4, 8, 16)
"""A colour for each range of counts: up to so many cards."""

MOST_ROWS = 24
NAMED = 2
MAKERS = ("NVIDIA ", "GeForce ", "Instinct ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A count and its colour; an empty count means that no number of cards does it."""

    text: str
    tone: str
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixLine:
    """Cards that need alike numbers, and their cells."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Fewest cards of every card × quantization; formats that no card runs are left out."""

    formats: tuple[tuple[str, str], ...]
    lines: tuple[MatrixLine, ...]
    hidden_lines: int
    hidden_formats: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthLine:
    """One number of users."""

    users: str
    users_value: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthTable:
    """Fewest cards by context and users."""

    contexts: tuple[tuple[str, int], ...]
    lines: tuple[GrowthLine, ...]
    card: str
    form: str


def tone(cards: int | None) -> str:
    """The colour of a count: n1 for one card up to n6 for many, n0 for none."""
    if cards is None:
        return "n0"
    return f"n{1 + sum(cards > step for step in STEPS)}"


def cell(cards: int | None, *, chosen: bool = False) -> Cell:
    """A count."""
    return Cell(text="" if cards is None else str(cards), tone=tone(cards), chosen=chosen)


def card_name(gpu: Gpu) -> str:
    """A card without its maker."""
    name = gpu.name
    for maker in MAKERS:
        name = name.removeprefix(maker)
    return name


def group_name(gpus: tuple[str, ...], stock: Stock) -> str:
    """Cards that share a line."""
    shown = ", ".join(card_name(stock.gpus[gpu]) for gpu in gpus[:NAMED])
    rest = len(gpus) - NAMED
    return f"{shown} and {rest} alike" if rest > 0 else shown


def line_order(row: MatrixRow) -> tuple[int, int]:
    """Cards that need few come first; those that hold it in no format last."""
    counts = [cards for cards in row.cards.values() if cards is not None]
    return (min(counts, default=1 << 30), -len(counts))


def matrix(plan: Plan, stock: Stock) -> Matrix | None:
    """The table of card × quantization with the recommended cell marked; None for one cell."""
    rows = sorted(plan.matrix, key=line_order)
    named = list(dict.fromkeys(name for row in rows for name in row.cards))
    held = {name for row in rows for name, cards in row.cards.items() if cards is not None}
    if not held or (len(rows) == 1 and len(named) == 1):
        return None
    ranked = sorted(held, key=lambda name: (stock.quantizations[name].quality_rank, name))
    best = plan.recommendation
    return Matrix(
        formats=tuple((name, stock.quantizations[name].quality_loss) for name in ranked),
        lines=tuple(matrix_line(row, ranked, best, stock) for row in rows[:MOST_ROWS]),
        hidden_lines=max(0, len(rows) - MOST_ROWS),
        hidden_formats=tuple(name for name in named if name not in held),
    )


def matrix_line(
    row: MatrixRow, formats: Iterable[str], best: Option | None, stock: Stock
) -> MatrixLine:
    """One line of the table."""
    mine = best is not None and best.gpu.id in row.gpus
    return MatrixLine(
        name=group_name(row.gpus, stock),
        cells=tuple(
            cell(
                row.cards.get(name),
                chosen=mine and best is not None and best.quantization == name,
            )
            for name in formats
        ),
    )


def growth_table(grid: LoadGrid) -> GrowthTable:
    """The table of users × context with the asked cell marked."""
    return GrowthTable(
        contexts=tuple((short(tokens), tokens) for tokens in grid.contexts),
        lines=tuple(
            GrowthLine(
                users=f"{held:,}",
                users_value=held,
                cells=tuple(
                    cell(cards, chosen=(tokens, held) == grid.asked)
                    for tokens, cards in zip(grid.contexts, row, strict=True)
                ),
            )
            for held, row in zip(grid.users, grid.cards, strict=True)
        ),
        card=card_name(grid.gpu),
        form=grid.quantization,
    )
