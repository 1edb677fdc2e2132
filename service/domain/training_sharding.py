"""What replication and sharding leave on one card, and the buffers that they add to it."""

from __future__ import annotations

from service.domain.questions import TrainingRun
from service.domain.training_states import (
    adapter_bytes,
    gradient_bytes,
    gradient_width,
    is_deepspeed,
    master_bytes,
    model_bill,
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
    """Weights on one card; on the host where everything is offloaded. [B]

    M = M_w / N;  0 where everything is offloaded

    M_w  weights of one rank   N  ranks that share them: 1 but for ZeRO-3 and FSDP

    Holds when:  experts are shared by as many ranks; otherwise they are divided by their own.
    Source:      Rajbhandari et al. 2020, arXiv 1910.02054, section 5.3.
    Checked by:  Llama 3.1 8B, bfloat16, ZeRO-3 over 8: 16,060,522,496 / 8 = 2,007,565,312.
    """
    if run.offload == "all":
        return 0
    return weight_bytes(run, sharded=is_sharded(run, SHARDS_WEIGHTS))


def adapters_on_card(run: TrainingRun) -> int:
    """Adapters on one card. [B]

    M = R·Σ(r + c)·w / N;  0 where everything is offloaded

    R  rank   r, c  rows and columns of an adapted matrix   w  bytes a value
    N  ranks that share weights: 1 but for ZeRO-3 and FSDP

    Holds when:  every adapted matrix carries two factors; DoRA adds a vector a matrix.
    Source:      Hu et al. 2021, arXiv 2106.09685, section 4.1.
    Checked by:  Llama 3.1 8B, rank 8 on q and v: 32 · 8 · (8,192 + 5,120) = 3,407,872 values,
                 in float32 13,631,488 bytes.
    """
    if run.offload == "all":
        return 0
    return adapter_bytes(run, sharded=is_sharded(run, SHARDS_WEIGHTS))


def optimizer_states_on_card(run: TrainingRun) -> int:
    """Optimizer states on one card that torch counts. [B]

    M = M_o / N;  0 where states are offloaded

    M_o  states of one rank   N  ranks that share them, from ZeRO-1 on

    Holds when:  states lie on the card; paged ones are managed memory, which torch does not count.
    Source:      Rajbhandari et al. 2020, arXiv 1910.02054, section 5.1.
    Checked by:  AdamW over 8e9 float32 values, ZeRO-1 over 8: 2 · 4 · 8e9 / 8 = 8e9.
    """
    if run.offload != "none":
        return 0
    return optimizer_state_bytes(run, sharded=is_sharded(run, SHARDS_STATES))


def master_on_card(run: TrainingRun) -> int:
    """Master copies on one card. [B]

    M = 4·P / N;  0 where the regime keeps none, or states are offloaded

    P  trainable values of one rank   N  ranks that share them, from ZeRO-1 on

    Holds when:  16-bit weights are trained with a float32 copy of each.
    Source:      Rajbhandari et al. 2020, arXiv 1910.02054, sections 3.1 and 5.1.
    Checked by:  Llama 3.1 8B, ZeRO-1 over 8: 4 · 8,030,261,248 / 8 = 4,015,130,624.
    """
    return 0 if run.offload != "none" else master_bytes(run, sharded=is_sharded(run, SHARDS_STATES))


def workspace_on_card(run: TrainingRun) -> int:
    """What an optimizer step takes on one card. [B]

    M = M_s / N

    M_s  copies that one rank's step makes   N  ranks that share states, from ZeRO-1 on

    Holds when:  the step runs on the card; offloaded ones take nothing here.
    Source:      torch.optim documentation, `foreach`: "uses ~ sizeof(params) more peak memory".
    Checked by:  AdamW over 8e9 float32 values on one card: 4 · 8e9 = 32e9.
    """
    return optimizer_workspace_bytes(run, sharded=is_sharded(run, SHARDS_STATES))


def gradients_on_card(run: TrainingRun) -> int:
    """Gradients of one card at the end of the last backward pass. [B]

    M = M_g + M_a;  0 where each goes to the host as it is made

    M_g  reduced gradients   M_a  unsharded gradients of accumulation, of which each is freed when
    it is reduced in the last micro-batch

    Holds when:  no optimizer steps inside the backward pass; then one tensor's gradient stands.
    Source:      Rajbhandari et al. 2020, arXiv 1910.02054, section 5.2; DeepSpeed
                 `docs/code-docs/source/memory.rst`; torch `fully_shard`, CPUOffloadPolicy.
    Checked by:  8e9 float32 values, ZeRO-2 over 8: 4 · 8e9 / 8 = 4e9.
    """
    if leaves_the_card(run):
        return 0
    return reduced_gradients_on_card(run) + accumulated_gradient_bytes(run)


def leaves_the_card(run: TrainingRun) -> bool:
    """Whether each gradient goes to the host as it is made."""
    return run.offload == "all" or (run.offload == "optimizer" and is_deepspeed(run))


def reduced_gradients_on_card(run: TrainingRun) -> int:
    """Gradients of one card when the optimizer steps. [B]

    M = P·g / N;  0 where each goes to the host as it is made

    P  trainable values of one rank   g  bytes of a gradient   N  ranks that share them, from ZeRO-2

    Holds when:  no optimizer steps inside the backward pass; then one tensor's gradient stands.
    Source:      Rajbhandari et al. 2020, arXiv 1910.02054, section 5.2.
    Checked by:  8e9 float32 values, ZeRO-2 over 8: 4 · 8e9 / 8 = 4e9.
    """
    if leaves_the_card(run):
        return 0
    return gradient_bytes(run, sharded=is_sharded(run, SHARDS_GRADIENTS))


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
    flat = run.lora is not None and profile.flat_adapters
    return width * (model_bill(run) if flat else trainable_bill(run)).elements


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
