"""`render`: a plan as another system's own input, in place of the plan."""

from __future__ import annotations

from difflib import get_close_matches

from flask import Response, request
from marshmallow import ValidationError

from service.api.answers import tagged
from service.presentation.renderers.table import SYSTEMS

RENDER = "render"
TEXT = "text/plain"


def wanted_system() -> str | None:
    """The system that `render` names; None where the plan itself is asked for.

    Raises: ValidationError for a system that is not known, or more than one.
    """
    given = request.args.getlist(RENDER)
    if not given:
        return None
    if len(given) > 1:
        raise ValidationError({RENDER: ["Given more than once."]})
    if given[0] not in SYSTEMS:
        near = get_close_matches(given[0][:100], SYSTEMS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValidationError({RENDER: [f"Must be one of {', '.join(SYSTEMS)}.{hint}"]})
    return given[0]


def attached(text: str, file: str) -> Response:
    """Text with a name for its file: `render` decides the form, whatever is accepted."""
    answer = tagged(text, TEXT)
    answer.headers["Content-Disposition"] = f'inline; filename="{file}"'
    return answer
