"""config/quantizations.yaml and config/tools.yaml: which tool packs what into which format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.catalog.formats import Formats, load_formats
from service.catalog.gguf_mixes import load_mixes
from service.catalog.shelf import Shelf, check, read_entries, shelf
from service.catalog.strict_yaml import load
from service.domain.precision import Quantization, Rule
from service.domain.tensors import Kind

WORST_RANK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What a tool packs: kinds of tensor; all others stay in the base precision."""

    id: str
    name: str
    packs: tuple[Kind, ...]
    leaves: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationEntry:
    """A quantization as its file states it: a tool's kinds in one format, others by kind."""

    id: str
    name: str
    kernel: str
    quality_rank: int
    quality_loss: str
    sources: tuple[str, ...]
    tool: str = ""
    format: str = ""
    kinds: tuple[Kind, ...] = ()
    formats: Mapping[Kind, str] = field(default_factory=dict)
    group: int = 1
    aliases: tuple[str, ...] = ()


def load_quantizations(folder: Path) -> Shelf[Quantization]:
    """Quantizations of the tools and mixes of llama.cpp, by id.

    Raises: CatalogError naming file, line, entry and field.
    """
    formats, tools = load_formats(folder / "formats.yaml"), load_tools(folder / "tools.yaml")
    path = folder / "quantizations.yaml"
    nouns: dict[str, Quantization] = {}
    for entry in read_entries(QuantizationEntry, load(path), path).values():
        nouns[entry.id] = _quantization(entry, formats, tools, path)
    nouns.update(load_mixes(folder / "gguf.yaml", formats))
    for noun in nouns.values():
        check(0 <= noun.quality_rank <= WORST_RANK, "must be 0 to 8", path, noun.id)
        check(bool(noun.sources), "needs at least one source", path, noun.id)
    return shelf("quantization", nouns, path, lambda noun: noun.aliases)


def load_tools(path: Path) -> dict[str, Tool]:
    """Tools by id.

    Raises: CatalogError naming file, line, entry and field.
    """
    entries = read_entries(Tool, load(path), path)
    for entry in entries.values():
        check(bool(entry.sources), "needs at least one source", path, f"{entry.id}.sources")
    return entries


def _quantization(
    entry: QuantizationEntry, formats: Formats, tools: Mapping[str, Tool], path: Path
) -> Quantization:
    check(entry.group >= 1, "must be at least 1", path, f"{entry.id}.group")
    check(not entry.tool or entry.tool in tools, "unknown tool", path, f"{entry.id}.tool")
    rules = [
        Rule(kinds=frozenset({kind}), linear=True, format=formats.pick(name, path, entry.id))
        for kind, name in entry.formats.items()
    ]
    if entry.format:
        kinds = entry.kinds or (tools[entry.tool].packs if entry.tool else ())
        check(bool(kinds), "needs a tool or kinds", path, f"{entry.id}.tool")
        packed = formats.pick(entry.format, path, f"{entry.id}.format")
        rules.append(Rule(kinds=frozenset(kinds), linear=True, format=packed))
    return Quantization(
        id=entry.id,
        name=entry.name,
        kernel=entry.kernel,
        quality_rank=entry.quality_rank,
        quality_loss=entry.quality_loss,
        sources=entry.sources,
        rules=tuple(rules),
        group=entry.group,
        aliases=entry.aliases,
        notes=tools[entry.tool].leaves if entry.tool else "",
    )
