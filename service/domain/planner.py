"""The plan: the smallest combination that fits, what else would, and why nothing smaller does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from service.domain.candidates import Field, field_of, quality_rank
from service.domain.options import NEVER, OBJECTIVES, hourly_usd, option
from service.domain.precision import Precision
from service.domain.proof import nearest_miss, proof
from service.domain.questions import Split
from service.domain.requests import PlanRequest, ServingWish, Stock, TrainingWish
from service.domain.resolving import (
    CardFacts,
    Frame,
    Notes,
    resolved_precision,
    resolved_quantization,
    resolved_serving,
)
from service.domain.results import Advice, Cell, Plan
from service.domain.rules import cautions
from service.domain.search import Arrangement, Candidate, Search
from service.domain.training_plan import training_plan


def plan(request: PlanRequest, stock: Stock) -> Plan:
    """The smallest combination of the choices that fits within the limits.

    Raises: InvalidRequest where a field cannot be honoured.
    """
    if isinstance(request.workload, TrainingWish):
        return training_plan(request, request.workload, stock)
    return serving_plan(request, request.workload, stock)


def serving_plan(request: PlanRequest, wish: ServingWish, stock: Stock) -> Plan:
    """The smallest combination that serves a workload."""
    notes = Notes()
    model = request.model.architecture
    precision = resolved_precision(model, request.precision, stock, notes)
    wish = settled(request, wish, precision, stock, notes)
    search = Search(request=request, wish=wish, stock=stock)
    choice = field_of(request, wish, precision, stock, notes)
    found = arrangements(search, choice.candidates)
    key = OBJECTIVES[request.objective]
    ranked = sorted(found, key=lambda one: key(model, one))
    missed = nearest_miss(search, choice.candidates) if not ranked else None
    recommended = option(search, ranked[0]) if ranked else None
    reasons = proof(search, ranked[0], choice.candidates) if ranked else ()
    return Plan(
        model=request.model,
        workload_kind="inference",
        objective=request.objective,
        recommendation=recommended,
        alternatives=tuple(option(search, one) for one in ranked[1 : request.limit + 1]),
        frontier=tuple(option(search, one) for one in frontier(request, ranked)),
        matrix=matrix(choice, ranked),
        nearest_miss=option(search, missed) if missed else None,
        rejected=(*reasons, *choice.rejected),
        advice=advice(search, ranked[0]) if ranked else (),
        assumptions=tuple(notes.found),
        warnings=cautions(
            search.serving(ranked[0].candidate, ranked[0].split), ranked[0].candidate.gpu
        )
        if ranked
        else (),
        evaluated=search.evaluated,
    )


def arrangements(search: Search, candidates: tuple[Candidate, ...]) -> list[Arrangement]:
    """The fewest cards of every candidate that fits; cards alike in all that counts share one."""
    alike: dict[tuple[object, ...], Arrangement | None] = {}
    found = []
    for candidate in candidates:
        key = (*candidate.format_ids, *candidate.room, search.defaults(candidate.gpu).min_card_gib)
        if key not in alike:
            alike[key] = search.fewest(candidate)
        shared = alike[key]
        if shared is not None:
            found.append(replace(shared, candidate=candidate))
    return found


def settled(
    request: PlanRequest, wish: ServingWish, precision: Precision, stock: Stock, notes: Notes
) -> ServingWish:
    """The workload with context and concurrency fixed, and every assumption noted."""
    frame = Frame(
        model=request.model.architecture,
        precision=precision,
        quantization=resolved_quantization(
            request.model.architecture, request.quantization, request.precision, stock, Notes()
        ),
        split=Split(),
        card=CardFacts(memory_bytes=None),
    )
    serving = resolved_serving(frame, wish, stock, Notes())
    if wish.context_tokens is None:
        notes.default(
            "workload.context_tokens", serving.context_tokens, "min(the model's limit, 8192)"
        )
    if wish.concurrency is None:
        notes.default("workload.concurrency", 1, "default")
    return replace(
        wish,
        context_tokens=serving.context_tokens,
        concurrency=wish.concurrency or 1,
        allow_context_beyond_limit=True,
    )


def matrix(choice: Field, ranked: Iterable[Arrangement]) -> tuple[Cell, ...]:
    """Fewest cards of every card × quantization; None where no number of them does."""
    cells: dict[tuple[str, str], int | None] = {
        (row.gpu, row.quantization): None for row in choice.rejected
    }
    cells.update({(c.gpu.id, c.quantization.id): None for c in choice.candidates})
    for one in ranked:
        place = (one.candidate.gpu.id, one.candidate.quantization.id)
        held = cells[place]
        cells[place] = one.split.cards if held is None else min(held, one.split.cards)
    return tuple(
        Cell(gpu=gpu, quantization=name, cards=cards) for (gpu, name), cards in cells.items()
    )


def frontier(request: PlanRequest, ranked: list[Arrangement]) -> list[Arrangement]:
    """Arrangements that no other beats in cards, quality and cost together."""
    model = request.model.architecture
    best: list[Arrangement] = []
    points: list[tuple[int, int, float]] = []
    for one in sorted(ranked, key=lambda a: OBJECTIVES["fewest-cards"](model, a)):
        point = (
            one.split.cards,
            quality_rank(model, one.candidate.quantization),
            float(hourly_usd(one) or NEVER),
        )
        if not any(all(a <= b for a, b in zip(held, point, strict=True)) for held in points):
            best.append(one)
            points.append(point)
    return best[: max(1, request.limit)]


def advice(search: Search, best: Arrangement) -> tuple[Advice, ...]:
    """Single changes with which fewer of the recommended cards would do, and what each costs."""
    if best.split.cards == 1:
        return ()
    wish, cache = search.wish, search.stock.caches.get("fp8")
    halves = max(1, (wish.concurrency or 1) // 2)
    changes: list[tuple[str, str, ServingWish, Arrangement]] = [
        (
            f"context_tokens={max(1, (wish.context_tokens or 2) // 2)}",
            "sequences of half the length",
            replace(wish, context_tokens=max(1, (wish.context_tokens or 2) // 2)),
            best,
        ),
        (
            f"concurrency={halves}",
            "half the sequences at once",
            replace(wish, concurrency=halves),
            best,
        ),
    ]
    if cache is not None and best.candidate.cache.bits > cache.bits:
        other = replace(best, candidate=replace(best.candidate, cache=cache))
        changes.append((
            "kv_cache_precision=fp8",
            "a small loss of quality on long contexts",
            wish,
            other,
        ))
    return tuple(
        Advice(change=change, saves_cards=saved, costs=costs)
        for change, costs, changed, base in changes
        if (saved := _saved(search, changed, base))
    )


def _saved(search: Search, wish: ServingWish, base: Arrangement) -> int:
    trial = Search(request=search.request, wish=wish, stock=search.stock)
    found = trial.fewest(base.candidate)
    return max(0, base.split.cards - found.split.cards) if found else 0
