"""A model as its layers, and from them the bill of tensors and every count that follows from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from service.domain.caches import Source
from service.domain.feed_forward import FeedForward
from service.domain.manners import BlockForm, EndsForm, RotaryTable
from service.domain.mixers import Mixer
from service.domain.precision import Declared
from service.domain.tensors import Tensors, elements

INPUT_TABLE = "embed_tokens"
Modality = Literal["text", "vision", "audio"]
Output = Literal["tokens", "scores", "vectors", "latents"]
"""What a model yields: the next token, scores of every word at every place, vectors or classes of
its input, or a latent image or video."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerKind:
    """One kind of block; `others` are its norms, scales and whatever else it weighs.

    Most blocks have one mixer and one feed-forward; some have two side by side or one after the
    other (attention and state space, self and cross attention), some have none.

    shared  whether all blocks of the kind use one set of weights
    """

    mixers: tuple[Mixer, ...] = ()
    feed_forwards: tuple[FeedForward, ...] = ()
    others: Tensors = ()
    shared: bool = False
    form: BlockForm = field(default_factory=BlockForm)

    def tensors(self) -> Tensors:
        """Weights of one such block."""
        parts = (*self.mixers, *self.feed_forwards)
        return (*(tensor for part in parts for tensor in part.tensors()), *self.others)

    @property
    def inactive_elements(self) -> int:
        """Weights of one block that one token does not touch."""
        return sum(part.inactive_elements for part in self.feed_forwards)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tower:
    """An encoder beside the decoder: images, audio or the source text of a translation.

    before, after    patch or input embeddings; last norm, pooling and projector
    item_tokens      tokens that an image, or one tile of it, becomes, where it is fixed: in the
                     decoder's context, or in front of its cross attention
    """

    name: str
    modality: Modality
    hidden_size: int
    layer_kinds: tuple[LayerKind, ...]
    layer_order: tuple[int, ...]
    before: Tensors = ()
    after: Tensors = ()
    item_tokens: int = 0

    def output_tokens(self, context_tokens: int) -> int:
        """Tokens that the tower puts out for one sequence."""
        return context_tokens if self.modality == "text" else self.item_tokens

    def tensors(self) -> Tensors:
        """The bill of the tower; only a text encoder's weights keep their kinds."""
        blocks = repeated(self.layer_kinds, self.layer_order)
        bill = (*self.before, *blocks, *self.after)
        if self.modality == "text":
            return bill
        return tuple(t if t.kind == "projector" else replace(t, kind="encoder") for t in bill)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredFile:
    """Tensors as a file holds them: what weighs in place of those that the config implies.

    blocks         of every block, first to last
    before, after  what stands on the first and on the last pipeline stage
    """

    blocks: tuple[Tensors, ...]
    before: Tensors
    after: Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Architecture:
    """Everything that a model's config decides.

    layer_kinds          distinct blocks
    layer_order          index into `layer_kinds` of every block, first to last
    embeddings           input tables, on the first pipeline stage
    head                 final norm and output matrix (absent when tied), on the last stage
    output               what the model yields
    towers               encoders beside the decoder, on the first pipeline stage
    prediction           layers that predict further tokens, in the files but not in the class
    prediction_others    what stands around them: projections, norms, their own table and head
    checkpoint_extras    what else the published files hold beside the model, with its name
    context_limit        tokens that positions reach, where the config says so
    declared_precision   type of the published weights
    declared_quantization  what the checkpoint says of its own weights
    stored               the tensors of a file that was given, whose bytes then count
    family_is_assumed    an unknown family was read as a plain decoder
    ends                 what surrounds the blocks does
    rotary               tables of rotary positions, which no file holds
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
    output: Output = "tokens"
    towers: tuple[Tower, ...] = ()
    prediction: tuple[LayerKind, ...] = ()
    prediction_others: Tensors = ()
    context_limit: int | None = None
    declared_precision: str | None = None
    declared_quantization: Declared | None = None
    checkpoint_extras: tuple[tuple[str, int], ...] = ()
    stored: StoredFile | None = None
    shape_is_assumed: bool = False
    family_is_assumed: bool = False
    ends: EndsForm = field(default_factory=EndsForm)
    rotary: tuple[RotaryTable, ...] = ()
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
        return self.parameters + sum(extra for _, extra in extras(self))

    @property
    def embedding_parameters(self) -> int:
        """Values of the table of input tokens, which is the head too where the two are tied."""
        return sum(t.elements for t in self.embeddings if t.name.startswith(INPUT_TABLE))

    @property
    def head_parameters(self) -> int:
        """Values of an output matrix of its own, 0 where the input table serves as head."""
        return sum(t.elements for t in self.head if t.kind == "lm_head")

    def tensors(self) -> Tensors:
        """The whole bill: embeddings, towers, every block, head; `count` carries repetitions."""
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
    towers = tuple(tensor for tower in model.towers for tensor in tower.tensors())
    blocks = repeated(model.layer_kinds, model.layer_order)
    bill = (*model.embeddings, *towers, *blocks, *model.head)
    inactive = sum(
        kind.inactive_elements * model.layer_order.count(index)
        for index, kind in enumerate(model.layer_kinds)
    )
    total = elements(bill)
    return Counts(
        bill=bill,
        parameters=total,
        active_parameters=total - inactive,
        kind_totals=tuple(elements(kind.tensors()) for kind in model.layer_kinds),
        mixture=any(tensor.kind == "expert" for tensor in bill),
    )


def source_tokens(model: Architecture, source: Source, context_tokens: int) -> int:
    """Tokens that a cache counts: the context's, or what the encoders put out for one sequence.

    An encoder of text puts out as many tokens as its source has, taken to be as long as the
    context.
    """
    if source == "context":
        return context_tokens
    return sum(tower.output_tokens(context_tokens) for tower in model.towers)


def repeated(kinds: tuple[LayerKind, ...], order: tuple[int, ...]) -> Tensors:
    """Tensors of blocks, each kind once with its repetitions in `count`."""
    found = Counter(order)
    return tuple(
        replace(tensor, count=tensor.count * times)
        for index, kind in enumerate(kinds)
        for times in (min(1, found[index]) if kind.shared else found[index],)
        for tensor in kind.tensors()
        if times
    )


@lru_cache(maxsize=2048)
def extras(model: Architecture) -> tuple[tuple[str, int], ...]:
    """What the published files hold beside the model: each part's name and elements."""
    layers = sum(elements(kind.tensors()) for kind in model.prediction)
    others = elements(model.prediction_others)
    named = (
        ("multi-token prediction layers", layers),
        ("projections, norms, table and head of the prediction layers", others),
    )
    return (*(pair for pair in named if pair[1]), *model.checkpoint_extras)


def kind_occurrences(model: Architecture) -> tuple[int, ...]:
    """How often each layer kind stands in a model."""
    found = Counter(model.layer_order)
    return tuple(found[index] for index in range(len(model.layer_kinds)))


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
    """One pipeline stage: blocks `start` to `stop`, and whether it holds the ends."""

    index: int
    start: int
    stop: int
    first: bool
    last: bool

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return self.stop - self.start


@lru_cache(maxsize=4096)
def stages(model: Architecture, count: int) -> tuple[Stage, ...]:
    """The pipeline stages of a model."""
    result, start = [], 0
    for index, size in enumerate(stage_sizes(model.layer_count, count)):
        first, last = index == 0, index == count - 1
        result.append(Stage(index=index, start=start, stop=start + size, first=first, last=last))
        start += size
    return tuple(result)


def largest_layer_elements(model: Architecture) -> int:
    """Elements of the largest single part that moves as one: a block, the table, or the head."""
    towers = [elements(kind.tensors()) for tower in model.towers for kind in tower.layer_kinds]
    ends = (elements(model.embeddings), elements(model.head))
    return max(*counts(model).kind_totals, *towers, *ends)
