"""How sure: what published measurements of the same engine say of this service's numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.accuracy import Score
from service.presentation.page.numbers import percent

ENOUGH = 5
TOLD = 4
VALUES = {
    "activations_bytes": "activations",
    "active_bytes": "active bytes of torch",
    "allocated_bytes": "allocated bytes of torch",
    "compute_buffer_bytes": "compute buffer",
    "cuda_graphs_bytes": "CUDA graphs",
    "driver_bytes": "what nvidia-smi shows",
    "kv_buffer_bytes": "KV cache",
    "kv_bytes_per_token": "cache of one token",
    "kv_cache_capacity_bytes": "room for the cache",
    "kv_cache_capacity_tokens": "tokens that the cache holds",
    "kv_needed_bytes": "cache of a request",
    "max_concurrency": "users at once",
    "model_buffer_bytes": "weights",
    "non_torch_bytes": "communication and context",
    "recurrent_state_bytes": "recurrent state",
    "reserved_bytes": "reserved bytes of torch",
    "total_used_bytes": "all memory in use",
    "weights_bytes": "weights",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One value that others measured, and how far off this service is."""

    value: str
    runs: str
    readings: int
    median: str
    nine_of_ten: str
    covered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """All that is known of an engine.

    like  whether the runs are of the same kind, and not only of the same sort of work
    told  the values with most readings, in words
    """

    name: str
    like: bool
    told: tuple[str, ...]
    rows: tuple[ScoreRow, ...]


def score_row(score: Score) -> ScoreRow:
    """One row."""
    return ScoreRow(
        value=VALUES.get(score.value, score.value.replace("_", " ")),
        runs=score.group,
        readings=score.count,
        median=percent(score.median),
        nine_of_ten=percent(score.nine_of_ten),
        covered="" if score.covered is None else percent(score.covered),
    )


def confidence(scores: Iterable[Score], engine: str, name: str, words: set[str]) -> Confidence:
    """What is known of an engine; of training that of the framework and method, if anything is."""
    own = [one for one in scores if one.engine == engine]
    close = [one for one in own if words <= set(one.group.split(", "))]
    chosen = sorted(close or own, key=lambda one: -one.count)
    told = [one for one in chosen if one.count >= ENOUGH][:TOLD]
    return Confidence(
        name=name,
        like=bool(close),
        told=tuple(told_score(one) for one in told),
        rows=tuple(score_row(one) for one in chosen),
    )


def told_score(score: Score) -> str:
    """One score in words."""
    value = VALUES.get(score.value, score.value.replace("_", " "))
    return f"{value} within {percent(score.nine_of_ten)} in nine of ten of {score.count} readings"
