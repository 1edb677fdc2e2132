"""A config of an unknown family, read as a plain decoder when the caller says so."""

import pytest
from flask.testing import FlaskClient

# the shape of Llama 3.1 8B under a model type that nobody knows: 8,030,261,248 parameters
CONFIG = {
    "model_type": "nobody-knows", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "vocab_size": 128256, "max_position_embeddings": 131072,
}  # fmt: skip
SERVE = {"workload": {"kind": "inference"}}


def test_an_unknown_family_is_refused_until_the_caller_asks(client: FlaskClient) -> None:
    answer = client.post("/v1/estimates", json={"model": {"config": CONFIG}, **SERVE})
    assert answer.status_code == 404
    assert "nobody-knows" in answer.json["detail"]


def test_an_assumed_decoder_has_a_warning_and_a_wider_range(client: FlaskClient) -> None:
    model = {"config": CONFIG, "assume_architecture": "decoder"}
    answer = client.post("/v1/estimates", json={"model": model, **SERVE}).json
    assert answer["model"]["parameters"] == 8_030_261_248
    weights = answer["per_card"]["terms"][0]
    tables = 131_072 * 128  # vLLM's cosines and sines, which no file holds
    assert weights["expected_bytes"] == 2 * (8_030_261_248 + tables)
    assert weights["provenance"] == "assumed"
    assert weights["low_bytes"] < 0.7 * weights["expected_bytes"]
    assert weights["high_bytes"] > 1.4 * weights["expected_bytes"]
    assert any("nobody-knows" in warning["message"] for warning in answer["warnings"])


def test_a_known_family_is_read_as_itself_whatever_is_assumed(client: FlaskClient) -> None:
    model = {"config": {**CONFIG, "model_type": "llama"}, "assume_architecture": "decoder"}
    weights = client.post("/v1/estimates", json={"model": model, **SERVE}).json["per_card"][
        "terms"
    ][0]
    assert weights["provenance"] == "exact"


def test_experts_count_where_the_config_counts_them(client: FlaskClient) -> None:
    experts = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 1024}
    model = {"config": {**CONFIG, **experts}, "assume_architecture": "decoder"}
    answer = client.post("/v1/estimates", json={"model": model, **SERVE}).json
    # every layer leaves six of eight experts of 3 x 4,096 x 1,024 aside
    gap = answer["model"]["parameters"] - answer["model"]["active_parameters"]
    assert gap == 32 * 6 * 3 * 4096 * 1024


def test_a_plan_and_a_training_run_widen_too(client: FlaskClient) -> None:
    model = {"config": CONFIG, "assume_architecture": "decoder"}
    plan = client.post("/v1/plans", json={"model": model, **SERVE}).json
    assert plan["recommendation"]["per_card"]["terms"][0]["provenance"] == "assumed"
    run = {"model": model, "workload": {"kind": "training"}}
    card = client.post("/v1/estimates", json=run).json["per_card"]
    assert card["high_bytes"] > 1.3 * card["expected_bytes"]


@pytest.mark.parametrize(
    ("model", "pointer"),
    [
        ({"id": "gpt2", "assume_architecture": "decoder"}, "/model/assume_architecture"),
        ({"config": CONFIG, "assume_architecture": "encoder"}, "/model/assume_architecture"),
        (
            {"config": {"model_type": "nobody-knows"}, "assume_architecture": "decoder"},
            "/model/config/hidden_size",
        ),
    ],
)
def test_what_cannot_be_assumed_is_refused_by_field(
    client: FlaskClient, model: dict[str, object], pointer: str
) -> None:
    answer = client.post("/v1/estimates", json={"model": model, **SERVE})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer
