"""Models that only see, or match images with texts: ViT, DINOv2, CLIP and SigLIP.

Source: transformers 5.23, `modeling_vit.py`, `modeling_dinov2.py`, `modeling_clip.py`,
`modeling_siglip.py`.
"""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts, Norms
from service.catalog.families.encoder_heads import labels
from service.catalog.families.nested import filled
from service.catalog.families.parts import attention, dense, shape, with_biases
from service.catalog.families.projectors import linear
from service.catalog.families.reading import Config
from service.catalog.families.vision import VisionTransformer
from service.catalog.families.vision_towers import basic, layer_scales, patches
from service.catalog.families.vision_towers import clip as clip_vision
from service.catalog.families.vision_towers import siglip as siglip_vision
from service.catalog.families.wrapping import VISION_SECTION
from service.domain.architecture import Tower
from service.domain.tensors import Tensors, matrix, vector

LAYER_NORMS = Norms(bias=True)
MATCHING_WIDTH = 512
SWIGLU_BLOCK = 8


def _seeing(tower: VisionTransformer, head: Tensors = ()) -> Facts:
    """A vision transformer as the whole model; a context is the patches of one image."""
    block = tower.block()
    return Facts(
        hidden_size=tower.hidden_size,
        vocabulary_size=0,
        layers=tower.layers,
        tied=False,
        mixer=lambda _: block.mixers,
        feed_forward=lambda _: block.feed_forwards,
        norms=LAYER_NORMS,
        headless=True,
        wordless=True,
        extras=tower.before(),
        layer_extras=lambda _: tower.block_extras,
        head_extras=head,
        output="vectors",
        context_limit=tower.position_rows,
    )


def _positioned(config: Config) -> VisionTransformer:
    bias = config.flag("qkv_bias", default=True)
    return replace(
        basic(config),
        patch_bias=True,
        class_token=True,
        position_rows=patches(config) + 1,
        input_bias=bias,
    )


def vit(config: Config) -> Facts:
    """ViT: a class token and learned positions; a classifier where the class has one."""
    tower = _positioned(config)
    classes = config.items("architectures") or ()
    hidden = tower.hidden_size
    if any(isinstance(name, str) and name.endswith("Model") for name in classes):
        pooled = config.integer("pooler_output_size", default=hidden)
        return _seeing(tower, linear("pooler", pooled, hidden))
    return _seeing(tower, linear("classifier", labels(config), hidden))


def dinov2(config: Config) -> Facts:
    """DINOv2: a scale behind each part, a token for masked patches, gated in the largest."""
    shape_ = _positioned(config)
    hidden = shape_.hidden_size
    width = hidden * config.integer("mlp_ratio", default=4)
    gated = config.flag("use_swiglu_ffn")
    if gated:
        width = -(-(width * 2 // 3) // SWIGLU_BLOCK) * SWIGLU_BLOCK
    masked = config.flag("use_mask_token", default=True)
    return _seeing(
        replace(
            shape_,
            width=width,
            gated=gated,
            block_extras=layer_scales(hidden),
            extras=(vector("mask_token", "position", hidden),) if masked else (),
        )
    )


def _reading(config: Config, kind: str, towers: tuple[Tower, ...], after: Tensors) -> Facts:
    """A text transformer beside an image tower; what follows both matches them."""
    section, note = filled(config.section("text_config"), kind)
    size = shape(section)
    mixer = replace(with_biases(attention(size), inputs=True, output=True), keeps="nothing")
    part = dense(section, size, gated=False, bias=True)
    rows = section.integer("max_position_embeddings")
    return Facts(
        hidden_size=size.hidden,
        vocabulary_size=size.vocabulary,
        layers=size.layers,
        tied=False,
        mixer=lambda _: mixer,
        feed_forward=lambda _: part,
        norms=LAYER_NORMS,
        headless=True,
        positions=rows,
        head_extras=after,
        output="vectors",
        towers=towers,
        context_limit=rows,
        notes=(note,) if note else (),
    )


def _eye(config: Config, kind: str) -> tuple[Config, tuple[str, ...]]:
    section, note = filled(config.section(VISION_SECTION), kind)
    return section, (note,) if note else ()


def clip(config: Config) -> Facts:
    """CLIP: both towers projected into one space without biases, and a temperature."""
    section, notes = _eye(config, "clip_vision_model")
    seen = clip_vision(section)
    width = config.integer("projection_dim", default=MATCHING_WIDTH)
    tower = seen.tower(
        linear("visual_projection", width, seen.hidden_size, bias=False), seen.position_rows
    )
    text, _ = filled(config.section("text_config"), "clip_text_model")
    after = (
        matrix("text_projection", "projector", width, text.integer("hidden_size")),
        vector("logit_scale", "bias", 1),
    )
    facts = _reading(config, "clip_text_model", (tower,), after)
    return replace(facts, notes=(*facts.notes, *notes))


def siglip(config: Config) -> Facts:
    """SigLIP: a pooling head over patches, a linear head over text, a temperature and a bias."""
    section, notes = _eye(config, "siglip_vision_model")
    seen = siglip_vision(section)
    text, _ = filled(config.section("text_config"), "siglip_text_model")
    hidden = text.integer("hidden_size")
    after = (
        *linear("head", text.integer("projection_size", default=hidden), hidden),
        vector("logit_scale", "bias", 1),
        vector("logit_bias", "bias", 1),
    )
    tower = seen.tower(item_tokens=seen.position_rows)
    facts = _reading(config, "siglip_text_model", (tower,), after)
    return replace(facts, notes=(*facts.notes, *notes))
