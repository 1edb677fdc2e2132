"""A typical shape for a model of which only the size is known."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from service.domain.architecture import Architecture, LayerKind
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import elements, matrix, norm, vector
from service.domain.units import round_up

HEAD_DIM = 128
MAX_HEADS = 1 << 20
VOCABULARY_SIZE = 128_256
SMALL_VOCABULARY_SIZE = 32_000
SMALL_MODEL = 2_000_000_000
WIDTH_RATIO = 3.5
LAYERS_PER_HIDDEN = 128
KV_HEADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model without a config; 0 where it is not."""

    parameters: int
    name: str
    layers: int
    kv_width: int


@lru_cache(maxsize=256)
def typical(parameters: int, name: str, *, layers: int = 0, kv_width: int = 0) -> Architecture:
    """A Llama-like decoder of exactly so many parameters.

    `layers` and `kv_width` (elements of all keys of a token) are taken where they are known.

    The hidden size h is the largest multiple of 128 for which h/128 blocks of SwiGLU width 3.5·h
    with 8 key-value heads, and two tables, stay within the size; what is missing is one more
    matrix, so that weights are exact and only cache and activations are assumed.
    Source: shapes of Llama 2 and 3 (arXiv 2407.21783, table 3).
    Checked by:  8,000,000,000 gives h 4,096 and 32 layers, the shape of Llama 3 8B.
    """
    known = Known(parameters=parameters, name=name, layers=layers, kv_width=kv_width)
    heads = bisect_right(range(MAX_HEADS), parameters, lo=1, key=lambda n: _size(n, known)) - 1
    hidden = HEAD_DIM * max(1, heads)
    shape = _shape(hidden, known)
    if shape.parameters > parameters:
        return _flat(parameters, name, layers)
    return _shape(hidden, known, parameters - shape.parameters)


def _size(heads: int, known: Known) -> int:
    return _shape(heads * HEAD_DIM, known).parameters


def _shape(hidden: int, known: Known, rest: int = 0) -> Architecture:
    small = known.parameters < SMALL_MODEL
    vocabulary = SMALL_VOCABULARY_SIZE if small else VOCABULARY_SIZE
    heads = hidden // HEAD_DIM
    wanted = max(1, known.kv_width // HEAD_DIM) if known.kv_width else KV_HEADS
    layers = known.layers or max(1, hidden // LAYERS_PER_HIDDEN)
    block = LayerKind(
        mixers=(
            Attention(
                hidden_size=hidden, heads=heads, kv_heads=min(wanted, heads), head_dim=HEAD_DIM
            ),
        ),
        feed_forwards=(
            DenseFeedForward(
                hidden_size=hidden, width=round_up(int(hidden * WIDTH_RATIO), HEAD_DIM)
            ),
        ),
        others=(*norm("input_layernorm", hidden), *norm("post_attention_layernorm", hidden)),
    )
    remainder = (matrix("remainder", "mlp", rest, 1),) if rest else ()
    return Architecture(
        name=known.name,
        family="typical decoder",
        hidden_size=hidden,
        vocabulary_size=vocabulary,
        layer_kinds=(block,),
        layer_order=(0,) * layers,
        embeddings=(
            matrix("embed_tokens", "embedding", vocabulary, hidden, cut="rows"),
            *remainder,
        ),
        head=(
            *norm("norm", hidden),
            *(() if small else (matrix("lm_head", "lm_head", vocabulary, hidden, cut="rows"),)),
        ),
        tied=small,
        shape_is_assumed=True,
    )


def _flat(parameters: int, name: str, layers: int) -> Architecture:
    """A model too small for any typical block: weights only."""
    table = (vector("weights", "mlp", parameters),)
    return Architecture(
        name=name,
        family="bare size",
        hidden_size=HEAD_DIM,
        vocabulary_size=max(1, min(SMALL_VOCABULARY_SIZE, elements(table) // HEAD_DIM)),
        layer_kinds=(LayerKind(),),
        layer_order=(0,) * max(1, layers),
        embeddings=table,
        head=(),
        tied=False,
        shape_is_assumed=True,
    )
