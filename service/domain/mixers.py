"""Token mixers: what each kind weighs, what it caches for a token, and how ranks share both."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.tensors import Tensor, Tensors, matrix, norm, vector
from service.domain.units import ceil_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Multi-head, grouped-query or multi-query attention over the whole context.

    query_norm, key_norm  elements of the normalisation after the projection, 0 where there is none
    sinks                 one learned value a head that takes part in the softmax
    gate                  output features of a gate on the attention output, 0 where there is none
    """

    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    value_head_dim: int = 0
    query_bias: bool = False
    key_bias: bool = False
    value_bias: bool = False
    output_bias: bool = False
    query_norm: int = 0
    key_norm: int = 0
    norm_bias: bool = False
    sinks: bool = False
    gate: int = 0

    window_tokens: int | None = None

    @property
    def value_dim(self) -> int:
        """Elements of one value head."""
        return self.value_head_dim or self.head_dim

    @property
    def query_width(self) -> int:
        """Elements of all query heads of one token."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Elements of all key and value heads of one token, divided by two: keys or values."""
        return ceil_div(self.kv_heads * (self.head_dim + self.value_dim), 2)

    @property
    def shard_limit(self) -> int:
        """Heads that tensor parallelism has to divide."""
        return self.heads

    def tensors(self) -> Tensors:
        """Weights of the layer's attention."""
        return (*self._projections(), *self._biases(), *self._norms())

    def _projections(self) -> Tensors:
        hidden, value_width = self.hidden_size, self.kv_heads * self.value_dim
        output_in = self.heads * self.value_dim
        gate = (
            (matrix("gate_proj", "attention", self.gate, hidden, cut="rows"),) if self.gate else ()
        )
        return (
            matrix("q_proj", "attention", self.query_width, hidden, cut="heads", heads=self.heads),
            matrix(
                "k_proj",
                "attention",
                self.kv_heads * self.head_dim,
                hidden,
                cut="heads",
                heads=self.kv_heads,
            ),
            matrix("v_proj", "attention", value_width, hidden, cut="heads", heads=self.kv_heads),
            matrix("o_proj", "attention", hidden, output_in, cut="columns"),
            *gate,
        )

    def _biases(self) -> Tensors:
        rows: tuple[tuple[bool, Tensor], ...] = (
            (self.query_bias, self._head_bias("q_proj.bias", self.query_width, self.heads)),
            (
                self.key_bias,
                self._head_bias("k_proj.bias", self.kv_heads * self.head_dim, self.kv_heads),
            ),
            (
                self.value_bias,
                self._head_bias("v_proj.bias", self.kv_heads * self.value_dim, self.kv_heads),
            ),
            (self.output_bias, vector("o_proj.bias", "bias", self.hidden_size)),
            (self.sinks, vector("sinks", "bias", self.heads, cut="rows")),
        )
        return tuple(tensor for present, tensor in rows if present)

    @staticmethod
    def _head_bias(name: str, size: int, heads: int) -> Tensor:
        return vector(name, "bias", size, cut="heads", heads=heads)

    def _norms(self) -> Tensors:
        query = norm("q_norm", self.query_norm, bias=self.norm_bias) if self.query_norm else ()
        key = norm("k_norm", self.key_norm, bias=self.norm_bias) if self.key_norm else ()
        return (*query, *key)

    def cached_elements(self, tensor_parallel: int = 1) -> int:
        """Keys and values of one token on one of `tensor_parallel` ranks.

        >>> Attention(hidden_size=4096, heads=32, kv_heads=8, head_dim=128).cached_elements()
        2048
        """
        return ceil_div(self.kv_heads, tensor_parallel) * (self.head_dim + self.value_dim)

    def resident_tokens(self, context_tokens: int, batched_tokens: int) -> int:
        """Tokens of one sequence that stay in the cache."""
        del batched_tokens
        return context_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindowAttention(Attention):
    """Attention that looks back over a window only."""

    window_tokens: int

    def resident_tokens(self, context_tokens: int, batched_tokens: int) -> int:
        """Tokens kept: the window, and the tokens of the step that is being computed.

        Source: vLLM `v1/kv_cache_interface.py`, SlidingWindowSpec.max_memory_usage_bytes:
        min(window - 1 + max_num_batched_tokens, max_model_len).
        """
        return min(context_tokens, self.window_tokens - 1 + batched_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention: one compressed key-value row and one rotary key a token.

    query_rank  rank of the compressed query, 0 where queries are projected directly
    """

    hidden_size: int
    heads: int
    query_rank: int
    kv_rank: int
    nope_head_dim: int
    rope_head_dim: int
    value_head_dim: int
    bias: bool = False

    @property
    def window_tokens(self) -> int | None:
        """Latent attention looks back over everything."""
        return None

    @property
    def shard_limit(self) -> int:
        """Heads that tensor parallelism has to divide."""
        return self.heads

    @property
    def query_width(self) -> int:
        """Elements of all query heads of one token."""
        return self.heads * (self.nope_head_dim + self.rope_head_dim)

    @property
    def kv_width(self) -> int:
        """Elements of all expanded keys of one token."""
        return self.query_width

    def tensors(self) -> Tensors:
        """Weights of the layer's attention; the compressing matrices stay whole on every rank."""
        return (*self._queries(), *self._keys_and_values())

    def _queries(self) -> Tensors:
        hidden, heads = self.hidden_size, self.heads
        if not self.query_rank:
            return (
                matrix("q_proj", "attention", self.query_width, hidden, cut="heads", heads=heads),
            )
        bias = (vector("q_a_proj.bias", "bias", self.query_rank),) if self.bias else ()
        return (
            matrix("q_a_proj", "attention", self.query_rank, hidden),
            *bias,
            *norm("q_a_layernorm", self.query_rank),
            matrix(
                "q_b_proj", "attention", self.query_width, self.query_rank, cut="heads", heads=heads
            ),
        )

    def _keys_and_values(self) -> Tensors:
        hidden, heads = self.hidden_size, self.heads
        compressed = self.kv_rank + self.rope_head_dim
        expanded = heads * (self.nope_head_dim + self.value_head_dim)
        bias = (
            (vector("kv_a_proj.bias", "bias", compressed), vector("o_proj.bias", "bias", hidden))
            if self.bias
            else ()
        )
        return (
            matrix("kv_a_proj_with_mqa", "attention", compressed, hidden),
            *norm("kv_a_layernorm", self.kv_rank),
            matrix("kv_b_proj", "attention", expanded, self.kv_rank, cut="heads", heads=heads),
            matrix("o_proj", "attention", hidden, heads * self.value_head_dim, cut="columns"),
            *bias,
        )

    def cached_elements(self, tensor_parallel: int = 1) -> int:
        """The latent row and the rotary key of one token; every rank keeps all of it.

        >>> LatentAttention(hidden_size=7168, heads=128, query_rank=1536, kv_rank=512,
        ...     nope_head_dim=128, rope_head_dim=64, value_head_dim=128).cached_elements(8)
        576
        """
        del tensor_parallel
        return self.kv_rank + self.rope_head_dim

    def resident_tokens(self, context_tokens: int, batched_tokens: int) -> int:
        """Tokens of one sequence that stay in the cache."""
        del batched_tokens
        return context_tokens


Mixer = Attention | SlidingWindowAttention | LatentAttention
