"""Buffers of replication and sharding: gathered units, reductions, buckets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from service.domain.adapters import is_adapted
from service.domain.architecture import Architecture, LayerKind
from service.domain.questions import Lora, Split, TrainingRun
from service.domain.ranks import bill_of, cut, expert_data_ranks, rank_part
from service.domain.tensors import elements
from service.domain.training_sharding import FSDP, SHARDS_WEIGHTS
from service.domain.training_states import (
    FP32_BYTES,
    gradient_bytes,
    gradient_width,
    is_deepspeed,
    model_bill,
    regime_widths,
    trainable_bill,
    weight_bytes,
)
from service.domain.units import ceil_div

Phase = Literal["loss", "backward", "root-gradient", "optimizer"]

DEEPSPEED_BUCKET_ELEMENTS = 500_000_000
DEEPSPEED_PREFETCH_ELEMENTS = 50_000_000
"""Source: DeepSpeed `runtime/zero/config.py`: reduce_bucket_size, stage3_prefetch_bucket_size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FsdpUnits:
    """Bytes a value of gathered and reducing units, beside the gathered 16-bit root.

    loss      of the largest block while the loss is computed
    backward  of the largest block while it is walked back: gathered, prefetched, reducing
    frozen    gathered blocks while frozen ones are walked back
    root      of root when its gradient is reduced, and of that over the ranks
    """

    loss: int
    backward: int
    frozen: int
    root: int
    root_divided: int


FSDP_UNITS = {
    1: FsdpUnits(loss=2, backward=6, frozen=1, root=4, root_divided=6),
    2: FsdpUnits(loss=2, backward=8, frozen=2, root=5, root_divided=4),
}
"""FSDP2: allocator replay (torch 2.13.0): fp32 reduction of 16-bit gradients. FSDP1: torch 2.13
`distributed/fsdp/_runtime_utils.py`: the gradient is reduced in its own 16 bits and cast after."""
FSDP2_ROOT_FLOOR = 6
LINGERING_BYTES = 15
TIED_ROOT = (8, 4)
"""Bytes a value of root and of a block where the table is tied; allocator replay of FSDP2."""


def root_elements(run: TrainingRun) -> int:
    """Elements outside the blocks on one rank: tables, final norm and head."""
    return _root(run.model, cut(run.split))


@lru_cache(maxsize=4096)
def _root(model: Architecture, split: Split) -> int:
    return bill_of((*model.embeddings, *model.head), split).elements


def head_elements(run: TrainingRun) -> int:
    """Elements on one rank of the matrix that makes logits; of the head where none are made."""
    if run.model.output in {"vectors", "latents"}:
        return elements(tuple(rank_part(tensor, run.split) for tensor in run.model.head))
    return ceil_div(run.model.vocabulary_size * run.model.hidden_size, run.split.tensor)


def largest_block_elements(run: TrainingRun) -> int:
    """Elements of the largest block on one rank, experts where ranks share them.

    Experts of which each rank holds its own are never gathered.
    """
    return _largest_block(run.model, cut(run.split), expert_data_ranks(run) > 1)


@lru_cache(maxsize=4096)
def _largest_block(model: Architecture, split: Split, with_experts: bool) -> int:
    bills = (bill_of(kind.tensors(), split) for kind in model.layer_kinds)
    sizes = (b.elements if with_experts else b.dense_elements for b in bills)
    return max(sizes, default=0)


def frozen_share(run: TrainingRun, size: int) -> int:
    """Bytes of so many elements as gathered for computing: 16 bit, or as stored when frozen."""
    if run.lora is None:
        return size * regime_widths(run).compute
    whole = model_bill(run).elements
    return ceil_div(weight_bytes(run) * size, max(1, whole))


def frozen_root_bytes(run: TrainingRun) -> int:
    """Bytes of the root as gathered: never packed. [B]"""
    return root_elements(run) * regime_widths(run).compute


def lingering_adapter_bytes(run: TrainingRun) -> int:
    """What a block's adapted layers leave behind under FSDP1 while the next is walked back. [B]

    M_l = 15·T·Σc

    T  tokens   c  input features of the adapted layers of one block

    Holds when:  blocks are recomputed; peft wraps every adapter as a unit of its own. Measured,
                 the holder of these tensors is not established.
    Source:      fms-acceleration benchmark tables, transformers 4.45 and 4.48, A100: LoRA and
                 QLoRA on two and four cards take 246 kB a token more than on one, Mistral 7B and
                 Llama 3 8B as well as Mixtral 8x7B; peft 0.21 `utils/other.py`,
                 fsdp_auto_wrap_policy.
    Checked by:  adapters on q, k, v and o of 4,096 inputs each: 15 · 16,384 = 245,760 a token.
    """
    lora, first = run.lora, run.framework_profile.fsdp_version == 1
    recomputed = run.activation_checkpointing == "full"
    if lora is None or not first or not recomputed or run.sharding not in FSDP or run.shards == 1:
        return 0
    inputs = max(_adapted_inputs(kind, lora) for kind in run.model.layer_kinds)
    return LINGERING_BYTES * inputs * run.tokens


