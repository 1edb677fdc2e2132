"""Families of decoders with routed experts, with plain or latent attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms, layers
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
    with_wide_norms,
)
from service.catalog.families.reading import MAX_LAYERS, Config
from service.domain.feed_forward import FeedForward
from service.domain.mixers import Attention
from service.domain.tensors import matrix, vector


def mixtral(config: Config) -> Facts:
    """Mixtral, and others of Llama's attention with experts in every layer."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    return facts(config, size, windowed(config, mixer, lambda _: True), mixture(config, size))


def routed_layers(
    config: Config, head: FeedForward, rest: FeedForward
) -> Callable[[int], FeedForward]:
    """Experts in every `decoder_sparse_step`-th layer that `mlp_only_layers` does not except."""
    step = config.integer("decoder_sparse_step", default=1)
    only = config.items("mlp_only_layers") or ()
    return lambda index: rest if index not in only and (index + 1) % step == 0 else head


def qwen2_moe(config: Config) -> Facts:
    """Qwen 1.5 and 2 with experts: a gated shared expert of its own width."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=config.flag("qkv_bias", default=True), output=False)
    part = replace(
        mixture(config, size, width_keys=("moe_intermediate_size",)),
        shared_width=config.integer("shared_expert_intermediate_size"),
        shared_gate=True,
    )
    return facts(config, size, mixer, routed_layers(config, dense(config, size), part))


def qwen3_moe(config: Config) -> Facts:
    """Qwen 3 with experts: norms over heads, no shared expert."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(with_head_norms(attention(size)), inputs=bias, output=bias)
    part = mixture(config, size, width_keys=("moe_intermediate_size",))
    return facts(config, size, mixer, routed_layers(config, dense(config, size), part))


def phimoe(config: Config) -> Facts:
    """Phi 3.5 with experts: LayerNorm, biases on attention and head."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    slides = windowed(config, mixer, lambda _: True)
    base = facts(config, size, slides, mixture(config, size), norms=Norms(bias=True))
    return replace(base, head_bias=config.flag("lm_head_bias"))


def granitemoe(config: Config) -> Facts:
    """Granite 3 with experts, tied."""
    return replace(mixtral(config), tied=config.flag("tie_word_embeddings", default=True))


def olmoe(config: Config) -> Facts:
    """OLMoE and FlexOlmo: norms over all heads together."""
    size = shape(config)
    return facts(config, size, with_wide_norms(attention(size)), mixture(config, size))


def dbrx(config: Config) -> Facts:
    """DBRX: experts of their own section, LayerNorm without bias."""
    size = shape(config)
    inner, outer = config.section("ffn_config"), config.section("attn_config")
    size = replace(size, kv_heads=outer.integer("kv_n_heads", default=size.heads))
    part = mixture(inner, size, width_keys=("ffn_hidden_size",))
    return facts(config, size, attention(size), part)


def gpt_oss(config: Config) -> Facts:
    """gpt-oss: biases everywhere, also in experts and router, sinks, every second layer slides."""
    size = shape(config)
    mixer = replace(with_biases(attention(size), inputs=True, output=True), sinks=True)
    slides = layer_pattern(config, every(2))
    part = replace(mixture(config, size), up_bias=True, down_bias=True, router_bias=True)
    return facts(config, size, windowed(config, mixer, slides), part)


def leading_layers(config: Config) -> int:
    kinds = config.items("mlp_layer_types")
    if kinds is not None and not config.has("first_k_dense_replace"):
        return sum(1 for kind in kinds if kind == "dense")
    return config.integer(
        "first_k_dense_replace", "num_dense_layers", default=0, low=0, high=MAX_LAYERS
    )


def deepseek(config: Config) -> Facts:
    """DeepSeekMoE: plain attention, leading dense layers, shared experts."""
    size = shape(config)
    bias = config.flag("attention_bias", "use_qkv_bias", "use_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",)))
    return facts(config, size, mixer, after(leading_layers(config), dense(config, size), part))


def deepseek_latent(config: Config) -> Facts:
    """DeepSeek V2 and V3, Kimi K2: latent attention; the files may hold a prediction layer."""
    size = shape(config)
    part = with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",)))
    parts = after(leading_layers(config), dense(config, size), part)
    base = facts(config, size, latent(config, size), parts)
    return with_prediction(config, base)


def with_prediction(config: Config, base: Facts, *, own_ends: bool = True) -> Facts:
    """The same decoder with prediction layers in its files: last layer, projection, norms, ends.

    Source: DeepSeek-V3, README_WEIGHTS.md.
    """
    count = config.integer("num_nextn_predict_layers", default=0, low=0, high=MAX_LAYERS)
    if not count:
        return base
    kinds, _ = layers(base, [base.layers - 1])
    hidden = base.hidden_size
    vocabulary = base.vocabulary_size if own_ends else 0
    others = (
        matrix("eh_proj", "draft", hidden, 2 * hidden, count=count),
        *(vector(name, "norm", hidden, count=count) for name in ("enorm", "hnorm", "shared_norm")),
        matrix("embed_tokens", "embedding", vocabulary, hidden, cut="rows", count=count),
        matrix("shared_head", "lm_head", vocabulary, hidden, cut="rows", count=count),
    )
    return replace(
        base,
        prediction=kinds * count,
        prediction_others=tuple(tensor for tensor in others if tensor.rows),
    )


def dense_latent(config: Config) -> Facts:
    """MiniCPM 3 and Youtu: latent attention without experts."""
    size = shape(config)
    return facts(config, size, latent(config, size), dense(config, size))


def glm4_moe(config: Config) -> Facts:
    """GLM 4.5 to 4.7: input biases, norms over heads in the larger ones."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=config.flag("attention_bias"), output=False)
    if config.flag("use_qk_norm"):
        mixer = with_head_norms(mixer)
    part = with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",)))
    return facts(config, size, mixer, after(leading_layers(config), dense(config, size), part))


