"""What a fleet's request may say."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from service.api.fields import Flag, Strict, Text, Whole, Word
from service.api.model import Model
from service.api.quantization import QuantizationChoice
from service.api.schemas import (
    MAX_ROWS,
    ChoicesSchema,
    PoolSchema,
    TargetsSchema,
)
from service.api.workload_schema import Workload
from service.domain.fleet import MOST_UNITS

MOST_MODELS = 32


class FleetModelSchema(Strict):
    """One model of a fleet: a plan without cards, and how many replicas of it."""

    name = Text(required=True)
    replicas = Whole(1, MOST_UNITS)
    model = Model(required=True)
    workload = Workload(required=True)
    precision = Text()
    quantization = QuantizationChoice()
    choices = fields.Nested(ChoicesSchema)
    max_quality_loss = Word("none", "minimal", "low", "medium", "high")
    targets = fields.Nested(TargetsSchema)
    objective = Word(
        "fewest-cards", "lowest-cost", "lowest-power", "highest-quality", "least-memory"
    )
    risk = Word("high", "expected")


class FleetSchema(Strict):
    """Several models on one pool of cards."""

    models = fields.List(
        fields.Nested(FleetModelSchema),
        required=True,
        validate=validate.Length(min=1, max=MOST_MODELS),
    )
    inventory = fields.List(
        fields.Nested(PoolSchema), validate=validate.Length(min=1, max=MAX_ROWS)
    )
    gpu = Text()
    share_cards = Flag()
    catalog_version = Text()

    @validates_schema
    def has_cards(self, data: dict[str, Any], **_: Any) -> None:
        """Either an inventory or one kind of card."""
        if ("inventory" in data) == ("gpu" in data):
            raise ValidationError(
                "Give inventory (what is there) or gpu (the fewest nodes of it).", "inventory"
            )

    @validates_schema
    def names_differ(self, data: dict[str, Any], **_: Any) -> None:
        """Every model has a name of its own."""
        listed = [entry["name"] for entry in data["models"]]
        for index, name in enumerate(listed):
            if name in listed[:index]:
                raise ValidationError({
                    "models": {index: {"name": ["Names differ; use replicas."]}}
                })


FLEET = FleetSchema()
