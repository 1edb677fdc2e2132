"""What a request may say: one schema a body, unknown fields refused with the nearest name."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.fields import Flag, Number, Strict, Text, Whole, Word
from service.api.model import Model
from service.api.quantization import QuantizationChoice

MAX_TOKENS = 1 << 31
MAX_SEQUENCES = 1_000_000
MAX_CARDS = 65_536
MAX_LIST = 300
MAX_CHOICES = 16
MAX_COMPANIONS = 8
MAX_GIB = 1_000_000
METHODS = ("full", "lora", "qlora")
CHECKPOINTING = ("none", "selective", "full")
SHARDING = ("none", "ddp", "zero-1", "zero-2", "zero-3", "fsdp", "fsdp-no-reshard")
OFFLOAD = ("none", "optimizer", "all")


class LoraAdaptersSchema(Strict):
    """Adapters that a server keeps loaded."""

    count = Whole(1, 10_000, required=True)
    rank = Whole(1, 4096, required=True)


class InferenceSchema(Strict):
    """An inference workload."""

    kind = Word("inference", required=True)
    engine = Text()
    engine_version = Text(allow_none=True)
    context_tokens = Whole(1, MAX_TOKENS)
    concurrency = Whole(1, MAX_SEQUENCES)
    kv_cache_precision = Text()
    max_sequences = Whole(1, MAX_SEQUENCES, allow_none=True)
    max_batched_tokens = Whole(1, MAX_TOKENS, allow_none=True)
    memory_utilization = Number(0.01, 1.0, allow_none=True)
    cuda_graphs = Flag(allow_none=True)
    flash_attention = Flag(allow_none=True)
    lora_adapters = fields.Nested(LoraAdaptersSchema, allow_none=True)
    draft_model = fields.Raw(allow_none=True)
    allow_context_beyond_limit = Flag()


class LoraSchema(Strict):
    """Adapters that are trained."""

    rank = Whole(1, 65_536)
    targets = fields.Raw()
    precision = Text()
    dora = Flag()
    fp32_residual = Flag()

    @validates_schema
    def targets_are_names(self, data: dict[str, Any], **_: Any) -> None:
        """A name, several separated by commas, or a list of names."""
        value = data.get("targets")
        if value is None:
            return
        names = value.split(",") if isinstance(value, str) else value
        good = isinstance(names, list) and 0 < len(names) <= MAX_LIST
        if not good or not all(isinstance(n, str) and 0 < len(n) <= MAX_LIST for n in names):
            raise ValidationError('"all-linear", "attention", "q,v" or module names.', "targets")


class CompanionSchema(Strict):
    """A further model on the training cards; `model` defaults to the trained one."""

    role = Word("reference", "critic", "reward", "teacher", "rollout", required=True)
    model = Model()
    precision = Text()
    quantization = QuantizationChoice()
    offload = Word("none", "all")
    engine = Text()
    context_tokens = Whole(1, MAX_TOKENS)
    concurrency = Whole(1, MAX_SEQUENCES)
    tensor_parallel = Whole(1, 1024)
    sleeps = Flag()

    @validates_schema
    def only_rollouts_serve(self, data: dict[str, Any], **_: Any) -> None:
        """Fields of an engine belong to the role that generates."""
        if data.get("role") == "rollout":
            return
        for name in ("engine", "context_tokens", "concurrency", "tensor_parallel", "sleeps"):
            if name in data:
                raise ValidationError('Only for "role": "rollout".', name)


class TrainingSchema(Strict):
    """A training workload."""

    kind = Word("training", required=True)
    method = Word(*METHODS)
    framework = Text()
    framework_version = Text(allow_none=True)
    regime = Word("fp32", "amp", "pure-16bit", "fp32-master", "fp8")
    optimizer = Text()
    micro_batch_size = Whole(1, MAX_SEQUENCES)
    global_batch_size = Whole(1, MAX_SEQUENCES)
    sequence_tokens = Whole(1, MAX_TOKENS)
    gradient_accumulation = Whole(1, MAX_SEQUENCES)
    activation_checkpointing = Word(*CHECKPOINTING)
    attention = Word("flash", "eager")
    loss = Word("eager", "compiled", "chunked", "fused-logits", "fused")
    padding_free = Flag()
    compile = Flag()
    sharding = Word(*SHARDING)
    shard_ranks = Whole(1, MAX_CARDS)
    offload = Word(*OFFLOAD)
    optimizer_in_backward = Flag()
    lora = fields.Nested(LoraSchema)
    pipeline_schedule = Word("1f1b", "interleaved")
    virtual_stages = Whole(1, 1024)
    companions = fields.List(
        fields.Nested(CompanionSchema), validate=validate.Length(min=1, max=MAX_COMPANIONS)
    )
    allow_context_beyond_limit = Flag()


WORKLOADS: dict[str, Schema] = {"inference": InferenceSchema(), "training": TrainingSchema()}


class Workload(fields.Field[Any]):
    """A workload by its `kind`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if not isinstance(value, dict):
            raise ValidationError("Not an object.")
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in WORKLOADS:
            raise ValidationError({"kind": ['One of "inference", "training".']})
        return WORKLOADS[kind].load(value)


class PlacementSchema(Strict):
    """Where a model is put."""

    gpu = Text(allow_none=True)
    cards = Whole(1, MAX_CARDS)
    tensor_parallel = Whole(1, MAX_CARDS)
    pipeline_parallel = Whole(1, MAX_CARDS)
    data_parallel = Whole(1, MAX_CARDS)
    expert_parallel = Whole(1, MAX_CARDS)
    context_parallel = Whole(1, MAX_CARDS)
    expert_tensor_parallel = Whole(1, MAX_CARDS)
    memory_gib = Number(0.1, MAX_GIB, allow_none=True)


