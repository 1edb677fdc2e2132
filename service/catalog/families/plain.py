"""Families of ungated or LayerNorm decoders: GPT-2 and its kin, and two-matrix Llamas."""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.parts import (
    attention,
    dense,
    facts,
    shape,
    windowed,
    with_biases,
    with_head_norms,
)
from service.catalog.families.reading import MAX_TOKENS, Config
from service.domain.mixers import Attention
from service.domain.tensors import matrix, norm, vector

LAYER_NORMS = Norms(bias=True)
ONE_LAYER_NORM = Norms(bias=True, per_block=1)
OPT_POSITION_OFFSET = 2
TWO_NORMS = 2


def gpt2(config: Config) -> Facts:
    """GPT-2: learned positions, biases everywhere, tied."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=True, output=True)
    part = dense(config, size, gated=False, bias=True)
    base = facts(config, size, mixer, part, norms=LAYER_NORMS, tied=True)
    return replace(base, positions=config.integer("n_positions", "max_position_embeddings"))


def gpt_bigcode(config: Config) -> Facts:
    """StarCoder 1: GPT-2 with one key-value head."""
    base = gpt2(config)
    size = shape(config)
    if not config.flag("multi_query", default=True):
        return base
    mixer = with_biases(attention(replace(size, kv_heads=1)), inputs=True, output=True)
    return replace(base, mixer=lambda _: mixer)


def gpt_neo(config: Config) -> Facts:
    """GPT-Neo: input projections without biases; local layers look back over a window."""
    base, size = gpt2(config), shape(config)
    mixer = with_biases(attention(size), inputs=False, output=True)
    window = config.integer("window_size", default=256, high=MAX_TOKENS)
    narrow, local = replace(mixer, window_tokens=window), _local_layers(config, size.layers)
    return replace(base, mixer=lambda index: narrow if index in local else mixer)


def _local_layers(config: Config, layers: int) -> frozenset[int]:
    """Layers that `attention_types` calls local: patterns, each with its repetitions."""
    key = "attention_types"
    words: list[object] = []
    for row in config.items(key) or ([["global", "local"], layers // 2],):
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], list):  # ruff: ignore[magic-value-comparison] - a pattern and its repetitions
            raise config.wrong(key, "must hold pairs of a pattern and its repetitions")
        pattern, times = row
        if type(times) is not int or not 0 <= len(pattern) * times <= layers:
            raise config.wrong(key, f"must describe {layers} layers, not more")
        words += pattern * times
    if len(words) not in {layers, layers - 1}:
        raise config.wrong(key, f"must describe {layers} layers, not {len(words)}")
    return frozenset(index for index, word in enumerate(words) if word == "local")


def gpt_neox(config: Config) -> Facts:
    """GPT-NeoX and Pythia: biases everywhere, untied."""
    size = shape(config)
    bias = config.flag("attention_bias", default=True)
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, gated=False, bias=True)
    return facts(config, size, mixer, part, norms=LAYER_NORMS)


def gptj(config: Config) -> Facts:
    """GPT-J and CodeGen: one norm for parallel parts, a bias on the head."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    base = facts(config, size, attention(size), part, norms=ONE_LAYER_NORM)
    return replace(base, head_bias=True)


def opt(config: Config) -> Facts:
    """OPT: two further positions; the smallest projects its table into the hidden size."""
    size = shape(config)
    bias = config.flag("enable_bias", default=True)
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, gated=False, bias=bias)
    pre_norm = config.flag("do_layer_norm_before", default=True)
    base = facts(config, size, mixer, part, norms=Norms(bias=True, final=pre_norm), tied=True)
    width = config.integer("word_embed_proj_dim", default=size.hidden)
    extras = (
        ()
        if width == size.hidden
        else (
            matrix("project_in", "projector", size.hidden, width),
            matrix("project_out", "projector", width, size.hidden),
        )
    )
    return replace(
        base,
        positions=config.integer("max_position_embeddings") + OPT_POSITION_OFFSET,
        embedding_size=0 if width == size.hidden else width,
        extras=extras,
    )


