"""Filters of the catalog lists: one schema a list, read from flat query parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args, get_type_hints

from marshmallow import Schema

from service.api.fields import Count, Flag, Number, Strict, Text, Whole, Word
from service.api.flat import Place, Reader, flag, number, whole, word
from service.api.schemas import MAX_GIB
from service.domain.hardware import Gpu

AVAILABILITIES = get_args(get_type_hints(Gpu)["availability"])


class SearchSchema(Strict):
    """Words that id, name or aliases hold."""

    q = Text()


class GpuFilterSchema(SearchSchema):
    """Cards."""

    vendor = Text()
    architecture = Text()
    availability = Word(*AVAILABILITIES)
    native_format = Text()
    min_memory_gib = Number(0, MAX_GIB)
    max_memory_gib = Number(0, MAX_GIB)
    mig = Flag()


class ModelFilterSchema(SearchSchema):
    """Models."""

    family = Text()
    min_parameters = Count()
    max_parameters = Count()


class QuantizationFilterSchema(SearchSchema):
    """Quantizations."""

    kernel = Text()
    max_quality_rank = Whole(0, 8)


class EngineFilterSchema(SearchSchema):
    """Engines."""

    runs = Text()


READERS: Mapping[type, Reader] = {Flag: flag, Number: number, Whole: whole}
GPUS, MODELS, OPTIMIZERS = GpuFilterSchema(), ModelFilterSchema(), SearchSchema()
QUANTIZATIONS, ENGINES = QuantizationFilterSchema(), EngineFilterSchema()


def filter_places(schema: Schema) -> dict[str, Place]:
    """Where each filter goes and how its text is read."""
    return {
        name: ((name,), READERS.get(type(field), word)) for name, field in schema.fields.items()
    }
