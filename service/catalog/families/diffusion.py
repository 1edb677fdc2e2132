"""Diffusion transformers, for their weights: Wan, FLUX, Stable Diffusion 3, Qwen-Image.

Source: diffusers 0.42.1, `models/transformers/transformer_*.py`, `models/attention.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from service.catalog.families.bricks import (
    FEED_FORWARD_RATIO,
    affine,
    attend,
    convolution,
    embedder,
    feed_forward,
    perceptron,
)
from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.reading import MAX_LAYERS, Config
from service.domain.tensors import Tensors, matrix, norm, vector

TIME_FREQUENCIES = 256
MODULATION = 6
"""Shift, scale and gate, before attention and before the feed-forward."""


def weights_only(
    width: int, count: int, block: Callable[[int], Tensors], before: Tensors, after: Tensors
) -> Facts:
    """Facts of a model of images or video: blocks by index, and what stands around them."""
    return Facts(
        hidden_size=width,
        vocabulary_size=0,
        layers=count,
        tied=False,
        mixer=lambda _: None,
        feed_forward=lambda _: None,
        norms=Norms(per_block=0, final=False),
        layer_extras=block,
        wordless=True,
        headless=True,
        output="latents",
        extras=before,
        head_extras=after,
    )


def width_of(config: Config) -> int:
    """Heads × their size."""
    return config.integer("num_attention_heads") * config.integer("attention_head_dim")


def modulation(name: str, width: int, parts: int = MODULATION) -> Tensors:
    """Shifts, scales and gates from the time's embedding."""
    return affine(name, "projector", parts * width, width)


def ending(config: Config, width: int, outputs: int) -> Tensors:
    """The modulated last norm, and the projection to a patch."""
    patch = config.integer("patch_size", default=1, high=width)
    return (
        *modulation("norm_out", width, 2),
        *affine("proj_out", "projector", patch * patch * outputs, width),
    )


def wan(config: Config) -> Facts:
    """Wan: video patches, attention to itself, to the text, and to an image where one is given."""
    width, inner = width_of(config), config.integer("ffn_dim")
    sizes = config.items("patch_size") or (1, 2, 2)
    patch = prod(config.by_layer(i, "patch_size", default=1) for i in range(len(sizes)))
    inputs = config.integer("in_channels", default=16)
    outputs = config.integer("out_channels", default=inputs)
    added = config.integer("added_kv_proj_dim", default=0, low=0)
    block = (
        *attend("attn1", width, width, norms=width),
        *attend("attn2", width, width, norms=width),
        *(_added_keys(width, added) if added else ()),
        *(norm("norm2", width, bias=True) if config.flag("cross_attn_norm", default=True) else ()),
        *feed_forward("ffn", width, inner),
        vector("scale_shift_table", "norm", MODULATION * width),
    )
    before = (
        *convolution("patch_embedding", width, inputs, patch),
        *embedder("time_embedder", config.integer("freq_dim", default=TIME_FREQUENCIES), width),
        *modulation("time_proj", width),
        *embedder("text_embedder", config.integer("text_dim", default=4096), width),
        *_image_embedder(config, width),
    )
    after = (
        *affine("proj_out", "projector", patch * outputs, width),
        vector("scale_shift_table", "norm", 2 * width),
    )
    count = config.integer("num_layers", high=MAX_LAYERS)
    return weights_only(width, count, lambda _: block, before, after)


def _added_keys(width: int, inputs: int) -> Tensors:
    return (
        *affine("attn2.add_k_proj", "attention", width, inputs),
        *affine("attn2.add_v_proj", "attention", width, inputs),
        *norm("attn2.norm_added_k", width),
    )


def _image_embedder(config: Config, width: int) -> Tensors:
    inputs = config.integer("image_dim", default=0, low=0)
    places = config.integer("pos_embed_seq_len", default=0, low=0)
    if not inputs:
        return ()
    return (
        *norm("image_embedder.norm1", inputs, bias=True),
        *perceptron("image_embedder.ff", "projector", inputs, inputs, width),
        *norm("image_embedder.norm2", width, bias=True),
        *((matrix("image_embedder.pos_embed", "position", places, inputs),) if places else ()),
    )


