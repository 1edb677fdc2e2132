"""The phases of a training step: which bytes are alive in each, and where the peak lies."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Output, counts
from service.domain.questions import TrainingRun
from service.domain.ranks import waiting_share_bytes
from service.domain.tensors import elements
from service.domain.training_activations import (
    block_gradient_bytes,
    checkpointed_block_bytes,
    largest_block_bytes,
    recomputed_block_bytes,
    saved_bytes,
    weight_cast_bytes,
)
from service.domain.training_sharding import (
    Phase,
    adapters_on_card,
    gradients_on_card,
    head_elements,
    master_on_card,
    optimizer_states_on_card,
    sharding_buffer_bytes,
    weights_on_card,
    workspace_on_card,
)
from service.domain.training_states import gradient_width, regime_widths
from service.domain.units import ceil_div

Bytes = Mapping[str, int]
WORDS: frozenset[Output] = frozenset({"tokens", "scores"})
"""Outputs that are scores of words, over which a loss is taken."""


def logit_bytes(run: TrainingRun) -> int:
    """Logits and their copies at the peak of the loss. [B]

    M_l = T·V·β

    T  tokens of a micro-batch   V  vocabulary   β  bytes a logit, by framework and implementation

    Holds when:  the model scores words, and the loss takes the whole batch at once; chunked ones
                 have a smaller β.
    Source:      config/frameworks; transformers `loss/loss_utils.py`.
    Checked by:  8,192 tokens, V 128,256, β 12: 12,607,881,216 bytes.
    """
    if run.model.output not in WORDS:
        return 0
    return round(run.tokens * run.model.vocabulary_size * run_logit_width(run))


def run_logit_width(run: TrainingRun) -> float:
    """Bytes a logit of the run's loss."""
    return run.framework_profile.logit_bytes[run.loss]


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
    return gradients_on_card(run) if run.gradient_accumulation > 1 else 0


def waiting_bytes(run: TrainingRun) -> int:
    """Kept by the micro-batches of a pipeline stage that wait for their backward. [B]"""
    return waiting_share_bytes(run, saved_bytes(run))


def loss_phase(run: TrainingRun) -> Bytes:
    """Forward pass done, the loss walked back: all that was saved, and the logits' copies."""
    return {
        **steady(run),
        "gradients": kept_gradient_bytes(run),
        "activations": saved_bytes(run) + waiting_bytes(run) + weight_cast_bytes(run),
        "logits": logit_bytes(run),
        "sharding_buffers": sharding_buffer_bytes(run, "loss"),
        "dequantization": dequantization_bytes(run),
    }


def backward_start_phase(run: TrainingRun) -> Bytes:
    """The last block walked back: everything saved, the head's gradient, one block's gradients."""
    head = 0 if run.lora else head_elements(run) * regime_widths(run).compute
    return {
        **steady(run),
        "gradients": kept_gradient_bytes(run) or head,
        "activations": saved_bytes(run)
        + waiting_bytes(run)
        + weight_cast_bytes(run)
        + recomputed_block_bytes(run)
        + block_gradient_bytes(run),
        "sharding_buffers": sharding_buffer_bytes(run, "backward"),
        "dequantization": dequantization_bytes(run),
    }


def backward_end_phase(run: TrainingRun) -> Bytes:
    """The first block walked back: almost all gradients, and what this one block keeps."""
    first = largest_block_bytes(run) + block_gradient_bytes(run) + checkpointed_block_bytes(run)
    return {
        **steady(run),
        "gradients": max(kept_gradient_bytes(run), _gradients_before_last_block(run)),
        "activations": first + waiting_bytes(run),
        "sharding_buffers": sharding_buffer_bytes(run, "backward"),
        "dequantization": dequantization_bytes(run),
    }


def _gradients_before_last_block(run: TrainingRun) -> int:
    if run.lora is not None:
        return gradients_on_card(run)
    missing = max(counts(run.model).kind_totals, default=0)
    if not run.model.tied:
        missing += elements(run.model.embeddings)
    return max(0, gradients_on_card(run) - ceil_div(missing * gradient_width(run), run.shards))


def root_gradient_phase(run: TrainingRun) -> Bytes:
    """The tables' gradient, unsharded where weights are sharded, doubled where they are tied."""
    tied = 0
    if run.model.tied and run.lora is None and run.shards == 1:
        tied = 2 * head_elements(run) * regime_widths(run).compute
    gradient = tied or checkpointed_block_bytes(run)
    return {
        **steady(run),
        "gradients": gradients_on_card(run),
        "activations": gradient + waiting_bytes(run),
        "sharding_buffers": sharding_buffer_bytes(run, "root-gradient"),
    }


def optimizer_phase(run: TrainingRun) -> Bytes:
    """Gradients complete, the optimizer steps."""
    return {
        **steady(run),
        "gradients": gradients_on_card(run),
        "optimizer_workspace": workspace_on_card(run),
        "sharding_buffers": sharding_buffer_bytes(run, "optimizer"),
    }


def dequantization_bytes(run: TrainingRun) -> int:
    """One packed matrix unpacked for its product: r·c·2 of the largest. [B]

    Source: bitsandbytes `autograd/_functions.py`, MatMul4Bit.
    """
    if run.lora is None or not run.quantization.quantizes:
        return 0
    packed = [t.rows * t.columns for t in counts(run.model).bill if run.quantization.packs(t)]
    return 2 * max(packed, default=0)


def phases(run: TrainingRun) -> tuple[tuple[Phase, Bytes], ...]:
    """All phases of a step in their order."""
    return (
        ("loss", loss_phase(run)),
        ("backward", backward_start_phase(run)),
        ("backward", backward_end_phase(run)),
        ("root-gradient", root_gradient_phase(run)),
        ("optimizer", optimizer_phase(run)),
    )
