"""Decoders from facts: which mixer and feed-forward each layer has, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from service.domain.architecture import Architecture, LayerKind, Output, Tower
from service.domain.feed_forward import FeedForward
from service.domain.manners import BlockForm, EndsForm
from service.domain.mixers import Mixer
from service.domain.tensors import Tensors, matrix, norm, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Norms:
    """Normalisations of the hidden state: how many a block, with or without weight and bias."""

    per_block: int = 2
    weight: bool = True
    bias: bool = False
    final: bool = True

    def block(self, hidden_size: int) -> Tensors:
        """Norms of one block."""
        return tuple(
            tensor
            for index in range(self.per_block)
            for tensor in norm(f"norm_{index}", hidden_size, bias=self.bias, weight=self.weight)
        )

    def last(self, hidden_size: int) -> Tensors:
        """The norm before the head."""
        if not self.final:
            return ()
        return norm("norm", hidden_size, bias=self.bias, weight=self.weight)


P = TypeVar("P", Mixer, FeedForward)
Mixers = Mixer | tuple[Mixer, ...] | None
FeedForwards = FeedForward | tuple[FeedForward, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a family's config says about a decoder.

    mixer, feed_forward  of a layer by its index, several where a block has several
    positions            rows of a learned position table
    embedding_size       width of the input table where it differs from the hidden size
    wordless             no input table: sound, or an image, comes in through `extras`
    extras               further tensors beside the input table
    layer_extras         further tensors of a layer by its index
    towers               encoders beside the decoder
    prediction, prediction_others   layers that predict further tokens, and what is around them
    headless             no output matrix at all, as embedding models are published
    head_extras          what a head has beside the norm and the output matrix
    output               what the model yields
    shared_group         of a layer by its index: layers of one group share their weights
    form, ends           how blocks and what surrounds them compute
    checkpoint_extras    name and elements of what the files hold beside the model
    notes                what a reader should know about how the config was read
    """

    hidden_size: int
    vocabulary_size: int
    layers: int
    tied: bool
    mixer: Callable[[int], Mixers]
    feed_forward: Callable[[int], FeedForwards]
    norms: Norms = field(default_factory=Norms)
    wordless: bool = False
    headless: bool = False
    head_bias: bool = False
    positions: int = 0
    embedding_size: int = 0
    extras: Tensors = ()
    layer_extras: Callable[[int], Tensors] = lambda _: ()
    towers: tuple[Tower, ...] = ()
    prediction: tuple[LayerKind, ...] = ()
    prediction_others: Tensors = ()
    head_extras: Tensors = ()
    output: Output = "tokens"
    shared_group: Callable[[int], int] | None = None
    context_limit: int | None = None
    form: BlockForm = field(default_factory=BlockForm)
    ends: EndsForm = field(default_factory=EndsForm)
    checkpoint_extras: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def decoder(facts: Facts, name: str, family: str) -> Architecture:
    """The architecture of a decoder; equal layers become one kind."""
    kinds, order = layers(facts, range(facts.layers))
    return Architecture(
        name=name,
        family=family,
        hidden_size=facts.hidden_size,
        vocabulary_size=facts.vocabulary_size,
        layer_kinds=kinds,
        layer_order=order,
        embeddings=_embeddings(facts),
        head=_head(facts),
        tied=facts.tied,
        output=facts.output,
        ends=facts.ends,
        towers=facts.towers,
        prediction=facts.prediction,
        prediction_others=facts.prediction_others,
        context_limit=facts.context_limit,
        checkpoint_extras=facts.checkpoint_extras,
        notes=facts.notes,
    )


def layers(facts: Facts, indices: Iterable[int]) -> tuple[tuple[LayerKind, ...], tuple[int, ...]]:
    """Distinct blocks of some layers, and which of them stands at each place."""
    norms = facts.norms.block(facts.hidden_size)
    kinds: dict[tuple[object, ...], LayerKind] = {}
    places: dict[tuple[object, ...], int] = {}
    order = []
    for index in indices:
        mixers, parts = several(facts.mixer(index)), several(facts.feed_forward(index))
        extras = facts.layer_extras(index)
        group = facts.shared_group(index) if facts.shared_group else None
        key = (mixers, parts, extras, group)
        if key not in kinds:
            kinds[key] = LayerKind(
                mixers=mixers,
                feed_forwards=parts,
                others=(*norms, *extras),
                shared=group is not None,
                form=facts.form,
            )
            places[key] = len(places)
        order.append(places[key])
    return tuple(kinds.values()), tuple(order)


def several(part: P | tuple[P, ...] | None) -> tuple[P, ...]:
    """None, one or several parts of a block as a tuple."""
    if part is None:
        return ()
    return part if isinstance(part, tuple) else (part,)


def _embeddings(facts: Facts) -> Tensors:
    width = facts.embedding_size or facts.hidden_size
    table = matrix("embed_tokens", "embedding", facts.vocabulary_size, width, cut="rows")
    positions = (
        (matrix("embed_positions", "position", facts.positions, facts.hidden_size),)
        if facts.positions
        else ()
    )
    return (*(() if facts.wordless else (table,)), *positions, *facts.extras)


def _head(facts: Facts) -> Tensors:
    width = facts.embedding_size or facts.hidden_size
    tied = (
        ()
        if facts.tied or facts.headless
        else (matrix("lm_head", "lm_head", facts.vocabulary_size, width, cut="rows"),)
    )
    bias = (
        (vector("lm_head.bias", "bias", facts.vocabulary_size, cut="rows"),)
        if facts.head_bias
        else ()
    )
    return (*facts.norms.last(facts.hidden_size), *facts.head_extras, *tied, *bias)
