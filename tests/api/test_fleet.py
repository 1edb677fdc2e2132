"""Several models on one pool over HTTP."""

from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient

WORK = {"kind": "inference", "context_tokens": 8192, "concurrency": 8}
SMALL = {"name": "small", "model": "llama-3.1-8b", "quantization": "none", "workload": WORK}
LARGE = {"name": "large", "model": "llama-3.3-70b", "quantization": "none", "workload": WORK}
NODES = [{"gpu": "a100-sxm4-80gb", "nodes": 2, "cards_per_node": 4, "node_names": ["a", "b"]}]


def fleet(client: FlaskClient, *models: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/plans/fleet", json={"models": list(models), **more})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_two_large_models_and_two_small_ones_fill_two_nodes(client: FlaskClient) -> None:
    """141 GB of weights take at least two cards of 80 GB, with their caches three."""
    found = fleet(client, {**LARGE, "replicas": 2}, {**SMALL, "replicas": 2}, inventory=NODES)
    assert found["fits"] is True
    assert (found["nodes"], found["gap_nodes"], found["cards"]) == (2, 0, 8)
    held = Counter[str]()
    for one in found["assignments"]:
        held.update({taken["node"]: taken["cards"] for taken in one["placement"]})
    assert held == {"a": 4, "b": 4}


def test_the_fewest_nodes_of_one_kind_are_proved(client: FlaskClient) -> None:
    found = fleet(client, {**SMALL, "replicas": 9}, gpu="a100-sxm4-80gb")
    assert (found["cards"], found["nodes"], found["gap_nodes"]) == (9, 2, 0)
    assert found["sharing"] == "a card belongs to one replica"


def test_engines_share_a_card_only_when_told_to(client: FlaskClient) -> None:
    """Weights of 16 GB, about 8 GB of cache: two replicas stand on a card of 80 GB."""
    pair = {**SMALL, "replicas": 2}
    alone = fleet(client, pair, gpu="h100-sxm5-80gb")
    shared = fleet(client, pair, gpu="h100-sxm5-80gb", share_cards=True)
    assert (alone["cards"], shared["cards"]) == (2, 1)
    assert sum(one["claim_bytes"] for one in shared["assignments"]) < 85e9
    for one in shared["assignments"]:
        told = f"--gpu-memory-utilization {one['memory_share']}"
        assert told in one["launch"]["command"]


def test_what_fits_nowhere_is_an_answer(client: FlaskClient) -> None:
    found = fleet(client, {**LARGE, "replicas": 3}, inventory=NODES)
    assert (found["fits"], found["proved"]) == (False, True)
    assert found["unplaced"] == [
        {"model": "large", "reason": "together they take at least 9 cards; 8 are free"}
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"models": [SMALL]}, "/inventory"),
        ({"models": [SMALL], "gpu": "l4-24gb", "inventory": NODES}, "/inventory"),
        ({"models": [SMALL, SMALL], "gpu": "l4-24gb"}, "/models/1/name"),
        ({"models": [{**SMALL, "inventory": NODES}], "gpu": "l4-24gb"}, "/models/0/inventory"),
        ({"models": [{**SMALL, "replicas": 0}], "gpu": "l4-24gb"}, "/models/0/replicas"),
        (
            {"models": [{**SMALL, "replicas": 40}, {**LARGE, "replicas": 40}], "gpu": "l4-24gb"},
            "/models",
        ),
        (
            {"models": [{**SMALL, "choices": {"sharding": ["fsdp"]}}], "gpu": "l4-24gb"},
            "/models/0/choices/sharding",
        ),
    ],
)
def test_a_bad_fleet_is_refused_by_its_field(
    client: FlaskClient, body: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/v1/plans/fleet", json=body)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer


def test_a_fleet_comes_as_a_table_too(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/plans/fleet",
        json={"models": [SMALL], "gpu": "a100-sxm4-80gb"},
        headers={"Accept": "text/csv"},
    )
    header, row = answer.text.splitlines()
    assert header == "model,replica,gpu,cards,nodes,quantization,memory_share"
    assert row.startswith("small,0,a100-sxm4-80gb,1,a100-sxm4-80gb-1: 1,none")
