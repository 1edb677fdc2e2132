"""Linear attention: keys and values folded into one matrix a head instead of a growing cache."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.caches import StateRow, convolution_state
from service.domain.mixers.state_space import WithoutCache, depthwise
from service.domain.tensors import Tensor, Tensors, matrix, norm, vector
from service.domain.units import ceil_div

FULL_STATE_BITS = 32


def _by_head(name: str, rows: int, columns: int, heads: int) -> Tensor:
    return matrix(name, "attention", rows, columns, cut="heads", heads=heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedDeltaNet(WithoutCache):
    """Gated delta rule: Qwen 3 Next, Qwen 3.5, OLMo Hybrid.

    state_bits  width of the state where the model fixes it
    """

    hidden_size: int
    key_heads: int
    value_heads: int
    key_head_dim: int
    value_head_dim: int
    kernel: int
    state_bits: int | None = None

    @property
    def heads(self) -> int:
        """Heads of values, each with its own state."""
        return self.value_heads

    @property
    def key_width(self) -> int:
        """Elements of all keys of one token; queries have as many."""
        return self.key_heads * self.key_head_dim

    @property
    def query_width(self) -> int:
        """Elements of all values of one token, as wide as the layer's output."""
        return self.value_heads * self.value_head_dim

    @property
    def kv_width(self) -> int:
        """Elements of all keys of one token."""
        return self.key_width

    @property
    def shard_limit(self) -> int:
        """Heads that tensor parallelism has to divide."""
        return self.key_heads

    @property
    def kept_width(self) -> int:
        """Values that operators hand on for each token: projections, convolution, norms, gate."""
        return 6 * self.key_width + 5 * self.query_width + 2 * self.value_heads

    def tensors(self) -> Tensors:
        """Weights of the layer; a rank holds whole heads."""
        hidden, keys, values = self.hidden_size, self.key_width, self.query_width
        few, many = self.key_heads, self.value_heads
        return (
            _by_head("in_proj_q", keys, hidden, few),
            _by_head("in_proj_k", keys, hidden, few),
            _by_head("in_proj_v", values, hidden, many),
            _by_head("in_proj_z", values, hidden, many),
            matrix("in_proj_b", "state_space", many, hidden, cut="rows"),
            matrix("in_proj_a", "state_space", many, hidden, cut="rows"),
            *depthwise(2 * keys, self.kernel, bias=False, heads=few),
            *depthwise(values, self.kernel, bias=False, heads=many),
            vector("dt_bias", "state_space", many, cut="rows"),
            vector("A_log", "state_space", many, cut="rows"),
            *norm("norm", self.value_head_dim),
            matrix("out_proj", "attention", hidden, values, cut="columns"),
        )

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Last inputs of the convolution and one matrix a value head on one rank.

        Source: vLLM 0.33 `mamba_utils.py`, gated_delta_net_state_shape.

        >>> GatedDeltaNet(hidden_size=4096, key_heads=16, value_heads=64, key_head_dim=128,
        ...     value_head_dim=128, kernel=4).state_rows(2)[1].elements
        524288
        """
        keys, values = (ceil_div(n, tensor_parallel) for n in (self.key_heads, self.value_heads))
        channels = 2 * keys * self.key_head_dim + values * self.value_head_dim
        size = values * self.value_head_dim * self.key_head_dim
        state = StateRow(kind="recurrent", elements=size, bits=self.state_bits)
        return (*convolution_state(channels, self.kernel), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaAttention(WithoutCache):
    """Kimi delta attention: the gated delta rule with a decay for every channel.

    full_gate  whether the output gate is one full matrix instead of two of rank `head_dim`
    """

    hidden_size: int
    heads: int
    head_dim: int
    kernel: int
    full_gate: bool = False

    @property
    def query_width(self) -> int:
        """Elements of all query heads of one token; keys and values have as many."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Elements of all keys of one token."""
        return self.query_width

    @property
    def shard_limit(self) -> int:
        """Heads that tensor parallelism has to divide."""
        return self.heads

    @property
    def kept_width(self) -> int:
        """Values that operators hand on for each token: projections, convolution, decay, gate."""
        return 12 * self.query_width + 2 * self.head_dim + self.heads

    def tensors(self) -> Tensors:
        """Weights of the layer; a rank holds whole heads, and the low-rank inputs whole."""
        hidden, width, heads = self.hidden_size, self.query_width, self.heads
        return (
            *(_by_head(name, width, hidden, heads) for name in ("q_proj", "k_proj", "v_proj")),
            *depthwise(3 * width, self.kernel, bias=False, heads=heads),
            matrix("f_a_proj", "attention", self.head_dim, hidden),
            _by_head("f_b_proj", width, self.head_dim, heads),
            vector("dt_bias", "state_space", width, cut="heads", heads=heads),
            vector("A_log", "state_space", heads, cut="rows"),
            matrix("b_proj", "state_space", heads, hidden, cut="rows"),
            *self._gate(),
            *norm("o_norm", self.head_dim),
            matrix("o_proj", "attention", hidden, width, cut="columns"),
        )

    def _gate(self) -> Tensors:
        width, hidden = self.query_width, self.hidden_size
        if self.full_gate:
            return (_by_head("g_proj", width, hidden, self.heads),)
        return (
            matrix("g_a_proj", "attention", self.head_dim, hidden),
            _by_head("g_b_proj", width, self.head_dim, self.heads),
        )

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Last inputs of the convolution, and one fp32 matrix a head on one rank.

        Source: vLLM 0.33 `mamba_utils.py`, kda_state_shape and kda_state_dtype.

        >>> DeltaAttention(hidden_size=2304, heads=32, head_dim=128, kernel=4
        ...     ).state_rows()[1].elements
        524288
        """
        heads = ceil_div(self.heads, tensor_parallel)
        size = heads * self.head_dim * self.head_dim
        state = StateRow(kind="recurrent", elements=size, bits=FULL_STATE_BITS)
        return (*convolution_state(3 * heads * self.head_dim, self.kernel), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class LightningAttention(WithoutCache):
    """Lightning attention: fixed decays, a norm and a gate on the output. MiniMax 01 and M1."""

    hidden_size: int
    heads: int
    head_dim: int

    @property
    def query_width(self) -> int:
        """Elements of all query heads of one token."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Elements of all keys of one token."""
        return self.query_width

    @property
    def shard_limit(self) -> int:
        """Heads that tensor parallelism has to divide."""
        return self.heads

    @property
    def kept_width(self) -> int:
        """Values that operators hand on for each token: three inputs activated, output, gate."""
        return 10 * self.query_width

    def tensors(self) -> Tensors:
        """Weights of the layer; a rank holds whole heads."""
        hidden, width, heads = self.hidden_size, self.query_width, self.heads
        return (
            *(_by_head(name, width, hidden, heads) for name in ("q_proj", "k_proj", "v_proj")),
            _by_head("output_gate", width, hidden, heads),
            vector("norm.weight", "norm", width, cut="heads", heads=heads),
            matrix("out_proj", "attention", hidden, width, cut="columns"),
        )

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """One matrix a head on one rank.

        Source: vLLM 0.33 `mamba_utils.py`, linear_attention_state_shape.

        >>> LightningAttention(hidden_size=6144, heads=64, head_dim=128).state_rows()[0].elements
        1048576
        """
        heads = ceil_div(self.heads, tensor_parallel)
        return (StateRow(kind="recurrent", elements=heads * self.head_dim * self.head_dim),)
