"""Only what a platform signed is read: documented examples pass, everything else is 401."""

import base64
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.api.chat.settings import VARIABLES, chat_settings
from service.catalog.errors import CatalogError
from tests.chat.conftest import (
    BODIES,
    DISCORD_PUBLIC,
    FORM,
    MATTERMOST_TOKEN,
    NOW,
    SLACK_SECRET,
    TEAMS_SECRET,
    Chat,
    signed,
)

PLATFORMS = list(BODIES)
TIMED = ["slack", "discord"]

# Slack, "Verifying requests from Slack": the body, timestamp and signature of its example.
SLACK_EXAMPLE = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
# Mattermost, "Custom slash commands": the request that it shows.
MATTERMOST_EXAMPLE = (
    b"channel_id=jux16pkewjrkfj3ehep1psxyxc&channel_name=town-square&command=%2Ftest"
    b"&response_url=http%3A%2F%2Flocalhost%3A8065%2Fhooks%2Fcommands%2Fxbrkb8p393gjpq5cawei7npije"
    b"&team_domain=test&team_id=carya1qs77bemjup96ff538snh&text=asd"
    b"&token=okwexkjpe7ygb8eq1ww58t483w&user_id=aoa1agao6t8fmx3ikt1j9w5ybw&user_name=somename"
)


