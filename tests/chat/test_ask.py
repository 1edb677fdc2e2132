"""GET /v1/ask: the answer with the reading, and the reading is the request that is answered."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings

from tests.chat.test_messages import ANY_LINE

LINES = [
    "llama-3.3-70b ctx=32k users=50 on h100 max 8 cheapest",
    "llama-3.1-8b bf16 kv fp8 on 80gb cards budget $20/h risk expected headroom 10%",
    "train llama-3-8b qlora r16 seq=4k bs 4 on 4090",
    "estimate llama-3.1-8b users=32 on l40s x2 tp=2",
    "70b int4 on h100",
    "gpt2 on amd",
]
JSON = {"Accept": "application/json"}


def asked(client: FlaskClient, line: str) -> Any:
    answer = client.get("/v1/ask", query_string={"q": line}, headers=JSON)
    assert answer.status_code == 200, answer.json
    return answer.json


@pytest.mark.parametrize("line", LINES)
def test_the_reading_posted_as_it_is_gives_the_same_answer(client: FlaskClient, line: str) -> None:
    found = asked(client, line)
    request = found["reading"]["request"]
    posted = client.post(request["path"], json=request["body"])
    assert posted.json == found[found["command"]]


@pytest.mark.parametrize("line", LINES)
def test_the_link_of_a_reading_gives_the_same_answer(client: FlaskClient, line: str) -> None:
    found = asked(client, line)
    assert client.get(found["reading"]["link"]).json == found[found["command"]]


@pytest.mark.parametrize("line", LINES)
def test_every_field_of_the_body_names_the_words_that_said_it(
    client: FlaskClient, line: str
) -> None:
    reading = asked(client, line)["reading"]
    for entry in reading["words"]:
        value = reading["request"]["body"]
        for step in entry["field"].split("."):
            value = value[step]
        assert value == entry["value"]
        assert all(word in line for word in entry["words"].split())


def test_the_flagship_line_is_this_request(client: FlaskClient) -> None:
    assert asked(client, LINES[0])["reading"]["request"]["body"] == {
        "model": "llama-3.3-70b-instruct",
        "workload": {"kind": "inference", "context_tokens": 32768, "concurrency": 50},
        "choices": {"gpus": ["h100"]},
        "limits": {"max_cards": 8},
        "objective": "lowest-cost",
    }


def test_a_comparison_answers_each_side_and_labels_it(client: FlaskClient) -> None:
    found = asked(client, "compare llama-3.3-70b ctx=32k on a100-80gb vs h200")
    assert [side["label"] for side in found["sides"]] == ["a100-80gb", "h200"]
    contexts = [
        side["reading"]["request"]["body"]["workload"]["context_tokens"] for side in found["sides"]
    ]
    assert contexts == [32768, 32768]


def test_a_link_of_this_service_is_explained_without_being_fetched(client: FlaskClient) -> None:
    link = "http://192.0.2.1/v1/plans?model=llama-3.1-8b&users=4&gpu=l4"
    found = asked(client, f"explain {link}")
    same = asked(client, "explain http://192.0.2.1/v1/ask?q=llama-3.1-8b%20users%3D4%20on%20l4")
    assert found["plan"] == same["plan"]


@pytest.mark.parametrize(
    "link", ["", "http://[", "http://x/v1/gpus", "x" * 5000, "http://x/v1/ask?q=explain+y"]
)
def test_other_links_are_refused(client: FlaskClient, link: str) -> None:
    answer = client.get("/v1/ask", query_string={"q": f"explain {link}"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/plain"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain"),
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
        ("text/markdown", "text/markdown"),
        ("application/yaml", "application/yaml"),
    ],
)
@pytest.mark.parametrize("line", ["gpt2 on l4", "gpt2 on l4 vs t4", "cards t4", "models gpt2", ""])
def test_accept_chooses_the_form(client: FlaskClient, line: str, accept: str, kind: str) -> None:
    answer = client.get("/v1/ask", query_string={"q": line}, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, kind)


def test_words_that_mean_nothing_are_named_with_the_nearest(client: FlaskClient) -> None:
    answer = client.get("/v1/ask", query_string={"q": "llama-3.3-70b chepest on h1000"})
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json["errors"]] == ["/q", "/q"]
    assert "cheapest" in answer.json["detail"]
    assert "h100" in answer.json["detail"]


@pytest.mark.parametrize(
    "query", ["q=gpt2&q=gpt2", "question=gpt2", "q=" + "x" * 501, "q=%EF%B7%90", "q=a%00b"]
)
def test_other_queries_are_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/ask?{query}").status_code == 422


@pytest.mark.parametrize("command", ["", "estimate "])
def test_what_is_kept_of_a_quantization_is_read(client: FlaskClient, command: str) -> None:
    found = asked(client, f"{command}gpt2 on l4 awq keep=lm_head,attention")
    body = found["reading"]["request"]["body"]
    assert body["quantization"] == {"base": "awq-int4", "keep": ["lm_head", "attention"]}
    assert "keep = lm_head, attention" in found["reading"]["text"]


def test_an_answer_has_an_etag_and_304(client: FlaskClient) -> None:
    first = client.get("/v1/ask?q=gpt2+on+l4")
    again = client.get("/v1/ask?q=gpt2+on+l4", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_no_line_whatever_is_answered_with_5xx(app: Flask) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(ANY_LINE)
    def answered(line: str) -> None:
        raw = line.encode("utf-8", "replace").decode()
        answer = app.test_client().get("/v1/ask", query_string={"q": raw})
        assert answer.status_code in {200, 404, 422}

    answered()
