"""Families of short states: LFM 2 with its convolutions, RecurrentGemma with its recurrences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts
from service.catalog.families.hybrid import hybrid_facts
from service.catalog.families.parts import (
    Shape,
    after,
    attention,
    dense,
    mixture,
    shape,
    with_biases,
    with_head_norms,
)
from service.catalog.families.reading import MAX_LAYERS, MAX_TOKENS, Config
from service.catalog.families.state_space import layer_indices, layer_words
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import GatedRecurrence, Mixer, ShortConvolution

LFM_WORDS = frozenset({"conv", "full_attention"})
GRIFFIN_PATTERN = ("recurrent", "recurrent", "attention")


def _short(config: Config, size: Shape) -> Callable[[int], Mixer]:
    """Attention where the config lists it, a short convolution in all other layers."""
    plain = with_head_norms(attention(size))
    block = ShortConvolution(
        hidden_size=size.hidden,
        kernel=config.integer("conv_L_cache", default=3),
        bias=config.flag("conv_bias"),
    )
    words = layer_words(config, size.layers, "layer_types", known=LFM_WORDS)
    listed = layer_indices(config, "full_attn_idxs", size.layers)
    if words is None and listed is None:
        return lambda _: plain
    attends = listed or frozenset()
    if words is not None:
        attends = frozenset(i for i, word in enumerate(words) if word == "full_attention")
    return lambda index: plain if index in attends else block


def adjusted_width(config: Config, size: Shape) -> int:
    """LFM 2's feed-forward: two thirds of the stated width, rounded up to a whole multiple."""
    width = config.integer("block_ff_dim", "intermediate_size", default=4 * size.hidden)
    if not config.flag("block_auto_adjust_ff_dim", default=True):
        return width
    scaled = int(config.number("block_ffn_dim_multiplier", 1.0) * (2 * width // 3))
    if scaled < 1:
        raise config.wrong("block_ffn_dim_multiplier", "must leave a width of at least 1")
    multiple = config.integer("block_multiple_of", default=256)
    return -(-scaled // multiple) * multiple


def lfm2(config: Config) -> Facts:
    """LFM 2: convolutions between a few attention layers."""
    size = shape(config)
    part = DenseFeedForward(hidden_size=size.hidden, width=adjusted_width(config, size))
    base = hybrid_facts(config, size, tied=True)
    return replace(base, mixer=_short(config, size), feed_forward=lambda _: part)


def lfm2_moe(config: Config) -> Facts:
    """LFM 2 with experts after the leading dense layers."""
    size = shape(config)
    first = config.integer("num_dense_layers", default=2, low=0, high=MAX_LAYERS)
    routed = mixture(config, size, width_keys=("moe_intermediate_size",))
    base = hybrid_facts(config, size, tied=True)
    parts = after(first, dense(config, size), routed)
    return replace(base, mixer=_short(config, size), feed_forward=parts)


def recurrent_gemma(config: Config) -> Facts:
    """RecurrentGemma: two recurrences, then a sliding attention; the stated width is doubled."""
    size = shape(config)
    bias = config.flag("attention_bias")
    plain = replace(
        with_biases(attention(size), inputs=bias, output=True),
        window_tokens=config.integer(
            "attention_window_size", "sliding_window", default=2048, high=MAX_TOKENS
        ),
    )
    block = GatedRecurrence(
        hidden_size=size.hidden,
        width=config.integer("lru_width", default=size.hidden),
        heads=size.heads,
        kernel=config.integer("conv1d_width", default=4),
    )
    pattern = config.items("block_types") or GRIFFIN_PATTERN
    part = dense(config, size, bias=True)
    part = replace(part, width=max(1, part.width // 2))
    return replace(
        hybrid_facts(config, size, tied=True),
        mixer=lambda i: plain if pattern[i % len(pattern)] == "attention" else block,
        feed_forward=lambda _: part,
    )
