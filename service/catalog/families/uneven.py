"""Decoders whose blocks differ one by one, and dense ones with norms inside their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.parts import Shape, attention, dense, facts, shape, with_biases
from service.catalog.families.reading import Config
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensors, norm
from service.domain.units import round_up

WIDTH_MULTIPLE = 256
ROTARY_BUFFER = "rotary frequencies stored by every layer"


def bitnet(config: Config) -> Facts:
    """BitNet b1.58: a norm on the attention output and one inside the feed-forward, tied."""
    size = shape(config)
    part = dense(config, size)
    inner = (*norm("attn_sub_norm", size.hidden), *norm("ffn_sub_norm", part.width))
    bias = config.flag("attention_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    base = facts(config, size, mixer, part, tied=True)
    return replace(base, layer_extras=lambda _: inner)


def phi3_small(config: Config) -> Facts:
    """Phi 3 small: LayerNorms and biases everywhere, tied; each layer stores its rotary table."""
    size = shape(config)
    part = replace(dense(config, size, bias=True), width=config.integer("ff_intermediate_size"))
    mixer = with_biases(attention(size), inputs=True, output=True)
    base = facts(config, size, mixer, part, norms=Norms(bias=True), tied=True)
    stored = size.layers * size.head_dim // 2
    return replace(base, checkpoint_extras=((ROTARY_BUFFER, stored),))


def nemotron_nas(config: Config) -> Facts:
    """Nemotron Super and Ultra: every block names its groups and its width, or leaves a part out.

    Source: DeciLM, `modeling_decilm.py` and `block_config.py` beside the published weights.
    """
    size = shape(config, kv_keys=("-",))
    listed = config.items("block_configs")
    if listed is None:
        raise config.wrong("block_configs", "is missing")
    if len(listed) < size.layers:
        raise config.wrong("block_configs", f"must list all {size.layers} blocks")
    blocks = [
        _nas_block(Config(entry, f"{config.path}.block_configs.{index}"), size)
        for index, entry in enumerate(listed[: size.layers])
        if isinstance(entry, Mapping)
    ]
    if len(blocks) < size.layers:
        raise config.wrong("block_configs", "must be a list of objects")
    base = facts(config, size, attention(size), dense(config, size), norms=Norms(per_block=0))
    return replace(
        base,
        mixer=lambda index: blocks[index][0],
        feed_forward=lambda index: blocks[index][1],
        layer_extras=lambda index: blocks[index][2],
    )


def _nas_block(
    block: Config, size: Shape
) -> tuple[Attention | None, DenseFeedForward | None, Tensors]:
    mixing, feeding = block.section("attention"), block.section("ffn")
    for part in (mixing, feeding):
        if part.flag("replace_with_linear"):
            raise part.wrong("replace_with_linear", "is not modelled; only false is")
    mixer = None
    if not mixing.flag("no_op"):
        groups = mixing.integer("n_heads_in_group", high=size.heads)
        mixer = attention(replace(size, kv_heads=max(1, size.heads // groups)))
    feed_forward = None
    if not feeding.flag("no_op"):
        width = int(2 * feeding.number("ffn_mult", 1.0) * size.hidden / 3)
        if width < 1:
            raise feeding.wrong("ffn_mult", "must be above 0")
        feed_forward = DenseFeedForward(
            hidden_size=size.hidden, width=round_up(width, WIDTH_MULTIPLE)
        )
    before = norm("input_layernorm", size.hidden) if mixer else ()
    between = norm("post_attention_layernorm", size.hidden) if feed_forward else ()
    return mixer, feed_forward, (*before, *between)
