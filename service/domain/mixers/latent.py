"""Latent attention: one compressed row a token instead of keys and values of every head."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.caches import FP8_BITS, CacheRow, StateRow
from service.domain.tensors import Tensors, matrix, norm, vector
from service.domain.units import ceil_div

FP8_TILE = 128
FP8_SCALE_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention: one compressed key-value row and one rotary key a token.

    query_rank   rank of the compressed query, 0 where queries are projected directly
    output_gate  whether a full matrix gates the output (Kimi K3)
    sparse       whether an indexer chooses the rows that a token sees (DeepSeek V3.2, GLM 5)
    """

    hidden_size: int
    heads: int
    query_rank: int
    kv_rank: int
    nope_head_dim: int
    rope_head_dim: int
    value_head_dim: int
    bias: bool = False
    output_gate: bool = False
    sparse: bool = False

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
        gated = heads * self.value_head_dim
        gate = (matrix("g_proj", "attention", gated, hidden, cut="heads", heads=heads),)
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
            *(gate if self.output_gate else ()),
        )

    def cache_rows(self, tensor_parallel: int = 1) -> tuple[CacheRow, ...]:
        """The latent row and the rotary key of one token; every rank keeps all of it.

        A sparse layer's fp8 row has 656 bytes: 512 values, four fp32 scales and a 16-bit key.
        Source: vLLM 0.33 `v1/attention/backends/mla/flashmla_sparse.py`, fp8_ds_mla.

        >>> LatentAttention(hidden_size=7168, heads=128, query_rank=1536, kv_rank=512,
        ...     nope_head_dim=128, rope_head_dim=64, value_head_dim=128).cache_rows(8)[0].elements
        576
        """
        del tensor_parallel
        scales = ceil_div(self.kv_rank, FP8_TILE) * FP8_SCALE_BITS
        extra = scales + self.rope_head_dim * FP8_BITS if self.sparse else 0
        return (CacheRow(elements=self.kv_rank + self.rope_head_dim, fp8_extra_bits=extra),)

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Attention keeps nothing that does not grow with the context."""
        del tensor_parallel
        return ()
