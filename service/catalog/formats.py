"""config/formats.yaml: packed formats by name, by ggml's number and by safetensors' name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.shelf import check, read_entries
from service.catalog.strict_yaml import load
from service.domain.packing import PackedFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatEntry:
    """A format as its file states it; `fallback` is another one's name."""

    id: str
    layout: PackedFormat
    fallback: str = ""
    ggml: int | None = None
    safetensors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """Formats by the names under which configs and files know them."""

    by_id: Mapping[str, PackedFormat]
    by_ggml: Mapping[int, PackedFormat]
    by_safetensors: Mapping[str, PackedFormat]

    def pick(self, name: str, path: Path, place: str) -> PackedFormat:
        """The format of a name that a catalog file uses.

        Raises: CatalogError naming the place.
        """
        if name not in self.by_id:
            raise CatalogError(f"no format {name!r}", file=str(path), place=place)
        return self.by_id[name]


@lru_cache(maxsize=8)
def load_formats(path: Path) -> Formats:
    """Formats with their fallbacks, each link resolved.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(FormatEntry, load(path), path)
    found: dict[str, PackedFormat] = {}
    for name in entries:
        _resolved(name, entries, found, path)
    return Formats(
        by_id=found,
        by_ggml={e.ggml: found[e.id] for e in entries.values() if e.ggml is not None},
        by_safetensors={name: found[e.id] for e in entries.values() for name in e.safetensors},
    )


def _resolved(
    name: str, entries: Mapping[str, FormatEntry], found: dict[str, PackedFormat], path: Path
) -> PackedFormat:
    chain: list[str] = []
    while name and name not in found:
        check(name in entries, f"no format {name!r}", path, "fallback")
        check(name not in chain, "fallbacks go round in a circle", path, f"{name}.fallback")
        chain.append(name)
        name = entries[name].fallback
    last = found[name] if name else None
    for key in reversed(chain):
        last = found[key] = replace(entries[key].layout, id=key, fallback=last)
    return found[chain[0]] if chain else found[name]
