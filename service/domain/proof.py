"""Why nothing smaller does: reasons of every smaller combination, and the nearest miss."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import islice

from service.domain.candidates import CardClass, Format
from service.domain.judging import at_risk, sides_of
from service.domain.plan_results import Reason, Rejection
from service.domain.ranking import preference
from service.domain.requests import Pool
from service.domain.search import Arrangement, Fit, Search
from service.domain.units import GIB
from service.domain.ways import Ground, divisible_splits

NEAREST = 8
"""Counts of cards that are tried when nothing fits: the largest that can be split."""


def obstacle(search: Search, fit: Fit) -> str:
    """The term at which the room is exceeded, when terms are added in the order of the answer.

    What lies outside the engine's budget is an obstacle only where it alone exceeds its room.
    """
    fullest, risk = search.needs(fit.cards, fit.format).parts(fit.split), search.request.risk
    room, used = search.budget_bytes(fit, sides_of(fullest, risk)), 0
    for one in sorted(fullest, key=lambda one: one.side == "cache"):
        if one.in_budget:
            used += at_risk(one.amount, risk)
            if used > room:
                return one.name
    return "runtime"


def memory_rejection(search: Search, fit: Fit) -> Rejection:
    """One combination that misses, by how much and through which term."""
    split, gpu, name = fit.split, fit.cards.pools[0].gpu.id, fit.format.quantization.id
    term, short = obstacle(search, fit), -search.headroom_bytes(fit)
    shape = f"tensor {split.tensor} x pipeline {split.pipeline} x data {split.data}"
    return Rejection(
        gpu=gpu,
        gpus=others(fit.cards),
        cards=split.cards,
        quantization=name,
        reason="memory",
        term=term,
        short_by_bytes=short,
        message=f"{split.cards} x {gpu} ({shape}) with {name}: short by {short / GIB:.2f} GiB "
        f"a card; the obstacle is {term}",
    )


def divides(search: Search, form: Format, count: int) -> bool:
    """Whether some split takes exactly so many cards, were nodes large enough."""
    model = search.request.model.architecture
    splits = divisible_splits(model, form.quantization, search.split_choices)
    most = search.most_replicas(Ground(max_tensor=count, max_cards=count))
    return any(count % split.ranks == 0 and count // split.ranks <= most for split in splits)


def others(cards: CardClass) -> tuple[str, ...]:
    """Further cards for which the same holds."""
    return tuple(pool.gpu.id for pool in cards.pools[1:])


def shortfall(search: Search, cards: CardClass, form: Format, count: int) -> Rejection:
    """Why a format does not do on exactly so many cards of a class."""
    nearest = search.nearest(cards, form, count)
    if nearest is not None and search.headroom_bytes(nearest) < 0:
        return memory_rejection(search, nearest)
    ways = "within the limits" if cards.room.is_counted else "of the model"
    message = f"no split {ways} takes exactly {count} cards"
    reason: Reason = "indivisible"
    free = sum(node.cards for node in cards.pools[0].nodes)
    if 0 < free < count:
        reason, message = "inventory", f"only {free} such cards are free"
    elif count > cards.room.max_cards:
        reason, message = "limit", f"only {cards.room.max_cards} cards may be used"
    elif nearest is None and free and divides(search, form, count):
        reason = "inventory"
        message = f"the free nodes do not hold {count} cards in groups that the model divides into"
    elif nearest is not None:
        missed = search.missed_target(cards, form, nearest.split)
        reason, message = "limit", f"it fits, but not fast enough: {missed}"
    return Rejection(
        gpu=cards.pools[0].gpu.id,
        gpus=others(cards),
        cards=count,
        quantization=form.quantization.id,
        reason=reason,
        message=message,
    )


def proof(
    search: Search, best: Arrangement, classes: tuple[CardClass, ...], *, complete: bool
) -> tuple[Rejection, ...]:
    """Reasons of every combination that the objective would prefer to the recommended one.

    The recommended format is followed down to one card, which every objective prefers. Every other
    format stands with the largest number of its cards that would be preferred; if all reasons are
    wanted, with the one among all smaller numbers that misses least. Else the format that takes
    least stands for all those of another card.
    """
    own, split = best.fit.cards, best.fit.split
    rows = [shortfall(search, own, best.fit.format, n) for n in range(split.cards - 1, 0, -1)]
    lightest: dict[int, tuple[Format, ...]] = {}
    for cards in classes:
        if cards is own or complete:
            forms = preferable(search, best, cards, cards.formats)
        else:
            place = id(cards.formats)
            if place not in lightest:
                lightest[place] = lightest_first(search, cards.formats)
            forms = islice(preferable(search, best, cards, lightest[place]), 1)
        for form, count in forms:
            shown = least_missing(search, cards, form, count) if complete else count
            rows.append(shortfall(search, cards, form, shown))
        rows += refusals(cards) if complete or cards is own else ()
    return tuple(row for row in rows if row.short_by_bytes >= 0)


def lightest_first(search: Search, formats: tuple[Format, ...]) -> tuple[Format, ...]:
    """Formats by the weights that they take at least."""
    return tuple(sorted(formats, key=search.workload.least_weight_bytes))


def preferable(
    search: Search, best: Arrangement, cards: CardClass, formats: tuple[Format, ...]
) -> Iterator[tuple[Format, int]]:
    """Formats of a class with the largest number of cards at which they would be preferred."""
    most: dict[int, int] = {}
    for form in formats:
        rank = form.quality_rank
        if rank not in most:
            most[rank] = most_preferred(search, best, cards, rank)
        is_own = cards is best.fit.cards and form is best.fit.format
        if most[rank] and not is_own:
            yield form, most[rank]


def most_preferred(search: Search, best: Arrangement, cards: CardClass, rank: int) -> int:
    """Most cards of a class that come before the recommended ones; 0 where none do.

    No part of an order falls as cards are added, so those that come first are the smaller numbers.
    """
    held, most = best.fit.split.cards, max(1, search.ground(cards.room).max_cards)
    least, most = (held - 1, held) if search.request.objective == "fewest-cards" else (0, most)
    mark = standing(search, best.pool, best.fit.format.quality_rank)(held)
    counts = range(least + 1, most + 1)
    return max(
        least + bisect_left(counts, mark, key=standing(search, pool, rank)) for pool in cards.pools
    )


def standing(search: Search, pool: Pool, rank: int) -> Callable[[int], tuple[int, ...]]:
    """Where a number of cards of a pool stands in the objective's order."""
    objective = search.request.objective
    return lambda count: preference(objective, pool, count, rank)


