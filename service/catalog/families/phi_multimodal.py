"""Phi 4 Multimodal: Phi 4 Mini with an eye, an ear, and adapters for both in every layer.

The published config names neither tower's sizes in full; they are the class's own. Source:
microsoft/Phi-4-multimodal-instruct `modeling_phi4mm.py`, `speech_conformer_encoder.py`.
"""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts
from service.catalog.families.llama_like import phi3
from service.catalog.families.parts import shape
from service.catalog.families.projectors import scale, stacked
from service.catalog.families.reading import Config
from service.catalog.families.vision import (
    VisionTransformer,
    convolution,
    pooling_head,
    table,
)
from service.catalog.families.wrapping import with_projector
from service.domain.architecture import LayerKind, Tower
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensors, matrix, norm, vector

VISION_RANK, SPEECH_RANK = 256, 320
SIGLIP = VisionTransformer(
    hidden_size=1152,
    layers=27,
    heads=16,
    width=4304,
    patch_values=3 * 14 * 14,
    patch_bias=True,
    position_rows=(448 // 14) ** 2,
    tail=pooling_head(1152, 4304),
)
SPEECH, SPEECH_LAYERS, SPEECH_HEADS, SPEECH_WIDTH = 1024, 24, 16, 1536
MEL, TIME_REDUCTION, MAX_DISTANCE, KERNEL = 80, 8, 500, 3


def phi4mm(config: Config) -> Facts:
    """The decoder, with low-rank adapters of both modalities in every layer."""
    size, base = shape(config), phi3(config)
    query = size.heads * size.head_dim + 2 * size.kv_heads * size.head_dim
    width = config.integer("intermediate_size")
    shapes = (
        (query, size.hidden),
        (size.hidden, size.heads * size.head_dim),
        (2 * width, size.hidden),
        (size.hidden, width),
    )
    ranks = (
        config.section("vision_lora").integer("r", default=VISION_RANK),
        config.section("speech_lora").integer("r", default=SPEECH_RANK),
    )
    adapters = tuple(
        tensor
        for rank in ranks
        for rows, columns in shapes
        for tensor in (
            matrix("lora_a", "projector", rank, columns),
            matrix("lora_b", "projector", rows, rank),
        )
    )
    towers = (_eye(size.hidden), _ear(size.hidden))
    buffers = (("mean and scale of the spectrogram", 2 * MEL),)
    return replace(base, layer_extras=lambda _: adapters, towers=towers, checkpoint_extras=buffers)


def _eye(text: int) -> Tower:
    ahead = (
        *scale("glb_GN", SIGLIP.hidden_size),
        *scale("sub_GN", SIGLIP.hidden_size),
        *stacked(SIGLIP.hidden_size, text, text),
    )
    return SIGLIP.tower(ahead)


def _ear(text: int) -> Tower:
    """A conformer, and projectors for speech alone and for speech beside images."""
    tower = Tower(
        name="audio",
        modality="audio",
        hidden_size=SPEECH,
        layer_kinds=(_speech_block(),),
        layer_order=(0,) * SPEECH_LAYERS,
        before=_speech_stem(),
    )
    return with_projector(tower, 2 * stacked(SPEECH, text, text))


def _layer(name: str, outputs: int, inputs: int) -> Tensors:
    return (matrix(name, "mlp", outputs, inputs), vector(f"{name}.bias", "bias", outputs))


def _speech_stem() -> Tensors:
    """Three strided convolutions, two of them depthwise before a pointwise one."""
    depthwise = convolution("conv", SPEECH, KERNEL**2)
    return (
        *(depthwise, vector("conv.bias", "bias", SPEECH)) * 3,
        *(convolution("pointwise", SPEECH, SPEECH), vector("pointwise.bias", "bias", SPEECH)) * 2,
        *_layer("out", SPEECH, SPEECH * MEL // TIME_REDUCTION),
        table("relative_attention_bias", 2 * MAX_DISTANCE, SPEECH_HEADS),
    )


def _speech_block() -> LayerKind:
    half = DenseFeedForward(
        hidden_size=SPEECH, width=SPEECH_WIDTH, gated=True, up_bias=True, down_bias=True
    )
    mixer = Attention(
        hidden_size=SPEECH,
        heads=SPEECH_HEADS,
        kv_heads=SPEECH_HEADS,
        head_dim=SPEECH // SPEECH_HEADS,
        query_bias=True,
        key_bias=True,
        value_bias=True,
        output_bias=True,
        keeps="nothing",
    )
    norms = tuple(t for index in range(5) for t in norm(f"norm_{index}", SPEECH, bias=True))
    return LayerKind(
        mixers=(mixer,), feed_forwards=(half, half), others=(*norms, *_speech_convolution())
    )


def _speech_convolution() -> Tensors:
    """A gated pointwise convolution, a depthwise separable one, and a pointwise one."""
    return (
        vector("glu.b1", "bias", SPEECH),
        vector("glu.b2", "bias", SPEECH),
        *_layer("glu", 2 * SPEECH, SPEECH),
        convolution("depthwise", SPEECH, KERNEL),
        vector("depthwise.bias", "bias", SPEECH),
        *_layer("pointwise", SPEECH, SPEECH),
        *_layer("ext_pw_conv", SPEECH, SPEECH),
    )
