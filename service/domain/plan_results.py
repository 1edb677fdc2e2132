"""What a plan answers: options, why smaller ones fail, and what would need fewer cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from service.domain.costs import Cost
from service.domain.hardware import Gpu
from service.domain.launches import Launch
from service.domain.nodes import MixedStage, Taken
from service.domain.physics import Throughput
from service.domain.results import (
    Budget,
    Caution,
    Limits,
    ModelFacts,
    Note,
    PerCard,
    TrainingLimits,
    TrainingSetup,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One combination that was judged; `short_by_bytes` is positive where it does not fit.

    starts  the command; of a training run one for each number of cards on a node
    """

    gpu: Gpu
    cards: int
    nodes: int
    cards_per_node: int
    tensor_parallel: int
    pipeline_parallel: int
    data_parallel: int
    expert_parallel: int
    precision: str
    quantization: str
    kv_cache_precision: str | None
    quality_rank: int
    quality_loss: str
    per_card: PerCard
    card: Budget
    headroom_bytes: int
    limits: Limits | TrainingLimits | None
    hourly_usd: Decimal | None
    power_watts: int | None
    starts: tuple[Launch, ...]
    sharding: str | None = None
    training: TrainingSetup | None = None
    host_bytes: int = 0
    short_by_bytes: int = 0
    throughput: Throughput | None = None
    cost: Cost | None = None
    placement: tuple[Taken, ...] = ()
    stages: tuple[MixedStage, ...] = ()

    @property
    def launch(self) -> str:
        """The commands, a line each."""
        return "\n".join(one.line for one in self.starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """Fewest cards of each of some alike kinds by quantization; None where no number does it."""

    gpus: tuple[str, ...]
    cards: Mapping[str, int | None]


Reason = Literal["memory", "unsupported", "indivisible", "limit", "inventory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why one smaller combination fails; `gpus` are further cards for which the same holds."""

    gpu: str
    cards: int
    quantization: str
    reason: Reason
    message: str
    term: str | None = None
    short_by_bytes: int = 0
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A single change that needs fewer cards, or any that fit, and what it costs.

    cards  how many are needed after it
    """

    change: str
    saves_cards: int
    costs: str
    cards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Fewest cards at one value; None where none does, or where the model ends before it."""

    value: int
    cards: int | None
    beyond_limit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Fewest of the recommended cards as one quantity grows and everything else stays."""

    context_tokens: tuple[Growth, ...]
    concurrency: tuple[Growth, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The smallest combination, what else would do, and why nothing smaller does."""

    model: ModelFacts
    workload_kind: str
    objective: str
    recommendation: Option | None
    alternatives: tuple[Option, ...]
    frontier: tuple[Option, ...]
    matrix: tuple[MatrixRow, ...]
    nearest_miss: Option | None
    rejected: tuple[Rejection, ...]
    advice: tuple[Advice, ...]
    assumptions: tuple[Note, ...]
    warnings: tuple[Caution, ...]
    sensitivity: Sensitivity | None = None
    evaluated: int = 0
    notes: tuple[str, ...] = field(default=())
