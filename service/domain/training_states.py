"""Model states of training on one rank: weights, gradients, optimizer states, master copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from service.domain.adapters import adapter_tensors
from service.domain.architecture import Architecture
from service.domain.optimizer import Optimizer
from service.domain.optimizer_states import paged_state_bytes, step_bytes, tensor_state_bytes
from service.domain.precision import Precision, Quantization
from service.domain.questions import Lora, Split, TrainingRun
from service.domain.ranks import Bill, bill_of, cut, expert_data_ranks, rank_bill
from service.domain.tensors import Tensor
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
    return _widths(run.regime, run.precision)


@lru_cache(maxsize=64)
def _widths(regime: str, precision: Precision) -> RegimeWidths:
    return REGIMES[regime](precision)


def is_deepspeed(run: TrainingRun) -> bool:
    """Whether states are divided by one of DeepSpeed's stages, not in a framework's buffers."""
    return run.sharding.startswith("zero-") and not run.framework_profile.gradient_buffers


@lru_cache(maxsize=2048)
def _adapter_bill(model: Architecture, lora: Lora, split: Split) -> Bill:
    return bill_of(adapter_tensors(model, lora), split)


def model_bill(run: TrainingRun) -> Bill:
    """The model as one rank holds it before data-parallel sharding."""
    return rank_bill(run.model, cut(run.split))


def trainable_bill(run: TrainingRun) -> Bill:
    """What the optimizer updates, as one rank holds it before data-parallel sharding."""
    if run.lora is None:
        return model_bill(run)
    return _adapter_bill(run.model, run.lora, cut(run.split))


def trainable_widths(run: TrainingRun) -> RegimeWidths:
    """Bytes a value of what the optimizer updates."""
    return regime_widths(run) if run.lora is None else plain_widths(run.lora.precision)


def gradient_width(run: TrainingRun) -> int:
    """Bytes of a gradient while it is kept. [B]"""
    width = trainable_widths(run)
    return ZERO_GRADIENT_BYTES if width.master and is_deepspeed(run) else width.gradient


def shared_bytes(run: TrainingRun, dense_bytes: int, routed_bytes: int, *, sharded: bool) -> int:
    """One rank's bytes, divided over the data-parallel ranks where they are sharded. [B]"""
    if not sharded or run.shards == 1:
        return dense_bytes + routed_bytes
    routed = ceil_div(routed_bytes, expert_data_ranks(run)) if routed_bytes else 0
    return ceil_div(dense_bytes, run.shards) + routed


def plain_bytes(run: TrainingRun, bill: Bill, width: int, *, sharded: bool) -> int:
    """A rank's values at `width` bytes each, divided where they are sharded. [B]"""
    return shared_bytes(
        run, bill.dense_elements * width, bill.routed_elements * width, sharded=sharded
    )


def weight_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """Weights of the model on one rank. [B]

    M_w = P·w;  frozen under LoRA: packed tensors in their format, all others at w

    P  values on the rank   w  bytes a value in the regime; fp32 where k-bit training prepared them

    Holds when:  tied tables are held once; packed tensors keep the format they are loaded in.
    Source:      arXiv 1910.02054, section 3.1; peft 0.21 `utils/other.py`,
                 prepare_model_for_kbit_training.
    Checked by:  Llama 3.1 8B, pure bfloat16: 16,060,522,496.
    """
    bill, width = model_bill(run), regime_widths(run).weight
    if run.lora is None:
        return plain_bytes(run, bill, width, sharded=sharded)
    width = FP32_BYTES if run.lora.fp32_residual else width
    return shared_bytes(run, *_frozen_bytes(bill, run.quantization, width), sharded=sharded)


@lru_cache(maxsize=2048)
def _frozen_bytes(bill: Bill, quantization: Quantization, width: int) -> tuple[int, int]:
    precision = Precision(id="", bits=width * BITS_PER_BYTE)
    return (
        quantization.weight_bytes(bill.dense, precision),
        quantization.weight_bytes(bill.routed, precision),
    )


def adapter_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """Weights of the adapters on one rank. [B]"""
    if run.lora is None:
        return 0
    return plain_bytes(run, trainable_bill(run), trainable_widths(run).weight, sharded=sharded)


def gradient_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """One gradient for each trainable value of a rank; one tensor's when it steps in backward. [B]

    Source: torchtune `config: optimizer_in_bwd`; torch.Tensor.register_post_accumulate_grad_hook.
    """
    width, bill = gradient_width(run), trainable_bill(run)
    if run.optimizer_in_backward:
        return max(tensor.rows * tensor.columns for tensor in bill.tensors) * width
    return plain_bytes(run, bill, width, sharded=sharded)


def master_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """fp32 copies of a rank's trainable values. [B]"""
    return plain_bytes(run, trainable_bill(run), trainable_widths(run).master, sharded=sharded)


def optimizer_state_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """States that torch counts of everything that a rank's optimizer updates. [B]"""
    return shared_bytes(run, *_states(run, tensor_state_bytes), sharded=sharded)


def paged_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """States in managed memory, which no counter of torch shows. [B]"""
    if not run.optimizer.paged_from:
        return 0
    return shared_bytes(run, *_states(run, paged_state_bytes), sharded=sharded)


StateSize = Callable[[Tensor, Optimizer, int, str], int]


def _states(run: TrainingRun, size: StateSize) -> tuple[int, int]:
    width = trainable_widths(run).state
    return _state_sums(trainable_bill(run), run.optimizer, width, run.framework.id, size)


@lru_cache(maxsize=4096)
def _state_sums(
    bill: Bill, optimizer: Optimizer, width: int, framework: str, size: StateSize
) -> tuple[int, int]:
    return (
        sum(size(tensor, optimizer, width, framework) for tensor in bill.dense),
        sum(size(tensor, optimizer, width, framework) for tensor in bill.routed),
    )


def optimizer_workspace_bytes(run: TrainingRun, *, sharded: bool = False) -> int:
    """Copies that live while a rank's optimizer steps, ZeRO's fp32 gradients among them. [B]

    Source: `optimizer_states.step_bytes`; DeepSpeed `docs/code-docs/source/memory.rst`.
    """
    width, bill = trainable_widths(run), trainable_bill(run)
    if run.offload != "none":
        return 0
    fp32 = FP32_BYTES if width.master and is_deepspeed(run) else 0
    step = shared_bytes(run, *_step_sums(bill, run.optimizer, width.state), sharded=sharded)
    return step + plain_bytes(run, bill, fp32, sharded=sharded)


@lru_cache(maxsize=4096)
def _step_sums(bill: Bill, optimizer: Optimizer, width: int) -> tuple[int, int]:
    if optimizer.step_scope == "all-parameters":
        dense = step_bytes(bill.dense, optimizer, width)
        return dense, step_bytes(bill.routed, optimizer, width)
    return step_bytes(bill.tensors, optimizer, width), 0
