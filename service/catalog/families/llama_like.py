"""Families of gated, pre-normalised decoders: Llama and its kin."""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.parts import (
    attention,
    dense,
    every,
    facts,
    layer_pattern,
    shape,
    windowed,
    with_biases,
    with_head_norms,
    with_wide_norms,
)
from service.catalog.families.reading import Config

FOUR_NORMS = Norms(per_block=4)


def llama(config: Config) -> Facts:
    """Llama 1 to 3 and models of its shape: `attention_bias` covers all four projections."""
    size = shape(config)
    bias = config.flag("attention_bias", "qkv_bias", "use_bias", "bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, bias=config.flag("mlp_bias", "use_bias"))
    return facts(config, size, mixer, part)


def mistral(config: Config) -> Facts:
    """Mistral: every layer slides where a window is set."""
    size = shape(config)
    mixer = windowed(config, attention(size), layer_pattern(config, lambda _: True))
    return facts(config, size, mixer, dense(config, size))


def qwen2(config: Config) -> Facts:
    """Qwen 1.5 to 2.5: query, key and value have biases; a window counts only when it is used."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=True, output=False)
    if config.flag("use_sliding_window"):
        first = config.integer("max_window_layers", default=0, low=0)
        slides = layer_pattern(config, lambda index: index >= first)
        return facts(config, size, windowed(config, mixer, slides), dense(config, size))
    return facts(config, size, mixer, dense(config, size))


def qwen(config: Config) -> Facts:
    """Qwen v1: `intermediate_size` is both gates together; biases on query, key and value."""
    size = shape(config)
    part = dense(config, size)
    mixer = with_biases(attention(size), inputs=True, output=False)
    return facts(config, size, mixer, replace(part, width=part.width // 2))


def qwen3(config: Config) -> Facts:
    """Qwen 3: a norm over each head of queries and keys."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(with_head_norms(attention(size)), inputs=bias, output=bias)
    return facts(config, size, mixer, dense(config, size))


def gemma(config: Config) -> Facts:
    """Gemma 1: tied."""
    size = shape(config)
    return facts(config, size, attention(size), dense(config, size), tied=True)


def gemma2(config: Config) -> Facts:
    """Gemma 2: four norms a block, every second layer slides."""
    size = shape(config)
    mixer = windowed(config, attention(size), layer_pattern(config, every(2)))
    return facts(config, size, mixer, dense(config, size), norms=FOUR_NORMS, tied=True)


def gemma3_text(config: Config) -> Facts:
    """Gemma 3: as Gemma 2 with norms over heads; each sixth layer sees everything."""
    size = shape(config)
    period = config.integer("sliding_window_pattern", "_sliding_window_pattern", default=6)
    slides = layer_pattern(config, every(period))
    one = with_head_norms(attention(size))
    if config.flag("use_bidirectional_attention"):
        one = replace(one, keeps="nothing")
    mixer = windowed(config, one, slides)
    return facts(config, size, mixer, dense(config, size), norms=FOUR_NORMS, tied=True)


def phi3(config: Config) -> Facts:
    """Phi 3 and 4: fused matrices of Llama's shape; every layer slides where a window is set."""
    size = shape(config)
    mixer = windowed(config, attention(size), lambda _: True)
    return facts(config, size, mixer, dense(config, size))


def olmo(config: Config) -> Facts:
    """OLMo 1: norms without parameters."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    return facts(config, size, mixer, dense(config, size), norms=Norms(weight=False))


def olmo2(config: Config) -> Facts:
    """OLMo 2 and 3: norms over all heads together; OLMo 3 slides but each fourth layer."""
    size = shape(config)
    slides = layer_pattern(config, every(4))
    mixer = windowed(config, with_wide_norms(attention(size)), slides)
    return facts(config, size, mixer, dense(config, size))


def exaone4(config: Config) -> Facts:
    """EXAONE 4: norms over heads and after each part; a pattern of windows in the large model."""
    size = shape(config)
    slides = layer_pattern(config, every(4))
    mixer = windowed(config, with_head_norms(attention(size)), slides)
    return facts(config, size, mixer, dense(config, size))


def cohere(config: Config) -> Facts:
    """Command R: parallel parts behind one norm, tied; the largest normalises each head apart."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    if config.flag("use_qk_norm"):
        mixer = with_wide_norms(mixer)
    return facts(config, size, mixer, dense(config, size), norms=Norms(per_block=1), tied=True)


def cohere2(config: Config) -> Facts:
    """Command R7B and A: as Command R, sliding but each fourth layer."""
    size = shape(config)
    period = config.integer("sliding_window_pattern", default=4)
    mixer = windowed(config, attention(size), layer_pattern(config, every(period)))
    return facts(config, size, mixer, dense(config, size), norms=Norms(per_block=1), tied=True)


def glm(config: Config) -> Facts:
    """GLM 4: biases on query, key and value."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=config.flag("attention_bias"), output=False)
    return facts(config, size, mixer, dense(config, size))


def glm4(config: Config) -> Facts:
    """GLM 4 of 2025: as GLM 4 with norms after each part too."""
    return replace(glm(config), norms=FOUR_NORMS)


def chatglm(config: Config) -> Facts:
    """ChatGLM: groups of queries under their own key; biases on query, key and value."""
    groups = "multi_query_group_num" if config.flag("multi_query_attention") else "-"
    size = shape(config, kv_keys=(groups,))
    size = replace(size, head_dim=config.integer("kv_channels", default=size.head_dim))
    bias = config.flag("add_qkv_bias")
    mixer = with_biases(attention(size), inputs=bias, output=False)
    # the published class is called ChatGLMModel and has a head all the same
    return replace(facts(config, size, mixer, dense(config, size)), headless=False, output="tokens")


def seed_oss(config: Config) -> Facts:
    """Seed-OSS: input biases and output bias have their own keys."""
    size = shape(config)
    mixer = with_biases(
        attention(size),
        inputs=config.flag("attention_bias", default=True),
        output=config.flag("attention_out_bias"),
    )
    return facts(config, size, mixer, dense(config, size))


def hunyuan(config: Config) -> Facts:
    """Hunyuan dense: norms over heads after rotation."""
    size = shape(config)
    mixer = attention(size)
    if config.flag("use_qk_norm", default=True):
        mixer = with_head_norms(mixer)
    return facts(config, size, mixer, dense(config, size))


def stablelm(config: Config) -> Facts:
    """StableLM: LayerNorm with biases; `use_qkv_bias`; parallel parts share one norm."""
    size = shape(config)
    norms = Norms(bias=True, per_block=1 if config.flag("use_parallel_residual") else 2)
    mixer = with_biases(attention(size), inputs=config.flag("use_qkv_bias"), output=False)
    if config.flag("qk_layernorm"):
        mixer = replace(
            mixer, query_norm=size.heads * size.head_dim, key_norm=size.kv_heads * size.head_dim
        )
    return facts(config, size, mixer, dense(config, size), norms=norms)


def ernie(config: Config) -> Facts:
    """ERNIE 4.5 dense: one switch for all biases, tied."""
    size = shape(config)
    bias = config.flag("use_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    return facts(config, size, mixer, dense(config, size, bias=bias), tied=True)


def internlm3(config: Config) -> Facts:
    """InternLM 3: `qkv_bias` for the inputs, `bias` for the output and the feed-forward."""
    size = shape(config)
    bias = config.flag("bias")
    mixer = with_biases(attention(size), inputs=config.flag("qkv_bias"), output=bias)
    return facts(config, size, mixer, dense(config, size, bias=bias))


def tied_llama(config: Config) -> Facts:
    """Llama's shape, tied where the config does not say."""
    size = shape(config)
    bias = config.flag("attention_bias", "use_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    return facts(config, size, mixer, dense(config, size, bias=config.flag("mlp_bias")), tied=True)


def muse_glimmer(config: Config) -> Facts:
    """Muse Glimmer: gated attention, norms over heads without weights, a window but each fourth."""
    size = shape(config)
    bias = config.flag("attention_bias")
    gated = replace(
        with_biases(attention(size), inputs=bias, output=bias), gate=size.heads * size.head_dim
    )
    mixer = windowed(config, gated, layer_pattern(config, every(4)))
    return facts(config, size, mixer, dense(config, size), norms=FOUR_NORMS)
