"""Estimates as reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from service.domain.architecture import extras
from service.domain.results import (
    Amount,
    Budget,
    Estimate,
    Limits,
    ModelFacts,
    PerCard,
    Readings,
    Term,
    TrainingLimits,
)
from service.presentation.estimate_words import estimate_words
from service.presentation.rendering import Report
from service.presentation.sheets.estimate_fields import TERM_COLUMNS, TERM_FIELDS
from service.presentation.sheets.fields import Row


def model_facts_view(model: ModelFacts) -> dict[str, Any]:
    """A model's counts and where its shape is from."""
    shape = model.architecture
    return {
        "name": model.name,
        "parameters": shape.parameters,
        "active_parameters": shape.active_parameters,
        "embedding_parameters": shape.embedding_parameters,
        "head_parameters": shape.head_parameters,
        "checkpoint_parameters": shape.checkpoint_parameters,
        "checkpoint_extras": [{"name": n, "parameters": c} for n, c in extras(shape)],
        "architecture": shape.family,
        "source": model.source,
    }


def amount_view(amount: Amount) -> dict[str, int]:
    """The three bounds."""
    return {
        "low_bytes": amount.low,
        "expected_bytes": amount.expected,
        "high_bytes": amount.high,
    }


def term_view(term: Term) -> dict[str, Any]:
    """One term with its formula, numbers and source."""
    return {
        "name": term.name,
        **amount_view(term.amount),
        "formula": term.formula,
        "values": dict(term.values),
        "provenance": term.provenance,
        "source": term.source,
        "in_budget": term.in_budget,
    }


def per_card_view(card: PerCard) -> dict[str, Any]:
    """The fullest card."""
    view: dict[str, Any] = {
        **amount_view(card.amount),
        "terms": [term_view(term) for term in card.terms],
        "stage": card.stage,
    }
    if card.phase is not None:
        view["phase"] = card.phase
    return view


def budget_view(card: Budget | None) -> dict[str, Any] | None:
    """What the card offers."""
    return None if card is None else asdict(card)


def limits_view(limits: Limits | TrainingLimits | None) -> dict[str, Any] | None:
    """What the cache holds, or how far a run can grow."""
    return None if limits is None else asdict(limits)


def readings_view(readings: Readings | None) -> dict[str, Any] | None:
    """What tools would show."""
    if readings is None:
        return None
    named = (
        ("allocated", readings.allocated),
        ("reserved", readings.reserved),
        ("driver", readings.driver),
    )
    return {
        **{f"{name}_bytes": amount.expected for name, amount in named},
        **{f"{name}_range": amount_view(amount) for name, amount in named},
    }


def estimate_view(result: Estimate) -> dict[str, Any]:
    """An estimate in the contract's shape."""
    judged = result.judgement
    view = {
        "model": model_facts_view(result.model),
        "precision": result.precision,
        "quantization": result.quantization,
        "per_card": per_card_view(result.per_card),
        "total_bytes": result.total_bytes,
        "cards": result.cards,
        "readings": readings_view(result.readings),
        "card": budget_view(result.card),
        "fits": judged.fits if judged else None,
        "verdict": judged.verdict if judged else None,
        "headroom_bytes": judged.headroom_bytes if judged else None,
        "outcome": asdict(result.outcome) if result.outcome else None,
        "limits": limits_view(result.limits),
        "host_bytes": result.host_bytes or None,
        "phases": [per_card_view(phase) for phase in result.phases] or None,
    }
    return {
        **{key: value for key, value in view.items() if value is not None},
        "assumptions": [asdict(note) for note in result.assumptions],
        "warnings": [asdict(caution) for caution in result.warnings],
    }


def estimate_report(result: Estimate, versions: Mapping[str, str]) -> Report:
    """An estimate in data, words and rows."""
    return Report(
        data={**estimate_view(result), **versions},
        summary=estimate_words(result),
        rows=tuple(Row(TERM_FIELDS.reads, term) for term in result.per_card.terms),
        columns=TERM_COLUMNS,
        fits=result.judgement.fits if result.judgement else None,
        shown=(),
    )
