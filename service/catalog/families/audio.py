"""Audio towers: Whisper's encoder, and the conformers of Gemma and Phi."""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.reading import MAX_LAYERS, Config
from service.catalog.families.vision import VisionTransformer, convolution, table
from service.domain.architecture import LayerKind, Tower
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensors, matrix, norm, vector

WHISPER_KERNEL = 3
GEMMA_KERNEL = 5
GEMMA_CHANNELS = (128, 32)
GEMMA_FEATURES = 128


def whisper(
    config: Config, *, positions: bool, key_bias: bool = False, stem: Tensors | None = None
) -> Tower:
    """Whisper's encoder: two convolutions over the spectrogram, blocks without a key bias."""
    hidden = config.integer("hidden_size", "d_model")
    mel = config.integer("num_mel_bins", default=128)
    rows = config.integer("max_source_positions", default=1500) if positions else 0
    shape = VisionTransformer(
        hidden_size=hidden,
        layers=config.integer("num_hidden_layers", "encoder_layers", high=MAX_LAYERS),
        heads=config.integer("num_attention_heads", "encoder_attention_heads", high=hidden),
        width=config.integer("intermediate_size", "encoder_ffn_dim"),
        patch_values=0,
    )
    block = shape.block()
    mixer = replace(shape.mixer(), key_bias=key_bias)
    first = (
        convolution("conv1", hidden, mel * WHISPER_KERNEL),
        vector("conv1.bias", "bias", hidden),
        convolution("conv2", hidden, hidden * WHISPER_KERNEL),
        vector("conv2.bias", "bias", hidden),
    )
    return Tower(
        name="audio",
        modality="audio",
        hidden_size=hidden,
        layer_kinds=(replace(block, mixers=(mixer,)),),
        layer_order=(0,) * shape.layers,
        before=(
            *(first if stem is None else stem),
            *((table("positions", rows, hidden),) if rows else ()),
        ),
        after=shape.after(),
    )


def gemma_conformer(config: Config) -> Tower:
    """The conformer of Gemma 3n and 4: two half feed-forwards around attention and convolution.

    Source: transformers 5.23 `modeling_gemma3n.py`, `modeling_gemma4.py`.
    """
    hidden = config.integer("hidden_size")
    heads = config.integer("conf_num_attention_heads", "num_attention_heads", high=hidden)
    kernel = config.integer("conf_conv_kernel_size", "conv_kernel_size", default=GEMMA_KERNEL)
    outputs = config.integer("output_proj_dims", default=0, low=0)
    layers = config.integer("conf_num_hidden_layers", "num_hidden_layers", high=MAX_LAYERS)
    last = (
        (matrix("output_proj", "mlp", outputs, hidden), vector("output_proj.bias", "bias", outputs))
        if outputs
        else ()
    )
    return Tower(
        name="audio",
        modality="audio",
        hidden_size=hidden,
        layer_kinds=(_conformer_block(hidden, heads, kernel),),
        layer_order=(0,) * layers,
        before=_subsampling(config, hidden),
        after=last,
    )


def _subsampling(config: Config, hidden: int) -> Tensors:
    """Two strided convolutions over the spectrogram, each with a norm, and one matrix."""
    channels = ("sscp_conv_channel_size", "subsampling_conv_channels")
    first = config.by_layer(0, *channels, default=GEMMA_CHANNELS[0])
    second = config.by_layer(1, *channels, default=GEMMA_CHANNELS[1])
    features = config.integer("input_feat_size", default=GEMMA_FEATURES) // 4
    return (
        convolution("conv_0", first, 9),
        vector("conv_0.norm", "norm", first),
        convolution("conv_1", second, 9 * first),
        vector("conv_1.norm", "norm", second),
        matrix("input_proj", "mlp", hidden, second * features),
    )


def _conformer_block(hidden: int, heads: int, kernel: int) -> LayerKind:
    head_dim = hidden // heads
    half = DenseFeedForward(hidden_size=hidden, width=4 * hidden, gated=False)
    mixer = Attention(
        hidden_size=hidden, heads=heads, kv_heads=heads, head_dim=head_dim, keeps="nothing"
    )
    norms = tuple(tensor for index in range(9) for tensor in norm(f"norm_{index}", hidden))
    return LayerKind(
        mixers=(mixer,),
        feed_forwards=(half, half),
        others=(
            *norms,
            vector("per_dim_scale", "norm", head_dim),
            matrix("relative_k_proj", "attention", hidden, hidden),
            matrix("lconv.linear_start", "mlp", 2 * hidden, hidden),
            convolution("lconv.depthwise", hidden, kernel),
            matrix("lconv.linear_end", "mlp", hidden, hidden),
        ),
    )
