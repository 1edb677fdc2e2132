"""The request schemas of the code and of openapi.yaml, field by field."""

from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from service.api import fields as own
from service.api import (
    fleet_schema,
    model,
    observations,
    overrides,
    quantization,
    schemas,
    workload_schema,
)
from tests.support.contract import DOCUMENT, resolved

COMPONENTS: dict[str, type[Schema]] = {
    "EstimateRequest": schemas.EstimateSchema,
    "PlanRequest": schemas.PlanSchema,
    "FleetRequest": fleet_schema.FleetSchema,
    "FleetModel": fleet_schema.FleetModelSchema,
    "FootprintRequest": schemas.FootprintSchema,
    "ModelObject": model.ModelObjectSchema,
    "InferenceWorkload": workload_schema.InferenceSchema,
    "LoraAdapters": workload_schema.LoraAdaptersSchema,
    "TrainingWorkload": workload_schema.TrainingSchema,
    "Lora": workload_schema.LoraSchema,
    "Placement": schemas.PlacementSchema,
    "Choices": schemas.ChoicesSchema,
    "Limits": schemas.LimitsSchema,
    "Pool": schemas.PoolSchema,
    "Companion": workload_schema.CompanionSchema,
    "Costs": schemas.CostsSchema,
    "OwnPrice": schemas.PriceSchema,
    "SpeedTargets": schemas.TargetsSchema,
    "Efficiency": schemas.EfficiencySchema,
    "ObservationRequest": observations.ObservationSchema,
    "Measured": observations.MeasuredSchema,
    "Overrides": overrides.OverridesSchema,
    "StatedRange": overrides.StatedSchema,
    "Policy": quantization.PolicySchema,
}
OWN_FIELDS: dict[type, str] = {
    model.Model: "Model",
    schemas.Workload: "Workload",
    workload_schema.Targets: "Targets",
    own.Count: "Count",
    schemas.Cards: "Cards",
    workload_schema.Draft: "Draft",
    overrides.StatedBytes: "StatedBytes",
    quantization.QuantizationChoice: "QuantizationChoice",
}
COMPARED = (
    "type", "enum", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties",
)  # fmt: skip


def own_field(_: object, field: fields.Field[Any], **__: object) -> dict[str, Any]:
    """apispec knows marshmallow's own fields; ours are the components of these names."""
    if isinstance(field, model.Base64):
        return {"type": "string"}
    target = {"$ref": f"#/components/schemas/{OWN_FIELDS.get(type(field))}"}
    if type(field) not in OWN_FIELDS:
        return {}
    return {"anyOf": [target, {"type": "null"}]} if field.allow_none else target


def code_side() -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=lambda schema: NAMES[type_of(schema)])
    spec = APISpec(title="code", version="0", openapi_version="3.1.0", plugins=[plugin])
    plugin.converter.add_attribute_function(own_field)
    for name, schema in COMPONENTS.items():
        if name not in spec.components.schemas:
            spec.components.schema(name, schema=schema)
    return spec.components.schemas


def type_of(schema: Any) -> type[Schema]:
    return schema if isinstance(schema, type) else type(schema)


NAMES = {schema: name for name, schema in COMPONENTS.items()}
CODE = code_side()


def shape(field: dict[str, Any]) -> dict[str, Any]:
    """What is compared of a field: references by name, types, enumerations and bounds."""
    variants = field.get("oneOf") or field.get("anyOf") or field.get("allOf") or []
    inner = {entry["$ref"] for entry in variants if "$ref" in entry}
    target = field.get("$ref", next(iter(inner), ""))
    if target and "type" in (base := resolved({"$ref": target})) and base["type"] != "object":
        field = {**base, **field}
    elif target:
        nullable = any(entry.get("type") == "null" for entry in variants)
        return {"component": target.rsplit("/", 1)[-1], "nullable": nullable}
    if field.get("type") == "object":  # apispec writes the length of a mapping as of a text
        field = {key.replace("Length", "Properties"): value for key, value in field.items()}
    found = {key: field[key] for key in COMPARED if key in field}
    if isinstance(found.get("type"), list):
        found["type"] = sorted(found["type"])
    if "enum" in found:
        found["enum"] = sorted(map(str, found["enum"]))
    return {**found, "items": shape(field["items"])} if "items" in field else found


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_has_the_fields_of_its_schema(name: str) -> None:
    promised, code = DOCUMENT["components"]["schemas"][name], CODE[name]
    assert set(promised["properties"]) == set(code["properties"])
    assert sorted(promised.get("required", [])) == sorted(code.get("required", []))
    assert promised["additionalProperties"] is code["additionalProperties"] is False


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in COMPONENTS for field in CODE[name]["properties"]]
)
def test_a_field_has_the_type_and_bounds_of_its_schema(name: str, field: str) -> None:
    promised = DOCUMENT["components"]["schemas"][name]["properties"][field]
    assert shape(promised) == shape(CODE[name]["properties"][field])
