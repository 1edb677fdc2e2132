"""Views of questions: read a request, ask the domain, render the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from service.api.answers import (
    catalogs,
    json_answer,
    refuse_parameters,
    rendered,
    tagged,
    versions,
)
from service.api.body import json_body
from service.api.build import estimate_request, model_facts
from service.api.errors import CatalogMoved
from service.api.flat import ESTIMATE_PLACES, PLAN_PLACES, Place, question_body
from service.api.fleet_build import fleet_request
from service.api.fleet_schema import FLEET
from service.api.metrics import counted
from service.api.plan_build import plan_request
from service.api.rendering import RENDER, attached, wanted_system
from service.api.repeats import kept
from service.api.schemas import ESTIMATE, FOOTPRINT, PLAN
from service.domain.estimate import estimate
from service.domain.fleet import fleet
from service.domain.footprint import footprints
from service.domain.planner import plan
from service.presentation.catalogs import footprint_view
from service.presentation.estimates import estimate_report
from service.presentation.fleets import fleet_report
from service.presentation.plans import plan_report
from service.presentation.renderers.table import render

BLUEPRINT = kept(Blueprint("questions", __name__))
FOOTPRINT_PRECISIONS = ("float32", "float16", "int8", "int4")


def posted(schema: Schema, *read: str) -> dict[str, Any]:
    """A validated JSON body, beside the parameters that somebody else reads."""
    refuse_parameters(*read)
    return validated(schema, json_body(request))


def queried(schema: Schema, places: Mapping[str, Place], *read: str) -> dict[str, Any]:
    """A validated query string, less the parameters that somebody else reads."""
    own = MultiDict([pair for pair in request.args.items(multi=True) if pair[0] not in read])
    return validated(schema, question_body(own, places))


def validated(schema: Schema, body: Any) -> dict[str, Any]:
    """A body that its schema accepts, pinned to the catalog in use."""
    if not isinstance(body, dict):
        raise ValidationError("Not an object.")
    loaded: dict[str, Any] = schema.load(body)
    pinned, current = loaded.get("catalog_version"), catalogs().version
    if pinned is not None and pinned != current:
        raise CatalogMoved(pinned, current)
    return loaded


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


def planned(body: dict[str, Any]) -> Response:
    """The plan of a body, or what `render` makes of it."""
    system = wanted_system()
    found = counted(plan(plan_request(catalogs(), body), catalogs().stock))
    if system is None:
        return rendered(plan_report(found, versions()))
    return attached(*render(system, found, catalogs().stock.gpus, versions()))


@BLUEPRINT.post("/v1/plans")
def post_plan() -> Response:
    """The smallest combination that fits."""
    return planned(posted(PLAN, RENDER))


@BLUEPRINT.get("/v1/plans")
def get_plan() -> Response:
    """The same with flat parameters."""
    return planned(queried(PLAN, PLAN_PLACES, RENDER))


@BLUEPRINT.post("/v1/plans/fleet")
def post_fleet() -> Response:
    """The fewest nodes that hold several models."""
    wanted = fleet_request(catalogs(), posted(FLEET))
    return rendered(fleet_report(fleet(wanted, catalogs().stock), versions()))


@BLUEPRINT.post("/v1/footprints")
def post_footprint() -> Response:
    """Largest layer, total size and training with Adam, by precision."""
    body = posted(FOOTPRINT)
    facts = model_facts(catalogs(), body["model"])
    names = body.get("precisions", FOOTPRINT_PRECISIONS)
    rows = footprints(facts.architecture, tuple(catalogs().precisions.pick(name) for name in names))
    return json_answer(footprint_view(facts, rows))


@BLUEPRINT.get("/openapi.yaml")
def get_openapi() -> Response:
    """The contract."""
    return tagged(current_app.config["OPENAPI_TEXT"], "application/yaml")
