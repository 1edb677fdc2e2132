"""Brute force over the whole space finds nothing smaller than the plan, and the same reasons."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.build import Catalogs
from service.app import read_catalogs
from service.catalog.models import entry_architecture
from service.domain.hardware import Gpu
from service.domain.judging import serving_headroom, serving_offer, stage_needs, usable_share
from service.domain.overrides import Overrides, Stated
from service.domain.planner import plan
from service.domain.questions import Split
from service.domain.requests import Choices, PlanLimits, PlanRequest, ServingWish, Stock
from service.domain.resolving import CardFacts, Frame, Notes, resolved_serving
from service.domain.results import ModelFacts
from service.domain.rules import cache_support, indivisible, kernel_support

ROOT = Path(__file__).parents[2]
MODELS = ("qwen2.5-7b", "llama-3.1-8b", "mixtral-8x7b-v0.1", "deepseek-v2-lite", "gemma-2-9b")
FORMATS = ("none", "fp8", "awq-int4", "int8-w8a8")
CARDS = ("l4", "a100-sxm4-80gb", "h100-sxm5-80gb", "b200-180gb", "t4")
ENGINES = ("vllm", "generic", "sglang", "transformers")
MOST_CARDS = 6


@cache
def catalogs() -> Catalogs:
    return read_catalogs(ROOT / "config", ROOT / "gpus.yaml")


@dataclass(frozen=True)
class Card:
    """A card of the catalog with another memory and node."""

    name: str
    mib: int
    per_node: int

    def gpu(self) -> Gpu:
        gpu = catalogs().gpus.pick(self.name)[0]
        changed = {"memory_planning_mib": self.mib, "memory_reported_mib": None}
        return replace(gpu, **changed, cards_per_node=self.per_node)


@dataclass(frozen=True)
class Question:
    """A plan in plain values, so that a failing one can be read."""

    cards: tuple[Card, ...]
    formats: tuple[str, ...]
    model: str
    engine: str
    context_tokens: int
    concurrency: int
    max_cards: int

    def request(self) -> PlanRequest:
        shelves = catalogs()
        shape = entry_architecture(shelves.models.pick(self.model))
        return PlanRequest(
            model=ModelFacts(architecture=shape, source="catalog", name=self.model),
            precision=None,
            quantization=None,
            workload=ServingWish(
                engine=shelves.engines.pick(self.engine),
                context_tokens=self.context_tokens,
                concurrency=self.concurrency,
            ),
            choices=Choices(
                gpus=tuple(card.gpu() for card in self.cards),
                quantizations=tuple(shelves.quantizations.pick(one) for one in self.formats),
            ),
            limits=PlanLimits(max_cards=self.max_cards),
        )


CARD = st.builds(
    Card,
    name=st.sampled_from(CARDS),
    mib=st.integers(6_000, 60_000),
    per_node=st.sampled_from((1, 2, 4, 8)),
)
QUESTIONS = st.builds(
    Question,
    cards=st.lists(CARD, min_size=1, max_size=2, unique_by=lambda card: card.name).map(tuple),
    formats=st.lists(st.sampled_from(FORMATS), min_size=1, max_size=2, unique=True).map(tuple),
    model=st.sampled_from(MODELS),
    engine=st.sampled_from(ENGINES),
    context_tokens=st.sampled_from((512, 4096)),
    concurrency=st.integers(1, 40),
    max_cards=st.integers(1, MOST_CARDS),
)


def ways(gpu: Gpu, engine_splits: bool) -> Iterator[Split]:
    for tensor in (1, 2, 4):
        for pipeline in range(1, MOST_CARDS + 1):
            for data in range(1, MOST_CARDS + 1):
                ranks = tensor * pipeline
                whole = ranks * data <= MOST_CARDS and tensor <= (gpu.cards_per_node or 1)
                if whole and (engine_splits or ranks == 1):
                    yield Split(tensor=tensor, pipeline=pipeline, data=data)


def headroom_bytes(request: PlanRequest, stock: Stock, frame: Frame, gpu: Gpu) -> int:
    wish = request.workload
    assert isinstance(wish, ServingWish)
    serving = resolved_serving(frame, wish, stock, Notes())
    needs = [one.need for one in stage_needs(serving)]
    high = max(need.outside.high for need in needs)
    policy, memory = wish.engine.policy, gpu.planning_bytes
    share = usable_share(policy, serving.memory_utilization, high, memory)
    offer = serving_offer(serving.profile, memory, share)
    return min(serving_headroom(serving, need, offer, "high") for need in needs)


def smallest(request: PlanRequest, stock: Stock) -> tuple[int, int] | None:
    """Fewest cards and least loss of quality, by trying everything."""
    wish, model = request.workload, request.model.architecture
    assert isinstance(wish, ServingWish)
    found = []
    for gpu in request.choices.gpus or ():
        precision = stock.precisions["float16" if gpu.compute_capability == "7.5" else "bfloat16"]
        cache = stock.caches["fp16" if precision.id == "float16" else "bf16"]
        for form in request.choices.quantizations or ():
            supports = (
                kernel_support(wish.engine, gpu, form),
                cache_support(wish.engine, gpu, cache),
            )
            if any(support.path is None for support in supports):
                continue
            for split in ways(gpu, wish.engine.splits):
                too_many = split.cards > (request.limits.max_cards or 0)
                if too_many or split.data > (wish.concurrency or 1):
                    continue
                if indivisible(model, form, split) is not None:
                    continue
                frame = Frame(
                    model=model,
                    precision=precision,
                    quantization=form,
                    split=split,
                    card=CardFacts(memory_bytes=gpu.memory_bytes, name=gpu.name),
                )
                if headroom_bytes(request, stock, frame, gpu) >= 0:
                    found.append((split.cards, form.quality_rank))
    return min(found, default=None)


@given(QUESTIONS)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_no_combination_is_smaller_than_the_plan(question: Question) -> None:
    request, stock = question.request(), catalogs().stock
    best = plan(request, stock).recommendation
    found = (best.cards, best.quality_rank) if best else None
    assert found == smallest(request, stock)


GIB = 1 << 30
MEASURED = st.fixed_dictionaries(
    {},
    optional={
        "weights": st.integers(GIB, 40 * GIB),
        "activations": st.integers(0, 4 * GIB),
        "runtime": st.integers(0, GIB),
        "kv_cache": st.integers(1, 300_000),
    },
)


@given(QUESTIONS, MEASURED)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_nothing_is_smaller_where_terms_are_measured(
    question: Question, measured: dict[str, int]
) -> None:
    one = replace(question, formats=question.formats[:1]).request()
    stated = {name: Stated(low=n // 2, expected=n, high=n + 1) for name, n in measured.items()}
    wish = replace(one.workload, overrides=Overrides(**stated))
    request, stock = replace(one, workload=wish), catalogs().stock
    best = plan(request, stock).recommendation
    found = (best.cards, best.quality_rank) if best else None
    assert found == smallest(request, stock)


@given(QUESTIONS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_reason_of_memory_names_a_combination_that_misses(question: Question) -> None:
    found = plan(replace(question.request(), explain=True), catalogs().stock)
    short = [row for row in found.rejected if row.reason == "memory"]
    assert all(row.short_by_bytes > 0 and row.term for row in short)
    best = found.recommendation
    if best and best.cards > 1:
        same = [row for row in found.rejected if row.quantization == best.quantization]
        own = {row.cards for row in same if row.gpu == best.gpu.id or best.gpu.id in row.gpus}
        assert own >= set(range(1, best.cards))
