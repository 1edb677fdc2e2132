"""From an arrangement to an answer: its terms, budget, limits, price, power and launch line."""

from __future__ import annotations

from decimal import Decimal

from service.domain.candidates import Room
from service.domain.costs import Cost, billed_cards, cost
from service.domain.inventory import taken
from service.domain.judging import (
    serving_budget,
    serving_offer,
    stage_needs,
    tightest,
    usable_share,
)
from service.domain.launches import serving_launch
from service.domain.limits import serving_limits
from service.domain.plan_results import Option
from service.domain.questions import Serving
from service.domain.requests import PlanRequest, Pool, Stock
from service.domain.results import PerCard
from service.domain.search import Arrangement, Search
from service.domain.serving_terms import serving_terms

DEFAULT_RANK_LOSS = "as released"
SHARES = 100
"""Engines are told whole hundredths."""


def option(search: Search, arrangement: Arrangement) -> Option:
    """The full answer for one arrangement."""
    pool, fit = arrangement.pool, arrangement.fit
    form, split, memory = fit.format, fit.split, fit.room.memory_bytes
    serving = search.serving(pool, form, split)
    explained, risk = stage_needs(serving), search.request.risk
    left = search.headroom_bytes(fit)
    needs, fullest = tuple(one.need for one in explained), tightest(explained)
    share = search.wish.memory_utilization or usable_share(
        serving.engine.policy,
        serving.memory_utilization,
        max(need.outside.high for need in needs),
        memory,
    )
    offer = serving_offer(serving.profile, memory, share)
    told = told_share(serving, pool, share, fit.room)
    return Option(
        gpu=pool.gpu,
        cards=split.cards,
        nodes=fit.nodes,
        cards_per_node=fit.room.cards_per_node,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        data_parallel=split.data,
        expert_parallel=split.expert,
        precision=form.precision.id,
        quantization=form.quantization.id,
        kv_cache_precision=form.cache.id,
        quality_rank=form.quality_rank,
        quality_loss=form.quantization.quality_loss if form.quality_rank else DEFAULT_RANK_LOSS,
        per_card=PerCard(terms=serving_terms(serving, fullest.stage), stage=fullest.stage.index),
        card=serving_budget(serving, fullest.need, pool.gpu.id, offer, risk),
        headroom_bytes=left,
        limits=serving_limits(serving, needs, offer, risk),
        hourly_usd=hourly_usd(pool, split.cards),
        power_watts=power_watts(pool, split.cards),
        starts=(serving_launch(search.request.model.name, serving, told),),
        short_by_bytes=max(0, -left),
        cost=paid(search.request, search.stock, pool, split.cards, fit.nodes),
        throughput=search.speed.of(serving, pool.gpu, form.path),
        placement=taken(pool, split.cards, split.tensor, fit.room.cards_per_node),
    )


def paid(request: PlanRequest, stock: Stock, pool: Pool, cards: int, nodes: int) -> Cost:
    """What cards cost; those of an inventory are not bought by the server."""
    rules = request.costs or stock.costs
    billed = cards if pool.nodes else billed_cards(pool.gpu, cards, nodes, rules)
    return cost(pool.gpu, cards, billed, rules)


def told_share(serving: Serving, pool: Pool, share: float, room: Room) -> float:
    """The share to tell an engine that counts from a card's total where not all of it is free.

    u' = floor(100·u·M / T) / 100

    u  share of the free memory   M  free memory   T  total of the card

    Holds when:  a hundredth of the card is less than what is left; the engine gets up to that less.
    Source:      vLLM `v1/worker/gpu_worker.py`: refuses to start where less than u'·T is free.
    Checked by:  0.92 of 40 GiB on a card of 80 GiB: 0.46.
    """
    partly = room.memory_bytes < pool.gpu.planning_bytes
    if serving.engine.policy != "of-total" or not partly:
        return share
    return int(share * room.memory_bytes * SHARES / room.total_bytes) / SHARES


def hourly_usd(pool: Pool, cards: int) -> Decimal | None:
    """Price of all cards for an hour; None where the card's price is not known."""
    price = pool.gpu.hourly_usd
    return None if price is None else price * cards


def power_watts(pool: Pool, cards: int) -> int | None:
    """Board power of all cards; None where the card's is not known."""
    watts = pool.gpu.tdp_watts
    return None if watts is None else int(watts) * cards
