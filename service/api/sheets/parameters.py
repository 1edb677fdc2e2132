"""Parameters that say how an answer is written, apart from those of the question."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar

from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from service.api.flat import ALIASES
from service.presentation.sheets.delimited import PLAIN, Dialect
from service.presentation.sheets.fields import UNITS, Fields

T = TypeVar("T")
SEPARATORS: Mapping[str, str] = {
    ",": ",", ";": ";", "|": "|", "\t": "\t", "comma": ",", "semicolon": ";", "tab": "\t",
}  # fmt: skip
DECIMALS: Mapping[str, str] = {".": ".", ",": ",", "point": ".", "comma": ","}
FLAGS: Mapping[str, bool] = {"0": False, "1": True, "false": False, "true": True}
ON_ERROR: Mapping[str, str] = {name: name for name in ("status", "text", "empty")}
UNIT_NAMES: Mapping[str, str] = {name: name for name in UNITS}
MOST_NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns an answer shows and how its cells are written."""

    columns: tuple[str, ...]
    dialect: Dialect


def parted(
    given: MultiDict[str, str], own: Collection[str]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Parameters of this module, and those of the question; an empty one is an empty cell.

    Raises: ValidationError where one of this module's stands twice.
    """
    mine: dict[str, str] = {}
    rest = []
    for name, value in given.items(multi=True):
        if name not in own:
            rest += [(name, value.strip())] if value.strip() else []
        elif name in mine:
            raise ValidationError({name: ["Given more than once."]})
        elif value:
            mine[name] = value
    return mine, rest


def choice(given: Mapping[str, str], name: str, known: Mapping[str, T], default: T) -> T:
    """One of a few words.

    Raises: ValidationError naming them.
    """
    if name not in given:
        return default
    found = known.get(given[name].lower())
    if found is None:
        listed = ", ".join(repr(word) for word in known)
        raise ValidationError({name: [f"Must be one of {listed}."]})
    return found


def dialect(given: Mapping[str, str], base: Dialect = PLAIN) -> Dialect:
    """How cells are written as text."""
    return replace(
        base,
        separator=choice(given, "sep", SEPARATORS, base.separator),
        decimal=choice(given, "decimal", DECIMALS, base.decimal),
        header=choice(given, "header", FLAGS, base.header),
        mark=choice(given, "bom", FLAGS, base.mark),
    )


def column(name: str, fields: Fields[Any]) -> str:
    """The field of a name.

    Raises: ValidationError with the nearest names.
    """
    found = fields.named(name.strip().lower())
    if found is None:
        raise ValidationError({"fields": [no_field(name, fields)]})
    return found


def no_field(name: str, fields: Fields[Any]) -> str:
    """What to say of a field that does not exist."""
    near = get_close_matches(name.strip().lower()[:100], list(fields.names()), n=3)
    said = f"No field is called {name[:100]!r}."
    if near:
        return f"{said} Did you mean {', '.join(near)}?"
    return f"{said} Known: {', '.join(fields.columns[:MOST_NAMED])} and more."


def columns(
    given: Mapping[str, str], fields: Fields[Any], default: tuple[str, ...]
) -> tuple[str, ...]:
    """The columns that the caller wants, in the caller's order."""
    if "fields" not in given:
        return default
    wanted = [column(name, fields) for name in given["fields"].split(",") if name.strip()]
    if not wanted or len(set(wanted)) < len(wanted):
        raise ValidationError({"fields": ["Names separated by commas, each once."]})
    return tuple(wanted)


def layout(
    given: Mapping[str, str],
    fields: Fields[Any],
    default: tuple[str, ...],
    base: Dialect = PLAIN,
) -> Layout:
    """Columns and cells as the caller wants them."""
    return Layout(columns=columns(given, fields, default), dialect=dialect(given, base))


def refuse_unused(given: Collection[str], options: Collection[str], form: str) -> None:
    """Refuse parameters that a form would not heed.

    Raises: ValidationError naming each.
    """
    idle = sorted(set(given) - set(options))
    if idle:
        raise ValidationError({name: [f"Changes nothing in the form {form}."] for name in idle})


def known_names(places: Mapping[str, object]) -> list[str]:
    """Names that a question may be asked with."""
    return [*places, *(short for short, name in ALIASES.items() if name in places)]
