"""A question keeps its answer in every form that the page hands out."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from flask.testing import FlaskClient

from service.presentation.page.copies import chat_line

SERVED = {
    "model": "llama-3.1-8b",
    "context_tokens": "8192",
    "concurrency": "64",
    "gpu": "l40s-48gb,l4-24gb",
}
ASKED = [
    SERVED,
    {**SERVED, "engine": "sglang", "kv_cache_precision": "fp8", "max_cards": "4"},
    {**SERVED, "quantization": "awq-int4", "objective": "lowest-cost", "risk": "expected"},
    {**SERVED, "max_quality_loss": "none", "precision": "float16"},
    {
        "model": "llama-3.1-8b",
        "kind": "training",
        "method": "lora",
        "micro_batch_size": "2",
        "sequence_tokens": "4096",
        "activation_checkpointing": "full",
        "optimizer": "adamw-8bit",
        "gpu": "h100-sxm5-80gb",
    },
]


def copied(text: str, name: str) -> str:
    found = re.search(rf'<textarea[^>]*id="copy-{name}"[^>]*>(.*?)</textarea>', text, re.DOTALL)
    assert found is not None
    return html.unescape(found.group(1))


@pytest.mark.parametrize("flat", ASKED)
def test_the_chat_line_asks_the_same(client: FlaskClient, flat: dict[str, str]) -> None:
    said = client.get("/v1/ask", query_string={"q": chat_line(flat)}, headers=JSON)
    plain = client.get("/v1/plans", query_string=flat)
    assert said.status_code == plain.status_code == 200, said.json
    assert said.json["plan"]["recommendation"] == plain.json["recommendation"]


JSON = {"Accept": "application/json"}


def test_the_link_the_curl_and_the_sheet_ask_the_same(client: FlaskClient) -> None:
    text = client.get("/", query_string=SERVED).text
    wanted = {name: [value] for name, value in SERVED.items()}
    assert parse_qs(urlsplit(copied(text, "link")).query) == wanted
    assert parse_qs(urlsplit(copied(text, "curl").split("'")[1]).query) == wanted
    assert parse_qs(urlsplit(copied(text, "sheet").split('"')[1]).query) == wanted


def test_the_cell_s_formula_gets_the_number_of_cards(client: FlaskClient) -> None:
    flat = {**SERVED, "gpu": "l40s-48gb,l4-24gb,h100-sxm5-80gb,h200-sxm5-141gb,a100-sxm4-80gb"}
    formula = copied(client.get("/", query_string=flat).text, "cell")
    pieces = re.findall(r'"([^"]*)"', formula)
    assert max(map(len, pieces)) <= 255
    parts = urlsplit("".join(pieces))
    best = client.get("/v1/plans", query_string=flat).json["recommendation"]
    assert client.get(f"{parts.path}?{parts.query}").text == str(best["cards"])


def test_the_files_to_download_are_there(client: FlaskClient) -> None:
    text = client.get("/", query_string=SERVED).text
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+)" download', text)]
    assert [client.get(link).status_code for link in links] == [200, 200]
    assert [urlsplit(link).path for link in links] == ["/v1/plans.csv", "/v1/plans.xlsx"]


def test_the_manifest_asks_kubernetes_for_the_cards(client: FlaskClient) -> None:
    text = client.get("/", query_string={**SERVED, "gpu": "l40s-48gb"}).text
    found = list(yaml.safe_load_all(copied(text, "kubernetes")))
    assert "nvidia.com/gpu" in str(found)


def test_every_system_s_link_is_answered_or_refused_with_a_reason(client: FlaskClient) -> None:
    text = client.get("/", query_string=SERVED).text
    links = [html.unescape(link) for link in re.findall(r'href="([^"]*render=[^"]*)"', text)]
    statuses = {client.get(link).status_code for link in links}
    assert len(links) > 10
    assert statuses <= {200, 422}


def test_a_line_in_the_search_box_becomes_the_question(client: FlaskClient) -> None:
    answer = client.get("/?ask=llama-3.3-70b+32k+x16+on+h100-sxm5-80gb")
    assert "Read as: model = llama-3.3-70b" in answer.text
    assert 'name="concurrency" value="16"' in answer.text
    assert "&amp;concurrency=16&amp;gpu=h100-sxm5-80gb" in answer.text


def test_cards_of_an_estimate_s_line_are_the_most_that_may_be_taken(client: FlaskClient) -> None:
    answer = client.get("/?ask=estimate+llama-3.1-8b+on+l40s+cards%3D2")
    assert 'name="max_cards" value="2"' in answer.text


@pytest.mark.parametrize("line", ["models qwen", "help", "llama-3.1-8b on h100 vs h200"])
def test_a_line_that_asks_for_no_single_plan_is_answered_in_words(
    client: FlaskClient, line: str
) -> None:
    answer = client.get("/", query_string={"ask": line})
    assert answer.status_code == 303
    assert client.get(answer.headers["Location"]).status_code == 200


def test_words_that_mean_nothing_are_named(client: FlaskClient) -> None:
    answer = client.get("/?ask=llama-3.1-8b+flurb")
    assert answer.status_code == 422
    assert "flurb" in answer.text
    assert client.get("/?ask=llama-3.1-8b&users=3").status_code == 422
