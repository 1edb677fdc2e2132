"""Answers given before: kept by question and data, bounded, and never shown to another question."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.api import routes
from service.api.repeats import Kept, Repeats

BODY: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "workload": {"kind": "inference", "context_tokens": 8111},
    "placement": {"gpu": "l4-24gb"},
}


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The requests that reached the domain."""
    seen: list[object] = []
    original = routes.estimate

    def counted(request: object, stock: object) -> object:
        seen.append(request)
        return original(request, stock)  # type: ignore[arg-type]

    monkeypatch.setattr(routes, "estimate", counted)
    return seen


def test_the_same_question_is_worked_out_once(
    app: Flask, client: FlaskClient, worked_out: list[object]
) -> None:
    app.extensions.pop("repeats", None)
    first, second = (client.post("/v1/estimates", json=BODY) for _ in range(2))
    assert len(worked_out) == 1
    assert first.data == second.data
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_another_body_is_another_question(
    app: Flask, client: FlaskClient, worked_out: list[object]
) -> None:
    app.extensions.pop("repeats", None)
    other = {**BODY, "workload": {**BODY["workload"], "context_tokens": 4096}}
    first, second = (client.post("/v1/estimates", json=body) for body in (BODY, other))
    assert len(worked_out) == 2
    assert first.headers["ETag"] != second.headers["ETag"]


def test_another_form_or_data_is_another_question(
    app: Flask, client: FlaskClient, worked_out: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.extensions.pop("repeats", None)
    client.post("/v1/estimates", json=BODY)
    text = client.post("/v1/estimates", json=BODY, headers={"Accept": "text/plain"})
    assert text.mimetype == "text/plain"
    assert len(worked_out) == 2
    monkeypatch.setattr("service.api.repeats.catalogs", lambda: _Other)
    client.post("/v1/estimates", json=BODY)
    assert len(worked_out) == 3


class _Other:
    version = "another"
    models = None


def test_a_link_that_is_known_is_not_sent_again(app: Flask, client: FlaskClient) -> None:
    app.extensions.pop("repeats", None)
    link = "/v1/estimates?model=llama-3.1-8b&gpu=l4-24gb&context_tokens=8112"
    tag = client.get(link).headers["ETag"]
    client.get(link)
    assert client.get(link, headers={"If-None-Match": tag}).status_code == 304


def test_errors_are_worked_out_anew(app: Flask, client: FlaskClient) -> None:
    app.extensions.pop("repeats", None)
    wrong = {**BODY, "modle": 1}
    ids = {client.post("/v1/estimates", json=wrong).get_json()["request_id"] for _ in range(2)}
    assert len(ids) == 2


def test_answers_used_longest_ago_make_room() -> None:
    held = Repeats(most_bytes=10)
    for name in ("a", "b"):
        held.put((name,), Kept(b"12345", ()))
    held.get(("a",))
    held.put(("c",), Kept(b"12345", ()))
    assert held.get(("b",)) is None
    assert held.get(("a",)) is not None
    assert held.held_bytes == 10
