"""Bad input gets a problem that names the field; never a 5xx."""

import json

import pytest
from flask.testing import FlaskClient

GOOD = {"model": "llama-3.1-8b", "workload": {"kind": "inference"}}


def raw(client: FlaskClient, body: bytes, kind: str = "application/json") -> object:
    return client.post("/v1/plans", data=body, content_type=kind)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 20_000, 400),
        (b'{"model": NaN}', 400),
        (b'{"model": ' + b"9" * 5000 + b"}", 400),
        (b'{"model": 1e999}', 400),
        (b"\xff\xfe{}", 400),
        (b'{"model": "a", "model": "b"}', 400),
        (b'{"model": "\\ud800"}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"model": 5}', 422),
        (b"x" * 3_000_000, 413),
    ],
)
def test_a_malformed_body_is_a_problem(client: FlaskClient, body: bytes, status: int) -> None:
    answer = raw(client, body)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_another_content_type_is_refused(client: FlaskClient) -> None:
    assert raw(client, json.dumps(GOOD).encode(), "text/plain").status_code == 415


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"modle": "x"}, "/modle"),
        ({"workload": {"kind": "inference", "concurrency": "12"}}, "/workload/concurrency"),
        ({"workload": {"kind": "inference", "concurrency": 1.5}}, "/workload/concurrency"),
        ({"workload": {"kind": "inference", "concurrency": True}}, "/workload/concurrency"),
        ({"workload": {"kind": "inference", "context_tokens": 10**7}}, "/workload/context_tokens"),
        ({"workload": {"kind": "inference", "draft_model": "mtp"}}, "/workload/draft_model"),
        ({"workload": {"kind": "serving"}}, "/workload/kind"),
        ({"model": {"config": {"model_type": "llama"}}}, "/model/config/hidden_size"),
    ],
)
def test_a_wrong_field_is_named(
    client: FlaskClient, change: dict[str, object], pointer: str
) -> None:
    answer = client.post("/v1/plans", json={**GOOD, **change})
    assert answer.status_code == 422, answer.json
    assert pointer in [entry["pointer"] for entry in answer.json["errors"]]


def test_a_misspelt_field_gets_the_nearest_name(client: FlaskClient) -> None:
    answer = client.post("/v1/plans", json={**GOOD, "quantisation": "none"})
    assert "quantization" in answer.json["detail"]


@pytest.mark.parametrize(
    ("url", "near"), [("/v1/models/llama-3.1-8x", "llama-3.1-8b"), ("/v1/gpus/h1000", "h100")]
)
def test_a_misspelt_name_gets_the_nearest(client: FlaskClient, url: str, near: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 404
    assert near in answer.json["nearest"]


def test_a_wrong_method_keeps_its_allow_header(client: FlaskClient) -> None:
    answer = client.delete("/v1/plans")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
