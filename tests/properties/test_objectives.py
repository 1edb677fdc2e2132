"""Every objective finds what brute force finds, and gives a reason for all that it would prefer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.hardware import Gpu
from service.domain.plan_results import Option, Plan
from service.domain.planner import plan
from service.domain.precision import Quantization
from service.domain.ranking import preference
from service.domain.requests import Objective, PlanRequest, Pool, ServingWish
from service.domain.resolving import CardFacts, Frame
from service.domain.rules import cache_support, indivisible, kernel_support
from tests.properties.test_smallest_plan import (
    QUESTIONS,
    Question,
    catalogs,
    headroom_bytes,
    ways,
)

OBJECTIVES = st.sampled_from(get_args(Objective))
Standing = tuple[int, ...]


def standing(request: PlanRequest, gpu: Gpu, cards: int, rank: int) -> Standing:
    pool = Pool(gpu=gpu, shape=((gpu.cards_per_node or 1, 64),))
    return preference(request.objective, pool, cards, rank)


def runnable(request: PlanRequest) -> Iterator[tuple[Gpu, Quantization]]:
    """Cards with the formats that the engine runs on them."""
    stock, wish = catalogs().stock, request.workload
    assert isinstance(wish, ServingWish)
    for gpu in request.choices.gpus or ():
        cache = stock.caches["fp16" if gpu.compute_capability == "7.5" else "bf16"]
        for form in request.choices.quantizations or ():
            able = kernel_support(wish.engine, gpu, form).path
            if able and cache_support(wish.engine, gpu, cache).path:
                yield gpu, form


def fitting(request: PlanRequest) -> Iterator[Standing]:
    """Where everything that fits stands in the objective's order, by trying every split."""
    stock, wish, model = catalogs().stock, request.workload, request.model.architecture
    assert isinstance(wish, ServingWish)
    for gpu, form in runnable(request):
        half = gpu.compute_capability == "7.5"
        for split in ways(gpu, wish.engine.splits):
            outside = split.cards > (request.limits.max_cards or 0)
            if outside or split.data > (wish.concurrency or 1) or indivisible(model, form, split):
                continue
            frame = Frame(
                model=model,
                precision=stock.precisions["float16" if half else "bfloat16"],
                quantization=form,
                split=split,
                card=CardFacts(memory_bytes=gpu.memory_bytes, name=gpu.name),
            )
            if headroom_bytes(request, stock, frame, gpu) >= 0:
                yield standing(request, gpu, split.cards, form.quality_rank)


def asked(question: Question, objective: Objective) -> PlanRequest:
    return replace(question.request(), objective=objective, explain=True)


def of(request: PlanRequest, option: Option) -> Standing:
    return standing(request, option.gpu, option.cards, option.quality_rank)


@given(QUESTIONS, OBJECTIVES)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_nothing_that_fits_comes_before_the_plan(question: Question, objective: Objective) -> None:
    request = asked(question, objective)
    best = plan(request, catalogs().stock).recommendation
    assert (of(request, best) if best else None) == min(fitting(request), default=None)


def unexplained(request: PlanRequest, found: Plan) -> Iterator[tuple[str, str, int]]:
    """Combinations before the recommended one of which no row with as many cards speaks."""
    assert found.recommendation
    mark, most = of(request, found.recommendation), request.limits.max_cards or 0
    for gpu, form in runnable(request):
        rows = [
            row.cards
            for row in found.rejected
            if row.quantization == form.id and gpu.id in {row.gpu, *row.gpus}
        ]
        for cards in range(1, (1 if gpu.is_mig else most) + 1):
            if standing(request, gpu, cards, form.quality_rank) < mark and not rows:
                yield gpu.id, form.id, cards


@given(QUESTIONS, OBJECTIVES)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_all_that_would_come_before_the_plan_has_a_reason(
    question: Question, objective: Objective
) -> None:
    request = asked(question, objective)
    found = plan(request, catalogs().stock)
    if found.recommendation:
        assert not list(unexplained(request, found))
        assert all(row.short_by_bytes > 0 for row in found.rejected if row.reason == "memory")
