"""State space models: a fixed state a sequence instead of a cache, after Mamba 1 and 2."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.caches import CacheRow, StateRow, convolution_state
from service.domain.tensors import Tensors, matrix, norm, vector
from service.domain.units import ceil_div


class WithoutCache:
    """A mixer whose memory of a sequence does not grow: it keeps nothing of single tokens."""

    __slots__ = ()

    def cache_rows(self, tensor_parallel: int = 1) -> tuple[CacheRow, ...]:
        """No rows on any rank."""
        del tensor_parallel
        return ()


def depthwise(channels: int, kernel: int, *, bias: bool, heads: int = 0) -> Tensors:
    """A causal convolution of each channel apart, cut by channels or by `heads` groups of them."""
    groups = heads or channels
    weight = vector("conv1d", "convolution", channels * kernel, cut="heads", heads=groups)
    shift = vector("conv1d.bias", "bias", channels, cut="heads", heads=groups)
    return (weight, shift) if bias else (weight,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveStateSpace(WithoutCache):
    """Mamba 1: every inner channel carries `state_size` values; step, input and output are learned.

    heads        groups of channels with their own step projections (Zamba), 1 in Mamba
    inner_norms  whether step, input and output are normalised (Jamba)
    state_bits   width of the state where the model fixes it
    """

    hidden_size: int
    inner_size: int
    state_size: int
    step_rank: int
    kernel: int
    heads: int = 1
    bias: bool = False
    convolution_bias: bool = True
    inner_norms: bool = False
    state_bits: int | None = None

    @property
    def query_width(self) -> int:
        """Inner channels of one token."""
        return self.inner_size

    @property
    def kv_width(self) -> int:
        """No keys, no values."""
        return 0

    @property
    def shard_limit(self) -> int:
        """Channels that tensor parallelism has to divide."""
        return self.inner_size

    @property
    def kept_width(self) -> int:
        """Values that operators hand on for each token: both halves, convolution, step, scan."""
        return 5 * self.inner_size + self.heads * (self.step_rank + 2 * self.state_size)

    def tensors(self) -> Tensors:
        """Weights of the layer; each rank holds its channels of every matrix."""
        inner, hidden, states = self.inner_size, self.hidden_size, self.state_size
        return (
            matrix("in_proj", "state_space", 2 * inner, hidden, cut="rows"),
            *depthwise(inner, self.kernel, bias=self.convolution_bias),
            matrix("x_proj", "state_space", self.step_rank + 2 * states, inner, cut="columns"),
            matrix("dt_proj", "state_space", inner, self.step_rank, cut="rows"),
            vector("dt_proj.bias", "bias", inner, cut="rows"),
            vector("A_log", "state_space", inner * states, cut="heads", heads=inner),
            vector("D", "state_space", inner, cut="rows"),
            matrix("out_proj", "state_space", hidden, inner, cut="columns"),
            *self._biases(),
            *self._norms(),
        )

    def _biases(self) -> Tensors:
        if not self.bias:
            return ()
        return (
            vector("in_proj.bias", "bias", 2 * self.inner_size, cut="rows"),
            vector("out_proj.bias", "bias", self.hidden_size),
        )

    def _norms(self) -> Tensors:
        if not self.inner_norms:
            return ()
        step = norm("dt_layernorm", self.step_rank)
        return (
            *step,
            *norm("b_layernorm", self.state_size),
            *norm("c_layernorm", self.state_size),
        )

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Last inputs of the convolution and the state of every channel on one rank.

        Source: vLLM 0.33 `mamba_utils.py`, mamba1_state_shape.

        >>> SelectiveStateSpace(hidden_size=2560, inner_size=5120, state_size=16, step_rank=160,
        ...     kernel=4).state_rows()[1].elements
        81920
        """
        channels = ceil_div(self.inner_size, tensor_parallel)
        state = StateRow(
            kind="recurrent", elements=channels * self.state_size, bits=self.state_bits
        )
        return (*convolution_state(channels, self.kernel), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedStateSpace(WithoutCache):
    """Mamba 2: heads of `head_dim` channels, whose inputs and outputs `groups` of heads share.

    gated_norm  whether the output is normalised behind its gate
    state_bits  width of the state where the model fixes it
    """

    hidden_size: int
    heads: int
    head_dim: int
    groups: int
    state_size: int
    kernel: int
    bias: bool = False
    output_bias: bool = False
    convolution_bias: bool = True
    gated_norm: bool = True
    state_bits: int | None = None

    @property
    def inner_size(self) -> int:
        """Channels of all heads."""
        return self.heads * self.head_dim

    @property
    def shared_size(self) -> int:
        """Values of the inputs, or of the outputs, of all groups."""
        return self.groups * self.state_size

    @property
    def query_width(self) -> int:
        """Inner channels of one token."""
        return self.inner_size

    @property
    def kv_width(self) -> int:
        """No keys, no values."""
        return 0

    @property
    def shard_limit(self) -> int:
        """Heads that tensor parallelism has to divide."""
        return self.heads

    @property
    def kept_width(self) -> int:
        """Values that operators hand on for each token: projection, convolution, scan, gated."""
        return 5 * self.inner_size + 4 * self.shared_size + self.heads

    def tensors(self) -> Tensors:
        """Weights of the layer; a rank holds whole heads, and every group that one of them uses."""
        inner, heads = self.inner_size, self.heads
        return (
            *self._projections(),
            *depthwise(inner, self.kernel, bias=self.convolution_bias, heads=heads),
            *self._shared_convolution(),
            *(vector(name, "state_space", heads, cut="rows") for name in ("dt_bias", "A_log", "D")),
            *self._norm(),
        )

    def _projections(self) -> Tensors:
        hidden, heads, inner, shared = (
            self.hidden_size, self.heads, self.inner_size, self.shared_size,
        )  # fmt: skip
        rows = (("z", inner, heads), ("x", inner, heads), ("b", shared, self.groups),
                ("c", shared, self.groups), ("dt", heads, heads))  # fmt: skip
        inputs = tuple(
            matrix(f"in_proj_{name}", "state_space", size, hidden, cut="heads", heads=units)
            for name, size, units in rows
        )
        biases = tuple(
            vector(f"in_proj_{name}.bias", "bias", size, cut="heads", heads=units)
            for name, size, units in rows
            if self.bias
        )
        output = matrix("out_proj", "state_space", hidden, inner, cut="columns")
        shift = (vector("out_proj.bias", "bias", hidden),) if self.output_bias else ()
        return (*inputs, *biases, output, *shift)

    def _shared_convolution(self) -> Tensors:
        part = depthwise(
            self.shared_size, self.kernel, bias=self.convolution_bias, heads=self.groups
        )
        return (*part, *part)

    def _norm(self) -> Tensors:
        if not self.gated_norm:
            return ()
        return (vector("norm.weight", "norm", self.inner_size, cut="heads", heads=self.heads),)

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Last inputs of the convolution and the state of every head on one rank.

        Source: vLLM 0.33 `mamba_utils.py`, mamba2_state_shape: groups are repeated where there
        are fewer than ranks.

        >>> GroupedStateSpace(hidden_size=4096, heads=128, head_dim=64, groups=8, state_size=128,
        ...     kernel=4).state_rows(2)[1].elements
        524288
        """
        heads = ceil_div(self.heads, tensor_parallel)
        groups = ceil_div(self.groups, tensor_parallel)
        channels = heads * self.head_dim + 2 * groups * self.state_size
        size = heads * self.head_dim * self.state_size
        state = StateRow(kind="recurrent", elements=size, bits=self.state_bits)
        return (*convolution_state(channels, self.kernel), state)
