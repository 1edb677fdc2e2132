"""Inference engines: what each version holds back, assumes, and runs on which hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Path = Literal["native", "weight-only", "emulated"]
Policy = Literal["of-total", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A measured or derived quantity with the range that holds nine of ten readings."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What an engine does with one kernel family on one class of hardware."""

    path: Path | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDefaults:
    """Default batch limits on cards of at least `min_card_gib`, the excepted families aside."""

    min_card_gib: float
    max_sequences: int
    max_batched_tokens: int
    except_products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRanks:
    """A quantity in GiB that depends on the ranks of a tensor-parallel group."""

    ranks: int
    gib: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Constants and defaults of one version range of an engine.

    since                 first version of the range
    memory_utilization    share of the card's total that the engine takes
    batch_defaults        first entry whose card size fits applies
    block_tokens          tokens of one KV block
    sampler_copies        fp32 copies of the logits of all sequences that sampling holds
    sampler_hidden_copies copies of the hidden states of a step that live beside them
    sampler_gib           constant of the sampler's peak
    forward_width_copies, forward_hidden_copies, forward_gib   same for the forward pass
    expert_workspace      whether routed experts keep a persistent workspace
    activation_relative, activation_gib   half-width of the range: share and constant
    context_gib           used on the card before the model is loaded; outside the budget
    expert_context_gib    additional for the expert-parallel communicator of mixtures
    non_torch_gib         allocated outside torch while loading; inside the budget
    graph_base_gib, graph_layer_gib, graph_mixture_gib, graph_relative   CUDA graphs
    graphs_in_budget      whether the engine sets graph memory aside inside its budget
    weights_relative      excess of loaded weights over the checkpoint: share and constant
    """

    since: str
    memory_utilization: float
    batch_defaults: tuple[BatchDefaults, ...]
    block_tokens: int
    sampler_copies: float
    sampler_hidden_copies: float
    sampler_gib: float
    forward_width_copies: float
    forward_hidden_copies: float
    forward_gib: float
    expert_workspace: bool
    activation_relative: float
    activation_gib: float
    context_gib: tuple[ByRanks, ...]
    expert_context_gib: float
    non_torch_gib: tuple[ByRanks, ...]
    graph_base_gib: float
    graph_layer_gib: float
    graph_mixture_gib: float
    graph_relative: float
    graphs_in_budget: bool
    weights_gib: Spread
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePrecision:
    """A type of KV-cache element."""

    id: str
    bits: int
    quality_rank: int
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    """An inference engine with its version profiles, newest last.

    hardware   class of hardware by compute capability or gfx name, e.g. "9.0" -> "hopper"
    runs       kernel family -> hardware class -> what happens; absent means it does not run
    caches     KV-cache type -> hardware class -> what happens
    """

    id: str
    name: str
    policy: Policy
    profiles: tuple[Profile, ...]
    hardware: Mapping[str, str]
    runs: Mapping[str, Mapping[str, Support]]
    caches: Mapping[str, Mapping[str, Support]]
    launch: str
    splits: bool
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def profile(self, version: str | None) -> Profile:
        """The profile of a version; the newest known where none is named."""
        if version is None:
            return self.profiles[-1]
        wanted = version_key(version)
        known = [entry for entry in self.profiles if version_key(entry.since) <= wanted]
        return known[-1] if known else self.profiles[0]


def version_key(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: "0.19.0" and "0.19" alike, suffixes cut off."""
    numbers = []
    for part in version.split(".")[:4]:
        digits = "".join(character for character in part if character.isdigit())
        if not digits or not part[0].isdigit():
            break
        numbers.append(int(digits[:6]))
    return tuple(numbers + [0] * (4 - len(numbers)))


def by_ranks(table: tuple[ByRanks, ...], ranks: int) -> Spread:
    """The row of the largest rank count that is not above `ranks`."""
    fitting = [row for row in table if row.ranks <= ranks]
    return (fitting or list(table))[-1].gib
