"""Every model of the catalog: served, trained, planned for and shown, and never a crash."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.catalog.models import load_models

MODELS = load_models(Path(__file__).parents[2] / "config" / "models")
CARDS = {"gpus": ["h100-sxm5-80gb", "b200-180gb"], "quantizations": ["none", "fp8"]}


def asked(client: FlaskClient, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """The answer, or None where the service says with a reason why there is none."""
    answer = client.post(path, json=body)
    if answer.status_code == 422:
        assert answer.json["errors"][0]["pointer"]
        assert len(answer.json["detail"]) > len("a reason")
        return None
    assert answer.status_code == 200, answer.json
    return answer.json


def assert_adds_up(card: dict[str, Any]) -> None:
    for bound in ("low_bytes", "expected_bytes", "high_bytes"):
        assert card[bound] == sum(term[bound] for term in card["terms"])
    assert all(0 <= t["low_bytes"] <= t["expected_bytes"] <= t["high_bytes"] for t in card["terms"])
    assert card["terms"][0]["name"] == "weights"
    assert card["terms"][0]["expected_bytes"] > 0


@pytest.mark.parametrize("name", sorted(MODELS.entries))
def test_a_served_model_answers_with_terms_that_add_up(client: FlaskClient, name: str) -> None:
    body = {"model": name, "workload": {"kind": "inference"}, "precision": "bfloat16"}
    answer = asked(client, "/v1/estimates", body)
    assert answer is not None
    assert_adds_up(answer["per_card"])


@pytest.mark.parametrize("name", sorted(MODELS.entries))
def test_a_trained_model_answers_with_terms_that_add_up(client: FlaskClient, name: str) -> None:
    work = {"kind": "training", "micro_batch_size": 2, "sequence_tokens": 64}
    body = {"model": name, "workload": work, "precision": "bfloat16"}
    answer = asked(client, "/v1/estimates", body)
    for card in answer["phases"] if answer else ():
        assert_adds_up(card)


@pytest.mark.parametrize("name", sorted(MODELS.entries))
def test_a_plan_recommends_or_says_what_is_missing(client: FlaskClient, name: str) -> None:
    body = {"model": name, "workload": {"kind": "inference"}, "choices": CARDS, "limit": 1}
    answer = asked(client, "/v1/plans", body)
    assert answer is not None
    option = answer["recommendation"] or answer["nearest_miss"]
    if option is None:
        assert answer["rejected"]
        return
    assert_adds_up(option["per_card"])


@pytest.mark.parametrize("name", sorted(MODELS.entries))
def test_a_model_is_shown_with_counts_that_add_up(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/v1/models/{name}").json
    assert sum(answer["parameters_by_kind"].values()) == answer["parameters"]
    assert 0 < answer["active_parameters"] <= answer["parameters"]
