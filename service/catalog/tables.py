"""Precisions, cache types and optimizers: one file each, one shelf each."""

from __future__ import annotations

from pathlib import Path

from service.catalog.shelf import Shelf, check, read_entries, shelf
from service.catalog.strict_yaml import load
from service.domain.engine import CachePrecision
from service.domain.optimizer import Optimizer
from service.domain.precision import Precision

MAX_BITS = 64


def load_precisions(path: Path) -> Shelf[Precision]:
    """Plain number formats.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(Precision, load(path), path)
    for entry in entries.values():
        check(0 < entry.bits <= MAX_BITS, "must be 1 to 64", path, f"{entry.id}.bits")
    return shelf("precision", entries, path, lambda entry: entry.aliases)


def load_caches(path: Path) -> Shelf[CachePrecision]:
    """Types of KV cache.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(CachePrecision, load(path), path)
    for entry in entries.values():
        check(0 < entry.bits <= MAX_BITS, "must be 1 to 64", path, f"{entry.id}.bits")
        check(bool(entry.sources), "needs at least one source", path, f"{entry.id}.sources")
    return shelf("KV-cache precision", entries, path, lambda entry: entry.aliases)


def load_optimizers(path: Path) -> Shelf[Optimizer]:
    """Optimizers by id.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(Optimizer, load(path), path)
    for entry in entries.values():
        check(bool(entry.sources), "needs at least one source", path, f"{entry.id}.sources")
        check(entry.block >= 1, "must be at least 1", path, f"{entry.id}.block")
    return shelf("optimizer", entries, path, lambda entry: entry.aliases)
