"""Walking a tape: what it keeps, and what lives at every step of its way back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from service.domain.tape.recording import Step, Tape, Value
from service.domain.tape.sizes import NOTHING, Size


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of the backward pass: activations and gradients of activations, gradients so far."""

    live: Size
    gradient_bytes: int = 0

    def covers(self, other: Point) -> bool:
        """Whether this moment needs at least as much for every batch and length."""
        return self.gradient_bytes >= other.gradient_bytes and self.live.covers(other.live)

    def at(self, tokens: int, sequence: int) -> int:
        """Bytes for so many tokens."""
        return self.live.at(tokens, sequence) + self.gradient_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a part of the model keeps and how its backward passes.

    kept             for the backward, casts of weights included
    kept_input       of that, its own input
    casts            of that, 16-bit copies of weights
    given            the gradient of its output
    gradient_bytes   gradients of its weights when it is done
    backward         moments that no other moment covers
    """

    kept: Size
    kept_input: Size
    casts: Size
    given: Size
    gradient_bytes: int
    backward: tuple[Point, ...]


@dataclass(slots=True, eq=False)
class Gradient:
    """A gradient's memory and how many values it stands for."""

    size: Size
    holders: int = 1


@dataclass(slots=True, eq=False)
class Backward:
    """State of the way back."""

    live: Size
    accumulating: bool
    readers: Counter[int]
    gradient_bytes: int = 0
    points: list[Point] = field(default_factory=list)
    pending: dict[int, Gradient] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Run one node: new gradients appear, then what it kept and its own gradient go."""
        given = [g for v in step.outputs if (g := self.pending.pop(id(v), None)) is not None]
        if given and step.inputs:
            made = [self._gradient_for(value, step, given) for value in step.inputs]
            self.mark(step.workspace)
            self._release(step, given)
            for value, gradient in zip(step.inputs, made, strict=True):
                self._deliver(value, gradient)
        else:
            self._release(step, given)

    def mark(self, extra: Size = NOTHING) -> None:
        """Remember this moment."""
        self.points.append(Point(self.live + extra, self.gradient_bytes))

    def _gradient_for(self, value: Value, step: Step, given: list[Gradient]) -> Gradient:
        output = step.outputs[0]
        if step.passes and value.width == output.width and not value.parameter:
            same = value.elements == output.elements
            if same or output.elements.covers(value.elements):
                given[0].holders += 1
                return given[0]
        made = Gradient(value.size)
        self.live += made.size
        return made

    def _release(self, step: Step, given: list[Gradient]) -> None:
        for gradient in given:
            self._drop(gradient)
        for value in step.saved:
            root = value.storage
            self.readers[id(root)] -= 1
            if not self.readers[id(root)] and not root.parameter and not root.lasting:
                self.live -= root.size

    def _drop(self, gradient: Gradient) -> None:
        gradient.holders -= 1
        if not gradient.holders:
            self.live -= gradient.size

    def _deliver(self, value: Value, gradient: Gradient) -> None:
        if value.parameter:
            self._drop(gradient)
            if not self.accumulating:
                self.gradient_bytes += gradient.size.fixed
            return
        before = self.pending.get(id(value))
        if before is None:
            self.pending[id(value)] = gradient
            return
        if before.holders > 1:
            total = Gradient(value.size)
            self.live += total.size
            self.mark()
            self._drop(before)
            self.pending[id(value)] = total
        self._drop(gradient)


def walk(tape: Tape, entry: Value, exit_: Value, *, accumulating: bool = False) -> Walk:
    """Everything about the memory of a tape from its input to its output.

    Source: torch 2.13 `csrc/autograd/engine.cpp` (later nodes first, saved values released after
    each), `input_buffer.cpp` (a sum is made in place where nothing else holds the first part).
    """
    roots = [value.storage for step in tape.steps for value in step.saved]
    readers = Counter(id(root) for root in roots)
    kept = {id(root): root for root in roots if not root.parameter and not root.lasting}
    total = NOTHING
    casts = NOTHING
    for root in kept.values():
        total += root.size
        if root.elements.fixed and not root.elements.token:
            casts += root.size
    back = Backward(live=total, accumulating=accumulating, readers=readers)
    back.pending[id(exit_)] = Gradient(exit_.size)
    back.live += exit_.size
    for step in reversed(tape.steps):
        back.take(step)
    back.mark()
    return Walk(
        kept=total,
        kept_input=entry.size if id(entry) in kept else NOTHING,
        casts=casts,
        given=exit_.size,
        gradient_bytes=back.gradient_bytes,
        backward=frontier(back.points),
    )


def frontier(points: list[Point]) -> tuple[Point, ...]:
    """The moments that no other covers."""
    best: list[Point] = []
    for point in points:
        if any(held.covers(point) for held in best):
            continue
        best = [held for held in best if not point.covers(held)]
        best.append(point)
    return tuple(best)
