"""Precisions, quantizations, cache types and optimizers: one file each, one shelf each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.catalog.shelf import Shelf, check, read_entries, shelf
from service.catalog.strict_yaml import load
from service.domain.engine import CachePrecision
from service.domain.optimizer import Optimizer
from service.domain.precision import PackedFormat, Precision, Quantization
from service.domain.tensors import KINDS, Kind

LINEAR_KINDS: tuple[Kind, ...] = ("attention", "mlp", "expert", "shared_expert")
WORST_RANK = 8
MAX_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationEntry:
    """A quantization as its file states it: one format for several kinds, others by kind."""

    id: str
    name: str
    kernel: str
    quality_rank: int
    quality_loss: str
    sources: tuple[str, ...]
    format: PackedFormat | None = None
    kinds: tuple[Kind, ...] = LINEAR_KINDS
    formats: Mapping[Kind, PackedFormat] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    group: int = 1
    aliases: tuple[str, ...] = ()
    notes: str = ""

    def quantization(self) -> Quantization:
        """The domain's noun."""
        shared = {} if self.format is None else dict.fromkeys(self.kinds, self.format)
        return Quantization(
            id=self.id,
            name=self.name,
            kernel=self.kernel,
            quality_rank=self.quality_rank,
            quality_loss=self.quality_loss,
            sources=self.sources,
            formats={**shared, **self.formats},
            keeps=self.keeps,
            group=self.group,
            aliases=self.aliases,
            notes=self.notes,
        )


def load_precisions(path: Path) -> Shelf[Precision]:
    """Plain number formats.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(Precision, load(path), path)
    for entry in entries.values():
        check(0 < entry.bits <= MAX_BITS, "must be 1 to 64", path, f"{entry.id}.bits")
    return shelf("precision", entries, path, lambda entry: entry.aliases)


def load_quantizations(path: Path) -> Shelf[Quantization]:
    """Quantizations by id.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(QuantizationEntry, load(path), path)
    for entry in entries.values():
        rank = entry.quality_rank
        check(0 <= rank <= WORST_RANK, "must be 0 to 8", path, f"{entry.id}.quality_rank")
        check(bool(entry.sources), "needs at least one source", path, f"{entry.id}.sources")
        check(entry.group >= 1, "must be at least 1", path, f"{entry.id}.group")
        check(set(entry.formats) <= set(KINDS), "unknown kind", path, f"{entry.id}.formats")
    nouns = {key: entry.quantization() for key, entry in entries.items()}
    return shelf("quantization", nouns, path, lambda noun: noun.aliases)


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
