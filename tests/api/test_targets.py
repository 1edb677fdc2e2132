"""The guard for speed: upper bounds from data-sheet rates rule out plans that fit but crawl."""

from typing import Any

from flask.testing import FlaskClient

SMALL = {"model": "llama-3.1-8b", "workload": {"kind": "inference", "context_tokens": 1024}}


def plan(client: FlaskClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/plans", json={**SMALL, **body})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_one_user_gets_no_more_tokens_than_bandwidth_over_weights(client: FlaskClient) -> None:
    choices = {"gpus": ["l4"], "quantizations": ["none"]}
    found = plan(client, choices=choices)["recommendation"]["throughput"]
    # 300 GB/s (NVIDIA L4 data sheet) over 7,504,924,672 weights in 16 bit without the input table
    assert found["limited_by"] == "bandwidth"
    assert 19.8 < found["tokens_per_second_per_user"] < 300e9 / (2 * 7_504_924_672)


def test_a_target_beyond_one_card_takes_more_or_another_format(client: FlaskClient) -> None:
    choices = {"gpus": ["l4"], "quantizations": ["none"]}
    targets = {"tokens_per_second_per_user": 30}
    best = plan(client, choices=choices, targets=targets)["recommendation"]
    assert best["cards"] == 2
    assert best["tensor_parallel"] == 2
    assert best["throughput"]["tokens_per_second_per_user"] >= 30


def test_the_proof_says_why_one_card_is_not_fast_enough(client: FlaskClient) -> None:
    choices = {"gpus": ["l4"], "quantizations": ["none"]}
    found = plan(client, choices=choices, targets={"tokens_per_second_per_user": 30})
    (row,) = [row for row in found["rejected"] if row["cards"] == 1 and row["reason"] == "limit"]
    assert "tokens a second a user (bandwidth), 30 are wanted" in row["message"]


def test_a_card_of_unknown_rates_is_not_promised_a_speed(client: FlaskClient) -> None:
    choices = {"gpus": ["h100-sxm5-80gb-mig-3g.40gb"]}
    found = plan(client, choices=choices, targets={"tokens_per_second_per_user": 1})
    assert found["recommendation"] is None
    assert plan(client, choices=choices)["recommendation"]["cards"] == 1


def test_more_requests_a_second_take_more_replicas(client: FlaskClient) -> None:
    choices = {"gpus": ["l4"], "quantizations": ["none"]}
    slow = plan(client, choices=choices, targets={"requests_per_second": 0.05})
    fast = plan(client, choices=choices, targets={"requests_per_second": 0.5})
    assert slow["recommendation"]["cards"] == 1
    assert fast["recommendation"]["cards"] > slow["recommendation"]["cards"]


def test_what_the_targets_assume_is_listed(client: FlaskClient) -> None:
    found = plan(client, targets={"first_token_ms": 2000})
    fields = {note["field"] for note in found["assumptions"]}
    assert {"targets.output_tokens", "targets.prompt_tokens"} <= fields


def test_a_misspelt_target_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/plans", json={**SMALL, "targets": {"tokens_per_second": 3}})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/targets/tokens_per_second"
