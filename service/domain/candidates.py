"""Which cards, quantizations and caches a request leaves open, and why others are out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from service.domain.architecture import Architecture, counts
from service.domain.engine import CachePrecision, Engine, Path
from service.domain.hardware import AVAILABLE, Gpu
from service.domain.inventory import repriced_rows, stocked
from service.domain.nodes import Shape, bounded_shape, cards_in
from service.domain.precision import Precision, Quantization
from service.domain.profiles import BatchDefaults, Profile
from service.domain.requests import PlanLimits, PlanRequest, Pool, ServingWish, Stock
from service.domain.resolving import (
    NO_QUANTIZATION,
    CardFacts,
    Notes,
    batch_defaults,
    default_cache,
    meant,
    released,
)
from service.domain.rules import (
    base_support,
    cache_support,
    hardware_class,
    kernel_support,
    on_card,
    sparse_cache,
)

QUALITY_RANKS = {"none": 0, "minimal": 2, "low": 4, "medium": 6, "high": 8}
DEFAULT_QUALITY_LOSS = "low"
DEFAULT_CARDS_PER_NODE = 8
DEFAULT_MAX_CARDS = 64
UNBOUNDED = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a model is stored while it runs: precision, quantization and type of cache.

    path  whether the hardware computes in the quantization natively or only stores it
    """

    precision: Precision
    quantization: Quantization
    cache: CachePrecision
    quality_rank: int
    path: Path | None = None

    @property
    def stored_as(self) -> tuple[int, str, str]:
        """The same for formats that take the same bytes, whatever computes in them."""
        return (id(self.quantization), self.precision.id, self.cache.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Everything about a card that decides how many of them a workload takes.

    total_bytes  what the driver reports, of which `memory_bytes` is free to plan with
    hardware     the engine's class of hardware, the card's architecture where it runs on none
    fast_as  the card itself where speed is asked for, so that only equal ones stand together
    """

    memory_bytes: int
    total_bytes: int
    shape: Shape
    max_cards: int
    is_mig: bool
    hardware: str
    batch: BatchDefaults
    fast_as: Gpu | None = None

    @property
    def cards_per_node(self) -> int:
        """Cards of the largest node."""
        return self.shape[0][0]

    @property
    def is_counted(self) -> bool:
        """Whether the number of nodes is bounded."""
        return sum(nodes for _, nodes in self.shape) < UNBOUNDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A quantization that the engine does not run on a class of cards."""

    quantization: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CardClass:
    """Cards that differ in nothing that decides their number, cheapest first."""

    room: Room
    pools: tuple[Pool, ...]
    formats: tuple[Format, ...]
    refusals: tuple[Refusal, ...]

    def own(self, form: Format) -> Format:
        """A format as it runs on these cards."""
        return next(one for one in self.formats if one.stored_as == form.stored_as)


def pools(request: PlanRequest, stock: Stock) -> tuple[Pool, ...]:
    """Cards in question: those of the inventory, else as many as wanted of every allowed one."""
    allowed, priced = request.choices.gpus, request.repriced
    if request.inventory:
        ids = {gpu.id for gpu in allowed} if allowed else None
        rows = tuple(row for row in request.inventory if ids is None or row.gpu.id in ids)
        return stocked(repriced_rows(rows, priced))
    gpus = allowed or tuple(gpu for gpu in stock.gpus.values() if gpu.availability in AVAILABLE)
    return tuple(unbounded_pool(priced.get(gpu.id, gpu)) for gpu in gpus)


@lru_cache(maxsize=2048)
def unbounded_pool(gpu: Gpu) -> Pool:
    """As many cards of a kind as wanted, in nodes as they are sold."""
    per_node = gpu.cards_per_node or DEFAULT_CARDS_PER_NODE
    return Pool(gpu=gpu, shape=((per_node, UNBOUNDED),))


def packs_anything(model: Architecture, quantization: Quantization) -> bool:
    """Whether a quantization changes any tensor of a model."""
    return any(quantization.packs(tensor) for tensor in counts(model).bill)


def quantizations(request: PlanRequest, stock: Stock, notes: Notes) -> tuple[Quantization, ...]:
    """Quantizations that the request allows, within its bound on the loss of quality."""
    model = request.model.architecture
    if request.quantization is not None:
        return (meant(request.quantization, model, stock),)
    own = released(model, stock) if model.stored else None
    if own is not None and request.choices.quantizations is None:
        return (own,)
    if request.choices.quantizations is not None:
        wanted = request.choices.quantizations
    else:
        wanted = tuple(stock.quantizations.values())
        notes.default("choices.quantizations", "all", "every one that the engine runs on the card")
    loss = request.limits.max_quality_loss
    if loss is None:
        loss = DEFAULT_QUALITY_LOSS if request.choices.quantizations is None else "high"
        notes.default("limits.max_quality_loss", loss, "default")
    named = tuple({(found := meant(q, model, stock)).id: found for q in wanted}.values())
    return useful_quantizations(model, named, QUALITY_RANKS[loss])


@lru_cache(maxsize=1024)
def useful_quantizations(
    model: Architecture, wanted: tuple[Quantization, ...], worst_rank: int
) -> tuple[Quantization, ...]:
    """Those that change anything of a model and lose no more than allowed."""
    useful = (q for q in wanted if q.id == NO_QUANTIZATION or packs_anything(model, q))
    return tuple(q for q in useful if q.quality_rank <= worst_rank)


def caches(
    request: PlanRequest, wish: ServingWish, gpu: Gpu, precision: Precision, stock: Stock
) -> tuple[CachePrecision, ...]:
    """Cache types that the request allows; the rule of `auto` where it names none."""
    profile = wish.engine.profile(wish.engine_version)
    fixed = sparse_cache(wish.engine, profile, gpu, request.model.architecture)
    automatic = stock.caches[fixed] if fixed else default_cache(precision, stock)
    if request.choices.caches is not None:
        named = (cache or automatic for cache in request.choices.caches)
        return tuple({cache.id: cache for cache in named}.values())
    return (wish.cache or automatic,)


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


def bounded(pool: Pool, limits: PlanLimits) -> tuple[Shape, int]:
    """Nodes, and cards in all, that pool and limits allow."""
    shape = bounded_shape(pool.shape, limits.max_cards_per_node, limits.max_nodes)
    cards = min(limits.max_cards or DEFAULT_MAX_CARDS, cards_in(shape))
    gpu = pool.gpu
    if limits.max_hourly_usd is not None:
        hourly = gpu.hourly_usd
        cards = min(cards, int(float(limits.max_hourly_usd) / float(hourly)) if hourly else 0)
    if limits.max_power_watts is not None:
        watts = gpu.tdp_watts
        cards = min(cards, int(limits.max_power_watts / watts) if watts else 0)
    return shape, cards


def room_of(pool: Pool, engine: Engine, profile: Profile, limits: PlanLimits, timed: bool) -> Room:
    """What decides how many cards of a pool are needed; the card itself where speed matters."""
    gpu = pool.gpu
    shape, cards = bounded(pool, limits)
    return Room(
        memory_bytes=pool.free_memory_bytes or gpu.planning_bytes,
        total_bytes=gpu.memory_bytes,
        shape=shape,
        max_cards=cards,
        is_mig=gpu.is_mig,
        hardware=hardware_class(engine, gpu) or gpu.architecture,
        batch=batch_defaults(profile, CardFacts(memory_bytes=gpu.memory_bytes, name=gpu.name)),
        fast_as=gpu if timed else None,
    )


@lru_cache(maxsize=64)
def rooms(
    members: tuple[Pool, ...], engine: Engine, profile: Profile, limits: PlanLimits, timed: bool
) -> tuple[tuple[Room, tuple[Pool, ...]], ...]:
    """Pools that differ in nothing that decides their number, cheapest first; requests share it."""
    found: dict[Room, list[Pool]] = {}
    for pool in members:
        found.setdefault(room_of(pool, engine, profile, limits, timed), []).append(pool)
    return tuple((room, tuple(sorted(alike, key=price_order))) for room, alike in found.items())


def card_classes(
    request: PlanRequest, wish: ServingWish, precision: Precision, stock: Stock, notes: Notes
) -> tuple[CardClass, ...]:
    """The cards of a request, alike ones together, each with the formats that the engine runs."""
    wanted = quantizations(request, stock, notes)
    profile, timed = wish.engine.profile(wish.engine_version), request.targets is not None
    found: dict[str, Runnable] = {}
    classes = []
    for room, members in rooms(pools(request, stock), wish.engine, profile, request.limits, timed):
        if room.hardware not in found:
            gpu = members[0].gpu
            usable = runnable_precision(wish, gpu, precision, stock)
            if usable is None:
                found[room.hardware] = nothing_runnable(wish.engine, gpu, precision, wanted)
            else:
                kinds = caches(request, wish, gpu, usable, stock)
                found[room.hardware] = runnable(wish.engine, profile, gpu, usable, wanted, kinds)
        formats, refusals = found[room.hardware]
        classes.append(CardClass(room=room, pools=members, formats=formats, refusals=refusals))
    return tuple(classes)


def price_order(pool: Pool) -> tuple[bool, float, str]:
    """Cheapest first, those without a price last, then by name."""
    price = pool.gpu.hourly_usd
    return (price is None, float(price or 0), pool.gpu.id)


Runnable = tuple[tuple[Format, ...], tuple[Refusal, ...]]


def nothing_runnable(
    engine: Engine, gpu: Gpu, precision: Precision, wanted: tuple[Quantization, ...]
) -> Runnable:
    """Why a card that does not compute in a precision runs no format."""
    reason = base_support(engine, gpu, precision).reason
    return (), tuple(Refusal(quantization=q.id, reason=reason) for q in wanted)


@lru_cache(maxsize=1024)
def runnable(
    engine: Engine,
    profile: Profile,
    gpu: Gpu,
    precision: Precision,
    wanted: tuple[Quantization, ...],
    kinds: tuple[CachePrecision, ...],
) -> Runnable:
    """Formats that the engine runs on the hardware of a card, and reasons for the others."""
    formats: list[Format] = []
    refusals: list[Refusal] = []
    for quantization in wanted:
        kernel = kernel_support(engine, gpu, quantization)
        supports = [cache_support(engine, gpu, cache) for cache in kinds]
        reasons = [one.reason for one in (kernel, *supports) if one.path is None]
        refusals += [Refusal(quantization=quantization.id, reason=reason) for reason in reasons[:1]]
        placed = on_card(engine, profile, gpu, quantization)
        formats += [
            Format(
                precision=precision,
                quantization=placed,
                cache=cache,
                quality_rank=quantization.quality_rank,
                path=kernel.path,
            )
            for cache, support in zip(kinds, supports, strict=True)
            if kernel.path is not None and support.path is not None
        ]
    return tuple(formats), tuple(refusals)
