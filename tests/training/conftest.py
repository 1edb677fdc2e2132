"""Estimates of training runs, as their callers ask for them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

Answer = dict[str, Any]
Train = Callable[..., Answer]


@pytest.fixture
def train(client: FlaskClient) -> Train:
    def ask(
        model: object,
        placement: dict[str, object] | None = None,
        quantization: str | None = None,
        **workload: object,
    ) -> Answer:
        body = {"model": model, "workload": {"kind": "training", **workload}}
        body |= {"placement": placement} if placement else {}
        body |= {"quantization": quantization} if quantization else {}
        answer = client.post("/v1/estimates", json={"precision": "bfloat16", **body})
        assert answer.status_code == 200, answer.json
        return answer.json

    return ask


@pytest.fixture
def phase(train: Train) -> Callable[..., dict[str, int]]:
    """Expected bytes by term of the last phase of a name."""

    def ask(name: str, model: object, **request: Any) -> dict[str, int]:
        found = [card for card in train(model, **request)["phases"] if card["phase"] == name]
        return {term["name"]: term["expected_bytes"] for term in found[-1]["terms"]}

    return ask
