"""Which of several arrangements is better: one total order for each objective, and the frontier."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from heapq import nsmallest

from service.domain.candidates import CardClass
from service.domain.hardware import Gpu
from service.domain.lanes import Run
from service.domain.requests import Objective, Pool
from service.domain.search import Arrangement, Fit

MICRO = 1_000_000
NEVER = 1 << 62

OrderKey = tuple[int | str, ...]


@lru_cache(maxsize=4096)
def hourly_micro_usd(gpu: Gpu) -> int:
    """Price of a card for an hour in millionths of a dollar; beyond all prices where unknown."""
    price = gpu.hourly_usd
    return NEVER if price is None else int(price * MICRO)


def cost(pool: Pool, cards: int) -> int:
    """Price of so many cards for an hour; those without a price come after all others."""
    return min(NEVER, hourly_micro_usd(pool.gpu) * cards)


def power(pool: Pool, cards: int) -> int:
    """Board power of so many cards; those whose power is not known come after all others."""
    watts = pool.gpu.tdp_watts
    return NEVER if watts is None else int(watts) * cards


def fewest_cards_key(one: Arrangement) -> OrderKey:
    """Fewest cards; least loss of quality; cheapest, then smallest card; then names.

    Cards without a price come after those with one.
    """
    fit, pool = one.fit, one.pool
    return (
        fit.split.cards,
        fit.format.quality_rank,
        cost(pool, fit.split.cards),
        fit.room.memory_bytes,
        fit.split.pipeline,
        fit.split.data,
        -fit.format.quantization.group,
        pool.gpu.id,
        fit.format.quantization.id,
        fit.format.cache.id,
    )


def lowest_cost_key(one: Arrangement) -> OrderKey:
    """Cheapest by the hour, then as fewest-cards."""
    return (cost(one.pool, one.fit.split.cards), *fewest_cards_key(one))


def lowest_power_key(one: Arrangement) -> OrderKey:
    """Least board power, then as fewest-cards."""
    return (power(one.pool, one.fit.split.cards), *fewest_cards_key(one))


def highest_quality_key(one: Arrangement) -> OrderKey:
    """Least loss of quality, then as fewest-cards."""
    return (one.fit.format.quality_rank, *fewest_cards_key(one))


def least_memory_key(one: Arrangement) -> OrderKey:
    """Least card memory in all, then as fewest-cards."""
    return (one.fit.split.cards * one.fit.room.memory_bytes, *fewest_cards_key(one))


OBJECTIVES: dict[Objective, Callable[[Arrangement], OrderKey]] = {
    "fewest-cards": fewest_cards_key,
    "lowest-cost": lowest_cost_key,
    "lowest-power": lowest_power_key,
    "highest-quality": highest_quality_key,
    "least-memory": least_memory_key,
}


def preference(objective: Objective, pool: Pool, cards: int, quality_rank: int) -> tuple[int, ...]:
    """What an order says of so many cards before any way to split over them is known."""
    memory = pool.free_memory_bytes or pool.gpu.planning_bytes
    first = {
        "fewest-cards": cards,
        "lowest-cost": cost(pool, cards),
        "lowest-power": power(pool, cards),
        "highest-quality": quality_rank,
        "least-memory": cards * memory,
    }[objective]
    return (first, cards, quality_rank, cost(pool, cards), memory)


Rough = tuple[int, int]

ROUGH: dict[Objective, Callable[[Run, CardClass], Rough]] = {
    "fewest-cards": lambda run, _: (run.split.cards, run.format.quality_rank),
    "lowest-cost": lambda run, cards: (least_cost(cards, run.split.cards), run.split.cards),
    "lowest-power": lambda run, cards: (least_power(cards, run.split.cards), run.split.cards),
    "highest-quality": lambda run, _: (run.format.quality_rank, run.split.cards),
    "least-memory": lambda run, cards: (
        run.split.cards * cards.room.memory_bytes,
        run.split.cards,
    ),
}
"""The first parts of each order for the best pool of a class, to sift before whole keys."""


def least_cost(cards: CardClass, count: int) -> int:
    """Price of so many cards of the cheapest pool of a class; pools stand cheapest first."""
    return cost(cards.pools[0], count)


def least_power(cards: CardClass, count: int) -> int:
    """Board power of so many cards of the pool of a class that takes least."""
    return min(power(pool, count) for pool in cards.pools)


def ranked(objective: Objective, runs: list[Run], count: int) -> list[Arrangement]:
    """The `count` best arrangements, best first.

    What is worse than the `count` best classes in the first parts of the order is worse in all of
    it, so only the others are told apart by pools and whole keys.
    """
    rough = ROUGH[objective]
    heads = [(rough(run, cards), run, cards) for run in runs for cards in run.classes]
    bound = max(nsmallest(count, (head[0] for head in heads)), default=(0, 0))
    members = (
        Arrangement(pool=pool, fit=fit_of(run, cards))
        for head, run, cards in heads
        if head <= bound
        for pool in cards.pools
    )
    return nsmallest(count, members, key=OBJECTIVES[objective])


def frontier(runs: list[Run], count: int) -> list[Arrangement]:
    """Arrangements that no other beats in cards, quality and cost together."""
    best: dict[Rough, list[tuple[Run, CardClass]]] = {}
    least: dict[Rough, int] = {}
    for run in runs:
        place = (run.split.cards, run.format.quality_rank)
        for cards in run.classes:
            price = least_cost(cards, place[0])
            if price < least.get(place, NEVER + 1):
                least[place], best[place] = price, []
            if price == least[place]:
                best[place].append((run, cards))
    points: list[tuple[int, int, Arrangement]] = []
    for place, price in sorted(least.items()):
        if not any(rank <= place[1] and paid <= price for rank, paid, _ in points):
            points.append((place[1], price, first(best[place])))
    return [one for _, _, one in points[:count]]


def first(alike: list[tuple[Run, CardClass]]) -> Arrangement:
    """Of arrangements that cost the same the one that fewest-cards puts first."""
    members = (Arrangement(pool=cards.pools[0], fit=fit_of(run, cards)) for run, cards in alike)
    return min(members, key=fewest_cards_key)


def fit_of(run: Run, cards: CardClass) -> Fit:
    """A run on one of its classes."""
    return Fit(cards=cards, format=cards.own(run.format), split=run.split)
