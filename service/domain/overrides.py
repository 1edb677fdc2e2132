"""Terms that the caller has measured: they stand in place of the formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Bytes as the caller states them, with their range."""

    low: int
    expected: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Bytes of a term on every rank; `kv_cache` is bytes of one token on a rank."""

    weights: Stated | None = None
    activations: Stated | None = None
    cuda_graphs: Stated | None = None
    communication: Stated | None = None
    runtime: Stated | None = None
    kv_cache: Stated | None = None

    def of(self, term: str) -> Stated | None:
        """What is stated of a term; None where its formula holds."""
        return getattr(self, term) if term in OVERRIDABLE else None

    @property
    def stated(self) -> tuple[str, ...]:
        """Terms that are stated."""
        return tuple(term for term in OVERRIDABLE if self.of(term) is not None)


NO_OVERRIDES = Overrides()
OVERRIDABLE: Mapping[str, str] = {
    "weights": "weights_bytes",
    "activations": "activations_bytes",
    "cuda_graphs": "cuda_graphs_bytes",
    "communication": "communication_bytes",
    "runtime": "runtime_bytes",
    "kv_cache": "kv_bytes_per_token",
}
"""Terms by the name of the field that states them."""
