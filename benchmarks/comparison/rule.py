"""vLLM's own rule, worked out from the published config: weights, cache and a step's width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.comparison.questions import CONTEXT_TOKENS, COUNTS, SEQUENCES, SHARE, STEP_TOKENS

HALF = 2
"""Bytes of a 16-bit value."""


def cache_bytes(config: Mapping[str, Any], tensor: int) -> int:
    """Keys and values of all sequences on a rank; latents lie whole on every rank. [B]

    L·2·k/t·d·2·S·n of grouped heads, L·(c + r)·2·S·n of latents
    """
    layers, tokens = config["num_hidden_layers"], CONTEXT_TOKENS * SEQUENCES
    if "kv_lora_rank" in config:
        return int(layers * (config["kv_lora_rank"] + config["qk_rope_head_dim"]) * HALF * tokens)
    heads = max(1, config["num_key_value_heads"] // tensor)
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return int(layers * 2 * heads * width * HALF * tokens)


def step_bytes(config: Mapping[str, Any], tensor: int) -> int:
    """The widest part of a step: gate and up projections beside the residual stream. [B]"""
    active = config.get("num_experts_per_tok", 1)
    inner = config.get("moe_intermediate_size") or config["intermediate_size"]
    return int(STEP_TOKENS * HALF * (2 * active * inner // tensor + 2 * config["hidden_size"]))


def cards(config: Mapping[str, Any], weight_bytes: int, card_bytes: int) -> int | None:
    """The fewest tensor-parallel ranks whose share of a card holds all three."""
    text = config.get("text_config", config)
    for tensor in COUNTS:
        heads = text["num_attention_heads"]
        need = weight_bytes / tensor + cache_bytes(text, tensor) + step_bytes(text, tensor)
        if heads % tensor == 0 and need <= SHARE * card_bytes:
            return tensor
    return None
