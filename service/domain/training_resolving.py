"""From what a caller said about a training run to a run with nothing left open."""

from __future__ import annotations

from service.domain.errors import InvalidRequest
from service.domain.optimizer import Optimizer
from service.domain.precision import Precision
from service.domain.questions import Lora, TrainingRun
from service.domain.requests import LoraWish, Stock, TrainingWish
from service.domain.resolving import Frame, Notes, refuse_beyond_limit
from service.domain.training_states import ALL_LINEAR, REGIMES

DEFAULTS: dict[str, str] = {
    "method": "full",
    "activation_checkpointing": "none",
    "attention": "flash",
    "loss": "eager",
}
DEFAULT_FRAMEWORK = "transformers"
DEFAULT_OPTIMIZER = "adamw"
DEFAULT_SEQUENCE_TOKENS = 2048
DEFAULT_LORA_RANK = 16
QLORA_QUANTIZATION = "nf4-dq"
MIN_BITS_WITH_GRADIENTS = 16
SINGLE_BITS = 32


def chosen(wish: TrainingWish, name: str, notes: Notes) -> str:
    """A named setting: the caller's, else its default."""
    value: str | None = getattr(wish, name)
    if value is None:
        value = DEFAULTS[name]
        notes.default(f"workload.{name}", value, "default")
    return value


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
    return Lora(rank=rank, targets=targets, precision=precision)


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
    if steps is None:
        steps = 1
        notes.default("workload.gradient_accumulation", steps, "default")
    return batch, tokens, steps


def resolved_sharding(wish: TrainingWish, data_parallel: int, notes: Notes) -> str:
    """The caller's sharding, else none on one card and FSDP on several."""
    if wish.sharding is not None:
        if wish.sharding == "none" and data_parallel > 1:
            raise InvalidRequest(
                "workload.sharding", "several data-parallel ranks need ddp, zero-* or fsdp"
            )
        return wish.sharding
    sharding = "none" if data_parallel == 1 else "fsdp"
    notes.default("workload.sharding", sharding, "default for this number of cards")
    return sharding


def resolved_training(frame: Frame, wish: TrainingWish, stock: Stock, notes: Notes) -> TrainingRun:
    """A training run with every default filled in."""
    method = chosen(wish, "method", notes)
    quantization = frame.quantization
    if method == "qlora" and not quantization.quantizes:
        quantization = stock.quantizations[QLORA_QUANTIZATION]
        notes.default("quantization", quantization.id, "QLoRA's own format")
    elif method == "full" and quantization.quantizes:
        raise InvalidRequest(
            "quantization", f"{quantization.id} weights cannot be trained; use qlora"
        )
    framework = wish.framework or stock.frameworks[DEFAULT_FRAMEWORK]
    if wish.framework is None:
        notes.default("workload.framework", framework.id, "default")
    profile = framework.profile(wish.framework_version)
    loss = chosen(wish, "loss", notes)
    if loss not in profile.logit_bytes:
        raise InvalidRequest(
            "workload.loss", f"{framework.id} has {', '.join(profile.logit_bytes)}"
        )
    batch, tokens, steps = resolved_counts(wish, frame, notes)
    return TrainingRun(
        model=frame.model,
        precision=frame.precision,
        quantization=quantization,
        split=frame.split,
        method=method,
        regime=resolved_regime(wish, frame.precision, notes),
        framework=framework,
        framework_profile=profile,
        optimizer=resolved_optimizer(wish, stock, notes),
        micro_batch_size=batch,
        sequence_tokens=tokens,
        gradient_accumulation=steps,
        activation_checkpointing=chosen(wish, "activation_checkpointing", notes),
        attention=chosen(wish, "attention", notes),
        loss=loss,
        sharding=resolved_sharding(wish, frame.split.data, notes),
        lora=resolved_lora(wish, method, stock, notes),
    )
