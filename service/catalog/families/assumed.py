"""A config of an unknown family, read as a plain decoder because the caller asks for it."""

from __future__ import annotations

from collections.abc import Callable

from service.catalog.families.decoder import Facts
from service.catalog.families.parts import (
    ACTIVE,
    EXPERTS,
    HIDDEN,
    after,
    attention,
    dense,
    facts,
    latent,
    layer_pattern,
    mixture,
    shape,
    windowed,
    with_biases,
    with_shared,
)
from service.catalog.families.reading import MAX_LAYERS, Config
from service.domain.feed_forward import FeedForward

LEADING = ("first_k_dense_replace", "num_dense_layers")


def assumed_decoder(config: Config) -> Facts:
    """A gated, pre-normalised, untied decoder of the keys that most families share.

    Experts where the config counts them, latent attention where it names a rank, windows where
    it lists the layers that have one.
    """
    if not config.has(*HIDDEN) and config.has("text_config"):
        config = config.section("text_config")
    size = shape(config)
    parts = _parts(config)
    if config.has("kv_lora_rank"):
        return facts(config, size, latent(config, size), parts)
    bias = config.flag("attention_bias", "qkv_bias", "use_bias", "bias")
    mixer = with_biases(attention(size), inputs=bias, output=bias)
    return facts(config, size, windowed(config, mixer, layer_pattern(config, _nowhere)), parts)


def _nowhere(index: int) -> bool:
    del index
    return False


def _parts(config: Config) -> Callable[[int], FeedForward]:
    size = shape(config)
    plain = dense(config, size, bias=config.flag("mlp_bias"))
    if not (config.has(*EXPERTS) and config.has(*ACTIVE)):
        return after(size.layers, plain, plain)
    leading = config.integer(*LEADING, default=0, low=0, high=MAX_LAYERS)
    return after(leading, plain, with_shared(config, mixture(config, size)))
