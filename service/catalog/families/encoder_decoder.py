"""Encoder-decoders: T5, BART and its kin, Whisper; and wav2vec2, an encoder of sound.

The encoder is a tower; a decoder block attends to the text so far and to the encoder's output.
Source: transformers 5.23.0, `models/*/modeling_*.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from service.catalog.families.decoder import Facts, Norms, layers
from service.catalog.families.reading import MAX_LAYERS, MAX_TOKENS, Config
from service.domain.architecture import Modality, Tower
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensors, matrix, norm, vector

CONVOLUTION_TAPS = 3
RELATIVE_BUCKETS = 32
BART_OFFSET = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a family of BART's shape differs: position tables, norms, and tied tables.

    stored      whether positions are a stored table, learned or sinusoidal
    offset      rows of the position table beyond the positions
    input_norm  a norm over the sum of the tables
    final_norm  a norm behind the last block
    """

    stored: bool = True
    offset: int = 0
    input_norm: bool = False
    final_norm: bool = False
    key_bias: bool = True


BART = Style(offset=BART_OFFSET, input_norm=True)
MBART = Style(offset=BART_OFFSET, input_norm=True, final_norm=True)
MARIAN = Style()
PEGASUS = Style(final_norm=True)
M2M_100 = Style(stored=False, final_norm=True)
WHISPER = Style(final_norm=True, key_bias=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Blocks of one side: an encoder's or a decoder's."""

    count: int
    mixer: Attention
    part: DenseFeedForward


def side(config: Config, name: str, style: Style) -> Side:
    """Encoder or decoder as the config sizes it; biases everywhere, but for Whisper's keys."""
    hidden = config.integer("d_model", "hidden_size")
    heads = config.integer(f"{name}_attention_heads")
    return Side(
        count=config.integer(f"{name}_layers", high=MAX_LAYERS),
        mixer=Attention(
            hidden_size=hidden,
            heads=heads,
            kv_heads=heads,
            head_dim=max(1, hidden // heads),
            query_bias=True,
            key_bias=style.key_bias,
            value_bias=True,
            output_bias=True,
        ),
        part=DenseFeedForward(
            hidden_size=hidden,
            width=config.integer(f"{name}_ffn_dim"),
            gated=False,
            up_bias=True,
            down_bias=True,
        ),
    )


def around(config: Config, style: Style, rows: int) -> Tensors:
    """Positions and the norm of the input, on one side."""
    hidden = config.integer("d_model", "hidden_size")
    table = (matrix("embed_positions", "position", rows + style.offset, hidden),)
    return (
        *(table if style.stored else ()),
        *(norm("layernorm_embedding", hidden, bias=True) if style.input_norm else ()),
    )


def tower(base: Facts, one: Side, modality: Modality, before: Tensors, item_tokens: int) -> Tower:
    """An encoder whose blocks attend both ways."""
    both_ways = replace(one.mixer, keeps="nothing")
    facts = replace(
        base, mixer=lambda _: both_ways, feed_forward=lambda _: one.part, norms=Norms(bias=True)
    )
    kinds, order = layers(facts, range(one.count))
    return Tower(
        name="encoder",
        modality=modality,
        hidden_size=base.hidden_size,
        layer_kinds=kinds,
        layer_order=order,
        before=before,
        after=base.norms.last(base.hidden_size),
        item_tokens=item_tokens,
    )


def decoder_facts(config: Config, style: Style, positions: int) -> Facts:
    """A decoder of BART's shape: self and cross attention, three norms a block, tied."""
    one = side(config, "decoder", style)
    cross = replace(one.mixer, keeps="encoder")
    return Facts(
        hidden_size=one.mixer.hidden_size,
        vocabulary_size=config.integer("vocab_size"),
        layers=one.count,
        tied=config.flag("tie_word_embeddings", default=True),
        mixer=lambda _: (one.mixer, cross),
        feed_forward=lambda _: one.part,
        norms=Norms(per_block=3, bias=True, final=style.final_norm),
        extras=around(config, style, positions),
        context_limit=positions,
    )


def translation(config: Config, style: Style) -> Facts:
    """Text to text: both sides share one table of words."""
    positions = config.integer("max_position_embeddings", high=MAX_TOKENS)
    base = decoder_facts(config, style, positions)
    encoder = side(config, "encoder", style)
    inputs = around(config, style, positions)
    return replace(base, towers=(tower(base, encoder, "text", inputs, 0),))


def bart(config: Config) -> Facts:
    """BART: learned positions, a norm over the input, norms after each part."""
    return translation(config, BART)


def mbart(config: Config) -> Facts:
    """mBART: as BART, and a norm behind the last block of each side."""
    return translation(config, MBART)


def marian(config: Config) -> Facts:
    """Marian: sinusoidal positions, which are stored."""
    return translation(config, MARIAN)


def pegasus(config: Config) -> Facts:
    """Pegasus: stored sinusoids, and a norm behind the last block of each side."""
    return translation(config, PEGASUS)


def m2m_100(config: Config) -> Facts:
    """M2M-100 and NLLB: sinusoidal positions, which are computed."""
    return translation(config, M2M_100)


def whisper(config: Config) -> Facts:
    """Whisper: two convolutions over the spectrum, 1,500 places of half a minute of sound."""
    base = decoder_facts(config, WHISPER, config.integer("max_target_positions", default=448))
    places = config.integer("max_source_positions", default=1500)
    hidden, bins = base.hidden_size, config.integer("num_mel_bins", default=80)
    sound = (
        matrix("conv1", "convolution", hidden, bins * CONVOLUTION_TAPS),
        vector("conv1.bias", "bias", hidden),
        matrix("conv2", "convolution", hidden, hidden * CONVOLUTION_TAPS),
        vector("conv2.bias", "bias", hidden),
        *around(config, WHISPER, places),
    )
    encoder = side(config, "encoder", WHISPER)
    return replace(base, towers=(tower(base, encoder, "audio", sound, places),))


def t5(config: Config) -> Facts:
    """T5: no biases, a table of relative positions in the first block of each side."""
    return _t5(config, tied=True)


def mt5(config: Config) -> Facts:
    """mT5: as T5 with a head of its own where the config does not say."""
    return _t5(config, tied=False)


def _t5(config: Config, *, tied: bool) -> Facts:
    hidden, heads = config.integer("d_model"), config.integer("num_heads")
    mixer = Attention(
        hidden_size=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=config.integer("d_kv", default=max(1, hidden // heads)),
    )
    gated = (config.text("feed_forward_proj") or "relu").startswith("gated")
    part = DenseFeedForward(hidden_size=hidden, width=config.integer("d_ff"), gated=gated)
    buckets = config.integer("relative_attention_num_buckets", default=RELATIVE_BUCKETS)
    relative = (matrix("relative_attention_bias", "position", buckets, heads),)
    both = config.integer("num_layers", high=MAX_LAYERS)
    cross = replace(mixer, keeps="encoder")
    base = Facts(
        hidden_size=hidden,
        vocabulary_size=config.integer("vocab_size"),
        layers=config.integer("num_decoder_layers", default=both, high=MAX_LAYERS),
        tied=config.flag("tie_word_embeddings", default=tied),
        mixer=lambda _: (mixer, cross),
        feed_forward=lambda _: part,
        norms=Norms(per_block=3),
        layer_extras=lambda index: () if index else relative,
        context_limit=config.integer("n_positions", default=0, low=0, high=MAX_TOKENS) or None,
    )
    both_ways = replace(mixer, keeps="nothing")
    kinds, order = layers(
        replace(base, mixer=lambda _: both_ways, norms=Norms(per_block=2)), range(both)
    )
    encoder = Tower(
        name="encoder",
        modality="text",
        hidden_size=hidden,
        layer_kinds=kinds,
        layer_order=order,
        after=norm("final_layer_norm", hidden),
    )
    return replace(base, towers=(encoder,))
