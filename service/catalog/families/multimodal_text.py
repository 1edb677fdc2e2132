"""Decoders that occur beside towers: cross attention, chunks, experts of two modalities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts
from service.catalog.families.llama_like import FOUR_NORMS
from service.catalog.families.parts import (
    attention,
    dense,
    facts,
    mixture,
    shape,
    with_biases,
    with_head_norms,
)
from service.catalog.families.reading import MAX_EXPERTS, MAX_LAYERS, MAX_TOKENS, Config
from service.domain.feed_forward import FeedForward
from service.domain.mixers import Attention
from service.domain.tensors import matrix, vector

MLLAMA_SPECIAL_ROWS = 8
FULL_EVERY = 4


def mllama(config: Config) -> Facts:
    """Llama 3.2 Vision: some layers look at image features instead of the text, behind gates."""
    size = shape(config)
    plain = attention(size)
    cross = replace(with_head_norms(plain), keeps="encoder")
    crossing = frozenset(config.whole_numbers("cross_attention_layers", below=size.layers) or ())
    gates = (vector("cross_attn_gates", "norm", 2),)
    base = facts(config, size, lambda i: cross if i in crossing else plain, dense(config, size))
    special = matrix("embed_tokens.special", "embedding", MLLAMA_SPECIAL_ROWS, size.hidden)
    return replace(base, extras=(special,), layer_extras=lambda i: gates if i in crossing else ())


def llama4(config: Config) -> Facts:
    """Llama 4: attention in chunks but each fourth layer; experts in every or every second."""
    size = shape(config)
    bias = config.flag("attention_bias")
    whole = with_biases(attention(size), inputs=bias, output=bias)
    chunk = config.integer("attention_chunk_size", default=0, low=0, high=MAX_TOKENS)
    chunks = replace(whole, window_tokens=chunk)
    chunked = _chunked(config)
    width = config.integer("intermediate_size")
    routed = replace(mixture(config, size, width_keys=("intermediate_size",)), shared_width=width)
    plain = replace(dense(config, size), width=config.integer("intermediate_size_mlp"))
    sparse = _sparse_layers(config, size.layers)
    return facts(
        config,
        size,
        lambda i: chunks if chunked(i) else whole,
        lambda i: routed if i in sparse else plain,
    )


def _chunked(config: Config) -> Callable[[int], bool]:
    kinds, rotary = config.items("layer_types"), config.whole_numbers("no_rope_layers", below=2)
    period = config.integer("no_rope_layer_interval", default=FULL_EVERY)
    if kinds is not None:
        return lambda i: i < len(kinds) and kinds[i] == "chunked_attention"
    if rotary:
        return lambda i: i < len(rotary) and rotary[i] == 1
    return lambda i: (i + 1) % period != 0


def _sparse_layers(config: Config, layers: int) -> frozenset[int]:
    listed = config.whole_numbers("moe_layers", below=layers)
    if listed is not None:
        return frozenset(listed)
    step = config.integer("interleave_moe_layer_step", default=1)
    return frozenset(range(step - 1, layers, step))


def glm4v(config: Config) -> Facts:
    """GLM 4V: GLM 4 of 2025, whose config does not name its input biases."""
    size = shape(config)
    bias = config.flag("attention_bias", default=True)
    mixer = with_biases(attention(size), inputs=bias, output=False)
    return facts(config, size, mixer, dense(config, size), norms=FOUR_NORMS)


def ernie_vl(config: Config) -> Facts:
    """ERNIE 4.5 VL: experts for text and others for images, shared ones for both."""
    size = shape(config)
    bias = config.flag("use_bias")
    mixer: Attention = with_biases(attention(size), inputs=bias, output=bias)
    counts = ("moe_num_experts",)
    active = config.integer("moe_k", "num_experts_per_tok", high=MAX_EXPERTS)
    shared = config.integer("moe_num_shared_experts", default=0, low=0, high=MAX_EXPERTS)

    def experts(modality: int) -> FeedForward:
        one = {
            "num_experts": config.by_layer(modality, *counts, high=MAX_EXPERTS),
            "num_experts_per_tok": active,
            "moe_intermediate_size": config.by_layer(modality, "moe_intermediate_size"),
        }
        part = mixture(Config(one, config.path), size)
        width = shared * part.width if modality == 0 else 0
        return replace(part, router_bias=True, shared_width=width)

    both = (experts(0), experts(1))
    plain = dense(config, size, bias=bias)
    sparse = _ernie_sparse(config, size.layers)
    base = facts(config, size, mixer, plain, tied=True)
    return replace(base, feed_forward=lambda i: both if i in sparse else plain)


def _ernie_sparse(config: Config, layers: int) -> frozenset[int]:
    kinds = config.items("mlp_layer_types")
    if kinds is not None:
        return frozenset(index for index, kind in enumerate(kinds) if kind == "sparse")
    start = config.by_layer(0, "moe_layer_start_index", default=1, high=MAX_LAYERS)
    return frozenset(range(start, layers))
