"""A reply in each platform's own form and within its limits: one function each and the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.presentation.chat.reply import Reply, aligned, clipped

SLACK_TITLE, SLACK_SECTION, SLACK_NOTE = 600, 2600, 700
MATTERMOST_POST = 16_000
TEAMS_BLOCK, TEAMS_FACTS, TEAMS_SENTENCES = 1000, 30, 10
MOST_NOTES = 5
DISCORD_TITLE, DISCORD_TEXT, DISCORD_FIELD, DISCORD_FOOTER = 250, 2600, 1000, 1500
EPHEMERAL_FLAG = 64
COLOURS = {"good": 0x2E7D32, "bad": 0xB23B3B, "plain": 0x546E7A}
NO_MENTION = "@\u200b"
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_~[]#|<>"} | {"@": NO_MENTION})
MRKDWN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": NO_MENTION, "*": "∗"})
CODE = str.maketrans({"`": "'"})


def slack(reply: Reply) -> dict[str, Any]:
    """Block Kit: sections of mrkdwn, small print as context."""
    blocks = [section(f"*{plain(reply.title, SLACK_TITLE)}*")]
    if reply.table:
        blocks.append(section(fence(slack_code(aligned(reply.table)), SLACK_SECTION)))
    if reply.facts:
        blocks.append(section(plain("\n".join(f"• {fact}" for fact in reply.facts), SLACK_SECTION)))
    if reply.codes:
        blocks.append(section(fence(slack_code("\n".join(reply.codes)), SLACK_SECTION)))
    small = [plain(note, SLACK_NOTE) for note in reply.notes[:MOST_NOTES]]
    small += [f"<{slack_code(address)}|{plain(label, 100)}>" for label, address in reply.links[:3]]
    if small:
        elements = [{"type": "mrkdwn", "text": text} for text in small]
        blocks.append({"type": "context", "elements": elements})
    return {
        "response_type": "in_channel" if reply.shared else "ephemeral",
        "text": plain(reply.title, SLACK_TITLE),
        "blocks": blocks,
    }


def section(text: str) -> dict[str, Any]:
    """One block of text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def plain(text: str, most: int) -> str:
    """Text that Slack takes for no markup and no mention; code in backticks stays code."""
    return clipped(text.translate(MRKDWN), most)


def slack_code(text: str) -> str:
    """Text for a code block or an address of Slack: only its three entities are escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fence(text: str, most: int) -> str:
    """A code block that its text cannot end."""
    return f"```\n{clipped(text.translate(CODE), most - 8)}\n```"


def mattermost(reply: Reply) -> dict[str, Any]:
    """Markdown with a table."""
    parts = [f"**{markdown(reply.title)}**"]
    if reply.table:
        rows = ["| " + " | ".join(map(markdown, row)) + " |" for row in reply.table]
        rows.insert(1, "| :-- |" + " --: |" * (len(reply.table[0]) - 1))
        parts.append("\n".join(rows))
    if reply.facts:
        parts.append("\n".join(f"- {markdown(fact)}" for fact in reply.facts))
    parts += [fence(code, MATTERMOST_POST // 4) for code in reply.codes]
    parts += [markdown(note) for note in reply.notes]
    parts += [f"[{markdown(label)}]({address})" for label, address in reply.links]
    return {
        "response_type": "in_channel" if reply.shared else "ephemeral",
        "text": clipped("\n\n".join(parts), MATTERMOST_POST),
        "skip_slack_parsing": True,
    }


def markdown(text: str) -> str:
    """Text that Markdown takes for no markup and no mention; code in backticks stays code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return text.translate(MARKDOWN)
    kept = (part if place % 2 else part.translate(MARKDOWN) for place, part in enumerate(parts))
    return "`".join(kept)


def teams(reply: Reply) -> dict[str, Any]:
    """An Adaptive Card of version 1.4; its only action opens an address."""
    body: list[dict[str, Any]] = [text_block(reply.title, weight="Bolder", size="Medium")]
    if reply.table:
        facts = [
            {"title": markdown(row[0]), "value": markdown(", ".join(filter(None, row[1:])))}
            for row in reply.table[:TEAMS_FACTS]
        ]
        body.append({"type": "FactSet", "facts": facts})
    body += [text_block(fact) for fact in reply.facts[:TEAMS_SENTENCES]]
    body += [code_block(code) for code in reply.codes]
    body += [text_block(note, isSubtle=True, size="Small") for note in reply.notes[:MOST_NOTES]]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [
            {"type": "Action.OpenUrl", "title": label, "url": address}
            for label, address in reply.links
        ],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def text_block(text: str, **looks: Any) -> dict[str, Any]:
    """A paragraph of a card."""
    return {
        "type": "TextBlock",
        "text": markdown(clipped(text, TEAMS_BLOCK)),
        "wrap": True,
        **looks,
    }


def code_block(text: str) -> dict[str, Any]:
    """A command of a card; its run is taken as it is."""
    run = {"type": "TextRun", "text": clipped(text, 2 * TEAMS_BLOCK), "fontType": "Monospace"}
    return {"type": "RichTextBlock", "inlines": [run]}


def discord(reply: Reply) -> dict[str, Any]:
    """A message with one embed, in which nobody is mentioned."""
    lines = [f"- {markdown(fact)}" for fact in reply.facts]
    lines += [fence(code, DISCORD_FIELD) for code in reply.codes]
    lines += [f"[{markdown(label)}]({address})" for label, address in reply.links[:2]]
    embed: dict[str, Any] = {
        "title": clipped(markdown(reply.title), DISCORD_TITLE),
        "color": COLOURS[reply.tone],
    }
    if lines:
        embed["description"] = clipped("\n".join(lines), DISCORD_TEXT)
    if reply.table:
        value = fence(aligned(reply.table), DISCORD_FIELD)
        embed["fields"] = [{"name": reply.table[0][0], "value": value}]
    if reply.notes:
        embed["footer"] = {"text": clipped("\n".join(reply.notes), DISCORD_FOOTER)}
    data = {"embeds": [embed], "allowed_mentions": {"parse": []}}
    return {"type": 4, "data": data if reply.shared else {**data, "flags": EPHEMERAL_FLAG}}


FORMS: Mapping[str, Callable[[Reply], dict[str, Any]]] = {
    "slack": slack,
    "mattermost": mattermost,
    "teams": teams,
    "discord": discord,
}
"""How each platform writes a reply."""
