"""One placement: which terms stand on its fullest card, and whether that card holds them."""

from __future__ import annotations

from service.domain.judging import (
    StageNeed,
    serving_budget,
    serving_headroom,
    serving_limits,
    stage_needs,
    tightest,
    verdict,
)
from service.domain.questions import Serving
from service.domain.requests import EstimateRequest, Risk, ServingWish, Stock, TrainingWish
from service.domain.resolving import (
    CardFacts,
    Frame,
    Notes,
    resolved_precision,
    resolved_quantization,
    resolved_serving,
)
from service.domain.results import Budget, Caution, Estimate, PerCard, Verdicts
from service.domain.rules import cautions, refuse_unsupported
from service.domain.training_estimate import training_estimate


def estimate(request: EstimateRequest, stock: Stock) -> Estimate:
    """Memory of one placement, its fullest card first.

    Raises: InvalidRequest where a field cannot be honoured.
    """
    notes = Notes()
    frame = resolved_frame(request, stock, notes)
    if isinstance(request.workload, TrainingWish):
        return training_estimate(request, request.workload, frame, stock, notes)
    return serving_estimate(request, request.workload, frame, stock, notes)


def resolved_frame(request: EstimateRequest, stock: Stock, notes: Notes) -> Frame:
    """The model as it is stored and split, and the card it is put on."""
    model = request.model.architecture
    memory = request.memory_bytes or (request.gpu.memory_bytes if request.gpu else None)
    return Frame(
        model=model,
        quantization=resolved_quantization(
            model, request.quantization, request.precision, stock, notes
        ),
        precision=resolved_precision(model, request.precision, stock, notes),
        split=request.split,
        card=CardFacts(memory_bytes=memory, name=request.gpu.name if request.gpu else ""),
    )


def serving_estimate(
    request: EstimateRequest, wish: ServingWish, frame: Frame, stock: Stock, notes: Notes
) -> Estimate:
    """Memory of a served model on its fullest card."""
    serving = resolved_serving(frame, wish, stock, notes)
    refuse_unsupported(serving, request.gpu)
    needs = stage_needs(serving)
    fullest = tightest(needs)
    budget = _budget(request, serving, frame.card.memory_bytes)
    judged = _judged(needs, budget, request.risk) if budget else None
    return Estimate(
        model=request.model,
        precision=frame.precision.id,
        quantization=frame.quantization.id,
        workload_kind="inference",
        per_card=PerCard(terms=fullest.terms, stage=fullest.stage.index),
        total_bytes=_total_bytes(serving, needs),
        cards=serving.split.cards,
        card=budget,
        judgement=judged,
        limits=serving_limits(serving, needs, budget, request.risk) if budget else None,
        readings=None,
        phases=(),
        assumptions=tuple(notes.found),
        warnings=(*cautions(serving, request.gpu), *_budget_cautions(needs, budget)),
    )


def _budget(request: EstimateRequest, serving: Serving, memory_bytes: int | None) -> Budget | None:
    if memory_bytes is None:
        return None
    gpu = request.gpu.id if request.gpu else None
    return serving_budget(serving, gpu, memory_bytes, serving.memory_utilization)


def _judged(needs: tuple[StageNeed, ...], budget: Budget, risk: Risk) -> Verdicts:
    headroom = min(serving_headroom(need, budget, risk) for need in needs)
    return verdict(headroom, budget.memory_bytes)


def _total_bytes(serving: Serving, needs: tuple[StageNeed, ...]) -> int:
    replica = sum(need.inside.expected + need.outside.expected for need in needs)
    return replica * serving.split.tensor * serving.split.data


def _budget_cautions(needs: tuple[StageNeed, ...], budget: Budget | None) -> tuple[Caution, ...]:
    if budget is None or budget.policy == "none":
        return ()
    beside = budget.memory_bytes - budget.budget_bytes
    outside = max(need.outside.high for need in needs)
    if outside <= beside:
        return ()
    return (
        Caution(
            code="utilization-too-high",
            message=f"memory_utilization {budget.memory_utilization} leaves {beside} bytes for "
            f"what the engine holds outside its budget, which may take {outside}; lower it",
        ),
    )
