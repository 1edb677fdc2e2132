"""What torch's allocator adds to large weights: it takes whole steps of the driver's memory."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from service.domain.architecture import Architecture, Stage
from service.domain.questions import Placement
from service.domain.tensors import Tensors
from service.domain.units import MIB, bytes_of_bits

LARGE, STEP, UNSPLIT = 10 * MIB, 2 * MIB, MIB
JOINED = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv"}
"""Matrices that vLLM holds as one; those of gates and their partners are joined by their place."""


class Rounded(NamedTuple):
    """What is added to a block of each kind, and to what stands on the first and last stage. [B]"""

    kinds: tuple[int, ...]
    first: int
    last: int


def unsplit_rest(size_bytes: int) -> int:
    """What a large block is larger than its tensor. [B]

    R = (-M) mod 2 MiB where M ≥ 10 MiB and that is at most 1 MiB, else 0

    Source: torch `c10/cuda/CUDACachingAllocator.cpp`: kMinLargeAlloc, kRoundLarge, should_split.

    >>> unsplit_rest(231 * MIB) // MIB, unsplit_rest(16 * MIB)
    (1, 0)
    """
    rest = -size_bytes % STEP
    return rest if size_bytes >= LARGE and rest <= UNSPLIT else 0


def place(name: str) -> str:
    """The matrix that a tensor is a part of in vLLM."""
    head, _, tail = name.rpartition(".")
    if tail in {"gate_proj", "up_proj"}:
        return f"{head}.gate_up_proj"
    return JOINED.get(name, name)


def rest_of(tensors: Tensors, bits: int, tensor: int, expert: int) -> int:
    """What is added to the matrices of a bill on one rank. [B]"""
    single: dict[str, int] = {}
    added = 0
    for entry in tensors:
        part = entry.sharded(tensor, expert)
        stacked = entry.kind == "expert" or part.count == 1
        if not entry.linear:
            continue
        if stacked:
            name = place(entry.name)
            single[name] = single.get(name, 0) + bytes_of_bits(part.elements * bits)
        else:
            added += part.count * unsplit_rest(bytes_of_bits(part.rows * part.columns * bits))
    return added + sum(map(unsplit_rest, single.values()))


@lru_cache(maxsize=1024)
def rounded(model: Architecture, bits: int, tensor: int, expert: int) -> Rounded:
    """What is added to every kind of block, and to the ends."""
    towers = sum(rest_of(tower.tensors(), bits, 1, 1) for tower in model.towers)
    return Rounded(
        kinds=tuple(rest_of(kind.tensors(), bits, tensor, expert) for kind in model.layer_kinds),
        first=rest_of(model.embeddings, bits, tensor, expert) + towers,
        last=rest_of(model.head, bits, tensor, expert),
    )


def allocation_rounding(placement: Placement, stage: Stage) -> int:
    """What torch's allocator adds to the matrices of a stage. [B]

    M_r = Σ_matrices R(M)

    R(M)  what a block of the driver's memory is larger than a matrix of M bytes

    Holds when:  nothing is packed: kernels that repack allocate anew. Of a typical shape the sizes
                 of matrices are not known, so nothing is added.
    Source:      see the rest of one block; joined matrices as vLLM's QKVParallelLinear,
                 MergedColumnParallelLinear and FusedMoE hold them.
    Checked by:  Qwen2.5 72B on two cards: a down projection of 231 MiB takes 232, 80 MiB in all;
                 logs say 0.08 GiB more than the checkpoint and the rotary table.
    """
    model, split = placement.model, placement.split
    if placement.quantization.quantizes or model.stored is not None or model.shape_is_assumed:
        return 0
    found = rounded(model, placement.precision.bits, split.tensor, split.expert)
    blocks = sum(found.kinds[index] for index in model.layer_order[stage.start : stage.stop])
    return blocks + (found.first if stage.first else 0) + (found.last if stage.last else 0)
