"""Replans are stable: a small change of the request does not flip between equal options."""

from typing import Any

from flask.testing import FlaskClient

EQUAL = ("h100-sxm5-80gb", "h100-pcie-80gb")
PRICES = {name: {"hourly_usd": 3} for name in EQUAL}


def chosen(client: FlaskClient, gpus: tuple[str, ...], **work: int) -> tuple[Any, ...]:
    workload = {"kind": "inference", "context_tokens": 8192, "concurrency": 16, **work}
    body = {
        "model": "llama-3.3-70b",
        "workload": workload,
        "choices": {"gpus": list(gpus)},
        "price_overrides": PRICES,
    }
    best = client.post("/v1/plans", json=body).json["recommendation"]
    names = ("gpu", "cards", "quantization", "tensor_parallel", "pipeline_parallel")
    return tuple(best[name] for name in names)


def test_a_few_tokens_or_users_more_change_nothing(client: FlaskClient) -> None:
    contexts = {chosen(client, EQUAL, context_tokens=tokens) for tokens in (8000, 8192, 8200)}
    users = {chosen(client, EQUAL, concurrency=held) for held in (15, 16, 17)}
    assert len(contexts | users) == 1


def test_the_order_in_which_cards_are_named_changes_nothing(client: FlaskClient) -> None:
    assert chosen(client, EQUAL) == chosen(client, EQUAL[::-1])
