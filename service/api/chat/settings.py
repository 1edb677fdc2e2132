"""Secrets of the chat platforms from the environment or from files; without one a route is off."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.api.chat.signatures import ed25519_key
from service.catalog.errors import CatalogError

VARIABLES: Mapping[str, str] = {
    "slack": "SLACK_SIGNING_SECRET",
    "mattermost": "MATTERMOST_TOKEN",
    "teams": "TEAMS_WEBHOOK_SECRET",
    "discord": "DISCORD_PUBLIC_KEY",
}
"""Where each platform's secret is; with `_FILE` behind it, the path of a file that holds it."""

MAX_SECRET_BYTES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """What the chat routes need to know.

    secrets     by platform; several while one takes another's place
    public_url  address of this service as people see it; empty takes that of the request
    now         seconds since 1970
    """

    secrets: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    public_url: str = ""
    now: Callable[[], float] = time.time


def chat_settings(environment: Mapping[str, str]) -> ChatSettings:
    """The settings of an environment.

    Raises: CatalogError naming the variable that cannot be used.
    """
    found = {name: secrets(environment, name) for name in VARIABLES}
    address = environment.get("PUBLIC_URL", "").rstrip("/")
    if address and not address.startswith(("http://", "https://")):
        raise CatalogError("PUBLIC_URL must begin with http:// or https://")
    return ChatSettings(
        secrets={name: held for name, held in found.items() if held}, public_url=address
    )


def secrets(environment: Mapping[str, str], platform: str) -> tuple[bytes, ...]:
    """A platform's secrets, separated by commas or spaces.

    Raises: CatalogError where they cannot be read or have the wrong form.
    """
    variable = VARIABLES[platform]
    text, path = environment.get(variable, ""), environment.get(f"{variable}_FILE", "")
    if text and path:
        raise CatalogError(f"{variable} and {variable}_FILE are both set; set one")
    words = (from_file(variable, Path(path)) if path else text).replace(",", " ").split()
    try:
        return tuple(FORMS[platform](word) for word in words)
    except ValueError as error:
        raise CatalogError(f"{variable}: {error}") from error


def from_file(variable: str, path: Path) -> str:
    """The text of a secret's file, which must hold something."""
    try:
        raw = path.read_bytes()[: MAX_SECRET_BYTES + 1]
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{variable}_FILE: {path} cannot be read") from error
    if not text.strip() or len(raw) > MAX_SECRET_BYTES:
        raise CatalogError(f"{variable}_FILE: {path} must hold 1 to {MAX_SECRET_BYTES} bytes")
    return text


def teams_key(word: str) -> bytes:
    """The bytes of a security token of Teams.

    Raises: ValueError where it is not base64.
    """
    try:
        return base64.b64decode(word, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64, as Teams shows it") from error


FORMS: Mapping[str, Callable[[str], bytes]] = {
    "slack": str.encode,
    "mattermost": str.encode,
    "teams": teams_key,
    "discord": ed25519_key,
}
"""How the text of a secret becomes its bytes."""
