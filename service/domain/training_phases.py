"""The phases of a training step: which bytes are alive in each, and where the peak lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from service.domain.architecture import counts
from service.domain.questions import TrainingRun
from service.domain.ranks import waiting_share_bytes
from service.domain.sharding_buffers import (
    Phase,
    head_elements,
    lingering_adapter_bytes,
    root_elements,
    sharding_buffer_bytes,
)
from service.domain.tensors import elements
from service.domain.training_activations import FP32_BYTES, Part, Parts, parts, regime_of
from service.domain.training_logits import logit_peak_bytes
from service.domain.training_sharding import (
    FSDP,
    SHARDS_GRADIENTS,
    adapters_on_card,
    gradients_on_card,
    is_sharded,
    master_on_card,
    optimizer_states_on_card,
    reduced_gradients_on_card,
    weights_on_card,
    workspace_on_card,
)
from service.domain.training_states import gradient_width
from service.domain.units import ceil_div

Bytes = Mapping[str, int]
SORTED_ROWS = 3072
SORT_BYTES = 48


def steady(run: TrainingRun) -> dict[str, int]:
    """Alive through the whole step: weights, states, master copies, adapters."""
    return {
        "weights": weights_on_card(run),
        "adapters": adapters_on_card(run),
        "optimizer_states": optimizer_states_on_card(run),
        "master_weights": master_on_card(run),
    }


def kept_gradient_bytes(run: TrainingRun) -> int:
    """Gradients that already stand when a forward pass begins: those of accumulation. [B]"""
    stands = run.gradient_accumulation > 1 or run.framework_profile.gradient_buffers
    return gradients_on_card(run) if stands else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Activations, logits and gradients at a moment between forward and optimizer."""

    activations: int
    gradients: int
    logits: int = 0

    @property
    def total(self) -> int:
        """All together."""
        return self.activations + self.gradients + self.logits


def loss_moments(run: TrainingRun, found: Parts) -> tuple[Moment, Moment]:
    """The end of the forward pass, and the backward of the loss.

    Autocast keeps every cast of the forward pass until it ends, checkpointed blocks' too.
    Source: torch `aten/src/ATen/autocast_mode.cpp`, cached_cast.
    """
    standing = kept_gradient_bytes(run)
    casts = 0
    if run.activation_checkpointing != "none":
        casts = sum(block.casts for block in found.blocks)
    forward, backward = logit_peak_bytes(run)
    return (
        Moment(activations=found.kept + casts, gradients=standing, logits=forward),
        Moment(activations=found.kept, gradients=standing, logits=backward),
    )


def block_moments(run: TrainingRun, found: Parts) -> Moment:
    """The largest moment while the head and the blocks are walked back, from last to first."""
    standing, width = kept_gradient_bytes(run), GradientWidth.of(run)
    before = found.kept - found.back.kept
    best = Moment(
        activations=before + found.back.live,
        gradients=standing or width.fresh(found.back.so_far),
    )
    done = width.fresh(found.back.gradient_bytes)
    lingering = lingering_adapter_bytes(run)
    for block, count in in_rows(reversed(found.blocks)):
        fresh, settled = width.fresh(block.so_far), width.settled(block.gradient_bytes)
        for walked in (0, count - 1):
            live = before - (walked + 1) * block.kept + block.live + lingering
            gradients = standing or done + walked * settled + fresh
            if live + gradients > best.total:
                best = Moment(activations=live, gradients=gradients)
        before -= count * block.kept
        done += count * settled
    return best


