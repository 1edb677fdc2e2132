"""openapi.yaml as tests need it: resolved references, compiled validators, a client that checks."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = yaml.load(
    (ROOT / "openapi.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
)
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = "#/components/responses/Problem"
BY_DEFAULT = {403, 405}
STRUCTURED = {"application/json", "application/yaml", "application/problem+json"}


def resolved(node: Any) -> Any:
    """A node, or what it refers to; keys beside the reference win."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything promised."""
    return [
        (path, method, item[method])
        for path, item in DOCUMENT["paths"].items()
        for method in METHODS
        if method in item
    ]


def contract_path(rule: str) -> str:
    """A Flask rule as the contract writes it; entries of catalogs are named by their id."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule).replace("{name}", "{id}")


@cache
def validator(path: str, method: str, status: int, media: str) -> Any:
    """The compiled schema of one kind of answer; fails where the contract has no such answer."""
    responses = DOCUMENT["paths"].get(path, {}).get(method, {}).get("responses", {})
    promised = responses.get(str(status))
    if promised is None:
        assert status in BY_DEFAULT or status >= 500, f"{method} {path}: {status} not promised"
        promised = {"$ref": PROBLEM}
    return compiled(promised, media, f"{method} {path} {status}")


@cache
def unrouted(media: str) -> Any:
    """The schema of an answer where no route is."""
    return compiled({"$ref": PROBLEM}, media, "no route")


def compiled(response: dict[str, Any], media: str, where: str) -> Any:
    """A validator of one media type of a response; None for text."""
    content = resolved(response).get("content", {})
    assert media in content, f"{where}: {media} is not one of {', '.join(content)}"
    if media not in STRUCTURED:
        return None
    schema = {**content[media]["schema"], "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema)


def check(answer: TestResponse, rule: str | None, method: str) -> None:
    """Hold one answer to the contract: status, media type, headers and body."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", answer.headers["X-Request-Id"])
    if answer.status_code == 304 or method in {"head", "options"}:
        return
    if rule is None:
        found = unrouted(answer.mimetype)
    else:
        found = validator(contract_path(rule), method, answer.status_code, answer.mimetype)
    if found is not None:
        body = yaml.load(answer.data, Loader=yaml.CSafeLoader) if rule == "/openapi.yaml" else None
        found.validate(body or json.loads(answer.data))


class CheckedClient(FlaskClient):
    """A test client that holds every answer to openapi.yaml."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = super().open(*args, **kwargs)
        adapter = self.application.url_map.bind("localhost")
        method = answer.request.method
        try:
            rule = adapter.match(answer.request.path, method, return_rule=True)[0].rule
        except HTTPException as error:
            rule = self._allowed_rule(adapter, answer.request.path, error)
        check(answer, rule, method.lower())
        return answer

    @staticmethod
    def _allowed_rule(adapter: Any, path: str, error: HTTPException) -> str | None:
        methods = getattr(error, "valid_methods", None)
        if not methods:
            return None
        found: str = adapter.match(path, next(iter(methods)), return_rule=True)[0].rule
        return found
