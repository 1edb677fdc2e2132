"""Vision transformers as their configs tell them, one function for each class of tower."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from service.catalog.families.nested import extent
from service.catalog.families.reading import MAX_LAYERS, Config
from service.catalog.families.vision import VisionTransformer, pooling_head, table
from service.domain.tensors import Tensors, vector

LAYERS = ("num_hidden_layers", "depth")
HEADS = ("num_attention_heads", "num_heads", "attention_heads")
CHANNELS = ("num_channels", "in_channels", "in_chans")


def basic(config: Config, *, hidden: int | None = None) -> VisionTransformer:
    """What every vision config states: widths, depth, heads and the size of a patch."""
    rows, columns = extent(config, "patch_size")
    hidden = hidden or config.integer("hidden_size")
    frames = config.integer("temporal_patch_size", default=1)
    return VisionTransformer(
        hidden_size=hidden,
        layers=config.integer(*LAYERS, high=MAX_LAYERS),
        heads=config.integer(*HEADS, high=hidden),
        width=config.integer("intermediate_size", default=4 * hidden),
        patch_values=config.integer(*CHANNELS, default=3) * frames * rows * columns,
    )


def patches(config: Config) -> int:
    """Patches of an image of the config's size."""
    height, width = extent(config, "image_size")
    rows, columns = extent(config, "patch_size")
    return (height // rows) * (width // columns)


def clip(config: Config) -> VisionTransformer:
    """CLIP: a class token, learned positions, norms before and behind the blocks."""
    return replace(
        basic(config), class_token=True, position_rows=patches(config) + 1, leading_norm=True
    )


def siglip(config: Config) -> VisionTransformer:
    """SigLIP: learned positions, and a pooling head unless `vision_use_head` is false."""
    shape = replace(basic(config), patch_bias=True, position_rows=patches(config))
    if not config.flag("vision_use_head", default=True):
        return shape
    return replace(shape, tail=pooling_head(shape.hidden_size, shape.width))


def headless_siglip(config: Config) -> VisionTransformer:
    """SigLIP's shape in a class that has no pooling head (Idefics 3)."""
    return replace(basic(config), patch_bias=True, position_rows=patches(config))


def pixtral(config: Config) -> VisionTransformer:
    """Pixtral: a small Llama over patches, rotary positions, a norm before the blocks."""
    return replace(
        basic(config),
        head_dim=config.integer("head_dim", default=0, low=0),
        gated=True,
        input_bias=False,
        output_bias=False,
        mlp_bias=False,
        norm_bias=False,
        leading_norm=True,
        last_norm=False,
    )


def internvl(config: Config) -> VisionTransformer:
    """InternViT: a scale behind each part of a block, no norm behind the blocks."""
    shape = basic(config)
    positions = config.flag("use_absolute_position_embeddings", default=True)
    rms = config.text("norm_type") == "rms_norm"
    return replace(
        shape,
        patch_bias=True,
        class_token=True,
        position_rows=patches(config) + 1 if positions else 0,
        input_bias=config.flag("attention_bias", "qkv_bias"),
        head_norm=shape.hidden_size if config.flag("use_qk_norm", "qk_normalization") else 0,
        norm_bias=not rms,
        last_norm=not config.flag("use_mean_pooling", default=True),
        block_extras=layer_scales(shape.hidden_size),
    )


def layer_scales(hidden: int) -> Tensors:
    """One learned scale behind attention and one behind the feed-forward."""
    return (vector("layer_scale_1", "norm", hidden), vector("layer_scale_2", "norm", hidden))


def qwen2_vl(config: Config) -> VisionTransformer:
    """Qwen 2 VL: `embed_dim` is the tower's width, `hidden_size` the decoder's."""
    hidden = config.integer("embed_dim")
    shape = basic(config, hidden=hidden)
    ratio = config.integer("mlp_ratio", default=4)
    return replace(_with_frames(config, shape), width=ratio * hidden, last_norm=False)


def _with_frames(config: Config, shape: VisionTransformer) -> VisionTransformer:
    """Patches over two frames where the config leaves the number out."""
    if config.has("temporal_patch_size"):
        return shape
    return replace(shape, patch_values=2 * shape.patch_values)


def qwen2_5_vl(config: Config) -> VisionTransformer:
    """Qwen 2.5 VL: gated, norms without bias, windows in all blocks but a few."""
    rows, _ = extent(config, "patch_size")
    window = config.integer("window_size", default=112) // rows
    shape = basic(config)
    whole = config.whole_numbers("fullatt_block_indexes", below=shape.layers)
    return replace(
        _with_frames(config, shape),
        gated=True,
        norm_bias=False,
        last_norm=False,
        window_patches=window**2,
        global_blocks=frozenset(whole or range(7, shape.layers, 8)),
    )


def qwen3_vl(config: Config) -> VisionTransformer:
    """Qwen 3 VL and 3.5: a bias on patches and a learned table of positions."""
    return replace(
        _with_frames(config, basic(config)),
        patch_bias=True,
        position_rows=config.integer("num_position_embeddings"),
        last_norm=False,
    )


def glm4v(config: Config) -> VisionTransformer:
    """GLM 4V: gated with `out_hidden_size` as width, a norm on patches and one behind."""
    bias = config.flag("attention_bias")
    return replace(
        _with_frames(config, basic(config)),
        width=config.integer("out_hidden_size"),
        patch_bias=True,
        position_rows=patches(config),
        gated=True,
        input_bias=bias,
        output_bias=False,
        mlp_bias=False,
        norm_bias=False,
        leading_norm=True,
    )


def ernie(config: Config) -> VisionTransformer:
    """ERNIE 4.5 VL: plain blocks over rotary positions."""
    return basic(config)


def llama4(config: Config) -> VisionTransformer:
    """Llama 4: a class token behind the patches, norms on both sides, an adapter behind."""
    shape = basic(config)
    ratio = config.number("pixel_shuffle_ratio", 0.5)
    if not 0 < ratio <= 1:
        raise config.wrong("pixel_shuffle_ratio", "must be more than 0 and at most 1")
    inner, outputs = (
        config.integer("projector_input_dim"),
        config.integer("projector_output_dim"),
    )
    adapter = (
        table("adapter.fc1", inner, config.integer("intermediate_size")),
        table("adapter.fc2", outputs, outputs),
    )
    return replace(
        shape,
        class_token=True,
        position_rows=patches(config) + 1,
        leading_norm=True,
        tail=tuple(replace(tensor, kind="mlp", linear=True) for tensor in adapter),
    )


def moonvit(config: Config) -> VisionTransformer:
    """MoonViT of the Kimis: a learned grid of positions; K3's has no biases and wider heads."""
    names = {
        "hidden_size": "vt_hidden_size",
        "num_hidden_layers": "vt_num_hidden_layers",
        "num_attention_heads": "vt_num_attention_heads",
        "intermediate_size": "vt_intermediate_size",
    }
    data = {key: config.data.get(key, config.data.get(other)) for key, other in names.items()}
    shape = basic(Config({**config.data, **data}, config.path))
    rows = config.integer("init_pos_emb_height", "pos_emb_height", default=64)
    columns = config.integer("init_pos_emb_width", "pos_emb_width", default=64)
    attention_bias = config.flag("attn_bias", default=True)
    width = config.integer("qkv_hidden_size", default=shape.hidden_size)
    return replace(
        shape,
        head_dim=width // shape.heads,
        patch_bias=config.flag("patch_embed_proj_bias", default=True),
        position_rows=rows * columns,
        input_bias=attention_bias,
        output_bias=attention_bias,
        mlp_bias=config.flag("linear_bias", default=True),
        norm_bias=config.text("norm_type") != "rmsnorm",
    )


def muse_glimmer(config: Config) -> VisionTransformer:
    """Muse Glimmer: patches over two frames, learned positions, norms before and behind."""
    shape = basic(config)
    frames = config.integer("patch_temporal", default=2)
    rows = config.integer("pos_emb_height", default=32)
    return replace(
        shape,
        patch_values=frames * shape.patch_values,
        position_rows=rows * config.integer("pos_emb_width", default=32),
        leading_norm=True,
    )


def minimax_m3(config: Config) -> VisionTransformer:
    """MiniMax M3: CLIP's blocks over frames with rotary positions, no norm behind them."""
    inner = config.section("img_token_compression_config")
    shape = basic(config)
    frames = inner.integer("temporal_patch_size", default=2)
    return replace(
        shape, patch_values=frames * shape.patch_values, leading_norm=True, last_norm=False
    )


def gemma4(config: Config) -> VisionTransformer:
    """Gemma 4: four norms a block, norms over heads, positions of rows and columns apart."""
    shape = basic(config)
    head_dim = config.integer("head_dim", default=shape.hidden_size // shape.heads)
    bias = config.flag("attention_bias")
    return replace(
        shape,
        head_dim=head_dim,
        position_rows=2 * config.integer("position_embedding_size", default=10240),
        gated=True,
        input_bias=bias,
        output_bias=bias,
        mlp_bias=False,
        norm_bias=False,
        norms_per_block=4,
        head_norm=head_dim,
        last_norm=False,
    )


VISION: Mapping[str, Callable[[Config], VisionTransformer]] = {
    "clip_vision_model": clip,
    "ernie4_5_vl_moe_vision": ernie,
    "gemma4_vision": gemma4,
    "glm4v_vision": glm4v,
    "idefics3_vision": headless_siglip,
    "internvl_vision": internvl,
    "llama4_vision_model": llama4,
    "minimax_m3_vision": minimax_m3,
    "moonvit": moonvit,
    "muse_glimmer_vision": muse_glimmer,
    "pixtral": pixtral,
    "qwen2_5_vl_vision": qwen2_5_vl,
    "qwen2_vl_vision": qwen2_vl,
    "qwen3_5_vision": qwen3_vl,
    "qwen3_vl_vision": qwen3_vl,
    "siglip_vision_model": siglip,
}