def in_rows(blocks: Iterable[Part]) -> Iterator[tuple[Part, int]]:
    """Each row of blocks that are alike, and how many they are.

    Along such a row memory falls by what blocks keep and rises by gradients, both evenly: one of
    its ends is its largest moment.
    """
    for _, alike in groupby(blocks, key=id):
        row = list(alike)
        yield row[0], len(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientWidth:
    """Bytes of a gradient as it stays and as it is computed, and the ranks that share it.

    leaves  it goes to the host, or into its optimizer step, as soon as it is there
    """

    stays: int
    computed: int
    ranks: int
    leaves: bool

    @staticmethod
    def of(run: TrainingRun) -> GradientWidth:
        """Of a run."""
        regime = regime_of(run)
        computed = regime.adapters.width if regime.adapters else regime.weight
        ranks = run.shards if is_sharded(run, SHARDS_GRADIENTS) else 1
        leaves = run.optimizer_in_backward or not gradients_on_card(run)
        return GradientWidth(
            stays=gradient_width(run), computed=computed, ranks=ranks, leaves=leaves
        )

    def fresh(self, size: int) -> int:
        """A gradient that is not yet reduced over the ranks."""
        return size if self.ranks > 1 else size * self.stays // self.computed

    def settled(self, size: int) -> int:
        """A gradient that has been reduced."""
        if self.leaves:
            return 0
        return ceil_div(size * self.stays // self.computed, self.ranks)


def front_moment(run: TrainingRun, found: Parts) -> Moment:
    """The tables' gradient: at once with the head's where they are tied, which is then their sum.

    2·E·w beside all gradients where tied (E·w under autocast), h·T where not

    E  elements of the table   w  bytes of a gradient   T  tokens   h  hidden size

    Holds when:  gradients are dense; over 3,072 tokens the kernel sorts rows and sums in fp32.
    Source:      allocator replay; torch 2.13 `native/cuda/Embedding.cu`, embedding_dense_backward.
    Checked by:  GPT-2, bf16: 2 · 38,597,376 · 2 = 154,389,504 bytes.
    """
    regime, tables = regime_of(run), elements(run.model.embeddings)
    live = found.around + found.front.live
    if regime.trained and tables:
        if run.tokens > SORTED_ROWS:
            live += (FP32_BYTES * run.model.hidden_size + SORT_BYTES) * run.tokens
        if run.shards == 1:
            copies = (1 if regime.autocast else 2) if run.model.tied else 0
            live += max(copies, 1 if regime.accumulating else 0) * head_elements(run) * regime.other
    return Moment(activations=live, gradients=before_the_tables(run))


def before_the_tables(run: TrainingRun) -> int:
    """Gradients that stand when the tables' own arrives; sharded ones are still reduced. [B]"""
    whole = gradients_on_card(run)
    if run.lora is not None or run.shards == 1 or not is_sharded(run, FSDP):
        return whole
    return max(0, whole - root_elements(run) * gradient_width(run) // run.shards)


def dequantization_bytes(run: TrainingRun) -> int:
    """One packed matrix unpacked for its product. [B]

    M = 2·max(r·c)

    2  bytes of the 16-bit type it is unpacked to   r, c  rows and columns of a packed matrix

    Holds when:  matrices are unpacked whole, one at a time, under LoRA over a packed model.
    Source:      bitsandbytes `autograd/_functions.py`, MatMul4Bit.
    Checked by:  Llama 3.1 8B: 2 · 14,336 · 4,096 = 117,440,512.
    """
    if run.lora is None or not run.quantization.quantizes:
        return 0
    packed = [t.rows * t.columns for t in counts(run.model).bill if run.quantization.packs(t)]
    return 2 * max(packed, default=0)


def phases(run: TrainingRun) -> tuple[tuple[Phase, Bytes], ...]:
    """All phases of a step in their order, with all that is alive in each."""
    found, standing = parts(run), steady(run)
    waiting, unpacked = waiting_share_bytes(run, found.kept), dequantization_bytes(run)
    moments: tuple[tuple[Phase, Moment, int], ...] = (
        ("loss", max(loss_moments(run, found), key=lambda moment: moment.total), unpacked),
        ("backward", block_moments(run, found), unpacked),
        ("root-gradient", front_moment(run, found), 0),
    )
    stepping: Bytes = {
        **standing,
        "gradients": reduced_gradients_on_card(run),
        "optimizer_workspace": workspace_on_card(run),
        "sharding_buffers": sharding_buffer_bytes(run, "optimizer"),
    }
    walked: tuple[tuple[Phase, Bytes], ...] = tuple(
        (
            name,
            {
                **standing,
                "gradients": moment.gradients,
                "activations": moment.activations + waiting,
                "logits": moment.logits,
                "sharding_buffers": sharding_buffer_bytes(run, name),
                "dequantization": dequantized,
            },
        )
        for name, moment, dequantized in moments
    )
    return (*walked, ("optimizer", stepping))
