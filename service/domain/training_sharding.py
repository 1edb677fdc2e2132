"""What replication and sharding leave on one card, and the buffers that they add to it."""

from __future__ import annotations

from service.domain.questions import TrainingRun
from service.domain.training_states import (
    adapter_bytes,
    gradient_bytes,
    gradient_width,
    is_deepspeed,
    master_bytes,
    optimizer_state_bytes,
    optimizer_workspace_bytes,
    paged_bytes,
    regime_widths,
    trainable_bill,
    weight_bytes,
)

SHARDS_STATES = frozenset({"zero-1", "zero-2", "zero-3", "fsdp", "fsdp-no-reshard"})
SHARDS_GRADIENTS = SHARDS_STATES - {"zero-1"}
SHARDS_WEIGHTS = SHARDS_GRADIENTS - {"zero-2"}
FSDP = frozenset({"fsdp", "fsdp-no-reshard"})
"""Source: Rajbhandari et al. 2020 (arXiv 1910.02054, section 5); FSDP as ZeRO-3, torchtitan
`docs/fsdp.md`."""


def is_sharded(run: TrainingRun, kinds: frozenset[str]) -> bool:
    """Whether a kind of state is divided in this run."""
    return run.sharding in kinds


def weights_on_card(run: TrainingRun) -> int:
    """Weights on one card; on the host where everything is offloaded. [B]"""
    if run.offload == "all":
        return 0
    return weight_bytes(run, sharded=is_sharded(run, SHARDS_WEIGHTS))


def adapters_on_card(run: TrainingRun) -> int:
    """Adapters on one card. [B]"""
    if run.offload == "all":
        return 0
    return adapter_bytes(run, sharded=is_sharded(run, SHARDS_WEIGHTS))


def optimizer_states_on_card(run: TrainingRun) -> int:
    """Optimizer states on one card that torch counts. [B]"""
    if run.offload != "none":
        return 0
    return optimizer_state_bytes(run, sharded=is_sharded(run, SHARDS_STATES))


def master_on_card(run: TrainingRun) -> int:
    """Master copies on one card. [B]"""
    return 0 if run.offload != "none" else master_bytes(run, sharded=is_sharded(run, SHARDS_STATES))


def workspace_on_card(run: TrainingRun) -> int:
    """What an optimizer step takes on one card. [B]"""
    return optimizer_workspace_bytes(run, sharded=is_sharded(run, SHARDS_STATES))


def gradients_on_card(run: TrainingRun) -> int:
    """Gradients of one card when all of them are there. [B]

    Offloading everything, or ZeRO's states, moves each gradient to the host as it is made.
    Source: DeepSpeed `docs/code-docs/source/memory.rst`; torch `fully_shard`, CPUOffloadPolicy.
    """
    if run.offload == "all" or (run.offload == "optimizer" and is_deepspeed(run)):
        return 0
    return gradient_bytes(run, sharded=is_sharded(run, SHARDS_GRADIENTS)) + (
        accumulated_gradient_bytes(run)
    )


def accumulated_gradient_bytes(run: TrainingRun) -> int:
    """Unsharded gradients that accumulation without synchronisation keeps. [B]

    M_a = P·g, g = 2 (FSDP1: the parameter's 16 bits), 4 (FSDP2: the reduction's fp32)

    Holds when:  the framework accumulates under no_sync, or a pipeline reduces at its last
                 micro-batch.
    Source:      Hugging Face Accelerate `accelerator.py`, no_sync; torch 2.13 `fsdp/_fully_shard/
                 _fsdp_param.py`, to_accumulated_grad_if_needed.
    Checked by:  Mistral 7B on 2 cards: 2 · 7,241,732,096 = 14.5e9 beside the shards.
    """
    profile = run.framework_profile
    pipeline = run.split.pipeline > 1
    lazy = profile.accumulates_unsharded or pipeline
    if run.gradient_accumulation == 1 or run.shards == 1 or run.sharding not in FSDP or not lazy:
        return 0
    width = regime_widths(run).compute if profile.fsdp_version == 1 else gradient_width(run)
    return width * trainable_bill(run).elements


def host_bytes(run: TrainingRun) -> int:
    """What offloading and paging keep in host memory for one card. [B]

    optimizer  states + master copies + gradients of what steps on the host
    all        the same and the weights

    Source: DeepSpeed `docs/code-docs/source/memory.rst`; torchao `optim/cpu_offload.py`.
    """
    states = is_sharded(run, SHARDS_STATES)
    if run.offload == "none":
        return paged_bytes(run, sharded=states)
    moved = optimizer_state_bytes(run, sharded=states) + paged_bytes(run, sharded=states)
    moved += master_bytes(run, sharded=states)
    moved += gradient_bytes(run, sharded=is_sharded(run, SHARDS_GRADIENTS))
    if run.offload == "all":
        moved += weight_bytes(run, sharded=is_sharded(run, SHARDS_WEIGHTS))
        moved += adapter_bytes(run, sharded=is_sharded(run, SHARDS_WEIGHTS))
    return moved
