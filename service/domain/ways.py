"""Ways to spread a model over cards: splits that divide it, and replicas of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from service.domain.architecture import Architecture
from service.domain.nodes import Shape, groups_in, nodes_for
from service.domain.precision import Quantization
from service.domain.questions import Split
from service.domain.rules import indivisible, indivisible_experts
from service.domain.units import ceil_div


def nodes_of(split: Split, shape: Shape) -> int:
    """Fewest nodes for all replicas."""
    return nodes_for(shape, split.cards // split.tensor, split.tensor)


@lru_cache(maxsize=65536)
def split_of(tensor: int, pipeline: int, expert: int, data: int) -> Split:
    """One object for each split, so that tables can share it."""
    return Split(tensor=tensor, pipeline=pipeline, expert=expert, data=data)


@lru_cache(maxsize=4096)
def divisible_splits(
    model: Architecture, quantization: Quantization, choices: SplitChoices
) -> tuple[Split, ...]:
    """Splits of one replica that divide a model, fewest ranks first, fewest stages first."""
    combined = sorted(
        (t * p, p, t, e)
        for t in choices.tensor_parallel
        for p in choices.pipeline_parallel
        for e in choices.expert_parallel
    )
    splits = (split_of(t, p, e, 1) for _, p, t, e in combined)
    found = (divided(model, quantization, split, choices) for split in splits)
    return tuple(split for split in found if split is not None)


def divided(
    model: Architecture, quantization: Quantization, split: Split, choices: SplitChoices
) -> Split | None:
    """A split as it divides a model; None where it does not.

    Experts that cannot be cut, because ranks would cut through groups of packed columns, are
    spread over the same ranks whole where the choices leave that open.
    """
    spread = split_of(split.tensor, split.pipeline, split.tensor, 1)
    tried = (split, spread) if choices.spread_experts and split.expert == 1 else (split,)
    return next((one for one in tried if divides(model, quantization, one)), None)


def divides(model: Architecture, quantization: Quantization, split: Split) -> bool:
    """Whether a split divides a model in a format."""
    return (
        indivisible_experts(model, split) is None
        and indivisible(model, quantization, split) is None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitChoices:
    """Degrees of parallelism that may be combined.

    spread_experts  whether experts may be spread over tensor ranks where these cannot cut them
    """

    tensor_parallel: tuple[int, ...]
    pipeline_parallel: tuple[int, ...]
    expert_parallel: tuple[int, ...]
    spread_experts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What bounds the ways of a class of cards.

    shape  the nodes where they bound more than the number of cards does, else none
    """

    max_tensor: int
    max_cards: int
    shape: Shape = ()


def most_copies(split: Split, ground: Ground, most_replicas: int) -> int:
    """Replicas of a split that a ground holds."""
    if split.tensor > ground.max_tensor:
        return 0
    most = min(ground.max_cards // split.ranks, most_replicas)
    if ground.shape:
        groups = groups_in(ground.shape, split.tensor)
        most = min(most, groups // (split.ranks // split.tensor))
    return most


@lru_cache(maxsize=1024)
def useful_ways(
    splits: tuple[Split, ...], ground: Ground, most_replicas: int, sequences: int | None
) -> tuple[Split, ...]:
    """Ways by number of cards: fewest ranks, then fewest stages, first.

    Of replicas that hold as many of the sequences each, the fewest stand for all; where nobody
    counts sequences every number of them is useful.
    """
    found = []
    for split in splits:
        held = 0
        for data in range(1, most_copies(split, ground, most_replicas) + 1):
            each = -data if sequences is None else ceil_div(sequences, data)
            if each != held:
                held = each
                found.append(split_of(split.tensor, split.pipeline, split.expert, data))
    return tuple(sorted(found, key=lambda way: way.cards))


@lru_cache(maxsize=1024)
def ways_by_count(
    splits: tuple[Split, ...], ground: Ground, most_replicas: int
) -> tuple[tuple[Split, ...], ...]:
    """At index n every way that takes exactly n cards: fewest ranks, then fewest stages, first."""
    table: list[list[Split]] = [[] for _ in range(ground.max_cards + 1)]
    for split in splits:
        for data in range(1, most_copies(split, ground, most_replicas) + 1):
            way = split_of(split.tensor, split.pipeline, split.expert, data)
            table[way.cards].append(way)
    return tuple(tuple(row) for row in table)
