"""What checkpoints declare of their weights, against published element and byte counts."""

from __future__ import annotations

from typing import Any

import pytest

from service.api.build import Catalogs
from service.catalog.families import architecture
from service.catalog.models import entry_architecture
from service.domain.architecture import Architecture
from service.domain.precision import Quantization
from service.domain.resolving import released
from service.domain.sums import model_weight_bytes, places
from service.domain.tensors import Tensor

# elements of scales that the Hub counts beside the weights (safetensors totals by dtype)
SCALES = {
    "zai-org/GLM-5-FP8": 45_282_240,
    "deepseek-ai/DeepSeek-V3": 40_838_232,
    "meta-llama/Llama-3.1-405B-Instruct-FP8": 15_237_120,
    "Qwen/Qwen3-235B-A22B-FP8": 14_269_952,
    "Qwen/Qwen3-30B-A3B-FP8": 1_824_768,
    "Qwen/Qwen3-8B-FP8": 423_936,
}
# index total_size: 19,110,297,600 weights at 4.25 bits and 1,804,459,584 at 16; and of the 120B
BYTES = {"openai/gpt-oss-20b": 13_761_264_768, "openai/gpt-oss-120b": 65_248_815_744}

LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 128256,
    "num_hidden_layers": 4, "num_attention_heads": 32, "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
}  # fmt: skip
ATTENTION = 4096 * 4096 * 2 + 1024 * 4096 * 2
MLP = 3 * 4096 * 14336


def pack_of(bits: int, **weights: Any) -> dict[str, Any]:
    return {"config_groups": {"group_0": {"targets": ["Linear"], "weights": {
        "num_bits": bits, "type": "int", "symmetric": True, "strategy": "group",
        "group_size": 128, **weights}}}, "quant_method": "compressed-tensors"}  # fmt: skip


def own(catalogs: Catalogs, model: Architecture) -> Quantization:
    found = released(model, catalogs.stock)
    assert found is not None, model.notes
    return found


def declared(catalogs: Catalogs, section: dict[str, Any]) -> tuple[Architecture, Quantization]:
    model = architecture({**LLAMA, "quantization_config": section}, "declared")
    return model, own(catalogs, model)


def packed_elements(model: Architecture, quantization: Quantization) -> int:
    blocks = zip(model.layer_order, places(model), strict=False)
    inside = ((t, place) for i, place in blocks for t in model.layer_kinds[i].tensors())
    around = ((t, places(model)[-1]) for t in (*model.embeddings, *model.head))
    return sum(t.elements for t, place in (*inside, *around) if quantization.packs(t, place))


def scales(model: Architecture, quantization: Quantization) -> int:
    def beside(tensor: Tensor, bits: int) -> int:
        return (bits - 8 * tensor.rows * tensor.columns) // 32 * tensor.count

    return sum(
        beside(tensor, 8 * form.bytes(tensor.rows, tensor.columns))
        for index, place in zip(model.layer_order, places(model), strict=False)
        for tensor in model.layer_kinds[index].tensors()
        if (form := quantization.form(tensor, place))
    )


@pytest.mark.parametrize("hub_id", SCALES)
def test_scales_are_as_many_as_the_files_hold(catalogs: Catalogs, hub_id: str) -> None:
    model = entry_architecture(catalogs.models.pick(hub_id))
    assert scales(model, own(catalogs, model)) == SCALES[hub_id]


@pytest.mark.parametrize("hub_id", BYTES)
def test_bytes_are_the_total_of_the_index(catalogs: Catalogs, hub_id: str) -> None:
    model = entry_architecture(catalogs.models.pick(hub_id))
    size = model_weight_bytes(model, own(catalogs, model), catalogs.precisions.pick("bf16"))
    assert size == BYTES[hub_id]


