"""Model states of training: weights, gradients, optimizer states, master copies, adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from service.domain.architecture import Architecture, counts
from service.domain.errors import InvalidRequest
from service.domain.optimizer import Optimizer
from service.domain.precision import Precision
from service.domain.questions import Lora, TrainingRun
from service.domain.sums import model_weight_bytes
from service.domain.tensors import Tensor, Tensors, elements
from service.domain.units import ceil_div

FP32_BYTES = 4
PACKED_SCALE_BYTES = 4

ATTENTION_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")
TARGET_GROUPS: dict[str, tuple[str, ...]] = {
    "attention": ATTENTION_TARGETS,
    "q": ("q_proj",),
    "k": ("k_proj",),
    "v": ("v_proj",),
    "o": ("o_proj",),
}
ALL_LINEAR = "all-linear"
ADAPTED_KINDS = frozenset({"attention", "mlp", "expert", "shared_expert"})


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


@lru_cache(maxsize=2048)
def adapter_tensors(model: Architecture, lora: Lora) -> Tensors:
    """Two low-rank matrices for each adapted one: r × c of rank k gives k·(r + c) values.

    Source: Hu et al. 2021 (arXiv 2106.09685, section 4.1); peft `tuners/lora/layer.py`.
    Checked by: Llama 3.1 8B, rank 16 on q and v: 32 · 16 · (8,192 + 5,120) = 6,815,744.
    """
    adapted = [tensor for tensor in counts(model).bill if is_adapted(tensor, lora.targets)]
    if not adapted:
        names = sorted({_leaf(t) for t in counts(model).bill if _adaptable(t)})
        raise InvalidRequest(
            "workload.lora.targets",
            f"none of {', '.join(lora.targets)} is a linear layer of this model; it has "
            f"{', '.join(names) or 'none'}",
        )
    return tuple(
        replace(tensor, rows=lora.rank * (tensor.rows + tensor.columns), columns=1, linear=False)
        for tensor in adapted
    )


def _leaf(tensor: Tensor) -> str:
    return tensor.name.rsplit(".", 1)[-1]


def _adaptable(tensor: Tensor) -> bool:
    return tensor.linear and tensor.kind in ADAPTED_KINDS


def is_adapted(tensor: Tensor, targets: tuple[str, ...]) -> bool:
    """Whether a low-rank pair is trained beside a tensor."""
    if not _adaptable(tensor):
        return False
    if ALL_LINEAR in targets:
        return tensor.kind != "expert"
    names = {name for target in targets for name in TARGET_GROUPS.get(target, (target,))}
    return _leaf(tensor) in names


def trainable_tensors(run: TrainingRun) -> Tensors:
    """What the optimizer updates."""
    return counts(run.model).bill if run.lora is None else adapter_tensors(run.model, run.lora)


def trainable_widths(run: TrainingRun) -> RegimeWidths:
    """Bytes a value of what the optimizer updates."""
    return regime_widths(run) if run.lora is None else plain_widths(run.lora.precision)


def weight_bytes(run: TrainingRun) -> int:
    """Weights of the model before sharding. [B]"""
    if run.lora is None:
        return run.model.parameters * regime_widths(run).weight
    return model_weight_bytes(run.model, run.quantization, run.precision)


def adapter_bytes(run: TrainingRun) -> int:
    """Weights of the adapters. [B]"""
    return (
        0 if run.lora is None else elements(trainable_tensors(run)) * trainable_widths(run).weight
    )


def gradient_bytes(run: TrainingRun) -> int:
    """One gradient for each trainable value. [B]"""
    return elements(trainable_tensors(run)) * trainable_widths(run).gradient


def master_bytes(run: TrainingRun) -> int:
    """fp32 copies of the trainable values. [B]"""
    return elements(trainable_tensors(run)) * trainable_widths(run).master


def tensor_state_bytes(tensor: Tensor, optimizer: Optimizer, width: int) -> int:
    """States of one tensor. [B]

    M_o = P·z·w;  packed: P·z·b/8 + ceil(P/B)·4·z;  factored: 4·(r + c)

    P  values   z  states   w  bytes a value   b  bits of a packed state   B  values a scale

    Holds when:  states have the type of the parameter, as PyTorch's optimizers keep them.
    Source:      torch.optim; bitsandbytes `optim/optimizer.py` (min_8bit_size, blocks of 256);
                 torchao `optim/subclass_8bit.py`; transformers `optimization.py` (Adafactor).
    Checked by:  AdamW over 8e9 float32 values: 64e9; 8-bit: 8e9 · 2 · (1 + 4/256) = 16.25e9.
    """
    size, copies = tensor.elements, optimizer.state_copies
    matrix = tensor.columns > 1
    if optimizer.factored and matrix:
        return FP32_BYTES * (tensor.rows + tensor.columns) * tensor.count
    if optimizer.hidden_copies >= 0 and matrix and tensor.kind not in {"embedding", "lm_head"}:
        copies = optimizer.hidden_copies
    if optimizer.projected_rank and matrix:
        smaller, larger = sorted((tensor.rows, tensor.columns))
        rank = min(optimizer.projected_rank, smaller)
        return (copies * rank * larger + rank * smaller) * tensor.count * width
    if optimizer.state_bits and tensor.rows * tensor.columns >= optimizer.min_packed:
        scales = ceil_div(size, optimizer.block) * PACKED_SCALE_BYTES
        return copies * (ceil_div(size * optimizer.state_bits, 8) + scales)
    return size * copies * (FP32_BYTES if optimizer.state_bits else width)


def optimizer_state_bytes(run: TrainingRun) -> int:
    """States of everything the optimizer updates; paged ones lie outside torch's counters. [B]"""
    width = trainable_widths(run).state
    return sum(tensor_state_bytes(t, run.optimizer, width) for t in trainable_tensors(run))


def optimizer_workspace_bytes(run: TrainingRun) -> int:
    """Copies that live while the optimizer steps. [B]

    M_s = x·P·w over all trainable values (foreach), or x·max(P_i)·w for one tensor at a time

    Source: torch.optim documentation, `foreach`: "uses about sizeof(params) more peak memory".
    """
    optimizer, width = run.optimizer, trainable_widths(run).state
    tensors = trainable_tensors(run)
    if optimizer.step_scope == "all-parameters":
        return optimizer.step_copies * elements(tensors) * width
    if optimizer.step_scope == "largest-parameter":
        largest = max((t.rows * t.columns for t in tensors), default=0)
        return optimizer.step_copies * largest * width
    return 0
