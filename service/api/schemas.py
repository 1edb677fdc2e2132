"""What a request may say: one schema a body, unknown fields refused with the nearest name."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from service.api.fields import Flag, Number, Strict, Text, Whole, Word
from service.api.model import Model
from service.api.overrides import OverridesSchema
from service.api.quantization import QuantizationChoice
from service.api.workload_schema import (
    CHECKPOINTING,
    MAX_CARDS,
    MAX_LIST,
    MAX_SEQUENCES,
    MAX_TOKENS,
    METHODS,
    OFFLOAD,
    SHARDING,
    Workload,
    is_list_of_names,
)

MAX_ROWS = 128
MAX_CHOICES = 16
MAX_GIB = 1_000_000


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