def bloom(config: Config) -> Facts:
    """BLOOM: no position table, a norm behind the input table, tied."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=True, output=True)
    part = dense(config, size, gated=False, bias=True)
    base = facts(config, size, mixer, part, norms=LAYER_NORMS, tied=True)
    return replace(base, extras=norm("word_embeddings_layernorm", size.hidden, bias=True))


def mpt(config: Config) -> Facts:
    """MPT: no biases unless `no_bias` is false; positions are learned unless ALiBi is on."""
    size = shape(config)
    inner = config.section("attn_config")
    size = replace(size, kv_heads=inner.integer("kv_n_heads", default=size.heads))
    bias = not config.flag("no_bias", default=True)
    width = config.integer("expansion_ratio", default=4) * size.hidden
    part = replace(dense(config, size, gated=False, bias=bias), width=width)
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    base = facts(config, size, mixer, part, norms=Norms(bias=bias), tied=True)
    learned = config.flag("learned_pos_emb", default=True) and not inner.flag("alibi", default=True)
    return replace(base, positions=(size.context or 0) if learned else 0)


def falcon(config: Config) -> Facts:
    """Falcon: one key-value head, or groups in the new decoder, which has two norms."""
    new = config.flag("new_decoder_architecture")
    size = shape(config, kv_keys=("num_kv_heads", "n_head_kv") if new else ("-",))
    if not new and config.flag("multi_query", default=True):
        size = replace(size, kv_heads=1)
    bias = config.flag("bias")
    parallel = config.flag("parallel_attn", default=True)
    two = (
        new and config.integer("num_ln_in_parallel_attn", default=TWO_NORMS) == TWO_NORMS
    ) or not parallel
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, gated=False, bias=bias)
    norms = Norms(bias=True, per_block=2 if two else 1)
    return facts(config, size, mixer, part, norms=norms, tied=True)


def phi(config: Config) -> Facts:
    """Phi 1 and 2: parallel parts behind one norm, biases everywhere, also on the head."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=True, output=True)
    part = dense(config, size, gated=False, bias=True)
    return replace(facts(config, size, mixer, part, norms=ONE_LAYER_NORM), head_bias=True)


def starcoder2(config: Config) -> Facts:
    """StarCoder 2: `use_bias` everywhere, LayerNorm, tied, sliding where a window is set."""
    size = shape(config)
    bias = config.flag("use_bias", default=True)
    mixer: Attention = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, gated=False, bias=bias)
    slides = windowed(config, mixer, lambda _: True)
    return facts(config, size, slides, part, norms=LAYER_NORMS, tied=True)


def nemotron(config: Config) -> Facts:
    """Nemotron: squared ReLU with two matrices, LayerNorm with biases."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, gated=False, bias=config.flag("mlp_bias"))
    return facts(config, size, mixer, part, norms=LAYER_NORMS)


def arcee(config: Config) -> Facts:
    """Arcee: squared ReLU with two matrices, RMSNorm."""
    size = shape(config)
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, gated=False, bias=config.flag("mlp_bias"))
    return facts(config, size, mixer, part)


def apertus(config: Config) -> Facts:
    """Apertus: xIELU with two learned scalars a layer, norms over heads."""
    base = arcee(config)
    mixer = with_head_norms(attention(shape(config)))
    return replace(
        base, mixer=lambda _: mixer, layer_extras=lambda _: (vector("xielu", "bias", 2),)
    )


def persimmon(config: Config) -> Facts:
    """Persimmon: LayerNorms over heads, biases everywhere."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=True, output=True)
    mixer = replace(mixer, query_norm=size.head_dim, key_norm=size.head_dim, norm_bias=True)
    part = dense(config, size, gated=False, bias=True)
    return facts(config, size, mixer, part, norms=LAYER_NORMS)


def xglm(config: Config) -> Facts:
    """XGLM: sinusoidal positions without weights, biases everywhere, tied."""
    size = shape(config)
    mixer = with_biases(attention(size), inputs=True, output=True)
    part = dense(config, size, gated=False, bias=True)
    return facts(config, size, mixer, part, norms=LAYER_NORMS, tied=True)
