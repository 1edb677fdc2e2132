"""What attention keeps: projections, heads' norms, rotation, the kernel, the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from service.domain.mixers import (
    Attention,
    CompressedAttention,
    LatentAttention,
    StateMixer,
)
from service.domain.tape.layers import Layers, tokens
from service.domain.tape.recording import Value
from service.domain.tape.regimes import HALF, SINGLE
from service.domain.tape.sizes import Size

FLASH_HEAD_STEP = 32
Attending = Attention | LatentAttention | CompressedAttention | StateMixer
"""Mixers whose output joins the residual: all but those that only choose what others see."""


def attention(layers: Layers, mixer: Attention, x: Value) -> Value:
    """Self-attention of a block from its normalised input to its projected output."""
    tape = layers.tape
    keys = mixer.kv_heads * mixer.head_dim
    values = mixer.kv_heads * mixer.value_dim
    query, key, value = _projected(layers, mixer, x, (mixer.query_width, keys, values))
    if mixer.query_norm:
        heads = mixer.query_width // mixer.query_norm
        query = layers.norm(query, mixer.norm_form, heads=heads)
    if mixer.key_norm:
        key = layers.norm(key, mixer.norm_form, heads=keys // mixer.key_norm)
    if mixer.rotation != "none":
        query, key = layers.rotate(query), layers.rotate(key)
        if mixer.rotation == "joined" and "rotations" not in layers.regime.fused:
            query, key = tape.copy(query), tape.copy(key)
    mixed = scored(layers, mixer, query, key, value)
    return layers.linear(mixed, mixer.hidden_size, ("o_proj", "dense", "out_proj", "c_proj"))


def _projected(
    layers: Layers, mixer: Attention, x: Value, widths: tuple[int, int, int]
) -> tuple[Value, Value, Value]:
    query, key, value = widths
    if not (mixer.joined or layers.regime.spelling.joined) or mixer.keeps == "encoder":
        source = encoded(layers, x) if mixer.keeps == "encoder" else x
        return (
            layers.linear(x, query, ("q_proj",)),
            layers.linear(source, key, ("k_proj",)),
            layers.linear(source, value, ("v_proj",)),
        )
    names = ("q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "c_attn")
    joined = layers.linear(x, sum(widths), names)
    first, second, third = layers.tape.split(joined, [tokens(width) for width in widths])
    return first, second, third


def encoded(layers: Layers, x: Value) -> Value:
    """An encoder's output, which all blocks of the decoder read; its gradient is summed."""
    return Value(x.elements, layers.regime.other, lasting=True)


def bias(layers: Layers, mixer: Attention, width: int) -> tuple[Value, ...]:
    """The mask of a memory-efficient kernel: a window's, or a relative bias copied for a block.

    Source: transformers 5.23 `integrations/sdpa_attention.py`, create_position_bias_mask.
    """
    if mixer.relative:
        shared = Value(Size(plane=mixer.heads), width, lasting=True)
        crossing = mixer.keeps == "encoder"
        if crossing:
            return (shared,)
        condition = Value(Size(plane=1), 1, differentiable=False)
        hidden = [condition] if mixer.keeps == "context" else []
        copied = Value(shared.elements, width)
        return (layers.tape.note([shared], copied, saved=hidden),)
    if layers.regime.masked:
        return (Value(Size(pair=1), width, differentiable=False),)
    return ()


def scored(layers: Layers, mixer: Attention, query: Value, key: Value, value: Value) -> Value:
    """Softmax attention by the regime's kernel; a soft cap needs the eager one.

    A mask rules out flash, and grouped heads without one rule out the memory-efficient kernel.
    Source: torch 2.13 `sdp_utils.cpp`; transformers 5.23 `integrations/sdpa_attention.py`.
    """
    regime = layers.regime
    kernel = "eager" if mixer.soft_cap else regime.kernel
    if kernel != "eager" and (regime.masked or mixer.relative):
        kernel = "mem-efficient"
    elif kernel == "mem-efficient" and mixer.kv_heads != mixer.heads:
        kernel = "math"
    return KERNELS[kernel](layers, mixer, query, key, value)


