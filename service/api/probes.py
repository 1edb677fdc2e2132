"""Whether the process answers and with which data; asked by machines, and never kept."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from service.api.answers import versions
from service.presentation.rendering import json_text

BLUEPRINT = Blueprint("probes", __name__)


@BLUEPRINT.get("/livez")
def livez() -> Response:
    """The process answers."""
    return Response('{"status":"ok"}', mimetype="application/json")


@BLUEPRINT.get("/readyz")
def readyz() -> Response:
    """The catalogs are loaded; changed files that are refused are named while good data stay."""
    state = current_app.extensions["catalog_watch"].state
    body = {
        "status": "degraded" if state.degraded else "ok",
        **versions(),
        "catalog_age_seconds": round(state.age_seconds, 1),
        "catalog_reloads": state.reloads,
        "catalog_reload_failures": state.failures,
        "catalog_error": state.error,
    }
    return Response(json_text(body), mimetype="application/json")