KEEPS: dict[str, tuple[dict[str, Any], int]] = {
    "a head by name": ({**pack_of(4), "ignore": ["lm_head"]}, 4 * (ATTENTION + MLP)),
    "attention by pattern": ({**pack_of(4), "ignore": ["lm_head", "re:.*self_attn.*"]}, 4 * MLP),
    "one matrix of one block": (
        {**pack_of(4), "ignore": ["lm_head", "model.layers.2.mlp.down_proj"]},
        4 * (ATTENTION + MLP) - 4096 * 14336,
    ),
    "blocks by pattern": (
        {**pack_of(4), "ignore": ["lm_head", r"re:model\.layers\.[01]\..*"]},
        2 * (ATTENTION + MLP),
    ),
    "blocks with another prefix": (
        {**pack_of(4), "ignore": ["lm_head", "language_model.model.layers.3.self_attn"]},
        4 * (ATTENTION + MLP) - ATTENTION,
    ),
    "nothing but what is listed": (pack_of(4), 4 * (ATTENTION + MLP) + 128256 * 4096),
    "globs of Model Optimizer": (
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", "*self_attn*"]},
        4 * MLP,
    ),
    "hf_quant_config": (
        {"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head", "model.layers.0*"]}},
        3 * (ATTENTION + MLP),
    ),
    "a glob for every block": (
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": [
            "lm_head", *(f"model.layers.{index}.self_attn*" for index in range(100))]},
        4 * MLP,
    ),
    "mixed precision by layer": (
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {
            "model.layers.1.mlp.up_proj": {"quant_algo": "FP8"}}},
        4096 * 14336,
    ),
    "skip modules of bitsandbytes": (
        {"load_in_4bit": True, "quant_method": "bitsandbytes",
         "llm_int8_skip_modules": ["lm_head", "model.layers.1.mlp"]},
        4 * (ATTENTION + MLP) - MLP,
    ),
    "GPTQModel's dynamic": (
        {"quant_method": "gptq", "bits": 4, "group_size": 128,
         "dynamic": {r"-:.*down_proj.*": {}}},
        4 * (ATTENTION + MLP - 4096 * 14336),
    ),
    "Quark's exclude": (
        {"quant_method": "quark", "exclude": ["*self_attn*", "lm_head"],
         "global_quant_config": {"weight": {"dtype": "fp4", "qscheme": "per_group",
                                            "group_size": 32}}},
        4 * MLP,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KEEPS)
def test_a_list_leaves_in_16_bits_what_it_names(catalogs: Catalogs, case: str) -> None:
    section, expected = KEEPS[case]
    assert packed_elements(*declared(catalogs, section)) == expected


@pytest.mark.parametrize(
    ("section", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, 4 + 20 / 64),
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": False}, 4.125),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, 8 + 24 / 4096 + 32 / 4096),
        (pack_of(4, group_size=32), 4.5),
        (pack_of(4, symmetric=False), 4 + 20 / 128),
        (pack_of(8, strategy="channel", type="float"), 8 + 32 / 4096),
        (pack_of(4, strategy="tensor_group", type="float", group_size=16), 4.5 + 32 / 4096**2),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4,
          "group_size": 128}}}, 4.25),
        ({"group_size": 64, "bits": 8}, 8.5),
    ],
)  # fmt: skip
def test_numbers_of_its_own_make_a_format(
    catalogs: Catalogs, section: dict[str, Any], bits: float
) -> None:
    model, quantization = declared(catalogs, section)
    query = next(t for t in model.layer_kinds[0].tensors() if t.name == "q_proj")
    form = quantization.form(query)
    assert form is not None
    assert form.bytes(4096, 4096) * 8 / 4096**2 == pytest.approx(bits, rel=1e-9)


@pytest.mark.parametrize(
    "section",
    [
        {"quant_method": "spqr", "bits": 3},
        {"quant_method": "awq", "bits": 5},
        {**pack_of(4), "ignore": ["re:(a+)+b"]},
        {**pack_of(4), "ignore": ["re:(["]},
        {"quant_method": "modelopt", "quant_algo": "NVFP5"},
    ],
)
def test_a_scheme_that_is_not_applied_is_said_so(section: dict[str, Any]) -> None:
    model = architecture({**LLAMA, "quantization_config": section}, "declared")
    assert model.declared_quantization is None
    assert len(model.notes) == 1


def test_an_entry_that_names_nothing_is_said_so(catalogs: Catalogs) -> None:
    model, _ = declared(catalogs, {**pack_of(4), "ignore": ["lm_head", "re:.*hyperspace.*"]})
    assert "hyperspace" in model.notes[0]


def test_what_the_language_model_declares_leaves_its_towers(catalogs: Catalogs) -> None:
    """Kimi K2.5 packs its routed experts alone: 60 blocks of 384 experts, three matrices each."""
    model = entry_architecture(catalogs.models.pick("moonshotai/Kimi-K2.5"))
    towers = [t for tower in model.towers for t in tower.tensors()]
    quantization = own(catalogs, model)
    assert not any(quantization.packs(tensor) for tensor in towers)
    assert packed_elements(model, quantization) == 60 * 384 * 3 * 7168 * 2048
