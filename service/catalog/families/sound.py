"""wav2vec2: convolutions over the waveform, then BERT's blocks.

Source: transformers 5.23.0, `models/wav2vec2/modeling_wav2vec2.py`.
"""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.parts import attention, dense, facts, shape, with_biases
from service.catalog.families.reading import MAX_LAYERS, Config
from service.domain.tensors import Tensors, matrix, norm, vector

POST_NORMS = Norms(bias=True, final=False)
MASK_PROBABILITY = 0.05
CLASSES = ("ForCTC", "Model")


def wav2vec2(config: Config) -> Facts:
    """wav2vec 2.0: a score of every letter for each 20 ms of sound; no table of words."""
    named = str((config.items("architectures") or ("ForCTC",))[0])
    if not named.endswith(CLASSES):
        raise config.wrong("architectures", f"must name a class that ends in {', '.join(CLASSES)}")
    if config.flag("add_adapter"):
        raise config.wrong("add_adapter", "is not modelled; only false is")
    size = shape(config)
    mixer = replace(with_biases(attention(size), inputs=True, output=True), keeps="nothing")
    part = dense(config, size, gated=False, bias=True)
    base = facts(config, size, mixer, part, norms=POST_NORMS)
    scores = named.endswith("ForCTC")
    return replace(
        base,
        wordless=True,
        headless=not scores,
        head_bias=scores,
        output="scores" if scores else "vectors",
        extras=(*_features(config), *_positions(config, size.hidden)),
    )


def _features(config: Config) -> Tensors:
    """The convolutions over the waveform: each norms its output, or only the first does."""
    count = len(config.items("conv_dim") or ()) or config.integer(
        "num_feat_extract_layers", default=7, high=MAX_LAYERS
    )
    bias, every = config.flag("conv_bias"), config.text("feat_extract_norm") == "layer"
    found: list[Tensors] = []
    before = 1
    for index in range(count):
        width = config.by_layer(index, "conv_dim")
        taps = config.by_layer(index, "conv_kernel")
        name = f"conv_layers.{index}"
        found.extend((
            (matrix(name, "convolution", width, before * taps),),
            (vector(f"{name}.bias", "bias", width),) if bias else (),
            norm(f"{name}.layer_norm", width, bias=True) if every or not index else (),
        ))
        before = width
    return (*(tensor for part in found for tensor in part), *_projection(config, before))


def _projection(config: Config, width: int) -> Tensors:
    hidden = config.integer("hidden_size")
    masked = config.number("mask_time_prob", MASK_PROBABILITY) > 0
    return (
        *norm("feature_projection.layer_norm", width, bias=True),
        matrix("feature_projection", "projector", hidden, width),
        vector("feature_projection.bias", "bias", hidden),
        *((vector("masked_spec_embed", "position", hidden),) if masked else ()),
    )


def _positions(config: Config, hidden: int) -> Tensors:
    """A grouped convolution that stands for positions, its weight as length and direction."""
    taps = config.integer("num_conv_pos_embeddings", default=128)
    groups = config.integer("num_conv_pos_embedding_groups", default=16, high=hidden)
    return (
        vector("pos_conv_embed.weight_g", "convolution", taps),
        matrix("pos_conv_embed.weight_v", "convolution", hidden, hidden // groups * taps),
        vector("pos_conv_embed.bias", "bias", hidden),
        *norm("encoder.layer_norm", hidden, bias=True),
    )
