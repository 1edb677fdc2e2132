"""Why nothing smaller does: reasons of every smaller combination, and the nearest miss."""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.candidates import CardClass, Format
from service.domain.judging import budget_bytes_of, sides_of, stages_of, term_sizes
from service.domain.plan_results import Reason, Rejection
from service.domain.ranking import cost
from service.domain.search import Arrangement, Fit, Search
from service.domain.units import GIB
from service.domain.ways import Ground, divisible_splits

NEAREST = 8
"""Counts of cards that are tried when nothing fits: the largest that can be split."""


def obstacle(search: Search, fit: Fit) -> str:
    """The term at which the room is exceeded, when terms are added in the order of the answer.

    What lies outside the engine's budget is an obstacle only where it alone exceeds its room.
    """
    serving = search.serving(fit.cards.pools[0], fit.format, fit.split)
    risk, memory = search.request.risk, fit.room.memory_bytes
    stages = [term_sizes(serving, stage, risk) for stage in stages_of(serving)]
    fullest = max(stages, key=lambda sizes: sum(one.bytes for one in sizes if one.in_budget))
    room, used = budget_bytes_of(serving, sides_of(fullest), memory), 0
    for one in sorted(fullest, key=lambda one: one.side == "cache"):
        if one.in_budget:
            used += one.bytes
            if used > room:
                return one.name
    return "runtime"


def memory_rejection(search: Search, fit: Fit) -> Rejection:
    """One combination that misses, by how much and through which term."""
    split, gpu, name = fit.split, fit.cards.pools[0].gpu.id, fit.format.quantization.id
    term, short = obstacle(search, fit), -fit.headroom_bytes
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
    if nearest is not None and nearest.headroom_bytes < 0:
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
    """Reasons of every combination that would be preferred to the recommended one.

    Fewer cards in any format; as many cards with less loss of quality; as many cheaper cards at
    the same quality. The recommended format is followed down to one card; other formats of the
    same card stand with the largest count that would be preferred, because need falls with every
    card added; of other cards the format that takes least stands for all, unless all are wanted.
    """
    own = best.fit.cards
    rows = [
        shortfall(search, own, best.fit.format, count)
        for count in range(best.fit.split.cards - 1, 0, -1)
    ]
    for cards in classes:
        forms = preferable(best, cards)
        if cards is not own and not complete:
            smallest = min(
                forms, key=lambda pair: search.series(cards, pair[0]).weight_bytes, default=None
            )
            forms = iter([smallest] if smallest else [])
        rows += [shortfall(search, cards, form, count) for form, count in forms]
        rows += refusals(cards) if complete or cards is own else ()
    return tuple(row for row in rows if row.short_by_bytes >= 0)


def preferable(best: Arrangement, cards: CardClass) -> Iterator[tuple[Format, int]]:
    """Formats of a class with the largest number of cards at which they would be preferred."""
    count, rank = best.fit.split.cards, best.fit.format.quality_rank
    price = cost(best.pool, count)
    cheaper = min(cost(pool, count) for pool in cards.pools) < price
    for form in cards.formats:
        if cards is best.fit.cards and form is best.fit.format:
            continue
        same = form.quality_rank < rank or (form.quality_rank == rank and cheaper)
        most = count if same else count - 1
        if most >= 1:
            yield form, most


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
    best: Fit | None = None
    for cards in classes:
        for form in cards.formats:
            for count in most_cards(search, cards, form):
                found = search.nearest(cards, form, count)
                if found and (best is None or found.headroom_bytes > best.headroom_bytes):
                    best = found
    return Arrangement(pool=best.cards.pools[0], fit=best) if best else None


def most_cards(search: Search, cards: CardClass, form: Format) -> list[int]:
    """Largest numbers of cards that whole replicas of any split take."""
    ways = search.series(cards, form).ways
    return [count for count, row in enumerate(ways) if row][-NEAREST:]
