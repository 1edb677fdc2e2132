"""Values as they are typed, in the spelling of the catalog and of the query parameters."""

from __future__ import annotations

from collections.abc import Callable

from service.api.ask.measures import SCALED, measured
from service.api.ask.names import UNSPACED, Names
from service.api.ask.words import PHRASES
from service.api.flat import ESTIMATE_PLACES, PLAN_PLACES, flag, number, whole

COUNTED = frozenset({"tokens", "batch", "users", "count", "memory"})
FLAGS = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
NUMERIC = (whole, number)
NAMES = frozenset({
    "gpu", "vendor", "model", "format", "plain", "engine", "framework", "optimizer",
})  # fmt: skip


def said_by(names: Names, name: str, text: str) -> list[tuple[str, str]]:
    """What the value of a key says: names in the catalog's spelling, numbers without units."""
    if name in NAMES:
        return named_values(names, name, text)
    if reader(name) is flag:
        return [(name, FLAGS.get(text, text))]
    return [(name, SCALED.get(name, str)(text))]


def named_values(names: Names, name: str, text: str) -> list[tuple[str, str]]:
    """A value that is a name: as the catalog writes it where it is known."""
    size = measured(text)
    if name == "gpu" and size:
        return [("count" if text.isdigit() else size[0] or name, size[1])]
    if name == "model" and size and size[0] == "parameters":
        return [size]
    phrase = PHRASES.get(text.translate(UNSPACED), ())
    if name in {"format", "plain"} and phrase and phrase[0][0] in {"format", "plain"}:
        return list(phrase)
    wanted = {"gpu", "vendor"} if name in {"gpu", "vendor"} else {name}
    known = [one for one in names.meanings(text) if one[0] in wanted]
    known = known or [one for one in names.completions(text) if one[0] in wanted]
    return [known[0]] if len(known) == 1 else [(name, text)]


def reader(name: str) -> Callable[[str], object] | None:
    """How the flat parameters read a field."""
    place = PLAN_PLACES.get(name) or ESTIMATE_PLACES.get(name)
    return place[1] if place else None


def is_numeric(name: str) -> bool:
    """Whether a field takes a number."""
    read = reader(name)
    return name in COUNTED or (read is not None and (read in NUMERIC or read("8") == [8]))


def readable(name: str, value: str) -> bool:
    """Whether a value has the form of its field."""
    if not is_numeric(name):
        return True
    fractional = name == "memory" or reader(name) is number
    return not isinstance((number if fractional else whole)(value), str)
