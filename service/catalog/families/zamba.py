"""Zamba: Mamba layers, and transformer blocks that are stored once and used in many layers.

A block's weights are counted in the first layer that uses it, as its files hold them; with
pipeline stages every stage that uses it would hold a copy.
"""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts, FeedForwards, Mixers
from service.catalog.families.parts import HIDDEN, dense, shape
from service.catalog.families.reading import Config
from service.catalog.families.state_space import (
    layer_words,
    mamba_block,
    state_bits,
    state_facts,
)
from service.domain.mixers import Attention, GroupedStateSpace
from service.domain.tensors import Tensors, matrix, vector

ZAMBA_WORDS = frozenset({"mamba", "hybrid", "linear_attention"})


def hybrid_layers(config: Config, layers: int) -> tuple[int, ...]:
    """Layers in which Zamba puts its shared block before the Mamba block."""
    words = layer_words(config, layers, "layers_block_type", "layer_types", known=ZAMBA_WORDS)
    if words is None:
        raise config.wrong("layers_block_type", "is missing")
    return tuple(index for index, word in enumerate(words) if word == "hybrid")


def shared_attention(config: Config, *, width: int, output: int) -> Attention:
    """Attention over the hidden state and the embedding side by side: Zamba's shared block."""
    heads = config.integer("num_attention_heads")
    return Attention(
        hidden_size=width,
        heads=heads,
        kv_heads=config.integer("num_key_value_heads", default=heads),
        head_dim=config.integer("attention_head_dim", default=max(1, width // heads)),
        output_size=output,
    )


def zamba(config: Config) -> Facts:
    """Zamba 1: one transformer block, stored once and used in every hybrid layer."""
    hidden = config.integer(*HIDDEN)
    base = state_facts(config, mamba_block(config, hidden), tied=True)
    block = replace(mamba_block(config, hidden), heads=config.integer("n_mamba_heads", default=2))
    shared = hybrid_layers(config, base.layers)
    width = config.integer("attention_hidden_size", default=2 * hidden)
    attends = shared_attention(config, width=width, output=hidden)
    part = dense(config, shape(config))
    first = shared[0] if shared else -1
    around: Tensors = (
        vector("input_layernorm", "norm", width),
        vector("pre_ff_layernorm", "norm", hidden),
    )
    linear: Tensors = (matrix("linear", "attention", hidden, hidden),)

    def mixers(index: int) -> Mixers:
        if index not in shared:
            return block
        return (block, attends if index == first else replace(attends, borrowed=True))

    def parts(index: int) -> FeedForwards:
        return part if index == first else None

    def extras(index: int) -> Tensors:
        return (*linear, *(around if index == first else ())) if index in shared else ()

    return replace(base, mixer=mixers, feed_forward=parts, layer_extras=extras)


def zamba2_block(config: Config, hidden: int) -> GroupedStateSpace:
    """The Mamba 2 mixer of Zamba 2."""
    heads = config.integer("n_mamba_heads", default=8)
    inner = config.integer("mamba_expand", default=2) * hidden
    bias = config.flag("add_bias_linear")
    return GroupedStateSpace(
        hidden_size=hidden,
        heads=heads,
        head_dim=config.integer("mamba_headdim", default=max(1, inner // heads)),
        groups=config.integer("mamba_ngroups", default=1),
        state_size=config.integer("mamba_d_state", default=64),
        kernel=config.integer("mamba_d_conv", default=4),
        bias=bias,
        output_bias=bias,
        state_bits=state_bits(config),
    )


def zamba2(config: Config) -> Facts:
    """Zamba 2: shared blocks that alternate, each use with its own low-rank adapters."""
    hidden = config.integer(*HIDDEN)
    block = zamba2_block(config, hidden)
    base = state_facts(config, block, tied=True)
    shared = hybrid_layers(config, base.layers)
    width = config.integer("attention_hidden_size", default=2 * hidden)
    attends = shared_attention(config, width=width, output=hidden)
    part = dense(config, shape(config))
    stored = frozenset(shared[: config.integer("num_mem_blocks", default=1)])
    around: Tensors = (
        vector("input_layernorm", "norm", width),
        vector("pre_ff_layernorm", "norm", hidden),
    )
    own = (
        matrix("linear", "attention", hidden, hidden),
        *_adapters(config, hidden, width, part.width),
    )

    def mixers(index: int) -> Mixers:
        if index not in shared:
            return block
        return (block, attends if index in stored else replace(attends, borrowed=True))

    def extras(index: int) -> Tensors:
        return (*own, *(around if index in stored else ())) if index in shared else ()

    return replace(
        base,
        mixer=mixers,
        feed_forward=lambda index: part if index in stored else None,
        layer_extras=extras,
    )


def _adapters(config: Config, hidden: int, width: int, inner: int) -> Tensors:
    rank = config.integer("adapter_rank", default=128)
    up = (
        matrix("gate_up_proj_adapter.0", "mlp", rank, hidden),
        matrix("gate_up_proj_adapter.1", "mlp", 2 * inner, rank, cut="rows"),
    )
    if not config.flag("use_shared_attention_adapter"):
        return up
    names = ("linear_q_adapter", "linear_k_adapter", "linear_v_adapter")
    pairs = tuple(
        tensor
        for name in names
        for tensor in (
            matrix(f"{name}.0", "attention", rank, width),
            matrix(f"{name}.1", "attention", width, rank, cut="rows"),
        )
    )
    return (*up, *pairs)
