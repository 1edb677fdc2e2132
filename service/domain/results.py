"""What the domain answers: terms, estimates, options and plans, as plain nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from service.domain.architecture import Architecture

Provenance = Literal["exact", "derived", "calibrated", "assumed", "measured by the caller"]
Verdict = Literal["fits", "tight", "does-not-fit"]
Side = Literal["inside", "cache", "beside", "before"]
Value = int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Bytes with the range that holds nine of ten readings."""

    low: int
    expected: int
    high: int

    @staticmethod
    def exactly(value: int) -> Amount:
        """An amount without doubt."""
        return Amount(low=value, expected=value, high=value)

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            low=self.low + other.low,
            expected=self.expected + other.expected,
            high=self.high + other.high,
        )


NOTHING = Amount(low=0, expected=0, high=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One part of the memory on a card, with its formula, this request's numbers and the source.

    side  where the engine counts it: inside the share of the card that it takes, in the pool of
          the cache, on top of its share, or before it measures what is free
    """

    name: str
    amount: Amount
    formula: str
    values: Mapping[str, Value]
    provenance: Provenance
    source: str
    side: Side = "inside"

    @property
    def in_budget(self) -> bool:
        """Whether the engine counts it inside the share of the card that it takes."""
        return self.side in {"inside", "cache"}


def total(terms: tuple[Term, ...]) -> Amount:
    """Sum of terms."""
    return sum((term.amount for term in terms), NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerCard:
    """The fullest card: its terms, its pipeline stage and, in training, the phase of the peak."""

    terms: tuple[Term, ...]
    stage: int = 0
    phase: str | None = None

    @property
    def amount(self) -> Amount:
        """All terms together."""
        return total(self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A number that the service assumed instead of being told."""

    field: str
    value: Value | bool | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something that the caller should know about an answer."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a card offers: its total and the part that the judged terms may fill."""

    gpu: str | None
    memory_bytes: int
    budget_bytes: int
    policy: str
    memory_utilization: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the space for the cache holds, on the tightest rank.

    kv_cache_capacity_bytes   the pool at the caller's risk; low and high where all terms are so
    kv_cache_capacity_tokens  as this version of the engine prints them
    kv_fixed_bytes, kv_bytes_per_token   a and b of what a sequence of T tokens takes: a + b·T
    max_concurrency           sequences of the context's length; `exact` as engines print it
    max_context_tokens        the longest context at which the wanted concurrency still fits
    """

    kv_cache_capacity_bytes: int
    kv_cache_capacity_low_bytes: int
    kv_cache_capacity_high_bytes: int
    kv_cache_capacity_tokens: int
    kv_cache_capacity_blocks: int
    kv_block_bytes: int
    kv_fixed_bytes: int
    kv_bytes_per_token: int
    max_concurrency: int
    max_concurrency_exact: float
    max_context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLimits:
    """How far a training run can grow on its cards, one setting at a time."""

    max_micro_batch_size: int
    max_sequence_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetup:
    """What a training plan chose."""

    method: str
    regime: str
    optimizer: str
    micro_batch_size: int
    gradient_accumulation: int
    sequence_tokens: int
    activation_checkpointing: str
    sharding: str
    offload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What tools show while training: allocated, reserved and the driver's used bytes."""

    allocated: Amount
    reserved: Amount
    driver: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model and where its shape came from."""

    architecture: Architecture
    source: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Whether a need fits a budget, and the bytes left at the caller's risk (negative: missing)."""

    verdict: Verdict
    headroom_bytes: int

    @property
    def fits(self) -> bool:
        """Whether it may be run."""
        return self.verdict != "does-not-fit"


Start = Literal["starts", "starts-short", "refuses-to-start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the engine does: it starts; starts but holds fewer sequences than wanted; or refuses.

    obstacle  the term that stands in the way
    """

    start: Start
    obstacle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Memory of one placement; `host_bytes` is what one card's rank keeps in host memory."""

    model: ModelFacts
    precision: str
    quantization: str
    workload_kind: str
    per_card: PerCard
    total_bytes: int
    cards: int
    card: Budget | None
    judgement: Verdicts | None
    limits: Limits | TrainingLimits | None
    readings: Readings | None
    phases: tuple[PerCard, ...]
    assumptions: tuple[Note, ...]
    warnings: tuple[Caution, ...]
    outcome: Outcome | None = None
    host_bytes: int = 0
