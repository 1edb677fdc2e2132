"""U-Nets and autoencoders of diffusion pipelines, for their weights.

Source: diffusers 0.42.1, `models/unets/unet_2d_condition.py`, `models/unets/unet_2d_blocks.py`,
`models/autoencoders/autoencoder_kl.py`, `models/autoencoders/vae.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from service.catalog.families.bricks import (
    FEED_FORWARD_RATIO,
    affine,
    attend,
    convolution,
    embedder,
    feed_forward,
    residual,
)
from service.catalog.families.decoder import Facts
from service.catalog.families.diffusion import weights_only
from service.catalog.families.reading import Config
from service.domain.tensors import Tensors, norm

MAX_STAGES = 8
MAX_LAYERS_EACH = 8
MAX_DEPTH = 32
LATENT_PARTS = 2
"""Mean and variance of a latent."""
UNMODELLED = (
    "class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type",
    "time_cond_proj_dim", "timestep_post_act", "attention_type", "addition_embed_type_num_heads",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Attending:
    """Transformer blocks after each residual block of a stage, over text of `text` features."""

    depth: int
    text: int

    def tensors(self, name: str, width: int) -> Tensors:
        """A norm, two projections and `depth` blocks between them."""
        block = (
            *norm(f"{name}.norm1", width, bias=True),
            *attend(f"{name}.attn1", width, width, bias=False),
            *norm(f"{name}.norm2", width, bias=True),
            *attend(f"{name}.attn2", width, self.text, bias=False),
            *norm(f"{name}.norm3", width, bias=True),
            *feed_forward(f"{name}.ff", width, FEED_FORWARD_RATIO * width, gated=True),
        )
        return (
            *norm(f"{name}.norm", width, bias=True),
            *affine(f"{name}.proj_in", "projector", width, width),
            *(block * self.depth),
            *affine(f"{name}.proj_out", "projector", width, width),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One resolution of a U-Net."""

    width: int
    layers: int
    attending: Attending | None


def stages_of(config: Config) -> tuple[Stage, ...]:
    """Resolutions, from the finest to the coarsest."""
    widths, kinds = _listed(config, "block_out_channels"), _listed(config, "down_block_types")
    if len(kinds) != len(widths):
        raise config.wrong("down_block_types", f"must list {len(widths)} blocks")
    return tuple(
        Stage(
            width=config.by_layer(index, "block_out_channels"),
            layers=config.by_layer(index, "layers_per_block", default=2, high=MAX_LAYERS_EACH),
            attending=_attending(config, index) if "CrossAttn" in str(kind) else None,
        )
        for index, kind in enumerate(kinds)
    )


def _listed(config: Config, key: str) -> tuple[object, ...]:
    found = config.items(key)
    if not found or len(found) > MAX_STAGES:
        raise config.wrong(key, f"must be a list of 1 to {MAX_STAGES} items")
    return found


def _attending(config: Config, index: int) -> Attending:
    return Attending(
        depth=config.by_layer(index, "transformer_layers_per_block", default=1, high=MAX_DEPTH),
        text=config.by_layer(index, "cross_attention_dim", default=1280),
    )


def unet(config: Config) -> Facts:
    """Stable Diffusion 1 to XL: residual and transformer blocks, down, in the middle, and up."""
    _refuse_unmodelled(config)
    stages = stages_of(config)
    first, time = stages[0].width, 4 * stages[0].width
    middle = _middle(config, stages, time)
    blocks = (*_down(stages, time), middle, *_up(stages, time))
    before = (
        *convolution("conv_in", first, config.integer("in_channels", default=4)),
        *embedder("time_embedding", first, time),
        *_added_embedding(config, time),
    )
    after = (
        *norm("conv_norm_out", first, bias=True),
        *convolution("conv_out", config.integer("out_channels", default=4), first),
    )
    return weights_only(stages[-1].width, len(blocks), lambda i: blocks[i], before, after)


def _refuse_unmodelled(config: Config) -> None:
    for key in UNMODELLED:
        value = config.data.get(key)
        if value is not None and value is not False and value != "default":
            raise config.wrong(key, "is not modelled; leave it out")
    for key in ("dual_cross_attention", "only_cross_attention", "class_embeddings_concat"):
        if config.has(key) and config.data[key] is not False:
            raise config.wrong(key, "is not modelled; only false is")


def _added_embedding(config: Config, time: int) -> Tensors:
    kind = config.text("addition_embed_type")
    if kind is None:
        return ()
    if kind != "text_time":
        raise config.wrong("addition_embed_type", "is not modelled; only text_time is")
    inputs = config.integer("projection_class_embeddings_input_dim")
    return embedder("add_embedding", inputs, time)


