"""From what a caller said about a training run to a run with nothing left open."""

from __future__ import annotations

from service.domain.adapters import ALL_LINEAR
from service.domain.errors import InvalidRequest
from service.domain.framework import Framework, FrameworkProfile
from service.domain.optimizer import Optimizer
from service.domain.precision import Precision, Quantization
from service.domain.questions import Lora, TrainingRun
from service.domain.requests import LoraWish, Stock, TrainingWish
from service.domain.resolving import Frame, Notes, refuse_beyond_limit
from service.domain.training_splits import (
    chosen,
    refuse_odd_splits,
    refuse_step_in_backward,
    resolved_offload,
    resolved_sharding,
    resolved_stages,
    steps_of_global_batch,
)
from service.domain.training_states import REGIMES

DEFAULT_FRAMEWORK = "transformers"
TRAINABLE_KERNELS = frozenset({"bitsandbytes", "gptq", "hqq", "torchao", "aqlm", "int4-w4a16"})
"""Packed formats through which a gradient flows back to an adapter.
Source: peft 0.21 `tuners/lora/model.py`, dispatchers: bnb, gptq, awq, aqlm, hqq, torchao."""
DEFAULT_OPTIMIZER = "adamw"
DEFAULT_SEQUENCE_TOKENS = 2048
DEFAULT_LORA_RANK = 16
QLORA_QUANTIZATION = "nf4-dq"
MIN_BITS_WITH_GRADIENTS = 16
SINGLE_BITS = 32


def resolved_attention(wish: TrainingWish, frame: Frame, notes: Notes) -> str:
    """The caller's kernel, else flash where the published class can call one."""
    mixers = (mixer for kind in frame.model.layer_kinds for mixer in kind.mixers)
    if wish.attention is None and any(getattr(mixer, "eager_only", False) for mixer in mixers):
        notes.default("workload.attention", "eager", "the model's class calls no other kernel")
        return "eager"
    return chosen(wish, "attention", notes)


def resolved_regime(wish: TrainingWish, precision: Precision, notes: Notes) -> str:
    """The caller's regime, else everything in the type of `precision`."""
    if precision.bits < MIN_BITS_WITH_GRADIENTS and wish.regime not in {"fp8", "fp32-master"}:
        raise InvalidRequest(
            "precision",
            f"{precision.id} cannot hold gradients: train in bfloat16, float16 or float32, or use "
            "method qlora for packed base weights",
        )
    if wish.regime is not None:
        _refuse_contradiction(wish.regime, precision)
        return wish.regime
    regime = "fp32" if precision.bits >= SINGLE_BITS else "pure-16bit"
    notes.default("workload.regime", regime, f"follows from precision {precision.id}")
    return regime


def _refuse_contradiction(regime: str, precision: Precision) -> None:
    if regime not in REGIMES:
        raise InvalidRequest("workload.regime", f"one of {', '.join(REGIMES)}")
    if regime == "fp32" and precision.bits < SINGLE_BITS:
        raise InvalidRequest("workload.regime", f"fp32 contradicts precision {precision.id}")
    if regime == "pure-16bit" and precision.bits != MIN_BITS_WITH_GRADIENTS:
        raise InvalidRequest("workload.regime", f"pure-16bit contradicts precision {precision.id}")


def resolved_lora(wish: TrainingWish, method: str, stock: Stock, notes: Notes) -> Lora | None:
    """Adapters of a LoRA or QLoRA run; refused on a full run."""
    if method == "full":
        if wish.lora is not None:
            raise InvalidRequest("workload.lora", 'needs "method": "lora" or "qlora"')
        return None
    asked = wish.lora or LoraWish()
    rank, targets, precision = asked.rank, asked.targets, asked.precision
    if rank is None:
        rank = DEFAULT_LORA_RANK
        notes.default("workload.lora.rank", rank, "default")
    if targets is None:
        targets = (ALL_LINEAR,)
        notes.default("workload.lora.targets", ALL_LINEAR, "default")
    if precision is None:
        precision = stock.precisions["float32"]
        notes.default("workload.lora.precision", precision.id, "peft keeps adapters in float32")
    return Lora(
        rank=rank,
        targets=targets,
        precision=precision,
        dora=bool(asked.dora),
        fp32_residual=resolved_residual(asked, method, notes),
    )


def resolved_residual(asked: LoraWish, method: str, notes: Notes) -> bool:
    """Whether tables, norms and what runs between the blocks are fp32: not unless asked for."""
    if asked.fp32_residual is None and method == "qlora":
        notes.default(
            "workload.lora.fp32_residual",
            value=False,
            reason="peft's prepare_model_for_kbit_training makes it true",
        )
    return bool(asked.fp32_residual)


