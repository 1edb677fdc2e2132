"""Model states of training on one rank: weights, gradients, optimizer states, master copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from service.domain.adapters import adapter_tensors
from service.domain.architecture import Architecture
from service.domain.optimizer_states import paged_state_bytes, step_bytes, tensor_state_bytes
from service.domain.precision import Precision, Quantization
from service.domain.questions import Lora, Split, TrainingRun
from service.domain.ranks import data_ranks, rank_part, rank_tensors
from service.domain.tensors import Tensors, elements
from service.domain.units import BITS_PER_BYTE, ceil_div

FP32_BYTES = 4
ZERO_GRADIENT_BYTES = 2
"""DeepSpeed's ZeRO keeps gradients in the parameters' 16 bits and makes the step's part fp32.
Source: DeepSpeed `docs/code-docs/source/memory.rst`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeWidths:
    """Bytes a value of weights, gradients, states and master copy in one regime."""

    weight: int
    gradient: int
    state: int
    master: int
    compute: int


def plain_widths(precision: Precision) -> RegimeWidths:
    """Everything in one type."""
    size = precision.bits // 8
    return RegimeWidths(weight=size, gradient=size, state=size, master=0, compute=size)


def amp_widths(precision: Precision) -> RegimeWidths:
    """fp32 parameters, gradients and states; 16-bit compute."""
    return RegimeWidths(
        weight=4, gradient=4, state=4, master=0, compute=max(2, precision.bits // 8)
    )


def master_widths(precision: Precision) -> RegimeWidths:
    """16-bit parameters, fp32 gradients, states and master copy."""
    del precision
    return RegimeWidths(weight=2, gradient=4, state=4, master=4, compute=2)


def fp8_widths(precision: Precision) -> RegimeWidths:
    """fp32 shards of which linear layers compute in float8; what is kept stays 16 bit."""
    del precision
    return RegimeWidths(weight=4, gradient=4, state=4, master=0, compute=2)


REGIMES: dict[str, Callable[[Precision], RegimeWidths]] = {
    "fp32": plain_widths,
    "pure-16bit": plain_widths,
    "amp": amp_widths,
    "fp32-master": master_widths,
    "fp8": fp8_widths,
}
"""Source: training-regime table of Rajbhandari et al. 2020 (arXiv 1910.02054, section 3.1)."""


def regime_widths(run: TrainingRun) -> RegimeWidths:
    """Bytes a value in this run's regime."""
    return REGIMES[run.regime](run.precision)


def is_deepspeed(run: TrainingRun) -> bool:
    """Whether states are divided by one of ZeRO's stages."""
    return run.sharding.startswith("zero-")


@lru_cache(maxsize=2048)
def _rank_adapters(model: Architecture, lora: Lora, split: Split) -> Tensors:
    return tuple(rank_part(tensor, split) for tensor in adapter_tensors(model, lora))


def trainable_tensors(run: TrainingRun) -> Tensors:
    """What the optimizer updates, as one rank holds it before data-parallel sharding."""
    if run.lora is None:
        return rank_tensors(run.model, run.split)
    return _rank_adapters(run.model, run.lora, run.split)


def trainable_widths(run: TrainingRun) -> RegimeWidths:
    """Bytes a value of what the optimizer updates."""
    return regime_widths(run) if run.lora is None else plain_widths(run.lora.precision)


def gradient_width(run: TrainingRun) -> int:
    """Bytes of a gradient while it is kept. [B]"""
    width = trainable_widths(run)
    return ZERO_GRADIENT_BYTES if width.master and is_deepspeed(run) else width.gradient


def shared_bytes(
    run: TrainingRun, tensors: Tensors, size: Callable[[Tensors], int], *, sharded: bool
) -> int:
    """Bytes of one rank's tensors, divided over the data-parallel ranks where they are sharded."""
    if not sharded or run.shards == 1:
        return size(tensors)
    dense = tuple(tensor for tensor in tensors if tensor.kind != "expert")
    routed = tuple(tensor for tensor in tensors if tensor.kind == "expert")
    divided = ceil_div(size(dense), run.shards)
    return divided + (ceil_div(size(routed), data_ranks(run, routed[0])) if routed else 0)


def weight_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """Weights of the model on one rank. [B]

    M_w = P·w;  frozen under LoRA: packed tensors in their format, all others at w

    P  values on the rank   w  bytes a value in the regime; fp32 where k-bit training prepared them

    Source:      arXiv 1910.02054, section 3.1; peft 0.21 `utils/other.py`,
                 prepare_model_for_kbit_training.
    Checked by:  Llama 3.1 8B, pure bfloat16: 16,060,522,496.
    """
    tensors = rank_tensors(run.model, run.split)
    if run.lora is None:
        width = regime_widths(run).weight
        return shared_bytes(run, tensors, lambda part: elements(part) * width, sharded=sharded)
    width = FP32_BYTES if run.lora.fp32_residual else regime_widths(run).weight
    return shared_bytes(
        run, tensors, lambda part: _frozen_bytes(part, run.quantization, width), sharded=sharded
    )


@lru_cache(maxsize=2048)
def _frozen_bytes(tensors: Tensors, quantization: Quantization, width: int) -> int:
    return quantization.weight_bytes(tensors, Precision(id="", bits=width * BITS_PER_BYTE))


def adapter_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """Weights of the adapters on one rank. [B]"""
    if run.lora is None:
        return 0
    width = trainable_widths(run).weight
    tensors = trainable_tensors(run)
    return shared_bytes(run, tensors, lambda part: elements(part) * width, sharded=sharded)


def gradient_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """One gradient for each trainable value of a rank; one tensor's when it steps in backward. [B]

    Source: torchtune `config: optimizer_in_bwd`; torch.Tensor.register_post_accumulate_grad_hook.
    """
    width, tensors = gradient_width(run), trainable_tensors(run)
    if run.optimizer_in_backward:
        largest = max(tensors, key=lambda tensor: tensor.rows * tensor.columns)
        return largest.rows * largest.columns * width
    return shared_bytes(run, tensors, lambda part: elements(part) * width, sharded=sharded)


def master_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """fp32 copies of a rank's trainable values. [B]"""
    width, tensors = trainable_widths(run).master, trainable_tensors(run)
    return shared_bytes(run, tensors, lambda part: elements(part) * width, sharded=sharded)


def optimizer_state_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """States that torch counts of everything that a rank's optimizer updates. [B]"""
    return _states(run, tensor_state_bytes, sharded=sharded)


def paged_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """States in managed memory, which no counter of torch shows. [B]"""
    return _states(run, paged_state_bytes, sharded=sharded)


def _states(run: TrainingRun, size: Callable[..., int], *, sharded: bool) -> int:
    width, name = trainable_widths(run).state, run.framework.id
    return shared_bytes(
        run,
        trainable_tensors(run),
        lambda part: sum(size(tensor, run.optimizer, width, name) for tensor in part),
        sharded=sharded,
    )


def optimizer_workspace_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """Copies that live while a rank's optimizer steps, ZeRO's fp32 gradients among them. [B]

    Source: `optimizer_states.step_bytes`; DeepSpeed `docs/code-docs/source/memory.rst`.
    """
    width, tensors = trainable_widths(run), trainable_tensors(run)
    if run.offload != "none":
        return 0
    fp32 = FP32_BYTES if width.master and is_deepspeed(run) else 0
    step = shared_bytes(
        run, tensors, lambda part: step_bytes(part, run.optimizer, width.state), sharded=sharded
    )
    return step + shared_bytes(run, tensors, lambda part: elements(part) * fp32, sharded=sharded)
