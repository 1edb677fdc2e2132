"""The questions: what is placed where, to be served or to be trained, with nothing left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from service.domain.architecture import Architecture, Stage
from service.domain.engine import CachePrecision, Engine
from service.domain.framework import Framework, FrameworkProfile
from service.domain.optimizer import Optimizer
from service.domain.precision import Precision, Quantization
from service.domain.profiles import Profile

P = TypeVar("P", bound=Profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How ranks share a model: tensor × pipeline ranks a replica, `data` replicas."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: int = 1

    @property
    def ranks(self) -> int:
        """Cards of one replica."""
        return self.tensor * self.pipeline

    @property
    def cards(self) -> int:
        """Cards of all replicas."""
        return self.ranks * self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A model at a precision and a quantization, split over ranks."""

    model: Architecture
    precision: Precision
    quantization: Quantization
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSlots:
    """Adapters that a server keeps loaded beside the model."""

    count: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving(Placement):
    """Running a model: `sequences` of `context_tokens` held at once by one replica."""

    engine: Engine
    profile: Profile
    context_tokens: int
    sequences: int
    cache: CachePrecision
    max_sequences: int
    max_batched_tokens: int
    memory_utilization: float
    cuda_graphs: bool = True
    adapters: LoraSlots | None = None

    def profile_as(self, kind: type[P]) -> P:
        """The engine's profile as the shape that its kind has.

        Raises: TypeError where the engine is of another kind.
        """
        if not isinstance(self.profile, kind):
            raise TypeError(f"{self.engine.id} has no {kind.__name__}")
        return self.profile

    def samples(self, stage: Stage) -> bool:
        """Whether the stage makes logits and samples: the last one of a model of tokens."""
        return stage.last and self.model.output == "tokens"

    @property
    def step_tokens(self) -> int:
        """Tokens of the largest step that the engine prepares for."""
        return min(self.max_batched_tokens, self.max_sequences * self.context_tokens)

    @property
    def step_sequences(self) -> int:
        """Sequences of the largest step that the engine prepares for."""
        return min(self.max_sequences, self.step_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank adapters that are trained in place of the weights."""

    rank: int
    targets: tuple[str, ...]
    precision: Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun(Placement):
    """Training a model: one micro-batch of `micro_batch_size` × `sequence_tokens` a rank."""

    method: str
    regime: str
    framework: Framework
    framework_profile: FrameworkProfile
    optimizer: Optimizer
    micro_batch_size: int
    sequence_tokens: int
    gradient_accumulation: int
    activation_checkpointing: str
    attention: str
    loss: str
    sharding: str
    lora: Lora | None = None

    @property
    def tokens(self) -> int:
        """Tokens of one micro-batch."""
        return self.micro_batch_size * self.sequence_tokens

    @property
    def shards(self) -> int:
        """Ranks over which sharded states are divided."""
        return 1 if self.sharding in {"none", "ddp"} else self.split.data
