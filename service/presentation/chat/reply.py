"""A reply before it takes the form of a platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "plain"]
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is said, in the order of its weight.

    title   the answer in one line
    table   rows of numbers, the header first; none where there is nothing to count
    facts   sentences that prove and complete the answer
    codes   commands to copy
    notes   small print: the reading, warnings, assumptions
    links   label and address
    shared  whether the whole channel may read it
    """

    title: str
    table: tuple[Row, ...] = ()
    facts: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    tone: Tone = "plain"
    shared: bool = False


def clipped(text: str, most: int) -> str:
    """Text of at most so many characters, cut at a line where it is too long."""
    if len(text) <= most:
        return text
    kept = text[: most - 2]
    line, found, _ = kept.rpartition("\n")
    return f"{line if found else kept}\n…"


def aligned(table: tuple[Row, ...]) -> str:
    """A table in columns: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)
