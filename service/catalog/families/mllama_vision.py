"""Llama 3.2's vision tower: tiles with their own positions, and gated blocks behind plain ones.

Source: transformers 5.23 `modeling_mllama.py`.
"""

from __future__ import annotations

from dataclasses import replace

from service.catalog.families.decoder import Facts
from service.catalog.families.projectors import mllama as mllama_projector
from service.catalog.families.reading import MAX_LAYERS, Config
from service.catalog.families.vision import VisionTransformer, table
from service.catalog.families.vision_towers import basic, patches
from service.catalog.families.wrapping import VISION_SECTION, with_projector
from service.domain.architecture import Tower
from service.domain.tensors import Tensors, vector

ASPECT_RATIOS = 8


def _tile_positions(config: Config, shape: VisionTransformer) -> Tensors:
    """Positions of patches, and of tiles by the aspect ratio of the image they are cut from."""
    tiles = config.integer("max_num_tiles")
    ratios = len(config.items("supported_aspect_ratios") or range(ASPECT_RATIOS)) + 1
    width = tiles * shape.hidden_size
    return (
        table("tile_embedding", ratios, shape.position_rows * width),
        table("pre_tile_embedding", ratios, width),
        table("post_tile_embedding", ratios, width),
        vector("position_gates", "position", 3),
    )


def mllama_towers(config: Config, text: Facts) -> tuple[Tower, ...]:
    """The tower; the decoder's cross attention looks at all tiles of an image."""
    section = config.section(VISION_SECTION)
    shape = replace(
        basic(section),
        class_token=True,
        position_rows=patches(section) + 1,
        input_bias=False,
        output_bias=False,
        leading_norm=True,
    )
    shape = replace(shape, extras=_tile_positions(section, shape))
    gates = (vector("gates", "norm", 2),)
    gated = replace(shape, block_extras=gates).block()
    further = section.integer("num_global_layers", default=8, low=0, high=MAX_LAYERS)
    tower = shape.tower()
    both = replace(
        tower,
        layer_kinds=(*tower.layer_kinds, gated),
        layer_order=(*tower.layer_order, *(1,) * further),
    )
    tokens = section.integer("max_num_tiles") * shape.position_rows
    return (with_projector(both, mllama_projector(config, 0, text.hidden_size), tokens),)
