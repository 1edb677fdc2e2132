"""Packed formats against the published bits a weight."""

from __future__ import annotations

import pytest

from service.api.build import Catalogs
from service.domain.packing import PackedFormat
from service.domain.tensors import matrix

# bits a weight of a 4096 × 4096 matrix, from the layouts that the formats' sources state
BITS = {
    "fp8": 8 + 32 / 4096**2,
    "fp8-channel": 8 + 32 / 4096,
    "fp8-block": 8 + 32 / 128**2,
    "mxfp8": 8.25,
    "mxfp6": 6.25,
    "mxfp4": 4.25,
    "nvfp4": 4.5 + 32 / 4096**2,
    "int8-w8a8": 8 + 32 / 4096,
    "gptq-int8": 8.1875,
    "awq-int4": 4.15625,
    "gptq-int4": 4.15625 + 32 / 4096,
    "int4-sym": 4.125,
    "int4-g64": 4.3125,
    "int4-g32": 4.625,
    "int3": 3 + 19 / 128,
    "nf4": 4.5,
    "nf4-dq": 4 + 8 / 64 + 32 / (64 * 256),
    "hqq-int4": 4.5,
    "hqq-int4-g128": 4.25,
    "hqq-int3": 3.5,
    "hqq-int2": 2.5,
    "hqq-int2-g16": 4.0,
    "torchao-int4": 4.25,
    "aqlm-int2": 2 + 8 * 65536 * 16 / 4096**2 + 16 / 4096,
    "exl3-4bit": 4 + 32 / 4096,
}


@pytest.mark.parametrize("name", BITS)
def test_a_matrix_takes_the_published_bits_a_weight(catalogs: Catalogs, name: str) -> None:
    tensor = matrix("experts.up_proj", "expert", 4096, 4096)
    form = catalogs.quantizations.pick(name).form(tensor)
    assert form is not None
    assert form.bytes(4096, 4096) * 8 / 4096**2 == pytest.approx(BITS[name], rel=1e-6)


@pytest.mark.parametrize("name", ["awq-int4", "gptq-int4", "fp8", "fp8-block", "nvfp4", "nf4"])
def test_head_table_and_router_stay_in_16_bits(catalogs: Catalogs, name: str) -> None:
    quantization = catalogs.quantizations.pick(name)
    kept = [
        matrix("lm_head", "lm_head", 4096, 4096),
        matrix("embed_tokens", "embedding", 4096, 4096),
        matrix("router", "router", 64, 4096),
    ]
    assert not any(quantization.packs(tensor) for tensor in kept)


def test_blocks_of_a_scale_are_rounded_up() -> None:
    """576 rows are five blocks of 128 (DeepSeek-V3, kv_a_proj_with_mqa)."""
    block = PackedFormat(bits=8, block_rows=128, block_columns=128, block_bits=32)
    assert block.bytes(576, 7168) == 576 * 7168 + 5 * 56 * 4
