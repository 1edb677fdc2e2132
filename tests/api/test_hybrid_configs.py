"""Posted configs of hybrids with one thing wrong: an answer or a problem that names the field."""

import copy
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.catalog.models import load_models

CONFIGS = {
    entry.id: dict(entry.config)
    for entry in load_models(Path(__file__).parents[2] / "config" / "models").entries.values()
}
HYBRIDS = (
    "mamba-2.8b-hf", "falcon-mamba-7b", "mamba-codestral-7b-v0.1", "jamba-v0.1", "zamba-7b-v1",
    "zamba2-1.2b-instruct", "granite-4.0-h-small", "falcon-h1-1.5b-base", "lfm2-1.2b",
    "nvidia-nemotron-3-super-120b-a12b-fp8", "lfm2-8b-a1b", "recurrentgemma-2b",
    "qwen3-next-80b-a3b-instruct", "qwen3.5-0.8b", "olmo-hybrid-7b", "minimax-m1-40k",
    "kimi-linear-48b-a3b-instruct", "deepseek-v3.2", "glm-5.2", "deepseek-v4-flash", "minimax-m3",
    "muse-glimmer-30b",
)  # fmt: skip
WRONG = (None, -1, 0, 10**12, "many", [], ["mamba"], [1, 2, 3], [[1]], {}, True, 0.5)


def posted(client: FlaskClient, config: dict[str, Any]) -> Any:
    body = {"model": {"config": config}, "workload": {"kind": "inference"}}
    return client.post("/v1/estimates", json=body)


def plain(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    return list(map(plain, config)) if isinstance(config, list) else config


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_posted_config_is_read_as_the_catalogs(client: FlaskClient, name: str) -> None:
    answer = posted(client, plain(CONFIGS[name]))
    assert answer.status_code == 200, answer.json
    assert answer.json["model"]["parameters"] == client.get(f"/v1/models/{name}").json["parameters"]


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_wrong_value_is_refused_by_name_or_read(client: FlaskClient, data: st.DataObject) -> None:
    config = copy.deepcopy(plain(CONFIGS[data.draw(st.sampled_from(HYBRIDS))]))
    inner = config.get("text_config", config)
    key = data.draw(st.sampled_from(sorted(inner)))
    inner[key] = data.draw(st.sampled_from(WRONG))
    answer = posted(client, config)
    assert answer.status_code in {200, 400, 404, 422}, (key, inner[key], answer.json)
    if answer.status_code == 422:
        assert answer.json["errors"][0]["pointer"].startswith("/model/config"), answer.json


@pytest.mark.parametrize(
    ("name", "key", "value", "field", "message"),
    [
        ("zamba2-1.2b-instruct", "layers_block_type", ["mamba"], "layers_block_type", "38 layers"),
        ("granite-4.0-h-small", "layer_types", ["mamba"] * 39, "layer_types", "40 layers, not 39"),
        ("granite-4.0-h-small", "layer_types", ["snake"] * 40, "layer_types", "may hold"),
        (
            "nvidia-nemotron-3-super-120b-a12b-fp8", "hybrid_override_pattern", "M*-",
            "hybrid_override_pattern", "88 of the letters",
        ),
        ("deepseek-v4-flash", "compress_ratios", [4, 128], "compress_ratios", "43 layers, not 2"),
        ("deepseek-v4-flash", "compress_ratios", [-4] * 43, "compress_ratios", "whole numbers"),
        ("minimax-m1-40k", "attn_type_list", [0, 1], "attn_type_list", "80 layers, not 2"),
        ("mamba-2.8b-hf", "state_size", -16, "state_size", "whole number from 1"),
    ],
)  # fmt: skip
def test_a_wrong_list_of_layers_is_named(
    client: FlaskClient, name: str, key: str, value: object, field: str, message: str
) -> None:
    answer = posted(client, {**plain(CONFIGS[name]), key: value})
    assert answer.status_code == 422, answer.json
    error = answer.json["errors"][0]
    assert error["pointer"] == f"/model/config/{field}"
    assert message in str(error)
