"""Sums over the bill of tensors that many questions share, computed once for each split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from service.domain.architecture import Architecture, Stage
from service.domain.feed_forward import MixtureOfExperts
from service.domain.precision import Precision, Quantization
from service.domain.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSums:
    """Bytes on one rank: each layer kind, the embeddings and the head."""

    kinds: tuple[int, ...]
    embeddings: int
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

    return WeightSums(
        kinds=tuple(size(kind.tensors()) for kind in model.layer_kinds),
        embeddings=size(model.embeddings),
        head=size(model.head),
    )


def stage_weight_bytes(model: Architecture, sums: WeightSums, stage: Stage) -> int:
    """Weight bytes of one rank of a pipeline stage; a tied table stands on both ends."""
    blocks = sum(size * times for size, times in zip(sums.kinds, stage.occurrences, strict=True))
    tied_copy = sums.embeddings if model.tied and stage.last and not stage.first else 0
    first = sums.embeddings if stage.first else 0
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
    mixers = [kind.mixer for kind in model.layer_kinds if kind.mixer]
    parts = [kind.feed_forward for kind in model.layer_kinds if kind.feed_forward]
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
def cached_layers(
    model: Architecture, tensor_parallel: int, occurrences: tuple[int, ...]
) -> tuple[tuple[int, int, int], ...]:
    """Rows (elements a token, windows of that size or 0 for none, layers) of one rank's cache."""
    rows: dict[tuple[int, int], int] = {}
    for kind, times in zip(model.layer_kinds, occurrences, strict=True):
        if kind.mixer and times:
            key = (kind.mixer.cached_elements(tensor_parallel), kind.mixer.window_tokens or 0)
            rows[key] = rows.get(key, 0) + times
    return tuple((elements, window, layers) for (elements, window), layers in rows.items())
