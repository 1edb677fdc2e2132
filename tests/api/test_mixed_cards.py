"""Pipeline stages on different kinds of cards over HTTP."""

from typing import Any

import pytest
from flask.testing import FlaskClient

LLAMA = {
    "model": "llama-3.1-8b",
    "quantization": "none",
    "workload": {"kind": "inference", "context_tokens": 4096, "concurrency": 2},
    "allow_mixed": True,
}
L4 = {"gpu": "l4-24gb", "nodes": 1, "cards_per_node": 1, "name": "a", "free_memory_gib": 16}
A10 = {"gpu": "a10-24gb", "nodes": 1, "cards_per_node": 1, "name": "b", "free_memory_gib": 12}


def post(client: FlaskClient, **more: Any) -> Any:
    return client.post("/v1/plans", json={**LLAMA, "inventory": [L4, A10], **more})


def test_two_unlike_cards_hold_what_neither_holds(client: FlaskClient) -> None:
    """16 GB of weights exceed the share of a card with 16 GiB free: two are needed."""
    assert post(client, allow_mixed=False).json["recommendation"] is None
    best = post(client).json["recommendation"]
    assert (best["cards"], best["nodes"], best["pipeline_parallel"]) == (2, 2, 2)
    layers = [stage["layers"] for stage in best["stages"]]
    assert sum(layers) == 32
    assert all(stage["headroom_bytes"] >= 0 for stage in best["stages"])
    assert {one["node"]: one["gpu"] for one in best["placement"]} == {
        "a": "l4-24gb",
        "b": "a10-24gb",
    }
    told = f"VLLM_PP_LAYER_PARTITION={layers[0]},{layers[1]} vllm serve"
    assert best["launch"]["command"].startswith(told)


def test_one_kind_is_kept_where_it_takes_as_few_cards(client: FlaskClient) -> None:
    row = {"gpu": "h100-sxm5-80gb", "nodes": 1, "cards_per_node": 1, "name": "c"}
    found = post(client, inventory=[L4, row]).json
    assert found["recommendation"]["gpu"] == "h100-sxm5-80gb"
    assert "stages" not in found["recommendation"]


def test_a_mix_says_why_no_kind_does_on_its_own(client: FlaskClient) -> None:
    found = post(client).json
    assert {row["gpu"] for row in found["rejected"]} == {"l4-24gb", "a10-24gb"}
    assert [one["code"] for one in found["warnings"]] == ["mixed-cards"]


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"inventory": [{**L4, "gpu": "h100-sxm5-80gb"}], "limits": {"max_nodes": 1}},
         "/limits/max_nodes"),
        ({"workload": {"kind": "inference", "engine": "sglang"}}, "/allow_mixed"),
        ({"workload": {"kind": "training"}, "quantization": "none"}, "/allow_mixed"),
        ({"targets": {"first_token_ms": 1000}}, "/targets"),
        ({"inventory": [{**L4, "name": f"n{g}", "free_memory_gib": g} for g in range(3, 8)]},
         "/allow_mixed"),
    ],
)  # fmt: skip
def test_what_a_mix_cannot_honour_is_refused(
    client: FlaskClient, more: dict[str, Any], pointer: str
) -> None:
    answer = post(client, **more)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer


def test_a_mix_needs_an_inventory(client: FlaskClient) -> None:
    answer = client.post("/v1/plans", json=LLAMA)
    assert answer.json["errors"][0]["pointer"] == "/allow_mixed"
