"""Sizes that a nested section may leave out, because the class that reads it knows them.

Only sizes that change a count or a cache are here. Source: transformers 5.23,
`configuration_*.py` of each class; a Llama-like class without `num_key_value_heads` or
`head_dim` derives them, so those are not defaults.
"""

from __future__ import annotations

from collections.abc import Mapping

Defaults = Mapping[str, object]


def _sizes(hidden: int, layers: int, heads: int, width: int, **further: object) -> Defaults:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": width,
        **further,
    }


def _patches(hidden: int, depth: int, heads: int, **further: object) -> Defaults:
    return {"hidden_size": hidden, "depth": depth, "num_heads": heads, **further}


QWEN3_VISION = _patches(
    1152,
    27,
    16,
    intermediate_size=4304,
    patch_size=16,
    out_hidden_size=3584,
    num_position_embeddings=2304,
)
GLM4V_VISION = _patches(
    1536, 24, 12, intermediate_size=13696, image_size=336, patch_size=14, out_hidden_size=4096
)
GEMMA_SIZES = _sizes(
    2304, 26, 8, 9216, num_key_value_heads=4, head_dim=256, sliding_window=4096, vocab_size=256000
)

CLASS_DEFAULTS: Mapping[str, Defaults] = {
    "llama": _sizes(4096, 32, 32, 11008, vocab_size=32000),
    "mistral": _sizes(
        4096, 32, 32, 14336, num_key_value_heads=8, sliding_window=4096, vocab_size=32000
    ),
    "ministral3": _sizes(
        4096, 34, 32, 14336, num_key_value_heads=8, head_dim=128, vocab_size=131072
    ),
    "qwen2": _sizes(4096, 32, 32, 22016, vocab_size=151936),
    "qwen3": _sizes(4096, 32, 32, 22016, head_dim=128, vocab_size=151936),
    "gemma": _sizes(3072, 28, 16, 24576, head_dim=256, vocab_size=256000),
    "gemma2": GEMMA_SIZES,
    "gemma3_text": {**GEMMA_SIZES, "vocab_size": 262208},
    "gemma3n_text": _sizes(
        2048,
        35,
        8,
        16384,
        num_key_value_heads=2,
        head_dim=256,
        sliding_window=512,
        vocab_size=262400,
        vocab_size_per_layer_input=262144,
        hidden_size_per_layer_input=256,
        altup_num_inputs=4,
        num_kv_shared_layers=15,
        laurel_rank=64,
    ),
    "mllama_text_model": _sizes(
        4096,
        40,
        32,
        14336,
        num_key_value_heads=8,
        vocab_size=128256,
        cross_attention_layers=[3, 8, 13, 18, 23, 28, 33, 38],
    ),
    "llama4_text": _sizes(
        5120,
        48,
        40,
        8192,
        num_key_value_heads=8,
        head_dim=128,
        intermediate_size_mlp=16384,
        num_experts_per_tok=1,
        num_local_experts=16,
        interleave_moe_layer_step=1,
        attention_chunk_size=8192,
        vocab_size=202048,
    ),
    "glm4v_text": _sizes(4096, 40, 32, 13696, num_key_value_heads=2, vocab_size=151552),
    "clip_text_model": _sizes(512, 12, 8, 2048, vocab_size=49408, max_position_embeddings=77),
    "siglip_text_model": _sizes(768, 12, 12, 3072, vocab_size=32000, max_position_embeddings=64),
    "clip_vision_model": _sizes(768, 12, 12, 3072, image_size=224, patch_size=32),
    "siglip_vision_model": _sizes(768, 12, 12, 3072, image_size=224, patch_size=16),
    "idefics3_vision": _sizes(1152, 12, 16, 3072, image_size=224, patch_size=32),
    "pixtral": _sizes(1024, 24, 16, 4096, image_size=1024, patch_size=16),
    "internvl_vision": _sizes(1024, 24, 16, 4096, image_size=448, patch_size=14),
    "mllama_vision_model": {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_global_layers": 8,
        "attention_heads": 16,
        "intermediate_size": 5120,
        "vision_output_dim": 7680,
        "image_size": 448,
        "patch_size": 14,
        "max_num_tiles": 4,
    },
    "llama4_vision_model": _sizes(
        768,
        34,
        16,
        5632,
        image_size=448,
        patch_size=14,
        vision_output_dim=7680,
        projector_input_dim=4096,
        projector_output_dim=4096,
    ),
    "qwen2_vl_vision": _patches(3584, 32, 16, embed_dim=1280, mlp_ratio=4, patch_size=14),
    "qwen2_5_vl_vision": _patches(
        3584, 32, 16, intermediate_size=3420, patch_size=14, out_hidden_size=3584
    ),
    "qwen3_vl_vision": {**QWEN3_VISION, "deepstack_visual_indexes": [8, 16, 24]},
    "qwen3_5_vision": QWEN3_VISION,
    "glm4v_vision": GLM4V_VISION,
    "ernie4_5_vl_moe_vision": _patches(1280, 32, 16, intermediate_size=5120, patch_size=14),
    "gemma3n_vision": {"architecture": "mobilenetv5_300m_enc", "hidden_size": 2048},
    "gemma3n_audio": {
        "hidden_size": 1536,
        "conf_num_hidden_layers": 12,
        "conf_num_attention_heads": 8,
    },
    "voxtral_encoder": _sizes(1280, 32, 20, 5120, num_mel_bins=128, max_source_positions=1500),
    "omni_audio": {
        "d_model": 1280,
        "encoder_layers": 32,
        "encoder_attention_heads": 20,
        "encoder_ffn_dim": 5120,
        "num_mel_bins": 128,
        "output_dim": 3584,
    },
}
