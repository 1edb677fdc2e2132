"""What autograd keeps of a forward pass: a run's regime, and the tape of each of its parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from service.domain.adapters import ALL_LINEAR, target_names
from service.domain.architecture import LayerKind, Tower
from service.domain.checkpointing import CHECKPOINTED, Block, Checkpoint
from service.domain.manners import Fusible
from service.domain.mixers import Attention
from service.domain.questions import Lora, Split, TrainingRun
from service.domain.ranks import cut, rank_part
from service.domain.tape import (
    Adapters,
    Kernel,
    Point,
    Regime,
    Walk,
    back_walk,
    block_walk,
    front_walk,
)
from service.domain.tensors import elements
from service.domain.training_states import regime_widths
from service.domain.units import ceil_div

FP32_BYTES = 4
HALF_BYTES = 2
IDS_AND_LABELS_BYTES = 16
ROTARY_TABLES = 2
FUSED_HEAD = "fused"
FUSIBLE: frozenset[Fusible] = frozenset({"norms", "gates", "rotations"})
"""What torch.compile makes single kernels of."""
BUCKET_BYTES = 16
"""Numbers of buckets of both sides, in int64, for every pair of places."""
CHECKPOINTED_BIASES = 3
"""Biases that checkpoints hold as inputs: the encoder's, the decoder's, and the zeros of its look
at the encoder, of which kernels keep the last anyway.
Source: transformers 5.23 `models/t5/modeling_t5.py`, T5Attention.forward."""


def regime_of(run: TrainingRun) -> Regime:
    """In which types a run computes, what trains, and by which kernel it attends.

    Sharded runs gather 16-bit weights and compute in them without autocast; adapters in fp32 beside
    16-bit weights need autocast, as the Trainer sets it.
    Source: torch `distributed/fsdp`, MixedPrecisionPolicy; transformers `trainer.py`.
    """
    compute, lora, profile = regime_widths(run).compute, run.lora, run.framework_profile
    packed = lora is not None and run.quantization.quantizes
    kernels = frozenset() if packed else frozenset(profile.kernels.get(run.loss, ()))
    common = Regime(
        weight=compute,
        other=compute,
        kernel=kernel(run, compute),
        accumulating=run.optimizer_in_backward
        or (run.gradient_accumulation > 1 and run.shards == 1),
        fused=FUSIBLE if run.compiled else kernels,
        in_place=bool(kernels) and profile.in_place and not run.compiled,
        headless=run.loss == FUSED_HEAD,
        spelling=profile.spelling,
    )
    if lora is not None:
        adapters = adapters_of(lora)
        return replace(
            common,
            other=FP32_BYTES if lora.fp32_residual else compute,
            autocast=compute == HALF_BYTES and adapters.width > compute,
            trained=False,
            adapters=adapters,
            packed=packed,
        )
    if run.regime == "amp" and compute == HALF_BYTES and run.shards == 1:
        return replace(common, weight=FP32_BYTES, other=FP32_BYTES, autocast=True)
    return common


def adapters_of(lora: Lora) -> Adapters:
    """The low-rank pairs of a run."""
    return Adapters(
        targets=target_names(lora.targets),
        everywhere=ALL_LINEAR in lora.targets,
        rank=lora.rank,
        width=lora.precision.bits // 8,
        decomposed=lora.dora,
    )


def kernel(run: TrainingRun, compute: int) -> Kernel:
    """The attention kernel: flash takes 16 bit, the memory-efficient one fp32.

    Source: torch 2.13 `native/transformers/cuda/sdp_utils.cpp`.
    """
    if run.attention == "eager":
        return "eager"
    return "flash" if compute == HALF_BYTES else "mem-efficient"


def is_masked(run: TrainingRun, kind: LayerKind) -> bool:
    """Whether a block's window is shorter than the sequence, so that a mask is written out.

    Source: transformers 5.23 `masking_utils.py`, _ignore_causal_mask_sdpa.
    """
    return any(
        isinstance(mixer, Attention) and 0 < mixer.window_tokens <= run.sequence_tokens
        for mixer in kind.mixers
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The front, a block or the back of a run, in bytes.

    kept            until its backward under the run's checkpointing
    casts           16-bit copies of its weights, made in its forward
    gradient_bytes  of its weights
    live, so_far    largest moment of its backward: all of this part, and its gradients by then
    """

    kept: int
    casts: int
    gradient_bytes: int
    live: int
    so_far: int

    def of_rank(self, held: int, whole: int) -> Part:
        """The same part where a rank holds some of its weights only."""
        if held == whole:
            return self
        return replace(
            self,
            casts=ceil_div(self.casts * held, whole),
            gradient_bytes=ceil_div(self.gradient_bytes * held, whole),
            so_far=ceil_div(self.so_far * held, whole),
        )


def moment(points: tuple[Point, ...], tokens: int, sequence: int) -> Point:
    """The largest of some moments."""
    return max(points, key=lambda point: point.at(tokens, sequence))


def part(run: TrainingRun, walk: Walk, checkpoint: Checkpoint | None = None) -> Part:
    """A part of a run; where it is checkpointed, its walk is made again from what it kept."""
    tokens, sequence = run.tokens, run.sequence_tokens
    largest = moment(walk.backward, tokens, sequence)
    live = largest.live.at(tokens, sequence)
    if checkpoint is None:
        kept = walk.kept.at(tokens, sequence)
    else:
        kept = checkpoint.kept
        live += checkpoint.beside
    return Part(
        kept=kept,
        casts=walk.casts.fixed,
        gradient_bytes=walk.gradient_bytes,
        live=live,
        so_far=largest.gradient_bytes,
    )


