"""Further decoders with experts, and decoders whose layers differ in width or in kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.mixtures import with_prediction
from service.catalog.families.parts import (
    after,
    attention,
    dense,
    every,
    facts,
    latent,
    layer_pattern,
    mixture,
    shape,
    windowed,
    with_biases,
    with_head_norms,
    with_shared,
)
from service.catalog.families.reading import MAX_EXPERTS, MAX_LAYERS, Config
from service.domain.feed_forward import FeedForward, MixtureOfExperts
from service.domain.mixers import Attention
from service.domain.tensors import norm

FOUR_NORMS = Norms(per_block=4)
EXPERT_WIDTH = ("moe_intermediate_size",)


def afmoe(config: Config) -> Facts:
    """Trinity: gated attention, norms over heads, four norms a block, a bias on the router."""
    size = shape(config)
    gated = replace(with_head_norms(attention(size)), gate=size.heads * size.head_dim)
    period = config.integer("global_attn_every_n_layers", default=4)
    mixer = windowed(config, gated, layer_pattern(config, every(period)))
    routed = with_shared(config, mixture(config, size, width_keys=EXPERT_WIDTH))
    part = replace(routed, router_bias=True)
    first = config.integer("num_dense_layers", default=0, low=0, high=MAX_LAYERS)
    parts = after(first, dense(config, size), part)
    return facts(config, size, mixer, parts, norms=FOUR_NORMS)


def listed_sparse(
    config: Config, head: FeedForward, rest: FeedForward
) -> Callable[[int], FeedForward]:
    """`rest` where `mlp_layer_types` says sparse, or behind the leading dense layers."""
    kinds = config.items("mlp_layer_types")
    if kinds is None:
        first = config.integer("first_k_dense_replace", default=0, low=0, high=MAX_LAYERS)
        return after(first, head, rest)
    return lambda index: rest if index < len(kinds) and kinds[index] == "sparse" else head


def hy_v3(config: Config) -> Facts:
    """Hunyuan 3: norms over heads, shared experts, a list of dense and sparse layers."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(with_head_norms(attention(size)), inputs=bias, output=bias)
    part = with_shared(config, mixture(config, size, width_keys=EXPERT_WIDTH))
    plain = dense(config, size, bias=config.flag("mlp_bias"))
    base = facts(config, size, mixer, listed_sparse(config, plain, part))
    return with_prediction(config, base, own_ends=False)


def mellum(config: Config) -> Facts:
    """Mellum 2: as Qwen 3 with experts; lists say which layers slide and which are sparse."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(with_head_norms(attention(size)), inputs=bias, output=bias)
    slides = windowed(config, mixer, layer_pattern(config, lambda _: False))
    part = mixture(config, size, width_keys=EXPERT_WIDTH)
    return facts(config, size, slides, listed_sparse(config, dense(config, size), part))


def exaone_moe(config: Config) -> Facts:
    """K-EXAONE: norms over heads, windows in three of four layers; its prediction layer is dense.

    Source: vLLM 0.33.0 `models/exaone_moe_mtp.py`: table and head are those of the model.
    """
    size = shape(config)
    slides = layer_pattern(config, every(4))
    mixer = windowed(config, with_head_norms(attention(size)), slides)
    part = with_shared(config, mixture(config, size, width_keys=EXPERT_WIDTH))
    plain = dense(config, size)
    base = facts(config, size, mixer, lambda _: plain)
    predicting = with_prediction(config, base, own_ends=False)
    return replace(predicting, feed_forward=listed_sparse(config, plain, part))


def hunyuan_moe(config: Config) -> Facts:
    """Hunyuan A13B: experts and shared expert of a layer may be listed layer by layer; tied."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    if config.flag("use_qk_norm", default=True):
        mixer = with_head_norms(mixer)
    parts = tuple(_hunyuan_layer(config, index, size.hidden) for index in range(size.layers))
    return facts(config, size, mixer, lambda index: parts[index], tied=True)


