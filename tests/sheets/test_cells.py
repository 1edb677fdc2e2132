"""One value for one cell, as WEBSERVICE and IMPORTDATA read it."""

import pytest
from flask.testing import FlaskClient

QUESTION = "model=llama-3.1-8b&ctx=8k&users=4&gpu=l40s-48gb"
NEVER = "model=llama-3.1-405b&gpu=l4-24gb&max_cards=1&quant=none"


def cell(client: FlaskClient, field: str, query: str) -> str:
    answer = client.get(f"/v1/scalar/{field}?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_scalar_is_the_value_alone_without_a_line_end_or_a_mark(client: FlaskClient) -> None:
    answer = client.get(f"/v1/scalar/cards?{QUESTION}")
    assert answer.data == b"1"
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("field", "value"),
    [("gpu", "l40s-48gb"), ("fits", "TRUE"), ("kv_cache_mib", "4096"), ("kv_cache_gib", "4")],
)
def test_text_truth_and_whole_numbers_are_written_plainly(
    client: FlaskClient, field: str, value: str
) -> None:
    # 128 KiB a token (2 x 32 layers x 8 heads x 128 x 2 bytes) x 8,192 tokens x 4 users = 4 GiB
    assert cell(client, field, QUESTION) == value


def test_a_scalar_is_what_the_plan_says(client: FlaskClient) -> None:
    plan = client.get(f"/v1/plans?{QUESTION}").json["recommendation"]
    assert cell(client, "hourly_usd", QUESTION) == str(plan["hourly_usd"])
    assert int(cell(client, "required_bytes", QUESTION)) == plan["per_card"]["expected_bytes"]
    assert int(cell(client, "headroom_bytes", QUESTION)) == plan["headroom_bytes"]


def test_a_need_is_rounded_up_and_room_down(client: FlaskClient) -> None:
    required, headroom = (
        int(cell(client, f"{name}_bytes", QUESTION)) for name in ("required", "headroom")
    )
    assert int(cell(client, "required_mib", QUESTION)) == -(-required // 2**20)
    assert int(cell(client, "headroom_mib", QUESTION)) == headroom // 2**20


def test_a_decimal_comma_is_given_where_it_is_asked_for(client: FlaskClient) -> None:
    dotted = cell(client, "required_gib", QUESTION)
    assert "." in dotted
    assert cell(client, "required_gib", f"{QUESTION}&decimal=,") == dotted.replace(".", ",")


def test_a_quantity_takes_its_unit_from_a_parameter_or_its_name(client: FlaskClient) -> None:
    assert cell(client, "weights", f"{QUESTION}&unit=gib") == cell(client, "weights_gib", QUESTION)
    assert cell(client, "weights", QUESTION) == cell(client, "weights_mib", QUESTION)
    refused = client.get(f"/v1/scalar/cards?{QUESTION}&unit=gib")
    assert refused.json["errors"] == [{"pointer": "/unit", "message": "cards takes no unit."}]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("headroom_pct", "headroom_percent"),
        ("power_w", "power_watts"),
        ("price", "purchase_usd"),
    ],
)
def test_fields_have_short_names(client: FlaskClient, short: str, long: str) -> None:
    assert cell(client, short, QUESTION) == cell(client, long, QUESTION)


def test_an_unknown_price_is_empty_and_never_0(client: FlaskClient) -> None:
    # gpus.yaml has no purchase price of the L40S
    assert cell(client, "purchase_usd", QUESTION) == ""


def test_an_empty_parameter_counts_as_not_given(client: FlaskClient) -> None:
    assert cell(client, "cards", f"{QUESTION}&quant=&kv=&max_cards=") == "1"


def test_an_error_may_come_as_text_for_the_cell_to_show(client: FlaskClient) -> None:
    wrong = "model=llama-3.1-8b&gpu=h10"
    assert client.get(f"/v1/scalar/cards?{wrong}").status_code == 404
    text = cell(client, "cards", f"{wrong}&on_error=text")
    assert text.startswith("#N/A no gpu is called 'h10'; did you mean h100")
    assert cell(client, "cards", f"{wrong}&on_error=empty") == ""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cards?on_error=text", "#N/A model: Missing data for required field."),
        (f"card?on_error=text&{QUESTION}", "#N/A no field is called 'card'; did you mean cards"),
        ("cards?on_error=text&model=llama-3.1-8b&ctx=8x", "#N/A context_tokens: Not a whole"),
        ("cards?on_error=text&model=x&modle=y", "#N/A modle: Unknown parameter. Did you mean mod"),
    ],
)
def test_the_text_names_the_parameter_and_what_would_be_right(
    client: FlaskClient, path: str, said: str
) -> None:
    assert client.get(f"/v1/scalar/{path}").text.startswith(said)


def test_where_nothing_fits_the_cell_is_empty_or_says_why(client: FlaskClient) -> None:
    assert cell(client, "cards", NEVER) == ""
    assert cell(client, "fits", NEVER) == "FALSE"
    assert float(cell(client, "short_by_gib", NEVER)) > 600  # 405B x 2 bytes on one card of 24 GB
    assert "nothing fits" in cell(client, "cards", f"{NEVER}&on_error=text")


def test_an_estimate_answers_for_the_placement_that_is_asked_for(client: FlaskClient) -> None:
    asked = "of=estimate&model=llama-3.1-8b&ctx=8k&users=4&gpu=l40s-48gb&cards=2"
    body = client.get(f"/v1/estimates?{asked.removeprefix('of=estimate&')}").json
    assert cell(client, "cards", asked) == "2"
    assert cell(client, "total_bytes", asked) == str(body["total_bytes"])
    assert cell(client, "max_concurrency", asked) == str(body["limits"]["max_concurrency"])


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/v1/scalar/cards?nonsense=1", "/v1/plans.csv", "/v1/plans/batch"]
)
def test_probes_are_answered_without_a_look_at_the_request(
    client: FlaskClient, method: str, path: str
) -> None:
    if method == "OPTIONS" or "batch" not in path:
        assert client.open(path, method=method).status_code == 200


def test_a_long_question_fits_in_the_2048_characters_of_excel(client: FlaskClient) -> None:
    query = (
        "of=estimate&on_error=text&decimal=,&model=llama-3.1-8b&ctx=131072&users=256&quant=awq-int4"
        "&kv=fp8&util=0.95&tp=8&pp=1&dp=2&gpu=h100-sxm5-80gb&mem=79.6&engine=vllm&risk=expected"
    )
    assert len(f"https://planner.company.example/v1/scalar/required_gib?{query}") < 400
    assert not cell(client, "required_gib", query).startswith("#")
