"""Answers: the catalogs in use, forms by `Accept`, ETags and 304."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import NotAcceptable

from service.api.build import Catalogs
from service.api.flat import unknown
from service.presentation.rendering import RENDERERS, Report, json_text

JSON = "application/json"
FITS = "X-Fits"
CSV = "text/csv"


def catalogs() -> Catalogs:
    """The catalogs in use, the same from the first to the last word of an answer."""
    if "catalogs" not in g:
        g.catalogs = current_app.extensions["catalog_watch"].catalogs
    found: Catalogs = g.catalogs
    return found


def versions() -> dict[str, str]:
    """What produced an answer."""
    return {
        "service_version": current_app.config["SERVICE_VERSION"],
        "catalog_version": catalogs().version,
    }


def refuse_parameters(*read: str) -> None:
    """Refuse parameters that nothing would read.

    Raises: ValidationError naming each of them.
    """
    others = [name for name in request.args if name not in read]
    if others:
        raise ValidationError({name[:100]: [unknown(name, [*read])] for name in others})


def accepted(kinds: list[str]) -> str:
    """The form that the caller likes best; the first where nothing is said.

    Raises: 406 with the forms that exist.
    """
    wanted = request.accept_mimetypes
    kind = wanted.best_match(kinds) if wanted else kinds[0]
    if kind is None:
        raise NotAcceptable(f"this answer comes as {', '.join(kinds)}")
    return kind


def rendered(report: Report) -> Response:
    """A report in the form that the caller accepts."""
    return told(report, accepted(list(RENDERERS)))


def told(report: Report, kind: str) -> Response:
    """A report in a form; a header says whether it fits, for callers that read words or rows."""
    stated = {"header": "present"} if kind == CSV else {}
    answer = tagged(RENDERERS[kind](report), kind, **stated)
    if report.fits is not None:
        answer.headers[FITS] = "true" if report.fits else "false"
    return answer


def json_answer(data: Mapping[str, Any]) -> Response:
    """Data with its versions, as JSON only."""
    return tagged(json_text({**data, **versions()}), accepted([JSON]))


def tagged(content: str | bytes, kind: str, **parameters: str) -> Response:
    """An answer with its ETag, and 304 where the caller has it already."""
    raw = content.encode() if isinstance(content, str) else content
    if isinstance(content, str):
        parameters = {"charset": "utf-8", **parameters}
    stated = "".join(f"; {name}={value}" for name, value in parameters.items())
    answer = Response(raw, content_type=f"{kind}{stated}")
    answer.set_etag(hashlib.blake2b(raw, digest_size=16).hexdigest())
    answer.headers["Vary"] = "Accept"
    answer.headers["Cache-Control"] = "private, max-age=60"
    if request.method in {"GET", "HEAD"}:
        answer.make_conditional(request)
    return answer
