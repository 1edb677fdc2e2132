"""A model as its layers, and from them the bill of tensors and every count that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from service.domain.feed_forward import FeedForward
from service.domain.mixers import Mixer
from service.domain.tensors import Tensor, Tensors, elements


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerKind:
    """One kind of block; `others` are its norms, scales and whatever else it weighs."""

    mixer: Mixer | None
    feed_forward: FeedForward | None
    others: Tensors = ()

    def tensors(self) -> Tensors:
        """Weights of one such block."""
        mixer = self.mixer.tensors() if self.mixer else ()
        feed_forward = self.feed_forward.tensors() if self.feed_forward else ()
        return (*mixer, *feed_forward, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Architecture:
    """Everything that a model's config decides.

    layer_kinds          distinct blocks
    layer_order          index into `layer_kinds` of every block, first to last
    embeddings           input tables, on the first pipeline stage
    head                 final norm and output matrix (absent when tied), on the last stage
    checkpoint_extras    what the published files hold beside the model, with its name
    context_limit        tokens that positions reach, where the config says so
    declared_precision   type of the published weights
    declared_quantization  key of the quantization that the checkpoint declares
    shape_is_assumed     only the size was given: caches and activations follow a typical shape
    """

    name: str
    family: str
    hidden_size: int
    vocabulary_size: int
    layer_kinds: tuple[LayerKind, ...]
    layer_order: tuple[int, ...]
    embeddings: Tensors
    head: Tensors
    tied: bool
    context_limit: int | None = None
    declared_precision: str | None = None
    declared_quantization: str | None = None
    checkpoint_extras: tuple[tuple[str, int], ...] = ()
    shape_is_assumed: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def layer_count(self) -> int:
        """Number of blocks."""
        return len(self.layer_order)

    @property
    def parameters(self) -> int:
        """Unique parameters of the model."""
        return counts(self).parameters

    @property
    def active_parameters(self) -> int:
        """Parameters that take part in one token: all but the experts not chosen."""
        return counts(self).active_parameters

    @property
    def checkpoint_parameters(self) -> int:
        """Elements that the published files hold, where they are known to hold more."""
        return self.parameters + sum(extra for _, extra in self.checkpoint_extras)

    def tensors(self) -> Tensors:
        """The whole bill: embeddings, every block, head; `count` carries the repetitions."""
        return counts(self).bill


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Sums over one architecture's bill, computed once."""

    bill: Tensors
    parameters: int
    active_parameters: int
    kind_totals: tuple[int, ...]
    mixture: bool


@lru_cache(maxsize=2048)
def counts(model: Architecture) -> Counts:
    """Sums over the bill of a model."""
    occurrences = kind_occurrences(model)
    repeated = tuple(
        Tensor(
            name=tensor.name,
            kind=tensor.kind,
            rows=tensor.rows,
            columns=tensor.columns,
            count=tensor.count * times,
            cut=tensor.cut,
            heads=tensor.heads,
            linear=tensor.linear,
        )
        for kind, times in zip(model.layer_kinds, occurrences, strict=True)
        for tensor in kind.tensors()
        if times
    )
    bill = (*model.embeddings, *repeated, *model.head)
    inactive = sum(
        kind.feed_forward.inactive_elements * times
        for kind, times in zip(model.layer_kinds, occurrences, strict=True)
        if kind.feed_forward
    )
    total = elements(bill)
    return Counts(
        bill=bill,
        parameters=total,
        active_parameters=total - inactive,
        kind_totals=tuple(elements(kind.tensors()) for kind in model.layer_kinds),
        mixture=any(tensor.kind == "expert" for tensor in bill),
    )


def kind_occurrences(
    model: Architecture, start: int = 0, stop: int | None = None
) -> tuple[int, ...]:
    """How often each layer kind stands in blocks start..stop."""
    order = model.layer_order[start:stop]
    return tuple(order.count(index) for index in range(len(model.layer_kinds)))


def stage_sizes(layers: int, stages: int) -> tuple[int, ...]:
    """Blocks of each pipeline stage, as vLLM deals them.

    The remainder goes one each to the stages before the last, from the back, because the
    last stage holds the head. Source: vLLM 0.19 `distributed/utils.py`, get_pp_indices.
    """
    base, remainder = divmod(layers, stages)
    sizes = [base] * stages
    for back in range(2, remainder + 2):
        sizes[-back] += 1
    return tuple(sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One pipeline stage: how many blocks of each kind, and whether it holds the ends."""

    index: int
    occurrences: tuple[int, ...]
    first: bool
    last: bool


@lru_cache(maxsize=4096)
def stages(model: Architecture, count: int) -> tuple[Stage, ...]:
    """The pipeline stages of a model."""
    result, start = [], 0
    for index, size in enumerate(stage_sizes(model.layer_count, count)):
        result.append(
            Stage(
                index=index,
                occurrences=kind_occurrences(model, start, start + size),
                first=index == 0,
                last=index == count - 1,
            )
        )
        start += size
    return tuple(result)


def largest_layer_elements(model: Architecture) -> int:
    """Elements of the largest single part that moves as one: a block, the table, or the head."""
    return max(*counts(model).kind_totals, elements(model.embeddings), elements(model.head))
