"""Recurrences and convolutions with little state: the RG-LRU of Griffin, the mixer of LFM 2."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.caches import StateRow, convolution_state
from service.domain.mixers.state_space import WithoutCache, depthwise
from service.domain.tensors import Tensors, matrix, vector
from service.domain.units import ceil_div

STATE_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortConvolution(WithoutCache):
    """Two gates around a short causal convolution: LFM 2."""

    hidden_size: int
    kernel: int
    bias: bool = False
    heads: int = 1

    @property
    def query_width(self) -> int:
        """Channels of one token."""
        return self.hidden_size

    @property
    def kv_width(self) -> int:
        """No keys, no values."""
        return 0

    @property
    def shard_limit(self) -> int:
        """Channels that tensor parallelism has to divide."""
        return self.hidden_size

    @property
    def kept_width(self) -> int:
        """Values that operators hand on for each token: three inputs and three products."""
        return 6 * self.hidden_size

    def tensors(self) -> Tensors:
        """Weights of the layer; each rank holds its channels."""
        hidden = self.hidden_size
        biases = (
            vector("in_proj.bias", "bias", 3 * hidden, cut="rows"),
            vector("out_proj.bias", "bias", hidden),
        )
        return (
            matrix("in_proj", "attention", 3 * hidden, hidden, cut="rows"),
            *depthwise(hidden, self.kernel, bias=self.bias),
            matrix("out_proj", "attention", hidden, hidden, cut="columns"),
            *(biases if self.bias else ()),
        )

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Last inputs of the convolution on one rank.

        Source: vLLM 0.33 `mamba_utils.py`, short_conv_state_shape.

        >>> ShortConvolution(hidden_size=2048, kernel=3).state_rows()[0].elements
        4096
        """
        return convolution_state(ceil_div(self.hidden_size, tensor_parallel), self.kernel)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedRecurrence(WithoutCache):
    """Real-gated linear recurrent unit behind a convolution: Griffin, RecurrentGemma."""

    hidden_size: int
    width: int
    heads: int
    kernel: int

    @property
    def query_width(self) -> int:
        """Channels of one token."""
        return self.width

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
        """Values that operators hand on for each token: two branches, two gates, scan, product."""
        return 8 * self.width

    def tensors(self) -> Tensors:
        """Weights of the layer; the gates are one square matrix a head."""
        hidden, width, heads = self.hidden_size, self.width, self.heads
        block = width // heads
        return (
            matrix("linear_y", "state_space", width, hidden, cut="heads", heads=heads),
            matrix("linear_x", "state_space", width, hidden, cut="heads", heads=heads),
            matrix("linear_out", "state_space", hidden, width, cut="columns"),
            *depthwise(width, self.kernel, bias=True, heads=heads),
            *(vector(f"{name}.bias", "bias", width, cut="heads", heads=heads)
              for name in ("linear_y", "linear_x", "input_gate", "recurrent_gate")),
            vector("linear_out.bias", "bias", hidden),
            *(vector(f"{name}_weight", "state_space", width * block, cut="heads", heads=heads)
              for name in ("input_gate", "recurrent_gate")),
            vector("recurrent_param", "state_space", width, cut="heads", heads=heads),
        )  # fmt: skip

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Last inputs of the convolution and one value a channel, always in fp32.

        Source: transformers 5.23.0 `modeling_recurrent_gemma.py`: _rnn_scan computes in fp32, and
        the convolution's state holds kernel - 1 inputs, unlike that of other families.
        """
        channels = ceil_div(self.heads, tensor_parallel) * (self.width // self.heads)
        inputs = StateRow(kind="convolution", elements=channels * (self.kernel - 1))
        return (inputs, StateRow(kind="recurrent", elements=channels, bits=STATE_BITS))
