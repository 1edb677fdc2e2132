"""Answers take each platform's form, keep its limits, and say in words what cannot be answered."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.ask.words import KEYS
from service.presentation.chat.forms import FORMS
from service.presentation.chat.reply import Reply
from tests.chat.conftest import BODIES, Chat, discord_body, signed

PLATFORMS = list(BODIES)
LINES = [
    "llama-3.3-70b ctx=32k users=50 on h100 max 8 cheapest",
    "train llama-3-8b lora r16 seq=4k batch=8 on l40s",
    "compare llama-3.3-70b ctx=32k on a100-80gb vs h200",
    "estimate llama-3.1-8b users=32 on l40s x2",
    "cards",
    "models",
    "help",
    "nonsense " * 20,
]


def texts(data: Any) -> list[str]:
    """Every text of an answer."""
    if isinstance(data, dict):
        return [text for value in data.values() for text in texts(value)]
    if isinstance(data, list):
        return [text for value in data for text in texts(value)]
    return [data] if isinstance(data, str) else []


def too_long(platform: str, data: dict[str, Any]) -> list[str]:
    """What a message has beyond its platform's limits, by the documents of each."""
    if platform == "slack":
        blocks = data["blocks"]
        found = [one["text"]["text"] for one in blocks if one["type"] == "section"]
        found += [e["text"] for one in blocks for e in one.get("elements", [])]
        sizes = {"text": (max(map(len, found)), 3000), "whole": (len("".join(found)), 13_000)}
        sizes["blocks"] = (len(blocks), 50)
        sizes["elements"] = (max(len(one.get("elements", [])) for one in blocks), 10)
    elif platform == "mattermost":
        sizes = {"text": (len(data["text"]), 16_383)}
    elif platform == "teams":
        sizes = {"message": (len(json.dumps(data)), 28_000)}
    else:
        embed = data["data"]["embeds"][0]
        fields = embed.get("fields", [])
        sizes = {
            "title": (len(embed["title"]), 256),
            "description": (len(embed.get("description", "")), 4096),
            "value": (max((len(one["value"]) for one in fields), default=0), 1024),
            "footer": (len(embed.get("footer", {}).get("text", "")), 2048),
            "whole": (len("".join(texts(embed))), 6000),
        }
    return [name for name, (size, most) in sizes.items() if size > most]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_keeps_the_limits_of_its_platform(chat: Chat, platform: str, line: str) -> None:
    answer = chat.say(platform, line)
    assert answer.status_code == 200
    assert too_long(platform, answer.json) == []


LONG = Reply(
    title="t" * 5000,
    table=tuple((f"row {i}", "1.00", "0.90 to 1.10") for i in range(100)),
    facts=tuple("fact @here *bold* <!channel> `x` " * 10 for _ in range(20)),
    codes=("c" * 5000, "d" * 5000),
    notes=tuple("n" * 3000 for _ in range(8)),
    links=tuple((f"link {i}", f"https://example.com/{i}") for i in range(5)),
)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_even_the_longest_reply_keeps_the_limits(platform: str) -> None:
    assert too_long(platform, FORMS[platform](LONG)) == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_plan_says_cards_split_memory_why_not_fewer_cost_and_how_to_ask_again(
    chat: Chat, platform: str
) -> None:
    said = "\n".join(texts(chat.say(platform, LINES[0]).json)).replace("\\", "")
    for part in (
        "x h100", "pipeline stages", "kv_cache", "may be used", "Why not", "USD an hour",
        "vllm serve", "curl", "Read as: model", "https://gpus.example.com/v1/ask?q=",
    ):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lama-3.3-70b on h100", "llama-3.3-70b"),
        ("llama-3.3-70b users=0", "`users=0`: Must be greater than or equal to 1"),
        ("llama-3-70b ctx=32k", "`ctx=32k`: 32768 is beyond the model's limit of 8192 tokens"),
        ("no-one/knows-this on h100", "no-one/knows-this"),
        ("estimate llama-3.1-8b on h100", "h100-sxm5-80gb"),
        ("explain https://example.com/", "explain <link>"),
        ("llama-3.3-70b catalog_version=1", "is not loaded"),
    ],
)
def test_what_cannot_be_answered_is_said_to_the_asker_alone(
    chat: Chat, platform: str, line: str, words: str
) -> None:
    answer = chat.say(platform, line)
    said = "\n".join(texts(answer.json)).replace("\\", "").replace("&lt;", "<")
    assert answer.status_code == 200
    assert words in said.replace("&gt;", ">")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_line_cannot_mention_people_or_end_a_code_block(chat: Chat, platform: str) -> None:
    answer = chat.say(platform, '<!here> @channel <@U123> ``` "*a* | b" [x](http://evil)')
    said = "\n".join(texts(answer.json))
    assert answer.status_code == 200
    assert "<!here>" not in said or platform != "slack"
    assert "@channel" not in said.replace("`@channel`", "")
    assert "```" not in said


