"""Frameworks that lay out gradients, losses and recomputation in their own way."""

from typing import Any

import pytest
from flask.testing import FlaskClient

HIDDEN, LAYERS, VOCABULARY, TOKENS = 1024, 4, 50304, 2048
GPT2 = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_embd": HIDDEN,
    "n_layer": LAYERS,
    "n_head": 16,
    "n_positions": TOKENS,
    "vocab_size": VOCABULARY,
}
PARAMETERS = LAYERS * (12 * HIDDEN**2 + 13 * HIDDEN) + (VOCABULARY + TOKENS + 2) * HIDDEN


def estimate(client: FlaskClient, data: int = 1, **work: Any) -> dict[str, Any]:
    workload = {
        "kind": "training",
        "framework": "megatron-lm",
        "regime": "fp32-master",
        "optimizer": "adamw-fused",
        "sequence_tokens": TOKENS,
        **work,
    }
    body = {
        "model": {"config": GPT2, "name": "gpt2"},
        "precision": "bfloat16",
        "workload": workload,
        "placement": {"data_parallel": data},
    }
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def term(answer: dict[str, Any], phase: str, name: str) -> int:
    terms = next(found["terms"] for found in answer["phases"] if found["phase"] == phase)
    return sum(one["expected_bytes"] for one in terms if one["name"] == name)


def test_a_block_of_megatron_keeps_34_bytes_a_hidden_value(client: FlaskClient) -> None:
    # Korthikanti et al. 2022, arXiv 2205.05198, table 2: 34 s b h a layer with a flash kernel;
    # embedding, last norm, positions and statistics come to it
    kept = term(estimate(client), "loss", "activations")
    assert kept == pytest.approx(34 * HIDDEN * TOKENS * LAYERS, rel=0.06)


def test_selective_recomputation_keeps_all_but_the_scores(client: FlaskClient) -> None:
    # same paper, section 5: 34 s b h in place of 34 s b h + 5 a s² b
    flash = term(estimate(client), "loss", "activations")
    eager = estimate(client, attention="eager", activation_checkpointing="selective")
    masks = 2 * TOKENS * TOKENS
    assert term(eager, "loss", "activations") == pytest.approx(flash + masks, rel=0.05)


def test_the_distributed_optimizer_takes_6_bytes_and_12_over_the_ranks(client: FlaskClient) -> None:
    # Megatron-LM training/theoretical_memory_usage.py: 6 + 12 / dp bytes a parameter
    found = estimate(client, data=4, sharding="zero-1")
    names = ("weights", "gradients", "optimizer_states", "master_weights")
    held = sum(term(found, "loss", name) for name in names)
    assert held == pytest.approx((6 + 12 / 4) * PARAMETERS, rel=0.001)


def test_replicas_reduce_gradients_in_their_own_buffers(client: FlaskClient) -> None:
    found = estimate(client, data=4, sharding="ddp")
    assert term(found, "loss", "gradients") == pytest.approx(4 * PARAMETERS, rel=0.001)
    assert term(found, "loss", "sharding_buffers") == 0


def test_the_vocabulary_parallel_loss_makes_one_fp32_copy(client: FlaskClient) -> None:
    # core/tensor_parallel/cross_entropy.py: softmax and gradient are written into one fp32 copy
    assert term(estimate(client), "loss", "logits") == 6 * TOKENS * VOCABULARY


def test_a_tiled_loss_holds_one_shard_of_logits(client: FlaskClient) -> None:
    whole = estimate(client, framework="deepspeed", loss="eager")
    tiled = estimate(client, framework="deepspeed", loss="chunked")
    assert term(whole, "loss", "logits") == 8 * term(tiled, "loss", "logits")


def test_offloaded_checkpoints_wait_on_the_host(client: FlaskClient) -> None:
    work = {"framework": "transformers", "regime": "pure-16bit"}
    full = estimate(client, activation_checkpointing="full", **work)
    away = estimate(client, activation_checkpointing="offloaded", **work)
    inputs = 2 * HIDDEN * TOKENS * LAYERS
    assert away["host_bytes"] == inputs
    lost = term(full, "loss", "activations") - term(away, "loss", "activations")
    assert lost == inputs
