"""The fields of an estimate: one row a placement, or one row a term."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.results import Amount, Estimate, Readings, Term
from service.domain.units import GIB
from service.presentation.estimate_words import answer
from service.presentation.sheets.fields import (
    LIMITS,
    MEASURED,
    UNITS,
    Cell,
    Fields,
    Need,
    Read,
    headroom_percent,
    limit,
    measured_fields,
    sized,
)

TERM_COLUMNS = (
    "term",
    "expected_gib",
    "low_bytes",
    "expected_bytes",
    "high_bytes",
    "formula",
)
"""Columns of an estimate as CSV, one row a term; new ones are only ever added at the end."""

ROW_COLUMNS = (
    "fits",
    "verdict",
    "cards",
    "gpu",
    "precision",
    "quantization",
    "required_gib",
    "required_low_gib",
    "required_high_gib",
    "available_gib",
    "headroom_percent",
    "total_gib",
    "weights_gib",
    "kv_cache_gib",
    "activations_gib",
    "max_concurrency",
    "max_context_tokens",
    "driver_gib",
    "required_mib",
    "headroom_mib",
    "summary",
)
"""Columns of an estimate that is one row among others; new ones are only ever added at the end."""

READINGS = ("allocated", "reserved", "driver")
ALIASES: Mapping[str, str] = {"headroom_pct": "headroom_percent"}
TERM_READS: Mapping[str, Read[Term]] = {
    "term": lambda term: term.name,
    "expected_gib": lambda term: round(term.amount.expected / GIB, 3),
    "low_gib": lambda term: round(term.amount.low / GIB, 3),
    "high_gib": lambda term: round(term.amount.high / GIB, 3),
    "low_bytes": lambda term: term.amount.low,
    "expected_bytes": lambda term: term.amount.expected,
    "high_bytes": lambda term: term.amount.high,
    "formula": lambda term: term.formula,
    "provenance": lambda term: term.provenance,
    "source": lambda term: term.source,
}
TERM_FIELDS: Fields[Term] = Fields(reads=TERM_READS, columns=TERM_COLUMNS, aliases={}, measured=())


def need(result: Estimate) -> Need:
    """The fullest card and, where one is given, what is left of it."""
    judged = result.judgement
    return Need(
        per_card=result.per_card,
        card=result.card,
        headroom_bytes=judged.headroom_bytes if judged else None,
    )


def missing_bytes(result: Estimate) -> int | None:
    """What lacks on a card where it does not fit."""
    judged = result.judgement
    return -judged.headroom_bytes if judged and not judged.fits else None


def reading(name: str, unit: str) -> Read[Estimate]:
    """What a tool would show while training."""

    def read(result: Estimate) -> Cell:
        found: Readings | None = result.readings
        amount: Amount | None = getattr(found, name) if found else None
        return sized(amount.expected if amount else None, unit, need=True)

    return read


def limited(name: str) -> Read[Estimate]:
    """How far it could grow."""
    return lambda result: limit(result.limits, name)


def in_all(unit: str) -> Read[Estimate]:
    """Bytes on all cards together."""
    return lambda result: sized(result.total_bytes, unit, need=True)


READS: Mapping[str, Read[Estimate]] = {
    **measured_fields(need, missing_bytes),
    **{f"{name}_{unit}": reading(name, unit) for name in READINGS for unit in UNITS},
    **{f"total_{unit}": in_all(unit) for unit in UNITS},
    **{name: limited(name) for name in LIMITS},
    "model": lambda result: result.model.name,
    "parameters": lambda result: result.model.architecture.parameters,
    "precision": lambda result: result.precision,
    "quantization": lambda result: result.quantization,
    "cards": lambda result: result.cards,
    "gpu": lambda result: result.card.gpu if result.card else None,
    "fits": lambda result: result.judgement.fits if result.judgement else None,
    "verdict": lambda result: result.judgement.verdict if result.judgement else None,
    "phase": lambda result: result.per_card.phase,
    "headroom_percent": lambda result: headroom_percent(need(result)),
    "summary": answer,
}
ESTIMATE_FIELDS: Fields[Estimate] = Fields(
    reads=READS,
    columns=ROW_COLUMNS,
    aliases=ALIASES,
    measured=(*MEASURED, *READINGS, "total"),
)
