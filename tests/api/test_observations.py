"""Measured against predicted: logs as engines print them, and the block that closes the gap."""

from contextlib import suppress
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.engine_logs import LINES, MAX_LOG_CHARACTERS, reading
from service.domain.errors import InvalidRequest

GIB, MIB = 1 << 30, 1 << 20
PATH = "/v1/observations/compare"

# shapes of lines: vLLM v1/worker/gpu_model_runner.py, gpu_worker.py, v1/core/kv_cache_utils.py
VLLM = """
(Worker_TP0 pid=1) INFO 09-11 [gpu_model_runner.py:4820] Model loading took 7.51 GiB memory and 1 s
(Worker_TP1 pid=2) INFO 09-11 [gpu_model_runner.py:4820] Model loading took 7.53 GiB memory and 1 s
(EngineCore_DP0 pid=102) INFO 09-11 [kv_cache_utils.py:1319] GPU KV cache size: 597,776 tokens
(Worker_TP1 pid=2) INFO [gpu_model_runner.py:5000] Graph capturing finished in 9 secs, took 0.55 GiB
(Worker_TP1 pid=2) INFO Actual usage is 7.53 GiB for weight, 1.2 GiB for peak activation, 2.07 GiB \
for non-torch memory, and 0.56 GiB for CUDAGraph memory.
"""
# shapes of lines: SGLang model_executor/model_runner.py, mem_cache/memory_pool.py
SGLANG = """
[2026-08-17 16:52:10 TP0] Load weight end. type=X, avail mem=97.27 GB, mem usage=15.47 GB.
[2026-08-17 16:52:13 TP0] KV Cache is allocated. #tokens: 441896, K size: 26.97 GB, V size: 26.97 GB
[2026-08-17 16:52:19 TP0] Capture cuda graph end. mem usage=1.20 GB. avail mem=7 GB.
[2026-08-17 16:52:20 TP0] max_total_num_tokens=441896, chunked_prefill_size=8192, context_len=131072
"""
# shapes of lines: llama.cpp src/llama-model.cpp, src/llama-kv-cache.cpp, src/llama-context.cpp
LLAMA_CPP = """
load_tensors:   CPU_Mapped model buffer size =   281.81 MiB
load_tensors:        CUDA0 model buffer size =  4403.49 MiB
llama_kv_cache:      CUDA0 KV buffer size =  1024.00 MiB
llama_context:      CUDA0 compute buffer size =   304.00 MiB
llama_context:  CUDA_Host compute buffer size =    24.01 MiB
"""


def asked(engine: str, **more: Any) -> dict[str, Any]:
    return {
        "model": "llama-3.1-8b",
        "workload": {"kind": "inference", "engine": engine, "context_tokens": 8192},
        "placement": {"gpu": "h100-sxm5-80gb", **more},
    }


def by_name(answer: Any) -> dict[str, Any]:
    return {row["name"]: row for row in answer.json["quantities"]}


def test_the_fullest_rank_of_a_vllm_log_is_compared(client: FlaskClient) -> None:
    answer = client.post(PATH, json={"request": asked("vllm", cards=2), "log": VLLM})
    assert answer.status_code == 200, answer.json
    rows = by_name(answer)
    assert answer.json["log"]["rank"] == "TP1"
    assert rows["weights_bytes"]["measured_bytes"] == round(7.53 * GIB)
    assert rows["activations_bytes"]["measured_bytes"] == round(1.2 * GIB)
    assert rows["non_torch_bytes"]["measured_bytes"] == round(2.07 * GIB)
    assert rows["cuda_graphs_bytes"]["measured_bytes"] == round(0.56 * GIB)
    assert rows["kv_cache_capacity_tokens"]["measured"] == 597_776
    assert len(answer.json["log"]["lines"]) == 4


def test_keys_and_values_of_an_sglang_log_make_one_pool(client: FlaskClient) -> None:
    answer = client.post(PATH, json={"request": asked("sglang"), "log": SGLANG})
    rows = by_name(answer)
    assert rows["kv_cache_capacity_bytes"]["measured_bytes"] == 2 * round(26.97 * GIB)
    assert rows["weights_bytes"]["measured_bytes"] == round(15.47 * GIB)
    assert rows["weights_bytes"]["inside_range"] is False
    assert "tensors that the request does not count" in rows["weights_bytes"]["likely_cause"]


def test_buffers_in_host_memory_do_not_count_for_llama_cpp(client: FlaskClient) -> None:
    body = {**asked("llama.cpp"), "quantization": "gguf-q4_k_m"}
    rows = by_name(client.post(PATH, json={"request": body, "log": LLAMA_CPP}))
    assert rows["model_buffer_bytes"]["measured_bytes"] == round(4403.49 * MIB)
    assert rows["compute_buffer_bytes"]["measured_bytes"] == 304 * MIB
    # 8,192 cells of 128 KiB
    assert rows["kv_buffer_bytes"]["difference_bytes"] == 0


