"""Shelves: entries by id and alias, with the nearest names for a misspelt one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from service.catalog.errors import CatalogError
from service.catalog.structure import line_of, structure
from service.domain.errors import UnknownName

NEAREST = 5


class Entry(Protocol):
    """Anything with an id."""

    @property
    def id(self) -> str:
        """Its key in the file."""
        ...


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf(Generic[E]):
    """Entries of one kind by id; `names` leads from every lower-case id and alias to an id."""

    kind: str
    entries: Mapping[str, E]
    names: Mapping[str, str]

    def pick(self, name: str) -> E:
        """The entry of an id or alias, whatever its case.

        Raises: UnknownName with the nearest names.
        """
        found = self.names.get(name.lower())
        if found is None:
            raise UnknownName(self.kind, name, self.nearest(name))
        return self.entries[found]

    def nearest(self, name: str) -> tuple[str, ...]:
        """Names that a misspelt one may have meant."""
        return nearest(name, self.names)

    def __iter__(self) -> Iterator[E]:
        return iter(self.entries.values())


def nearest(name: str, names: Mapping[str, object]) -> tuple[str, ...]:
    """Names that a misspelt one may have meant, best first."""
    wanted = name.lower()[:200]
    return tuple(get_close_matches(wanted, list(names), n=NEAREST, cutoff=0.5))


def read_entries(kind: type[E], data: object, path: Path) -> dict[str, E]:
    """Entries of a mapping by key, each error with file, line and entry."""
    if not isinstance(data, Mapping):
        raise CatalogError("must hold a mapping of entries", file=str(path))
    result: dict[str, E] = {}
    for key, value in data.items():
        try:
            result[key] = structure(kind, value, id=key)
        except CatalogError as error:
            raise error.inside(str(path), line_of(data, key), key) from error
    return result


def shelf(
    kind: str, entries: Mapping[str, E], path: Path, aliases: Callable[[E], tuple[str, ...]]
) -> Shelf[E]:
    """A shelf; an alias of two entries is refused."""
    names = {key.lower(): key for key in entries}
    for entry in entries.values():
        for alias in aliases(entry):
            held = names.setdefault(alias.lower(), entry.id)
            if held != entry.id:
                raise CatalogError(
                    f"alias {alias!r} already means {held!r}", file=str(path), place=entry.id
                )
    return Shelf(kind=kind, entries=entries, names=names)


def check(condition: bool, message: str, path: Path, place: str) -> None:
    """Refuse a file where a condition does not hold."""
    if not condition:
        raise CatalogError(message, file=str(path), place=place)
