"""From what a caller said about companions to models with nothing left open."""

from __future__ import annotations

from dataclasses import replace

from service.domain.errors import InvalidRequest
from service.domain.questions import Companion, Serving, Split, TrainingRun
from service.domain.requests import CompanionWish, ServingWish, Stock, TrainingWish
from service.domain.resolving import (
    CardFacts,
    Frame,
    Notes,
    resolved_precision,
    resolved_quantization,
    resolved_serving,
)
from service.domain.training_sharding import SHARDS_WEIGHTS

ROLLOUT_ENGINE = "vllm"


def with_companions(
    run: TrainingRun, wish: TrainingWish, stock: Stock, notes: Notes
) -> TrainingRun:
    """The run with its companions; each has the defaults of the run.

    Raises: InvalidRequest for a pipeline, which companions cannot share, and for contradictions.
    """
    if not wish.companions:
        return run
    if run.split.pipeline > 1:
        raise InvalidRequest("workload.companions", "stand on whole replicas: no pipeline")
    found = (
        companion(run, one, stock, notes, f"workload.companions.{index}")
        for index, one in enumerate(wish.companions)
    )
    return replace(run, companions=tuple(found))


def companion(
    run: TrainingRun, wish: CompanionWish, stock: Stock, notes: Notes, field: str
) -> Companion:
    """One companion."""
    own = Notes()
    model = wish.model.architecture if wish.model else run.model
    precision = resolved_precision(model, wish.precision or run.precision, stock, own)
    quantization = resolved_quantization(model, wish.quantization, precision, stock, own)
    if wish.model is None:
        notes.default(f"{field}.model", model.name, "the trained model")
    if wish.role == "critic" and quantization.quantizes and run.lora is None:
        raise InvalidRequest(f"{field}.quantization", "a critic's own weights are trained")
    if wish.offload == "all" and (wish.role == "critic" or run.sharding not in SHARDS_WEIGHTS):
        raise InvalidRequest(
            f"{field}.offload", "only frozen companions under fsdp or zero-3 lie on the host"
        )
    frame = Frame(
        model=model,
        precision=precision,
        quantization=quantization,
        split=Split(tensor=wish.tensor or run.split.tensor),
        card=CardFacts(memory_bytes=None),
    )
    return Companion(
        role=wish.role,
        model=model,
        precision=precision,
        quantization=quantization,
        offload=wish.offload,
        sleeps=wish.sleeps,
        serving=_rollout(run, wish, frame, stock, notes, field) if wish.role == "rollout" else None,
    )


def _rollout(
    run: TrainingRun, wish: CompanionWish, frame: Frame, stock: Stock, notes: Notes, field: str
) -> Serving:
    context, sequences = wish.context_tokens, wish.concurrency
    if context is None:
        context = run.sequence_tokens
        notes.default(f"{field}.context_tokens", context, "the sequence that is trained on")
    if sequences is None:
        sequences = run.micro_batch_size
        notes.default(f"{field}.concurrency", sequences, "the micro-batch")
    asked = ServingWish(
        engine=wish.engine or stock.engines[ROLLOUT_ENGINE],
        context_tokens=context,
        concurrency=sequences,
        max_sequences=sequences,
        allow_context_beyond_limit=True,
    )
    return resolved_serving(frame, asked, stock, Notes())
