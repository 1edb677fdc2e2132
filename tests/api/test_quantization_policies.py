"""Policies: a checkpoint that does not exist yet is sized to the tensor."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

ATTENTION = 32 * (2 * 4096 * 4096 + 2 * 1024 * 4096)
MLP = 32 * 3 * 4096 * 14336
TABLE = 128_256 * 4096
ALL = 8_030_261_248


def weights(client: FlaskClient, quantization: Any) -> int:
    body = {
        "model": "llama-3.1-8b",
        "quantization": quantization,
        "workload": {"kind": "inference", "engine": "generic"},
    }
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 200, answer.json
    terms = {term["name"]: term for term in answer.json["per_card"]["terms"]}
    return int(terms["weights"]["values"]["checkpoint_bytes"])


@pytest.mark.parametrize(
    ("policy", "expected_bits"),
    [
        ({"base": "awq-int4", "keep": ["attention"]}, (ALL - MLP) * 16 + MLP * 4.15625),
        ({"base": "awq-int4", "keep": ["mlp.down_proj"]},
         (ALL - ATTENTION - MLP * 2 // 3) * 16 + (ATTENTION + MLP * 2 // 3) * 4.15625),
        ({"base": "awq-int4", "keep": ["mlp.*"]}, (ALL - ATTENTION) * 16 + ATTENTION * 4.15625),
        ({"base": "int4-sym", "formats": {"lm_head": "mxfp8"}},
         (ALL - ATTENTION - MLP - TABLE) * 16 + (ATTENTION + MLP) * 4.125 + TABLE * 8.25),
        ({"base": "none", "formats": {"embedding": "gguf-q4_k_m"}},
         (ALL - TABLE) * 16 + TABLE * 4.5),
        ({"base": "int4-sym", "keep": ["v_proj"], "formats": {"attention": "mxfp8"}},
         (ALL - ATTENTION - MLP + 32 * 1024 * 4096) * 16 + MLP * 4.125
         + (ATTENTION - 32 * 1024 * 4096) * 8.25),
    ],
)  # fmt: skip
def test_a_policy_counts_every_tensor_as_it_says(
    client: FlaskClient, policy: dict[str, Any], expected_bits: float
) -> None:
    """Bits a weight of the formats: AWQ 4.15625, int4 symmetric 4.125, MXFP8 8.25, Q4_K 4.5."""
    assert weights(client, policy) == expected_bits / 8


def test_a_plan_compares_a_policy_with_its_base(client: FlaskClient) -> None:
    body = {
        "model": "llama-3.1-8b",
        "workload": {"kind": "inference"},
        "choices": {
            "gpus": ["l40s-48gb"],
            "quantizations": ["awq-int4", {"base": "awq-int4", "keep": ["attention"]}],
        },
    }
    answer = client.post("/v1/plans", json=body).json
    found = {cell["quantization"] for cell in answer["matrix"]}
    assert found == {"awq-int4", "awq-int4+keep=attention"}


def test_a_link_says_what_to_keep(client: FlaskClient) -> None:
    query = {"model": "llama-3.1-8b", "quantization": "awq-int4", "keep": "lm_head,attention"}
    answer = client.get("/v1/estimates", query_string=query).json
    assert answer["quantization"] == "awq-int4+keep=lm_head,attention"


@pytest.mark.parametrize(
    ("quantization", "pointer", "hint"),
    [
        ({"base": "awq-int4", "keep": ["attenton"]}, "/quantization/keep/0", "attention"),
        ({"base": "awq-int4", "keep": ["qq_proj"]}, "/quantization/keep/0", "q_proj"),
        ({"base": "awq-int4", "formats": {"lmhead": "fp8"}}, "/quantization/formats/lmhead",
         "lm_head"),
        ({"base": "awq-int4", "kep": ["lm_head"]}, "/quantization/kep", "keep"),
        ({"base": "awq-int4"}, "/quantization", "keep"),
        ({"keep": ["lm_head"]}, "/quantization/base", "required"),
        ({"base": "awq-int4", "keep": []}, "/quantization/keep", "Length"),
        ({"base": "awq-int4", "keep": "lm_head"}, "/quantization/keep", "list"),
        (4, "/quantization", "name"),
    ],
)  # fmt: skip
def test_a_policy_that_names_nothing_is_refused_with_what_is_near(
    client: FlaskClient, quantization: Any, pointer: str, hint: str
) -> None:
    body = {
        "model": "llama-3.1-8b",
        "quantization": quantization,
        "workload": {"kind": "inference"},
    }
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 422
    assert any(
        one["pointer"] == pointer and hint in one["message"] for one in answer.json["errors"]
    ), answer.json


def test_a_base_that_does_not_exist_is_unknown(client: FlaskClient) -> None:
    body = {
        "model": "llama-3.1-8b",
        "quantization": {"base": "awk-int4", "keep": ["lm_head"]},
        "workload": {"kind": "inference"},
    }
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 404
    assert "awq-int4" in answer.json["nearest"]


def test_what_a_checkpoint_declares_is_the_default(client: FlaskClient) -> None:
    """gpt-oss 20B: the index of its files says 13,761,264,768 bytes."""
    body = {"model": "openai/gpt-oss-20b", "workload": {"kind": "inference", "engine": "generic"}}
    answer = client.post("/v1/estimates", json=body).json
    sizes = {t["name"]: t["values"].get("checkpoint_bytes") for t in answer["per_card"]["terms"]}
    assert answer["quantization"] == "mxfp4-experts"
    assert sizes["weights"] == 13_761_264_768


def test_a_scheme_that_is_not_known_is_a_warning(client: FlaskClient) -> None:
    config = {
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "vocab_size": 100,
        "num_hidden_layers": 2, "num_attention_heads": 2,
        "quantization_config": {"quant_method": "spqr"},
    }  # fmt: skip
    body = {"model": {"config": config}, "workload": {"kind": "inference"}}
    warnings = client.post("/v1/estimates", json=body).json["warnings"]
    assert any("spqr" in warning["message"] for warning in warnings)