@lru_cache(maxsize=2048)
def _adapted_inputs(kind: LayerKind, lora: Lora) -> int:
    return sum(t.columns for t in kind.tensors() if is_adapted(t, lora.targets))


def gathered_frozen_bytes(run: TrainingRun) -> int:
    """Root and one block of frozen weights that a forward pass gathers. [B]"""
    if run.sharding not in SHARDS_WEIGHTS or (run.shards == 1 and run.offload != "all"):
        return 0
    return frozen_root_bytes(run) + frozen_share(run, largest_block_elements(run))


def sharding_buffer_bytes(run: TrainingRun, phase: Phase) -> int:
    """Gathered, prefetched and reducing copies on one rank in a phase. [B]

    M = 2·P_r + 2·P_b  while the loss is computed (all blocks without resharding)

    backward      2·P_r + (2 + 2 + 4)·P_b
    root-gradient max(6, 5 + 4/N)·P_r, or 8·P_r + 4·P_b when tied
    DDP           one copy of the gradients in buckets
    ZeRO          a bucket of 5e8 elements; stage 3 also 4·P_m and 5e7 prefetched elements

    P_r  elements outside the blocks   P_b, P_m  of the largest block and matrix   N  ranks

    Holds when:  blocks and root are wrapped apart and computed in 16 bit.
    Source:      allocator replay of FSDP2 (torch 2.13.0); torch.nn.parallel documentation,
                 `gradient_as_bucket_view`; DeepSpeed `runtime/zero/config.py` and
                 `docs/code-docs/source/memory.rst`.
    Checked by:  Llama 3 8B, two tables of 525,336,576: 6 · 1,050,677,248 = 6.3e9 at the root.
    """
    if run.sharding == "ddp":
        return 0 if run.framework_profile.gradient_buffers else gradient_bytes(run)
    if run.sharding in FSDP and (run.shards > 1 or run.offload == "all"):
        return _fsdp_bytes(run, phase)
    if is_deepspeed(run) and phase != "optimizer":
        return _deepspeed_bytes(run)
    return 0


def _deepspeed_bytes(run: TrainingRun) -> int:
    width = gradient_width(run)
    bucket = width * min(DEEPSPEED_BUCKET_ELEMENTS, trainable_bill(run).elements)
    if run.sharding != "zero-3":
        return bucket
    matrices = model_bill(run)
    largest = max(tensor.rows * tensor.columns for tensor in matrices.tensors)
    copies = 1 if run.lora else 2
    return (
        bucket
        + copies * frozen_share(run, largest)
        + frozen_share(run, min(DEEPSPEED_PREFETCH_ELEMENTS, matrices.elements))
    )


def _fsdp_bytes(run: TrainingRun, phase: Phase) -> int:
    units = FSDP_UNITS[run.framework_profile.fsdp_version]
    compute = regime_widths(run).compute
    block, gathered = largest_block_elements(run), gathered_root_bytes(run, phase)
    one = frozen_share(run, block)
    if phase == "optimizer":
        return 0
    blocks = one * run.model.layer_count if run.sharding == "fsdp-no-reshard" else 0
    if phase == "loss":
        return gathered + (blocks or one * units.loss // 2)
    if run.lora is not None:
        return gathered + (blocks or units.frozen * one)
    scale = compute // 2
    if phase == "backward":
        walked = (units.backward * scale - narrow_reduction(run)) * block
        return gathered + (blocks + walked - 2 * compute * block if blocks else walked)
    return _root_bytes(run, units) * scale


def narrow_reduction(run: TrainingRun) -> int:
    """Bytes a value that a reduction in 16 bits saves of one in fp32.

    Source: torch 2.13 `distributed/fsdp/_fully_shard/_fsdp_api.py`, MixedPrecisionPolicy: without
    a type of its own, gradients are reduced in theirs.
    """
    half = gradient_width(run) < FP32_BYTES and run.framework_profile.fsdp_version > 1
    return FP32_BYTES - gradient_width(run) if half else 0


def tables_apart(run: TrainingRun) -> bool:
    """Whether input and output table are gathered one at a time."""
    return run.framework_profile.tables_apart and run.lora is None and not run.model.tied


def gathered_root_bytes(run: TrainingRun, phase: Phase) -> int:
    """Bytes of what lies outside the blocks as a phase gathers it: all of it, or one table. [B]"""
    if not tables_apart(run):
        return frozen_root_bytes(run)
    return head_elements(run) * regime_widths(run).compute if phase == "loss" else 0


def _root_bytes(run: TrainingRun, units: FsdpUnits) -> int:
    root = head_elements(run) if tables_apart(run) else root_elements(run)
    block = largest_block_elements(run)
    if run.model.tied and run.framework_profile.fsdp_version > 1:
        return TIED_ROOT[0] * root + TIED_ROOT[1] * block
    whole = units.root * root + ceil_div(units.root_divided * root, run.shards)
    floor = FSDP2_ROOT_FLOOR * root if run.framework_profile.fsdp_version > 1 else 0
    return max(floor, whole)
