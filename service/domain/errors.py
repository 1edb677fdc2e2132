"""Errors in the domain's words; the HTTP edge turns each into one answer."""

from __future__ import annotations


class UnknownName(Exception):
    """A name that no catalog has, with the nearest ones."""

    def __init__(self, kind: str, name: str, nearest: tuple[str, ...] = ()) -> None:
        self.kind, self.name, self.nearest = kind, name, nearest
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        super().__init__(f"no {kind} is called {name!r}{hint}")


class InvalidRequest(Exception):
    """A field that cannot be honoured, with what would be right."""

    def __init__(self, field: str, message: str) -> None:
        self.field, self.message = field, message
        super().__init__(f"{field}: {message}")


class MalformedConfig(InvalidRequest):
    """A model's config that does not describe a model."""