def _hunyuan_layer(config: Config, index: int, hidden: int) -> MixtureOfExperts:
    width = config.by_layer(index, "moe_intermediate_size", "intermediate_size")
    shared = config.by_layer(index, "num_shared_expert", default=1, high=MAX_EXPERTS)
    inner = config.by_layer(index, "intermediate_size")
    return MixtureOfExperts(
        hidden_size=hidden,
        experts=config.by_layer(index, "num_experts", "num_local_experts", high=MAX_EXPERTS),
        active_experts=config.by_layer(index, "moe_topk", "num_experts_per_tok", high=MAX_EXPERTS),
        width=width,
        shared_width=shared * inner if config.flag("use_mixed_mlp_moe", default=True) else 0,
    )


def arctic(config: Config) -> Facts:
    """Arctic: a dense feed-forward of the hidden size beside the experts, with its own norm."""
    size = shape(config)
    step = config.integer("moe_layer_frequency", default=2)
    beside = size.hidden if config.flag("parallel_attn_mlp_res", default=True) else 0
    part = replace(mixture(config, size, width_keys=("intermediate_size",)), dense_width=beside)
    plain = dense(config, size)
    base = facts(
        config, size, attention(size), lambda index: part if (index + 1) % step == 0 else plain
    )
    residual = norm("residual_layernorm", size.hidden) if beside else ()
    return replace(base, layer_extras=lambda index: residual if (index + 1) % step == 0 else ())


def grok(config: Config) -> Facts:
    """Grok 1: experts in every layer, norms before and after each part, tied."""
    size = shape(config)
    part = mixture(config, size, width_keys=("intermediate_size",))
    return facts(config, size, attention(size), part, norms=FOUR_NORMS, tied=True)


def mimo_v2(config: Config) -> Facts:
    """MiMo V2: layers with a window have sinks and more key-value heads; values are narrower."""
    size = shape(config)
    bias = config.flag("attention_bias")
    width = config.integer("v_head_dim", default=size.head_dim)
    plain = with_biases(attention(size), inputs=bias, output=False)
    wide = replace(
        plain,
        value_head_dim=width,
        sinks=config.flag("add_full_attention_sink_bias"),
    )
    narrow = replace(
        wide,
        heads=config.integer("swa_num_attention_heads", default=size.heads),
        kv_heads=config.integer("swa_num_key_value_heads", default=size.kv_heads),
        head_dim=config.integer("swa_head_dim", default=size.head_dim),
        value_head_dim=config.integer("swa_v_head_dim", default=width),
        sinks=config.flag("add_swa_attention_sink_bias", default=True),
        window_tokens=config.integer("sliding_window"),
    )
    slides, sparse = config.items("hybrid_layer_pattern") or (), config.items("moe_layer_freq")
    part = with_shared(config, mixture(config, size, width_keys=EXPERT_WIDTH))
    parts = dense(config, size)
    chosen: Callable[[int], FeedForward] = (
        after(1, parts, part)
        if sparse is None
        else lambda index: part if index < len(sparse) and sparse[index] == 1 else parts
    )

    def mixer(index: int) -> Attention:
        return narrow if index < len(slides) and slides[index] == 1 else wide

    return facts(config, size, mixer, chosen)


def longcat(config: Config) -> Facts:
    """LongCat Flash: two latent attentions and two dense parts a layer beside the experts."""
    size = shape(config)
    mixer = latent(config, size)
    plain = dense(config, size)
    part = replace(
        mixture(config, size, width_keys=("expert_ffn_hidden_size",)),
        identity_experts=config.integer("zero_expert_num", default=0, low=0, high=MAX_EXPERTS),
    )
    base = facts(config, size, mixer, part, norms=FOUR_NORMS)
    return replace(
        base, mixer=lambda _: (mixer, mixer), feed_forward=lambda _: (part, plain, plain)
    )
