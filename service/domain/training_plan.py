"""Training plans: the fewest cards over methods, checkpointing, sharding, batches and offload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from service.domain.candidates import pools
from service.domain.errors import InvalidRequest
from service.domain.plan_results import Advice, MatrixRow, Option, Plan, Rejection
from service.domain.questions import Split
from service.domain.ranking import cost, power
from service.domain.requests import PlanRequest, Pool, Stock, TrainingWish
from service.domain.resolving import (
    CardFacts,
    Frame,
    Notes,
    resolved_precision,
    resolved_quantization,
)
from service.domain.training_choices import (
    OPEN_CHECKPOINTING,
    Variant,
    refuse_serving_choices,
    variants,
)
from service.domain.training_estimate import (
    peak,
    phase_cards,
    training_cautions,
)
from service.domain.training_options import Arrangement, training_option
from service.domain.training_resolving import DEFAULT_FRAMEWORK
from service.domain.training_search import Found, Space, TrainingSearch, memory_bytes, space
from service.domain.units import GIB

REASONED_COUNTS = 16
"""Smaller numbers of cards that a plan explains one by one; beyond, only powers of two."""

Change = tuple[str, Callable[[TrainingWish, Stock], TrainingWish], str]
CHANGES: tuple[Change, ...] = (
    (
        "activation_checkpointing=full",
        lambda wish, _: replace(wish, activation_checkpointing="full"),
        "recomputes every block: about a third more time",
    ),
    (
        "optimizer=adamw-8bit",
        lambda wish, stock: replace(wish, optimizer=stock.optimizers["adamw-8bit"]),
        "optimizer states in 8 bits",
    ),
    (
        "offload=optimizer",
        lambda wish, _: replace(wish, offload="optimizer"),
        "the optimizer steps on the host",
    ),
    ("method=lora", lambda wish, _: replace(wish, method="lora"), "trains adapters only"),
    ("method=qlora", lambda wish, _: replace(wish, method="qlora"), "adapters on 4-bit weights"),
)


def training_frame(request: PlanRequest, stock: Stock, notes: Notes) -> Frame:
    """The model as it is stored before a plan chooses."""
    model = request.model.architecture
    quantization = resolved_quantization(
        model, request.quantization, request.precision, stock, Notes()
    )
    return Frame(
        model=model,
        precision=resolved_precision(model, request.precision, stock, notes),
        quantization=quantization,
        split=Split(),
        card=CardFacts(memory_bytes=None),
    )


def training_pools(request: PlanRequest, wish: TrainingWish, stock: Stock) -> tuple[Pool, ...]:
    """Cards that the framework trains on."""
    framework = wish.framework or stock.frameworks[DEFAULT_FRAMEWORK]
    return tuple(
        pool for pool in pools(request, stock) if pool.gpu.vendor.lower() in framework.vendors
    )


def arrangements(
    search: TrainingSearch,
    request: PlanRequest,
    allowed: tuple[Pool, ...],
    choices: tuple[Variant, ...],
) -> Iterator[Arrangement]:
    """Every pool with its best choices; pools of equal space share one search."""
    known: dict[Space, tuple[Found, ...]] = {}
    for pool in allowed:
        place = space(pool, request)
        if place not in known:
            known[place] = tuple(search.best_by_method(choices, place))
        for found in known[place]:
            yield Arrangement(pool=pool, place=place, found=found)


def order_key(objective: str, one: Arrangement) -> tuple[object, ...]:
    """Fewest cards; least loss of quality; cheapest, then smallest card; then the fastest way."""
    pool, variant, cards = one.pool, one.found.variant, one.found.cards
    paid = cost(pool, cards)
    loss = (variant.method_rank, variant.quality_rank)
    first: dict[str, tuple[int, ...]] = {
        "lowest-cost": (paid,),
        "lowest-power": (power(pool, cards),),
        "least-memory": (memory_bytes(pool) * cards,),
        "highest-quality": loss,
    }
    rest = (paid, memory_bytes(pool), variant.slowness, pool.gpu.id)
    return (*first.get(objective, ()), cards, *loss, *rest)


def training_plan(request: PlanRequest, wish: TrainingWish, stock: Stock) -> Plan:
    """The fewest cards on which a training run fits."""
    refuse_serving_choices(request)
    notes = Notes()
    frame = training_frame(request, stock, notes)
    note_checkpointing(request, wish, notes)
    costs = request.costs or stock.costs
    search = TrainingSearch(stock=stock, frame=frame, risk=request.risk, costs=costs)
    choices = variants(request, wish, frame.quantization, stock)
    refuse_impossible(search, choices)
    allowed = training_pools(request, wish, stock)
    ranked = sorted(
        arrangements(search, request, allowed, choices),
        key=lambda one: order_key(request.objective, one),
    )
    best = ranked[0] if ranked else None
    run = search.run(best.found.variant, best.found.cards, notes) if best else None
    shown = [training_option(search, one, grown=one is best) for one in ranked[: request.limit + 1]]
    missed = None if best else nearest_miss(search, request, allowed, choices)
    return Plan(
        model=request.model,
        workload_kind="training",
        objective=request.objective,
        recommendation=shown[0] if shown else None,
        alternatives=tuple(shown[1:]),
        frontier=tuple(training_option(search, one) for one in frontier(ranked)[: request.limit]),
        matrix=matrix(ranked, allowed, choices),
        nearest_miss=missed,
        rejected=tuple(rejections(search, choices, best)) if best else (),
        advice=tuple(advice(search, request, best)) if best else (),
        assumptions=tuple(notes.found),
        warnings=training_cautions(run) if run else (),
        evaluated=search.evaluated,
    )


def note_checkpointing(request: PlanRequest, wish: TrainingWish, notes: Notes) -> None:
    """Say that a plan chooses what is computed again where the request leaves it open."""
    if wish.activation_checkpointing is None and request.choices.activation_checkpointing is None:
        notes.default(
            "choices.activation_checkpointing",
            ", ".join(OPEN_CHECKPOINTING),
            "full computes every block twice, about a third more time",
        )


def refuse_impossible(search: TrainingSearch, choices: tuple[Variant, ...]) -> None:
    """Refuse a plan of which no choice can be run, with the first reason.

    Raises: InvalidRequest.
    """
    refusals = []
    for variant in choices:
        try:
            search.run(variant, variant.ranks * (variant.wish.shard_ranks or 1))
        except InvalidRequest as refusal:
            refusals.append(refusal)
    if len(refusals) == len(choices) and refusals:
        raise refusals[0]


def matrix(
    ranked: list[Arrangement], allowed: tuple[Pool, ...], choices: tuple[Variant, ...]
) -> tuple[MatrixRow, ...]:
    """Fewest cards for every card and format of the base weights; cards alike share a row."""
    formats = tuple(dict.fromkeys(variant.quantization.id for variant in choices))
    fewest: dict[str, dict[str, int | None]] = {
        pool.gpu.id: dict.fromkeys(formats) for pool in allowed
    }
    for one in ranked:
        row, name = fewest[one.pool.gpu.id], one.found.variant.quantization.id
        held = row[name]
        row[name] = one.found.cards if held is None else min(held, one.found.cards)
    alike: dict[tuple[int | None, ...], list[str]] = {}
    for gpu, row in fewest.items():
        alike.setdefault(tuple(row.values()), []).append(gpu)
    return tuple(
        MatrixRow(gpus=tuple(gpus), cards=dict(zip(formats, cards, strict=True)))
        for cards, gpus in alike.items()
    )


def frontier(ranked: list[Arrangement]) -> list[Arrangement]:
    """Arrangements that no other beats in cards, quality and cost together."""
    kept: list[tuple[tuple[int, int, int, int], Arrangement]] = []
    for one in sorted(ranked, key=lambda one: order_key("fewest-cards", one)):
        variant, cards = one.found.variant, one.found.cards
        mine = (cards, variant.method_rank, variant.quality_rank, cost(one.pool, cards))
        if not any(all(a <= b for a, b in zip(held, mine, strict=True)) for held, _ in kept):
            kept.append((mine, one))
    return [one for _, one in kept]


def nearest_miss(
    search: TrainingSearch,
    request: PlanRequest,
    allowed: tuple[Pool, ...],
    choices: tuple[Variant, ...],
) -> Option | None:
    """The arrangement on all cards of a pool that lacks least."""
    best: tuple[tuple[int, str], Arrangement] | None = None
    for pool in allowed:
        place = space(pool, request)
        found = search.nearest(choices, place)
        need = search.need_bytes(found.variant, found.cards) if found else None
        if found is None or need is None:
            continue
        key = (need - place.room_bytes, pool.gpu.id)
        if best is None or key < best[0]:
            best = (key, Arrangement(pool=pool, place=place, found=found))
    return training_option(search, best[1]) if best else None


def smaller_counts(cards: int) -> tuple[int, ...]:
    """Smaller numbers of cards to give reasons for."""
    near = range(max(1, cards - REASONED_COUNTS), cards)
    far = (1 << power_of_two for power_of_two in range(cards.bit_length()))
    return tuple(sorted({*near, *(count for count in far if count < cards)}))


def rejections(
    search: TrainingSearch, choices: tuple[Variant, ...], best: Arrangement
) -> Iterator[Rejection]:
    """Why each smaller number of the recommended card fails, at its leanest choice."""
    for fewer in smaller_counts(best.found.cards):
        found = search.leanest(choices, fewer, best.place)
        if found is None:
            continue
        run = search.run(found.variant, fewer)
        fullest = peak(phase_cards(run))
        short = (search.need_bytes(found.variant, fewer) or 0) - best.place.room_bytes
        term = max(fullest.terms, key=lambda one: one.amount.high)
        yield Rejection(
            gpu=best.pool.gpu.id,
            cards=fewer,
            quantization=run.quantization.id,
            reason="memory",
            term=term.name,
            short_by_bytes=short,
            message=f"{fewer} x {best.pool.gpu.id}, {run.method}, sharding {run.sharding}: short "
            f"by {short / GIB:.2f} GiB a card in phase {fullest.phase}; the largest term is "
            f"{term.name}",
        )


def advice(search: TrainingSearch, request: PlanRequest, best: Arrangement) -> Iterator[Advice]:
    """Single changes that need fewer of the recommended cards."""
    if best.found.cards == 1:
        return
    chosen = best.found.variant
    free = replace(
        request,
        choices=replace(request.choices, methods=None, activation_checkpointing=None, offload=None),
    )
    for label, changed, costs in CHANGES:
        wished = changed(chosen.wish, search.stock)
        if wished == chosen.wish:
            continue
        for variant in variants(free, wished, search.frame.quantization, search.stock):
            fewer = search.fewest(variant, best.place, best.found.cards)
            if fewer is not None:
                saved = best.found.cards - fewer
                yield Advice(
                    change=f"workload.{label}", saves_cards=saved, cards=fewer, costs=costs
                )
                break
