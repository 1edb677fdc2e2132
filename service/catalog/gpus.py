"""gpus.yaml: cards, their groups, and what must hold between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.catalog.shelf import Shelf, check, nearest, read_entries, shelf
from service.catalog.strict_yaml import load
from service.catalog.structure import convert
from service.domain.errors import UnknownName
from service.domain.hardware import AVAILABLE, Gpu

MIN_MIB = 1024
MAX_MIB = 4096 * 1024
DATE = re.compile(r"20\d\d(-[01]\d(-[0-3]\d)?)?", re.ASCII)
MAX_USD = 10_000_000
MAX_CARDS_PER_NODE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCatalog:
    """All cards; a group is an alias of several."""

    cards: Shelf[Gpu]
    groups: Mapping[str, tuple[str, ...]]

    def pick(self, name: str) -> tuple[Gpu, ...]:
        """The cards of an id, an alias or a group, whatever its case.

        Raises: UnknownName with the nearest names.
        """
        wanted = name.lower()
        if wanted in self.groups:
            return tuple(self.cards.entries[member] for member in self.groups[wanted])
        if wanted not in self.cards.names:
            raise UnknownName("gpu", name, nearest(name, {**self.cards.names, **self.groups}))
        return (self.cards.pick(name),)


def load_gpus(path: Path) -> GpuCatalog:
    """The catalog of cards in a file.

    Raises: CatalogError naming file, line, entry and field; the file is refused whole.
    """
    data = load(path)
    for key in ("groups", "gpus"):
        check(key in data, "missing", path, key)
    for key in data:
        check(key in {"groups", "gpus"}, "unknown key; a file holds groups and gpus", path, key)
    entries = read_entries(Gpu, data["gpus"], path)
    for gpu in entries.values():
        check_card(gpu, entries, path)
    cards = shelf("gpu", entries, path, lambda gpu: gpu.aliases)
    groups: Mapping[str, tuple[str, ...]] = convert(
        Mapping[str, tuple[str, ...]], data["groups"] or {}
    )
    _check_groups(groups, cards, path)
    named = {name.lower(): ids for name, ids in groups.items()}
    return GpuCatalog(cards=cards, groups={**derived_groups(cards), **named})


def derived_groups(cards: Shelf[Gpu]) -> dict[str, tuple[str, ...]]:
    """Groups that follow from the cards: "mig", a card's own slices, and whole cards of a size.

    Only what can be had counts, so that a group of a size holds no announced card.
    """
    found: dict[str, list[str]] = {}
    for card in cards:
        if card.availability in AVAILABLE:
            size = f"{card.memory_label_gb:g}gb"
            names = ("mig", f"{card.mig.parent}-mig") if card.mig else (size,)
            for name in names:
                found.setdefault(name, []).append(card.id)
    return {name: tuple(ids) for name, ids in found.items() if name not in cards.names}


def check_card(gpu: Gpu, entries: Mapping[str, Gpu], path: Path) -> None:
    """Refuse a card whose figures cannot be, or whose parent is no card."""
    planning, reported = gpu.memory_planning_mib, gpu.memory_reported_mib
    rules = (
        (bool(gpu.sources), "sources", "needs at least one source"),
        (MIN_MIB <= planning <= MAX_MIB, "memory_planning_mib", "out of range"),
        (reported is None or MIN_MIB <= reported <= MAX_MIB, "memory_reported_mib", "out of range"),
        (
            reported is None or planning <= reported,
            "memory_planning_mib",
            "must not exceed memory_reported_mib",
        ),
        (0 < gpu.memory_label_gb <= MAX_MIB / 1000, "memory_label_gb", "out of range"),
        (positive(gpu.bandwidth_gb_per_s), "bandwidth_gb_per_s", "must be above 0"),
        (positive(gpu.tdp_watts), "tdp_watts", "must be above 0"),
        (all(map(positive, gpu.dense_tflops.values())), "dense_tflops", "must be above 0"),
        (
            gpu.cards_per_node is None or 1 <= gpu.cards_per_node <= MAX_CARDS_PER_NODE,
            "cards_per_node",
            f"must be 1 to {MAX_CARDS_PER_NODE}",
        ),
        (all(0 < price.usd < MAX_USD for price in gpu.prices), "prices", "out of range"),
        (all(price.source for price in gpu.prices), "prices", "every price needs a source"),
        (
            all(DATE.fullmatch(price.date or "2026") for price in gpu.prices),
            "prices",
            "a date is a year, a month as 2026-07 or a day as 2026-07-20",
        ),
        (gpu.mig is None or gpu.mig.parent in entries, "mig.parent", "names no card of this file"),
    )
    for holds, field, message in rules:
        check(holds, message, path, f"{gpu.id}.{field}")


def positive(value: float | None) -> bool:
    """Whether a value is absent or above zero."""
    return value is None or value > 0


def _check_groups(groups: Mapping[str, tuple[str, ...]], cards: Shelf[Gpu], path: Path) -> None:
    for name, members in groups.items():
        place = f"groups.{name}"
        check(len(members) > 1, "a group has several cards; use an alias for one", path, place)
        check(name.lower() not in cards.names, "is already the name of one card", path, place)
        for member in members:
            check(member in cards.entries, f"names no card: {member!r}", path, place)
