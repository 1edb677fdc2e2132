"""From validated bodies to the domain's requests: every name looked up, nothing left unread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from service.api.model import model_of
from service.api.overrides import with_overrides
from service.api.quantization import chosen_quantization
from service.catalog.files.gguf_config import GgufTable
from service.catalog.formats import Formats
from service.catalog.gpus import GpuCatalog
from service.catalog.models import ModelEntry
from service.catalog.shelf import Shelf
from service.domain.accuracy import Score
from service.domain.engine import CachePrecision, Engine
from service.domain.errors import InvalidRequest
from service.domain.framework import Framework
from service.domain.hardware import Gpu
from service.domain.optimizer import Optimizer
from service.domain.precision import Precision, Quantization
from service.domain.questions import LoraSlots, Split
from service.domain.requests import (
    CompanionWish,
    EstimateRequest,
    LoraWish,
    ServingWish,
    Stock,
    TrainingWish,
    Wish,
)
from service.domain.results import ModelFacts
from service.domain.units import bytes_of_gib

Body = Mapping[str, Any]
DEFAULT_ENGINE = "vllm"
AUTO = "auto"
OWN_LAYERS: Literal["mtp"] = "mtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogs:
    """Everything that names are looked up in."""

    gpus: GpuCatalog
    models: Shelf[ModelEntry]
    precisions: Shelf[Precision]
    quantizations: Shelf[Quantization]
    caches: Shelf[CachePrecision]
    engines: Shelf[Engine]
    optimizers: Shelf[Optimizer]
    frameworks: Shelf[Framework]
    stock: Stock
    formats: Formats
    gguf_table: GgufTable
    scores: tuple[Score, ...]
    version: str


def model_facts(catalogs: Catalogs, body: Body) -> ModelFacts:
    """A model from its id, its config, its size or the header of its files."""
    return model_of(body, catalogs.models, catalogs.formats, catalogs.stock, catalogs.gguf_table)


def one_gpu(catalogs: Catalogs, name: str, field: str) -> Gpu:
    """A single card; a group is refused with its members."""
    found = catalogs.gpus.pick(name)
    if len(found) > 1:
        raise InvalidRequest(
            field, f"{name!r} means several cards; use one of {', '.join(g.id for g in found)}"
        )
    return found[0]


def cache(catalogs: Catalogs, name: str | None) -> CachePrecision | None:
    """A type of cache; `auto` leaves it to the engine."""
    return None if name in {None, AUTO} else catalogs.caches.pick(str(name))


def refuse_unmodelled(
    body: Body, fields: Mapping[str, object], why: str, place: str = "workload"
) -> None:
    """Refuse fields whose effect is not modelled, unless they ask for what is modelled anyway."""
    for field, harmless in fields.items():
        if body.get(field) not in {None, harmless}:
            raise InvalidRequest(f"{place}.{field}", why)


def draft(catalogs: Catalogs, value: Any) -> ModelFacts | Literal["mtp"] | None:
    """What drafts tokens: the model's own layers, or a model of the catalog."""
    if value is None:
        return None
    if value == OWN_LAYERS:
        return OWN_LAYERS
    return model_facts(catalogs, value if isinstance(value, dict) else {"id": value})


def serving_wish(catalogs: Catalogs, workload: Body) -> ServingWish:
    """An inference workload."""
    slots = workload.get("lora_adapters")
    return ServingWish(
        engine=catalogs.engines.pick(workload.get("engine", DEFAULT_ENGINE)),
        engine_version=workload.get("engine_version"),
        context_tokens=workload.get("context_tokens"),
        concurrency=workload.get("concurrency"),
        cache=cache(catalogs, workload.get("kv_cache_precision")),
        max_sequences=workload.get("max_sequences"),
        max_batched_tokens=workload.get("max_batched_tokens"),
        memory_utilization=workload.get("memory_utilization"),
        cuda_graphs=workload.get("cuda_graphs"),
        flash_attention=workload.get("flash_attention"),
        adapters=LoraSlots(count=slots["count"], rank=slots["rank"]) if slots else None,
        draft=draft(catalogs, workload.get("draft_model")),
        allow_context_beyond_limit=workload.get("allow_context_beyond_limit", False),
    )


def lora_wish(catalogs: Catalogs, body: Body | None) -> LoraWish | None:
    """LoRA settings."""
    if body is None:
        return None
    targets, precision = body.get("targets"), body.get("precision")
    return LoraWish(
        rank=body.get("rank"),
        targets=tuple(targets) if targets else None,
        precision=catalogs.precisions.pick(precision) if precision else None,
        dora=body.get("dora"),
        fp32_residual=body.get("fp32_residual"),
    )