def least_missing(search: Search, cards: CardClass, form: Format, most: int) -> int:
    """The number of cards, up to `most`, whose best way misses least; `most` where none has one."""
    ways = search.ways(cards, form)
    tried = [search.nearest(cards, form, n) for n in range(min(most, len(ways) - 1), 0, -1)]
    found = [fit for fit in tried if fit is not None]
    return max(found, key=search.headroom_bytes).split.cards if found else most


def refusals(cards: CardClass) -> list[Rejection]:
    """Quantizations that the engine does not run on a class."""
    return [
        Rejection(
            gpu=cards.pools[0].gpu.id,
            gpus=others(cards),
            cards=1,
            quantization=refusal.quantization,
            reason="unsupported",
            message=refusal.reason,
        )
        for refusal in cards.refusals
    ]


def nearest_miss(search: Search, classes: tuple[CardClass, ...]) -> Arrangement | None:
    """Of everything that the limits allow, the arrangement that misses least."""
    found = (
        fit
        for cards in classes
        for form in cards.formats
        for count in most_cards(search, cards, form)
        if (fit := search.nearest(cards, form, count)) is not None
    )
    best = max(found, key=search.headroom_bytes, default=None)
    return Arrangement(pool=best.cards.pools[0], fit=best) if best else None


def most_cards(search: Search, cards: CardClass, form: Format) -> list[int]:
    """Largest numbers of cards that whole replicas of any split take."""
    ways = search.ways(cards, form)
    return [count for count, row in enumerate(ways) if row][-NEAREST:]
