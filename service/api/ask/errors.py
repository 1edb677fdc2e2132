"""What could not be read of a line."""

from __future__ import annotations

from marshmallow import ValidationError

MOST = 5


class Misread(ValidationError):
    """Words that mean nothing here, or contradict each other: one message each."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__({"q": messages[:MOST]})
        self.said = tuple(messages[:MOST])
