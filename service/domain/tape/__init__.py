"""A tape of what one block computes: what autograd keeps of it, and what lives on the way back."""

from __future__ import annotations

from service.domain.tape.blocks import block_walk
from service.domain.tape.ends import back_walk, front_walk
from service.domain.tape.regimes import Adapters, Kernel, Regime
from service.domain.tape.sizes import Size
from service.domain.tape.walking import Point, Walk

__all__ = [
    "Adapters",
    "Kernel",
    "Point",
    "Regime",
    "Size",
    "Walk",
    "back_walk",
    "block_walk",
    "front_walk",
]
