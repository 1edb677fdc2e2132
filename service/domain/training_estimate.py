"""Memory of a training run: terms of each phase, the peak, what tools would show."""

from __future__ import annotations

from dataclasses import replace

from service.domain.companion_resolving import with_companions
from service.domain.companions import beside, companion_host_bytes, own_phases
from service.domain.judging import at_risk, verdict
from service.domain.questions import TrainingRun
from service.domain.ranks import stage_runs
from service.domain.requests import EstimateRequest, Risk, Stock, TrainingWish
from service.domain.resolving import Frame, Notes
from service.domain.results import (
    Budget,
    Caution,
    Estimate,
    PerCard,
)
from service.domain.training_activations import checkpoint_host_bytes
from service.domain.training_limits import training_limits
from service.domain.training_phases import phases, steady
from service.domain.training_readings import readings
from service.domain.training_resolving import resolved_training
from service.domain.training_sharding import host_bytes
from service.domain.training_terms import phase_amount, phase_card


def phase_cards(run: TrainingRun) -> tuple[PerCard, ...]:
    """One card for each phase of the fullest pipeline stage, in the order of a step."""
    stages = [
        tuple(replace(phase_card(stage, name, sizes), stage=index) for name, sizes in phases(stage))
        for index, stage in enumerate(stage_runs(run))
    ]
    if run.companions:
        return companion_cards(run, stages[0])
    return max(stages, key=lambda cards: peak(cards).amount.expected)


def companion_cards(run: TrainingRun, cards: tuple[PerCard, ...]) -> tuple[PerCard, ...]:
    """The phases of a run with its companions, and the phases in which they work themselves."""
    held = steady(run)
    apart = tuple(
        replace(card, terms=(*card.terms, *terms))
        for name, terms in own_phases(run)
        for card in (phase_card(run, name, held),)
    )
    return (*(beside(run, card) for card in cards), *apart)


def peak(cards: tuple[PerCard, ...]) -> PerCard:
    """The phase that needs most."""
    return max(cards, key=lambda card: card.amount.expected)


def need_bytes(run: TrainingRun, risk: Risk) -> int:
    """What the largest phase of the fullest stage needs at a risk. [B]"""
    if run.companions:
        return max(at_risk(card.amount, risk) for card in phase_cards(run))
    stages = [
        [phase_amount(stage, sizes) for _, sizes in phases(stage)] for stage in stage_runs(run)
    ]
    fullest = max(stages, key=lambda amounts: max(amount.expected for amount in amounts))
    return max(at_risk(amount, risk) for amount in fullest)


def training_estimate(
    request: EstimateRequest, wish: TrainingWish, frame: Frame, stock: Stock, notes: Notes
) -> Estimate:
    """Memory of a training run on its fullest card."""
    run = with_companions(resolved_training(frame, wish, stock, notes), wish, stock, notes)
    cards = phase_cards(run)
    fullest = peak(cards)
    memory = request.usable_bytes
    judged = None
    if memory is not None:
        worst = max(at_risk(card.amount, request.risk) for card in cards)
        judged = verdict(memory - worst, memory)
    return Estimate(
        model=request.model,
        precision=run.precision.id,
        quantization=run.quantization.id,
        workload_kind="training",
        per_card=fullest,
        total_bytes=fullest.amount.expected * run.split.cards,
        cards=run.split.cards,
        card=_card(request, memory),
        judgement=judged,
        limits=None
        if memory is None
        else training_limits(run, memory, lambda grown: need_bytes(grown, request.risk)),
        readings=readings(run, cards, fullest, memory),
        phases=cards,
        assumptions=tuple(notes.found),
        warnings=training_cautions(run),
        host_bytes=max(host_bytes(stage) for stage in stage_runs(run))
        + companion_host_bytes(run)
        + checkpoint_host_bytes(run),
    )


def _card(request: EstimateRequest, memory_bytes: int | None) -> Budget | None:
    if memory_bytes is None:
        return None
    gpu = request.gpu.id if request.gpu else None
    return Budget(gpu=gpu, memory_bytes=memory_bytes, budget_bytes=memory_bytes, policy="none")


def training_cautions(run: TrainingRun) -> tuple[Caution, ...]:
    """Warnings about a training run."""
    found = [
        Caution(
            code="driver-reading",
            message="nvidia-smi shows more than is needed, because the allocator keeps what it "
            "freed; the verdict is judged on allocated bytes, fragmentation and context",
        )
    ]
    if run.optimizer.paged_from:
        found.append(
            Caution(
                code="paged-states",
                message="paged states live in managed memory: no torch counter shows them",
            )
        )
    if run.model.shape_is_assumed:
        found.append(
            Caution(
                code="assumed-shape",
                message="only the size is known: activations follow a typical shape",
            )
        )
    if any(tower.modality != "text" for tower in run.model.towers):
        found.append(
            Caution(
                code="towers-without-inputs",
                message="towers of images and sound are held and trained, but a training request "
                "says nothing of their inputs: what they keep for backward is not counted",
            )
        )
    found.extend(Caution(code="model-note", message=note) for note in run.model.notes)
    return tuple(found)
