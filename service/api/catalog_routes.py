"""Views of the catalogs: lists with filters, and single entries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema

from service.api.answers import catalogs, json_answer, refuse_parameters
from service.api.filters import ENGINES, GPUS, MODELS, OPTIMIZERS, QUANTIZATIONS, filter_places
from service.api.flat import flat_body
from service.catalog.models import ModelEntry, entry_architecture
from service.domain.units import bytes_of_gib
from service.presentation.catalogs import (
    engine_view,
    gpu_view,
    model_view,
    optimizer_view,
    quantization_view,
)

BLUEPRINT = Blueprint("catalogs", __name__)
View = Mapping[str, Any]
Test = Callable[[View, Any], bool]


def has_words(view: View, words: str) -> bool:
    """Whether id, name and aliases hold every word, in any order."""
    named = [view["id"], view.get("name"), view.get("hub_id"), view.get("aliases")]
    text = json.dumps(named, ensure_ascii=False).lower()
    return all(word in text for word in words.lower().split())


def equals(field: str) -> Test:
    """Whether a field has a value, whatever its case."""
    return lambda view, wanted: str(view.get(field, "")).lower() == wanted.lower()


def computes(view: View, wanted: str) -> bool:
    """Whether a card has a number format in hardware."""
    return wanted.lower() in view["native_formats"]


def runs(view: View, wanted: str) -> bool:
    """Whether an engine runs a kernel family on any hardware."""
    row = view["runs"].get(wanted.lower(), {})
    return any(support["path"] for support in row.values())


TESTS: Mapping[str, Test] = {
    "q": has_words,
    "vendor": equals("vendor"),
    "architecture": equals("architecture"),
    "availability": equals("availability"),
    "family": equals("architecture"),
    "kernel": equals("kernel"),
    "native_format": computes,
    "runs": runs,
    "min_memory_gib": lambda view, gib: int(view["memory_bytes"]) >= bytes_of_gib(gib),
    "max_memory_gib": lambda view, gib: int(view["memory_bytes"]) <= bytes_of_gib(gib),
    "mig": lambda view, wanted: ("mig" in view) is wanted,
    "max_quality_rank": lambda view, rank: int(view["quality"]["rank"]) <= rank,
    "min_parameters": lambda view, count: int(view["parameters"]) >= count,
    "max_parameters": lambda view, count: int(view["parameters"]) <= count,
}


def listing(schema: Schema, views: Iterable[View]) -> Response:
    """The entries that pass every filter of the query string."""
    wanted = schema.load(flat_body(request.args, filter_places(schema)))
    found = [view for view in views if all(TESTS[k](view, v) for k, v in wanted.items())]
    return json_answer({"count": len(found), "items": found})


def entry(view: View) -> Response:
    """One entry."""
    refuse_parameters()
    return json_answer(view)


@BLUEPRINT.get("/v1/gpus")
def get_gpus() -> Response:
    """Cards."""
    return listing(GPUS, map(gpu_view, catalogs().gpus.cards))


@BLUEPRINT.get("/v1/gpus/<path:name>")
def get_gpu(name: str) -> Response:
    """One card, or the cards of a group."""
    found = [gpu_view(gpu) for gpu in catalogs().gpus.pick(name)]
    return entry(found[0] if len(found) == 1 else {"group": name.lower(), "items": found})


def model_row(found: ModelEntry) -> dict[str, Any]:
    """A model of the list: what names it, its size and where its facts are from."""
    shape = entry_architecture(found)
    return {
        "id": found.id,
        "name": found.hub_id,
        "aliases": list(found.aliases),
        "architecture": shape.family,
        "parameters": shape.parameters,
        "active_parameters": shape.active_parameters,
        "source": found.source,
    }


@BLUEPRINT.get("/v1/models")
def get_models() -> Response:
    """Models, without their bills."""
    return listing(MODELS, map(model_row, catalogs().models))


@BLUEPRINT.get("/v1/models/<path:name>")
def get_model(name: str) -> Response:
    """One model with its bill of tensors by kind."""
    found = catalogs().models.pick(name)
    return entry({**model_view(entry_architecture(found)), **model_row(found)})


@BLUEPRINT.get("/v1/quantizations")
def get_quantizations() -> Response:
    """Quantizations."""
    return listing(QUANTIZATIONS, map(quantization_view, catalogs().quantizations))


@BLUEPRINT.get("/v1/quantizations/<path:name>")
def get_quantization(name: str) -> Response:
    """One quantization with its bits by kind of tensor."""
    return entry(quantization_view(catalogs().quantizations.pick(name)))


@BLUEPRINT.get("/v1/engines")
def get_engines() -> Response:
    """Engines with what they run."""
    return listing(ENGINES, map(engine_view, catalogs().engines))


@BLUEPRINT.get("/v1/engines/<path:name>")
def get_engine(name: str) -> Response:
    """One engine."""
    return entry(engine_view(catalogs().engines.pick(name)))


@BLUEPRINT.get("/v1/optimizers")
def get_optimizers() -> Response:
    """Optimizers."""
    return listing(OPTIMIZERS, map(optimizer_view, catalogs().optimizers))


@BLUEPRINT.get("/v1/optimizers/<path:name>")
def get_optimizer(name: str) -> Response:
    """One optimizer with the states that it keeps."""
    return entry(optimizer_view(catalogs().optimizers.pick(name)))
