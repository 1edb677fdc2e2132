"""Families with state space blocks: Mamba 1 and 2 alone, and the hybrids built on Mamba 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalog.families.decoder import Facts, Mixers, Norms
from service.catalog.families.parts import (
    CONTEXT,
    HIDDEN,
    LAYERS,
    attention,
    dense,
    is_headless,
    mixture,
    shape,
)
from service.catalog.families.reading import MAX_LAYERS, MAX_TOKENS, Config
from service.domain.mixers import GroupedStateSpace, SelectiveStateSpace

ONE_NORM = Norms(per_block=1)
PRECISION_BITS = {"float32": 32, "float16": 16, "bfloat16": 16}
STEP_RATIO = 16
"""`time_step_rank: "auto"` is the hidden size over 16, rounded up (Gu and Dao 2023)."""


def state_bits(config: Config) -> int | None:
    """Width of a recurrent state where the config fixes it, as vLLM reads it."""
    named = config.text("mamba_ssm_dtype", "mamba_ssm_cache_dtype")
    return PRECISION_BITS.get(named.removeprefix("torch.")) if named else None


def is_automatic(config: Config, key: str) -> bool:
    """Whether a size is left to the class: absent, or the word for it."""
    return not config.has(key) or config.data[key] == "auto"


def layer_indices(config: Config, key: str, layers: int) -> frozenset[int] | None:
    """The layers that a list names, counted from 0."""
    listed = config.items(key)
    if listed is None:
        return None
    found = frozenset(i for i in listed if type(i) is int and 0 <= i < layers)
    if len(found) != len(listed):
        raise config.wrong(key, f"must hold layers from 0 to {layers - 1}")
    return found


def layer_words(
    config: Config, layers: int, *keys: str, known: frozenset[str]
) -> tuple[str, ...] | None:
    """The first list of layer kinds that a config has: one known word a layer."""
    key = next((key for key in keys if config.has(key)), None)
    if key is None:
        return None
    words = config.items(key) or ()
    if len(words) != layers:
        raise config.wrong(key, f"must list {layers} layers, not {len(words)}")
    for word in words:
        if not isinstance(word, str) or word not in known:
            raise config.wrong(key, f"may hold {', '.join(sorted(known))} only")
    return tuple(str(word) for word in words)


def periodic(config: Config, prefix: str, period: int, offset: int) -> Callable[[int], bool]:
    """Every `{prefix}_layer_period`-th layer, from `{prefix}_layer_offset` on."""
    step = config.integer(f"{prefix}_layer_period", default=period, high=MAX_LAYERS)
    start = config.integer(f"{prefix}_layer_offset", default=offset, low=0, high=MAX_LAYERS)
    return lambda index: index % step == start


def state_facts(config: Config, mixer: Mixers, *, tied: bool) -> Facts:
    """A stack of state space blocks without feed-forwards."""
    return Facts(
        hidden_size=config.integer(*HIDDEN),
        vocabulary_size=config.integer("vocab_size"),
        layers=config.integer(*LAYERS, high=MAX_LAYERS),
        tied=config.flag("tie_word_embeddings", default=tied),
        mixer=lambda _: mixer,
        feed_forward=lambda _: None,
        norms=ONE_NORM,
        headless=is_headless(config),
        context_limit=config.integer(*CONTEXT, default=0, low=0, high=MAX_TOKENS) or None,
    )


def mamba(config: Config) -> Facts:
    """Mamba: `intermediate_size` counts where it is given, whatever `expand` says."""
    hidden = config.integer(*HIDDEN)
    automatic = -(-hidden // STEP_RATIO)
    named = is_automatic(config, "time_step_rank")
    mixer = SelectiveStateSpace(
        hidden_size=hidden,
        inner_size=config.integer(
            "intermediate_size", "d_inner", default=config.integer("expand", default=2) * hidden
        ),
        state_size=config.integer("state_size", default=16),
        step_rank=automatic if named else config.integer("time_step_rank"),
        kernel=config.integer("conv_kernel", default=4),
        bias=config.flag("use_bias"),
        convolution_bias=config.flag("use_conv_bias", default=True),
        state_bits=state_bits(config),
    )
    return state_facts(config, mixer, tied=True)


def mamba2(config: Config) -> Facts:
    """Mamba 2: heads times their width are the inner channels."""
    bias = config.flag("use_bias")
    mixer = GroupedStateSpace(
        hidden_size=config.integer(*HIDDEN),
        heads=config.integer("num_heads", default=128),
        head_dim=config.integer("head_dim", default=64),
        groups=config.integer("n_groups", default=8),
        state_size=config.integer("state_size", default=128),
        kernel=config.integer("conv_kernel", default=4),
        bias=bias,
        output_bias=bias,
        convolution_bias=config.flag("use_conv_bias", default=True),
        state_bits=state_bits(config),
    )
    return state_facts(config, mixer, tied=False)


def mamba_block(config: Config, hidden: int) -> SelectiveStateSpace:
    """The Mamba 1 mixer of hybrids, under keys that begin with `mamba_`."""
    automatic = -(-hidden // STEP_RATIO)
    named = is_automatic(config, "mamba_dt_rank")
    return SelectiveStateSpace(
        hidden_size=hidden,
        inner_size=config.integer("mamba_expand", default=2) * hidden,
        state_size=config.integer("mamba_d_state", default=16),
        step_rank=automatic if named else config.integer("mamba_dt_rank"),
        kernel=config.integer("mamba_d_conv", default=4),
        bias=config.flag("mamba_proj_bias"),
        convolution_bias=config.flag("mamba_conv_bias", default=True),
        state_bits=state_bits(config),
    )


def jamba(config: Config) -> Facts:
    """Jamba: attention each eighth layer, Mamba with inner norms in all others, experts between."""
    size = shape(config)
    plain, wide = attention(size), replace(mamba_block(config, size.hidden), inner_norms=True)
    attends = periodic(config, "attn", 8, 4)
    part, experts = dense(config, size), config.integer("num_experts", default=16)
    routed = mixture(config, size, width_keys=("intermediate_size",)) if experts > 1 else part
    spreads = periodic(config, "expert", 2, 1)
    return Facts(
        hidden_size=size.hidden,
        vocabulary_size=size.vocabulary,
        layers=size.layers,
        tied=config.flag("tie_word_embeddings"),
        mixer=lambda index: plain if attends(index) else wide,
        feed_forward=lambda index: routed if spreads(index) else part,
        headless=is_headless(config),
        context_limit=size.context,
    )
