"""What a quantization_config says in the terms of the bill: which tensors stand in what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from service.catalog.families.declared.patterns import MAX_TESTS, Patterns, UnreadablePattern
from service.domain.architecture import Architecture
from service.domain.packing import PackedFormat
from service.domain.precision import Declared, Rule
from service.domain.tensors import Kind, Tensor, Tensors

BLOCKS: tuple[Kind, ...] = ("attention", "mlp", "expert", "shared_expert", "state_space")
TOWERS: tuple[Kind, ...] = ("encoder", "projector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Tensors of these kinds that these patterns name stand in this format.

    kinds     empty for any; without patterns it selects all of the kinds
    patterns  None for every name
    form      None leaves them in 16 bits
    ends      blocks counted from the first and from the last that it selects alone, 0 for all
    """

    form: PackedFormat | None = None
    kinds: tuple[Kind, ...] = ()
    patterns: Patterns | None = None
    ends: int = 0

    def takes(self, tensor: Tensor, layer: int | None, layers: int) -> bool:
        """Whether it decides a tensor's format."""
        if self.kinds and tensor.kind not in self.kinds:
            return False
        if self.ends and (layer is None or self.ends <= layer < layers - self.ends):
            return False
        return self.patterns is None or self.patterns.name(tensor, layer)

    @property
    def by_block(self) -> bool:
        """Whether blocks differ."""
        return bool(self.ends) or (self.patterns is not None and self.patterns.by_block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Selections in order, of which the first that takes a tensor decides.

    base    key of the quantization whose kernel, quality and sources it has
    suffix  what its id adds to the base's where its numbers are others
    group   columns that tensor parallelism must not cut through
    """

    base: str
    selections: tuple[Selection, ...]
    suffix: str = ""
    group: int = 1


Decision = tuple[PackedFormat | None, frozenset[int] | None]


def declared(scheme: Scheme, model: Architecture, same: frozenset[str]) -> Declared:
    """The scheme resolved over a model's tensors into rules by name and block.

    Raises: UnreadablePattern where its patterns would take too long for so many blocks.
    """
    _refuse_long_work(scheme, model)
    chosen: dict[Decision, dict[Kind, set[str]]] = {}
    for tensor, decisions in _decided(scheme, model):
        for decision in decisions:
            chosen.setdefault(decision, {}).setdefault(tensor.kind, set()).add(tensor.name)
    rules = [
        Rule(
            format=form,
            kinds=frozenset({kind}),
            exact=frozenset(names),
            linear=True,
            layers=layers,
        )
        for (form, layers), kinds in chosen.items()
        for kind, names in kinds.items()
        if form
    ]
    return Declared(
        base=scheme.base,
        id=scheme.base + scheme.suffix,
        rules=tuple(rules),
        group=scheme.group,
        stands_for=same | {scheme.base},
    )


def _refuse_long_work(scheme: Scheme, model: Architecture) -> None:
    tensors = sum(len(model.layer_kinds[i].tensors()) for i in model.layer_order)
    listed = [one.patterns for one in scheme.selections if one.patterns]
    if sum(patterns.tests(tensors) for patterns in listed) > MAX_TESTS:
        raise UnreadablePattern("too many patterns by block for so many blocks")


def _decided(scheme: Scheme, model: Architecture) -> Iterator[tuple[Tensor, list[Decision]]]:
    outside = (*model.embeddings, *model.head, *(t for w in model.towers for t in w.tensors()))
    for tensor in _matrices(outside):
        yield tensor, [(_form(scheme, tensor, None, model.layer_count), None)]
    by_block = any(selection.by_block for selection in scheme.selections)
    for index, kind in enumerate(model.layer_kinds):
        layers = [i for i, kind_index in enumerate(model.layer_order) if kind_index == index]
        for tensor in _matrices(kind.tensors()):
            yield tensor, _in_blocks(scheme, tensor, layers, model.layer_count, by_block)


def _in_blocks(
    scheme: Scheme, tensor: Tensor, layers: list[int], count: int, by_block: bool
) -> list[Decision]:
    if not layers:
        return []
    if not by_block:
        return [(_form(scheme, tensor, layers[0], count), None)]
    forms: dict[PackedFormat | None, list[int]] = {}
    for layer in layers:
        forms.setdefault(_form(scheme, tensor, layer, count), []).append(layer)
    if len(forms) == 1:
        return [(next(iter(forms)), frozenset(layers) if len(layers) < count else None)]
    return [(form, frozenset(found)) for form, found in forms.items()]


def _form(scheme: Scheme, tensor: Tensor, layer: int | None, layers: int) -> PackedFormat | None:
    for selection in scheme.selections:
        if selection.takes(tensor, layer, layers):
            return selection.form
    return None


def _matrices(tensors: Tensors) -> Iterator[Tensor]:
    return (tensor for tensor in tensors if tensor.linear)
