"""In which types a block computes, which of its weights train, and by which attention kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.domain.manners import PLAIN, Fusible, Spelling

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
    fused         what runs as single kernels that keep their inputs only
    in_place      whether such a kernel writes over what it is given, forward and backward
    headless      head and loss are one kernel that hands on the gradient of the last norm's output
    spelling      how the framework writes its blocks
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
    fused: frozenset[Fusible] = frozenset()
    in_place: bool = False
    headless: bool = False
    spelling: Spelling = PLAIN

    @property
    def compute(self) -> int:
        """Bytes of what a product gives."""
        return HALF if self.autocast else self.weight
