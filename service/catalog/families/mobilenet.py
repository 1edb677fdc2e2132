"""MobileNetV5, Gemma 3n's vision tower: a convolutional network that its config only names.

Source: timm 1.0.31, `models/mobilenetv5.py`, mobilenetv5_300m_enc.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.catalog.families.vision import convolution
from service.domain.architecture import LayerKind, Tower
from service.domain.tensors import Tensor, Tensors, matrix, vector

STEM = 64
FUSED = 2048
RGB = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """Universal inverted residual: depthwise, expanding, depthwise, narrowing convolutions."""

    inputs: int
    outputs: int
    expansion: int
    start: int = 0
    middle: int = 0
    scaled: bool = True

    def tensors(self) -> Tensors:
        """Convolutions without bias, each with a norm, and a scale behind them."""
        wide = self.inputs * self.expansion
        first = _depthwise("dw_start", self.inputs, self.start) if self.start else ()
        second = _depthwise("dw_mid", wide, self.middle) if self.middle else ()
        scale = (vector("layer_scale", "norm", self.outputs),) if self.scaled else ()
        return (
            *first,
            *_normed("pw_exp", wide, self.inputs),
            *second,
            *_normed("pw_proj", self.outputs, wide),
            *scale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeResidual:
    """A full convolution that widens, and one that narrows."""

    inputs: int
    outputs: int
    expansion: int
    kernel: int = 3

    def tensors(self) -> Tensors:
        """Two convolutions with their norms."""
        wide = self.inputs * self.expansion
        return (
            *_normed("conv_exp", wide, self.inputs * self.kernel**2),
            *_normed("conv_pwl", self.outputs, wide),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileAttention:
    """Multi-query attention whose keys and values may be taken from a coarser image."""

    width: int
    heads: int
    head_dim: int
    coarse_kernel: int = 0

    def tensors(self) -> Tensors:
        """One query projection of all heads, one key and one value head, output, scale."""
        wide = self.heads * self.head_dim
        coarse = _depthwise("down", self.width, self.coarse_kernel) if self.coarse_kernel else ()
        keys = (*coarse, matrix("key", "attention", self.head_dim, self.width))
        return (
            vector("norm", "norm", self.width),
            matrix("query", "attention", wide, self.width),
            *keys,
            *keys,
            matrix("output", "attention", self.width, wide),
            vector("layer_scale", "norm", self.width),
        )


Block = Residual | EdgeResidual | MobileAttention


def _normed(name: str, outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
    return convolution(name, outputs, inputs), vector(f"{name}.norm", "norm", outputs)


def _depthwise(name: str, channels: int, kernel: int) -> tuple[Tensor, Tensor]:
    return _normed(name, channels, kernel**2)


def blocks() -> tuple[Block, ...]:
    """All blocks of the four stages."""
    early: tuple[Block, ...] = (
        EdgeResidual(inputs=STEM, outputs=128, expansion=4),
        *(EdgeResidual(inputs=128, outputs=128, expansion=4),) * 2,
        Residual(inputs=128, outputs=256, expansion=6, start=3, middle=5),
        *(Residual(inputs=256, outputs=256, expansion=4, start=kernel) for kernel in (5, 3, 5, 3)),
        Residual(inputs=256, outputs=640, expansion=6, start=5, middle=5),
        *(Residual(inputs=640, outputs=640, expansion=4, start=5),) * 7,
        Residual(inputs=640, outputs=640, expansion=1),
    )
    third: tuple[Block, ...] = (
        MobileAttention(width=640, heads=12, head_dim=64, coarse_kernel=3),
        Residual(inputs=640, outputs=640, expansion=2),
    )
    fourth: tuple[Block, ...] = (
        MobileAttention(width=1280, heads=16, head_dim=96),
        Residual(inputs=1280, outputs=1280, expansion=2),
    )
    widening = Residual(inputs=640, outputs=1280, expansion=6, start=5, middle=5)
    return (*early, *third * 14, widening, *fourth * 19)


def mobilenet(item_tokens: int, projector: Tensors) -> Tower:
    """The tower: stem, blocks, and the layer that fuses its last two scales."""
    kinds: dict[Block, LayerKind] = {}
    order = []
    for block in blocks():
        kinds.setdefault(block, LayerKind(others=block.tensors()))
        order.append(list(kinds).index(block))
    fusion = Residual(inputs=640 + 1280, outputs=FUSED, expansion=2, scaled=False)
    return Tower(
        name="vision",
        modality="vision",
        hidden_size=FUSED,
        layer_kinds=tuple(kinds.values()),
        layer_order=tuple(order),
        before=(*_normed("stem", STEM, RGB * 9), vector("stem.bias", "bias", STEM)),
        after=(*fusion.tensors(), vector("fusion.norm", "norm", FUSED), *projector),
        item_tokens=item_tokens,
    )
