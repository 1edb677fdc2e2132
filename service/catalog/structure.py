"""Mappings to frozen dataclasses: the dataclass is the schema of its file."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

from service.catalog.errors import CatalogError

T = TypeVar("T")


def structure(kind: type[T], data: object, **given: object) -> T:
    """An instance of a frozen dataclass from a mapping, refusing what does not match.

    `given` holds fields that the file does not carry, such as the entry's own key.
    Raises: CatalogError naming the field for unknown or missing keys and wrong types.
    """
    if not isinstance(data, Mapping):
        raise CatalogError(f"must be a mapping, not {data!r}")
    known = _fields(typing.cast("Any", kind))
    for key in data:
        if key not in known or key in given:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CatalogError(f"unknown key{hint}", line=line_of(data, key), place=str(key))
    values = dict(given)
    for name, (annotation, required) in known.items():
        if name in data:
            try:
                values[name] = convert(annotation, data[name])
            except CatalogError as error:
                raise error.inside("", line_of(data, name), name) from error
        elif required and name not in given:
            raise CatalogError("missing", place=name)
    return kind(**values)


def line_of(data: Mapping[str, object], key: str) -> int | None:
    """Line of a key, where the mapping came from a file."""
    lines: Mapping[str, int] = getattr(data, "line_of", {})
    return lines.get(key)


@cache
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    entries: tuple[Field[Any], ...] = fields(kind)
    return {
        entry.name: (
            hints[entry.name],
            entry.default is MISSING and entry.default_factory is MISSING,
        )
        for entry in entries
    }


def convert(annotation: Any, value: object) -> Any:
    """A value as its annotation wants it; nothing is coerced but whole numbers to floats."""
    origin = typing.get_origin(annotation)
    if origin in {types.UnionType, typing.Union}:
        return _optional(annotation, value)
    if origin is typing.Literal:
        return _literal(annotation, value)
    if origin is tuple:
        return _tuple(annotation, value)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(annotation, value)
    if is_dataclass(annotation):
        return structure(typing.cast("type[Any]", annotation), value)
    return _scalar(annotation, value)


def _optional(annotation: Any, value: object) -> Any:
    if value is None:
        raise CatalogError("is empty; leave the key out where the value is unknown")
    inner = [option for option in typing.get_args(annotation) if option is not type(None)]
    return convert(inner[0], value)


def _literal(annotation: Any, value: object) -> Any:
    allowed = typing.get_args(annotation)
    if value not in allowed or isinstance(value, bool):
        raise CatalogError(f"{value!r} is none of {', '.join(map(str, allowed))}")
    return value


def _tuple(annotation: Any, value: object) -> Any:
    if not isinstance(value, list):
        raise CatalogError(f"must be a list, not {value!r}")
    return tuple(convert(typing.get_args(annotation)[0], item) for item in value)


def _mapping(annotation: Any, value: object) -> Any:
    if not isinstance(value, Mapping):
        raise CatalogError(f"must be a mapping, not {value!r}")
    key_kind, item_kind = typing.get_args(annotation)
    result = {}
    for key, item in value.items():
        try:
            result[convert(key_kind, key)] = convert(item_kind, item)
        except CatalogError as error:
            raise error.inside("", line_of(value, key), str(key)) from error
    return result


def _decimal(value: object) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise CatalogError(f"must be a number in quotes, not {value!r}")
    return number


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
        raise CatalogError(f"must be a finite number, not {value!r}")
    return float(value)


SCALARS: dict[type, Callable[[object], Any]] = {Decimal: _decimal, float: _float}


def _scalar(annotation: Any, value: object) -> Any:
    if annotation in SCALARS:
        return SCALARS[annotation](value)
    wrong = type(value) is not annotation
    if wrong:
        raise CatalogError(f"must be {annotation.__name__}, not {value!r}")
    return value
