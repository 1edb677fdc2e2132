"""In which types a block computes, which of its weights train, and by which attention kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kernel = Literal["flash", "mem-efficient", "math", "eager"]

SINGLE = 4
HALF = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """Low-rank pairs beside some linear layers; `decomposed` ones normalise the sum (DoRA)."""

    targets: frozenset[str]
    everywhere: bool
    rank: int
    width: int
    decomposed: bool = False
    dropout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """Types, kernel and what trains.

    weight        bytes of a linear weight as it enters a product
    other         bytes of the tables' and norms' weights
    autocast      products run in 16 bit whatever their inputs are, and weights are cast for them
    trained       whether the weights get gradients
    packed        whether linear weights are unpacked for each product and back to the input's type
    masked        a mask of the window is written out, so that kernels need it in their own type
    accumulating  gradients are already there: a new one is added and dropped
    fused         norms, activations and rotations are single kernels that keep their inputs only
    """

    weight: int
    other: int
    autocast: bool = False
    trained: bool = True
    adapters: Adapters | None = None
    packed: bool = False
    kernel: Kernel = "flash"
    masked: bool = False
    accumulating: bool = False
    fused: bool = False

    @property
    def compute(self) -> int:
        """Bytes of what a product gives."""
        return HALF if self.autocast else self.weight