def _down(stages: tuple[Stage, ...], time: int) -> tuple[Tensors, ...]:
    found, before = [], stages[0].width
    for index, stage in enumerate(stages):
        ins = (before, *(stage.width for _ in range(stage.layers - 1)))
        halves = convolution("downsample", stage.width, stage.width)
        found.append((*_stack(stage, ins, time), *(halves if index + 1 < len(stages) else ())))
        before = stage.width
    return tuple(found)


def _stack(stage: Stage, inputs: tuple[int, ...], time: int) -> Tensors:
    return tuple(
        tensor
        for index, width in enumerate(inputs)
        for tensor in (
            *residual(f"resnets.{index}", width, stage.width, time),
            *(
                stage.attending.tensors(f"attentions.{index}", stage.width)
                if stage.attending
                else ()
            ),
        )
    )


def _middle(config: Config, stages: tuple[Stage, ...], time: int) -> Tensors:
    if config.text("mid_block_type") not in {None, "UNetMidBlock2DCrossAttn"}:
        raise config.wrong("mid_block_type", "is not modelled; only UNetMidBlock2DCrossAttn is")
    width, last = stages[-1].width, len(stages) - 1
    return (
        *residual("mid.resnets.0", width, width, time),
        *_attending(config, last).tensors("mid.attentions.0", width),
        *residual("mid.resnets.1", width, width, time),
    )


def _up(stages: tuple[Stage, ...], time: int) -> tuple[Tensors, ...]:
    """Each residual block also takes what its twin on the way down put aside."""
    found, before = [], stages[-1].width
    for index in reversed(range(len(stages))):
        stage = stages[index]
        finer = stages[max(0, index - 1)].width
        skips = (*(stage.width for _ in range(stage.layers)), finer)
        own = (before, *(stage.width for _ in range(stage.layers)))
        ins = tuple(a + b for a, b in zip(own, skips, strict=True))
        doubles = convolution("upsample", stage.width, stage.width)
        found.append((*_stack(stage, ins, time), *(doubles if index else ())))
        before = stage.width
    return tuple(found)


def autoencoder(config: Config) -> Facts:
    """The variational autoencoder of latent diffusion: an encoder and a decoder of images."""
    widths = tuple(
        config.by_layer(index, "block_out_channels")
        for index in range(len(_listed(config, "block_out_channels")))
    )
    layers = config.integer("layers_per_block", default=1, high=MAX_LAYERS_EACH)
    latent = config.integer("latent_channels", default=4)
    first, last = widths[0], widths[-1]
    middle = _plain_middle(config, last)
    down = _plain_stages((first, *widths), layers, "downsample")
    up = _plain_stages((last, *reversed(widths)), layers + 1, "upsample")
    between = (
        *norm("encoder.conv_norm_out", last, bias=True),
        *convolution("encoder.conv_out", LATENT_PARTS * latent, last),
        *_latent_projection(config, "use_quant_conv", LATENT_PARTS * latent),
        *_latent_projection(config, "use_post_quant_conv", latent),
        *convolution("decoder.conv_in", last, latent),
    )
    blocks = (*down, middle, between, middle, *up)
    before = convolution("encoder.conv_in", first, config.integer("in_channels", default=3))
    after = (
        *norm("decoder.conv_norm_out", first, bias=True),
        *convolution("decoder.conv_out", config.integer("out_channels", default=3), first),
    )
    return weights_only(last, len(blocks), lambda i: blocks[i], before, after)


def _latent_projection(config: Config, key: str, width: int) -> Tensors:
    return convolution(key, width, width, 1) if config.flag(key, default=True) else ()


def _plain_middle(config: Config, width: int) -> Tensors:
    attends = config.flag("mid_block_add_attention", default=True)
    return (
        *residual("mid.resnets.0", width, width),
        *(norm("mid.attention.group_norm", width, bias=True) if attends else ()),
        *(attend("mid.attention", width, width) if attends else ()),
        *residual("mid.resnets.1", width, width),
    )


def _plain_stages(widths: tuple[int, ...], layers: int, scaling: str) -> tuple[Tensors, ...]:
    """Stages of residual blocks from each width to the next, scaled but for the last one."""
    found = []
    for index, (before, width) in enumerate(pairwise(widths)):
        ins = (before, *(width for _ in range(layers - 1)))
        scaled = convolution(scaling, width, width) if index + 2 < len(widths) else ()
        stack = tuple(
            tensor
            for place, inputs in enumerate(ins)
            for tensor in residual(f"resnets.{place}", inputs, width)
        )
        found.append((*stack, *scaled))
    return tuple(found)
