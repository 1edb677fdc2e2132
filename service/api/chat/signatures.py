"""Who sent a request: signatures over the raw body, compared in constant time, and its age."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from urllib.parse import parse_qs

from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import Unauthorized

MAX_AGE_SECONDS = 300
SECONDS = re.compile(r"\d{1,12}", re.ASCII)
SLACK_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
ED25519_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)
ED25519_KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
TEAMS_TIME = re.compile(rb'"timestamp"\s{0,4}:\s{0,4}"([^"]{10,40})"')
MAX_FORM_FIELDS = 100
DISCORD_PACKAGE = "DISCORD_PUBLIC_KEY needs the package cryptography (extra `discord`)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request as it came, before anything reads it."""

    headers: Headers
    raw: bytes
    now: float

    def header(self, name: str) -> str:
        """A header, or nothing."""
        return self.headers.get(name, "")


def forged(why: str) -> Unauthorized:
    """The refusal of a request that nobody we know has sent."""
    return Unauthorized(description=why, www_authenticate=WWWAuthenticate("Signature"))


def refuse_old(stamp: str, now: float) -> None:
    """Refuse a request outside of five minutes, so that none can be sent again later.

    Raises: 401.
    """
    if not SECONDS.fullmatch(stamp):
        raise forged("the timestamp of the request is missing or not a number")
    if abs(now - int(stamp)) > MAX_AGE_SECONDS:
        raise forged(f"the request is older than {MAX_AGE_SECONDS} seconds, or from the future")


def slack(request: Signed, keys: tuple[bytes, ...]) -> None:
    """HMAC-SHA256 over version, timestamp and body.

    Source:      Slack, "Verifying requests from Slack"
    """
    stamp, given = (
        request.header("X-Slack-Request-Timestamp"),
        request.header("X-Slack-Signature"),
    )
    refuse_old(stamp, request.now)
    if not SLACK_SIGNATURE.fullmatch(given):
        raise forged("X-Slack-Signature is missing or not of the form v0=<64 hexadecimal digits>")
    base = b"v0:" + stamp.encode() + b":" + request.raw
    expected = [f"v0={hmac.new(key, base, sha256).hexdigest()}" for key in keys]
    if not any(hmac.compare_digest(one, given) for one in expected):
        raise forged("the signature does not belong to this body")


def mattermost(request: Signed, keys: tuple[bytes, ...]) -> None:
    """The command's token, in the header `Authorization: Token …` or in the form.

    Source:      Mattermost, "Custom slash commands"
    """
    scheme, _, given = request.header("Authorization").partition(" ")
    if scheme.lower() != "token":
        given = form_token(request.raw)
    sent = given.encode("utf-8", "replace")
    if not sent or not any(hmac.compare_digest(key, sent) for key in keys):
        raise forged("the token is missing or not that of the slash command")


def form_token(raw: bytes) -> str:
    """The token of a form, where outgoing OAuth took the header's place."""
    try:
        fields = parse_qs(raw.decode(), max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        return ""
    return fields.get("token", [""])[0]


def teams(request: Signed, keys: tuple[bytes, ...]) -> None:
    """HMAC-SHA256 over the body, in base64; the age by the message's own signed time.

    Source:      Microsoft Teams, "Create an Outgoing Webhook"
    """
    scheme, _, given = request.header("Authorization").partition(" ")
    try:
        sent = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        sent = b""
    if scheme.upper() != "HMAC" or len(sent) != sha256().digest_size:
        raise forged("Authorization is missing or not of the form HMAC <base64 of 32 bytes>")
    expected = [hmac.new(key, request.raw, sha256).digest() for key in keys]
    if not any(hmac.compare_digest(one, sent) for one in expected):
        raise forged("the signature does not belong to this body")
    if stamp := TEAMS_TIME.search(request.raw):
        refuse_old(seconds(stamp.group(1)), request.now)


def seconds(stamp: bytes) -> str:
    """A time as ISO 8601 writes it, in seconds; nothing where it cannot be read."""
    try:
        return str(int(datetime.fromisoformat(stamp.decode()).timestamp()))
    except (ValueError, OverflowError):
        return ""


def discord(request: Signed, keys: tuple[bytes, ...]) -> None:
    """Ed25519 over timestamp and body.

    Source:      Discord, "Overview of Interactions"
    """
    stamp, given = (
        request.header("X-Signature-Timestamp"),
        request.header("X-Signature-Ed25519"),
    )
    refuse_old(stamp, request.now)
    if not ED25519_SIGNATURE.fullmatch(given):
        raise forged("X-Signature-Ed25519 is missing or not 128 hexadecimal digits")
    message = stamp.encode() + request.raw
    if not any(ed25519_holds(key, bytes.fromhex(given), message) for key in keys):
        raise forged("the signature does not belong to this body")


def ed25519_key(word: str) -> bytes:
    """The bytes of an application's public key.

    Raises: ValueError where it is not 64 hexadecimal digits, or nothing here can check it.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # ruff: ignore[import-outside-top-level] - an extra
    except ImportError as error:
        raise ValueError(DISCORD_PACKAGE) from error
    if not ED25519_KEY.fullmatch(word):
        raise ValueError("not 64 hexadecimal digits, as Discord shows it")
    key = bytes.fromhex(word)
    ed25519.Ed25519PublicKey.from_public_bytes(key)
    return key


def ed25519_holds(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature of a public key belongs to a message."""
    from cryptography.exceptions import InvalidSignature  # ruff: ignore[import-outside-top-level] - an extra
    from cryptography.hazmat.primitives.asymmetric import ed25519  # ruff: ignore[import-outside-top-level] - an extra

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


VERIFIERS: Mapping[str, Callable[[Signed, tuple[bytes, ...]], None]] = {
    "slack": slack,
    "mattermost": mattermost,
    "teams": teams,
    "discord": discord,
}
"""How each platform signs; each raises 401."""
