"""One placement: which terms stand on its fullest card, and whether that card holds them."""

from __future__ import annotations

from dataclasses import replace

from service.domain.budgets import Offer
from service.domain.errors import InvalidRequest
from service.domain.judging import (
    Need,
    serving_budget,
    serving_headroom,
    serving_offer,
    stage_needs,
    tightest,
    verdict,
)
from service.domain.limits import serving_limits
from service.domain.outcome import outcome
from service.domain.overrides import OVERRIDABLE
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
from service.domain.results import Budget, Caution, Estimate, Limits, PerCard, Verdicts
from service.domain.rules import cautions, on_card, refuse_unsupported, sparse_cache
from service.domain.serving_terms import forms, serving_terms
from service.domain.sums import state_rows
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
    serving = on_its_card(request, wish, frame, stock, notes)
    refuse_unsupported(serving, request.gpu)
    refuse_absent(serving)
    explained = stage_needs(serving)
    fullest, memory = tightest(explained), request.usable_bytes
    needs = tuple(one.need for one in explained)
    offer = serving_offer(serving.profile, memory, serving.memory_utilization) if memory else None
    limits = serving_limits(serving, needs, offer, request.risk) if offer else None
    return Estimate(
        model=request.model,
        precision=frame.precision.id,
        quantization=frame.quantization.id,
        workload_kind="inference",
        per_card=PerCard(terms=serving_terms(serving, fullest.stage), stage=fullest.stage.index),
        total_bytes=_total_bytes(serving, needs),
        cards=serving.split.cards,
        card=_budget(request, serving, fullest.need, offer),
        judgement=_judged(serving, needs, offer, request.risk),
        limits=limits,
        outcome=outcome(serving, explained, offer, request.risk) if offer else None,
        readings=None,
        phases=(),
        assumptions=tuple(notes.found),
        warnings=(
            *cautions(serving, request.gpu),
            *_budget_cautions(serving, needs, offer),
            *_state_cautions(serving, limits),
        ),
    )


def on_its_card(
    request: EstimateRequest, wish: ServingWish, frame: Frame, stock: Stock, notes: Notes
) -> Serving:
    """The question with the layout and the cache that the engine takes on the card's hardware."""
    engine, gpu = wish.engine, request.gpu
    profile = engine.profile(wish.engine_version)
    fixed = sparse_cache(engine, profile, gpu, frame.model)
    if fixed and wish.cache is None:
        notes.default("workload.kv_cache_precision", fixed, "auto: this engine's for sparse layers")
        wish = replace(wish, cache=stock.caches[fixed])
    laid = on_card(engine, profile, gpu, frame.quantization)
    return resolved_serving(replace(frame, quantization=laid), wish, stock, notes)


def refuse_absent(serving: Serving) -> None:
    """Refuse bytes stated for a term that this question does not have."""
    present = {form.name for form in forms(serving)}
    for term in serving.overrides.stated:
        if term not in present:
            raise InvalidRequest(
                f"overrides.{OVERRIDABLE[term]}",
                f"nothing is held as {term} here; only as {', '.join(sorted(present))}",
            )


def _budget(
    request: EstimateRequest, serving: Serving, need: Need, offer: Offer | None
) -> Budget | None:
    if offer is None:
        return None
    gpu = request.gpu.id if request.gpu else None
    return serving_budget(serving, need, gpu, offer, request.risk)


def _judged(
    serving: Serving, needs: tuple[Need, ...], offer: Offer | None, risk: Risk
) -> Verdicts | None:
    if offer is None:
        return None
    headroom = min(serving_headroom(serving, need, offer, risk) for need in needs)
    return verdict(headroom, offer.memory_bytes)


def _total_bytes(serving: Serving, needs: tuple[Need, ...]) -> int:
    replica = sum(need.amount.expected for need in needs)
    return replica * serving.split.tensor * serving.split.data


def _budget_cautions(
    serving: Serving, needs: tuple[Need, ...], offer: Offer | None
) -> tuple[Caution, ...]:
    if offer is None or serving.engine.policy != "of-total":
        return ()
    beside = offer.memory_bytes - int(offer.memory_bytes * offer.share)
    outside = max(need.outside.high for need in needs)
    if outside <= beside:
        return ()
    return (
        Caution(
            code="utilization-too-high",
            message=f"memory_utilization {offer.share} leaves {beside} bytes for "
            f"what the engine holds outside its budget, which may take {outside}; lower it",
        ),
    )


def _state_cautions(serving: Serving, limits: Limits | None) -> tuple[Caution, ...]:
    """vLLM: every sequence of a step needs a block for its state.

    Source: vLLM 0.21 to 0.28 `config/compilation.py`, resolve_cudagraph_mode_and_sizes.
    """
    bound = serving.profile.blocks_bound_sequences and serving.cuda_graphs
    if limits is None or not bound or not state_rows(serving.model, 1):
        return ()
    blocks = limits.kv_cache_capacity_blocks
    if not 0 < blocks < serving.max_sequences:
        return ()
    return (
        Caution(
            code="more-sequences-than-states",
            message=f"{serving.engine.name} refuses to start with up to {serving.max_sequences} "
            f"sequences: its pool has {blocks} blocks, and each sequence needs one for its state; "
            f"set workload.max_sequences to {blocks} or fewer",
        ),
    )
