"""Every example of openapi.yaml works, and every stated default is what happens."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.contract import DOCUMENT, operations, resolved

BODIES = [
    (path, example["value"])
    for path, method, operation in operations()
    if method == "post"
    for media in [operation["requestBody"]["content"].get("application/json", {})]
    for example in media.get("examples", {}).values()
]
FLAT = [
    (path, entry["name"], str(entry["example"]).replace("False", "false").replace("True", "true"))
    for path, method, operation in operations()
    if method == "get" and "{" not in path
    for entry in map(resolved, operation.get("parameters", []))
    if entry["in"] == "query" and "example" in entry
]
SINGLE = [
    (path, entry["example"])
    for path, item in DOCUMENT["paths"].items()
    for entry in map(resolved, item.get("parameters", []))
    if entry["in"] == "path"
]
NEEDS = {"/v1/plans.{form}", "/v1/estimates.{form}", "/v1/scalar/{field}"}
TRAINING = set(DOCUMENT["components"]["schemas"]["TrainingWorkload"]["properties"]) - set(
    DOCUMENT["components"]["schemas"]["InferenceWorkload"]["properties"]
)
COMPANIONS = {
    "rank": "method=lora",
    "targets": "method=lora",
    "framework_version": "framework=transformers",
}
DEFAULTS = [
    (part, name, resolved(field)["default"])
    for part in ("InferenceWorkload", "TrainingWorkload", "Placement", "Limits", "Choices")
    for name, field in DOCUMENT["components"]["schemas"][part]["properties"].items()
    if "default" in resolved(field)
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_an_example_body_is_answered(client: FlaskClient, path: str, body: Any) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.json


def question(path: str, name: str, value: str) -> str:
    """A query that needs nothing but the parameter in question."""
    short = resolved({"$ref": f"#/components/parameters/{name}"}) if name in SHORT else {}
    meant = re.sub(r"^Short for ", "", short.get("description", name))
    parts = [f"{name}={value}"]
    if path in {"/v1/estimates", "/v1/plans"}:
        parts += [] if name in {"model", "parameters"} else ["model=llama-3.1-8b"]
        parts += (
            [] if path == "/v1/estimates" or name in {"gpu", "vendor"} else ["gpu=h100-sxm5-80gb"]
        )
        if meant == "keep":
            parts.append("quantization=awq-int4")
        if meant in TRAINING | set(COMPANIONS):
            parts.append("kind=training")
        if meant in COMPANIONS:
            parts.append(COMPANIONS[meant])
    return "&".join(parts)


SHORT = {
    name
    for name, entry in DOCUMENT["components"]["parameters"].items()
    if entry.get("description", "").startswith("Short for")
}


@pytest.mark.parametrize(("path", "name", "value"), FLAT)
def test_an_example_parameter_is_answered(
    client: FlaskClient, path: str, name: str, value: str
) -> None:
    answer = client.get(f"{path}?{question(path, name, value)}")
    assert answer.status_code == 200, answer.json


@pytest.mark.parametrize(("path", "name"), SINGLE)
def test_an_example_entry_is_answered(client: FlaskClient, path: str, name: str) -> None:
    query = "?model=llama-3.1-8b&gpu=l4-24gb" if path in NEEDS else ""
    assert client.get(re.sub(r"{\w+}", name, path) + query).status_code == 200


def asked(client: FlaskClient, part: str, extra: dict[str, Any]) -> dict[str, Any]:
    """An answer with some fields said outright, less what it says of assumptions."""
    kind = "training" if part == "TrainingWorkload" else "inference"
    workload = {"kind": kind, **(extra if part.endswith("Workload") else {})}
    body: dict[str, Any] = {"model": "llama-3.2-1b", "workload": workload}
    path = "/v1/plans" if part in {"Limits", "Choices"} else "/v1/estimates"
    if part in {"Limits", "Choices"}:
        body["choices"] = {"gpus": ["l4-24gb"]}
    if not part.endswith("Workload"):
        body[part.lower()] = {**body.get(part.lower(), {}), **extra}
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.json
    return {key: value for key, value in answer.json.items() if key != "assumptions"}


@pytest.mark.parametrize(("part", "name", "value"), DEFAULTS)
def test_a_stated_default_is_what_happens(
    client: FlaskClient, part: str, name: str, value: Any
) -> None:
    assert asked(client, part, {name: value}) == asked(client, part, {})
