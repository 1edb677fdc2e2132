"""What a request may say of its work: to serve, or to train with companions beside."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.fields import MAX_TEXT, Flag, Number, Strict, Text, Whole, Word
from service.api.model import Model
from service.api.quantization import QuantizationChoice

MAX_TOKENS = 1 << 31
MAX_SEQUENCES = 1_000_000
MAX_CARDS = 65_536
MAX_LIST = 300
MAX_COMPANIONS = 8
METHODS = ("full", "lora", "qlora")
CHECKPOINTING = ("none", "selective", "full", "offloaded")
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
