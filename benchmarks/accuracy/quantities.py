"""Which part of an answer a measured value is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Answer = Mapping[str, Any]
Bounds = tuple[float, float, float]
LOG_ROUNDING_BYTES = 0.005 * 2**30
"""Logs print two decimals of a GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A key of `measured` and its counterpart: low, expected and high, None where there is none.

    term   the term whose range its residuals set, None where it follows from others
    floor  differences below this are the log's rounding
    """

    key: str
    bounds: Callable[[Answer], Bounds | None]
    term: str | None = None
    floor: float = 0.0


def terms(*names: str) -> Callable[[Answer], Bounds | None]:
    """The sum of an answer's terms of these names."""

    def bounds(answer: Answer) -> Bounds | None:
        found = [term for term in answer["per_card"]["terms"] if term["name"] in names]
        if not found:
            return None
        return (
            sum(term["low_bytes"] for term in found),
            sum(term["expected_bytes"] for term in found),
            sum(term["high_bytes"] for term in found),
        )

    return bounds


def limit(name: str) -> Callable[[Answer], Bounds | None]:
    """One of the answer's limits, which has no range of its own."""

    def bounds(answer: Answer) -> Bounds | None:
        value = answer.get("limits", {}).get(name)
        return None if value is None else (value, value, value)

    return bounds


def capacity(answer: Answer) -> Bounds | None:
    """The pool of the cache, with the range that the terms before it leave."""
    limits = answer.get("limits")
    if limits is None:
        return None
    return (
        limits["kv_cache_capacity_low_bytes"],
        limits["kv_cache_capacity_bytes"],
        limits["kv_cache_capacity_high_bytes"],
    )


def whole(answer: Answer) -> Bounds:
    """All terms together."""
    card = answer["per_card"]
    return (card["low_bytes"], card["expected_bytes"], card["high_bytes"])


def reading(name: str) -> Callable[[Answer], Bounds | None]:
    """What a tool would show of a training run."""

    def bounds(answer: Answer) -> Bounds | None:
        found = answer.get("readings", {}).get(f"{name}_range")
        if found is None:
            return None
        return (found["low_bytes"], found["expected_bytes"], found["high_bytes"])

    return bounds


QUANTITIES = (
    Quantity(key="allocated_bytes", bounds=reading("allocated"), term="allocated"),
    Quantity(key="active_bytes", bounds=reading("allocated"), term="allocated"),
    Quantity(key="reserved_bytes", bounds=reading("reserved"), term="reserved"),
    Quantity(key="driver_bytes", bounds=reading("driver"), term="driver"),
    Quantity(
        key="weights_bytes",
        bounds=terms("weights", "draft_model", "attention_workspace"),
        term="weights",
        floor=LOG_ROUNDING_BYTES,
    ),
    Quantity(
        key="activations_bytes",
        bounds=terms("activations", "encoder"),
        term="activations",
        floor=LOG_ROUNDING_BYTES,
    ),
    Quantity(
        key="non_torch_bytes",
        bounds=terms("communication"),
        term="communication",
        floor=LOG_ROUNDING_BYTES,
    ),
    Quantity(
        key="cuda_graphs_bytes",
        bounds=terms("cuda_graphs"),
        term="cuda_graphs",
        floor=LOG_ROUNDING_BYTES,
    ),
    Quantity(
        key="init_used_bytes", bounds=terms("runtime"), term="runtime", floor=LOG_ROUNDING_BYTES
    ),
    Quantity(key="kv_cache_capacity_bytes", bounds=capacity, floor=LOG_ROUNDING_BYTES),
    Quantity(key="kv_cache_capacity_tokens", bounds=limit("kv_cache_capacity_tokens")),
    Quantity(key="max_concurrency", bounds=limit("max_concurrency_exact")),
    Quantity(key="max_context_tokens", bounds=limit("max_context_tokens")),
    Quantity(key="kv_bytes_per_token", bounds=limit("kv_bytes_per_token")),
    Quantity(
        key="kv_needed_bytes",
        bounds=terms("kv_cache", "recurrent_state"),
        floor=LOG_ROUNDING_BYTES,
    ),
    Quantity(key="model_buffer_bytes", bounds=terms("weights"), term="weights"),
    Quantity(key="kv_buffer_bytes", bounds=terms("kv_cache"), term="kv_cache"),
    Quantity(key="recurrent_state_bytes", bounds=terms("recurrent_state"), term="recurrent_state"),
    Quantity(key="compute_buffer_bytes", bounds=terms("activations"), term="activations"),
    Quantity(key="total_used_bytes", bounds=whole, floor=LOG_ROUNDING_BYTES),
)
"""One line for each key; `oom` is judged in `scoring.py`."""