def test_the_example_of_slacks_documents_is_verified(chat: Chat) -> None:
    headers = {
        "X-Slack-Request-Timestamp": str(NOW),
        "X-Slack-Signature": SLACK_SIGNATURE,
        "Content-Type": FORM,
    }
    answer = chat.send("slack", SLACK_EXAMPLE, headers)
    assert answer.status_code == 200
    assert "Ask how much" in answer.json["text"]


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Token {MATTERMOST_TOKEN}"}, {"Authorization": "Bearer oauth"}]
)
def test_the_example_of_mattermosts_documents_is_verified(
    chat: Chat, headers: dict[str, str]
) -> None:
    answer = chat.send("mattermost", MATTERMOST_EXAMPLE, {**headers, "Content-Type": FORM})
    assert answer.status_code == 200
    assert "`asd` is not known" in answer.json["text"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_signed_line_is_answered(chat: Chat, platform: str) -> None:
    assert chat.say(platform, "help").status_code == 200


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_line_without_a_signature_is_401(chat: Chat, platform: str) -> None:
    raw = BODIES[platform]("help").replace(MATTERMOST_TOKEN.encode(), b"")
    kind = signed(platform, raw)["Content-Type"]
    answer = chat.send(platform, raw, {"Content-Type": kind})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Signature"


@pytest.mark.parametrize("platform", ["slack", "teams", "discord"])
@pytest.mark.parametrize("change", [b"", b"x", b"\xff\xfe", b"\0"])
def test_a_body_other_than_the_signed_one_is_401(chat: Chat, platform: str, change: bytes) -> None:
    raw = BODIES[platform]("help")
    other = raw + change if change else raw[:-1]
    assert chat.send(platform, other, signed(platform, raw)).status_code == 401


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_signed_body_that_is_not_utf8_is_401(chat: Chat, platform: str) -> None:
    raw = b'{"text": "\xff"}' if platform in {"teams", "discord"} else b"text=\xff"
    assert chat.send(platform, raw, signed(platform, raw)).status_code == 401


@pytest.mark.parametrize("platform", TIMED)
@pytest.mark.parametrize("age", [-400, 304, 10**9])
def test_a_request_sent_again_later_is_401(chat: Chat, platform: str, age: int) -> None:
    raw = BODIES[platform]("help")
    answer = chat.send(platform, raw, signed(platform, raw, NOW - age))
    assert answer.status_code == 401
    assert "300 seconds" in answer.json["detail"]


@pytest.mark.parametrize(
    "stamp", ["2018-07-12T18:30:00Z", "2018-07-12", "0001-01-01T00:00:00", "yesterday, at noon"]
)
def test_an_old_message_of_teams_is_401(chat: Chat, stamp: str) -> None:
    raw = b'{"type": "message", "timestamp": "%s", "text": "help"}' % stamp.encode()
    assert chat.send("teams", raw, signed("teams", raw)).status_code == 401


# slack_sdk 3.47's SignatureVerifier raises on the first four of these.
FORGERIES = ["", "x", "9" * 5000, "é", "1e9", "-1", "\u0661\u0665", "0x5b47a0ca", " 1531420618 "]


@pytest.mark.parametrize("given", FORGERIES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_forged_headers_are_401_and_never_5xx(chat: Chat, platform: str, given: str) -> None:
    raw = BODIES[platform]("help").replace(MATTERMOST_TOKEN.encode(), b"wrong")
    for name in set(signed(platform, raw)) - {"Content-Type"}:
        headers = {**signed(platform, raw), name: given.encode().decode("latin-1")}
        assert chat.send(platform, raw, headers).status_code == 401


def test_a_signature_of_teams_without_its_scheme_is_401(chat: Chat) -> None:
    raw = BODIES["teams"]("help")
    bare = signed("teams", raw)["Authorization"].removeprefix("HMAC ")
    for given in (bare, f"Bearer {bare}", "HMAC " + base64.b64encode(b"short").decode()):
        headers = {"Authorization": given, "Content-Type": "application/json"}
        assert chat.send("teams", raw, headers).status_code == 401


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_body_beyond_the_bound_is_413(chat: Chat, platform: str) -> None:
    raw = BODIES[platform]("x" * 70_000)
    assert chat.send(platform, raw, signed(platform, raw)).status_code == 413


@pytest.mark.parametrize("platform", PLATFORMS)
def test_without_a_secret_the_route_says_how_to_turn_it_on(
    client: FlaskClient, platform: str
) -> None:
    answer = client.post(f"/v1/chat/{platform}", data=b"text=help")
    assert answer.status_code == 404
    assert f"{VARIABLES[platform]}_FILE" in answer.json["detail"]


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("new-token\nold-token\n")
    found = chat_settings({
        "SLACK_SIGNING_SECRET": SLACK_SECRET,
        "MATTERMOST_TOKEN_FILE": str(path),
        "TEAMS_WEBHOOK_SECRET": TEAMS_SECRET,
        "DISCORD_PUBLIC_KEY": DISCORD_PUBLIC,
        "PUBLIC_URL": "https://gpus.example.com/",
    })
    assert set(found.secrets) == set(VARIABLES)
    assert found.secrets["mattermost"] == (b"new-token", b"old-token")
    assert found.public_url == "https://gpus.example.com"


@pytest.mark.parametrize(
    "environment",
    [
        {"SLACK_SIGNING_SECRET": "a", "SLACK_SIGNING_SECRET_FILE": "b"},
        {"MATTERMOST_TOKEN_FILE": "/no/such/file"},
        {"MATTERMOST_TOKEN_FILE": "/dev/null"},
        {"TEAMS_WEBHOOK_SECRET": "not base64!"},
        {"TEAMS_WEBHOOK_SECRET": "é"},
        {"DISCORD_PUBLIC_KEY": "abc"},
        {"PUBLIC_URL": "gpus.example.com"},
    ],
)
def test_a_secret_that_cannot_be_used_stops_the_start(environment: dict[str, str]) -> None:
    with pytest.raises(CatalogError, match=next(iter(environment)).removesuffix("_FILE")):
        chat_settings(environment)


def test_an_empty_variable_leaves_the_route_off() -> None:
    assert chat_settings({"SLACK_SIGNING_SECRET": ""}).secrets == {}


def test_a_chunked_body_beyond_the_bound_is_413_and_not_cut(chat: Chat) -> None:
    raw = BODIES["mattermost"]("help") + b"&pad=" + b"x" * 70_000
    answer = chat.client.post(
        "/v1/chat/mattermost",
        input_stream=BytesIO(raw),
        headers=signed("mattermost", raw),
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413
