"""GGUF bytes and safetensors headers, written as the formats' own documents say."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

Dimensions = tuple[int, ...]
NUMBERS = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "q4_k": 12, "q6_k": 14, "bf16": 30}
DTYPE_BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "I32": 4}


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def metadata_value(value: object) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return struct.pack("<II", 4, value)


def gguf(
    metadata: Mapping[str, object], tensors: Iterable[tuple[str, Dimensions, str]], version: int = 3
) -> bytes:
    """A header; dimensions from the innermost, as ggml counts them."""
    rows = list(tensors)
    keys = b"".join(text(key) + metadata_value(value) for key, value in metadata.items())
    infos = b"".join(
        text(name)
        + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        + struct.pack("<IQ", NUMBERS[kind], 0)
        for name, shape, kind in rows
    )
    return b"GGUF" + struct.pack("<IQQ", version, len(rows), len(metadata)) + keys + infos


def safetensors(tensors: Iterable[tuple[str, Dimensions, str]]) -> dict[str, object]:
    """A header with offsets in order."""
    found: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, shape, dtype in tensors:
        size = DTYPE_BYTES[dtype]
        for length in shape:
            size *= length
        found[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [start, start + size],
        }
        start += size
    return found


LLAMA = {
    "general.architecture": "llama", "llama.block_count": 32, "llama.embedding_length": 4096,
    "llama.feed_forward_length": 14336, "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8, "llama.context_length": 131072,
    "tokenizer.ggml.tokens": ["t"] * 128256,
}  # fmt: skip


def more_bits(layer: int) -> bool:
    """llama.cpp's own rule of 32 blocks, written out: first and last four, every third between."""
    return layer < 4 or layer >= 28 or layer % 3 == 0


def llama_q4_k_m() -> list[tuple[str, Dimensions, str]]:
    """The tensors of Llama 3.1 8B in a Q4_K_M file."""
    rows: list[tuple[str, Dimensions, str]] = [
        ("token_embd.weight", (4096, 128256), "q4_k"),
        ("output.weight", (4096, 128256), "q6_k"),
        ("output_norm.weight", (4096,), "f32"),
    ]
    for layer in range(32):
        wide = "q6_k" if more_bits(layer) else "q4_k"
        rows += [
            (f"blk.{layer}.{name}.weight", shape, kind)
            for name, shape, kind in (
                ("attn_q", (4096, 4096), "q4_k"),
                ("attn_k", (4096, 1024), "q4_k"),
                ("attn_v", (4096, 1024), wide),
                ("attn_output", (4096, 4096), "q4_k"),
                ("ffn_gate", (4096, 14336), "q4_k"),
                ("ffn_up", (4096, 14336), "q4_k"),
                ("ffn_down", (14336, 4096), wide),
                ("attn_norm", (4096,), "f32"),
                ("ffn_norm", (4096,), "f32"),
            )
        ]
    return rows


def llama_bf16(layers: int = 32) -> list[tuple[str, Dimensions, str]]:
    """The tensors of Llama 3.1 8B as it is released."""
    rows: list[tuple[str, Dimensions, str]] = [
        ("model.embed_tokens.weight", (128256, 4096), "BF16"),
        ("lm_head.weight", (128256, 4096), "BF16"),
        ("model.norm.weight", (4096,), "BF16"),
    ]
    for layer in range(layers):
        rows += [
            (f"model.layers.{layer}.{name}.weight", shape, "BF16")
            for name, shape in (
                ("self_attn.q_proj", (4096, 4096)),
                ("self_attn.k_proj", (1024, 4096)),
                ("self_attn.v_proj", (1024, 4096)),
                ("self_attn.o_proj", (4096, 4096)),
                ("mlp.gate_proj", (14336, 4096)),
                ("mlp.up_proj", (14336, 4096)),
                ("mlp.down_proj", (4096, 14336)),
                ("input_layernorm", (4096,)),
                ("post_attention_layernorm", (4096,)),
            )
        ]
    return rows
