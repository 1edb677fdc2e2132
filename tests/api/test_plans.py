"""Plans over HTTP, as their callers ask for them."""

from flask.testing import FlaskClient

LLAMA = {
    "model": "llama-3.3-70b",
    "workload": {"kind": "inference", "context_tokens": 32768, "concurrency": 16},
    "choices": {"gpus": ["h100-sxm5-80gb"]},
}


def plan(client: FlaskClient, body: dict[str, object]) -> dict[str, object]:
    answer = client.post("/v1/plans", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_a_plan_says_why_every_smaller_number_of_its_card_fails(client: FlaskClient) -> None:
    found = plan(client, LLAMA)
    best = found["recommendation"]
    own = [row for row in found["rejected"] if row["gpu"] == best["gpu"]]
    assert {row["cards"] for row in own if row["reason"] == "memory"} == set(
        range(1, best["cards"])
    )
    assert all(row["short_by_bytes"] > 0 for row in own if row["reason"] == "memory")


def test_the_recommended_placement_fits_when_it_is_estimated(client: FlaskClient) -> None:
    best = plan(client, LLAMA)["recommendation"]
    splits = ("tensor_parallel", "pipeline_parallel", "data_parallel")
    body = {
        "model": LLAMA["model"],
        "quantization": best["quantization"],
        "workload": {
            **LLAMA["workload"],
            "memory_utilization": best["card"]["memory_utilization"],
        },
        "placement": {"gpu": best["gpu"], **{name: best[name] for name in splits}},
    }
    answer = client.post("/v1/estimates", json=body).json
    assert answer["fits"] is True
    assert answer["headroom_bytes"] == best["headroom_bytes"]
    assert answer["per_card"]["terms"] == best["per_card"]["terms"]


def test_nothing_fits_is_an_answer_with_the_nearest_miss(client: FlaskClient) -> None:
    found = plan(client, {**LLAMA, "limits": {"max_cards": 1}})
    assert found["recommendation"] is None
    assert found["nearest_miss"]["short_by_bytes"] > 0


def test_int8_w8a8_is_refused_on_blackwell_with_the_rule(client: FlaskClient) -> None:
    choices = {"gpus": ["b200-180gb"], "quantizations": ["int8-w8a8"]}
    found = plan(client, {**LLAMA, "choices": choices})
    (row,) = [row for row in found["rejected"] if row["reason"] == "unsupported"]
    assert "compute capability 10.0" in row["message"]


def test_training_is_sharded_over_the_fewest_cards(client: FlaskClient) -> None:
    work = {"kind": "training", "sequence_tokens": 4096, "activation_checkpointing": "full"}
    body = {"model": "llama-3.1-8b", "workload": work, "choices": {"gpus": ["a100-sxm4-40gb"]}}
    best = plan(client, body)["recommendation"]
    assert best["cards"] > 1
    assert best["sharding"] == "fsdp"


def test_get_and_post_give_the_same_bytes(client: FlaskClient) -> None:
    query = "model=llama-3.3-70b&ctx=32k&users=16&gpu=h100-sxm5-80gb"
    assert client.get(f"/v1/plans?{query}").data == client.post("/v1/plans", json=LLAMA).data


def test_the_same_request_gives_the_same_bytes_and_304(client: FlaskClient) -> None:
    url = "/v1/plans?model=llama-3.1-8b&gpu=l4"
    first = client.get(url)
    assert client.get(url).data == first.data
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
