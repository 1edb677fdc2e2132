"""Sums over the bill of tensors that many questions share, computed once for each split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from service.domain.architecture import Architecture, Stage
from service.domain.caches import CacheRow, StateRow
from service.domain.feed_forward import MixtureOfExperts
from service.domain.precision import Precision, Quantization
from service.domain.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSums:
    """Bytes on one rank: all blocks before each index, and what stands around the blocks."""

    before: tuple[int, ...]
    embeddings: int
    towers: int
    head: int


@lru_cache(maxsize=8192)
def weight_sums(
    model: Architecture,
    quantization: Quantization,
    precision: Precision,
    tensor_parallel: int,
    expert_parallel: int,
) -> WeightSums:
    """Weight bytes of one rank of a tensor × expert parallel group."""

    def size(tensors: Tensors) -> int:
        shards = tuple(tensor.sharded(tensor_parallel, expert_parallel) for tensor in tensors)
        return quantization.weight_bytes(shards, precision)

    kinds = tuple(size(kind.tensors()) for kind in model.layer_kinds)
    blocks = (kinds[index] for index in model.layer_order)
    return WeightSums(
        before=tuple(accumulate(blocks, initial=0)),
        embeddings=size(model.embeddings),
        towers=sum(size(tower.tensors()) for tower in model.towers),
        head=size(model.head),
    )


def stage_weight_bytes(model: Architecture, sums: WeightSums, stage: Stage) -> int:
    """Weight bytes of one rank of a pipeline stage; a tied table stands on both ends."""
    blocks = sums.before[stage.stop] - sums.before[stage.start]
    tied_copy = sums.embeddings if model.tied and stage.last and not stage.first else 0
    first = sums.embeddings + sums.towers if stage.first else 0
    last = sums.head if stage.last else 0
    return blocks + first + last + tied_copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """The widest parts of a model's blocks, which set the peak of a step."""

    dense_width: int
    experts_per_token: int
    expert_width: int
    query_width: int
    kv_width: int
    heads: int
    head_dim: int


@lru_cache(maxsize=2048)
def widths(model: Architecture) -> Widths:
    """Largest widths over the layer kinds of a model."""
    mixers = [mixer for kind in model.layer_kinds for mixer in kind.mixers]
    parts = [part for kind in model.layer_kinds for part in kind.feed_forwards]
    mixtures = [part for part in parts if isinstance(part, MixtureOfExperts)]
    dense = [part.width for part in parts if not isinstance(part, MixtureOfExperts)]
    beside = [part.shared_width + part.dense_width for part in mixtures]
    return Widths(
        dense_width=max([*dense, *beside, 0]),
        experts_per_token=max((part.active_experts for part in mixtures), default=0),
        expert_width=max((part.width for part in mixtures), default=0),
        query_width=max((mixer.query_width for mixer in mixers), default=0),
        kv_width=max((mixer.kv_width for mixer in mixers), default=0),
        heads=max((mixer.heads for mixer in mixers), default=0),
        head_dim=max((mixer.query_width // mixer.heads for mixer in mixers), default=0),
    )


@lru_cache(maxsize=8192)
def cache_rows(
    model: Architecture, tensor_parallel: int, start: int = 0, stop: int | None = None
) -> tuple[tuple[CacheRow, int], ...]:
    """Rows that blocks start..stop keep of every token on one rank, and how many layers do so."""
    found: dict[CacheRow, int] = {}
    for index in model.layer_order[start:stop]:
        for mixer in model.layer_kinds[index].mixers:
            for row in mixer.cache_rows(tensor_parallel):
                found[row] = found.get(row, 0) + 1
    return tuple(found.items())


@lru_cache(maxsize=8192)
def state_rows(
    model: Architecture, tensor_parallel: int, start: int = 0, stop: int | None = None
) -> tuple[tuple[StateRow, int], ...]:
    """States that blocks start..stop keep of every sequence on one rank, and in how many layers."""
    found: dict[StateRow, int] = {}
    for index in model.layer_order[start:stop]:
        for mixer in model.layer_kinds[index].mixers:
            for row in mixer.state_rows(tensor_parallel):
                found[row] = found.get(row, 0) + 1
    return tuple(found.items())


def cached_elements_per_token(model: Architecture) -> int:
    """Values that an unsharded model keeps of one token while no window is full."""
    return sum(
        row.elements * layers // row.tokens_per_row
        for row, layers in cache_rows(model, 1)
        if row.source == "context"
    )


def least_sequence_bits(model: Architecture, context_tokens: int, cache_bits: int) -> int:
    """Bits that one sequence's tokens take at least, whatever the engine rounds up."""
    return sum(
        row.rows(min(context_tokens, row.window_tokens or context_tokens))
        * row.elements
        * (row.bits or cache_bits)
        * layers
        for row, layers in cache_rows(model, 1)
        if row.source == "context"
    )


def state_elements(model: Architecture) -> int:
    """Values that an unsharded model keeps of every sequence, whatever its length."""
    return sum(row.elements * layers for row, layers in state_rows(model, 1))
