"""Which of several arrangements is better: one total order for each objective, and the frontier."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from heapq import nsmallest

from service.domain.hardware import Gpu
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


def best_pool(objective: Objective, pools: tuple[Pool, ...]) -> Pool:
    """The pool of a class that comes first; the order inside a class is the same at any count."""
    if objective == "lowest-power":
        return min(pools, key=lambda pool: (power(pool, 1), cost(pool, 1), pool.gpu.id))
    return min(pools, key=lambda pool: (cost(pool, 1), pool.gpu.id))


COARSE: dict[Objective, Callable[[Fit, Pool], int]] = {
    "fewest-cards": lambda fit, _: fit.split.cards,
    "lowest-cost": lambda fit, pool: cost(pool, fit.split.cards),
    "lowest-power": lambda fit, pool: power(pool, fit.split.cards),
    "highest-quality": lambda fit, _: fit.format.quality_rank,
    "least-memory": lambda fit, _: fit.split.cards * fit.room.memory_bytes,
}
"""The first part of each order, to sift before whole keys are compared."""


def ranked(objective: Objective, fits: list[Fit], count: int) -> list[Arrangement]:
    """The `count` best arrangements, best first.

    Every arrangement among the best belongs to a fit whose best pool is among the best fits, so
    pools are told apart only inside those.
    """
    key, coarse = OBJECTIVES[objective], COARSE[objective]
    leaders = leading_pools(objective, fits)
    heads = [(coarse(fit, pool), fit, pool) for fit, pool in zip(fits, leaders, strict=True)]
    bound = max(nsmallest(count, (head[0] for head in heads)), default=0)
    sifted = (Arrangement(pool=pool, fit=fit) for rough, fit, pool in heads if rough <= bound)
    kept = nsmallest(count, sifted, key=key)
    members = (Arrangement(pool=p, fit=head.fit) for head in kept for p in head.fit.cards.pools)
    return nsmallest(count, members, key=key)


def leading_pools(objective: Objective, fits: list[Fit]) -> list[Pool]:
    """For every fit the pool of its class that comes first."""
    leaders: dict[int, Pool] = {}
    found = []
    for fit in fits:
        place = id(fit.cards)
        if place not in leaders:
            leaders[place] = best_pool(objective, fit.cards.pools)
        found.append(leaders[place])
    return found


def frontier(fits: list[Fit], count: int) -> list[Arrangement]:
    """Arrangements that no other beats in cards, quality and cost together."""
    best: dict[tuple[int, int], list[Arrangement]] = {}
    least: dict[tuple[int, int], int] = {}
    for fit, pool in zip(fits, leading_pools("lowest-cost", fits), strict=True):
        place, price = (fit.split.cards, fit.format.quality_rank), cost(pool, fit.split.cards)
        if price < least.get(place, NEVER + 1):
            least[place], best[place] = price, []
        if price == least[place]:
            best[place].append(Arrangement(pool=pool, fit=fit))
    points: list[tuple[int, int, Arrangement]] = []
    for place, price in sorted(least.items()):
        if not any(rank <= place[1] and paid <= price for rank, paid, _ in points):
            points.append((place[1], price, min(best[place], key=fewest_cards_key)))
    return [one for _, _, one in points[:count]]