def test_a_comparison_names_the_winner(chat: Chat) -> None:
    title = chat.say("slack", LINES[2]).json["text"]
    assert title.startswith("a100-80gb vs h200: ")
    fewer = "compare llama-3.3-70b ctx=32k users=16 on a100-80gb vs h200"
    assert chat.say("slack", fewer).json["text"].endswith("h200 needs the fewest cards.")


def test_the_link_to_the_page_shows_the_same_plan(chat: Chat) -> None:
    said = "\n".join(texts(chat.say("teams", LINES[0]).json))
    link = re.search(r"https://gpus\.example\.com(/\?ask=\S+)", said)
    assert link
    page = chat.client.get(link[1])
    assert page.status_code == 200
    assert "objective = lowest-cost (cheapest)" in page.text


def test_share_shows_the_answer_to_the_channel(chat: Chat) -> None:
    line = "llama-3.1-8b on l4"
    assert chat.say("slack", line).json["response_type"] == "ephemeral"
    assert chat.say("slack", f"{line} share").json["response_type"] == "in_channel"
    assert chat.say("discord", line).json["data"]["flags"] == 64
    assert "flags" not in chat.say("discord", f"{line} share").json["data"]


def test_slack_checks_the_address_and_the_certificate(chat: Chat) -> None:
    raw = (
        b'{"type": "url_verification", "token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": "3eZbrw"}'
    )
    headers = {**signed("slack", raw), "Content-Type": "application/json"}
    assert chat.send("slack", raw, headers).json == {"challenge": "3eZbrw"}
    raw = b"ssl_check=1&token=Jhj5dZrVaK7ZwHHjRyZWjbDl"
    assert chat.send("slack", raw, signed("slack", raw)).json == {}


def test_slacks_entities_and_the_commands_name_are_taken_off(chat: Chat) -> None:
    said = texts(chat.say("slack", "explain &lt;http://x/v1/plans?model=gpt2&amp;gpu=l4&gt;").json)
    assert said[1].startswith("openai-community/gpt2: 1 x l4-24gb")


def test_discord_pings_and_completes(chat: Chat) -> None:
    raw = b'{"type": 1}'
    assert chat.send("discord", raw, signed("discord", raw)).json == {"type": 1}
    raw = discord_body("llama-3.3-70b on l40", kind=4)
    answer = chat.send("discord", raw, signed("discord", raw)).json
    values = [one["value"] for one in answer["data"]["choices"]]
    assert answer["type"] == 8
    assert values[:2] == ["llama-3.3-70b on l40", "llama-3.3-70b on l40s"]
    assert len(values) <= 25


def test_options_of_a_discord_command_are_words(chat: Chat) -> None:
    options = [
        {"name": "model", "type": 3, "value": "llama-3.1-8b"},
        {"name": "users", "type": 4, "value": 4},
        {"name": "gpu", "type": 3, "value": "l4"},
    ]
    inner = {"name": "plan", "type": 1, "options": options}
    raw = json.dumps({"type": 2, "data": {"name": "gpus", "options": [inner]}}).encode()
    answer = chat.send("discord", raw, signed("discord", raw)).json
    assert "1 x l4-24gb" in answer["data"]["embeds"][0]["title"]


@pytest.mark.parametrize(
    ("platform", "raw"),
    [
        ("slack", b'{"type": "event_callback"}'),
        ("slack", b"&".join(b"a=1" for _ in range(200))),
        ("teams", b"[]"),
        ("teams", b'{"text": 5}'),
        ("teams", b"[" * 50_000),
        ("discord", b'{"type": 3}'),
        ("discord", b"{}"),
        ("discord", b'{"type": "1"}'),
    ],
)
def test_a_signed_body_of_another_form_is_400(chat: Chat, platform: str, raw: bytes) -> None:
    assert chat.send(platform, raw, signed(platform, raw)).status_code == 400


WORDS = """llama-3.1-8b gpt2 70b l4 h100 x8 8x max under $9/h 32k ctx= users=3 train lora r16 vs
compare kv fp8 awq vllm tp=2 cards explain estimate 80gb nvidia risk = : , " 5 on""".split()  # ruff: ignore[split-static-string] - read as a line
VALUES = ["1", "8", "32k", "0.5", "true", "none", "fp8", "awq", "lm_head", "l4", "gpt2", "x", "a,b"]
PAIRS = st.builds("{}={}".format, st.sampled_from(sorted(KEYS)), st.sampled_from(VALUES))
ANY_LINE = st.one_of(
    st.text(max_size=600),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(PAIRS, max_size=4).map(lambda pairs: " ".join(["gpt2", "on", "l4", *pairs])),
    st.lists(PAIRS, max_size=4).map(lambda pairs: " ".join(["estimate", "gpt2", *pairs])),
)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_line_whatever_is_answered_with_5xx(chat: Chat, platform: str) -> None:
    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(ANY_LINE)
    def answered(line: str) -> None:
        sent = line.encode("utf-8", "replace").decode()
        assert chat.say(platform, sent).status_code in {200, 400}

    answered()
