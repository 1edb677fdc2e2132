"""What feed-forwards keep: dense, and mixtures of experts."""

from __future__ import annotations

from service.domain.feed_forward import DenseFeedForward, FeedForward, MixtureOfExperts
from service.domain.tape.layers import Layers, tokens
from service.domain.tape.recording import Value
from service.domain.tape.regimes import HALF, SINGLE
from service.domain.tape.sizes import Size
from service.domain.units import ceil_div

ROUTING_VALUES = 10
"""fp32-sized values of indices, orders and weights that routing keeps for each chosen expert."""

UP = ("up_proj", "fc1", "c_fc", "dense_h_to_4h")
DOWN = ("down_proj", "fc2", "c_proj", "dense_4h_to_h")


def fed(layers: Layers, part: FeedForward, x: Value) -> Value:
    """The output of a feed-forward."""
    if isinstance(part, DenseFeedForward):
        return dense(layers, part, x)
    return mixture(layers, part, x)


def dense(layers: Layers, part: DenseFeedForward, x: Value) -> Value:
    """Up (and gate), activation, their product, down."""
    tape = layers.tape
    if not part.gated:
        hidden = layers.activation(layers.linear(x, part.width, UP), part.activation)
    elif part.joined:
        both = layers.linear(x, 2 * part.width, ("gate_up_proj", "gate_proj", "up_proj"))
        gate, up = tape.split(both, [tokens(part.width)] * 2)
        hidden = _gated(layers, part, gate, up)
    else:
        gate = layers.linear(x, part.width, ("gate_proj",))
        up = layers.linear(x, part.width, UP)
        hidden = _gated(layers, part, gate, up)
    hidden = tape.dropout(hidden, active=part.inner_dropout)
    if part.recast:
        hidden = tape.cast(hidden, layers.regime.other)
    return layers.linear(hidden, part.hidden_size, DOWN)


def _gated(layers: Layers, part: FeedForward, gate: Value, up: Value) -> Value:
    if "gates" in layers.regime.fused:
        return layers.tape.note([gate, up], Value(gate.elements, gate.width), saved=[gate, up])
    return layers.tape.multiply(layers.activation(gate, part.activation), up)


def mixture(layers: Layers, part: MixtureOfExperts, x: Value) -> Value:
    """Router, rows gathered for their experts, grouped products, weighted sum; shared experts.

    Source: transformers 5.23 `integrations/moe.py`, grouped_mm_experts_forward.
    """
    tape, chosen = layers.tape, part.active_experts
    scores = layers.product(
        x, layers.weight(part.experts * x.elements.token, layers.regime.weight), part.experts
    )
    probabilities = tape.pointwise(tape.cast(scores, SINGLE), keeps_result=True)
    order = Value(tokens(ROUTING_VALUES * chosen + 1), SINGLE)
    top = tape.note([probabilities], Value(tokens(chosen), SINGLE), saved=[order])
    routed = _in_turn if layers.regime.spelling.experts_in_turn else _together
    total = routed(layers, part, x, top)
    for width in (part.shared_width, part.dense_width):
        if width:
            total = tape.add(total, dense(layers, always_on(part, width), x))
    return total


def _together(layers: Layers, part: MixtureOfExperts, x: Value, top: Value) -> Value:
    """All routed experts in grouped products."""
    tape, chosen = layers.tape, part.active_experts
    rows = tape.note([x], Value(x.elements * chosen, x.width))
    ups = 2 if part.gated else 1
    inner = chosen * part.width
    hidden = _grouped(layers, part, rows, ups * inner, part.hidden_size * ups * part.width)
    if part.gated:
        gate, up = tape.split(hidden, [tokens(inner)] * 2)
        hidden = _gated(layers, part, gate, up)
    else:
        hidden = layers.activation(hidden, part.activation)
    out = _grouped(layers, part, hidden, chosen * part.hidden_size, part.hidden_size * part.width)
    weighted = tape.multiply(out, tape.note([top], Value(out.elements, top.width, lasting=True)))
    return tape.cast(tape.reduce(tape.copy(weighted), x.elements), x.width)


def _in_turn(layers: Layers, part: MixtureOfExperts, x: Value, top: Value) -> Value:
    """One expert after the other adds its rows to a sum: each is walked back alone.

    The last expert is spelled out; what the others keep stands meanwhile. The rows' gradient is
    written into zeros of the size of all tokens.

    Source: transformers 4.48 `models/mixtral/modeling_mixtral.py`, MixtralSparseMoeBlock.forward.
    """
    tape, one = layers.tape, part.hidden_size * part.width
    share = ceil_div(part.hidden_size * part.active_experts, part.experts)
    width = ceil_div(part.width * part.active_experts, part.experts)
    kept = Value(_kept_by_others(layers, part, share, width), x.width)
    matrices = (part.experts - 1) * (3 if part.gated else 2)
    weights = layers.weight(matrices * one, layers.regime.weight)
    total = tape.note([x, top, weights], Value(x.elements, x.width), saved=[kept], passes=True)
    rows = tape.note([x], Value(tokens(share), x.width), workspace=x.size)
    if part.gated:
        gate = layers.linear(rows, width, ("gate_proj",), elements=one)
        hidden = _gated(layers, part, gate, layers.linear(rows, width, UP, elements=one))
    else:
        hidden = layers.activation(layers.linear(rows, width, UP, elements=one), part.activation)
    out = layers.linear(hidden, share, DOWN, elements=one)
    weighted = tape.multiply(out, Value(Size(token=1), top.width, lasting=True))
    return tape.add(total, weighted)


def _kept_by_others(layers: Layers, part: MixtureOfExperts, share: int, width: int) -> Size:
    """Elements that all experts but one keep: inputs where they train, inner values, outputs."""
    trained = 1 if layers.regime.trained else 0
    inner = (3 if part.gated else 1) + trained
    return tokens((part.experts - 1) * (inner * width + (1 + trained) * share))


def always_on(part: MixtureOfExperts, width: int) -> DenseFeedForward:
    """The feed-forward that every token takes beside the routed experts."""
    return DenseFeedForward(
        hidden_size=part.hidden_size,
        width=width,
        gated=part.shared_gated,
        activation=part.activation,
    )


def _grouped(
    layers: Layers, part: MixtureOfExperts, x: Value, features: int, elements: int
) -> Value:
    """One product for all experts."""
    weight = layers.weight(part.experts * elements, layers.regime.weight)
    if layers.regime.autocast:
        weight = layers.tape.cast(weight, HALF)
    return layers.tape.matmul(layers.tape.cast(x, weight.width), weight, Size(token=features))
