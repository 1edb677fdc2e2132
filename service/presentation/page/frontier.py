"""Options that no other beats in cards, quality and cost together, as a picture and rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.plan_results import Option
from service.domain.units import GIB
from service.presentation.page.grids import card_name, tone
from service.presentation.plan_words import split_words
from service.presentation.words import money

LEFT, WIDTH = 8.0, 88.0
TOP, HEIGHT = 10.0, 72.0
FEWEST_POINTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRow:
    """An option as a row, with what to ask to get it alone."""

    number: int
    cards: int
    tone: str
    name: str
    gpu: str
    split: str
    precision: str
    quantization: str
    loss: str
    hourly: str
    watts: str
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An option in the picture, in hundredths of it."""

    number: int
    tone: str
    x: float
    y: float
    label: str
    leftward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Cost to the right, loss of quality downwards."""

    points: tuple[Point, ...]
    costs: tuple[tuple[float, str], ...]
    ranks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The picture, where at least two options have a price, and the rows."""

    scatter: Scatter | None
    rows: tuple[OptionRow, ...]


def hourly(option: Option) -> float | None:
    """The price that a picture places an option by."""
    return money(option.cost.hourly_usd if option.cost else option.hourly_usd)


def option_row(number: int, option: Option) -> OptionRow:
    """One option."""
    price = hourly(option)
    return OptionRow(
        number=number,
        cards=option.cards,
        tone=tone(option.cards),
        name=card_name(option.gpu),
        gpu=option.gpu.id,
        split=split_words(option),
        precision=option.precision,
        quantization=option.quantization,
        loss=option.quality_loss,
        hourly="" if price is None else f"{price:,.2f}",
        watts="" if option.power_watts is None else f"{option.power_watts:,}",
        left=f"{option.headroom_bytes / GIB:.1f}",
    )


def option_rows(options: Iterable[Option]) -> tuple[OptionRow, ...]:
    """Options numbered from one."""
    return tuple(option_row(number, option) for number, option in enumerate(options, 1))


def frontier(options: tuple[Option, ...]) -> Frontier:
    """What no other option beats."""
    return Frontier(scatter=scatter(options), rows=option_rows(options))


def scatter(options: tuple[Option, ...]) -> Scatter | None:
    """Options by cost and loss of quality."""
    priced = [(n, one, hourly(one)) for n, one in enumerate(options, 1)]
    known = [(n, one, price) for n, one, price in priced if price is not None]
    if len(known) < FEWEST_POINTS:
        return None
    most = max(price for _, _, price in known) or 1.0
    worst = max(2, *(one.quality_rank for _, one, _ in known))

    def across(price: float) -> float:
        return round(LEFT + WIDTH * price / most, 2)

    def down(rank: int) -> float:
        return round(TOP + HEIGHT * rank / worst, 2)

    return Scatter(
        points=tuple(
            Point(
                number=n,
                tone=tone(one.cards),
                x=across(price),
                y=down(one.quality_rank),
                label=f"{one.cards} × {card_name(one.gpu)}",
                leftward=price > most / 2,
            )
            for n, one, price in known
        ),
        costs=tuple((across(most * part / 4), f"{most * part / 4:,.0f}") for part in range(5)),
        ranks=tuple((down(rank), str(rank)) for rank in range(0, worst + 1, 2)),
    )
