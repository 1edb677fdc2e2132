"""Engines and frameworks: one file each, checked against the formats that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeVar

from service.catalog.errors import CatalogError
from service.catalog.shelf import Shelf, check, shelf
from service.catalog.strict_yaml import Lines, load
from service.catalog.structure import structure
from service.domain.engine import Doubt, Engine, Policy, Starter, Support
from service.domain.framework import Cache, Framework, FrameworkProfile
from service.domain.launches import SETTINGS
from service.domain.profiles import PROFILES, EngineKind, Profile, Spread, version_key

Letter = Literal["N", "W", "-"]
SUPPORT_PATHS: Mapping[str, Literal["native", "weight-only"]] = {"N": "native", "W": "weight-only"}
BASE_KERNELS = frozenset({"bf16", "fp16", "fp32"})
N = TypeVar("N", "Engine", "Framework")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFile:
    """An engine as its file states it.

    ranges  term -> how far readings lie from it where none are at hand to say
    """

    id: str
    name: str
    kind: EngineKind
    policy: Policy
    splits: bool
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    hardware: Mapping[str, tuple[str, ...]]
    runs: Mapping[str, Mapping[str, Letter]]
    reasons: Mapping[str, str]
    caches: Mapping[str, Mapping[str, Letter]]
    ranges: Mapping[str, Doubt]
    profiles: tuple[Profile, ...]
    launch: Starter | None = None

    def engine(self, measured: Mapping[str, Doubt]) -> Engine:
        """The domain's noun; a kernel with a reason alone is refused everywhere."""
        refused = {name: dict.fromkeys(self.hardware, "-") for name in self.reasons}
        return Engine(
            id=self.id,
            name=self.name,
            kind=self.kind,
            policy=self.policy,
            profiles=self.profiles,
            doubts={**self.ranges, **measured},
            hardware={key: kind for kind, keys in self.hardware.items() for key in keys},
            runs={name: self._row(name, row) for name, row in {**refused, **self.runs}.items()},
            caches={name: self._row(name, row) for name, row in self.caches.items()},
            launch=self.launch,
            splits=self.splits,
            sources=self.sources,
            notes=self.notes,
        )

    def _row(self, kernel: str, row: Mapping[str, str]) -> Mapping[str, Support]:
        reason = self.reasons.get(kernel, "")
        return {
            kind: Support(path=SUPPORT_PATHS.get(letter), reason="" if letter != "-" else reason)
            for kind, letter in row.items()
        }


TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkFile:
    """A training framework as its file states it."""

    id: str
    name: str
    context_gib: Spread
    communicators_gib: Spread
    cache: Cache
    activation_doubt: Doubt
    profiles: tuple[FrameworkProfile, ...]
    sources: tuple[str, ...] = field(default=())

    def framework(self, doubts: Mapping[str, Doubt]) -> Framework:
        """The domain's noun with what was measured about it."""
        return Framework(
            id=self.id,
            name=self.name,
            profiles=self.profiles,
            context_gib=self.context_gib,
            communicators_gib=self.communicators_gib,
            cache=self.cache,
            activation_doubt=self.activation_doubt,
            sources=self.sources,
            doubts=doubts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredDoubt:
    """How far readings lie from a term, and how many there are."""

    readings: int
    low_share: float = 0.0
    high_share: float = 0.0
    low_gib: float = 0.0
    high_gib: float = 0.0

    def doubt(self) -> Doubt:
        """The domain's noun."""
        return Doubt(
            low_share=self.low_share,
            high_share=self.high_share,
            low_gib=self.low_gib,
            high_gib=self.high_gib,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyFile:
    """What `make accuracy` found: engine → term → range."""

    engines: Mapping[str, Mapping[str, MeasuredDoubt]]


def measured_doubts(path: Path) -> Mapping[str, Mapping[str, Doubt]]:
    """Ranges from residuals, by engine and term.

    Raises: CatalogError naming file and field.
    """
    try:
        found = structure(UncertaintyFile, load(path)).engines
    except CatalogError as error:
        raise error if error.file else error.inside(str(path), error.line, "") from error
    return {engine: {n: row.doubt() for n, row in rows.items()} for engine, rows in found.items()}


def load_engines(
    folder: Path, uncertainty: Path, kernels: frozenset[str], caches: frozenset[str]
) -> Shelf[Engine]:
    """Engines of a folder, one file each; measured ranges replace the stated ones.

    Raises: CatalogError naming the file and what is wrong, a dangling name included.
    """
    read = engine_reader(uncertainty, kernels, caches)
    return _folder("engine", folder, read)


def engine_reader(
    uncertainty: Path, kernels: frozenset[str], caches: frozenset[str]
) -> Callable[[Path], Engine]:
    """What reads one engine's file."""
    measured = measured_doubts(uncertainty)

    def read(path: Path) -> Engine:
        entry = engine_file(load(path))
        _check_engine(entry, kernels, caches, path)
        return entry.engine(measured.get(entry.id, {}))

    return read


def engine_file(data: Lines) -> EngineFile:
    """An engine's file, its profiles in the shape of the engine's kind.

    Each profile states what changed since the one before it, with the sources of the change.
    Raises: CatalogError naming the field.
    """
    shape = PROFILES.get(data.get("kind", ""))
    if shape is None:
        raise CatalogError(f"must be one of {', '.join(PROFILES)}", place="kind")
    rows = data.get("profiles")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise CatalogError("must be a list of mappings", place="profiles")
    profiles = tuple(structure(shape, row) for row in accumulate(rows, changed))
    return structure(EngineFile, without(data, "profiles"), profiles=profiles)


def changed(before: Mapping[str, Any], row: Mapping[str, Any]) -> Lines:
    """A row over the one before it; sources are kept until they are replaced."""
    merged = Lines({**before, **row})
    merged.line_of = {**line_numbers(before), **line_numbers(row)}
    merged["sources"] = {**before.get("sources", {}), **row.get("sources", {})}
    return merged


def without(data: Lines, key: str) -> Lines:
    """A mapping less one key, its lines kept."""
    rest = Lines({name: value for name, value in data.items() if name != key})
    rest.line_of = data.line_of
    return rest


def line_numbers(data: Mapping[str, Any]) -> dict[str, int]:
    """Lines of a mapping's keys, where it came from a file."""
    return data.line_of if isinstance(data, Lines) else {}


def load_frameworks(folder: Path, uncertainty: Path) -> Shelf[Framework]:
    """Training frameworks of a folder, one file each.

    Raises: CatalogError naming the file and what is wrong.
    """
    doubts = measured_doubts(uncertainty).get(TRAINING, {})

    def read(path: Path) -> Framework:
        entry = structure(FrameworkFile, load(path))
        check(bool(entry.sources), "needs at least one source", path, "sources")
        check(_rising([p.since for p in entry.profiles]), "must rise", path, "profiles.since")
        return entry.framework(doubts)

    return _folder("framework", folder, read)


def _folder(kind: str, folder: Path, read: Callable[[Path], N]) -> Shelf[N]:
    found: dict[str, N] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            entry = read(path)
        except CatalogError as error:
            raise error if error.file else error.inside(str(path), error.line, "") from error
        check(entry.id == path.stem, f"must be {path.stem!r}, as the file", path, "id")
        found[entry.id] = entry
    check(bool(found), "holds no file", folder, kind)
    return shelf(kind, found, folder, lambda _: ())


def _check_engine(
    entry: EngineFile, kernels: frozenset[str], caches: frozenset[str], path: Path
) -> None:
    known = kernels | BASE_KERNELS
    for name in (*entry.runs, *entry.reasons):
        check(name in known, "names no kernel of any quantization", path, f"runs.{name}")
    for name in entry.caches:
        check(name in caches, "names no type of cache", path, f"caches.{name}")
    for table in (entry.runs, entry.caches):
        for name, row in table.items():
            for kind, letter in row.items():
                place = f"{name}.{kind}"
                check(kind in entry.hardware, "names no hardware class", path, place)
                refused = letter == "-" and name not in entry.reasons
                check(not refused, "is refused without a reason", path, place)
    check(bool(entry.sources), "needs at least one source", path, "sources")
    _check_launch(entry, path)
    check(_rising([p.since for p in entry.profiles]), "must rise", path, "profiles.since")
    for profile in entry.profiles:
        share = profile.memory_utilization
        check(0 < share <= 1, "must be above 0, at most 1", path, "profiles.memory_utilization")
        check(bool(profile.sources), "needs sources", path, "profiles.sources")


def _check_launch(entry: EngineFile, path: Path) -> None:
    if entry.launch is None:
        return
    for setting in entry.launch.flags:
        check(setting in SETTINGS, "names no setting", path, f"launch.flags.{setting}")
    for name in entry.launch.cache_words:
        check(name in entry.caches, "is no cache of it", path, f"launch.cache_words.{name}")
    check(bool(entry.launch.sources), "needs at least one source", path, "launch.sources")


def _rising(versions: list[str]) -> bool:
    keys = [version_key(version) for version in versions]
    return bool(keys) and keys == sorted(set(keys))
