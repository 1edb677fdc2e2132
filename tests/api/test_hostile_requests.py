"""Requests that break HTTP's own rules: each gets a problem with the right status."""

import gzip
import io
import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

GOOD = {"model": "llama-3.1-8b", "workload": {"kind": "inference"}}
QUESTIONS = ("/v1/plans", "/v1/estimates")


def is_problem(answer: TestResponse, status: int) -> bool:
    shown = answer.mimetype == "application/problem+json" and answer.json["status"] == status
    return answer.status_code == status and shown


@pytest.mark.parametrize("path", [*QUESTIONS, "/v1/footprints"])
def test_a_compressed_body_is_refused(client: FlaskClient, path: str) -> None:
    body = gzip.compress(json.dumps(GOOD).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = client.post(path, data=body, headers=headers)
    assert is_problem(answer, 415)
    assert "Content-Encoding" in answer.json["detail"]


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/html"])
@pytest.mark.parametrize("path", QUESTIONS)
def test_a_form_that_does_not_exist_is_refused(client: FlaskClient, path: str, accept: str) -> None:
    answer = client.post(path, json=GOOD, headers={"Accept": accept})
    assert is_problem(answer, 406)
    assert "text/csv" in answer.json["detail"]


def test_an_answer_of_json_alone_does_not_come_as_csv(client: FlaskClient) -> None:
    answer = client.get("/v1/gpus/h100-sxm5-80gb", headers={"Accept": "text/csv"})
    assert is_problem(answer, 406)


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_catalog_that_has_moved_on_is_a_conflict(client: FlaskClient, path: str) -> None:
    current = client.get("/readyz").json["catalog_version"]
    posted = client.post(path, json={**GOOD, "catalog_version": "0" * 16})
    queried = client.get(f"{path}?model=llama-3.1-8b&catalog_version=00")
    assert is_problem(posted, 409)
    assert is_problem(queried, 409)
    assert current in posted.json["detail"]


def test_the_catalog_in_use_is_no_conflict(client: FlaskClient) -> None:
    current = client.get("/readyz").json["catalog_version"]
    assert (
        client.post("/v1/estimates", json={**GOOD, "catalog_version": current}).status_code == 200
    )


@pytest.mark.parametrize("size", [2_000_001, 24_000_001])
def test_a_body_without_a_length_is_still_bounded(client: FlaskClient, size: int) -> None:
    answer = client.post(
        "/v1/plans",
        input_stream=io.BytesIO(b'{"model":"' + b"x" * size + b'"}'),
        headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert is_problem(answer, 413)


QUERIES = {
    "model=llama-3.1-8b&model=gpt2": ("/model", "more than once"),
    "model=llama-3.1-8b&ctx=1k&context_tokens=2k": ("/context_tokens", "more than once"),
    "model=llama-3.1-8b&modle=x": ("/modle", "Did you mean model?"),
    "model=": ("/model", "Must have 1 to 2000 characters"),
    "model=llama-3.1-8b&ctx=": ("/ctx", "Must have 1 to 2000 characters"),
    "model=%00": ("/model", "Must have 1 to 2000 characters"),
    "model=llama-3.1-8b&%00=1": ("/\0", "Unknown parameter"),
    "model=llama-3.1-8b&users=-1": ("/workload/concurrency", "whole number"),
    "model=llama-3.1-8b&users=1e400": ("/workload/concurrency", "whole number"),
    "": ("/model", "Missing"),
}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("path", QUESTIONS)
def test_a_wrong_parameter_is_named(client: FlaskClient, path: str, query: str) -> None:
    answer = client.get(f"{path}?{query}")
    pointer, message = QUERIES[query]
    assert is_problem(answer, 422)
    (entry,) = answer.json["errors"]
    assert entry["pointer"] == pointer
    assert message in entry["message"]


@pytest.mark.parametrize("query", ["vendor=a&vendor=b", "vendro=nvidia", "vendor=", "vendor=%00"])
def test_a_catalog_s_filter_is_as_strict(client: FlaskClient, query: str) -> None:
    assert is_problem(client.get(f"/v1/gpus?{query}"), 422)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/plans", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/v1/estimates", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/v1/footprints", {"OPTIONS", "POST"}),
        ("/v1/gpus", {"GET", "HEAD", "OPTIONS"}),
        ("/v1/models/gpt2", {"GET", "HEAD", "OPTIONS"}),
        ("/openapi.yaml", {"GET", "HEAD", "OPTIONS"}),
        ("/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_nothing_can_be_deleted(client: FlaskClient, path: str, allowed: set[str]) -> None:
    answer = client.delete(path)
    assert is_problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == allowed
