"""The questions: what is placed where, to be served or to be trained, with nothing left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from service.domain.architecture import Architecture, LayerKind, Stage
from service.domain.engine import CachePrecision, Engine
from service.domain.framework import Framework, FrameworkProfile
from service.domain.optimizer import Optimizer
from service.domain.overrides import NO_OVERRIDES, Overrides
from service.domain.precision import Precision, Quantization
from service.domain.profiles import Profile
from service.domain.tensors import Tensors
from service.domain.units import ceil_div

P = TypeVar("P", bound=Profile)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """How ranks share a model: tensor × pipeline × context ranks a replica, `data` replicas.

    expert         ranks over which the experts are spread; in training they lie inside the others
    expert_tensor  ranks that cut one expert in training, 0 for as many as `tensor`
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: int = 1
    context: int = 1
    expert_tensor: int = 0

    @property
    def ranks(self) -> int:
        """Cards of one replica."""
        return self.tensor * self.pipeline * self.context

    @property
    def cards(self) -> int:
        """Cards of all replicas."""
        return self.ranks * self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A model at a precision and a quantization, split over ranks; terms that were measured."""

    model: Architecture
    precision: Precision
    quantization: Quantization
    split: Split
    overrides: Overrides = NO_OVERRIDES


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSlots:
    """Adapters that a server keeps loaded beside the model."""

    count: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    """What drafts tokens for the model to check: its weights as released, and its layers.

    tensors       weights that it does not share with the model
    layer_kinds, layer_order   blocks, whose keys and values stand in the same pool
    tokens        tokens that it drafts for one step
    """

    name: str
    tensors: Tensors
    layer_kinds: tuple[LayerKind, ...]
    layer_order: tuple[int, ...]
    quantization: Quantization
    precision: Precision
    tokens: int


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
    flash_attention: bool = True
    adapters: LoraSlots | None = None
    draft: Draft | None = None
    large_links: bool = False
    kernels: tuple[str, ...] = ()

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
    """Low-rank adapters that are trained in place of the weights.

    dora           a learned magnitude for every output of an adapted matrix
    fp32_residual  the model was prepared for k-bit training: its tables and norms are fp32, and so
                   is what runs between the blocks
    """

    rank: int
    targets: tuple[str, ...]
    precision: Precision
    dora: bool = False
    fp32_residual: bool = False


Role = Literal["reference", "critic", "reward", "teacher", "rollout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A model on the same cards: frozen, trained too (a critic), or served to generate (a rollout).

    sleeps  the rollout engine frees its memory while the others train
    """

    role: Role
    model: Architecture
    precision: Precision
    quantization: Quantization
    offload: str = "none"
    sleeps: bool = False
    serving: Serving | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun(Placement):
    """Training a model: one micro-batch of `micro_batch_size` × `sequence_tokens` a rank.

    shard_ranks        ranks that share states where copies of the group exist, 0 for all
    in_flight          chunks of a stage that wait for their backward, in `virtual_stages` a stage
    optimizer_in_backward  each parameter steps as soon as its gradient is there
    """

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
    offload: str = "none"
    compiled: bool = False
    padding_free: bool = False
    pipeline_schedule: str = "1f1b"
    virtual_stages: int = 1
    shard_ranks: int = 0
    in_flight: int = 1
    optimizer_in_backward: bool = False
    companions: tuple[Companion, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of a micro-batch whose activations one rank keeps.

        Context parallelism cuts the sequence; tensor parallelism cuts tokens between the matrices
        (sequence parallelism) and features inside them, so each rank keeps its share of both.
        Source: Korthikanti et al. 2022 (arXiv 2205.05198, table 2, tensor + sequence parallel).
        """
        cut = self.split.context * self.split.tensor
        return ceil_div(self.micro_batch_size * self.sequence_tokens, cut)

    @property
    def shards(self) -> int:
        """Ranks over which sharded states are divided: all data and context ranks, or a group."""
        if self.sharding in {"none", "ddp"}:
            return 1
        return self.shard_ranks or self.split.data * self.split.context
