"""Sparse attention: indexers that choose what a token sees, and caches that hold groups of tokens.

An indexer stands beside the attention that it serves, with weights and cache rows of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.caches import CacheRow, StateRow
from service.domain.tensors import Tensors, matrix, norm, vector

INDEX_BITS = 8
INDEX_SCALE_BITS = 32
STAGE_BITS = 32
FP8_ROW_EXTRA_BITS = 576
"""An fp8 row of 512 values takes 584 bytes: 448 values, a 16-bit rotary part, 8 bytes of scales."""


class WithoutState:
    """A mixer that keeps nothing of a sequence but rows of its tokens."""

    __slots__ = ()

    def state_rows(self, tensor_parallel: int = 1) -> tuple[StateRow, ...]:
        """No states on any rank."""
        del tensor_parallel
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexer(WithoutState):
    """Scores every earlier token, or block of tokens, with a few small heads of shared keys.

    query_input  features that its queries are projected from
    weighted     whether a projection weighs its heads (DeepSeek), or none does (MiniMax M3)
    row_bits     width of a cached value, None where it follows the cache's type
    """

    hidden_size: int
    query_input: int
    heads: int
    head_dim: int
    weighted: bool = True
    row_bits: int | None = INDEX_BITS

    @property
    def query_width(self) -> int:
        """Elements of all its queries of one token."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Elements of its one key of one token."""
        return self.head_dim

    @property
    def kept_width(self) -> int:
        """Choosing has no gradient: backward needs nothing of it."""
        return 0

    @property
    def shard_limit(self) -> int:
        """Every rank runs it whole: no number of ranks is refused."""
        return 0

    def tensors(self) -> Tensors:
        """Weights of the indexer, whole on every rank."""
        queries = matrix("wq_b", "attention", self.query_width, self.query_input)
        keys = matrix("wk", "attention", self.head_dim, self.hidden_size)
        if not self.weighted:
            norms = (*norm("q_norm", self.head_dim), *norm("k_norm", self.head_dim))
            return (queries, keys, *norms)
        return (
            queries,
            keys,
            *norm("k_norm", self.head_dim, bias=True),
            matrix("weights_proj", "router", self.heads, self.hidden_size),
        )

    def cache_rows(self, tensor_parallel: int = 1) -> tuple[CacheRow, ...]:
        """One key of every token on every rank: in fp8 with one fp32 scale, 132 bytes.

        Source: vLLM 0.33 `models/deepseek_v2.py`, DeepseekV32IndexerCache; SGLang
        `mem_cache/memory_pool.py`, index_k_with_scale_buffer.

        >>> Indexer(hidden_size=7168, query_input=1536, heads=64, head_dim=128
        ...     ).cache_rows()[0].row_bits(16) // 8
        132
        """
        del tensor_parallel
        scale = INDEX_SCALE_BITS if self.row_bits else 0
        return (CacheRow(elements=self.head_dim, bits=self.row_bits, scale_bits=scale),)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedAttention(WithoutState):
    """DeepSeek V4: one shared vector a token as key and value, over a window and compressed beyond.

    ratio        tokens that one compressed row stands for, 0 where there is only the window
    output_groups, output_rank   the output is projected by groups of heads to so many features
    index_heads, index_head_dim  of the indexer over compressed rows, 0 where all are seen
    """

    hidden_size: int
    heads: int
    head_dim: int
    query_rank: int
    output_groups: int
    output_rank: int
    window_tokens: int
    ratio: int = 0
    index_heads: int = 0
    index_head_dim: int = 0

    @property
    def query_width(self) -> int:
        """Elements of all query heads of one token."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Elements of the shared key of one token."""
        return self.head_dim

    @property
    def shard_limit(self) -> int:
        """Groups of heads that tensor parallelism has to divide."""
        return self.output_groups

    @property
    def overlap(self) -> int:
        """Neighbouring groups that one compressed row is made of: two where rows are chosen."""
        return 2 if self.index_heads else 1

    def tensors(self) -> Tensors:
        """Weights of the layer's attention; the shared key and the compressors stay whole."""
        groups, inner = self.output_groups, self.output_groups * self.output_rank
        return (
            matrix("q_a_proj", "attention", self.query_rank, self.hidden_size),
            *norm("q_a_norm", self.query_rank),
            matrix(
                "q_b_proj",
                "attention",
                self.query_width,
                self.query_rank,
                cut="heads",
                heads=self.heads,
            ),
            matrix("kv_proj", "attention", self.head_dim, self.hidden_size),
            *norm("kv_norm", self.head_dim),
            matrix(
                "o_a_proj",
                "attention",
                inner,
                self.query_width // groups,
                cut="heads",
                heads=groups,
            ),
            matrix("o_b_proj", "attention", self.hidden_size, inner, cut="columns"),
            vector("sinks", "bias", self.heads, cut="rows"),
            *(self._compressor("compressor", self.head_dim) if self.ratio else ()),
            *(self._index() if self.index_heads else ()),
        )

    def _compressor(self, name: str, size: int) -> Tensors:
        wide = self.overlap * size
        return (
            matrix(f"{name}.kv_proj", "attention", wide, self.hidden_size),
            matrix(f"{name}.gate_proj", "attention", wide, self.hidden_size),
            vector(f"{name}.position_bias", "bias", self.ratio * wide),
            *norm(f"{name}.kv_norm", size),
        )

    def _index(self) -> Tensors:
        width = self.index_heads * self.index_head_dim
        return (
            *self._compressor("indexer", self.index_head_dim),
            matrix("indexer.q_b_proj", "attention", width, self.query_rank),
            matrix("indexer.weights_proj", "router", self.index_heads, self.hidden_size),
        )

    def cache_rows(self, tensor_parallel: int = 1) -> tuple[CacheRow, ...]:
        """Window rows, compressed rows and index keys, all whole on every rank.

        Compressors keep keys and scores of a group in fp32 until it is complete; vLLM pages them
        as a sliding window, so that a step's tokens count too.
        Source: vLLM 0.33 `models/deepseek_v4/attention.py` and `compressor.py`, get_kv_cache_spec.

        >>> CompressedAttention(hidden_size=4096, heads=64, head_dim=512, query_rank=1024,
        ...     output_groups=8, output_rank=1024, window_tokens=128, ratio=128).cache_rows()[1]
        ... # doctest: +ELLIPSIS
        CacheRow(elements=512, window_tokens=0, tokens_per_row=128, ...)
        """
        del tensor_parallel
        size, extra = self.head_dim, FP8_ROW_EXTRA_BITS
        window = CacheRow(elements=size, window_tokens=self.window_tokens, fp8_extra_bits=extra)
        if not self.ratio:
            return (window,)
        row = CacheRow(elements=size, tokens_per_row=self.ratio, fp8_extra_bits=extra)
        return (window, row, self._stage(size), *self._index_rows())

    def _stage(self, size: int) -> CacheRow:
        return CacheRow(
            elements=2 * self.overlap * size,
            window_tokens=self.overlap * self.ratio,
            bits=STAGE_BITS,
            staged=True,
        )

    def _index_rows(self) -> tuple[CacheRow, ...]:
        if not self.index_heads:
            return ()
        keys = CacheRow(
            elements=self.index_head_dim,
            tokens_per_row=self.ratio,
            bits=INDEX_BITS,
            scale_bits=INDEX_SCALE_BITS,
        )
        return (keys, self._stage(self.index_head_dim))
