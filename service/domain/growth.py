"""How the number of cards grows with context and users together, for one card and one format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from service.domain.advice import changed
from service.domain.candidates import card_classes
from service.domain.hardware import Gpu
from service.domain.planner import settled
from service.domain.requests import PlanRequest, ServingWish, Stock
from service.domain.resolving import Notes, resolved_precision
from service.domain.search import Search
from service.domain.speed import resolved_speed

STEPS_EACH_WAY = 3
SHORTEST_TOKENS = 256
Fewest = Callable[[int, int], int | None]
Counts = tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGrid:
    """Fewest cards for every number of users (rows) and context (columns).

    asked  context and users of the request
    """

    gpu: Gpu
    quantization: str
    contexts: tuple[int, ...]
    users: tuple[int, ...]
    cards: Counts
    asked: tuple[int, int]


def doublings(middle: int, low: int, high: int | None) -> tuple[int, ...]:
    """A number with its halves and doubles, three each way, within bounds.

    >>> doublings(16, 1, None)
    (2, 4, 8, 16, 32, 64, 128)
    >>> doublings(4096, 256, 10000)
    (512, 1024, 2048, 4096, 8192, 10000)
    """
    below = [middle >> step for step in range(STEPS_EACH_WAY, 0, -1)]
    above = [middle << step for step in range(1, STEPS_EACH_WAY + 1)]
    if high is not None:
        above = [min(value, max(high, middle)) for value in above]
    kept = [value for value in below if value >= min(low, middle)]
    return tuple(dict.fromkeys((*kept, middle, *above)))


def filled(rows: int, columns: int, fewest: Fewest) -> Counts:
    """A table whose values never fall along a row or a column, with few of its cells worked out.

    Between two cells of the same value everything is that value.
    """
    known: dict[tuple[int, int], int | None] = {}

    def at(row: int, column: int) -> int | None:
        if (row, column) not in known:
            known[row, column] = fewest(row, column)
        return known[row, column]

    def settle(top: int, left: int, bottom: int, right: int) -> None:
        value = at(top, left)
        if value is None or value == at(bottom, right):
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    known[row, column] = value
        elif bottom - top >= right - left:
            middle = (top + bottom) // 2
            settle(top, left, middle, right)
            settle(middle + 1, left, bottom, right)
        else:
            middle = (left + right) // 2
            settle(top, left, bottom, middle)
            settle(top, middle + 1, bottom, right)

    settle(0, 0, rows - 1, columns - 1)
    return tuple(tuple(known[row, column] for column in range(columns)) for row in range(rows))


def load_grid(request: PlanRequest, wish: ServingWish, stock: Stock) -> LoadGrid | None:
    """Fewest cards around a request's context and users; None where its card runs no format.

    The request allows one card and one format; of several the first is taken.
    """
    notes = Notes()
    precision = resolved_precision(request.model.architecture, request.precision, stock, notes)
    wish = settled(request, wish, precision, stock, notes)
    tokens, held = wish.context_tokens or 1, wish.concurrency or 1
    classes = card_classes(request, wish, precision, stock, notes)
    runnable = [cards for cards in classes if cards.formats]
    if not runnable:
        return None
    search = Search(
        request=request,
        wish=wish,
        stock=stock,
        speed=resolved_speed(request.targets, tokens, stock.physics, notes),
        classes=classes,
    )
    cards, form = runnable[0], runnable[0].formats[0]
    contexts = doublings(tokens, SHORTEST_TOKENS, request.model.architecture.context_limit)
    users = doublings(held, 1, None)

    def fewest(row: int, column: int) -> int | None:
        load = replace(wish, context_tokens=contexts[column], concurrency=users[row])
        found = changed(search, wish=load).fewest(cards, form)
        return found.split.cards if found else None

    return LoadGrid(
        gpu=cards.pools[0].gpu,
        quantization=form.quantization.id,
        contexts=contexts,
        users=users,
        cards=filled(len(users), len(contexts), fewest),
        asked=(tokens, held),
    )