def double_block(width: int, head: int, *, last: bool = False, dual: bool = False) -> Tensors:
    """A block over image and text side by side; the last one leaves the text where it is.

    head  elements of a head, over which queries and keys are normed, 0 where they are not
    dual  a second attention over the image alone
    """
    inner = FEED_FORWARD_RATIO * width
    return (
        *modulation("norm1", width, MODULATION + 3 if dual else MODULATION),
        *modulation("norm1_context", width, 2 if last else MODULATION),
        *attend("attn", width, width, norms=head),
        *attend("attn.added", width, width, norms=head, out=not last),
        *(attend("attn2", width, width, norms=head) if dual else ()),
        *feed_forward("ff", width, inner),
        *(() if last else feed_forward("ff_context", width, inner)),
    )


def flux(config: Config) -> Facts:
    """FLUX.1: blocks over image and text side by side, then blocks over both as one."""
    width, head = width_of(config), config.integer("attention_head_dim")
    inputs, inner = config.integer("in_channels", default=64), FEED_FORWARD_RATIO * width
    double = double_block(width, head)
    single = (
        *modulation("norm", width, 3),
        *attend("attn", width, width, norms=head, out=False),
        *affine("proj_mlp", "mlp", inner, width),
        *affine("proj_out", "mlp", width, width + inner),
    )
    guided = config.flag("guidance_embeds")
    before = (
        *embedder("timestep_embedder", TIME_FREQUENCIES, width),
        *(embedder("guidance_embedder", TIME_FREQUENCIES, width) if guided else ()),
        *embedder("text_embedder", config.integer("pooled_projection_dim", default=768), width),
        *affine("context_embedder", "projector", width, config.integer("joint_attention_dim")),
        *affine("x_embedder", "projector", width, inputs),
    )
    doubles = config.integer("num_layers", high=MAX_LAYERS)
    count = doubles + config.integer("num_single_layers", low=0, high=MAX_LAYERS)
    after = ending(config, width, config.integer("out_channels", default=inputs))
    return weights_only(
        width, count, lambda index: double if index < doubles else single, before, after
    )


def qwen_image(config: Config) -> Facts:
    """Qwen-Image: blocks over image and text side by side."""
    width, head = width_of(config), config.integer("attention_head_dim")
    text = config.integer("joint_attention_dim")
    block = double_block(width, head)
    before = (
        *embedder("timestep_embedder", TIME_FREQUENCIES, width),
        *norm("txt_norm", text),
        *affine("img_in", "projector", width, config.integer("in_channels")),
        *affine("txt_in", "projector", width, text),
    )
    after = ending(config, width, config.integer("out_channels", default=16))
    count = config.integer("num_layers", high=MAX_LAYERS)
    return weights_only(width, count, lambda _: block, before, after)


def stable_diffusion_3(config: Config) -> Facts:
    """Stable Diffusion 3 and 3.5: as FLUX's first blocks, some with a second attention."""
    width, inputs = width_of(config), config.integer("in_channels", default=16)
    head = config.integer("attention_head_dim") if config.text("qk_norm") else 0
    count = config.integer("num_layers", high=MAX_LAYERS)
    dual = config.items("dual_attention_layers") or ()
    patch = config.integer("patch_size", default=2, high=width)
    before = (
        *convolution("pos_embed.proj", width, inputs, patch * patch),
        *embedder("timestep_embedder", TIME_FREQUENCIES, width),
        *embedder("text_embedder", config.integer("pooled_projection_dim", default=2048), width),
        *affine(
            "context_embedder",
            "projector",
            config.integer("caption_projection_dim", default=width),
            config.integer("joint_attention_dim", default=4096),
        ),
    )
    after = ending(config, width, config.integer("out_channels", default=inputs))
    return weights_only(
        width,
        count,
        lambda index: double_block(width, head, last=index == count - 1, dual=index in dual),
        before,
        after,
    )
