"""Every error as application/problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Flask, Response, g
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from service.catalog.hub import HubBroken, HubFailure, HubGated, HubSlow
from service.domain.errors import InvalidRequest, UnknownName
from service.presentation.renderers.work import NothingToRender

LOG = logging.getLogger("service")
UNPROCESSABLE, NOT_FOUND, SERVER_ERROR = 422, 404, 500
TITLES = {422: "Invalid request", 404: "Not found", 500: "Internal error"}


class CatalogMoved(Exception):
    """The request is pinned to another version of the catalog."""

    def __init__(self, wanted: str, current: str) -> None:
        super().__init__(f"catalog_version {wanted[:80]!r} is not loaded; current is {current!r}")


def problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """One problem answer."""
    kind = title.lower().replace(" ", "-")
    body = {"type": f"urn:problem:{kind}", "title": title, "status": status, "detail": detail}
    text = json.dumps({**body, **more, "request_id": g.get("request_id", "")})
    return Response(text, status=status, mimetype="application/problem+json")


def pointers(messages: Any, path: str = "") -> Iterator[dict[str, str]]:
    """JSON pointers and messages of nested validation errors."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            yield from pointers(inner, path + step)
    elif isinstance(messages, list):
        for message in messages:
            yield from (
                pointers(message, path)
                if isinstance(message, dict | list)
                else (iter(({"pointer": path, "message": str(message)},)))
            )
    else:
        yield {"pointer": path, "message": str(messages)}


def on_validation(error: ValidationError) -> Response:
    """A body that breaks its schema."""
    found = list(pointers(error.messages))
    detail = "; ".join(f"{one['pointer'] or '/'}: {one['message']}" for one in found[:5])
    return problem(UNPROCESSABLE, TITLES[UNPROCESSABLE], detail[:2000], errors=found[:100])


def on_invalid(error: InvalidRequest) -> Response:
    """A field that cannot be honoured."""
    entry = {"pointer": "/" + error.field.replace(".", "/"), "message": error.message}
    return problem(UNPROCESSABLE, TITLES[UNPROCESSABLE], str(error), errors=[entry])


def on_nothing(error: NothingToRender) -> Response:
    """A plan to be rendered that fits nowhere: the request was right, and callers can tell."""
    answer = on_invalid(error)
    answer.headers["X-Fits"] = "false"
    return answer


def on_unknown(error: UnknownName) -> Response:
    """A name that no catalog has."""
    return problem(
        NOT_FOUND,
        f"Unknown {error.kind.replace('_', ' ')}",
        str(error),
        name=error.name,
        nearest=list(error.nearest),
    )


def on_moved(error: CatalogMoved) -> Response:
    """A pinned catalog that is gone."""
    return problem(409, "Catalog version conflict", str(error))


HUB_PROBLEMS: Mapping[type[HubFailure], tuple[int, str]] = {
    HubGated: (403, "Gated model"),
    HubBroken: (502, "Hub failure"),
    HubSlow: (504, "Hub timeout"),
}


def on_hub(error: HubFailure) -> Response:
    """The Hub did not give what was asked; the client's own error goes to the log alone."""
    status, title = HUB_PROBLEMS[type(error)]
    LOG.warning("request %s: %s", g.get("request_id", ""), error, exc_info=error.__cause__)
    return problem(status, title, str(error))


def on_http(error: HTTPException) -> Response:
    """Werkzeug's own errors, with their headers (Allow) kept."""
    status = error.code or SERVER_ERROR
    answer = problem(status, error.name, str(error.description or error.name))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            answer.headers[name] = value
    return answer


def on_crash(error: Exception) -> Response:
    """Anything else: logged with the request's id, nothing of the inside is shown."""
    LOG.error("request %s failed", g.get("request_id", ""), exc_info=error)
    return problem(SERVER_ERROR, TITLES[SERVER_ERROR], "the request could not be answered")


HANDLERS: Mapping[type[Exception], Callable[[Any], Response]] = {
    ValidationError: on_validation,
    InvalidRequest: on_invalid,
    NothingToRender: on_nothing,
    UnknownName: on_unknown,
    CatalogMoved: on_moved,
    HubFailure: on_hub,
    HTTPException: on_http,
    Exception: on_crash,
}


def answer_of(error: Exception) -> Response:
    """The problem that stands for an error: that of its nearest kind."""
    kind = next(kind for kind in type(error).__mro__ if kind in HANDLERS)
    return HANDLERS[kind](error)


def register(app: Flask) -> None:
    """Put every kind of error under one handler."""
    for kind, handler in HANDLERS.items():
        app.register_error_handler(kind, handler)
