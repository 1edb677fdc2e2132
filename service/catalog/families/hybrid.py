"""Hybrids of attention and Mamba 2: Granite 4, Falcon H1, Nemotron H, Bamba."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, FeedForwards, Mixers, layers
from service.catalog.families.parts import (
    EXPERTS,
    Shape,
    attention,
    dense,
    is_headless,
    mixture,
    shape,
    with_biases,
)
from service.catalog.families.reading import MAX_EXPERTS, MAX_LAYERS, Config
from service.catalog.families.state_space import (
    ONE_NORM,
    is_automatic,
    layer_indices,
    layer_words,
    state_bits,
)
from service.domain.feed_forward import DenseFeedForward, MixtureOfExperts
from service.domain.mixers import GroupedStateSpace
from service.domain.tensors import matrix, vector


def hybrid_facts(config: Config, size: Shape, *, tied: bool) -> Facts:
    """What hybrids have in common; mixer and feed-forward are still to be named."""
    return Facts(
        hidden_size=size.hidden,
        vocabulary_size=size.vocabulary,
        layers=size.layers,
        tied=config.flag("tie_word_embeddings", default=tied),
        mixer=lambda _: None,
        feed_forward=lambda _: None,
        headless=is_headless(config),
        context_limit=size.context,
    )


def grouped(config: Config, size: Shape) -> GroupedStateSpace:
    """The Mamba 2 mixer under keys that begin with `mamba_`."""
    inner = config.integer(
        "mamba_d_ssm", default=config.integer("mamba_expand", default=2) * size.hidden
    )
    heads = config.integer("mamba_n_heads", default=128)
    bias = config.flag("mamba_proj_bias")
    named = is_automatic(config, "mamba_d_head")
    return GroupedStateSpace(
        hidden_size=size.hidden,
        heads=heads,
        head_dim=max(1, inner // heads) if named else config.integer("mamba_d_head"),
        groups=config.integer("mamba_n_groups", default=1),
        state_size=config.integer("mamba_d_state", default=256),
        kernel=config.integer("mamba_d_conv", default=4),
        bias=bias,
        output_bias=bias,
        convolution_bias=config.flag("mamba_conv_bias", default=True),
        state_bits=state_bits(config),
    )


def granite_hybrid(config: Config) -> Facts:
    """Granite 4: attention or Mamba 2 by `layer_types`, experts beside a shared feed-forward."""
    size = shape(config)
    bias = config.flag("attention_bias")
    plain = with_biases(attention(size), inputs=bias, output=bias)
    known = frozenset({"attention", "full_attention", "mamba", "linear_attention"})
    words = layer_words(config, size.layers, "layer_types", "layers_block_type", known=known)
    recurrent = {index for index, word in enumerate(words or ()) if word in GRANITE_STATES}
    block = grouped(config, size) if recurrent or words is None else None
    width = config.integer("shared_intermediate_size", default=size.hidden)
    experts = config.integer("num_local_experts", default=0, low=0, high=MAX_EXPERTS)
    part: FeedForwards = DenseFeedForward(hidden_size=size.hidden, width=width)
    if experts:
        part = replace(mixture(config, size, width_keys=("intermediate_size",)), shared_width=width)
    return replace(
        hybrid_facts(config, size, tied=True),
        mixer=lambda index: block if words is None or index in recurrent else plain,
        feed_forward=lambda _: part,
    )


GRANITE_STATES = frozenset({"mamba", "linear_attention"})


def falcon_h1(config: Config) -> Facts:
    """Falcon H1: attention and Mamba 2 side by side in every layer."""
    size = shape(config)
    bias = config.flag("attention_bias")
    block = replace(
        grouped(config, size),
        output_bias=config.flag("projectors_bias"),
        gated_norm=config.flag("mamba_rms_norm"),
    )
    both = (with_biases(attention(size), inputs=bias, output=bias), block)
    part = dense(config, size, bias=config.flag("mlp_bias"))
    return replace(
        hybrid_facts(config, size, tied=False), mixer=lambda _: both, feed_forward=lambda _: part
    )


def bamba(config: Config) -> Facts:
    """Bamba: Mamba 2, attention in the layers that `attn_layer_indices` names."""
    size = shape(config)
    attends = layer_indices(config, "attn_layer_indices", size.layers) or frozenset()
    bias = config.flag("attention_bias")
    plain = with_biases(attention(size), inputs=bias, output=bias)
    block = grouped(config, size)
    part = dense(config, size, bias=config.flag("mlp_bias"))
    return replace(
        hybrid_facts(config, size, tied=False),
        mixer=lambda index: plain if index in attends else block,
        feed_forward=lambda _: part,
    )


NEMOTRON_LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
NEMOTRON_WORDS = frozenset({"mamba", "attention", "mlp", "moe"})


def nemotron_words(config: Config) -> tuple[str, ...]:
    """What each layer of Nemotron H is, from the pattern of letters or the list of words."""
    count = config.integer("num_hidden_layers", default=0, low=0, high=MAX_LAYERS)
    words = pattern_words(config, "hybrid_override_pattern", "layers_block_type", count)
    if not words:
        raise config.wrong("hybrid_override_pattern", "is missing")
    return words


def pattern_words(config: Config, letters: str, listed: str, count: int) -> tuple[str, ...]:
    """Kinds of layers from a text of letters or a list of words; `count` 0 takes any number."""
    pattern = config.text(letters)
    if pattern is None:
        length = count or len(config.items(listed) or ())
        return layer_words(config, length, listed, known=NEMOTRON_WORDS) or ()
    if (count and len(pattern) != count) or not set(pattern) <= set(NEMOTRON_LETTERS):
        raise config.wrong(letters, f"must be {count or len(pattern)} of the letters M, *, - and E")
    return tuple(NEMOTRON_LETTERS[letter] for letter in pattern)


def nemotron_block(config: Config, hidden: int) -> GroupedStateSpace:
    """The Mamba 2 mixer of Nemotron H; vLLM keeps its state in fp32 where nothing is said."""
    bias = config.flag("use_bias")
    return GroupedStateSpace(
        hidden_size=hidden,
        heads=config.integer("mamba_num_heads", default=128),
        head_dim=config.integer("mamba_head_dim", default=64),
        groups=config.integer("n_groups", default=8),
        state_size=config.integer("ssm_state_size", default=128),
        kernel=config.integer("conv_kernel", default=4),
        bias=bias,
        output_bias=bias,
        convolution_bias=config.flag("use_conv_bias", default=True),
        state_bits=state_bits(config) or FULL_STATE_BITS,
    )


FULL_STATE_BITS = 32


def nemotron_experts(config: Config, size: Shape) -> MixtureOfExperts:
    """Plain experts, in a space of their own where `moe_latent_size` says so."""
    shared = config.integer("n_shared_experts", default=1, low=0, high=MAX_EXPERTS)
    return replace(
        mixture(config, size, width_keys=("moe_intermediate_size",)),
        gated=False,
        shared_gated=False,
        shared_width=config.integer("moe_shared_expert_intermediate_size") if shared else 0,
        latent_size=config.integer("moe_latent_size", default=0, low=0),
    )


def nemotron_h(config: Config) -> Facts:
    """Nemotron H and 3: each layer is one of Mamba 2, attention, feed-forward or experts."""
    words = nemotron_words(config)
    size = shape(Config({**config.data, "num_hidden_layers": len(words)}, config.path))
    plain, block = attention(size), nemotron_block(config, size.hidden)
    part = dense(config, size, gated=False, bias=config.flag("mlp_bias"))
    routed = nemotron_experts(config, size) if config.has(*EXPERTS) else None
    if "moe" in words and routed is None:
        raise config.wrong("n_routed_experts", "is missing")
    mixers: dict[str, Mixers] = {"mamba": block, "attention": plain}
    parts: dict[str, FeedForwards] = {"mlp": part, "moe": routed}
    base = replace(
        hybrid_facts(config, size, tied=False),
        mixer=lambda index: mixers.get(words[index]),
        feed_forward=lambda index: parts.get(words[index]),
        norms=ONE_NORM,
    )
    return _with_prediction(config, base, mixers.get, parts.get)


def _with_prediction(
    config: Config,
    base: Facts,
    mixer: Callable[[str], Mixers],
    part: Callable[[str], FeedForwards],
) -> Facts:
    """Prediction layers as `mtp_…` lists them, with a projection and three norms each."""
    count = config.integer("num_nextn_predict_layers", default=0, low=0, high=MAX_LAYERS)
    words = pattern_words(config, "mtp_hybrid_override_pattern", "mtp_layers_block_type", 0)
    if not count or not words:
        return base
    stack = replace(
        base, mixer=lambda index: mixer(words[index]), feed_forward=lambda i: part(words[i])
    )
    kinds, order = layers(stack, range(len(words)))
    hidden = base.hidden_size
    return replace(
        base,
        prediction=tuple(kinds[index] for index in order) * count,
        prediction_others=(
            matrix("eh_proj", "draft", hidden, 2 * hidden, count=count),
            *(vector(name, "norm", hidden, count=count) for name in ("enorm", "hnorm", "norm")),
        ),
    )
