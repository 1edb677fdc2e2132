"""Chat platforms as they send: the service with secrets and a fixed clock, and signatures."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.api.chat.settings import ChatSettings

NOW = 1_531_420_618
"""When Slack's own example was signed."""

# Slack, "Verifying requests from Slack" (docs.slack.dev, authentication), and the token of
# Mattermost, "Custom slash commands"; Teams, "Create an Outgoing Webhook", key of "contoso".
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # ruff: ignore[hardcoded-password-string]
MATTERMOST_TOKEN = "okwexkjpe7ygb8eq1ww58t483w"  # ruff: ignore[hardcoded-password-string]
TEAMS_SECRET = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA="  # ruff: ignore[hardcoded-password-string]
# RFC 8032, section 7.1, test 1.
DISCORD_KEY = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
DISCORD_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Chat:
    """The client of each platform."""

    client: FlaskClient

    def send(self, platform: str, raw: bytes, headers: dict[str, str]) -> TestResponse:
        return self.client.post(f"/v1/chat/{platform}", data=raw, headers=headers)

    def say(self, platform: str, line: str) -> TestResponse:
        """A line of a person, signed."""
        raw = BODIES[platform](line)
        return self.send(platform, raw, signed(platform, raw))


def slack_body(line: str) -> bytes:
    return urlencode({"command": "/gpus", "text": line, "user_id": "U2CERLKJA"}).encode()


def mattermost_body(line: str) -> bytes:
    return urlencode({"command": "/gpus", "text": line, "token": MATTERMOST_TOKEN}).encode()


def teams_body(line: str) -> bytes:
    stamp = "2018-07-12T18:36:58.437Z"
    return json.dumps({
        "type": "message",
        "timestamp": stamp,
        "text": f"<at>gpus</at> {line}&nbsp;\n",
    }).encode()


def discord_body(line: str, kind: int = 2) -> bytes:
    options = [{"name": "q", "type": 3, "value": line}]
    return json.dumps({"type": kind, "data": {"name": "gpus", "options": options}}).encode()


BODIES = {
    "slack": slack_body,
    "mattermost": mattermost_body,
    "teams": teams_body,
    "discord": discord_body,
}


def signed(platform: str, raw: bytes, stamp: int = NOW) -> dict[str, str]:
    """The headers that a platform sends with a body."""
    if platform == "slack":
        base = b"v0:%d:%s" % (stamp, raw)
        digest = hmac.new(SLACK_SECRET.encode(), base, sha256).hexdigest()
        own = {"X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": f"v0={digest}"}
    elif platform == "mattermost":
        own = {"Authorization": f"Token {MATTERMOST_TOKEN}"}
    elif platform == "teams":
        digest_bytes = hmac.new(base64.b64decode(TEAMS_SECRET), raw, sha256).digest()
        own = {"Authorization": f"HMAC {base64.b64encode(digest_bytes).decode()}"}
    else:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(DISCORD_KEY)
        own = {
            "X-Signature-Timestamp": str(stamp),
            "X-Signature-Ed25519": key.sign(str(stamp).encode() + raw).hex(),
        }
    form = platform in {"slack", "mattermost"}
    return {**own, "Content-Type": FORM if form else "application/json"}


def settings(**more: Any) -> ChatSettings:
    """Secrets for all platforms."""
    return ChatSettings(
        secrets={
            "slack": (SLACK_SECRET.encode(),),
            "mattermost": (MATTERMOST_TOKEN.encode(),),
            "teams": (base64.b64decode(TEAMS_SECRET),),
            "discord": (bytes.fromhex(DISCORD_PUBLIC),),
        },
        now=lambda: NOW + 3,
        **more,
    )


@pytest.fixture
def chat(app: Flask) -> Iterator[Chat]:
    held = app.extensions["chat"]
    app.extensions["chat"] = settings(public_url="https://gpus.example.com")
    yield Chat(app.test_client())
    app.extensions["chat"] = held
