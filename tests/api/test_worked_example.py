"""The worked example of the introductory article: 8 billion parameters, by hand."""

import pytest
from flask.testing import FlaskClient

EIGHT_BILLION = 8_000_000_000


def terms(client: FlaskClient, body: dict[str, object]) -> dict[str, int]:
    answer = client.post("/v1/estimates", json={"model": {"parameters": "8B"}, **body})
    assert answer.status_code == 200, answer.json
    card = answer.json["per_card"]
    assert sum(term["expected_bytes"] for term in card["terms"]) == card["expected_bytes"]
    assert sum(term["high_bytes"] for term in card["terms"]) == card["high_bytes"]
    return {term["name"]: term["expected_bytes"] for term in card["terms"]}


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("float64", 64_000_000_000),
        ("float32", 32_000_000_000),
        ("bfloat16", 16_000_000_000),
        ("float16", 16_000_000_000),
        ("fp8", 8_000_000_000),
        ("int64", 64_000_000_000),
        ("int32", 32_000_000_000),
        ("int8", 8_000_000_000),
        ("int4", 4_000_000_000),
    ],
)
def test_weights_are_parameters_times_bytes(
    client: FlaskClient, precision: str, expected: int
) -> None:
    found = terms(client, {"precision": precision, "workload": {"kind": "inference"}})
    assert found["weights"] == expected


@pytest.mark.parametrize(
    ("optimizer", "states"),
    [("sgd", 0), ("sgd-momentum", 32_000_000_000), ("adamw", 64_000_000_000)],
)
def test_optimizer_states_are_none_once_or_twice_the_weights(
    client: FlaskClient, optimizer: str, states: int
) -> None:
    work = {"kind": "training", "optimizer": optimizer, "activation_checkpointing": "full"}
    found = terms(client, {"precision": "float32", "workload": work})
    assert found["weights"] == 32_000_000_000
    assert found["gradients"] == 32_000_000_000
    assert found.get("optimizer_states", 0) == states


def test_training_in_float32_takes_at_least_four_times_the_weights(client: FlaskClient) -> None:
    found = terms(client, {"precision": "float32", "workload": {"kind": "training"}})
    assert sum(found.values()) >= 4 * 32_000_000_000


def test_footprints_have_the_calculators_three_columns(client: FlaskClient) -> None:
    body = {"model": "llama-3.1-8b", "precisions": ["float32", "int4"]}
    first, second = client.post("/v1/footprints", json=body).json["footprints"]
    # 8,030,261,248 parameters; the largest layer is the head with the final norm
    assert first["total_bytes"] == 4 * 8_030_261_248
    assert first["training_adam_bytes"] == 16 * 8_030_261_248
    assert first["largest_layer_bytes"] == 4 * (128_256 * 4096 + 4096)
    assert second["total_bytes"] == 8_030_261_248 // 2
