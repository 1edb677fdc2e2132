"""What engines hold beside the checkpoint's bytes, against their start-up logs."""

from typing import Any

import pytest
from flask.testing import FlaskClient

GIB = 2**30


def terms(client: FlaskClient, model: str, gpu: str, **workload: Any) -> dict[str, float]:
    """Terms of one placement in GiB."""
    cards = workload.pop("cards", 1)
    body = {
        "model": {"id": model},
        "workload": {"kind": "inference", "engine": "vllm", "context_tokens": 8192, **workload},
        "placement": {"gpu": gpu, "cards": cards, "tensor_parallel": cards},
    }
    found = client.post("/v1/estimates", json=body).json["per_card"]["terms"]
    return {term["name"]: term["expected_bytes"] / GIB for term in found}


@pytest.mark.parametrize(
    ("model", "gpu", "version", "cards", "gib"),
    [
        # "Model loading took": vLLM issues 33155 and 23278, llm-d-planner's logs of 0.19
        ("openai/gpt-oss-120b", "h100-sxm5-80gb", "0.14.1", 1, 64.38),
        ("openai/gpt-oss-120b", "h100-sxm5-80gb", "0.10.1", 1, 65.97),
        ("openai/gpt-oss-20b", "h100-sxm5-80gb", "0.19.0", 1, 13.64),
        ("openai/gpt-oss-20b", "h100-sxm5-80gb", "0.19.0", 2, 7.01),
        # matrices whose blocks torch's allocator does not cut
        ("moonshotai/Kimi-Dev-72B", "h100-sxm5-80gb", "0.19.0", 4, 34.01),
        # rotary tables: stretched eightfold, and of plain length
        ("google/gemma-3-4b-it", "h100-sxm5-80gb", "0.19.0", 1, 8.58),
        ("meta-llama/Llama-3.1-8B-Instruct", "h100-sxm5-80gb", "0.19.0", 1, 14.99),
    ],
)
def test_weights_are_what_the_log_says(
    client: FlaskClient, model: str, gpu: str, version: str, cards: int, gib: float
) -> None:
    found = terms(client, model, gpu, engine_version=version, cards=cards)
    assert abs(found["weights"] - gib) < 0.08


def test_experts_are_swizzled_on_hopper_only(client: FlaskClient) -> None:
    # 78.68 GiB free at start, 62.77 after profiling: 2.0 beside weights and what is not torch's
    hopper = terms(client, "openai/gpt-oss-20b", "h100-sxm5-80gb", engine_version="0.19.0")
    ada = terms(client, "openai/gpt-oss-20b", "l40s-48gb", engine_version="0.19.0")
    assert abs(hopper["fragmentation"] - 2.0) < 0.15
    assert "fragmentation" not in ada


def test_sparse_attention_reserves_five_contexts(client: FlaskClient) -> None:
    # vLLM recipes pull request 893: 94.46 GiB of "weights" on each of eight cards
    found = terms(
        client,
        "zai-org/GLM-5.3",
        "h200-sxm5-141gb",
        engine_version="0.28.0",
        cards=8,
        context_tokens=1_048_576,
        kv_cache_precision="fp8",
        allow_context_beyond_limit=True,
    )
    assert abs(found["attention_workspace"] - 5.7) < 0.1


def test_more_sequences_than_states_are_warned_of(client: FlaskClient) -> None:
    body = {
        "model": {"id": "Qwen/Qwen3.5-27B"},
        "workload": {"kind": "inference", "engine": "vllm", "context_tokens": 8192},
        "placement": {"gpu": "h100-sxm5-80gb"},
    }
    found = client.post("/v1/estimates", json=body).json["warnings"]
    assert "more-sequences-than-states" in {warning["code"] for warning in found}


def test_sglang_keeps_states_and_tokens_in_proportion(client: FlaskClient) -> None:
    # mamba_full_memory_ratio is 0.9: a log of Qwen3.5 has pools of 7.42 and 8.30 GiB
    found = terms(client, "Qwen/Qwen3.5-27B", "h100-sxm5-80gb", engine="sglang")
    assert abs(found["recurrent_state"] / found["kv_cache"] - 0.9) < 0.01


def test_sglang_keeps_four_fifths_of_the_tokens_for_windows(client: FlaskClient) -> None:
    # gpt-oss-20b: 12 of 24 layers slide, 2,048 bytes a token and layer; swa_full_tokens_ratio 0.8
    found = terms(
        client, "openai/gpt-oss-20b", "h100-sxm5-80gb", engine="sglang", context_tokens=131_072
    )
    assert abs(found["kv_cache"] * GIB / 131_072 - 2_048 * (12 + 0.8 * 12)) < 1


def test_sglang_keeps_sparse_caches_in_fp8_on_blackwell(client: FlaskClient) -> None:
    # SGLang pull request 11309: 48,072 bytes a token on B200; 16-bit rows would take 78,324
    found = terms(client, "deepseek-ai/DeepSeek-V3.2-Exp", "b200-180gb", engine="sglang", cards=8)
    assert abs(found["kv_cache"] * GIB / 8192 - 48_072) < 50


def test_logits_in_32_bits_are_held_beside_their_copy(client: FlaskClient) -> None:
    # llm-d-planner, Llama 3.1 8B in float32 on one H100, 0.19: a peak of 2.21 GiB
    body = {
        "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"},
        "precision": "float32",
        "workload": {"kind": "inference", "engine": "vllm", "engine_version": "0.19.0"},
        "placement": {"gpu": "h100-sxm5-80gb"},
    }
    found = client.post("/v1/estimates", json=body).json["per_card"]["terms"]
    peak = next(term for term in found if term["name"] == "activations")
    assert abs(peak["expected_bytes"] / GIB - 2.21) < 0.02


def test_a_card_has_what_applications_can_take(client: FlaskClient) -> None:
    # vLLM's logs say 79.19 GiB in all where nvidia-smi prints 81,559 MiB
    body = {
        "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"},
        "workload": {"kind": "inference"},
        "placement": {"gpu": "h100-sxm5-80gb"},
    }
    found = client.post("/v1/estimates", json=body).json["card"]["memory_bytes"]
    assert abs(found / GIB - 79.19) < 0.005
