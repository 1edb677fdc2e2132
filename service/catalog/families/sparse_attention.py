"""Families whose attention chooses what it sees: DeepSeek V3.2 and V4, GLM 5, MiniMax M3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, Mixers, layers
from service.catalog.families.hybrid import hybrid_facts
from service.catalog.families.mixtures import leading_layers
from service.catalog.families.parts import (
    Shape,
    after,
    attention,
    dense,
    facts,
    latent,
    mixture,
    shape,
    with_head_norms,
    with_shared,
    with_wide_norms,
)
from service.catalog.families.reading import MAX_LAYERS, MAX_TOKENS, Config
from service.catalog.families.state_space import layer_words
from service.domain.feed_forward import FeedForward, MixtureOfExperts
from service.domain.mixers import CompressedAttention, Indexer
from service.domain.tensors import Tensors, matrix, vector

INDEX_WORDS = frozenset({"full", "shared"})
ROUTER_BIASES = "biases of the routers"
INDEXED_RATIO = 4
"""Rows of so many tokens are chosen by an indexer; rows of more tokens are all seen."""


def index_layers(config: Config, size: Shape) -> frozenset[int]:
    """Layers with an indexer of their own; the others take the choice of the one before.

    Source: transformers 5.23.0 `configuration_glm_moe_dsa.py`, __post_init__.
    """
    words = layer_words(config, size.layers, "indexer_types", known=INDEX_WORDS)
    if words is not None:
        return frozenset(i for i, word in enumerate(words) if word == "full")
    step = config.integer("index_topk_freq", default=1, high=MAX_LAYERS)
    offset = config.integer("index_skip_topk_offset", default=2, low=0, high=MAX_LAYERS)
    return frozenset(i for i in range(size.layers) if max(i - offset + 1, 0) % step == 0)


def with_indexers(config: Config, *, own_ends: bool) -> Facts:
    """Latent attention with an indexer, experts after leading dense layers, prediction layers."""
    size = shape(config)
    mixer = replace(latent(config, size), sparse=True)
    index = Indexer(
        hidden_size=size.hidden,
        query_input=config.integer("q_lora_rank"),
        heads=config.integer("index_n_heads"),
        head_dim=config.integer("index_head_dim"),
    )
    full = index_layers(config, size)
    part = with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",)))
    first = leading_layers(config)
    base = replace(
        facts(config, size, mixer, after(first, dense(config, size), part)),
        mixer=lambda i: (mixer, index) if i in full else mixer,
    )
    count = config.integer("num_nextn_predict_layers", default=0, low=0, high=MAX_LAYERS)
    routers = max(0, size.layers - first) + count
    base = replace(base, checkpoint_extras=((ROUTER_BIASES, routers * part.experts),))
    return _with_prediction(base, count, max(full, default=size.layers - 1), own_ends=own_ends)


def _with_prediction(base: Facts, count: int, like: int, *, own_ends: bool) -> Facts:
    """Further layers of the kind of layer `like`, each with its projection, norms and ends."""
    if not count:
        return base
    kinds, _ = layers(base, [like])
    return replace(
        base,
        prediction=kinds * count,
        prediction_others=around_prediction(base, count, own_ends=own_ends),
    )


def around_prediction(base: Facts, count: int, *, own_ends: bool) -> Tensors:
    """Projection and three norms of a prediction layer, its own table and head where it has them.

    Source: DeepSeek-V3, README_WEIGHTS.md.
    """
    hidden = base.hidden_size
    ends = (
        matrix("embed_tokens", "embedding", base.vocabulary_size, hidden, cut="rows", count=count),
        matrix("shared_head", "lm_head", base.vocabulary_size, hidden, cut="rows", count=count),
    )
    return (
        matrix("eh_proj", "draft", hidden, 2 * hidden, count=count),
        *(vector(name, "norm", hidden, count=count) for name in ("enorm", "hnorm", "shared_norm")),
        *(ends if own_ends else ()),
    )


def deepseek_v32(config: Config) -> Facts:
    """DeepSeek V3.2: an indexer in every layer; the prediction layer has its own table and head."""
    return with_indexers(config, own_ends=True)


def glm_dsa(config: Config) -> Facts:
    """GLM 5: an indexer in all layers or in each fourth; the prediction layer shares the ends."""
    return with_indexers(config, own_ends=False)


def minimax_m3(config: Config) -> Facts:
    """MiniMax M3: attention over chosen blocks, leading dense layers, one shared expert."""
    size = shape(config)
    inner = config.section("sparse_attention_config")
    heads = (with_wide_norms if config.text("qk_norm_type") == "per_layer" else with_head_norms)(
        attention(size)
    )
    index = Indexer(
        hidden_size=size.hidden,
        query_input=size.hidden,
        heads=inner.integer("sparse_num_index_heads", default=4),
        head_dim=inner.integer("sparse_index_dim", default=128),
        weighted=False,
        row_bits=None,
    )
    sparse = _marked(inner, "sparse_attention_freq", size)
    routed = _marked(config, "moe_layer_freq", size)
    part = replace(
        mixture(config, size, width_keys=("intermediate_size",)),
        shared_width=config.integer("shared_intermediate_size", default=0, low=0),
    )
    plain = replace(
        dense(config, size),
        width=config.integer("dense_intermediate_size", "intermediate_size"),
    )
    return replace(
        hybrid_facts(config, size, tied=False),
        mixer=lambda i: (heads, index) if i in sparse else heads,
        feed_forward=lambda i: part if i in routed else plain,
        checkpoint_extras=((ROUTER_BIASES, len(routed) * part.experts),),
    )


def _marked(config: Config, key: str, size: Shape) -> frozenset[int]:
    """Layers that a list of zeros and ones marks; all of them where there is no list."""
    marks = config.items(key)
    if marks is None:
        return frozenset(range(size.layers))
    if len(marks) != size.layers:
        raise config.wrong(key, f"must list {size.layers} layers, not {len(marks)}")
    return frozenset(index for index, mark in enumerate(marks) if mark == 1)


def compression(config: Config, size: Shape) -> tuple[int, ...]:
    """Tokens of one compressed row in every layer, prediction layers included."""
    listed = config.items("compress_ratios")
    if listed is None:
        raise config.wrong("compress_ratios", "is missing")
    if len(listed) < size.layers or len(listed) > size.layers + 1:
        raise config.wrong("compress_ratios", f"must list {size.layers} layers, not {len(listed)}")
    ratios = [ratio for ratio in listed if type(ratio) is int and 0 <= ratio <= MAX_TOKENS]
    if len(ratios) != len(listed):
        raise config.wrong("compress_ratios", "must hold whole numbers from 0 on")
    return (*ratios, 0) if len(ratios) == size.layers else tuple(ratios)


def compressed(config: Config, size: Shape) -> Callable[[int], CompressedAttention]:
    """Attention of DeepSeek V4 for rows of so many tokens."""
    plain = CompressedAttention(
        hidden_size=size.hidden,
        heads=size.heads,
        head_dim=size.head_dim,
        query_rank=config.integer("q_lora_rank"),
        output_groups=config.integer("o_groups"),
        output_rank=config.integer("o_lora_rank"),
        window_tokens=config.integer("sliding_window", default=128, high=MAX_TOKENS),
    )
    chosen = replace(
        plain,
        ratio=INDEXED_RATIO,
        index_heads=config.integer("index_n_heads"),
        index_head_dim=config.integer("index_head_dim"),
    )
    return lambda ratio: chosen if ratio == INDEXED_RATIO else replace(plain, ratio=ratio)


def deepseek_v4(config: Config) -> Facts:
    """DeepSeek V4: compressed attention, several residual streams, hashed routing at first."""
    size = shape(config)
    ratios, attends = compression(config, size), compressed(config, size)
    streams = config.integer("hc_mult", default=4, high=64)
    part = with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",)))
    mixing = streams * (streams + 2)
    connections = tuple(
        vector(f"{name}.{piece}", "router", elements)
        for name in ("attn_hc", "ffn_hc")
        for piece, elements in (
            ("fn", mixing * streams * size.hidden),
            ("base", mixing),
            ("scale", 3),
        )
    )

    def mixer(index: int) -> Mixers:
        return attends(ratios[index])

    def routed(index: int) -> FeedForward:
        del index
        return part

    base = replace(
        facts(config, size, attention(size), part),
        mixer=mixer,
        feed_forward=routed,
        layer_extras=lambda _: connections,
        extras=stream_head(streams, size.hidden),
    )
    return _v4_prediction(config, base, part, streams)


def stream_head(streams: int, hidden: int, count: int = 1) -> Tensors:
    """What folds the residual streams into one before the head."""
    return (
        vector("hc_head.fn", "router", streams * streams * hidden, count=count),
        vector("hc_head.base", "router", streams, count=count),
        vector("hc_head.scale", "router", 1, count=count),
    )


def _v4_prediction(config: Config, base: Facts, part: MixtureOfExperts, streams: int) -> Facts:
    count = config.integer("num_nextn_predict_layers", default=0, low=0, high=MAX_LAYERS)
    hashed = config.integer("num_hash_layers", default=0, low=0, high=base.layers)
    tables = hashed * base.vocabulary_size * part.active_experts
    biases = (base.layers - hashed + count) * part.experts
    base = replace(
        base,
        checkpoint_extras=(("expert tables of hashed layers", tables), (ROUTER_BIASES, biases)),
    )
    built = _with_prediction(base, count, base.layers, own_ends=False)
    if not count:
        return built
    others = (*built.prediction_others, *stream_head(streams, base.hidden_size, count))
    return replace(built, prediction_others=others)
