"""From an arrangement to an answer: its terms, budget, limits, price, power and launch line."""

from __future__ import annotations

from decimal import Decimal

from service.domain.architecture import Architecture
from service.domain.candidates import quality_rank
from service.domain.judging import (
    feasible_utilization,
    serving_budget,
    serving_limits,
    stage_needs,
    tightest,
)
from service.domain.questions import Serving
from service.domain.results import Option, PerCard
from service.domain.search import Arrangement, Search

NEVER = Decimal("Infinity")
DEFAULT_RANK_LOSS = "as released"


def option(search: Search, arrangement: Arrangement) -> Option:
    """The full answer for one arrangement."""
    candidate, split = arrangement.candidate, arrangement.split
    serving = search.serving(candidate, split)
    needs = stage_needs(serving)
    memory = candidate.memory_bytes
    share = search.wish.memory_utilization or feasible_utilization(serving, needs, memory)
    budget = serving_budget(serving, candidate.gpu.id, memory, share)
    fullest = tightest(needs)
    rank = quality_rank(serving.model, candidate.quantization)
    return Option(
        gpu=candidate.gpu,
        cards=split.cards,
        nodes=arrangement.nodes,
        cards_per_node=candidate.cards_per_node,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        data_parallel=split.data,
        expert_parallel=split.expert,
        precision=candidate.precision.id,
        quantization=candidate.quantization.id,
        kv_cache_precision=candidate.cache.id,
        quality_rank=rank,
        quality_loss=candidate.quantization.quality_loss if rank else DEFAULT_RANK_LOSS,
        per_card=PerCard(terms=fullest.terms, stage=fullest.stage.index),
        card=budget,
        headroom_bytes=arrangement.headroom_bytes,
        limits=serving_limits(serving, needs, budget, search.request.risk),
        hourly_usd=hourly_usd(arrangement),
        power_watts=power_watts(arrangement),
        launch=launch(search.request.model.name, serving, share),
        short_by_bytes=max(0, -arrangement.headroom_bytes),
    )


def hourly_usd(arrangement: Arrangement) -> Decimal | None:
    """Price of all cards for an hour; None where the card's price is not known."""
    price = arrangement.candidate.gpu.hourly_usd
    return None if price is None else price * arrangement.split.cards


def power_watts(arrangement: Arrangement) -> int | None:
    """Board power of all cards; None where the card's is not known."""
    watts = arrangement.candidate.gpu.tdp_watts
    return None if watts is None else int(watts) * arrangement.split.cards


def launch(name: str, serving: Serving, utilization: float) -> str:
    """The command that starts the engine so."""
    split = serving.split
    flags: list[tuple[str, object, bool]] = [
        ("--tensor-parallel-size", split.tensor, split.tensor > 1),
        ("--pipeline-parallel-size", split.pipeline, split.pipeline > 1),
        ("--data-parallel-size", split.data, split.data > 1),
        ("--max-model-len", serving.context_tokens, True),
        ("--max-num-seqs", serving.max_sequences, True),
        ("--max-num-batched-tokens", serving.max_batched_tokens, True),
        ("--gpu-memory-utilization", utilization, True),
        ("--dtype", serving.precision.id, True),
        ("--kv-cache-dtype", serving.cache.id, serving.cache.id not in {"bf16", "fp16", "fp32"}),
        ("--enable-expert-parallel", "", split.expert > 1),
    ]
    if not serving.engine.launch:
        return ""
    parts = [f"{flag} {value}".rstrip() for flag, value, present in flags if present]
    return " ".join((serving.engine.launch, name, *parts))


OrderKey = tuple[int | Decimal | str, ...]


def fewest_cards_key(model: Architecture, one: Arrangement) -> OrderKey:
    """Fewest cards; least loss of quality; cheapest, then smallest card; then names.

    Cards without a price come after those with one.
    """
    gpu = one.candidate.gpu
    return (
        one.split.cards,
        quality_rank(model, one.candidate.quantization),
        hourly_usd(one) or NEVER,
        one.candidate.memory_bytes,
        one.split.pipeline,
        one.split.data,
        -one.candidate.quantization.group,
        gpu.id,
        one.candidate.quantization.id,
        one.candidate.cache.id,
    )


def lowest_cost_key(model: Architecture, one: Arrangement) -> OrderKey:
    """Cheapest by the hour, then as fewest-cards."""
    return (hourly_usd(one) or NEVER, *fewest_cards_key(model, one))


def lowest_power_key(model: Architecture, one: Arrangement) -> OrderKey:
    """Least board power, then as fewest-cards."""
    return (power_watts(one) or NEVER, *fewest_cards_key(model, one))


def highest_quality_key(model: Architecture, one: Arrangement) -> OrderKey:
    """Least loss of quality, then as fewest-cards."""
    return (quality_rank(model, one.candidate.quantization), *fewest_cards_key(model, one))


def least_memory_key(model: Architecture, one: Arrangement) -> OrderKey:
    """Least card memory in all, then as fewest-cards."""
    return (one.split.cards * one.candidate.memory_bytes, *fewest_cards_key(model, one))


OBJECTIVES = {
    "fewest-cards": fewest_cards_key,
    "lowest-cost": lowest_cost_key,
    "lowest-power": lowest_power_key,
    "highest-quality": highest_quality_key,
    "least-memory": least_memory_key,
}
