"""Layers as frameworks spell them out: linear, norms, activations, rotation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.domain.manners import Activation, NormForm
from service.domain.tape.recording import Tape, Value
from service.domain.tape.regimes import HALF, SINGLE, Adapters, Regime
from service.domain.tape.sizes import NOTHING, Size

ONE = Size(token=1)


def tokens(width: int) -> Size:
    """So many elements a token."""
    return Size(token=width)


@dataclass(slots=True, eq=False)
class Layers:
    """A tape in a regime."""

    tape: Tape
    regime: Regime

    def weight(self, elements: int, width: int, *, trained: bool | None = None) -> Value:
        """A weight; its gradient stays where it is trained."""
        flows = self.regime.trained if trained is None else trained
        return Value(Size(fixed=elements), width, differentiable=flows, parameter=True)

    def product(self, x: Value, weight: Value, features: int) -> Value:
        """Product x · W: under autocast both are cast, each product casting its own input."""
        if self.regime.autocast:
            x, weight = self.tape.cast(x, HALF), self.tape.cast(weight, HALF)
        if self.regime.spelling.frozen_inputs and not weight.differentiable:
            return self.tape.note([x], Value(tokens(features), x.width), saved=[x])
        return self.tape.matmul(x, weight, tokens(features))

    def linear(
        self, x: Value, features: int, names: tuple[str, ...] = (), *, elements: int = 0
    ) -> Value:
        """A linear layer, with its low-rank pair where it is adapted.

        elements  of its weight, where not every token passes through it
        """
        held = elements or x.elements.token * features
        weight = self.weight(held, self.regime.weight)
        if self.regime.packed:
            y = self._unpacked(x, features, held)
        else:
            y = self.product(x, weight, features)
        adapters = self.regime.adapters
        if adapters is None or not names:
            return y
        if adapters.everywhere or not adapters.targets.isdisjoint(names):
            return self._adapted(x, y, adapters)
        return y

    def _unpacked(self, x: Value, features: int, held: int) -> Value:
        """A product with packed weights: they are unpacked for it, and the type of x comes back.

        Source: bitsandbytes `nn/modules.py`, Linear4bit.forward; `autograd/_functions.py`.
        """
        half = self.tape.cast(x, HALF)
        unpacked = Size(fixed=held * HALF)
        y = self.tape.note(
            [half],
            Value(tokens(features), HALF),
            saved=[half] if self.regime.spelling.frozen_inputs else [],
            workspace=unpacked,
        )
        return self.tape.cast(y, x.width)

    def _adapted(self, x: Value, y: Value, adapters: Adapters) -> Value:
        """Sum y + B·A·x: x is cast to the adapters' type, by peft or by autocast.

        Source: peft `tuners/lora/layer.py`, Linear.forward.
        """
        rank, inputs, features = adapters.rank, x.elements.token, y.elements.token
        if not self.regime.packed:
            x = self.tape.cast(x, adapters.width)
        x = self.tape.dropout(x, active=adapters.dropout)
        first = self.weight(inputs * rank, adapters.width, trained=True)
        second = self.weight(rank * features, adapters.width, trained=True)
        low = self.product(x, first, rank)
        update = self.product(low, second, features)
        if adapters.decomposed:
            return self.tape.cast(self._decomposed(y, update, adapters), y.width)
        total = self.tape.add(y, self.tape.pointwise(update))
        return self.tape.cast(total, y.width)

    def _decomposed(self, y: Value, update: Value, adapters: Adapters) -> Value:
        """Sum (m/n - 1)·y + (m/n)·B·A·x: a trained magnitude keeps both products.

        Source: peft 0.21 `tuners/lora/dora.py`, DoraLinearLayer.forward; allocator replay: 4 bytes
        more a token for each output feature of an adapted layer.
        """
        features = y.elements.token
        scale = self.weight(features, adapters.width, trained=True)
        kept = self.tape.multiply(y, scale)
        return self.tape.add(kept, self.tape.pointwise(self.tape.multiply(update, scale)))

    def norm(self, x: Value, form: NormForm, weighted: bool = True, heads: int = 1) -> Value:
        """A normalisation of `heads` parts of a token."""
        if form == "none":
            return x
        if form == "layer":
            return self._layer_norm(x, heads)
        if form == "layer-half":
            half = self.tape.cast(x, HALF) if self.regime.autocast else x
            return self.tape.layer_norm(half, tokens(heads))
        if form == "layer-raised":
            return self._raised_layer_norm(x, heads)
        if "norms" in self.regime.fused:
            weight = self.weight(x.elements.token // heads, self.regime.other)
            kept = Value(tokens(heads), SINGLE)
            inputs = [x, weight] if weighted else [x]
            y = Value(x.elements, x.width)
            return self.tape.note(inputs, y, saved=[x, kept], passes=self.regime.in_place)
        return self._root_mean_square(x, form, weighted, heads)

    def _layer_norm(self, x: Value, heads: int) -> Value:
        if self.regime.autocast:
            x = self.tape.cast(x, SINGLE)
        return self.tape.layer_norm(x, tokens(heads))

    def _raised_layer_norm(self, x: Value, heads: int) -> Value:
        """LayerNorm written out in fp32, the weight applied before the cast back.

        Source: transformers 5.23 `models/cohere/modeling_cohere.py`, CohereLayerNorm.
        """
        tape = self.tape
        single = tape.cast(x, SINGLE)
        mean = tape.reduce(single, tokens(heads))
        squared = tape.power(tape.add(single, tape.pointwise(mean)))
        variance = tape.reduce(squared, tokens(heads))
        centred = tape.add(single, tape.pointwise(mean))
        scaled = tape.multiply(centred, tape.pointwise(variance, keeps_result=True))
        weight = self.weight(x.elements.token // heads, SINGLE)
        return tape.cast(tape.multiply(scaled, weight), x.width)

    def _root_mean_square(self, x: Value, form: NormForm, weighted: bool, heads: int) -> Value:
        """RMSNorm as transformers writes it, operation by operation, in fp32.

        Source: transformers 5.23 `models/llama/modeling_llama.py`, LlamaRMSNorm;
        `models/gemma2/modeling_gemma2.py`, Gemma2RMSNorm (weight applied before the cast back).
        """
        tape = self.tape
        single = tape.cast(x, SINGLE)
        mean = tape.reduce(tape.power(single), tokens(heads))
        scaled = tape.multiply(
            x if form == "rms-late" else single, tape.pointwise(mean, keeps_result=True)
        )
        if not weighted:
            return tape.cast(scaled, x.width)
        features = x.elements.token // heads
        if form == "rms-offset":
            weight = self.weight(features, SINGLE)
            return tape.cast(tape.multiply(scaled, weight), x.width)
        weight = self.weight(features, self.regime.other)
        width = self.regime.other if form == "rms-late" else x.width
        return tape.multiply(tape.cast(scaled, width), weight)

    def activation(self, x: Value, kind: Activation) -> Value:
        """The activation function of a feed-forward."""
        if self.regime.spelling.whole_activations:
            kind = WHOLE.get(kind, kind)
        return ACTIVATIONS[kind](self, x)

    def rotate(self, x: Value) -> Value:
        """Rotary position: x · cos + (−x₂, x₁) · sin; the tables have the residual's type.

        Source: transformers 5.23 `models/llama/modeling_llama.py`, apply_rotary_pos_emb.
        """
        tape = self.tape
        if "rotations" in self.regime.fused and self.regime.in_place:
            return tape.note([x], Value(x.elements, x.width, root=x.storage), passes=True)
        width = SINGLE if self.regime.autocast and self.regime.other == SINGLE else x.width
        table = Value(ONE, width, differentiable=False, lasting=True)
        half = tokens(x.elements.token // 2)
        straight = tape.multiply(x, table)
        first, second = tape.part(x, half), tape.part(x, half)
        turned = tape.join([tape.pointwise(second), first])
        return tape.add(straight, tape.multiply(turned, table))


def _keeps_input(layers: Layers, x: Value) -> Value:
    return layers.tape.pointwise(x, keeps=True)


def _keeps_result(layers: Layers, x: Value) -> Value:
    return layers.tape.pointwise(x, keeps_result=True)


def _gelu_new(layers: Layers, x: Value) -> Value:
    """0.5 · x · (1 + tanh(c · (x + 0.044715 · x³))), written out in Python.

    Source: transformers 5.23 `activations.py`, NewGELUActivation.
    """
    tape = layers.tape
    half = tape.pointwise(x)
    cube = tape.power(tape.cast(x, SINGLE) if layers.regime.autocast else x)
    inner = tape.pointwise(tape.add(x, tape.pointwise(cube)))
    outer = tape.pointwise(tape.pointwise(inner, keeps_result=True))
    return tape.multiply(half, outer)


def _gelu_fast(layers: Layers, x: Value) -> Value:
    """0.5 · x · (1 + tanh(x · c · (1 + 0.044715 · x · x))). Source: as above, FastGELU."""
    tape = layers.tape
    half = tape.pointwise(x)
    inner = tape.pointwise(tape.multiply(tape.pointwise(x), x))
    argument = tape.multiply(tape.pointwise(x), inner)
    outer = tape.pointwise(tape.pointwise(argument, keeps_result=True))
    return tape.multiply(half, outer)


def _quick_gelu(layers: Layers, x: Value) -> Value:
    """Product x · sigmoid(1.702 · x). Source: as above, QuickGELUActivation."""
    gate = layers.tape.pointwise(layers.tape.pointwise(x), keeps_result=True)
    return layers.tape.multiply(x, gate)


def _squared_relu(layers: Layers, x: Value) -> Value:
    """relu(x)². Source: as above, ReLUSquaredActivation (torch.square: a power)."""
    tape = layers.tape
    positive = tape.pointwise(x, keeps_result=True)
    return tape.power(tape.cast(positive, SINGLE) if layers.regime.autocast else positive)


ACTIVATIONS: Mapping[Activation, Callable[[Layers, Value], Value]] = {
    "silu": _keeps_input,
    "gelu": _keeps_input,
    "relu": _keeps_result,
    "relu-squared": _squared_relu,
    "gelu-new": _gelu_new,
    "gelu-fast": _gelu_fast,
    "quick-gelu": _quick_gelu,
}

WHOLE: Mapping[Activation, Activation] = {"gelu-new": "gelu", "gelu-fast": "gelu"}
"""The single kernels that stand for activations which transformers writes out."""

__all__ = ["ACTIVATIONS", "NOTHING", "ONE", "Layers", "tokens"]
