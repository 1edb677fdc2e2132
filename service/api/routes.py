"""Views: read a request, ask the domain, render the answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import NotAcceptable

from service.api.body import json_body
from service.api.build import Catalogs, estimate_request, model_facts
from service.api.errors import CatalogMoved
from service.api.flat import ESTIMATE_PLACES, PLAN_PLACES, Place, flat_body
from service.api.plan_build import plan_request
from service.api.schemas import ESTIMATE, FOOTPRINT, PLAN
from service.domain.estimate import estimate
from service.domain.footprint import footprints
from service.domain.planner import plan
from service.presentation.catalogs import (
    engine_view,
    gpu_view,
    model_view,
    optimizer_view,
    quantization_view,
)
from service.presentation.estimates import estimate_report
from service.presentation.plans import plan_report
from service.presentation.rendering import RENDERERS, Report, json_text

BLUEPRINT = Blueprint("v1", __name__)
FOOTPRINT_PRECISIONS = ("float32", "float16", "int8", "int4")


def catalogs() -> Catalogs:
    """The catalogs in use."""
    found: Catalogs = current_app.extensions["catalogs"]
    return found


def posted(schema: Schema) -> dict[str, Any]:
    """A validated JSON body."""
    return validated(schema, json_body(request))


def queried(schema: Schema, places: Mapping[str, Place]) -> dict[str, Any]:
    """A validated query string."""
    return validated(schema, flat_body(request.args, places))


def validated(schema: Schema, body: Any) -> dict[str, Any]:
    """A body that its schema accepts, pinned to the catalog in use."""
    if not isinstance(body, dict):
        raise ValidationError("Not an object.")
    loaded: dict[str, Any] = schema.load(body)
    pinned, current = loaded.get("catalog_version"), catalogs().version
    if pinned is not None and pinned != current:
        raise CatalogMoved(pinned, current)
    return loaded


def versions() -> dict[str, str]:
    """What produced an answer."""
    return {
        "service_version": current_app.config["SERVICE_VERSION"],
        "catalog_version": catalogs().version,
    }


def rendered(report: Report) -> Response:
    """A report in the form that the caller accepts."""
    accepted = request.accept_mimetypes
    kind = accepted.best_match(list(RENDERERS)) if accepted else next(iter(RENDERERS))
    if kind is None:
        raise NotAcceptable(f"one of {', '.join(RENDERERS)}")
    return tagged(RENDERERS[kind](report), kind)


def tagged(text: str, kind: str) -> Response:
    """An answer with its ETag, and 304 where the caller has it already."""
    answer = Response(text, content_type=f"{kind}; charset=utf-8")
    answer.set_etag(hashlib.blake2b(text.encode(), digest_size=16).hexdigest())
    answer.headers["Vary"] = "Accept"
    answer.headers["Cache-Control"] = "private, max-age=60"
    if request.method in {"GET", "HEAD"}:
        answer.make_conditional(request)
    return answer


def listing(entries: list[dict[str, Any]]) -> Response:
    """A catalog as JSON, filtered by `q`."""
    for name in request.args:
        if name not in {"q", "vendor"}:
            raise ValidationError({name[:100]: ["Unknown parameter. Known: q, vendor."]})
    wanted, vendor = request.args.get("q", "").lower(), request.args.get("vendor", "").lower()
    found = [
        entry
        for entry in entries
        if wanted in json.dumps([entry["id"], entry.get("name"), entry.get("aliases")]).lower()
        and (not vendor or str(entry.get("vendor", "")).lower() == vendor)
    ]
    return tagged(json_text({"items": found, **versions()}), "application/json")


@BLUEPRINT.post("/v1/estimates")
def post_estimate() -> Response:
    """Memory of one placement."""
    wanted = estimate_request(catalogs(), posted(ESTIMATE))
    return rendered(estimate_report(estimate(wanted, catalogs().stock), versions()))


@BLUEPRINT.get("/v1/estimates")
def get_estimate() -> Response:
    """The same with flat parameters."""
    wanted = estimate_request(catalogs(), queried(ESTIMATE, ESTIMATE_PLACES))
    return rendered(estimate_report(estimate(wanted, catalogs().stock), versions()))


@BLUEPRINT.post("/v1/plans")
def post_plan() -> Response:
    """The smallest combination that fits."""
    wanted = plan_request(catalogs(), posted(PLAN))
    return rendered(plan_report(plan(wanted, catalogs().stock), versions()))


@BLUEPRINT.get("/v1/plans")
def get_plan() -> Response:
    """The same with flat parameters."""
    wanted = plan_request(catalogs(), queried(PLAN, PLAN_PLACES))
    return rendered(plan_report(plan(wanted, catalogs().stock), versions()))


@BLUEPRINT.post("/v1/footprints")
def post_footprint() -> Response:
    """Largest layer, total size and training with Adam, by precision."""
    body = posted(FOOTPRINT)
    facts = model_facts(catalogs(), body["model"])
    names = body.get("precisions", FOOTPRINT_PRECISIONS)
    rows = footprints(facts.architecture, tuple(catalogs().precisions.pick(name) for name in names))
    answer = {
        "model": {"name": facts.name, "parameters": facts.architecture.parameters},
        "footprints": [
            {
                "precision": row.precision,
                "largest_layer_bytes": row.largest_layer_bytes,
                "total_bytes": row.total_bytes,
                "training_adam_bytes": row.training_adam_bytes,
            }
            for row in rows
        ],
        **versions(),
    }
    return tagged(json_text(answer), "application/json")


@BLUEPRINT.get("/v1/gpus")
def get_gpus() -> Response:
    """All cards."""
    return listing([gpu_view(gpu) for gpu in catalogs().gpus.cards])


@BLUEPRINT.get("/v1/gpus/<name>")
def get_gpu(name: str) -> Response:
    """One card, or the cards of a group."""
    found = [gpu_view(gpu) for gpu in catalogs().gpus.pick(name)]
    answer = found[0] if len(found) == 1 else {"group": name.lower(), "items": found}
    return tagged(json_text({**answer, **versions()}), "application/json")


@BLUEPRINT.get("/v1/models")
def get_models() -> Response:
    """All models, without their bills."""
    return listing([
        {"id": entry.id, "name": entry.hub_id, "aliases": list(entry.aliases)}
        for entry in catalogs().models
    ])


@BLUEPRINT.get("/v1/models/<path:name>")
def get_model(name: str) -> Response:
    """One model with its bill of tensors by kind."""
    entry = catalogs().models.pick(name)
    facts = model_facts(catalogs(), {"id": entry.hub_id})
    view = {"id": entry.id, "aliases": list(entry.aliases), **model_view(facts.architecture)}
    return tagged(
        json_text({**view, "hub_id": entry.hub_id, "source": entry.source, **versions()}),
        "application/json",
    )


@BLUEPRINT.get("/v1/quantizations")
def get_quantizations() -> Response:
    """All quantizations."""
    return listing([quantization_view(entry) for entry in catalogs().quantizations])


@BLUEPRINT.get("/v1/engines")
def get_engines() -> Response:
    """All engines with what they run."""
    return listing([engine_view(entry) for entry in catalogs().engines])


@BLUEPRINT.get("/v1/optimizers")
def get_optimizers() -> Response:
    """All optimizers."""
    return listing([optimizer_view(entry) for entry in catalogs().optimizers])


@BLUEPRINT.get("/openapi.yaml")
def get_openapi() -> Response:
    """The contract."""
    return tagged(current_app.config["OPENAPI_TEXT"], "application/yaml")


@BLUEPRINT.get("/livez")
def livez() -> Response:
    """The process answers."""
    return Response('{"status":"ok"}', mimetype="application/json")


@BLUEPRINT.get("/readyz")
def readyz() -> Response:
    """The catalogs are loaded."""
    return Response(json_text({"status": "ok", **versions()}), mimetype="application/json")
