"""Examples of a document: a curl command, and what it prints, down to each `…`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flask.testing import FlaskClient

FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRIMMED = "…"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One command with the lines that the document prints below it."""

    place: str
    method: str
    url: str
    body: str | None
    headers: dict[str, str] = field(default_factory=dict)
    printed: tuple[str, ...] = ()

    def answer(self, client: FlaskClient) -> str:
        """What the service says; anything but success is a wrong example."""
        parts = urlsplit(self.url)
        found = client.open(
            parts.path,
            method=self.method,
            query_string=parts.query,
            data=self.body,
            headers=self.headers,
        )
        assert found.status_code == 200, f"{self.place}: {found.text}"
        return str(found.text)


def examples(document: Path) -> list[Example]:
    """Every command of a document's fenced blocks that begins with curl."""
    found = []
    for block in FENCE.findall(document.read_text(encoding="utf-8")):
        commands = re.split(r"^(?:\$ )?(?=curl )", block.replace("\\\n", " "), flags=re.MULTILINE)
        found += [example(document.name, text) for text in commands if text.startswith("curl ")]
    return found


def example(document: str, text: str) -> Example:
    """A command and its output; an option that nobody reads here fails."""
    command, *printed = text.splitlines()
    words = iter(shlex.split(command)[1:])
    method, url, body, headers = None, "", None, {}
    for word in words:
        if word in {"-X", "--request"}:
            method = next(words)
        elif word in {"-H", "--header"}:
            name, _, value = next(words).partition(":")
            headers[name.strip()] = value.strip()
        elif word in {"-d", "--data"}:
            body = next(words)
        elif word == "--data-binary":
            body = (ROOT / next(words).removeprefix("@")).read_text(encoding="utf-8")
        elif word not in {"-s", "-sS"}:
            assert word.startswith("http"), f"{document}: {word}"
            url = word
    return Example(
        place=f"{document}: {url}",
        method=method or ("POST" if body else "GET"),
        url=url,
        body=body,
        headers=headers,
        printed=tuple(line.rstrip() for line in printed if line.strip()),
    )


def first_wrong_line(printed: tuple[str, ...], answer: str) -> str | None:
    """The first printed line that does not stand next in the answer, or after a `…`."""
    lines = [line.rstrip() for line in answer.splitlines() if line.strip()]
    at, skipping = 0, False
    for line in printed:
        if line.strip() == TRIMMED:
            skipping = True
            continue
        while skipping and at < len(lines) and not agrees(line, lines[at]):
            at += 1
        if at == len(lines) or not agrees(line, lines[at]):
            return line
        at, skipping = at + 1, False
    return None if skipping or at == len(lines) else f"the answer goes on: {lines[at]}"


def agrees(printed: str, line: str) -> bool:
    """Whether a printed line is the answer's, or its beginning where it ends in `…`."""
    if printed.endswith(TRIMMED):
        return line.startswith(printed.removesuffix(TRIMMED).rstrip())
    return printed == line
