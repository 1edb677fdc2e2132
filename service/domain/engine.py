"""Inference engines: what each version assumes, how sure its terms are, and what it runs where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.domain.profiles import EngineKind, Profile, version_key

Path = Literal["native", "weight-only", "emulated"]
Policy = Literal["of-total", "of-available", "of-free", "margin", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What an engine does with one kernel family on one class of hardware."""

    path: Path | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePrecision:
    """A type of KV-cache element; `bits` is a fraction where a block of values shares a scale."""

    id: str
    bits: float
    quality_rank: int
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    @property
    def shown_bits(self) -> int | float:
        """Bits as a reader writes them."""
        return int(self.bits) if self.bits.is_integer() else self.bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """How far nine of ten readings lie from a term's formula, as shares of it and in GiB.

    low = m·(1 + low_share) + low_gib;  high = m·(1 + high_share) + high_gib
    """

    low_share: float = 0.0
    high_share: float = 0.0
    low_gib: float = 0.0
    high_gib: float = 0.0


SURE = Doubt()


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """How an engine is started: the words of its command line.

    command      what stands before the model's name
    flags        setting -> flag, `{}` for the value; a setting that the engine lacks is absent
    cache_words  type of the KV cache -> how its flag names it; absent where it follows the model
    several      flags that join processes to one server: `{processes}` `{rank}` `{head}`
    follower     flag of every process but the first
    listen       flags for callers on other machines, at `port`
    images       vendor -> container image of the version that the flags were read in
    image_command   the command in the image where it is not the same
    files        the model is a file of its own, not a name of the Hub
    """

    command: str
    flags: Mapping[str, str]
    port: int
    listen: str
    sources: tuple[str, ...]
    cache_words: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    several: str = ""
    follower: str = ""
    image_command: str = ""
    files: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    """An inference engine with its version profiles, newest last.

    kind       which terms and which shape of profile it has
    policy     which budget it takes of a card
    hardware   class of hardware by compute capability or gfx name, e.g. "9.0" -> "hopper"
    runs       kernel family -> hardware class -> what happens; absent means it does not run
    caches     KV-cache type -> hardware class -> what happens
    launch     how it is started; None where that is a program of one's own
    doubts     term -> how far readings lie from its formula
    """

    id: str
    name: str
    kind: EngineKind
    policy: Policy
    profiles: tuple[Profile, ...]
    hardware: Mapping[str, str]
    runs: Mapping[str, Mapping[str, Support]]
    caches: Mapping[str, Mapping[str, Support]]
    launch: Starter | None
    splits: bool
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    doubts: Mapping[str, Doubt] = field(default_factory=dict)

    @property
    def spreads_experts(self) -> bool:
        """Whether it has a flag that spreads experts over ranks."""
        return self.launch is not None and "expert_parallel" in self.launch.flags

    def profile(self, version: str | None) -> Profile:
        """The profile of a version; the newest known where none is named."""
        if version is None:
            return self.profiles[-1]
        wanted = version_key(version)
        known = [entry for entry in self.profiles if version_key(entry.since) <= wanted]
        return known[-1] if known else self.profiles[0]

    def doubt(self, term: str) -> Doubt:
        """How sure a term is."""
        return self.doubts.get(term, SURE)