def resolved_optimizer(wish: TrainingWish, stock: Stock, notes: Notes) -> Optimizer:
    """The caller's optimizer, else AdamW."""
    if wish.optimizer is not None:
        return wish.optimizer
    notes.default("workload.optimizer", DEFAULT_OPTIMIZER, "default: PyTorch's foreach AdamW")
    return stock.optimizers[DEFAULT_OPTIMIZER]


def resolved_counts(wish: TrainingWish, frame: Frame, notes: Notes) -> tuple[int, int, int]:
    """Micro-batch, sequence tokens and accumulation steps."""
    batch, tokens, steps = wish.micro_batch_size, wish.sequence_tokens, wish.gradient_accumulation
    limit = frame.model.context_limit
    if batch is None:
        batch = 1
        notes.default("workload.micro_batch_size", batch, "default")
    if tokens is None:
        tokens = min(limit or DEFAULT_SEQUENCE_TOKENS, DEFAULT_SEQUENCE_TOKENS)
        notes.default("workload.sequence_tokens", tokens, "min(the model's limit, 2048)")
    else:
        refuse_beyond_limit(limit, tokens, wish.allow_context_beyond_limit, "sequence_tokens")
    if wish.global_batch_size is not None:
        steps = steps_of_global_batch(wish, batch, frame.split.data)
        notes.default(
            "workload.gradient_accumulation", steps, "global batch / (micro-batch x data)"
        )
    elif steps is None:
        steps = frame.split.pipeline
        reason = "default" if steps == 1 else "default: one micro-batch for each pipeline stage"
        notes.default("workload.gradient_accumulation", steps, reason)
    return batch, tokens, steps


def resolved_quantized_base(frame: Frame, method: str, stock: Stock, notes: Notes) -> Quantization:
    """How frozen weights are stored; refused where no gradient passes through them."""
    quantization = frame.quantization
    if method == "qlora" and not quantization.quantizes:
        quantization = stock.quantizations[QLORA_QUANTIZATION]
        notes.default("quantization", quantization.id, "QLoRA's own format")
    elif method == "full" and quantization.quantizes:
        raise InvalidRequest(
            "quantization", f"{quantization.id} weights cannot be trained; use qlora"
        )
    if quantization.quantizes and quantization.kernel not in TRAINABLE_KERNELS:
        raise InvalidRequest(
            "quantization",
            f"no gradient passes through {quantization.id}; adapters train on formats of "
            f"{', '.join(sorted(TRAINABLE_KERNELS))}",
        )
    return quantization


def resolved_loss(
    wish: TrainingWish, framework: Framework, profile: FrameworkProfile, notes: Notes
) -> str:
    """The caller's implementation of the loss, one that the framework has."""
    loss = chosen(wish, "loss", notes)
    if loss not in profile.logit_bytes:
        raise InvalidRequest(
            "workload.loss", f"{framework.id} has {', '.join(profile.logit_bytes)}"
        )
    return loss


def _refuse_latents(frame: Frame) -> None:
    if frame.model.output == "latents":
        raise InvalidRequest(
            "workload.kind",
            "training a diffusion model is not modelled: what it keeps for backward grows with "
            "the image or video; ask for inference to get its weights",
        )


def resolved_training(frame: Frame, wish: TrainingWish, stock: Stock, notes: Notes) -> TrainingRun:
    """A training run with every default filled in."""
    _refuse_latents(frame)
    method = chosen(wish, "method", notes)
    framework = wish.framework or stock.frameworks[DEFAULT_FRAMEWORK]
    if wish.framework is None:
        notes.default("workload.framework", framework.id, "default")
    profile = framework.profile(wish.framework_version)
    batch, tokens, steps = resolved_counts(wish, frame, notes)
    sharding = resolved_sharding(wish, frame.split.data * frame.split.context, notes)
    refuse_odd_splits(frame, sharding, wish)
    schedule, chunks = resolved_stages(wish, frame, notes)
    regime = resolved_regime(wish, frame.precision, notes)
    refuse_step_in_backward(wish, regime, steps)
    return TrainingRun(
        model=frame.model,
        precision=frame.precision,
        quantization=resolved_quantized_base(frame, method, stock, notes),
        split=frame.split,
        method=method,
        regime=regime,
        framework=framework,
        framework_profile=profile,
        optimizer=resolved_optimizer(wish, stock, notes),
        micro_batch_size=batch,
        sequence_tokens=tokens,
        gradient_accumulation=steps,
        activation_checkpointing=chosen(wish, "activation_checkpointing", notes),
        attention=resolved_attention(wish, frame, notes),
        loss=resolved_loss(wish, framework, profile, notes),
        sharding=sharding,
        lora=resolved_lora(wish, method, stock, notes),
        offload=resolved_offload(wish, sharding, notes),
        compiled=bool(wish.compile),
        padding_free=bool(wish.padding_free),
        pipeline_schedule=schedule,
        virtual_stages=chunks,
        shard_ranks=wish.shard_ranks or 0,
        optimizer_in_backward=bool(wish.optimizer_in_backward),
    )
