"""A whole line: its command, its sides where it compares, its readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from service.api.ask.errors import Misread
from service.api.ask.names import Names
from service.api.ask.readers import scanned
from service.api.ask.reading import Reading, reading
from service.api.ask.scan import Entry
from service.api.ask.tokens import Token, tokens
from service.api.ask.words import COMMANDS, VERSUS

MOST_SIDES = 4
MOST_LINK = 4000
NO_LINK = "Give a link to /v1/plans, /v1/estimates or /v1/ask: explain <link>."
GROUPS: Mapping[str, str] = {
    "gpu": "cards", "vendor": "cards", "memory": "cards",
    "plain": "weights", "format": "weights", "precision": "weights",
    "model": "model", "parameters": "model",
    "objective": "objective",
}  # fmt: skip
"""What one side of a comparison states as a whole, so that it takes no part of it from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a line asks: one reading for a plan or an estimate, several to compare, or words."""

    command: str
    readings: tuple[Reading, ...] = ()
    words: str = ""


def read_line(text: str, names: Names) -> Line:
    """A line.

    Raises: Misread with every word that could not be read.
    """
    first, _, rest = text.strip().partition(" ")
    if first.startswith("/") and "/" not in first[1:]:
        first, _, rest = rest.strip().partition(" ")
        text = f"{first} {rest}"
    command = COMMANDS.get(first.lower(), "plan") if first else "help"
    if command == "explain":
        return Line(command="explain", words=rest.strip())
    words = tokens(text)
    if command in {"plan", "estimate", "compare"}:
        asked = words[first.lower() in COMMANDS :]
        return question(command, asked, names) if asked else Line(command="help")
    return Line(command=command, words=" ".join(token.low for token in words[1:]))


def question(command: str, words: list[Token], names: Names) -> Line:
    """A plan, an estimate, or several plans."""
    sides = split_sides(words)
    if len(sides) == 1 and command != "compare":
        return Line(command=command, readings=(reading(command, entries(sides[0], names), names),))
    if not 1 < len(sides) <= MOST_SIDES or not all(sides):
        raise Misread([f"Compare 2 to {MOST_SIDES} things with `vs` between them."])
    if command == "estimate":
        raise Misread(["Plans are compared; leave `estimate` out."])
    stated = [entries(side, names) for side in sides]
    found = (reading("plan", merged(own, stated), names) for own in stated)
    return Line(command="compare", readings=tuple(found))


def split_sides(words: list[Token]) -> list[list[Token]]:
    """The words between each `vs`."""
    sides: list[list[Token]] = [[]]
    for token in words:
        if token.low in VERSUS:
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def entries(words: list[Token], names: Names) -> list[Entry]:
    """What some words say.

    Raises: Misread with every one that could not be read.
    """
    scan = scanned(words, names)
    if scan.problems:
        raise Misread(scan.problems)
    return scan.entries


def merged(own: list[Entry], sides: Iterable[list[Entry]]) -> list[Entry]:
    """A side with what it leaves unsaid from the first other side that says it."""
    found = list(own)
    for other in sides:
        have = {GROUPS.get(entry.name, entry.name) for entry in found}
        found += [entry for entry in other if GROUPS.get(entry.name, entry.name) not in have]
    return found


def linked(link: str) -> tuple[str, list[tuple[str, str]]]:
    """The question of a link to this service: its path and its parameters; nothing is fetched.

    Raises: Misread where it is not such a link.
    """
    address = link.strip("<>").split("|")[0][: MOST_LINK + 1]
    try:
        parts = urlsplit(address)
        found = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Misread([NO_LINK]) from error
    path = parts.path.rsplit("/v1/", 1)[-1]
    if len(address) > MOST_LINK or path not in {"plans", "estimates", "ask"}:
        raise Misread([NO_LINK])
    return path, found
