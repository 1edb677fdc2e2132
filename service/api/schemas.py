"""What a request may say: one schema a body, unknown fields refused with the nearest name."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.fields import MAX_TEXT, Flag, Number, Strict, Text, Whole, Word
from service.api.model import Model
from service.api.overrides import OverridesSchema
from service.api.quantization import QuantizationChoice

MAX_TOKENS = 1 << 31
MAX_SEQUENCES = 1_000_000
MAX_CARDS = 65_536
MAX_LIST = 300
MAX_ROWS = 128
MAX_CHOICES = 16
MAX_COMPANIONS = 8
MAX_GIB = 1_000_000
METHODS = ("full", "lora", "qlora")
CHECKPOINTING = ("none", "selective", "full")
SHARDING = ("none", "ddp", "zero-1", "zero-2", "zero-3", "fsdp", "fsdp-no-reshard")
OFFLOAD = ("none", "optimizer", "all")


def is_list_of_names(value: Any) -> bool:
    """Whether a value is a list of short texts, not empty and not too long."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_LIST
        and all(isinstance(name, str) and 0 < len(name) <= MAX_TEXT for name in value)
    )


class LoraAdaptersSchema(Strict):
    """Adapters that a server keeps loaded."""

    count = Whole(1, 10_000, required=True)
    rank = Whole(1, 4096, required=True)


class Draft(fields.Field[Any]):
    """What drafts tokens: "mtp" for the model's own layers, a model's name, or {"id": name}."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        name = value["id"] if isinstance(value, dict) and set(value) == {"id"} else value
        if not is_list_of_names([name]):
            raise ValidationError('"mtp", a model\'s name, or {"id": its name}.')
        return value


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
    draft_model = Draft(allow_none=True)
    allow_context_beyond_limit = Flag()


class Targets(fields.Field[Any]):
    """Modules that get adapters: a name, several separated by commas, or a list of names."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[str]:
        del attr, data, kwargs
        found = value.split(",") if isinstance(value, str) else value
        if not is_list_of_names(found):
            raise ValidationError('"all-linear", "attention", "q,v" or a list of module names.')
        return [name.strip() for name in found]


class LoraSchema(Strict):
    """Adapters that are trained."""

    rank = Whole(1, 65_536)
    targets = Targets()
    precision = Text()
    dora = Flag()
    fp32_residual = Flag()


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
    overrides = fields.Nested(OverridesSchema)
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


class Cards(fields.Field[Any]):
    """Cards that a plan may use: a list of names, or an object with a vendor."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        vendor = isinstance(value, dict) and set(value) == {"vendor"}
        if vendor and is_list_of_names([value["vendor"]]):
            return value
        if not is_list_of_names(value):
            raise ValidationError('A list of names, or {"vendor": "nvidia"}.')
        return value


class ChoicesSchema(Strict):
    """What a plan may vary."""

    gpus = Cards()
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
    name = Text()
    node_names = names()

    @validates_schema
    def names_every_node(self, data: dict[str, Any], **_: Any) -> None:
        """As many different names as nodes."""
        listed = data.get("node_names")
        if listed is None:
            return
        if "name" in data:
            raise ValidationError("Give name or node_names, not both.", "node_names")
        if len(listed) != data["nodes"] or len(set(listed)) != len(listed):
            raise ValidationError(f"{data['nodes']} different names, one a node.", "node_names")


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
    overrides = fields.Nested(OverridesSchema)
    targets = fields.Nested(TargetsSchema)
    costs = fields.Nested(CostsSchema)
    price_overrides = fields.Dict(
        keys=Text(), values=fields.Nested(PriceSchema), validate=validate.Length(max=MAX_LIST)
    )
    inventory = fields.List(
        fields.Nested(PoolSchema), validate=validate.Length(min=1, max=MAX_ROWS)
    )
    allow_mixed = Flag()
    objective = Word(
        "fewest-cards", "lowest-cost", "lowest-power", "highest-quality", "least-memory"
    )
    risk = Word("high", "expected")
    limit = Whole(0, 100)
    explain = Flag()
    catalog_version = Text()


ESTIMATE, PLAN, FOOTPRINT = EstimateSchema(), PlanSchema(), FootprintSchema()
