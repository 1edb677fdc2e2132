"""One step of a training run: its phases and what tools would show, without its limits."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.companion_resolving import with_companions
from service.domain.estimate import resolved_frame
from service.domain.requests import EstimateRequest, Stock, TrainingWish
from service.domain.resolving import Notes
from service.domain.results import PerCard, Readings
from service.domain.training_estimate import peak, phase_cards
from service.domain.training_readings import readings
from service.domain.training_resolving import resolved_training


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The fullest card in each phase of a step, and its readings at the peak."""

    phases: tuple[PerCard, ...]
    readings: Readings


def step(request: EstimateRequest, wish: TrainingWish, stock: Stock) -> Step:
    """The step of a training run.

    Raises: InvalidRequest where a field cannot be honoured.
    """
    notes = Notes()
    frame = resolved_frame(request, stock, notes)
    run = with_companions(resolved_training(frame, wish, stock, notes), wish, stock, notes)
    cards = phase_cards(run)
    return Step(phases=cards, readings=readings(run, cards, peak(cards), frame.card.memory_bytes))
