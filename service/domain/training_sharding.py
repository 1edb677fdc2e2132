"""Buffers that sharded and replicated training adds: gathered blocks, reductions, buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.domain.architecture import counts
from service.domain.questions import TrainingRun
from service.domain.tensors import elements
from service.domain.training_states import (
    adapter_bytes,
    gradient_bytes,
    regime_widths,
    weight_bytes,
)
from service.domain.units import ceil_div

Phase = Literal["loss", "backward", "root-gradient", "optimizer"]

DEEPSPEED_BUCKET_ELEMENTS = 500_000_000
"""Source: DeepSpeed `runtime/zero/config.py`: reduce and allgather bucket 5e8."""

SHARDS_GRADIENTS = frozenset({"zero-2", "zero-3", "fsdp", "fsdp-no-reshard"})
GATHERED = frozenset({"zero-3", "fsdp", "fsdp-no-reshard"})
BUCKETED = frozenset({"zero-1", "zero-2", "zero-3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Ranks over which each state of a run is divided."""

    weights: int
    gradients: int
    states: int


def shares(run: TrainingRun) -> Shares:
    """ZeRO-1 divides optimizer states, ZeRO-2 gradients too, ZeRO-3 and FSDP weights too.

    Source: Rajbhandari et al. 2020 (arXiv 1910.02054, section 5).
    """
    ranks = run.shards
    weights = ranks if run.sharding in GATHERED else 1
    return Shares(
        weights=weights,
        gradients=ranks if run.sharding in SHARDS_GRADIENTS else 1,
        states=ranks,
    )


def root_elements(run: TrainingRun) -> int:
    """Elements outside the blocks: tables, final norm and head."""
    return elements(run.model.embeddings) + elements(run.model.head)


def head_elements(run: TrainingRun) -> int:
    """Elements of the matrix that makes logits; of whatever head there is, where none are made."""
    if run.model.output in {"vectors", "latents"}:
        return elements(run.model.head)
    return run.model.vocabulary_size * run.model.hidden_size


def largest_block_elements(run: TrainingRun) -> int:
    """Elements of the largest block."""
    return max(counts(run.model).kind_totals)


def frozen_share(run: TrainingRun, size: int) -> int:
    """Bytes of so many elements as gathered for computing: 16 bit, or as stored when frozen."""
    if run.lora is None:
        return size * regime_widths(run).compute
    return ceil_div(weight_bytes(run) * size, run.model.parameters)


def sharding_buffer_bytes(run: TrainingRun, phase: Phase) -> int:
    """Gathered, prefetched and reducing copies on one rank in a phase. [B]

    loss          2·P_r + 2·P_b          (all blocks without resharding)
    backward      2·P_r + (2 + 2 + 4)·P_b
    root-gradient max(6, 5 + 4/N)·P_r, or 8·P_r + 4·P_b when tied
    DDP           one copy of the gradients in buckets

    P_r  elements outside the blocks   P_b  elements of the largest block   N  ranks

    Holds when:  blocks and root are wrapped apart, 16-bit compute, fp32 reduction.
    Source:      allocator replay of FSDP2 (torch 2.13.0); DDP: torch.nn.parallel documentation,
                 `gradient_as_bucket_view`.
    Checked by:  Llama 3 8B, two tables of 525,336,576: 6 · 1,050,677,248 = 6.3e9 at the root.
    """
    if run.sharding == "ddp":
        return gradient_bytes(run)
    if run.shards == 1:
        return 0
    gathered = _gathered_bytes(run, phase) if run.sharding in GATHERED else 0
    bucket = 0
    if run.sharding in BUCKETED and phase != "optimizer":
        trainable = gradient_bytes(run) // max(1, regime_widths(run).gradient)
        bucket = 2 * min(DEEPSPEED_BUCKET_ELEMENTS, trainable) * 2
    return gathered + bucket


def _gathered_bytes(run: TrainingRun, phase: Phase) -> int:
    block = frozen_share(run, largest_block_elements(run))
    root = frozen_share(run, root_elements(run))
    blocks = run.model.layer_count
    if phase == "optimizer":
        return 0
    if phase == "loss":
        return root + (block * blocks if run.sharding == "fsdp-no-reshard" else block)
    if run.lora is not None:
        return root + 2 * block
    if phase == "backward":
        return root + 4 * block
    if run.model.tied:
        return 4 * root + 2 * block
    return max(6 * root_elements(run), (5 + ceil_div(4, run.shards)) * root_elements(run))


def accumulated_gradient_bytes(run: TrainingRun) -> int:
    """Unsharded 16-bit gradients that accumulation without synchronisation keeps. [B]

    Source: Hugging Face Accelerate, `no_sync` under FSDP; measured at +2 bytes a parameter.
    """
    if run.gradient_accumulation == 1 or run.shards == 1 or run.sharding not in GATHERED:
        return 0
    return 2 * (run.model.parameters if run.lora is None else adapter_bytes(run) // 4)
