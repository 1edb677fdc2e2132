"""POST /v1/chat/<platform>: verified, read, answered in the platform's own form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app, request
from marshmallow import ValidationError
from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from service.api.answers import refuse_parameters
from service.api.ask.asking import asked, names_in_use
from service.api.ask.line import read_line
from service.api.chat.messages import AUTOCOMPLETE_RESULT, MESSAGES, Message
from service.api.chat.settings import VARIABLES, ChatSettings
from service.api.chat.signatures import VERIFIERS, Signed, forged
from service.api.errors import CatalogMoved, pointers
from service.catalog.hub import HubFailure
from service.domain.errors import InvalidRequest, UnknownName
from service.presentation.chat.forms import FORMS
from service.presentation.chat.replies import problem_reply
from service.presentation.chat.reply import Reply
from service.presentation.rendering import json_text

BLUEPRINT = Blueprint("chat", __name__)
MAX_CHAT_BYTES = 65_536
MOST_CHOICES, CHOICE_LENGTH = 25, 100
READABLE = (ValidationError, InvalidRequest, UnknownName, HubFailure, CatalogMoved)


@BLUEPRINT.post("/v1/chat/slack")
def post_slack() -> Response:
    """A slash command of Slack."""
    return answered("slack")


@BLUEPRINT.post("/v1/chat/mattermost")
def post_mattermost() -> Response:
    """A slash command of Mattermost."""
    return answered("mattermost")


@BLUEPRINT.post("/v1/chat/teams")
def post_teams() -> Response:
    """A mention of an outgoing webhook of Teams."""
    return answered("teams")


@BLUEPRINT.post("/v1/chat/discord")
def post_discord() -> Response:
    """An interaction of Discord."""
    return answered("discord")


def answered(platform: str) -> Response:
    """The answer to a request of a platform.

    Raises: 404 where the platform is off, 401 for a request that it did not sign.
    """
    message = verified(platform)
    if message.answer is not None:
        return as_json(message.answer)
    if message.begun is not None:
        return as_json({"type": AUTOCOMPLETE_RESULT, "data": {"choices": choices(message.begun)}})
    return as_json(FORMS[platform](reply(message.line)))


def verified(platform: str) -> Message:
    """What a request says, after its signature is checked over the raw body."""
    settings: ChatSettings = current_app.extensions["chat"]
    keys = settings.secrets.get(platform)
    if keys is None:
        name = VARIABLES[platform]
        raise NotFound(f"this route is off; set {name} or {name}_FILE to turn it on")
    request.max_content_length = MAX_CHAT_BYTES
    raw = request.get_data(cache=False)
    if len(raw) >= MAX_CHAT_BYTES:
        raise RequestEntityTooLarge(f"a message has fewer than {MAX_CHAT_BYTES} bytes")
    VERIFIERS[platform](Signed(headers=request.headers, raw=raw, now=settings.now()), keys)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise forged("the body is not UTF-8") from error
    refuse_parameters()
    return MESSAGES[platform](raw)


def reply(line: str) -> Reply:
    """The reply to a line; what cannot be answered is said in words."""
    try:
        found = asked(line)
    except READABLE as error:
        return problem_reply(tuple(explained(error, line)))
    base, asked_for = base_url(), quote(line.strip(), safe="")
    whole: tuple[tuple[str, str], ...] = (("Whole answer", f"{base}/v1/ask?q={asked_for}"),)
    if found.report.data["command"] == "plan":
        whole = (("On the page", f"{base}/?ask={asked_for}"), *whole)
    curls = tuple(f"curl -H 'Accept: text/plain' '{base}{path}'" for path in found.questions)
    links = whole if line.strip() else ()
    return replace(found.reply, codes=(*found.reply.codes, *curls), links=links)


def base_url() -> str:
    """The address of this service as people see it."""
    settings: ChatSettings = current_app.extensions["chat"]
    return settings.public_url or request.host_url.rstrip("/")


def explained(error: Exception, line: str) -> Iterator[str]:
    """An error in sentences: each field by the words that said it."""
    if isinstance(error, ValidationError):
        for found in pointers(error.messages):
            field = found["pointer"].strip("/").replace("/", ".")
            yield (
                found["message"]
                if field in {"q", ""}
                else f"{typed(line, field)}: {found['message']}"
            )
    elif isinstance(error, InvalidRequest):
        yield f"{typed(line, error.field)}: {error.message}."
    else:
        text = str(error)
        yield text if text.endswith(("?", ".")) else f"{text}."


def typed(line: str, field: str) -> str:
    """The words of a line that said a field; its name where none did."""
    readings = read_line(line, names_in_use()).readings
    said = [one.words for reading in readings for one in reading.said if one.field == field]
    return f"`{said[0]}`" if said else field


def choices(begun: str) -> list[dict[str, str]]:
    """A line with its last word completed, as Discord offers it."""
    head, _, last = begun.rpartition(" ")
    near = names_in_use().begins(last, MOST_CHOICES) if last else ()
    lines = [f"{head} {name}".strip() for name in near] or [begun]
    fitting = [line for line in lines if 0 < len(line) <= CHOICE_LENGTH]
    return [{"name": line, "value": line} for line in fitting]


def as_json(data: Any) -> Response:
    """An answer that no cache keeps."""
    answer = Response(json_text(data), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
