"""Gemma 3n and 4: shared caches, tables of embeddings for every layer, and two kinds of heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.parts import attention, every, facts, layer_pattern, mixture, shape
from service.catalog.families.reading import MAX_TOKENS, Config
from service.domain.feed_forward import DenseFeedForward, FeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensors, elements, matrix, norm, vector

GLOBAL_HEAD_DIM = 512


def borrowing(config: Config, layers: int) -> Callable[[int], bool]:
    """Whether a layer reads the cache of an earlier one: the last `num_kv_shared_layers` do."""
    shared = config.integer("num_kv_shared_layers", default=0, low=0, high=layers)
    return lambda index: index >= layers - shared


def without_cache(mixer: Attention) -> Attention:
    """The same attention over an earlier layer's keys and values."""
    return replace(mixer, key_values="shared", key_norm=0)


def unused_projections(mixers: tuple[Attention, ...]) -> tuple[tuple[str, int], ...]:
    """What files hold for layers that borrow: projections and norms that no class loads."""
    unused = sum(
        elements(replace(mixer, key_values="own", key_norm=mixer.query_norm).tensors())
        - elements(mixer.tensors())
        for mixer in mixers
        if mixer.key_values == "shared"
    )
    return (("unused projections of layers that share a cache", unused),) if unused else ()


def per_layer_embeddings(config: Config, hidden: int, layers: int) -> tuple[Tensors, Tensors]:
    """The table of embeddings for every layer with its projection, and each layer's share."""
    width = config.integer("hidden_size_per_layer_input", default=0, low=0)
    if not width:
        return (), ()
    rows = config.integer("vocab_size_per_layer_input", "vocab_size")
    around = (
        matrix("per_layer_embeddings", "embedding", rows, layers * width, cut="rows"),
        matrix("per_layer_model_projection", "mlp", layers * width, hidden),
        *norm("per_layer_projection_norm", width),
    )
    inside = (
        matrix("per_layer_input_gate", "mlp", width, hidden),
        matrix("per_layer_projection", "mlp", hidden, width),
        *norm("post_per_layer_input_norm", hidden),
    )
    return around, inside


def gemma3n(config: Config) -> Facts:
    """Gemma 3n: alternating updates (AltUp) of several hidden states, low-rank residuals (LAuReL).

    Source: transformers 5.23 `modeling_gemma3n.py`.
    """
    size = shape(config)
    slides, borrows = layer_pattern(config, every(5)), borrowing(config, size.layers)
    window = config.integer("sliding_window", default=0, low=0, high=MAX_TOKENS)
    base = replace(attention(size), query_norm=size.head_dim, key_norm=size.head_dim)

    def mixer(index: int) -> Attention:
        own = replace(base, window_tokens=window if slides(index) else 0)
        return without_cache(own) if borrows(index) else own

    def part(index: int) -> FeedForward:
        return DenseFeedForward(
            hidden_size=size.hidden, width=config.by_layer(index, "intermediate_size")
        )

    around, inside = per_layer_embeddings(config, size.hidden, size.layers)
    states = config.integer("altup_num_inputs", default=4)
    block = (*inside, *_altup(config, size.hidden, states), *_laurel(config, size.hidden))
    others = (matrix("altup_projections", "mlp", size.hidden, size.hidden, count=2 * (states - 1)),)
    return replace(
        facts(config, size, mixer, part, norms=Norms(per_block=4), tied=True),
        extras=(*around, *(others if states > 1 else ())),
        layer_extras=lambda _: block,
        checkpoint_extras=unused_projections(tuple(map(mixer, range(size.layers)))),
    )


def _altup(config: Config, hidden: int, states: int) -> Tensors:
    scaled = config.flag("altup_correct_scale", default=True)
    return (
        *((vector("altup.correct_output_scale", "norm", hidden),) if scaled else ()),
        matrix("altup.correction_coefs", "router", states, states),
        matrix("altup.prediction_coefs", "router", states**2, states),
        matrix("altup.modality_router", "router", states, hidden),
        *norm("altup.router_norm", hidden),
    )


def _laurel(config: Config, hidden: int) -> Tensors:
    rank = config.integer("laurel_rank", default=64)
    return (
        matrix("laurel.linear_left", "mlp", rank, hidden),
        matrix("laurel.linear_right", "mlp", hidden, rank),
        *norm("laurel.post_laurel_norm", hidden),
    )


def gemma4(config: Config) -> Facts:
    """Gemma 4: wide global heads, whose keys may also be the values; experts beside a dense part.

    Source: transformers 5.23 `modeling_gemma4.py`.
    """
    size = shape(config)
    mixer = _gemma4_mixer(config)
    dense, sparse = _gemma4_parts(config)
    around, inside = per_layer_embeddings(config, size.hidden, size.layers)
    experts = config.integer("num_experts", default=0, low=0)
    routed = experts if config.flag("enable_moe_block") else 0
    scales = (
        (vector("router.scale", "router", size.hidden), vector("expert_scale", "router", routed))
        if routed
        else ()
    )
    return replace(
        facts(config, size, mixer, sparse or dense, tied=True),
        norms=Norms(per_block=7 if routed else 4),
        extras=around,
        layer_extras=lambda _: (*inside, *scales),
        checkpoint_extras=(
            *unused_projections(tuple(map(mixer, range(size.layers)))),
            ("layer scales, kept as buffers", size.layers),
        ),
    )


def _gemma4_mixer(config: Config) -> Callable[[int], Attention]:
    size = shape(config)
    slides, borrows = layer_pattern(config, every(6)), borrowing(config, size.layers)
    equal = config.flag("attention_k_eq_v")
    window = config.integer("sliding_window", default=0, low=0, high=MAX_TOKENS)
    wide = config.integer("global_head_dim", default=GLOBAL_HEAD_DIM)
    groups = config.integer("num_global_key_value_heads", default=size.kv_heads)
    local = replace(
        attention(size), query_norm=size.head_dim, key_norm=size.head_dim, window_tokens=window
    )
    whole = replace(
        attention(replace(size, head_dim=wide, kv_heads=groups if equal else size.kv_heads)),
        query_norm=wide,
        key_norm=wide,
        key_values="equal" if equal else "own",
    )

    def mixer(index: int) -> Attention:
        own = local if slides(index) else whole
        return without_cache(own) if borrows(index) else own

    return mixer


def _gemma4_parts(
    config: Config,
) -> tuple[Callable[[int], FeedForward], FeedForward | None]:
    """Dense parts by layer, twice as wide where a cache is borrowed; or experts everywhere."""
    size = shape(config)
    borrows = borrowing(config, size.layers)
    double = config.flag("use_double_wide_mlp")
    width = config.integer("intermediate_size")
    dense = DenseFeedForward(hidden_size=size.hidden, width=width)
    twice = replace(dense, width=2 * width)
    experts = (
        replace(mixture(config, size, width_keys=("moe_intermediate_size",)), dense_width=width)
        if config.flag("enable_moe_block")
        else None
    )
    return lambda index: twice if double and borrows(index) else dense, experts
