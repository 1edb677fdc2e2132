"""What was measured against what was predicted: term by term, with causes and the closing block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.causes import likely_cause
from service.domain.overrides import OVERRIDABLE
from service.domain.results import Amount, Estimate, Limits, Readings, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One measured quantity; `difference` is measured less expected."""

    name: str
    measured: float
    low: float
    expected: float
    high: float
    difference: float
    inside_range: bool
    likely_cause: str | None
    cause_source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences, the overrides that would close them, and what has no counterpart."""

    differences: tuple[Difference, ...]
    overrides: Mapping[str, int]
    not_compared: tuple[str, ...]


TERMS: Mapping[str, tuple[str, ...]] = {
    "weights_bytes": ("weights",),
    "model_buffer_bytes": ("weights",),
    "activations_bytes": ("activations", "encoder"),
    "compute_buffer_bytes": ("activations",),
    "cuda_graphs_bytes": ("cuda_graphs",),
    "non_torch_bytes": ("communication",),
    "init_used_bytes": ("runtime",),
    "kv_buffer_bytes": ("kv_cache",),
    "recurrent_state_bytes": ("recurrent_state",),
    "kv_needed_bytes": ("kv_cache", "recurrent_state"),
}
"""Measured quantities and the terms that predict them; the first of them may be overridden."""

LIMITS: Mapping[str, str] = {
    "kv_cache_capacity_tokens": "kv_cache_capacity_tokens",
    "max_concurrency": "max_concurrency_exact",
    "max_context_tokens": "max_context_tokens",
    "kv_bytes_per_token": "kv_bytes_per_token",
}
READINGS = ("allocated_bytes", "reserved_bytes", "driver_bytes")
QUANTITIES = (*TERMS, "kv_cache_capacity_bytes", *LIMITS, *READINGS, "total_used_bytes")
BYTES_OF_A_TOKEN = "kv_bytes_per_token"  # ruff: ignore[hardcoded-password-string] - a field's name


def comparison(
    result: Estimate, measured: Mapping[str, float], rounding_bytes: int = 0
) -> Comparison:
    """Every measured quantity that the estimate predicts."""
    found: list[Difference] = []
    overrides: dict[str, int] = {}
    absent: list[str] = []
    for name, value in measured.items():
        bounds = predicted(result, name)
        if bounds is None:
            absent.append(name)
            continue
        found.append(difference(name, value, bounds, rounding_bytes))
        overrides |= override(result, name, int(value))
    return Comparison(differences=tuple(found), overrides=overrides, not_compared=tuple(absent))


def predicted(result: Estimate, name: str) -> tuple[float, float, float] | None:
    """Low, expected and high of a quantity; None where the estimate has no counterpart."""
    amount = predicted_amount(result, name)
    if amount is not None:
        return (amount.low, amount.expected, amount.high)
    limits = result.limits
    if name not in LIMITS or not isinstance(limits, Limits):
        return None
    value: float = getattr(limits, LIMITS[name])
    return (value, value, value)


def predicted_amount(result: Estimate, name: str) -> Amount | None:
    """A quantity of bytes with its range."""
    if name in TERMS:
        found = tuple(term for term in result.per_card.terms if term.name in TERMS[name])
        return total(found) if found else None
    if name in READINGS and isinstance(result.readings, Readings):
        return reading_amount(result.readings, name)
    if name == "kv_cache_capacity_bytes" and isinstance(result.limits, Limits):
        limits = result.limits
        return Amount(
            low=limits.kv_cache_capacity_low_bytes,
            expected=limits.kv_cache_capacity_bytes,
            high=limits.kv_cache_capacity_high_bytes,
        )
    return result.per_card.amount if name == "total_used_bytes" else None


def reading_amount(readings: Readings, name: str) -> Amount:
    """What a tool shows of a training run."""
    found: Amount = getattr(readings, name.removesuffix("_bytes"))
    return found


def difference(
    name: str, value: float, bounds: tuple[float, float, float], rounding_bytes: int
) -> Difference:
    """One quantity; a log's rounding is granted on both sides of the range."""
    low, expected, high = bounds
    kept = rounding_bytes if name.endswith("_bytes") else 0
    inside = low - kept <= value <= high + kept
    cause = None if inside else likely_cause(name, value - expected, expected)
    return Difference(
        name=name,
        measured=value,
        low=low,
        expected=expected,
        high=high,
        difference=round(value - expected, 2),
        inside_range=inside,
        likely_cause=cause.sentence if cause else None,
        cause_source=cause.source if cause else None,
    )


def override(result: Estimate, name: str, value: int) -> dict[str, int]:
    """What a request would state so that the term is as measured; empty where none can."""
    if name == BYTES_OF_A_TOKEN:
        return {BYTES_OF_A_TOKEN: value}
    names = TERMS.get(name, ())
    if not names or names[0] not in OVERRIDABLE or names[0] == "kv_cache":
        return {}
    present = {term.name: term.amount.expected for term in result.per_card.terms}
    left = value - sum(present.get(other, 0) for other in names[1:])
    return {OVERRIDABLE[names[0]]: left} if names[0] in present and left >= 0 else {}
