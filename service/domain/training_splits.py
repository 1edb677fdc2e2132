"""How a caller's training run lies on its ranks: sharding, stages, experts, host, global batch."""

from __future__ import annotations

from service.domain.architecture import counts
from service.domain.errors import InvalidRequest
from service.domain.requests import TrainingWish
from service.domain.resolving import Frame, Notes
from service.domain.training_sharding import SHARDS_WEIGHTS

DEFAULTS: dict[str, str] = {
    "method": "full",
    "activation_checkpointing": "none",
    "attention": "flash",
    "loss": "eager",
    "offload": "none",
}
INTERLEAVED_STAGES = 2


def chosen(wish: TrainingWish, name: str, notes: Notes) -> str:
    """A named setting: the caller's, else its default."""
    value: str | None = getattr(wish, name)
    if value is None:
        value = DEFAULTS[name]
        notes.default(f"workload.{name}", value, "default")
    return value


def resolved_sharding(wish: TrainingWish, data_ranks: int, notes: Notes) -> str:
    """The caller's sharding, else none on one card and FSDP on several."""
    if wish.sharding is not None:
        if wish.sharding == "none" and data_ranks > 1:
            raise InvalidRequest(
                "workload.sharding",
                "several data- or context-parallel ranks need ddp, zero-* or fsdp",
            )
        return wish.sharding
    sharding = "none" if data_ranks == 1 else "fsdp"
    notes.default("workload.sharding", sharding, "default for this number of cards")
    return sharding


def steps_of_global_batch(wish: TrainingWish, batch: int, data: int) -> int:
    """Micro-batches a rank that make up a global batch; it has to be dealt without a rest."""
    total = wish.global_batch_size or 0
    if wish.gradient_accumulation is not None:
        raise InvalidRequest(
            "workload.global_batch_size", "follows from gradient_accumulation; give one of them"
        )
    if total % (batch * data):
        raise InvalidRequest(
            "workload.global_batch_size",
            f"{total} is not divided by micro_batch_size {batch} x {data} data-parallel ranks",
        )
    return total // (batch * data)


def resolved_stages(wish: TrainingWish, frame: Frame, notes: Notes) -> tuple[str, int]:
    """Pipeline schedule and chunks a stage."""
    pipeline, layers = frame.split.pipeline, frame.model.layer_count
    schedule, chunks = wish.pipeline_schedule or "1f1b", wish.virtual_stages
    if schedule == "interleaved" and chunks is None:
        chunks = INTERLEAVED_STAGES
        notes.default("workload.virtual_stages", chunks, "default of the interleaved schedule")
    chunks = chunks or 1
    if chunks > 1 and (schedule != "interleaved" or pipeline == 1):
        raise InvalidRequest(
            "workload.virtual_stages",
            'several chunks a stage need "pipeline_schedule": "interleaved" and a pipeline',
        )
    if pipeline * chunks > layers:
        raise InvalidRequest(
            "placement.pipeline_parallel",
            f"{pipeline} stages of {chunks} chunks need as many blocks; the model has {layers}",
        )
    return schedule, chunks


def refuse_odd_splits(frame: Frame, sharding: str, wish: TrainingWish) -> None:
    """Refuse splits that cannot be dealt."""
    split = frame.split
    world = split.tensor * split.context * split.data
    spread = split.expert * (split.expert_tensor or split.tensor)
    if split.expert > 1 and (not counts(frame.model).mixture or world % spread):
        raise InvalidRequest(
            "placement.expert_parallel",
            f"{split.expert} expert ranks need a mixture of experts and have to divide the "
            f"{world} tensor x context x data ranks together with the expert's own cut",
        )
    if sharding in {"zero-2", "zero-3"} and split.pipeline > 1:
        raise InvalidRequest("workload.sharding", "DeepSpeed runs pipelines with zero-1 only")
    group = wish.shard_ranks
    if group is not None and (split.data * split.context) % group:
        raise InvalidRequest(
            "workload.shard_ranks", f"has to divide {split.data * split.context} data ranks"
        )


def resolved_offload(wish: TrainingWish, sharding: str, notes: Notes) -> str:
    """What lies on the host; everything only where weights are gathered piece by piece."""
    offload = chosen(wish, "offload", notes)
    if offload == "all" and sharding not in SHARDS_WEIGHTS:
        raise InvalidRequest(
            "workload.offload",
            '"all" needs a sharding that gathers weights piece by piece: fsdp or zero-3',
        )
    return offload


def refuse_step_in_backward(wish: TrainingWish, regime: str, steps: int) -> None:
    """Refuse an optimizer in backward where gradients have to be summed or copied first."""
    if wish.optimizer_in_backward and (steps > 1 or regime == "fp32-master"):
        raise InvalidRequest(
            "workload.optimizer_in_backward",
            "needs gradient_accumulation 1 and a regime without master copies",
        )
