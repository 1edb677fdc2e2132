"""Measured terms in a request: the schema, and the domain's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.api.fields import Strict, Whole
from service.domain.errors import InvalidRequest
from service.domain.overrides import OVERRIDABLE, Overrides, Stated
from service.domain.requests import ServingWish, Wish
from service.domain.serving_terms import unplaced

MAX_BYTES = 1 << 50


class StatedSchema(Strict):
    """Bytes with their range."""

    low = Whole(0, MAX_BYTES, required=True)
    expected = Whole(0, MAX_BYTES, required=True)
    high = Whole(0, MAX_BYTES, required=True)

    @validates_schema
    def rises(self, data: dict[str, Any], **_: Any) -> None:
        """Low <= expected <= high."""
        if not data["low"] <= data["expected"] <= data["high"]:
            raise ValidationError("low <= expected <= high.")


STATED = StatedSchema()


class StatedBytes(fields.Field[Any]):
    """Whole bytes, or an object with low, expected and high."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, int]:
        del attr, data, kwargs
        if isinstance(value, int) and not isinstance(value, bool):
            value = {"low": value, "expected": value, "high": value}
        if not isinstance(value, dict):
            raise ValidationError("Whole bytes, or an object with low, expected and high.")
        loaded: dict[str, int] = STATED.load(value)
        return loaded


class OverridesSchema(Strict):
    """Terms that the caller has measured."""

    weights_bytes = StatedBytes()
    activations_bytes = StatedBytes()
    cuda_graphs_bytes = StatedBytes()
    communication_bytes = StatedBytes()
    runtime_bytes = StatedBytes()
    kv_bytes_per_token = StatedBytes()


def with_overrides(wish: Wish, body: Mapping[str, Any]) -> Wish:
    """A workload with the body's measured terms.

    Raises: InvalidRequest for training, and for a term that the engine does not have.
    """
    rows: Mapping[str, dict[str, int]] = body.get("overrides", {})
    if not rows:
        return wish
    if not isinstance(wish, ServingWish):
        raise InvalidRequest("overrides", "measured terms replace those of inference alone")
    found = {term: Stated(**rows[key]) for term, key in OVERRIDABLE.items() if key in rows}
    overrides = Overrides(**found)
    absent = unplaced(wish.engine, overrides)
    if wish.cuda_graphs is False and overrides.cuda_graphs is not None:
        absent = (*absent, "cuda_graphs")
    for term in absent:
        raise InvalidRequest(
            f"overrides.{OVERRIDABLE[term]}", f"{wish.engine.name} holds no {term} here"
        )
    return replace(wish, overrides=overrides)


def refuse_open_format(body: Mapping[str, Any]) -> None:
    """Refuse measured weights or caches in a plan that leaves open how those are stored."""
    choices, stated = body.get("choices", {}), body.get("overrides", {})
    if len(choices.get("kv_cache_precisions", ())) > 1 and "kv_bytes_per_token" in stated:
        raise InvalidRequest(
            "overrides.kv_bytes_per_token", "a measured cache is of one type; state only that type"
        )
    formats = choices.get("quantizations", ())
    if "weights_bytes" in stated and "quantization" not in body and len(formats) != 1:
        raise InvalidRequest(
            "overrides.weights_bytes",
            "measured weights belong to one format; state the quantization (none for plain values)",
        )
