"""Experts are spread over ranks that cannot cut them, where the request leaves that open."""

from flask.testing import FlaskClient

QWEN = {
    "model": "qwen3-235b-a22b",
    "workload": {"kind": "inference", "context_tokens": 16384, "concurrency": 32},
    "choices": {
        "gpus": ["h100-sxm5-80gb"],
        "quantizations": ["fp8-block"],
        "tensor_parallel": [8],
        "pipeline_parallel": [1],
    },
}
"""Experts of 1,536 columns in blocks of 128: eight ranks of 192 columns cut through a block."""


def test_eight_ranks_hold_whole_experts_where_they_cannot_cut_them(client: FlaskClient) -> None:
    best = client.post("/v1/plans", json=QWEN).get_json()["recommendation"]
    assert (best["cards"], best["tensor_parallel"], best["expert_parallel"]) == (8, 8, 8)
    assert "--enable-expert-parallel" in best["launch"]["command"]


def test_a_caller_who_fixes_the_degree_is_told_why_it_cannot_be(client: FlaskClient) -> None:
    asked = {**QWEN, "choices": {**QWEN["choices"], "expert_parallel": [1]}}
    assert client.post("/v1/plans", json=asked).get_json()["recommendation"] is None


def test_an_engine_without_the_flag_spreads_nothing(client: FlaskClient) -> None:
    asked = {**QWEN, "workload": {**QWEN["workload"], "engine": "generic"}}
    found = client.post("/v1/plans", json=asked).get_json()["recommendation"]
    assert found is None or found["expert_parallel"] == 1
