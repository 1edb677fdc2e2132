"""A line cut into tokens in one pass, spelling evened out; bounded before anything looks at it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from service.api.ask.errors import Misread

MAX_LINE = 500
QUOTES = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "×": "x", "✕": "x", "–": "-", "—": "-"}
EDGES = ".,;!?()[]{}<>"
ENDS = ".,;!?"
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII)
UNSEEN = {"Cc", "Cs", "Co", "Cn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A word of a line.

    text   as it was typed, for the echo
    low    lower case, without the punctuation around it
    key    what stands before `=` or `:`, with `-` as `_`; empty for a plain word
    value  what stands behind it
    """

    text: str
    low: str
    key: str = ""
    value: str = ""


def tokens(line: str) -> list[Token]:
    """The words of a line.

    Raises: Misread for lines that are too long, or hold characters that cannot be seen.
    """
    even = unicodedata.normalize("NFKC", line[: MAX_LINE + 1])
    if len(line) > MAX_LINE or len(even) > MAX_LINE:
        raise Misread([f"The line has more than {MAX_LINE} characters."])
    if any(unicodedata.category(one) in UNSEEN and not one.isspace() for one in even):
        raise Misread(["The line holds characters that cannot be seen; type it anew."])
    for odd, plain in QUOTES.items():
        even = even.replace(odd, plain)
    return [token for piece in pieces(even) for token in parts(piece)]


def pieces(line: str) -> list[str]:
    """Words between spaces, with spaces around `=` closed up; a quoted name is one word."""
    found: list[str] = []
    for index, run in enumerate(line.split('"')):
        if index % 2:
            if found and found[-1].endswith(("=", ":")):
                found[-1] += run.strip()
            elif run.strip():
                found.append(" ".join(run.split()))
            continue
        even = " ".join(run.split()).replace(" =", "=").replace("= ", "=")
        found += even.split()
    return found


def parts(piece: str) -> list[Token]:
    """One token, or several that commas separate outside of `key=value`."""
    if "=" in piece or THOUSANDS.fullmatch(piece.strip(EDGES)):
        return [token(piece)]
    return [token(part) for part in piece.replace(";", ",").split(",") if part.strip(EDGES)]


def token(text: str) -> Token:
    """A token with its key and value where it has them."""
    text = text.replace("`", "'").rstrip(ENDS)
    low = text.strip(EDGES).lower()
    if THOUSANDS.fullmatch(low):
        low = low.replace(",", "")
    plain = low.lstrip("-") if low.startswith("-") else low
    for sign in "=:":
        key, found, value = plain.partition(sign)
        if found and key and "://" not in plain:
            return Token(text=text, low=plain, key=key.replace("-", "_"), value=value)
    return Token(text=text, low=plain or low)
