"""Families with linear attention: Qwen 3 Next and 3.5, OLMo Hybrid, Kimi Linear, MiniMax 01."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, layers
from service.catalog.families.hybrid import hybrid_facts
from service.catalog.families.mixtures import routed_layers
from service.catalog.families.parts import (
    EXPERTS,
    Shape,
    after,
    attention,
    dense,
    latent,
    mixture,
    shape,
    with_biases,
    with_head_norms,
    with_shared,
    with_wide_norms,
)
from service.catalog.families.reading import MAX_LAYERS, Config
from service.catalog.families.state_space import layer_words, state_bits
from service.domain.feed_forward import FeedForward
from service.domain.mixers import DeltaAttention, GatedDeltaNet, LightningAttention, Mixer
from service.domain.tensors import matrix, vector

WORDS = frozenset({"linear_attention", "full_attention"})


def full_layers(config: Config, size: Shape, period: int = 4) -> frozenset[int]:
    """Layers with full attention: as `layer_types` lists them, else each `period`-th."""
    words = layer_words(config, size.layers, "layer_types", known=WORDS)
    if words is not None:
        return frozenset(i for i, word in enumerate(words) if word == "full_attention")
    step = config.integer("full_attention_interval", default=period, high=MAX_LAYERS)
    return frozenset(range(step - 1, size.layers, step))


def chosen(full: frozenset[int], plain: Mixer, other: Mixer) -> Callable[[int], Mixer]:
    """Full attention in some layers, another mixer in the rest."""
    return lambda index: plain if index in full else other


def delta_net(
    config: Config, hidden: int, *, key_heads: int = 16, value_heads: int = 32
) -> GatedDeltaNet:
    """The gated delta rule under keys that begin with `linear_`."""
    return GatedDeltaNet(
        hidden_size=hidden,
        key_heads=config.integer("linear_num_key_heads", default=key_heads),
        value_heads=config.integer("linear_num_value_heads", default=value_heads),
        key_head_dim=config.integer("linear_key_head_dim", default=128),
        value_head_dim=config.integer("linear_value_head_dim", default=128),
        kernel=config.integer("linear_conv_kernel_dim", default=4),
        state_bits=state_bits(config),
    )


def qwen3_next(config: Config) -> Facts:
    """Qwen 3 Next and Qwen 3.5: gated attention each fourth layer, the delta rule in all others."""
    size = shape(config)
    bias = config.flag("attention_bias")
    plain = with_biases(with_head_norms(attention(size)), inputs=bias, output=bias)
    if config.flag("attn_output_gate", default=True):
        plain = replace(plain, gate=size.heads * size.head_dim)
    full = full_layers(config, size)
    base = replace(
        hybrid_facts(config, size, tied=False),
        mixer=chosen(full, plain, delta_net(config, size.hidden)),
        feed_forward=_parts(config, size),
    )
    return _with_prediction(config, base, full)


def _parts(config: Config, size: Shape) -> Callable[[int], FeedForward]:
    if not config.has(*EXPERTS):
        part = dense(config, size)
        return lambda _: part
    routed = replace(
        mixture(config, size, width_keys=("moe_intermediate_size",)),
        shared_width=config.integer("shared_expert_intermediate_size"),
        shared_gate=True,
    )
    head = dense(config, size) if config.has("intermediate_size") else routed
    return routed_layers(config, head, routed)


def _with_prediction(config: Config, base: Facts, full: frozenset[int]) -> Facts:
    """One more layer of full attention, a projection and three norms; table and head are shared.

    Source: vLLM 0.33 `model_executor/models/qwen3_next_mtp.py`, Qwen3NextMultiTokenPredictor.
    """
    count = config.integer(
        "mtp_num_hidden_layers", "num_nextn_predict_layers", default=0, low=0, high=MAX_LAYERS
    )
    if not count or not full:
        return base
    kinds, _ = layers(base, [max(full)])
    hidden = base.hidden_size
    return replace(
        base,
        prediction=kinds * count,
        prediction_others=(
            matrix("fc", "draft", hidden, 2 * hidden),
            *(vector(name, "norm", hidden) for name in ("norm_embedding", "norm_hidden", "norm")),
        ),
    )


def olmo_hybrid(config: Config) -> Facts:
    """OLMo Hybrid: the delta rule, and OLMo 3's attention each fourth layer."""
    size = shape(config)
    bias = config.flag("attention_bias")
    plain = with_biases(with_wide_norms(attention(size)), inputs=bias, output=bias)
    block = delta_net(config, size.hidden, key_heads=size.heads, value_heads=size.heads)
    part = dense(config, size)
    return replace(
        hybrid_facts(config, size, tied=False),
        mixer=chosen(full_layers(config, size), plain, block),
        feed_forward=lambda _: part,
    )


def kimi_layers(config: Config, size: Shape) -> frozenset[int]:
    """Layers with latent attention; `linear_attn_config` counts them from 1."""
    listed = config.section("linear_attn_config").items("full_attn_layers")
    if listed is None:
        return full_layers(config, size)
    if not all(type(index) is int and 1 <= index <= size.layers for index in listed):
        raise config.wrong(
            "linear_attn_config.full_attn_layers", f"must hold layers from 1 to {size.layers}"
        )
    return frozenset(index - 1 for index in listed if isinstance(index, int))


def kimi_linear(config: Config) -> Facts:
    """Kimi Linear and K3: delta attention, latent attention each fourth layer, experts."""
    size = shape(config)
    inner = config.section("linear_attn_config")
    block = DeltaAttention(
        hidden_size=size.hidden,
        heads=inner.integer("num_heads", default=config.integer("linear_num_heads", default=32)),
        head_dim=inner.integer("head_dim", default=config.integer("linear_head_dim", default=128)),
        kernel=inner.integer(
            "short_conv_kernel_size", default=config.integer("linear_conv_kernel_dim", default=4)
        ),
        full_gate=inner.flag("use_full_rank_gate"),
    )
    routed = replace(
        with_shared(config, mixture(config, size, width_keys=("moe_intermediate_size",))),
        latent_size=config.integer("routed_expert_hidden_size", default=0, low=0),
        latent_norm=config.flag("latent_moe_use_norm"),
    )
    first = config.integer("first_k_dense_replace", default=1, low=0, high=MAX_LAYERS)
    plain = replace(latent(config, size), output_gate=config.flag("mla_use_output_gate"))
    return replace(
        hybrid_facts(config, size, tied=False),
        mixer=chosen(kimi_layers(config, size), plain, block),
        feed_forward=after(first, dense(config, size), routed),
    )


def minimax(config: Config) -> Facts:
    """MiniMax 01 and M1: lightning attention, full attention each eighth layer, experts."""
    size = shape(config)
    flags = config.items("attn_type_list")
    if flags is not None and len(flags) != size.layers:
        raise config.wrong("attn_type_list", f"must list {size.layers} layers, not {len(flags)}")
    full = (
        full_layers(config, size, period=8)
        if flags is None
        else frozenset(index for index, flag in enumerate(flags) if flag == 1)
    )
    block = LightningAttention(hidden_size=size.hidden, heads=size.heads, head_dim=size.head_dim)
    routed = replace(
        mixture(config, size, width_keys=("intermediate_size",)),
        shared_width=config.integer("shared_intermediate_size", default=0, low=0),
    )
    return replace(
        hybrid_facts(config, size, tied=False),
        mixer=chosen(full, attention(size), block),
        feed_forward=lambda _: routed,
    )
