"""The bill of tensors: every weight of a model with its kind, its shape and how ranks share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from service.domain.units import ceil_div

Kind = Literal[
    "embedding",
    "position",
    "lm_head",
    "attention",
    "mlp",
    "expert",
    "shared_expert",
    "router",
    "norm",
    "bias",
    "convolution",
    "state_space",
    "encoder",
    "projector",
    "draft",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

Cut = Literal["none", "rows", "columns", "heads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One weight of shape rows × columns (output × input features), `count` times in its place.

    cut     how tensor parallelism divides it: not at all, by rows, by columns, or by `heads`
            equal groups of rows, of which every rank holds at least one whole group
    linear  whether a layer multiplies by it, so that a quantization may pack it
    """

    name: str
    kind: Kind
    rows: int
    columns: int = 1
    count: int = 1
    cut: Cut = "none"
    heads: int = 0
    linear: bool = False

    @property
    def elements(self) -> int:
        """Number of values in all copies."""
        return self.rows * self.columns * self.count

    def sharded(self, tensor_parallel: int, expert_parallel: int = 1) -> Tensor:
        """The part that the fullest rank of a tensor × expert parallel group holds."""
        shards, count = tensor_parallel, self.count
        if self.kind == "expert" and expert_parallel > 1:
            count = ceil_div(count, expert_parallel)
            shards = max(1, tensor_parallel // expert_parallel)
        if shards == 1 or self.cut == "none":
            return self if count == self.count else replace(self, count=count)
        if self.cut == "columns":
            return replace(self, count=count, columns=ceil_div(self.columns, shards))
        groups = self.heads if self.cut == "heads" else self.rows
        rows = ceil_div(groups, shards) * (self.rows // groups)
        return replace(self, count=count, rows=rows)


Tensors = tuple[Tensor, ...]


def elements(tensors: Tensors) -> int:
    """Number of values in a bill."""
    return sum(tensor.elements for tensor in tensors)


def matrix(  # ruff: ignore[too-many-arguments] - a matrix is what these say
    name: str,
    kind: Kind,
    rows: int,
    columns: int,
    *,
    cut: Cut = "none",
    heads: int = 0,
    count: int = 1,
) -> Tensor:
    """A linear layer's weight of `rows` outputs and `columns` inputs."""
    return Tensor(
        name=name,
        kind=kind,
        rows=rows,
        columns=columns,
        cut=cut,
        heads=heads,
        count=count,
        linear=True,
    )


def vector(
    name: str, kind: Kind, size: int, *, cut: Cut = "none", heads: int = 0, count: int = 1
) -> Tensor:
    """A bias, a norm's weight or another vector of `size` values."""
    return Tensor(name=name, kind=kind, rows=size, cut=cut, heads=heads, count=count)


def norm(name: str, size: int, *, bias: bool = False, weight: bool = True) -> Tensors:
    """A normalisation over `size` features: a weight, with `bias` a bias too."""
    parts = ((f"{name}.weight", weight), (f"{name}.bias", bias))
    return tuple(vector(part, "norm", size) for part, present in parts if present)