@pytest.mark.parametrize(("engine", "log"), [("vllm", VLLM), ("sglang", SGLANG)])
def test_the_returned_overrides_close_the_gap_to_the_byte(
    client: FlaskClient, engine: str, log: str
) -> None:
    body = asked(engine, cards=2 if engine == "vllm" else 1)
    first = client.post(PATH, json={"request": body, "log": log}).json
    again = client.post(PATH, json={"request": {**body, **pick(first)}, "log": log})
    closed = {"weights_bytes", "activations_bytes", "non_torch_bytes", "cuda_graphs_bytes"}
    rows = {name: row for name, row in by_name(again).items() if name in closed}
    assert len(rows) >= 2
    assert {row["difference_bytes"] for row in rows.values()} == {0}


def pick(answer: Any) -> dict[str, Any]:
    return {"overrides": answer["overrides"]}


def test_readings_of_a_training_run_are_compared(client: FlaskClient) -> None:
    request = {"model": "llama-3.2-1b", "workload": {"kind": "training"}}
    body = {"request": request, "measured": {"allocated_bytes": 1, "max_concurrency": 3}}
    answer = client.post(PATH, json=body).json
    assert answer["quantities"][0]["inside_range"] is False
    assert answer["not_compared"] == ["max_concurrency"]
    assert answer["overrides"] == {}


def test_text_without_a_known_line_says_what_is_looked_for(client: FlaskClient) -> None:
    answer = client.post(PATH, json={"request": asked("vllm"), "log": "hello"})
    assert answer.status_code == 422
    assert "'Model loading took'" in answer.json["detail"]


def test_a_log_of_another_engine_is_refused(client: FlaskClient) -> None:
    answer = client.post(PATH, json={"request": asked("vllm"), "log": LLAMA_CPP})
    assert answer.json["errors"][0]["pointer"] == "/request/workload/engine"


def test_a_log_beyond_the_bound_is_refused_with_the_bound(client: FlaskClient) -> None:
    body = {"request": asked("vllm"), "log": "x" * (MAX_LOG_CHARACTERS + 1)}
    assert str(MAX_LOG_CHARACTERS) in client.post(PATH, json=body).json["detail"]


WORDS = st.sampled_from([kind.words for kind in LINES])
PIECES = st.one_of(
    WORDS, st.sampled_from(["took ", "1.5 GiB", "-3 MiB", ",,,", "TP0 ", "CUDA0 ", "\n"]), st.text()
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = None
    with suppress(InvalidRequest):
        found = reading(text)
    assert found is None or found.lines


def test_measured_terms_stand_in_an_estimate(client: FlaskClient) -> None:
    stated = {"low": 10**9, "expected": 2 * 10**9, "high": 3 * 10**9}
    overrides = {"activations_bytes": stated, "kv_bytes_per_token": 100_000}
    answer = client.post("/v1/estimates", json={**asked("vllm"), "overrides": overrides}).json
    terms = {term["name"]: term for term in answer["per_card"]["terms"]}
    assert terms["activations"]["high_bytes"] == 3 * 10**9
    assert terms["activations"]["provenance"] == "measured by the caller"
    assert terms["kv_cache"]["expected_bytes"] == 8192 * 100_000
    assert answer["limits"]["kv_bytes_per_token"] == 100_000


def test_measured_weights_of_an_open_format_are_refused(client: FlaskClient) -> None:
    body = {"model": "llama-3.1-8b", "workload": {"kind": "inference"}}
    answer = client.post("/v1/plans", json={**body, "overrides": {"weights_bytes": 1}})
    assert answer.json["errors"][0]["pointer"] == "/overrides/weights_bytes"


def test_a_plan_counts_measured_weights_on_every_card(client: FlaskClient) -> None:
    body = {
        "model": "llama-3.1-8b",
        "quantization": "none",
        "workload": {"kind": "inference"},
        "choices": {"gpus": ["h100-sxm5-80gb"]},
        "overrides": {"weights_bytes": 90 * GIB},
    }
    answer = client.post("/v1/plans", json=body).json
    assert answer["recommendation"] is None  # 90 GiB a rank fit no card of 80
    assert answer["nearest_miss"]["per_card"]["terms"][0]["expected_bytes"] == 90 * GIB


@pytest.mark.parametrize("term", ["communication_bytes", "cuda_graphs_bytes"])
def test_a_term_that_the_engine_lacks_is_refused(client: FlaskClient, term: str) -> None:
    answer = client.post("/v1/estimates", json={**asked("llama.cpp"), "overrides": {term: 1}})
    assert answer.json["errors"][0]["pointer"] == f"/overrides/{term}"
