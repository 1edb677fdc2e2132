"""Strict fields: nothing is coerced, every number is bounded."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

MAX_TEXT = 300
COUNT = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?\s*([kmbt]?)", re.IGNORECASE | re.ASCII)
PARAMETER_SCALE = {"": 0, "k": 3, "m": 6, "b": 9, "t": 12}
MAX_PARAMETERS = 10**15


class Strict(Schema):
    """A schema that refuses unknown fields and says which one may have been meant."""

    class Meta:
        """marshmallow's options."""

        unknown = RAISE

    error_messages = {"type": "Not an object."}  # ruff: ignore[mutable-class-default] - marshmallow's own form

    def handle_error(self, error: ValidationError, data: Any, **kwargs: Any) -> None:
        """Add the nearest field to the message of an unknown one."""
        del data, kwargs
        messages = error.messages if isinstance(error.messages, dict) else {}
        for name, message in messages.items():
            if message == ["Unknown field."]:
                near = get_close_matches(str(name), self.fields, n=1)
                hint = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(self.fields)}."
                messages[name] = [f"Unknown field.{hint}"]


class Whole(fields.Integer):
    """A whole number within bounds; no text, no fraction, no boolean."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=low, max=high), **kwargs)

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Not a whole number.")
        return value


class Number(fields.Float):
    """A finite number within bounds; no text, no boolean."""

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=low, max=high), **kwargs)

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("Not a number.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValidationError("Not a finite number.")
        return float(value)


class Flag(fields.Boolean):
    """true or false, nothing that resembles them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        del attr, data, kwargs
        if not isinstance(value, bool):
            raise ValidationError("Not true or false.")
        return value


class Text(fields.String):
    """A short text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=MAX_TEXT), **kwargs)


class Word(fields.String):
    """One of a fixed set of words."""

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(words), **kwargs)


def parameter_count(value: object) -> int:
    """A count of parameters: 8000000000 or "8B", "70b", "1.5T".

    Raises: ValidationError where it is neither, or out of bounds.
    """
    number = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and (match := COUNT.fullmatch(value.strip())):
        whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3).lower()
        scale = PARAMETER_SCALE[unit]
        if len(fraction) <= scale:
            number = int(whole) * 10**scale + int(fraction or 0) * 10 ** (scale - len(fraction))
    if number is None or not 1 <= number <= MAX_PARAMETERS:
        raise ValidationError('A count such as 8000000000 or "8B", at most 10^15.')
    return number


class Count(fields.Field[Any]):
    """A number of parameters: 8000000000 or "8B"."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        del attr, data, kwargs
        return parameter_count(value)
