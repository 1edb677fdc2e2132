"""Number formats and quantizations: how many bytes a tensor takes in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from service.domain.packing import PackedFormat
from service.domain.tensors import Kind, Tensor, Tensors
from service.domain.units import bytes_of_bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Precision:
    """A plain number format: every value takes `bits`."""

    id: str
    bits: int
    aliases: tuple[str, ...] = ()

    def bytes(self, elements: int) -> int:
        """Bytes of so many values, rounded up."""
        return bytes_of_bits(elements * self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a tensor stands, and what of its model a quantization may ask for.

    layer, layers                       the block and how many there are; None outside the blocks
    attention_layer, attention_layers   the same among the blocks that have attention
    traits                              words of `MODEL_TRAITS` in `sums`
    """

    layer: int | None = None
    layers: int = 0
    attention_layer: int = 0
    attention_layers: int = 0
    traits: frozenset[str] = frozenset()


ANYWHERE = Place()

LAYER_PATTERNS: Mapping[str, Callable[[int, int], bool]] = {
    "first 2": lambda layer, _: layer < 2,  # ruff: ignore[magic-value-comparison] - its name says it
    "first 4": lambda layer, _: layer < 4,  # ruff: ignore[magic-value-comparison] - its name says it
    "first 1/16": lambda layer, layers: layer < layers // 16,
    "first 1/8": lambda layer, layers: layer < layers // 8,
    "middle 3/4": lambda layer, layers: layers // 8 <= layer < 7 * layers // 8,
    "more bits": lambda layer, layers: (
        layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2  # ruff: ignore[magic-value-comparison] - as in the source
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Tensors that a quantization stores in one way; every condition that is given has to hold.

    format   how they are stored; None leaves them in the base precision
    kinds    kinds of tensor, empty for any
    names    names of tensors with `*`, and exact ones: empty both for any
    linear   matrices only: what is no linear layer's weight is left to later rules
    layers   blocks by number
    pattern  blocks by a word of `LAYER_PATTERNS`
    when     words that the model's traits have to hold
    """

    format: PackedFormat | None = None
    kinds: frozenset[Kind] = frozenset()
    names: tuple[str, ...] = ()
    exact: frozenset[str] = frozenset()
    linear: bool = False
    layers: frozenset[int] | None = None
    pattern: str = ""
    when: frozenset[str] = frozenset()

    @property
    def by_layer(self) -> bool:
        """Whether it holds in some blocks only."""
        return self.layers is not None or bool(self.pattern)

    def stands(self, place: Place, *, attention: bool) -> bool:
        """Whether its conditions on the block hold."""
        if self.layers is not None:
            return place.layer in self.layers
        if not self.pattern:
            return True
        if place.layer is None:
            return False
        if attention:
            return LAYER_PATTERNS[self.pattern](place.attention_layer, place.attention_layers)
        return LAYER_PATTERNS[self.pattern](place.layer, place.layers)

    def calls(self, name: str) -> bool:
        """Whether its names hold a tensor's."""
        if not self.names and not self.exact:
            return True
        return name in self.exact or any(fnmatchcase(name, one) for one in self.names)

    def holds(self, tensor: Tensor, place: Place) -> bool:
        """Whether it decides the format of a tensor."""
        return (
            (tensor.linear or not self.linear)
            and (not self.kinds or tensor.kind in self.kinds)
            and self.calls(tensor.name)
            and self.when <= place.traits
            and self.stands(place, attention=tensor.kind == "attention")
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantization:
    """A way to store the weights: rules in order, of which the first that holds decides.

    A tensor that no rule names keeps the base precision.

    group        input columns that tensor parallelism must not cut through, 1 for any
    kernel       family under which engines say what they run
    quality_rank 0 (as released) to 8, reference: the ranking of `config/quantizations.yaml`
    as_released  whether the checkpoint itself declares it
    layout       how the kernel that runs on the card in question keeps it, where that is known
    """

    id: str
    name: str
    kernel: str
    quality_rank: int
    quality_loss: str
    sources: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    group: int = 1
    aliases: tuple[str, ...] = ()
    notes: str = ""
    as_released: bool = False
    layout: str = ""

    @property
    def quantizes(self) -> bool:
        """Whether it packs anything at all."""
        return any(rule.format and rule.format.packed for rule in self.rules)

    def form(self, tensor: Tensor, place: Place = ANYWHERE) -> PackedFormat | None:
        """How a tensor is stored at its place; None in the base precision."""
        for rule in self.rules:
            if rule.holds(tensor, place):
                return rule.format.for_columns(tensor.columns) if rule.format else None
        return None

    def packs(self, tensor: Tensor, place: Place = ANYWHERE) -> bool:
        """Whether a linear layer's weight is stored in a packed format."""
        form = self.form(tensor, place) if tensor.linear else None
        return form is not None and form.packed

    def marks(self, place: Place) -> tuple[bool, ...]:
        """What the rules see of a block: blocks with equal marks are stored alike."""
        return tuple(
            rule.stands(place, attention=attention)
            for rule in self.rules
            if rule.by_layer
            for attention in (False, True)
        )

    def weight_bytes(
        self,
        tensors: Tensors,
        precision: Precision,
        place: Place = ANYWHERE,
        tensor_parallel: int = 1,
        expert_parallel: int = 1,
    ) -> int:
        """Bytes of a bill on one rank: packed tensors in their format, others in the precision.

        M = Σ_packed n·M_format(r, c) + ceil(e·Σ_kept n·r·c / 8)

        The whole tensor decides the format, the rank's part of it the bytes.
        """
        packed, kept = 0, 0
        for tensor in tensors:
            form, part = self.form(tensor, place), tensor.sharded(tensor_parallel, expert_parallel)
            if form is None:
                kept += part.elements
            else:
                packed += form.bytes(part.rows, part.columns) * part.count
        return packed + precision.bytes(kept)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Declared:
    """What a checkpoint says of its own weights: a known quantization's kernel, rules of its own.

    base        key of the quantization that it is one of
    stands_for  keys under which a caller means it
    """

    base: str
    id: str
    rules: tuple[Rule, ...]
    group: int
    stands_for: frozenset[str]


@lru_cache(maxsize=2048)
def laid_out(quantization: Quantization, layout: str) -> Quantization:
    """The quantization as a kernel keeps it."""
    return replace(quantization, layout=layout)


@lru_cache(maxsize=2048)
def as_released(declared: Declared, base: Quantization) -> Quantization:
    """The quantization of a checkpoint as it is released: the reference of quality."""
    return replace(
        base,
        id=declared.id,
        rules=declared.rules,
        group=declared.group,
        aliases=(),
        quality_rank=0,
        quality_loss="as released",
        as_released=True,
    )
