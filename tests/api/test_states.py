"""States of hybrids over HTTP: counted in the need, in the budget and in the catalog."""

from typing import Any

import pytest
from flask.testing import FlaskClient

MIB = 1 << 20


def state(client: FlaskClient, model: str, **workload: object) -> dict[str, Any]:
    body = {"model": model, "workload": {"kind": "inference", **workload}}
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 200, answer.json
    terms = {term["name"]: term for term in answer.json["per_card"]["terms"]}
    found: dict[str, Any] = terms["recurrent_state"]
    return found


def test_fp32_states_of_falcon_h1_are_what_llama_cpp_prints(client: FlaskClient) -> None:
    # llama.cpp's log of Falcon-H1-1.5B: S 72.00 MiB and R 0.98 MiB, both in fp32
    found = state(client, "falcon-h1-1.5b-base", engine="generic")["expected_bytes"]
    assert found == pytest.approx((72 + 0.98 / 2) * MIB, rel=0.0001)


def test_vllm_keeps_states_in_the_models_type_and_pads_them_to_pages(client: FlaskClient) -> None:
    found = state(client, "falcon-h1-1.5b-base", engine="vllm")["expected_bytes"]
    least = (72 + 0.98) / 2 * MIB
    assert least <= found <= 1.03 * least


def test_vllm_pads_the_state_type_that_a_config_fixes(client: FlaskClient) -> None:
    # Nemotron 3 Nano: 64 heads x 64 x 128 fp32 values and 3 x 6,144 inputs of 16 bits are a page of
    # 2,134,016 bytes; 1,024 bytes a token make blocks of 2,096 tokens; 23 layers fill 4 groups of 6
    found = state(client, "nvidia-nemotron-3-nano-30b-a3b-bf16", engine="vllm")["expected_bytes"]
    assert found == 4 * 6 * 2096 * 1024


def test_states_grow_with_sequences_and_not_with_the_context(client: FlaskClient) -> None:
    short = state(client, "mamba-2.8b-hf", concurrency=1, context_tokens=100)
    long = state(client, "mamba-2.8b-hf", concurrency=1, context_tokens=100_000)
    many = state(client, "mamba-2.8b-hf", concurrency=7, context_tokens=100)
    assert long["expected_bytes"] == short["expected_bytes"]
    assert many["expected_bytes"] == 7 * short["expected_bytes"]


def test_the_catalog_says_what_a_sequence_costs(client: FlaskClient) -> None:
    view = client.get("/v1/models/recurrentgemma-2b").json
    assert view["kv_bytes_per_token"] == 8192
    assert view["kv_bytes_per_token_beyond_window"] == 0
    assert view["sliding_window_tokens"] == 2048
    # 18 layers of 2,560 fp32 values and 3 x 2,560 inputs of 16 bits
    assert view["state_bytes_per_sequence"] == 18 * (2560 * 4 + 3 * 2560 * 2)


def test_states_of_qwen35_are_what_sglang_prints(client: FlaskClient) -> None:
    # SGLang's log on two ranks: 45 layers of 32 heads x 128 x 128 fp32, 6,144 channels x 3 x 2 B
    split = {"gpu": "h200-sxm5-141gb", "cards": 2, "tensor_parallel": 2}
    body = {"model": "qwen3.5-397b-a17b", "placement": split}
    answer = client.post(
        "/v1/estimates", json={**body, "workload": {"kind": "inference", "engine": "generic"}}
    )
    terms = {term["name"]: term["expected_bytes"] for term in answer.json["per_card"]["terms"]}
    assert terms["recurrent_state"] == 45 * (32 * 128 * 128 * 4 + 6144 * 3 * 2)


def test_sparse_rows_in_fp8_are_what_sglang_prints(client: FlaskClient) -> None:
    # SGLang's log of DeepSeek V3.2: 48,072 bytes a token; 61 layers of 656 + 132 bytes
    work = {"kind": "inference", "engine": "generic", "kv_cache_precision": "fp8"}
    body = {"model": "deepseek-v3.2", "workload": {**work, "context_tokens": 1000}}
    answer = client.post("/v1/estimates", json=body)
    terms = {term["name"]: term["expected_bytes"] for term in answer.json["per_card"]["terms"]}
    assert terms["kv_cache"] == 1000 * 61 * (656 + 132)
