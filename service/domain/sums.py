"""Sums over the bill of tensors that many questions share, computed once for each split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from service.domain.architecture import Architecture, Stage, StoredFile
from service.domain.caches import CacheRow, Source, StateRow
from service.domain.feed_forward import MixtureOfExperts
from service.domain.mixers import LatentAttention
from service.domain.precision import Place, Precision, Quantization
from service.domain.tensors import Tensors
from service.domain.units import bytes_of_bits

MODEL_TRAITS: Mapping[str, Callable[[Architecture, int], bool]] = {
    "tied": lambda model, _: model.tied,
    "falcon": lambda model, _: model.family == "falcon",
    "gqa-4": lambda _, shared: shared >= 4,  # ruff: ignore[magic-value-comparison] - its name says it
    "80-blocks": lambda model, shared: model.layer_count == 80 and shared > 1,  # ruff: ignore[magic-value-comparison] - its name says it
    "experts-4": lambda model, _: experts(model) >= 4,  # ruff: ignore[magic-value-comparison] - its name says it
    "8-experts": lambda model, _: experts(model) == 8,  # ruff: ignore[magic-value-comparison] - its name says it
}


def experts(model: Architecture) -> int:
    """Routed experts of a layer, the most of any."""
    parts = [part for kind in model.layer_kinds for part in kind.feed_forwards]
    return max((p.experts for p in parts if isinstance(p, MixtureOfExperts)), default=0)


def heads_per_kv_head(model: Architecture) -> int:
    """Query heads that share a key head in the first block with both; latent keys serve all."""
    for kind in model.layer_kinds:
        heads = {t.name: t.heads for t in kind.tensors() if t.kind == "attention" and t.heads}
        if "k_proj" in heads and "q_proj" in heads:
            return heads["q_proj"] // heads["k_proj"]
        if "kv_b_proj" in heads:
            return heads["kv_b_proj"]
    return 1


@lru_cache(maxsize=2048)
def places(model: Architecture) -> tuple[Place, ...]:
    """The place of every block, and last the one of what stands around them."""
    shared = heads_per_kv_head(model)
    traits = frozenset(word for word, holds in MODEL_TRAITS.items() if holds(model, shared))
    kinds = [any(t.kind == "attention" for t in kind.tensors()) for kind in model.layer_kinds]
    attention = [kinds[index] for index in model.layer_order]
    before = tuple(accumulate(attention, initial=0))
    blocks = tuple(
        Place(
            layer=index,
            layers=model.layer_count,
            attention_layer=before[index],
            attention_layers=before[-1],
            traits=traits,
        )
        for index in range(model.layer_count)
    )
    return (*blocks, Place(layers=model.layer_count, traits=traits))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSums:
    """Bytes on one rank: all blocks before each index, and what stands around the blocks.

    shared  kinds whose blocks use one set of weights, which `before` leaves out, with its bytes
    """

    before: tuple[int, ...]
    shared: tuple[tuple[int, int], ...]
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

    def size(tensors: Tensors, place: Place) -> int:
        return quantization.weight_bytes(
            tensors, precision, place, tensor_parallel, expert_parallel
        )

    *stand, around = places(model)
    held = loaded(model)
    known: dict[tuple[int, tuple[bool, ...]], int] = {}
    blocks = []
    for tensors, place in zip(held.blocks, stand, strict=True):
        alike = (id(tensors), quantization.marks(place))
        if alike not in known:
            known[alike] = size(tensors, place)
        blocks.append(known[alike])
    once = {i: size for i, size in zip(model.layer_order, blocks, strict=True) if _shared(model, i)}
    apart = (
        0 if index in once else size for index, size in zip(model.layer_order, blocks, strict=True)
    )
    return WeightSums(
        before=tuple(accumulate(apart, initial=0)),
        shared=tuple(once.items()),
        embeddings=size(held.before, around),
        towers=0 if model.stored else sum(size(w.tensors(), around) for w in model.towers),
        head=size(held.after, around),
    )


def _shared(model: Architecture, kind: int) -> bool:
    return model.layer_kinds[kind].shared


@lru_cache(maxsize=2048)
def loaded(model: Architecture) -> StoredFile:
    """The tensors whose bytes count: a file's where one was given, else the config's."""
    if model.stored is not None:
        return model.stored
    kinds = tuple(kind.tensors() for kind in model.layer_kinds)
    return StoredFile(
        blocks=tuple(kinds[index] for index in model.layer_order),
        before=model.embeddings,
        after=model.head,
    )


def model_weight_bytes(
    model: Architecture, quantization: Quantization, precision: Precision
) -> int:
    """Weight bytes of the whole model on one card."""
    sums = weight_sums(model, quantization, precision, 1, 1)
    shared = sum(size for _, size in sums.shared)
    return sums.before[-1] + shared + sums.embeddings + sums.towers + sums.head


def stage_weight_bytes(model: Architecture, sums: WeightSums, stage: Stage) -> int:
    """Weight bytes of one rank of a pipeline stage; a tied table stands on both ends."""
    placed = model.layer_order[stage.start : stage.stop]
    blocks = sums.before[stage.stop] - sums.before[stage.start]
    blocks += sum(size for index, size in sums.shared if index in placed)
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
        head_dim=max((m.query_width // m.heads for m in mixers if m.heads), default=0),
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


def cached_elements_per_token(
    model: Architecture, source: Source = "context", *, beyond_windows: bool = False
) -> int:
    """Values that an unsharded model keeps of one token: while no window is full, or after.

    Of the context, or of an encoder's output that a decoder looks at.
    """
    return sum(
        row.elements * layers // row.tokens_per_row
        for row, layers in cache_rows(model, 1)
        if row.source == source and not row.staged and not (beyond_windows and row.window_tokens)
    )


def state_elements(model: Architecture, *, with_inputs: bool = False) -> int:
    """Values that an unsharded model keeps of every sequence, whatever its length."""
    return sum(
        (row.elements + (row.input_elements if with_inputs else 0)) * layers
        for row, layers in state_rows(model, 1)
    )


def state_bytes(model: Architecture, model_bits: int = 16) -> int:
    """State of one sequence: values whose type the model fixes in it, all others in its own. [B]"""
    return sum(
        bytes_of_bits(row.elements * (row.bits or model_bits)) * layers
        for row, layers in state_rows(model, 1)
    )


@lru_cache(maxsize=2048)
def sparse_attention(model: Architecture) -> LatentAttention | None:
    """The latent attention of a layer that sees chosen tokens only."""
    mixers = (mixer for kind in model.layer_kinds for mixer in kind.mixers)
    return next((m for m in mixers if isinstance(m, LatentAttention) and m.sparse), None)
