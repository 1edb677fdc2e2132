"""Models given by the headers of their files: bytes are those of the tensors themselves."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.api.build import Catalogs
from tests.files.building import LLAMA, gguf, llama_bf16, llama_q4_k_m, safetensors

Q4_K_M_BYTES = 4_912_898_048  # the tensors of the published file, 4.8944 bits a weight
BF16_BYTES = 16_060_522_496  # metadata.total_size of meta-llama/Llama-3.1-8B


def encoded(header: bytes) -> str:
    return base64.b64encode(header).decode()


def answer(client: FlaskClient, model: dict[str, Any], **more: Any) -> Any:
    body = {"model": model, "workload": {"kind": "inference", "engine": "generic"}, **more}
    return client.post("/v1/estimates", json=body)


def term(reply: Any, name: str) -> dict[str, Any]:
    assert reply.status_code == 200, reply.json
    return next(one for one in reply.json["per_card"]["terms"] if one["name"] == name)


def config(catalogs: Catalogs) -> dict[str, Any]:
    return dict(catalogs.models.pick("llama-3.1-8b").config)


def test_a_gguf_header_gives_exact_weights_and_the_cache_of_its_metadata(
    client: FlaskClient,
) -> None:
    reply = answer(client, {"gguf_header": encoded(gguf(LLAMA, llama_q4_k_m()))})
    weights, cache = term(reply, "weights"), term(reply, "kv_cache")
    assert weights["values"]["checkpoint_bytes"] == Q4_K_M_BYTES
    assert weights["provenance"] == "exact"
    assert cache["expected_bytes"] == 8192 * 131_072  # 2 · 32 layers · 8 heads · 128 · 2 bytes
    assert reply.json["model"]["parameters"] == 8_030_261_248
    assert reply.json["quantization"] == "gguf-q4_k_m"


def test_a_safetensors_header_and_its_config_are_the_catalog_s_model(
    client: FlaskClient, catalogs: Catalogs
) -> None:
    model = {"safetensors_index": safetensors(llama_bf16()), "config": config(catalogs)}
    place = {"cards": 8, "tensor_parallel": 4, "pipeline_parallel": 2}
    given = answer(client, model, placement=place)
    known = client.post(
        "/v1/estimates",
        json={
            "model": "llama-3.1-8b",
            "placement": place,
            "workload": {"kind": "inference", "engine": "generic"},
        },
    )
    assert term(given, "weights")["expected_bytes"] == term(known, "weights")["expected_bytes"]
    assert term(given, "kv_cache") == term(known, "kv_cache")


def test_a_header_alone_is_exact_in_its_weights_only(client: FlaskClient) -> None:
    reply = answer(client, {"safetensors_index": safetensors(llama_bf16())})
    assert term(reply, "weights")["values"]["checkpoint_bytes"] == BF16_BYTES
    assert term(reply, "weights")["provenance"] == "exact"
    assert term(reply, "kv_cache")["provenance"] == "assumed"


@pytest.mark.parametrize("beside", [0, 1, 1001])
def test_an_index_is_met_to_the_byte(client: FlaskClient, catalogs: Catalogs, beside: int) -> None:
    names = {name: "model-00001.safetensors" for name, _, _ in llama_bf16()}
    total = BF16_BYTES + beside
    index = {"metadata": {"total_size": total}, "weight_map": names}
    for model in ({"safetensors_index": index}, {"safetensors_index": index,
                                                 "config": config(catalogs)}):  # fmt: skip
        reply = answer(client, model)
        assert term(reply, "weights")["values"]["checkpoint_bytes"] == total


def test_what_only_the_index_has_is_said(client: FlaskClient, catalogs: Catalogs) -> None:
    index = {"metadata": {"total_size": BF16_BYTES + 1001}, "weight_map": {"a": "b"}}
    reply = answer(client, {"safetensors_index": index, "config": config(catalogs)})
    assert any("1001 bytes" in warning["message"] for warning in reply.json["warnings"])


def test_blocks_beyond_the_model_s_last_are_not_loaded(
    client: FlaskClient, catalogs: Catalogs
) -> None:
    model = {"safetensors_index": safetensors(llama_bf16(33)), "config": config(catalogs)}
    reply = answer(client, model)
    assert term(reply, "weights")["values"]["checkpoint_bytes"] == BF16_BYTES
    assert any("218112000" in warning["message"] for warning in reply.json["warnings"])


def test_packed_experts_of_one_block_are_counted_each(client: FlaskClient) -> None:
    rows = [("model.embed_tokens.weight", (1000, 64), "BF16")] + [
        (f"model.layers.0.mlp.experts.{index}.{name}", shape, dtype)
        for index in range(8)
        for name, shape, dtype in (
            ("up_proj.qweight", (8, 256), "I32"),
            ("up_proj.scales", (1, 256), "BF16"),
        )
    ]
    reply = answer(client, {"safetensors_index": safetensors(rows)})
    expected = 1000 * 64 * 2 + 8 * (8 * 256 * 4 + 256 * 2)
    assert term(reply, "weights")["values"]["checkpoint_bytes"] == expected


def test_a_plan_takes_a_file(client: FlaskClient) -> None:
    body = {
        "model": {"gguf_header": encoded(gguf(LLAMA, llama_q4_k_m())), "name": "my-file"},
        "workload": {"kind": "inference", "engine": "generic"},
        "choices": {"gpus": ["l4-24gb"]},
    }
    reply = client.post("/v1/plans", json=body)
    assert reply.status_code == 200, reply.json
    assert reply.json["recommendation"]["quantization"] == "gguf-q4_k_m"


def test_a_file_is_not_compared_with_what_it_is_not(client: FlaskClient) -> None:
    model = {"gguf_header": encoded(gguf(LLAMA, llama_q4_k_m()))}
    reply = answer(client, model, quantization="fp8")
    assert reply.status_code == 422
    assert "gguf-q4_k_m" in reply.json["detail"]


WHOLE = gguf({**LLAMA, "tokenizer.ggml.tokens": ["t"] * 10}, llama_q4_k_m())
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no GGUF": ({"gguf_header": encoded(b"GGML" + WHOLE[4:])}, "GGUF"),
    "cut in the metadata": ({"gguf_header": encoded(WHOLE[:200])}, "ends after 200 bytes"),
    "cut in the tensors": ({"gguf_header": encoded(WHOLE[:-10])}, "ends after"),
    "an old version": ({"gguf_header": encoded(gguf(LLAMA, [], version=1))}, "version 1"),
    "a huge count": ({"gguf_header": encoded(WHOLE[:8] + b"\xff" * 16)}, "at most"),
    "no base64": ({"gguf_header": "%%%"}, "base64"),
    "an unknown architecture": (
        {"gguf_header": encoded(gguf({**LLAMA, "general.architecture": "xyz"}, []))}, "config"),
    "metadata that says too little": (
        {"gguf_header": encoded(gguf({"general.architecture": "llama"}, []))}, "config beside"),
    "an unknown dtype": (
        {"safetensors_index": {"a": {"dtype": "F3", "shape": [1], "data_offsets": [0, 1]}}},
        "dtype"),
    "a wrong offset": (
        {"safetensors_index": {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}},
        "takes 8"),
    "a negative size": (
        {"safetensors_index": {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 4]}}},
        "shape"),
    "an index without a total": ({"safetensors_index": {"weight_map": {"a": "b"}}}, "total_size"),
    "an empty header": ({"safetensors_index": {}}, "empty"),
    "two sources": ({"id": "llama-3.1-8b", "safetensors_index": {}}, "exactly one"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_header_that_is_none_is_refused_with_what_is_wrong(
    client: FlaskClient, case: str
) -> None:
    model, hint = BAD[case]
    reply = answer(client, model)
    assert reply.status_code == 422
    assert hint in reply.json["detail"]


def test_a_total_below_the_config_s_tensors_is_refused(
    client: FlaskClient, catalogs: Catalogs
) -> None:
    index = {"metadata": {"total_size": BF16_BYTES // 2}, "weight_map": {"a": "b"}}
    reply = answer(client, {"safetensors_index": index, "config": config(catalogs)})
    assert reply.status_code == 422
    assert "quantization_config" in reply.json["detail"]


def test_the_limit_of_a_body_is_named(client: FlaskClient) -> None:
    large = client.post("/v1/estimates", data=b'{"model": "' + b"a" * 2_000_000 + b'"}',
                        content_type="application/json")  # fmt: skip
    assert large.status_code == 413
    assert "2000000" in large.json["detail"]


def test_a_header_may_be_larger_than_other_bodies(client: FlaskClient) -> None:
    wide = gguf({**LLAMA, "tokenizer.ggml.tokens": ["token"] * 200_000}, llama_q4_k_m())
    reply = answer(client, {"gguf_header": encoded(wide)})
    assert len(wide) > 2_000_000
    assert reply.status_code == 200
