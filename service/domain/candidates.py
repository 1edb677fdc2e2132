"""Which cards, quantizations and caches a request leaves open, and why others are out."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.architecture import Architecture, counts
from service.domain.engine import CachePrecision
from service.domain.hardware import Gpu
from service.domain.precision import Precision, Quantization
from service.domain.requests import PlanLimits, PlanRequest, Pool, ServingWish, Stock
from service.domain.resolving import NO_QUANTIZATION, Notes, default_cache
from service.domain.results import Rejection
from service.domain.rules import base_support, cache_support, kernel_support
from service.domain.search import DEFAULT_CARDS_PER_NODE, DEFAULT_MAX_CARDS, Candidate

QUALITY_RANKS = {"none": 0, "minimal": 2, "low": 4, "medium": 6, "high": 8}
DEFAULT_QUALITY_LOSS = "low"
AVAILABLE = frozenset({"shipping", "used"})
UNBOUNDED = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What may be combined, and what was ruled out before any arithmetic."""

    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]


def pools(request: PlanRequest, stock: Stock) -> tuple[Pool, ...]:
    """Cards in question: those of the inventory, else as many as wanted of every allowed one."""
    allowed = request.choices.gpus
    if request.inventory:
        ids = {gpu.id for gpu in allowed} if allowed else None
        return tuple(p for p in request.inventory if ids is None or p.gpu.id in ids)
    gpus = allowed or tuple(gpu for gpu in stock.gpus.values() if gpu.availability in AVAILABLE)
    return tuple(
        Pool(gpu=gpu, nodes=UNBOUNDED, cards_per_node=gpu.cards_per_node or DEFAULT_CARDS_PER_NODE)
        for gpu in gpus
    )


def packs_anything(model: Architecture, quantization: Quantization) -> bool:
    """Whether a quantization changes any tensor of a model."""
    return any(quantization.packs(tensor) for tensor in counts(model).bill)


def quality_rank(model: Architecture, quantization: Quantization) -> int:
    """Rank of a quantization for a model: what the release itself declares loses nothing."""
    return 0 if quantization.id == model.declared_quantization else quantization.quality_rank


def quantizations(request: PlanRequest, stock: Stock, notes: Notes) -> tuple[Quantization, ...]:
    """Quantizations that the request allows, within its bound on the loss of quality."""
    model = request.model.architecture
    if request.quantization is not None:
        return (request.quantization,)
    if request.choices.quantizations is not None:
        wanted = request.choices.quantizations
    else:
        wanted = tuple(stock.quantizations.values())
        notes.default("choices.quantizations", "all", "every one that the engine runs on the card")
    loss = request.limits.max_quality_loss
    if loss is None:
        loss = DEFAULT_QUALITY_LOSS if request.choices.quantizations is None else "high"
        notes.default("limits.max_quality_loss", loss, "default")
    rank = QUALITY_RANKS[loss]
    useful = [q for q in wanted if q.id == NO_QUANTIZATION or packs_anything(model, q)]
    return tuple(q for q in useful if quality_rank(model, q) <= rank)


def caches(
    request: PlanRequest, wish: ServingWish, precision: Precision, stock: Stock
) -> tuple[CachePrecision, ...]:
    """Cache types that the request allows; the rule of `auto` where it names none."""
    if request.choices.caches is not None:
        automatic = default_cache(precision, stock)
        named = (cache or automatic for cache in request.choices.caches)
        return tuple({cache.id: cache for cache in named}.values())
    if wish.cache is not None:
        return (wish.cache,)
    return (default_cache(precision, stock),)


def runnable_precision(
    wish: ServingWish, gpu: Gpu, precision: Precision, stock: Stock
) -> Precision | None:
    """The precision, or float16 where a card has no bfloat16; None where neither runs."""
    if base_support(wish.engine, gpu, precision).path is not None:
        return precision
    half = stock.precisions["float16"]
    if precision.id == "bfloat16" and base_support(wish.engine, gpu, half).path is not None:
        return half
    return None


def bounded(pool: Pool, limits: PlanLimits) -> tuple[int, int, int]:
    """Cards a node, nodes, and cards in all that pool and limits allow."""
    per_node = min(pool.cards_per_node, limits.max_cards_per_node or UNBOUNDED)
    nodes = min(pool.nodes, limits.max_nodes or UNBOUNDED)
    cards = min(limits.max_cards or DEFAULT_MAX_CARDS, per_node * nodes)
    gpu, hourly = pool.gpu, pool.gpu.hourly_usd
    if limits.max_hourly_usd is not None:
        cards = min(cards, int(float(limits.max_hourly_usd) / float(hourly)) if hourly else 0)
    if limits.max_power_watts is not None:
        watts = gpu.tdp_watts
        cards = min(cards, int(limits.max_power_watts / watts) if watts else 0)
    return per_node, nodes, cards


def unsupported(gpu: Gpu, quantization: str, message: str) -> Rejection:
    """A card and quantization that the engine does not run together."""
    return Rejection(
        gpu=gpu.id, cards=1, quantization=quantization, reason="unsupported", message=message
    )


def field_of(
    request: PlanRequest, wish: ServingWish, precision: Precision, stock: Stock, notes: Notes
) -> Field:
    """Every card × quantization × cache that the engine runs, and the reasons for the others."""
    found: list[Candidate] = []
    out: list[Rejection] = []
    formats = quantizations(request, stock, notes)
    for pool in pools(request, stock):
        usable = runnable_precision(wish, pool.gpu, precision, stock)
        if usable is None:
            reason = base_support(wish.engine, pool.gpu, precision).reason
            out.append(unsupported(pool.gpu, NO_QUANTIZATION, reason))
            continue
        kinds = caches(request, wish, usable, stock)
        for quantization in formats:
            support = kernel_support(wish.engine, pool.gpu, quantization)
            if support.path is None:
                out.append(unsupported(pool.gpu, quantization.id, support.reason))
                continue
            found.extend(_with_caches(request, wish, pool, usable, quantization, kinds, out))
    return Field(candidates=tuple(found), rejected=tuple(out))


def _with_caches(  # ruff: ignore[too-many-arguments, too-many-positional-arguments] - one line of the product of choices
    request: PlanRequest,
    wish: ServingWish,
    pool: Pool,
    precision: Precision,
    quantization: Quantization,
    kinds: tuple[CachePrecision, ...],
    out: list[Rejection],
) -> list[Candidate]:
    per_node, nodes, cards = bounded(pool, request.limits)
    memory = pool.free_memory_bytes or pool.gpu.planning_bytes
    found = []
    for cache in kinds:
        support = cache_support(wish.engine, pool.gpu, cache)
        if support.path is None:
            out.append(unsupported(pool.gpu, quantization.id, support.reason))
            continue
        found.append(
            Candidate(
                pool=pool,
                precision=precision,
                quantization=quantization,
                cache=cache,
                memory_bytes=memory,
                cards_per_node=per_node,
                max_nodes=nodes,
                max_cards=cards,
            )
        )
    return found
