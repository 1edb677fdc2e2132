"""What a verified request says: a line to answer, or a handshake with its fixed answer."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from werkzeug.exceptions import BadRequest

from service.api.body import parsed
from service.api.chat.signatures import MAX_FORM_FIELDS

PING, COMMAND, AUTOCOMPLETE = 1, 2, 4
PONG = {"type": 1}
AUTOCOMPLETE_RESULT = 8
LINES = frozenset({"q", "question", "text", "line", "ask"})
MENTION = re.compile(r"<at[^<>]*>[^<]*</at>")
TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line to answer; `answer` is there where no line has to be read, `begun` to complete one."""

    line: str = ""
    answer: Mapping[str, Any] | None = None
    begun: str | None = None


def form(raw: bytes) -> dict[str, str]:
    """The fields of a form.

    Raises: 400 for too many.
    """
    try:
        fields = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise BadRequest(f"a form of at most {MAX_FORM_FIELDS} fields") from error
    return {name: values[0] for name, values in fields.items()}


def json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises: 400 for anything else.
    """
    found = parsed(raw)
    if not isinstance(found, dict):
        raise BadRequest("send a JSON object")
    return found


def slack(raw: bytes) -> Message:
    """A slash command's form, or the JSON of the address's check."""
    if raw.lstrip().startswith(b"{"):
        challenge = json_object(raw).get("challenge")
        if not isinstance(challenge, str):
            raise BadRequest("send a slash command, or url_verification with a challenge")
        return Message(answer={"challenge": challenge})
    fields = form(raw)
    if fields.get("ssl_check") == "1":
        return Message(answer={})
    return Message(line=html.unescape(fields.get("text", "")))


def mattermost(raw: bytes) -> Message:
    """A slash command's form."""
    return Message(line=form(raw).get("text", ""))


def teams(raw: bytes) -> Message:
    """A message that mentions the webhook, as HTML."""
    text = json_object(raw).get("text", "")
    if not isinstance(text, str):
        raise BadRequest("text must be text")
    return Message(line=html.unescape(TAG.sub(" ", MENTION.sub(" ", text))))


def discord(raw: bytes) -> Message:
    """An interaction: a ping, a command, or what is typed of one."""
    body = json_object(raw)
    if body.get("type") == PING:
        return Message(answer=PONG)
    if body.get("type") not in {COMMAND, AUTOCOMPLETE}:
        raise BadRequest("pings, commands and their completion are answered, nothing else")
    data = body.get("data")
    line = " ".join(options(data if isinstance(data, dict) else {}))
    return Message(begun=line) if body["type"] == AUTOCOMPLETE else Message(line=line)


def options(data: Mapping[str, Any]) -> Iterator[str]:
    """The options of a command as words: a line as it is, others as `name=value`."""
    listed = data.get("options")
    for option in listed if isinstance(listed, list) else ():
        if not isinstance(option, dict):
            continue
        name, value = str(option.get("name", "")), option.get("value")
        if value is None:
            yield name
            yield from options(option)
        elif name in LINES:
            yield str(value)
        else:
            yield f"{name}={str(value).lower() if isinstance(value, bool) else value}"


MESSAGES: Mapping[str, Callable[[bytes], Message]] = {
    "slack": slack,
    "mattermost": mattermost,
    "teams": teams,
    "discord": discord,
}
"""How each platform writes a request."""
