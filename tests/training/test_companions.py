"""Several models on the same cards: preference training, reinforcement learning, distillation."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

Train = Callable[..., dict[str, Any]]
MODEL = "llama-3.1-8b"
BYTES = 2 * 8_030_261_248
SMALL = "llama-3.2-1b"
SMALL_PARAMETERS = 1_235_814_400


def by_phase(answer: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {
        card["phase"]: {term["name"]: term["expected_bytes"] for term in card["terms"]}
        for card in answer["phases"]
    }


def test_a_frozen_reference_stands_in_every_phase(train: Train) -> None:
    # arXiv 2305.18290, section 4: DPO compares with the frozen starting policy
    found = by_phase(train(MODEL, companions=[{"role": "reference"}]))
    assert {terms["reference_weights"] for terms in found.values()} == {BYTES}
    assert "reference-forward" in found


def test_a_reference_is_sharded_as_the_policy_is(train: Train) -> None:
    work = {"placement": {"cards": 4}, "companions": [{"role": "reference"}]}
    shared = by_phase(train(MODEL, sharding="fsdp", **work))["optimizer"]["reference_weights"]
    whole = by_phase(train(MODEL, sharding="zero-2", **work))["optimizer"]["reference_weights"]
    assert (shared, whole) == (BYTES // 4, BYTES)


def test_a_quantized_reference_is_packed(train: Train) -> None:
    one = {"role": "reference", "model": MODEL, "quantization": "nf4-dq"}
    packed = by_phase(train(MODEL, companions=[one]))["optimizer"]["reference_weights"]
    assert packed < 0.4 * BYTES


def test_an_offloaded_reference_lies_on_the_host(train: Train) -> None:
    one = {"role": "reference", "offload": "all"}
    found = train(MODEL, {"cards": 4}, sharding="fsdp", companions=[one])
    assert "reference_weights" not in by_phase(found)["optimizer"]
    assert found["host_bytes"] == BYTES // 4


def test_a_critic_trains_all_its_weights_but_makes_no_logits(train: Train) -> None:
    # arXiv 2203.02155, appendix C.4: the value function is a model of its own with one output
    found = by_phase(train(MODEL, companions=[{"role": "critic", "model": SMALL}]))
    alone = found["optimizer"]
    assert alone["critic_weights"] == 2 * SMALL_PARAMETERS
    assert alone["critic_optimizer_states"] == 4 * SMALL_PARAMETERS
    assert "critic_logits" not in found["critic-loss"]
    assert found["critic-optimizer"]["critic_gradients"] == 2 * SMALL_PARAMETERS


def test_a_teachers_logits_stay_while_the_loss_is_computed(train: Train) -> None:
    # 2 bytes a logit and 4 of its probability, over 2048 tokens and 128,256 words
    found = by_phase(train(SMALL, companions=[{"role": "teacher", "model": MODEL}]))
    assert found["loss"]["teacher_logits"] == 6 * 2_048 * 128_256
    assert "teacher_logits" not in found["optimizer"]


@pytest.mark.parametrize("sleeps", [True, False])
def test_a_sleeping_rollout_leaves_the_cards_to_training(train: Train, sleeps: bool) -> None:
    # 131,072 bytes a token of Llama 3.1 8B (2 · 32 · 8 · 128 · 2)
    one = {"role": "rollout", "concurrency": 8, "context_tokens": 4_096, "sleeps": sleeps}
    found = by_phase(train(MODEL, companions=[one]))
    assert found["rollout"]["rollout_weights"] == pytest.approx(BYTES, rel=0.01)
    assert found["rollout"]["rollout_kv_cache"] == 8 * 4_096 * 131_072
    assert ("rollout_weights" in found["optimizer"]) is not sleeps


def test_terms_of_all_models_add_up(train: Train) -> None:
    roles = [{"role": role} for role in ("reference", "critic", "reward", "rollout")]
    for card in train(MODEL, companions=roles)["phases"]:
        assert sum(term["high_bytes"] for term in card["terms"]) == card["high_bytes"]


def test_companions_need_more_cards(client: FlaskClient) -> None:
    def cards(**more: object) -> int:
        work = {"kind": "training", "activation_checkpointing": "full", **more}
        body = {"model": MODEL, "workload": work, "choices": {"gpus": ["a100-sxm4-40gb"]}}
        return client.post("/v1/plans", json=body).json["recommendation"]["cards"]

    assert cards(companions=[{"role": "reference"}, {"role": "critic"}]) > cards()


def test_fields_of_an_engine_are_refused_on_a_frozen_model(client: FlaskClient) -> None:
    one = {"role": "reward", "context_tokens": 1_024}
    body = {"model": MODEL, "workload": {"kind": "training", "companions": [one]}}
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 422
    assert "/companions/0/context_tokens" in answer.json["errors"][0]["pointer"]
