"""The page over HTTP: what it answers, how large it is, and that nothing foreign gets in."""

import re

import pytest
from flask.testing import FlaskClient

CONFIG = (
    '{"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, '
    '"num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4, '
    '"vocab_size": 32000, "max_position_embeddings": 2048}'
)
CARD = "gpu=h100-sxm5-80gb"


def answer_of(text: str) -> str:
    found = re.search(r'<h2 id="answer">(.*?)</h2>', text)
    assert found is not None
    return re.sub(r"<[^>]+>", "", found.group(1)).replace("&times;", "x")


def test_page_script_and_style_stay_below_100_kb_together(client: FlaskClient) -> None:
    page = client.get("/").text
    files = re.findall(r'(?:href|src)="(/page/[^"]+\?v=[^"]+)"', page)
    assert len(files) == 3
    assert len(page.encode()) + sum(len(client.get(path).data) for path in files) < 100_000


@pytest.mark.parametrize("path", ["/", "/page/results", "/page/growth", "/?kind=training"])
def test_nothing_but_the_service_itself_may_run_or_style(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", answer.text)


def test_the_page_says_what_the_api_says(client: FlaskClient) -> None:
    query = f"model=llama-3.3-70b&context_tokens=32768&concurrency=16&{CARD}"
    best = client.get(f"/v1/plans?{query}").json["recommendation"]
    text = client.get(f"/?{query}").text
    assert answer_of(text) == f"{best['cards']} x H100 SXM5 80GB"
    assert f"{best['per_card']['expected_bytes'] / 2**30:.2f} GiB" in text
    assert f"{best['quantization']} weights" in text


def test_a_form_s_empty_fields_ticks_and_sizes_are_read(client: FlaskClient) -> None:
    sent = client.get("/?model=8B&gpu=h100-sxm5-80gb&gpu=l40s-48gb&gpu=&max_cards=&ctx=4k").text
    link = re.search(r'data-query="([^"]+)"', sent)
    assert link is not None
    assert link.group(1).split("&amp;") == [
        "parameters=8B",
        "context_tokens=4k",
        "gpu=h100-sxm5-80gb,l40s-48gb",
    ]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("model=llama-3.1-8b&contxt=1", 422, "Did you mean"),
        ("model=llama-3.1-8b&ctx=4096&context_tokens=1", 422, "Given more than once."),
        ("model=llama-3.1-8b&engine=vllm&engine=sglang", 422, "Given more than once."),
        ("model=lama-3.1-8b", 404, 'data-pick="llama-3.1-8b"'),
        ("model=llama-3.1-8b&gpu=h10", 404, "h100"),
        ("model=llama-3.1-8b&catalog_version=0", 409, "is not loaded"),
        ("config=%7Bno", 400, "not JSON"),
        ("config=%7B%7D", 422, "model_type"),
        (f"config={CONFIG}&parameters=8B", 422, "not both"),
    ],
)
def test_a_refusal_has_the_status_of_the_api_and_its_words(
    client: FlaskClient, query: str, status: int, said: str
) -> None:
    for path in ("/", "/page/results", "/page/growth"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == status
        assert answer.mimetype == "text/html"
        assert said in answer.text or path == "/page/growth"


def test_what_is_typed_comes_back_as_text(client: FlaskClient) -> None:
    text = client.get('/?model="><script>alert(1)</script>&gpu=<b>').text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_parameter_without_a_control_is_carried_on(client: FlaskClient) -> None:
    text = client.get(f"/?model=llama-3.1-8b&{CARD}&memory_utilization=0.8").text
    assert '<input type="hidden" name="memory_utilization" value="0.8">' in text
    assert "0.8 of it" in text


def test_the_other_tab_keeps_model_and_cards(client: FlaskClient) -> None:
    text = client.get(f"/?model=qwen2.5-7b&{CARD}&users=4").text
    link = re.search(r'href="/\?([^"]+)">Train', text)
    assert link is not None
    assert link.group(1).startswith("model=qwen2.5-7b&amp;gpu=h100-sxm5-80gb&amp;kind=training")


def test_a_pasted_config_is_posted_by_the_curl_line(client: FlaskClient) -> None:
    text = client.get("/", query_string={"config": CONFIG, "gpu": "l4-24gb"}).text
    assert "posted config" in text
    assert "-H &#39;Content-Type: application/json&#39; -d " in text


def test_the_load_table_agrees_with_plans(client: FlaskClient) -> None:
    query = f"model=llama-3.1-8b&{CARD}&quantization=none&context_tokens=32768"
    text = client.get(f"/page/growth?{query}&concurrency=32").text
    row = re.search(r'<th scope="row">256</th>(.*?)</tr>', text)
    assert row is not None
    shown = [int(count) for count in re.findall(r">(\d+)</td>", row.group(1))]
    tokens = [int(value) for value in re.findall(r'data-value="(\d+)"', text)]
    asked = [
        client.get(f"/v1/plans?{query}&concurrency=256".replace("32768", str(value))).json
        for value in tokens
    ]
    assert shown == [plan["recommendation"]["cards"] for plan in asked]


def test_files_of_the_page_are_kept_under_their_version(client: FlaskClient) -> None:
    answer = client.get("/page/planner.js?v=1")
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/page/secret.txt").status_code == 404
    assert client.get("/docs/index.html").status_code == 404


def test_the_reference_may_style_itself_but_not_run_foreign_code(client: FlaskClient) -> None:
    policy = client.get("/docs").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self'" in policy
