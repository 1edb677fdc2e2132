"""Answers in words and rows, compared whole with the files beside this one.

`UPDATE_GOLDEN=1` writes the files anew; read the difference before committing it.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.contract import DOCUMENT

FOLDER = Path(__file__).parent
GENERIC = {"kind": "inference", "engine": "generic"}
CARD = {"gpus": ["a10-24gb"]}
QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "plan": (
        "/v1/plans",
        {
            "model": "llama-3.1-8b",
            "workload": {**GENERIC, "concurrency": 4, "context_tokens": 32768},
            "choices": {**CARD, "quantizations": ["none", "awq-int4", "gptq-int4", "nf4"]},
        },
    ),
    "training": (
        "/v1/plans",
        {
            "model": "llama-3.2-1b",
            "workload": {"kind": "training"},
            "choices": {**CARD, "methods": ["full"]},
        },
    ),
    "nothing-fits": (
        "/v1/plans",
        {
            "model": "llama-3.1-8b",
            "workload": {**GENERIC, "concurrency": 16, "context_tokens": 32768},
            "choices": {**CARD, "quantizations": ["awq-int4"]},
            "limits": {"max_cards": 2},
        },
    ),
    "refused": (
        "/v1/plans",
        {
            "model": "llama-3.1-8b",
            "workload": {"kind": "inference", "engine": "vllm"},
            "choices": {"gpus": ["v100-sxm2-32gb"], "quantizations": ["none"]},
        },
    ),
    "estimate": (
        "/v1/estimates",
        {"model": "llama-3.1-8b", "workload": GENERIC, "placement": {"gpu": "a10-24gb"}},
    ),
}
FORMS = {"txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_reads_as_it_was_approved(client: FlaskClient, name: str, form: str) -> None:
    path, body = QUESTIONS[name]
    answer = client.post(path, json=body, headers={"Accept": FORMS[form]})
    golden = FOLDER / f"{name}.{form}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_bytes(answer.data)
    assert answer.data.decode() == golden.read_bytes().decode(), "UPDATE_GOLDEN=1 if it is meant"


FLAGSHIP = {
    "model": "llama-3.3-70b",
    "workload": {"kind": "inference", "concurrency": 16, "context_tokens": 32768},
    "choices": {"gpus": ["h100-sxm5-80gb"]},
}


def test_the_first_line_is_the_answer_and_what_follows_proves_it(client: FlaskClient) -> None:
    text = client.post("/v1/plans", json=FLAGSHIP, headers={"Accept": "text/plain"}).text
    first = text.splitlines()[0]
    assert "x h100-sxm5-80gb (3 pipeline stages), awq-int4 weights" in first
    assert "\nWhy not 2 cards: short by " in text
    assert " USD an hour, " in text
    assert " for 8 cards, sold in whole servers " in text
    assert "\nSpeed, at most: " in text


def test_every_alternative_is_named_once_in_few_rows(client: FlaskClient) -> None:
    plan = client.post("/v1/plans", json=FLAGSHIP).json["alternatives"]
    text = client.post("/v1/plans", json=FLAGSHIP, headers={"Accept": "text/plain"}).text
    table = text.split("\n\n")[1].splitlines()[1:]
    assert len(table) < len(plan)
    assert all(sum(option["quantization"] in row for row in table) for option in plan)


def test_csv_keeps_its_columns_where_nothing_fits(client: FlaskClient) -> None:
    path, body = QUESTIONS["nothing-fits"]
    found = client.post(path, json=FLAGSHIP, headers={"Accept": "text/csv"}).text
    nothing = client.post(path, json=body, headers={"Accept": "text/csv"}).text
    assert nothing.splitlines() == found.splitlines()[:1]


@pytest.mark.parametrize("name", ["Plan", "Estimate"])
def test_the_columns_of_csv_are_those_of_the_contract(client: FlaskClient, name: str) -> None:
    stated = DOCUMENT["components"]["responses"][name]["content"]["text/csv"]["schema"]
    path, body = QUESTIONS[name.lower()]
    text = client.post(path, json=body, headers={"Accept": "text/csv"}).text
    assert stated["description"].split(": ")[1] == text.splitlines()[0].replace(",", ", ")
