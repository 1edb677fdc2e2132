"""How far a line is read: its tokens, what they said, and what could not be read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from service.api.ask.names import Names
from service.api.ask.tokens import Token
from service.api.ask.values import is_numeric
from service.api.ask.words import KEYS, PHRASES

GLUED = (
    re.compile(r"(?P<times>\d{1,4}[x*])(?P<card>[a-z].*)", re.ASCII),
    re.compile(r"(?P<card>[a-z].*[a-z0-9])(?P<times>[x*]\d{1,4})", re.ASCII),
)
KEY_AND_NUMBER = re.compile(r"([a-z]{1,12})(\d{1,9}[km]?)", re.ASCII)
SIGNS = {"x", "*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that a line says: a name of words.py or a query parameter, its text, its words."""

    name: str
    value: str
    word: str


@dataclass(slots=True, kw_only=True)
class Scan:
    """How far a line is read."""

    line: list[Token]
    names: Names
    at: int = 0
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def low(self, ahead: int = 0) -> str:
        """A token ahead in lower case; empty beyond the end and for `key=value`."""
        place = self.at + ahead
        if place >= len(self.line):
            return ""
        token = self.line[place]
        return "" if is_keyed(token) else token.low

    def typed(self, count: int) -> str:
        """The next tokens as they were typed."""
        return " ".join(token.text for token in self.line[self.at : self.at + count])

    def take(self, count: int, *said: tuple[str, str]) -> bool:
        """Move on over some tokens that say something."""
        word = self.typed(count)
        self.entries += [Entry(name=name, value=value, word=word) for name, value in said]
        self.at += count
        return True

    def refuse(self, count: int, message: str) -> bool:
        """Move on over tokens that cannot be read."""
        self.problems.append(message)
        self.at += count
        return True


def is_keyed(token: Token) -> bool:
    """Whether a token is `key=value`; with `:` only where the key is known."""
    return bool(token.key) and ("=" in token.low or token.key in KEYS)


def split_counts(line: list[Token], names: Names) -> list[Token]:
    """`8xh100` and `h100 x 8` as two tokens, `80 gb` as one."""
    found: list[Token] = []
    for token in line:
        before = found[-1].low if found else ""
        if token.low.isdigit() and before in SIGNS:
            found[-1] = Token(text=f"{before} {token.text}", low=f"x{token.low}")
        elif token.low in {"x", "k", "b", "gb"} and before.replace(".", "", 1).isdigit():
            found[-1] = Token(text=f"{found[-1].text} {token.text}", low=before + token.low)
        else:
            found += unglued(token, names)
    return found


def unglued(token: Token, names: Names) -> list[Token]:
    """The card and the count of one word, or its key and its number."""
    if token.key or PHRASES.get(token.low) or names.meanings(token.low):
        return [token]
    short = KEY_AND_NUMBER.fullmatch(token.low)
    if short and is_numeric(KEYS.get(short[1], "")):
        return [Token(text=token.text, low=f"{short[1]}={short[2]}", key=short[1], value=short[2])]
    for pattern in GLUED:
        parts = pattern.fullmatch(token.low)
        if parts and is_card(parts["card"], names):
            pieces = sorted(("card", "times"), key=parts.start)
            return [Token(text=parts[name], low=parts[name].replace("*", "x")) for name in pieces]
    return [token]


def is_card(word: str, names: Names) -> bool:
    """Whether a word names a card, or begins such a name."""
    return any(kind == "gpu" for kind, _ in (*names.meanings(word), *names.completions(word)))