def companion_wish(catalogs: Catalogs, body: Body, index: int) -> CompanionWish:
    """A further model on the training cards."""
    facts = model_facts(catalogs, body["model"]) if "model" in body else None
    precision, engine, stored = body.get("precision"), body.get("engine"), body.get("quantization")
    field = f"workload.companions.{index}"
    if stored is not None and facts is None:
        raise InvalidRequest(f"{field}.model", "name the model that is quantized")
    return CompanionWish(
        role=body["role"],
        model=facts,
        precision=catalogs.precisions.pick(precision) if precision else None,
        quantization=one_of(catalogs, facts, stored, f"{field}.quantization")
        if stored is not None and facts
        else None,
        offload=body.get("offload", "none"),
        engine=catalogs.engines.pick(engine) if engine else None,
        context_tokens=body.get("context_tokens"),
        concurrency=body.get("concurrency"),
        tensor=body.get("tensor_parallel"),
        sleeps=body.get("sleeps", False),
    )


def training_wish(catalogs: Catalogs, workload: Body) -> TrainingWish:
    """A training workload."""
    framework, optimizer = workload.get("framework"), workload.get("optimizer")
    plain = (
        "method", "framework_version", "regime", "micro_batch_size", "global_batch_size",
        "sequence_tokens",
        "gradient_accumulation", "activation_checkpointing", "attention", "loss", "sharding",
        "shard_ranks", "offload", "compile", "padding_free", "optimizer_in_backward",
        "pipeline_schedule", "virtual_stages", "allow_context_beyond_limit",
    )  # fmt: skip
    return TrainingWish(
        framework=catalogs.frameworks.pick(framework) if framework else None,
        optimizer=catalogs.optimizers.pick(optimizer) if optimizer else None,
        lora=lora_wish(catalogs, workload.get("lora")),
        companions=tuple(
            companion_wish(catalogs, body, index)
            for index, body in enumerate(workload.get("companions", ()))
        ),
        **{name: workload[name] for name in plain if name in workload},
    )


def wish(catalogs: Catalogs, workload: Body) -> Wish:
    """A workload of either kind."""
    if workload["kind"] == "training":
        return training_wish(catalogs, workload)
    return serving_wish(catalogs, workload)


def split(placement: Body) -> Split:
    """Ranks of a placement; `cards` has to agree with them, and alone means tensor parallel."""
    tensor = placement.get("tensor_parallel")
    pipeline = placement.get("pipeline_parallel", 1)
    data = placement.get("data_parallel", 1)
    context = placement.get("context_parallel", 1)
    cards = placement.get("cards")
    if tensor is None:
        tensor = max(1, (cards or 1) // (pipeline * data * context))
    found = Split(
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        expert=placement.get("expert_parallel", 1),
        context=context,
        expert_tensor=placement.get("expert_tensor_parallel", 0),
    )
    if cards is not None and cards != found.cards:
        raise InvalidRequest(
            "placement.cards",
            f"{cards} cards are not tensor x pipeline x context x data = {found.cards}",
        )
    return found


def serving_split(placement: Body) -> Split:
    """Ranks of a serving replica, whose context is not cut."""
    why = "serving does not cut the context over ranks"
    refuse_unmodelled(placement, {"context_parallel": 1}, why, place="placement")
    why = "serving cuts experts with the tensor-parallel ranks"
    refuse_unmodelled(placement, {"expert_tensor_parallel": None}, why, place="placement")
    return split(placement)


def training_split(placement: Body) -> Split:
    """Ranks of a training run: `cards` without `data_parallel` is filled with data ranks."""
    if "cards" not in placement or "data_parallel" in placement:
        return split({"tensor_parallel": 1, **placement})
    inner = split({"tensor_parallel": 1, **placement, "cards": None})
    data = max(1, placement["cards"] // inner.ranks)
    return split({"tensor_parallel": 1, **placement, "data_parallel": data})


def quantization(catalogs: Catalogs, model: ModelFacts, body: Body) -> Quantization | None:
    """The quantization of a body, where it names one."""
    value = body.get("quantization")
    return None if value is None else one_of(catalogs, model, value, "quantization")


def one_of(catalogs: Catalogs, model: ModelFacts, value: Any, field: str) -> Quantization:
    """A quantization by name or by policy, for a model."""
    return chosen_quantization(
        catalogs.quantizations, catalogs.stock, model.architecture, value, field
    )


def estimate_request(catalogs: Catalogs, body: Body) -> EstimateRequest:
    """An estimate's body."""
    placement = body.get("placement", {})
    training = body["workload"]["kind"] == "training"
    gpu, memory = placement.get("gpu"), placement.get("memory_gib")
    precision, model = body.get("precision"), model_facts(catalogs, body["model"])
    return EstimateRequest(
        model=model,
        precision=catalogs.precisions.pick(precision) if precision else None,
        quantization=quantization(catalogs, model, body),
        workload=with_overrides(wish(catalogs, body["workload"]), body),
        split=training_split(placement) if training else serving_split(placement),
        gpu=one_gpu(catalogs, gpu, "placement.gpu") if gpu else None,
        memory_bytes=bytes_of_gib(memory) if memory else None,
        risk=body.get("risk", "high"),
    )
