"""The platforms' own libraries read our messages, and sign requests that we take."""

from typing import Any

import pytest
from microsoft_teams import cards
from pydantic import BaseModel
from slack_sdk.models.blocks import Block
from slack_sdk.signature import Clock, SignatureVerifier

from service.presentation.chat.forms import slack, teams
from tests.chat.conftest import NOW, SLACK_SECRET, Chat, signed, slack_body
from tests.chat.test_messages import LINES, LONG

KINDS: dict[str, type[BaseModel]] = {
    "AdaptiveCard": cards.AdaptiveCard,
    "TextBlock": cards.TextBlock,
    "FactSet": cards.FactSet,
    "RichTextBlock": cards.RichTextBlock,
    "TextRun": cards.TextRun,
    "Action.OpenUrl": cards.OpenUrlAction,
}


def unknown_fields(node: Any) -> list[str]:
    """Fields of a card, at any depth, that Microsoft's model of its kind does not have."""
    if isinstance(node, list):
        return [name for one in node for name in unknown_fields(one)]
    if not isinstance(node, dict):
        return []
    model = KINDS[node["type"]] if "type" in node else cards.Fact
    found = model.model_validate({name: node[name] for name in node if name != "$schema"})
    inner = [name for value in node.values() for name in unknown_fields(value)]
    return [*(found.model_extra or {}), *inner]


def as_slack_reads(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks as slack_sdk builds them anew, with its checks of lengths."""
    return [block.to_dict() for block in Block.parse_all(blocks)]


@pytest.mark.parametrize("line", LINES)
def test_slack_sdk_reads_the_blocks_of_an_answer(chat: Chat, line: str) -> None:
    blocks = chat.say("slack", line).json["blocks"]
    assert as_slack_reads(blocks) == blocks


def test_slack_sdk_reads_the_longest_reply() -> None:
    blocks = slack(LONG)["blocks"]
    assert as_slack_reads(blocks) == blocks


@pytest.mark.parametrize("line", LINES)
def test_microsofts_cards_know_every_field_of_an_answer(chat: Chat, line: str) -> None:
    card = chat.say("teams", line).json["attachments"][0]["content"]
    assert unknown_fields(card) == []


def test_microsofts_cards_know_every_field_of_the_longest_reply() -> None:
    card = teams(LONG)["attachments"][0]["content"]
    assert unknown_fields(card) == []
    assert unknown_fields({**card, "tables": []}) == ["tables"]


class At(Clock):
    def now(self) -> float:
        return NOW


def test_slack_sdk_signs_as_we_verify_and_verifies_as_we_sign(chat: Chat) -> None:
    raw, verifier = slack_body("help"), SignatureVerifier(SLACK_SECRET, clock=At())
    theirs = verifier.generate_signature(timestamp=str(NOW), body=raw)
    headers = {**signed("slack", raw), "X-Slack-Signature": theirs}
    assert chat.send("slack", raw, headers).status_code == 200
    assert verifier.is_valid_request(raw, signed("slack", raw))
