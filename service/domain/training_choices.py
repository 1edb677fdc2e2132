"""What a training plan may vary beside the number of cards, and which of it is preferred."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from service.domain.candidates import QUALITY_RANKS
from service.domain.errors import InvalidRequest
from service.domain.precision import Quantization
from service.domain.requests import LoraWish, PlanRequest, Stock, TrainingWish
from service.domain.training_resolving import QLORA_QUANTIZATION
from service.domain.training_splits import DEFAULTS

METHODS = ("full", "lora", "qlora")
OFFLOADS = ("none", "optimizer", "all")
CHECKPOINTING = ("none", "selective", "full", "offloaded")
SHARDINGS = ("none", "ddp", "zero-1", "zero-2", "fsdp-no-reshard", "fsdp", "zero-3")
"""Fastest first: less traffic between host, cards and recomputation."""
OPEN_CHECKPOINTING = ("none", "full")
"""What every framework knows; `selective` is tried where it is asked for."""

MAX_VARIANTS = 2048


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    """One choice of everything but the number of cards; a smaller `slowness` is preferred."""

    wish: TrainingWish
    quantization: Quantization
    method_rank: int
    quality_rank: int
    tensor: int
    pipeline: int
    expert: int
    slowness: tuple[int, ...]

    @property
    def ranks(self) -> int:
        """Cards of one replica."""
        return self.tensor * self.pipeline


def refuse_serving_choices(request: PlanRequest) -> None:
    """Refuse choices that mean nothing for training."""
    if request.choices.caches is not None:
        raise InvalidRequest("choices.kv_cache_precisions", "training keeps no cache")


def refuse_training_choices(request: PlanRequest) -> None:
    """Refuse choices that mean nothing for inference."""
    for name in ("methods", "activation_checkpointing", "sharding", "offload", "micro_batch_size"):
        if getattr(request.choices, name) is not None:
            raise InvalidRequest(f"choices.{name}", "only training plans vary it")


def bases(
    request: PlanRequest, method: str, plain: Quantization, stock: Stock
) -> tuple[Quantization, ...]:
    """How the base weights may be stored under a method, within the bound on lost quality."""
    if method != "qlora":
        found: tuple[Quantization, ...] = (plain,)
    elif request.choices.quantizations is not None:
        found = tuple(q for q in request.choices.quantizations if q.quantizes)
    else:
        found = (plain if plain.quantizes else stock.quantizations[QLORA_QUANTIZATION],)
    if request.limits.max_quality_loss is None:
        return found
    allowed = QUALITY_RANKS[request.limits.max_quality_loss]
    return tuple(q for q in found if q.quality_rank <= allowed)


def shardings(request: PlanRequest, wish: TrainingWish) -> tuple[str | None, ...]:
    """Shardings to try; None leaves it to the default of each number of cards."""
    return request.choices.sharding or (wish.sharding,)


def checkpointing(request: PlanRequest, wish: TrainingWish) -> tuple[str, ...]:
    """Checkpointing to try: it costs time and no quality, so a plan may choose it."""
    said = wish.activation_checkpointing
    return request.choices.activation_checkpointing or ((said,) if said else OPEN_CHECKPOINTING)


def variants(
    request: PlanRequest, wish: TrainingWish, plain: Quantization, stock: Stock
) -> tuple[Variant, ...]:
    """Every combination of the choices, preferred ones first."""
    choices = request.choices
    methods = choices.methods or (wish.method or DEFAULTS["method"],)
    combined = tuple(
        product(
            shardings(request, wish),
            choices.offload or (wish.offload or DEFAULTS["offload"],),
            checkpointing(request, wish),
            choices.micro_batch_size or (wish.micro_batch_size or 1,),
            choices.tensor_parallel or (1,),
            choices.pipeline_parallel or (1,),
            choices.expert_parallel or (1,),
        )
    )
    stored = [(m, q) for m in methods for q in bases(request, m, plain, stock)]
    if len(stored) * len(combined) > MAX_VARIANTS:
        raise InvalidRequest(
            "choices", f"{len(stored) * len(combined)} combinations; at most {MAX_VARIANTS}"
        )
    found = [
        _variant(wish, method, base, combination)
        for method, base in stored
        for combination in combined
    ]
    return tuple(sorted(found, key=lambda one: (one.method_rank, one.quality_rank, one.slowness)))


def _variant(
    wish: TrainingWish,
    method: str,
    base: Quantization,
    combination: tuple[str | None, str, str, int, int, int, int],
) -> Variant:
    sharding, offload, kept, batch, tensor, pipeline, expert = combination
    return Variant(
        wish=replace(
            wish,
            method=method,
            sharding=sharding,
            offload=offload,
            activation_checkpointing=kept,
            micro_batch_size=batch,
            lora=None if method == "full" else wish.lora or LoraWish(),
        ),
        quantization=base,
        method_rank=METHODS.index(method),
        quality_rank=base.quality_rank,
        tensor=tensor,
        pipeline=pipeline,
        expert=expert,
        slowness=(
            OFFLOADS.index(offload),
            CHECKPOINTING.index(kept),
            SHARDINGS.index(sharding) if sharding else 0,
            tensor * pipeline,
            -batch,
            expert,
        ),
    )
