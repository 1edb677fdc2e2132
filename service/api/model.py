"""A model in a body: a name, or an object with its config, its size or the header of its files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.api.fields import Count, Strict, Text, Word
from service.catalog.families import architecture
from service.catalog.files.gguf_config import GgufTable
from service.catalog.files.models import gguf_model, safetensors_model
from service.catalog.formats import Formats
from service.catalog.models import ModelEntry, entry_architecture
from service.catalog.shelf import Shelf
from service.domain.requests import Stock
from service.domain.results import ModelFacts
from service.domain.typical import typical

MAX_HEADER_BYTES = 16_000_000
HEADERS = ("safetensors_index", "gguf_header")
SOURCES = ("id", "config", "parameters", *HEADERS)


class Base64(fields.Field[Any]):
    """Bytes in base64, of bounded size."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bytes:
        del attr, data, kwargs
        if not isinstance(value, str):
            raise ValidationError("Text in base64.")
        if len(value) > MAX_HEADER_BYTES * 4 // 3 + 4:
            raise ValidationError(f"At most {MAX_HEADER_BYTES} bytes before base64.")
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValidationError("Not base64.") from error


class ModelObjectSchema(Strict):
    """A model that is not just named."""

    id = Text()
    config = fields.Dict(keys=fields.String())
    name = Text()
    parameters = Count()
    safetensors_index = fields.Dict(keys=fields.String())
    gguf_header = Base64()
    assume_architecture = Word("decoder")

    @validates_schema
    def one_source(self, data: dict[str, Any], **_: Any) -> None:
        """Exactly one source; a config may stand beside a header."""
        given = [key for key in SOURCES if key in data]
        beside = len(given) == 2 and "config" in given and bool(set(given) & set(HEADERS))  # ruff: ignore[magic-value-comparison] - a header and its config
        if len(given) != 1 and not beside:
            raise ValidationError(
                'Give exactly one of "id", "config", "parameters", "safetensors_index" and '
                '"gguf_header"; a config may stand beside the last two.'
            )
        if "assume_architecture" in data and given != ["config"]:
            raise ValidationError("Stands beside a config alone.", "assume_architecture")


MODEL = ModelObjectSchema()


class Model(fields.Field[Any]):
    """A model: a name, or an object with its id, its config, its size or a header."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if isinstance(value, str):
            return MODEL.load({"id": value})
        if isinstance(value, dict):
            return MODEL.load(value)
        raise ValidationError(
            "A model's name, or an object with its id, config, parameters or a file's header."
        )


def model_of(
    body: Mapping[str, Any],
    models: Shelf[ModelEntry],
    formats: Formats,
    stock: Stock,
    table: GgufTable,
) -> ModelFacts:
    """A model from whatever a body gives.

    Raises: UnknownName and InvalidRequest naming the field.
    """
    config, name = body.get("config"), body.get("name")
    if "gguf_header" in body:
        name = name or "posted GGUF header"
        model = gguf_model(body["gguf_header"], config, name, formats, table)
        return ModelFacts(architecture=model, source="header", name=name)
    if "safetensors_index" in body:
        name = name or "posted safetensors header"
        model = safetensors_model(body["safetensors_index"], config, name, formats, stock)
        return ModelFacts(architecture=model, source="header", name=name)
    if config is not None:
        name = name or "posted config"
        model = architecture(config, name, assume_decoder="assume_architecture" in body)
        return ModelFacts(architecture=model, source="config", name=name)
    if "parameters" in body:
        name = name or f"{body['parameters']} parameters"
        model = typical(body["parameters"], name)
        return ModelFacts(architecture=model, source="parameters", name=name)
    entry = models.pick(body["id"])
    return ModelFacts(
        architecture=entry_architecture(entry), source=entry.origin, name=entry.hub_id
    )
