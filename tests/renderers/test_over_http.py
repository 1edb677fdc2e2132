"""`render` over HTTP: forms, refusals with reasons, ETags, pinning."""

import pytest
from flask.testing import FlaskClient

from tests.renderers.plans import PLANS, serving

LINK = "/v1/plans?model=llama-3.1-8b&gpu=h100-sxm5-80gb&render=kubernetes"


def test_a_plan_is_written_for_a_system_on_get_and_post_alike(client: FlaskClient) -> None:
    got = client.get(LINK)
    posted = client.post("/v1/plans?render=kubernetes", json=PLANS["one card"])
    assert got.status_code == posted.status_code == 200
    assert got.text == posted.text
    assert got.mimetype == "text/plain"
    assert got.headers["Content-Disposition"] == 'inline; filename="llama-3-1-8b.yaml"'


def test_what_is_accepted_does_not_change_what_is_rendered(client: FlaskClient) -> None:
    answer = client.get(LINK, headers={"Accept": "application/yaml"})
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")


def test_the_same_request_has_the_same_bytes_and_tag(client: FlaskClient) -> None:
    first, again = client.get(LINK), client.get(LINK)
    assert first.data == again.data
    fresh = client.get(LINK, headers={"If-None-Match": first.headers["ETag"]})
    assert (fresh.status_code, fresh.data) == (304, b"")
    other = client.get(LINK.replace("kubernetes", "slurm"))
    assert other.headers["ETag"] != first.headers["ETag"]


def test_another_catalog_than_the_pinned_one_is_a_conflict(client: FlaskClient) -> None:
    current = client.get("/readyz").json["catalog_version"]
    assert client.get(f"{LINK}&catalog_version={current}").status_code == 200
    moved = client.get(f"{LINK}&catalog_version=0123456789abcdef")
    assert moved.status_code == 409
    assert current in moved.json["detail"]


@pytest.mark.parametrize(
    ("name", "system", "reason"),
    [
        ("one card", "sglang", "the plan is for vllm"),
        ("one card", "torchrun", "the plan is for serving"),
        ("one card", "mig", "is a whole card"),
        ("full", "vllm", "the plan is for training"),
        ("full", "deepspeed", "shards with fsdp"),
        ("sglang", "ray", "runs vLLM"),
        ("even nodes", "dra", "a claim belongs to one pod"),
        ("amd", "dra", "only NVIDIA's DRA driver"),
        ("label by memory", "kueue", "matches labels exactly"),
        ("label by memory", "skypilot", "name of rtx-pro-6000"),
        ("apple", "kubernetes", "cards of Apple"),
        ("amd without label", "kubernetes", "no node label"),
    ],
)
def test_what_cannot_be_rendered_says_why(
    client: FlaskClient, name: str, system: str, reason: str
) -> None:
    answer = client.post(f"/v1/plans?render={system}", json=PLANS[name])
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json["errors"][0]["pointer"] == "/render"
    assert reason in answer.json["detail"]


def test_a_plan_that_fits_nowhere_is_refused_with_the_shortfall(client: FlaskClient) -> None:
    body = serving("llama-3.1-405b", "l4-24gb", max_cards=2)
    answer = client.post("/v1/plans?render=slurm", json=body)
    assert answer.status_code == 422
    assert "nothing fits; the nearest is short by" in answer.json["detail"]


def test_tensorrt_llm_over_nodes_is_refused(client: FlaskClient) -> None:
    body = {**PLANS["even nodes"], "workload": {"kind": "inference", "engine": "tensorrt-llm"}}
    answer = client.post("/v1/plans?render=slurm", json=body)
    assert answer.status_code == 422
    assert "no flags are known that join them" in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("render=kubernets", "Did you mean kubernetes?"),
        ("render=slurm&render=ray", "Given more than once."),
        ("render=", "Must be one of kubernetes,"),
        ("rendr=slurm", "Did you mean render?"),
    ],
)
def test_a_system_that_is_not_known_is_named(client: FlaskClient, query: str, said: str) -> None:
    answer = client.post(f"/v1/plans?{query}", json=PLANS["one card"])
    assert answer.status_code == 422
    assert said in answer.json["detail"]
