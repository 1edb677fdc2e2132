"""Attention with keys and values of every token: what it weighs, caches, and how ranks share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.domain.caches import CacheRow, StateRow
from service.domain.manners import NormForm, Rotation
from service.domain.tensors import Tensor, Tensors, matrix, norm, vector
from service.domain.units import ceil_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Multi-head, grouped-query or multi-query attention over the whole context or a window.

    query_norm, key_norm  elements of the normalisation after the projection, 0 where there is none
    sinks                 one learned value a head that takes part in the softmax
    gate                  output features of a gate on the attention output, 0 where there is none
    window_tokens         tokens that the layer looks back over, 0 for the whole context
    keeps                 whose keys and values stay: the context's; an encoder's, which a decoder
                          looks at; or none, where every token sees all others at once
    output_size           features of the output where they are not those of the input
    borrowed              whether the weights are those of an earlier layer; the cache is its own
    key_values            its own projections of keys and values; one matrix whose output is both;
                          or none, where it reads the cache of an earlier layer
    softmax_raised        the softmax of the eager path is computed in fp32 whatever its input is
    relative              a bias by relative position is added to the scores (T5)
    joined                query, key and value come from one matrix in the published code
    rotation              of queries and keys; `joined` where only a part of a head is rotated
    soft_cap, dropout     scores pass a tanh; the softmax passes a dropout in training
    eager_only            the published class has no kernel but its own products and softmax
    norm_form             kind of the norms over queries and keys
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
    window_tokens: int = 0
    keeps: Literal["context", "encoder", "nothing"] = "context"
    output_size: int = 0
    borrowed: bool = False
    key_values: Literal["own", "equal", "shared"] = "own"
    softmax_raised: bool = True
    relative: bool = False
    joined: bool = False
    rotation: Rotation = "whole"
    soft_cap: bool = False
    eager_only: bool = False
    dropout: bool = False
    norm_form: NormForm = "rms"

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
        if self.borrowed:
            return ()
        return (*self._projections(), *self._biases(), *self._norms())

    def _projections(self) -> Tensors:
        hidden, value_width = self.hidden_size, self.kv_heads * self.value_dim
        output_in = self.heads * self.value_dim
        gate = (
            (matrix("gate_proj", "attention", self.gate, hidden, cut="rows"),) if self.gate else ()
        )
        heads, groups = self.heads, self.kv_heads
        keys = matrix(
            "k_proj", "attention", groups * self.head_dim, hidden, cut="heads", heads=groups
        )
        values = matrix("v_proj", "attention", value_width, hidden, cut="heads", heads=groups)
        own = {"own": (keys, values), "equal": (keys,), "shared": ()}
        return (
            matrix("q_proj", "attention", self.query_width, hidden, cut="heads", heads=heads),
            *own[self.key_values],
            matrix("o_proj", "attention", self.output_size or hidden, output_in, cut="columns"),
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
            (self.output_bias, vector("o_proj.bias", "bias", self.output_size or self.hidden_size)),
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

    def cache_rows(self, tensor_parallel: int = 1) -> tuple[CacheRow, ...]:
        """Keys and values of one token on one of `tensor_parallel` ranks.

        >>> Attention(hidden_size=4096, heads=32, kv_heads=8, head_dim=128).cache_rows()[0].elements
        2048
        """
        if self.keeps == "nothing" or self.key_values == "shared":
            return ()
        per_head = self.head_dim + self.value_dim
        elements = ceil_div(self.kv_heads, tensor_parallel) * per_head
        return (CacheRow(elements=elements, window_tokens=self.window_tokens, source=self.keeps),)

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """Attention keeps nothing that does not grow with the context."""
        del tensor_parallel
        return ()
