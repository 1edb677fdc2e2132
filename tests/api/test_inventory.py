"""Plans on what is really there: uneven nodes, free memory, names."""

from typing import Any

import pytest
from flask.testing import FlaskClient

QWEN = {
    "model": "qwen3-235b-a22b",
    "quantization": "none",
    "workload": {"kind": "inference", "context_tokens": 8192, "concurrency": 8},
}
HALF_FREE = {"gpu": "h100-sxm5-80gb", "nodes": 2, "cards_per_node": 4}


def plan(client: FlaskClient, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/plans", json={**QWEN, **more})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def used(option: dict[str, Any]) -> dict[str, int]:
    return {one["node"]: one["cards"] for one in option["placement"]}


def test_tensor_parallel_stays_inside_two_half_free_nodes(client: FlaskClient) -> None:
    """470 GB of weights take more than six cards of 80 GB; eight in one group are nowhere."""
    choices = {"tensor_parallel": [4, 8]}
    row = {**HALF_FREE, "node_names": ["a", "b"]}
    best = plan(client, inventory=[row], choices=choices)["recommendation"]
    assert (best["tensor_parallel"], best["pipeline_parallel"]) == (4, 2)
    assert used(best) == {"a": 4, "b": 4}


def test_eight_in_one_group_are_refused_by_the_inventory(client: FlaskClient) -> None:
    found = plan(client, inventory=[HALF_FREE], choices={"tensor_parallel": [8]})
    assert found["recommendation"] is None


def test_rows_of_one_card_belong_together(client: FlaskClient) -> None:
    rows = [
        {**HALF_FREE, "nodes": 1, "cards_per_node": 3, "name": "small"},
        {**HALF_FREE, "nodes": 1, "cards_per_node": 5, "name": "large", "free_memory_gib": 79},
    ]
    best = plan(client, inventory=rows)["recommendation"]
    assert best["cards"] > 5
    assert used(best) == {"large": 5, "small": best["cards"] - 5}


def test_a_name_that_comes_back_is_the_same_node(client: FlaskClient) -> None:
    rows = [
        {**HALF_FREE, "nodes": 1, "name": "node", "cards_per_node": 4},
        {**HALF_FREE, "nodes": 1, "name": "node", "cards_per_node": 4, "free_memory_gib": 79},
    ]
    choices = {"tensor_parallel": [8]}
    best = plan(client, inventory=rows, choices=choices)["recommendation"]
    assert used(best) == {"node": 8}


def test_more_cards_than_are_free_are_rejected_by_the_inventory(client: FlaskClient) -> None:
    rows = [{**HALF_FREE, "nodes": 1}, {"gpu": "b200-180gb", "nodes": 1, "cards_per_node": 8}]
    found = plan(client, inventory=rows, explain=True, choices={"tensor_parallel": [8]})
    assert found["recommendation"]["gpu"] == "b200-180gb"
    reasons = {row["reason"] for row in found["rejected"] if row["gpu"] == "h100-sxm5-80gb"}
    assert reasons == {"inventory"}


def test_max_nodes_keeps_the_largest(client: FlaskClient) -> None:
    rows = [{**HALF_FREE, "nodes": 1, "cards_per_node": n, "name": f"n{n}"} for n in (2, 8)]
    best = plan(client, inventory=rows, limits={"max_nodes": 1})["recommendation"]
    assert set(used(best)) == {"n8"}


def test_a_run_on_uneven_nodes_starts_with_each_nodes_own_number(client: FlaskClient) -> None:
    rows = [
        {"gpu": "l4-24gb", "nodes": 1, "cards_per_node": cards, "name": f"n{cards}"}
        for cards in (2, 4)
    ]
    work = {"kind": "training", "activation_checkpointing": "full", "sequence_tokens": 1024}
    body = {"model": "llama-3.1-8b", "workload": work, "inventory": rows}
    body["choices"] = {"methods": ["full"], "offload": ["none"]}
    best = client.post("/v1/plans", json=body).json["recommendation"]
    assert used(best) == {"n4": 4, "n2": 1}
    assert "--nnodes 2 --nproc-per-node 1" in best["launch"]["command"]


def test_an_engine_is_told_its_share_of_the_whole_card(client: FlaskClient) -> None:
    """vLLM counts from the card's total: 92 % of 40 free GiB are 46 % of 80 GiB (79.6 reported)."""
    row = {"gpu": "h100-sxm5-80gb", "nodes": 1, "cards_per_node": 1, "free_memory_gib": 40}
    body = {**QWEN, "model": "llama-3.1-8b", "inventory": [row]}
    best = client.post("/v1/plans", json=body).json["recommendation"]
    assert "--gpu-memory-utilization 0.46 " in best["launch"]["command"]


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        ({**HALF_FREE, "node_names": ["a"]}, "/inventory/0/node_names"),
        ({**HALF_FREE, "node_names": ["a", "a"]}, "/inventory/0/node_names"),
        ({**HALF_FREE, "name": "a", "node_names": ["a", "b"]}, "/inventory/0/node_names"),
        ({**HALF_FREE, "name": ""}, "/inventory/0/name"),
        ({**HALF_FREE, "free_memory_gib": 90}, "/inventory/0/free_memory_gib"),
    ],
)
def test_a_bad_row_is_refused_by_its_field(
    client: FlaskClient, row: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/v1/plans", json={**QWEN, "inventory": [row]})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer
