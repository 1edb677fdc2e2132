"""What is wrong, in one line for one cell."""

from __future__ import annotations

from service.api.errors import Problem

LONGEST = 500


def reason(found: Problem) -> str:
    """A problem in one line, each parameter by the name that a query has."""
    entries = found.more.get("errors", ())
    said = [f"{one['pointer'].rsplit('/', 1)[-1]}: {one['message']}" for one in entries]
    text = "; ".join(one.removeprefix(": ") for one in said) or found.detail
    return " ".join(text.split())[:LONGEST]