def dots1(config: Config) -> Facts:
    """dots.llm1: as DeepSeekMoE with norms over heads."""
    base, size = deepseek(config), shape(config)
    bias = config.flag("attention_bias")
    mixer: Attention = with_biases(with_head_norms(attention(size)), inputs=bias, output=bias)
    return replace(base, mixer=lambda _: mixer)


def minimax_m2(config: Config) -> Facts:
    """MiniMax M2: norms over all heads together."""
    size = shape(config)
    mixer = attention(size)
    if config.flag("use_qk_norm", default=True):
        mixer = with_wide_norms(mixer)
    return facts(config, size, mixer, mixture(config, size, width_keys=("intermediate_size",)))


def ernie_moe(config: Config) -> Facts:
    """ERNIE 4.5 with experts: every `interval`-th layer between two indices, shared experts."""
    size = shape(config)
    bias = config.flag("use_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",)))
    part = replace(part, router_bias=config.flag("moe_use_aux_free", default=True))
    start = config.integer("moe_layer_start_index", default=0, low=0, high=MAX_LAYERS)
    stop = config.integer("moe_layer_end_index", default=size.layers - 1, low=-1, high=MAX_LAYERS)
    stop = size.layers - 1 if stop == -1 else stop
    step = config.integer("moe_layer_interval", default=1)
    plain = dense(config, size, bias=bias)
    return facts(
        config,
        size,
        mixer,
        lambda i: part if (i + 1) % step == 0 and start <= i <= stop else plain,
        tied=True,
    )


def bailing(config: Config) -> Facts:
    """Ling: leading dense layers, shared experts, norms over heads where the config says so."""
    base, size = deepseek(config), shape(config)
    mixer: Attention = with_biases(
        attention(size), inputs=config.flag("use_qkv_bias"), output=config.flag("use_bias")
    )
    if config.flag("use_qk_norm"):
        mixer = with_head_norms(mixer)
    return replace(base, mixer=lambda _: mixer)
