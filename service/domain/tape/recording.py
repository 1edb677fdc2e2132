"""Recording: the steps of a forward pass with the values that each keeps for its backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.domain.tape.regimes import SINGLE
from service.domain.tape.sizes import NOTHING, Size


@dataclass(slots=True, eq=False)
class Value:
    """A tensor: its elements, bytes an element, and whether a gradient flows to it.

    parameter  a weight: it lies in memory anyway, and its gradient stays
    lasting    kept elsewhere too, as position tables are
    root       the tensor whose storage it shares
    """

    elements: Size
    width: int
    differentiable: bool = True
    parameter: bool = False
    lasting: bool = False
    root: Value | None = None

    @property
    def size(self) -> Size:
        """Its bytes."""
        return self.elements * self.width

    @property
    def storage(self) -> Value:
        """Whose memory it is."""
        return self.root or self


@dataclass(slots=True, eq=False)
class Step:
    """One node of the graph.

    saved      what it keeps for its backward
    passes     whether the gradient of its output serves its inputs of the same size as it is
    workspace  what its backward takes for itself while it runs
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    saved: tuple[Value, ...] = ()
    passes: bool = False
    workspace: Size = NOTHING


@dataclass(slots=True, eq=False)
class Tape:
    """Steps in their order, and the operations that write them."""

    steps: list[Step] = field(default_factory=list)

    def note(
        self,
        inputs: Sequence[Value],
        output: Value,
        *,
        saved: Sequence[Value] = (),
        passes: bool = False,
        workspace: Size = NOTHING,
    ) -> Value:
        """Write a step with one output and give that output back."""
        output.differentiable = any(value.differentiable for value in inputs)
        self.steps.append(
            Step(
                inputs=tuple(value for value in inputs if value.differentiable),
                outputs=(output,),
                saved=tuple(saved) if output.differentiable else (),
                passes=passes,
                workspace=workspace,
            )
        )
        return output

    def cast(self, x: Value, width: int) -> Value:
        """Another type: a new tensor, unless it has that type."""
        if x.width == width:
            return x
        return self.note([x], Value(x.elements, width))

    def pointwise(
        self, x: Value, *, keeps: bool = False, keeps_result: bool = False, copies: int = 0
    ) -> Value:
        """One tensor to another of its size; its backward may take some more of that size."""
        y = Value(x.elements, x.width)
        saved = [value for value, kept in ((x, keeps), (y, keeps_result)) if kept]
        return self.note([x], y, saved=saved, workspace=x.size * copies)

    def power(self, x: Value) -> Value:
        """A power, in fp32 under autocast: keeps its input; its backward makes the lower power."""
        return self.pointwise(x, keeps=True, copies=1)

    def reduce(self, x: Value, elements: Size) -> Value:
        """A mean or a sum; its gradient is written out at full size."""
        return self.note([x], Value(elements, x.width))

    def multiply(self, a: Value, b: Value) -> Value:
        """A product: keeps each factor for the other's gradient.

        Where a factor is broadcast, its gradient is made at full size and then summed.
        """
        larger = max(a, b, key=lambda value: value.elements.rank)
        y = Value(larger.elements, max(a.width, b.width))
        saved = [*([b] if a.differentiable else ()), *([a] if b.differentiable else ())]
        broadcast = [v for v in (a, b) if v.differentiable and v.elements != larger.elements]
        return self.note([a, b], y, saved=saved, workspace=y.size * len(broadcast))

    def add(self, a: Value, b: Value) -> Value:
        """A sum: keeps nothing, and hands its gradient on."""
        larger = max(a, b, key=lambda value: value.elements.rank)
        return self.note([a, b], Value(larger.elements, max(a.width, b.width)), passes=True)

    def matmul(self, a: Value, b: Value, elements: Size) -> Value:
        """A matrix product: keeps each factor for the other's gradient."""
        saved = [*([b] if a.differentiable else ()), *([a] if b.differentiable else ())]
        return self.note([a, b], Value(elements, a.width), saved=saved)

    def dropout(self, x: Value, *, active: bool) -> Value:
        """Zeroes some values: keeps a mask of a byte each."""
        if not active:
            return x
        mask = Value(x.elements, 1)
        return self.note([x], Value(x.elements, x.width), saved=[mask])

    def part(self, x: Value, elements: Size) -> Value:
        """A slice: shares the storage; its gradient is a whole tensor of zeros with the slice."""
        return self.note([x], Value(elements, x.width, root=x.storage))

    def split(self, x: Value, parts: Sequence[Size]) -> tuple[Value, ...]:
        """All slices at once: share the storage; the gradients are joined into one."""
        outputs = tuple(
            Value(elements, x.width, differentiable=x.differentiable, root=x.storage)
            for elements in parts
        )
        self.steps.append(Step(inputs=(x,) if x.differentiable else (), outputs=outputs))
        return outputs

    def join(self, parts: Sequence[Value]) -> Value:
        """A concatenation: a new tensor, of which the gradients are slices."""
        total = NOTHING
        for value in parts:
            total += value.elements
        return self.note(parts, Value(total, max(v.width for v in parts)), passes=True)

    def copy(self, x: Value) -> Value:
        """A copy in another order; its gradient is handed on."""
        return self.note([x], Value(x.elements, x.width), passes=True)

    def layer_norm(self, x: Value, statistics: Size) -> Value:
        """LayerNorm as one kernel: keeps its input, mean and reciprocal deviation."""
        kept = Value(statistics * 2, SINGLE)
        return self.note([x], Value(x.elements, x.width), saved=[x, kept])