def block_part(run: TrainingRun, regime: Regime, kind: LayerKind, hidden_size: int) -> Part:
    """What one block of a run keeps and how its backward passes. [B]

    saved = Σ over its tensors of what autograd keeps, each storage once

    Holds when:  layers are the ones of transformers, operation by operation.
    Source:      allocator replay of transformers 5.23.0 with torch 2.13.0; `tape`.
    Checked by:  Llama 3.1 8B, bf16, flash, one token: 16h + 8 + 8f + 4q + 4k + 4a = 200,840 bytes.
    """
    if regime.kernel != "eager" and is_masked(run, kind):
        regime = replace(regime, masked=True)
    walk = block_walk(kind, hidden_size, regime)
    policy = CHECKPOINTED.get(run.activation_checkpointing)
    checkpoint = None if policy is None else policy(Block(run, regime, kind, hidden_size), walk)
    held, whole = held_of_block(kind, cut(run.split))
    return part(run, walk, checkpoint).of_rank(held, whole)


@lru_cache(maxsize=4096)
def held_of_block(kind: LayerKind, split: Split) -> tuple[int, int]:
    """Elements of a block on one rank, and in all."""
    tensors = kind.tensors()
    return sum(rank_part(tensor, split).elements for tensor in tensors), elements(tensors)


def checkpoint_host_bytes(run: TrainingRun) -> int:
    """Inputs of blocks that wait in host memory. [B]

    M = Σ h·T·r

    h  hidden size   T  tokens   r  bytes of a value between blocks

    Holds when:  activation_checkpointing is offloaded; on the card one input is back at a time.
    Source:      torchtune `training/_activation_offloading.py`; unsloth-zoo
                 `gradient_checkpointing.py`.
    Checked by:  Llama 3.1 8B, 2,048 tokens, bf16: 32 · 4,096 · 2,048 · 2 = 536,870,912.
    """
    if run.activation_checkpointing != "offloaded":
        return 0
    stacks = [(t.hidden_size, len(t.layer_order)) for t in text_encoders(run)]
    stacks.append((run.model.hidden_size, len(run.model.layer_order)))
    width = regime_of(run).other
    return sum(width * hidden * layers * run.tokens for hidden, layers in stacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All parts of a run in the order of its forward pass.

    front    before the first block
    blocks   an encoder's first, then the decoder's
    back     behind the last block, logits apart
    around   kept once for all blocks
    kept     at the end of the forward pass, logits apart
    """

    front: Part
    blocks: tuple[Part, ...]
    back: Part
    around: int
    kept: int


def parts(run: TrainingRun) -> Parts:
    """Every part of a run."""
    regime, model = regime_of(run), run.model
    stacks = [(t.hidden_size, t.layer_kinds, t.layer_order) for t in text_encoders(run)]
    stacks.append((model.hidden_size, model.layer_kinds, model.layer_order))
    blocks: list[Part] = []
    front, back = part(run, front_walk(model, regime)), part(run, back_walk(model, regime))
    around = around_bytes(run, regime)
    kept = front.kept + back.kept + around
    for hidden, kinds, order in stacks:
        each = [block_part(run, regime, kind, hidden) for kind in kinds]
        blocks.extend(each[index] for index in order)
        kept += sum(each[index].kept for index in order)
    return Parts(front=front, blocks=tuple(blocks), back=back, around=around, kept=kept)


def text_encoders(run: TrainingRun) -> tuple[Tower, ...]:
    """Encoders whose input is as long as the sequence: those of text."""
    return tuple(tower for tower in run.model.towers if tower.modality == "text")


def around_bytes(run: TrainingRun, regime: Regime) -> int:
    """Kept once for all blocks: ids, labels, position tables, a mask, an encoder's output. [B]"""
    rotated = [
        mixer
        for kind in run.model.layer_kinds
        for mixer in kind.mixers
        if isinstance(mixer, Attention) and mixer.rotation != "none"
    ]
    head = max((mixer.head_dim for mixer in rotated), default=0)
    positions = ceil_div(run.sequence_tokens, run.split.context)
    tables = ROTARY_TABLES * head * regime.other * positions
    around = IDS_AND_LABELS_BYTES * run.tokens + tables + mask_bytes(run, regime)
    outputs = sum(2 * tower.hidden_size * regime.other for tower in text_encoders(run))
    return around + outputs * run.tokens


def mask_bytes(run: TrainingRun, regime: Regime) -> int:
    """A mask of s × s for every sequence: of the compute type when eager, of bytes in a window."""
    square = run.tokens * run.sequence_tokens
    plane = run.sequence_tokens * run.sequence_tokens
    relative = relative_heads(run)
    if relative:
        tables = CHECKPOINTED_BIASES if run.activation_checkpointing != "none" else 1
        return plane * (tables * relative * regime.other + BUCKET_BYTES)
    if regime.kernel == "eager":
        return square * regime.other
    masked = any(is_masked(run, kind) for kind in run.model.layer_kinds)
    return square if masked else 0


def relative_heads(run: TrainingRun) -> int:
    """Heads of a bias by relative position, 0 where there is none."""
    return max(
        (
            mixer.heads
            for kind in run.model.layer_kinds
            for mixer in kind.mixers
            if isinstance(mixer, Attention) and mixer.relative
        ),
        default=0,
    )
