"""Encoder-only families: BERT and its kin, for embedding, reranking, classification, masked words.

They attend both ways and keep no cache. Source: transformers 5.23.0, `models/*/modeling_*.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.encoder_heads import (
    ALBERT,
    BERT,
    DEBERTA,
    DISTILBERT,
    ELECTRA,
    MODERNBERT,
    ROBERTA,
    Heads,
    head_of,
)
from service.catalog.families.parts import Shape, attention, dense, shape, with_biases
from service.catalog.families.reading import Config
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensors, matrix, norm, vector

POST_NORMS = Norms(bias=True, final=False)
ROBERTA_PADDING = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Tables beside the words: rows of positions and token types, and the width of all tables."""

    width: int
    positions: int
    types: int

    def tensors(self, hidden: int, *, projected_bias: bool = False) -> Tensors:
        """Position and type tables, the norm over their sum, and a projection to the blocks."""
        tables = (
            matrix("position_embeddings", "position", self.positions, self.width),
            matrix("token_type_embeddings", "position", self.types, self.width),
        )
        projection = (matrix("embeddings_project", "projector", hidden, self.width),)
        bias = (vector("embeddings_project.bias", "bias", hidden),) if projected_bias else ()
        return (
            *(table for table in tables if table.rows),
            *norm("embeddings.LayerNorm", self.width, bias=True),
            *((*projection, *bias) if self.width != hidden else ()),
        )


def inputs(config: Config, size: Shape, *, learned: bool = True, types: int = 2) -> Inputs:
    """Tables as the config sizes them."""
    return Inputs(
        width=config.integer("embedding_size", default=size.hidden),
        positions=config.integer("max_position_embeddings") if learned else 0,
        types=config.integer("type_vocab_size", default=types, low=0),
    )


def encoder(
    config: Config,
    size: Shape,
    mixer: Attention,
    part: DenseFeedForward,
    heads: Heads,
    extras: Tensors,
) -> Facts:
    """Facts of an encoder: both ways, no cache, and the head that the published class has."""
    both_ways = replace(mixer, keeps="nothing")
    head = head_of(config, size, heads)
    return Facts(
        hidden_size=size.hidden,
        vocabulary_size=size.vocabulary,
        layers=size.layers,
        tied=head.output == "scores" and config.flag("tie_word_embeddings", default=True),
        mixer=lambda _: both_ways,
        feed_forward=lambda _: part,
        norms=POST_NORMS,
        headless=head.output != "scores",
        extras=extras,
        head_extras=head.tensors,
        output=head.output,
        context_limit=size.context,
    )


def with_all_biases(size: Shape) -> Attention:
    """Attention with biases on all four projections."""
    return with_biases(attention(size), inputs=True, output=True)


def bert(config: Config) -> Facts:
    """BERT: learned positions, two token types, biases everywhere, norms after each part."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    tables = inputs(config, size).tensors(size.hidden)
    return encoder(config, size, with_all_biases(size), part, BERT, tables)


def roberta(config: Config) -> Facts:
    """RoBERTa and XLM-R: positions begin behind the padding's, so that fewer tokens have one."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    tables = inputs(config, size, types=1).tensors(size.hidden)
    base = encoder(config, size, with_all_biases(size), part, ROBERTA, tables)
    padding = config.integer("pad_token_id", default=ROBERTA_PADDING, low=0) + 1
    return replace(base, context_limit=max(1, (size.context or padding + 1) - padding))


