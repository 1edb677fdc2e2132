"""The table of Accelerate's calculator, from our own counts."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.architecture import Architecture, largest_layer_elements
from service.domain.precision import Precision

TRAINING_COPIES = 4
"""Weights, gradients and Adam's two states, each as large as the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """One row: a precision and the three columns of the calculator."""

    precision: str
    largest_layer_bytes: int
    total_bytes: int
    training_adam_bytes: int


def footprint(model: Architecture, precision: Precision) -> Footprint:
    """Largest layer, total size and training with Adam at one precision. [B]

    M = P·b/8;  M_adam = 4·M

    P  parameters   b  bits a value

    Holds when:  weights, gradients and both states have the same type.
    Source:      Hugging Face Accelerate, usage guide "model memory estimator".
    Checked by:  8,000,000,000 parameters in float32: 32,000,000,000 and four times that.
    """
    size = precision.bytes(model.parameters)
    return Footprint(
        precision=precision.id,
        largest_layer_bytes=precision.bytes(largest_layer_elements(model)),
        total_bytes=size,
        training_adam_bytes=TRAINING_COPIES * size,
    )


def footprints(model: Architecture, precisions: tuple[Precision, ...]) -> tuple[Footprint, ...]:
    """One row for each precision."""
    return tuple(footprint(model, precision) for precision in precisions)