class FootprintSchema(Strict):
    """A table of sizes by precision."""

    model = Model(required=True)
    precisions = fields.List(Text(), validate=validate.Length(min=1, max=20))
    catalog_version = Text()


class EstimateSchema(Strict):
    """Memory of one placement."""

    model = Model(required=True)
    workload = Workload(required=True)
    precision = Text()
    quantization = QuantizationChoice()
    placement = fields.Nested(PlacementSchema)
    risk = Word("high", "expected")
    catalog_version = Text()


def names(**kwargs: Any) -> fields.List[Any]:
    """A list of names."""
    return fields.List(Text(), validate=validate.Length(min=1, max=MAX_LIST), **kwargs)


def degrees() -> fields.List[Any]:
    """A list of parallel degrees."""
    return fields.List(Whole(1, 1024), validate=validate.Length(min=1, max=16))


def words(*allowed: str) -> fields.List[Any]:
    """A list of different words."""
    return fields.List(Word(*allowed), validate=validate.Length(min=1, max=len(allowed)))


class ChoicesSchema(Strict):
    """What a plan may vary."""

    gpus = fields.Raw()
    quantizations = fields.List(QuantizationChoice(), validate=validate.Length(min=1, max=MAX_LIST))
    kv_cache_precisions = names()
    tensor_parallel = degrees()
    pipeline_parallel = degrees()
    expert_parallel = degrees()
    methods = words(*METHODS)
    activation_checkpointing = words(*CHECKPOINTING)
    sharding = words(*SHARDING)
    offload = words(*OFFLOAD)
    micro_batch_size = fields.List(
        Whole(1, MAX_SEQUENCES), validate=validate.Length(min=1, max=MAX_CHOICES)
    )

    @validates_schema
    def gpus_are_named(self, data: dict[str, Any], **_: Any) -> None:
        """A list of names, or an object with a vendor."""
        value = data.get("gpus", [" "])
        vendor = isinstance(value, dict) and set(value) == {"vendor"}
        if vendor and isinstance(value["vendor"], str):
            return
        listed = isinstance(value, list) and 0 < len(value) <= MAX_LIST
        if not listed or not all(isinstance(n, str) and n for n in value):
            raise ValidationError('A list of names, or {"vendor": "nvidia"}.', "gpus")


class LimitsSchema(Strict):
    """Bounds that every option keeps."""

    max_cards = Whole(1, 1024, allow_none=True)
    max_cards_per_node = Whole(1, 1024, allow_none=True)
    max_nodes = Whole(1, 1024, allow_none=True)
    max_quality_loss = Word("none", "minimal", "low", "medium", "high", allow_none=True)
    min_headroom = Number(0.0, 0.95)
    max_hourly_usd = Number(0.0, 1e9, allow_none=True)
    max_power_watts = Number(0.0, 1e9, allow_none=True)


class PoolSchema(Strict):
    """Cards that are really there."""

    gpu = Text(required=True)
    nodes = Whole(1, MAX_CARDS, required=True)
    cards_per_node = Whole(1, 1024, required=True)
    free_memory_gib = Number(0.1, MAX_GIB, allow_none=True)


class EfficiencySchema(Strict):
    """Shares of a card's data-sheet rates that an engine reaches."""

    bandwidth = Number(0.01, 1.0, required=True)
    compute = Number(0.01, 1.0, required=True)
    interconnect = Number(0.01, 1.0, required=True)


class TargetsSchema(Strict):
    """Speed that a plan has to allow."""

    tokens_per_second_per_user = Number(0.0, 1e9)
    requests_per_second = Number(0.0, 1e9)
    first_token_ms = Number(0.0, 1e9)
    prompt_tokens = Whole(1, MAX_TOKENS)
    output_tokens = Whole(1, MAX_TOKENS)
    efficiency = fields.Nested(EfficiencySchema)


class CostsSchema(Strict):
    """What money is worked out with."""

    utilization = Number(0.0, 1.0)
    pue = Number(1.0, 10.0)
    usd_per_kwh = Number(0.0, 100.0)


class PriceSchema(Strict):
    """A caller's own prices of one card."""

    hourly_usd = Number(0.0, 1e6)
    purchase_usd = Number(0.0, 1e8)

    @validates_schema
    def says_something(self, data: dict[str, Any], **_: Any) -> None:
        """At least one of both."""
        if not data:
            raise ValidationError("hourly_usd, purchase_usd or both.")


class PlanSchema(Strict):
    """The smallest combination that fits."""

    model = Model(required=True)
    workload = Workload(required=True)
    precision = Text()
    quantization = QuantizationChoice()
    choices = fields.Nested(ChoicesSchema)
    limits = fields.Nested(LimitsSchema)
    targets = fields.Nested(TargetsSchema)
    costs = fields.Nested(CostsSchema)
    price_overrides = fields.Dict(
        keys=Text(), values=fields.Nested(PriceSchema), validate=validate.Length(max=MAX_LIST)
    )
    inventory = fields.List(fields.Nested(PoolSchema), validate=validate.Length(min=1, max=64))
    objective = Word(
        "fewest-cards", "lowest-cost", "lowest-power", "highest-quality", "least-memory"
    )
    risk = Word("high", "expected")
    limit = Whole(0, 100)
    explain = Flag()
    catalog_version = Text()


ESTIMATE, PLAN, FOOTPRINT = EstimateSchema(), PlanSchema(), FootprintSchema()
