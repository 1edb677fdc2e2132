"""A quantization in a body: a name, or a name with what of it is stored otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from service.api.fields import MAX_TEXT, Strict, Text
from service.catalog.shelf import Shelf
from service.domain.architecture import Architecture
from service.domain.policies import refuse_unknown_word, with_policy
from service.domain.precision import Quantization
from service.domain.requests import Stock
from service.domain.resolving import meant

MAX_WORDS = 64


class PolicySchema(Strict):
    """A known quantization, and which kinds or tensors are kept or stored in another one."""

    base = Text(required=True)
    keep = fields.List(Text(), validate=validate.Length(min=1, max=MAX_WORDS))
    formats = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1, max=MAX_TEXT)),
        values=Text(),
        validate=validate.Length(min=1, max=MAX_WORDS),
    )

    @validates_schema
    def says_something(self, data: dict[str, Any], **_: Any) -> None:
        """At least one of keep and formats."""
        if not {"keep", "formats"} & set(data):
            raise ValidationError('Give "keep", "formats" or both, or the name alone.')


POLICY = PolicySchema()


class QuantizationChoice(fields.Field[Any]):
    """A quantization's name, or an object with a base and what differs from it."""

    _text = Text()

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            return POLICY.load(value)
        if isinstance(value, str):
            return self._text.deserialize(value, attr, data, **kwargs)
        raise ValidationError('A name, or {"base": "awq-int4", "keep": ["lm_head"]}.')


def chosen_quantization(
    shelf: Shelf[Quantization], stock: Stock, model: Architecture, value: Any, field: str
) -> Quantization:
    """The quantization that a body names or describes, for a model.

    Raises: UnknownName, and InvalidRequest for words that name no tensor.
    """
    if isinstance(value, str):
        return shelf.pick(value)
    keep = tuple(dict.fromkeys(value.get("keep", ())))
    formats: Mapping[str, str] = value.get("formats", {})
    for index, word in enumerate(keep):
        refuse_unknown_word(model, word, f"{field}.keep.{index}")
    for word in formats:
        refuse_unknown_word(model, word, f"{field}.formats.{word}")
    base = meant(shelf.pick(value["base"]), model, stock)
    return with_policy(base, keep, tuple((word, shelf.pick(n)) for word, n in formats.items()))
