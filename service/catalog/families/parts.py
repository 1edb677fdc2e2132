"""Parts that families share: attention, feed-forwards, layer patterns, read from common keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.reading import MAX_EXPERTS, MAX_LAYERS, MAX_TOKENS, Config
from service.domain.feed_forward import DenseFeedForward, FeedForward, MixtureOfExperts
from service.domain.mixers import Attention, LatentAttention

HIDDEN = ("hidden_size", "n_embd", "d_model", "dim")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads")
WIDTH = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "hidden_dim")
CONTEXT = (
    "max_position_embeddings",
    "n_positions",
    "seq_length",
    "max_seq_len",
    "max_sequence_length",
    "model_max_length",
)
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
ACTIVE = (
    "num_experts_per_tok",
    "moe_k",
    "num_experts_per_token",
    "moe_topk",
    "top_k_experts",
    "moe_top_k",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes that almost every config states."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int | None


def shape(config: Config, *, kv_keys: tuple[str, ...] = ("num_key_value_heads",)) -> Shape:
    """Common sizes; absent key-value heads mean as many as heads."""
    hidden, heads = config.integer(*HIDDEN), config.integer(*HEADS)
    return Shape(
        hidden=hidden,
        layers=config.integer(*LAYERS, high=MAX_LAYERS),
        heads=heads,
        kv_heads=config.integer(*kv_keys, default=heads),
        head_dim=config.integer("head_dim", default=max(1, hidden // heads)),
        vocabulary=config.integer("vocab_size", "padded_vocab_size"),
        context=config.integer(*CONTEXT, default=0, low=0, high=MAX_TOKENS) or None,
    )


def attention(size: Shape) -> Attention:
    """Plain attention of a shape."""
    return Attention(
        hidden_size=size.hidden, heads=size.heads, kv_heads=size.kv_heads, head_dim=size.head_dim
    )


def with_biases(mixer: Attention, *, inputs: bool, output: bool) -> Attention:
    """The same attention with biases on query, key and value, and on the output."""
    return replace(mixer, query_bias=inputs, key_bias=inputs, value_bias=inputs, output_bias=output)


def with_head_norms(mixer: Attention) -> Attention:
    """The same attention with one norm over a head for queries and one for keys."""
    return replace(mixer, query_norm=mixer.head_dim, key_norm=mixer.head_dim)


def with_wide_norms(mixer: Attention) -> Attention:
    """The same attention with norms over all heads together."""
    return replace(
        mixer, query_norm=mixer.heads * mixer.head_dim, key_norm=mixer.kv_heads * mixer.head_dim
    )


def windowed(
    config: Config, mixer: Attention, is_sliding: Callable[[int], bool]
) -> Callable[[int], Attention]:
    """Attention by layer: over the config's window where the pattern says so.

    A window as wide as the context never binds.
    """
    window = config.integer("sliding_window", default=0, low=0, high=MAX_TOKENS)
    context = config.integer(*CONTEXT, default=0, low=0, high=MAX_TOKENS)
    if not window or 0 < context <= window:
        return lambda _: mixer
    narrow = replace(mixer, window_tokens=window)
    return lambda index: narrow if is_sliding(index) else mixer


def layer_pattern(config: Config, otherwise: Callable[[int], bool]) -> Callable[[int], bool]:
    """Which layers slide: as `layer_types` lists them, else by the family's own rule."""
    kinds = config.items("layer_types")
    if kinds is None:
        return otherwise
    return lambda index: index < len(kinds) and kinds[index] == "sliding_attention"


def every(period: int) -> Callable[[int], bool]:
    """All layers slide but each `period`-th."""
    return lambda index: (index + 1) % max(1, period) != 0


def dense(
    config: Config, size: Shape, *, gated: bool = True, bias: bool = False
) -> DenseFeedForward:
    """A dense feed-forward; an absent width is four times the hidden size."""
    return DenseFeedForward(
        hidden_size=size.hidden,
        width=config.integer(*WIDTH, default=4 * size.hidden),
        gated=gated,
        up_bias=bias,
        down_bias=bias,
    )


def mixture(
    config: Config, size: Shape, *, width_keys: tuple[str, ...] = ("moe_intermediate_size", *WIDTH)
) -> MixtureOfExperts:
    """A mixture of gated experts without shared ones."""
    return MixtureOfExperts(
        hidden_size=size.hidden,
        experts=config.integer(*EXPERTS, high=MAX_EXPERTS),
        active_experts=config.integer(*ACTIVE, high=MAX_EXPERTS),
        width=config.integer(*width_keys),
    )


def with_shared(config: Config, part: MixtureOfExperts) -> MixtureOfExperts:
    """The same mixture with `n_shared_experts` experts that every token takes."""
    shared = config.integer(
        "n_shared_experts", "num_shared_experts", "moe_num_shared_experts",
        default=0, low=0, high=MAX_EXPERTS,
    )  # fmt: skip
    return replace(part, shared_width=shared * part.width)


def after(first: int, head: FeedForward, rest: FeedForward) -> Callable[[int], FeedForward]:
    """`head` in the first layers, `rest` in all others."""
    return lambda index: head if index < first else rest


def latent(config: Config, size: Shape) -> LatentAttention:
    """Latent attention of the DeepSeek kind."""
    return LatentAttention(
        hidden_size=size.hidden,
        heads=size.heads,
        query_rank=config.integer("q_lora_rank", default=0, low=0),
        kv_rank=config.integer("kv_lora_rank"),
        nope_head_dim=config.integer("qk_nope_head_dim"),
        rope_head_dim=config.integer("qk_rope_head_dim"),
        value_head_dim=config.integer("v_head_dim"),
        bias=config.flag("attention_bias"),
    )


def is_headless(config: Config) -> bool:
    """Whether the published class is the bare decoder, as embedding models are."""
    named = config.items("architectures")
    first = named[0] if named else None
    return isinstance(first, str) and first.endswith("Model") and "LMHead" not in first


def facts(
    config: Config,
    size: Shape,
    mixer: Attention | LatentAttention | Callable[[int], Attention],
    part: FeedForward | Callable[[int], FeedForward],
    *,
    norms: Norms | None = None,
    tied: bool = False,
) -> Facts:
    """Facts of a decoder; `tied` is what an absent `tie_word_embeddings` means."""
    headless = is_headless(config)
    return Facts(
        hidden_size=size.hidden,
        vocabulary_size=size.vocabulary,
        layers=size.layers,
        tied=config.flag("tie_word_embeddings", default=tied),
        mixer=mixer if callable(mixer) else lambda _: mixer,
        feed_forward=part if callable(part) else lambda _: part,
        norms=norms or Norms(),
        headless=headless,
        output="vectors" if headless else "tokens",
        context_limit=size.context,
    )
