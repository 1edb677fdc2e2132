"""Under which names a tensor of the bill stands in published files, one table by kind."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.tensors import Kind, Tensor

LAYER = "{layer}"
STEMS = (
    "model.layers.{layer}.",
    "model.language_model.layers.{layer}.",
    "language_model.model.layers.{layer}.",
)
PLACES: Mapping[Kind, tuple[str, ...]] = {
    "attention": ("self_attn.", "attention.", "attn.", "linear_attn.", "conv."),
    "state_space": ("linear_attn.", "mamba.", "mixer.", "conv."),
    "mlp": ("mlp.", "feed_forward."),
    "expert": ("mlp.experts.0.", "mlp.experts.", "block_sparse_moe.experts.0."),
    "shared_expert": ("mlp.shared_experts.", "mlp.shared_expert."),
}
WHOLE: Mapping[Kind, tuple[str, ...]] = {
    "router": ("mlp.gate", "mlp.router", "block_sparse_moe.gate"),
}
OUTSIDE: Mapping[Kind, tuple[str, ...]] = {
    "lm_head": ("lm_head",),
    "embedding": ("model.embed_tokens",),
    "encoder": (
        "model.visual.blocks.0.",
        "model.vision_tower.layers.0.",
        "vision_tower.layers.0.",
        "vision_model.layers.0.",
        "visual.blocks.0.",
        "audio_tower.layers.0.",
    ),
    "projector": ("model.multi_modal_projector.", "multi_modal_projector.", "mm_projector.",
                  "visual.merger."),
}  # fmt: skip
FUSED: Mapping[str, tuple[str, ...]] = {
    "q_proj": ("qkv_proj",),
    "k_proj": ("qkv_proj",),
    "v_proj": ("qkv_proj",),
    "gate_proj": ("gate_up_proj", "w1"),
    "up_proj": ("gate_up_proj", "w3"),
    "down_proj": ("w2",),
    "in_proj_q": ("in_proj_qkv", "in_proj_qkvz"),
    "in_proj_k": ("in_proj_qkv", "in_proj_qkvz"),
    "in_proj_v": ("in_proj_qkv", "in_proj_qkvz"),
    "in_proj_z": ("in_proj_qkvz", "in_proj"),
    "in_proj_a": ("in_proj_ba",),
    "in_proj_b": ("in_proj_ba", "in_proj"),
    "in_proj_x": ("in_proj",),
    "in_proj_c": ("in_proj",),
    "in_proj_dt": ("in_proj",),
}


def endings(tensor: Tensor) -> tuple[str, ...]:
    """Names of a block's tensor after the number of the block."""
    if tensor.kind in WHOLE:
        return WHOLE[tensor.kind]
    last = tensor.name.rsplit(".", maxsplit=1)[-1]
    names = (last, *FUSED.get(last, ()))
    return tuple(place + name for place in PLACES.get(tensor.kind, ("",)) for name in names)


def paths(tensor: Tensor) -> tuple[str, ...]:
    """Full names of a tensor; `{layer}` stands for the number of its block."""
    if tensor.kind in OUTSIDE:
        return tuple(
            place + tensor.name if place.endswith(".") else place for place in OUTSIDE[tensor.kind]
        )
    return tuple(stem + ending for stem in STEMS for ending in endings(tensor))
