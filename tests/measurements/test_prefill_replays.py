"""Prefill of transformers against a replay of the allocator on fake tensors.

transformers 5.23.0, torch 2.13.0, bfloat16, SDPA, four prompts of 2,048 tokens; all storages.
"""

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(
    ("model", "peak"),
    [
        ("meta-llama/Meta-Llama-3-8B", 18_108_474_368),
        ("mistralai/Mistral-7B-v0.1", 16_543_998_976),
        ("mistralai/Mixtral-8x7B-v0.1", 96_762_882_048),
        ("facebook/opt-1.3b", 4_644_945_920),
        ("microsoft/Phi-3-mini-4k-instruct", 11_606_662_144),
        ("EleutherAI/pythia-1.4b", 4_842_906_624),
        ("Qwen/Qwen2.5-7B", 16_868_143_104),
    ],
)
def test_the_prompts_peak_is_what_the_allocator_replays(
    client: FlaskClient, model: str, peak: int
) -> None:
    work = {
        "kind": "inference",
        "engine": "transformers",
        "context_tokens": 2048,
        "concurrency": 4,
    }
    body = {"model": model, "precision": "bfloat16", "quantization": "none", "workload": work}
    card = client.post("/v1/estimates", json=body).json["per_card"]
    held = ("weights", "kv_cache", "activations")
    found = sum(t["expected_bytes"] for t in card["terms"] if t["name"] in held)
    assert found == pytest.approx(peak, rel=0.01)
