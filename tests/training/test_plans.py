"""Training plans: the fewest cards over the choices, and how far a run can grow on its cards."""

from itertools import product

import pytest
from flask.testing import FlaskClient

from service.domain.training_limits import greatest

MODEL = "llama-3.1-8b"
CARD = "a100-sxm4-40gb"
CHOICES = {
    "gpus": [CARD],
    "methods": ["full", "lora", "qlora"],
    "activation_checkpointing": ["none", "full"],
    "sharding": ["zero-2", "fsdp"],
    "micro_batch_size": [1, 4],
    "offload": ["none", "optimizer"],
}


def plan(client: FlaskClient, choices: dict[str, object], **work: object) -> dict[str, object]:
    workload = {"kind": "training", "sequence_tokens": 4096, **work}
    body = {"model": MODEL, "workload": workload, "choices": choices}
    answer = client.post("/v1/plans", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def estimate(client: FlaskClient, data: int, **work: object) -> dict[str, object]:
    workload = {"kind": "training", "sequence_tokens": 4096, **work}
    placement = {"gpu": CARD, "data_parallel": data}
    body = {"model": MODEL, "workload": workload, "placement": placement}
    return client.post("/v1/estimates", json=body).json


def test_the_recommended_setup_fits_when_it_is_estimated(client: FlaskClient) -> None:
    best = plan(client, CHOICES)["recommendation"]
    names = ("method", "activation_checkpointing", "sharding", "micro_batch_size", "offload")
    work = {name: best["training"][name] for name in names}
    answer = estimate(client, best["data_parallel"], **work)
    assert answer["fits"] is True
    assert answer["headroom_bytes"] == best["headroom_bytes"]
    assert answer["limits"] == best["limits"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_no_combination_of_the_choices_fits_on_fewer_cards(
    client: FlaskClient, method: str
) -> None:
    best = plan(client, {**CHOICES, "methods": [method]})["recommendation"]
    names = ("activation_checkpointing", "sharding", "micro_batch_size", "offload")
    for cards in range(1, best["cards"]):
        for chosen in product(*(CHOICES[name] for name in names)):
            work = dict(zip(names, chosen, strict=True), method=method)
            if cards == 1:
                work["sharding"] = "none"
            assert estimate(client, cards, **work)["fits"] is False


def test_fewer_cards_beat_training_all_weights_and_equal_ones_do_not(client: FlaskClient) -> None:
    choices = {**CHOICES, "offload": ["none"]}
    assert plan(client, choices)["recommendation"]["training"]["method"] != "full"
    choices["gpus"] = ["b300-288gb"]
    assert plan(client, choices)["recommendation"]["training"]["method"] == "full"


def test_a_global_batch_is_dealt_without_a_rest(client: FlaskClient) -> None:
    work = {"global_batch_size": 48, "activation_checkpointing": "full"}
    found = plan(client, {"gpus": [CARD], "micro_batch_size": [1, 2, 4]}, **work)
    best = found["recommendation"]
    setup = best["training"]
    dealt = best["data_parallel"] * setup["micro_batch_size"] * setup["gradient_accumulation"]
    assert dealt == 48


def test_the_greatest_micro_batch_fits_and_one_more_does_not(client: FlaskClient) -> None:
    work = {"method": "lora", "activation_checkpointing": "full"}
    most = estimate(client, 1, **work)["limits"]["max_micro_batch_size"]
    assert estimate(client, 1, **work, micro_batch_size=most)["fits"] is True
    assert estimate(client, 1, **work, micro_batch_size=most + 1)["fits"] is False


def test_the_longest_sequence_fits_and_one_token_more_does_not(client: FlaskClient) -> None:
    work = {"method": "lora", "activation_checkpointing": "full", "attention": "eager"}
    most = estimate(client, 1, **work)["limits"]["max_sequence_tokens"]
    work["sequence_tokens"] = most
    assert estimate(client, 1, **work)["fits"] is True
    work["sequence_tokens"] = most + 1
    assert estimate(client, 1, **work)["fits"] is False


def test_slices_of_a_card_are_not_combined(client: FlaskClient) -> None:
    found = plan(client, {"gpus": ["h100-sxm5-80gb-mig-3g.40gb"]})
    assert found["recommendation"] is None
    assert found["nearest_miss"]["cards"] == 1


def test_advice_names_a_change_that_needs_fewer_cards(client: FlaskClient) -> None:
    found = plan(client, {"gpus": [CARD]}, activation_checkpointing="full")
    changes = {row["change"]: row["saves_cards"] for row in found["advice"]}
    assert changes["workload.method=lora"] >= 1


def test_training_choices_are_refused_for_inference(client: FlaskClient) -> None:
    body = {"model": MODEL, "workload": {"kind": "inference"}, "choices": {"offload": ["all"]}}
    answer = client.post("/v1/plans", json=body)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/choices/offload"


def test_checkpointing_is_chosen_where_it_saves_cards_and_nothing_was_said(
    client: FlaskClient,
) -> None:
    choices, work = {"gpus": [CARD]}, {"method": "lora", "micro_batch_size": 4}
    left_open = plan(client, choices, **work)["recommendation"]
    fixed = plan(client, choices, **work, activation_checkpointing="none")
    assert left_open["training"]["activation_checkpointing"] == "full"
    assert not fixed["recommendation"] or fixed["recommendation"]["cards"] > left_open["cards"]


def test_limits_are_found_on_bends_and_curves() -> None:
    # counted by hand: a flat start, a line, a curve; the last number whose need is 1000 or less
    assert greatest(lambda x: max(900, 10 * x), 1000, 1 << 20) == 100
    assert greatest(lambda x: x * x, 1000, 1 << 31) == 31
    assert greatest(lambda x: 999 + x, 1000, 50) == 1
    assert greatest(lambda x: 1000 + x, 1000, 50) == 0
    assert greatest(lambda _: 7, 1000, 50) == 50
