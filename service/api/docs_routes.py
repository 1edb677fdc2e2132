"""The API reference: Swagger UI, served from its package so that it works without a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from service.api.answers import refuse_parameters, tagged
from service.presentation.page.environment import html, version_of

BLUEPRINT = Blueprint("docs", __name__)
PACKAGE = "flask_swagger_ui"
SHIPPED: Mapping[str, str] = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
A_DAY = "public, max-age=86400"


@BLUEPRINT.get("/docs")
def get_docs() -> Response:
    """The reference, drawn from `/openapi.yaml`."""
    refuse_parameters()
    answer = tagged(html("docs.html", version_of=version_of), "text/html")
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@BLUEPRINT.get("/docs/<name>")
def get_shipped(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in SHIPPED:
        raise NotFound(f"the reference has no file {name[:80]!r}")
    text = (files(PACKAGE) / "dist" / name).read_bytes()
    answer = Response(text, content_type=f"{SHIPPED[name]}; charset=utf-8")
    answer.set_etag(f"{version(PACKAGE)}-{name}")
    answer.headers["Cache-Control"] = A_DAY
    answer.make_conditional(request)
    return answer
