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
    short = [row for row in found["rejected"] if row["reason"] == "memory"]
    own = [row for row in short if row["quantization"] == best["quantization"]]
    assert {row["cards"] for row in own} == set(range(1, best["cards"]))
    assert all(row["short_by_bytes"] > 0 for row in short)


def test_better_formats_on_as_many_cards_have_a_reason_too(client: FlaskClient) -> None:
    found = plan(client, LLAMA)
    best = found["recommendation"]
    rows = {row["quantization"]: row for row in found["rejected"] if row["reason"] == "memory"}
    assert rows["none"]["cards"] == best["cards"]


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


def test_experts_are_not_spread_over_fewer_cards_than_ranks(client: FlaskClient) -> None:
    choices = {"gpus": ["h100-sxm5-80gb"], "expert_parallel": [4]}
    body = {"model": "qwen3-30b-a3b", "workload": {"kind": "inference"}, "choices": choices}
    assert plan(client, body)["recommendation"]["cards"] >= 4


def test_auto_stays_a_choice_beside_other_caches(client: FlaskClient) -> None:
    choices = {**LLAMA["choices"], "kv_cache_precisions": ["auto", "fp8"]}
    found = plan(client, {**LLAMA, "choices": choices, "limit": 100})
    options = [found["recommendation"], *found["alternatives"]]
    assert {option["kv_cache_precision"] for option in options} == {"bf16", "fp8"}


def test_choices_without_meaning_for_training_are_refused(client: FlaskClient) -> None:
    body = {"model": "llama-3.1-8b", "workload": {"kind": "training"}}
    answer = client.post("/v1/plans", json={**body, "choices": {"kv_cache_precisions": ["fp8"]}})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/choices/kv_cache_precisions"


def test_training_without_sharding_is_never_planned_on_several_cards(client: FlaskClient) -> None:
    work = {"kind": "training", "sharding": "none"}
    body = {"model": "llama-3.1-8b", "workload": work, "choices": {"gpus": ["l4"]}}
    found = plan(client, body)
    assert found["recommendation"] is None
    assert found["nearest_miss"]["cards"] == 1


def test_head_and_options_answer_without_validation(client: FlaskClient) -> None:
    assert client.head("/v1/plans").status_code == 200
    assert client.options("/v1/plans").status_code == 200
    assert client.head("/v1/nothing").status_code == 404


def test_get_and_post_give_the_same_bytes(client: FlaskClient) -> None:
    query = "model=llama-3.3-70b&ctx=32k&users=16&gpu=h100-sxm5-80gb"
    assert client.get(f"/v1/plans?{query}").data == client.post("/v1/plans", json=LLAMA).data


def test_the_same_request_gives_the_same_bytes_and_304(client: FlaskClient) -> None:
    url = "/v1/plans?model=llama-3.1-8b&gpu=l4"
    first = client.get(url)
    assert client.get(url).data == first.data
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_launch_line_says_which_files_it_needs(client: FlaskClient) -> None:
    choices = {"gpus": ["h100-sxm5-80gb"], "quantizations": ["awq-int4"]}
    packed = plan(client, {**LLAMA, "choices": choices})["recommendation"]["launch"]["command"]
    plain = plan(client, {**LLAMA, "choices": {**choices, "quantizations": ["none"]}})
    assert packed.endswith("# give a checkpoint quantized to awq-int4 in place of the model's name")
    assert "#" not in plain["recommendation"]["launch"]["command"]


def test_a_format_that_the_checkpoint_is_released_in_needs_no_other_files(
    client: FlaskClient,
) -> None:
    body = {
        "model": "deepseek-v3.1",
        "quantization": "fp8-block",
        "workload": {"kind": "inference"},
    }
    best = plan(client, body)["recommendation"]
    assert best["quantization"] == "fp8-block"
    assert "#" not in best["launch"]["command"]


def test_an_answer_of_one_card_says_which_smaller_one_comes_nearest(client: FlaskClient) -> None:
    work = {"kind": "inference", "context_tokens": 16384}
    body = {"model": "llama-3.1-8b", "workload": work, "objective": "least-memory"}
    text = client.post(
        "/v1/plans",
        json={**body, "choices": {"gpus": ["h100-sxm5-80gb-mig"], "quantizations": ["awq-int4"]}},
        headers={"Accept": "text/plain"},
    ).text
    assert "\nWhy not 1 x h100-sxm5-80gb-mig-1g.10gb: with " in text
