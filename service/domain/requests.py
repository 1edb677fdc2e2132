"""What a caller asks for: names already looked up, and None where nothing was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.domain.costs import CostRules
from service.domain.engine import CachePrecision, Engine
from service.domain.framework import Framework
from service.domain.hardware import Gpu
from service.domain.nodes import Node, Shape
from service.domain.optimizer import Optimizer
from service.domain.overrides import NO_OVERRIDES, Overrides
from service.domain.physics import Efficiency, Physics
from service.domain.precision import Precision, Quantization
from service.domain.questions import LoraSlots, Role, Split
from service.domain.results import ModelFacts

Risk = Literal["high", "expected"]
Objective = Literal[
    "fewest-cards", "lowest-cost", "lowest-power", "highest-quality", "least-memory"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """All data in use, by id: what defaults and choices are drawn from."""

    gpus: Mapping[str, Gpu]
    precisions: Mapping[str, Precision]
    quantizations: Mapping[str, Quantization]
    caches: Mapping[str, CachePrecision]
    engines: Mapping[str, Engine]
    optimizers: Mapping[str, Optimizer]
    frameworks: Mapping[str, Framework]
    physics: Physics
    costs: CostRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingWish:
    """An inference workload as the caller stated it."""

    engine: Engine
    engine_version: str | None = None
    context_tokens: int | None = None
    concurrency: int | None = None
    cache: CachePrecision | None = None
    max_sequences: int | None = None
    max_batched_tokens: int | None = None
    memory_utilization: float | None = None
    cuda_graphs: bool | None = None
    flash_attention: bool | None = None
    adapters: LoraSlots | None = None
    draft: ModelFacts | Literal["mtp"] | None = None
    allow_context_beyond_limit: bool = False
    overrides: Overrides = NO_OVERRIDES


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraWish:
    """LoRA settings as the caller stated them."""

    rank: int | None = None
    targets: tuple[str, ...] | None = None
    precision: Precision | None = None
    dora: bool | None = None
    fp32_residual: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionWish:
    """A further model on the training cards as the caller stated it; None means the trained one."""

    role: Role
    model: ModelFacts | None = None
    precision: Precision | None = None
    quantization: Quantization | None = None
    offload: str = "none"
    engine: Engine | None = None
    context_tokens: int | None = None
    concurrency: int | None = None
    tensor: int | None = None
    sleeps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWish:
    """A training workload as the caller stated it."""

    method: str | None = None
    framework: Framework | None = None
    framework_version: str | None = None
    regime: str | None = None
    optimizer: Optimizer | None = None
    micro_batch_size: int | None = None
    global_batch_size: int | None = None
    sequence_tokens: int | None = None
    gradient_accumulation: int | None = None
    activation_checkpointing: str | None = None
    attention: str | None = None
    loss: str | None = None
    sharding: str | None = None
    shard_ranks: int | None = None
    offload: str | None = None
    compile: bool | None = None
    padding_free: bool | None = None
    optimizer_in_backward: bool | None = None
    pipeline_schedule: str | None = None
    virtual_stages: int | None = None
    lora: LoraWish | None = None
    companions: tuple[CompanionWish, ...] = ()
    allow_context_beyond_limit: bool = False


Wish = ServingWish | TrainingWish


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRequest:
    """Memory of one placement."""

    model: ModelFacts
    precision: Precision | None
    quantization: Quantization | None
    workload: Wish
    split: Split = field(default_factory=Split)
    gpu: Gpu | None = None
    memory_bytes: int | None = None
    risk: Risk = "high"

    @property
    def usable_bytes(self) -> int | None:
        """What applications can take of the card: as stated, else as the catalog plans."""
        return self.memory_bytes or (self.gpu.planning_bytes if self.gpu else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a plan may vary; None means everything that runs, and among caches the `auto` rule."""

    gpus: tuple[Gpu, ...] | None = None
    quantizations: tuple[Quantization, ...] | None = None
    caches: tuple[CachePrecision | None, ...] | None = None
    tensor_parallel: tuple[int, ...] | None = None
    pipeline_parallel: tuple[int, ...] | None = None
    expert_parallel: tuple[int, ...] | None = None
    methods: tuple[str, ...] | None = None
    activation_checkpointing: tuple[str, ...] | None = None
    sharding: tuple[str, ...] | None = None
    offload: tuple[str, ...] | None = None
    micro_batch_size: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """Bounds that every option has to keep."""

    max_cards: int | None = None
    max_cards_per_node: int | None = None
    max_nodes: int | None = None
    max_quality_loss: str | None = None
    min_headroom: float = 0.0
    max_hourly_usd: float | None = None
    max_power_watts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A row of an inventory: nodes by name with as many free cards of a kind on each."""

    gpu: Gpu
    names: tuple[str, ...]
    cards_per_node: int
    free_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Cards of one kind with at least as much free memory, on nodes of any size.

    nodes  those of an inventory by name; empty where as many are bought as wanted
    """

    gpu: Gpu
    shape: Shape
    nodes: tuple[Node, ...] = ()
    free_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWish:
    """Speed as the caller wants it; shares of the hardware's rates where the caller knows them."""

    tokens_per_second_per_user: float | None = None
    requests_per_second: float | None = None
    first_token_ms: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    efficiency: Efficiency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """The smallest combination that fits, out of the choices and within the limits.

    answer_only  without advice, which costs as much as several plans; for rows and cells
    """

    model: ModelFacts
    precision: Precision | None
    quantization: Quantization | None
    workload: Wish
    choices: Choices = field(default_factory=Choices)
    limits: PlanLimits = field(default_factory=PlanLimits)
    inventory: tuple[NodeRow, ...] = ()
    allow_mixed: bool = False
    objective: Objective = "fewest-cards"
    risk: Risk = "high"
    limit: int = 10
    explain: bool = False
    answer_only: bool = False
    targets: TargetWish | None = None
    repriced: Mapping[str, Gpu] = field(default_factory=dict)
    costs: CostRules | None = None