def nomic_bert(config: Config) -> Facts:
    """Nomic: BERT with rotary positions, a gated feed-forward and no biases."""
    size = shape(config)
    bias = config.flag("qkv_proj_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, bias=config.flag("mlp_fc1_bias"))
    tables = inputs(config, size, learned=False).tensors(size.hidden)
    heads = replace(BERT, model_pools=False)
    return encoder(config, size, mixer, part, heads, tables)


def jina_v3(config: Config) -> Facts:
    """Jina embeddings 3: XLM-R with rotary positions, and a pooler."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    tables = inputs(config, size, learned=False, types=1).tensors(size.hidden)
    return encoder(config, size, with_all_biases(size), part, ROBERTA, tables)


def electra(config: Config) -> Facts:
    """ELECTRA: BERT whose tables may be narrower than its blocks."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    tables = inputs(config, size)
    extras = tables.tensors(size.hidden, projected_bias=True)
    base = encoder(config, size, with_all_biases(size), part, ELECTRA, extras)
    return replace(base, embedding_size=tables.width)


def albert(config: Config) -> Facts:
    """ALBERT: all blocks of a group share one set of weights; tables are narrow."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    tables = inputs(config, size)
    extras = tables.tensors(size.hidden, projected_bias=True)
    groups = config.integer("num_hidden_groups", default=1, high=size.layers)
    if config.integer("inner_group_num", default=1) != 1:
        raise config.wrong("inner_group_num", "is not modelled; only 1 is")
    base = encoder(config, size, with_all_biases(size), part, ALBERT, extras)
    return replace(
        base,
        embedding_size=tables.width,
        shared_group=lambda index: index * groups // size.layers,
    )


def distilbert(config: Config) -> Facts:
    """DistilBERT: BERT of half the blocks, without token types."""
    size = shape(config)
    part = dense(config, size, gated=False, bias=True)
    tables = inputs(config, size, types=0).tensors(size.hidden)
    return encoder(config, size, with_all_biases(size), part, DISTILBERT, tables)


def deberta_v2(config: Config) -> Facts:
    """DeBERTa 2 and 3: a table of relative positions that all blocks share."""
    size = shape(config)
    size = replace(size, head_dim=config.integer("attention_head_size", default=size.head_dim))
    absolute = config.flag("position_biased_input", default=True)
    tables = inputs(config, size, learned=absolute, types=0)
    part = dense(config, size, gated=False, bias=True)
    extras = (
        *tables.tensors(size.hidden),
        *_relative_positions(config, size),
        *_convolution(config, size),
    )
    base = encoder(config, size, with_all_biases(size), part, DEBERTA, extras)
    own = _position_projections(config, size)
    return replace(base, embedding_size=tables.width, layer_extras=lambda _: own)


def _relative_positions(config: Config, size: Shape) -> Tensors:
    if not config.flag("relative_attention"):
        return ()
    buckets = config.integer("position_buckets", default=-1, low=-1)
    reach = config.integer("max_relative_positions", default=-1, low=-1)
    reach = reach if reach > 0 else config.integer("max_position_embeddings")
    rows = 2 * (buckets if buckets > 0 else reach)
    normed = "layer_norm" in (config.text("norm_rel_ebd") or "none")
    return (
        matrix("rel_embeddings", "position", rows, size.hidden),
        *(norm("rel_embeddings.LayerNorm", size.hidden, bias=True) if normed else ()),
    )


def _position_projections(config: Config, size: Shape) -> Tensors:
    """Projections of relative positions, where keys and queries do not lend theirs."""
    if config.flag("share_att_key") or not config.flag("relative_attention"):
        return ()
    width, kinds = size.heads * size.head_dim, config.items("pos_att_type") or ()
    names = {"c2p": "pos_key_proj", "p2c": "pos_query_proj"}
    return tuple(
        tensor
        for kind, name in names.items()
        if kind in kinds
        for tensor in (
            matrix(name, "attention", width, size.hidden, cut="heads", heads=size.heads),
            vector(f"{name}.bias", "bias", width, cut="heads", heads=size.heads),
        )
    )


def _convolution(config: Config, size: Shape) -> Tensors:
    kernel = config.integer("conv_kernel_size", default=0, low=0)
    if not kernel:
        return ()
    inputs_each = size.hidden // config.integer("conv_groups", default=1)
    return (
        matrix("conv", "convolution", size.hidden, inputs_each * kernel),
        vector("conv.bias", "bias", size.hidden),
        *norm("conv.LayerNorm", size.hidden, bias=True),
    )


def modernbert(config: Config) -> Facts:
    """ModernBERT: gated, pre-normalised, rotary; the first block has no norm before attention."""
    size = shape(config)
    bias = config.flag("attention_bias")
    norm_bias = config.flag("norm_bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    part = dense(config, size, bias=config.flag("mlp_bias"))
    extras = norm("embeddings.norm", size.hidden, bias=norm_bias)
    base = encoder(config, size, mixer, part, MODERNBERT, extras)
    before = norm("attn_norm", size.hidden, bias=norm_bias)
    norms = Norms(per_block=1, bias=norm_bias, final=True)
    return replace(base, norms=norms, layer_extras=lambda index: before if index else ())