def _flash(layers: Layers, mixer: Attention, query: Value, key: Value, value: Value) -> Value:
    """Keeps q, k, v, output and one fp32 number a head; its backward sums dq in fp32.

    The output has the layout of the queries: where these were joined from parts, it is copied.

    Source: torch 2.13 `aten/src/ATen/native/transformers/cuda/flash_attn/flash_api.cpp`.
    """
    tape, half = layers.tape, HALF
    query, key, value = (tape.cast(part, half) for part in (query, key, value))
    spelling = layers.regime.spelling
    if spelling.repeated:
        key, value = _repeated(layers, mixer, key), _repeated(layers, mixer, value)
    heads = mixer.heads
    output = Value(tokens(heads * mixer.value_dim), half)
    sums = Value(tokens(heads), SINGLE)
    step = -(-mixer.head_dim // FLASH_HEAD_STEP) * FLASH_HEAD_STEP
    workspace = Size(token=SINGLE * heads * (step + 1))
    if mixer.kv_heads != heads and not spelling.repeated:
        workspace += Size(token=2 * half * heads * mixer.head_dim)
    saved = [query, key, value, output, sums]
    mixed = tape.note([query, key, value], output, saved=saved, workspace=workspace)
    return tape.copy(mixed) if mixer.rotation == "joined" or spelling.copied else mixed


def _memory_efficient(
    layers: Layers, mixer: Attention, query: Value, key: Value, value: Value
) -> Value:
    """As flash in any type; keys and values are repeated to all heads first.

    Source: torch 2.13 `native/transformers/cuda/attention_backward.cu`.
    """
    tape = layers.tape
    width = layers.regime.compute
    query, key, value = (tape.cast(part, width) for part in (query, key, value))
    key, value = _repeated(layers, mixer, key), _repeated(layers, mixer, value)
    heads = mixer.heads
    output = Value(tokens(heads * mixer.value_dim), width)
    sums = Value(tokens(heads), SINGLE)
    workspace = Size(token=SINGLE * heads * (mixer.head_dim + 1))
    mask = bias(layers, mixer, width)
    saved = [query, key, value, output, sums, *mask]
    return tape.note([query, key, value, *mask], output, saved=saved, workspace=workspace)


def _repeated(layers: Layers, mixer: Attention, x: Value) -> Value:
    if mixer.kv_heads == mixer.heads:
        return x
    width = x.elements.token * mixer.heads // mixer.kv_heads
    return layers.tape.note([x], Value(tokens(width), x.width))


def _math(layers: Layers, mixer: Attention, query: Value, key: Value, value: Value) -> Value:
    """Products and softmax in the inputs' type, queries and keys scaled before; no softmax copy.

    Source: torch 2.13 `native/transformers/attention.cpp`, _scaled_dot_product_attention_math.
    """
    tape = layers.tape
    key, value = _repeated(layers, mixer, key), _repeated(layers, mixer, value)
    query, key = tape.pointwise(query), tape.pointwise(key)
    scores = tape.matmul(query, key, Size(pair=mixer.heads))
    weights = tape.pointwise(scores, keeps_result=True)
    weights = tape.dropout(weights, active=mixer.dropout)
    return tape.copy(tape.matmul(weights, value, tokens(mixer.heads * mixer.value_dim)))


def _eager(layers: Layers, mixer: Attention, query: Value, key: Value, value: Value) -> Value:
    """Scores, soft cap, fp32 softmax, its cast, dropout: each a tensor of heads · s a token.

    Source: transformers 5.23 `models/llama/modeling_llama.py`, eager_attention_forward; with the
    soft cap `models/gemma2/modeling_gemma2.py`.
    """
    tape, regime = layers.tape, layers.regime
    own = query.width
    key, value = _repeated(layers, mixer, key), _repeated(layers, mixer, value)
    if regime.autocast:
        query, key = tape.cast(query, HALF), tape.cast(key, HALF)
    scores = tape.pointwise(tape.matmul(query, key, Size(pair=mixer.heads)))
    if mixer.soft_cap:
        capped = tape.pointwise(tape.pointwise(scores), keeps_result=True)
        scores = tape.pointwise(capped)
    scores = tape.copy(scores)  # the causal mask is added
    raised = mixer.softmax_raised or regime.autocast
    weights = tape.pointwise(tape.cast(scores, SINGLE if raised else own), keeps_result=True)
    back = own if mixer.softmax_raised else value.width
    weights = tape.dropout(tape.cast(weights, back), active=mixer.dropout)
    if regime.autocast:
        weights, value = tape.cast(weights, HALF), tape.cast(value, HALF)
    return tape.copy(tape.matmul(weights, value, tokens(mixer.heads * mixer.value_dim)))


KERNELS: Mapping[str, Callable[[Layers, Attention, Value, Value, Value], Value]] = {
    "flash": _flash,
    "mem-efficient": _memory_efficient,
    "math": _math,
    "eager": _eager,
}


def latent_attention(layers: Layers, mixer: LatentAttention, x: Value) -> Value:
    """Multi-head latent attention: compressed rows are normalised and expanded to every head.

    Source: transformers 5.23 `models/deepseek_v3/modeling_deepseek_v3.py`, DeepseekV3Attention.
    """
    heads = mixer.heads
    full = Attention(
        hidden_size=mixer.hidden_size,
        heads=heads,
        kv_heads=heads,
        head_dim=mixer.nope_head_dim + mixer.rope_head_dim,
        value_head_dim=mixer.value_head_dim,
        rotation="joined",
    )
    query = _latent_query(layers, mixer, x)
    key, value = _latent_key_and_value(layers, mixer, x)
    return layers.linear(scored(layers, full, query, key, value), mixer.hidden_size, ("o_proj",))


def _latent_query(layers: Layers, mixer: LatentAttention, x: Value) -> Value:
    if mixer.query_rank:
        x = layers.norm(layers.linear(x, mixer.query_rank, ("q_a_proj",)), "rms")
    query = layers.linear(x, mixer.query_width, ("q_b_proj", "q_proj"))
    plain, turned = layers.tape.split(
        query,
        [tokens(mixer.heads * mixer.nope_head_dim), tokens(mixer.heads * mixer.rope_head_dim)],
    )
    return layers.tape.join([plain, layers.rotate(turned)])


def _latent_key_and_value(layers: Layers, mixer: LatentAttention, x: Value) -> tuple[Value, Value]:
    tape, heads, rope = layers.tape, mixer.heads, mixer.rope_head_dim
    compressed = layers.linear(x, mixer.kv_rank + rope, ("kv_a_proj_with_mqa",))
    row, shared = tape.split(compressed, [tokens(mixer.kv_rank), tokens(rope)])
    widths = [tokens(heads * mixer.nope_head_dim), tokens(heads * mixer.value_head_dim)]
    expanded = layers.linear(
        layers.norm(row, "rms"), widths[0].token + widths[1].token, ("kv_b_proj",)
    )
    plain, value = tape.split(expanded, widths)
    shared = layers.rotate(shared)
    spread = tape.note([shared], Value(tokens(heads * rope), shared.width))
    return tape.join([plain, spread]), value


def mixed(layers: Layers, mixer: Attending, x: Value) -> Value:
    """The output of a token mixer; of those with a state, what their operators hand on is kept."""
    if isinstance(mixer, Attention):
        return attention(layers, mixer, x)
    if isinstance(mixer, LatentAttention):
        return latent_attention(layers, mixer, x)
    if isinstance(mixer, CompressedAttention):
        return compressed_attention(layers, mixer, x)
    return stateful(layers, mixer, x)


def compressed_attention(layers: Layers, mixer: CompressedAttention, x: Value) -> Value:
    """One vector a token as key and value of all heads; the output by groups of heads.

    Source: DeepSeek-V4 `inference/model.py`, Attention.
    """
    low = layers.norm(layers.linear(x, mixer.query_rank, ("wq_a",)), "rms")
    query = layers.linear(low, mixer.query_width, ("wq_b",))
    row = layers.norm(layers.linear(x, mixer.head_dim, ("wkv",)), "rms")
    one = Attention(
        hidden_size=mixer.hidden_size, heads=mixer.heads, kv_heads=1, head_dim=mixer.head_dim
    )
    query, row = layers.rotate(query), layers.rotate(row)
    grouped = scored(layers, one, query, row, row)
    groups = layers.linear(grouped, mixer.output_groups * mixer.output_rank, ("wo_a",))
    return layers.linear(groups, mixer.hidden_size, ("wo_b",))


def stateful(layers: Layers, mixer: StateMixer, x: Value) -> Value:
    """A recurrence: one product in, its operators as counted, one product out.

    Source: `kept_width` of each kind; kernels of mamba_ssm and fla keep their inputs.
    """
    inner = layers.linear(x, mixer.query_width, ("in_proj",))
    kept = Value(tokens(mixer.kept_width), inner.width)
    out = Value(tokens(mixer.query_width), inner.width)
    worked = layers.tape.note([inner], out, saved=[kept], workspace=kept.size)
    return layers.linear(worked, mixer.hidden_size, ("out_proj",))
