"""config/gguf.yaml: llama.cpp's whole-file mixes as rules in order, one list for each mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.formats import Formats
from service.catalog.shelf import check
from service.catalog.strict_yaml import load
from service.catalog.structure import structure
from service.domain.packing import PackedFormat
from service.domain.precision import LAYER_PATTERNS, Quantization, Rule
from service.domain.tensors import Kind

BASE = "base"
SOURCES = (
    "llama.cpp 007dbbf src/llama-quant.cpp",
    "llama.cpp ggml/src/ggml-common.h",
    "llama.cpp tools/quantize/README.md",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A word for tensors: their kinds and names, and what the model must be."""

    kinds: tuple[Kind, ...] = ()
    names: tuple[str, ...] = ()
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Kinds that no mix packs, and the type that they have."""

    kinds: tuple[Kind, ...]
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MixRule:
    """One row of the table: which tensors of which mixes take which type."""

    roles: tuple[str, ...]
    type: str
    mixes: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    layers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A mix: its base type; a plain one has no rules."""

    name: str
    type: str
    quality_rank: int
    quality_loss: str
    plain: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MixTable:
    """The whole file."""

    roles: Mapping[str, Role]
    kept: tuple[Kept, ...]
    rules: tuple[MixRule, ...]
    mixes: Mapping[str, Mix]


def load_mixes(path: Path, formats: Formats) -> dict[str, Quantization]:
    """Quantizations `gguf-<mix>`.

    Raises: CatalogError naming the file and what is wrong.
    """
    try:
        table = structure(MixTable, load(path))
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error
    for row in table.rules:
        check(set(row.mixes) <= set(table.mixes), f"unknown mix in {row.mixes}", path, "rules")
        check(set(row.roles) <= set(table.roles), f"unknown role in {row.roles}", path, "rules")
        known = not row.layers or row.layers in LAYER_PATTERNS
        check(known, f"unknown layers {row.layers!r}", path, "rules")
    return {f"gguf-{key}": _quantization(key, table, formats, path) for key in table.mixes}


def _quantization(key: str, table: MixTable, formats: Formats, path: Path) -> Quantization:
    mix = table.mixes[key]
    base = formats.pick(mix.type, path, f"mixes.{key}.type")
    kept = tuple(
        Rule(kinds=frozenset(row.kinds), format=formats.pick(row.type, path, "kept"))
        for row in table.kept
    )
    chosen = () if mix.plain else tuple(_rules(key, base, table, formats, path))
    vectors = Rule(format=formats.pick("f32", path, "kept"))
    return Quantization(
        id=f"gguf-{key}",
        name=f"llama.cpp {mix.name}",
        kernel="gguf",
        quality_rank=mix.quality_rank,
        quality_loss=mix.quality_loss,
        sources=SOURCES,
        rules=(*kept, *chosen, Rule(linear=True, format=base), vectors),
        aliases=() if mix.plain else (key, *mix.aliases),
        notes="norms, biases, routers and convolutions at F32",
    )


def _rules(
    key: str, base: PackedFormat, table: MixTable, formats: Formats, path: Path
) -> list[Rule]:
    return [
        Rule(
            kinds=frozenset(table.roles[role].kinds),
            names=table.roles[role].names,
            linear=True,
            when=frozenset((*table.roles[role].when, *row.when)),
            pattern=row.layers,
            format=base if row.type == BASE else formats.pick(row.type, path, "rules"),
        )
        for row in table.rules
        if not row.mixes or key in row.mixes
        for role in row.roles
    ]
