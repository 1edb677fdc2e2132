"""Every name of the catalogs by its spelling: `Llama 3.3 70B`, `llama3.3:70b`, `rtx4090`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from service.api.ask.measures import measured
from service.api.build import Catalogs
from service.catalog.gpus import GpuCatalog
from service.domain.hardware import AVAILABLE

NEAREST = 3
SHORT = 4
CLOSE, SHORT_CLOSE, VERY_CLOSE = 0.7, 0.6, 0.8
UNSPACED = str.maketrans("", "", " -_:")

Meaning = tuple[str, str]
"""What a name is of, as a name of words.py, and the name as the catalog writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The index of one catalog.

    exact     from a spelling without spaces and dashes to its meanings
    begun     from the beginnings of longer names to what they may become
    known     names as they are written, for suggestions
    memory    whole cards that can be had, by the gigabytes on their box
    """

    version: str
    exact: Mapping[str, tuple[Meaning, ...]]
    begun: Mapping[str, tuple[Meaning, ...]]
    known: tuple[str, ...]
    memory: Mapping[float, tuple[str, ...]]
    gpus: GpuCatalog

    def meanings(self, words: str) -> tuple[Meaning, ...]:
        """What some words name exactly, whatever their spaces and dashes."""
        return self.exact.get(words.translate(UNSPACED), ())

    def completions(self, words: str) -> tuple[Meaning, ...]:
        """What some words are the beginning of."""
        return self.begun.get(words.translate(UNSPACED), ())

    def begins(self, word: str, most: int) -> tuple[str, ...]:
        """Names that begin with a word, the shortest first."""
        found = (name for name in self.known if name.startswith(word.lower()))
        return tuple(sorted(found, key=lambda name: (len(name), name))[:most])

    def nearest(self, word: str, more: Iterable[str] = ()) -> tuple[str, ...]:
        """Names that a word may have meant: a slip of it, those that hold it, those like it."""
        known = list(dict.fromkeys([*more, *self.known]))
        slips = get_close_matches(word, known, n=NEAREST, cutoff=VERY_CLOSE)
        holding = [name for name in self.known if word in name] if len(word) >= SHORT else []
        if slips or holding:
            held = sorted(holding, key=lambda name: (len(name), name))
            return tuple(dict.fromkeys([*slips, *held]))[:NEAREST]
        cutoff = SHORT_CLOSE if len(word) <= SHORT else CLOSE
        return tuple(get_close_matches(word, known, n=NEAREST, cutoff=cutoff))


def index(catalogs: Catalogs) -> Names:
    """The names of a catalog."""
    exact: dict[str, dict[Meaning, None]] = {}
    begun: dict[str, dict[Meaning, None]] = {}
    known: dict[str, None] = {}
    for spelling, meaning in spellings(catalogs):
        exact.setdefault(spelling.translate(UNSPACED), {})[meaning] = None
        known[spelling.replace(" ", "-")] = None
        for short in beginnings(spelling) if meaning[0] in {"model", "gpu"} else ():
            begun.setdefault(short, {})[meaning] = None
    return Names(
        version=catalogs.version,
        exact={key: tuple(value) for key, value in exact.items()},
        begun={key: tuple(value) for key, value in begun.items()},
        known=tuple(known),
        memory=by_memory(catalogs),
        gpus=catalogs.gpus,
    )


def spellings(catalogs: Catalogs) -> Iterator[tuple[str, Meaning]]:
    """Each id and alias with what it means."""
    shelves = (
        ("model", catalogs.models),
        ("gpu", catalogs.gpus.cards),
        ("format", catalogs.quantizations),
        ("engine", catalogs.engines),
        ("optimizer", catalogs.optimizers),
    )
    for kind, shelf in shelves:
        yield from ((name, (kind, held)) for name, held in shelf.names.items())
    groups, served = catalogs.gpus.groups, catalogs.engines.names
    named = (name for name in groups if measured(name) is None)
    yield from ((name, ("gpu", shortest_alike(name, groups))) for name in named)
    vendors = {gpu.vendor.lower() for gpu in catalogs.gpus.cards}
    yield from ((name, ("vendor", name)) for name in sorted(vendors))
    caches = catalogs.caches.names.items()
    yield from ((f"{name}-kv", ("kv_cache_precision", held)) for name, held in caches)
    frameworks = catalogs.frameworks.names.items()
    yield from ((name, ("framework", held)) for name, held in frameworks if name not in served)


def shortest_alike(name: str, groups: Mapping[str, tuple[str, ...]]) -> str:
    """The name of the same group of cards that its cards begin with, else the shortest."""
    members = groups[name]
    alike = [other for other, cards in groups.items() if cards == members and " " not in other]
    common = [other for other in alike if all(card.startswith(other) for card in members)]
    return min(common or alike, key=len, default=name)


def beginnings(name: str) -> list[str]:
    """The parts of a name before each of its dashes."""
    words = name.replace(" ", "-").split("-")
    return ["".join(words[:count]).translate(UNSPACED) for count in range(1, len(words))]


def by_memory(catalogs: Catalogs) -> dict[float, tuple[str, ...]]:
    """Whole cards that can be had, by the number on the box."""
    found: dict[float, list[str]] = {}
    for gpu in catalogs.gpus.cards:
        if gpu.availability in AVAILABLE and not gpu.is_mig:
            found.setdefault(gpu.memory_label_gb, []).append(gpu.id)
    return {label: tuple(ids) for label, ids in found.items()}
