"""GET /v1/ask: a line in free order, for people, search boxes and the command line."""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import ValidationError

from service.api.answers import accepted, told
from service.api.ask.asking import asked
from service.api.flat import unknown
from service.presentation.rendering import RENDERERS

BLUEPRINT = Blueprint("ask", __name__)
KINDS = ["text/plain", *(kind for kind in RENDERERS if kind != "text/plain")]


@BLUEPRINT.get("/v1/ask")
def get_ask() -> Response:
    """The answer to a line, as text unless the caller prefers another form."""
    kind = accepted(KINDS)
    return told(asked(line_of_request()).report, kind)


def line_of_request() -> str:
    """The line of the query string; without one, help.

    Raises: ValidationError for other parameters, or the line given twice.
    """
    for name in request.args:
        if name != "q":
            raise ValidationError({name[:100]: [unknown(name, ["q"])]})
    lines = request.args.getlist("q")
    if len(lines) > 1:
        raise ValidationError({"q": ["Given more than once."]})
    return lines[0] if lines else ""
