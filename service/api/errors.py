"""Every error as application/problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from service.api.deadline import TookTooLong
from service.catalog.hub import HubBroken, HubFailure, HubGated, HubSlow
from service.domain.errors import InvalidRequest, UnknownName
from service.presentation.renderers.work import NothingToRender

LOG = logging.getLogger("service")
UNPROCESSABLE, NOT_FOUND, SERVER_ERROR, UNAVAILABLE = 422, 404, 500, 503
TITLES = {422: "Invalid request", 404: "Not found", 500: "Internal error"}


class CatalogMoved(Exception):
    """The request is pinned to another version of the catalog."""

    def __init__(self, wanted: str, current: str) -> None:
        super().__init__(f"catalog_version {wanted[:80]!r} is not loaded; current is {current!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a request, in the words of RFC 9457."""

    status: int
    title: str
    detail: str
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The stable name of this sort of problem."""
        return self.title.lower().replace(" ", "-")


def answer(found: Problem) -> Response:
    """One problem answer."""
    return problem(found.status, found.title, found.detail, **found.more)


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


def of_validation(error: ValidationError) -> Problem:
    """A body that breaks its schema."""
    found = list(pointers(error.messages))
    detail = "; ".join(f"{one['pointer'] or '/'}: {one['message']}" for one in found[:5])
    title, more = TITLES[UNPROCESSABLE], {"errors": found[:100]}
    return Problem(status=UNPROCESSABLE, title=title, detail=detail[:2000], more=more)


def of_invalid(error: InvalidRequest) -> Problem:
    """A field that cannot be honoured."""
    entry = {"pointer": "/" + error.field.replace(".", "/"), "message": error.message}
    title, more = TITLES[UNPROCESSABLE], {"errors": [entry]}
    return Problem(status=UNPROCESSABLE, title=title, detail=str(error), more=more)


def of_unknown(error: UnknownName) -> Problem:
    """A name that no catalog has."""
    title = f"Unknown {error.kind.replace('_', ' ')}"
    more = {"name": error.name, "nearest": list(error.nearest)}
    return Problem(status=NOT_FOUND, title=title, detail=str(error), more=more)


def of_moved(error: CatalogMoved) -> Problem:
    """A pinned catalog that is gone."""
    return Problem(status=409, title="Catalog version conflict", detail=str(error))


HUB_PROBLEMS: Mapping[type[HubFailure], tuple[int, str]] = {
    HubGated: (403, "Gated model"),
    HubBroken: (502, "Hub failure"),
    HubSlow: (504, "Hub timeout"),
}


def of_hub(error: HubFailure) -> Problem:
    """The Hub did not give what was asked; the client's own error goes to the log alone."""
    status, title = HUB_PROBLEMS[type(error)]
    LOG.warning("request %s: %s", g.get("request_id", ""), error, exc_info=error.__cause__)
    return Problem(status=status, title=title, detail=str(error))


def of_late(_error: TookTooLong) -> Problem:
    """An answer that was not found in time."""
    detail = "the answer took too long; name fewer cards or models, or ask again later"
    return Problem(status=UNAVAILABLE, title="Took too long", detail=detail)


def of_http(error: HTTPException) -> Problem:
    """Werkzeug's own errors."""
    status = error.code or SERVER_ERROR
    return Problem(status=status, title=error.name, detail=str(error.description or error.name))


def of_crash(error: Exception) -> Problem:
    """Anything else: logged with the request's id, nothing of the inside is shown."""
    LOG.error("request %s failed", g.get("request_id", ""), exc_info=error)
    detail = "the request could not be answered"
    return Problem(status=SERVER_ERROR, title=TITLES[SERVER_ERROR], detail=detail)


KINDS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    ValidationError: of_validation,
    InvalidRequest: of_invalid,
    UnknownName: of_unknown,
    CatalogMoved: of_moved,
    HubFailure: of_hub,
    TookTooLong: of_late,
    HTTPException: of_http,
}


def problem_of(error: Exception) -> Problem:
    """What is wrong, for answers that carry it in a form of their own."""
    kind = next((one for one in KINDS if isinstance(error, one)), None)
    return KINDS[kind](error) if kind else of_crash(error)


def on_late(error: TookTooLong) -> Response:
    """An answer that was not found in time."""
    said = on_any(error)
    said.headers["Retry-After"] = "10"
    return said


def on_http(error: HTTPException) -> Response:
    """Werkzeug's own errors, with their headers (Allow) kept."""
    said = answer(of_http(error))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            said.headers[name] = value
    return said


def on_any(error: Exception) -> Response:
    """Every other error."""
    return answer(problem_of(error))


def on_nothing(error: NothingToRender) -> Response:
    """A plan to be rendered that fits nowhere: the request was right, and callers can tell."""
    said = answer(of_invalid(error))
    said.headers["X-Fits"] = "false"
    return said


HANDLERS: Mapping[type[Exception], Callable[[Any], Response]] = {
    NothingToRender: on_nothing,
    TookTooLong: on_late,
    HTTPException: on_http,
    Exception: on_any,
}


def answer_of(error: Exception) -> Response:
    """The problem that stands for an error: that of its nearest kind."""
    kind = next(kind for kind in type(error).__mro__ if kind in HANDLERS)
    return HANDLERS[kind](error)


def register(app: Flask) -> None:
    """Put every kind of error under one handler."""
    for kind, handler in HANDLERS.items():
        app.register_error_handler(kind, handler)
